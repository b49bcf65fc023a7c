//! A foreign document as a small tree, bounded in size, depth and number of elements.
//!
//! Namespaces and attributes carry nothing in this dialect and are dropped. No DTD and no entity beyond the five
//! predefined ones: both exist only to attack a reader. Elements are few, so a tree is the simplest thing that serves
//! documents whose elements may come in any order.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use crate::http::oss::error::OssError;
use crate::limits::{OSS_XML_DEPTH_MAX, OSS_XML_ELEMENTS_MAX};

/// An element.
#[derive(Debug, Default)]
pub struct Element {
    /// Name without its prefix.
    pub name: String,
    /// All its own character data.
    pub text: String,
    /// Elements in order.
    pub children: Vec<Element>,
}

impl Element {
    /// Every child of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first such child's text, as it stands.
    pub fn text_of(&self, name: &str) -> Option<String> {
        self.child(name).map(|child| child.text.clone())
    }

    /// The same without surrounding blanks; `None` when nothing is left.
    pub fn word_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|word| !word.is_empty())
    }
}

/// Reads a document of at most `bytes_max` bytes whose root has this name.
pub fn document(body: &[u8], root: &str, bytes_max: usize) -> Result<Element, OssError> {
    long_document(body, root, bytes_max, OSS_XML_ELEMENTS_MAX)
}

/// The same for a document that may have more elements than others.
pub fn long_document(body: &[u8], root: &str, bytes_max: usize, elements_max: usize) -> Result<Element, OssError> {
    let element = parse(body, bytes_max, elements_max).ok_or_else(OssError::malformed_xml)?;
    if element.name == root { Ok(element) } else { Err(OssError::malformed_xml()) }
}

fn parse(body: &[u8], bytes_max: usize, elements_max: usize) -> Option<Element> {
    if body.len() > bytes_max {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A declaration may only stand first, and some clients send blanks before it.
    let mut reader = Reader::from_str(text.trim_start());
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut elements = 0;
    loop {
        let event = reader.read_event().ok()?;
        match event {
            Event::Start(start) => {
                elements += 1;
                if open.len() >= OSS_XML_DEPTH_MAX || elements > elements_max || root.is_some() {
                    return None;
                }
                open.push(Element { name: start.local_name().as_ref().to_owned(), ..Element::default() });
            }
            Event::Empty(start) => {
                elements += 1;
                if elements > elements_max || root.is_some() {
                    return None;
                }
                let element = Element { name: start.local_name().as_ref().to_owned(), ..Element::default() };
                close(element, &mut open, &mut root);
            }
            Event::End(_) => {
                let element = open.pop()?;
                close(element, &mut open, &mut root);
            }
            Event::Text(text) => push(&mut open, &text.xml10_content())?,
            Event::CData(text) => push(&mut open, &text.xml10_content())?,
            Event::GeneralRef(reference) => push(&mut open, resolve(&reference)?.encode_utf8(&mut [0; 4]))?,
            Event::DocType(_) => return None,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => return root.filter(|_| open.is_empty()),
        }
    }
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

/// Character data; outside the root only blanks may stand.
fn push(open: &mut [Element], text: &str) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return None,
    }
    Some(())
}

/// A numeric reference (to control characters too: keys may hold them) or one of the five predefined entities.
fn resolve(reference: &BytesRef<'_>) -> Option<char> {
    if let Some(c) = reference.resolve_char_ref().ok()? {
        return Some(c);
    }
    match reference.xml10_content().as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}
