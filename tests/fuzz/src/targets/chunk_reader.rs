//! Chunks from any bytes: every split gives the same messages and the same error, within the limits.

use crate::pieces;
use livebucket::codec::rtmp::RtmpError;
use livebucket::codec::rtmp::chunk::{ChunkLimits, ChunkReader, RawMessage};

const LIMITS: ChunkLimits =
    ChunkLimits { message_bytes_max: 64 * 1024, unfinished_bytes_max: 128 * 1024, chunk_streams_max: 8 };

fn read(seed: u8, bytes: &[u8]) -> (Vec<RawMessage>, Result<u64, RtmpError>) {
    let (mut reader, mut messages) = (ChunkReader::new(LIMITS), Vec::new());
    for mut piece in pieces(seed, bytes) {
        loop {
            match reader.read(&mut piece) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Err(error)),
            }
        }
        assert!(piece.is_empty(), "what is not understood yet is taken all the same");
    }
    (messages, Ok(reader.position()))
}

/// Takes one input.
pub fn run(data: &[u8]) {
    let Some((&seed, bytes)) = data.split_first() else { return };
    let whole = read(0, bytes);
    assert!(whole.0.iter().all(|message| message.payload.len() <= LIMITS.message_bytes_max));
    assert_eq!(whole, read(seed | 1, bytes));
}
