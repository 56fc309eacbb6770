//! Finds many words in one pass over a text, without case.
//!
//! A hook handles one text and ends, so an automaton that is built at run time costs more than it
//! saves: 0.1 ms for a few hundred words. A table is a constant. Two bitmaps of hashed groups of three
//! and of four bytes rule out almost all positions. For the others, a sorted list has the words that
//! begin with the same three or four bytes.

/// Words of at least three bytes in lower case, each with a meaning.
pub struct WordTable<T: Copy + 'static, const N: usize> {
    entries: [Entry<T>; N],
    /// The first three bytes of each word.
    prefixes: Bitmap,
    /// The group of each entry.
    groups: Bitmap,
}

/// One bit for each hash of a group.
type Bitmap = [u64; 1 << (HASH_BITS - 6)];

const fn add(mut bitmap: Bitmap, group: u32) -> Bitmap {
    let hash = hash(group);
    bitmap[hash >> 6] |= 1 << (hash & 63);
    bitmap
}

fn may_have(bitmap: &Bitmap, group: u32) -> bool {
    let hash = hash(group);
    bitmap[hash >> 6] >> (hash & 63) & 1 != 0
}

#[derive(Clone, Copy)]
struct Entry<T: Copy + 'static> {
    /// The first four bytes, folded. For a word of three bytes the last one is 0.
    group: u32,
    word: &'static str,
    meaning: T,
}

const HASH_BITS: u32 = 15;

const fn hash(group: u32) -> usize {
    (group.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize
}

/// Sets the bit that differs between upper and lower case letters. Other bytes may become equal too.
const fn fold(group: u32) -> u32 {
    group | 0x2020_2020
}

const fn first_three(group: u32) -> u32 {
    group & 0x00ff_ffff
}

const fn group_of(word: &str) -> u32 {
    let bytes = word.as_bytes();
    assert!(bytes.len() >= 3, "a word has at least three bytes");
    match bytes.len() {
        3 => first_three(fold(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]))),
        _ => fold(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
    }
}

impl<T: Copy + 'static, const N: usize> WordTable<T, N> {
    pub const fn new(words: [(&'static str, T); N]) -> WordTable<T, N> {
        assert!(N > 0, "a table has words");
        let first = Entry { group: 0, word: words[0].0, meaning: words[0].1 };
        let mut entries = [first; N];
        let (mut prefixes, mut groups) = ([0; 1 << (HASH_BITS - 6)], [0; 1 << (HASH_BITS - 6)]);
        let mut n = 0;
        while n < N {
            let (word, meaning) = words[n];
            let group = group_of(word);
            prefixes = add(prefixes, first_three(group));
            groups = add(groups, group);
            // Insertion sort: a constant function cannot call `sort`.
            let mut at = n;
            while at > 0 && entries[at - 1].group > group {
                entries[at] = entries[at - 1];
                at -= 1;
            }
            entries[at] = Entry { group, word, meaning };
            n += 1;
        }
        WordTable { entries, prefixes, groups }
    }

    /// Calls `found` for each word in `text` with its position, in order of the positions. Stops if
    /// `found` returns true.
    pub fn scan(&self, text: &[u8], mut found: impl FnMut(usize, T) -> bool) {
        for (at, four) in text.windows(4).enumerate() {
            let group = fold(u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
            if may_have(&self.prefixes, first_three(group))
                && self.words_at(text, at, group, &mut found)
            {
                return;
            }
        }
        // A word of three bytes may be at the end.
        if let Some([a, b, c]) = text.last_chunk() {
            let group = fold(u32::from_le_bytes([*a, *b, *c, 0]));
            self.words_at(text, text.len() - 3, group, &mut found);
        }
    }

    /// Calls `found` for each word at `at`, where the four bytes of `group` are. Returns whether `found`
    /// returned true.
    #[inline(never)]
    fn words_at(
        &self,
        text: &[u8],
        at: usize,
        group: u32,
        found: &mut impl FnMut(usize, T) -> bool,
    ) -> bool {
        let groups = [group, first_three(group)];
        groups.into_iter().filter(|group| may_have(&self.groups, *group)).any(|group| {
            let first = self.entries.partition_point(|entry| entry.group < group);
            self.entries[first..].iter().take_while(|entry| entry.group == group).any(|entry| {
                let part = text.get(at..at + entry.word.len());
                part.is_some_and(|part| part.eq_ignore_ascii_case(entry.word.as_bytes()))
                    && found(at, entry.meaning)
            })
        })
    }

    /// The words with their meanings.
    #[cfg(test)]
    pub fn words(&self) -> impl Iterator<Item = (&'static str, T)> {
        self.entries.iter().map(|entry| (entry.word, entry.meaning))
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(found("ke"), []);
        assert_eq!(found("The quick brown fox jumps over the lazy dog."), []);
    }
}
