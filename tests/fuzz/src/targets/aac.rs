//! AAC: the AudioSpecificConfig and the ADTS headers made from it and found in frames.

use bytes::Bytes;
use livebucket::codec::aac;

/// Takes one input.
pub fn run(data: &[u8]) {
    if let Ok(config) = aac::parse_audio_specific_config(&Bytes::copy_from_slice(data)) {
        for frame_bytes in [0, 1, data.len(), aac::FRAME_BYTES_MAX] {
            let header = aac::adts_header(&config, frame_bytes).expect("short enough");
            let frame = [&header[..], &vec![0; frame_bytes]].concat();
            let read = aac::parse_adts_header(&frame).expect("our own");
            assert_eq!((read.header_bytes, read.frame_bytes), (aac::ADTS_HEADER_BYTES, frame.len()));
            let written = (config.object_type, config.frequency_index, config.channel_configuration);
            assert_eq!((read.object_type, read.frequency_index, read.channel_configuration), written);
        }
        assert!(aac::adts_header(&config, aac::FRAME_BYTES_MAX + 1).is_none());
    }
    if let Some(header) = aac::parse_adts_header(data) {
        assert!(header.header_bytes <= header.frame_bytes && header.frame_bytes <= data.len());
    }
    assert!(aac::stray_adts_header_bytes(data) <= data.len());
}
