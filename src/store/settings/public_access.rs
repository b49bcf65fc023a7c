//! What keeps a bucket from the public, whatever its ACLs say.

use serde::{Deserialize, Serialize};

use super::BucketSettings;
use crate::auth::access::Acl;

/// What of public access is blocked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublicAccessBlock {
    /// A public ACL cannot be put.
    pub block_acls: bool,
    /// ACLs that are public have no effect.
    pub ignore_acls: bool,
    /// A public policy cannot be put.
    pub block_policy: bool,
    /// With a public policy nobody but the owner's account may.
    pub restrict_buckets: bool,
}

impl PublicAccessBlock {
    /// Everything is blocked.
    pub const ALL: Self =
        PublicAccessBlock { block_acls: true, ignore_acls: true, block_policy: true, restrict_buckets: true };
}

/// Whom objects belong to, and with that whether ACLs count. (All objects of a bucket belong to its owner here, so only
/// the first has an effect.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectOwnership {
    /// To the bucket's owner; ACLs cannot be put and have no effect.
    BucketOwnerEnforced,
    /// To the bucket's owner when whoever wrote them said so.
    BucketOwnerPreferred,
    /// To whoever wrote them.
    ObjectWriter,
}

/// Why an ACL cannot be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclRefusal {
    /// The bucket has no ACLs ([`ObjectOwnership::BucketOwnerEnforced`]).
    Disabled,
    /// It is public, and that is blocked.
    Public,
}

impl BucketSettings {
    /// Whether ACLs of this bucket and of its objects have an effect.
    pub fn acls_count(&self) -> bool {
        let ignored = self.public_access_block.is_some_and(|block| block.ignore_acls);
        !ignored && self.ownership != Some(ObjectOwnership::BucketOwnerEnforced)
    }

    /// Whether `acl` may be put on this bucket or one of its objects.
    pub fn permits_acl(&self, acl: Acl) -> Result<(), AclRefusal> {
        if self.ownership == Some(ObjectOwnership::BucketOwnerEnforced) {
            return Err(AclRefusal::Disabled);
        }
        let blocked = self.public_access_block.is_some_and(|block| block.block_acls);
        if blocked && acl != Acl::Private { Err(AclRefusal::Public) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_blocked_or_owned_decides_over_acls() {
        use AclRefusal::*;
        let none = BucketSettings::default();
        let with = |block| BucketSettings { public_access_block: Some(block), ..BucketSettings::default() };
        let owned = |by| BucketSettings { ownership: Some(by), ..BucketSettings::default() };
        let nothing = PublicAccessBlock::default();
        for (settings, count, private, public) in [
            (none, true, Ok(()), Ok(())),
            (with(nothing), true, Ok(()), Ok(())),
            (with(PublicAccessBlock { block_acls: true, ..nothing }), true, Ok(()), Err(Public)),
            (with(PublicAccessBlock { ignore_acls: true, ..nothing }), false, Ok(()), Ok(())),
            (with(PublicAccessBlock { block_policy: true, restrict_buckets: true, ..nothing }), true, Ok(()), Ok(())),
            (with(PublicAccessBlock::ALL), false, Ok(()), Err(Public)),
            (owned(ObjectOwnership::ObjectWriter), true, Ok(()), Ok(())),
            (owned(ObjectOwnership::BucketOwnerPreferred), true, Ok(()), Ok(())),
            (owned(ObjectOwnership::BucketOwnerEnforced), false, Err(Disabled), Err(Disabled)),
        ] {
            assert_eq!(settings.acls_count(), count, "{settings:?}");
            assert_eq!(settings.permits_acl(Acl::Private), private, "{settings:?}");
            assert_eq!(settings.permits_acl(Acl::PublicRead), public, "{settings:?}");
            assert_eq!(settings.permits_acl(Acl::PublicReadWrite), public, "{settings:?}");
        }
    }
}
