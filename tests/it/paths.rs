//! Names that would lead out of the data directory do not: a key is bytes, and what is stored has a name of the server's
//! own making.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::http::connect;
use super::support::rtmp::{Answer, Publisher, capture, signed_query};
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

/// The name as bytes.
fn decoded(name: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(name).collect()
}

/// Whether a key may be called so, by the rules of the object API: UTF-8 that begins neither with a slash nor a backslash.
fn is_key(bytes: &[u8]) -> bool {
    !bytes.is_empty() && !matches!(bytes[0], b'/' | b'\\') && std::str::from_utf8(bytes).is_ok()
}

/// Larger than what stands in the database, so that each becomes a file.
fn body(at: usize) -> Vec<u8> {
    format!("{at:05}").repeat(10_000).into_bytes()
}

const OSS: &str = "x-oss-user-agent: test\r\n";
const AMAZON: &str = "x-amz-user-agent: test\r\n";

/// A service whose bucket `films` everybody may write to, and what there is of files.
struct Scene {
    server: Server,
    before: BTreeSet<PathBuf>,
    above: Vec<PathBuf>,
}

impl Scene {
    async fn start() -> Scene {
        let server = Server::start().await;
        let owner: Client = server.client();
        owner.put("/films", "").await.expect(200);
        owner.send("PUT", "/films?acl", &[("x-oss-acl", "public-read-write")], "").await.expect(200);
        let before = everything(server.dir.path());
        let above = everything_above(server.dir.path());
        Scene { server, before, above }
    }

    async fn ask(&self, method: &str, target: &str, more: &str, body: &[u8]) -> (u16, String) {
        let (status, told) = raw(&self.server, method, target, more, body).await;
        (status, String::from_utf8_lossy(&told).into_owned())
    }

    /// Every new file has a name of the service's own making, and nothing is where it should not be.
    async fn end(self) {
        let shape = |path: &Path| {
            let below = path.strip_prefix(self.server.dir.path().join("data")).expect("below the data directory");
            let name = below.to_str().expect("a name of our own making");
            let hex = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
            assert!(name.split('/').all(hex) && !name.contains("outside"), "{name}");
        };
        let after = everything(self.server.dir.path());
        assert!(after.len() > self.before.len(), "some became files");
        after.difference(&self.before).for_each(|path| shape(path));
        assert_eq!(everything_above(self.server.dir.path()), self.above);
        self.server.stop_and_check().await;
    }
}

/// The code of an error document.
fn code(told: &str) -> &str {
    told.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code)
}

#[tokio::test]
async fn no_name_leads_out_of_the_data_directory() {
    let scene = Scene::start().await;
    let (mut kept, mut refused) = (0, 0);
    for (at, name) in NAMES.iter().enumerate() {
        for dialect in ["", AMAZON] {
            let target = format!("/films/{name}");
            match raw(&scene.server, "PUT", &target, dialect, &body(at)).await.0 {
                200 => {
                    kept += 1;
                    let (status, got) = raw(&scene.server, "GET", &target, dialect, b"").await;
                    assert!(status == 200 && got == body(at), "{name} reads back as another: {status}");
                }
                400 => refused += 1,
                status => panic!("{name}: {status}"),
            }
        }
        // As a bucket, a channel or a playlist it is refused, or names nothing.
        for (method, target) in [
            ("PUT", format!("/{name}/k")),
            ("PUT", format!("/{name}")),
            ("PUT", format!("/films/{name}?live")),
            ("POST", format!("/films/cam/{name}?vod&startTime=1&endTime=2")),
        ] {
            let (status, told) = scene.ask(method, &target, "", b"").await;
            assert!(
                (400..500).contains(&status) || told.is_empty() && target == "/films/..",
                "{method} {target}: {status} {told}"
            );
        }
    }
    assert!(kept > 20 && refused > 0, "{kept} kept, {refused} refused");
    scene.end().await;
}

/// A form's key, and the keys of uploads by parts: the object is there under that very name, or the name is refused.
#[tokio::test]
async fn no_name_of_a_form_or_an_upload_leads_out() {
    let scene = Scene::start().await;
    for (at, name) in NAMES.iter().enumerate() {
        let target = format!("/films/{name}");
        // What a form holds is no URL: the name as it is, and the bytes that it stands for.
        for key in [name.as_bytes().to_vec(), decoded(name)] {
            let encoded = percent_encoding::percent_encode(&key, percent_encoding::NON_ALPHANUMERIC).to_string();
            for dialect in [OSS, AMAZON] {
                let form = [
                    b"--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n",
                    key.as_slice(),
                    b"\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../outside\"\r\n\r\n",
                    &body(at),
                    b"\r\n--b--\r\n",
                ]
                .concat();
                let kind = format!("{dialect}Content-Type: multipart/form-data; boundary=b\r\n");
                let (status, told) = scene.ask("POST", "/films", &kind, &form).await;
                match status {
                    204 => {
                        let (_, got) = raw(&scene.server, "GET", &format!("/films/{encoded}"), dialect, b"").await;
                        assert_eq!(got, body(at), "{name} of a form reads back as another");
                    }
                    400 => assert!(FORM_REFUSALS.contains(&code(&told)), "{name} of a form: {told}"),
                    status => panic!("{name} of a form: {status} {told}"),
                }
                assert!(status == 400 || is_key(&key) || dialect == AMAZON, "{name} is no key");
            }
        }
        for dialect in [OSS, AMAZON] {
            let (status, told) = scene.ask("POST", &format!("{target}?uploads"), dialect, b"").await;
            if status != 200 {
                assert!(status == 400 && NAME_REFUSALS.contains(&code(&told)), "{name} of an upload: {status} {told}");
                continue;
            }
            let id = told.split_once("<UploadId>").and_then(|(_, rest)| rest.split_once('<')).expect("an id").0;
            let (status, told) =
                scene.ask("PUT", &format!("{target}?partNumber=1&uploadId={id}"), dialect, &body(at)).await;
            assert_eq!(status, 200, "{name}: {told}");
            let tag = hex::encode(<md5::Md5 as md5::Digest>::digest(body(at)));
            let parts = format!(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"{tag}\"</ETag></Part>\
                 </CompleteMultipartUpload>"
            );
            let (status, told) = scene.ask("POST", &format!("{target}?uploadId={id}"), dialect, parts.as_bytes()).await;
            assert_eq!(status, 200, "{name}: {told}");
            let (_, got) = raw(&scene.server, "GET", &target, dialect, b"").await;
            assert_eq!(got, body(at), "{name} of an upload reads back as another");
        }
    }
    scene.end().await;
}

/// Words for a name that no object may have.
const NAME_REFUSALS: [&str; 4] = ["InvalidObjectName", "InvalidURI", "InvalidArgument", "KeyTooLongError"];
/// A form may also be no form any more, with such a name in it.
const FORM_REFUSALS: [&str; 5] =
    ["InvalidObjectName", "InvalidURI", "InvalidArgument", "KeyTooLongError", "MalformedPOSTRequest"];

/// What a link leads to, what is copied and what a list deletes: an object of that very name, or nothing.
#[tokio::test]
async fn no_name_of_a_link_a_copy_or_a_list_leads_out() {
    let scene = Scene::start().await;
    for (at, name) in NAMES.iter().enumerate() {
        let target = format!("/films/{name}");
        let there = raw(&scene.server, "PUT", &target, "", &body(at)).await.0 == 200;
        let (status, told) =
            scene.ask("PUT", "/films/link?symlink", &format!("x-oss-symlink-target: {name}\r\n"), b"").await;
        assert_eq!(status == 200, is_key(&decoded(name)), "a link to {name}: {status} {told}");
        if status == 200 {
            let (status, got) = raw(&scene.server, "GET", "/films/link", "", b"").await;
            assert!(status == 200 && got == body(at) || !there && status == 404, "a link to {name}: {status}");
        } else {
            assert_eq!((status, code(&told)), (400, "InvalidArgument"), "a link to {name}");
        }

        for (copy, header) in [("oss", "x-oss-copy-source"), ("s3", "x-amz-copy-source")] {
            for source in
                [format!("/films/{name}"), format!("films/{name}"), format!("/films/../{name}"), format!("/{name}")]
            {
                let to = format!("/films/copy-{copy}");
                let (status, told) = scene.ask("PUT", &to, &format!("{header}: {source}\r\n"), b"").await;
                match status {
                    200 => {
                        let (_, got) = raw(&scene.server, "GET", &to, "", b"").await;
                        assert_eq!(got, body(at), "a copy of {source} is of another");
                        assert!(there && source.ends_with(&format!("films/{name}")), "{source} is copied");
                    }
                    400 | 404 => assert_ne!(code(&told), "", "{source}: {told}"),
                    status => panic!("a copy of {source}: {status} {told}"),
                }
                assert!(status == 200 || !there || !source.ends_with(&format!("films/{name}")), "{source}: {told}");
            }
        }

        let list = format!("<Delete><EncodingType>url</EncodingType><Object><Key>{name}</Key></Object></Delete>");
        let plain: String =
            String::from_utf8_lossy(&decoded(name)).chars().map(|c| format!("&#{};", u32::from(c))).collect();
        let plain = format!("<Delete><Object><Key>{plain}</Key></Object></Delete>");
        for (dialect, list) in [(OSS, &list), (OSS, &plain), (AMAZON, &plain)] {
            use base64::Engine;
            let digest = <md5::Md5 as md5::Digest>::digest(list.as_bytes());
            let digest = base64::engine::general_purpose::STANDARD.encode(digest);
            let more = format!("{dialect}Content-MD5: {digest}\r\n");
            let (status, told) = scene.ask("POST", "/films?delete", &more, list.as_bytes()).await;
            assert!(status == 200 || status == 400 && !code(&told).is_empty(), "{list}: {status} {told}");
        }
        if there && is_key(&decoded(name)) && !decoded(name).iter().any(u8::is_ascii_control) {
            let (status, _) = scene.ask("GET", &target, "", b"").await;
            assert_eq!(status, 404, "{name} was on the list");
        }
    }
    scene.end().await;
}

/// Over RTMP: the application's name, the stream's, and that of a playlist.
#[tokio::test]
async fn no_name_of_a_publish_leads_out() {
    let scene = Scene::start().await;
    let owner = scene.server.client();
    let configuration = "<LiveChannelConfiguration><Target><Type>HLS</Type></Target></LiveChannelConfiguration>";
    owner.put("/films/cam?live", configuration).await.expect(200);
    let addr = scene.server.addr();
    let tags = capture("ffmpeg_h264_only.flv");
    for name in NAMES {
        let bytes = String::from_utf8_lossy(&decoded(name)).into_owned();
        for name in [(*name).to_owned(), bytes] {
            let signed = signed_query("films", &name);
            for (app, stream) in [
                (name.clone(), format!("cam?{signed}")),
                (format!("{name}/live"), format!("cam?{signed}")),
                (format!("live/{name}"), format!("cam?{signed}")),
                ("films/live".to_owned(), format!("{name}?{signed}")),
                ("films/live".to_owned(), format!("cam/{name}?{signed}")),
                ("live".to_owned(), format!("{name}/cam?{signed}")),
                // Everybody may publish here, but for the owner's say over channels.
                ("films/live".to_owned(), name.clone()),
            ] {
                let (_publisher, answer) = Publisher::open(addr, &app, &stream).await;
                let Answer::Refused(status, told) = answer else { panic!("{app:?} {stream:?}: {answer:?}") };
                let code = told.split(':').next().unwrap_or_default();
                assert!(
                    status.starts_with("NetStream.Publish.") && PUBLISH_REFUSALS.contains(&code),
                    "{app} {stream}: {told}"
                );
            }
            // A playlist is an object below the channel, and a name is refused that would make it anything else.
            let playlist = format!("{name}.m3u8");
            let params = [("playlistName".to_owned(), playlist.clone())];
            let expires = 4_000_000_000;
            let (id, secret) = super::support::KEY;
            let query = livebucket::auth::rtmp_url::publish_query(id, secret, "films", "cam", expires, &params);
            let (mut publisher, answer) = Publisher::open(addr, "films/live", &format!("cam?{query}")).await;
            match answer {
                Answer::Published => {
                    assert!(!playlist.contains('/'), "{playlist}");
                    publisher.send(&tags).await;
                    publisher.finish().await;
                    let encoded = percent_encoding::utf8_percent_encode(&playlist, percent_encoding::NON_ALPHANUMERIC);
                    let target = format!("/films/cam/{encoded}");
                    super::support::eventually("the playlist", || async {
                        let (status, told) = scene.ask("GET", &target, "", b"").await;
                        (status == 200 && told.starts_with("#EXTM3U") && is_idle(&owner).await).then_some(())
                    })
                    .await;
                }
                Answer::Refused(_, told) => assert!(told.starts_with("InvalidArgument"), "{playlist}: {told}"),
                Answer::Closed => panic!("{playlist}: closed without a word"),
            }
        }
    }
    scene.end().await;
}

async fn is_idle(owner: &Client) -> bool {
    owner.get("/films/cam?live&comp=stat").await.expect(200).text().contains("<Status>Idle</Status>")
}

/// Words for a publish to what is not there, or to no name at all.
const PUBLISH_REFUSALS: [&str; 5] =
    ["NoSuchBucket", "NoSuchLiveChannel", "InvalidChannelName", "SignatureDoesNotMatch", "AccessDenied"];

/// What stands beside the directory under a name of the table's.
fn everything_above(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in root.ancestors().skip(1) {
        found.extend(["outside", "outside.ts"].map(|name| folder.join(name)).into_iter().filter(|path| path.exists()));
    }
    found
}
