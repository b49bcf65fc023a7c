//! A channel to publish to, and what a player of it meets.

use std::net::SocketAddr;

use livebucket::codec::m3u8::Playlist;
use livebucket::codec::playback::{ForcedCuts, PlaybackChecker, PlaybackReport, succession_faults};
use livebucket::codec::rtmp::amf::AmfValue;
use livebucket::media::MediaTime;

use super::rtmp::{Publisher, Tag};
use super::{Client, KEY, Server, eventually};

/// A service with a bucket `films` and a channel `cam1` of 2 s fragments in it.
pub async fn start(frag_count: u32) -> (Server, Client) {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    let body = format!(
        "<LiveChannelConfiguration><Target><Type>HLS</Type><FragDuration>2</FragDuration>\
         <FragCount>{frag_count}</FragCount></Target></LiveChannelConfiguration>"
    );
    client.put("/films/cam1?live", body).await.expect(200);
    (server, client)
}

/// Waits until nobody publishes to this channel of `films`: the last publish is stored whole, and its history says how it ended.
pub async fn idle(client: &Client, channel: &str) {
    eventually("the channel is idle", || async {
        let stat = client.get(&format!("/films/{channel}?live&comp=stat")).await.expect(200).text();
        stat.contains("<Status>Idle</Status>").then_some(())
    })
    .await;
}

/// Publishes these tags to a channel of `films` in one connection, unwatched, and waits until nothing of it is left to do.
pub async fn push(addr: SocketAddr, channel: &str, tags: &[Tag]) {
    let mut publisher = Publisher::publish(addr, "films", channel).await;
    publisher.send(tags).await;
    publisher.finish().await;
    idle(&Client::new(addr, KEY), channel).await;
}

/// Publishes these tags to `cam1` in one connection, and waits until nothing of it is left to do.
pub async fn publish(server: &Server, tags: &[Tag]) {
    publish_with(server, &[], tags).await;
}

/// A viewer who loads the playlist again and again: each state must follow from the one that was seen before.
#[derive(Default)]
pub struct Watch {
    last: Option<Playlist>,
}

impl Watch {
    /// How the playlist stands now; `None` while there is none. As many fragments may have left since the last look as were
    /// listed then.
    pub async fn look(&mut self, client: &Client) -> Option<Playlist> {
        let got = client.get("/films/cam1/playlist.m3u8").await;
        if got.status == 404 {
            assert!(self.last.is_none(), "the playlist is gone");
            return None;
        }
        let now = Playlist::parse(&got.expect(200).text()).expect("a playlist");
        if let Some(before) = self.last.replace(now.clone()) {
            let faults = succession_faults(&before, &now);
            assert!(faults.is_empty(), "{faults:?}\n{}\n{}", before.render(), now.render());
        }
        Some(now)
    }
}

/// The same behind these values of `onMetaData`, watched all along.
pub async fn publish_with(server: &Server, metadata: &[AmfValue], tags: &[Tag]) {
    let client = server.client();
    let mut publisher = Publisher::publish(server.addr(), "films", "cam1").await;
    for values in metadata {
        publisher.metadata(values.clone()).await;
    }
    let mut watch = Watch::default();
    watch.look(&client).await;
    for slice in tags.chunks(tags.len().div_ceil(4).max(1)) {
        publisher.send(slice).await;
        watch.look(&client).await;
    }
    publisher.finish().await;
    idle(&client, "cam1").await;
    watch.look(&client).await;
}

/// A playlist with its fragments.
pub struct Seen {
    pub playlist: Playlist,
    pub bodies: Vec<Vec<u8>>,
    pub report: PlaybackReport,
}

/// What the playlist names, and what a player of it meets; `None` without a playlist.
pub async fn look(client: &Client) -> Option<Seen> {
    let history = client.get("/films/cam1?live&comp=history").await.expect(200).text();
    let connections = history.matches("<LiveRecord>").count();
    let got = client.get("/films/cam1/playlist.m3u8").await;
    if got.status == 404 {
        return None;
    }
    let playlist = Playlist::parse(&got.expect(200).text()).expect("a playlist");
    let mut bodies = Vec::new();
    for segment in &playlist.segments {
        bodies.push(client.get(&format!("/films/cam1/{}", segment.uri)).await.expect(200).body.to_vec());
    }
    let forced = ForcedCuts { after: MediaTime::from_secs(60), bytes: u64::MAX };
    // Of several connections the playlist does not say which discontinuity is a new one's: the stories of those state their marks.
    let mut checker = PlaybackChecker::new(&playlist, forced).of_one_connection(|_| connections == 1);
    bodies.iter().for_each(|body| checker.fragment(Ok(body)));
    Some(Seen { report: checker.finish(), playlist, bodies })
}

/// The playlist, and what a player of it meets.
pub async fn play(client: &Client) -> (Playlist, PlaybackReport) {
    let seen = look(client).await.expect("a playlist");
    (seen.playlist, seen.report)
}
