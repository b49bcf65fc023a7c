//! Multipart uploads: parts become durable one by one, in any order and from any number of connections, and completing
//! names their extents in one commit. No byte is copied.
//!
//! A part is stored like a small object (I1): first its blob is durable, then the commit names it. A refused part's blob is
//! taken away at once; a part whose commit ended without an answer stays in flight until it is known (I5). What an
//! abandoned upload holds stays until it is aborted.

use std::ops::Range;

use crate::limits;
use crate::store::checksum::Hasher;
use crate::store::digest::{Crc64, Md5};
use crate::store::objects::{Digests, ObjectService, PutRequest, StoredBody, fresh_random, fresh_version, noted};
use crate::store::{
    BucketId, Checksum, ChecksumAlgorithm, ChecksumForm, CompleteCommit, CompletedUpload, Extent, ObjectKey,
    ObjectRecord, PartChoice, PartCommit, PartRecord, PartSummary, Result, StoreError, UploadId, UploadRecord, What,
};

/// The part that a request writes.
#[derive(Clone, Debug)]
pub struct PartRequest {
    /// Bucket.
    pub bucket: BucketId,
    /// Key that the upload was begun for.
    pub key: ObjectKey,
    /// The upload.
    pub upload: UploadId,
    /// 1 to `limits::PART_NUMBER_MAX`; the dialect has refused any other.
    pub number: u32,
    /// The digest that the client promised (`Content-MD5`). Means nothing to a copy.
    pub expected_md5: Option<[u8; 16]>,
    /// The checksum of the bytes, where the dialect has computed it.
    pub checksum: Option<Checksum>,
}

/// The writing side of multipart uploads. What only reads (`upload`, `list_parts`, `list_uploads`) is the metadata's own.
#[derive(Clone, Copy, Debug)]
pub struct Uploads<'a> {
    objects: &'a ObjectService,
}

impl ObjectService {
    /// Multipart uploads over the same stores.
    pub fn uploads(&self) -> Uploads<'_> {
        Uploads { objects: self }
    }
}

impl Uploads<'_> {
    /// Opens an upload, whose object will have a checksum of this form as far as all of its parts have theirs. The
    /// request's kind, condition and digest mean nothing here. `NotFound(Bucket)`.
    pub async fn begin(&self, request: PutRequest, checksum: Option<ChecksumForm>) -> Result<UploadRecord> {
        let random = fresh_random()?;
        let now = self.objects.clock().wall();
        let mut user_metadata = request.user_metadata;
        user_metadata.sort();
        let record = UploadRecord {
            bucket: request.bucket,
            key: request.key,
            id: UploadId::new(now, random),
            initiated: now,
            acl: request.acl,
            headers: request.headers,
            user_metadata,
            tags: request.tags,
            storage_class: request.storage_class,
            attributes: request.attributes,
            checksum,
        };
        self.objects.meta().begin_upload(record, now).await
    }

    /// Puts a part, in place of the one of its number. `DigestMismatch`, `NotFound(Upload)`; after these nothing of the
    /// body is left. After `Unavailable` the part is the old or the new one, whole. The body has its MD5.
    pub async fn put_part(&self, request: PartRequest, body: StoredBody) -> Result<PartSummary> {
        let expected = request.expected_md5;
        let outcome = match body.md5 {
            None => Err(StoreError::Corrupt("a part was stored without its MD5".into())),
            Some(md5) if expected.is_some_and(|expected| expected != md5) => Err(StoreError::DigestMismatch),
            Some(md5) => {
                let bytes = Bytes { md5, crc64: body.crc64, size: body.size, checksum: request.checksum };
                self.commit(&request, bytes, body.extents.clone()).await
            }
        };
        self.objects.conclude(outcome, body).await
    }

    /// Makes a part of `range` of an object. The bytes are read, for a part's digest is needed to complete and only a whole
    /// object's is known; they are written anew only where the source is cut into many extents. `NotFound(Object)` when
    /// the source has been deleted since it was looked up and its bytes are being collected. The part gets a checksum of
    /// `algorithm`.
    pub async fn copy_part(
        &self,
        request: PartRequest,
        source: &ObjectRecord,
        range: Range<u64>,
        algorithm: Option<ChecksumAlgorithm>,
    ) -> Result<PartSummary> {
        let range = range.start.min(source.size)..range.end.min(source.size);
        if range.end.saturating_sub(range.start) > limits::OBJECT_BYTES_MAX {
            return Err(StoreError::TooLarge);
        }
        let extents = source.extents_of(&range);
        if extents.len() > limits::PART_EXTENTS_SHARED_MAX {
            let mut writer = self.objects.writer(Digests::Md5AndCrc64);
            let mut hasher = algorithm.map(Hasher::new);
            let mut bytes = self.objects.read(source, range);
            while let Some(piece) = bytes.next().await? {
                if let Some(hasher) = &mut hasher {
                    hasher.update(&piece);
                }
                writer.write(piece).await?;
            }
            let body = writer.finish().await?;
            let checksum = hasher.map(Hasher::finish);
            return self.put_part(PartRequest { expected_md5: None, checksum, ..request }, body).await;
        }
        let bytes = self.digest(source, range, algorithm).await?;
        self.commit(&request, bytes, extents).await.map_err(|error| match error {
            StoreError::NotFound(What::Blob) => StoreError::NotFound(What::Object),
            other => other,
        })
    }

    /// What a part made of this range would be; read from the bytes unless the object says it.
    async fn digest(
        &self,
        source: &ObjectRecord,
        range: Range<u64>,
        algorithm: Option<ChecksumAlgorithm>,
    ) -> Result<Bytes> {
        let size = range.end - range.start;
        let known = source.full_checksum().filter(|known| Some(known.algorithm()) == algorithm);
        if let Some(md5) = source.content_md5.filter(|_| size == source.size && known.is_some() == algorithm.is_some())
        {
            return Ok(Bytes { md5, crc64: source.crc64, size, checksum: known });
        }
        let (mut md5, mut crc64, mut checksum) = (Md5::new(), Crc64::new(), algorithm.map(Hasher::new));
        let mut body = self.objects.read(source, range);
        while let Some(piece) = body.next().await? {
            md5.update(&piece);
            crc64.update(&piece);
            if let Some(checksum) = &mut checksum {
                checksum.update(&piece);
            }
            // Hashing a piece is all that a task may do in one go.
            tokio::task::yield_now().await;
        }
        let checksum = checksum.map(Hasher::finish);
        Ok(Bytes { md5: md5.finish(), crc64: crc64.value(), size, checksum })
    }

    async fn commit(&self, request: &PartRequest, bytes: Bytes, extents: Vec<Extent>) -> Result<PartSummary> {
        let now = self.objects.clock().wall();
        let summary = PartSummary {
            number: request.number,
            size: bytes.size,
            md5: bytes.md5,
            crc64: bytes.crc64,
            checksum: bytes.checksum,
            last_modified: now,
        };
        let commit = PartCommit {
            bucket: request.bucket,
            key: request.key.clone(),
            upload: request.upload,
            part: PartRecord { summary, extents },
        };
        noted(self.objects.meta().commit_part(commit, now).await)
    }

    /// Makes the object. The errors are those of [`MetaStore::complete_upload`](crate::store::MetaStore::complete_upload);
    /// after each of them the upload is still open. After `Unavailable` the object is there or the upload is open, and the
    /// same call again gives the answer. The commit's `version` is given here.
    pub async fn complete(&self, commit: CompleteCommit) -> Result<CompletedUpload> {
        if let PartChoice::Listed(parts) = &commit.parts
            && parts.len() > limits::PART_NUMBER_MAX as usize
        {
            return Err(StoreError::TooLarge);
        }
        let now = self.objects.clock().wall();
        let commit = CompleteCommit { version: Some(fresh_version(now)?), ..commit };
        noted(self.objects.meta().complete_upload(commit, now).await)
    }

    /// Ends an upload without an object. `NotFound(Upload)`.
    pub async fn abort(&self, bucket: BucketId, key: &ObjectKey, upload: UploadId) -> Result<()> {
        self.objects.meta().abort_upload(bucket, key, upload, self.objects.clock().wall()).await
    }
}

/// What must be known of a part's bytes.
struct Bytes {
    md5: [u8; 16],
    crc64: u64,
    size: u64,
    checksum: Option<Checksum>,
}

#[cfg(test)]
mod tests;
