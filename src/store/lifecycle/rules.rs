//! What the rules say of one object, one version or one upload.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::clock::Wall;
use crate::limits;
use crate::store::{ObjectSummary, StorageClass, Tag};

/// A bucket's rules; none is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// In the order in which they were put.
    pub rules: Vec<LifecycleRule>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LifecycleRule {
    /// Unique in the bucket, at most 255 characters.
    pub id: String,
    /// A rule that is not enabled is kept and does nothing.
    pub enabled: bool,
    /// What it concerns.
    pub filter: LifecycleFilter,
    /// The prefix was put outside of a filter element, and is given back there (an older form of the S3 document).
    pub bare_prefix: bool,
    /// When current objects end.
    pub expiration: Option<Due>,
    /// Delete markers that hide nothing any more are removed.
    pub expired_delete_marker: bool,
    /// When current objects change their class.
    pub transitions: Vec<Transition>,
    /// When versions end that are not current.
    pub noncurrent_expiration: Option<NoncurrentExpiration>,
    /// When such versions change their class.
    pub noncurrent_transitions: Vec<NoncurrentTransition>,
    /// When open uploads are aborted, counted from their beginning.
    pub abort_upload: Option<Due>,
}

/// What a rule concerns: everything that meets each part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LifecycleFilter {
    /// Keys that begin with this.
    pub prefix: String,
    /// Tags that the object must have.
    pub tags: Vec<Tag>,
    /// Bytes that the object must exceed.
    pub larger_than: Option<u64>,
    /// Bytes that the object must stay below.
    pub smaller_than: Option<u64>,
    /// What is spared, by any of these.
    pub not: Vec<Exclusion>,
}

/// What a rule spares: objects under the prefix which, where a tag is named, have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exclusion {
    /// Keys that begin with this.
    pub prefix: String,
    /// A tag.
    pub tag: Option<Tag>,
}

/// When something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Due {
    /// So many days after the last change, at the next midnight UTC.
    Days(u32),
    /// At once, for what was last changed before.
    CreatedBefore(#[serde(with = "millis")] Wall),
    /// From then on, for everything.
    Date(#[serde(with = "millis")] Wall),
}

/// A change of class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When.
    pub due: Due,
    /// To which.
    pub class: StorageClass,
}

/// The end of versions that are not current.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncurrentExpiration {
    /// Days since the version ceased to be current.
    pub days: u32,
    /// So many of the newest are spared, however old.
    pub keep: u32,
}

/// A change of class of versions that are not current.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncurrentTransition {
    /// Days since the version ceased to be current.
    pub days: u32,
    /// So many of the newest are spared, however old.
    pub keep: u32,
    /// To which.
    pub class: StorageClass,
}

/// What is to be done with an object or a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Keep,
    /// Its class changes.
    Move(StorageClass),
    /// It ends.
    Expire,
}

/// What is wrong with a set of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// No rule, or more than `limits::LIFECYCLE_RULES_MAX`.
    Count(usize),
    /// This id stands twice or is too long.
    Id(String),
    /// The rule of this id does nothing.
    NoAction(String),
    /// The rule of this id names days that are none, or classes that come back to a warmer one or stand twice.
    Days(String),
    /// Both of these would do the same to the same objects.
    Overlap(String, String),
}

impl Due {
    /// Whether it is due at `now` for what was last changed at `changed`.
    pub fn is_due(self, changed: Wall, now: Wall) -> bool {
        match self {
            Due::Days(days) => days_later(changed, days) <= now,
            Due::CreatedBefore(date) => changed < date,
            Due::Date(date) => date <= now,
        }
    }
}

/// The first midnight UTC that is at least so many days later.
fn days_later(from: Wall, days: u32) -> Wall {
    from.plus_days(i64::from(days)).midnight_from()
}

impl LifecycleFilter {
    /// Whether it may concern a key of which nothing else is known.
    pub fn takes_key(&self, key: &[u8]) -> bool {
        key.starts_with(self.prefix.as_bytes())
    }

    /// Whether tags must be known to decide.
    fn asks_for_tags(&self) -> bool {
        !self.tags.is_empty() || self.not.iter().any(|not| not.tag.is_some())
    }

    fn takes(&self, key: &[u8], size: u64, tags: &[Tag]) -> bool {
        let is_spared = self
            .not
            .iter()
            .any(|not| key.starts_with(not.prefix.as_bytes()) && not.tag.as_ref().is_none_or(|tag| tags.contains(tag)));
        self.takes_key(key)
            && !is_spared
            && self.larger_than.is_none_or(|bytes| size > bytes)
            && self.smaller_than.is_none_or(|bytes| size < bytes)
            && self.tags.iter().all(|tag| tags.contains(tag))
    }
}

/// An object or a version as rules see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged<'a> {
    pub(super) key: &'a [u8],
    pub(super) size: u64,
    pub(super) class: StorageClass,
    pub(super) changed: Wall,
    /// `None` while nobody has looked.
    pub(super) tags: Option<&'a [Tag]>,
}

impl<'a> Judged<'a> {
    /// As a listing shows it.
    pub(super) fn of(object: &'a ObjectSummary) -> Self {
        Judged {
            key: object.key.as_bytes(),
            size: object.size,
            class: object.storage_class,
            changed: object.last_modified,
            tags: None,
        }
    }

    pub(super) fn with_tags(self, tags: &'a [Tag]) -> Self {
        Judged { tags: Some(tags), ..self }
    }
}

/// A judgement needs the tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TagsNeeded;

impl Lifecycle {
    fn enabled(&self) -> impl Iterator<Item = &LifecycleRule> {
        self.rules.iter().filter(|rule| rule.enabled)
    }

    /// What becomes of a current object.
    pub(super) fn judge(&self, object: Judged<'_>, now: Wall) -> Result<Verdict, TagsNeeded> {
        self.strongest(object, |rule| {
            let expires = rule.expiration.is_some_and(|due| due.is_due(object.changed, now));
            let moves = rule.transitions.iter().filter(|transition| transition.due.is_due(object.changed, now));
            verdict(expires, moves.map(|transition| transition.class), object.class)
        })
    }

    /// What becomes of a version that has not been current since `since`. `newer` is how many that are not current either
    /// are newer than it.
    pub(super) fn judge_noncurrent(
        &self,
        version: Judged<'_>,
        since: Wall,
        newer: u32,
        now: Wall,
    ) -> Result<Verdict, TagsNeeded> {
        let is_due = |days: u32, keep: u32| newer >= keep && days_later(since, days) <= now;
        self.strongest(version, |rule| {
            let expires = rule.noncurrent_expiration.is_some_and(|e| is_due(e.days, e.keep));
            let moves = rule.noncurrent_transitions.iter().filter(|t| is_due(t.days, t.keep));
            verdict(expires, moves.map(|transition| transition.class), version.class)
        })
    }

    /// Of what all rules say that concern it, the most; rules that say nothing need no tags.
    fn strongest(&self, object: Judged<'_>, says: impl Fn(&LifecycleRule) -> Verdict) -> Result<Verdict, TagsNeeded> {
        let mut most = Verdict::Keep;
        for rule in self.enabled().filter(|rule| rule.filter.takes_key(object.key)) {
            let said = says(rule);
            if said == Verdict::Keep {
                continue;
            }
            let tags = match object.tags {
                Some(tags) => tags,
                None if rule.filter.asks_for_tags() => return Err(TagsNeeded),
                None => &[],
            };
            if rule.filter.takes(object.key, object.size, tags) {
                most = stronger(most, said);
            }
        }
        Ok(most)
    }

    /// Whether a delete marker that hides nothing is to be removed.
    pub(super) fn removes_marker(&self, key: &[u8], changed: Wall, now: Wall) -> bool {
        self.enabled().filter(|rule| rule.filter.takes(key, 0, &[])).any(|rule| {
            rule.expired_delete_marker || matches!(rule.expiration, Some(Due::Days(_)) if rule.expires(changed, now))
        })
    }

    /// Whether an upload that was begun then is to be aborted.
    pub(super) fn aborts(&self, key: &[u8], initiated: Wall, now: Wall) -> bool {
        let is_due = |rule: &LifecycleRule| rule.abort_upload.is_some_and(|due| due.is_due(initiated, now));
        self.enabled().any(|rule| rule.filter.takes_key(key) && is_due(rule))
    }

    /// Prefixes that cover all that rules with this kind of action concern; none covers another.
    pub(super) fn prefixes(&self, has_action: impl Fn(&LifecycleRule) -> bool) -> Vec<&str> {
        let mut prefixes: Vec<&str> =
            self.enabled().filter(|rule| has_action(rule)).map(|rule| rule.filter.prefix.as_str()).collect();
        // In order, whatever covers a prefix stands before it, and what it covers follows at once.
        prefixes.sort_unstable();
        let mut cover: Vec<&str> = Vec::new();
        for prefix in prefixes {
            if !cover.last().is_some_and(|last| prefix.starts_with(last)) {
                cover.push(prefix);
            }
        }
        cover
    }

    /// Gives an id to each rule that has none.
    pub fn name_rules(&mut self) {
        let taken: HashSet<String> = self.rules.iter().map(|rule| rule.id.clone()).collect();
        let mut free = (1u32..).map(|n| format!("rule-{n}")).filter(|id| !taken.contains(id));
        for rule in self.rules.iter_mut().filter(|rule| rule.id.is_empty()) {
            rule.id = free.next().expect("numbers without end");
        }
    }

    /// Judges a set of rules that is to be put. `allow_overlap` lets two rules do the same to the same objects.
    pub fn check(&self, allow_overlap: bool) -> Result<(), RuleError> {
        if self.rules.is_empty() || self.rules.len() > limits::LIFECYCLE_RULES_MAX {
            return Err(RuleError::Count(self.rules.len()));
        }
        let mut ids: Vec<&str> = self.rules.iter().map(|rule| rule.id.as_str()).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(RuleError::Id(pair[0].to_owned()));
        }
        self.rules.iter().try_for_each(LifecycleRule::check)?;
        if allow_overlap { Ok(()) } else { self.check_overlap() }
    }

    /// In order of prefix only neighbours and what follows under the same prefix can overlap, so few pairs are compared.
    fn check_overlap(&self) -> Result<(), RuleError> {
        let mut rules: Vec<&LifecycleRule> = self.rules.iter().collect();
        rules.sort_by(|a, b| a.filter.prefix.cmp(&b.filter.prefix));
        for (at, rule) in rules.iter().enumerate() {
            let under = rules[at + 1..].iter().take_while(|other| other.filter.prefix.starts_with(&rule.filter.prefix));
            for other in under {
                if rule.overlaps(other) {
                    return Err(RuleError::Overlap(rule.id.clone(), other.id.clone()));
                }
            }
        }
        Ok(())
    }
}

fn verdict(expires: bool, moves: impl Iterator<Item = StorageClass>, class: StorageClass) -> Verdict {
    if expires {
        return Verdict::Expire;
    }
    match moves.filter(|to| *to > class).max() {
        Some(to) => Verdict::Move(to),
        None => Verdict::Keep,
    }
}

fn stronger(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (Verdict::Expire, _) | (_, Verdict::Expire) => Verdict::Expire,
        (Verdict::Move(a), Verdict::Move(b)) => Verdict::Move(a.max(b)),
        (Verdict::Keep, other) | (other, Verdict::Keep) => other,
    }
}

impl LifecycleRule {
    /// Whether it does anything to current objects.
    pub(super) fn concerns_objects(&self) -> bool {
        self.expiration.is_some() || !self.transitions.is_empty()
    }

    /// Whether it does anything to versions that are not current, or to delete markers.
    pub(super) fn concerns_versions(&self) -> bool {
        self.noncurrent_expiration.is_some()
            || !self.noncurrent_transitions.is_empty()
            || self.expired_delete_marker
            || self.expiration.is_some()
    }

    /// Whether it aborts uploads.
    pub(super) fn concerns_uploads(&self) -> bool {
        self.abort_upload.is_some()
    }

    fn expires(&self, changed: Wall, now: Wall) -> bool {
        self.expiration.is_some_and(|due| due.is_due(changed, now))
    }

    fn check(&self) -> Result<(), RuleError> {
        if self.id.is_empty() || self.id.chars().count() > limits::LIFECYCLE_ID_CHARS_MAX {
            return Err(RuleError::Id(self.id.clone()));
        }
        if !(self.concerns_objects() || self.concerns_versions() || self.concerns_uploads()) {
            return Err(RuleError::NoAction(self.id.clone()));
        }
        let is_none = |due: Due| due == Due::Days(0);
        let no_days = self.expiration.is_some_and(is_none)
            || self.abort_upload.is_some_and(is_none)
            || self.noncurrent_expiration.is_some_and(|e| e.days == 0);
        let classes: Vec<_> = self.transitions.iter().map(|t| t.class).collect();
        let noncurrent: Vec<_> = self.noncurrent_transitions.iter().map(|t| t.class).collect();
        let unordered = |classes: &[StorageClass]| {
            classes.contains(&StorageClass::Standard) || classes.windows(2).any(|pair| pair[0] >= pair[1])
        };
        if no_days || unordered(&classes) || unordered(&noncurrent) {
            return Err(RuleError::Days(self.id.clone()));
        }
        Ok(())
    }

    /// Whether both, the prefix of one being under that of the other, do the same to the same objects. Rules that ask for
    /// different tags may meet in one object; nobody would call that an overlap.
    fn overlaps(&self, other: &LifecycleRule) -> bool {
        let same_kind = (self.expiration.is_some() && other.expiration.is_some())
            || (self.abort_upload.is_some() && other.abort_upload.is_some())
            || (self.noncurrent_expiration.is_some() && other.noncurrent_expiration.is_some())
            || self.transitions.iter().any(|t| other.transitions.iter().any(|o| t.class == o.class));
        same_kind && self.filter.tags == other.filter.tags
    }
}

/// A time as its milliseconds.
mod millis {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::clock::Wall;

    pub(super) fn serialize<S: Serializer>(time: &Wall, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(time.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Wall, D::Error> {
        i64::deserialize(from).map(Wall)
    }
}
