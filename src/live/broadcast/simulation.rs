//! Whole lives of a channel under random faults: whatever fails, what is visible afterwards is sound.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::codec::m3u8::rounded_seconds;
use crate::live::testbed::{BEGIN, Bed, begin, channel, play};
use crate::store::blob::faulty::{BlobCall, BlobFault};
use crate::store::meta::faulty::{Fault, MetaCall};
use crate::store::{DeleteCommit, DeleteTarget, MetaStore, ObjectKey, VersionId};

/// One thing that happens in a channel's life.
#[derive(Clone, Debug)]
enum Act {
    /// The publisher goes on for so many tenths of a second of media.
    Play(u32),
    /// Its encoder jumps by so many seconds.
    Jump(u32),
    /// It leaves and comes back.
    Reconnect(bool),
    /// Wall time is set to so many seconds after (or before) the beginning.
    SetWall(i64),
    /// Time passes, in milliseconds.
    Wait(u64),
    /// The n-th commit from now fails, with or without having happened.
    FailCommit(usize, bool),
    /// The n-th of these calls from now fails.
    FailBlob(BlobCall, u64),
    /// A user deletes the oldest fragment.
    DeleteOldest,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1u32..60).prop_map(Act::Play),
        1 => (11u32..5_000).prop_map(Act::Jump),
        1 => any::<bool>().prop_map(Act::Reconnect),
        1 => (-100i64..100).prop_map(Act::SetWall),
        1 => (1u64..3_000).prop_map(Act::Wait),
        1 => (0usize..3, any::<bool>()).prop_map(|(skip, after)| Act::FailCommit(skip, after)),
        1 => (prop_oneof![Just(BlobCall::Create), Just(BlobCall::Append), Just(BlobCall::Finish)], 1u64..4)
            .prop_map(|(call, nth)| Act::FailBlob(call, nth)),
        1 => Just(Act::DeleteOldest),
    ]
}

async fn live(acts: Vec<Act>) {
    let bed = Bed::new().await;
    let mut publisher = bed.publish().await;
    begin(&publisher, 0).await;
    let (mut at_ms, mut connections) = (0, 1);
    for act in acts {
        let unavailable = StoreError::Unavailable("test".into());
        match act {
            Act::Play(tenths) => {
                let to = at_ms + tenths * 120;
                // Three lost fragments in a row end the connection; then there is nobody to play for.
                if futures_util::FutureExt::now_or_never(publisher.ended()).is_none() {
                    let played = AssertUnwindSafe(play(&publisher, at_ms, to)).catch_unwind().await;
                    assert!(played.is_ok() || publisher.ended().await == TerminationCause::StorageError);
                }
                at_ms = to;
            }
            Act::Jump(seconds) => at_ms += seconds * 1_000 / 40 * 40,
            Act::Reconnect(politely) => {
                let cause = if politely { TerminationCause::Unpublished } else { TerminationCause::ConnectionLost };
                publisher.finish(cause).await;
                publisher = bed.publish().await;
                connections += 1;
                begin(&publisher, 0).await;
            }
            Act::SetWall(seconds) => bed.clock.set_wall(Wall(BEGIN + seconds * 1_000)),
            Act::Wait(millis) => bed.advance(Duration::from_millis(millis)).await,
            Act::FailCommit(skip, after) => {
                let fault = if after { Fault::After(unavailable) } else { Fault::Before(unavailable) };
                // Once is repaired by trying again; twice in a row loses the fragment.
                bed.meta.fail_later(MetaCall::CommitFragment, skip, 1 + skip % 2, fault);
            }
            Act::FailBlob(call, nth) => bed.blobs.on(call, nth, BlobFault::Fail(unavailable)),
            Act::DeleteOldest => {
                if let Some(oldest) = bed.fragments().await.first() {
                    let key = ObjectKey::in_channel(&channel(), &format!("{}.ts", oldest.name_ms));
                    let target = DeleteTarget { key, version: None, marker: VersionId(0) };
                    let commit =
                        DeleteCommit { bucket: bed.bucket.id, targets: vec![target], bypass_governance: false };
                    bed.meta.delete_objects(commit, Wall(BEGIN)).await.expect("memory");
                }
            }
        }
        sound(&bed).await;
    }
    publisher.finish(TerminationCause::Unpublished).await;
    sound(&bed).await;
    assert_eq!(bed.history().await.len(), connections);
    assert_eq!(bed.check_media().await.faults, []);
}

/// I4 and I7, and that each fragment is an object.
async fn sound(bed: &Bed) {
    let fragments = bed.fragments().await;
    for pair in fragments.windows(2) {
        assert!(pair[0].name_ms < pair[1].name_ms && pair[0].sequence < pair[1].sequence, "{pair:?}");
        // Only the oldest is ever deleted, so a gap between two is a fragment that could not be stored.
        let gap = pair[0].sequence + 1 < pair[1].sequence;
        assert!(!gap || pair[1].discontinuity, "a lost fragment is marked: {pair:?}");
    }
    for fragment in &fragments {
        assert!(fragment.duration.0 > 0);
        assert!(bed.object(&format!("{}.ts", fragment.name_ms)).await.is_some(), "{fragment:?}");
    }
    for window in bed.meta.audit_windows().await.expect("memory") {
        assert!(window.dangling.is_empty(), "a playlist names a fragment that has no object: {window:?}");
        let longest = window.window.entries.iter().map(|e| rounded_seconds(e.duration)).max().unwrap_or(0);
        assert!(window.window.target_duration >= longest);
        assert!(window.window.entries.len() <= 3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn whatever_fails_what_is_visible_is_sound(acts in prop::collection::vec(act(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(live(acts));
    }
}
