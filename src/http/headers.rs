//! What request headers mean to the object service, whichever dialect they came in.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::server::http_date;
use crate::clock::Wall;
use crate::store::objects::Conditions;
use crate::store::{ContentHeaders, ETag, ObjectRecord, Tag};

/// Headers that the answer to a read has, those of every answer among them: room for them is made once.
pub(super) const OF_OBJECT: usize = 20;

/// The content headers of an upload, byte for byte.
pub(super) fn content_headers(headers: &HeaderMap) -> ContentHeaders {
    let bytes = |name: HeaderName| headers.get(name).map(|value| Bytes::copy_from_slice(value.as_bytes()));
    ContentHeaders {
        content_type: bytes(header::CONTENT_TYPE),
        cache_control: bytes(header::CACHE_CONTROL),
        content_disposition: bytes(header::CONTENT_DISPOSITION),
        content_encoding: bytes(header::CONTENT_ENCODING),
        content_language: bytes(header::CONTENT_LANGUAGE),
        expires: bytes(header::EXPIRES),
    }
}

/// The conditional headers that begin with `prefix` (RFC 9110, 13.1; empty, or that of a copy's source).
pub(super) fn conditions(headers: &HeaderMap, prefix: &str) -> Conditions {
    let text = |name: HeaderName| {
        let lines = match prefix {
            "" => headers.get_all(&name),
            prefix => headers.get_all(format!("{prefix}{name}")),
        };
        // A list may be written in several lines (RFC 9110, 5.3).
        let joined =
            lines.iter().map(|line| String::from_utf8_lossy(line.as_bytes())).reduce(|list, more| list + ", " + more);
        joined.map(std::borrow::Cow::into_owned)
    };
    // A date that cannot be read is no condition (RFC 9110, 13.1.3).
    let date = |name: HeaderName| {
        let time = httpdate::parse_http_date(text(name)?.trim()).ok()?;
        let since_epoch = time.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since_epoch.as_secs()).ok().map(Wall::from_unix_seconds)
    };
    Conditions {
        if_match: text(header::IF_MATCH),
        if_none_match: text(header::IF_NONE_MATCH),
        if_modified_since: date(header::IF_MODIFIED_SINCE),
        if_unmodified_since: date(header::IF_UNMODIFIED_SINCE),
    }
}

/// Whether a range is of the object that a download was begun with: `If-Range`, where there is one, names its entity tag or
/// the exact time of its last change (RFC 9110, 13.1.5).
pub(super) fn if_range_holds(object: &ObjectRecord, headers: &HeaderMap) -> bool {
    let Some(validator) = headers.get(header::IF_RANGE) else { return true };
    let validator = String::from_utf8_lossy(validator.as_bytes());
    let validator = validator.trim();
    let tag = validator.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(validator);
    tag.eq_ignore_ascii_case(&object.etag.to_lower_hex())
        || http_date(object.last_modified).as_bytes() == validator.as_bytes()
}

/// User metadata, whose headers begin with `prefix`: names in lower case, values as bytes, a repeated name's values joined
/// by a comma. `None` when names and values come to more than `bytes_max`.
pub(super) fn user_metadata(headers: &HeaderMap, prefix: &str, bytes_max: usize) -> Option<Vec<(String, Bytes)>> {
    let mut metadata: Vec<(String, Bytes)> = Vec::new();
    let mut bytes = 0;
    for name in headers.keys() {
        let Some(short) = name.as_str().strip_prefix(prefix).filter(|short| !short.is_empty()) else { continue };
        let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        let value = values.join(&b","[..]);
        bytes += short.len() + value.len();
        metadata.push((short.to_owned(), value.into()));
    }
    metadata.sort();
    (bytes <= bytes_max).then_some(metadata)
}

/// Tags as a header holds them: `key=value&key=value`, each side URL-encoded, in order. `None` when one is no UTF-8.
pub(super) fn tags_of_header(value: &[u8]) -> Option<Vec<Tag>> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let decode = |text: &str| {
        let bytes: Vec<u8> = percent_encoding::percent_decode_str(&text.replace('+', " ")).collect();
        String::from_utf8(bytes).ok()
    };
    let tag = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some(Tag { key: decode(key)?, value: decode(value)? })
    };
    text.split('&').filter(|pair| !pair.is_empty()).map(tag).collect()
}

/// What is said of an archived object whose bytes can be read until `until`. None is ever being restored here.
pub(super) fn restore_text(until: Wall) -> String {
    let date = http_date(until);
    format!("ongoing-request=\"false\", expiry-date=\"{}\"", date.to_str().expect("a date is ASCII"))
}

/// Adds how many tags an object has, if any.
pub(super) fn describe_tags(object: &ObjectRecord, name: &'static str, headers: &mut HeaderMap) {
    if !object.tags.is_empty() {
        headers.insert(name, HeaderValue::from(object.tags.len()));
    }
}

/// Adds what was stored with an object: content headers, and user metadata under the dialect's `prefix`.
pub(super) fn describe(object: &ObjectRecord, prefix: &str, headers: &mut HeaderMap) {
    let content = &object.headers;
    let stored = [
        (header::CONTENT_TYPE, &content.content_type),
        (header::CACHE_CONTROL, &content.cache_control),
        (header::CONTENT_DISPOSITION, &content.content_disposition),
        (header::CONTENT_ENCODING, &content.content_encoding),
        (header::CONTENT_LANGUAGE, &content.content_language),
        (header::EXPIRES, &content.expires),
    ];
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    for (name, value) in stored {
        if let Some(value) = value.as_ref().and_then(|value| HeaderValue::from_bytes(value).ok()) {
            headers.insert(name, value);
        }
    }
    for (name, value) in &object.user_metadata {
        let name = HeaderName::from_bytes(format!("{prefix}{name}").as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.insert(name, value);
        }
    }
}

/// An entity tag as a header, in a dialect's digits.
pub(super) fn quoted(etag: ETag, digits: &[u8; 16]) -> HeaderValue {
    let mut text = String::with_capacity(40);
    text.push('"');
    etag.push_hex(&mut text, digits);
    text.push('"');
    HeaderValue::try_from(text).expect("hex digits are a header value")
}

/// Whether this can stand in a URL where a host and perhaps a port stand.
pub(super) fn is_host(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tags_may_be_written_in_several_lines() {
        let mut headers = HeaderMap::new();
        for tag in ["\"a\"", "\"b\""] {
            headers.append(header::IF_MATCH, HeaderValue::from_static(tag));
            headers.append("x-oss-copy-source-if-none-match", HeaderValue::from_static(tag));
        }
        assert_eq!(conditions(&headers, "").if_match.as_deref(), Some("\"a\", \"b\""));
        let of_source = conditions(&headers, "x-oss-copy-source-");
        assert_eq!((of_source.if_match, of_source.if_none_match.as_deref()), (None, Some("\"a\", \"b\"")));
    }

    #[test]
    fn tags_of_a_header_are_decoded_once() {
        let read = |text: &str| {
            let tags = tags_of_header(text.as_bytes())?;
            Some(tags.into_iter().map(|tag| (tag.key, tag.value)).collect::<Vec<_>>())
        };
        let pairs = |pairs: &[(&str, &str)]| {
            Some(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>())
        };
        assert_eq!(read(""), pairs(&[]));
        assert_eq!(read("a=b&c=&d"), pairs(&[("a", "b"), ("c", ""), ("d", "")]));
        assert_eq!(read("a%20b=c+d%2Be&%E4%B8%AD=x=y"), pairs(&[("a b", "c d+e"), ("\u{4e2d}", "x=y")]));
        assert_eq!(read("a=1&a=2"), pairs(&[("a", "1"), ("a", "2")]));
        assert_eq!(read("a=%FF"), None);
    }
}
