//! Publishes: claims, fragments, playlists and the history of connections.

use super::{ChannelId, State};
use crate::clock::Wall;
use crate::limits::CONNECTION_HISTORY_KEPT;
use crate::store::meta::rules::{self, LiveState};
use crate::store::*;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) epoch: u64,
    pub(super) record: ConnectionRecord,
    /// End of the newest stored fragment.
    pub(super) stored_until: Option<Wall>,
}

impl Connection {
    fn is_open(&self) -> bool {
        self.record.ended.is_none()
    }
}

impl State {
    pub(super) fn claim(&mut self, request: ClaimRequest) -> Result<Claim> {
        let id = (request.bucket, request.channel);
        let channel = self.channels.get(&id).cloned().ok_or(StoreError::NotFound(What::Channel))?;
        let is_repeat = match self.open_connection(&id) {
            Some(open) if open.record.id == request.connection => true,
            _ if channel.config.status == ChannelStatus::Disabled => return Err(StoreError::ChannelDisabled),
            Some(_) => return Err(StoreError::ChannelLive),
            None => false,
        };
        let live = self.live.entry(id.clone()).or_default();
        if !is_repeat {
            live.epoch += 1;
            let record = ConnectionRecord {
                id: request.connection,
                started: request.started,
                ended: None,
                remote_addr: request.remote_addr,
                cause: None,
            };
            let connection = Connection { epoch: live.epoch, record, stored_until: None };
            self.connections.entry(id.clone()).or_default().push(connection);
        }
        let playlist_name = request.playlist_name.unwrap_or_else(|| channel.config.playlist_name.clone());
        Ok(Claim {
            epoch: Epoch(live.epoch),
            channel,
            last_name_ms: live.last_name_ms,
            next_sequence: live.next_sequence,
            window: self.windows.get(&(id, playlist_name)).cloned().unwrap_or_default(),
        })
    }

    pub(super) fn commit_fragment(&mut self, commit: FragmentCommit, now: Wall) -> Result<()> {
        rules::check_fragment_commit(&commit)?;
        let id = (commit.bucket, commit.channel.clone());
        let open = self.open_connection(&id);
        if open.is_none_or(|c| c.epoch != commit.epoch.0 || c.record.id != commit.connection) {
            return Err(StoreError::StaleEpoch);
        }
        let live = self.live.get(&id).copied().unwrap_or_default();
        if self.is_repeat(&commit, &id, live) {
            return Ok(());
        }
        let key_is_taken = self.objects.contains_key(&(commit.bucket, commit.object.key.clone()));
        rules::check_fragment_order(&commit, live, key_is_taken)?;
        self.check_blobs(&commit.object.extents)?;
        self.check_blobs(&commit.playlist.extents)?;
        self.check_quota(commit.bucket, &[&commit.object, &commit.playlist])?;

        let fragment = ObjectRecord { last_modified: now, version: None, ..commit.object };
        let playlist = ObjectRecord { last_modified: now, version: None, ..commit.playlist };
        self.check_lock(&fragment, now)?;
        self.check_lock(&playlist, now)?;
        self.place(fragment, now);
        self.place(playlist, now);
        self.fragments.insert((id.clone(), commit.fragment.name_ms), commit.fragment);
        self.windows.insert((id.clone(), commit.playlist_name), commit.window);
        if let Some(open) = self.open_connection(&id) {
            open.stored_until = Some(commit.ended);
        }
        let last_name_ms = Some(commit.fragment.name_ms);
        self.live.insert(id, LiveState { last_name_ms, next_sequence: commit.fragment.sequence + 1, ..live });
        Ok(())
    }

    pub(super) fn end_connection(
        &mut self,
        bucket: BucketId,
        channel: &ChannelName,
        epoch: Epoch,
        ended: Wall,
        cause: TerminationCause,
    ) -> Result<()> {
        let id = (bucket, channel.clone());
        if self.live.get(&id).is_none_or(|live| live.epoch != epoch.0) {
            return Err(StoreError::StaleEpoch);
        }
        // Already ended: the acknowledgement was lost, and what was written first stands.
        let Some(open) = self.open_connection(&id) else { return Ok(()) };
        open.record.ended = Some(ended);
        open.record.cause = Some(cause);
        self.connections.entry(id).and_modify(prune);
        Ok(())
    }

    pub(super) fn finished_connections(
        &mut self,
        bucket: BucketId,
        channel: &ChannelName,
        limit: usize,
    ) -> Result<Vec<ConnectionRecord>> {
        let all = self.connections.get(&(bucket, channel.clone())).map_or(&[][..], Vec::as_slice);
        let finished: Vec<_> = all.iter().filter(|c| !c.is_open()).map(|c| c.record.clone()).collect();
        Ok(finished[finished.len().saturating_sub(limit)..].to_vec())
    }

    pub(super) fn fragments(
        &mut self,
        bucket: BucketId,
        channel: &ChannelName,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<FragmentRecord>> {
        let id = (bucket, channel.clone());
        let rows = self.fragments.iter().filter(|((c, name_ms), _)| *c == id && (from_ms..=to_ms).contains(name_ms));
        Ok(rows.filter(|((c, name_ms), _)| self.has_fragment_object(c, *name_ms)).map(|(_, f)| *f).collect())
    }

    pub(super) fn end_lost_connections(&mut self) -> Result<u64> {
        let mut ended = 0;
        for connections in self.connections.values_mut() {
            for connection in connections.iter_mut().filter(|c| c.is_open()) {
                connection.record.ended = Some(connection.stored_until.unwrap_or(connection.record.started));
                connection.record.cause = Some(TerminationCause::ServiceLost);
                ended += 1;
            }
            prune(connections);
        }
        Ok(ended)
    }

    pub(super) fn audit_windows(&mut self) -> Result<Vec<WindowAudit>> {
        let audit = |((id, playlist_name), window): (&(ChannelId, String), &WindowRecord)| {
            let names = window.entries.iter().map(|e| e.name_ms);
            let dangles =
                |name: &i64| self.fragments.contains_key(&(id.clone(), *name)) && !self.has_fragment_object(id, *name);
            WindowAudit {
                bucket: id.0,
                channel: id.1.clone(),
                playlist_name: playlist_name.clone(),
                window: window.clone(),
                dangling: names.filter(dangles).collect(),
            }
        };
        Ok(self.windows.iter().map(audit).collect())
    }

    pub(super) fn open_connection(&mut self, channel: &ChannelId) -> Option<&mut Connection> {
        self.connections.get_mut(channel)?.last_mut().filter(|c| c.is_open())
    }

    pub(super) fn check_not_live(&mut self, channel: &ChannelId) -> Result<()> {
        if self.open_connection(channel).is_some() { Err(StoreError::ChannelLive) } else { Ok(()) }
    }

    pub(super) fn has_fragment_object(&self, channel: &ChannelId, name_ms: i64) -> bool {
        self.objects.contains_key(&(channel.0, rules::fragment_key(&channel.1, name_ms)))
    }

    /// Whether the newest fragment is this very commit: then its acknowledgement was lost on the way.
    pub(super) fn is_repeat(&self, commit: &FragmentCommit, id: &ChannelId, live: LiveState) -> bool {
        live.last_name_ms == Some(commit.fragment.name_ms)
            && self.fragments.get(&(id.clone(), commit.fragment.name_ms)) == Some(&commit.fragment)
            && self
                .objects
                .get(&(commit.bucket, commit.object.key.clone()))
                .is_some_and(|present| present.extents == commit.object.extents)
    }
}

fn prune(connections: &mut Vec<Connection>) {
    let finished = connections.iter().filter(|c| !c.is_open()).count();
    // The open one is the newest, so the oldest are finished ones.
    connections.drain(..finished.saturating_sub(CONNECTION_HISTORY_KEPT));
}
