//! Channel -> owner. The map sits behind a short synchronous lock that is never held across an await or a store call.
//!
//! One publisher a channel: the newcomer is refused. The map refuses within this process, the claim in the metadata
//! store decides between processes and survives them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{oneshot, watch};

use super::broadcast::{self, Intake};
use super::stat::{LiveStat, StreamMetadata};
use crate::clock::Clock;
use crate::media::{AccessUnit, CodecConfig};
use crate::store::objects::ObjectService;
use crate::store::{BucketId, BucketRecord, ChannelName, ConnectionId, MetaStore, StoreError, TerminationCause, What};
use crate::task::{Stop, TaskSet};

/// What owners need of the service.
#[derive(Clone, Debug)]
pub struct LiveDeps {
    /// Channels, claims, fragments.
    pub meta: Arc<dyn MetaStore>,
    /// Where fragments are written.
    pub objects: ObjectService,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A publisher that was let in by its transport.
#[derive(Clone, Debug)]
pub struct PublishRequest {
    /// The bucket.
    pub bucket: BucketRecord,
    /// The channel.
    pub channel: ChannelName,
    /// Overrides the channel's playlist name for this connection.
    pub playlist_name: Option<String>,
    /// `ip:port` of the publisher.
    pub remote_addr: String,
    /// The key that authorised it.
    pub access_key_id: Option<String>,
}

/// Why a publisher cannot have the channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// No such channel in the bucket.
    #[error("no such live channel")]
    NoSuchLiveChannel,
    /// The channel is disabled.
    #[error("live channel is disabled")]
    Disabled,
    /// Another publisher has it.
    #[error("live channel has a publisher")]
    AlreadyLive,
    /// The store says that a connection is open, but no owner of this process has it.
    #[error("live channel is held by a connection of another process")]
    HeldElsewhere,
    /// The service stops.
    #[error("service is stopping")]
    Stopping,
    /// The store cannot say.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for PublishError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(What::Channel | What::Bucket) => PublishError::NoSuchLiveChannel,
            StoreError::ChannelDisabled => PublishError::Disabled,
            // The map was asked first, so the owner is not here. Recovery ends what an earlier process left open.
            StoreError::ChannelLive => PublishError::HeldElsewhere,
            other => PublishError::Store(other),
        }
    }
}

/// What a transport sends to the owner.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaInput {
    /// A track's configuration, also a repeated one.
    Config(CodecConfig),
    /// An access unit, in the order of arrival.
    Unit(AccessUnit),
    /// What the publisher says of its stream.
    Metadata(StreamMetadata),
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Why.
    pub cause: TerminationCause,
    /// Fragments stored.
    pub fragments: u64,
    /// Fragments that could not be stored.
    pub fragments_lost: u64,
    /// Access units that were not stored because nothing could be done with them.
    pub units_dropped: u64,
}

/// The connection has ended; nothing more is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection ended: {}", .0.as_str())]
pub struct Ended(pub TerminationCause);

/// What the owner, its publisher and the registry share of one connection.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) bucket: BucketId,
    pub(super) channel: ChannelName,
    pub(super) connection: ConnectionId,
    pub(super) access_key_id: Option<String>,
    /// The first cause that anybody gave; from then on nothing more is taken.
    pub(super) end: watch::Sender<Option<TerminationCause>>,
    /// Set once the last fragment is committed and the connection is ended in history.
    pub(super) outcome: watch::Sender<Option<Outcome>>,
    /// Written about once a second, read by control requests: never held across an await.
    pub(super) stat: Mutex<Option<LiveStat>>,
}

impl Shared {
    /// Asks for the end; the first cause stays.
    pub(super) fn request_end(&self, cause: TerminationCause) {
        self.end.send_if_modified(|present| {
            let first = present.is_none();
            present.get_or_insert(cause);
            first
        });
    }

    /// Ready once an end was asked for.
    pub(super) async fn end_requested(&self) -> TerminationCause {
        let mut end = self.end.subscribe();
        let cause = end.wait_for(Option::is_some).await.ok().and_then(|cause| *cause);
        cause.expect("the sender lives in self, and wait_for returns a value that is some")
    }

    pub(super) fn cause(&self) -> TerminationCause {
        self.end.borrow().unwrap_or(TerminationCause::ConnectionLost)
    }
}

/// A publisher's end of its broadcast. Dropping it ends the connection as lost.
#[derive(Debug)]
pub struct Publisher {
    intake: Arc<Intake>,
    shared: Arc<Shared>,
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.request_end(TerminationCause::ConnectionLost);
    }
}

impl Publisher {
    pub(super) fn new(intake: Arc<Intake>, shared: Arc<Shared>) -> Self {
        Publisher { intake, shared }
    }

    /// The connection's id.
    pub fn connection(&self) -> ConnectionId {
        self.shared.connection
    }

    /// Takes one input. Waits while the owner lags: that is the back pressure, so do not read the socket then.
    /// An end that is asked for ends the wait too, however long the store keeps the owner.
    pub async fn send(&self, input: MediaInput) -> Result<(), Ended> {
        self.intake.send(input).await
    }

    /// Says that nothing more comes for a while: what was sent is passed on to the open fragment, unless it is little.
    pub fn pause(&self) {
        self.intake.pause();
    }

    /// Ready once somebody asked for the end of the connection; call [`Publisher::finish`] then.
    pub fn ended(&self) -> impl Future<Output = TerminationCause> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        async move { shared.end_requested().await }
    }

    /// Ends the connection (an earlier cause stays) and waits until what was sent is committed and history closed.
    pub async fn finish(self, cause: TerminationCause) -> Outcome {
        self.shared.request_end(cause);
        let mut outcome = self.shared.outcome.subscribe();
        let outcome = outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| *outcome);
        outcome.expect("the sender lives in self.shared, and wait_for returns a value that is some")
    }
}

/// The owners of this process's live channels.
#[derive(Debug)]
pub struct Registry {
    deps: LiveDeps,
    owners: Arc<Owners>,
    tasks: TaskSet,
    stop: Stop,
}

type Key = (BucketId, ChannelName);

#[derive(Debug, Default)]
pub(super) struct Owners {
    /// In order, so that whoever ends all of them does it in the same order in every run.
    map: Mutex<BTreeMap<Key, Arc<Shared>>>,
}

impl Owners {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Shared>>> {
        self.map.lock().expect("no code panics while holding this lock")
    }
}

/// A channel's place in the map; dropping it frees the channel, also when its owner panics.
#[derive(Debug)]
pub(super) struct Seat {
    owners: Arc<Owners>,
    pub(super) shared: Arc<Shared>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.owners.lock().remove(&(self.shared.bucket, self.shared.channel.clone()));
    }
}

impl Registry {
    /// Without any owner.
    pub fn new(deps: LiveDeps) -> Self {
        Registry { deps, owners: Arc::default(), tasks: TaskSet::new(), stop: Stop::new() }
    }

    /// Claims the channel for a publisher and starts its owner.
    pub async fn publish(&self, request: PublishRequest) -> Result<Publisher, PublishError> {
        let shared = Arc::new(Shared {
            bucket: request.bucket.id,
            channel: request.channel.clone(),
            connection: self.fresh_connection(),
            access_key_id: request.access_key_id.clone(),
            end: watch::Sender::new(None),
            outcome: watch::Sender::new(None),
            stat: Mutex::new(None),
        });
        let (reply, claimed) = oneshot::channel();
        {
            let mut owners = self.owners.lock();
            if self.stop.is_pulled() {
                return Err(PublishError::Stopping);
            }
            let key = (request.bucket.id, request.channel.clone());
            if owners.contains_key(&key) {
                return Err(PublishError::AlreadyLive);
            }
            owners.insert(key, Arc::clone(&shared));
            let seat = Seat { owners: Arc::clone(&self.owners), shared };
            // The claim is made in the owner's task: a caller that goes away in the middle leaves no claim without owner.
            // Spawned under the lock, so that `stop` either refuses the newcomer or waits for its owner.
            self.tasks.spawn("broadcast", broadcast::own(self.deps.clone(), seat, request, reply, self.stop.clone()));
        }
        claimed.await.unwrap_or_else(|_| Err(PublishError::Store(StoreError::Unavailable("owner ended early".into()))))
    }

    /// The owner's last snapshot; `None` when nobody publishes.
    pub fn stat(&self, bucket: BucketId, channel: &ChannelName) -> Option<LiveStat> {
        let shared = self.owners.lock().get(&(bucket, channel.clone())).cloned()?;
        let stat = shared.stat.lock().expect("no code panics while holding this lock");
        stat.clone()
    }

    /// Ends the channel's connection, if there is one; its open fragment is finished and kept. Does not wait.
    pub fn disconnect(&self, bucket: BucketId, channel: &ChannelName, cause: TerminationCause) {
        if let Some(shared) = self.owners.lock().get(&(bucket, channel.clone())) {
            shared.request_end(cause);
        }
    }

    /// Ends every connection that was authorised with this access key.
    pub fn disconnect_key(&self, access_key_id: &str) {
        for shared in self.owners.lock().values() {
            if shared.access_key_id.as_deref() == Some(access_key_id) {
                shared.request_end(TerminationCause::KeyDisabled);
            }
        }
    }

    /// Refuses newcomers, ends all connections as `ServiceShutdown` and waits until each is committed.
    pub async fn stop(&self) {
        {
            let owners = self.owners.lock();
            self.stop.pull();
            for shared in owners.values() {
                shared.request_end(TerminationCause::ServiceShutdown);
            }
        }
        self.tasks.join().await;
    }

    fn fresh_connection(&self) -> ConnectionId {
        let mut random = [0u8; 10];
        if getrandom::fill(&mut random).is_err() {
            // Time alone still tells connections of a channel apart: there is one at a time.
            tracing::warn!("the system has no randomness");
        }
        let mut low = [0u8; 16];
        low[6..].copy_from_slice(&random);
        let millis = u128::try_from(self.deps.clock.wall().0.max(0)).expect("not negative");
        ConnectionId((millis << 80) | u128::from_be_bytes(low))
    }
}

#[cfg(test)]
mod tests;
