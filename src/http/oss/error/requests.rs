//! Errors of requests as such, and of the service.

use http::StatusCode;

use super::OssError;

impl OssError {
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

    /// 503: worth a retry, and says when.
    pub fn service_unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Please reduce your request rate.")
            .with_header("retry-after", crate::limits::HTTP_RETRY_AFTER.as_secs().to_string())
    }
}
