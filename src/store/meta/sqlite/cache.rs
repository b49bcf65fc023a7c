//! Rows that readers remember: buckets, keys and current objects, which every GET asks for.
//!
//! Exact (I14): a read that begins after a change was acknowledged, or after another read has seen it, never sees what was
//! before. There is one writer, so this takes no more than a generation for each *slot*, the share of rows whose key hashes
//! alike. The writer makes the generations of what its commands may change odd before it begins their transaction, and
//! even again once that has ended, before it answers any of them. A reader notes the slot's generation first. While it is
//! odd, it asks the database and remembers nothing; else a remembered row counts if it was read under that very
//! generation, and a row that is read now is remembered with it. So a row that was read too early is never found.
//!
//! What a command may change it declares as a [`Scope`]; in debug builds triggers hold it to that. That there is no row is not
//! remembered. Bounded in bytes and entries; what was used since it was last looked at stays (second chance).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::limits;
use crate::store::shelf::Shelf;
use crate::store::*;

/// Rows whose keys hash alike, or all of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(usize);

const BUCKETS: Slot = Slot(0);
const KEYS: Slot = Slot(1);
const FIRST_OF_OBJECTS: usize = 2;

/// What of the remembered rows a command may change.
#[derive(Clone, Debug)]
pub(super) enum Scope {
    /// None.
    Nothing,
    /// Rows of buckets.
    Buckets,
    /// Access keys and temporary credentials.
    Keys,
    /// The current object of one key.
    Object(Slot),
    /// Those of several.
    Objects(Vec<Slot>),
    /// Any; for tests that change rows by hand.
    #[cfg(test)]
    Everything,
}

/// The remembered rows of one database.
pub(super) struct Cache {
    hasher: RandomState,
    generations: Box<[AtomicU64]>,
    objects: Box<[Mutex<Rows<ObjectRecord>>]>,
    buckets: Mutex<Rows<BucketRecord>>,
    keys: Mutex<Rows<AccessKeyRecord>>,
    sessions: Mutex<Rows<SessionKeyRecord>>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

impl Cache {
    pub(super) fn new() -> Arc<Self> {
        let slots = FIRST_OF_OBJECTS + limits::META_CACHE_SLOTS;
        let shelves = limits::META_CACHE_SHELVES;
        let objects = || Shelf::new(limits::META_CACHE_OBJECTS / shelves, limits::META_CACHE_OBJECT_BYTES / shelves);
        Arc::new(Cache {
            hasher: RandomState::new(),
            generations: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            objects: (0..shelves).map(|_| Mutex::new(objects())).collect(),
            buckets: Mutex::new(Shelf::new(limits::META_CACHE_BUCKETS, limits::META_CACHE_BUCKET_BYTES)),
            keys: Mutex::new(Shelf::new(limits::META_CACHE_KEYS, limits::META_CACHE_KEY_BYTES)),
            sessions: Mutex::new(Shelf::new(limits::META_CACHE_KEYS, limits::META_CACHE_KEY_BYTES)),
        })
    }

    // ---- reading ---------------------------------------------------------------------------------------------

    pub(super) fn object(
        &self,
        bucket: BucketId,
        key: &ObjectKey,
        load: impl FnOnce() -> Result<Option<ObjectRecord>>,
    ) -> Result<Option<Arc<ObjectRecord>>> {
        let hash = self.hash_object(bucket, key);
        let shelf = &self.objects[(hash >> 32) as usize % self.objects.len()];
        self.remembered(slot_of(hash), shelf, hash, |o| o.bucket == bucket && o.key == *key, load)
    }

    pub(super) fn bucket(
        &self,
        name: &BucketName,
        load: impl FnOnce() -> Result<Option<BucketRecord>>,
    ) -> Result<Option<Arc<BucketRecord>>> {
        self.remembered(BUCKETS, &self.buckets, self.hasher.hash_one(name), |bucket| bucket.name == *name, load)
    }

    pub(super) fn access_key(
        &self,
        id: &str,
        load: impl FnOnce() -> Result<Option<AccessKeyRecord>>,
    ) -> Result<Option<Arc<AccessKeyRecord>>> {
        self.remembered(KEYS, &self.keys, self.hasher.hash_one(id), |key| key.id == id, load)
    }

    pub(super) fn session_key(
        &self,
        id: &str,
        load: impl FnOnce() -> Result<Option<SessionKeyRecord>>,
    ) -> Result<Option<Arc<SessionKeyRecord>>> {
        self.remembered(KEYS, &self.sessions, self.hasher.hash_one(id), |session| session.id == id, load)
    }

    fn remembered<T: Kept>(
        &self,
        slot: Slot,
        shelf: &Mutex<Rows<T>>,
        hash: u64,
        is_meant: impl FnOnce(&T) -> bool,
        load: impl FnOnce() -> Result<Option<T>>,
    ) -> Result<Option<Arc<T>>> {
        let generation = self.generations[slot.0].load(Ordering::SeqCst);
        if !is_even(generation) {
            return Ok(load()?.map(Arc::new));
        }
        if let Some(row) = find(&mut lock(shelf), hash, generation)
            && is_meant(&row)
        {
            return Ok(Some(row));
        }
        let loaded = load()?.map(Arc::new);
        metrics::counter!("livebucket_meta_cache_misses_total", "of" => T::NAME).increment(1);
        if let Some(row) = &loaded {
            keep(&mut lock(shelf), hash, generation, row);
        }
        Ok(loaded)
    }

    // ---- changing --------------------------------------------------------------------------------------------

    pub(super) fn scope_of(&self, bucket: BucketId, key: &ObjectKey) -> Scope {
        Scope::Object(slot_of(self.hash_object(bucket, key)))
    }

    pub(super) fn scope_of_all<'a>(&self, bucket: BucketId, keys: impl Iterator<Item = &'a ObjectKey>) -> Scope {
        Scope::Objects(keys.map(|key| slot_of(self.hash_object(bucket, key))).collect())
    }

    /// For the writer alone: what these commands may change is remembered by nobody until the guard is dropped.
    pub(super) fn changing<'a>(&self, scopes: impl Iterator<Item = &'a Scope>) -> Changing<'_> {
        let mut slots = Vec::new();
        for scope in scopes {
            match scope {
                Scope::Nothing => {}
                Scope::Buckets => slots.push(BUCKETS),
                Scope::Keys => slots.push(KEYS),
                Scope::Object(slot) => slots.push(*slot),
                Scope::Objects(some) => slots.extend(some),
                #[cfg(test)]
                Scope::Everything => slots.extend((0..self.generations.len()).map(Slot)),
            }
        }
        for slot in &slots {
            let generation = &self.generations[slot.0];
            if is_even(generation.load(Ordering::SeqCst)) {
                generation.fetch_add(1, Ordering::SeqCst);
            }
        }
        Changing { cache: self, slots }
    }

    /// From here on the database is asked for everything; once it is closed, it says so.
    pub(super) fn close(&self) {
        for generation in &self.generations {
            generation.store(u64::MAX, Ordering::SeqCst);
        }
        self.objects.iter().for_each(|shelf| lock(shelf).clear());
        lock(&self.buckets).clear();
        lock(&self.keys).clear();
        lock(&self.sessions).clear();
    }

    fn hash_object(&self, bucket: BucketId, key: &ObjectKey) -> u64 {
        self.hasher.hash_one((bucket, key))
    }
}

/// While it lives, rows are being changed.
pub(super) struct Changing<'a> {
    cache: &'a Cache,
    slots: Vec<Slot>,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        for slot in &self.slots {
            let generation = &self.cache.generations[slot.0];
            let odd = generation.load(Ordering::SeqCst);
            // A closed cache stays as it is.
            if !is_even(odd) && odd != u64::MAX {
                let _ = generation.compare_exchange(odd, odd + 1, Ordering::SeqCst, Ordering::SeqCst);
            }
        }
    }
}

fn is_even(generation: u64) -> bool {
    generation.is_multiple_of(2)
}

fn slot_of(hash: u64) -> Slot {
    Slot(FIRST_OF_OBJECTS + (hash & 0xFFFF_FFFF) as usize % limits::META_CACHE_SLOTS)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// ---- one kind of row -----------------------------------------------------------------------------------------

/// A row that can be kept.
trait Kept {
    /// What it is, for metrics.
    const NAME: &'static str;
    /// Bytes that it takes, about.
    fn weight(&self) -> usize;
}

/// A row with the generation that it was read under, found by the hash of its key. Of two with the same hash one is kept.
type Rows<T> = Shelf<u64, (u64, Arc<T>)>;

fn find<T>(shelf: &mut Rows<T>, hash: u64, generation: u64) -> Option<Arc<T>> {
    shelf.get(&hash).filter(|(of, _)| *of == generation).map(|(_, row)| row.clone())
}

fn keep<T: Kept>(shelf: &mut Rows<T>, hash: u64, generation: u64, row: &Arc<T>) {
    shelf.put(hash, (generation, row.clone()), row.weight());
}

/// What an entry takes beside the row: its places in the map and in the order, and the counts.
const ENTRY_OVERHEAD: usize = 96;

impl Kept for ObjectRecord {
    const NAME: &'static str = "object";

    fn weight(&self) -> usize {
        let headers = &self.headers;
        let headers = [
            &headers.content_type,
            &headers.cache_control,
            &headers.content_disposition,
            &headers.content_encoding,
            &headers.content_language,
            &headers.expires,
        ];
        let headers: usize = headers.into_iter().flatten().map(Bytes::len).sum();
        let metadata: usize = self.user_metadata.iter().map(|(name, value)| 64 + name.len() + value.len()).sum();
        let inline = |extent: &Extent| if let Extent::Inline(bytes) = extent { bytes.len() } else { 0 };
        let extents: usize = self.extents.iter().map(|extent| size_of::<Extent>() + inline(extent)).sum();
        let symlink = self.attributes.symlink.as_ref().map_or(0, String::len);
        ENTRY_OVERHEAD
            + size_of::<Self>()
            + self.key.as_bytes().len()
            + headers
            + metadata
            + tags(&self.tags)
            + extents
            + symlink
    }
}

impl Kept for BucketRecord {
    const NAME: &'static str = "bucket";

    fn weight(&self) -> usize {
        let rule = |rule: &CorsRule| -> usize {
            let lists = [&rule.allowed_origins, &rule.allowed_methods, &rule.allowed_headers, &rule.expose_headers];
            lists.into_iter().flatten().map(|text| size_of::<String>() + text.len()).sum::<usize>()
                + size_of::<CorsRule>()
        };
        let cors: usize = self.cors.rules.iter().map(rule).sum();
        // As long as their texts, in strings of their own.
        let settings = 2 * serde_json::to_vec(&self.settings).map_or(0, |text| text.len());
        ENTRY_OVERHEAD + size_of::<Self>() + self.owner_name.len() + cors + tags(&self.tags) + settings
    }
}

impl Kept for AccessKeyRecord {
    const NAME: &'static str = "key";

    fn weight(&self) -> usize {
        ENTRY_OVERHEAD + size_of::<Self>() + self.id.len() + self.secret.len() + self.account_name.len()
    }
}

impl Kept for SessionKeyRecord {
    const NAME: &'static str = "session";

    fn weight(&self) -> usize {
        let policy = self.policy.as_ref().map_or(0, String::len);
        ENTRY_OVERHEAD + size_of::<Self>() + self.id.len() + self.secret.len() + self.parent.weight() + policy
    }
}

fn tags(tags: &[Tag]) -> usize {
    tags.iter().map(|tag| size_of::<Tag>() + tag.key.len() + tag.value.len()).sum()
}

// ---- what holds commands to their scope ----------------------------------------------------------------------

/// In debug builds: each change of a row that may be remembered is compared with what the commands have declared.
#[cfg(debug_assertions)]
pub(super) mod watch {
    use rusqlite::Connection;
    use rusqlite::functions::FunctionFlags;

    use super::*;

    /// Sets the triggers on the writing connection. A change outside every declared scope fails its command.
    pub(in super::super) fn install(conn: &Connection, cache: &Arc<Cache>) -> rusqlite::Result<()> {
        let cache = cache.clone();
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        conn.create_scalar_function("declared", 3, flags, move |call| {
            let slot = match call.get::<String>(0)?.as_str() {
                "bucket" => BUCKETS,
                "key" => KEYS,
                _ => {
                    let key = ObjectKey::new(call.get::<Vec<u8>>(2)?).expect("it stands in a row");
                    slot_of(cache.hash_object(BucketId(call.get(1)?), &key))
                }
            };
            let generation = cache.generations[slot.0].load(Ordering::SeqCst);
            match is_even(generation) {
                false => Ok(0),
                true => Err(rusqlite::Error::UserFunctionError("a row is changed outside its command's scope".into())),
            }
        })?;
        for (table, row) in [
            ("object", "'object', X.bucket, X.key"),
            ("bucket", "'bucket', 0, 0"),
            ("access_key", "'key', 0, 0"),
            ("session_key", "'key', 0, 0"),
        ] {
            for (event, side) in [("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")] {
                let row = row.replace('X', side);
                // What is new can have been remembered by nobody, unless it takes the place of a row.
                if event == "INSERT" && table != "object" {
                    continue;
                }
                conn.execute_batch(&format!(
                    "CREATE TEMP TRIGGER declared_{table}_{event} AFTER {event} ON main.{table} \
                     BEGIN SELECT declared({row}); END"
                ))?;
            }
        }
        Ok(())
    }
}
#[cfg(test)]
mod tests;
