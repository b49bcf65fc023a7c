//! Versions over the OSS dialect: what each call does to a history, and what it says of it.

use super::harness::*;

/// Enables, or suspends, what `status` says.
async fn versioning(socket: &mut Socket, status: &str) {
    let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    socket.call(Call::new("PUT", "/?versioning").body(body)).await.assert_empty(200);
}

/// Puts an object and gives back its version.
async fn put(socket: &mut Socket, target: &str, body: &str) -> String {
    let reply = socket.call(Call::new("PUT", target).body(body)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("x-oss-version-id").unwrap_or_default().to_owned()
}

async fn get(socket: &mut Socket, target: &str) -> Reply {
    socket.call(Call::new("GET", target)).await
}

fn marker(reply: &Reply) -> (Option<&str>, Option<&str>) {
    (reply.header("x-oss-delete-marker"), reply.header("x-oss-version-id"))
}

/// The version ids of a listing, in order; a marker's with a dash, the newest with a star.
async fn listed(socket: &mut Socket, query: &str) -> Vec<String> {
    let reply = get(socket, &format!("/?versions{query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let text = reply.text();
    let mut entries = Vec::new();
    for part in text.split("<VersionId>").skip(1) {
        let (id, rest) = part.split_once("</VersionId>").expect("closed");
        let star = if rest.starts_with("<IsLatest>true") { "*" } else { "" };
        let is_marker = rest.find("</DeleteMarker>").is_some_and(|at| rest.find("</Version>").is_none_or(|v| at < v));
        entries.push(format!("{id}{}{star}", if is_marker { "-" } else { "" }));
    }
    entries
}

#[tokio::test]
async fn versioning_is_off_until_it_is_enabled_and_never_off_again() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let status = get(&mut socket, "/?versioning").await;
    assert!(status.text().ends_with("<VersioningConfiguration></VersioningConfiguration>"), "{}", status.text());
    assert_eq!(put(&mut socket, "/a", "x").await, "", "no version is spoken of");
    assert_eq!(marker(&get(&mut socket, "/a").await), (None, None));
    assert_eq!(marker(&socket.call(Call::new("DELETE", "/a")).await), (None, None));
    assert!(!get(&mut socket, "/?bucketInfo").await.text().contains("Versioning"));
    for wrong in ["", "Disabled", "enabled"] {
        let body = format!("<VersioningConfiguration><Status>{wrong}</Status></VersioningConfiguration>");
        let reply = socket.call(Call::new("PUT", "/?versioning").body(body)).await;
        reply.assert_error(400, "MalformedXML", None);
    }
    for who in [Who::Anonymous, Who::Other] {
        let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        assert_eq!(socket.call(Call::new("PUT", "/?versioning").body(body).by(who)).await.status, 403);
        assert_eq!(socket.call(Call::new("GET", "/?versioning").by(who)).await.status, 403);
        assert_eq!(socket.call(Call::new("GET", "/?versions").by(who)).await.status, 403);
    }
    for status in ["Enabled", "Suspended", "Enabled"] {
        versioning(&mut socket, status).await;
        assert_eq!(get(&mut socket, "/?versioning").await.element("Status"), status);
        assert_eq!(get(&mut socket, "/?bucketInfo").await.element("Versioning"), status);
    }
}

#[tokio::test]
async fn each_version_is_read_by_its_id_and_the_newest_without_one() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    put(&mut socket, "/a", "old").await;
    versioning(&mut socket, "Enabled").await;
    let first = put(&mut socket, "/a", "first").await;
    let second = put(&mut socket, "/a", "second!").await;
    assert!(first.len() == 32 && first != second, "{first} {second}");
    for (version, body) in [("null", "old"), (&first, "first"), (&second, "second!"), (&first.to_lowercase(), "first")]
    {
        let reply = get(&mut socket, &format!("/a?versionId={version}")).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, body));
        let told = reply.header("x-oss-version-id").expect("told");
        assert!(told.eq_ignore_ascii_case(version), "{told}");
        let head = socket.call(Call::new("HEAD", &format!("/a?versionId={version}"))).await;
        assert_eq!(head.header("content-length"), Some(body.len().to_string().as_str()));
        assert_eq!(head.header("x-oss-version-id"), Some(told));
        let meta = socket.call(Call::new("HEAD", &format!("/a?objectMeta&versionId={version}"))).await;
        assert_eq!(
            (meta.header("content-length"), meta.header("x-oss-version-id")),
            (head.header("content-length"), Some(told))
        );
    }
    let newest = get(&mut socket, "/a").await;
    assert_eq!((newest.text().as_str(), newest.header("x-oss-version-id")), ("second!", Some(second.as_str())));
    let range = socket.call(Call::new("GET", &format!("/a?versionId={first}")).header("Range", "bytes=1-2")).await;
    assert_eq!((range.status, range.text().as_str()), (206, "ir"));
    let unknown = "0".repeat(32);
    for target in [format!("/a?versionId={unknown}"), format!("/none?versionId={first}"), "/none?versionId=null".into()]
    {
        let reply = get(&mut socket, &target).await;
        reply.assert_error(404, "NoSuchVersion", None);
        assert_eq!(reply.element("VersionId"), target.rsplit('=').next().expect("named"));
    }
    for wrong in ["", "x", "undefined"] {
        get(&mut socket, &format!("/a?versionId={wrong}")).await.assert_error(400, "InvalidArgument", None);
        let delete = socket.call(Call::new("DELETE", &format!("/a?versionId={wrong}"))).await;
        delete.assert_error(400, "InvalidArgument", None);
    }
    assert_eq!(get(&mut socket, "/a").await.text(), "second!", "nothing was deleted for want of a version");
}

#[tokio::test]
async fn a_delete_marker_hides_the_object_until_it_is_deleted_itself() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    versioning(&mut socket, "Enabled").await;
    let first = put(&mut socket, "/a", "first").await;
    let deleted = socket.call(Call::new("DELETE", "/a")).await;
    deleted.assert_empty(204);
    let (is_marker, id) = marker(&deleted);
    let id = id.expect("a marker's id").to_owned();
    assert!(is_marker == Some("true") && id != first);

    let missing = get(&mut socket, "/a").await;
    missing.assert_error(404, "NoSuchKey", Some("0026-00000001"));
    assert_eq!(marker(&missing), (Some("true"), Some(id.as_str())));
    let head = socket.call(Call::new("HEAD", "/a")).await;
    assert_eq!((head.status, marker(&head)), (404, (Some("true"), Some(id.as_str()))));
    for method in ["GET", "HEAD"] {
        let reply = socket.call(Call::new(method, &format!("/a?versionId={id}"))).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("DELETE")), "{method}");
        assert_eq!(marker(&reply), (Some("true"), Some(id.as_str())));
    }
    let refused = get(&mut socket, &format!("/a?versionId={id}")).await;
    refused.assert_error(405, "MethodNotAllowed", None);
    for target in ["/a?acl", "/a?tagging"] {
        let reply = get(&mut socket, &format!("{target}&versionId={id}")).await;
        reply.assert_error(405, "MethodNotAllowed", None);
    }
    let acl = Call::new("PUT", &format!("/a?acl&versionId={id}")).header("x-oss-object-acl", "private");
    socket.call(acl).await.assert_error(405, "MethodNotAllowed", None);
    assert!(!get(&mut socket, "/").await.text().contains("<Key>a</Key>"), "it is listed no more");
    assert_eq!(listed(&mut socket, "").await, [format!("{id}-*"), first.clone()]);

    let undone = socket.call(Call::new("DELETE", &format!("/a?versionId={id}"))).await;
    assert_eq!((undone.status, marker(&undone)), (204, (Some("true"), Some(id.as_str()))));
    assert_eq!(get(&mut socket, "/a").await.text(), "first");
    let gone = socket.call(Call::new("DELETE", &format!("/a?versionId={first}"))).await;
    assert_eq!((gone.status, marker(&gone)), (204, (None, Some(first.as_str()))));
    let missing = get(&mut socket, "/a").await;
    assert_eq!((missing.status, marker(&missing)), (404, (None, None)));
    assert_eq!(listed(&mut socket, "").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_suspended_bucket_replaces_the_null_version_alone() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    versioning(&mut socket, "Enabled").await;
    let first = put(&mut socket, "/a", "first").await;
    versioning(&mut socket, "Suspended").await;
    assert_eq!(put(&mut socket, "/a", "second").await, "null");
    assert_eq!(put(&mut socket, "/a", "third").await, "null");
    assert_eq!(listed(&mut socket, "").await, ["null*".to_owned(), first.clone()]);
    let deleted = socket.call(Call::new("DELETE", "/a")).await;
    assert_eq!(marker(&deleted), (Some("true"), Some("null")));
    assert_eq!(listed(&mut socket, "").await, ["null-*".to_owned(), first.clone()]);
    let undone = socket.call(Call::new("DELETE", "/a?versionId=null")).await;
    assert_eq!(marker(&undone), (Some("true"), Some("null")));
    assert_eq!(get(&mut socket, "/a").await.text(), "first");
}

#[tokio::test]
async fn settings_and_copies_speak_of_the_version_that_they_name() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    versioning(&mut socket, "Enabled").await;
    let first = put(&mut socket, "/a", "first").await;
    let second = put(&mut socket, "/a", "second").await;
    let set = Call::new("PUT", &format!("/a?acl&versionId={first}")).header("x-oss-object-acl", "public-read");
    let set = socket.call(set).await;
    assert_eq!((set.status, set.header("x-oss-version-id")), (200, Some(first.as_str())));
    for (version, grant) in [(&first, "public-read"), (&second, "default")] {
        let reply = get(&mut socket, &format!("/a?acl&versionId={version}")).await;
        assert_eq!((reply.element("Grant"), reply.header("x-oss-version-id")), (grant.into(), Some(version.as_str())));
        // Access goes by the version's own ACL.
        let read = Call::new("GET", &format!("/a?versionId={version}")).by(Who::Anonymous);
        assert_eq!(socket.call(read).await.status, if grant == "default" { 403 } else { 200 });
    }
    let tags = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
    let tagged = socket.call(Call::new("PUT", &format!("/a?tagging&versionId={first}")).body(tags)).await;
    assert_eq!((tagged.status, tagged.header("x-oss-version-id")), (200, Some(first.as_str())));
    assert_eq!(get(&mut socket, &format!("/a?tagging&versionId={first}")).await.element("Value"), "v");
    assert!(!get(&mut socket, "/a?tagging").await.text().contains("<Tag>"));
    let untagged = socket.call(Call::new("DELETE", &format!("/a?tagging&versionId={first}"))).await;
    assert_eq!((untagged.status, untagged.header("x-oss-version-id")), (204, Some(first.as_str())));
    let missing = socket.call(Call::new("PUT", &format!("/a?tagging&versionId={}", "0".repeat(32))).body(tags)).await;
    missing.assert_error(404, "NoSuchVersion", None);

    let source = format!("/examplebucket/a?versionId={first}");
    let copied = socket.call(Call::new("PUT", "/copy").header("x-oss-copy-source", &source)).await;
    assert_eq!((copied.status, copied.header("x-oss-copy-source-version-id")), (200, Some(first.as_str())));
    assert!(copied.header("x-oss-version-id").is_some_and(|id| id != first));
    assert_eq!(get(&mut socket, "/copy").await.text(), "first");
    // How an older version is made the newest again.
    let restored = socket.call(Call::new("PUT", "/a").header("x-oss-copy-source", &source)).await;
    assert_eq!(restored.status, 200);
    assert_eq!(get(&mut socket, "/a").await.text(), "first");
    assert_eq!(listed(&mut socket, "&prefix=a").await.len(), 3);
    let marker = socket.call(Call::new("DELETE", "/a")).await;
    let marker = marker.header("x-oss-version-id").expect("a marker");
    for (source, status, code) in [
        ("/examplebucket/a".to_owned(), 404, "NoSuchKey"),
        (format!("/examplebucket/a?versionId={marker}"), 405, "MethodNotAllowed"),
        (format!("/examplebucket/a?versionId={}", "0".repeat(32)), 404, "NoSuchVersion"),
        ("/examplebucket/a?versionId=".to_owned(), 400, "InvalidArgument"),
    ] {
        let refused = socket.call(Call::new("PUT", "/copy").header("x-oss-copy-source", &source)).await;
        assert_eq!((refused.status, refused.element("Code").as_str()), (status, code), "{source}");
    }
}

#[tokio::test]
async fn uploads_and_appends_in_a_versioned_bucket() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    versioning(&mut socket, "Enabled").await;
    let first = put(&mut socket, "/big", "0123456789").await;
    let upload = socket.call(Call::new("POST", "/big?uploads")).await.element("UploadId");
    let part = Call::new("PUT", &format!("/big?partNumber=1&uploadId={upload}"))
        .header("x-oss-copy-source", &format!("/examplebucket/big?versionId={first}"))
        .header("x-oss-copy-source-range", "bytes=2-5");
    put(&mut socket, "/big", "newer").await;
    let part = socket.call(part).await;
    assert_eq!((part.status, part.header("x-oss-copy-source-version-id")), (200, Some(first.as_str())));
    let complete = || Call::new("POST", &format!("/big?uploadId={upload}")).header("x-oss-complete-all", "yes");
    let done = socket.call(complete()).await;
    let version = done.header("x-oss-version-id").expect("a version").to_owned();
    assert_eq!(socket.call(complete()).await.header("x-oss-version-id"), Some(version.as_str()), "asked again");
    assert_eq!(get(&mut socket, "/big").await.text(), "2345");
    assert_eq!(listed(&mut socket, "&prefix=big").await.len(), 3);

    let append =
        |position: u32, text: &'static str| Call::new("POST", &format!("/log?append&position={position}")).body(text);
    let made = socket.call(append(0, "one ")).await;
    let version = made.header("x-oss-version-id").expect("a version").to_owned();
    let more = socket.call(append(4, "two")).await;
    assert_eq!((more.status, more.header("x-oss-version-id")), (200, Some(version.as_str())), "no version more");
    let named = Call::new("POST", &format!("/log?append&position=7&versionId={version}")).body("x");
    socket.call(named).await.assert_error(400, "InvalidArgument", None);
    socket.call(Call::new("DELETE", "/log")).await.assert_empty(204);
    assert_eq!(socket.call(append(7, "x")).await.status, 409, "the current version is a marker");
    assert_eq!(socket.call(append(0, "anew")).await.status, 200);
    assert_eq!(listed(&mut socket, "&prefix=log").await.len(), 3);
    // Where versions are kept nothing is overwritten, so nothing is forbidden.
    let forbid = Call::new("PUT", "/big").header("x-oss-forbid-overwrite", "true").body("again");
    assert_eq!(socket.call(forbid).await.status, 200);
}

#[tokio::test]
async fn many_are_deleted_by_version() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    versioning(&mut socket, "Enabled").await;
    let first = put(&mut socket, "/a", "1").await;
    let second = put(&mut socket, "/a", "2").await;
    put(&mut socket, "/b", "1").await;
    let delete = |objects: &str| Call::new("POST", "/?delete").body(format!("<Delete>{objects}</Delete>")).md5();
    let named = |key: &str, version: &str| format!("<Object><Key>{key}</Key><VersionId>{version}</VersionId></Object>");
    let both = [named("a", &first), "<Object><Key>b</Key></Object>".to_owned()].concat();
    let reply = socket.call(delete(&both)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!((reply.element("VersionId"), reply.element("DeleteMarker")), (first, "true".into()));
    let marker = reply.element("DeleteMarkerVersionId");
    assert_eq!(listed(&mut socket, "&prefix=a").await, [format!("{second}*")]);
    let reply = socket.call(delete(&named("b", &marker))).await;
    assert_eq!(reply.element("DeleteMarkerVersionId"), marker);
    assert_eq!(get(&mut socket, "/b").await.text(), "1");
    socket.call(delete(&named("a", "v1"))).await.assert_error(400, "InvalidArgument", None);
}

#[tokio::test]
async fn only_the_owner_removes_a_version_for_good() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    versioning(&mut socket, "Enabled").await;
    let acl = Call::new("PUT", "/?acl").header("x-oss-acl", "public-read-write");
    assert_eq!(socket.call(acl).await.status, 200);
    let first = put(&mut socket, "/a", "1").await;
    for who in [Who::Anonymous, Who::Other] {
        let remove = Call::new("DELETE", &format!("/a?versionId={first}")).by(who);
        assert_eq!(socket.call(remove).await.status, 403);
        let body = format!("<Delete><Object><Key>a</Key><VersionId>{first}</VersionId></Object></Delete>");
        assert_eq!(socket.call(Call::new("POST", "/?delete").body(body).md5().by(who)).await.status, 403);
        let bury = socket.call(Call::new("DELETE", "/a").by(who)).await;
        assert_eq!((bury.status, bury.header("x-oss-delete-marker")), (204, Some("true")));
    }
    assert_eq!(get(&mut socket, &format!("/a?versionId={first}")).await.text(), "1");
}

#[tokio::test]
async fn listings_page_through_a_history() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    versioning(&mut socket, "Enabled").await;
    for body in ["1", "2", "3"] {
        put(&mut socket, "/a", body).await;
        put(&mut socket, "/dir/b", body).await;
    }
    socket.call(Call::new("DELETE", "/a")).await.assert_empty(204);
    let whole = listed(&mut socket, "").await;
    assert_eq!(whole.len(), 7);
    let (mut joined, mut next) = (Vec::new(), String::new());
    loop {
        let target = format!("/?versions&max-keys=2{next}");
        let reply = get(&mut socket, &target).await;
        joined.extend(listed(&mut socket, &format!("&max-keys=2{next}")).await);
        if reply.element("IsTruncated") == "false" {
            break;
        }
        let (key, version) = (reply.element("NextKeyMarker"), reply.element("NextVersionIdMarker"));
        next = format!("&key-marker={key}&version-id-marker={version}");
    }
    assert_eq!(joined, whole);
    let rolled = get(&mut socket, "/?versions&delimiter=/").await;
    assert_eq!(rolled.element("CommonPrefixes"), "<Prefix>dir/</Prefix>");
    assert!(!rolled.text().contains("dir/b"));
    let stat = get(&mut socket, "/?stat").await;
    assert_eq!((stat.element("ObjectCount"), stat.element("DeleteMarkerCount")), ("6".into(), "1".into()));
    let refused = socket.call(Call::new("DELETE", "/")).await;
    refused.assert_error(409, "BucketNotEmpty", Some("0015-00000301"));
}
