//! Reads the output of test runners: how many tests passed and failed, and which failed.

/// The sums over all test runs of one command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestReport {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    /// Names of the first failing tests.
    pub failing: Vec<String>,
    /// The numbers count packages, because the runner reported no tests.
    pub packages: bool,
}

/// Maximum number of failing tests that are named.
const MAX_NAMES: usize = 6;

impl TestReport {
    /// `410 passed, 2 failed, 1 skipped`.
    pub fn figures(&self) -> String {
        let mut parts = Vec::new();
        if self.passed > 0 || self.failed == 0 {
            parts.push(format!("{} passed", self.passed));
        }
        if self.failed > 0 {
            parts.push(format!("{} failed", self.failed));
        }
        if self.skipped > 0 {
            parts.push(format!("{} skipped", self.skipped));
        }
        let unit = if self.packages { " (packages)" } else { "" };
        format!("{}{unit}", parts.join(", "))
    }

    fn name(&mut self, name: &str) {
        let name = name.trim().trim_end_matches([':', ',']);
        if name.is_empty() || name.len() > 120 || self.failing.len() >= MAX_NAMES {
            return;
        }
        if !self.failing.iter().any(|n| n == name) {
            self.failing.push(name.to_owned());
        }
    }
}

/// Reads the output of a test run, without escape sequences. Returns `None` if it contains no
/// summary of a known runner.
pub fn read(output: &str) -> Option<TestReport> {
    read_of(output, "")
}

/// The same, of the runners of one toolchain only. An empty `toolchain` is any.
pub fn read_of(output: &str, toolchain: &str) -> Option<TestReport> {
    let mut report = TestReport::default();
    let mut counted = false;
    let mut packages = TestReport::default();
    for line in output.lines() {
        let line = line.trim();
        if line.is_empty() || line.len() > 400 {
            continue;
        }
        if let Some((passed, failed, skipped)) = summary(line, toolchain) {
            report.passed += passed;
            report.failed += failed;
            report.skipped += skipped;
            counted = true;
        }
        if matches!(toolchain, "" | "go") {
            go_package(line, &mut packages);
        }
        failing_name(line, &mut report);
    }
    if !counted && (packages.passed > 0 || packages.failed > 0) {
        packages.packages = true;
        packages.failing = std::mem::take(&mut report.failing);
        packages.failed = packages.failed.max(packages.failing.len() as u64);
        return Some(packages);
    }
    if !counted {
        return if matches!(toolchain, "" | "python") { unittest(output, report) } else { None };
    }
    if report.failed == 0 {
        report.failing.clear();
    }
    Some(report)
}

/// The reports of the test runs, in their order and without names: one for each summary line.
pub fn each(output: &str) -> Vec<TestReport> {
    let summaries = output.lines().map(str::trim).filter(|line| line.len() <= 400);
    let summaries = summaries.filter_map(|line| summary(line, ""));
    let report =
        |(passed, failed, skipped)| TestReport { passed, failed, skipped, ..TestReport::default() };
    summaries.map(report).collect()
}

/// The numbers of passed, failed and skipped tests in a summary line of a runner of `toolchain`.
fn summary(line: &str, toolchain: &str) -> Option<(u64, u64, u64)> {
    let cargo = line.starts_with("test result:");
    let nextest = line.starts_with("Summary [") && line.contains("tests run");
    let bare = line.trim_matches(['=', ' ', '!', '─', '-', '✓', '✗', '✘', '✔', 'ℹ', '#']);
    let pytest = bare.contains(" in ") && bare.ends_with(['s', ')']) && starts_with_count(bare);
    let js =
        bare.starts_with("Tests:") || (bare.starts_with("Tests ") && bare.contains(['(', '|']));
    let dotnet = bare.starts_with("Passed!") || bare.starts_with("Failed!");
    let deno =
        (bare.starts_with("ok |") || bare.starts_with("FAILED |")) && bare.contains("passed");
    let java = line.contains("Tests run:") && !line.contains("Time elapsed");
    let counts = starts_with_count(bare)
        && (bare.contains(" failure")
            || bare.contains(" tests completed")
            || bare.contains("examples,"));
    let mocha =
        bare_count(bare, &["passing", "failing", "pending", "pass", "fail", "passed", "failed"]);
    let tap = ["pass ", "fail "].iter().any(|w| bare.strip_prefix(w).is_some_and(all_digits));
    let ctest = line.contains("tests passed,") && line.contains("tests failed out of");
    let xctest = bare.starts_with("Executed ") && bare.contains(" test");
    let phpunit = bare.starts_with("OK (") && bare.contains("test");
    let known = match toolchain {
        "cargo" => cargo || nextest,
        "python" => pytest,
        "node" => js || mocha || tap || pytest && bare.contains("expect()"),
        "deno" => deno,
        "dotnet" => dotnet,
        "java" => java || counts,
        "mix" | "ruby" => counts,
        "cmake" => ctest,
        "swift" => xctest,
        "php" => phpunit || js,
        "go" => false,
        _ => {
            cargo
                || nextest
                || pytest
                || js
                || dotnet
                || deno
                || java
                || counts
                || mocha
                || tap
                || ctest
                || xctest
                || phpunit
        }
    };
    known.then(|| tally(line)).flatten()
}

/// Reads the numbers of a summary line, labelled by the words beside them.
fn tally(line: &str) -> Option<(u64, u64, u64)> {
    let words: Vec<&str> = line
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '|' | '='))
        .filter(|w| !w.is_empty())
        .collect();
    let (mut passed, mut failed, mut skipped, mut total) =
        (None::<u64>, None::<u64>, None::<u64>, None::<u64>);
    let add = |to: &mut Option<u64>, n: u64| *to = Some(to.unwrap_or(0).saturating_add(n));
    for (at, word) in words.iter().enumerate() {
        let Ok(n) = word.trim_end_matches('.').parse::<u64>() else { continue };
        // The label is before the number (`Passed: 12`, `pass 12`) or after it (`12 passed`).
        let before = at.checked_sub(1).map(|i| words[i]).unwrap_or("");
        let has_label_after = words
            .get(at + 1)
            .is_some_and(|w| matches!(*w, "passed" | "failed" | "skipped" | "total"));
        let label = if before.ends_with(':') && !has_label_after || is_tap(before, words.len()) {
            before.trim_end_matches(':')
        } else if words.get(at + 1).is_some_and(|w| *w == "tests" || *w == "test")
            && words
                .get(at + 2)
                .is_some_and(|w| matches!(w.trim_end_matches(':'), "passed" | "failed"))
        {
            words[at + 2].trim_end_matches(':')
        } else {
            words.get(at + 1).copied().unwrap_or("")
        };
        match label.to_ascii_lowercase().trim_end_matches([':', '.']) {
            "passed" | "passing" | "pass" => add(&mut passed, n),
            "failed" | "failing" | "fail" | "failure" | "failures" | "error" | "errors" => {
                add(&mut failed, n)
            }
            "skipped" | "ignored" | "pending" | "skips" | "skip" | "todo" => add(&mut skipped, n),
            "test" | "tests" | "example" | "examples" | "run" | "runs" => add(&mut total, n),
            _ => {}
        }
    }
    // "95% tests passed, 1 tests failed out of 20"
    if let Some(at) = words.windows(2).position(|w| w == ["out", "of"]) {
        total = words.get(at + 2).and_then(|w| w.parse().ok());
        passed = None;
    }
    if passed.is_none() && failed.is_none() && total.is_none() {
        return None;
    }
    let (failed, skipped) = (failed.unwrap_or(0), skipped.unwrap_or(0));
    let passed = passed.unwrap_or_else(|| total.unwrap_or(0).saturating_sub(failed + skipped));
    Some((passed, failed, skipped))
}

/// Whether the line is a summary of TAP: `pass 12`.
fn is_tap(word: &str, words: usize) -> bool {
    words <= 3 && matches!(word, "pass" | "fail" | "skipped" | "todo")
}

fn starts_with_count(text: &str) -> bool {
    text.split_whitespace().next().is_some_and(all_digits)
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Matches `12 passing (30ms)`: a count, one of `words`, and at most a time.
fn bare_count(text: &str, words: &[&str]) -> bool {
    let mut parts = text.split_whitespace();
    parts.next().is_some_and(all_digits)
        && parts.next().is_some_and(|w| words.contains(&w))
        && parts.all(|w| w.starts_with('(') || w.ends_with(')'))
}

/// Counts a package of `go test`, which reports single tests only with `-v`.
fn go_package(line: &str, packages: &mut TestReport) {
    if line.starts_with("ok  \t") || line.starts_with("ok \t") || line.starts_with("ok\t") {
        packages.passed += 1;
    } else if line.starts_with("FAIL\t") {
        packages.failed += 1;
    }
}

/// Reads Python's unittest: `Ran 12 tests in 0.01s`, with `OK` or `FAILED (failures=1, errors=2)`
/// below it.
fn unittest(output: &str, mut report: TestReport) -> Option<TestReport> {
    let ran = output
        .lines()
        .find_map(|l| l.trim().strip_prefix("Ran ")?.split(' ').next()?.parse::<u64>().ok())?;
    let failures = output.lines().find_map(|l| l.trim().strip_prefix("FAILED ("));
    report.failed = failures.map_or(0, |counts| {
        let numbers =
            counts.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u64>().ok());
        numbers.fold(0, u64::saturating_add)
    });
    report.passed = ran.saturating_sub(report.failed);
    Some(report)
}

/// Reads the name of a failing test from a line that reports one.
fn failing_name(line: &str, report: &mut TestReport) {
    // cargo: `test parser::parse_empty ... FAILED`
    if let Some(name) = line.strip_prefix("test ").and_then(|l| l.strip_suffix("... FAILED")) {
        return report.name(name.trim_end_matches(" - should panic "));
    }
    // nextest: `FAIL [ 0.01s] crate::bin parser::parse_empty`
    if let Some(rest) = line.strip_prefix("FAIL [").and_then(|l| l.split_once(']')) {
        return report.name(rest.1.split_whitespace().last().unwrap_or(""));
    }
    // pytest: `FAILED tests/test_a.py::test_x - AssertionError`; unittest: `FAIL: test_x (a.T)`
    if let Some(rest) = line.strip_prefix("FAILED ").filter(|r| r.contains("::")) {
        return report.name(rest.split(" - ").next().unwrap_or(""));
    }
    if let Some(rest) = line.strip_prefix("FAIL: ").or_else(|| line.strip_prefix("ERROR: test")) {
        return report.name(rest.split(" (").next().unwrap_or(""));
    }
    // go: `--- FAIL: TestX (0.00s)`
    if let Some(rest) = line.strip_prefix("--- FAIL: ") {
        return report.name(rest.split(" (").next().unwrap_or(""));
    }
    // jest: `● suite › name`; vitest: `FAIL  src/x.test.ts > suite > name`, `× name 3ms`
    if let Some(rest) = line.strip_prefix("● ").filter(|r| r.contains(" › ")) {
        return report.name(rest);
    }
    if let Some(rest) = line.strip_prefix("FAIL ").filter(|r| r.contains(" > ")) {
        return report.name(rest.trim());
    }
    // vitest: `× suite > name 3ms`; xcbeautify: `✖ testName, XCTAssertEqual failed`
    if let Some(rest) = line.strip_prefix(['×', '✖', '✗']) {
        let name = rest.trim().split(", XCT").next().unwrap_or_default();
        let time = name.rsplit_once(' ').filter(|(_, time)| is_time(time));
        return report.name(time.map_or(name, |(name, _)| name));
    }
    // Maven: `[ERROR]   OrderTest.adds:58 expected 1`
    if let Some(rest) = line.strip_prefix("[ERROR] ") {
        let first = rest.split_whitespace().next().unwrap_or_default();
        if let Some((name, line)) = first.split_once(':')
            && all_digits(line.split_once(':').map_or(line, |(line, _)| line))
            && name.split_once('.').is_some_and(|(class, test)| is_word(class) && is_word(test))
        {
            return report.name(name);
        }
    }
    // ctest: `57/58 Test #57: name .....***Failed    0.01 sec`
    if let Some((_, rest)) = line.split_once(" Test ").filter(|_| line.contains("***"))
        && let Some((_, rest)) = rest.split_once(": ")
    {
        return report.name(rest.split_whitespace().next().unwrap_or_default());
    }
    // rspec: `rspec ./spec/a_spec.rb:12 # Foo does it`
    if let Some((_, rest)) = line.strip_prefix("rspec ./").and_then(|l| l.split_once(" # ")) {
        return report.name(rest);
    }
    // ExUnit: `1) test parses nothing (Spotter.ParserTest)`
    let numbered = line.split_once(") ").filter(|(n, _)| all_digits(n));
    if let Some(rest) = numbered.and_then(|(_, rest)| rest.strip_prefix("test ")) {
        return report.name(rest.rsplit_once(" (").map_or(rest, |(name, _)| name));
    }
    // Playwright: `1) [pre] › e2e/chat.spec.ts:14:5 › stays connected ───`
    if let Some((_, rest)) =
        numbered.and_then(|(_, rest)| rest.strip_prefix('[')?.split_once("] › "))
    {
        return report.name(rest.trim_end_matches(['─', ' ']));
    }
    // PHPUnit: `1) App\Tests\PdfTest::testLogo`
    if let Some((_, rest)) = numbered.filter(|(_, rest)| rest.contains("::") && !rest.contains(' '))
    {
        return report.name(rest.rsplit('\\').next().unwrap_or(rest));
    }
    // ctest: `3 - name (Failed)`
    if let Some(rest) = line
        .strip_suffix("(Failed)")
        .and_then(|l| l.split_once(" - "))
        .filter(|(n, _)| all_digits(n))
    {
        report.name(rest.1);
    }
}

/// `3ms`, `0.01s`.
fn is_time(word: &str) -> bool {
    let number = word.strip_suffix("ms").or_else(|| word.strip_suffix('s')).unwrap_or_default();
    !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(output: &str, expected: &str, failing: &[&str]) {
        let report = read(output);
        let figures = report.as_ref().map_or("none".to_owned(), TestReport::figures);
        assert_eq!(figures, expected, "{output}");
        assert_eq!(report.map(|r| r.failing).unwrap_or_default(), failing, "{output}");
    }

    #[test]
    fn numbered_failures_have_names() {
        check(
            "  1) [pre] › e2e/chat.spec.ts:14:5 › stays connected ────\n\n  1 failed",
            "1 failed",
            &["e2e/chat.spec.ts:14:5 › stays connected"],
        );
        check(
            "1) App\\Tests\\PdfTest::testLogo\nRuntimeException: x\n\nTests: 151, Assertions: 489, Failures: 1.",
            "150 passed, 1 failed",
            &["PdfTest::testLogo"],
        );
    }

    #[test]
    fn summaries_of_all_runners_are_read() {
        check(
            "test a::b ... ok\ntest result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s\n\ntest result: ok. 2 passed; 0 failed; 0 ignored",
            "14 passed, 1 skipped",
            &[],
        );
        check(
            "test parser::parse_empty ... FAILED\ntest result: FAILED. 3 passed; 1 failed; 0 ignored",
            "3 passed, 1 failed",
            &["parser::parse_empty"],
        );
        check(
            "     Summary [   0.5s] 12 tests run: 11 passed, 1 failed, 2 skipped\n        FAIL [   0.010s] mine parser::empty",
            "11 passed, 1 failed, 2 skipped",
            &["parser::empty"],
        );
        check(
            "FAILED tests/test_a.py::test_x - AssertionError: 1 != 2\n==== 1 failed, 10 passed, 2 skipped in 0.12s ====",
            "10 passed, 1 failed, 2 skipped",
            &["tests/test_a.py::test_x"],
        );
        check("12 passed in 3.20s", "12 passed", &[]);
        check(
            "Tests:       1 failed, 12 passed, 13 total\n  ● cart › adds an item",
            "12 passed, 1 failed",
            &["cart › adds an item"],
        );
        check(
            " Test Files  1 passed (1)\n      Tests  1 failed | 12 passed (13)\n FAIL  src/x.test.ts > cart > adds",
            "12 passed, 1 failed",
            &["src/x.test.ts > cart > adds"],
        );
        check("  12 passing (30ms)\n  1 failing", "12 passed, 1 failed", &[]);
        check(
            "ok  \tex.org/a\t0.01s\nFAIL\tex.org/b\t0.1s\n--- FAIL: TestX (0.00s)",
            "1 passed, 1 failed (packages)",
            &["TestX"],
        );
        check(
            "  1) test parses nothing (My.ParserTest)\n14 doctests, 397 tests, 1 failure, 2 skipped",
            "394 passed, 1 failed, 2 skipped",
            &["parses nothing"],
        );
        check(
            "12 examples, 1 failure, 1 pending\nrspec ./spec/a_spec.rb:12 # Foo does it",
            "10 passed, 1 failed, 1 skipped",
            &["Foo does it"],
        );
        check("12 runs, 20 assertions, 0 failures, 0 errors, 0 skips", "12 passed", &[]);
        check(
            "95% tests passed, 1 tests failed out of 20\n\t  3 - net_timeout (Failed)",
            "19 passed, 1 failed",
            &["net_timeout"],
        );
        check(
            "[INFO] Tests run: 4, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.1 s\n[WARNING] Tests run: 12, Failures: 1, Errors: 0, Skipped: 1",
            "10 passed, 1 failed, 1 skipped",
            &[],
        );
        check(
            "Passed!  - Failed:     0, Passed:    12, Skipped:     0, Total:    12",
            "12 passed",
            &[],
        );
        check(
            "FAIL: test_x (mod.Case)\nRan 12 tests in 0.01s\n\nFAILED (failures=1, errors=1)",
            "10 passed, 2 failed",
            &["test_x"],
        );
        check("Ran 3 tests in 0.01s\n\nOK", "3 passed", &[]);
        check("OK (12 tests, 30 assertions)", "12 passed", &[]);
        check("ok | 12 passed | 0 failed (3ms)", "12 passed", &[]);
        check(" 12 pass\n 0 fail", "12 passed", &[]);
        check("ℹ tests 3\nℹ pass 2\nℹ fail 1", "2 passed, 1 failed", &[]);
        check(
            "   × Cart > adds an item 6ms\n     → expected 1\n      Tests  1 failed | 12 passed (13)",
            "12 passed, 1 failed",
            &["Cart > adds an item"],
        );
        check(
            "[ERROR] Tests run: 5, Failures: 1, Errors: 0, Skipped: 0\n[ERROR]   CartTest.addsItem:58 expected 1 but was 2\n[ERROR] Please refer to the page for help",
            "4 passed, 1 failed",
            &["CartTest.addsItem"],
        );
        check(
            "    ✖ testAddsItem, XCTAssertEqual failed: (\"1\") is not equal to (\"2\")\nExecuted 5 tests, with 1 failure (0 unexpected) in 3.9 seconds",
            "4 passed, 1 failed",
            &["testAddsItem"],
        );
        check(
            "2/3 Test #2: cart_adds_item ...........***Failed    0.01 sec\n66% tests passed, 1 tests failed out of 3",
            "2 passed, 1 failed",
            &["cart_adds_item"],
        );
        check("Compiling 3 files\nGenerated app", "none", &[]);
        check("we passed 12 tests in a row once, they said", "none", &[]);
    }
}
