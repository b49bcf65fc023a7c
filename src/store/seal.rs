//! Encryption at rest: the master keys, and short values sealed with them. (Bodies: `store::blob::sealed`.)
//!
//! Everything is AES-256-GCM. A master key encrypts nothing itself: each blob and each value gets a key of its own that
//! follows from the master key and from what is fresh about it, so no number of writes wears a master key out.
//!
//! ```text
//! value  version 1 │ key id 8 │ salt 12 │ nonce 12 │ ciphertext │ tag 16
//!        the value's key = HMAC-SHA256(master key, "livebucket value 1" ‖ salt); salt and nonce are random
//!        authenticated beside it: version, key id, salt, and what the value is for
//! ```
//!
//! What the value is for (its *purpose*) is known to whoever opens it: a secret put in place of another key's secret does
//! not open.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::store::{Result, StoreError};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of an authentication tag.
pub const TAG_BYTES: usize = 16;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;

const VALUE_VERSION: u8 = 1;
const SALT_BYTES: usize = 12;
const VALUE_HEAD_BYTES: usize = 1 + KeyId::BYTES + SALT_BYTES;
/// How much longer a sealed value is than what is in it.
pub const VALUE_OVERHEAD: usize = VALUE_HEAD_BYTES + NONCE_BYTES + TAG_BYTES;

/// Names a master key without telling anything of it: the first bytes of a hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub [u8; KeyId::BYTES]);

impl KeyId {
    /// Bytes of an id.
    pub const BYTES: usize = 8;
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// One master key.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    id: KeyId,
    secret: [u8; KEY_BYTES],
}

impl MasterKey {
    /// A key of these bytes.
    pub fn new(secret: [u8; KEY_BYTES]) -> Self {
        let digest = Sha256::new().chain_update(b"livebucket master key id\0").chain_update(secret).finalize();
        let mut id = [0; KeyId::BYTES];
        id.copy_from_slice(&digest[..KeyId::BYTES]);
        MasterKey { id: KeyId(id), secret }
    }

    /// From 64 hex digits, or base64 of 32 bytes in either alphabet, padded or not.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = if text.len() == 2 * KEY_BYTES {
            hex::decode(text).ok()?
        } else {
            let text = text.trim_end_matches('=');
            STANDARD_NO_PAD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()?
        };
        bytes.try_into().ok().map(MasterKey::new)
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// A key for one use: `label` says which kind of use, `context` which one.
    pub fn derive(&self, label: &str, context: &[u8]) -> Cipher {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        mac.update(label.as_bytes());
        mac.update(context);
        Cipher::new(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// AES-256-GCM under one key.
pub struct Cipher(Aes256Gcm);

impl Cipher {
    /// Under this key.
    pub fn new(key: [u8; KEY_BYTES]) -> Self {
        Cipher(Aes256Gcm::new(&key.into()))
    }

    /// Encrypts in place; what comes back is the tag. A nonce is used once a key.
    pub fn seal(&self, nonce: [u8; NONCE_BYTES], beside: &[u8], bytes: &mut [u8]) -> [u8; TAG_BYTES] {
        let tag = self.0.encrypt_inout_detached(&nonce.into(), beside, InOutBuf::from(bytes));
        tag.expect("the limit is 64 GiB").into()
    }

    /// Decrypts in place. `false`, and the bytes are worth nothing, when they are not what was sealed.
    #[must_use]
    pub fn open(&self, nonce: [u8; NONCE_BYTES], beside: &[u8], bytes: &mut [u8], tag: [u8; TAG_BYTES]) -> bool {
        self.0.decrypt_inout_detached(&nonce.into(), beside, InOutBuf::from(bytes), &tag.into()).is_ok()
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(..)")
    }
}

/// The configured master keys: the first one seals, every one opens. Clones share them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MasterKeys(Arc<[MasterKey]>);

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter()).finish()
    }
}

impl MasterKeys {
    /// These keys in this order.
    pub fn new(keys: Vec<MasterKey>) -> Self {
        MasterKeys(keys.into())
    }

    /// From text: keys as [`MasterKey::parse`] takes them, between them white space or commas; what follows a `#` in a line
    /// is a comment. At least one, none twice. The error does not repeat what may be a secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
        let words = lines.flat_map(|line| line.split([' ', '\t', '\r', ','])).filter(|word| !word.is_empty());
        let mut keys: Vec<MasterKey> = Vec::new();
        for (index, word) in words.enumerate() {
            let key = MasterKey::parse(word);
            let key = key.ok_or_else(|| format!("key {} is not 32 bytes in hex or base64", index + 1))?;
            if keys.contains(&key) {
                return Err(format!("key {} stands there twice", key.id));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err("there is no key in it".into());
        }
        Ok(Self::new(keys))
    }

    /// These keys, then those of `more` that are not among them.
    #[must_use]
    pub fn followed_by(&self, more: &MasterKeys) -> Self {
        let others = more.0.iter().filter(|key| !self.0.contains(key));
        Self::new(self.0.iter().chain(others).cloned().collect())
    }

    /// None is configured: nothing is sealed, and nothing that is sealed can be opened.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key that seals, if any is configured.
    pub fn sealing(&self) -> Option<&MasterKey> {
        self.0.first()
    }

    /// The ids, the sealing one first.
    pub fn ids(&self) -> Vec<KeyId> {
        self.0.iter().map(MasterKey::id).collect()
    }

    /// The key of this id. `Unavailable`: it is not configured, so `what` cannot be opened until it is.
    pub fn get(&self, id: KeyId, what: impl fmt::Display) -> Result<&MasterKey> {
        self.0.iter().find(|key| key.id == id).ok_or_else(|| {
            StoreError::Unavailable(format!("{what} is sealed with master key {id}, which is not configured"))
        })
    }

    /// Seals a value for a purpose; `None` when no key is configured.
    pub fn seal_value(&self, purpose: &str, plain: &[u8]) -> Result<Option<Vec<u8>>> {
        let Some(key) = self.sealing() else { return Ok(None) };
        let mut sealed = Vec::with_capacity(plain.len() + VALUE_OVERHEAD);
        sealed.push(VALUE_VERSION);
        sealed.extend_from_slice(&key.id.0);
        let (salt, nonce) = (random::<SALT_BYTES>()?, random::<NONCE_BYTES>()?);
        sealed.extend_from_slice(&salt);
        let beside = [sealed.as_slice(), purpose.as_bytes()].concat();
        sealed.extend_from_slice(&nonce);
        let body = sealed.len();
        sealed.extend_from_slice(plain);
        let tag = value_cipher(key, &salt).seal(nonce, &beside, &mut sealed[body..]);
        sealed.extend_from_slice(&tag);
        Ok(Some(sealed))
    }

    /// The master key that a sealed value names; `None` when it is no sealed value of a version known here.
    pub fn key_of_value(sealed: &[u8]) -> Option<KeyId> {
        let id =
            sealed.get(1..=KeyId::BYTES).filter(|_| sealed.len() >= VALUE_OVERHEAD && sealed[0] == VALUE_VERSION)?;
        Some(KeyId(id.try_into().expect("of this length")))
    }

    /// Opens a value that was sealed for this purpose. `Unavailable`: its master key is not configured. `Corrupt`: it is
    /// not what was sealed.
    pub fn open_value(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let damaged = || StoreError::Corrupt(format!("a sealed value ({purpose}) is not what was sealed"));
        let key = self.get(Self::key_of_value(sealed).ok_or_else(damaged)?, format_args!("a value ({purpose})"))?;
        let (head, rest) = sealed.split_at(VALUE_HEAD_BYTES);
        let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        let (body, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or_else(damaged)?;
        let beside = [head, purpose.as_bytes()].concat();
        let mut plain = body.to_vec();
        let cipher = value_cipher(key, &head[1 + KeyId::BYTES..]);
        if cipher.open(*nonce, &beside, &mut plain, *tag) { Ok(plain) } else { Err(damaged()) }
    }
}

fn value_cipher(key: &MasterKey, salt: &[u8]) -> Cipher {
    key.derive("livebucket value 1", salt)
}

/// Random bytes of the system. `Unavailable` when it has none to give.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the system gives no random bytes");
        StoreError::Unavailable("no random bytes".into())
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> MasterKeys {
        MasterKeys::new(bytes.iter().map(|byte| MasterKey::new([*byte; KEY_BYTES])).collect())
    }

    #[test]
    fn keys_are_read_in_every_usual_form() {
        // Every sextet is 62 or 63 somewhere, so that the alphabets differ.
        let secret = [0xfb; KEY_BYTES];
        let (key, hex) = (MasterKey::new(secret), "fB".repeat(KEY_BYTES));
        assert_eq!(MasterKey::parse(&hex), Some(key.clone()));
        for engine in [
            &base64::engine::general_purpose::STANDARD as &base64::engine::GeneralPurpose,
            &STANDARD_NO_PAD,
            &base64::engine::general_purpose::URL_SAFE,
            &URL_SAFE_NO_PAD,
        ] {
            assert_eq!(MasterKey::parse(&engine.encode(secret)), Some(key.clone()), "{engine:?}");
        }
        let text = format!("# new\n{hex} # since May\r\n\n{},\t{}\n", "22".repeat(32), "33".repeat(32));
        let read = MasterKeys::parse(&text).expect("three keys");
        assert_eq!(read.ids(), [key.id, MasterKey::new([0x22; 32]).id, MasterKey::new([0x33; 32]).id]);
        assert_eq!(read.sealing().map(MasterKey::id), Some(key.id));
    }

    #[test]
    fn what_is_no_key_is_refused_without_repeating_it() {
        for (text, why) in [
            ("", "there is no key"),
            ("# nothing", "there is no key"),
            ("secret", "key 1 is not 32 bytes"),
            (&"1".repeat(63), "key 1 is not 32 bytes"),
            (&"A".repeat(44), "key 1 is not 32 bytes"),
            (&format!("{0} {0}", "11".repeat(32)), "stands there twice"),
        ] {
            let error = MasterKeys::parse(text).expect_err(text);
            assert!(error.contains(why) && !error.contains("secret"), "{text}: {error}");
        }
        let shown = format!("{:?}", keys(&[7]));
        assert!(!shown.contains("0707") && shown.contains("MasterKey("), "{shown}");
    }

    #[test]
    fn a_value_opens_with_its_key_and_for_its_purpose_only() {
        let sealed = keys(&[1]).seal_value("secret of a", b"plain").expect("sealed").expect("a key");
        assert_eq!(sealed.len(), b"plain".len() + VALUE_OVERHEAD);
        assert_eq!(MasterKeys::key_of_value(&sealed), Some(keys(&[1]).ids()[0]));
        assert_eq!(keys(&[1]).open_value("secret of a", &sealed), Ok(b"plain".to_vec()));
        assert_eq!(keys(&[2, 1]).open_value("secret of a", &sealed), Ok(b"plain".to_vec()));
        assert!(matches!(keys(&[1]).open_value("secret of b", &sealed), Err(StoreError::Corrupt(_))));
        let id = keys(&[1]).ids()[0].to_string();
        for other in [keys(&[]), keys(&[2])] {
            match other.open_value("secret of a", &sealed) {
                Err(StoreError::Unavailable(why)) => {
                    assert!(why.contains(&id) && why.contains("not configured"), "{why}")
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(keys(&[]).seal_value("", b"plain"), Ok(None));
        let again = keys(&[1]).seal_value("secret of a", b"plain").expect("sealed").expect("a key");
        assert_ne!(again, sealed, "salt and nonce are fresh");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_value_is_seen() {
        let keys = keys(&[1]);
        let sealed = keys.seal_value("p", b"plain text").expect("sealed").expect("a key");
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(keys.open_value("p", &damaged).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(keys.open_value("p", &sealed[..length]).is_err(), "cut to {length}");
        }
    }

    #[test]
    fn merging_keeps_the_order_and_drops_what_is_there() {
        assert_eq!(keys(&[1, 2]).followed_by(&keys(&[2, 3])), keys(&[1, 2, 3]));
        assert_eq!(keys(&[]).followed_by(&keys(&[3])), keys(&[3]));
    }
}
