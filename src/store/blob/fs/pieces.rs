//! Buffers that bodies are read into, and that come back when the socket has taken their bytes: fresh memory of this size
//! would be mapped, cleared and given back for each piece, which costs more than the reading.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::limits;

/// The buffers of one store. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
    /// Large buffers that somebody holds.
    large_out: usize,
}

/// A buffer on loan.
#[derive(Debug)]
pub(super) struct Piece {
    buffer: Vec<u8>,
    length: usize,
    home: Pieces,
}

impl Pieces {
    /// A buffer for at most `wanted` bytes. Large ones are lent while there are any: who takes his bytes slowly holds what
    /// he has, and the others go on with small ones.
    pub(super) fn take(&self, wanted: u64) -> Piece {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut kept = self.lock();
        let is_large = wanted > limits::BODY_PIECE_BYTES && kept.large_out < limits::READ_PIECES_LARGE_MAX;
        let (buffer, size) = if is_large {
            kept.large_out += 1;
            (kept.large.pop(), limits::READ_PIECE_BYTES)
        } else {
            (kept.small.pop(), limits::BODY_PIECE_BYTES)
        };
        drop(kept);
        let buffer = buffer.unwrap_or_else(|| vec![0; size]);
        Piece { length: wanted.min(buffer.len()), buffer, home: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Piece {
    /// Where the bytes go; what was there before is somebody else's.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.length]
    }

    /// The bytes, once all of them have been read.
    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        let mut kept = self.home.lock();
        let kept = &mut *kept;
        let list = if buffer.len() == limits::READ_PIECE_BYTES {
            kept.large_out -= 1;
            &mut kept.large
        } else {
            &mut kept.small
        };
        if (list.len() + 1) * buffer.len() <= limits::READ_PIECES_KEPT_BYTES {
            list.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_bytes_are_gone() {
        let pieces = Pieces::default();
        let mut piece = pieces.take(3);
        piece.bytes().copy_from_slice(b"abc");
        let place = piece.bytes().as_ptr();
        let (bytes, part) = {
            let bytes = piece.freeze();
            (bytes.clone(), bytes.slice(1..))
        };
        assert_eq!((&bytes[..], &part[..]), (&b"abc"[..], &b"bc"[..]));
        drop(bytes);
        assert_ne!(pieces.take(3).bytes().as_ptr(), place, "a part of it is still held");
        drop(part);
        assert!([pieces.take(3), pieces.take(3)].iter_mut().any(|piece| piece.bytes().as_ptr() == place));
    }

    #[test]
    fn lent_and_kept_memory_is_bounded() {
        let pieces = Pieces::default();
        let mut lent: Vec<Piece> = (0..2 * limits::READ_PIECES_LARGE_MAX).map(|_| pieces.take(u64::MAX)).collect();
        let large = lent.iter_mut().filter(|piece| piece.buffer.len() == limits::READ_PIECE_BYTES).count();
        assert_eq!(large, limits::READ_PIECES_LARGE_MAX);
        assert_eq!(lent.last_mut().expect("many").bytes().len(), limits::BODY_PIECE_BYTES);
        drop(lent);
        let kept = pieces.lock();
        assert_eq!(kept.large_out, 0);
        let held: usize = kept.small.iter().chain(&kept.large).map(Vec::len).sum();
        assert!(0 < held && held <= 2 * limits::READ_PIECES_KEPT_BYTES, "{held}");
    }
}
