//! AMF0 and AMF3 values, alone and as the body of every message type. What was read and written again reads the same.

use bytes::{Bytes, BytesMut};
use livebucket::codec::rtmp::amf::{AmfLimits, AmfReader, AmfValue, write_value};
use livebucket::codec::rtmp::chunk::RawMessage;
use livebucket::codec::rtmp::message::{AggregateParts, Message};

const LIMITS: AmfLimits = AmfLimits { depth_max: 16, items_max: 4_096, bytes_max: 64 * 1024 };

fn values(bytes: &[u8]) -> Vec<AmfValue> {
    let Ok(mut reader) = AmfReader::new(bytes, LIMITS) else { return Vec::new() };
    std::iter::from_fn(|| if reader.is_empty() { None } else { reader.value().ok() }).collect()
}

fn text_bytes(values: &[AmfValue]) -> BytesMut {
    let mut out = BytesMut::new();
    values.iter().for_each(|value| write_value(&mut out, value));
    out
}

/// Takes one input.
pub fn run(data: &[u8]) {
    let Some((&type_id, body)) = data.split_first() else { return };
    let written = text_bytes(&values(body));
    // A reference of AMF3 stands for more bytes than it has.
    if written.len() <= LIMITS.bytes_max / 4 {
        assert_eq!(written, text_bytes(&values(&written)));
    }
    let payload = Bytes::copy_from_slice(body);
    let raw = RawMessage { chunk_stream_id: 3, type_id: type_id % 32, stream_id: 1, timestamp: 5, payload };
    let _ = Message::read(&raw, LIMITS);
    for part in AggregateParts::new(&raw) {
        let _ = Message::read(&part, LIMITS);
    }
}
