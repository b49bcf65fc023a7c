//! Live channels as they are configured.

use super::*;

pub(super) async fn channel_is_read_back(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let full = ChannelConfig {
        description: "line\none\u{0}".into(),
        display_name: Some("Kamera \u{1F3A5}".into()),
        status: ChannelStatus::Disabled,
        frag_duration: 100,
        frag_count: 1,
        playlist_name: "live.m3u8".into(),
        snapshot: Some(SnapshotConfig {
            role_name: "role".into(),
            dest_bucket: "pictures".into(),
            notify_topic: "topic".into(),
            interval: 9,
        }),
    };
    let name = channel_name("cam \u{0}\u{e9}%");
    let put = s.put_channel(b, &name, full.clone(), false, Wall(7)).await.expect("free");
    assert_eq!((&put.config, put.created, put.last_modified), (&full, Wall(7), Wall(7)));
    assert_eq!(s.channel(b, &name).await, Ok(Some(put)));
    assert_eq!(s.channel(b, &channel_name("cam")).await, Ok(None));
}

pub(super) async fn put_again_keeps_the_creation_time(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let name = channel_name("cam");
    s.put_channel(b, &name, config(), false, Wall(7)).await.expect("free");
    let claimed = claim(s, b, "cam", 1).await;
    end(s, b, "cam", claimed.epoch, 8).await.expect("owner");
    let changed = ChannelConfig { frag_count: 9, snapshot: None, ..config() };
    let put = s.put_channel(b, &name, changed.clone(), false, Wall(9)).await.expect("not live");
    assert_eq!((&put.config, put.created, put.last_modified), (&changed, Wall(7), Wall(9)));
    assert_eq!(s.channel(b, &name).await, Ok(Some(put)));
    assert_eq!(s.history(b, &name, 10).await.expect("readable").len(), 1, "history stays");
}

pub(super) async fn only_if_absent_refuses_an_existing_one(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let name = channel_name("cam");
    let made = s.put_channel(b, &name, config(), true, Wall(7)).await.expect("free");
    let again = s.put_channel(b, &name, ChannelConfig { frag_count: 9, ..config() }, true, Wall(8)).await;
    assert_eq!(again, Err(StoreError::AlreadyExists(What::Channel)));
    claim(s, b, "cam", 1).await;
    let while_live = s.put_channel(b, &name, config(), true, Wall(8)).await;
    assert_eq!(while_live, Err(StoreError::AlreadyExists(What::Channel)));
    assert_eq!(s.channel(b, &name).await, Ok(Some(made)));
}

pub(super) async fn channel_needs_its_bucket(s: &dyn MetaStore) {
    let refused = s.put_channel(BucketId(9), &channel_name("cam"), config(), false, Wall(7)).await;
    assert_eq!(refused, Err(StoreError::NotFound(What::Bucket)));
}

pub(super) async fn live_channel_is_neither_put_nor_deleted(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let made = channel(s, b, "cam").await;
    let claimed = claim(s, b, "cam", 1).await;
    let name = channel_name("cam");
    let put = s.put_channel(b, &name, ChannelConfig { frag_count: 9, ..config() }, false, Wall(8)).await;
    assert_eq!(put, Err(StoreError::ChannelLive));
    assert_eq!(s.delete_channel(b, &name).await, Err(StoreError::ChannelLive));
    assert_eq!(s.channel(b, &name).await, Ok(Some(made)));
    end(s, b, "cam", claimed.epoch, 9).await.expect("owner");
    s.put_channel(b, &name, config(), false, Wall(10)).await.expect("no longer live");
    s.delete_channel(b, &name).await.expect("no longer live");
}

pub(super) async fn status_changes_also_while_live(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    channel(s, b, "cam").await;
    claim(s, b, "cam", 1).await;
    let name = channel_name("cam");
    let seen = async || {
        let channel = s.channel(b, &name).await.expect("readable").expect("there");
        (channel.config.status, channel.created, channel.last_modified)
    };
    s.set_channel_status(b, &name, ChannelStatus::Enabled, Wall(5)).await.expect("there");
    assert_eq!(seen().await, (ChannelStatus::Enabled, Wall(1), Wall(1)), "the same again changes nothing");
    s.set_channel_status(b, &name, ChannelStatus::Disabled, Wall(6)).await.expect("there");
    assert_eq!(seen().await, (ChannelStatus::Disabled, Wall(1), Wall(6)));
    let missing = s.set_channel_status(b, &channel_name("none"), ChannelStatus::Enabled, Wall(7)).await;
    assert_eq!(missing, Err(StoreError::NotFound(What::Channel)));
}

pub(super) async fn channels_are_listed_in_byte_order_and_counted(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let other = bucket(s, "music").await;
    for name in ["cam2", "Cam", "cam1", "\u{e9}", "cam10", "door"] {
        channel(s, b, name).await;
    }
    channel(s, other, "cam3").await;
    let list = async |prefix: &str, after: &str, limit| {
        let page = s.list_channels(b, prefix, after, limit).await.expect("readable");
        (page.entries.iter().map(|c| c.name.to_string()).collect::<Vec<_>>().join(" "), page.truncated)
    };
    assert_eq!(list("", "", 9).await, ("Cam cam1 cam10 cam2 door \u{e9}".into(), false));
    assert_eq!(list("cam", "", 3).await, ("cam1 cam10 cam2".into(), false));
    assert_eq!(list("cam", "", 2).await, ("cam1 cam10".into(), true));
    assert_eq!(list("cam", "cam1", 9).await, ("cam10 cam2".into(), false));
    assert_eq!(list("cam", "d", 9).await, (String::new(), false));
    assert_eq!(list("", "door", 1).await, ("\u{e9}".into(), false));
    assert_eq!(s.count_channels(b).await, Ok(6));
    assert_eq!(s.count_channels(other).await, Ok(1));
    assert_eq!(s.count_channels(BucketId(99)).await, Ok(0));
}

pub(super) async fn buckets_that_hold_a_channel(s: &dyn MetaStore) {
    let mut ids = Vec::new();
    for name in ["films", "music", "a-bucket"] {
        ids.push(bucket(s, name).await);
    }
    channel(s, ids[0], "cam").await;
    channel(s, ids[1], "other").await;
    channel(s, ids[2], "cam").await;
    let holders = async |name: &str, limit| {
        let found = s.buckets_with_channel(&channel_name(name), limit).await.expect("readable");
        found.into_iter().map(|b| b.id).collect::<Vec<_>>()
    };
    assert_eq!(holders("cam", 9).await, [ids[0], ids[2]]);
    assert_eq!(holders("cam", 1).await, [ids[0]]);
    assert_eq!(holders("ca", 9).await, []);
    s.delete_channel(ids[0], &channel_name("cam")).await.expect("not live");
    assert_eq!(holders("cam", 9).await, [ids[2]]);
}

pub(super) async fn deleting_a_channel_keeps_objects_names_and_windows(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    channel(s, b, "cam").await;
    let first = claim(s, b, "cam", 1).await;
    let commit = fragment_commit(b, "cam", (1, first.epoch), 5_000, 0);
    s.commit_fragment(commit.clone(), Wall(2)).await.expect("owner");
    end(s, b, "cam", first.epoch, 9_000).await.expect("owner");
    let name = channel_name("cam");
    s.delete_channel(b, &name).await.expect("not live");

    assert_eq!(s.channel(b, &name).await, Ok(None));
    assert!(exists(s, b, "cam/5000.ts").await);
    assert_eq!(s.fragments(b, &name, 0, i64::MAX).await, Ok(vec![commit.fragment]));
    assert_eq!(s.history(b, &name, 9).await, Ok(vec![]), "history goes with the channel");
    let late = end(s, b, "cam", first.epoch, 9_001).await;
    assert_eq!(late, Ok(()), "a repeated end of a connection that is gone");

    channel(s, b, "cam").await;
    let again = claim(s, b, "cam", 2).await;
    assert!(again.epoch > first.epoch);
    assert_eq!((again.last_name_ms, again.next_sequence), (Some(5_000), 1));
    assert_eq!(again.window, commit.window);
    let stale = s.commit_fragment(fragment_commit(b, "cam", (1, first.epoch), 6_000, 1), Wall(3)).await;
    assert_eq!(stale, Err(StoreError::StaleEpoch));
}

pub(super) async fn deleting_a_missing_channel_is_no_error(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    assert_eq!(s.delete_channel(b, &channel_name("cam")).await, Ok(()));
    assert_eq!(s.delete_channel(BucketId(9), &channel_name("cam")).await, Ok(()));
}
