//! Joins the wrapped lines of a message, and strips list markers.

/// Minimum characters of a wrapped line. A shorter line that ends inside a sentence is complete.
const MIN_WRAPPED: usize = 50;

/// The lines of a message. Wrapped lines are joined.
pub fn unwrapped(message: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut in_code = false;
    for line in message.lines() {
        let trimmed = line.trim();
        let fence = trimmed.starts_with("```") || trimmed.starts_with("~~~");
        in_code ^= fence;
        let starts =
            trimmed.chars().next().is_some_and(|c| c.is_alphanumeric() || "`\"(".contains(c));
        let continues = !in_code && !fence && starts && !strip_marker(trimmed).1;
        match out.last_mut().filter(|before| continues && is_wrapped(before)) {
            Some(before) => {
                before.push(' ');
                before.push_str(trimmed);
            }
            None => out.push(line.to_owned()),
        }
    }
    out
}

/// Whether the sentence in this line seems to continue on the next one.
fn is_wrapped(line: &str) -> bool {
    let ends = line.ends_with(['.', '!', '?', ':', ';', '|', '*', '`', '。', '！', '？', '：']);
    !ends
        && !line.trim_start().starts_with(['#', '|', '`', '~'])
        && line.chars().count() >= MIN_WRAPPED
}

/// The text without its list marker, and whether it had one.
pub fn strip_marker(line: &str) -> (&str, bool) {
    let hashes = line.trim_start_matches('#');
    if hashes.len() != line.len() && hashes.starts_with(' ') {
        return (hashes.trim_start(), false);
    }
    if let Some(rest) = line.strip_prefix("> ") {
        return (rest.trim_start(), false);
    }
    for marker in ["- [x] ", "- [X] ", "- [ ] ", "- ", "* ", "+ ", "• ", "– "] {
        if let Some(rest) = line.strip_prefix(marker) {
            return (rest.trim_start(), true);
        }
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=3).contains(&digits) {
        for marker in [". ", ") "] {
            if let Some(rest) = line[digits..].strip_prefix(marker) {
                return (rest.trim_start(), true);
            }
        }
    }
    (line, false)
}

/// Whether the line is a horizontal rule.
pub fn is_ruler(line: &str) -> bool {
    line.len() >= 3 && line.chars().all(|c| matches!(c, '-' | '*' | '=' | '_' | ' '))
}
