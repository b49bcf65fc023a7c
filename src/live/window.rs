//! The sliding window of a live playlist.
//!
//! Decides what the playlist says, never when a fragment ends and never how the text looks (`codec::m3u8`).
//! RFC 8216 sections 4.3.3.1 to 4.3.3.3 and 6.2.2.
//!
//! * Media sequence grows by one for each entry that leaves; discontinuity sequence for each that leaves with the flag.
//! * The first entry that a window ever had carries no discontinuity: there is nothing that it does not continue, and
//!   players stumble over a tag there.
//! * A new connection goes on with the old tail, and its first entry carries a discontinuity.
//! * Target duration is never below a rounded entry. It does not shrink during a connection; a new one may shrink it.

use std::collections::VecDeque;

use crate::codec::m3u8::{self, Playlist, Segment};
use crate::store::records::{WindowEntry, WindowRecord};

/// The window of one playlist, as long as a connection lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    media_sequence: u64,
    discontinuity_sequence: u64,
    target_duration: u32,
    entries: VecDeque<WindowEntry>,
    /// Entries at most; at least 1.
    frag_count: usize,
    /// The next entry is the connection's first.
    starts_connection: bool,
}

impl Window {
    /// Begins a connection on what the last one left (the default record when there was none). Nothing leaves and
    /// nothing shrinks before the first [`Window::push`].
    pub fn resume(record: WindowRecord, frag_count: u32) -> Self {
        Window {
            media_sequence: record.media_sequence,
            discontinuity_sequence: record.discontinuity_sequence,
            target_duration: record.target_duration,
            entries: record.entries.into(),
            frag_count: usize::try_from(frag_count).unwrap_or(usize::MAX).max(1),
            starts_connection: true,
        }
    }

    /// Adds a fragment and lets the oldest leave. Returns the entry as it stands in the playlist: the window adds the
    /// discontinuity of a new connection, and takes any from the first fragment of all.
    pub fn push(&mut self, mut entry: WindowEntry) -> WindowEntry {
        let is_first_ever = self.entries.is_empty() && self.media_sequence == 0;
        let starts_connection = std::mem::take(&mut self.starts_connection);
        entry.discontinuity = (entry.discontinuity || starts_connection) && !is_first_ever;
        self.entries.push_back(entry);
        // More than one leaves when the channel was given a smaller FragCount between connections.
        while self.entries.len() > self.frag_count {
            let left = self.entries.pop_front().expect("longer than frag_count");
            self.media_sequence += 1;
            self.discontinuity_sequence += u64::from(left.discontinuity);
        }
        self.target_duration = if starts_connection {
            self.longest_entry()
        } else {
            self.target_duration.max(m3u8::rounded_seconds(entry.duration))
        };
        entry
    }

    /// Largest rounded duration of the entries; at least 1, since players poll in this interval.
    fn longest_entry(&self) -> u32 {
        self.entries.iter().map(|entry| m3u8::rounded_seconds(entry.duration)).max().unwrap_or(0).max(1)
    }

    /// What must be stored to go on after a restart.
    pub fn record(&self) -> WindowRecord {
        WindowRecord {
            media_sequence: self.media_sequence,
            discontinuity_sequence: self.discontinuity_sequence,
            target_duration: self.target_duration,
            entries: self.entries.iter().copied().collect(),
        }
    }

    /// What the playlist object says. Never ended: the channel may return.
    pub fn playlist(&self) -> Playlist {
        Playlist {
            media_sequence: self.media_sequence,
            discontinuity_sequence: self.discontinuity_sequence,
            target_duration: self.target_duration,
            segments: self.entries.iter().map(segment).collect(),
            ended: false,
        }
    }
}

fn segment(entry: &WindowEntry) -> Segment {
    let WindowEntry { name_ms, duration, discontinuity } = *entry;
    Segment { uri: fragment_uri(name_ms), duration, discontinuity }
}

/// A fragment's URI, relative to its channel's playlists.
pub(super) fn fragment_uri(name_ms: i64) -> String {
    format!("{name_ms}.ts")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::MediaTime;

    fn entry(name_ms: i64, millis: i64, discontinuity: bool) -> WindowEntry {
        WindowEntry { name_ms, duration: MediaTime::from_millis(millis), discontinuity }
    }

    /// Pushes durations in milliseconds, named 1, 2, ...
    fn pushed(mut window: Window, from_name: i64, millis: &[i64]) -> Window {
        for (index, &duration) in millis.iter().enumerate() {
            window.push(entry(from_name + index as i64, duration, false));
        }
        window
    }

    #[test]
    fn one_entry_leaves_for_one_that_comes() {
        let window = pushed(Window::resume(WindowRecord::default(), 3), 1, &[6_000; 5]);
        assert_eq!(
            window.playlist().render(),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:2\n#EXT-X-TARGETDURATION:6\n\
             #EXTINF:6.000,\n3.ts\n#EXTINF:6.000,\n4.ts\n#EXTINF:6.000,\n5.ts\n"
        );
    }

    #[test]
    fn first_fragment_of_all_has_no_discontinuity_even_when_marked() {
        let mut window = Window::resume(WindowRecord::default(), 3);
        assert!(!window.push(entry(1, 6_000, true)).discontinuity);
        assert!(window.push(entry(2, 6_000, true)).discontinuity, "a marked fragment later keeps its mark");
    }

    #[test]
    fn new_connection_keeps_the_tail_and_marks_its_first_fragment() {
        let before = pushed(Window::resume(WindowRecord::default(), 3), 1, &[6_000; 3]);
        let mut window = Window::resume(before.record(), 3);
        assert_eq!(window.playlist(), before.playlist(), "nothing changes before the first fragment");
        assert!(window.push(entry(4, 6_000, false)).discontinuity);
        assert!(!window.push(entry(5, 6_000, false)).discontinuity);
        assert_eq!(
            window.playlist().render(),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:2\n#EXT-X-TARGETDURATION:6\n\
             #EXTINF:6.000,\n3.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:6.000,\n4.ts\n#EXTINF:6.000,\n5.ts\n"
        );
    }

    #[test]
    fn a_discontinuity_that_leaves_is_counted() {
        let first = pushed(Window::resume(WindowRecord::default(), 2), 1, &[6_000; 2]);
        let second = pushed(Window::resume(first.record(), 2), 3, &[6_000; 2]);
        assert_eq!(second.record().discontinuity_sequence, 0, "the mark still stands in the list");
        let third = pushed(second, 5, &[6_000]);
        assert_eq!(third.record().discontinuity_sequence, 1);
        assert!(third.playlist().render().contains("#EXT-X-DISCONTINUITY-SEQUENCE:1\n"));
    }

    #[test]
    fn target_duration_shrinks_only_with_a_new_connection() {
        let long = pushed(Window::resume(WindowRecord::default(), 2), 1, &[13_500, 6_000, 6_000, 6_000]);
        assert_eq!(long.record().target_duration, 14, "the long fragment has left");
        let mut next = Window::resume(long.record(), 2);
        assert_eq!(next.record().target_duration, 14);
        next.push(entry(5, 4_000, false));
        assert_eq!(next.record().target_duration, 6, "an old entry of 6 s is still there");
        next.push(entry(6, 4_000, false));
        assert_eq!(next.record().target_duration, 6, "not during the connection");
    }

    #[test]
    fn a_smaller_frag_count_lets_several_leave() {
        let before = pushed(Window::resume(WindowRecord::default(), 5), 1, &[6_000; 5]);
        let after = pushed(Window::resume(before.record(), 2), 6, &[6_000]);
        let record = after.record();
        assert_eq!(record.entries.iter().map(|entry| entry.name_ms).collect::<Vec<_>>(), [5, 6]);
        assert_eq!(record.media_sequence, 4);
    }

    #[test]
    fn target_duration_is_never_zero() {
        let window = pushed(Window::resume(WindowRecord::default(), 2), 1, &[300]);
        assert_eq!(window.playlist().target_duration, 1);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push { millis: i64, discontinuity: bool },
        Reconnect { frag_count: u32 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0i64..70_000, any::<bool>()).prop_map(|(millis, discontinuity)| Step::Push { millis, discontinuity }),
            1 => (1u32..8).prop_map(|frag_count| Step::Reconnect { frag_count }),
        ]
    }

    proptest! {
        /// Every fragment has one media sequence number and one discontinuity number for as long as it is listed, as a
        /// player counts them; and the target duration covers every entry.
        #[test]
        fn numbers_of_a_fragment_never_change(steps in prop::collection::vec(step(), 0..60)) {
            let mut window = Window::resume(WindowRecord::default(), 3);
            let (mut name, mut target, mut frag_count) = (0i64, 0u32, 3u32);
            let mut discontinuities_of: Vec<u64> = Vec::new();
            for step in steps {
                match step {
                    Step::Reconnect { frag_count: new_count } => {
                        frag_count = new_count;
                        window = Window::resume(window.record(), frag_count);
                        target = 0;
                        continue;
                    }
                    Step::Push { millis, discontinuity } => {
                        let stored = window.push(entry(name, millis, discontinuity));
                        let before = discontinuities_of.last().copied().unwrap_or(0);
                        prop_assert!(name > 0 || !stored.discontinuity);
                        discontinuities_of.push(before + u64::from(stored.discontinuity));
                        name += 1;
                    }
                }
                let playlist = window.playlist();
                prop_assert!(playlist.segments.len() <= frag_count as usize);
                prop_assert_eq!(playlist.media_sequence + playlist.segments.len() as u64, name as u64);
                let mut discontinuity_number = playlist.discontinuity_sequence;
                for (index, segment) in playlist.segments.iter().enumerate() {
                    let sequence = playlist.media_sequence + index as u64;
                    prop_assert_eq!(&segment.uri, &format!("{sequence}.ts"));
                    discontinuity_number += u64::from(segment.discontinuity);
                    prop_assert_eq!(discontinuity_number, discontinuities_of[sequence as usize]);
                    prop_assert!(playlist.target_duration >= m3u8::rounded_seconds(segment.duration));
                }
                prop_assert!(playlist.target_duration >= target.max(1));
                target = playlist.target_duration;
                prop_assert_eq!(Playlist::parse(&playlist.render()).expect("own text"), playlist);
            }
        }
    }
}
