//! AMF0, the AMF3 values behind its switch marker, and their common value.
//!
//! Depth, items and bytes are bounded, so a small message cannot name a large value. References to objects are kept
//! as [`AmfValue::Reference`] and not followed: no message that a peer acts on needs one, and following them would
//! let a few bytes stand for an exponential amount. Text is lossy UTF-8: encoders write Latin-1 into `encoder` fields.

mod amf0;
mod amf3;

use bytes::{BufMut, BytesMut};

use crate::codec::cursor::{Cursor, OutOfBytes};
use amf3::Tables;

/// What the values of one message may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmfLimits {
    /// Objects and arrays within each other.
    pub depth_max: usize,
    /// Values in all.
    pub items_max: usize,
    /// Bytes of the message, and of the text that its values hold.
    pub bytes_max: usize,
}

impl Default for AmfLimits {
    /// Real metadata is three deep and has 30 values; files pushed with their keyframe index have thousands.
    fn default() -> Self {
        AmfLimits { depth_max: 16, items_max: 32_768, bytes_max: 1024 * 1024 }
    }
}

/// Why values could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmfError {
    /// They are cut.
    #[error(transparent)]
    OutOfBytes(#[from] OutOfBytes),
    /// A marker that no value has, or one that is reserved.
    #[error("AMF marker {marker:#04x} at offset {at}")]
    Marker {
        /// Offset of the marker.
        at: usize,
        /// The marker.
        marker: u8,
    },
    /// A reference to a string or to traits that were not sent.
    #[error("AMF3 reference to nothing at offset {at}")]
    Reference {
        /// Offset behind the reference.
        at: usize,
    },
    /// An object in a form that only its own class can read.
    #[error("AMF3 object of external class {class} at offset {at}")]
    External {
        /// Offset of its body.
        at: usize,
        /// The class.
        class: String,
    },
    /// A limit; its name.
    #[error("AMF values over the limit of {limit} at offset {at}")]
    Limit {
        /// Offset where it was passed.
        at: usize,
        /// "depth", "items" or "bytes".
        limit: &'static str,
    },
}

/// A value of AMF0 or AMF3.
#[derive(Clone, Debug, PartialEq)]
pub enum AmfValue {
    /// A number; AMF3's integers too.
    Number(f64),
    /// A truth value.
    Boolean(bool),
    /// Text of any length.
    String(String),
    /// Named values, in order.
    Object(Vec<(String, AmfValue)>),
    /// Named values that AMF0 calls an ECMA array and AMF3 an array with keys.
    EcmaArray(Vec<(String, AmfValue)>),
    /// An object with a class.
    TypedObject {
        /// The class's name.
        class: String,
        /// Named values, in order.
        members: Vec<(String, AmfValue)>,
    },
    /// Values by position.
    Array(Vec<AmfValue>),
    /// Null.
    Null,
    /// Undefined.
    Undefined,
    /// An object that was sent before, by its number; not followed.
    Reference(u32),
    /// Milliseconds since 1970 in UTC.
    Date(f64),
    /// An XML document.
    Xml(String),
    /// Bytes (AMF3).
    ByteArray(Vec<u8>),
    /// What the sender could not express.
    Unsupported,
}

impl AmfValue {
    /// An object of named values.
    pub fn object<const N: usize>(members: [(&str, AmfValue); N]) -> Self {
        AmfValue::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// Text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            AmfValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// A number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            AmfValue::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            AmfValue::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The named values of an object of any kind.
    pub fn members(&self) -> Option<&[(String, AmfValue)]> {
        match self {
            AmfValue::Object(members) | AmfValue::EcmaArray(members) | AmfValue::TypedObject { members, .. } => {
                Some(members)
            }
            _ => None,
        }
    }

    /// A named value of an object of any kind; of several with one name the last, as assignments would leave it.
    pub fn get(&self, name: &str) -> Option<&AmfValue> {
        self.members()?.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Values by position, if it is an array.
    pub fn items(&self) -> Option<&[AmfValue]> {
        match self {
            AmfValue::Array(items) => Some(items),
            _ => None,
        }
    }
}

impl From<&str> for AmfValue {
    fn from(text: &str) -> Self {
        AmfValue::String(text.to_owned())
    }
}

impl From<f64> for AmfValue {
    fn from(number: f64) -> Self {
        AmfValue::Number(number)
    }
}

impl From<bool> for AmfValue {
    fn from(value: bool) -> Self {
        AmfValue::Boolean(value)
    }
}

/// Reads the values of one message, one after the other.
#[derive(Debug)]
pub struct AmfReader<'a> {
    cursor: Cursor<'a>,
    depth_max: usize,
    items_left: usize,
    bytes_left: usize,
    tables: Tables,
}

impl<'a> AmfReader<'a> {
    /// At the first marker.
    pub fn new(bytes: &'a [u8], limits: AmfLimits) -> Result<Self, AmfError> {
        if bytes.len() > limits.bytes_max {
            return Err(AmfError::Limit { at: 0, limit: "bytes" });
        }
        Ok(AmfReader {
            cursor: Cursor::new(bytes),
            depth_max: limits.depth_max,
            items_left: limits.items_max,
            bytes_left: limits.bytes_max,
            tables: Tables::default(),
        })
    }

    /// All values were read.
    pub fn is_empty(&self) -> bool {
        self.cursor.is_empty()
    }

    /// The next AMF0 value. After an error the position is undefined.
    pub fn value(&mut self) -> Result<AmfValue, AmfError> {
        self.amf0(0)
    }

    fn limit(&self, limit: &'static str) -> AmfError {
        AmfError::Limit { at: self.cursor.position(), limit }
    }

    /// Counts one value.
    fn count_item(&mut self) -> Result<(), AmfError> {
        self.items_left = self.items_left.checked_sub(1).ok_or_else(|| self.limit("items"))?;
        Ok(())
    }

    /// Counts text that a value holds; AMF3 can name the same text again and again.
    fn count_bytes(&mut self, count: usize) -> Result<(), AmfError> {
        self.bytes_left = self.bytes_left.checked_sub(count).ok_or_else(|| self.limit("bytes"))?;
        Ok(())
    }

    /// The depth of what stands in a container at `depth`.
    fn deeper(&self, depth: usize) -> Result<usize, AmfError> {
        if depth >= self.depth_max { Err(self.limit("depth")) } else { Ok(depth + 1) }
    }

    fn text(&mut self, length: usize) -> Result<String, AmfError> {
        let bytes = self.cursor.take(length)?;
        // A replacement character is three bytes long and stands for at least one.
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.count_bytes(text.len())?;
        Ok(text)
    }
}

/// Appends a value in AMF0. AMF3's byte arrays have no AMF0 form and become `unsupported`.
pub fn write_value(out: &mut BytesMut, value: &AmfValue) {
    match value {
        AmfValue::Number(number) => {
            out.put_u8(amf0::NUMBER);
            out.put_f64(*number);
        }
        AmfValue::Boolean(value) => out.put_slice(&[amf0::BOOLEAN, u8::from(*value)]),
        AmfValue::String(text) => match u16::try_from(text.len()) {
            Ok(length) => {
                out.put_u8(amf0::STRING);
                out.put_u16(length);
                out.put_slice(text.as_bytes());
            }
            Err(_) => write_long(out, amf0::LONG_STRING, text),
        },
        AmfValue::Object(members) => {
            out.put_u8(amf0::OBJECT);
            write_members(out, members);
        }
        AmfValue::EcmaArray(members) => {
            out.put_u8(amf0::ECMA_ARRAY);
            out.put_u32(members.len() as u32);
            write_members(out, members);
        }
        AmfValue::TypedObject { class, members } => {
            out.put_u8(amf0::TYPED_OBJECT);
            write_key(out, class);
            write_members(out, members);
        }
        AmfValue::Array(items) => {
            out.put_u8(amf0::STRICT_ARRAY);
            out.put_u32(items.len() as u32);
            items.iter().for_each(|item| write_value(out, item));
        }
        AmfValue::Null => out.put_u8(amf0::NULL),
        AmfValue::Undefined => out.put_u8(amf0::UNDEFINED),
        AmfValue::Reference(index) => {
            out.put_u8(amf0::REFERENCE);
            out.put_u16(*index as u16);
        }
        AmfValue::Date(millis) => {
            out.put_u8(amf0::DATE);
            out.put_f64(*millis);
            out.put_i16(0);
        }
        AmfValue::Xml(text) => write_long(out, amf0::XML_DOCUMENT, text),
        AmfValue::ByteArray(_) | AmfValue::Unsupported => out.put_u8(amf0::UNSUPPORTED),
    }
}

fn write_long(out: &mut BytesMut, marker: u8, text: &str) {
    out.put_u8(marker);
    out.put_u32(text.len() as u32);
    out.put_slice(text.as_bytes());
}

fn write_members(out: &mut BytesMut, members: &[(String, AmfValue)]) {
    for (name, value) in members {
        write_key(out, name);
        write_value(out, value);
    }
    out.put_slice(&[0, 0, amf0::OBJECT_END]);
}

/// Names have 16 bits of length; a longer one is cut at a character.
fn write_key(out: &mut BytesMut, name: &str) {
    let name = &name[..name.floor_char_boundary(usize::from(u16::MAX))];
    out.put_u16(name.len() as u16);
    out.put_slice(name.as_bytes());
}

#[cfg(test)]
mod tests;
