//! What the checker finds, planted one fault at a time.

use super::super::check::{ObjectName, WindowName, check_extents, check_window};
use super::*;
use crate::media::MediaTime;
use crate::store::objects::StoredBody;

/// Commits one fragment with this window.
async fn commit_fragment(bench: &Bench, window: WindowRecord) {
    let (channel, claim) = claim(bench, "cam").await;
    let mut writer = bench.objects.writer(Digests::Crc64);
    writer.write(pattern(7, SIZE)).await.expect("write");
    let body = writer.finish().await.expect("finish");
    let object = |name: &str, body: &StoredBody| ObjectRecord {
        bucket: bench.bucket,
        size: body.size,
        crc64: body.crc64,
        etag: body.etag,
        extents: body.extents.clone(),
        ..empty_object(format!("cam/{name}"))
    };
    let playlist = bench.store(&Bytes::from_static(b"#EXTM3U\n")).await.expect("store");
    let commit = FragmentCommit {
        bucket: bench.bucket,
        channel,
        epoch: claim.epoch,
        connection: ConnectionId(1),
        fragment: FragmentRecord {
            name_ms: 5_000,
            sequence: claim.next_sequence,
            duration: MediaTime::from_secs(5),
            discontinuity: false,
        },
        object: object("5000.ts", &body),
        playlist: object("playlist.m3u8", &playlist),
        playlist_name: "playlist.m3u8".into(),
        window,
        ended: bench.clock.wall(),
    };
    bench.meta.commit_fragment(commit, bench.clock.wall()).await.expect("commit");
    body.committed();
}

fn entry(name_ms: i64, seconds: i64) -> WindowEntry {
    WindowEntry { name_ms, duration: MediaTime::from_secs(seconds), discontinuity: false }
}

fn window(target_duration: u32, entries: Vec<WindowEntry>) -> WindowRecord {
    WindowRecord { target_duration, entries, ..WindowRecord::default() }
}

#[tokio::test]
async fn a_sound_store_is_clean_and_the_report_counts_it() {
    let bench = Bench::new().await;
    bench.put("empty", &Bytes::new()).await.expect("put");
    bench.put("inline", &pattern(1, 100)).await.expect("put");
    let source = bench.put("blob", &pattern(2, SIZE)).await.expect("put");
    bench.objects.copy(&source, bench.request("copy")).await.expect("copy");
    for position in [0, SIZE as u64] {
        let body = bench.store(&pattern(position, SIZE)).await.expect("store");
        bench.objects.append(bench.request("log"), position, body).await.expect("append");
    }
    bench.put("gone", &pattern(4, SIZE)).await.expect("put");
    bench.objects.delete(bench.bucket, &[key("gone")]).await.expect("delete");
    commit_fragment(&bench, window(5, vec![entry(5_000, 5)])).await;
    let report = checked(&bench).await;
    let expected = CheckReport {
        objects: 7,
        extents: 7,
        bytes_verified: 100 + 5 * SIZE as u64 + 8,
        blobs: 5,
        garbage: 1,
        windows: 1,
        ..CheckReport::default()
    };
    assert_eq!(report, expected);
    let lengths_only = check(&*bench.meta, &bench.memory, CheckOptions::default()).await.expect("check");
    assert_eq!(lengths_only, CheckReport { bytes_verified: 0, ..expected });
}

/// Plants a fault in an otherwise sound store and expects exactly one finding, with this text.
async fn finds(options: CheckOptions, plant: impl AsyncFnOnce(&Bench, &mut ObjectRecord) -> Vec<Finding>) {
    let bench = Bench::new().await;
    bench.put("sound", &pattern(9, SIZE)).await.expect("put");
    let mut object = bench.put("k", &pattern(1, SIZE)).await.expect("put");
    let expected = plant(&bench, &mut object).await;
    let commit = ObjectCommit { object, condition: WriteCondition::Always };
    bench.meta.commit_object(commit, bench.clock.wall()).await.expect("commit");
    let report = check(&*bench.meta, &bench.blobs, options).await.expect("check");
    assert_eq!(report.findings, expected);
    assert_eq!(report.objects, 2);
}

const LENGTHS: CheckOptions = CheckOptions { verify_bytes: false };
const BYTES: CheckOptions = CheckOptions { verify_bytes: true };

fn blob_of(object: &ObjectRecord) -> BlobId {
    match object.extents[..] {
        [Extent::Blob { id, .. }] => id,
        _ => panic!("one blob"),
    }
}

fn named(bench: &Bench) -> ObjectName {
    ObjectName { bucket: bench.bucket, key: key("k"), part: None, version: None }
}

#[tokio::test]
async fn finds_a_missing_blob() {
    for options in [LENGTHS, BYTES] {
        finds(options, async |bench, object| {
            let blob = blob_of(object);
            bench.memory.delete(&[blob]).await.expect("delete");
            vec![Finding::MissingBlob { object: named(bench), blob }]
        })
        .await;
    }
}

#[tokio::test]
async fn finds_a_short_blob() {
    for options in [LENGTHS, BYTES] {
        finds(options, async |bench, object| {
            let blob = blob_of(object);
            bench.memory.damage(blob, |bytes| bytes.truncate(SIZE - 1));
            let cause = format!("blob {blob} has {} bytes, {SIZE} were asked for", SIZE - 1);
            vec![Finding::ShortBlob { object: named(bench), blob, cause }]
        })
        .await;
    }
}

#[tokio::test]
async fn finds_a_blob_that_cannot_be_read() {
    finds(BYTES, async |bench, object| {
        let blob = blob_of(object);
        bench.blobs.on(BlobCall::Next, 1, BlobFault::Fail(broken()));
        vec![Finding::Unreadable { object: named(bench), blob, cause: "unavailable: scripted".into() }]
    })
    .await;
}

#[tokio::test]
async fn finds_changed_bytes() {
    finds(BYTES, async |bench, object| {
        bench.memory.damage(blob_of(object), |bytes| bytes[77] ^= 1);
        let mut bytes = pattern(1, SIZE).to_vec();
        bytes[77] ^= 1;
        let body = bench.store(&Bytes::from(bytes)).await.expect("store");
        let (crc64, md5) = (body.crc64, body.md5.expect("computed"));
        bench.objects.discard(body).await;
        vec![
            Finding::WrongCrc64 { object: named(bench), recorded: object.crc64, computed: crc64 },
            Finding::WrongMd5 { object: named(bench), recorded: object.content_md5.expect("plain put"), computed: md5 },
        ]
    })
    .await;
}

#[tokio::test]
async fn finds_damage_of_a_part() {
    let bench = Bench::new().await;
    let (upload, part) = open_upload(&bench).await;
    let blob = bench.blob_ids().await[0];
    bench.memory.damage(blob, |bytes| bytes[77] ^= 1);
    let object = ObjectName { part: Some((upload.id, 1)), ..named(&bench) };
    let findings = checked(&bench).await.findings;
    assert_eq!(findings.len(), 2, "{findings:?}");
    let names = |finding: &Finding| match finding {
        Finding::WrongCrc64 { object: found, recorded, .. } => *found == object && *recorded == part.crc64,
        Finding::WrongMd5 { object: found, recorded, .. } => *found == object && *recorded == part.md5,
        _ => false,
    };
    assert!(findings.iter().all(names), "{findings:?}");
    let text = findings[0].to_string();
    assert!(text.starts_with(&format!("part 1 of upload {} to object \"k\" of bucket 1 has", upload.id)), "{text}");
    bench.memory.delete(&[blob]).await.expect("deleted");
    assert_eq!(checked(&bench).await.findings, [Finding::MissingBlob { object, blob }]);
}

#[tokio::test]
async fn finds_a_size_that_is_not_the_sum() {
    finds(LENGTHS, async |bench, object| {
        object.size += 1;
        vec![Finding::WrongSize { object: named(bench), size: SIZE as u64 + 1, extents: SIZE as u64 }]
    })
    .await;
}

#[tokio::test]
async fn finds_extents_that_cannot_be() {
    finds(LENGTHS, async |bench, object| {
        object.extents.push(Extent::Inline(Bytes::new()));
        object.extents.push(Extent::Inline(pattern(1, limits::INLINE_BYTES_MAX + 1)));
        object.size += limits::INLINE_BYTES_MAX as u64 + 1;
        let bad = |index| Finding::BadExtent { object: named(bench), index };
        vec![bad(1), bad(2)]
    })
    .await;
}

#[tokio::test]
async fn finds_an_unnamed_blob() {
    finds(LENGTHS, async |bench, _| {
        let blob = write(&bench.memory, &[pattern(1, 77)]).await;
        vec![Finding::UnnamedBlob { blob, length: 77 }]
    })
    .await;
}

#[tokio::test]
async fn finds_windows_that_break_their_rules() {
    let bench = Bench::new().await;
    commit_fragment(&bench, window(5, vec![entry(6_000, 6), entry(5_000, 5)])).await;
    let name = || WindowName {
        bucket: bench.bucket,
        channel: ChannelName::new("cam").expect("valid"),
        playlist: "playlist.m3u8".into(),
    };
    let expected = [
        Finding::WindowOrder { window: name(), name_ms: 5_000 },
        Finding::TargetDuration { window: name(), target: 5, name_ms: 6_000 },
    ];
    assert_eq!(checked(&bench).await.findings, expected);
}

/// What no sound backend lets a test plant, planted in a backend that lies.
#[tokio::test]
async fn finds_what_metadata_says_against_itself() {
    let mut report = CheckReport::default();
    let object = ObjectRecord {
        extents: vec![Extent::Blob { id: BlobId(7), offset: 10, length: 90 }],
        size: 90,
        ..empty_object("k")
    };
    for state in [BlobState::Garbage, BlobState::Unknown, BlobState::Named(99), BlobState::Named(100)] {
        check_extents(&(&object).into(), &[(BlobId(7), state)].into(), &mut report);
    }
    let texts: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    let blob = "names blob 00000000000000000000000000000007, which metadata holds to be";
    assert_eq!(
        texts,
        [
            format!("object \"k\" of bucket 1 {blob} garbage"),
            format!("object \"k\" of bucket 1 {blob} unknown"),
            format!("object \"k\" of bucket 1 {blob} named up to byte 99 only"),
        ]
    );

    let mut report = CheckReport::default();
    let audit = WindowAudit {
        bucket: BucketId(1),
        channel: ChannelName::new("cam").expect("valid"),
        playlist_name: "p.m3u8".into(),
        window: window(5, vec![entry(5_000, 5)]),
        dangling: vec![5_000],
    };
    check_window(&audit, &mut report);
    let text = report.findings.iter().map(ToString::to_string).collect::<String>();
    assert_eq!(text, "playlist \"p.m3u8\" of channel \"cam\" of bucket 1 names fragments without objects: [5000]");
}

#[tokio::test]
async fn findings_are_bounded() {
    let bench = Bench::new().await;
    let count = limits::CHECK_FINDINGS_MAX as u64 + 3;
    for _ in 0..count {
        write(&bench.memory, &[]).await;
    }
    let report = checked(&bench).await;
    assert_eq!((report.findings.len() as u64, report.findings_left_out), (count - 3, 3));
    assert!(!report.is_clean());
}

#[tokio::test]
async fn a_walk_that_ends_at_damage_is_a_finding_and_the_others_go_on() {
    let (bench, meta) = faulty().await;
    bench.put("k", &pattern(1, SIZE)).await.expect("put");
    let damage = StoreError::Corrupt("page 7".into());
    for (call, what) in [
        (MetaCall::AuditBackend, "rows"),
        (MetaCall::AuditObjects, "objects"),
        (MetaCall::AuditVersions, "versions behind the current ones"),
        (MetaCall::AuditParts, "parts of open uploads"),
        (MetaCall::AuditWindows, "playlist windows"),
    ] {
        meta.fail(call, usize::MAX, Fault::Before(damage.clone()));
        let report = checked(&bench).await;
        assert_eq!(report.findings, [Finding::Unwalked { what, cause: "page 7".into() }]);
        assert_eq!(report.blobs, 1, "{what}: the rest was looked at");
        assert!(report.to_string().starts_with(&format!("not all {what} could be looked at: page 7")), "{report}");
        meta.heal();
    }
    meta.fail(MetaCall::AuditObjects, 1, Fault::Before(StoreError::Unavailable("now".into())));
    let report = check(&*bench.meta, &bench.memory, CheckOptions::default()).await;
    assert_eq!(report, Err(StoreError::Unavailable("now".into())), "nothing is proved");
}
