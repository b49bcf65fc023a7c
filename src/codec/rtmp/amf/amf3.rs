//! AMF3 ("Action Message Format - AMF 3", 3.1 to 3.14), as Flash and Flex send it behind AMF0's switch marker.
//!
//! No vectors and no dictionaries: they came after the last encoder that spoke AMF3.

use super::{AmfError, AmfReader, AmfValue};

const UNDEFINED: u8 = 0x00;
const NULL: u8 = 0x01;
const FALSE: u8 = 0x02;
const TRUE: u8 = 0x03;
const INTEGER: u8 = 0x04;
const DOUBLE: u8 = 0x05;
const STRING: u8 = 0x06;
const XML_DOCUMENT: u8 = 0x07;
const DATE: u8 = 0x08;
const ARRAY: u8 = 0x09;
const OBJECT: u8 = 0x0A;
const XML: u8 = 0x0B;
const BYTE_ARRAY: u8 = 0x0C;

/// What references of one message may point to.
#[derive(Debug, Default)]
pub(super) struct Tables {
    strings: Vec<String>,
    traits: Vec<Traits>,
}

#[derive(Debug)]
struct Traits {
    class: String,
    names: Vec<String>,
    dynamic: bool,
    external: bool,
}

impl AmfReader<'_> {
    pub(super) fn amf3(&mut self, depth: usize) -> Result<AmfValue, AmfError> {
        self.count_item()?;
        let at = self.cursor.position();
        Ok(match self.cursor.u8()? {
            UNDEFINED => AmfValue::Undefined,
            NULL => AmfValue::Null,
            FALSE => AmfValue::Boolean(false),
            TRUE => AmfValue::Boolean(true),
            // 29 bits, two's complement.
            INTEGER => AmfValue::Number(f64::from(((self.u29()? << 3) as i32) >> 3)),
            DOUBLE => AmfValue::Number(self.cursor.f64()?),
            STRING => AmfValue::String(self.amf3_text()?),
            XML_DOCUMENT | XML => match self.inline()? {
                Ok(length) => AmfValue::Xml(self.text(length)?),
                Err(reference) => reference,
            },
            DATE => match self.inline()? {
                Ok(_) => AmfValue::Date(self.cursor.f64()?),
                Err(reference) => reference,
            },
            ARRAY => match self.inline()? {
                Ok(count) => self.amf3_array(count, depth)?,
                Err(reference) => reference,
            },
            OBJECT => match self.inline()? {
                Ok(flags) => self.amf3_object(flags, depth)?,
                Err(reference) => reference,
            },
            BYTE_ARRAY => match self.inline()? {
                Ok(length) => {
                    self.count_bytes(length)?;
                    AmfValue::ByteArray(self.cursor.take(length)?.to_vec())
                }
                Err(reference) => reference,
            },
            marker => return Err(AmfError::Marker { at, marker }),
        })
    }

    /// Seven bits a byte, the fourth byte has eight (1.3.1).
    fn u29(&mut self) -> Result<u32, AmfError> {
        let mut value = 0;
        for _ in 0..3 {
            let byte = self.cursor.u8()?;
            value = value << 7 | u32::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Ok(value << 8 | u32::from(self.cursor.u8()?))
    }

    /// A number whose low bit tells a value that stands here (the rest says how long) from a reference.
    fn inline(&mut self) -> Result<Result<usize, AmfValue>, AmfError> {
        let value = self.u29()?;
        Ok(if value & 1 == 1 { Ok((value >> 1) as usize) } else { Err(AmfValue::Reference(value >> 1)) })
    }

    fn amf3_text(&mut self) -> Result<String, AmfError> {
        let value = self.u29()? as usize;
        if value & 1 == 0 {
            let at = self.cursor.position();
            let text = self.tables.strings.get(value >> 1).ok_or(AmfError::Reference { at })?.clone();
            self.count_bytes(text.len())?;
            return Ok(text);
        }
        let text = self.text(value >> 1)?;
        // The empty string is never sent by reference (3.8).
        if !text.is_empty() {
            self.tables.strings.push(text.clone());
        }
        Ok(text)
    }

    /// Named values up to an empty name.
    fn amf3_members(&mut self, members: &mut Vec<(String, AmfValue)>, depth: usize) -> Result<(), AmfError> {
        loop {
            let name = self.amf3_text()?;
            if name.is_empty() {
                return Ok(());
            }
            members.push((name, self.amf3(depth)?));
        }
    }

    fn amf3_array(&mut self, count: usize, depth: usize) -> Result<AmfValue, AmfError> {
        let depth = self.deeper(depth)?;
        let mut members = Vec::new();
        self.amf3_members(&mut members, depth)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(self.amf3(depth)?);
        }
        if members.is_empty() {
            return Ok(AmfValue::Array(items));
        }
        members.extend(items.into_iter().enumerate().map(|(index, item)| (index.to_string(), item)));
        Ok(AmfValue::EcmaArray(members))
    }

    /// `flags` are the object's header without its reference bit (3.12).
    fn amf3_object(&mut self, flags: usize, depth: usize) -> Result<AmfValue, AmfError> {
        let depth = self.deeper(depth)?;
        let index = self.amf3_traits(flags)?;
        let at = self.cursor.position();
        let traits = &self.tables.traits[index];
        let (class, sealed, dynamic) = (traits.class.clone(), traits.names.len(), traits.dynamic);
        self.count_bytes(class.len())?;
        if self.tables.traits[index].external {
            return self.amf3_external(class, at, depth);
        }
        let mut members = Vec::new();
        for position in 0..sealed {
            let name = self.tables.traits[index].names[position].clone();
            self.count_bytes(name.len())?;
            members.push((name, self.amf3(depth)?));
        }
        if dynamic {
            self.amf3_members(&mut members, depth)?;
        }
        Ok(if class.is_empty() { AmfValue::Object(members) } else { AmfValue::TypedObject { class, members } })
    }

    fn amf3_traits(&mut self, flags: usize) -> Result<usize, AmfError> {
        if flags & 1 == 0 {
            let at = self.cursor.position();
            let index = flags >> 1;
            return if index < self.tables.traits.len() { Ok(index) } else { Err(AmfError::Reference { at }) };
        }
        let (external, dynamic, count) = (flags & 2 != 0, flags & 4 != 0, flags >> 3);
        let class = self.amf3_text()?;
        let mut names = Vec::new();
        for _ in 0..count {
            // A name costs a byte by reference and an item here, so names are bounded like values.
            self.count_item()?;
            names.push(self.amf3_text()?);
        }
        self.count_item()?;
        self.tables.traits.push(Traits { class, names, dynamic, external });
        Ok(self.tables.traits.len() - 1)
    }

    /// Flex wraps its collections in classes that write themselves; those are one value each.
    fn amf3_external(&mut self, class: String, at: usize, depth: usize) -> Result<AmfValue, AmfError> {
        match class.as_str() {
            "flex.messaging.io.ArrayCollection" | "flex.messaging.io.ArrayList" | "flex.messaging.io.ObjectProxy" => {
                self.amf3(depth)
            }
            _ => Err(AmfError::External { at, class }),
        }
    }
}
