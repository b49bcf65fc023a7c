//! Networks: an address, and how many of its leading bits count. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses that share their leading bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Host bits are zero.
    address: IpAddr,
    /// At most 32 or 128.
    prefix: u8,
}

/// Why a text names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// It is neither an address nor one with a prefix.
    #[error("`{0}` is not a network like 10.0.0.0/8 or fd00::/8")]
    Form(String),
    /// The address is one within the network: nobody knows which was meant.
    #[error("`{text}` has bits behind its prefix: {network}")]
    HostBits {
        /// What was given.
        text: String,
        /// The network that it lies in.
        network: Network,
    },
}

impl FromStr for Network {
    type Err = NetworkError;

    /// `10.0.0.0/8`, `fd00::/8`, `192.0.2.7`.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError::Form(text.to_owned());
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Network { address, prefix: bits(address) });
        }
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().ok().filter(|prefix| *prefix <= bits(address)).ok_or_else(wrong)?;
        let network = Network { address: masked(address, prefix), prefix };
        match network.address == address {
            true => Ok(network),
            false => Err(NetworkError::HostBits { text: text.to_owned(), network }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Network {
    /// Whether an address is one of these; an IPv4 address in IPv6's clothes is looked at in either.
    pub fn contains(&self, address: IpAddr) -> bool {
        [address.to_canonical(), address].into_iter().any(|address| masked(address, self.prefix) == self.address)
    }
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// An address without the bits behind its prefix; a prefix that is too long leaves them all.
pub(super) fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(u32::from(32 - prefix.min(32))).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(u32::from(128 - prefix.min(128))).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_read_as_they_are_shown_and_contain_what_they_name() {
        for (text, shown, inside, outside) in [
            ("10.0.0.0/8", "10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.0.0.0/8", "10.0.0.0/8", "::ffff:10.255.0.1", "::10.255.0.1"),
            ("192.0.2.7", "192.0.2.7/32", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "0.0.0.0/0", "127.0.0.1", "::1"),
            ("::1", "::1/128", "::1", "::2"),
            ("fd00::/8", "fd00::/8", "fd12::1", "fe80::1"),
            ("2001:db8::/64", "2001:db8::/64", "2001:db8::ffff:1", "2001:db8:0:1::"),
        ] {
            let network: Network = text.parse().unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(network.to_string(), shown);
            assert!(network.contains(inside.parse().expect("an address")), "{text} {inside}");
            assert!(!network.contains(outside.parse().expect("an address")), "{text} {outside}");
        }
        for text in ["", "app", "10.0.0.0/33", "10.0.0.1/8", "::/129", "10.0.0.0/", "/8", "127.0.0.1:80"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
