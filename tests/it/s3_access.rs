//! Who may what over the S3 dialect: signatures, keys that are disabled, ACLs that strangers meet, CORS.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::http::connect;
use crate::support::s3::{element, has};
use crate::support::{KEY, Server};

#[tokio::test]
async fn every_form_of_signature_opens_a_private_object_and_a_wrong_one_does_not() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    s3.put("/films/a b+c/\u{e9}$&=", "secret").await.expect(200);
    let target = "/films/a b+c/\u{e9}$&=";
    assert_eq!(s3.get(target).await.expect(200).text(), "secret");
    let url = s3.presign("GET", target, 60);
    assert_eq!(s3.send_unsigned("GET", &url, &[], "").await.expect(200).text(), "secret");

    s3.put("/films/plain", "secret").await.expect(200);
    let date = httpdate::fmt_http_date(std::time::SystemTime::now());
    let authorization = s3.authorization_v2("GET", "/films/plain", &date);
    let v2 = [("date", date.as_str()), ("authorization", authorization.as_str())];
    assert_eq!(s3.send_unsigned("GET", "/films/plain", &v2, "").await.expect(200).text(), "secret");
    // boto3 sends the bucket without its slash and signs it with.
    let authorization = s3.authorization_v2("GET", "/films/", &date);
    let v2 = [("date", date.as_str()), ("authorization", authorization.as_str())];
    s3.send_unsigned("GET", "/films?prefix=p", &v2, "").await.expect(200);
    let hour = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs() + 3600;
    let url = s3.presign_v2("GET", "/films/plain", hour);
    assert_eq!(s3.send_unsigned("GET", &url, &[], "").await.expect(200).text(), "secret");

    let wrong = crate::support::s3::Client::new(server.addr(), (KEY.0, "not-the-secret"));
    let refused = wrong.get("/films/plain").await.expect(403);
    for part in ["SignatureDoesNotMatch", "<StringToSign>AWS4-HMAC-SHA256", "<CanonicalRequest>GET", "<HostId>", KEY.0]
    {
        assert!(refused.text().contains(part), "{part}: {}", refused.text());
    }
    has(&refused.text(), "Resource", "/films/plain");
    has(&refused.text(), "RequestId", refused.header("x-amz-request-id"));
    has(&refused.text(), "HostId", refused.header("x-amz-id-2"));
    let url = wrong.presign("GET", "/films/plain", 60);
    has(&s3.send_unsigned("GET", &url, &[], "").await.expect(403).text(), "Code", "SignatureDoesNotMatch");
    let url = wrong.presign_v2("GET", "/films/plain", hour);
    has(&s3.send_unsigned("GET", &url, &[], "").await.expect(403).text(), "Code", "SignatureDoesNotMatch");
    let url = s3.presign_v2("GET", "/films/plain", 1);
    has(&s3.send_unsigned("GET", &url, &[], "").await.expect(403).text(), "Message", "Request has expired");
    for client in [&s3, &wrong] {
        // `s3cmd` signs for a region that Amazon does not have.
        let mut elsewhere = client.clone();
        elsewhere.region = "US".into();
        let status = if std::ptr::eq(client, &s3) { 200 } else { 403 };
        elsewhere.get("/films/plain").await.expect(status);
        elsewhere.send("PUT", "/films/elsewhere", &[("x-amz-meta-a", "1")], "x").await.expect(status);
    }
    let stranger = crate::support::s3::Client::new(server.addr(), ("nobody", "x"));
    has(&stranger.get("/films/plain").await.expect(403).text(), "Code", "InvalidAccessKeyId");
    has(
        &s3.send_unsigned("GET", "/films/plain?x-id=GetObject", &[], "").await.expect(403).text(),
        "Code",
        "AccessDenied",
    );
    let old = "Tue, 27 Mar 2007 19:36:42 +0000";
    let authorization = s3.authorization_v2("GET", "/films/plain", old);
    let v2 = [("date", old), ("authorization", authorization.as_str())];
    let skewed = s3.send_unsigned("GET", "/films/plain", &v2, "").await.expect(403);
    has(&skewed.text(), "Code", "RequestTimeTooSkewed");
    has(&skewed.text(), "MaxAllowedSkewMilliseconds", "900000");
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_presigned_upload_cannot_be_bent_to_a_copy() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    s3.put("/films/secret", "secret").await.expect(200);
    let url = s3.presign("PUT", "/films/mine", 60);
    for header in [("x-amz-copy-source", "/films/secret"), ("x-amz-acl", "public-read")] {
        let refused = s3.send_unsigned("PUT", &url, &[header], "").await.expect(403).text();
        has(&refused, "HeadersNotSigned", header.0);
    }
    s3.get("/films/mine").await.expect(404);
    s3.send_unsigned("PUT", &url, &[], "mine").await.expect(200);
    assert_eq!(s3.get("/films/mine").await.expect(200).text(), "mine");
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_disabled_key_opens_nothing() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    server.service.admin.meta.disable_access_key(KEY.0).await.expect("disabled");
    has(&s3.get("/films").await.expect(403).text(), "Code", "InvalidAccessKeyId");
    let url = s3.presign_v2("GET", "/films", 9_999_999_999);
    has(&s3.send_unsigned("GET", &url, &[], "").await.expect(403).text(), "Code", "InvalidAccessKeyId");
    server.stop_and_check().await;
}

#[tokio::test]
async fn acls_decide_over_strangers_in_both_dialects() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    s3.put("/films/a", "x").await.expect(200);
    let anonymous = |target: &'static str| s3.send_unsigned("GET", target, &[("x-amz-meta-mark", "1")], "");
    has(&anonymous("/films/a").await.expect(403).text(), "Code", "AccessDenied");
    s3.send("PUT", "/films/a?acl", &[("x-amz-acl", "public-read")], "").await.expect(200);
    anonymous("/films/a").await.expect(200);
    anonymous("/films").await.expect(403);
    has(&oss.get("/films/a?acl").await.expect(200).text(), "Grant", "public-read");
    let acl = s3.get("/films/a?acl").await.expect(200).text();
    assert!(acl.contains("AllUsers") && acl.contains("xsi:type=\"Group\""), "{acl}");
    // What was read is taken back as it is, and an owner may edit it.
    s3.send("PUT", "/films?acl", &[], acl.clone()).await.expect(200);
    anonymous("/films").await.expect(200);
    has(&oss.get("/films?acl").await.expect(200).text(), "Grant", "public-read");
    let private = acl.replace("AllUsers", "AuthenticatedUsers");
    has(&s3.send("PUT", "/films?acl", &[], private).await.expect(501).text(), "Code", "NotImplemented");
    s3.send("PUT", "/films?acl", &[("x-amz-grant-read", "id=999")], "").await.expect(501);
    // Grants that come to a canned ACL are it, also by header.
    let everybody = "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"";
    s3.send("PUT", "/films/b", &[("x-amz-grant-read", everybody)], "b").await.expect(200);
    anonymous("/films/b").await.expect(200);
    has(&oss.get("/films/b?acl").await.expect(200).text(), "Grant", "public-read");
    let owner = element(&s3.get("/films/b?acl").await.expect(200).text(), "ID");
    let full = [("x-amz-grant-full-control", &*format!("id=\"{owner}\""))];
    s3.send("PUT", "/films/b?acl", &full, "").await.expect(200);
    anonymous("/films/b").await.expect(403);
    s3.send("PUT", "/films?acl", &[], "").await.expect(400);
    let overridden = s3.send_unsigned("GET", "/films/a?x-id=GetObject&response-content-type=a/b", &[], "").await;
    has(&overridden.expect(400).text(), "Code", "InvalidRequest");
    has(
        &s3.send_unsigned("PUT", "/films/a", &[("x-amz-meta-mark", "1")], "y").await.expect(403).text(),
        "Code",
        "AccessDenied",
    );
    server.stop_and_check().await;
}

#[tokio::test]
async fn a_document_of_a_stranger_is_not_even_read() {
    let server = Server::start().await;
    let s3 = server.s3();
    s3.put("/films", "").await.expect(200);
    for (method, target, status) in [
        ("POST", "/films?delete", 403),
        ("POST", "/films/a?uploadId=0123", 403),
        ("POST", "/none-of-ours?delete", 404),
        ("PUT", "/films?acl", 403),
        ("PUT", "/films?cors", 403),
        ("PUT", "/films/a?acl", 403),
        ("PUT", "/new-films", 403),
        ("PUT", "/films?lifecycle", 403),
    ] {
        let mut socket = connect(server.addr()).await;
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nx-amz-meta-mark: 1\r\nContent-Length: 5000000\r\n\
             Expect: 100-continue\r\n\r\n",
            server.addr()
        );
        socket.write_all(head.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.expect("answered and closed");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {target}: {answer}");
    }
    server.stop_and_check().await;
}

#[tokio::test]
async fn cors_rules_are_kept_and_answer_preflights() {
    let server = Server::start().await;
    let (oss, s3) = (server.client(), server.s3());
    s3.put("/films", "").await.expect(200);
    has(&s3.get("/films?cors").await.expect(404).text(), "Code", "NoSuchCORSConfiguration");
    let rules = "<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example</AllowedOrigin><AllowedMethod>GET\
                 </AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60\
                 </MaxAgeSeconds></CORSRule></CORSConfiguration>";
    s3.send("PUT", "/films?cors", &[], rules).await.expect(200);
    has(&s3.get("/films?cors").await.expect(200).text(), "AllowedOrigin", "https://*.example");
    has(&oss.get("/films?cors").await.expect(200).text(), "MaxAgeSeconds", "60");
    let asked = [
        ("origin", "https://a.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "x-amz-date"),
    ];
    let preflight = s3.send_unsigned("OPTIONS", "/films/a?x-id=GetObject", &asked, "").await.expect(200);
    assert_eq!(preflight.header("access-control-allow-origin"), "https://a.example");
    let refused = s3.send_unsigned("OPTIONS", "/films/a?x-id=GetObject", &asked[..1], "").await.expect(400);
    has(&refused.text(), "Code", "BadRequest");
    let put = [asked[0], ("access-control-request-method", "PUT")];
    has(
        &s3.send_unsigned("OPTIONS", "/films/a?x-id=PutObject", &put, "").await.expect(403).text(),
        "Code",
        "AccessForbidden",
    );
    let got = s3.send("GET", "/films/none", &[asked[0]], "").await.expect(404);
    assert_eq!(got.header("access-control-allow-origin"), "https://a.example");
    let got = s3.send_unsigned("GET", "/films/none", &[asked[0], ("x-amz-meta-mark", "1")], "").await.expect(403);
    assert_eq!(got.header("access-control-allow-origin"), "https://a.example");
    s3.delete("/films?cors").await.expect(204);
    s3.get("/films?cors").await.expect(404);
    server.stop_and_check().await;
}
