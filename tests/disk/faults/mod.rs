//! A running service on a disk that fills up, fails, is read-only or slow: what each door says, what the metric counts, what
//! is left, and that it goes on once the disk does. `docs/faults.md` is the operator's side of these tests.

mod broken;
mod full;
mod read_only;
mod slow;

use livebucket::codec::m3u8::Playlist;
use livebucket::codec::rtmp::message::MediaKind;

use super::directory;
use super::support::http::exchange;
use super::support::rtmp::{Publisher, Tag, capture};
use super::support::{Client, Server, s3, settings};
use super::watch::Watch;
use crate::tree::Tree;

/// A service whose directory is watched, with a bucket `films`.
pub struct Bed {
    pub watch: Watch,
    pub server: Server,
}

impl Bed {
    pub async fn start() -> Bed {
        let dir = directory();
        let watch = Watch::faults(dir.path());
        let bed = Bed { watch, server: serve(dir).await };
        bed.oss().put("/films", "").await.expect(200);
        bed
    }

    pub fn oss(&self) -> Client {
        self.server.client()
    }

    pub fn s3(&self) -> s3::Client {
        self.server.s3()
    }

    /// Where the metrics are.
    pub fn admin(&self) -> std::net::SocketAddr {
        self.server.service.admin_listen.expect("it listens")
    }

    /// Stops, recovers as every start does, and proves the invariants.
    pub async fn restart_and_check(self) {
        let Bed { watch, server } = self;
        let Server { service, dir } = server;
        service.stop().await;
        serve(dir).await.stop_and_check().await;
        drop(watch);
    }

    /// `livebucket_store_faults_total` of this process so far. Other tests count there too: it only grows.
    pub async fn faults(&self, store: &str, cause: &str) -> f64 {
        let request = http::Request::get("/metrics").header("host", "localhost").body(Default::default());
        let text = exchange(self.admin(), request.expect("a request")).await.expect(200).text();
        let lines = text.lines().filter(|line| line.starts_with("livebucket_store_faults_total{"));
        let of =
            |line: &&str| line.contains(&format!("store=\"{store}\"")) && line.contains(&format!("cause=\"{cause}\""));
        let value = |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok());
        lines.filter(of).filter_map(value).sum()
    }

    /// The lengths of all files of blobs, finished or not.
    pub fn blob_lengths(&self) -> Vec<usize> {
        let blobs = Tree::read(&self.server.dir.path().join("data/blobs"));
        blobs.files.values().map(Vec::len).collect()
    }

    /// A channel `cam1` of 1 s fragments that all stay in the playlist.
    pub async fn channel(&self) {
        let target = "<Target><Type>HLS</Type><FragDuration>1</FragDuration><FragCount>100</FragCount></Target>";
        let body = format!("<LiveChannelConfiguration>{target}</LiveChannelConfiguration>");
        self.oss().put("/films/cam1?live", body).await.expect(200);
    }

    /// The live playlist, if there is one.
    pub async fn playlist(&self) -> Option<Playlist> {
        let got = self.oss().get("/films/cam1/playlist.m3u8").await;
        (got.status == 200).then(|| Playlist::parse(&got.text()).expect("a playlist"))
    }

    /// Connections that have ended.
    pub async fn ended(&self) -> usize {
        let history = self.oss().get("/films/cam1?live&comp=history").await.expect(200).text();
        history.matches("<EndTime>").count()
    }

    pub async fn publish(&self) -> Publisher {
        Publisher::publish(self.server.addr(), "films", "cam1").await
    }
}

/// No floor: the disk itself says when it is full.
pub async fn serve(dir: tempfile::TempDir) -> Server {
    let mut settings = settings(dir.path());
    settings.free_space_floor = Some(0);
    Server::start_in(dir, settings).await
}

/// A capture whose pictures weigh so much more: a filler NAL unit of so many bytes goes behind each, so that fragments are
/// blobs and not rows.
pub fn heavy(filler: usize) -> Vec<Tag> {
    let mut tags = capture("ffmpeg_h264_bframes_aac.flv");
    for tag in tags.iter_mut().filter(|tag| tag.kind == MediaKind::Video && tag.body[1] == 1) {
        let mut body = tag.body.to_vec();
        body.extend(u32::try_from(filler).expect("it fits").to_be_bytes());
        body.push(0x0c);
        body.resize(body.len() + filler - 1, 0xff);
        tag.body = body.into();
    }
    tags
}

/// What an error document says.
pub fn code(text: &str) -> &str {
    let (_, rest) = text.split_once("<Code>").unwrap_or_else(|| panic!("no error: {text}"));
    &rest[..rest.find('<').expect("closed")]
}
