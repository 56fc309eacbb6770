//! Reads a plan that the client showed to the user: its title and its steps.
//!
//! Structure decides, not words. The steps are, in this order: numbered headings, headings below one
//! heading that name code, the longest numbered list, the longest list with bullets.

use super::payload::Payload;
use super::shorten::fit;
use crate::memory::Plan;

const MAX_STEPS: usize = 12;
/// Maximum number of characters of a title, and of a step.
const MAX_TITLE: usize = 120;
const MAX_STEP: usize = 160;

/// The plan of a use of a plan tool. `None` if the text of the plan is unknown.
pub fn read(input: &Payload, response: &Payload, failed: bool) -> Option<Plan> {
    // The response has the plan as the user left it.
    let text = [response, input].into_iter().find_map(text_of)?;
    let title = title(&text);
    let mut steps = steps(&text);
    steps.truncate(MAX_STEPS);
    let known = !title.is_empty() || !steps.is_empty();
    let approved = !failed && is_approved(response);
    known.then(|| Plan { title, steps, approved, ..Plan::default() })
}

fn text_of(payload: &Payload) -> Option<String> {
    const KEYS: [&str; 4] = ["plan", "plan_content", "planContent", "spec"];
    let object = payload.object()?;
    let found = KEYS.iter().find_map(|key| object.get(*key)?.as_str());
    found.map(str::to_owned).filter(|text| !text.trim().is_empty())
}

/// Whether the client says so. A use that succeeds is approved, except for clients that report a
/// refusal as a result, and agents whose leader has to approve.
fn is_approved(response: &Payload) -> bool {
    const REFUSALS: [&str; 5] = [
        "plan rejected",
        "plan execution was not approved",
        "user rejected",
        "the user rejected",
        "user declined",
    ];
    let awaits = response.value("awaitingLeaderApproval").and_then(serde_json::Value::as_bool);
    let text = response.text().trim_start().to_lowercase();
    awaits != Some(true) && !REFUSALS.iter().any(|refusal| text.starts_with(refusal))
}

/// A line of Markdown, as far as plans need it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Line<'a> {
    Heading {
        level: usize,
        text: &'a str,
    },
    Item {
        numbered: bool,
        indent: usize,
        text: &'a str,
    },
    Text(&'a str),
    /// Empty, or inside a fence.
    Nothing,
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut fence = false;
    text.lines().map(move |line| {
        let trimmed = line.trim();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            fence = !fence;
            return Line::Nothing;
        }
        if fence || trimmed.is_empty() { Line::Nothing } else { classify(line) }
    })
}

fn classify(line: &str) -> Line<'_> {
    let trimmed = line.trim();
    let level = trimmed.bytes().take_while(|b| *b == b'#').count();
    if (1..=6).contains(&level) && trimmed[level..].starts_with(' ') {
        return Line::Heading { level, text: trimmed[level..].trim() };
    }
    // A bold line alone is a heading.
    if let Some(inner) =
        trimmed.strip_prefix("**").and_then(|t| t.trim_end_matches(':').strip_suffix("**"))
        && !inner.contains("**")
    {
        return Line::Heading { level: 6, text: inner.trim().trim_end_matches(':') };
    }
    let indent = line.len() - line.trim_start().len();
    if let Some(text) = ["- ", "* ", "+ ", "• "].iter().find_map(|mark| trimmed.strip_prefix(mark))
    {
        return Line::Item { numbered: false, indent, text: text.trim() };
    }
    match number(trimmed) {
        Some(text) => Line::Item { numbered: true, indent, text },
        None => Line::Text(trimmed),
    }
}

/// The text after `1.`, `2)`, `3、`.
fn number(text: &str) -> Option<&str> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || digits > 3 {
        return None;
    }
    let rest = &text[digits..];
    // `1.5 seconds` is no item, `1、…` needs no space.
    let ascii =
        rest.strip_prefix(['.', ')']).filter(|rest| rest.is_empty() || rest.starts_with(' '));
    ascii.or_else(|| rest.strip_prefix(['、', '．', '：'])).map(str::trim)
}

/// The text of a numbered heading: `1. …`, `Step 2: …`, `Phase 3 — …`, `第1步：…`.
fn numbered_heading(heading: &str) -> Option<&str> {
    if let Some(text) = number(heading) {
        return Some(text);
    }
    let at = heading.find(|c: char| c.is_ascii_digit())?;
    let before = &heading[..at];
    let is_word = before.trim_end().chars().all(char::is_alphabetic);
    let is_apart = before.ends_with(' ') || !before.ends_with(|c: char| c.is_ascii());
    if !is_word || !is_apart || before.chars().count() > 14 || before.trim().is_empty() {
        return None;
    }
    let rest = heading[at..]
        .trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | 'a'..='d'));
    // `第1步：…`: a counter follows the number.
    let rest = match rest.char_indices().next() {
        Some((_, c)) if !c.is_ascii() && c.is_alphabetic() => &rest[c.len_utf8()..],
        _ => rest,
    };
    let rest = rest.trim_start();
    let separated =
        rest.is_empty() || rest.starts_with([':', '-', '–', '—', '.', ')', '：', '、', '|']);
    let text = rest.trim_start_matches([':', '-', '–', '—', '.', ')', '：', '、', '|', ' ']);
    separated.then_some(if text.is_empty() { heading } else { text })
}

fn title(text: &str) -> String {
    let mut first = None;
    for line in lines(text) {
        match line {
            Line::Heading { text, .. } if numbered_heading(text).is_none() => {
                return clean(text, MAX_TITLE);
            }
            Line::Nothing => {}
            Line::Heading { text, .. } | Line::Item { text, .. } | Line::Text(text) => {
                first.get_or_insert(text);
                // A heading far below is one of a section.
                if matches!(line, Line::Item { .. }) {
                    break;
                }
            }
        }
    }
    first.map(|text| clean(text, MAX_TITLE)).unwrap_or_default()
}

fn steps(text: &str) -> Vec<String> {
    let lines: Vec<Line> = lines(text).collect();
    let headings = |keep: &dyn Fn(usize, &str) -> Option<String>| -> Vec<String> {
        let all = lines.iter().filter_map(|line| match line {
            Line::Heading { level, text } => keep(*level, text),
            _ => None,
        });
        all.collect()
    };
    let numbered = headings(&|level, text| {
        let text = numbered_heading(text).filter(|_| level > 1)?;
        Some(clean(text, MAX_STEP))
    });
    if numbered.len() >= 2 {
        return numbered;
    }
    let about_code = headings(&|level, text| {
        (level > 2 && level < 6 && names_code(text)).then(|| clean(text, MAX_STEP))
    });
    if about_code.len() >= 2 {
        return about_code;
    }
    [true, false]
        .into_iter()
        .map(|numbered| longest_list(&lines, numbered))
        .find(|list| !list.is_empty())
        .unwrap_or_default()
}

fn names_code(text: &str) -> bool {
    text.contains('`')
        || text.split(' ').any(|word| word.contains('/') || word.trim_matches('.').contains('.'))
}

/// The longest list of one kind at its outermost level; the first of equally long ones. A list goes
/// on over the text between its items, and ends at a heading.
fn longest_list(lines: &[Line], numbered: bool) -> Vec<String> {
    let mut best: Vec<String> = Vec::new();
    let mut current: Vec<String> = Vec::new();
    let mut outer = None;
    for line in lines.iter().chain([&Line::Heading { level: 1, text: "" }]) {
        match line {
            Line::Item { numbered: is, indent, text } if *is == numbered => {
                let level = *outer.get_or_insert(*indent);
                if *indent > level + 1 {
                    continue;
                }
                current.extend(item(text));
            }
            // Bullets between numbered items belong to them, and the other way round.
            Line::Item { .. } | Line::Text(_) | Line::Nothing => {}
            Line::Heading { .. } => {
                if current.len() > best.len() {
                    best = std::mem::take(&mut current);
                }
                current.clear();
                outer = None;
            }
        }
    }
    best
}

/// The text of an item that is not done: `[x] …` is.
fn item(text: &str) -> Option<String> {
    if ["[x]", "[X]", "[✓]", "~~"].iter().any(|mark| text.starts_with(mark)) {
        return None;
    }
    let text = text.strip_prefix("[ ]").unwrap_or(text);
    Some(clean(text, MAX_STEP)).filter(|text| !text.is_empty())
}

/// The text without bold marks, links and a final colon, shortened.
fn clean(text: &str, max: usize) -> String {
    let text = text.replace("**", "");
    let text = fit(text.trim().trim_end_matches([':', '：']), max);
    text.trim_end_matches('.').trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        let input = serde_json::json!({ "plan": text }).to_string();
        read(&Payload::read(Some(&input)), &Payload::Absent, false).expect("a plan")
    }

    fn check(text: &str, title: &str, steps: &[&str]) {
        let plan = plan(text);
        assert_eq!(
            (plan.title.as_str(), plan.steps),
            (title, steps.iter().map(|s| (*s).to_owned()).collect()),
            "{text}"
        );
    }

    #[test]
    fn numbered_headings_are_steps() {
        check(
            "# Impersonate users\n\n## Context\n- a\n- b\n- c\n\n## Changes\n### 1. `server/admin.ts` — new route\n- x\n### 2. Nav bar\n1. a\n2. b\n3. c\n\n## Verification\n1. Log in",
            "Impersonate users",
            &["`server/admin.ts` — new route", "Nav bar"],
        );
        check(
            "# P\n## Step 1: Read\n## Step 2 — Write\n## Phase 3",
            "P",
            &["Read", "Write", "Phase 3"],
        );
        check("# 计划\n## 第1步：读取\n## 第2步：写入", "计划", &["读取", "写入"]);
        check("# Plan\n## Étape 1 : Lire\n## Étape 2 : Écrire", "Plan", &["Lire", "Écrire"]);
    }

    #[test]
    fn headings_about_code_are_steps() {
        check(
            "# Overlay fix\n## Context\nLong.\n## Changes\n### `image.nix`\n- copy\n### scripts/update.sh\n- copy\n## Verification\n1. Build\n2. Boot",
            "Overlay fix",
            &["`image.nix`", "scripts/update.sh"],
        );
    }

    #[test]
    fn lists_are_steps() {
        check(
            "# Rotate keys\n## Background\n### Why\n### Goals\n- one\n## Steps\n1. **Read** the file\n   - detail\n   1. nested\n2. Write it.\n3. Test\n\n## Check\n1. Run\n2. Look",
            "Rotate keys",
            &["Read the file", "Write it", "Test"],
        );
        check(
            "Clean up the tests\n\n- [x] client\n- [ ] change `test_checkout`\n- [ ] update docs\n\n```\n- not a step\n```",
            "Clean up the tests",
            &["change `test_checkout`", "update docs"],
        );
        check("1. Inspect code\n2. Run tests", "Inspect code", &["Inspect code", "Run tests"]);
        check("Only a sentence.", "Only a sentence", &[]);
        let long: String = (1..40).map(|n| format!("{n}. do {n}\n")).collect();
        assert_eq!(plan(&long).steps.len(), MAX_STEPS);
    }

    #[test]
    fn approval_is_read_from_the_response() {
        let input = r##"{"plan":"# A\n1. b"}"##;
        let read_one = |response: &str, failed| {
            read(&Payload::read(Some(input)), &Payload::read(Some(response)), failed).unwrap()
        };
        assert!(read_one(r##"{"plan":"# A\n1. b","isAgent":false}"##, false).approved);
        assert!(read_one("User has approved your plan.", false).approved);
        assert!(!read_one(r##"{"plan":"# A","awaitingLeaderApproval":true}"##, false).approved);
        assert!(!read_one("Plan rejected. Feedback: smaller", false).approved);
        assert!(!read_one("The user doesn't want to proceed", true).approved);
        // A plan that the user has edited counts as edited.
        let edited = read_one(r##"{"plan":"# B\n1. c","planWasEdited":true}"##, false);
        assert_eq!((edited.title.as_str(), edited.steps), ("B", vec!["c".to_owned()]));
        // The recorded use has no plan.
        let empty = r##"{"plan":null,"isAgent":false,"filePath":"/home/user/.claude/plans/x.md"}"##;
        assert_eq!(read(&Payload::read(Some("{}")), &Payload::read(Some(empty)), false), None);
    }

    #[test]
    fn arbitrary_plans_do_not_panic() {
        for text in
            ["#", "**", "****", "1", "1.", "第", "a1", "```", "- ", "9、", "1：x", "é1é", "# 1"]
        {
            let input = serde_json::json!({ "plan": text }).to_string();
            let _ = read(&Payload::read(Some(&input)), &Payload::Absent, false);
        }
    }
}
