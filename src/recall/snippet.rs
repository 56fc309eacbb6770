//! The part of a row's text that shows why the row was found.

use std::ops::Range;

use super::Snippet;
use super::query::Query;
use super::terms::Terms;
use crate::store::words::Document;
use crate::terms;
use crate::text::collapse_spaces;

/// Length of a snippet in characters.
const LENGTH: usize = 200;

/// How much of it comes before the first word of the query.
const LEAD: usize = 40;

/// What the title says is not repeated. Names for search are no prose and never shown.
pub fn snippet(document: &Document, title: &str, terms: &Terms, query: &Query) -> Snippet {
    let title = one_line(title);
    let body = cut(without_title(&one_line(&document.body), &title), terms, &query.phrases);
    if body.text.is_empty() { cut(&title, terms, &[]) } else { body }
}

/// The text behind the title that it begins with. A title may have been cut, but not in a word.
fn without_title<'a>(text: &'a str, title: &str) -> &'a str {
    let rest = text.strip_prefix(title.trim_end_matches('…').trim_end()).unwrap_or(text);
    match rest.starts_with(char::is_alphanumeric) {
        true => text,
        false => rest.trim_start_matches([' ', '·', '.']),
    }
}

/// The part with the most different words of the query.
fn cut(text: &str, terms: &Terms, phrases: &[String]) -> Snippet {
    let mut places: Vec<(Range<usize>, usize)> = Vec::new();
    terms::visit(text, |token| {
        if let Some(term) = terms.find(&token) {
            places.push((token.start..token.end, term));
        }
    });
    let char_at = |byte: usize| text[..byte].chars().count();
    let phrase = phrases.iter().find_map(|phrase| text.find(phrase.as_str()));
    let start = match phrase {
        Some(at) => at,
        None => best_start(&places).unwrap_or(0),
    };
    let from = char_at(start).saturating_sub(LEAD);
    let mut bytes = text.char_indices().map(|(at, _)| at).skip(from);
    let mut begin = bytes.next().unwrap_or(text.len());
    let mut end = bytes.nth(LENGTH - 1).unwrap_or(text.len());
    if begin > 0 {
        begin = text[begin..start].find(' ').map_or(begin, |at| begin + at + 1);
    }
    if end < text.len() {
        end = text[begin..end].rfind(' ').map_or(end, |at| begin + at).max(start);
    }
    let (before, after) =
        (if begin > 0 { "…" } else { "" }, if end < text.len() { "…" } else { "" });
    let shift = |at: usize| at - begin + before.len();
    let mut highlights: Vec<Range<usize>> = Vec::new();
    for (place, _) in places.iter().filter(|(place, _)| place.start >= begin && place.end <= end) {
        let place = shift(place.start)..shift(place.end);
        match highlights.last_mut() {
            Some(last) if place.start < last.end => last.end = last.end.max(place.end),
            _ => highlights.push(place),
        }
    }
    Snippet { text: format!("{before}{}{after}", &text[begin..end]), highlights }
}

/// Where the stretch with the most different words begins.
fn best_start(places: &[(Range<usize>, usize)]) -> Option<usize> {
    let mut best = (0, None);
    for (i, (place, _)) in places.iter().enumerate() {
        let mut seen: Vec<usize> = Vec::new();
        let near = places[i..].iter().take_while(|(p, _)| p.end - place.start <= LENGTH - LEAD);
        for (_, term) in near {
            if !seen.contains(term) {
                seen.push(*term);
            }
        }
        if seen.len() > best.0 {
            best = (seen.len(), Some(place.start));
        }
    }
    best.1
}

/// The text in one line, composed. A dot stands between lines that do not end like a sentence.
fn one_line(text: &str) -> String {
    let composed = terms::compose(text);
    let mut out = String::new();
    for line in composed.lines().map(collapse_spaces).filter(|line| !line.is_empty()) {
        if !out.is_empty() {
            let ends = out.ends_with(['.', '!', '?', ':', ';', ',', '。', '！', '？', '：']);
            out.push_str(if ends { " " } else { " · " });
        }
        out.push_str(&line);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_separated_and_the_title_is_not_repeated() {
        assert_eq!(one_line("Fixed it.\nAll passed\n\n- a  b"), "Fixed it. All passed · - a b");
        let check = |text: &str, title: &str, expected: &str| {
            assert_eq!(without_title(text, title), expected, "{title}");
        };
        check("Fix the parser · It reads all.", "Fix the parser", "It reads all.");
        check("Fix the parser and the docs", "Fix the parser…", "and the docs");
        check("Fix the parsers", "Fix the parser", "Fix the parsers");
        check("Fix the parser", "Another title", "Fix the parser");
        check("Fix the parser", "Fix the parser", "");
    }
}
