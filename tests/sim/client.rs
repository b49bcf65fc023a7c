//! Clients of the object service, each with keys of its own and a model of what they must hold.
//!
//! An acknowledged operation has happened, a refused one has not; one without an answer has happened wholly or not at all,
//! and a look at the disk says which.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use livebucket::clock::timeout;
use livebucket::store::objects::{Digests, ObjectService, PutRequest, StoredBody};
use livebucket::store::upload::PartRequest;
use livebucket::store::*;

use crate::chance::Chance;
use crate::world::World;

/// A plain put.
pub fn put_request(bucket: BucketId, key: ObjectKey) -> PutRequest {
    PutRequest {
        bucket,
        key,
        kind: ObjectKind::Normal,
        headers: ContentHeaders::default(),
        user_metadata: Vec::new(),
        tags: Vec::new(),
        storage_class: StorageClass::default(),
        attributes: ObjectAttributes::default(),
        acl: None,
        condition: WriteCondition::Always,
        expected_md5: None,
    }
}

/// What tells one content from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    size: u64,
    crc64: u64,
}

impl Content {
    fn of(bytes: &[u8]) -> Content {
        let crc64 = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Xz, bytes);
        Content { size: bytes.len() as u64, crc64 }
    }
}

/// One version of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    /// `None`: nobody has said it yet.
    id: Option<Option<VersionId>>,
    /// `None`: a delete marker.
    content: Option<Content>,
    appendable: bool,
    held: bool,
}

impl Version {
    fn matches(&self, truth: &Version) -> bool {
        let same = (self.content, self.appendable, self.held) == (truth.content, truth.appendable, truth.held);
        same && (self.id.is_none() || self.id == truth.id)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Upload {
    /// `None`: nobody has said it yet.
    id: Option<UploadId>,
    key: String,
    parts: BTreeMap<u32, Content>,
}

impl Upload {
    fn matches(&self, truth: &Upload) -> bool {
        (&self.key, &self.parts) == (&truth.key, &truth.parts) && (self.id.is_none() || self.id == truth.id)
    }
}

/// The keys of one client: of each what it is made of, the newest first; none is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    keys: BTreeMap<String, Vec<Version>>,
    uploads: Vec<Upload>,
}

impl Model {
    fn current(&self, key: &str) -> Option<&Version> {
        self.keys.get(key)?.first().filter(|version| version.content.is_some())
    }

    /// A new version on top, or in place of what there is.
    fn put(&mut self, key: &str, version: Version, keeps_versions: bool) {
        let history = self.keys.entry(key.to_owned()).or_default();
        if !keeps_versions {
            history.clear();
        }
        history.insert(0, version);
    }

    fn matches(&self, truth: &Model) -> bool {
        let same_keys = self.keys.keys().eq(truth.keys.keys());
        let same_versions = self.keys.values().zip(truth.keys.values()).all(|(mine, true_ones)| {
            mine.len() == true_ones.len() && mine.iter().zip(true_ones).all(|(mine, truth)| mine.matches(truth))
        });
        let known = |upload: &Upload| truth.uploads.iter().any(|truth| upload.matches(truth));
        same_keys && same_versions && self.uploads.len() == truth.uploads.len() && self.uploads.iter().all(known)
    }
}

/// What outlives the client's process: its bucket, its model, and what may have become of it.
#[derive(Debug)]
pub struct Memory {
    prefix: String,
    bucket: BucketId,
    keeps_versions: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    model: Model,
    /// The operation under way, and the model if it is carried out.
    pending: Option<(String, Model)>,
}

impl Memory {
    pub fn new(number: usize, bucket: BucketId, keeps_versions: bool) -> Arc<Memory> {
        Arc::new(Memory { prefix: format!("c{number}/"), bucket, keeps_versions, state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The disk agrees with the model; an operation without an answer was carried out, or was not.
    pub fn settle(&self, world: &World) {
        let truth = self.truth(world);
        let mut state = self.lock();
        let pending = state.pending.take();
        let State { model, .. } = &mut *state;
        let after = pending.as_ref().map(|(_, after)| after);
        if !model.matches(&truth) && !after.is_some_and(|after| after.matches(&truth)) {
            let what = pending.as_ref().map(|(what, _)| what);
            panic!(
                "{}: the disk has\n{truth:#?}\ninstead of\n{model:#?}\nor, after {what:?},\n{after:#?}",
                self.prefix
            );
        }
        *model = truth;
    }

    /// An answer that proves what has happened.
    fn answered(&self, world: &World, done: bool) {
        {
            let mut state = self.lock();
            let (what, after) = state.pending.take().expect("an operation is under way");
            if done {
                state.model = after;
            }
            state.pending = Some((what, state.model.clone()));
        }
        self.settle(world);
    }

    /// What the disk has under this client's keys.
    fn truth(&self, world: &World) -> Model {
        self.read(world).now_or_never().expect("the disk never waits")
    }

    async fn read(&self, world: &World) -> Model {
        let (disk, bucket) = (&world.meta, self.bucket);
        let prefix = self.prefix.clone().into_bytes();
        let mut model = Model::default();
        let query = VersionsQuery { prefix: prefix.clone(), limit: 100_000, ..VersionsQuery::default() };
        for entry in disk.list_versions(bucket, &query).await.expect("the disk is sound").entries {
            let (key, id, is_latest) = match &entry {
                VersionEntry::Object { summary, version, is_latest } => (&summary.key, *version, *is_latest),
                VersionEntry::Marker { key, marker, is_latest } => (key, marker.version, *is_latest),
                VersionEntry::Prefix(_) => unreachable!("nothing is rolled up"),
            };
            let found = disk.object_version(bucket, key, Some(id.into())).await.expect("the disk is sound");
            let current = disk.object(bucket, key).await.expect("the disk is sound");
            let version = match found.unwrap_or_else(|| panic!("I12: {key} lists {id:?} and has it not")) {
                Versioned::Object(object) => {
                    let is_current = current.as_ref() == Some(&*object);
                    assert_eq!(is_current, is_latest, "I12: of {key} the newest version is the current object");
                    Version {
                        id: Some(id),
                        content: Some(Content { size: object.size, crc64: object.crc64 }),
                        appendable: object.kind == ObjectKind::Appendable,
                        held: object.attributes.legal_hold == Some(true),
                    }
                }
                Versioned::Marker(_) => {
                    assert!(!is_latest || current.is_none(), "I12: {key} has a marker on top and an object");
                    Version { id: Some(id), content: None, appendable: false, held: false }
                }
            };
            model.keys.entry(key.to_string()).or_default().push(version);
        }
        let query = UploadsQuery { prefix, limit: 100_000, ..UploadsQuery::default() };
        for entry in disk.list_uploads(bucket, &query).await.expect("the disk is sound").entries {
            let UploadEntry::Upload(upload) = entry else { unreachable!("nothing is rolled up") };
            let parts = disk.list_parts(bucket, &upload.key, upload.id, 0, 100_000).await.expect("it is open");
            let parts = parts.entries.iter().map(|p| (p.number, Content { size: p.size, crc64: p.crc64 })).collect();
            model.uploads.push(Upload { id: Some(upload.id), key: upload.key.to_string(), parts });
        }
        model
    }
}

/// One client, as long as its process lives.
pub struct Client {
    pub world: Arc<World>,
    pub meta: Arc<dyn MetaStore>,
    pub objects: ObjectService,
    pub memory: Arc<Memory>,
    pub chance: Chance,
}

impl Client {
    pub async fn run(mut self) {
        while !self.world.is_quiet() {
            let pause = self.chance.below(3_000);
            self.world.sleep_ms(pause).await;
            self.step().await;
        }
    }

    async fn step(&mut self) {
        match self.chance.below(100) {
            0..=24 => self.put().await,
            25..=39 => self.append().await,
            40..=49 => self.copy().await,
            50..=61 => self.delete().await,
            62..=69 => self.delete_version().await,
            70..=77 => self.hold().await,
            78..=97 => self.upload().await,
            _ => self.cut_finely().await,
        }
    }

    fn key(&mut self) -> String {
        format!("{}{}", self.memory.prefix, self.chance.pick(&["a", "b", "c", "d"]))
    }

    fn object_key(key: &str) -> ObjectKey {
        ObjectKey::new(key).expect("short")
    }

    fn request(&self, key: &str) -> PutRequest {
        put_request(self.memory.bucket, Self::object_key(key))
    }

    fn model(&self) -> Model {
        self.memory.lock().model.clone()
    }

    fn bytes(&mut self) -> Bytes {
        let length = match self.chance.below(10) {
            0 => 0,
            1..=5 => 1 + self.chance.below(2_000),
            6 => 32 * 1024 + self.chance.below(3) - 1,
            _ => 33_000 + self.chance.below(8_000),
        };
        self.chance.bytes(length).into()
    }

    /// Does something that leads to `after`, for as long as this client is patient, and believes the answer: `refused` says
    /// which errors may come instead, and then nothing has changed.
    async fn attempt<T>(
        &mut self,
        what: String,
        after: Model,
        work: impl Future<Output = Result<T>>,
        refused: impl Fn(&StoreError) -> bool,
    ) -> Option<T> {
        self.world.say(format_args!("{what} begins"));
        self.memory.lock().pending = Some((what.clone(), after));
        let patience = Duration::from_millis(*self.chance.pick(&[300, 5_000, 60_000, 300_000]));
        let answer = timeout(&self.world.clock, patience, work).await;
        match answer {
            Ok(Ok(value)) => {
                self.memory.answered(&self.world, true);
                self.world.count("operations done");
                Some(value)
            }
            Ok(Err(StoreError::Unavailable(_))) | Err(_) => {
                self.memory.settle(&self.world);
                self.world.count("operations without an answer");
                None
            }
            Ok(Err(error)) => {
                assert!(refused(&error), "{what}: {error}");
                self.memory.answered(&self.world, false);
                self.world.count("operations refused");
                None
            }
        }
    }

    async fn store(objects: &ObjectService, bytes: Bytes) -> Result<StoredBody> {
        let mut writer = objects.writer(Digests::Md5AndCrc64);
        writer.write(bytes).await?;
        writer.finish().await
    }

    async fn put(&mut self) {
        let (key, bytes, mut after) = (self.key(), self.bytes(), self.model());
        let version = Version { id: None, content: Some(Content::of(&bytes)), appendable: false, held: false };
        after.put(&key, version, self.memory.keeps_versions);
        let (request, objects) = (self.request(&key), self.objects.clone());
        let work = async { objects.put(request, Self::store(&objects, bytes).await?).await };
        self.attempt(format!("put {key}"), after, work, |_| false).await;
    }

    async fn append(&mut self) {
        let (key, bytes, mut after) = (self.key(), self.bytes(), self.model());
        let present = after.current(&key).cloned();
        let (position, content) = match &present {
            None => (0, Content::of(&bytes)),
            Some(version) => {
                // The whole's checksum follows from its bytes, which the disk has.
                let whole = [self.whole(&key).await, bytes.to_vec()].concat();
                (version.content.expect("an object").size, Content::of(&whole))
            }
        };
        let may = present.as_ref().is_none_or(|version| version.appendable && !version.held);
        let locked = present.as_ref().is_some_and(|version| version.appendable && version.held);
        let id = present.as_ref().and_then(|version| version.id);
        let version = Version { id, content: Some(content), appendable: true, held: false };
        match present {
            Some(_) => after.keys.get_mut(&key).expect("it is there")[0] = version,
            None => after.put(&key, version, self.memory.keeps_versions),
        }
        let (request, objects) = (self.request(&key), self.objects.clone());
        let work = async { objects.append(request, position, Self::store(&objects, bytes).await?).await };
        let refused = move |error: &StoreError| match error {
            StoreError::NotAppendable => !may && !locked,
            StoreError::Locked => locked,
            _ => false,
        };
        let done = self.attempt(format!("append to {key} at {position}"), after, work, refused).await;
        assert!(done.is_none() || may, "{key} was appended to");
    }

    /// The bytes of a current object as the disk has them.
    async fn whole(&self, key: &str) -> Vec<u8> {
        let object = self.world.meta.object(self.memory.bucket, &Self::object_key(key)).await;
        let object = object.expect("the disk is sound").expect("it is there");
        crate::check::bytes_of(&self.world, &object)
    }

    async fn copy(&mut self) {
        let (from, to, mut after) = (self.key(), self.key(), self.model());
        let Some(source) = after.current(&from).cloned() else { return };
        let version = Version { id: None, appendable: false, held: false, ..source };
        after.put(&to, version, self.memory.keeps_versions);
        let (bucket, key, request) = (self.memory.bucket, Self::object_key(&from), self.request(&to));
        let (meta, objects) = (self.meta.clone(), self.objects.clone());
        let work = async {
            let source = meta.object(bucket, &key).await?.expect("nobody else deletes it");
            objects.copy(&source, request).await
        };
        self.attempt(format!("copy {from} to {to}"), after, work, |_| false).await;
    }

    async fn delete(&mut self) {
        let (key, mut after) = (self.key(), self.model());
        if self.memory.keeps_versions {
            let marker = Version { id: None, content: None, appendable: false, held: false };
            after.put(&key, marker, true);
        } else {
            after.keys.remove(&key);
        }
        let (bucket, keys, objects) = (self.memory.bucket, [Self::object_key(&key)], self.objects.clone());
        let work = async { objects.delete(bucket, &keys).await };
        self.attempt(format!("delete {key}"), after, work, |_| false).await;
    }

    /// One version for good; where it is held it stays (I13).
    async fn delete_version(&mut self) {
        let (key, mut after) = (self.key(), self.model());
        let Some(history) = after.keys.get_mut(&key) else { return };
        let at = self.chance.below(history.len());
        let version = history.remove(at);
        let name: VersionName = version.id.expect("the disk said it").into();
        if history.is_empty() {
            after.keys.remove(&key);
        }
        if version.held {
            after = self.model();
        }
        let (bucket, target, objects) =
            (self.memory.bucket, vec![(Self::object_key(&key), Some(name))], self.objects.clone());
        let work = async { objects.delete_versions(bucket, target, true).await };
        let outcome = self.attempt(format!("delete {name} of {key}"), after, work, |_| false).await;
        if let Some(outcome) = outcome {
            assert_eq!(outcome[0] == DeleteOutcome::Locked, version.held, "I13: {key} {name}: {outcome:?}");
        }
    }

    /// Puts or lifts a legal hold, where versions are kept.
    async fn hold(&mut self) {
        let (key, mut after) = (self.key(), self.model());
        let Some(version) = after.keys.get_mut(&key).and_then(|history| history.first_mut()) else { return };
        if !self.memory.keeps_versions || version.content.is_none() {
            return;
        }
        version.held = !version.held;
        let (held, name) = (version.held, VersionName::from(version.id.expect("the disk said it")));
        let (bucket, meta, now, object) =
            (self.memory.bucket, self.meta.clone(), self.world.wall(), Self::object_key(&key));
        let work =
            async { meta.set_object_lock(bucket, &object, Some(name), LockChange::LegalHold(held), false, now).await };
        self.attempt(format!("hold {key}: {held}"), after, work, |_| false).await;
    }

    /// One step of a multipart upload.
    async fn upload(&mut self) {
        let after = self.model();
        if after.uploads.is_empty() || (after.uploads.len() < 3 && self.chance.percent(20)) {
            self.begin_upload(after).await;
            return;
        }
        let at = self.chance.below(after.uploads.len());
        match self.chance.below(10) {
            0..=5 => self.put_part(after, at).await,
            6..=8 => self.complete(after, at).await,
            _ => self.abort(after, at).await,
        }
    }

    async fn begin_upload(&mut self, mut after: Model) {
        let key = self.key();
        after.uploads.push(Upload { id: None, key: key.clone(), parts: BTreeMap::new() });
        let (request, objects) = (self.request(&key), self.objects.clone());
        let work = async { objects.uploads().begin(request, None).await };
        self.attempt(format!("begin an upload to {key}"), after, work, |_| false).await;
    }

    fn part_request(&self, upload: &Upload, number: u32) -> PartRequest {
        PartRequest {
            bucket: self.memory.bucket,
            key: Self::object_key(&upload.key),
            upload: upload.id.expect("the disk said it"),
            number,
            expected_md5: None,
            checksum: None,
        }
    }

    async fn put_part(&mut self, mut after: Model, at: usize) {
        let number = 1 + u32::try_from(self.chance.below(4)).expect("small");
        let bytes = self.bytes();
        let request = self.part_request(&after.uploads[at], number);
        after.uploads[at].parts.insert(number, Content::of(&bytes));
        let what = format!("part {number} of {}", after.uploads[at].key);
        let objects = self.objects.clone();
        let work = async { objects.uploads().put_part(request, Self::store(&objects, bytes).await?).await };
        self.attempt(what, after, work, |_| false).await;
    }

    async fn complete(&mut self, mut after: Model, at: usize) {
        let upload = after.uploads.remove(at);
        let (bucket, key, id) =
            (self.memory.bucket, Self::object_key(&upload.key), upload.id.expect("the disk said it"));
        let whole = crate::check::bytes_of_parts(&self.world, bucket, id);
        let version = Version { id: None, content: Some(Content::of(&whole)), appendable: false, held: false };
        after.put(&upload.key, version, self.memory.keeps_versions);
        let commit = CompleteCommit {
            bucket,
            key,
            upload: id,
            parts: PartChoice::All,
            part_bytes_min: 0,
            condition: WriteCondition::Always,
            version: None,
            expected: ExpectedObject::default(),
        };
        let objects = self.objects.clone();
        let work = async { objects.uploads().complete(commit).await };
        let is_empty = upload.parts.is_empty();
        let refused = move |error: &StoreError| is_empty && matches!(error, StoreError::InvalidPart(_));
        let done = self.attempt(format!("complete {}", upload.key), after, work, refused).await;
        assert!(done.is_none() || !is_empty, "an upload without parts was completed");
    }

    async fn abort(&mut self, mut after: Model, at: usize) {
        let upload = after.uploads.remove(at);
        let (bucket, key, id) =
            (self.memory.bucket, Self::object_key(&upload.key), upload.id.expect("the disk said it"));
        let objects = self.objects.clone();
        let work = async { objects.uploads().abort(bucket, &key, id).await };
        self.attempt(format!("abort {}", upload.key), after, work, |_| false).await;
    }

    /// Makes a body that the compactor finds worth its while: parts that are copies of one another.
    async fn cut_finely(&mut self) {
        let (key, model) = (format!("{}fine", self.memory.prefix), self.model());
        let sources: Vec<String> = model.keys.keys().cloned().collect();
        if sources.is_empty() || self.memory.keeps_versions {
            return;
        }
        let source = self.chance.pick(&sources).clone();
        if model.current(&source).is_none_or(|version| version.content.expect("an object").size < 33_000) {
            return;
        }
        let (request, mut after) = (self.request(&key), model);
        after.uploads.push(Upload { id: None, key: key.clone(), parts: BTreeMap::new() });
        let objects = self.objects.clone();
        let begun = {
            let work = async { objects.uploads().begin(request, None).await };
            self.attempt(format!("begin a fine upload to {key}"), after, work, |_| false).await
        };
        let Some(begun) = begun else { return };
        for number in 1..=36 {
            let (mut after, meta) = (self.model(), self.meta.clone());
            let Some(content) = after.current(&source).and_then(|version| version.content) else { return };
            let Some(at) = after.uploads.iter().position(|upload| upload.id == Some(begun.id)) else { return };
            let request = self.part_request(&after.uploads[at], number);
            after.uploads[at].parts.insert(number, content);
            let (bucket, from) = (self.memory.bucket, Self::object_key(&source));
            let work = async {
                let source = meta.object(bucket, &from).await?.expect("nobody else deletes it");
                objects.uploads().copy_part(request, &source, 0..source.size, None).await
            };
            if self.attempt(format!("copied part {number} of {key}"), after, work, |_| false).await.is_none() {
                return;
            }
        }
        let after = self.model();
        if let Some(at) = after.uploads.iter().position(|upload| upload.id == Some(begun.id)) {
            self.complete(after, at).await;
            self.world.count("finely cut bodies");
        }
    }
}
