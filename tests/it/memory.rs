//! What a transfer costs in memory does not follow its size: many large uploads at once, then downloads, under one bound.
//! (README and `docs/performance-objects.md` have the figures of a release build.)

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::http::connect;
use crate::support::program::Program;
use crate::support::rtmp::capture;
use crate::support::viewer::{play, push};

const TRANSFERS: usize = 16;
const OBJECT_BYTES: usize = 64 * 1024 * 1024;
/// Far below the 1 GiB that is on its way: a few pieces a request, the allocator's and the database's caches.
const RESIDENT_MAX: u64 = 128 * 1024 * 1024;

/// The most that was ever resident of a process.
fn resident_peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a Linux status");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

fn piece(object: usize) -> Vec<u8> {
    (0..256 * 1024).map(|at| (at * 31 + object * 7) as u8).collect()
}

/// Every other object goes and comes over S3.
fn over_s3(object: usize) -> bool {
    object % 2 == 1
}

async fn upload(program: &Program, object: usize) {
    let mut socket = connect(program.addr).await;
    let own = if over_s3(object) { "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n" } else { "" };
    let head = format!("PUT /films/{object} HTTP/1.1\r\nHost: {}\r\n{own}", program.addr);
    let head = format!("{head}Content-Length: {OBJECT_BYTES}\r\n\r\n");
    socket.write_all(head.as_bytes()).await.expect("sent");
    let piece = piece(object);
    for _ in 0..OBJECT_BYTES / piece.len() {
        socket.write_all(&piece).await.expect("sent");
    }
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200");
}

async fn download(program: &Program, object: usize) {
    let mut socket = connect(program.addr).await;
    let own = if over_s3(object) { "?x-id=GetObject" } else { "" };
    let head = format!("GET /films/{object}{own} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", program.addr);
    socket.write_all(head.as_bytes()).await.expect("sent");
    let (expected, mut at, mut head) = (piece(object), 0, Vec::new());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = socket.read(&mut buffer).await.expect("the body");
        if length == 0 {
            break;
        }
        let mut bytes = &buffer[..length];
        if at == 0 && !head.ends_with(b"\r\n\r\n") {
            head.extend_from_slice(bytes);
            let end = head.windows(4).position(|four| four == b"\r\n\r\n").expect("the head is short") + 4;
            bytes = &bytes[bytes.len() - (head.len() - end)..];
            head.truncate(end);
        }
        while !bytes.is_empty() {
            let wanted = &expected[at % expected.len()..];
            let length = wanted.len().min(bytes.len());
            assert!(bytes[..length] == wanted[..length], "object {object} differs behind {at}");
            (bytes, at) = (&bytes[length..], at + length);
        }
    }
    assert!(head.starts_with(b"HTTP/1.1 200") && at == OBJECT_BYTES, "{at} bytes");
}

#[tokio::test]
async fn many_large_transfers_stay_under_one_bound() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = Program::start(dir.path(), &[]);
    program.client().send("PUT", "/films", &[("x-oss-acl", "public-read-write")], "").await.expect(200);
    futures_util::future::join_all((0..TRANSFERS).map(|object| upload(&program, object))).await;
    let after_uploads = resident_peak(program.pid());
    assert!(after_uploads < RESIDENT_MAX, "{after_uploads} bytes were resident while uploading");
    futures_util::future::join_all((0..TRANSFERS).map(|object| download(&program, object))).await;
    let after_downloads = resident_peak(program.pid());
    assert!(after_downloads < RESIDENT_MAX, "{after_downloads} bytes were resident while downloading");
    assert!(after_uploads > 1024 * 1024, "the figure is one");
}

/// A reader that does not read holds a few pieces, and keeps nobody from anything.
#[tokio::test]
async fn readers_that_do_not_read_cost_only_themselves() {
    const READERS: usize = 100;
    let dir = tempfile::tempdir().expect("a directory");
    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    client.send("PUT", "/films", &[("x-oss-acl", "public-read-write")], "").await.expect(200);
    upload(&program, 0).await;
    upload(&program, 1).await;
    let mut asleep = Vec::new();
    for reader in 0..READERS {
        let mut socket = connect(program.addr).await;
        let own = if over_s3(reader) { "?x-id=GetObject" } else { "" };
        let head = format!("GET /films/0{own} HTTP/1.1\r\nHost: {}\r\n\r\n", program.addr);
        socket.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200");
        asleep.push(socket);
    }
    download(&program, 1).await;
    let target = "<Target><Type>HLS</Type><FragDuration>1</FragDuration><FragCount>100</FragCount></Target>";
    let channel = format!("<LiveChannelConfiguration>{target}</LiveChannelConfiguration>");
    client.put("/films/cam1?live", channel).await.expect(200);
    push(program.addr, "cam1", &capture("ffmpeg_h264_bframes_aac.flv")).await;
    let (list, report) = play(&client).await;
    assert!(list.segments.len() >= 4 && report.is_clean(), "{report}");
    client.put("/films/small", "x").await.expect(200);
    assert_eq!(client.get("/films/small").await.expect(200).text(), "x");
    let peak = resident_peak(program.pid());
    assert!(peak < RESIDENT_MAX, "{peak} bytes were resident for {READERS} readers of {OBJECT_BYTES} bytes each");
    drop(asleep);
}
