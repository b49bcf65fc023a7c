//! Bucket policies and temporary credentials, as clients of either dialect meet them.

use super::harness::{Call, HOST, NOW, Reply, Running, Who};
use super::signed::{Dialect, Key, Place, Plain};
use crate::clock::Wall;
use crate::store::credentials::token_digest;
use crate::store::settings::PublicAccessBlock;
use crate::store::{BucketSetting, NewSessionKey};

const OWNER_READS: &str = r#"{"Version":"1","Statement":[{"Effect":"Allow","Principal":["other"],
    "Action":["oss:GetObject"],"Resource":["acs:oss:*:*:examplebucket/*"]}]}"#;

/// Whom a header of S3's grants something.
const EVERYBODY: &str = "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"";

fn owner() -> Key {
    Key::new("ownerKey", "ownerSecret")
}

fn other() -> Key {
    Key::new("otherKey", "otherSecret")
}

async fn send(running: &Running, plain: Plain, key: Option<&Key>, place: Place) -> Reply {
    let mut socket = running.connect().await;
    plain.signed(key, place).send(&mut socket).await
}

/// To `examplebucket`.
fn ask(dialect: Dialect, method: &'static str, key: &str, query: &str) -> Plain {
    Plain::new(dialect, method, "examplebucket", key, query)
}

async fn with_object() -> Running {
    let running = Running::start().await;
    running.call(Call::new("PUT", "/k").body("text")).await.assert_empty(200);
    running
}

#[tokio::test]
async fn a_policy_comes_back_as_it_was_put() {
    let running = Running::start().await;
    running.call(Call::new("GET", "/?policy")).await.assert_error(404, "NoSuchBucketPolicy", None);
    running.call(Call::new("DELETE", "/?policy")).await.assert_empty(204);
    running.call(Call::new("PUT", "/?policy").body(OWNER_READS)).await.assert_empty(200);
    let got = running.call(Call::new("GET", "/?policy")).await;
    assert_eq!((got.status, got.text().as_str()), (200, OWNER_READS));
    assert_eq!(got.header("content-type"), Some("application/json"));
    // The other dialect shows the same text.
    let got = send(&running, ask(Dialect::S3, "GET", "", "policy"), Some(&owner()), Place::Header).await;
    assert_eq!((got.status, got.text().as_str()), (200, OWNER_READS));
    running.call(Call::new("DELETE", "/?policy")).await.assert_empty(204);
    running.call(Call::new("GET", "/?policy")).await.assert_error(404, "NoSuchBucketPolicy", None);

    let s3 = |method, query| ask(Dialect::S3, method, "", query);
    let gone = send(&running, s3("GET", "policy"), Some(&owner()), Place::Header).await;
    assert_eq!((gone.status, gone.element("Code").as_str()), (404, "NoSuchBucketPolicy"));
    let put = send(&running, s3("PUT", "policy").body(OWNER_READS), Some(&owner()), Place::Header).await;
    put.assert_empty(204);
    let gone = send(&running, s3("DELETE", "policy"), Some(&owner()), Place::Header).await;
    gone.assert_empty(204);
}

#[tokio::test]
async fn a_policy_that_cannot_be_carried_out_is_refused_and_the_old_one_stays() {
    let running = Running::start().await;
    running.call(Call::new("PUT", "/?policy").body(OWNER_READS)).await.assert_empty(200);
    let long = format!(r#"{{"Version":"1","Id":"{}"}}"#, "x".repeat(20 * 1024));
    for text in [
        "",
        "no json",
        &OWNER_READS.replace("examplebucket", "another"),
        &OWNER_READS.replace("\"Resource\"", "\"Condition\":{\"Null\":{\"acs:SourceIp\":\"true\"}},\"Resource\""),
        &OWNER_READS.replace("acs:oss:*:*", "acs:oss:*:77"),
    ] {
        let put = running.call(Call::new("PUT", "/?policy").body(text)).await;
        put.assert_error(400, "InvalidPolicyDocument", None);
        let put = ask(Dialect::S3, "PUT", "", "policy").body(text);
        let put = send(&running, put, Some(&owner()), Place::Header).await;
        assert_eq!((put.status, put.element("Code").as_str()), (400, "MalformedPolicy"), "{text}");
    }
    running.call(Call::new("PUT", "/?policy").body(long.as_str())).await.assert_error(400, "EntityTooLarge", None);
    let put = send(&running, ask(Dialect::S3, "PUT", "", "policy").body(&long), Some(&owner()), Place::Header).await;
    assert_eq!((put.status, put.element("Code").as_str()), (400, "MalformedPolicy"));
    assert_eq!(running.call(Call::new("GET", "/?policy")).await.text(), OWNER_READS);
}

#[tokio::test]
async fn the_status_says_whether_a_policy_opens_the_bucket() {
    let running = Running::start().await;
    let everybody = OWNER_READS.replace("\"other\"", "\"*\"");
    let from_one_place = everybody
        .replace("\"Resource\"", "\"Condition\":{\"IpAddress\":{\"acs:SourceIp\":\"192.0.2.0/24\"}},\"Resource\"");
    let none = running.call(Call::new("GET", "/?policyStatus")).await;
    assert_eq!((none.status, none.element("IsPublic").as_str()), (200, "false"));
    let s3 = || ask(Dialect::S3, "GET", "", "policyStatus");
    let none = send(&running, s3(), Some(&owner()), Place::Header).await;
    assert_eq!((none.status, none.element("Code").as_str()), (404, "NoSuchBucketPolicy"));
    for (text, public) in [(OWNER_READS, "false"), (&everybody, "true"), (&from_one_place, "false")] {
        running.call(Call::new("PUT", "/?policy").body(text)).await.assert_empty(200);
        assert_eq!(running.call(Call::new("GET", "/?policyStatus")).await.element("IsPublic"), public, "{text}");
        let status = send(&running, s3(), Some(&owner()), Place::Header).await;
        assert_eq!(status.element("IsPublic").to_lowercase(), public, "{text}");
    }
}

#[tokio::test]
async fn one_policy_holds_over_both_dialects() {
    let running = with_object().await;
    let read = |dialect| ask(dialect, "GET", "k", "");
    for dialect in [Dialect::Oss, Dialect::S3] {
        assert_eq!(send(&running, read(dialect), Some(&other()), Place::Header).await.status, 403);
    }
    running.call(Call::new("PUT", "/?policy").body(OWNER_READS)).await.assert_empty(200);
    for dialect in [Dialect::Oss, Dialect::S3] {
        for place in [Place::Header, Place::Url] {
            assert_eq!(send(&running, read(dialect), Some(&other()), place).await.text(), "text");
        }
        assert_eq!(send(&running, read(dialect), None, Place::Header).await.status, 403);
        let write = ask(dialect, "PUT", "k", "").body("new");
        assert_eq!(send(&running, write, Some(&other()), Place::Header).await.status, 403);
    }
    let s3 = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:GetObject",
        "Resource":"arn:aws:s3:::examplebucket/k"}}"#;
    let put = ask(Dialect::S3, "PUT", "", "policy").body(s3);
    send(&running, put, Some(&owner()), Place::Header).await.assert_empty(204);
    for dialect in [Dialect::Oss, Dialect::S3] {
        let denied = send(&running, read(dialect), Some(&owner()), Place::Header).await;
        assert_eq!((denied.status, denied.element("Code").as_str()), (403, "AccessDenied"));
    }
}

#[tokio::test]
async fn the_owner_cannot_lock_themselves_out() {
    let running = with_object().await;
    let nobody = r#"{"Version":"1","Statement":[{"Effect":"Deny","Principal":["*"],"Action":["*"],"Resource":["*"]}]}"#;
    running.call(Call::new("PUT", "/?policy").body(nobody)).await.assert_empty(200);
    running.call(Call::new("GET", "/k")).await.assert_error(403, "AccessDenied", Some("0003-00000001"));
    running.call(Call::new("PUT", "/?acl").header("x-oss-acl", "public-read")).await.assert_error(
        403,
        "AccessDenied",
        None,
    );
    assert_eq!(running.call(Call::new("GET", "/?policy")).await.text(), nobody);
    running.call(Call::new("GET", "/?policy").by(Who::Other)).await.assert_error(403, "AccessDenied", None);
    running.call(Call::new("DELETE", "/?policy")).await.assert_empty(204);
    assert_eq!(running.call(Call::new("GET", "/k")).await.text(), "text");
}

#[tokio::test]
async fn conditions_are_judged_by_the_request() {
    let running = with_object().await;
    let policy = |action: &str, condition: &str| {
        format!(
            r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Principal":["*"],"Action":["{action}"],
            "Resource":["acs:oss:*:*:examplebucket","acs:oss:*:*:examplebucket/*"],"Condition":{condition}}}]}}"#
        )
    };
    let get = || ask(Dialect::Oss, "GET", "k", "");
    let list = |query: &str| ask(Dialect::S3, "GET", "", query);
    for (action, condition, plain, status) in [
        ("oss:GetObject", r#"{"IpAddress":{"acs:SourceIp":"127.0.0.0/8"}}"#, get(), 200),
        ("oss:GetObject", r#"{"IpAddress":{"acs:SourceIp":"192.0.2.0/24"}}"#, get(), 403),
        ("oss:GetObject", r#"{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}"#, get(), 200),
        ("oss:GetObject", r#"{"Bool":{"acs:SecureTransport":"true"}}"#, get(), 403),
        ("oss:GetObject", r#"{"Bool":{"acs:SecureTransport":"false"}}"#, get(), 200),
        ("oss:GetObject", r#"{"DateLessThan":{"acs:CurrentTime":"2023-11-14T22:13:21Z"}}"#, get(), 200),
        ("oss:GetObject", r#"{"DateLessThan":{"acs:CurrentTime":"2023-11-14T22:13:20Z"}}"#, get(), 403),
        ("oss:GetObject", r#"{"StringLike":{"aws:Referer":"https://good.example/*"}}"#, get(), 403),
        (
            "oss:GetObject",
            r#"{"StringLike":{"aws:Referer":"https://good.example/*"}}"#,
            get().header("Referer", "https://good.example/page"),
            200,
        ),
        ("s3:ListBucket", r#"{"StringLike":{"s3:prefix":"home/*"}}"#, list("prefix=home/a"), 200),
        ("s3:ListBucket", r#"{"StringLike":{"s3:prefix":"home/*"}}"#, list("list-type=2&prefix=home%2Fa"), 200),
        ("s3:ListBucket", r#"{"StringLike":{"s3:prefix":"home/*"}}"#, list("prefix=other"), 403),
        ("s3:ListBucket", r#"{"StringLike":{"s3:prefix":"home/*"}}"#, list("max-keys=1"), 403),
        ("oss:ListObjects", r#"{"StringEquals":{"oss:Prefix":["","home/"]}}"#, list("max-keys=1"), 200),
    ] {
        let text = policy(action, condition);
        running.call(Call::new("PUT", "/?policy").body(text.as_str())).await.assert_empty(200);
        let got = send(&running, plain, Some(&other()), Place::Header).await;
        assert_eq!(got.status, status, "{text}: {got:?}");
    }
}

#[tokio::test]
async fn an_acl_or_tags_in_the_head_of_a_put_take_their_own_rights() {
    let running = with_object().await;
    let policy = |actions: &str| {
        format!(
            r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Principal":["other"],"Action":[{actions}],
            "Resource":["acs:oss:*:*:examplebucket/*"]}}]}}"#
        )
    };
    let put = |dialect, name, value| ask(dialect, "PUT", "k", "").body("new").header(name, value);
    for (actions, plain, status) in [
        (r#""oss:PutObject""#, ask(Dialect::Oss, "PUT", "k", "").body("new"), 200),
        (r#""oss:PutObject""#, put(Dialect::Oss, "x-oss-object-acl", "public-read"), 403),
        (r#""oss:PutObject","oss:PutObjectAcl""#, put(Dialect::Oss, "x-oss-object-acl", "public-read"), 200),
        (r#""oss:PutObject""#, put(Dialect::Oss, "x-oss-tagging", "a=b"), 403),
        (r#""oss:PutObject*""#, put(Dialect::Oss, "x-oss-tagging", "a=b"), 200),
        (r#""s3:PutObject""#, put(Dialect::S3, "x-amz-acl", "public-read"), 403),
        (r#""s3:PutObject","s3:PutObjectAcl""#, put(Dialect::S3, "x-amz-acl", "public-read"), 200),
        (r#""s3:PutObject""#, put(Dialect::S3, "x-amz-tagging", "a=b"), 403),
        (r#""s3:PutObject""#, put(Dialect::S3, "x-amz-grant-read", EVERYBODY), 403),
        (r#""s3:PutObject""#, put(Dialect::S3, "x-amz-grant-full-control", "id=1"), 403),
        (r#""s3:PutObject","s3:PutObjectAcl""#, put(Dialect::S3, "x-amz-grant-read", EVERYBODY), 200),
    ] {
        running.call(Call::new("PUT", "/?policy").body(policy(actions))).await.assert_empty(200);
        let got = send(&running, plain, Some(&other()), Place::Header).await;
        assert_eq!(got.status, status, "{actions}: {got:?}");
    }
}

#[tokio::test]
async fn tags_that_a_copy_takes_along_take_the_rights_to_read_and_to_write_them() {
    let running = Running::start().await;
    running.call(Call::new("PUT", "/k").header("x-oss-tagging", "a=b").body("text")).await.assert_empty(200);
    running.call(Call::new("PUT", "/plain").body("text")).await.assert_empty(200);
    let policy = |actions: &str| {
        format!(
            r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Principal":["other"],"Action":[{actions}],
            "Resource":["acs:oss:*:*:examplebucket/*"]}}]}}"#
        )
    };
    let copy = |dialect, source: &str, directive: &str| {
        let brand = if dialect == Dialect::Oss { "oss" } else { "amz" };
        let copy = ask(dialect, "PUT", "copy", "").header(&format!("x-{brand}-copy-source"), source);
        copy.header(&format!("x-{brand}-tagging-directive"), directive)
    };
    const BOTH: &str = r#""oss:GetObject","oss:PutObject""#;
    for dialect in [Dialect::Oss, Dialect::S3] {
        for (more, source, directive, status) in [
            ("", "/examplebucket/k", "COPY", 403),
            (r#","oss:GetObjectTagging""#, "/examplebucket/k", "COPY", 403),
            (r#","oss:PutObjectTagging""#, "/examplebucket/k", "COPY", 403),
            (r#","oss:GetObjectTagging","oss:PutObjectTagging""#, "/examplebucket/k", "COPY", 200),
            ("", "/examplebucket/k", "REPLACE", 200),
            ("", "/examplebucket/plain", "COPY", 200),
        ] {
            let text = policy(&[BOTH, more].concat());
            running.call(Call::new("PUT", "/?policy").body(text.as_str())).await.assert_empty(200);
            let got = send(&running, copy(dialect, source, directive), Some(&other()), Place::Header).await;
            assert_eq!(got.status, status, "{dialect:?} {text} {source} {directive}: {got:?}");
        }
    }
}

#[tokio::test]
async fn a_version_takes_the_right_to_the_object_too() {
    let running = with_object().await;
    let policy = |effect: &str, actions: &str| {
        format!(
            r#"{{"Version":"1","Statement":[{{"Effect":"{effect}","Principal":["*"],"Action":[{actions}],
            "Resource":["acs:oss:*:*:examplebucket/*"]}}]}}"#
        )
    };
    for dialect in [Dialect::Oss, Dialect::S3] {
        for (effect, actions, key, plain, version) in [
            ("Allow", r#""oss:GetObject""#, other(), 200, 403),
            ("Allow", r#""oss:GetObjectVersion""#, other(), 403, 403),
            ("Allow", r#""oss:GetObject*""#, other(), 200, 200),
            ("Deny", r#""s3:GetObject""#, owner(), 403, 403),
            ("Deny", r#""s3:GetObjectVersion""#, owner(), 200, 403),
        ] {
            running.call(Call::new("PUT", "/?policy").body(policy(effect, actions))).await.assert_empty(200);
            for (query, status) in [("", plain), ("versionId=null", version)] {
                let got = send(&running, ask(dialect, "GET", "k", query), Some(&key), Place::Header).await;
                assert_eq!(got.status, status, "{dialect:?} {effect} {actions} {query}: {got:?}");
            }
        }
    }
    running.call(Call::new("PUT", "/?policy").body(policy("Allow", r#""oss:DeleteObject""#))).await.assert_empty(200);
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    running.call(Call::new("PUT", "/?versioning").body(versioning)).await.assert_empty(200);
    let delete = |query| ask(Dialect::S3, "DELETE", "k", query);
    assert_eq!(send(&running, delete("versionId=null"), Some(&other()), Place::Header).await.status, 403);
    assert_eq!(send(&running, delete(""), Some(&other()), Place::Header).await.status, 204, "it buries it");
    running.call(Call::new("PUT", "/?policy").body(policy("Allow", r#""s3:Delete*""#))).await.assert_empty(200);
    assert_eq!(send(&running, delete("versionId=null"), Some(&other()), Place::Header).await.status, 204);
}

#[tokio::test]
async fn each_key_of_a_multi_delete_is_judged_by_itself() {
    let running = with_object().await;
    running.call(Call::new("PUT", "/tmp/a").body("text")).await.assert_empty(200);
    let policy = r#"{"Version":"1","Statement":[{"Effect":"Allow","Principal":["other"],"Action":["oss:DeleteObject"],
        "Resource":["acs:oss:*:*:examplebucket/tmp/*"]}]}"#;
    running.call(Call::new("PUT", "/?policy").body(policy)).await.assert_empty(200);
    let delete = |dialect, keys: &[&str]| {
        let objects: String = keys.iter().map(|key| format!("<Object><Key>{key}</Key></Object>")).collect();
        ask(dialect, "POST", "", "delete").body(&format!("<Delete>{objects}</Delete>")).md5()
    };
    let both = send(&running, delete(Dialect::Oss, &["tmp/a", "k"]), Some(&other()), Place::Header).await;
    assert_eq!(both.status, 403, "this dialect takes all or none");
    let both = send(&running, delete(Dialect::S3, &["tmp/a", "k"]), Some(&other()), Place::Header).await;
    assert_eq!((both.status, both.element("Code").as_str()), (200, "AccessDenied"));
    assert_eq!(running.call(Call::new("HEAD", "/k")).await.status, 200);
    assert_eq!(running.call(Call::new("HEAD", "/tmp/a")).await.status, 404);
    let own = send(&running, delete(Dialect::Oss, &["tmp/b"]), Some(&other()), Place::Header).await;
    assert_eq!(own.status, 200);
}

// ---- temporary credentials -----------------------------------------------------------------------------------

async fn session(running: &Running, id: &str, expires: Wall, policy: Option<&str>) -> Key {
    let key = Key::new(id, "session-secret").token("session-token");
    let session = NewSessionKey {
        id: key.id.clone(),
        secret: key.secret.clone(),
        token_sha256: token_digest(b"session-token"),
        expires,
        policy: policy.map(str::to_owned),
    };
    running.meta.put_session_key("ownerKey", session, NOW).await.expect("a new credential");
    key
}

#[tokio::test]
async fn a_temporary_credential_works_at_every_door_and_only_with_its_token() {
    let running = with_object().await;
    let key = session(&running, "STS.a", Wall(NOW.0 + 10_000), None).await;
    let old = session(&running, "STS.old", NOW, None).await;
    let wrong = Key { token: Some("another-token".into()), ..key.clone() };
    let bare = Key { token: None, ..key.clone() };
    let forger = Key { secret: "guessed".into(), ..key.clone() };
    let unneeded = owner().token("session-token");
    for dialect in [Dialect::Oss, Dialect::S3] {
        let codes = match dialect {
            Dialect::Oss => ["InvalidSecurityToken", "SecurityTokenExpired"],
            Dialect::S3 => ["InvalidToken", "ExpiredToken"],
        };
        for place in [Place::Header, Place::Url] {
            let code = async |key: &Key| {
                let reply = send(&running, ask(dialect, "GET", "k", ""), Some(key), place).await;
                if reply.status == 200 { reply.text() } else { reply.element("Code") }
            };
            assert_eq!(code(&key).await, "text", "{dialect:?} {place:?}");
            assert_eq!(code(&wrong).await, codes[0], "{dialect:?} {place:?}");
            assert_eq!(code(&old).await, codes[1], "{dialect:?} {place:?}");
            assert_eq!(code(&bare).await, "InvalidAccessKeyId", "{dialect:?} {place:?}");
            assert_eq!(code(&forger).await, "SignatureDoesNotMatch", "{dialect:?} {place:?}");
            assert_eq!(code(&unneeded).await, codes[0], "{dialect:?} {place:?}");
        }
    }
    running.clock.advance(std::time::Duration::from_secs(10));
    let late = send(&running, ask(Dialect::Oss, "GET", "k", ""), Some(&key), Place::Header).await;
    late.assert_error(403, "SecurityTokenExpired", Some("0002-00000007"));
}

#[tokio::test]
async fn a_disabled_key_takes_its_temporary_credentials_along() {
    let running = with_object().await;
    let key = session(&running, "STS.a", Wall(NOW.0 + 10_000), None).await;
    let get = || ask(Dialect::S3, "GET", "k", "");
    assert_eq!(send(&running, get(), Some(&key), Place::Header).await.status, 200);
    running.meta.disable_access_key("ownerKey").await.expect("known");
    assert_eq!(send(&running, get(), Some(&key), Place::Header).await.element("Code"), "InvalidToken");
    running.meta.put_access_key("owner", "ownerKey", "ownerSecret", NOW).await.expect("enabled");
    let code = send(&running, get(), Some(&key), Place::Header).await.element("Code");
    assert_eq!(code, "InvalidToken", "it does not come back with its key");
    assert_eq!(send(&running, get(), Some(&owner()), Place::Header).await.status, 200);
}

#[tokio::test]
async fn its_own_policy_narrows_a_temporary_credential() {
    let running = with_object().await;
    let policy = r#"{"Version":"1","Statement":[
        {"Effect":"Allow","Action":["oss:GetObject","oss:PutBucket"],"Resource":["acs:oss:*:*:examplebucket/k","acs:oss:*:*:mine"]},
        {"Effect":"Allow","Action":["oss:DeleteObject"],"Resource":["acs:oss:*:*:*/tmp/*"]}]}"#;
    let key = session(&running, "STS.a", Wall(NOW.0 + 10_000), Some(policy)).await;
    let status = async |plain: Plain| send(&running, plain, Some(&key), Place::Header).await.status;
    let oss = |method, bucket, key, query| Plain::new(Dialect::Oss, method, bucket, key, query);
    let s3 = |method, bucket, key, query| Plain::new(Dialect::S3, method, bucket, key, query);
    assert_eq!(status(oss("GET", "examplebucket", "k", "")).await, 200);
    assert_eq!(status(s3("GET", "examplebucket", "k", "")).await, 200);
    assert_eq!(status(oss("GET", "examplebucket", "other", "")).await, 403, "not even that it is not there");
    assert_eq!(status(oss("PUT", "examplebucket", "k", "").body("x")).await, 403);
    assert_eq!(status(oss("GET", "", "", "")).await, 403, "the account's buckets");
    assert_eq!(status(s3("GET", "", "", "")).await, 403);
    assert_eq!(status(oss("PUT", "mine", "", "")).await, 200);
    assert_eq!(status(oss("PUT", "yours", "", "")).await, 403);
    assert_eq!(status(oss("PUT", "yours", "", "acl").header("x-oss-acl", "private")).await, 403, "another way to it");
    assert_eq!(status(s3("PUT", "yours", "", "")).await, 403);
    assert_eq!(status(oss("DELETE", "examplebucket", "tmp/x", "")).await, 204);
    assert_eq!(status(oss("DELETE", "examplebucket", "k", "")).await, 403);
    let copy = oss("PUT", "examplebucket", "tmp/copy", "").header("x-oss-copy-source", "/examplebucket/k");
    assert_eq!(status(copy).await, 403);
    let many = oss("POST", "examplebucket", "", "delete").body("<Delete><Object><Key>tmp/1</Key></Object></Delete>");
    assert_eq!(status(many.md5()).await, 200);
}

#[tokio::test]
async fn a_signed_playlist_hands_the_token_on() {
    let running = Running::start().await;
    running.call(Call::new("PUT", "/cam/p.m3u8").body("#EXTM3U\n#EXTINF:1,\n1.ts\n")).await.assert_empty(200);
    running.call(Call::new("PUT", "/cam/1.ts").body("fragment")).await.assert_empty(200);
    let key = session(&running, "STS.a", Wall(NOW.0 + 10_000), None).await;
    let playlist = ask(Dialect::Oss, "GET", "cam/p.m3u8", "x-oss-process=hls/sign");
    let text = send(&running, playlist, Some(&key), Place::Url).await.text();
    let fragment = text.lines().find(|line| line.starts_with("1.ts?")).expect("a fragment");
    assert!(fragment.contains("security-token=session-token"), "{fragment}");
    let mut socket = running.connect().await;
    let target = format!("GET /examplebucket/cam/{fragment} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    socket.send(target.as_bytes()).await;
    assert_eq!(socket.reply(false).await.text(), "fragment");
}

#[tokio::test]
async fn a_public_access_block_refuses_a_public_policy_and_takes_the_effect_of_one_that_is_there() {
    let running = with_object().await;
    let everybody = OWNER_READS.replace("\"other\"", "\"*\"");
    running.call(Call::new("PUT", "/?policy").body(everybody.as_str())).await.assert_empty(200);
    assert_eq!(running.call(Call::new("GET", "/k").by(Who::Anonymous)).await.status, 200);
    let block = PublicAccessBlock { block_policy: true, restrict_buckets: true, ..PublicAccessBlock::default() };
    let bucket = running.bucket("examplebucket").await;
    let setting = BucketSetting::PublicAccessBlock(Some(block));
    running.meta.set_bucket_setting(bucket.id, setting).await.expect("there");
    for who in [Who::Anonymous, Who::Other] {
        assert_eq!(running.call(Call::new("GET", "/k").by(who)).await.status, 403);
    }
    assert_eq!(running.call(Call::new("GET", "/k")).await.status, 200);
    running.call(Call::new("PUT", "/?policy").body(everybody.as_str())).await.assert_error(403, "AccessDenied", None);
    let put = ask(Dialect::S3, "PUT", "", "policy").body(&everybody);
    assert_eq!(send(&running, put, Some(&owner()), Place::Header).await.status, 403);
    running.call(Call::new("PUT", "/?policy").body(OWNER_READS)).await.assert_empty(200);
    assert_eq!(running.call(Call::new("GET", "/k").by(Who::Other)).await.status, 200, "this one names who may");
}

#[tokio::test]
async fn a_symlink_leads_nowhere_that_its_reader_may_not_go() {
    let running = with_object().await;
    running.call(Call::new("PUT", "/open/link?symlink").header("x-oss-symlink-target", "k")).await.assert_empty(200);
    let policy = |keys: &str| {
        format!(
            r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Principal":["*"],"Action":["oss:GetObject"],
            "Resource":["acs:oss:*:*:examplebucket/{keys}"]}}]}}"#
        )
    };
    for (keys, status) in [("open/*", 403), ("*", 200)] {
        running.call(Call::new("PUT", "/?policy").body(policy(keys))).await.assert_empty(200);
        for dialect in [Dialect::Oss, Dialect::S3] {
            let read = ask(dialect, "GET", "open/link", "");
            assert_eq!(send(&running, read, None, Place::Header).await.status, status, "{dialect:?} {keys}");
        }
    }
}
