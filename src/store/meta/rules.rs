//! What every metadata backend must decide alike: pure functions over records, so that backends cannot drift apart.

use bytes::BytesMut;
use md5::{Digest, Md5};

use crate::clock::Wall;
use crate::limits::{COMPACTED_BYTES_MAX, COMPLETED_UPLOAD_KEPT, FINELY_CUT_PAIRS, INLINE_BYTES_MAX};
use crate::store::compaction::short_pairs;
use crate::store::{
    AccessKeyRecord, BlobId, BucketQuota, BucketSetting, BucketSettings, ChannelName, Checksum, ChecksumForm,
    ChecksumType, CompleteCommit, CompletedUpload, ETag, ExpectedObject, Extent, ExtentSwap, FragmentCommit,
    ListedPart, LockChange, NewSessionKey, ObjectAttributes, ObjectChecksum, ObjectKey, ObjectKind, ObjectPart,
    ObjectRecord, Page, PartChoice, PartSummary, Result, Retention, RetentionMode, SessionKeyRecord, StorageClass,
    StoreError, UploadRecord, VersionId, VersionName, Versioning, What, WriteCondition, digest,
};

/// The common prefix that `key` rolls up into: everything up to and including the first delimiter behind `prefix`.
/// `None` when the key stands for itself. `key` begins with `prefix`.
pub(super) fn rolled_up<'a>(key: &'a [u8], prefix: &[u8], delimiter: Option<&[u8]>) -> Option<&'a [u8]> {
    let delimiter = delimiter.filter(|d| !d.is_empty())?;
    let at = key.get(prefix.len()..)?.windows(delimiter.len()).position(|w| w == delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

/// The smallest byte string that is greater than everything that begins with `prefix`; `None` when there is none
/// (nothing, or only 0xff).
pub(super) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|b| *b != 0xff)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}

/// The credential as it is kept and given back.
pub(super) fn session_key(parent: AccessKeyRecord, session: NewSessionKey, now: Wall) -> SessionKeyRecord {
    let NewSessionKey { id, secret, token_sha256, expires, policy } = session;
    SessionKeyRecord { id, secret, token_sha256, parent, created: now, expires, policy }
}

/// Cuts a list that was read one entry beyond `limit` to a page.
pub(super) fn page<T>(mut entries: Vec<T>, limit: usize) -> Page<T> {
    // A page of nothing says nothing of what follows: its reader could not go on from it.
    let truncated = limit > 0 && entries.len() > limit;
    entries.truncate(limit);
    Page { entries, truncated }
}

/// Judges a write's condition against the object that it would replace.
pub(super) fn check_condition(condition: WriteCondition, present: Option<ETag>) -> Result<()> {
    match condition {
        WriteCondition::IfAbsent if present.is_some() => Err(StoreError::AlreadyExists(What::Object)),
        WriteCondition::IfETag(etag) if present != Some(etag) => Err(StoreError::PreconditionFailed),
        WriteCondition::Always | WriteCondition::IfAbsent | WriteCondition::IfETag(_) => Ok(()),
    }
}

/// The identity that a write or a marker gets: the fresh one only where each makes a version.
pub(super) fn version_of_write(versioning: Versioning, fresh: Option<VersionId>) -> Option<VersionId> {
    match versioning {
        Versioning::Enabled => fresh,
        Versioning::Never | Versioning::Suspended => None,
    }
}

/// Judges a change of whether versions are kept: what was kept is never again treated as if there were none.
/// Locks hang on versions, so a bucket that has locks keeps both.
pub(super) fn check_versioning(present: Versioning, settings: &BucketSettings, wanted: Versioning) -> Result<()> {
    match (present, wanted) {
        (Versioning::Enabled | Versioning::Suspended, Versioning::Never) => Err(StoreError::PreconditionFailed),
        (_, Versioning::Suspended) if settings.object_lock.is_some() => Err(StoreError::PreconditionFailed),
        _ => Ok(()),
    }
}

/// Whether a bucket that is made with these settings keeps versions: locks hang on them.
pub(super) fn versioning_of_new(settings: &BucketSettings) -> Versioning {
    if settings.object_lock.is_some() { Versioning::Enabled } else { Versioning::default() }
}

/// Judges a setting by what the bucket is.
pub(super) fn check_setting(versioning: Versioning, setting: &BucketSetting) -> Result<()> {
    match setting {
        BucketSetting::ObjectLock(_) if versioning != Versioning::Enabled => Err(StoreError::PreconditionFailed),
        _ => Ok(()),
    }
}

/// Judges whether a version may be removed, replaced or appended to.
pub(super) fn check_lock(attributes: &ObjectAttributes, bypass_governance: bool, now: Wall) -> Result<()> {
    let is_retained = attributes.retention.is_some_and(|retention| {
        retention.holds(now) && !(bypass_governance && retention.mode == RetentionMode::Governance)
    });
    if is_retained || attributes.legal_hold == Some(true) { Err(StoreError::Locked) } else { Ok(()) }
}

/// The attributes after a change of the locks. A retention that holds may be prolonged; to shorten or end it, or to change
/// its mode, governance must be bypassed, and compliance cannot be.
pub(super) fn relocked(
    attributes: ObjectAttributes,
    change: LockChange,
    bypass_governance: bool,
    now: Wall,
) -> Result<ObjectAttributes> {
    let wanted = match change {
        LockChange::LegalHold(held) => return Ok(ObjectAttributes { legal_hold: Some(held), ..attributes }),
        LockChange::Retention(wanted) => wanted,
    };
    if let Some(present) = attributes.retention.filter(|present| present.holds(now)) {
        let prolongs = |wanted: Retention| wanted.mode == present.mode && wanted.until_ms >= present.until_ms;
        let may_weaken = bypass_governance && present.mode == RetentionMode::Governance;
        if !may_weaken && !wanted.is_some_and(prolongs) {
            return Err(StoreError::Locked);
        }
    }
    Ok(ObjectAttributes { retention: wanted, ..attributes })
}

/// A new version as its bucket retains it.
pub(super) fn retained(mut object: ObjectRecord, settings: &BucketSettings) -> ObjectRecord {
    if object.attributes.retention.is_none()
        && let Some(default) = settings.object_lock.and_then(|lock| lock.default_retention)
    {
        object.attributes.retention = Some(default.from(object.last_modified));
    }
    object
}

/// Whether a version is older than one of its key that is gone, as far as that one's name still tells.
pub(super) fn is_older(version: Option<VersionId>, modified: Wall, gone: VersionName) -> bool {
    match (version, gone) {
        (_, VersionName::Null) => true,
        (Some(version), VersionName::Id(gone)) => version < gone,
        (None, VersionName::Id(gone)) => modified <= gone.created(),
    }
}

/// The blobs that a body names, each as often as it does.
pub(super) fn blobs_of(extents: &[Extent]) -> impl Iterator<Item = BlobId> + '_ {
    extents.iter().filter_map(|extent| match extent {
        Extent::Blob { id, .. } => Some(*id),
        Extent::Inline(_) => None,
    })
}

/// The object after an append, or the error that refuses it. `present` is what stands under the key.
///
/// The entity tag of an appendable object is opaque to clients, and no digest of the whole can be had without reading
/// it again. It takes the multipart form: each append makes the digest MD5(old digest, digest of what is appended) and
/// counts one part more, so it changes with every append and never passes for the body's MD5.
pub(super) fn appended(
    present: Option<ObjectRecord>,
    first: ObjectRecord,
    position: u64,
    now: Wall,
) -> Result<ObjectRecord> {
    let Some(mut object) = present else {
        if position != 0 {
            return Err(StoreError::PositionNotLength(0));
        }
        return Ok(ObjectRecord { kind: ObjectKind::Appendable, last_modified: now, ..first });
    };
    if object.kind != ObjectKind::Appendable {
        return Err(StoreError::NotAppendable);
    }
    if position != object.size {
        return Err(StoreError::PositionNotLength(object.size));
    }
    let digest = Md5::new().chain_update(object.etag.digest).chain_update(first.etag.digest).finalize();
    object.etag = ETag { digest: digest.into(), parts: Some(object.etag.parts.unwrap_or(1).saturating_add(1)) };
    object.crc64 = digest::combine(object.crc64, first.crc64, first.size);
    object.size = object.size.checked_add(first.size).ok_or(StoreError::TooLarge)?;
    object.content_md5 = None;
    object.attributes.checksum = None;
    object.last_modified = now;
    for extent in first.extents {
        push_extent(&mut object.extents, extent);
    }
    Ok(object)
}

/// Adds an extent; a short inline one is joined to the inline one before it, so that a log of small appends does not
/// grow a row for every line, and a range of a blob to the range that ends where it begins.
fn push_extent(extents: &mut Vec<Extent>, extent: Extent) {
    if let (Some(Extent::Inline(last)), Extent::Inline(more)) = (extents.last_mut(), &extent)
        && last.len() + more.len() <= INLINE_BYTES_MAX
    {
        let mut joined = BytesMut::with_capacity(last.len() + more.len());
        joined.extend_from_slice(last);
        joined.extend_from_slice(more);
        *last = joined.freeze();
        return;
    }
    if let (Some(Extent::Blob { id, offset, length }), Extent::Blob { id: next, offset: begin, length: more }) =
        (extents.last_mut(), &extent)
        && *id == *next
        && offset.checked_add(*length) == Some(*begin)
        && let Some(sum) = length.checked_add(*more)
    {
        *length = sum;
        return;
    }
    extents.push(extent);
}

/// The attributes of an object after a restore until `until`, and whether its bytes were readable before it.
pub(super) fn restored(
    class: StorageClass,
    attributes: ObjectAttributes,
    until: Wall,
    now: Wall,
) -> Result<(ObjectAttributes, bool)> {
    if !class.needs_restore() {
        return Err(StoreError::NotArchived);
    }
    let before = attributes.restored_until().filter(|before| now < *before);
    let until = before.map_or(until, |before| before.max(until));
    Ok((ObjectAttributes { restored_until_ms: Some(until.0), ..attributes }, before.is_some()))
}

/// Whether a body is worth writing anew.
pub(super) fn is_finely_cut(object: &ObjectRecord) -> bool {
    object.size <= COMPACTED_BYTES_MAX && short_pairs(&object.extents) >= FINELY_CUT_PAIRS
}

/// The object with other extents for the same bytes; `None` when its body does not begin as it did.
pub(super) fn swapped(present: ObjectRecord, swap: &ExtentSwap) -> Result<Option<ObjectRecord>> {
    let length = |extents: &[Extent]| extents.iter().map(Extent::length).sum::<u64>();
    if length(&swap.before) != length(&swap.after) {
        return Err(StoreError::Corrupt("other extents than those they replace".into()));
    }
    let Some(rest) = present.extents.strip_prefix(&swap.before[..]) else { return Ok(None) };
    let extents = [&swap.after[..], rest].concat();
    Ok(Some(ObjectRecord { extents, ..present }))
}

/// What a bucket holds after a change, and whether the change made it more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Growth {
    /// Objects afterwards.
    pub objects: u64,
    /// Bytes of objects and parts afterwards.
    pub bytes: u64,
    /// Objects were added.
    pub more_objects: bool,
    /// Bytes were added.
    pub more_bytes: bool,
}

/// Judges a change by the bucket's quota. What makes it hold less is always allowed.
pub(super) fn check_quota(quota: BucketQuota, growth: Growth) -> Result<()> {
    let over = |more: bool, now: u64, max: Option<u64>| more && max.is_some_and(|max| now > max);
    if over(growth.more_objects, growth.objects, quota.objects) || over(growth.more_bytes, growth.bytes, quota.bytes) {
        return Err(StoreError::OverQuota);
    }
    Ok(())
}

/// The parts that `choice` names out of those that were `uploaded` (in order of number), judged by every rule of a
/// completion.
pub(super) fn chosen_parts(
    choice: &PartChoice,
    uploaded: &[PartSummary],
    part_bytes_min: u64,
) -> Result<Vec<PartSummary>> {
    let chosen = match choice {
        PartChoice::All => uploaded.to_vec(),
        PartChoice::Listed(listed) => {
            if listed.windows(2).any(|pair| pair[0].number >= pair[1].number) {
                return Err(StoreError::InvalidPartOrder);
            }
            let find = |wanted: &ListedPart| {
                let at = uploaded.binary_search_by_key(&wanted.number, |part| part.number).ok();
                let part = at.map(|at| uploaded[at]).filter(|part| wanted.md5 == Some(part.md5));
                let part = part.filter(|part| wanted.checksum.is_none_or(|checksum| part.checksum == Some(checksum)));
                part.ok_or(StoreError::InvalidPart(wanted.number))
            };
            listed.iter().map(find).collect::<Result<_>>()?
        }
    };
    let Some((_, all_but_last)) = chosen.split_last() else { return Err(StoreError::InvalidPart(1)) };
    match all_but_last.iter().find(|part| part.size < part_bytes_min) {
        Some(part) => Err(StoreError::PartTooSmall { number: part.number, size: part.size, md5: part.md5 }),
        None => Ok(chosen),
    }
}

/// The entity tag of parts with these digests, as S3 makes it: the MD5 of the digests, and how many they are.
pub(super) fn multipart_etag(digests: impl Iterator<Item = [u8; 16]>) -> ETag {
    let (mut md5, mut parts) = (Md5::new(), 0u32);
    for digest in digests {
        md5.update(digest);
        parts += 1;
    }
    ETag { digest: md5.finalize().into(), parts: Some(parts) }
}

/// The object that an upload becomes. `extents` are those of the chosen parts, in order. `SizeMismatch`,
/// `DigestMismatch`.
pub(super) fn completed_object(
    upload: UploadRecord,
    parts: &[PartSummary],
    expected: &ExpectedObject,
    extents: impl Iterator<Item = Extent>,
    version: Option<VersionId>,
    now: Wall,
) -> Result<ObjectRecord> {
    let mut joined = Vec::new();
    extents.for_each(|extent| push_extent(&mut joined, extent));
    let (mut size, mut crc64) = (0u64, digest::Crc64::new().value());
    for part in parts {
        size = size.checked_add(part.size).ok_or(StoreError::TooLarge)?;
        crc64 = digest::combine(crc64, part.crc64, part.size);
    }
    let mut attributes = upload.attributes;
    attributes.checksum = completed_checksum(upload.checksum, parts, expected, size)?;
    Ok(ObjectRecord {
        bucket: upload.bucket,
        key: upload.key,
        kind: ObjectKind::Multipart,
        size,
        etag: multipart_etag(parts.iter().map(|part| part.md5)),
        crc64,
        content_md5: None,
        last_modified: now,
        acl: upload.acl,
        headers: upload.headers,
        user_metadata: upload.user_metadata,
        tags: upload.tags,
        storage_class: upload.storage_class,
        attributes,
        version,
        extents: joined,
    })
}

/// The checksum of an object that these parts make, when it is the expected one. What an upload was not begun with, its
/// end may still ask for: the parts may have it by the way they were sent.
fn completed_checksum(
    form: Option<ChecksumForm>,
    parts: &[PartSummary],
    expected: &ExpectedObject,
    size: u64,
) -> Result<Option<ObjectChecksum>> {
    if let Some(stated) = expected.size.filter(|stated| *stated != size) {
        return Err(StoreError::SizeMismatch { stated, actual: size });
    }
    let asked = |checksum: Checksum| ChecksumForm { algorithm: checksum.algorithm(), kind: ChecksumType::FullObject };
    let of: Vec<_> = parts.iter().map(|part| (part.checksum, part.size)).collect();
    let checksum = form.or(expected.checksum.map(asked)).and_then(|form| ObjectChecksum::of_parts(form, &of));
    match expected.checksum {
        Some(expected) if checksum.map(|checksum| checksum.value) != Some(expected) => Err(StoreError::DigestMismatch),
        _ => Ok(checksum),
    }
}

/// What is remembered of the parts that an object was made of.
pub(super) fn object_parts(parts: &[PartSummary]) -> Vec<ObjectPart> {
    let algorithm = parts.first().and_then(|part| part.checksum).map(|checksum| checksum.algorithm());
    let all = parts.iter().all(|part| part.checksum.map(|checksum| checksum.algorithm()) == algorithm);
    let of = |part: &PartSummary| ObjectPart { size: part.size, checksum: part.checksum.filter(|_| all) };
    parts.iter().map(of).collect()
}

/// What is remembered of an upload that became `object`.
pub(super) fn completed_upload(object: &ObjectRecord) -> CompletedUpload {
    CompletedUpload {
        bucket: object.bucket,
        key: object.key.clone(),
        size: object.size,
        etag: object.etag,
        crc64: object.crc64,
        checksum: object.attributes.checksum,
        completed: object.last_modified,
        version: object.version,
    }
}

/// The answer to a completion of an upload that is not open: what it came to when this is the same request again, as far
/// as can be told from the parts' digests.
pub(super) fn repeated_completion(
    commit: &CompleteCommit,
    completed: Option<CompletedUpload>,
    now: Wall,
) -> Result<CompletedUpload> {
    let is_same = |done: &CompletedUpload| {
        let is_recent = now.0.saturating_sub(done.completed.0) <= completed_upload_kept_ms();
        let same_parts = match &commit.parts {
            PartChoice::All => true,
            PartChoice::Listed(listed) => {
                let digests: Option<Vec<_>> = listed.iter().map(|part| part.md5).collect();
                digests.is_some_and(|digests| multipart_etag(digests.into_iter()) == done.etag)
            }
        };
        is_recent && same_parts && done.bucket == commit.bucket && done.key == commit.key
    };
    completed.filter(is_same).ok_or(StoreError::NotFound(What::Upload))
}

/// `limits::COMPLETED_UPLOAD_KEPT` in milliseconds.
pub(super) fn completed_upload_kept_ms() -> i64 {
    i64::try_from(COMPLETED_UPLOAD_KEPT.as_millis()).expect("a day")
}

/// The key of a channel's fragment.
pub(super) fn fragment_key(channel: &ChannelName, name_ms: i64) -> ObjectKey {
    ObjectKey::in_channel(channel, &format!("{name_ms}.ts"))
}

/// The channel and name that a key would have as a fragment; `None` when no fragment can have this key.
pub(super) fn fragment_of(key: &ObjectKey) -> Option<(ChannelName, i64)> {
    let text = std::str::from_utf8(key.as_bytes()).ok()?;
    let (channel, file) = text.split_once('/')?;
    let name_ms = file.strip_suffix(".ts")?.parse::<i64>().ok()?;
    let channel = ChannelName::new(channel)?;
    // Only the form that was written: `+5.ts` and `05.ts` parse too.
    (fragment_key(&channel, name_ms) == *key).then_some((channel, name_ms))
}

/// A fragment's keys follow from its names; a commit in which they do not is refused before it changes anything.
pub(super) fn check_fragment_commit(commit: &FragmentCommit) -> Result<()> {
    let sound = commit.object.bucket == commit.bucket
        && commit.playlist.bucket == commit.bucket
        && commit.object.key == fragment_key(&commit.channel, commit.fragment.name_ms)
        && commit.playlist.key == ObjectKey::in_channel(&commit.channel, &commit.playlist_name);
    if sound { Ok(()) } else { Err(StoreError::Corrupt("a fragment's keys do not follow its names".into())) }
}

/// What a channel remembers over connections, and over its own deletion (I7).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LiveState {
    /// Of the newest claim; 0 before the first.
    pub epoch: u64,
    /// Newest fragment name ever given.
    pub last_name_ms: Option<i64>,
    /// Sequence number of the next fragment.
    pub next_sequence: u64,
}

impl LiveState {
    /// Name and number of the newest fragment.
    pub(super) fn last_fragment(self) -> Option<(i64, u64)> {
        Some((self.last_name_ms?, self.next_sequence.checked_sub(1)?))
    }
}

/// Judges a fragment's name and number. A name that is not newer than every earlier one may have been given before,
/// also when its object is gone: it counts as taken.
pub(super) fn check_fragment_order(commit: &FragmentCommit, live: LiveState, key_is_taken: bool) -> Result<()> {
    if key_is_taken || live.last_name_ms.is_some_and(|last| commit.fragment.name_ms <= last) {
        return Err(StoreError::AlreadyExists(What::Object));
    }
    if commit.fragment.sequence < live.next_sequence {
        return Err(StoreError::Corrupt(format!(
            "fragment sequence {} goes back behind {}",
            commit.fragment.sequence, live.next_sequence
        )));
    }
    Ok(())
}

/// The error of every call after `close`.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("the metadata store is closed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_up_at_the_first_delimiter_behind_the_prefix() {
        for (key, prefix, delimiter, expected) in [
            ("a/b/c", "", Some("/"), Some("a/")),
            ("a/b/c", "a/", Some("/"), Some("a/b/")),
            ("a/b", "a/", Some("/"), None),
            ("a/b", "", None, None),
            ("a/b", "", Some(""), None),
            ("a--b-c", "", Some("--"), Some("a--")),
            ("a/", "a/", Some("/"), None),
            ("aa", "a", Some("aa"), None),
        ] {
            let got = rolled_up(key.as_bytes(), prefix.as_bytes(), delimiter.map(str::as_bytes));
            assert_eq!(got, expected.map(str::as_bytes), "{key} {prefix} {delimiter:?}");
        }
    }

    #[test]
    fn successor_is_past_everything_with_the_prefix() {
        assert_eq!(successor(b"a/"), Some(b"a0".to_vec()));
        assert_eq!(successor(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(successor(b"\xff"), None);
        assert_eq!(successor(b""), None);
    }

    #[test]
    fn only_the_written_form_of_a_fragment_key_is_one() {
        let fragment = |key: &[u8]| fragment_of(&ObjectKey::new(key).expect("a key")).map(|(c, n)| (c.to_string(), n));
        assert_eq!(fragment(b"cam/1700000000000.ts"), Some(("cam".into(), 1_700_000_000_000)));
        for other in [&b"cam/+5.ts"[..], b"cam/05.ts", b"cam/5.m3u8", b"cam/x/5.ts", b"5.ts", b"/5.ts", b"\xff/5.ts"] {
            assert_eq!(fragment(other), None, "{other:?}");
        }
    }

    #[test]
    fn short_inline_appends_share_an_extent() {
        let mut extents = Vec::new();
        for size in [10, 20, INLINE_BYTES_MAX - 30, 1] {
            push_extent(&mut extents, Extent::Inline(vec![7; size].into()));
        }
        assert_eq!(extents.iter().map(Extent::length).collect::<Vec<_>>(), [INLINE_BYTES_MAX as u64, 1]);
    }
    #[test]
    fn neighbouring_ranges_of_a_blob_are_one() {
        let range = |id, offset, length| Extent::Blob { id: BlobId(id), offset, length };
        let mut extents = Vec::new();
        for extent in [range(1, 0, 5), range(1, 5, 5), range(1, 11, 1), range(2, 12, 1), range(2, 0, 1)] {
            push_extent(&mut extents, extent);
        }
        assert_eq!(extents, [range(1, 0, 10), range(1, 11, 1), range(2, 12, 1), range(2, 0, 1)]);
    }

    fn part(number: u32, size: u64) -> PartSummary {
        let md5 = [number.to_le_bytes()[0]; 16];
        PartSummary { number, size, md5, crc64: 0, checksum: None, last_modified: Wall(0) }
    }

    fn listed(numbers: &[u32]) -> PartChoice {
        let listed = |number: &u32| ListedPart { number: *number, md5: Some(part(*number, 0).md5), checksum: None };
        PartChoice::Listed(numbers.iter().map(listed).collect())
    }

    #[test]
    fn parts_are_chosen_by_number_and_digest() {
        let uploaded = [part(1, 100), part(3, 100), part(9, 5)];
        let numbers = |choice: &PartChoice, min| {
            chosen_parts(choice, &uploaded, min).map(|parts| parts.iter().map(|p| p.number).collect::<Vec<_>>())
        };
        assert_eq!(numbers(&PartChoice::All, 100), Ok(vec![1, 3, 9]));
        assert_eq!(numbers(&listed(&[1, 9]), 100), Ok(vec![1, 9]));
        assert_eq!(numbers(&listed(&[9]), 100), Ok(vec![9]), "the last may be short");
        assert_eq!(numbers(&listed(&[3, 1]), 0), Err(StoreError::InvalidPartOrder));
        assert_eq!(numbers(&listed(&[1, 1]), 0), Err(StoreError::InvalidPartOrder));
        assert_eq!(numbers(&listed(&[1, 2]), 0), Err(StoreError::InvalidPart(2)));
        assert_eq!(numbers(&listed(&[]), 0), Err(StoreError::InvalidPart(1)));
        for md5 in [None, Some([7; 16])] {
            let other = PartChoice::Listed(vec![ListedPart { number: 1, md5, checksum: None }]);
            assert_eq!(numbers(&other, 0), Err(StoreError::InvalidPart(1)));
        }
        let small = StoreError::PartTooSmall { number: 1, size: 100, md5: uploaded[0].md5 };
        assert_eq!(numbers(&PartChoice::All, 101), Err(small));
        assert_eq!(chosen_parts(&PartChoice::All, &[], 0), Err(StoreError::InvalidPart(1)));
    }

    #[test]
    fn the_tag_is_the_one_that_s3_makes() {
        // md5sum of two parts "a" and "b", their 32 bytes through md5sum again.
        let digest = |text: &str| -> [u8; 16] { Md5::digest(text).into() };
        let etag = multipart_etag([digest("a"), digest("b")].into_iter());
        assert_eq!(etag.to_lower_hex(), "96e024ba2074fe77e8e965ba43a704be-2");
    }
}
