//! What becomes of blobs.

use super::*;

async fn garbage(s: &dyn MetaStore, before: i64, limit: usize) -> Vec<BlobId> {
    s.garbage(Wall(before), limit).await.expect("readable")
}

pub(super) async fn replaced_body_becomes_garbage(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "a", vec![in_blob(1, 10), inline("x"), in_blob(2, 10)]), 1).await;
    put(s, object(b, "a", vec![in_blob(3, 10)]), 50).await;
    delete(s, b, "a", 60).await;
    assert_eq!(garbage(s, 50, 10).await, []);
    assert_eq!(garbage(s, 51, 10).await, [blob_id(1), blob_id(2)]);
    assert_eq!(garbage(s, 61, 10).await, [blob_id(1), blob_id(2), blob_id(3)]);
}

pub(super) async fn shared_blob_is_garbage_only_after_its_last_name(s: &dyn MetaStore) {
    let (b1, b2) = (bucket(s, "films").await, bucket(s, "music").await);
    put(s, object(b1, "a", vec![in_blob(1, 10)]), 1).await;
    put(s, object(b2, "copy", vec![in_blob(1, 10)]), 2).await;
    delete(s, b1, "a", 3).await;
    assert_eq!(state(s, 1).await, BlobState::Named(10));
    put(s, object(b2, "copy", vec![]), 4).await;
    assert_eq!(state(s, 1).await, BlobState::Garbage);
}

pub(super) async fn blob_named_by_old_and_new_body_stays(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "a", vec![in_blob(1, 10), in_blob(2, 10)]), 1).await;
    put(s, object(b, "a", vec![in_blob(2, 10)]), 2).await;
    assert_eq!(state(s, 1).await, BlobState::Garbage);
    assert_eq!(state(s, 2).await, BlobState::Named(10));
    // Two keys of one request that share a blob.
    put(s, object(b, "b", vec![in_blob(2, 10)]), 3).await;
    delete_all(s, b, &["a", "b"], 4).await;
    assert_eq!(state(s, 2).await, BlobState::Garbage);
}

pub(super) async fn blob_named_twice_in_a_body_is_one(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "a", vec![in_blob(1, 10), in_blob(1, 10)]), 1).await;
    delete(s, b, "a", 2).await;
    assert_eq!(garbage(s, 3, 10).await, [blob_id(1)]);
}

pub(super) async fn garbage_named_again_is_none(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "a", vec![in_blob(1, 10)]), 1).await;
    delete(s, b, "a", 2).await;
    put(s, object(b, "copy", vec![in_blob(1, 10)]), 3).await;
    assert_eq!(state(s, 1).await, BlobState::Named(10));
    assert_eq!(garbage(s, 100, 10).await, []);
    delete(s, b, "copy", 90).await;
    assert_eq!(garbage(s, 90, 10).await, [], "its grace began anew");
    assert_eq!(garbage(s, 91, 10).await, [blob_id(1)]);
}

pub(super) async fn taken_garbage_cannot_be_named(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    put(s, object(b, "a", vec![in_blob(1, 10)]), 1).await;
    delete(s, b, "a", 2).await;
    assert_eq!(garbage(s, 3, 10).await, [blob_id(1)]);

    let gone = StoreError::NotFound(What::Blob);
    let copy = || object(b, "copy", vec![inline("x"), in_blob(1, 10)]);
    assert_eq!(try_put(s, copy(), 4).await, Err(gone.clone()));
    let appended = s.commit_append(AppendCommit { first: copy(), position: 0 }, Wall(4)).await;
    assert_eq!(appended, Err(gone.clone()));
    assert!(!exists(s, b, "copy").await);
    let elsewhere = s.commit_append(AppendCommit { first: copy(), position: 1 }, Wall(4)).await;
    assert_eq!(elsewhere, Err(StoreError::PositionNotLength(0)), "what is wrong with the object comes first");

    channel(s, b, "cam").await;
    let claimed = claim(s, b, "cam", 1).await;
    let commit = fragment_commit(b, "cam", (1, claimed.epoch), 1, 0);
    assert_eq!(s.commit_fragment(commit, Wall(5)).await, Err(gone));
    assert!(!exists(s, b, "cam/playlist.m3u8").await);

    assert_eq!(state(s, 1).await, BlobState::Garbage);
    s.forget_garbage(&[blob_id(1)]).await.expect("allowed");
    assert_eq!(state(s, 1).await, BlobState::Unknown);
}

pub(super) async fn garbage_is_handed_out_oldest_first_until_forgotten(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    for (blob, gone) in [(1, 30), (2, 10), (3, 20), (4, 10)] {
        put(s, object(b, "a", vec![in_blob(blob, 1)]), 1).await;
        delete(s, b, "a", gone).await;
    }
    let oldest = [blob_id(2), blob_id(4), blob_id(3)];
    assert_eq!(garbage(s, 31, 3).await, oldest);
    assert_eq!(garbage(s, 31, 3).await, oldest, "a collector that died is handed them again");
    s.forget_garbage(&[blob_id(2), blob_id(3), blob_id(77)]).await.expect("unknown ids are no error");
    assert_eq!(garbage(s, 31, 3).await, [blob_id(4), blob_id(1)]);
    s.forget_garbage(&[]).await.expect("nothing to do");
}

pub(super) async fn furthest_range_is_the_state(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let range = |offset, length| Extent::Blob { id: blob_id(1), offset, length };
    put(s, object(b, "a", vec![range(100, 50), range(0, 10)]), 1).await;
    put(s, object(b, "b", vec![range(120, 20)]), 1).await;
    put(s, object(b, "c", vec![in_blob(2, 5)]), 1).await;
    let asked = [blob_id(9), blob_id(2), blob_id(1), blob_id(2)];
    let expected = [BlobState::Unknown, BlobState::Named(5), BlobState::Named(150), BlobState::Named(5)];
    assert_eq!(s.blob_states(&asked).await.expect("readable"), expected);
    assert_eq!(s.settled_blob_states(&asked).await.expect("readable"), expected);
    assert_eq!(s.blob_states(&[]).await, Ok(vec![]));
    assert_eq!(s.settled_blob_states(&[]).await, Ok(vec![]));
}

pub(super) async fn refused_commit_leaves_no_trace(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let old = put(s, object(b, "a", vec![in_blob(1, 10)]), 1).await;
    put(s, object(b, "b", vec![in_blob(2, 10)]), 1).await;
    delete(s, b, "b", 2).await;
    garbage(s, 3, 10).await;
    // Blob 3 is fresh and comes before the refused one; neither it nor the old body may change.
    let refused = try_put(s, object(b, "a", vec![in_blob(3, 10), in_blob(2, 10)]), 4).await;
    assert_eq!(refused, Err(StoreError::NotFound(What::Blob)));
    assert_eq!(s.object(b, &key("a")).await, Ok(Some(old)));
    assert_eq!(state(s, 1).await, BlobState::Named(10));
    assert_eq!(state(s, 3).await, BlobState::Unknown);
}
