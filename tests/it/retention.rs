//! How long fragments stay: until their owner, or a rule of their bucket, takes them. Playlists that are made later leave out
//! what is gone.

use livebucket::codec::m3u8::Playlist;

use crate::support::rtmp::capture;
use crate::support::viewer::push;
use crate::support::{Client, Server, eventually};

/// A playlist of everything, made now.
async fn vod(client: &Client) -> Option<Playlist> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let range = format!("startTime={}&endTime={}", now - 3_600, now + 3_600);
    let got = client.get(&format!("/films/cam1?vod&{range}")).await;
    if got.status != 200 {
        assert!(got.text().contains("<Code>InvalidArgument</Code>"), "{}", got.text());
        return None;
    }
    let list = Playlist::parse(&got.text()).expect("a playlist");
    assert!(list.ended && list.media_sequence == 0 && list.discontinuity_sequence == 0, "{list:?}");
    Some(list)
}

async fn window(client: &Client) -> Playlist {
    Playlist::parse(&client.get("/films/cam1/playlist.m3u8").await.expect(200).text()).expect("a playlist")
}

/// Publishes the capture to its end.
async fn publish(server: &Server) {
    push(server.addr(), "cam1", &capture("ffmpeg_h264_bframes_aac.flv")).await;
}

#[tokio::test]
async fn fragments_stay_until_their_owner_or_a_rule_takes_them_and_later_vod_playlists_leave_them_out() {
    let server = Server::start_with(|settings| settings.lifecycle_interval = Some(1)).await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    let target = "<Target><Type>HLS</Type><FragDuration>1</FragDuration><FragCount>2</FragCount></Target>";
    let body = format!("<LiveChannelConfiguration>{target}</LiveChannelConfiguration>");
    client.put("/films/cam1?live", body).await.expect(200);
    publish(&server).await;

    // The window is of two; what has left it stays, and every fragment is in a playlist of the whole.
    let all = vod(&client).await.expect("fragments").segments;
    assert!(all.len() >= 4, "{all:?}");
    assert!(all.iter().all(|segment| !segment.discontinuity), "{all:?}");
    let live = window(&client).await;
    assert_eq!(
        live.segments.iter().map(|s| &s.uri).collect::<Vec<_>>(),
        all[all.len() - 2..].iter().map(|s| &s.uri).collect::<Vec<_>>()
    );
    for segment in &all {
        client.get(&format!("/films/cam1/{}", segment.uri)).await.expect(200);
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let range = format!("startTime={}&endTime={}", now - 3_600, now + 3_600);
    client.send("POST", &format!("/films/cam1/kept.m3u8?vod&{range}"), &[], "").await.expect(200);

    // A user's DELETE wins, also over the playlist that was made before.
    client.delete(&format!("/films/cam1/{}", all[1].uri)).await.expect(204);
    let list = vod(&client).await.expect("fragments").segments;
    assert_eq!(list.len(), all.len() - 1);
    let marked: Vec<&str> = list.iter().filter(|s| s.discontinuity).map(|s| s.uri.as_str()).collect();
    assert_eq!(marked, [all[2].uri.as_str()], "the gap is marked, and nothing else");
    let kept = Playlist::parse(&client.get("/films/cam1/kept.m3u8").await.expect(200).text()).expect("a playlist");
    assert_eq!(kept.segments, all, "a stored playlist is an object like any other");
    client.delete(&format!("/films/cam1/{}", all[0].uri)).await.expect(204);
    let list = vod(&client).await.expect("fragments").segments;
    assert_eq!((list.len(), list[0].discontinuity), (all.len() - 2, false), "none on the first");

    // So does a rule of the bucket: first for one fragment in the middle.
    let rule = |prefix: &str| {
        format!(
            "<LifecycleConfiguration><Rule><ID>past</ID><Prefix>{prefix}</Prefix><Status>Enabled</Status><Expiration>\
             <CreatedBeforeDate>2999-01-01T00:00:00.000Z</CreatedBeforeDate></Expiration></Rule></LifecycleConfiguration>"
        )
    };
    client.put("/films?lifecycle", rule(&format!("cam1/{}", list[1].uri))).await.expect(200);
    let without = eventually("the rule has taken one fragment", || async {
        let now = vod(&client).await.expect("fragments").segments;
        (now.len() < list.len()).then_some(now)
    })
    .await;
    let expected: Vec<(&str, bool)> =
        list.iter().enumerate().filter(|(at, _)| *at != 1).map(|(at, s)| (s.uri.as_str(), at == 2)).collect();
    let told: Vec<(&str, bool)> = without.iter().map(|s| (s.uri.as_str(), s.discontinuity)).collect();
    assert_eq!(told, expected, "the gap is marked");
    client.put("/films?lifecycle", rule("cam1/1")).await.expect(200);
    eventually("the rule has taken every fragment", || async { vod(&client).await.is_none().then_some(()) }).await;
    client.get(&format!("/films/cam1/{}", all[2].uri)).await.expect(404);
    assert_eq!(window(&client).await, live, "a playlist that is stored stays as it is");
    client.delete("/films?lifecycle").await.expect(204);

    // The channel goes on: new names, new numbers, and a playlist of what there is.
    publish(&server).await;
    let again = window(&client).await;
    assert!(again.media_sequence > live.media_sequence);
    let list = vod(&client).await.expect("fragments").segments;
    assert!(list.iter().all(|segment| segment.uri > all[all.len() - 1].uri), "{list:?}");
    assert!(!list[0].discontinuity);
    server.stop_and_check().await;
}

/// A delete marker takes a fragment out, too, for good: with the marker gone it is an object again, and no part of a stream.
#[tokio::test]
async fn a_fragment_behind_a_delete_marker_is_left_out() {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    client.put("/films?versioning", enabled).await.expect(200);
    let target = "<Target><Type>HLS</Type><FragDuration>1</FragDuration><FragCount>3</FragCount></Target>";
    let body = format!("<LiveChannelConfiguration>{target}</LiveChannelConfiguration>");
    client.put("/films/cam1?live", body).await.expect(200);
    publish(&server).await;
    let all = vod(&client).await.expect("fragments").segments;
    let key = format!("/films/cam1/{}", all[1].uri);
    let marker = client.delete(&key).await.expect(204).header("x-oss-version-id").to_owned();
    let list = vod(&client).await.expect("fragments").segments;
    assert_eq!(list.len(), all.len() - 1);
    assert!(list[1].discontinuity);
    client.delete(&format!("{key}?versionId={marker}")).await.expect(204);
    client.get(&key).await.expect(200);
    assert_eq!(vod(&client).await.expect("fragments").segments, list);
    server.stop_and_check().await;
}
