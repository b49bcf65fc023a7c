//! The committing half of an owner: closed fragments become durable, named and visible, one after the other.
//!
//! A fragment that cannot be stored is dropped and the next one is marked; several in a row, a stalled store or a newer
//! owner end the connection. Names are the wall clock at the fragment's start and strictly grow over the channel's
//! whole life (I7), so a taken millisecond means the next free one.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::clock::{Wall, timeout};
use crate::limits;
use crate::live::registry::{LiveDeps, Shared};
use crate::live::window::Window;
use crate::media::MediaTime;
use crate::store::objects::{BodyWriter, Digests, StoredBody};
use crate::store::{
    Claim, ContentHeaders, Epoch, FragmentCommit, FragmentRecord, ObjectAttributes, ObjectKey, ObjectKind,
    ObjectRecord, Result, StorageClass, StoreError, TerminationCause, What, WindowEntry,
};

/// A fragment whose last unit is written.
pub(super) struct Closed {
    /// When its first unit was taken: its name.
    pub(super) started: Wall,
    /// When it was cut.
    pub(super) ended: Wall,
    /// To the next fragment.
    pub(super) duration: MediaTime,
    /// Does not continue the fragment before it.
    pub(super) discontinuity: bool,
    /// Its bytes, or why they are lost.
    pub(super) writer: Result<BodyWriter>,
}

/// What became of a connection's fragments.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stored {
    pub(super) fragments: u64,
    pub(super) fragments_lost: u64,
}

/// A commit that never had an answer: it has happened, or not.
struct InDoubt {
    name_ms: i64,
    sequence: u64,
    /// The window that it would have written.
    window: Window,
}

/// The ordered commits of one connection.
pub(super) struct Committer<'a> {
    deps: &'a LiveDeps,
    shared: &'a Arc<Shared>,
    epoch: Epoch,
    /// When the connection began.
    started: Wall,
    playlist_name: String,
    window: Window,
    last_name_ms: Option<i64>,
    next_sequence: u64,
    /// The next fragment follows a gap: the first of a later connection, or one behind a lost fragment.
    mark_next: bool,
    failures_in_a_row: u32,
    in_doubt: Option<InDoubt>,
    /// Nothing can be stored any more.
    given_up: bool,
    stored: Stored,
}

impl<'a> Committer<'a> {
    pub(super) fn new(
        deps: &'a LiveDeps,
        shared: &'a Arc<Shared>,
        claim: &Claim,
        started: Wall,
        playlist_name: Option<String>,
    ) -> Self {
        let config = &claim.channel.config;
        Committer {
            deps,
            shared,
            epoch: claim.epoch,
            started,
            playlist_name: playlist_name.unwrap_or_else(|| config.playlist_name.clone()),
            window: Window::resume(claim.window.clone(), config.frag_count),
            last_name_ms: claim.last_name_ms,
            next_sequence: claim.next_sequence,
            mark_next: claim.last_name_ms.is_some(),
            failures_in_a_row: 0,
            in_doubt: None,
            given_up: false,
            stored: Stored::default(),
        }
    }

    /// Commits until the pump has closed its last fragment.
    pub(super) async fn run(mut self, mut waiting: mpsc::Receiver<Closed>) -> Stored {
        while let Some(closed) = waiting.recv().await {
            self.take(closed).await;
        }
        self.stored
    }

    async fn take(&mut self, closed: Closed) {
        // A fragment that is lost has had its number: the gap shows that something is missing.
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let deps = self.deps;
        let (from, cut) = (deps.clock.monotonic(), closed.ended);
        let result = if self.given_up {
            Err(StoreError::Unavailable("given up".into()))
        } else {
            let store = timeout(&*deps.clock, limits::STORE_STALL, self.store(closed, sequence));
            store.await.unwrap_or_else(|_| {
                self.give_up();
                Err(StoreError::Unavailable("a commit stalled".into()))
            })
        };
        match result {
            Ok(bytes) => {
                self.stored.fragments += 1;
                self.failures_in_a_row = 0;
                self.mark_next = false;
                metrics::counter!("livebucket_fragments_total").increment(1);
                metrics::counter!("livebucket_fragment_bytes_total").increment(bytes);
                metrics::histogram!("livebucket_fragment_commit_seconds")
                    .record((deps.clock.monotonic() - from).as_secs_f64());
                // From the read that delivered the cutting unit to the playlist's visibility, whatever waited in between.
                let visible_ms = u32::try_from(deps.clock.wall().0 - cut.0).unwrap_or(0);
                metrics::histogram!("livebucket_fragment_visible_seconds").record(f64::from(visible_ms) / 1e3);
            }
            Err(error) => self.lost(sequence, &error),
        }
    }

    fn lost(&mut self, sequence: u64, error: &StoreError) {
        self.stored.fragments_lost += 1;
        self.failures_in_a_row += 1;
        self.mark_next = true;
        metrics::counter!("livebucket_fragments_lost_total").increment(1);
        tracing::error!(channel = %self.shared.channel, connection = %self.shared.connection, sequence, %error, "fragment lost");
        if self.failures_in_a_row >= limits::FAILED_FRAGMENTS_MAX || *error == StoreError::StaleEpoch {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.given_up = true;
        self.shared.request_end(TerminationCause::StorageError);
    }

    /// Bytes durable, then one commit that shows the fragment and the playlist that names it. Returns its size.
    async fn store(&mut self, closed: Closed, sequence: u64) -> Result<u64> {
        let body = closed.writer?.finish().await?;
        self.settle_doubt(sequence).await?;
        let mut name_ms = self.last_name_ms.map_or(closed.started.0, |last| closed.started.0.max(last + 1));
        for _ in 0..limits::NAME_STEPS_MAX {
            let fragment = FragmentRecord {
                name_ms,
                sequence,
                duration: closed.duration,
                discontinuity: closed.discontinuity || self.mark_next,
            };
            // Only a commit moves the window on: a fragment that is lost leaves no trace in the playlist.
            let mut window = self.window.clone();
            let FragmentRecord { duration, discontinuity, .. } = fragment;
            window.push(WindowEntry { name_ms, duration, discontinuity });
            let commit = FragmentCommit {
                bucket: self.shared.bucket,
                channel: self.shared.channel.clone(),
                epoch: self.epoch,
                connection: self.shared.connection,
                fragment,
                object: self.object(&format!("{name_ms}.ts"), fragment_headers(), &body),
                playlist: self.playlist(&window).await?,
                playlist_name: self.playlist_name.clone(),
                window: window.record(),
                ended: closed.ended.max(self.started),
            };
            // Used from here on, whatever comes of it: a commit whose answer is lost may have happened.
            self.last_name_ms = Some(name_ms);
            match self.commit(commit).await {
                Ok(()) => {
                    self.window = window;
                    let bytes = body.size;
                    body.committed();
                    return Ok(bytes);
                }
                Err(StoreError::AlreadyExists(What::Object)) => name_ms += 1,
                Err(error) => {
                    if matches!(error, StoreError::Unavailable(_) | StoreError::Corrupt(_)) {
                        self.in_doubt = Some(InDoubt { name_ms, sequence, window });
                    }
                    return Err(error);
                }
            }
        }
        Err(StoreError::AlreadyExists(What::Object))
    }

    /// Finds out whether the last commit without an answer has happened, before `sequence` is committed. Its fragment taken
    /// for lost, viewers of its playlist would see the next one give its media sequence number to another fragment.
    async fn settle_doubt(&mut self, sequence: u64) -> Result<()> {
        let Some(doubt) = &self.in_doubt else { return Ok(()) };
        let last = self.deps.meta.last_fragment(self.shared.bucket, &self.shared.channel).await?;
        let has_happened = last == Some((doubt.name_ms, doubt.sequence));
        if let Some(doubt) = self.in_doubt.take_if(|_| has_happened) {
            tracing::warn!(channel = %self.shared.channel, sequence = doubt.sequence, "a fragment was stored after all");
            self.window = doubt.window;
            // Marked only if others were lost behind it.
            self.mark_next = doubt.sequence + 1 != sequence;
            self.stored.fragments += 1;
            self.stored.fragments_lost -= 1;
        }
        self.in_doubt = None;
        Ok(())
    }

    /// Asks once more when there is no answer. The store knows a commit that it has made already.
    async fn commit(&self, commit: FragmentCommit) -> Result<()> {
        let again = commit.clone();
        match self.deps.meta.commit_fragment(commit, self.deps.clock.wall()).await {
            Err(error @ (StoreError::Unavailable(_) | StoreError::Full)) => {
                tracing::warn!(channel = %self.shared.channel, %error, "a fragment's commit is tried again");
                self.deps.meta.commit_fragment(again, self.deps.clock.wall()).await
            }
            answer => answer,
        }
    }

    async fn playlist(&self, window: &Window) -> Result<ObjectRecord> {
        let mut writer = self.deps.objects.writer(Digests::Md5AndCrc64);
        writer.write(Bytes::from(window.playlist().render())).await?;
        let body = writer.finish().await?;
        Ok(self.object(&self.playlist_name, playlist_headers(), &body))
    }

    fn object(&self, name: &str, headers: ContentHeaders, body: &StoredBody) -> ObjectRecord {
        ObjectRecord {
            bucket: self.shared.bucket,
            key: ObjectKey::in_channel(&self.shared.channel, name),
            kind: ObjectKind::Normal,
            size: body.size,
            etag: body.etag,
            crc64: body.crc64,
            content_md5: body.md5,
            last_modified: self.deps.clock.wall(),
            acl: None,
            headers,
            user_metadata: Vec::new(),
            tags: Vec::new(),
            storage_class: StorageClass::default(),
            attributes: ObjectAttributes::default(),
            version: None,
            extents: body.extents.clone(),
        }
    }
}

fn fragment_headers() -> ContentHeaders {
    ContentHeaders { content_type: Some(Bytes::from_static(b"video/mp2t")), ..ContentHeaders::default() }
}

fn playlist_headers() -> ContentHeaders {
    ContentHeaders {
        content_type: Some(Bytes::from_static(b"application/x-mpegURL")),
        // A playlist that a cache keeps stops the player.
        cache_control: Some(Bytes::from_static(b"no-cache")),
        ..ContentHeaders::default()
    }
}
