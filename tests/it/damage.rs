//! Bytes that rot on the disk: what is damaged is refused and named, and nothing else is lost.

use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::http::{connect, exchange};
use crate::support::program::{Program, data, run};

fn find(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).expect("it stands there")
}

/// Small bodies that can be told apart and found in the database.
fn body(number: usize) -> String {
    format!("body of {number:03};").repeat(100)
}

/// Objects `000` to `299` of `films`, which stand in the database, and the directory at rest.
async fn prepared() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    client.put("/films", "").await.expect(200);
    for number in 0..300 {
        client.put(&format!("/films/{number:03}"), body(number)).await.expect(200);
    }
    program.terminate();
    dir
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).expect("readable");
    change(&mut bytes);
    std::fs::write(path, bytes).expect("writable");
}

/// What `livebucket check` says: its exit code and its report.
fn check(dir: &Path) -> (Option<i32>, String) {
    let output = run(&["check", "--data", data(dir).to_str().expect("UTF-8")]);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).expect("UTF-8"))
}

async fn damage_counted(program: &Program, store: &str) -> bool {
    let request = http::Request::get("/metrics").header("host", "localhost").body(Default::default());
    let text = exchange(program.admin, request.expect("a request")).await.expect(200).text();
    let is_it = |line: &str| {
        line.starts_with("livebucket_store_faults_total{")
            && line.contains("cause=\"corrupt\"")
            && line.contains(&format!("store=\"{store}\""))
    };
    text.lines().any(is_it)
}

#[tokio::test]
async fn a_page_of_garbage_costs_what_stands_on_it_and_nothing_else() {
    let dir = prepared().await;
    let path = data(dir.path()).join("meta.db");
    // A copy of the directory at rest; there are no blobs yet.
    let backup = std::fs::read(&path).expect("readable");
    change(&path, |bytes| {
        let page_size = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
        let page = find(bytes, "body of 150;") / page_size;
        bytes[page * page_size..(page + 1) * page_size].fill(0xa5);
    });
    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    let mut lost = Vec::new();
    for number in 0..300 {
        let got = client.get(&format!("/films/{number:03}")).await;
        match got.status {
            200 => assert_eq!(got.text(), body(number)),
            500 => {
                assert!(got.text().contains("<Code>InternalError</Code>"), "{}", got.text());
                lost.push(number);
            }
            _ => panic!("{number}: {}", got.text()),
        }
    }
    assert!(lost.contains(&150) && lost.len() < 10, "{lost:?}");
    let listed = client.get("/films?max-keys=1000").await.expect(200).text();
    assert_eq!(listed.matches("<Key>").count(), 300);
    client.put("/films/large", vec![1u8; 300_000]).await.expect(200);
    assert_eq!(client.get("/films/large").await.expect(200).body, vec![1u8; 300_000]);
    assert!(damage_counted(&program, "metadata").await);
    let (_, log) = program.terminate();
    assert!(log.contains("metadata database failed") && log.contains("malformed"), "{log}");
    let (code, said) = check(dir.path());
    assert_eq!(code, Some(1));
    assert!(said.contains("metadata: table extent cannot be read whole") && said.contains("NOT CLEAN"), "{said}");
    assert!(said.contains("not all objects could be looked at"), "{said}");

    // The recovery: the backup in its place, and what was written since is garbage that the next start finds.
    for leftover in ["meta.db-wal", "meta.db-shm"] {
        let _ = std::fs::remove_file(path.with_file_name(leftover));
    }
    std::fs::write(&path, backup).expect("writable");
    let program = Program::start(dir.path(), &[]);
    for number in 0..300 {
        assert_eq!(program.client().get(&format!("/films/{number:03}")).await.expect(200).text(), body(number));
    }
    program.client().get("/films/large").await.expect(404);
    program.terminate();
    assert_eq!(check(dir.path()).0, Some(0));
}

/// A page that is well formed and holds other bytes than were written: the database has no checksums, the object has.
#[tokio::test]
async fn a_small_body_that_is_not_what_was_put_is_refused_named_and_mended_by_a_new_one() {
    let dir = prepared().await;
    change(&data(dir.path()).join("meta.db"), |bytes| {
        let at = find(bytes, "body of 150;");
        bytes[at..at + 4].copy_from_slice(b"ydob");
    });
    let (code, said) = check(dir.path());
    assert_eq!(code, Some(1));
    assert!(said.contains("object \"150\"") && said.contains("CRC-64"), "{said}");

    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    let refused = client.get("/films/150").await.expect(500).text();
    assert!(refused.contains("<Code>InternalError</Code>"), "{refused}");
    let s3 = crate::support::s3::Client::new(program.addr, crate::support::KEY);
    let refused = s3.get("/films/150").await.expect(500).text();
    assert!(refused.contains("<Code>InternalError</Code>"), "{refused}");
    for number in [149, 151] {
        assert_eq!(client.get(&format!("/films/{number}")).await.expect(200).text(), body(number));
    }
    assert!(damage_counted(&program, "metadata").await);
    client.put("/films/150", body(150)).await.expect(200);
    assert_eq!(client.get("/films/150").await.expect(200).text(), body(150));
    let (_, log) = program.terminate();
    assert!(log.contains("an object's bytes are not what was stored") && log.contains("\"key\":\"150\""), "{log}");
    assert_eq!(check(dir.path()).0, Some(0));
}

/// The files of finished blobs with such a length.
fn blobs(dir: &Path, length: u64) -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![data(dir).join("blobs")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let entry = entry.expect("an entry");
            match entry.metadata().expect("readable") {
                meta if meta.is_dir() => folders.push(entry.path()),
                meta if meta.len() == length => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}

#[tokio::test]
async fn a_damaged_blob_is_refused_or_cut_short_named_and_mended_by_a_new_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    client.send("PUT", "/films", &[("x-oss-acl", "public-read")], "").await.expect(200);
    for (key, length) in [("one-piece", 100_000), ("many-pieces", 1_000_000), ("sound", 1_000_001)] {
        client.put(&format!("/films/{key}"), vec![7u8; length]).await.expect(200);
    }
    program.terminate();
    for length in [100_000, 1_000_000] {
        let [path] = &blobs(dir.path(), length)[..] else { panic!("one of each") };
        change(path, |bytes| bytes[50_000..54_096].fill(0xa5));
    }
    let (code, said) = check(dir.path());
    assert_eq!(code, Some(1));
    assert!(said.contains("object \"one-piece\"") && said.contains("object \"many-pieces\""), "{said}");
    assert!(!said.contains("object \"sound\""), "{said}");

    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    let refused = client.get("/films/one-piece").await.expect(500).text();
    assert!(refused.contains("<Code>InternalError</Code>"), "{refused}");
    // Of the larger one the head has gone out when the damage shows: its end never comes.
    let mut socket = connect(program.addr).await;
    let head = format!("GET /films/many-pieces HTTP/1.1\r\nHost: {}\r\n\r\n", program.addr);
    socket.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200") && answer.len() < 1_000_000, "{} bytes", answer.len());
    assert_eq!(client.get("/films/sound").await.expect(200).body, vec![7u8; 1_000_001]);
    assert!(damage_counted(&program, "blobs").await);
    client.put("/films/one-piece", vec![8u8; 100_000]).await.expect(200);
    client.put("/films/many-pieces", vec![8u8; 1_000_000]).await.expect(200);
    assert_eq!(client.get("/films/many-pieces").await.expect(200).body, vec![8u8; 1_000_000]);
    program.terminate();
    assert_eq!(check(dir.path()).0, Some(0));
}

/// What the database begins with is needed to start at all.
#[tokio::test]
async fn a_start_on_a_damaged_database_changes_nothing_and_says_what_to_do() {
    let dir = prepared().await;
    let path = data(dir.path()).join("meta.db");
    change(&path, |bytes| bytes[..4_096].fill(0xa5));
    let before = std::fs::read(&path).expect("readable");
    let at = data(dir.path());
    let at = at.to_str().expect("UTF-8");
    let doors = ["--listen", "127.0.0.1:0", "--rtmp-listen", "none", "--admin-listen", "none"];
    let failed = run(&[&["serve", "--data", at][..], &doors].concat());
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8(failed.stderr).expect("UTF-8");
    for part in [
        "the metadata database is damaged",
        "Nothing was changed",
        &format!("livebucket check --data {at}"),
        "backup",
        "docs/faults.md",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (code, said) = check(dir.path());
    assert_eq!(code, Some(1));
    assert!(said.contains("the metadata database is damaged"), "{said}");
    assert_eq!(std::fs::read(&path).expect("readable"), before);
}
