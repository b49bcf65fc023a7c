//! Browser forms over the wire, in both dialects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};

use super::harness::{Call, NOW, NOW_TEXT, Reply, Running, Who};
use super::signed::{Dialect, Key};
use crate::auth::oss_v4::Scope;
use crate::auth::{oss_v1, oss_v4, sig_v4};
use crate::clock::Wall;
use crate::store::credentials::token_digest;
use crate::store::{Acl, NewSessionKey};

const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxk";
const SCOPE: &str = "20231114/cn-hangzhou/oss/aliyun_v4_request";
const S3_SCOPE: &str = "20231114/us-east-1/s3/aws4_request";
const DATE: &str = "20231114T221320Z";

/// A form as a browser sends it.
#[derive(Clone, Default)]
pub(super) struct Form {
    fields: Vec<(String, String)>,
    file: Option<(String, Vec<u8>)>,
    behind: Vec<(String, String)>,
}

impl Form {
    pub(super) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn file(mut self, filename: &str, content: &[u8]) -> Self {
        self.file = Some((filename.to_owned(), content.to_vec()));
        self
    }

    fn behind(mut self, name: &str, value: &str) -> Self {
        self.behind.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Signed by `owner` with OSS V1.
    pub(super) fn v1(self, conditions: &str) -> Self {
        self.signed_by(Dialect::Oss, &owner(), false, conditions)
    }

    /// Signed by `owner` with OSS V4.
    fn v4(self, conditions: &str) -> Self {
        self.signed_by(Dialect::Oss, &owner(), true, conditions)
    }

    /// Signed by `owner` with S3 V4.
    fn s3_v4(self, conditions: &str) -> Self {
        self.signed_by(Dialect::S3, &owner(), true, conditions)
    }

    /// Signed by `owner` with S3 V2.
    fn s3_v2(self, conditions: &str) -> Self {
        self.signed_by(Dialect::S3, &owner(), false, conditions)
    }

    /// Signed by anybody, with version 4 or the older one; a token of the key's is a field, and a condition.
    pub(super) fn signed_by(self, dialect: Dialect, key: &Key, v4: bool, conditions: &str) -> Self {
        let held = if dialect == Dialect::Oss { "x-oss-security-token" } else { "x-amz-security-token" };
        let (form, conditions) = match &key.token {
            None => (self, conditions.to_owned()),
            Some(token) => (self.field(held, token), format!(r#"{conditions}, {{"{held}": "{token}"}}"#)),
        };
        match (dialect, v4) {
            (Dialect::Oss, false) => form.signed_v1("OSSAccessKeyId", "Signature", key, &conditions),
            (Dialect::S3, false) => form.signed_v1("AWSAccessKeyId", "signature", key, &conditions),
            (Dialect::Oss, true) => form.signed_oss_v4(key, &conditions),
            (Dialect::S3, true) => form.signed_s3_v4(key, &conditions),
        }
    }

    fn signed_v1(self, id: &str, field: &str, key: &Key, conditions: &str) -> Self {
        let policy = policy("2023-11-14T23:00:00.000Z", conditions);
        let signature = oss_v1::signature(&key.secret, policy.as_bytes());
        self.field(id, &key.id).field("policy", &policy).field(field, &signature)
    }

    fn signed_oss_v4(self, key: &Key, conditions: &str) -> Self {
        let policy = policy("2023-11-14T23:00:00.000Z", conditions);
        let signature = oss_v4::signature(&key.secret, &Scope::read(SCOPE).expect("a scope"), &policy);
        self.field("policy", &policy)
            .field("x-oss-signature-version", "OSS4-HMAC-SHA256")
            .field("x-oss-credential", &format!("{}/{SCOPE}", key.id))
            .field("x-oss-date", DATE)
            .field("x-oss-signature", &signature)
    }

    fn signed_s3_v4(self, key: &Key, conditions: &str) -> Self {
        let credential = format!("{}/{S3_SCOPE}", key.id);
        let own = format!(
            r#"{{"x-amz-algorithm": "AWS4-HMAC-SHA256"}}, {{"x-amz-credential": "{credential}"}},
               {{"x-amz-date": "{DATE}"}}"#
        );
        let policy = policy("2023-11-14T23:00:00.000Z", &[conditions, &own].join(","));
        let signature = sig_v4::signature(&key.secret, S3_SCOPE, &policy);
        self.field("policy", &policy)
            .field("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
            .field("X-Amz-Credential", &credential)
            .field("X-Amz-Date", DATE)
            .field("X-Amz-Signature", &signature)
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let field = |(name, value): &(String, String)| {
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
        };
        body.extend(self.fields.iter().flat_map(field));
        if let Some((filename, content)) = &self.file {
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\n\
                 Content-Type: image/jpeg\r\n\r\n"
            );
            body.extend([head.as_bytes(), content, b"\r\n"].concat());
        }
        body.extend(self.behind.iter().flat_map(field));
        body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
        body
    }

    pub(super) fn call(&self) -> Call {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        Call::new("POST", "/").by(Who::Anonymous).header("Content-Type", &kind).body(self.body())
    }
}

fn owner() -> Key {
    Key::new("ownerKey", "ownerSecret")
}

fn policy(expiration: &str, conditions: &str) -> String {
    BASE64.encode(format!("{{\"expiration\":\"{expiration}\",\"conditions\":[{conditions}]}}"))
}

fn tag(bytes: &[u8]) -> String {
    hex::encode_upper(Md5::digest(bytes))
}

async fn get(running: &Running, target: &str) -> Reply {
    running.call(Call::new("GET", target)).await
}

#[tokio::test]
async fn a_form_of_version_1_becomes_an_object_with_what_its_fields_say() {
    let running = Running::start().await;
    let form = Form::default()
        .field("KEY", "user/a b/${filename}")
        .field("success_action_status", "201")
        .field("Content-Disposition", "attachment;filename=oss_download.jpg")
        .field("cache-control", "no-cache")
        .field("x-oss-meta-UUID", "myuuid")
        .field("x-oss-object-acl", "public-read")
        .field("x-oss-tagging", "a=1&b=2")
        .field("x-oss-content-type", "Image/Png")
        .v1(r#"["starts-with", "$key", "user/"], {"bucket": "examplebucket"}, ["content-length-range", 1, 10]"#)
        .file("C:\\pictures\\cat.jpg", b"0123456789")
        .behind("submit", "Upload to OSS");
    let reply = running.call(form.call()).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.element("Bucket"), "examplebucket");
    assert_eq!(reply.element("Key"), "user/a b/cat.jpg");
    assert_eq!(reply.element("Location"), "http://examplebucket.oss.example.com/user/a%20b/cat.jpg");
    let etag = format!("\"{}\"", tag(b"0123456789"));
    assert_eq!((reply.element("ETag").as_str(), reply.header("etag")), (etag.as_str(), Some(etag.as_str())));

    let got = running.call(Call::new("GET", "/user/a%20b/cat.jpg").by(Who::Anonymous)).await;
    assert_eq!((got.status, got.body.as_slice()), (200, &b"0123456789"[..]));
    for (name, value) in [
        ("content-type", "Image/Png"),
        ("content-disposition", "attachment;filename=oss_download.jpg"),
        ("cache-control", "no-cache"),
        ("x-oss-meta-uuid", "myuuid"),
        ("x-oss-tagging-count", "2"),
        ("x-oss-object-type", "Normal"),
        ("last-modified", NOW_TEXT),
    ] {
        assert_eq!(got.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn every_signature_of_a_form_is_taken_and_none_is_needed_where_everybody_may_write() {
    let running = Running::start().await;
    let key = r#"{"key": "k"}"#;
    let plain = || Form::default().field("key", "k").file("f", b"content");
    let signed = [
        ("oss v1", plain().v1(key), "x-oss-request-id"),
        ("oss v4", plain().v4(key), "x-oss-request-id"),
        ("s3 v2", plain().s3_v2(key), "x-amz-request-id"),
        ("s3 v4", plain().s3_v4(key), "x-amz-request-id"),
    ];
    for (what, form, id) in &signed {
        let reply = running.call(form.call()).await;
        reply.assert_empty(204);
        assert!(reply.header(id).is_some(), "{what}");
        assert_eq!(get(&running, "/k").await.body, b"content", "{what}");
        running.call(Call::new("DELETE", "/k")).await.assert_empty(204);
    }
    running.call(plain().call()).await.assert_error(403, "AccessDenied", Some("0003-00000001"));
    let bucket = running.bucket("examplebucket").await;
    running.meta.set_bucket_acl(bucket.id, Acl::PublicReadWrite).await.expect("set");
    running.call(plain().call()).await.assert_empty(204);
    running.call(plain().field("x-amz-meta-a", "b").call()).await.assert_empty(204);
    assert_eq!(get(&running, "/k").await.header("x-oss-meta-a"), Some("b"));
}

#[tokio::test]
async fn success_is_told_as_the_form_asks_for_it() {
    let running = Running::start().await;
    let form =
        |name: &str, value: &str| Form::default().field("key", "a/b&c").field(name, value).v1("").file("f", b"").call();
    let etag = tag(b"");
    for (name, value, status, location) in [
        ("x", "", 204, "http://examplebucket.oss.example.com/a/b%26c".to_owned()),
        ("success_action_status", "200", 200, "http://examplebucket.oss.example.com/a/b%26c".to_owned()),
        ("success_action_status", "418", 204, "http://examplebucket.oss.example.com/a/b%26c".to_owned()),
        ("success_action_redirect", "no url", 204, "http://examplebucket.oss.example.com/a/b%26c".to_owned()),
        (
            "success_action_redirect",
            "https://app.example/done?x=1",
            303,
            format!("https://app.example/done?x=1&bucket=examplebucket&key=a%2Fb%26c&etag=%22{etag}%22"),
        ),
        (
            "success_action_redirect",
            "https://app.example/",
            303,
            format!("https://app.example/?bucket=examplebucket&key=a%2Fb%26c&etag=%22{etag}%22"),
        ),
    ] {
        let reply = running.call(form(name, value)).await;
        reply.assert_empty(status);
        assert_eq!(reply.header("location"), Some(location.as_str()), "{name} {value}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_told_and_the_old_object_stays() {
    let running = Running::start().await;
    running.call(Call::new("PUT", "/k").body("old")).await.assert_empty(200);
    let plain = || Form::default().field("key", "k").file("f", b"content");
    let signed = || plain().v1("");
    let expired = policy("2023-11-14T22:13:19Z", "");
    let past = Form::default()
        .field("key", "k")
        .field("OSSAccessKeyId", "ownerKey")
        .field("policy", &expired)
        .field("Signature", &oss_v1::signature("ownerSecret", expired.as_bytes()))
        .file("f", b"content");
    let forged = Form::default()
        .field("key", "k")
        .field("OSSAccessKeyId", "ownerKey")
        .field("policy", &expired)
        .field("Signature", "AAAA")
        .file("f", b"");
    let other_day = {
        let mut form = plain().v4("");
        form.fields.iter_mut().filter(|(name, _)| name == "x-oss-date").for_each(|(_, date)| *date = "2023".into());
        form
    };
    let two = signed().behind("file", "again");
    let wrong_md5 = plain().field("Content-MD5", &BASE64.encode(Md5::digest(b"other"))).v1("");
    for (what, form, status, code, ec) in [
        ("expired", past, 403, "AccessDenied", None),
        ("forged", forged, 403, "SignatureDoesNotMatch", Some("0002-00000040")),
        ("another day", other_day, 400, "InvalidArgument", None),
        ("a condition", plain().v1(r#"{"key": "j"}"#), 403, "AccessDenied", Some("0006-00000227")),
        ("the bucket", plain().v1(r#"{"bucket": "j"}"#), 403, "AccessDenied", Some("0006-00000227")),
        (
            "S3's own",
            plain().field("acl", "private").v1(r#"{"acl": "private"}"#),
            403,
            "AccessDenied",
            Some("0006-00000227"),
        ),
        ("a mode", plain().v1(r#"["like", "$key", ""]"#), 400, "InvalidPolicyDocument", Some("0006-00000216")),
        ("too small", plain().v1(r#"["content-length-range", 8, 9]"#), 400, "EntityTooSmall", None),
        ("too large", plain().v1(r#"["content-length-range", 0, 6]"#), 400, "EntityTooLarge", None),
        ("no file", Form::default().field("key", "k").v1(""), 400, "IncorrectNumberOfFilesInPOSTRequest", None),
        ("two files", two, 400, "IncorrectNumberOfFilesInPOSTRequest", None),
        ("no key", Form::default().v1("").file("f", b""), 400, "InvalidArgument", None),
        ("bad key", Form::default().field("key", "/k").v1("").file("f", b""), 400, "InvalidObjectName", None),
        ("no policy", plain().field("OSSAccessKeyId", "ownerKey"), 400, "InvalidArgument", None),
        (
            "no such key",
            plain().field("OSSAccessKeyId", "x").field("policy", "e30=").field("Signature", "s"),
            403,
            "InvalidAccessKeyId",
            Some("0002-00000902"),
        ),
        ("a long field", plain().field("x", &"x".repeat(70_000)).v1(""), 400, "FieldItemTooLong", None),
        (
            "forbidden",
            signed().field("x-oss-forbid-overwrite", "true"),
            409,
            "FileAlreadyExists",
            Some("0026-00000002"),
        ),
        ("an ACL", signed().field("x-oss-object-acl", "mine"), 400, "InvalidArgument", None),
        ("wrong MD5", wrong_md5, 400, "InvalidDigest", None),
        ("no header", signed().field("x-oss-meta-a", "a\u{1}"), 400, "InvalidArgument", None),
    ] {
        let reply = running.call(form.call()).await;
        assert_eq!((reply.status, reply.element("Code").as_str()), (status, code), "{what}: {}", reply.text());
        reply.assert_error(status, code, ec);
        assert_eq!(get(&running, "/k").await.body, b"old", "{what}");
    }
    let failed = running.call(plain().v1(r#"["eq","$success_action_status","200"]"#).call()).await;
    let message = "Invalid according to Policy: Policy Condition failed: [\"eq\",\"$success_action_status\",\"200\"]";
    assert_eq!(failed.element("Message"), message);
    // Nothing of a file that was refused is left, also not of one that had become a blob.
    let large = vec![7u8; 200_000];
    let form = Form::default().field("key", "k").v1(r#"["content-length-range", 0, 150000]"#).file("f", &large);
    running.call(form.call()).await.assert_error(400, "EntityTooLarge", None);
    assert_eq!(running.blob_count().await, 0);
}

#[tokio::test]
async fn what_a_policy_judges_is_what_is_acted_on() {
    let running = Running::start().await;
    // Blanks belong to a key: another key is not the one that was signed for.
    for key in [" k", "k ", "k\u{a0}"] {
        let form = || Form::default().field("key", key).file("f", b"content");
        for signed in [form().v1(r#"{"key": "k"}"#), form().v4(r#"{"key": "k"}"#)] {
            running.call(signed.call()).await.assert_error(403, "AccessDenied", Some("0006-00000227"));
        }
        let reply = running.call(form().s3_v4(r#"{"key": "k"}"#).call()).await;
        assert_eq!((reply.status, reply.element("Code").as_str()), (403, "AccessDenied"), "{key:?}");
    }
    // Whichever field or part says the type, it is the type.
    let images = r#"["in", "$content-type", ["image/jpeg"]]"#;
    let no_pages = r#"["not-in", "$content-type", ["text/html"]]"#;
    let form = |fields: &[(&str, &str)]| {
        let form = Form::default().field("key", "k");
        fields.iter().fold(form, |form, (name, value)| form.field(name, value)).file("f", b"content")
    };
    let (kind, own) = ("content-type", "x-oss-content-type");
    for (what, form, status) in [
        ("the file's own", form(&[]).v1(images), 204),
        ("the file's own is refused", form(&[]).v1(r#"["not-in", "$content-type", ["image/jpeg"]]"#), 403),
        ("a field", form(&[(kind, "text/html")]).v1(images), 403),
        ("a field that outranks another", form(&[(kind, "image/jpeg"), (own, "text/html")]).v1(images), 403),
        ("the same, alone", form(&[(own, "text/html")]).v1(no_pages), 403),
        ("the same, allowed", form(&[(kind, "text/html"), (own, "image/jpeg")]).v1(images), 204),
        ("the field itself", form(&[(own, "image/jpeg")]).v1(r#"{"x-oss-content-type": "image/jpeg"}"#), 204),
    ] {
        assert_eq!(running.call(form.call()).await.status, status, "{what}");
    }
    // A callback that was signed for is the one that is made. (The other one would be refused before the upload.)
    let callback = |url: &str| BASE64.encode(format!("{{\"callbackUrl\":\"{url}\",\"callbackBody\":\"b\"}}"));
    let (meant, slipped) = (callback("http://127.0.0.1:1/"), callback("http://10.0.0.1/"));
    let signed =
        form(&[("callback", &meant), ("x-oss-callback", &slipped)]).v1(&format!("{{\"callback\": \"{meant}\"}}"));
    assert_eq!(running.call(signed.call()).await.status, 203);
}

#[tokio::test]
async fn what_is_no_form_is_malformed() {
    let running = Running::start().await;
    let form = Form::default().field("key", "k").v1("").file("f", b"content");
    let whole = form.body();
    for (what, body) in [
        ("nothing", &b""[..]),
        ("cut off in a field", &whole[..100]),
        ("cut off in the file", &whole[..whole.len() - 80]),
        ("no last boundary", &whole[..whole.len() - 6]),
    ] {
        let reply = running.call(form.call().body(body)).await;
        assert_eq!((reply.status, reply.element("Code").as_str()), (400, "MalformedPOSTRequest"), "{what}");
    }
    let plain = Call::new("POST", "/").header("Content-Type", "text/plain").body("x");
    running.call(plain).await.assert_error(400, "MalformedPOSTRequest", None);
    running.call(form.call().no_length()).await.assert_error(411, "MissingContentLength", None);
    let elsewhere = form.call().target("/k");
    running.call(elsewhere).await.assert_error(405, "MethodNotAllowed", None);
    running.call(form.call().bucket("nosuchbucket")).await.assert_error(404, "NoSuchBucket", Some("0015-00000101"));
    assert_eq!(get(&running, "/k").await.status, 404);
}

#[tokio::test]
async fn s3_forms_speak_of_every_field_and_answer_in_their_own_words() {
    let running = Running::start().await;
    let form = Form::default()
        .field("key", "s3/${filename}")
        .field("acl", "public-read")
        .field("tagging", "<Tagging><TagSet><Tag><Key>a b</Key><Value>1 +2</Value></Tag></TagSet></Tagging>")
        .field("x-amz-meta-tag", "t")
        .field("Content-Type", "image/gif")
        .field("success_action_status", "201")
        .field("x-ignore-this", "1");
    let conditions = r#"["starts-with", "$key", "s3/"], {"acl": "public-read"}, ["starts-with", "$tagging", ""],
        ["starts-with", "$Content-Type", "image/"], ["starts-with", "$x-amz-meta-tag", ""],
        {"success_action_status": "201"}"#;
    let reply = running.call(form.clone().s3_v4(conditions).file("a.gif", b"gif").call()).await;
    assert_eq!((reply.status, reply.element("Key").as_str()), (201, "s3/a.gif"), "{}", reply.text());
    assert_eq!(reply.element("ETag"), format!("\"{}\"", tag(b"gif").to_lowercase()));
    assert_eq!(reply.element("Location"), "http://examplebucket.oss.example.com/s3/a.gif");
    let got = running.call(Call::new("GET", "/s3/a.gif").by(Who::Anonymous)).await;
    assert_eq!((got.status, got.header("content-type")), (200, Some("image/gif")));
    assert_eq!((got.header("x-oss-meta-tag"), got.header("x-oss-tagging-count")), (Some("t"), Some("1")));

    let key = r#"["starts-with", "$key", ""]"#;
    let plain = || Form::default().field("key", "k").file("f", b"content");
    for (what, form, status, code) in [
        ("an extra field", plain().field("acl", "public-read").s3_v4(key), 403, "AccessDenied"),
        ("an extra field, V2", plain().field("acl", "public-read").s3_v2(key), 403, "AccessDenied"),
        ("no policy", plain().field("AWSAccessKeyId", "ownerKey"), 400, "InvalidArgument"),
        ("too large", plain().s3_v4(&format!("{key}, [\"content-length-range\", 1, 2]")), 400, "EntityTooLarge"),
        ("too small", plain().s3_v4(&format!("{key}, [\"content-length-range\", 9, 12]")), 400, "EntityTooSmall"),
        ("two files", plain().s3_v4(key).behind("file", "x"), 400, "IncorrectNumberOfFilesInPostRequest"),
        ("a token", plain().s3_v4(key).field("x-amz-security-token", "t"), 400, "InvalidToken"),
        ("a mode", plain().s3_v2(r#"["like", "$key", ""]"#), 400, "InvalidPolicyDocument"),
        ("anonymous", plain().field("x-amz-meta-a", "b"), 403, "AccessDenied"),
    ] {
        let reply = running.call(form.call()).await;
        assert_eq!((reply.status, reply.element("Code").as_str()), (status, code), "{what}: {}", reply.text());
        assert!(reply.header("x-amz-request-id").is_some() && !reply.element("HostId").is_empty(), "{what}");
    }
    let elsewhere = plain().s3_v4(key).call().target("/examplebucket/k");
    assert_eq!(running.call(elsewhere.host("127.0.0.1")).await.status, 405);
    let path_style = plain().s3_v4(key).call().target("/examplebucket").host("127.0.0.1");
    running.call(path_style).await.assert_empty(204);
    assert_eq!(get(&running, "/k").await.body, b"content");
}

#[tokio::test]
async fn a_form_makes_a_version_where_the_bucket_keeps_them() {
    let running = Running::start().await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    running.call(Call::new("PUT", "/?versioning").body(enabled)).await.assert_empty(200);
    let key = r#"{"key": "k"}"#;
    let plain = |content: &[u8]| Form::default().field("key", "k").file("f", content);
    let first = running.call(plain(b"first").v1(key).call()).await;
    let version = first.header("x-oss-version-id").expect("a version").to_owned();
    let second = running.call(plain(b"second").s3_v4(key).call()).await;
    assert_eq!(second.status, 204, "{}", second.text());
    assert!(second.header("x-amz-version-id").is_some_and(|id| id != version));
    assert_eq!(get(&running, "/k").await.body, b"second");
    assert_eq!(get(&running, &format!("/k?versionId={version}")).await.body, b"first");
}

#[tokio::test]
async fn a_form_is_streamed_and_the_socket_goes_on() {
    let running = Running::start().await;
    let mut socket = running.connect().await;
    let content: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    let form = Form::default().field("key", "large").v1("").file("f", &content);
    let call = form.call();
    socket.send(call.head().as_bytes()).await;
    for piece in form.body().chunks(65_537) {
        socket.send(piece).await;
    }
    socket.reply(false).await.assert_empty(204);
    assert!(socket.call(Call::new("GET", "/large")).await.body == content);
    assert_eq!(running.blob_count().await, 1);
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_read_the_answer() {
    let running = Running::start().await;
    let rules = "<CORSConfiguration><CORSRule><AllowedOrigin>https://app.example</AllowedOrigin>\
                 <AllowedMethod>POST</AllowedMethod></CORSRule></CORSConfiguration>";
    running.call(Call::new("PUT", "/?cors").body(rules).md5()).await.assert_empty(200);
    let key = r#"{"key": "k"}"#;
    let plain = || Form::default().field("key", "k").file("f", b"");
    for form in [plain().v1(key), plain().s3_v4(key), plain()] {
        let reply = running.call(form.call().header("Origin", "https://app.example")).await;
        assert_eq!(reply.header("access-control-allow-origin"), Some("https://app.example"));
    }
}

/// Signed by a temporary credential of `owner`.
fn temporary(key: &str, dialect: Dialect, token: Option<&str>) -> Form {
    let mut signer = Key::new("STS.a", "session-secret");
    signer.token = token.map(str::to_owned);
    let form = Form::default().field("key", key).file("f", b"content");
    form.signed_by(dialect, &signer, false, &format!(r#"{{"key": "{key}"}}"#))
}

#[tokio::test]
async fn a_form_is_judged_by_its_signers_credential_and_by_the_buckets_policy() {
    let running = Running::start().await;
    let own =
        r#"{"Statement":{"Effect":"Allow","Action":"oss:PutObject","Resource":"acs:oss:*:*:examplebucket/drop/*"}}"#;
    let session = NewSessionKey {
        id: "STS.a".into(),
        secret: "session-secret".into(),
        token_sha256: token_digest(b"session-token"),
        expires: Wall(NOW.0 + 60_000),
        policy: Some(own.into()),
    };
    running.meta.put_session_key("ownerKey", session, NOW).await.expect("a new credential");
    for (dialect, wrong) in [(Dialect::Oss, "InvalidSecurityToken"), (Dialect::S3, "InvalidToken")] {
        let code = async |form: Form| {
            let reply = running.call(form.call()).await;
            if reply.status == 204 { String::new() } else { reply.element("Code") }
        };
        assert_eq!(code(temporary("drop/k", dialect, Some("session-token"))).await, "", "{dialect:?}");
        assert_eq!(code(temporary("k", dialect, Some("session-token"))).await, "AccessDenied", "{dialect:?}");
        assert_eq!(code(temporary("drop/k", dialect, Some("another"))).await, wrong, "{dialect:?}");
        assert_eq!(code(temporary("drop/k", dialect, None)).await, "InvalidAccessKeyId", "{dialect:?}");
    }
    let denies = r#"{"Version":"1","Statement":[{"Effect":"Deny","Principal":["*"],"Action":["s3:PutObject"],
        "Resource":["acs:oss:*:*:examplebucket/k"]}]}"#;
    running.call(Call::new("PUT", "/?policy").body(denies)).await.assert_empty(200);
    let form = Form::default().field("key", "k").file("f", b"content");
    running.call(form.clone().v1(r#"{"key": "k"}"#).call()).await.assert_error(
        403,
        "AccessDenied",
        Some("0003-00000001"),
    );
    assert_eq!(running.call(form.s3_v4(r#"{"key": "k"}"#).call()).await.status, 403);
}
