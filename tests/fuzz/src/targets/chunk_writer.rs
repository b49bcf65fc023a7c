//! What the chunk writer writes, the chunk reader reads: whatever times, streams, types and chunk sizes follow each
//! other.

use crate::Choices;
use bytes::{Bytes, BytesMut};
use livebucket::codec::rtmp::chunk::{ChunkLimits, ChunkReader, ChunkWriter, RawMessage};

const LIMITS: ChunkLimits =
    ChunkLimits { message_bytes_max: 1 << 20, unfinished_bytes_max: 1 << 20, chunk_streams_max: 1 << 16 };

/// Takes one input.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let (mut writer, mut out, mut sent) = (ChunkWriter::default(), BytesMut::new(), Vec::new());
    while !choices.is_empty() {
        let kind = choices.u8();
        if kind == 0 {
            writer.set_chunk_size(&mut out, choices.u32());
            continue;
        }
        // Types 1 and 2 are obeyed, not returned.
        let (chunk_stream, type_id) = (2 + u32::from(choices.u16()) % 65_598, 3 + kind % 20);
        let (stream_id, timestamp, length) = (u32::from(choices.u8()), choices.u32(), usize::from(choices.u16()));
        let payload = Bytes::from(vec![kind; length % 4_096]);
        writer.write(&mut out, chunk_stream, stream_id, type_id, timestamp, &payload).expect("short");
        sent.push((type_id, stream_id, timestamp, payload));
    }
    let (mut reader, mut input, mut read) = (ChunkReader::new(LIMITS), &out[..], Vec::new());
    while let Some(RawMessage { type_id, stream_id, timestamp, payload, .. }) =
        reader.read(&mut input).expect("our own")
    {
        read.push((type_id, stream_id, timestamp, payload));
    }
    assert_eq!(read, sent);
}
