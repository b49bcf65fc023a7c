//! Golden documents, rendered and (where a client sends the same) read.

use super::*;
use crate::http::oss::operation::{ListPartsQuery, ListUploadsQuery, UploadTarget};
use crate::limits::OSS_COMPLETE_XML_BYTES_MAX;
use crate::live::channel::ChannelRuleError;
use crate::live::stat::{AudioStat, VideoStat};
use crate::store::{
    BucketId, BucketName, BucketSettings, ChannelName, ClassUsage, CompletedUpload, ConnectionId, ListedPart,
    PartSummary, SnapshotConfig, StorageClass, Tag, UploadEntry, UploadId, UploadSummary, VersionId, Versioning,
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

fn page<T>(entries: Vec<T>, truncated: bool) -> Page<T> {
    Page { entries, truncated }
}

fn channel(name: &str, status: ChannelStatus) -> ChannelRecord {
    ChannelRecord {
        bucket: BucketId(1),
        name: ChannelName::new(name).expect("valid"),
        config: config(status),
        created: Wall(0),
        last_modified: Wall(1_469_843_661_500),
    }
}

fn config(status: ChannelStatus) -> ChannelConfig {
    ChannelConfig {
        description: "a<b>&{}=?//c".into(),
        display_name: Some("not in any document".into()),
        status,
        frag_duration: 5,
        frag_count: 3,
        playlist_name: "playlist.m3u8".into(),
        snapshot: Some(SnapshotConfig {
            role_name: "r".into(),
            dest_bucket: "d".into(),
            notify_topic: "t".into(),
            interval: 1,
        }),
    }
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
fn channel_creation_result() {
    check(
        create_live_channel_result("rtmp://b.h/live/c", "http://b.h/c/playlist.m3u8"),
        "<CreateLiveChannelResult>
           <PublishUrls><Url>rtmp://b.h/live/c</Url></PublishUrls>
           <PlayUrls><Url>http://b.h/c/playlist.m3u8</Url></PlayUrls>
         </CreateLiveChannelResult>",
    );
}

#[test]
fn channel_states() {
    check(live_channel_stat(ChannelState::Idle), "<LiveChannelStat><Status>Idle</Status></LiveChannelStat>");
    check(live_channel_stat(ChannelState::Disabled), "<LiveChannelStat><Status>Disabled</Status></LiveChannelStat>");
    let mut stat = LiveStat {
        connection: ConnectionId(1),
        connected: Wall(1_472_106_315_700),
        remote_addr: "10.1.2.3:47745".into(),
        video: None,
        audio: None,
    };
    let live = |inside: &str| {
        format!(
            "<LiveChannelStat><Status>Live</Status><ConnectedTime>2016-08-25T06:25:15.000Z</ConnectedTime>\
             <RemoteAddr>10.1.2.3:47745</RemoteAddr>{inside}</LiveChannelStat>"
        )
    };
    check(live_channel_stat(ChannelState::Live(&stat)), &live(""));
    stat.video = Some(VideoStat { width: 1280, height: 536, frame_rate: 24, bandwidth: 0 });
    stat.audio = Some(AudioStat { sample_rate: 44_100, bandwidth: 9 });
    check(
        live_channel_stat(ChannelState::Live(&stat)),
        &live(
            "<Video><Width>1280</Width><Height>536</Height><FrameRate>24</FrameRate><Bandwidth>0</Bandwidth>\
             <Codec>H264</Codec></Video>\
             <Audio><Bandwidth>9</Bandwidth><SampleRate>44100</SampleRate><Codec>AAC</Codec></Audio>",
        ),
    );
    assert!(matches!(ChannelState::of(ChannelStatus::Disabled, Some(&stat)), ChannelState::Live(_)));
    assert!(matches!(ChannelState::of(ChannelStatus::Disabled, None), ChannelState::Disabled));
    assert!(matches!(ChannelState::of(ChannelStatus::Enabled, None), ChannelState::Idle));
}

#[test]
fn history_holds_finished_connections() {
    check(live_channel_history(&[]), "<LiveChannelHistory></LiveChannelHistory>");
    let finished = ConnectionRecord {
        id: ConnectionId(1),
        started: Wall(1_469_843_601_000),
        ended: Some(Wall(1_469_843_611_000)),
        remote_addr: "10.101.194.148:56861".into(),
        cause: None,
    };
    let lasting = ConnectionRecord { ended: None, ..finished.clone() };
    check(
        live_channel_history(&[finished, lasting]),
        "<LiveChannelHistory><LiveRecord>
           <StartTime>2016-07-30T01:53:21.000Z</StartTime>
           <EndTime>2016-07-30T01:53:31.000Z</EndTime>
           <RemoteAddr>10.101.194.148:56861</RemoteAddr>
         </LiveRecord></LiveChannelHistory>",
    );
}

#[test]
fn channel_listing() {
    let urls = |c: &ChannelRecord| (format!("rtmp://b.h/live/{}", c.name), format!("http://b.h/{}/p.m3u8", c.name));
    check(
        list_live_channels(&ListLiveChannelQuery { max_keys: 100, ..Default::default() }, &page(vec![], false), urls),
        "<ListLiveChannelResult><Prefix></Prefix><Marker></Marker><MaxKeys>100</MaxKeys>\
         <IsTruncated>false</IsTruncated><NextMarker></NextMarker></ListLiveChannelResult>",
    );
    let query = ListLiveChannelQuery { prefix: "ch".into(), marker: "ch-0".into(), max_keys: 1 };
    check(
        list_live_channels(&query, &page(vec![channel("ch-1", ChannelStatus::Disabled)], true), urls),
        "<ListLiveChannelResult>
           <Prefix>ch</Prefix><Marker>ch-0</Marker><MaxKeys>1</MaxKeys>
           <IsTruncated>true</IsTruncated><NextMarker>ch-1</NextMarker>
           <LiveChannel>
             <Name>ch-1</Name>
             <Description>a&lt;b&gt;&amp;{}=?//c</Description>
             <Status>disabled</Status>
             <LastModified>2016-07-30T01:54:21.000Z</LastModified>
             <PublishUrls><Url>rtmp://b.h/live/ch-1</Url></PublishUrls>
             <PlayUrls><Url>http://b.h/ch-1/p.m3u8</Url></PlayUrls>
           </LiveChannel>
         </ListLiveChannelResult>",
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

// ---- both ways -----------------------------------------------------------------------------------------------

#[test]
fn channel_configuration_reads_back_as_it_was_rendered() {
    let config = config(ChannelStatus::Disabled);
    let document = live_channel_configuration(&config);
    check(
        document.clone(),
        "<LiveChannelConfiguration>
           <Description>a&lt;b&gt;&amp;{}=?//c</Description>
           <Status>disabled</Status>
           <Target>
             <Type>HLS</Type><FragDuration>5</FragDuration><FragCount>3</FragCount>
             <PlaylistName>playlist.m3u8</PlaylistName>
           </Target>
         </LiveChannelConfiguration>",
    );
    let read = read_live_channel_configuration(&document).expect("well-formed").validate();
    assert_eq!(read, Ok(ChannelConfig { display_name: None, snapshot: None, ..config }));
}

#[test]
fn cors_configuration_reads_back_as_it_was_rendered() {
    let cors = CorsConfig {
        rules: vec![
            CorsRule {
                allowed_origins: vec!["https://*.example.com".into(), "*".into()],
                allowed_methods: vec!["GET".into(), "HEAD".into()],
                allowed_headers: vec!["x-oss-*".into()],
                expose_headers: vec!["ETag".into()],
                max_age_seconds: Some(600),
            },
            CorsRule {
                allowed_origins: vec!["http://localhost:3000".into()],
                allowed_methods: vec!["PUT".into()],
                ..CorsRule::default()
            },
        ],
        response_vary: true,
    };
    let document = cors_configuration(&cors);
    check(
        document.clone(),
        "<CORSConfiguration>
           <CORSRule>
             <AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedOrigin>*</AllowedOrigin>
             <AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod>
             <AllowedHeader>x-oss-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>
             <MaxAgeSeconds>600</MaxAgeSeconds>
           </CORSRule>
           <CORSRule>
             <AllowedOrigin>http://localhost:3000</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>
           </CORSRule>
           <ResponseVary>true</ResponseVary>
         </CORSConfiguration>",
    );
    assert_eq!(read_cors_configuration(&document), Ok(cors));
}

// ---- reading -------------------------------------------------------------------------------------------------

fn read_channel(body: &str) -> Result<ChannelConfig, OssError> {
    Ok(read_live_channel_configuration(body.as_bytes())?.validate()?)
}

#[test]
fn flat_form_of_the_node_client_is_a_configuration() {
    let config = read_channel(
        "<LiveChannelConfiguration><name>My Live Stream</name><description>Live streaming channel for events\
         </description><status>disabled</status><type>HLS</type><fragDuration>7</fragDuration><fragCount>4</fragCount>\
         <playlistName>p.m3u8</playlistName></LiveChannelConfiguration>",
    );
    assert_eq!(
        config,
        Ok(ChannelConfig {
            description: "Live streaming channel for events".into(),
            display_name: Some("My Live Stream".into()),
            status: ChannelStatus::Disabled,
            frag_duration: 7,
            frag_count: 4,
            playlist_name: "p.m3u8".into(),
            snapshot: None,
        })
    );
}

#[test]
fn flat_form_needs_no_more_than_one_of_its_keys() {
    let config = read_channel("<LiveChannelConfiguration><name>n</name></LiveChannelConfiguration>").expect("flat");
    assert_eq!((config.frag_duration, config.frag_count, config.playlist_name.as_str()), (5, 3, "playlist.m3u8"));
    let one = read_channel("<LiveChannelConfiguration><fragCount>9</fragCount></LiveChannelConfiguration>");
    assert_eq!(one.map(|c| (c.frag_duration, c.frag_count)), Ok((5, 9)));
    let bad = read_channel("<LiveChannelConfiguration><type>hls</type></LiveChannelConfiguration>");
    assert_eq!(bad, Err(OssError::from(ChannelRuleError::Type)));
}

#[test]
fn nested_form_without_a_target_is_refused() {
    for body in [
        "<LiveChannelConfiguration/>",
        "<LiveChannelConfiguration><Description>d</Description><Status>enabled</Status></LiveChannelConfiguration>",
        "<LiveChannelConfiguration><Target/></LiveChannelConfiguration>",
        "<LiveChannelConfiguration><PlayListName>p.m3u8</PlayListName></LiveChannelConfiguration>",
    ] {
        assert_eq!(read_channel(body), Err(OssError::from(ChannelRuleError::Type)), "{body}");
    }
}

#[test]
fn pascal_case_wins_over_lower_camel_case() {
    let config = read_channel(
        "<LiveChannelConfiguration><description>lower</description><Description>upper</Description>\
         <status>disabled</status><Status>enabled</Status><fragCount>50</fragCount>\
         <Target><Type>HLS</Type><fragDuration>8</fragDuration><FragCount>2</FragCount><fragCount>6</fragCount></Target>\
         </LiveChannelConfiguration>",
    )
    .expect("valid");
    assert_eq!(config.description, "upper");
    assert_eq!(config.status, ChannelStatus::Enabled);
    assert_eq!((config.frag_duration, config.frag_count), (8, 2), "the root's flat keys do not reach into a target");
}

#[test]
fn misspelt_playlist_name_of_php_is_ignored() {
    let config = read_channel(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<LiveChannelConfiguration><Target><Type>HLS</Type>\
         <PlayListName>mine.m3u8</PlayListName></Target></LiveChannelConfiguration>\n",
    );
    assert_eq!(config.map(|c| c.playlist_name), Ok("playlist.m3u8".to_owned()));
}

#[test]
fn what_oss2_sends_by_default_is_valid() {
    let config = read_channel(
        "<LiveChannelConfiguration><Description /><Status>enabled</Status><Target><Type>HLS</Type>\
         <FragDuration>5</FragDuration><FragCount>3</FragCount><PlaylistName /></Target></LiveChannelConfiguration>",
    );
    assert_eq!(config.map(|c| c.playlist_name), Ok("playlist.m3u8".to_owned()));
}

#[test]
fn snapshot_is_kept_and_a_second_is_refused() {
    let snapshot = "<Snapshot><RoleName>r</RoleName><DestBucket>d</DestBucket><NotifyTopic>t</NotifyTopic>\
                    <Interval>5</Interval></Snapshot>";
    let body = |blocks: &str| {
        format!("<LiveChannelConfiguration><Target><Type>HLS</Type></Target>{blocks}</LiveChannelConfiguration>")
    };
    let once = read_channel(&body(snapshot)).expect("valid").snapshot.expect("kept");
    assert_eq!((once.role_name.as_str(), once.interval), ("r", 5));
    let twice = read_channel(&body(&snapshot.repeat(2)));
    assert_eq!(twice, Err(OssError::from(ChannelRuleError::SnapshotRepeated)));
}

#[test]
fn every_lawful_way_to_write_text_is_read() {
    let body = "\u{feff}\n <?xml version=\"1.0\"?><!-- c --><x:LiveChannelConfiguration xmlns:x=\"urn:x\" a='1'>\n\
                <x:Description>&lt;&#65;<![CDATA[<&>]]>&#x4E2D;&amp;\r\n</x:Description>\n\
                <Target><Type> HLS\n</Type></Target></x:LiveChannelConfiguration> \n";
    assert_eq!(read_channel(body).map(|c| c.description), Ok("<A<&>中&\n".to_owned()));
}

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
fn broken_cors_rules() {
    let code = |rules: &str| {
        let body = format!("<CORSConfiguration>{rules}</CORSConfiguration>");
        read_cors_configuration(body.as_bytes()).map(|c| c.rules.len()).map_err(|e| e.code)
    };
    let rule = |inside: &str| format!("<CORSRule>{inside}</CORSRule>");
    let valid = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";
    assert_eq!(code(&rule(valid).repeat(20)), Ok(20));
    assert_eq!(code(&rule(valid).repeat(21)), Err("InvalidArgument"));
    assert_eq!(code(""), Err("MalformedXML"));
    assert_eq!(code(&rule("<AllowedOrigin>*</AllowedOrigin>")), Err("MalformedXML"));
    assert_eq!(code(&rule("<AllowedMethod>GET</AllowedMethod>")), Err("MalformedXML"));
    for broken in [
        "<AllowedOrigin>*.*</AllowedOrigin>",
        "<AllowedMethod>PATCH</AllowedMethod>",
        "<AllowedHeader>**</AllowedHeader>",
        "<ExposeHeader>x-*</ExposeHeader>",
        "<ExposeHeader>x&#28;y</ExposeHeader>",
        "<AllowedOrigin>http://\u{e9}.example</AllowedOrigin>",
        "<AllowedHeader>x&#10;y</AllowedHeader>",
        "<MaxAgeSeconds>-1</MaxAgeSeconds>",
    ] {
        assert_eq!(code(&rule(&format!("{valid}{broken}"))), Err("InvalidArgument"), "{broken}");
    }
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

// ---- multipart uploads ---------------------------------------------------------------------------------------

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
