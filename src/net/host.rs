//! What a host name may mean: a base domain, a label below one, a bound custom domain, an address.
//!
//! Pure. The transports share it, because a bucket stands in the host of an HTTP request and of an RTMP `tcUrl` alike.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// The operator's names. All lower case, without ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostRules {
    /// Domains below which the first label names a bucket. `localhost` and the region hosts of `aliyuncs.com` are
    /// always understood and need not be listed.
    pub base_domains: Vec<String>,
    /// Custom domain -> bucket.
    pub cnames: BTreeMap<String, String>,
}

/// What one host name means under [`HostRules`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostReading {
    /// A literal address: nothing is known about a bucket.
    Address,
    /// A base domain itself (or a leading dot below one): the service, or path style.
    Base,
    /// One label below a base domain.
    Label(String),
    /// A bound custom domain; the bucket's name.
    Bound(String),
    /// Any other name.
    Unknown,
}

/// A `Host` value without its port, lower case; brackets of an IPv6 literal removed.
pub fn without_port(host: &str) -> String {
    let host = host.trim();
    let name = if let Some(rest) = host.strip_prefix('[') {
        rest.split(']').next().unwrap_or(rest)
    } else if host.matches(':').count() == 1 {
        host.split(':').next().unwrap_or(host)
    } else {
        host
    };
    name.to_ascii_lowercase()
}

impl HostRules {
    /// Reads one `Host` value (port allowed, any case).
    pub fn read(&self, host: &str) -> HostReading {
        let name = without_port(host);
        if name.parse::<IpAddr>().is_ok() {
            return HostReading::Address;
        }
        if let Some(bucket) = self.cnames.get(&name) {
            return HostReading::Bound(bucket.clone());
        }
        let bases = self.base_domains.iter().map(String::as_str).chain(["localhost"]);
        for base in bases {
            if let Some(reading) = below(&name, base) {
                return reading;
            }
        }
        // `oss-cn-hangzhou.aliyuncs.com`, also with `-internal`; ali-oss aimed at an address sends such hosts.
        match name.strip_suffix(".aliyuncs.com") {
            Some(rest) => match rest.split_once('.') {
                None => HostReading::Base,
                Some(("", _)) => HostReading::Base,
                Some((label, region)) if !region.contains('.') => HostReading::Label(label.to_owned()),
                Some(_) => HostReading::Unknown,
            },
            None => HostReading::Unknown,
        }
    }
}

fn below(name: &str, base: &str) -> Option<HostReading> {
    if name == base {
        return Some(HostReading::Base);
    }
    let label = name.strip_suffix(base)?.strip_suffix('.')?;
    Some(if label.is_empty() { HostReading::Base } else { HostReading::Label(label.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_the_rules_say() {
        let rules = HostRules {
            base_domains: vec!["oss.example.com".into()],
            cnames: BTreeMap::from([("cdn.example.org".to_owned(), "films".to_owned())]),
        };
        let label = |s: &str| HostReading::Label(s.to_owned());
        for (host, reading) in [
            ("127.0.0.1:9000", HostReading::Address),
            ("[::1]:9000", HostReading::Address),
            ("oss.example.com", HostReading::Base),
            ("B1.OSS.example.com:80", label("b1")),
            (".oss.example.com", HostReading::Base),
            ("a.b.oss.example.com", label("a.b")),
            ("localhost:9000", HostReading::Base),
            ("b1.localhost:9000", label("b1")),
            ("oss-cn-hangzhou.aliyuncs.com", HostReading::Base),
            (".oss-cn-hangzhou.aliyuncs.com", HostReading::Base),
            ("b1.oss-cn-hangzhou.aliyuncs.com", label("b1")),
            ("b1.oss-cn-hangzhou-internal.aliyuncs.com:80", label("b1")),
            ("cdn.example.org:8080", HostReading::Bound("films".into())),
            ("else.example.org", HostReading::Unknown),
            ("notoss.example.com", HostReading::Unknown),
        ] {
            assert_eq!(rules.read(host), reading, "{host}");
        }
    }
}
