//! Checksums that a client may choose for its objects, and what those of parts come to.
//!
//! "Checking object integrity" of the Amazon S3 user guide: an object has one checksum at most, over all its bytes (*full
//! object*), or over the checksums of the parts that it was uploaded in (*composite*). That of the whole follows from
//! those of parts without reading a byte: CRCs combine, the others are only ever composite.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::digest::Polynomial;

/// How a checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChecksumAlgorithm {
    /// CRC-32/ISO-HDLC, that of zip and PNG.
    Crc32,
    /// CRC-32/ISCSI (Castagnoli).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

static CRC32: Polynomial = Polynomial::new(0xedb8_8320, 32);
static CRC32C: Polynomial = Polynomial::new(0x82f6_3b78, 32);
static CRC64NVME: Polynomial = Polynomial::new(0x9a6c_9329_ac4b_c9b5, 64);

impl ChecksumAlgorithm {
    /// All of them; the place is the code that metadata stores.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// Its name, in capitals.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The algorithm of that name, in capitals or not.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of a checksum.
    pub const fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// What an upload in parts has of it when its client does not say.
    pub const fn usual_type(self) -> ChecksumType {
        match self {
            Self::Crc64Nvme => ChecksumType::FullObject,
            Self::Crc32 | Self::Crc32c | Self::Sha1 | Self::Sha256 => ChecksumType::Composite,
        }
    }

    /// Whether an upload in parts can have it so: SHA of parts does not combine, and CRC-64 is never composite.
    pub const fn allows(self, kind: ChecksumType) -> bool {
        match self {
            Self::Crc32 | Self::Crc32c => true,
            Self::Crc64Nvme => matches!(kind, ChecksumType::FullObject),
            Self::Sha1 | Self::Sha256 => matches!(kind, ChecksumType::Composite),
        }
    }

    const fn polynomial(self) -> Option<&'static Polynomial> {
        match self {
            Self::Crc32 => Some(&CRC32),
            Self::Crc32c => Some(&CRC32C),
            Self::Crc64Nvme => Some(&CRC64NVME),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// Of a CRC, from its number.
    fn of_number(self, number: u64) -> Checksum {
        let bytes = number.to_be_bytes();
        Checksum::new(self, &bytes[8 - self.length()..]).expect("a CRC has four or eight bytes")
    }
}

/// What a checksum is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumType {
    /// All bytes.
    FullObject,
    /// The checksums of the parts, one after the other.
    Composite,
}

impl ChecksumType {
    /// Its name, as S3 writes it.
    pub const fn name(self) -> &'static str {
        match self {
            ChecksumType::FullObject => "FULL_OBJECT",
            ChecksumType::Composite => "COMPOSITE",
        }
    }

    /// The type of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::FullObject, Self::Composite].into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

/// Which checksum an object has, or an upload will give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChecksumForm {
    /// How.
    pub algorithm: ChecksumAlgorithm,
    /// Over what.
    pub kind: ChecksumType,
}

/// A checksum of some bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    algorithm: ChecksumAlgorithm,
    /// Zeros stand behind a shorter one.
    value: [u8; 32],
}

impl Checksum {
    /// `None` unless there are as many bytes as the algorithm gives.
    pub fn new(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Option<Self> {
        let mut value = [0; 32];
        value.get_mut(..bytes.len()).filter(|_| bytes.len() == algorithm.length())?.copy_from_slice(bytes);
        Some(Checksum { algorithm, value })
    }

    /// From base64 as clients send it.
    pub fn from_base64(algorithm: ChecksumAlgorithm, text: &[u8]) -> Option<Self> {
        Self::new(algorithm, &BASE64.decode(text).ok()?)
    }

    /// Of these bytes.
    pub fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// How it was computed.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// Its bytes, the most significant first.
    pub fn bytes(&self) -> &[u8] {
        &self.value[..self.algorithm.length()]
    }

    /// As S3 writes it.
    pub fn to_base64(self) -> String {
        BASE64.encode(self.bytes())
    }

    fn number(&self) -> u64 {
        self.bytes().iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.algorithm.name(), self.to_base64())
    }
}

/// The checksum of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct ObjectChecksum {
    /// The value.
    pub value: Checksum,
    /// `None`: over all bytes. Else it is composite, of so many parts.
    pub parts: Option<u32>,
}

impl ObjectChecksum {
    /// Over all bytes.
    pub fn full(value: Checksum) -> Self {
        ObjectChecksum { value, parts: None }
    }

    /// Which it is.
    pub fn form(&self) -> ChecksumForm {
        let kind = if self.parts.is_some() { ChecksumType::Composite } else { ChecksumType::FullObject };
        ChecksumForm { algorithm: self.value.algorithm, kind }
    }

    /// As S3 writes it: a composite one has the count of its parts behind it.
    pub fn text(&self) -> String {
        let value = self.value.to_base64();
        self.parts.map_or_else(|| value.clone(), |parts| format!("{value}-{parts}"))
    }

    /// What an object that is made of these parts has, each with its size in bytes. `None` when a part has none of the
    /// algorithm, or the algorithm's do not combine.
    pub fn of_parts(form: ChecksumForm, parts: &[(Option<Checksum>, u64)]) -> Option<Self> {
        let of_algorithm = |checksum: Option<Checksum>| checksum.filter(|c| c.algorithm == form.algorithm);
        match form.kind {
            ChecksumType::FullObject => {
                let polynomial = form.algorithm.polynomial()?;
                let mut whole = Hasher::new(form.algorithm).finish().number();
                for (checksum, size) in parts {
                    whole = polynomial.combine(whole, of_algorithm(*checksum)?.number(), *size);
                }
                Some(Self::full(form.algorithm.of_number(whole)))
            }
            ChecksumType::Composite => {
                let mut hasher = Hasher::new(form.algorithm);
                for (checksum, _) in parts {
                    hasher.update(of_algorithm(*checksum)?.bytes());
                }
                Some(ObjectChecksum { value: hasher.finish(), parts: Some(u32::try_from(parts.len()).ok()?) })
            }
        }
    }
}

/// [`ObjectChecksum`] as metadata keeps it.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    algorithm: String,
    value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts: Option<u32>,
}

impl From<ObjectChecksum> for Stored {
    fn from(of: ObjectChecksum) -> Self {
        Stored { algorithm: of.value.algorithm.name().into(), value: of.value.to_base64(), parts: of.parts }
    }
}

impl TryFrom<Stored> for ObjectChecksum {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let algorithm = ChecksumAlgorithm::named(&stored.algorithm).ok_or("an unknown checksum algorithm")?;
        let value = Checksum::from_base64(algorithm, stored.value.as_bytes()).ok_or("a checksum of another length")?;
        Ok(ObjectChecksum { value, parts: stored.parts })
    }
}

/// A running checksum.
#[derive(Debug)]
pub struct Hasher {
    algorithm: ChecksumAlgorithm,
    state: State,
}

enum State {
    Crc(crc_fast::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl Hasher {
    /// Of no bytes.
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        let crc = |crc| State::Crc(crc_fast::Digest::new(crc));
        let state = match algorithm {
            ChecksumAlgorithm::Crc32 => crc(crc_fast::CrcAlgorithm::Crc32IsoHdlc),
            ChecksumAlgorithm::Crc32c => crc(crc_fast::CrcAlgorithm::Crc32Iscsi),
            ChecksumAlgorithm::Crc64Nvme => crc(crc_fast::CrcAlgorithm::Crc64Nvme),
            ChecksumAlgorithm::Sha1 => State::Sha1(Sha1::new()),
            ChecksumAlgorithm::Sha256 => State::Sha256(Sha256::new()),
        };
        Hasher { algorithm, state }
    }

    /// What it computes.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(bytes),
            State::Sha1(digest) => digest.update(bytes),
            State::Sha256(digest) => digest.update(bytes),
        }
    }

    /// The checksum.
    pub fn finish(self) -> Checksum {
        match self.state {
            State::Crc(digest) => self.algorithm.of_number(digest.finalize()),
            State::Sha1(digest) => Checksum::new(self.algorithm, &digest.finalize()).expect("twenty bytes"),
            State::Sha256(digest) => Checksum::new(self.algorithm, &digest.finalize()).expect("thirty-two bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `123456789`: the check values of the CRC catalogue, and of `sha1sum` and `sha256sum`.
    const CHECK: [(ChecksumAlgorithm, &str); 5] = [
        (ChecksumAlgorithm::Crc32, "y/Q5Jg=="),
        (ChecksumAlgorithm::Crc32c, "4waSgw=="),
        (ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg="),
        (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
        (ChecksumAlgorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ];

    #[test]
    fn every_algorithm_gives_its_check_value() {
        for (algorithm, text) in CHECK {
            let checksum = Checksum::of(algorithm, b"123456789");
            assert_eq!(checksum.to_base64(), text, "{}", algorithm.name());
            assert_eq!(Checksum::from_base64(algorithm, text.as_bytes()), Some(checksum));
            assert_eq!(ChecksumAlgorithm::named(algorithm.name()), Some(algorithm));
            assert_eq!(checksum.bytes().len(), algorithm.length());
        }
        assert_eq!(CHECK.map(|(algorithm, _)| algorithm), ChecksumAlgorithm::ALL);
        for text in ["", "????", "AAAA", "y/Q5Jg==y/Q5Jg=="] {
            assert_eq!(Checksum::from_base64(ChecksumAlgorithm::Crc32, text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn metadata_keeps_a_checksum_as_text() {
        let full = ObjectChecksum::full(Checksum::of(ChecksumAlgorithm::Crc32, b"123456789"));
        for (checksum, json, text) in [
            (full, r#"{"algorithm":"CRC32","value":"y/Q5Jg=="}"#, "y/Q5Jg=="),
            (
                ObjectChecksum { parts: Some(3), ..full },
                r#"{"algorithm":"CRC32","value":"y/Q5Jg==","parts":3}"#,
                "y/Q5Jg==-3",
            ),
        ] {
            assert_eq!(serde_json::to_string(&checksum).expect("plain"), json);
            assert_eq!(serde_json::from_str::<ObjectChecksum>(json).expect("as written"), checksum);
            assert_eq!(checksum.text(), text);
        }
        for wrong in [r#"{"algorithm":"CRC8","value":"y/Q5Jg=="}"#, r#"{"algorithm":"SHA1","value":"y/Q5Jg=="}"#] {
            assert!(serde_json::from_str::<ObjectChecksum>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_without_the_checksum_give_the_whole_none() {
        let crc = |bytes: &[u8]| (Some(Checksum::of(ChecksumAlgorithm::Crc32, bytes)), bytes.len() as u64);
        let sha = (Some(Checksum::of(ChecksumAlgorithm::Sha256, b"b")), 1);
        for kind in [ChecksumType::FullObject, ChecksumType::Composite] {
            let of = |parts: &[_]| {
                ObjectChecksum::of_parts(ChecksumForm { algorithm: ChecksumAlgorithm::Crc32, kind }, parts)
            };
            assert!(of(&[crc(b"a"), crc(b"b")]).is_some());
            assert_eq!(of(&[crc(b"a"), sha]), None);
            assert_eq!(of(&[crc(b"a"), (None, 1)]), None);
        }
        let full = ChecksumForm { algorithm: ChecksumAlgorithm::Sha256, kind: ChecksumType::FullObject };
        assert_eq!(ObjectChecksum::of_parts(full, &[sha]), None);
    }

    #[test]
    fn a_composite_checksum_is_that_of_the_parts_checksums() {
        for algorithm in ChecksumAlgorithm::ALL {
            let [a, b] = [&b"first"[..], b"second"].map(|part| Checksum::of(algorithm, part));
            let form = ChecksumForm { algorithm, kind: ChecksumType::Composite };
            let composite = ObjectChecksum::of_parts(form, &[(Some(a), 5), (Some(b), 6)]).expect("both have one");
            let joined = [a.bytes(), b.bytes()].concat();
            assert_eq!(composite, ObjectChecksum { value: Checksum::of(algorithm, &joined), parts: Some(2) });
            assert_eq!(composite.form(), form);
        }
    }

    proptest::proptest! {
        #[test]
        fn checksums_of_parts_combine_to_that_of_the_whole(parts: Vec<Vec<u8>>) {
            let whole = parts.concat();
            for algorithm in ChecksumAlgorithm::ALL {
                let form = ChecksumForm { algorithm, kind: ChecksumType::FullObject };
                let of: Vec<_> = parts.iter().map(|p| (Some(Checksum::of(algorithm, p)), p.len() as u64)).collect();
                let expected = algorithm.polynomial().map(|_| ObjectChecksum::full(Checksum::of(algorithm, &whole)));
                proptest::prop_assert_eq!(ObjectChecksum::of_parts(form, &of), expected);
            }
        }

        #[test]
        fn combining_agrees_with_an_independent_implementation(first: u64, second: u64, length: u64) {
            for (algorithm, theirs) in [
                (ChecksumAlgorithm::Crc32, crc_fast::CrcAlgorithm::Crc32IsoHdlc),
                (ChecksumAlgorithm::Crc32c, crc_fast::CrcAlgorithm::Crc32Iscsi),
                (ChecksumAlgorithm::Crc64Nvme, crc_fast::CrcAlgorithm::Crc64Nvme),
            ] {
                let mask = u64::MAX >> (64 - 8 * algorithm.length());
                let (first, second) = (first & mask, second & mask);
                let ours = algorithm.polynomial().expect("a CRC");
                for length in [length, length >> 24, length >> 60] {
                    let expected = crc_fast::checksum_combine(theirs, first, second, length);
                    proptest::prop_assert_eq!(ours.combine(first, second, length), expected, "{}", length);
                }
            }
        }
    }
}
