//! Golden documents of live channels, both ways, and every form of a configuration that clients send.

use super::super::tests::{check, page};
use super::*;
use crate::clock::Wall;
use crate::live::channel::ChannelRuleError;
use crate::live::stat::{AudioStat, VideoStat};
use crate::store::{BucketId, ChannelName, ConnectionId, SnapshotConfig};

fn channel(name: &str, status: ChannelStatus) -> ChannelRecord {
    ChannelRecord {
        bucket: BucketId(1),
        name: ChannelName::new(name).expect("valid"),
        config: config(status),
        created: Wall(0),
        last_modified: Wall(1_469_843_661_500),
    }
}

fn config(status: ChannelStatus) -> ChannelConfig {
    ChannelConfig {
        description: "a<b>&{}=?//c".into(),
        display_name: Some("not in any document".into()),
        status,
        frag_duration: 5,
        frag_count: 3,
        playlist_name: "playlist.m3u8".into(),
        snapshot: Some(SnapshotConfig {
            role_name: "r".into(),
            dest_bucket: "d".into(),
            notify_topic: "t".into(),
            interval: 1,
        }),
    }
}

#[test]
fn channel_creation_result() {
    check(
        create_live_channel_result("rtmp://b.h/live/c", "http://b.h/c/playlist.m3u8"),
        "<CreateLiveChannelResult>
           <PublishUrls><Url>rtmp://b.h/live/c</Url></PublishUrls>
           <PlayUrls><Url>http://b.h/c/playlist.m3u8</Url></PlayUrls>
         </CreateLiveChannelResult>",
    );
}

#[test]
fn channel_states() {
    check(live_channel_stat(ChannelState::Idle), "<LiveChannelStat><Status>Idle</Status></LiveChannelStat>");
    check(live_channel_stat(ChannelState::Disabled), "<LiveChannelStat><Status>Disabled</Status></LiveChannelStat>");
    let mut stat = LiveStat {
        connection: ConnectionId(1),
        connected: Wall(1_472_106_315_700),
        remote_addr: "10.1.2.3:47745".into(),
        video: None,
        audio: None,
    };
    let live = |inside: &str| {
        format!(
            "<LiveChannelStat><Status>Live</Status><ConnectedTime>2016-08-25T06:25:15.000Z</ConnectedTime>\
             <RemoteAddr>10.1.2.3:47745</RemoteAddr>{inside}</LiveChannelStat>"
        )
    };
    check(live_channel_stat(ChannelState::Live(&stat)), &live(""));
    stat.video = Some(VideoStat { width: 1280, height: 536, frame_rate: 24, bandwidth: 0 });
    stat.audio = Some(AudioStat { sample_rate: 44_100, bandwidth: 9 });
    check(
        live_channel_stat(ChannelState::Live(&stat)),
        &live(
            "<Video><Width>1280</Width><Height>536</Height><FrameRate>24</FrameRate><Bandwidth>0</Bandwidth>\
             <Codec>H264</Codec></Video>\
             <Audio><Bandwidth>9</Bandwidth><SampleRate>44100</SampleRate><Codec>AAC</Codec></Audio>",
        ),
    );
    assert!(matches!(ChannelState::of(ChannelStatus::Disabled, Some(&stat)), ChannelState::Live(_)));
    assert!(matches!(ChannelState::of(ChannelStatus::Disabled, None), ChannelState::Disabled));
    assert!(matches!(ChannelState::of(ChannelStatus::Enabled, None), ChannelState::Idle));
}

#[test]
fn history_holds_finished_connections() {
    check(live_channel_history(&[]), "<LiveChannelHistory></LiveChannelHistory>");
    let finished = ConnectionRecord {
        id: ConnectionId(1),
        started: Wall(1_469_843_601_000),
        ended: Some(Wall(1_469_843_611_000)),
        remote_addr: "10.101.194.148:56861".into(),
        cause: None,
    };
    let lasting = ConnectionRecord { ended: None, ..finished.clone() };
    check(
        live_channel_history(&[finished, lasting]),
        "<LiveChannelHistory><LiveRecord>
           <StartTime>2016-07-30T01:53:21.000Z</StartTime>
           <EndTime>2016-07-30T01:53:31.000Z</EndTime>
           <RemoteAddr>10.101.194.148:56861</RemoteAddr>
         </LiveRecord></LiveChannelHistory>",
    );
}

#[test]
fn channel_listing() {
    let urls = |c: &ChannelRecord| (format!("rtmp://b.h/live/{}", c.name), format!("http://b.h/{}/p.m3u8", c.name));
    check(
        list_live_channels(&ListLiveChannelQuery { max_keys: 100, ..Default::default() }, &page(vec![], false), urls),
        "<ListLiveChannelResult><Prefix></Prefix><Marker></Marker><MaxKeys>100</MaxKeys>\
         <IsTruncated>false</IsTruncated><NextMarker></NextMarker></ListLiveChannelResult>",
    );
    let query = ListLiveChannelQuery { prefix: "ch".into(), marker: "ch-0".into(), max_keys: 1 };
    check(
        list_live_channels(&query, &page(vec![channel("ch-1", ChannelStatus::Disabled)], true), urls),
        "<ListLiveChannelResult>
           <Prefix>ch</Prefix><Marker>ch-0</Marker><MaxKeys>1</MaxKeys>
           <IsTruncated>true</IsTruncated><NextMarker>ch-1</NextMarker>
           <LiveChannel>
             <Name>ch-1</Name>
             <Description>a&lt;b&gt;&amp;{}=?//c</Description>
             <Status>disabled</Status>
             <LastModified>2016-07-30T01:54:21.000Z</LastModified>
             <PublishUrls><Url>rtmp://b.h/live/ch-1</Url></PublishUrls>
             <PlayUrls><Url>http://b.h/ch-1/p.m3u8</Url></PlayUrls>
           </LiveChannel>
         </ListLiveChannelResult>",
    );
}

#[test]
fn channel_configuration_reads_back_as_it_was_rendered() {
    let config = config(ChannelStatus::Disabled);
    let document = live_channel_configuration(&config);
    check(
        document.clone(),
        "<LiveChannelConfiguration>
           <Description>a&lt;b&gt;&amp;{}=?//c</Description>
           <Status>disabled</Status>
           <Target>
             <Type>HLS</Type><FragDuration>5</FragDuration><FragCount>3</FragCount>
             <PlaylistName>playlist.m3u8</PlaylistName>
           </Target>
         </LiveChannelConfiguration>",
    );
    let read = read_live_channel_configuration(&document).expect("well-formed").validate();
    assert_eq!(read, Ok(ChannelConfig { display_name: None, snapshot: None, ..config }));
}

fn read_channel(body: &str) -> Result<ChannelConfig, OssError> {
    Ok(read_live_channel_configuration(body.as_bytes())?.validate()?)
}

#[test]
fn flat_form_of_the_node_client_is_a_configuration() {
    let config = read_channel(
        "<LiveChannelConfiguration><name>My Live Stream</name><description>Live streaming channel for events\
         </description><status>disabled</status><type>HLS</type><fragDuration>7</fragDuration><fragCount>4</fragCount>\
         <playlistName>p.m3u8</playlistName></LiveChannelConfiguration>",
    );
    assert_eq!(
        config,
        Ok(ChannelConfig {
            description: "Live streaming channel for events".into(),
            display_name: Some("My Live Stream".into()),
            status: ChannelStatus::Disabled,
            frag_duration: 7,
            frag_count: 4,
            playlist_name: "p.m3u8".into(),
            snapshot: None,
        })
    );
}

#[test]
fn flat_form_needs_no_more_than_one_of_its_keys() {
    let config = read_channel("<LiveChannelConfiguration><name>n</name></LiveChannelConfiguration>").expect("flat");
    assert_eq!((config.frag_duration, config.frag_count, config.playlist_name.as_str()), (5, 3, "playlist.m3u8"));
    let one = read_channel("<LiveChannelConfiguration><fragCount>9</fragCount></LiveChannelConfiguration>");
    assert_eq!(one.map(|c| (c.frag_duration, c.frag_count)), Ok((5, 9)));
    let bad = read_channel("<LiveChannelConfiguration><type>hls</type></LiveChannelConfiguration>");
    assert_eq!(bad, Err(OssError::from(ChannelRuleError::Type)));
}

#[test]
fn nested_form_without_a_target_is_refused() {
    for body in [
        "<LiveChannelConfiguration/>",
        "<LiveChannelConfiguration><Description>d</Description><Status>enabled</Status></LiveChannelConfiguration>",
        "<LiveChannelConfiguration><Target/></LiveChannelConfiguration>",
        "<LiveChannelConfiguration><PlayListName>p.m3u8</PlayListName></LiveChannelConfiguration>",
    ] {
        assert_eq!(read_channel(body), Err(OssError::from(ChannelRuleError::Type)), "{body}");
    }
}

#[test]
fn pascal_case_wins_over_lower_camel_case() {
    let config = read_channel(
        "<LiveChannelConfiguration><description>lower</description><Description>upper</Description>\
         <status>disabled</status><Status>enabled</Status><fragCount>50</fragCount>\
         <Target><Type>HLS</Type><fragDuration>8</fragDuration><FragCount>2</FragCount><fragCount>6</fragCount></Target>\
         </LiveChannelConfiguration>",
    )
    .expect("valid");
    assert_eq!(config.description, "upper");
    assert_eq!(config.status, ChannelStatus::Enabled);
    assert_eq!((config.frag_duration, config.frag_count), (8, 2), "the root's flat keys do not reach into a target");
}

#[test]
fn misspelt_playlist_name_of_php_is_ignored() {
    let config = read_channel(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<LiveChannelConfiguration><Target><Type>HLS</Type>\
         <PlayListName>mine.m3u8</PlayListName></Target></LiveChannelConfiguration>\n",
    );
    assert_eq!(config.map(|c| c.playlist_name), Ok("playlist.m3u8".to_owned()));
}

#[test]
fn what_oss2_sends_by_default_is_valid() {
    let config = read_channel(
        "<LiveChannelConfiguration><Description /><Status>enabled</Status><Target><Type>HLS</Type>\
         <FragDuration>5</FragDuration><FragCount>3</FragCount><PlaylistName /></Target></LiveChannelConfiguration>",
    );
    assert_eq!(config.map(|c| c.playlist_name), Ok("playlist.m3u8".to_owned()));
}

#[test]
fn snapshot_is_kept_and_a_second_is_refused() {
    let snapshot = "<Snapshot><RoleName>r</RoleName><DestBucket>d</DestBucket><NotifyTopic>t</NotifyTopic>\
                    <Interval>5</Interval></Snapshot>";
    let body = |blocks: &str| {
        format!("<LiveChannelConfiguration><Target><Type>HLS</Type></Target>{blocks}</LiveChannelConfiguration>")
    };
    let once = read_channel(&body(snapshot)).expect("valid").snapshot.expect("kept");
    assert_eq!((once.role_name.as_str(), once.interval), ("r", 5));
    let twice = read_channel(&body(&snapshot.repeat(2)));
    assert_eq!(twice, Err(OssError::from(ChannelRuleError::SnapshotRepeated)));
}

#[test]
fn every_lawful_way_to_write_text_is_read() {
    let body = "\u{feff}\n <?xml version=\"1.0\"?><!-- c --><x:LiveChannelConfiguration xmlns:x=\"urn:x\" a='1'>\n\
                <x:Description>&lt;&#65;<![CDATA[<&>]]>&#x4E2D;&amp;\r\n</x:Description>\n\
                <Target><Type> HLS\n</Type></Target></x:LiveChannelConfiguration> \n";
    assert_eq!(read_channel(body).map(|c| c.description), Ok("<A<&>中&\n".to_owned()));
}
