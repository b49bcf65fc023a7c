//! URLs that carry a signature, as a player is given them.

use super::http::HttpUrl;
use crate::auth::{SignedRequest, oss_v1, oss_v4};
use crate::clock::Clock;

/// With which key the bench signs, if with any.
#[derive(Debug, clap::Args)]
pub(super) struct SignArgs {
    /// Sign each URL: with version 1 or version 4 of OSS
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u8).range(1..=4), requires = "access_key")]
    sign: Option<u8>,
    /// Access key
    #[arg(long, env = "LIVEBUCKET_ACCESS_KEY", requires = "secret_key")]
    access_key: Option<String>,
    /// Its secret
    #[arg(long, env = "LIVEBUCKET_SECRET_KEY", requires = "access_key")]
    secret_key: Option<String>,
}

impl SignArgs {
    /// The same URL, signed for a day if the bench signs at all.
    pub(super) fn sign(&self, url: HttpUrl, clock: &dyn Clock) -> HttpUrl {
        const DAY: u32 = 86_400;
        let (Some(version), Some(id), Some(secret)) = (self.sign, &self.access_key, &self.secret_key) else {
            return url;
        };
        let (bucket, key) = url.target.trim_start_matches('/').split_once('/').unwrap_or_default();
        let request =
            SignedRequest { method: "GET", bucket: Some(bucket), key: key.as_bytes(), headers: &[], query: &[] };
        let query = if version == 1 {
            oss_v1::sign_url_query(&request, id, secret, clock.wall().unix_seconds() + i64::from(DAY))
        } else {
            let timestamp = clock.wall().iso_basic();
            let (date, region) = (timestamp[..8].to_owned(), "local".to_owned());
            let scope = oss_v4::Scope { date, region, product: "oss".to_owned() };
            oss_v4::sign_url_query(&request, id, secret, &scope, &timestamp, DAY)
        };
        HttpUrl { target: format!("{}?{query}", url.target), ..url }
    }
}
