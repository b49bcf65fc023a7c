//! Encryption at rest: nothing that a client stored lies readable in the data directory, and what was stored comes back
//! with its key only.

use std::path::{Path, PathBuf};

use livebucket::app::{Service, StartError};
use livebucket::codec::m3u8::Playlist;
use livebucket::config::Settings;
use livebucket::store::seal::MasterKeys;

use crate::support::program::{Program, command, data, run_ok};
use crate::support::rtmp::capture;
use crate::support::viewer::push;
use crate::support::{Client, KEY, Server, check_sealed, settings};

const MARKER: &str = "this text must not lie on the disk";
const SSE: &str = "x-oss-server-side-encryption";

fn hex(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

fn keys(text: &str) -> MasterKeys {
    MasterKeys::parse(text).expect("keys")
}

/// The id of a key, as messages name it.
fn id(byte: u8) -> String {
    keys(&hex(byte)).ids()[0].to_string()
}

fn with_keys(dir: &Path, text: &str) -> Settings {
    Settings { master_key: Some(text.to_owned()), ..settings(dir) }
}

async fn start(dir: tempfile::TempDir, text: &str) -> Server {
    let settings = with_keys(dir.path(), text);
    Server::start_in(dir, settings).await
}

/// More than fits into metadata.
fn large() -> String {
    format!("{MARKER}\n").repeat(5_000)
}

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("readable") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files(&path, into),
            false => into.push(path),
        }
    }
}

/// The files of the data directory that hold these bytes.
fn holding(dir: &Path, wanted: &[u8]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    files(&data(dir), &mut all);
    all.retain(|file| {
        let bytes = std::fs::read(file).unwrap_or_default();
        bytes.windows(wanted.len()).any(|window| window == wanted)
    });
    all
}

/// Publishes a capture to `/films/cam1` and gives back the playlist's text and the first fragment.
async fn publish(server: &Server) -> (String, Vec<u8>) {
    let client = server.client();
    let target = "<Target><Type>HLS</Type><FragDuration>100</FragDuration><FragCount>5</FragCount></Target>";
    let body = format!("<LiveChannelConfiguration>{target}</LiveChannelConfiguration>");
    client.put("/films/cam1?live", body).await.expect(200);
    push(server.addr(), "cam1", &capture("ffmpeg_h264_bframes_aac.flv")).await;
    let text = client.get("/films/cam1/playlist.m3u8").await.expect(200).text();
    let first = Playlist::parse(&text).expect("a playlist").segments[0].uri.clone();
    let fragment = client.get(&format!("/films/cam1/{first}")).await.expect(200).body.to_vec();
    assert!(fragment.len() > 40_000 && fragment[0] == 0x47, "in a blob: {} bytes", fragment.len());
    (text, fragment)
}

#[tokio::test]
async fn nothing_that_was_stored_lies_readable_in_the_data_directory() {
    let server = start(tempfile::tempdir().expect("a directory"), &hex(1)).await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    let put = client.send("PUT", "/films/large", &[(SSE, "AES256")], large()).await.expect(200);
    assert_eq!(put.header(SSE), "AES256");
    client.put("/films/small", MARKER).await.expect(200);
    client.send("POST", "/films/log?append&position=0", &[], large()).await.expect(200);
    client.send("POST", &format!("/films/log?append&position={}", large().len()), &[], MARKER).await.expect(200);
    client.send("PUT", "/films/copy", &[("x-oss-copy-source", "/films/large")], "").await.expect(200);
    // A part that is small enough for metadata, in an upload that stays open.
    let begun = client.send("POST", "/films/parts?uploads", &[(SSE, "AES256")], "").await.expect(200);
    assert_eq!(begun.header(SSE), "AES256");
    let id = begun.text().split_once("<UploadId>").map(|(_, rest)| rest[..32].to_owned()).expect("an id");
    client.put(&format!("/films/parts?partNumber=1&uploadId={id}"), MARKER).await.expect(200);
    let (playlist, fragment) = publish(&server).await;

    let secret = KEY.1.as_bytes();
    let pieces = [MARKER.as_bytes(), secret, playlist.as_bytes(), &fragment[..188], &fragment[20_000..20_188]];
    for piece in pieces {
        let found = holding(server.dir.path(), piece);
        assert!(found.is_empty(), "while it runs: {}: {found:?}", String::from_utf8_lossy(piece));
    }
    let whole = client.get("/films/log").await.expect(200).text();
    assert_eq!(whole, large() + MARKER);
    let range = client.send("GET", "/films/copy", &[("range", "bytes=70000-140000")], "").await.expect(206);
    assert_eq!(range.text(), large()[70_000..=140_000]);

    let Server { service, dir } = server;
    service.stop().await;
    for piece in pieces {
        let found = holding(dir.path(), piece);
        assert!(found.is_empty(), "at rest: {}: {found:?}", String::from_utf8_lossy(piece));
    }
    check_sealed(dir.path(), keys(&hex(1))).await;
    let server = start(dir, &hex(1)).await;
    let client = server.client();
    assert_eq!(client.get("/films/small").await.expect(200).text(), MARKER);
    assert_eq!(client.get("/films/large").await.expect(200).text(), large());
    let complete = [("x-oss-complete-all", "yes")];
    client.send("POST", &format!("/films/parts?uploadId={id}"), &complete, "").await.expect(200);
    assert_eq!(client.get("/films/parts").await.expect(200).text(), MARKER);
    assert_eq!(client.get("/films/cam1/playlist.m3u8").await.expect(200).text(), playlist);
    server.service.stop().await;
}

/// The same without a key: the search above finds what is there to find.
#[tokio::test]
async fn without_a_key_the_same_search_finds_everything() {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    client.send("PUT", "/films/large", &[(SSE, "AES256")], large()).await.expect(501);
    client.put("/films/large", large()).await.expect(200);
    client.put("/films/small", format!("small: {MARKER}")).await.expect(200);
    let (playlist, fragment) = publish(&server).await;
    let small = format!("small: {MARKER}");
    for piece in [large().as_bytes(), small.as_bytes(), KEY.1.as_bytes(), playlist.as_bytes(), &fragment[..188]] {
        assert!(!holding(server.dir.path(), piece).is_empty(), "{}", String::from_utf8_lossy(&piece[..30]));
    }
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_sealed_directory_is_not_served_without_its_key_and_says_which() {
    let server = start(tempfile::tempdir().expect("a directory"), &hex(1)).await;
    server.client().put("/films", "").await.expect(200);
    server.client().put("/films/a", large()).await.expect(200);
    let Server { service, dir } = server;
    service.stop().await;
    for settings in [settings(dir.path()), with_keys(dir.path(), &hex(2))] {
        let config = settings.validate().expect("valid settings");
        match Service::start(&config).await {
            Err(StartError::Store(error)) => {
                let why = error.to_string();
                assert!(why.contains(&id(1)) && why.contains("not configured"), "{why}");
            }
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("it started"),
        }
    }
    let server = start(dir, &hex(1)).await;
    assert_eq!(server.client().get("/films/a").await.expect(200).text(), large(), "and nothing was lost by trying");
    server.service.stop().await;
}

#[tokio::test]
async fn a_key_that_comes_later_seals_what_is_new_and_a_rotation_keeps_all_readable() {
    let server = Server::start().await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    client.put("/films/plain", large()).await.expect(200);
    let dir = server.stop_and_check().await;

    let server = start(dir, &hex(1)).await;
    let client = server.client();
    assert_eq!(client.get("/films/plain").await.expect(200).text(), large());
    client.put("/films/first", large()).await.expect(200);
    assert_eq!(holding(server.dir.path(), MARKER.as_bytes()).len(), 1, "the plain one");
    assert!(holding(server.dir.path(), KEY.1.as_bytes()).is_empty(), "secrets are sealed at once");
    let Server { service, dir } = server;
    service.stop().await;

    let both = format!("{},{}", hex(2), hex(1));
    let server = start(dir, &both).await;
    let client = server.client();
    client.put("/films/second", large()).await.expect(200);
    for name in ["plain", "first", "second"] {
        assert_eq!(client.get(&format!("/films/{name}")).await.expect(200).text(), large(), "{name}");
    }
    let Server { service, dir } = server;
    service.stop().await;
    check_sealed(dir.path(), keys(&both)).await;

    // The old key goes: what is sealed with it alone answers as unavailable, the rest goes on.
    let server = start(dir, &hex(2)).await;
    let client = server.client();
    assert_eq!(client.get("/films/second").await.expect(200).text(), large());
    assert!(client.get("/films/first").await.expect(503).text().contains("<Code>ServiceUnavailable</Code>"));
    client.head("/films/first").await.expect(200);
    server.service.stop().await;
}

#[tokio::test]
async fn a_flipped_bit_in_a_sealed_blob_is_answered_and_checked_as_damage() {
    let server = start(tempfile::tempdir().expect("a directory"), &hex(1)).await;
    let client = server.client();
    client.put("/films", "").await.expect(200);
    client.put("/films/a", large()).await.expect(200);
    let mut blobs = Vec::new();
    files(&data(server.dir.path()).join("blobs"), &mut blobs);
    assert!(blobs.len() == 1 && blobs[0].to_str().expect("UTF-8").ends_with("5ea1ed"), "{blobs:?}");
    let mut bytes = std::fs::read(&blobs[0]).expect("readable");
    bytes[500] ^= 4;
    std::fs::write(&blobs[0], &bytes).expect("written");
    client.get("/films/a").await.expect(500);
    let Server { service, dir } = server;
    service.stop().await;
    let out = command(&["check", "--data", data(dir.path()).to_str().expect("UTF-8")])
        .env("LIVEBUCKET_MASTER_KEY", hex(1))
        .output()
        .expect("it runs");
    let printed = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(!out.status.success() && printed.contains("segment 0 is not what was written"), "{printed}");
}

#[tokio::test]
async fn the_commands_take_the_keys_and_name_the_one_that_is_missing() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("master.key");
    std::fs::write(&file, format!("# made today\n{}\n", hex(1))).expect("written");
    let (file, data) = (file.to_str().expect("UTF-8"), data(dir.path()));
    let data = data.to_str().expect("UTF-8");
    let program = Program::start(dir.path(), &["--master-key-file", file]);
    program.client().put("/films", "").await.expect(200);
    program.client().put("/films/a", large()).await.expect(200);
    // A running server needs no key from the command that asks it.
    run_ok(&["key", "list", "--data", data]);
    let (_, log) = program.terminate();
    assert!(log.contains(&id(1)) && !log.contains(&hex(1)), "{log}");

    let checked = run_ok(&["check", "--data", data, "--master-key-file", file]);
    assert!(checked.starts_with("clean"), "{checked}");
    let key = ["--id", "chosen", "--secret", "a-secret-of-its-own"];
    run_ok(&[&["key", "create", "--data", data, "--master-key-file", file], &key[..]].concat());
    assert!(holding(dir.path(), b"a-secret-of-its-own").is_empty());
    for args in [&["check"][..], &["check", "--recover"], &["key", "create"], &["key", "list"]] {
        let out = command(&[args, &["--data", data]].concat()).output().expect("it runs");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(1) && said.contains(&id(1)) && said.contains("not configured"), "{said}");
    }
    let out = command(&["check", "--data", data, "--master-key-file", "/nowhere"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("master_key_file: /nowhere"), "{said}");

    let masked = command(&["config"]).env("LIVEBUCKET_MASTER_KEY", hex(1)).output().expect("it runs");
    let masked = String::from_utf8_lossy(&masked.stdout).into_owned();
    assert!(masked.contains("master_key = \"********\"") && !masked.contains(&hex(1)), "{masked}");
}

#[tokio::test]
async fn a_kill_leaves_a_sealed_directory_that_recovers() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("master.key");
    std::fs::write(&file, hex(1)).expect("written");
    let file = file.to_str().expect("UTF-8");
    let program = Program::start(dir.path(), &["--master-key-file", file]);
    program.client().put("/films", "").await.expect(200);
    program.client().put("/films/a", large()).await.expect(200);
    program.kill();
    let path = data(dir.path());
    run_ok(&["check", "--recover", "--data", path.to_str().expect("UTF-8"), "--master-key-file", file]);
    let program = Program::start(dir.path(), &["--master-key-file", file]);
    assert_eq!(program.client().get("/films/a").await.expect(200).text(), large());
    assert_eq!(Client::anonymous(program.addr).get("/films/a").await.status, 403);
    program.terminate();
}
