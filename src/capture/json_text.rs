//! The keys, strings and numbers of a JSON text as the lines of one text, so that a block may begin in
//! one of them and end in another. The names that clients give to their fields are no text.

use std::ops::Range;

use super::json::{self, Edit, Kind};
use crate::clients;

pub struct JsonText<'a> {
    raw: &'a str,
    /// The decoded pieces, each with a line break after it.
    pub text: String,
    pieces: Vec<Piece>,
}

struct Piece {
    kind: Kind,
    /// Position in the JSON text, without quotes.
    raw: Range<usize>,
    /// Position in [`JsonText::text`].
    text: Range<usize>,
    /// Whether it is the value of a path argument, and looks like a path.
    is_path: bool,
}

impl JsonText<'_> {
    /// `raw` is valid JSON.
    pub fn new(raw: &str) -> JsonText<'_> {
        let mut text = String::with_capacity(raw.len());
        let mut pieces = Vec::new();
        let mut after_path_key = false;
        json::scan(raw, |json::Value { kind, range, .. }| {
            let inner = &raw[range.clone()];
            let follows_path_key = std::mem::take(&mut after_path_key);
            if kind == Kind::Key {
                after_path_key = clients::is_path_argument(inner);
                if clients::is_field(inner) {
                    return;
                }
            }
            let start = text.len();
            text.push_str(&json::decode(raw, &range));
            let is_path = follows_path_key && kind == Kind::String && is_path(&text[start..]);
            pieces.push(Piece { kind, raw: range, text: start..text.len(), is_path });
            text.push('\n');
        });
        JsonText { raw, text, pieces }
    }

    /// The parts of `range`, a range of the text, that are not paths.
    pub fn without_paths(&self, range: &Range<usize>) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let mut start = range.start;
        for path in self.pieces.iter().filter(|p| p.is_path).map(|p| &p.text) {
            if path.start >= start && path.end <= range.end {
                parts.push(start..path.start);
                start = path.end;
            }
        }
        parts.push(start..range.end);
        parts
    }

    /// Applies edits of the text to the JSON text. The edits are in order and do not overlap. A number
    /// becomes a string, or `null` if nothing replaces it. Returns `None` if nothing changes.
    pub fn apply(&self, edits: &[Edit]) -> Option<String> {
        let mut rest = edits;
        let mut changed: Vec<(Range<usize>, String)> = Vec::new();
        for piece in &self.pieces {
            let edits = json::within(&mut rest, piece.text.clone());
            if edits.is_empty() {
                continue;
            }
            let new = match piece.kind {
                Kind::Key | Kind::String => {
                    json::escape(&json::apply(&self.text[piece.text.clone()], &edits))
                }
                Kind::Number if edits.iter().all(|e| e.with.is_empty()) => "null".into(),
                Kind::Number => format!("\"{}\"", json::escape(edits[0].with)),
            };
            changed.push((piece.raw.clone(), new));
        }
        (!changed.is_empty()).then(|| json::replace(self.raw, &changed))
    }
}

/// Whether a value of a path argument is a path and not, for example, the source of a notebook's cell.
fn is_path(text: &str) -> bool {
    text.contains(['/', '\\', '.']) && !text.contains(|c: char| c.is_whitespace() || c == '<')
}

/// Changes the keys, strings and numbers of a JSON text. `find` gets them as one text. Returns `None`
/// if nothing changed.
pub fn rewrite(raw: &str, find: impl Fn(&str) -> Vec<Edit>) -> Option<String> {
    let json = JsonText::new(raw);
    json.apply(&find(&json.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Removes `<…>`, and replaces each `x` by `[x]`.
    fn find(text: &str) -> Vec<Edit> {
        let mut edits = Vec::new();
        let mut start = None;
        for (at, c) in text.char_indices() {
            match c {
                '<' => start = Some(at),
                '>' => edits.extend(start.take().map(|s| Edit { range: s..at + 1, with: "" })),
                'x' if start.is_none() => edits.push(Edit { range: at..at + 1, with: "[x]" }),
                _ => {}
            }
        }
        edits
    }

    #[test]
    fn an_edit_spans_keys_strings_and_numbers() {
        let check = |raw: &str, expected: Option<&str>| {
            assert_eq!(rewrite(raw, find).as_deref(), expected, "{raw}");
        };
        check(r#"{"a":"b","n":1}"#, None);
        check(r#""a x""#, Some(r#""a [x]""#));
        check(
            r#"{"a":"1<2","name":3,"stdout":[-4.5e7,true],"é\n":"5","z":"6>7","n":8}"#,
            Some(r#"{"a":"1","name":null,"stdout":[null,true],"":"","":"7","n":8}"#),
        );
        check(r#"{"x":["<",{"k":">"}]}"#, Some(r#"{"[x]":["",{"":""}]}"#));
    }

    #[test]
    fn paths_are_left_out_of_a_range() {
        let raw = r#"{"a":"one","file_path":"/a/b","source":"two words","path":"c.rs","b":"end"}"#;
        let json = JsonText::new(raw);
        let parts = json.without_paths(&(0..json.text.len()));
        let kept: Vec<&str> = parts.into_iter().map(|range| json.text[range].trim()).collect();
        assert_eq!(kept, ["a\none", "two words", "b\nend"]);
    }
}
