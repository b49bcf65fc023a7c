//! Values encrypted at rest, as SQL functions: what is bound goes through `seal_*` on its way in and through `open_*` on
//! its way out, so that plain text reaches neither the file nor its log.
//!
//! | value | sealed form | told from a plain one by |
//! |---|---|---|
//! | `extent.bytes` | the sealed value | its length: `extent.length` and [`VALUE_OVERHEAD`] more |
//! | `access_key.secret`, `session_key.secret` | `sealed` and a space, then base64 | the space, which no secret has |
//!
//! Plain values, from before a master key was configured, are read as they are. Secrets are few: each opening seals those
//! that are plain or sealed with another key anew. Inline bodies stay as they are until they are written again.
//!
//! Not sealed: names, keys, sizes, digests, headers, user metadata, settings, history.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params};

use super::error::Sql;
use super::query::{all, run};
use crate::store::seal::{MasterKeys, VALUE_OVERHEAD};
use crate::store::{Result, StoreError};

const INLINE_PURPOSE: &str = "inline body";
/// Before the base64 of a sealed secret.
const SECRET_MARK: &str = "sealed ";
/// Begins the message of an error that is the port's own; SQLite keeps of such an error the message only.
const UNAVAILABLE: &str = "sealed value unavailable: ";
const CORRUPT: &str = "sealed value corrupt: ";

/// Gives a connection the functions.
pub(super) fn register(conn: &Connection, keys: &MasterKeys) -> rusqlite::Result<()> {
    // Only our own statements may call them.
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    let (sealing, opening, auditing) = (keys.clone(), keys.clone(), keys.clone());
    if !keys.is_empty() {
        // What is opened must not come to lie in a sorter's temporary file.
        conn.pragma_update(None, "temp_store", "MEMORY")?;
    }
    conn.create_scalar_function("seal_inline", 1, flags, move |c| seal_inline(c, &sealing))?;
    conn.create_scalar_function("open_inline", 2, flags, move |c| open_inline(c, &opening, false))?;
    conn.create_scalar_function("audit_inline", 2, flags, move |c| open_inline(c, &auditing, true))?;
    let (sealing, opening) = (keys.clone(), keys.clone());
    conn.create_scalar_function("seal_secret", 2, flags, move |c| {
        seal_secret(&c.get::<String>(0)?, &c.get::<String>(1)?, &sealing).map_err(into_sql)
    })?;
    conn.create_scalar_function("open_secret", 2, flags, move |c| {
        open_secret(&c.get::<String>(0)?, &c.get::<String>(1)?, &opening).map_err(into_sql)
    })
}

/// Seals every secret anew that is not sealed with the first key. Fails, before anything is changed, when one cannot be
/// opened: whoever has not the key neither reads this database nor adds plain text to it.
pub(super) fn reseal_secrets(conn: &Connection, keys: &MasterKeys) -> Sql<usize> {
    let secrets = "SELECT id, secret, 0 FROM access_key UNION ALL SELECT id, secret, 1 FROM session_key";
    let rows = all(conn, secrets, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut changed = Vec::new();
    for (id, stored, temporary) in rows {
        let (id, stored, temporary): (String, String, bool) = (id, stored, temporary);
        let plain = open_secret(&stored, &id, keys)?;
        let current = keys.sealing().map(|key| key.id());
        if current.is_some() && sealed_secret(&stored).and_then(|s| MasterKeys::key_of_value(&s)) != current {
            changed.push((seal_secret(&plain, &id, keys)?, id, temporary));
        }
    }
    if changed.is_empty() {
        return Ok(0);
    }
    let transaction = conn.unchecked_transaction()?;
    for (sealed, id, temporary) in &changed {
        let update = match temporary {
            false => "UPDATE access_key SET secret = ?1 WHERE id = ?2",
            true => "UPDATE session_key SET secret = ?1 WHERE id = ?2",
        };
        run(&transaction, update, params![sealed, id])?;
    }
    transaction.commit()?;
    // The log may hold what stood there before.
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(changed.len())
}

/// The port's meaning of an error that one of the functions raised.
pub(super) fn meaning_of(cause: &rusqlite::Error) -> Option<StoreError> {
    let rusqlite::Error::SqliteFailure(_, Some(message)) = cause else { return None };
    if let Some(why) = message.strip_prefix(UNAVAILABLE) {
        return Some(StoreError::Unavailable(why.to_owned()));
    }
    message.strip_prefix(CORRUPT).map(|why| StoreError::Corrupt(why.to_owned()))
}

fn into_sql(error: StoreError) -> rusqlite::Error {
    let message = match error {
        StoreError::Unavailable(why) => format!("{UNAVAILABLE}{why}"),
        StoreError::Corrupt(why) => format!("{CORRUPT}{why}"),
        other => format!("{CORRUPT}{other}"),
    };
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR), Some(message))
}

fn seal_inline(context: &Context<'_>, keys: &MasterKeys) -> rusqlite::Result<Vec<u8>> {
    let plain = context.get_raw(0).as_blob()?;
    let sealed = keys.seal_value(INLINE_PURPOSE, plain).map_err(into_sql)?;
    Ok(sealed.unwrap_or_else(|| plain.to_vec()))
}

/// Of `bytes, length`. What is damaged goes to the checker as it is stored: it has not the length that the object
/// promises, so that the checker names the object.
fn open_inline(context: &Context<'_>, keys: &MasterKeys, for_audit: bool) -> rusqlite::Result<Value> {
    let ValueRef::Blob(stored) = context.get_raw(0) else { return Ok(Value::Null) };
    let length = usize::try_from(context.get::<i64>(1)?).unwrap_or(usize::MAX);
    if length.checked_add(VALUE_OVERHEAD) != Some(stored.len()) {
        return Ok(Value::Blob(stored.to_vec()));
    }
    match keys.open_value(INLINE_PURPOSE, stored) {
        Ok(plain) => Ok(Value::Blob(plain)),
        Err(StoreError::Corrupt(_)) if for_audit => Ok(Value::Blob(stored.to_vec())),
        Err(error) => Err(into_sql(error)),
    }
}

fn purpose_of_secret(id: &str) -> String {
    format!("secret of access key {id}")
}

fn seal_secret(plain: &str, id: &str, keys: &MasterKeys) -> Result<String> {
    let sealed = keys.seal_value(&purpose_of_secret(id), plain.as_bytes())?;
    Ok(sealed.map_or_else(|| plain.to_owned(), |sealed| format!("{SECRET_MARK}{}", BASE64.encode(sealed))))
}

/// The sealed value in a column; `None` when the secret stands there as it is.
fn sealed_secret(stored: &str) -> Option<Vec<u8>> {
    // What does not decode is damaged, and opens as damaged.
    stored.strip_prefix(SECRET_MARK).map(|text| BASE64.decode(text).unwrap_or_default())
}

fn open_secret(stored: &str, id: &str, keys: &MasterKeys) -> Result<String> {
    let Some(sealed) = sealed_secret(stored) else { return Ok(stored.to_owned()) };
    let plain = keys.open_value(&purpose_of_secret(id), &sealed)?;
    String::from_utf8(plain).map_err(|_| StoreError::Corrupt(format!("the secret of access key {id} is no text")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::clock::{SystemClock, Wall};
    use crate::store::meta::sqlite::cache::Scope;
    use crate::store::meta::sqlite::{SqliteMetaStore, schema};
    use crate::store::records::testbed::inline_object;
    use crate::store::seal::{KEY_BYTES, MasterKey};
    use crate::store::*;

    fn keys(bytes: &[u8]) -> MasterKeys {
        MasterKeys::new(bytes.iter().map(|byte| MasterKey::new([*byte; KEY_BYTES])).collect())
    }

    fn open(dir: &Path, key_bytes: &[u8]) -> Result<SqliteMetaStore> {
        SqliteMetaStore::open_sealed(&dir.join("meta.db"), Arc::new(SystemClock::new()), keys(key_bytes))
    }

    const SECRET: &str = "marker-of-the-secret";
    const BODY: &str = "marker-of-the-body";

    async fn fill(store: &SqliteMetaStore, id: &str) -> BucketId {
        let owner = store.put_access_key("owner", id, SECRET, Wall(1)).await.expect("a key").account;
        let name = BucketName::new("films").expect("valid");
        let bucket = store.create_bucket(&name, owner, Acl::Private, Wall(1)).await.expect("free").id;
        put(store, bucket, "a", BODY).await;
        bucket
    }

    async fn put(store: &SqliteMetaStore, bucket: BucketId, key: &str, body: &str) {
        let object = inline_object(bucket, key, body.as_bytes());
        let commit = ObjectCommit { object, condition: WriteCondition::Always };
        store.commit_object(commit, Wall(2)).await.expect("stored");
    }

    async fn body(store: &SqliteMetaStore, bucket: BucketId, key: &str) -> Result<Vec<Extent>> {
        let object = store.object(bucket, &ObjectKey::new(key).expect("valid")).await?;
        Ok(object.expect("there").extents)
    }

    fn plain(text: &str) -> Vec<Extent> {
        vec![Extent::Inline(Bytes::copy_from_slice(text.as_bytes()))]
    }

    /// Whether any file of the database holds these bytes.
    fn stands_in(dir: &Path, text: &str) -> bool {
        let files = std::fs::read_dir(dir).expect("readable").map(|entry| entry.expect("an entry").path());
        files.into_iter().any(|file| {
            let bytes = std::fs::read(file).expect("readable");
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
    }

    #[tokio::test]
    async fn neither_secret_nor_body_stands_in_the_files() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path(), &[1]).expect("fresh");
        let bucket = fill(&store, "id").await;
        assert_eq!(body(&store, bucket, "a").await, Ok(plain(BODY)));
        assert_eq!(store.access_key("id").await.expect("readable").expect("there").secret, SECRET);
        assert_eq!(store.audit_backend().await, Ok(vec![]));
        assert!(!stands_in(dir.path(), SECRET) && !stands_in(dir.path(), BODY), "while it is open");
        store.close().await.expect("closed");
        assert!(!stands_in(dir.path(), SECRET) && !stands_in(dir.path(), BODY), "at rest");
        let again = open(dir.path(), &[1]).expect("its key");
        assert_eq!(body(&again, bucket, "a").await, Ok(plain(BODY)));
    }

    #[tokio::test]
    async fn without_its_key_the_database_is_not_opened_and_the_key_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path(), &[1]).expect("fresh");
        fill(&store, "id").await;
        store.close().await.expect("closed");
        for other in [&[][..], &[2]] {
            match open(dir.path(), other) {
                Err(StoreError::Unavailable(why)) => {
                    let name = keys(&[1]).ids()[0].to_string();
                    assert!(why.contains("secret of access key id") && why.contains(&name), "{why}");
                }
                other => panic!("{other:?}"),
            }
        }
        open(dir.path(), &[1]).expect("nothing was changed");
    }

    #[tokio::test]
    async fn a_key_that_comes_later_seals_the_secrets_at_once_and_bodies_as_they_are_written() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path(), &[]).expect("fresh");
        let bucket = fill(&store, "id").await;
        store.close().await.expect("closed");
        assert!(stands_in(dir.path(), SECRET) && stands_in(dir.path(), BODY));

        let store = open(dir.path(), &[1]).expect("plain values open");
        assert!(!stands_in(dir.path(), SECRET), "not in the log either");
        assert_eq!(store.access_key("id").await.expect("readable").expect("there").secret, SECRET);
        assert_eq!(body(&store, bucket, "a").await, Ok(plain(BODY)));
        assert_eq!(store.audit_backend().await, Ok(vec![]), "plain and sealed side by side");
        put(&store, bucket, "a", BODY).await;
        store.close().await.expect("closed");
        assert!(!stands_in(dir.path(), BODY), "what was replaced is overwritten");
    }

    #[tokio::test]
    async fn after_a_rotation_secrets_need_the_new_key_only() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path(), &[1]).expect("fresh");
        let bucket = fill(&store, "id").await;
        store.close().await.expect("closed");
        let store = open(dir.path(), &[2, 1]).expect("the old key opens");
        put(&store, bucket, "b", "new").await;
        store.close().await.expect("closed");
        let store = open(dir.path(), &[2]).expect("secrets were sealed anew");
        assert_eq!(store.access_key("id").await.expect("readable").expect("there").secret, SECRET);
        assert_eq!(body(&store, bucket, "b").await, Ok(plain("new")));
        // A body that was not written since needs the old one still, and says so.
        let old = body(&store, bucket, "a").await;
        let name = keys(&[1]).ids()[0].to_string();
        assert!(matches!(&old, Err(StoreError::Unavailable(why)) if why.contains(&name)), "{old:?}");
    }

    #[tokio::test]
    async fn damage_is_corrupt_and_the_checker_gets_to_name_the_object() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path(), &[1]).expect("fresh");
        let bucket = fill(&store, "id").await;
        let flip = |conn: &Connection| {
            let mut bytes: Vec<u8> = conn.query_row("SELECT bytes FROM extent", [], |row| row.get(0))?;
            bytes[40] ^= 1;
            run(conn, "UPDATE extent SET bytes = ?1", [bytes])
        };
        store.writer.submit("test", Scope::Everything, flip).await.expect("done");
        let damaged = body(&store, bucket, "a").await;
        assert!(matches!(damaged, Err(StoreError::Corrupt(_))), "{damaged:?}");
        let audited = store.audit_objects(None, 10).await.expect("readable");
        assert_ne!(audited[0].extents[0].length(), audited[0].size);
    }

    #[tokio::test]
    async fn a_secret_does_not_open_for_another_key() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path(), &[1]).expect("fresh");
        fill(&store, "id").await;
        store.put_access_key("other", "id2", "another-secret", Wall(1)).await.expect("stored");
        let swap = "UPDATE access_key SET secret = (SELECT secret FROM access_key WHERE id = 'id') WHERE id = 'id2'";
        store.writer.submit("test", Scope::Everything, move |conn| Ok(conn.execute_batch(swap)?)).await.expect("done");
        let swapped = store.access_key("id2").await;
        assert!(matches!(swapped, Err(StoreError::Corrupt(_))), "{swapped:?}");
    }

    #[test]
    fn the_functions_are_of_no_use_to_a_schema() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("meta.db");
        let conn = schema::open_writer(&path).expect("fresh");
        register(&conn, &keys(&[1])).expect("registered");
        conn.execute_batch("CREATE VIEW leak AS SELECT open_secret(secret, id) FROM access_key").expect("made");
        assert!(conn.prepare("SELECT * FROM leak").is_err());
    }
}
