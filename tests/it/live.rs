//! The main job: a channel, a publish, a playlist that plays.

use livebucket::codec::m3u8::{Playlist, Segment};
use livebucket::codec::mpegts::check::{Checker, Expectation, Report};
use livebucket::media::Track;

use crate::support::rtmp::{Answer, Publisher, Tag, capture, signed_query, signed_query_until};
use crate::support::viewer::{Watch, idle, play, publish};
use crate::support::{Client, KEY, Server, eventually};

const BFRAMES: &str = "ffmpeg_h264_bframes_aac.flv";

/// A bucket `films` with a channel `cam1` of 2 s fragments.
async fn channel(client: &Client, frag_count: u32) {
    client.put("/films", "").await.expect(200);
    put_channel(client, frag_count).await;
}

async fn put_channel(client: &Client, frag_count: u32) {
    let body = format!(
        "<LiveChannelConfiguration><Target><Type>HLS</Type><FragDuration>2</FragDuration>\
         <FragCount>{frag_count}</FragCount></Target></LiveChannelConfiguration>"
    );
    let made = client.put("/films/cam1?live", body).await.expect(200).text();
    assert!(made.contains("/films/live/cam1</Url>") && made.contains("/films/cam1/playlist.m3u8</Url>"), "{made}");
}

async fn playlist(client: &Client) -> Playlist {
    Playlist::parse(&client.get("/films/cam1/playlist.m3u8").await.expect(200).text()).expect("a playlist")
}

async fn stat(client: &Client) -> String {
    client.get("/films/cam1?live&comp=stat").await.expect(200).text()
}

/// The text of an element.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// Fetches every fragment of a playlist.
async fn fragments(client: &Client, playlist: &Playlist) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for segment in &playlist.segments {
        let got = client.get(&format!("/films/cam1/{}", segment.uri)).await.expect(200);
        assert_eq!(got.header("content-type"), "video/mp2t");
        all.push(got.body.to_vec());
    }
    all
}

/// What the checker says of the fragments of one connection: its counters and times go on, whatever is stated.
async fn examine(client: &Client, playlist: &Playlist) -> Report {
    let mut checker = Checker::new();
    for (bytes, segment) in fragments(client, playlist).await.iter().zip(&playlist.segments) {
        let Segment { discontinuity, .. } = *segment;
        checker.fragment(bytes, Expectation { discontinuity, goes_on: true, forced_cut: false });
    }
    checker.finish()
}

/// Access units of a report: video and audio.
fn units(report: &Report) -> (usize, usize) {
    let count = |track: Track| {
        let units =
            report.fragments.iter().filter_map(|fragment| fragment.track(track)).map(|track| track.access_units);
        usize::try_from(units.sum::<u64>()).expect("few")
    };
    (count(Track::Video), count(Track::Audio))
}

/// Access units that were sent: video tags and audio tags that are no sequence header.
fn sent(tags: &[Tag]) -> (usize, usize) {
    use livebucket::codec::rtmp::message::MediaKind;
    let count = |kind: MediaKind| tags.iter().filter(|tag| tag.kind == kind && tag.body[1] == 1).count();
    (count(MediaKind::Video), count(MediaKind::Audio))
}

#[tokio::test]
async fn a_publish_becomes_objects_and_a_playlist_that_plays() {
    let server = Server::start().await;
    let client = server.client();
    channel(&client, 100).await;
    client.get("/films/cam1/playlist.m3u8").await.expect(404);
    let tags = capture(BFRAMES);
    let (half, rest) = tags.split_at(tags.len() / 2);
    let mut publisher = Publisher::publish(server.addr(), "films", "cam1").await;
    publisher.send(half).await;

    let live = eventually("the stat shows the video's size", || async {
        let text = stat(&client).await;
        text.contains("<Width>").then_some(text)
    })
    .await;
    for part in [
        "<Status>Live</Status>",
        "<Width>160</Width>",
        "<Height>120</Height>",
        "<FrameRate>15</FrameRate>",
        "<Codec>H264</Codec>",
        "<SampleRate>44100</SampleRate>",
        "<Codec>AAC</Codec>",
    ] {
        assert!(live.contains(part), "{part}: {live}");
    }
    let early = eventually("a playlist", || async {
        let got = client.get("/films/cam1/playlist.m3u8").await;
        (got.status == 200).then(|| got.text())
    })
    .await;
    assert!(!early.contains("#EXT-X-ENDLIST") && !early.contains("#EXT-X-DISCONTINUITY"), "{early}");
    assert!(client.put("/films/cam1?live", "<LiveChannelConfiguration/>").await.status >= 400);
    assert!(client.delete("/films/cam1?live").await.expect(409).text().contains("<Code>ChannelStillLive</Code>"));

    publisher.send(rest).await;
    publisher.finish().await;
    idle(&client, "cam1").await;
    let playlist = playlist(&client).await;
    let report = examine(&client, &playlist).await;
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    assert_eq!(units(&report), sent(&tags), "nothing is lost");
    assert!(!playlist.ended, "the publisher said that it is through, and may return all the same");

    let history = client.get("/films/cam1?live&comp=history").await.expect(200).text();
    assert_eq!(history.matches("<LiveRecord>").count(), 1, "{history}");
    let object = client.head(&format!("/films/cam1/{}", playlist.segments[0].uri)).await.expect(200);
    assert_eq!(object.header("x-oss-object-type"), "Normal");
    assert!(object.header("etag").ends_with("-1\""), "{}", object.header("etag"));
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_reconnect_goes_on_with_the_sequence_behind_a_discontinuity() {
    let server = Server::start().await;
    let client = server.client();
    // One less than two connections have: the first fragment leaves.
    let tags = capture(BFRAMES);
    let mut watch = Watch::default();
    channel(&client, 100).await;
    publish(&server, &tags).await;
    let once = watch.look(&client).await.expect("a playlist");
    assert_eq!((once.media_sequence, once.discontinuity_sequence), (0, 0));
    let each = once.segments.len();
    put_channel(&client, 2 * each as u32 - 1).await;
    publish(&server, &tags).await;
    let twice = watch.look(&client).await.expect("a playlist");
    assert_eq!((twice.media_sequence, twice.discontinuity_sequence), (1, 0), "{}", twice.render());
    let flags: Vec<bool> = twice.segments.iter().map(|segment| segment.discontinuity).collect();
    assert_eq!(flags, (1..2 * each).map(|number| number == each).collect::<Vec<_>>());
    let (_, report) = play(&client).await;
    assert!(report.is_clean(), "{report}");
    let pictures = report.fragments.iter().flatten().filter_map(|fragment| fragment.video);
    let key_frames = pictures.map(|video| (video.access_units, video.keyframes)).collect::<Vec<_>>();
    assert_eq!(key_frames[..each - 1], key_frames[each..], "the second connection is stored as the first was");
    let history = client.get("/films/cam1?live&comp=history").await.expect(200).text();
    assert_eq!(history.matches("<LiveRecord>").count(), 2);
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_window_slides_and_a_vod_playlist_has_everything() {
    let server = Server::start().await;
    let client = server.client();
    channel(&client, 2).await;
    let mut publisher = Publisher::publish(server.addr(), "films", "cam1").await;
    publisher.send(&capture(BFRAMES)).await;
    publisher.finish().await;
    idle(&client, "cam1").await;
    let window = playlist(&client).await;
    assert_eq!(window.segments.len(), 2);
    assert!(window.media_sequence >= 3, "{window:?}");

    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let range = format!("startTime={}&endTime={}", now - 600, now + 600);
    let posted = client.send("POST", &format!("/films/cam1/all.m3u8?vod&{range}"), &[], "").await.expect(200);
    assert!(!posted.header("etag").is_empty() && posted.body.is_empty());
    let text = client.get("/films/cam1/all.m3u8").await.expect(200).text();
    let vod = Playlist::parse(&text).expect("a playlist");
    assert!(vod.ended && vod.media_sequence == 0, "{text}");
    assert_eq!(vod.segments.len() as u64, window.media_sequence + 2);
    assert_eq!(client.get(&format!("/films/cam1?vod&{range}")).await.expect(200).text(), text);
    let empty = client.send("POST", "/films/cam1/none.m3u8?vod&startTime=100&endTime=200", &[], "").await.expect(400);
    assert!(empty.text().contains("<Message>No ts file found in specified time span.</Message>"), "{}", empty.text());

    // A deleted fragment leaves a gap that is marked.
    client.delete(&format!("/films/cam1/{}", vod.segments[2].uri)).await.expect(204);
    let holed =
        Playlist::parse(&client.get(&format!("/films/cam1?vod&{range}")).await.expect(200).text()).expect("one");
    assert_eq!(holed.segments.len(), vod.segments.len() - 1);
    assert!(holed.segments[2].discontinuity);
    server.stop_and_check().await;
}

#[tokio::test]
async fn audio_alone_is_cut_by_time() {
    let server = Server::start().await;
    let client = server.client();
    channel(&client, 100).await;
    let tags = capture("ffmpeg_aac_only.flv");
    let mut publisher = Publisher::publish(server.addr(), "films", "cam1").await;
    publisher.send(&tags).await;
    publisher.finish().await;
    idle(&client, "cam1").await;
    let playlist = playlist(&client).await;
    assert!(playlist.segments.len() >= 2, "{playlist:?}");
    let report = examine(&client, &playlist).await;
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    assert_eq!(units(&report), sent(&tags));
    server.stop_and_check().await;
}

#[tokio::test]
async fn every_refusal_is_a_status_with_the_oss_code() {
    let server = Server::start().await;
    let client = server.client();
    channel(&client, 3).await;
    let good = signed_query("films", "cam1");
    let expired = signed_query_until("films", "cam1", 1_000_000_000, KEY);
    let unknown = signed_query_until("films", "cam1", 4_000_000_000, ("nobody-there", "x"));
    let forged = signed_query_until("films", "cam1", 4_000_000_000, (KEY.0, "not-the-secret"));
    let missing = format!("cam2?{}", signed_query("films", "cam2"));
    let no_bucket = format!("cam1?{}", signed_query("nobucket", "cam1"));
    let version = format!("cam1?{good}&SignatureVersion=OSS4");
    for (app, stream, code, parts) in [
        ("films/live", "cam1", "NetStream.Publish.Denied", vec!["0002-00000801"]),
        ("films/live", "cam1?OSSAccessKeyId=testAccessKeyId", "NetStream.Publish.Denied", vec!["0002-00000803"]),
        ("films/live", &format!("cam1?{expired}"), "NetStream.Publish.Denied", vec!["AccessDenied", "0002-00000805"]),
        (
            "films/live",
            &format!("cam1?{unknown}"),
            "NetStream.Publish.Denied",
            vec!["InvalidAccessKeyId", "0002-00000802"],
        ),
        (
            "films/live",
            &format!("cam1?{forged}"),
            "NetStream.Publish.Denied",
            vec!["SignatureDoesNotMatch", "0002-00000807"],
        ),
        ("films/live", &version, "NetStream.Publish.Denied", vec!["0002-00000808"]),
        ("films/live", &missing, "NetStream.Publish.Failed", vec!["NoSuchLiveChannel"]),
        ("nobucket/live", &no_bucket, "NetStream.Publish.Failed", vec!["NoSuchBucket"]),
    ] {
        let (_, answer) = Publisher::open(server.addr(), app, stream).await;
        let Answer::Refused(got, description) = answer else { panic!("{stream}: {answer:?}") };
        assert_eq!(got, code, "{stream}: {description}");
        for part in parts {
            assert!(description.contains(part), "{stream}: {description}");
        }
    }
    let first = Publisher::publish(server.addr(), "films", "cam1").await;
    let (_, second) = Publisher::open(server.addr(), "films/live", &format!("cam1?{good}")).await;
    assert!(matches!(&second, Answer::Refused(code, _) if code == "NetStream.Publish.BadName"), "{second:?}");
    first.finish().await;
    idle(&client, "cam1").await;
    client.put("/films/cam1?live&status=disabled", "").await.expect(200);
    let (_, disabled) = Publisher::open(server.addr(), "films/live", &format!("cam1?{good}")).await;
    assert!(
        matches!(&disabled, Answer::Refused(code, why)
        if code == "NetStream.Publish.Denied" && why.contains("LiveChannelDisabled")),
        "{disabled:?}"
    );
    server.stop_and_check().await;
}

#[tokio::test]
async fn every_door_and_form_publishes() {
    let server = Server::start().await;
    let client = server.client();
    channel(&client, 3).await;
    let query = signed_query("films", "cam1");
    for (addr, app, stream) in [
        (server.addr(), "films/live", format!("cam1?{query}")),
        (server.service.rtmp_listen[0], "films/live", format!("cam1?{query}")),
        (server.addr(), "live/films", format!("cam1?{query}")),
        (server.addr(), "live", format!("films/cam1?{query}")),
        (server.addr(), "films", format!("live/cam1?{query}")),
        (server.addr(), "live", format!("cam1?{query}")),
        (server.addr(), "live/", format!("cam1?{query}")),
        (server.addr(), &format!("films/live/cam1?{query}"), String::new()),
    ] {
        let (publisher, answer) = Publisher::open(addr, app, &stream).await;
        assert_eq!(answer, Answer::Published, "{app} {stream}");
        publisher.finish().await;
        idle(&client, "cam1").await;
    }
    server.stop_and_check().await;
}

#[tokio::test]
async fn disabling_a_live_channel_ends_its_publisher_and_keeps_the_fragment() {
    let server = Server::start().await;
    let client = server.client();
    channel(&client, 100).await;
    let tags = capture(BFRAMES);
    let mut publisher = Publisher::publish(server.addr(), "films", "cam1").await;
    publisher.send(&tags[..tags.len() / 3]).await;
    eventually("a playlist", || async { (client.get("/films/cam1/playlist.m3u8").await.status == 200).then_some(()) })
        .await;
    client.put("/films/cam1?live&status=disabled", "").await.expect(200);
    let end = publisher.answer().await;
    assert!(matches!(end, Answer::Refused(..) | Answer::Closed), "{end:?}");
    eventually("disabled", || async { stat(&client).await.contains("<Status>Disabled</Status>").then_some(()) }).await;
    let playlist = playlist(&client).await;
    let report = examine(&client, &playlist).await;
    assert!(report.faults.is_empty() && units(&report).0 > 0, "{:?}", report.faults);
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_graceful_stop_finishes_the_open_fragment() {
    let server = Server::start().await;
    let client = server.client();
    channel(&client, 100).await;
    let tags = capture(BFRAMES);
    let mut publisher = Publisher::publish(server.addr(), "films", "cam1").await;
    publisher.send(&tags).await;
    eventually("the stat shows the video", || async { stat(&client).await.contains("<Width>").then_some(()) }).await;
    let dir = server.stop_and_check().await;
    drop(publisher);

    let config = crate::support::settings(dir.path());
    let server = Server::start_in(dir, config).await;
    let client = server.client();
    let playlist = playlist(&client).await;
    let report = examine(&client, &playlist).await;
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    let history = client.get("/films/cam1?live&comp=history").await.expect(200).text();
    assert!(element(&history, "EndTime").is_some(), "{history}");
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_private_playlist_plays_through_hls_sign() {
    let server = Server::start().await;
    let client = server.client();
    channel(&client, 100).await;
    let mut publisher = Publisher::publish(server.addr(), "films", "cam1").await;
    publisher.send(&capture(BFRAMES)).await;
    publisher.finish().await;
    idle(&client, "cam1").await;
    let expires = 4_000_000_000i64;
    let text = format!("GET\n\n\n{expires}\n/films/cam1/playlist.m3u8?x-oss-process=hls/sign");
    let signature =
        crate::support::http::hmac_sha1(KEY.1, &text).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let url = format!(
        "/films/cam1/playlist.m3u8?x-oss-process=hls%2Fsign&OSSAccessKeyId={}&Expires={expires}&Signature={signature}",
        KEY.0
    );
    let nobody = Client::anonymous(server.addr());
    let signed = nobody.get(&url).await.expect(200).text();
    let uris: Vec<&str> = signed.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(uris.len() >= 3, "{signed}");
    for uri in uris {
        nobody.get(&format!("/films/cam1/{}", uri.split('?').next().expect("a name"))).await.expect(403);
        nobody.get(&format!("/films/cam1/{uri}")).await.expect(200);
    }
    server.stop_and_check().await;
}
