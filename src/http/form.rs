//! Browser forms, the part that both dialects share: fields first, then the file as a stream, then what the client wants to
//! hear. Field names, signatures and errors are each dialect's own.

pub mod policy;
pub mod reader;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use self::policy::SizeRange;
use self::reader::{Event, FileHead, FormReader, ReadFault};
use super::body::{BodyError, Content, Promised, RequestBody};
use super::dialect::{Dialect, dialect_of};
use super::oss::route::names_sub_resource;
use super::query::Query;
use super::server::Answer;
use super::xml::Writer;
use crate::limits;
use crate::store::StoreError;
use crate::store::objects::{Digests, ObjectService, StoredBody};

/// Why a form does not become an object.
#[derive(Debug)]
pub(super) enum FormFault {
    /// Not well-formed, or it ended early.
    Malformed,
    /// Fields beyond their bounds.
    FieldsTooLong,
    /// No file, or two.
    FileCount,
    /// The file has fewer bytes than its policy wants.
    TooSmall { size: u64, size_min: u64 },
    /// The file has more bytes than its policy, or the service, takes.
    TooLarge { size_max: u64 },
    /// The client stalled or went away.
    Body(BodyError),
    /// The store.
    Store(StoreError),
}

impl From<ReadFault> for FormFault {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Malformed => FormFault::Malformed,
            ReadFault::FieldsTooLong => FormFault::FieldsTooLong,
            ReadFault::SecondFile => FormFault::FileCount,
        }
    }
}

/// A form whose fields are known and whose file is about to come.
#[derive(Debug)]
pub(super) struct PostedForm {
    fields: Vec<(String, Bytes)>,
    file: FileHead,
    reader: FormReader,
}

/// Whether a request is a browser form. One that names a sub-resource is that operation, whatever its body is called.
pub(super) fn is_form(head: &Parts, query: &Query) -> bool {
    head.method == Method::POST && boundary(head).is_some() && !names_sub_resource(query)
}

fn boundary(head: &Parts) -> Option<Vec<u8>> {
    reader::boundary(head.headers.get(header::CONTENT_TYPE)?.as_bytes())
}

impl PostedForm {
    /// Reads the fields up to the file.
    pub(super) async fn read(head: &Parts, body: &mut RequestBody) -> Result<Self, FormFault> {
        let mut reader = FormReader::new(&boundary(head).ok_or(FormFault::Malformed)?);
        let mut fields: Vec<(String, Bytes)> = Vec::new();
        loop {
            match reader.next_event()? {
                // Of a repeated field the first counts: what a policy judges is what is acted on.
                Event::Field { name, .. } if fields.iter().any(|(known, _)| *known == name) => {}
                Event::Field { name, value } => fields.push((name, value)),
                Event::File(file) => return Ok(PostedForm { fields, file, reader }),
                // Nothing of a file comes before it begins.
                Event::Data(_) | Event::FileEnd => return Err(FormFault::Malformed),
                Event::Hungry => match body.next().await.map_err(FormFault::Body)? {
                    Some(piece) => reader.feed(&piece),
                    None if reader.is_complete() => return Err(FormFault::FileCount),
                    None => return Err(FormFault::Malformed),
                },
            }
        }
    }

    /// The next bytes of the file. `None` once the form has ended as it should, which may be long after the file has.
    async fn next(&mut self, body: &mut RequestBody) -> Result<Option<Bytes>, FormFault> {
        loop {
            match self.reader.next_event()? {
                Event::Data(bytes) => return Ok(Some(bytes)),
                // Fields behind the file mean nothing: they could not have been judged before it came.
                Event::Field { .. } | Event::File(_) | Event::FileEnd => {}
                Event::Hungry => match body.next().await.map_err(FormFault::Body)? {
                    Some(piece) => self.reader.feed(&piece),
                    None if self.reader.is_complete() => return Ok(None),
                    None => return Err(FormFault::Malformed),
                },
            }
        }
    }

    /// What a field says; its name in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
    }

    /// The same as text, without blanks around it; `None` when it is empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = String::from_utf8_lossy(self.get(name)?);
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// All fields before the file; names in lower case.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// `Content-Type` of the file's own part.
    pub(super) fn file_type(&self) -> Option<&Bytes> {
        self.file.content_type.as_ref()
    }

    /// The key that the form asks for, `${filename}` filled in; `None` when it has none.
    pub(super) fn key(&self) -> Option<Vec<u8>> {
        const VARIABLE: &[u8] = b"${filename}";
        let mut rest = self.get("key").filter(|key| !key.is_empty())?;
        let mut key = Vec::with_capacity(rest.len());
        while let Some(at) = memchr::memmem::find(rest, VARIABLE) {
            key.extend_from_slice(&rest[..at]);
            key.extend_from_slice(&self.file.filename);
            rest = &rest[at + VARIABLE.len()..];
        }
        key.extend_from_slice(rest);
        Some(key)
    }

    /// Whose form it is: its signature says so, else its fields' names, else its head.
    pub(super) fn dialect(&self, head: &Parts, query: &Query) -> Dialect {
        let has = |name: &str| self.get(name).is_some();
        if has("ossaccesskeyid") || has("x-oss-signature-version") {
            Dialect::Oss
        } else if has("awsaccesskeyid") || has("x-amz-algorithm") {
            Dialect::S3
        } else if self.fields().any(|(name, _)| name.starts_with("x-oss-")) {
            Dialect::Oss
        } else if self.fields().any(|(name, _)| name.starts_with("x-amz-")) {
            Dialect::S3
        } else {
            dialect_of(&head.headers, query)
        }
    }

    /// Takes the file into the store, piece by piece. Nothing is left of it unless the whole form came as it should and
    /// the file's size lies in `sizes`: what is stored then is still to be named by a commit.
    pub(super) async fn store_file(
        &mut self,
        body: &mut RequestBody,
        objects: &ObjectService,
        sizes: SizeRange,
    ) -> Result<StoredBody, FormFault> {
        let size_max = sizes.max.min(objects.object_bytes_max());
        if let Promised::Length(length) = body.promised() {
            // Of what is still to come, this much must be the file's: refused now rather than after its transfer.
            let rest = limits::FORM_REST_BYTES_MAX + limits::HTTP_READ_BUFFER_MAX;
            let size = length.saturating_sub(body.received()).saturating_sub(rest as u64);
            if size > size_max {
                return Err(FormFault::TooLarge { size_max });
            }
            objects.check_room(size).await.map_err(FormFault::Store)?;
        }
        let mut writer = objects.writer(Digests::Md5AndCrc64);
        while let Some(piece) = self.next(body).await? {
            if writer.written() + piece.len() as u64 > size_max {
                return Err(FormFault::TooLarge { size_max });
            }
            writer.write(piece).await.map_err(FormFault::Store)?;
        }
        if writer.written() < sizes.min {
            return Err(FormFault::TooSmall { size: writer.written(), size_min: sizes.min });
        }
        writer.finish().await.map_err(FormFault::Store)
    }
}

/// The fields that mean what headers of a PUT mean, as such headers. `wanted` says under which name; `Err` holds the name of
/// a field whose value no header can carry.
pub(super) fn as_headers<'a>(
    form: &'a PostedForm,
    wanted: impl Fn(&'a str) -> Option<&'a str>,
) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (field, value) in form.fields() {
        let Some(name) = wanted(field) else { continue };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| field.to_owned())?;
        let value = HeaderValue::from_bytes(value.trim_ascii()).map_err(|_| field.to_owned())?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Content headers that a form may have as fields.
pub(super) const CONTENT_FIELDS: [&str; 7] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
];

/// What a client wants to hear when its form was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Success {
    Status(StatusCode),
    /// A page to go to.
    Redirect(String),
}

impl Success {
    /// What the form says; `redirects` are the fields that may name a page. One that is no URL is as if it were not there.
    pub(super) fn read(form: &PostedForm, redirects: &[&str]) -> Self {
        let is_url = |text: &String| {
            let uri = text.parse::<http::Uri>().ok();
            uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
        };
        if let Some(url) = redirects.iter().find_map(|name| form.text(name)).filter(is_url) {
            return Success::Redirect(url);
        }
        match form.text("success_action_status").as_deref() {
            Some("200") => Success::Status(StatusCode::OK),
            Some("201") => Success::Status(StatusCode::CREATED),
            _ => Success::Status(StatusCode::NO_CONTENT),
        }
    }

    /// The answer for an object; `etag` with its quotes, `location` its URL.
    pub(super) fn answer(&self, bucket: &str, key: &[u8], etag: &str, location: &str) -> Answer {
        let encode = |text: &[u8]| percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut answer = match self {
            Success::Status(status) => Answer::empty(*status),
            Success::Redirect(url) => {
                let separator = if url.contains('?') { '&' } else { '?' };
                let (bucket, key, tag) = (encode(bucket.as_bytes()), encode(key), encode(etag.as_bytes()));
                let url = format!("{url}{separator}bucket={bucket}&key={key}&etag={tag}");
                let mut answer = Answer::empty(StatusCode::SEE_OTHER);
                put_text(&mut answer.headers, header::LOCATION, &url);
                answer
            }
        };
        put_text(&mut answer.headers, header::ETAG, etag);
        if let Success::Status(status) = self {
            put_text(&mut answer.headers, header::LOCATION, location);
            if *status == StatusCode::CREATED {
                answer.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
                answer.content = Content::Bytes(Writer::document("PostResponse", |w| {
                    w.text("Location", location);
                    w.text("Bucket", bucket);
                    w.bytes("Key", key);
                    w.text("ETag", etag);
                }));
            }
        }
        answer
    }
}

/// Texts that cannot stand in a header are left out: a URL of a form was parsed, so none is.
fn put_text(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}
