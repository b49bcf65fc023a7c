//! Proves that fragments are what a player may expect.
//!
//! Takes the fragments of one connection in order, as a player would load them, and reports every fault with its
//! position; at the end it says what each track holds, so that durations can be compared with a playlist's. It reads
//! the wire only and shares no state with the muxer.

use super::demux::{self, Demuxer, PesUnit, TsEvent};
use super::packet::TsPacket;
use super::psi::Program;
use super::{PID_NULL, PID_PAT, TIMESTAMP_MASK, track_of};
use crate::codec::aac;
use crate::codec::h264::{self, NAL_AUD, NAL_IDR, NAL_PPS, NAL_SPS};
use crate::media::{MediaTime, Track};

/// Faults that are kept; the rest are counted. One broken byte can cause one fault per packet.
const FAULTS_MAX: usize = 1_000;
/// Longest distance between two PCRs: 0.1 s (ISO/IEC 13818-1 section 2.7.2).
pub const PCR_DISTANCE_MAX: MediaTime = MediaTime::from_millis(100);
/// A connection's last fragment may be so short that one of its tracks has nothing in it.
const TAIL_MAX: MediaTime = MediaTime::from_secs(1);
/// Largest PES packet that is read.
const UNIT_BYTES_MAX: usize = 64 << 20;
const PIDS: usize = 0x2000;

/// What a fragment is allowed to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    /// Its tracks and codecs need not be those of the fragment before, nor its counters and times go on (the playlist says so
    /// too).
    pub discontinuity: bool,
    /// It is of the same connection as the fragment before, which is the one that it was cut from: its counters and times go
    /// on whatever the playlist says.
    pub goes_on: bool,
    /// It was cut by force and need not begin with a keyframe.
    pub forced_cut: bool,
}

/// A fault and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fragment {fragment}, byte {at}: {kind}")]
pub struct Fault {
    /// Which fragment, counted from 0.
    pub fragment: usize,
    /// Offset of the transport packet.
    pub at: usize,
    /// What is wrong.
    pub kind: FaultKind,
}

/// Everything that the checker knows to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// A packet, section or PES packet cannot be read.
    #[error("{0}")]
    Malformed(&'static str),
    /// The first two packets are not PAT and PMT.
    #[error("a fragment begins with PAT and PMT")]
    NoTablesFirst,
    /// The continuity counter of a PID does not go on.
    #[error("continuity counter of PID {pid:#x} is {found} instead of {expected}")]
    Continuity {
        /// Which PID.
        pid: u16,
        /// What would go on.
        expected: u8,
        /// What is there.
        found: u8,
    },
    /// A discontinuity indicator in a fragment that should go on from the one before.
    #[error("discontinuity indicator")]
    Discontinuity,
    /// Two PCRs are too far apart, or the PCR went back (a negative distance).
    #[error("PCR {} ms after the one before", .0.to_millis())]
    PcrGap(MediaTime),
    /// The fragment has access units and no PCR.
    #[error("no PCR")]
    NoPcr,
    /// A PCR on a PID that the PMT does not name for it.
    #[error("PCR on PID {pid:#x}")]
    StrayPcr {
        /// Which PID.
        pid: u16,
    },
    /// A PID that neither PAT nor PMT lists.
    #[error("PID {pid:#x} is not listed")]
    Unlisted {
        /// Which PID.
        pid: u16,
    },
    /// A PID that the PMT lists and that never occurs.
    #[error("PID {pid:#x} is listed but does not occur")]
    Absent {
        /// Which PID.
        pid: u16,
    },
    /// The PMT lists other tracks than before, and nothing says that the fragment may.
    #[error("the PMT lists other tracks than before")]
    TracksChanged,
    /// Parameter sets or an ADTS header say otherwise than before, and nothing says that the fragment may.
    #[error("{0:?} is configured otherwise than before")]
    ConfigChanged(Track),
    /// The first picture of the fragment is no keyframe.
    #[error("the first picture is no keyframe")]
    NoKeyframe,
    /// An access unit of H.264 does not begin with a delimiter.
    #[error("no access unit delimiter first")]
    NoDelimiter,
    /// A fragment's first keyframe lacks SPS and PPS right after the delimiter.
    #[error("SPS and PPS do not follow the delimiter of the first keyframe")]
    NoParameterSets,
    /// SPS or PPS behind what they must stand before.
    #[error("SPS or PPS behind other NAL units")]
    LateParameterSets,
    /// A PES packet without PTS.
    #[error("{0:?} without time stamp")]
    NoTimestamp(Track),
    /// Decode times of a track do not grow. Holds the step.
    #[error("{0:?} DTS steps by {ticks} ticks", ticks = (.1).0)]
    DtsNotGrowing(Track, MediaTime),
    /// PTS before DTS.
    #[error("{0:?} PTS {ticks} ticks before DTS", ticks = (.1).0)]
    PtsBeforeDts(Track, MediaTime),
    /// An access unit arrives after its decode time. Holds by how much.
    #[error("{0:?} arrives {ms} ms after its DTS", ms = (.1).to_millis())]
    Late(Track, MediaTime),
    /// AAC without a whole number of ADTS frames.
    #[error("audio is not a whole number of ADTS frames")]
    BrokenAdts,
}

/// What one track of one fragment holds. Times are the wire's, unwrapped over the connection, and comparable with each
/// other only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackReport {
    /// Pictures, or AAC frames.
    pub access_units: u64,
    /// Of these, random-access points (video).
    pub keyframes: u64,
    /// Decode time of the first PES packet.
    pub first_dts: MediaTime,
    /// Decode time of the last PES packet.
    pub last_dts: MediaTime,
    /// Its distance from the track's PES packet before it, also one of the fragment before.
    pub last_step: Option<MediaTime>,
}

/// What one fragment holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentReport {
    /// H.264.
    pub video: Option<TrackReport>,
    /// AAC.
    pub audio: Option<TrackReport>,
}

impl FragmentReport {
    /// One of the two.
    pub fn track(&self, track: Track) -> Option<&TrackReport> {
        match track {
            Track::Video => self.video.as_ref(),
            Track::Audio => self.audio.as_ref(),
        }
    }

    /// From its first decode time to its last.
    fn span(&self) -> MediaTime {
        let tracks = || [self.video, self.audio].into_iter().flatten();
        let first = tracks().map(|track| track.first_dts).min();
        let last = tracks().map(|track| track.last_dts).max();
        last.zip(first).map_or(MediaTime::ZERO, |(last, first)| last - first)
    }

    /// Decode time at which a playlist counts it to begin: video's, or audio's without video.
    pub fn start(&self) -> Option<MediaTime> {
        self.video.or(self.audio).map(|track| track.first_dts)
    }
}

/// The outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Faults in order of discovery, at most 1 000.
    pub faults: Vec<Fault>,
    /// Faults beyond those.
    pub faults_left_out: u64,
    /// One entry a fragment.
    pub fragments: Vec<FragmentReport>,
}

impl Report {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Checks the fragments of one connection, in order.
pub struct Checker {
    report: Report,
    /// Last continuity counter of each PID.
    counters: Vec<Option<u8>>,
    clock: Clock,
    /// Last PCR in ticks of 90 kHz, unwrapped.
    last_pcr: Option<MediaTime>,
    last_dts: [Option<MediaTime>; 2],
    /// What the last keyframe, or frame of sound, said of its track: parameter sets in order of their bytes, or the ADTS header's
    /// profile, frequency and channels.
    configs: [Vec<Vec<u8>>; 2],
    /// The PMT in force, where it was first seen, and which of its PIDs have occurred since.
    listing: Option<Listing>,
}

struct Listing {
    program: Program,
    fragment: usize,
    at: usize,
    seen: Vec<u16>,
}

/// Unwraps 33-bit times against the last one seen on any track.
#[derive(Default)]
struct Clock {
    reference: Option<i64>,
}

impl Clock {
    fn unwrap(&mut self, wire: u64) -> MediaTime {
        let wire = (wire & TIMESTAMP_MASK) as i64;
        let reference = self.reference.unwrap_or(wire);
        // The step as a signed 33-bit number.
        let step = (wire - reference) << 31 >> 31;
        self.reference = Some(reference + step);
        MediaTime(reference + step)
    }
}

impl Default for Checker {
    fn default() -> Self {
        Checker::new()
    }
}

/// What is known of the fragment that is being read.
struct Open {
    index: usize,
    expectation: Expectation,
    pictures: u64,
    pcrs: u64,
    /// PCR in force at the packets in which units begin, by offset.
    begun: Vec<(usize, MediaTime)>,
    report: FragmentReport,
}

impl Checker {
    /// Before the first fragment.
    pub fn new() -> Self {
        Checker {
            report: Report::default(),
            counters: vec![None; PIDS],
            clock: Clock::default(),
            last_pcr: None,
            last_dts: [None; 2],
            configs: Default::default(),
            listing: None,
        }
    }

    /// The next fragment.
    pub fn fragment(&mut self, bytes: &[u8], expectation: Expectation) {
        let index = self.report.fragments.len();
        let report = FragmentReport::default();
        let mut open = Open { index, expectation, pictures: 0, pcrs: 0, begun: Vec::new(), report };
        if expectation.discontinuity {
            self.configs = Default::default();
        }
        if expectation.discontinuity && !expectation.goes_on {
            self.leave_listing(index);
            self.counters.fill(None);
            self.clock = Clock::default();
            self.last_pcr = None;
            self.last_dts = [None; 2];
        }
        let mut demuxer = Demuxer::new(UNIT_BYTES_MAX);
        let mut events = Vec::new();
        for (number, (at, packet)) in demux::packets(bytes).enumerate() {
            match packet {
                Ok(packet) => self.packet(&mut open, &mut demuxer, number, at, &packet, &mut events),
                Err(what) => self.fault(open.index, at, FaultKind::Malformed(what)),
            }
            self.events(&mut open, at, &mut events);
        }
        if let Err(error) = demuxer.finish(bytes.len(), &mut events) {
            self.fault(open.index, error.at, FaultKind::Malformed(error.what));
        }
        self.events(&mut open, bytes.len(), &mut events);
        if bytes.is_empty() {
            self.fault(open.index, 0, FaultKind::NoTablesFirst);
        }
        if open.pcrs == 0 && open.report.start().is_some() {
            self.fault(open.index, 0, FaultKind::NoPcr);
        }
        self.report.fragments.push(open.report);
    }

    /// The end of the connection.
    pub fn finish(mut self) -> Report {
        self.close_listing();
        self.report
    }

    fn fault(&mut self, fragment: usize, at: usize, kind: FaultKind) {
        if self.report.faults.len() < FAULTS_MAX {
            self.report.faults.push(Fault { fragment, at, kind });
        } else {
            self.report.faults_left_out += 1;
        }
    }

    fn packet(
        &mut self,
        open: &mut Open,
        demuxer: &mut Demuxer,
        number: usize,
        at: usize,
        packet: &TsPacket<'_>,
        events: &mut Vec<TsEvent>,
    ) {
        if packet.pid == PID_NULL {
            return;
        }
        self.counter(open, at, packet);
        if packet.adaptation.discontinuity && !open.expectation.discontinuity {
            self.fault(open.index, at, FaultKind::Discontinuity);
        }
        if let Err(error) = demuxer.push(at, packet, events) {
            self.fault(open.index, at, FaultKind::Malformed(error.what));
        }
        let in_place = match number {
            0 => packet.pid == PID_PAT && matches!(events[..], [TsEvent::Pat]),
            1 => demuxer.pmt_pid() == Some(packet.pid) && matches!(events[..], [TsEvent::Program(_)]),
            _ => true,
        };
        if !in_place {
            self.fault(open.index, at, FaultKind::NoTablesFirst);
        }
        self.listed(open, demuxer, at, packet);
        if let Some(pcr) = packet.adaptation.pcr {
            self.pcr(open, demuxer, at, packet.pid, pcr);
        }
        if let Some(pcr) = self.last_pcr.filter(|_| packet.unit_start) {
            open.begun.push((at, pcr));
        }
    }

    fn counter(&mut self, open: &Open, at: usize, packet: &TsPacket<'_>) {
        let (pid, found) = (packet.pid, packet.counter);
        let last = self.counters[usize::from(pid)].replace(found);
        let step = u8::from(packet.payload.is_some());
        let expected = last.map(|last| (last + step) & 0x0f);
        if let Some(expected) = expected.filter(|&expected| expected != found) {
            self.fault(open.index, at, FaultKind::Continuity { pid, expected, found });
        }
    }

    fn listed(&mut self, open: &Open, demuxer: &Demuxer, at: usize, packet: &TsPacket<'_>) {
        let pid = packet.pid;
        if pid == PID_PAT || demuxer.pmt_pid() == Some(pid) {
            return;
        }
        let program = demuxer.program();
        let is_stream = program.is_some_and(|program| program.streams.iter().any(|stream| stream.pid == pid));
        if !is_stream && program.is_none_or(|program| program.pcr_pid != pid) {
            self.fault(open.index, at, FaultKind::Unlisted { pid });
        }
    }

    fn pcr(&mut self, open: &mut Open, demuxer: &Demuxer, at: usize, pid: u16, pcr: u64) {
        if demuxer.program().is_none_or(|program| program.pcr_pid != pid) {
            self.fault(open.index, at, FaultKind::StrayPcr { pid });
            return;
        }
        open.pcrs += 1;
        let pcr = self.clock.unwrap(pcr / 300);
        if let Some(last) = self.last_pcr.replace(pcr) {
            let gap = pcr - last;
            if !(MediaTime::ZERO..=PCR_DISTANCE_MAX).contains(&gap) {
                self.fault(open.index, at, FaultKind::PcrGap(gap));
            }
        }
    }

    fn events(&mut self, open: &mut Open, at: usize, events: &mut Vec<TsEvent>) {
        for event in events.drain(..) {
            match event {
                TsEvent::Pat => {}
                TsEvent::Program(program) => self.program(open, at, program),
                TsEvent::Unit(unit) => self.unit(open, &unit),
            }
        }
    }

    fn program(&mut self, open: &Open, at: usize, program: Program) {
        if self.listing.as_ref().is_some_and(|listing| listing.program == program) {
            return;
        }
        if let Some(listing) = &self.listing
            && listing.program.streams != program.streams
            && (!open.expectation.discontinuity || listing.fragment == open.index)
        {
            self.fault(open.index, at, FaultKind::TracksChanged);
        }
        self.close_listing();
        self.listing = Some(Listing { program, fragment: open.index, at, seen: Vec::new() });
    }

    /// Another connection may begin with fragment `next`: what the PMT lists must have come by then. Of the first fragment
    /// nobody knows what went before it: it may be the tail of a connection whose other fragments are not at hand.
    fn leave_listing(&mut self, next: usize) {
        let spans = self.report.fragments.first().map(FragmentReport::span);
        if next == 1 && spans.is_some_and(|span| span < TAIL_MAX) {
            self.listing = None;
        }
        self.close_listing();
    }

    /// Judges the PMT that ends: a listed track may be missing from one short fragment, but not from all.
    fn close_listing(&mut self) {
        let Some(listing) = self.listing.take() else { return };
        for stream in &listing.program.streams {
            if !listing.seen.contains(&stream.pid) {
                self.fault(listing.fragment, listing.at, FaultKind::Absent { pid: stream.pid });
            }
        }
    }

    fn unit(&mut self, open: &mut Open, unit: &PesUnit) {
        if let Some(listing) = &mut self.listing
            && !listing.seen.contains(&unit.pid)
        {
            listing.seen.push(unit.pid);
        }
        let stream = self.listing.as_ref().and_then(|listing| {
            listing.program.streams.iter().find(|stream| stream.pid == unit.pid).map(|stream| stream.stream_type)
        });
        let Some(track) = stream.and_then(track_of) else { return };
        let (Some(pts), Some(dts)) = (unit.pts, unit.dts) else {
            self.fault(open.index, unit.at, FaultKind::NoTimestamp(track));
            return;
        };
        let (dts, last_step) = self.times(open, unit, track, pts, dts);
        let (access_units, keyframes) = match track {
            Track::Video => (1, self.picture(open, unit)),
            Track::Audio => (self.adts_frames(open, unit), 0),
        };
        let entry = match track {
            Track::Video => &mut open.report.video,
            Track::Audio => &mut open.report.audio,
        };
        let entry = entry.get_or_insert(TrackReport {
            access_units: 0,
            keyframes: 0,
            first_dts: dts,
            last_dts: dts,
            last_step,
        });
        entry.access_units += access_units;
        entry.keyframes += keyframes;
        entry.last_dts = dts;
        entry.last_step = last_step;
    }

    /// The unit's decode time and its distance from the track's unit before it.
    fn times(
        &mut self,
        open: &Open,
        unit: &PesUnit,
        track: Track,
        pts: u64,
        dts: u64,
    ) -> (MediaTime, Option<MediaTime>) {
        let dts = self.clock.unwrap(dts);
        let pts = self.clock.unwrap(pts);
        if pts < dts {
            self.fault(open.index, unit.at, FaultKind::PtsBeforeDts(track, dts - pts));
        }
        let slot = match track {
            Track::Video => 0,
            Track::Audio => 1,
        };
        let step = self.last_dts[slot].replace(dts).map(|last| dts - last);
        if let Some(step) = step.filter(|&step| step <= MediaTime::ZERO) {
            self.fault(open.index, unit.at, FaultKind::DtsNotGrowing(track, step));
        }
        // Units come out in the order of their ends, and few are open at once.
        let begun = open.begun.iter().rposition(|&(at, _)| at == unit.at).map(|index| open.begun[index].1);
        if let Some(pcr) = begun.filter(|&pcr| pcr > dts) {
            self.fault(open.index, unit.at, FaultKind::Late(track, pcr - dts));
        }
        (dts, step)
    }

    /// One picture; 1 when it is a keyframe.
    fn picture(&mut self, open: &mut Open, unit: &PesUnit) -> u64 {
        let is_keyframe = unit.random_access || h264::annex_b_nal_units(&unit.data).any(is_idr);
        let mut nals = h264::annex_b_nal_units(&unit.data).map(h264::nal_type).peekable();
        if nals.next() != Some(NAL_AUD) {
            self.fault(open.index, unit.at, FaultKind::NoDelimiter);
        }
        let is_set = |kind: &u8| matches!(*kind, NAL_SPS | NAL_PPS);
        let is_late = nals.clone().skip_while(is_set).any(|kind| is_set(&kind));
        if is_keyframe {
            self.configured(open, unit.at, Track::Video, parameter_sets(&unit.data));
            let mut count_of = |wanted| std::iter::from_fn(|| nals.next_if_eq(&wanted)).count();
            let (sps, pps) = (count_of(NAL_SPS), count_of(NAL_PPS));
            if sps == 0 || pps == 0 {
                self.fault(open.index, unit.at, FaultKind::NoParameterSets);
            } else if is_late {
                self.fault(open.index, unit.at, FaultKind::LateParameterSets);
            }
        } else {
            if is_late {
                self.fault(open.index, unit.at, FaultKind::LateParameterSets);
            }
            if open.pictures == 0 && !open.expectation.forced_cut {
                self.fault(open.index, unit.at, FaultKind::NoKeyframe);
            }
        }
        open.pictures += 1;
        u64::from(is_keyframe)
    }

    /// Compares what a unit says of its track with what was said before.
    fn configured(&mut self, open: &Open, at: usize, track: Track, config: Vec<Vec<u8>>) {
        if config.is_empty() {
            return;
        }
        let before = &mut self.configs[usize::from(track == Track::Audio)];
        let changed = !before.is_empty() && *before != config;
        *before = config;
        if changed {
            self.fault(open.index, at, FaultKind::ConfigChanged(track));
        }
    }

    fn adts_frames(&mut self, open: &Open, unit: &PesUnit) -> u64 {
        let mut rest = &unit.data[..];
        let mut frames = 0;
        while let Some(header) = aac::parse_adts_header(rest) {
            let config = vec![vec![header.object_type, header.frequency_index, header.channel_configuration]];
            self.configured(open, unit.at, Track::Audio, config);
            rest = &rest[header.frame_bytes..];
            frames += 1;
        }
        if !rest.is_empty() || frames == 0 {
            self.fault(open.index, unit.at, FaultKind::BrokenAdts);
        }
        frames
    }
}

/// SPS and PPS of a picture, in order of their bytes.
fn parameter_sets(picture: &[u8]) -> Vec<Vec<u8>> {
    let sets = h264::annex_b_nal_units(picture).filter(|nal| matches!(h264::nal_type(nal), NAL_SPS | NAL_PPS));
    let mut sets: Vec<Vec<u8>> = sets.map(<[u8]>::to_vec).collect();
    sets.sort();
    sets
}

fn is_idr(nal: &[u8]) -> bool {
    h264::nal_type(nal) == NAL_IDR
}
