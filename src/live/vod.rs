//! Stored fragments of a time range to an on-demand playlist.
//!
//! Never looks anything up: the fragments are an argument. OSS PostVodPlaylist; RFC 8216 section 6.2.1.

use super::window::fragment_uri;
use crate::codec::m3u8::{self, Playlist, Segment};
use crate::store::records::FragmentRecord;

/// The playlist of `fragments`, which are in order of name; `None` when there are none. A discontinuity stands where a
/// fragment is marked and where one is missing before it, but not on the first.
pub fn vod_playlist(fragments: &[FragmentRecord]) -> Option<Playlist> {
    let (first, rest) = fragments.split_first()?;
    let mut segments = Vec::with_capacity(fragments.len());
    segments.push(segment(first, false));
    let mut last = first;
    for fragment in rest {
        let is_next = last.sequence.checked_add(1) == Some(fragment.sequence);
        segments.push(segment(fragment, fragment.discontinuity || !is_next));
        last = fragment;
    }
    let longest = segments.iter().map(|segment| m3u8::rounded_seconds(segment.duration)).max().unwrap_or(0);
    let target_duration = longest.max(1);
    Some(Playlist { media_sequence: 0, discontinuity_sequence: 0, target_duration, segments, ended: true })
}

fn segment(fragment: &FragmentRecord, discontinuity: bool) -> Segment {
    Segment { uri: fragment_uri(fragment.name_ms), duration: fragment.duration, discontinuity }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MediaTime;

    fn fragment(name_ms: i64, sequence: u64, millis: i64, discontinuity: bool) -> FragmentRecord {
        FragmentRecord { name_ms, sequence, duration: MediaTime::from_millis(millis), discontinuity }
    }

    #[test]
    fn no_fragments_no_playlist() {
        assert_eq!(vod_playlist(&[]), None);
    }

    #[test]
    fn documented_form() {
        let fragments = [fragment(1543895706266, 7, 7_120, true), fragment(1543895706323, 8, 5_840, false)];
        assert_eq!(
            vod_playlist(&fragments).expect("not empty").render(),
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:7\n\
             #EXTINF:7.120,\n1543895706266.ts\n#EXTINF:5.840,\n1543895706323.ts\n#EXT-X-ENDLIST\n"
        );
    }

    #[test]
    fn marks_and_gaps_are_discontinuities() {
        let fragments = [
            fragment(1, 0, 6_000, false),
            fragment(2, 1, 6_000, false),
            fragment(4, 3, 6_000, false), // 2 was deleted
            fragment(5, 4, 6_000, true),  // a new connection
        ];
        let playlist = vod_playlist(&fragments).expect("not empty");
        let marks: Vec<bool> = playlist.segments.iter().map(|segment| segment.discontinuity).collect();
        assert_eq!(marks, [false, false, true, true]);
    }

    #[test]
    fn target_duration_rounds_what_is_written() {
        for (ticks, expected) in [(0, 1), (44_999, 1), (13_320 * 90, 13), (13_499 * 90, 13), (13_500 * 90 - 20, 14)] {
            let fragment = FragmentRecord { duration: MediaTime(ticks), ..fragment(1, 0, 0, false) };
            assert_eq!(vod_playlist(&[fragment]).expect("one").target_duration, expected, "{ticks} ticks");
        }
    }
}
