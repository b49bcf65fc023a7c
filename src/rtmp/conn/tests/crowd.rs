//! What refused publishes cost their address.

use super::*;

/// What an encoder from `peer` is told, and how long it waited for it.
async fn asks(bed: &Bed, crowd: &Arc<Crowd>, peer: &str, name: &str) -> (Option<ClientEvent>, Duration) {
    let (tasks, stop) = (TaskSet::new(), Stop::new());
    let deps = crowded(bed, Arc::new(bed.clock.clone()), crowd.clone());
    let mut encoder = Encoder::dial_with(deps, peer, 64 * 1024, &tasks, &stop);
    let begin = bed.clock.monotonic();
    let event = {
        let mut event = pin!(encoder.publish("live", TC_URL, name));
        let mut turns = 0;
        loop {
            if let Some(event) = poll_immediate(&mut event).await {
                break event;
            }
            settle().await;
            turns += 1;
            // More than the messages of a whole refusal take.
            if turns % 20 == 0 {
                bed.clock.advance(limits::REFUSAL_PAUSE);
            }
        }
    };
    let waited = bed.clock.monotonic() - begin;
    drop(encoder);
    tasks.join().await;
    (event, waited)
}

fn code(event: Option<ClientEvent>) -> String {
    match event {
        Some(ClientEvent::Refused { description, .. }) => description.split(':').next().unwrap_or_default().to_owned(),
        Some(ClientEvent::Published { .. }) => "published".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn refused_publishes_are_slowed_and_what_is_signed_rightly_is_not() {
    const FLOOD: &str = "192.0.2.9:4711";
    let bed = Bed::new().await;
    let rules = CrowdRules { sockets_max: 0, refusals_per_second: 1, trusted: Vec::new() };
    let crowd = Crowd::new(rules, Arc::new(bed.clock.clone()));
    let wrong = format!("ch?{}", query("AK", "wrong", "films", "ch", BEGIN / 1_000 + 600, &[]));
    let nowhere = format!("none?{}", query("AK", "SK", "films", "none", BEGIN / 1_000 + 600, &[]));
    let right = format!("ch?{}", signed(&[]));
    let no_wait = Duration::ZERO;
    for _ in 0..limits::REFUSAL_BURST_SECONDS / 2 {
        let (event, waited) = asks(&bed, &crowd, FLOOD, &wrong).await;
        assert_eq!((code(event).as_str(), waited), ("SignatureDoesNotMatch", no_wait));
        let (event, waited) = asks(&bed, &crowd, FLOOD, &nowhere).await;
        assert_eq!((code(event).as_str(), waited), ("NoSuchLiveChannel", no_wait), "every refused publish counts");
    }
    for name in [&wrong, &nowhere] {
        let (event, waited) = asks(&bed, &crowd, FLOOD, name).await;
        assert_eq!((code(event).as_str(), waited), ("SlowDown", limits::REFUSAL_PAUSE));
        let (event, waited) = asks(&bed, &crowd, FLOOD, &right).await;
        assert_eq!((code(event).as_str(), waited), ("published", no_wait), "another behind the same address");
        let (event, waited) = asks(&bed, &crowd, "192.0.2.8:1", name).await;
        assert!(code(event) != "SlowDown" && waited == no_wait, "another address");
        // The pause has brought one refusal that is answered at once.
        assert_ne!(code(asks(&bed, &crowd, FLOOD, name).await.0), "SlowDown");
    }
}
