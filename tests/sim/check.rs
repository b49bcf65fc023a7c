//! Looks at the whole disk, past the weather: what recovery's checker says, and what a player would.

use std::sync::Arc;

use futures_util::FutureExt;
use livebucket::codec::m3u8::Playlist;
use livebucket::codec::mpegts::check::FaultKind;
use livebucket::codec::playback::{ForcedCuts, PlaybackChecker, PlaybackFaultKind};
use livebucket::limits;
use livebucket::live::vod::vod_playlist;
use livebucket::media::MediaTime;
use livebucket::store::recovery::{CheckOptions, Finding, check};
use livebucket::store::*;

use crate::oracle::{agrees, playlist_text};
use crate::world::World;

/// The disk never waits.
fn now<F: Future>(work: F) -> F::Output {
    work.now_or_never().expect("the disk never waits")
}

/// A body as the disk has it.
pub fn bytes_of(world: &World, object: &ObjectRecord) -> Vec<u8> {
    bytes_of_extents(world, &object.extents)
}

/// The bytes of an open upload's parts, in their order.
pub fn bytes_of_parts(world: &World, bucket: BucketId, upload: UploadId) -> Vec<u8> {
    let parts = now(world.meta.audit_parts(None, usize::MAX)).expect("the disk is sound");
    let mine = parts.iter().filter(|part| part.bucket == bucket && part.upload == upload);
    mine.map(|part| bytes_of_extents(world, &part.part.extents)).collect::<Vec<_>>().concat()
}

fn bytes_of_extents(world: &World, extents: &[Extent]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for extent in extents {
        match extent {
            Extent::Inline(inline) => bytes.extend_from_slice(inline),
            Extent::Blob { id, offset, length } => {
                let range = *offset..*offset + *length;
                let mut reader = now(world.blobs.open(*id, range)).unwrap_or_else(|error| panic!("I1: {id}: {error}"));
                while let Some(piece) = now(reader.next()).expect("the disk is sound") {
                    bytes.extend_from_slice(&piece);
                }
            }
        }
    }
    bytes
}

/// What must hold at every moment; cheap.
pub fn step(world: &World) {
    let options = CheckOptions { verify_bytes: false };
    let report = now(check(&*world.meta, &world.blobs, options)).expect("the disk is sound");
    // What is in flight is unnamed.
    let findings: Vec<_> =
        report.findings.iter().filter(|finding| !matches!(finding, Finding::UnnamedBlob { .. })).collect();
    assert!(findings.is_empty(), "{findings:?}");
    for audit in now(world.meta.audit_windows()).expect("the disk is sound") {
        let key = ObjectKey::in_channel(&audit.channel, &audit.playlist_name);
        let oracle = world.oracle();
        if oracle.is_users(audit.bucket, &key) {
            continue;
        }
        let playlist = now(world.meta.object(audit.bucket, &key)).expect("the disk is sound");
        let playlist = playlist.unwrap_or_else(|| panic!("I4: {key} is gone"));
        agrees(&Playlist::parse(&playlist_text(&playlist)).expect("our own playlist"), &audit.window);
        for entry in &audit.window.entries {
            let key = ObjectKey::in_channel(&audit.channel, &format!("{}.ts", entry.name_ms));
            let fragment = now(world.meta.object(audit.bucket, &key)).expect("the disk is sound");
            assert!(fragment.is_some() || oracle.is_users(audit.bucket, &key), "I4: {key} is named and gone");
        }
    }
}

/// What must hold once a process has recovered, before it serves anybody; every byte is read.
pub fn recovered(world: &World, buckets: &[Arc<BucketRecord>]) {
    for bucket in buckets {
        for channel in now(world.meta.list_channels(bucket.id, "", "", usize::MAX)).expect("sound").entries {
            let open = now(world.meta.open_connection(bucket.id, &channel.name)).expect("the disk is sound");
            assert_eq!(open, None, "after recovery nobody publishes to {}", channel.name);
        }
    }
    let report = whole(world);
    let reach = i64::try_from(limits::STARTUP_SWEEP_REACH.as_millis()).expect("hours");
    for finding in report.findings {
        let Finding::UnnamedBlob { blob, .. } = finding else { panic!("after recovery: {finding}") };
        let is_old = blob.created().0 <= world.wall().0 - reach;
        assert!(is_old, "I5: after recovery blob {blob} is neither named nor garbage");
    }
    assert_eq!(world.temporaries(), 0, "after recovery nothing unfinished is left");
}

/// What must hold when everybody is gone and every grace has passed.
pub fn at_rest(world: &World) {
    let report = whole(world);
    assert!(report.is_clean(), "at rest: {report}");
    assert_eq!(report.garbage, 0, "at rest garbage has been collected");
    assert_eq!(world.temporaries(), 0, "at rest nothing unfinished is left");
}

fn whole(world: &World) -> livebucket::store::recovery::CheckReport {
    now(check(&*world.meta, &world.blobs, CheckOptions { verify_bytes: true })).expect("the disk is sound")
}

/// Every stored fragment of every channel, as a player of a recording and of the live playlist meets it.
pub fn play(world: &World, buckets: &[Arc<BucketRecord>]) {
    for bucket in buckets {
        let page = now(world.meta.list_channels(bucket.id, "", "", usize::MAX)).expect("the disk is sound");
        for channel in page.entries {
            let fragments = now(world.meta.fragments(bucket.id, &channel.name, 0, i64::MAX)).expect("sound");
            if let Some(recording) = vod_playlist(&fragments) {
                play_one(world, bucket.id, &channel.name, &recording);
            }
        }
    }
    for audit in now(world.meta.audit_windows()).expect("the disk is sound") {
        let key = ObjectKey::in_channel(&audit.channel, &audit.playlist_name);
        if world.oracle().is_users(audit.bucket, &key) || audit.window.entries.is_empty() {
            continue;
        }
        let playlist = now(world.meta.object(audit.bucket, &key)).expect("the disk is sound").expect("it was written");
        let playlist = Playlist::parse(&playlist_text(&playlist)).expect("our own playlist");
        play_one(world, audit.bucket, &audit.channel, &playlist);
    }
}

fn play_one(world: &World, bucket: BucketId, channel: &ChannelName, playlist: &Playlist) {
    let forced = ForcedCuts { after: MediaTime::from_secs(60), bytes: u64::MAX };
    let name_of = |index: usize| -> i64 {
        let name = playlist.segments[index].uri.strip_suffix(".ts").expect("a fragment's name");
        name.parse().expect("a fragment's name is a number")
    };
    let goes_on =
        |index: usize| index > 0 && world.oracle().goes_on(bucket, channel, name_of(index - 1), name_of(index));
    let mut checker = PlaybackChecker::new(playlist, forced).of_one_connection(goes_on);
    for segment in &playlist.segments {
        let key = ObjectKey::in_channel(channel, &segment.uri);
        let object = now(world.meta.object(bucket, &key)).expect("the disk is sound");
        match object.filter(|_| !world.oracle().is_users(bucket, &key)) {
            Some(object) => checker.fragment(Ok(&bytes_of(world, &object))),
            None => {
                assert!(world.oracle().is_users(bucket, &key), "I4: {key} is named and gone");
                checker.fragment(Err("a user took it".into()));
            }
        }
    }
    let mut report = checker.finish();
    // A user may take a fragment, and a connection may end before its next frame of sound.
    let is_ours = |kind: &PlaybackFaultKind| match kind {
        PlaybackFaultKind::Missing(_) => false,
        PlaybackFaultKind::Media(fault) => !matches!(fault.kind, FaultKind::Absent { .. }),
        _ => true,
    };
    report.faults.retain(|fault| is_ours(&fault.kind));
    assert!(report.is_clean(), "{channel}: {report}\n{}", playlist.render());
}
