//! FLV: a file's tags, and a publisher's tag bodies in any order. What comes out as an access unit can be walked.

use crate::Choices;
use bytes::Bytes;
use livebucket::codec::flv::{FlvEvent, FlvReader, FlvTags};
use livebucket::codec::{aac, h264};
use livebucket::media::{CodecConfig, Track};

/// Takes one input.
pub fn run(data: &[u8]) {
    if let Ok(tags) = FlvTags::new(Bytes::copy_from_slice(data)) {
        tags.for_each(drop);
    }
    let (mut choices, mut reader, mut nal_length_size) = (Choices(data), FlvReader::new(), 0);
    while !choices.is_empty() {
        let (kind, length) = (choices.u8(), choices.u16());
        let body = Bytes::copy_from_slice(choices.take(usize::from(length)));
        let read = if kind & 1 == 0 { reader.video(7, &body) } else { reader.audio(7, &body) };
        match read {
            Ok(FlvEvent::Config(CodecConfig::Avc(config))) => nal_length_size = config.nal_length_size,
            Ok(FlvEvent::Reconfigured(CodecConfig::Avc(config), unit)) => {
                nal_length_size = config.nal_length_size;
                let facts = h264::unit_facts(&unit.payload, nal_length_size).expect("a whole access unit");
                assert!(facts.has_slice && !config.sps.is_empty());
            }
            Ok(FlvEvent::Unit(unit)) if unit.track == Track::Video => {
                let facts = h264::unit_facts(&unit.payload, nal_length_size).expect("a whole access unit");
                assert!(facts.has_slice && (unit.keyframe || !facts.has_idr));
            }
            Ok(FlvEvent::Unit(unit) | FlvEvent::Reconfigured(CodecConfig::Aac(_), unit)) => {
                assert!((1..=aac::FRAME_BYTES_MAX).contains(&unit.payload.len()))
            }
            _ => {}
        }
    }
}
