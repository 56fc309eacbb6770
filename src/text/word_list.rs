//! Lists of words and phrases.

/// Words or phrases with `|` between them; spaces count.
#[derive(Clone, Copy, Debug)]
pub struct Words(pub &'static str);

impl Words {
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        self.0.split('|')
    }

    /// Whether one of them stands anywhere in `text`.
    pub fn inside(self, text: &str) -> bool {
        self.iter().any(|word| text.contains(word))
    }

    /// Whether `text` begins with one of them.
    pub fn begin(self, text: &str) -> bool {
        self.iter().any(|word| text.starts_with(word))
    }

    /// Whether `text` is one of them.
    pub fn are(self, text: &str) -> bool {
        self.iter().any(|word| text == word)
    }
}
