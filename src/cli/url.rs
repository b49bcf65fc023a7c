//! `livebucket url`: signed URLs, as the SDKs make them.

use clap::{Subcommand, ValueEnum};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::admin::{Answer, Key, Request};
use super::{DataArg, Failure, carry_out};
use crate::auth::{SignedRequest, oss_v1, oss_v4, rtmp_url};
use crate::clock::{Clock, SystemClock, Wall};
use crate::store::{BucketName, ChannelName, ObjectKey};

/// Commands that sign.
#[derive(Debug, Subcommand)]
pub enum UrlCommand {
    /// An rtmp:// URL to publish to a channel
    Publish {
        /// Bucket
        bucket: String,
        /// Live channel
        channel: String,
        /// Name of the playlist for this publish, instead of the configured one
        #[arg(long, value_name = "NAME.m3u8")]
        playlist: Option<String>,
        /// Further signed parameter (repeatable)
        #[arg(long, value_name = "NAME=VALUE")]
        param: Vec<String>,
        #[command(flatten)]
        sign: SignArgs,
    },
    /// An http:// URL to play a channel: the playlist comes with every fragment signed
    Play {
        /// Bucket
        bucket: String,
        /// Live channel
        channel: String,
        /// Name of the playlist
        #[arg(long, value_name = "NAME.m3u8", default_value = "playlist.m3u8")]
        playlist: String,
        #[command(flatten)]
        sign: SignArgs,
    },
    /// An http:// URL of an object
    Object {
        /// Bucket
        bucket: String,
        /// Key
        key: String,
        /// Method that the URL is good for
        #[arg(long, default_value = "GET")]
        method: String,
        #[command(flatten)]
        sign: SignArgs,
    },
}

/// What every signing command takes.
#[derive(Debug, clap::Args)]
pub struct SignArgs {
    #[command(flatten)]
    data: DataArg,
    /// Endpoint that the URL begins with, the bucket in its path [default: the running server's]
    #[arg(long, env = "LIVEBUCKET_PUBLIC_ENDPOINT", value_name = "URL")]
    endpoint: Option<String>,
    /// Seconds from now for which the URL is good
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..))]
    expires: u32,
    /// Access key to sign with [default: the first enabled one of the bucket's owner]
    #[arg(long = "key", id = "signing_key", value_name = "ID")]
    signing_key: Option<String>,
    /// Signature version of an http:// URL
    #[arg(long, value_enum, default_value_t = SignatureVersion::V1)]
    signature: SignatureVersion,
}

/// OSS signature versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SignatureVersion {
    /// HMAC-SHA1
    V1,
    /// HMAC-SHA256; at most 7 days
    V4,
}

/// Runs the command.
pub fn run(command: UrlCommand) -> Result<(), Failure> {
    let now = SystemClock::new().wall();
    let url = match command {
        UrlCommand::Publish { bucket, channel, playlist, param, sign } => {
            let mut params = playlist.map(|name| ("playlistName".to_owned(), name)).into_iter().collect::<Vec<_>>();
            for pair in param {
                let (name, value) = pair.split_once('=').ok_or_else(|| usage(&pair, "NAME=VALUE"))?;
                params.push((name.to_owned(), value.to_owned()));
            }
            publish(&sign, &bucket, &channel, &params, now)?
        }
        UrlCommand::Play { bucket, channel, playlist, sign } => {
            let key = format!("{}/{playlist}", channel_name(&channel)?);
            http(&sign, "GET", &bucket, &key, &[("x-oss-process", "hls/sign")], now)?
        }
        UrlCommand::Object { bucket, key, method, sign } => http(&sign, &method, &bucket, &key, &[], now)?,
    };
    println!("{url}");
    Ok(())
}

fn publish(
    sign: &SignArgs,
    bucket: &str,
    channel: &str,
    params: &[(String, String)],
    now: Wall,
) -> Result<String, Failure> {
    let (key, endpoint) = signing_key(sign, bucket)?;
    let channel = channel_name(channel)?;
    let expires = now.unix_seconds() + i64::from(sign.expires);
    let query = rtmp_url::publish_query(&key.id, &key.secret, bucket, channel.as_str(), expires, params);
    let (scheme, host) = split_endpoint(&endpoint)?;
    let scheme = if scheme == "https" { "rtmps" } else { "rtmp" };
    Ok(format!("{scheme}://{host}/{bucket}/live/{}?{query}", encode_path(channel.as_str())))
}

fn http(
    sign: &SignArgs,
    method: &str,
    bucket: &str,
    key: &str,
    query: &[(&str, &str)],
    now: Wall,
) -> Result<String, Failure> {
    let (access, endpoint) = signing_key(sign, bucket)?;
    let object = ObjectKey::new(key).ok_or_else(|| usage(key, "an object key of 1 to 1023 bytes"))?;
    let (scheme, host) = split_endpoint(&endpoint)?;
    let query: Vec<_> =
        query.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    let method = method.to_ascii_uppercase();
    let request =
        SignedRequest { method: &method, bucket: Some(bucket), key: object.as_bytes(), headers: &[], query: &query };
    let signed = match sign.signature {
        SignatureVersion::V1 => {
            let expires = now.unix_seconds() + i64::from(sign.expires);
            oss_v1::sign_url_query(&request, &access.id, &access.secret, expires)
        }
        SignatureVersion::V4 => {
            if sign.expires > 7 * 24 * 3600 {
                return Err(Failure::usage("a V4 signature is good for at most 604800 seconds"));
            }
            let timestamp = now.iso_basic();
            // Any region is accepted; the scope only has to say the same as the signature.
            let scope = oss_v4::Scope { date: &timestamp[..8], region: "local", product: "oss" };
            oss_v4::sign_url_query(&request, &access.id, &access.secret, &scope, &timestamp, sign.expires)
        }
    };
    Ok(format!("{scheme}://{host}/{bucket}/{}?{signed}", encode_path(key)))
}

/// The key to sign with, and the endpoint that the URL begins with.
fn signing_key(sign: &SignArgs, bucket: &str) -> Result<(Key, String), Failure> {
    if BucketName::new(bucket).is_none() {
        return Err(usage(bucket, "a bucket name"));
    }
    match carry_out(&sign.data, false, Request::SigningKey { bucket: bucket.to_owned(), id: sign.signing_key.clone() })?
    {
        Answer::Signing { key, endpoint } => {
            let endpoint = sign.endpoint.clone().or(endpoint);
            Ok((key, endpoint.unwrap_or_else(|| "http://127.0.0.1:9000".to_owned())))
        }
        other => Err(Failure::failed(format!("the server gave an answer of another version: {other:?}"))),
    }
}

fn channel_name(name: &str) -> Result<ChannelName, Failure> {
    ChannelName::new(name).ok_or_else(|| usage(name, "a channel name: 1 to 63 bytes without a slash"))
}

fn split_endpoint(url: &str) -> Result<(&str, &str), Failure> {
    let parts = url.trim_end_matches('/').split_once("://");
    let good =
        parts.filter(|(scheme, host)| matches!(*scheme, "http" | "https") && !host.is_empty() && !host.contains('/'));
    good.ok_or_else(|| usage(url, "an endpoint like http://127.0.0.1:9000"))
}

fn usage(got: &str, wanted: &str) -> Failure {
    Failure::usage(format!("`{got}` is not {wanted}"))
}

fn encode_path(text: &str) -> String {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
    utf8_percent_encode(text, &KEPT).to_string()
}
