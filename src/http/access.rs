//! What both dialects bring to the one access decision ([`crate::auth::access`]).

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{REFERER, USER_AGENT};

use super::query::Query;
use super::server::Door;
use crate::auth::access::{Asked, allowed_beside, session_allows};
use crate::auth::permission::Permission;
use crate::auth::policy::{Account, Context, Policy, PolicyCache, Question};
use crate::clock::Wall;
use crate::store::{Acl, BucketRecord};

/// Who asks: an account that proved itself, or nobody.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Identity<'a> {
    /// The account.
    pub(super) account: Option<Account<'a>>,
    /// What its temporary credential may do at most.
    pub(super) session: Option<&'a Policy>,
}

/// Whether an error of either dialect says that a signature, its key or its token proves nothing: what guessing comes to.
/// (What is told of a signature's form or time costs no look at a key.)
pub(super) fn is_unproven(code: &str) -> bool {
    // OSS and S3, both, then each its own for tokens.
    matches!(code, "InvalidAccessKeyId" | "SignatureDoesNotMatch")
        || matches!(code, "InvalidSecurityToken" | "SecurityTokenExpired")
        || matches!(code, "InvalidToken" | "ExpiredToken")
}

/// What conditions of policies may speak of, kept for the time of a request.
#[derive(Clone, Debug)]
pub(super) struct Circumstances {
    source_ip: IpAddr,
    secure: bool,
    now: Wall,
    referer: Option<Vec<u8>>,
    user_agent: Option<Vec<u8>>,
    prefix: Vec<u8>,
    delimiter: Vec<u8>,
}

impl Circumstances {
    /// Of a request head that came in by `door`.
    pub(super) fn new(headers: &HeaderMap, query: &Query, door: Door, now: Wall) -> Self {
        let header = |name| headers.get(name).map(|value| value.as_bytes().to_vec());
        let argument = |name| query.get(name).unwrap_or_default().to_vec();
        Circumstances {
            source_ip: door.peer.ip(),
            secure: door.secure,
            now,
            referer: header(REFERER),
            user_agent: header(USER_AGENT),
            prefix: argument("prefix"),
            delimiter: argument("delimiter"),
        }
    }

    fn context(&self, permission: Permission) -> Context<'_> {
        use Permission::{ListMultipartUploads, ListObjectVersions, ListObjects};
        let lists = matches!(permission, ListObjects | ListObjectVersions | ListMultipartUploads);
        Context {
            source_ip: Some(self.source_ip),
            secure: self.secure,
            now_ms: self.now.0,
            referer: self.referer.as_deref(),
            user_agent: self.user_agent.as_deref(),
            prefix: lists.then_some(&self.prefix[..]),
            delimiter: lists.then_some(&self.delimiter[..]),
        }
    }
}

/// What is asked of which bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// The bucket.
    pub(super) bucket: &'a BucketRecord,
    /// The key or channel; `None` is the bucket itself.
    pub(super) key: Option<&'a [u8]>,
    /// The object's own ACL, where there is an object that has one.
    pub(super) object: Option<Acl>,
    /// The right that it takes.
    pub(super) permission: Permission,
}

/// Whether `who` may.
pub(super) fn decide(policies: &PolicyCache, who: Identity<'_>, wanted: Wanted<'_>, by: &Circumstances) -> bool {
    decide_beside(policies, who, wanted, wanted.permission, by)
}

/// The same of a right that a request takes beside `main` ([`allowed_beside`]).
pub(super) fn decide_beside(
    policies: &PolicyCache,
    who: Identity<'_>,
    wanted: Wanted<'_>,
    main: Permission,
    by: &Circumstances,
) -> bool {
    let Wanted { bucket, key, object, permission } = wanted;
    let (bucket_acl, object) = bucket.acls_in_force(object);
    let policy = bucket.settings.policy.as_deref().map(|text| policies.bucket(text));
    let asked = Asked {
        question: Question {
            account: who.account,
            permission,
            bucket: bucket.name.as_str(),
            owner: Some(bucket.owner.0),
            key,
            context: by.context(permission),
        },
        bucket: bucket_acl,
        object,
        policy: policy.as_deref(),
        restricted: bucket.settings.public_access_block.is_some_and(|block| block.restrict_buckets),
        session: who.session,
    };
    allowed_beside(&asked, main)
}

/// Whether a temporary credential's own policy lets it ask this at all, of a bucket that need not exist.
pub(super) fn within_session(
    who: Identity<'_>,
    bucket: &str,
    owner: Option<i64>,
    key: Option<&[u8]>,
    permission: Permission,
    by: &Circumstances,
) -> bool {
    let context = by.context(permission);
    session_allows(who.session, &Question { account: who.account, permission, bucket, owner, key, context })
}
