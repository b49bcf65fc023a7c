//! Golden documents of uploads and their parts, and lists of parts as clients send them.

use super::super::tests::{bucket, check, page};
use super::*;
use crate::clock::Wall;
use crate::http::oss::operation::UploadTarget;
use crate::store::{Acl, BucketId, ETag, UploadSummary};

const UPLOAD: UploadId = UploadId(0x0004_B989_5DBB_B6EC_98E3_6A00_0000_0001);
const UPLOAD_TEXT: &str = "0004B9895DBBB6EC98E36A0000000001";

fn key(bytes: &[u8]) -> ObjectKey {
    ObjectKey::new(bytes).expect("valid")
}

fn part(number: u32) -> PartSummary {
    let last_modified = Wall(1_700_000_000_123);
    PartSummary { number, size: 102_400, md5: [0xab; 16], crc64: u64::MAX, checksum: None, last_modified }
}

#[test]
fn initiated_and_completed_uploads() {
    check(
        initiate_multipart_upload_result("examplebucket", &key(b"a b"), UPLOAD, false),
        "<InitiateMultipartUploadResult>
           <Bucket>examplebucket</Bucket><Key>a b</Key><UploadId>0004B9895DBBB6EC98E36A0000000001</UploadId>
         </InitiateMultipartUploadResult>",
    );
    let done = CompletedUpload {
        bucket: BucketId(1),
        key: key(b"a+b"),
        size: 5,
        etag: ETag { digest: [0xab; 16], parts: Some(3) },
        crc64: 7,
        checksum: None,
        completed: Wall(0),
        version: None,
    };
    check(
        complete_multipart_upload_result("examplebucket", "http://b.example.com/a%2Bb", &done, true),
        "<CompleteMultipartUploadResult>
           <EncodingType>url</EncodingType><Location>http://b.example.com/a%2Bb</Location>
           <Bucket>examplebucket</Bucket><Key>a%2Bb</Key><ETag>\"ABABABABABABABABABABABABABABABAB-3\"</ETag>
         </CompleteMultipartUploadResult>",
    );
    check(
        copy_part_result(&part(1)),
        "<CopyPartResult>
           <LastModified>2023-11-14T22:13:20.000Z</LastModified><ETag>\"ABABABABABABABABABABABABABABABAB\"</ETag>
         </CopyPartResult>",
    );
}

#[test]
fn listings_of_parts() {
    let upload = UploadTarget { key: key(b"k"), id: UPLOAD };
    let query = ListPartsQuery { upload, marker: 4, max_parts: 1, url_encoding: true };
    let head = |next: u32, truncated: bool| {
        format!(
            "<EncodingType>url</EncodingType><Bucket>b</Bucket><Key>k</Key><UploadId>{UPLOAD_TEXT}</UploadId>
             <StorageClass>ColdArchive</StorageClass><PartNumberMarker>4</PartNumberMarker>
             <NextPartNumberMarker>{next}</NextPartNumberMarker><MaxParts>1</MaxParts>
             <IsTruncated>{truncated}</IsTruncated>"
        )
    };
    let entry = "<Part>
           <PartNumber>5</PartNumber><LastModified>2023-11-14T22:13:20.000Z</LastModified>
           <ETag>\"ABABABABABABABABABABABABABABABAB\"</ETag>
           <HashCrc64ecma>18446744073709551615</HashCrc64ecma><Size>102400</Size>
         </Part>";
    let golden = format!("<ListPartsResult>{}{entry}</ListPartsResult>", head(5, true));
    check(list_parts("b", &query, StorageClass::ColdArchive, &page(vec![part(5)], true)), &golden);
    let golden = format!("<ListPartsResult>{}</ListPartsResult>", head(4, false));
    check(list_parts("b", &query, StorageClass::ColdArchive, &page(vec![], false)), &golden);
}

#[test]
fn listings_of_uploads() {
    let (initiated, storage_class) = (Wall(1_700_000_000_123), StorageClass::InfrequentAccess);
    let upload = UploadSummary { key: key(b"a+"), id: UPLOAD, initiated, checksum: None, storage_class };
    let query = ListUploadsQuery {
        prefix: b"a".to_vec(),
        delimiter: b"/".to_vec(),
        key_marker: b"a".to_vec(),
        upload_id_marker: Some(UploadId(1)),
        max_uploads: 2,
        url_encoding: true,
    };
    let entries = vec![UploadEntry::Prefix(b"a /".to_vec()), UploadEntry::Upload(upload)];
    let golden = |next: &str, truncated: bool| {
        format!(
            "<ListMultipartUploadsResult>
               <EncodingType>url</EncodingType><Bucket>examplebucket</Bucket><KeyMarker>a</KeyMarker>
               <UploadIdMarker>00000000000000000000000000000001</UploadIdMarker>{next}
               <Delimiter>/</Delimiter><Prefix>a</Prefix><MaxUploads>2</MaxUploads><IsTruncated>{truncated}</IsTruncated>
               <Upload>
                 <Key>a%2B</Key><UploadId>{UPLOAD_TEXT}</UploadId><StorageClass>IA</StorageClass>
                 <Initiated>2023-11-14T22:13:20.000Z</Initiated>
               </Upload>
               <CommonPrefixes><Prefix>a%20/</Prefix></CommonPrefixes>
             </ListMultipartUploadsResult>"
        )
    };
    let none = "<NextKeyMarker></NextKeyMarker><NextUploadIdMarker></NextUploadIdMarker>";
    let bucket = bucket(Acl::Private);
    check(list_multipart_uploads(&bucket, &query, &page(entries.clone(), false)), &golden(none, false));
    let next = format!("<NextKeyMarker>a%2B</NextKeyMarker><NextUploadIdMarker>{UPLOAD_TEXT}</NextUploadIdMarker>");
    check(list_multipart_uploads(&bucket, &query, &page(entries, true)), &golden(&next, true));
}

#[test]
fn completions() {
    let read = |body: &str| read_complete_multipart_upload(body.as_bytes());
    let digest = "ab".repeat(16);
    let md5 = Some([0xab; 16]);
    for etag in [&digest, &digest.to_uppercase(), &format!("\"{digest}\""), &format!("&quot;{digest}&#34;")] {
        let body = format!(
            "<?xml version=\"1.0\"?><CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">
               <Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>
               <Part><ETag> {etag} </ETag><ChecksumCRC32>x</ChecksumCRC32><PartNumber> 20 </PartNumber></Part>
             </CompleteMultipartUpload>"
        );
        assert_eq!(
            read(&body),
            Ok(vec![ListedPart { number: 1, md5, checksum: None }, ListedPart { number: 20, md5, checksum: None }]),
            "{etag}"
        );
    }
    let of = |part: &str| format!("<CompleteMultipartUpload>{part}</CompleteMultipartUpload>");
    let one = |number: &str, etag: &str| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    for etag in ["nonsense", &digest[1..], &format!("{digest}-2"), "\"\""] {
        assert_eq!(read(&of(&one("1", etag))), Ok(vec![ListedPart { number: 1, md5: None, checksum: None }]), "{etag}");
    }
    for broken in [
        String::new(),
        one("", &digest),
        one("x", &digest),
        one("-1", &digest),
        one("4294967296", &digest),
        one("1", ""),
        "<Part><PartNumber>1</PartNumber></Part>".into(),
        format!("<Part><ETag>{digest}</ETag></Part>"),
    ] {
        assert_eq!(read(&of(&broken)), Err(OssError::malformed_xml()), "{broken}");
    }
    let many = |n: usize| of(&one("1", &digest).repeat(n));
    assert_eq!(read(&many(10_000)).map(|parts| parts.len()), Ok(10_000));
    assert_eq!(read(&many(10_001)), Err(OssError::malformed_xml()));
    let padded = format!("<Part><PartNumber>1</PartNumber><ETag>{digest}</ETag><a/></Part>");
    assert_eq!(read(&of(&padded.repeat(10_000))).map(|parts| parts.len()), Ok(10_000));
    let fat = format!("<Part><PartNumber>1</PartNumber><ETag>{digest}</ETag><a/><b/></Part>");
    assert_eq!(read(&of(&fat.repeat(10_000))), Err(OssError::malformed_xml()), "elements are bounded");
    assert_eq!(read(&of(&" ".repeat(OSS_COMPLETE_XML_BYTES_MAX))), Err(OssError::malformed_xml()));
}
