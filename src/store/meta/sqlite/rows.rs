//! Between records and columns. The meaning of every column stands in `migrations/sqlite`.

use bytes::Bytes;
use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Sql, corrupt};
use crate::clock::Wall;
use crate::store::*;

/// A count or length as SQLite holds it. Nothing that we store comes near the limit.
pub(super) fn int(value: u64) -> Sql<i64> {
    i64::try_from(value).map_err(|_| StoreError::TooLarge.into())
}

/// A count or length as it was stored.
pub(super) fn uint(row: &Row<'_>, column: usize) -> Sql<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| corrupt(format!("column {column} is negative")))
}

/// A stored number that must fit 32 bits.
pub(super) fn uint32(row: &Row<'_>, column: usize) -> Sql<u32> {
    Ok(row.get::<_, u32>(column)?)
}

/// How many rows to read at most.
pub(super) fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A time.
pub(super) fn wall(row: &Row<'_>, column: usize) -> Sql<Wall> {
    Ok(Wall(row.get(column)?))
}

/// Exactly 16 bytes.
pub(super) fn bytes16(row: &Row<'_>, column: usize) -> Sql<[u8; 16]> {
    Ok(row.get(column)?)
}

/// A blob id.
pub(super) fn blob_id(row: &Row<'_>, column: usize) -> Sql<BlobId> {
    Ok(BlobId(u128::from_be_bytes(bytes16(row, column)?)))
}

/// A blob id's column.
pub(super) fn blob_bytes(id: BlobId) -> [u8; 16] {
    id.0.to_be_bytes()
}

fn opaque(row: &Row<'_>, column: usize) -> Sql<Option<Bytes>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(bytes) => Ok(Some(Bytes::copy_from_slice(bytes))),
        other => Err(corrupt(format!("column {column} holds {}", other.data_type()))),
    }
}

pub(super) fn acl_code(acl: Acl) -> i64 {
    match acl {
        Acl::Private => 0,
        Acl::PublicRead => 1,
        Acl::PublicReadWrite => 2,
    }
}

pub(super) fn acl(code: i64) -> Sql<Acl> {
    match code {
        0 => Ok(Acl::Private),
        1 => Ok(Acl::PublicRead),
        2 => Ok(Acl::PublicReadWrite),
        other => Err(corrupt(format!("ACL {other}"))),
    }
}

pub(super) fn kind_code(kind: ObjectKind) -> i64 {
    match kind {
        ObjectKind::Normal => 0,
        ObjectKind::Multipart => 1,
        ObjectKind::Appendable => 2,
        ObjectKind::Symlink => 3,
    }
}

pub(super) fn versioning_code(versioning: Versioning) -> i64 {
    match versioning {
        Versioning::Never => 0,
        Versioning::Enabled => 1,
        Versioning::Suspended => 2,
    }
}

pub(super) fn versioning(code: i64) -> Sql<Versioning> {
    match code {
        0 => Ok(Versioning::Never),
        1 => Ok(Versioning::Enabled),
        2 => Ok(Versioning::Suspended),
        other => Err(corrupt(format!("versioning {other}"))),
    }
}

/// A version's identity; `None` is the null version's.
pub(super) fn version_id(row: &Row<'_>, column: usize) -> Sql<Option<VersionId>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(|bytes| VersionId(u128::from_be_bytes(bytes))))
}

/// A version id's column.
pub(super) fn version_bytes(id: Option<VersionId>) -> Option<[u8; 16]> {
    id.map(|id| id.0.to_be_bytes())
}

pub(super) fn storage_class_code(class: StorageClass) -> i64 {
    match class {
        StorageClass::Standard => 0,
        StorageClass::InfrequentAccess => 1,
        StorageClass::Archive => 2,
        StorageClass::ColdArchive => 3,
        StorageClass::DeepColdArchive => 4,
    }
}

pub(super) fn storage_class(code: i64) -> Sql<StorageClass> {
    match code {
        0 => Ok(StorageClass::Standard),
        1 => Ok(StorageClass::InfrequentAccess),
        2 => Ok(StorageClass::Archive),
        3 => Ok(StorageClass::ColdArchive),
        4 => Ok(StorageClass::DeepColdArchive),
        other => Err(corrupt(format!("storage class {other}"))),
    }
}

fn kind(code: i64) -> Sql<ObjectKind> {
    match code {
        0 => Ok(ObjectKind::Normal),
        1 => Ok(ObjectKind::Multipart),
        2 => Ok(ObjectKind::Appendable),
        3 => Ok(ObjectKind::Symlink),
        other => Err(corrupt(format!("object kind {other}"))),
    }
}

fn cause(text: &str) -> Sql<TerminationCause> {
    use TerminationCause::*;
    [
        Unpublished,
        ConnectionLost,
        Timeout,
        Disabled,
        KeyDisabled,
        ProtocolError,
        StorageError,
        ServiceShutdown,
        ServiceLost,
    ]
    .into_iter()
    .find(|cause| cause.as_str() == text)
    .ok_or_else(|| corrupt(format!("termination cause {text:?}")))
}

/// A value kept as JSON text.
pub(super) fn to_json(value: &impl Serialize) -> Sql<String> {
    serde_json::to_string(value).map_err(|e| corrupt(format!("cannot be written as JSON: {e}")))
}

/// A value kept as JSON text; the default is NULL.
pub(super) fn json_unless_default<T: Serialize + Default + PartialEq>(value: &T) -> Sql<Option<String>> {
    (*value != T::default()).then(|| to_json(value)).transpose()
}

/// A value that was kept as JSON text.
pub(super) fn json_or_default<T: DeserializeOwned + Default>(row: &Row<'_>, column: usize) -> Sql<T> {
    row.get::<_, Option<String>>(column)?.map_or_else(|| Ok(T::default()), |text| from_json(&text))
}

/// A set of tags as it is stored; none is NULL.
pub(super) fn tags_text(tags: &[Tag]) -> Sql<Option<String>> {
    (!tags.is_empty()).then(|| to_json(&tags)).transpose()
}

/// Of `bucket.settings`.
pub(super) fn settings(row: &Row<'_>, column: usize) -> Sql<BucketSettings> {
    json_or_default(row, column)
}

fn from_json<T: DeserializeOwned>(text: &str) -> Sql<T> {
    serde_json::from_str(text).map_err(|e| corrupt(format!("stored JSON: {e}")))
}

/// See `object.user_metadata`.
pub(super) fn pack_user_metadata(entries: &[(String, Bytes)]) -> Sql<Option<Vec<u8>>> {
    if entries.is_empty() {
        return Ok(None);
    }
    let mut packed = Vec::new();
    for (name, value) in entries {
        let name_length = u16::try_from(name.len()).map_err(|_| StoreError::TooLarge)?;
        let value_length = u32::try_from(value.len()).map_err(|_| StoreError::TooLarge)?;
        packed.extend_from_slice(&name_length.to_le_bytes());
        packed.extend_from_slice(name.as_bytes());
        packed.extend_from_slice(&value_length.to_le_bytes());
        packed.extend_from_slice(value);
    }
    Ok(Some(packed))
}

/// User metadata as it was packed.
fn user_metadata(row: &Row<'_>, column: usize) -> Sql<Vec<(String, Bytes)>> {
    let Some(packed) = opaque(row, column)? else { return Ok(Vec::new()) };
    unpack_user_metadata(packed).ok_or_else(|| corrupt("user metadata"))
}

/// Six columns in the order of the schema, from `first` on.
fn content_headers(row: &Row<'_>, first: usize) -> Sql<ContentHeaders> {
    Ok(ContentHeaders {
        content_type: opaque(row, first)?,
        cache_control: opaque(row, first + 1)?,
        content_disposition: opaque(row, first + 2)?,
        content_encoding: opaque(row, first + 3)?,
        content_language: opaque(row, first + 4)?,
        expires: opaque(row, first + 5)?,
    })
}

fn unpack_user_metadata(packed: Bytes) -> Option<Vec<(String, Bytes)>> {
    let mut rest = packed;
    let mut take = |length: usize| (rest.len() >= length).then(|| rest.split_to(length));
    let mut entries = Vec::new();
    while let Some(length) = take(2) {
        let name = take(usize::from(u16::from_le_bytes(length[..].try_into().ok()?)))?;
        let length = take(4)?;
        let value = take(u32::from_le_bytes(length[..].try_into().ok()?) as usize)?;
        entries.push((String::from_utf8(name.to_vec()).ok()?, value));
    }
    rest.is_empty().then_some(entries)
}

/// Bytes of one packed window entry.
const WINDOW_ENTRY_BYTES: usize = 17;

/// See `playlist_window.entries`.
pub(super) fn pack_window(entries: &[WindowEntry]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(entries.len() * WINDOW_ENTRY_BYTES);
    for entry in entries {
        packed.extend_from_slice(&entry.name_ms.to_le_bytes());
        packed.extend_from_slice(&entry.duration.0.to_le_bytes());
        packed.push(u8::from(entry.discontinuity));
    }
    packed
}

fn unpack_window(packed: &[u8]) -> Sql<Vec<WindowEntry>> {
    let (entries, rest) = packed.as_chunks::<WINDOW_ENTRY_BYTES>();
    if !rest.is_empty() {
        return Err(corrupt("a playlist window ends within an entry"));
    }
    let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("eight bytes of seventeen"));
    Ok(entries
        .iter()
        .map(|e| WindowEntry {
            name_ms: number(&e[..8]),
            duration: MediaTime(number(&e[8..16])),
            discontinuity: e[16] != 0,
        })
        .collect())
}

/// Of `k.id, open_secret(k.secret, k.id), k.account, a.name, k.enabled, k.created_ms`.
pub(super) fn access_key(row: &Row<'_>) -> Sql<AccessKeyRecord> {
    Ok(AccessKeyRecord {
        id: row.get(0)?,
        secret: row.get(1)?,
        account: AccountId(row.get(2)?),
        account_name: row.get(3)?,
        enabled: row.get(4)?,
        created: wall(row, 5)?,
    })
}

/// Of `b.id, b.name, b.owner, a.name, b.acl, b.created_ms, b.cors, b.tags, b.versioning, b.settings`.
pub(super) fn bucket(row: &Row<'_>) -> Sql<BucketRecord> {
    let name: String = row.get(1)?;
    Ok(BucketRecord {
        id: BucketId(row.get(0)?),
        name: BucketName::new(&name).ok_or_else(|| corrupt(format!("bucket name {name:?}")))?,
        owner: AccountId(row.get(2)?),
        owner_name: row.get(3)?,
        acl: acl(row.get(4)?)?,
        created: wall(row, 5)?,
        cors: json_or_default(row, 6)?,
        tags: json_or_default(row, 7)?,
        versioning: versioning(row.get(8)?)?,
        settings: settings(row, 9)?,
    })
}

/// Columns that [`summary`] reads.
pub(super) const SUMMARY_COLUMNS: &str = "key, kind, size, modified_ms, etag, etag_parts, storage_class";

pub(super) fn object_key(bytes: &[u8]) -> Sql<ObjectKey> {
    ObjectKey::new(bytes).ok_or_else(|| corrupt("an object's key is empty or too long"))
}

/// The key is read by the caller, who compares it first.
pub(super) fn summary(row: &Row<'_>, key: ObjectKey) -> Sql<ObjectSummary> {
    Ok(ObjectSummary {
        key,
        kind: kind(row.get(1)?)?,
        size: uint(row, 2)?,
        last_modified: wall(row, 3)?,
        etag: ETag { digest: bytes16(row, 4)?, parts: row.get(5)? },
        storage_class: storage_class(row.get(6)?)?,
        // These stand behind what may be long: a listing reads them, see [`listed`].
        checksum: None,
        restored_until: None,
    })
}

/// The same with what the attributes in this column say.
pub(super) fn listed(row: &Row<'_>, key: ObjectKey, attributes: usize) -> Sql<ObjectSummary> {
    let attributes: ObjectAttributes = json_or_default(row, attributes)?;
    Ok(ObjectSummary {
        checksum: attributes.checksum.map(|checksum| checksum.form()),
        restored_until: attributes.restored_until(),
        ..summary(row, key)?
    })
}

/// The code of a checksum's algorithm is its place in the list of all.
pub(super) fn algorithm_code(algorithm: ChecksumAlgorithm) -> u8 {
    let place = ChecksumAlgorithm::ALL.iter().position(|one| *one == algorithm).expect("the list has all");
    u8::try_from(place).expect("five of them")
}

pub(super) fn algorithm(code: u8) -> Sql<ChecksumAlgorithm> {
    let known = ChecksumAlgorithm::ALL.get(usize::from(code)).copied();
    known.ok_or_else(|| corrupt(format!("checksum algorithm {code}")))
}

/// `upload.checksum_algorithm` and `upload.checksum_type`.
pub(super) fn form_codes(form: Option<ChecksumForm>) -> (Option<u8>, Option<u8>) {
    let kind = |form: ChecksumForm| match form.kind {
        ChecksumType::FullObject => 0,
        ChecksumType::Composite => 1,
    };
    (form.map(|form| algorithm_code(form.algorithm)), form.map(kind))
}

/// Of two columns from `first` on.
pub(super) fn form(row: &Row<'_>, first: usize) -> Sql<Option<ChecksumForm>> {
    let Some(code) = row.get::<_, Option<u8>>(first)? else { return Ok(None) };
    let kind = match row.get::<_, Option<u8>>(first + 1)? {
        Some(0) => ChecksumType::FullObject,
        Some(1) => ChecksumType::Composite,
        other => return Err(corrupt(format!("checksum type {other:?}"))),
    };
    Ok(Some(ChecksumForm { algorithm: algorithm(code)?, kind }))
}

/// `part.checksum`.
pub(super) fn pack_checksum(checksum: Option<Checksum>) -> Option<Vec<u8>> {
    checksum.map(|checksum| [&[algorithm_code(checksum.algorithm())], checksum.bytes()].concat())
}

fn checksum(row: &Row<'_>, column: usize) -> Sql<Option<Checksum>> {
    let Some(packed) = opaque(row, column)? else { return Ok(None) };
    let (code, bytes) = packed.split_first().ok_or_else(|| corrupt("an empty checksum"))?;
    let checksum = Checksum::new(algorithm(*code)?, bytes);
    checksum.map(Some).ok_or_else(|| corrupt("a checksum of another length"))
}

/// Columns of `object o` (or `version o`) that [`object`] reads, and of `extent e` that [`extent`] reads behind them.
pub(super) const OBJECT_AND_EXTENT_COLUMNS: &str = "o.key, o.kind, o.size, o.modified_ms, o.etag, o.etag_parts, \
     o.storage_class, o.bucket, o.crc64, o.content_md5, o.acl, o.content_type, o.cache_control, \
     o.content_disposition, o.content_encoding, o.content_language, o.expires, o.user_metadata, o.tags, o.attributes, \
     o.version, e.length, e.blob, e.start, open_inline(e.bytes, e.length)";

/// An object without its extents.
pub(super) fn object(row: &Row<'_>) -> Sql<ObjectRecord> {
    let head = summary(row, object_key(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?)?;
    let own_acl: Option<i64> = row.get(10)?;
    Ok(ObjectRecord {
        bucket: BucketId(row.get(7)?),
        kind: head.kind,
        size: head.size,
        etag: head.etag,
        crc64: row.get::<_, i64>(8)?.cast_unsigned(),
        content_md5: row.get(9)?,
        last_modified: head.last_modified,
        acl: own_acl.map(acl).transpose()?,
        headers: content_headers(row, 11)?,
        user_metadata: user_metadata(row, 17)?,
        tags: json_or_default(row, 18)?,
        storage_class: head.storage_class,
        attributes: json_or_default(row, 19)?,
        version: version_id(row, 20)?,
        extents: Vec::new(),
        key: head.key,
    })
}

/// The extent beside an object; `None` for an empty body.
pub(super) fn extent(row: &Row<'_>) -> Sql<Option<Extent>> {
    extent_at(row, 21)
}

/// Columns of `extent e` that [`extent_at`] reads.
pub(super) const EXTENT_COLUMNS: &str = "e.length, e.blob, e.start, open_inline(e.bytes, e.length)";

/// The extent in four columns from `first` on; `None` where there is none.
pub(super) fn extent_at(row: &Row<'_>, first: usize) -> Sql<Option<Extent>> {
    if row.get_ref(first)? == ValueRef::Null {
        return Ok(None);
    }
    if let Some(bytes) = opaque(row, first + 3)? {
        return Ok(Some(Extent::Inline(bytes)));
    }
    Ok(Some(Extent::Blob { id: blob_id(row, first + 1)?, offset: uint(row, first + 2)?, length: uint(row, first)? }))
}

/// An upload's id.
pub(super) fn upload_id(row: &Row<'_>, column: usize) -> Sql<UploadId> {
    Ok(UploadId(u128::from_be_bytes(bytes16(row, column)?)))
}

/// Columns that [`upload()`] reads.
pub(super) const UPLOAD_COLUMNS: &str = "bucket, key, id, initiated_ms, acl, content_type, cache_control, \
     content_disposition, content_encoding, content_language, expires, user_metadata, tags, \
     storage_class, attributes, checksum_algorithm, checksum_type";

pub(super) fn upload(row: &Row<'_>) -> Sql<UploadRecord> {
    let own_acl: Option<i64> = row.get(4)?;
    Ok(UploadRecord {
        bucket: BucketId(row.get(0)?),
        key: object_key(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?,
        id: upload_id(row, 2)?,
        initiated: wall(row, 3)?,
        acl: own_acl.map(acl).transpose()?,
        headers: content_headers(row, 5)?,
        user_metadata: user_metadata(row, 11)?,
        tags: json_or_default(row, 12)?,
        storage_class: storage_class(row.get(13)?)?,
        attributes: json_or_default(row, 14)?,
        checksum: form(row, 15)?,
    })
}

/// Columns of `part p` that [`part`] reads.
pub(super) const PART_COLUMNS: &str = "p.number, p.size, p.modified_ms, p.md5, p.crc64, p.checksum";

pub(super) fn part(row: &Row<'_>) -> Sql<PartSummary> {
    Ok(PartSummary {
        number: uint32(row, 0)?,
        size: uint(row, 1)?,
        last_modified: wall(row, 2)?,
        md5: bytes16(row, 3)?,
        crc64: row.get::<_, i64>(4)?.cast_unsigned(),
        checksum: checksum(row, 5)?,
    })
}

/// Columns that [`completed_upload`] reads.
pub(super) const COMPLETED_UPLOAD_COLUMNS: &str = "bucket, key, size, etag, etag_parts, crc64, completed_ms, version, \
     checksum";

pub(super) fn completed_upload(row: &Row<'_>) -> Sql<CompletedUpload> {
    Ok(CompletedUpload {
        bucket: BucketId(row.get(0)?),
        key: object_key(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?,
        size: uint(row, 2)?,
        etag: ETag { digest: bytes16(row, 3)?, parts: row.get(4)? },
        crc64: row.get::<_, i64>(5)?.cast_unsigned(),
        completed: wall(row, 6)?,
        version: version_id(row, 7)?,
        checksum: row.get::<_, Option<String>>(8)?.map(|text| from_json(&text)).transpose()?,
    })
}

/// A channel's name as it is stored.
pub(super) fn channel_name(row: &Row<'_>, column: usize) -> Sql<ChannelName> {
    let bytes = row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?;
    let name = std::str::from_utf8(bytes).ok().and_then(ChannelName::new);
    name.ok_or_else(|| corrupt("a channel's name"))
}

/// Columns that [`channel`] reads.
pub(super) const CHANNEL_COLUMNS: &str = "bucket, name, description, display_name, enabled, frag_duration, frag_count, \
     playlist_name, snapshot, created_ms, modified_ms";

pub(super) fn channel(row: &Row<'_>) -> Sql<ChannelRecord> {
    let snapshot: Option<String> = row.get(8)?;
    let enabled: bool = row.get(4)?;
    Ok(ChannelRecord {
        bucket: BucketId(row.get(0)?),
        name: channel_name(row, 1)?,
        config: ChannelConfig {
            description: row.get(2)?,
            display_name: row.get(3)?,
            status: if enabled { ChannelStatus::Enabled } else { ChannelStatus::Disabled },
            frag_duration: uint32(row, 5)?,
            frag_count: uint32(row, 6)?,
            playlist_name: row.get(7)?,
            snapshot: snapshot.map(|text| from_json(&text)).transpose()?,
        },
        created: wall(row, 9)?,
        last_modified: wall(row, 10)?,
    })
}

/// Columns that [`connection`] reads.
pub(super) const CONNECTION_COLUMNS: &str = "id, started_ms, ended_ms, remote_addr, cause";

pub(super) fn connection(row: &Row<'_>) -> Sql<ConnectionRecord> {
    let text: Option<String> = row.get(4)?;
    Ok(ConnectionRecord {
        id: ConnectionId(u128::from_be_bytes(bytes16(row, 0)?)),
        started: wall(row, 1)?,
        ended: row.get::<_, Option<i64>>(2)?.map(Wall),
        remote_addr: row.get(3)?,
        cause: text.map(|text| cause(&text)).transpose()?,
    })
}

/// Columns that [`fragment`] reads.
pub(super) const FRAGMENT_COLUMNS: &str = "name_ms, sequence, duration_ticks, discontinuity";

pub(super) fn fragment(row: &Row<'_>) -> Sql<FragmentRecord> {
    Ok(FragmentRecord {
        name_ms: row.get(0)?,
        sequence: uint(row, 1)?,
        duration: MediaTime(row.get(2)?),
        discontinuity: row.get(3)?,
    })
}

/// Columns that [`window`] reads.
pub(super) const WINDOW_COLUMNS: &str = "media_sequence, discontinuity_sequence, target_duration, entries";

pub(super) fn window(row: &Row<'_>) -> Sql<WindowRecord> {
    Ok(WindowRecord {
        media_sequence: uint(row, 0)?,
        discontinuity_sequence: uint(row, 1)?,
        target_duration: uint32(row, 2)?,
        entries: unpack_window(row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_metadata_survives_and_cut_bytes_are_refused() {
        let entries = vec![("".into(), Bytes::from_static(b"\x00\xff")), ("owner".into(), Bytes::new())];
        let packed = Bytes::from(pack_user_metadata(&entries).expect("short").expect("not empty"));
        assert_eq!(unpack_user_metadata(packed.clone()), Some(entries));
        // A cut between two entries is a shorter list; any other is none.
        for at in (1..packed.len()).filter(|at| *at != 8) {
            assert_eq!(unpack_user_metadata(packed.slice(..at)), None, "cut at {at}");
        }
        assert!(pack_user_metadata(&[]).expect("nothing").is_none());
    }

    #[test]
    fn windows_survive_and_cut_bytes_are_refused() {
        let entry = |name_ms, discontinuity| WindowEntry { name_ms, duration: MediaTime(-1), discontinuity };
        let entries = vec![entry(i64::MAX, true), entry(1, false)];
        let packed = pack_window(&entries);
        assert_eq!(unpack_window(&packed).expect("whole"), entries);
        assert!(unpack_window(&packed[1..]).is_err());
    }

    #[test]
    fn every_code_reads_back() {
        for value in [Acl::Private, Acl::PublicRead, Acl::PublicReadWrite] {
            assert_eq!(acl(acl_code(value)).expect("known"), value);
        }
        for value in [ObjectKind::Normal, ObjectKind::Multipart, ObjectKind::Appendable, ObjectKind::Symlink] {
            assert_eq!(kind(kind_code(value)).expect("known"), value);
        }
        use StorageClass::*;
        for value in [Standard, InfrequentAccess, Archive, ColdArchive, DeepColdArchive] {
            assert_eq!(storage_class(storage_class_code(value)).expect("known"), value);
        }
        assert!(storage_class(5).is_err());
        for value in [Versioning::Never, Versioning::Enabled, Versioning::Suspended] {
            assert_eq!(versioning(versioning_code(value)).expect("known"), value);
        }
        assert!(versioning(3).is_err());
        assert!(acl(3).is_err() && kind(4).is_err() && cause("?").is_err());
    }
}
