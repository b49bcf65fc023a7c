//! Reads that are merged: a stream that is asked to keep silent about little, and read when its reader pleases.
//!
//! At a few Mbit/s a publisher costs what its wake-ups and system calls cost: some seventy small messages a second, each an
//! interrupt of everything else. A TCP socket is therefore told to report itself only when much has arrived
//! (`SO_RCVLOWAT`), and its reader comes by on its own, a few times a second, to take what there is. Linux reports all the
//! same, at once, what must not wait: the end of the stream, an error, and a receive window that is nearly full, so that a
//! fast sender is never held up by a reader that rests.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A stream whose reads can be merged.
pub trait MergedRead: AsyncRead + AsyncWrite + Unpin {
    /// Says how many bytes must wait before the stream reports that it can be read; 1 is what every stream begins with.
    /// `false`: it reports every byte, whatever is asked (TLS, which reads its socket itself), and so needs no
    /// [`MergedRead::read_arrived`].
    fn set_low_water(&mut self, bytes: usize) -> bool;

    /// Reads what has arrived, reported or not. `WouldBlock` when nothing has; 0 at the end of the stream.
    fn read_arrived(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

/// See [`MergedRead::set_low_water`].
pub(super) fn set_low_water(socket: &TcpStream, bytes: usize) -> bool {
    match set_receive_low_water(socket, bytes) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(%error, "SO_RCVLOWAT refused");
            false
        }
    }
}

/// See [`MergedRead::read_arrived`]. Past the reactor, which knows only of what was reported.
pub(super) fn read_arrived(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    // The runtime has set every socket non-blocking, so this never waits.
    Ok(rustix::io::retry_on_intr(|| rustix::io::read(socket, &mut *buffer))?)
}

#[allow(unsafe_code, reason = "no safe wrapper knows this option")]
fn set_receive_low_water(socket: &TcpStream, bytes: usize) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let value = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the option's value is a C int, which lives through the
    // call and whose size is what is passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            std::ptr::from_ref(&value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A stream in memory reports every byte: tests and fuzzers speak through it.
impl MergedRead for tokio::io::DuplexStream {
    fn set_low_water(&mut self, _bytes: usize) -> bool {
        false
    }

    fn read_arrived(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::task::Poll;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::net::listen::DoorStream;

    async fn pair() -> (DoorStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        #[allow(clippy::disallowed_methods, reason = "the test is the far end")]
        let far = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("listening");
        let (near, peer) = listener.accept().await.expect("connected");
        (DoorStream::plain(near, peer), far)
    }

    /// What arrives on its own, without any report.
    async fn arrived(near: &mut DoorStream) -> Vec<u8> {
        let mut buffer = [0; 64];
        loop {
            match near.read_arrived(&mut buffer) {
                Ok(length) => return buffer[..length].to_vec(),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            tokio::task::yield_now().await;
        }
    }

    async fn is_reported(near: &mut DoorStream) -> bool {
        let mut buffer = [0; 1];
        let mut read = tokio::io::ReadBuf::new(&mut buffer);
        poll_fn(|cx| Poll::Ready(Pin::new(&mut *near).poll_read(cx, &mut read).is_ready())).await
    }

    #[tokio::test]
    async fn little_is_not_reported_and_can_be_read_all_the_same() {
        let (mut near, mut far) = pair().await;
        assert!(near.set_low_water(64 * 1024));
        far.write_all(b"little").await.expect("open");
        assert_eq!(arrived(&mut near).await, b"little");
        far.write_all(b"more").await.expect("open");
        // It is there, since the next message is: and still there is nothing to poll for.
        assert_eq!(arrived(&mut near).await, b"more");
        assert!(!is_reported(&mut near).await);
        assert!(near.set_low_water(1));
        far.write_all(b"said").await.expect("open");
        let mut said = [0; 4];
        near.read_exact(&mut said).await.expect("reported again");
    }

    #[tokio::test]
    async fn much_and_the_end_are_reported_at_once() {
        let (mut near, mut far) = pair().await;
        assert!(near.set_low_water(64 * 1024));
        let writer = async {
            far.write_all(&[7; 1024 * 1024]).await.expect("read by the other end");
            far.shutdown().await.expect("open");
        };
        let reader = async {
            let (mut total, mut buffer) = (0, vec![0; 64 * 1024]);
            loop {
                match near.read(&mut buffer).await.expect("a stream") {
                    0 => return total,
                    length => total += length,
                }
            }
        };
        assert_eq!(tokio::join!(writer, reader).1, 1024 * 1024);
    }
}
