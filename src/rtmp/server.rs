//! The RTMP service: one task a socket, each a pump around a peer.

use std::sync::Arc;

use crate::clock::Clock;
use crate::live::registry::Registry;
use crate::net::crowd::Crowd;
use crate::net::host::HostRules;
use crate::net::listen::DoorStream;
use crate::rtmp::admit::Origin;
use crate::rtmp::conn;
use crate::store::MetaStore;
use crate::task::Stop;

/// What publishing needs of the service.
#[derive(Clone, Debug)]
pub struct RtmpDeps {
    /// Buckets, keys, channels.
    pub meta: Arc<dyn MetaStore>,
    /// The owners of live channels.
    pub registry: Arc<Registry>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What the host of a `tcUrl` may mean.
    pub hosts: HostRules,
    /// How often each address may be refused.
    pub crowd: Arc<Crowd>,
}

/// Takes publishers.
#[derive(Debug)]
pub struct RtmpService {
    deps: RtmpDeps,
}

impl RtmpService {
    /// A service over these rooms.
    pub fn new(deps: RtmpDeps) -> Arc<Self> {
        Arc::new(RtmpService { deps })
    }

    /// Serves one socket to its end. A pulled `stop` ends its publish as `ServiceShutdown`.
    pub async fn serve(self: Arc<Self>, stream: DoorStream, stop: Stop) {
        let origin = Origin { peer: stream.peer(), secure: stream.is_tls() };
        conn::serve_from(&self.deps, stream, origin, &stop).await;
    }
}
