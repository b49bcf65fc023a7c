//! Who asks, under which ACLs and policies, and what the rules say to it: the rows, tried.

use std::sync::Arc;

use super::super::form::Form;
use super::super::harness::{NOW, Reply, Running, Socket};
use super::super::signed::{Dialect, Key, Place, Plain};
use super::*;
use crate::clock::Wall;
use crate::http::oss::route::route;
use crate::http::query::Query;
use crate::http::s3::OPERATIONS;
use crate::store::credentials::token_digest;
use crate::store::records::testbed::{empty_upload, inline_object};

/// Who asks, and how they prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Anonymous,
    /// An account, its signature in the header or in the URL.
    Account(Account, Place),
    /// A temporary credential of an account.
    Session(Account, Place, Narrow),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Account {
    TheOwner,
    Another,
}

/// What a temporary credential's own policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Narrow {
    /// There is none.
    NoPolicy,
    /// This very row.
    ThisRow,
    /// Something else.
    SomethingElse,
}

const EVERYBODY: &[Who] = &[
    Who::Anonymous,
    Who::Account(Account::Another, Place::Header),
    Who::Account(Account::Another, Place::Url),
    Who::Account(Account::TheOwner, Place::Header),
    Who::Account(Account::TheOwner, Place::Url),
    Who::Session(Account::TheOwner, Place::Header, Narrow::NoPolicy),
    Who::Session(Account::TheOwner, Place::Url, Narrow::ThisRow),
    Who::Session(Account::TheOwner, Place::Header, Narrow::SomethingElse),
    Who::Session(Account::Another, Place::Header, Narrow::ThisRow),
    Who::Session(Account::Another, Place::Url, Narrow::NoPolicy),
];

/// The bucket's policy: it allows all of the row's actions, and denies the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Nothing,
    AllowsEverybody,
    AllowsTheOther,
    DeniesEverybody,
    /// Denies the owner alone, by the owner's id.
    DeniesTheOwner,
}

/// The rules, said once more: a temporary credential's own policy bounds it; what the policy denies is denied, but for the
/// owner's hold on the policy; the owner may everything else; then what the policy allows; then what the ACLs say.
fn expected(row: &Row, who: Who, bucket: Acl, object: Option<Acl>, says: Says) -> bool {
    let account = match who {
        Who::Anonymous => None,
        Who::Account(account, _) | Who::Session(account, ..) => Some(account),
    };
    if matches!(who, Who::Session(_, _, Narrow::SomethingElse)) {
        return false;
    }
    if row.right == Right::Account {
        return account.is_some();
    }
    let is_owner = account == Some(Account::TheOwner);
    let denied = says == Says::DeniesEverybody || (says == Says::DeniesTheOwner && is_owner);
    if denied {
        return is_owner && row.right == Policy;
    }
    let allowed = says == Says::AllowsEverybody || (says == Says::AllowsTheOther && account == Some(Account::Another));
    let acl = if row.is_on_object() { object.unwrap_or(bucket) } else { bucket };
    let by_acl = match row.right {
        Read => acl != Acl::Private,
        Write => acl == Acl::PublicReadWrite,
        List => bucket != Acl::Private,
        Owner | Policy | Right::Account => false,
    };
    is_owner || allowed || by_acl
}

/// Under which ACLs and policies a row is tried.
fn scenes(row: &Row) -> Vec<(Acl, Option<Acl>, Says)> {
    use Acl::*;
    let mut scenes = Vec::new();
    for bucket in [Private, PublicRead, PublicReadWrite] {
        scenes.push((bucket, None, Says::Nothing));
        if row.is_on_object() {
            scenes.extend([Private, PublicRead, PublicReadWrite].map(|own| (bucket, Some(own), Says::Nothing)));
        }
    }
    scenes.extend([
        (Private, None, Says::AllowsEverybody),
        (Private, None, Says::AllowsTheOther),
        (PublicReadWrite, None, Says::DeniesEverybody),
        (PublicReadWrite, None, Says::DeniesTheOwner),
    ]);
    if row.is_on_object() {
        scenes.push((PublicReadWrite, Some(Private), Says::AllowsEverybody));
        scenes.extend([
            (Private, Some(PublicReadWrite), Says::DeniesEverybody),
            (Private, Some(PublicReadWrite), Says::DeniesTheOwner),
            (PublicReadWrite, Some(PublicRead), Says::DeniesTheOwner),
            (Private, Some(Private), Says::AllowsTheOther),
            (PublicReadWrite, Some(Private), Says::AllowsTheOther),
            (Private, Some(PublicRead), Says::AllowsTheOther),
        ]);
    }
    scenes
}

/// It has an answer only for everybody's website.
const ELSEWHERE: [&str; 1] = ["HeadBucket"];

#[test]
fn every_oss_operation_has_a_row_and_every_row_is_that_operation() {
    for row in OSS {
        let target = row.target.replace("{upload}", &"0".repeat(32)).replace("{new}", "").replace("{n}", "");
        let (key, query) = target.split_once('?').unwrap_or((&target, ""));
        let copy_source = row.headers.iter().find(|(name, _)| *name == "x-oss-copy-source");
        let on_service = row.right == Right::Account && row.method == "GET";
        let target = Target {
            bucket: (!on_service).then_some("films"),
            key: key.as_bytes(),
            copy_source: copy_source.map(|(_, value)| value.as_bytes()),
        };
        let method = row.method.parse().expect("a method");
        let operation = route(&method, target, &Query::parse(query)).expect("a request line");
        assert_eq!(name_of(&operation), row.name);
        let names = operation.permission().names();
        assert!(names.contains(&row.actions[0]), "{}: {names:?}", row.name);
    }
    for name in NAMES.iter().filter(|name| !ELSEWHERE.contains(name)) {
        assert!(OSS.iter().chain(OSS_MORE).any(|row| row.name == *name), "no row for {name}");
    }
}

#[test]
fn every_s3_operation_has_a_row() {
    for name in OPERATIONS {
        assert!(S3.iter().any(|row| row.name == *name), "no row for {name}");
    }
    for row in S3 {
        assert!(OPERATIONS.contains(&row.name), "{} is no operation", row.name);
    }
}

#[tokio::test]
async fn everybody_may_what_the_rules_say_over_oss() {
    run(Dialect::Oss, OSS, OSS_MORE).await;
}

#[tokio::test]
async fn everybody_may_what_the_rules_say_over_s3() {
    run(Dialect::S3, S3, S3_MORE).await;
}

/// A service with the bucket `films` of `owner`, and `open`, readable by all.
struct Matrix {
    running: Running,
    socket: Socket,
    films: BucketRecord,
    count: u64,
}

async fn run(dialect: Dialect, rows: &[Row], more: &[Row]) {
    let mut matrix = Matrix::start().await;
    for (at, row) in rows.iter().chain(more).enumerate() {
        for narrow in [Narrow::NoPolicy, Narrow::ThisRow, Narrow::SomethingElse] {
            matrix.make_sessions(at, row, narrow).await;
        }
        for (bucket, object, says) in scenes(row) {
            for who in EVERYBODY {
                matrix.check(dialect, at, row, *who, (bucket, object, says)).await;
            }
        }
    }
    // What the matrix is worth if it asks little.
    assert!(matrix.count > 2_000, "{}", matrix.count);
}

impl Matrix {
    async fn start() -> Self {
        let running = Running::start().await;
        let owner = running.bucket("examplebucket").await.owner;
        let name = |text| BucketName::new(text).expect("valid");
        let open = running.meta.create_bucket(&name("open"), owner, Acl::PublicRead, NOW).await.expect("free");
        let films = running.meta.create_bucket(&name("films"), owner, Acl::Private, NOW).await.expect("free");
        put_object(&running.meta, open.id, "src", None).await;
        let socket = running.connect().await;
        Matrix { running, socket, films, count: 0 }
    }

    async fn make_sessions(&self, at: usize, row: &Row, narrow: Narrow) {
        let policy = |actions: &str| {
            format!(r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":[{actions}],"Resource":["*"]}}]}}"#)
        };
        let policy = match narrow {
            Narrow::NoPolicy => None,
            Narrow::ThisRow => {
                Some(policy(&row.actions.iter().map(|a| format!("\"{a}\"")).collect::<Vec<_>>().join(",")))
            }
            Narrow::SomethingElse => Some(policy("\"oss:NothingThatIs\"")),
        };
        for account in [Account::TheOwner, Account::Another] {
            let key = session_key(at, account, narrow);
            let session = NewSessionKey {
                id: key.id,
                secret: key.secret,
                token_sha256: token_digest(key.token.expect("temporary").as_bytes()),
                expires: Wall(NOW.0 + 60_000),
                policy: policy.clone(),
            };
            let parent = account_key(account).id;
            self.running.meta.put_session_key(&parent, session, NOW).await.expect("a new credential");
        }
    }

    /// Everything as it is at first, whatever the request before did.
    async fn set(&self, row: &Row, (bucket, object, says): (Acl, Option<Acl>, Says)) -> UploadId {
        let (meta, films) = (&self.running.meta, &self.films);
        meta.set_bucket_acl(films.id, bucket).await.expect("there");
        let setting = BucketSetting::Policy(policy_text(row, films.owner, says));
        meta.set_bucket_setting(films.id, setting).await.expect("there");
        if row.is_on_version() {
            meta.set_bucket_versioning(films.id, Versioning::Suspended).await.expect("there");
        }
        meta.set_bucket_cors(films.id, CorsConfig::default()).await.expect("there");
        meta.set_bucket_tags(films.id, Vec::new()).await.expect("there");
        put_object(meta, films.id, KEY, object).await;
        let config = ChannelConfig::default();
        let channel = ChannelName::new("cam").expect("valid");
        meta.put_channel(films.id, &channel, config, false, NOW).await.expect("not live");
        let id = UploadId(u128::from(self.count) + 1);
        if row.target.contains("{upload}") {
            begin_upload(meta, films.id, id).await;
        }
        id
    }

    async fn check(&mut self, dialect: Dialect, at: usize, row: &Row, who: Who, scene: (Acl, Option<Acl>, Says)) {
        let (key, place) = match who {
            Who::Anonymous => (None, Place::Header),
            Who::Account(account, place) => (Some(account_key(account)), place),
            Who::Session(account, place, narrow) => (Some(session_key(at, account, narrow)), place),
        };
        // This one takes a signature in the URL by its nature.
        if row.name == "GetObjectHlsSigned" && (key.is_none() || place == Place::Header) {
            return;
        }
        self.count += 1;
        let upload = self.set(row, scene).await;
        let reply = if row.is_form() {
            self.socket.call(form(dialect, key.as_ref(), place).call().bucket("films")).await
        } else {
            self.plain(dialect, row, upload).signed(key.as_ref(), place).send(&mut self.socket).await
        };
        let (bucket, object, says) = scene;
        let told = format!("{dialect:?} {} by {who:?} in {scene:?}: {reply:?}", row.name);
        match expected(row, who, bucket, object, says) {
            true => assert!(row.done.contains(&reply.status) && !is_refused(&reply), "should be allowed: {told}"),
            false => assert!(is_refused(&reply), "should be refused: {told}"),
        }
    }

    fn plain(&self, dialect: Dialect, row: &Row, upload: UploadId) -> Plain {
        let upload = upload.to_string();
        let target = row.target.replace("{upload}", &upload).replace("{n}", &self.count.to_string());
        let (key, query) = target.split_once('?').unwrap_or((&target, ""));
        let (bucket, key) = match (row.right, key) {
            (Right::Account, "{new}") => (format!("new-{}", self.count), ""),
            (Right::Account, _) => (String::new(), ""),
            _ => ("films".to_owned(), key),
        };
        let mut plain = Plain::new(dialect, row.method, &bucket, key, query).body(row.body);
        for (name, value) in row.headers {
            plain = plain.header(name, value);
        }
        if query == "delete" { plain.md5() } else { plain }
    }
}

/// A form for the object. A form has one place for its signature, so the place stands for the version: 4, or the older.
fn form(dialect: Dialect, key: Option<&Key>, place: Place) -> Form {
    let form = Form::default().field("key", KEY);
    let form = match key {
        Some(key) => form.signed_by(dialect, key, place == Place::Header, &format!(r#"{{"key": "{KEY}"}}"#)),
        // By nothing else is an anonymous form one dialect's or the other's.
        None => match dialect {
            Dialect::Oss => form.field("x-oss-meta-a", "1"),
            Dialect::S3 => form.field("x-amz-meta-a", "1"),
        },
    };
    form.file("p.m3u8", PLAYLIST.as_bytes())
}

fn is_refused(reply: &Reply) -> bool {
    let told = String::from_utf8_lossy(&reply.body);
    match reply.status {
        403 => told.is_empty() || told.contains("<Code>AccessDenied</Code>"),
        // A list of keys has a word for each.
        200 => told.contains("<Code>AccessDenied</Code>"),
        _ => false,
    }
}

fn account_key(account: Account) -> Key {
    match account {
        Account::TheOwner => Key::new("ownerKey", "ownerSecret"),
        Account::Another => Key::new("otherKey", "otherSecret"),
    }
}

fn session_key(at: usize, account: Account, narrow: Narrow) -> Key {
    let name = format!("{at}{account:?}{narrow:?}");
    Key::new(&format!("STS.{name}"), &format!("secret{name}")).token(&format!("token{name}"))
}

fn policy_text(row: &Row, owner: AccountId, says: Says) -> Option<String> {
    let (effect, principal, actions) = match says {
        Says::Nothing => return None,
        Says::AllowsEverybody => ("Allow", "*".to_owned(), row.actions),
        Says::AllowsTheOther => ("Allow", "other".to_owned(), row.actions),
        Says::DeniesEverybody => ("Deny", "*".to_owned(), &row.actions[..1]),
        Says::DeniesTheOwner => ("Deny", owner.0.to_string(), &row.actions[..1]),
    };
    let actions = actions.join("\",\"");
    let resources = r#"["acs:oss:*:*:films","arn:aws:s3:::films/*"]"#;
    Some(format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"{effect}","Principal":["{principal}"],"Action":["{actions}"],
            "Resource":{resources}}}]}}"#
    ))
}

async fn put_object(meta: &Arc<dyn MetaStore>, bucket: BucketId, key: &str, acl: Option<Acl>) {
    let made = inline_object(bucket, key, PLAYLIST.as_bytes());
    let object = ObjectRecord { acl, last_modified: NOW, ..made };
    let commit = ObjectCommit { object, condition: WriteCondition::Always };
    meta.commit_object(commit, NOW).await.expect("stored");
}

async fn begin_upload(meta: &Arc<dyn MetaStore>, bucket: BucketId, id: UploadId) {
    let upload = UploadRecord { initiated: NOW, ..empty_upload(bucket, KEY, id) };
    meta.begin_upload(upload, NOW).await.expect("open");
}
