//! A section of the block while it is filled.

use super::budget::Budget;

/// A line of a section.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Inert Markdown, without the line break.
    pub text: String,
    /// Name of the row that the line rests on: `s37`, `o412`.
    pub id: String,
    /// The line tells all of the row.
    pub is_whole: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    pub heading: &'static str,
    pub lines: Vec<Line>,
}

/// The heading of what is left to do.
pub const OPEN: &str = "Open";

impl Section {
    /// Whether its lines tell steps, and nothing else of their rows.
    pub fn has_steps(&self) -> bool {
        self.heading == OPEN
    }
}

/// A section while it is filled.
#[derive(Clone, Debug)]
pub struct Filler {
    heading: &'static str,
    whole: Budget,
    rest: Budget,
    pub lines: Vec<Line>,
    /// A line did not fit, or was shortened.
    pub wants_more: bool,
}

impl Filler {
    pub fn new(heading: &'static str, budget: Budget) -> Filler {
        Filler { heading, whole: budget, rest: budget, lines: Vec::new(), wants_more: false }
    }

    /// Adds a line if it fits. The section's first line also pays for the heading.
    pub fn push(&mut self, text: String, id: String) -> bool {
        self.add(Line { text, id, is_whole: false })
    }

    /// Adds a line that tells all of its row.
    pub fn push_whole(&mut self, text: String, id: String) -> bool {
        self.add(Line { text, id, is_whole: true })
    }

    fn add(&mut self, line: Line) -> bool {
        let heading =
            if self.lines.is_empty() { heading_line(self.heading) } else { String::new() };
        let fits = self.rest.take(&format!("{heading}{}\n", line.text));
        if fits {
            self.lines.push(line);
        } else {
            self.wants_more = true;
        }
        fits
    }

    pub fn spent(&self) -> Budget {
        self.whole.without(self.rest)
    }
}

pub fn heading_line(heading: &str) -> String {
    format!("\n## {heading}\n")
}
