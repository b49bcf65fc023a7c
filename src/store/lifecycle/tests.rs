use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::rules::Judged;
use super::*;
use crate::clock::{Clock, ManualClock, Wall};
use crate::store::StorageClass::*;
use crate::store::meta::faulty::{Fault, FaultyMetaStore, MetaCall};
use crate::store::meta::memory::MemoryMetaStore;
use crate::store::records::testbed::empty_object;
use crate::store::{
    Acl, BucketId, BucketName, Extent, MetaStore, ObjectCommit, ObjectKey, ObjectRecord, StorageClass, StoreError, Tag,
    UploadId, UploadRecord, VersionId, VersionName, Versioned, Versioning, WriteCondition,
};
use crate::task::Stop;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Half past ten on some day.
const MADE: Wall = Wall(20_000 * DAY_MS + 10 * HOUR_MS + 1_800_000);

fn at(days: i64, hours: i64) -> Wall {
    Wall((20_000 + days) * DAY_MS + hours * HOUR_MS)
}

fn tag(key: &str) -> Tag {
    Tag { key: key.into(), value: "1".into() }
}

fn rule(prefix: &str) -> LifecycleRule {
    let filter = LifecycleFilter { prefix: prefix.into(), ..LifecycleFilter::default() };
    LifecycleRule { id: format!("of {prefix}"), enabled: true, filter, ..LifecycleRule::default() }
}

fn expiring(prefix: &str, due: Due) -> LifecycleRule {
    LifecycleRule { expiration: Some(due), ..rule(prefix) }
}

fn moving(prefix: &str, days: u32, class: StorageClass) -> LifecycleRule {
    LifecycleRule { transitions: vec![Transition { due: Due::Days(days), class }], ..rule(prefix) }
}

fn lifecycle(rules: impl IntoIterator<Item = LifecycleRule>) -> Lifecycle {
    Lifecycle { rules: rules.into_iter().collect() }
}

fn object(key: &str) -> Judged<'_> {
    Judged { key: key.as_bytes(), size: 100, class: Standard, changed: MADE, tags: Some(&[]) }
}

#[test]
fn days_end_at_the_next_midnight_and_dates_at_once() {
    for (due, last_not_due, first_due) in [
        (Due::Days(1), Wall(at(2, 0).0 - 1), at(2, 0)),
        (Due::Days(30), Wall(at(31, 0).0 - 1), at(31, 0)),
        (Due::Days(0), Wall(at(1, 0).0 - 1), at(1, 0)),
        (Due::Date(at(5, 0)), Wall(at(5, 0).0 - 1), at(5, 0)),
    ] {
        assert!(!due.is_due(MADE, last_not_due), "{due:?}");
        assert!(due.is_due(MADE, first_due), "{due:?}");
    }
    assert!(Due::Days(1).is_due(at(0, 0), at(1, 0)), "midnight to midnight is whole days");
    assert!(Due::CreatedBefore(at(1, 0)).is_due(MADE, MADE) && !Due::CreatedBefore(MADE).is_due(MADE, at(99, 0)));
    assert!(!Due::Days(u32::MAX).is_due(MADE, at(40_000, 0)));
    assert!(!Due::Days(u32::MAX).is_due(Wall(i64::MAX), at(0, 0)), "no overflow");
}

#[test]
fn filters_are_met_in_each_part() {
    let due = Due::Days(1);
    let with = |filter: LifecycleFilter| lifecycle([LifecycleRule { filter, ..expiring("", due) }]);
    let any = LifecycleFilter::default;
    let not = |prefix: &str, tag: Option<Tag>| vec![Exclusion { prefix: prefix.into(), tag }];
    let (tags, prefix) = ([tag("a"), tag("b")], "logs/".to_owned());
    for (filter, key, expires) in [
        (any(), "x", true),
        (LifecycleFilter { prefix: prefix.clone(), ..any() }, "logs/1", true),
        (LifecycleFilter { prefix, ..any() }, "log", false),
        (LifecycleFilter { tags: vec![tag("b")], ..any() }, "x", true),
        (LifecycleFilter { tags: vec![tag("b"), tag("c")], ..any() }, "x", false),
        (LifecycleFilter { larger_than: Some(99), ..any() }, "x", true),
        (LifecycleFilter { larger_than: Some(100), ..any() }, "x", false),
        (LifecycleFilter { smaller_than: Some(101), ..any() }, "x", true),
        (LifecycleFilter { smaller_than: Some(100), ..any() }, "x", false),
        (LifecycleFilter { not: not("keep/", None), ..any() }, "keep/1", false),
        (LifecycleFilter { not: not("keep/", None), ..any() }, "kept", true),
        (LifecycleFilter { not: not("", Some(tag("a"))), ..any() }, "x", false),
        (LifecycleFilter { not: not("", Some(tag("z"))), ..any() }, "x", true),
    ] {
        let judged = Judged { tags: Some(&tags), ..object(key) };
        let expected = if expires { Verdict::Expire } else { Verdict::Keep };
        assert_eq!(with(filter.clone()).judge(judged, at(2, 0)), Ok(expected), "{filter:?} {key}");
    }
}

#[test]
fn tags_are_asked_for_only_when_they_decide() {
    let tagged = LifecycleFilter { tags: vec![tag("a")], ..LifecycleFilter::default() };
    let rules = lifecycle([LifecycleRule { filter: tagged, ..expiring("", Due::Days(1)) }]);
    let unknown = Judged { tags: None, ..object("x") };
    assert_eq!(rules.judge(unknown, at(1, 0)), Ok(Verdict::Keep), "nothing is due");
    assert!(rules.judge(unknown, at(2, 0)).is_err());
    assert_eq!(lifecycle([expiring("", Due::Days(1))]).judge(unknown, at(2, 0)), Ok(Verdict::Expire));
}

#[test]
fn the_strongest_of_all_rules_is_done() {
    let rules = lifecycle([moving("", 1, InfrequentAccess), moving("a", 3, Archive), expiring("ab", Due::Days(5))]);
    let verdict = |key, class, days| rules.judge(Judged { class, ..object(key) }, at(days, 0)).expect("tags known");
    assert_eq!(verdict("ab", Standard, 1), Verdict::Keep);
    assert_eq!(verdict("ab", Standard, 2), Verdict::Move(InfrequentAccess));
    assert_eq!(verdict("ab", InfrequentAccess, 2), Verdict::Keep, "it is there already");
    assert_eq!(verdict("ab", Standard, 4), Verdict::Move(Archive), "the coldest that is due");
    assert_eq!(verdict("ab", ColdArchive, 4), Verdict::Keep, "never back to a warmer one");
    assert_eq!(verdict("b", Standard, 9), Verdict::Move(InfrequentAccess));
    assert_eq!(verdict("ab", Archive, 6), Verdict::Expire);
    let disabled = lifecycle(rules.rules.iter().cloned().map(|rule| LifecycleRule { enabled: false, ..rule }));
    assert_eq!(disabled.judge(object("ab"), at(99, 0)), Ok(Verdict::Keep));
}

#[test]
fn a_set_of_rules_is_checked() {
    let good = || expiring("a/", Due::Days(1));
    let named = |id: &str, rule: LifecycleRule| LifecycleRule { id: id.into(), ..rule };
    let check = |rules: Vec<LifecycleRule>| lifecycle(rules).check(false);
    let steps = |classes: &[StorageClass]| {
        let transitions = classes.iter().map(|class| Transition { due: Due::Days(1), class: *class }).collect();
        LifecycleRule { transitions, ..rule("") }
    };
    assert_eq!(check(vec![good()]), Ok(()));
    assert_eq!(check(vec![steps(&[InfrequentAccess, Archive])]), Ok(()));
    assert_eq!(check(vec![]), Err(RuleError::Count(0)));
    let many = (0..=1000).map(|n| named(&n.to_string(), expiring(&format!("{n}/"), Due::Days(1))));
    assert_eq!(check(many.collect()), Err(RuleError::Count(1001)));
    assert_eq!(check(vec![named("", good())]), Err(RuleError::Id(String::new())));
    let long = "x".repeat(256);
    assert_eq!(check(vec![named(&long, good())]), Err(RuleError::Id(long.clone())));
    let twice = vec![named("i", good()), named("i", expiring("b/", Due::Days(1)))];
    assert_eq!(check(twice), Err(RuleError::Id("i".into())));
    assert_eq!(check(vec![rule("a")]), Err(RuleError::NoAction("of a".into())));
    for broken in [
        expiring("", Due::Days(0)),
        steps(&[Archive, InfrequentAccess]),
        steps(&[Archive, Archive]),
        steps(&[Standard]),
    ] {
        assert_eq!(check(vec![broken]), Err(RuleError::Days("of ".into())));
    }
}

#[test]
fn rules_that_do_the_same_to_the_same_objects_overlap() {
    let both = |a: LifecycleRule, b: LifecycleRule| {
        let rules = lifecycle([LifecycleRule { id: "1".into(), ..a }, LifecycleRule { id: "2".into(), ..b }]);
        assert_eq!(rules.check(true), Ok(()));
        rules.check(false).is_err()
    };
    let expire = |prefix: &str| expiring(prefix, Due::Days(1));
    let abort = |prefix: &str| LifecycleRule { abort_upload: Some(Due::Days(1)), ..rule(prefix) };
    let tagged = |prefix: &str| {
        let mut rule = expire(prefix);
        rule.filter.tags = vec![tag("a")];
        rule
    };
    assert!(both(expire("a"), expire("ab")) && both(expire("ab"), expire("a")) && both(expire(""), expire("z")));
    assert!(both(abort("a"), abort("a")) && both(moving("", 1, Archive), moving("a", 9, Archive)));
    assert!(!both(expire("a"), expire("b")) && !both(expire("a"), abort("a")) && !both(expire("a"), tagged("a")));
    assert!(!both(moving("", 1, Archive), moving("", 2, ColdArchive)) && both(tagged("a"), tagged("ab")));
}

#[test]
fn rules_without_an_id_get_one_that_nobody_has() {
    let mut rules =
        lifecycle(["", "rule-1", ""].map(|id| LifecycleRule { id: id.into(), ..expiring("a", Due::Days(1)) }));
    rules.name_rules();
    assert_eq!(rules.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["rule-2", "rule-1", "rule-3"]);
}

proptest! {
    #[test]
    fn prefixes_cover_every_rule_once(prefixes in proptest::collection::vec("[ab/]{0,3}", 0..8)) {
        let rules = lifecycle(prefixes.iter().map(|prefix| expiring(prefix, Due::Days(1))));
        let cover = rules.prefixes(LifecycleRule::concerns_objects);
        for prefix in &prefixes {
            prop_assert_eq!(cover.iter().filter(|whole| prefix.starts_with(**whole)).count(), 1);
        }
        for (at, whole) in cover.iter().enumerate() {
            prop_assert!(prefixes.iter().any(|prefix| prefix == whole));
            let others = cover.iter().enumerate().filter(|(other, _)| *other != at);
            prop_assert!(others.into_iter().all(|(_, other)| !other.starts_with(whole)));
        }
    }
}

#[test]
fn what_is_stored_reads_back() {
    let full = LifecycleRule {
        filter: LifecycleFilter { tags: vec![tag("a")], larger_than: Some(1), ..LifecycleFilter::default() },
        expired_delete_marker: true,
        transitions: vec![Transition { due: Due::CreatedBefore(MADE), class: DeepColdArchive }],
        noncurrent_expiration: Some(NoncurrentExpiration { days: 3, keep: 2 }),
        noncurrent_transitions: vec![NoncurrentTransition { days: 1, keep: 0, class: InfrequentAccess }],
        abort_upload: Some(Due::Date(MADE)),
        ..rule("a")
    };
    let rules = lifecycle([full, expiring("", Due::Days(9))]);
    let text = serde_json::to_string(&rules).expect("plain");
    assert_eq!(serde_json::from_str::<Lifecycle>(&text).expect("as written"), rules);
}

// ---- the job -------------------------------------------------------------------------------------------------

struct Bed {
    meta: Arc<FaultyMetaStore>,
    clock: ManualClock,
    bucket: BucketId,
}

impl Bed {
    async fn new(rules: Lifecycle) -> Self {
        let meta = Arc::new(FaultyMetaStore::new(Arc::new(MemoryMetaStore::new())));
        let bucket = Bed::bucket(&*meta, "films", rules).await;
        Bed { meta, clock: ManualClock::new(MADE), bucket }
    }

    async fn bucket(meta: &dyn MetaStore, name: &str, rules: Lifecycle) -> BucketId {
        let owner = meta.put_access_key("owner", "id", "secret", MADE).await.expect("a key").account;
        let name = BucketName::new(name).expect("valid");
        let bucket = meta.create_bucket(&name, owner, Acl::Private, MADE).await.expect("a bucket").id;
        meta.set_bucket_lifecycle(bucket, rules).await.expect("rules");
        bucket
    }

    async fn put(&self, object: ObjectRecord) -> ObjectRecord {
        let commit = ObjectCommit { object, condition: WriteCondition::Always };
        self.meta.commit_object(commit, self.clock.wall()).await.expect("an object")
    }

    fn object(&self, name: &str) -> ObjectRecord {
        let extents = vec![Extent::Inline(Bytes::from_static(b"text"))];
        ObjectRecord { bucket: self.bucket, size: 4, extents, ..empty_object(name) }
    }

    async fn get(&self, name: &str) -> Option<ObjectRecord> {
        let key = ObjectKey::new(name).expect("a key");
        self.meta.object(self.bucket, &key).await.expect("readable")
    }

    fn job(&self) -> LifecycleJob {
        let times =
            LifecycleTimes { first_after: Duration::ZERO, interval: Duration::from_secs(60), pause: Duration::ZERO };
        LifecycleJob::new(self.meta.clone(), Arc::new(self.clock.clone()), times)
    }

    async fn pass(&self, now: Wall) -> Pass {
        self.clock.set_wall(now);
        self.job().pass(&Stop::new()).await
    }
}

#[tokio::test]
async fn objects_end_and_move_when_they_are_due() {
    let tagged = LifecycleFilter { prefix: "t/".into(), tags: vec![tag("old")], ..LifecycleFilter::default() };
    let bed = Bed::new(lifecycle([
        expiring("logs/", Due::Days(2)),
        moving("films/", 1, Archive),
        LifecycleRule { filter: tagged, id: "t".into(), ..expiring("", Due::Days(1)) },
    ]))
    .await;
    for name in ["logs/1", "films/1", "other", "t/plain"] {
        bed.put(bed.object(name)).await;
    }
    bed.put(ObjectRecord { tags: vec![tag("old"), tag("x")], ..bed.object("t/old") }).await;

    assert_eq!(bed.pass(at(1, 23)).await, Pass { examined: 4, ..Pass::default() });
    let second = bed.pass(at(2, 0)).await;
    assert_eq!(second, Pass { examined: 4, expired: 1, moved: 1, ..Pass::default() });
    let film = bed.get("films/1").await.expect("there");
    assert_eq!((film.storage_class, film.last_modified), (Archive, MADE));
    assert!(bed.get("t/old").await.is_none() && bed.get("t/plain").await.is_some());

    assert_eq!(bed.pass(at(3, 0)).await, Pass { examined: 3, expired: 1, ..Pass::default() });
    assert!(bed.get("logs/1").await.is_none() && bed.get("other").await.is_some());
    assert_eq!(bed.pass(at(3, 0)).await, Pass { examined: 2, ..Pass::default() }, "once is enough");
}

#[tokio::test]
async fn a_pass_goes_through_every_page() {
    let bed = Bed::new(lifecycle([expiring("a/", Due::Days(1))])).await;
    let count = crate::limits::LIFECYCLE_PAGE * 2 + 3;
    for n in 0..count {
        bed.put(bed.object(&format!("a/{n}"))).await;
        bed.put(bed.object(&format!("b/{n}"))).await;
    }
    let count = count as u64;
    assert_eq!(bed.pass(at(2, 0)).await, Pass { examined: count, expired: count, ..Pass::default() });
    assert_eq!(bed.meta.bucket_usage(bed.bucket).await.expect("there").objects, count);
}

#[tokio::test]
async fn what_was_written_since_it_was_seen_stays() {
    let bed = Bed::new(lifecycle([expiring("", Due::Days(1))])).await;
    let old = bed.put(bed.object("a")).await;
    bed.clock.set_wall(at(9, 0));
    let seen = Seen { key: old.key.clone(), what: SeenAs::Current(old.etag), last_modified: old.last_modified };
    bed.put(bed.object("a")).await;
    let expired =
        bed.meta.expire(bed.bucket, vec![Expiry { seen: seen.clone(), marker: VersionId(1) }], at(9, 0)).await;
    assert_eq!(expired, Ok(0));
    assert_eq!(bed.meta.change_class(bed.bucket, vec![seen], Archive).await, Ok(0));
    assert_eq!(bed.get("a").await.expect("there").storage_class, Standard);
}

#[tokio::test]
async fn rules_that_are_taken_away_end_nothing_more() {
    let bed = Bed::new(lifecycle([expiring("", Due::Days(1))])).await;
    let page = crate::limits::LIFECYCLE_PAGE as u64;
    for n in 0..page * 3 {
        bed.put(bed.object(&format!("a/{n}"))).await;
    }
    bed.clock.set_wall(at(2, 0));
    let times = LifecycleTimes { pause: Duration::from_secs(1), ..LifecycleTimes::every(Duration::from_secs(60)) };
    let job = LifecycleJob::new(bed.meta.clone(), Arc::new(bed.clock.clone()), times);
    let objects = || async { bed.meta.bucket_usage(bed.bucket).await.expect("there").objects };
    let taken_away = async {
        while objects().await == page * 3 {
            tokio::task::yield_now().await;
        }
        bed.meta.set_bucket_lifecycle(bed.bucket, Lifecycle::default()).await.expect("there");
        for _ in 0..100 {
            bed.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    };
    let stop = Stop::new();
    let (pass, ()) = tokio::join!(job.pass(&stop), taken_away);
    assert_eq!((pass.expired, pass.failed, objects().await), (page, 0, page * 2));
}

#[tokio::test]
async fn stale_uploads_are_aborted() {
    let bed = Bed::new(lifecycle([LifecycleRule { abort_upload: Some(Due::Days(3)), ..rule("u/") }])).await;
    for (id, name) in ["u/1", "u/2", "v/1"].into_iter().enumerate() {
        let ObjectRecord { bucket, key, acl, headers, user_metadata, tags, storage_class, attributes, .. } =
            bed.object(name);
        let id = UploadId(id as u128);
        let record = UploadRecord {
            bucket,
            key,
            id,
            initiated: MADE,
            acl,
            headers,
            user_metadata,
            tags,
            storage_class,
            checksum: None,
            attributes,
        };
        bed.meta.begin_upload(record, bed.clock.wall()).await.expect("an upload");
    }
    assert_eq!(bed.pass(at(3, 0)).await, Pass::default());
    assert_eq!(bed.pass(at(4, 0)).await, Pass { aborted: 2, ..Pass::default() });
    assert_eq!(bed.meta.bucket_usage(bed.bucket).await.expect("there").uploads, 1);
}

#[tokio::test]
async fn a_bucket_that_fails_is_left_to_the_next_pass() {
    let bed = Bed::new(lifecycle([expiring("", Due::Days(1))])).await;
    let other = Bed::bucket(&*bed.meta, "music", lifecycle([expiring("", Due::Days(1))])).await;
    bed.put(bed.object("a")).await;
    bed.put(ObjectRecord { bucket: other, ..bed.object("a") }).await;
    bed.meta.fail(MetaCall::Expire, 1, Fault::Before(StoreError::Unavailable("lost".into())));
    assert_eq!(bed.pass(at(2, 0)).await, Pass { examined: 2, expired: 1, failed: 1, ..Pass::default() });
    assert!(bed.get("a").await.is_some());
    assert_eq!(bed.pass(at(2, 0)).await, Pass { examined: 1, expired: 1, ..Pass::default() });
    bed.meta.fail(MetaCall::NextLifecycle, 1, Fault::Before(StoreError::Unavailable("lost".into())));
    assert_eq!(bed.pass(at(2, 0)).await.failed, 1);
}

#[tokio::test]
async fn the_job_runs_again_and_again_until_it_is_stopped() {
    let bed = Bed::new(lifecycle([expiring("", Due::Days(1))])).await;
    let stop = Stop::new();
    let tasks = crate::task::TaskSet::new();
    tasks.spawn("lifecycle", bed.job().run(stop.clone()));
    for round in 0..3 {
        bed.clock.set_wall(MADE);
        bed.put(bed.object("a")).await;
        bed.clock.set_wall(at(2, 0));
        while bed.get("a").await.is_some() {
            tokio::task::yield_now().await;
            bed.clock.advance(Duration::from_secs(1));
            assert!(bed.clock.wall() < at(3, 0), "round {round}");
        }
    }
    stop.pull();
    tasks.join().await;
}

// ---- versions ------------------------------------------------------------------------------------------------

impl Bed {
    async fn versioned(rules: Lifecycle) -> Self {
        let bed = Bed::new(rules).await;
        bed.meta.set_bucket_versioning(bed.bucket, Versioning::Enabled).await.expect("there");
        bed
    }

    /// A version made at noon of so many days later; its id is the day.
    async fn put_on(&self, day: i64, name: &str) {
        self.clock.set_wall(at(day, 12));
        let version = Some(VersionId(day.unsigned_abs().into()));
        self.put(ObjectRecord { version, ..self.object(name) }).await;
    }

    async fn delete_on(&self, day: i64, name: &str) {
        let key = ObjectKey::new(name).expect("a key");
        let marker = VersionId(day.unsigned_abs().into());
        let commit = crate::store::DeleteCommit {
            bypass_governance: false,
            bucket: self.bucket,
            targets: vec![crate::store::DeleteTarget { key, version: None, marker }],
        };
        self.meta.delete_objects(commit, at(day, 12)).await.expect("deleted");
    }

    /// The days of a key's versions, the newest first; markers are negative.
    async fn days(&self, name: &str) -> Vec<i64> {
        let query = crate::store::VersionsQuery { prefix: name.into(), limit: 1_000, ..Default::default() };
        let page = self.meta.list_versions(self.bucket, &query).await.expect("readable");
        let day = |time: Wall| time.0.div_euclid(DAY_MS) - 20_000;
        let entry = |entry| match entry {
            crate::store::VersionEntry::Object { summary, .. } => day(summary.last_modified),
            crate::store::VersionEntry::Marker { marker, .. } => -day(marker.last_modified),
            crate::store::VersionEntry::Prefix(prefix) => panic!("{prefix:?}"),
        };
        page.entries.into_iter().map(entry).collect()
    }
}

fn noncurrent(days: u32, keep: u32) -> LifecycleRule {
    LifecycleRule { noncurrent_expiration: Some(NoncurrentExpiration { days, keep }), ..rule("") }
}

#[tokio::test]
async fn versions_end_so_long_after_they_ceased_to_be_current() {
    let bed = Bed::versioned(lifecycle([noncurrent(10, 0)])).await;
    for day in [1, 2, 8] {
        bed.put_on(day, "a").await;
    }
    bed.pass(at(12, 23)).await;
    assert_eq!(bed.days("a").await, [8, 2, 1], "the first ceased on day 2");
    bed.pass(at(13, 0)).await;
    assert_eq!(bed.days("a").await, [8, 2]);
    bed.pass(at(19, 0)).await;
    assert_eq!(bed.days("a").await, [8]);
    bed.pass(at(999, 0)).await;
    assert_eq!(bed.days("a").await, [8], "the current one is no old version");
}

#[tokio::test]
async fn the_newest_old_versions_are_spared() {
    let bed = Bed::versioned(lifecycle([noncurrent(1, 2)])).await;
    for day in 1..=6 {
        bed.put_on(day, "a").await;
    }
    bed.delete_on(7, "b").await;
    bed.put_on(8, "b").await;
    bed.pass(at(99, 0)).await;
    assert_eq!(bed.days("a").await, [6, 5, 4]);
    assert_eq!(bed.days("b").await, [8, -7], "an old marker counts as a version");
}

#[tokio::test]
async fn versions_move_too() {
    let moving = NoncurrentTransition { days: 1, keep: 0, class: Archive };
    let bed = Bed::versioned(lifecycle([LifecycleRule { noncurrent_transitions: vec![moving], ..rule("") }])).await;
    for day in [1, 2] {
        bed.put_on(day, "a").await;
    }
    assert_eq!(bed.pass(at(9, 0)).await.moved, 1);
    assert_eq!(bed.get("a").await.expect("there").storage_class, Standard);
    let name = VersionName::Id(VersionId(1));
    let old = bed.meta.object_version(bed.bucket, &ObjectKey::new("a").expect("a key"), Some(name)).await;
    match old.expect("readable") {
        Some(Versioned::Object(object)) => assert_eq!(object.storage_class, Archive),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_current_object_ends_with_a_marker_and_a_lone_marker_goes() {
    let mut rules = lifecycle([expiring("", Due::Days(10)), noncurrent(5, 0)]);
    rules.rules[1].id = "old".into();
    let bed = Bed::versioned(rules).await;
    bed.put_on(1, "a").await;
    bed.delete_on(1, "alone").await;
    bed.pass(at(12, 0)).await;
    assert_eq!(bed.days("a").await, [-12, 1], "hidden, not gone");
    assert!(bed.days("alone").await.is_empty());
    bed.pass(at(18, 0)).await;
    assert_eq!(bed.days("a").await, [-12], "what it hid is gone");
    bed.pass(at(23, 0)).await;
    assert!(bed.days("a").await.is_empty());
}

#[tokio::test]
async fn markers_that_hide_nothing_go_at_once_where_a_rule_says_so() {
    let bed = Bed::versioned(lifecycle([LifecycleRule { expired_delete_marker: true, ..rule("x") }])).await;
    for name in ["x1", "x2", "y"] {
        bed.delete_on(1, name).await;
    }
    bed.put_on(1, "x3").await;
    bed.delete_on(2, "x3").await;
    assert_eq!(bed.pass(at(2, 12)).await.expired, 2);
    assert_eq!((bed.days("x").await, bed.days("y").await), (vec![-2, 1], vec![-1]));
}

#[tokio::test]
async fn histories_go_on_over_pages() {
    let bed = Bed::versioned(lifecycle([noncurrent(1, 3)])).await;
    let count = i64::try_from(crate::limits::LIFECYCLE_PAGE).expect("small") * 2 + 7;
    for day in 1..=count {
        bed.put_on(day, "a").await;
    }
    let last = count + 9;
    assert_eq!(bed.pass(at(last, 0)).await.expired, count.unsigned_abs() - 4);
    assert_eq!(bed.days("a").await, [count, count - 1, count - 2, count - 3]);
}

#[tokio::test]
async fn a_version_that_came_back_stays() {
    let bed = Bed::versioned(lifecycle([noncurrent(1, 0)])).await;
    bed.put_on(1, "a").await;
    bed.delete_on(2, "a").await;
    let key = ObjectKey::new("a").expect("a key");
    let what = SeenAs::Kept(VersionName::Id(VersionId(1)));
    let seen = Seen { key: key.clone(), what, last_modified: at(1, 12) };
    let expiry = Expiry { seen, marker: VersionId(9) };
    let back = crate::store::DeleteTarget { key, version: Some(VersionName::Id(VersionId(2))), marker: VersionId(9) };
    let commit = crate::store::DeleteCommit { bucket: bed.bucket, targets: vec![back], bypass_governance: false };
    bed.meta.delete_objects(commit, at(3, 0)).await.expect("the marker is gone");
    assert_eq!(bed.meta.expire(bed.bucket, vec![expiry], at(9, 0)).await, Ok(0));
    assert_eq!(bed.days("a").await, [1]);
}
