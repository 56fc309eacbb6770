//! Identifies the lines that an edit adds, so that a line of a file leads to the edit that wrote it.
//!
//! A print is a hash of six hexadecimal digits. The line cannot be read from it. Prints are stored as
//! one string, without separators.

use crate::text::fnv_64;

/// Digits of a print.
const DIGITS: usize = 6;
/// Maximum number of prints of one edit.
const MAX_LINES: usize = 300;
/// Shorter lines, such as `} else {`, are everywhere.
const MIN_LETTERS: usize = 5;

/// The prints of added lines.
pub fn of_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let mut prints = String::new();
    for print in lines.into_iter().filter_map(of_line).take(MAX_LINES) {
        add(&mut prints, &print);
    }
    prints
}

/// The print of a line without the white space around it. `None` if the line has few letters.
pub fn of_line(line: &str) -> Option<String> {
    let line = line.trim();
    let letters = line.chars().filter(|c| c.is_alphanumeric()).count();
    (letters >= MIN_LETTERS).then(|| format!("{:06x}", fnv_64(line.as_bytes()) & 0xff_ffff))
}

pub fn contains(prints: &str, print: &str) -> bool {
    prints.as_bytes().chunks(DIGITS).any(|known| known == print.as_bytes())
}

/// The prints that are not among the others.
pub fn without(prints: &str, others: &str) -> String {
    let mut kept = String::new();
    for print in all(prints).filter(|print| !contains(others, print)) {
        kept.push_str(print);
    }
    kept
}

/// The prints that are among the others, too.
pub fn common(prints: &str, others: &str) -> String {
    without(prints, &without(prints, others))
}

fn all(prints: &str) -> impl Iterator<Item = &str> {
    prints.as_bytes().chunks(DIGITS).filter_map(|print| str::from_utf8(print).ok())
}

/// Adds prints up to `max` in all.
pub fn extend(prints: &mut String, more: &str, max: usize) {
    for print in all(more) {
        if prints.len() >= max * DIGITS {
            break;
        }
        add(prints, print);
    }
}

fn add(prints: &mut String, print: &str) {
    if !contains(prints, print) {
        prints.push_str(print);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_lines_are_recognized() {
        let mut prints = of_lines(["    let total = price * rate;", "}", "return total;"]);
        assert_eq!(prints.len(), 2 * DIGITS);
        let has = |prints: &str, line| of_line(line).is_some_and(|print| contains(prints, &print));
        assert!(has(&prints, "let total = price * rate;  "));
        assert!(!has(&prints, "let total = price * tax;"));
        assert!(!has(&prints, "}"));
        let more = of_lines(["return total;", "another line", "one more line"]);
        extend(&mut prints, &more, 3);
        assert_eq!(prints.len(), 3 * DIGITS);
        assert!(has(&prints, "another line") && !has(&prints, "one more line"));
        let left = without(&prints, &of_lines(["return total;"]));
        assert!(has(&left, "another line") && !has(&left, "return total;"));
        assert_eq!(common(&prints, &more), without(&more, &of_lines(["one more line"])));
    }

    #[test]
    fn stored_prints_stay_the_same() {
        assert_eq!(of_line(" return total;").unwrap(), "8887aa");
    }
}
