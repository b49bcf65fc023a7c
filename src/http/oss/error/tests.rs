//! One row an error: what clients and their tests see of it.

use super::*;
use crate::clock::Wall;
use crate::live::channel::{ChannelNameError, ChannelRuleError};
use crate::store::{StoreError, What};

fn head(error: &OssError) -> (u16, &str, Option<&str>, &str) {
    (error.status.as_u16(), error.code, error.ec, &error.message)
}

#[test]
fn errors_whose_message_is_part_of_the_contract() {
    let (request, server) = (Wall(0), Wall(1_000));
    for (error, expected) in [
        (
            OssError::no_such_bucket("b"),
            (404, "NoSuchBucket", Some("0015-00000101"), "The specified bucket does not exist."),
        ),
        (
            OssError::no_such_live_channel("c"),
            (404, "NoSuchLiveChannel", Some("0026-00000021"), "The specified live channel does not exist."),
        ),
        (
            OssError::channel_still_live(),
            (
                409,
                "ChannelStillLive",
                Some("0044-00000201"),
                "Live channel couldn't be updated or deleted when channel is live.",
            ),
        ),
        (OssError::live_channel_disabled(), (409, "LiveChannelDisabled", None, "Live channel is disabled by owner.")),
        (
            OssError::no_fragment_in_span(),
            (400, "InvalidArgument", Some("0044-00000308"), "No ts file found in specified time span."),
        ),
        (
            OssError::malformed_post_request(),
            (
                400,
                "MalformedPOSTRequest",
                None,
                "The body of your POST request is not well-formed multipart/form-data.",
            ),
        ),
        (
            OssError::callback_not_json("callback", "x"),
            (400, "InvalidArgument", Some("0007-00000003"), "The callback configuration is not json format."),
        ),
        (
            OssError::private_callback_address("http://10.0.0.1/"),
            (400, "InvalidArgument", Some("0007-00000008"), "Private address is forbidden to callback."),
        ),
        (
            OssError::callback_answer_not_json(),
            (203, "CallbackFailed", Some("0007-00000205"), "Response body is not valid json format."),
        ),
        (
            OssError::malformed_xml(),
            (
                400,
                "MalformedXML",
                None,
                "The XML you provided was not well-formed or did not validate against our published schema.",
            ),
        ),
        (
            OssError::invalid_access_key_id("i"),
            (
                403,
                "InvalidAccessKeyId",
                Some("0002-00000902"),
                "The OSS Access Key Id you provided does not exist in our records.",
            ),
        ),
        (
            OssError::access_key_disabled("i"),
            (403, "InvalidAccessKeyId", Some("0002-00000904"), "The OSS Access Key Id you provided is disabled."),
        ),
        (
            OssError::signature_does_not_match("i", "s", b"x"),
            (
                403,
                "SignatureDoesNotMatch",
                Some("0002-00000040"),
                "The request signature we calculated does not match the signature you provided. Check your key and \
                 signing method.",
            ),
        ),
        (
            OssError::request_time_too_skewed(request, server, 900_000),
            (
                403,
                "RequestTimeTooSkewed",
                Some("0002-00000504"),
                "The difference between the request time and the current time is too large.",
            ),
        ),
        (
            OssError::request_expired(request, server, "0002-00000069"),
            (403, "AccessDenied", Some("0002-00000069"), "Request has expired."),
        ),
        (
            OssError::url_signature_incomplete(["Signature", "Expires", "OSSAccessKeyId"], None),
            (
                403,
                "AccessDenied",
                None,
                "Query-string authentication requires the Signature, Expires and OSSAccessKeyId parameters",
            ),
        ),
        (
            OssError::invalid_date(),
            (403, "AccessDenied", Some("0002-00000505"), "OSS authentication requires a valid Date."),
        ),
        (
            OssError::invalid_expires("x"),
            (403, "AccessDenied", Some("0002-00000070"), "Invalid date (should be seconds since epoch)."),
        ),
        (
            OssError::anonymous_forbidden(),
            (403, "AccessDenied", None, "Anonymous access is forbidden for this operation."),
        ),
        (
            OssError::object_access_denied(),
            (403, "AccessDenied", Some("0003-00000001"), "You have no right to access this object."),
        ),
        (
            OssError::invalid_authorization("0002-00000062"),
            (400, "InvalidArgument", Some("0002-00000062"), "Authorization header is invalid."),
        ),
        (OssError::playlist_too_big(), (400, "InvalidRequest", Some("0044-00000404"), "Size of playlist is too big.")),
        (OssError::playlist_without_fragment(), (400, "InvalidRequest", None, "No ts found in the playlist.")),
        (
            OssError::playlist_name_without_suffix(),
            (400, "InvalidRequest", Some("0044-00000403"), "Playlist name must ends with \".m3u8\"."),
        ),
        (OssError::master_playlist_has_fragment(), (400, "InvalidRequest", None, "Master playlist has ts file.")),
    ] {
        assert_eq!(head(&error), expected);
    }
}

#[test]
fn errors_whose_message_is_free() {
    let (request, server) = (Wall(0), Wall(1_000));
    for (error, status, code, ec) in [
        (OssError::invalid_bucket_name("B"), 400, "InvalidBucketName", None),
        (OssError::bucket_already_exists("b"), 409, "BucketAlreadyExists", Some("0015-00000104")),
        (OssError::bucket_not_empty("b"), 409, "BucketNotEmpty", Some("0015-00000301")),
        (OssError::invalid_location_constraint("x"), 400, "InvalidLocationConstraint", None),
        (OssError::no_such_lifecycle("b"), 404, "NoSuchLifecycle", None),
        (OssError::no_such_cors_configuration("b"), 404, "NoSuchCORSConfiguration", None),
        (OssError::cors_forbidden("GET", "OBJECT"), 403, "AccessForbidden", None),
        (OssError::cors_preflight_incomplete("Origin"), 400, "BadRequest", None),
        (OssError::no_such_key(b"k"), 404, "NoSuchKey", Some("0026-00000001")),
        (OssError::invalid_object_name(b"/"), 400, "InvalidObjectName", None),
        (OssError::file_already_exists(b"k"), 409, "FileAlreadyExists", Some("0026-00000002")),
        (OssError::invalid_forbid_overwrite("x"), 400, "InvalidArgument", Some("0017-00000279")),
        (OssError::precondition_failed("If-Match"), 412, "PreconditionFailed", Some("0017-00001001")),
        (OssError::invalid_range("bytes=-0", 9), 416, "InvalidRange", None),
        (OssError::position_not_equal_to_length(9), 409, "PositionNotEqualToLength", Some("0026-00000016")),
        (OssError::object_not_appendable(), 409, "ObjectNotAppendable", Some("0026-00000017")),
        (OssError::position_missing(), 400, "MissingArgument", Some("0016-00000501")),
        (OssError::position_invalid("x"), 400, "InvalidArgument", Some("0016-00000502")),
        (OssError::no_such_upload("U"), 404, "NoSuchUpload", None),
        (OssError::invalid_part(2), 400, "InvalidPart", None),
        (OssError::invalid_part_order(), 400, "InvalidPartOrder", Some("0042-00000209")),
        (OssError::part_too_small(2, 5, [0; 16], 102_400), 400, "EntityTooSmall", Some("0042-00000213")),
        (OssError::invalid_part_number("0"), 400, "InvalidArgument", None),
        (OssError::complete_all_with_body(), 400, "InvalidArgument", Some("0042-00000216")),
        (OssError::missing_argument("partNumber"), 400, "MissingArgument", None),
        (OssError::invalid_digest("x"), 400, "InvalidDigest", None),
        (OssError::entity_too_large(5), 400, "EntityTooLarge", None),
        (OssError::missing_content_length(), 411, "MissingContentLength", None),
        (OssError::incomplete_body(), 400, "IncompleteBody", None),
        (OssError::request_timeout(), 400, "RequestTimeout", None),
        (OssError::metadata_too_large(8192), 400, "InvalidArgument", None),
        (OssError::channel_already_exists("c"), 409, "ChannelAlreadyExists", None),
        (OssError::invalid_channel_status("x"), 400, "InvalidArgument", Some("0017-00000255")),
        (OssError::invalid_comp("x"), 400, "InvalidArgument", None),
        (OssError::invalid_channel_max_keys("0"), 400, "InvalidArgument", Some("0044-00000101")),
        (OssError::invalid_channel_prefix("x"), 400, "InvalidArgument", Some("0044-00000102")),
        (OssError::invalid_channel_marker("x"), 400, "InvalidArgument", Some("0044-00000103")),
        (OssError::invalid_vod_channel(b""), 400, "InvalidArgument", Some("0044-00000302")),
        (OssError::invalid_start_time(""), 400, "InvalidArgument", Some("0044-00000304")),
        (OssError::invalid_end_time(""), 400, "InvalidArgument", Some("0044-00000305")),
        (OssError::start_not_before_end(2), 400, "InvalidArgument", Some("0044-00000306")),
        (OssError::vod_span_too_long(86_401), 400, "InvalidArgument", Some("0044-00000307")),
        (OssError::invalid_vod_playlist_name("p"), 400, "InvalidArgument", Some("0044-00000403")),
        (OssError::hls_sign_needs_url_signature(), 400, "InvalidRequest", Some("0044-00000408")),
        (OssError::invalid_hls_sign_token("?"), 400, "InvalidArgument", Some("0044-00000402")),
        (OssError::request_not_yet_valid(request, server), 403, "AccessDenied", Some("0002-00000235")),
        (OssError::invalid_v4_argument("x-oss-date", "x"), 400, "InvalidArgument", None),
        (OssError::invalid_v4_expires("0"), 400, "InvalidArgument", Some("0002-00000232")),
        (OssError::two_signatures(), 400, "InvalidArgument", None),
        (OssError::signing_date_differs("20231114"), 400, "InvalidArgument", None),
        (OssError::bucket_access_denied("b"), 403, "AccessDenied", None),
        (OssError::invalid_argument("m", "n", "v"), 400, "InvalidArgument", None),
        (OssError::invalid_request("m"), 400, "InvalidRequest", None),
        (OssError::method_not_allowed("PUT", "GET"), 405, "MethodNotAllowed", None),
        (OssError::invalid_encryption_algorithm("x"), 400, "InvalidEncryptionAlgorithmError", None),
        (OssError::not_implemented("tagging"), 501, "NotImplemented", None),
        (OssError::symlink_target_not_exist(b"k"), 404, "SymlinkTargetNotExist", None),
        (OssError::invalid_target_type(b"k"), 400, "InvalidTargetType", None),
        (OssError::not_symlink(b"k"), 400, "NotSymlink", None),
        (OssError::invalid_symlink_target("/"), 400, "InvalidArgument", None),
        (OssError::invalid_object_state(b"k"), 403, "InvalidObjectState", None),
        (OssError::operation_not_supported("k"), 400, "OperationNotSupported", None),
        (OssError::invalid_storage_class("n", "v"), 400, "InvalidArgument", None),
        (OssError::quota_exceeded("b"), 403, "QuotaExceeded", None),
        (OssError::internal(), 500, "InternalError", None),
        (OssError::insufficient_storage(), 507, "InsufficientStorage", None),
        (OssError::service_unavailable(), 503, "ServiceUnavailable", None),
    ] {
        assert_eq!((error.status.as_u16(), error.code, error.ec), (status, code, ec));
        assert!(!error.message.is_empty(), "{code}");
    }
}

#[test]
fn further_elements_and_headers() {
    let details = |error: OssError| error.details;
    let of = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        pairs.iter().map(|(name, text)| (*name, text.to_string())).collect()
    };
    assert_eq!(details(OssError::no_such_bucket("b")), of(&[("BucketName", "b")]));
    assert_eq!(details(OssError::no_such_key(b"k\xff")), of(&[("Key", "k\u{fffd}")]));
    assert_eq!(details(OssError::precondition_failed("If-None-Match")), of(&[("Condition", "If-None-Match")]));
    let range = OssError::invalid_range("bytes=1000-", 1000);
    assert_eq!(range.headers, of(&[("content-range", "bytes */1000")]));
    assert_eq!(range.details, of(&[("ActualObjectSize", "1000"), ("RangeRequested", "bytes=1000-")]));
    let append = OssError::position_not_equal_to_length(7);
    assert_eq!(append.headers, of(&[("x-oss-next-append-position", "7")]));
    assert_eq!(OssError::method_not_allowed("PUT", "GET, POST").headers, of(&[("allow", "GET, POST")]));
    let skew = OssError::request_time_too_skewed(Wall(0), Wall(1_000_500), 900_000);
    let expected = [
        ("MaxAllowedSkewMilliseconds", "900000"),
        ("RequestTime", "1970-01-01T00:00:00.000Z"),
        ("ServerTime", "1970-01-01T00:16:40.000Z"),
    ];
    assert_eq!(skew.details, of(&expected));
    let expired = OssError::request_expired(Wall(0), Wall(1_000), "e");
    assert_eq!(
        expired.details,
        of(&[("Expires", "1970-01-01T00:00:00.000Z"), ("ServerTime", "1970-01-01T00:00:01.000Z")])
    );
}

#[test]
fn store_errors_in_this_dialects_words() {
    let subject = Subject { bucket: Some("b"), key: Some(b"k"), channel: Some("c") };
    for (error, expected) in [
        (StoreError::NotFound(What::Bucket), OssError::no_such_bucket("b")),
        (StoreError::NotFound(What::Object), OssError::no_such_key(b"k")),
        (StoreError::NotFound(What::Channel), OssError::no_such_live_channel("c")),
        (StoreError::NotFound(What::AccessKey), OssError::internal()),
        (StoreError::NotFound(What::Blob), OssError::internal()),
        (StoreError::NotFound(What::Connection), OssError::internal()),
        (StoreError::AlreadyExists(What::Bucket), OssError::bucket_already_exists("b")),
        (StoreError::AlreadyExists(What::Object), OssError::file_already_exists(b"k")),
        (StoreError::AlreadyExists(What::Channel), OssError::channel_already_exists("c")),
        (StoreError::BucketNotEmpty, OssError::bucket_not_empty("b")),
        (StoreError::ChannelLive, OssError::channel_still_live()),
        (StoreError::ChannelDisabled, OssError::live_channel_disabled()),
        (StoreError::PreconditionFailed, OssError::precondition_failed("If-Match")),
        (StoreError::PositionNotLength(5), OssError::position_not_equal_to_length(5)),
        (StoreError::NotAppendable, OssError::object_not_appendable()),
        (StoreError::StaleEpoch, OssError::internal()),
        (StoreError::NotArchived, OssError::operation_not_supported("k")),
        (StoreError::OverQuota, OssError::quota_exceeded("b")),
        (StoreError::DigestMismatch, OssError::invalid_digest("")),
        (StoreError::TooLarge, OssError::entity_too_large(5 << 30)),
        (StoreError::Unavailable("disk full".into()), OssError::service_unavailable()),
        (StoreError::Corrupt("row 7".into()), OssError::internal()),
    ] {
        assert_eq!(OssError::from_store(error.clone(), subject), expected, "{error:?}");
    }
}

#[test]
fn every_rule_of_a_channel_has_its_detail_code() {
    use ChannelRuleError::*;
    for (rule, element, ec) in [
        (DescriptionTooLong, "Description", "0044-00000001"),
        (Status, "Status", "0044-00000002"),
        (SnapshotRepeated, "Snapshot", "0044-00000003"),
        (SnapshotInterval, "Interval", "0044-00000005"),
        (SnapshotNotifyTopic, "NotifyTopic", "0044-00000006"),
        (SnapshotRoleName, "RoleName", "0044-00000007"),
        (SnapshotDestBucket, "DestBucket", "0044-00000008"),
        (Type, "Type", "0044-00000013"),
        (FragDuration, "FragDuration", "0044-00000014"),
        (FragCount, "FragCount", "0044-00000015"),
        (PlaylistNameSlash, "PlaylistName", "0044-00000016"),
        (PlaylistNameTooLong, "PlaylistName", "0044-00000017"),
        (PlaylistNameSuffix, "PlaylistName", "0044-00000018"),
    ] {
        let error = OssError::from(rule);
        assert_eq!((error.status.as_u16(), error.code, error.ec), (400, "InvalidArgument", Some(ec)));
        assert_eq!(error.details, [("ArgumentName", element.to_owned())]);
    }
}

#[test]
fn every_rule_of_a_channels_name_has_its_message() {
    use ChannelNameError::*;
    for (rule, ec, message) in [
        (Empty, Some("0017-00000257"), "ChannelName must not be empty."),
        (TooLong, Some("0017-00000258"), "The Length of channel name must be less than 64."),
        (NotUtf8, Some("0017-00000259"), "The characters encoding must be utf-8."),
        (Slash, Some("0017-00000260"), "ChannelName must not contain a slash."),
        (LeadingBackslash, None, "ChannelName must not begin with a backslash."),
    ] {
        let error = OssError::from_channel_name(rule, b"n");
        assert_eq!(head(&error), (400, "InvalidChannelName", ec, message));
    }
}
