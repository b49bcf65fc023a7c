//! H.264: the configuration record, parameter sets, both framings of NAL units.

use bytes::Bytes;
use livebucket::codec::h264;

/// Takes one input.
pub fn run(data: &[u8]) {
    let _ = h264::sps_facts(data);
    if let Ok(config) = h264::parse_decoder_config(&Bytes::copy_from_slice(data)) {
        assert!(matches!(config.nal_length_size, 1 | 2 | 4) && config.width > 0 && config.height > 0);
        assert!(config.sps.iter().all(|set| h264::nal_type(set) == h264::NAL_SPS));
    }
    for size in 0..=5 {
        let _ = h264::unit_facts(data, size);
        assert!(h264::nal_units(data, size).flatten().all(|nal| !nal.is_empty()));
        if let Ok(avcc) = h264::annex_b_to_avcc(data, size) {
            assert!(h264::nal_units(&avcc, size).map(|nal| nal.expect("our own")).eq(h264::annex_b_nal_units(data)));
        }
    }
}
