//! What "a metadata backend is correct" means: short cases over the port alone, run on every backend and wrapper.
//!
//! A new backend adds a line to the modules at the foot, and is done when they are green.

mod accounts;
mod blobs;
mod channels;
mod checksums;
mod kinds;
mod lifecycle;
mod listing;
mod live;
mod lock;
mod objects;
mod random;
mod rereads;
mod uploads;
mod versions;

use std::sync::Arc;

use bytes::Bytes;

use crate::clock::{SystemClock, Wall};
use crate::store::digest::Crc64;
use crate::store::meta::faulty::FaultyMetaStore;
use crate::store::meta::memory::MemoryMetaStore;
use crate::store::meta::sqlite::SqliteMetaStore;
use crate::store::records::testbed::{empty_object, empty_upload};
use crate::store::seal::{MasterKey, MasterKeys};
use crate::store::*;

/// A store under test, and what must live as long as it.
pub(super) struct Subject {
    store: Arc<dyn MetaStore>,
    _directory: Option<tempfile::TempDir>,
}

impl std::ops::Deref for Subject {
    type Target = dyn MetaStore;
    fn deref(&self) -> &Self::Target {
        &*self.store
    }
}

fn memory() -> Subject {
    Subject { store: Arc::new(MemoryMetaStore::new()), _directory: None }
}

fn sqlite() -> Subject {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = SqliteMetaStore::open(&directory.path().join("meta.db"), Arc::new(SystemClock::new()));
    Subject { store: Arc::new(store.expect("a fresh database")), _directory: Some(directory) }
}

/// With every secret and inline body encrypted in the file.
fn sealed_sqlite() -> Subject {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let keys = MasterKeys::new(vec![MasterKey::new([1; 32])]);
    let clock = Arc::new(SystemClock::new());
    let store = SqliteMetaStore::open_sealed(&directory.path().join("meta.db"), clock, keys);
    Subject { store: Arc::new(store.expect("a fresh database")), _directory: Some(directory) }
}

fn faulty_without_faults() -> Subject {
    Subject { store: Arc::new(FaultyMetaStore::new(memory().store)), _directory: None }
}

// ---- what the cases are made of ------------------------------------------------------------------------------

/// The account that owns everything.
async fn owner(store: &dyn MetaStore) -> AccountId {
    store.put_access_key("owner", "owner-key", "secret", Wall(1)).await.expect("a key").account
}

async fn bucket(store: &dyn MetaStore, name: &str) -> BucketId {
    let owner = owner(store).await;
    store.create_bucket(&bucket_name(name), owner, Acl::Private, Wall(1)).await.expect("a free name").id
}

fn bucket_name(name: &str) -> BucketName {
    BucketName::new(name).expect("a valid bucket name")
}

fn key(bytes: impl AsRef<[u8]>) -> ObjectKey {
    ObjectKey::new(bytes.as_ref()).expect("a valid key")
}

fn blob_id(number: u64) -> BlobId {
    BlobId(u128::from(number))
}

/// The first `length` bytes of a blob.
fn in_blob(number: u64, length: u64) -> Extent {
    Extent::Blob { id: blob_id(number), offset: 0, length }
}

fn inline(text: &str) -> Extent {
    Extent::Inline(Bytes::copy_from_slice(text.as_bytes()))
}

/// An object whose digests are those of its inline text (blobs count as no bytes in them).
fn object(bucket: BucketId, name: impl AsRef<[u8]>, extents: Vec<Extent>) -> ObjectRecord {
    let mut crc = Crc64::new();
    for extent in &extents {
        if let Extent::Inline(bytes) = extent {
            crc.update(bytes);
        }
    }
    ObjectRecord {
        bucket,
        size: extents.iter().map(Extent::length).sum(),
        etag: ETag { digest: [crc.value().to_le_bytes()[0]; 16], parts: None },
        crc64: crc.value(),
        extents,
        ..empty_object(name)
    }
}

async fn try_put(store: &dyn MetaStore, object: ObjectRecord, now: i64) -> Result<ObjectRecord> {
    store.commit_object(ObjectCommit { object, condition: WriteCondition::Always }, Wall(now)).await
}

async fn put(store: &dyn MetaStore, object: ObjectRecord, now: i64) -> ObjectRecord {
    try_put(store, object, now).await.expect("an object that nothing forbids")
}

async fn delete(store: &dyn MetaStore, bucket: BucketId, name: &str, now: i64) {
    delete_all(store, bucket, &[name], now).await;
}

/// Deletes without naming versions.
async fn delete_all(store: &dyn MetaStore, bucket: BucketId, names: &[&str], now: i64) -> Vec<DeleteOutcome> {
    let targets = names.iter().map(|name| target(name, None, now)).collect();
    store
        .delete_objects(DeleteCommit { bucket, targets, bypass_governance: false }, Wall(now))
        .await
        .expect("deleting is always allowed")
}

/// A marker that this makes has the time as its identity.
fn target(name: &str, version: Option<VersionName>, now: i64) -> DeleteTarget {
    DeleteTarget { key: key(name), version, marker: version_id(now.unsigned_abs()) }
}

fn version_id(number: u64) -> VersionId {
    VersionId(u128::from(number))
}

async fn exists(store: &dyn MetaStore, bucket: BucketId, name: &str) -> bool {
    store.object(bucket, &key(name)).await.expect("readable").is_some()
}

async fn state(store: &dyn MetaStore, blob: u64) -> BlobState {
    store.blob_states(&[blob_id(blob)]).await.expect("readable")[0]
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.into(), value: value.into() }
}

fn upload_id(number: u64) -> UploadId {
    UploadId(u128::from(number))
}

/// An upload of `name` without headers.
fn upload_record(bucket: BucketId, name: impl AsRef<[u8]>, id: u64) -> UploadRecord {
    empty_upload(bucket, name, upload_id(id))
}

/// A part whose CRC-64 is that of its inline text (blobs count as no bytes in it), and whose digest follows from it.
fn part(number: u32, extents: Vec<Extent>) -> PartRecord {
    let of = object(BucketId(0), "part", extents);
    let mut md5 = [0; 16];
    md5[..8].copy_from_slice(&of.crc64.to_le_bytes());
    let summary = PartSummary { number, size: of.size, md5, crc64: of.crc64, checksum: None, last_modified: Wall(0) };
    PartRecord { summary, extents: of.extents }
}

fn channel_name(name: &str) -> ChannelName {
    ChannelName::new(name).expect("a valid channel name")
}

fn config() -> ChannelConfig {
    ChannelConfig { description: "A camera".into(), ..ChannelConfig::default() }
}

async fn channel(store: &dyn MetaStore, bucket: BucketId, name: &str) -> ChannelRecord {
    let name = channel_name(name);
    store.put_channel(bucket, &name, config(), false, Wall(1)).await.expect("a channel that nothing forbids")
}

fn claim_request(bucket: BucketId, channel: &str, connection: u128, started: i64) -> ClaimRequest {
    ClaimRequest {
        bucket,
        channel: channel_name(channel),
        connection: ConnectionId(connection),
        remote_addr: "192.0.2.1:50000".into(),
        started: Wall(started),
        playlist_name: None,
    }
}

async fn claim(store: &dyn MetaStore, bucket: BucketId, channel: &str, connection: u128) -> Claim {
    store.claim(claim_request(bucket, channel, connection, 100)).await.expect("a free channel")
}

async fn end(store: &dyn MetaStore, bucket: BucketId, channel: &str, epoch: Epoch, ended: i64) -> Result<()> {
    let cause = TerminationCause::Unpublished;
    store.end_connection(bucket, &channel_name(channel), epoch, Wall(ended), cause).await
}

fn fragment(name_ms: i64, sequence: u64) -> FragmentRecord {
    FragmentRecord { name_ms, sequence, duration: MediaTime::from_secs(5), discontinuity: sequence == 0 }
}

/// Fragment `sequence` of connection `connection`, named `name_ms`, in blob `name_ms`; the playlist names it alone.
fn fragment_commit(
    bucket: BucketId,
    channel: &str,
    (connection, epoch): (u128, Epoch),
    name_ms: i64,
    sequence: u64,
) -> FragmentCommit {
    let record = fragment(name_ms, sequence);
    let entry = WindowEntry { name_ms, duration: record.duration, discontinuity: record.discontinuity };
    let blob = in_blob(name_ms.unsigned_abs(), 188);
    FragmentCommit {
        bucket,
        channel: channel_name(channel),
        epoch,
        connection: ConnectionId(connection),
        fragment: record,
        object: object(bucket, format!("{channel}/{name_ms}.ts"), vec![blob]),
        playlist: object(bucket, format!("{channel}/playlist.m3u8"), vec![inline(&format!("{name_ms}.ts"))]),
        playlist_name: "playlist.m3u8".into(),
        window: WindowRecord {
            media_sequence: sequence,
            discontinuity_sequence: 0,
            target_duration: 5,
            entries: vec![entry],
        },
        ended: Wall(name_ms + 5_000),
    }
}

// ---- the cases on every backend ------------------------------------------------------------------------------

/// Makes a test of each case for each backend.
macro_rules! on_every_backend {
    ($($room:ident: [$($case:ident)*])*) => {
        mod on_memory { $(mod $room { $(on_every_backend!(@test memory $room $case);)* })* }
        mod on_sqlite { $(mod $room { $(on_every_backend!(@test sqlite $room $case);)* })* }
        mod on_sealed_sqlite { $(mod $room { $(on_every_backend!(@test sealed_sqlite $room $case);)* })* }
        mod on_faulty { $(mod $room { $(on_every_backend!(@test faulty_without_faults $room $case);)* })* }
    };
    (@test $make:ident $room:ident $case:ident) => {
        #[tokio::test]
        async fn $case() {
            let subject = crate::store::conformance::meta::$make();
            crate::store::conformance::meta::$room::$case(&*subject).await;
            // Whatever a case did, it leaves a sound store behind.
            assert_eq!(subject.audit_backend().await.unwrap_or_default(), Vec::<String>::new());
        }
    };
}

on_every_backend! {
    accounts: [
        key_is_read_back
        same_key_again_is_no_error_and_enables_it
        another_secret_under_an_id_is_refused
        another_account_under_an_id_is_refused_and_not_made
        keys_of_one_account_share_it
        disabling_an_unknown_key_is_not_found
        keys_are_listed_in_order_of_id
        session_key_is_read_back
        session_key_needs_an_enabled_key_and_a_free_id
        session_keys_end_with_their_key
        expired_session_keys_are_forgotten_a_few_at_a_time
        bucket_is_read_back
        bucket_name_is_taken_whoever_owns_it
        bucket_needs_an_account
        buckets_are_listed_by_owner_in_pages
        bucket_settings_change
        settings_of_a_missing_bucket_are_not_found
        bucket_with_an_object_or_a_channel_is_not_deleted
        bucket_made_again_is_another_one
        closed_store_is_unavailable
        usage_follows_every_change
        bucket_tags_are_set_and_removed
        bucket_settings_are_set_one_by_one
        bucket_versioning_is_set
    ]
    checksums: [
        checksum_of_every_form_is_kept
        completion_must_come_to_what_its_client_states
        whole_has_no_checksum_that_a_part_lacks
        parts_are_remembered_as_long_as_the_object
        parts_stay_with_a_version_that_is_not_current
        checksum_of_a_put_object_is_kept
    ]
    objects: [
        every_field_is_read_back
        empty_object_has_no_extents
        replacing_takes_the_place
        object_needs_its_bucket
        forbidden_overwrite_is_already_exists
        compare_and_swap_by_etag
        own_acl_is_set_and_removed
        tags_are_set_kept_and_replaced
        deleting_removes_what_is_there
        first_append_makes_an_appendable_object
        append_adds_bytes_digest_and_tag
        append_elsewhere_than_the_end_is_refused
        append_to_another_kind_is_refused
        append_needs_its_bucket
        appends_of_blobs_and_text_keep_their_order
        append_to_an_empty_appendable_object
        append_of_nothing_keeps_the_body
        objects_are_audited_over_buckets_in_pages
    ]
    lifecycle: [
        rules_are_kept_beside_the_bucket_and_go_with_it
        only_what_is_still_as_it_was_seen_expires
        a_move_changes_the_class_alone
        only_versions_that_are_still_as_they_were_seen_expire
    ]
    listing: [
        keys_come_in_byte_order
        prefix_selects
        delimiter_rolls_up
        marker_inside_a_rolled_up_prefix_skips_it
        pages_join_to_the_whole
        last_byte_value_is_no_end
        long_delimiter_and_no_delimiter
        page_of_nothing
        summary_says_what_the_object_says
        other_buckets_are_not_listed
    ]
    blobs: [
        replaced_body_becomes_garbage
        shared_blob_is_garbage_only_after_its_last_name
        blob_named_by_old_and_new_body_stays
        blob_named_twice_in_a_body_is_one
        garbage_named_again_is_none
        taken_garbage_cannot_be_named
        garbage_is_handed_out_oldest_first_until_forgotten
        furthest_range_is_the_state
        refused_commit_leaves_no_trace
    ]
    uploads: [
        every_field_of_an_upload_is_read_back
        upload_needs_its_bucket_and_an_id_of_its_own
        part_needs_its_upload
        parts_are_listed_in_pages
        part_again_takes_the_place
        part_may_name_what_another_names
        taken_garbage_cannot_become_a_part
        completing_makes_the_object_of_the_parts
        completing_leaves_out_what_was_not_chosen
        completing_replaces_the_object
        short_and_neighbouring_extents_are_joined
        empty_parts_make_an_empty_object
        refused_completion_changes_nothing
        completion_is_judged_by_its_condition
        repeated_completion_is_the_same
        repeated_completion_is_forgotten_after_its_time
        other_completion_of_a_completed_upload_is_refused
        aborting_makes_garbage
        aborting_needs_its_upload
        uploads_are_listed_by_key_and_id
        markers_of_a_listing_of_uploads
        delimiter_rolls_up_uploads
        pages_of_uploads_join_to_the_whole
        bucket_with_an_open_upload_is_not_deleted
        parts_are_audited_in_pages
    ]
    versions: [
        each_write_makes_a_version
        a_suspended_bucket_writes_the_null_version_wherever_it_stands
        a_delete_makes_a_marker_and_its_removal_undoes_it
        a_delete_in_a_suspended_bucket_replaces_the_null_version
        removing_the_newest_version_brings_the_one_before_back
        removing_what_is_not_there_is_no_error
        versions_share_blobs_until_the_last_goes
        appending_makes_no_version
        completing_an_upload_makes_a_version
        conditions_are_judged_by_the_current_object
        settings_of_a_version
        a_live_playlist_does_not_pile_up_versions
        a_fragment_stays_indexed_as_long_as_its_key_has_an_object
        versions_are_listed_from_the_newest
        pages_of_versions_join_to_the_whole
        a_listing_goes_on_where_its_marker_is_gone
        versions_roll_up
        usage_counts_versions_and_markers
        bucket_with_a_version_or_a_marker_is_not_deleted
        versions_are_audited_in_pages
    ]
    lock: [
        a_bucket_that_locks_keeps_its_versions
        what_is_retained_is_not_removed_before_its_time
        governance_may_be_bypassed_and_compliance_not
        a_legal_hold_has_no_end
        one_that_is_locked_does_not_keep_the_others
        a_retention_that_holds_is_not_weakened
        new_versions_get_what_their_bucket_says
        what_is_locked_is_neither_replaced_nor_appended_to
        locks_need_an_object
    ]
    rereads: [
        keys_are_read_as_they_are_after_each_change
        buckets_are_read_as_they_are_after_each_change
        objects_are_read_as_they_are_after_each_change
        versions_come_and_go_under_a_key_that_was_read
        live_objects_are_read_as_they_are_after_each_commit
        readers_beside_a_writer_never_go_back
    ]
    kinds: [
        symlink_is_read_back_and_replaced
        bucket_is_made_with_its_settings
        bucket_made_with_lock_keeps_versions
        usage_is_told_by_class
        restore_lasts_until_its_time
        finely_cut_bodies_are_found
        swapped_extents_change_nothing_else
        what_was_appended_meanwhile_stays_behind_swapped_extents
        refused_swaps_change_nothing
        quota_of_bytes_is_kept_by_every_write
        quota_of_objects_is_kept_by_every_write
        quota_refuses_a_fragment_with_its_playlist
        usage_by_class_counts_versions
        swapped_extents_keep_the_parts_of_an_upload
        quota_counts_versions
    ]
    channels: [
        channel_is_read_back
        put_again_keeps_the_creation_time
        only_if_absent_refuses_an_existing_one
        channel_needs_its_bucket
        live_channel_is_neither_put_nor_deleted
        status_changes_also_while_live
        channels_are_listed_in_byte_order_and_counted
        buckets_that_hold_a_channel
        deleting_a_channel_keeps_objects_names_and_windows
        deleting_a_missing_channel_is_no_error
    ]
    live: [
        claim_needs_an_enabled_channel
        claim_gives_growing_epochs
        claimed_channel_is_live
        repeated_claim_is_the_same
        fragment_and_playlist_appear_together
        stale_owner_cannot_commit
        taken_key_is_not_overwritten
        name_is_never_given_again
        last_fragment_outlives_its_object_and_its_channel
        sequence_never_goes_back
        keys_must_follow_names
        repeated_commit_is_answered_as_done
        claim_resumes_names_sequence_and_window
        each_playlist_has_its_own_window
        ended_connection_is_history
        stale_end_is_refused_and_a_repeated_one_changes_nothing
        history_keeps_the_newest
        fragments_of_a_range
        fragment_row_goes_with_its_object
        fragment_row_stays_when_its_object_is_overwritten
        lost_connections_end_at_their_last_fragment
        replaced_playlist_blob_becomes_garbage
        windows_are_audited
    ]
}
