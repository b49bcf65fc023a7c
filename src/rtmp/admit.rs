//! The publish decision: from what an encoder sent to a claimed channel, or to a refusal that says why.
//!
//! Rules: OSS LiveChannel. Without `public-read-write` a publish URL is signed; `Expires` is judged now and never again;
//! the key's account must own the bucket. A complete signature that is wrong is refused even where none is needed.

use crate::auth::access::{Action, Requester, allowed};
use crate::auth::rtmp_url::{PublishQuery, RtmpAuthError};
use crate::limits;
use crate::live::channel::check_playlist_name;
use crate::live::registry::{PublishError, PublishRequest, Publisher};
use crate::rtmp::server::RtmpDeps;
use crate::rtmp::target::{Candidate, candidates};
use crate::store::{AccessKeyRecord, BucketName, BucketRecord, ChannelName, StoreError, TerminationCause};

/// What an encoder sent to name its target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) app: &'a str,
    pub(super) tc_url: &'a str,
    pub(super) name: &'a str,
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

    fn not_owner() -> Self {
        Refusal::new(DENIED, "AccessDenied", "The bucket you access does not belong to you.")
    }

    fn store(error: &StoreError) -> Self {
        tracing::error!(%error, "a publish cannot be decided");
        Refusal::new(FAILED, "InternalError", "We encountered an internal error. Please try again.")
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
pub(super) async fn admit(deps: &RtmpDeps, asked: Asked<'_>, remote_addr: &str) -> Result<Admitted, Refusal> {
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
        let targets = match authorised(deps, reading, &query).await {
            Ok(targets) => targets,
            Err(new) => {
                keep(new);
                continue;
            }
        };
        for target in targets {
            match claim(deps, target, &query, remote_addr).await {
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
    access_key_id: Option<String>,
}

/// The targets of one reading that its signature (or the bucket's ACL) opens.
async fn authorised(deps: &RtmpDeps, reading: &Candidate, query: &PublishQuery) -> Result<Vec<Target>, Refusal> {
    let pairs = pairs(deps, reading).await?;
    let key = match signing_key(deps, query).await {
        Ok(key) => key,
        // An incomplete signature proves nothing and harms nothing where none is needed.
        Err(Unproven { error, incomplete }) => {
            let open = |(bucket, _): &&(BucketRecord, ChannelName)| anybody_may(bucket);
            if !incomplete || pairs.iter().filter(open).count() == 0 {
                return Err(error);
            }
            None
        }
    };
    match key {
        Some(key) => signed_targets(&pairs, query, &key),
        None => unsigned_targets(pairs, reading.bucket.is_some()),
    }
}

/// Buckets and channel names of a reading. A named bucket must exist; without one every bucket with such a channel counts.
async fn pairs(deps: &RtmpDeps, reading: &Candidate) -> Result<Vec<(BucketRecord, ChannelName)>, Refusal> {
    let store = |error: StoreError| Refusal::store(&error);
    if let Some(name) = &reading.bucket {
        let name = BucketName::new(name).ok_or_else(Refusal::no_such_bucket)?;
        let bucket = deps.meta.bucket(&name).await.map_err(store)?.ok_or_else(Refusal::no_such_bucket)?;
        return Ok(reading.channels.iter().map(|channel| (bucket.clone(), channel.clone())).collect());
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
async fn signing_key(deps: &RtmpDeps, query: &PublishQuery) -> Result<Option<AccessKeyRecord>, Unproven> {
    if !query.is_signed() {
        return Ok(None);
    }
    if let Err(error) = query.check_form(deps.clock.wall().unix_seconds()) {
        return Err(Unproven { error: error.into(), incomplete: !query.is_complete() });
    }
    let id = query.access_key_id().unwrap_or_default();
    match deps.meta.access_key(id).await {
        Ok(Some(key)) if key.enabled => Ok(Some(key)),
        Ok(_) => Err(Unproven { error: RtmpAuthError::AccessKeyIdUnknown.into(), incomplete: false }),
        Err(error) => Err(Unproven { error: Refusal::store(&error), incomplete: false }),
    }
}

fn signed_targets(
    pairs: &[(BucketRecord, ChannelName)],
    query: &PublishQuery,
    key: &AccessKeyRecord,
) -> Result<Vec<Target>, Refusal> {
    let mut refusal = Refusal::from(RtmpAuthError::SignatureMismatch);
    let mut targets = Vec::new();
    for (bucket, channel) in pairs {
        if !query.matches(&key.secret, bucket.name.as_str(), channel.as_str()) {
            continue;
        }
        let requester = if key.account == bucket.owner { Requester::Owner } else { Requester::OtherAccount };
        if allowed(requester, bucket.acls_in_force(None).0, None, Action::Publish) {
            let (bucket, channel) = (bucket.clone(), channel.clone());
            targets.push(Target { bucket, channel, access_key_id: Some(key.id.clone()) });
        } else {
            refusal = Refusal::not_owner();
        }
    }
    if targets.is_empty() { Err(refusal) } else { Ok(targets) }
}

/// Without a signature the bucket must be open to all, and without a bucket's name it must be the only open one.
fn unsigned_targets(pairs: Vec<(BucketRecord, ChannelName)>, bucket_named: bool) -> Result<Vec<Target>, Refusal> {
    let open: Vec<_> = pairs.into_iter().filter(|(bucket, _)| anybody_may(bucket)).collect();
    if open.is_empty() || (!bucket_named && open.len() > 1) {
        return Err(RtmpAuthError::AccessKeyIdMissing.into());
    }
    Ok(open.into_iter().map(|(bucket, channel)| Target { bucket, channel, access_key_id: None }).collect())
}

fn anybody_may(bucket: &BucketRecord) -> bool {
    allowed(Requester::Anonymous, bucket.acls_in_force(None).0, None, Action::Publish)
}

async fn claim(deps: &RtmpDeps, target: Target, query: &PublishQuery, remote_addr: &str) -> Result<Admitted, Refusal> {
    let playlist_name = query.playlist_name().map(str::to_owned);
    if let Some(Err(error)) = playlist_name.as_deref().map(check_playlist_name) {
        return Err(Refusal::new(FAILED, "InvalidArgument", error.to_string()));
    }
    let Target { bucket, channel, access_key_id } = target;
    let name = bucket.name.clone();
    let publisher = deps.registry.publish(PublishRequest {
        bucket,
        channel: channel.clone(),
        playlist_name,
        remote_addr: remote_addr.to_owned(),
        access_key_id: access_key_id.clone(),
    });
    let publisher = publisher.await?;
    // The key may have been disabled between its look-up and the claim, too early for the registry to end us.
    if let Some(id) = &access_key_id
        && !matches!(deps.meta.access_key(id).await, Ok(Some(key)) if key.enabled)
    {
        publisher.finish(TerminationCause::KeyDisabled).await;
        return Err(RtmpAuthError::AccessKeyIdUnknown.into());
    }
    Ok(Admitted { publisher, bucket: name, channel, access_key_id })
}
