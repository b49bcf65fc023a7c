//! Symlinks and storage classes over both dialects.

use crate::support::http::Response;
use crate::support::s3::Client as S3Client;
use crate::support::{Client, Server};

#[track_caller]
fn has(document: &str, name: &str, text: &str) {
    assert!(document.contains(&format!("<{name}>{text}</{name}>")), "{name} {text}: {document}");
}

async fn films() -> (Server, Client, S3Client) {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    oss.put("/films", "").await.expect(200);
    (server, oss, s3)
}

#[tokio::test]
async fn a_symlink_made_over_oss_is_read_through_over_s3() {
    let (server, oss, s3) = films().await;
    s3.put("/films/a", "hello").await.expect(200);
    let target = [("x-oss-symlink-target", "a"), ("content-type", "text/plain"), ("x-oss-meta-a", "1")];
    oss.send("PUT", "/films/link?symlink", &target, "").await.expect(200);
    let got = s3.get("/films/link").await.expect(200);
    assert_eq!(
        (got.text().as_str(), got.header("content-type"), got.header("x-amz-meta-a")),
        ("hello", "text/plain", "1")
    );
    assert_eq!(got.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(s3.head("/films/link").await.expect(200).header("content-length"), "5");
    let wanted = [("x-amz-object-attributes", "ETag,ObjectSize")];
    has(&s3.send("GET", "/films/link?attributes", &wanted, "").await.expect(200).text(), "ObjectSize", "5");
    // It is listed with its own size, which is none, and its own tag.
    let list = s3.get("/films?list-type=2&prefix=link").await.expect(200).text();
    has(&list, "Key", "link");
    has(&list, "Size", "0");
    // In this dialect a copy is of what is read.
    s3.send("PUT", "/films/copy", &[("x-amz-copy-source", "/films/link")], "").await.expect(200);
    assert_eq!(oss.head("/films/copy").await.expect(200).header("x-oss-object-type"), "Normal");
    s3.delete("/films/a").await.expect(204);
    has(&s3.get("/films/link").await.expect(404).text(), "Code", "NoSuchKey");
    assert_eq!(s3.get("/films/copy").await.expect(200).text(), "hello");
    server.stop_and_check().await;
}

async fn restore(s3: &S3Client, target: &str, inside: &str) -> Response {
    s3.send("POST", target, &[], format!("<RestoreRequest>{inside}</RestoreRequest>")).await
}

#[tokio::test]
async fn classes_and_restores_are_one_over_both_dialects() {
    let (server, oss, s3) = films().await;
    for (name, class, over_oss, over_s3) in [
        ("glacier", "GLACIER", "Archive", "GLACIER"),
        ("deep", "DEEP_ARCHIVE", "DeepColdArchive", "DEEP_ARCHIVE"),
        ("rare", "ONEZONE_IA", "IA", "STANDARD_IA"),
        ("tiered", "INTELLIGENT_TIERING", "Standard", ""),
    ] {
        let target = format!("/films/{name}");
        s3.send("PUT", &target, &[("x-amz-storage-class", class)], "hello").await.expect(200);
        assert_eq!(oss.head(&target).await.expect(200).header("x-oss-storage-class"), over_oss);
        let head = s3.head(&target).await.expect(200);
        assert_eq!(head.headers.get("x-amz-storage-class").map_or("", |value| value.to_str().expect("text")), over_s3);
    }
    oss.send("PUT", "/films/cold", &[("x-oss-storage-class", "ColdArchive")], "hello").await.expect(200);
    let list = s3.get("/films?list-type=2").await.expect(200).text();
    for (name, class) in
        [("cold", "GLACIER"), ("deep", "DEEP_ARCHIVE"), ("rare", "STANDARD_IA"), ("tiered", "STANDARD")]
    {
        let entry =
            list.split("<Contents>").find(|entry| entry.contains(&format!("<Key>{name}</Key>"))).expect("listed");
        has(entry, "StorageClass", class);
    }

    let refused = s3.get("/films/glacier").await.expect(403).text();
    has(&refused, "Code", "InvalidObjectState");
    has(&refused, "StorageClass", "GLACIER");
    let copy = [("x-amz-copy-source", "/films/glacier")];
    has(&s3.send("PUT", "/films/copy", &copy, "").await.expect(403).text(), "Code", "InvalidObjectState");
    assert_eq!(restore(&s3, "/films/glacier?restore", "<Days>2</Days>").await.expect(202).text(), "");
    let head = s3.head("/films/glacier").await.expect(200);
    let told = head.header("x-amz-restore").to_owned();
    assert!(
        told.starts_with("ongoing-request=\"false\", expiry-date=\"") && told.ends_with("00:00:00 GMT\""),
        "{told}"
    );
    assert_eq!(s3.get("/films/glacier").await.expect(200).text(), "hello");
    assert_eq!(oss.get("/films/glacier").await.expect(200).header("x-oss-restore"), told);
    let tier = "<Days>1</Days><GlacierJobParameters><Tier>Bulk</Tier></GlacierJobParameters>";
    restore(&s3, "/films/glacier?restore", tier).await.expect(200);
    // Told in listings to who asks.
    let list = s3.get("/films?list-type=2&prefix=glacier").await.expect(200).text();
    assert!(!list.contains("RestoreStatus"), "{list}");
    let asked = [("x-amz-optional-object-attributes", "RestoreStatus")];
    let list = s3.send("GET", "/films?list-type=2", &asked, "").await.expect(200).text();
    has(&list, "IsRestoreInProgress", "false");
    assert_eq!(list.matches("RestoreExpiryDate>").count(), 2, "{list}");

    has(&restore(&s3, "/films/rare?restore", "<Days>1</Days>").await.expect(403).text(), "Code", "InvalidObjectState");
    has(&restore(&s3, "/films/none?restore", "<Days>1</Days>").await.expect(404).text(), "Code", "NoSuchKey");
    has(&restore(&s3, "/films/deep?restore", "<Days>0</Days>").await.expect(400).text(), "Code", "InvalidArgument");
    let select = restore(&s3, "/films/deep?restore", "<Type>SELECT</Type>").await;
    has(&select.expect(501).text(), "Code", "NotImplemented");

    // Onto itself with another class: what COPY alone may not do.
    let onto = |class: &'static str| [("x-amz-copy-source", "/films/tiered"), ("x-amz-storage-class", class)];
    s3.send("PUT", "/films/tiered", &onto("STANDARD_IA"), "").await.expect(200);
    assert_eq!(s3.head("/films/tiered").await.expect(200).header("x-amz-storage-class"), "STANDARD_IA");
    let alone = [("x-amz-copy-source", "/films/tiered")];
    has(&s3.send("PUT", "/films/tiered", &alone, "").await.expect(400).text(), "Code", "InvalidRequest");

    let wanted = [("x-amz-object-attributes", "StorageClass")];
    has(
        &s3.send("GET", "/films/deep?attributes", &wanted, "").await.expect(200).text(),
        "StorageClass",
        "DEEP_ARCHIVE",
    );
    let made =
        s3.send("POST", "/films/big?uploads", &[("x-amz-storage-class", "GLACIER")], "").await.expect(200).text();
    let id = made.split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next()).expect("an id").to_owned();
    has(&s3.get("/films?uploads").await.expect(200).text(), "StorageClass", "GLACIER");
    has(&s3.get(&format!("/films/big?uploadId={id}")).await.expect(200).text(), "StorageClass", "GLACIER");
    s3.delete(&format!("/films/big?uploadId={id}")).await.expect(204);
    server.stop_and_check().await;
}

#[tokio::test]
async fn what_is_put_over_s3_has_the_buckets_class() {
    let (server, oss, s3) = films().await;
    let body = "<CreateBucketConfiguration><StorageClass>IA</StorageClass></CreateBucketConfiguration>";
    oss.put("/rare", body).await.expect(200);
    s3.put("/rare/a", "x").await.expect(200);
    assert_eq!(s3.head("/rare/a").await.expect(200).header("x-amz-storage-class"), "STANDARD_IA");
    s3.send("PUT", "/rare/b", &[("x-amz-storage-class", "STANDARD")], "x").await.expect(200);
    assert_eq!(oss.head("/rare/b").await.expect(200).header("x-oss-storage-class"), "Standard");
    let stat = oss.get("/rare?stat").await.expect(200).text();
    has(&stat, "InfrequentAccessObjectCount", "1");
    has(&stat, "StandardObjectCount", "1");
    server.stop_and_check().await;
}
