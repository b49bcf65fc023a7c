//! Where outbound connections may go. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::net::network::{Network, NetworkError, masked};

/// A place that configuration allows besides public addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowRule {
    /// Addresses, at any port.
    Network(Network),
    /// A host at a port, whatever address its name leads to.
    Endpoint {
        /// Name or address, lower case, without brackets.
        host: String,
        /// 1..=65535.
        port: u16,
    },
}

impl FromStr for AllowRule {
    type Err = String;

    /// `10.0.0.0/8`, `fd00::/8`, `192.0.2.7`, `app.internal:8080`, `[::1]:8080`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is neither a network like 10.0.0.0/8 nor an endpoint like app.internal:8080");
        if text.contains('/') || text.parse::<IpAddr>().is_ok() {
            return match text.parse::<Network>() {
                Ok(network) => Ok(AllowRule::Network(network)),
                Err(NetworkError::Form(_)) => Err(wrong()),
                Err(error @ NetworkError::HostBits { .. }) => Err(error.to_string()),
            };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                rest.strip_suffix(']').filter(|inside| inside.parse::<Ipv6Addr>().is_ok()).ok_or_else(wrong)?
            }
            None if is_name(host) => host,
            None => return Err(wrong()),
        };
        Ok(AllowRule::Endpoint { host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for AllowRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AllowRule::Network(network) => network.fmt(f),
            AllowRule::Endpoint { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            AllowRule::Endpoint { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl AllowRule {
    /// Whether the rule allows `address`, which `host` (lower case, without brackets) at `port` led to.
    pub fn allows(&self, host: &str, port: u16, address: IpAddr) -> bool {
        match self {
            AllowRule::Network(network) => network.contains(address),
            AllowRule::Endpoint { host: allowed, port: at } => allowed == host && *at == port,
        }
    }
}

fn is_name(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

/// Networks that are not the public internet (IANA special-purpose address registries, RFC 6890 and what came after).
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10), // carriers, and the metadata service of one cloud
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16), // the metadata service of the others
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Of IPv6 only 2000::/3 is public at all; within it, these are not.
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo among them
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address belongs to the public internet. One that carries an IPv4 address within it is as public as that.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            NOT_PUBLIC_V4.iter().all(|(network, prefix)| masked(address.into(), *prefix) != IpAddr::V4(*network))
        }
        IpAddr::V6(address) => match address.segments() {
            // NAT64 (RFC 6052): a translator would lead on to the address inside.
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public(embedded(high, low)),
            // 6to4 (RFC 3056).
            [0x2002, high, low, ..] => is_public(embedded(high, low)),
            _ => {
                let within =
                    |(network, prefix): &(Ipv6Addr, u8)| masked(address.into(), *prefix) == IpAddr::V6(*network);
                within(&(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)) && !NOT_PUBLIC_V6.iter().any(within)
            }
        },
    }
}

fn embedded(high: u16, low: u16) -> IpAddr {
    Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn only_the_public_internet_is_public() {
        for text in ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "223.255.255.255", "2606:2800:220:1::1"] {
            assert!(is_public(address(text)), "{text}");
        }
        for text in ["::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:0101:0101::1", "2a00:1450:4001::"] {
            assert!(is_public(address(text)), "{text}");
        }
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.2.1",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:0001::1",
            "2002:0a00:0001::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address(text)), "{text}");
        }
    }

    #[test]
    fn rules_read_as_they_are_shown_and_allow_what_they_name() {
        for (text, shown, host, port, to, allowed) in [
            ("10.0.0.0/8", "10.0.0.0/8", "x", 80, "10.255.0.1", true),
            ("10.0.0.0/8", "10.0.0.0/8", "x", 80, "::ffff:10.255.0.1", true),
            ("10.0.0.0/8", "10.0.0.0/8", "x", 80, "11.0.0.1", false),
            ("0.0.0.0/0", "0.0.0.0/0", "x", 80, "127.0.0.1", true),
            ("0.0.0.0/0", "0.0.0.0/0", "x", 80, "::1", false),
            ("192.0.2.7", "192.0.2.7/32", "x", 80, "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.7/32", "x", 80, "192.0.2.6", false),
            ("::1", "::1/128", "x", 80, "::1", true),
            ("fd00::/8", "fd00::/8", "x", 80, "fd12::1", true),
            ("fd00::/8", "fd00::/8", "x", 80, "fe80::1", false),
            ("App.internal:8080", "app.internal:8080", "app.internal", 8080, "10.0.0.1", true),
            ("App.internal:8080", "app.internal:8080", "app.internal", 80, "10.0.0.1", false),
            ("App.internal:8080", "app.internal:8080", "other.internal", 8080, "10.0.0.1", false),
            ("127.0.0.1:9", "127.0.0.1:9", "127.0.0.1", 9, "127.0.0.1", true),
            ("[::1]:8080", "[::1]:8080", "::1", 8080, "::1", true),
        ] {
            let rule: AllowRule = text.parse().unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(rule.to_string(), shown);
            assert_eq!(rule.allows(host, port, address(to)), allowed, "{text} {host}:{port} {to}");
        }
        for text in [
            "",
            "app",
            "app:",
            "app:0",
            "app:70000",
            ":80",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "[app]:80",
            "a b:1",
            "http://a:1",
        ] {
            assert!(text.parse::<AllowRule>().is_err(), "{text}");
        }
    }
}
