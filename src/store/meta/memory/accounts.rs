//! Accounts, their keys and temporary ones.

use super::State;
use crate::clock::Wall;
use crate::store::meta::rules::{self};
use crate::store::*;

impl State {
    pub(super) fn put_access_key(
        &mut self,
        account_name: &str,
        id: &str,
        secret: &str,
        now: Wall,
    ) -> Result<AccessKeyRecord> {
        if let Some(key) = self.keys.get_mut(id) {
            if key.account_name != account_name || key.secret != secret {
                return Err(StoreError::AlreadyExists(What::AccessKey));
            }
            key.enabled = true;
            return Ok(key.clone());
        }
        let next = AccountId(self.accounts.len() as i64 + 1);
        let account = *self.accounts.entry(account_name.to_owned()).or_insert(next);
        let key = AccessKeyRecord {
            id: id.to_owned(),
            secret: secret.to_owned(),
            account,
            account_name: account_name.to_owned(),
            enabled: true,
            created: now,
        };
        self.keys.insert(id.to_owned(), key.clone());
        Ok(key)
    }

    pub(super) fn disable_access_key(&mut self, id: &str) -> Result<()> {
        self.keys.get_mut(id).ok_or(StoreError::NotFound(What::AccessKey))?.enabled = false;
        self.sessions.retain(|_, session| session.parent.id != id);
        Ok(())
    }

    pub(super) fn put_session_key(
        &mut self,
        parent: &str,
        session: NewSessionKey,
        now: Wall,
    ) -> Result<SessionKeyRecord> {
        let parent = self.keys.get(parent).filter(|key| key.enabled).ok_or(StoreError::NotFound(What::AccessKey))?;
        if self.keys.contains_key(&session.id) || self.sessions.contains_key(&session.id) {
            return Err(StoreError::AlreadyExists(What::AccessKey));
        }
        let record = rules::session_key(parent.clone(), session, now);
        self.sessions.insert(record.id.clone(), record.clone());
        Ok(record)
    }

    pub(super) fn forget_session_keys(&mut self, before: Wall, limit: usize) -> Result<u64> {
        let expired = self.sessions.values().filter(|session| session.expires < before);
        let ids: Vec<String> = expired.take(limit).map(|session| session.id.clone()).collect();
        self.sessions.retain(|id, _| !ids.contains(id));
        Ok(ids.len() as u64)
    }
}
