//! What the server must show: the objects and uploads of one worker's keys.

use std::collections::BTreeMap;

use bytes::Bytes;
use md5::{Digest, Md5};

use super::wire::Dialect;

/// Parts of an upload but the last are at least so long over OSS.
pub const PART_MIN: usize = 100 * 1024;
/// The same over S3.
pub const S3_PART_MIN: usize = 5 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Normal,
    Multipart,
    Appendable,
}

/// What comes with a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dress {
    /// `Content-Type`, if any was sent.
    pub content_type: Option<String>,
    pub meta: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub body: Bytes,
    pub kind: Kind,
    /// Lower case without quotes. `None`: the rules do not say and no answer did yet.
    pub etag: Option<String>,
    pub dress: Dress,
    /// Its own ACL.
    pub acl: Option<&'static str>,
}

impl Object {
    pub fn of(body: Bytes, dress: Dress, acl: Option<&'static str>) -> Object {
        Object { etag: Some(md5_hex(&body)), body, kind: Kind::Normal, dress, acl }
    }

    /// The tag as a dialect writes it, with quotes.
    pub fn etag_text(&self, dialect: Dialect) -> Option<String> {
        self.etag.as_ref().map(|etag| match dialect {
            Dialect::Oss => format!("\"{}\"", etag.to_uppercase()),
            Dialect::S3 => format!("\"{etag}\""),
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub bucket: String,
    pub key: String,
    pub parts: BTreeMap<u32, Bytes>,
    pub dress: Dress,
}

impl Upload {
    /// The object of these parts, which are there.
    pub fn object(&self, numbers: &[u32]) -> Object {
        let parts = || numbers.iter().map(|number| &self.parts[number]);
        let body: Vec<u8> = parts().flatten().copied().collect();
        let digests: Vec<u8> = parts().flat_map(Md5::digest).collect();
        let etag = format!("{}-{}", hex::encode(Md5::digest(digests)), numbers.len());
        let dress = self.dress.clone();
        Object { body: body.into(), kind: Kind::Multipart, etag: Some(etag), dress, acl: None }
    }

    /// Whether a part that is not the last is too short to complete with.
    pub fn is_too_short(&self, numbers: &[u32], part_min: usize) -> bool {
        numbers.iter().rev().skip(1).any(|number| self.parts[number].len() < part_min)
    }
}

/// Bucket and key.
pub type Place = (String, String);

/// One worker's keys. Cloning shares the bodies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    pub objects: BTreeMap<Place, Object>,
    /// By id. An upload whose id the server did not get to say has the id `?`.
    pub uploads: BTreeMap<String, Upload>,
    /// Whether the worker's own bucket is there.
    pub own_bucket: bool,
}

/// An entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    Object(String),
    Prefix(String),
}

impl Model {
    /// A listing of all that begins with `prefix`, rolled up at `delimiter`, from behind `after`.
    pub fn listing(&self, bucket: &str, prefix: &str, delimiter: Option<&str>, after: &str) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for (place, key) in self.objects.keys() {
            let Some(rest) = key.strip_prefix(prefix).filter(|_| place == bucket) else { continue };
            let rolled = delimiter.and_then(|d| rest.split_once(d).map(|(head, _)| format!("{prefix}{head}{d}")));
            let entry = rolled.map_or_else(|| Entry::Object(key.clone()), Entry::Prefix);
            let (Entry::Object(name) | Entry::Prefix(name)) = &entry;
            if name.as_str() > after && entries.last() != Some(&entry) {
                entries.push(entry);
            }
        }
        entries
    }

    /// Where the two differ.
    pub fn places_that_differ(&self, other: &Model) -> Vec<Place> {
        let mut places: Vec<Place> = self.objects.keys().chain(other.objects.keys()).cloned().collect();
        places.sort();
        places.dedup();
        places.retain(|place| self.objects.get(place) != other.objects.get(place));
        places
    }
}

pub fn md5_hex(bytes: &[u8]) -> String {
    hex::encode(Md5::digest(bytes))
}

#[test]
fn a_naive_listing_rolls_up_and_goes_on_behind_a_name() {
    let mut model = Model::default();
    for key in ["a", "b/1", "b/2", "c", "d/x/y"] {
        model.objects.insert(("b".into(), key.into()), Object::of(Bytes::new(), Dress::default(), None));
    }
    let (object, prefix) = (|name: &str| Entry::Object(name.into()), |name: &str| Entry::Prefix(name.into()));
    assert_eq!(model.listing("b", "", Some("/"), ""), [object("a"), prefix("b/"), object("c"), prefix("d/")]);
    assert_eq!(model.listing("b", "", Some("/"), "b/"), [object("c"), prefix("d/")]);
    assert_eq!(model.listing("b", "b/", None, "b/1"), [object("b/2")]);
    assert_eq!(model.listing("other", "", None, ""), []);
}
