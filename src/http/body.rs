//! Bodies of requests and responses: piece by piece, with back-pressure both ways, never whole in memory.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::form::{FormFault, PostedForm};
use super::pace::{Pace, TrafficLimit};
use crate::clock::{Clock, Monotonic, Sleep, timeout};
use crate::limits;
use crate::store::StoreError;
use crate::store::objects::ObjectBody;

/// Why a request body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// No byte came for [`limits::HTTP_BODY_STALL`], or too few in [`limits::HTTP_BODY_WINDOW`].
    #[error("request body stalled")]
    Stalled,
    /// The client closed, or broke the framing.
    #[error("request body ended early")]
    Incomplete,
    /// More than the operation takes.
    #[error("request body is too large")]
    TooLarge,
}

/// What a head promises of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promised {
    /// Neither `Content-Length` nor `Transfer-Encoding`.
    Nothing,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// A request's body. Not a byte of it is asked for before the first [`RequestBody::next`], and only then does a client
/// that sent `Expect: 100-continue` hear that it may go on: refuse first, read later.
pub(crate) struct RequestBody {
    incoming: Incoming,
    clock: Arc<dyn Clock>,
    promised: Promised,
    expects_continue: bool,
    asked: bool,
    ended: bool,
    received: u64,
    /// Holds the transfer back, and until when.
    pace: Option<Pace>,
    not_before: Option<Monotonic>,
    /// The fields of a browser form, which had to be read to know whose dialect it speaks.
    form: Option<Result<Box<PostedForm>, FormFault>>,
    /// Time spent waiting for the client in the present window; our own slowness does not count against it.
    waited: Duration,
    /// `received` when that window began.
    window_began: u64,
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, head: &Parts, clock: Arc<dyn Clock>) -> Self {
        let length = head.headers.get(http::header::CONTENT_LENGTH);
        let length = length.and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
        let promised = match length {
            _ if head.headers.contains_key(http::header::TRANSFER_ENCODING) => Promised::Chunked,
            Some(length) => Promised::Length(length),
            None => Promised::Nothing,
        };
        let expect = head.headers.get(http::header::EXPECT);
        let expects_continue = expect.is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let ended = incoming.is_end_stream();
        RequestBody {
            incoming,
            clock,
            promised,
            expects_continue,
            asked: false,
            ended,
            received: 0,
            pace: None,
            not_before: None,
            form: None,
            waited: Duration::ZERO,
            window_began: 0,
        }
    }

    /// What the head promised.
    pub(crate) fn promised(&self) -> Promised {
        self.promised
    }

    /// Bytes taken so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Whether the answer comes without the `100 Continue` that the client waits for, because the body was never asked for
    /// or there is none to ask for.
    pub(super) fn skips_continue(&self) -> bool {
        self.expects_continue && (!self.asked || self.promised == Promised::Length(0))
    }

    /// Takes the body no faster than that from here on.
    pub(super) fn hold_back(&mut self, limit: TrafficLimit) {
        self.pace = Some(Pace::new(Arc::clone(&self.clock), limit));
    }

    /// Reads the fields of a browser form.
    pub(super) async fn read_form(&mut self, head: &Parts) {
        self.form = Some(PostedForm::read(head, self).await.map(Box::new));
    }

    /// The form whose fields were read.
    pub(super) fn form(&self) -> Option<&Result<Box<PostedForm>, FormFault>> {
        self.form.as_ref()
    }

    /// The form, its file still to be read from here.
    pub(super) fn take_form(&mut self) -> Option<Result<Box<PostedForm>, FormFault>> {
        self.form.take()
    }

    /// The next piece, never empty; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        self.asked = true;
        // Our own pause, not the client's: the deadlines of its progress do not run meanwhile.
        if let Some(until) = self.not_before.take() {
            self.clock.sleep_until(until).await;
        }
        while !self.ended {
            let mut frame = self.incoming.frame();
            let frame = match futures_util::poll!(&mut frame) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let began = self.clock.monotonic();
                    let patience = limits::HTTP_BODY_STALL.min(limits::HTTP_BODY_WINDOW.saturating_sub(self.waited));
                    let frame = timeout(&*self.clock, patience, frame).await.map_err(|_| BodyError::Stalled)?;
                    self.waited += self.clock.monotonic() - began;
                    frame
                }
            };
            match frame {
                None => self.ended = true,
                Some(Err(_)) => return Err(BodyError::Incomplete),
                // Trailers carry nothing that OSS knows of.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        self.received += data.len() as u64;
                        if self.received - self.window_began >= limits::HTTP_BODY_WINDOW_BYTES_MIN {
                            (self.waited, self.window_began) = (Duration::ZERO, self.received);
                        }
                        self.not_before = self.pace.as_mut().map(|pace| pace.pay(data.len() as u64));
                        return Ok(Some(data));
                    }
                    _ => {}
                },
            }
        }
        Ok(None)
    }

    /// The whole body, when it has at most `bytes_max`.
    pub(crate) async fn read_all(&mut self, bytes_max: usize) -> Result<Bytes, BodyError> {
        if matches!(self.promised, Promised::Length(length) if length > bytes_max as u64) {
            return Err(BodyError::TooLarge);
        }
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await? {
            if whole.len() + piece.len() > bytes_max {
                return Err(BodyError::TooLarge);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// Whether nothing is left to read.
    pub(super) fn is_at_end(&self) -> bool {
        self.ended
    }

    /// Throws away what is left, within bounds. Says whether the end was reached, so that the socket can carry another
    /// request. A client that still waits for `100 Continue` is not asked for the body just to drop it.
    pub(super) async fn drain(&mut self) -> bool {
        if self.ended {
            return true;
        }
        (self.pace, self.not_before) = (None, None);
        if self.skips_continue() {
            return false;
        }
        if matches!(self.promised, Promised::Length(l) if l - self.received.min(l) > limits::HTTP_DRAIN_BYTES_MAX) {
            return false;
        }
        let clock = Arc::clone(&self.clock);
        let limit = self.received + limits::HTTP_DRAIN_BYTES_MAX;
        let rest = async {
            while self.received < limit {
                match self.next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return true,
                    Err(_) => return false,
                }
            }
            false
        };
        timeout(&*clock, limits::HTTP_DRAIN_TIMEOUT, rest).await.unwrap_or(false)
    }
}

/// Where a [`LentBody`] comes back to, with what became of it.
#[derive(Clone, Default)]
pub(crate) struct BodySlot(Arc<Mutex<Returned>>);

#[derive(Default)]
struct Returned {
    body: Option<RequestBody>,
    error: Option<BodyError>,
}

impl BodySlot {
    /// The body, once its borrower has dropped it. `None` when it was dropped while it waited for a piece: then nobody
    /// knows how far it was read.
    pub(crate) fn take(&self) -> Option<RequestBody> {
        self.lock().body.take()
    }

    /// Why the body ended before its end, if it did.
    pub(crate) fn error(&self) -> Option<BodyError> {
        self.lock().error
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Returned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type NextPiece = Pin<Box<dyn Future<Output = (RequestBody, Result<Option<Bytes>, BodyError>)> + Send>>;

/// A request body handed to a library that wants to own a stream. Dropped, it goes back to its slot, so that what was
/// left unread can still be drained.
pub(crate) struct LentBody {
    body: Option<RequestBody>,
    waiting: Option<NextPiece>,
    slot: BodySlot,
}

impl LentBody {
    /// Lends `body`.
    pub(crate) fn new(body: RequestBody) -> (Self, BodySlot) {
        let slot = BodySlot::default();
        (LentBody { body: Some(body), waiting: None, slot: slot.clone() }, slot)
    }
}

impl Body for LentBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut waiting = match (this.waiting.take(), this.body.take()) {
            (Some(waiting), _) => waiting,
            (None, Some(mut body)) => Box::pin(async move {
                let piece = body.next().await;
                (body, piece)
            }),
            (None, None) => return Poll::Ready(None),
        };
        let Poll::Ready((body, piece)) = waiting.as_mut().poll(cx) else {
            this.waiting = Some(waiting);
            return Poll::Pending;
        };
        this.body = Some(body);
        if let Err(error) = &piece {
            this.slot.lock().error = Some(*error);
        }
        Poll::Ready(piece.transpose().map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.ended)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) if body.ended => SizeHint::with_exact(0),
            Some(RequestBody { promised: Promised::Length(length), received, .. }) => {
                SizeHint::with_exact(length - received.min(length))
            }
            _ => SizeHint::default(),
        }
    }
}

impl Drop for LentBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            self.slot.lock().body = Some(body);
        }
    }
}

/// What a response carries.
pub(crate) enum Content {
    /// Nothing.
    Empty,
    /// Bytes in memory: documents and playlists.
    Bytes(Bytes),
    /// An object's body or a range of it.
    Object {
        /// The first piece: read before the head is sent, so that a body that cannot be read is still an error document.
        first: Bytes,
        /// What follows it.
        rest: Box<ObjectBody>,
        /// Bytes of all.
        length: u64,
    },
    /// Content that is held back.
    Paced(Box<Content>, Pace),
}

impl Content {
    /// Whether it is an object's.
    pub(super) fn is_of_object(&self) -> bool {
        matches!(self, Content::Object { .. })
    }

    /// Bytes of it.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Content::Empty => 0,
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Object { length, .. } => *length,
            Content::Paced(content, _) => content.length(),
        }
    }

    /// The same, handed out no faster than that.
    pub(super) fn held_back(self, limit: TrafficLimit, clock: &Arc<dyn Clock>) -> Self {
        let limit = limit.for_answer_of(self.length());
        Content::Paced(Box::new(self), Pace::new(Arc::clone(clock), limit))
    }
}

/// Something that lives as long as a response body and hears how many bytes of it were handed to the socket.
pub(super) trait Witness: Send {
    /// Called as the body moves on.
    fn sent(&mut self, bytes: u64);
    /// The store failed in mid-body; the socket will be closed.
    fn failed(&mut self, error: &StoreError);
}

type Fetch = Pin<Box<dyn Future<Output = (Box<ObjectBody>, Result<Option<Bytes>, StoreError>)> + Send>>;

enum Source {
    Done,
    Bytes(Bytes),
    Begun(Bytes, Box<ObjectBody>),
    Object(Box<ObjectBody>),
    Fetching(Fetch),
}

/// A response body: of exactly the promised length, or an error that closes the socket.
pub(super) struct ResponseBody {
    source: Source,
    left: u64,
    witness: Option<Box<dyn Witness>>,
    paced: Option<Paced>,
}

/// What holds a response body back.
struct Paced {
    pace: Pace,
    /// Runs until the next bytes may go.
    pause: Option<Sleep>,
    /// Of the present piece, what has not gone.
    rest: Bytes,
}

impl ResponseBody {
    pub(super) fn new(content: Content, witness: Option<Box<dyn Witness>>) -> Self {
        let left = content.length();
        let (content, paced) = match content {
            Content::Paced(content, pace) => (*content, Some(Paced { pace, pause: None, rest: Bytes::new() })),
            content => (content, None),
        };
        let source = match content {
            Content::Bytes(bytes) if !bytes.is_empty() => Source::Bytes(bytes),
            // The usual small object: nothing is left to ask for.
            Content::Object { first, length: 1.., .. } if first.len() as u64 == left => Source::Bytes(first),
            Content::Object { first, rest, length: 1.. } => Source::Begun(first, rest),
            _ => Source::Done,
        };
        ResponseBody { source, left, witness, paced }
    }

    fn hand_out(&mut self, mut piece: Bytes) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        if let Some(paced) = &mut self.paced {
            let now = paced.pace.split(&mut piece);
            paced.rest = std::mem::replace(&mut piece, now);
            let until = paced.pace.pay(piece.len() as u64);
            paced.pause = Some(paced.pace.clock().sleep_until(until));
        }
        let length = piece.len() as u64;
        if length > self.left {
            return self.fail(StoreError::Corrupt("an object's body is longer than its record says".to_owned()));
        }
        self.left -= length;
        if let Some(witness) = &mut self.witness {
            witness.sent(length);
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn fail(&mut self, error: StoreError) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        self.source = Source::Done;
        if let Some(witness) = &mut self.witness {
            witness.failed(&error);
        }
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = StoreError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        let this = &mut *self;
        if let Some(paced) = &mut this.paced {
            if let Some(pause) = &mut paced.pause {
                ready!(pause.as_mut().poll(cx));
                paced.pause = None;
            }
            if !paced.rest.is_empty() {
                let rest = std::mem::take(&mut paced.rest);
                return this.hand_out(rest);
            }
        }
        loop {
            match std::mem::replace(&mut this.source, Source::Done) {
                Source::Done => return Poll::Ready(None),
                Source::Bytes(bytes) => return this.hand_out(bytes),
                Source::Begun(first, rest) => {
                    this.source = Source::Object(rest);
                    return this.hand_out(first);
                }
                Source::Object(mut body) => {
                    this.source = Source::Fetching(Box::pin(async move {
                        let piece = body.next().await;
                        (body, piece)
                    }));
                }
                Source::Fetching(mut fetch) => {
                    let Poll::Ready((body, piece)) = fetch.as_mut().poll(cx) else {
                        this.source = Source::Fetching(fetch);
                        return Poll::Pending;
                    };
                    return match piece {
                        Ok(Some(piece)) => {
                            this.source = Source::Object(body);
                            this.hand_out(piece)
                        }
                        Ok(None) if this.left == 0 => Poll::Ready(None),
                        Ok(None) => this.fail(StoreError::Corrupt("an object's body is too short".to_owned())),
                        Err(error) => this.fail(error),
                    };
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Done) && self.paced.as_ref().is_none_or(|paced| paced.rest.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
