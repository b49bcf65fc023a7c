//! Who owns buckets, and the keys that prove it.

use std::fmt;

use crate::clock::Wall;

/// An account owns buckets and access keys. Its decimal form is the owner id on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

/// One access key. The secret must be recoverable: signatures are HMACs.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKeyRecord {
    /// The public id.
    pub id: String,
    /// The secret. Never logged.
    pub secret: String,
    /// The account it speaks for.
    pub account: AccountId,
    /// That account's name.
    pub account_name: String,
    /// A disabled key authenticates nothing.
    pub enabled: bool,
    /// When it was made.
    pub created: Wall,
}

impl fmt::Debug for AccessKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKeyRecord").field("id", &self.id).field("account", &self.account).finish_non_exhaustive()
    }
}

/// A temporary credential: signs for an access key until it expires, and only together with its token.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKeyRecord {
    /// The public id; begins with [`SESSION_KEY_PREFIX`].
    pub id: String,
    /// The secret. Never logged.
    pub secret: String,
    /// SHA-256 of the token. The token itself is kept by whoever was given it.
    pub token_sha256: [u8; 32],
    /// The access key that it signs for.
    pub parent: AccessKeyRecord,
    /// When it was made.
    pub created: Wall,
    /// From then on it signs nothing.
    pub expires: Wall,
    /// The policy that narrows it, as it was given. `None`: it may what the access key may.
    pub policy: Option<String>,
}

/// Ids of temporary credentials begin so, and those of access keys do not.
pub const SESSION_KEY_PREFIX: &str = "STS.";

impl fmt::Debug for SessionKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("SessionKeyRecord");
        fields.field("id", &self.id).field("parent", &self.parent).field("expires", &self.expires);
        fields.finish_non_exhaustive()
    }
}
