//! Symlinks, storage classes and restores over the wire.

use super::harness::{Call, NOW_TEXT, Reply, Running, Socket, Who};
use crate::clock::Wall;

const DAY_MS: u64 = 86_400_000;

async fn stored(socket: &mut Socket, key: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let call = headers.iter().fold(Call::new("PUT", key).body(body), |call, (name, value)| call.header(name, value));
    let reply = socket.call(call).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply
}

fn link(key: &str, target: &str) -> Call {
    Call::new("PUT", &format!("{key}?symlink")).header("x-oss-symlink-target", target)
}

fn copy(to: &'static str, from: &str) -> Call {
    Call::new("PUT", to).header("x-oss-copy-source", &format!("/examplebucket/{from}"))
}

async fn acl(socket: &mut Socket, key: &str, acl: &str) {
    let put = Call::new("PUT", &format!("{key}?acl")).header("x-oss-object-acl", acl);
    socket.call(put).await.assert_empty(200);
}

// ---- symlinks ------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_symlink_is_read_through() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let target = stored(&mut socket, "/dir/a%20b%2B", &[("Content-Type", "text/plain")], "hello").await;
    running.clock.advance(std::time::Duration::from_secs(60));
    let made = link("/link", "dir/a%20b%2B").header("Content-Type", "video/mp2t").header("x-oss-meta-a", "1");
    let made = socket.call(made.header("x-oss-tagging", "a=1&b=2")).await;
    made.assert_empty(200);
    // MD5 of the target's name.
    assert_eq!(made.header("etag"), Some("\"39C7370F6ACB5F5E08DD5AE14A400146\""));
    assert_ne!(made.header("etag"), target.header("etag"));

    let told = socket.call(Call::new("GET", "/link?symlink")).await;
    told.assert_empty(200);
    assert_eq!(told.header("x-oss-symlink-target"), Some("dir/a%20b%2B"));
    assert_eq!(told.header("etag"), made.header("etag"));
    assert_eq!(told.header("last-modified"), Some("Tue, 14 Nov 2023 22:14:20 GMT"));

    let got = socket.call(Call::new("GET", "/link")).await;
    let head = socket.call(Call::new("HEAD", "/link")).await;
    assert_eq!((got.status, got.text().as_str(), head.status), (200, "hello", 200));
    for reply in [&got, &head] {
        for (name, value) in [
            ("x-oss-object-type", "Symlink"),
            ("content-type", "video/mp2t"),
            ("x-oss-meta-a", "1"),
            ("x-oss-tagging-count", "2"),
            ("content-length", "5"),
            ("etag", "\"5D41402ABC4B2A76B9719D911017C592\""),
            ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
            ("last-modified", "Tue, 14 Nov 2023 22:14:20 GMT"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{name}");
        }
    }
    // Conditions and ranges are about what is sent.
    let same = Call::new("GET", "/link").header("If-None-Match", "\"5D41402ABC4B2A76B9719D911017C592\"");
    assert_eq!(socket.call(same).await.status, 304);
    let part = socket.call(Call::new("GET", "/link").header("Range", "bytes=1-2")).await;
    assert_eq!((part.status, part.text().as_str()), (206, "el"));
    // GetObjectMeta and ACLs speak of the link itself.
    let meta = socket.call(Call::new("HEAD", "/link?objectMeta")).await;
    assert_eq!((meta.header("etag"), meta.header("content-length")), (made.header("etag"), Some("0")));
    acl(&mut socket, "/link", "public-read").await;
    assert_eq!(socket.call(Call::new("GET", "/link?acl")).await.element("Grant"), "public-read");
    // The later time of the two is told.
    running.clock.advance(std::time::Duration::from_secs(60));
    stored(&mut socket, "/dir/a%20b%2B", &[], "newer").await;
    let got = socket.call(Call::new("GET", "/link")).await;
    assert_eq!((got.text().as_str(), got.header("last-modified")), ("newer", Some("Tue, 14 Nov 2023 22:15:20 GMT")));
    assert_eq!(NOW_TEXT, "Tue, 14 Nov 2023 22:13:20 GMT");
    let list = socket.call(Call::new("GET", "/?prefix=link")).await.text();
    assert!(list.contains("<Type>Symlink</Type><Size>0</Size><StorageClass>Standard</StorageClass>"), "{list}");
    // Deleting and overwriting are about the link.
    socket.call(Call::new("DELETE", "/link")).await.assert_empty(204);
    assert_eq!(socket.call(Call::new("GET", "/dir/a%20b%2B")).await.text(), "newer");
}

#[tokio::test]
async fn a_symlink_that_leads_nowhere_says_so() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    // A target need not be there when the link is made.
    socket.call(link("/link", "missing")).await.assert_empty(200);
    socket.call(link("/second", "link")).await.assert_empty(200);
    socket.call(link("/itself", "itself")).await.assert_empty(200);
    for (key, status, code) in [
        ("/link", 404, "SymlinkTargetNotExist"),
        ("/second", 400, "InvalidTargetType"),
        ("/itself", 400, "InvalidTargetType"),
    ] {
        socket.call(Call::new("GET", key)).await.assert_error(status, code, None);
        assert_eq!(socket.call(Call::new("HEAD", key)).await.status, status);
        socket.call(Call::new("HEAD", &format!("{key}?objectMeta"))).await.assert_empty(200);
    }
    stored(&mut socket, "/missing", &[], "x").await;
    assert_eq!(socket.call(Call::new("GET", "/link")).await.text(), "x");
    socket.call(Call::new("GET", "/missing?symlink")).await.assert_error(400, "NotSymlink", None);
    socket.call(Call::new("GET", "/none?symlink")).await.assert_error(404, "NoSuchKey", Some("0026-00000001"));
}

#[tokio::test]
async fn a_symlink_is_made_by_the_rules_of_an_upload() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let bare = socket.call(Call::new("PUT", "/link?symlink")).await;
    bare.assert_error(400, "MissingArgument", None);
    let long = "x".repeat(1024);
    for target in ["", "/a", "%5Ca", "%FF", long.as_str()] {
        let refused = socket.call(link("/link", target)).await;
        refused.assert_error(400, "InvalidArgument", None);
        assert_eq!(refused.element("ArgumentName"), "x-oss-symlink-target");
    }
    assert_eq!(socket.call(Call::new("HEAD", "/link?objectMeta")).await.status, 404);
    stored(&mut socket, "/a", &[], "x").await;
    let careful = |key: &str| link(key, "a").header("x-oss-forbid-overwrite", "true");
    socket.call(careful("/a")).await.assert_error(409, "FileAlreadyExists", Some("0026-00000002"));
    socket.call(careful("/link")).await.assert_empty(200);
    socket.call(careful("/link")).await.assert_error(409, "FileAlreadyExists", Some("0026-00000002"));
    socket.call(link("/link", "b")).await.assert_empty(200);
    let told = socket.call(Call::new("GET", "/link?symlink")).await;
    assert_eq!(told.header("x-oss-symlink-target"), Some("b"));
    let append = Call::new("POST", "/link?append&position=0").body("x");
    socket.call(append).await.assert_error(409, "ObjectNotAppendable", Some("0026-00000017"));
    socket.call(link("/new", "a").by(Who::Anonymous)).await.assert_error(403, "AccessDenied", Some("0003-00000001"));
    // A PUT over it makes it an object again.
    stored(&mut socket, "/link", &[], "plain").await;
    assert_eq!(socket.call(Call::new("HEAD", "/link")).await.header("x-oss-object-type"), Some("Normal"));
}

#[tokio::test]
async fn who_follows_a_symlink_may_read_both() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    stored(&mut socket, "/a", &[], "x").await;
    socket.call(link("/link", "a")).await.assert_empty(200);
    let anonymous = |method, target: &str| running.call(Call::new(method, target).by(Who::Anonymous));
    for (own, targets, status) in [
        ("private", "public-read", 403),
        ("public-read", "private", 403),
        ("public-read", "public-read", 200),
        ("default", "default", 403),
    ] {
        acl(&mut socket, "/link", own).await;
        acl(&mut socket, "/a", targets).await;
        assert_eq!(anonymous("GET", "/link").await.status, status, "{own} {targets}");
        assert_eq!(anonymous("HEAD", "/link").await.status, status, "{own} {targets}");
    }
    // Where it leads is the link's to tell. What is behind it is told to nobody else, not even that it is missing.
    acl(&mut socket, "/link", "public-read").await;
    assert_eq!(anonymous("GET", "/link?symlink").await.status, 200);
    socket.call(Call::new("DELETE", "/a")).await.assert_empty(204);
    assert_eq!(anonymous("GET", "/link").await.status, 403);
}

#[tokio::test]
async fn a_copy_of_a_symlink_is_a_symlink_and_a_part_of_one_is_bytes() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    stored(&mut socket, "/a", &[], "hello").await;
    socket.call(link("/link", "a").header("x-oss-meta-a", "1")).await.assert_empty(200);
    let copied = socket.call(copy("/copy", "link")).await;
    assert_eq!(copied.status, 200, "{}", copied.text());
    let told = socket.call(Call::new("GET", "/copy?symlink")).await;
    assert_eq!(told.header("x-oss-symlink-target"), Some("a"));
    assert_eq!(Some(copied.element("ETag").replace("&quot;", "\"").as_str()), told.header("etag"));
    let got = socket.call(Call::new("GET", "/copy")).await;
    assert_eq!((got.text().as_str(), got.header("x-oss-meta-a")), ("hello", Some("1")));
    // In another bucket the target is that bucket's.
    running.call(Call::new("PUT", "/").bucket("films")).await.assert_empty(200);
    let away = Call::new("PUT", "/copy").bucket("films").header("x-oss-copy-source", "/examplebucket/link");
    assert_eq!(running.call(away).await.status, 200);
    let lost = running.call(Call::new("GET", "/copy").bucket("films")).await;
    lost.assert_error(404, "SymlinkTargetNotExist", None);

    let upload = socket.call(Call::new("POST", "/big?uploads")).await.element("UploadId");
    let target = format!("/big?partNumber=1&uploadId={upload}");
    let part = Call::new("PUT", &target).header("x-oss-copy-source", "/examplebucket/link");
    assert_eq!(socket.call(part).await.status, 200);
    let complete = Call::new("POST", &format!("/big?uploadId={upload}")).header("x-oss-complete-all", "yes");
    assert_eq!(socket.call(complete).await.status, 200);
    assert_eq!(socket.call(Call::new("GET", "/big")).await.text(), "hello");
}

// ---- storage classes -----------------------------------------------------------------------------------------

#[tokio::test]
async fn the_class_of_an_object_is_told_wherever_it_is_shown() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let with = |class: &'static str| [("x-oss-storage-class", class)];
    stored(&mut socket, "/put", &with("IA"), "12").await;
    let append = Call::new("POST", "/log?append&position=0").body("123").header("x-oss-storage-class", "ColdArchive");
    assert_eq!(socket.call(append).await.status, 200);
    let init = Call::new("POST", "/big?uploads").header("x-oss-storage-class", "DeepColdArchive");
    let upload = socket.call(init).await.element("UploadId");
    let list = socket.call(Call::new("GET", "/?uploads")).await;
    assert_eq!(list.element("StorageClass"), "DeepColdArchive");
    let parts = socket.call(Call::new("GET", &format!("/big?uploadId={upload}"))).await;
    assert_eq!(parts.element("StorageClass"), "DeepColdArchive");
    let part = Call::new("PUT", &format!("/big?partNumber=1&uploadId={upload}")).body("1234");
    assert_eq!(socket.call(part).await.status, 200);
    let complete = Call::new("POST", &format!("/big?uploadId={upload}")).header("x-oss-complete-all", "yes");
    assert_eq!(socket.call(complete).await.status, 200);
    socket.call(link("/link", "put").header("x-oss-storage-class", "IA")).await.assert_empty(200);
    let copied = copy("/copy", "put").header("x-oss-storage-class", "Archive");
    assert_eq!(socket.call(copied).await.status, 200);

    let list = socket.call(Call::new("GET", "/?list-type=2")).await.text();
    for (key, class, size) in [
        ("put", "IA", 2),
        ("log", "ColdArchive", 3),
        ("big", "DeepColdArchive", 4),
        ("copy", "Archive", 2),
        ("link", "IA", 0),
    ] {
        let head = socket.call(Call::new("HEAD", &format!("/{key}"))).await;
        assert_eq!((head.status, head.header("x-oss-storage-class")), (200, Some(class)), "{key}");
        let contents = list.split("<Contents>").find(|entry| entry.contains(&format!("<Key>{key}</Key>")));
        let contents = contents.unwrap_or_else(|| panic!("{key} in {list}"));
        let end = format!("<Size>{size}</Size><StorageClass>{class}</StorageClass></Contents>");
        assert!(contents.contains(&end), "{contents}");
    }
    let stat = socket.call(Call::new("GET", "/?stat")).await;
    for (name, value) in [
        ("Storage", "11"),
        ("StandardStorage", "0"),
        ("StandardObjectCount", "0"),
        ("InfrequentAccessStorage", "2"),
        ("InfrequentAccessObjectCount", "2"),
        ("ArchiveStorage", "2"),
        ("ColdArchiveStorage", "3"),
        ("ColdArchiveRealStorage", "3"),
        ("DeepColdArchiveObjectCount", "1"),
    ] {
        assert_eq!(stat.element(name), value, "{name}");
    }
    let unknown = Call::new("PUT", "/x").body("x").header("x-oss-storage-class", "GLACIER");
    socket.call(unknown).await.assert_error(400, "InvalidArgument", None);
}

#[tokio::test]
async fn a_copy_onto_itself_changes_the_class() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    stored(&mut socket, "/a", &[("x-oss-meta-a", "1")], "hello").await;
    let to = |class: &str| copy("/a", "a").header("x-oss-storage-class", class);
    assert_eq!(socket.call(to("IA")).await.status, 200);
    let got = socket.call(Call::new("GET", "/a")).await;
    assert_eq!((got.text().as_str(), got.header("x-oss-storage-class")), ("hello", Some("IA")));
    assert_eq!(got.header("x-oss-meta-a"), Some("1"));
    assert_eq!(socket.call(to("Archive")).await.status, 200);
    // Back only after a restore.
    socket.call(to("Standard")).await.assert_error(403, "InvalidObjectState", None);
    socket.call(Call::new("POST", "/a?restore")).await.assert_empty(202);
    assert_eq!(socket.call(to("Standard")).await.status, 200);
    let head = socket.call(Call::new("HEAD", "/a")).await;
    assert_eq!((head.header("x-oss-storage-class"), head.header("x-oss-restore")), (Some("Standard"), None));
}

#[tokio::test]
async fn a_buckets_class_is_that_of_what_is_put_without_one() {
    let running = Running::start().await;
    let body = |class: &str| {
        format!("<CreateBucketConfiguration><StorageClass>{class}</StorageClass></CreateBucketConfiguration>")
    };
    let call = |method, target: &str| Call::new(method, target).bucket("cold");
    running.call(call("PUT", "/").body(body("IA"))).await.assert_empty(200);
    // Again with the same class or with none; not with another.
    running.call(call("PUT", "/").body(body("IA"))).await.assert_empty(200);
    running.call(call("PUT", "/")).await.assert_empty(200);
    let other = running.call(call("PUT", "/").body(body("Standard"))).await;
    other.assert_error(409, "BucketAlreadyExists", Some("0015-00000104"));
    assert_eq!(running.call(call("GET", "/?bucketInfo")).await.element("StorageClass"), "IA");
    let list = running.call(Call::new("GET", "/").service()).await.text();
    assert!(list.contains("<Name>cold</Name><Region>cn-hangzhou</Region><StorageClass>IA</StorageClass>"), "{list}");
    for (target, class, expected) in [("/a", None, "IA"), ("/b", Some("Standard"), "Standard")] {
        let put = call("PUT", target).body("x");
        let put = class.into_iter().fold(put, |put, class| put.header("x-oss-storage-class", class));
        assert_eq!(running.call(put).await.status, 200);
        let head = running.call(call("HEAD", target)).await;
        assert_eq!(head.header("x-oss-storage-class"), Some(expected));
    }
}

// ---- restore -------------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_archived_object_is_read_after_a_restore_until_it_is_over() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    stored(&mut socket, "/a", &[("x-oss-storage-class", "Archive")], "hello").await;
    socket.call(link("/link", "a")).await.assert_empty(200);
    let frozen = async |socket: &mut Socket| {
        for key in ["/a", "/link"] {
            socket.call(Call::new("GET", key)).await.assert_error(403, "InvalidObjectState", None);
            let head = socket.call(Call::new("HEAD", key)).await;
            assert_eq!((head.status, head.header("x-oss-restore")), (200, None));
            assert_eq!(head.header("x-oss-storage-class"), Some("Archive"));
        }
        socket.call(copy("/copy", "a")).await.assert_error(403, "InvalidObjectState", None);
        let list = socket.call(Call::new("GET", "/")).await.text();
        assert!(!list.contains("RestoreInfo"), "{list}");
    };
    frozen(&mut socket).await;

    socket.call(Call::new("POST", "/a?restore")).await.assert_empty(202);
    let told = "ongoing-request=\"false\", expiry-date=\"Wed, 15 Nov 2023 22:13:20 GMT\"";
    for key in ["/a", "/link"] {
        let got = socket.call(Call::new("GET", key)).await;
        assert_eq!((got.status, got.text().as_str(), got.header("x-oss-restore")), (200, "hello", Some(told)));
        assert_eq!(socket.call(Call::new("HEAD", key)).await.header("x-oss-restore"), Some(told));
    }
    assert_eq!(socket.call(copy("/copy", "a")).await.status, 200);
    let list = socket.call(Call::new("GET", "/?prefix=a")).await;
    assert_eq!(list.element("RestoreInfo"), told, "{}", list.text());

    // Again while it lasts: longer.
    let week = "<RestoreRequest><Days>7</Days><JobParameters><Tier>Standard</Tier></JobParameters></RestoreRequest>";
    socket.call(Call::new("POST", "/a?restore").body(week)).await.assert_empty(200);
    socket.call(Call::new("POST", "/a?restore")).await.assert_empty(200);
    running.clock.advance(std::time::Duration::from_millis(7 * DAY_MS - 1));
    // Signatures are of their own time; the store's clock is what counts.
    let at = Wall(super::harness::NOW.0 + i64::try_from(7 * DAY_MS - 1).expect("a week"));
    let mut socket = running.connect().await;
    assert_eq!(socket.call(Call::new("GET", "/a").at(at)).await.text(), "hello");
    running.clock.advance(std::time::Duration::from_millis(1));
    let at = Wall(at.0 + 1);
    socket.call(Call::new("GET", "/a").at(at)).await.assert_error(403, "InvalidObjectState", None);
    socket.call(Call::new("POST", "/a?restore").at(at)).await.assert_empty(202);
    assert_eq!(socket.call(Call::new("GET", "/a").at(at)).await.text(), "hello");
}

#[tokio::test]
async fn a_restore_of_what_needs_none_is_refused() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    stored(&mut socket, "/a", &[], "hello").await;
    stored(&mut socket, "/rare", &[("x-oss-storage-class", "IA")], "hello").await;
    stored(&mut socket, "/cold", &[("x-oss-storage-class", "ColdArchive")], "hello").await;
    for key in ["/a?restore", "/rare?restore"] {
        socket.call(Call::new("POST", key)).await.assert_error(400, "OperationNotSupported", None);
    }
    socket.call(Call::new("POST", "/none?restore")).await.assert_error(404, "NoSuchKey", Some("0026-00000001"));
    for (body, code) in [
        ("<RestoreRequest><Days>0</Days></RestoreRequest>", "InvalidArgument"),
        ("<RestoreRequest><Days>366</Days></RestoreRequest>", "InvalidArgument"),
        ("<RestoreRequest>", "MalformedXML"),
    ] {
        socket.call(Call::new("POST", "/cold?restore").body(body)).await.assert_error(400, code, None);
    }
    let anonymous = running.call(Call::new("POST", "/cold?restore").by(Who::Anonymous)).await;
    anonymous.assert_error(403, "AccessDenied", Some("0003-00000001"));
    assert_eq!(socket.call(Call::new("HEAD", "/cold")).await.header("x-oss-restore"), None);
}
