//! The buffers that pieces of fragments are made in.
//!
//! All publishers share them: a buffer that has been written to its file is the next to be filled, while the processor's
//! caches still hold it. Buffers of their own would, at ten pieces a second, be cold each time that they are filled and cold
//! again when they are written.

use std::sync::Mutex;

use bytes::{Bytes, BytesMut};

use crate::limits;

/// Buffers that nobody uses; the one that came back last is taken first.
static UNUSED: Mutex<Vec<BytesMut>> = Mutex::new(Vec::new());

/// An empty buffer with room for a piece.
pub(super) fn take() -> BytesMut {
    let unused = UNUSED.lock().expect("no code panics while holding this lock").pop();
    unused.unwrap_or_else(|| BytesMut::with_capacity(limits::PIECE_BUFFER_BYTES))
}

/// The bytes as a piece. Their buffer comes back when the last part of the piece is dropped, wherever that is.
pub(super) fn finish(buffer: BytesMut) -> Bytes {
    Bytes::from_owner(Filled(buffer))
}

/// A buffer on its way to a file.
struct Filled(BytesMut);

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        // One that a large picture has made grow is not kept: it would stay large for ever.
        if buffer.capacity() > 2 * limits::PIECE_BUFFER_BYTES {
            return;
        }
        buffer.clear();
        // A lock that is poisoned costs a buffer, no more.
        let Ok(mut unused) = UNUSED.lock() else { return };
        if unused.len() < limits::PIECE_BUFFERS_KEPT {
            unused.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_holds_what_was_filled_in_and_gives_back_an_empty_buffer_of_bounded_size() {
        let mut buffer = take();
        buffer.extend_from_slice(b"head and tail");
        let mut piece = finish(buffer);
        let head = piece.split_to(4);
        assert_eq!((&head[..], &piece[..]), (&b"head"[..], &b" and tail"[..]));
        drop(head);
        assert_eq!(&piece[..], b" and tail");
        drop(piece);
        // Other tests take and give back, too: what holds of every buffer holds of this one.
        for buffer in [take(), take()] {
            assert!(buffer.is_empty());
            assert!(buffer.capacity() <= 2 * limits::PIECE_BUFFER_BYTES);
        }
        drop(finish(BytesMut::zeroed(8 * limits::PIECE_BUFFER_BYTES)));
        let unused = UNUSED.lock().expect("not poisoned");
        assert!(unused.len() <= limits::PIECE_BUFFERS_KEPT);
        assert!(unused.iter().all(|buffer| buffer.capacity() <= 2 * limits::PIECE_BUFFER_BYTES));
    }
}
