//! The S3 error document, and every code that this service answers with.
//!
//! What the store reports is turned into these in one place, by matches without a wildcard: a new variant does not compile
//! until this dialect answers it. What the S3 library refuses by itself comes out with its code, and with a message always.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;

use crate::clock::Wall;
use crate::http::body::BodyError;
use crate::http::xml::Writer;
use crate::store::{StoreError, What};

/// An error in S3's language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct S3Fault {
    /// HTTP status.
    pub(super) status: StatusCode,
    /// `Code`.
    pub(super) code: &'static str,
    /// `Message`.
    pub(super) message: Cow<'static, str>,
    /// Further elements in order: name and text.
    pub(super) details: Vec<(&'static str, String)>,
    /// Further response headers.
    pub(super) headers: Vec<(&'static str, String)>,
}

/// What a store error happened to, as far as the handler knows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Subject<'a> {
    /// The bucket's name.
    pub(super) bucket: Option<&'a str>,
    /// The object's key.
    pub(super) key: Option<&'a str>,
}

/// Code, status and message. The messages are what the public service says, as far as it is known.
const CODES: &[(&str, u16, &str)] = &[
    ("AccessControlListNotSupported", 400, "The bucket does not allow ACLs"),
    ("AccessDenied", 403, "Access Denied"),
    ("AccessForbidden", 403, "CORSResponse: This CORS request is not allowed."),
    ("AccountProblem", 403, "There is a problem with your account that prevents the operation from completing."),
    ("AuthorizationHeaderMalformed", 400, "The authorization header is malformed."),
    ("AuthorizationQueryParametersError", 400, "Error parsing the X-Amz-Credential parameter."),
    ("BadDigest", 400, "The Content-MD5 or checksum value that you specified did not match what the server received."),
    ("BadRequest", 400, "Bad Request"),
    (
        "BucketAlreadyExists",
        409,
        "The requested bucket name is not available. The bucket namespace is shared by all \
      users of the system. Please select a different name and try again.",
    ),
    (
        "BucketAlreadyOwnedByYou",
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    ("BucketNotEmpty", 409, "The bucket you tried to delete is not empty."),
    ("ConditionalRequestConflict", 409, "A conflicting operation occurred during the request."),
    ("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"),
    ("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size"),
    ("ExpiredToken", 400, "The provided token has expired."),
    ("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header"),
    ("IncorrectNumberOfFilesInPostRequest", 400, "POST requires exactly one file upload per request."),
    ("InsufficientStorage", 507, "There is not enough free space to store your data."),
    ("InternalError", 500, "We encountered an internal error. Please try again."),
    ("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."),
    ("InvalidArgument", 400, "Invalid Argument"),
    (
        "InvalidBucketAclWithObjectOwnership",
        400,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    ),
    ("InvalidBucketState", 409, "The request is not valid with the current state of the bucket."),
    ("InvalidBucketName", 400, "The specified bucket is not valid."),
    ("InvalidDigest", 400, "The Content-MD5 you specified is not valid."),
    ("InvalidLocationConstraint", 400, "The specified location-constraint is not valid"),
    ("InvalidObjectState", 403, "The operation is not valid for the object's state."),
    (
        "InvalidPart",
        400,
        "One or more of the specified parts could not be found.  The part may not have been uploaded, \
      or the specified entity tag may not match the part's entity tag.",
    ),
    ("InvalidPartNumber", 416, "The requested partnumber is not satisfiable"),
    (
        "InvalidPartOrder",
        400,
        "The list of parts was not in ascending order.  The parts list must be specified in order \
      by part number.",
    ),
    ("InvalidPolicyDocument", 400, "Invalid Policy"),
    ("InvalidRange", 416, "The requested range is not satisfiable"),
    ("InvalidRequest", 400, "Invalid Request"),
    ("InvalidRetentionPeriod", 400, "Default retention period must be a positive integer value of at most 36500 days."),
    ("InvalidStorageClass", 400, "The storage class you specified is not valid"),
    ("InvalidTag", 400, "The tag provided was not a valid tag."),
    (
        "InvalidTargetBucketForLogging",
        400,
        "The target bucket for logging does not exist, is not owned by you, or does not have the appropriate grants.",
    ),
    ("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
    ("InvalidURI", 400, "Couldn't parse the specified URI."),
    ("KeyTooLongError", 400, "Your key is too long"),
    ("MalformedPOSTRequest", 400, "The body of your POST request is not well-formed multipart/form-data."),
    ("MalformedPolicy", 400, "This policy contains invalid Json"),
    (
        "MalformedTrailerError",
        400,
        "The request contained trailing data that was not well-formed or did not conform to \
      our published schema.",
    ),
    ("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema"),
    ("MaxPostPreDataLengthExceeded", 400, "Your POST request fields preceding the upload file were too large."),
    ("MaxMessageLengthExceeded", 400, "Your request was too big."),
    ("MetadataTooLarge", 400, "Your metadata headers exceed the maximum allowed metadata size"),
    ("MethodNotAllowed", 405, "The specified method is not allowed against this resource."),
    ("MissingSecurityHeader", 400, "Your request was missing a required header"),
    ("MissingContentLength", 411, "You must provide the Content-Length HTTP header."),
    ("MissingRequestBodyError", 400, "Request body is empty."),
    ("NoSuchBucket", 404, "The specified bucket does not exist"),
    ("NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist"),
    ("NoSuchBucketPolicy", 404, "The bucket policy does not exist"),
    ("NoSuchCORSConfiguration", 404, "The CORS configuration does not exist"),
    ("NoSuchKey", 404, "The specified key does not exist."),
    ("NoSuchPublicAccessBlockConfiguration", 404, "The public access block configuration was not found"),
    ("NoSuchObjectLockConfiguration", 404, "The specified object does not have a ObjectLock configuration"),
    ("NoSuchTagSet", 404, "The TagSet does not exist"),
    (
        "NoSuchUpload",
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have \
      been aborted or completed.",
    ),
    ("NoSuchVersion", 404, "The specified version does not exist."),
    ("NoSuchWebsiteConfiguration", 404, "The specified bucket does not have a website configuration"),
    ("NotImplemented", 501, "A header or query you provided implies functionality that is not implemented."),
    ("NotModified", 304, "Not Modified"),
    ("ObjectLockConfigurationNotFoundError", 404, "Object Lock configuration does not exist for this bucket"),
    ("OperationAborted", 409, "A conflicting conditional operation is currently in progress against this resource."),
    ("OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found"),
    ("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold"),
    ("ReplicationConfigurationNotFoundError", 404, "The replication configuration was not found"),
    ("QuotaExceeded", 403, "The bucket's quota is exceeded."),
    (
        "RequestTimeout",
        400,
        "Your socket connection to the server was not read from or written to within the timeout \
      period.",
    ),
    ("RequestTimeTooSkewed", 403, "The difference between the request time and the server's time is too large."),
    ("ServerSideEncryptionConfigurationNotFoundError", 404, "The server side encryption configuration was not found"),
    (
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. \
      Check your key and signing method.",
    ),
    ("SlowDown", 503, "Please reduce your request rate."),
    ("UnexpectedContent", 400, "This request does not support content"),
    ("XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
];

impl S3Fault {
    /// An error of the table above.
    pub(super) fn new(code: &str) -> Self {
        let found = CODES.iter().find(|(known, ..)| *known == code);
        debug_assert!(found.is_some(), "{code} is not in the table");
        let (code, status, message) = found.unwrap_or(&("InternalError", 500, "We encountered an internal error."));
        S3Fault {
            status: StatusCode::from_u16(*status).expect("the table holds statuses"),
            code,
            message: Cow::Borrowed(message),
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// With a message of its own.
    pub(super) fn saying(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// With one more element.
    pub(super) fn with(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.details.push((name, text.into()));
        self
    }

    /// With one more response header.
    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// 404: no bucket of that name.
    pub(super) fn no_such_bucket(name: &str) -> Self {
        Self::new("NoSuchBucket").with("BucketName", name)
    }

    /// 404: no object under that key.
    pub(super) fn no_such_key(key: &str) -> Self {
        Self::new("NoSuchKey").with("Key", key)
    }

    /// 403: retention or a legal hold keeps the version as it is.
    pub(super) fn locked() -> Self {
        Self::new("AccessDenied").saying("Access Denied because object protected by object lock.")
    }

    /// 405: a delete marker can only be deleted.
    pub(super) fn is_marker() -> Self {
        Self::new("MethodNotAllowed")
            .with("ResourceType", "DeleteMarker")
            .with_header("allow", "DELETE")
            .with_header("x-amz-delete-marker", "true")
    }

    /// 412; names the header whose condition does not hold.
    pub(super) fn precondition_failed(condition: &'static str) -> Self {
        Self::new("PreconditionFailed").with("Condition", condition)
    }

    /// 400: an argument that cannot be.
    pub(super) fn invalid_argument(message: impl Into<Cow<'static, str>>, name: &str, value: &str) -> Self {
        Self::new("InvalidArgument").saying(message).with("ArgumentName", name).with("ArgumentValue", value)
    }

    /// 501: a header that asks for what is not kept here, and that must not be lost in silence.
    pub(super) fn header_not_implemented(name: &str) -> Self {
        Self::new("NotImplemented").with("Header", name)
    }

    /// 416 with `Content-Range: bytes */SIZE`.
    pub(super) fn invalid_range(requested: &str, size: u64) -> Self {
        Self::new("InvalidRange")
            .with("RangeRequested", requested)
            .with("ActualObjectSize", size.to_string())
            .with_header("content-range", format!("bytes */{size}"))
    }

    /// 403: the clock of the client, or of the server, is wrong.
    pub(super) fn time_too_skewed(request: &str, now: Wall, skew_max_ms: i64) -> Self {
        Self::new("RequestTimeTooSkewed")
            .with("RequestTime", request)
            .with("ServerTime", now.iso())
            .with("MaxAllowedSkewMilliseconds", skew_max_ms.to_string())
    }

    /// What the store reports, said of `subject`.
    pub(super) fn from_store(error: &StoreError, subject: Subject<'_>) -> Self {
        let bucket = subject.bucket.unwrap_or_default();
        let key = subject.key.unwrap_or_default();
        match error {
            StoreError::NotFound(what) => match what {
                What::Bucket => Self::no_such_bucket(bucket),
                What::Object => Self::no_such_key(key),
                What::Upload => Self::new("NoSuchUpload"),
                What::Version => Self::new("NoSuchVersion").with("Key", key),
                // Channels are the other dialect's; the rest no operation asks for by name.
                What::Channel | What::AccessKey | What::Blob | What::Connection => Self::new("InternalError"),
            },
            StoreError::AlreadyExists(what) => match what {
                What::Bucket => Self::new("BucketAlreadyExists").with("BucketName", bucket),
                // Only `If-None-Match: *` asks for a free key.
                What::Object => Self::precondition_failed("If-None-Match"),
                What::Upload | What::Version | What::Channel | What::AccessKey | What::Blob | What::Connection => {
                    Self::new("InternalError")
                }
            },
            StoreError::BucketNotEmpty => Self::new("BucketNotEmpty").with("BucketName", bucket),
            StoreError::PreconditionFailed => Self::precondition_failed("If-Match"),
            StoreError::Locked => Self::locked(),
            StoreError::IsMarker => Self::is_marker(),
            StoreError::InvalidPart(number) => Self::new("InvalidPart").with("PartNumber", number.to_string()),
            StoreError::InvalidPartOrder => Self::new("InvalidPartOrder"),
            StoreError::PartTooSmall { number, size, md5 } => Self::new("EntityTooSmall")
                .with("ProposedSize", size.to_string())
                .with("MinSizeAllowed", crate::limits::S3_PART_BYTES_MIN.to_string())
                .with("PartNumber", number.to_string())
                .with("ETag", hex::encode(md5)),
            StoreError::SizeMismatch { stated, actual } => Self::new("InvalidRequest").saying(format!(
                "The provided 'x-amz-mp-object-size' header value {stated} does not match what was computed: {actual}"
            )),
            StoreError::NotArchived => {
                Self::new("InvalidObjectState").saying("Restore is not allowed for the object's current storage class")
            }
            StoreError::OverQuota => Self::new("QuotaExceeded").with("BucketName", bucket),
            StoreError::DigestMismatch => Self::new("BadDigest"),
            StoreError::TooLarge => Self::entity_too_large(crate::limits::OBJECT_BYTES_MAX),
            StoreError::Full => Self::new("InsufficientStorage"),
            StoreError::Unavailable(_) => Self::slow_down(),
            // Nothing of this dialect appends, publishes or manages channels; corruption is for the operator.
            StoreError::ChannelLive
            | StoreError::ChannelDisabled
            | StoreError::PositionNotLength(_)
            | StoreError::NotAppendable
            | StoreError::StaleEpoch
            | StoreError::Corrupt(_) => Self::new("InternalError"),
        }
    }

    /// 503: worth a retry, and says when.
    pub(super) fn slow_down() -> Self {
        Self::new("SlowDown").with_header("retry-after", crate::limits::HTTP_RETRY_AFTER.as_secs().to_string())
    }

    /// 400: more than one PUT takes.
    pub(super) fn entity_too_large(size_max: u64) -> Self {
        Self::new("EntityTooLarge").with("MaxSizeAllowed", size_max.to_string())
    }

    /// A request body that ended before its end.
    pub(super) fn from_body(error: BodyError) -> Self {
        match error {
            BodyError::Stalled => Self::new("RequestTimeout"),
            BodyError::Incomplete => Self::new("IncompleteBody"),
            BodyError::TooLarge => Self::new("MaxMessageLengthExceeded"),
        }
    }

    /// What the S3 library answered by itself: its code when the table knows it, else its status under the nearest code.
    pub(super) fn from_library(status: StatusCode, code: &str, message: Option<String>) -> Self {
        let mut fault = match CODES.iter().find(|(known, ..)| *known == code) {
            Some((known, ..)) => Self::new(known),
            None if status == StatusCode::NOT_IMPLEMENTED => Self::new("NotImplemented"),
            None if status == StatusCode::METHOD_NOT_ALLOWED => Self::new("MethodNotAllowed"),
            None if status == StatusCode::FORBIDDEN => Self::new("AccessDenied"),
            None if status.is_client_error() => Self::new("InvalidRequest"),
            None => Self::new("InternalError"),
        };
        if let Some(message) = message.filter(|message| !message.is_empty()) {
            fault.message = Cow::Owned(message);
        }
        fault
    }

    /// `Error`. Without the namespace: the public service sends none here.
    pub(super) fn document(&self, resource: &str, request_id: &str, host_id: &str) -> Bytes {
        Writer::document("Error", |w| {
            w.text("Code", self.code);
            w.text("Message", &self.message);
            for (name, text) in &self.details {
                w.text(name, text);
            }
            w.text("Resource", resource);
            w.text("RequestId", request_id);
            w.text("HostId", host_id);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_reports_has_its_code_and_status() {
        let subject = Subject { bucket: Some("films"), key: Some("a/b") };
        for (error, status, code) in [
            (StoreError::NotFound(What::Bucket), 404, "NoSuchBucket"),
            (StoreError::NotFound(What::Object), 404, "NoSuchKey"),
            (StoreError::NotFound(What::Blob), 500, "InternalError"),
            (StoreError::NotFound(What::Version), 404, "NoSuchVersion"),
            (StoreError::IsMarker, 405, "MethodNotAllowed"),
            (StoreError::Locked, 403, "AccessDenied"),
            (StoreError::AlreadyExists(What::Bucket), 409, "BucketAlreadyExists"),
            (StoreError::AlreadyExists(What::Object), 412, "PreconditionFailed"),
            (StoreError::BucketNotEmpty, 409, "BucketNotEmpty"),
            (StoreError::PreconditionFailed, 412, "PreconditionFailed"),
            (StoreError::NotFound(What::Upload), 404, "NoSuchUpload"),
            (StoreError::InvalidPart(3), 400, "InvalidPart"),
            (StoreError::InvalidPartOrder, 400, "InvalidPartOrder"),
            (StoreError::PartTooSmall { number: 1, size: 9, md5: [0; 16] }, 400, "EntityTooSmall"),
            (StoreError::SizeMismatch { stated: 1, actual: 2 }, 400, "InvalidRequest"),
            (StoreError::DigestMismatch, 400, "BadDigest"),
            (StoreError::TooLarge, 400, "EntityTooLarge"),
            (StoreError::Full, 507, "InsufficientStorage"),
            (StoreError::NotArchived, 403, "InvalidObjectState"),
            (StoreError::OverQuota, 403, "QuotaExceeded"),
            (StoreError::Unavailable("disk".into()), 503, "SlowDown"),
            (StoreError::Corrupt("row".into()), 500, "InternalError"),
            (StoreError::NotAppendable, 500, "InternalError"),
        ] {
            let fault = S3Fault::from_store(&error, subject);
            assert_eq!((fault.status.as_u16(), fault.code), (status, code), "{error:?}");
            assert!(!fault.message.is_empty());
        }
    }

    #[test]
    fn the_document_names_the_resource_and_both_ids() {
        let text = S3Fault::no_such_key("a&b").document("/films/a&b", "REQ", "HOST");
        assert_eq!(
            String::from_utf8_lossy(&text),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not \
             exist.</Message><Key>a&amp;b</Key><Resource>/films/a&amp;b</Resource><RequestId>REQ</RequestId>\
             <HostId>HOST</HostId></Error>"
        );
    }

    #[test]
    fn a_bare_error_of_the_library_gets_a_message_and_a_known_code() {
        let of = |status, code: &str, message: Option<&str>| {
            let status = StatusCode::from_u16(status).expect("a status");
            let fault = S3Fault::from_library(status, code, message.map(str::to_owned));
            (fault.status.as_u16(), fault.code, fault.message.into_owned())
        };
        assert_eq!(of(403, "AccessDenied", None), (403, "AccessDenied", "Access Denied".into()));
        assert_eq!(of(400, "InvalidRequest", Some("missing date")), (400, "InvalidRequest", "missing date".into()));
        assert_eq!(of(418, "NoSuchThing", Some("x")), (400, "InvalidRequest", "x".into()));
        assert_eq!(of(501, "NoSuchThing", Some("x")), (501, "NotImplemented", "x".into()));
    }

    #[test]
    fn codes_stand_once_and_their_statuses_are_errors() {
        for (at, (code, status, message)) in CODES.iter().enumerate() {
            assert!(CODES[..at].iter().all(|(other, ..)| other != code), "{code}");
            assert!(*status >= 300 && !message.is_empty(), "{code}");
        }
    }
}
