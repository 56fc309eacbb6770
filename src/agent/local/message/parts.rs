//! Elements joined to parts: a paragraph, list or table with the heading and lead-in above it.

use super::super::labels::{Heading, Label, heading, split_label, stated_cause};
use super::super::marks::{Mark, Marked};
use super::elements::{BOLD_LEVEL, Element, Item, append_code, code, elements};
use super::inline::{ends_with_colon, plain, without_colon};
use crate::memory::BlockKind;
use crate::text::sentences_of_prose as sentences;

/// Maximum characters of a column's name that a cell repeats.
const MAX_COLUMN_NAME: usize = 20;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    pub heading: String,
    /// What the lead-in, else the nearest heading announces.
    pub announced: Option<Heading>,
    /// With its colon.
    pub lead_in: String,
    pub kind: BlockKind,
    pub lines: Vec<Line>,
    /// Somebody else's words: no steps, no claims.
    pub quoted: bool,
}

/// A sentence, an item with its nested items, or a row. Plain text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub text: String,
    /// A task's box: whether it is ticked. Struck-out items count as ticked.
    pub ticked: Option<bool>,
    pub ordered: bool,
}

impl Part {
    pub fn label(&self) -> Option<Label> {
        self.announced.map(Heading::label)
    }
}

pub fn parts(text: &str) -> Vec<Part> {
    let mut reader = Reader::default();
    elements(text).into_iter().for_each(|element| reader.element(element));
    reader.end_section();
    reader.parts.retain(|part| !part.lines.is_empty());
    // `Probable cause` and `The cause may be` are guesses.
    let is_guess = |text: &str| Marked::read(text).has(Mark::Expected);
    for part in reader.parts.iter_mut().filter(|part| part.label() == Some(Label::Cause)) {
        if is_guess(&part.heading) || is_guess(&part.lines[0].text) {
            part.announced = None;
        } else if let Some(cause) = stated_cause(&part.lines[0].text) {
            part.lines[0].text = cause;
        }
    }
    reader.parts
}

#[derive(Debug, Default)]
struct Reader {
    parts: Vec<Part>,
    /// The open headings, outermost first.
    headings: Vec<Open>,
    /// A lead-in that waits for what it introduces.
    lead: Option<Lead>,
    /// What the innermost heading says behind a label, `Next: the CLI`, while nothing else follows it.
    said_by_heading: Option<Part>,
    /// A list or table stood below the innermost heading. Its label does not reach beyond: a paragraph
    /// that follows is no step and no option, and below a bold line nothing that it announces.
    covered: bool,
    /// Such a paragraph followed.
    left: bool,
}

#[derive(Debug)]
struct Open {
    level: usize,
    text: String,
    announced: Option<Heading>,
}

#[derive(Debug)]
struct Lead {
    text: String,
    heading: String,
    announced: Option<Heading>,
}

impl Reader {
    fn element(&mut self, element: Element) {
        match element {
            Element::Heading { level, text } => self.heading(level, text),
            Element::Rule => {
                self.end_section();
                self.headings.retain(|open| open.level < BOLD_LEVEL);
            }
            Element::Paragraph { text, quoted } => self.paragraph(&text, quoted),
            Element::List(items) => self.list(items),
            Element::Table { header, rows } => self.table(&header, &rows),
            Element::Fence(lines) => self.fence(&lines),
        }
    }

    /// Nothing introduced follows any more.
    fn end_section(&mut self) {
        self.lead = None;
        self.parts.extend(self.said_by_heading.take());
    }

    fn heading(&mut self, level: usize, text: String) {
        self.end_section();
        self.covered = false;
        self.left = false;
        self.headings.retain(|open| open.level < level);
        let announced = heading(&text);
        self.said_by_heading = split_label(&text).map(|(announced, head, rest)| Part {
            heading: head.to_owned(),
            announced: Some(announced),
            lines: vec![line(rest)],
            ..Part::default()
        });
        self.headings.push(Open { level, text, announced });
    }

    fn paragraph(&mut self, source: &str, quoted: bool) {
        let text = plain(source);
        let label = split_label(&text).or_else(|| bold_label(source, &text)).filter(|_| !quoted);
        let (announced, head, rest) = match label {
            Some((announced, head, rest)) => (Some(announced), head, rest),
            None => (None, "", text.as_str()),
        };
        let mut sentences = sentences(rest);
        let opens = ends_with_colon(rest) && !quoted;
        let lead = if opens { sentences.pop().map(str::to_owned) } else { None };
        let mut rest = sentences.as_slice();
        while !rest.is_empty() {
            let mut part = self.part(BlockKind::Paragraph);
            if announced.is_some() && rest.len() == sentences.len() {
                part.heading = head.to_owned();
                part.announced = announced;
            }
            part.quoted = quoted;
            // `Remaining: the docs.` in the midst of a paragraph is a part of its own.
            // So is a sentence that states a cause.
            let states_cause = |text: &str| !quoted && stated_cause(text).is_some();
            let is_cause = part.announced.is_none() && states_cause(rest[0]);
            let begins = |text: &&str| !quoted && own_label(text).is_some() || states_cause(text);
            let end = match is_cause {
                true => 1,
                false => rest.iter().skip(1).position(begins).map_or(rest.len(), |end| end + 1),
            };
            if is_cause {
                part.announced = Some(Heading::Label(Label::Cause));
            }
            part.lines = rest[..end].iter().map(|text| line(text)).collect();
            if let Some((own, head, text)) =
                own_label(rest[0]).filter(|_| announced.is_none() && !quoted && !is_cause)
            {
                part.heading = head.to_owned();
                part.announced = Some(own);
                part.lines[0] = line(text);
            }
            self.parts.push(part);
            rest = &rest[end..];
        }
        if let Some(text) = lead {
            let before = self.lead.take();
            let announced = heading(&text)
                .or(announced)
                .or_else(|| before.as_ref().and_then(|lead| lead.announced));
            self.lead = Some(Lead { text, heading: head.to_owned(), announced });
        }
    }

    fn list(&mut self, items: Vec<Item>) {
        let part = self.part(BlockKind::List);
        let may_split = !matches!(part.label(), Some(Label::Next | Label::Option | Label::Minor));
        let mut rest = Part { lines: Vec::new(), ..part.clone() };
        for item in items {
            let line = item_line(&item);
            let own = own_label(&line.text).filter(|_| may_split);
            let Some((announced, head, text)) = own else {
                rest.lines.push(line);
                continue;
            };
            let own = Part {
                heading: head.to_owned(),
                announced: Some(announced),
                lines: vec![Line { text: text.to_owned(), ..line.clone() }],
                ..Part::default()
            };
            let before = std::mem::replace(&mut rest, Part { lines: Vec::new(), ..part.clone() });
            self.parts.extend([before, own]);
        }
        self.parts.push(rest);
        self.covered = true;
    }

    fn table(&mut self, header: &[String], rows: &[Vec<String>]) {
        let mut part = self.part(BlockKind::Table);
        part.lines = rows.iter().map(|row| line(&row_line(header, row))).collect();
        part.lines.retain(|line| !line.text.is_empty());
        self.parts.push(part);
        self.covered = true;
    }

    fn fence(&mut self, lines: &[String]) {
        let code = code(lines);
        if self.lead.is_some() {
            let mut part = self.part(BlockKind::Paragraph);
            let mut text = std::mem::take(&mut part.lead_in);
            append_code(&mut text, &code);
            part.lines = vec![line(&text)];
            self.parts.push(part);
            return;
        }
        if let Some(part) = self.parts.last_mut()
            && part.kind == BlockKind::Paragraph
            && let Some(last) = part.lines.last_mut()
            && !last.text.ends_with(['.', '!', '?', '。', '！', '？', '`', ']'])
        {
            append_code(&mut last.text, &code);
        } else if code != "[…]" {
            let mut part = self.part(BlockKind::Paragraph);
            part.lines = vec![line(&code)];
            self.parts.push(part);
        }
    }

    /// A part under the open headings, with the waiting lead-in.
    fn part(&mut self, kind: BlockKind) -> Part {
        self.said_by_heading = None;
        let inner = self.headings.last();
        let mut part = Part {
            heading: inner.map(|open| open.text.clone()).unwrap_or_default(),
            announced: self.headings.iter().rev().find_map(|open| open.announced),
            kind,
            ..Part::default()
        };
        let listed = matches!(part.label(), Some(Label::Next | Label::Option));
        let bold = inner.is_some_and(|open| open.level == BOLD_LEVEL);
        let Some(lead) = self.lead.take() else {
            let ends = self.covered && kind == BlockKind::Paragraph && (listed || bold);
            self.left |= ends;
            if self.left {
                part.heading.clear();
                part.announced = None;
            }
            return part;
        };
        if !lead.heading.is_empty() {
            part.heading = lead.heading;
        }
        // A section about next steps stays one, whatever its paragraphs begin with.
        let keeps = listed
            && !self.covered
            && !matches!(lead.announced.map(Heading::label), Some(Label::Next | Label::Option));
        if !keeps {
            part.announced = lead.announced.or(part.announced);
        }
        part.lead_in = lead.text;
        part
    }
}

/// A label that only its bold face sets apart: `**What was going on.** The guard`. `text` is the plain
/// text of `source`.
fn bold_label<'a>(source: &str, text: &'a str) -> Option<(Heading, &'a str, &'a str)> {
    let (bold, _) = source.trim_start().strip_prefix("**")?.split_once("**")?;
    let head = text.get(..plain(bold).len())?;
    let rest = text[head.len()..].trim_start();
    let head = head.trim_end_matches(['.', '!', '?', '。']);
    (!rest.is_empty()).then_some((heading(head)?, head, rest))
}

/// A label that makes a part of its own of a sentence or an item.
fn own_label(text: &str) -> Option<(Heading, &str, &str)> {
    split_label(text).filter(|(announced, ..)| {
        matches!(announced.label(), Label::Next | Label::Cause | Label::Decision)
    })
}

fn line(text: &str) -> Line {
    Line { text: text.to_owned(), ..Line::default() }
}

/// An item and its nested items in one line: `Guard — closes once; logs`.
fn item_line(item: &Item) -> Line {
    let struck = item.text.starts_with("~~");
    let mut text = plain(&item.text);
    let nested: Vec<String> = item.nested.iter().map(|item| plain(item)).collect();
    if !nested.is_empty() {
        let joint = if ends_with_colon(&text) { " " } else { " — " };
        text = format!("{}{joint}{}", text.trim_end_matches('.'), nested.join("; "));
    } else {
        // A lead-in without what it introduces.
        text.truncate(without_colon(&text).len());
    }
    let ticked = if struck { Some(true) } else { item.ticked };
    Line { text, ticked, ordered: item.ordered }
}

/// A row in one line: its first cell, then the others. With three columns or more the others need their
/// columns' names.
fn row_line(header: &[String], row: &[String]) -> String {
    let cells: Vec<String> = row.iter().map(|cell| plain(cell)).collect();
    let named = cells.len() >= 3;
    let others = cells.iter().enumerate().skip(1).filter(|(_, cell)| !cell.is_empty());
    let others = others.map(|(at, cell)| match header.get(at).map(|name| plain(name)) {
        Some(name) if named && !name.is_empty() && name.chars().count() <= MAX_COLUMN_NAME => {
            format!("{name} {cell}")
        }
        _ => cell.clone(),
    });
    let others: Vec<String> = others.collect();
    match cells.first().filter(|cell| !cell.is_empty()) {
        Some(first) if others.is_empty() => first.clone(),
        Some(first) => format!("{first}: {}", others.join("; ")),
        None => others.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Label, heading, lead-in and lines of each part.
    fn read(text: &str) -> Vec<String> {
        let show = |part: &Part| {
            let label = part.label().map(|label| format!("{label:?} ")).unwrap_or_default();
            let lines: Vec<&str> = part.lines.iter().map(|line| line.text.as_str()).collect();
            format!("{label}{}|{}|{}", part.heading, part.lead_in, lines.join(" / "))
        };
        parts(text).iter().map(show).collect()
    }

    #[test]
    fn a_lead_in_stands_with_what_it_introduces() {
        let list = "Restarted it. You should now see:\n\n- a banner\n- a prompt";
        assert_eq!(read(list), ["||Restarted it.", "|You should now see:|a banner / a prompt"]);
        assert_eq!(
            read("Fixed. It now does this:\n\n## Tests\nAll pass."),
            ["||Fixed.", "Test Tests||All pass."]
        );
        assert_eq!(read("The files:"), [] as [&str; 0]);
        assert_eq!(read("- **Gate**:\n- b"), ["||Gate / b"]);
        assert_eq!(read("What I saw:\n\nIt hangs."), ["|What I saw:|It hangs."]);
    }

    #[test]
    fn short_fences_stay_and_long_ones_leave_a_mark() {
        let long = format!("I changed the guard from:\n```rust\n{}```", "let x = 1;\n".repeat(9));
        assert_eq!(read(&long), ["||I changed the guard from […]"]);
        let short = "Run this:\n```sh\nmake db\nmake run\n```";
        assert_eq!(read(short), ["||Run this: `make db`; `make run`"]);
        assert_eq!(read("- Run\n  ```\n  make\n  ```\n- b"), ["||Run `make` / b"]);
        assert_eq!(read("```\na\nb\nc\nd\n```"), [] as [&str; 0]);
    }

    #[test]
    fn a_table_is_told_row_by_row() {
        let two = "| bug | fix |\n|--|--|\n| leak | `close()` |\n| race | lock |";
        assert_eq!(read(two), ["||leak: `close()` / race: lock"]);
        let three = "| metric | before | after |\n|--|--|--|\n| p99 | 12 ms | 8 ms |\n| | 1 | |";
        assert_eq!(read(three), ["||p99: before 12 ms; after 8 ms / before 1"]);
    }

    #[test]
    fn labels_reach_as_far_as_their_list() {
        let text = "## Next steps\n\n1. **Wire** the CLI\n2. Docs\n\nAll else is done.";
        assert_eq!(read(text), ["Next Next steps||Wire the CLI / Docs", "||All else is done."]);
        assert_eq!(
            read("**Cause:** a race.\n**Fix:** a lock.\nIt holds."),
            ["Cause Cause||a race.", "Done Fix||a lock. / It holds."]
        );
        assert_eq!(
            read("- Added a lock\n- **Cause**: a race\n- Next: the docs"),
            ["||Added a lock", "Cause Cause||a race", "Next Next||the docs"]
        );
        assert_eq!(
            read("Fixed.\n\n**What was going on.** The list was empty."),
            ["||Fixed.", "Cause What was going on||The list was empty."]
        );
        assert_eq!(
            read("## Next: Phase 3\n\n## Tests\nPass."),
            ["Next Next||Phase 3", "Test Tests||Pass."]
        );
        assert_eq!(
            read("## Next steps\n### Backend\n- a\n### Frontend\n- b"),
            ["Next Backend||a", "Next Frontend||b"]
        );
    }

    #[test]
    fn quotes_are_somebody_elses() {
        let all = parts("> You need to set `A`.\n\n> [!NOTE]\n> Set `B`.");
        assert_eq!(all.iter().map(|part| part.quoted).collect::<Vec<_>>(), [true, false]);
    }

    proptest::proptest! {
        #[test]
        fn any_text(text in r"[-#*>|`:~.0-9a-zé？ \n]{0,200}") {
            for part in parts(&text) {
                assert!(!part.lines.is_empty(), "{part:?}");
            }
        }
    }
}
