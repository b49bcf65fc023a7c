//! What a publisher really sent, by the service's own readers: for what its source alone can answer for.

use bytes::Bytes;
use livebucket::codec::flv::{FlvEvent, FlvReader};
use livebucket::codec::h264::nal_units;
use livebucket::codec::rtmp::{AmfLimits, MediaKind, Output, PeerEvent, PeerLimits, ServerPeer};
use livebucket::media::CodecConfig;

/// Bounds of a connection, small enough to be met.
pub const LIMITS: PeerLimits = PeerLimits {
    message_bytes_max: 64 * 1024,
    unfinished_bytes_max: 128 * 1024,
    unaccepted_bytes_max: 16 * 1024,
    command_bytes_max: 4 * 1024,
    chunk_streams_max: 16,
    amf: AmfLimits { depth_max: 16, items_max: 1_024, bytes_max: 64 * 1024 },
};

/// Whether a NAL unit or parameter set among the bytes of a socket contains a start code, which 7.4.1 of H.264 forbids: in a
/// transport stream it is two units. The service passes it on as it is, since encoders that replace only the first start
/// code of a picture play that way; but then it has not seen what the second unit is.
pub fn hides_start_codes(socket: &[u8]) -> bool {
    let (mut peer, mut reader, mut found) = (ServerPeer::new(LIMITS, [7; 1528]), Reader::default(), false);
    // In pieces, so that a publish is accepted before too much stands behind it.
    for piece in socket.chunks(1_024) {
        let fed = peer.feed(piece);
        while let Some(output) = peer.next_output() {
            match output {
                Output::Event(PeerEvent::PublishRequested { stream_id, .. }) => {
                    reader = Reader::default();
                    peer.accept_publish(stream_id, "yes");
                }
                Output::Event(PeerEvent::Media { kind: MediaKind::Video, timestamp, payload, .. }) => {
                    found |= reader.hides_start_codes(timestamp, &payload);
                }
                _ => {}
            }
        }
        if found || fed.is_err() {
            break;
        }
    }
    found
}

#[derive(Default)]
struct Reader {
    flv: FlvReader,
    nal_length_size: u8,
}

impl Reader {
    fn hides_start_codes(&mut self, timestamp: u32, tag: &Bytes) -> bool {
        let (config, unit) = match self.flv.video(timestamp, tag) {
            Ok(FlvEvent::Config(CodecConfig::Avc(config))) => (Some(config), None),
            Ok(FlvEvent::Reconfigured(CodecConfig::Avc(config), unit)) => (Some(config), Some(unit)),
            Ok(FlvEvent::Unit(unit)) => (None, Some(unit)),
            _ => (None, None),
        };
        self.nal_length_size = config.as_ref().map_or(self.nal_length_size, |config| config.nal_length_size);
        let mut sets = config.iter().flat_map(|config| config.sps.iter().chain(&config.pps));
        let mut nals = unit.iter().flat_map(|unit| nal_units(&unit.payload, self.nal_length_size).flatten());
        sets.any(|set| has_start_code(set)) || nals.any(has_start_code)
    }
}

fn has_start_code(nal: &[u8]) -> bool {
    nal.windows(3).any(|window| window == [0, 0, 1])
}
