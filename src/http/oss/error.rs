//! The OSS error document and every code that this service answers with.
//!
//! One constructor an error, with the status, code, EC and message that the service's documentation or the client
//! libraries' tests fix. What the store and the channel rules report is turned into these in one place, by matches
//! without a wildcard: a new variant does not compile until this dialect answers it.

use http::StatusCode;

mod access;
mod buckets;
mod callbacks;
mod forms;
mod kinds;
mod live;
mod objects;
mod requests;
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
}
