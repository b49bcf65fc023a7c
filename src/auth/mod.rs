//! Signatures and the access decision, as pure functions.
//!
//! Must never look anything up: keys and `now` are arguments. Every comparison of a signature is constant-time.

use std::borrow::Cow;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::Digest as _;
use subtle::ConstantTimeEq;

pub mod access;
pub mod oss_v1;
pub mod oss_v2;
pub mod oss_v4;
pub mod permission;
pub mod policy;
pub mod post_policy;
pub mod rtmp_url;
pub mod sig_v2;
pub mod sig_v4;
pub mod signing_keys;

/// A request as signatures see it: always with the bucket in the resource, however the request was addressed.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignedRequest<'a> {
    /// `GET`.
    pub method: &'a str,
    /// The bucket's name; `None` means the service.
    pub bucket: Option<&'a str>,
    /// The key, percent-decoded; empty means the bucket.
    pub key: &'a [u8],
    /// All headers: lower-case name and value as it was sent.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The query in order, names and values decoded once, no name twice.
    pub query: &'a [(Vec<u8>, Vec<u8>)],
}

impl SignedRequest<'_> {
    /// A header's value without surrounding blanks; empty when it is not there.
    fn header(&self, name: &str) -> &[u8] {
        self.headers.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, value)| value.trim_ascii())
    }
}

/// `A-Z a-z 0-9 - _ . ~` stay, everything else becomes `%XX`.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same for a path: `/` stays, too.
const UNRESERVED_AND_SLASH: AsciiSet = UNRESERVED.remove(b'/');

fn encode(bytes: &[u8]) -> String {
    percent_encode(bytes, &UNRESERVED).to_string()
}

fn push_encoded_path(text: &mut Vec<u8>, bytes: &[u8]) {
    push_encoded(text, bytes, &UNRESERVED_AND_SLASH);
}

fn push_encoded(text: &mut Vec<u8>, bytes: &[u8], all_but: &'static AsciiSet) {
    percent_encode(bytes, all_but).for_each(|piece| text.extend_from_slice(piece.as_bytes()));
}

/// `name=value&name`: encoded, an empty value without its `=`.
fn encode_query<'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> String {
    let encoded = pairs.into_iter().map(|(name, value)| match value {
        [] => encode(name),
        _ => format!("{}={}", encode(name), encode(value)),
    });
    encoded.collect::<Vec<_>>().join("&")
}

/// The whole query as versions 2 and 4 sign it: encoded, then sorted. `x-oss-signature` is left out, as it cannot sign
/// itself.
fn push_canonical_query(text: &mut Vec<u8>, request: &SignedRequest<'_>) {
    push_sorted_query(text, request.query.iter().filter(|(name, _)| name != b"x-oss-signature"), Empty::WithoutEquals);
}

/// How a value that is empty stands in a canonical query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Empty {
    /// `name`, as OSS has it.
    WithoutEquals,
    /// `name=`, as S3 has it.
    WithEquals,
}

fn push_sorted_query<'a>(text: &mut Vec<u8>, pairs: impl Iterator<Item = &'a (Vec<u8>, Vec<u8>)>, empty: Empty) {
    let is_unreserved = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let encoded = |bytes: &'a [u8]| {
        if bytes.iter().all(is_unreserved) {
            return Cow::from(bytes);
        }
        let mut text = Vec::with_capacity(2 * bytes.len());
        push_encoded(&mut text, bytes, &UNRESERVED);
        Cow::from(text)
    };
    // What needs no encoding is borrowed, and that is most.
    let mut pairs: Vec<[Cow<'_, [u8]>; 2]> = pairs.map(|(name, value)| [encoded(name), encoded(value)]).collect();
    pairs.sort_unstable();
    for (at, [name, value]) in pairs.iter().enumerate() {
        if at > 0 {
            text.push(b'&');
        }
        text.extend_from_slice(name);
        if empty == Empty::WithEquals || !value.is_empty() {
            text.push(b'=');
            text.extend_from_slice(value);
        }
    }
}

/// A line `name:value` for each header that is signed, sorted by name.
fn push_headers(text: &mut Vec<u8>, request: &SignedRequest<'_>, signed: impl Fn(&str) -> bool) {
    let mut headers: Vec<_> = request.headers.iter().filter(|(name, _)| signed(name)).collect();
    headers.sort_by_key(|(name, _)| *name);
    for (name, value) in headers {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(value.trim_ascii());
        text.push(b'\n');
    }
}

/// The further headers that a request of version 2 or 4 says it signs, `a;b`, as lower-case names in byte order, none
/// twice.
pub fn read_additional_headers(text: &str) -> Vec<String> {
    let names = text.split(';').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    names
}

fn same(computed: impl AsRef<[u8]>, provided: impl AsRef<[u8]>) -> bool {
    // The length is no secret: it is that of the digest.
    computed.as_ref().ct_eq(provided.as_ref()).into()
}

/// Lower-case hex of the SHA-256.
fn hex_sha256(bytes: &[u8]) -> [u8; 64] {
    signing_keys::hex_of(&sha2::Sha256::digest(bytes).into())
}

fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}
