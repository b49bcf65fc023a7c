//! Addressing, signatures and the order of errors, over a metadata store in memory.

use std::collections::BTreeMap;

use http::Request;

use super::*;
use crate::auth::access::Acl;
use crate::auth::{oss_v1, oss_v2, oss_v4};
use crate::store::credentials::token_digest;
use crate::store::meta::memory::MemoryMetaStore;
use crate::store::{ChannelName, NewSessionKey, ObjectKey};

const ID: &str = "testAccessKeyId";
const SECRET: &str = "testAccessKeySecret";
/// 2023-11-14 22:13:20 UTC, at which the vectors' clock stands.
const NOW: Wall = Wall(1_700_000_000_000);
const DATE: (&str, &str) = ("date", "Tue, 14 Nov 2023 22:13:20 GMT");
const VECTOR_HOST: &str = "examplebucket.oss-cn-hangzhou.aliyuncs.com";

/// The token of the temporary credentials `STS.one` and, expired, `STS.old`.
const TOKEN: &str = "CAISsts+token/==";

async fn store() -> MemoryMetaStore {
    let meta = MemoryMetaStore::new();
    let key = meta.put_access_key("alice", ID, SECRET, NOW).await.expect("new key");
    meta.put_access_key("bob", "off", "secret", NOW).await.expect("new key");
    meta.disable_access_key("off").await.expect("it is there");
    for (id, expires) in [("STS.one", Wall(NOW.0 + 1)), ("STS.old", NOW)] {
        let (token_sha256, policy) = (token_digest(TOKEN.as_bytes()), None);
        let session = NewSessionKey { id: id.into(), secret: SECRET.into(), token_sha256, expires, policy };
        meta.put_session_key(ID, session, NOW).await.expect("new credential");
    }
    for name in ["examplebucket", "films"] {
        let name = BucketName::new(name).expect("valid");
        meta.create_bucket(&name, key.account, Acl::PublicRead, NOW).await.expect("new bucket");
    }
    meta
}

fn hosts() -> HostRules {
    HostRules {
        base_domains: vec!["oss.example.com".into()],
        cnames: BTreeMap::from([("cdn.example.org".to_owned(), "examplebucket".to_owned())]),
    }
}

fn head(method: &str, host: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(target).header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("a valid head").into_parts().0
}

async fn go_at(head: &Parts, now: Wall) -> Result<Accepted, OssError> {
    let query = Query::parse(head.uri.query().unwrap_or_default());
    accept(head, query, &hosts(), &store().await, &SigningKeys::default(), now).await
}

async fn go(method: &str, host: &str, target: &str, headers: &[(&str, &str)]) -> Result<Accepted, OssError> {
    go_at(&head(method, host, target, headers), NOW).await
}

/// `Authorization` of V1 over a request without further headers, whose date is [`DATE`].
fn v1(method: &str, resource: &str) -> String {
    let string = format!("{method}\n\n\n{}\n{resource}", DATE.1);
    format!("OSS {ID}:{}", oss_v1::signature(SECRET, string.as_bytes()))
}

async fn go_v1(method: &str, host: &str, target: &str, resource: &str) -> Result<Accepted, OssError> {
    go(method, host, target, &[DATE, ("authorization", &v1(method, resource))]).await
}

fn get(key: &str) -> OssOperation {
    OssOperation::GetObject(ObjectKey::new(key).expect("valid"))
}

fn place(accepted: &Accepted) -> &SignaturePlace {
    match &accepted.caller {
        Caller::Key { access_key_id, account_name, signature, .. } => {
            assert_eq!((access_key_id.as_str(), account_name.as_str()), (ID, "alice"));
            signature
        }
        Caller::Anonymous => panic!("a signed request became anonymous"),
    }
}

// ---- signatures ----------------------------------------------------------------------------------------------

#[tokio::test]
async fn v1_header_of_the_vectors_is_accepted() {
    let headers = [DATE, ("authorization", "OSS testAccessKeyId:/a4RkKrSvOxGPR7Iypp04cKfzdQ=")];
    let accepted = go("GET", VECTOR_HOST, "/test-channel?live=&comp=stat", &headers).await.expect("accepted");
    let channel = ChannelName::new("test-channel").expect("valid");
    assert_eq!(accepted.operation, OssOperation::GetLiveChannelStat(channel));
    assert_eq!(*place(&accepted), SignaturePlace::Header);
    let bucket = accepted.existing_bucket().expect("there");
    assert_eq!(bucket.name.as_str(), "examplebucket");
    assert_eq!(accepted.requester(bucket), Requester::Owner);
}

#[tokio::test]
async fn v2_header_of_the_vectors_is_accepted() {
    let live = "OSS2 AccessKeyId:testAccessKeyId,Signature:gMiOUxqoDZeaVJ7m6RUaNVg2bmhXitlTsJtErDjwV2k=";
    let accepted = go("GET", VECTOR_HOST, "/test-channel?live=", &[DATE, ("authorization", live)]).await;
    let accepted = accepted.expect("accepted");
    let channel = ChannelName::new("test-channel").expect("valid");
    assert_eq!(accepted.operation, OssOperation::GetLiveChannelInfo(channel));
    assert_eq!(*place(&accepted), SignaturePlace::Header);

    let range = "OSS2 AccessKeyId:testAccessKeyId,AdditionalHeaders:range;if-modified-since,\
                 Signature:pVA6504t3vJH4+2e2ZdcrYdM2Qzwo+pNRfQhiXMwZD4=";
    let since = ("if-modified-since", "Thu, 16 Feb 2017 02:10:39 GMT");
    for (range_sent, ok) in [("bytes=0-7", true), ("bytes=0-8", false)] {
        let headers = [DATE, since, ("range", range_sent), ("authorization", range)];
        let accepted = go("GET", VECTOR_HOST, "/dir/a%20b+c~.ts", &headers).await;
        assert_eq!(accepted.map(drop).map_err(|error| error.code).err(), (!ok).then_some("SignatureDoesNotMatch"));
    }
}

#[tokio::test]
async fn v2_header_takes_its_time_from_x_oss_date_first() {
    let iso = "20231114T221320Z";
    let string = format!("GET\n\n\n{iso}\nx-oss-date:{iso}\n\n%2Ffilms%2Fk");
    let signed = format!("OSS2 AccessKeyId:{ID},Signature:{}", oss_v2::signature(SECRET, string.as_bytes()));
    let headers = [("x-oss-date", iso), ("date", "nonsense"), ("authorization", &signed)];
    assert!(go("GET", "127.0.0.1", "/films/k", &headers).await.is_ok());
    let head = head("GET", "127.0.0.1", "/films/k", &headers);
    let late = go_at(&head, Wall(NOW.0 + 900_001)).await.expect_err("skewed");
    assert_eq!((late.code, late.ec), ("RequestTimeTooSkewed", Some("0002-00000504")));
    let undated = "OSS2 AccessKeyId:i,Signature:s";
    refused("/k", &[("authorization", undated)], 403, "AccessDenied", Some("0002-00000505")).await;
}

#[tokio::test]
async fn v4_header_of_the_vectors_is_accepted() {
    let authorization = "OSS4-HMAC-SHA256 Credential=testAccessKeyId/20231114/cn-hangzhou/oss/aliyun_v4_request, \
                         Signature=29ed20b69ec3df61a9a560b504a7e8bade664b30f2a8e1844b3786a01f49b850";
    let payload = ("x-oss-content-sha256", "UNSIGNED-PAYLOAD");
    let headers = [("x-oss-date", "20231114T221320Z"), payload, ("authorization", authorization)];
    let accepted = go("GET", VECTOR_HOST, "/test-channel?live=", &headers).await.expect("accepted");
    assert_eq!(*place(&accepted), SignaturePlace::Header);
}

#[tokio::test]
async fn v4_header_may_take_its_time_from_date() {
    let request = SignedRequest { method: "GET", bucket: Some("films"), key: b"k", headers: &[], query: &[] };
    let scope = oss_v4::Scope { date: "20231114", region: "anywhere", product: "oss-cloudbox" };
    let string = oss_v4::string_to_sign(&oss_v4::canonical_request(&request, &[]), "20231114T221320Z", &scope);
    let signature = oss_v4::signature(SECRET, &scope, &string);
    let authorization = format!("OSS4-HMAC-SHA256 Credential={ID}/{scope},Signature={signature}");
    assert!(go("GET", "127.0.0.1", "/films/k", &[DATE, ("authorization", &authorization)]).await.is_ok());
}

const URL_V1: &str = "/test-channel/playlist.m3u8?x-oss-process=hls%2Fsign&OSSAccessKeyId=testAccessKeyId\
                      &Expires=1700003600&Signature=La%2B6zR7D%2FoXdML%2FqqzrsSaeq0cs%3D";
const URL_V2: &str = "/test-channel/playlist.m3u8?x-oss-process=hls%2Fsign&x-oss-signature-version=OSS2\
                      &x-oss-expires=1700003600&x-oss-access-key-id=testAccessKeyId\
                      &x-oss-signature=jmUnpQVXn54I0cE2fOE8BCcoadoQIgwSBtoiERUAAl8%3D";
const URL_V4: &str = "/test-channel/playlist.m3u8?x-oss-process=hls/sign&x-oss-signature-version=OSS4-HMAC-SHA256\
                      &x-oss-credential=testAccessKeyId%2F20231114%2Fcn-hangzhou%2Foss%2Faliyun_v4_request\
                      &x-oss-date=20231114T221320Z&x-oss-expires=3600\
                      &x-oss-signature=876c896c1092e6945185991f99208ac31aba0ad34f8a8e953275afa126cefee0";

#[tokio::test]
async fn signed_urls_tell_what_renews_them() {
    let playlist = OssOperation::GetObjectHlsSigned(ObjectKey::new("test-channel/playlist.m3u8").expect("valid"));
    let v1 = go("GET", VECTOR_HOST, URL_V1, &[]).await.expect("accepted");
    assert_eq!((&v1.operation, place(&v1)), (&playlist, &SignaturePlace::UrlV1 { expires: 1_700_003_600 }));
    let v2 = go("GET", VECTOR_HOST, URL_V2, &[]).await.expect("accepted");
    assert_eq!((&v2.operation, place(&v2)), (&playlist, &SignaturePlace::UrlV2 { expires: 1_700_003_600 }));
    let v4 = go("GET", VECTOR_HOST, URL_V4, &[]).await.expect("accepted");
    let expected = SignaturePlace::UrlV4 {
        date: "20231114T221320Z".into(),
        expires: 3600,
        scope: "20231114/cn-hangzhou/oss/aliyun_v4_request".into(),
    };
    assert_eq!((&v4.operation, place(&v4)), (&playlist, &expected));
    assert!(v4.query.has("x-oss-process"));
}

#[tokio::test]
async fn a_blank_may_be_a_plus_on_the_wire() {
    // What oss2 sends for `marker="a b"`, and what it signs.
    let request = SignedRequest {
        method: "GET",
        bucket: Some("films"),
        key: b"",
        headers: &[],
        query: &[(b"marker".to_vec(), b"a b".to_vec())],
    };
    let scope = oss_v4::Scope { date: "20231114", region: "cn-hangzhou", product: "oss" };
    let string = oss_v4::string_to_sign(&oss_v4::canonical_request(&request, &[]), "20231114T221320Z", &scope);
    let signature = oss_v4::signature(SECRET, &scope, &string);
    let authorization = format!("OSS4-HMAC-SHA256 Credential={ID}/{scope},Signature={signature}");
    let headers = [DATE, ("authorization", authorization.as_str())];
    let accepted = go("GET", "127.0.0.1", "/films/?marker=a+b", &headers).await.expect("accepted");
    assert!(matches!(&accepted.operation, OssOperation::ListObjects(query) if query.marker == b"a b"));
}

#[tokio::test]
async fn a_plus_of_base64_may_stand_bare_in_a_link() {
    let bare = URL_V1.replace("%2B", "+");
    assert_ne!(bare, URL_V1);
    assert!(go("GET", VECTOR_HOST, &bare, &[]).await.is_ok());
}

#[tokio::test]
async fn a_bucket_in_front_of_an_unknown_name_is_the_last_reading() {
    // The path names a bucket that exists, and so does the host: the path is the likelier one without a signature.
    let both = go("GET", "films.other.host", "/examplebucket/k", &[]).await.expect("accepted");
    assert_eq!((both.bucket_name.as_deref(), both.operation), (Some("examplebucket"), get("k")));
    let host = go("GET", "films.other.host", "/channel/1.ts", &[]).await.expect("accepted");
    assert_eq!((host.bucket_name.as_deref(), host.operation), (Some("films"), get("channel/1.ts")));
    let signed = go_v1("GET", "films.other.host", "/examplebucket/k", "/films/examplebucket/k").await;
    assert_eq!(signed.expect("accepted").operation, get("examplebucket/k"));
    let made = go_v1("PUT", "fresh.other.host", "/", "/fresh/").await.expect("accepted");
    assert_eq!((made.operation, made.bucket_name.as_deref()), (OssOperation::PutBucket, Some("fresh")));
    let neither = go("GET", "nobucket.other.host", "/k", &[]).await.expect_err("neither exists");
    assert_eq!(neither.code, "InvalidBucketName");
}

#[tokio::test]
async fn signed_urls_hold_for_their_time() {
    let at = async |url: &str, ms: i64| {
        let head = head("GET", VECTOR_HOST, url, &[]);
        go_at(&head, Wall(ms)).await.map(drop).map_err(|e| (e.status.as_u16(), e.code, e.ec))
    };
    let denied = |ec| Err((403, "AccessDenied", Some(ec)));
    assert_eq!(at(URL_V1, 1_700_003_600_999).await, Ok(()));
    assert_eq!(at(URL_V1, 1_700_003_601_000).await, denied("0002-00000069"));
    assert_eq!(at(URL_V2, 1_700_003_600_999).await, Ok(()));
    assert_eq!(at(URL_V2, 1_700_003_601_000).await, denied("0002-00000069"));
    assert_eq!(at(URL_V4, 1_700_003_600_000).await, Ok(()));
    assert_eq!(at(URL_V4, 1_700_003_600_001).await, denied("0002-00000236"));
    assert_eq!(at(URL_V4, 1_700_000_000_000 - 900_000).await, Ok(()));
    assert_eq!(at(URL_V4, 1_700_000_000_000 - 900_001).await, denied("0002-00000235"));
}

/// Headers of a request, and the status, code and EC of its error.
async fn refused(target: &str, headers: &[(&str, &str)], status: u16, code: &str, ec: Option<&str>) {
    let error = go("GET", VECTOR_HOST, target, headers).await.expect_err(target);
    assert_eq!((error.status.as_u16(), error.code, error.ec), (status, code, ec), "{target} {headers:?}");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_before_anything_is_looked_up() {
    let argument = "InvalidArgument";
    for (authorization, ec) in [
        ("OSS id", Some("0002-00000062")),
        ("Basic eDp5", Some("0002-00000062")),
        ("", Some("0002-00000062")),
        ("OSS4-HMAC-SHA256 junk", Some("0002-00000202")),
        ("OSS4-HMAC-SHA256 Credential=x,Signature=y", Some("0002-00000203")),
        ("OSS4-HMAC-SHA256 Credential=i/20231114/r/oss/aliyun_v4_request", Some("0002-00000209")),
        ("OSS2 AccessKeyId:id", Some("0002-00000062")),
        ("OSS2 AccessKeyId:id,Signature", Some("0002-00000062")),
    ] {
        refused("/k", &[DATE, ("authorization", authorization)], 400, argument, ec).await;
    }
    let header = [DATE, ("authorization", "OSS i:s")];
    refused("/k?OSSAccessKeyId=i&Expires=9&Signature=s", &header, 400, argument, None).await;
    refused("/k?x-oss-signature-version=OSS4-HMAC-SHA256", &header, 400, argument, None).await;
    refused("/k?x-oss-access-key-id=i", &header, 400, argument, None).await;

    let denied = "AccessDenied";
    refused("/k?OSSAccessKeyId=i&Signature=s", &[], 403, denied, Some("0002-00000068")).await;
    refused("/k?OSSAccessKeyId=i&Expires=9999999999", &[], 403, denied, None).await;
    refused("/k?Expires=9999999999&Signature=s", &[], 403, denied, None).await;
    refused("/k?OSSAccessKeyId=i&Expires=soon&Signature=s", &[], 403, denied, Some("0002-00000070")).await;

    let v2 = "/k?x-oss-signature-version=OSS2&x-oss-access-key-id=i";
    let v2 = async |rest: &str, ec| refused(&format!("{v2}{rest}"), &[], 403, denied, ec).await;
    v2("&x-oss-signature=s", Some("0002-00000068")).await;
    v2("&x-oss-expires=9999999999", None).await;
    v2("&x-oss-expires=soon&x-oss-signature=s", Some("0002-00000070")).await;

    let v4 = |change: (&str, &str)| {
        assert!(URL_V4.contains(change.0));
        URL_V4.replace(change.0, change.1)
    };
    for (change, ec) in [
        (("x-oss-expires=3600", "x-oss-expires=0"), Some("0002-00000232")),
        (("x-oss-expires=3600", "x-oss-expires=604801"), Some("0002-00000232")),
        (("x-oss-expires=3600&", "&"), Some("0002-00000232")),
        (("OSS4-HMAC-SHA256", "OSS5"), None),
        (("x-oss-signature=", "x-oss-no-signature="), None),
        (("x-oss-credential=", "x-oss-credential=x"), Some("")),
        (("%2Faliyun_v4_request", ""), None),
        (("20231114T221320Z", "2023-11-14"), None),
        (("testAccessKeyId%2F20231114", "testAccessKeyId%2F20231113"), None),
    ] {
        match ec {
            Some("") => refused(&v4(change), &[], 403, "InvalidAccessKeyId", Some("0002-00000902")).await,
            ec => refused(&v4(change), &[], 400, argument, ec).await,
        }
    }
}

#[tokio::test]
async fn clocks_may_stand_fifteen_minutes_apart() {
    let signed = v1("GET", "/films/k");
    let head = head("GET", "127.0.0.1", "/films/k", &[DATE, ("authorization", &signed)]);
    for off in [-900_000, 900_000] {
        assert!(go_at(&head, Wall(NOW.0 + off)).await.is_ok(), "{off}");
    }
    for off in [-900_001, 900_001] {
        let error = go_at(&head, Wall(NOW.0 + off)).await.expect_err("skewed");
        assert_eq!((error.code, error.ec), ("RequestTimeTooSkewed", Some("0002-00000504")));
        let details: Vec<_> = error.details.iter().map(|(name, _)| *name).collect();
        assert_eq!(details, ["MaxAllowedSkewMilliseconds", "RequestTime", "ServerTime"]);
    }
}

#[tokio::test]
async fn date_of_either_form_serves_either_version() {
    let iso = "20231114T221320Z";
    let string = format!("GET\n\n\n{iso}\nx-oss-date:{iso}\n/films/k");
    let signed = format!("OSS {ID}:{}", oss_v1::signature(SECRET, string.as_bytes()));
    let headers = [("x-oss-date", iso), ("date", "nonsense"), ("authorization", &signed)];
    assert!(go("GET", "127.0.0.1", "/films/k", &headers).await.is_ok());
    let date = Some("0002-00000505");
    refused("/k", &[("authorization", "OSS i:s")], 403, "AccessDenied", date).await;
    refused("/k", &[("date", "yesterday"), ("authorization", "OSS i:s")], 403, "AccessDenied", date).await;
}

#[tokio::test]
async fn keys_that_are_unknown_or_disabled() {
    let unknown = [DATE, ("authorization", "OSS nobody:s")];
    refused("/k", &unknown, 403, "InvalidAccessKeyId", Some("0002-00000902")).await;
    let off = [DATE, ("authorization", "OSS off:s")];
    refused("/k", &off, 403, "InvalidAccessKeyId", Some("0002-00000904")).await;
    let error = go("GET", VECTOR_HOST, "/k", &unknown).await.expect_err("unknown");
    assert_eq!(error.details, [("OSSAccessKeyId", "nobody".to_owned())]);
}

#[tokio::test]
async fn wrong_signature_shows_what_was_expected() {
    let headers = [DATE, ("authorization", "OSS testAccessKeyId:d3Jvbmc=")];
    let error = go("GET", VECTOR_HOST, "/k?acl", &headers).await.expect_err("wrong");
    assert_eq!((error.code, error.ec), ("SignatureDoesNotMatch", Some("0002-00000040")));
    assert_eq!(
        error.details,
        [
            ("OSSAccessKeyId", ID.to_owned()),
            ("SignatureProvided", "d3Jvbmc=".to_owned()),
            ("StringToSign", "GET\n\n\nTue, 14 Nov 2023 22:13:20 GMT\n/examplebucket/k?acl".to_owned()),
            (
                "StringToSignBytes",
                "47 45 54 0A 0A 0A 54 75 65 2C 20 31 34 20 4E 6F 76 20 32 30 32 33 20 32 32 3A 31 33 3A 32 30 20 47 4D \
                 54 0A 2F 65 78 61 6D 70 6C 65 62 75 63 6B 65 74 2F 6B 3F 61 63 6C"
                    .to_owned()
            ),
        ]
    );
    for (target, headers, string) in [
        (
            "/k?acl",
            &[DATE, ("authorization", "OSS2 AccessKeyId:testAccessKeyId,AdditionalHeaders:host,Signature:d3Jvbmc=")][..],
            format!("GET\n\n\n{}\nhost:{VECTOR_HOST}\nhost\n%2Fexamplebucket%2Fk?acl", DATE.1),
        ),
        (
            "/k?x-oss-signature-version=OSS2&x-oss-expires=1700000001&x-oss-access-key-id=testAccessKeyId\
             &x-oss-signature=d3Jvbmc=",
            &[],
            "GET\n\n\n1700000001\n\n%2Fexamplebucket%2Fk?x-oss-access-key-id=testAccessKeyId\
             &x-oss-expires=1700000001&x-oss-signature-version=OSS2"
                .to_owned(),
        ),
    ] {
        let error = go("GET", VECTOR_HOST, target, headers).await.expect_err("wrong");
        assert_eq!((error.code, error.ec), ("SignatureDoesNotMatch", Some("0002-00000040")));
        let shown = [("SignatureProvided", "d3Jvbmc=".to_owned()), ("StringToSign", string)];
        assert_eq!(error.details[1..3], shown, "{target}");
    }
    let error = go("GET", VECTOR_HOST, &URL_V4.replace("876c", "976c"), &[]).await.expect_err("wrong");
    let (name, canonical) = error.details.last().expect("details");
    assert_eq!(*name, "CanonicalRequest");
    assert!(canonical.starts_with("GET\n/examplebucket/test-channel/playlist.m3u8\nx-oss-credential="), "{canonical}");
}

#[tokio::test]
async fn plus_in_a_query_is_signed_as_a_space() {
    // Of `a b+c` as oss2 sends it: V1 signs the decoded value, V4 encodes that anew.
    let target = "/k?response-content-type=a+b%2Bc";
    let resource = "/examplebucket/k?response-content-type=a b+c";
    let accepted = go_v1("GET", VECTOR_HOST, target, resource).await.expect("accepted");
    assert_eq!(accepted.query.get("response-content-type"), Some(&b"a b+c"[..]));

    let scope = oss_v4::Scope { date: "20231114", region: "r", product: "oss" };
    let canonical = "GET\n/examplebucket/\nprefix=a%20b%2Bc\n\n\nUNSIGNED-PAYLOAD";
    let string = oss_v4::string_to_sign(canonical.as_bytes(), "20231114T221320Z", &scope);
    let signature = oss_v4::signature(SECRET, &scope, &string);
    let authorization = format!("OSS4-HMAC-SHA256 Credential={ID}/{scope},Signature={signature}");
    let headers = [DATE, ("authorization", &authorization)];
    let accepted = go("GET", VECTOR_HOST, "/?prefix=a+b%2Bc", &headers).await.expect("accepted");
    let OssOperation::ListObjects(list) = accepted.operation else { panic!("{:?}", accepted.operation) };
    assert_eq!(list.prefix, b"a b+c");
}

#[tokio::test]
async fn signature_with_a_bare_plus_is_tolerated() {
    let bare = URL_V1.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    assert!(bare.contains("Signature=La+6"));
    assert!(go("GET", VECTOR_HOST, &bare, &[]).await.is_ok());
    // A token has the same alphabet, and it is signed.
    let token = "/test-channel/playlist.m3u8?x-oss-process=hls/sign&security-token=CAISsts+token/==\
                 &OSSAccessKeyId=STS.one&Expires=1700003600&Signature=gaAoEZCKqK+5zGcByKz5F4yXKYY=";
    let accepted = go("GET", VECTOR_HOST, token, &[]).await.expect("accepted");
    let Caller::Key { session: Some(session), .. } = accepted.caller else { panic!("{:?}", accepted.caller) };
    assert_eq!(session.parent, ID);
}

#[tokio::test]
async fn a_temporary_credential_needs_its_token_and_its_time() {
    let sign = |id: &str, token: &str| {
        let line = if token.is_empty() { String::new() } else { format!("x-oss-security-token:{token}\n") };
        let string = format!("GET\n\n\n{}\n{line}/films/k", DATE.1);
        format!("OSS {id}:{}", oss_v1::signature(SECRET, string.as_bytes()))
    };
    let code = async |id: &str, token: &str| {
        let authorization = sign(id, token);
        let headers = [DATE, ("authorization", authorization.as_str()), ("x-oss-security-token", token)];
        let headers = if token.is_empty() { &headers[..2] } else { &headers };
        go("GET", "127.0.0.1", "/films/k", headers).await.map(drop).map_err(|error| error.code)
    };
    for (id, token, expected) in [
        ("STS.one", TOKEN, Ok(())),
        ("STS.one", "another", Err("InvalidSecurityToken")),
        ("STS.one", "", Err("InvalidAccessKeyId")),
        ("STS.old", TOKEN, Err("SecurityTokenExpired")),
        ("STS.none", TOKEN, Err("InvalidSecurityToken")),
        ("STS.none", "", Err("InvalidAccessKeyId")),
        (ID, TOKEN, Err("InvalidSecurityToken")),
        (ID, "", Ok(())),
        ("none", TOKEN, Err("InvalidAccessKeyId")),
    ] {
        assert_eq!(code(id, token).await, expected, "{id} {token}");
    }
}

// ---- addressing ----------------------------------------------------------------------------------------------

#[tokio::test]
async fn one_signature_holds_under_every_way_of_addressing() {
    for (host, target) in [
        ("examplebucket.oss.example.com:9000", "/a%20b/c+d"),
        ("examplebucket.localhost:9000", "/a%20b/c+d"),
        ("EXAMPLEBUCKET.localhost", "/a%20b%2Fc+d"),
        ("127.0.0.1:9000", "/examplebucket/a%20b/c+d"),
        ("[::1]:9000", "/examplebucket/a%20b/c+d"),
        ("localhost:9000", "/examplebucket/a%20b/c+d"),
        ("oss.example.com", "/examplebucket/a%20b/c%2Bd"),
        // The C SDK encodes every slash but the first.
        ("127.0.0.1:9000", "/examplebucket%2Fa%20b%2Fc+d"),
        // ali-oss aimed at an address, without and with sldEnable.
        (VECTOR_HOST, "/a%20b/c+d"),
        (VECTOR_HOST, "/examplebucket/a%20b/c+d"),
        ("cdn.example.org", "/a%20b/c+d"),
        ("some.other.host:8080", "/examplebucket/a%20b/c+d"),
        // A name that was never configured, in front of it the bucket.
        ("examplebucket.other.host:8080", "/a%20b/c+d"),
    ] {
        let accepted = go_v1("GET", host, target, "/examplebucket/a b/c+d").await;
        let accepted = accepted.unwrap_or_else(|error| panic!("{host} {target}: {error:?}"));
        assert_eq!(accepted.operation, get("a b/c+d"), "{host} {target}");
        assert_eq!(accepted.bucket_name.as_deref(), Some("examplebucket"), "{host} {target}");
    }
}

#[tokio::test]
async fn absolute_form_outranks_the_host_header() {
    let target = "http://examplebucket.localhost:9000/k";
    let accepted = go_v1("GET", "films.localhost", target, "/examplebucket/k").await.expect("accepted");
    assert_eq!(accepted.operation, get("k"));
}

#[tokio::test]
async fn bucket_in_host_and_path_is_decided_by_the_signature() {
    let target = "/examplebucket/k";
    let with = go_v1("GET", VECTOR_HOST, target, "/examplebucket/examplebucket/k").await.expect("accepted");
    assert_eq!(with.operation, get("examplebucket/k"));
    let without = go_v1("GET", VECTOR_HOST, target, "/examplebucket/k").await.expect("accepted");
    assert_eq!(without.operation, get("k"));
    // Without a signature the key is taken as given.
    let anonymous = go("GET", VECTOR_HOST, target, &[]).await.expect("accepted");
    assert_eq!((anonymous.operation, anonymous.caller), (get("examplebucket/k"), Caller::Anonymous));
}

#[tokio::test]
async fn arguments_are_judged_under_the_signed_reading() {
    let told = |error: OssError| (error.code, error.ec);
    let vod = "/examplebucket/c?endTime=100&startTime=200&vod";
    for (method, target, resource, ec) in [
        ("PUT", "/examplebucket/c?live&status=On", "/examplebucket/c?live&status=On", "0017-00000255"),
        ("GET", "/examplebucket/?live&max-keys=0", "/examplebucket/?live", "0044-00000101"),
        ("GET", "/examplebucket/c?vod&startTime=200&endTime=100", vod, "0044-00000306"),
    ] {
        // Naming the bucket in the host, too, changes nothing.
        for host in ["127.0.0.1", VECTOR_HOST] {
            let error = go_v1(method, host, target, resource).await.expect_err(target);
            assert_eq!(told(error), ("InvalidArgument", Some(ec)), "{host} {target}");
        }
    }
    // The same head signed for the other reading, for none, and by nobody.
    let (target, slash) = ("/examplebucket/c?live&status=On", "/examplebucket/examplebucket/c?live&status=On");
    let other = go_v1("PUT", VECTOR_HOST, target, slash).await;
    assert_eq!(told(other.expect_err("a slash")).0, "InvalidChannelName");
    let neither = go_v1("PUT", VECTOR_HOST, target, "/examplebucket/d?live&status=On").await;
    assert_eq!(told(neither.expect_err("wrong")).0, "SignatureDoesNotMatch");
    let nobody = go("PUT", VECTOR_HOST, target, &[]).await;
    assert_eq!(told(nobody.expect_err("a slash")).0, "InvalidChannelName");
}

#[tokio::test]
async fn service_listing_under_every_host_that_clients_send() {
    for host in [
        "127.0.0.1:9000",
        "oss.example.com",
        ".oss-cn-hangzhou.aliyuncs.com",
        "undefined.oss-cn-hangzhou.aliyuncs.com",
        "null.oss-cn-hangzhou.aliyuncs.com",
        "cdn.example.org",
        "livebucket",
    ] {
        let accepted = go_v1("GET", host, "/", "/").await.unwrap_or_else(|error| panic!("{host}: {error:?}"));
        assert!(matches!(accepted.operation, OssOperation::ListBuckets(_)), "{host}");
        assert_eq!((accepted.bucket, accepted.bucket_name), (None, None), "{host}");
    }
    let anonymous = go("GET", "undefined.oss-cn-hangzhou.aliyuncs.com", "/", &[]).await.expect("accepted");
    assert!(matches!(anonymous.operation, OssOperation::ListBuckets(_)));
}

#[tokio::test]
async fn bucket_by_that_name_outranks_the_service() {
    let signed = go_v1("GET", "cdn.example.org", "/", "/examplebucket/").await.expect("accepted");
    assert!(matches!(signed.operation, OssOperation::ListObjects(_)));
    let anonymous = go("GET", "cdn.example.org", "/", &[]).await.expect("accepted");
    assert!(matches!(anonymous.operation, OssOperation::ListObjects(_)));
}

#[tokio::test]
async fn missing_bucket_is_an_error_except_where_it_is_made() {
    let missing = |error: OssError| (error.code, error.ec, error.details);
    let expected = ("NoSuchBucket", Some("0015-00000101"), vec![("BucketName", "nobucket".to_owned())]);
    let anonymous = go("GET", "nobucket.localhost", "/k", &[]).await.expect_err("missing");
    assert_eq!(missing(anonymous), expected);
    let signed = go_v1("DELETE", "127.0.0.1", "/nobucket/", "/nobucket/").await.expect_err("missing");
    assert_eq!(missing(signed), expected);
    for (target, resource) in [("/nobucket", "/nobucket/"), ("/nobucket/?acl", "/nobucket/?acl")] {
        let accepted = go_v1("PUT", "127.0.0.1", target, resource).await.expect("accepted");
        assert_eq!((accepted.bucket.is_none(), accepted.bucket_name.as_deref()), (true, Some("nobucket")));
        assert_eq!(accepted.existing_bucket().map_err(|e| e.code), Err("NoSuchBucket"));
    }
}

#[tokio::test]
async fn errors_come_in_order() {
    let code = async |host: &str, target: &str, headers: &[(&str, &str)]| {
        go("GET", host, target, headers).await.map(drop).map_err(|e| e.code)
    };
    let (old, bad_key) = (("date", "Tue, 14 Nov 2000 22:13:20 GMT"), ("authorization", "OSS nobody:s"));
    let wrong = ("authorization", "OSS testAccessKeyId:s");
    // Each request has every fault from here on; the first is told.
    assert_eq!(code("127.0.0.1", "/nobucket/k?sealAppend", &[old, bad_key]).await, Err("NotImplemented"));
    assert_eq!(code("127.0.0.1", "/No/k", &[old, bad_key]).await, Err("InvalidBucketName"));
    assert_eq!(code("127.0.0.1", "/nobucket/k", &[old, bad_key]).await, Err("RequestTimeTooSkewed"));
    assert_eq!(code("127.0.0.1", "/nobucket/k", &[DATE, bad_key]).await, Err("InvalidAccessKeyId"));
    assert_eq!(code("127.0.0.1", "/nobucket/k", &[DATE, wrong]).await, Err("SignatureDoesNotMatch"));
    let right = v1("GET", "/nobucket/k");
    assert_eq!(code("127.0.0.1", "/nobucket/k", &[DATE, ("authorization", &right)]).await, Err("NoSuchBucket"));
}

#[tokio::test]
async fn preflight_finds_the_bucket_without_a_signature() {
    let meta = store().await;
    for (host, target, expected) in [
        ("films.oss.example.com", "/c/playlist.m3u8", Some("films")),
        ("127.0.0.1:9000", "/films/c/playlist.m3u8", Some("films")),
        ("cdn.example.org", "/c/1.ts", Some("examplebucket")),
        ("films.other.host", "/c/1.ts", Some("films")),
        ("films.other.host", "/", Some("films")),
        ("127.0.0.1:9000", "/nobucket/c", None),
        ("127.0.0.1:9000", "/", None),
    ] {
        let head = head("OPTIONS", host, target, &[]);
        let bucket = bucket_for_preflight(&head, &hosts(), &meta).await;
        assert_eq!(bucket.as_ref().map(|b| b.name.as_str()), expected, "{host} {target}");
    }
}
