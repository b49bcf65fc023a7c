//! What a client promises of a body, and whether it came true: `Content-MD5`, `x-amz-checksum-*` as headers or trailers.
//!
//! "Checking object integrity" of the Amazon S3 user guide. Current SDKs send a CRC-32 with every upload unasked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::crypto::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::Checksum;

use super::error::S3Fault;

/// A checksum that a client may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

impl Algorithm {
    /// The header or trailer that carries it.
    const fn header(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "x-amz-checksum-crc32",
            Algorithm::Crc32c => "x-amz-checksum-crc32c",
            Algorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Algorithm::Sha1 => "x-amz-checksum-sha1",
            Algorithm::Sha256 => "x-amz-checksum-sha256",
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Algorithm::Crc32 | Algorithm::Crc32c => 4,
            Algorithm::Crc64Nvme => 8,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
        }
    }

    fn of(self, computed: &Checksum) -> Option<&str> {
        match self {
            Algorithm::Crc32 => computed.checksum_crc32.as_deref(),
            Algorithm::Crc32c => computed.checksum_crc32c.as_deref(),
            Algorithm::Crc64Nvme => computed.checksum_crc64nvme.as_deref(),
            Algorithm::Sha1 => computed.checksum_sha1.as_deref(),
            Algorithm::Sha256 => computed.checksum_sha256.as_deref(),
        }
    }

    fn begin(self, hasher: &mut ChecksumHasher) {
        match self {
            Algorithm::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Algorithm::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Algorithm::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Algorithm::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Algorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
    }
}

/// The digest that `Content-MD5` states; an empty header states none.
pub(super) fn content_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, S3Fault> {
    let text = headers.get("content-md5").map(|value| value.as_bytes().trim_ascii()).unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    let digest = BASE64.decode(text).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    digest.map(Some).ok_or_else(|| S3Fault::new("InvalidDigest"))
}

/// Checksums that a request promises, stated now or after the body.
#[derive(Default)]
pub(super) struct Promises {
    stated: Vec<(Algorithm, String)>,
    in_trailer: Vec<Algorithm>,
    hasher: ChecksumHasher,
}

impl Promises {
    /// What the headers promise.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, S3Fault> {
        let mut promises = Promises::default();
        let trailers = headers.get_all("x-amz-trailer").iter().filter_map(|value| value.to_str().ok());
        let trailers: Vec<String> =
            trailers.flat_map(|list| list.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
        for algorithm in ALGORITHMS {
            if let Some(value) = headers.get(algorithm.header()) {
                promises.stated.push((algorithm, checked_form(algorithm, value)?));
            } else if trailers.iter().any(|name| name == algorithm.header()) {
                promises.in_trailer.push(algorithm);
            } else {
                continue;
            }
            algorithm.begin(&mut promises.hasher);
        }
        Ok(promises)
    }

    /// Whether any checksum is stated in the headers.
    pub(super) fn is_stated(&self) -> bool {
        !self.stated.is_empty()
    }

    /// Adds bytes of the body.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// Compares, once the body has ended; gives back what held, to be echoed.
    pub(super) fn verify(self, trailers: Option<&HeaderMap>) -> Result<Vec<(HeaderName, HeaderValue)>, S3Fault> {
        let computed = self.hasher.finalize();
        let mut promised = self.stated;
        for algorithm in self.in_trailer {
            let value = trailers.and_then(|trailers| trailers.get(algorithm.header()));
            promised.push((algorithm, checked_form(algorithm, value.ok_or_else(malformed_trailer)?)?));
        }
        let mut held = Vec::new();
        for (algorithm, promised) in promised {
            if algorithm.of(&computed) != Some(promised.as_str()) {
                let name = algorithm.header().trim_start_matches("x-amz-checksum-").to_ascii_uppercase();
                let message = format!("The {name} you specified did not match the calculated checksum.");
                return Err(S3Fault::new("BadDigest").saying(message));
            }
            let value = HeaderValue::from_str(&promised).expect("base64 is a header value");
            held.push((HeaderName::from_static(algorithm.header()), value));
        }
        Ok(held)
    }
}

fn malformed_trailer() -> S3Fault {
    S3Fault::new("MalformedTrailerError")
}

/// Base64 of the right length, in its one canonical form.
fn checked_form(algorithm: Algorithm, value: &HeaderValue) -> Result<String, S3Fault> {
    let bytes = BASE64.decode(value.as_bytes().trim_ascii()).ok().filter(|bytes| bytes.len() == algorithm.bytes());
    let message = || format!("Value for {} header is invalid.", algorithm.header());
    bytes.map(|bytes| BASE64.encode(bytes)).ok_or_else(|| S3Fault::new("InvalidRequest").saying(message()))
}

/// Digests of a document: it is small, so every one is taken while it goes by.
pub(super) struct DocumentDigests {
    md5: Md5,
    hasher: ChecksumHasher,
}

impl Default for DocumentDigests {
    fn default() -> Self {
        let mut hasher = ChecksumHasher::default();
        ALGORITHMS.iter().for_each(|algorithm| algorithm.begin(&mut hasher));
        DocumentDigests { md5: Md5::new(), hasher }
    }
}

impl DocumentDigests {
    /// Adds bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.hasher.update(bytes);
    }

    /// Compares with what the headers state. `required`: something must be stated, or the payload be signed.
    pub(super) fn verify(self, headers: &HeaderMap, required: bool) -> Result<(), S3Fault> {
        let md5 = content_md5(headers)?;
        let promises = Promises::read(headers)?;
        let signed = headers.get("x-amz-content-sha256").is_some_and(|value| value.len() == 64);
        if required && md5.is_none() && !promises.is_stated() && !signed {
            let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
            return Err(S3Fault::new("InvalidRequest").saying(message));
        }
        if md5.is_some_and(|stated| stated[..] != self.md5.finalize()[..]) {
            return Err(S3Fault::new("BadDigest"));
        }
        Promises { hasher: self.hasher, ..promises }.verify(None).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `123456789`: the check values of the CRC catalogue.
    const CHECK: [(&str, &str); 3] = [
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
        ("x-amz-checksum-crc32c", "4waSgw=="),
        ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
    ];

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("text")))
            .collect()
    }

    fn verify(promised: &HeaderMap, body: &[u8], trailers: Option<&HeaderMap>) -> Result<usize, &'static str> {
        let mut promises = Promises::read(promised).map_err(|fault| fault.code)?;
        promises.update(body);
        promises.verify(trailers).map(|held| held.len()).map_err(|fault| fault.code)
    }

    #[test]
    fn every_checksum_is_computed_as_its_standard_says() {
        for (name, value) in CHECK {
            assert_eq!(verify(&headers(&[(name, value)]), b"123456789", None), Ok(1), "{name}");
            assert_eq!(verify(&headers(&[(name, value)]), b"123456780", None), Err("BadDigest"), "{name}");
        }
        let sha1 = BASE64.encode(sha1::Sha1::digest(b"123456789"));
        let sha256 = BASE64.encode(sha2::Sha256::digest(b"123456789"));
        for (name, value) in [("x-amz-checksum-sha1", &sha1), ("x-amz-checksum-sha256", &sha256)] {
            assert_eq!(verify(&headers(&[(name, value)]), b"123456789", None), Ok(1), "{name}");
            assert_eq!(verify(&headers(&[(name, value)]), b"", None), Err("BadDigest"), "{name}");
        }
    }

    #[test]
    fn a_promised_trailer_must_come_and_hold() {
        let promised = headers(&[("x-amz-trailer", "x-amz-checksum-crc32")]);
        let right = headers(&[("x-amz-checksum-crc32", "y/Q5Jg==")]);
        let wrong = headers(&[("x-amz-checksum-crc32", "AAAAAA==")]);
        assert_eq!(verify(&promised, b"123456789", Some(&right)), Ok(1));
        assert_eq!(verify(&promised, b"123456789", Some(&wrong)), Err("BadDigest"));
        assert_eq!(verify(&promised, b"123456789", None), Err("MalformedTrailerError"));
    }

    #[test]
    fn what_is_no_checksum_is_refused_before_the_body_is_read() {
        for value in ["", "????", "AAAA", "y/Q5Jg==y/Q5Jg=="] {
            assert_eq!(
                verify(&headers(&[("x-amz-checksum-crc32", value)]), b"", None),
                Err("InvalidRequest"),
                "{value}"
            );
        }
        assert!(content_md5(&headers(&[("content-md5", "no digest")])).is_err());
        assert_eq!(content_md5(&headers(&[("content-md5", "")])).map_err(|fault| fault.code), Ok(None));
    }

    #[test]
    fn a_document_needs_some_promise_where_it_is_required() {
        let digests = |body: &[u8]| {
            let mut digests = DocumentDigests::default();
            digests.update(body);
            digests
        };
        let verify = |pairs: &[(&'static str, &str)], required| {
            digests(b"123456789").verify(&headers(pairs), required).map_err(|fault| fault.code)
        };
        let md5 = BASE64.encode(Md5::digest(b"123456789"));
        assert_eq!(verify(&[("content-md5", &md5)], true), Ok(()));
        assert_eq!(verify(&[("x-amz-checksum-crc32", "y/Q5Jg==")], true), Ok(()));
        assert_eq!(verify(&[("x-amz-content-sha256", &"0".repeat(64))], true), Ok(()), "the library compares that one");
        assert_eq!(verify(&[], false), Ok(()));
        assert_eq!(verify(&[], true), Err("InvalidRequest"));
        assert_eq!(verify(&[("content-md5", &BASE64.encode([0; 16]))], false), Err("BadDigest"));
        assert_eq!(verify(&[("x-amz-checksum-crc32", "AAAAAA==")], false), Err("BadDigest"));
    }
}
