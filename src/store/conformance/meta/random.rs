//! Random sequences of operations: SQLite answers as memory does, and listings are what a naive model says.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Put {
        bucket: usize,
        key: ObjectKey,
        body: Vec<Extent>,
        condition: u8,
    },
    Append {
        bucket: usize,
        key: ObjectKey,
        body: Vec<Extent>,
        at_end: bool,
    },
    Copy {
        bucket: usize,
        from: ObjectKey,
        to: ObjectKey,
    },
    Delete {
        bucket: usize,
        keys: Vec<(ObjectKey, Option<usize>)>,
        bypass: bool,
    },
    SetAcl {
        bucket: usize,
        key: ObjectKey,
        version: Option<usize>,
        acl: Option<Acl>,
    },
    Lock {
        bucket: usize,
        key: ObjectKey,
        version: Option<usize>,
        change: LockChange,
        bypass: bool,
    },
    LockBucket {
        bucket: usize,
        days: Option<u32>,
    },
    SetVersioning {
        bucket: usize,
        versioning: Versioning,
    },
    ReadVersion {
        bucket: usize,
        key: ObjectKey,
        version: Option<usize>,
    },
    ListVersions {
        bucket: usize,
        query: ListQuery,
        after_version: Option<usize>,
    },
    List {
        bucket: usize,
        query: ListQuery,
    },
    Begin {
        bucket: usize,
        key: ObjectKey,
        upload: u64,
    },
    Part {
        bucket: usize,
        key: ObjectKey,
        upload: u64,
        number: u32,
        body: Vec<Extent>,
    },
    Complete {
        bucket: usize,
        key: ObjectKey,
        upload: u64,
        numbers: Option<Vec<u32>>,
        spoilt: bool,
        condition: u8,
        min: u64,
    },
    Abort {
        bucket: usize,
        key: ObjectKey,
        upload: u64,
    },
    ListParts {
        bucket: usize,
        key: ObjectKey,
        upload: u64,
        after: u32,
        limit: usize,
    },
    ListUploads {
        bucket: usize,
        query: UploadsQuery,
    },
    PutChannel {
        name: ChannelName,
        only_if_absent: bool,
    },
    DeleteChannel {
        name: ChannelName,
    },
    SetStatus {
        name: ChannelName,
        enabled: bool,
    },
    Claim {
        name: ChannelName,
        connection: u128,
    },
    Fragment {
        name: ChannelName,
        connection: u128,
        epoch: u64,
        name_ms: i64,
        sequence: u64,
    },
    End {
        name: ChannelName,
        epoch: u64,
    },
    EndLost,
    TakeGarbage {
        before: i64,
        limit: usize,
    },
    ForgetGarbage {
        blobs: Vec<u64>,
    },
    Fragments {
        name: ChannelName,
        from_ms: i64,
        to_ms: i64,
    },
}

/// Short keys over few bytes, so that they collide, nest and roll up; and some that are fragments' keys.
fn keys() -> impl Strategy<Value = ObjectKey> {
    let letters = prop::sample::select(vec![&b"a"[..], b"b", b"/", b"//", b"\x00", b"\xff", "\u{e9}".as_bytes()]);
    let any = vec(letters, 1..5).prop_map(|parts| key(parts.concat()));
    let fragment = (prop::sample::select(vec!["a", "\u{e9}"]), 0..6i64).prop_map(|(c, n)| key(format!("{c}/{n}.ts")));
    prop_oneof![4 => any, 1 => fragment]
}

/// So few that most operations meet an object.
fn hot_keys() -> impl Strategy<Value = ObjectKey> {
    prop::sample::select(vec!["a", "b", "a/1.ts", "a/2.ts"]).prop_map(key)
}

fn bytes_of_a_key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![1 => Just(Vec::new()), 3 => keys().prop_map(|k| k.as_bytes().to_vec())]
}

fn queries() -> impl Strategy<Value = ListQuery> {
    let delimiter = prop::sample::select(vec![&b""[..], b"/", b"//", b"\xff", b"a/", b"\x00"]);
    (bytes_of_a_key(), prop::option::of(delimiter), prop::option::of(bytes_of_a_key()), 1..8usize).prop_map(
        |(prefix, delimiter, after, limit)| ListQuery {
            // Long prefixes select nothing.
            prefix: prefix.into_iter().take(2).collect(),
            delimiter: delimiter.map(<[u8]>::to_vec),
            after,
            limit,
        },
    )
}

fn bodies() -> impl Strategy<Value = Vec<Extent>> {
    let extent = prop_oneof![
        "[a-c]{1,3}".prop_map(|text| inline(&text)),
        (0..5u64, 0..3u64, 1..9u64).prop_map(|(number, offset, length)| Extent::Blob {
            id: blob_id(number),
            offset,
            length
        }),
    ];
    vec(extent, 0..3)
}

fn channel_names() -> impl Strategy<Value = ChannelName> {
    prop::sample::select(vec![channel_name("a"), channel_name("a"), channel_name("a"), channel_name("\u{e9}")])
}

fn uploads_queries() -> impl Strategy<Value = UploadsQuery> {
    let id = prop::option::of((0..5u64).prop_map(upload_id));
    (queries(), id, any::<bool>()).prop_map(|(query, after_id, hot)| UploadsQuery {
        prefix: if hot { Vec::new() } else { query.prefix },
        delimiter: query.delimiter,
        after: if hot { Some(b"a".to_vec()) } else { query.after },
        after_id,
        limit: query.limit,
    })
}

/// Retentions that end within the run, and holds that are mostly let go again.
fn lock_changes() -> impl Strategy<Value = LockChange> {
    let mode = prop::sample::select(vec![RetentionMode::Governance, RetentionMode::Compliance]);
    let retention = (mode, 0..100i64).prop_map(|(mode, until_ms)| Retention { mode, until_ms });
    prop_oneof![
        2 => prop::option::of(retention).prop_map(LockChange::Retention),
        1 => prop::bool::weighted(0.3).prop_map(LockChange::LegalHold),
    ]
}

/// How many versions behind the newest; far behind there is none.
fn versions() -> impl Strategy<Value = Option<usize>> {
    prop::option::of(0..5usize)
}

/// Two keys and three ids: most operations meet an upload, some one of another key.
fn upload_ops() -> impl Strategy<Value = Op> {
    let place = || (0..2usize, prop::sample::select(vec!["a", "a", "a", "b"]).prop_map(key), 0..3u64);
    let numbers = prop::option::weighted(
        0.7,
        prop_oneof![3 => prop::collection::btree_set(1..4u32, 0..4).prop_map(|set| set.into_iter().collect()), 1 => vec(1..4u32, 0..3)],
    );
    prop_oneof![
        3 => place().prop_map(|(bucket, key, upload)| Op::Begin { bucket, key, upload }),
        6 => (place(), 1..4u32, bodies())
            .prop_map(|((bucket, key, upload), number, body)| Op::Part { bucket, key, upload, number, body }),
        4 => (place(), numbers, prop::bool::weighted(0.1), 0..4u8, 0..4u64).prop_map(
            |((bucket, key, upload), numbers, spoilt, condition, min)| {
                Op::Complete { bucket, key, upload, numbers, spoilt, condition, min }
            }
        ),
        1 => place().prop_map(|(bucket, key, upload)| Op::Abort { bucket, key, upload }),
        1 => (place(), 0..4u32, 1..4usize)
            .prop_map(|((bucket, key, upload), after, limit)| Op::ListParts { bucket, key, upload, after, limit }),
        2 => (0..2usize, uploads_queries()).prop_map(|(bucket, query)| Op::ListUploads { bucket, query }),
    ]
}

fn ops() -> impl Strategy<Value = Op> {
    let bucket = || 0..2usize;
    let acl = prop::option::of(prop::sample::select(vec![Acl::Private, Acl::PublicRead]));
    use Versioning::{Enabled, Never, Suspended};
    let versioning = prop::sample::select(vec![Never, Enabled, Enabled, Suspended]);
    prop_oneof![
        6 => (bucket(), hot_keys(), bodies(), 0..4u8)
            .prop_map(|(bucket, key, body, condition)| Op::Put { bucket, key, body, condition }),
        3 => (bucket(), hot_keys(), bodies(), prop::bool::weighted(0.8))
            .prop_map(|(bucket, key, body, at_end)| Op::Append { bucket, key, body, at_end }),
        2 => (bucket(), hot_keys(), hot_keys()).prop_map(|(bucket, from, to)| Op::Copy { bucket, from, to }),
        5 => (bucket(), vec((hot_keys(), versions()), 0..3), any::<bool>())
            .prop_map(|(bucket, keys, bypass)| Op::Delete { bucket, keys, bypass }),
        2 => (bucket(), hot_keys(), versions(), lock_changes(), any::<bool>())
            .prop_map(|(bucket, key, version, change, bypass)| Op::Lock { bucket, key, version, change, bypass }),
        1 => (bucket(), prop::option::weighted(0.1, 0..2u32)).prop_map(|(bucket, days)| Op::LockBucket { bucket, days }),
        2 => (bucket(), hot_keys(), versions(), acl)
            .prop_map(|(bucket, key, version, acl)| Op::SetAcl { bucket, key, version, acl }),
        2 => (bucket(), versioning).prop_map(|(bucket, versioning)| Op::SetVersioning { bucket, versioning }),
        3 => (bucket(), hot_keys(), versions())
            .prop_map(|(bucket, key, version)| Op::ReadVersion { bucket, key, version }),
        4 => (bucket(), queries(), any::<bool>(), versions()).prop_map(|(bucket, query, hot, after_version)| {
            let query = if hot { ListQuery { prefix: vec![], after: Some(b"a".to_vec()), ..query } } else { query };
            Op::ListVersions { bucket, query, after_version }
        }),
        3 => (bucket(), queries()).prop_map(|(bucket, query)| Op::List { bucket, query }),
        16 => upload_ops(),
        2 => (channel_names(), any::<bool>())
            .prop_map(|(name, only_if_absent)| Op::PutChannel { name, only_if_absent }),
        1 => channel_names().prop_map(|name| Op::DeleteChannel { name }),
        1 => (channel_names(), any::<bool>()).prop_map(|(name, enabled)| Op::SetStatus { name, enabled }),
        3 => (channel_names(), 1..3u128).prop_map(|(name, connection)| Op::Claim { name, connection }),
        9 => (channel_names(), 1..3u128, 1..3u64, 0..5i64, 0..3u64).prop_map(
            |(name, connection, epoch, name_ms, sequence)| Op::Fragment { name, connection, epoch, name_ms, sequence }
        ),
        2 => (channel_names(), 1..3u64).prop_map(|(name, epoch)| Op::End { name, epoch }),
        1 => Just(Op::EndLost),
        3 => (0..80i64, 1..4usize).prop_map(|(before, limit)| Op::TakeGarbage { before, limit }),
        1 => vec(0..6u64, 0..3).prop_map(|blobs| Op::ForgetGarbage { blobs }),
        1 => (channel_names(), 0..6i64, 0..6i64)
            .prop_map(|(name, from_ms, to_ms)| Op::Fragments { name, from_ms, to_ms }),
    ]
}

/// The name of the version that stands so many places behind the newest; one that no version has where there are fewer.
async fn version_at(s: &dyn MetaStore, b: BucketId, key: &ObjectKey, behind: Option<usize>) -> Option<VersionName> {
    let behind = behind?;
    let prefix = key.as_bytes().to_vec();
    let query = VersionsQuery { prefix: prefix.clone(), limit: 100, ..VersionsQuery::default() };
    let entries = s.list_versions(b, &query).await.expect("readable").entries;
    let mut names = entries.into_iter().filter_map(|entry| match entry {
        VersionEntry::Object { summary, version, .. } => (summary.key == *key).then(|| version.into()),
        VersionEntry::Marker { key: of, marker, .. } => (of == *key).then(|| marker.version.into()),
        VersionEntry::Prefix(_) => None,
    });
    Some(names.nth(behind).unwrap_or(VersionName::Id(version_id(7_777))))
}

/// Does one operation and says everything that its caller can see.
async fn apply(s: &dyn MetaStore, buckets: &[BucketId], op: &Op, now: Wall) -> String {
    let first = buckets[0];
    // One identity a step, so that none is given twice.
    let fresh = Some(version_id(now.0.unsigned_abs()));
    match op.clone() {
        Op::Put { bucket, key, body, condition } => {
            let object = ObjectRecord { version: fresh, ..object(buckets[bucket], key.as_bytes(), body) };
            let condition = write_condition(condition, object.etag);
            seen(s.commit_object(ObjectCommit { object, condition }, now).await)
        }
        Op::Append { bucket, key, body, at_end } => {
            let length = s.object(buckets[bucket], &key).await.expect("readable").map_or(0, |o| o.size);
            let first = ObjectRecord { version: fresh, ..object(buckets[bucket], key.as_bytes(), body) };
            let position = if at_end { length } else { length + 1 };
            seen(s.commit_append(AppendCommit { first, position }, now).await)
        }
        Op::Copy { bucket, from, to } => match s.object(buckets[bucket], &from).await.expect("readable") {
            Some(source) => {
                let object = ObjectRecord { key: to, bucket: first, version: fresh, ..source };
                seen(s.commit_object(ObjectCommit { object, condition: WriteCondition::Always }, now).await)
            }
            None => String::new(),
        },
        Op::Delete { bucket, keys, bypass } => {
            let mut targets = Vec::new();
            for (at, (key, behind)) in keys.into_iter().enumerate() {
                let version = version_at(s, buckets[bucket], &key, behind).await;
                let marker = version_id(now.0.unsigned_abs() * 1_000 + at as u64 + 10_000);
                targets.push(DeleteTarget { key, version, marker });
            }
            seen(
                s.delete_objects(DeleteCommit { bucket: buckets[bucket], targets, bypass_governance: bypass }, now)
                    .await,
            )
        }
        Op::SetAcl { bucket, key, version, acl } => {
            let version = version_at(s, buckets[bucket], &key, version).await;
            seen(s.set_object_acl(buckets[bucket], &key, version, acl).await)
        }
        Op::Lock { bucket, key, version, change, bypass } => {
            let version = version_at(s, buckets[bucket], &key, version).await;
            seen(s.set_object_lock(buckets[bucket], &key, version, change, bypass, now).await)
        }
        Op::LockBucket { bucket, days } => {
            let default =
                |days| DefaultRetention { mode: RetentionMode::Governance, period: RetentionPeriod::Days(days) };
            let lock = ObjectLock { default_retention: days.map(default) };
            seen(s.set_bucket_setting(buckets[bucket], BucketSetting::ObjectLock(lock)).await)
        }
        Op::SetVersioning { bucket, versioning } => seen(s.set_bucket_versioning(buckets[bucket], versioning).await),
        Op::ReadVersion { bucket, key, version } => {
            let version = version_at(s, buckets[bucket], &key, version).await;
            seen(s.object_version(buckets[bucket], &key, version).await)
        }
        Op::ListVersions { bucket, query, after_version } => {
            let marked = query.after.as_ref().and_then(|after| ObjectKey::new(after.as_slice()));
            let after_version = match marked {
                Some(key) => version_at(s, buckets[bucket], &key, after_version).await,
                None => None,
            };
            let ListQuery { prefix, delimiter, after, limit } = query;
            seen(
                s.list_versions(buckets[bucket], &VersionsQuery { prefix, delimiter, after, after_version, limit })
                    .await,
            )
        }
        Op::List { bucket, query } => seen(s.list_objects(buckets[bucket], &query).await),
        Op::Begin { bucket, key, upload } => {
            seen(s.begin_upload(upload_record(buckets[bucket], key.as_bytes(), upload), now).await)
        }
        Op::Part { bucket, key, upload, number, body } => {
            let commit =
                PartCommit { bucket: buckets[bucket], key, upload: upload_id(upload), part: part(number, body) };
            seen(s.commit_part(commit, now).await)
        }
        Op::Complete { bucket, key, upload, numbers, spoilt, condition, min } => {
            let (bucket, upload) = (buckets[bucket], upload_id(upload));
            let uploaded = s.list_parts(bucket, &key, upload, 0, 10).await.map_or(Vec::new(), |page| page.entries);
            let listed = |number: u32| {
                let md5 = uploaded.iter().find(|part| part.number == number).map(|part| part.md5);
                ListedPart { number, md5: md5.filter(|_| !spoilt), checksum: None }
            };
            let parts = match numbers {
                None => PartChoice::All,
                Some(numbers) => PartChoice::Listed(numbers.into_iter().map(listed).collect()),
            };
            let condition = write_condition(condition, ETag { digest: [0; 16], parts: None });
            let commit = CompleteCommit {
                bucket,
                key,
                upload,
                parts,
                part_bytes_min: min,
                condition,
                version: fresh,
                expected: ExpectedObject::default(),
            };
            seen(s.complete_upload(commit, now).await)
        }
        Op::Abort { bucket, key, upload } => seen(s.abort_upload(buckets[bucket], &key, upload_id(upload), now).await),
        Op::ListParts { bucket, key, upload, after, limit } => {
            seen(s.list_parts(buckets[bucket], &key, upload_id(upload), after, limit).await)
        }
        Op::ListUploads { bucket, query } => seen(s.list_uploads(buckets[bucket], &query).await),
        Op::PutChannel { name, only_if_absent } => {
            seen(s.put_channel(first, &name, config(), only_if_absent, now).await)
        }
        Op::DeleteChannel { name } => seen(s.delete_channel(first, &name).await),
        Op::SetStatus { name, enabled } => {
            let status = if enabled { ChannelStatus::Enabled } else { ChannelStatus::Disabled };
            seen(s.set_channel_status(first, &name, status, now).await)
        }
        Op::Claim { name, connection } => seen(s.claim(claim_request(first, name.as_str(), connection, now.0)).await),
        Op::Fragment { name, connection, epoch, name_ms, sequence } => {
            let commit = fragment_commit(first, name.as_str(), (connection, Epoch(epoch)), name_ms, sequence);
            seen(s.commit_fragment(commit, now).await)
        }
        Op::End { name, epoch } => {
            seen(s.end_connection(first, &name, Epoch(epoch), now, TerminationCause::Timeout).await)
        }
        Op::EndLost => seen(s.end_lost_connections().await),
        Op::TakeGarbage { before, limit } => seen(s.garbage(Wall(before), limit).await),
        Op::ForgetGarbage { blobs } => {
            let ids: Vec<BlobId> = blobs.into_iter().map(blob_id).collect();
            seen(s.forget_garbage(&ids).await)
        }
        Op::Fragments { name, from_ms, to_ms } => seen(s.fragments(first, &name, from_ms, to_ms).await),
    }
}

fn write_condition(code: u8, etag: ETag) -> WriteCondition {
    match code {
        0 => WriteCondition::IfAbsent,
        1 => WriteCondition::IfETag(etag),
        _ => WriteCondition::Always,
    }
}

/// What a corruption says in words is the backend's own affair.
fn seen<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(StoreError::Corrupt(_)) => "corrupt".into(),
        other => format!("{other:?}"),
    }
}

/// Everything that the store holds.
async fn everything(s: &dyn MetaStore, buckets: &[BucketId]) -> String {
    let mut all = format!("{:?}\n{:?}\n", s.audit_objects(None, 10_000).await, s.audit_windows().await);
    let ids: Vec<BlobId> = (0..8).map(blob_id).collect();
    all.push_str(&format!("{:?}\n", s.blob_states(&ids).await));
    all.push_str(&format!("{:?}\n", s.audit_parts(None, 10_000).await));
    all.push_str(&format!("{:?}\n", s.audit_versions(None, 10_000).await));
    for bucket in buckets {
        let query = VersionsQuery { limit: 10_000, ..VersionsQuery::default() };
        all.push_str(&format!("{:?}\n", s.list_versions(*bucket, &query).await));
        let query = UploadsQuery { limit: 100, ..UploadsQuery::default() };
        all.push_str(&format!("{:?}\n", s.list_uploads(*bucket, &query).await));
    }
    let channels = s.list_channels(buckets[0], "", "", 100).await.expect("readable");
    for channel in &channels.entries {
        let history = s.history(buckets[0], &channel.name, 100).await;
        let open = s.open_connection(buckets[0], &channel.name).await;
        all.push_str(&format!("{channel:?}\n{history:?}\n{open:?}\n"));
    }
    all
}

/// What readers ask for most, as they may remember it: read again after every step, so that each step meets what it changes
/// remembered from before.
async fn hot_rows(s: &dyn MetaStore, buckets: &[BucketId]) -> String {
    let mut rows = String::new();
    for name in ["films", "music"] {
        rows.push_str(&format!("{:?}\n", s.bucket(&bucket_name(name)).await));
    }
    for name in ["a", "b", "a/1.ts", "a/2.ts", "a/playlist.m3u8"] {
        for b in buckets {
            let (object, newest) = (s.object(*b, &key(name)).await, s.object_version(*b, &key(name), None).await);
            rows.push_str(&format!("{object:?}\n{newest:?}\n"));
        }
    }
    rows
}

async fn two_buckets(s: &dyn MetaStore) -> [BucketId; 2] {
    [bucket(s, "films").await, bucket(s, "music").await]
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(work)
}

/// The listing as the port's text defines it, computed the simplest way.
fn naive(keys: &BTreeSet<ObjectKey>, query: &ListQuery) -> (Vec<(bool, Vec<u8>)>, bool) {
    let mut entries: BTreeSet<(Vec<u8>, bool)> = BTreeSet::new();
    for key in keys.iter().map(ObjectKey::as_bytes).filter(|k| k.starts_with(&query.prefix)) {
        let rest = &key[query.prefix.len()..];
        let delimiter = query.delimiter.as_deref().unwrap_or_default();
        let cut = if delimiter.is_empty() {
            None
        } else {
            (0..rest.len()).find(|at| rest[*at..].starts_with(delimiter)).map(|at| at + delimiter.len())
        };
        match cut {
            Some(cut) => entries.insert((key[..query.prefix.len() + cut].to_vec(), true)),
            None => entries.insert((key.to_vec(), false)),
        };
    }
    let behind = |name: &Vec<u8>, is_prefix: bool| match &query.after {
        None => true,
        Some(after) if is_prefix && after.starts_with(name) => false,
        Some(after) => name > after,
    };
    let mut found: Vec<_> = entries.into_iter().filter(|(n, p)| behind(n, *p)).map(|(n, p)| (p, n)).collect();
    let truncated = found.len() > query.limit;
    found.truncate(query.limit);
    (found, truncated)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sqlite_answers_as_memory_does(ops in vec(ops(), 1..100)) {
        block_on(async {
            let (memory, sqlite) = (memory(), sqlite());
            let buckets = two_buckets(&*memory).await;
            prop_assert_eq!(two_buckets(&*sqlite).await, buckets);
            for store in [&memory, &sqlite] {
                channel(&**store, buckets[0], "a").await;
            }
            for (now, op) in (1..).zip(&ops) {
                let expected = apply(&*memory, &buckets, op, Wall(now)).await;
                let got = apply(&*sqlite, &buckets, op, Wall(now)).await;
                prop_assert_eq!(got, expected, "step {}: {:?}", now, op);
                let (got, expected) = (hot_rows(&*sqlite, &buckets).await, hot_rows(&*memory, &buckets).await);
                prop_assert_eq!(got, expected, "rows after step {}: {:?}", now, op);
            }
            for b in buckets {
                prop_assert_eq!(sqlite.bucket_usage(b).await, memory.bucket_usage(b).await);
            }
            prop_assert_eq!(everything(&*sqlite, &buckets).await, everything(&*memory, &buckets).await);
            for store in [&memory, &sqlite] {
                prop_assert_eq!(store.audit_backend().await, Ok(vec![]));
            }
            Ok(())
        })?;
    }

    #[test]
    fn listings_are_what_a_naive_model_says(
        keys in prop::collection::btree_set(keys(), 0..40),
        queries in vec(queries(), 1..12),
    ) {
        block_on(async {
            let (memory, sqlite) = (memory(), sqlite());
            for store in [&memory, &sqlite] {
                let b = bucket(&**store, "films").await;
                let puts = keys.iter().map(|k| put(&**store, object(b, k.as_bytes(), vec![]), 1));
                futures_util::future::join_all(puts).await;
                for query in &queries {
                    let page = store.list_objects(b, query).await.expect("readable");
                    let got: Vec<_> = page
                        .entries
                        .iter()
                        .map(|e| (matches!(e, ListEntry::Prefix(_)), e.name().to_vec()))
                        .collect();
                    prop_assert_eq!((got, page.truncated), naive(&keys, query), "{:?}", query);
                }
            }
            Ok(())
        })?;
    }
}
