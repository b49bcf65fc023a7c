//! HLS media playlists: value to text, text to value, and rewriting the URIs of a text that somebody else wrote.
//!
//! Never decides what a playlist says (`live::window`, `live::vod`). RFC 8216 sections 4.1 and 4.3.1 to 4.3.3; the
//! order of tags and the form of numbers are those that OSS documents for its playlists.

use std::fmt::Write;

use crate::media::MediaTime;
use crate::media::time::rescale;

/// Longest playlist that is parsed: a day of one-second fragments needs 2.6 MB.
pub const PLAYLIST_BYTES_MAX: usize = 8 << 20;

/// A media playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Playlist {
    /// `EXT-X-MEDIA-SEQUENCE`.
    pub media_sequence: u64,
    /// `EXT-X-DISCONTINUITY-SEQUENCE`; written only when it is not 0.
    pub discontinuity_sequence: u64,
    /// `EXT-X-TARGETDURATION` in seconds.
    pub target_duration: u32,
    /// Segments in order.
    pub segments: Vec<Segment>,
    /// `EXT-X-ENDLIST`: no segment will be added.
    pub ended: bool,
}

/// One segment of a playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// URI, relative to the playlist or absolute. Never empty, has no line break.
    pub uri: String,
    /// `EXTINF`, written in milliseconds.
    pub duration: MediaTime,
    /// `EXT-X-DISCONTINUITY` stands before it.
    pub discontinuity: bool,
}

/// Why a text is no media playlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum M3u8Error {
    /// The first line is not `#EXTM3U`.
    #[error("the first line is not #EXTM3U")]
    NoHeader,
    /// It is a master playlist.
    #[error("it is a master playlist")]
    Master,
    /// It is longer than [`PLAYLIST_BYTES_MAX`].
    #[error("it is too long")]
    TooLong,
    /// A line breaks the format. Lines count from 1.
    #[error("line {line}: {what}")]
    Malformed {
        /// Which line.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// A duration in whole seconds, rounded to the nearest as `EXT-X-TARGETDURATION` wants it. It rounds what `EXTINF` says,
/// so that 13.4996 s, written as 13.500, counts as 14.
pub fn rounded_seconds(duration: MediaTime) -> u32 {
    u32::try_from(rescale(duration.to_millis(), 1, 1_000).max(0)).unwrap_or(u32::MAX)
}

impl Playlist {
    /// The text, with LF line ends.
    pub fn render(&self) -> String {
        let uris: usize = self.segments.iter().map(|segment| segment.uri.len()).sum();
        let mut text = String::with_capacity(128 + uris + 40 * self.segments.len());
        self.write(&mut text).expect("a String takes everything");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        text.push_str("#EXTM3U\n#EXT-X-VERSION:3\n");
        writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        if self.discontinuity_sequence > 0 {
            writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)?;
        }
        writeln!(text, "#EXT-X-TARGETDURATION:{}", self.target_duration)?;
        for Segment { uri, duration, discontinuity } in &self.segments {
            if *discontinuity {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            let millis = duration.to_millis().max(0);
            writeln!(text, "#EXTINF:{}.{:03},\n{uri}", millis / 1_000, millis % 1_000)?;
        }
        if self.ended {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        Ok(())
    }

    /// Reads a media playlist. Comments, unknown tags, empty lines, CR LF and a byte order mark are passed over.
    pub fn parse(text: &str) -> Result<Playlist, M3u8Error> {
        if text.len() > PLAYLIST_BYTES_MAX {
            return Err(M3u8Error::TooLong);
        }
        check_header(text)?;
        let mut playlist = Playlist::default();
        let (mut duration, mut discontinuity) = (None, false);
        for (line, content) in numbered_lines(text) {
            let malformed = |what| M3u8Error::Malformed { line, what };
            let Some(tag) = content.strip_prefix('#') else {
                let duration = duration.take().ok_or(malformed("segment without EXTINF"))?;
                let segment = Segment { uri: content.to_owned(), duration, discontinuity };
                playlist.segments.push(segment);
                discontinuity = false;
                continue;
            };
            let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
            let value = value.trim();
            match name {
                "EXT-X-MEDIA-SEQUENCE" => {
                    playlist.media_sequence = value.parse().map_err(|_| malformed("media sequence"))?;
                }
                "EXT-X-DISCONTINUITY-SEQUENCE" => {
                    playlist.discontinuity_sequence = value.parse().map_err(|_| malformed("discontinuity sequence"))?;
                }
                "EXT-X-TARGETDURATION" => {
                    playlist.target_duration = value.parse().map_err(|_| malformed("target duration"))?;
                }
                "EXTINF" => duration = Some(parse_seconds(value).ok_or(malformed("EXTINF"))?),
                "EXT-X-DISCONTINUITY" => discontinuity = true,
                "EXT-X-ENDLIST" => playlist.ended = true,
                name if is_master_tag(name) => return Err(M3u8Error::Master),
                _ => {}
            }
        }
        Ok(playlist)
    }
}

/// The first line is `#EXTM3U`.
fn check_header(text: &str) -> Result<(), M3u8Error> {
    let first = text.strip_prefix('\u{feff}').unwrap_or(text).lines().next();
    if first.is_some_and(|line| line.trim() == "#EXTM3U") { Ok(()) } else { Err(M3u8Error::NoHeader) }
}

/// Lines after the first that are not empty, trimmed, with their numbers.
fn numbered_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(str::trim).enumerate().skip(1);
    lines.filter(|(_, line)| !line.is_empty()).map(|(index, line)| (index + 1, line))
}

fn is_master_tag(name: &str) -> bool {
    matches!(name, "EXT-X-STREAM-INF" | "EXT-X-I-FRAME-STREAM-INF" | "EXT-X-MEDIA" | "EXT-X-SESSION-DATA")
}

/// `7`, `7.12` or either with `,title` behind it, to the nearest tick.
fn parse_seconds(value: &str) -> Option<MediaTime> {
    const FRACTION_DIGITS: usize = 9;
    let number = value.split_once(',').map_or(value, |(number, _title)| number).trim();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let seconds = i64::from(whole.parse::<u32>().ok()?);
    let mut nanos = 0;
    for index in 0..FRACTION_DIGITS {
        nanos = nanos * 10 + i64::from(fraction.as_bytes().get(index).map_or(0, |digit| digit - b'0'));
    }
    Some(MediaTime::from_secs(seconds) + MediaTime(rescale(nanos, MediaTime::HZ, 1_000_000_000)))
}

/// A playlist whose URIs have been replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The text.
    pub text: String,
    /// How many URIs it has.
    pub uris: usize,
}

/// Replaces every URI line of a media playlist; everything else stays byte for byte, line ends included. URIs inside of
/// tags are not touched. A master playlist is refused.
pub fn rewrite_uris(text: &str, mut rewrite: impl FnMut(&str) -> String) -> Result<Rewritten, M3u8Error> {
    check_header(text)?;
    let mut out = String::with_capacity(text.len() * 2);
    let mut uris = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let content = line.trim();
        // The first line is the header, whatever blanks and byte order mark stand before it.
        let tag = if index == 0 { Some("EXTM3U") } else { content.strip_prefix('#') };
        if tag.is_some_and(|tag| is_master_tag(tag.split_once(':').map_or(tag, |(name, _)| name))) {
            return Err(M3u8Error::Master);
        }
        if content.is_empty() || tag.is_some() {
            out.push_str(line);
            continue;
        }
        let (before, after) = line.split_once(content).expect("trimming keeps the middle");
        out.push_str(before);
        out.push_str(&rewrite(content));
        out.push_str(after);
        uris += 1;
    }
    Ok(Rewritten { text: out, uris })
}

#[cfg(test)]
mod tests;
