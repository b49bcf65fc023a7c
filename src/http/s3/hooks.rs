//! What the library asks on its way: which bucket a host means, whose secret a key has, and whether a request may go on.

use std::sync::Arc;

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::host::{S3Host, VirtualHost};
use s3s::path::S3Path;
use s3s::validation::NameValidation;
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::error::{S3Fault, Subject};
use super::exchange::{Caller, Exchange};
use super::policy;
use crate::clock::Wall;
use crate::http::access::{self, Wanted};
use crate::http::body::{BodyError, Promised};
use crate::http::query::Query;
use crate::http::server::HttpDeps;
use crate::limits;
use crate::net::host::{HostReading, HostRules};
use crate::store::credentials::{self, Credential, CredentialError};
use crate::store::{BucketName, ObjectKey};

/// The bucket that a `Host` names. What is neither below a base domain nor bound is path style: the library's own parser
/// would take any unknown name for a bucket.
pub(super) fn host_bucket(rules: &HostRules, host: &str) -> Option<String> {
    match rules.read(host) {
        HostReading::Label(label) => Some(label),
        HostReading::Bound(bucket) => Some(bucket),
        HostReading::Address | HostReading::Base | HostReading::Unknown => None,
    }
}

/// The key that an id and a token name, or why they name none.
pub(super) async fn credential(
    deps: &HttpDeps,
    id: &str,
    token: Option<&[u8]>,
    now: Wall,
) -> Result<Credential, S3Fault> {
    let found = credentials::find(deps.meta.as_ref(), id, token, now).await;
    found.map_err(|error| match error {
        CredentialError::Unknown | CredentialError::Disabled => S3Fault::new("InvalidAccessKeyId"),
        CredentialError::TokenInvalid => S3Fault::new("InvalidToken"),
        CredentialError::TokenExpired => S3Fault::new("ExpiredToken"),
        CredentialError::Store(error) => S3Fault::from_store(&error, Subject::default()),
    })
}

pub(super) struct Hosts(pub(super) Arc<HttpDeps>);

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let named = host_bucket(&self.0.hosts, host);
        let parsed = VirtualHost::new(host);
        Ok(match named {
            Some(bucket) => parsed.with_bucket(bucket),
            None => parsed,
        })
    }
}

pub(super) struct Keys(pub(super) Arc<HttpDeps>);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        // No request is at hand here, and so no token: the rest of the credential is judged once the signature fits. Nor
        // can a fault be kept whole; the front gives it its words again by the code.
        let code = match credentials::secret(self.0.meta.as_ref(), access_key).await {
            Ok(Some(secret)) => return Ok(SecretKey::from(secret)),
            Ok(None) => "InvalidAccessKeyId",
            Err(error) => S3Fault::from_store(&error, Subject::default()).code,
        };
        Err(S3Error::new(S3ErrorCode::from_bytes(code.as_bytes()).expect("any bytes are a code")))
    }
}

/// The store's own rule; what exists must be reachable, whichever dialect made it.
pub(super) struct Names;

impl NameValidation for Names {
    fn validate_bucket_name(&self, name: &str) -> bool {
        BucketName::new(name).is_some()
    }
}

pub(super) struct Access(pub(super) Arc<HttpDeps>);

#[async_trait::async_trait]
impl S3Access for Access {
    /// Runs for every request, also an anonymous one. Who may do what to which bucket or object is decided by the
    /// handlers, which have them at hand.
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let exchange: Arc<Exchange> = cx.extensions_mut().get().cloned().expect("the front put it there");
        let operation = operation_name(cx.s3_op().name());
        {
            let mut notes = exchange.notes();
            notes.operation = Some(operation);
            notes.bucket_name = cx.s3_path().get_bucket_name().map(str::to_owned);
            notes.key = cx.s3_path().get_object_key().map(str::to_owned);
        }
        let at_root = matches!(cx.s3_path(), S3Path::Root);
        check_sub_resources(operation, at_root, &exchange.query).map_err(|fault| exchange.fail(fault))?;
        if let Some(credentials) = cx.credentials() {
            let id = credentials.access_key.clone();
            let key = credential(&self.0, &id, exchange.token.as_deref(), exchange.now)
                .await
                .map_err(|fault| exchange.fail(fault))?;
            exchange.notes().caller = Caller::from(key);
        }
        {
            let (bucket, key) = (cx.s3_path().get_bucket_name(), cx.s3_path().get_object_key());
            let caller = exchange.notes().caller.clone();
            check_session(operation, bucket.unwrap_or_default(), key.map(str::as_bytes), &caller, &exchange)
                .map_err(|fault| exchange.fail(fault))?;
        }
        let outcome = before_document(&self.0, operation, cx.s3_path(), &exchange).await;
        outcome.and_then(|()| bound_document(operation, &exchange)).map_err(|fault| exchange.fail(fault))
    }
}

/// Most that the body of an operation may have, when the library is going to hold it whole; `None` where it is taken piece
/// by piece. Whoever has proved nothing is held to less.
fn document_bytes_max(operation: &str, caller: &Caller) -> Option<usize> {
    let most = match operation {
        "PutObject" | "UploadPart" => return None,
        "DeleteObjects" => limits::OSS_DELETE_XML_BYTES_MAX,
        "CompleteMultipartUpload" => limits::OSS_COMPLETE_XML_BYTES_MAX,
        "PutBucketLifecycleConfiguration" => limits::LIFECYCLE_XML_BYTES_MAX,
        _ => limits::OSS_XML_BYTES_MAX,
    };
    Some(match caller {
        Caller::Anonymous => most.min(limits::ANONYMOUS_DOCUMENT_BYTES_MAX),
        Caller::Key { .. } => most,
    })
}

/// What is promised to be too long is refused before it is asked for. Where nothing is promised, the front counts.
fn bound_document(operation: &str, exchange: &Exchange) -> Result<(), S3Fault> {
    let most = document_bytes_max(operation, &exchange.notes().caller);
    exchange.notes().document_bytes_max = most;
    match (most, exchange.promised) {
        (Some(most), Promised::Length(length)) if length > most as u64 => Err(S3Fault::from_body(BodyError::TooLarge)),
        _ => Ok(()),
    }
}

/// The library reads a document whole, and takes it apart, before a handler can say who may send it. So what an unknown
/// client may not do at all is refused here: its megabytes are not asked for.
async fn before_document(
    deps: &HttpDeps,
    operation: &'static str,
    path: &S3Path,
    exchange: &Exchange,
) -> Result<(), S3Fault> {
    let caller = exchange.notes().caller.clone();
    match operation {
        "NotImplemented" => Err(S3Fault::new("NotImplemented")),
        "CreateBucket" if caller == Caller::Anonymous => Err(S3Fault::new("AccessDenied")),
        "PutBucketAcl"
        | "PutBucketCors"
        | "PutBucketPolicy"
        | "PutObjectAcl"
        | "PutBucketTagging"
        | "PutObjectTagging"
        | "PutBucketLifecycleConfiguration"
        | "PutBucketVersioning"
        | "PutBucketAccelerateConfiguration"
        | "PutBucketEncryption"
        | "PutBucketLogging"
        | "PutBucketOwnershipControls"
        | "PutBucketRequestPayment"
        | "PutBucketWebsite"
        | "PutPublicAccessBlock"
        | "PutObjectLockConfiguration"
        | "PutObjectRetention"
        | "PutObjectLegalHold"
        | "DeleteObjects"
        | "CompleteMultipartUpload"
        | "RestoreObject"
            if caller == Caller::Anonymous =>
        {
            let store = |error| S3Fault::from_store(&error, Subject::default());
            let name = path.get_bucket_name().unwrap_or_default();
            let valid = BucketName::new(name).ok_or_else(|| S3Fault::no_such_bucket(name))?;
            let bucket = deps.meta.bucket(&valid).await.map_err(store)?.ok_or_else(|| S3Fault::no_such_bucket(name))?;
            if operation == "DeleteObjects" && bucket.settings.policy.is_some() {
                // A policy may speak of single keys, which stand in the document.
                return Ok(());
            }
            let key = path.get_object_key().and_then(ObjectKey::new);
            let object = match &key {
                Some(key) => deps.meta.object(bucket.id, key).await.map_err(store)?.and_then(|object| object.acl),
                None => None,
            };
            let permission = policy::permission(operation).ok_or_else(|| S3Fault::new("AccessDenied"))?;
            let key = key.as_ref().map(ObjectKey::as_bytes);
            let wanted = Wanted { bucket: &bucket, key, object, permission };
            let may = access::decide(&deps.policies, caller.identity(), wanted, &exchange.circumstances);
            if may { Ok(()) } else { Err(S3Fault::new("AccessDenied")) }
        }
        _ => Ok(()),
    }
}

/// A temporary credential's own policy bounds whatever is asked, also where there is no bucket to decide over.
pub(super) fn check_session(
    operation: &'static str,
    bucket: &str,
    key: Option<&[u8]>,
    caller: &Caller,
    exchange: &Exchange,
) -> Result<(), S3Fault> {
    // Each key of a list is judged by itself; what is not built says so itself.
    let Some(permission) = policy::permission(operation).filter(|_| operation != "DeleteObjects") else {
        return Ok(());
    };
    match access::within_session(caller.identity(), bucket, None, key, permission, &exchange.circumstances) {
        true => Ok(()),
        false => Err(S3Fault::new("AccessDenied")),
    }
}

/// Operations that answer, and those that have no sub-resource.
pub(crate) const OPERATIONS: &[&str] = &[
    "ListBuckets",
    "CreateBucket",
    "DeleteBucket",
    "HeadBucket",
    "GetBucketLocation",
    "GetBucketAcl",
    "PutBucketAcl",
    "GetBucketCors",
    "PutBucketCors",
    "DeleteBucketCors",
    "GetBucketPolicy",
    "PutBucketPolicy",
    "DeleteBucketPolicy",
    "GetBucketPolicyStatus",
    "GetBucketVersioning",
    "PutBucketVersioning",
    "ListObjectVersions",
    "GetObjectLockConfiguration",
    "PutObjectLockConfiguration",
    "GetObjectRetention",
    "PutObjectRetention",
    "GetObjectLegalHold",
    "PutObjectLegalHold",
    "ListObjects",
    "ListObjectsV2",
    "PutObject",
    "CopyObject",
    "GetObject",
    "HeadObject",
    "DeleteObject",
    "DeleteObjects",
    "GetObjectAcl",
    "PutObjectAcl",
    "GetObjectTagging",
    "PutObjectTagging",
    "DeleteObjectTagging",
    "GetBucketTagging",
    "PutBucketTagging",
    "DeleteBucketTagging",
    "GetBucketLifecycleConfiguration",
    "PutBucketLifecycleConfiguration",
    "DeleteBucketLifecycle",
    "GetObjectAttributes",
    "RestoreObject",
    "CreateMultipartUpload",
    "UploadPart",
    "UploadPartCopy",
    "CompleteMultipartUpload",
    "AbortMultipartUpload",
    "ListParts",
    "ListMultipartUploads",
    "DeleteBucketEncryption",
    "DeleteBucketOwnershipControls",
    "DeleteBucketWebsite",
    "DeletePublicAccessBlock",
    "GetBucketAccelerateConfiguration",
    "GetBucketEncryption",
    "GetBucketLogging",
    "GetBucketNotificationConfiguration",
    "GetBucketOwnershipControls",
    "GetBucketReplication",
    "GetBucketRequestPayment",
    "GetBucketWebsite",
    "GetPublicAccessBlock",
    "PutBucketAccelerateConfiguration",
    "PutBucketEncryption",
    "PutBucketLogging",
    "PutBucketOwnershipControls",
    "PutBucketRequestPayment",
    "PutBucketWebsite",
    "PutPublicAccessBlock",
];

/// The name for logs and metrics; those that are not built share one.
fn operation_name(name: &str) -> &'static str {
    OPERATIONS.iter().find(|known| **known == name).copied().unwrap_or("NotImplemented")
}

/// Operations that a request without any sub-resource means.
const PLAIN: [&str; 10] = [
    "CreateBucket",
    "DeleteBucket",
    "HeadBucket",
    "ListObjects",
    "ListObjectsV2",
    "PutObject",
    "CopyObject",
    "GetObject",
    "HeadObject",
    "DeleteObject",
];

/// Every sub-resource that either dialect knows. The library falls back to the plain operation for a method that a
/// sub-resource does not have there: a `DELETE ?acl` would delete the bucket.
pub(super) const SUB_RESOURCES: [&str; 52] = [
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "append",
    "attributes",
    "bucketInfo",
    "comp",
    "cors",
    "defaultObjectAcl",
    "delete",
    "encryption",
    "events",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "live",
    "location",
    "logging",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "objectMeta",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "referer",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "session",
    "stat",
    "storageClass",
    "symlink",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
    "vod",
    "website",
    "worm",
];

fn check_sub_resources(operation: &str, at_root: bool, query: &Query) -> Result<(), S3Fault> {
    if at_root || !PLAIN.contains(&operation) {
        return Ok(());
    }
    if let Some(name) = SUB_RESOURCES.iter().find(|name| query.has(name)) {
        return Err(S3Fault::new("NotImplemented").with("ResourceType", *name));
    }
    if query.has("partNumber") && !matches!(operation, "GetObject" | "HeadObject") {
        return Err(S3Fault::new("NotImplemented").with("ResourceType", "partNumber"));
    }
    // It would do it to the newest version.
    match query.text("versionId") {
        Some(version) if !matches!(operation, "GetObject" | "HeadObject" | "DeleteObject") => {
            let message = "This operation does not accept a version-id.";
            Err(S3Fault::invalid_argument(message, "versionId", &version))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn only_a_known_host_names_a_bucket() {
        let rules = HostRules {
            base_domains: vec!["oss.example.com".into()],
            cnames: BTreeMap::from([("cdn.example.org".to_owned(), "films".to_owned())]),
        };
        for (host, bucket) in [
            ("films.oss.example.com:9000", Some("films")),
            ("a.b.oss.example.com", Some("a.b")),
            ("films.localhost:9000", Some("films")),
            ("cdn.example.org", Some("films")),
            ("oss.example.com", None),
            ("localhost:9000", None),
            ("127.0.0.1:9000", None),
            ("[::1]:9000", None),
            ("else.example.org", None),
        ] {
            assert_eq!(host_bucket(&rules, host).as_deref(), bucket, "{host}");
        }
    }

    fn check(operation: &str, query: &str) -> Result<(), &'static str> {
        check_sub_resources(operation, false, &Query::parse(query)).map_err(|fault| fault.code)
    }

    #[test]
    fn a_known_sub_resource_never_falls_through_to_a_plain_operation() {
        for operation in PLAIN {
            for name in SUB_RESOURCES {
                assert_eq!(check(operation, name), Err("NotImplemented"), "{operation} ?{name}");
                assert_eq!(check(operation, &format!("{name}=")), Err("NotImplemented"), "{operation} ?{name}=");
            }
            assert_eq!(check(operation, "x-id=Whatever&unknown=1"), Ok(()), "{operation}");
        }
        for (operation, query, expected) in [
            ("PutObject", "partNumber=1", Err("NotImplemented")),
            ("GetObject", "partNumber=1", Ok(())),
            ("GetObject", "versionId=null", Ok(())),
            ("DeleteObject", "versionId=abc", Ok(())),
            ("PutObject", "versionId=null", Err("InvalidArgument")),
            ("CopyObject", "versionId=null", Err("InvalidArgument")),
            ("DeleteBucket", "versionId=null", Err("InvalidArgument")),
            ("GetObjectAcl", "acl", Ok(())),
            ("DeleteObjects", "delete", Ok(())),
        ] {
            assert_eq!(check(operation, query), expected, "{operation} ?{query}");
        }
        assert!(check_sub_resources("ListBuckets", true, &Query::parse("tagging")).is_ok());
    }

    #[test]
    fn every_operation_takes_a_right_and_no_other_takes_any() {
        for operation in OPERATIONS {
            assert!(policy::permission(operation).is_some(), "{operation}");
        }
        assert_eq!(policy::permission("NotImplemented"), None);
    }

    #[test]
    fn an_operation_that_is_not_built_has_a_name_all_the_same() {
        assert_eq!(operation_name("GetObject"), "GetObject");
        assert_eq!(operation_name("PutBucketReplication"), "NotImplemented");
    }
}
