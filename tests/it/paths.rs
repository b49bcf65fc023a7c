//! Names that would lead out of the data directory do not: a key is bytes, and what is stored has a name of the server's
//! own making.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::http::connect;
use super::support::{Client, Server};

/// Percent-encoded names: dots, NUL, backslashes, overlong UTF-8, Windows' own, and what a shell or a URL may trip over.
const NAMES: &[&str] = &[
    "..",
    ".",
    "../outside",
    "../../../../../../tmp/outside",
    "%2e%2e",
    "%2e%2e/outside",
    "..%2foutside",
    "%2e%2e%2foutside",
    "%252e%252e%252foutside",
    "a/../../outside",
    "a/%2e%2e/%2e%2e/outside",
    "/outside",
    "//outside",
    "%2ftmp%2foutside",
    "..%5coutside",
    "..%5C..%5Coutside",
    "C:%5Coutside",
    "%5c%5chost%5cshare%5coutside",
    "outside%00.ts",
    "%00",
    "..%00/outside",
    "%c0%ae%c0%ae%c0%afoutside",
    "%e0%80%ae%e0%80%ae/outside",
    "%ff%fe",
    "CON",
    "NUL.txt",
    "outside.",
    "outside%20",
    "out:side",
    "%0d%0aoutside",
    "~/outside",
    "$HOME/outside",
    "meta.db",
    "blobs/outside",
    ".livebucket",
];

/// Every file and directory below.
fn everything(root: &Path) -> BTreeSet<PathBuf> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path);
        }
    }
    found
}

/// One request as it is, without a library that would tidy the path; its status and body.
async fn raw(server: &Server, method: &str, target: &str, more: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = connect(server.addr()).await;
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    // A refusal may come before the body is taken.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
    let status = std::str::from_utf8(&answer[9..12]).expect("digits").parse().expect("a status");
    (status, answer[end..].to_vec())
}

#[tokio::test]
async fn no_name_leads_out_of_the_data_directory() {
    let server = Server::start().await;
    let owner: Client = server.client();
    owner.put("/films", "").await.expect(200);
    owner.send("PUT", "/films?acl", &[("x-oss-acl", "public-read-write")], "").await.expect(200);
    let before = everything(server.dir.path());
    let outside_before = everything_above(server.dir.path());

    let (mut kept, mut refused) = (0, 0);
    // Larger than what stands in the database, so that each becomes a file.
    let body = |at: usize| format!("{at:05}").repeat(10_000).into_bytes();
    let amazon = "x-amz-user-agent: test\r\n";
    for (at, name) in NAMES.iter().enumerate() {
        for dialect in ["", amazon] {
            let target = format!("/films/{name}");
            match raw(&server, "PUT", &target, dialect, &body(at)).await.0 {
                200 => {
                    kept += 1;
                    let (status, got) = raw(&server, "GET", &target, dialect, b"").await;
                    assert!(status == 200 && got == body(at), "{name} reads back as another: {status}");
                }
                400 => refused += 1,
                status => panic!("{name}: {status}"),
            }
        }
        // As a bucket, a channel, a playlist, and a copy's source it is refused, or names nothing.
        for (method, target, headers) in [
            ("PUT", format!("/{name}/k"), ""),
            ("PUT", format!("/{name}"), ""),
            ("PUT", format!("/films/{name}?live"), ""),
            ("POST", format!("/films/cam/{name}?vod&startTime=1&endTime=2"), ""),
            ("PUT", "/films/copy".to_owned(), "x-oss-copy-source: /films/../none\r\n"),
            ("PUT", "/films/copy".to_owned(), "x-amz-copy-source: /../films/outside\r\n"),
        ] {
            let (status, told) = raw(&server, method, &target, headers, b"").await;
            let told = String::from_utf8_lossy(&told);
            assert!(
                (400..500).contains(&status) || told.is_empty() && target == "/films/..",
                "{method} {target}: {status} {told}"
            );
        }
    }
    assert!(kept > 20 && refused > 0, "{kept} kept, {refused} refused");

    let shape = |path: &Path| {
        let below = path.strip_prefix(server.dir.path().join("data")).expect("below the data directory");
        let name = below.to_str().expect("a name of our own making");
        let hex = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
        assert!(name.split('/').all(hex) && !name.contains("outside"), "{name}");
    };
    let after = everything(server.dir.path());
    assert!(after.len() > before.len(), "some became files");
    after.difference(&before).for_each(|path| shape(path));
    assert_eq!(everything_above(server.dir.path()), outside_before);
    server.stop_and_check().await;
}

/// What stands beside the directory under a name of the table's.
fn everything_above(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in root.ancestors().skip(1) {
        found.extend(["outside", "outside.ts"].map(|name| folder.join(name)).into_iter().filter(|path| path.exists()));
    }
    found
}
