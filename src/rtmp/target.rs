//! What a publish URL means: which buckets and channels the pieces that an encoder sent may name.
//!
//! Encoders split one URL into an application name, a `tcUrl` and a stream name, each in its own way, and client
//! libraries build the URL in six forms. This is pure: it answers with *candidates* in order of likelihood; the caller
//! looks them up, and where several exist the signature decides. The forms, each with a test of its name below:
//!
//! | application | stream name | bucket |
//! |---|---|---|
//! | `live` | `CH?QUERY` | host of `tcUrl`, or unknown |
//! | `B/live` | `CH?QUERY` | B |
//! | `B` | `live/CH?QUERY` | B |
//! | `live/B` | `CH?QUERY` | B |
//! | `live` | `B/CH?QUERY` | B |
//! | `live/CH?QUERY` or `live%2FCH?QUERY` | empty | as above |
//! | `live/CH?QUERY up to a /` | the rest of the query | as above |
//! | `live?QUERY` (or only in `tcUrl`) | `CH` | as above |

use percent_encoding::percent_decode_str;

use crate::net::host::{HostReading, HostRules};
use crate::store::ChannelName;

/// The application name of every publish URL.
const APPLICATION: &str = "live";

/// One reading of a publish URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The bucket's name as it was written; `None`: every bucket that holds such a channel is meant.
    pub bucket: Option<String>,
    /// The channel's spellings, the likeliest first. Never empty.
    pub channels: Vec<ChannelName>,
    /// The query without its `?`, as it was sent.
    pub query: String,
}

/// All readings of what an encoder sent, the likeliest first. Empty when none is a publish URL.
pub fn candidates(app: &str, tc_url: &str, name: &str, hosts: &HostRules) -> Vec<Candidate> {
    let url = TcUrl::split(tc_url);
    let host_bucket = match hosts.read(url.host) {
        HostReading::Label(bucket) | HostReading::Bound(bucket) => Some(bucket),
        HostReading::Address | HostReading::Base | HostReading::Unknown => None,
    };
    let mut found: Vec<Candidate> = Vec::new();
    for (path, query) in readings(app, &url, name) {
        for (bucket, spellings) in split_path(&path) {
            let channels = spellings.iter().filter_map(|s| ChannelName::new(s)).collect::<Vec<_>>();
            let candidate =
                Candidate { bucket: bucket.or_else(|| host_bucket.clone()), channels, query: query.to_owned() };
            if !candidate.channels.is_empty() && !found.contains(&candidate) {
                found.push(candidate);
            }
        }
    }
    found
}

/// The pieces of a `tcUrl`.
struct TcUrl<'a> {
    host: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> TcUrl<'a> {
    fn split(url: &'a str) -> Self {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // User and password before the host are nothing to us.
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        TcUrl { host, path, query }
    }
}

/// The (path, query) pairs that the pieces may have been before they were split.
fn readings(app: &str, url: &TcUrl<'_>, name: &str) -> Vec<(String, String)> {
    let (app_path, app_query) = app.split_once('?').unwrap_or((app, ""));
    let (name_path, name_query) = name.split_once('?').unwrap_or((name, ""));
    let mut readings = Vec::new();
    let joined = || format!("{app_path}/{name_path}");
    if name.is_empty() {
        // OBS with the whole URL in its server field; the C library, whose URL has no literal slash to split at.
        let query = if app_query.is_empty() { url.query } else { app_query };
        readings.push((app_path.to_owned(), query.to_owned()));
        readings.push((url.path.to_owned(), url.query.to_owned()));
        return readings;
    }
    if app.contains('?') && !name.contains('?') {
        // A bare `/` in the query moved the split: `live/CH?Signature=a` and `b&Expires=1`. The slash belongs back.
        readings.push((app_path.to_owned(), format!("{app_query}/{name}")));
    }
    let query = [name_query, app_query, url.query].into_iter().find(|q| !q.is_empty()).unwrap_or("");
    readings.push((joined(), query.to_owned()));
    readings
}

/// Bucket and channel spellings of a path `live/CH`, `B/live/CH` or `live/B/CH`, decoded and as it was sent.
fn split_path(path: &str) -> Vec<(Option<String>, Vec<String>)> {
    let decoded = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let mut found: Vec<(Option<String>, Vec<String>)> = Vec::new();
    for text in [decoded.as_str(), path] {
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        let (bucket, channel) = match parts[..] {
            [APPLICATION, channel] => (None, channel),
            [bucket, APPLICATION, channel] | [APPLICATION, bucket, channel] => (Some(bucket.to_owned()), channel),
            _ => continue,
        };
        match found.iter_mut().find(|(b, _)| *b == bucket) {
            Some((_, spellings)) => add_spellings(spellings, channel),
            None => {
                let mut spellings = Vec::new();
                add_spellings(&mut spellings, channel);
                found.push((bucket, spellings));
            }
        }
    }
    found
}

/// librtmp turns `CH.mp4` into `mp4:CH` (ffmpeg into `mp4:CH.mp4`) and drops the suffix of `CH.flv`.
fn add_spellings(spellings: &mut Vec<String>, channel: &str) {
    let mut add = |text: String| {
        if !spellings.contains(&text) {
            spellings.push(text);
        }
    };
    add(channel.to_owned());
    match channel.split_once(':') {
        Some((kind @ ("mp4" | "f4v" | "flv" | "mp3"), rest)) => {
            add(format!("{rest}.{kind}"));
            add(rest.to_owned());
        }
        _ => add(format!("{channel}.flv")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const QUERY: &str = "OSSAccessKeyId=AK&Expires=1700003600&Signature=ab%2Bc%2Fd%3D";

    fn hosts() -> HostRules {
        HostRules {
            base_domains: vec!["oss.example.com".into()],
            cnames: BTreeMap::from([("cdn.example.org".to_owned(), "films".to_owned())]),
        }
    }

    /// The candidates as (bucket or `*`, first spelling, query).
    fn read(app: &str, tc_url: &str, name: &str) -> Vec<(String, String, String)> {
        candidates(app, tc_url, name, &hosts())
            .into_iter()
            .map(|c| (c.bucket.unwrap_or("*".into()), c.channels[0].to_string(), c.query))
            .collect()
    }

    fn check(app: &str, tc_url: &str, name: &str, bucket: &str, channel: &str, query: &str) {
        let found = read(app, tc_url, name);
        let wanted = (bucket.to_owned(), channel.to_owned(), query.to_owned());
        assert!(found.contains(&wanted), "{wanted:?} not among {found:?}");
    }

    /// Like [`check`], and there is no other reading.
    fn only(app: &str, tc_url: &str, name: &str, bucket: &str, channel: &str, query: &str) {
        check(app, tc_url, name, bucket, channel, query);
        assert_eq!(read(app, tc_url, name).len(), 1);
    }

    fn spellings(name: &str) -> Vec<String> {
        let found = candidates("live", "rtmp://127.0.0.1/live", name, &hosts());
        found[0].channels.iter().map(ToString::to_string).collect()
    }

    fn signed(channel: &str) -> String {
        format!("{channel}?{QUERY}")
    }

    #[test]
    fn app_live_with_the_bucket_in_the_host() {
        only("live", "rtmp://b1.oss.example.com:9000/live", &signed("ch"), "b1", "ch", QUERY);
        only("live", "rtmp://b1.oss-cn-hangzhou.aliyuncs.com/live", &signed("ch"), "b1", "ch", QUERY);
    }

    #[test]
    fn app_live_on_a_bound_domain() {
        only("live", "rtmp://cdn.example.org/live", &signed("ch"), "films", "ch", QUERY);
    }

    #[test]
    fn app_live_on_an_address_names_no_bucket() {
        only("live", "rtmp://127.0.0.1:9000/live", &signed("ch"), "*", "ch", QUERY);
        only("live", "rtmp://[::1]:9000/live", &signed("ch"), "*", "ch", QUERY);
        only("live", "rtmp://media.example.net/live", &signed("ch"), "*", "ch", QUERY);
    }

    #[test]
    fn app_bucket_live() {
        only("b1/live", "rtmp://127.0.0.1:9000/b1/live", &signed("ch"), "b1", "ch", QUERY);
    }

    #[test]
    fn app_live_bucket() {
        only("live/b1", "rtmp://127.0.0.1:9000/live/b1", &signed("ch"), "b1", "ch", QUERY);
    }

    #[test]
    fn app_bucket_and_stream_live_channel() {
        only("b1", "rtmp://127.0.0.1/b1", &signed("live/ch"), "b1", "ch", QUERY);
    }

    #[test]
    fn app_live_and_stream_bucket_channel() {
        only("live", "rtmp://127.0.0.1/live", &signed("b1/ch"), "b1", "ch", QUERY);
    }

    #[test]
    fn the_path_outranks_the_host() {
        only("b2/live", "rtmp://b1.oss.example.com/b2/live", "ch", "b2", "ch", "");
    }

    #[test]
    fn trailing_slash_of_the_app() {
        only("live/", "rtmp://b1.oss.example.com/live/", &signed("ch"), "b1", "ch", QUERY);
        only("b1/live/", "rtmp://127.0.0.1/b1/live/", &signed("ch"), "b1", "ch", QUERY);
        only("live", "rtmp://127.0.0.1/live", &signed("/ch"), "*", "ch", QUERY);
    }

    #[test]
    fn encoded_slashes_of_the_c_library() {
        let app = format!("live%2Fch?{QUERY}");
        check(&app, &format!("rtmp://b1.oss.example.com/{app}"), "", "b1", "ch", QUERY);
        let app = format!("b1%2Flive%2Fch?{QUERY}");
        check(&app, &format!("rtmp://127.0.0.1/{app}"), "", "b1", "ch", QUERY);
    }

    #[test]
    fn whole_url_in_the_server_field_of_obs() {
        let app = format!("live/ch?{QUERY}");
        only(&app, &format!("rtmp://b1.oss.example.com/{app}"), "", "b1", "ch", QUERY);
        let app = format!("b1/live/ch?{QUERY}");
        only(&app, &format!("rtmp://127.0.0.1/{app}"), "", "b1", "ch", QUERY);
    }

    #[test]
    fn whole_url_in_tc_url_only() {
        check("live", &format!("rtmp://b1.oss.example.com/live/ch?{QUERY}"), "", "b1", "ch", QUERY);
        only("live", &format!("rtmp://b1.oss.example.com/live/ch?{QUERY}"), "ch", "b1", "ch", QUERY);
    }

    #[test]
    fn query_in_the_app() {
        check(&format!("live?{QUERY}"), "rtmp://b1.oss.example.com/live", "ch", "b1", "ch", QUERY);
    }

    #[test]
    fn query_in_tc_url_only() {
        only("live", &format!("rtmp://b1.oss.example.com/live?{QUERY}"), "ch", "b1", "ch", QUERY);
    }

    #[test]
    fn query_of_the_stream_name_outranks_the_others() {
        only("live?x=1", "rtmp://b1.oss.example.com/live?x=2", &signed("ch"), "b1", "ch", QUERY);
    }

    #[test]
    fn bare_slash_in_the_query_moves_the_split() {
        let tc_url = "rtmp://b1.oss.example.com/live/ch?Signature=ab";
        check("live/ch?Signature=ab", tc_url, "cd%3D&Expires=1", "b1", "ch", "Signature=ab/cd%3D&Expires=1");
        // The same on an address, where `live/ch` could name a bucket as well: the joined reading stands first.
        let found = read("live/ch?Signature=ab", "rtmp://127.0.0.1/live/ch?Signature=ab", "cd");
        assert_eq!(found[0], ("*".to_owned(), "ch".to_owned(), "Signature=ab/cd".to_owned()));
    }

    #[test]
    fn bare_slash_in_the_query_of_a_whole_stream_name() {
        let query = "OSSAccessKeyId=AK&Signature=ab+c/d=";
        only("live", "rtmp://b1.oss.example.com/live", &format!("ch?{query}"), "b1", "ch", query);
        only("b1", "rtmp://127.0.0.1/b1", &format!("live/ch?{query}"), "b1", "ch", query);
    }

    #[test]
    fn stream_key_decoded_once_by_librtmp() {
        let query = "OSSAccessKeyId=AK&Signature=ab+c/d=&playlistName=a b.m3u8";
        only("live", "rtmp://b1.oss.example.com/live", &format!("test channel?{query}"), "b1", "test channel", query);
    }

    #[test]
    fn channel_is_tried_decoded_then_raw() {
        let names = spellings(&signed("test%20channel"));
        assert_eq!(names[0], "test channel");
        assert!(names.contains(&"test%20channel".to_owned()));
        assert_eq!(spellings("测试 ch")[0], "测试 ch");
    }

    #[test]
    fn mp4_prefix_is_taken_off_and_the_suffix_restored() {
        assert_eq!(spellings(&signed("mp4:ch")), ["mp4:ch", "ch.mp4", "ch"]);
        assert!(spellings("mp4:ch.mp4").contains(&"ch.mp4".to_owned()));
    }

    #[test]
    fn flv_suffix_is_restored() {
        assert_eq!(spellings(&signed("ch")), ["ch", "ch.flv"]);
        assert_eq!(spellings("flv:ch"), ["flv:ch", "ch.flv", "ch"]);
    }

    #[test]
    fn user_and_password_in_tc_url_are_no_host() {
        only("live", "rtmp://user:pass@b1.oss.example.com:1935/live", "ch", "b1", "ch", "");
    }

    #[test]
    fn what_is_no_publish_url_has_no_candidates() {
        for (app, name) in [
            ("", ""),
            ("live", ""),
            ("other", "ch"),
            ("live", "a/b/c"),
            ("live", "?only=query"),
            ("live", "\\backslash"),
            ("%", "%%%/%2"),
        ] {
            assert_eq!(read(app, "rtmp://127.0.0.1/live", name), [], "{app} {name}");
        }
        assert_eq!(candidates("live", "", "ch", &hosts()).len(), 1);
        assert_eq!(read("live", "rtmp://127.0.0.1", &"x".repeat(64)), []);
    }
}
