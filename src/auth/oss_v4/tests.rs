//! The vectors of signature version 4, and the forms of its header.

use super::*;

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn pairs(raw: Pairs<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    raw.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

fn names(text: &str) -> Vec<String> {
    crate::auth::read_additional_headers(text)
}

fn scope(date: &str) -> Scope<'_> {
    Scope { date, region: "cn-hangzhou", product: "oss" }
}

const QUERY: Pairs<'_> = &[
    ("param1", "value1"),
    ("+param1", "value3"),
    ("|param1", "value4"),
    ("+param2", ""),
    ("|param2", ""),
    ("param2", ""),
];
const KEY: &[u8] = b"1234+-/123/1.txt";

/// A variation of vector 8: further headers, further query, another time.
fn put_object(timestamp: &str, further: &[(&str, &[u8])], query: Pairs<'_>, additional: &str, expected: &str) {
    let mut headers: Vec<(&str, &[u8])> = vec![
        ("x-oss-head1", b"value"),
        ("abc", b"value"),
        ("zabc", b"value"),
        ("xyz", b"value"),
        ("x-oss-date", timestamp.as_bytes()),
    ];
    headers.extend_from_slice(further);
    let query = pairs(&[QUERY, query].concat());
    let request = SignedRequest { method: "PUT", bucket: Some("bucket"), key: KEY, headers: &headers, query: &query };
    let additional = names(additional);
    let scope = scope(&timestamp[..8]);
    assert!(verify(&request, &additional, timestamp, &scope, "sk", expected));
    assert!(!verify(&request, &additional, timestamp, &scope, "other", expected));
    assert!(!verify(&SignedRequest { key: b"1234", ..request }, &additional, timestamp, &scope, "sk", expected));
}

const HEADER_FORM: &[(&str, &[u8])] = &[("content-type", b"text/plain"), ("x-oss-content-sha256", b"UNSIGNED-PAYLOAD")];

#[test]
fn vector_8_header_step_by_step() {
    let query = pairs(QUERY);
    let request = SignedRequest {
        method: "PUT",
        bucket: Some("bucket"),
        key: KEY,
        headers: &[
            ("content-type", b"text/plain"),
            ("x-oss-head1", b"value"),
            ("abc", b"value"),
            ("zabc", b"value"),
            ("xyz", b"value"),
            ("x-oss-date", b"20231216T162057Z"),
            ("x-oss-content-sha256", b"UNSIGNED-PAYLOAD"),
        ],
        query: &query,
    };
    let canonical = canonical_request(&request, &[]);
    assert_eq!(
        String::from_utf8_lossy(&canonical),
        "PUT\n\
         /bucket/1234%2B-/123/1.txt\n\
         %2Bparam1=value3&%2Bparam2&%7Cparam1=value4&%7Cparam2&param1=value1&param2\n\
         content-type:text/plain\n\
         x-oss-content-sha256:UNSIGNED-PAYLOAD\n\
         x-oss-date:20231216T162057Z\n\
         x-oss-head1:value\n\
         \n\
         \n\
         UNSIGNED-PAYLOAD"
    );
    let scope = scope("20231216");
    let string = string_to_sign(&canonical, "20231216T162057Z", &scope);
    assert_eq!(
        string,
        "OSS4-HMAC-SHA256\n20231216T162057Z\n20231216/cn-hangzhou/oss/aliyun_v4_request\n\
         f4613657f1b108998e8dbd10a1aa5da621dc2c6e02c9ddec0f163664848704c4"
    );
    assert_eq!(
        hex::encode(signing_key("sk", &scope)),
        "b412a03b134ebddd720f5167b5de6db66620ebb3b01cff4d49e3ccb09f8de97f"
    );
    assert_eq!(signature("sk", &scope, &string), "e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe");
}

#[test]
fn vector_9_header_with_security_token() {
    let headers = [HEADER_FORM, &[("x-oss-security-token", &b"token"[..])]].concat();
    let expected = "b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea";
    put_object("20231217T034736Z", &headers, &[], "", expected);
}

#[test]
fn vector_10_header_with_additional_headers() {
    let expected = "4a4183c187c07c8947db7620deb0a6b38d9fbdd34187b6dbaccb316fa251212f";
    put_object("20231216T172512Z", HEADER_FORM, &[], "ZAbc;abc", expected);
}

/// A variation of vector 11: a signed URL.
fn url(timestamp: &str, further: Pairs<'_>, additional: &str, expected: &str) {
    let credential = format!("ak/{}/cn-hangzhou/oss/aliyun_v4_request", &timestamp[..8]);
    let signature_query = [
        ("x-oss-signature-version", "OSS4-HMAC-SHA256"),
        ("x-oss-credential", credential.as_str()),
        ("x-oss-date", timestamp),
        ("x-oss-expires", "599"),
    ];
    let all = pairs(&[QUERY, &signature_query, further, &[("x-oss-signature", expected)]].concat());
    let request = SignedRequest {
        method: "PUT",
        bucket: Some("bucket"),
        key: KEY,
        headers: &[
            ("content-type", b"application/octet-stream"),
            ("x-oss-head1", b"value"),
            ("abc", b"value"),
            ("zabc", b"value"),
            ("xyz", b"value"),
        ],
        query: &all,
    };
    let scope = scope(&timestamp[..8]);
    assert!(verify(&request, &names(additional), timestamp, &scope, "sk", expected));
    assert!(!verify(&request, &names(additional), timestamp, &scope, "other", expected));
}

#[test]
fn vector_11_query() {
    let expected = "a39966c61718be0d5b14e668088b3fa07601033f6518ac7b523100014269c0fe";
    url("20231217T025437Z", &[], "", expected);
}

#[test]
fn vector_12_query_with_security_token() {
    let expected = "3817ac9d206cd6dfc90f1c09c00be45005602e55898f26f5ddb06d7892e1f8b5";
    url("20231217T035628Z", &[("x-oss-security-token", "token")], "", expected);
}

#[test]
fn vector_13_query_with_additional_headers() {
    let expected = "6bd984bfe531afb6db1f7550983a741b103a8c58e5e14f83ea474c2322dfa2b7";
    url("20231217T033009Z", &[("x-oss-additional-headers", "abc;zabc")], "abc;zabc", expected);
}

/// A live-channel request as `oss2` sends it with a clock that stands at 2023-11-14 22:13:20 UTC.
fn live(method: &str, key: &str, raw_query: Pairs<'_>, token: Option<&str>, canonical_query: &str, expected: &str) {
    let query = pairs(raw_query);
    let mut headers: Vec<(&str, &[u8])> =
        vec![("x-oss-date", b"20231114T221320Z"), ("x-oss-content-sha256", b"UNSIGNED-PAYLOAD")];
    headers.extend(token.map(|token| ("x-oss-security-token", token.as_bytes())));
    let request =
        SignedRequest { method, bucket: Some("examplebucket"), key: key.as_bytes(), headers: &headers, query: &query };
    let canonical = String::from_utf8(canonical_request(&request, &[])).expect("ASCII");
    assert_eq!(canonical.lines().nth(2), Some(canonical_query));
    let scope = scope("20231114");
    assert!(verify(&request, &[], "20231114T221320Z", &scope, "testAccessKeySecret", expected));
    assert!(!verify(&request, &[], "20231114T221321Z", &scope, "testAccessKeySecret", expected));
}

#[test]
fn vector_live_get_channel_info() {
    let expected = "29ed20b69ec3df61a9a560b504a7e8bade664b30f2a8e1844b3786a01f49b850";
    live("GET", "test-channel", &[("live", "")], None, "live", expected);
}

#[test]
fn vector_live_get_channel_stat() {
    let expected = "ce2f946c309e5975e841f4fbfc4d111bb8f9619c6c2c5aa5705c52182c3b8463";
    live("GET", "test-channel", &[("live", ""), ("comp", "stat")], None, "comp=stat&live", expected);
}

#[test]
fn vector_live_put_channel_status() {
    let expected = "9c330f18703eb697b28e9e839041ab4e989d38ee16d8ae8f48b64344eee17da2";
    live("PUT", "test-channel", &[("live", ""), ("status", "disabled")], None, "live&status=disabled", expected);
}

#[test]
fn vector_live_list_channels() {
    let expected = "8f589f75882bdd84f8c2f1dd1513605360e00b8dc787dbd13017d6097401de9b";
    live(
        "GET",
        "",
        &[("live", ""), ("prefix", "p"), ("marker", "m"), ("max-keys", "10")],
        None,
        "live&marker=m&max-keys=10&prefix=p",
        expected,
    );
}

#[test]
fn vector_live_post_vod_playlist() {
    let expected = "f6f62231c0a12be37d40315d179f2e02ebcd4835a46b1109840849024a40f4af";
    live(
        "POST",
        "test-channel/vod.m3u8",
        &[("vod", ""), ("startTime", "100"), ("endTime", "200")],
        None,
        "endTime=200&startTime=100&vod",
        expected,
    );
}

#[test]
fn vector_live_delete_channel() {
    let expected = "0929b0c05410fde86e6a1fe17c270ad71a85a2f341a78c499f85e0fe2c9a3c07";
    live("DELETE", "test-channel", &[("live", "")], None, "live", expected);
}

#[test]
fn vector_live_get_channel_info_with_token() {
    let expected = "166cb27d6c1fcc02347425479fd5cd7be617a9e462e9db0b1ced1ef9a44a0585";
    live("GET", "test-channel", &[("live", "")], Some("CAISsts+token/=="), "live", expected);
}

fn hls_sign(raw_query: Pairs<'_>, expected: &str) -> String {
    let query = pairs(raw_query);
    let request = SignedRequest {
        method: "GET",
        bucket: Some("examplebucket"),
        key: b"test-channel/playlist.m3u8",
        headers: &[],
        query: &query,
    };
    let (id, secret) = ("testAccessKeyId", "testAccessKeySecret");
    let signed = sign_url_query(&request, id, secret, &scope("20231114"), "20231114T221320Z", 3600);
    assert!(signed.ends_with(&format!("&x-oss-signature={expected}")), "{signed}");
    signed
}

#[test]
fn vector_hls_sign_url() {
    let expected = "876c896c1092e6945185991f99208ac31aba0ad34f8a8e953275afa126cefee0";
    let signed = hls_sign(&[("x-oss-process", "hls/sign")], expected);
    assert_eq!(
        signed,
        format!(
            "x-oss-process=hls%2Fsign\
             &x-oss-credential=testAccessKeyId%2F20231114%2Fcn-hangzhou%2Foss%2Faliyun_v4_request\
             &x-oss-date=20231114T221320Z&x-oss-expires=3600&x-oss-signature-version=OSS4-HMAC-SHA256\
             &x-oss-signature={expected}"
        )
    );
}

#[test]
fn vector_hls_sign_url_with_token() {
    let expected = "845173206a4080b8866379083c5681e246763bef31f296ffdfcc5fdaa7332dfe";
    hls_sign(&[("x-oss-process", "hls/sign"), ("x-oss-security-token", "CAISsts+token/==")], expected);
}

#[test]
fn canonical_uri_of_service_and_bucket() {
    let first_lines = |bucket| {
        let request = SignedRequest { method: "GET", bucket, ..SignedRequest::default() };
        String::from_utf8(canonical_request(&request, &[])).expect("ASCII").lines().nth(1).map(str::to_owned)
    };
    assert_eq!(first_lines(None).as_deref(), Some("/"));
    assert_eq!(first_lines(Some("b")).as_deref(), Some("/b/"));
}

#[test]
fn authorization_fields_stand_in_any_order() {
    let credential = "Credential=id/20231114/cn-hangzhou/oss/aliyun_v4_request";
    let expected = Authorization {
        credential: Credential { access_key_id: "id", scope: scope("20231114") },
        additional_headers: vec!["abc".into(), "zabc".into()],
        signature: "5e",
    };
    for value in [
        format!("OSS4-HMAC-SHA256 {credential},AdditionalHeaders=abc;zabc,Signature=5e"),
        format!("OSS4-HMAC-SHA256 {credential}, Signature=5e, AdditionalHeaders=ZABC;abc"),
        format!("OSS4-HMAC-SHA256 Signature=5e ,{credential} , AdditionalHeaders=abc;zabc;abc"),
    ] {
        assert_eq!(read_authorization(&value), Ok(expected.clone()), "{value}");
    }
}

#[test]
fn broken_authorization_says_what_is_missing() {
    let whole = "Credential=id/20231114/r/oss/aliyun_v4_request";
    for (fields, fault) in [
        ("nonsense".to_owned(), AuthorizationFault::Form),
        ("Signature=5e".to_owned(), AuthorizationFault::Credential),
        ("Credential=id/20231114/r/oss,Signature=5e".to_owned(), AuthorizationFault::Credential),
        ("Credential=id/20231114/r/oss/aws4_request,Signature=5e".to_owned(), AuthorizationFault::Credential),
        ("Credential=id/2023/r/oss/aliyun_v4_request,Signature=5e".to_owned(), AuthorizationFault::Credential),
        ("Credential=/20231114/r/oss/aliyun_v4_request,Signature=5e".to_owned(), AuthorizationFault::Credential),
        (whole.to_owned(), AuthorizationFault::Signature),
        (format!("{whole},Signature="), AuthorizationFault::Signature),
    ] {
        assert_eq!(read_authorization(&format!("OSS4-HMAC-SHA256 {fields}")), Err(fault), "{fields}");
    }
}
