//! One run's world: time, the disk that outlives every crash, the weather over it, and the trace of what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use livebucket::clock::{Clock, ManualClock, Wall};
use livebucket::store::BlobId;
use livebucket::store::blob::memory::MemoryBlobStore;
use livebucket::store::meta::memory::MemoryMetaStore;

use crate::chance::Chance;
use crate::oracle::Oracle;

/// Wall time at which every run begins: 2023-11-14 22:13:20 UTC, less than two hours before midnight.
pub const BEGIN: Wall = Wall(1_700_000_000_000);
/// Trace lines that a failure shows, unless one seed is replayed.
const LINES_SHOWN: usize = 150;

/// How often calls of the stores go wrong, of 10 000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Its name in the trace.
    pub name: &'static str,
    /// Has no effect and fails.
    fail: usize,
    /// Has its effect and fails: the acknowledgement is lost.
    lose: usize,
    /// Takes up to two seconds.
    stall: usize,
    /// Takes longer than `limits::STORE_STALL` allows.
    freeze: usize,
    /// The process dies before or after the effect.
    crash: usize,
}

impl Weather {
    pub const CALM: Weather = Weather { name: "calm", fail: 0, lose: 0, stall: 0, freeze: 0, crash: 0 };
    pub const SLOW: Weather = Weather { name: "slow", fail: 0, lose: 0, stall: 3_000, freeze: 0, crash: 3 };
    pub const DRIZZLE: Weather = Weather { name: "drizzle", fail: 60, lose: 40, stall: 200, freeze: 5, crash: 6 };
    pub const RAIN: Weather = Weather { name: "rain", fail: 400, lose: 200, stall: 300, freeze: 20, crash: 15 };
    pub const STORM: Weather = Weather { name: "storm", fail: 2_500, lose: 800, stall: 500, freeze: 60, crash: 40 };
    pub const FROST: Weather = Weather { name: "frost", fail: 0, lose: 0, stall: 500, freeze: 1_500, crash: 10 };
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Go,
    Fail,
    Lose,
    CrashBefore,
    CrashAfter,
}

/// The same, and how long it takes.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    pub stall: Option<Duration>,
    pub verdict: Verdict,
}

/// What happened how often, so that a run that shows nothing is seen to show nothing.
pub type Tally = BTreeMap<&'static str, u64>;

pub struct World {
    pub seed: u64,
    pub clock: ManualClock,
    /// What has been committed.
    pub meta: Arc<MemoryMetaStore>,
    /// Blobs that are finished.
    pub blobs: MemoryBlobStore,
    oracle: Mutex<Oracle>,
    state: Mutex<State>,
}

struct State {
    chance: Chance,
    weather: Weather,
    /// Nothing that asks the disk for anything is answered any more.
    dead: bool,
    /// Actors go home.
    quiet: bool,
    /// The disk has changed since it was looked at.
    dirty: bool,
    /// Faults so far.
    faults: u64,
    /// Unfinished blobs: files under temporary names.
    temporaries: BTreeSet<BlobId>,
    /// Blobs that somebody reads, and how often the wall clock had leapt when he began.
    readers: BTreeMap<BlobId, Vec<u64>>,
    /// Leaps of the wall clock that no grace outlasts.
    leaps: u64,
    /// How far the wall clock was set back in all.
    behind_ms: i64,
    blobs_made: BTreeSet<BlobId>,
    ports: u16,
    tally: Tally,
    trace: Vec<String>,
    digest: u64,
    keep_all: bool,
    failure: Option<String>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "World({})", self.seed)
    }
}

impl World {
    pub fn new(seed: u64, keep_all: bool) -> Arc<World> {
        let clock = ManualClock::new(BEGIN);
        let mut chance = Chance::new(seed);
        let blobs = MemoryBlobStore::seeded(Arc::new(clock.clone()), chance.number());
        let state = State {
            chance,
            weather: Weather::CALM,
            dead: false,
            quiet: false,
            dirty: false,
            faults: 0,
            temporaries: BTreeSet::new(),
            readers: BTreeMap::new(),
            leaps: 0,
            behind_ms: 0,
            blobs_made: BTreeSet::new(),
            ports: 1_024,
            tally: Tally::new(),
            trace: Vec::new(),
            digest: 0xcbf2_9ce4_8422_2325,
            keep_all,
            failure: None,
        };
        let meta = Arc::new(MemoryMetaStore::new());
        Arc::new(World { seed, clock, meta, blobs, oracle: Mutex::default(), state: Mutex::new(state) })
    }

    /// A failed assertion somewhere else must not hide behind a poisoned lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn oracle(&self) -> MutexGuard<'_, Oracle> {
        self.oracle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn time(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }

    pub fn wall(&self) -> Wall {
        self.clock.wall()
    }

    pub fn now(&self) -> Duration {
        self.clock.monotonic().0
    }

    pub async fn sleep(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    pub async fn sleep_ms(&self, millis: usize) {
        self.sleep(Duration::from_millis(millis as u64)).await;
    }

    // ---- the trace ---------------------------------------------------------------------------------------------

    /// One line of what happened. The digest of all lines is what two runs of a seed are compared by.
    pub fn say(&self, what: fmt::Arguments<'_>) {
        let line = format!("{:>10.3} {what}", self.now().as_secs_f64());
        let mut state = self.lock();
        for byte in line.bytes() {
            state.digest = (state.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        state.trace.push(line);
        if !state.keep_all && state.trace.len() > 2 * LINES_SHOWN {
            state.trace.drain(..LINES_SHOWN);
        }
    }

    /// The latest lines.
    pub fn trace(&self) -> String {
        let state = self.lock();
        let from = if state.keep_all { 0 } else { state.trace.len().saturating_sub(LINES_SHOWN) };
        state.trace[from..].join("\n")
    }

    pub fn digest(&self) -> u64 {
        self.lock().digest
    }

    pub fn count(&self, what: &'static str) {
        *self.lock().tally.entry(what).or_default() += 1;
    }

    pub fn tally(&self) -> Tally {
        self.lock().tally.clone()
    }

    /// The first failure counts; what follows from it does not.
    pub fn failed(&self, why: String) {
        self.lock().failure.get_or_insert(why);
    }

    pub fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    // ---- chance ------------------------------------------------------------------------------------------------

    /// A generator of its own for an actor.
    pub fn fork(&self) -> Chance {
        self.lock().chance.fork()
    }

    /// What makes an identity unlike any other.
    pub fn random(&self) -> [u8; 10] {
        self.lock().chance.bytes(10).try_into().expect("ten bytes")
    }

    pub fn percent(&self, share: usize) -> bool {
        self.lock().chance.percent(share)
    }

    pub fn below(&self, end: usize) -> usize {
        self.lock().chance.below(end)
    }

    /// A port that no publisher had before.
    pub fn fresh_port(&self) -> u16 {
        let mut state = self.lock();
        state.ports += 1;
        state.ports
    }

    // ---- weather -----------------------------------------------------------------------------------------------

    pub fn set_weather(&self, weather: Weather) {
        let changed = std::mem::replace(&mut self.lock().weather, weather) != weather;
        if changed {
            self.say(format_args!("the weather is {}", weather.name));
        }
    }

    /// Draws what becomes of a call.
    pub fn fate(&self) -> Fate {
        let mut state = self.lock();
        let weather = state.weather;
        if weather == Weather::CALM {
            return Fate { stall: None, verdict: Verdict::Go };
        }
        let drawn = state.chance.below(10_000);
        let stall = if drawn < weather.freeze {
            Some(Duration::from_millis(31_000 + state.chance.below(60_000) as u64))
        } else if drawn < weather.freeze + weather.stall {
            Some(Duration::from_millis(1 + state.chance.below(2_000) as u64))
        } else {
            None
        };
        let mut drawn = state.chance.below(10_000);
        let mut verdict = Verdict::Go;
        for (share, then) in [
            (weather.crash.div_ceil(2), Verdict::CrashBefore),
            (weather.crash / 2, Verdict::CrashAfter),
            (weather.fail, Verdict::Fail),
            (weather.lose, Verdict::Lose),
        ] {
            if drawn < share {
                verdict = then;
                break;
            }
            drawn -= share;
        }
        if verdict != Verdict::Go || stall.is_some() {
            state.faults += 1;
        }
        Fate { stall, verdict }
    }

    /// Faults that any call has met so far.
    pub fn faults(&self) -> u64 {
        self.lock().faults
    }

    // ---- life and death ----------------------------------------------------------------------------------------

    /// The process dies here; whoever is told so waits for ever.
    pub fn crash(&self, at: fmt::Arguments<'_>) {
        if !self.is_dead() {
            self.say(format_args!("CRASH {at}"));
            self.count("crashes at a call");
            self.die();
        }
    }

    /// Never ready once the process is dead.
    pub async fn alive(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    pub fn die(&self) {
        self.lock().dead = true;
    }

    pub fn is_dead(&self) -> bool {
        self.lock().dead
    }

    pub fn revive(&self) {
        let mut state = self.lock();
        (state.dead, state.quiet) = (false, false);
        // Readers died with their process.
        state.readers.clear();
    }

    pub fn set_quiet(&self) {
        self.lock().quiet = true;
    }

    pub fn is_quiet(&self) -> bool {
        self.lock().quiet
    }

    /// Moves the wall clock alone.
    pub fn step_wall(&self, millis: i64) {
        self.say(format_args!("the wall clock steps by {millis} ms"));
        self.clock.set_wall(Wall(self.wall().0 + millis));
        let mut state = self.lock();
        // Graces are measured by it, with a margin of ten minutes.
        state.leaps += u64::from(millis > 240_000);
        state.behind_ms += (-millis).max(0);
    }

    /// How far the wall clock was set back in all.
    pub fn behind(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.lock().behind_ms).expect("a sum of positive numbers"))
    }

    pub fn leaps(&self) -> u64 {
        self.lock().leaps
    }

    // ---- the disk ----------------------------------------------------------------------------------------------

    pub fn touched(&self) {
        self.lock().dirty = true;
    }

    pub fn take_dirty(&self) -> bool {
        std::mem::take(&mut self.lock().dirty)
    }

    /// Bytes of an unfinished blob that the disk has.
    pub fn begin_temporary(&self, id: BlobId) {
        self.lock().temporaries.insert(id);
    }

    pub fn end_temporary(&self, id: BlobId) {
        self.lock().temporaries.remove(&id);
    }

    pub fn temporaries(&self) -> usize {
        self.lock().temporaries.len()
    }

    pub fn clear_temporaries(&self) -> u64 {
        std::mem::take(&mut self.lock().temporaries).len() as u64
    }

    /// `false`: this id was given before.
    pub fn is_fresh(&self, id: BlobId) -> bool {
        self.lock().blobs_made.insert(id)
    }

    pub fn begin_read(&self, id: BlobId) {
        let mut state = self.lock();
        let leaps = state.leaps;
        state.readers.entry(id).or_default().push(leaps);
    }

    pub fn end_read(&self, id: BlobId) {
        let mut state = self.lock();
        if let Some(readers) = state.readers.get_mut(&id) {
            readers.pop();
        }
    }

    /// Whether somebody reads it who relies on its grace.
    pub fn is_read(&self, id: BlobId) -> bool {
        let state = self.lock();
        state.readers.get(&id).is_some_and(|readers| readers.contains(&state.leaps))
    }
}
