//! `livebucket check --media`: a stored playlist and its fragments, as a player would meet them.
//!
//! Three views that must agree: what the playlist says, what the fragments' bytes hold (`codec::playback`), and what the
//! channel's index of fragments and history of connections know.

use std::collections::BTreeMap;
use std::str::FromStr;

use bytes::BytesMut;

use super::Failure;
use crate::app::Stores;
use crate::codec::m3u8::{PLAYLIST_BYTES_MAX, Playlist, Segment};
use crate::codec::playback::{ForcedCuts, PlaybackChecker};
use crate::limits;
use crate::live::segmenter::Settings;
use crate::store::objects::ObjectService;
use crate::store::{BucketName, BucketRecord, ChannelName, ConnectionRecord, FragmentRecord, ObjectKey};

/// What `--media` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaTarget {
    bucket: BucketName,
    /// A channel's name, or the key of a playlist.
    rest: String,
}

impl FromStr for MediaTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (bucket, rest) = text.split_once('/').ok_or("a bucket, a slash, and a channel or key")?;
        let bucket = BucketName::new(bucket).ok_or_else(|| format!("{bucket:?} is no bucket's name"))?;
        if rest.is_empty() || rest.len() > ObjectKey::BYTES_MAX {
            return Err("a channel or a playlist's key must follow the bucket".to_owned());
        }
        Ok(MediaTarget { bucket, rest: rest.to_owned() })
    }
}

/// Prints a report for each target; fails when one of them has a fault.
pub async fn check(stores: &Stores, targets: &[MediaTarget]) -> Result<(), Failure> {
    let objects = ObjectService::new(stores.meta.clone(), stores.blobs.clone(), stores.clock.clone());
    let mut faults = 0;
    for target in targets {
        faults += Media { stores, objects: &objects }.check(target).await?;
    }
    if faults == 0 { Ok(()) } else { Err(Failure::failed("a player would meet the faults above")) }
}

struct Media<'a> {
    stores: &'a Stores,
    objects: &'a ObjectService,
}

impl Media<'_> {
    /// Returns how many faults were printed.
    async fn check(&self, target: &MediaTarget) -> Result<usize, Failure> {
        let bucket = self.stores.meta.bucket(&target.bucket).await.map_err(Failure::failed)?;
        let bucket = bucket.ok_or_else(|| Failure::failed(format!("there is no bucket {}", target.bucket)))?;
        let key = self.playlist_key(&bucket, target).await?;
        let shown = format!("{}/{key}", target.bucket);
        let text = self.text(&bucket, &key).await.map_err(|why| Failure::failed(format!("{shown}: {why}")))?;
        let playlist = Playlist::parse(&text).map_err(|error| Failure::failed(format!("{shown}: {error}")))?;

        let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        let known = self.known(&bucket, folder, &playlist).await?;
        let goes_on = known.goes_on(&playlist);
        let forced = self.forced_cuts(&bucket, folder).await?;
        let unlisted = known.behind_unlisted(&playlist);
        let checker = PlaybackChecker::new(&playlist, forced).of_one_connection(|index| goes_on[index]);
        let mut checker = checker.behind_unlisted(|index| unlisted[index]);
        for segment in &playlist.segments {
            let fragment = match sibling(folder, &segment.uri) {
                Some(key) => self.body(&bucket, &key, u64::MAX).await,
                None => Err("its URI is not beside the playlist".to_owned()),
            };
            checker.fragment(fragment.as_deref().map_err(Clone::clone));
        }
        let report = checker.finish();
        let unindexed = if known.is_channel { compare(&playlist, &known.index) } else { Vec::new() };
        println!("{shown}");
        unindexed.iter().for_each(|fault| println!("{fault}"));
        print!("{report}");
        Ok(report.faults.len() + unindexed.len())
    }

    /// A name without a slash is a channel's, if there is such a channel; its playlist is meant.
    async fn playlist_key(&self, bucket: &BucketRecord, target: &MediaTarget) -> Result<String, Failure> {
        let Some(name) = ChannelName::new(&target.rest) else { return Ok(target.rest.clone()) };
        let channel = self.stores.meta.channel(bucket.id, &name).await.map_err(Failure::failed)?;
        Ok(channel.map_or(target.rest.clone(), |channel| format!("{name}/{}", channel.config.playlist_name)))
    }

    /// By the channel's settings; the least that any channel has when it is gone.
    async fn forced_cuts(&self, bucket: &BucketRecord, folder: &str) -> Result<ForcedCuts, Failure> {
        let channel = match ChannelName::new(folder) {
            Some(name) => self.stores.meta.channel(bucket.id, &name).await.map_err(Failure::failed)?,
            None => None,
        };
        let frag_duration = channel.map_or(1, |channel| channel.config.frag_duration);
        let bytes = limits::FRAGMENT_BYTES_MAX;
        Ok(ForcedCuts { after: Settings::new(frag_duration, bytes, 0, 0).forced_after, bytes })
    }

    async fn text(&self, bucket: &BucketRecord, key: &str) -> Result<String, String> {
        let bytes = self.body(bucket, key, PLAYLIST_BYTES_MAX as u64).await?;
        String::from_utf8(bytes.to_vec()).map_err(|_| "it is no text".to_owned())
    }

    async fn body(&self, bucket: &BucketRecord, key: &str, bytes_max: u64) -> Result<BytesMut, String> {
        let key = ObjectKey::new(key).ok_or("its key is no key")?;
        let object = self.stores.meta.object(bucket.id, &key).await.map_err(|error| error.to_string())?;
        let object = object.ok_or("there is no such object")?;
        if object.size > bytes_max {
            return Err(format!("it has {} bytes", object.size));
        }
        let mut body = self.objects.read(&object, 0..object.size);
        let mut bytes = BytesMut::new();
        while let Some(piece) = body.next().await.map_err(|error| format!("it cannot be read: {error}"))? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// What is known of the channel. A playlist outside of any channel's folder has none.
    async fn known(&self, bucket: &BucketRecord, folder: &str, playlist: &Playlist) -> Result<Known, Failure> {
        let Some(name) = ChannelName::new(folder) else { return Ok(Known::default()) };
        let names: Vec<i64> = playlist.segments.iter().filter_map(|segment| name_ms(&segment.uri)).collect();
        let (Some(&from), Some(&to)) = (names.iter().min(), names.iter().max()) else { return Ok(Known::default()) };
        let meta = &self.stores.meta;
        let index = meta.fragments(bucket.id, &name, from, to).await.map_err(Failure::failed)?;
        let mut connections = meta.history(bucket.id, &name, HISTORY).await.map_err(Failure::failed)?;
        connections.extend(meta.open_connection(bucket.id, &name).await.map_err(Failure::failed)?);
        Ok(Known { is_channel: true, index, connections })
    }
}

/// Finished connections that are asked for: as many as are kept at least.
const HISTORY: usize = 100;

/// What is known of a channel.
#[derive(Default)]
struct Known {
    is_channel: bool,
    /// The fragments from the first that a playlist names to its last.
    index: Vec<FragmentRecord>,
    connections: Vec<ConnectionRecord>,
}

impl Known {
    /// Of each fragment, whether it surely goes on from the one before it: nothing is missing between them, and one connection,
    /// and no other, was open when either began. Where the clock was set back, or of connections that history has forgotten,
    /// nothing is known.
    fn goes_on(&self, playlist: &Playlist) -> Vec<bool> {
        let by_name: BTreeMap<i64, u64> = self.index.iter().map(|record| (record.name_ms, record.sequence)).collect();
        let places = playlist.segments.iter().map(|segment| {
            let name = name_ms(&segment.uri)?;
            Some((*by_name.get(&name)?, self.connection(name)?))
        });
        let places: Vec<Option<(u64, usize)>> = places.collect();
        let follows = |before: (u64, usize), this: (u64, usize)| before.0 + 1 == this.0 && before.1 == this.1;
        let pairs =
            places.windows(2).map(|pair| pair[0].zip(pair[1]).is_some_and(|(before, this)| follows(before, this)));
        [false].into_iter().take(places.len()).chain(pairs).collect()
    }

    /// Of each fragment, whether its channel had one before it that the playlist does not name there; `None`: nothing is known.
    fn behind_unlisted(&self, playlist: &Playlist) -> Vec<Option<bool>> {
        let by_name: BTreeMap<i64, u64> = self.index.iter().map(|record| (record.name_ms, record.sequence)).collect();
        let mut before = None;
        let number = |segment: &Segment| by_name.get(&name_ms(&segment.uri)?).copied();
        let is = playlist.segments.iter().enumerate().map(|(position, segment)| {
            let this = number(segment);
            let expected = if position == 0 { Some(0) } else { before };
            before = this.map(|this| this + 1);
            Some(this? != expected?)
        });
        is.collect()
    }

    /// The only connection that was open at this time, in milliseconds.
    fn connection(&self, at: i64) -> Option<usize> {
        let was_open = |connection: &ConnectionRecord| {
            connection.started.0 <= at && connection.ended.is_none_or(|ended| at <= ended.0)
        };
        let mut open = (0..self.connections.len()).filter(|&index| was_open(&self.connections[index]));
        open.next().filter(|_| open.next().is_none())
    }
}

/// The key of a relative URI without folders of its own; `None` for any other.
fn sibling(folder: &str, uri: &str) -> Option<String> {
    let path = uri.split(['?', '#']).next().unwrap_or(uri);
    let name = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    let is_plain = !name.is_empty() && !path.contains('/') && !path.contains(':') && !matches!(&*name, "." | "..");
    is_plain.then(|| if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") })
}

/// The millisecond that names a fragment.
fn name_ms(uri: &str) -> Option<i64> {
    uri.split(['?', '#']).next()?.strip_suffix(".ts")?.parse().ok()
}

/// Compares a playlist with the index of its channel: numbers, durations, discontinuities.
fn compare(playlist: &Playlist, index: &[FragmentRecord]) -> Vec<String> {
    let by_name: BTreeMap<i64, &FragmentRecord> = index.iter().map(|record| (record.name_ms, record)).collect();
    let mut faults = Vec::new();
    let mut before: Option<&FragmentRecord> = None;
    for (position, segment) in playlist.segments.iter().enumerate() {
        let record = name_ms(&segment.uri).and_then(|name| by_name.get(&name)).copied();
        let mut fault = |what: String| faults.push(format!("fragment {position} ({}): {what}", segment.uri));
        let Some(record) = record else {
            fault("the channel's index does not know it".to_owned());
            before = None;
            continue;
        };
        if record.duration.to_millis() != segment.duration.to_millis() {
            let millis = |time: crate::media::MediaTime| time.to_millis();
            fault(format!("EXTINF {} ms, the index says {} ms", millis(segment.duration), millis(record.duration)));
        }
        match before {
            Some(before) if record.sequence <= before.sequence => {
                fault(format!("number {} follows number {}", record.sequence, before.sequence));
            }
            Some(before) => {
                let gap = record.sequence - before.sequence - 1;
                match (record.discontinuity || gap > 0, segment.discontinuity) {
                    (true, false) if gap > 0 => fault(format!("{gap} missing before it, and no discontinuity says so")),
                    (true, false) => fault("its discontinuity is not stated".to_owned()),
                    (false, true) => fault("a discontinuity where there is none".to_owned()),
                    _ => {}
                }
            }
            None if position == 0 && playlist.media_sequence > record.sequence => {
                fault(format!(
                    "EXT-X-MEDIA-SEQUENCE {} is past its number {}",
                    playlist.media_sequence, record.sequence
                ));
            }
            None => {}
        }
        before = Some(record);
    }
    if playlist.discontinuity_sequence > playlist.media_sequence {
        let (discontinuities, fragments) = (playlist.discontinuity_sequence, playlist.media_sequence);
        faults.push(format!("playlist: {discontinuities} discontinuities have left with {fragments} fragments"));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use crate::media::MediaTime;
    use crate::store::ConnectionId;

    #[test]
    fn targets_name_a_bucket_and_a_channel_or_key() {
        let read = |text: &str| text.parse::<MediaTarget>().map(|target| (target.bucket.to_string(), target.rest));
        assert_eq!(read("films/cam1"), Ok(("films".to_owned(), "cam1".to_owned())));
        assert_eq!(read("films/cam1/p.m3u8"), Ok(("films".to_owned(), "cam1/p.m3u8".to_owned())));
        for wrong in ["films", "films/", "/cam1", "No/cam1", ""] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn fragments_are_looked_for_beside_their_playlist_only() {
        for (folder, uri, key) in [
            ("cam1", "1.ts", Some("cam1/1.ts")),
            ("cam1", "1.ts?Expires=7#x", Some("cam1/1.ts")),
            ("a/b", "c%20d.ts", Some("a/b/c d.ts")),
            ("", "1.ts", Some("1.ts")),
            ("cam1", "../other/1.ts", None),
            ("cam1", "/cam1/1.ts", None),
            ("cam1", "http://elsewhere/1.ts", None),
            ("cam1", "?x", None),
            ("cam1", "..", None),
        ] {
            assert_eq!(sibling(folder, uri).as_deref(), key, "{uri}");
        }
    }

    fn record(sequence: u64, discontinuity: bool) -> FragmentRecord {
        let name_ms = 1_000 + i64::try_from(sequence).expect("small");
        FragmentRecord { name_ms, sequence, duration: MediaTime::from_secs(6), discontinuity }
    }

    /// A playlist of these numbers, marked or not, against an index of 3 to 9 whose 6 is marked.
    fn faults(media_sequence: u64, listed: &[(u64, bool)]) -> Vec<String> {
        let segment = |&(sequence, discontinuity): &(u64, bool)| {
            let FragmentRecord { name_ms, duration, .. } = record(sequence, false);
            Segment { uri: format!("{name_ms}.ts"), duration, discontinuity }
        };
        let segments = listed.iter().map(segment).collect();
        let index: Vec<_> = (3..10).map(|sequence| record(sequence, sequence == 6)).collect();
        compare(&Playlist { media_sequence, segments, target_duration: 6, ..Playlist::default() }, &index)
    }

    #[test]
    fn the_index_and_the_playlist_agree() {
        assert_eq!(faults(3, &[(4, false), (5, false), (6, true), (7, false)]), Vec::<String>::new());
        assert_eq!(
            faults(3, &[(6, false), (7, false)]),
            Vec::<String>::new(),
            "the first of a list need not be marked"
        );
        assert_eq!(faults(0, &[(3, false), (5, true)]), Vec::<String>::new());
        for (media_sequence, listed, expected) in [
            (0, &[(4, false), (5, true)][..], "fragment 1 (1005.ts): a discontinuity where there is none"),
            (0, &[(5, false), (6, false)], "fragment 1 (1006.ts): its discontinuity is not stated"),
            (0, &[(3, false), (5, false)], "fragment 1 (1005.ts): 1 missing before it, and no discontinuity says so"),
            (0, &[(5, false), (4, false)], "fragment 1 (1004.ts): number 4 follows number 5"),
            (0, &[(2, false)], "fragment 0 (1002.ts): the channel's index does not know it"),
            (4, &[(3, false)], "fragment 0 (1003.ts): EXT-X-MEDIA-SEQUENCE 4 is past its number 3"),
        ] {
            assert_eq!(faults(media_sequence, listed), [expected]);
        }
    }

    #[test]
    fn fragments_go_on_within_a_connection_that_is_known() {
        let connection = |started, ended| ConnectionRecord {
            id: ConnectionId(started as u128),
            started: Wall(started),
            ended,
            remote_addr: String::new(),
            cause: None,
        };
        // Fragments are named 1003 to 1009; the second connection is open.
        let known = |connections: &[(i64, Option<i64>)]| Known {
            is_channel: true,
            index: (3..10).filter(|&sequence| sequence != 8).map(|sequence| record(sequence, false)).collect(),
            connections: connections.iter().map(|&(from, to)| connection(from, to.map(Wall))).collect(),
        };
        let segment =
            |name: &u64| Segment { uri: format!("{name}.ts"), duration: MediaTime::ZERO, discontinuity: true };
        let goes_on = |known: Known, names: &[u64]| {
            known.goes_on(&Playlist { segments: names.iter().map(segment).collect(), ..Playlist::default() })
        };
        let two: &[(i64, Option<i64>)] = &[(1_001, Some(1_005)), (1_006, None)];
        let listed = [1_003, 1_004, 1_005, 1_006, 1_007, 1_009];
        assert_eq!(goes_on(known(two), &listed), [false, true, true, false, true, false], "1008 was lost");
        assert_eq!(goes_on(known(two), &[1_004, 1_003, 1_003, 1_005, 7]), [false; 5], "not in order, or not known");
        // The clock was set back: both were open at 1005 by what they say.
        let overlapping: &[(i64, Option<i64>)] = &[(1_003, Some(1_007)), (1_005, Some(1_009))];
        assert_eq!(goes_on(known(overlapping), &listed), [false, true, false, false, false, false]);
        assert_eq!(goes_on(known(&[]), &listed), [false; 6]);
        assert_eq!(goes_on(known(two), &[]), [false; 0]);
    }

    #[test]
    fn a_fragment_whose_number_does_not_follow_is_behind_one_that_is_not_listed() {
        let known = |from| Known { index: (from..10).map(|n| record(n, false)).collect(), ..Known::default() };
        let segment =
            |name: &u64| Segment { uri: format!("{name}.ts"), duration: MediaTime::ZERO, discontinuity: false };
        let behind = |known: Known, names: &[u64]| {
            known.behind_unlisted(&Playlist { segments: names.iter().map(segment).collect(), ..Playlist::default() })
        };
        assert_eq!(behind(known(0), &[1_000, 1_001, 1_003]), [Some(false), Some(false), Some(true)]);
        assert_eq!(behind(known(3), &[1_003, 1_002, 1_004, 1_005]), [Some(true), None, None, Some(false)]);
        assert_eq!(behind(Known::default(), &[1_000]), [None]);
    }

    #[test]
    fn durations_and_discontinuity_numbers_are_compared() {
        let segment =
            |millis| Segment { uri: "1003.ts".into(), duration: MediaTime::from_millis(millis), discontinuity: false };
        let playlist = Playlist {
            media_sequence: 1,
            discontinuity_sequence: 2,
            target_duration: 6,
            segments: vec![segment(5_999)],
            ended: false,
        };
        let expected = [
            "fragment 0 (1003.ts): EXTINF 5999 ms, the index says 6000 ms",
            "playlist: 2 discontinuities have left with 1 fragments",
        ];
        assert_eq!(compare(&playlist, &[record(3, false)]), expected);
    }
}
