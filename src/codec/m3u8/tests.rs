use proptest::prelude::*;

use super::*;

/// Text that is in our own normal form: parsed and rendered it must come out the same.
fn check(text: &str, expected: Playlist) {
    assert_eq!(Playlist::parse(text), Ok(expected.clone()));
    assert_eq!(expected.render(), text);
}

fn segment(uri: &str, millis: i64, discontinuity: bool) -> Segment {
    Segment { uri: uri.to_owned(), duration: MediaTime::from_millis(millis), discontinuity }
}

#[test]
fn documented_vod_playlist() {
    check(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-TARGETDURATION:13\n#EXTINF:7.120,\n\
         1543895706266.ts\n#EXTINF:13.320,\n1543895706468.ts\n#EXT-X-ENDLIST\n",
        Playlist {
            target_duration: 13,
            segments: vec![segment("1543895706266.ts", 7_120, false), segment("1543895706468.ts", 13_320, false)],
            ended: true,
            ..Playlist::default()
        },
    );
}

#[test]
fn live_playlist_with_a_joint() {
    check(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:41\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n\
         #EXT-X-TARGETDURATION:6\n#EXTINF:6.000,\n1.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:0.045,\n2.ts\n",
        Playlist {
            media_sequence: 41,
            discontinuity_sequence: 2,
            target_duration: 6,
            segments: vec![segment("1.ts", 6_000, false), segment("2.ts", 45, true)],
            ended: false,
        },
    );
}

#[test]
fn foreign_habits_are_tolerated() {
    let text = "\u{feff}#EXTM3U\r\n# a comment\r\n#EXT-X-TARGETDURATION: 10\r\n\r\n#EXT-X-KEY:METHOD=NONE\r\n\
                #EXTINF:9.5 , a title: with, commas\r\n#EXT-X-BYTERANGE:5@0\r\nhttp://host/a b.ts?x=1#y\r\n\
                #EXTINF:10\r\nlast.ts";
    let playlist = Playlist::parse(text).expect("parses");
    assert_eq!(playlist.target_duration, 10);
    assert_eq!(
        playlist.segments,
        [segment("http://host/a b.ts?x=1#y", 9_500, false), segment("last.ts", 10_000, false)]
    );
}

#[test]
fn refusals() {
    let malformed = |line, what| M3u8Error::Malformed { line, what };
    for (text, expected) in [
        ("", M3u8Error::NoHeader),
        ("#EXTM3U8\n", M3u8Error::NoHeader),
        ("1.ts\n#EXTM3U\n", M3u8Error::NoHeader),
        ("#EXTM3U\n1.ts\n", malformed(2, "segment without EXTINF")),
        ("#EXTM3U\n#EXTINF:-1,\n1.ts\n", malformed(2, "EXTINF")),
        ("#EXTM3U\n#EXTINF:,\n1.ts\n", malformed(2, "EXTINF")),
        ("#EXTM3U\n#EXTINF:99999999999,\n1.ts\n", malformed(2, "EXTINF")),
        ("#EXTM3U\n\n#EXT-X-MEDIA-SEQUENCE:x\n", malformed(3, "media sequence")),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n", M3u8Error::Master),
    ] {
        assert_eq!(Playlist::parse(text), Err(expected), "{text:?}");
    }
    assert_eq!(Playlist::parse(&"#".repeat(PLAYLIST_BYTES_MAX + 1)), Err(M3u8Error::TooLong));
}

#[test]
fn rounding_follows_the_written_duration() {
    for (ticks, expected) in [(0, 0), (44_954, 0), (44_955, 1), (45_000, 1), (6_499 * 90 + 44, 6), (6_499 * 90 + 45, 7)]
    {
        assert_eq!(rounded_seconds(MediaTime(ticks)), expected, "{ticks} ticks");
    }
    assert_eq!(rounded_seconds(MediaTime(i64::MAX)), u32::MAX);
    assert_eq!(rounded_seconds(MediaTime(-90_000)), 0);
}

#[test]
fn rewriting_touches_uri_lines_only() {
    let text = "#EXTM3U\r\n#EXT-X-KEY:METHOD=AES-128,URI=\"k.bin\"\n\n  a.ts \r\n#EXTINF:1,\n#EXTM3U\nb.ts";
    let rewritten = rewrite_uris(text, |uri| format!("{uri}?sig={}", uri.len())).expect("media playlist");
    assert_eq!(
        rewritten.text,
        "#EXTM3U\r\n#EXT-X-KEY:METHOD=AES-128,URI=\"k.bin\"\n\n  a.ts?sig=4 \r\n#EXTINF:1,\n#EXTM3U\nb.ts?sig=4"
    );
    assert_eq!(rewritten.uris, 2);
    let no_uri = rewrite_uris("\u{feff}#EXTM3U\n#EXT-X-ENDLIST\n", |_| unreachable!("no URI")).expect("media playlist");
    assert_eq!(no_uri.uris, 0);
}

#[test]
fn rewriting_and_parsing_take_the_same_lines_for_uris() {
    // The first line is a header behind any blanks; a byte order mark further down is the beginning of a URI.
    for text in ["\u{feff} \u{b}#EXTM3U\n#EXTINF:6,\n1.ts\n", "#EXTM3U\n#EXTINF:6,\n\u{feff}#1.ts\n"] {
        let parsed = Playlist::parse(text).expect("a playlist").segments.len();
        assert_eq!(rewrite_uris(text, str::to_owned).map(|rewritten| rewritten.uris), Ok(parsed), "{text:?}");
    }
}

#[test]
fn rewriting_refuses_master_playlists_and_other_texts() {
    let never = |_: &str| String::new();
    assert_eq!(rewrite_uris("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n", never), Err(M3u8Error::Master));
    assert_eq!(rewrite_uris("<html>", never), Err(M3u8Error::NoHeader));
}

fn playlist() -> impl Strategy<Value = Playlist> {
    let segment = ("[a-z0-9/_.?=-]{1,20}", 0i64..100_000, any::<bool>())
        .prop_map(|(uri, millis, discontinuity)| segment(&uri, millis, discontinuity));
    (any::<u64>(), any::<u64>(), any::<u32>(), prop::collection::vec(segment, 0..20), any::<bool>()).prop_map(
        |(media_sequence, discontinuity_sequence, target_duration, segments, ended)| Playlist {
            media_sequence,
            discontinuity_sequence,
            target_duration,
            segments,
            ended,
        },
    )
}

proptest! {
    #[test]
    fn render_then_parse_is_the_same(playlist in playlist()) {
        prop_assert_eq!(Playlist::parse(&playlist.render()), Ok(playlist));
    }

    /// An independent reader understands our text the same way.
    #[test]
    fn another_parser_agrees(playlist in playlist()) {
        let text = playlist.render();
        let (_, theirs) = m3u8_rs::parse_media_playlist(text.as_bytes()).expect("readable");
        prop_assert_eq!(theirs.version, Some(3));
        prop_assert_eq!(theirs.media_sequence, playlist.media_sequence);
        prop_assert_eq!(theirs.discontinuity_sequence, playlist.discontinuity_sequence);
        prop_assert_eq!(theirs.target_duration, u64::from(playlist.target_duration));
        prop_assert_eq!(theirs.end_list, playlist.ended);
        prop_assert_eq!(theirs.segments.len(), playlist.segments.len());
        for (theirs, ours) in theirs.segments.iter().zip(&playlist.segments) {
            prop_assert_eq!(&theirs.uri, &ours.uri);
            prop_assert_eq!(theirs.discontinuity, ours.discontinuity);
            prop_assert!((f64::from(theirs.duration) - ours.duration.as_secs_f64()).abs() < 0.01);
        }
    }

    #[test]
    fn any_text_is_answered(text in "\\PC*") {
        let _ = Playlist::parse(&text);
        let text = format!("#EXTM3U\n{text}");
        let _ = Playlist::parse(&text);
        if let Ok(rewritten) = rewrite_uris(&text, str::to_owned) {
            prop_assert_eq!(rewritten.text, text);
        }
    }
}
