//! One request on its way through the library: what is known of it, and what it comes to.
//!
//! The library hands a request from hook to handler by its extensions, and bares every error of all but code and message.
//! So each request carries one of these along; handlers leave their answer or their fault in it.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use http::request::Parts;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, TrailingHeaders};

use super::error::{S3Fault, Subject};
use super::{claim, policy};
use crate::auth::access::Action;
use crate::auth::permission::Permission;
use crate::auth::policy::Account;
use crate::clock::Wall;
use crate::http::access::{self, Circumstances, Identity, Wanted};
use crate::http::body::Promised;
use crate::http::query::Query;
use crate::http::server::{Answer, Door, HttpDeps};
use crate::store::credentials::{Credential, Session};
use crate::store::{AccountId, Acl, BucketName, BucketRecord, ObjectKey, ObjectRecord, StoreError};

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Caller {
    /// Nobody proved anything.
    #[default]
    Anonymous,
    /// A valid signature.
    Key {
        /// The access key's id.
        access_key_id: String,
        /// Its account.
        account: AccountId,
        /// That account's name.
        account_name: String,
        /// What makes the key temporary; `None` for an access key.
        session: Option<Session>,
    },
}

impl From<Credential> for Caller {
    fn from(key: Credential) -> Self {
        let Credential { id, account, account_name, session, .. } = key;
        Caller::Key { access_key_id: id, account, account_name, session }
    }
}

impl Caller {
    /// As the access decision sees it.
    pub(super) fn identity(&self) -> Identity<'_> {
        match self {
            Caller::Anonymous => Identity::default(),
            Caller::Key { account, account_name, session, .. } => Identity {
                account: Some(Account { id: account.0, name: account_name }),
                session: session.as_ref().and_then(|session| session.policy.as_deref()),
            },
        }
    }
}

/// Carried along with one request.
pub(super) struct Exchange {
    pub(super) request_id: String,
    pub(super) now: Wall,
    pub(super) promised: Promised,
    pub(super) query: Query,
    /// The token of a temporary credential, where one came.
    pub(super) token: Option<Vec<u8>>,
    pub(super) circumstances: Circumstances,
    notes: Mutex<Notes>,
}

/// What is learnt on the way.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) caller: Caller,
    pub(super) operation: Option<&'static str>,
    pub(super) bucket_name: Option<String>,
    pub(super) key: Option<String>,
    /// The bucket, for the CORS headers of the answer.
    pub(super) bucket: Option<Arc<BucketRecord>>,
    /// The handler's own answer, which stands in place of what the library would render.
    pub(super) answer: Option<Answer>,
    /// The handler's or a hook's error, whole.
    pub(super) fault: Option<S3Fault>,
    /// A handler began: what fails before it is the library's word, or the body's.
    pub(super) handled: bool,
    /// Most that the body may have, where the library holds it whole.
    pub(super) document_bytes_max: Option<usize>,
    /// Digests of a document that the library read whole.
    pub(super) document: Option<super::integrity::DocumentDigests>,
}

impl Exchange {
    pub(super) fn new(
        request_id: &str,
        head: &Parts,
        query: Query,
        door: Door,
        now: Wall,
        promised: Promised,
    ) -> Arc<Self> {
        Arc::new(Exchange {
            request_id: request_id.to_owned(),
            now,
            promised,
            token: claim::security_token(&head.headers, &query).map(<[u8]>::to_vec),
            circumstances: Circumstances::new(&head.headers, &query, door, now),
            query,
            notes: Mutex::default(),
        })
    }

    /// Never held across an await.
    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the error whole, and gives the library one to carry.
    pub(super) fn fail(&self, fault: S3Fault) -> S3Error {
        let mut error = S3Error::with_message(S3ErrorCode::InternalError, fault.message.clone());
        error.set_status_code(fault.status);
        self.notes().fault = Some(fault);
        error
    }
}

/// One request as handlers see it.
pub(super) struct Ask {
    pub(super) deps: Arc<HttpDeps>,
    pub(super) exchange: Arc<Exchange>,
    pub(super) caller: Caller,
    pub(super) headers: HeaderMap,
    pub(super) trailers: Option<TrailingHeaders>,
}

impl Ask {
    /// Takes the library's request apart.
    pub(super) fn new<I>(deps: &Arc<HttpDeps>, request: S3Request<I>) -> (Self, I) {
        let S3Request { input, headers, mut extensions, trailing_headers, .. } = request;
        let exchange: Arc<Exchange> = extensions.remove().expect("the front put it there");
        let caller = {
            let mut notes = exchange.notes();
            notes.handled = true;
            notes.caller.clone()
        };
        (Ask { deps: deps.clone(), exchange, caller, headers, trailers: trailing_headers }, input)
    }

    /// What the library shall render.
    pub(super) fn settle<T>(&self, outcome: Result<T, S3Fault>) -> S3Result<S3Response<T>> {
        outcome.map(S3Response::new).map_err(|fault| self.exchange.fail(fault))
    }

    /// An answer that is whole already.
    pub(super) fn settle_answer<T: Default>(&self, outcome: Result<Answer, S3Fault>) -> S3Result<S3Response<T>> {
        self.settle(outcome.map(|answer| {
            self.exchange.notes().answer = Some(answer);
            T::default()
        }))
    }

    /// The bucket of that name.
    pub(super) async fn bucket(&self, name: &str) -> Result<Arc<BucketRecord>, S3Fault> {
        let bucket = self.any_bucket(name).await?;
        self.exchange.notes().bucket = Some(bucket.clone());
        let expected = self.header("x-amz-expected-bucket-owner");
        if expected.is_some_and(|owner| owner != bucket.owner.0.to_string()) {
            return Err(S3Fault::new("AccessDenied"));
        }
        Ok(bucket)
    }

    /// A bucket that is not the request's own (a copy's source).
    pub(super) async fn any_bucket(&self, name: &str) -> Result<Arc<BucketRecord>, S3Fault> {
        let valid = BucketName::new(name).ok_or_else(|| S3Fault::no_such_bucket(name))?;
        let found = self.deps.meta.bucket(&valid).await;
        found.map_err(|error| self.store_error(&error))?.ok_or_else(|| S3Fault::no_such_bucket(name))
    }

    /// The bucket, when the caller may do `action` to it.
    pub(super) async fn bucket_for(&self, name: &str, action: Action) -> Result<Arc<BucketRecord>, S3Fault> {
        let bucket = self.bucket(name).await?;
        self.decide(&bucket, None, action)?;
        Ok(bucket)
    }

    /// `Ok` when the caller may do what the request asks for, which is an `action`, to its own bucket and key; `object`
    /// is the object's own ACL.
    pub(super) fn decide(&self, bucket: &BucketRecord, object: Option<Acl>, action: Action) -> Result<(), S3Fault> {
        let (name, key) = {
            let notes = self.exchange.notes();
            (notes.bucket_name.clone(), notes.key.clone())
        };
        let permission = self.permission()?;
        let own = name.as_deref() == Some(bucket.name.as_str());
        debug_assert!(own && permission.class() == action, "{permission:?} is not {action:?} of {bucket:?}");
        // What is not the request's own subject has to be named: see `decide_on`.
        if !own || permission.class() != action {
            return Err(S3Fault::new("AccessDenied"));
        }
        let key = key.as_deref().map(str::as_bytes);
        self.decide_on(Wanted { bucket, key, object, permission })
    }

    /// `Ok` when the caller may do this, be it to the request's own subject or to another.
    pub(super) fn decide_on(&self, wanted: Wanted<'_>) -> Result<(), S3Fault> {
        let by = &self.exchange.circumstances;
        let allowed = access::decide(&self.deps.policies, self.caller.identity(), wanted, by);
        if allowed { Ok(()) } else { Err(S3Fault::new("AccessDenied")) }
    }

    /// `Ok` when the caller may do this beside what the request asks for in the first place.
    pub(super) fn decide_beside(&self, wanted: Wanted<'_>) -> Result<(), S3Fault> {
        self.decide_beside_of(wanted, self.permission()?)
    }

    /// The same beside `main`, which ACLs allow it with.
    pub(super) fn decide_beside_of(&self, wanted: Wanted<'_>, main: Permission) -> Result<(), S3Fault> {
        let by = &self.exchange.circumstances;
        let allowed = access::decide_beside(&self.deps.policies, self.caller.identity(), wanted, main, by);
        if allowed { Ok(()) } else { Err(S3Fault::new("AccessDenied")) }
    }

    /// The right that the request's operation takes.
    pub(super) fn permission(&self) -> Result<Permission, S3Fault> {
        let operation = self.exchange.notes().operation;
        operation.and_then(policy::permission).ok_or_else(|| S3Fault::new("AccessDenied"))
    }

    /// Whether the caller owns `bucket`, so that no ACL can matter. (Policies can, all the same.)
    pub(super) fn is_owner(&self, bucket: &BucketRecord) -> bool {
        self.caller.identity().account.is_some_and(|account| account.id == bucket.owner.0)
    }

    /// Refuses a read from a page that the bucket does not want; not one that is signed where no page can put it.
    pub(super) fn check_referer(&self, bucket: &BucketRecord) -> Result<(), S3Fault> {
        let Some(rules) = &bucket.settings.referer else { return Ok(()) };
        let in_url = ["X-Amz-Signature", "Signature"].iter().any(|name| self.exchange.query.has(name));
        if self.caller != Caller::Anonymous && !in_url {
            return Ok(());
        }
        let referer = self.headers.get(http::header::REFERER).map_or(&b""[..], |value| value.as_bytes());
        let denied = |_| S3Fault::new("AccessDenied").saying("You are denied by bucket referer policy.");
        rules.judge(referer).map_err(denied)
    }

    /// The caller's account and its name; service operations need one.
    pub(super) fn account(&self) -> Result<(AccountId, &str), S3Fault> {
        match &self.caller {
            Caller::Anonymous => Err(S3Fault::new("AccessDenied")),
            Caller::Key { account, account_name, .. } => Ok((*account, account_name)),
        }
    }

    /// A header as text; bytes that are no visible ASCII are replaced, for comparisons and messages.
    pub(super) fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
    }

    /// The key, valid in this dialect.
    pub(super) fn key(&self, key: &str) -> Result<ObjectKey, S3Fault> {
        ObjectKey::new(key.as_bytes()).ok_or_else(|| S3Fault::new("KeyTooLongError"))
    }

    /// The object under a key, if there is one.
    pub(super) async fn existing(
        &self,
        bucket: &BucketRecord,
        key: &ObjectKey,
    ) -> Result<Option<ObjectRecord>, S3Fault> {
        self.deps.meta.object(bucket.id, key).await.map_err(|error| self.store_error(&error))
    }

    /// Compares the document that came with what the headers promise of it. `required`: they must promise something.
    pub(super) fn check_document(&self, required: bool) -> Result<(), S3Fault> {
        let digests = self.exchange.notes().document.take();
        digests.unwrap_or_default().verify(&self.headers, required)
    }

    /// A store error of this request.
    pub(super) fn store_error(&self, error: &StoreError) -> S3Fault {
        if let StoreError::Unavailable(_) | StoreError::Full | StoreError::Corrupt(_) = error {
            tracing::error!(request_id = self.exchange.request_id, %error, "store failed");
        }
        let notes = self.exchange.notes();
        S3Fault::from_store(error, Subject { bucket: notes.bucket_name.as_deref(), key: notes.key.as_deref() })
    }
}
