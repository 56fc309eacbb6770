//! The part of a row's text that shows why the row was found.

use std::ops::Range;

use super::Snippet;
use super::query::Query;
use super::terms::Terms;
use crate::store::words::Document;
use crate::terms;

/// Length of a snippet in characters.
const LENGTH: usize = 200;

/// How much of it comes before the first word of the query.
const LEAD: usize = 40;

/// `with_names`: what the row does not tell may be shown, if the words are only there.
pub fn snippet(document: &Document, terms: &Terms, with_names: bool, query: &Query) -> Snippet {
    let body = cut(&document.body, terms, &query.phrases);
    if !body.highlights.is_empty() {
        return body;
    }
    if with_names {
        let names = cut(&document.names, terms, &query.phrases);
        if !names.highlights.is_empty() {
            return names;
        }
    }
    match body.text.is_empty() {
        true => cut(&document.title, terms, &[]),
        false => body,
    }
}

/// The part with the most different words of the query.
fn cut(text: &str, terms: &Terms, phrases: &[String]) -> Snippet {
    let text = one_line(text);
    let mut places: Vec<(Range<usize>, usize)> = Vec::new();
    terms::visit(&text, |token| {
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

/// The text in one line, composed.
fn one_line(text: &str) -> String {
    let composed = terms::compose(text);
    crate::text::collapse_spaces(&composed)
}
