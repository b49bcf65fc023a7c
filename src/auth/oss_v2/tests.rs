//! The vectors of signature version 2: the live channel's, those of the public documentation, and what `oss2` signs with a
//! clock that stands at 2023-11-14 22:13:20 UTC.

use super::*;

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// One vector: what is asked, the string to sign and the signature.
struct Vector<'a> {
    method: &'a str,
    bucket: Option<&'a str>,
    key: &'a str,
    query: Pairs<'a>,
    headers: Pairs<'a>,
    additional: &'a str,
    date: &'a str,
    secret: &'a str,
    string: &'a str,
    signature: &'a str,
}

const LIVE: Vector<'_> = Vector {
    method: "GET",
    bucket: Some("examplebucket"),
    key: "test-channel",
    query: &[("live", "")],
    headers: &[],
    additional: "",
    date: "Tue, 14 Nov 2023 22:13:20 GMT",
    secret: "testAccessKeySecret",
    string: "GET\n\n\nTue, 14 Nov 2023 22:13:20 GMT\n\n%2Fexamplebucket%2Ftest-channel?live",
    signature: "gMiOUxqoDZeaVJ7m6RUaNVg2bmhXitlTsJtErDjwV2k=",
};
const DOCUMENTED: Vector<'_> = Vector {
    bucket: Some("oss-example"),
    key: "nelson",
    query: &[],
    secret: "OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV",
    ..LIVE
};

impl Vector<'_> {
    fn check(&self) {
        let query: Vec<_> = self.query.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec())).collect();
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let request = SignedRequest {
            method: self.method,
            bucket: self.bucket,
            key: self.key.as_bytes(),
            headers: &headers,
            query: &query,
        };
        let (additional, date) = (crate::auth::read_additional_headers(self.additional), self.date.as_bytes());
        let string = string_to_sign(&request, &additional, date);
        assert_eq!(String::from_utf8_lossy(&string), self.string);
        assert!(verify(&request, &additional, date, self.secret, self.signature));
        assert!(!verify(&request, &additional, date, "other", self.signature));
        assert!(!verify(&request, &additional, b"other", self.secret, self.signature));
        assert!(!verify(&SignedRequest { method: "HEAD", ..request }, &additional, date, self.secret, self.signature));
        let more = [query.as_slice(), &[(b"prefix".to_vec(), Vec::new())]].concat();
        assert!(!verify(&SignedRequest { query: &more, ..request }, &additional, date, self.secret, self.signature));
    }
}

#[test]
fn vector_live_get_channel_info() {
    LIVE.check();
}

#[test]
fn vector_live_get_channel_stat() {
    Vector {
        query: &[("live", ""), ("comp", "stat")],
        string: "GET\n\n\nTue, 14 Nov 2023 22:13:20 GMT\n\n%2Fexamplebucket%2Ftest-channel?comp=stat&live",
        signature: "5uv+FWxqSAHhffsPofKwoAPf8V7y7vJPgDf6JrV7XMs=",
        ..LIVE
    }
    .check();
}

#[test]
fn vector_live_put_channel_status() {
    Vector {
        method: "PUT",
        query: &[("live", ""), ("status", "disabled")],
        string: "PUT\n\n\nTue, 14 Nov 2023 22:13:20 GMT\n\n%2Fexamplebucket%2Ftest-channel?live&status=disabled",
        signature: "A/vOt+j0hSmo2EfuqKdgwELzeaV0qB7aUmg+w5VLxrA=",
        ..LIVE
    }
    .check();
}

#[test]
fn vector_live_list_channels_encodes_every_parameter() {
    Vector {
        key: "",
        query: &[("live", ""), ("prefix", "a b+c"), ("marker", "m"), ("max-keys", "10")],
        string: "GET\n\n\nTue, 14 Nov 2023 22:13:20 GMT\n\n\
                 %2Fexamplebucket%2F?live&marker=m&max-keys=10&prefix=a%20b%2Bc",
        signature: "bMg/zEueShZ6alx2g+lK40h9U0lZoJVD6YdZ//Sxh+E=",
        ..LIVE
    }
    .check();
}

#[test]
fn vector_live_post_vod_playlist() {
    Vector {
        method: "POST",
        key: "test-channel/vod.m3u8",
        query: &[("vod", ""), ("startTime", "100"), ("endTime", "200")],
        string: "POST\n\n\nTue, 14 Nov 2023 22:13:20 GMT\n\n\
                 %2Fexamplebucket%2Ftest-channel%2Fvod.m3u8?endTime=200&startTime=100&vod",
        signature: "kv8ZVhHDnGSmInjVPdupz/IiG7RXmuX76wch1011o0o=",
        ..LIVE
    }
    .check();
}

#[test]
fn vector_header_with_additional_headers() {
    Vector {
        key: "dir/a b+c~.ts",
        query: &[],
        headers: &[
            ("host", "examplebucket.localhost"),
            ("range", " bytes=0-7 "),
            ("if-modified-since", "Thu, 16 Feb 2017 02:10:39 GMT"),
        ],
        // `oss2` sends the names in any order and signs them sorted.
        additional: "Range;if-modified-since",
        string: "GET\n\n\nTue, 14 Nov 2023 22:13:20 GMT\n\
                 if-modified-since:Thu, 16 Feb 2017 02:10:39 GMT\nrange:bytes=0-7\nif-modified-since;range\n\
                 %2Fexamplebucket%2Fdir%2Fa%20b%2Bc~.ts",
        signature: "pVA6504t3vJH4+2e2ZdcrYdM2Qzwo+pNRfQhiXMwZD4=",
        ..LIVE
    }
    .check();
}

#[test]
fn vector_header_with_content_and_token() {
    Vector {
        method: "PUT",
        key: "k",
        query: &[],
        headers: &[
            ("x-oss-security-token", "CAISsts+token/=="),
            ("x-oss-object-acl", "private"),
            ("content-type", "text/plain"),
            ("content-md5", "FxqG8Ca0qEJPOghSihJ8Ew=="),
        ],
        additional: "content-type",
        string: "PUT\nFxqG8Ca0qEJPOghSihJ8Ew==\ntext/plain\nTue, 14 Nov 2023 22:13:20 GMT\ncontent-type:text/plain\n\
                 x-oss-object-acl:private\nx-oss-security-token:CAISsts+token/==\ncontent-type\n%2Fexamplebucket%2Fk",
        signature: "lMv71wLpnGyWEvWAXKNT85tg4rlVMHgGhqB3s+ep4iQ=",
        ..LIVE
    }
    .check();
}

#[test]
fn vector_header_of_the_service() {
    Vector {
        bucket: None,
        key: "",
        query: &[],
        string: "GET\n\n\nTue, 14 Nov 2023 22:13:20 GMT\n\n%2F",
        signature: "BYnO8zjClAJzOHgXTuV8KvT35lEfWCnz3qPn38jnts8=",
        ..LIVE
    }
    .check();
}

#[test]
fn vector_header_of_the_documentation() {
    Vector {
        method: "PUT",
        headers: &[
            ("content-md5", "FxqG8Ca0qEJPOghSihJ8Ew=="),
            ("content-type", "text/plain"),
            ("x-oss-object-acl", "private"),
        ],
        date: "Wed, 15 Feb 2017 09:37:11 GMT",
        string: "PUT\nFxqG8Ca0qEJPOghSihJ8Ew==\ntext/plain\nWed, 15 Feb 2017 09:37:11 GMT\n\
                 x-oss-object-acl:private\n\n%2Foss-example%2Fnelson",
        signature: "5Am2ewK1tL0gXX7GV6dwybZtj7efOEtc0Mo2FR6CkM8=",
        ..DOCUMENTED
    }
    .check();
}

#[test]
fn vector_additional_headers_of_the_documentation() {
    Vector {
        headers: &[("range", "bytes=0-7"), ("if-modified-since", "Thu, 16 Feb 2017 02:10:39 GMT")],
        additional: "if-modified-since;range",
        date: "Thu, 16 Feb 2017 02:09:39 GMT",
        string: "GET\n\n\nThu, 16 Feb 2017 02:09:39 GMT\nif-modified-since:Thu, 16 Feb 2017 02:10:39 GMT\n\
                 range:bytes=0-7\nif-modified-since;range\n%2Foss-example%2Fnelson",
        signature: "YG9mKO3m4S0Jx9Hk6Lq64VchJg/TOTkyCX4DaeeOYxE=",
        ..DOCUMENTED
    }
    .check();
}

#[test]
fn vector_url_of_the_documentation() {
    Vector {
        query: &[
            ("x-oss-signature-version", "OSS2"),
            ("x-oss-expires", "1487152431"),
            ("x-oss-access-key-id", "44CF9590006BF252F707"),
            ("x-oss-signature", "ps/+MLhd1WKkVi/QlOiliJsTaBMBk93f6UYVscDNHCQ="),
        ],
        date: "1487152431",
        string: "GET\n\n\n1487152431\n\n%2Foss-example%2Fnelson?x-oss-access-key-id=44CF9590006BF252F707\
                 &x-oss-expires=1487152431&x-oss-signature-version=OSS2",
        signature: "ps/+MLhd1WKkVi/QlOiliJsTaBMBk93f6UYVscDNHCQ=",
        ..DOCUMENTED
    }
    .check();
}

#[test]
fn vector_url_with_additional_headers() {
    Vector {
        key: "test-channel/1.ts",
        query: &[
            ("x-oss-signature-version", "OSS2"),
            ("x-oss-expires", "1700003600"),
            ("x-oss-access-key-id", "testAccessKeyId"),
            ("x-oss-additional-headers", "range;referer"),
        ],
        headers: &[("referer", "https://example.org/"), ("range", "bytes=0-7")],
        additional: "range;referer",
        date: "1700003600",
        string: "GET\n\n\n1700003600\nrange:bytes=0-7\nreferer:https://example.org/\nrange;referer\n\
                 %2Fexamplebucket%2Ftest-channel%2F1.ts?x-oss-access-key-id=testAccessKeyId\
                 &x-oss-additional-headers=range%3Breferer&x-oss-expires=1700003600&x-oss-signature-version=OSS2",
        signature: "xM6lNUmYKlnMh3lbeUPp0d4tJFySirAM8u0o2j9Xs4M=",
        ..LIVE
    }
    .check();
}

fn hls_sign(query: Pairs<'_>) -> String {
    let query: Vec<_> = query.iter().map(|(n, v)| (n.as_bytes().to_vec(), v.as_bytes().to_vec())).collect();
    let request = SignedRequest {
        method: "GET",
        bucket: Some("examplebucket"),
        key: b"test-channel/playlist.m3u8",
        headers: &[],
        query: &query,
    };
    sign_url_query(&request, "testAccessKeyId", "testAccessKeySecret", 1_700_003_600)
}

#[test]
fn vector_hls_sign_url() {
    assert_eq!(
        hls_sign(&[("x-oss-process", "hls/sign")]),
        "x-oss-process=hls%2Fsign&x-oss-signature-version=OSS2&x-oss-expires=1700003600\
         &x-oss-access-key-id=testAccessKeyId&x-oss-signature=jmUnpQVXn54I0cE2fOE8BCcoadoQIgwSBtoiERUAAl8%3D"
    );
}

#[test]
fn vector_hls_sign_url_with_token() {
    assert_eq!(
        hls_sign(&[("x-oss-process", "hls/sign"), ("security-token", "CAISsts+token/==")]),
        "x-oss-process=hls%2Fsign&security-token=CAISsts%2Btoken%2F%3D%3D&x-oss-signature-version=OSS2\
         &x-oss-expires=1700003600&x-oss-access-key-id=testAccessKeyId\
         &x-oss-signature=UGXqw9fqU%2BwV5ZHoVCvPNfVA0mmGf9vSrX6P8S5hykY%3D"
    );
}

#[test]
fn authorization_fields_stand_in_any_order() {
    let expected = Authorization {
        access_key_id: "id".into(),
        additional_headers: vec!["abc".into(), "zabc".into()],
        signature: "c2ln+/=".into(),
    };
    for value in [
        "OSS2 AccessKeyId:id,AdditionalHeaders:abc;zabc,Signature:c2ln+/=",
        "OSS2 AccessKeyId: id, Signature: c2ln+/=, AdditionalHeaders: ZABC;abc",
        "OSS2  Signature:c2ln+/= ,AdditionalHeaders:zabc;abc;abc , New:thing,AccessKeyId:id",
    ] {
        assert_eq!(read_authorization(value), Some(expected.clone()), "{value}");
    }
    let bare = read_authorization("OSS2 AccessKeyId:id,Signature:s").expect("the usual form");
    assert!(bare.additional_headers.is_empty());
    for bad in [
        "",
        "OSS2",
        "OSS2 ",
        "OSS2 junk",
        "OSS2 AccessKeyId:id",
        "OSS2 Signature:s",
        "OSS2 AccessKeyId:,Signature:s",
        "OSS2 AccessKeyId:id,Signature:",
        "OSS2AccessKeyId:id,Signature:s",
        "OSS id:sig",
    ] {
        assert_eq!(read_authorization(bad), None, "{bad}");
    }
}
