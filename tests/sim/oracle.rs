//! What must hold of the live channels after every commit, whatever the service believes: I4, I6, I7.

use std::collections::{BTreeMap, BTreeSet};

use livebucket::codec::m3u8::{Playlist, rounded_seconds};
use livebucket::codec::playback::succession_faults;
use livebucket::store::{
    BucketId, ChannelName, Claim, ClaimRequest, ConnectionId, Epoch, Extent, FragmentCommit, FragmentRecord, ObjectKey,
    ObjectRecord, WindowRecord,
};

type ChannelId = (BucketId, ChannelName);

/// Everything that was ever committed to any channel.
#[derive(Debug, Default)]
pub struct Oracle {
    channels: BTreeMap<ChannelId, Channel>,
    /// Keys that a user (or his rule) wrote or deleted since the service wrote them.
    users: BTreeSet<(BucketId, ObjectKey)>,
    /// Publishers whose source has jumped, or changed.
    broken: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Channel {
    epoch: u64,
    open: Option<Open>,
    fragments: BTreeMap<i64, (ConnectionId, FragmentRecord)>,
    playlists: BTreeMap<String, Numbers>,
}

#[derive(Clone, Debug)]
struct Open {
    connection: ConnectionId,
    publisher: String,
    faults: u64,
    fragments: u64,
    /// The channel had fragments before it.
    continues: bool,
}

/// The numbers that viewers of one playlist have seen.
#[derive(Debug, Default)]
struct Numbers {
    /// Media sequence number and discontinuity number of each fragment.
    of: BTreeMap<i64, (u64, u64)>,
    names: BTreeMap<u64, i64>,
    last: Option<Playlist>,
}

impl Oracle {
    pub fn taken_by_user(&mut self, bucket: BucketId, key: &ObjectKey) {
        self.users.insert((bucket, key.clone()));
    }

    pub fn is_users(&self, bucket: BucketId, key: &ObjectKey) -> bool {
        self.users.contains(&(bucket, key.clone()))
    }

    /// This publisher's media does not simply go on any more.
    pub fn source_breaks(&mut self, publisher: &str) {
        self.broken.insert(publisher.to_owned());
    }

    pub fn claimed(&mut self, request: &ClaimRequest, claim: &Claim, faults: u64) {
        let channel = self.channels.entry((request.bucket, request.channel.clone())).or_default();
        let is_repeat = channel.open.as_ref().is_some_and(|open| open.connection == request.connection);
        if is_repeat {
            return;
        }
        assert!(channel.open.is_none(), "I6: {} is claimed while it is live", request.channel);
        assert!(claim.epoch.0 > channel.epoch, "I6: the epoch does not grow: {:?}", claim.epoch);
        let last = channel.fragments.last_key_value();
        assert_eq!(claim.last_name_ms, last.map(|(name, _)| *name), "I7: the last name is remembered");
        let next = last.map_or(0, |(_, (_, fragment))| fragment.sequence + 1);
        assert_eq!(claim.next_sequence, next, "I7: the sequence is remembered");
        channel.epoch = claim.epoch.0;
        channel.open = Some(Open {
            connection: request.connection,
            publisher: request.remote_addr.clone(),
            faults,
            fragments: 0,
            continues: last.is_some(),
        });
    }

    pub fn ended(&mut self, bucket: BucketId, name: &ChannelName, epoch: Epoch) {
        let channel = self.channels.entry((bucket, name.clone())).or_default();
        assert_eq!(epoch.0, channel.epoch, "I6: a stale owner ends a connection of {name}");
        channel.open = None;
    }

    pub fn all_ended(&mut self) {
        self.channels.values_mut().for_each(|channel| channel.open = None);
    }

    /// A fragment was committed. `before`: what stood under its key.
    pub fn committed(&mut self, commit: &FragmentCommit, before: Option<&ObjectRecord>, faults: u64) {
        let id = (commit.bucket, commit.channel.clone());
        let channel = self.channels.entry(id).or_default();
        let fragment = commit.fragment;
        let name = fragment.name_ms;
        let Some(open) = channel.open.as_mut().filter(|open| open.connection == commit.connection) else {
            panic!("I6: a stale owner commits {name}.ts to {}", commit.channel);
        };
        assert_eq!(commit.epoch.0, channel.epoch, "I6: a stale epoch commits {name}.ts");
        if channel.fragments.get(&name) == Some(&(commit.connection, fragment)) {
            // The same commit again, because its answer was lost; it changes nothing.
            return;
        }
        assert!(before.is_none(), "I7: {name}.ts is overwritten");
        if let Some((last, (_, before))) = channel.fragments.last_key_value() {
            assert!(name > *last, "I7: fragment {name} after {last}");
            assert!(fragment.sequence > before.sequence, "I7: {fragment:?} after {before:?}");
        }
        assert!(fragment.duration.0 > 0, "{fragment:?}");
        let is_undisturbed = open.faults == faults && !self.broken.contains(&open.publisher);
        if is_undisturbed {
            let expected = open.fragments == 0 && open.continues;
            assert_eq!(fragment.discontinuity, expected, "a discontinuity only where there is one: {fragment:?}");
        }
        open.fragments += 1;
        channel.fragments.insert(name, (commit.connection, fragment));
        let text = playlist_text(&commit.playlist);
        check_window(channel, commit, &text);
        self.users.remove(&(commit.bucket, commit.playlist.key.clone()));
        self.users.remove(&(commit.bucket, commit.object.key.clone()));
    }

    /// Whether a fragment is of the connection of the one before it, with nothing lost between.
    pub fn goes_on(&self, bucket: BucketId, channel: &ChannelName, before: i64, name: i64) -> bool {
        let Some(channel) = self.channels.get(&(bucket, channel.clone())) else { return false };
        let find = |name: i64| channel.fragments.get(&name);
        let Some(((left, before), (right, after))) = find(before).zip(find(name)) else { return false };
        left == right && before.sequence + 1 == after.sequence
    }

    /// Fragments that were ever committed.
    pub fn fragments(&self) -> usize {
        self.channels.values().map(|channel| channel.fragments.len()).sum()
    }
}

/// A playlist's text, which is small enough to stand in its row.
pub fn playlist_text(playlist: &ObjectRecord) -> String {
    let bytes = playlist.extents.iter().map(|extent| match extent {
        Extent::Inline(bytes) => bytes.clone(),
        Extent::Blob { .. } => panic!("a playlist in a file: {playlist:?}"),
    });
    String::from_utf8(bytes.collect::<Vec<_>>().concat()).expect("a playlist is text")
}

/// What the playlist of a commit says, as viewers count it.
fn check_window(channel: &mut Channel, commit: &FragmentCommit, text: &str) {
    let playlist = Playlist::parse(text).expect("our own playlist");
    agrees(&playlist, &commit.window);
    let name = commit.fragment.name_ms;
    assert_eq!(commit.window.entries.last().map(|entry| entry.name_ms), Some(name), "the newest stands last");
    let numbers = channel.playlists.entry(commit.playlist_name.clone()).or_default();
    let what = &commit.playlist.key;
    if let Some(before) = numbers.last.replace(playlist.clone()) {
        let faults = succession_faults(&before, &playlist);
        assert!(faults.is_empty(), "I7: {what}: {faults:?}\n{}\n{text}", before.render());
    }
    let mut discontinuity = playlist.discontinuity_sequence;
    for (index, entry) in commit.window.entries.iter().enumerate() {
        let number = playlist.media_sequence + index as u64;
        discontinuity += u64::from(entry.discontinuity);
        let seen = *numbers.of.entry(entry.name_ms).or_insert((number, discontinuity));
        assert_eq!(seen, (number, discontinuity), "I7: numbers of {} in {what} change:\n{text}", entry.name_ms);
        let named = *numbers.names.entry(number).or_insert(entry.name_ms);
        assert_eq!(named, entry.name_ms, "I7: number {number} of {what} is given twice:\n{text}");
        assert!(channel.fragments.contains_key(&entry.name_ms), "I4: {what} names what never was:\n{text}");
        assert!(rounded_seconds(entry.duration) <= playlist.target_duration, "I7: target duration:\n{text}");
    }
    for pair in commit.window.entries.windows(2) {
        let [(before, left), (after, right)] = [0, 1].map(|at: usize| channel.fragments[&pair[at].name_ms]);
        let goes_on = before == after && left.sequence + 1 == right.sequence;
        assert!(goes_on || pair[1].discontinuity, "no discontinuity between {left:?} and {right:?}:\n{text}");
    }
    let first = numbers.of.first_key_value().map(|(name, _)| *name);
    let opening = commit.window.entries.first().filter(|entry| Some(entry.name_ms) == first);
    assert!(opening.is_none_or(|entry| !entry.discontinuity), "a discontinuity before the first of all:\n{text}");
}

/// A playlist's text and its window are one.
pub fn agrees(playlist: &Playlist, window: &WindowRecord) {
    assert_eq!(playlist.media_sequence, window.media_sequence);
    assert_eq!(playlist.discontinuity_sequence, window.discontinuity_sequence);
    assert_eq!(playlist.target_duration, window.target_duration);
    assert!(!playlist.ended, "a live playlist never ends");
    let written: Vec<_> = playlist.segments.iter().map(|s| (s.uri.clone(), s.discontinuity)).collect();
    let kept: Vec<_> = window.entries.iter().map(|e| (format!("{}.ts", e.name_ms), e.discontinuity)).collect();
    assert_eq!(written, kept);
}
