//! Sequences of HTTP requests against a whole service in memory, well-formed ones and bare bytes. No request is answered
//! with our own failure, and whatever was asked, the storage invariants hold afterwards.

use std::cell::Cell;

use crate::http::request;
use crate::room::Room;
use crate::{Choices, block_on, pieces};
use livebucket::http::server::{HttpDeps, HttpService};
use livebucket::net::guard::Guard;
use livebucket::net::host::HostRules;
use livebucket::store::recovery::{CheckOptions, check};
use livebucket::task::Stop;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes between the two ends of a socket.
const SOCKET_BYTES: usize = 8 * 1024;

/// Turns of the scheduler that an answer may take; everything is in memory.
const PATIENCE: usize = 60;

/// Takes one input.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    block_on(async {
        let room = Room::new(5, 3).await;
        let service = HttpService::new(HttpDeps {
            meta: room.meta.clone(),
            objects: room.objects.clone(),
            registry: room.registry.clone(),
            clock: room.clock.clone(),
            guard: Guard::closed(room.clock.clone()),
            hosts: HostRules::default(),
            public_endpoint: None,
            region: "cn-hangzhou".into(),
            policies: livebucket::auth::policy::PolicyCache::new(64),
            crowd: livebucket::net::crowd::Crowd::new(Default::default(), room.clock.clone()),
            signing_keys: livebucket::auth::signing_keys::SigningKeys::default(),
        });
        while !choices.is_empty() {
            let seed = choices.u8();
            let bytes = if seed == 0 { choices.text().into_bytes() } else { request(&mut choices) };
            let (near, far) = tokio::io::duplex(SOCKET_BYTES);
            let (mut replies, mut socket) = tokio::io::split(far);
            let answered = Cell::new(false);
            let client = async {
                for piece in pieces(seed.saturating_sub(1), &bytes) {
                    if socket.write_all(piece).await.is_err() {
                        break;
                    }
                }
                // A half-closed socket is taken for one whose client has gone, so the answer comes first; a request that
                // is not whole has none to wait for.
                for _ in 0..PATIENCE {
                    if answered.get() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                // Whether the other side is still there is its own affair.
                let _ = socket.shutdown().await;
            };
            let listener = async {
                let mut said = Vec::new();
                let _ = replies.read_to_end(&mut said).await;
                answered.set(true);
                said
            };
            let peer = "192.0.2.1:50000".parse().expect("an address");
            let served = service.clone().serve_stream(near, peer, None, Stop::new());
            let ((), (), said) = tokio::join!(served, client, listener);
            let is_ours = |status: &[u8]| said.starts_with(&[b"HTTP/1.1 ", status].concat());
            let shown = || String::from_utf8_lossy(&bytes).into_owned();
            assert!(!is_ours(b"500") && !is_ours(b"503"), "{}\n{}", shown(), String::from_utf8_lossy(&said));
        }
        let report = check(&*room.meta, &*room.blobs, CheckOptions { verify_bytes: true }).await.expect("memory");
        assert!(report.is_clean(), "{report}");
    });
}
