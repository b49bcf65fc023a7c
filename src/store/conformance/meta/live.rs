//! Claims, fragments, windows and history.

use super::*;
use crate::limits::CONNECTION_HISTORY_KEPT;

/// A bucket with the channel `cam`.
async fn cam(s: &dyn MetaStore) -> BucketId {
    let b = bucket(s, "films").await;
    channel(s, b, "cam").await;
    b
}

async fn names(s: &dyn MetaStore, b: BucketId, from_ms: i64, to_ms: i64) -> Vec<i64> {
    let found = s.fragments(b, &channel_name("cam"), from_ms, to_ms).await.expect("readable");
    found.into_iter().map(|f| f.name_ms).collect()
}

async fn history(s: &dyn MetaStore, b: BucketId, limit: usize) -> Vec<ConnectionRecord> {
    s.history(b, &channel_name("cam"), limit).await.expect("readable")
}

pub(super) async fn claim_needs_an_enabled_channel(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let refused = |claim: Result<Claim>| claim.expect_err("refused");
    assert_eq!(refused(s.claim(claim_request(b, "cam", 1, 1)).await), StoreError::NotFound(What::Channel));
    let nowhere = claim_request(BucketId(9), "cam", 1, 1);
    assert_eq!(refused(s.claim(nowhere).await), StoreError::NotFound(What::Channel));
    channel(s, b, "cam").await;
    s.set_channel_status(b, &channel_name("cam"), ChannelStatus::Disabled, Wall(2)).await.expect("there");
    assert_eq!(refused(s.claim(claim_request(b, "cam", 1, 1)).await), StoreError::ChannelDisabled);
    assert_eq!(s.open_connection(b, &channel_name("cam")).await, Ok(None));
}

pub(super) async fn claim_gives_growing_epochs(s: &dyn MetaStore) {
    let b = cam(s).await;
    let mut last = Epoch(0);
    for connection in 1..=3 {
        let claimed = claim(s, b, "cam", connection).await;
        assert!(claimed.epoch > last);
        assert_eq!(claimed.channel, s.channel(b, &channel_name("cam")).await.expect("readable").expect("there"));
        assert_eq!((claimed.last_name_ms, claimed.next_sequence), (None, 0));
        assert_eq!(claimed.window, WindowRecord::default());
        end(s, b, "cam", claimed.epoch, 1).await.expect("owner");
        last = claimed.epoch;
    }
}

pub(super) async fn claimed_channel_is_live(s: &dyn MetaStore) {
    let b = cam(s).await;
    claim(s, b, "cam", 1).await;
    let second = s.claim(claim_request(b, "cam", 2, 300)).await;
    assert_eq!(second, Err(StoreError::ChannelLive));
    let open = s.open_connection(b, &channel_name("cam")).await.expect("readable").expect("open");
    let expected = ConnectionRecord {
        id: ConnectionId(1),
        started: Wall(100),
        ended: None,
        remote_addr: "192.0.2.1:50000".into(),
        cause: None,
    };
    assert_eq!(open, expected);
    assert_eq!(history(s, b, 9).await, [], "an open connection is not history");
}

pub(super) async fn repeated_claim_is_the_same(s: &dyn MetaStore) {
    let b = cam(s).await;
    let first = claim(s, b, "cam", 1).await;
    assert_eq!(claim(s, b, "cam", 1).await, first);
    end(s, b, "cam", first.epoch, 9).await.expect("owner");
    assert_eq!(history(s, b, 9).await.len(), 1);
}

pub(super) async fn fragment_and_playlist_appear_together(s: &dyn MetaStore) {
    let b = cam(s).await;
    let claimed = claim(s, b, "cam", 1).await;
    let commit = fragment_commit(b, "cam", (1, claimed.epoch), 1_000, 0);
    s.commit_fragment(commit.clone(), Wall(77)).await.expect("owner");
    let read = async |name: &str| s.object(b, &key(name)).await.expect("readable").expect("there");
    assert_eq!(read("cam/1000.ts").await, ObjectRecord { last_modified: Wall(77), ..commit.object });
    assert_eq!(read("cam/playlist.m3u8").await, ObjectRecord { last_modified: Wall(77), ..commit.playlist });
    assert_eq!(s.fragments(b, &channel_name("cam"), 0, 9_999).await, Ok(vec![commit.fragment]));
}

pub(super) async fn stale_owner_cannot_commit(s: &dyn MetaStore) {
    let b = cam(s).await;
    let stale = Err(StoreError::StaleEpoch);
    let attempt = async |connection, epoch, name_ms| {
        s.commit_fragment(fragment_commit(b, "cam", (connection, epoch), name_ms, 0), Wall(1)).await
    };
    assert_eq!(attempt(1, Epoch(0), 1_000).await, stale, "before any claim");
    let first = claim(s, b, "cam", 1).await;
    assert_eq!(attempt(1, Epoch(first.epoch.0 + 1), 1_000).await, stale, "an epoch that was never given");
    assert_eq!(attempt(2, first.epoch, 1_000).await, stale, "another connection");
    end(s, b, "cam", first.epoch, 9).await.expect("owner");
    assert_eq!(attempt(1, first.epoch, 1_000).await, stale, "after its end");
    let second = claim(s, b, "cam", 2).await;
    assert_eq!(attempt(1, first.epoch, 1_000).await, stale, "after another claim");
    assert!(!exists(s, b, "cam/1000.ts").await);
    assert!(!exists(s, b, "cam/playlist.m3u8").await);
    assert_eq!(attempt(2, second.epoch, 1_000).await, Ok(()));
}

pub(super) async fn taken_key_is_not_overwritten(s: &dyn MetaStore) {
    let b = cam(s).await;
    let claimed = claim(s, b, "cam", 1).await;
    let mine = put(s, object(b, "cam/1000.ts", vec![inline("a user's own")]), 1).await;
    let commit = fragment_commit(b, "cam", (1, claimed.epoch), 1_000, 0);
    assert_eq!(s.commit_fragment(commit, Wall(2)).await, Err(StoreError::AlreadyExists(What::Object)));
    assert_eq!(s.object(b, &key("cam/1000.ts")).await, Ok(Some(mine)));
    assert!(!exists(s, b, "cam/playlist.m3u8").await, "nothing of the commit happened");
    assert_eq!(names(s, b, 0, 9_999).await, [0i64; 0]);
    let next = fragment_commit(b, "cam", (1, claimed.epoch), 1_001, 0);
    s.commit_fragment(next, Wall(2)).await.expect("the next millisecond is free");
}

pub(super) async fn name_is_never_given_again(s: &dyn MetaStore) {
    let b = cam(s).await;
    let claimed = claim(s, b, "cam", 1).await;
    s.commit_fragment(fragment_commit(b, "cam", (1, claimed.epoch), 1_000, 0), Wall(2)).await.expect("owner");
    delete(s, b, "cam/1000.ts", 3).await;
    for name_ms in [1_000, 999] {
        let again = s.commit_fragment(fragment_commit(b, "cam", (1, claimed.epoch), name_ms, 1), Wall(4)).await;
        assert_eq!(again, Err(StoreError::AlreadyExists(What::Object)), "{name_ms}");
    }
}

pub(super) async fn last_fragment_outlives_its_object_and_its_channel(s: &dyn MetaStore) {
    let b = cam(s).await;
    let last = async || s.last_fragment(b, &channel_name("cam")).await.expect("readable");
    assert_eq!(last().await, None);
    let claimed = claim(s, b, "cam", 1).await;
    assert_eq!(last().await, None, "a claim makes no fragment");
    for (name_ms, sequence) in [(1_000, 0), (2_000, 4)] {
        let commit = fragment_commit(b, "cam", (1, claimed.epoch), name_ms, sequence);
        s.commit_fragment(commit, Wall(2)).await.expect("owner");
        assert_eq!(last().await, Some((name_ms, sequence)));
    }
    delete(s, b, "cam/2000.ts", 3).await;
    end(s, b, "cam", claimed.epoch, 9).await.expect("owner");
    s.delete_channel(b, &channel_name("cam")).await.expect("not live");
    assert_eq!(last().await, Some((2_000, 4)));
}

pub(super) async fn sequence_never_goes_back(s: &dyn MetaStore) {
    let b = cam(s).await;
    let claimed = claim(s, b, "cam", 1).await;
    let commit = |name_ms, sequence| fragment_commit(b, "cam", (1, claimed.epoch), name_ms, sequence);
    s.commit_fragment(commit(1_000, 4), Wall(2)).await.expect("gaps are allowed");
    let back = s.commit_fragment(commit(2_000, 4), Wall(3)).await;
    assert!(matches!(back, Err(StoreError::Corrupt(_))), "{back:?}");
    s.commit_fragment(commit(2_000, 5), Wall(3)).await.expect("the next one");
}

pub(super) async fn keys_must_follow_names(s: &dyn MetaStore) {
    let b = cam(s).await;
    let other = bucket(s, "music").await;
    let claimed = claim(s, b, "cam", 1).await;
    let good = fragment_commit(b, "cam", (1, claimed.epoch), 1_000, 0);
    let elsewhere = |record: &ObjectRecord| ObjectRecord { bucket: other, ..record.clone() };
    let bad = [
        FragmentCommit { fragment: fragment(1_001, 0), ..good.clone() },
        FragmentCommit { playlist_name: "other.m3u8".into(), ..good.clone() },
        FragmentCommit { object: elsewhere(&good.object), ..good.clone() },
        FragmentCommit { playlist: elsewhere(&good.playlist), ..good.clone() },
    ];
    for commit in bad {
        let refused = s.commit_fragment(commit, Wall(2)).await;
        assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    }
    s.commit_fragment(good, Wall(2)).await.expect("owner");
}

pub(super) async fn repeated_commit_is_answered_as_done(s: &dyn MetaStore) {
    let b = cam(s).await;
    let claimed = claim(s, b, "cam", 1).await;
    let commit = fragment_commit(b, "cam", (1, claimed.epoch), 1_000, 0);
    s.commit_fragment(commit.clone(), Wall(2)).await.expect("owner");
    s.commit_fragment(commit.clone(), Wall(9)).await.expect("done already");
    let object = s.object(b, &key("cam/1000.ts")).await.expect("readable").expect("there");
    assert_eq!(object.last_modified, Wall(2), "nothing was written again");
    assert_eq!(names(s, b, 0, 9_999).await, [1_000]);

    let mut other_body = commit.clone();
    other_body.object.extents = vec![in_blob(4_711, 188)];
    assert_eq!(s.commit_fragment(other_body, Wall(9)).await, Err(StoreError::AlreadyExists(What::Object)));
    let other_number = FragmentCommit { fragment: fragment(1_000, 1), ..commit };
    assert_eq!(s.commit_fragment(other_number, Wall(9)).await, Err(StoreError::AlreadyExists(What::Object)));
}

pub(super) async fn claim_resumes_names_sequence_and_window(s: &dyn MetaStore) {
    let b = cam(s).await;
    let first = claim(s, b, "cam", 1).await;
    s.commit_fragment(fragment_commit(b, "cam", (1, first.epoch), 1_000, 0), Wall(2)).await.expect("owner");
    let mut last = fragment_commit(b, "cam", (1, first.epoch), 2_000, 1);
    let entry = |name_ms, discontinuity| WindowEntry { name_ms, duration: MediaTime(-7), discontinuity };
    last.window = WindowRecord {
        media_sequence: 1 << 40,
        discontinuity_sequence: 3,
        target_duration: 6,
        entries: vec![entry(1_000, true), entry(2_000, false)],
    };
    s.commit_fragment(last.clone(), Wall(3)).await.expect("owner");
    end(s, b, "cam", first.epoch, 9_000).await.expect("owner");
    let second = claim(s, b, "cam", 2).await;
    assert_eq!((second.last_name_ms, second.next_sequence), (Some(2_000), 2));
    assert_eq!(second.window, last.window);
}

pub(super) async fn each_playlist_has_its_own_window(s: &dyn MetaStore) {
    let b = cam(s).await;
    let over = |connection| ClaimRequest {
        playlist_name: Some("other.m3u8".into()),
        ..claim_request(b, "cam", connection, 1)
    };
    let first = s.claim(over(1)).await.expect("free");
    let mut commit = fragment_commit(b, "cam", (1, first.epoch), 1_000, 0);
    commit.playlist_name = "other.m3u8".into();
    commit.playlist.key = key("cam/other.m3u8");
    s.commit_fragment(commit.clone(), Wall(2)).await.expect("owner");
    end(s, b, "cam", first.epoch, 3).await.expect("owner");

    let configured = claim(s, b, "cam", 2).await;
    assert_eq!((configured.next_sequence, configured.window), (1, WindowRecord::default()));
    end(s, b, "cam", configured.epoch, 4).await.expect("owner");
    assert_eq!(s.claim(over(3)).await.expect("free").window, commit.window);
}

pub(super) async fn ended_connection_is_history(s: &dyn MetaStore) {
    let b = cam(s).await;
    let causes = [TerminationCause::Timeout, TerminationCause::StorageError, TerminationCause::KeyDisabled];
    for (connection, cause) in (1..).zip(causes) {
        let claimed = s.claim(claim_request(b, "cam", connection, 10)).await.expect("free");
        let ended = s.end_connection(b, &channel_name("cam"), claimed.epoch, Wall(20), cause).await;
        ended.expect("owner");
        assert_eq!(s.open_connection(b, &channel_name("cam")).await, Ok(None));
    }
    let all = history(s, b, 9).await;
    assert_eq!(all.iter().map(|c| c.id.0).collect::<Vec<_>>(), [1, 2, 3], "oldest first");
    assert_eq!(all.iter().filter_map(|c| c.cause).collect::<Vec<_>>(), causes);
    assert_eq!((all[0].started, all[0].ended), (Wall(10), Some(Wall(20))));
    assert_eq!(history(s, b, 2).await, all[1..]);
    assert_eq!(history(s, b, 0).await, []);
}

pub(super) async fn stale_end_is_refused_and_a_repeated_one_changes_nothing(s: &dyn MetaStore) {
    let b = cam(s).await;
    assert_eq!(end(s, b, "cam", Epoch(1), 5).await, Err(StoreError::StaleEpoch), "never claimed");
    let first = claim(s, b, "cam", 1).await;
    end(s, b, "cam", first.epoch, 5).await.expect("owner");
    end(s, b, "cam", first.epoch, 6).await.expect("ended already");
    assert_eq!(history(s, b, 9).await[0].ended, Some(Wall(5)));
    claim(s, b, "cam", 2).await;
    assert_eq!(end(s, b, "cam", first.epoch, 7).await, Err(StoreError::StaleEpoch));
    assert!(s.open_connection(b, &channel_name("cam")).await.expect("readable").is_some());
}

pub(super) async fn history_keeps_the_newest(s: &dyn MetaStore) {
    let b = cam(s).await;
    let total = CONNECTION_HISTORY_KEPT as u128 + 3;
    for connection in 1..=total {
        let claimed = claim(s, b, "cam", connection).await;
        end(s, b, "cam", claimed.epoch, 5).await.expect("owner");
    }
    let kept = history(s, b, usize::MAX).await;
    assert_eq!(kept.len(), CONNECTION_HISTORY_KEPT);
    assert_eq!((kept[0].id.0, kept[kept.len() - 1].id.0), (4, total));
}

pub(super) async fn fragments_of_a_range(s: &dyn MetaStore) {
    let b = cam(s).await;
    let claimed = claim(s, b, "cam", 1).await;
    // As numbers, not as text: 9 comes before 10.
    for (sequence, name_ms) in (0..).zip([9, 10, 200, 3_000]) {
        let commit = fragment_commit(b, "cam", (1, claimed.epoch), name_ms, sequence);
        s.commit_fragment(commit, Wall(2)).await.expect("owner");
    }
    assert_eq!(names(s, b, i64::MIN, i64::MAX).await, [9, 10, 200, 3_000]);
    assert_eq!(names(s, b, 10, 200).await, [10, 200], "both ends belong to the range");
    assert_eq!(names(s, b, 11, 199).await, [0i64; 0]);
    assert_eq!(names(s, b, 200, 10).await, [0i64; 0]);
    let other = s.fragments(b, &channel_name("ca"), i64::MIN, i64::MAX).await;
    assert_eq!(other, Ok(vec![]), "another channel");
}

pub(super) async fn fragment_row_goes_with_its_object(s: &dyn MetaStore) {
    let b = cam(s).await;
    let claimed = claim(s, b, "cam", 1).await;
    for (sequence, name_ms) in (0..).zip([1_000, 2_000]) {
        let commit = fragment_commit(b, "cam", (1, claimed.epoch), name_ms, sequence);
        s.commit_fragment(commit, Wall(2)).await.expect("owner");
    }
    delete(s, b, "cam/1000.ts", 3).await;
    assert_eq!(names(s, b, 0, 9_999).await, [2_000]);
    assert_eq!(state(s, 1_000).await, BlobState::Garbage);
    // A user's own object under the old name is no fragment.
    put(s, object(b, "cam/1000.ts", vec![inline("x")]), 4).await;
    put(s, object(b, "cam/1500.ts", vec![inline("x")]), 4).await;
    assert_eq!(names(s, b, 0, 9_999).await, [2_000]);
}

pub(super) async fn fragment_row_stays_when_its_object_is_overwritten(s: &dyn MetaStore) {
    let b = cam(s).await;
    let claimed = claim(s, b, "cam", 1).await;
    let commit = fragment_commit(b, "cam", (1, claimed.epoch), 1_000, 0);
    s.commit_fragment(commit, Wall(2)).await.expect("owner");
    put(s, object(b, "cam/1000.ts", vec![inline("edited")]), 3).await;
    assert_eq!(names(s, b, 0, 9_999).await, [1_000]);
}

pub(super) async fn lost_connections_end_at_their_last_fragment(s: &dyn MetaStore) {
    let b = cam(s).await;
    channel(s, b, "door").await;
    channel(s, b, "quiet").await;
    let claimed = claim(s, b, "cam", 1).await;
    s.commit_fragment(fragment_commit(b, "cam", (1, claimed.epoch), 1_000, 0), Wall(2)).await.expect("owner");
    claim(s, b, "door", 2).await;
    let quiet = claim(s, b, "quiet", 3).await;
    end(s, b, "quiet", quiet.epoch, 150).await.expect("owner");

    assert_eq!(s.end_lost_connections().await, Ok(2));
    assert_eq!(s.end_lost_connections().await, Ok(0));
    let end_of = async |name: &str| {
        let kept = s.history(b, &channel_name(name), 9).await.expect("readable");
        (kept.len(), kept[0].ended, kept[0].cause)
    };
    assert_eq!(end_of("cam").await, (1, Some(Wall(6_000)), Some(TerminationCause::ServiceLost)));
    assert_eq!(end_of("door").await, (1, Some(Wall(100)), Some(TerminationCause::ServiceLost)), "its start");
    assert_eq!(end_of("quiet").await, (1, Some(Wall(150)), Some(TerminationCause::Unpublished)));
    let resumed = claim(s, b, "cam", 4).await;
    assert_eq!((resumed.last_name_ms, resumed.next_sequence), (Some(1_000), 1));
}

pub(super) async fn replaced_playlist_blob_becomes_garbage(s: &dyn MetaStore) {
    let b = cam(s).await;
    let claimed = claim(s, b, "cam", 1).await;
    let mut commit = fragment_commit(b, "cam", (1, claimed.epoch), 1_000, 0);
    commit.playlist.extents = vec![in_blob(4_711, 40_000)];
    commit.playlist.size = 40_000;
    s.commit_fragment(commit, Wall(2)).await.expect("owner");
    s.commit_fragment(fragment_commit(b, "cam", (1, claimed.epoch), 2_000, 1), Wall(3)).await.expect("owner");
    assert_eq!(state(s, 4_711).await, BlobState::Garbage);
    assert_eq!(state(s, 1_000).await, BlobState::Named(188), "fragments stay");
}

pub(super) async fn windows_are_audited(s: &dyn MetaStore) {
    let b = cam(s).await;
    assert_eq!(s.audit_windows().await, Ok(vec![]));
    let claimed = claim(s, b, "cam", 1).await;
    let commit = fragment_commit(b, "cam", (1, claimed.epoch), 1_000, 0);
    s.commit_fragment(commit.clone(), Wall(2)).await.expect("owner");
    let expected = WindowAudit {
        bucket: b,
        channel: channel_name("cam"),
        playlist_name: "playlist.m3u8".into(),
        window: commit.window,
        dangling: vec![],
    };
    assert_eq!(s.audit_windows().await, Ok(vec![expected.clone()]));
    // A user's own DELETE removes object and row, and so leaves nothing dangling.
    delete(s, b, "cam/1000.ts", 3).await;
    assert_eq!(s.audit_windows().await, Ok(vec![expected]));
}
