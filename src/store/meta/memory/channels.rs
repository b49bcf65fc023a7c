//! Channels' settings.

use super::State;
use crate::clock::Wall;
use crate::store::meta::rules::{self};
use crate::store::*;

impl State {
    pub(super) fn put_channel(
        &mut self,
        bucket: BucketId,
        name: &ChannelName,
        config: ChannelConfig,
        only_if_absent: bool,
        now: Wall,
    ) -> Result<ChannelRecord> {
        self.bucket(bucket)?;
        let id = (bucket, name.clone());
        let present = self.channels.get(&id).map(|c| c.created);
        if only_if_absent && present.is_some() {
            return Err(StoreError::AlreadyExists(What::Channel));
        }
        self.check_not_live(&id)?;
        let created = present.unwrap_or(now);
        let record = ChannelRecord { bucket, name: name.clone(), config, created, last_modified: now };
        self.channels.insert(id, record.clone());
        Ok(record)
    }

    pub(super) fn set_channel_status(
        &mut self,
        bucket: BucketId,
        name: &ChannelName,
        status: ChannelStatus,
        now: Wall,
    ) -> Result<()> {
        let channel = self.channels.get_mut(&(bucket, name.clone())).ok_or(StoreError::NotFound(What::Channel))?;
        if channel.config.status != status {
            channel.config.status = status;
            channel.last_modified = now;
        }
        Ok(())
    }

    pub(super) fn list_channels(
        &mut self,
        bucket: BucketId,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Page<ChannelRecord>> {
        let wanted =
            |c: &&ChannelRecord| c.bucket == bucket && c.name.as_str().starts_with(prefix) && c.name.as_str() > after;
        Ok(rules::page(self.channels.values().filter(wanted).cloned().collect(), limit))
    }

    pub(super) fn buckets_with_channel(&mut self, name: &ChannelName, limit: usize) -> Result<Vec<BucketRecord>> {
        let holders = self.channels.keys().filter(|(_, n)| n == name).map(|(bucket, _)| self.buckets[bucket].clone());
        Ok(holders.take(limit).collect())
    }

    pub(super) fn delete_channel(&mut self, bucket: BucketId, name: &ChannelName) -> Result<()> {
        let id = (bucket, name.clone());
        self.check_not_live(&id)?;
        self.channels.remove(&id);
        self.connections.remove(&id);
        Ok(())
    }
}
