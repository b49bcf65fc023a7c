//! From which pages a bucket's objects may be used: lists of patterns over the `Referer` header.
//!
//! A pattern matches when it matches the beginning of the header: `http://a.example` allows all of that site. `*` stands
//! for any characters, `?` for one. Whoever asks chooses the header, so matching costs the same whatever the patterns:
//! it walks sets of positions and never goes back.

use serde::{Deserialize, Serialize};

use crate::limits::REFERER_BYTES_MAX;

/// A bucket's rules. The default is what a bucket without any has: everybody may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefererRules {
    /// A request without the header may read.
    pub allow_empty: bool,
    /// The header's query is left out of the comparison.
    pub truncate_query: bool,
    /// The header's path, and so its query, is left out of the comparison.
    pub truncate_path: bool,
    /// Who may; empty means whoever is not refused.
    pub allowed: Vec<String>,
    /// Who may not, even when allowed.
    pub refused: Vec<String>,
}

impl Default for RefererRules {
    fn default() -> Self {
        RefererRules {
            allow_empty: true,
            truncate_query: true,
            truncate_path: false,
            allowed: Vec::new(),
            refused: Vec::new(),
        }
    }
}

/// Why a request may not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefererRefusal {
    /// It says nothing of where it comes from.
    Empty,
    /// It comes from a page that is refused.
    Refused,
    /// It comes from a page that is not allowed.
    NotAllowed,
}

impl RefererRules {
    /// Whether a request with this header (empty when there is none) may read.
    pub fn judge(&self, referer: &[u8]) -> Result<(), RefererRefusal> {
        let referer = referer.trim_ascii();
        if referer.is_empty() {
            // Without a list of those allowed there is nobody whom the header would have to name.
            let may = self.allow_empty || self.allowed.is_empty();
            return if may { Ok(()) } else { Err(RefererRefusal::Empty) };
        }
        let text = Text::new(self.compared(referer));
        if self.refused.iter().any(|pattern| text.begins_with(pattern)) {
            return Err(RefererRefusal::Refused);
        }
        if self.allowed.is_empty() || self.allowed.iter().any(|pattern| text.begins_with(pattern)) {
            return Ok(());
        }
        Err(RefererRefusal::NotAllowed)
    }

    /// The part of the header that patterns see.
    fn compared<'a>(&self, referer: &'a [u8]) -> &'a [u8] {
        let query = referer.iter().position(|b| *b == b'?');
        let whole = match query.filter(|_| self.truncate_query || self.truncate_path) {
            Some(at) => &referer[..at],
            None => referer,
        };
        if !self.truncate_path {
            return whole;
        }
        let host = whole.windows(3).position(|part| part == b"://").map_or(0, |at| at + 3);
        match whole[host..].iter().position(|b| *b == b'/') {
            Some(slash) => &whole[..host + slash],
            None => whole,
        }
    }
}

/// A header to be compared: for each byte that occurs in it, the set of its positions. ASCII case is folded, as hosts have
/// none.
struct Text {
    length: usize,
    positions: Vec<(u8, Positions)>,
}

/// A set of positions in a text, one bit each.
type Positions = Vec<u64>;

const BITS: usize = 64;

impl Text {
    fn new(text: &[u8]) -> Self {
        // Browsers cut a longer one to its origin.
        let text = &text[..text.len().min(REFERER_BYTES_MAX)];
        let words = text.len() / BITS + 1;
        let mut positions: Vec<(u8, Positions)> = Vec::new();
        for (at, byte) in text.iter().enumerate() {
            let byte = byte.to_ascii_lowercase();
            let known = positions.iter().position(|(known, _)| *known == byte);
            let index = known.unwrap_or_else(|| {
                positions.push((byte, vec![0; words]));
                positions.len() - 1
            });
            positions[index].1[at / BITS] |= 1 << (at % BITS);
        }
        Text { length: text.len(), positions }
    }

    /// Whether the text begins with what `pattern` stands for.
    fn begins_with(&self, pattern: &str) -> bool {
        // Where the pattern, as far as it is read, may have come to in the text.
        let mut reached: Positions = vec![0; self.length / BITS + 1];
        reached[0] = 1;
        for byte in pattern.bytes().map(|b| b.to_ascii_lowercase()) {
            match byte {
                b'*' => fill_up(&mut reached),
                b'?' => step(&mut reached, None),
                _ => match self.positions.iter().find(|(known, _)| *known == byte) {
                    Some((_, positions)) => step(&mut reached, Some(positions)),
                    None => return false,
                },
            }
            // What lies behind the text's end is nowhere.
            if let Some(last) = reached.last_mut() {
                *last &= u64::MAX >> (BITS - 1 - self.length % BITS);
            }
            if reached.iter().all(|word| *word == 0) {
                return false;
            }
        }
        true
    }
}

/// Goes one byte on from each position, where that byte is one of `these`.
fn step(reached: &mut [u64], these: Option<&Positions>) {
    let mut carry = 0;
    for (at, word) in reached.iter_mut().enumerate() {
        let from = these.map_or(*word, |these| *word & these[at]);
        *word = (from << 1) | carry;
        carry = from >> (BITS - 1);
    }
}

/// Goes on from each position to all behind it.
fn fill_up(reached: &mut [u64]) {
    if let Some(first) = reached.iter().position(|word| *word != 0) {
        let lowest = reached[first] & reached[first].wrapping_neg();
        reached[first] = !(lowest - 1);
        reached[first + 1..].fill(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_beginning() {
        for (pattern, text, expected) in [
            ("", "anything", true),
            ("www.example.com", "www.example.com/123", true),
            ("www.example.com", "www.example.com.cn", true),
            ("www.example.com", "http://www.example.com", false),
            ("*www.example.com/", "https://www.example.com/", true),
            ("*www.example.com/", "https://www.example.com", false),
            ("*.example.com", "http://help.example.com/a", true),
            ("*.example.com", "http://example.com/a", false),
            ("http://www.?.example.com", "http://www.a.example.com", true),
            ("http://www.?.example.com", "http://www.ab.example.com", false),
            ("http://www.?.example.com", "http://www..example.com", false),
            ("HTTP://A.example", "http://a.EXAMPLE", true),
            ("*", "x", true),
            ("**", "x", true),
            ("*?", "x", true),
            ("?*", "x", true),
            ("??", "x", false),
            ("?", "x", true),
            ("*??", "x", false),
            ("*b*d", "abcd", true),
            ("*d*b", "abcd", false),
            ("abc", "ab", false),
            ("a*", "a", true),
            ("*\u{e4}*", "http://\u{e4}.example", true),
        ] {
            assert_eq!(Text::new(text.as_bytes()).begins_with(pattern), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn sets_of_positions_reach_over_words() {
        for length in [62, 63, 64, 65, 127, 128, 129, 200] {
            let text = "a".repeat(length);
            let of = |pattern: &str| Text::new(text.as_bytes()).begins_with(pattern);
            assert!(of(&text) && of(&"?".repeat(length)), "{length}");
            assert!(!of(&format!("{text}a")) && !of(&"?".repeat(length + 1)), "{length}");
            assert!(of(&format!("*{text}")) && !of(&format!("*{text}?")), "{length}");
            let marked = format!("{text}b");
            assert!(Text::new(marked.as_bytes()).begins_with("*ab"), "{length}");
        }
    }

    /// Against the plain definition.
    #[test]
    fn every_short_pattern_agrees_with_the_definition() {
        fn matches(pattern: &[u8], text: &[u8]) -> bool {
            match pattern.split_first() {
                None => true,
                Some((b'*', rest)) => (0..=text.len()).any(|at| matches(rest, &text[at..])),
                Some((b'?', rest)) => !text.is_empty() && matches(rest, &text[1..]),
                Some((byte, rest)) => text.first() == Some(byte) && matches(rest, &text[1..]),
            }
        }
        let words = |alphabet: &[u8], length: u32| -> Vec<String> {
            let count = alphabet.len().pow(length);
            let word = |mut n: usize| {
                let mut word = String::new();
                for _ in 0..length {
                    word.push(char::from(alphabet[n % alphabet.len()]));
                    n /= alphabet.len();
                }
                word
            };
            (0..count).map(word).collect()
        };
        for pattern in (0..=5).flat_map(|length| words(b"ab*?", length)) {
            for text in (0..=4).flat_map(|length| words(b"ab", length)) {
                let expected = matches(pattern.as_bytes(), text.as_bytes());
                assert_eq!(Text::new(text.as_bytes()).begins_with(&pattern), expected, "{pattern} {text}");
            }
        }
    }

    #[test]
    fn what_is_judged_follows_the_rules_in_order() {
        use RefererRefusal::*;
        let rules = |allow_empty, allowed: &[&str], refused: &[&str]| RefererRules {
            allow_empty,
            allowed: allowed.iter().map(|text| (*text).to_owned()).collect(),
            refused: refused.iter().map(|text| (*text).to_owned()).collect(),
            ..RefererRules::default()
        };
        for (rules, referer, expected) in [
            (RefererRules::default(), "", Ok(())),
            (RefererRules::default(), "http://a.example/", Ok(())),
            (rules(false, &[], &[]), "", Ok(())),
            (rules(false, &["http://a"], &[]), "", Err(Empty)),
            (rules(false, &["http://a"], &[]), "  ", Err(Empty)),
            (rules(true, &["http://a"], &[]), "", Ok(())),
            (rules(true, &["http://a"], &[]), "http://a.example/", Ok(())),
            (rules(true, &["http://a"], &[]), "http://b.example/", Err(NotAllowed)),
            (rules(true, &[], &["http://b"]), "http://b.example/", Err(Refused)),
            (rules(true, &[], &["http://b"]), "http://a.example/", Ok(())),
            (rules(true, &["http://*.example"], &["http://b"]), "http://b.example/", Err(Refused)),
        ] {
            assert_eq!(rules.judge(referer.as_bytes()), expected, "{rules:?} {referer}");
        }
    }

    #[test]
    fn query_and_path_are_left_out_as_set() {
        let compared = |truncate_query, truncate_path, referer: &'static str| {
            let rules = RefererRules { truncate_query, truncate_path, ..RefererRules::default() };
            String::from_utf8(rules.compared(referer.as_bytes()).to_vec()).expect("text")
        };
        assert_eq!(compared(true, false, "http://a.example/b?c=d?e"), "http://a.example/b");
        assert_eq!(compared(false, false, "http://a.example/b?c=d"), "http://a.example/b?c=d");
        assert_eq!(compared(false, true, "http://a.example/b?c=d"), "http://a.example");
        assert_eq!(compared(true, true, "http://a.example"), "http://a.example");
        assert_eq!(compared(true, true, "a.example/b"), "a.example");
    }

    #[test]
    fn a_hostile_header_costs_no_more_than_its_length() {
        let referer = "a".repeat(1_000_000);
        let patterns = vec!["*a".repeat(200) + "b"; 50];
        let rules = RefererRules { allowed: patterns, ..RefererRules::default() };
        assert_eq!(rules.judge(referer.as_bytes()), Err(RefererRefusal::NotAllowed));
    }
}
