//! Lists of words and phrases.

use memchr::memchr_iter;

/// Words or phrases with `|` between them; spaces count. None is empty.
#[derive(Clone, Copy, Debug)]
pub struct Words(pub &'static str);

impl Words {
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        self.0.split('|')
    }

    /// Whether one of them stands anywhere in `text`.
    pub fn inside(self, text: &str) -> bool {
        let (list, pairs) = (self.0.as_bytes(), Pairs::of(text));
        let mut begin = 0;
        while begin < list.len() {
            let (mut end, mut may_stand) = (begin + 1, true);
            while end < list.len() && list[end] != b'|' {
                may_stand &= pairs.has(list[end - 1], list[end]);
                end += 1;
            }
            if may_stand && text.contains(&self.0[begin..end]) {
                return true;
            }
            begin = end + 1;
        }
        false
    }

    /// Whether `text` is one of them.
    pub fn are(self, text: &str) -> bool {
        self.with_first_byte_of(text).any(|list| {
            let rest = list.strip_prefix(text.as_bytes());
            rest.is_some_and(|rest| rest.first().is_none_or(|next| *next == b'|'))
        })
    }

    /// The rest of the list from each word that has the same first byte as `text`. Every sentence is compared
    /// with many lists, and most words are excluded by their first byte.
    fn with_first_byte_of(self, text: &str) -> impl Iterator<Item = &'static [u8]> {
        let list = self.0.as_bytes();
        let first = text.bytes().next();
        let found = first.into_iter().flat_map(move |first| memchr_iter(first, list));
        found.filter(move |at| *at == 0 || list[at - 1] == b'|').map(move |at| &list[at..])
    }
}

/// Which pairs of bytes a text has. Most words of a list have one that it lacks, and are not searched for.
struct Pairs([u64; Pairs::BITS / 64]);

impl Pairs {
    const BITS: usize = 1024;

    fn of(text: &str) -> Pairs {
        let mut pairs = Pairs([0; Pairs::BITS / 64]);
        for pair in text.as_bytes().windows(2) {
            let bit = Pairs::bit(pair[0], pair[1]);
            pairs.0[bit / 64] |= 1 << (bit % 64);
        }
        pairs
    }

    /// False if the text does not have the pair.
    fn has(&self, first: u8, second: u8) -> bool {
        let bit = Pairs::bit(first, second);
        self.0[bit / 64] & 1 << (bit % 64) != 0
    }

    fn bit(first: u8, second: u8) -> usize {
        (usize::from(first) * 37 + usize::from(second)) % Pairs::BITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_by_comparing_each() {
        const LIST: Words = Words("ignor|is not|è|über|a|and|ab c|z");
        let texts = [
            "", "a", "an", "and", "andes", "ab", "ab c", "ab cd", "is", "is not", "|", "ignor|is",
            "ignore", "ü", "über", "überall", "è", "é", "z", "zz", "c", "not",
        ];
        for text in texts {
            let each = |is: fn(&str, &str) -> bool| LIST.0.split('|').any(|word| is(text, word));
            assert_eq!(LIST.are(text), each(|text, word| text == word), "{text:?}");
            assert_eq!(LIST.inside(text), each(|text, word| text.contains(word)), "{text:?}");
        }
    }
}
