//! A whole live room over memory stores and a clock that stands: what one publish leaves behind.

use std::sync::Arc;

use bytes::BytesMut;
use livebucket::clock::{Clock, ManualClock, Wall};
use livebucket::codec::m3u8::Playlist;
use livebucket::codec::mpegts::check::FaultKind;
use livebucket::codec::playback::{ForcedCuts, PlaybackChecker, PlaybackFaultKind};
use livebucket::live::registry::{LiveDeps, PublishRequest, Publisher, Registry};
use livebucket::live::vod::vod_playlist;
use livebucket::media::MediaTime;
use livebucket::store::blob::memory::MemoryBlobStore;
use livebucket::store::meta::memory::MemoryMetaStore;
use livebucket::store::objects::ObjectService;
use livebucket::store::{Acl, BlobStore, BucketName, BucketRecord, ChannelConfig, ChannelName, MetaStore, ObjectKey};

/// The wall time of every run.
pub const NOW: Wall = Wall(1_700_000_000_000);
/// The access key that the stores know.
pub const KEY: (&str, &str) = ("testAccessKeyId", "testAccessKeySecret");

/// The room, with a bucket `films` and a channel `ch` in it.
pub struct Room {
    /// Metadata.
    pub meta: Arc<dyn MetaStore>,
    /// Bytes.
    pub blobs: Arc<dyn BlobStore>,
    /// Bodies.
    pub objects: ObjectService,
    /// Owners of channels.
    pub registry: Arc<Registry>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// `films`.
    pub bucket: BucketRecord,
}

/// `ch`.
pub fn channel() -> ChannelName {
    ChannelName::new("ch").expect("valid")
}

impl Room {
    /// A fresh room.
    pub async fn new(frag_duration: u32, frag_count: u32) -> Room {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
        let meta: Arc<dyn MetaStore> = Arc::new(MemoryMetaStore::new());
        let blobs: Arc<dyn BlobStore> = Arc::new(MemoryBlobStore::seeded(clock.clone(), 7));
        let objects = ObjectService::new(meta.clone(), blobs.clone(), clock.clone());
        let deps = LiveDeps { meta: meta.clone(), objects: objects.clone(), clock: clock.clone() };
        let registry = Arc::new(Registry::new(deps));
        let key = meta.put_access_key("alice", KEY.0, KEY.1, NOW).await.expect("a fresh store");
        let name = BucketName::new("films").expect("valid");
        let bucket = meta.create_bucket(&name, key.account, Acl::Private, NOW).await.expect("a fresh store");
        let config = ChannelConfig { frag_duration, frag_count, ..ChannelConfig::default() };
        meta.put_channel(bucket.id, &channel(), config, false, NOW).await.expect("not live");
        Room { meta, blobs, objects, registry, clock, bucket }
    }

    /// A publisher on the channel.
    pub async fn publish(&self) -> Publisher {
        let request = PublishRequest {
            bucket: self.bucket.clone(),
            channel: channel(),
            playlist_name: None,
            remote_addr: "192.0.2.1:50000".into(),
            access_key_id: Some(KEY.0.into()),
        };
        self.registry.publish(request).await.expect("the channel is free")
    }

    /// The body of an object in the channel's folder.
    async fn body(&self, name: &str) -> Option<BytesMut> {
        let object =
            self.meta.object(self.bucket.id, &ObjectKey::in_channel(&channel(), name)).await.expect("memory")?;
        let mut body = self.objects.read(&object, 0..object.size);
        let mut bytes = BytesMut::new();
        while let Some(piece) = body.next().await.expect("memory") {
            bytes.extend_from_slice(&piece);
        }
        Some(bytes)
    }

    /// Checks all fragments of the one connection that there was, and the playlist's window of them; how many there are. Asks
    /// only when it matters whether the source hid NAL units from the service.
    pub async fn check(&self, hidden_units: impl Fn() -> bool) -> u64 {
        let index = self.meta.fragments(self.bucket.id, &channel(), 0, i64::MAX).await.expect("memory");
        let Some(everything) = vod_playlist(&index) else { return 0 };
        let bodies = self.fragments(&everything).await;
        check(&everything, &bodies, &hidden_units);
        let text = self.body("playlist.m3u8").await.expect("there are fragments");
        let window = Playlist::parse(std::str::from_utf8(&text).expect("text")).expect("our own");
        check(&window, &self.fragments(&window).await, &hidden_units);
        everything.segments.len() as u64
    }

    async fn fragments(&self, playlist: &Playlist) -> Vec<BytesMut> {
        let mut all = Vec::new();
        for segment in &playlist.segments {
            all.push(self.body(&segment.uri).await.expect("what a playlist names is there"));
        }
        all
    }
}

fn check(playlist: &Playlist, fragments: &[BytesMut], hidden_units: &dyn Fn() -> bool) {
    let forced = ForcedCuts { after: MediaTime::from_secs(60), bytes: u64::MAX };
    let mut checker = PlaybackChecker::new(playlist, forced).of_one_connection(|_| true);
    fragments.iter().for_each(|bytes| checker.fragment(Ok(bytes)));
    let mut report = checker.finish();
    report.faults.retain(|fault| !fault.kind.is_the_sources() && !(is_of_hidden_units(&fault.kind) && hidden_units()));
    assert!(report.is_clean(), "{report}\n{}", playlist.render());
}

/// What a unit that the service has not seen can do: be a key frame, or a parameter set, where there should be none.
fn is_of_hidden_units(kind: &PlaybackFaultKind) -> bool {
    use FaultKind::{LateParameterSets, NoParameterSets};
    matches!(kind, PlaybackFaultKind::Media(fault) if matches!(fault.kind, LateParameterSets | NoParameterSets))
}
