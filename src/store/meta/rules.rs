//! What every metadata backend must decide alike: pure functions over records, so that backends cannot drift apart.

use bytes::BytesMut;
use md5::{Digest, Md5};

use crate::clock::Wall;
use crate::limits::INLINE_BYTES_MAX;
use crate::store::{
    BlobId, ChannelName, ETag, Extent, FragmentCommit, ObjectKey, ObjectKind, ObjectRecord, Page, Result, StoreError,
    What, WriteCondition, digest,
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
    object.last_modified = now;
    for extent in first.extents {
        push_extent(&mut object.extents, extent);
    }
    Ok(object)
}

/// Adds an extent; a short inline one is joined to the inline one before it, so that a log of small appends does not
/// grow a row for every line.
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
    extents.push(extent);
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
}
