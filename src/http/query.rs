//! The query of a request, as every dialect reads it.

/// Names whose values are base64 and what contains it. Such a value has pluses and never a blank, so a `+` that a client
/// left unencoded is itself.
const BASE64_VALUES: &[&[u8]] =
    &[b"Signature", b"callback", b"callback-var", b"security-token", b"x-oss-security-token", b"x-oss-signature"];

/// Pairs up to which a repeated name is looked for one by one.
const FEW: usize = 16;

/// A request's query: names and values decoded once, in order; of a repeated name the first counts. `+` is a space, as
/// HTML forms have it and as `oss2` sends it. (It is a plus in paths, and in the queries of RTMP URLs.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(Vec<u8>, Vec<u8>)>);

impl Query {
    /// Reads what follows the `?`.
    pub fn parse(raw: &str) -> Self {
        if raw.is_empty() {
            return Query::default();
        }
        let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::with_capacity(FEW / 2);
        // Few names are told apart by looking at each; many, which nobody but an attacker sends, by a set.
        let mut seen = std::collections::HashSet::new();
        let ends = memchr::memchr_iter(b'&', raw.as_bytes()).chain([raw.len()]);
        let mut begins = 0;
        let parts = ends.map(|end| &raw.as_bytes()[std::mem::replace(&mut begins, end + 1)..end]);
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = match memchr::memchr(b'=', part) {
                Some(at) => (&part[..at], &part[at + 1..]),
                None => (part, &b""[..]),
            };
            let name = decode(name);
            let is_new = match pairs.len() {
                0..FEW => pairs.iter().all(|(known, _)| *known != name),
                FEW => {
                    seen.extend(pairs.iter().map(|(known, _)| known.clone()));
                    seen.insert(name.clone())
                }
                _ => seen.insert(name.clone()),
            };
            if is_new {
                let mut value = decode(value);
                if BASE64_VALUES.contains(&name.as_slice()) {
                    value.iter_mut().filter(|byte| **byte == b' ').for_each(|blank| *blank = b'+');
                }
                pairs.push((name, value));
            }
        }
        Query(pairs)
    }

    /// All pairs in order.
    pub fn pairs(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.0
    }

    /// Whether the name is there, with a value or without: `?live` and `?live=` are the same.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value; empty when the name stands alone.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// The value where it is not empty.
    pub fn filled(&self, name: &str) -> Option<&[u8]> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The value as text, for comparisons and messages; bytes that are no UTF-8 are replaced.
    pub fn text(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
        self.get(name).map(String::from_utf8_lossy)
    }
}

fn decode(text: &[u8]) -> Vec<u8> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return text.to_vec();
    }
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut decoded, mut rest) = (Vec::with_capacity(text.len()), 0);
    while let Some(found) = memchr::memchr2(b'%', b'+', &text[rest..]) {
        let at = rest + found;
        decoded.extend_from_slice(&text[rest..at]);
        rest = at + 1;
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'+', ..) => decoded.push(b' '),
            (_, Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = at + 3;
            }
            // What is no escape is itself.
            _ => decoded.push(b'%'),
        }
    }
    decoded.extend_from_slice(&text[rest..]);
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_escape_is_itself() {
        for (text, expected) in [
            ("", &b""[..]),
            ("a-b", b"a-b"),
            ("%41+%2b%C3%a9", b"A +\xC3\xA9"),
            ("+%", b" %"),
            ("%4", b"%4"),
            ("%4g%G4", b"%4g%G4"),
            ("%%41%+1", b"%A% 1"),
            ("%c3\u{e9}", b"\xC3\xC3\xA9"),
        ] {
            assert_eq!(decode(text.as_bytes()), expected, "{text}");
        }
    }
}
