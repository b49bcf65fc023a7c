use bytes::Bytes;
use proptest::prelude::*;

use super::format::{HEADER_BYTES, SEGMENT_BYTES, STORED_SEGMENT_BYTES, Shape};
use super::*;
use crate::clock::{ManualClock, Wall};
use crate::limits::BODY_PIECE_BYTES;
use crate::store::blob::faulty::{BlobCall, BlobFault, FaultyBlobStore};
use crate::store::blob::fs::FsBlobStore;
use crate::store::blob::memory::MemoryBlobStore;
use crate::store::conformance::blob::{Bench, blob_suite, pattern, read, write};
use crate::store::seal::{KEY_BYTES, MasterKey, TAG_BYTES};
use crate::store::{StoreError, What};

mod over_memory {
    use super::*;

    async fn bench() -> Bench {
        let clock = manual_clock();
        let inner = Arc::new(MemoryBlobStore::new(Arc::new(clock.clone())));
        Bench { store: Arc::new(SealedBlobStore::new(inner, keys(&[1]))), clock, keep: None }
    }

    blob_suite!(bench);
}

mod over_files {
    use super::*;

    async fn bench() -> Bench {
        let directory = tempfile::tempdir().expect("temporary directory");
        let clock = manual_clock();
        let inner = FsBlobStore::open(&directory.path().join("blobs"), Arc::new(clock.clone())).expect("open");
        let store = Arc::new(SealedBlobStore::new(Arc::new(inner), keys(&[1])));
        Bench { store, clock, keep: Some(Box::new(directory)) }
    }

    blob_suite!(bench);
}

mod without_a_key {
    use super::*;

    async fn bench() -> Bench {
        let clock = manual_clock();
        let inner = Arc::new(MemoryBlobStore::new(Arc::new(clock.clone())));
        Bench { store: Arc::new(SealedBlobStore::new(inner, keys(&[]))), clock, keep: None }
    }

    blob_suite!(bench);
}

fn manual_clock() -> ManualClock {
    ManualClock::new(Wall(1_700_000_000_000))
}

fn keys(bytes: &[u8]) -> MasterKeys {
    MasterKeys::new(bytes.iter().map(|byte| MasterKey::new([*byte; KEY_BYTES])).collect())
}

/// The store below, which sees what lies on the disk, and the sealed one above it.
fn stores(key_bytes: &[u8]) -> (MemoryBlobStore, SealedBlobStore) {
    let below = MemoryBlobStore::new(Arc::new(manual_clock()));
    let above = SealedBlobStore::new(Arc::new(below.clone()), keys(key_bytes));
    (below, above)
}

async fn stored(below: &MemoryBlobStore, id: BlobId) -> Vec<u8> {
    let length = below.length(id).await.expect("there");
    read(below, id, 0..length).await.expect("readable").to_vec()
}

fn is_corrupt(outcome: &Result<Bytes>) -> bool {
    matches!(outcome, Err(StoreError::Corrupt(_)))
}

#[tokio::test]
async fn nothing_of_what_was_written_is_stored_and_the_lengths_are_those_of_what_was_written() {
    let (below, above) = stores(&[1]);
    for length in [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES, 300_000] {
        let text: Bytes = b"plaintext marker ".iter().copied().cycle().take(length).collect();
        let id = write(&above, std::slice::from_ref(&text)).await;
        assert!(id.is_sealed());
        let raw = stored(&below, id).await;
        assert_eq!(raw.len() as u64, Shape::stored(length as u64));
        assert!(!raw.windows(8).any(|window| window == b"plaintex"), "{length}");
        assert_eq!(above.length(id).await, Ok(length as u64));
        assert_eq!(above.list(None, 10).await, Ok(vec![BlobEntry { id, length: length as u64 }]));
        assert_eq!(read(&above, id, 0..length as u64).await.expect("opens"), text);
        above.delete(&[id]).await.expect("delete");
    }
    assert_eq!(above.length(BlobId(0x5e_a1ed)).await, Err(StoreError::NotFound(What::Blob)));
}

#[tokio::test]
async fn the_same_bytes_twice_have_nothing_in_common() {
    let (below, above) = stores(&[1]);
    let (a, b) = (write(&above, &[pattern(1, 70_000)]).await, write(&above, &[pattern(1, 70_000)]).await);
    let (a, b) = (stored(&below, a).await, stored(&below, b).await);
    assert_eq!(a[..24], b[..24], "magic and key id");
    let equal = a[24..].iter().zip(&b[24..]).filter(|(x, y)| x == y).count();
    assert!(equal < 70_000 / 128, "{equal} bytes are equal, by chance it is one of 256");
}

#[test]
fn shapes_are_each_others_inverse() {
    let edges = (0..4u64).flat_map(|n| {
        let at = n * SEGMENT_BYTES as u64;
        [at.saturating_sub(1), at, at + 1]
    });
    for length in edges.chain([5 << 30, (5 << 30) - 1]) {
        let shape = Shape::of(Shape::stored(length));
        assert_eq!(shape.length, length);
        let sum: u64 = (0..shape.segments).map(|segment| shape.segment_length(segment) as u64).sum();
        assert_eq!(sum, length);
        assert!(length == 0 || shape.segment_length(shape.segments - 1) > 0);
    }
    assert_eq!(Shape::of(0), Shape { length: 0, segments: 1 });
}

#[tokio::test]
async fn every_flipped_bit_of_a_header_and_a_short_segment_is_found() {
    let (below, above) = stores(&[1]);
    let whole = pattern(1, 40);
    let id = write(&above, std::slice::from_ref(&whole)).await;
    let raw = stored(&below, id).await;
    assert_eq!(raw.len(), HEADER_BYTES + 40 + TAG_BYTES);
    for bit in 0..raw.len() * 8 {
        below.damage(id, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let got = read(&above, id, 0..40).await;
        assert!(is_corrupt(&got), "bit {bit}: {got:?}");
        below.damage(id, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
    }
    assert_eq!(read(&above, id, 0..40).await, Ok(whole));
}

#[tokio::test]
async fn a_flipped_bit_is_found_by_every_range_that_touches_its_segment_and_by_no_other() {
    let (below, above) = stores(&[1]);
    let length = 2 * SEGMENT_BYTES as u64 + 100;
    let whole = pattern(1, length as usize);
    let id = write(&above, std::slice::from_ref(&whole)).await;
    let second = HEADER_BYTES as u64 + STORED_SEGMENT_BYTES;
    let in_second_tag = second + STORED_SEGMENT_BYTES - 1;
    for at in [second, second + 40_000, in_second_tag] {
        below.damage(id, |bytes| bytes[usize::try_from(at).expect("short")] ^= 0x10);
        let segment = SEGMENT_BYTES as u64;
        for range in [0..length, 0..segment + 1, segment..segment + 1, 2 * segment - 1..length] {
            assert!(is_corrupt(&read(&above, id, range.clone()).await), "byte {at}, range {range:?}");
        }
        for range in [0..segment, 2 * segment..length, length - 1..length] {
            let expected = whole.slice(range.start as usize..range.end as usize);
            assert_eq!(read(&above, id, range.clone()).await, Ok(expected), "byte {at}, range {range:?}");
        }
        below.damage(id, |bytes| bytes[usize::try_from(at).expect("short")] ^= 0x10);
    }
}

#[tokio::test]
async fn nothing_of_a_damaged_segment_leaves_and_the_error_stays() {
    let (below, above) = stores(&[1]);
    let id = write(&above, &[pattern(1, 3 * SEGMENT_BYTES)]).await;
    below.damage(id, |bytes| bytes[HEADER_BYTES + STORED_SEGMENT_BYTES as usize] ^= 1);
    let mut reader = above.open(id, 0..3 * SEGMENT_BYTES as u64).await.expect("the header is sound");
    assert_eq!(reader.next().await, Ok(Some(pattern(1, 3 * SEGMENT_BYTES).slice(..SEGMENT_BYTES))));
    for _ in 0..4 {
        assert!(matches!(reader.next().await, Err(StoreError::Corrupt(_))), "no end and no bytes after damage");
    }
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_found_at_every_place() {
    let (below, above) = stores(&[1]);
    let length = 2 * SEGMENT_BYTES as u64 + 5;
    let id = write(&above, &[pattern(1, length as usize)]).await;
    let raw = stored(&below, id).await;
    let boundaries = [0, HEADER_BYTES as u64, Shape::start(1), Shape::start(2), raw.len() as u64];
    let near = boundaries.iter().flat_map(|at| at.saturating_sub(40)..at + 40);
    for cut in near.filter(|cut| *cut < raw.len() as u64) {
        below.damage(id, |bytes| *bytes = raw[..cut as usize].to_vec());
        let got = read(&above, id, 0..length).await;
        assert!(is_corrupt(&got), "cut to {cut}");
        // Nor does what is left pass for the whole of a shorter blob.
        let left = above.length(id).await.expect("there");
        let last = left.saturating_sub(1)..left;
        assert!(left < length && (left == 0 || is_corrupt(&read(&above, id, last).await)), "cut to {cut}");
    }
    for more in [1, TAG_BYTES, TAG_BYTES + 1, 70_000] {
        below.damage(id, |bytes| *bytes = [raw.as_slice(), &vec![0; more]].concat());
        assert!(is_corrupt(&read(&above, id, 0..length).await), "{more} bytes more");
    }
}

#[tokio::test]
async fn segments_that_changed_places_are_found() {
    let (below, above) = stores(&[1]);
    let length = 4 * SEGMENT_BYTES as u64;
    let id = write(&above, &[pattern(1, length as usize)]).await;
    let other = write(&above, &[pattern(2, length as usize)]).await;
    let (raw, foreign) = (stored(&below, id).await, stored(&below, other).await);
    let (head, body) = raw.split_at(HEADER_BYTES);
    let segments: Vec<&[u8]> = body.chunks(STORED_SEGMENT_BYTES as usize).collect();
    let foreign: Vec<&[u8]> = foreign[HEADER_BYTES..].chunks(STORED_SEGMENT_BYTES as usize).collect();
    for (what, order) in [
        ("swapped", vec![segments[1], segments[0], segments[2], segments[3]]),
        ("repeated", vec![segments[0], segments[0], segments[2], segments[3]]),
        ("left out", vec![segments[0], segments[2], segments[3]]),
        ("the last in the middle", vec![segments[0], segments[3], segments[2], segments[3]]),
        ("of another blob", vec![segments[0], foreign[1], segments[2], segments[3]]),
        ("without its last", vec![segments[0], segments[1], segments[2]]),
    ] {
        below.damage(id, |bytes| *bytes = [head, &order.concat()].concat());
        let end = above.length(id).await.expect("there");
        assert!(is_corrupt(&read(&above, id, 0..end).await), "{what}");
    }
}

#[tokio::test]
async fn blobs_and_headers_under_another_name_are_found() {
    let (below, above) = stores(&[1]);
    let (a, b) = (write(&above, &[pattern(1, 1_000)]).await, write(&above, &[pattern(2, 1_000)]).await);
    let (raw_a, raw_b) = (stored(&below, a).await, stored(&below, b).await);
    below.damage(b, |bytes| *bytes = raw_a.clone());
    assert!(is_corrupt(&read(&above, b, 0..1_000).await), "the whole blob");
    below.damage(b, |bytes| *bytes = [&raw_a[..HEADER_BYTES], &raw_b[HEADER_BYTES..]].concat());
    assert!(is_corrupt(&read(&above, b, 0..1_000).await), "the header");
    below.damage(b, |bytes| *bytes = [&raw_b[..HEADER_BYTES], &raw_a[HEADER_BYTES..]].concat());
    assert!(is_corrupt(&read(&above, b, 0..1_000).await), "the body");
    below.damage(b, |bytes| *bytes = raw_b);
    assert_eq!(read(&above, b, 0..1_000).await, Ok(pattern(2, 1_000)));
}

#[tokio::test]
async fn a_plain_blob_is_read_as_it_is_whatever_it_holds() {
    let (below, sealed) = stores(&[1]);
    let keyless = SealedBlobStore::new(Arc::new(below.clone()), keys(&[]));
    // Somebody stores a copy of a sealed blob, before and after a key is configured.
    let id = write(&sealed, &[pattern(1, 1_000)]).await;
    let copy = Bytes::from(stored(&below, id).await);
    let plain = write(&keyless, std::slice::from_ref(&copy)).await;
    let again = write(&sealed, std::slice::from_ref(&copy)).await;
    assert!(!plain.is_sealed() && again.is_sealed());
    let length = copy.len() as u64;
    for (store, id) in [(&keyless, plain), (&sealed, plain), (&sealed, again)] {
        assert_eq!(read(store, id, 0..length).await, Ok(copy.clone()));
        assert_eq!(store.length(id).await, Ok(length));
    }
    // A plain body in place of a sealed one is not taken for it.
    below.damage(id, |bytes| *bytes = vec![b'x'; 5_000]);
    assert!(is_corrupt(&read(&sealed, id, 0..1_000).await));
}

#[tokio::test]
async fn a_key_that_is_not_configured_is_named() {
    let (below, above) = stores(&[1]);
    let id = write(&above, &[pattern(1, 200_000)]).await;
    let name = keys(&[1]).ids()[0].to_string();
    for key_bytes in [&[][..], &[2, 3]] {
        let other = SealedBlobStore::new(Arc::new(below.clone()), keys(key_bytes));
        for range in [0..200_000, 150_000..150_001, 0..0] {
            match read(&other, id, range).await {
                Err(StoreError::Unavailable(why)) => {
                    assert!(why.contains(&name) && why.contains("not configured"), "{why}")
                }
                other => panic!("{other:?}"),
            }
        }
        // What needs no key goes on.
        assert_eq!(other.length(id).await, Ok(200_000));
        assert_eq!(other.list(None, 9).await, Ok(vec![BlobEntry { id, length: 200_000 }]));
        assert!(is_corrupt(&read(&other, id, 0..200_001).await));
    }
    // Damage is told from a missing key without the key.
    below.damage(id, |bytes| bytes[17] ^= 1);
    let keyless = SealedBlobStore::new(Arc::new(below), keys(&[]));
    assert!(is_corrupt(&read(&keyless, id, 0..1).await));
    assert!(!keyless.seals() && above.seals());
}

#[tokio::test]
async fn after_a_rotation_the_new_key_seals_and_both_open() {
    let (below, old) = stores(&[1]);
    let before = write(&old, &[pattern(1, 100_000)]).await;
    let rotated = SealedBlobStore::new(Arc::new(below.clone()), keys(&[2, 1]));
    let after = write(&rotated, &[pattern(2, 100_000)]).await;
    assert_eq!(read(&rotated, before, 0..100_000).await, Ok(pattern(1, 100_000)));
    assert_eq!(read(&rotated, after, 0..100_000).await, Ok(pattern(2, 100_000)));
    let new_alone = SealedBlobStore::new(Arc::new(below), keys(&[2]));
    assert_eq!(read(&new_alone, after, 0..100_000).await, Ok(pattern(2, 100_000)));
    assert!(matches!(read(&new_alone, before, 0..1).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(read(&old, after, 0..1).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_writer_that_lost_a_segment_writes_no_more() {
    let below = FaultyBlobStore::new(Arc::new(MemoryBlobStore::new(Arc::new(manual_clock()))));
    let above = SealedBlobStore::new(Arc::new(below.clone()), keys(&[1]));
    let broken = StoreError::Unavailable("scripted".into());
    let mut writer = above.create().await.expect("create");
    writer.append(pattern(1, 70_000)).await.expect("append");
    below.on(BlobCall::Append, 1, BlobFault::Fail(broken.clone()));
    assert_eq!(writer.append(pattern(2, 70_000)).await, Err(broken.clone()));
    assert!(matches!(writer.append(pattern(3, 10)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(writer.finish().await, Err(StoreError::Unavailable(_))));
    // The same for one whose caller went away.
    let mut writer = above.create().await.expect("create");
    below.on(BlobCall::Append, 1, BlobFault::Stall);
    let mut given_up = Box::pin(writer.append(pattern(1, 70_000)));
    assert!(futures_util::poll!(&mut given_up).is_pending());
    drop(given_up);
    assert!(matches!(writer.finish().await, Err(StoreError::Unavailable(_))));
    assert_eq!(above.list(None, 9).await, Ok(vec![]));
}

#[tokio::test]
async fn memory_stays_bounded_while_a_large_piece_is_appended() {
    let (_, above) = stores(&[1]);
    let Some(master) = keys(&[1]).sealing().cloned() else { panic!("a key") };
    let mut writer =
        writer::SealedWriter::new(above.inner.create_marked().await.expect("create"), &master).expect("new");
    for _ in 0..3 {
        writer.append(pattern(1, 1_500_000)).await.expect("append");
        assert!(writer.held() <= BODY_PIECE_BYTES + 2 * STORED_SEGMENT_BYTES as usize, "{}", writer.held());
    }
    assert_eq!(Box::new(writer).finish().await, Ok(4_500_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the sizes of the appends, every range reads back what was written there.
    #[test]
    fn ranges_read_back(sizes in proptest::collection::vec(0usize..90_000, 0..5), cuts in proptest::collection::vec((0.0..=1.0f64, 0.0..=1.0f64), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let (_, above) = stores(&[1]);
            let pieces: Vec<Bytes> = sizes.iter().enumerate().map(|(i, n)| pattern(i as u64, *n)).collect();
            let whole = Bytes::from(pieces.concat());
            let id = write(&above, &pieces).await;
            for (from, to) in cuts {
                let at = |part: f64| (part * whole.len() as f64).round() as usize;
                let (from, to) = (at(from.min(to)), at(from.max(to)));
                let got = read(&above, id, from as u64..to as u64).await.expect("opens");
                prop_assert_eq!(got, whole.slice(from..to));
            }
            Ok(())
        })?;
    }
}
