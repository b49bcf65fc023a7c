//! MD5 (RFC 1321), as fast as its chain of dependent steps allows.
//!
//! Each of the 64 steps of a block waits for the one before, so what stands on that chain is the whole cost. Here the chain
//! is `mix, add, rotate, add`: what is added to the mix was summed up before. Compilers undo that where they know the
//! constants, since they sort those to the end of a sum; so the constants are taken through a reference they cannot look
//! behind. That is a fifth faster than the crate, which `benches/count.rs` and the tests hold it against, and a little
//! faster than hand-written assembly of the same algorithm.

use std::hint::black_box;

/// A running MD5.
#[derive(Clone, Debug)]
pub struct Md5 {
    state: [u32; 4],
    /// The beginning of a block.
    partial: [u8; BLOCK],
    /// Bytes so far; those of the last, partial block stand in `partial`.
    length: u64,
}

/// Bytes that are mixed in at once.
const BLOCK: usize = 64;

/// 2^32 times the absolute sines of 1 to 64.
static SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501,
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821,
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8,
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a,
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70,
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665,
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1,
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];

impl Md5 {
    /// Of no bytes.
    pub fn new() -> Self {
        let state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
        Md5 { state, partial: [0; BLOCK], length: 0 }
    }

    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> [u8; 16] {
        let mut md5 = Md5::new();
        md5.update(bytes);
        md5.finish()
    }

    /// Adds bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        let begun = self.begun();
        self.length = self.length.wrapping_add(bytes.len() as u64);
        if begun > 0 {
            let taken = bytes.len().min(BLOCK - begun);
            self.partial[begun..begun + taken].copy_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if begun + taken < BLOCK {
                return;
            }
            mix(&mut self.state, &[self.partial]);
        }
        let (blocks, rest) = bytes.as_chunks();
        mix(&mut self.state, blocks);
        self.partial[..rest.len()].copy_from_slice(rest);
    }

    /// The digest of all of them.
    pub fn finish(mut self) -> [u8; 16] {
        let bits = self.length.wrapping_mul(8);
        // A one, zeros, and the length in bits at the end of a block.
        let mut padding = [0; 2 * BLOCK];
        padding[0] = 0x80;
        let begun = self.begun();
        let end = if begun + 1 + 8 <= BLOCK { BLOCK - begun } else { 2 * BLOCK - begun };
        padding[end - 8..end].copy_from_slice(&bits.to_le_bytes());
        self.update(&padding[..end]);
        let mut digest = [0; 16];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = word.to_le_bytes();
        }
        digest
    }

    /// Bytes in `partial`.
    fn begun(&self) -> usize {
        (self.length % BLOCK as u64) as usize
    }
}

impl Default for Md5 {
    fn default() -> Self {
        Self::new()
    }
}

/// Sixteen steps: the words in the order `from, from + by, ...`, the turns again and again.
macro_rules! round {
    ($mix:expr, $words:ident, $from:literal, $by:literal, $sines:expr, $turns:expr, $a:ident $b:ident $c:ident $d:ident) => {
        round!(@four $mix, $words, $from, $by, $sines, $turns, 0, $a $b $c $d);
        round!(@four $mix, $words, $from, $by, $sines, $turns, 4, $a $b $c $d);
        round!(@four $mix, $words, $from, $by, $sines, $turns, 8, $a $b $c $d);
        round!(@four $mix, $words, $from, $by, $sines, $turns, 12, $a $b $c $d);
    };
    (@four $mix:expr, $words:ident, $from:literal, $by:literal, $sines:expr, $turns:expr, $n:literal, $a:ident $b:ident $c:ident $d:ident) => {
        $a = step($mix($b, $c, $d), $a, $b, $words[($from + $by * $n) % 16], $sines[$n], $turns[0]);
        $d = step($mix($a, $b, $c), $d, $a, $words[($from + $by * ($n + 1)) % 16], $sines[$n + 1], $turns[1]);
        $c = step($mix($d, $a, $b), $c, $d, $words[($from + $by * ($n + 2)) % 16], $sines[$n + 2], $turns[2]);
        $b = step($mix($c, $d, $a), $b, $c, $words[($from + $by * ($n + 3)) % 16], $sines[$n + 3], $turns[3]);
    };
}

/// Mixes blocks into the state.
fn mix(state: &mut [u32; 4], blocks: &[[u8; BLOCK]]) {
    let sines = black_box(&SINES);
    let (first, second, third, fourth) = (&sines[..16], &sines[16..32], &sines[32..48], &sines[48..]);
    let [mut a, mut b, mut c, mut d] = *state;
    for block in blocks {
        let mut words = [0; 16];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let before = [a, b, c, d];
        round!(|b, c, d| ((c ^ d) & b) ^ d, words, 0, 1, first, [7, 12, 17, 22], a b c d);
        // The two halves share no bit, so that they may be added one after the other: only one waits for `b`.
        round!(|b: u32, c: u32, d: u32| (b & d).wrapping_add(c & !d), words, 1, 5, second, [5, 9, 14, 20], a b c d);
        round!(|b, c, d| b ^ (c ^ d), words, 5, 3, third, [4, 11, 16, 23], a b c d);
        round!(|b: u32, c: u32, d: u32| c ^ (b | !d), words, 0, 7, fourth, [6, 10, 15, 21], a b c d);
        a = a.wrapping_add(before[0]);
        b = b.wrapping_add(before[1]);
        c = c.wrapping_add(before[2]);
        d = d.wrapping_add(before[3]);
    }
    *state = [a, b, c, d];
}

#[inline(always)]
fn step(mixed: u32, a: u32, b: u32, word: u32, sine: u32, turn: u32) -> u32 {
    mixed.wrapping_add(a.wrapping_add(word.wrapping_add(sine))).rotate_left(turn).wrapping_add(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_the_standard() {
        for (text, digest) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            assert_eq!(hex::encode(Md5::of(text.as_bytes())), digest, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_in_any_pieces_agree_with_an_independent_implementation(
            pieces in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..200), 0..8),
        ) {
            let mut md5 = Md5::new();
            pieces.iter().for_each(|piece| md5.update(piece));
            let whole = pieces.concat();
            let theirs: [u8; 16] = <md5::Md5 as md5::Digest>::digest(&whole).into();
            proptest::prop_assert_eq!(md5.finish(), theirs);
        }
    }
}
