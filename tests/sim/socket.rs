//! A socket in memory with a window, resets and merged reads, as the kernel has them.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use livebucket::net::merge::MergedRead;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes on their way in one direction.
#[derive(Debug, Default)]
struct Lane {
    bytes: BytesMut,
    window: usize,
    low_water: usize,
    /// The writer has ended it; what is there is still read.
    closed: bool,
    /// Broken: nothing is read or written any more.
    reset: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Bytes read in all.
    taken: u64,
}

impl Lane {
    /// Whether the kernel would report it.
    fn is_reported(&self) -> bool {
        let full = self.bytes.len() >= self.window / 2;
        self.reset || self.closed || (!self.bytes.is_empty() && (full || self.bytes.len() >= self.low_water))
    }

    fn wake(&mut self) {
        if self.is_reported()
            && let Some(reader) = self.reader.take()
        {
            reader.wake();
        }
        if (self.reset || self.closed || self.bytes.len() < self.window)
            && let Some(writer) = self.writer.take()
        {
            writer.wake();
        }
    }

    fn take(&mut self, count: usize) -> BytesMut {
        let taken = self.bytes.split_to(count.min(self.bytes.len()));
        self.taken += taken.len() as u64;
        self.wake();
        taken
    }
}

#[derive(Clone, Debug)]
struct Wire(Arc<Mutex<Lane>>);

impl Wire {
    fn new(window: usize) -> Wire {
        Wire(Arc::new(Mutex::new(Lane { window, low_water: 1, ..Lane::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, Lane> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn reset(&self) {
        let mut lane = self.lock();
        lane.reset = true;
        lane.bytes.clear();
        lane.wake();
    }

    fn close(&self) {
        let mut lane = self.lock();
        lane.closed = true;
        lane.wake();
    }
}

/// One end of a socket.
#[derive(Debug)]
pub struct End {
    inward: Wire,
    outward: Wire,
}

/// Both ends, with so many bytes of window in each direction.
pub fn pair(window: usize) -> (End, End) {
    let (a, b) = (Wire::new(window), Wire::new(window));
    (End { inward: a.clone(), outward: b.clone() }, End { inward: b, outward: a })
}

impl End {
    /// Both directions break at once.
    pub fn reset(&self) {
        self.inward.reset();
        self.outward.reset();
    }

    /// A look at how many bytes this end's peer has read, which outlives the socket.
    pub fn meter(&self) -> Meter {
        Meter(self.outward.clone())
    }

    /// What has arrived; empty when nothing has. `None` at the end.
    pub fn arrived(&self) -> Option<BytesMut> {
        let mut lane = self.inward.lock();
        if lane.reset || (lane.closed && lane.bytes.is_empty()) {
            return None;
        }
        Some(lane.take(usize::MAX))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // Whoever still writes to it is told so; what was written by it is still read.
        self.inward.reset();
        self.outward.close();
    }
}

/// Counts what the far end has read.
#[derive(Clone, Debug)]
pub struct Meter(Wire);

impl Meter {
    pub fn taken(&self) -> u64 {
        self.0.lock().taken
    }

    pub fn has_ended(&self) -> bool {
        let lane = self.0.lock();
        lane.reset || lane.closed
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut lane = self.inward.lock();
        if lane.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if !lane.is_reported() {
            lane.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let bytes = lane.take(buffer.remaining());
        buffer.put_slice(bytes.chunk());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut lane = self.outward.lock();
        if lane.reset || lane.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = lane.window.saturating_sub(lane.bytes.len());
        if room == 0 {
            lane.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = room.min(bytes.len());
        lane.bytes.extend_from_slice(&bytes[..count]);
        lane.wake();
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outward.close();
        Poll::Ready(Ok(()))
    }
}

impl MergedRead for End {
    fn set_low_water(&mut self, bytes: usize) -> bool {
        let mut lane = self.inward.lock();
        lane.low_water = bytes;
        lane.wake();
        true
    }

    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut lane = self.inward.lock();
        if lane.reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if lane.bytes.is_empty() && !lane.closed {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes = lane.take(buffer.len());
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}
