//! Playlists: a text that is one, rendered and parsed again, is the same playlist; rewriting nothing changes nothing.

use livebucket::codec::m3u8::{Playlist, rewrite_uris};

/// Takes one input.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let rewritten = rewrite_uris(text, str::to_owned);
    if let Ok(rewritten) = &rewritten {
        assert_eq!(rewritten.text, text);
    }
    let Ok(playlist) = Playlist::parse(text) else { return };
    assert_eq!(rewritten.map(|rewritten| rewritten.uris), Ok(playlist.segments.len()));
    let rendered = playlist.render();
    let again = Playlist::parse(&rendered).expect("our own");
    assert_eq!(again.render(), rendered);
    let uris =
        |playlist: &Playlist| playlist.segments.iter().map(|s| (s.uri.clone(), s.discontinuity)).collect::<Vec<_>>();
    assert_eq!(uris(&again), uris(&playlist));
}
