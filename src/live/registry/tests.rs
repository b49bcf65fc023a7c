//! Who gets a channel, and who is told to leave it.

use std::time::Duration;

use super::*;
use crate::clock::Wall;
use crate::limits;
use crate::live::testbed::{BEGIN, Bed, audio, begin, channel, configs, settle, video};
use crate::store::meta::faulty::{Fault, MetaCall};
use crate::store::{ChannelStatus, ClaimRequest};

#[tokio::test]
async fn second_publisher_is_refused_until_the_first_has_finished() {
    let bed = Bed::new().await;
    let first = bed.publish().await;
    let refused = bed.registry.publish(bed.request()).await;
    assert_eq!(refused.err(), Some(PublishError::AlreadyLive));
    first.finish(TerminationCause::Unpublished).await;
    bed.publish().await;
}

#[tokio::test]
async fn of_two_newcomers_exactly_one_gets_the_channel() {
    let bed = Bed::new().await;
    let (one, two) = tokio::join!(bed.registry.publish(bed.request()), bed.registry.publish(bed.request()));
    let refused: Vec<_> = [one.as_ref().err(), two.as_ref().err()].into_iter().flatten().collect();
    assert_eq!(refused, [&PublishError::AlreadyLive]);
}

#[tokio::test]
async fn disabled_and_missing_channels_are_refused() {
    let bed = Bed::new().await;
    let missing = PublishRequest { channel: ChannelName::new("other").expect("valid"), ..bed.request() };
    assert_eq!(bed.registry.publish(missing).await.err(), Some(PublishError::NoSuchLiveChannel));
    let disabled = ChannelStatus::Disabled;
    bed.meta.set_channel_status(bed.bucket.id, &channel(), disabled, Wall(BEGIN)).await.expect("exists");
    assert_eq!(bed.registry.publish(bed.request()).await.err(), Some(PublishError::Disabled));
    assert_eq!(bed.registry.stat(bed.bucket.id, &channel()), None);
}

#[tokio::test]
async fn a_claim_without_owner_is_told_apart() {
    let bed = Bed::new().await;
    let claim = ClaimRequest {
        bucket: bed.bucket.id,
        channel: channel(),
        connection: ConnectionId(1),
        remote_addr: "192.0.2.9:1".into(),
        started: Wall(BEGIN),
        playlist_name: None,
    };
    bed.meta.claim(claim).await.expect("free");
    assert_eq!(bed.registry.publish(bed.request()).await.err(), Some(PublishError::HeldElsewhere));
}

#[tokio::test]
async fn a_caller_that_goes_away_during_the_claim_leaves_nothing() {
    let bed = Bed::new().await;
    let stall = bed.meta.stall(MetaCall::Claim);
    let publish = bed.registry.publish(bed.request());
    assert!(futures_util::FutureExt::now_or_never(publish).is_none());
    drop(stall);
    settle().await;
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::ConnectionLost));
    bed.publish().await;
}

#[tokio::test]
async fn disabling_ends_the_publish_and_keeps_its_open_fragment() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    begin(&publisher, 500).await;
    settle().await;
    bed.registry.disconnect(bed.bucket.id, &channel(), TerminationCause::Disabled);
    assert_eq!(publisher.ended().await, TerminationCause::Disabled);
    settle().await;
    assert_eq!(publisher.send(audio(500)).await, Err(Ended(TerminationCause::Disabled)));
    let outcome = publisher.finish(TerminationCause::ConnectionLost).await;
    assert_eq!((outcome.cause, outcome.fragments), (TerminationCause::Disabled, 1));
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::Disabled));
    assert_eq!(bed.fragments().await.len(), 1);
}

#[tokio::test]
async fn disabling_a_key_ends_what_it_authorised_and_nothing_else() {
    let bed = Bed::new().await;
    bed.put_channel(&bed.bucket, "other", 1).await;
    let publisher = bed.publish().await;
    let other = ChannelName::new("other").expect("valid");
    let request = PublishRequest { channel: other, access_key_id: Some("AK2".into()), ..bed.request() };
    let other = bed.registry.publish(request).await.expect("free");
    bed.registry.disconnect_key("AK");
    assert_eq!(publisher.ended().await, TerminationCause::KeyDisabled);
    assert!(futures_util::FutureExt::now_or_never(other.ended()).is_none());
}

#[tokio::test]
async fn stop_commits_every_open_fragment_and_refuses_newcomers() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    begin(&publisher, 1_500).await;
    bed.registry.stop().await;
    assert_eq!(bed.fragments().await.len(), 2);
    assert_eq!(bed.history().await[0].cause, Some(TerminationCause::ServiceShutdown));
    assert_eq!(publisher.ended().await, TerminationCause::ServiceShutdown);
    assert_eq!(bed.registry.publish(bed.request()).await.err(), Some(PublishError::Stopping));
}

#[tokio::test]
async fn an_end_that_cannot_be_written_keeps_the_channel_taken_but_not_the_publisher() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    bed.meta.fail(MetaCall::EndConnection, 2, Fault::Before(StoreError::Unavailable("test".into())));
    publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!(bed.registry.publish(bed.request()).await.err(), Some(PublishError::AlreadyLive));
    bed.advance(limits::END_RETRY).await;
    bed.advance(limits::END_RETRY).await;
    assert_eq!(bed.history().await[0].ended, Some(Wall(BEGIN)));
    bed.publish().await;
}

#[tokio::test]
async fn stat_shows_what_was_received_and_its_rates() {
    let bed = Bed::new().await;
    let publisher = bed.publish().await;
    let stat = || bed.registry.stat(bed.bucket.id, &channel()).expect("live");
    assert_eq!((stat().connected, stat().video, stat().audio), (Wall(BEGIN), None, None));
    assert_eq!(stat().remote_addr, "192.0.2.1:50000");
    for config in configs() {
        publisher.send(config).await.expect("live");
    }
    publisher.send(video(0, true, 10_000)).await.expect("live");
    settle().await;
    let seen = stat().video.expect("received");
    assert_eq!((seen.width, seen.height, seen.frame_rate, seen.bandwidth), (1280, 720, 0, 0));
    assert_eq!(stat().audio, None);
    for second in 0..4 {
        for n in 0..25 {
            publisher.send(video(second * 1_000 + n * 40 + 40, false, 996)).await.expect("live");
            publisher.send(audio(second * 1_000 + n * 40)).await.expect("live");
        }
        bed.advance(Duration::from_secs(1)).await;
    }
    let (video, audio) = (stat().video.expect("received"), stat().audio.expect("received"));
    // 10 004 bytes of the key frame and 100 pictures of 1000 bytes in four seconds.
    assert_eq!((video.frame_rate, video.bandwidth), (25, 110_004 / 4));
    assert_eq!((audio.sample_rate, audio.bandwidth), (44_100, 25 * 200));
    publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!(bed.registry.stat(bed.bucket.id, &channel()), None);
}
