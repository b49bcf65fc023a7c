//! The authorisation matrix: every operation of both dialects, by everybody, under every ACL and policy.
//!
//! What is expected is computed from [`expected`], a statement of the rules of its own. The tables are complete: an
//! operation that is added does not compile, or fails here, until it has a row.

use std::sync::Arc;

use super::form::Form;
use super::harness::{NOW, Reply, Running, Socket};
use super::signed::{Dialect, Key, Place, Plain};
use crate::clock::Wall;
use crate::http::oss::operation::OssOperation;
use crate::http::oss::route::{Target, route};
use crate::http::query::Query;
use crate::http::s3::OPERATIONS;
use crate::store::credentials::token_digest;
use crate::store::records::testbed::inline_object;
use crate::store::*;

use Right::*;

/// What a row takes, in the words of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// A proven account, whichever.
    Account,
    /// The bucket's names.
    List,
    /// An object's contents.
    Read,
    /// An object's making or removing.
    Write,
    /// What ACLs give to nobody: settings, ACLs, tags, channels.
    Owner,
    /// The policy itself.
    Policy,
}

/// One operation.
struct Row {
    name: &'static str,
    method: &'static str,
    /// `{upload}`, `{new}` and `{n}` are filled in.
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    right: Right,
    /// What policies call it; a copy needs its source's, and a version its object's, too.
    actions: &'static [&'static str],
    /// Statuses of an answer that is no refusal.
    done: &'static [u16],
}

const fn row(
    name: &'static str,
    line: (&'static str, &'static str),
    right: Right,
    actions: &'static [&'static str],
    done: &'static [u16],
) -> Row {
    let (method, target) = line;
    Row { name, method, target, headers: &[], body: "", right, actions, done }
}

impl Row {
    const fn with(mut self, headers: &'static [(&'static str, &'static str)], body: &'static str) -> Row {
        self.headers = headers;
        self.body = body;
        self
    }

    /// Its key is the object's, so that the object's own ACL counts.
    fn is_on_object(&self) -> bool {
        matches!(self.right, Read | Write) && self.target.starts_with(KEY)
    }

    /// It names a version, of a bucket that keeps some.
    fn is_on_version(&self) -> bool {
        self.target.contains("versionId=")
    }

    /// A browser's form, whose key is one of its fields.
    fn is_form(&self) -> bool {
        self.name == "PostObject"
    }
}

/// The object that there is; as a playlist it can be signed line by line.
const KEY: &str = "k.m3u8";
const PLAYLIST: &str = "#EXTM3U\n#EXTINF:1,\n1.ts\n";
const CORS: &str = "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
                    </CORSRule></CORSConfiguration>";
const TAGS: &str = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
const DELETE: &str = "<Delete><Object><Key>k.m3u8</Key></Object></Delete>";
const PARTS: &str = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>\
                     <ETag>\"d41d8cd98f00b204e9800998ecf8427e\"</ETag></Part></CompleteMultipartUpload>";
const LIFECYCLE: &str = "<LifecycleConfiguration><Rule><Prefix>tmp/</Prefix><Status>Enabled</Status><Expiration>\
                         <Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
const LIFECYCLE_S3: &str = "<LifecycleConfiguration><Rule><ID>a</ID><Filter><Prefix>tmp/</Prefix></Filter>\
                            <Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>\
                            </LifecycleConfiguration>";
const VERSIONING: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
const ENCRYPTION: &str = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256\
                          </SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>\
                          </ServerSideEncryptionConfiguration>";
const OWNERSHIP: &str = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>\
                         </OwnershipControls>";
const BLOCK: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>false</BlockPublicAcls>\
                     </PublicAccessBlockConfiguration>";
const LOCKS: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
const RETENTION: &str =
    "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>";
const CHANNEL: &str = "<LiveChannelConfiguration><Target><Type>HLS</Type></Target></LiveChannelConfiguration>";
const ANY_POLICY: &str = r#"{"Version":"1","Statement":[{"Effect":"Allow","Principal":["9"],"Action":["oss:X"],
                            "Resource":["*"]}]}"#;
const COPY_OSS: &[(&str, &str)] = &[("x-oss-copy-source", "/open/src")];
const COPY_S3: &[(&str, &str)] = &[("x-amz-copy-source", "/open/src")];

const OSS: &[Row] = &[
    row("ListBuckets", ("GET", ""), Account, &["oss:ListBuckets"], &[200]),
    row("DescribeRegions", ("GET", "?regions"), Account, &["oss:DescribeRegions"], &[200]),
    row("PutBucket", ("PUT", "{new}"), Account, &["oss:PutBucket"], &[200]),
    row("DeleteBucket", ("DELETE", ""), Owner, &["oss:DeleteBucket"], &[409]),
    row("GetBucketInfo", ("GET", "?bucketInfo"), Owner, &["oss:GetBucketInfo"], &[200]),
    row("GetBucketStat", ("GET", "?stat"), Owner, &["oss:GetBucketStat"], &[200]),
    row("GetBucketLocation", ("GET", "?location"), Owner, &["oss:GetBucketLocation"], &[200]),
    row("GetBucketAcl", ("GET", "?acl"), Owner, &["oss:GetBucketAcl"], &[200]),
    row("PutBucketAcl", ("PUT", "?acl"), Owner, &["oss:PutBucketAcl"], &[200])
        .with(&[("x-oss-acl", "public-read")], ""),
    row("GetBucketCors", ("GET", "?cors"), Owner, &["oss:GetBucketCors"], &[404]),
    row("PutBucketCors", ("PUT", "?cors"), Owner, &["oss:PutBucketCors"], &[200]).with(&[], CORS),
    row("DeleteBucketCors", ("DELETE", "?cors"), Owner, &["oss:DeleteBucketCors"], &[204]),
    row("GetBucketTags", ("GET", "?tagging"), Owner, &["oss:GetBucketTagging"], &[200]),
    row("PutBucketTags", ("PUT", "?tagging"), Owner, &["oss:PutBucketTagging"], &[200]).with(&[], TAGS),
    row("DeleteBucketTags", ("DELETE", "?tagging"), Owner, &["oss:DeleteBucketTagging"], &[204]),
    row("GetBucketPolicy", ("GET", "?policy"), Policy, &["oss:GetBucketPolicy"], &[200, 404]),
    row("PutBucketPolicy", ("PUT", "?policy"), Policy, &["oss:PutBucketPolicy"], &[200]).with(&[], ANY_POLICY),
    row("DeleteBucketPolicy", ("DELETE", "?policy"), Policy, &["oss:DeleteBucketPolicy"], &[204]),
    row("GetBucketPolicyStatus", ("GET", "?policyStatus"), Owner, &["oss:GetBucketPolicyStatus"], &[200]),
    row("ListObjects", ("GET", "?prefix=a"), List, &["oss:ListObjects"], &[200]),
    row("ListObjectsV2", ("GET", "?list-type=2"), List, &["oss:ListObjects"], &[200]),
    row("DeleteMultipleObjects", ("POST", "?delete"), Write, &["oss:DeleteObject"], &[200]).with(&[], DELETE),
    row("PutObject", ("PUT", "k.m3u8"), Write, &["oss:PutObject"], &[200]).with(&[], PLAYLIST),
    row("CopyObject", ("PUT", "k.m3u8"), Write, &["oss:PutObject", "oss:GetObject"], &[200]).with(COPY_OSS, ""),
    row("AppendObject", ("POST", "log{n}?append&position=0"), Write, &["oss:PutObject"], &[200]).with(&[], "x"),
    row("GetObject", ("GET", "k.m3u8"), Read, &["oss:GetObject"], &[200]),
    row("GetObjectHlsSigned", ("GET", "k.m3u8?x-oss-process=hls/sign"), Read, &["oss:GetObject"], &[200]),
    row("HeadObject", ("HEAD", "k.m3u8"), Read, &["oss:GetObject"], &[200]),
    row("GetObjectMeta", ("HEAD", "k.m3u8?objectMeta"), Read, &["oss:GetObject"], &[200]),
    row("DeleteObject", ("DELETE", "k.m3u8"), Write, &["oss:DeleteObject"], &[204]),
    row("GetObjectAcl", ("GET", "k.m3u8?acl"), Owner, &["oss:GetObjectAcl"], &[200]),
    row("PutObjectAcl", ("PUT", "k.m3u8?acl"), Owner, &["oss:PutObjectAcl"], &[200])
        .with(&[("x-oss-object-acl", "private")], ""),
    row("GetObjectTagging", ("GET", "k.m3u8?tagging"), Owner, &["oss:GetObjectTagging"], &[200]),
    row("PutObjectTagging", ("PUT", "k.m3u8?tagging"), Owner, &["oss:PutObjectTagging"], &[200]).with(&[], TAGS),
    row("DeleteObjectTagging", ("DELETE", "k.m3u8?tagging"), Owner, &["oss:DeleteObjectTagging"], &[204]),
    row("PutSymlink", ("PUT", "k.m3u8?symlink"), Write, &["oss:PutObject"], &[200])
        .with(&[("x-oss-symlink-target", "other")], ""),
    row("GetSymlink", ("GET", "k.m3u8?symlink"), Read, &["oss:GetObject"], &[400]),
    row("RestoreObject", ("POST", "k.m3u8?restore"), Write, &["oss:RestoreObject"], &[400]),
    row("InitiateMultipartUpload", ("POST", "k.m3u8?uploads"), Write, &["oss:PutObject"], &[200]),
    row("UploadPart", ("PUT", "k.m3u8?partNumber=1&uploadId={upload}"), Write, &["oss:PutObject"], &[200])
        .with(&[], "x"),
    row(
        "UploadPartCopy",
        ("PUT", "k.m3u8?partNumber=1&uploadId={upload}"),
        Write,
        &["oss:PutObject", "oss:GetObject"],
        &[200],
    )
    .with(COPY_OSS, ""),
    row("CompleteMultipartUpload", ("POST", "k.m3u8?uploadId={upload}"), Write, &["oss:PutObject"], &[400])
        .with(&[], PARTS),
    row("AbortMultipartUpload", ("DELETE", "k.m3u8?uploadId={upload}"), Write, &["oss:AbortMultipartUpload"], &[204]),
    row("ListParts", ("GET", "k.m3u8?uploadId={upload}"), Write, &["oss:ListParts"], &[200]),
    row("ListMultipartUploads", ("GET", "?uploads"), Write, &["oss:ListMultipartUploads"], &[200]),
    row("PutLiveChannel", ("PUT", "cam?live"), Owner, &["oss:PutLiveChannel"], &[200]).with(&[], CHANNEL),
    row("PutLiveChannelStatus", ("PUT", "cam?live&status=disabled"), Owner, &["oss:PutLiveChannelStatus"], &[200]),
    row("GetLiveChannelInfo", ("GET", "cam?live"), Owner, &["oss:GetLiveChannel"], &[200]),
    row("GetLiveChannelStat", ("GET", "cam?live&comp=stat"), Owner, &["oss:GetLiveChannelStat"], &[200]),
    row("GetLiveChannelHistory", ("GET", "cam?live&comp=history"), Owner, &["oss:GetLiveChannelHistory"], &[200]),
    row("ListLiveChannel", ("GET", "?live"), Owner, &["oss:ListLiveChannel"], &[200]),
    row("DeleteLiveChannel", ("DELETE", "cam?live"), Owner, &["oss:DeleteLiveChannel"], &[204]),
    row("PostVodPlaylist", ("POST", "cam/v.m3u8?vod&startTime=1&endTime=2"), Owner, &["oss:PostVodPlaylist"], &[400]),
    row("GetVodPlaylist", ("GET", "cam?vod&startTime=1&endTime=2"), Owner, &["oss:GetVodPlaylist"], &[400]),
    row("GetBucketLifecycle", ("GET", "?lifecycle"), Owner, &["oss:GetBucketLifecycle"], &[200, 404]),
    row("PutBucketLifecycle", ("PUT", "?lifecycle"), Owner, &["oss:PutBucketLifecycle"], &[200]).with(&[], LIFECYCLE),
    row("DeleteBucketLifecycle", ("DELETE", "?lifecycle"), Owner, &["oss:DeleteBucketLifecycle"], &[204]),
    row("GetBucketVersioning", ("GET", "?versioning"), Owner, &["oss:GetBucketVersioning"], &[200]),
    row("ListObjectVersions", ("GET", "?versions"), List, &["oss:ListObjectVersions"], &[200]),
    row("GetBucketSetting", ("GET", "?website"), Owner, &["oss:GetBucketWebsite"], &[404]),
    row("GetBucketSetting", ("GET", "?referer"), Owner, &["oss:GetBucketReferer"], &[200]),
    row("GetBucketSetting", ("GET", "?logging"), Owner, &["oss:GetBucketLogging"], &[200]),
    row("GetBucketSetting", ("GET", "?encryption"), Owner, &["oss:GetBucketEncryption"], &[404]),
    row("GetBucketSetting", ("GET", "?requestPayment"), Owner, &["oss:GetBucketRequestPayment"], &[200]),
    row("GetBucketSetting", ("GET", "?transferAcceleration"), Owner, &["oss:GetBucketTransferAcceleration"], &[404]),
    row("GetBucketSetting", ("GET", "?publicAccessBlock"), Owner, &["oss:GetBucketPublicAccessBlock"], &[200]),
    row("PutBucketSetting", ("PUT", "?website"), Owner, &["oss:PutBucketWebsite"], &[400]),
    row("PutBucketSetting", ("PUT", "?referer"), Owner, &["oss:PutBucketReferer"], &[400]),
    row("PutBucketSetting", ("PUT", "?logging"), Owner, &["oss:PutBucketLogging"], &[400]),
    row("PutBucketSetting", ("PUT", "?encryption"), Owner, &["oss:PutBucketEncryption"], &[400]),
    row("PutBucketSetting", ("PUT", "?requestPayment"), Owner, &["oss:PutBucketRequestPayment"], &[400]),
    row("PutBucketSetting", ("PUT", "?transferAcceleration"), Owner, &["oss:PutBucketTransferAcceleration"], &[400]),
    row("PutBucketSetting", ("PUT", "?publicAccessBlock"), Owner, &["oss:PutBucketPublicAccessBlock"], &[400]),
    row("DeleteBucketSetting", ("DELETE", "?website"), Owner, &["oss:DeleteBucketWebsite"], &[204]),
    row("DeleteBucketSetting", ("DELETE", "?logging"), Owner, &["oss:DeleteBucketLogging"], &[204]),
    row("DeleteBucketSetting", ("DELETE", "?encryption"), Owner, &["oss:DeleteBucketEncryption"], &[204]),
    row("DeleteBucketSetting", ("DELETE", "?publicAccessBlock"), Owner, &["oss:DeleteBucketPublicAccessBlock"], &[204]),
    // Behind all others: a bucket that has kept versions is never again one that has not.
    row("PutBucketVersioning", ("PUT", "?versioning"), Owner, &["oss:PutBucketVersioning"], &[200])
        .with(&[], VERSIONING),
];

const S3: &[Row] = &[
    row("ListBuckets", ("GET", ""), Account, &["s3:ListAllMyBuckets"], &[200]),
    row("CreateBucket", ("PUT", "{new}"), Account, &["s3:CreateBucket"], &[200]),
    row("DeleteBucket", ("DELETE", ""), Owner, &["s3:DeleteBucket"], &[409]),
    row("HeadBucket", ("HEAD", ""), List, &["s3:ListBucket"], &[200]),
    row("GetBucketLocation", ("GET", "?location"), Owner, &["s3:GetBucketLocation"], &[200]),
    row("GetBucketAcl", ("GET", "?acl"), Owner, &["s3:GetBucketAcl"], &[200]),
    row("PutBucketAcl", ("PUT", "?acl"), Owner, &["s3:PutBucketAcl"], &[200]).with(&[("x-amz-acl", "private")], ""),
    row("GetBucketCors", ("GET", "?cors"), Owner, &["s3:GetBucketCORS"], &[404]),
    row("PutBucketCors", ("PUT", "?cors"), Owner, &["s3:PutBucketCORS"], &[200]).with(&[], CORS),
    row("DeleteBucketCors", ("DELETE", "?cors"), Owner, &["s3:PutBucketCORS"], &[204]),
    row("GetBucketTagging", ("GET", "?tagging"), Owner, &["s3:GetBucketTagging"], &[404]),
    row("PutBucketTagging", ("PUT", "?tagging"), Owner, &["s3:PutBucketTagging"], &[204]).with(&[], TAGS),
    row("DeleteBucketTagging", ("DELETE", "?tagging"), Owner, &["s3:PutBucketTagging"], &[204]),
    row("GetBucketPolicy", ("GET", "?policy"), Policy, &["s3:GetBucketPolicy"], &[200, 404]),
    row("PutBucketPolicy", ("PUT", "?policy"), Policy, &["s3:PutBucketPolicy"], &[204]).with(&[], ANY_POLICY),
    row("DeleteBucketPolicy", ("DELETE", "?policy"), Policy, &["s3:DeleteBucketPolicy"], &[204]),
    row("GetBucketPolicyStatus", ("GET", "?policyStatus"), Owner, &["s3:GetBucketPolicyStatus"], &[200, 404]),
    row("GetBucketVersioning", ("GET", "?versioning"), Owner, &["s3:GetBucketVersioning"], &[200]),
    row("ListObjects", ("GET", "?prefix=a"), List, &["s3:ListBucket"], &[200]),
    row("ListObjectsV2", ("GET", "?list-type=2"), List, &["s3:ListBucket"], &[200]),
    row("DeleteObjects", ("POST", "?delete"), Write, &["s3:DeleteObject"], &[200]).with(&[], DELETE),
    row("PutObject", ("PUT", "k.m3u8"), Write, &["s3:PutObject"], &[200]).with(&[], PLAYLIST),
    row("CopyObject", ("PUT", "k.m3u8"), Write, &["s3:PutObject", "s3:GetObject"], &[200]).with(COPY_S3, ""),
    row("GetObject", ("GET", "k.m3u8"), Read, &["s3:GetObject"], &[200]),
    row("HeadObject", ("HEAD", "k.m3u8"), Read, &["s3:GetObject"], &[200]),
    row("GetObjectAttributes", ("GET", "k.m3u8?attributes"), Read, &["s3:GetObject"], &[200])
        .with(&[("x-amz-object-attributes", "ETag")], ""),
    row("DeleteObject", ("DELETE", "k.m3u8"), Write, &["s3:DeleteObject"], &[204]),
    row("GetObjectAcl", ("GET", "k.m3u8?acl"), Owner, &["s3:GetObjectAcl"], &[200]),
    row("PutObjectAcl", ("PUT", "k.m3u8?acl"), Owner, &["s3:PutObjectAcl"], &[200])
        .with(&[("x-amz-acl", "private")], ""),
    row("GetObjectTagging", ("GET", "k.m3u8?tagging"), Owner, &["s3:GetObjectTagging"], &[200]),
    row("PutObjectTagging", ("PUT", "k.m3u8?tagging"), Owner, &["s3:PutObjectTagging"], &[200]).with(&[], TAGS),
    row("DeleteObjectTagging", ("DELETE", "k.m3u8?tagging"), Owner, &["s3:DeleteObjectTagging"], &[204]),
    row("RestoreObject", ("POST", "k.m3u8?restore"), Write, &["s3:RestoreObject"], &[403])
        .with(&[], "<RestoreRequest><Days>1</Days></RestoreRequest>"),
    row("CreateMultipartUpload", ("POST", "k.m3u8?uploads"), Write, &["s3:PutObject"], &[200]),
    row("UploadPart", ("PUT", "k.m3u8?partNumber=1&uploadId={upload}"), Write, &["s3:PutObject"], &[200])
        .with(&[], "x"),
    row(
        "UploadPartCopy",
        ("PUT", "k.m3u8?partNumber=1&uploadId={upload}"),
        Write,
        &["s3:PutObject", "s3:GetObject"],
        &[200],
    )
    .with(COPY_S3, ""),
    row("CompleteMultipartUpload", ("POST", "k.m3u8?uploadId={upload}"), Write, &["s3:PutObject"], &[400])
        .with(&[], PARTS),
    row("AbortMultipartUpload", ("DELETE", "k.m3u8?uploadId={upload}"), Write, &["s3:AbortMultipartUpload"], &[204]),
    row("ListParts", ("GET", "k.m3u8?uploadId={upload}"), Write, &["s3:ListMultipartUploadParts"], &[200]),
    row("ListMultipartUploads", ("GET", "?uploads"), Write, &["s3:ListBucketMultipartUploads"], &[200]),
    row(
        "GetBucketLifecycleConfiguration",
        ("GET", "?lifecycle"),
        Owner,
        &["s3:GetLifecycleConfiguration"],
        &[200, 404],
    ),
    row("PutBucketLifecycleConfiguration", ("PUT", "?lifecycle"), Owner, &["s3:PutLifecycleConfiguration"], &[200])
        .with(&[], LIFECYCLE_S3),
    row("DeleteBucketLifecycle", ("DELETE", "?lifecycle"), Owner, &["s3:PutLifecycleConfiguration"], &[204]),
    row("ListObjectVersions", ("GET", "?versions"), List, &["s3:ListBucketVersions"], &[200]),
    row("GetBucketWebsite", ("GET", "?website"), Owner, &["s3:GetBucketWebsite"], &[404]),
    row("PutBucketWebsite", ("PUT", "?website"), Owner, &["s3:PutBucketWebsite"], &[200])
        .with(&[], "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>"),
    row("DeleteBucketWebsite", ("DELETE", "?website"), Owner, &["s3:DeleteBucketWebsite"], &[204]),
    row("GetBucketLogging", ("GET", "?logging"), Owner, &["s3:GetBucketLogging"], &[200]),
    row("PutBucketLogging", ("PUT", "?logging"), Owner, &["s3:PutBucketLogging"], &[200])
        .with(&[], "<BucketLoggingStatus/>"),
    row("GetBucketEncryption", ("GET", "?encryption"), Owner, &["s3:GetEncryptionConfiguration"], &[200, 404]),
    row("PutBucketEncryption", ("PUT", "?encryption"), Owner, &["s3:PutEncryptionConfiguration"], &[501])
        .with(&[], ENCRYPTION),
    row("DeleteBucketEncryption", ("DELETE", "?encryption"), Owner, &["s3:PutEncryptionConfiguration"], &[204]),
    row("GetBucketRequestPayment", ("GET", "?requestPayment"), Owner, &["s3:GetBucketRequestPayment"], &[200]),
    row("PutBucketRequestPayment", ("PUT", "?requestPayment"), Owner, &["s3:PutBucketRequestPayment"], &[200])
        .with(&[], "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>"),
    row("GetBucketAccelerateConfiguration", ("GET", "?accelerate"), Owner, &["s3:GetAccelerateConfiguration"], &[200]),
    row("PutBucketAccelerateConfiguration", ("PUT", "?accelerate"), Owner, &["s3:PutAccelerateConfiguration"], &[200])
        .with(&[], "<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>"),
    row("GetBucketOwnershipControls", ("GET", "?ownershipControls"), Owner, &["s3:GetBucketOwnershipControls"], &[404]),
    row("PutBucketOwnershipControls", ("PUT", "?ownershipControls"), Owner, &["s3:PutBucketOwnershipControls"], &[200])
        .with(&[], OWNERSHIP),
    row(
        "DeleteBucketOwnershipControls",
        ("DELETE", "?ownershipControls"),
        Owner,
        &["s3:PutBucketOwnershipControls"],
        &[204],
    ),
    row("GetPublicAccessBlock", ("GET", "?publicAccessBlock"), Owner, &["s3:GetBucketPublicAccessBlock"], &[404]),
    row("PutPublicAccessBlock", ("PUT", "?publicAccessBlock"), Owner, &["s3:PutBucketPublicAccessBlock"], &[200])
        .with(&[], BLOCK),
    row("DeletePublicAccessBlock", ("DELETE", "?publicAccessBlock"), Owner, &["s3:PutBucketPublicAccessBlock"], &[204]),
    row("GetObjectLockConfiguration", ("GET", "?object-lock"), Owner, &["s3:GetBucketObjectLockConfiguration"], &[404]),
    row("PutObjectLockConfiguration", ("PUT", "?object-lock"), Owner, &["s3:PutBucketObjectLockConfiguration"], &[409])
        .with(&[], LOCKS),
    row("GetObjectRetention", ("GET", "k.m3u8?retention"), Owner, &["s3:GetObjectRetention"], &[400]),
    row("PutObjectRetention", ("PUT", "k.m3u8?retention"), Owner, &["s3:PutObjectRetention"], &[400])
        .with(&[], RETENTION),
    row("GetObjectLegalHold", ("GET", "k.m3u8?legal-hold"), Owner, &["s3:GetObjectLegalHold"], &[400]),
    row("PutObjectLegalHold", ("PUT", "k.m3u8?legal-hold"), Owner, &["s3:PutObjectLegalHold"], &[400])
        .with(&[], "<LegalHold><Status>OFF</Status></LegalHold>"),
    row("GetBucketNotificationConfiguration", ("GET", "?notification"), Owner, &["s3:GetBucketNotification"], &[200]),
    row("GetBucketReplication", ("GET", "?replication"), Owner, &["s3:GetReplicationConfiguration"], &[404]),
    // Behind all others: a bucket that has kept versions is never again one that has not.
    row("PutBucketVersioning", ("PUT", "?versioning"), Owner, &["s3:PutBucketVersioning"], &[200])
        .with(&[], VERSIONING),
];

/// What a request line alone does not show: a form, and an operation on a version, which takes two rights. Each of the two
/// comes first once, because that is the one that policies deny.
const OSS_MORE: &[Row] = &[
    row("PostObject", ("POST", KEY), Write, &["oss:PutObject"], &[204]),
    row("GetObject", ("GET", VERSION), Read, &["oss:GetObject", "oss:GetObjectVersion"], &[200]),
    row("GetObject", ("GET", VERSION), Read, &["oss:GetObjectVersion", "oss:GetObject"], &[200]),
    row("HeadObject", ("HEAD", VERSION), Read, &["oss:GetObjectVersion", "oss:GetObject"], &[200]),
    // Who may write can bury a version, and not remove it.
    row("DeleteObject", ("DELETE", VERSION), Owner, &["oss:DeleteObject", "oss:DeleteObjectVersion"], &[204]),
    row("DeleteObject", ("DELETE", VERSION), Owner, &["oss:DeleteObjectVersion", "oss:DeleteObject"], &[204]),
];

/// The same over S3.
const S3_MORE: &[Row] = &[
    row("PostObject", ("POST", KEY), Write, &["s3:PutObject"], &[204]),
    row("GetObject", ("GET", VERSION), Read, &["s3:GetObject", "s3:GetObjectVersion"], &[200]),
    row("GetObject", ("GET", VERSION), Read, &["s3:GetObjectVersion", "s3:GetObject"], &[200]),
    row("HeadObject", ("HEAD", VERSION), Read, &["s3:GetObjectVersion", "s3:GetObject"], &[200]),
    row("DeleteObject", ("DELETE", VERSION), Owner, &["s3:DeleteObject", "s3:DeleteObjectVersion"], &[204]),
    row("DeleteObject", ("DELETE", VERSION), Owner, &["s3:DeleteObjectVersion", "s3:DeleteObject"], &[204]),
];

/// Of a bucket whose versions are suspended: what is put replaces it.
const VERSION: &str = "k.m3u8?versionId=null";

macro_rules! operations {
    ($($variant:ident)*) => {
        /// Does not compile when an operation is missing.
        fn name_of(operation: &OssOperation) -> &'static str {
            match operation { $(OssOperation::$variant { .. } => stringify!($variant),)* }
        }
        const NAMES: &[&str] = &[$(stringify!($variant)),*];
    };
}

operations! {
    ListBuckets DescribeRegions PutBucket DeleteBucket GetBucketInfo GetBucketStat GetBucketLocation GetBucketAcl
    PutBucketAcl GetBucketCors PutBucketCors DeleteBucketCors GetBucketTags PutBucketTags DeleteBucketTags
    GetBucketPolicy PutBucketPolicy DeleteBucketPolicy GetBucketPolicyStatus ListObjects ListObjectsV2
    DeleteMultipleObjects PutObject CopyObject AppendObject GetObject GetObjectHlsSigned HeadObject GetObjectMeta
    DeleteObject GetObjectAcl PutObjectAcl GetObjectTagging PutObjectTagging DeleteObjectTagging
    InitiateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload AbortMultipartUpload ListParts
    ListMultipartUploads PutLiveChannel PutLiveChannelStatus GetLiveChannelInfo GetLiveChannelStat
    GetLiveChannelHistory ListLiveChannel DeleteLiveChannel PostVodPlaylist GetVodPlaylist
    GetBucketLifecycle PutBucketLifecycle DeleteBucketLifecycle GetBucketVersioning PutBucketVersioning
    PutSymlink GetSymlink RestoreObject ListObjectVersions GetBucketSetting PutBucketSetting DeleteBucketSetting HeadBucket PostObject
}

/// Who asks, and how they prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Anonymous,
    /// An account, its signature in the header or in the URL.
    Account(Account, Place),
    /// A temporary credential of an account.
    Session(Account, Place, Narrow),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Account {
    TheOwner,
    Another,
}

/// What a temporary credential's own policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Narrow {
    /// There is none.
    NoPolicy,
    /// This very row.
    ThisRow,
    /// Something else.
    SomethingElse,
}

const EVERYBODY: &[Who] = &[
    Who::Anonymous,
    Who::Account(Account::Another, Place::Header),
    Who::Account(Account::Another, Place::Url),
    Who::Account(Account::TheOwner, Place::Header),
    Who::Account(Account::TheOwner, Place::Url),
    Who::Session(Account::TheOwner, Place::Header, Narrow::NoPolicy),
    Who::Session(Account::TheOwner, Place::Url, Narrow::ThisRow),
    Who::Session(Account::TheOwner, Place::Header, Narrow::SomethingElse),
    Who::Session(Account::Another, Place::Header, Narrow::ThisRow),
    Who::Session(Account::Another, Place::Url, Narrow::NoPolicy),
];

/// The bucket's policy: it allows all of the row's actions, and denies the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Nothing,
    AllowsEverybody,
    AllowsTheOther,
    DeniesEverybody,
    /// Denies the owner alone, by the owner's id.
    DeniesTheOwner,
}

/// The rules, said once more: a temporary credential's own policy bounds it; what the policy denies is denied, but for the
/// owner's hold on the policy; the owner may everything else; then what the policy allows; then what the ACLs say.
fn expected(row: &Row, who: Who, bucket: Acl, object: Option<Acl>, says: Says) -> bool {
    let account = match who {
        Who::Anonymous => None,
        Who::Account(account, _) | Who::Session(account, ..) => Some(account),
    };
    if matches!(who, Who::Session(_, _, Narrow::SomethingElse)) {
        return false;
    }
    if row.right == Right::Account {
        return account.is_some();
    }
    let is_owner = account == Some(Account::TheOwner);
    let denied = says == Says::DeniesEverybody || (says == Says::DeniesTheOwner && is_owner);
    if denied {
        return is_owner && row.right == Policy;
    }
    let allowed = says == Says::AllowsEverybody || (says == Says::AllowsTheOther && account == Some(Account::Another));
    let acl = if row.is_on_object() { object.unwrap_or(bucket) } else { bucket };
    let by_acl = match row.right {
        Read => acl != Acl::Private,
        Write => acl == Acl::PublicReadWrite,
        List => bucket != Acl::Private,
        Owner | Policy | Right::Account => false,
    };
    is_owner || allowed || by_acl
}

/// Under which ACLs and policies a row is tried.
fn scenes(row: &Row) -> Vec<(Acl, Option<Acl>, Says)> {
    use Acl::*;
    let mut scenes = Vec::new();
    for bucket in [Private, PublicRead, PublicReadWrite] {
        scenes.push((bucket, None, Says::Nothing));
        if row.is_on_object() {
            scenes.extend([Private, PublicRead, PublicReadWrite].map(|own| (bucket, Some(own), Says::Nothing)));
        }
    }
    scenes.extend([
        (Private, None, Says::AllowsEverybody),
        (Private, None, Says::AllowsTheOther),
        (PublicReadWrite, None, Says::DeniesEverybody),
        (PublicReadWrite, None, Says::DeniesTheOwner),
    ]);
    if row.is_on_object() {
        scenes.push((PublicReadWrite, Some(Private), Says::AllowsEverybody));
        scenes.extend([
            (Private, Some(PublicReadWrite), Says::DeniesEverybody),
            (Private, Some(PublicReadWrite), Says::DeniesTheOwner),
            (PublicReadWrite, Some(PublicRead), Says::DeniesTheOwner),
            (Private, Some(Private), Says::AllowsTheOther),
            (PublicReadWrite, Some(Private), Says::AllowsTheOther),
            (Private, Some(PublicRead), Says::AllowsTheOther),
        ]);
    }
    scenes
}

/// It has an answer only for everybody's website.
const ELSEWHERE: [&str; 1] = ["HeadBucket"];

#[test]
fn every_oss_operation_has_a_row_and_every_row_is_that_operation() {
    for row in OSS {
        let target = row.target.replace("{upload}", &"0".repeat(32)).replace("{new}", "").replace("{n}", "");
        let (key, query) = target.split_once('?').unwrap_or((&target, ""));
        let copy_source = row.headers.iter().find(|(name, _)| *name == "x-oss-copy-source");
        let on_service = row.right == Right::Account && row.method == "GET";
        let target = Target {
            bucket: (!on_service).then_some("films"),
            key: key.as_bytes(),
            copy_source: copy_source.map(|(_, value)| value.as_bytes()),
        };
        let method = row.method.parse().expect("a method");
        let operation = route(&method, target, &Query::parse(query)).expect("a request line");
        assert_eq!(name_of(&operation), row.name);
        let names = operation.permission().names();
        assert!(names.contains(&row.actions[0]), "{}: {names:?}", row.name);
    }
    for name in NAMES.iter().filter(|name| !ELSEWHERE.contains(name)) {
        assert!(OSS.iter().chain(OSS_MORE).any(|row| row.name == *name), "no row for {name}");
    }
}

#[test]
fn every_s3_operation_has_a_row() {
    for name in OPERATIONS {
        assert!(S3.iter().any(|row| row.name == *name), "no row for {name}");
    }
    for row in S3 {
        assert!(OPERATIONS.contains(&row.name), "{} is no operation", row.name);
    }
}

#[tokio::test]
async fn everybody_may_what_the_rules_say_over_oss() {
    run(Dialect::Oss, OSS, OSS_MORE).await;
}

#[tokio::test]
async fn everybody_may_what_the_rules_say_over_s3() {
    run(Dialect::S3, S3, S3_MORE).await;
}

/// A service with the bucket `films` of `owner`, and `open`, readable by all.
struct Matrix {
    running: Running,
    socket: Socket,
    films: BucketRecord,
    count: u64,
}

async fn run(dialect: Dialect, rows: &[Row], more: &[Row]) {
    let mut matrix = Matrix::start().await;
    for (at, row) in rows.iter().chain(more).enumerate() {
        for narrow in [Narrow::NoPolicy, Narrow::ThisRow, Narrow::SomethingElse] {
            matrix.make_sessions(at, row, narrow).await;
        }
        for (bucket, object, says) in scenes(row) {
            for who in EVERYBODY {
                matrix.check(dialect, at, row, *who, (bucket, object, says)).await;
            }
        }
    }
    // What the matrix is worth if it asks little.
    assert!(matrix.count > 2_000, "{}", matrix.count);
}

impl Matrix {
    async fn start() -> Self {
        let running = Running::start().await;
        let owner = running.bucket("examplebucket").await.owner;
        let name = |text| BucketName::new(text).expect("valid");
        let open = running.meta.create_bucket(&name("open"), owner, Acl::PublicRead, NOW).await.expect("free");
        let films = running.meta.create_bucket(&name("films"), owner, Acl::Private, NOW).await.expect("free");
        put_object(&running.meta, open.id, "src", None).await;
        let socket = running.connect().await;
        Matrix { running, socket, films, count: 0 }
    }

    async fn make_sessions(&self, at: usize, row: &Row, narrow: Narrow) {
        let policy = |actions: &str| {
            format!(r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":[{actions}],"Resource":["*"]}}]}}"#)
        };
        let policy = match narrow {
            Narrow::NoPolicy => None,
            Narrow::ThisRow => {
                Some(policy(&row.actions.iter().map(|a| format!("\"{a}\"")).collect::<Vec<_>>().join(",")))
            }
            Narrow::SomethingElse => Some(policy("\"oss:NothingThatIs\"")),
        };
        for account in [Account::TheOwner, Account::Another] {
            let key = session_key(at, account, narrow);
            let session = NewSessionKey {
                id: key.id,
                secret: key.secret,
                token_sha256: token_digest(key.token.expect("temporary").as_bytes()),
                expires: Wall(NOW.0 + 60_000),
                policy: policy.clone(),
            };
            let parent = account_key(account).id;
            self.running.meta.put_session_key(&parent, session, NOW).await.expect("a new credential");
        }
    }

    /// Everything as it is at first, whatever the request before did.
    async fn set(&self, row: &Row, (bucket, object, says): (Acl, Option<Acl>, Says)) -> UploadId {
        let (meta, films) = (&self.running.meta, &self.films);
        meta.set_bucket_acl(films.id, bucket).await.expect("there");
        let setting = BucketSetting::Policy(policy_text(row, films.owner, says));
        meta.set_bucket_setting(films.id, setting).await.expect("there");
        if row.is_on_version() {
            meta.set_bucket_versioning(films.id, Versioning::Suspended).await.expect("there");
        }
        meta.set_bucket_cors(films.id, CorsConfig::default()).await.expect("there");
        meta.set_bucket_tags(films.id, Vec::new()).await.expect("there");
        put_object(meta, films.id, KEY, object).await;
        let config = ChannelConfig {
            description: String::new(),
            display_name: None,
            status: ChannelStatus::Enabled,
            frag_duration: 5,
            frag_count: 3,
            playlist_name: "playlist.m3u8".into(),
            snapshot: None,
        };
        let channel = ChannelName::new("cam").expect("valid");
        meta.put_channel(films.id, &channel, config, false, NOW).await.expect("not live");
        let id = UploadId(u128::from(self.count) + 1);
        if row.target.contains("{upload}") {
            begin_upload(meta, films.id, id).await;
        }
        id
    }

    async fn check(&mut self, dialect: Dialect, at: usize, row: &Row, who: Who, scene: (Acl, Option<Acl>, Says)) {
        let (key, place) = match who {
            Who::Anonymous => (None, Place::Header),
            Who::Account(account, place) => (Some(account_key(account)), place),
            Who::Session(account, place, narrow) => (Some(session_key(at, account, narrow)), place),
        };
        // This one takes a signature in the URL by its nature.
        if row.name == "GetObjectHlsSigned" && (key.is_none() || place == Place::Header) {
            return;
        }
        self.count += 1;
        let upload = self.set(row, scene).await;
        let reply = if row.is_form() {
            self.socket.call(form(dialect, key.as_ref(), place).call().bucket("films")).await
        } else {
            self.plain(dialect, row, upload).signed(key.as_ref(), place).send(&mut self.socket).await
        };
        let (bucket, object, says) = scene;
        let told = format!("{dialect:?} {} by {who:?} in {scene:?}: {reply:?}", row.name);
        match expected(row, who, bucket, object, says) {
            true => assert!(row.done.contains(&reply.status) && !is_refused(&reply), "should be allowed: {told}"),
            false => assert!(is_refused(&reply), "should be refused: {told}"),
        }
    }

    fn plain(&self, dialect: Dialect, row: &Row, upload: UploadId) -> Plain {
        let upload = upload.to_string();
        let target = row.target.replace("{upload}", &upload).replace("{n}", &self.count.to_string());
        let (key, query) = target.split_once('?').unwrap_or((&target, ""));
        let (bucket, key) = match (row.right, key) {
            (Right::Account, "{new}") => (format!("new-{}", self.count), ""),
            (Right::Account, _) => (String::new(), ""),
            _ => ("films".to_owned(), key),
        };
        let mut plain = Plain::new(dialect, row.method, &bucket, key, query).body(row.body);
        for (name, value) in row.headers {
            plain = plain.header(name, value);
        }
        if query == "delete" { plain.md5() } else { plain }
    }
}

/// A form for the object. A form has one place for its signature, so the place stands for the version: 4, or the older.
fn form(dialect: Dialect, key: Option<&Key>, place: Place) -> Form {
    let form = Form::default().field("key", KEY);
    let form = match key {
        Some(key) => form.signed_by(dialect, key, place == Place::Header, &format!(r#"{{"key": "{KEY}"}}"#)),
        // By nothing else is an anonymous form one dialect's or the other's.
        None => match dialect {
            Dialect::Oss => form.field("x-oss-meta-a", "1"),
            Dialect::S3 => form.field("x-amz-meta-a", "1"),
        },
    };
    form.file("p.m3u8", PLAYLIST.as_bytes())
}

fn is_refused(reply: &Reply) -> bool {
    let told = String::from_utf8_lossy(&reply.body);
    match reply.status {
        403 => told.is_empty() || told.contains("<Code>AccessDenied</Code>"),
        // A list of keys has a word for each.
        200 => told.contains("<Code>AccessDenied</Code>"),
        _ => false,
    }
}

fn account_key(account: Account) -> Key {
    match account {
        Account::TheOwner => Key::new("ownerKey", "ownerSecret"),
        Account::Another => Key::new("otherKey", "otherSecret"),
    }
}

fn session_key(at: usize, account: Account, narrow: Narrow) -> Key {
    let name = format!("{at}{account:?}{narrow:?}");
    Key::new(&format!("STS.{name}"), &format!("secret{name}")).token(&format!("token{name}"))
}

fn policy_text(row: &Row, owner: AccountId, says: Says) -> Option<String> {
    let (effect, principal, actions) = match says {
        Says::Nothing => return None,
        Says::AllowsEverybody => ("Allow", "*".to_owned(), row.actions),
        Says::AllowsTheOther => ("Allow", "other".to_owned(), row.actions),
        Says::DeniesEverybody => ("Deny", "*".to_owned(), &row.actions[..1]),
        Says::DeniesTheOwner => ("Deny", owner.0.to_string(), &row.actions[..1]),
    };
    let actions = actions.join("\",\"");
    let resources = r#"["acs:oss:*:*:films","arn:aws:s3:::films/*"]"#;
    Some(format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"{effect}","Principal":["{principal}"],"Action":["{actions}"],
            "Resource":{resources}}}]}}"#
    ))
}

async fn put_object(meta: &Arc<dyn MetaStore>, bucket: BucketId, key: &str, acl: Option<Acl>) {
    let made = inline_object(bucket, key, PLAYLIST.as_bytes());
    let object = ObjectRecord { acl, last_modified: NOW, ..made };
    let commit = ObjectCommit { object, condition: WriteCondition::Always };
    meta.commit_object(commit, NOW).await.expect("stored");
}

async fn begin_upload(meta: &Arc<dyn MetaStore>, bucket: BucketId, id: UploadId) {
    let upload = UploadRecord {
        bucket,
        key: ObjectKey::new(KEY).expect("valid"),
        id,
        initiated: NOW,
        acl: None,
        headers: ContentHeaders::default(),
        user_metadata: Vec::new(),
        tags: Vec::new(),
        storage_class: StorageClass::default(),
        attributes: ObjectAttributes::default(),
        checksum: None,
    };
    meta.begin_upload(upload, NOW).await.expect("open");
}
