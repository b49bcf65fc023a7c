//! Hosts, queries, paths and publish URLs to what they name. Pure, and the same for the same words in any order of asking.

use std::collections::BTreeMap;

use crate::Choices;
use http::Method;
use livebucket::http::oss::operation::{Query, continuation_token, read_continuation_token};
use livebucket::http::oss::route::{Target, route};
use livebucket::net::host::{HostReading, HostRules};
use livebucket::rtmp::target;

/// Takes one input.
pub fn run(data: &[u8]) {
    let hosts = HostRules {
        base_domains: vec!["oss.example.com".into()],
        cnames: BTreeMap::from([("cdn.example.org".to_owned(), "films".to_owned())]),
    };
    let mut choices = Choices(data);
    let method = [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::HEAD, Method::OPTIONS]
        [usize::from(choices.u8()) % 6]
        .clone();
    let (host, bucket, path, query) = (choices.text(), choices.text(), choices.text(), choices.text());
    if let HostReading::Label(label) = hosts.read(&host) {
        assert!(!label.is_empty() && !label.contains(char::is_uppercase) || !label.is_ascii());
    }
    let query = Query::parse(&query);
    let source = query.get("source");
    for bucket in [None, Some(bucket.as_str())] {
        for key in [&b""[..], path.as_bytes()] {
            let target = Target { bucket, key, copy_source: source };
            let _ = route(&method, target, &query).map_err(|error| assert!(error.status.as_u16() >= 300));
        }
    }
    assert_eq!(
        read_continuation_token(continuation_token(path.as_bytes()).as_bytes()).as_deref(),
        Some(path.as_bytes())
    );
    for candidate in target::candidates(&host, &bucket, &path, &hosts) {
        assert!(!candidate.channels.is_empty());
    }
}
