//! The publish decision: from what an encoder sent to a claimed channel, or to a refusal that says why.
//!
//! Rules: OSS LiveChannel. Without `public-read-write` a publish URL is signed; `Expires` is judged now and never again;
//! the key's account must own the bucket. A complete signature that is wrong is refused even where none is needed.

use std::net::SocketAddr;

use crate::auth::access::{Asked as AccessAsked, Requester, allowed};
use crate::auth::permission::Permission;
use crate::auth::policy::{Context, Policy, Question};
use crate::auth::rtmp_url::{PublishQuery, RtmpAuthError};
use crate::limits;
use crate::live::channel::check_playlist_name;
use crate::live::registry::{PublishError, PublishRequest, Publisher};
use crate::rtmp::server::RtmpDeps;
use crate::rtmp::target::{Candidate, candidates};
use crate::store::credentials::{self, Credential, CredentialError};
use crate::store::{BucketName, BucketRecord, ChannelName, StoreError, TerminationCause};

/// What an encoder sent to name its target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) app: &'a str,
    pub(super) tc_url: &'a str,
    pub(super) name: &'a str,
}

/// Where a publisher comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Its end of the socket.
    pub(super) peer: SocketAddr,
    /// It came over TLS.
    pub(super) secure: bool,
}

/// A publisher that was let in.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) publisher: Publisher,
    pub(super) bucket: BucketName,
    pub(super) channel: ChannelName,
    pub(super) access_key_id: Option<String>,
}

/// Why a publisher is refused, in both languages: the `onStatus` code and OSS's error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// `code` of the `onStatus`.
    pub(super) status: &'static str,
    /// OSS's `Code`.
    pub(super) code: &'static str,
    /// A sentence.
    pub(super) message: String,
    /// OSS's `EC`.
    pub(super) ec: Option<&'static str>,
}

/// Authorisation failed, or the channel is disabled.
pub(super) const DENIED: &str = "NetStream.Publish.Denied";
const SLOW_DOWN: &str = "SlowDown";
/// Somebody else publishes.
pub(super) const BAD_NAME: &str = "NetStream.Publish.BadName";
/// There is no such target, or the service cannot serve it.
pub(super) const FAILED: &str = "NetStream.Publish.Failed";
/// The media is none that can be taken.
pub(super) const REJECTED: &str = "NetStream.Publish.Rejected";

impl Refusal {
    pub(super) fn new(status: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Refusal { status, code, message: message.into(), ec: None }
    }

    fn with_ec(mut self, ec: &'static str) -> Self {
        self.ec = Some(ec);
        self
    }

    /// The `description` of the `onStatus`: what OBS writes into its log.
    pub(super) fn description(&self) -> String {
        match self.ec {
            Some(ec) => format!("{}: {} (EC {ec})", self.code, self.message),
            None => format!("{}: {}", self.code, self.message),
        }
    }

    /// What is told of several refusals: the one of the reading that came furthest.
    fn rank(&self) -> u8 {
        match self.code {
            "NoSuchBucket" => 0,
            "NoSuchLiveChannel" => 1,
            _ => 2,
        }
    }

    pub(super) fn no_such_bucket() -> Self {
        Refusal::new(FAILED, "NoSuchBucket", "The specified bucket does not exist.").with_ec("0015-00000101")
    }

    pub(super) fn no_such_channel() -> Self {
        Refusal::new(FAILED, "NoSuchLiveChannel", "The specified live channel does not exist.").with_ec("0026-00000021")
    }

    pub(super) fn disabled() -> Self {
        Refusal::new(DENIED, "LiveChannelDisabled", "Live channel is disabled by owner.")
    }

    /// Refused too often of late; in S3's word for it, since OSS has none of its own.
    pub(super) fn slow_down() -> Self {
        Refusal::new(
            DENIED,
            SLOW_DOWN,
            "Please reduce your request rate: too many publishes from your address were refused.",
        )
    }

    /// Whether it is [`Refusal::slow_down`].
    pub(super) fn is_slow_down(&self) -> bool {
        self.code == SLOW_DOWN
    }

    /// Proven, and not allowed.
    fn denied(requester: Requester) -> Self {
        let message = match requester {
            // Its policy says so.
            Requester::Owner => "You have no right to publish to this live channel.",
            _ => "The bucket you access does not belong to you.",
        };
        Refusal::new(DENIED, "AccessDenied", message)
    }

    fn of_credential(error: CredentialError) -> Self {
        match error {
            CredentialError::Unknown | CredentialError::Disabled => RtmpAuthError::AccessKeyIdUnknown.into(),
            CredentialError::TokenInvalid => {
                Refusal::new(DENIED, "InvalidSecurityToken", "The security token you provided is invalid.")
            }
            CredentialError::TokenExpired => {
                Refusal::new(DENIED, "SecurityTokenExpired", "The security token you provided has expired.")
            }
            CredentialError::Store(error) => Refusal::store(&error),
        }
    }

    fn store(error: &StoreError) -> Self {
        tracing::error!(%error, "a publish cannot be decided");
        match error {
            StoreError::Unavailable(_) => {
                Refusal::new(FAILED, "ServiceUnavailable", "The service cannot serve now. Please try again.")
            }
            StoreError::Full => {
                Refusal::new(FAILED, "InsufficientStorage", "The service has too little space left to store this.")
            }
            _ => Refusal::new(FAILED, "InternalError", "We encountered an internal error. Please try again."),
        }
    }

    /// Why a connection that was accepted is ended from this side; `None` when the other side ended it.
    pub(super) fn of_end(cause: TerminationCause) -> Option<Self> {
        Some(match cause {
            TerminationCause::Disabled => Refusal::disabled(),
            TerminationCause::KeyDisabled => RtmpAuthError::AccessKeyIdUnknown.into(),
            TerminationCause::StorageError | TerminationCause::ServiceLost => {
                Refusal::new(FAILED, "InternalError", "The stream could not be stored.")
            }
            TerminationCause::ServiceShutdown => {
                Refusal::new("NetConnection.Connect.Closed", "ServiceUnavailable", "The service is stopping.")
            }
            TerminationCause::Timeout => Refusal::new(FAILED, "RequestTimeout", "Nothing was sent for too long."),
            TerminationCause::Unpublished | TerminationCause::ConnectionLost | TerminationCause::ProtocolError => {
                return None;
            }
        })
    }
}

impl From<RtmpAuthError> for Refusal {
    fn from(error: RtmpAuthError) -> Self {
        Refusal::new(DENIED, error.code(), error.message()).with_ec(error.ec())
    }
}

impl From<PublishError> for Refusal {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::NoSuchLiveChannel => Refusal::no_such_channel(),
            PublishError::Disabled => Refusal::disabled(),
            PublishError::AlreadyLive => {
                Refusal::new(BAD_NAME, "ChannelStillLive", "Another client is publishing to the live channel.")
            }
            PublishError::HeldElsewhere => Refusal::new(
                BAD_NAME,
                "ChannelStillLive",
                "An earlier connection of the live channel has not been ended yet.",
            ),
            PublishError::Stopping => Refusal::new(FAILED, "ServiceUnavailable", "The service is stopping."),
            PublishError::Store(error) => Refusal::store(&error),
        }
    }
}

/// Decides, and claims the channel.
pub(super) async fn admit(deps: &RtmpDeps, asked: Asked<'_>, origin: Origin) -> Result<Admitted, Refusal> {
    let readings = candidates(asked.app, asked.tc_url, asked.name, &deps.hosts);
    if readings.is_empty() {
        let message = "The URL must be rtmp://{bucket}.{endpoint}/live/{channel} or one of its forms.";
        return Err(Refusal::new(FAILED, "InvalidChannelName", message));
    }
    let mut refusal: Option<Refusal> = None;
    let mut keep = |new: Refusal| {
        if refusal.as_ref().is_none_or(|old| new.rank() > old.rank()) {
            refusal = Some(new);
        }
    };
    for reading in &readings {
        let query = PublishQuery::parse(&reading.query);
        let targets = match authorised(deps, reading, &query, origin).await {
            Ok(targets) => targets,
            Err(new) => {
                keep(new);
                continue;
            }
        };
        for target in targets {
            match claim(deps, target, &query, origin).await {
                Ok(admitted) => return Ok(admitted),
                // Another spelling or reading may name a channel that exists; every other answer is about this one.
                Err(new) if new.code == "NoSuchLiveChannel" => keep(new),
                Err(new) => return Err(new),
            }
        }
    }
    Err(refusal.unwrap_or_else(Refusal::no_such_channel))
}

/// A bucket and channel that the publisher may publish to, if the channel exists.
struct Target {
    bucket: BucketRecord,
    channel: ChannelName,
    credential: Option<Credential>,
}

/// The targets of one reading that its signature (or the bucket's ACL) opens.
async fn authorised(
    deps: &RtmpDeps,
    reading: &Candidate,
    query: &PublishQuery,
    origin: Origin,
) -> Result<Vec<Target>, Refusal> {
    let decision = Decision { now_ms: deps.clock.wall().0, origin };
    let pairs = pairs(deps, reading).await?;
    let key = match signing_key(deps, query).await {
        Ok(key) => key,
        // An incomplete signature proves nothing and harms nothing where none is needed.
        Err(Unproven { error, incomplete }) => {
            let open = |(bucket, channel): &(BucketRecord, ChannelName)| decision.allows(None, bucket, channel);
            if !incomplete || !pairs.iter().any(open) {
                return Err(error);
            }
            None
        }
    };
    match key {
        Some(key) => signed_targets(&pairs, query, &key, decision),
        None => unsigned_targets(pairs, reading.bucket.is_some(), decision),
    }
}

/// Buckets and channel names of a reading. A named bucket must exist; without one every bucket with such a channel counts.
async fn pairs(deps: &RtmpDeps, reading: &Candidate) -> Result<Vec<(BucketRecord, ChannelName)>, Refusal> {
    let store = |error: StoreError| Refusal::store(&error);
    if let Some(name) = &reading.bucket {
        let name = BucketName::new(name).ok_or_else(Refusal::no_such_bucket)?;
        let bucket = deps.meta.bucket(&name).await.map_err(store)?.ok_or_else(Refusal::no_such_bucket)?;
        return Ok(reading.channels.iter().map(|channel| (BucketRecord::clone(&bucket), channel.clone())).collect());
    }
    let mut pairs = Vec::new();
    for channel in &reading.channels {
        let buckets = deps.meta.buckets_with_channel(channel, limits::RTMP_BUCKETS_TRIED_MAX).await.map_err(store)?;
        pairs.extend(buckets.into_iter().map(|bucket| (bucket, channel.clone())));
    }
    if pairs.is_empty() { Err(Refusal::no_such_channel()) } else { Ok(pairs) }
}

/// The signature proves nothing.
struct Unproven {
    error: Refusal,
    /// A field is missing: it is no complete signature.
    incomplete: bool,
}

/// The enabled key that a signature names; `None` without any signature.
async fn signing_key(deps: &RtmpDeps, query: &PublishQuery) -> Result<Option<Credential>, Unproven> {
    if !query.is_signed() {
        return Ok(None);
    }
    if let Err(error) = query.check_form(deps.clock.wall().unix_seconds()) {
        return Err(Unproven { error: error.into(), incomplete: !query.is_complete() });
    }
    let id = query.access_key_id().unwrap_or_default();
    let found = credentials::find(deps.meta.as_ref(), id, query.security_token(), deps.clock.wall()).await;
    found.map(Some).map_err(|error| Unproven { error: Refusal::of_credential(error), incomplete: false })
}

fn signed_targets(
    pairs: &[(BucketRecord, ChannelName)],
    query: &PublishQuery,
    key: &Credential,
    decision: Decision,
) -> Result<Vec<Target>, Refusal> {
    let mut refusal = Refusal::from(RtmpAuthError::SignatureMismatch);
    let mut targets = Vec::new();
    for (bucket, channel) in pairs {
        if !query.matches(&key.secret, bucket.name.as_str(), channel.as_str()) {
            continue;
        }
        if decision.allows(Some(key), bucket, channel) {
            let (bucket, channel) = (bucket.clone(), channel.clone());
            targets.push(Target { bucket, channel, credential: Some(key.clone()) });
        } else {
            refusal = Refusal::denied(Requester::of(Some(key.account.0), bucket.owner.0));
        }
    }
    if targets.is_empty() { Err(refusal) } else { Ok(targets) }
}

/// Without a signature the bucket must be open to all, and without a bucket's name it must be the only open one.
fn unsigned_targets(
    pairs: Vec<(BucketRecord, ChannelName)>,
    bucket_named: bool,
    decision: Decision,
) -> Result<Vec<Target>, Refusal> {
    let open: Vec<_> = pairs.into_iter().filter(|(bucket, channel)| decision.allows(None, bucket, channel)).collect();
    if open.is_empty() || (!bucket_named && open.len() > 1) {
        return Err(RtmpAuthError::AccessKeyIdMissing.into());
    }
    Ok(open.into_iter().map(|(bucket, channel)| Target { bucket, channel, credential: None }).collect())
}

/// What the decision hangs on beside who asks and for what.
#[derive(Clone, Copy)]
struct Decision {
    now_ms: i64,
    origin: Origin,
}

impl Decision {
    /// Whether a credential's account, or anybody, may publish there.
    fn allows(self, credential: Option<&Credential>, bucket: &BucketRecord, channel: &ChannelName) -> bool {
        let policy = bucket.settings.policy.as_deref().map(Policy::of_bucket);
        let context = Context {
            source_ip: Some(self.origin.peer.ip()),
            secure: self.origin.secure,
            now_ms: self.now_ms,
            ..Context::default()
        };
        allowed(&AccessAsked {
            question: Question {
                account: credential.map(Credential::account),
                permission: Permission::PublishRtmpStream,
                bucket: bucket.name.as_str(),
                owner: Some(bucket.owner.0),
                key: Some(channel.as_str().as_bytes()),
                context,
            },
            bucket: bucket.acls_in_force(None).0,
            object: None,
            policy: policy.as_ref(),
            restricted: bucket.settings.public_access_block.is_some_and(|block| block.restrict_buckets),
            session: credential.and_then(|credential| credential.session.as_ref()?.policy.as_deref()),
        })
    }
}

async fn claim(deps: &RtmpDeps, target: Target, query: &PublishQuery, origin: Origin) -> Result<Admitted, Refusal> {
    let playlist_name = query.playlist_name().map(str::to_owned);
    if let Some(Err(error)) = playlist_name.as_deref().map(check_playlist_name) {
        return Err(Refusal::new(FAILED, "InvalidArgument", error.to_string()));
    }
    let Target { bucket, channel, credential } = target;
    let name = bucket.name.clone();
    let publisher = deps.registry.publish(PublishRequest {
        bucket,
        channel: channel.clone(),
        playlist_name,
        remote_addr: origin.peer.to_string(),
        // A temporary credential ends with its key.
        access_key_id: credential.as_ref().map(|credential| credential.root_id().to_owned()),
    });
    let publisher = publisher.await?;
    // The key may have been disabled between its look-up and the claim, too early for the registry to end us. A store that
    // does not say whether it was is no reason to call it so.
    if let Some(key) = &credential {
        let refused = match deps.meta.access_key(key.root_id()).await {
            Ok(Some(root)) if root.enabled => None,
            Ok(_) => Some((TerminationCause::KeyDisabled, RtmpAuthError::AccessKeyIdUnknown.into())),
            Err(error) => Some((TerminationCause::StorageError, Refusal::store(&error))),
        };
        if let Some((cause, refusal)) = refused {
            publisher.finish(cause).await;
            return Err(refusal);
        }
    }
    Ok(Admitted { publisher, bucket: name, channel, access_key_id: credential.map(|key| key.id) })
}
