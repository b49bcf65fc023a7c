//! How much of the service one address may take: sockets at once, and refusals a second (I10).
//!
//! Counted is a source: an IPv4 address, or the 64 bits of an IPv6 address that one customer is given whole. Networks
//! that the operator trusts (a reverse proxy's, a load generator's) are not counted.
//!
//! Sockets over the bound are closed before a byte of them is read. Refusals are a bucket of tokens for each source, and
//! only what has failed already takes one: a proof that holds is never looked at here, so whoever signs rightly is served
//! whatever others behind his address do. What fails with the bucket empty has to wait ([`limits::REFUSAL_PAUSE`]) and is
//! told to slow down in place of the reason; with the bound on sockets this bounds what failing costs in all.
//!
//! The table of buckets is bounded. A place in it is given up when its bucket is full again and by nothing else, since
//! then forgetting it changes nothing: who comes from many addresses cannot push his own debts out. Sources that find no
//! place share one bucket.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Monotonic};
use crate::limits;
use crate::net::network::{Network, masked};
use crate::task::Stop;

#[cfg(test)]
mod tests;

/// What one source may take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrowdRules {
    /// Sockets at once; 0: any number.
    pub sockets_max: usize,
    /// Refusals a second that are answered at once, and tenfold in a burst; 0: any number.
    pub refusals_per_second: u32,
    /// Who is not counted.
    pub trusted: Vec<Network>,
}

/// Whom the bounds count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Source(IpAddr);

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            address @ IpAddr::V4(_) => Source(address),
            address @ IpAddr::V6(_) => Source(masked(address, limits::SOURCE_PREFIX_V6)),
        }
    }
}

/// Counts sources over all doors of a service.
#[derive(Debug)]
pub struct Crowd {
    rules: CrowdRules,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Sockets of each source that has one: no more entries than sockets.
    sockets: HashMap<Source, usize>,
    /// When the bucket of each source is full again.
    debts: HashMap<Source, Monotonic>,
    /// The bucket of those who have no place in `debts`.
    others: Monotonic,
    /// When the places of full buckets may be looked for again: a look costs the whole table.
    next_look: Monotonic,
    /// What was turned away since the last line in the log.
    unreported: Turned,
}

/// What was turned away, for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Turned {
    sockets: u64,
    refusals: u64,
    /// Times that a door found no place left for anybody.
    full: u64,
    /// The last source of a socket or refusal.
    last: Option<Source>,
}

/// The place of one socket; dropped, it is free again.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    /// `None`: of a trusted network.
    source: Option<Source>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(source) = self.source else { return };
        let mut state = self.crowd.state();
        if let Some(sockets) = state.sockets.get_mut(&source) {
            *sockets -= 1;
            if *sockets == 0 {
                state.sockets.remove(&source);
            }
        }
    }
}

impl Crowd {
    /// An empty place.
    pub fn new(rules: CrowdRules, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Crowd { rules, clock, state: Mutex::default() })
    }

    /// A place for one more socket of `address`; `None` when it has all that it may have.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let source = self.counted(address);
        if let Some(source) = source.filter(|_| self.rules.sockets_max > 0) {
            let mut state = self.state();
            let sockets = state.sockets.entry(source).or_default();
            if *sockets >= self.rules.sockets_max {
                state.unreported.sockets += 1;
                state.unreported.last = Some(source);
                return None;
            }
            *sockets += 1;
            return Some(Place { crowd: self.clone(), source: Some(source) });
        }
        Some(Place { crowd: self.clone(), source: None })
    }

    /// Whether a refusal of `address` may be answered at once. Otherwise it has to wait, and be told to slow down.
    pub fn may_refuse(&self, address: IpAddr) -> bool {
        let Some(source) = self.counted(address) else { return true };
        let Some(interval) = Duration::from_secs(1).checked_div(self.rules.refusals_per_second) else { return true };
        let depth = interval * self.rules.refusals_per_second.saturating_mul(limits::REFUSAL_BURST_SECONDS);
        let now = self.clock.monotonic();
        let mut state = self.state();
        let full_at = state.debt(source, now, interval);
        // An empty bucket stays as it is: whoever floods gets his share all the same, and no debt outlives the flood.
        let taken = (*full_at).max(now) + interval;
        if taken - now <= depth {
            *full_at = taken;
            return true;
        }
        state.unreported.refusals += 1;
        state.unreported.last = Some(source);
        false
    }

    /// A door found every socket of the service taken.
    pub(super) fn found_full(&self) {
        self.state().unreported.full += 1;
    }

    /// Writes what was turned away into the log, one line a period however much it was, until `stop` is pulled.
    pub async fn report(self: Arc<Self>, stop: Stop) {
        loop {
            let last = tokio::select! {
                biased;
                () = stop.pulled() => true,
                () = self.clock.sleep(limits::CROWD_REPORT_INTERVAL) => false,
            };
            let turned = std::mem::take(&mut self.state().unreported);
            if turned != Turned::default() {
                tracing::warn!(
                    sockets = turned.sockets,
                    refusals = turned.refusals,
                    full = turned.full,
                    last = turned.last.map(|source| source.0.to_string()),
                    "turned away: sockets and refusals over the bounds of their address, times that every socket was taken"
                );
            }
            if last {
                return;
            }
        }
    }

    /// `None` for trusted networks.
    fn counted(&self, address: IpAddr) -> Option<Source> {
        (!self.rules.trusted.iter().any(|network| network.contains(address))).then(|| Source::of(address))
    }

    /// Never held across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The bucket of a source, a full one if it had none.
    fn debt(&mut self, source: Source, now: Monotonic, interval: Duration) -> &mut Monotonic {
        if !self.debts.contains_key(&source) && self.debts.len() >= limits::REFUSAL_SOURCES_MAX {
            if now >= self.next_look {
                self.debts.retain(|_, full_at| *full_at > now);
                self.next_look = now + interval;
            }
            if self.debts.len() >= limits::REFUSAL_SOURCES_MAX {
                return &mut self.others;
            }
        }
        self.debts.entry(source).or_default()
    }
}
