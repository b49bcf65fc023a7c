//! What a client promises of a body, and whether it came true: `Content-MD5`, `x-amz-checksum-*` as headers or trailers.
//!
//! "Checking object integrity" of the Amazon S3 user guide. Current SDKs send a CRC-32 with every upload unasked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use http::header::HeaderValue;
use md5::{Digest, Md5};

use super::checksum::header_name;
use super::error::S3Fault;
use crate::store::checksum::Hasher;
use crate::store::{Checksum, ChecksumAlgorithm};

/// The digest that `Content-MD5` states; an empty header states none.
pub(super) fn content_md5(headers: &HeaderMap) -> Result<Option<[u8; 16]>, S3Fault> {
    let text = headers.get("content-md5").map(|value| value.as_bytes().trim_ascii()).unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    let digest = BASE64.decode(text).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    digest.map(Some).ok_or_else(|| S3Fault::new("InvalidDigest"))
}

/// The checksum that a request promises of its body, stated now or after the body.
#[derive(Default)]
pub(super) struct Promises {
    stated: Option<Checksum>,
    in_trailer: Option<ChecksumAlgorithm>,
    hasher: Option<Hasher>,
}

impl Promises {
    /// What the headers promise: one checksum at most.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, S3Fault> {
        let trailers = headers.get_all("x-amz-trailer").iter().filter_map(|value| value.to_str().ok());
        let trailers: Vec<String> =
            trailers.flat_map(|list| list.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
        let names = headers.keys().map(|name| name.as_str()).chain(trailers.iter().map(String::as_str));
        if let Some(unknown) = names.into_iter().find(|name| is_unknown_checksum(name)) {
            // A promise that cannot be kept is not taken.
            return Err(S3Fault::header_not_implemented(unknown));
        }
        let mut promises = Promises::default();
        for algorithm in ChecksumAlgorithm::ALL {
            let name = header_name(algorithm);
            let value = headers.get(name);
            if value.is_none() && !trailers.iter().any(|trailer| trailer == name) {
                continue;
            }
            if promises.hasher.is_some() {
                let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
                return Err(S3Fault::new("InvalidRequest").saying(message));
            }
            promises.stated = value.map(|value| checked_form(algorithm, value)).transpose()?;
            promises.in_trailer = promises.stated.is_none().then_some(algorithm);
            promises.hasher = Some(Hasher::new(algorithm));
        }
        promises.is_what_the_client_announced(headers)?;
        Ok(promises)
    }

    /// `x-amz-sdk-checksum-algorithm` must name the checksum that is there.
    fn is_what_the_client_announced(&self, headers: &HeaderMap) -> Result<(), S3Fault> {
        let Some(announced) = headers.get("x-amz-sdk-checksum-algorithm") else { return Ok(()) };
        let announced = announced.to_str().ok().and_then(|name| ChecksumAlgorithm::named(name.trim()));
        let message = match self.algorithm() {
            None => {
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers \
                 were found."
            }
            promised if promised == announced => return Ok(()),
            Some(_) => "Value for x-amz-sdk-checksum-algorithm header is invalid.",
        };
        Err(S3Fault::new("InvalidRequest").saying(message))
    }

    /// What is promised.
    pub(super) fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        self.hasher.as_ref().map(Hasher::algorithm)
    }

    /// Has a checksum computed also where none is promised.
    pub(super) fn or_compute(mut self, algorithm: Option<ChecksumAlgorithm>) -> Self {
        self.hasher = self.hasher.or(algorithm.map(Hasher::new));
        self
    }

    /// Adds bytes of the body.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }

    /// Compares, once the body has ended; gives back its checksum, where one was asked for.
    pub(super) fn verify(self, trailers: Option<&HeaderMap>) -> Result<Option<Checksum>, S3Fault> {
        let Some(computed) = self.hasher.map(Hasher::finish) else { return Ok(None) };
        let in_trailer = |algorithm: ChecksumAlgorithm| {
            let value = trailers.and_then(|trailers| trailers.get(header_name(algorithm)));
            checked_form(algorithm, value.ok_or_else(malformed_trailer)?)
        };
        let promised = match self.in_trailer {
            Some(algorithm) => Some(in_trailer(algorithm)?),
            None => self.stated,
        };
        match promised {
            Some(promised) if promised != computed => Err(bad_digest(computed.algorithm())),
            _ => Ok(Some(computed)),
        }
    }
}

/// Whether this carries a checksum of an algorithm that is not built.
fn is_unknown_checksum(name: &str) -> bool {
    const NO_SUMS: [&str; 3] = ["x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"];
    name.starts_with("x-amz-checksum-")
        && !NO_SUMS.contains(&name)
        && !ChecksumAlgorithm::ALL.iter().any(|algorithm| header_name(*algorithm) == name)
}

fn malformed_trailer() -> S3Fault {
    S3Fault::new("MalformedTrailerError")
}

/// 400: the checksum is another.
fn bad_digest(algorithm: ChecksumAlgorithm) -> S3Fault {
    let message = format!("The {} you specified did not match the calculated checksum.", algorithm.name());
    S3Fault::new("BadDigest").saying(message)
}

/// Base64 of the right length.
fn checked_form(algorithm: ChecksumAlgorithm, value: &HeaderValue) -> Result<Checksum, S3Fault> {
    let message = || format!("Value for {} header is invalid.", header_name(algorithm));
    Checksum::from_base64(algorithm, value.as_bytes().trim_ascii())
        .ok_or_else(|| S3Fault::new("InvalidRequest").saying(message()))
}

/// Digests of a document: it is small, so every one is taken while it goes by.
pub(super) struct DocumentDigests {
    md5: Md5,
    hashers: [Hasher; 5],
}

impl Default for DocumentDigests {
    fn default() -> Self {
        DocumentDigests { md5: Md5::new(), hashers: ChecksumAlgorithm::ALL.map(Hasher::new) }
    }
}

impl DocumentDigests {
    /// Adds bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.hashers.iter_mut().for_each(|hasher| hasher.update(bytes));
    }

    /// Compares with what the headers state. `required`: something must be stated, or the payload be signed.
    pub(super) fn verify(self, headers: &HeaderMap, required: bool) -> Result<(), S3Fault> {
        let md5 = content_md5(headers)?;
        let promises = Promises::read(headers)?;
        let signed = headers.get("x-amz-content-sha256").is_some_and(|value| value.len() == 64);
        if required && md5.is_none() && promises.stated.is_none() && !signed {
            let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
            return Err(S3Fault::new("InvalidRequest").saying(message));
        }
        if md5.is_some_and(|stated| stated[..] != self.md5.finalize()[..]) {
            return Err(S3Fault::new("BadDigest"));
        }
        let algorithm = promises.algorithm();
        let hasher = self.hashers.into_iter().find(|hasher| Some(hasher.algorithm()) == algorithm);
        Promises { hasher, ..promises }.verify(None).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use http::header::HeaderName;

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
        promises.verify(trailers).map(|held| held.iter().count()).map_err(|fault| fault.code)
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
    fn one_checksum_is_taken_and_it_must_be_the_announced_one() {
        let crc = ("x-amz-checksum-crc32", "y/Q5Jg==");
        let sdk = |name| ("x-amz-sdk-checksum-algorithm", name);
        let trailer = ("x-amz-trailer", "x-amz-checksum-crc32c");
        for (pairs, expected) in [
            (&[crc, sdk("crc32")][..], Ok(1)),
            (&[crc, sdk("SHA1")], Err("InvalidRequest")),
            (&[crc, sdk("nonsense")], Err("InvalidRequest")),
            (&[sdk("CRC32")], Err("InvalidRequest")),
            (&[crc, ("x-amz-checksum-crc32c", "4waSgw==")], Err("InvalidRequest")),
            (&[crc, trailer], Err("InvalidRequest")),
            (&[("x-amz-checksum-sha512", "AAAA")], Err("NotImplemented")),
            (&[("x-amz-trailer", "x-amz-checksum-sha512")], Err("NotImplemented")),
            (&[("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-mode", "ENABLED")], Ok(0)),
            (&[], Ok(0)),
        ] {
            assert_eq!(verify(&headers(pairs), b"123456789", None), expected, "{pairs:?}");
        }
        let mut promises = Promises::default().or_compute(Some(ChecksumAlgorithm::Crc32));
        promises.update(b"123456789");
        let computed = promises.verify(None).map_err(|fault| fault.code).expect("nothing was promised");
        assert_eq!(computed.map(Checksum::to_base64).as_deref(), Some("y/Q5Jg=="));
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
