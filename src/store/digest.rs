//! What is computed over every body: the checksum that OSS reports, CRC-64/XZ (ECMA-182 reflected, initial and final value
//! all ones), and MD5, the entity tag.

mod md5;

pub use self::md5::Md5;

/// A running CRC-64/XZ.
#[derive(Debug)]
pub struct Crc64(crc_fast::Digest);

impl Crc64 {
    /// Of no bytes.
    pub fn new() -> Self {
        Crc64(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Xz))
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The value so far.
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

impl Default for Crc64 {
    fn default() -> Self {
        Self::new()
    }
}

/// The CRC-64/XZ of two runs of bytes from that of each; `second_length` is the length of the second in bytes.
pub fn combine(first: u64, second: u64, second_length: u64) -> u64 {
    XZ.combine(first, second, second_length)
}

static XZ: Polynomial = Polynomial::new(0xc96c_5795_d787_0f42, 64);

/// The polynomial of a reflected CRC whose initial and final value are all ones, ready to combine values of runs of bytes.
///
/// Appending bytes multiplies what went before by x to the number of their bits, modulo the polynomial. Ten thousand
/// parts are combined within one commit, so this squares and multiplies in microseconds instead of building matrices.
#[derive(Debug)]
pub(super) struct Polynomial {
    /// Without its leading term, reflected: the highest bit is the coefficient of x^0.
    reflected: u64,
    /// That highest bit.
    top: u64,
    /// x to the powers 2^0 to 2^66, modulo the polynomial.
    powers: [u64; 67],
}

impl Polynomial {
    /// Of a CRC of so many bits, at most 64.
    pub(super) const fn new(reflected: u64, bits: u32) -> Self {
        let top = 1 << (bits - 1);
        let mut polynomial = Polynomial { reflected, top, powers: [top >> 1; 67] };
        let mut k = 1;
        while k < polynomial.powers.len() {
            polynomial.powers[k] = polynomial.multiply(polynomial.powers[k - 1], polynomial.powers[k - 1]);
            k += 1;
        }
        polynomial
    }

    /// The value of two runs of bytes from the value of each; `second_length` is the length of the second in bytes.
    pub(super) fn combine(&self, first: u64, second: u64, second_length: u64) -> u64 {
        let mut shifted = first;
        let mut length = second_length;
        // `powers[k]` is x to the power 2^k; a byte has 2^3 bits.
        for power in &self.powers[3..] {
            if length == 0 {
                break;
            }
            if length & 1 == 1 {
                shifted = self.multiply(shifted, *power);
            }
            length >>= 1;
        }
        shifted ^ second
    }

    /// The product of two polynomials modulo this one.
    const fn multiply(&self, a: u64, b: u64) -> u64 {
        let (mut product, mut shifted, mut bit) = (0, b, self.top);
        while bit != 0 {
            if a & bit != 0 {
                product ^= shifted;
            }
            shifted = if shifted & 1 == 0 { shifted >> 1 } else { (shifted >> 1) ^ self.reflected };
            bit >>= 1;
        }
        product
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> u64 {
        let mut crc = Crc64::new();
        crc.update(bytes);
        crc.value()
    }

    #[test]
    fn check_value_of_the_catalogue() {
        assert_eq!(of(b"123456789"), 0x995d_c9bb_df19_39fa);
        assert_eq!(of(b"123456789"), 11_051_210_869_376_104_954);
    }

    #[test]
    fn combined_value_equals_the_value_of_the_whole() {
        assert_eq!(combine(of(b"1234"), of(b"56789"), 5), of(b"123456789"));
        assert_eq!(combine(of(b""), of(b"1"), 1), of(b"1"));
        assert_eq!(combine(of(b"1"), of(b""), 0), of(b"1"));
    }

    proptest::proptest! {
        #[test]
        fn combining_agrees_with_an_independent_implementation(first: u64, second: u64, length: u64) {
            let theirs = |length| crc_fast::checksum_combine(crc_fast::CrcAlgorithm::Crc64Xz, first, second, length);
            for length in [length, length >> 24, length >> 60, u64::MAX] {
                proptest::prop_assert_eq!(combine(first, second, length), theirs(length), "{}", length);
            }
        }
    }
}
