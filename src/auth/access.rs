//! Who may do what: one decision table.

/// A canned access control list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acl {
    /// Owner only.
    Private,
    /// Everybody reads.
    PublicRead,
    /// Everybody reads and writes (and publishes).
    PublicReadWrite,
}

/// Who asks, seen from the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requester {
    /// Nobody proved anything.
    Anonymous,
    /// The account that owns the bucket.
    Owner,
    /// Any other account.
    OtherAccount,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An object's body or headers.
    ReadObject,
    /// Put, append to, copy over or delete an object.
    WriteObject,
    /// The bucket's objects by name.
    ListBucket,
    /// The bucket's or an object's settings: info, location, ACL, CORS.
    ReadSettings,
    /// Change or delete the same, or the bucket.
    WriteSettings,
    /// Any operation on a live channel, VOD playlists included.
    ManageLiveChannel,
    /// Publish to a live channel.
    Publish,
}

/// The decision. `object` is the object's own ACL when there is an object and it has one; it outranks the bucket's.
pub fn allowed(requester: Requester, bucket: Acl, object: Option<Acl>, action: Action) -> bool {
    if requester == Requester::Owner {
        return true;
    }
    match action {
        Action::ReadObject => object.unwrap_or(bucket) != Acl::Private,
        Action::WriteObject => object.unwrap_or(bucket) == Acl::PublicReadWrite,
        Action::ListBucket => bucket != Acl::Private,
        Action::Publish => bucket == Acl::PublicReadWrite,
        Action::ReadSettings | Action::WriteSettings | Action::ManageLiveChannel => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Acl::*;
    use super::Action::*;
    use super::Requester::*;
    use super::*;

    #[test]
    fn whoever_is_not_the_owner_gets_what_the_acl_says() {
        //  bucket's ACL,     object's ACL,          read,  write, list,  publish
        for (bucket, object, read, write, list, publish) in [
            (Private, None, false, false, false, false),
            (PublicRead, None, true, false, true, false),
            (PublicReadWrite, None, true, true, true, true),
            (Private, Some(PublicRead), true, false, false, false),
            (Private, Some(PublicReadWrite), true, true, false, false),
            (PublicRead, Some(Private), false, false, true, false),
            (PublicReadWrite, Some(Private), false, false, true, true),
            (PublicReadWrite, Some(PublicRead), true, false, true, true),
        ] {
            for requester in [Anonymous, OtherAccount] {
                let may = |action| allowed(requester, bucket, object, action);
                let row = format!("{requester:?} {bucket:?} {object:?}");
                assert_eq!(may(ReadObject), read, "{row}");
                assert_eq!(may(WriteObject), write, "{row}");
                assert_eq!(may(ListBucket), list, "{row}");
                assert_eq!(may(Publish), publish, "{row}");
                assert!(!may(ReadSettings) && !may(WriteSettings) && !may(ManageLiveChannel), "{row}");
            }
        }
    }

    #[test]
    fn the_owner_may_do_everything() {
        for bucket in [Private, PublicRead, PublicReadWrite] {
            for action in [ReadObject, WriteObject, ListBucket, ReadSettings, WriteSettings, ManageLiveChannel, Publish]
            {
                assert!(allowed(Owner, bucket, Some(Private), action), "{bucket:?} {action:?}");
            }
        }
    }
}
