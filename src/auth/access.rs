//! Who may do what: the one decision, for every dialect and for RTMP.
//!
//! In this order:
//! 1. A temporary credential may do no more than its own policy allows, whoever made it.
//! 2. What the bucket's policy denies is denied, to its owner too, who keeps only the policy itself: nobody can lock
//!    themselves out.
//! 3. The owner may do everything else.
//! 4. What the bucket's policy allows is allowed.
//! 5. For the rest the ACLs stand: an object's own, else its bucket's.

use super::permission::Permission;
use super::policy::{Policy, Question, Verdict};

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

impl Requester {
    /// Who `account` is to a bucket of `owner`.
    pub fn of(account: Option<i64>, owner: i64) -> Self {
        match account {
            None => Requester::Anonymous,
            Some(account) if account == owner => Requester::Owner,
            Some(_) => Requester::OtherAccount,
        }
    }
}

/// Everything that the decision hangs on.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who asks for what, of which bucket and key.
    pub question: Question<'a>,
    /// The bucket's ACL.
    pub bucket: Acl,
    /// The object's own ACL when there is an object and it has one; it outranks the bucket's.
    pub object: Option<Acl>,
    /// The bucket's policy.
    pub policy: Option<&'a Policy>,
    /// A policy that is public opens nothing to other accounts (the bucket's public access block says so).
    pub restricted: bool,
    /// The policy of the temporary credential that signed.
    pub session: Option<&'a Policy>,
}

/// The decision.
pub fn allowed(asked: &Asked<'_>) -> bool {
    allowed_beside(asked, asked.question.permission)
}

/// The decision over a right that a request takes beside `main`, its first one: the ACL or the tags in the head of a PUT.
/// ACLs have no word for it, so they allow it with `main`; policies name it.
pub fn allowed_beside(asked: &Asked<'_>, main: Permission) -> bool {
    let Asked { question, bucket, object, policy, restricted, session } = asked;
    if !session_allows(*session, question) {
        return false;
    }
    let account = question.account.map(|account| account.id);
    let requester = question.owner.map_or(Requester::OtherAccount, |owner| Requester::of(account, owner));
    let is_owner = requester == Requester::Owner;
    let closed = *restricted && !is_owner && policy.is_some_and(Policy::is_public);
    match policy.map_or(Verdict::Silent, |policy| policy.judge(question)) {
        Verdict::Denied => is_owner && question.permission.is_on_policy(),
        Verdict::Allowed if !closed => true,
        Verdict::Allowed | Verdict::Silent => is_owner || acl_allows(*bucket, *object, main),
    }
}

/// Whether a temporary credential may ask this at all; one without a policy may what its account may. The whole decision
/// where there is no bucket yet.
pub fn session_allows(session: Option<&Policy>, question: &Question<'_>) -> bool {
    session.is_none_or(|policy| policy.judge(question) == Verdict::Allowed)
}

/// What ACLs allow to whoever is not the owner.
fn acl_allows(bucket: Acl, object: Option<Acl>, permission: Permission) -> bool {
    match permission.class() {
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
    use super::*;
    use crate::auth::policy::{Account, Context, Kind};

    const OWNER: Option<Account<'_>> = Some(Account { id: 1, name: "owner" });
    const OTHER: Option<Account<'_>> = Some(Account { id: 2, name: "other" });
    const NOBODY: Option<Account<'_>> = None;

    fn asked<'a>(account: Option<Account<'a>>, permission: Permission) -> Asked<'a> {
        let key = Some(&b"k"[..]);
        let question =
            Question { account, permission, bucket: "films", owner: Some(1), key, context: Context::default() };
        Asked { question, bucket: Private, object: None, policy: None, restricted: false, session: None }
    }

    fn policy(kind: Kind, effect: &str, action: &str) -> Policy {
        let principal = if kind == Kind::Bucket { r#""Principal":["*"],"# } else { "" };
        let text = format!(
            r#"{{"Version":"1","Statement":[{{"Effect":"{effect}",{principal}"Action":["{action}"],"Resource":["*"]}}]}}"#
        );
        Policy::parse(text.as_bytes(), kind, 1_000).expect("a policy")
    }

    #[test]
    fn whoever_is_not_the_owner_gets_what_the_acl_says() {
        use Permission::*;
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
            for requester in [NOBODY, OTHER] {
                let may = |permission| allowed(&Asked { bucket, object, ..asked(requester, permission) });
                let row = format!("{requester:?} {bucket:?} {object:?}");
                assert_eq!(may(GetObject), read, "{row}");
                assert_eq!(may(PutObject), write, "{row}");
                assert_eq!(may(DeleteObject), write, "{row}");
                assert_eq!(may(ListObjects), list, "{row}");
                assert_eq!(may(PublishRtmpStream), publish, "{row}");
                for owners_alone in [GetBucketAcl, PutBucketAcl, GetObjectAcl, PutLiveChannel, PutBucketPolicy] {
                    assert!(!may(owners_alone), "{row}");
                }
            }
        }
    }

    #[test]
    fn the_owner_may_do_everything() {
        for bucket in [Private, PublicRead, PublicReadWrite] {
            for permission in Permission::ALL {
                let asked = Asked { bucket, object: Some(Private), ..asked(OWNER, *permission) };
                assert!(allowed(&asked), "{bucket:?} {permission:?}");
            }
        }
    }

    #[test]
    fn a_policy_allows_what_acls_do_not_and_denies_what_they_allow() {
        let allows = policy(Kind::Bucket, "Allow", "oss:GetObject");
        let denies = policy(Kind::Bucket, "Deny", "oss:GetObject");
        for requester in [NOBODY, OTHER] {
            let read = asked(requester, Permission::GetObject);
            assert!(allowed(&Asked { policy: Some(&allows), ..read }));
            assert!(!allowed(&Asked { policy: Some(&allows), ..asked(requester, Permission::PutObject) }));
            assert!(!allowed(&Asked { policy: Some(&denies), bucket: PublicReadWrite, ..read }));
            let open = Asked { bucket: PublicReadWrite, ..asked(requester, Permission::PutObject) };
            assert!(allowed(&Asked { policy: Some(&denies), ..open }));
        }
    }

    #[test]
    fn a_right_beside_the_main_one_is_policies_to_give_and_to_take() {
        let puts = policy(Kind::Bucket, "Allow", "oss:PutObject");
        let both = policy(Kind::Bucket, "Allow", "oss:PutObject*");
        let denies = policy(Kind::Bucket, "Deny", "oss:PutObjectAcl");
        let may = |account, bucket, policy| {
            let asked = Asked { bucket, policy, ..asked(account, Permission::PutObjectAcl) };
            allowed_beside(&asked, Permission::PutObject)
        };
        assert!(may(OTHER, PublicReadWrite, None) && !may(OTHER, PublicRead, None));
        assert!(!may(OTHER, Private, Some(&puts)) && may(OTHER, Private, Some(&both)));
        assert!(may(OWNER, Private, None) && !may(OWNER, Private, Some(&denies)));
        assert!(!may(NOBODY, PublicReadWrite, Some(&denies)));
    }

    #[test]
    fn a_public_policy_opens_nothing_to_others_where_that_is_blocked() {
        let public = policy(Kind::Bucket, "Allow", "oss:GetObject");
        let may = |account, bucket| {
            let asked = asked(account, Permission::GetObject);
            allowed(&Asked { bucket, policy: Some(&public), restricted: true, ..asked })
        };
        assert!(!may(OTHER, Private) && !may(NOBODY, Private));
        assert!(may(OWNER, Private) && may(NOBODY, PublicRead));
    }

    #[test]
    fn the_owner_is_denied_by_policy_but_keeps_the_policy_itself() {
        let denies = policy(Kind::Bucket, "Deny", "*");
        for permission in Permission::ALL {
            let kept = matches!(
                permission,
                Permission::GetBucketPolicy | Permission::PutBucketPolicy | Permission::DeleteBucketPolicy
            );
            let with_policy = |account| Asked { policy: Some(&denies), ..asked(account, *permission) };
            assert_eq!(allowed(&with_policy(OWNER)), kept, "{permission:?}");
            assert!(!allowed(&with_policy(OTHER)) && !allowed(&with_policy(NOBODY)), "{permission:?}");
        }
    }

    #[test]
    fn a_temporary_credential_may_what_both_its_policy_and_its_account_may() {
        let reads = policy(Kind::Session, "Allow", "oss:GetObject");
        let all = policy(Kind::Session, "Allow", "*");
        let denies = policy(Kind::Bucket, "Deny", "oss:*");
        let of = |account, permission, session| Asked { session: Some(session), ..asked(account, permission) };
        assert!(allowed(&of(OWNER, Permission::GetObject, &reads)));
        assert!(!allowed(&of(OWNER, Permission::PutObject, &reads)));
        assert!(!allowed(&of(OWNER, Permission::PutBucketPolicy, &reads)), "what the owner keeps, too");
        assert!(!allowed(&of(OTHER, Permission::GetObject, &all)), "it adds nothing");
        assert!(!allowed(&Asked { policy: Some(&denies), ..of(OWNER, Permission::GetObject, &all) }));
        let open = Asked { bucket: PublicReadWrite, ..of(OTHER, Permission::PutObject, &reads) };
        assert!(!allowed(&open), "also where everybody may");
    }
}
