//! Everybody else: those who manage channels, viewers, vandals, the weather and the clock.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use livebucket::clock::Wall;
use livebucket::codec::m3u8::Playlist;
use livebucket::limits;
use livebucket::live::registry::Registry;
use livebucket::live::vod::vod_playlist;
use livebucket::store::objects::{Digests, ObjectBody, ObjectService};
use livebucket::store::{
    BucketRecord, ChannelConfig, ChannelName, ChannelStatus, MetaStore, ObjectKey, ObjectRecord, Result, StoreError,
    TerminationCause,
};

use crate::chance::Chance;
use crate::client::put_request;
use crate::publisher::OnAir;
use crate::world::{Weather, World};

/// What an actor knows of the process that serves it.
#[derive(Clone)]
pub struct Service {
    pub world: Arc<World>,
    pub meta: Arc<dyn MetaStore>,
    pub objects: ObjectService,
    pub registry: Arc<Registry>,
    pub buckets: Vec<Arc<BucketRecord>>,
}

/// Names of channels; each bucket may have each.
pub const CHANNELS: [&str; 2] = ["ch", "cam"];

/// Settings of a channel.
pub fn settings(chance: &mut Chance) -> ChannelConfig {
    ChannelConfig {
        description: String::new(),
        display_name: None,
        status: ChannelStatus::Enabled,
        frag_duration: *chance.pick(&[1, 1, 1, 2, 3]),
        frag_count: *chance.pick(&[1, 2, 3, 3, 5]),
        playlist_name: (*chance.pick(&["playlist.m3u8", "playlist.m3u8", "other.m3u8"])).into(),
        snapshot: None,
    }
}

impl Service {
    fn target(&self, chance: &mut Chance) -> (Arc<BucketRecord>, ChannelName) {
        let bucket = chance.pick(&self.buckets).clone();
        let name: &str = CHANNELS[chance.below(CHANNELS.len())];
        (bucket, ChannelName::new(name).expect("valid"))
    }

    /// Puts, disables, deletes channels, makes recordings; as the handlers of these operations do.
    pub async fn manage(self, mut chance: Chance) {
        while !self.world.is_quiet() {
            self.world.sleep_ms(chance.below(8_000)).await;
            let (bucket, channel) = self.target(&mut chance);
            let now = self.world.wall();
            let done = match chance.below(10) {
                0..=2 => {
                    let config = settings(&mut chance);
                    self.meta.put_channel(bucket.id, &channel, config, false, now).await.map(drop)
                }
                3 | 4 => {
                    let set = self.meta.set_channel_status(bucket.id, &channel, ChannelStatus::Disabled, now).await;
                    if set.is_ok() {
                        self.registry.disconnect(bucket.id, &channel, TerminationCause::Disabled);
                    }
                    self.world.sleep_ms(chance.below(3_000)).await;
                    self.meta.set_channel_status(bucket.id, &channel, ChannelStatus::Enabled, now).await
                }
                5 => {
                    let deleted = self.meta.delete_channel(bucket.id, &channel).await;
                    self.world.say(format_args!("channel {channel} is deleted: {deleted:?}"));
                    let config = settings(&mut chance);
                    self.meta.put_channel(bucket.id, &channel, config, true, now).await.map(drop)
                }
                6 => self.take_over().await,
                _ => self.record(&bucket, &channel).await,
            };
            if done.is_ok() {
                self.world.count("channels managed");
            }
        }
    }

    /// Another process believes that this one is dead, and takes its channels.
    async fn take_over(&self) -> Result<()> {
        let lost = self.meta.end_lost_connections().await?;
        if lost > 0 {
            self.world.count("takeovers");
        }
        Ok(())
    }

    /// PostVodPlaylist.
    async fn record(&self, bucket: &BucketRecord, channel: &ChannelName) -> Result<()> {
        let fragments = self.meta.fragments(bucket.id, channel, 0, i64::MAX).await?;
        let Some(playlist) = vod_playlist(&fragments) else { return Ok(()) };
        let mut writer = self.objects.writer(Digests::Md5AndCrc64);
        writer.write(Bytes::from(playlist.render())).await?;
        let body = writer.finish().await?;
        let key = ObjectKey::in_channel(channel, "recording.m3u8");
        self.objects.put(put_request(bucket.id, key), body).await?;
        self.world.count("recordings");
        Ok(())
    }

    /// Deletes fragments and playlists, writes over them, and takes names that fragments will want.
    pub async fn vandalise(self, mut chance: Chance) {
        while !self.world.is_quiet() {
            self.world.sleep_ms(500 + chance.below(10_000)).await;
            let (bucket, channel) = self.target(&mut chance);
            let Ok(fragments) = self.meta.fragments(bucket.id, &channel, 0, i64::MAX).await else { continue };
            let wall = self.world.wall().0;
            let name = match chance.below(10) {
                0..=5 if !fragments.is_empty() => format!("{}.ts", chance.pick(&fragments).name_ms),
                6 => "playlist.m3u8".into(),
                // Names that fragments will soon want: media is taken at ticks of a tenth of a second.
                _ => format!("{}.ts", (wall / 100 + 1 + chance.below(20) as i64) * 100),
            };
            let key = ObjectKey::in_channel(&channel, &name);
            let exists = name == "playlist.m3u8" || fragments.iter().any(|f| name == format!("{}.ts", f.name_ms));
            let done = if exists && chance.percent(70) {
                self.objects.delete(bucket.id, &[key]).await.map(drop)
            } else {
                let bytes = 10 + chance.below(1_000);
                self.write(&bucket, key, chance.bytes(bytes)).await
            };
            if done.is_ok() {
                self.world.count("vandalism");
            }
        }
    }

    async fn write(&self, bucket: &BucketRecord, key: ObjectKey, bytes: Vec<u8>) -> Result<()> {
        let mut writer = self.objects.writer(Digests::Md5AndCrc64);
        writer.write(bytes.into()).await?;
        let body = writer.finish().await?;
        self.objects.put(put_request(bucket.id, key), body).await.map(drop)
    }

    /// Writes what a lifecycle rule will take: it is there until then, and never comes back.
    pub async fn write_briefly(self, mut chance: Chance) {
        let bucket = self.buckets[0].clone();
        let key = |number: usize| ObjectKey::new(format!("brief/{number}")).expect("short");
        let due = crate::world::BEGIN.midnight_from();
        let mut written: Vec<ObjectKey> = Vec::new();
        while !self.world.is_quiet() {
            self.world.sleep_ms(1_000 + chance.below(8_000)).await;
            let (number, length) = (self.world.below(1_000_000_000), chance.below(40_000));
            if self.write(&bucket, key(number), chance.bytes(length)).await.is_ok() {
                written.push(key(number));
            }
            for key in &written {
                let found = self.meta.object(bucket.id, key).await;
                // What was due once may still be on its way out when the clock is set back.
                let furthest =
                    Wall(self.world.wall().0 + i64::try_from(self.world.behind().as_millis()).expect("hours"));
                let is_early = furthest < due && self.world.leaps() == 0;
                assert!(!is_early || !matches!(found, Ok(None)), "{key} is gone before its time");
            }
        }
    }

    /// Holds a playlist and reads what it names as slowly as is allowed: all of it is there, unless a user took it.
    pub async fn watch(self, mut chance: Chance) {
        // The last view goes on when all is quiet.
        while !self.world.is_quiet() {
            self.world.sleep_ms(chance.below(5_000)).await;
            let (bucket, channel) = self.target(&mut chance);
            // Slow enough that the sum stays below what a read may last.
            let pause = if chance.percent(30) { Duration::from_secs(600) } else { Duration::from_millis(300) };
            if self.view(&bucket, &channel, pause).await.is_ok() {
                self.world.count("playlists viewed");
            }
        }
    }

    async fn view(&self, bucket: &BucketRecord, channel: &ChannelName, pause: Duration) -> Result<()> {
        let key = ObjectKey::in_channel(channel, "playlist.m3u8");
        let Some(object) = self.meta.object(bucket.id, &key).await? else { return Ok(()) };
        let (leaps, body) = (self.world.leaps(), self.objects.read(&object, 0..object.size));
        let text = self.whole(&object, body, leaps, Duration::ZERO).await?;
        if self.world.oracle().is_users(bucket.id, &key) {
            return Ok(());
        }
        // What was looked up before a user wrote it over is still what the service wrote.
        let Ok(playlist) = Playlist::parse(std::str::from_utf8(&text).unwrap_or_default()) else { return Ok(()) };
        let mut held = Vec::new();
        for segment in &playlist.segments {
            let key = ObjectKey::in_channel(channel, &segment.uri);
            match self.meta.object(bucket.id, &key).await? {
                // All are opened now, and read one after the other within the time that a read may take.
                Some(object) => held.push((self.objects.read(&object, 0..object.size), object)),
                None => {
                    let by_user = self.world.oracle().is_users(bucket.id, &key);
                    assert!(by_user, "I4: the playlist names {key}, which is gone");
                }
            }
        }
        for (body, object) in held {
            self.whole(&object, body, leaps, pause).await?;
        }
        Ok(())
    }

    /// Reads a body to its end; the wall clock had leapt so often when it was opened.
    async fn whole(&self, object: &ObjectRecord, mut body: ObjectBody, leaps: u64, pause: Duration) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            match body.next().await {
                Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                Ok(None) => break,
                Err(StoreError::Unavailable(_)) => return Err(StoreError::Unavailable("the weather".into())),
                // A wall clock that leapt past the grace takes the bytes from whoever still reads.
                Err(_) if self.world.leaps() != leaps => return Err(StoreError::Unavailable("a leap".into())),
                Err(error) => panic!("I3: {} is not whole: {error}", object.key),
            }
            if !pause.is_zero() {
                self.world.sleep(pause).await;
            }
        }
        assert_eq!(bytes.len() as u64, object.size, "I3: {} is cut short", object.key);
        let crc64 = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Xz, &bytes);
        assert_eq!(crc64, object.crc64, "I3: {} is not what was committed", object.key);
        Ok(bytes)
    }

    /// While the metadata is stalled, a publisher is read only as far as the queues between reach.
    pub async fn measure(self, on_air: OnAir) {
        loop {
            let before = on_air.meters();
            let commits = self.world.oracle().fragments();
            self.world.sleep(Duration::from_secs(20)).await;
            if self.world.oracle().fragments() != commits {
                continue;
            }
            // Nothing was committed for this long, so whatever was taken waits in memory, or in the files of fragments that
            // wait for their commit.
            for (meter, taken) in before {
                let more = meter.taken() - taken;
                assert!(more <= taken_max(), "a publisher was read by {more} bytes while nothing was committed");
            }
        }
    }
}

/// Bytes that may be read of one socket while nothing is committed: what waits for the owner, what it has open, and what is
/// closed and waits for its commit.
fn taken_max() -> u64 {
    let message = 1024 * 1024;
    let waiting = (limits::STEPS_WAITING_MAX * (limits::PIECE_BYTES_MAX + 16 * 1024)) as u64;
    // Seven seconds of the largest of these streams; as many as may be lost in a row, besides those that wait.
    let fragment = 1024 * 1024;
    waiting + fragment * (limits::FRAGMENTS_WAITING as u64 + 2 + u64::from(limits::FAILED_FRAGMENTS_MAX)) + message
}

/// Changes the weather as long as actors are about.
pub async fn weather(world: Arc<World>, mut chance: Chance, climate: Vec<Weather>) {
    while !world.is_quiet() {
        let next = *chance.pick(&climate);
        world.set_weather(next);
        // The worse it is the shorter it lasts.
        let lasts = if matches!(next.name, "storm" | "frost") { 4_000 } else { 15_000 };
        world.sleep_ms(500 + chance.below(lasts)).await;
    }
    world.set_weather(Weather::DRIZZLE);
}

/// Sets the wall clock now and then, as NTP and operators do.
pub async fn skew(world: Arc<World>, mut chance: Chance) {
    while !world.is_quiet() {
        world.sleep_ms(3_000 + chance.below(40_000)).await;
        let step = match chance.below(12) {
            0 => -3_600_000,
            1 => 86_400_000,
            2..=6 => -(chance.below(5_000) as i64),
            _ => chance.below(5_000) as i64,
        };
        world.step_wall(step);
        world.count("clock steps");
    }
}
