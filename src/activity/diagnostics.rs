//! Recognizes how compilers, linters, type checkers and task runners report failure and success.

use super::error_lines;
use super::shorten::fit;
use crate::memory::{CheckKind, CheckRun};
use crate::text::is_name;

/// What a runner without test counts reports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnostics {
    /// The number that the runner prints, with its unit: `3 errors`.
    total: Option<String>,
    /// Diagnostics with a place, if the runner prints no number.
    lines: usize,
    /// The first line that says what is wrong.
    pub reason: String,
    /// Where it is wrong, with the code of the error: `TS2304 src/api.ts:4`. Names only.
    pub places: Vec<String>,
}

/// Maximum number of places.
const MAX_PLACES: usize = 3;

impl Diagnostics {
    /// `3 errors`. Empty if nothing was counted.
    pub fn counts(&self) -> String {
        match (&self.total, self.lines) {
            (Some(total), _) => total.clone(),
            (None, 0) => String::new(),
            (None, 1) => "1 error".to_owned(),
            (None, n) => format!("{n} errors"),
        }
    }
}

/// Longer lines are data.
const MAX_LINE: usize = 400;

/// The failure that `output` reports for a check of this kind, without escape sequences.
pub fn read(output: &str, check: &CheckRun) -> Option<Diagnostics> {
    let mut found = Diagnostics::default();
    let (mut said, mut reason_is_specific) = (false, false);
    let mut lines = output.lines().map(str::trim).filter(|l| l.len() <= MAX_LINE).peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().copied().unwrap_or("");
        let is_diagnostic = is_compile_error(line, next)
            || check.kind != CheckKind::Test && is_located(line, check.kind);
        if is_diagnostic {
            found.lines += 1;
            if let Some(place) = place(line, next).filter(|_| found.places.len() < MAX_PLACES)
                && !found.places.contains(&place)
            {
                found.places.push(place);
            }
            if !reason_is_specific {
                reason_is_specific = true;
                let place = next.strip_prefix("--> ").map(|place| format!(" ({place})"));
                found.reason = fit(&format!("{line}{}", place.unwrap_or_default()), 180);
            }
        }
        if let Some(total) = total(line, check.kind) {
            said = true;
            found.total = Some(total);
        } else if reports_failure(line, check.kind) {
            said = true;
        } else {
            continue;
        }
        if found.reason.is_empty() {
            found.reason = fit(line, 180);
        }
    }
    (said || found.lines > 0).then_some(found)
}

/// Code and place of a diagnostic. The place stands before the message, or in the next line after `-->`.
fn place(line: &str, next: &str) -> Option<String> {
    let after = next.strip_prefix("--> ");
    let text = after.unwrap_or(line);
    let end = text.find(['(', ':']).filter(|end| *end > 0)?;
    let (path, rest) = text.split_at(end);
    let digits: String = rest[1..].chars().take_while(char::is_ascii_digit).collect();
    if digits.is_empty() || digits.len() > 7 || !path.contains('.') || !is_name(path) {
        return None;
    }
    let code = line.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        (1..=4).contains(&letters.len())
            && word.len() - letters.len() >= 3
            && letters.bytes().all(|b| b.is_ascii_uppercase())
    });
    let code = code.map(|code| format!("{code} ")).unwrap_or_default();
    Some(format!("{code}{path}:{digits}"))
}

/// Whether a line is a compiler's error in any language.
fn is_compile_error(line: &str, next: &str) -> bool {
    line.starts_with("error[")
        || line.starts_with("error: ") && next.starts_with("--> ")
        || line.starts_with("error TS")
        || line.contains(": error TS")
        || line.contains(": fatal error:")
        || line.contains(": error: ")
        || line.contains(" - error TS")
        || line.starts_with("** (CompileError)")
        || line.starts_with("** (SyntaxError)")
        || line.starts_with("** (TokenMissingError)")
        || line.starts_with("== Compilation error")
        || line.starts_with("CMake Error")
        || line.starts_with("✘ [ERROR]")
        || line.starts_with("ERROR in ")
        || line.contains("undefined reference to `")
        || line.starts_with("e: file:")
        || line.starts_with("SyntaxError: ")
}

/// Whether a line is a place and a message: `src/a.go:3:2: undefined: x`, eslint's `3:1  error  …`.
fn is_located(line: &str, kind: CheckKind) -> bool {
    let mut words = line.split_whitespace();
    let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let is_position = |word: &str| {
        word.split_once(':').is_some_and(|(line, column)| is_number(line) && is_number(column))
    };
    if is_position(first) && second == "error" {
        return true;
    }
    if kind == CheckKind::Types && line.contains(" - error: ") {
        return true;
    }
    // Builds print warnings with a place.
    let is_warning = line.to_ascii_lowercase().contains("warning");
    error_lines::is_located(line) && !is_warning && !line.contains(": note: ")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The runner's own number of errors, with its unit.
fn total(line: &str, kind: CheckKind) -> Option<String> {
    if kind == CheckKind::Test {
        return None;
    }
    const UNITS: [&str; 12] = [
        "error",
        "errors",
        "problem",
        "problems",
        "offense",
        "offenses",
        "violation",
        "violations",
        "issue",
        "issues",
        "diagnostic",
        "diagnostics",
    ];
    let words: Vec<&str> = line
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ','))
        .map(|word| word.trim_matches(['.', ':', '✖', '=', '!']))
        .filter(|word| !word.is_empty())
        .collect();
    let begins = match *words.first()? {
        "Found" | "found" => true,
        // `✖ 3 problems (2 errors, 1 warning)`, `12 files inspected, 3 offenses detected`
        first => is_number(first),
    };
    // `error: could not compile `x` (lib) due to 3 previous errors`
    let of_cargo = line.contains("could not compile") || line.starts_with("error: aborting due to");
    if !begins && !of_cargo {
        return None;
    }
    let errors_first = |(_, unit): &(&str, &str)| !unit.starts_with("error");
    let mut found: Vec<(&str, &str)> = words
        .windows(2)
        .filter(|pair| is_number(pair[0]) && UNITS.contains(&pair[1]))
        .map(|pair| (pair[0], pair[1]))
        .chain(words.windows(3).filter_map(|w| {
            (is_number(w[0]) && w[1] == "previous" && UNITS.contains(&w[2])).then_some((w[0], w[2]))
        }))
        .filter(|(number, _)| number.bytes().any(|b| b != b'0'))
        .collect();
    found.sort_by_key(errors_first);
    found.first().map(|(number, unit)| format!("{number} {unit}"))
}

/// Whether a line says that the check or its task failed.
fn reports_failure(line: &str, kind: CheckKind) -> bool {
    const TASKS: [&str; 9] = [
        "make: *** [",
        "npm error Lifecycle script",
        "npm ERR! Lifecycle script",
        "error Command failed with exit code",
        "error: Recipe `",
        "error: recipe `",
        "error: script \"",
        "task: Failed to run task",
        "ninja: build stopped",
    ];
    const BUILDS: [&str; 11] = [
        "error: could not compile",
        "BUILD FAILED",
        "FAILURE: Build failed",
        "Failed to compile",
        "COMPILATION ERROR",
        "Build failed",
        "error during build",
        "error: build failed",
        "ERROR: failed to solve",
        "Build FAILED",
        "[ERROR] BUILD FAILURE",
    ];
    const LINTS: [&str; 6] = [
        "would reformat ",
        "Would reformat: ",
        "Diff in ",
        "[warn] Code style issues",
        "** (Mix) mix format failed",
        "error: unformatted",
    ];
    TASKS.iter().chain(&BUILDS).any(|mark| line.starts_with(mark))
        || line.starts_with("make[") && line.contains("]: *** [")
        || line.contains("ELIFECYCLE")
        || line.ends_with("ERROR task failed")
        || kind == CheckKind::Lint
            && (LINTS.iter().any(|mark| line.starts_with(mark))
                || line.contains("would be reformatted")
                || line.contains("....") && line.ends_with("Failed")
                || has_code(line, "SC")
                || has_code(line, "DL"))
}

/// Whether a line contains a rule's number: `SC2086`, `DL3008`.
fn has_code(line: &str, prefix: &str) -> bool {
    line.match_indices(prefix).any(|(at, _)| {
        line[at + prefix.len()..].bytes().take_while(u8::is_ascii_digit).count() == 4
    })
}

/// Whether the output says that everything is well. For checks without tests.
pub fn tells_success(output: &str) -> bool {
    const MARKS: [&str; 15] = [
        "Finished `",
        "Finished dev",
        "Finished release",
        "All checks passed",
        "Success: no issues found",
        "no offenses detected",
        "0 errors",
        "0 problems",
        "Build succeeded",
        "BUILD SUCCESS",
        "Compiled successfully",
        "✓ built in",
        "No issues found",
        "All matched files use Prettier",
        "would be left unchanged",
    ];
    output.lines().map(str::trim).filter(|line| line.len() <= MAX_LINE).any(|line| {
        MARKS.iter().any(|mark| {
            line.find(mark).is_some_and(|at| !line[..at].ends_with(|c: char| c.is_ascii_digit()))
        })
    })
}

/// Whether a runner did not begin: it is missing, it was called wrongly, or it found nothing to check.
pub fn was_misused(output: &str) -> bool {
    const MARKS: [&str; 28] = [
        "command not found",
        ": not found",
        "No rule to make target",
        "Missing script",
        "missing script",
        "Script not found",
        "unrecognized arguments",
        "unrecognized option",
        "unexpected argument",
        "unknown option",
        "Unknown option",
        "unknown command",
        "no tests ran",
        "No tests found",
        "No test files found",
        "no test target named",
        "file or directory not found",
        "could not find `Cargo.toml`",
        "no such command",
        "No module named pytest",
        "No module named mypy",
        "Cannot find module 'jest'",
        "Could not read package.json",
        "No package.json",
        "did not match any packages",
        "matched no packages",
        "directory prefix",
        "is not recognized as",
    ];
    output.lines().filter(|line| line.len() <= MAX_LINE).any(|line| {
        MARKS.iter().any(|mark| line.contains(mark)) || line.trim().ends_with("Error 127")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_has_code_and_place() {
        let check = |line, next, expected: Option<&str>| {
            assert_eq!(place(line, next).as_deref(), expected, "{line}");
        };
        check(
            "lib/api.ts(4,11): error TS2304: Cannot find name 'sleep'.",
            "",
            Some("TS2304 lib/api.ts:4"),
        );
        check("src/main.c:12:3: error: 'x' undeclared", "", Some("src/main.c:12"));
        check("error[E0425]: cannot find `x`", "--> src/lib.rs:3:5", Some("E0425 src/lib.rs:3"));
        check("error: linking failed: 3", "", None);
        check("please run it: 3", "", None);
        check("(", ":", None);
    }
}
