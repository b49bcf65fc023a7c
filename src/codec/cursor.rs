//! A bounds-checked reader over borrowed bytes: the only slicing of foreign bytes.

/// More bytes were asked for than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} bytes wanted at offset {at}, {left} left")]
pub struct OutOfBytes {
    /// Offset of the read.
    pub at: usize,
    /// Bytes it wanted.
    pub wanted: usize,
    /// Bytes there were.
    pub left: usize,
}

/// Reads big-endian values from the front of a slice.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    /// Offset of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes that are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// No byte is left.
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// The bytes that are left, without reading them.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], OutOfBytes> {
        let left = self.remaining();
        if count > left {
            return Err(OutOfBytes { at: self.at, wanted: count, left });
        }
        let taken = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], OutOfBytes> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("take returned N bytes"))
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, OutOfBytes> {
        Ok(self.array::<1>()?[0])
    }

    /// 16 bits.
    pub fn u16(&mut self) -> Result<u16, OutOfBytes> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// 24 bits.
    pub fn u24(&mut self) -> Result<u32, OutOfBytes> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// 24 bits, two's complement (FLV's SI24).
    pub fn i24(&mut self) -> Result<i32, OutOfBytes> {
        Ok(((self.u24()? << 8) as i32) >> 8)
    }

    /// 32 bits.
    pub fn u32(&mut self) -> Result<u32, OutOfBytes> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// 64 bits.
    pub fn u64(&mut self) -> Result<u64, OutOfBytes> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// An IEEE 754 double.
    pub fn f64(&mut self) -> Result<f64, OutOfBytes> {
        Ok(f64::from_bits(self.u64()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_big_endian_and_says_where_bytes_ran_out() {
        let mut cursor = Cursor::new(&[1, 2, 3, 0xff, 0xff, 0xfe, 9]);
        assert_eq!(cursor.u24(), Ok(0x010203));
        assert_eq!(cursor.i24(), Ok(-2));
        assert_eq!(cursor.u16(), Err(OutOfBytes { at: 6, wanted: 2, left: 1 }));
        assert_eq!(cursor.rest(), &[9]);
        assert_eq!(cursor.u8(), Ok(9));
        assert!(cursor.is_empty());
    }
}
