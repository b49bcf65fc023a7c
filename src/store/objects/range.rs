//! The `Range` header. RFC 9110 section 14, and where the dialects part from it.

use std::cmp::Ordering;
use std::ops::Range;

/// Whose rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeRules {
    /// OSS: a range that does not fit the object is as if it had not been sent.
    Oss,
    /// OSS with `x-oss-range-behavior: standard`.
    OssStandard,
    /// S3.
    S3,
}

/// What a `Range` header comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeOutcome {
    /// 200 with the whole object.
    Whole,
    /// 206 with these bytes; never empty.
    Partial(Range<u64>),
    /// 416.
    Unsatisfiable,
}

/// What an object of `size` bytes answers to this `Range` header.
pub fn resolve_range(header: &str, size: u64, rules: RangeRules) -> RangeOutcome {
    let Some(first) = parse(header, rules) else { return RangeOutcome::Whole };
    if size == 0 {
        return match rules {
            RangeRules::Oss | RangeRules::OssStandard => RangeOutcome::Whole,
            RangeRules::S3 => RangeOutcome::Unsatisfiable,
        };
    }
    // Where a range reaches past the object, OSS forgets it and the others clip it.
    let forgets = rules == RangeRules::Oss;
    match first {
        Spec::Last(0) => RangeOutcome::Unsatisfiable,
        Spec::Last(count) if count > size && forgets => RangeOutcome::Whole,
        Spec::Last(count) => RangeOutcome::Partial(size.saturating_sub(count)..size),
        Spec::From(start, _) if start >= size && forgets => RangeOutcome::Whole,
        Spec::From(start, _) if start >= size => RangeOutcome::Unsatisfiable,
        Spec::From(_, Some(last)) if last >= size && forgets => RangeOutcome::Whole,
        Spec::From(start, last) => RangeOutcome::Partial(start..last.map_or(size, |last| size.min(last + 1))),
    }
}

/// One range as it was asked for. Numbers past 64 bits are as good as the largest: no object is that long.
#[derive(Clone, Copy, Debug)]
enum Spec {
    /// `-N`.
    Last(u64),
    /// `A-` or `A-B`, `A` not above `B`.
    From(u64, Option<u64>),
}

/// The range to answer; `None` when the header is to be ignored: it is malformed anywhere, or asks for several ranges
/// of S3. OSS answers the first of several.
fn parse(header: &str, rules: RangeRules) -> Option<Spec> {
    let (unit, list) = header.trim().split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut first = None;
    // Empty elements of a list are no elements (RFC 9110 section 5.6.1).
    for element in
        list.split(',').map(|element| element.trim_matches([' ', '\t'])).filter(|element| !element.is_empty())
    {
        let spec = parse_spec(element)?;
        if first.is_some() && rules == RangeRules::S3 {
            return None;
        }
        first.get_or_insert(spec);
    }
    first
}

fn parse_spec(element: &str) -> Option<Spec> {
    let (start, end) = element.split_once('-')?;
    let (start, end) = (Number::parse(start)?, Number::parse(end)?);
    match (start.is_absent(), end.is_absent()) {
        (true, true) => None,
        (true, false) => Some(Spec::Last(end.value())),
        (false, true) => Some(Spec::From(start.value(), None)),
        (false, false) => (start.cmp(&end) != Ordering::Greater).then(|| Spec::From(start.value(), Some(end.value()))),
    }
}

/// Decimal digits of any length.
struct Number<'a> {
    written: &'a str,
    /// Without leading zeros.
    digits: &'a str,
}

impl<'a> Number<'a> {
    /// `None` when anything but digits is there; nothing at all is a number that is absent.
    fn parse(text: &'a str) -> Option<Self> {
        let number = Number { written: text, digits: text.trim_start_matches('0') };
        text.bytes().all(|b| b.is_ascii_digit()).then_some(number)
    }

    fn is_absent(&self) -> bool {
        self.written.is_empty()
    }

    fn cmp(&self, other: &Self) -> Ordering {
        self.digits.len().cmp(&other.digits.len()).then(self.digits.cmp(other.digits))
    }

    /// One below the largest at most, so that one more can be added.
    fn value(&self) -> u64 {
        if self.digits.is_empty() { 0 } else { self.digits.parse().unwrap_or(u64::MAX).min(u64::MAX - 1) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::RangeOutcome::{Partial, Unsatisfiable, Whole};
    use super::RangeRules::{Oss, OssStandard, S3};
    use super::*;

    fn check(header: &str, size: u64, expected: [RangeOutcome; 3]) {
        let got = [Oss, OssStandard, S3].map(|rules| resolve_range(header, size, rules));
        assert_eq!(got, expected, "{header:?} of {size}");
    }

    fn all(outcome: RangeOutcome) -> [RangeOutcome; 3] {
        [outcome.clone(), outcome.clone(), outcome]
    }

    #[test]
    fn the_table_of_the_object_api() {
        check("bytes=0-499", 1000, all(Partial(0..500)));
        check("bytes=500-", 1000, all(Partial(500..1000)));
        check("bytes=-500", 1000, all(Partial(500..1000)));
        check("bytes=500-2000", 1000, [Whole, Partial(500..1000), Partial(500..1000)]);
        check("bytes=1000-2000", 1000, [Whole, Unsatisfiable, Unsatisfiable]);
        check("bytes=1000-", 1000, [Whole, Unsatisfiable, Unsatisfiable]);
        check("bytes=-2000", 1000, [Whole, Partial(0..1000), Partial(0..1000)]);
        check("bytes=-0", 1000, all(Unsatisfiable));
        for nonsense in ["byte=0-9", "bytes=9-0", "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-2-3", "0-9"] {
            check(nonsense, 1000, all(Whole));
        }
        check("bytes=0-9,20-29", 1000, [Partial(0..10), Partial(0..10), Whole]);
    }

    #[test]
    fn players_ask_from_zero_and_get_206() {
        check("bytes=0-", 1000, all(Partial(0..1000)));
        check("bytes=0-", 1, all(Partial(0..1)));
    }

    #[test]
    fn edges_of_the_object() {
        check("bytes=0-999", 1000, all(Partial(0..1000)));
        check("bytes=999-999", 1000, all(Partial(999..1000)));
        check("bytes=999-1000", 1000, [Whole, Partial(999..1000), Partial(999..1000)]);
        check("bytes=-1000", 1000, all(Partial(0..1000)));
        check("bytes=-1001", 1000, [Whole, Partial(0..1000), Partial(0..1000)]);
        check("bytes=-1", 1000, all(Partial(999..1000)));
    }

    #[test]
    fn an_empty_object() {
        for header in ["bytes=0-", "bytes=0-0", "bytes=5-9", "bytes=-1", "bytes=-0"] {
            check(header, 0, [Whole, Whole, Unsatisfiable]);
        }
        check("bytes=x", 0, all(Whole));
    }

    #[test]
    fn several_ranges() {
        check("bytes=-5,0-1", 1000, [Partial(995..1000), Partial(995..1000), Whole]);
        check("bytes=2000-,0-1", 1000, [Whole, Unsatisfiable, Whole]);
        check("bytes=0-1, nonsense", 1000, all(Whole));
        check("bytes=,0-1 ,,", 1000, all(Partial(0..2)));
    }

    #[test]
    fn numbers_past_64_bits() {
        let huge = "99999999999999999999999999";
        check(&format!("bytes=5-{huge}"), 1000, [Whole, Partial(5..1000), Partial(5..1000)]);
        check(&format!("bytes={huge}-"), 1000, [Whole, Unsatisfiable, Unsatisfiable]);
        check(&format!("bytes=-{huge}"), 1000, [Whole, Partial(0..1000), Partial(0..1000)]);
        check(&format!("bytes={huge}9-{huge}"), 1000, all(Whole));
        check(&format!("bytes={}-0", "0".repeat(30)), 1000, all(Partial(0..1)));
    }

    #[test]
    fn the_unit_is_a_token_without_case_and_signs_are_no_digits() {
        check("Bytes=0-1", 1000, all(Partial(0..2)));
        check(" bytes=0-1 ", 1000, all(Partial(0..2)));
        check("bytes=+0-1", 1000, all(Whole));
        check("bytes=0 - 1", 1000, all(Whole));
        check("bytes=0-\u{661}", 1000, all(Whole));
    }

    /// Which bytes are asked for, by looking at each of them.
    fn model(start: Option<u64>, end: Option<u64>, size: u64, rules: RangeRules) -> RangeOutcome {
        if matches!((start, end), (Some(a), Some(b)) if a > b) || (start, end) == (None, None) {
            return Whole;
        }
        if size == 0 {
            return if rules == S3 { Unsatisfiable } else { Whole };
        }
        let asked = |i: u64| match (start, end) {
            (None, Some(count)) => i + count >= size,
            (Some(a), b) => i >= a && b.is_none_or(|b| i <= b),
            (None, None) => false,
        };
        let bytes: Vec<u64> = (0..size).filter(|i| asked(*i)).collect();
        let reaches_past = match (start, end) {
            (None, Some(count)) => count > size,
            (Some(a), b) => a >= size || b.is_some_and(|b| b >= size),
            (None, None) => false,
        };
        match (bytes.first(), bytes.last()) {
            _ if reaches_past && rules == Oss => Whole,
            (Some(first), Some(last)) => Partial(*first..last + 1),
            _ => Unsatisfiable,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_model(
            start in proptest::option::of(0u64..40),
            end in proptest::option::of(0u64..40),
            size in 0u64..30,
        ) {
            let text = |n: Option<u64>| n.map_or(String::new(), |n| n.to_string());
            let header = format!("bytes={}-{}", text(start), text(end));
            for rules in [Oss, OssStandard, S3] {
                prop_assert_eq!(resolve_range(&header, size, rules), model(start, end, size, rules), "{} {:?}", header, rules);
            }
        }

        #[test]
        fn whatever_is_sent_the_answer_lies_in_the_object(header in "(bytes=)?[0-9, -]{0,40}|\\PC{0,40}", size in any::<u64>()) {
            for rules in [Oss, OssStandard, S3] {
                if let Partial(range) = resolve_range(&header, size, rules) {
                    prop_assert!(range.start < range.end && range.end <= size);
                }
            }
        }
    }
}
