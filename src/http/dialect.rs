//! Whose language a request speaks: one pure function of its head.
//!
//! The dialect chosen fixes error shape, header prefix, XML namespace, ETag case and defaults for the whole response. A
//! signature's own mark comes first, because only the dialect that made it can judge it.

use http::HeaderMap;
use http::header;

use super::query::Query;

/// A language of the object API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Alibaba Cloud OSS; also whoever shows no mark.
    Oss,
    /// Amazon S3.
    S3,
}

/// How `Authorization` begins, and whose that is.
const AUTHORIZATIONS: [(&str, Dialect); 5] = [
    ("OSS ", Dialect::Oss),
    ("OSS2 ", Dialect::Oss),
    ("OSS4-HMAC-SHA256", Dialect::Oss),
    ("AWS4-HMAC-SHA256", Dialect::S3),
    ("AWS ", Dialect::S3),
];

/// Query names of presigned URLs, and whose they are.
const URL_SIGNATURES: [(&str, Dialect); 8] = [
    ("OSSAccessKeyId", Dialect::Oss),
    ("x-oss-signature-version", Dialect::Oss),
    ("x-oss-credential", Dialect::Oss),
    ("x-oss-signature", Dialect::Oss),
    ("X-Amz-Algorithm", Dialect::S3),
    ("X-Amz-Credential", Dialect::S3),
    ("X-Amz-Signature", Dialect::S3),
    ("AWSAccessKeyId", Dialect::S3),
];

/// The dialect of a request.
pub fn dialect_of(headers: &HeaderMap, query: &Query) -> Dialect {
    by_signature(headers, query).unwrap_or_else(|| by_marks(headers, query))
}

fn by_signature(headers: &HeaderMap, query: &Query) -> Option<Dialect> {
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes().trim_ascii());
    if let Some(value) = authorization
        && let Some((_, dialect)) = AUTHORIZATIONS.iter().find(|(start, _)| value.starts_with(start.as_bytes()))
    {
        return Some(*dialect);
    }
    URL_SIGNATURES.iter().find(|(name, _)| query.has(name)).map(|(_, dialect)| *dialect)
}

/// Of a request that nobody signed. Live channels are the OSS dialect's alone.
fn by_marks(headers: &HeaderMap, query: &Query) -> Dialect {
    let marked = |prefix: &str| headers.keys().any(|name| name.as_str().starts_with(prefix));
    if query.has("live") || query.has("vod") || marked("x-oss-") {
        Dialect::Oss
    } else if marked("x-amz-") || query.has("x-id") {
        Dialect::S3
    } else {
        Dialect::Oss
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect::{Oss, S3};
    use super::*;

    fn dialect(target: &str, headers: &[(&str, &str)]) -> Dialect {
        let mut request = http::Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).expect("a request").into_parts().0;
        dialect_of(&head.headers, &Query::parse(head.uri.query().unwrap_or_default()))
    }

    #[test]
    fn every_mark_of_the_table_names_its_dialect() {
        let authorization = |value: &'static str| vec![("authorization", value)];
        let credential = "Credential=AK/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let v4: &'static str = format!("AWS4-HMAC-SHA256 {credential}").leak();
        for (target, headers, expected) in [
            ("/b/k", authorization("OSS AK:SIG"), Oss),
            ("/b/k", authorization("OSS2 AccessKeyId:AK,Signature:SIG"), Oss),
            ("/b/k", authorization("OSS4-HMAC-SHA256 Credential=AK/20231203/cn-hangzhou/oss/aliyun_v4_request"), Oss),
            ("/b/k?OSSAccessKeyId=AK&Expires=1&Signature=S", vec![], Oss),
            ("/b/k?x-oss-signature-version=OSS2&x-oss-signature=S", vec![], Oss),
            ("/b/k?x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=C", vec![], Oss),
            ("/b/k", authorization(v4), S3),
            ("/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=S", vec![], S3),
            ("/b/k", authorization("AWS AK:SIG"), S3),
            ("/b/k?AWSAccessKeyId=AK&Expires=1&Signature=S", vec![], S3),
            ("/b/c?live", vec![], Oss),
            ("/b/c?vod&startTime=1&endTime=2", vec![("x-amz-date", "20130524T000000Z")], Oss),
            ("/b/k", vec![("x-oss-meta-a", "b")], Oss),
            ("/b/k", vec![("x-amz-meta-a", "b")], S3),
            ("/b/k?x-id=GetObject", vec![], S3),
            ("/b/k", vec![], Oss),
            ("/", vec![], Oss),
        ] {
            assert_eq!(dialect(target, &headers), expected, "{target} {headers:?}");
        }
    }

    #[test]
    fn a_signature_outranks_every_other_mark() {
        for (target, headers, expected) in [
            ("/b/k?live", vec![("authorization", "AWS AK:SIG")], S3),
            ("/b/k", vec![("authorization", "AWS AK:SIG"), ("x-oss-meta-a", "b")], S3),
            ("/b/k?x-id=GetObject", vec![("authorization", "OSS AK:SIG"), ("x-amz-date", "d")], Oss),
            ("/b/k?X-Amz-Signature=S", vec![("authorization", "OSS AK:SIG")], Oss),
            ("/b/k?X-Amz-Signature=S", vec![("x-oss-meta-a", "b")], S3),
            ("/b/k", vec![("x-oss-meta-a", "b"), ("x-amz-meta-a", "b")], Oss),
            ("/b/k?%58-Amz-Signature=S", vec![], S3),
            // Whoever speaks neither is answered in OSS's words.
            ("/b/k", vec![("authorization", "Bearer token")], Oss),
            ("/b/k", vec![("authorization", "AWSome")], Oss),
        ] {
            assert_eq!(dialect(target, &headers), expected, "{target} {headers:?}");
        }
    }
}
