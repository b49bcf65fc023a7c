//! A publisher's whole stay: socket pump, peer, admission, FLV, the owner of the broadcast, storage. Whatever it sends and
//! however it goes, its socket ends, its channel is free again, and what it left behind plays.

use crate::chunks::{Act, Script};
use crate::room::{KEY, NOW, Room, channel};
use crate::source::hides_start_codes;
use crate::{Choices, block_on, pieces};
use livebucket::auth::rtmp_url::publish_query;
use livebucket::net::host::HostRules;
use livebucket::rtmp::conn;
use livebucket::rtmp::server::RtmpDeps;
use livebucket::task::Stop;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes between the two ends of the socket: less than a long message, so that both have to wait.
const SOCKET_BYTES: usize = 8 * 1024;

/// Takes one input.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let frag_duration = 1 + u32::from(choices.u8() & 3);
    let query = publish_query(KEY.0, KEY.1, "films", "ch", NOW.unix_seconds() + 600, &[]);
    let name = format!("ch?{query}");
    block_on(async {
        let room = Room::new(frag_duration, 3).await;
        let deps = RtmpDeps {
            meta: room.meta.clone(),
            registry: room.registry.clone(),
            clock: room.clock.clone(),
            hosts: HostRules::default(),
            crowd: livebucket::net::crowd::Crowd::new(Default::default(), room.clock.clone()),
        };
        let (near, far) = tokio::io::duplex(SOCKET_BYTES);
        let (mut replies, mut socket) = tokio::io::split(far);
        let mut sent = Vec::new();
        let publisher = async {
            let mut script = Script::new(&mut choices, &name);
            while let Some(act) = script.next(&mut choices) {
                let Act::Send { seed, bytes } = act else { continue };
                sent.extend_from_slice(&bytes);
                for piece in pieces(seed, &bytes) {
                    if socket.write_all(piece).await.is_err() {
                        return;
                    }
                }
            }
            // Whether the other side is still there is its own affair.
            let _ = socket.shutdown().await;
        };
        let listener = async {
            let mut said = Vec::new();
            let _ = replies.read_to_end(&mut said).await;
        };
        let stop = Stop::new();
        let peer = "192.0.2.1:50000".parse().expect("an address");
        tokio::join!(conn::serve(&deps, near, peer, &stop), publisher, listener);
        assert_eq!(room.meta.open_connection(room.bucket.id, &channel()).await, Ok(None), "the channel is free");
        room.check(|| hides_start_codes(&sent)).await;
    });
}
