//! The layer itself: nothing changes unseen, and a fault meets what it is meant for.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{IoSlice, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::time::Duration;

use super::directory;
use super::fault::{Effect, Fault, Kind};
use super::tree::Tree;
use super::watch::{Op, Watch};

#[test]
fn every_way_to_change_a_directory_is_recorded() {
    let temp = directory();
    let watch = Watch::record(temp.path());
    let at = |name: &str| temp.path().join(name);
    DirBuilder::new().recursive(true).mode(0o700).create(at("a/b")).expect("made");
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(at("a/one")).expect("made");
    file.write_all(b"hello, world").expect("written");
    file.seek(SeekFrom::Start(7)).expect("there");
    file.write_all(b"WORLD").expect("written over");
    file.write_all_at(b"far", 4_000).expect("written behind a gap");
    assert_eq!(file.write_vectored(&[IoSlice::new(b"-two"), IoSlice::new(b"-pieces")]).expect("written"), 11);
    let twin = file.try_clone().expect("a second descriptor");
    drop(file);
    twin.set_len(4_001).expect("cut");
    twin.sync_data().expect("synced");
    fs::rename(at("a/one"), at("a/b/two")).expect("renamed");
    twin.write_all_at(b"after", 0).expect("under its new name");
    fs::copy(at("a/b/two"), at("copy")).expect("copied");
    fs::remove_file(at("copy")).expect("removed");
    fs::write(at("left"), b"long text").expect("written");
    fs::write(at("left"), b"short").expect("cut and written again");
    let mut appended = OpenOptions::new().append(true).open(at("left")).expect("opened");
    appended.write_all(b", and more").expect("appended");
    fs::remove_file(at("a/b/two")).expect("removed");
    twin.sync_all().expect("of a file without a name");
    fs::create_dir_all(at("gone/deeper")).expect("made");
    fs::write(at("gone/deeper/file"), b"x").expect("written");
    fs::remove_dir_all(at("gone")).expect("removed");
    File::open(temp.path()).expect("opened").sync_all().expect("synced");

    let ops = watch.ops();
    assert_eq!(Tree::of(&ops), Tree::read(temp.path()));
    assert_eq!(Tree::of(&ops).files["left"], b"short, and more");
    assert_eq!(ops.last(), Some(&Op::SyncDirectory { path: String::new() }));
    assert_eq!(ops.iter().filter(|op| matches!(op, Op::Sync { file: 0 })).count(), 2);
}

#[test]
fn what_is_there_before_comes_first() {
    let temp = directory();
    fs::create_dir_all(temp.path().join("a/b")).expect("made");
    fs::write(temp.path().join("a/b/old"), b"old").expect("written");
    let before = Tree::read(temp.path());
    let watch = Watch::record(temp.path());
    let begun = watch.position();
    assert_eq!(Tree::of(&watch.ops()), before);
    fs::write(temp.path().join("a/b/old"), b"new").expect("written over");
    assert_eq!((Tree::of(&watch.ops()), Tree::of(&watch.ops()[..begun])), (Tree::read(temp.path()), before));
}

/// SQLite's own calls are seen: it is linked into this program.
#[test]
fn sqlite_changes_nothing_unseen() {
    let temp = directory();
    let watch = Watch::record(temp.path());
    let path = temp.path().join("test.db");
    let open = || {
        let connection = rusqlite::Connection::open(&path).expect("opened");
        connection.pragma_update(None, "journal_mode", "WAL").expect("set");
        connection.pragma_update(None, "synchronous", "FULL").expect("set");
        connection
    };
    let connection = open();
    connection.execute_batch("CREATE TABLE t (a BLOB)").expect("created");
    for size in [10_u32, 10_000, 100_000] {
        connection.execute("INSERT INTO t VALUES (zeroblob(?1))", [size]).expect("inserted");
        assert_eq!(Tree::of(&watch.ops()), Tree::read(temp.path()), "in the log");
        assert!(matches!(watch.ops().last(), Some(Op::Sync { .. })), "a commit ends with a sync");
    }
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("moved");
    assert_eq!(Tree::of(&watch.ops()), Tree::read(temp.path()), "in the database");
    drop(connection);
    drop(open());
    assert_eq!(Tree::of(&watch.ops()), Tree::read(temp.path()), "closed and opened again");
}

#[test]
fn directories_are_watched_apart() {
    let (one, other, neither) = (directory(), directory(), directory());
    let (first, second) = (Watch::record(one.path()), Watch::faults(other.path()));
    let begun = first.position();
    let full = second.inject(Fault::new(Kind::CHANGES, Effect::Errno(libc::ENOSPC)));
    fs::write(one.path().join("x"), b"1").expect("nothing is wrong here");
    fs::write(neither.path().join("x"), b"1").expect("nor here");
    fs::write(other.path().join("x"), b"1").expect_err("here it is");
    assert_eq!(full.hits(), 1);
    assert_eq!(first.position() - begun, 2);
    drop(full);
    fs::write(other.path().join("x"), b"1").expect("no longer");
}

fn errno_of(result: std::io::Result<()>) -> Option<i32> {
    result.expect_err("a fault was injected").raw_os_error()
}

#[test]
fn a_disk_fills_up_in_the_middle_of_a_write() {
    let temp = directory();
    let watch = Watch::faults(temp.path());
    let full = watch.inject(Fault::new(&[Kind::Write, Kind::Create], Effect::Room(10)).on(|path| path != "small"));
    let mut file = File::create(temp.path().join("large")).expect("there is room");
    assert_eq!(errno_of(file.write_all(&[7; 16])), Some(libc::ENOSPC));
    assert_eq!(fs::read(temp.path().join("large")).expect("read"), [7; 10], "as much as there was room for");
    assert_eq!(errno_of(File::create(temp.path().join("next")).map(drop)), Some(libc::ENOSPC));
    fs::write(temp.path().join("small"), [1; 100]).expect("another path");
    full.lift();
    file.write_all(&[8; 6]).expect("room again");
}

#[test]
fn a_fault_meets_the_call_that_it_counts_to() {
    let temp = directory();
    let watch = Watch::faults(temp.path());
    let file = File::create(temp.path().join("file")).expect("made");
    let third = watch.inject(Fault::new(&[Kind::Sync], Effect::Errno(libc::EIO)).after(2).times(1));
    let failed: Vec<bool> = (0..4).map(|_| file.sync_data().is_err()).collect();
    assert_eq!(failed, [false, false, true, false]);
    assert_eq!(third.hits(), 1);

    let short = watch.inject(Fault::new(&[Kind::Write], Effect::Short(3)));
    assert_eq!((&file).write(b"abcdef").expect("in part"), 3);
    (&file).write_all(b"defgh").expect("in pieces");
    assert_eq!(short.hits(), 2);
    drop(short);
    let late = watch.inject(Fault::new(&[Kind::Write], Effect::Delay(Duration::from_millis(1))));
    (&file).write_all(b"!").expect("a moment later");
    assert_eq!(late.hits(), 1);
    drop(late);

    let lost = watch.inject(Fault::new(&[Kind::Rename, Kind::Write], Effect::Pretend));
    fs::rename(temp.path().join("file"), temp.path().join("other")).expect("so it says");
    (&file).write_all(b"lost").expect("so it says");
    assert_eq!((lost.hits(), Tree::read(temp.path()).files["file"].as_slice()), (2, &b"abcdefgh!"[..]));
}

#[test]
fn reads_fail_and_come_short() {
    let temp = directory();
    let path = temp.path().join("file");
    fs::write(&path, b"0123456789").expect("written");
    let watch = Watch::faults(temp.path());
    let mut file = File::open(&path).expect("opened");
    let mut buffer = [0; 10];
    let short = watch.inject(Fault::new(&[Kind::Read], Effect::Short(4)));
    assert_eq!(file.read(&mut buffer).expect("in part"), 4);
    file.read_exact_at(&mut buffer, 0).expect("in pieces");
    drop(short);
    let broken = watch.inject(Fault::new(&[Kind::Read], Effect::Errno(libc::EIO)).times(1));
    assert_eq!(errno_of(file.read_exact_at(&mut buffer, 0)), Some(libc::EIO));
    assert_eq!(broken.hits(), 1);
    file.read_exact_at(&mut buffer, 0).expect("whole again");
    let refused = watch.inject(Fault::new(&[Kind::Open], Effect::Errno(libc::EIO)).on(|path| path == "file"));
    assert_eq!(errno_of(File::open(&path).map(drop)), Some(libc::EIO));
    assert_eq!(refused.hits(), 1);
}

#[test]
fn a_held_call_goes_on_when_it_is_let() {
    let temp = directory();
    let watch = Watch::record(temp.path());
    let held = watch.inject(Fault::new(&[Kind::Sync], Effect::Hold));
    let file = File::create(temp.path().join("file")).expect("made");
    std::thread::scope(|threads| {
        let syncing = threads.spawn(|| file.sync_data());
        while held.hits() == 0 {
            std::thread::yield_now();
        }
        fs::write(temp.path().join("meanwhile"), b"x").expect("nobody else is held");
        let synced = |op: &Op| matches!(op, Op::Sync { .. });
        assert!(!watch.ops().iter().any(synced));
        held.lift();
        syncing.join().expect("it ends").expect("synced");
        assert!(watch.ops().iter().any(synced));
    });
}
