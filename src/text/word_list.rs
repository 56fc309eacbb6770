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
        let may_stand = |word: &&str| word.is_ascii() || !text.is_ascii();
        self.iter().filter(may_stand).any(|word| text.contains(word))
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
