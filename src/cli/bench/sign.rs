//! URLs that carry a signature, as a player is given them.

use super::http::HttpUrl;
use crate::auth::{SignedRequest, oss_v1, oss_v4, sig_v4};
use crate::clock::Clock;

/// A signature that stands in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Version {
    #[value(name = "1")]
    OssV1,
    #[value(name = "4")]
    OssV4,
    #[value(name = "s3")]
    S3V4,
}

/// With which key the bench signs, if with any.
#[derive(Debug, clap::Args)]
pub(super) struct SignArgs {
    /// Sign each URL: with version 1 or 4 of OSS, or version 4 of S3
    #[arg(long, value_name = "VERSION", requires = "access_key")]
    sign: Option<Version>,
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
        let timestamp = clock.wall().iso_basic();
        let query = match version {
            Version::OssV1 => {
                oss_v1::sign_url_query(&request, id, secret, clock.wall().unix_seconds() + i64::from(DAY))
            }
            Version::OssV4 => {
                let scope = oss_v4::Scope { date: &timestamp[..8], region: "local", product: "oss" };
                oss_v4::sign_url_query(&request, id, secret, &scope, &timestamp, DAY)
            }
            Version::S3V4 => {
                let scope = format!("{}/us-east-1/s3/{}", &timestamp[..8], sig_v4::TERMINATOR);
                let request = sig_v4::Request {
                    method: "GET",
                    path: url.target.as_bytes(),
                    query: &[],
                    headers: &[("host", url.address.as_bytes())],
                    signed_headers: &["host"],
                    payload_hash: "UNSIGNED-PAYLOAD",
                };
                let (access_key_id, scope, timestamp) = (id.as_str(), scope.as_str(), timestamp.as_str());
                sig_v4::sign_url_query(
                    &request,
                    &sig_v4::Signer { access_key_id, secret, scope, timestamp, expires: DAY },
                )
            }
        };
        HttpUrl { target: format!("{}?{query}", url.target), ..url }
    }
}
