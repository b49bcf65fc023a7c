use super::*;
use crate::clock::{ManualClock, Wall};

const ALICE: &str = "192.0.2.1";
const BOB: &str = "192.0.2.2";

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn crowd(sockets_max: usize, refusals_per_second: u32) -> (Arc<Crowd>, ManualClock) {
    let clock = ManualClock::new(Wall(0));
    let trusted = vec!["127.0.0.0/8".parse().expect("a network"), "::1".parse().expect("a network")];
    let rules = CrowdRules { sockets_max, refusals_per_second, trusted };
    (Crowd::new(rules, Arc::new(clock.clone())), clock)
}

/// How many refusals are answered at once, of so many that come together.
fn answered(crowd: &Crowd, from: &str, refusals: usize) -> usize {
    (0..refusals).filter(|_| crowd.may_refuse(address(from))).count()
}

#[test]
fn an_address_has_so_many_sockets_and_no_more() {
    let (crowd, _) = crowd(3, 0);
    let mut places: Vec<Place> = (0..3).map(|_| crowd.enter(address(ALICE)).expect("within the bound")).collect();
    assert!(crowd.enter(address(ALICE)).is_none(), "the fourth");
    assert!(crowd.enter(address("::ffff:192.0.2.1")).is_none(), "the same in IPv6's clothes");
    assert!(crowd.enter(address(BOB)).is_some(), "another has places of his own");
    places.pop();
    let again = crowd.enter(address(ALICE)).expect("one left");
    assert!(crowd.enter(address(ALICE)).is_none());
    drop((places, again));
    assert!(crowd.state().sockets.is_empty(), "nothing is kept of who has gone");
}

#[test]
fn ipv6_is_counted_by_64_bits_and_ipv4_whole() {
    let (crowd, _) = crowd(1, 0);
    let _first = crowd.enter(address("2001:db8:0:1::1")).expect("the first");
    assert!(crowd.enter(address("2001:db8:0:1:ffff:ffff:ffff:ffff")).is_none(), "the same 64 bits");
    assert!(crowd.enter(address("2001:db8:0:2::1")).is_some(), "the neighbour");
    let _ipv4 = crowd.enter(address(ALICE)).expect("the first");
    assert!(crowd.enter(address(BOB)).is_some(), "the neighbour");
}

#[test]
fn trusted_networks_and_no_bound_mean_any_number() {
    let (crowd, _) = crowd(1, 1);
    let _places: Vec<_> = (0..100).map(|_| crowd.enter(address("127.0.0.1")).expect("trusted")).collect();
    assert!(crowd.enter(address("::ffff:127.0.0.1")).is_some() && crowd.enter(address("::1")).is_some());
    assert_eq!(answered(&crowd, "127.0.0.1", 1_000), 1_000);
    let (crowd, _) = self::crowd(0, 0);
    let _places: Vec<_> = (0..100).map(|_| crowd.enter(address(ALICE)).expect("no bound")).collect();
    assert_eq!(answered(&crowd, ALICE, 1_000), 1_000);
}

#[test]
fn a_burst_is_answered_then_so_many_a_second_and_no_more() {
    let (crowd, clock) = crowd(0, 5);
    assert_eq!(answered(&crowd, ALICE, 200), 50, "ten seconds' worth");
    assert_eq!(answered(&crowd, BOB, 1), 1, "another has a bucket of his own");
    clock.advance(Duration::from_millis(199));
    assert_eq!(answered(&crowd, ALICE, 10), 0);
    clock.advance(Duration::from_millis(1));
    assert_eq!(answered(&crowd, ALICE, 10), 1);
    clock.advance(Duration::from_secs(1));
    assert_eq!(answered(&crowd, ALICE, 1_000_000), 5, "a flood makes no debt that outlives it");
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(answered(&crowd, ALICE, 200), 50, "and no more than a burst is saved up");
}

#[test]
fn who_comes_from_many_addresses_cannot_push_his_debt_out() {
    let (crowd, clock) = crowd(0, 1);
    assert_eq!(answered(&crowd, ALICE, 100), 10);
    let many = |n: usize| format!("2001:db8:{:x}:{:x}::1", n >> 16, n & 0xffff);
    for n in 1..limits::REFUSAL_SOURCES_MAX {
        assert_eq!(answered(&crowd, &many(n), 1), 1, "{n}");
    }
    // The table is full: who comes now shares one bucket with all who come now.
    assert_eq!(answered(&crowd, &many(900_000), 7) + answered(&crowd, &many(900_001), 7), 10);
    assert_eq!(answered(&crowd, ALICE, 1), 0, "the debt is known still");
    assert_eq!(crowd.state().debts.len(), limits::REFUSAL_SOURCES_MAX);
    // A second on the buckets of the many are full: their places are free, that of the one who owes is not.
    clock.advance(Duration::from_secs(1));
    assert_eq!(answered(&crowd, &many(900_002), 100), 10, "a bucket of its own");
    assert_eq!(crowd.state().debts.len(), 2);
    assert_eq!(answered(&crowd, ALICE, 100), 1, "what has dripped in");
}

#[tokio::test]
async fn a_flood_is_one_line_a_period() {
    let (crowd, clock) = crowd(1, 1);
    let stop = Stop::new();
    let report = crowd.clone().report(stop.clone());
    tokio::pin!(report);
    assert!(futures_util::poll!(&mut report).is_pending());
    let _place = crowd.enter(address(ALICE)).expect("the first");
    assert!((0..20).all(|_| crowd.enter(address(ALICE)).is_none()));
    assert_eq!(answered(&crowd, BOB, 100), 10);
    crowd.found_full();
    let turned = Turned { sockets: 20, refusals: 90, full: 1, last: Some(Source::of(address(BOB))) };
    assert_eq!(crowd.state().unreported, turned);
    clock.advance(limits::CROWD_REPORT_INTERVAL);
    assert!(futures_util::poll!(&mut report).is_pending());
    assert_eq!(crowd.state().unreported, Turned::default(), "said");
    stop.pull();
    report.await;
}
