//! A file that is written from its beginning to its end and then synced.
//!
//! What was written goes to the disk while more is written, so that the sync at the end has only the last of it to wait
//! for. Left alone, the kernel keeps up to a fifth of the memory waiting, and half a minute of it.

use std::fs::File;
use std::io::{self, IoSlice, Write};

use crate::limits::{WRITEBACK_BYTES, WRITEBACK_BYTES_LARGE};

/// The file.
#[derive(Debug)]
pub(super) struct GrowingFile {
    file: File,
    written: u64,
    /// Of `written`, what was told to go to the disk.
    told: u64,
}

impl GrowingFile {
    /// An empty file.
    pub(super) fn new(file: File) -> Self {
        GrowingFile { file, written: 0, told: 0 }
    }

    /// Makes bytes and length durable; times and owner of the file mean nothing here.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl Write for GrowingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.file.write_vectored(slices)?;
        self.written += written as u64;
        let step = if self.written < WRITEBACK_BYTES_LARGE { WRITEBACK_BYTES } else { WRITEBACK_BYTES_LARGE };
        if self.written - self.told >= step {
            start_writeback(&self.file, self.told, self.written - self.told);
            self.told = self.written;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Has the kernel begin to write a range to the disk. Nothing is promised by it, so that a refusal means nothing; what
/// fails on its way fails the sync at the end.
#[allow(unsafe_code, reason = "no safe wrapper knows this call")]
fn start_writeback(file: &File, from: u64, length: u64) {
    use std::os::fd::AsRawFd;
    let (from, length) = (from.cast_signed(), length.cast_signed());
    // SAFETY: takes numbers only; the descriptor is open as long as `file` is borrowed.
    unsafe { libc::sync_file_range(file.as_raw_fd(), from, length, libc::SYNC_FILE_RANGE_WRITE) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_pieces_and_sent_ahead_is_the_whole_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("growing");
        let mut growing = GrowingFile::new(File::create_new(&path).expect("fresh"));
        let piece = vec![7; WRITEBACK_BYTES as usize / 3];
        let length = piece.len() as u64;
        for _ in 0..7 {
            growing.write_all(&piece).expect("room");
        }
        assert_eq!((growing.written, growing.told), (length * 7, length * 4));
        let rest = usize::try_from(WRITEBACK_BYTES_LARGE / length).expect("it fits") + 3;
        for _ in 0..rest {
            growing.write_all(&piece).expect("room");
        }
        assert!(growing.written > WRITEBACK_BYTES_LARGE && growing.told < growing.written);
        assert!(growing.written - growing.told < WRITEBACK_BYTES_LARGE);
        growing.sync().expect("a disk");
        assert!(std::fs::read(&path).expect("there") == piece.repeat(7 + rest));
    }
}
