//! Configuration: flags over environment over file over defaults, read once into one validated [`Config`].
//!
//! An unknown key in the file is an error. An unknown `LIVEBUCKET_*` variable is reported and ignored: orchestrators
//! inject variables after a service's name (`LIVEBUCKET_PORT`, `LIVEBUCKET_SERVICE_HOST`).

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::net::crowd::CrowdRules;
use crate::net::guard::AllowRule;
use crate::net::host::HostRules;
use crate::net::network::{Network, NetworkError};
use crate::store::BucketName;
use crate::store::seal::MasterKeys;

/// Settings as they come from one place; what is absent is left to the next.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Directory that holds everything: metadata, blobs, the control socket
    #[arg(long, env = "LIVEBUCKET_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address for HTTP and RTMP on one port, HTTPS and RTMPS too with a certificate (repeatable) [default: 0.0.0.0:9000]
    #[arg(long, env = "LIVEBUCKET_LISTEN", value_name = "ADDR", value_delimiter = ',')]
    pub listen: Option<Vec<String>>,
    /// Address for RTMP alone, or `none` (repeatable) [default: 0.0.0.0:1935]
    #[arg(long, env = "LIVEBUCKET_RTMP_LISTEN", value_name = "ADDR", value_delimiter = ',')]
    pub rtmp_listen: Option<Vec<String>>,
    /// Address for metrics and health, or `none` [default: 127.0.0.1:9001]
    #[arg(long, env = "LIVEBUCKET_ADMIN_LISTEN", value_name = "ADDR")]
    pub admin_listen: Option<String>,
    /// Domain below which the first label names a bucket; `localhost` always is one (repeatable)
    #[arg(long, env = "LIVEBUCKET_BASE_DOMAIN", value_name = "NAME", value_delimiter = ',')]
    pub base_domain: Option<Vec<String>>,
    /// URL under which clients reach the service; decides the publish and play URLs it hands out
    #[arg(long, env = "LIVEBUCKET_PUBLIC_ENDPOINT", value_name = "URL")]
    pub public_endpoint: Option<String>,
    /// Region that bucket locations state; any region is accepted in signatures [default: local]
    #[arg(long, env = "LIVEBUCKET_REGION", value_name = "ID")]
    pub region: Option<String>,
    /// Access key id that always exists (better in the environment than on the command line)
    #[arg(long, env = "LIVEBUCKET_ACCESS_KEY", value_name = "ID")]
    pub access_key: Option<String>,
    /// Secret of that key
    #[arg(long, env = "LIVEBUCKET_SECRET_KEY", value_name = "SECRET", hide_env_values = true)]
    pub secret_key: Option<String>,
    /// File of master keys, each 32 bytes in hex or base64: the first encrypts what is stored, every one decrypts
    #[arg(long, env = "LIVEBUCKET_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// Master keys, before those of the file (better in the environment than on the command line)
    #[arg(long, env = "LIVEBUCKET_MASTER_KEY", value_name = "KEY[,KEY]", hide_env_values = true)]
    pub master_key: Option<String>,
    /// Bytes of the largest object; more is refused [default: 5368709120, which is also the most]
    #[arg(long, env = "LIVEBUCKET_MAX_OBJECT_BYTES", value_name = "BYTES")]
    pub max_object_bytes: Option<u64>,
    /// Bytes that stay free on the file system of the data directory: with less, writes are refused; 0 never [default: 67108864]
    #[arg(long, env = "LIVEBUCKET_FREE_SPACE_FLOOR", value_name = "BYTES")]
    pub free_space_floor: Option<u64>,
    /// Seconds between two passes of the lifecycle rules [default: 3600]
    #[arg(long, env = "LIVEBUCKET_LIFECYCLE_INTERVAL", value_name = "SECONDS")]
    pub lifecycle_interval: Option<u64>,
    /// Network or HOST:PORT that callbacks may reach besides public addresses (repeatable)
    #[arg(long, env = "LIVEBUCKET_OUTBOUND_ALLOW", value_name = "CIDR|HOST:PORT", value_delimiter = ',')]
    pub outbound_allow: Option<Vec<String>>,
    /// Sockets served at once over all doors but the admin's; the next one waits [default: 16384]
    #[arg(long, env = "LIVEBUCKET_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,
    /// Sockets of one address (IPv6: of its first 64 bits); the next one is closed; 0 any number [default: 1024]
    #[arg(long, env = "LIVEBUCKET_MAX_CONNECTIONS_PER_ADDRESS", value_name = "N")]
    pub max_connections_per_address: Option<usize>,
    /// Refused publishes and bad signatures of one address a second (tenfold in a burst) that are answered at once; more
    /// wait a second and answer SlowDown; 0 any number [default: 10]
    #[arg(long, env = "LIVEBUCKET_MAX_REFUSALS_PER_SECOND", value_name = "N")]
    pub max_refusals_per_second: Option<u32>,
    /// Network of reverse proxies and load generators, which the bounds of one address do not count, or `none`
    /// (repeatable) [default: 127.0.0.0/8, ::1]
    #[arg(long, env = "LIVEBUCKET_TRUSTED_ADDRESSES", value_name = "CIDR", value_delimiter = ',')]
    pub trusted_addresses: Option<Vec<String>>,
    /// Certificate chain (PEM)
    #[arg(long, env = "LIVEBUCKET_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, env = "LIVEBUCKET_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Custom domain bound to a bucket (repeatable)
    #[arg(long, env = "LIVEBUCKET_CNAME", value_name = "HOST=BUCKET", value_delimiter = ',')]
    #[serde(default, deserialize_with = "cname_table")]
    pub cname: Option<Vec<String>>,
    /// Log lines as text or as JSON objects, on standard error [default: text]
    #[arg(long, env = "LIVEBUCKET_LOG_FORMAT", value_name = "text|json")]
    pub log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug, trace, or directives by target [default: info]
    #[arg(long, env = "LIVEBUCKET_LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Also make a public-read bucket `demo` with a channel `live`, so that the printed lines work at once
    #[arg(long, env = "LIVEBUCKET_DEMO", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub demo: Option<bool>,
}

/// In the file, `[cname]` is a table of host = bucket.
fn cname_table<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let table = BTreeMap::<String, String>::deserialize(deserializer)?;
    Ok(Some(table.into_iter().map(|(host, bucket)| format!("{host}={bucket}")).collect()))
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

/// A configuration that can be run.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Data directory.
    pub data: PathBuf,
    /// HTTP and RTMP. Never empty.
    pub listen: Vec<SocketAddr>,
    /// RTMP alone.
    pub rtmp_listen: Vec<SocketAddr>,
    /// Metrics and health.
    pub admin_listen: Option<SocketAddr>,
    /// Base domains and custom domains.
    pub hosts: HostRules,
    /// Scheme and host, no path, no trailing slash.
    pub public_endpoint: Option<String>,
    /// Region id.
    pub region: String,
    /// Configured access key: id and secret.
    pub access_key: Option<(String, String)>,
    /// Master keys that were given as they are.
    pub master_key: MasterKeys,
    /// File of further master keys.
    pub master_key_file: Option<PathBuf>,
    /// Bytes of the largest object.
    pub max_object_bytes: u64,
    /// Bytes that stay free where the data is; 0: none.
    pub free_space_floor: u64,
    /// Between two passes of the lifecycle rules.
    pub lifecycle_interval: Duration,
    /// Where outbound connections may go besides public addresses.
    pub outbound_allow: Vec<AllowRule>,
    /// Sockets at once over all doors but the admin's.
    pub max_connections: usize,
    /// What one address may take.
    pub crowd: CrowdRules,
    /// Certificate and key files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Log form.
    pub log_format: LogFormat,
    /// Log filter.
    pub log_level: String,
    /// Make the demo bucket.
    pub demo: bool,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_toml())
    }
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {0}: {1}")]
    File(String, String),
    /// A value breaks its rule.
    #[error("{key}: {why}")]
    Value {
        /// Name of the setting, as in the file.
        key: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl Settings {
    /// Reads a TOML file.
    pub fn from_file(path: &Path) -> Result<Settings, ConfigError> {
        let fail = |why: String| ConfigError::File(path.display().to_string(), why);
        let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        toml::from_str(&text).map_err(|error| fail(error.to_string()))
    }

    /// These settings, and `below` where they say nothing.
    pub fn or(self, below: Settings) -> Settings {
        Settings {
            data: self.data.or(below.data),
            listen: self.listen.or(below.listen),
            rtmp_listen: self.rtmp_listen.or(below.rtmp_listen),
            admin_listen: self.admin_listen.or(below.admin_listen),
            base_domain: self.base_domain.or(below.base_domain),
            public_endpoint: self.public_endpoint.or(below.public_endpoint),
            region: self.region.or(below.region),
            access_key: self.access_key.or(below.access_key),
            secret_key: self.secret_key.or(below.secret_key),
            master_key_file: self.master_key_file.or(below.master_key_file),
            master_key: self.master_key.or(below.master_key),
            max_object_bytes: self.max_object_bytes.or(below.max_object_bytes),
            free_space_floor: self.free_space_floor.or(below.free_space_floor),
            lifecycle_interval: self.lifecycle_interval.or(below.lifecycle_interval),
            outbound_allow: self.outbound_allow.or(below.outbound_allow),
            max_connections: self.max_connections.or(below.max_connections),
            max_connections_per_address: self.max_connections_per_address.or(below.max_connections_per_address),
            max_refusals_per_second: self.max_refusals_per_second.or(below.max_refusals_per_second),
            trusted_addresses: self.trusted_addresses.or(below.trusted_addresses),
            tls_cert: self.tls_cert.or(below.tls_cert),
            tls_key: self.tls_key.or(below.tls_key),
            cname: self.cname.or(below.cname),
            log_format: self.log_format.or(below.log_format),
            log_level: self.log_level.or(below.log_level),
            demo: self.demo.or(below.demo),
        }
    }

    /// Fills in the defaults and checks every rule.
    pub fn validate(self) -> Result<Config, ConfigError> {
        let default_listen = || vec!["0.0.0.0:9000".to_owned()];
        let listen = addresses("listen", &self.listen.unwrap_or_else(default_listen))?;
        if listen.is_empty() {
            return Err(ConfigError::Value { key: "listen", why: "at least one address is needed".into() });
        }
        let default_rtmp = || vec!["0.0.0.0:1935".to_owned()];
        let admin = self.admin_listen.unwrap_or_else(|| "127.0.0.1:9001".to_owned());
        Ok(Config {
            data: self.data.unwrap_or_else(|| PathBuf::from("livebucket-data")),
            rtmp_listen: addresses("rtmp_listen", &self.rtmp_listen.unwrap_or_else(default_rtmp))?,
            admin_listen: addresses("admin_listen", &[admin])?.first().copied(),
            hosts: hosts(self.base_domain.unwrap_or_default(), self.cname.unwrap_or_default())?,
            public_endpoint: self.public_endpoint.map(|url| public_endpoint(&url)).transpose()?,
            region: region(self.region.unwrap_or_else(|| "local".to_owned()))?,
            access_key: access_key(self.access_key, self.secret_key)?,
            master_key: given_master_keys(self.master_key.as_deref())?,
            master_key_file: self.master_key_file,
            max_object_bytes: max_object_bytes(self.max_object_bytes.unwrap_or(limits::OBJECT_BYTES_MAX))?,
            free_space_floor: self.free_space_floor.unwrap_or(limits::FREE_SPACE_FLOOR),
            lifecycle_interval: lifecycle_interval(self.lifecycle_interval)?,
            outbound_allow: outbound_allow(&self.outbound_allow.unwrap_or_default())?,
            max_connections: max_connections(self.max_connections.unwrap_or(limits::SOCKETS_MAX))?,
            crowd: CrowdRules {
                sockets_max: self.max_connections_per_address.unwrap_or(limits::SOCKETS_PER_ADDRESS_MAX),
                refusals_per_second: max_refusals(self.max_refusals_per_second.unwrap_or(limits::REFUSALS_PER_SECOND))?,
                trusted: trusted_addresses(self.trusted_addresses)?,
            },
            tls: match (self.tls_cert, self.tls_key) {
                (Some(cert), Some(key)) => Some((cert, key)),
                (None, None) => None,
                _ => return Err(value_error("tls_cert", "tls_cert and tls_key are given together or not at all")),
            },
            log_format: self.log_format.unwrap_or_default(),
            log_level: log_level(self.log_level.unwrap_or_else(|| "info".to_owned()))?,
            demo: self.demo.unwrap_or(false),
            listen,
        })
    }
}

impl Config {
    /// The effective configuration as a file would say it; secrets are masked.
    pub fn to_toml(&self) -> String {
        let strings = |list: Vec<String>| toml::Value::from(list);
        let mut table = toml::Table::new();
        let mut put = |key: &str, value: toml::Value| drop(table.insert(key.to_owned(), value));
        put("data", self.data.display().to_string().into());
        put("listen", strings(self.listen.iter().map(ToString::to_string).collect()));
        put("rtmp_listen", strings(none_if_empty(&self.rtmp_listen)));
        put("admin_listen", self.admin_listen.map_or("none".to_owned(), |a| a.to_string()).into());
        put("base_domain", strings(self.hosts.base_domains.clone()));
        put("region", self.region.clone().into());
        put("log_format", toml::Value::try_from(self.log_format).expect("a plain word"));
        put("log_level", self.log_level.clone().into());
        put("demo", self.demo.into());
        if let Some(url) = &self.public_endpoint {
            put("public_endpoint", url.clone().into());
        }
        if let Some((id, _)) = &self.access_key {
            put("access_key", id.clone().into());
            put("secret_key", "********".into());
        }
        // Both came from a TOML integer, or are far below its largest.
        put("max_object_bytes", i64::try_from(self.max_object_bytes).unwrap_or(i64::MAX).into());
        put("free_space_floor", i64::try_from(self.free_space_floor).unwrap_or(i64::MAX).into());
        put("lifecycle_interval", i64::try_from(self.lifecycle_interval.as_secs()).unwrap_or(i64::MAX).into());
        put("outbound_allow", strings(self.outbound_allow.iter().map(ToString::to_string).collect()));
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX).into();
        put("max_connections", count(self.max_connections));
        put("max_connections_per_address", count(self.crowd.sockets_max));
        put("max_refusals_per_second", i64::from(self.crowd.refusals_per_second).into());
        put("trusted_addresses", strings(self.crowd.trusted.iter().map(ToString::to_string).collect()));
        if !self.master_key.is_empty() {
            put("master_key", "********".into());
        }
        if let Some(file) = &self.master_key_file {
            put("master_key_file", file.display().to_string().into());
        }
        if let Some((cert, key)) = &self.tls {
            put("tls_cert", cert.display().to_string().into());
            put("tls_key", key.display().to_string().into());
        }
        let cnames: toml::Table = self.hosts.cnames.iter().map(|(h, b)| (h.clone(), b.clone().into())).collect();
        put("cname", cnames.into());
        toml::to_string(&table).expect("strings, booleans and one table")
    }
}

/// Variables that look like settings and are none, so that a typing error is seen.
pub fn unknown_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    let known = <Settings as clap::Args>::augment_args(clap::Command::new("known"));
    let known: Vec<String> = known
        .get_arguments()
        .filter_map(|a| a.get_env()?.to_str().map(str::to_owned))
        .chain(["LIVEBUCKET_CONFIG".to_owned()])
        .collect();
    names.filter(|name| name.starts_with("LIVEBUCKET_") && !known.contains(name)).collect()
}

fn value_error(key: &'static str, why: impl Into<String>) -> ConfigError {
    ConfigError::Value { key, why: why.into() }
}

fn none_if_empty(list: &[SocketAddr]) -> Vec<String> {
    if list.is_empty() { vec!["none".to_owned()] } else { list.iter().map(ToString::to_string).collect() }
}

fn addresses(key: &'static str, texts: &[String]) -> Result<Vec<SocketAddr>, ConfigError> {
    if texts == ["none"] {
        return Ok(Vec::new());
    }
    let parse = |text: &String| {
        text.parse().map_err(|_| value_error(key, format!("`{text}` is not an address like 0.0.0.0:9000 or [::]:9000")))
    };
    texts.iter().map(parse).collect()
}

fn hosts(bases: Vec<String>, cnames: Vec<String>) -> Result<HostRules, ConfigError> {
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
            && !name.starts_with('.')
    };
    let mut rules = HostRules::default();
    for base in bases {
        if !is_name(&base) {
            return Err(value_error("base_domain", format!("`{base}` is not a domain name (no scheme, no port)")));
        }
        rules.base_domains.push(base.to_ascii_lowercase());
    }
    for pair in cnames {
        let (host, bucket) = pair
            .split_once('=')
            .filter(|(host, _)| is_name(host))
            .ok_or_else(|| value_error("cname", format!("`{pair}` is not HOST=BUCKET")))?;
        if BucketName::new(bucket).is_none() {
            return Err(value_error("cname", format!("`{bucket}` is not a bucket name")));
        }
        let before = rules.cnames.insert(host.to_ascii_lowercase(), bucket.to_owned());
        if before.is_some_and(|before| before != bucket) {
            return Err(value_error("cname", format!("`{host}` is bound to two buckets")));
        }
    }
    Ok(rules)
}

fn public_endpoint(url: &str) -> Result<String, ConfigError> {
    let parsed: Option<http::Uri> = url.parse().ok();
    let good = parsed.filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(is_endpoint)
            && uri.path() == "/"
            && uri.query().is_none()
    });
    match good {
        Some(_) => Ok(url.trim_end_matches('/').to_owned()),
        None => Err(value_error("public_endpoint", format!("`{url}` is not a URL like https://oss.example.com"))),
    }
}

/// A host and at most a port, which must be one. What else an authority may have would be handed out with every URL.
fn is_endpoint(authority: &http::uri::Authority) -> bool {
    let host = authority.host();
    let port = authority.as_str().strip_prefix(host);
    let is_port = |port: &str| port.is_empty() || authority.port_u16().is_some_and(|port| port > 0);
    !host.is_empty() && port.is_some_and(is_port)
}

/// A word that is no level would be taken for the only target that is logged, and all else, errors included, be lost.
fn log_level(directives: String) -> Result<String, ConfigError> {
    let is_level = |word: &str| {
        let levels = ["off", "error", "warn", "info", "debug", "trace", "0", "1", "2", "3", "4", "5"];
        levels.iter().any(|level| word.eq_ignore_ascii_case(level))
    };
    // What stands in brackets names spans, whose fields may hold commas; the logging library reads it.
    if directives.contains('[') {
        return Ok(directives);
    }
    let mut parts = directives.split(',').map(str::trim).filter(|part| !part.is_empty()).peekable();
    let wrong =
        if parts.peek().is_none() { Some("") } else { parts.find(|part| !part.contains('=') && !is_level(part)) };
    match wrong {
        Some(part) => Err(value_error(
            "log_level",
            format!(
                "`{part}` is neither error, warn, info, debug, trace or off, nor a directive like livebucket::rtmp=debug"
            ),
        )),
        None => Ok(directives),
    }
}

fn region(id: String) -> Result<String, ConfigError> {
    let id = id.strip_prefix("oss-").unwrap_or(&id).to_owned();
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err(value_error("region", format!("`{id}` is not a region id like cn-hangzhou")));
    }
    Ok(id)
}

fn access_key(id: Option<String>, secret: Option<String>) -> Result<Option<(String, String)>, ConfigError> {
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(id), Some(secret)) => {
            check_key(&id, &secret).map_err(|why| value_error("access_key", why))?;
            Ok(Some((id, secret)))
        }
        _ => Err(value_error("access_key", "access_key and secret_key are given together or not at all")),
    }
}

fn lifecycle_interval(seconds: Option<u64>) -> Result<Duration, ConfigError> {
    let Some(seconds) = seconds else { return Ok(limits::LIFECYCLE_INTERVAL) };
    if !(1..=86_400).contains(&seconds) {
        return Err(value_error("lifecycle_interval", format!("{seconds} is not between 1 and 86400 seconds")));
    }
    Ok(Duration::from_secs(seconds))
}

fn outbound_allow(texts: &[String]) -> Result<Vec<AllowRule>, ConfigError> {
    texts.iter().map(|text| text.parse().map_err(|why: String| value_error("outbound_allow", why))).collect()
}

fn max_connections(number: usize) -> Result<usize, ConfigError> {
    if !(1..=limits::SOCKETS_CONFIGURED_MAX).contains(&number) {
        let why = format!("{number} is not between 1 and {}", limits::SOCKETS_CONFIGURED_MAX);
        return Err(value_error("max_connections", why));
    }
    Ok(number)
}

fn max_refusals(number: u32) -> Result<u32, ConfigError> {
    if number > limits::REFUSALS_PER_SECOND_MAX {
        let why = format!("{number} is more than {}; 0 is any number", limits::REFUSALS_PER_SECOND_MAX);
        return Err(value_error("max_refusals_per_second", why));
    }
    Ok(number)
}

/// Loopback unless anything is said: whatever stands in front of the service on its own machine comes from there.
fn trusted_addresses(texts: Option<Vec<String>>) -> Result<Vec<Network>, ConfigError> {
    let texts = texts.unwrap_or_else(|| vec!["127.0.0.0/8".into(), "::1".into()]);
    if texts == ["none"] {
        return Ok(Vec::new());
    }
    let parse =
        |text: &String| text.parse().map_err(|why: NetworkError| value_error("trusted_addresses", why.to_string()));
    texts.iter().map(parse).collect()
}

fn max_object_bytes(bytes: u64) -> Result<u64, ConfigError> {
    if !(1..=limits::OBJECT_BYTES_MAX).contains(&bytes) {
        let why = format!("{bytes} is not between 1 and {}", limits::OBJECT_BYTES_MAX);
        return Err(value_error("max_object_bytes", why));
    }
    Ok(bytes)
}

/// Master keys given as they are; none when nothing is.
pub fn given_master_keys(text: Option<&str>) -> Result<MasterKeys, ConfigError> {
    let Some(text) = text else { return Ok(MasterKeys::default()) };
    MasterKeys::parse(text).map_err(|why| value_error("master_key", why))
}

/// Master keys as they are configured: the given ones, then those of the file. Reads the file.
pub fn master_keys(given: &MasterKeys, file: Option<&Path>) -> Result<MasterKeys, ConfigError> {
    let Some(file) = file else { return Ok(given.clone()) };
    let fail = |why: String| value_error("master_key_file", format!("{}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
    Ok(given.followed_by(&MasterKeys::parse(&text).map_err(fail)?))
}

/// The rules for an access key that somebody chose: it must fit into headers and URLs unquoted.
pub fn check_key(id: &str, secret: &str) -> Result<(), String> {
    if !(3..=128).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return Err("an access key id is 3 to 128 letters, digits, `-`, `_` or `.`".into());
    }
    if !(8..=256).contains(&secret.len()) || !secret.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("a secret key is 8 to 256 visible ASCII characters".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Result<Config, ConfigError> {
        let settings: Settings = toml::from_str(text).map_err(|e| ConfigError::File("test".into(), e.to_string()))?;
        settings.validate()
    }

    #[test]
    fn the_sample_file_equals_the_defaults() {
        let sample = include_str!("../docs/livebucket.toml");
        assert_eq!(from(sample).expect("valid"), Settings::default().validate().expect("valid"));
        // Every key is documented there, the optional ones as comments.
        let all = from(&sample.replace("\n#: ", "\n")).expect("the commented examples are valid too");
        assert!(all.tls.is_some() && all.access_key.is_some() && all.public_endpoint.is_some());
        assert!(!all.master_key.is_empty() && all.master_key_file.is_some());
        assert!(!all.hosts.base_domains.is_empty() && !all.hosts.cnames.is_empty());
    }

    #[test]
    fn what_is_printed_reads_back() {
        let config = from(&include_str!("../docs/livebucket.toml").replace("\n#: ", "\n")).expect("valid");
        let printed = config.to_toml();
        let masked = "master_key = \"********\"";
        let refused = from(&printed).expect_err("a mask is no key to encrypt with").to_string();
        assert!(printed.contains(masked) && refused.contains("master_key: key 1"), "{refused}");
        let mut again = from(&printed.replace(masked, "")).expect("valid");
        again.master_key = config.master_key.clone();
        assert_eq!(again.access_key.as_ref().map(|k| k.1.as_str()), Some("********"), "the secret is masked");
        again.access_key = config.access_key.clone();
        assert_eq!(again, config);
    }

    #[test]
    fn bad_values_are_named() {
        for (text, part) in [
            ("lisen = []", "unknown field `lisen`"),
            ("listen = []", "listen: at least one"),
            ("listen = ['9000']", "listen: `9000` is not an address"),
            ("access_key = 'abc'", "access_key: access_key and secret_key"),
            ("access_key = 'abc'\nsecret_key = 'short'", "a secret key is 8 to 256"),
            ("master_key = 'short'", "master_key: key 1 is not 32 bytes"),
            ("max_object_bytes = 0", "max_object_bytes: 0 is not between"),
            ("max_object_bytes = 5368709121", "max_object_bytes: 5368709121 is not between"),
            ("free_space_floor = -1", "free_space_floor"),
            ("lifecycle_interval = 0", "lifecycle_interval: 0 is not between"),
            ("lifecycle_interval = 86401", "lifecycle_interval: 86401 is not between"),
            ("outbound_allow = ['app.internal']", "outbound_allow: `app.internal` is neither a network"),
            ("outbound_allow = ['10.0.0.1/8']", "outbound_allow: `10.0.0.1/8` has bits behind its prefix"),
            ("max_connections = 0", "max_connections: 0 is not between 1 and 1048576"),
            ("max_connections = 1048577", "max_connections: 1048577 is not between"),
            ("max_refusals_per_second = 1000001", "max_refusals_per_second: 1000001 is more than 1000000"),
            ("trusted_addresses = ['proxy']", "trusted_addresses: `proxy` is not a network"),
            (
                "trusted_addresses = ['10.0.0.1/8']",
                "trusted_addresses: `10.0.0.1/8` has bits behind its prefix: 10.0.0.0/8",
            ),
            ("tls_cert = 'a.pem'", "tls_cert: tls_cert and tls_key"),
            ("public_endpoint = 'oss.example.com'", "public_endpoint: `oss.example.com`"),
            ("public_endpoint = 'http://oss.example.com/x'", "public_endpoint:"),
            ("public_endpoint = 'http://oss.example.com:99999'", "public_endpoint: `http://oss.example.com:99999`"),
            ("public_endpoint = 'http://oss.example.com:'", "public_endpoint:"),
            ("public_endpoint = 'http://user:secret@oss.example.com'", "public_endpoint:"),
            ("log_level = 'warning'", "log_level: `warning` is neither error, warn,"),
            ("log_level = 'info,livebucket'", "log_level: `livebucket` is neither"),
            ("log_level = ''", "log_level: `` is neither"),
            ("base_domain = ['http://a']", "base_domain: `http://a`"),
            ("[cname]\n'a.example.org' = 'X'", "cname: `X` is not a bucket name"),
            (
                "[cname]\n'a.example.org' = 'films'\n'A.example.org' = 'songs'",
                "cname: `a.example.org` is bound to two buckets",
            ),
            ("region = 'Here'", "region: `Here`"),
            ("log_format = 'xml'", "unknown variant `xml`"),
        ] {
            let error = from(text).expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn log_levels_and_public_endpoints_of_every_form_are_taken() {
        for level in [
            "INFO",
            "off",
            "3",
            "info,",
            "info,livebucket::rtmp=debug",
            "livebucket=trace, warn",
            "info,[x{a=1,b}]=debug",
        ] {
            assert_eq!(from(&format!("log_level = '{level}'")).expect(level).log_level, level);
        }
        for url in
            ["http://a", "https://oss.example.com:8443", "http://192.0.2.7:80", "http://[::1]", "http://[::1]:9000"]
        {
            assert_eq!(from(&format!("public_endpoint = '{url}/'")).expect(url).public_endpoint.as_deref(), Some(url));
        }
    }

    #[test]
    fn flags_outrank_the_file_and_none_closes_a_door() {
        let flags =
            Settings { rtmp_listen: Some(vec!["none".into()]), region: Some("oss-eu-1".into()), ..Settings::default() };
        let file = Settings { region: Some("cn-x".into()), demo: Some(true), ..Settings::default() };
        let config = flags.or(file).validate().expect("valid");
        assert_eq!((config.region.as_str(), config.demo, config.rtmp_listen.len()), ("eu-1", true, 0));
    }

    #[test]
    fn loopback_is_trusted_unless_another_network_is_named() {
        let trusted =
            |text: &str| from(text).expect("valid").crowd.trusted.iter().map(Network::to_string).collect::<Vec<_>>();
        assert_eq!(trusted(""), ["127.0.0.0/8", "::1/128"]);
        assert_eq!(trusted("trusted_addresses = ['10.0.0.0/8']"), ["10.0.0.0/8"]);
        assert!(trusted("trusted_addresses = ['none']").is_empty() && trusted("trusted_addresses = []").is_empty());
    }

    #[test]
    fn master_keys_of_a_file_follow_the_given_ones() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("master.key");
        let given = MasterKeys::parse(&"11".repeat(32)).expect("a key");
        assert_eq!(master_keys(&given, None), Ok(given.clone()));
        let missing = master_keys(&given, Some(&file)).expect_err("no file").to_string();
        assert!(missing.starts_with("master_key_file: ") && missing.contains("master.key"), "{missing}");
        std::fs::write(&file, "# nothing yet\n").expect("written");
        let empty = master_keys(&given, Some(&file)).expect_err("no key").to_string();
        assert!(empty.contains("there is no key in it"), "{empty}");
        std::fs::write(&file, format!("{}\n{}\n", "22".repeat(32), "11".repeat(32))).expect("written");
        let all = master_keys(&given, Some(&file)).expect("two keys");
        assert_eq!(all, MasterKeys::parse(&format!("{},{}", "11".repeat(32), "22".repeat(32))).expect("keys"));
    }

    #[test]
    fn a_mistyped_variable_is_seen() {
        let names = ["LIVEBUCKET_DATA", "LIVEBUCKET_CONFIG", "LIVEBUCKET_REGON", "PATH"];
        assert_eq!(unknown_variables(names.iter().map(ToString::to_string)), ["LIVEBUCKET_REGON"]);
    }
}
