//! A document being written: elements cannot be left open, text cannot break out.

use std::fmt::Display;

use bytes::Bytes;

/// What every document begins with.
pub const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// A document, or the inside of an element.
#[derive(Debug)]
pub struct Writer(String);

impl Writer {
    /// A whole document with this root.
    pub fn document(root: &str, content: impl FnOnce(&mut Writer)) -> Bytes {
        let mut writer = Writer(String::with_capacity(512));
        writer.0.push_str(DECLARATION);
        writer.element(root, content);
        Bytes::from(writer.0)
    }

    /// The same with a namespace on the root.
    pub fn document_in(namespace: &str, root: &str, content: impl FnOnce(&mut Writer)) -> Bytes {
        let mut writer = Writer(String::with_capacity(512));
        writer.0.push_str(DECLARATION);
        writer.0.push_str(&format!("<{root} xmlns=\"{namespace}\">"));
        content(&mut writer);
        writer.tag("</", root);
        Bytes::from(writer.0)
    }

    /// An element with content.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Writer)) {
        self.tag("<", name);
        content(self);
        self.tag("</", name);
    }

    /// An element with text, which may be empty.
    pub fn text(&mut self, name: &str, text: impl Display) {
        self.element(name, |inside| inside.push(&text.to_string()));
    }

    /// An element with text that may not be UTF-8; what is not comes out as U+FFFD.
    pub fn bytes(&mut self, name: &str, text: &[u8]) {
        self.element(name, |inside| inside.push(&String::from_utf8_lossy(text)));
    }

    /// Text alone.
    pub fn push(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                // A bare one would be read back as a line feed (XML 1.0, 2.11).
                '\r' => self.0.push_str("&#13;"),
                '\t' | '\n' => self.0.push(c),
                // XML 1.0 (2.2) has no way to write these, not even as references.
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.0.push('\u{fffd}'),
                _ => self.0.push(c),
            }
        }
    }

    fn tag(&mut self, open: &str, name: &str) {
        self.0.push_str(open);
        self.0.push_str(name);
        self.0.push('>');
    }
}
