//! Accounts, keys, buckets, and the end of the store.

use super::*;
use crate::store::settings::RefererRules;

pub(super) async fn key_is_read_back(s: &dyn MetaStore) {
    let put = s.put_access_key("camera team", "id", "secret/+=", Wall(7)).await.expect("a new key");
    assert_eq!((put.secret.as_str(), put.account_name.as_str()), ("secret/+=", "camera team"));
    assert!(put.enabled);
    assert_eq!(put.created, Wall(7));
    assert_eq!(s.access_key("id").await, Ok(Some(put)));
    assert_eq!(s.access_key("ID").await, Ok(None), "ids differ by case");
}

pub(super) async fn same_key_again_is_no_error_and_enables_it(s: &dyn MetaStore) {
    let put = s.put_access_key("a", "id", "secret", Wall(7)).await.expect("a new key");
    s.disable_access_key("id").await.expect("known");
    assert!(!s.access_key("id").await.expect("readable").expect("kept").enabled);
    assert_eq!(s.put_access_key("a", "id", "secret", Wall(8)).await.as_ref(), Ok(&put));
    assert_eq!(s.access_key("id").await, Ok(Some(put)));
}

pub(super) async fn another_secret_under_an_id_is_refused(s: &dyn MetaStore) {
    let put = s.put_access_key("a", "id", "secret", Wall(7)).await.expect("a new key");
    let other = s.put_access_key("a", "id", "other", Wall(8)).await;
    assert_eq!(other, Err(StoreError::AlreadyExists(What::AccessKey)));
    assert_eq!(s.access_key("id").await, Ok(Some(put)));
}

pub(super) async fn another_account_under_an_id_is_refused_and_not_made(s: &dyn MetaStore) {
    let first = s.put_access_key("a", "id", "secret", Wall(7)).await.expect("a new key");
    let other = s.put_access_key("b", "id", "secret", Wall(8)).await;
    assert_eq!(other, Err(StoreError::AlreadyExists(What::AccessKey)));
    let next = s.put_access_key("c", "id2", "secret", Wall(9)).await.expect("a new key");
    assert_eq!(next.account.0, first.account.0 + 1, "the refused account left no gap");
}

pub(super) async fn keys_of_one_account_share_it(s: &dyn MetaStore) {
    let a1 = s.put_access_key("a", "1", "x", Wall(1)).await.expect("new");
    let b = s.put_access_key("b", "2", "x", Wall(1)).await.expect("new");
    let a2 = s.put_access_key("a", "3", "x", Wall(1)).await.expect("new");
    assert_eq!(a1.account, a2.account);
    assert_ne!(a1.account, b.account);
}

pub(super) async fn disabling_an_unknown_key_is_not_found(s: &dyn MetaStore) {
    assert_eq!(s.disable_access_key("id").await, Err(StoreError::NotFound(What::AccessKey)));
}

pub(super) async fn keys_are_listed_in_order_of_id(s: &dyn MetaStore) {
    for id in ["b", "a", "Z"] {
        s.put_access_key("account", id, "x", Wall(1)).await.expect("new");
    }
    s.disable_access_key("a").await.expect("known");
    let listed = s.list_access_keys().await.expect("readable");
    let seen: Vec<_> = listed.iter().map(|k| (k.id.as_str(), k.enabled)).collect();
    assert_eq!(seen, [("Z", true), ("a", false), ("b", true)]);
}

fn new_session(id: &str, expires: i64) -> NewSessionKey {
    let secret = "session/+=".into();
    NewSessionKey { id: id.into(), secret, token_sha256: [7; 32], expires: Wall(expires), policy: Some("{}".into()) }
}

pub(super) async fn session_key_is_read_back(s: &dyn MetaStore) {
    let parent = s.put_access_key("camera team", "id", "secret", Wall(7)).await.expect("a new key");
    let put = s.put_session_key("id", new_session("STS.a", 9), Wall(8)).await.expect("a new one");
    assert_eq!((put.secret.as_str(), put.token_sha256, &put.parent), ("session/+=", [7; 32], &parent));
    assert_eq!((put.created, put.expires, put.policy.as_deref()), (Wall(8), Wall(9), Some("{}")));
    assert_eq!(s.session_key("STS.a").await, Ok(Some(put)));
    assert_eq!(s.session_key("id").await, Ok(None), "an access key is none");
    assert_eq!(s.access_key("STS.a").await, Ok(None), "and the reverse");
    let bare = NewSessionKey { policy: None, ..new_session("STS.b", 9) };
    s.put_session_key("id", bare, Wall(8)).await.expect("a new one");
    assert_eq!(s.session_key("STS.b").await.expect("readable").expect("there").policy, None);
    assert_eq!(s.list_access_keys().await.expect("readable").len(), 1);
}

pub(super) async fn session_key_needs_an_enabled_key_and_a_free_id(s: &dyn MetaStore) {
    s.put_access_key("a", "id", "secret", Wall(7)).await.expect("a new key");
    let put = async |parent, id| s.put_session_key(parent, new_session(id, 9), Wall(8)).await.map(|record| record.id);
    assert_eq!(put("other", "STS.a").await, Err(StoreError::NotFound(What::AccessKey)));
    assert_eq!(put("id", "id").await, Err(StoreError::AlreadyExists(What::AccessKey)));
    assert_eq!(put("id", "STS.a").await, Ok("STS.a".into()));
    assert_eq!(put("id", "STS.a").await, Err(StoreError::AlreadyExists(What::AccessKey)));
    s.disable_access_key("id").await.expect("known");
    assert_eq!(put("id", "STS.b").await, Err(StoreError::NotFound(What::AccessKey)));
}

pub(super) async fn session_keys_end_with_their_key(s: &dyn MetaStore) {
    for id in ["1", "2"] {
        s.put_access_key("a", id, "secret", Wall(7)).await.expect("a new key");
        s.put_session_key(id, new_session(&format!("STS.{id}"), 9), Wall(8)).await.expect("a new one");
    }
    s.disable_access_key("1").await.expect("known");
    assert_eq!(s.session_key("STS.1").await, Ok(None));
    assert!(s.session_key("STS.2").await.expect("readable").is_some());
    s.put_access_key("a", "1", "secret", Wall(9)).await.expect("enabled again");
    assert_eq!(s.session_key("STS.1").await, Ok(None), "it does not come back");
}

pub(super) async fn expired_session_keys_are_forgotten_a_few_at_a_time(s: &dyn MetaStore) {
    s.put_access_key("a", "id", "secret", Wall(1)).await.expect("a new key");
    for (id, expires) in [("STS.a", 10), ("STS.b", 11), ("STS.c", 12), ("STS.d", 13)] {
        s.put_session_key("id", new_session(id, expires), Wall(1)).await.expect("a new one");
    }
    assert_eq!(s.forget_session_keys(Wall(10), 9).await, Ok(0));
    assert_eq!(s.forget_session_keys(Wall(13), 2).await, Ok(2));
    assert_eq!(s.forget_session_keys(Wall(13), 2).await, Ok(1));
    assert_eq!(s.forget_session_keys(Wall(13), 2).await, Ok(0));
    assert!(s.session_key("STS.d").await.expect("readable").is_some());
}

pub(super) async fn bucket_is_read_back(s: &dyn MetaStore) {
    let owner = owner(s).await;
    let made = s.create_bucket(&bucket_name("films"), owner, Acl::PublicRead, Wall(5)).await.expect("free");
    assert_eq!((made.owner_name.as_str(), made.acl, made.created), ("owner", Acl::PublicRead, Wall(5)));
    assert_eq!(made.cors, CorsConfig::default());
    assert_eq!(s.bucket(&bucket_name("films")).await, Ok(Some(made.into())));
    assert_eq!(s.bucket(&bucket_name("film")).await, Ok(None));
}

pub(super) async fn bucket_name_is_taken_whoever_owns_it(s: &dyn MetaStore) {
    bucket(s, "films").await;
    let other = s.put_access_key("b", "2", "x", Wall(1)).await.expect("new").account;
    for account in [owner(s).await, other] {
        let again = s.create_bucket(&bucket_name("films"), account, Acl::Private, Wall(5)).await;
        assert_eq!(again, Err(StoreError::AlreadyExists(What::Bucket)));
    }
}

pub(super) async fn bucket_needs_an_account(s: &dyn MetaStore) {
    let made = s.create_bucket(&bucket_name("films"), AccountId(77), Acl::Private, Wall(5)).await;
    assert_eq!(made, Err(StoreError::NotFound(What::AccessKey)));
    assert_eq!(s.bucket(&bucket_name("films")).await, Ok(None));
}

pub(super) async fn buckets_are_listed_by_owner_in_pages(s: &dyn MetaStore) {
    for name in ["b-2", "a-1", "b-1", "b-3"] {
        bucket(s, name).await;
    }
    let mine = owner(s).await;
    let other = s.put_access_key("b", "2", "x", Wall(1)).await.expect("new").account;
    s.create_bucket(&bucket_name("b-0"), other, Acl::Private, Wall(1)).await.expect("free");
    let list = async |account, prefix: &str, after: &str, limit| {
        let page = s.list_buckets(account, prefix, after, limit).await.expect("readable");
        (page.entries.iter().map(|b| b.name.to_string()).collect::<Vec<_>>().join(" "), page.truncated)
    };
    assert_eq!(list(mine, "", "", 10).await, ("a-1 b-1 b-2 b-3".into(), false));
    assert_eq!(list(mine, "", "", 4).await, ("a-1 b-1 b-2 b-3".into(), false));
    assert_eq!(list(mine, "", "", 3).await, ("a-1 b-1 b-2".into(), true));
    assert_eq!(list(mine, "b", "b-1", 1).await, ("b-2".into(), true));
    assert_eq!(list(mine, "b-", "b-2", 1).await, ("b-3".into(), false));
    assert_eq!(list(mine, "c", "", 9).await, (String::new(), false));
    assert_eq!(list(other, "", "", 9).await, ("b-0".into(), false));
}

pub(super) async fn bucket_settings_change(s: &dyn MetaStore) {
    let id = bucket(s, "films").await;
    let rule = CorsRule {
        allowed_origins: vec!["*".into()],
        allowed_methods: vec!["GET".into()],
        max_age_seconds: Some(60),
        ..CorsRule::default()
    };
    let cors = CorsConfig { rules: vec![rule, CorsRule::default()], response_vary: true };
    s.set_bucket_acl(id, Acl::PublicReadWrite).await.expect("there");
    s.set_bucket_cors(id, cors.clone()).await.expect("there");
    let read = s.bucket(&bucket_name("films")).await.expect("readable").expect("there");
    assert_eq!((read.acl, &read.cors), (Acl::PublicReadWrite, &cors));
    s.set_bucket_cors(id, CorsConfig::default()).await.expect("there");
    let read = s.bucket(&bucket_name("films")).await.expect("readable").expect("there");
    assert_eq!(read.cors, CorsConfig::default());
}

pub(super) async fn settings_of_a_missing_bucket_are_not_found(s: &dyn MetaStore) {
    let missing = Err(StoreError::NotFound(What::Bucket));
    assert_eq!(s.set_bucket_acl(BucketId(9), Acl::Private).await, missing);
    assert_eq!(s.set_bucket_cors(BucketId(9), CorsConfig::default()).await, missing);
    assert_eq!(s.delete_bucket(BucketId(9)).await, missing);
}

pub(super) async fn bucket_with_an_object_or_a_channel_is_not_deleted(s: &dyn MetaStore) {
    let id = bucket(s, "films").await;
    put(s, object(id, "a", vec![]), 1).await;
    assert_eq!(s.delete_bucket(id).await, Err(StoreError::BucketNotEmpty));
    delete(s, id, "a", 2).await;
    channel(s, id, "cam").await;
    assert_eq!(s.delete_bucket(id).await, Err(StoreError::BucketNotEmpty));
    s.delete_channel(id, &channel_name("cam")).await.expect("not live");
    assert_eq!(s.delete_bucket(id).await, Ok(()));
    assert_eq!(s.bucket(&bucket_name("films")).await, Ok(None));
}

pub(super) async fn bucket_made_again_is_another_one(s: &dyn MetaStore) {
    let first = bucket(s, "films").await;
    channel(s, first, "cam").await;
    let claimed = claim(s, first, "cam", 1).await;
    s.commit_fragment(fragment_commit(first, "cam", (1, claimed.epoch), 1_000, 0), Wall(2)).await.expect("owner");
    end(s, first, "cam", claimed.epoch, 6_000).await.expect("owner");
    s.delete_channel(first, &channel_name("cam")).await.expect("not live");
    delete_all(s, first, &["cam/1000.ts", "cam/playlist.m3u8"], 3).await;
    s.delete_bucket(first).await.expect("empty");
    assert_eq!(s.audit_windows().await, Ok(vec![]), "a bucket's windows go with it");

    let second = bucket(s, "films").await;
    assert_ne!(first, second);
    channel(s, second, "cam").await;
    let fresh = claim(s, second, "cam", 2).await;
    assert_eq!((fresh.last_name_ms, fresh.next_sequence), (None, 0));
}

pub(super) async fn closed_store_is_unavailable(s: &dyn MetaStore) {
    let id = bucket(s, "films").await;
    s.close().await.expect("nothing hinders it");
    s.close().await.expect("closing again is no error");
    let unavailable = |result: Result<()>| matches!(result, Err(StoreError::Unavailable(_)));
    assert!(unavailable(s.object(id, &key("a")).await.map(drop)), "point read");
    assert!(unavailable(s.list_objects(id, &ListQuery::default()).await.map(drop)), "scan");
    assert!(unavailable(try_put(s, object(id, "a", vec![]), 1).await.map(drop)), "write");
}

pub(super) async fn usage_follows_every_change(s: &dyn MetaStore) {
    let (b, other) = (bucket(s, "counted").await, bucket(s, "other").await);
    put(s, object(other, "a", vec![inline("elsewhere")]), 1).await;
    let usage = async || s.bucket_usage(b).await.expect("there");
    // Every part has four bytes, and every object the first class.
    let of = |objects, bytes, uploads, parts, channels| {
        let mut usage = BucketUsage { objects, bytes, uploads, parts, channels, ..BucketUsage::default() };
        usage.part_bytes = 4 * parts;
        usage.classes[0] = ClassUsage { objects, bytes };
        usage
    };
    assert_eq!(usage().await, of(0, 0, 0, 0, 0));
    put(s, object(b, "a", vec![inline("four")]), 2).await;
    put(s, object(b, "b", vec![in_blob(1, 10), inline("x")]), 2).await;
    put(s, object(b, "empty", vec![]), 2).await;
    assert_eq!(usage().await, of(3, 15, 0, 0, 0));
    // In place of another: smaller, larger, nothing.
    put(s, object(b, "b", vec![inline("z")]), 3).await;
    assert_eq!(usage().await, of(3, 5, 0, 0, 0));
    put(s, object(b, "empty", vec![in_blob(2, 100)]), 3).await;
    put(s, object(b, "a", vec![]), 3).await;
    assert_eq!(usage().await, of(3, 101, 0, 0, 0));
    // A refused write counts nothing.
    let commit = ObjectCommit { object: object(b, "a", vec![inline("q")]), condition: WriteCondition::IfAbsent };
    s.commit_object(commit, Wall(4)).await.expect_err("taken");
    assert_eq!(usage().await, of(3, 101, 0, 0, 0));
    for position in [0, 3] {
        let first = ObjectRecord { kind: ObjectKind::Appendable, ..object(b, "log", vec![inline("abc")]) };
        s.commit_append(AppendCommit { first, position }, Wall(5)).await.expect("appended");
    }
    assert_eq!(usage().await, of(4, 107, 0, 0, 0));

    for id in [1, 2] {
        s.begin_upload(upload_record(b, "big", id), Wall(6)).await.expect("open");
        for number in [1, 2, 1] {
            let part = part(number, vec![inline("part")]);
            let commit = PartCommit { bucket: b, key: key("big"), upload: upload_id(id), part };
            s.commit_part(commit, Wall(6)).await.expect("a part");
        }
    }
    assert_eq!(usage().await, of(4, 107, 2, 4, 0));
    s.abort_upload(b, &key("big"), upload_id(1), Wall(7)).await.expect("open");
    assert_eq!(usage().await, of(4, 107, 1, 2, 0));
    let commit = CompleteCommit {
        bucket: b,
        key: key("big"),
        upload: upload_id(2),
        parts: PartChoice::All,
        part_bytes_min: 0,
        condition: WriteCondition::Always,
        version: None,
        expected: ExpectedObject::default(),
    };
    s.complete_upload(commit.clone(), Wall(8)).await.expect("complete");
    s.complete_upload(commit, Wall(8)).await.expect("repeated");
    assert_eq!(usage().await, of(5, 115, 0, 0, 0));

    channel(s, b, "cam").await;
    let epoch = claim(s, b, "cam", 1).await.epoch;
    s.commit_fragment(fragment_commit(b, "cam", (1, epoch), 1_000, 0), Wall(9)).await.expect("stored");
    assert_eq!(usage().await, of(7, 115 + 188 + 7, 0, 0, 1));
    s.commit_fragment(fragment_commit(b, "cam", (1, epoch), 2_000, 1), Wall(9)).await.expect("stored");
    assert_eq!(usage().await, of(8, 115 + 2 * 188 + 7, 0, 0, 1));

    delete_all(s, b, &["a", "log", "none", "log", "cam/1000.ts"], 10).await;
    assert_eq!(usage().await, of(5, 115 - 6 + 188 + 7, 0, 0, 1));
    assert_eq!(s.bucket_usage(other).await.expect("there"), of(1, 9, 0, 0, 0));
    assert_eq!(s.bucket_usage(BucketId(99)).await, Err(StoreError::NotFound(What::Bucket)));
    delete(s, other, "a", 11).await;
    s.delete_bucket(other).await.expect("empty");
    assert_eq!(s.bucket_usage(other).await, Err(StoreError::NotFound(What::Bucket)));
}

pub(super) async fn bucket_tags_are_set_and_removed(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let tags = async || s.bucket(&bucket_name("films")).await.expect("readable").expect("there").tags.clone();
    assert_eq!(tags().await, vec![]);
    let set = vec![tag("team", "a b"), tag("cost", "")];
    s.set_bucket_tags(b, set.clone()).await.expect("there");
    s.set_bucket_acl(b, Acl::PublicRead).await.expect("there");
    assert_eq!(tags().await, set);
    s.set_bucket_tags(b, Vec::new()).await.expect("there");
    assert_eq!(tags().await, vec![]);
    assert_eq!(s.set_bucket_tags(BucketId(99), set).await, Err(StoreError::NotFound(What::Bucket)));
}

pub(super) async fn bucket_settings_are_set_one_by_one(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let settings = async || s.bucket(&bucket_name("films")).await.expect("readable").expect("there").settings.clone();
    assert_eq!(settings().await, BucketSettings::default());
    s.set_bucket_setting(b, BucketSetting::Policy(Some("{}".into()))).await.expect("there");
    s.set_bucket_setting(b, BucketSetting::RequestPayment(Payer::Requester)).await.expect("there");
    let both = BucketSettings { policy: Some("{}".into()), request_payment: Payer::Requester, ..Default::default() };
    assert_eq!(settings().await, both);
    let rules = RefererRules { allowed: vec!["http://a.example".into()], ..RefererRules::default() };
    s.set_bucket_setting(b, BucketSetting::Referer(rules.clone())).await.expect("there");
    assert_eq!(settings().await, BucketSettings { referer: Some(rules), ..both });
    s.set_bucket_setting(b, BucketSetting::Policy(None)).await.expect("there");
    assert_eq!((settings().await.policy, settings().await.request_payment), (None, Payer::Requester));
    let nowhere = s.set_bucket_setting(BucketId(99), BucketSetting::Policy(None)).await;
    assert_eq!(nowhere, Err(StoreError::NotFound(What::Bucket)));
}

pub(super) async fn bucket_versioning_is_set(s: &dyn MetaStore) {
    let b = bucket(s, "films").await;
    let versioning = async || s.bucket(&bucket_name("films")).await.expect("readable").expect("there").versioning;
    assert_eq!(versioning().await, Versioning::Never);
    for set in [Versioning::Enabled, Versioning::Suspended] {
        s.set_bucket_versioning(b, set).await.expect("there");
        assert_eq!(versioning().await, set);
    }
    let never = s.set_bucket_versioning(b, Versioning::Never).await;
    assert_eq!((never, versioning().await), (Err(StoreError::PreconditionFailed), Versioning::Suspended));
    let nowhere = s.set_bucket_versioning(BucketId(99), Versioning::Enabled).await;
    assert_eq!(nowhere, Err(StoreError::NotFound(What::Bucket)));
}
