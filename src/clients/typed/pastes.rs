//! Lines that show by themselves that they were pasted: quotations, code, logs, chats, mails.

use crate::text::Words;

/// The mark of a fenced block that begins with this line.
pub fn fence(line: &str) -> Option<&'static str> {
    ["```", "~~~", "\"\"\"", "'''"].into_iter().find(|mark| line.starts_with(mark))
}

/// The line after the fenced block that begins at `at`.
pub fn after_fence(lines: &[&str], at: usize, mark: &str) -> usize {
    let one_line =
        lines[at].trim().len() > mark.len() && lines[at].trim()[mark.len()..].contains(mark);
    if one_line {
        return at + 1;
    }
    let end = lines[at + 1..].iter().position(|line| line.trim().contains(mark));
    end.map_or(lines.len(), |n| at + n + 2)
}

/// Whether a line by itself shows that it was not typed: a quotation, code, a log, a mail's header.
pub fn is_of_others(line: &str) -> bool {
    let bare = line.trim();
    let indented = line.starts_with("    ") || line.starts_with('\t');
    if indented && !is_item(bare) {
        return true;
    }
    const STARTS: &[&str] = &[
        ">",
        "|",
        "// ",
        "/*",
        "diff --git",
        "@@ ",
        "+++ ",
        "--- ",
        "From: ",
        "To: ",
        "Cc: ",
        "Subject: ",
        "Date: ",
        "Sent: ",
        "Author: ",
        "Co-authored-by:",
        "Signed-off-by:",
        "Reviewed-by:",
    ];
    let is_changed_line = bare.starts_with(['+', '-']) && !bare[1..].starts_with([' ', '-']);
    is_changed_line || STARTS.iter().any(|start| bare.starts_with(start))
}

/// Whether a paste begins with this line: a log, a terminal, a chat, markup or a data file.
pub fn begins_paste(line: &str, next: &str) -> bool {
    let is_prompt = ["$ ", "% ", "❯ ", "➜ ", "PS C:", ">>> "].iter().any(|p| line.starts_with(p));
    let is_markup = line.strip_prefix('<').is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'))
            && rest.contains('>')
    });
    let is_data = ["{\"", "[{", "---"].iter().any(|start| line.starts_with(start));
    // A key of a YAML file above its indented values.
    let key = line.strip_suffix(':').unwrap_or("");
    let is_key = !key.is_empty()
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b))
        && next.starts_with("  ");
    is_prompt
        || is_markup
        || is_data
        || is_key
        || is_trace(line)
        || is_chat_header(line) && !next.trim().is_empty()
}

/// `jane  10:42 AM`.
fn is_chat_header(line: &str) -> bool {
    const MAX_WORDS: usize = 3;
    let words: Vec<&str> = line.split_whitespace().collect();
    let words = match words.as_slice() {
        [rest @ .., "AM" | "PM" | "am" | "pm"] => rest,
        all => all,
    };
    let is_time = |word: &&str| {
        let (hour, minute) = word.split_once(':').unwrap_or_default();
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits(hour) && hour.len() <= 2 && digits(minute) && minute.len() == 2
    };
    (2..=MAX_WORDS).contains(&words.len()) && words.last().is_some_and(is_time)
}

/// Whether a line belongs to a stack trace, a log or the output of a compiler.
fn is_trace(line: &str) -> bool {
    const STARTS: Words = Words(
        "Traceback |File \"|Exception in thread|Caused by: |Stack trace:|\
         stack backtrace:|goroutine |panic: |thread '|npm ERR!|npm error|error[|error: |\
         warning: |fatal: |Uncaught |Unhandled ",
    );
    let name = line.split(':').next().unwrap_or("");
    let exception =
        ["Error", "Exception", "Warning", "Panic", "Fault"].iter().any(|end| name.ends_with(end))
            && line.contains(": ")
            && name.chars().count() > 6
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:".contains(&b));
    STARTS.iter().any(|start| line.starts_with(start))
        || exception
        || line.starts_with("at ") && line.ends_with(')')
        || is_log_line(line)
}

/// `2026-11-24T10:00:00Z …`, `[12:03] alice: …`, `2026-11-24 12:03:44 WARN …`, `ERROR …`.
fn is_log_line(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or("");
    let is_stamp = |word: &str, mark: char| {
        let word = word.trim_matches(['[', ']', '(', ')']);
        word.contains(mark)
            && word.bytes().filter(u8::is_ascii_digit).count() >= 3
            && word.bytes().all(|b| b.is_ascii_digit() || b":-/.TZ+,".contains(&b))
    };
    let has_date = ['-', '/'].into_iter().any(|mark| is_stamp(first, mark));
    let is_time =
        is_stamp(first, ':') || has_date && words.next().is_some_and(|w| is_stamp(w, ':'));
    let level = first.trim_matches(['[', ']', ':']);
    is_time
        || matches!(
            level,
            "ERROR" | "WARN" | "WARNING" | "INFO" | "DEBUG" | "TRACE" | "FATAL" | "FAIL"
        )
}

pub fn is_item(line: &str) -> bool {
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    ["- ", "* ", "+ ", "• "].iter().any(|marker| line.starts_with(marker))
        || digits.len() < line.len() && digits.starts_with(['.', ')'])
}
