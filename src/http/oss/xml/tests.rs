//! Golden documents, rendered and (where a client sends the same) read.

use super::*;
use crate::store::{
    BucketId, BucketName, BucketSettings, ClassUsage, CorsConfig, StorageClass, Tag, VersionId, Versioning,
};

/// The document without its declaration, which every one has, and without the blanks of the literal's layout.
pub(super) fn check(document: Bytes, golden: &str) {
    let text = std::str::from_utf8(&document).expect("documents are UTF-8");
    let text = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").expect("the declaration");
    assert_eq!(text, flatten(golden));
}

fn flatten(golden: &str) -> String {
    golden.lines().map(str::trim).collect()
}

pub(super) fn bucket(acl: Acl) -> BucketRecord {
    BucketRecord {
        id: BucketId(1),
        name: BucketName::new("examplebucket").expect("valid"),
        owner: AccountId(42),
        owner_name: "alice".into(),
        acl,
        created: Wall(1_700_000_000_999),
        cors: CorsConfig::default(),
        tags: Vec::new(),
        versioning: Versioning::default(),
        settings: BucketSettings::default(),
    }
}

const PLACE: Place<'static> =
    Place { region: "cn-hangzhou", extranet_endpoint: "oss.example.com:9000", intranet_endpoint: "oss.example.com" };

fn object(key: &[u8], kind: ObjectKind, parts: Option<u32>) -> ListEntry {
    ListEntry::Object(ObjectSummary {
        key: ObjectKey::new(key).expect("valid"),
        kind,
        size: 7,
        etag: ETag { digest: [0xab; 16], parts },
        storage_class: StorageClass::Standard,
        checksum: None,
        restored_until: None,
        last_modified: Wall(1_700_000_000_123),
    })
}

pub(super) fn page<T>(entries: Vec<T>, truncated: bool) -> Page<T> {
    Page { entries, truncated }
}

// ---- rendering -----------------------------------------------------------------------------------------------

#[test]
fn times_have_three_zeros() {
    assert_eq!(time_text(Wall(1_700_000_000_999)), "2023-11-14T22:13:20.000Z");
    assert_eq!(time_text(Wall(-1)), "1969-12-31T23:59:59.000Z");
    assert_eq!(time_text(Wall(i64::MAX)), "1970-01-01T00:00:00.000Z");
}

#[test]
fn error_with_detail_code() {
    check(
        error_document(&OssError::no_such_live_channel("ch"), "57BD8419B92475920B0002F1", "b.oss.example.com"),
        "<Error>
           <Code>NoSuchLiveChannel</Code>
           <Message>The specified live channel does not exist.</Message>
           <RequestId>57BD8419B92475920B0002F1</RequestId>
           <HostId>b.oss.example.com</HostId>
           <LiveChannelName>ch</LiveChannelName>
           <EC>0026-00000021</EC>
           <RecommendDoc>https://api.aliyun.com/troubleshoot?q=0026-00000021</RecommendDoc>
         </Error>",
    );
}

#[test]
fn error_without_detail_code() {
    check(
        error_document(&OssError::malformed_xml(), "R", "h"),
        "<Error>
           <Code>MalformedXML</Code>
           <Message>The XML you provided was not well-formed or did not validate against our published schema.</Message>
           <RequestId>R</RequestId>
           <HostId>h</HostId>
         </Error>",
    );
}

#[test]
fn tags_both_ways() {
    let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
    let golden = "<Tagging>
           <TagSet>
             <Tag><Key>a b</Key><Value>1+2=3</Value></Tag>
             <Tag><Key>\u{e9}</Key><Value></Value></Tag>
           </TagSet>
         </Tagging>";
    let tags = [tag("a b", "1+2=3"), tag("\u{e9}", "")];
    check(tagging(&tags), golden);
    assert_eq!(read_tagging(golden.as_bytes()).as_deref(), Ok(&tags[..]));
    check(tagging(&[]), "<Tagging><TagSet></TagSet></Tagging>");
    assert_eq!(read_tagging(b"<Tagging><TagSet/></Tagging>"), Ok(vec![]));
    for wrong in ["<Tagging/>", "<Tagging><TagSet><Tag><Value>v</Value></Tag></TagSet></Tagging>", "<TagSet/>", ""] {
        assert_eq!(read_tagging(wrong.as_bytes()).map_err(|error| error.code), Err("MalformedXML"), "{wrong}");
    }
}

#[test]
fn bucket_statistics() {
    let class = |objects, bytes| ClassUsage { objects, bytes };
    let usage = BucketUsage {
        objects: 6,
        bytes: 5_000_000_000,
        markers: 4,
        uploads: 2,
        parts: 7,
        channels: 1,
        part_bytes: 9,
        classes: [class(3, 4_000_000_000), class(2, 1_000_000_000), class(1, 0), class(0, 0), class(0, 0)],
    };
    let golden = |quota: &str| {
        format!(
            "<BucketStat>
           <Storage>5000000000</Storage>
           <ObjectCount>6</ObjectCount>
           <MultipartUploadCount>2</MultipartUploadCount>
           <LiveChannelCount>1</LiveChannelCount>
           <LastModifiedTime>1700000000</LastModifiedTime>
           <MultipartPartCount>7</MultipartPartCount>
           <DeleteMarkerCount>4</DeleteMarkerCount>
           <StandardStorage>4000000000</StandardStorage>
           <StandardObjectCount>3</StandardObjectCount>
           <InfrequentAccessStorage>1000000000</InfrequentAccessStorage><InfrequentAccessRealStorage>1000000000</InfrequentAccessRealStorage><InfrequentAccessObjectCount>2</InfrequentAccessObjectCount>
           <ArchiveStorage>0</ArchiveStorage><ArchiveRealStorage>0</ArchiveRealStorage><ArchiveObjectCount>1</ArchiveObjectCount>
           <ColdArchiveStorage>0</ColdArchiveStorage><ColdArchiveRealStorage>0</ColdArchiveRealStorage><ColdArchiveObjectCount>0</ColdArchiveObjectCount>
           <DeepColdArchiveStorage>0</DeepColdArchiveStorage><DeepColdArchiveRealStorage>0</DeepColdArchiveRealStorage><DeepColdArchiveObjectCount>0</DeepColdArchiveObjectCount>
           {quota}
         </BucketStat>"
        )
    };
    let now = Wall(1_700_000_000_999);
    check(bucket_stat(&usage, BucketQuota::default(), now), &golden(""));
    let quota = BucketQuota { bytes: Some(1 << 40), objects: Some(7) };
    let elements = "<StorageQuota>1099511627776</StorageQuota><ObjectCountQuota>7</ObjectCountQuota>";
    check(bucket_stat(&usage, quota, now), &golden(elements));
}

#[test]
fn region_list() {
    check(
        region_info_list(&PLACE),
        "<RegionInfoList>
           <RegionInfo>
             <Region>oss-cn-hangzhou</Region>
             <InternetEndpoint>oss.example.com:9000</InternetEndpoint>
             <InternalEndpoint>oss.example.com</InternalEndpoint>
             <AccelerateEndpoint>oss.example.com:9000</AccelerateEndpoint>
           </RegionInfo>
         </RegionInfoList>",
    );
}

#[test]
fn bucket_listing_with_and_without_paging() {
    let entry = "<Bucket>
           <CreationDate>2023-11-14T22:13:20.000Z</CreationDate>
           <ExtranetEndpoint>oss.example.com:9000</ExtranetEndpoint>
           <IntranetEndpoint>oss.example.com</IntranetEndpoint>
           <Location>oss-cn-hangzhou</Location>
           <Name>examplebucket</Name>
           <Region>cn-hangzhou</Region>
           <StorageClass>Standard</StorageClass>
         </Bucket>";
    let owner = "<Owner><ID>42</ID><DisplayName>alice</DisplayName></Owner>";
    let buckets = page(vec![bucket(Acl::Private)], false);
    check(
        list_buckets(AccountId(42), "alice", &ListBucketsQuery::default(), &buckets, &PLACE),
        &format!("<ListAllMyBucketsResult>{owner}<Buckets>{entry}</Buckets></ListAllMyBucketsResult>"),
    );
    let query = ListBucketsQuery { prefix: "ex".into(), marker: String::new(), max_keys: Some(1), paged: true };
    check(
        list_buckets(AccountId(42), "alice", &query, &page(buckets.entries, true), &PLACE),
        &format!(
            "<ListAllMyBucketsResult>
               <Prefix>ex</Prefix><Marker></Marker><MaxKeys>1</MaxKeys><IsTruncated>true</IsTruncated>
               <NextMarker>examplebucket</NextMarker>{owner}<Buckets>{entry}</Buckets>
             </ListAllMyBucketsResult>"
        ),
    );
}

#[test]
fn bucket_info_document() {
    check(
        bucket_info(&bucket(Acl::PublicRead), &PLACE),
        "<BucketInfo><Bucket>
           <CreationDate>2023-11-14T22:13:20.000Z</CreationDate>
           <ExtranetEndpoint>oss.example.com:9000</ExtranetEndpoint>
           <IntranetEndpoint>oss.example.com</IntranetEndpoint>
           <Location>oss-cn-hangzhou</Location>
           <Name>examplebucket</Name>
           <Region>cn-hangzhou</Region>
           <StorageClass>Standard</StorageClass>
           <DataRedundancyType>LRS</DataRedundancyType>
           <Comment></Comment>
           <ResourceGroupId></ResourceGroupId>
           <AccessMonitor>Disabled</AccessMonitor>
           <TransferAcceleration>Disabled</TransferAcceleration>
           <CrossRegionReplication>Disabled</CrossRegionReplication>
           <BlockPublicAccess>false</BlockPublicAccess>
           <Owner><ID>42</ID><DisplayName>alice</DisplayName></Owner>
           <AccessControlList><Grant>public-read</Grant></AccessControlList>
           <ServerSideEncryptionRule><SSEAlgorithm>None</SSEAlgorithm></ServerSideEncryptionRule>
           <BucketPolicy><LogBucket></LogBucket><LogPrefix></LogPrefix></BucketPolicy>
         </Bucket></BucketInfo>",
    );
}

#[test]
fn location_and_acl_documents() {
    check(location_constraint(&PLACE), "<LocationConstraint>oss-cn-hangzhou</LocationConstraint>");
    for (acl, grant) in [
        (Some(Acl::Private), "private"),
        (Some(Acl::PublicRead), "public-read"),
        (Some(Acl::PublicReadWrite), "public-read-write"),
        (None, "default"),
    ] {
        check(
            access_control_policy(AccountId(42), "alice", acl),
            &format!(
                "<AccessControlPolicy><Owner><ID>42</ID><DisplayName>alice</DisplayName></Owner>\
                 <AccessControlList><Grant>{grant}</Grant></AccessControlList></AccessControlPolicy>"
            ),
        );
        assert_eq!(acl_from_text(grant), acl);
    }
}

#[test]
fn object_listing_version_1() {
    let query = ListObjectsQuery {
        prefix: b"a".to_vec(),
        delimiter: b"/".to_vec(),
        marker: vec![],
        max_keys: 2,
        url_encoding: false,
    };
    let entries = vec![ListEntry::Prefix(b"a/".to_vec()), object(b"a&b", ObjectKind::Normal, None)];
    check(
        list_objects(&bucket(Acl::Private), &query, &page(entries, true)),
        "<ListBucketResult>
           <Name>examplebucket</Name>
           <Prefix>a</Prefix><Marker></Marker><MaxKeys>2</MaxKeys><Delimiter>/</Delimiter>
           <IsTruncated>true</IsTruncated><NextMarker>a&amp;b</NextMarker>
           <Contents>
             <Key>a&amp;b</Key>
             <LastModified>2023-11-14T22:13:20.000Z</LastModified>
             <ETag>\"ABABABABABABABABABABABABABABABAB\"</ETag>
             <Type>Normal</Type><Size>7</Size><StorageClass>Standard</StorageClass>
             <Owner><ID>42</ID><DisplayName>alice</DisplayName></Owner>
           </Contents>
           <CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>
         </ListBucketResult>",
    );
}

#[test]
fn object_listing_version_1_url_encoded() {
    let query = ListObjectsQuery {
        prefix: b"\x01 +".to_vec(),
        marker: "ä".as_bytes().to_vec(),
        max_keys: 100,
        url_encoding: true,
        ..ListObjectsQuery::default()
    };
    let entries = vec![object(b"\x01 +/\xff~", ObjectKind::Appendable, None)];
    check(
        list_objects(&bucket(Acl::Private), &query, &page(entries, false)),
        "<ListBucketResult>
           <Name>examplebucket</Name>
           <Prefix>%01%20%2B</Prefix><Marker>%C3%A4</Marker><MaxKeys>100</MaxKeys><Delimiter></Delimiter>
           <EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>
           <Contents>
             <Key>%01%20%2B/%FF~</Key>
             <LastModified>2023-11-14T22:13:20.000Z</LastModified>
             <ETag>\"ABABABABABABABABABABABABABABABAB\"</ETag>
             <Type>Appendable</Type><Size>7</Size><StorageClass>Standard</StorageClass>
             <Owner><ID>42</ID><DisplayName>alice</DisplayName></Owner>
           </Contents>
         </ListBucketResult>",
    );
}

#[test]
fn archived_objects_and_symlinks_are_listed_with_what_they_are() {
    let mut archived = object(b"a", ObjectKind::Normal, None);
    if let ListEntry::Object(object) = &mut archived {
        object.storage_class = StorageClass::DeepColdArchive;
        object.restored_until = Some(Wall(1_700_000_000_000));
    }
    let entries = page(vec![archived, object(b"b", ObjectKind::Symlink, None)], false);
    let listing = list_objects_v2(&bucket(Acl::Private), &ListObjectsV2Query::default(), &entries);
    let text = String::from_utf8(listing.to_vec()).expect("text");
    for part in [
        "<StorageClass>DeepColdArchive</StorageClass><RestoreInfo>ongoing-request=\"false\", \
         expiry-date=\"Tue, 14 Nov 2023 22:13:20 GMT\"</RestoreInfo></Contents>",
        "<Type>Symlink</Type><Size>7</Size><StorageClass>Standard</StorageClass></Contents>",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn object_listing_version_2() {
    let token = continuation_token(b"a");
    let query = ListObjectsV2Query {
        start_after: b"0".to_vec(),
        continuation: Some((token.clone(), b"a".to_vec())),
        max_keys: 1,
        ..ListObjectsV2Query::default()
    };
    let next = continuation_token(b"b\x02");
    assert_eq!(super::super::operation::read_continuation_token(next.as_bytes()), Some(b"b\x02".to_vec()));
    let golden = |owner: &str| {
        format!(
            "<ListBucketResult>
               <Name>examplebucket</Name>
               <Prefix></Prefix><StartAfter>0</StartAfter><MaxKeys>1</MaxKeys><Delimiter></Delimiter>
               <IsTruncated>true</IsTruncated><KeyCount>1</KeyCount>
               <ContinuationToken>{token}</ContinuationToken>
               <NextContinuationToken>{next}</NextContinuationToken>
               <Contents>
                 <Key>b\u{fffd}</Key>
                 <LastModified>2023-11-14T22:13:20.000Z</LastModified>
                 <ETag>\"ABABABABABABABABABABABABABABABAB-1\"</ETag>
                 <Type>Multipart</Type><Size>7</Size><StorageClass>Standard</StorageClass>{owner}
               </Contents>
             </ListBucketResult>"
        )
    };
    let entries = page(vec![object(b"b\x02", ObjectKind::Multipart, Some(1))], true);
    check(list_objects_v2(&bucket(Acl::Private), &query, &entries), &golden(""));
    let with_owner = ListObjectsV2Query { fetch_owner: true, ..query };
    check(
        list_objects_v2(&bucket(Acl::Private), &with_owner, &entries),
        &golden("<Owner><ID>42</ID><DisplayName>alice</DisplayName></Owner>"),
    );
}

/// In a bucket that keeps no versions.
fn deleted(key: &[u8]) -> Deleted {
    let key = ObjectKey::new(key).expect("valid");
    Deleted { key, version: None, outcome: crate::store::DeleteOutcome::Deleted }
}

#[test]
fn delete_and_copy_results() {
    let keys = [deleted(b"a+b"), deleted(b"<c>")];
    check(
        delete_result(&keys, false),
        "<DeleteResult><Deleted><Key>a+b</Key></Deleted><Deleted><Key>&lt;c&gt;</Key></Deleted></DeleteResult>",
    );
    check(
        delete_result(&keys[..1], true),
        "<DeleteResult><EncodingType>url</EncodingType><Deleted><Key>a%2Bb</Key></Deleted></DeleteResult>",
    );
    check(
        copy_object_result(ETag { digest: [1; 16], parts: None }, Wall(0)),
        "<CopyObjectResult><LastModified>1970-01-01T00:00:00.000Z</LastModified>\
         <ETag>\"01010101010101010101010101010101\"</ETag></CopyObjectResult>",
    );
}

#[test]
fn text_that_xml_cannot_hold_stays_well_formed() {
    let keys = [deleted(b"\x00\x1b\t\r\xff]]>")];
    check(
        delete_result(&keys, false),
        "<DeleteResult><Deleted><Key>\u{fffd}\u{fffd}\t&#13;\u{fffd}]]&gt;</Key></Deleted></DeleteResult>",
    );
}

// ---- reading -------------------------------------------------------------------------------------------------

#[test]
fn what_is_no_document_is_malformed() {
    let deep = |n: usize| {
        format!("<LiveChannelConfiguration>{}{}</LiveChannelConfiguration>", "<a>".repeat(n), "</a>".repeat(n))
    };
    let wide = |n: usize| format!("<LiveChannelConfiguration>{}</LiveChannelConfiguration>", "<a/>".repeat(n));
    let long = format!("<LiveChannelConfiguration>{}</LiveChannelConfiguration>", " ".repeat(OSS_XML_BYTES_MAX));
    let mut bodies: Vec<Vec<u8>> = [
        "",
        "not xml",
        "<LiveChannelConfiguration>",
        "<LiveChannelConfiguration><a></LiveChannelConfiguration>",
        "<LiveChannelConfiguration><Description>a & b</Description></LiveChannelConfiguration>",
        "<LiveChannelConfiguration><Description>&nbsp;</Description></LiveChannelConfiguration>",
        "<LiveChannelConfiguration>&#0;</LiveChannelConfiguration>",
        "<Other/>",
        "<LiveChannelConfiguration/><LiveChannelConfiguration/>",
        "<LiveChannelConfiguration/>text",
        "<!DOCTYPE LiveChannelConfiguration [<!ENTITY a \"b\">]><LiveChannelConfiguration/>",
        "<LiveChannelConfiguration><Target/><Target/></LiveChannelConfiguration>",
    ]
    .map(|body| body.as_bytes().to_vec())
    .into();
    bodies.push(b"<LiveChannelConfiguration>\xff</LiveChannelConfiguration>".to_vec());
    bodies.push(deep(crate::limits::OSS_XML_DEPTH_MAX).into_bytes());
    bodies.push(wide(crate::limits::OSS_XML_ELEMENTS_MAX).into_bytes());
    bodies.push(long.into_bytes());
    for body in bodies {
        let read = read_live_channel_configuration(&body);
        assert_eq!(read, Err(OssError::malformed_xml()), "{}", String::from_utf8_lossy(&body[..body.len().min(120)]));
    }
    assert!(read_live_channel_configuration(deep(crate::limits::OSS_XML_DEPTH_MAX - 1).as_bytes()).is_ok());
    assert!(read_live_channel_configuration(wide(crate::limits::OSS_XML_ELEMENTS_MAX - 1).as_bytes()).is_ok());
}

#[test]
fn delete_requests() {
    let read = |body: &str| read_delete(body.as_bytes());
    let keys = |request: DeleteRequest| request.targets.iter().map(|(k, _)| k.as_bytes().to_vec()).collect::<Vec<_>>();
    let body = "<?xml version=\"1.0\"?><Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>\
                <Object><Key>a b&#x1;</Key></Object><Object><Key> c </Key><VersionId></VersionId></Object></Delete>";
    let request = read(body).expect("valid");
    assert!(request.quiet);
    assert_eq!(keys(request), [b"a b\x01".to_vec(), b" c ".to_vec()]);
    assert!(!read("<Delete><Object><Key>a</Key></Object></Delete>").expect("valid").quiet);

    let many = |n: usize| format!("<Delete>{}</Delete>", "<Object><Key>k</Key></Object>".repeat(n));
    assert_eq!(read(&many(1000)).map(|r| r.targets.len()), Ok(1000));
    for body in [
        &many(1001),
        "<Delete></Delete>",
        "<Delete><Quiet>true</Quiet></Delete>",
        "<Delete><Object></Object></Delete>",
        "<Delete><Object><Key></Key></Object></Delete>",
        "<Delete><Quiet>perhaps</Quiet><Object><Key>k</Key></Object></Delete>",
    ] {
        assert_eq!(read(body), Err(OssError::malformed_xml()), "{body}");
    }
    let versioned = |id: &str| {
        let body = format!("<Delete><Object><Key>k</Key><VersionId>{id}</VersionId></Object></Delete>");
        read(&body).map(|request| request.targets[0].1).map_err(|e| e.code)
    };
    assert_eq!(versioned("null"), Ok(Some(VersionName::Null)));
    assert_eq!(versioned("000000000000000000000000000000ab"), Ok(Some(VersionName::Id(VersionId(0xab)))));
    assert_eq!(versioned("v"), Err("InvalidArgument"));
    let long = format!("<Delete><Object><Key>{}</Key></Object></Delete>", "k".repeat(1024));
    assert_eq!(read(&long).map_err(|e| e.code), Err("InvalidObjectName"));
}

#[test]
fn bucket_creation_bodies() {
    let read = |body: &str| read_create_bucket_configuration(body.as_bytes());
    assert_eq!(read(" \n"), Ok(CreateBucketConfiguration::default()));
    assert_eq!(read("<CreateBucketConfiguration/>"), Ok(CreateBucketConfiguration::default()));
    assert_eq!(
        read(
            "<CreateBucketConfiguration><StorageClass>IA</StorageClass><DataRedundancyType>ZRS</DataRedundancyType>\
              <LocationConstraint> oss-x </LocationConstraint></CreateBucketConfiguration>"
        ),
        Ok(CreateBucketConfiguration {
            storage_class: Some("IA".into()),
            data_redundancy_type: Some("ZRS".into()),
            location_constraint: Some("oss-x".into()),
        })
    );
    assert_eq!(read("<Wrong/>"), Err(OssError::malformed_xml()));
}

proptest::proptest! {
    #[test]
    fn no_body_makes_a_reader_panic(body in "(<|>|/|&|;|#|x|[0-9]|a|\"|!|\\[|CDATA|Delete|Object|Key|\\PC){0,60}") {
        for wrapped in [body.clone(), format!("<Delete><Object><Key>{body}</Key></Object></Delete>")] {
            let _ = read_delete(wrapped.as_bytes());
            let _ = read_live_channel_configuration(wrapped.as_bytes());
        }
    }

    #[test]
    fn any_key_that_xml_can_hold_reads_back(key in "[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\u{fffe}\\u{ffff}]{1,40}") {
        let document = Writer::document("Delete", |w| w.element("Object", |w| w.text("Key", &key)));
        let read = read_delete(&document).expect("well-formed");
        proptest::prop_assert_eq!(read.targets[0].0.as_bytes(), key.as_bytes());
    }
}
