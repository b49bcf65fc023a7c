use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::clock::{ManualClock, Wall};
use crate::store::conformance::blob::{Bench, blob_suite, pattern, read, write};
use crate::store::{StoreError, What};

async fn bench() -> Bench {
    let (directory, clock, store) = fresh();
    Bench { store: Arc::new(store), clock, keep: Some(Box::new(directory)) }
}

blob_suite!(bench);

fn fresh() -> (tempfile::TempDir, ManualClock, FsBlobStore) {
    let directory = tempfile::tempdir().expect("temporary directory");
    let clock = ManualClock::new(Wall(1_700_000_000_000));
    let store = FsBlobStore::open(&directory.path().join("blobs"), Arc::new(clock.clone())).expect("open");
    (directory, clock, store)
}

/// Everything under the store's directory, relative, in order.
fn tree(store: &FsBlobStore) -> Vec<String> {
    fn walk(base: &Path, path: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(path).expect("directory") {
            let path = entry.expect("entry").path();
            found.push(path.strip_prefix(base).expect("below").display().to_string());
            if path.is_dir() {
                walk(base, &path, found);
            }
        }
    }
    let root = store.inner.layout.path(BlobId(0));
    let root = root.ancestors().nth(3).expect("root");
    let mut found = Vec::new();
    walk(root, root, &mut found);
    found.sort();
    found
}

#[tokio::test]
async fn a_blob_lies_under_the_digits_of_its_time() {
    let (_directory, _clock, store) = fresh();
    let id = write(&store, &[pattern(1, 100_000)]).await;
    let name = id.to_string();
    // 1_700_000_000_000 ms = 0x018bcfe56800
    let expected = ["018bc".into(), "018bc/fe5".into(), format!("018bc/fe5/{name}")];
    assert_eq!(tree(&store), expected);
    let mode = fs::metadata(store.inner.layout.path(id)).expect("file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn small_appends_make_no_file_until_enough_are_gathered() {
    let (_directory, _clock, store) = fresh();
    let mut writer = writer::FsWriter::new(store.inner.clone(), store.inner.ids.fresh().expect("an id"));
    for _ in 0..3 {
        writer.append(pattern(1, 4_096)).await.expect("append");
    }
    assert_eq!(tree(&store), [""; 0]);
    writer.append(pattern(1, 4_096)).await.expect("append");
    writer.file.written().await.expect("a file");
    assert_eq!(tree(&store), ["018bc".to_owned(), "018bc/fe5".into(), format!("018bc/fe5/{}", writer.id())]);
    drop(writer);
    assert_eq!(tree(&store), ["018bc", "018bc/fe5"]);
}

#[tokio::test]
async fn emptied_directories_are_removed_except_the_current_one() {
    let (_directory, clock, store) = fresh();
    let old = write(&store, &[pattern(1, 1)]).await;
    clock.advance(Duration::from_secs(100_000_000));
    let new = write(&store, &[pattern(2, 1)]).await;
    store.delete(&[old, new]).await.expect("delete");
    let left = tree(&store);
    assert_eq!(left.len(), 2, "the two current directories: {left:?}");
    assert!(left.iter().all(|path| !path.starts_with("018bc")), "{left:?}");
    // The removed directory is made again when the clock steps back to it.
    clock.set_wall(Wall(1_700_000_000_000));
    let reopened = FsBlobStore::open(&store_root(&store), Arc::new(clock)).expect("open");
    let again = write(&reopened, &[pattern(3, 9)]).await;
    assert_eq!(read(&store, again, 0..9).await.expect("read"), pattern(3, 9));
}

fn store_root(store: &FsBlobStore) -> std::path::PathBuf {
    store.inner.layout.path(BlobId(0)).ancestors().nth(3).expect("root").to_owned()
}

/// Until it is finished a blob is nobody's: this process does not find it, the next one finds a blob that nobody names.
#[tokio::test]
async fn what_a_killed_writer_leaves_is_found_by_the_next_process_alone() {
    let (_directory, clock, store) = fresh();
    let id = write(&store, &[pattern(1, 200_000)]).await;
    let mut lost = writer::FsWriter::new(store.inner.clone(), store.inner.ids.fresh().expect("an id"));
    lost.append(pattern(2, 200_000)).await.expect("append");
    lost.file.written().await.expect("a file");
    let lost_id = lost.id();
    std::mem::forget(lost);
    let kept = BlobEntry { id, length: 200_000 };
    assert_eq!(store.list(None, 10).await, Ok(vec![kept]));
    assert_eq!(store.length(lost_id).await, Err(StoreError::NotFound(What::Blob)));
    let reopened = FsBlobStore::open(&store_root(&store), Arc::new(clock)).expect("open");
    assert_eq!(reopened.remove_temporaries().await, Ok(0));
    let mut found: Vec<BlobId> = reopened.list(None, 10).await.expect("listed").iter().map(|entry| entry.id).collect();
    found.retain(|found| *found != id);
    assert_eq!(found, [lost_id]);
    reopened.delete(&found).await.expect("deleted");
    assert_eq!(reopened.list(None, 10).await, Ok(vec![kept]));
    assert_eq!(read(&reopened, id, 0..200_000).await.expect("read"), pattern(1, 200_000));
}

#[tokio::test]
async fn what_an_earlier_version_left_is_removed() {
    let (_directory, _clock, store) = fresh();
    let id = write(&store, &[pattern(1, 9)]).await;
    fs::create_dir(store_root(&store).join("tmp")).expect("plant");
    fs::write(store_root(&store).join("tmp/018bcfe56800ffffffffffffffffffff"), b"x").expect("plant");
    assert_eq!(store.remove_temporaries().await, Ok(1));
    assert_eq!(store.remove_temporaries().await, Ok(0));
    assert_eq!(store.list(None, 10).await, Ok(vec![BlobEntry { id, length: 9 }]));
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_corrupt_at_open_and_in_the_middle() {
    let (_directory, _clock, store) = fresh();
    let id = write(&store, &[pattern(1, 1_500_000)]).await;
    let mut reader = store.open(id, 0..1_500_000).await.expect("open");
    assert_eq!(reader.next().await.expect("read").expect("piece").len(), limits::READ_PIECE_BYTES);
    fs::OpenOptions::new().write(true).open(store.inner.layout.path(id)).expect("open").set_len(600_000).expect("cut");
    let rest = reader.next().await;
    assert!(matches!(rest, Err(StoreError::Corrupt(_))), "{rest:?}");
    let open = store.open(id, 0..1_500_000).await;
    assert!(matches!(open, Err(StoreError::Corrupt(_))));
    assert!(store.open(id, 0..600_000).await.is_ok());
}

#[tokio::test]
async fn a_write_that_fails_is_unavailable_and_the_writer_stays_failed() {
    let (_directory, _clock, store) = fresh();
    let mut writer = store.create().await.expect("create");
    // The name is taken by a directory: the first write cannot make its file.
    let taken = store.inner.layout.path(writer.id());
    fs::create_dir_all(&taken).expect("plant");
    // It may still be on its way; those that follow wait for it.
    let mut failed = Ok(());
    for _ in 0..10 {
        failed = failed.and(writer.append(pattern(1, 100_000)).await);
    }
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    let again = writer.append(Bytes::from_static(b"x")).await.and(writer.finish().await.map(|_| ()));
    assert!(matches!(again, Err(StoreError::Unavailable(_))), "a failed writer stays failed: {again:?}");
    fs::remove_dir(&taken).expect("clean");
    assert_eq!(tree(&store), ["018bc", "018bc/fe5"]);
    // A failure that nobody has asked for yet is told by the end.
    let mut writer = store.create().await.expect("create");
    fs::create_dir(store.inner.layout.path(writer.id())).expect("plant");
    writer.append(pattern(1, 100_000)).await.expect("not written yet");
    assert!(matches!(writer.finish().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_files_grow_side_by_side_and_none_loses_a_piece() {
    let (_directory, _clock, store) = fresh();
    let tasks = crate::task::TaskSet::new();
    let (sender, mut written) = tokio::sync::mpsc::channel(64);
    for n in 0..24usize {
        let (store, sender) = (store.clone(), sender.clone());
        tasks.spawn("test-writer", async move {
            // Each a different mix of pieces that are gathered and pieces that are written at once.
            let pieces: Vec<Bytes> =
                (0..12).map(|k| pattern((n * 100 + k) as u64, 1 + (n * 7_919 + k * 30_011) % 90_000)).collect();
            let id = write(&store, &pieces).await;
            sender.send((id, pieces.concat())).await.expect("the test listens");
        });
    }
    drop(sender);
    while let Some((id, expected)) = written.recv().await {
        let stored = read(&store, id, 0..expected.len() as u64).await.expect("stored");
        assert!(stored == expected, "{id}");
    }
    tasks.join().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_go_away_leave_nothing_whatever_they_were_at() {
    let (_directory, _clock, store) = fresh();
    for n in 0..100 {
        let mut writer = store.create().await.expect("create");
        for _ in 0..n % 4 {
            writer.append(pattern(n, 100_000)).await.expect("append");
        }
        drop(writer);
    }
    // One more that is written whole: when it is there, so is the end of those before it.
    let id = write(&store, &[pattern(7, 300_000)]).await;
    let name = id.to_string();
    let clean = ["018bc".to_owned(), "018bc/fe5".into(), format!("018bc/fe5/{name}")];
    for _ in 0..10_000 {
        if tree(&store) == clean {
            return;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(tree(&store), clean);
}

#[tokio::test]
async fn the_free_space_is_that_of_its_file_system() {
    let (_directory, _clock, store) = fresh();
    let free = store.available().await.expect("asked").expect("known");
    assert!(free > 0 && free < 1 << 60, "{free}");
}

#[tokio::test]
async fn strangers_in_the_directories_are_not_listed() {
    let (_directory, _clock, store) = fresh();
    let id = write(&store, &[pattern(1, 3)]).await;
    let directory = store.inner.layout.path(id).parent().expect("parent").to_owned();
    for name in ["README", "ffffffffffffffffffffffffffffffff", "018BCFE56800FFFFFFFFFFFFFFFFFFFF"] {
        fs::write(directory.join(name), b"x").expect("plant");
    }
    fs::create_dir(store_root(&store).join("lost+found")).expect("plant");
    fs::write(store_root(&store).join("0"), b"x").expect("plant");
    assert_eq!(store.list(None, 10).await, Ok(vec![BlobEntry { id, length: 3 }]));
}

#[tokio::test]
async fn blobs_of_the_same_slot_from_many_writers_at_once_all_become_durable() {
    let (_directory, clock, store) = fresh();
    // Deletions that empty the directory run against renames into it.
    let first = write(&store, &[pattern(0, 1)]).await;
    clock.advance(Duration::from_secs(600));
    let slot_time = first.created();
    let mut written = Vec::new();
    for round in 0..20u64 {
        let writer = async {
            let mut writer = writer::FsWriter::new(store.inner.clone(), BlobId::new(slot_time, [round as u8 + 1; 10]));
            writer.append(pattern(round, 10)).await.expect("append");
            let id = writer.id();
            Box::new(writer).finish().await.expect("finish");
            id
        };
        let remove = written.last().copied().unwrap_or(first);
        let (id, deleted) = tokio::join!(writer, store.delete(std::slice::from_ref(&remove)));
        deleted.expect("delete");
        written.push(id);
    }
    let last = *written.last().expect("twenty");
    assert_eq!(store.list(None, 100).await, Ok(vec![BlobEntry { id: last, length: 10 }]));
    assert_eq!(store.open(first, 0..1).await.err(), Some(StoreError::NotFound(What::Blob)));
}

#[tokio::test]
async fn a_file_stays_open_for_the_next_reader_until_its_blob_is_deleted() {
    let (_directory, _clock, store) = fresh();
    let (kept, gone) = (write(&store, &[pattern(1, 700_000)]).await, write(&store, &[pattern(2, 3)]).await);
    for _ in 0..2 {
        assert_eq!(read(&store, kept, 1..700_000).await, Ok(pattern(1, 700_000).slice(1..)));
        assert_eq!(read(&store, gone, 0..3).await, Ok(pattern(2, 3)));
    }
    assert!([kept, gone].iter().all(|id| store.inner.open_files.find(*id).is_ok()));
    store.delete(&[gone]).await.expect("deleted");
    assert!(store.inner.open_files.find(gone).is_err(), "its bytes are not held any longer");
    assert_eq!(read(&store, gone, 0..3).await, Err(StoreError::NotFound(What::Blob)));
    assert!(store.inner.open_files.find(kept).is_ok());
}

#[tokio::test]
async fn a_file_that_was_opened_before_a_deletion_does_not_come_back() {
    let (_directory, _clock, store) = fresh();
    let id = write(&store, &[pattern(1, 3)]).await;
    let since = store.inner.open_files.find(id).expect_err("nobody has read it");
    let file = reader::open_file(&store.inner, id).await.expect("it is there");
    store.delete(&[id]).await.expect("deleted");
    store.inner.open_files.keep(id, &Arc::new(file), since);
    assert!(store.inner.open_files.find(id).is_err());
}
