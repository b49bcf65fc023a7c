//! Every operation of the OSS dialect that is built, as one value with valid arguments.

pub use crate::http::query::Query;
use crate::store::{BucketName, ChannelName, ChannelStatus, ObjectKey, UploadId, VersionName};

/// Entries of a page when nothing is said.
pub const MAX_KEYS_DEFAULT: usize = 100;

/// Entries of a page of parts or of uploads when nothing is said.
pub const MAX_PARTS_DEFAULT: usize = 1_000;

/// What a request asks for. Bodies and headers that only one handler needs are read there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OssOperation {
    /// `GET /` on the service host.
    ListBuckets(ListBucketsQuery),
    /// `GET /?regions` on the service host; with a value, that region alone.
    DescribeRegions(Option<String>),
    /// `PUT /` (header `x-oss-acl`, body `CreateBucketConfiguration`).
    PutBucket,
    /// `DELETE /`.
    DeleteBucket,
    /// `GET /?bucketInfo`.
    GetBucketInfo,
    /// `GET /?stat`.
    GetBucketStat,
    /// `GET /?location`.
    GetBucketLocation,
    /// `GET /?acl`.
    GetBucketAcl,
    /// `PUT /?acl` (header `x-oss-acl`).
    PutBucketAcl,
    /// `GET /?cors`.
    GetBucketCors,
    /// `PUT /?cors`.
    PutBucketCors,
    /// `DELETE /?cors`.
    DeleteBucketCors,
    /// `GET /?lifecycle`.
    GetBucketLifecycle,
    /// `PUT /?lifecycle`.
    PutBucketLifecycle,
    /// `DELETE /?lifecycle`.
    DeleteBucketLifecycle,
    /// `GET /?tagging`.
    GetBucketTags,
    /// `PUT /?tagging`.
    PutBucketTags,
    /// `DELETE /?tagging`.
    DeleteBucketTags,
    /// `GET /?website`, or another document that is a setting.
    GetBucketSetting(SettingName),
    /// `PUT /?website` and the like.
    PutBucketSetting(SettingName),
    /// `DELETE /?website` and the like.
    DeleteBucketSetting(SettingName),
    /// `HEAD /` on a bucket: of its website, when it has one.
    HeadBucket,
    /// `GET /?policy`.
    GetBucketPolicy,
    /// `PUT /?policy`.
    PutBucketPolicy,
    /// `DELETE /?policy`.
    DeleteBucketPolicy,
    /// `GET /?policyStatus`.
    GetBucketPolicyStatus,
    /// `GET /` on a bucket.
    ListObjects(ListObjectsQuery),
    /// `GET /?list-type=2`.
    ListObjectsV2(ListObjectsV2Query),
    /// `GET /?versioning`.
    GetBucketVersioning,
    /// `PUT /?versioning`.
    PutBucketVersioning,
    /// `GET /?versions`.
    ListObjectVersions(ListVersionsQuery),
    /// `POST /?delete`.
    DeleteMultipleObjects {
        /// `encoding-type=url`.
        url_encoding: bool,
    },
    /// `POST /` with a form as its body; the key is one of its fields.
    PostObject,

    /// `PUT /K`.
    PutObject(ObjectKey),
    /// `PUT /K` with `x-oss-copy-source`.
    CopyObject {
        /// Where to.
        key: ObjectKey,
        /// Bucket of the source.
        source_bucket: BucketName,
        /// Key of the source.
        source_key: ObjectKey,
        /// Version of the source; `None` is the newest.
        source_version: Option<VersionName>,
    },
    /// `POST /K?append&position=N`.
    AppendObject {
        /// Key.
        key: ObjectKey,
        /// Where the bytes go.
        position: u64,
    },
    /// `GET /K`.
    GetObject(ObjectKey),
    /// `GET /K?x-oss-process=hls/sign`.
    GetObjectHlsSigned(ObjectKey),
    /// `HEAD /K`.
    HeadObject(ObjectKey),
    /// `HEAD /K?objectMeta` (some clients send GET).
    GetObjectMeta(ObjectKey),
    /// `DELETE /K`.
    DeleteObject(ObjectKey),
    /// `GET /K?acl`.
    GetObjectAcl(ObjectKey),
    /// `PUT /K?acl` (header `x-oss-object-acl`).
    PutObjectAcl(ObjectKey),

    /// `GET /K?tagging`.
    GetObjectTagging(ObjectKey),
    /// `PUT /K?tagging`.
    PutObjectTagging(ObjectKey),
    /// `DELETE /K?tagging`.
    DeleteObjectTagging(ObjectKey),

    /// `PUT /K?symlink` (header `x-oss-symlink-target`).
    PutSymlink(ObjectKey),
    /// `GET /K?symlink`.
    GetSymlink(ObjectKey),
    /// `POST /K?restore`.
    RestoreObject(ObjectKey),

    /// `POST /K?uploads`.
    InitiateMultipartUpload {
        /// Key.
        key: ObjectKey,
        /// `encoding-type=url`.
        url_encoding: bool,
    },
    /// `PUT /K?partNumber=N&uploadId=U`.
    UploadPart {
        /// Which upload.
        upload: UploadTarget,
        /// 1..=10000.
        number: u32,
    },
    /// The same with `x-oss-copy-source`.
    UploadPartCopy {
        /// Which upload.
        upload: UploadTarget,
        /// 1..=10000.
        number: u32,
        /// Bucket of the source.
        source_bucket: BucketName,
        /// Key of the source.
        source_key: ObjectKey,
        /// Version of the source; `None` is the newest.
        source_version: Option<VersionName>,
    },
    /// `POST /K?uploadId=U`.
    CompleteMultipartUpload {
        /// Which upload.
        upload: UploadTarget,
        /// `encoding-type=url`.
        url_encoding: bool,
    },
    /// `DELETE /K?uploadId=U`.
    AbortMultipartUpload(UploadTarget),
    /// `GET /K?uploadId=U`.
    ListParts(ListPartsQuery),
    /// `GET /?uploads`.
    ListMultipartUploads(ListUploadsQuery),

    /// `PUT /C?live`.
    PutLiveChannel(ChannelName),
    /// `PUT /C?live&status=`.
    PutLiveChannelStatus(ChannelName, ChannelStatus),
    /// `GET /C?live`.
    GetLiveChannelInfo(ChannelName),
    /// `GET /C?live&comp=stat`.
    GetLiveChannelStat(ChannelName),
    /// `GET /C?live&comp=history`.
    GetLiveChannelHistory(ChannelName),
    /// `GET /?live`.
    ListLiveChannel(ListLiveChannelQuery),
    /// `DELETE /C?live`.
    DeleteLiveChannel(ChannelName),
    /// `POST /C/P?vod&startTime=&endTime=`.
    PostVodPlaylist {
        /// Channel.
        channel: ChannelName,
        /// Name of the playlist, `.m3u8` appended when it had no extension.
        playlist_name: String,
        /// Range.
        range: VodRange,
    },
    /// `GET /C?vod&startTime=&endTime=`.
    GetVodPlaylist(ChannelName, VodRange),
}

/// Settings of a bucket that are one document under one sub-resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingName {
    /// `website`.
    Website,
    /// `referer`.
    Referer,
    /// `logging`.
    Logging,
    /// `encryption`.
    Encryption,
    /// `requestPayment`.
    RequestPayment,
    /// `transferAcceleration`.
    TransferAcceleration,
    /// `publicAccessBlock`.
    PublicAccessBlock,
}

/// The upload that a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadTarget {
    /// Key.
    pub key: ObjectKey,
    /// `uploadId`.
    pub id: UploadId,
}

/// Arguments of ListParts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPartsQuery {
    /// Which upload.
    pub upload: UploadTarget,
    /// Parts with greater numbers.
    pub marker: u32,
    /// 1..=1000, default 1000.
    pub max_parts: usize,
    /// `encoding-type=url`.
    pub url_encoding: bool,
}

/// Arguments of ListMultipartUploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListUploadsQuery {
    /// Keys that begin with this.
    pub prefix: Vec<u8>,
    /// Empty means none.
    pub delimiter: Vec<u8>,
    /// Uploads of keys after this.
    pub key_marker: Vec<u8>,
    /// With it, also of that very key those with greater ids. `None` without a key marker.
    pub upload_id_marker: Option<UploadId>,
    /// 1..=1000, default 1000.
    pub max_uploads: usize,
    /// `encoding-type=url`.
    pub url_encoding: bool,
}

/// A valid VOD range in seconds since the epoch: `start < end`, at most one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VodRange {
    /// First second.
    pub start: i64,
    /// Last second.
    pub end: i64,
}

/// Arguments of ListBuckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListBucketsQuery {
    /// Names that begin with this.
    pub prefix: String,
    /// Names after this.
    pub marker: String,
    /// 1..=1000; `None` when not asked: 100, and the paging elements are left out.
    pub max_keys: Option<usize>,
    /// Any paging argument was there, so the paging elements are rendered.
    pub paged: bool,
}

/// Arguments of ListObjects, version 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListObjectsQuery {
    /// Keys that begin with this.
    pub prefix: Vec<u8>,
    /// Empty means none.
    pub delimiter: Vec<u8>,
    /// Keys after this.
    pub marker: Vec<u8>,
    /// 1..=1000, default 100.
    pub max_keys: usize,
    /// `encoding-type=url`.
    pub url_encoding: bool,
}

/// Arguments of ListObjects, version 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListObjectsV2Query {
    /// Keys that begin with this.
    pub prefix: Vec<u8>,
    /// Empty means none.
    pub delimiter: Vec<u8>,
    /// Keys after this.
    pub start_after: Vec<u8>,
    /// Token as it came, and what it means (keys after this). The token outranks `start_after`.
    pub continuation: Option<(String, Vec<u8>)>,
    /// 1..=1000, default 100.
    pub max_keys: usize,
    /// `encoding-type=url`.
    pub url_encoding: bool,
    /// `fetch-owner=true`.
    pub fetch_owner: bool,
}

/// Arguments of ListObjectVersions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListVersionsQuery {
    /// Keys that begin with this.
    pub prefix: Vec<u8>,
    /// Empty means none.
    pub delimiter: Vec<u8>,
    /// Versions of keys after this.
    pub key_marker: Vec<u8>,
    /// With it, also of that very key those that are older. `None` without a key marker.
    pub version_id_marker: Option<VersionName>,
    /// 1..=1000, default 100.
    pub max_keys: usize,
    /// `encoding-type=url`.
    pub url_encoding: bool,
}

/// Arguments of ListLiveChannel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListLiveChannelQuery {
    /// Names that begin with this.
    pub prefix: String,
    /// Names after this.
    pub marker: String,
    /// 1..=1000, default 100.
    pub max_keys: usize,
}

/// The token that continues a version 2 listing behind `name`.
pub fn continuation_token(name: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(name)
}

/// What [`continuation_token`] was made of; `None` when the token is not one.
pub fn read_continuation_token(token: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).ok()
}
