//! The stemmer of Porter (1980), as SQLite's tokenizer `porter` has it: `configured`, `configures` and
//! `configuration` share a stem.

/// SQLite leaves shorter and longer words as they are.
const MIN: usize = 3;
const MAX: usize = 64;

/// The stem of a word of lower-case ASCII letters. Other words stay as they are.
pub fn porter(word: &str) -> String {
    if !(MIN..=MAX).contains(&word.len()) || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return word.to_owned();
    }
    let mut stem = Stem(word.as_bytes().to_vec());
    stem.step_1a();
    stem.step_1b();
    if stem.ends_with("y") && stem.has_vowel(stem.0.len() - 1) {
        stem.replace(1, "i");
    }
    stem.replace_first(STEP_2, 1);
    stem.replace_first(STEP_3, 1);
    stem.step_4();
    stem.step_5();
    String::from_utf8(stem.0).expect("the word is ASCII")
}

const STEP_2: &[(&str, &str)] = &[
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("logi", "log"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
];

const STEP_3: &[(&str, &str)] = &[
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
];

/// `ion` comes after `s` or `t` only.
const STEP_4: &[&str] = &[
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou",
    "ism", "ate", "iti", "ous", "ive", "ize",
];

struct Stem(Vec<u8>);

impl Stem {
    fn ends_with(&self, ending: &str) -> bool {
        self.0.ends_with(ending.as_bytes())
    }

    /// Replaces the last `n` bytes.
    fn replace(&mut self, n: usize, by: &str) {
        self.0.truncate(self.0.len() - n);
        self.0.extend_from_slice(by.as_bytes());
    }

    fn is_vowel(&self, i: usize) -> bool {
        match self.0[i] {
            b'a' | b'e' | b'i' | b'o' | b'u' => true,
            b'y' => i > 0 && !self.is_vowel(i - 1),
            _ => false,
        }
    }

    fn has_vowel(&self, len: usize) -> bool {
        (0..len).any(|i| self.is_vowel(i))
    }

    /// The number of changes from vowels to consonants among the first `len` letters.
    fn measure(&self, len: usize) -> usize {
        (1..len).filter(|&i| self.is_vowel(i - 1) && !self.is_vowel(i)).count()
    }

    fn ends_in_double_consonant(&self) -> bool {
        let n = self.0.len();
        n >= 2 && self.0[n - 1] == self.0[n - 2] && !self.is_vowel(n - 1)
    }

    /// Whether the first `len` letters end in consonant, vowel, consonant, and the last is not w, x
    /// or y.
    fn ends_in_cvc(&self, len: usize) -> bool {
        len >= 3
            && !self.is_vowel(len - 3)
            && self.is_vowel(len - 2)
            && !self.is_vowel(len - 1)
            && !matches!(self.0[len - 1], b'w' | b'x' | b'y')
    }

    fn step_1a(&mut self) {
        if self.ends_with("sses") || self.ends_with("ies") {
            self.replace(2, "");
        } else if self.ends_with("s") && !self.ends_with("ss") {
            self.replace(1, "");
        }
    }

    fn step_1b(&mut self) {
        if self.ends_with("eed") {
            if self.measure(self.0.len() - 3) > 0 {
                self.replace(1, "");
            }
            return;
        }
        let cut = ["ed", "ing"]
            .into_iter()
            .find(|ending| self.ends_with(ending) && self.has_vowel(self.0.len() - ending.len()));
        let Some(cut) = cut else { return };
        self.replace(cut.len(), "");
        if ["at", "bl", "iz"].iter().any(|ending| self.ends_with(ending)) {
            self.replace(0, "e");
        } else if self.ends_in_double_consonant()
            && !matches!(self.0.last(), Some(b'l' | b's' | b'z'))
        {
            self.replace(1, "");
        } else if self.measure(self.0.len()) == 1 && self.ends_in_cvc(self.0.len()) {
            self.replace(0, "e");
        }
    }

    /// Replaces the ending that the word has, if enough is left.
    fn replace_first(&mut self, rules: &[(&str, &str)], measure: usize) {
        let found = rules.iter().filter(|(ending, _)| self.ends_with(ending));
        let Some((ending, by)) = found.max_by_key(|(ending, _)| ending.len()) else { return };
        if self.measure(self.0.len() - ending.len()) >= measure {
            self.replace(ending.len(), by);
        }
    }

    fn step_4(&mut self) {
        let found = STEP_4.iter().filter(|ending| self.ends_with(ending));
        let Some(ending) = found.max_by_key(|ending| ending.len()) else { return };
        let left = self.0.len() - ending.len();
        let fits = *ending != "ion" || left > 0 && matches!(self.0[left - 1], b's' | b't');
        if fits && self.measure(left) > 1 {
            self.replace(ending.len(), "");
        }
    }

    fn step_5(&mut self) {
        if self.ends_with("e") {
            let left = self.0.len() - 1;
            let measure = self.measure(left);
            if measure > 1 || measure == 1 && !self.ends_in_cvc(left) {
                self.replace(1, "");
            }
        }
        if self.ends_with("ll") && self.measure(self.0.len() - 1) > 1 {
            self.replace(1, "");
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    /// SQLite's own tokenizer is the reference.
    #[test]
    fn stems_are_those_of_sqlite() {
        let texts = [
            include_str!("../../README.md"),
            include_str!("../../ARCHITECTURE.md"),
            include_str!("../../docs/internals/store.md"),
            include_str!("irregular.tsv"),
            "caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled \
             sized hopping tanned falling hissing fizzed failing filing happy sky relational conditional \
             rational valenci hesitanci digitizer conformabli radicalli differentli vileli analogousli \
             vietnamization predication operator feudalism decisiveness hopefulness callousness formaliti \
             sensitiviti sensibiliti triplicate formative formalize electriciti electrical hopeful goodness \
             revival allowance inference airliner gyroscopic adjustable defensible irritant replacement \
             adjustment dependent adoption homologou communism activate angulariti homologous effective \
             bowdlerize probate rate cease controll roll yyy",
        ];
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(
            "CREATE VIRTUAL TABLE t USING fts5(x, tokenize = 'porter ascii');
             CREATE VIRTUAL TABLE v USING fts5vocab(t, row);",
        )
        .unwrap();
        let mut words: Vec<String> = texts
            .iter()
            .flat_map(|text| text.split(|c: char| !c.is_ascii_alphabetic()))
            .map(str::to_ascii_lowercase)
            .filter(|word| !word.is_empty())
            .collect();
        words.sort();
        words.dedup();
        assert!(words.len() > 1000);
        for word in &words {
            conn.execute("DELETE FROM t", []).unwrap();
            conn.execute("INSERT INTO t VALUES (?1)", [word]).unwrap();
            let stem: String = conn.query_row("SELECT term FROM v", [], |r| r.get(0)).unwrap();
            assert_eq!(porter(word), stem, "{word}");
        }
    }
}
