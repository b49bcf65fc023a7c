//! Listings of objects.

use super::*;

async fn with_keys(s: &dyn MetaStore, keys: &[&[u8]]) -> BucketId {
    let b = bucket(s, "films").await;
    for name in keys {
        put(s, object(b, name, vec![]), 1).await;
    }
    b
}

/// Entries as text, common prefixes in brackets, `...` when there is more.
async fn list(s: &dyn MetaStore, bucket: BucketId, query: ListQuery) -> String {
    let page = s.list_objects(bucket, &query).await.expect("readable");
    let mut words: Vec<String> = page.entries.iter().map(word).collect();
    if page.truncated {
        words.push("...".into());
    }
    words.join(" ")
}

fn word(entry: &ListEntry) -> String {
    let text = String::from_utf8_lossy(entry.name()).into_owned();
    match entry {
        ListEntry::Object(_) => text,
        ListEntry::Prefix(_) => format!("[{text}]"),
    }
}

fn query(prefix: &str, delimiter: &str, after: &str, limit: usize) -> ListQuery {
    ListQuery {
        prefix: prefix.into(),
        delimiter: Some(delimiter.into()),
        after: (!after.is_empty()).then(|| after.into()),
        limit,
    }
}

pub(super) async fn keys_come_in_byte_order(s: &dyn MetaStore) {
    let keys: [&[u8]; 7] = [b"b", b"a\xff", b"a", b"a\x00", b"B", "\u{e9}".as_bytes(), b"a/b"];
    let b = with_keys(s, &keys).await;
    let page = s.list_objects(b, &ListQuery { limit: 10, ..ListQuery::default() }).await.expect("readable");
    let names: Vec<&[u8]> = page.entries.iter().map(ListEntry::name).collect();
    assert_eq!(names, [&b"B"[..], b"a", b"a\x00", b"a/b", b"a\xff", b"b", "\u{e9}".as_bytes()]);
    assert!(!page.truncated);
}

pub(super) async fn prefix_selects(s: &dyn MetaStore) {
    let b = with_keys(s, &[b"a", b"ab", b"ab/c", b"abc", b"ac", b"b"]).await;
    assert_eq!(list(s, b, query("ab", "", "", 9)).await, "ab ab/c abc");
    assert_eq!(list(s, b, query("ab", "", "ab", 9)).await, "ab/c abc");
    assert_eq!(list(s, b, query("ab", "", "a", 9)).await, "ab ab/c abc", "a marker before the prefix");
    assert_eq!(list(s, b, query("ab", "", "ac", 9)).await, "", "a marker behind the prefix");
    assert_eq!(list(s, b, query("zz", "", "", 9)).await, "");
}

pub(super) async fn delimiter_rolls_up(s: &dyn MetaStore) {
    let b = with_keys(s, &[b"a/1", b"a/2/x", b"a/2/y", b"b", b"c/", b"c/d/e"]).await;
    assert_eq!(list(s, b, query("", "/", "", 9)).await, "[a/] b [c/]");
    assert_eq!(list(s, b, query("a/", "/", "", 9)).await, "a/1 [a/2/]");
    assert_eq!(list(s, b, query("c/", "/", "", 9)).await, "c/ [c/d/]", "a key equal to the prefix is a key");
    assert_eq!(list(s, b, query("a", "/", "", 9)).await, "[a/]");
    assert_eq!(list(s, b, query("", "/", "", 2)).await, "[a/] b ...");
    assert_eq!(list(s, b, query("", "/", "", 3)).await, "[a/] b [c/]");
    assert_eq!(list(s, b, query("", "/", "", 1)).await, "[a/] ...");
}

pub(super) async fn marker_inside_a_rolled_up_prefix_skips_it(s: &dyn MetaStore) {
    let b = with_keys(s, &[b"a", b"a/1", b"a/2", b"a0", b"b/1", b"c"]).await;
    for marker in ["a/", "a/1", "a/2", "a/zzz"] {
        assert_eq!(list(s, b, query("", "/", marker, 9)).await, "a0 [b/] c", "after {marker}");
    }
    assert_eq!(list(s, b, query("", "/", "a", 9)).await, "[a/] a0 [b/] c");
    assert_eq!(list(s, b, query("", "/", "b", 9)).await, "[b/] c");
    assert_eq!(list(s, b, query("a/", "/", "a/1", 9)).await, "a/2", "inside the prefix it is a plain marker");
}

pub(super) async fn pages_join_to_the_whole(s: &dyn MetaStore) {
    let keys: [&[u8]; 8] = [b"a", b"a/1", b"a/2", b"b/1", b"b/2/3", b"b\xff/", b"b\xff/x", b"c"];
    let b = with_keys(s, &keys).await;
    for delimiter in ["", "/"] {
        let whole = s.list_objects(b, &query("", delimiter, "", 100)).await.expect("readable");
        for limit in 1..=keys.len() {
            let mut joined: Vec<ListEntry> = Vec::new();
            loop {
                let after = joined.last().map(|e| e.name().to_vec());
                let page = s.list_objects(b, &ListQuery { after, ..query("", delimiter, "", limit) }).await;
                let page = page.expect("readable");
                assert!(page.entries.len() == limit || !page.truncated);
                joined.extend(page.entries);
                if !page.truncated {
                    break;
                }
            }
            assert_eq!(joined, whole.entries, "in pages of {limit}, delimiter {delimiter:?}");
        }
    }
}

pub(super) async fn last_byte_value_is_no_end(s: &dyn MetaStore) {
    let b = with_keys(s, &[b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\xff", b"\xff\xffx"]).await;
    let names = async |query: ListQuery| {
        let page = s.list_objects(b, &query).await.expect("readable");
        page.entries.iter().map(|e| e.name().to_vec()).collect::<Vec<_>>()
    };
    let rolled =
        |prefix: &[u8]| ListQuery { prefix: prefix.to_vec(), delimiter: Some(vec![0xff]), after: None, limit: 10 };
    assert_eq!(names(rolled(b"")).await, [&b"a\xff"[..], b"b", b"\xff"]);
    assert_eq!(names(rolled(b"\xff")).await, [&b"\xff"[..], b"\xff\xff"]);
    let behind = ListQuery { after: Some(b"\xff\x01".to_vec()), ..rolled(b"") };
    assert_eq!(names(behind).await, Vec::<Vec<u8>>::new(), "nothing is greater than a prefix of 0xff");
}

pub(super) async fn long_delimiter_and_no_delimiter(s: &dyn MetaStore) {
    let b = with_keys(s, &[b"x-y--1", b"x-y--2", b"x-z", b"x--"]).await;
    assert_eq!(list(s, b, query("x", "--", "", 9)).await, "[x--] [x-y--] x-z");
    assert_eq!(list(s, b, query("x-", "--", "x-y-", 9)).await, "[x-y--] x-z", "half a delimiter is none");
    assert_eq!(list(s, b, ListQuery { limit: 9, ..ListQuery::default() }).await, "x-- x-y--1 x-y--2 x-z");
}

pub(super) async fn page_of_nothing(s: &dyn MetaStore) {
    let b = with_keys(s, &[b"a", b"b"]).await;
    assert_eq!(list(s, b, query("", "/", "", 0)).await, "");
    assert_eq!(list(s, BucketId(77), query("", "/", "", 9)).await, "", "no such bucket");
}

pub(super) async fn summary_says_what_the_object_says(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let etag = ETag { digest: [9; 16], parts: Some(2) };
    let storage_class = StorageClass::Archive;
    let full =
        ObjectRecord { kind: ObjectKind::Multipart, etag, storage_class, ..object(b, "a", vec![in_blob(1, 70_000)]) };
    let full = put(s, full, 11).await;
    s.restore_object(b, &full.key, None, Wall(90), Wall(12)).await.expect("archived");
    let page = s.list_objects(b, &ListQuery { limit: 1, ..ListQuery::default() }).await.expect("readable");
    let (key, kind, last_modified) = (full.key, ObjectKind::Multipart, Wall(11));
    let restored_until = Some(Wall(90));
    let (size, checksum) = (70_000, None);
    let expected = ObjectSummary { key, kind, size, etag, storage_class, checksum, restored_until, last_modified };
    assert_eq!(page.entries, [ListEntry::Object(expected)]);
}

pub(super) async fn other_buckets_are_not_listed(s: &dyn MetaStore) {
    let b1 = with_keys(s, &[b"a", b"z"]).await;
    let b2 = bucket(s, "music").await;
    put(s, object(b2, "b", vec![]), 1).await;
    assert_eq!(list(s, b1, query("", "", "", 9)).await, "a z");
    assert_eq!(list(s, b2, query("", "", "", 9)).await, "b");
}
