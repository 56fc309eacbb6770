//! A generated text and the places of its secrets.

use std::ops::Range;

/// Around a secret.
const SECRET: [char; 2] = ['\u{e000}', '\u{e001}'];

/// Around text that a redactor may remove or leave: the frame of a private key, a user name.
const EITHER: [char; 2] = ['\u{e002}', '\u{e003}'];

/// Marks a secret in the text of a generator.
pub fn secret(text: &str) -> String {
    format!("{}{text}{}", SECRET[0], SECRET[1])
}

/// Marks text that counts neither as a secret nor as clean.
pub fn either(text: &str) -> String {
    format!("{}{text}{}", EITHER[0], EITHER[1])
}

pub fn without_marks(text: &str) -> String {
    text.replace([SECRET[0], SECRET[1], EITHER[0], EITHER[1]], "")
}

/// The beginning of a secret URL that tells only where it leads.
fn public_part(secret: &str) -> &str {
    let end = match secret.starts_with("https://") {
        true => secret.rfind('/').map_or(0, |at| at + 1),
        false => 0,
    };
    &secret[..end]
}

pub struct Document {
    /// The kind of the secret or of the look-alike.
    pub kind: &'static str,
    /// Where the text comes from, for example `env file`.
    pub carrier: &'static str,
    pub text: String,
    /// Byte ranges of the secrets.
    pub secrets: Vec<Range<usize>>,
    /// Byte ranges of text that counts neither as a secret nor as clean.
    pub either: Vec<Range<usize>>,
}

impl Document {
    /// Reads the marks of a generated text and removes them.
    pub fn new(kind: &'static str, carrier: &'static str, marked: &str) -> Document {
        let mut document = Document {
            kind,
            carrier,
            text: String::new(),
            secrets: Vec::new(),
            either: Vec::new(),
        };
        let (mut secret_from, mut either_from) = (0, 0);
        for character in marked.chars() {
            let at = document.text.len();
            if character == SECRET[0] {
                secret_from = at;
            } else if character == SECRET[1] {
                let from = secret_from + public_part(&document.text[secret_from..]).len();
                document.either.push(secret_from..from);
                document.secrets.push(from..at);
            } else if character == EITHER[0] {
                either_from = at;
            } else if character == EITHER[1] {
                document.either.push(either_from..at);
            } else {
                document.text.push(character);
            }
        }
        document
    }

    /// The byte ranges of the lines that contain text but no secret.
    pub fn clean_lines(&self) -> Vec<Range<usize>> {
        let marked = || self.secrets.iter().chain(&self.either);
        let mut start = 0;
        let mut lines = Vec::new();
        for line in self.text.split_inclusive('\n') {
            let range = start..start + line.len();
            start = range.end;
            let is_marked = marked().any(|mark| mark.start < range.end && range.start < mark.end);
            if !is_marked && !line.trim().is_empty() {
                lines.push(range);
            }
        }
        lines
    }
}
