//! Errors of objects, versions and uploads.

use http::StatusCode;

use super::OssError;

impl OssError {
    /// 404: no object under that key.
    pub fn no_such_key(key: &[u8]) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
            .with_ec("0026-00000001")
            .with_detail("Key", String::from_utf8_lossy(key))
    }

    /// 404: the key has no such version.
    pub fn no_such_version(key: &[u8], version: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchVersion", "The specified version does not exist.")
            .with_detail("Key", String::from_utf8_lossy(key))
            .with_detail("VersionId", version)
    }

    /// 409: retention or a legal hold keeps the object as it is.
    pub fn file_immutable() -> Self {
        Self::new(StatusCode::CONFLICT, "FileImmutable", "The object you specified is immutable.")
    }

    /// 409: the bucket locks its objects, so that it keeps versions for good.
    pub fn versions_are_locked() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "InvalidBucketState",
            "The bucket locks its objects, so its versioning cannot be suspended.",
        )
    }

    /// 405: the version is a delete marker, which can only be deleted.
    pub fn delete_marker_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )
        .with_detail("ResourceType", "DeleteMarker")
        .with_header("allow", "DELETE")
        .with_header("x-oss-delete-marker", "true")
    }

    /// 400: the key breaks a rule.
    pub fn invalid_object_name(key: &[u8]) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidObjectName", "The specified object is not valid.")
            .with_detail("ObjectName", String::from_utf8_lossy(key))
    }

    /// 409: `x-oss-forbid-overwrite: true` and the key is taken.
    pub fn file_already_exists(key: &[u8]) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "FileAlreadyExists",
            "The object you specified already exists and can not be overwritten.",
        )
        .with_ec("0026-00000002")
        .with_detail("Key", String::from_utf8_lossy(key))
    }

    /// 400: `x-oss-forbid-overwrite` is neither `true` nor `false`.
    pub fn invalid_forbid_overwrite(value: &str) -> Self {
        Self::invalid_argument("Invalid x-oss-forbid-overwrite value.", "x-oss-forbid-overwrite", value)
            .with_ec("0017-00000279")
    }

    /// 412; names the header whose condition does not hold.
    pub fn precondition_failed(condition: &str) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold.",
        )
        .with_ec("0017-00001001")
        .with_detail("Condition", condition)
    }

    /// 416 with `Content-Range: bytes */SIZE`.
    pub fn invalid_range(requested: &str, size: u64) -> Self {
        Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", "The requested range cannot be satisfied.")
            .with_detail("ActualObjectSize", size.to_string())
            .with_detail("RangeRequested", requested)
            .with_header("content-range", format!("bytes */{size}"))
    }

    /// 409: an append elsewhere than at the end; tells where the end is.
    pub fn position_not_equal_to_length(length: u64) -> Self {
        Self::new(StatusCode::CONFLICT, "PositionNotEqualToLength", "Position is not equal to file length")
            .with_ec("0026-00000016")
            .with_header("x-oss-next-append-position", length.to_string())
    }

    /// 409: an append to an object that was not made by appending.
    pub fn object_not_appendable() -> Self {
        Self::new(StatusCode::CONFLICT, "ObjectNotAppendable", "The object is not appendable").with_ec("0026-00000017")
    }

    /// 400: AppendObject without `position`.
    pub fn position_missing() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MissingArgument", "Missing Some Required Arguments.")
            .with_ec("0016-00000501")
            .with_detail("ArgumentName", "position")
    }

    /// 400: `position` is not a number of bytes.
    pub fn position_invalid(value: &str) -> Self {
        Self::invalid_argument("The position must be a non-negative integer.", "position", value)
            .with_ec("0016-00000502")
    }

    /// 404: no open upload of that id, or not of this key.
    pub fn no_such_upload(id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
             completed.",
        )
        .with_detail("UploadId", id)
    }

    /// 400: a part to complete was never uploaded, or has another entity tag.
    pub fn invalid_part(number: u32) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidPart",
            "One or more of the specified parts could not be found or the specified entity tag might not have matched \
             the part's entity tag.",
        )
        .with_detail("PartNumber", number.to_string())
    }

    /// 400: the parts to complete are not in ascending order.
    pub fn invalid_part_order() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts list must specified in order by part number.",
        )
        .with_ec("0042-00000209")
    }

    /// 400: a part to complete, not the last, is shorter than `size_min`.
    pub fn part_too_small(number: u32, size: u64, md5: [u8; 16], size_min: u64) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "EntityTooSmall",
            "Your proposed upload smaller than the minimum allowed size.",
        )
        .with_ec("0042-00000213")
        .with_detail("MinSizeAllowed", size_min.to_string())
        .with_detail("ProposedSize", size.to_string())
        .with_detail("PartNumber", number.to_string())
        .with_detail("ETag", hex::encode_upper(md5))
    }

    /// 400: `partNumber` is not 1 to 10000.
    pub fn invalid_part_number(value: &str) -> Self {
        Self::invalid_argument("Part number must be an integer between 1 and 10000, inclusive.", "partNumber", value)
    }

    /// 400: `x-oss-complete-all: yes` and a list of parts.
    pub fn complete_all_with_body() -> Self {
        Self::invalid_argument("The body must be empty when x-oss-complete-all is yes.", "x-oss-complete-all", "yes")
            .with_ec("0042-00000216")
    }

    /// 400: an argument that the operation cannot do without.
    pub fn missing_argument(name: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MissingArgument", "Missing Some Required Arguments.")
            .with_detail("ArgumentName", name)
    }

    /// 400: the body does not have the digest that `Content-MD5` states, or that header is no digest.
    pub fn invalid_digest(stated: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidDigest", "The Content-MD5 you specified was invalid.")
            .with_detail("Content-MD5", stated)
    }

    /// 400: the body is larger than the operation takes.
    pub fn entity_too_large(size_max: u64) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "EntityTooLarge",
            "Your proposed upload exceeds the maximum allowed object size.",
        )
        .with_detail("MaxSizeAllowed", size_max.to_string())
    }

    /// 411: neither a length nor chunked encoding.
    pub fn missing_content_length() -> Self {
        Self::new(
            StatusCode::LENGTH_REQUIRED,
            "MissingContentLength",
            "You must provide the Content-Length HTTP header.",
        )
    }

    /// 400: the body ended before its stated length.
    pub fn incomplete_body() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "IncompleteBody",
            "The request body was terminated before the length stated in Content-Length was reached.",
        )
    }

    /// 400: the body did not arrive in time.
    pub fn request_timeout() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "RequestTimeout",
            "Your socket connection to the server was not read from or written to within the timeout period.",
        )
    }

    /// 400: `x-oss-traffic-limit` is no number of bits a second, or one out of bounds.
    pub fn invalid_traffic_limit(value: &str) -> Self {
        Self::invalid_argument(
            "The x-oss-traffic-limit must be an integer from 819200 to 838860800.",
            "x-oss-traffic-limit",
            value,
        )
        .with_ec("0004-00000502")
    }

    /// 400: user metadata is over its bound.
    pub fn metadata_too_large(bytes_max: usize) -> Self {
        Self::invalid_argument(
            &format!("The length of user metadata must be at most {bytes_max} bytes."),
            "x-oss-meta-*",
            "",
        )
    }
}
