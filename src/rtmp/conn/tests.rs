//! Stories of sockets: an encoder's peer on one end, the pump on the other.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::poll_immediate;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

use super::*;
use crate::auth::rtmp_url::publish_query;
use crate::clock::{Clock, Wall};
use crate::codec::rtmp::{ClientConfig, ClientEvent, ClientOutput, ClientPeer};
use crate::live::testbed::{BEGIN, Bed, channel, settle};
use crate::net::crowd::{Crowd, CrowdRules};
use crate::net::host::HostRules;
use crate::store::meta::faulty::{Fault, MetaCall};
use crate::store::{Acl, BucketName, ChannelStatus, MetaStore, StoreError, TerminationCause};
use crate::task::TaskSet;

mod authorisation;
mod crowd;
mod media;
mod network;
mod resting;
mod stalls;

const TC_URL: &str = "rtmp://films.oss.example.com/live";
const AAC_CONFIG: &[u8] = &[0xaf, 0x00, 0x12, 0x10];

fn deps(bed: &Bed, clock: Arc<dyn Clock>) -> RtmpDeps {
    crowded(bed, clock.clone(), Crowd::new(CrowdRules::default(), clock))
}

fn crowded(bed: &Bed, clock: Arc<dyn Clock>, crowd: Arc<Crowd>) -> RtmpDeps {
    let hosts = HostRules { base_domains: vec!["oss.example.com".into()], ..HostRules::default() };
    RtmpDeps { meta: bed.meta.clone(), registry: bed.registry.clone(), clock, hosts, crowd }
}

/// Ten minutes' worth of publishing rights to `films/ch`, with further parameters.
fn signed(params: &[(&str, &str)]) -> String {
    query("AK", "SK", "films", "ch", BEGIN / 1_000 + 600, params)
}

fn query(id: &str, secret: &str, bucket: &str, channel: &str, expires: i64, params: &[(&str, &str)]) -> String {
    let params: Vec<_> = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    publish_query(id, secret, bucket, channel, expires, &params)
}

/// An encoder on one end of a stream.
struct Encoder<S> {
    stream: S,
    peer: ClientPeer,
    /// Everything that the server sent.
    heard: Vec<u8>,
}

impl Encoder<DuplexStream> {
    /// Connects to a pump of its own in `tasks`.
    fn dial(bed: &Bed, tasks: &TaskSet, stop: &Stop) -> Self {
        let deps = deps(bed, Arc::new(bed.clock.clone()));
        Encoder::dial_with(deps, "192.0.2.7:4711", 64 * 1024, tasks, stop)
    }

    /// From `peer`, with so many bytes on their way in either direction at most.
    fn dial_with(deps: RtmpDeps, peer: &str, on_their_way: usize, tasks: &TaskSet, stop: &Stop) -> Self {
        let (near, far) = tokio::io::duplex(on_their_way);
        let (peer, stop) = (peer.parse().expect("an address"), stop.clone());
        tasks.spawn("test-pump", async move { serve(&deps, far, peer, &stop).await });
        Encoder::on(near)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Encoder<S> {
    fn on(stream: S) -> Self {
        Encoder { stream, peer: ClientPeer::new(ClientConfig::default(), [7; 1528]), heard: Vec::new() }
    }

    async fn publish(&mut self, app: &str, tc_url: &str, name: &str) -> Option<ClientEvent> {
        self.peer.publish(app, tc_url, name);
        self.event().await
    }

    async fn publish_signed(&mut self) {
        let name = format!("ch?{}", signed(&[]));
        let event = self.publish("live", TC_URL, &name).await;
        assert!(matches!(event, Some(ClientEvent::Published { .. })), "{event:?}");
    }

    /// Sends what waits, reads until something happened; `None` when the other side closed.
    async fn event(&mut self) -> Option<ClientEvent> {
        let mut buffer = [0u8; 4096];
        loop {
            while let Some(output) = self.peer.next_output() {
                match output {
                    ClientOutput::Send(bytes) => self.stream.write_all(&bytes).await.ok()?,
                    ClientOutput::Event(event) => return Some(event),
                }
            }
            match self.stream.read(&mut buffer).await.ok()? {
                0 => return None,
                length => {
                    self.heard.extend_from_slice(&buffer[..length]);
                    self.peer.feed(&buffer[..length]).expect("the server speaks RTMP");
                }
            }
        }
    }

    /// The server ends the publish with an `onStatus` of this code and description, then half-closes.
    async fn ended_with(&mut self, code: &str, description: &str) {
        assert_eq!(self.event().await, Some(ClientEvent::Closed));
        assert_eq!(self.event().await, None);
        let heard = String::from_utf8_lossy(&self.heard);
        assert!(heard.contains(code) && heard.contains(description), "{code} {description}");
    }

    async fn flush(&mut self) {
        while let Some(ClientOutput::Send(bytes)) = self.peer.next_output() {
            self.stream.write_all(&bytes).await.expect("the pump reads");
        }
    }

    async fn tag(&mut self, kind: MediaKind, timestamp: u32, body: &[u8]) {
        self.peer.media(kind, timestamp, body).expect("short");
        self.flush().await;
    }

    async fn audio(&mut self, from_ms: u32, to_ms: u32) {
        self.tag(MediaKind::Audio, from_ms, AAC_CONFIG).await;
        for ms in (from_ms..to_ms).step_by(20) {
            let mut body = vec![0x21; 200];
            body[..2].copy_from_slice(&[0xaf, 0x01]);
            self.tag(MediaKind::Audio, ms, &body).await;
        }
        settle().await;
    }
}

/// What an encoder is told: (onStatus code, description), after which the socket is closed.
async fn refusal(bed: &Bed, app: &str, tc_url: &str, name: &str) -> (String, String) {
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(bed, &tasks, &stop);
    let event = encoder.publish(app, tc_url, name).await;
    let Some(ClientEvent::Refused { code, description }) = event else { panic!("{event:?}") };
    assert_eq!(encoder.event().await, None, "the socket is half-closed behind the answer");
    drop(encoder);
    tasks.join().await;
    (code, description)
}

/// The refusal of `ch` with this query, as its onStatus code and the description's OSS code and EC.
async fn told(bed: &Bed, query: &str) -> (String, String) {
    let (code, description) = refusal(bed, "live", TC_URL, &format!("ch?{query}")).await;
    let oss_code = description.split(':').next().unwrap_or_default();
    let ec = description.split("(EC ").nth(1).map(|ec| ec.trim_end_matches(')')).unwrap_or_default();
    (code, format!("{oss_code} {ec}").trim().to_owned())
}

async fn accepted(bed: &Bed, app: &str, tc_url: &str, name: &str) {
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(bed, &tasks, &stop);
    let event = encoder.publish(app, tc_url, name).await;
    assert!(matches!(event, Some(ClientEvent::Published { .. })), "{event:?}");
    drop(encoder);
    tasks.join().await;
}

async fn set_acl(bed: &Bed, acl: Acl) {
    bed.meta.set_bucket_acl(bed.bucket.id, acl).await.expect("exists");
}

const DENIED: &str = "NetStream.Publish.Denied";
const FAILED: &str = "NetStream.Publish.Failed";

#[tokio::test]
async fn signatures_are_checked_as_the_error_codes_say() {
    let bed = Bed::new().await;
    bed.meta.put_access_key("mallory", "AK2", "SK2", Wall(BEGIN)).await.expect("new");
    bed.meta.put_access_key("alice", "OFF", "SK3", Wall(BEGIN)).await.expect("new");
    bed.meta.disable_access_key("OFF").await.expect("exists");
    let later = BEGIN / 1_000 + 600;
    let good = signed(&[]);
    let without = |field: &str| good.split('&').filter(|part| !part.starts_with(field)).collect::<Vec<_>>().join("&");
    for (query, expected) in [
        (String::new(), "AccessDenied 0002-00000801"),
        (without("OSSAccessKeyId"), "AccessDenied 0002-00000801"),
        (query("NONE", "SK", "films", "ch", later, &[]), "InvalidAccessKeyId 0002-00000802"),
        (query("OFF", "SK3", "films", "ch", later, &[]), "InvalidAccessKeyId 0002-00000802"),
        (without("Expires"), "AccessDenied 0002-00000803"),
        (format!("{}&Expires=soon", without("Expires")), "InvalidArgument 0002-00000804"),
        (query("AK", "SK", "films", "ch", BEGIN / 1_000 - 1, &[]), "AccessDenied 0002-00000805"),
        (without("Signature"), "AccessDenied 0002-00000806"),
        (query("AK", "SK", "films", "other", later, &[]), "SignatureDoesNotMatch 0002-00000807"),
        (query("AK", "wrong", "films", "ch", later, &[]), "SignatureDoesNotMatch 0002-00000807"),
        (format!("{good}&SignatureVersion=4"), "InvalidArgument 0002-00000808"),
        (query("AK2", "SK2", "films", "ch", later, &[]), "AccessDenied"),
    ] {
        assert_eq!(told(&bed, &query).await, (DENIED.to_owned(), expected.to_owned()), "{query}");
    }
    accepted(&bed, "live", TC_URL, &format!("ch?{good}")).await;
}

#[tokio::test]
async fn a_public_read_write_bucket_needs_no_signature_but_refuses_a_wrong_one() {
    let bed = Bed::new().await;
    set_acl(&bed, Acl::PublicRead).await;
    assert_eq!(told(&bed, "").await.0, DENIED);
    set_acl(&bed, Acl::PublicReadWrite).await;
    accepted(&bed, "live", TC_URL, "ch").await;
    accepted(&bed, "live", TC_URL, "ch?playlistName=other.m3u8").await;
    for partial in ["OSSAccessKeyId=AK", "OSSAccessKeyId=AK&Expires=1", "Expires=soon&Signature=x", "Signature="] {
        accepted(&bed, "live", TC_URL, &format!("ch?{partial}")).await;
    }
    let wrong = query("AK", "wrong", "films", "ch", BEGIN / 1_000 + 600, &[]);
    assert_eq!(told(&bed, &wrong).await.1, "SignatureDoesNotMatch 0002-00000807");
    let expired = query("AK", "SK", "films", "ch", BEGIN / 1_000 - 1, &[]);
    assert_eq!(told(&bed, &expired).await.1, "AccessDenied 0002-00000805");
    bed.meta.put_access_key("bob", "AK2", "SK2", Wall(BEGIN)).await.expect("new");
    let another = query("AK2", "SK2", "films", "ch", BEGIN / 1_000 + 600, &[]);
    accepted(&bed, "live", TC_URL, &format!("ch?{another}")).await;
}

#[tokio::test]
async fn unknown_targets_are_refused_each_by_its_name() {
    let bed = Bed::new().await;
    let later = BEGIN / 1_000 + 600;
    let other = query("AK", "SK", "films", "other", later, &[]);
    let (code, description) = refusal(&bed, "live", TC_URL, &format!("other?{other}")).await;
    assert_eq!(code, FAILED);
    assert_eq!(description, "NoSuchLiveChannel: The specified live channel does not exist. (EC 0026-00000021)");
    let nowhere = "rtmp://nowhere.oss.example.com/live";
    let (code, description) = refusal(&bed, "live", nowhere, &format!("ch?{}", signed(&[]))).await;
    assert_eq!(code, FAILED);
    assert!(description.starts_with("NoSuchBucket: "), "{description}");
    let (code, description) = refusal(&bed, "other", TC_URL, "ch").await;
    assert_eq!(code, FAILED);
    assert!(description.starts_with("InvalidChannelName: "), "{description}");
    let slash = signed(&[("playlistName", "a/b.m3u8")]);
    assert_eq!(told(&bed, &slash).await, (FAILED.to_owned(), "InvalidArgument".to_owned()));
}

#[tokio::test]
async fn disabled_channel_is_refused() {
    let bed = Bed::new().await;
    let disabled = ChannelStatus::Disabled;
    bed.meta.set_channel_status(bed.bucket.id, &channel(), disabled, Wall(BEGIN)).await.expect("exists");
    assert_eq!(told(&bed, &signed(&[])).await, (DENIED.to_owned(), "LiveChannelDisabled".to_owned()));
}

#[tokio::test]
async fn a_store_that_cannot_say_whether_the_key_is_enabled_does_not_make_it_disabled() {
    let bed = Bed::new().await;
    let lost = Fault::Before(StoreError::Unavailable("test".into()));
    // The look-up goes well; the second look, behind the claim, does not.
    bed.meta.fail_later(MetaCall::AccessKey, 1, 1, lost);
    assert_eq!(told(&bed, &signed(&[])).await, (FAILED.to_owned(), "ServiceUnavailable".to_owned()));
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::StorageError));
    accepted(&bed, "live", TC_URL, &format!("ch?{}", signed(&[]))).await;
}

#[tokio::test]
async fn second_publisher_is_refused_while_the_first_is_connected() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut first = Encoder::dial(&bed, &tasks, &stop);
    first.publish_signed().await;
    let refused = told(&bed, &signed(&[])).await;
    assert_eq!(refused, ("NetStream.Publish.BadName".to_owned(), "ChannelStillLive".to_owned()));
    drop(first);
    tasks.join().await;
    accepted(&bed, "live", TC_URL, &format!("ch?{}", signed(&[]))).await;
}

#[tokio::test]
async fn without_a_bucket_the_signature_decides() {
    let bed = Bed::new().await;
    let bob = bed.meta.put_access_key("bob", "AK2", "SK2", Wall(BEGIN)).await.expect("new");
    let name = BucketName::new("clips").expect("valid");
    let clips = bed.meta.create_bucket(&name, bob.account, Acl::Private, Wall(BEGIN)).await.expect("new");
    bed.put_channel(&clips, "ch", 1).await;
    let later = BEGIN / 1_000 + 600;
    let of_bob = query("AK2", "SK2", "clips", "ch", later, &[]);
    accepted(&bed, "live", "rtmp://127.0.0.1:9000/live", &format!("ch?{of_bob}")).await;
    assert_eq!(bed.meta.history(clips.id, &channel(), 10).await.expect("memory").len(), 1);
    assert_eq!(bed.history().await.len(), 0);
    let wrong = query("AK2", "SK2", "elsewhere", "ch", later, &[]);
    let (_, description) = refusal(&bed, "live", "rtmp://127.0.0.1/live", &format!("ch?{wrong}")).await;
    assert!(description.starts_with("SignatureDoesNotMatch"), "{description}");
    // Without a signature: only when exactly one such bucket is open to all.
    assert!(refusal(&bed, "live", "rtmp://127.0.0.1/live", "ch").await.1.starts_with("AccessDenied"));
    set_acl(&bed, Acl::PublicReadWrite).await;
    accepted(&bed, "live", "rtmp://127.0.0.1/live", "ch").await;
    bed.meta.set_bucket_acl(clips.id, Acl::PublicReadWrite).await.expect("exists");
    assert!(refusal(&bed, "live", "rtmp://127.0.0.1/live", "ch").await.1.starts_with("AccessDenied"));
}

#[tokio::test]
async fn each_spelling_of_the_target_reaches_the_channel() {
    let bed = Bed::new().await;
    bed.put_channel(&bed.bucket, "two words", 1).await;
    bed.put_channel(&bed.bucket, "clip.mp4", 1).await;
    let good = signed(&[("playlistName", "p.m3u8")]);
    let encoded = format!("live%2Fch?{good}");
    let whole = format!("live/ch?{good}");
    let words = query("AK", "SK", "films", "two words", BEGIN / 1_000 + 600, &[]);
    let clip = query("AK", "SK", "films", "clip.mp4", BEGIN / 1_000 + 600, &[]);
    let decoded = percent_encoding::percent_decode_str(&good).decode_utf8_lossy().into_owned();
    for (app, tc_url, name) in [
        ("films/live", "rtmp://127.0.0.1/films/live", format!("ch?{good}")),
        ("live/films", "rtmp://127.0.0.1/live/films", format!("ch?{good}")),
        ("films", "rtmp://127.0.0.1/films", format!("live/ch?{good}")),
        ("live", "rtmp://127.0.0.1/live", format!("films/ch?{good}")),
        ("live/", TC_URL, format!("ch?{good}")),
        ("live", TC_URL, format!("ch?{decoded}")),
        (&encoded, TC_URL, String::new()),
        (&whole, TC_URL, String::new()),
        ("live", TC_URL, format!("two%20words?{words}")),
        ("live", TC_URL, format!("two words?{words}")),
        ("live", TC_URL, format!("mp4:clip?{clip}")),
    ] {
        accepted(&bed, app, tc_url, &name).await;
    }
}

#[tokio::test]
async fn expiry_does_not_cut_a_running_publish() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(&bed, &tasks, &stop);
    encoder.publish_signed().await;
    encoder.audio(0, 3_000).await;
    bed.clock.set_wall(Wall(BEGIN + 3_600_000));
    encoder.audio(3_000, 6_000).await;
    encoder.peer.unpublish();
    encoder.flush().await;
    settle().await;
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::Unpublished));
    assert_eq!(told(&bed, &signed(&[])).await.1, "AccessDenied 0002-00000805");
    drop(encoder);
    tasks.join().await;
}

#[tokio::test]
async fn a_store_that_cannot_say_is_told_by_what_it_cannot() {
    for (error, code) in [
        (StoreError::Unavailable("held".into()), "ServiceUnavailable"),
        (StoreError::Full, "InsufficientStorage"),
        (StoreError::Corrupt("page 7".into()), "InternalError"),
    ] {
        for call in [MetaCall::Bucket, MetaCall::AccessKey, MetaCall::Claim] {
            let bed = Bed::new().await;
            bed.meta.fail(call, 1, Fault::Before(error.clone()));
            assert_eq!(told(&bed, &signed(&[])).await, (FAILED.into(), code.into()), "{call:?}");
            assert_eq!(bed.history().await.len(), 0);
            drop(bed.publish().await);
        }
    }
}

#[tokio::test]
async fn ends_of_a_publish_have_their_causes() {
    for (end, cause) in [
        ("close", TerminationCause::ConnectionLost),
        ("unpublish", TerminationCause::Unpublished),
        ("garbage", TerminationCause::ProtocolError),
    ] {
        let bed = Bed::new().await;
        let (tasks, stop) = (TaskSet::new(), Stop::new());
        let mut encoder = Encoder::dial(&bed, &tasks, &stop);
        encoder.publish_signed().await;
        encoder.audio(0, 2_500).await;
        assert_eq!(bed.fragments().await.len(), 2, "the third fragment is open");
        match end {
            "unpublish" => encoder.peer.unpublish(),
            // Type 3 on a chunk stream that never had a header.
            "garbage" => encoder.stream.write_all(&[0xff; 64]).await.expect("the pump reads"),
            _ => {}
        }
        encoder.flush().await;
        settle().await;
        drop(encoder);
        tasks.join().await;
        assert_eq!(bed.history().await[0].cause, Some(cause), "{end}");
        assert_eq!(bed.fragments().await.len(), 3, "{end}");
        assert_eq!(bed.history().await[0].remote_addr, "192.0.2.7:4711");
    }
}

/// Reads are merged, so that much may stand before a fault that is found.
#[tokio::test]
async fn what_came_before_garbage_in_one_read_has_come() {
    for (unpublishes, cause) in [(false, TerminationCause::ProtocolError), (true, TerminationCause::Unpublished)] {
        let bed = Bed::new().await;
        let (tasks, stop) = (TaskSet::new(), Stop::new());
        let mut encoder = Encoder::dial(&bed, &tasks, &stop);
        encoder.publish_signed().await;
        encoder.peer.media(MediaKind::Audio, 0, AAC_CONFIG).expect("short");
        for ms in (0..500).step_by(20) {
            encoder.peer.media(MediaKind::Audio, ms, &[0xaf, 0x01, 0x21, 0x21]).expect("short");
        }
        if unpublishes {
            encoder.peer.unpublish();
        }
        let mut together = Vec::new();
        while let Some(ClientOutput::Send(bytes)) = encoder.peer.next_output() {
            together.extend_from_slice(&bytes);
        }
        together.extend_from_slice(&[0xff; 64]);
        encoder.stream.write_all(&together).await.expect("the pump reads");
        settle().await;
        drop(encoder);
        tasks.join().await;
        assert_eq!(bed.history().await[0].cause, Some(cause));
        assert_eq!(bed.fragments().await.len(), 1, "{cause:?}");
    }
}

#[tokio::test]
async fn a_silent_publisher_is_noticed_within_thirty_seconds() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(&bed, &tasks, &stop);
    encoder.publish_signed().await;
    bed.advance(Duration::from_secs(15)).await;
    encoder.audio(0, 20).await;
    bed.advance(limits::RTMP_READ_TIMEOUT - Duration::from_secs(1)).await;
    assert!(bed.registry.stat(bed.bucket.id, &channel()).is_some(), "every byte begins the wait anew");
    assert_eq!(told(&bed, &signed(&[])).await.1, "ChannelStillLive");
    bed.advance(Duration::from_secs(1)).await;
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::Timeout));
    assert!(
        limits::RTMP_READ_TIMEOUT + limits::RTMP_WRITE_TIMEOUT <= Duration::from_secs(30),
        "whatever the answer costs"
    );
    accepted(&bed, "live", TC_URL, &format!("ch?{}", signed(&[]))).await;
    drop(encoder);
    tasks.join().await;
}

#[tokio::test]
async fn a_peer_that_does_not_connect_is_closed() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let encoder = Encoder::dial(&bed, &tasks, &stop);
    bed.advance(limits::RTMP_CONNECT_TIMEOUT - Duration::from_secs(1)).await;
    assert_eq!(tasks.len(), 1);
    bed.advance(Duration::from_secs(1)).await;
    assert!(tasks.is_empty());
    drop(encoder);
}

#[tokio::test]
async fn a_peer_that_talks_but_never_publishes_is_closed() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(&bed, &tasks, &stop);
    encoder.peer.publish("live", TC_URL, "ch");
    // C0 and C1; then C2 and `connect`; what would follow is not sent.
    let mut buffer = [0u8; 8192];
    for _ in 0..2 {
        encoder.flush().await;
        let length = encoder.stream.read(&mut buffer).await.expect("an answer");
        encoder.peer.feed(&buffer[..length]).expect("RTMP");
    }
    bed.advance(limits::RTMP_PUBLISH_TIMEOUT - Duration::from_secs(1)).await;
    assert_eq!(tasks.len(), 1);
    bed.advance(Duration::from_secs(1)).await;
    assert!(tasks.is_empty());
}

#[tokio::test]
async fn disabling_tells_the_publisher_why() {
    let bed = Bed::new().await;
    for (cause, code, oss_code) in [
        (TerminationCause::Disabled, DENIED, "LiveChannelDisabled"),
        (TerminationCause::KeyDisabled, DENIED, "InvalidAccessKeyId"),
        (TerminationCause::StorageError, FAILED, "InternalError"),
    ] {
        let (tasks, stop) = (TaskSet::new(), Stop::new());
        let mut encoder = Encoder::dial(&bed, &tasks, &stop);
        encoder.publish_signed().await;
        bed.registry.disconnect(bed.bucket.id, &channel(), cause);
        encoder.ended_with(code, oss_code).await;
        drop(encoder);
        tasks.join().await;
        assert_eq!(bed.history().await.last().expect("ended").cause, Some(cause));
    }
}

#[tokio::test]
async fn a_stop_commits_what_was_sent_and_says_so() {
    let bed = Bed::new().await;
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let mut encoder = Encoder::dial(&bed, &tasks, &stop);
    encoder.publish_signed().await;
    encoder.audio(0, 2_500).await;
    stop.pull();
    encoder.ended_with("NetConnection.Connect.Closed", "ServiceUnavailable: ").await;
    drop(encoder);
    tasks.join().await;
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::ServiceShutdown));
    assert_eq!(bed.fragments().await.len(), 3);
}

#[tokio::test]
async fn a_name_that_is_not_utf8_is_refused_like_any_other_that_is_none() {
    let bed = Bed::new().await;
    // What a name's broken bytes are read as.
    let name = format!("ch\u{fffd}\u{fffd}?{}", signed(&[]));
    let (code, description) = refusal(&bed, "live", TC_URL, &name).await;
    assert_eq!(code, DENIED);
    assert!(description.starts_with("SignatureDoesNotMatch: "), "{description}");
    let (code, description) = refusal(&bed, "live", "rtmp://\u{fffd}lms.oss.example.com/live", &name).await;
    assert_eq!(code, FAILED);
    assert!(description.starts_with("NoSuchBucket: "), "{description}");
}
