//! One socket that speaks HTTP/1.1 (RFC 9112): its deadlines, its graceful end, and the service behind it.
//!
//! Knows no operation and no document. A socket is in one of three phases, and each has its own patience: waiting for
//! a request, reading a head, serving. While it serves, bodies watch their own progress; here only a reader who takes
//! nothing is noticed.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::body::ResponseBody;
use crate::clock::{Clock, Monotonic, Sleep, timeout};
use crate::limits;
use crate::task::Stop;

/// What a socket is doing, shared between its reader and the requests it carries.
#[derive(Clone, Debug)]
pub(super) struct Phase(Arc<PhaseState>);

#[derive(Debug)]
struct PhaseState {
    now: AtomicU8,
    /// A request was answered while its body was still coming.
    left_unread: AtomicBool,
    /// Requests that the socket has carried, the present one among them.
    requests: AtomicU32,
}

impl Phase {
    const IDLE: u8 = 0;
    const HEAD: u8 = 1;
    const BUSY: u8 = 2;

    /// A socket of which the door has seen a first byte.
    fn new() -> Self {
        Phase(Arc::new(PhaseState {
            now: AtomicU8::new(Self::HEAD),
            left_unread: AtomicBool::new(false),
            requests: AtomicU32::new(0),
        }))
    }

    /// A head is complete; the request is served until the guard is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.set(Self::BUSY);
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// The socket has carried as many requests as it may, and ends behind the present one.
    pub(super) fn is_last(&self) -> bool {
        self.0.requests.load(Ordering::Relaxed) >= limits::HTTP_REQUESTS_PER_SOCKET_MAX
    }

    /// The present request's body was not read to its end: the socket ends after the answer, and not abruptly.
    pub(super) fn leave_unread(&self) {
        self.0.left_unread.store(true, Ordering::Relaxed);
    }

    fn set(&self, phase: u8) {
        self.0.now.store(phase, Ordering::Relaxed);
    }

    fn is(&self, phase: u8) -> bool {
        self.0.now.load(Ordering::Relaxed) == phase
    }
}

/// Held while a request is served, response body included.
#[derive(Debug)]
pub(super) struct Busy(Phase);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set(Phase::IDLE);
    }
}

/// A request that is being answered.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, Infallible>> + Send>>;

/// Makes the whole answer to a head that could not be read or did not end in time, status line to body.
pub(super) type Refusal = Box<dyn Fn(StatusCode) -> Bytes + Send + Sync>;

/// Serves one socket until it ends, breaks a deadline, or `stop` is pulled: then a request in flight is finished, an
/// idle socket closed at once. Without a `refusal`, a head that cannot be read gets a bare status.
pub(super) async fn drive<T, S>(
    stream: T,
    clock: Arc<dyn Clock>,
    stop: Stop,
    service: S,
    refusal: Option<Refusal>,
) -> hyper::Result<()>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Fn(Request<Incoming>, Phase) -> Answering + Unpin,
{
    let phase = Phase::new();
    let socket = TimedSocket::new(stream, Arc::clone(&clock), phase.clone(), refusal);
    let of_service = phase.clone();
    let service = service_fn(move |request| {
        // Boxed, because taking the socket back for a lingering close needs a future that can be moved. It is large, so it
        // comes boxed and is not moved here.
        service(request, of_service.clone())
    });
    let mut connection = http1::Builder::new()
        .header_read_timeout(None) // `TimedSocket` does it, on our clock
        .half_close(true) // who has said everything still gets the answer
        .max_header_size(limits::HTTP_HEAD_BYTES_MAX)
        .max_buf_size(limits::HTTP_READ_BUFFER_MAX)
        .serve_connection(TokioIo::new(socket), service);

    let mut grace: Option<Sleep> = None;
    let result = loop {
        tokio::select! {
            biased;
            result = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break result,
            () = stop.pulled(), if grace.is_none() => {
                // Closes an idle socket at once; a request in flight is finished and its response says `close`.
                Pin::new(&mut connection).graceful_shutdown();
                grace = Some(clock.sleep(limits::HTTP_STOP_GRACE));
            }
            () = elapsed(&mut grace), if grace.is_some() => {
                if !phase.is(Phase::BUSY) {
                    return Ok(());
                }
                grace = Some(clock.sleep(limits::HTTP_STOP_GRACE));
            }
        }
    };
    // A head that could not be read was answered as well, and whatever the client sent behind it is unread.
    let unread = phase.0.left_unread.load(Ordering::Relaxed) || result.as_ref().is_err_and(hyper::Error::is_parse);
    let mut socket = connection.into_parts().io.into_inner();
    let unread = unread || !socket.refusing.is_empty();
    if result.is_ok() || unread {
        // However the end goes, the socket is dropped.
        let _ = socket.shutdown().await;
        if unread {
            linger(socket, clock.as_ref()).await;
        }
    }
    result
}

async fn elapsed(sleep: &mut Option<Sleep>) {
    match sleep {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}

/// Reads what the client is still sending, so that it gets the answer it did not wait for and not a reset (RFC 9112, 9.6).
async fn linger<T: AsyncRead + AsyncWrite + Unpin>(mut socket: TimedSocket<T>, clock: &dyn Clock) {
    let drain = async {
        let mut scrap = [0u8; 4096];
        let mut left = limits::HTTP_DRAIN_BYTES_MAX;
        while !socket.ended && left > 0 {
            let n = socket.read(&mut scrap).await?;
            left = left.saturating_sub(n as u64);
        }
        io::Result::Ok(())
    };
    let _ = timeout(clock, limits::HTTP_DRAIN_TIMEOUT, pin!(drain)).await;
}

/// A stream whose reads and writes fail with `TimedOut` when the phase's patience is over.
struct TimedSocket<T> {
    stream: T,
    clock: Arc<dyn Clock>,
    phase: Phase,
    /// When the present phase began, as far as a read has waited in it.
    waits_since: Option<(u8, Monotonic)>,
    /// A timer that runs no longer than the present deadline, and until when. It is not stopped when a phase ends: most phases
    /// end long before it, and it is cheaper to let it find that out.
    read_timer: Option<(Monotonic, Sleep)>,
    write_deadline: Option<Sleep>,
    /// The client has closed its side.
    ended: bool,
    /// Everything that was written has been flushed.
    flushed: bool,
    refusal: Option<Refusal>,
    /// What is left of a refusal that goes out in place of hyper's.
    refusing: Bytes,
}

impl<T> TimedSocket<T> {
    fn new(stream: T, clock: Arc<dyn Clock>, phase: Phase, refusal: Option<Refusal>) -> Self {
        TimedSocket {
            stream,
            clock,
            phase,
            waits_since: None,
            read_timer: None,
            write_deadline: None,
            ended: false,
            flushed: true,
            refusal,
            refusing: Bytes::new(),
        }
    }

    /// hyper answers a head that it cannot parse by itself, with a bare status. That answer is recognised by its place:
    /// nothing else begins while a head is being read and the answer before is out. In its stead goes our own.
    /// (Garbage right behind a request, in one piece with it, is not told apart and gets the bare status.)
    fn takes_over(&mut self, written: &[u8]) -> bool {
        let begins = std::mem::replace(&mut self.flushed, false) && self.phase.is(Phase::HEAD);
        let status = written.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
        let status = status.and_then(|digits| StatusCode::from_bytes(digits).ok());
        match (status, &self.refusal) {
            (Some(status), Some(refusal)) if begins => {
                self.refusing = refusal(status);
                true
            }
            _ => false,
        }
    }

    /// Pending, or the error that ends the socket. Registers for the deadline of the present phase.
    fn poll_read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let phase = self.phase.0.now.load(Ordering::Relaxed);
        let patience = match phase {
            Phase::IDLE => limits::HTTP_IDLE_TIMEOUT,
            Phase::HEAD => limits::HTTP_HEAD_TIMEOUT,
            _ => {
                self.waits_since = None;
                return Poll::Pending;
            }
        };
        let now = self.clock.monotonic();
        let since = match self.waits_since {
            Some((of, since)) if of == phase => since,
            _ => now,
        };
        self.waits_since = Some((phase, since));
        let deadline = since + patience;
        if self.read_timer.as_ref().is_none_or(|(until, _)| *until > deadline) {
            self.read_timer = Some((deadline, self.clock.sleep_until(deadline)));
        }
        loop {
            let (until, timer) = self.read_timer.as_mut().expect("set above");
            ready!(timer.as_mut().poll(cx));
            if *until >= deadline {
                break;
            }
            // It was an earlier phase's.
            self.read_timer = Some((deadline, self.clock.sleep_until(deadline)));
        }
        self.read_timer = None;
        // Who began a request is told why it ends; an idle socket is only closed.
        if let (Phase::HEAD, true, Some(refusal)) = (phase, self.flushed, &self.refusal) {
            self.refusing = refusal(StatusCode::REQUEST_TIMEOUT);
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no request within the deadline")))
    }

    /// Watches a write: `progress` is what the stream said.
    fn poll_write_deadline<R>(&mut self, cx: &mut Context<'_>, progress: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if progress.is_ready() {
            self.write_deadline = None;
            return progress;
        }
        let clock = &self.clock;
        let sleep = self.write_deadline.get_or_insert_with(|| clock.sleep(limits::HTTP_WRITE_STALL));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes no bytes")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TimedSocket<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                this.ended = buf.filled().len() == before;
                if this.phase.is(Phase::IDLE) {
                    // The first bytes of a head: from here on its own, fixed deadline runs.
                    this.phase.set(Phase::HEAD);
                    this.waits_since = None;
                } else if this.phase.is(Phase::HEAD)
                    && !this.ended
                    && let Poll::Ready(Err(late)) = this.poll_read_deadline(cx)
                {
                    return Poll::Ready(Err(late));
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.poll_read_deadline(cx),
        }
    }
}

impl<T: AsyncWrite + Unpin> TimedSocket<T> {
    /// Ready once no refusal waits.
    fn poll_refuse(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.refusing.is_empty() {
            let progress = Pin::new(&mut self.stream).poll_write(cx, &self.refusing);
            match ready!(self.poll_write_deadline(cx, progress))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.refusing.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TimedSocket<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.takes_over(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        let progress = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.poll_write_deadline(cx, progress)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.takes_over(bufs.first().map_or(&[], |buf| &**buf)) {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let progress = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.poll_write_deadline(cx, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refuse(cx))?;
        let progress = Pin::new(&mut self.stream).poll_flush(cx);
        let progress = self.poll_write_deadline(cx, progress);
        self.flushed |= matches!(progress, Poll::Ready(Ok(())));
        progress
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refuse(cx))?;
        let progress = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.poll_write_deadline(cx, progress)
    }
}
