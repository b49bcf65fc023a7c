//! A bucket as a static website: anonymous GET and HEAD of its root, its folders and what is missing in it.
//!
//! It acts on the bucket's own address, as the public service does it, and on nothing that is signed: a client with keys
//! sees objects and errors as they are. A bucket without a website pays nothing for those that have one.

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::accept::Caller;
use super::error::OssError;
use super::object;
use super::operation::OssOperation as Op;
use super::service::Ask;
use crate::http::body::Content;
use crate::http::server::Answer;
use crate::store::settings::{ErrorDocument, Protocol, Redirect, Unslashed, Website, WebsitePage};
use crate::store::{BucketRecord, ObjectKey};

/// Arguments with which a GET of the bucket asks for its objects all the same.
const LISTING: [&str; 5] = ["prefix", "delimiter", "marker", "max-keys", "encoding-type"];

/// All but RFC 3986's unreserved characters and the slash.
const OUTSIDE_KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// One request to a website.
pub(super) struct Site<'a> {
    ask: &'a Ask<'a>,
    bucket: &'a BucketRecord,
    website: &'a Website,
    /// Empty is the root.
    key: &'a [u8],
}

/// The website that a request is for, if it is for one.
pub(super) fn of<'a>(ask: &'a Ask<'a>) -> Option<Site<'a>> {
    let bucket = ask.accepted.bucket.as_ref()?;
    let website = bucket.settings.website.as_ref()?;
    // Who names a version means an object.
    if ask.accepted.caller != Caller::Anonymous || ask.accepted.query.has("versionId") {
        return None;
    }
    let key = match &ask.accepted.operation {
        Op::GetObject(key) | Op::HeadObject(key) => key.as_bytes(),
        Op::HeadBucket => b"",
        Op::ListObjects(_) if !LISTING.iter().any(|name| ask.accepted.query.has(name)) => b"",
        _ => return None,
    };
    Some(Site { ask, bucket, website, key })
}

impl Site<'_> {
    pub(super) async fn answer(&self) -> Result<Answer, OssError> {
        if let Some(all) = &self.website.redirect_all {
            let key = self.key.to_vec();
            return Ok(self.redirect(301, Some(&all.host_name), all.protocol, &key, true));
        }
        if let Some(answer) = self.routed(None) {
            return Ok(answer);
        }
        let error = match self.page().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if error.status == StatusCode::NOT_FOUND
            && let Some(answer) = self.folder().await?
        {
            return Ok(answer);
        }
        if let Some(answer) = self.routed(Some(error.status.as_u16())) {
            return Ok(answer);
        }
        match &self.website.error {
            Some(document) => self.error_page(document, error).await,
            None => Err(error),
        }
    }

    /// The object that was asked for, or the index of the folder.
    async fn page(&self) -> Result<Answer, OssError> {
        match self.website.page(self.key) {
            Some(WebsitePage::Object) => self.object(self.key).await,
            Some(WebsitePage::Index(key)) => self.object(&key).await,
            None => Err(OssError::no_such_key(self.key)),
        }
    }

    async fn object(&self, key: &[u8]) -> Result<Answer, OssError> {
        let key = ObjectKey::new(key).ok_or_else(|| OssError::no_such_key(key))?;
        match self.ask.head.method {
            Method::HEAD => object::head(self.ask, &key).await,
            _ => object::get(self.ask, &key).await,
        }
    }

    /// What a missing object is answered that is a folder with an index.
    async fn folder(&self) -> Result<Option<Answer>, OssError> {
        let Some((index, how)) = self.website.folder(self.key) else { return Ok(None) };
        let Some(key) = ObjectKey::new(&*index) else { return Ok(None) };
        let found = object::readable(self.ask, self.bucket, &key).await;
        match (found, how) {
            (Err(error), _) if error.status.is_server_error() => Err(error),
            (Err(_), _) | (_, Unslashed::NotFound) => Ok(None),
            (Ok(_), Unslashed::Index) => self.object(&index).await.map(Some),
            (Ok(_), Unslashed::Redirect) => {
                let folder = [self.key, b"/"].concat();
                Ok(Some(self.redirect(302, None, None, &folder, false)))
            }
        }
    }

    fn routed(&self, status: Option<u16>) -> Option<Answer> {
        let header = |name: &str| self.ask.head.headers.get(name).map(|value| value.as_bytes());
        let rule = self.website.rule(self.key, status, header)?;
        let Redirect { protocol, host_name, status, pass_query, .. } = &rule.redirect;
        let key = rule.new_key(self.key);
        Some(self.redirect(*status, host_name.as_deref(), *protocol, &key, *pass_query))
    }

    fn redirect(
        &self,
        status: u16,
        host_name: Option<&str>,
        protocol: Option<Protocol>,
        key: &[u8],
        pass_query: bool,
    ) -> Answer {
        let host = host_name.or(protocol.and_then(|_| super::service::host_of(self.ask.head)));
        let scheme = protocol.map(|protocol| format!("{}:", protocol.text())).unwrap_or_default();
        let mut location = match host {
            // Without a scheme the URL keeps the request's (RFC 3986, 4.2).
            Some(host) => format!("{scheme}//{host}"),
            None => String::new(),
        };
        if host_name.is_none() && !self.is_at_root() {
            location.push('/');
            location.push_str(self.bucket.name.as_str());
        }
        location.push('/');
        let path = percent_encode(key, OUTSIDE_KEY).to_string();
        // A path that begins with two slashes would be a host's name.
        location.push_str(if host.is_none() { path.trim_start_matches('/') } else { &path });
        if let Some(query) = self.ask.head.uri.query().filter(|_| pass_query) {
            location.push('?');
            location.push_str(query);
        }
        let mut answer = Answer::empty(StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND));
        if let Ok(location) = HeaderValue::from_str(&location) {
            answer.headers.insert(header::LOCATION, location);
        }
        answer
    }

    /// Whether the host alone names the bucket, so that the path is the key.
    fn is_at_root(&self) -> bool {
        let path = self.ask.head.uri.path();
        let path: Vec<u8> = percent_decode_str(path.strip_prefix('/').unwrap_or(path)).collect();
        path == self.key
    }

    /// The page that stands for an error. When it is missing itself, or not for everybody, the error stays what it is.
    async fn error_page(&self, document: &ErrorDocument, error: OssError) -> Result<Answer, OssError> {
        let status = match document.status {
            Some(status) if error.status == StatusCode::NOT_FOUND => {
                StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND)
            }
            None if error.status.is_client_error() => error.status,
            _ => return Err(error),
        };
        let Some(key) = ObjectKey::new(document.key.as_bytes()) else { return Err(error) };
        let Ok(page) = object::readable(self.ask, self.bucket, &key).await else { return Err(error) };
        let mut answer = Answer::empty(status);
        // Whole, whatever range or condition the request has: those speak of another object.
        object::describe(&page, true, &mut answer.headers);
        answer.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(page.size));
        let mut rest = Box::new(self.ask.deps.objects.read(&page, 0..page.size));
        if self.ask.head.method == Method::HEAD {
            answer.content = Content::Bytes(Bytes::new());
        } else if let Some(first) = rest.next().await.map_err(|error| self.ask.key_error(error, &key))? {
            answer.content = Content::Object { first, rest, length: page.size };
        }
        Ok(answer)
    }
}
