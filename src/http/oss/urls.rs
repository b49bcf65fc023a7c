//! The publish and play URLs of a channel, as a client is told them.
//!
//! Pure. They are built from the address the client used, because that is the one that is known to reach us; a
//! configured public endpoint wins. PutLiveChannel and ListLiveChannel carry them.

use std::net::SocketAddr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};

use crate::net::host::{HostReading, HostRules, without_port};

/// All but RFC 3986's unreserved characters.
const OUTSIDE_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same, but for the slashes of a key.
const OUTSIDE_KEY: &AsciiSet = &OUTSIDE_UNRESERVED.remove(b'/');

/// Where a channel is published to and played from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChannelUrls {
    /// `rtmp://..`
    pub(super) publish: String,
    /// `http://..`
    pub(super) play: String,
}

/// An address that leads to a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BucketAddress {
    scheme: &'static str,
    /// `host[:port]` as it is written into a URL.
    authority: String,
    /// What stands before the key: empty, or the bucket where the host cannot name it.
    path: String,
}

/// What the address that a client is told is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// The operator's public endpoint.
    pub(super) public_endpoint: Option<&'a str>,
    /// The request's `Host`.
    pub(super) host: Option<&'a str>,
    /// Our end of the socket.
    pub(super) local: Option<SocketAddr>,
    /// The operator's names.
    pub(super) rules: &'a HostRules,
}

impl Known<'_> {
    /// Scheme for playing, and the authority to start from:
    /// 1. the operator's public endpoint, with its scheme;
    /// 2. else the request's `Host`;
    /// 3. else (no `Host`, or one below `aliyuncs.com`, which ali-oss makes up when it is aimed at an address) our end of
    ///    the socket, which is the address that client dialled.
    fn base(&self) -> (&'static str, String) {
        if let Some(endpoint) = self.public_endpoint {
            let (scheme, authority) = match endpoint.split_once("://") {
                Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => ("https", rest),
                Some((_, rest)) => ("http", rest),
                None => ("http", endpoint),
            };
            return (scheme, authority.split('/').next().unwrap_or(authority).to_owned());
        }
        let host = self.host.map(|h| h.trim().trim_start_matches('.'));
        let authority = match host.filter(|h| !h.is_empty() && !without_port(h).ends_with("aliyuncs.com")) {
            Some(host) => host.to_owned(),
            None => self.local.map_or_else(|| "localhost".to_owned(), |local| local.to_string()),
        };
        ("http", authority)
    }

    /// The service's own host and port, without any bucket: what clients are told as its endpoint.
    pub(super) fn service_endpoint(&self) -> String {
        let (_, authority) = self.base();
        match self.rules.read(&authority) {
            HostReading::Label(label) => authority[label.len() + 1..].to_owned(),
            _ => authority,
        }
    }

    /// Where `bucket` is: `{bucket}.{host}` for every name, `{ip}/{bucket}` for an address, and a domain that is bound to
    /// the bucket as it is.
    pub(super) fn bucket_address(&self, bucket: &str) -> BucketAddress {
        let (scheme, authority) = self.base();
        below(scheme, &authority, bucket, self.rules)
    }
}

fn below(scheme: &'static str, authority: &str, bucket: &str, rules: &HostRules) -> BucketAddress {
    let prefixed = |rest: &str| BucketAddress { scheme, authority: format!("{bucket}.{rest}"), path: String::new() };
    match rules.read(authority) {
        HostReading::Address => {
            BucketAddress { scheme, authority: authority.to_owned(), path: format!("/{}", encode(bucket)) }
        }
        HostReading::Bound(bound) if bound == bucket => {
            BucketAddress { scheme, authority: authority.to_owned(), path: String::new() }
        }
        HostReading::Label(label) if label == bucket => prefixed(&authority[label.len() + 1..]),
        // Path style through a name that no rule knows, perhaps with the bucket in front all the same.
        _ => match authority.split_once('.') {
            Some((label, rest)) if label.eq_ignore_ascii_case(bucket) => prefixed(rest),
            _ => prefixed(authority),
        },
    }
}

impl BucketAddress {
    /// The URLs of one channel.
    pub(super) fn channel(&self, channel: &str, playlist: &str) -> ChannelUrls {
        let BucketAddress { scheme, authority, path } = self;
        let (channel, playlist) = (encode(channel), encode(playlist));
        ChannelUrls {
            publish: format!("rtmp://{authority}{path}/live/{channel}"),
            play: format!("{scheme}://{authority}{path}/{channel}/{playlist}"),
        }
    }
}

impl BucketAddress {
    /// The URL of one object.
    pub(super) fn object(&self, key: &[u8]) -> String {
        let BucketAddress { scheme, authority, path } = self;
        let key = percent_encode(key, OUTSIDE_KEY);
        format!("{scheme}://{authority}{path}/{key}")
    }
}

/// Percent-encodes everything outside the unreserved characters.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, OUTSIDE_UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn check(public: Option<&str>, host: Option<&str>, publish: &str, play: &str) {
        let rules = HostRules {
            base_domains: vec!["oss.example.com".into()],
            cnames: BTreeMap::from([("cdn.example.org".to_owned(), "films".to_owned())]),
        };
        let local = Some("127.0.0.1:9000".parse().expect("an address"));
        let known = Known { public_endpoint: public, host, local, rules: &rules };
        let urls = known.bucket_address("films").channel("test-channel", "playlist.m3u8");
        assert_eq!((urls.publish.as_str(), urls.play.as_str()), (publish, play), "{public:?} {host:?}");
    }

    #[test]
    fn every_name_is_prefixed_with_the_bucket_once() {
        for host in ["oss.example.com", "films.oss.example.com", ".oss.example.com"] {
            check(
                None,
                Some(host),
                "rtmp://films.oss.example.com/live/test-channel",
                "http://films.oss.example.com/test-channel/playlist.m3u8",
            );
        }
        check(
            None,
            Some("localhost:9000"),
            "rtmp://films.localhost:9000/live/test-channel",
            "http://films.localhost:9000/test-channel/playlist.m3u8",
        );
        check(
            None,
            Some("films.storage.internal:81"),
            "rtmp://films.storage.internal:81/live/test-channel",
            "http://films.storage.internal:81/test-channel/playlist.m3u8",
        );
    }

    #[test]
    fn an_address_takes_the_bucket_into_the_path() {
        check(
            None,
            Some("192.0.2.7:9000"),
            "rtmp://192.0.2.7:9000/films/live/test-channel",
            "http://192.0.2.7:9000/films/test-channel/playlist.m3u8",
        );
        check(
            None,
            Some("[2001:db8::1]:9000"),
            "rtmp://[2001:db8::1]:9000/films/live/test-channel",
            "http://[2001:db8::1]:9000/films/test-channel/playlist.m3u8",
        );
    }

    #[test]
    fn a_host_that_the_client_made_up_is_not_echoed() {
        for host in [Some("films.oss-cn-hangzhou.aliyuncs.com"), Some("undefined.oss-cn-hangzhou.aliyuncs.com"), None] {
            check(
                None,
                host,
                "rtmp://127.0.0.1:9000/films/live/test-channel",
                "http://127.0.0.1:9000/films/test-channel/playlist.m3u8",
            );
        }
    }

    #[test]
    fn a_bound_domain_stands_for_its_bucket() {
        check(
            None,
            Some("cdn.example.org:8080"),
            "rtmp://cdn.example.org:8080/live/test-channel",
            "http://cdn.example.org:8080/test-channel/playlist.m3u8",
        );
    }

    #[test]
    fn the_public_endpoint_wins_with_its_scheme_and_port() {
        for public in ["https://media.example.net:8443/", "HTTPS://media.example.net:8443"] {
            check(
                Some(public),
                Some("127.0.0.1:9000"),
                "rtmp://films.media.example.net:8443/live/test-channel",
                "https://films.media.example.net:8443/test-channel/playlist.m3u8",
            );
        }
        check(
            Some("198.51.100.4"),
            None,
            "rtmp://198.51.100.4/films/live/test-channel",
            "http://198.51.100.4/films/test-channel/playlist.m3u8",
        );
        // Even one that ends in aliyuncs.com, when the operator says so.
        check(
            Some("http://oss-cn-hangzhou.aliyuncs.com"),
            Some("127.0.0.1:9000"),
            "rtmp://films.oss-cn-hangzhou.aliyuncs.com/live/test-channel",
            "http://films.oss-cn-hangzhou.aliyuncs.com/test-channel/playlist.m3u8",
        );
    }

    #[test]
    fn names_are_percent_encoded() {
        let rules = HostRules::default();
        let known = Known { public_endpoint: None, host: Some("oss.example.com"), local: None, rules: &rules };
        let urls = known.bucket_address("films").channel("测试 ch+1", "a b.m3u8");
        assert_eq!(urls.publish, "rtmp://films.oss.example.com/live/%E6%B5%8B%E8%AF%95%20ch%2B1");
        assert_eq!(urls.play, "http://films.oss.example.com/%E6%B5%8B%E8%AF%95%20ch%2B1/a%20b.m3u8");
    }

    #[test]
    fn the_endpoint_has_no_bucket_in_it() {
        let rules = HostRules { base_domains: vec!["oss.example.com".into()], ..HostRules::default() };
        let local = Some("127.0.0.1:9000".parse().expect("an address"));
        for (public, host, endpoint) in [
            (None, Some("films.oss.example.com:81"), "oss.example.com:81"),
            (None, Some("oss.example.com"), "oss.example.com"),
            (None, Some("192.0.2.7:9000"), "192.0.2.7:9000"),
            (None, Some("films.oss-cn-hangzhou.aliyuncs.com"), "127.0.0.1:9000"),
            (Some("https://media.example.net:8443/"), Some("192.0.2.7"), "media.example.net:8443"),
        ] {
            let known = Known { public_endpoint: public, host, local, rules: &rules };
            assert_eq!(known.service_endpoint(), endpoint, "{host:?}");
        }
    }
}
