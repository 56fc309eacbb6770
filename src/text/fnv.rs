//! FNV-1a: a small hash whose values are stored, so the functions never change.

/// With 64 bits.
pub const fn fnv_64(bytes: &[u8]) -> u64 {
    let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325, 0);
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// With 32 bits.
pub fn fnv_32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of the authors.
    #[test]
    fn stored_hashes_stay_the_same() {
        assert_eq!(fnv_64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_64(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(fnv_32(b""), 0x811c_9dc5);
        assert_eq!(fnv_32(b"foobar"), 0xbf9c_f968);
    }
}
