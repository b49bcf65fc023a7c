//! Fresh blob ids (I2): time from the clock, the rest random.

use std::sync::{Arc, Mutex};

use crate::clock::{Clock, Wall};
use crate::store::{BlobId, Result, StoreError};

/// Gives out ids that were never given out before.
#[derive(Debug)]
pub struct IdSource {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The latest time in an id. A clock that stepped back does not pull later ids before earlier ones.
    latest: Wall,
    random: Random,
}

#[derive(Debug)]
enum Random {
    System,
    /// SplitMix64 over a counter: ids that a test can repeat.
    Seeded(u64),
}

impl IdSource {
    /// Random bytes from the system.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with(clock, Random::System)
    }

    /// Random bytes that follow from `seed`, for simulation.
    pub fn seeded(clock: Arc<dyn Clock>, seed: u64) -> Self {
        Self::with(clock, Random::Seeded(seed))
    }

    fn with(clock: Arc<dyn Clock>, random: Random) -> Self {
        IdSource { clock, state: Mutex::new(State { latest: Wall(0), random }) }
    }

    /// A fresh id, of a plain blob. `Unavailable` when the system has no random bytes to give.
    pub fn fresh(&self) -> Result<BlobId> {
        let id = self.any()?;
        // One of 16 million: it becomes its neighbour.
        Ok(if id.is_sealed() { BlobId(id.0 ^ 1) } else { id })
    }

    /// A fresh id, of a sealed blob. The 56 bits that stay random tell blobs of one millisecond apart.
    pub fn fresh_marked(&self) -> Result<BlobId> {
        let mut bytes = self.any()?.0.to_be_bytes();
        bytes[16 - BlobId::SEALED_MARK.len()..].copy_from_slice(&BlobId::SEALED_MARK);
        Ok(BlobId(u128::from_be_bytes(bytes)))
    }

    fn any(&self) -> Result<BlobId> {
        let now = self.clock.wall();
        let mut state = self.state.lock().expect("no code panics while holding this lock");
        state.latest = state.latest.max(now);
        let random = state.random.next()?;
        Ok(BlobId::new(state.latest, random))
    }
}

impl Random {
    fn next(&mut self) -> Result<[u8; 10]> {
        let mut bytes = [0u8; 10];
        match self {
            Random::System => getrandom::fill(&mut bytes).map_err(|error| {
                tracing::error!(%error, "the system gives no random bytes");
                StoreError::Unavailable("no random bytes".into())
            })?,
            Random::Seeded(seed) => {
                bytes[..8].copy_from_slice(&split_mix(seed).to_be_bytes());
                bytes[8..].copy_from_slice(&split_mix(seed).to_be_bytes()[..2]);
            }
        }
        Ok(bytes)
    }
}

/// One step of SplitMix64.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn a_clock_that_stepped_back_still_gives_fresh_ids_in_order_of_time() {
        let clock = ManualClock::new(Wall(5_000));
        let ids = IdSource::new(Arc::new(clock.clone()));
        let first = ids.fresh().expect("random");
        clock.set_wall(Wall(1_000));
        let second = ids.fresh().expect("random");
        assert_ne!(first, second);
        assert_eq!(second.created(), Wall(5_000));
        clock.set_wall(Wall(6_000));
        assert_eq!(ids.fresh().expect("random").created(), Wall(6_000));
    }

    #[test]
    fn marked_ids_are_fresh_and_say_so() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Wall(5_000)));
        let ids = IdSource::new(clock);
        let (first, second) = (ids.fresh_marked().expect("random"), ids.fresh_marked().expect("random"));
        assert!(first.is_sealed() && second.is_sealed() && first != second);
        assert_eq!(first.created(), Wall(5_000));
        assert!(first.to_string().ends_with("5ea1ed"));
        assert!(!ids.fresh().expect("random").is_sealed());
    }

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Wall(1)));
        let take = |seed| {
            let ids = IdSource::seeded(clock.clone(), seed);
            [ids.fresh().expect("seeded"), ids.fresh().expect("seeded")]
        };
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
        assert_ne!(take(7)[0], take(7)[1]);
    }
}
