//! Conditions of a statement: which there are, how they are read, and when they hold.
//!
//! Whatever is not known here is refused when the policy is put: a condition that nobody judges would either open what its
//! author meant to close or the reverse.

use std::net::IpAddr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{PolicyError, wildcard};

/// What a request brings that conditions may speak of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// The client's address.
    pub source_ip: Option<IpAddr>,
    /// It came over TLS.
    pub secure: bool,
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// `Referer`.
    pub referer: Option<&'a [u8]>,
    /// `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// Of a listing: its prefix, empty when it has none. `None` for everything else.
    pub prefix: Option<&'a [u8]>,
    /// The same with the delimiter.
    pub delimiter: Option<&'a [u8]>,
}

/// One operator over one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// It holds when the test does not (and when the request has no such key).
    negated: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Text { key: TextKey, form: Form, values: Vec<String> },
    Address(Vec<Network>),
    Secure(Vec<bool>),
    Time(Order, Vec<i64>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextKey {
    Prefix,
    Delimiter,
    Referer,
    UserAgent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Same,
    SameIgnoringCase,
    Like,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Before,
    NotAfter,
    After,
    NotBefore,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

/// The kinds of operators, each with the keys it takes.
enum Operator {
    Text(Form),
    Address,
    Secure,
    Time(Order),
}

impl Condition {
    /// Reads one operator, one key and its values.
    pub(super) fn read(operator: &str, key: &str, values: &[String]) -> Result<Self, PolicyError> {
        let unknown = || PolicyError::new(format!("The condition {operator} on {key} is not supported."));
        let (kind, negated) = match operator {
            "StringEquals" => (Operator::Text(Form::Same), false),
            "StringNotEquals" => (Operator::Text(Form::Same), true),
            "StringEqualsIgnoreCase" => (Operator::Text(Form::SameIgnoringCase), false),
            "StringNotEqualsIgnoreCase" => (Operator::Text(Form::SameIgnoringCase), true),
            "StringLike" => (Operator::Text(Form::Like), false),
            "StringNotLike" => (Operator::Text(Form::Like), true),
            "IpAddress" => (Operator::Address, false),
            "NotIpAddress" => (Operator::Address, true),
            "Bool" => (Operator::Secure, false),
            "DateLessThan" => (Operator::Time(Order::Before), false),
            "DateLessThanEquals" => (Operator::Time(Order::NotAfter), false),
            "DateGreaterThan" => (Operator::Time(Order::After), false),
            "DateGreaterThanEquals" => (Operator::Time(Order::NotBefore), false),
            _ => return Err(unknown()),
        };
        if values.is_empty() {
            return Err(PolicyError::new(format!("The condition {operator} on {key} has no value.")));
        }
        let invalid = |value: &String| PolicyError::new(format!("{value} is no value of the condition {key}."));
        let test = match (kind, key.to_ascii_lowercase().as_str()) {
            (Operator::Text(form), name) => {
                let key = TextKey::read(name).ok_or_else(unknown)?;
                if let Some(value) = values.iter().find(|value| value.contains("${")) {
                    return Err(PolicyError::new(format!("Policy variables are not supported: {value}.")));
                }
                Test::Text { key, form, values: values.to_vec() }
            }
            (Operator::Address, "acs:sourceip" | "aws:sourceip") => {
                let read = |value: &String| Network::read(value).ok_or_else(|| invalid(value));
                Test::Address(values.iter().map(read).collect::<Result<_, _>>()?)
            }
            (Operator::Secure, "acs:securetransport" | "aws:securetransport") => {
                let read = |value: &String| value.to_ascii_lowercase().parse().map_err(|_| invalid(value));
                Test::Secure(values.iter().map(read).collect::<Result<_, _>>()?)
            }
            (Operator::Time(order), "acs:currenttime" | "aws:currenttime") => {
                let read = |value: &String| instant(value).ok_or_else(|| invalid(value));
                Test::Time(order, values.iter().map(read).collect::<Result<_, _>>()?)
            }
            _ => return Err(unknown()),
        };
        Ok(Condition { negated, test })
    }

    /// Whether it holds. One of several values is enough; negated, none of them may fit.
    pub(super) fn holds(&self, context: &Context<'_>) -> bool {
        let fits = match &self.test {
            Test::Text { key, form, values } => key.of(context).is_some_and(|text| form.any(values, text)),
            Test::Address(networks) => {
                context.source_ip.is_some_and(|address| networks.iter().any(|network| network.holds(address)))
            }
            Test::Secure(values) => values.contains(&context.secure),
            Test::Time(order, times) => times.iter().any(|time| order.holds(context.now_ms, *time)),
        };
        fits != self.negated
    }

    /// Whether it lets in a fixed range of addresses only, so that what it guards is not open to the world. (The bounds are
    /// those of "the meaning of public" in the documentation of Amazon S3.)
    pub(super) fn fixes_addresses(&self) -> bool {
        let narrow = |network: &Network| network.bits >= if network.address.is_ipv4() { 8 } else { 32 };
        !self.negated && matches!(&self.test, Test::Address(networks) if networks.iter().all(narrow))
    }
}

impl TextKey {
    fn read(name: &str) -> Option<Self> {
        match name {
            "oss:prefix" | "s3:prefix" => Some(TextKey::Prefix),
            "oss:delimiter" | "s3:delimiter" => Some(TextKey::Delimiter),
            "acs:referer" | "oss:referer" | "aws:referer" => Some(TextKey::Referer),
            "acs:useragent" | "aws:useragent" => Some(TextKey::UserAgent),
            _ => None,
        }
    }

    fn of<'a>(self, context: &Context<'a>) -> Option<&'a [u8]> {
        match self {
            TextKey::Prefix => context.prefix,
            TextKey::Delimiter => context.delimiter,
            TextKey::Referer => context.referer,
            TextKey::UserAgent => context.user_agent,
        }
    }
}

impl Form {
    fn any(self, values: &[String], text: &[u8]) -> bool {
        values.iter().map(String::as_bytes).any(|value| match self {
            Form::Same => value == text,
            Form::SameIgnoringCase => value.eq_ignore_ascii_case(text),
            Form::Like => wildcard::matches(value, text),
        })
    }
}

impl Order {
    fn holds(self, now: i64, time: i64) -> bool {
        match self {
            Order::Before => now < time,
            Order::NotAfter => now <= time,
            Order::After => now > time,
            Order::NotBefore => now >= time,
        }
    }
}

impl Network {
    /// An address, or `address/bits`.
    fn read(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        // A client's IPv4 address is compared as such, so this range would never be met.
        if address.to_canonical() != address {
            return None;
        }
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().ok().filter(|bits| *bits <= most)?,
            Some(_) => return None,
        };
        Some(Network { address, bits })
    }

    fn holds(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & mask == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

/// A time of ISO 8601 with its zone, in milliseconds since the epoch.
fn instant(text: &str) -> Option<i64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}
