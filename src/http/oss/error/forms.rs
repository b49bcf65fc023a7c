//! Errors of browser forms.

use http::StatusCode;

use super::OssError;

impl OssError {
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
}
