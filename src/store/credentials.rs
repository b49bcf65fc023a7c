//! What an access key id and a token come to: a key that may sign, and what its account and its own policy let it do.
//!
//! Every door asks here, so that a temporary credential means the same at each: its token must come with every use, its
//! time must not be past, and the key that it was made of must still be enabled.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{AccountId, MetaStore, SESSION_KEY_PREFIX, SessionKeyRecord, StoreError};
use crate::auth::policy::{Account, Kind, Policy};
use crate::clock::Wall;

/// A key that may sign.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The id that was asked for.
    pub id: String,
    /// Its secret. Never logged.
    pub secret: String,
    /// The account it speaks for.
    pub account: AccountId,
    /// That account's name.
    pub account_name: String,
    /// What makes it temporary; `None` for an access key.
    pub session: Option<Session>,
}

/// What a temporary credential has beside an id and a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Id of the access key that it was made of, whose end is its end.
    pub parent: String,
    /// What it may do at most. `None`: whatever its account may.
    pub policy: Option<Arc<Policy>>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Credential");
        fields.field("id", &self.id).field("account", &self.account).field("session", &self.session);
        fields.finish_non_exhaustive()
    }
}

impl Credential {
    /// Its account, as policies see it.
    pub fn account(&self) -> Account<'_> {
        Account { id: self.account.0, name: &self.account_name }
    }

    /// The access key whose disabling ends it.
    pub fn root_id(&self) -> &str {
        self.session.as_ref().map_or(&self.id, |session| &session.parent)
    }
}

/// Why an id and a token prove nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialError {
    /// No key of that id; or that of a temporary credential without its token, which nobody may tell apart.
    Unknown,
    /// The key is there and disabled.
    Disabled,
    /// The token is not the credential's; or one came with a key that has none.
    TokenInvalid,
    /// The credential's time is past.
    TokenExpired,
    /// The store cannot say.
    Store(StoreError),
}

/// The enabled key of that id; a temporary one must come with its token and within its time.
pub async fn find(
    meta: &dyn MetaStore,
    id: &str,
    token: Option<&[u8]>,
    now: Wall,
) -> Result<Credential, CredentialError> {
    // Some libraries send the name without a value when they have no token.
    let token = token.filter(|token| !token.is_empty());
    if let Some(key) = meta.access_key(id).await.map_err(CredentialError::Store)? {
        return match (key.enabled, token) {
            (false, _) => Err(CredentialError::Disabled),
            (true, Some(_)) => Err(CredentialError::TokenInvalid),
            (true, None) => Ok(Credential {
                id: key.id,
                secret: key.secret,
                account: key.account,
                account_name: key.account_name,
                session: None,
            }),
        };
    }
    let session = match id.starts_with(SESSION_KEY_PREFIX) {
        true => meta.session_key(id).await.map_err(CredentialError::Store)?,
        false => None,
    };
    let (session, token) = match (session, token) {
        (Some(session), Some(token)) => (session, token),
        // The id may once have been a credential's that is forgotten by now.
        (None, Some(_)) if id.starts_with(SESSION_KEY_PREFIX) => return Err(CredentialError::TokenInvalid),
        _ => return Err(CredentialError::Unknown),
    };
    if !bool::from(token_digest(token).ct_eq(&session.token_sha256)) {
        return Err(CredentialError::TokenInvalid);
    }
    if !session.parent.enabled {
        return Err(CredentialError::Disabled);
    }
    if now >= session.expires {
        return Err(CredentialError::TokenExpired);
    }
    Ok(Credential::of_session(session))
}

/// The secret of an id, whatever else is wrong with it: for a library that compares signatures before anything can be
/// said of the rest. Whoever uses it asks [`find`] as well.
pub async fn secret(meta: &dyn MetaStore, id: &str) -> Result<Option<String>, StoreError> {
    match meta.access_key(id).await? {
        Some(key) => Ok(Some(key.secret)),
        None if id.starts_with(SESSION_KEY_PREFIX) => Ok(meta.session_key(id).await?.map(|session| session.secret)),
        None => Ok(None),
    }
}

/// What is kept of a token.
pub fn token_digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl Credential {
    fn of_session(session: SessionKeyRecord) -> Self {
        let SessionKeyRecord { id, secret, parent, policy, .. } = session;
        // It was accepted when the credential was made. Should this build not understand it, nothing is allowed.
        let policy = policy.map(|text| Policy::parse(text.as_bytes(), Kind::Session, usize::MAX));
        let policy = policy.map(|policy| Arc::new(policy.unwrap_or_else(|_| Policy::deny_all())));
        Credential {
            id,
            secret,
            account: parent.account,
            account_name: parent.account_name,
            session: Some(Session { parent: parent.id, policy }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::NewSessionKey;
    use crate::store::meta::memory::MemoryMetaStore;

    const NOW: Wall = Wall(1_000);
    const TOKEN: &[u8] = b"the-token";

    async fn store() -> MemoryMetaStore {
        let meta = MemoryMetaStore::new();
        meta.put_access_key("owner", "parent", "parent-secret", NOW).await.expect("new");
        let session = NewSessionKey {
            id: "STS.one".into(),
            secret: "session-secret".into(),
            token_sha256: token_digest(TOKEN),
            expires: Wall(2_000),
            policy: None,
        };
        meta.put_session_key("parent", session, NOW).await.expect("new");
        meta
    }

    #[tokio::test]
    async fn an_id_is_worth_something_only_with_its_own_token_and_in_its_time() {
        let meta = store().await;
        for (id, token, now, expected) in [
            ("parent", None, NOW, Ok("parent-secret")),
            ("parent", Some(&b""[..]), NOW, Ok("parent-secret")),
            ("parent", Some(TOKEN), NOW, Err(CredentialError::TokenInvalid)),
            ("nobody", None, NOW, Err(CredentialError::Unknown)),
            ("nobody", Some(TOKEN), NOW, Err(CredentialError::Unknown)),
            ("STS.one", Some(TOKEN), NOW, Ok("session-secret")),
            ("STS.one", Some(TOKEN), Wall(1_999), Ok("session-secret")),
            ("STS.one", Some(TOKEN), Wall(2_000), Err(CredentialError::TokenExpired)),
            ("STS.one", Some(b"the-tokem"), Wall(2_000), Err(CredentialError::TokenInvalid)),
            ("STS.one", Some(b"the-toke"), NOW, Err(CredentialError::TokenInvalid)),
            ("STS.one", None, NOW, Err(CredentialError::Unknown)),
            ("STS.one", Some(b""), NOW, Err(CredentialError::Unknown)),
            ("STS.two", Some(TOKEN), NOW, Err(CredentialError::TokenInvalid)),
            ("STS.two", None, NOW, Err(CredentialError::Unknown)),
        ] {
            let found = find(&meta, id, token, now).await.map(|credential| credential.secret);
            assert_eq!(found, expected.map(str::to_owned), "{id} {token:?} {now:?}");
        }
    }

    #[tokio::test]
    async fn it_ends_with_the_key_that_it_was_made_of() {
        let meta = store().await;
        let credential = find(&meta, "STS.one", Some(TOKEN), NOW).await.expect("valid");
        assert_eq!((credential.root_id(), credential.account().name), ("parent", "owner"));
        meta.disable_access_key("parent").await.expect("known");
        assert_eq!(find(&meta, "parent", None, NOW).await, Err(CredentialError::Disabled));
        assert_eq!(find(&meta, "STS.one", Some(TOKEN), NOW).await, Err(CredentialError::TokenInvalid));
        meta.put_access_key("owner", "parent", "parent-secret", NOW).await.expect("enabled again");
        assert_eq!(find(&meta, "STS.one", Some(TOKEN), NOW).await, Err(CredentialError::TokenInvalid));
    }

    #[test]
    fn neither_secret_nor_token_shows_in_a_log() {
        let credential = Credential {
            id: "STS.one".into(),
            secret: "session-secret".into(),
            account: AccountId(1),
            account_name: "owner".into(),
            session: None,
        };
        assert!(!format!("{credential:?}").contains("session-secret"));
    }
}
