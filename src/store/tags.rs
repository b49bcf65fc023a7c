//! What a set of tags may hold. How many, and which marks besides those that all know, a dialect says.

use std::collections::HashSet;

use crate::limits::{TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX};
use crate::store::Tag;

/// A dialect's rules for one kind of resource.
#[derive(Clone, Copy, Debug)]
pub struct TagRules {
    /// Tags at most.
    pub count_max: usize,
    /// Marks that are allowed besides `+-=._:/` and the blank.
    pub extra_marks: &'static str,
}

/// What is wrong with a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagError {
    /// More than the rules allow.
    TooMany,
    /// This key is empty, too long or has a character that is not allowed.
    Key(String),
    /// This value is too long or has a character that is not allowed.
    Value(String),
    /// This key stands twice.
    Repeated(String),
}

/// Checks a set. Lengths count characters, not bytes; letters and digits are those of any script.
pub fn check_tags(tags: &[Tag], rules: TagRules) -> Result<(), TagError> {
    const MARKS: &str = " +-=._:/";
    if tags.len() > rules.count_max {
        return Err(TagError::TooMany);
    }
    let is_allowed = |c: char| c.is_alphanumeric() || MARKS.contains(c) || rules.extra_marks.contains(c);
    let fits = |text: &str, max: usize| text.chars().count() <= max && text.chars().all(is_allowed);
    let mut seen = HashSet::new();
    for tag in tags {
        if tag.key.is_empty() || !fits(&tag.key, TAG_KEY_CHARS_MAX) {
            return Err(TagError::Key(tag.key.clone()));
        }
        if !fits(&tag.value, TAG_VALUE_CHARS_MAX) {
            return Err(TagError::Value(tag.value.clone()));
        }
        if !seen.insert(tag.key.as_str()) {
            return Err(TagError::Repeated(tag.key.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str)], extra_marks: &'static str) -> Result<(), TagError> {
        let tags: Vec<Tag> = pairs.iter().map(|(k, v)| Tag { key: (*k).into(), value: (*v).into() }).collect();
        check_tags(&tags, TagRules { count_max: 3, extra_marks })
    }

    #[test]
    fn sets_are_checked_by_count_length_characters_and_repetition() {
        let (key, value) = ("\u{e9}".repeat(128), "\u{4e2d}".repeat(256));
        assert_eq!(check(&[], ""), Ok(()));
        assert_eq!(check(&[("a b+-=._:/9", ""), (&key, &value), ("A", "x")], ""), Ok(()));
        assert_eq!(check(&[("a", ""), ("b", ""), ("c", ""), ("d", "")], ""), Err(TagError::TooMany));
        let (long_key, long_value) = (format!("{key}x"), format!("{value}x"));
        assert_eq!(check(&[(&long_key, "")], ""), Err(TagError::Key(long_key.clone())));
        assert_eq!(check(&[("a", &long_value)], ""), Err(TagError::Value(long_value.clone())));
        assert_eq!(check(&[("", "v")], ""), Err(TagError::Key(String::new())));
        assert_eq!(check(&[("a", "1"), ("a", "1")], ""), Err(TagError::Repeated("a".into())));
        for wrong in ["a@b", "a*", "a&b", "a\nb", "<"] {
            assert_eq!(check(&[(wrong, "")], ""), Err(TagError::Key(wrong.into())));
            assert_eq!(check(&[("a", wrong)], ""), Err(TagError::Value(wrong.into())));
        }
        assert_eq!(check(&[("a@b", "@")], "@"), Ok(()));
    }
}
