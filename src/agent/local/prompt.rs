//! The sentences that the user typed in a prompt.

use crate::clients::typed;
use crate::text::sentences_as_typed;

/// A sentence or list item of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub text: String,
    /// The line with a colon, or the heading, above a list item. Empty for a sentence.
    pub lead_in: String,
    pub is_item: bool,
}

/// Sentences that are read, so that a pasted book takes no time.
const MAX_SENTENCES: usize = 300;

/// What the user typed, without pasted code, tables and settings.
pub fn read(prompt: &str) -> Vec<Said> {
    let typed = typed(prompt);
    let lines: Vec<&str> = typed.lines().collect();
    let mut out: Vec<Said> = Vec::new();
    let mut lead_in = "";
    let mut at = 0;
    while at < lines.len() && out.len() < MAX_SENTENCES {
        let n_settings = settings(&lines[at..]);
        if n_settings > 0 {
            at += n_settings;
            continue;
        }
        let line = lines[at];
        at += 1;
        if is_no_prose(line) {
            continue;
        }
        if let Some(item) = item(line) {
            let text = emphasized(item);
            out.push(Said { text, lead_in: lead_in.to_owned(), is_item: true });
            continue;
        }
        if line.starts_with('#') {
            lead_in = line.trim_start_matches('#').trim();
            continue;
        }
        let mut paragraph = line.to_owned();
        while at < lines.len() && is_wrapped(&paragraph, lines[at]) {
            paragraph.push(' ');
            paragraph.push_str(lines[at]);
            at += 1;
        }
        let paragraph = emphasized(&paragraph);
        let said = sentences_as_typed(&paragraph).into_iter().take(MAX_SENTENCES - out.len());
        out.extend(said.map(|text| Said { text: text.to_owned(), ..Said::default() }));
        lead_in = if line.ends_with([':', '：']) { line } else { "" };
    }
    // A heading alone is better than nothing.
    if out.is_empty() && !lead_in.is_empty() {
        out.push(Said { text: lead_in.to_owned(), ..Said::default() });
    }
    out
}

/// The text of a list item, without its marker.
fn item(line: &str) -> Option<&str> {
    let bullet =
        ["- ", "* ", "+ ", "• ", "– ", "· "].iter().find_map(|mark| line.strip_prefix(mark));
    let number = || {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_number = rest.len() < line.len() && line.len() - rest.len() <= 2;
        let rest = rest.strip_prefix(['.', ')']).filter(|_| is_number)?;
        rest.starts_with(' ').then_some(rest)
    };
    let text = bullet.or_else(number)?.trim();
    Some(text.trim_start_matches("[ ] ").trim_start_matches("[x] "))
}

/// The text without marks of emphasis.
fn emphasized(text: &str) -> String {
    text.replace("**", "")
}

/// Whether a sentence goes on from one line to the next.
fn is_wrapped(line: &str, next: &str) -> bool {
    const MIN_WRAPPED: usize = 50;
    /// Longer paragraphs are split.
    const MAX_PARAGRAPH: usize = 4000;
    let ends = line.ends_with(['.', '!', '?', ':', ';', '。', '！', '？', '：', '؟']);
    let last = line.len() - line.rfind('\n').map_or(0, |at| at + 1);
    !ends
        && line.len() < MAX_PARAGRAPH
        && next.starts_with(|c: char| c.is_lowercase() || "`\"'(".contains(c))
        && last >= MIN_WRAPPED
        && item(next).is_none()
        && !is_no_prose(next)
}

/// The number of lines of settings (`key: value`) that the text begins with. One or two are prose.
fn settings(lines: &[&str]) -> usize {
    const MIN_SETTINGS: usize = 3;
    let is_setting = |line: &&&str| {
        let Some((key, value)) = line.split_once(": ").or_else(|| line.split_once('=')) else {
            return false;
        };
        let is_key = key.len() <= 30
            && !key.is_empty()
            && key.split(' ').count() <= 3
            && key.chars().all(|c| c.is_alphanumeric() || " _-./()".contains(c));
        is_key && value.len() <= 80 && !value.trim_end().ends_with(['.', '!', '?'])
    };
    let n = lines.iter().take_while(is_setting).count();
    if n >= MIN_SETTINGS { n } else { 0 }
}

/// Whether a line is code, a path, a table or a separator.
fn is_no_prose(line: &str) -> bool {
    let line = line.trim();
    if line.chars().filter(|c| c.is_alphabetic()).count() < 2 {
        return !line.contains(char::is_alphanumeric);
    }
    // Marks of code outside of inline code.
    let outside: String = line.replace("**", "").split('`').step_by(2).collect();
    let marks = outside.chars().filter(|c| "{}[]();=<>|\\$&*".contains(*c)).count();
    let ends = line.ends_with([';', '{', '}', '(']) || line.ends_with("=>") || line.ends_with(");");
    marks * 8 > outside.chars().count() || ends && marks > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prompt: &str, expected: &[&str]) {
        let said = read(prompt);
        let texts: Vec<&str> = said.iter().map(|said| said.text.as_str()).collect();
        assert_eq!(texts, expected, "{prompt}");
    }

    #[test]
    fn sentences_and_items_are_read() {
        check("Fix it. Then push", &["Fix it.", "Then push"]);
        check("Rules:\n- never push\n2. use **tabs**", &["Rules:", "never push", "use tabs"]);
        assert_eq!(read("Rules:\n- never push")[1].lead_in, "Rules:");
        assert_eq!(read("## Rules\n- never push")[0].lead_in, "Rules");
        check(
            "The export reads the whole table into memory first, which\nfails for large tables.",
            &["The export reads the whole table into memory first, which fails for large tables."],
        );
        check("2", &["2"]);
        check("b", &["b"]);
    }

    #[test]
    fn code_and_settings_are_left_out() {
        check("Why?\nconst a = foo(b, [c]);\nif (a) {\n}\nIt fails.", &["Why?", "It fails."]);
        check("Host: a\nPort: 80\nAccept: json\nIt hangs.", &["It hangs."]);
        check("Goal: a faster start", &["Goal: a faster start"]);
        check("| a | b |\n| - | - |\nSort it", &["Sort it"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "[-a-zA-Z0-9:.`*#\n |é。？]{0,200}") {
            let _ = read(&text);
        }
    }
}
