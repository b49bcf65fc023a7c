//! The checksum that OSS reports: CRC-64/XZ (ECMA-182 reflected, initial and final value all ones).

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

/// The value of two runs of bytes from the value of each; `second_length` is the length of the second in bytes.
pub fn combine(first: u64, second: u64, second_length: u64) -> u64 {
    crc_fast::checksum_combine(crc_fast::CrcAlgorithm::Crc64Xz, first, second, second_length)
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
    }
}
