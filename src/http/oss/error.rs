//! The OSS error document and every code that this service answers with.
//!
//! One constructor an error, with the status, code, EC and message that the service's documentation or the client
//! libraries' tests fix. What the store and the channel rules report is turned into these in one place, by matches
//! without a wildcard: a new variant does not compile until this dialect answers it.

use http::StatusCode;

use crate::clock::Wall;
use crate::store::settings::RefererRefusal;

mod kinds;
#[cfg(test)]
mod tests;
mod translate;

pub use translate::Subject;

/// An error in OSS's language. Rendered by [`super::xml`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OssError {
    /// HTTP status.
    pub status: StatusCode,
    /// `Code`.
    pub code: &'static str,
    /// `Message`.
    pub message: String,
    /// `EC`, where the service has one for the case.
    pub ec: Option<&'static str>,
    /// Further elements in order: name and text.
    pub details: Vec<(&'static str, String)>,
    /// Further response headers: lower-case name and value (`x-oss-next-append-position`, `content-range`, `allow`).
    pub headers: Vec<(&'static str, String)>,
}

impl OssError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        OssError { status, code, message: message.into(), ec: None, details: Vec::new(), headers: Vec::new() }
    }

    /// With an `EC`.
    pub fn with_ec(mut self, ec: &'static str) -> Self {
        self.ec = Some(ec);
        self
    }

    /// With one more element.
    pub fn with_detail(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.details.push((name, text.into()));
        self
    }

    /// With one more response header; `name` in lower case.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    // ---- buckets ---------------------------------------------------------------------------------------------

    /// 404: no bucket of that name.
    pub fn no_such_bucket(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist.")
            .with_ec("0015-00000101")
            .with_detail("BucketName", name)
    }

    /// 400: the name breaks a rule.
    pub fn invalid_bucket_name(name: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidBucketName", "The specified bucket is not valid.")
            .with_detail("BucketName", name)
    }

    /// 409: somebody has a bucket of that name.
    pub fn bucket_already_exists(name: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. \
             Please select a different name and try again.",
        )
        .with_ec("0015-00000104")
        .with_detail("BucketName", name)
    }

    /// 409: objects, open uploads or live channels remain.
    pub fn bucket_not_empty(name: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "BucketNotEmpty", "The bucket you tried to delete is not empty.")
            .with_ec("0015-00000301")
            .with_detail("BucketName", name)
    }

    /// 400: PutBucket for another place.
    pub fn invalid_location_constraint(location: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidLocationConstraint",
            "The specified location-constraint is not valid.",
        )
        .with_detail("LocationConstraint", location)
    }

    /// 404: the bucket has no CORS rules.
    pub fn no_such_cors_configuration(bucket: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchCORSConfiguration", "The CORS Configuration does not exist.")
            .with_detail("BucketName", bucket)
    }

    /// 404: the bucket has no lifecycle rules.
    pub fn no_such_lifecycle(bucket: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchLifecycle", "No Row found in Lifecycle Table.")
            .with_detail("BucketName", bucket)
    }

    /// 404: the bucket is no website.
    pub fn no_such_website_configuration(bucket: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration.",
        )
        .with_detail("BucketName", bucket)
    }

    /// 404: the bucket encrypts nothing by default.
    pub fn no_such_server_side_encryption_rule(bucket: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NoSuchServerSideEncryptionRule",
            "The server side encryption rule does not exist.",
        )
        .with_detail("BucketName", bucket)
    }

    /// 404: transfer acceleration was never set.
    pub fn no_such_transfer_acceleration_configuration(bucket: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NoSuchTransferAccelerationConfiguration",
            "The bucket has no transfer acceleration configuration.",
        )
        .with_detail("BucketName", bucket)
    }

    /// 400: access logs cannot go there.
    pub fn invalid_target_bucket_for_logging(target: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidTargetBucketForLogging",
            "The target bucket for logging does not exist or is not owned by you.",
        )
        .with_detail("TargetBucket", target)
    }

    /// 400: the bucket has no ACLs.
    pub fn acl_not_supported(bucket: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "AccessControlListNotSupported", "The bucket does not allow ACLs")
            .with_detail("BucketName", bucket)
    }

    /// 403: the page that a read comes from may not use the bucket's objects.
    pub fn denied_by_referer(refusal: RefererRefusal) -> Self {
        let ec = match refusal {
            RefererRefusal::Empty => "0003-00000501",
            RefererRefusal::Refused => "0003-00000502",
            RefererRefusal::NotAllowed => "0003-00000503",
        };
        Self::access_denied_because("You are denied by bucket referer policy.").with_ec(ec)
    }

    /// 404: the bucket has no policy.
    pub fn no_such_bucket_policy(bucket: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchBucketPolicy", "The bucket policy does not exist.")
            .with_detail("BucketName", bucket)
    }

    /// 403: a preflight that no rule allows.
    pub fn cors_forbidden(method: &str, resource_type: &'static str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "AccessForbidden",
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
             method / Access-Control-Request-Method or Access-Control-Requet-Headers are not whitelisted by the \
             resource's CORS spec.",
        )
        .with_detail("Method", method)
        .with_detail("ResourceType", resource_type)
    }

    /// 400: a preflight without `Origin` or `Access-Control-Request-Method`.
    pub fn cors_preflight_incomplete(header: &'static str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "BadRequest",
            format!("Insufficient information. {header} request header needed."),
        )
    }

    // ---- objects ---------------------------------------------------------------------------------------------

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

    // ---- browser forms ---------------------------------------------------------------------------------------

    /// 400: the body is no form, or it ended before its end.
    pub fn malformed_post_request() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "MalformedPOSTRequest",
            "The body of your POST request is not well-formed multipart/form-data.",
        )
    }

    /// 400: fields beyond their bounds.
    pub fn field_item_too_long() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "FieldItemTooLong", "Your POST request's form fields are too large.")
    }

    /// 400: no file, or more than one.
    pub fn incorrect_number_of_files() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "IncorrectNumberOfFilesInPOSTRequest",
            "POST requires exactly one file upload per request.",
        )
    }

    /// 400: a field that a form cannot do without.
    pub fn form_field_missing(name: &str) -> Self {
        let message = format!(
            "Bucket POST must contain a field named '{name}'. If it is specified, please check the order of the fields."
        );
        Self::invalid_argument(&message, name, "")
    }

    /// 400: the policy is none. `why` says what is wrong.
    pub fn invalid_policy_document(why: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidPolicyDocument", why)
    }

    /// 400: the file has fewer bytes than its policy wants.
    pub fn form_file_too_small(size: u64, size_min: u64) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size.",
        )
        .with_detail("ProposedSize", size.to_string())
        .with_detail("MinSizeAllowed", size_min.to_string())
    }

    // ---- callbacks -------------------------------------------------------------------------------------------

    /// 400: `callback` or `callback-var` is not base64.
    pub fn callback_not_base64(name: &str, value: &str) -> Self {
        let ec = if name == "callback" { "0007-00000002" } else { "0007-00000102" };
        Self::invalid_argument("The callback configuration is not base64 encoded.", name, value).with_ec(ec)
    }

    /// 400: `callback` or `callback-var` is not a JSON document.
    pub fn callback_not_json(name: &str, value: &str) -> Self {
        let ec = if name == "callback" { "0007-00000003" } else { "0007-00000103" };
        Self::invalid_argument("The callback configuration is not json format.", name, value).with_ec(ec)
    }

    /// 400: no URL, or more than there may be.
    pub fn invalid_callback_url(value: &str) -> Self {
        Self::invalid_argument("The callbackUrl is invalid.", "callbackUrl", value).with_ec("0007-00000004")
    }

    /// 400: a URL that leads where callbacks may not go.
    pub fn private_callback_address(value: &str) -> Self {
        Self::invalid_argument("Private address is forbidden to callback.", "callbackUrl", value)
            .with_ec("0007-00000008")
    }

    /// 400: nothing to tell.
    pub fn callback_body_missing() -> Self {
        Self::invalid_argument("The callbackBody must not be empty.", "callbackBody", "").with_ec("0007-00000011")
    }

    /// 400: another part of the configuration.
    pub fn invalid_callback_field(name: &str, value: &str) -> Self {
        Self::invalid_argument("The callback configuration is invalid.", name, value)
    }

    /// 203: the object is stored, and the application did not agree.
    pub fn callback_failed(message: &str) -> Self {
        Self::new(StatusCode::NON_AUTHORITATIVE_INFORMATION, "CallbackFailed", message)
    }

    /// 203: the application answered something else than JSON.
    pub fn callback_answer_not_json() -> Self {
        Self::callback_failed("Response body is not valid json format.").with_ec("0007-00000205")
    }

    // ---- live channels ---------------------------------------------------------------------------------------

    /// 404: no channel of that name.
    pub fn no_such_live_channel(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchLiveChannel", "The specified live channel does not exist.")
            .with_ec("0026-00000021")
            .with_detail("LiveChannelName", name)
    }

    /// 409: settings of a channel that is live.
    pub fn channel_still_live() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "ChannelStillLive",
            "Live channel couldn't be updated or deleted when channel is live.",
        )
        .with_ec("0044-00000201")
    }

    /// 409: the channel takes no publisher.
    pub fn live_channel_disabled() -> Self {
        Self::new(StatusCode::CONFLICT, "LiveChannelDisabled", "Live channel is disabled by owner.")
    }

    /// 409: `x-oss-forbid-overwrite: true` and the name is taken. No plain OSS operation answers so.
    pub fn channel_already_exists(name: &str) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "ChannelAlreadyExists",
            "The live channel you specified already exists and can not be overwritten.",
        )
        .with_detail("LiveChannelName", name)
    }

    /// 400: `status` is neither `enabled` nor `disabled`.
    pub fn invalid_channel_status(value: &str) -> Self {
        Self::invalid_argument("The status must be enabled or disabled.", "status", value).with_ec("0017-00000255")
    }

    /// 400: `comp` is neither `stat` nor `history`.
    pub fn invalid_comp(value: &str) -> Self {
        Self::invalid_argument("The comp must be stat or history.", "comp", value)
    }

    /// 400: `max-keys` of ListLiveChannel.
    pub fn invalid_channel_max_keys(value: &str) -> Self {
        Self::invalid_argument("The max-keys must be an integer from 1 to 1000.", "max-keys", value)
            .with_ec("0044-00000101")
    }

    /// 400: `prefix` of ListLiveChannel.
    pub fn invalid_channel_prefix(value: &str) -> Self {
        Self::invalid_argument("The prefix must be UTF-8 of at most 1024 bytes.", "prefix", value)
            .with_ec("0044-00000102")
    }

    /// 400: `marker` of ListLiveChannel.
    pub fn invalid_channel_marker(value: &str) -> Self {
        Self::invalid_argument("The marker must be UTF-8 of at most 1024 bytes.", "marker", value)
            .with_ec("0044-00000103")
    }

    /// 400: the channel's name in a VOD request.
    pub fn invalid_vod_channel(name: &[u8]) -> Self {
        Self::invalid_argument("The live channel name is invalid.", "ChannelName", &String::from_utf8_lossy(name))
            .with_ec("0044-00000302")
    }

    /// 400: `startTime` is missing or not a number.
    pub fn invalid_start_time(value: &str) -> Self {
        Self::invalid_argument("The startTime must be a Unix timestamp.", "startTime", value).with_ec("0044-00000304")
    }

    /// 400: `endTime` is missing or not a number.
    pub fn invalid_end_time(value: &str) -> Self {
        Self::invalid_argument("The endTime must be a Unix timestamp.", "endTime", value).with_ec("0044-00000305")
    }

    /// 400: `startTime` does not lie before `endTime`.
    pub fn start_not_before_end(start: i64) -> Self {
        Self::invalid_argument("The startTime must be before the endTime.", "startTime", &start.to_string())
            .with_ec("0044-00000306")
    }

    /// 400: more than a day.
    pub fn vod_span_too_long(span: i64) -> Self {
        Self::invalid_argument("The time span must not be longer than one day.", "endTime-startTime", &span.to_string())
            .with_ec("0044-00000307")
    }

    /// 400: no fragment in the range. Client tests compare the message.
    pub fn no_fragment_in_span() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidArgument", "No ts file found in specified time span.")
            .with_ec("0044-00000308")
    }

    /// 400: the playlist's object name does not end in `.m3u8`.
    pub fn invalid_vod_playlist_name(name: &str) -> Self {
        Self::invalid_argument("Playlist name must ends with \".m3u8\".", "PlaylistName", name).with_ec("0044-00000403")
    }

    // ---- hls/sign --------------------------------------------------------------------------------------------

    /// 400: the playlist is longer than `hls/sign` takes.
    pub fn playlist_too_big() -> Self {
        Self::invalid_request("Size of playlist is too big.").with_ec("0044-00000404")
    }

    /// 400: the playlist names no fragment.
    pub fn playlist_without_fragment() -> Self {
        Self::invalid_request("No ts found in the playlist.")
    }

    /// 400: the object's name does not end in `.m3u8`.
    pub fn playlist_name_without_suffix() -> Self {
        Self::invalid_request("Playlist name must ends with \".m3u8\".").with_ec("0044-00000403")
    }

    /// 400: a playlist of playlists that also names fragments.
    pub fn master_playlist_has_fragment() -> Self {
        Self::invalid_request("Master playlist has ts file.")
    }

    /// 400: `hls/sign` renews a signature in the URL, and this request has none there.
    pub fn hls_sign_needs_url_signature() -> Self {
        Self::invalid_request("The hls/sign process needs a request that is signed in its URL.")
            .with_ec("0044-00000408")
    }

    /// 400: `x-oss-hls-sign-token` breaks its rule.
    pub fn invalid_hls_sign_token(value: &str) -> Self {
        Self::invalid_argument(
            "The x-oss-hls-sign-token must be at most 100 characters of [0-9A-Za-z_.-].",
            "x-oss-hls-sign-token",
            value,
        )
        .with_ec("0044-00000402")
    }

    // ---- authentication and permission -----------------------------------------------------------------------

    /// 403: no key of that id.
    pub fn invalid_access_key_id(id: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "InvalidAccessKeyId",
            "The OSS Access Key Id you provided does not exist in our records.",
        )
        .with_ec("0002-00000902")
        .with_detail("OSSAccessKeyId", id)
    }

    /// 403: the key is there and disabled. The same code as an unknown key, because clients tell by it that another key
    /// is needed; `UserDisable` would speak of the whole account.
    pub fn access_key_disabled(id: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "InvalidAccessKeyId", "The OSS Access Key Id you provided is disabled.")
            .with_ec("0002-00000904")
            .with_detail("OSSAccessKeyId", id)
    }

    /// 403: the token is not that of the temporary credential, or came with a key that has none.
    pub fn invalid_security_token() -> Self {
        Self::new(StatusCode::FORBIDDEN, "InvalidSecurityToken", "The security token you provided is invalid.")
            .with_ec("0002-00000008")
    }

    /// 403: the temporary credential's time is past.
    pub fn security_token_expired() -> Self {
        Self::new(StatusCode::FORBIDDEN, "SecurityTokenExpired", "The security token you provided has expired.")
            .with_ec("0002-00000007")
    }

    /// 403: carries what the service signed, because people debug with it.
    pub fn signature_does_not_match(id: &str, provided: &str, string_to_sign: &[u8]) -> Self {
        let bytes: Vec<String> = string_to_sign.iter().map(|b| format!("{b:02X}")).collect();
        Self::new(
            StatusCode::FORBIDDEN,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing \
             method.",
        )
        .with_ec("0002-00000040")
        .with_detail("OSSAccessKeyId", id)
        .with_detail("SignatureProvided", provided)
        .with_detail("StringToSign", String::from_utf8_lossy(string_to_sign))
        .with_detail("StringToSignBytes", bytes.join(" "))
    }

    /// 403: the request's time is too far from the service's.
    pub fn request_time_too_skewed(request: Wall, server: Wall, skew_max_ms: i64) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )
        .with_ec("0002-00000504")
        .with_detail("MaxAllowedSkewMilliseconds", skew_max_ms.to_string())
        .with_detail("RequestTime", super::xml::time_text(request))
        .with_detail("ServerTime", super::xml::time_text(server))
    }

    /// 403: no usable date on a signed request.
    pub fn invalid_date() -> Self {
        Self::access_denied_because("OSS authentication requires a valid Date.").with_ec("0002-00000505")
    }

    /// 403: a URL past its time. `ec` differs by scheme.
    pub fn request_expired(expires: Wall, server: Wall, ec: &'static str) -> Self {
        Self::access_denied_because("Request has expired.")
            .with_ec(ec)
            .with_detail("Expires", super::xml::time_text(expires))
            .with_detail("ServerTime", super::xml::time_text(server))
    }

    /// 403: a V4 URL whose time has not come.
    pub fn request_not_yet_valid(starts: Wall, server: Wall) -> Self {
        Self::access_denied_because("Request is not valid yet.")
            .with_ec("0002-00000235")
            .with_detail("RequestTime", super::xml::time_text(starts))
            .with_detail("ServerTime", super::xml::time_text(server))
    }

    /// 403: a V1 or V2 URL that lacks one of its three parameters. Only a missing expiry has an EC of its own.
    pub fn url_signature_incomplete(names: [&'static str; 3], ec: Option<&'static str>) -> Self {
        let [first, second, third] = names;
        let error = Self::access_denied_because(&format!(
            "Query-string authentication requires the {first}, {second} and {third} parameters"
        ));
        OssError { ec, ..error }
    }

    /// 403: `Expires` is not a number.
    pub fn invalid_expires(value: &str) -> Self {
        Self::access_denied_because("Invalid date (should be seconds since epoch).")
            .with_ec("0002-00000070")
            .with_detail("Expires", value)
    }

    /// 400: `Authorization` cannot be read. `ec` differs by scheme.
    pub fn invalid_authorization(ec: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidArgument", "Authorization header is invalid.").with_ec(ec)
    }

    /// 400: an argument of a V4 URL is missing or cannot be read.
    pub fn invalid_v4_argument(name: &'static str, value: &str) -> Self {
        Self::invalid_argument(&format!("The {name} of the signed URL is invalid."), name, value)
    }

    /// 400: `x-oss-expires` is not 1 to 604800.
    pub fn invalid_v4_expires(value: &str) -> Self {
        Self::invalid_argument("The x-oss-expires must be an integer from 1 to 604800.", "x-oss-expires", value)
            .with_ec("0002-00000232")
    }

    /// 400: signed in the header and in the URL at once.
    pub fn two_signatures() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidArgument",
            "Only one auth mechanism allowed; only one of the Authorization header and the signature query parameters \
             may be specified.",
        )
    }

    /// 400: a V4 scope of another day than the request's time.
    pub fn signing_date_differs(date: &str) -> Self {
        Self::invalid_argument("Invalid signing date in the credential.", "Credential", date)
    }

    /// 403: an anonymous caller, who is not allowed this.
    pub fn anonymous_forbidden() -> Self {
        Self::access_denied_because("Anonymous access is forbidden for this operation.")
    }

    /// 403: not allowed on this object.
    pub fn object_access_denied() -> Self {
        Self::access_denied_because("You have no right to access this object.").with_ec("0003-00000001")
    }

    /// 403: not allowed on this bucket.
    pub fn bucket_access_denied(bucket: &str) -> Self {
        Self::access_denied_because("You do not have right to access this bucket.").with_detail("BucketName", bucket)
    }

    /// 403 with a message of its own.
    pub fn access_denied_because(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    // ---- requests as such ------------------------------------------------------------------------------------

    /// 400: an argument breaks its rule. Client code never reads the message.
    pub fn invalid_argument(message: &str, name: &str, value: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidArgument", message)
            .with_detail("ArgumentName", name)
            .with_detail("ArgumentValue", value)
    }

    /// 400: the request as a whole makes no sense.
    pub fn invalid_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidRequest", message)
    }

    /// 400: the body is not the document it should be.
    pub fn malformed_xml() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema.",
        )
    }

    /// A head that is no HTTP (400), that did not end in time (408), or that is longer than a head may be (414 its target,
    /// 431 all of it).
    pub fn unreadable_head(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::URI_TOO_LONG => ("InvalidURI", "The request's target is too long."),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                ("RequestHeaderSectionTooLarge", "The request's header section is too large.")
            }
            StatusCode::REQUEST_TIMEOUT => {
                ("RequestTimeout", "The request's head did not arrive within the timeout period.")
            }
            _ => ("BadRequest", "The request's head could not be read as HTTP/1.1."),
        };
        Self::new(status, code, message)
    }

    /// 405 with `Allow`.
    pub fn method_not_allowed(method: &str, allow: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )
        .with_detail("Method", method)
        .with_header("allow", allow)
    }

    /// 400: an encryption that OSS does not know.
    pub fn invalid_encryption_algorithm(given: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256/KMS.",
        )
        .with_detail("ArgumentName", "x-oss-server-side-encryption")
        .with_detail("ArgumentValue", given)
    }

    /// 400: a tag, or how many there are, breaks a rule. `name` says what `given` is.
    pub fn invalid_tag(name: &str, given: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidTag", "The tag provided was not a valid tag.")
            .with_detail("ArgumentName", name)
            .with_detail("ArgumentValue", given)
    }

    /// 501: known to OSS, not built here.
    pub fn not_implemented(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            "A header or query you provided implies functionality that is not implemented.",
        )
        .with_detail("Header", what)
    }

    /// 500: a bug or corrupt state. What happened is logged, not told.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "We encountered an internal error. Please try again.",
        )
    }

    /// 507: the service keeps what space is left. OSS itself never fills up, so neither status nor code are its own.
    pub fn insufficient_storage() -> Self {
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "InsufficientStorage",
            "The service has too little space left to store this.",
        )
    }

    /// 503: worth a retry.
    pub fn service_unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Please reduce your request rate.")
    }
}
