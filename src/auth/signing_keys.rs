//! Keys of signatures of version 4, of either dialect: derived once for a day, a region and a product, and ready to sign.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};

use super::hmac_sha256;

/// How a dialect derives its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// Stands before the secret.
    pub prefix: &'static str,
    /// The last part of every scope.
    pub terminator: &'static str,
}

/// What a key is derived for: day, region, and product or service.
pub type Scope<'a> = [&'a str; 3];

impl Derivation {
    /// The derived key's bytes.
    pub fn derive(&self, secret: &str, scope: Scope<'_>) -> [u8; 32] {
        let first = [self.prefix.as_bytes(), secret.as_bytes()].concat();
        let [day, region, product] = scope;
        let day = hmac_sha256(&first, day.as_bytes());
        [region, product, self.terminator].iter().fold(day, |key, part| hmac_sha256(&key, part.as_bytes()))
    }
}

/// A derived key that has its two blocks behind it: a signature hashes its own text and one block more.
#[derive(Clone)]
pub struct SigningKey(Hmac<sha2::Sha256>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Of a derived key's bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        SigningKey(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }

    /// Lower-case hex of the HMAC-SHA256.
    pub fn sign(&self, text: &[u8]) -> [u8; 64] {
        hex_of(&self.0.clone().chain_update(text).finalize().into_bytes().into())
    }
}

/// Lower-case hex of a digest.
pub(super) fn hex_of(digest: &[u8; 32]) -> [u8; 64] {
    let mut hex = [0; 64];
    hex::encode_to_slice(digest, &mut hex).expect("two digits a byte");
    hex
}

/// Derived keys that were needed: they hold for a day, and deriving one takes four of the five HMACs of a request. A secret
/// and a scope always give the same key, so nothing here can be out of date.
#[derive(Default)]
pub struct SigningKeys(Mutex<HashMap<Box<str>, Vec<Kept>>>);

/// One key of a secret.
struct Kept {
    derivation: Derivation,
    scope: [Box<str>; 3],
    key: SigningKey,
}

impl Kept {
    fn is_of(&self, derivation: Derivation, scope: Scope<'_>) -> bool {
        self.derivation == derivation && self.scope.iter().zip(scope).all(|(ours, part)| **ours == *part)
    }
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeys").finish_non_exhaustive()
    }
}

impl SigningKeys {
    /// Secrets whose keys are kept: more than sign at once.
    const SECRETS_MAX: usize = 1_024;
    /// Scopes of one secret: two days meet at midnight, a region has few names, and there are two dialects.
    const SCOPES_MAX: usize = 8;
    /// A scope's texts that are longer belong to nobody's signer.
    const SCOPE_BYTES_MAX: usize = 128;

    /// The key of a secret for a scope.
    pub fn get(&self, derivation: Derivation, secret: &str, scope: Scope<'_>) -> SigningKey {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get(secret).and_then(|keys| keys.iter().find(|key| key.is_of(derivation, scope))) {
            return found.key.clone();
        }
        let key = SigningKey::new(&derivation.derive(secret, scope));
        if scope.iter().map(|part| part.len()).sum::<usize>() > Self::SCOPE_BYTES_MAX {
            return key;
        }
        if kept.len() >= Self::SECRETS_MAX && !kept.contains_key(secret) {
            // Whatever is in use is back with its next request.
            kept.clear();
        }
        let keys = kept.entry(secret.into()).or_default();
        // A client chooses the scope: what it sends must not pile up.
        if keys.len() >= Self::SCOPES_MAX {
            keys.clear();
        }
        keys.push(Kept { derivation, scope: scope.map(Box::from), key: key.clone() });
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Derivation = Derivation { prefix: "one", terminator: "end" };
    const OTHER: Derivation = Derivation { prefix: "other", terminator: "end" };

    #[test]
    fn a_derived_key_is_that_of_its_secret_and_scope_however_many_there_were() {
        let keys = SigningKeys::default();
        let check = |derivation: Derivation, secret: &str, region: &str| {
            let scope = ["20231114", region, "s3"];
            let derived = hex_of(&hmac_sha256(&derivation.derive(secret, scope), b"text"));
            assert_eq!(keys.get(derivation, secret, scope).sign(b"text"), derived, "{derivation:?} {secret} {region}");
        };
        for _ in 0..2 {
            for n in 0..40 {
                check(ONE, "sk", &format!("region-{}", n % 20));
                check(OTHER, "sk", &format!("region-{}", n % 20));
                check(ONE, &format!("sk{n}"), "region");
            }
        }
        check(ONE, "sk", &"r".repeat(10_000));
        for n in 0..3_000 {
            keys.get(ONE, &format!("secret-{n}"), ["20231114", "region", "oss"]);
        }
        let kept = keys.0.lock().expect("nothing panicked");
        assert!(kept.len() <= SigningKeys::SECRETS_MAX);
        let is_short = |kept: &Kept| kept.scope[1].len() < 100;
        assert!(kept.values().all(|of| of.len() <= SigningKeys::SCOPES_MAX && of.iter().all(is_short)));
    }

    #[test]
    fn no_key_shows_in_a_log() {
        let text = format!("{:?}", SigningKey::new(&[7; 32]));
        assert!(!text.contains('7'), "{text}");
    }
}
