//! Amazon's Signature Version 4, as far as a server needs it beside the S3 library: what a client should have signed.
//!
//! "Authenticating Requests: Using the Authorization Header" and "Using Query Parameters" of the Amazon S3 API reference.
//! The library verifies; this says what it compared, because people debug with it.

use super::signing_keys::{Derivation, SigningKey};
use super::{Empty, encode_query, hex_sha256, hmac_sha256, push_encoded_path, push_sorted_query, same};

/// The only algorithm there is here.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The last part of every scope.
pub const TERMINATOR: &str = "aws4_request";
/// How keys are derived.
pub const DERIVATION: Derivation = Derivation { prefix: "AWS4", terminator: TERMINATOR };
/// Longest life of a presigned URL in seconds: seven days.
pub const EXPIRES_MAX: u32 = 604_800;

/// What a V4 signature says of itself, wherever it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Whose key.
    pub access_key_id: &'a str,
    /// `{date}/{region}/{service}/aws4_request`.
    pub scope: &'a str,
    /// Names of the signed headers as they were listed, `a;b`. The rules want them in lower case: one that is not, is none.
    pub signed_headers: &'a str,
    /// Hex.
    pub signature: &'a str,
}

impl<'a> Claim<'a> {
    /// From the value of `Authorization`; `None` when a part is missing.
    pub fn from_header(value: &'a str) -> Option<Self> {
        let fields = value.strip_prefix(ALGORITHM)?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for (name, value) in fields.split(',').filter_map(|part| part.trim().split_once('=')) {
            let part = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => continue,
            };
            // Of a part that is repeated the first counts.
            part.get_or_insert(value.trim());
        }
        Self::new(credential?, signed_headers?, signature?)
    }

    /// From its three parts; `None` when the credential has no scope.
    pub fn new(credential: &'a str, signed_headers: &'a str, signature: &'a str) -> Option<Self> {
        // An access key id may hold slashes; the scope's four parts may not.
        let at = credential.rmatch_indices('/').nth(3)?.0;
        Some(Claim { access_key_id: &credential[..at], scope: &credential[at + 1..], signed_headers, signature })
    }

    /// The names of [`Claim::signed_headers`], one by one.
    pub fn signed_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.signed_headers.split(';')
    }
}

/// A request as this signature sees it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`.
    pub method: &'a str,
    /// The path, percent-decoded once; with the bucket exactly where the client put it.
    pub path: &'a [u8],
    /// The query, names and values percent-decoded once. `X-Amz-Signature` is left out, as it cannot sign itself.
    pub query: &'a [(Vec<u8>, Vec<u8>)],
    /// All headers: lower-case name and value as it was sent.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Names of the headers to sign.
    pub signed_headers: &'a [&'a str],
    /// `x-amz-content-sha256`, or `UNSIGNED-PAYLOAD` where the signature stands in the URL.
    pub payload_hash: &'a str,
}

/// The canonical request.
pub fn canonical_request(request: &Request<'_>) -> Vec<u8> {
    let mut names = request.signed_headers.to_vec();
    names.sort_unstable();
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(request.method.as_bytes());
    text.push(b'\n');
    push_encoded_path(&mut text, request.path);
    text.push(b'\n');
    push_sorted_query(
        &mut text,
        request.query.iter().filter(|(name, _)| name != b"X-Amz-Signature"),
        Empty::WithEquals,
    );
    text.push(b'\n');
    for name in &names {
        text.extend_from_slice(name.as_bytes());
        let mut before = b':';
        for (_, value) in request.headers.iter().filter(|(n, _)| n == name) {
            text.push(before);
            text.extend_from_slice(value.trim_ascii());
            before = b',';
        }
        if before == b':' {
            text.push(before);
        }
        text.push(b'\n');
    }
    text.push(b'\n');
    for (at, name) in names.iter().enumerate() {
        if at > 0 {
            text.push(b';');
        }
        text.extend_from_slice(name.as_bytes());
    }
    text.push(b'\n');
    text.extend_from_slice(request.payload_hash.as_bytes());
    text
}

/// The string to sign. `timestamp` is `YYYYMMDDTHHMMSSZ`.
pub fn string_to_sign(canonical: &[u8], timestamp: &str, scope: &str) -> String {
    let hash = hex_sha256(canonical);
    [ALGORITHM, timestamp, scope, std::str::from_utf8(&hash).expect("hex digits")].join("\n")
}

/// The signature of a string.
pub fn signature(secret: &str, scope: &str, string_to_sign: &str) -> String {
    // Whatever the scope's parts are, each derives the next key.
    let first = [DERIVATION.prefix, secret].concat();
    let key = scope.split('/').fold(first.into_bytes(), |key, part| hmac_sha256(&key, part.as_bytes()).to_vec());
    hex::encode(hmac_sha256(&key, string_to_sign.as_bytes()))
}

/// Who signs, for which scope and when: what a signed URL says beside its signature.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The access key's id.
    pub access_key_id: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// `{date}/{region}/{service}/aws4_request`.
    pub scope: &'a str,
    /// `YYYYMMDDTHHMMSSZ`.
    pub timestamp: &'a str,
    /// Seconds from there.
    pub expires: u32,
}

/// The query text of a signed URL: the request's own query, the arguments of the signature and `X-Amz-Signature`. All headers of
/// the request are signed.
pub fn sign_url_query(request: &Request<'_>, signer: &Signer<'_>) -> String {
    let Signer { access_key_id, secret, scope, timestamp, expires } = signer;
    let (mut query, names) = (request.query.to_vec(), request.signed_headers.join(";"));
    let mut push = |name: &str, value: String| query.push((name.as_bytes().to_vec(), value.into_bytes()));
    push("X-Amz-Algorithm", ALGORITHM.to_owned());
    push("X-Amz-Credential", format!("{access_key_id}/{scope}"));
    push("X-Amz-Date", (*timestamp).to_owned());
    push("X-Amz-Expires", expires.to_string());
    push("X-Amz-SignedHeaders", names);
    let canonical = canonical_request(&Request { query: &query, ..*request });
    let signature = signature(secret, scope, &string_to_sign(&canonical, timestamp, scope));
    let own = query.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
    encode_query(own.chain([(&b"X-Amz-Signature"[..], signature.as_bytes())]))
}

/// Whether `secret` made the claim's signature over this string.
pub fn verify(claim: &Claim<'_>, secret: &str, string_to_sign: &str) -> bool {
    same(signature(secret, claim.scope, string_to_sign), claim.signature)
}

/// The same with the key that was derived for the claim's scope.
pub fn verify_with(key: &SigningKey, claim: &Claim<'_>, string_to_sign: &str) -> bool {
    same(key.sign(string_to_sign.as_bytes()), claim.signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";
    const TIME: &str = "20130524T000000Z";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn query(pairs: &[(&str, &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
        pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
    }

    /// A request of the examples: to the bucket's own host, which is signed.
    fn check(method: &str, path: &str, pairs: &[(&str, &str)], more: &[(&str, &str)], payload: &str, expected: &str) {
        let host = ("host", "examplebucket.s3.amazonaws.com");
        let headers: Vec<(&str, &[u8])> =
            more.iter().chain([&host]).map(|(name, value)| (*name, value.as_bytes())).collect();
        let signed_headers: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let canonical = canonical_request(&Request {
            method,
            path: path.as_bytes(),
            query: &query(pairs),
            headers: &headers,
            signed_headers: &signed_headers,
            payload_hash: payload,
        });
        let string = string_to_sign(&canonical, TIME, SCOPE);
        assert_eq!(signature(SECRET, SCOPE, &string), expected, "{}", String::from_utf8_lossy(&canonical));
        let key = SigningKey::new(&DERIVATION.derive(SECRET, ["20130524", "us-east-1", "s3"]));
        let claim = Claim { access_key_id: "AK", scope: SCOPE, signed_headers: "", signature: expected };
        assert!(verify_with(&key, &claim, &string) && !verify_with(&key, &claim, &string[1..]));
    }

    // The examples of the Amazon S3 API reference: GET Object, PUT Object, GET Bucket Lifecycle, Get Bucket (List Objects).
    #[test]
    fn the_published_examples_come_out() {
        let (hash, date) = (("x-amz-content-sha256", EMPTY), ("x-amz-date", TIME));
        check(
            "GET",
            "/test.txt",
            &[],
            &[("range", "bytes=0-9"), hash, date],
            EMPTY,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        );
        let body = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        check(
            "PUT",
            "/test$file.text",
            &[],
            &[
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-content-sha256", body),
                date,
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            body,
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        );
        check(
            "GET",
            "/",
            &[("lifecycle", "")],
            &[hash, date],
            EMPTY,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        );
        check(
            "GET",
            "/",
            &[("max-keys", "2"), ("prefix", "J")],
            &[hash, date],
            EMPTY,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        );
    }

    #[test]
    fn the_published_presigned_url_comes_out() {
        let credential = format!("AKIAIOSFODNN7EXAMPLE/{SCOPE}");
        let pairs = [
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", credential.as_str()),
            ("X-Amz-Date", TIME),
            ("X-Amz-Expires", "86400"),
            ("X-Amz-SignedHeaders", "host"),
        ];
        let expected = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        check("GET", "/test.txt", &pairs, &[], "UNSIGNED-PAYLOAD", expected);
    }

    #[test]
    fn a_claim_is_read_from_the_header_in_any_spacing() {
        for spaces in [", ", ",", " , "] {
            let value = [
                "AWS4-HMAC-SHA256 Credential=a/b/20130524/us-east-1/s3/aws4_request",
                "SignedHeaders=host;range",
                "Signature=00",
            ]
            .join(spaces);
            let claim = Claim::from_header(&value).expect("whole");
            assert_eq!((claim.access_key_id, claim.scope), ("a/b", SCOPE));
            assert_eq!((claim.signed_headers, claim.signature), ("host;range", "00"));
            assert!(claim.signed_names().eq(["host", "range"]));
        }
        assert_eq!(Claim::from_header("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00"), None);
        assert_eq!(Claim::from_header("AWS4-HMAC-SHA256 Signature=00"), None);
    }
}
