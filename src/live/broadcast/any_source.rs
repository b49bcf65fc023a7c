//! Whatever a source sends, what is stored plays: one publish of random stretches of picture and sound, silences, jumps and
//! changed configurations, judged by [`crate::codec::playback`] as a player would.

use bytes::Bytes;
use proptest::prelude::*;

use crate::codec::aac::parse_audio_specific_config;
use crate::codec::m3u8::Playlist;
use crate::codec::playback::{ForcedCuts, PlaybackChecker};
use crate::limits;
use crate::live::registry::{MediaInput, Publisher};
use crate::live::testbed::{Bed, audio, avc, video};
use crate::live::vod::vod_playlist;
use crate::media::{AvcConfig, CodecConfig, MediaTime};
use crate::store::TerminationCause;

/// A stretch of what a source does.
#[derive(Clone, Debug)]
enum Stretch {
    /// A configuration of the picture, one of two.
    Avc(bool),
    /// A configuration of the sound, one of four.
    Aac(usize),
    /// So many milliseconds of picture every 40 and sound every 23.
    Run { ms: u32, pictures: bool, sound: bool, gop: u32, sound_lag: u32 },
    /// The source's clocks of picture or sound move by so many milliseconds.
    Jump { picture: i32, sound: i32 },
    /// A lone unit.
    Picture(bool),
    /// A lone frame.
    Sound,
}

fn stretch() -> impl Strategy<Value = Stretch> {
    let ms = prop_oneof![4 => 0..400_u32, 4 => 400..4_000_u32, 2 => 4_000..16_000_u32, 1 => 50_000..70_000_u32];
    let gop = prop_oneof![Just(0), 1..4_u32, 10..60_u32, Just(10_000)];
    let lag = prop_oneof![4 => Just(0), 2 => 0..600_u32, 1 => 600..2_000_u32];
    let step = || prop_oneof![3 => Just(0), 3 => -900..2_500_i32, 1 => -20_000..20_000_i32];
    prop_oneof![
        1 => any::<bool>().prop_map(Stretch::Avc),
        2 => (0..4_usize).prop_map(Stretch::Aac),
        8 => (ms, any::<bool>(), any::<bool>(), gop, lag).prop_map(|(ms, pictures, sound, gop, sound_lag)| {
            Stretch::Run { ms, pictures, sound, gop, sound_lag }
        }),
        1 => (step(), step()).prop_map(|(picture, sound)| Stretch::Jump { picture, sound }),
        2 => any::<bool>().prop_map(Stretch::Picture),
        1 => Just(Stretch::Sound),
    ]
}

/// Of 44.1 kHz, 48 kHz, with SBR, mono.
const AAC: [&[u8]; 4] = [&[0x12, 0x10], &[0x11, 0x90], &[0x2b, 0x92, 0x08, 0x00], &[0x12, 0x08]];

struct Source<'a> {
    publisher: &'a Publisher,
    picture_ms: u32,
    sound_ms: u32,
    pictures: u32,
}

impl Source<'_> {
    async fn send(&self, input: MediaInput) {
        self.publisher.send(input).await.expect("nothing ends this publish");
    }

    async fn play(&mut self, stretch: &Stretch) {
        match *stretch {
            Stretch::Avc(other) => {
                let sps = vec![Bytes::from_static(&[0x67, 0x64, 0x00, 0x28, 0xac])];
                let config = if other { AvcConfig { sps, ..avc() } } else { avc() };
                self.send(MediaInput::Config(CodecConfig::Avc(config))).await;
            }
            Stretch::Aac(which) => {
                let config = parse_audio_specific_config(&Bytes::from_static(AAC[which])).expect("a real one");
                self.send(MediaInput::Config(CodecConfig::Aac(config))).await;
            }
            Stretch::Run { ms, pictures, sound, gop, sound_lag } => self.run(ms, pictures, sound, gop, sound_lag).await,
            Stretch::Jump { picture, sound } => {
                self.picture_ms = self.picture_ms.wrapping_add_signed(picture);
                self.sound_ms = self.sound_ms.wrapping_add_signed(sound);
            }
            Stretch::Picture(keyframe) => self.send(video(self.picture_ms, keyframe, 60)).await,
            Stretch::Sound => self.send(audio(self.sound_ms)).await,
        }
    }

    /// In order of time, the sound later than its time by `sound_lag`.
    async fn run(&mut self, ms: u32, pictures: bool, sound: bool, gop: u32, sound_lag: u32) {
        let (mut picture_at, mut sound_at) = (0, sound_lag);
        while picture_at < ms || sound_at < ms {
            if picture_at <= sound_at {
                if pictures {
                    let keyframe = gop > 0 && self.pictures.is_multiple_of(gop);
                    self.send(video(self.picture_ms.wrapping_add(picture_at), keyframe, 60)).await;
                    self.pictures += 1;
                }
                picture_at += 40;
            } else {
                if sound {
                    self.send(audio(self.sound_ms.wrapping_add(sound_at - sound_lag))).await;
                }
                sound_at += 23;
            }
        }
        self.picture_ms = self.picture_ms.wrapping_add(ms);
        self.sound_ms = self.sound_ms.wrapping_add(ms);
    }
}

/// What a player meets, in words; empty when nothing is wrong that a server could mend.
async fn faults_of(frag_duration: u32, stretches: &[Stretch]) -> String {
    let bed = Bed::with(frag_duration).await;
    let publisher = bed.publish().await;
    let mut source = Source { publisher: &publisher, picture_ms: 0, sound_ms: 0, pictures: 0 };
    for stretch in stretches {
        source.play(stretch).await;
    }
    let outcome = publisher.finish(TerminationCause::Unpublished).await;
    assert_eq!(outcome.fragments_lost, 0);
    let Some(everything) = vod_playlist(&bed.fragments().await) else { return String::new() };
    faults_in(&bed, &everything).await + &faults_in(&bed, &bed.playlist().await).await
}

async fn faults_in(bed: &Bed, playlist: &Playlist) -> String {
    let forced = ForcedCuts { after: MediaTime::from_secs(60), bytes: limits::FRAGMENT_BYTES_MAX };
    let mut checker = PlaybackChecker::new(playlist, forced).of_one_connection(|_| true);
    for segment in &playlist.segments {
        checker.fragment(Ok(&bed.body(&segment.uri).await));
    }
    let mut report = checker.finish();
    report.faults.retain(|fault| !fault.kind.is_the_sources());
    if report.is_clean() { String::new() } else { format!("{report}\n{}", playlist.render()) }
}

const fn run(ms: u32, pictures: bool, sound: bool, gop: u32) -> Stretch {
    Stretch::Run { ms, pictures, sound, gop, sound_lag: 0 }
}

/// Each once left a fragment whose EXTINF or parameter sets were wrong.
#[tokio::test]
async fn what_was_found_so_far_plays() {
    use Stretch::{Aac, Avc, Jump, Picture, Sound};
    let found: [(&str, &[Stretch]); 6] = [
        (
            "sound that was held, and a hole behind it",
            &[Aac(0), run(1, false, true, 0), run(1_999, false, false, 0), run(452, false, true, 0)],
        ),
        ("pictures without a key frame beside sound", &[Aac(0), Avc(false), Sound, run(800, true, false, 10_000)]),
        (
            "a key frame with the time of another picture",
            &[Avc(false), run(1, true, false, 1), Picture(false), Picture(true)],
        ),
        (
            "a configuration that waits for a key frame which never comes, and sound behind its silence",
            &[
                Avc(false),
                Aac(0),
                Jump { picture: 2_413, sound: 0 },
                run(1, true, true, 1),
                Aac(1),
                run(1, true, false, 10),
                run(50_000, false, true, 0),
            ],
        ),
        (
            "the same, later than silence waits for",
            &[
                Jump { picture: 2_221, sound: 170 },
                Aac(0),
                Avc(false),
                run(6_521, true, false, 1),
                Aac(1),
                run(12_076, false, true, 0),
            ],
        ),
        (
            "sound that begins when the picture has ended, and a picture that returns without a key frame",
            &[
                Avc(false),
                run(3_000, true, false, 25),
                Aac(0),
                run(1_000, false, false, 0),
                run(90_000, false, true, 0),
                run(4_000, true, true, 10_000),
                Picture(true),
            ],
        ),
    ];
    for (story, stretches) in found {
        assert_eq!(faults_of(1, stretches).await, "", "{story}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_any_source_leaves_behind_plays(
        frag_duration in 1..9_u32,
        stretches in prop::collection::vec(stretch(), 1..24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let faults = runtime.block_on(faults_of(frag_duration, &stretches));
        prop_assert_eq!(faults, "");
    }
}
