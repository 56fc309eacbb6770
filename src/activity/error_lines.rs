//! Selects the lines of a failed command's output that say what went wrong.

use super::shorten::fit;
use super::test_report;
use crate::text::strip_escapes;

/// Maximum characters of a line.
const MAX_LINE: usize = 180;
/// Maximum number of lines.
const MAX_LINES: usize = 3;

/// The lines that say what went wrong, the most specific first. Falls back to the last line with
/// content.
pub fn read(output: &str) -> Vec<String> {
    // Some git hooks print `\n` instead of newlines.
    let output = plain(output).replace("\\n", "\n");
    let frame = |c: char| c.is_whitespace() || ('\u{2500}'..='\u{257f}').contains(&c);
    let lines: Vec<&str> =
        output.lines().map(|l| l.trim_matches(frame)).filter(|l| has_content(l)).collect();
    let mut ranked: Vec<(u8, usize)> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| (weight(line), at))
        .filter(|(w, _)| *w > 0)
        .collect();
    ranked.sort_by_key(|(weight, at)| (std::cmp::Reverse(*weight), *at));
    let mut out: Vec<String> = Vec::new();
    for (weight, at) in ranked {
        // Lines with a low weight usually repeat a line with a high one.
        if out.len() >= MAX_LINES || (!out.is_empty() && weight < 5) {
            break;
        }
        push(&mut out, &quote(&lines, at));
    }
    if out.is_empty()
        && let Some(last) = lines.iter().rfind(|line| !counts_tests(line))
    {
        push(&mut out, last);
    }
    out
}

/// `text` without escape sequences, and with line breaks instead of carriage returns.
fn plain(text: &str) -> String {
    strip_escapes(text).replace('\r', "\n")
}

/// The line at `at`, joined with the line below it if it only announces that line.
fn quote(lines: &[&str], at: usize) -> String {
    let line = lines[at];
    if let Some(reason) = reason(line) {
        return reason.to_owned();
    }
    let next = lines.get(at + 1).copied().unwrap_or("");
    let place = next.strip_prefix("--> ");
    if let Some(place) = place {
        return format!("{line} ({place})");
    }
    if line.contains("panicked at") && line.ends_with(':') {
        let place = line.split("panicked at ").nth(1).unwrap_or("").trim_end_matches(':');
        return format!("panicked: {next}{} ({})", sides(&lines[at..]), without_column(place));
    }
    // `error during build:` announces the line below it.
    if line.ends_with(':') && !next.is_empty() {
        return format!("{} {}", bare(line), bare(next));
    }
    bare(line).to_owned()
}

/// Both sides of a Rust assertion, from the lines below it: `: left 8.0, right 14.5`.
fn sides(lines: &[&str]) -> String {
    let side = |name: &str| {
        let line = lines.iter().take(6).find_map(|l| l.strip_prefix(name))?.trim();
        (line.chars().count() <= 40).then(|| line.to_owned())
    };
    match (side("left:"), side("right:")) {
        (Some(left), Some(right)) => format!(": left {left}, right {right}"),
        _ => String::new(),
    }
}

/// The line without pytest's `E` marker.
fn bare(line: &str) -> &str {
    line.strip_prefix("E   ").unwrap_or(line).trim()
}

/// `src/a.rs:10` of `src/a.rs:10:5`.
fn without_column(place: &str) -> &str {
    let colons = place.matches(':').count();
    if colons >= 2 { place.rsplit_once(':').map_or(place, |(head, _)| head) } else { place }
}

fn push(out: &mut Vec<String>, line: &str) {
    let line = fit(line, MAX_LINE);
    let seen = out.iter().any(|l| l.contains(&line) || line.contains(l.as_str()));
    if !line.is_empty() && !seen {
        out.push(line);
    }
}

/// Whether a line has content. Rulers, exit codes, hints and the client's own lines have none.
fn has_content(line: &str) -> bool {
    let letters = line.chars().filter(|c| c.is_alphanumeric()).count();
    letters >= 3
        && !line.starts_with("====")
        && !line.starts_with("----")
        && !line.starts_with("____")
        && !line.contains("bytes cut]")
        && !line.starts_with("Exit code ")
        && !line.starts_with("[Output truncated")
        && !line.starts_with("note: run with `RUST_BACKTRACE")
        && !line.starts_with("npm notice")
        && !line.starts_with("hint: ")
}

/// The reason in pytest's `FAILED tests/test_a.py::test_b - ValueError: …`.
fn reason(line: &str) -> Option<&str> {
    Some(line.strip_prefix("FAILED ")?.split_once(" - ")?.1)
}

/// Whether a line is `1 failed, 4 passed in 1.32s`, which the test report covers.
fn counts_tests(line: &str) -> bool {
    let line = line.trim_matches('=').trim();
    line.starts_with(|c: char| c.is_ascii_digit()) && line.contains(" failed") && line.len() < 80
}

/// How specific a line is about the failure. 0 if it says nothing about it.
pub fn weight(line: &str) -> u8 {
    const UNSPECIFIC: [&str; 17] = [
        "error: could not compile",
        "error: aborting due to",
        "error: test failed",
        "warning:",
        "0 errors",
        "error: process didn't exit",
        "npm ERR! A complete log",
        "npm error A complete log",
        "npm ERR! code",
        "For more information about this error",
        "error: recipe",
        "make: ***",
        "make[1]: ***",
        "no errors",
        "error Command failed",
        "ELIFECYCLE",
        "errors: 0",
    ];
    if UNSPECIFIC.iter().any(|u| line.contains(u)) || line.starts_with("test result:") {
        return 0;
    }
    if reason(line).is_some() {
        return 6;
    }
    if counts_tests(line) {
        return 0;
    }
    // The test report has the names of failing tests.
    let names_test = line.starts_with("test ") && line.ends_with("FAILED")
        || line.starts_with("FAILED ")
        || line.starts_with("--- FAIL")
        || line.ends_with(" failed") && line.len() < 20
        || line.starts_with("FAIL\t")
        || line == "FAIL"
        || line == "failures:"
        || line == "Failures:";
    if names_test {
        return 0;
    }
    let line = bare(line);
    if line.starts_with("error[")
        || line.starts_with("assert ")
        || line.contains("panicked at")
        || line.starts_with("** (")
        || is_exception(line)
        || line.starts_with("Error: ")
        || line.starts_with("fatal: ")
        || line.contains("error TS")
    {
        return 9;
    }
    if line.starts_with("error:")
        || line.starts_with("error ")
        || line.contains(": error: ")
        || line.contains(": fatal error:")
    {
        return 8;
    }
    if line.starts_with("panic: ")
        || line.starts_with("npm ERR!")
        || line.starts_with("npm error")
        || line.starts_with("ERROR")
    {
        return 7;
    }
    let low = line.to_lowercase();
    const STRONG: [&str; 13] = [
        "no such file",
        "not found",
        "permission denied",
        "undefined",
        "cannot ",
        "can't ",
        "refused",
        "unexpected",
        "mismatch",
        "timed out",
        "out of memory",
        "invalid ",
        "is not ",
    ];
    if is_located(line) {
        return 6;
    }
    if test_report::read(line).is_some() {
        return 0;
    }
    if low.contains("error") || low.contains("failed") || low.contains("failure") {
        return 5;
    }
    if STRONG.iter().any(|s| low.contains(s))
        || low.starts_with("expected")
        || low.starts_with("assert")
    {
        return 4;
    }
    0
}

/// Whether a line is `relay_test.go:88: lost 1 of 500`: a place in a file and a message.
pub fn is_located(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(place, message)| {
        let mut parts = place.split(':');
        let file = parts.next().is_some_and(|f| f.contains('.') && !f.contains(' '));
        let numbers = parts.all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        file && numbers && place.contains(':') && message.split_whitespace().count() >= 2
    })
}

/// Whether a line is `ValueError: …` or `java.lang.NullPointerException: …`: a name that ends in
/// `Error` or `Exception`, a colon and a message.
fn is_exception(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(name, message)| {
        let bare = name.strip_prefix("Uncaught ").unwrap_or(name);
        !message.is_empty()
            && (bare.ends_with("Error") || bare.ends_with("Exception"))
            && bare.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | ':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(output: &str, expected: &[&str]) {
        assert_eq!(read(output), expected, "{output}");
    }

    #[test]
    fn the_most_specific_lines_come_first() {
        check(
            "Exit code 101\n   Compiling mine v0.1.0\nerror[E0308]: mismatched types\n  --> src/a.rs:3:5\n   |\nerror: could not compile `mine`",
            &["error[E0308]: mismatched types (src/a.rs:3:5)"],
        );
        check(
            "thread 'parser::parse_empty' panicked at src/parser.rs:42:9:\nassertion `left == right` failed\n  left: 1\n right: 2",
            &["panicked: assertion `left == right` failed: left 1, right 2 (src/parser.rs:42)"],
        );
        check(
            "Traceback (most recent call last):\n  File \"a.py\", line 3, in <module>\nValueError: invalid literal for int()",
            &["ValueError: invalid literal for int()"],
        );
        check(
            ">       assert total == 3\nE       assert 2 == 3\n\ntests/test_a.py:4: AssertionError",
            &["assert 2 == 3", "tests/test_a.py:4: AssertionError"],
        );
        check("Exit code 3\nout\nerr", &["err"]);
        check("", &[]);
        check(
            "\u{1b}[31mfatal: \u{1b}[0mThe current branch x has no upstream branch.",
            &["fatal: The current branch x has no upstream branch."],
        );
    }
}
