//! Every document of the OSS dialect: rendered from domain types, read into them.
//!
//! No namespace, because some clients match bare names; a declaration always; times as `YYYY-MM-DDTHH:MM:SS.000Z`, with
//! exactly three zeros, because one client reads nothing else.

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use self::read::{Element, document};
use crate::http::headers::restore_text;
use crate::http::xml::Writer;

use super::class::class_text;
use super::error::OssError;
use super::operation::{ListBucketsQuery, ListObjectsQuery, ListObjectsV2Query, continuation_token};
use crate::clock::Wall;
use crate::limits::{OSS_DELETE_KEYS_MAX, OSS_DELETE_XML_BYTES_MAX, OSS_XML_BYTES_MAX};
use crate::store::{
    AccountId, Acl, BucketQuota, BucketRecord, BucketUsage, ETag, ListEntry, ObjectKey, ObjectKind, ObjectSummary,
    Page, VersionName,
};

mod cors;
mod lifecycle;
mod live;
mod multipart;
mod read;
mod restore;
mod settings;
mod tagging;
#[cfg(test)]
mod tests;
mod versions;
mod website;

pub use cors::*;
pub use lifecycle::*;
pub use live::*;
pub use multipart::*;
pub use restore::*;
pub use settings::*;
pub use tagging::*;
pub use versions::*;
pub use website::*;

/// Where this service says it is.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Region without the `oss-` prefix.
    pub region: &'a str,
    /// Host (and port) for `ExtranetEndpoint`.
    pub extranet_endpoint: &'a str,
    /// Host (and port) for `IntranetEndpoint`.
    pub intranet_endpoint: &'a str,
}

/// The body of DeleteMultipleObjects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteRequest {
    /// No result document is wanted.
    pub quiet: bool,
    /// 1 to 1000 keys in order, each with the version to remove, if one is named; a key may stand twice.
    pub targets: Vec<(ObjectKey, Option<VersionName>)>,
}

/// The body of PutBucket. Everything is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateBucketConfiguration {
    /// `StorageClass`.
    pub storage_class: Option<String>,
    /// `DataRedundancyType`.
    pub data_redundancy_type: Option<String>,
    /// `LocationConstraint`.
    pub location_constraint: Option<String>,
}

// ---- rendering -----------------------------------------------------------------------------------------------

/// How a time is written in documents.
pub fn time_text(time: Wall) -> String {
    time.iso_millis()
}

/// How an ACL is written.
pub const fn acl_text(acl: Acl) -> &'static str {
    match acl {
        Acl::Private => "private",
        Acl::PublicRead => "public-read",
        Acl::PublicReadWrite => "public-read-write",
    }
}

/// An ACL from its text; exact spelling.
pub fn acl_from_text(text: &str) -> Option<Acl> {
    [Acl::Private, Acl::PublicRead, Acl::PublicReadWrite].into_iter().find(|acl| acl_text(*acl) == text)
}

/// `Error`. (Base64 of it goes into `x-oss-err` where a body cannot.)
pub fn error_document(error: &OssError, request_id: &str, host_id: &str) -> Bytes {
    Writer::document("Error", |w| {
        w.text("Code", error.code);
        w.text("Message", &error.message);
        w.text("RequestId", request_id);
        w.text("HostId", host_id);
        for (name, text) in &error.details {
            w.text(name, text);
        }
        if let Some(ec) = error.ec {
            w.text("EC", ec);
            w.text("RecommendDoc", format_args!("https://api.aliyun.com/troubleshoot?q={ec}"));
        }
    })
}

/// `ListAllMyBucketsResult`. The paging elements come when paging was asked for, or when something was left out.
pub fn list_buckets(
    owner: AccountId,
    owner_name: &str,
    query: &ListBucketsQuery,
    page: &Page<BucketRecord>,
    place: &Place<'_>,
) -> Bytes {
    Writer::document("ListAllMyBucketsResult", |w| {
        if query.paged || page.truncated {
            w.text("Prefix", &query.prefix);
            w.text("Marker", &query.marker);
            w.text("MaxKeys", query.max_keys.unwrap_or(super::operation::MAX_KEYS_DEFAULT));
            w.text("IsTruncated", page.truncated);
            let last = page.entries.last().filter(|_| page.truncated);
            w.text("NextMarker", last.map_or("", |bucket| bucket.name.as_str()));
        }
        write_owner(w, owner, owner_name);
        w.element("Buckets", |w| {
            for bucket in &page.entries {
                w.element("Bucket", |w| write_bucket(w, bucket, place));
            }
        });
    })
}

/// `BucketInfo`.
pub fn bucket_info(bucket: &BucketRecord, place: &Place<'_>) -> Bytes {
    Writer::document("BucketInfo", |w| {
        w.element("Bucket", |w| {
            write_bucket(w, bucket, place);
            w.text("DataRedundancyType", "LRS");
            w.text("Comment", "");
            w.text("ResourceGroupId", "");
            w.text("AccessMonitor", "Disabled");
            let accelerated = bucket.settings.transfer_acceleration == Some(true);
            w.text("TransferAcceleration", if accelerated { "Enabled" } else { "Disabled" });
            w.text("CrossRegionReplication", "Disabled");
            w.text("BlockPublicAccess", settings::blocks_all(bucket.settings.public_access_block));
            if let Some(versioning) = versioning_text(bucket.versioning) {
                w.text("Versioning", versioning);
            }
            write_owner(w, bucket.owner, &bucket.owner_name);
            w.element("AccessControlList", |w| w.text("Grant", acl_text(bucket.acl)));
            let algorithm = bucket.settings.encryption.map_or("None", |_| AES256);
            w.element("ServerSideEncryptionRule", |w| w.text("SSEAlgorithm", algorithm));
            let logs = bucket.settings.logging.as_ref();
            w.element("BucketPolicy", |w| {
                w.text("LogBucket", logs.map_or("", |logs| &logs.bucket));
                w.text("LogPrefix", logs.map_or("", |logs| &logs.prefix));
            });
        });
    })
}

fn write_bucket(w: &mut Writer, bucket: &BucketRecord, place: &Place<'_>) {
    w.text("CreationDate", time_text(bucket.created));
    w.text("ExtranetEndpoint", place.extranet_endpoint);
    w.text("IntranetEndpoint", place.intranet_endpoint);
    w.text("Location", format_args!("oss-{}", place.region));
    w.text("Name", &bucket.name);
    w.text("Region", place.region);
    w.text("StorageClass", class_text(bucket.settings.storage_class));
}

fn write_owner(w: &mut Writer, owner: AccountId, name: &str) {
    w.element("Owner", |w| {
        w.text("ID", owner.0);
        w.text("DisplayName", name);
    });
}

/// `PolicyStatus`.
pub fn policy_status(is_public: bool) -> Bytes {
    Writer::document("PolicyStatus", |w| w.text("IsPublic", is_public))
}

/// `BucketStat`. Objects that are not current count too. The counters are of this moment, `now`. Nothing is billed by a least size, so what is called real storage
/// is the storage. The bucket's quota stands last, where it has one: elements that the public service does not have.
pub fn bucket_stat(usage: &BucketUsage, quota: BucketQuota, now: Wall) -> Bytes {
    const CLASSES: [&str; 5] = ["Standard", "InfrequentAccess", "Archive", "ColdArchive", "DeepColdArchive"];
    Writer::document("BucketStat", |w| {
        w.text("Storage", usage.bytes);
        w.text("ObjectCount", usage.objects);
        w.text("MultipartUploadCount", usage.uploads);
        w.text("LiveChannelCount", usage.channels);
        w.text("LastModifiedTime", now.unix_seconds());
        w.text("MultipartPartCount", usage.parts);
        w.text("DeleteMarkerCount", usage.markers);
        for (class, held) in CLASSES.into_iter().zip(usage.classes) {
            w.text(&format!("{class}Storage"), held.bytes);
            if class != "Standard" {
                w.text(&format!("{class}RealStorage"), held.bytes);
            }
            w.text(&format!("{class}ObjectCount"), held.objects);
        }
        for (name, bound) in [("StorageQuota", quota.bytes), ("ObjectCountQuota", quota.objects)] {
            if let Some(bound) = bound {
                w.text(name, bound);
            }
        }
    })
}

/// `RegionInfoList` of the one region. It has one address, so that is the accelerated one as well.
pub fn region_info_list(place: &Place<'_>) -> Bytes {
    Writer::document("RegionInfoList", |w| {
        w.element("RegionInfo", |w| {
            w.text("Region", format_args!("oss-{}", place.region));
            w.text("InternetEndpoint", place.extranet_endpoint);
            w.text("InternalEndpoint", place.intranet_endpoint);
            w.text("AccelerateEndpoint", place.extranet_endpoint);
        });
    })
}

/// `LocationConstraint`.
pub fn location_constraint(place: &Place<'_>) -> Bytes {
    Writer::document("LocationConstraint", |w| w.push(&format!("oss-{}", place.region)))
}

/// `AccessControlPolicy` of a bucket, or of an object whose `acl` is `None` when it follows its bucket (`default`).
pub fn access_control_policy(owner: AccountId, owner_name: &str, acl: Option<Acl>) -> Bytes {
    Writer::document("AccessControlPolicy", |w| {
        write_owner(w, owner, owner_name);
        w.element("AccessControlList", |w| w.text("Grant", acl.map_or("default", acl_text)));
    })
}

/// `ListBucketResult`, version 1. Entries have their owner always: a client dereferences it unasked.
pub fn list_objects(bucket: &BucketRecord, query: &ListObjectsQuery, page: &Page<ListEntry>) -> Bytes {
    let names = Names { url: query.url_encoding };
    Writer::document("ListBucketResult", |w| {
        w.text("Name", &bucket.name);
        names.write(w, "Prefix", &query.prefix);
        names.write(w, "Marker", &query.marker);
        w.text("MaxKeys", query.max_keys);
        names.write(w, "Delimiter", &query.delimiter);
        names.write_encoding(w);
        w.text("IsTruncated", page.truncated);
        if let Some(last) = page.entries.last().filter(|_| page.truncated) {
            names.write(w, "NextMarker", last.name());
        }
        write_entries(w, names, page, Some(bucket));
    })
}

/// `ListBucketResult`, version 2.
pub fn list_objects_v2(bucket: &BucketRecord, query: &ListObjectsV2Query, page: &Page<ListEntry>) -> Bytes {
    let names = Names { url: query.url_encoding };
    Writer::document("ListBucketResult", |w| {
        w.text("Name", &bucket.name);
        names.write(w, "Prefix", &query.prefix);
        if !query.start_after.is_empty() {
            names.write(w, "StartAfter", &query.start_after);
        }
        w.text("MaxKeys", query.max_keys);
        names.write(w, "Delimiter", &query.delimiter);
        names.write_encoding(w);
        w.text("IsTruncated", page.truncated);
        w.text("KeyCount", page.entries.len());
        if let Some((token, _)) = &query.continuation {
            w.text("ContinuationToken", token);
        }
        if let Some(last) = page.entries.last().filter(|_| page.truncated) {
            w.text("NextContinuationToken", continuation_token(last.name()));
        }
        write_entries(w, names, page, query.fetch_owner.then_some(bucket));
    })
}

/// All objects, then all common prefixes; `owner_of` names the owner in each object.
fn write_entries(w: &mut Writer, names: Names, page: &Page<ListEntry>, owner_of: Option<&BucketRecord>) {
    for entry in &page.entries {
        if let ListEntry::Object(object) = entry {
            w.element("Contents", |w| {
                write_object(w, names, object);
                if let Some(bucket) = owner_of {
                    write_owner(w, bucket.owner, &bucket.owner_name);
                }
            });
        }
    }
    for entry in &page.entries {
        if let ListEntry::Prefix(prefix) = entry {
            w.element("CommonPrefixes", |w| names.write(w, "Prefix", prefix));
        }
    }
}

fn write_object(w: &mut Writer, names: Names, object: &ObjectSummary) {
    names.write(w, "Key", object.key.as_bytes());
    w.text("LastModified", time_text(object.last_modified));
    w.text("ETag", format_args!("\"{}\"", object.etag.to_upper_hex()));
    w.text("Type", object_type(object.kind));
    w.text("Size", object.size);
    w.text("StorageClass", class_text(object.storage_class));
    if let Some(until) = object.restored_until {
        w.text("RestoreInfo", restore_text(until));
    }
}

/// How an object's kind is written, in listings and in `x-oss-object-type`.
pub const fn object_type(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Normal => "Normal",
        ObjectKind::Multipart => "Multipart",
        ObjectKind::Appendable => "Appendable",
        ObjectKind::Symlink => "Symlink",
    }
}

/// How names are written: as they are, or percent-encoded (`encoding-type=url`).
#[derive(Clone, Copy)]
struct Names {
    url: bool,
}

impl Names {
    fn write(self, w: &mut Writer, element: &str, name: &[u8]) {
        // A plus is encoded too: some clients read a bare one as a space.
        const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
        if self.url { w.text(element, percent_encode(name, &KEPT)) } else { w.bytes(element, name) }
    }

    /// Clients decode only when they are told.
    fn write_encoding(self, w: &mut Writer) {
        if self.url {
            w.text("EncodingType", "url");
        }
    }
}

/// `CopyObjectResult`.
pub fn copy_object_result(etag: ETag, last_modified: Wall) -> Bytes {
    Writer::document("CopyObjectResult", |w| write_copy_result(w, etag, last_modified))
}

fn write_copy_result(w: &mut Writer, etag: ETag, last_modified: Wall) {
    w.text("LastModified", time_text(last_modified));
    w.text("ETag", format_args!("\"{}\"", etag.to_upper_hex()));
}

// ---- reading -------------------------------------------------------------------------------------------------

/// `Delete`.
pub fn read_delete(body: &[u8]) -> Result<DeleteRequest, OssError> {
    let root = document(body, "Delete", OSS_DELETE_XML_BYTES_MAX)?;
    let mut targets = Vec::new();
    for object in root.all("Object") {
        let version = match object.word_of("VersionId") {
            None => None,
            Some(word) => Some(
                VersionName::parse(word)
                    .ok_or_else(|| OssError::invalid_argument("Invalid version id specified.", "VersionId", word))?,
            ),
        };
        let key = object.text_of("Key").filter(|key| !key.is_empty()).ok_or_else(OssError::malformed_xml)?;
        targets.push((object_key(key.as_bytes())?, version));
    }
    if targets.is_empty() || targets.len() > OSS_DELETE_KEYS_MAX {
        return Err(OssError::malformed_xml());
    }
    Ok(DeleteRequest { quiet: flag(&root, "Quiet")?, targets })
}

fn object_key(bytes: &[u8]) -> Result<ObjectKey, OssError> {
    let fits = bytes.len() <= super::route::OBJECT_NAME_BYTES_MAX;
    ObjectKey::new(bytes).filter(|_| fits).ok_or_else(|| OssError::invalid_object_name(bytes))
}

/// `true` or `false`, in any case; absent or empty is `false`.
fn flag(parent: &Element, name: &str) -> Result<bool, OssError> {
    match parent.word_of(name) {
        None => Ok(false),
        Some(word) if word.eq_ignore_ascii_case("true") => Ok(true),
        Some(word) if word.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(OssError::malformed_xml()),
    }
}

/// `CreateBucketConfiguration`; an empty body is the default.
pub fn read_create_bucket_configuration(body: &[u8]) -> Result<CreateBucketConfiguration, OssError> {
    if body.trim_ascii().is_empty() {
        return Ok(CreateBucketConfiguration::default());
    }
    let root = document(body, "CreateBucketConfiguration", OSS_XML_BYTES_MAX)?;
    let word = |name| root.word_of(name).map(str::to_owned);
    Ok(CreateBucketConfiguration {
        storage_class: word("StorageClass"),
        data_redundancy_type: word("DataRedundancyType"),
        location_constraint: word("LocationConstraint"),
    })
}
