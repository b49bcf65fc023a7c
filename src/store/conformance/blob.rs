//! What "the blob backend is correct" means. `blob_suite!(make)` makes one test of each case below; `make` is an
//! `async fn() -> Bench` that gives a fresh, empty store.
#![allow(missing_docs, reason = "the name of a case tells its story")]

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clock::{Clock, ManualClock};
use crate::limits::{BODY_PIECE_BYTES, READ_PIECE_BYTES};
use crate::store::{BlobEntry, BlobId, BlobStore, StoreError, What};

/// A store under test.
pub struct Bench {
    /// The store.
    pub store: Arc<dyn BlobStore>,
    /// The clock that it takes its time from.
    pub clock: ManualClock,
    /// What must live as long as the store: a temporary directory.
    pub keep: Option<Box<dyn Any>>,
}

/// Makes one test of each case of the suite.
macro_rules! blob_suite {
    ($make:path) => {
        crate::store::conformance::blob::blob_suite!($make;
            what_is_appended_reads_back_whole
            nothing_is_readable_before_finish
            an_unfinished_writer_leaves_nothing
            what_a_crash_leaves_is_removed
            ids_carry_the_clocks_time_and_are_fresh
            ranges_at_the_edges_of_pieces
            a_range_past_the_end_is_corrupt
            an_empty_blob
            deleted_blobs_are_gone
            an_open_reader_outlives_deletion_or_fails_clearly
            listing_is_in_order_and_paged
            listing_skips_what_was_deleted
            concurrent_writers_do_not_mix
        );
    };
    ($make:path; $($case:ident)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                let bench = $make().await;
                crate::store::conformance::blob::$case(&bench).await;
            }
        )*
    };
}
pub(crate) use blob_suite;

/// `length` bytes that differ from place to place and from `seed` to `seed`.
pub fn pattern(seed: u64, length: usize) -> Bytes {
    (0..length as u64).map(|i| ((i * 31 + (i >> 8) * 7 + (i >> 16) * 13 + seed * 101) & 0xff) as u8).collect()
}

/// Writes one blob.
pub async fn write(store: &dyn BlobStore, pieces: &[Bytes]) -> BlobId {
    let mut writer = store.create().await.expect("create");
    for piece in pieces {
        writer.append(piece.clone()).await.expect("append");
    }
    let id = writer.id();
    let length = writer.finish().await.expect("finish");
    assert_eq!(length, pieces.iter().map(|p| p.len() as u64).sum::<u64>());
    id
}

/// Reads a range, checking that no piece is empty or over the bound.
pub async fn read(store: &dyn BlobStore, id: BlobId, range: std::ops::Range<u64>) -> Result<Bytes, StoreError> {
    let mut reader = store.open(id, range).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = reader.next().await? {
        assert!(!piece.is_empty() && piece.len() <= READ_PIECE_BYTES, "a piece of {} bytes", piece.len());
        bytes.extend_from_slice(&piece);
    }
    assert!(reader.next().await?.is_none(), "the end stays the end");
    Ok(bytes.into())
}

async fn list_all(store: &dyn BlobStore) -> Vec<BlobEntry> {
    store.list(None, usize::MAX).await.expect("list")
}

pub async fn what_is_appended_reads_back_whole(bench: &Bench) {
    let store = &*bench.store;
    for sizes in [
        &[1usize][..],
        &[0, 5, 0],
        &[4_000; 100],
        &[BODY_PIECE_BYTES],
        &[1, BODY_PIECE_BYTES * 3, 1, 70_000, 70_000],
        &[64 * 1024 - 1, 1, 1, 64 * 1024],
    ] {
        let pieces: Vec<Bytes> = sizes.iter().enumerate().map(|(i, n)| pattern(i as u64, *n)).collect();
        let whole = pieces.concat();
        let id = write(store, &pieces).await;
        assert_eq!(read(store, id, 0..whole.len() as u64).await.expect("read"), whole, "sizes {sizes:?}");
    }
}

pub async fn nothing_is_readable_before_finish(bench: &Bench) {
    let mut writer = bench.store.create().await.expect("create");
    writer.append(pattern(1, 300_000)).await.expect("append");
    let open = bench.store.open(writer.id(), 0..1).await;
    assert_eq!(open.err(), Some(StoreError::NotFound(What::Blob)));
    assert_eq!(list_all(&*bench.store).await, []);
    let id = writer.id();
    writer.finish().await.expect("finish");
    assert_eq!(list_all(&*bench.store).await, [BlobEntry { id, length: 300_000 }]);
}

pub async fn an_unfinished_writer_leaves_nothing(bench: &Bench) {
    let untouched = bench.store.create().await.expect("create");
    let mut small = bench.store.create().await.expect("create");
    small.append(pattern(1, 10)).await.expect("append");
    let mut large = bench.store.create().await.expect("create");
    large.append(pattern(1, 1_000_000)).await.expect("append");
    drop((untouched, small, large));
    assert_eq!(bench.store.remove_temporaries().await, Ok(0));
    assert_eq!(list_all(&*bench.store).await, []);
}

pub async fn what_a_crash_leaves_is_removed(bench: &Bench) {
    let kept = write(&*bench.store, &[pattern(1, 100_000)]).await;
    let mut writer = bench.store.create().await.expect("create");
    writer.append(pattern(2, 1_000_000)).await.expect("append");
    let lost = writer.id();
    // The writer's destructor does not run: so it is when the process is killed.
    std::mem::forget(writer);
    let removed = bench.store.remove_temporaries().await.expect("remove");
    assert!(removed <= 1, "{removed} removed");
    assert_eq!(bench.store.remove_temporaries().await, Ok(0));
    assert_eq!(bench.store.open(lost, 0..1).await.err(), Some(StoreError::NotFound(What::Blob)));
    assert_eq!(list_all(&*bench.store).await, [BlobEntry { id: kept, length: 100_000 }]);
}

pub async fn ids_carry_the_clocks_time_and_are_fresh(bench: &Bench) {
    let first = bench.store.create().await.expect("create").id();
    assert_eq!(first.created(), bench.clock.wall());
    bench.clock.advance(Duration::from_secs(3));
    let second = bench.store.create().await.expect("create").id();
    assert_eq!(second.created(), bench.clock.wall());
    assert!(first < second);
    bench.clock.set_wall(first.created());
    let third = bench.store.create().await.expect("create").id();
    assert!(third != first && third != second);
}

pub async fn ranges_at_the_edges_of_pieces(bench: &Bench) {
    let piece = BODY_PIECE_BYTES as u64;
    let whole = pattern(3, BODY_PIECE_BYTES * 3 + 17);
    let length = whole.len() as u64;
    let id = write(&*bench.store, &[whole.slice(..70_001), whole.slice(70_001..)]).await;
    let edges = [0, 1, 70_000, 70_001, 70_002, piece - 1, piece, piece + 1, 2 * piece, length - 1, length];
    for start in edges {
        for end in edges.into_iter().filter(|end| *end >= start) {
            let got = read(&*bench.store, id, start..end).await.expect("read");
            assert!(got == whole[start as usize..end as usize], "range {start}..{end}");
        }
    }
}

pub async fn a_range_past_the_end_is_corrupt(bench: &Bench) {
    let id = write(&*bench.store, &[pattern(1, 1_000)]).await;
    for range in [0..1_001, 1_000..1_001, 5_000..6_000, 0..u64::MAX] {
        let got = read(&*bench.store, id, range.clone()).await;
        assert!(matches!(got, Err(StoreError::Corrupt(_))), "range {range:?} gave {got:?}");
    }
}

pub async fn an_empty_blob(bench: &Bench) {
    let id = write(&*bench.store, &[]).await;
    assert_eq!(read(&*bench.store, id, 0..0).await.expect("read"), Bytes::new());
    assert_eq!(list_all(&*bench.store).await, [BlobEntry { id, length: 0 }]);
}

pub async fn deleted_blobs_are_gone(bench: &Bench) {
    let store = &*bench.store;
    let gone = write(store, &[pattern(1, 50_000)]).await;
    bench.clock.advance(Duration::from_secs(3_600));
    let kept = write(store, &[pattern(2, 50_000)]).await;
    let never = bench.store.create().await.expect("create").id();
    store.delete(&[]).await.expect("nothing to delete");
    store.delete(&[never, gone, gone]).await.expect("delete");
    assert_eq!(store.open(gone, 0..1).await.err(), Some(StoreError::NotFound(What::Blob)));
    store.delete(&[gone]).await.expect("deleting again is no error");
    assert_eq!(read(store, kept, 0..50_000).await.expect("read"), pattern(2, 50_000));
    assert_eq!(list_all(store).await, [BlobEntry { id: kept, length: 50_000 }]);
    // A place that was emptied takes new blobs again.
    let again = write(store, &[pattern(3, 1)]).await;
    store.delete(&[kept, again]).await.expect("delete");
    let last = write(store, &[pattern(4, 1)]).await;
    assert_eq!(list_all(store).await, [BlobEntry { id: last, length: 1 }]);
}

pub async fn an_open_reader_outlives_deletion_or_fails_clearly(bench: &Bench) {
    let whole = pattern(5, 600_000);
    let id = write(&*bench.store, std::slice::from_ref(&whole)).await;
    let mut reader = bench.store.open(id, 0..600_000).await.expect("open");
    let mut got = reader.next().await.expect("read").expect("not at the end").to_vec();
    bench.store.delete(&[id]).await.expect("delete");
    loop {
        match reader.next().await {
            Ok(Some(piece)) => got.extend_from_slice(&piece),
            Ok(None) => return assert!(got == whole, "a reader that reaches the end has read everything"),
            Err(StoreError::NotFound(What::Blob) | StoreError::Corrupt(_)) => return,
            Err(other) => panic!("{other:?}"),
        }
    }
}

pub async fn listing_is_in_order_and_paged(bench: &Bench) {
    let mut expected = Vec::new();
    for i in 0..40u64 {
        let id = write(&*bench.store, &[pattern(i, i as usize)]).await;
        expected.push(BlobEntry { id, length: i });
        // Seconds, hours and months apart, and sometimes in the same millisecond.
        bench.clock.advance(Duration::from_secs([0, 0, 1, 61, 4_000, 3_000_000][i as usize % 6]));
    }
    expected.sort_by_key(|entry| entry.id);
    for limit in [1, 3, 7, 39, 40, 41] {
        let mut listed: Vec<BlobEntry> = Vec::new();
        loop {
            let page = bench.store.list(listed.last().map(|e| e.id), limit).await.expect("list");
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            listed.extend(page);
        }
        assert_eq!(listed, expected, "pages of {limit}");
    }
    // A mark need not be the id of a blob.
    let between = BlobId(expected[20].id.0 - 1);
    let page = bench.store.list(Some(between), 2).await.expect("list");
    assert_eq!(page, expected[20..22]);
    assert_eq!(bench.store.list(Some(BlobId(u128::MAX)), 10).await, Ok(vec![]));
}

pub async fn listing_skips_what_was_deleted(bench: &Bench) {
    let mut ids = Vec::new();
    for i in 0..10 {
        ids.push(write(&*bench.store, &[pattern(i, 10)]).await);
        bench.clock.advance(Duration::from_secs(100_000));
    }
    bench.store.delete(&ids[2..9]).await.expect("delete");
    let page = bench.store.list(Some(ids[1]), 1).await.expect("list");
    assert_eq!(page, [BlobEntry { id: ids[9], length: 10 }]);
}

pub async fn concurrent_writers_do_not_mix(bench: &Bench) {
    let writes = (0..16u64).map(|seed| {
        let store = bench.store.clone();
        async move {
            let pieces: Vec<Bytes> = (0..30).map(|i| pattern(seed * 1_000 + i, 9_000)).collect();
            let mut writer = store.create().await.expect("create");
            for piece in &pieces {
                writer.append(piece.clone()).await.expect("append");
                tokio::task::yield_now().await;
            }
            let id = writer.id();
            writer.finish().await.expect("finish");
            (id, pieces.concat())
        }
    });
    let written = futures_util::future::join_all(writes).await;
    for (id, whole) in &written {
        assert!(read(&*bench.store, *id, 0..whole.len() as u64).await.expect("read") == whole[..], "blob {id}");
    }
    assert_eq!(list_all(&*bench.store).await.len(), written.len());
}
