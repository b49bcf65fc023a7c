//! AMF0 ("Action Message Format - AMF 0", 2.1 to 3.1).

use super::{AmfError, AmfReader, AmfValue};

pub(super) const NUMBER: u8 = 0x00;
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const STRING: u8 = 0x02;
pub(super) const OBJECT: u8 = 0x03;
pub(super) const NULL: u8 = 0x05;
pub(super) const UNDEFINED: u8 = 0x06;
pub(super) const REFERENCE: u8 = 0x07;
pub(super) const ECMA_ARRAY: u8 = 0x08;
pub(super) const OBJECT_END: u8 = 0x09;
pub(super) const STRICT_ARRAY: u8 = 0x0A;
pub(super) const DATE: u8 = 0x0B;
pub(super) const LONG_STRING: u8 = 0x0C;
pub(super) const UNSUPPORTED: u8 = 0x0D;
pub(super) const XML_DOCUMENT: u8 = 0x0F;
pub(super) const TYPED_OBJECT: u8 = 0x10;
pub(super) const AVMPLUS_OBJECT: u8 = 0x11;

impl AmfReader<'_> {
    pub(super) fn amf0(&mut self, depth: usize) -> Result<AmfValue, AmfError> {
        self.count_item()?;
        let at = self.cursor.position();
        Ok(match self.cursor.u8()? {
            NUMBER => AmfValue::Number(self.cursor.f64()?),
            BOOLEAN => AmfValue::Boolean(self.cursor.u8()? != 0),
            STRING => AmfValue::String(self.short_text()?),
            OBJECT => AmfValue::Object(self.amf0_members(depth)?),
            NULL => AmfValue::Null,
            UNDEFINED => AmfValue::Undefined,
            REFERENCE => AmfValue::Reference(u32::from(self.cursor.u16()?)),
            ECMA_ARRAY => {
                // The count is a hint: encoders write 0 or one too few, the end marker decides.
                self.cursor.u32()?;
                AmfValue::EcmaArray(self.amf0_members(depth)?)
            }
            STRICT_ARRAY => AmfValue::Array(self.amf0_items(depth)?),
            DATE => {
                let millis = self.cursor.f64()?;
                // A time zone, reserved and to be ignored (2.13).
                self.cursor.u16()?;
                AmfValue::Date(millis)
            }
            LONG_STRING => AmfValue::String(self.long_text()?),
            UNSUPPORTED => AmfValue::Unsupported,
            XML_DOCUMENT => AmfValue::Xml(self.long_text()?),
            TYPED_OBJECT => {
                let class = self.short_text()?;
                AmfValue::TypedObject { class, members: self.amf0_members(depth)? }
            }
            AVMPLUS_OBJECT => self.amf3(depth)?,
            // 0x04 movie clip and 0x0E record set are reserved and have no body that could be passed over.
            marker => return Err(AmfError::Marker { at, marker }),
        })
    }

    fn short_text(&mut self) -> Result<String, AmfError> {
        let length = self.cursor.u16()?;
        self.text(usize::from(length))
    }

    fn long_text(&mut self) -> Result<String, AmfError> {
        let length = self.cursor.u32()?;
        self.text(length as usize)
    }

    fn amf0_members(&mut self, depth: usize) -> Result<Vec<(String, AmfValue)>, AmfError> {
        let depth = self.deeper(depth)?;
        let mut members = Vec::new();
        loop {
            // Some encoders leave out the end marker of the message's last object.
            if self.cursor.is_empty() {
                return Ok(members);
            }
            let name = self.short_text()?;
            if name.is_empty() && self.cursor.rest().first() == Some(&OBJECT_END) {
                self.cursor.u8()?;
                return Ok(members);
            }
            members.push((name, self.amf0(depth)?));
        }
    }

    fn amf0_items(&mut self, depth: usize) -> Result<Vec<AmfValue>, AmfError> {
        let depth = self.deeper(depth)?;
        let count = self.cursor.u32()?;
        // The count is not trusted with an allocation.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.amf0(depth)?);
        }
        Ok(items)
    }
}
