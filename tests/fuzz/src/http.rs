//! A request head out of an input.

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use livebucket::auth::{SignedRequest, oss_v1};
use livebucket::http::oss::operation::Query;

use crate::room::KEY;
use crate::{Choices, decoded};

/// The date's text at [`crate::room::NOW`].
pub const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

/// `Authorization` of V1 for a path-style request whose headers, in lower case, are these.
pub fn authorization(method: &str, path: &str, query: &str, headers: &[(&str, &[u8])]) -> String {
    let path = decoded(path.strip_prefix('/').unwrap_or_default());
    let (bucket, key) = path.split_at(path.iter().position(|b| *b == b'/').unwrap_or(path.len()));
    let bucket = String::from_utf8_lossy(bucket).into_owned();
    let query = Query::parse(query);
    let request = SignedRequest {
        method,
        bucket: Some(&bucket).filter(|bucket| !bucket.is_empty()).map(String::as_str),
        key: key.strip_prefix(b"/").unwrap_or_default(),
        headers,
        query: query.pairs(),
    };
    let text = oss_v1::string_to_sign(&request, DATE.as_bytes(), oss_v1::SubResources::Wide);
    format!("OSS {}:{}", KEY.0, oss_v1::signature(KEY.1, &text))
}

/// Reads `METHOD target` and lines of `name: value`; `None` when the HTTP library would have refused them.
pub fn head(bytes: &[u8]) -> Option<Parts> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let first = lines.next()?;
    let space = first.iter().position(|byte| *byte == b' ')?;
    let method = Method::from_bytes(&first[..space]).ok()?;
    let target = Uri::try_from(&first[space + 1..]).ok()?;
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        request = request.header(name, value);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

const METHODS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "HEAD", "PUT", "GET", "OPTIONS"];
const PATHS: [&str; 12] = [
    "/films/k",
    "/films/other",
    "/films",
    "/films/ch",
    "/films/cam",
    "/films/ch/p.m3u8",
    "/films/ch/1700000000000.ts",
    "/new-one",
    "/new-one/k",
    "/",
    "/films/a%20b",
    "/films/ch/",
];
const QUERIES: [&str; 26] = [
    "",
    "acl",
    "cors",
    "live",
    "live&comp=stat",
    "live&comp=history",
    "live&status=disabled",
    "live&status=enabled",
    "vod&startTime=1700000000&endTime=1700000600",
    "append&position=0",
    "append&position=7",
    "delete",
    "list-type=2&max-keys=2",
    "prefix=c&delimiter=/",
    "max-keys=1&encoding-type=url",
    "location",
    "bucketInfo",
    "objectMeta",
    "x-oss-process=hls/sign",
    "response-content-type=text/plain",
    "list-type=2&start-after=k",
    "marker=k",
    "uploads",
    "delete&encoding-type=url",
    "live&prefix=c&max-keys=1",
    "append&position=14",
];
const HEADERS: [(&str, &str); 21] = [
    ("range", "bytes=0-3"),
    ("range", "bytes=-2"),
    ("if-match", "*"),
    ("if-none-match", "*"),
    ("if-modified-since", DATE),
    ("if-unmodified-since", DATE),
    ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
    ("content-type", "text/plain"),
    ("x-oss-acl", "public-read"),
    ("x-oss-object-acl", "private"),
    ("x-oss-meta-a", "b"),
    ("x-oss-forbid-overwrite", "true"),
    ("x-oss-copy-source", "/films/k"),
    ("x-oss-copy-source", "/films/other"),
    ("x-oss-metadata-directive", "REPLACE"),
    ("x-oss-copy-source-if-match", "*"),
    ("origin", "http://a.example"),
    ("access-control-request-method", "PUT"),
    ("expect", "100-continue"),
    ("cache-control", "no-cache"),
    // Of the document that deletes several objects, without which it is refused.
    ("content-md5", "kJoSZ0ddX3JkyDKQzgrOnA=="),
];
/// Those of the other dialect, whose front a request goes to that has one.
const AMAZON: [(&str, &str); 8] = [
    ("x-amz-date", "20231114T221320Z"),
    ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ("x-amz-acl", "public-read"),
    ("x-amz-meta-a", "b"),
    ("x-amz-copy-source", "/films/k"),
    ("x-amz-metadata-directive", "REPLACE"),
    ("x-amz-checksum-mode", "ENABLED"),
    ("x-amz-tagging", "a=b"),
];
const BODIES: [&str; 9] = [
    "",
    "seven..",
    "#EXTM3U\n#EXTINF:6.000,\n1700000000000.ts\n",
    "<LiveChannelConfiguration><Target><Type>HLS</Type></Target></LiveChannelConfiguration>",
    "<Delete><Object><Key>k</Key></Object><Object><Key>other</Key></Object></Delete>",
    "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PUT</AllowedMethod></CORSRule>\
     </CORSConfiguration>",
    "<CreateBucketConfiguration/>",
    "<LiveChannelConfiguration><FragDuration>7</FragDuration></LiveChannelConfiguration>",
    "fourteen......",
];

/// A request of words that mean something, in any combination, with now and then a word of the input's own; signed or not.
pub fn request(choices: &mut Choices<'_>) -> Vec<u8> {
    let pick = |choices: &mut Choices<'_>, words: &[&str]| {
        let choice = usize::from(choices.u8());
        if choice == 0xff { choices.text() } else { words[choice % words.len()].to_owned() }
    };
    let (method, path, query) = (pick(choices, &METHODS), pick(choices, &PATHS), pick(choices, &QUERIES));
    let body = pick(choices, &BODIES);
    let mut headers: Vec<(String, String)> =
        [("host", "127.0.0.1:9000"), ("connection", "close"), ("x-oss-date", DATE)]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .into();
    let kind = choices.u8();
    for _ in 0..kind >> 5 {
        let choice = usize::from(choices.u8());
        let (name, value) = match choice {
            0xd0..0xe0 => AMAZON[choice % AMAZON.len()],
            _ => HEADERS[choice % HEADERS.len()],
        };
        let value = if choice >= 0xe0 { choices.text() } else { value.to_owned() };
        headers.push((name.into(), value));
    }
    if kind & 1 == 0 {
        let pairs: Vec<(&str, &[u8])> = headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        headers.push(("authorization".into(), authorization(&method, &path, &query, &pairs)));
    }
    if kind & 2 == 0 {
        headers.push(("content-length".into(), body.len().to_string()));
    }
    let target = if query.is_empty() { path } else { format!("{path}?{query}") };
    let head: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {target} HTTP/1.1\r\n{head}\r\n{body}").into_bytes()
}
