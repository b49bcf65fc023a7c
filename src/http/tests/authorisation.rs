//! The authorisation matrix: every operation of both dialects, by everybody, under every ACL and policy.
//!
//! What is expected is computed from [`matrix::expected`], a statement of the rules of its own. The tables are complete: an
//! operation that is added does not compile, or fails here, until it has a row.

use crate::http::oss::operation::OssOperation;
use crate::http::oss::route::Target;
use crate::store::*;

use Right::*;

mod matrix;

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
