//! A run of everything that writes, recorded, with what was acknowledged.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use livebucket::clock::{Clock, ManualClock, Wall};
use livebucket::live::registry::{LiveDeps, PublishRequest, Registry};
use livebucket::store::compaction::{CompactionBounds, Compactor};
use livebucket::store::digest::Crc64;
use livebucket::store::objects::{Digests, PutRequest, StoredBody};
use livebucket::store::recovery::{Collector, CollectorTimes};
use livebucket::store::seal::MasterKeys;
use livebucket::store::upload::PartRequest;
use livebucket::store::{
    Acl, BucketName, BucketRecord, ChannelConfig, ChannelName, CompleteCommit, ContentHeaders, DeleteOutcome,
    ExpectedObject, ObjectAttributes, ObjectKey, ObjectKind, ObjectRecord, PartChoice, StorageClass, StoreError,
    TerminationCause, UploadRecord, VersionId, VersionName, Versioning, WriteCondition,
};
use livebucket::task::Stop;
use serde::{Deserialize, Serialize};

use super::ledger::{Event, Ledger, Sight};
use super::media::{configs, play};
use super::store::{LIVE, Stores, object_words, part_name, upload_name};
use crate::chance::Chance;
use crate::tree::Tree;
use crate::watch::{Op, Watch};

/// Wall time at which every run begins.
pub const BEGIN: Wall = Wall(1_700_000_000_000);
/// Kept in the row itself.
const SMALL: usize = 1_000;
/// A blob that is as short as one can be.
const SHORT: usize = 32 * 1024 + 1;
/// A blob, written in one go.
const LARGE: usize = 40_000;
/// A blob that grows behind its writer.
const HUGE: usize = 300_000;

/// A run, to be crashed anywhere.
#[derive(Debug, Serialize, Deserialize)]
pub struct Recording {
    /// What happened in the watched directory.
    pub ops: Vec<Op>,
    /// What was acknowledged.
    pub ledger: Ledger,
    /// Wall time in milliseconds, and the record's length from which on it was that.
    pub walls: Vec<(usize, i64)>,
    /// The master key of a sealed run.
    pub master_key: Option<String>,
}

impl Recording {
    /// The master keys that its store needs.
    pub fn keys(&self) -> MasterKeys {
        keys(self.master_key.as_deref())
    }

    /// Wall time after so many steps.
    pub fn wall(&self, at: usize) -> Wall {
        self.walls.iter().rfind(|(from, _)| *from <= at).map_or(BEGIN, |(_, wall)| Wall(*wall))
    }
}

fn keys(master_key: Option<&str>) -> MasterKeys {
    master_key.map_or_else(MasterKeys::default, |key| MasterKeys::parse(key).expect("a valid key"))
}

/// Where the data directory lies in what is watched: its own name is as losable as any other.
pub fn data_in(root: &Path) -> PathBuf {
    root.join("data")
}

/// What is put into a store that was recovered.
pub const AFTER: &str = "after-recovery";

/// Puts an object of a blob into a recovered store.
pub async fn put_after(stores: &Stores, bucket: &BucketRecord) -> livebucket::store::Result<()> {
    let mut writer = stores.objects.writer(Digests::Md5AndCrc64);
    writer.write(Bytes::from(after_bytes())).await?;
    let body = writer.finish().await?;
    stores.objects.put(request(bucket, AFTER), body).await.map(drop)
}

/// That object in the words of a state.
pub fn after_words() -> (String, String) {
    (format!("object films/{AFTER}"), words(&after_bytes()))
}

fn after_bytes() -> Vec<u8> {
    vec![0x5a; LARGE]
}

/// Runs everything in `root`, which is empty.
pub async fn record(root: &Path, master_key: Option<&str>) -> Recording {
    let mut run = Run {
        watch: Watch::record(root),
        root: root.to_owned(),
        clock: ManualClock::new(BEGIN),
        keys: keys(master_key),
        ledger: Ledger::default(),
        walls: Vec::new(),
        chance: Chance::new(7),
    };
    run.first_life().await;
    run.second_life().await;
    run.ledger.events.sort_by_key(|event| event.acknowledged);
    Recording { ops: run.watch.ops(), ledger: run.ledger, walls: run.walls, master_key: master_key.map(str::to_owned) }
}

struct Run {
    watch: Watch,
    root: PathBuf,
    clock: ManualClock,
    keys: MasterKeys,
    ledger: Ledger,
    walls: Vec<(usize, i64)>,
    chance: Chance,
}

/// What a call answered, and when it was under way.
struct Answered<T> {
    value: T,
    begun: usize,
    acknowledged: usize,
}

type Changes = Vec<(String, Option<String>)>;

fn words(bytes: &[u8]) -> String {
    let mut crc = Crc64::new();
    crc.update(bytes);
    object_words(bytes.len() as u64, crc.value())
}

fn object_key(name: &str) -> ObjectKey {
    ObjectKey::new(name).expect("valid")
}

/// A put of this key.
pub fn request(bucket: &BucketRecord, key: &str) -> PutRequest {
    PutRequest {
        bucket: bucket.id,
        key: object_key(key),
        kind: ObjectKind::Normal,
        headers: ContentHeaders::default(),
        user_metadata: vec![("made-by".into(), Bytes::from_static(b"a test"))],
        tags: Vec::new(),
        storage_class: StorageClass::default(),
        attributes: ObjectAttributes::default(),
        acl: None,
        condition: WriteCondition::Always,
        expected_md5: None,
    }
}

/// A body that belongs to no object yet.
pub async fn stored(stores: &Stores, bytes: &[u8]) -> StoredBody {
    let mut writer = stores.objects.writer(Digests::Md5AndCrc64);
    for piece in bytes.chunks(70_000) {
        writer.write(Bytes::copy_from_slice(piece)).await.expect("taken");
    }
    writer.finish().await.expect("durable")
}

/// Puts an object.
pub async fn put(stores: &Stores, bucket: &BucketRecord, key: &str, bytes: &[u8]) -> ObjectRecord {
    let body = stored(stores, bytes).await;
    stores.objects.put(request(bucket, key), body).await.expect("put")
}

impl Run {
    /// Waits for an answer, and notes between which steps of the record it was under way.
    async fn ask<T>(watch: &Watch, call: impl Future<Output = T>) -> Answered<T> {
        let begun = watch.position();
        let value = call.await;
        Answered { value, begun, acknowledged: watch.position() }
    }

    fn acknowledged<T>(&mut self, answered: &Answered<T>, changes: Changes) {
        let Answered { begun, acknowledged, .. } = *answered;
        self.ledger.events.push(Event { begun, acknowledged, changes });
    }

    fn pass(&mut self, time: Duration) {
        self.clock.advance(time);
        self.walls.push((self.watch.position(), self.clock.wall().0));
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        self.chance.bytes(length)
    }

    /// What was recorded is what is there, and the ledger says what the store says.
    async fn compare(&self, stores: &Stores) {
        assert_eq!(stores.found().await.expect("readable").state, self.ledger.last_state());
        let (recorded, real) = self.at_rest();
        assert_eq!(recorded.directories, real.directories);
        assert_eq!(recorded.files.keys().collect::<Vec<_>>(), real.files.keys().collect::<Vec<_>>());
        for (path, bytes) in &real.files {
            assert!(&recorded.files[path] == bytes, "{path} was changed by a call that is not recorded");
        }
    }

    /// What was recorded and what is there, once nothing changes while both are read: a writer that was given up ends later.
    fn at_rest(&self) -> (Tree, Tree) {
        for _ in 0..10_000 {
            let ops = self.watch.ops();
            if let (Ok(real), true) = (Tree::try_read(&self.root), self.watch.position() == ops.len()) {
                return (Tree::of(&ops), real);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("it never rests");
    }

    async fn start(&self) -> Stores {
        Stores::start(&data_in(&self.root), self.clock.clone(), &self.keys).await.expect("a start")
    }

    /// From an empty directory to an orderly end.
    async fn first_life(&mut self) {
        let stores = self.start().await;
        let films = self.buckets(&stores).await;
        self.objects(&stores, &films).await;
        self.uploads(&stores, &films).await;
        self.versions(&stores).await;
        self.compare(&stores).await;
        self.fold_log();
        self.live(&stores, &films).await;
        self.cut_finely_and_compact(&stores, &films).await;
        self.collect(&stores).await;
        self.objects(&stores, &films).await;
        self.compare(&stores).await;
        stores.meta.close().await.expect("closed");
    }

    /// After a restart, to an end without one.
    async fn second_life(&mut self) {
        self.pass(Duration::from_secs(70));
        let stores = self.start().await;
        let films = self.bucket(&stores, "films").await;
        self.objects(&stores, &films).await;
        self.fold_log();
        self.live(&stores, &films).await;
        self.delete_all(&stores, &films).await;
        self.collect(&stores).await;
        self.compare(&stores).await;
        assert_eq!(stores.check().await, [""; 0]);
    }

    async fn bucket(&self, stores: &Stores, name: &str) -> Arc<BucketRecord> {
        let name = BucketName::new(name).expect("valid");
        stores.meta.bucket(&name).await.expect("readable").expect("made before")
    }

    /// Keys, buckets and a channel come, some go again.
    async fn buckets(&mut self, stores: &Stores) -> Arc<BucketRecord> {
        let now = self.clock.wall();
        let key = Self::ask(&self.watch, stores.meta.put_access_key("alice", "AK", "SK", now)).await;
        self.acknowledged(&key, vec![("key AK".into(), Some("enabled".into()))]);
        let account = key.value.expect("made").account;
        let other = Self::ask(&self.watch, stores.meta.put_access_key("alice", "OLD", "SK2", now)).await;
        self.acknowledged(&other, vec![("key OLD".into(), Some("enabled".into()))]);
        let disabled = Self::ask(&self.watch, stores.meta.disable_access_key("OLD")).await;
        self.acknowledged(&disabled, vec![("key OLD".into(), Some("disabled".into()))]);
        for name in ["films", "kept", "brief"] {
            let bucket_name = BucketName::new(name).expect("valid");
            let made = stores.meta.create_bucket(&bucket_name, account, Acl::Private, now);
            let made = Self::ask(&self.watch, made).await;
            self.acknowledged(&made, vec![(format!("bucket {name}"), Some("versions Never".into()))]);
        }
        let brief = self.bucket(stores, "brief").await;
        let deleted = Self::ask(&self.watch, stores.meta.delete_bucket(brief.id)).await;
        self.acknowledged(&deleted, vec![("bucket brief".into(), None)]);
        self.bucket(stores, "films").await
    }

    /// Objects of all sizes are put, replaced, copied, appended to and deleted, some at once.
    async fn objects(&mut self, stores: &Stores, films: &BucketRecord) {
        for (key, length) in [("empty", 0), ("small", SMALL), ("large", LARGE), ("huge", HUGE), ("large", LARGE + 513)]
        {
            let bytes = self.bytes(length);
            let made = Self::ask(&self.watch, put(stores, films, key, &bytes)).await;
            self.acknowledged(&made, vec![(format!("object films/{key}"), Some(words(&bytes)))]);
        }
        self.objects_at_once(stores, films).await;
        self.appends(stores, films).await;
        self.refused_and_abandoned(stores, films).await;
        let keys = ["at-once-0", "empty", "large"];
        let targets: Vec<ObjectKey> = keys.iter().map(|key| object_key(key)).collect();
        let deleted = Self::ask(&self.watch, stores.objects.delete(films.id, &targets)).await;
        self.acknowledged(&deleted, keys.map(|key| (format!("object films/{key}"), None)).to_vec());
    }

    async fn objects_at_once(&mut self, stores: &Stores, films: &BucketRecord) {
        let large = stores.meta.object(films.id, &object_key("large")).await.expect("readable").expect("put before");
        let bodies = [self.bytes(LARGE), self.bytes(SMALL), self.bytes(LARGE + 5)];
        let watch = &self.watch;
        let (a, b, c, copied) = tokio::join!(
            Self::ask(watch, put(stores, films, "at-once-0", &bodies[0])),
            Self::ask(watch, put(stores, films, "at-once-1", &bodies[1])),
            Self::ask(watch, put(stores, films, "at-once-2", &bodies[2])),
            Self::ask(watch, stores.objects.copy(&large, request(films, "copy"))),
        );
        for (number, (made, bytes)) in [a, b, c].iter().zip(&bodies).enumerate() {
            self.acknowledged(made, vec![(format!("object films/at-once-{number}"), Some(words(bytes)))]);
        }
        let copy_words = object_words(large.size, large.crc64);
        copied.value.as_ref().expect("copied");
        self.acknowledged(&copied, vec![("object films/copy".into(), Some(copy_words))]);
    }

    async fn appends(&mut self, stores: &Stores, films: &BucketRecord) {
        let key = format!("log-{}", self.clock.wall().0);
        let mut whole = Vec::new();
        for length in [LARGE, SMALL, SMALL, LARGE] {
            let position = whole.len() as u64;
            let bytes = self.bytes(length);
            whole.extend_from_slice(&bytes);
            let append = async {
                let body = stored(stores, &bytes).await;
                stores.objects.append(request(films, &key), position, body).await.expect("appended")
            };
            let appended = Self::ask(&self.watch, append).await;
            self.acknowledged(&appended, vec![(format!("object films/{key}"), Some(words(&whole)))]);
        }
    }

    /// What comes to nothing leaves nothing.
    async fn refused_and_abandoned(&mut self, stores: &Stores, films: &BucketRecord) {
        let bytes = self.bytes(LARGE);
        let body = stored(stores, &bytes).await;
        let refused = PutRequest { expected_md5: Some([0; 16]), ..request(films, "small") };
        assert_eq!(stores.objects.put(refused, body).await.expect_err("refused"), StoreError::DigestMismatch);
        let mut abandoned = stores.objects.writer(Digests::Crc64);
        abandoned.write(Bytes::from(self.bytes(HUGE))).await.expect("taken");
        drop(abandoned);
        drop(stored(stores, &bytes).await);
    }

    async fn begin(&mut self, stores: &Stores, films: &BucketRecord, key: &str) -> UploadRecord {
        let begun = Self::ask(&self.watch, stores.objects.uploads().begin(request(films, key), None)).await;
        let upload = begun.value.as_ref().expect("begun").clone();
        self.acknowledged(&begun, vec![(upload_name("films", key, upload.id), Some("open".into()))]);
        upload
    }

    async fn part(&mut self, stores: &Stores, upload: &UploadRecord, number: u32, length: usize) -> Vec<u8> {
        let bytes = self.bytes(length);
        let part = async {
            let body = stored(stores, &bytes).await;
            stores.objects.uploads().put_part(part_request(upload, number), body).await.expect("an open upload")
        };
        let done = Self::ask(&self.watch, part).await;
        let name = part_name("films", &upload.key.to_string(), upload.id, number);
        self.acknowledged(&done, vec![(name, Some(words(&bytes)))]);
        bytes
    }

    async fn complete(&mut self, stores: &Stores, upload: &UploadRecord, parts: &[(u32, Vec<u8>)]) {
        let commit = CompleteCommit {
            bucket: upload.bucket,
            key: upload.key.clone(),
            upload: upload.id,
            parts: PartChoice::All,
            part_bytes_min: 0,
            condition: WriteCondition::Always,
            version: None,
            expected: ExpectedObject::default(),
        };
        let done = Self::ask(&self.watch, stores.objects.uploads().complete(commit)).await;
        done.value.as_ref().expect("completed");
        let key = upload.key.to_string();
        let whole: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let mut changes: Changes =
            parts.iter().map(|(number, _)| (part_name("films", &key, upload.id, *number), None)).collect();
        changes.push((upload_name("films", &key, upload.id), None));
        changes.push((format!("object films/{key}"), Some(words(&whole))));
        self.acknowledged(&done, changes);
    }

    /// One upload is completed, one aborted, one stays open.
    async fn uploads(&mut self, stores: &Stores, films: &BucketRecord) {
        let upload = self.begin(stores, films, "parts").await;
        let first = self.part(stores, &upload, 1, LARGE).await;
        self.part(stores, &upload, 2, LARGE).await;
        let second = self.part(stores, &upload, 2, SMALL).await;
        let third = self.part(stores, &upload, 3, HUGE).await;
        self.complete(stores, &upload, &[(1, first), (2, second), (3, third)]).await;

        let aborted = self.begin(stores, films, "aborted").await;
        self.part(stores, &aborted, 1, LARGE).await;
        let uploads = stores.objects.uploads();
        let abort = uploads.abort(films.id, &aborted.key, aborted.id);
        let done = Self::ask(&self.watch, abort).await;
        let names = [part_name("films", "aborted", aborted.id, 1), upload_name("films", "aborted", aborted.id)];
        self.acknowledged(&done, names.map(|name| (name, None)).to_vec());

        let open = self.begin(stores, films, "open").await;
        self.part(stores, &open, 7, LARGE).await;
        let source = stores.meta.object(films.id, &object_key("huge")).await.expect("readable").expect("put before");
        let copied = uploads.copy_part(part_request(&open, 8), &source, 100..50_100, None);
        let copied = Self::ask(&self.watch, copied).await;
        let summary = *copied.value.as_ref().expect("copied");
        let change = (part_name("films", "open", open.id, 8), Some(object_words(summary.size, summary.crc64)));
        self.acknowledged(&copied, vec![change]);
    }

    async fn set_versioning(&mut self, stores: &Stores, kept: &BucketRecord, versioning: Versioning) {
        let set = Self::ask(&self.watch, stores.meta.set_bucket_versioning(kept.id, versioning)).await;
        self.acknowledged(&set, vec![("bucket kept".into(), Some(format!("versions {versioning:?}")))]);
    }

    async fn put_version(&mut self, stores: &Stores, kept: &BucketRecord, length: usize, more: Changes) -> String {
        let bytes = self.bytes(length);
        let made = Self::ask(&self.watch, put(stores, kept, "k", &bytes)).await;
        let mut changes = vec![("object kept/k".to_owned(), Some(words(&bytes)))];
        changes.extend(made.value.version.map(|id| (version_name(id), Some(words(&bytes)))));
        changes.extend(more);
        self.acknowledged(&made, changes);
        made.value.version.map_or("version kept/k@null".to_owned(), version_name)
    }

    /// Versions come and go: named, null, markers.
    async fn versions(&mut self, stores: &Stores) {
        let kept = self.bucket(stores, "kept").await;
        self.set_versioning(stores, &kept, Versioning::Enabled).await;
        let kept = self.bucket(stores, "kept").await;
        let first = self.put_version(stores, &kept, LARGE, Vec::new()).await;
        let second = self.put_version(stores, &kept, SMALL, Vec::new()).await;
        let second_words = self.ledger.last_state()[&second].clone();
        let deleted = Self::ask(&self.watch, stores.objects.delete(kept.id, &[object_key("k")])).await;
        let outcome = deleted.value.as_ref().expect("deleted")[0];
        let DeleteOutcome::MarkerMade(Some(marker)) = outcome else { panic!("{outcome:?}") };
        let changes = vec![("object kept/k".into(), None), (version_name(marker), Some("delete marker".to_owned()))];
        self.acknowledged(&deleted, changes);
        for (version, then) in
            [(first, None), (version_name(marker), Some(("object kept/k".to_owned(), Some(second_words))))]
        {
            let id = VersionId::parse(version.rsplit('@').next().expect("an identity")).expect("an identity");
            let target = vec![(object_key("k"), Some(VersionName::Id(id)))];
            let removed = Self::ask(&self.watch, stores.objects.delete_versions(kept.id, target, false)).await;
            let mut changes = vec![(version, None)];
            changes.extend(then);
            self.acknowledged(&removed, changes);
        }
        self.set_versioning(stores, &kept, Versioning::Suspended).await;
        let kept = self.bucket(stores, "kept").await;
        self.put_version(stores, &kept, LARGE, Vec::new()).await;
        let null_words = self.ledger.last_state()["object kept/k"].clone();
        self.set_versioning(stores, &kept, Versioning::Enabled).await;
        let kept = self.bucket(stores, "kept").await;
        self.put_version(stores, &kept, LARGE, vec![("version kept/k@null".into(), Some(null_words))]).await;
    }

    /// Folds the log into the database beside the writer, which then begins the log anew: what SQLite does by itself once
    /// the log is long.
    fn fold_log(&self) {
        let connection = rusqlite::Connection::open(data_in(&self.root).join("meta.db")).expect("opened");
        connection.pragma_update(None, "synchronous", "FULL").expect("set");
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        let (log, folded) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], row).expect("folded");
        assert!(log > 0 && log == folded, "{folded} of {log} frames");
    }

    /// An object of many short pieces is written anew.
    async fn cut_finely_and_compact(&mut self, stores: &Stores, films: &BucketRecord) {
        let upload = self.begin(stores, films, "fine").await;
        let mut parts = Vec::new();
        for number in 1..=34 {
            parts.push((number, self.part(stores, &upload, number, SHORT).await));
        }
        self.complete(stores, &upload, &parts).await;
        let (meta, objects, clock) = (stores.meta.clone(), stores.objects.clone(), Arc::new(stores.clock.clone()));
        let mut compactor = Compactor::new(meta, objects, clock, CompactionBounds::default());
        assert_eq!(compactor.round(&Stop::new()).await.expect("a round").objects, 1);
    }

    /// Time passes, garbage goes, and what nobody names.
    async fn collect(&mut self, stores: &Stores) {
        let collector = Collector::new(
            stores.meta.clone(),
            stores.blobs.clone(),
            stores.objects.in_flight().clone(),
            Arc::new(stores.clock.clone()),
            CollectorTimes::default(),
        );
        let stop = Stop::new();
        self.pass(Duration::from_secs(700));
        assert!(collector.settle().await.expect("settled") > 0, "a body was dropped without an answer");
        self.pass(Duration::from_secs(5 * 3600));
        assert!(collector.collect(&stop).await.expect("collected") > 0);
        assert!(!collector.sweep(&stop).await.expect("swept").unfinished);
        self.pass(Duration::from_secs(70));
    }

    async fn delete_all(&mut self, stores: &Stores, films: &BucketRecord) {
        let keys: Vec<String> = self
            .ledger
            .last_state()
            .keys()
            .filter_map(|name| name.strip_prefix("object films/").map(str::to_owned))
            .collect();
        let targets: Vec<ObjectKey> = keys.iter().map(|key| object_key(key)).collect();
        let deleted = Self::ask(&self.watch, stores.objects.delete(films.id, &targets)).await;
        self.acknowledged(&deleted, keys.iter().map(|key| (format!("object films/{key}"), None)).collect());
    }

    /// Two connections, the second after the first was lost; a user deletes a fragment between them.
    async fn live(&mut self, stores: &Stores, films: &BucketRecord) {
        let channel = ChannelName::new(LIVE.1).expect("valid");
        if stores.meta.channel(films.id, &channel).await.expect("readable").is_none() {
            let made = stores.meta.put_channel(films.id, &channel, channel_config(), true, self.clock.wall());
            let made = Self::ask(&self.watch, made).await;
            made.value.as_ref().expect("made");
            let change = (format!("channel films/{channel}"), Some("Enabled, 3 fragments".to_owned()));
            self.acknowledged(&made, vec![change]);
        }
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let deps = LiveDeps { meta: stores.meta.clone(), objects: stores.objects.clone(), clock };
        let registry = Registry::new(deps);
        // Pictures of 2 kB make fragments that are blobs, of 200 bytes such that are kept inline.
        for (picture, cause) in [(2_000, TerminationCause::ConnectionLost), (200, TerminationCause::Unpublished)] {
            let publisher = registry.publish(publish_request(films, &channel)).await.expect("the channel is free");
            for config in configs() {
                publisher.send(config).await.expect("it lasts");
            }
            for second in 0..4 {
                let bytes = self.bytes(LARGE);
                let beside = Self::ask(&self.watch, put(stores, films, "beside", &bytes));
                let ((), beside) = tokio::join!(play(&publisher, second * 1_000, picture), beside);
                self.acknowledged(&beside, vec![("object films/beside".into(), Some(words(&bytes)))]);
                self.pass(Duration::from_secs(1));
                self.look(stores).await;
            }
            publisher.finish(cause).await;
            self.look(stores).await;
            let seen = self.ledger.sights.last().expect("just seen");
            let oldest = seen.fragments.keys().next().expect("some").clone();
            let key = object_key(oldest.strip_prefix("object films/").expect("of this bucket"));
            let deleted = Self::ask(&self.watch, stores.objects.delete(films.id, &[key])).await;
            self.acknowledged(&deleted, vec![(oldest, None)]);
        }
        registry.stop().await;
    }

    /// What a player sees now. Whatever is being committed meanwhile is seen the next time.
    async fn look(&mut self, stores: &Stores) {
        let found = stores.found().await.expect("readable");
        let Some(playlist) = found.playlist else { return };
        self.ledger.sights.push(Sight { at: self.watch.position(), playlist, fragments: found.fragments });
    }
}

fn version_name(id: VersionId) -> String {
    format!("version kept/k@{id}")
}

fn part_request(upload: &UploadRecord, number: u32) -> PartRequest {
    PartRequest {
        bucket: upload.bucket,
        key: upload.key.clone(),
        upload: upload.id,
        number,
        expected_md5: None,
        checksum: None,
    }
}

fn channel_config() -> ChannelConfig {
    ChannelConfig { frag_duration: 1, ..ChannelConfig::default() }
}

fn publish_request(bucket: &BucketRecord, channel: &ChannelName) -> PublishRequest {
    PublishRequest {
        bucket: bucket.clone(),
        channel: channel.clone(),
        playlist_name: None,
        remote_addr: "192.0.2.1:50000".into(),
        access_key_id: Some("AK".into()),
    }
}
