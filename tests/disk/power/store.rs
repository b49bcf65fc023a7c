//! The stores of a data directory under a manual clock, opened as the service opens them, and what they hold in words.

use std::path::Path;
use std::sync::Arc;

use livebucket::clock::{Clock, ManualClock};
use livebucket::store::blob::fs::FsBlobStore;
use livebucket::store::blob::sealed::SealedBlobStore;
use livebucket::store::data_dir::DataDir;
use livebucket::store::meta::sqlite::SqliteMetaStore;
use livebucket::store::objects::ObjectService;
use livebucket::store::recovery::{self, CheckOptions};
use livebucket::store::seal::MasterKeys;
use livebucket::store::{
    BlobStore, BucketId, BucketRecord, MetaStore, ObjectRecord, UploadEntry, UploadId, UploadsQuery, VersionEntry,
    VersionsQuery,
};

use super::ledger::{Found, State};

/// The bucket that has the live channel, and its channel.
pub const LIVE: (&str, &str) = ("films", "ch");
/// More than a run makes of anything.
const ALL: usize = 10_000;

/// A data directory under its lock, recovered.
pub struct Stores {
    pub meta: Arc<dyn MetaStore>,
    pub blobs: Arc<dyn BlobStore>,
    pub objects: ObjectService,
    pub clock: ManualClock,
    _data: DataDir,
}

/// An object, a version or a part in words.
pub fn object_words(size: u64, crc64: u64) -> String {
    format!("{size} bytes, CRC-64 {crc64:016x}")
}

fn words_of(object: &ObjectRecord) -> String {
    object_words(object.size, object.crc64)
}

/// What failed, and why.
fn told<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> String {
    move |error| format!("{what}: {error}")
}

/// What a state calls an open upload.
pub fn upload_name(bucket: &str, key: &str, id: UploadId) -> String {
    format!("upload {bucket}/{key}@{id}")
}

/// What a state calls a part of one.
pub fn part_name(bucket: &str, key: &str, id: UploadId, number: u32) -> String {
    format!("part {bucket}/{key}@{id}#{number}")
}

impl Stores {
    /// Opens the directory and recovers it, as a start of the service does. An error is a sentence.
    pub async fn start(path: &Path, clock: ManualClock, keys: &MasterKeys) -> Result<Stores, String> {
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        let data = DataDir::create_and_lock(path).map_err(told("the directory"))?;
        let meta = SqliteMetaStore::open_sealed(&data.meta_path(), time.clone(), keys.clone())
            .map_err(told("metadata cannot be opened"))?;
        let meta: Arc<dyn MetaStore> = Arc::new(meta);
        let files = FsBlobStore::open(&data.blob_path(), time.clone()).map_err(told("blobs cannot be opened"))?;
        let blobs: Arc<dyn BlobStore> = Arc::new(SealedBlobStore::new(Arc::new(files), keys.clone()));
        let recovered = recovery::startup(&*meta, &*blobs, clock.wall()).await;
        recovered.map_err(told("it cannot be recovered"))?;
        let objects = ObjectService::new(meta.clone(), blobs.clone(), time);
        Ok(Stores { meta, blobs, objects, clock, _data: data })
    }

    /// The checker's findings, every byte read.
    pub async fn check(&self) -> Vec<String> {
        match recovery::check(&*self.meta, &*self.blobs, CheckOptions { verify_bytes: true }).await {
            Ok(report) if report.is_clean() => Vec::new(),
            Ok(report) => vec![format!("the checker: {report}")],
            Err(error) => vec![format!("the checker cannot walk the store: {error}")],
        }
    }

    /// What is there. An error is a sentence.
    pub async fn found(&self) -> Result<Found, String> {
        self.look().await.map_err(told("the store cannot be read"))
    }

    async fn look(&self) -> livebucket::store::Result<Found> {
        let mut state = State::new();
        let mut buckets = Vec::new();
        for key in self.meta.list_access_keys().await? {
            state.insert(format!("key {}", key.id), if key.enabled { "enabled" } else { "disabled" }.to_owned());
            buckets.extend(self.meta.list_buckets(key.account, "", "", ALL).await?.entries);
        }
        for bucket in &buckets {
            state.insert(format!("bucket {}", bucket.name), format!("versions {:?}", bucket.versioning));
            self.look_at_bucket(bucket, &mut state).await?;
        }
        let name =
            |id: BucketId| buckets.iter().find(|bucket| bucket.id == id).map_or("?", |bucket| bucket.name.as_str());
        for object in self.meta.audit_objects(None, ALL).await? {
            let at = format!("{}/{}", name(object.bucket), object.key);
            if let Some(version) = object.version {
                state.insert(format!("version {at}@{version}"), words_of(&object));
            }
            state.insert(format!("object {at}"), words_of(&object));
        }
        for object in self.meta.audit_versions(None, ALL).await? {
            let version = object.version.map_or("null".to_owned(), |version| version.to_string());
            state.insert(format!("version {}/{}@{version}", name(object.bucket), object.key), words_of(&object));
        }
        for part in self.meta.audit_parts(None, ALL).await? {
            let summary = part.part.summary;
            let at = part_name(name(part.bucket), &part.key.to_string(), part.upload, summary.number);
            state.insert(at, object_words(summary.size, summary.crc64));
        }
        let live = format!("object {}/{}/", LIVE.0, LIVE.1);
        let (mut of_channel, state): (State, State) = state.into_iter().partition(|(name, _)| name.starts_with(&live));
        let playlist = of_channel.remove(&format!("{live}playlist.m3u8"));
        let playlist = match playlist {
            None => None,
            Some(_) => Some(self.playlist(&buckets).await?),
        };
        Ok(Found { state, fragments: of_channel, playlist })
    }

    async fn look_at_bucket(&self, bucket: &BucketRecord, state: &mut State) -> livebucket::store::Result<()> {
        let versions = VersionsQuery { limit: ALL, ..VersionsQuery::default() };
        for entry in self.meta.list_versions(bucket.id, &versions).await?.entries {
            if let VersionEntry::Marker { key, marker, .. } = entry {
                let version = marker.version.map_or("null".to_owned(), |version| version.to_string());
                state.insert(format!("version {}/{key}@{version}", bucket.name), "delete marker".into());
            }
        }
        let uploads = UploadsQuery { limit: ALL, ..UploadsQuery::default() };
        for entry in self.meta.list_uploads(bucket.id, &uploads).await?.entries {
            if let UploadEntry::Upload(upload) = entry {
                state.insert(upload_name(bucket.name.as_str(), &upload.key.to_string(), upload.id), "open".into());
            }
        }
        for channel in self.meta.list_channels(bucket.id, "", "", ALL).await?.entries {
            let words = format!("{:?}, {} fragments", channel.config.status, channel.config.frag_count);
            state.insert(format!("channel {}/{}", bucket.name, channel.name), words);
        }
        Ok(())
    }

    async fn playlist(&self, buckets: &[BucketRecord]) -> livebucket::store::Result<String> {
        let bucket = buckets.iter().find(|bucket| bucket.name.as_str() == LIVE.0).expect("it has an object");
        let key = livebucket::store::ObjectKey::new(format!("{}/playlist.m3u8", LIVE.1)).expect("valid");
        let object = self.meta.object(bucket.id, &key).await?.expect("it was listed");
        Ok(String::from_utf8_lossy(&self.body(&object).await?).into_owned())
    }

    /// An object's bytes.
    pub async fn body(&self, object: &ObjectRecord) -> livebucket::store::Result<Vec<u8>> {
        let mut body = self.objects.read(object, 0..object.size);
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}
