//! Sentences.

/// The sentences of a field. A line break, full stop, semicolon, exclamation or question mark ends
/// a sentence.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    for line in text.lines() {
        let mut start = 0;
        for (at, c) in line.char_indices() {
            let end = at + c.len_utf8();
            let stops = matches!(c, '.' | ';' | '!' | '?') && line[end..].starts_with(' ');
            if stops || matches!(c, '。' | '！' | '？') {
                all.push(line[start..end].trim());
                start = end;
            }
        }
        all.push(line[start..].trim());
    }
    all.retain(|s| s.chars().any(char::is_alphanumeric));
    all
}
