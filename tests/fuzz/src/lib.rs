//! The fuzz targets, and what they share: a reader of choices, splits of a byte stream, interleaved chunks, a live room in memory.
#![warn(missing_docs)]

pub mod chunks;
pub mod http;
pub mod repeat;
pub mod room;
pub mod seeds;
pub mod source;
pub mod targets;

/// Runs a future on this thread's own runtime: everything that the targets wait for is in memory.
pub fn block_on<F: Future>(work: F) -> F::Output {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}

/// Reads choices off the front of an input. An input that has ended reads as zeros, so that every prefix of an
/// interesting input is an input.
#[derive(Clone, Copy, Debug)]
pub struct Choices<'a>(pub &'a [u8]);

impl<'a> Choices<'a> {
    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn u8(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    /// As many bytes as are left, at most `count`.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Text behind a length of one byte, lossy.
    pub fn text(&mut self) -> String {
        let length = usize::from(self.u8());
        String::from_utf8_lossy(self.take(length)).into_owned()
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = self.take(N);
        array[..taken.len()].copy_from_slice(taken);
        array
    }
}

/// Percent-decoded once.
pub fn decoded(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

/// Cuts `bytes` into pieces of sizes that follow from `seed`: whole for 0, byte by byte for 1, else irregular.
pub fn pieces(seed: u8, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut rest, mut state) = (bytes, u32::from(seed));
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = match seed {
            0 => rest.len(),
            1 => 1,
            // Small pieces are the interesting ones: most are shorter than a chunk header.
            _ if state >> 30 != 0 => (state >> 16) as usize % 24,
            _ => (state >> 16) as usize % 2_000,
        };
        let (piece, behind) = rest.split_at(size.clamp(1, rest.len()));
        rest = behind;
        Some(piece)
    })
}
