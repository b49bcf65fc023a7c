//! A playlist and the structure of its fragments as text: what changes when the way in which media is stored changes.

use std::fmt::Write;

use livebucket::codec::m3u8::{Playlist, Segment};
use livebucket::codec::mpegts::demux::{PesUnit, demux, packets};
use livebucket::codec::playback::PlaybackReport;
use livebucket::codec::{aac, h264};
use livebucket::media::Track;

/// The playlist with its fragments numbered, the fragments, and what the checker says.
pub fn dump(playlist: &Playlist, bodies: &[Vec<u8>], report: &PlaybackReport) -> String {
    let number = |(index, segment): (usize, &Segment)| Segment { uri: format!("{index}.ts"), ..segment.clone() };
    let segments = playlist.segments.iter().enumerate().map(number).collect();
    let mut text = Playlist { segments, ..playlist.clone() }.render();
    for (index, body) in bodies.iter().enumerate() {
        fragment(&mut text, index, body);
    }
    text.push('\n');
    for fault in &report.faults {
        let place = fault.fragment.map_or("playlist".to_owned(), |index| format!("fragment {index}"));
        writeln!(text, "{place}: {}", fault.kind).expect("a String takes everything");
    }
    let last = report.to_string().lines().last().unwrap_or_default().to_owned();
    text + &last + "\n"
}

fn fragment(text: &mut String, index: usize, body: &[u8]) {
    let (program, units) = demux(body, 1 << 24).expect("our own");
    let program = program.expect("a PMT");
    let tracks: Vec<_> = program.streams.iter().map(|stream| format!("{:#x}", stream.stream_type)).collect();
    let pcrs: Vec<u64> = packets(body).filter_map(|(_, packet)| packet.expect("our own").adaptation.pcr).collect();
    let gap = pcrs.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    writeln!(
        text,
        "\nfragment {index}: {} bytes, PMT {}: {}, {} PCR from {} at most {} ms apart",
        body.len(),
        program.version,
        tracks.join(" "),
        pcrs.len(),
        millis(pcrs[0] as i64 / 300),
        millis(gap as i64 / 300),
    )
    .expect("a String takes everything");
    for track in [Track::Video, Track::Audio] {
        let of_track: Vec<&PesUnit> = units.iter().filter(|unit| unit.track == Some(track)).collect();
        runs(text, if track == Track::Video { "video" } else { "audio" }, &of_track);
    }
}

/// Like units at like distances make one line.
fn runs(text: &mut String, name: &str, units: &[&PesUnit]) {
    let mut rest = units;
    while let Some(&first) = rest.first() {
        let step = rest.get(1).map_or(0, |second| dts(second) - dts(first));
        let goes_on = |pair: &&[&PesUnit]| dts(pair[1]) - dts(pair[0]) == step && shape(pair[1]) == shape(first);
        let count = 1 + rest.windows(2).take_while(goes_on).count();
        let times = if count > 1 { format!(" {count} times every {} ms", millis(step)) } else { String::new() };
        writeln!(text, "  {name} {}{times}{}", millis(dts(first)), shape(first)).expect("a String takes everything");
        rest = &rest[count..];
    }
}

fn dts(unit: &PesUnit) -> i64 {
    unit.dts.expect("a time") as i64
}

/// Everything of a unit but its time.
fn shape(unit: &PesUnit) -> String {
    let offset = unit.pts.expect("a time") as i64 - dts(unit);
    let mut shape = format!(" +{}", millis(offset));
    if unit.random_access {
        shape += " random access";
    }
    if unit.track == Some(Track::Video) {
        for nal in h264::annex_b_nal_units(&unit.data) {
            write!(shape, " {}", h264::nal_type(nal)).expect("a String takes everything");
        }
    } else if let Some(adts) = aac::parse_adts_header(&unit.data) {
        write!(shape, " {}/{}/{}", adts.object_type, adts.frequency_index, adts.channel_configuration)
            .expect("a String takes everything");
    }
    format!("{shape}, {} bytes", unit.data.len())
}

/// Milliseconds of ticks, with as many decimals as there are.
fn millis(ticks: i64) -> String {
    let (whole, left) = (ticks / 90, ticks % 90);
    if left == 0 { whole.to_string() } else { format!("{whole}.{:02}", left * 100 / 90) }
}
