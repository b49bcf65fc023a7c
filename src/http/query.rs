//! The query of a request, as every dialect reads it.

/// Names whose values are base64 and what contains it. Such a value has pluses and never a blank, so a `+` that a client
/// left unencoded is itself.
const BASE64_VALUES: &[&[u8]] =
    &[b"Signature", b"callback", b"callback-var", b"security-token", b"x-oss-security-token", b"x-oss-signature"];

/// A request's query: names and values decoded once, in order; of a repeated name the first counts. `+` is a space, as
/// HTML forms have it and as `oss2` sends it. (It is a plus in paths, and in the queries of RTMP URLs.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(Vec<u8>, Vec<u8>)>);

impl Query {
    /// Reads what follows the `?`.
    pub fn parse(raw: &str) -> Self {
        let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for part in raw.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decode(name);
            if seen.insert(name.clone()) {
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

fn decode(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).collect()
}
