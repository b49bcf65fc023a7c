//! Errors of authentication and permission.

use http::StatusCode;

use super::OssError;
use crate::clock::Wall;

impl OssError {
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
        .with_detail("RequestTime", crate::http::oss::xml::time_text(request))
        .with_detail("ServerTime", crate::http::oss::xml::time_text(server))
    }

    /// 403: no usable date on a signed request.
    pub fn invalid_date() -> Self {
        Self::access_denied_because("OSS authentication requires a valid Date.").with_ec("0002-00000505")
    }

    /// 403: a URL past its time. `ec` differs by scheme.
    pub fn request_expired(expires: Wall, server: Wall, ec: &'static str) -> Self {
        Self::access_denied_because("Request has expired.")
            .with_ec(ec)
            .with_detail("Expires", crate::http::oss::xml::time_text(expires))
            .with_detail("ServerTime", crate::http::oss::xml::time_text(server))
    }

    /// 403: a V4 URL whose time has not come.
    pub fn request_not_yet_valid(starts: Wall, server: Wall) -> Self {
        Self::access_denied_because("Request is not valid yet.")
            .with_ec("0002-00000235")
            .with_detail("RequestTime", crate::http::oss::xml::time_text(starts))
            .with_detail("ServerTime", crate::http::oss::xml::time_text(server))
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
}
