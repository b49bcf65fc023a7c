//! What every answer of the S3 dialect carries: request ids always, and in an error a message, the resource and the same
//! ids; and the small print of listings.

use crate::support::Server;
use crate::support::http::Response;
use crate::support::s3::{element, has};

/// Both ids, which are never empty.
#[track_caller]
fn ids(answer: &Response) -> (&str, &str) {
    let ids = (answer.header("x-amz-request-id"), answer.header("x-amz-id-2"));
    assert!(!ids.0.is_empty() && !ids.1.is_empty(), "{} {:?}", answer.status, answer.headers);
    ids
}

/// Fails unless this is a whole error document about that resource.
#[track_caller]
fn check_error(answer: &Response, status: u16, code: &str, resource: &str) {
    let text = answer.text();
    assert_eq!(answer.status, status, "{resource}: {text}");
    assert_eq!(answer.header("content-type"), "application/xml", "{text}");
    let (request, host) = ids(answer);
    has(&text, "Code", code);
    has(&text, "Resource", resource);
    has(&text, "RequestId", request);
    has(&text, "HostId", host);
    assert!(element(&text, "Message").len() > 8, "{text}");
}

#[tokio::test]
async fn every_error_says_what_about_what_and_under_which_ids() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    s3.put("/films/a b", "hello").await.expect(200);
    let begun = s3.send("POST", "/films/up?uploads", &[], "").await.expect(200).text();
    let part = format!("/films/up?partNumber=1&uploadId={}", element(&begun, "UploadId"));
    let end = format!("/films/up?uploadId={}", element(&begun, "UploadId"));
    let long = format!("/films/{}", "k".repeat(1025));
    let (no_md5, bad_md5) = (("content-md5", "x"), ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="));
    let empty_list = "<CompleteMultipartUpload></CompleteMultipartUpload>";
    let nothing: &[(&str, &str)] = &[];
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);
    let cases: &[Case<'_>] = &[
        ("GET", "/none", nothing, "", 404, "NoSuchBucket"),
        ("PUT", "/none/a", nothing, "x", 404, "NoSuchBucket"),
        ("DELETE", "/none", nothing, "", 404, "NoSuchBucket"),
        ("PUT", "/films", nothing, "", 409, "BucketAlreadyOwnedByYou"),
        ("PUT", "/Films_", nothing, "", 400, "InvalidBucketName"),
        ("DELETE", "/films", nothing, "", 409, "BucketNotEmpty"),
        ("GET", "/films?max-keys=x", nothing, "", 400, "InvalidArgument"),
        ("GET", "/films?encoding-type=x", nothing, "", 400, "InvalidArgument"),
        ("GET", "/films?list-type=2&continuation-token=%25", nothing, "", 400, "InvalidArgument"),
        ("GET", "/films?cors", nothing, "", 404, "NoSuchCORSConfiguration"),
        ("GET", "/films?tagging", nothing, "", 404, "NoSuchTagSet"),
        ("PUT", "/films?acl", &[("x-amz-acl", "sorrow")], "", 400, "InvalidArgument"),
        ("PUT", "/films?acl", &[("x-amz-acl", "authenticated-read")], "", 501, "NotImplemented"),
        ("PUT", "/films?acl", &[("x-amz-grant-read", "id=999")], "", 501, "NotImplemented"),
        ("PUT", "/films?acl", &[("x-amz-grant-read", "id=999"), ("x-amz-acl", "private")], "", 400, "InvalidRequest"),
        ("PUT", "/films?acl", nothing, "", 400, "MissingSecurityHeader"),
        ("PUT", "/films?acl", nothing, "<nonsense", 400, "MalformedXML"),
        ("POST", "/films?delete", nothing, "<nonsense", 400, "MalformedXML"),
        ("GET", "/films/none", nothing, "", 404, "NoSuchKey"),
        ("GET", "/films/none?acl", nothing, "", 404, "NoSuchKey"),
        ("GET", "/films/none?tagging", nothing, "", 404, "NoSuchKey"),
        ("GET", "/films/none?attributes", &[("x-amz-object-attributes", "ETag")], "", 404, "NoSuchKey"),
        ("GET", "/films/a b", &[("if-match", "\"0\"")], "", 412, "PreconditionFailed"),
        ("GET", "/films/a b", &[("range", "bytes=9-")], "", 416, "InvalidRange"),
        ("GET", "/films/a b?partNumber=2", nothing, "", 416, "InvalidPartNumber"),
        ("GET", "/films/a b?partNumber=0", nothing, "", 400, "InvalidArgument"),
        ("GET", "/films/a b?torrent", nothing, "", 501, "NotImplemented"),
        ("PUT", &long, nothing, "x", 400, "KeyTooLongError"),
        ("PUT", "/films/a b", &[no_md5], "x", 400, "InvalidDigest"),
        ("PUT", "/films/a b", &[bad_md5], "x", 400, "BadDigest"),
        ("PUT", "/films/a b", &[("x-amz-checksum-crc32", "AAAAAA==")], "x", 400, "BadDigest"),
        ("PUT", "/films/a b", &[("x-amz-checksum-crc32", "x")], "x", 400, "InvalidRequest"),
        ("PUT", "/films/a b", &[("if-none-match", "*")], "x", 412, "PreconditionFailed"),
        ("PUT", "/films/none", &[("if-match", "\"0\"")], "x", 404, "NoSuchKey"),
        ("PUT", "/films/a b", &[("x-amz-tagging", "a=1&a=2")], "x", 400, "InvalidArgument"),
        ("PUT", "/films/c", &[("x-amz-copy-source", "/films/none")], "", 404, "NoSuchKey"),
        ("PUT", "/films/c", &[("x-amz-copy-source", "/none/none")], "", 404, "NoSuchBucket"),
        ("PUT", &part, &[no_md5], "x", 400, "InvalidDigest"),
        ("PUT", "/films/up?partNumber=1&uploadId=0", nothing, "x", 404, "NoSuchUpload"),
        ("POST", &end, nothing, empty_list, 400, "MalformedXML"),
        ("DELETE", "/films/up?uploadId=0", nothing, "", 404, "NoSuchUpload"),
        ("GET", "/films/up?uploadId=0", nothing, "", 404, "NoSuchUpload"),
    ];
    for (method, target, headers, body, status, code) in cases {
        let answer = s3.send(method, target, headers, (*body).to_owned()).await;
        check_error(&answer, *status, code, target.split('?').next().expect("a path"));
        if *method == "GET" {
            // A HEAD says the same without words.
            let head = s3.send("HEAD", target, headers, "").await;
            if !target.contains("acl") && !target.contains("cors") && !target.contains("tagging") {
                assert!(head.status >= 400 || target.matches('/').count() == 1, "{target} {}", head.status);
            }
            assert!(head.body.is_empty(), "{target}");
            ids(&head);
        }
    }
    let stranger = crate::support::s3::Client::new(server.addr(), ("nobody", "x"));
    check_error(&stranger.get("/films/a b").await, 403, "InvalidAccessKeyId", "/films/a b");
    let unsigned = s3.send_unsigned("GET", "/films/a%20b?x-id=GetObject", &[], "").await;
    check_error(&unsigned, 403, "AccessDenied", "/films/a b");
    let overridden = s3.send_unsigned("GET", "/films/a%20b?x-id=GetObject&response-content-type=x", &[], "").await;
    assert_eq!(overridden.status, 403, "an override does not make it public: {}", overridden.text());
    s3.send("PUT", "/films/a b?acl", &[("x-amz-acl", "public-read")], "").await.expect(200);
    for argument in [
        "response-content-type",
        "response-content-language",
        "response-expires",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
    ] {
        let value = if argument.ends_with("expires") { "Thu, 01 Jan 2032 00:00:00 GMT" } else { "x" };
        let written = value.replace(' ', "%20").replace(',', "%2C").replace(':', "%3A");
        let name = argument.trim_start_matches("response-");
        let target = format!("/films/a%20b?x-id=GetObject&{argument}={written}");
        check_error(&s3.send_unsigned("GET", &target, &[], "").await, 400, "InvalidRequest", "/films/a b");
        let target = format!("/films/a b?{argument}={written}");
        assert_eq!(s3.get(&target).await.expect(200).header(name), value);
        let url = s3.presign("GET", &target, 60);
        assert_eq!(s3.send_unsigned("GET", &url, &[], "").await.expect(200).header(name), value);
    }
    server.stop_and_check().await;
}

#[tokio::test]
async fn every_answer_has_its_own_ids() {
    let server = Server::start().await;
    let s3 = server.s3();
    let mut seen = std::collections::HashSet::new();
    let mut fresh = |answer: &Response| {
        let (request, host) = ids(answer);
        assert!(seen.insert(request.to_owned()), "{request} came twice");
        assert!(seen.insert(host.to_owned()), "{host} came twice");
    };
    for (method, target, body, status) in [
        ("PUT", "/films", "", 200),
        ("PUT", "/films/a", "hello", 200),
        ("GET", "/films/a", "", 200),
        ("HEAD", "/films/a", "", 200),
        ("HEAD", "/films", "", 200),
        ("GET", "/", "", 200),
        ("GET", "/films", "", 200),
        ("GET", "/films?list-type=2", "", 200),
        ("GET", "/films?location", "", 200),
        ("GET", "/films/a?acl", "", 200),
        ("DELETE", "/films/a", "", 204),
        ("DELETE", "/films/a", "", 204),
        ("HEAD", "/films/a", "", 404),
        ("DELETE", "/films", "", 204),
    ] {
        fresh(&s3.send(method, target, &[], body).await.expect(status));
    }
    s3.put("/films", "").await.expect(200);
    let etag = s3.put("/films/a", "hello").await.expect(200).header("etag").to_owned();
    fresh(&s3.send("GET", "/films/a", &[("if-none-match", &etag)], "").await.expect(304));
    fresh(&s3.send("GET", "/films/a", &[("range", "bytes=1-2")], "").await.expect(206));
    server.stop_and_check().await;
}

#[tokio::test]
async fn listings_answer_every_argument() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    for key in ["a b", "dir+1/x", "dir+1/y", "e&f", "z\u{e9}"] {
        s3.put(&format!("/films/{key}"), "x").await.expect(200);
    }
    let get = async |query: &str| s3.get(&format!("/films?{query}")).await.expect(200).text();
    // encoding-type encodes every name that the document holds, and nothing else.
    let page = get("encoding-type=url&prefix=dir%2B&delimiter=%2F&marker=a%20b").await;
    for (name, text) in
        [("Prefix", "dir%2B"), ("Prefix", "dir%2B1/"), ("Delimiter", "/"), ("Marker", "a%20b"), ("EncodingType", "url")]
    {
        has(&page, name, text);
    }
    let page = get("list-type=2&encoding-type=url&start-after=a%20b&max-keys=1").await;
    for (name, text) in [("StartAfter", "a%20b"), ("Key", "dir%2B1/x"), ("KeyCount", "1"), ("IsTruncated", "true")] {
        has(&page, name, text);
    }
    // The token outranks start-after, also where it comes with it; and it says nothing of keys in plain words.
    let token = element(&page, "NextContinuationToken");
    assert!(!token.contains("dir"), "{token}");
    let page = get(&format!("list-type=2&start-after=z&max-keys=2&continuation-token={token}")).await;
    has(&page, "Key", "dir+1/y");
    has(&page, "Key", "e&amp;f");
    has(&page, "ContinuationToken", &token);
    // Owners: always in version 1, on demand in version 2.
    assert!(get("max-keys=1").await.contains("<Owner>"));
    assert!(!get("list-type=2&max-keys=1&fetch-owner=false").await.contains("<Owner>"));
    assert!(get("list-type=2&max-keys=1&fetch-owner=true").await.contains("<Owner>"));
    for version in ["", "list-type=2&"] {
        let none = get(&format!("{version}max-keys=0")).await;
        has(&none, "IsTruncated", "false");
        has(&none, "MaxKeys", "0");
        assert!(!none.contains("<Contents>") && !none.contains("Token>") && !none.contains("NextMarker"), "{none}");
        has(&get(&format!("{version}max-keys=1001")).await, "MaxKeys", "1000");
        let rolled = get(&format!("{version}delimiter=/&max-keys=2")).await;
        has(&rolled, "Key", "a b");
        has(&rolled, "Prefix", "dir+1/");
        has(&rolled, "IsTruncated", "true");
    }
    for wrong in [
        "max-keys=-1",
        "max-keys=x",
        "encoding-type=base64",
        "list-type=2&max-keys=-1",
        "list-type=2&encoding-type=base64",
        "list-type=2&continuation-token=",
        "list-type=2&continuation-token=%21%21",
    ] {
        let refused = s3.get(&format!("/films?{wrong}")).await.expect(400).text();
        has(&refused, "Code", "InvalidArgument");
    }
    server.stop_and_check().await;
}
