//! `multipart/form-data` (RFC 7578, RFC 2046 section 5.1), read as it comes in.
//!
//! Pure: bytes in, events out. Holds the fields that stand before the file, within bounds, and of the file never more than
//! what was fed and not yet taken. However the bytes are split, the events say the same. Knows no field but `file`.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem::{self, Finder};

use crate::limits;

#[cfg(test)]
mod tests;

/// Why a form cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadFault {
    /// Not what the standard says.
    #[error("the form is malformed")]
    Malformed,
    /// Fields, or what stands around them, are more than the bounds allow.
    #[error("the form's fields are too many or too long")]
    FieldsTooLong,
    /// A second `file`.
    #[error("the form has more than one file")]
    SecondFile,
}

/// What a form consists of, in order: fields, the file's begin, its bytes, its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing more can be said before more is fed.
    Hungry,
    /// A field before the file.
    Field {
        /// In lower case: names of form fields are case-insensitive in both dialects.
        name: String,
        /// Byte for byte.
        value: Bytes,
    },
    /// The file begins.
    File(FileHead),
    /// Bytes of the file, never empty.
    Data(Bytes),
    /// The file has ended; the form perhaps not.
    FileEnd,
}

/// What the form says of its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileHead {
    /// Its name without directories, as a browser knows it.
    pub filename: Vec<u8>,
    /// `Content-Type` of the part.
    pub content_type: Option<Bytes>,
}

/// Reads one form.
#[derive(Debug)]
pub struct FormReader {
    /// CRLF, two hyphens and the boundary.
    delimiter: Finder<'static>,
    buffer: BytesMut,
    /// Bytes of `buffer` in which no delimiter begins.
    scanned: usize,
    state: State,
    file_seen: bool,
    fields: usize,
    /// Bytes before the file that are no preamble.
    before: usize,
    /// Bytes behind the file.
    behind: usize,
}

#[derive(Debug)]
enum State {
    Preamble,
    /// Right behind a boundary.
    Boundary,
    Head,
    /// In a field, named.
    Field(String),
    File,
    /// In a field behind the file.
    Ignored,
    /// Behind the last boundary.
    Epilogue,
}

impl FormReader {
    /// A reader of a form with this boundary, which [`boundary`] has read.
    pub fn new(boundary: &[u8]) -> Self {
        let delimiter = [b"\r\n--", boundary].concat();
        FormReader {
            delimiter: Finder::new(&delimiter).into_owned(),
            // The first boundary stands at the very beginning, as if a line had just ended.
            buffer: BytesMut::from(&b"\r\n"[..]),
            scanned: 0,
            state: State::Preamble,
            file_seen: false,
            fields: 0,
            before: 0,
            behind: 0,
        }
    }

    /// Adds bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the form has ended as it should.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Epilogue)
    }

    /// Bytes that are held.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// What the bytes fed so far say next.
    pub fn next_event(&mut self) -> Result<Event, ReadFault> {
        loop {
            match &mut self.state {
                State::Preamble => match self.find() {
                    Some(at) if at <= limits::FORM_PREAMBLE_BYTES_MAX => self.pass_delimiter(at),
                    None if self.buffer.len() <= limits::FORM_PREAMBLE_BYTES_MAX + self.delimiter.needle().len() => {
                        return Ok(Event::Hungry);
                    }
                    _ => return Err(ReadFault::Malformed),
                },
                State::Boundary => match self.buffer.first_chunk() {
                    Some(b"--") => self.state = State::Epilogue,
                    Some(b"\r\n") => {
                        self.buffer.advance(2);
                        self.state = State::Head;
                    }
                    // Padding that RFC 2046 lets transports add.
                    Some([b' ' | b'\t', _]) => {
                        self.buffer.advance(1);
                        self.count(1)?;
                    }
                    Some(_) => return Err(ReadFault::Malformed),
                    None => return Ok(Event::Hungry),
                },
                State::Head => match self.take_head()? {
                    None => return Ok(Event::Hungry),
                    Some(head) => {
                        if let Some(event) = self.begin_part(head)? {
                            return Ok(event);
                        }
                    }
                },
                State::Field(name) => {
                    let name = std::mem::take(name);
                    return self.read_field(name);
                }
                State::File => {
                    let (bytes, ended) = self.take_content();
                    if !bytes.is_empty() {
                        return Ok(Event::Data(bytes));
                    }
                    if !ended {
                        return Ok(Event::Hungry);
                    }
                    self.pass_delimiter(0);
                    return Ok(Event::FileEnd);
                }
                State::Ignored => {
                    let (bytes, ended) = self.take_content();
                    self.count(bytes.len())?;
                    if !ended {
                        return Ok(Event::Hungry);
                    }
                    self.pass_delimiter(0);
                }
                State::Epilogue => {
                    let rest = self.buffer.len();
                    self.buffer.clear();
                    self.count(rest)?;
                    return Ok(Event::Hungry);
                }
            }
        }
    }

    /// A whole field, once it has ended.
    fn read_field(&mut self, name: String) -> Result<Event, ReadFault> {
        let bytes_max = limits::FORM_FIELDS_BYTES_MAX.saturating_sub(self.before);
        match self.find() {
            Some(at) => {
                self.count(at)?;
                let value = self.buffer.split_to(at).freeze();
                self.scanned = 0;
                self.pass_delimiter(0);
                Ok(Event::Field { name, value })
            }
            None if self.buffer.len() > bytes_max + self.delimiter.needle().len() => Err(ReadFault::FieldsTooLong),
            None => {
                self.state = State::Field(name);
                Ok(Event::Hungry)
            }
        }
    }

    fn begin_part(&mut self, head: PartHead) -> Result<Option<Event>, ReadFault> {
        let name = head.name.to_ascii_lowercase();
        let is_file = name == "file";
        match (is_file, self.file_seen) {
            (true, true) => return Err(ReadFault::SecondFile),
            (true, false) => {
                self.file_seen = true;
                self.state = State::File;
                return Ok(Some(Event::File(head.file)));
            }
            (false, true) => self.state = State::Ignored,
            (false, false) => {
                self.fields += 1;
                if self.fields > limits::FORM_FIELDS_MAX {
                    return Err(ReadFault::FieldsTooLong);
                }
                self.state = State::Field(name);
            }
        }
        Ok(None)
    }

    /// Counts bytes that are no bytes of the file.
    fn count(&mut self, bytes: usize) -> Result<(), ReadFault> {
        let (counted, bytes_max) = match self.file_seen {
            true => (&mut self.behind, limits::FORM_REST_BYTES_MAX),
            false => (&mut self.before, limits::FORM_FIELDS_BYTES_MAX),
        };
        *counted += bytes;
        if *counted > bytes_max { Err(ReadFault::FieldsTooLong) } else { Ok(()) }
    }

    /// Where the next delimiter begins.
    fn find(&mut self) -> Option<usize> {
        // One may have begun in what was seen before.
        let from = self.scanned.saturating_sub(self.delimiter.needle().len() - 1);
        match self.delimiter.find(&self.buffer[from..]) {
            Some(at) => Some(from + at),
            None => {
                self.scanned = self.buffer.len();
                None
            }
        }
    }

    fn pass_delimiter(&mut self, at: usize) {
        self.buffer.advance(at + self.delimiter.needle().len());
        self.scanned = 0;
        self.state = State::Boundary;
    }

    /// The bytes up to the next delimiter as far as they are certain, and whether that delimiter is there.
    fn take_content(&mut self) -> (Bytes, bool) {
        let found = self.find();
        let certain = found.unwrap_or_else(|| self.buffer.len().saturating_sub(self.delimiter.needle().len() - 1));
        let bytes = self.buffer.split_to(certain).freeze();
        self.scanned = self.scanned.saturating_sub(certain);
        (bytes, found.is_some())
    }

    fn take_head(&mut self) -> Result<Option<PartHead>, ReadFault> {
        let Some(end) = memmem::find(&self.buffer, b"\r\n\r\n") else {
            return match self.buffer.len() {
                0..=limits::FORM_PART_HEAD_BYTES_MAX => Ok(None),
                _ => Err(ReadFault::FieldsTooLong),
            };
        };
        if end > limits::FORM_PART_HEAD_BYTES_MAX {
            return Err(ReadFault::FieldsTooLong);
        }
        self.count(end)?;
        let head = read_part_head(&self.buffer[..end]).ok_or(ReadFault::Malformed)?;
        self.buffer.advance(end + 4);
        self.scanned = 0;
        Ok(Some(head))
    }
}

struct PartHead {
    name: String,
    file: FileHead,
}

fn read_part_head(head: &[u8]) -> Option<PartHead> {
    let mut disposition = None;
    let mut content_type = None;
    for line in head.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let colon = line.iter().position(|b| *b == b':')?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-disposition") {
            disposition = Some(value);
        } else if name.eq_ignore_ascii_case(b"content-type") {
            content_type = Some(Bytes::copy_from_slice(value));
        }
    }
    let (kind, parameters) = parameters(disposition?)?;
    if !kind.eq_ignore_ascii_case(b"form-data") {
        return None;
    }
    let of = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let filename = of("filename*").and_then(|value| extended(&value)).or_else(|| of("filename")).unwrap_or_default();
    // Some browsers tell the whole path of the machine that they run on.
    let base = filename.rsplit(|b| matches!(b, b'/' | b'\\')).next().unwrap_or_default();
    Some(PartHead {
        name: String::from_utf8(of("name")?).ok()?,
        file: FileHead { filename: unescape(base), content_type },
    })
}

/// The boundary of a `Content-Type`; `None` when it is not `multipart/form-data` or has no valid one.
pub fn boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    let (kind, parameters) = parameters(content_type)?;
    let (_, boundary) = parameters.into_iter().find(|(name, _)| name == "boundary")?;
    // RFC 2046, 5.1.1, and what clients send beyond it: any visible character, blanks inside.
    let valid = (1..=limits::FORM_BOUNDARY_BYTES_MAX).contains(&boundary.len())
        && boundary.iter().all(|b| matches!(b, b' '..=b'~'))
        && !boundary.ends_with(b" ");
    (kind.eq_ignore_ascii_case(b"multipart/form-data") && valid).then_some(boundary)
}

type Parameters = Vec<(String, Vec<u8>)>;

/// `kind; name=value; name="value"`: names in lower case, quotes taken off.
fn parameters(value: &[u8]) -> Option<(&[u8], Parameters)> {
    let end = value.iter().position(|b| *b == b';').unwrap_or(value.len());
    let (kind, mut rest) = (value[..end].trim_ascii(), &value[end..]);
    let mut parameters = Vec::new();
    while let Some(after) = rest.trim_ascii_start().strip_prefix(b";") {
        rest = after.trim_ascii_start();
        if rest.is_empty() {
            break;
        }
        let equals = rest.iter().position(|b| *b == b'=')?;
        let name = std::str::from_utf8(rest[..equals].trim_ascii()).ok()?.to_ascii_lowercase();
        rest = rest[equals + 1..].trim_ascii_start();
        let value = match rest.strip_prefix(b"\"") {
            Some(quoted) => {
                let (value, length) = quoted_string(quoted)?;
                rest = &quoted[length..];
                value
            }
            None => {
                let end = rest.iter().position(|b| *b == b';').unwrap_or(rest.len());
                let value = rest[..end].trim_ascii().to_vec();
                rest = &rest[end..];
                value
            }
        };
        parameters.push((name, value));
    }
    rest.trim_ascii().is_empty().then_some((kind, parameters))
}

/// What stands before the closing quote, and how many bytes it and that quote take. Only a quote and a backslash can be
/// escaped: in `C:\new.txt` of an old browser the backslashes are themselves.
fn quoted_string(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut value = Vec::new();
    let mut at = 0;
    loop {
        match (text.get(at)?, text.get(at + 1)) {
            (b'"', _) => return Some((value, at + 1)),
            (b'\\', Some(escaped @ (b'"' | b'\\'))) => {
                value.push(*escaped);
                at += 2;
            }
            (byte, _) => {
                value.push(*byte);
                at += 1;
            }
        }
    }
}

/// `UTF-8''percent-encoded` (RFC 8187); other character sets are not known here.
fn extended(value: &[u8]) -> Option<Vec<u8>> {
    let mut parts = value.splitn(3, |b| *b == b'\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    charset.eq_ignore_ascii_case(b"utf-8").then(|| percent_encoding::percent_decode(encoded).collect())
}

/// The three characters that browsers encode in names (HTML, "multipart/form-data encoding algorithm").
fn unescape(name: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, after)) = rest.split_first() {
        let escaped = match rest.first_chunk() {
            Some(b"%22") => Some(b'"'),
            Some(b"%0D") => Some(b'\r'),
            Some(b"%0A") => Some(b'\n'),
            _ => None,
        };
        plain.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &rest[3..] } else { after };
    }
    plain
}
