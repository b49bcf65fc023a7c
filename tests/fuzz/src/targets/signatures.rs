//! Every form in which a request states a signature: read without harm, and what we sign ourselves is found good, but
//! not for another resource.

use crate::Choices;
use livebucket::auth::rtmp_url::{PublishQuery, publish_query};
use livebucket::auth::{SignedRequest, oss_v1, oss_v2, oss_v4, read_additional_headers};

/// Takes one input.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = oss_v1::read_authorization(&text);
    let _ = oss_v2::read_authorization(&text);
    let _ = oss_v4::read_authorization(&text);
    let _ = read_additional_headers(&text);
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

    // The parameters that a signed query may carry besides: any but those that are the signature.
    if !matches!(name.as_str(), "" | "OSSAccessKeyId" | "Expires" | "Signature" | "playlistName" | "SecurityToken") {
        let signed = publish_query("id", "secret", "films", "ch", 1_700_003_600, &[(name, value)]);
        let query = PublishQuery::parse(&signed);
        assert!(query.check_form(1_700_000_000).is_ok() && query.matches("secret", "films", "ch"), "{signed}");
        assert!(!query.matches("secret", "films", "hc") && !query.matches("tercse", "films", "ch"), "{signed}");
    }
}
