//! Finds many words in one pass over a text, without case.
//!
//! A hook handles one text and ends, so an automaton that is built at run time costs more than it
//! saves: 0.1 ms for a few hundred words. A table is a constant. The first three bytes at a position
//! select a slot, whose mask has the fourth bytes of its words. This rules out nineteen of twenty
//! positions.

/// Words of at least three bytes in lower case, each with a meaning.
pub struct WordTable<T: Copy + 'static, const N: usize> {
    /// For the first three bytes, one bit for each fourth byte of a word, by its last five bits. All bits
    /// for a word of three bytes.
    fourth: [u32; 1 << SLOT_BITS],
    /// The first entry of each slot, and their number.
    slots: [(u16, u16); 1 << SLOT_BITS],
    /// Grouped by slot.
    entries: [Entry<T>; N],
}

#[derive(Clone, Copy)]
struct Entry<T: Copy + 'static> {
    /// The first four bytes, folded. For a word of three bytes the last one is 0.
    group: u32,
    word: &'static str,
    meaning: T,
}

const SLOT_BITS: u32 = 12;

/// The slot of a group of four bytes: a hash of the first three. The factor shifts out the fourth.
const fn slot(group: u32) -> usize {
    (group.wrapping_mul(0x9E37_79B1 << 8) >> (32 - SLOT_BITS)) as usize
}

/// Sets the bit that differs between upper and lower case letters. Other bytes may become equal too.
const fn fold(group: u32) -> u32 {
    group | 0x2020_2020
}

const fn group_of(word: &str) -> u32 {
    let bytes = word.as_bytes();
    assert!(bytes.len() >= 3, "a word has at least three bytes");
    match bytes.len() {
        3 => fold(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0])) & 0x00ff_ffff,
        _ => fold(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
    }
}

/// The folded group at the start of `bytes`. Bytes beyond the end are blanks.
fn group_at(bytes: &[u8]) -> u32 {
    let byte = |n: usize| bytes.get(n).copied().unwrap_or(b' ');
    match bytes.first_chunk() {
        Some(four) => fold(u32::from_le_bytes(*four)),
        None => fold(u32::from_le_bytes([byte(0), byte(1), byte(2), b' '])),
    }
}

/// Whether `text` begins with a word in lower case, in any case. Most words differ in the first bytes
/// after their group, or in one that folding made equal, so this compares those first.
fn begins_with(text: &[u8], word: &[u8]) -> bool {
    let is_same = |n: usize| text[n].to_ascii_lowercase() == word[n];
    text.len() >= word.len() && (3..word.len()).all(is_same) && (0..3).all(is_same)
}

/// The order of the entries: by slot, and words of three bytes after longer ones.
const fn order(group: u32) -> (usize, bool, u32) {
    (slot(group), group >> 24 == 0, group)
}

const fn is_before(a: (usize, bool, u32), b: (usize, bool, u32)) -> bool {
    if a.0 != b.0 {
        a.0 < b.0
    } else if a.1 != b.1 {
        b.1
    } else {
        a.2 < b.2
    }
}

impl<T: Copy + 'static, const N: usize> WordTable<T, N> {
    pub const fn new(words: [(&'static str, T); N]) -> WordTable<T, N> {
        assert!(N > 0 && N <= u16::MAX as usize, "a table has words");
        let mut entries = [Entry { group: 0, word: words[0].0, meaning: words[0].1 }; N];
        let mut n = 0;
        while n < N {
            let (word, meaning) = words[n];
            let group = group_of(word);
            // Insertion sort: a constant function cannot call `sort`.
            let mut at = n;
            while at > 0 && is_before(order(group), order(entries[at - 1].group)) {
                entries[at] = entries[at - 1];
                at -= 1;
            }
            entries[at] = Entry { group, word, meaning };
            n += 1;
        }
        let (mut fourth, mut slots) = ([0; 1 << SLOT_BITS], [(0, 0); 1 << SLOT_BITS]);
        n = 0;
        while n < N {
            let group = entries[n].group;
            let slot = slot(group);
            if slots[slot].1 == 0 {
                slots[slot].0 = n as u16;
            }
            slots[slot].1 += 1;
            fourth[slot] |= if group >> 24 == 0 { u32::MAX } else { 1 << (group >> 24 & 31) };
            n += 1;
        }
        WordTable { fourth, slots, entries }
    }

    /// Calls `found` for each word in `text` with its position, in order of the positions. Stops if
    /// `found` returns true.
    pub fn scan(&self, text: &[u8], mut found: impl FnMut(usize, T) -> bool) {
        // Testing a block needs no branches.
        const BLOCK: usize = 8;
        let mut at = 0;
        while let Some(block) = text[at..].first_chunk::<{ BLOCK + 3 }>() {
            let mut candidates = 0;
            for (n, group) in block.windows(4).map(group_at).enumerate() {
                candidates |= self.may_begin(group) << n;
            }
            while candidates != 0 {
                if self.words_at(text, at + candidates.trailing_zeros() as usize, &mut found) {
                    return;
                }
                candidates &= candidates - 1;
            }
            at += BLOCK;
        }
        while at < text.len() && !self.words_at(text, at, &mut found) {
            at += 1;
        }
    }

    /// As [`WordTable::scan`], but finds only the words that begin where `starts` looks. Where the processor
    /// cannot tell these positions faster than the table can, it finds the other ones too.
    pub fn scan_starts(&self, text: &[u8], found: impl FnMut(usize, T) -> bool) {
        #[cfg(target_arch = "x86_64")]
        {
            let mut found = found;
            let mut is_found = |at: usize| {
                self.may_begin(group_at(&text[at..])) != 0 && self.words_at(text, at, &mut found)
            };
            let mut before = starts::Before::default();
            let mut at = 0;
            while let Some(block) = text[at..].first_chunk() {
                // SAFETY: every processor of this architecture has SSE2.
                let mut candidates = unsafe { starts::of(block, &mut before) };
                while candidates != 0 {
                    if is_found(at + candidates.trailing_zeros() as usize) {
                        return;
                    }
                    candidates &= candidates - 1;
                }
                at += starts::BLOCK;
            }
            while at < text.len() && !is_found(at) {
                at += 1;
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        self.scan(text, found);
    }

    /// 1 if a word may begin with this group, else 0.
    fn may_begin(&self, group: u32) -> u32 {
        self.fourth[slot(group)] >> (group >> 24 & 31) & 1
    }

    /// Calls `found` for each word at `at`. Returns whether `found` returned true.
    #[inline(never)]
    fn words_at(&self, text: &[u8], at: usize, found: &mut impl FnMut(usize, T) -> bool) -> bool {
        let group = group_at(&text[at..]);
        let (first, n_entries) = self.slots[slot(group)];
        let first = usize::from(first);
        self.entries[first..first + usize::from(n_entries)].iter().any(|entry| {
            // The fourth byte counts only if the word has one.
            let differs = entry.group ^ group;
            let same = differs == 0 || entry.group >> 24 == 0 && differs & 0x00ff_ffff == 0;
            same && begins_with(&text[at..], entry.word.as_bytes()) && found(at, entry.meaning)
        })
    }

    /// The words with their meanings.
    #[cfg(test)]
    pub fn words(&self) -> impl Iterator<Item = (&'static str, T)> {
        self.entries.iter().map(|entry| (entry.word, entry.meaning))
    }
}

/// Where a name may begin in a text, or a part of one.
#[cfg(target_arch = "x86_64")]
mod starts {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi8, _mm_cmpeq_epi8, _mm_cmplt_epi8, _mm_loadu_si128, _mm_movemask_epi8,
        _mm_or_si128, _mm_set1_epi8,
    };

    pub const BLOCK: usize = 64;

    /// The end of the block before, in the lowest bits.
    #[derive(Default)]
    pub struct Before {
        letter: u64,
        backslashes: u64,
    }

    /// Returns a bit for each position of the block at which a word may begin: a letter that no letter precedes,
    /// a letter after an escape of JSON, and `.`, `_` and `-`. The `e` of `ea` is the only letter inside of
    /// a word. The last position of a block is one if it is an `e`.
    #[target_feature(enable = "sse2")]
    pub fn of(block: &[u8; BLOCK], before: &mut Before) -> u64 {
        let (mut letters, mut backslashes, mut marks) = (0, 0, 0);
        let (mut letters_e, mut letters_a) = (0, 0);
        for (n, part) in block.chunks_exact(16).enumerate() {
            // SAFETY: the part has 16 bytes, which need no alignment.
            let bytes = unsafe { _mm_loadu_si128(part.as_ptr().cast()) };
            let folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
            let is = |byte: u8| _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte.cast_signed()));
            // Shifts the letters to the lowest numbers, because there is only a comparison with a sign.
            let shifted =
                _mm_add_epi8(folded, _mm_set1_epi8(i8::MIN.wrapping_sub(b'a'.cast_signed())));
            let is_letter = _mm_cmplt_epi8(shifted, _mm_set1_epi8(i8::MIN + 26));
            let is_mark = _mm_or_si128(_mm_or_si128(is(b'.'), is(b'_')), is(b'-'));
            let bits = |mask: __m128i| u64::from(_mm_movemask_epi8(mask) as u16) << (16 * n);
            let folded_is = |byte: u8| _mm_cmpeq_epi8(folded, _mm_set1_epi8(byte.cast_signed()));
            letters |= bits(is_letter);
            backslashes |= bits(is(b'\\'));
            marks |= bits(is_mark);
            letters_e |= bits(folded_is(b'e'));
            letters_a |= bits(folded_is(b'a'));
        }
        let after_letter = letters << 1 | before.letter;
        let after_escape = backslashes << 2 | before.backslashes;
        let is_last = 1 << (BLOCK - 1);
        let before_a = letters_e & (letters_a >> 1 | is_last);
        *before = Before { letter: letters >> 63, backslashes: backslashes >> 62 };
        letters & (!after_letter | after_escape) | marks | before_a
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_word_is_found_in_any_case() {
        static TABLE: WordTable<u8, 4> =
            WordTable::new([("key", 0), ("keyword", 1), ("a_b c", 2), ("x-y", 3)]);
        let found = |text: &str| {
            let mut found = Vec::new();
            TABLE.scan(text.as_bytes(), |at, meaning| {
                found.push((at, meaning));
                false
            });
            found
        };
        assert_eq!(found("a KEYWORD, A_B C x-Y x_y "), [(2, 1), (2, 0), (11, 2), (17, 3)]);
        assert_eq!(found("a key"), [(2, 0)]);
        for before in 0..40 {
            for after in 0..12 {
                let text = " ".repeat(before) + "keyword" + &".".repeat(after);
                assert_eq!(found(&text), [(before, 1), (before, 0)], "{text:?}");
                let text = " ".repeat(before) + "x-y" + &".".repeat(after);
                assert_eq!(found(&text), [(before, 3)], "{text:?}");
            }
        }
        assert_eq!(found("ke"), []);
        assert_eq!(found("The quick brown fox jumps over the lazy dog."), []);
    }

    /// Whether a name, or a part of one, may begin at `at`.
    fn is_start(text: &[u8], at: usize) -> bool {
        let before = |n: usize| at.checked_sub(n).map(|at| text[at]);
        match text[at] {
            b'.' | b'_' | b'-' => true,
            letter if letter.is_ascii_alphabetic() => {
                let in_word = before(1).is_some_and(|b| b.is_ascii_alphabetic());
                let is_ea = text[at..]
                    .first_chunk()
                    .is_some_and(|two: &[u8; 2]| two.eq_ignore_ascii_case(b"ea"));
                !in_word || before(2) == Some(b'\\') || is_ea
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn words_at_the_start_of_a_name_are_found(
            parts in prop::collection::vec(
                prop_oneof![
                    "key|KEY|Key|\\.env|eaccount|EAccount|_a_|servic|\\\\|n|e|a|@|`|\\[|\\{|é|x",
                    "[ -~]{0,20}",
                ],
                0..40,
            )
        ) {
            static TABLE: WordTable<usize, 4> =
                WordTable::new([("key", 0), (".env", 1), ("eaccount", 2), ("_a_", 3)]);
            let text = parts.concat();
            let (mut all, mut found) = (Vec::new(), Vec::new());
            TABLE.scan(text.as_bytes(), |at, word| {
                all.push((at, word));
                false
            });
            TABLE.scan_starts(text.as_bytes(), |at, word| {
                found.push((at, word));
                false
            });
            prop_assert!(found.iter().all(|one| all.contains(one)));
            let starts = all.iter().filter(|(at, _)| is_start(text.as_bytes(), *at));
            prop_assert!(starts.into_iter().all(|one| found.contains(one)), "{:?} {:?}", all, found);
        }
    }
}
