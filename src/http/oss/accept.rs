//! From a request head to a proven caller, a bucket and an operation.
//!
//! A head may be read in more than one way: host and path may both name the bucket, or neither. The readings are put in
//! order; for a signed request the one whose signature matches wins, for an anonymous one the first whose bucket exists.
//! Errors come in the order shape, time, key and signature, bucket; permission is for the handlers. Where there are
//! several readings, the shape is that of the one which won, so it is told behind time, key and signature.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName};
use http::request::Parts;

use super::error::OssError;
use super::operation::{OssOperation, Query};
use super::route::{Target, route};
use crate::auth::SignedRequest;
use crate::auth::access::Requester;
use crate::auth::policy::Account;
use crate::auth::signing_keys::SigningKeys;
use crate::clock::Wall;
use crate::http::access::Identity;
use crate::net::host::{HostReading, HostRules, without_port};
use crate::store::credentials::{self, Credential, CredentialError, Session};
use crate::store::{AccountId, BucketName, BucketRecord, MetaStore};

mod proof;
#[cfg(test)]
mod tests;

use proof::Proof;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody proved anything.
    Anonymous,
    /// A valid signature.
    Key {
        /// The access key's id.
        access_key_id: String,
        /// Its account.
        account: AccountId,
        /// That account's name.
        account_name: String,
        /// Where the signature stood.
        signature: SignaturePlace,
        /// What makes the key temporary; `None` for an access key.
        session: Option<Session>,
    },
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

/// Where a valid signature stood; URL signatures can be renewed for the fragments of a playlist (`hls/sign`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignaturePlace {
    /// `Authorization`.
    Header,
    /// V1 in the query.
    UrlV1 {
        /// `Expires`, seconds since the epoch.
        expires: i64,
    },
    /// V2 in the query.
    UrlV2 {
        /// `x-oss-expires`, seconds since the epoch.
        expires: i64,
    },
    /// V4 in the query.
    UrlV4 {
        /// `x-oss-date`.
        date: String,
        /// `x-oss-expires`, seconds.
        expires: u32,
        /// `{date}/{region}/{product}/aliyun_v4_request`.
        scope: String,
    },
}

/// A request whose caller, target and operation are known. Permission is not yet decided.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Who asks.
    pub caller: Caller,
    /// The bucket of that name. Always there, but for PutBucket, PutBucketAcl (which may make one) and ListBuckets.
    pub bucket: Option<Arc<BucketRecord>>,
    /// The bucket's name as asked, for PutBucket and for errors.
    pub bucket_name: Option<String>,
    /// What is asked.
    pub operation: OssOperation,
    /// The query, for arguments that one handler alone reads (`response-content-type` and its kind).
    pub query: Query,
}

impl Accepted {
    /// The bucket of an operation that cannot come without one; otherwise the error that says so.
    pub fn existing_bucket(&self) -> Result<&BucketRecord, OssError> {
        self.bucket.as_deref().ok_or_else(|| OssError::no_such_bucket(self.bucket_name.as_deref().unwrap_or_default()))
    }

    /// The caller as `bucket`'s access decision sees it.
    pub fn requester(&self, bucket: &BucketRecord) -> Requester {
        Requester::of(self.caller.identity().account.map(|account| account.id), bucket.owner.0)
    }
}

/// One way to read host and path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reading {
    /// `None` is the service.
    bucket: Option<String>,
    /// Empty is the bucket.
    key: Vec<u8>,
}

/// A reading with what it asks for.
struct Candidate {
    reading: Reading,
    operation: Result<OssOperation, OssError>,
}

/// Reads a head, whose query is parsed: bucket and key from host and path, signature, clock, operation.
pub async fn accept(
    head: &Parts,
    query: Query,
    hosts: &HostRules,
    meta: &dyn MetaStore,
    signing_keys: &SigningKeys,
    now: Wall,
) -> Result<Accepted, OssError> {
    let proof = proof::read(&head.headers, &query)?;
    let copy_source = head.headers.get(&COPY_SOURCE).map(|value| value.as_bytes());
    let route = |reading: Reading| {
        let target = Target { bucket: reading.bucket.as_deref(), key: &reading.key, copy_source };
        Candidate { operation: route(&head.method, target, &query), reading }
    };
    let candidates: Vec<Candidate> = readings(head, hosts).into_iter().map(route).collect();
    // Of one reading the shape is told before anything is looked up. Of several, the one that is meant brings its own error.
    if let [Candidate { operation: Err(error), .. }] = candidates.as_slice() {
        return Err(error.clone());
    }

    let (chosen, found, caller) = match proof {
        None => {
            let (chosen, found) = first_existing(candidates, meta).await?;
            (chosen, found, Caller::Anonymous)
        }
        Some(proof) => {
            proof.check_time(now)?;
            let key = credential(meta, &proof.access_key_id, security_token(&head.headers, &query), now).await?;
            let chosen = signed_reading(head, &query, candidates, (&proof, signing_keys), &key)?;
            let Credential { id, account, account_name, session, .. } = key;
            let caller = Caller::Key { access_key_id: id, account, account_name, signature: proof.place(), session };
            let found = match chosen.reading.bucket.as_deref() {
                Some(name) => bucket(meta, name).await?,
                None => None,
            };
            (chosen, found, caller)
        }
    };
    let operation = chosen.operation?;
    if let (Some(name), None) = (chosen.reading.bucket.as_deref(), &found)
        && !may_make_bucket(&operation)
    {
        return Err(OssError::no_such_bucket(name));
    }
    Ok(Accepted { caller, bucket: found, bucket_name: chosen.reading.bucket, operation, query })
}

/// The bucket that a preflight is for: the first reading of host and path that names one that exists.
pub async fn bucket_for_preflight(head: &Parts, hosts: &HostRules, meta: &dyn MetaStore) -> Option<Arc<BucketRecord>> {
    for reading in readings(head, hosts) {
        let Some(name) = reading.bucket.as_deref() else { continue };
        // A preflight is answered without rules when the store cannot say what they are.
        if let Some(bucket) = bucket(meta, name).await.ok().flatten() {
            return Some(bucket);
        }
    }
    None
}

fn may_make_bucket(operation: &OssOperation) -> bool {
    matches!(operation, OssOperation::PutBucket | OssOperation::PutBucketAcl)
}

async fn bucket(meta: &dyn MetaStore, name: &str) -> Result<Option<Arc<BucketRecord>>, OssError> {
    match BucketName::new(name) {
        Some(name) => Ok(meta.bucket(&name).await?),
        None => Ok(None),
    }
}

/// The reading that an anonymous request means: the service, or the first bucket that exists, which comes with it, else the
/// first of all.
async fn first_existing(
    candidates: Vec<Candidate>,
    meta: &dyn MetaStore,
) -> Result<(Candidate, Option<Arc<BucketRecord>>), OssError> {
    let mut first = None;
    for candidate in candidates {
        match candidate.reading.bucket.as_deref() {
            None => return Ok((candidate, None)),
            Some(name) => {
                if let Some(found) = bucket(meta, name).await? {
                    return Ok((candidate, Some(found)));
                }
            }
        }
        first.get_or_insert(candidate);
    }
    Ok((first.expect("a head has at least one reading"), None))
}

/// The token of a temporary credential, wherever this dialect's libraries put it.
pub(super) fn security_token<'a>(headers: &'a HeaderMap, query: &'a Query) -> Option<&'a [u8]> {
    let header = headers.get(&SECURITY_TOKEN).map(|value| value.as_bytes().trim_ascii());
    header.or_else(|| SECURITY_TOKEN_ARGUMENTS.iter().find_map(|name| query.get(name)))
}

// Each request is asked for these; as texts they would be parsed for it.
static SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-oss-security-token");
static COPY_SOURCE: HeaderName = HeaderName::from_static("x-oss-copy-source");

/// Arguments of a signed URL that hold the token: as V4 and as V1 name it.
pub(super) const SECURITY_TOKEN_ARGUMENTS: [&str; 2] = ["x-oss-security-token", "security-token"];

/// The key that an id and a token name, or why they name none, in this dialect's words. Forms that are signed ask here,
/// too.
pub(super) async fn credential(
    meta: &dyn MetaStore,
    id: &str,
    token: Option<&[u8]>,
    now: Wall,
) -> Result<Credential, OssError> {
    credentials::find(meta, id, token, now).await.map_err(|error| match error {
        CredentialError::Unknown => OssError::invalid_access_key_id(id),
        CredentialError::Disabled => OssError::access_key_disabled(id),
        CredentialError::TokenInvalid => OssError::invalid_security_token(),
        CredentialError::TokenExpired => OssError::security_token_expired(),
        CredentialError::Store(error) => error.into(),
    })
}

/// The reading whose signature matches. The error shows what the first reading would have to be signed with.
fn signed_reading(
    head: &Parts,
    query: &Query,
    candidates: Vec<Candidate>,
    (proof, signing_keys): (&Proof<'_>, &SigningKeys),
    key: &Credential,
) -> Result<Candidate, OssError> {
    let headers: Vec<(&str, &[u8])> =
        head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let signed = |reading: &Reading, judge: &dyn Fn(&SignedRequest<'_>) -> bool| {
        judge(&SignedRequest {
            method: head.method.as_str(),
            bucket: reading.bucket.as_deref(),
            key: &reading.key,
            headers: &headers,
            query: query.pairs(),
        })
    };
    let matching =
        candidates.iter().position(|c| signed(&c.reading, &|request| proof.verify(request, &key.secret, signing_keys)));
    if let Some(at) = matching {
        return Ok(candidates.into_iter().nth(at).expect("position found it"));
    }
    let first = &candidates.first().expect("a head has at least one reading").reading;
    Err(proof.mismatch(&SignedRequest {
        method: head.method.as_str(),
        bucket: first.bucket.as_deref(),
        key: &first.key,
        headers: &headers,
        query: query.pairs(),
    }))
}

// ---- host and path -------------------------------------------------------------------------------------------

/// Every way to read a head, the likeliest first, none twice.
fn readings(head: &Parts, hosts: &HostRules) -> Vec<Reading> {
    // In absolute form the URI's authority outranks `Host` (RFC 9112, 3.2.2).
    let host = match head.uri.authority() {
        Some(authority) => Cow::Borrowed(authority.as_str()),
        None => head.headers.get(http::header::HOST).map_or("".into(), |h| String::from_utf8_lossy(h.as_bytes())),
    };
    let raw = head.uri.path();
    let path = Cow::from(percent_encoding::percent_decode_str(raw.strip_prefix('/').unwrap_or(raw)));
    let service = || Reading { bucket: None, key: Vec::new() };
    match hosts.read(&host) {
        HostReading::Label(label) => {
            let mut all = in_host(&label, &path);
            // `ali-oss` aimed at an address writes its missing bucket into the host.
            if path.is_empty() && matches!(label.as_str(), "undefined" | "null") {
                all.push(service());
            }
            all
        }
        HostReading::Bound(bucket) => {
            let mut all = in_host(&bucket, &path);
            // Clients with their CNAME switch on send even the service listing to the custom domain.
            if path.is_empty() {
                all.push(service());
            }
            all
        }
        HostReading::Address | HostReading::Base => vec![in_path(&path)],
        // A name that was never configured is path style, or `{bucket}.{that name}`: then it need not be configured.
        HostReading::Unknown => {
            let mut all = vec![in_path(&path)];
            let name = without_port(&host);
            let label = name.split_once('.').map(|(label, _)| label).filter(|label| BucketName::new(label).is_some());
            all.extend(label.map(|label| Reading { bucket: Some(label.to_owned()), key: path.to_vec() }));
            all
        }
    }
}

/// The host names the bucket; the path may name it again (`ali-oss` with `sldEnable` on an address).
fn in_host(bucket: &str, path: &[u8]) -> Vec<Reading> {
    let reading = |key: &[u8]| Reading { bucket: Some(bucket.to_owned()), key: key.to_vec() };
    let again = match path.strip_prefix(bucket.as_bytes()) {
        Some([]) => Some(&[][..]),
        Some([b'/', rest @ ..]) => Some(rest),
        _ => None,
    };
    [Some(path), again].into_iter().flatten().map(reading).collect()
}

/// The path's first segment is the bucket. It is split after decoding, since the C SDK encodes every slash but the first.
fn in_path(path: &[u8]) -> Reading {
    let (bucket, key) = match path.iter().position(|b| *b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (path, &[][..]),
    };
    let bucket = (!path.is_empty()).then(|| String::from_utf8_lossy(bucket).into_owned());
    Reading { bucket, key: key.to_vec() }
}
