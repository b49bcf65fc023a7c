//! Patterns with `*` for any run of characters, slashes included, and `?` for one character.

/// Whether `text` has the form of `pattern`. Only the last `*` is ever taken back, so the time is at most the product of
/// the two lengths; both are bounded.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when what follows the last `*` does not fit: behind the star, one character further in the text.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                retry = Some((p, t));
                continue;
            }
            Some(b'?') => {
                p += 1;
                t += character(&text[t..]);
                continue;
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
                continue;
            }
            _ => {}
        }
        let Some((behind_star, from)) = retry else { return false };
        t = from + character(&text[from..]);
        p = behind_star;
        retry = Some((p, t));
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Bytes of the first character; keys need not be UTF-8, and then one byte is one character.
fn character(text: &[u8]) -> usize {
    let length = match text.first() {
        Some(0xC2..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF4) => 4,
        _ => 1,
    };
    let whole = text.get(1..length).is_some_and(|rest| rest.iter().all(|byte| byte & 0xC0 == 0x80));
    if whole { length } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_take_any_run_and_question_marks_one_character() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a/b", true),
            ("a*", "a", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("*a*b*", "xaybz", true),
            ("*ab", "aab", true),
            ("*aab", "aaab", true),
            ("?", "", false),
            ("?", "é", true),
            ("??", "é", false),
            ("a?b", "a\u{1F600}b", true),
            ("*??", "é", false),
            ("*?", "é", true),
            ("films/*", "films", false),
            ("films/*", "films/", true),
            ("films/*.ts", "films/a/b.ts", true),
            ("a**b", "ab", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        assert!(matches(b"a?b", b"a\xFFb"), "a byte that is no UTF-8 is a character of its own");
        assert!(matches(b"a?b", b"a\xC3b") && !matches(b"a?", b"a\xC3\x28"));
    }

    #[test]
    fn many_stars_cost_no_more_than_the_product_of_the_lengths() {
        // Exponential matchers do not come back from this one.
        let pattern = "a*".repeat(500) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(1_000).as_bytes()));
    }

    proptest::proptest! {
        /// Against the definition, which is exponential and plain.
        #[test]
        fn matches_is_what_the_definition_says(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            fn plain(pattern: &[u8], text: &[u8]) -> bool {
                match (pattern.split_first(), text.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), _) => {
                        plain(rest, text) || text.split_first().is_some_and(|(_, text)| plain(pattern, text))
                    }
                    (Some((b'?', rest)), Some((_, text))) => plain(rest, text),
                    (Some((p, rest)), Some((t, text))) => p == t && plain(rest, text),
                    _ => false,
                }
            }
            proptest::prop_assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                plain(pattern.as_bytes(), text.as_bytes())
            );
        }
    }
}
