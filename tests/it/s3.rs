//! The S3 dialect over real sockets: its rules, and the one store behind both dialects.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use crate::support::Server;
use crate::support::rtmp::capture;
use crate::support::s3::{Payload, has};
use crate::support::viewer::push;

#[tokio::test]
async fn an_object_put_over_either_dialect_reads_back_over_the_other() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    let big: Vec<u8> = (0..300_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let put = s3
        .send(
            "PUT",
            "/films/over s3",
            &[("content-type", "Video/MP2T; a=b"), ("x-amz-meta-a", "1"), ("x-amz-acl", "public-read")],
            big.clone(),
        )
        .await
        .expect(200);
    let etag = hex::encode(Md5::digest(&big));
    assert_eq!(put.header("etag"), format!("\"{etag}\""));

    let got = oss.get("/films/over s3").await.expect(200);
    assert_eq!(got.body, big);
    assert_eq!((got.header("content-type"), got.header("x-oss-meta-a")), ("Video/MP2T; a=b", "1"));
    assert_eq!(got.header("etag"), format!("\"{}\"", etag.to_uppercase()));
    assert!(got.headers.keys().all(|name| !name.as_str().starts_with("x-amz-")), "{:?}", got.headers);
    has(&oss.get("/films/over s3?acl").await.expect(200).text(), "Grant", "public-read");

    oss.send("PUT", "/films/over-oss", &[("x-oss-meta-b", "2"), ("x-oss-object-acl", "private")], "hello")
        .await
        .expect(200);
    let got = s3.get("/films/over-oss").await.expect(200);
    assert_eq!((got.text().as_str(), got.header("x-amz-meta-b")), ("hello", "2"));
    assert_eq!(got.header("etag"), "\"5d41402abc4b2a76b9719d911017c592\"");
    assert!(got.headers.keys().all(|name| !name.as_str().starts_with("x-oss-")), "{:?}", got.headers);
    let acl = s3.get("/films/over-oss?acl").await.expect(200).text();
    assert!(acl.contains("FULL_CONTROL") && !acl.contains("AllUsers"), "{acl}");
    let list = s3.get("/films?list-type=2").await.expect(200).text();
    assert!(list.contains("xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""), "{list}");
    has(&list, "Key", "over-oss");
    assert!(list.contains(&etag), "{list}");
    server.stop_and_check().await;
}

#[tokio::test]
async fn ranges_conditions_and_overrides_follow_s3() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    let put = s3.send("PUT", "/films/a", &[("content-type", "text/plain")], "0123456789").await.expect(200);
    let etag = put.header("etag").to_owned();
    s3.put("/films/empty", "").await.expect(200);
    for (key, range, status, content_range, body) in [
        ("a", "bytes=0-", 206, "bytes 0-9/10", "0123456789"),
        ("a", "bytes=2-4", 206, "bytes 2-4/10", "234"),
        ("a", "bytes=5-99", 206, "bytes 5-9/10", "56789"),
        ("a", "bytes=-3", 206, "bytes 7-9/10", "789"),
        ("a", "bytes=0-1,3-4", 200, "", "0123456789"),
        ("a", "nonsense", 200, "", "0123456789"),
    ] {
        let got = s3.send("GET", &format!("/films/{key}"), &[("range", range)], "").await.expect(status);
        assert_eq!((got.header("content-range"), got.text().as_str()), (content_range, body), "{range}");
    }
    for (key, range, size) in [("a", "bytes=10-", 10), ("a", "bytes=-0", 10), ("empty", "bytes=0-", 0)] {
        let got = s3.send("GET", &format!("/films/{key}"), &[("range", range)], "").await.expect(416);
        has(&got.text(), "Code", "InvalidRange");
        assert_eq!(got.header("content-range"), format!("bytes */{size}"));
    }
    s3.send("GET", "/films/a", &[("if-none-match", &etag)], "").await.expect(304);
    s3.send("GET", "/films/a", &[("if-match", &etag.to_uppercase())], "").await.expect(200);
    let failed = s3.send("GET", "/films/a", &[("if-match", "\"00\"")], "").await.expect(412);
    has(&failed.text(), "Condition", "If-Match");
    let part = s3.get("/films/a?partNumber=1").await.expect(206);
    assert_eq!(part.header("content-range"), "bytes 0-9/10");
    has(&s3.get("/films/a?partNumber=2").await.expect(416).text(), "Code", "InvalidPartNumber");

    let other = s3.get("/films/a?response-content-type=x%2Fy&response-cache-control=no-store").await.expect(200);
    assert_eq!((other.header("content-type"), other.header("cache-control")), ("x/y", "no-store"));
    let head = s3.head("/films/a").await.expect(200);
    assert_eq!((head.header("content-length"), head.header("etag"), head.body.len()), ("10", etag.as_str(), 0));
    let gone = s3.head("/films/none").await.expect(404);
    assert_eq!((gone.header("content-length"), gone.body.len()), ("0", 0));
    assert!(!gone.header("x-amz-request-id").is_empty());
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_known_sub_resource_never_reaches_a_plain_operation() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    s3.put("/empty-films", "").await.expect(200);
    s3.put("/films/a", "old").await.expect(200);
    for (method, target) in [
        ("PUT", "/films/a?renameObject"),
        ("PUT", "/films/a?restore"),
        ("PUT", "/films/a?uploads"),
        ("PUT", "/films/a?uploadId=0123"),
        ("PUT", "/films/a?partNumber=1"),
        ("PUT", "/films/a?live"),
        ("PUT", "/films/a?tagging"),
        ("PUT", "/films/a?retention"),
        ("DELETE", "/films/a?acl"),
        ("GET", "/films/a?uploads"),
        ("POST", "/films/a?restore"),
        ("DELETE", "/empty-films?acl"),
        ("DELETE", "/empty-films?location"),
        ("PUT", "/new-films?policyStatus"),
        ("GET", "/films?inventory"),
    ] {
        let body = if method == "GET" || method == "DELETE" { "" } else { "<Tagging/>" };
        let refused = s3.send(method, target, &[], body).await;
        let status = refused.status;
        assert!(matches!(status, 400 | 501), "{method} {target}: {status} {}", refused.text());
    }
    for target in ["/films/a?versionId=abc", "/films/a?versionId="] {
        has(&s3.delete(target).await.expect(400).text(), "Code", "InvalidArgument");
    }
    assert_eq!(s3.get("/films/a?versionId=null").await.expect(200).text(), "old");
    s3.head("/empty-films").await.expect(200);
    s3.head("/new-films").await.expect(404);
    server.stop_and_check().await;
}

#[tokio::test]
async fn buckets_are_made_listed_described_and_deleted() {
    let server = Server::start().await;
    let s3 = server.s3();
    let configuration = |region: &str| {
        let namespace = "http://s3.amazonaws.com/doc/2006-03-01/";
        format!(
            "<CreateBucketConfiguration xmlns=\"{namespace}\"><LocationConstraint>{region}</LocationConstraint>\
             </CreateBucketConfiguration>"
        )
    };
    let made = s3.put("/films.of.2023", configuration("local")).await.expect(200);
    assert_eq!(made.header("location"), "/films.of.2023");
    s3.put("/films-b", configuration("us-east-1")).await.expect(200);
    has(&s3.put("/films-b", "").await.expect(409).text(), "Code", "BucketAlreadyOwnedByYou");
    has(&s3.put("/films-c", configuration("eu-west-1")).await.expect(400).text(), "Code", "InvalidLocationConstraint");
    has(&s3.put("/films-c", "<nonsense").await.expect(400).text(), "Code", "MalformedXML");
    has(&s3.put("/Films", "").await.expect(400).text(), "Code", "InvalidBucketName");
    has(&s3.put("/192.168.1.1", "").await.expect(400).text(), "Code", "InvalidBucketName");
    let list = s3.get("/").await.expect(200).text();
    for (name, text) in [("Name", "films-b"), ("Name", "films.of.2023"), ("BucketRegion", "local")] {
        has(&list, name, text);
    }
    let page = s3.get("/?max-buckets=1").await.expect(200).text();
    has(&page, "ContinuationToken", "films-b");
    assert!(!page.contains("films.of.2023"), "{page}");
    has(&s3.get("/?max-buckets=1&continuation-token=films-b").await.expect(200).text(), "Name", "films.of.2023");
    assert_eq!(s3.head("/films-b").await.expect(200).header("x-amz-bucket-region"), "local");
    let location = s3.get("/films-b?location").await.expect(200).text();
    assert!(
        location.ends_with(
            "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">local</LocationConstraint>"
        ),
        "{location}"
    );
    let versioning = s3.get("/films-b?versioning").await.expect(200).text();
    assert!(versioning.contains("VersioningConfiguration") && !versioning.contains("Status"), "{versioning}");
    s3.put("/films-b/a", "x").await.expect(200);
    has(&s3.delete("/films-b").await.expect(409).text(), "Code", "BucketNotEmpty");
    s3.delete("/films-b/a").await.expect(204);
    s3.delete("/films-b/a").await.expect(204);
    s3.delete("/films-b").await.expect(204);
    has(&s3.get("/films-b").await.expect(404).text(), "Code", "NoSuchBucket");
    let elsewhere = [("x-amz-expected-bucket-owner", "999999")];
    s3.send("GET", "/films.of.2023", &elsewhere, "").await.expect(403);
    server.stop_and_check().await;
}

#[tokio::test]
async fn listings_roll_up_page_and_encode() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    for key in ["a", "b/1", "b/2", "c/1", "d e+f", "z\u{1}"] {
        s3.put(&format!("/films/{key}"), key).await.expect(200);
    }
    let page = s3.get("/films?delimiter=/&max-keys=3").await.expect(200).text();
    for (name, text) in
        [("Key", "a"), ("Prefix", "b/"), ("IsTruncated", "true"), ("NextMarker", "c/"), ("MaxKeys", "3")]
    {
        has(&page, name, text);
    }
    assert!(page.contains("<Owner>"), "{page}");
    let rest = s3.get("/films?delimiter=/&marker=c/&encoding-type=url").await.expect(200).text();
    has(&rest, "Key", "d%20e%2Bf");
    has(&rest, "Key", "z%01");
    has(&rest, "EncodingType", "url");
    has(&s3.get("/films?prefix=z").await.expect(200).text(), "Key", "z\u{fffd}");
    assert!(!s3.get("/films?max-keys=2").await.expect(200).text().contains("NextMarker"), "no delimiter, no marker");

    let first = s3.get("/films?list-type=2&max-keys=2").await.expect(200).text();
    has(&first, "KeyCount", "2");
    assert!(!first.contains("<Owner>"), "{first}");
    let token = first.split("<NextContinuationToken>").nth(1).and_then(|rest| rest.split('<').next()).expect("a token");
    let target = format!("/films?list-type=2&max-keys=2&continuation-token={token}&fetch-owner=true");
    let second = s3.get(&target).await.expect(200).text();
    has(&second, "Key", "b/2");
    has(&second, "Key", "c/1");
    has(&second, "ContinuationToken", token);
    assert!(second.contains("<Owner>"), "{second}");
    has(&s3.get("/films?list-type=2&start-after=c/1").await.expect(200).text(), "StartAfter", "c/1");
    let none = s3.get("/films?list-type=2&max-keys=0").await.expect(200).text();
    has(&none, "IsTruncated", "false");
    has(&none, "KeyCount", "0");
    has(&s3.get("/films?max-keys=5000").await.expect(200).text(), "MaxKeys", "1000");
    for target in ["/films?max-keys=-1", "/films?encoding-type=base64", "/films?list-type=2&continuation-token=%25"] {
        has(&s3.get(target).await.expect(400).text(), "Code", "InvalidArgument");
    }
    server.stop_and_check().await;
}

#[tokio::test]
async fn many_objects_are_deleted_with_a_word_for_each() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    for key in ["a", "b", "c"] {
        s3.put(&format!("/films/{key}"), key).await.expect(200);
    }
    let document = |quiet: bool, keys: &[&str]| {
        let objects: String = keys.iter().map(|key| format!("<Object><Key>{key}</Key></Object>")).collect();
        format!("<Delete><Quiet>{quiet}</Quiet>{objects}</Delete>")
    };
    let body = document(false, &["a", "none", &"k".repeat(1025)]);
    let md5 = STANDARD.encode(Md5::digest(&body));
    let answer = s3.send("POST", "/films?delete", &[("content-md5", &md5)], body.clone()).await.expect(200).text();
    for (name, text) in [("Key", "a"), ("Key", "none"), ("Code", "KeyTooLongError")] {
        has(&answer, name, text);
    }
    let wrong = STANDARD.encode(Md5::digest("another"));
    has(
        &s3.send("POST", "/films?delete", &[("content-md5", &wrong)], body).await.expect(400).text(),
        "Code",
        "BadDigest",
    );
    let unsigned = Payload::Stated("UNSIGNED-PAYLOAD");
    let bare = s3.send_as("POST", "/films?delete", &[], unsigned, document(true, &["b"])).await.expect(400);
    has(&bare.text(), "Code", "InvalidRequest");
    let other_hash = crate::support::s3::sha256_hex(b"another");
    let stated = Payload::Stated(&other_hash);
    let broken = s3.send_as("POST", "/films?delete", &[], stated, document(true, &["b"])).await.expect(400);
    has(&broken.text(), "Code", "XAmzContentSHA256Mismatch");
    s3.get("/films/b").await.expect(200);
    let quiet = s3.send("POST", "/films?delete", &[], document(true, &["b"])).await.expect(200).text();
    assert!(quiet.contains("DeleteResult") && !quiet.contains("Deleted>"), "{quiet}");
    s3.get("/films/b").await.expect(404);
    let many: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    has(&s3.send("POST", "/films?delete", &[], document(true, &many)).await.expect(400).text(), "Code", "MalformedXML");
    s3.get("/films/c").await.expect(200);
    server.stop_and_check().await;
}

#[tokio::test]
async fn copies_take_headers_or_replace_them() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    s3.put("/other-films", "").await.expect(200);
    let headers = [("content-type", "text/plain"), ("x-amz-meta-a", "1")];
    let put = s3.send("PUT", "/films/a b", &headers, "hello").await.expect(200);
    let etag = put.header("etag").to_owned();
    let source = ("x-amz-copy-source", "/films/a%20b");
    let copied = s3.send("PUT", "/other-films/copy", &[source], "").await.expect(200).text();
    assert!(copied.contains("CopyObjectResult") && copied.contains(etag.trim_matches('"')), "{copied}");
    let got = s3.get("/other-films/copy").await.expect(200);
    assert_eq!(
        (got.text().as_str(), got.header("content-type"), got.header("x-amz-meta-a")),
        ("hello", "text/plain", "1")
    );
    let replace = [source, ("x-amz-metadata-directive", "REPLACE"), ("content-type", "x/y"), ("x-amz-meta-b", "2")];
    s3.send("PUT", "/films/a b", &replace, "").await.expect(200);
    let got = s3.head("/films/a b").await.expect(200);
    assert_eq!((got.header("content-type"), got.header("x-amz-meta-a"), got.header("x-amz-meta-b")), ("x/y", "", "2"));
    has(&s3.send("PUT", "/films/a b", &[source], "").await.expect(400).text(), "Code", "InvalidRequest");
    for (name, value, status) in [
        ("x-amz-copy-source-if-match", etag.as_str(), 200),
        ("x-amz-copy-source-if-match", "\"00\"", 412),
        ("x-amz-copy-source-if-none-match", etag.as_str(), 412),
        ("x-amz-copy-source-if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT", 412),
        ("x-amz-copy-source-if-unmodified-since", "Fri, 01 Jan 2010 00:00:00 GMT", 412),
    ] {
        let answer = s3.send("PUT", "/films/c", &[source, (name, value)], "").await;
        assert_eq!(answer.status, status, "{name} {value}: {}", answer.text());
    }
    let missing = [("x-amz-copy-source", "films/none")];
    has(&s3.send("PUT", "/films/c", &missing, "").await.expect(404).text(), "Code", "NoSuchKey");
    server.stop_and_check().await;
}

#[tokio::test]
async fn attributes_and_tags_of_an_object_are_told() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    s3.put("/films/a", "hello").await.expect(200);
    let wanted = [("x-amz-object-attributes", "ETag,ObjectSize,StorageClass")];
    let told = s3.send("GET", "/films/a?attributes", &wanted, "").await.expect(200).text();
    for (name, text) in [("ObjectSize", "5"), ("StorageClass", "STANDARD")] {
        has(&told, name, text);
    }
    assert!(told.contains("5d41402abc4b2a76b9719d911017c592"), "{told}");
    let tags = s3.get("/films/a?tagging").await.expect(200).text();
    assert!(tags.contains("TagSet") && !tags.contains("<Tag>"), "{tags}");
    s3.get("/films/none?tagging").await.expect(404);
    server.stop_and_check().await;
}

#[tokio::test]
async fn tags_put_over_either_dialect_read_back_over_the_other() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    s3.send("PUT", "/films/a", &[("x-amz-tagging", "a=b%20c&m=x%40y")], "hello").await.expect(200);
    let set = "<TagSet><Tag><Key>a</Key><Value>b c</Value></Tag><Tag><Key>m</Key><Value>x@y</Value></Tag></TagSet>";
    let over_s3 = s3.get("/films/a?tagging").await.expect(200).text();
    assert!(over_s3.contains(set) && over_s3.contains("http://s3.amazonaws.com/doc/2006-03-01/"), "{over_s3}");
    let over_oss = oss.get("/films/a?tagging").await.expect(200).text();
    assert!(over_oss.ends_with(&format!("<Tagging>{set}</Tagging>")), "{over_oss}");
    assert_eq!(oss.head("/films/a").await.expect(200).header("x-oss-tagging-count"), "2");
    assert_eq!(s3.get("/films/a").await.expect(200).header("x-amz-tagging-count"), "2");

    let one = |key: &str| format!("<Tagging><TagSet><Tag><Key>{key}</Key><Value>1</Value></Tag></TagSet></Tagging>");
    oss.put("/films/a?tagging", one("from-oss")).await.expect(200);
    has(&s3.get("/films/a?tagging").await.expect(200).text(), "Key", "from-oss");
    s3.put("/films/a?tagging", one("from-s3")).await.expect(200);
    has(&oss.get("/films/a?tagging").await.expect(200).text(), "Key", "from-s3");
    // A document is held against the digest that comes with it.
    let digest = STANDARD.encode(Md5::digest(one("from-s3")));
    let stated = [("content-md5", digest.as_str())];
    s3.send("PUT", "/films/a?tagging", &stated, one("from-s3")).await.expect(200);
    let refused = s3.send("PUT", "/films/a?tagging", &stated, one("another")).await.expect(400);
    has(&refused.text(), "Code", "BadDigest");
    assert_eq!(s3.get("/films/a").await.expect(200).text(), "hello");
    let source = ("x-amz-copy-source", "/films/a");
    s3.send("PUT", "/films/copy", &[source], "").await.expect(200);
    has(&oss.get("/films/copy?tagging").await.expect(200).text(), "Key", "from-s3");
    let replace = [source, ("x-amz-tagging-directive", "REPLACE"), ("x-amz-tagging", "new=1")];
    s3.send("PUT", "/films/copy", &replace, "").await.expect(200);
    has(&oss.get("/films/copy?tagging").await.expect(200).text(), "Key", "new");
    let unknown = [source, ("x-amz-tagging-directive", "copy")];
    has(&s3.send("PUT", "/films/copy", &unknown, "").await.expect(400).text(), "Code", "InvalidArgument");

    let many: String = (0..11).map(|n| format!("<Tag><Key>k{n}</Key><Value/></Tag>")).collect();
    let twice = "<Tag><Key>k</Key><Value/></Tag>".repeat(2);
    for (tags, code) in [
        (many.as_str(), "BadRequest"),
        (twice.as_str(), "InvalidTag"),
        ("<Tag><Key>a*</Key><Value/></Tag>", "InvalidTag"),
        ("<Tag><Value/></Tag>", "MalformedXML"),
    ] {
        let refused = s3.put("/films/a?tagging", format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")).await;
        has(&refused.expect(400).text(), "Code", code);
    }
    has(&s3.put("/films/a?tagging&versionId=v", one("a")).await.expect(400).text(), "Code", "InvalidArgument");
    s3.send_unsigned("PUT", "/films/a?tagging&x-id=PutObjectTagging", &[], one("stranger")).await.expect(403);
    has(&s3.put("/films/none?tagging", one("a")).await.expect(404).text(), "Code", "NoSuchKey");
    has(&s3.get("/films/a?tagging").await.expect(200).text(), "Key", "from-s3");
    s3.delete("/films/a?tagging").await.expect(204);
    assert!(oss.get("/films/a?tagging").await.expect(200).text().contains("<TagSet></TagSet>"));
    assert_eq!(oss.head("/films/a").await.expect(200).header("x-oss-tagging-count"), "");

    has(&s3.get("/films?tagging").await.expect(404).text(), "Code", "NoSuchTagSet");
    oss.put("/films?tagging", one("team")).await.expect(200);
    has(&s3.get("/films?tagging").await.expect(200).text(), "Key", "team");
    s3.put("/films?tagging", one("cost")).await.expect(204);
    has(&oss.get("/films?tagging").await.expect(200).text(), "Key", "cost");
    s3.delete("/films?tagging").await.expect(204);
    assert!(oss.get("/films?tagging").await.expect(200).text().contains("<TagSet></TagSet>"));
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_live_playlist_and_its_fragments_are_objects_here_too() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    let channel = "<LiveChannelConfiguration><Target><Type>HLS</Type><FragDuration>2</FragDuration></Target>\
                   </LiveChannelConfiguration>";
    oss.put("/films/cam1?live", channel).await.expect(200);
    push(server.addr(), "cam1", &capture("ffmpeg_h264_bframes_aac.flv")).await;
    let playlist = s3.get("/films/cam1/playlist.m3u8").await.expect(200);
    assert_eq!(playlist.text(), oss.get("/films/cam1/playlist.m3u8").await.expect(200).text());
    let text = playlist.text();
    let fragments: Vec<&str> = text.lines().filter(|line| line.ends_with(".ts")).collect();
    assert!(!fragments.is_empty(), "{text}");
    let list = s3.get("/films?list-type=2&prefix=cam1/").await.expect(200).text();
    for name in fragments {
        has(&list, "Key", &format!("cam1/{name}"));
        let got = s3.get(&format!("/films/cam1/{name}")).await.expect(200);
        assert_eq!((got.header("content-type"), got.body.len() % 188), ("video/mp2t", 0));
        assert!(got.header("etag").ends_with("-1\""), "{}", got.header("etag"));
    }
    has(&s3.delete("/films").await.expect(409).text(), "Code", "BucketNotEmpty");
    server.stop_and_check().await;
}
