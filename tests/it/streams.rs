//! Odd streams, each told to the whole service over RTMP: what a player sees of it stands in `tests/golden/streams/` and is
//! compared byte for byte. `docs/streams.md` says the same in words, and every row of it names a test that is there.
//!
//! `LIVEBUCKET_GOLDEN=write cargo test --test it streams` writes the files anew; what has changed is in the diff.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use livebucket::codec::rtmp::amf::AmfValue;
use livebucket::codec::rtmp::message::MediaKind::{Audio, Video};

use crate::readme;
use crate::support::dump::dump;
use crate::support::rtmp::{Tag, capture};
use crate::support::streams::*;
use crate::support::viewer::{look, publish_with, start};

/// What a sender sends.
#[derive(Default)]
struct Sent {
    metadata: Vec<AmfValue>,
    tags: Vec<Tag>,
}

impl From<Vec<Tag>> for Sent {
    fn from(tags: Vec<Tag>) -> Self {
        Sent { metadata: Vec::new(), tags }
    }
}

/// What the checker finds and no server can mend; every other story is sound.
const UNSOUND: &[(&str, &str)] = &[];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/streams").join(format!("{name}.txt"))
}

async fn told(name: &str, sent: Sent) {
    let (server, client) = start(100).await;
    publish_with(&server, &sent.metadata, &sent.tags).await;
    let seen = look(&client).await;
    let text =
        seen.as_ref().map_or("no playlist\n".to_owned(), |seen| dump(&seen.playlist, &seen.bodies, &seen.report));
    if std::env::var("LIVEBUCKET_GOLDEN").as_deref() == Ok("write") {
        fs::write(golden(name), &text).expect("a writable tree");
    }
    let expected = fs::read_to_string(golden(name)).unwrap_or_default();
    assert!(text == expected, "{name} is not what it was:\n{text}");
    let is_clean = seen.is_none_or(|seen| seen.report.is_clean());
    assert_eq!(is_clean, !UNSOUND.iter().any(|(unsound, _)| *unsound == name), "{text}");
    server.stop_and_check().await;
}

/// Each becomes a test that compares what is stored with the golden file of its name.
macro_rules! stories {
    ($(fn $name:ident() $make:block)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                told(stringify!($name), Sent::from($make)).await;
            }
        )*
        const STORIES: &[&str] = &[$(stringify!($name)),*];
    };
}

/// Pictures of `stream` whose slices are laid out anew, and sound beside them.
fn laid_out(nal_length_size: u8, make: impl Fn(u32, bool, Vec<u8>) -> Tag) -> Vec<Tag> {
    let headers = vec![video_header(0, SMALL, nal_length_size), audio_header(0)];
    interleaved([headers, pictures(0, 4_000, 1_000, make), sounds(0, 4_000)])
}

/// Four seconds of a picture, and sound under this configuration.
fn with_sound(config: &[u8]) -> Vec<Tag> {
    let pictures = only(Video, media(0, 4_000));
    interleaved([vec![header(0, false), audio_config(0, config)], pictures, sounds(0, 4_000)])
}

fn adts(frame: &[u8]) -> Vec<u8> {
    adts_at(4, frame)
}

/// Behind an ADTS header of LC in stereo, at the sampling frequency of this index.
fn adts_at(frequency_index: u8, frame: &[u8]) -> Vec<u8> {
    let length = frame.len() + 7;
    let facts = 0x40 | frequency_index << 2;
    let head = [0xff, 0xf1, facts, 0x80 | (length >> 11) as u8, (length >> 3) as u8, (length as u8) << 5 | 0x1f, 0xfc];
    [&head[..], frame].concat()
}

/// Four channels that no channel configuration says: its elements are listed in the configuration alone.
const QUADRAPHONY: &[u8] =
    &[0x11, 0x80, 0x04, 0xc4, 0x04, 0x00, 0x21, 0x10, 0x04, 0x4c, 0x61, 0x76, 0x63, 0x56, 0xe5, 0x00];

fn metadata(members: &[(&str, AmfValue)]) -> AmfValue {
    AmfValue::EcmaArray(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

stories! {
    // ---- timestamps ------------------------------------------------------------------------------------------

    fn a_start_far_from_zero() { stream(3_000_000_000, 4_000) }

    fn the_edge_of_24_bits() { stream(0xff_ffff - 2_500, 5_000) }

    fn the_wrap_of_32_bits() { stream(u32::MAX - 2_500, 5_000) }

    fn a_jump_of_seconds_ahead() { [stream(0, 3_000), media(8_000, 3_000)].concat() }

    fn a_jump_of_hours_ahead() { [stream(0, 3_000), media(7_203_000, 3_000)].concat() }

    fn a_step_back_of_half_a_second() { [stream(0, 3_000), media(2_500, 3_000)].concat() }

    fn a_jump_of_seconds_back() { [stream(10_000, 3_000), media(8_000, 3_000)].concat() }

    fn a_jump_of_hours_back() { [stream(7_200_000, 3_000), media(0, 3_000)].concat() }

    fn clocks_that_drift_apart() {
        // Sound runs one part in fifty fast: 0.2 s after ten seconds.
        interleaved([retimed(stream(0, 10_000), Some(Audio), |at| at + at / 50)])
    }

    fn clocks_that_start_apart() { retimed(stream(0, 4_000), Some(Audio), |at| at + 1_700_000_000) }

    fn sound_a_second_ahead_of_the_picture_in_order_of_arrival() {
        // The sender hands over what it has of sound first, a second at a time.
        let blocks = (0..4).map(|second| (only(Audio, media(second * 1_000, 1_000)), only(Video, media(second * 1_000, 1_000))));
        let blocks = blocks.flat_map(|(sound, picture)| [sound, picture].concat());
        [vec![header(0, false), audio_header(0)], blocks.collect()].concat()
    }

    fn sound_two_seconds_behind_the_picture_in_order_of_arrival() {
        let mut tags = interleaved([retimed(stream(0, 8_000), Some(Audio), |at| at + 2_000)]);
        tags = retimed(tags, Some(Audio), |at| at.saturating_sub(2_000));
        tags
    }

    fn equal_and_repeated_times() { retimed(stream(0, 4_000), None, |at| at / 120 * 120) }

    fn composition_offsets_below_zero() {
        let offsets = [0, 80, 0, -40, 40];
        let pictures = (0..100u32).map(|n| picture(n * 40, n.is_multiple_of(25), offsets[n as usize % 5], 300));
        [vec![header(0, false)], pictures.collect()].concat()
    }

    fn composition_offsets_longer_than_a_gop() {
        let pictures = (0..100u32).map(|n| picture(n * 40, n.is_multiple_of(25), 1_500, 300)).collect();
        interleaved([vec![header(0, false), audio_header(0)], pictures, sounds(0, 4_000)])
    }

    fn composition_offsets_of_hours() {
        let pictures = (0..100u32).map(|n| picture(n * 40, n.is_multiple_of(25), 8_000_000, 300));
        [vec![header(0, false)], pictures.collect()].concat()
    }

    fn times_that_are_always_zero() { retimed(stream(0, 12_000), None, |_| 0) }

    fn times_of_the_picture_that_are_always_zero() { retimed(stream(0, 12_000), Some(Video), |_| 0) }

    // ---- structure -------------------------------------------------------------------------------------------

    fn sound_seconds_before_the_picture() {
        interleaved([vec![header(0, false), audio_header(0)], sounds(0, 9_000), only(Video, media(5_000, 4_000))])
    }

    fn sound_seconds_before_a_picture_that_nothing_announced() {
        let before = [vec![audio_header(0)], sounds(0, 5_000)].concat();
        [before, interleaved([vec![header(5_000, false)], media(5_000, 4_000)])].concat()
    }

    fn picture_seconds_before_the_sound() {
        interleaved([vec![header(0, false), audio_header(0)], only(Video, media(0, 9_000)), sounds(5_000, 4_000)])
    }

    fn picture_half_a_second_before_a_sound_that_nothing_announced() {
        let before = [vec![header(0, false)], only(Video, media(0, 520))].concat();
        let after = only(Video, pictures(520, 4_000, 1_000, |at, _, _| picture(at, at.is_multiple_of(1_000), 0, 400)));
        [before, vec![audio_header(520)], interleaved([after, sounds(520, 4_000)])].concat()
    }

    fn sound_that_is_announced_and_never_comes() {
        [vec![header(0, false), audio_header(0)], only(Video, media(0, 6_000))].concat()
    }

    fn sound_that_has_no_silence_is_announced_and_never_comes() {
        [vec![header(0, false), audio_config(0, QUADRAPHONY)], only(Video, media(0, 6_000))].concat()
    }

    fn picture_that_is_announced_and_never_comes() {
        [vec![header(0, false), audio_header(0)], sounds(0, 16_000)].concat()
    }

    fn sound_that_falls_silent_and_returns() {
        let sounds = [sounds(0, 3_000), sounds(17_000, 3_000)].concat();
        interleaved([vec![header(0, false), audio_header(0)], only(Video, media(0, 20_000)), sounds])
    }

    fn sound_that_begins_when_the_picture_has_ended() {
        let before = [vec![header(0, false)], only(Video, media(0, 4_000)), vec![audio_header(8_000)]].concat();
        // And the picture returns.
        [before, interleaved([sounds(8_000, 18_000), only(Video, media(22_000, 4_000))])].concat()
    }

    fn no_key_frame_for_minutes() {
        let pictures = (0..150_000).step_by(200).map(|at| picture(at, at == 0, 0, 200)).collect();
        interleaved([vec![header(0, false), audio_header(0)], pictures, sounds(0, 150_000)])
    }

    fn no_key_frame_at_first() {
        let pictures = pictures(0, 16_000, 1_000_000, |at, _, _| picture(at, at >= 12_000 && at.is_multiple_of(1_000), 0, 300));
        interleaved([vec![header(0, false), audio_header(0)], pictures, sounds(0, 16_000)])
    }

    fn a_gop_of_twenty_seconds() {
        let pictures = pictures(0, 50_000, 20_000, |at, keyframe, _| picture(at, keyframe, 0, 300));
        interleaved([vec![header(0, false), audio_header(0)], pictures, sounds(0, 50_000)])
    }

    fn a_gop_of_one_frame() { laid_out(4, |at, _, _| picture(at, true, 0, 400)) }

    fn an_open_gop() {
        // An intra picture with a recovery point, not IDR; two pictures that are shown before it follow it.
        let shown = |n: u32| [120, 0, 0][(n % 3) as usize];
        let pictures = (0..150u32).map(|n| {
            let recovery = vec![0x06, 0x06, 0x01, 0xc4, 0x80];
            let first = n == 0;
            let key = n.is_multiple_of(30);
            let slice = nal(if first { IDR } else { SLICE }, 400);
            let nals = if key && !first { vec![recovery, slice] } else { vec![slice] };
            coded(n * 40, key, shown(n), &avcc(4, &nals))
        });
        interleaved([vec![header(0, false), audio_header(0)], pictures.collect(), sounds(0, 6_000)])
    }

    fn parameter_sets_in_the_header_only() { stream(0, 4_000) }

    fn parameter_sets_in_band_only() {
        let pictures = pictures(0, 4_000, 1_000, |at, keyframe, slice| {
            let sets = [SMALL.to_vec(), PPS.to_vec()].into_iter().filter(|_| keyframe);
            coded(at, keyframe, 0, &avcc(4, &sets.chain([slice]).collect::<Vec<_>>()))
        });
        interleaved([vec![audio_header(0)], pictures, sounds(0, 4_000)])
    }

    fn parameter_sets_in_a_tag_of_their_own() {
        let pictures = pictures(0, 4_000, 1_000, |at, keyframe, slice| coded(at, keyframe, 0, &avcc(4, &[slice])));
        let pictures = pictures.into_iter().flat_map(|tag| {
            let sets = coded(tag.timestamp, true, 0, &avcc(4, &[SMALL.to_vec(), PPS.to_vec()]));
            let is_key = tag.body[0] == 0x17;
            [sets, tag].into_iter().skip(usize::from(!is_key))
        });
        interleaved([vec![audio_header(0)], pictures.collect(), sounds(0, 4_000)])
    }

    fn a_resolution_that_changes_with_a_header() { [stream(0, 3_000), vec![header(3_000, true)], media(3_000, 3_000)].concat() }

    fn a_resolution_that_changes_in_band() {
        let pictures = pictures(0, 6_000, 1_000, |at, keyframe, slice| {
            let sps = if at < 3_000 { SMALL } else { WIDE };
            let sets = [sps.to_vec(), PPS.to_vec()].into_iter().filter(|_| keyframe);
            coded(at, keyframe, 0, &avcc(4, &sets.chain([slice]).collect::<Vec<_>>()))
        });
        interleaved([vec![header(0, false), audio_header(0)], pictures, sounds(0, 6_000)])
    }

    fn a_sample_rate_that_changes() {
        // In the middle of a GOP.
        let second = [vec![audio_config(3_500, &[0x11, 0x90])], sounds(3_500, 3_500)].concat();
        let sound = [sounds(0, 3_500), second].concat();
        let mut tags = [only(Video, media(0, 7_000)), sound].concat();
        tags.sort_by_key(|tag| tag.timestamp);
        [vec![header(0, false), audio_header(0)], tags].concat()
    }

    fn a_sample_rate_that_changes_in_adts_alone() {
        // In the middle of a GOP, and no sequence header says so.
        let at = |index, sounds| rewritten(sounds, Audio, move |frame| adts_at(index, frame));
        let sound = [at(4, sounds(0, 3_500)), at(3, sounds(3_500, 3_500))].concat();
        let mut tags = [only(Video, media(0, 7_000)), sound].concat();
        tags.sort_by_key(|tag| tag.timestamp);
        [vec![header(0, false), audio_header(0)], tags].concat()
    }

    fn headers_repeated_at_every_key_frame() {
        let repeated = |tag: Tag| {
            let is_key = tag.kind == Video && tag.body[0] == 0x17;
            let headers = is_key.then(|| [header(tag.timestamp, false), audio_header(tag.timestamp)]);
            headers.into_iter().flatten().chain([tag]).collect::<Vec<_>>()
        };
        media(0, 4_000).into_iter().flat_map(repeated).collect::<Vec<_>>()
    }

    fn delimiters_sei_filler_and_several_slices() {
        laid_out(4, |at, keyframe, slice| {
            // Parameter sets behind an SEI that needs them, as some encoders have it.
            let sets = [SMALL.to_vec(), PPS.to_vec()].into_iter().filter(|_| keyframe);
            let mut second = slice.clone();
            second[1] = 0x45;
            let head = [nal(DELIMITER, 2), nal(SEI, 20)];
            let nals: Vec<_> = head.into_iter().chain(sets).chain([slice, second, nal(FILLER, 90)]).collect();
            coded(at, keyframe, 0, &avcc(4, &nals))
        })
    }

    fn slices_in_tags_of_their_own() {
        let whole = laid_out(4, |at, keyframe, slice| coded(at, keyframe, 0, &avcc(4, &[slice])));
        let parts = |tag: Tag| {
            let mut rest = tag.clone();
            if tag.kind == Video && tag.body[1] == 1 {
                let mut body = tag.body.to_vec();
                // Its header says that the slice does not begin with the first macroblock.
                body[10] = 0x45;
                rest.body = body.into();
                vec![tag, rest.clone(), rest]
            } else {
                vec![tag]
            }
        };
        whole.into_iter().flat_map(parts).collect::<Vec<_>>()
    }

    fn nal_lengths_of_one_byte() {
        laid_out(1, |at, keyframe, slice| coded(at, keyframe, 0, &avcc(1, &[slice[..200].to_vec()])))
    }

    fn nal_lengths_of_two_bytes() {
        laid_out(2, |at, keyframe, slice| coded(at, keyframe, 0, &avcc(2, &[slice])))
    }

    fn a_byte_stream_instead_of_lengths() {
        laid_out(4, |at, keyframe, slice| coded(at, keyframe, 0, &annex_b(&[nal(DELIMITER, 2), slice])))
    }

    fn empty_nal_units_and_pictures() {
        let tags = laid_out(4, |at, keyframe, slice| coded(at, keyframe, 0, &avcc(4, &[slice])));
        let stuffed = |payload: &[u8]| [&[0; 4][..], payload, &[0; 8]].concat();
        let mut tags = rewritten(tags, Video, stuffed);
        for at in (20..tags.len()).step_by(30) {
            tags.insert(at, coded(tags[at].timestamp, false, 0, &[]));
            tags.insert(at, coded(tags[at].timestamp, false, 0, &[0; 4]));
            tags.insert(at, frame(tags[at].timestamp, &[]));
        }
        tags
    }

    fn aac_with_spectral_band_replication() { with_sound(&[0x2b, 0x92, 0x08, 0x00]) }

    fn aac_with_parametric_stereo() { with_sound(&[0xeb, 0x8a, 0x08, 0x00]) }

    fn aac_with_implicit_signalling() { with_sound(&[0x13, 0x10, 0x56, 0xe5, 0x98]) }

    fn aac_at_96_khz() { with_sound(&[0x10, 0x10]) }

    fn aac_in_seven_point_one() { with_sound(&[0x11, 0xb8]) }

    fn aac_in_mono() { with_sound(&[0x12, 0x08]) }

    fn aac_with_channels_of_its_own() {
        with_sound(QUADRAPHONY)
    }

    fn adts_inside_flv() { rewritten(stream(0, 4_000), Audio, adts) }

    fn adts_without_a_configuration() {
        let tags = rewritten(stream(0, 4_000), Audio, adts);
        tags.into_iter().filter(|tag| tag.kind == Video || tag.body[1] == 1).collect::<Vec<_>>()
    }

    fn adts_in_place_of_the_configuration() {
        let head = adts(&[0; 60])[..7].to_vec();
        let change = |tag: Tag| if tag.kind == Audio && tag.body[1] == 0 { audio_config(0, &head) } else { tag };
        rewritten(stream(0, 4_000), Audio, adts).into_iter().map(change).collect::<Vec<_>>()
    }

    fn sound_alone() { only(Audio, stream(0, 7_000)) }

    fn a_picture_alone() { only(Video, stream(0, 7_000)) }

    fn data_alone() {
        Sent { metadata: vec![metadata(&[("width", AmfValue::Number(640.0))])], tags: Vec::new() }
    }

    fn no_metadata() { stream(0, 4_000) }

    fn metadata_that_is_wrong() {
        let lies = [("width", AmfValue::Number(f64::NAN)), ("height", "tall".into()), ("framerate", AmfValue::Number(-1.0))];
        let lies = [lies.as_slice(), &[("hasVideo", AmfValue::Boolean(false)), ("videocodecid", AmfValue::Number(2.0))]].concat();
        Sent { metadata: vec![metadata(&lies), AmfValue::Null, AmfValue::Array(vec![])], tags: stream(0, 4_000) }
    }

    fn metadata_that_is_repeated() {
        let size = |n: u32| metadata(&[("width", AmfValue::Number(f64::from(n)))]);
        Sent { metadata: (1..50).map(size).collect(), tags: stream(0, 4_000) }
    }

    fn metadata_that_is_huge() {
        let positions = AmfValue::Array((0..20_000).map(|n| AmfValue::Number(f64::from(n))).collect());
        let huge = metadata(&[("keyframes", AmfValue::object([("filepositions", positions)])), ("title", "x".repeat(500_000).as_str().into())]);
        Sent { metadata: vec![huge], tags: stream(0, 4_000) }
    }

    // ---- real senders ----------------------------------------------------------------------------------------

    fn ffmpeg_with_b_frames() { capture("ffmpeg_h264_bframes_aac.flv") }
}

#[test]
fn every_golden_file_is_a_story() {
    let files = fs::read_dir(golden("").parent().expect("a folder")).expect("readable");
    let names = files.map(|file| file.expect("readable").file_name().to_string_lossy().into_owned());
    let stories: BTreeSet<String> = STORIES.iter().map(|name| format!("{name}.txt")).collect();
    assert_eq!(names.collect::<BTreeSet<_>>(), stories);
}

/// The names in the last cell of each row of the page's tables.
fn named(page: &str) -> Vec<(String, Vec<String>)> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.map(|row| row.trim_matches('|').rsplit_once('|').unwrap_or((row, "")));
    let rows = cells.filter(|(_, last)| !matches!(last.trim(), "test" | "asserted by"));
    rows.map(|(row, last)| (row.to_owned(), last.split('`').skip(1).step_by(2).map(str::to_owned).collect())).collect()
}

#[test]
fn every_row_of_the_page_names_a_test_that_is_there() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/streams.md");
    let rows = named(&fs::read_to_string(page).expect("the page"));
    assert!(rows.len() >= 80, "the tables were not found: {rows:?}");
    let mut faults = Vec::new();
    for (row, names) in &rows {
        if names.is_empty() {
            faults.push(format!("no test: {row}"));
        }
        let missing = names.iter().filter_map(|name| match name.contains("::") {
            true => readme::fault(name),
            false => (!STORIES.contains(&name.as_str())).then(|| format!("no story `{name}`")),
        });
        faults.extend(missing);
    }
    let named: BTreeSet<&str> = rows.iter().flat_map(|(_, names)| names).map(String::as_str).collect();
    faults
        .extend(STORIES.iter().filter(|story| !named.contains(*story)).map(|story| format!("`{story}` is in no row")));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_row_without_its_test_is_missed() {
    let text = "| what comes | test |\n|---|---|\n| a `x` | `one`, `two::three` |\n| b | none |\n";
    let row =
        |row: &str, names: &[&str]| (row.to_owned(), names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(named(text), [row(" a `x` ", &["one", "two::three"]), row(" b ", &[])]);
}
