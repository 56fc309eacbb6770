//! Elements, placeholders and preambles that clients put into a prompt.

use crate::text::Words;

/// Elements of a single word that hold text of others. All names with a hyphen or an underscore do,
/// such as `<ide_selection>` and `<task-notification>`.
const ELEMENTS: Words = Words(
    "assistant|attachment|attachments|blockquote|channel|comment|context|document|\
     documents|email|error|file|files|human|instructions|issue|log|logs|mail|memory|\
     message|notification|output|paste|pasted|quote|reminder|result|results|rules|\
     selection|stderr|stdout|summary|system|tool|transcript|user",
);

/// Returns `/name args` as the user typed it. A transcript writes such a prompt as
/// `<command-name>/name</command-name> … <command-args>args</command-args>`.
pub fn slash_command(prompt: &str) -> Option<String> {
    if !prompt.trim_start().starts_with("<command-") {
        return None;
    }
    let inside = |name: &str| {
        let from = prompt.split_once(&format!("<{name}>"))?.1;
        Some(from.split_once(&format!("</{name}>"))?.0.trim())
    };
    let typed = [inside("command-name")?, inside("command-args").unwrap_or("")].join(" ");
    Some(typed.trim_end().to_owned())
}

/// The text without elements that hold text of others, and without placeholders such as
/// `[Image #1]`. An element that is not closed reaches to the end of the text.
pub fn without_elements(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '[']) {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        rest = match after_text_of_others(tail) {
            Some(after) => after,
            None => {
                out.push_str(&tail[..1]);
                &tail[1..]
            }
        };
    }
    out.push_str(rest);
    out
}

/// What follows the element or the placeholder that `text` begins with.
fn after_text_of_others(text: &str) -> Option<&str> {
    if let Some(inner) = text.strip_prefix('[') {
        const MAX_PLACEHOLDER: usize = 400;
        let near = &inner[..inner.floor_char_boundary(MAX_PLACEHOLDER)];
        return near.find(']').filter(|_| is_placeholder(inner)).map(|at| &inner[at + 1..]);
    }
    element_name(text).map(|name| after_element(text, name))
}

fn is_placeholder(inner: &str) -> bool {
    ["Image #", "Pasted text #", "Image: ", "File: ", "Attachment: "]
        .iter()
        .any(|start| inner.starts_with(start))
}

/// The text after an IDE's preamble: Codex lists open tabs, selections and attached files, and ends the
/// list with the heading of the request.
pub fn without_preamble(prompt: &str) -> &str {
    const PREAMBLES: [&str; 3] =
        ["# Context from my IDE setup:", "# Files mentioned by the user:", "# Selected text:"];
    const REQUEST: &str = "## My request for Codex:";
    match PREAMBLES.iter().any(|start| prompt.starts_with(start)) {
        true => prompt.rsplit_once(REQUEST).map_or("", |(_, request)| request.trim_start()),
        false => prompt,
    }
}

/// The name of the element of others that `text` begins with, and what follows the element.
pub fn leading_element(text: &str) -> Option<(&str, &str)> {
    let name = Some(text).filter(|text| text.starts_with('<')).and_then(element_name)?;
    Some((name, after_element(text, name).trim_start()))
}

/// The name of the element of others that `text` begins with, opening or closing.
fn element_name(text: &str) -> Option<&str> {
    let inner = text[1..].trim_start_matches('/');
    let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':')))?;
    let name = &inner[..end];
    let low = name.to_ascii_lowercase();
    let closes =
        inner[end..].starts_with(['>', '/']) || inner[end..].starts_with(char::is_whitespace);
    let of_others = name.len() > 2 && name.contains(['-', '_', ':']) || ELEMENTS.are(&low);
    let has_end =
        inner[end..].find(['<', '>']).is_some_and(|at| inner[end..][at..].starts_with('>'));
    (closes && has_end && of_others && name.starts_with(|c: char| c.is_ascii_alphabetic()))
        .then_some(name)
}

/// What follows the element `name`, which `text` begins with. Elements of the same name may nest.
fn after_element<'a>(text: &'a str, name: &str) -> &'a str {
    let end = |text: &str| text.find('>').map_or(text.len(), |at| at + 1);
    let mut at = end(text);
    if text[..at].ends_with("/>") || text.starts_with("</") {
        return &text[at..];
    }
    let mut depth = 1;
    while let Some(next) = text[at..].find('<').map(|n| at + n) {
        let tail = &text[next..];
        at = next + 1;
        if element_name(tail).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            at = next + end(tail);
            match (tail.starts_with("</"), text[..at].ends_with("/>")) {
                (true, _) => depth -= 1,
                (false, false) => depth += 1,
                (false, true) => {}
            }
            if depth == 0 {
                return &text[at..];
            }
        }
    }
    ""
}
