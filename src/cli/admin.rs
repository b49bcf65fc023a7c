//! What the commands do to a service: over a running server's control socket, or on a directory that nobody owns.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::auth::policy::{Kind, Policy};
use crate::clock::{Clock, Wall};
use crate::config::check_key;
use crate::limits;
use crate::live::registry::Registry;
use crate::store::credentials::token_digest;
use crate::store::{
    AccessKeyRecord, BucketName, BucketQuota, BucketSetting, MetaStore, NewSessionKey, SESSION_KEY_PREFIX, StoreError,
    What,
};

/// The account of the first key and of a configured one.
pub const ROOT_ACCOUNT: &str = "root";

/// A command, as it crosses the control socket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// Makes an access key (and its account, when there is none of that name).
    KeyCreate {
        /// Account.
        account: String,
        /// Id and secret that somebody chose.
        chosen: Option<(String, String)>,
    },
    /// Lists the keys, without secrets.
    KeyList,
    /// Disables a key and ends what it publishes.
    KeyDisable {
        /// Which.
        id: String,
    },
    /// Shows, and sets where it says so, how much a bucket may hold.
    BucketQuota {
        /// Name of the bucket.
        bucket: String,
        /// Bytes.
        bytes: Bound,
        /// Objects.
        objects: Bound,
    },
    /// Makes a temporary credential of an enabled key.
    KeySession {
        /// The key; `None` means the account's first enabled one.
        id: Option<String>,
        /// Account, where no key is named.
        account: String,
        /// How long it lives.
        seconds: u64,
        /// The policy that narrows it, JSON.
        policy: Option<String>,
    },
    /// A key to sign with: the one asked for, else the first enabled one of the bucket's owner.
    SigningKey {
        /// Bucket of the URL.
        bucket: String,
        /// Asked for.
        id: Option<String>,
    },
}

/// What becomes of a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// It stays as it is.
    #[default]
    Keep,
    /// There is none any more.
    Lift,
    /// It is this.
    Set(u64),
}

impl Bound {
    fn applied(self, before: Option<u64>) -> Option<u64> {
        match self {
            Bound::Keep => before,
            Bound::Lift => None,
            Bound::Set(max) => Some(max),
        }
    }
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Done.
    Done,
    /// One key with its secret.
    Key(Key),
    /// A temporary credential.
    Session(SessionKey),
    /// What a URL is signed with.
    Signing {
        /// The key.
        key: Key,
        /// The URL under which a running server is reached.
        endpoint: Option<String>,
    },
    /// What a bucket holds, and how much it may hold; `None` is any.
    BucketQuota {
        /// Bytes that it holds, parts of open uploads among them.
        held_bytes: u64,
        /// Bytes that it may hold.
        bytes: Option<u64>,
        /// Objects that it holds.
        held_objects: u64,
        /// Objects that it may hold.
        objects: Option<u64>,
    },
    /// Keys without secrets.
    Keys {
        /// In order of id.
        keys: Vec<KeyLine>,
    },
    /// Refused.
    Failed {
        /// Why, for a person.
        why: String,
    },
}

/// A key with its secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Key {
    /// Id.
    pub id: String,
    /// Secret.
    pub secret: String,
    /// Account.
    pub account: String,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A temporary credential, whole: this is the only time that its token is told.
#[derive(Clone, Serialize, Deserialize)]
pub struct SessionKey {
    /// Id.
    pub id: String,
    /// Secret.
    pub secret: String,
    /// Token; comes with every use.
    pub token: String,
    /// Account.
    pub account: String,
    /// Key that it was made of.
    pub parent: String,
    /// Milliseconds since the epoch.
    pub expires_ms: i64,
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// One line of `key list`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyLine {
    /// Id.
    pub id: String,
    /// Account.
    pub account: String,
    /// Authenticates.
    pub enabled: bool,
    /// Milliseconds since the epoch.
    pub created_ms: i64,
}

/// Carries out commands.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where keys and buckets are.
    pub meta: Arc<dyn MetaStore>,
    /// Present in a running server.
    pub registry: Option<Arc<Registry>>,
    /// The URL under which this machine reaches a running server.
    pub endpoint: Option<String>,
    /// When things were made.
    pub clock: Arc<dyn Clock>,
}

impl Admin {
    /// Carries out one command.
    pub async fn carry_out(&self, request: Request) -> Answer {
        let done = match request {
            Request::KeyCreate { account, chosen } => self.create_key(&account, chosen).await.map(Answer::Key),
            Request::KeyList => self.list_keys().await,
            Request::KeyDisable { id } => self.disable_key(&id).await,
            Request::BucketQuota { bucket, bytes, objects } => self.bucket_quota(&bucket, bytes, objects).await,
            Request::KeySession { id, account, seconds, policy } => {
                self.create_session(id, &account, seconds, policy).await.map(Answer::Session)
            }
            Request::SigningKey { bucket, id } => {
                let endpoint = self.endpoint.clone();
                self.signing_key(&bucket, id).await.map(|key| Answer::Signing { key, endpoint })
            }
        };
        done.unwrap_or_else(|why| Answer::Failed { why })
    }

    /// Makes a key: the chosen one, else a fresh one.
    pub async fn create_key(&self, account: &str, chosen: Option<(String, String)>) -> Result<Key, String> {
        if !(1..=64).contains(&account.len())
            || !account.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        {
            return Err("an account name is 1 to 64 letters, digits, `-`, `_` or `.`".into());
        }
        let (id, secret) = chosen.unwrap_or_else(fresh_key);
        check_key(&id, &secret)?;
        if id.starts_with(SESSION_KEY_PREFIX) {
            return Err(format!("an access key id does not begin with {SESSION_KEY_PREFIX}: temporary ones do"));
        }
        match self.meta.put_access_key(account, &id, &secret, self.clock.wall()).await {
            Ok(record) => Ok(Key { id: record.id, secret: record.secret, account: record.account_name }),
            Err(StoreError::AlreadyExists(What::AccessKey)) => {
                Err(format!("access key {id} exists already, with another secret or in another account"))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    async fn list_keys(&self) -> Result<Answer, String> {
        let records = self.meta.list_access_keys().await.map_err(|error| error.to_string())?;
        let line = |record: AccessKeyRecord| KeyLine {
            id: record.id,
            account: record.account_name,
            enabled: record.enabled,
            created_ms: record.created.0,
        };
        Ok(Answer::Keys { keys: records.into_iter().map(line).collect() })
    }

    async fn disable_key(&self, id: &str) -> Result<Answer, String> {
        match self.meta.disable_access_key(id).await {
            Ok(()) => {
                if let Some(registry) = &self.registry {
                    registry.disconnect_key(id);
                }
                Ok(Answer::Done)
            }
            Err(StoreError::NotFound(What::AccessKey)) => Err(format!("there is no access key {id}")),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn bucket_quota(&self, name: &str, bytes: Bound, objects: Bound) -> Result<Answer, String> {
        let valid = BucketName::new(name).ok_or_else(|| format!("`{name}` is not a bucket name"))?;
        let found = self.meta.bucket(&valid).await.map_err(|error| error.to_string())?;
        let bucket = found.ok_or_else(|| format!("there is no bucket {name}"))?;
        let before = bucket.settings.quota;
        let quota = BucketQuota { bytes: bytes.applied(before.bytes), objects: objects.applied(before.objects) };
        if quota != before {
            let set = self.meta.set_bucket_setting(bucket.id, BucketSetting::Quota(quota)).await;
            set.map_err(|error| error.to_string())?;
        }
        let usage = self.meta.bucket_usage(bucket.id).await.map_err(|error| error.to_string())?;
        Ok(Answer::BucketQuota {
            held_bytes: usage.bytes + usage.part_bytes,
            bytes: quota.bytes,
            held_objects: usage.objects,
            objects: quota.objects,
        })
    }

    /// Makes a temporary credential. Its policy is read here, so that one that cannot be carried out is refused at once.
    pub async fn create_session(
        &self,
        id: Option<String>,
        account: &str,
        seconds: u64,
        policy: Option<String>,
    ) -> Result<SessionKey, String> {
        let (shortest, longest) = (limits::SESSION_MIN.as_secs(), limits::SESSION_MAX.as_secs());
        if !(shortest..=longest).contains(&seconds) {
            return Err(format!("a temporary credential lives {shortest} to {longest} seconds"));
        }
        if let Some(text) = &policy {
            Policy::parse(text.as_bytes(), Kind::Session, limits::SESSION_POLICY_BYTES_MAX)
                .map_err(|error| error.to_string())?;
        }
        let keys = self.meta.list_access_keys().await.map_err(|error| error.to_string())?;
        let fits = |key: &&AccessKeyRecord| match &id {
            Some(id) => key.id == *id,
            None => key.account_name == account,
        };
        let parent = keys.iter().find(|key| key.enabled && fits(key)).ok_or_else(|| match &id {
            Some(id) => format!("there is no enabled access key {id}"),
            None => format!("account {account} has no enabled access key"),
        })?;
        let now = self.clock.wall();
        let (fresh_id, secret, token) = fresh_session();
        let expires = Wall(now.0 + i64::try_from(seconds).expect("a bounded number") * 1_000);
        let token_sha256 = token_digest(token.as_bytes());
        let new = NewSessionKey { id: fresh_id, secret, token_sha256, expires, policy };
        let made = self.meta.put_session_key(&parent.id, new, now).await.map_err(|error| error.to_string())?;
        Ok(SessionKey {
            id: made.id,
            secret: made.secret,
            token,
            account: made.parent.account_name,
            parent: made.parent.id,
            expires_ms: made.expires.0,
        })
    }

    async fn signing_key(&self, bucket: &str, id: Option<String>) -> Result<Key, String> {
        let keys = self.meta.list_access_keys().await.map_err(|error| error.to_string())?;
        let name = BucketName::new(bucket).ok_or_else(|| format!("`{bucket}` is not a bucket name"))?;
        let bucket = self.meta.bucket(&name).await.map_err(|error| error.to_string())?;
        let fits = |key: &AccessKeyRecord| match (&id, &bucket) {
            (Some(id), _) => key.id == *id,
            (None, Some(bucket)) => key.account == bucket.owner,
            (None, None) => true,
        };
        let key = keys.into_iter().find(|key| key.enabled && fits(key));
        let key = key.ok_or_else(|| match &id {
            Some(id) => format!("there is no enabled access key {id}"),
            None => format!("the owner of bucket {name} has no enabled access key"),
        })?;
        Ok(Key { id: key.id, secret: key.secret, account: key.account_name })
    }
}

/// An id of 20 characters and a secret of 40, from the system's randomness.
fn fresh_key() -> (String, String) {
    (format!("LB{}", random_text(18, b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789")), random_text(40, ALPHANUMERIC))
}

/// Id, secret and token of a temporary credential. Letters and digits alone, so that no way into a URL spoils the token.
fn fresh_session() -> (String, String, String) {
    let id = format!("{SESSION_KEY_PREFIX}{}", random_text(24, ALPHANUMERIC));
    (id, random_text(40, ALPHANUMERIC), random_text(96, ALPHANUMERIC))
}

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn random_text(length: usize, alphabet: &[u8]) -> String {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0u8; 64];
        getrandom::fill(&mut bytes).expect("the system has randomness");
        // Bytes past the last whole run of the alphabet are thrown away, so that every letter is equally likely.
        let even = 256 / alphabet.len() * alphabet.len();
        let letters = bytes.iter().filter(|b| usize::from(**b) < even);
        text.extend(letters.take(length - text.len()).map(|b| char::from(alphabet[usize::from(*b) % alphabet.len()])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_keys_follow_the_rules_and_differ() {
        let (id, secret) = fresh_key();
        assert_eq!((id.len(), secret.len()), (20, 40));
        assert_eq!(check_key(&id, &secret), Ok(()));
        assert_ne!(fresh_key().0, id);
        let (id, secret, token) = fresh_session();
        assert_eq!((id.starts_with("STS."), secret.len(), token.len()), (true, 40, 96));
        assert_ne!(fresh_session().2, token);
    }
}
