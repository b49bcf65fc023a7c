//! `livebucket serve`: logging, signals, and the lines a newcomer can paste.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::admin::Key;
use super::{Failure, explain};
use crate::app::{DEMO, Service};
use crate::auth::rtmp_url;
use crate::config::{Config, LogFormat, unknown_variables};
use crate::net::descriptors;
use crate::task::Stop;

/// How long the printed publish URL is good for: long enough to try things out.
const PRINTED_URL_SECONDS: i64 = 7 * 24 * 3600;

/// Runs the service until SIGTERM or SIGINT; a second signal skips the rest of the graceful stop.
pub fn run(config: Config) -> Result<(), Failure> {
    start_logging(&config)?;
    for name in unknown_variables(std::env::vars().map(|(name, _)| name)) {
        tracing::warn!(name, "no setting has this name; the variable is ignored");
    }
    // Before anything is opened whose number hangs on it.
    descriptors::raise();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::failed)?;
    let served = runtime.block_on(serve(config));
    // What a graceful stop waits for is done. A file write that hangs must not hold up a second signal or a passed grace.
    runtime.shutdown_background();
    served
}

async fn serve(config: Config) -> Result<(), Failure> {
    // Handlers first: a signal that arrives while the store recovers must not kill half-way.
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
    let service = Service::start(&config).await.map_err(|error| explain(error, &config.data))?;
    announce(&service, &config).await;

    tokio::select! {
        biased;
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
    }
    let done = Stop::new();
    tokio::select! {
        biased;
        _ = terminate.recv() => tracing::warn!("second signal: leaving the rest to recovery"),
        _ = interrupt.recv() => tracing::warn!("second signal: leaving the rest to recovery"),
        () = async { service.stop().await; done.pull() } => tracing::info!("stopped"),
    }
    Ok(())
}

fn start_logging(config: &Config) -> Result<(), Failure> {
    // The migration tool narrates every start; the store says itself when it migrates.
    let directives = format!("refinery_core=warn,{}", config.log_level);
    let filter = tracing_subscriber::EnvFilter::try_new(directives)
        .map_err(|error| Failure::usage(format!("log_level: {error}")))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| LogLines(io::stderr()));
    // The S3 library reports every refused request as an error; each has its line here anyway. Its traces tell the signature
    // that a refused request should have had, so that no directive brings them out.
    let ours = filter_fn(|metadata| !metadata.target().starts_with("s3s"));
    match config.log_format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).finish().with(ours).init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(ours).init(),
    }
    Ok(())
}

/// Where log lines go that may be lost: standard error may be a file on the disk that is full, or a pipe that nobody reads any
/// more. The logging library would say so there, and panic in the middle of whatever wrote a line.
///
/// It writes one event at a time. Names that clients choose stand in some as they are, and a line break among them would
/// begin a line that the service never wrote.
struct LogLines<W>(W);

impl<W: Write> Write for LogLines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        if self.0.write_all(&one_line(event)).is_err() {
            metrics::counter!("livebucket_log_lines_lost_total").increment(1);
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event whose only line break is its last byte.
fn one_line(event: &[u8]) -> Cow<'_, [u8]> {
    let (text, end) = event.split_at(event.len() - usize::from(event.ends_with(b"\n")));
    if !text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return Cow::Borrowed(event);
    }
    let mut line = Vec::with_capacity(event.len() + 16);
    for &byte in text {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            other => line.push(other),
        }
    }
    line.extend_from_slice(end);
    Cow::Owned(line)
}

async fn announce(service: &Service, config: &Config) {
    let doors = |list: &[SocketAddr]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = doors(&service.listen),
        rtmp = doors(&service.rtmp_listen),
        admin = doors(service.admin_listen.as_slice()),
        "livebucket is ready"
    );
    let first = service.first_key.as_ref();
    if first.is_none() && !config.demo {
        return;
    }
    let key = match first {
        Some(key) => Some(key.clone()),
        None => demo_key(service).await,
    };
    if let Some(key) = key {
        let now = service.admin.clock.wall().unix_seconds();
        let endpoint = service.admin.endpoint.as_deref().unwrap_or_default();
        let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
        let text = welcome(&key, first.is_some(), host, config, now);
        // Nobody may be there to read it, which is no reason to end the service.
        if let Err(error) = io::stdout().write_all(text.as_bytes()) {
            tracing::warn!(%error, "the first lines cannot be printed; `livebucket key create` makes a key that is seen");
        }
    }
}

async fn demo_key(service: &Service) -> Option<Key> {
    let request = super::Request::SigningKey { bucket: DEMO.0.into(), id: None };
    match service.admin.carry_out(request).await {
        super::Answer::Signing { key, .. } => Some(key),
        _ => None,
    }
}

/// The lines that a first start or a demo prints. Path style, because it works for addresses and names alike.
fn welcome(key: &Key, is_new: bool, host: &str, config: &Config, now: i64) -> String {
    let (bucket, channel) = if config.demo { DEMO } else { ("my-bucket", "my-channel") };
    let query = rtmp_url::publish_query(&key.id, &key.secret, bucket, channel, now + PRINTED_URL_SECONDS, &[]);
    let mut text = String::new();
    if is_new {
        text.push_str(&format!(
            "\nA first access key was made. Its secret is shown this once:\n\n  access key  {}\n  secret key  {}\n",
            key.id, key.secret
        ));
    }
    if config.demo {
        text.push_str("\nThe demo bucket is public-read and has one channel; these work now (the URL for 7 days):\n");
    } else {
        text.push_str(&format!(
            "\nMake a bucket and a channel (npm install ali-oss; put the secret key into LIVEBUCKET_SECRET_KEY):\n\n  \
             node -e 'const c = new (require(\"ali-oss\"))({{endpoint: \"http://{host}\", sldEnable: true,\n    \
             accessKeyId: \"{id}\", accessKeySecret: process.env.LIVEBUCKET_SECRET_KEY}});\n    \
             c.putBucket(\"{bucket}\").then(() => c.useBucket(\"{bucket}\")).then(() =>\n    \
             c.putChannel(\"{channel}\", {{Description: \"\", Status: \"enabled\", Target: {{Type: \"HLS\"}}}})).then(r => \
             console.log(r.publishUrls, r.playUrls))'\n\nThen these work (the URL for 7 days):\n",
            id = key.id
        ));
    }
    let play = if config.demo {
        format!("http://{host}/{bucket}/{channel}/playlist.m3u8")
    } else {
        format!("$(livebucket url play {bucket} {channel} --data {})", config.data.display())
    };
    text.push_str(&format!(
        "\n  publish with ffmpeg\n    ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine \\\n      \
         -c:v libx264 -preset veryfast -pix_fmt yuv420p -g 60 -c:a aac -f flv \\\n      \
         'rtmp://{host}/{bucket}/live/{channel}?{query}'\n\n  \
         publish with OBS (Settings, Stream, Custom)\n    Server      rtmp://{host}/{bucket}/live\n    \
         Stream Key  {channel}?{query}\n\n  play\n    ffplay {play}\n"
    ));
    text
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("one thread").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_a_client_calls_its_channel() {
        let written = Written::default();
        let sink = written.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || LogLines(sink.clone())).finish();
        tracing::subscriber::with_default(log, || {
            tracing::info!(channel = %"a\r\n2026-01-01T00:00:00Z  INFO forged", "publish begins");
            tracing::info!("next");
        });
        let written = written.0.lock().expect("one thread").clone();
        let lines: Vec<&str> = std::str::from_utf8(&written).expect("UTF-8").lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].ends_with("publish begins channel=a\\r\\n2026-01-01T00:00:00Z  INFO forged"), "{lines:?}");
    }

    #[test]
    fn the_printed_lines_name_the_key_once_and_sign_the_publish_url() {
        let key = Key { id: "LBTEST".into(), secret: "secret-of-the-key".into(), account: "root".into() };
        let config = crate::config::Settings { demo: Some(true), ..Default::default() }.validate().expect("valid");
        let text = welcome(&key, true, "127.0.0.1:9000", &config, 1_700_000_000);
        assert_eq!(text.matches("secret-of-the-key").count(), 1);
        assert!(
            text.contains("'rtmp://127.0.0.1:9000/demo/live/live?OSSAccessKeyId=LBTEST&Expires=1700604800&Signature=")
        );
        assert!(text.contains("ffplay http://127.0.0.1:9000/demo/live/playlist.m3u8"));
        let again = welcome(&key, false, "127.0.0.1:9000", &config, 1_700_000_000);
        assert_eq!(again.matches("secret-of-the-key").count(), 0);
    }
}
