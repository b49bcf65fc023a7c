//! Amazon's Signature Version 4, as far as a server needs it beside the S3 library: what a client should have signed.
//!
//! "Authenticating Requests: Using the Authorization Header" and "Using Query Parameters" of the Amazon S3 API reference.
//! The library verifies; this says what it compared, because people debug with it.

use super::{encode, encode_path, hmac_sha256, same};

/// The only algorithm there is here.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Longest life of a presigned URL in seconds: seven days.
pub const EXPIRES_MAX: u32 = 604_800;

/// What a V4 signature says of itself, wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose key.
    pub access_key_id: String,
    /// `{date}/{region}/{service}/aws4_request`.
    pub scope: String,
    /// Names of the signed headers, as they were listed. The rules want them in lower case: one that is not, is none.
    pub signed_headers: Vec<String>,
    /// Hex.
    pub signature: String,
}

impl Claim {
    /// From the value of `Authorization`; `None` when a part is missing.
    pub fn from_header(value: &str) -> Option<Self> {
        let parts: Vec<(&str, &str)> =
            value.strip_prefix(ALGORITHM)?.split(',').filter_map(|part| part.trim().split_once('=')).collect();
        let part = |name: &str| parts.iter().find(|(n, _)| *n == name).map(|(_, value)| value.trim());
        Self::new(part("Credential")?, part("SignedHeaders")?, part("Signature")?)
    }

    /// From its three parts; `None` when the credential has no scope.
    pub fn new(credential: &str, signed_headers: &str, signature: &str) -> Option<Self> {
        // An access key id may hold slashes; the scope's four parts may not.
        let at = credential.rmatch_indices('/').nth(3)?.0;
        Some(Claim {
            access_key_id: credential[..at].to_owned(),
            scope: credential[at + 1..].to_owned(),
            signed_headers: signed_headers.split(';').map(str::to_owned).collect(),
            signature: signature.to_owned(),
        })
    }
}

/// A request as this signature sees it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`.
    pub method: &'a str,
    /// The path, percent-decoded once; with the bucket exactly where the client put it.
    pub path: &'a [u8],
    /// The query, names and values percent-decoded once, without `X-Amz-Signature`.
    pub query: &'a [(Vec<u8>, Vec<u8>)],
    /// All headers: lower-case name and value as it was sent.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// Names of the headers to sign.
    pub signed_headers: &'a [String],
    /// `x-amz-content-sha256`, or `UNSIGNED-PAYLOAD` where the signature stands in the URL.
    pub payload_hash: &'a str,
}

/// The canonical request.
pub fn canonical_request(request: &Request<'_>) -> Vec<u8> {
    let mut query: Vec<(String, String)> =
        request.query.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    query.sort();
    let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut names = request.signed_headers.to_vec();
    names.sort();
    let mut text = format!("{}\n{}\n{}\n", request.method, encode_path(request.path), query.join("&")).into_bytes();
    for name in &names {
        let values = request.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.trim_ascii());
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(&values.collect::<Vec<_>>().join(&b","[..]));
        text.push(b'\n');
    }
    text.extend_from_slice(format!("\n{}\n{}", names.join(";"), request.payload_hash).as_bytes());
    text
}

/// The string to sign. `timestamp` is `YYYYMMDDTHHMMSSZ`.
pub fn string_to_sign(canonical: &[u8], timestamp: &str, scope: &str) -> String {
    use sha2::Digest;
    format!("{ALGORITHM}\n{timestamp}\n{scope}\n{}", hex::encode(sha2::Sha256::digest(canonical)))
}

/// The signature of a string.
pub fn signature(secret: &str, scope: &str, string_to_sign: &str) -> String {
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in scope.split('/') {
        key = hmac_sha256(&key, part.as_bytes()).to_vec();
    }
    hex::encode(hmac_sha256(&key, string_to_sign.as_bytes()))
}

/// Whether `secret` made the claim's signature over this string.
pub fn verify(claim: &Claim, secret: &str, string_to_sign: &str) -> bool {
    same(&signature(secret, &claim.scope, string_to_sign), &claim.signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";
    const TIME: &str = "20130524T000000Z";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn names(list: &str) -> Vec<String> {
        list.split(';').map(str::to_owned).collect()
    }

    fn query(pairs: &[(&str, &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
        pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
    }

    /// A request of the examples: to the bucket's own host, which is signed.
    fn check(method: &str, path: &str, pairs: &[(&str, &str)], more: &[(&str, &str)], payload: &str, expected: &str) {
        let host = ("host", "examplebucket.s3.amazonaws.com");
        let headers: Vec<(&str, &[u8])> =
            more.iter().chain([&host]).map(|(name, value)| (*name, value.as_bytes())).collect();
        let signed_headers: Vec<String> = headers.iter().map(|(name, _)| (*name).to_owned()).collect();
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
            assert_eq!((claim.access_key_id.as_str(), claim.scope.as_str()), ("a/b", SCOPE));
            assert_eq!((claim.signed_headers, claim.signature.as_str()), (names("host;range"), "00"));
        }
        assert_eq!(Claim::from_header("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00"), None);
        assert_eq!(Claim::from_header("AWS4-HMAC-SHA256 Signature=00"), None);
    }
}
