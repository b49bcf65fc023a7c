//! Transport packets of any kind: demultiplexer and checker read them without harm, and count what they leave out.

use livebucket::codec::mpegts::check::{Checker, Expectation};
use livebucket::codec::mpegts::{PACKET_BYTES, demux};

/// Takes one input.
pub fn run(data: &[u8]) {
    let Some((&flags, bytes)) = data.split_first() else { return };
    if let Ok((_, units)) = demux::demux(bytes, 1 << 20) {
        assert!(units.iter().map(|unit| unit.data.len()).sum::<usize>() <= bytes.len());
    }
    let mut checker = Checker::new();
    let packets = usize::from(flags >> 2) + 1;
    for fragment in bytes.chunks(packets * PACKET_BYTES) {
        checker.fragment(
            fragment,
            Expectation { discontinuity: flags & 1 == 1, goes_on: flags & 4 == 4, forced_cut: flags & 2 == 2 },
        );
    }
    let report = checker.finish();
    assert!(report.faults.len() <= 1_000 && report.fragments.len() <= bytes.len() / PACKET_BYTES + 1);
}
