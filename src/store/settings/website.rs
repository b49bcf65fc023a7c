//! A bucket as a static website: what a request without a signature is answered where it names no object.
//!
//! Pure rules over keys and statuses; looking objects up and answering is the transport's. Sources: OSS "static website
//! hosting" and PutBucketWebsite; Amazon S3 "hosting a static website" and PutBucketWebsite.

use serde::{Deserialize, Serialize};

/// A website. At least one of its parts is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Website {
    /// Everything is elsewhere; then nothing else is set.
    pub redirect_all: Option<RedirectAll>,
    /// What a folder is answered with.
    pub index: Option<IndexDocument>,
    /// What a missing object is answered with.
    pub error: Option<ErrorDocument>,
    /// In the order in which they are tried; the first that applies decides.
    pub rules: Vec<RoutingRule>,
}

/// Another host that has everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectAll {
    /// Its name, perhaps with a port.
    pub host_name: String,
    /// `None`: as the request came.
    pub protocol: Option<Protocol>,
}

/// How a page is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// `http`.
    Http,
    /// `https`.
    Https,
}

impl Protocol {
    /// As it stands in a URL, and in documents.
    pub const fn text(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Https => "https",
        }
    }

    /// From such text.
    pub fn from_text(text: &str) -> Option<Self> {
        [Protocol::Http, Protocol::Https].into_iter().find(|protocol| protocol.text() == text)
    }
}

/// The page of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexDocument {
    /// Its name in the folder; no slash.
    pub suffix: String,
    /// Each folder has its own. Otherwise all show the root's.
    pub in_folders: bool,
    /// What a missing object is answered that could be a folder, when folders have their own.
    pub unslashed: Unslashed,
}

/// What `/folder` is answered when there is no such object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unslashed {
    /// With a redirect to `/folder/`, if that has a page.
    #[default]
    Redirect,
    /// That there is none.
    NotFound,
    /// With the page of `/folder/`, if that has one.
    Index,
}

/// The page of what is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDocument {
    /// Its key.
    pub key: String,
    /// The status that it is sent with in place of 404. `None`: it is sent for every error of the client, with that error's
    /// own status.
    pub status: Option<u16>,
}

/// Where requests go that meet a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingRule {
    /// The number it was put under, greater than 0, where rules have one.
    pub number: Option<u32>,
    /// When.
    pub condition: RoutingCondition,
    /// Where to.
    pub redirect: Redirect,
}

/// All parts that are set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoutingCondition {
    /// The key begins with this.
    pub key_prefix: Option<String>,
    /// The key ends with this.
    pub key_suffix: Option<String>,
    /// The request would be answered with this status. Without it the rule applies before anything is looked up.
    pub status: Option<u16>,
    /// Headers that the request has.
    pub headers: Vec<HeaderCondition>,
}

/// A header, and what of its value must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeaderCondition {
    /// Name.
    pub name: String,
    /// The value is this.
    pub equals: Option<String>,
    /// The value begins with this.
    pub starts_with: Option<String>,
    /// The value ends with this.
    pub ends_with: Option<String>,
}

/// A redirect to another place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Redirect {
    /// `None`: as the request came.
    pub protocol: Option<Protocol>,
    /// `None`: the request's.
    pub host_name: Option<String>,
    /// `None`: the request's.
    pub key: Option<NewKey>,
    /// 3xx.
    pub status: u16,
    /// Whether that status was stated, rather than a default.
    pub status_stated: bool,
    /// The request's query goes along.
    pub pass_query: bool,
}

/// What a redirect makes of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NewKey {
    /// Another one; `${key}` in it stands for the request's.
    Whole(String),
    /// The prefix of the rule's condition, in place of which this stands.
    Prefix(String),
}

/// A page to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The object that was asked for.
    Object,
    /// The index of a folder.
    Index(Vec<u8>),
}

impl Website {
    /// Bytes that it takes where it is kept, and whenever its bucket is read.
    pub fn bytes(&self) -> usize {
        serde_json::to_string(self).map_or(usize::MAX, |text| text.len())
    }

    /// What is looked up for `key`, the bucket's root being the empty one. `None`: there is no page for it.
    pub fn page(&self, key: &[u8]) -> Option<Page> {
        if !key.is_empty() && !key.ends_with(b"/") {
            return Some(Page::Object);
        }
        match &self.index {
            Some(index) if index.in_folders => Some(Page::Index([key, index.suffix.as_bytes()].concat())),
            Some(index) => Some(Page::Index(index.suffix.clone().into_bytes())),
            // A key may end in a slash like any other; the root is none.
            None if key.is_empty() => None,
            None => Some(Page::Object),
        }
    }

    /// For a missing `key` that could be a folder: its index, and how it is answered if that is there.
    pub fn folder(&self, key: &[u8]) -> Option<(Vec<u8>, Unslashed)> {
        let index = self.index.as_ref().filter(|index| index.in_folders && index.unslashed != Unslashed::NotFound)?;
        let is_folder = key.is_empty() || key.ends_with(b"/");
        (!is_folder).then(|| ([key, b"/", index.suffix.as_bytes()].concat(), index.unslashed))
    }

    /// The rule that applies to a request for `key`: before anything is looked up, or because it failed with `status`.
    /// `header` gives the request's headers.
    pub fn rule<'h>(
        &self,
        key: &[u8],
        status: Option<u16>,
        header: impl Fn(&str) -> Option<&'h [u8]>,
    ) -> Option<&RoutingRule> {
        self.rules.iter().find(|rule| rule.condition.status == status && rule.condition.holds(key, &header))
    }
}

impl RoutingCondition {
    fn holds<'h>(&self, key: &[u8], header: &impl Fn(&str) -> Option<&'h [u8]>) -> bool {
        let begins = self.key_prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix.as_bytes()));
        let ends = self.key_suffix.as_ref().is_none_or(|suffix| key.ends_with(suffix.as_bytes()));
        begins && ends && self.headers.iter().all(|condition| condition.holds(header(&condition.name)))
    }
}

impl HeaderCondition {
    fn holds(&self, value: Option<&[u8]>) -> bool {
        let Some(value) = value else { return false };
        self.equals.as_ref().is_none_or(|text| value == text.as_bytes())
            && self.starts_with.as_ref().is_none_or(|text| value.starts_with(text.as_bytes()))
            && self.ends_with.as_ref().is_none_or(|text| value.ends_with(text.as_bytes()))
    }
}

impl RoutingRule {
    /// The key that a request for `key` is sent to.
    pub fn new_key(&self, key: &[u8]) -> Vec<u8> {
        match &self.redirect.key {
            None => key.to_vec(),
            Some(NewKey::Whole(text)) => with_key(text, key),
            Some(NewKey::Prefix(text)) => {
                let prefix = self.condition.key_prefix.as_deref().unwrap_or_default().as_bytes();
                let rest = key.strip_prefix(prefix).unwrap_or(key);
                [text.as_bytes(), rest].concat()
            }
        }
    }
}

/// `text` with the key in place of its first `${key}`. (Of more only one is replaced, so that keys cannot multiply.)
fn with_key(text: &str, key: &[u8]) -> Vec<u8> {
    match text.split_once("${key}") {
        Some((before, after)) => [before.as_bytes(), key, after.as_bytes()].concat(),
        None => text.as_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(in_folders: bool, unslashed: Unslashed) -> Website {
        let index = Some(IndexDocument { suffix: "index.html".into(), in_folders, unslashed });
        Website { index, ..Website::default() }
    }

    #[test]
    fn the_page_of_each_key() {
        let own = site(true, Unslashed::Redirect);
        let roots = site(false, Unslashed::Redirect);
        let none = Website::default();
        let index = |key: &str| Some(Page::Index(key.as_bytes().to_vec()));
        for (site, key, expected) in [
            (&own, "", index("index.html")),
            (&own, "a/", index("a/index.html")),
            (&own, "a/b", Some(Page::Object)),
            (&roots, "", index("index.html")),
            (&roots, "a/", index("index.html")),
            (&roots, "a", Some(Page::Object)),
            (&none, "", None),
            (&none, "a/", Some(Page::Object)),
        ] {
            assert_eq!(site.page(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn a_missing_object_may_be_a_folder() {
        for (in_folders, unslashed, key, expected) in [
            (true, Unslashed::Redirect, "a", Some("a/index.html")),
            (true, Unslashed::Index, "a/b", Some("a/b/index.html")),
            (true, Unslashed::NotFound, "a", None),
            (false, Unslashed::Redirect, "a", None),
            (true, Unslashed::Redirect, "a/", None),
            (true, Unslashed::Redirect, "", None),
        ] {
            let found = site(in_folders, unslashed).folder(key.as_bytes());
            let expected = expected.map(|key| (key.as_bytes().to_vec(), unslashed));
            assert_eq!(found, expected, "{in_folders} {unslashed:?} {key}");
        }
    }

    #[test]
    fn the_first_rule_that_applies_decides() {
        let rule = |number, condition| RoutingRule { number: Some(number), condition, redirect: Redirect::default() };
        let agent = HeaderCondition {
            name: "user-agent".into(),
            starts_with: Some("Old".into()),
            ends_with: Some("/1".into()),
            ..HeaderCondition::default()
        };
        let prefix = |text: &str| RoutingCondition { key_prefix: Some(text.into()), ..RoutingCondition::default() };
        let site = Website {
            rules: vec![
                rule(1, RoutingCondition { headers: vec![agent], ..prefix("docs/") }),
                rule(2, RoutingCondition { key_suffix: Some(".txt".into()), ..prefix("docs/") }),
                rule(3, RoutingCondition { status: Some(404), ..prefix("docs/") }),
                rule(4, RoutingCondition { status: Some(404), ..RoutingCondition::default() }),
            ],
            ..Website::default()
        };
        for (key, status, agent, expected) in [
            ("docs/a.txt", None, "Old browser/1", Some(1)),
            ("docs/a.txt", None, "Old browser/2", Some(2)),
            ("docs/a", None, "New/1", None),
            ("docs/a", Some(404), "New/1", Some(3)),
            ("other", Some(404), "", Some(4)),
            ("other", Some(403), "", None),
            ("docs/a.txt", Some(403), "Old/1", None),
        ] {
            let header = |name: &str| (name == "user-agent").then_some(agent.as_bytes());
            let found = site.rule(key.as_bytes(), status, header).and_then(|rule| rule.number);
            assert_eq!(found, expected, "{key} {status:?} {agent}");
        }
    }

    #[test]
    fn a_rule_makes_a_new_key() {
        let of = |prefix: Option<&str>, new: Option<NewKey>, key: &str| {
            let condition = RoutingCondition { key_prefix: prefix.map(str::to_owned), ..RoutingCondition::default() };
            let rule = RoutingRule { number: None, condition, redirect: Redirect { key: new, ..Redirect::default() } };
            String::from_utf8(rule.new_key(key.as_bytes())).expect("text")
        };
        let whole = |text: &str| Some(NewKey::Whole(text.into()));
        let part = |text: &str| Some(NewKey::Prefix(text.into()));
        assert_eq!(of(None, None, "a/b"), "a/b");
        assert_eq!(of(Some("a/"), whole("x"), "a/b"), "x");
        assert_eq!(of(Some("a/"), whole("x/${key}.old"), "a/b"), "x/a/b.old");
        assert_eq!(of(None, whole("${key}${key}"), "k"), "k${key}");
        assert_eq!(of(Some("a/"), part("c/"), "a/b"), "c/b");
        assert_eq!(of(Some("a/"), part(""), "a/b"), "b");
        assert_eq!(of(None, part("c/"), "a/b"), "c/a/b");
    }
}
