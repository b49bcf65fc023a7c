//! Conditional requests. RFC 9110 section 13; the object API adds that ETags compare without regard to case and times
//! in whole seconds.

use crate::clock::Wall;
use crate::store::ObjectRecord;

/// The conditions of one request. A date that does not parse is left out by who reads the header (RFC 9110 13.1.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-Match`, as it was sent; several header lines joined by commas.
    pub if_match: Option<String>,
    /// `If-None-Match`, likewise.
    pub if_none_match: Option<String>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<Wall>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<Wall>,
}

/// What the conditions come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionOutcome {
    /// They hold.
    Proceed,
    /// The client has this body already: 304 for reads. (A copy's answer differs by dialect.)
    NotModified,
    /// 412; names the header that failed.
    Failed(&'static str),
}

/// Judges conditions against an object, in the order of RFC 9110 section 13.2.2: `If-Match` outranks
/// `If-Unmodified-Since`, `If-None-Match` outranks `If-Modified-Since`.
pub fn check_conditions(object: &ObjectRecord, conditions: &Conditions) -> ConditionOutcome {
    let is_named = |list: &str, weak| names(list, &object.etag.to_lower_hex(), weak);
    let modified_after = |since: Wall| object.last_modified.unix_seconds() > since.unix_seconds();
    let if_match = present(&conditions.if_match);
    let if_none_match = present(&conditions.if_none_match);

    if let Some(list) = if_match {
        if !is_named(list, Weak::NeverMatches) {
            return ConditionOutcome::Failed("If-Match");
        }
    } else if conditions.if_unmodified_since.is_some_and(modified_after) {
        return ConditionOutcome::Failed("If-Unmodified-Since");
    }

    if let Some(list) = if_none_match {
        if is_named(list, Weak::Matches) {
            return ConditionOutcome::NotModified;
        }
    } else if conditions.if_modified_since.is_some_and(|since| !modified_after(since)) {
        return ConditionOutcome::NotModified;
    }
    ConditionOutcome::Proceed
}

/// An empty header says nothing.
fn present(header: &Option<String>) -> Option<&str> {
    header.as_deref().map(str::trim).filter(|list| !list.is_empty())
}

/// How `W/"..."` compares: `If-None-Match` compares weakly, `If-Match` strongly (RFC 9110 section 8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weak {
    Matches,
    NeverMatches,
}

/// Whether a list of entity tags, quoted or not, or `*`, names `etag`.
fn names(list: &str, etag: &str, weak: Weak) -> bool {
    list == "*"
        || list.split(',').map(str::trim).any(|tag| {
            let tag = match tag.strip_prefix("W/") {
                Some(_) if weak == Weak::NeverMatches => return false,
                Some(opaque) => opaque,
                None => tag,
            };
            let bare = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
            bare.eq_ignore_ascii_case(etag)
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::records::testbed::empty_object;

    const MODIFIED: Wall = Wall(1_700_000_000_400);
    const ETAG: &str = "0123456789ABCDEF0123456789ABCDEF";
    const OTHER: &str = "ffffffffffffffffffffffffffffffff";

    fn object() -> ObjectRecord {
        let mut object = empty_object("k");
        object.etag.digest = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdefu128.to_be_bytes();
        object.last_modified = MODIFIED;
        object
    }

    fn check(set: impl FnOnce(&mut Conditions), expected: ConditionOutcome) {
        let mut conditions = Conditions::default();
        set(&mut conditions);
        assert_eq!(check_conditions(&object(), &conditions), expected, "{conditions:?}");
    }

    use ConditionOutcome::{Failed, NotModified, Proceed};

    #[test]
    fn no_condition_holds() {
        check(|_| {}, Proceed);
        check(|c| (c.if_match, c.if_none_match) = (Some("".into()), Some("  ".into())), Proceed);
    }

    #[test]
    fn etags_compare_without_quotes_and_case_in_lists_and_by_star() {
        let lower = ETAG.to_lowercase();
        for list in [
            ETAG.to_owned(),
            format!("\"{ETAG}\""),
            lower.clone(),
            format!("\"{OTHER}\", \"{lower}\""),
            format!("{OTHER},{ETAG},{OTHER}"),
            "*".into(),
            " * ".into(),
        ] {
            check(|c| c.if_match = Some(list.clone()), Proceed);
            check(|c| c.if_none_match = Some(list), NotModified);
        }
        for list in
            [OTHER.to_owned(), format!("\"{OTHER}\""), format!("{ETAG}-1"), "\"".into(), ",".into(), "\"\"".into()]
        {
            check(|c| c.if_match = Some(list.clone()), Failed("If-Match"));
            check(|c| c.if_none_match = Some(list), Proceed);
        }
    }

    #[test]
    fn a_weak_tag_matches_for_reading_only() {
        check(|c| c.if_none_match = Some(format!("W/\"{ETAG}\"")), NotModified);
        check(|c| c.if_match = Some(format!("W/\"{ETAG}\"")), Failed("If-Match"));
    }

    #[test]
    fn the_multipart_form_is_another_tag() {
        let mut object = object();
        object.etag.parts = Some(1);
        let with = |list: String| Conditions { if_none_match: Some(list), ..Conditions::default() };
        assert_eq!(check_conditions(&object, &with(format!("\"{ETAG}-1\""))), NotModified);
        assert_eq!(check_conditions(&object, &with(format!("\"{ETAG}\""))), Proceed);
    }

    #[test]
    fn times_compare_in_whole_seconds_and_equal_is_unmodified() {
        let second = Wall::from_unix_seconds(MODIFIED.unix_seconds());
        let (before, after) = (Wall(second.0 - 1), Wall(second.0 + 1_000));
        check(|c| c.if_modified_since = Some(second), NotModified);
        check(|c| c.if_modified_since = Some(after), NotModified);
        check(|c| c.if_modified_since = Some(before), Proceed);
        check(|c| c.if_unmodified_since = Some(second), Proceed);
        check(|c| c.if_unmodified_since = Some(after), Proceed);
        check(|c| c.if_unmodified_since = Some(before), Failed("If-Unmodified-Since"));
    }

    #[test]
    fn tags_outrank_times() {
        let before = Wall(MODIFIED.0 - 10_000);
        check(|c| (c.if_match, c.if_unmodified_since) = (Some(ETAG.into()), Some(before)), Proceed);
        check(|c| (c.if_none_match, c.if_modified_since) = (Some(ETAG.into()), Some(before)), NotModified);
        check(|c| (c.if_none_match, c.if_modified_since) = (Some(OTHER.into()), Some(MODIFIED)), Proceed);
        check(|c| (c.if_match, c.if_none_match) = (Some(OTHER.into()), Some(ETAG.into())), Failed("If-Match"));
        check(|c| (c.if_match, c.if_none_match) = (Some(ETAG.into()), Some(ETAG.into())), NotModified);
        check(|c| (c.if_unmodified_since, c.if_none_match) = (Some(MODIFIED), Some(ETAG.into())), NotModified);
    }

    /// The table of the object API, header by header, without any shared helper.
    fn model(
        etags: (Option<bool>, Option<bool>),
        unmodified: Option<bool>,
        modified: Option<bool>,
    ) -> ConditionOutcome {
        match (etags.0, unmodified) {
            (Some(false), _) => return Failed("If-Match"),
            (None, Some(false)) => return Failed("If-Unmodified-Since"),
            _ => {}
        }
        match (etags.1, modified) {
            (Some(true), _) | (None, Some(false)) => NotModified,
            _ => Proceed,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_table(
            match_hit in proptest::option::of(any::<bool>()),
            none_match_hit in proptest::option::of(any::<bool>()),
            unmodified_offset in proptest::option::of(-3_000i64..3_000),
            modified_offset in proptest::option::of(-3_000i64..3_000),
        ) {
            let tag = |hit: Option<bool>| hit.map(|hit| if hit { format!("\"{OTHER}\", \"{ETAG}\"") } else { OTHER.into() });
            let time = |offset: Option<i64>| offset.map(|offset| Wall(MODIFIED.0 + offset));
            let conditions = Conditions {
                if_match: tag(match_hit),
                if_none_match: tag(none_match_hit),
                if_unmodified_since: time(unmodified_offset),
                if_modified_since: time(modified_offset),
            };
            let seconds = MODIFIED.0 / 1_000;
            let unmodified = time(unmodified_offset).map(|t| seconds <= t.0 / 1_000);
            let modified = time(modified_offset).map(|t| seconds > t.0 / 1_000);
            let expected = model((match_hit, none_match_hit), unmodified, modified);
            prop_assert_eq!(check_conditions(&object(), &conditions), expected);
        }
    }
}
