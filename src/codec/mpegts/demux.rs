//! Transport packets back to program tables and PES packets.
//!
//! Reads one program, as fragments have it. Memory is bounded by what the caller feeds, and one unit by
//! `unit_bytes_max`. Deliberate absences: sections over several packets, descriptors, scrambling.

use super::packet::TsPacket;
use super::psi::{self, Program};
use super::{PACKET_BYTES, PID_PAT, TsError, pes, track_of};
use crate::media::Track;

/// One PES packet of a listed PID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PesUnit {
    /// Offset of the transport packet in which it begins.
    pub at: usize,
    /// Its PID.
    pub pid: u16,
    /// Its stream id.
    pub stream_id: u8,
    /// The track, when the PMT gives its PID a stream type that we know.
    pub track: Option<Track>,
    /// PTS, 33 bits.
    pub pts: Option<u64>,
    /// DTS, 33 bits; the PTS when it has no DTS of its own.
    pub dts: Option<u64>,
    /// The transport packet carried the random access indicator.
    pub random_access: bool,
    /// Payload.
    pub data: Vec<u8>,
}

/// What came out of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TsEvent {
    /// A PAT with one program.
    Pat,
    /// A PMT.
    Program(Program),
    /// A PES packet, complete.
    Unit(PesUnit),
}

/// Demultiplexes one program.
#[derive(Debug)]
pub struct Demuxer {
    unit_bytes_max: usize,
    pmt_pid: Option<u16>,
    program: Option<Program>,
    open: Vec<OpenUnit>,
}

/// A PES packet whose end has not been seen.
#[derive(Debug)]
struct OpenUnit {
    unit: PesUnit,
    payload_bytes: Option<usize>,
}

impl Demuxer {
    /// Before the first packet. `unit_bytes_max` bounds one PES packet.
    pub fn new(unit_bytes_max: usize) -> Self {
        Demuxer { unit_bytes_max, pmt_pid: None, program: None, open: Vec::new() }
    }

    /// The PMT in force.
    pub fn program(&self) -> Option<&Program> {
        self.program.as_ref()
    }

    /// PID of the PMT, from the PAT.
    pub fn pmt_pid(&self) -> Option<u16> {
        self.pmt_pid
    }

    /// Takes the packet at offset `at`; what it completes goes to `events`.
    pub fn push(&mut self, at: usize, packet: &TsPacket<'_>, events: &mut Vec<TsEvent>) -> Result<(), TsError> {
        let Some(payload) = packet.payload else { return Ok(()) };
        let fault = |what| TsError { at, what };
        if packet.pid == PID_PAT {
            let programs = psi::parse_pat(payload).map_err(fault)?;
            let [pmt_pid] = programs[..] else { return Err(fault("PAT does not list one program")) };
            self.pmt_pid = Some(pmt_pid);
            events.push(TsEvent::Pat);
        } else if Some(packet.pid) == self.pmt_pid {
            let program = psi::parse_pmt(payload).map_err(fault)?;
            self.program = Some(program.clone());
            events.push(TsEvent::Program(program));
        } else if let Some(listed) = self.listed(packet.pid) {
            self.push_pes(at, packet, payload, track_of(listed), events).map_err(fault)?;
        }
        Ok(())
    }

    /// The end: units of open length are complete.
    pub fn finish(&mut self, at: usize, events: &mut Vec<TsEvent>) -> Result<(), TsError> {
        for open in std::mem::take(&mut self.open) {
            close(open, events).map_err(|what| TsError { at, what })?;
        }
        Ok(())
    }

    /// Stream type that the PMT gives a PID.
    fn listed(&self, pid: u16) -> Option<u8> {
        self.program.as_ref()?.streams.iter().find(|stream| stream.pid == pid).map(|stream| stream.stream_type)
    }

    fn push_pes(
        &mut self,
        at: usize,
        packet: &TsPacket<'_>,
        payload: &[u8],
        track: Option<Track>,
        events: &mut Vec<TsEvent>,
    ) -> Result<(), &'static str> {
        let pid = packet.pid;
        let index = self.open.iter().position(|open| open.unit.pid == pid);
        if packet.unit_start {
            if let Some(index) = index {
                close(self.open.swap_remove(index), events)?;
            }
            let header = pes::parse(payload)?;
            let unit = PesUnit {
                at,
                pid,
                stream_id: header.stream_id,
                track,
                pts: header.pts,
                dts: header.dts,
                random_access: packet.adaptation.random_access,
                data: Vec::new(),
            };
            self.open.push(OpenUnit { unit, payload_bytes: header.payload_bytes });
            self.extend(self.open.len() - 1, &payload[header.header_bytes..], events)
        } else {
            self.extend(index.ok_or("PES data before a PES header")?, payload, events)
        }
    }

    fn extend(&mut self, index: usize, payload: &[u8], events: &mut Vec<TsEvent>) -> Result<(), &'static str> {
        let open = &mut self.open[index];
        let length = open.unit.data.len() + payload.len();
        if length > self.unit_bytes_max {
            return Err("PES packet longer than the limit");
        }
        open.unit.data.extend_from_slice(payload);
        match open.payload_bytes {
            Some(expected) if length > expected => Err("PES packet longer than it says"),
            Some(expected) if length == expected => close(self.open.swap_remove(index), events),
            _ => Ok(()),
        }
    }
}

fn close(open: OpenUnit, events: &mut Vec<TsEvent>) -> Result<(), &'static str> {
    if open.payload_bytes.is_some_and(|expected| expected != open.unit.data.len()) {
        return Err("PES packet shorter than it says");
    }
    events.push(TsEvent::Unit(open.unit));
    Ok(())
}

/// Demultiplexes a whole fragment: its PES packets in the order in which they begin, and the last PMT.
pub fn demux(fragment: &[u8], unit_bytes_max: usize) -> Result<(Option<Program>, Vec<PesUnit>), TsError> {
    let mut demuxer = Demuxer::new(unit_bytes_max);
    let mut events = Vec::new();
    for (at, packet) in packets(fragment) {
        demuxer.push(at, &packet.map_err(|what| TsError { at, what })?, &mut events)?;
    }
    demuxer.finish(fragment.len(), &mut events)?;
    let units = events.into_iter().filter_map(|event| match event {
        TsEvent::Unit(unit) => Some(unit),
        TsEvent::Pat | TsEvent::Program(_) => None,
    });
    let mut units: Vec<_> = units.collect();
    units.sort_by_key(|unit| unit.at);
    Ok((demuxer.program, units))
}

/// The packets of a fragment with their offsets. Bytes after the last whole packet are an error of their own.
pub fn packets(fragment: &[u8]) -> impl Iterator<Item = (usize, Result<TsPacket<'_>, &'static str>)> {
    fragment.chunks(PACKET_BYTES).enumerate().map(|(index, chunk)| {
        let packet = chunk.first_chunk::<PACKET_BYTES>().ok_or("packet ends early").and_then(TsPacket::parse);
        (index * PACKET_BYTES, packet)
    })
}
