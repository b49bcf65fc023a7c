//! Both ends of the handshake: any split of any bytes, the same answer and the same end.

use crate::pieces;
use bytes::BytesMut;
use livebucket::codec::rtmp::RtmpError;
use livebucket::codec::rtmp::handshake::{ClientHandshake, ServerHandshake};

type Read<'a> = dyn FnMut(&mut &[u8], &mut BytesMut) -> Result<bool, RtmpError> + 'a;

fn split(seed: u8, bytes: &[u8], read: &mut Read<'_>) -> (Result<bool, RtmpError>, usize, BytesMut) {
    let (mut out, mut taken, mut end) = (BytesMut::new(), 0, Ok(false));
    for mut piece in pieces(seed, bytes) {
        let before = piece.len();
        end = read(&mut piece, &mut out);
        taken += before - piece.len();
        if end != Ok(false) {
            break;
        }
    }
    // How much of a refused socket was taken is of no interest.
    if end.is_err() { (end, 0, out) } else { (end, taken, out) }
}

/// Takes one input.
pub fn run(data: &[u8]) {
    let Some((&seed, bytes)) = data.split_first() else { return };
    let server = |seed| {
        let mut handshake = ServerHandshake::new([7; 1528]);
        split(seed, bytes, &mut |input, out| handshake.read(input, out))
    };
    assert_eq!(server(0), server(seed | 1));
    let client = |seed| {
        let mut handshake = ClientHandshake::new([9; 1528], true);
        split(seed, bytes, &mut |input, out| handshake.read(input, out))
    };
    assert_eq!(client(0), client(seed | 1));
}
