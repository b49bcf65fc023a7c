//! What a start makes is durable before anything is acknowledged.

use std::sync::Arc;

use livebucket::clock::ManualClock;
use livebucket::store::data_dir::DataDir;
use livebucket::store::meta::sqlite::SqliteMetaStore;

use crate::directory;
use crate::tree::Tree;
use crate::watch::{Op, Watch};

/// The paths of what a record makes and syncs of directories, in order.
fn steps(ops: &[Op]) -> Vec<String> {
    let step = |op: &Op| match op {
        Op::MakeDirectory { path } => Some(format!("make {path}")),
        Op::SyncDirectory { path } => Some(format!("sync {path}")),
        _ => None,
    };
    ops.iter().filter_map(step).collect()
}

#[test]
fn a_data_directory_has_a_durable_name_before_anything_is_in_it() {
    let temp = directory();
    let watch = Watch::record(temp.path());
    let begun = watch.position();
    let path = temp.path().join("srv/livebucket");
    drop(DataDir::create_and_lock(&path).expect("free"));
    let made = ["make srv", "make srv/livebucket", "sync srv", "sync "];
    assert_eq!(steps(&watch.ops()[begun..]), made);
    assert!(matches!(watch.ops().last(), Some(Op::Create { path, .. }) if path == "srv/livebucket/lock"));

    let again = watch.position();
    drop(DataDir::create_and_lock(&path).expect("free"));
    assert_eq!(steps(&watch.ops()[again..]), ["sync srv"], "whoever made it may not have come so far");
    assert_eq!(Tree::of(&watch.ops()), Tree::read(temp.path()));
}

/// The next start goes on where one was killed, the making of the schema included.
#[test]
fn a_start_may_be_killed_anywhere() {
    let temp = directory();
    let watch = Watch::record(temp.path());
    let open = |root: &std::path::Path| {
        let data = DataDir::create_and_lock(&root.join("data")).expect("free");
        SqliteMetaStore::open(&data.meta_path(), Arc::new(ManualClock::default())).map(drop)
    };
    open(temp.path()).expect("a first start");
    let ops = watch.ops();
    let synced = (0..ops.len()).filter(|at| matches!(ops[*at], Op::Sync { .. } | Op::SyncDirectory { .. }));
    let mut killed = 0;
    for at in synced {
        let image = directory();
        Tree::of(&ops[..=at]).write_out(image.path());
        let again = open(image.path());
        assert!(again.is_ok(), "killed after {} of {} steps: {again:?}", at + 1, ops.len());
        killed += 1;
    }
    assert!(killed >= 10, "{killed}");
}
