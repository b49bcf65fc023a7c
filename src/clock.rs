//! Time. The only room that reads the machine's clocks.
//!
//! Three kinds, never mixed: [`Wall`] for people and signatures, [`Monotonic`] for timeouts, `media::MediaTime` for media.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::ops::{Add, Sub};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tokio::sync::oneshot;

/// `yyyyMMddTHHmmssZ`.
const ISO_BASIC: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");
/// `yyyy-MM-ddTHH:mm:ssZ`.
const ISO: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
/// `yyyy-MM-ddTHH:mm:ss.000Z`.
const ISO_MILLIS: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].000Z");

/// Milliseconds since the Unix epoch, UTC. May step back when the machine's clock is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub i64);

impl Wall {
    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// From whole seconds since the Unix epoch.
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Wall(seconds * 1_000)
    }

    /// Milliseconds of a day. UTC as computers count it has no longer ones.
    pub const DAY_MS: i64 = 24 * 3600 * 1000;

    /// So many days later; the end of time when there is no such time.
    pub const fn plus_days(self, days: i64) -> Self {
        Wall(self.0.saturating_add(days.saturating_mul(Self::DAY_MS)))
    }

    /// The first midnight (UTC) that is not earlier.
    pub const fn midnight_from(self) -> Self {
        let days = self.0.saturating_add(Self::DAY_MS - 1).div_euclid(Self::DAY_MS);
        Wall(days.saturating_mul(Self::DAY_MS))
    }

    /// ISO 8601's basic form in whole seconds, `20231114T221320Z`: what V4 signatures are dated with.
    pub fn iso_basic(self) -> String {
        self.text(ISO_BASIC)
    }

    /// Reads [`Wall::iso_basic`]'s form, and no other.
    pub fn from_iso_basic(text: &str) -> Option<Self> {
        let shape = text.as_bytes();
        let digits_only = |range: std::ops::Range<usize>| shape[range].iter().all(u8::is_ascii_digit);
        let formed =
            shape.len() == 16 && shape[8] == b'T' && shape[15] == b'Z' && digits_only(0..8) && digits_only(9..15);
        // By hand: each signed request has one, and the general reader takes a microsecond.
        let number = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<u16>().ok());
        let small = |from: usize| number(from, from + 2).and_then(|number| u8::try_from(number).ok());
        if !formed {
            return None;
        }
        let month = time::Month::try_from(small(4)?).ok()?;
        let date = time::Date::from_calendar_date(number(0, 4)?.into(), month, small(6)?).ok()?;
        let time = date.with_hms(small(9)?, small(11)?, small(13)?).ok()?;
        Some(Wall::from_unix_seconds(time.assume_utc().unix_timestamp()))
    }

    /// ISO 8601's extended form in whole seconds, `2023-11-14T22:13:20Z`.
    pub fn iso(self) -> String {
        self.text(ISO)
    }

    /// The extended form with milliseconds that are always zero, `2023-11-14T22:13:20.000Z`: documents state whole
    /// seconds in this form, and readers want the dot.
    pub fn iso_millis(self) -> String {
        self.text(ISO_MILLIS)
    }

    /// Reads ISO 8601's extended form as RFC 3339 has it: with or without a fraction, in any time zone.
    pub fn from_iso(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
        i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Wall)
    }

    /// A time beyond the year 9999 is nobody's and reads as the epoch: it must not take a whole document with it.
    fn text(self, form: &[BorrowedFormatItem<'_>]) -> String {
        let time = OffsetDateTime::from_unix_timestamp(self.unix_seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        time.format(form).expect("every part of the form exists in every time")
    }
}

/// Time since the process (or the manual clock) began. Never steps back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub Duration);

impl Add<Duration> for Monotonic {
    type Output = Monotonic;
    fn add(self, d: Duration) -> Monotonic {
        Monotonic(self.0 + d)
    }
}

impl Sub for Monotonic {
    type Output = Duration;
    /// The distance, zero when `other` is later.
    fn sub(self, other: Monotonic) -> Duration {
        self.0.saturating_sub(other.0)
    }
}

/// How far the wall clock has been set forward lately.
///
/// What was dated before such a step seems older by as much than it is. Whoever deletes by age asks here for how much, and
/// waits for the rest; once the step lies further back than the window, nothing so young is left and it no longer counts.
#[derive(Debug)]
pub struct ForwardSteps {
    window: Duration,
    /// Wall time less monotonic time, in milliseconds, from when on; those that a later, lesser one outlives are left out, so
    /// they ascend.
    leads: VecDeque<(Monotonic, i64)>,
}

impl ForwardSteps {
    /// Over the last `window`. Steps are seen by [`ForwardSteps::look`] alone: one that was undone between two looks is not.
    pub fn new(window: Duration) -> Self {
        ForwardSteps { window, leads: VecDeque::new() }
    }

    /// Looks at the clock, and says how far it is ahead of where it was behind the most within the window.
    pub fn look(&mut self, clock: &dyn Clock) -> Duration {
        let now = clock.monotonic();
        let lead = clock.wall().0.saturating_sub(i64::try_from(now.0.as_millis()).unwrap_or(i64::MAX));
        while self.leads.back().is_some_and(|(_, earlier)| *earlier > lead) {
            self.leads.pop_back();
        }
        if self.leads.back().is_none_or(|(_, earlier)| *earlier < lead) {
            self.leads.push_back((now, lead));
        }
        // Each holds until the next.
        while self.leads.len() > 1 && now - self.leads[1].0 >= self.window {
            self.leads.pop_front();
        }
        Duration::from_millis(lead.abs_diff(self.leads[0].1))
    }
}

/// A sleep handed out by a [`Clock`]. Dropping it cancels it.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time comes from.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Time for timeouts.
    fn monotonic(&self) -> Monotonic;
    /// Time for people and signatures.
    fn wall(&self) -> Wall;
    /// Ready once `monotonic()` has reached `deadline`.
    fn sleep_until(&self, deadline: Monotonic) -> Sleep;
    /// Ready after `duration`.
    fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.monotonic() + duration)
    }
}

/// A deadline passed before the work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("deadline passed")]
pub struct Elapsed;

/// Runs `work` for at most `duration` of `clock`. `work` is dropped when the time is over.
pub async fn timeout<F: Future>(clock: &dyn Clock, duration: Duration, work: F) -> Result<F::Output, Elapsed> {
    let sleep = clock.sleep(duration);
    tokio::select! {
        biased;
        output = work => Ok(output),
        () = sleep => Err(Elapsed),
    }
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
}

#[allow(clippy::disallowed_methods, reason = "this is the room that reads the clocks")]
impl SystemClock {
    /// Monotonic time begins now.
    pub fn new() -> Self {
        SystemClock { origin: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the room that reads the clocks")]
impl Clock for SystemClock {
    fn monotonic(&self) -> Monotonic {
        Monotonic(self.origin.elapsed())
    }

    fn wall(&self) -> Wall {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Wall(since_epoch.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }

    fn sleep_until(&self, deadline: Monotonic) -> Sleep {
        Box::pin(tokio::time::sleep_until((self.origin + deadline.0).into()))
    }
}

/// A clock that moves only when told to, for tests and simulation. Clones share the time.
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    state: Arc<Mutex<ManualState>>,
}

#[derive(Debug, Default)]
struct ManualState {
    monotonic: Monotonic,
    wall: Wall,
    sleepers: BTreeMap<(Monotonic, u64), oneshot::Sender<()>>,
    next_sleeper: u64,
}

impl ManualClock {
    /// Monotonic time zero, wall time `wall`.
    pub fn new(wall: Wall) -> Self {
        let clock = ManualClock::default();
        clock.lock().wall = wall;
        clock
    }

    /// Moves both clocks forward and wakes who is due, in order of their deadlines.
    pub fn advance(&self, by: Duration) {
        let mut state = self.lock();
        state.monotonic = state.monotonic + by;
        state.wall.0 += i64::try_from(by.as_millis()).expect("tests advance by less than an age");
        let now = state.monotonic;
        while let Some(entry) = state.sleepers.first_entry().filter(|e| e.key().0 <= now) {
            // A sleeper that was dropped no longer listens; that is no error.
            let _ = entry.remove().send(());
        }
    }

    /// When the next sleeper is due that still waits.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let state = self.lock();
        state.sleepers.iter().find(|(_, wake)| !wake.is_closed()).map(|((deadline, _), _)| *deadline)
    }

    /// Sets the wall clock, as an operator or NTP may, without moving monotonic time.
    pub fn set_wall(&self, wall: Wall) {
        self.lock().wall = wall;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ManualState> {
        self.state.lock().expect("no code panics while holding this lock")
    }
}

impl Clock for ManualClock {
    fn monotonic(&self) -> Monotonic {
        self.lock().monotonic
    }

    fn wall(&self) -> Wall {
        self.lock().wall
    }

    fn sleep_until(&self, deadline: Monotonic) -> Sleep {
        let mut state = self.lock();
        if deadline <= state.monotonic {
            return Box::pin(std::future::ready(()));
        }
        let (wake, woken) = oneshot::channel();
        let id = state.next_sleeper;
        state.next_sleeper += 1;
        state.sleepers.insert((deadline, id), wake);
        Box::pin(async move {
            // The sender lives in the clock; if the clock is gone nobody advances it, so the sleep never ends.
            if woken.await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn manual_sleep_ends_when_time_is_advanced_past_it() {
        let clock = ManualClock::new(Wall(1_000));
        let mut sleep = clock.sleep(Duration::from_secs(2));
        clock.advance(Duration::from_secs(1));
        assert!(futures_util::poll!(&mut sleep).is_pending());
        clock.advance(Duration::from_secs(1));
        sleep.await;
        assert_eq!(clock.wall(), Wall(3_000));
    }

    #[test]
    fn wall_time_has_one_text_in_each_form() {
        let at = Wall(1_700_000_000_999);
        assert_eq!(at.iso_basic(), "20231114T221320Z");
        assert_eq!(at.iso(), "2023-11-14T22:13:20Z");
        assert_eq!(at.iso_millis(), "2023-11-14T22:13:20.000Z");
        assert_eq!(Wall(i64::MAX).iso(), "1970-01-01T00:00:00Z", "nobody's time");
        assert_eq!(Wall::from_iso_basic("20231114T221320Z"), Some(Wall(1_700_000_000_000)));
        for other in ["2023-11-14T22:13:20Z", "20231114T221320", "20231314T221320Z", "20231114T221320Z ", ""] {
            assert_eq!(Wall::from_iso_basic(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_step_forward_counts_until_it_lies_behind_the_window() {
        let (clock, minute) = (ManualClock::new(Wall(1_000_000)), Duration::from_secs(60));
        let mut steps = ForwardSteps::new(10 * minute);
        let mut after = |by: Duration, set_ms: i64| {
            clock.advance(by);
            clock.set_wall(Wall(clock.wall().0 + set_ms));
            steps.look(&clock)
        };
        let day = Duration::from_secs(86_400);
        assert_eq!(after(Duration::ZERO, 0), Duration::ZERO);
        assert_eq!(after(minute, 0), Duration::ZERO);
        assert_eq!(after(minute, 86_400_000), day, "a day forward");
        assert_eq!(after(9 * minute, 0), day, "what was dated a minute before is not ten minutes old");
        assert_eq!(after(minute, 0), Duration::ZERO, "nothing of before is younger than the window");
        assert_eq!(after(minute, -3_600_000), Duration::ZERO, "back: things seem younger, which harms nobody");
        assert_eq!(after(minute, 3_600_000), Duration::from_secs(3_600), "and forward again");
        assert_eq!(after(11 * minute, 0), Duration::ZERO);
    }

    #[tokio::test]
    async fn timeout_prefers_finished_work() {
        let clock = ManualClock::default();
        assert_eq!(timeout(&clock, Duration::ZERO, async { 7 }).await, Ok(7));
        assert_eq!(timeout(&clock, Duration::ZERO, std::future::pending::<()>()).await, Err(Elapsed));
    }
}
