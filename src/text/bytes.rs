//! The functions of the crate memchr, with the SIMD instructions that every processor of the
//! architecture has.
//!
//! On x86_64, memchr's own functions first find out whether the processor has newer ones. That takes
//! seven `cpuid` instructions, each of which leaves a virtual machine: 30 to 40 µs of a hook.

#[cfg(not(target_arch = "x86_64"))]
pub use memchr::{memchr, memchr2};
#[cfg(target_arch = "x86_64")]
pub use sse2::{memchr, memchr2};

/// The positions of `a`.
pub fn memchr_iter(a: u8, bytes: &[u8]) -> impl Iterator<Item = usize> {
    positions(bytes, move |rest| memchr(a, rest))
}

/// The positions of `a` and `b`.
pub fn memchr2_iter(a: u8, b: u8, bytes: &[u8]) -> impl Iterator<Item = usize> {
    positions(bytes, move |rest| memchr2(a, b, rest))
}

fn positions(bytes: &[u8], find: impl Fn(&[u8]) -> Option<usize>) -> impl Iterator<Item = usize> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let at = next + find(&bytes[next..])?;
        next = at + 1;
        Some(at)
    })
}

/// Whether `bytes` contain `part`, a short constant.
pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    #[cfg(target_arch = "x86_64")]
    return sse2::contains(bytes, part);
    #[cfg(not(target_arch = "x86_64"))]
    return memchr::memmem::find(bytes, part).is_some();
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use memchr::arch::x86_64::sse2::memchr::{One, Two};
    use memchr::arch::x86_64::sse2::packedpair::Finder;

    pub fn memchr(a: u8, bytes: &[u8]) -> Option<usize> {
        One::new(a)?.find(bytes)
    }

    pub fn memchr2(a: u8, b: u8, bytes: &[u8]) -> Option<usize> {
        Two::new(a, b)?.find(bytes)
    }

    /// Compares `part` wherever two of its bytes occur, so it must be short.
    pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
        match Finder::new(part) {
            Some(finder) if bytes.len() >= finder.min_haystack_len() => {
                finder.find(bytes, part).is_some()
            }
            _ => part.is_empty() || bytes.windows(part.len()).any(|window| window == part),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_results_are_those_of_memchr(text in "[ab\\\\\"c ]{0,90}", part in "[ab\\\\c]{0,6}") {
            let (text, part) = (text.as_bytes(), part.as_bytes());
            prop_assert_eq!(memchr(b'b', text), memchr::memchr(b'b', text));
            prop_assert_eq!(memchr2(b'b', b'"', text), memchr::memchr2(b'b', b'"', text));
            let ours = |found: &mut dyn Iterator<Item = usize>| found.collect::<Vec<_>>();
            prop_assert_eq!(
                ours(&mut memchr_iter(b'a', text)),
                ours(&mut memchr::memchr_iter(b'a', text))
            );
            prop_assert_eq!(
                ours(&mut memchr2_iter(b'a', b'\\', text)),
                ours(&mut memchr::memchr2_iter(b'a', b'\\', text))
            );
            prop_assert_eq!(contains(text, part), memchr::memmem::find(text, part).is_some());
        }
    }
}
