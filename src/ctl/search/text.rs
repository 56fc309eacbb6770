//! Hits as text for people: id and title, then what and when, then the part that was found.

use std::ops::Range;

use owo_colors::Style;
use unicode_width::UnicodeWidthStr;

use super::shown::{Around, Shown};
use crate::ctl::style::{HEAD, ID, MATCH, PLAIN, paint};
use crate::ctl::table::{Cell, Column, column, table};
use crate::ctl::terminal::{READABLE, wrapped};
use crate::memory::Origin;
use crate::recall::{Found, Hit, QueryWord, RowId, Snippet};
use crate::text::{escape, sanitize, truncate};

type Width = Option<usize>;

/// Maximum characters of a title.
const MAX_TITLE: usize = 160;

/// Maximum characters of the text of a neighbour.
const MAX_NEIGHBOUR: usize = 120;

/// The head of `--explain`: what was looked up.
pub fn explained_query(found: &Found, width: Width) -> String {
    const COLUMNS: [Column; 4] = [
        column("WORD").cut(8),
        column("ROWS").right(),
        column("IDF").right(),
        column("WEIGHT").right(),
    ];
    let row = |word: &QueryWord| -> [Cell; 4] {
        [
            escape(&word.word).into(),
            word.rows.to_string().into(),
            format!("{:.2}", word.idf).into(),
            format!("{:.2}", word.weight).into(),
        ]
    };
    let rows: Vec<[Cell; 4]> = found.words.iter().map(row).collect();
    let postings = crate::ctl::format::count(found.postings as u64, "entry");
    let postings = postings.replace("entrys", "entries");
    format!(
        "{}\nconfidence {:.2}; {postings} of the index read\n\n",
        table(&COLUMNS, &rows, width).trim_end_matches('\n'),
        found.confidence
    )
}

/// A hit. `several_projects`: its project is named.
pub fn hit(shown: &Shown, several_projects: bool, width: Width) -> String {
    let Hit { stored, snippet, .. } = &shown.hit;
    let id = stored.row.to_string();
    let indent = id.width() + 2;
    let title = truncate(&sanitize(stored.title()), MAX_TITLE);
    let in_title = highlights_in_title(&title, snippet);
    let highlights = in_title.as_deref().unwrap_or_default();
    let title = highlighted(&title, highlights, HEAD, indent, width);
    let mut out = format!("{}  {}", paint(&id, ID), title.trim_start());
    let lead = " ".repeat(indent);
    out.push_str(&wrapped(&lead, indent, &about(shown, several_projects), width));
    if in_title.is_none() {
        out.push_str(&highlighted(&snippet.text, &snippet.highlights, PLAIN, indent, width));
    }
    out
}

/// The highlights of a snippet that the title contains, as ranges of the title. `None` if it does not.
fn highlights_in_title(title: &str, snippet: &Snippet) -> Option<Vec<Range<usize>>> {
    let part = snippet.text.trim_matches(['…', ' ']);
    let in_snippet = snippet.text.find(part)?;
    let in_title = title.find(part)?;
    let moved = |at: usize| at.saturating_sub(in_snippet) + in_title;
    Some(snippet.highlights.iter().map(|range| moved(range.start)..moved(range.end)).collect())
}

/// What the row is, when it was stored, and what speaks against it.
fn about(shown: &Shown, several_projects: bool) -> String {
    let row = &shown.hit.stored;
    let mut about = vec![shown.when.clone(), sanitize(&row.kind)];
    if several_projects {
        about.push(sanitize(shown.project.as_deref().unwrap_or("no project")));
    }
    let notes = [
        (row.pinned, "pinned"),
        (row.superseded, "replaced by a later one"),
        (shown.is_expired, "expired"),
        (row.quarantined, "quarantined"),
        (row.origin == Origin::Web, "from the web"),
        (shown.is_beside, "beside a row that fits"),
        (shown.is_partial, "only parts of the name"),
    ];
    about.extend(notes.iter().filter(|(is, _)| *is).map(|(_, note)| (*note).to_owned()));
    if !shown.same_turn.is_empty() {
        let rows: Vec<String> = shown.same_turn.iter().map(RowId::to_string).collect();
        about.push(format!("same turn: {}", rows.join(", ")));
    }
    about.join(" · ")
}

/// The parts of a hit's score.
pub fn explained_hit(shown: &Shown, width: Width) -> String {
    let indent = shown.hit.stored.row.to_string().width() + 2;
    let e = &shown.hit.explain;
    let words: Vec<String> =
        e.words.iter().map(|(word, n)| format!("{} {n}", sanitize(word))).collect();
    let verbatim = if e.verbatim { "; has the query word for word" } else { "" };
    let text = format!(
        "score {:.2} = (words {:.2} + passage {:.2} + pairs {:.2}) × {:.2}; {}{verbatim}",
        positive(shown.hit.score),
        positive(e.row),
        positive(e.passage),
        positive(e.pairs),
        positive(e.factor),
        words.join(", ")
    );
    wrapped(&" ".repeat(indent), indent, &text, width)
}

/// The number without the sign of a negative zero.
fn positive(number: f64) -> f64 {
    number + 0.0
}

/// The rows of the same session before and after a hit.
pub fn neighbours(shown: &Shown, around: &Around, width: Width) -> String {
    let indent = shown.hit.stored.row.to_string().width() + 2;
    let mut out = String::new();
    for (side, rows) in [("before", &around.before), ("after ", &around.after)] {
        for row in rows {
            let id = row.row.to_string();
            let title = sanitize(&row.title);
            let title = truncate(title.lines().next().unwrap_or_default(), MAX_NEIGHBOUR);
            let lead = format!("{}{side}  {}  ", " ".repeat(indent), paint(&id, ID));
            let inner = indent + side.len() + id.width() + 4;
            out.push_str(&wrapped(&lead, inner, &title, width));
        }
    }
    out
}

/// Wraps a text and paints its highlights, and the rest in `style`. In a pipe it is one line.
fn highlighted(
    text: &str,
    highlights: &[Range<usize>],
    style: Style,
    indent: usize,
    width: Width,
) -> String {
    let columns = width.map_or(usize::MAX, |w| w.min(READABLE).saturating_sub(indent).max(20));
    let lead = " ".repeat(indent);
    let mut out = lead.clone();
    let (mut used, mut at) = (0, 0);
    for word in text.split(' ') {
        let painted = painted(word, at, highlights, style);
        let n = escape(word).width();
        at += word.len() + 1;
        if n == 0 {
            continue;
        }
        if used > 0 && used + 1 + n > columns {
            out.push('\n');
            out.push_str(&lead);
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(&painted);
        used += n;
    }
    out.push('\n');
    if used == 0 { String::new() } else { out }
}

/// A word of a text that begins at byte `at`, with the highlighted parts painted.
fn painted(word: &str, at: usize, highlights: &[Range<usize>], style: Style) -> String {
    let (mut out, mut done) = (String::new(), 0);
    for range in highlights {
        let begin = range.start.saturating_sub(at).clamp(done, word.len());
        let end = range.end.saturating_sub(at).clamp(done, word.len());
        if range.end <= at || begin >= end {
            continue;
        }
        let (Some(before), Some(inside)) = (word.get(done..begin), word.get(begin..end)) else {
            continue;
        };
        out.push_str(&paint(&escape(before), style));
        out.push_str(&paint(&escape(inside), MATCH));
        done = end;
    }
    out + &paint(&escape(&word[done..]), style)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn highlights_keep_their_words_when_a_text_is_wrapped() {
        let text = "the retry queue drops the last retry of a day";
        let highlights = [4..9, 31..36];
        let wrapped = highlighted(text, &highlights, PLAIN, 4, Some(24));
        assert_eq!(
            plain(&wrapped),
            "    the retry queue\n    drops the last retry\n    of a day\n"
        );
        let red = paint("retry", MATCH);
        assert_eq!(wrapped.matches(&red).count(), 2, "{wrapped:?}");
        assert_eq!(plain(&highlighted(text, &highlights, PLAIN, 0, None)), format!("{text}\n"));
    }

    #[test]
    fn a_highlight_may_be_a_part_of_a_word_or_several() {
        let check = |text: &str, range: Range<usize>, parts: &[&str]| {
            let painted = highlighted(text, &[range], PLAIN, 0, None);
            for part in parts {
                assert!(painted.contains(&paint(part, MATCH)), "{painted:?}");
            }
            assert_eq!(plain(&painted).trim_end(), text);
        };
        check("getUserId now", 3..7, &["User"]);
        check("one two three", 4..13, &["two", "three"]);
        check("記憶の端", 6..9, &["の"]);
        check("one", 0..0, &[]);
    }

    #[test]
    fn a_title_with_the_snippet_is_highlighted_itself() {
        let snippet = |text: &str, range: Range<usize>| Snippet {
            text: text.into(),
            highlights: Vec::from([range]),
        };
        let check = |title: &str, snippet: Snippet, expected: Option<Range<usize>>| {
            let expected = expected.map(|range| Vec::from([range]));
            assert_eq!(highlights_in_title(title, &snippet), expected, "{snippet:?}");
        };
        check("the last retry", snippet("the last retry", 9..14), Some(9..14));
        check("why the last retry failed", snippet("…last retry…", 8..13), Some(13..18));
        check("another title", snippet("…last retry…", 8..13), None);
    }

    #[test]
    fn control_characters_are_visible() {
        let first = 0..1;
        let shown = highlighted("a\u{1b}[31mb", &[first], PLAIN, 0, None);
        assert!(!plain(&shown).contains('\u{1b}'), "{shown:?}");
        assert_eq!(highlighted("", &[], PLAIN, 2, Some(60)), "");
    }
}
