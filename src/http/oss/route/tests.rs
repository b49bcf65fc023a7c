//! One row a request line, and what must never become a plain operation.

use super::*;
use crate::http::oss::operation::{ListPartsQuery, ListUploadsQuery, UploadTarget};
use crate::store::{ChannelStatus, UploadId};

/// Routes `METHOD /bucket/key?query` in path style; `//` after the method is the service.
pub(super) fn go(line: &str) -> Result<OssOperation, OssError> {
    go_with(line, None)
}

pub(super) fn go_with(line: &str, copy_source: Option<&[u8]>) -> Result<OssOperation, OssError> {
    let (method, rest) = line.split_once(" /").expect("METHOD /path");
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    let slash = path.iter().position(|b| *b == b'/');
    let (bucket, key) = match slash {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&path[..], &[][..]),
    };
    let bucket = std::str::from_utf8(bucket).expect("ASCII");
    let target = Target { bucket: (!bucket.is_empty()).then_some(bucket), key, copy_source };
    route(&method.parse().expect("a method"), target, &Query::parse(query))
}

pub(super) fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).expect("valid")
}

fn name(text: &str) -> ChannelName {
    ChannelName::new(text).expect("valid")
}

const UPLOAD: &str = "0004B9895DBBB6EC98E36A0000000001";

fn upload() -> UploadTarget {
    UploadTarget { key: key("k"), id: UploadId(0x0004_B989_5DBB_B6EC_98E3_6A00_0000_0001) }
}

const RANGE: VodRange = VodRange { start: 100, end: 200 };

#[test]
fn every_documented_request_line() {
    use OssOperation::*;
    let list = |max_keys| ListObjectsQuery { max_keys, ..Default::default() };
    let list2 = |max_keys| ListObjectsV2Query { max_keys, ..Default::default() };
    let channels = |max_keys| ListLiveChannelQuery { max_keys, ..Default::default() };
    let parts = |marker, max_parts| ListPartsQuery { upload: upload(), marker, max_parts, url_encoding: false };
    let uploads = |max_uploads| ListUploadsQuery { max_uploads, ..Default::default() };
    let rows = [
        ("GET /", ListBuckets(ListBucketsQuery::default())),
        (
            "GET /?prefix=a&marker=b&max-keys=5",
            ListBuckets(ListBucketsQuery { prefix: "a".into(), marker: "b".into(), max_keys: Some(5), paged: true }),
        ),
        ("GET /?max-keys", ListBuckets(ListBucketsQuery { paged: true, ..Default::default() })),
        ("GET /?regions", DescribeRegions(None)),
        ("GET /?regions=", DescribeRegions(None)),
        ("GET /?regions=oss-cn-hangzhou", DescribeRegions(Some("oss-cn-hangzhou".into()))),
        ("PUT /bucket", PutBucket),
        ("PUT /bucket/", PutBucket),
        ("DELETE /bucket/", DeleteBucket),
        ("GET /bucket/?bucketInfo", GetBucketInfo),
        ("GET /bucket/?stat", GetBucketStat),
        ("GET /bucket/?location=", GetBucketLocation),
        ("GET /bucket/?acl", GetBucketAcl),
        ("PUT /bucket/?acl=", PutBucketAcl),
        ("GET /bucket/?lifecycle", GetBucketLifecycle),
        ("PUT /bucket/?lifecycle", PutBucketLifecycle),
        ("DELETE /bucket/?lifecycle", DeleteBucketLifecycle),
        ("GET /bucket/?cors", GetBucketCors),
        ("PUT /bucket/?cors", PutBucketCors),
        ("DELETE /bucket/?cors=", DeleteBucketCors),
        ("GET /bucket/?policy", GetBucketPolicy),
        ("PUT /bucket/?policy", PutBucketPolicy),
        ("DELETE /bucket/?policy=", DeleteBucketPolicy),
        ("GET /bucket/?policyStatus", GetBucketPolicyStatus),
        ("GET /bucket/?tagging", GetBucketTags),
        ("PUT /bucket/?tagging=", PutBucketTags),
        ("DELETE /bucket/?tagging", DeleteBucketTags),
        ("GET /bucket/?website", GetBucketSetting(SettingName::Website)),
        ("PUT /bucket/?website=", PutBucketSetting(SettingName::Website)),
        ("DELETE /bucket/?website", DeleteBucketSetting(SettingName::Website)),
        ("GET /bucket/?referer", GetBucketSetting(SettingName::Referer)),
        ("PUT /bucket/?referer", PutBucketSetting(SettingName::Referer)),
        ("GET /bucket/?logging", GetBucketSetting(SettingName::Logging)),
        ("PUT /bucket/?logging", PutBucketSetting(SettingName::Logging)),
        ("DELETE /bucket/?logging", DeleteBucketSetting(SettingName::Logging)),
        ("GET /bucket/?encryption", GetBucketSetting(SettingName::Encryption)),
        ("PUT /bucket/?encryption", PutBucketSetting(SettingName::Encryption)),
        ("DELETE /bucket/?encryption", DeleteBucketSetting(SettingName::Encryption)),
        ("GET /bucket/?requestPayment", GetBucketSetting(SettingName::RequestPayment)),
        ("PUT /bucket/?requestPayment", PutBucketSetting(SettingName::RequestPayment)),
        ("GET /bucket/?transferAcceleration", GetBucketSetting(SettingName::TransferAcceleration)),
        ("PUT /bucket/?transferAcceleration", PutBucketSetting(SettingName::TransferAcceleration)),
        ("GET /bucket/?publicAccessBlock", GetBucketSetting(SettingName::PublicAccessBlock)),
        ("PUT /bucket/?publicAccessBlock", PutBucketSetting(SettingName::PublicAccessBlock)),
        ("DELETE /bucket/?publicAccessBlock", DeleteBucketSetting(SettingName::PublicAccessBlock)),
        ("HEAD /bucket/", HeadBucket),
        ("GET /bucket/", ListObjects(list(100))),
        ("GET /bucket/?max-keys", ListObjects(list(100))),
        ("GET /bucket/?max-keys=&unknown=1", ListObjects(list(100))),
        (
            "GET /bucket/?prefix=a%2Fb&delimiter=%2F&marker=a+b&max-keys=1000&encoding-type=url",
            ListObjects(ListObjectsQuery {
                prefix: b"a/b".to_vec(),
                delimiter: b"/".to_vec(),
                marker: b"a b".to_vec(),
                max_keys: 1000,
                url_encoding: true,
            }),
        ),
        ("GET /bucket/?list-type=1", ListObjects(list(100))),
        ("GET /bucket/?list-type=2", ListObjectsV2(list2(100))),
        ("GET /bucket/?continuation-token=&list-type=2", ListObjectsV2(list2(100))),
        (
            "GET /bucket/?max-keys=1&list-type=2&continuation-token=YQ&start-after=%00&fetch-owner=true",
            ListObjectsV2(ListObjectsV2Query {
                start_after: vec![0],
                continuation: Some(("YQ".into(), b"a".to_vec())),
                fetch_owner: true,
                ..list2(1)
            }),
        ),
        ("POST /bucket/?delete", DeleteMultipleObjects { url_encoding: false }),
        ("POST /bucket/?encoding-type=url&delete=", DeleteMultipleObjects { url_encoding: true }),
        ("POST /bucket", PostObject),
        ("POST /bucket/?x-oss-traffic-limit=819200", PostObject),
        ("PUT /bucket/k", PutObject(key("k"))),
        ("PUT /bucket/a//b/../c/", PutObject(key("a//b/../c/"))),
        ("PUT /bucket/a+b%20c%2Fd", PutObject(key("a+b c/d"))),
        ("PUT /bucket%2Fk", PutObject(key("k"))),
        ("PUT /bucket/k?status=enabled&comp=stat", PutObject(key("k"))),
        ("POST /bucket/k?append&position=0", AppendObject { key: key("k"), position: 0 }),
        ("POST /bucket/k?position=18446744073709551615&append=", AppendObject { key: key("k"), position: u64::MAX }),
        ("GET /bucket/k", GetObject(key("k"))),
        ("GET /bucket/k?response-content-type=a&x-oss-traffic-limit=819200&v=1", GetObject(key("k"))),
        ("GET /bucket/k.m3u8?x-oss-process=hls/sign", GetObjectHlsSigned(key("k.m3u8"))),
        ("GET /bucket/k.m3u8?x-oss-process=hls%2Fsign", GetObjectHlsSigned(key("k.m3u8"))),
        ("GET /bucket/k?x-oss-process=", GetObject(key("k"))),
        ("HEAD /bucket/k", HeadObject(key("k"))),
        ("HEAD /bucket/k?objectMeta", GetObjectMeta(key("k"))),
        ("GET /bucket/k?objectMeta=", GetObjectMeta(key("k"))),
        ("DELETE /bucket/k", DeleteObject(key("k"))),
        ("GET /bucket/k?acl", GetObjectAcl(key("k"))),
        ("PUT /bucket/k?acl", PutObjectAcl(key("k"))),
        ("GET /bucket/k?tagging", GetObjectTagging(key("k"))),
        ("PUT /bucket/k?tagging=", PutObjectTagging(key("k"))),
        ("DELETE /bucket/k?tagging", DeleteObjectTagging(key("k"))),
        ("PUT /bucket/k?symlink", PutSymlink(key("k"))),
        ("GET /bucket/k?symlink=", GetSymlink(key("k"))),
        ("POST /bucket/k?restore", RestoreObject(key("k"))),
        ("POST /bucket/k?uploads", InitiateMultipartUpload { key: key("k"), url_encoding: false }),
        (
            "POST /bucket/k?sequential&uploads=&encoding-type=url",
            InitiateMultipartUpload { key: key("k"), url_encoding: true },
        ),
        (&format!("PUT /bucket/k?partNumber=1&uploadId={UPLOAD}"), UploadPart { upload: upload(), number: 1 }),
        (
            &format!("PUT /bucket/k?uploadId={}&partNumber=10000", UPLOAD.to_lowercase()),
            UploadPart { upload: upload(), number: 10_000 },
        ),
        (
            &format!("POST /bucket/k?uploadId={UPLOAD}"),
            CompleteMultipartUpload { upload: upload(), url_encoding: false },
        ),
        (
            &format!("POST /bucket/k?encoding-type=url&uploadId={UPLOAD}"),
            CompleteMultipartUpload { upload: upload(), url_encoding: true },
        ),
        (&format!("DELETE /bucket/k?uploadId={UPLOAD}"), AbortMultipartUpload(upload())),
        (&format!("GET /bucket/k?uploadId={UPLOAD}"), ListParts(parts(0, 1000))),
        (
            &format!("GET /bucket/k?uploadId={UPLOAD}&max-parts=2&part-number-marker=5&encoding-type=url"),
            ListParts(ListPartsQuery { url_encoding: true, ..parts(5, 2) }),
        ),
        (
            &format!("GET /bucket/k?uploadId={UPLOAD}&max-parts=&part-number-marker=99999999999"),
            ListParts(parts(u32::MAX, 1000)),
        ),
        ("GET /bucket/?uploads", ListMultipartUploads(uploads(1000))),
        ("GET /bucket?uploads=&upload-id-marker=ignored", ListMultipartUploads(uploads(1000))),
        (
            &format!(
                "GET /bucket/?uploads&prefix=a%2F&delimiter=%2F&key-marker=a%2Fb&upload-id-marker={UPLOAD}\
                 &max-uploads=7&encoding-type=url"
            ),
            ListMultipartUploads(ListUploadsQuery {
                prefix: b"a/".to_vec(),
                delimiter: b"/".to_vec(),
                key_marker: b"a/b".to_vec(),
                upload_id_marker: Some(upload().id),
                url_encoding: true,
                ..uploads(7)
            }),
        ),
        ("PUT /bucket/test-channel?live", PutLiveChannel(name("test-channel"))),
        ("PUT /bucket/live%20channel%202?live=", PutLiveChannel(name("live channel 2"))),
        ("PUT /bucket%2Ftest-channel?live", PutLiveChannel(name("test-channel"))),
        ("PUT /bucket/c?live&status=enabled", PutLiveChannelStatus(name("c"), ChannelStatus::Enabled)),
        ("PUT /bucket/c?status=disabled&live=", PutLiveChannelStatus(name("c"), ChannelStatus::Disabled)),
        ("GET /bucket/c?live", GetLiveChannelInfo(name("c"))),
        ("GET /bucket/c?live=&comp=", GetLiveChannelInfo(name("c"))),
        ("GET /bucket/c?live&comp=stat", GetLiveChannelStat(name("c"))),
        ("GET /bucket/c?comp=stat&live=", GetLiveChannelStat(name("c"))),
        ("GET /bucket/c?comp=history&live", GetLiveChannelHistory(name("c"))),
        ("GET /bucket/?live", ListLiveChannel(channels(100))),
        ("GET /bucket?live=", ListLiveChannel(channels(100))),
        ("GET /bucket/?marker&max-keys&prefix&live", ListLiveChannel(channels(100))),
        (
            "GET /bucket/?prefix=a&live=&marker=b&max-keys=1000",
            ListLiveChannel(ListLiveChannelQuery { prefix: "a".into(), marker: "b".into(), max_keys: 1000 }),
        ),
        ("DELETE /bucket/c?live", DeleteLiveChannel(name("c"))),
        (
            "POST /bucket/c/vod.m3u8?vod&startTime=100&endTime=200",
            PostVodPlaylist { channel: name("c"), playlist_name: "vod.m3u8".into(), range: RANGE },
        ),
        (
            "POST /bucket/ch%201%2Fa.m3u8?endTime=200&vod=&startTime=100",
            PostVodPlaylist { channel: name("ch 1"), playlist_name: "a.m3u8".into(), range: RANGE },
        ),
        (
            "POST /bucket/c/highlight-clip?vod&startTime=100&endTime=200",
            PostVodPlaylist { channel: name("c"), playlist_name: "highlight-clip.m3u8".into(), range: RANGE },
        ),
        ("GET /bucket/c?vod=&endTime=200&startTime=100", GetVodPlaylist(name("c"), RANGE)),
        ("GET /bucket/c?vod&startTime=0&endTime=86400", GetVodPlaylist(name("c"), VodRange { start: 0, end: 86_400 })),
    ];
    for (line, operation) in rows {
        assert_eq!(go(line), Ok(operation), "{line}");
    }
}

#[test]
fn copies_are_puts_with_a_source() {
    let copy = |source: &str| go_with("PUT /bucket/k", Some(source.as_bytes()));
    let expected = |source_key: &str| {
        Ok(OssOperation::CopyObject {
            key: key("k"),
            source_bucket: BucketName::new("source").expect("valid"),
            source_key: key(source_key),
            source_version: None,
        })
    };
    assert_eq!(copy("/source/a/b"), expected("a/b"));
    assert_eq!(copy("source/a+b"), expected("a+b"));
    assert_eq!(copy("%2Fsource%2Fa%2Fb%20c%3F"), expected("a/b c?"));
    for broken in ["", "/", "source", "/source/", "/So/k", "//k", "/source//k"] {
        assert_eq!(copy(broken).map_err(|e| e.code), Err("InvalidArgument"), "{broken}");
    }
    // The header means nothing elsewhere.
    assert_eq!(go_with("GET /bucket/k", Some(b"/source/a")), Ok(OssOperation::GetObject(key("k"))));
}

#[test]
fn parts_may_be_copies() {
    let copy =
        |source: &str| go_with(&format!("PUT /bucket/k?partNumber=7&uploadId={UPLOAD}"), Some(source.as_bytes()));
    let expected = OssOperation::UploadPartCopy {
        upload: upload(),
        number: 7,
        source_bucket: BucketName::new("source").expect("valid"),
        source_key: key("a/b"),
        source_version: None,
    };
    assert_eq!(copy("/source/a%2Fb"), Ok(expected));
    assert_eq!(copy("/source").map_err(|e| e.code), Err("InvalidArgument"));
}

#[test]
fn multipart_errors() {
    let id = |line: &str| line.replace("ID", UPLOAD);
    let argument = "InvalidArgument";
    for (line, status, code) in [
        ("PUT /bucket/k?partNumber=0&uploadId=ID", 400, argument),
        ("PUT /bucket/k?partNumber=10001&uploadId=ID", 400, argument),
        ("PUT /bucket/k?partNumber=-1&uploadId=ID", 400, argument),
        ("PUT /bucket/k?partNumber=x&uploadId=ID", 400, argument),
        ("PUT /bucket/k?partNumber=18446744073709551617&uploadId=ID", 400, argument),
        ("PUT /bucket/k?uploadId=ID", 400, "MissingArgument"),
        ("PUT /bucket/k?partNumber=&uploadId=ID", 400, "MissingArgument"),
        ("PUT /bucket/k?partNumber=1", 400, "MissingArgument"),
        ("PUT /bucket/k?partNumber=1&uploadId=", 400, "MissingArgument"),
        ("GET /bucket/k?partNumber=1", 501, "NotImplemented"),
        ("HEAD /bucket/k?partNumber=1", 501, "NotImplemented"),
        ("DELETE /bucket/k?partNumber=1", 501, "NotImplemented"),
        ("POST /bucket/k?partNumber=1&append&position=0", 501, "NotImplemented"),
        ("PUT /bucket/k?partNumber=1&uploadId=short", 404, "NoSuchUpload"),
        ("PUT /bucket/k?partNumber=1&uploadId=%2B004B9895DBBB6EC98E36A0000000001", 404, "NoSuchUpload"),
        ("POST /bucket/k?uploadId=ID0", 404, "NoSuchUpload"),
        ("DELETE /bucket/k?uploadId=%FF", 404, "NoSuchUpload"),
        ("HEAD /bucket/k?uploadId=ID", 405, "MethodNotAllowed"),
        ("PUT /bucket/k?uploads", 405, "MethodNotAllowed"),
        ("DELETE /bucket/?uploads", 405, "MethodNotAllowed"),
        ("GET /bucket/?uploadId=ID", 400, argument),
        ("GET /?uploads", 400, argument),
        ("POST /bucket/k?uploads&uploadId=ID", 400, argument),
        ("PUT /bucket/k?acl&uploadId=ID&partNumber=1", 400, argument),
        ("GET /bucket/k?uploadId=ID&max-parts=0", 400, argument),
        ("GET /bucket/k?uploadId=ID&max-parts=1001", 400, argument),
        ("GET /bucket/k?uploadId=ID&part-number-marker=-1", 400, argument),
        ("GET /bucket/k?uploadId=ID&encoding-type=base64", 400, argument),
        ("GET /bucket/?uploads&max-uploads=0", 400, argument),
        ("GET /bucket/?uploads&max-uploads=1001", 400, argument),
        ("GET /bucket/?uploads&key-marker=a&upload-id-marker=x", 400, argument),
        ("POST /bucket//k?uploads", 400, "InvalidObjectName"),
    ] {
        let line = id(line);
        let error = go(&line).expect_err(&line);
        assert_eq!((error.status.as_u16(), error.code), (status, code), "{line}");
    }
}

#[test]
fn known_sub_resources_that_are_not_built_never_fall_through() {
    for name in NOT_BUILT {
        for method in ["GET", "PUT", "POST", "DELETE", "HEAD"] {
            for path in ["/", "/bucket/", "/bucket/k"] {
                for form in [format!("?{name}"), format!("?{name}="), format!("?a=b&{name}=v&acl")] {
                    let line = format!("{method} {path}{form}");
                    assert_eq!(go(&line), Err(OssError::not_implemented(name)), "{line}");
                }
            }
        }
    }
}

/// The names that the specification lists, from its own text rather than from the tables above: each selects an operation
/// of its own, or is refused, with every method, on the bucket and on a key.
#[test]
fn every_sub_resource_that_there_is_stands_in_a_table() {
    const SELECTORS: [&str; 56] = [
        "accessMonitor",
        "accessPoint",
        "accessPointPolicy",
        "acl",
        "append",
        "asyncFetch",
        "bucketArchiveDirectRead",
        "bucketInfo",
        "cname",
        "cors",
        "delete",
        "encryption",
        "group",
        "httpsConfig",
        "inventory",
        "inventoryId",
        "lifecycle",
        "link",
        "live",
        "location",
        "logging",
        "metaQuery",
        "objectInfo",
        "objectMeta",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "qos",
        "qosInfo",
        "redundancyTransition",
        "referer",
        "regionList",
        "replication",
        "replicationLocation",
        "replicationProgress",
        "requestPayment",
        "resourceGroup",
        "restore",
        "stat",
        "style",
        "styleName",
        "symlink",
        "tagging",
        "transferAcceleration",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "vod",
        "website",
        "worm",
        "wormExtend",
        "wormId",
        "partNumber",
        "userDefinedLogFieldsConfig",
    ];
    for name in SELECTORS {
        for method in ["GET", "PUT", "POST", "DELETE", "HEAD"] {
            for path in ["/bucket/", "/bucket/k"] {
                let plain = go(&format!("{method} {path}"));
                for form in [name.to_owned(), format!("{name}="), format!("{name}=1")] {
                    let line = format!("{method} {path}?{form}");
                    let selected = go(&line);
                    assert!(selected.is_err() || selected != plain, "{line}");
                }
            }
        }
    }
}

#[test]
fn image_processing_is_not_built() {
    for line in [
        "GET /bucket/k?x-oss-process=image/resize,w_100",
        "GET /bucket/?x-oss-process=image/resize,w_100",
        "POST /bucket/k?x-oss-process=image/resize",
        "PUT /bucket/k?x-oss-process=hls/sign",
    ] {
        assert_eq!(go(line).map_err(|e| e.status.as_u16()), Err(501), "{line}");
    }
}

#[test]
fn built_sub_resources_never_become_the_plain_operation() {
    for (name, bucket_methods, key_methods) in BUILT {
        for (path, methods) in [("/bucket/", bucket_methods), ("/bucket/k", key_methods)] {
            for method in ["GET", "PUT", "POST", "DELETE", "HEAD"] {
                let line = format!("{method} {path}?{name}");
                match go(&line) {
                    Ok(operation) => {
                        assert!(methods.contains(method), "{line}");
                        let plain = go(&format!("{method} {path}"));
                        assert_ne!(plain.ok(), Some(operation), "{line}");
                    }
                    Err(error) if methods.is_empty() => assert_eq!(error.code, "InvalidArgument", "{line}"),
                    Err(error) if methods.split(", ").any(|m| m == method) => {
                        assert_eq!(error.status.as_u16(), 400, "{line}: arguments are missing");
                    }
                    Err(error) => {
                        assert_eq!(error, OssError::method_not_allowed(method, methods), "{line}");
                        assert_eq!(error.headers, [("allow", (*methods).to_owned())]);
                    }
                }
            }
        }
    }
}

#[test]
fn names_that_old_libraries_leave_unsigned_select_no_operation() {
    for name in crate::auth::oss_v1::unsigned_by_some() {
        assert!(!BUILT.iter().any(|(built, ..)| *built == name), "{name}");
        assert_eq!(go(&format!("GET /bucket/k?{name}")).map_err(|e| e.code), Err("NotImplemented"), "{name}");
    }
}

/// A line and the error's status, code and EC.
fn refused(rows: &[(&str, u16, &str, Option<&str>)]) {
    for (line, status, code, ec) in rows {
        let error = go(line).expect_err(line);
        assert_eq!((error.status.as_u16(), error.code, error.ec), (*status, *code, *ec), "{line}");
    }
}

#[test]
fn live_channel_errors() {
    let long = format!("PUT /bucket/{}?live", "c".repeat(64));
    let long_marker = format!("GET /bucket/?live&marker={}", "m".repeat(1025));
    let (channel, argument) = ("InvalidChannelName", "InvalidArgument");
    refused(&[
        ("PUT /bucket/?live", 400, channel, Some("0017-00000257")),
        ("PUT /bucket?live=&status=enabled", 400, channel, Some("0017-00000257")),
        ("DELETE /bucket/?live", 400, channel, Some("0017-00000257")),
        ("GET /bucket/?live&comp=stat", 400, channel, Some("0017-00000257")),
        (&long, 400, channel, Some("0017-00000258")),
        ("PUT /bucket/%FF?live", 400, channel, Some("0017-00000259")),
        ("GET /bucket/a/b?live", 400, channel, Some("0017-00000260")),
        ("GET /bucket//a?live", 400, channel, Some("0017-00000260")),
        ("GET /bucket/%5Ca?live", 400, channel, None),
        ("PUT /bucket/c?live&status=Enabled", 400, argument, Some("0017-00000255")),
        ("PUT /bucket/c?live&status", 400, argument, Some("0017-00000255")),
        ("GET /bucket/c?live&comp=other", 400, argument, None),
        ("GET /bucket/?live&max-keys=0", 400, argument, Some("0044-00000101")),
        ("GET /bucket/?live&max-keys=1001", 400, argument, Some("0044-00000101")),
        ("GET /bucket/?live&max-keys=-1", 400, argument, Some("0044-00000101")),
        ("GET /bucket/?live&max-keys=ten", 400, argument, Some("0044-00000101")),
        ("GET /bucket/?live&prefix=%FF", 400, argument, Some("0044-00000102")),
        (&long_marker, 400, argument, Some("0044-00000103")),
        ("POST /bucket/c?live", 405, "MethodNotAllowed", None),
        ("HEAD /bucket/c?live", 405, "MethodNotAllowed", None),
        ("POST /bucket/?live", 405, "MethodNotAllowed", None),
        ("PUT /bucket/c?vod", 405, "MethodNotAllowed", None),
        ("DELETE /bucket/c?vod", 405, "MethodNotAllowed", None),
        ("GET /bucket/c?live&vod", 400, argument, None),
        ("GET /bucket/c?live&acl", 400, argument, None),
        ("GET /?live", 400, argument, None),
    ]);
}

#[test]
fn vod_errors() {
    let argument = "InvalidArgument";
    refused(&[
        ("GET /bucket/?vod&startTime=1&endTime=2", 400, argument, Some("0044-00000302")),
        ("GET /bucket/a/b?vod&startTime=1&endTime=2", 400, argument, Some("0044-00000302")),
        ("POST /bucket/a/b/p.m3u8?vod&startTime=1&endTime=2", 400, argument, Some("0044-00000302")),
        ("POST /bucket//p.m3u8?vod&startTime=1&endTime=2", 400, argument, Some("0044-00000302")),
        ("GET /bucket/c?vod", 400, argument, Some("0044-00000304")),
        ("GET /bucket/c?vod&startTime=&endTime=2", 400, argument, Some("0044-00000304")),
        ("GET /bucket/c?vod&startTime=1.5&endTime=2", 400, argument, Some("0044-00000304")),
        ("GET /bucket/c?vod&startTime=-1&endTime=2", 400, argument, Some("0044-00000304")),
        ("GET /bucket/c?vod&startTime=9223372036854775807&endTime=2", 400, argument, Some("0044-00000304")),
        ("GET /bucket/c?vod&startTime=1", 400, argument, Some("0044-00000305")),
        ("GET /bucket/c?vod&startTime=1&endTime=x", 400, argument, Some("0044-00000305")),
        ("GET /bucket/c?vod&startTime=2&endTime=1", 400, argument, Some("0044-00000306")),
        ("GET /bucket/c?vod&startTime=2&endTime=2", 400, argument, Some("0044-00000306")),
        ("GET /bucket/c?vod&startTime=0&endTime=86401", 400, argument, Some("0044-00000307")),
        ("POST /bucket/c?vod&startTime=1&endTime=2", 400, argument, Some("0044-00000403")),
        ("POST /bucket/c/?vod&startTime=1&endTime=2", 400, argument, Some("0044-00000403")),
        ("POST /bucket/c/p.mp4?vod&startTime=1&endTime=2", 400, argument, Some("0044-00000403")),
        ("POST /bucket/c/%FF.m3u8?vod&startTime=1&endTime=2", 400, argument, Some("0044-00000403")),
    ]);
}

#[test]
fn bucket_and_object_errors() {
    let argument = "InvalidArgument";
    let longest = format!("PUT /bucket/{}", "k".repeat(1023));
    assert!(go(&longest).is_ok());
    let long = format!("PUT /bucket/{}", "k".repeat(1024));
    refused(&[
        ("GET /ab", 400, "InvalidBucketName", None),
        ("GET /Bucket/k", 400, "InvalidBucketName", None),
        ("GET /-bucket/k", 400, "InvalidBucketName", None),
        ("PUT /a.b.c", 400, "InvalidBucketName", None),
        (&long, 400, "InvalidObjectName", None),
        ("PUT /bucket//k", 400, "InvalidObjectName", None),
        ("GET /bucket/%5Ck", 400, "InvalidObjectName", None),
        ("GET /bucket/%FF", 400, "InvalidObjectName", None),
        ("POST /bucket/k?append", 400, "MissingArgument", Some("0016-00000501")),
        ("POST /bucket/k?append&position=", 400, "MissingArgument", Some("0016-00000501")),
        ("POST /bucket/k?append&position=-1", 400, argument, Some("0016-00000502")),
        ("POST /bucket/k?append&position=x", 400, argument, Some("0016-00000502")),
        ("GET /bucket/?max-keys=0", 400, argument, None),
        ("GET /bucket/?max-keys=1001", 400, argument, None),
        ("GET /?max-keys=x", 400, argument, None),
        ("GET /bucket/?encoding-type=base64", 400, argument, None),
        ("GET /bucket/?list-type=3", 400, argument, None),
        ("GET /bucket/?list-type=2&continuation-token=%21", 400, argument, None),
        ("GET /?acl", 400, argument, None),
        ("GET /?website", 400, argument, None),
        ("PUT /?publicAccessBlock", 501, "NotImplemented", None),
        ("GET /?publicAccessBlock", 501, "NotImplemented", None),
        ("GET /bucket/k?website", 400, argument, None),
        ("PUT /bucket/k?referer", 400, argument, None),
        ("DELETE /bucket/?referer", 405, "MethodNotAllowed", None),
        ("POST /bucket/?website", 405, "MethodNotAllowed", None),
        ("HEAD /bucket/?encryption", 405, "MethodNotAllowed", None),
        ("PUT /", 405, "MethodNotAllowed", None),
        ("POST /bucket/k", 405, "MethodNotAllowed", None),
        ("PATCH /bucket/k", 405, "MethodNotAllowed", None),
        ("POST /bucket/k?position=0", 405, "MethodNotAllowed", None),
    ]);
}

#[test]
fn first_of_a_repeated_name_counts() {
    let query = Query::parse("max-keys=1&max-keys=2&=x&&%6dax-keys=3");
    assert_eq!(query.get("max-keys"), Some(&b"1"[..]));
    assert_eq!(query.pairs().len(), 2);
}

#[test]
fn plus_is_a_space_except_in_base64() {
    let query = Query::parse("prefix=a+b%2Bc&+n+=1&Signature=La+6%2Bz%3D&security-token=t+%20/=");
    let expected: [(&[u8], &[u8]); 4] =
        [(b"prefix", b"a b+c"), (b" n ", b"1"), (b"Signature", b"La+6+z="), (b"security-token", b"t++/=")];
    assert_eq!(query.pairs(), expected.map(|(name, value)| (name.to_vec(), value.to_vec())));
}
