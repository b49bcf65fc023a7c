//! Amazon's Signature Version 2: `Authorization: AWS AK:SIG`, or `AWSAccessKeyId`, `Expires` and `Signature` in the URL.
//!
//! "Signing and authenticating REST requests" of the Amazon S3 developer guide. Old, and still what `s3cmd` and old
//! libraries send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{hmac_sha1, same};

/// Query names that take part, in order.
const SUB_RESOURCES: [&str; 37] = [
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// A request as this signature sees it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`.
    pub method: &'a str,
    /// The bucket where the host names it; the path does not.
    pub host_bucket: Option<&'a str>,
    /// The path as it was sent.
    pub raw_path: &'a str,
    /// The query, names and values percent-decoded once.
    pub query: &'a [(Vec<u8>, Vec<u8>)],
    /// All headers: lower-case name and value as it was sent.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// `Expires` of a presigned URL; `None` where the signature stands in the header.
    pub expires: Option<&'a str>,
}

/// Id and signature of an `Authorization` header; `None` when it is not of this form.
pub fn read_authorization(value: &str) -> Option<(&str, &str)> {
    let (id, signature) = value.strip_prefix("AWS ")?.trim().split_once(':')?;
    (!id.is_empty() && !signature.is_empty()).then_some((id, signature))
}

/// Whether `secret` signed this request. Of a bucket named by the path, `/B` and `/B/` are the same: boto3 sends the one
/// and signs the other.
pub fn verify(request: &Request<'_>, secret: &str, signature: &str) -> bool {
    let matches = |path: &str| {
        let string = string_to_sign(&Request { raw_path: path, ..*request });
        same(BASE64.encode(hmac_sha1(secret.as_bytes(), &string)), signature)
    };
    let bucket_alone = request.host_bucket.is_none()
        && request.raw_path.len() > 1
        && request.raw_path.trim_end_matches('/').matches('/').count() == 1;
    let other = match request.raw_path.strip_suffix('/') {
        Some(without) => without.to_owned(),
        None => format!("{}/", request.raw_path),
    };
    matches(request.raw_path) || (bucket_alone && matches(&other))
}

/// The string to sign.
pub fn string_to_sign(request: &Request<'_>) -> Vec<u8> {
    let header =
        |name: &str| request.headers.iter().find(|(n, _)| *n == name).map_or(&b""[..], |(_, v)| v.trim_ascii());
    let date = match request.expires {
        Some(expires) => expires.as_bytes(),
        // The header that replaces it stands among the others.
        None if request.headers.iter().any(|(name, _)| *name == "x-amz-date") => b"",
        None => header("date"),
    };
    let mut text = [request.method.as_bytes(), header("content-md5"), header("content-type"), date].join(&b'\n');
    text.push(b'\n');
    let mut names: Vec<&str> =
        request.headers.iter().map(|(name, _)| *name).filter(|name| name.starts_with("x-amz-")).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let values = request.headers.iter().filter(|(n, _)| *n == name).map(|(_, value)| value.trim_ascii());
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(&values.collect::<Vec<_>>().join(&b","[..]));
        text.push(b'\n');
    }
    if let Some(bucket) = request.host_bucket {
        text.push(b'/');
        text.extend_from_slice(bucket.as_bytes());
    }
    text.extend_from_slice(request.raw_path.as_bytes());
    let mut separator = b'?';
    for name in SUB_RESOURCES {
        let Some((_, value)) = request.query.iter().find(|(n, _)| n == name.as_bytes()) else { continue };
        text.push(separator);
        text.extend_from_slice(name.as_bytes());
        if !value.is_empty() {
            text.push(b'=');
            text.extend_from_slice(value);
        }
        separator = b'&';
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn request<'a>(method: &'a str, raw_path: &'a str, headers: &'a [(&'a str, &'a [u8])]) -> Request<'a> {
        Request { method, host_bucket: Some("awsexamplebucket1"), raw_path, query: &[], headers, expires: None }
    }

    // The examples of the Amazon S3 developer guide.
    #[test]
    fn the_published_examples_verify() {
        let acl = [(b"acl".to_vec(), Vec::new())];
        for (request, signature) in [
            (
                request("GET", "/photos/puppy.jpg", &[("date", b"Tue, 27 Mar 2007 19:36:42 +0000")]),
                "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
            ),
            (
                request(
                    "PUT",
                    "/photos/puppy.jpg",
                    &[("content-type", b"image/jpeg"), ("date", b"Tue, 27 Mar 2007 21:15:45 +0000")],
                ),
                "iqRzw+ileNPu1fhspnRs8nOjjIA=",
            ),
            (request("GET", "/", &[("date", b"Tue, 27 Mar 2007 19:42:41 +0000")]), "m0WP8eCtspQl5Ahe6L1SozdX9YA="),
            (
                Request { query: &acl, ..request("GET", "/", &[("date", b"Tue, 27 Mar 2007 19:44:46 +0000")]) },
                "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
            ),
        ] {
            assert!(verify(&request, SECRET, signature), "{}", String::from_utf8_lossy(&string_to_sign(&request)));
            assert!(!verify(&request, "another secret", signature));
        }
    }

    #[test]
    fn a_bucket_in_the_path_may_be_signed_with_or_without_its_slash() {
        let sign = |path| {
            let request = Request { host_bucket: None, ..request("GET", path, &[("date", b"d")]) };
            BASE64.encode(hmac_sha1(SECRET.as_bytes(), &string_to_sign(&request)))
        };
        let verified = |sent, signed| {
            verify(&Request { host_bucket: None, ..request("GET", sent, &[("date", b"d")]) }, SECRET, &sign(signed))
        };
        assert!(verified("/b", "/b/") && verified("/b/", "/b") && verified("/b", "/b"));
        assert!(!verified("/b/k", "/b/k/") && !verified("/b/k/", "/b/k") && !verified("/", ""));
    }

    #[test]
    fn amazon_headers_stand_sorted_and_joined_and_their_date_replaces_the_other() {
        let headers: [(&str, &[u8]); 5] = [
            ("x-amz-meta-b", b" 1 "),
            ("date", b"never seen"),
            ("x-amz-date", b"Tue, 27 Mar 2007 21:20:26 +0000"),
            ("x-amz-meta-a", b"x"),
            ("x-amz-meta-b", b"2"),
        ];
        let text = string_to_sign(&request("DELETE", "/k", &headers));
        let expected = "DELETE\n\n\n\nx-amz-date:Tue, 27 Mar 2007 21:20:26 +0000\nx-amz-meta-a:x\nx-amz-meta-b:1,2\n\
                        /awsexamplebucket1/k";
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[test]
    fn an_authorization_of_another_form_is_none() {
        assert_eq!(read_authorization("AWS AK:SIG="), Some(("AK", "SIG=")));
        for value in ["AWS AK", "AWS :SIG", "AWS AK:", "AWS4-HMAC-SHA256 Credential=x", "OSS AK:SIG"] {
            assert_eq!(read_authorization(value), None, "{value}");
        }
    }
}
