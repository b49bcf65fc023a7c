//! A whole live room on memory stores and a manual clock, for the tests of this room and of the transports.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::registry::{LiveDeps, MediaInput, PublishRequest, Publisher, Registry};
use crate::clock::{Clock, ManualClock, Wall};
use crate::codec::m3u8::Playlist;
use crate::codec::mpegts::check::{Checker, Expectation, Report};
use crate::media::{AacConfig, AccessUnit, AvcConfig, CodecConfig, MediaTime, SourceTime, Track};
use crate::store::blob::faulty::FaultyBlobStore;
use crate::store::blob::memory::MemoryBlobStore;
use crate::store::meta::faulty::FaultyMetaStore;
use crate::store::meta::memory::MemoryMetaStore;
use crate::store::objects::{ObjectService, Quota};
use crate::store::{
    Acl, BucketName, BucketRecord, ChannelConfig, ChannelName, ConnectionRecord, FragmentRecord, MetaStore, ObjectKey,
    ObjectRecord,
};

/// Wall time at which every test begins.
pub(crate) const BEGIN: i64 = 1_700_000_000_000;

pub(crate) struct Bed {
    pub(crate) clock: ManualClock,
    pub(crate) meta: Arc<FaultyMetaStore>,
    pub(crate) blobs: FaultyBlobStore,
    pub(crate) objects: ObjectService,
    pub(crate) registry: Arc<Registry>,
    pub(crate) bucket: BucketRecord,
}

pub(crate) fn channel() -> ChannelName {
    ChannelName::new("ch").expect("valid")
}

impl Bed {
    /// A private bucket `films` of account `alice` (key `AK`, secret `SK`) with a channel `ch` of 1 s fragments.
    pub(crate) async fn new() -> Self {
        Bed::with(1).await
    }

    pub(crate) async fn with(frag_duration: u32) -> Self {
        let clock = ManualClock::new(Wall(BEGIN));
        Bed::over(clock.clone(), Arc::new(clock), frag_duration).await
    }

    /// With 1 s fragments, within an operator's bounds.
    pub(crate) async fn with_quota(quota: Quota) -> Self {
        let clock = ManualClock::new(Wall(BEGIN));
        Bed::over_quota(clock.clone(), Arc::new(clock), 1, quota).await
    }

    /// Everything by `time`, which a test may choose to be the machine's clock.
    pub(crate) async fn over(clock: ManualClock, time: Arc<dyn Clock>, frag_duration: u32) -> Self {
        Bed::over_quota(clock, time, frag_duration, Quota::default()).await
    }

    async fn over_quota(clock: ManualClock, time: Arc<dyn Clock>, frag_duration: u32, quota: Quota) -> Self {
        let meta = Arc::new(FaultyMetaStore::new(Arc::new(MemoryMetaStore::new())));
        let blobs = FaultyBlobStore::new(Arc::new(MemoryBlobStore::seeded(time.clone(), 7)));
        let objects = ObjectService::new(meta.clone(), Arc::new(blobs.clone()), time.clone()).with_quota(quota);
        let deps = LiveDeps { meta: meta.clone(), objects: objects.clone(), clock: time.clone() };
        let registry = Arc::new(Registry::new(deps));
        let key = meta.put_access_key("alice", "AK", "SK", time.wall()).await.expect("a fresh store");
        let name = BucketName::new("films").expect("valid");
        let bucket = meta.create_bucket(&name, key.account, Acl::Private, time.wall()).await.expect("a fresh store");
        let bed = Bed { clock, meta, blobs, objects, registry, bucket };
        bed.put_channel(&bed.bucket, "ch", frag_duration).await;
        bed
    }

    pub(crate) async fn put_channel(&self, bucket: &BucketRecord, name: &str, frag_duration: u32) {
        let config = ChannelConfig { frag_duration, ..ChannelConfig::default() };
        let name = ChannelName::new(name).expect("valid");
        self.meta.put_channel(bucket.id, &name, config, false, Wall(BEGIN)).await.expect("not live");
    }

    pub(crate) fn request(&self) -> PublishRequest {
        PublishRequest {
            bucket: self.bucket.clone(),
            channel: channel(),
            playlist_name: None,
            remote_addr: "192.0.2.1:50000".into(),
            access_key_id: Some("AK".into()),
        }
    }

    pub(crate) async fn publish(&self) -> Publisher {
        self.registry.publish(self.request()).await.expect("the channel is free")
    }

    pub(crate) async fn object(&self, name: &str) -> Option<ObjectRecord> {
        let key = ObjectKey::in_channel(&channel(), name);
        self.meta.object(self.bucket.id, &key).await.expect("memory")
    }

    pub(crate) async fn body(&self, name: &str) -> Bytes {
        let object = self.object(name).await.unwrap_or_else(|| panic!("no object {name}"));
        let mut body = self.objects.read(&object, 0..object.size);
        let mut bytes = BytesMut::new();
        while let Some(piece) = body.next().await.expect("memory") {
            bytes.extend_from_slice(&piece);
        }
        assert_eq!(bytes.len() as u64, object.size);
        bytes.freeze()
    }

    pub(crate) async fn playlist(&self) -> Playlist {
        let text = self.body("playlist.m3u8").await;
        Playlist::parse(std::str::from_utf8(&text).expect("text")).expect("a valid playlist")
    }

    pub(crate) async fn fragments(&self) -> Vec<FragmentRecord> {
        self.meta.fragments(self.bucket.id, &channel(), 0, i64::MAX).await.expect("memory")
    }

    pub(crate) async fn history(&self) -> Vec<ConnectionRecord> {
        self.meta.history(self.bucket.id, &channel(), 100).await.expect("memory")
    }

    /// Every stored fragment through the transport-stream checker. If there was one connection, its counters and times must go
    /// on over every discontinuity before which nothing is lost.
    pub(crate) async fn check_media(&self) -> Report {
        let open = self.meta.open_connection(self.bucket.id, &channel()).await.expect("memory");
        let is_alone = self.history().await.len() + usize::from(open.is_some()) == 1;
        let mut checker = Checker::new();
        let mut before = None;
        for FragmentRecord { name_ms, sequence, discontinuity, .. } in self.fragments().await {
            let bytes = self.body(&format!("{name_ms}.ts")).await;
            let goes_on = is_alone && before.replace(sequence).is_some_and(|before| before + 1 == sequence);
            checker.fragment(&bytes, Expectation { discontinuity, goes_on, forced_cut: false });
        }
        checker.finish()
    }

    /// Moves time, and lets every task do what it can before and after.
    pub(crate) async fn advance(&self, by: Duration) {
        settle().await;
        self.clock.advance(by);
        settle().await;
    }
}

/// Lets every task of this runtime run until it waits for time or for a store.
pub(crate) async fn settle() {
    for _ in 0..300 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn avc() -> AvcConfig {
    AvcConfig {
        nal_length_size: 4,
        sps: vec![Bytes::from_static(&[0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9])],
        pps: vec![Bytes::from_static(&[0x68, 0xeb, 0xe3, 0xcb])],
        width: 1280,
        height: 720,
        frame_rate_millihertz: None,
    }
}

pub(crate) fn aac() -> AacConfig {
    AacConfig {
        object_type: 2,
        frequency_index: 4,
        sample_rate: 44_100,
        channel_configuration: 2,
        program_config: None,
        raw: Bytes::from_static(&[0x12, 0x10]),
    }
}

pub(crate) fn configs() -> [MediaInput; 2] {
    [MediaInput::Config(CodecConfig::Avc(avc())), MediaInput::Config(CodecConfig::Aac(aac()))]
}

/// A picture of `bytes` bytes that looks like H.264.
pub(crate) fn video(ms: u32, keyframe: bool, bytes: usize) -> MediaInput {
    let mut payload = BytesMut::new();
    payload.put_u32(u32::try_from(bytes).expect("small"));
    payload.put_u8(if keyframe { 0x65 } else { 0x41 });
    payload.put_bytes(0x5a, bytes - 1);
    MediaInput::Unit(AccessUnit {
        track: Track::Video,
        time: SourceTime::Rtmp(ms),
        composition_offset: MediaTime::ZERO,
        keyframe,
        payload: payload.freeze(),
    })
}

pub(crate) fn audio(ms: u32) -> MediaInput {
    MediaInput::Unit(AccessUnit {
        track: Track::Audio,
        time: SourceTime::Rtmp(ms),
        composition_offset: MediaTime::ZERO,
        keyframe: false,
        payload: Bytes::from_static(&[0x21; 200]),
    })
}

/// 25 pictures a second of 4000 bytes with a key frame each second, and 50 audio frames.
pub(crate) async fn play(publisher: &Publisher, from_ms: u32, to_ms: u32) {
    for ms in (from_ms..to_ms).step_by(40) {
        for input in [audio(ms), video(ms, ms % 1_000 == 0, 4_000), audio(ms + 20)] {
            publisher.send(input).await.expect("the connection lasts");
        }
    }
}

/// Sends both configs, then plays.
pub(crate) async fn begin(publisher: &Publisher, to_ms: u32) {
    for config in configs() {
        publisher.send(config).await.expect("the connection lasts");
    }
    play(publisher, 0, to_ms).await;
}
