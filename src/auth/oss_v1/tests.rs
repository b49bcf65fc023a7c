//! The vectors of signature version 1, and what takes part in it.

use super::*;

type Headers<'a> = &'a [(&'a str, &'a [u8])];

/// One vector: the string to sign as text, the base64 signature, and that verification takes it and no other.
fn check(request: &SignedRequest<'_>, date: &str, secret: &str, string: &str, expected: &str) {
    let ours = string_to_sign(request, date.as_bytes(), SubResources::Wide);
    assert_eq!(String::from_utf8_lossy(&ours), string);
    assert_eq!(signature(secret, &ours), expected);
    assert!(verify(request, date.as_bytes(), secret, expected));
    assert!(!verify(request, date.as_bytes(), "other", expected));
    assert!(!verify(&SignedRequest { method: "HEAD", ..*request }, date.as_bytes(), secret, expected));
}

fn query(raw: &[(&str, &str)]) -> Vec<(Vec<u8>, Vec<u8>)> {
    raw.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

const DATE: &str = "Wed, 28 Dec 2022 10:27:41 GMT";
const PUT_HEADERS: Headers<'_> = &[
    ("x-oss-meta-magic", b"abracadabra"),
    ("content-md5", b"eB5eJF1ptWaXm4bijSPyxw=="),
    ("content-type", b"text/html"),
    ("x-oss-date", b"Wed, 28 Dec 2022 10:27:41 GMT"),
    ("x-oss-meta-author", b"alice"),
    ("host", b"examplebucket.oss-cn-hangzhou.aliyuncs.com"),
];
const PUT_HEAD: &str = "PUT\neB5eJF1ptWaXm4bijSPyxw==\ntext/html\nWed, 28 Dec 2022 10:27:41 GMT\n\
     x-oss-date:Wed, 28 Dec 2022 10:27:41 GMT\nx-oss-meta-author:alice\nx-oss-meta-magic:abracadabra\n";

#[test]
fn vector_1_header_put_object() {
    let request = SignedRequest {
        method: "PUT",
        bucket: Some("examplebucket"),
        key: b"nelson",
        headers: PUT_HEADERS,
        query: &[],
    };
    check(&request, DATE, "sk", &format!("{PUT_HEAD}/examplebucket/nelson"), "kSHKmLxlyEAKtZPkJhG9bZb5k7M=");
}

#[test]
fn vector_2_header_put_object_acl() {
    let query = query(&[("acl", "")]);
    let request = SignedRequest {
        method: "PUT",
        bucket: Some("examplebucket"),
        key: b"nelson",
        headers: PUT_HEADERS,
        query: &query,
    };
    check(&request, DATE, "sk", &format!("{PUT_HEAD}/examplebucket/nelson?acl"), "/afkugFbmWDQ967j1vr6zygBLQk=");
}

fn bucket_get(raw_query: &[(&str, &str)], resource: &str, expected: &str) {
    let query = query(raw_query);
    let request = SignedRequest {
        method: "GET",
        bucket: Some("examplebucket"),
        key: b"",
        headers: &[("x-oss-date", b"Wed, 28 Dec 2022 10:27:41 GMT")],
        query: &query,
    };
    let string = format!("GET\n\n\n{DATE}\nx-oss-date:{DATE}\n{resource}");
    check(&request, DATE, "sk", &string, expected);
}

#[test]
fn vector_3_header_unknown_query_name_is_not_signed() {
    let query = [("resourceGroup", ""), ("non-resousce", "null")];
    bucket_get(&query, "/examplebucket/?resourceGroup", "vkQmfuUDyi1uDi3bKt67oemssIs=");
}

#[test]
fn vector_4_header_sub_resources_are_sorted() {
    let query = [("resourceGroup", ""), ("acl", "")];
    bucket_get(&query, "/examplebucket/?acl&resourceGroup", "x3E5TgOvl/i7PN618s5mEvpJDYk=");
}

fn url(key: &str, raw_query: &[(&str, &str)], expires: &str, resource: &str, expected: &str) {
    let query = query(raw_query);
    let request =
        SignedRequest { method: "GET", bucket: Some("bucket"), key: key.as_bytes(), headers: &[], query: &query };
    check(&request, expires, "sk", &format!("GET\n\n\n{expires}\n{resource}"), expected);
}

#[test]
fn vector_5_query() {
    let resource = "/bucket/key?versionId=versionId";
    url("key", &[("versionId", "versionId")], "1699807420", resource, "dcLTea+Yh9ApirQ8o8dOPqtvJXQ=");
}

#[test]
fn vector_6_query_with_security_token() {
    let query = [("versionId", "versionId"), ("security-token", "token")];
    let resource = "/bucket/key+123?security-token=token&versionId=versionId";
    url("key+123", &query, "1699808204", resource, "jzKYRrM5y6Br0dRFPaTGOsbrDhY=");
}

#[test]
fn vector_7_header_of_the_documentation() {
    let request = SignedRequest {
        method: "PUT",
        bucket: Some("oss-example"),
        key: b"nelson",
        headers: &[
            ("content-md5", b"ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM="),
            ("content-type", b"text/html"),
            ("x-oss-meta-author", b" foo@bar.com "),
            ("x-oss-magic", b"abracadabra"),
        ],
        query: &[],
    };
    let date = "Thu, 17 Nov 2005 18:49:58 GMT";
    let string = "PUT\nODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=\ntext/html\nThu, 17 Nov 2005 18:49:58 GMT\n\
         x-oss-magic:abracadabra\nx-oss-meta-author:foo@bar.com\n/oss-example/nelson";
    check(&request, date, "OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV", string, "26NBxoKdsyly4EDv6inkoDft/yA=");
}

/// A live-channel request as `oss2` sends it with a clock that stands at 2023-11-14 22:13:20 UTC.
fn live(method: &str, key: &str, raw_query: &[(&str, &str)], headers: Headers<'_>, resource: &str, expected: &str) {
    let query = query(raw_query);
    let request = SignedRequest { method, bucket: Some("examplebucket"), key: key.as_bytes(), headers, query: &query };
    let date = "Tue, 14 Nov 2023 22:13:20 GMT";
    let own: String =
        headers.iter().map(|(name, value)| format!("{name}:{}\n", String::from_utf8_lossy(value))).collect();
    let string = format!("{method}\n\n\n{date}\n{own}{resource}");
    check(&request, date, "testAccessKeySecret", &string, expected);
}

#[test]
fn vector_live_get_channel_info() {
    let resource = "/examplebucket/test-channel?live";
    live("GET", "test-channel", &[("live", "")], &[], resource, "djC+80iiGlai6HtvsUJmqKbREuk=");
}

#[test]
fn vector_live_get_channel_stat() {
    let resource = "/examplebucket/test-channel?comp=stat&live";
    live("GET", "test-channel", &[("live", ""), ("comp", "stat")], &[], resource, "/a4RkKrSvOxGPR7Iypp04cKfzdQ=");
}

#[test]
fn vector_live_put_channel_status() {
    let resource = "/examplebucket/test-channel?live&status=disabled";
    live("PUT", "test-channel", &[("live", ""), ("status", "disabled")], &[], resource, "v77JefgWi33wiPtYStJjNx5cIwQ=");
}

#[test]
fn vector_live_list_channels() {
    let resource = "/examplebucket/?live";
    live(
        "GET",
        "",
        &[("live", ""), ("prefix", "p"), ("marker", "m"), ("max-keys", "10")],
        &[],
        resource,
        "AB9Ra9WMPvBe/45DeMsd+z8vtRE=",
    );
}

#[test]
fn vector_live_post_vod_playlist() {
    let resource = "/examplebucket/test-channel/vod.m3u8?endTime=200&startTime=100&vod";
    live(
        "POST",
        "test-channel/vod.m3u8",
        &[("vod", ""), ("startTime", "100"), ("endTime", "200")],
        &[],
        resource,
        "OFE0hevzKm1cr7MYiw+Cid0l1k4=",
    );
}

#[test]
fn vector_live_delete_channel() {
    let resource = "/examplebucket/test-channel?live";
    live("DELETE", "test-channel", &[("live", "")], &[], resource, "Y6zG+5qU2w8Qyy2ouWCXJZuWg7o=");
}

#[test]
fn vector_live_get_channel_info_with_token() {
    let resource = "/examplebucket/test-channel?live";
    live(
        "GET",
        "test-channel",
        &[("live", "")],
        &[("x-oss-security-token", b"CAISsts+token/==")],
        resource,
        "5Nwemchh2oeuuj7a5DsfTySaCaE=",
    );
}

fn hls_sign(raw_query: &[(&str, &str)], expected: &str) {
    let query = query(raw_query);
    let request = SignedRequest {
        method: "GET",
        bucket: Some("examplebucket"),
        key: b"test-channel/playlist.m3u8",
        headers: &[],
        query: &query,
    };
    assert!(verify(&request, b"1700003600", "testAccessKeySecret", expected));
    let signed = sign_url_query(&request, "testAccessKeyId", "testAccessKeySecret", 1_700_003_600);
    let tail = format!(
        "OSSAccessKeyId=testAccessKeyId&Expires=1700003600&Signature={}",
        crate::auth::encode(expected.as_bytes())
    );
    assert!(signed.ends_with(&tail), "{signed}");
}

#[test]
fn vector_hls_sign_url() {
    hls_sign(&[("x-oss-process", "hls/sign")], "La+6zR7D/oXdML/qqzrsSaeq0cs=");
}

#[test]
fn vector_hls_sign_url_with_token() {
    let query = [("x-oss-process", "hls/sign"), ("security-token", "CAISsts+token/==")];
    hls_sign(&query, "gaAoEZCKqK+5zGcByKz5F4yXKYY=");
}

#[test]
fn table_is_in_byte_order_for_its_search() {
    assert!(SUB_RESOURCES.windows(2).all(|pair| pair[0].0 < pair[1].0));
}

#[test]
fn old_library_that_signs_the_core_alone_is_verified() {
    let query = query(&[("acl", ""), ("x-oss-new-thing", "1"), ("resourceGroup", "")]);
    let request = SignedRequest { method: "GET", bucket: Some("b"), key: b"k", headers: &[], query: &query };
    let signed = |resource: &str| signature("s", format!("GET\n\n\n1\n{resource}").as_bytes());
    assert!(verify(&request, b"1", "s", &signed("/b/k?acl&resourceGroup&x-oss-new-thing=1")));
    assert!(verify(&request, b"1", "s", &signed("/b/k?acl")));
    assert!(!verify(&request, b"1", "s", &signed("/b/k")), "the core is never left out");
}

#[test]
fn request_on_live_channels_is_never_verified_by_the_core() {
    let query = query(&[("live", ""), ("x-oss-new-thing", "1")]);
    let request = SignedRequest { method: "GET", bucket: Some("b"), key: b"k", headers: &[], query: &query };
    assert!(!verify(&request, b"1", "s", &signature("s", b"GET\n\n\n1\n/b/k?live")));
    assert!(verify(&request, b"1", "s", &signature("s", b"GET\n\n\n1\n/b/k?live&x-oss-new-thing=1")));
}

#[test]
fn resource_of_the_service_is_a_slash() {
    let request = SignedRequest { method: "GET", ..SignedRequest::default() };
    assert_eq!(string_to_sign(&request, b"D", SubResources::Wide), b"GET\n\n\nD\n/");
}

#[test]
fn authorization_header_is_read_or_refused() {
    let read = |value| read_authorization(value).map(|c| (c.access_key_id, c.signature));
    assert_eq!(read("OSS id:c2ln"), Some(("id", "c2ln")));
    assert_eq!(read("OSS  id : c2ln "), Some(("id", "c2ln")));
    for bad in
        ["", "OSS", "OSS id", "OSS :sig", "OSS id:", "oss id:sig", "OSS2 AccessKeyId:id,Signature:s", "Basic eA=="]
    {
        assert_eq!(read(bad), None, "{bad}");
    }
}
