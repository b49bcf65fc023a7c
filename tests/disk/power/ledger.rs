//! What was acknowledged when, and what a store may therefore hold after a crash.

use std::collections::{BTreeMap, BTreeSet};

use livebucket::codec::m3u8::Playlist;
use serde::{Deserialize, Serialize};

/// What a store holds, in words: `object films/a` is `1000 bytes, CRC-64 17`.
pub type State = BTreeMap<String, String>;

/// What a call that was acknowledged made of the state, all at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// The record's length when the call began.
    pub begun: usize,
    /// The record's length when it was acknowledged.
    pub acknowledged: usize,
    /// What each of these has come to; `None` is nothing.
    pub changes: Vec<(String, Option<String>)>,
}

/// What a player could see of a live channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sight {
    /// The record's length when it was seen.
    pub at: usize,
    /// The playlist's text.
    pub playlist: String,
    /// Fragments by key, in the words of a [`State`].
    pub fragments: State,
}

impl Sight {
    /// The number behind the last fragment that the playlist names.
    fn end(&self) -> u64 {
        let playlist = Playlist::parse(&self.playlist).expect("it was seen as one");
        playlist.media_sequence + playlist.segments.len() as u64
    }
}

/// What was acknowledged over a whole run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// In the order in which they were acknowledged.
    pub events: Vec<Event>,
    /// In the order in which they were seen; one channel's.
    pub sights: Vec<Sight>,
}

/// What a store holds after a crash, as far as it is compared.
#[derive(Clone, Debug)]
pub struct Found {
    /// Everything but the live channel's objects.
    pub state: State,
    /// The live channel's fragments.
    pub fragments: State,
    /// The live channel's playlist.
    pub playlist: Option<String>,
}

/// What a channel promises to a publisher that comes back.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// The number of the next fragment.
    pub next_sequence: u64,
    /// The newest fragment name ever given.
    pub last_name_ms: Option<i64>,
}

impl Ledger {
    /// The state once everything was acknowledged.
    pub fn last_state(&self) -> State {
        let mut state = State::new();
        self.events.iter().for_each(|event| event.apply(&mut state));
        state
    }

    /// Every way in which `found` cannot be after a crash behind `at` steps of the record.
    pub fn judge(&self, at: usize, found: &Found) -> Vec<String> {
        let mut wrong = self.judge_state(at, &found.state);
        wrong.extend(self.judge_fragments(at, &found.fragments));
        wrong.extend(self.judge_playlist(at, found));
        wrong
    }

    /// The state is what was acknowledged, with any of the calls that were under way: each of them whole or not at all.
    fn judge_state(&self, at: usize, found: &State) -> Vec<String> {
        let mut base = State::new();
        let settled = self.events.iter().filter(|event| event.acknowledged <= at);
        settled.for_each(|event| event.apply(&mut base));
        let under_way: Vec<&Event> = self.events.iter().filter(|event| event.is_under_way(at)).collect();
        assert!(under_way.len() < 12, "a run makes few calls at once");
        let may_be = (0..1_usize << under_way.len()).map(|chosen| {
            let mut state = base.clone();
            let chosen = under_way.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1);
            chosen.for_each(|(_, event)| event.apply(&mut state));
            differences(&state, found)
        });
        may_be.min_by_key(Vec::len).expect("there is at least the base")
    }

    /// A fragment that was seen is there as it was, until a user deletes it; one that was never seen is none.
    fn judge_fragments(&self, at: usize, found: &State) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut known = State::new();
        for sight in &self.sights {
            known.extend(sight.fragments.clone());
        }
        for (key, words) in found {
            if known.get(key) != Some(words) {
                wrong.push(format!("fragment {key} is {words}, it was never other than {:?}", known.get(key)));
            }
            if self.deletion(key).is_some_and(|event| event.acknowledged <= at) {
                wrong.push(format!("fragment {key} is back, it was deleted"));
            }
        }
        for key in self.sights.iter().filter(|sight| sight.at <= at).flat_map(|sight| sight.fragments.keys()) {
            let deleted = self.deletion(key).is_some_and(|event| event.begun <= at);
            if !deleted && !found.contains_key(key) {
                wrong.push(format!("fragment {key} is lost"));
            }
        }
        wrong
    }

    fn deletion(&self, key: &str) -> Option<&Event> {
        self.events.iter().find(|event| event.changes.iter().any(|(subject, to)| subject == key && to.is_none()))
    }

    /// The playlist names fragments that are there, and never fewer than was seen.
    fn judge_playlist(&self, at: usize, found: &Found) -> Vec<String> {
        let seen = self.sights.iter().rfind(|sight| sight.at <= at);
        let Some(text) = &found.playlist else {
            return seen.map(|_| "the playlist is lost".to_owned()).into_iter().collect();
        };
        let playlist = match Playlist::parse(text) {
            Ok(playlist) => playlist,
            Err(error) => return vec![format!("the playlist is none: {error}")],
        };
        let mut wrong = Vec::new();
        for segment in &playlist.segments {
            let key = found.fragments.keys().find(|key| key.ends_with(&format!("/{}", segment.uri)));
            let deleted = || {
                let of_it = |subject: &String| subject.ends_with(&format!("/{}", segment.uri));
                self.events.iter().any(|event| event.begun <= at && event.changes.iter().any(|change| of_it(&change.0)))
            };
            if key.is_none() && !deleted() {
                wrong.push(format!("the playlist names {}, which is not there", segment.uri));
            }
        }
        let end = playlist.media_sequence + playlist.segments.len() as u64;
        if let Some(seen) = seen.filter(|seen| seen.end() > end || seen.end() == end && seen.playlist != *text) {
            wrong.push(format!("the playlist went back from\n{}to\n{text}", seen.playlist));
        }
        wrong
    }

    /// A channel goes on behind everything that was seen of it.
    pub fn judge_promise(&self, at: usize, promise: Promise) -> Vec<String> {
        let seen = self.sights.iter().filter(|sight| sight.at <= at);
        let names: BTreeSet<i64> = seen
            .clone()
            .flat_map(|sight| sight.fragments.keys())
            .filter_map(|key| key.rsplit('/').next()?.strip_suffix(".ts")?.parse().ok())
            .collect();
        let end = seen.map(Sight::end).max().unwrap_or(0);
        let mut wrong = Vec::new();
        if promise.next_sequence < end {
            wrong.push(format!("the next fragment is number {}, {end} were seen", promise.next_sequence));
        }
        if promise.last_name_ms < names.last().copied() {
            wrong.push(format!("the newest name is {:?}, {:?} was seen", promise.last_name_ms, names.last()));
        }
        wrong
    }
}

impl Event {
    fn apply(&self, state: &mut State) {
        for (subject, to) in &self.changes {
            match to {
                Some(to) => state.insert(subject.clone(), to.clone()),
                None => state.remove(subject),
            };
        }
    }

    fn is_under_way(&self, at: usize) -> bool {
        self.begun <= at && at < self.acknowledged
    }
}

fn differences(expected: &State, found: &State) -> Vec<String> {
    let subjects: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let differ = subjects.into_iter().filter(|subject| expected.get(*subject) != found.get(*subject));
    differ
        .map(|subject| format!("{subject}: acknowledged {:?}, found {:?}", expected.get(subject), found.get(subject)))
        .collect()
}

mod tests {
    use super::*;

    fn event(begun: usize, acknowledged: usize, changes: &[(&str, Option<&str>)]) -> Event {
        let changes = changes.iter().map(|(subject, to)| ((*subject).to_owned(), to.map(str::to_owned))).collect();
        Event { begun, acknowledged, changes }
    }

    fn found(state: &[(&str, &str)]) -> Found {
        let state = state.iter().map(|(subject, to)| ((*subject).to_owned(), (*to).to_owned())).collect();
        Found { state, fragments: State::new(), playlist: None }
    }

    #[test]
    fn a_call_under_way_is_whole_or_nothing() {
        let events = vec![event(0, 10, &[("a", Some("1"))]), event(15, 20, &[("a", Some("2")), ("b", Some("2"))])];
        let ledger = Ledger { events, sights: Vec::new() };
        let sound = |at: usize, state: &[(&str, &str)]| ledger.judge(at, &found(state)).is_empty();
        assert!(sound(5, &[]) && sound(5, &[("a", "1")]), "not acknowledged yet");
        assert!(sound(10, &[("a", "1")]) && !sound(10, &[]), "acknowledged");
        assert!(!sound(14, &[("a", "2"), ("b", "2")]), "before it was asked for");
        assert!(sound(17, &[("a", "1")]) && sound(17, &[("a", "2"), ("b", "2")]));
        assert!(!sound(17, &[("a", "2")]) && !sound(17, &[("a", "1"), ("b", "2")]), "half of it");
        assert!(sound(20, &[("a", "2"), ("b", "2")]) && !sound(20, &[("a", "1")]));
        assert!(!sound(20, &[("a", "2"), ("b", "2"), ("c", "3")]), "nobody put it there");
    }

    #[test]
    fn what_a_player_saw_does_not_go_back() {
        let segment = |name: &str| livebucket::codec::m3u8::Segment {
            uri: name.to_owned(),
            duration: livebucket::media::MediaTime::from_secs(1),
            discontinuity: false,
        };
        let text = |media_sequence, names: &[&str]| {
            let segments = names.iter().map(|name| segment(name)).collect();
            Playlist { media_sequence, discontinuity_sequence: 0, target_duration: 1, segments, ended: false }.render()
        };
        let whole = |names: &[&str]| -> State {
            names.iter().map(|name| (format!("object films/ch/{name}"), "whole".to_owned())).collect()
        };
        let sight = |at, playlist: String, names: &[&str]| Sight { at, playlist, fragments: whole(names) };
        let sights = vec![sight(10, text(0, &["1.ts"]), &["1.ts"]), sight(20, text(1, &["2.ts"]), &["1.ts", "2.ts"])];
        let events = vec![event(30, 35, &[("object films/ch/1.ts", None)])];
        let ledger = Ledger { events, sights };
        let sound = |at: usize, playlist: Option<String>, names: &[&str]| {
            let found = Found { state: State::new(), fragments: whole(names), playlist };
            ledger.judge(at, &found).is_empty()
        };
        assert!(sound(5, None, &[]) && sound(5, Some(text(0, &["1.ts"])), &["1.ts"]));
        assert!(!sound(5, Some(text(0, &["1.ts"])), &[]), "names what is not there");
        assert!(!sound(10, None, &[]) && !sound(10, None, &["1.ts"]), "was seen");
        assert!(sound(15, Some(text(0, &["1.ts"])), &["1.ts"]));
        assert!(sound(15, Some(text(1, &["2.ts"])), &["1.ts", "2.ts"]), "on its way");
        assert!(!sound(20, Some(text(0, &["1.ts"])), &["1.ts", "2.ts"]), "went back");
        assert!(!sound(20, Some(text(1, &["2.ts"])), &["2.ts"]), "lost");
        assert!(sound(30, Some(text(1, &["2.ts"])), &["2.ts"]), "being deleted");
        assert!(!sound(35, Some(text(1, &["2.ts"])), &["1.ts", "2.ts"]), "deleted");
        assert!(!sound(5, None, &["3.ts"]), "never stored");
        let promise = |next_sequence, last_name_ms| Promise { next_sequence, last_name_ms };
        assert!(ledger.judge_promise(20, promise(2, Some(2))).is_empty());
        assert_eq!(ledger.judge_promise(20, promise(1, None)).len(), 2);
    }
}
