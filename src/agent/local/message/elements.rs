//! The Markdown of a message as elements: headings, paragraphs, lists, tables and fences.

use super::super::labels::split_label;
use super::inline::plain;

/// Headings of `#` have the levels 1 to 6, bold lines alone this one.
pub const BOLD_LEVEL: usize = 7;

/// Maximum words of a bold line that is a heading.
const MAX_HEADING_WORDS: usize = 12;

#[derive(Debug, PartialEq)]
pub enum Element {
    Heading {
        level: usize,
        text: String,
    },
    /// Its source, because bold words at its beginning may be a label.
    Paragraph {
        text: String,
        quoted: bool,
    },
    List(Vec<Item>),
    /// Cells of the header (empty without one) and of the rows.
    Table {
        header: Vec<String>,
        rows: Vec<Vec<String>>,
    },
    Fence(Vec<String>),
    Rule,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// Its source.
    pub text: String,
    pub nested: Vec<String>,
    pub ordered: bool,
    /// A task's box: whether it is ticked.
    pub ticked: Option<bool>,
    indent: usize,
}

struct Fence {
    mark: char,
    len: usize,
    indent: usize,
    lines: Vec<String>,
}

/// Reads lines into elements.
#[derive(Default)]
struct Reader {
    done: Vec<Element>,
    fence: Option<Fence>,
    /// The line before was blank.
    blank: bool,
}

pub fn elements(text: &str) -> Vec<Element> {
    let mut reader = Reader::default();
    text.lines().for_each(|line| reader.line(line));
    // A fence that a truncated text leaves open.
    reader.close_fence();
    reader.done
}

impl Reader {
    fn line(&mut self, line: &str) {
        let indent = indent(line);
        let text = line.trim();
        if let Some(fence) = &mut self.fence {
            let marks = text.len() - text.trim_start_matches(fence.mark).len();
            if marks >= fence.len && marks == text.len() {
                self.close_fence();
            } else {
                fence.lines.push(line.trim_end().to_owned());
            }
            return;
        }
        if text.is_empty() {
            self.blank = true;
            return;
        }
        self.start(text, indent);
        self.blank = false;
    }

    fn start(&mut self, text: &str, indent: usize) {
        if let Some(mark) = ['`', '~'].into_iter().find(|mark| {
            let run = text.trim_start_matches(*mark);
            text.len() - run.len() >= 3 && !run.contains('`')
        }) {
            let len = text.len() - text.trim_start_matches(mark).len();
            self.fence = Some(Fence { mark, len, indent, lines: Vec::new() });
        } else if let Some((level, text)) = hashes(text) {
            self.done.push(Element::Heading { level, text: heading_text(text) });
        } else if is_rule(text) {
            self.done.push(Element::Rule);
        } else if let Some(row) = table_row(text) {
            self.row(row);
        } else if let Some(quote) = text.strip_prefix('>') {
            self.quote(quote.trim_start_matches(['>', ' ']));
        } else if let Some(item) = item(text, indent) {
            self.item(item);
        } else {
            self.paragraph(text, indent);
        }
    }

    fn row(&mut self, row: Vec<String>) {
        let is_delimiter =
            row.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':')));
        match self.done.last_mut() {
            Some(Element::Table { header, rows }) if !self.blank => {
                if !is_delimiter {
                    rows.push(row);
                } else if header.is_empty()
                    && let Some(first) = rows.pop()
                {
                    *header = first;
                }
            }
            _ => self.done.push(Element::Table { header: Vec::new(), rows: vec![row] }),
        }
    }

    fn quote(&mut self, text: &str) {
        // A callout such as `[!NOTE]` is the assistant's own.
        if text.starts_with("[!") {
            self.done.push(Element::Paragraph { text: String::new(), quoted: false });
            return;
        }
        match self.done.last_mut() {
            Some(Element::Paragraph { text: before, quoted })
                if !self.blank && (*quoted || before.is_empty()) =>
            {
                join(before, text);
            }
            _ => self.done.push(Element::Paragraph { text: text.to_owned(), quoted: true }),
        }
    }

    fn item(&mut self, item: Item) {
        if let Some(Element::List(items)) = self.done.last_mut()
            && let (Some(first), Some(last)) = (items.first(), items.last())
        {
            let deeper = item.indent >= first.indent + 2;
            let under_number = last.ordered && !item.ordered && !self.blank;
            let same_kind = first.ordered == item.ordered;
            if deeper || under_number {
                if let Some(last) = items.last_mut() {
                    last.nested.push(item.text);
                }
                return;
            }
            if same_kind || !self.blank {
                items.push(item);
                return;
            }
        }
        self.done.push(Element::List(vec![item]));
    }

    fn paragraph(&mut self, text: &str, indent: usize) {
        if let Some(bold) = bold_line(text) {
            self.done.push(Element::Heading { level: BOLD_LEVEL, text: heading_text(bold) });
            return;
        }
        match self.done.last_mut() {
            Some(Element::List(items)) if indent >= 2 || !self.blank && continues(items, text) => {
                if let Some(item) = items.last_mut() {
                    join(item.nested.last_mut().unwrap_or(&mut item.text), text);
                }
            }
            Some(Element::Paragraph { text: before, quoted: false })
                if !self.blank && !begins_with_label(text) =>
            {
                join(before, text);
            }
            _ => self.done.push(Element::Paragraph { text: text.to_owned(), quoted: false }),
        }
    }

    fn close_fence(&mut self) {
        let Some(fence) = self.fence.take() else { return };
        if let Some(Element::List(items)) = self.done.last_mut()
            && fence.indent >= 2
            && let Some(item) = items.last_mut()
        {
            let code = code(&fence.lines);
            let text = item.nested.last_mut().unwrap_or(&mut item.text);
            append_code(text, &code);
            return;
        }
        // Options that are drawn in a fence are a list.
        let lines: Vec<&String> = fence.lines.iter().filter(|l| !l.trim().is_empty()).collect();
        let items: Vec<Item> = lines.iter().filter_map(|l| option_line(l.trim())).collect();
        if items.len() >= 2 && items.len() * 2 >= lines.len() {
            self.done.push(Element::List(items));
        } else if !lines.is_empty() {
            self.done.push(Element::Fence(fence.lines));
        }
    }
}

/// Code of a fence in one line: up to three lines inline, else `[…]`.
pub fn code(lines: &[String]) -> String {
    const MAX_LINES: usize = 3;
    const MAX_CHARS: usize = 240;
    let lines: Vec<&str> = lines.iter().map(|l| l.trim()).filter(|l| !l.is_empty()).collect();
    let chars: usize = lines.iter().map(|line| line.chars().count()).sum();
    if lines.len() > MAX_LINES || chars > MAX_CHARS {
        return "[…]".to_owned();
    }
    let quoted = lines.iter().map(|line| match line.contains('`') {
        true => (*line).to_owned(),
        false => format!("`{line}`"),
    });
    quoted.collect::<Vec<_>>().join("; ")
}

/// Appends code to the text that introduces it. Left-out code takes the colon with it.
pub fn append_code(text: &mut String, code: &str) {
    if code == "[…]" {
        text.truncate(super::inline::without_colon(text).len());
    }
    join(text, code);
}

fn join(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// Columns of white space at the beginning.
fn indent(line: &str) -> usize {
    let space = line.chars().take_while(|c| c.is_whitespace());
    space.map(|c| if c == '\t' { 4 } else { 1 }).sum()
}

fn hashes(text: &str) -> Option<(usize, &str)> {
    let rest = text.trim_start_matches('#');
    let level = text.len() - rest.len();
    ((1..=6).contains(&level) && rest.starts_with(' '))
        .then(|| (level, rest.trim_matches(['#', ' '])))
}

fn is_rule(text: &str) -> bool {
    text.len() >= 3
        && ['-', '*', '_', '=', '─', '━'].iter().any(|c| text.chars().all(|t| t == *c || t == ' '))
}

fn table_row(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('|')?;
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    let cells = || inner.split('|').map(|cell| cell.trim().to_owned());
    inner
        .contains('|')
        .then(|| cells().collect())
        .or_else(|| text.ends_with('|').then(|| cells().collect()))
}

/// The inner text of a bold line alone. A bold sentence is a paragraph.
fn bold_line(text: &str) -> Option<&str> {
    let text = text.trim_end_matches([':', '：']);
    let start = text.find("**")?;
    // A pictograph or a number may stand before it.
    if text[..start].chars().any(|c| c.is_alphabetic()) || start > 8 {
        return None;
    }
    let inner = text[start + 2..].strip_suffix("**")?;
    let ends = inner.ends_with(['.', '!', '?', '。', '！', '？']);
    let short = inner.split_whitespace().count() <= MAX_HEADING_WORDS;
    (!inner.is_empty() && !inner.contains("**") && !ends && short).then_some(inner)
}

fn heading_text(text: &str) -> String {
    super::inline::without_colon(&plain(text)).to_owned()
}

/// Whether the line begins with a label and a colon, `**Cause:** …`, and so with a thought of its own.
fn begins_with_label(text: &str) -> bool {
    text.starts_with("**") || split_label(text).is_some()
}

/// Whether a line without indentation continues the last item of a list.
fn continues(items: &[Item], text: &str) -> bool {
    let Some(last) = items.last() else { return false };
    let before = last.nested.last().unwrap_or(&last.text);
    let open = !before.ends_with(['.', '!', '?', ':', ';', '。', '！', '？', '：']);
    open && text.chars().next().is_some_and(|c| c.is_lowercase() || c == '`' || c == '(')
}

/// The item that a line begins.
fn item(text: &str, indent: usize) -> Option<Item> {
    for marker in ["- ", "* ", "+ ", "• ", "– ", "▪ ", "◦ ", "· ", "→ "] {
        if let Some(rest) = text.strip_prefix(marker) {
            return Some(boxed(rest.trim_start(), indent, false));
        }
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=3).contains(&digits) {
        for marker in [". ", ") ", "、", "．"] {
            if let Some(rest) = text[digits..].strip_prefix(marker) {
                return Some(boxed(rest.trim_start(), indent, true));
            }
        }
    }
    // `A. keep it`, `b) drop it`: options.
    let letter = text.as_bytes().first().filter(|b| matches!(b, b'A'..=b'H' | b'a'..=b'h'));
    if let Some(letter) = letter {
        let marks = if letter.is_ascii_uppercase() { [". ", ") "] } else { [") ", ") "] };
        if let Some(rest) = marks.iter().find_map(|mark| text[1..].strip_prefix(mark)) {
            return Some(boxed(rest.trim_start(), indent, true));
        }
    }
    // A line that begins with a tick or another pictograph.
    let first = text.chars().next()?;
    let rest = text[first.len_utf8()..].trim_start_matches('\u{fe0f}');
    let ticked = match first {
        '✅' | '✔' | '✓' | '☑' => Some(true),
        '☐' | '⬜' | '⏳' | '🔲' => Some(false),
        '❌' | '✗' | '⚠' | '🔹' | '🔸' | '➡' | '👉' | '🔧' | '📝' => None,
        _ => return None,
    };
    let text = rest.strip_prefix(' ')?.trim_start();
    let whole_bold = bold_line(text).is_some();
    (!whole_bold).then(|| Item { text: text.to_owned(), ticked, indent, ..Item::default() })
}

/// An item whose text may begin with the box of a task.
fn boxed(text: &str, indent: usize, ordered: bool) -> Item {
    let boxes =
        [("[x]", true), ("[X]", true), ("[ ]", false), ("✅", true), ("☑", true), ("☐", false)];
    let found =
        boxes.into_iter().find_map(|(mark, ticked)| Some((text.strip_prefix(mark)?, ticked)));
    let (text, ticked) = match found {
        Some((rest, ticked)) => (rest.trim_start_matches('\u{fe0f}').trim_start(), Some(ticked)),
        // `Phase 3 ⏳ the CLI`
        None => (text, text.contains(['⏳', '🔲', '⬜', '🚧']).then_some(false)),
    };
    Item { text: text.to_owned(), nested: Vec::new(), ordered, ticked, indent }
}

/// An option in a fence: `1) keep`, `[A] keep`, `- keep`.
fn option_line(text: &str) -> Option<Item> {
    if let Some(item) = item(text, 0).filter(|item| !item.text.is_empty()) {
        return Some(item);
    }
    let inner = text.trim_start_matches(['[', '(']);
    let mut chars = inner.chars();
    let letter = chars.next().filter(char::is_ascii_alphanumeric)?;
    let rest = chars.as_str();
    let rest = [") ", "] ", ": ", ". "].iter().find_map(|end| rest.strip_prefix(end))?;
    let ordered = letter.is_ascii_alphanumeric();
    Some(Item { text: rest.trim().to_owned(), ordered, ..Item::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(element: &Element) -> Vec<(&str, Vec<&str>)> {
        let Element::List(items) = element else { panic!("{element:?}") };
        items
            .iter()
            .map(|i| (i.text.as_str(), i.nested.iter().map(String::as_str).collect()))
            .collect()
    }

    #[test]
    fn lists_keep_nested_items() {
        let text = "- a\n  - b\n  - c\n\n- d\n  continued\n1. e\n- f\n\nEnd";
        let all = elements(text);
        assert_eq!(
            list(&all[0]),
            [("a", vec!["b", "c"]), ("d continued", vec![]), ("e", vec!["f"])]
        );
        assert_eq!(all[1], Element::Paragraph { text: "End".into(), quoted: false });
    }

    #[test]
    fn fences_of_options_are_lists() {
        let all = elements("```\nA) keep the cache\nB) drop it\n```\n```sh\nmake\n```");
        assert_eq!(list(&all[0]), [("keep the cache", vec![]), ("drop it", vec![])]);
        assert_eq!(all[1], Element::Fence(vec!["make".into()]));
    }

    #[test]
    fn tables_have_headers() {
        let all = elements("| a | b |\n|---|:-:|\n| 1 | 2 |");
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(all, [Element::Table { header: row(["a", "b"]), rows: vec![row(["1", "2"])] }]);
    }

    #[test]
    fn bold_lines_alone_are_headings() {
        let heading = |text: &str| Element::Heading { level: BOLD_LEVEL, text: text.into() };
        assert_eq!(elements("**Next steps:**"), [heading("Next steps")]);
        assert_eq!(elements("✅ **Done**"), [heading("Done")]);
        let sentence = "**All tests pass.**";
        assert_eq!(
            elements(sentence),
            [Element::Paragraph { text: sentence.into(), quoted: false }]
        );
    }

    #[test]
    fn a_fence_may_stay_open() {
        assert_eq!(elements("```\nx = 1"), [Element::Fence(vec!["x = 1".into()])]);
        assert_eq!(elements("```"), []);
    }
}
