//! Versions over the S3 dialect and across both, on a real data directory that the checker proves afterwards.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use crate::support::http::Response;
use crate::support::{Server, s3};

/// Fails unless the document has this element with this text.
#[track_caller]
fn has(document: &str, name: &str, text: &str) {
    assert!(document.contains(&format!("<{name}>{text}</{name}>")), "{name} {text}: {document}");
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers.get(name).map(|value| value.to_str().expect("ASCII").to_owned())
}

fn version(response: &Response) -> String {
    header(response, "x-amz-version-id").expect("a version")
}

fn marker(response: &Response) -> (bool, Option<String>) {
    (header(response, "x-amz-delete-marker").as_deref() == Some("true"), header(response, "x-amz-version-id"))
}

async fn versioning(s3: &s3::Client, status: &str) {
    let body = format!(
        "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>{status}</Status>\
         </VersioningConfiguration>"
    );
    s3.put("/films?versioning", body).await.expect(200);
}

async fn versioned(s3: &s3::Client) {
    s3.put("/films", "").await.expect(200);
    versioning(s3, "Enabled").await;
}

/// Version ids of a listing, in order; a marker's with a dash, the newest with a star.
async fn listed(s3: &s3::Client, query: &str) -> Vec<String> {
    let text = s3.get(&format!("/films?versions{query}")).await.expect(200).text();
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
async fn a_history_over_s3_is_kept_read_and_undone() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    let never = s3.get("/films?versioning").await.expect(200).text();
    assert!(!never.contains("Status"), "{never}");
    let old = s3.put("/films/a", "old").await.expect(200);
    assert_eq!(marker(&old), (false, None), "no version is spoken of yet");
    versioning(&s3, "Enabled").await;
    has(&s3.get("/films?versioning").await.expect(200).text(), "Status", "Enabled");

    let first = version(&s3.put("/films/a", "first").await.expect(200));
    let second = version(&s3.put("/films/a", "second!").await.expect(200));
    for (id, body) in [("null", "old"), (&first, "first"), (&second, "second!")] {
        let got = s3.get(&format!("/films/a?versionId={id}")).await.expect(200);
        assert_eq!((got.text().as_str(), version(&got).as_str()), (body, id));
        let head = s3.head(&format!("/films/a?versionId={id}")).await.expect(200);
        assert_eq!((head.header("content-length"), version(&head).as_str()), (body.len().to_string().as_str(), id));
        let target = format!("/films/a?attributes&versionId={id}");
        let wanted = [("x-amz-object-attributes", "ObjectSize")];
        let attributes = s3.send("GET", &target, &wanted, "").await.expect(200);
        has(&attributes.text(), "ObjectSize", &body.len().to_string());
        assert_eq!(version(&attributes), id);
    }
    let deleted = s3.delete("/films/a").await.expect(204);
    let (true, Some(buried)) = marker(&deleted) else { panic!("{:?}", deleted.headers) };
    let missing = s3.get("/films/a").await.expect(404);
    has(&missing.text(), "Code", "NoSuchKey");
    assert_eq!(marker(&missing), (true, Some(buried.clone())));
    for method in ["GET", "HEAD"] {
        let refused = s3.send(method, &format!("/films/a?versionId={buried}"), &[], "").await.expect(405);
        assert_eq!((refused.header("allow"), marker(&refused)), ("DELETE", (true, Some(buried.clone()))));
    }
    assert_eq!(listed(&s3, "").await, [format!("{buried}-*"), second.clone(), first.clone(), "null".into()]);
    assert!(!s3.get("/films?list-type=2").await.expect(200).text().contains("<Key>"));

    let undone = s3.delete(&format!("/films/a?versionId={buried}")).await.expect(204);
    assert_eq!(marker(&undone), (true, Some(buried)));
    assert_eq!(s3.get("/films/a").await.expect(200).text(), "second!");
    let gone = s3.delete(&format!("/films/a?versionId={second}")).await.expect(204);
    assert_eq!(marker(&gone), (false, Some(second.clone())));
    assert_eq!(s3.get("/films/a").await.expect(200).text(), "first");
    s3.delete(&format!("/films/a?versionId={second}")).await.expect(204);
    has(&s3.get(&format!("/films/a?versionId={second}")).await.expect(404).text(), "Code", "NoSuchVersion");

    versioning(&s3, "Suspended").await;
    assert_eq!(version(&s3.put("/films/a", "null again").await.expect(200)), "null");
    assert_eq!(listed(&s3, "").await, ["null*".to_owned(), first.clone()], "the older null version gave way");
    assert_eq!(marker(&s3.delete("/films/a").await.expect(204)), (true, Some("null".into())));
    assert_eq!(listed(&s3, "").await, ["null-*".to_owned(), first]);
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_version_that_is_malformed_or_has_no_meaning_is_refused() {
    let server = Server::start().await;
    let s3 = server.s3();
    versioned(&s3).await;
    s3.put("/films/a", "kept").await.expect(200);
    for (method, target) in [
        ("GET", "/films/a?versionId="),
        ("GET", "/films/a?versionId=x"),
        ("DELETE", "/films/a?versionId="),
        ("DELETE", "/films/a?versionId=undefined"),
        ("PUT", "/films/a?versionId=null"),
        ("GET", "/films?versionId=null"),
        ("GET", "/films/a?acl&versionId=x"),
        ("GET", "/films/a?tagging&versionId=x"),
        ("GET", "/films?versions&version-id-marker=null"),
        ("GET", "/films?versions&key-marker=a&version-id-marker=x"),
    ] {
        has(&s3.send(method, target, &[], "").await.expect(400).text(), "Code", "InvalidArgument");
    }
    for (target, body, code) in [
        ("/films?versioning", "<VersioningConfiguration/>", "MalformedXML"),
        ("/films?versioning", "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", "MalformedXML"),
    ] {
        has(&s3.put(target, body).await.expect(400).text(), "Code", code);
    }
    let mfa =
        "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>";
    has(&s3.put("/films?versioning", mfa).await.expect(501).text(), "Code", "NotImplemented");
    let empty = s3.send("PUT", "/films/b", &[("x-amz-copy-source", "/films/a?versionId=")], "").await;
    assert_eq!(empty.status, 400, "{}", empty.text());
    assert_eq!(s3.get("/films/a").await.expect(200).text(), "kept");
    assert_eq!(listed(&s3, "").await.len(), 1);
    server.stop_and_check().await;
}

#[tokio::test]
async fn settings_copies_and_uploads_speak_of_versions_over_s3() {
    let server = Server::start().await;
    let s3 = server.s3();
    versioned(&s3).await;
    let first = version(&s3.put("/films/a", "first").await.expect(200));
    let second = version(&s3.put("/films/a", "second").await.expect(200));
    let tags = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
    let tagged = s3.put(&format!("/films/a?tagging&versionId={first}"), tags).await.expect(200);
    assert_eq!(version(&tagged), first);
    let read = s3.get(&format!("/films/a?tagging&versionId={first}")).await.expect(200);
    has(&read.text(), "Value", "v");
    assert_eq!(version(&read), first);
    assert!(!s3.get("/films/a?tagging").await.expect(200).text().contains("<Value>"));
    let target = format!("/films/a?acl&versionId={first}");
    s3.send("PUT", &target, &[("x-amz-acl", "public-read")], "").await.expect(200);
    assert!(s3.get(&target).await.expect(200).text().contains("AllUsers"));
    assert!(!s3.get("/films/a?acl").await.expect(200).text().contains("AllUsers"));
    let open = s3.send_unsigned("GET", &format!("/films/a?versionId={first}&x-id=GetObject"), &[], "").await;
    assert_eq!(open.expect(200).text(), "first");
    s3.send_unsigned("GET", &format!("/films/a?versionId={second}&x-id=GetObject"), &[], "").await.expect(403);

    let source = format!("/films/a?versionId={first}");
    let copied = s3.send("PUT", "/films/copy", &[("x-amz-copy-source", &source)], "").await.expect(200);
    assert_eq!(copied.header("x-amz-copy-source-version-id"), first);
    assert_ne!(version(&copied), first);
    assert_eq!(s3.get("/films/copy").await.expect(200).text(), "first");

    let begun = s3.send("POST", "/films/a?uploads", &[], "").await.expect(200).text();
    let upload = begun.split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next()).expect("an id").to_owned();
    let target = format!("/films/a?partNumber=1&uploadId={upload}");
    let headers = [("x-amz-copy-source", source.as_str()), ("x-amz-copy-source-range", "bytes=1-2")];
    let part = s3.send("PUT", &target, &headers, "").await.expect(200);
    assert_eq!(part.header("x-amz-copy-source-version-id"), first);
    let etag = hex::encode(Md5::digest("ir"));
    let complete = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"{etag}\"</ETag></Part></CompleteMultipartUpload>"
    );
    let done = s3.send("POST", &format!("/films/a?uploadId={upload}"), &[], complete).await.expect(200);
    let third = version(&done);
    assert_eq!(s3.get("/films/a").await.expect(200).text(), "ir");
    assert_eq!(listed(&s3, "&prefix=a").await, [format!("{third}*"), second, first]);

    // `If-None-Match: *` asks for a key without a current object: one that is deleted is free.
    let only_new = [("if-none-match", "*")];
    s3.send("PUT", "/films/a", &only_new, "x").await.expect(412);
    s3.delete("/films/a").await.expect(204);
    s3.send("PUT", "/films/a", &only_new, "anew").await.expect(200);
    server.stop_and_check().await;
}

#[tokio::test]
async fn versions_are_listed_in_pages_and_deleted_many_at_once() {
    let server = Server::start().await;
    let s3 = server.s3();
    versioned(&s3).await;
    for n in 0..3 {
        for key in ["a", "dir/b", "z"] {
            s3.put(&format!("/films/{key}"), format!("{n}")).await.expect(200);
        }
    }
    s3.delete("/films/a").await.expect(204);
    let whole = listed(&s3, "").await;
    assert_eq!(whole.len(), 10);
    let document = s3.get("/films?versions&max-keys=2&encoding-type=url&delimiter=/").await.expect(200).text();
    for (name, text) in [
        ("Name", "films"),
        ("MaxKeys", "2"),
        ("Delimiter", "/"),
        ("EncodingType", "url"),
        ("IsTruncated", "true"),
        ("NextKeyMarker", "a"),
        ("KeyMarker", ""),
    ] {
        has(&document, name, text);
    }
    assert!(document.contains("<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"), "{document}");
    let marker = document.find("<DeleteMarker>").expect("a marker");
    assert!(marker < document.find("<Version>").expect("a version"), "in the order of the history: {document}");
    let rolled = s3.get("/films?versions&delimiter=/").await.expect(200).text();
    assert!(rolled.contains("<CommonPrefixes><Prefix>dir/</Prefix></CommonPrefixes>"), "{rolled}");
    assert!(!rolled.contains("dir/b"), "{rolled}");

    let element = |text: &str, name: &str| {
        text.split(&format!("<{name}>")).nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default().to_owned()
    };
    // As tools empty a bucket: each page is deleted, its markers with it, before the next is asked for.
    let (mut rounds, mut next) = (0, String::new());
    loop {
        let page = s3.get(&format!("/films?versions&max-keys=3{next}")).await.expect(200).text();
        let mut objects = String::new();
        for entry in page.split("<Key>").skip(1) {
            let key = entry.split('<').next().expect("text");
            let id = element(entry, "VersionId");
            objects.push_str(&format!("<Object><Key>{key}</Key><VersionId>{id}</VersionId></Object>"));
        }
        let body = format!("<Delete>{objects}</Delete>");
        let digest = STANDARD.encode(Md5::digest(&body));
        let done = s3.send("POST", "/films?delete", &[("content-md5", &digest)], body).await.expect(200).text();
        assert!(!done.contains("<Error>"), "{done}");
        assert_eq!(done.matches("<Deleted>").count(), objects.matches("<Object>").count());
        rounds += 1;
        if element(&page, "IsTruncated") == "false" {
            break;
        }
        let (key, id) = (element(&page, "NextKeyMarker"), element(&page, "NextVersionIdMarker"));
        next = format!("&key-marker={key}&version-id-marker={id}");
    }
    assert_eq!((rounds, listed(&s3, "").await.len()), (4, 0));
    s3.put("/films/a", "x").await.expect(200);
    let delete = "<Delete><Object><Key>a</Key></Object><Object><Key>a</Key><VersionId>x</VersionId></Object></Delete>";
    let digest = STANDARD.encode(Md5::digest(delete));
    let mixed = s3.send("POST", "/films?delete", &[("content-md5", &digest)], delete).await.expect(200).text();
    has(&mixed, "DeleteMarker", "true");
    has(&mixed, "Code", "InvalidArgument");
    server.stop_and_check().await;
}

#[tokio::test]
async fn both_dialects_see_one_history() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    versioned(&s3).await;
    has(&oss.get("/films?versioning").await.expect(200).text(), "Status", "Enabled");
    let first = version(&s3.put("/films/a", "over s3").await.expect(200));
    let second = header(&oss.put("/films/a", "over oss").await.expect(200), "x-oss-version-id").expect("a version");
    assert_eq!(oss.get(&format!("/films/a?versionId={first}")).await.expect(200).text(), "over s3");
    assert_eq!(s3.get(&format!("/films/a?versionId={second}")).await.expect(200).text(), "over oss");
    let deleted = oss.delete("/films/a").await.expect(204);
    let buried = header(&deleted, "x-oss-version-id").expect("a marker");
    assert_eq!(marker(&s3.get("/films/a").await.expect(404)), (true, Some(buried.clone())));
    let document = oss.get("/films?versions").await.expect(200).text();
    for id in [&buried, &second, &first] {
        has(&document, "VersionId", id);
    }
    assert!(!document.contains("xmlns"), "{document}");
    assert_eq!(listed(&s3, "").await, [format!("{buried}-*"), second.clone(), first]);
    has(&oss.delete("/films").await.expect(409).text(), "Code", "BucketNotEmpty");
    has(&s3.delete("/films").await.expect(409).text(), "Code", "BucketNotEmpty");
    s3.delete(&format!("/films/a?versionId={buried}")).await.expect(204);
    assert_eq!(oss.get("/films/a").await.expect(200).text(), "over oss");
    assert_eq!(header(&oss.head("/films/a").await.expect(200), "x-oss-version-id"), Some(second));
    server.stop_and_check().await;
}
