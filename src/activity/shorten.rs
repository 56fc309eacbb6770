//! Shortens a line at the end of a clause or a word.

use crate::text::collapse_spaces;

/// Collapses white space, and shortens the text to at most `max` characters. A shortened text ends
/// after a clause or a word, and has no ellipsis.
pub fn fit(text: &str, max: usize) -> String {
    let line = collapse_spaces(text);
    if line.chars().count() <= max {
        return line;
    }
    let head: String = line.chars().take(max + 1).collect();
    // Not inside brackets: `three of them (a, b, c)` must not end after `b`.
    let outside_brackets =
        |at: &usize| head[..*at].matches('(').count() <= head[..*at].matches(')').count();
    let tenths = |at: usize| head[..at].chars().count() * 10 / max.max(1);
    let last = |marks: &[&str], least: usize| {
        let found = marks.iter().filter_map(|mark| head.rfind(mark)).filter(outside_brackets);
        found.filter(|at| tenths(*at) >= least).max()
    };
    let clause = last(&["; ", " — ", " – ", ": ", ", ", " (", "。", "，", "、"], 6);
    let clause = clause.or_else(|| last(&["; ", " — ", " – ", "。"], 5));
    let end = clause
        .or_else(|| head.rfind(' '))
        .unwrap_or_else(|| head.char_indices().nth(max).map_or(head.len(), |(at, _)| at));
    let mut cut = head[..end].trim_end().to_owned();
    if cut.matches('`').count() % 2 == 1 {
        match cut.rfind('`').filter(|at| cut[..*at].chars().count() * 2 >= max) {
            Some(at) => cut.truncate(at),
            None => cut.push('`'),
        }
    }
    const MARKS: [char; 8] = [' ', ',', ';', ':', '(', '—', '–', '-'];
    let mut kept = cut.trim_end_matches(MARKS);
    while let Some((before, last)) = kept.rsplit_once(' ') {
        let bare = last.trim_matches(|c: char| !c.is_alphanumeric());
        if !leaves_open(&bare.to_lowercase()) {
            break;
        }
        kept = before.trim_end_matches(MARKS);
    }
    let open = kept.matches('(').count() > kept.matches(')').count();
    if open { format!("{kept})") } else { kept.to_owned() }
}

/// Whether a line that ends with this lower-case word looks unfinished: an article, a preposition or a
/// conjunction.
fn leaves_open(word: &str) -> bool {
    const WORDS: [&str; 40] = [
        "and", "or", "the", "a", "an", "of", "to", "with", "in", "on", "for", "by", "from", "at",
        "as", "into", "that", "which", "when", "is", "are", "its", "their", "now", "but", "so",
        "because", "und", "der", "die", "das", "mit", "et", "le", "la", "les", "de", "y", "el",
        "con",
    ];
    WORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortens_without_breaking_words() {
        assert_eq!(fit("short", 10), "short");
        assert_eq!(
            fit("guard for the empty input and the rest of it", 30),
            "guard for the empty input"
        );
        assert_eq!(fit("one two three, four five six seven", 18), "one two three");
        assert_eq!(
            fit("`parse everything` as it comes `or not` please", 36),
            "`parse everything` as it comes"
        );
        assert_eq!(fit("call it with `parse everything now` please", 24), "call it");
        assert_eq!(
            fit("a rather long beginning `of some code` here", 30),
            "a rather long beginning"
        );
        assert_eq!(fit("wwwwwwwwwwwwwwwwwwwwww", 5), "wwwww");
    }
}
