//! The program as an operator meets it: first start, keys, signed URLs, the checker, exit codes.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::support::program::{Program, command, data, run, run_ok};
use crate::support::rtmp::{Publisher, capture};
use crate::support::streams::{header, media, stream};
use crate::support::viewer::push;
use crate::support::{Client, KEY, eventually};

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// The value behind `name` in lines like `  access key  LB...`.
fn field(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {text}"));
    line.trim().to_owned()
}

#[tokio::test]
async fn the_first_start_prints_a_key_once_and_it_works() {
    let dir = temp();
    let program = Program::start_bare(dir.path(), &["--demo"]);
    let addr = program.addr;
    let playlist = Client::anonymous(addr).get("/demo/live/playlist.m3u8").await.expect(404);
    assert!(playlist.text().contains("<Code>NoSuchKey</Code>"), "the demo channel's bucket is public-read");
    let (printed, log) = program.terminate();
    let (id, secret) = (field(&printed, "access key"), field(&printed, "secret key"));
    assert!(printed.contains(&format!("rtmp://{addr}/demo/live/live?OSSAccessKeyId={id}&Expires=")));
    assert!(!log.contains(&secret), "a secret is never logged");

    let program = Program::start_bare(dir.path(), &[]);
    let client = Client::new(program.addr, (&id, &secret));
    assert!(client.get("/").await.expect(200).text().contains("<Name>demo</Name>"));
    let (printed, _) = program.terminate();
    assert_eq!(printed, "", "nothing is printed once there is a key");
}

#[tokio::test]
async fn a_first_start_that_fails_leaves_the_key_to_the_next() {
    let dir = temp();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("bound").to_string();
    let data = data(dir.path());
    let data = data.to_str().expect("UTF-8");
    for (rtmp, admin) in [(taken.as_str(), "none"), ("none", taken.as_str())] {
        let mut args = vec!["serve", "--data", data, "--listen", "127.0.0.1:0"];
        args.extend(["--rtmp-listen", rtmp, "--admin-listen", admin]);
        let failed = run(&args);
        let said = String::from_utf8_lossy(&failed.stderr).into_owned();
        assert_eq!(failed.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("livebucket: listen on {taken}: ")), "{said}");
    }
    let (printed, _) = Program::start_bare(dir.path(), &[]).terminate();
    assert_eq!(field(&printed, "access key").len(), 20, "{printed}");
}

/// The log may go to a file on the disk that is full; the lines for a newcomer to a pipe that is closed.
#[tokio::test]
async fn the_service_outlives_whoever_reads_what_it_says() {
    let dir = temp();
    let data = data(dir.path());
    let mut args = vec!["serve", "--data", data.to_str().expect("UTF-8"), "--listen", "127.0.0.1:0"];
    args.extend(["--rtmp-listen", "none", "--admin-listen", "none"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let mut child = command(&args).stdout(Stdio::piped()).stderr(full).spawn().expect("the program starts");
    drop(child.stdout.take());
    let socket = data.join("control.sock");
    while !socket.exists() {
        assert_eq!(child.try_wait().expect("a child"), None, "it is to run on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The log has the address, and is lost.
    let url = run_ok(&["url", "object", "my-bucket", "a", "--data", data.to_str().expect("UTF-8")]);
    let addr = url.strip_prefix("http://").and_then(|url| url.split('/').next()).expect("an address");
    let client = Client::anonymous(addr.parse().expect("an address"));
    for _ in 0..2 {
        client.get("/my-bucket/a").await.expect(404);
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    assert_eq!(child.wait().expect("a child").code(), Some(0));
}

#[tokio::test]
async fn keys_are_made_and_disabled_on_a_running_server_at_once() {
    let dir = temp();
    let data = data(dir.path());
    let data = data.to_str().expect("UTF-8");
    let program = Program::start(dir.path(), &[]);
    let made = run_ok(&["key", "create", "--data", data, "--account", "alice"]);
    let (id, secret) = (field(&made, "access key"), field(&made, "secret key"));
    let alice = Client::new(program.addr, (&id, &secret));
    alice.put("/alices-bucket", "").await.expect(200);
    program.client().get("/alices-bucket").await.expect(403);
    let list = run_ok(&["key", "list", "--data", data]);
    assert!(list.contains(&id) && list.contains("alice") && list.contains(KEY.0) && !list.contains(&secret), "{list}");

    run_ok(&["key", "disable", "--data", data, &id]);
    let refused = alice.get("/").await.expect(403);
    assert!(refused.text().contains("<Error>"), "{}", refused.text());
    let unknown = run(&["key", "disable", "--data", data, "nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no access key nobody"));
    program.terminate();

    // Without a server the command owns the directory itself.
    let chosen = ["key", "create", "--data", data, "--id", "chosen-id", "--secret", "chosen-secret"];
    assert_eq!(field(&run_ok(&chosen), "access key"), "chosen-id");
    assert!(run_ok(&["key", "list", "--data", data]).contains("chosen-id"));
}

#[tokio::test]
async fn the_quota_of_a_bucket_is_set_on_a_running_server_and_at_rest() {
    let dir = temp();
    let data = data(dir.path());
    let data = data.to_str().expect("UTF-8");
    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    client.put("/films", "").await.expect(200);
    client.put("/films/a", "hello").await.expect(200);
    let quota = |more: &[&'static str]| run_ok(&[&["bucket", "quota", "--data", data, "films"], more].concat());
    let shown = quota(&[]);
    assert_eq!((field(&shown, "bytes"), field(&shown, "objects")), ("5 of any".into(), "1 of any".into()));
    let shown = quota(&["--bytes", "9", "--objects", "4"]);
    assert_eq!((field(&shown, "bytes"), field(&shown, "objects")), ("5 of 9".into(), "1 of 4".into()));
    client.put("/films/b", "hello").await.expect(403);
    client.put("/films/b", "hell").await.expect(200);
    quota(&["--bytes", "none"]);
    client.put("/films/b", "hello").await.expect(200);
    let unknown = run(&["bucket", "quota", "--data", data, "nothing"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no bucket nothing"));
    assert_eq!(run(&["bucket", "quota", "--data", data, "films", "--bytes", "much"]).status.code(), Some(2));
    program.terminate();

    let shown = quota(&["--objects", "2"]);
    assert_eq!((field(&shown, "bytes"), field(&shown, "objects")), ("10 of any".into(), "2 of 2".into()));
    let program = Program::start(dir.path(), &[]);
    program.client().put("/films/c", "x").await.expect(403);
    program.terminate();
}

#[tokio::test]
async fn signed_urls_open_what_they_name() {
    let dir = temp();
    let data = data(dir.path());
    let data = data.to_str().expect("UTF-8");
    let program = Program::start(dir.path(), &[]);
    let endpoint = format!("http://{}", program.addr);
    program.client().put("/films", "").await.expect(200);
    program.client().put("/films/a b+c.txt", "hello").await.expect(200);
    for version in ["v1", "v4"] {
        let args =
            ["url", "object", "films", "a b+c.txt", "--data", data, "--endpoint", &endpoint, "--signature", version];
        let url = run_ok(&args);
        let target = url.trim().strip_prefix(&endpoint).expect("the endpoint asked for");
        let got = Client::anonymous(program.addr).get(target).await.expect(200);
        assert_eq!(got.text(), "hello", "{url}");
        Client::anonymous(program.addr).get(&target.replace("films/a", "films/b")).await.expect(403);
    }
    let publish = run_ok(&["url", "publish", "films", "cam1", "--data", data, "--endpoint", &endpoint]);
    let start = format!("rtmp://{}/films/live/cam1?OSSAccessKeyId={}&Expires=", program.addr, KEY.0);
    assert!(publish.starts_with(&start), "{publish}");
    program.terminate();
}

#[tokio::test]
async fn check_is_clean_after_use_and_refuses_a_directory_in_use() {
    let dir = temp();
    let data = data(dir.path());
    let data = data.to_str().expect("UTF-8");
    let program = Program::start(dir.path(), &[]);
    program.client().put("/films", "").await.expect(200);
    program.client().put("/films/big", vec![7u8; 100_000]).await.expect(200);
    let busy = run(&["check", "--data", data]);
    assert_eq!(busy.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&busy.stderr).contains("in use by a running server"));
    program.terminate();
    run_ok(&["check", "--data", data]);
    let missing = run(&["check", "--data", "/nonexistent/livebucket"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("does not exist"));
}

#[tokio::test]
async fn check_finds_a_damaged_blob() {
    let dir = temp();
    let data = data(dir.path());
    let program = Program::start(dir.path(), &[]);
    program.client().put("/films", "").await.expect(200);
    program.client().put("/films/big", vec![7u8; 100_000]).await.expect(200);
    program.terminate();
    let mut folders = vec![data.join("blobs")];
    let mut damaged = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let entry = entry.expect("an entry");
            match entry.metadata().expect("readable") {
                meta if meta.is_dir() => folders.push(entry.path()),
                meta if meta.len() == 100_000 => {
                    std::fs::write(entry.path(), vec![8u8; 100_000]).expect("writable");
                    damaged += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!(damaged, 1);
    let found = run(&["check", "--data", data.to_str().expect("UTF-8")]);
    assert_eq!(found.status.code(), Some(1));
    let report = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(report.contains("big"), "the report names the object: {report}");
    run_ok(&["check", "--quick", "--data", data.to_str().expect("UTF-8")]);
}

/// Publishes a capture to `films/cam1` (2 s fragments) and waits until its last fragment is stored.
async fn publish(program: &Program, tags: &[crate::support::rtmp::Tag]) {
    push(program.addr, "cam1", tags).await;
}

async fn put_channel(program: &Program) {
    program.client().put("/films", "").await.expect(200);
    let body = "<LiveChannelConfiguration><Target><Type>HLS</Type><FragDuration>2</FragDuration><FragCount>100</FragCount>\
                </Target></LiveChannelConfiguration>";
    program.client().put("/films/cam1?live", body).await.expect(200);
}

/// `check --media` on what is left; its exit code and its report.
fn check_media(dir: &Path, targets: &[&str]) -> (Option<i32>, String) {
    let data = data(dir);
    let mut args = vec!["check", "--data", data.to_str().expect("UTF-8")];
    args.extend(targets.iter().flat_map(|target| ["--media", target]));
    let output = run(&args);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("UTF-8"))
}

#[tokio::test]
async fn check_media_finds_the_golden_captures_sound_in_every_playlist() {
    for (name, counts) in [
        ("ffmpeg_h264_bframes_aac.flv", "pictures ("),
        ("ffmpeg_aac_only.flv", " 0 pictures (0 key frames), "),
        ("ffmpeg_h264_only.flv", ", 0 AAC frames, "),
    ] {
        let dir = temp();
        let program = Program::start(dir.path(), &[]);
        put_channel(&program).await;
        let tags = capture(name);
        // Twice: the second connection stands behind a discontinuity.
        publish(&program, &tags).await;
        publish(&program, &tags).await;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
        let vod = format!("/films/cam1/vod.m3u8?vod&startTime={}&endTime={}", now - 600, now + 600);
        program.client().send("POST", &vod, &[], "").await.expect(200);
        program.terminate();
        let (code, report) = check_media(dir.path(), &["films/cam1", "films/cam1/vod.m3u8"]);
        assert_eq!(code, Some(0), "{name}: {report}");
        assert!(report.contains("films/cam1/playlist.m3u8\n") && report.contains("films/cam1/vod.m3u8\n"), "{report}");
        assert_eq!(report.matches(", 0 faults\n").count(), 2, "{report}");
        assert_eq!(report.matches(counts).count(), 2, "{report}");
    }
}

#[tokio::test]
async fn check_media_names_a_damaged_fragment_and_a_false_playlist() {
    let dir = temp();
    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    put_channel(&program).await;
    publish(&program, &capture("ffmpeg_h264_bframes_aac.flv")).await;
    let playlist = client.get("/films/cam1/playlist.m3u8").await.expect(200).text();
    let uris: Vec<&str> = playlist.lines().filter(|line| line.ends_with(".ts")).collect();
    assert!(uris.len() >= 3, "{playlist}");
    // A user may write over a fragment: the second one loses a packet of video in the middle.
    let path = format!("/films/cam1/{}", uris[1]);
    let mut bytes = client.get(&path).await.expect(200).body.to_vec();
    let lost = (4..).find(|at| bytes[at * 188 + 1] & 0x5f == 0x01 && bytes[at * 188 + 2] == 0).expect("video goes on");
    bytes.drain(lost * 188..(lost + 1) * 188);
    client.put(&path, bytes).await.expect(200);
    // And one may write a playlist of one's own: a wrong duration, a fragment that is not there.
    let first = playlist.lines().position(|line| line.starts_with("#EXTINF")).expect("a fragment");
    let mut lines: Vec<&str> = playlist.lines().collect();
    lines[first] = "#EXTINF:1.500,";
    lines.extend(["#EXTINF:1.000,", "1.ts"]);
    client.put("/films/cam1/own.m3u8", lines.join("\n")).await.expect(200);
    client.put("/films/cam1/none.m3u8", "no playlist").await.expect(200);
    program.terminate();

    let (code, report) = check_media(dir.path(), &["films/cam1"]);
    assert_eq!(code, Some(1), "{report}");
    let place = format!("fragment 1 ({}): byte {}: continuity counter of PID 0x100 is ", uris[1], lost * 188);
    assert!(report.contains(&place), "{place}: {report}");
    assert!(report.ends_with("livebucket: a player would meet the faults above\n"), "{report}");
    assert!(!report.contains("fragment 0 ") && !report.contains("fragment 2 "), "{report}");

    let (code, report) = check_media(dir.path(), &["films/cam1/own.m3u8"]);
    assert_eq!(code, Some(1), "{report}");
    let wrong = format!("fragment 0 ({}): EXTINF 1.500 s, its media lasts ", uris[0]);
    let missing = format!("fragment {} (1.ts): there is no such object", uris.len());
    assert!(report.contains(&wrong) && report.contains(&missing), "{report}");

    for (target, why) in [
        ("films/none", "there is no such object"),
        ("films/cam1/none.m3u8", "the first line is not #EXTM3U"),
        ("nobody/cam1", "there is no bucket nobody"),
    ] {
        let (code, report) = check_media(dir.path(), &[target]);
        assert!(code == Some(1) && report.contains(why), "{target}: {report}");
    }
    assert_eq!(check_media(dir.path(), &["films"]).0, Some(2), "called wrongly");
}

/// Writes a fragment anew, with other continuity counters on the PID of the picture.
async fn shift_counters(client: &Client, uri: &str) {
    let path = format!("/films/cam1/{uri}");
    let mut bytes = client.get(&path).await.expect(200).body.to_vec();
    for packet in bytes.chunks_mut(188).filter(|packet| packet[1] & 0x1f == 0x01 && packet[2] == 0) {
        packet[3] = packet[3] & 0xf0 | (packet[3] + 3) & 0x0f;
    }
    client.put(&path, bytes).await.expect(200);
}

/// A discontinuity is where a player begins anew, and where a broken muxer could hide. The index and the history tell which of
/// them lie within a connection.
#[tokio::test]
async fn check_media_holds_a_connection_to_its_counters_behind_a_discontinuity() {
    let dir = temp();
    let program = Program::start(dir.path(), &[]);
    let client = program.client();
    put_channel(&program).await;
    let playlist = || async { client.get("/films/cam1/playlist.m3u8").await.expect(200).text() };
    publish(&program, &stream(0, 4_000)).await;
    let mut publisher = Publisher::publish(program.addr, "films", "cam1").await;
    publisher.send(&stream(0, 3_000)).await;
    // The fragment that is marked begins later than all others, so that it is named by the clock and by nothing else.
    eventually("a fragment of the second connection", || async {
        (playlist().await.matches("#EXTINF").count() == 3).then_some(())
    })
    .await;
    publisher.send(&[vec![header(3_000, true)], media(3_000, 2_000)].concat()).await;
    publisher.finish().await;
    eventually("its last one", || async { (playlist().await.matches("#EXTINF").count() == 5).then_some(()) }).await;
    let playlist = playlist().await;
    assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 2, "{playlist}");
    let uris: Vec<&str> = playlist.lines().filter(|line| line.ends_with(".ts")).collect();
    // The first of a connection may begin anywhere; the other may not.
    for fragment in &uris[2..] {
        shift_counters(&client, fragment).await;
    }
    program.terminate();
    let (code, report) = check_media(dir.path(), &["films/cam1"]);
    assert_eq!(code, Some(0), "{report}");

    let program = Program::start(dir.path(), &[]);
    shift_counters(&program.client(), uris[4]).await;
    program.terminate();
    let (code, report) = check_media(dir.path(), &["films/cam1"]);
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains(&format!("fragment 4 ({}): byte ", uris[4])), "{report}");
    assert!(report.contains("continuity counter of PID 0x100") && report.contains(", 1 faults\n"), "{report}");
}

#[test]
fn the_effective_configuration_is_printed_and_a_bad_one_named() {
    let shown =
        command(&["config", "--rtmp-listen", "none"]).env("LIVEBUCKET_REGION", "cn-test").output().expect("runs");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(text.contains("region = \"cn-test\"") && text.contains("rtmp_listen = [\"none\"]"), "{text}");
    let bad = run(&["serve", "--tls-cert", "only.pem"]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&bad.stderr).contains("tls_cert and tls_key are given together"));
    let dir = temp();
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "").expect("writable");
    let pem = empty.to_str().expect("UTF-8");
    let bad = run(&["serve", "--tls-cert", pem, "--tls-key", pem]);
    assert_eq!(bad.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&bad.stderr),
        format!("livebucket: TLS: {pem}: there is no certificate in it\n")
    );
    let file = dir.path().join("bad.toml");
    std::fs::write(&file, "lisen = []").expect("writable");
    let unknown = run(&["config", "--config", file.to_str().expect("UTF-8")]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("unknown field `lisen`"));
}

#[tokio::test]
async fn health_follows_the_server() {
    let dir = temp();
    let program = Program::start(dir.path(), &[]);
    let admin = program.admin.to_string();
    assert_eq!(run_ok(&["health", "--admin", &admin]), "ready\n");
    let metrics = Client::anonymous(program.admin).get("/metrics").await.expect(200).text();
    assert!(metrics.contains("livebucket_sockets_accepted_total"), "{metrics}");
    program.terminate();
    assert_eq!(run(&["health", "--admin", &admin]).status.code(), Some(1));
}

#[tokio::test]
async fn temporary_credentials_are_made_at_a_running_server_and_at_rest() {
    let dir = temp();
    let data = data(dir.path());
    let data = data.to_str().expect("UTF-8");
    let program = Program::start(dir.path(), &[]);
    program.client().put("/films", "").await.expect(200);
    program.client().put("/films/k", "text").await.expect(200);
    let policy = dir.path().join("policy.json");
    let text =
        r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:GetObject","Resource":"acs:oss:*:*:films/*"}]}"#;
    std::fs::write(&policy, text).expect("written");
    let policy = policy.to_str().expect("UTF-8");
    let made = run_ok(&["key", "session", "--data", data, "--expires", "15m", "--policy", policy]);
    let (id, secret, token) = (field(&made, "access key"), field(&made, "secret key"), field(&made, "security token"));
    assert!(id.starts_with("STS."), "{made}");
    let session = Client::new(program.addr, (&id, &secret));
    let token = ("x-oss-security-token", token.as_str());
    assert_eq!(session.send("GET", "/films/k", &[token], "").await.expect(200).text(), "text");
    session.send("PUT", "/films/k", &[token], "new").await.expect(403);
    let bare = session.get("/films/k").await.expect(403);
    assert!(bare.text().contains("InvalidAccessKeyId"), "{}", bare.text());
    assert!(!run_ok(&["key", "list", "--data", data]).contains(&id), "it is no access key");

    for (args, why) in [
        (&["--expires", "37h"][..], "lives 60 to 129600 seconds"),
        (&["--expires", "1s"], "lives 60 to 129600 seconds"),
        (&["--id", "nobody"], "there is no enabled access key nobody"),
        (&["--account", "nobody"], "account nobody has no enabled access key"),
        (&["--policy", "/nonexistent/policy.json"], "policy.json"),
    ] {
        let refused = run(&[&["key", "session", "--data", data], args].concat());
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(1) && told.contains(why), "{args:?}: {told}");
    }
    std::fs::write(policy, text.replace("Allow", "Permit")).expect("written");
    let refused = run(&["key", "session", "--data", data, "--policy", policy]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("neither Allow nor Deny"), "{refused:?}");

    // The key's end is theirs.
    run_ok(&["key", "disable", "--data", data, KEY.0]);
    let ended = session.send("GET", "/films/k", &[token], "").await.expect(403);
    assert!(ended.text().contains("InvalidSecurityToken"), "{}", ended.text());
    program.terminate();

    // Without a server the command owns the directory itself.
    run_ok(&["key", "create", "--data", data, "--id", "another", "--secret", "another-secret"]);
    let made = run_ok(&["key", "session", "--data", data, "--id", "another"]);
    assert!(field(&made, "access key").starts_with("STS.") && field(&made, "account") == "root", "{made}");
    let program = Program::start_bare(dir.path(), &[]);
    let session = Client::new(program.addr, (&field(&made, "access key"), &field(&made, "secret key")));
    let token = field(&made, "security token");
    session.send("GET", "/films/k", &[("x-oss-security-token", &token)], "").await.expect(200);
    program.terminate();
}
