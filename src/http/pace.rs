//! A transfer that is held back because its request asks for it: `x-oss-traffic-limit`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::{Clock, Monotonic};
use crate::limits;

/// What a transfer may take, in bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrafficLimit(u64);

impl TrafficLimit {
    /// Reads bits a second, within OSS's bounds.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bits: u64 = text.trim().parse().ok()?;
        (limits::OSS_TRAFFIC_LIMIT_MIN..=limits::OSS_TRAFFIC_LIMIT_MAX)
            .contains(&bits)
            .then_some(TrafficLimit(bits / 8))
    }

    /// The same, or as much more as a read of so many bytes needs to end before its blobs may be collected (I3).
    pub(super) fn for_answer_of(self, bytes: u64) -> Self {
        let seconds = limits::OBJECT_READ_MAX.as_secs() / 8 * 7;
        TrafficLimit(self.0.max(bytes.div_ceil(seconds)))
    }
}

/// Meters one transfer. What moves is paid for in time; who is late for a moment catches up, who was slow for long does not.
#[derive(Debug)]
pub(crate) struct Pace {
    clock: Arc<dyn Clock>,
    limit: TrafficLimit,
    /// When everything that has moved is paid for.
    paid: Monotonic,
}

impl Pace {
    /// Begins now.
    pub(super) fn new(clock: Arc<dyn Clock>, limit: TrafficLimit) -> Self {
        let paid = clock.monotonic();
        Pace { clock, limit, paid }
    }

    /// Counts bytes that have moved. Until the given time nothing more may.
    pub(super) fn pay(&mut self, bytes: u64) -> Monotonic {
        let now = self.clock.monotonic();
        let earliest = Monotonic(now.0.saturating_sub(limits::TRAFFIC_CATCH_UP));
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.limit.0);
        self.paid = self.paid.max(earliest) + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.paid
    }

    /// Bytes to move at once: a tenth of a second's, so that a slow transfer flows instead of jerking.
    fn piece(&self) -> usize {
        let bytes = usize::try_from(self.limit.0 / 10).unwrap_or(usize::MAX);
        bytes.clamp(limits::TRAFFIC_PIECE_MIN, limits::BODY_PIECE_BYTES)
    }

    /// Takes from the front of `bytes` what may move at once.
    pub(super) fn split(&self, bytes: &mut Bytes) -> Bytes {
        bytes.split_to(self.piece().min(bytes.len()))
    }

    /// The clock it goes by.
    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const KIB: u64 = 1024;

    fn slowest(clock: &ManualClock) -> Pace {
        Pace::new(Arc::new(clock.clone()), TrafficLimit::read("819200").expect("valid"))
    }

    #[test]
    fn a_limit_lies_in_its_bounds() {
        for (text, limit) in [
            ("819200", Some(100 * KIB)),
            (" 838860800 ", Some(100 * KIB * KIB)),
            ("819199", None),
            ("838860801", None),
            ("-1", None),
            ("abc", None),
            ("", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(TrafficLimit::read(text), limit.map(TrafficLimit), "{text}");
        }
    }

    #[test]
    fn bytes_are_paid_for_in_time() {
        let clock = ManualClock::default();
        clock.advance(Duration::from_secs(100));
        let mut pace = slowest(&clock);
        let begin = clock.monotonic();
        assert_eq!(pace.pay(100 * KIB), begin + Duration::from_secs(1));
        assert_eq!(pace.pay(50 * KIB), begin + Duration::from_millis(1_500));
        // A moment's delay is caught up with.
        clock.advance(Duration::from_millis(1_550));
        assert_eq!(pace.pay(100 * KIB), begin + Duration::from_millis(2_500));
        // A long one is not: nobody saves up for a burst.
        clock.advance(Duration::from_secs(60));
        let behind = Monotonic(clock.monotonic().0 - limits::TRAFFIC_CATCH_UP);
        assert_eq!(pace.pay(100 * KIB), behind + Duration::from_secs(1));
    }

    #[test]
    fn pieces_are_a_tenth_of_a_second_or_what_is_left() {
        let clock = ManualClock::default();
        let mut bytes = Bytes::from(vec![0; 25_000]);
        let sizes: Vec<usize> = std::iter::from_fn(|| {
            let piece = slowest(&clock).split(&mut bytes);
            (!piece.is_empty()).then_some(piece.len())
        })
        .collect();
        assert_eq!(sizes, [10_240, 10_240, 4_520]);
        let fastest = Pace::new(Arc::new(clock), TrafficLimit::read("838860800").expect("valid"));
        assert_eq!(fastest.split(&mut Bytes::from(vec![0; 1_000_000])).len(), limits::BODY_PIECE_BYTES);
    }

    #[test]
    fn no_answer_outlives_its_blobs() {
        let slowest = TrafficLimit::read("819200").expect("valid");
        assert_eq!(slowest.for_answer_of(1_000_000_000), slowest);
        let limit = slowest.for_answer_of(limits::OBJECT_BYTES_MAX);
        assert!(limit != slowest && limits::OBJECT_BYTES_MAX / limit.0 < limits::OBJECT_READ_MAX.as_secs());
    }
}
