//! Every form in which a request states a signature: read without harm, and what is signed is found good in each scheme of
//! both dialects, but for no other resource, verb or secret.

use crate::Choices;
use livebucket::auth::rtmp_url::{PublishQuery, publish_query};
use livebucket::auth::{SignedRequest, oss_v1, oss_v2, oss_v4, read_additional_headers, sig_v2, sig_v4};

const TIMESTAMP: &str = "20231114T221320Z";

/// Takes one input.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = oss_v1::read_authorization(&text);
    let _ = oss_v2::read_authorization(&text);
    let _ = oss_v4::read_authorization(&text);
    let _ = read_additional_headers(&text);
    let _ = sig_v2::read_authorization(&text);
    let _ = sig_v4::Claim::from_header(&text).map(|claim| claim.signed_names().count());
    if let Some(scope) = oss_v4::Scope::read(&text) {
        assert_eq!(oss_v4::Scope::read(&scope.to_string()), Some(scope));
    }
    let query = PublishQuery::parse(&text);
    let _ = (query.check_form(1_700_000_000), query.matches("secret", "films", "ch"), query.playlist_name());

    let mut choices = Choices(data);
    let (method, bucket, key, name, value) =
        (choices.text(), choices.text(), choices.text(), choices.text(), choices.text());
    let request = |key| SignedRequest { method: &method, bucket: Some(&bucket), key, headers: &[], query: &[] };
    let other = [key.as_bytes(), b"x"].concat();
    let signature = oss_v1::signature(
        "secret",
        &oss_v1::string_to_sign(&request(key.as_bytes()), b"7", oss_v1::SubResources::Wide),
    );
    assert!(oss_v1::verify(&request(key.as_bytes()), b"7", "secret", &signature));
    assert!(!oss_v1::verify(&request(&other), b"7", "secret", &signature));

    oss_v2_and_v4(&method, &bucket, key.as_bytes(), &other, &value);
    amazon(&method, &key, &value);

    // The parameters that a signed query may carry besides: any but those that are the signature.
    if !matches!(name.as_str(), "" | "OSSAccessKeyId" | "Expires" | "Signature" | "playlistName" | "SecurityToken") {
        let signed = publish_query("id", "secret", "films", "ch", 1_700_003_600, &[(name, value)]);
        let query = PublishQuery::parse(&signed);
        assert!(query.check_form(1_700_000_000).is_ok() && query.matches("secret", "films", "ch"), "{signed}");
        assert!(!query.matches("secret", "films", "hc") && !query.matches("tercse", "films", "ch"), "{signed}");
    }
}

fn oss_v2_and_v4(method: &str, bucket: &str, key: &[u8], other: &[u8], value: &str) {
    let headers = [("x-oss-meta-a", value.as_bytes())];
    let request = |method, key| SignedRequest { method, bucket: Some(bucket), key, headers: &headers, query: &[] };
    let signed = request(method, key);
    let longer = [method, "X"].concat();
    let forged = [request(method, other), request(&longer, key)];

    let signature = oss_v2::signature("secret", &oss_v2::string_to_sign(&signed, &[], b"7"));
    assert!(oss_v2::verify(&signed, &[], b"7", "secret", &signature));
    assert!(!oss_v2::verify(&signed, &[], b"7", "tercse", &signature));
    assert!(forged.iter().all(|forged| !oss_v2::verify(forged, &[], b"7", "secret", &signature)));

    let scope = oss_v4::Scope { date: "20231114", region: "cn-hangzhou", product: "oss" };
    let string = oss_v4::string_to_sign(&oss_v4::canonical_request(&signed, &[]), TIMESTAMP, &scope);
    let signature = oss_v4::signature("secret", &scope, &string);
    let verify =
        |request: &SignedRequest<'_>, secret: &str| oss_v4::verify(request, &[], TIMESTAMP, &scope, secret, &signature);
    assert!(verify(&signed, "secret") && !verify(&signed, "tercse"));
    assert!(forged.iter().all(|forged| !verify(forged, "secret")));
}

fn amazon(method: &str, key: &str, value: &str) {
    let headers = [("host", b"a.example".as_slice()), ("x-amz-meta-a", value.as_bytes())];
    let (path, other) = (format!("/films/k{key}"), format!("/films/k{key}x"));
    let credential = "id/20231114/us-east-1/s3/aws4_request";
    let (_, scope) = credential.split_once('/').expect("it has one");
    let string = |path: &str| {
        let canonical = sig_v4::canonical_request(&sig_v4::Request {
            method,
            path: path.as_bytes(),
            query: &[],
            headers: &headers,
            signed_headers: &["host", "x-amz-meta-a"],
            payload_hash: "UNSIGNED-PAYLOAD",
        });
        sig_v4::string_to_sign(&canonical, TIMESTAMP, scope)
    };
    let signature = sig_v4::signature("secret", scope, &string(&path));
    let claim = sig_v4::Claim::new(credential, "host;x-amz-meta-a", &signature).expect("whole");
    assert_eq!((claim.access_key_id, claim.scope), ("id", scope));
    assert!(sig_v4::verify(&claim, "secret", &string(&path)) && !sig_v4::verify(&claim, "tercse", &string(&path)));
    assert!(!sig_v4::verify(&claim, "secret", &string(&other)));

    let request = |path| sig_v2::Request {
        method,
        host_bucket: None,
        raw_path: path,
        query: &[],
        headers: &headers,
        expires: Some("1700003600"),
    };
    // Both dialects' oldest signatures are the same function of other strings.
    let signature = oss_v1::signature("secret", &sig_v2::string_to_sign(&request(&path)));
    assert!(sig_v2::verify(&request(&path), "secret", &signature));
    assert!(!sig_v2::verify(&request(&path), "tercse", &signature));
    assert!(!sig_v2::verify(&request(&other), "secret", &signature));
}
