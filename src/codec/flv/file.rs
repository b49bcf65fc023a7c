//! FLV files and HTTP-FLV streams held in memory: the tags around the bodies (annex E.2 and E.3).

use bytes::Bytes;

use super::FlvError;
use crate::codec::cursor::Cursor;

/// What a tag carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagKind {
    /// Type 8.
    Audio,
    /// Type 9.
    Video,
    /// Type 18 (`onMetaData`) and whatever else there is.
    Script,
}

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlvTag {
    /// What it carries.
    pub kind: TagKind,
    /// Milliseconds.
    pub timestamp: u32,
    /// Body, for [`super::FlvReader`].
    pub body: Bytes,
}

/// Iterates over the tags of a file. Ends after the first error; a file cut short inside a tag is one.
#[derive(Debug)]
pub struct FlvTags {
    file: Bytes,
    at: usize,
    failed: bool,
}

impl FlvTags {
    /// Checks the file header.
    pub fn new(file: Bytes) -> Result<Self, FlvError> {
        let mut cursor = Cursor::new(&file);
        if &cursor.array::<3>()? != b"FLV" {
            return Err(FlvError::Malformed { at: 0, what: "no FLV signature" });
        }
        cursor.take(2)?; // version, flags: encoders get the flags wrong
        let header_bytes = cursor.u32()?;
        let at = usize::try_from(header_bytes).ok().and_then(|bytes| bytes.checked_add(4));
        match at.filter(|&at| at <= file.len()) {
            Some(at) => Ok(FlvTags { file, at, failed: false }),
            None => Err(FlvError::Malformed { at: 5, what: "header longer than the file" }),
        }
    }

    fn read(&mut self) -> Result<FlvTag, FlvError> {
        let start = self.at;
        let at_offset = |error: super::OutOfBytes| FlvError::Malformed { at: start + error.at, what: "ends early" };
        let mut cursor = Cursor::new(&self.file[start..]);
        let kind = match cursor.u8().map_err(at_offset)? & 0x1f {
            8 => TagKind::Audio,
            9 => TagKind::Video,
            _ => TagKind::Script,
        };
        let body_bytes = cursor.u24().map_err(at_offset)?;
        let timestamp = cursor.u24().map_err(at_offset)?;
        let timestamp = timestamp | u32::from(cursor.u8().map_err(at_offset)?) << 24;
        cursor.take(3).map_err(at_offset)?; // stream id, always 0
        let body = cursor.take(body_bytes as usize).map_err(at_offset)?;
        let body = self.file.slice_ref(body);
        cursor.take(4).map_err(at_offset)?; // size of this tag, for reading backwards
        self.at = start + cursor.position();
        Ok(FlvTag { kind, timestamp, body })
    }
}

impl Iterator for FlvTags {
    type Item = Result<FlvTag, FlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.at >= self.file.len() {
            return None;
        }
        let tag = self.read();
        self.failed = tag.is_err();
        Some(tag)
    }
}
