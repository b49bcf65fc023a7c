//! Errors of callbacks.

use http::StatusCode;

use super::OssError;

impl OssError {
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
}
