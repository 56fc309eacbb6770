//! Final messages of agents, labelled sentence by sentence: what of them becomes a step, a cause or something
//! done. `EVAL_MESSAGES=1` prints the failures of messages with an odd number.
//!
//! The messages are imported as transcripts of one session each, and the stored turns are read.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::recorded::Recorded;
use crate::score::Count;
use crate::support::World;
use crate::support::transcripts::Transcript;

const MESSAGES: &str = include_str!("final_messages.jsonl");
const DIR: &str = "/gone/app";

/// The figures, and whether a higher value is better.
const FIGURES: [(&str, bool); 6] = [
    ("steps-precision", true),
    ("steps-recall", true),
    ("causes-precision", true),
    ("causes-recall", true),
    ("done-recall", true),
    ("false-done", false),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    n: u32,
    #[expect(dead_code, reason = "for readers of the file")]
    lang: String,
    prompt: String,
    did: Vec<Did>,
    #[serde(rename = "final")]
    text: String,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Did {
    tool: String,
    file: Option<String>,
    command: Option<String>,
    ok: Option<bool>,
    output: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Done,
    Cause,
    StepUser,
    StepAgent,
    Blocked,
    Failing,
    Warning,
    Offer,
    PlanOptional,
    Explanation,
    Hypothesis,
    ClaimUnproved,
    Answer,
    Chatter,
}

impl Kind {
    /// Whether the next session must know it as open.
    fn is_open(self) -> bool {
        matches!(self, Kind::StepUser | Kind::StepAgent | Kind::Blocked | Kind::Warning)
    }

    /// Whether a line with it may stand among what was done. How new code works may.
    fn may_be_done(self) -> bool {
        matches!(self, Kind::Done | Kind::Explanation | Kind::Answer | Kind::Chatter)
    }
}

#[test]
fn final_messages() {
    let messages: Vec<Message> =
        MESSAGES.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let turns = turns(&messages);
    let mut recorded = Recorded::read();
    let mut worse = Vec::new();
    println!("{:<18}{:>16}{:>16}", "final messages", "tune", "test");
    let mut figures = [[Count::default(); FIGURES.len()]; 2];
    let mut failures = String::new();
    for message in &messages {
        let turn = &turns[&message.n];
        let score = Score::of(message, turn);
        let part = usize::from(message.n % 2 == 0);
        for (sum, count) in figures[part].iter_mut().zip(score.counts) {
            *sum += count;
        }
        if part == 0 && !score.failures.is_empty() {
            let _ = writeln!(failures, "{} {}", message.n, message.prompt);
            score.failures.iter().for_each(|line| failures.push_str(&format!("    {line}\n")));
        }
    }
    let mut shares = Vec::new();
    for (at, (name, higher_is_better)) in FIGURES.into_iter().enumerate() {
        let [tune, test] = [figures[0][at], figures[1][at]];
        println!("{name:<18}{:>16}{:>16}", shown(tune), shown(test));
        for (part, count) in [("tune", tune), ("test", test)] {
            let figure = format!("{part}-{name}");
            worse.extend(recorded.worse_message(&figure, higher_is_better, count));
            shares.push((figure, count.share()));
        }
    }
    if super::variable("EVAL_MESSAGES").is_some() {
        println!("{failures}");
        return;
    }
    if super::variable("EVAL_RECORD").is_some() {
        recorded.write_messages(&shares);
        return;
    }
    assert!(worse.is_empty(), "worse than tests/eval/expected.toml:\n{}", worse.join("\n"));
}

fn shown(count: Count) -> String {
    let share = count.share().map_or("-".to_owned(), |share| format!("{:.1}", share * 100.0));
    format!("{share} ({}/{})", count.hits, count.of)
}

/// The stored turn of each message.
fn turns(messages: &[Message]) -> BTreeMap<u32, Value> {
    let world = World::new();
    for message in messages {
        let mut transcript = Transcript::new(&format!("m{}", message.n), 3).in_dir(DIR);
        transcript.lines = lines(message);
        transcript.write(&world);
    }
    world.memctl(&["import", "claude-code", "--json"]).ok();
    let rows = world.rows(
        "SELECT content_session_id || ' ' || session_summaries.turn FROM session_summaries
         JOIN sessions ON sessions.id = session_summaries.session_id",
    );
    let turn = |row: &String| {
        let (id, turn) = row.split_once(' ')?;
        Some((id.strip_prefix('m')?.parse().ok()?, serde_json::from_str(turn).ok()?))
    };
    let turns: BTreeMap<u32, Value> = rows.iter().filter_map(turn).collect();
    assert_eq!(turns.len(), messages.len(), "each message is a turn");
    turns
}

/// The lines of the transcript: the prompt, the tool uses and the message.
fn lines(message: &Message) -> Vec<Value> {
    let mut lines = vec![json!({"type": "user", "message": {"content": message.prompt}})];
    for (at, did) in message.did.iter().enumerate() {
        let id = format!("toolu_{}_{at}", message.n);
        let (input, result) = did.used(at);
        let name = did.tool.as_str();
        let used = json!({"type": "tool_use", "id": id, "name": name, "input": input});
        lines.push(json!({"type": "assistant", "message": {"content": [used]}}));
        let failed = did.ok == Some(false);
        let output = did.output.as_deref().unwrap_or_default();
        let content = if failed { format!("Exit code 1\n{output}") } else { output.to_owned() };
        let given = json!({"type": "tool_result", "tool_use_id": id, "content": content,
            "is_error": failed});
        lines.push(json!({"type": "user", "message": {"content": [given]},
            "toolUseResult": result}));
    }
    let said = json!([{"type": "text", "text": message.text}]);
    lines.push(json!({"type": "assistant", "message": {"content": said}}));
    lines
}

impl Did {
    /// The input of the tool and its result.
    fn used(&self, at: usize) -> (Value, Value) {
        let path = self.file.as_deref().map(|file| match file.starts_with(['/', '~']) {
            true => file.to_owned(),
            false => format!("{DIR}/{file}"),
        });
        let output = self.output.as_deref().unwrap_or_default();
        let (old, new) = (format!("old {at}\n"), format!("new {at}\n"));
        match self.tool.as_str() {
            "Edit" | "MultiEdit" => (
                json!({"file_path": path, "old_string": old, "new_string": new}),
                json!({"filePath": path, "oldString": old, "newString": new, "originalFile": old,
                    "structuredPatch": [], "userModified": false, "replaceAll": false}),
            ),
            "Write" => (
                json!({"file_path": path, "content": new}),
                json!({"type": "create", "filePath": path, "content": new, "structuredPatch": [],
                    "originalFile": null, "userModified": false}),
            ),
            "Bash" => (
                json!({"command": self.command}),
                json!({"stdout": output, "stderr": "", "interrupted": false, "isImage": false}),
            ),
            _ => (json!({"file_path": path, "command": self.command}), Value::Null),
        }
    }
}

/// The scores of a message, in the order of `FIGURES`, and its failures.
#[derive(Default)]
struct Score {
    counts: [Count; FIGURES.len()],
    failures: Vec<String>,
}

impl Score {
    fn of(message: &Message, turn: &Value) -> Score {
        let spans: Vec<(Words, &Span)> =
            message.spans.iter().map(|span| (Words::of(&span.text), span)).collect();
        let kinds = |line: &str| -> Vec<Kind> {
            let line = Words::of(line);
            spans.iter().filter(|(words, _)| words.fit(&line)).map(|(_, span)| span.kind).collect()
        };
        let is_told =
            |words: &Words, lines: &[String]| lines.iter().any(|line| words.fit(&Words::of(line)));
        let mut steps: Vec<String> = texts(&turn["next"], "text");
        let [cause, done, answer] = ["cause", "done", "answer"].map(|field| blocks(&turn[field]));
        let mut score = Score::default();
        for line in &steps {
            let kinds = kinds(line);
            let is_right = kinds.iter().any(|kind| kind.is_open() || *kind == Kind::Failing);
            score.count(0, is_right, || format!("step: {line} {kinds:?}"));
        }
        steps.extend(turn["asked"]["text"].as_str().map(str::to_owned));
        for line in &cause {
            let kinds = kinds(line);
            score.count(2, kinds.contains(&Kind::Cause), || format!("cause: {line} {kinds:?}"));
        }
        let said = [answer.as_slice(), &cause].concat();
        for (words, span) in &spans {
            let kind = span.kind;
            let missed = |what: &str| format!("no {what}: {kind:?} {}", span.text);
            if kind.is_open() {
                score.count(1, is_told(words, &steps), || missed("step"));
            }
            if kind == Kind::Cause {
                score.count(3, is_told(words, &said), || missed("cause"));
            }
            if kind == Kind::Done {
                let told = is_told(words, &done) || is_told(words, &answer);
                score.count(4, told, || missed("done"));
            }
        }
        for line in &done {
            let kinds = kinds(line);
            let is_false = !kinds.is_empty() && !kinds.iter().any(|kind| kind.may_be_done());
            score.counts[5] += Count { hits: u32::from(is_false), of: 1 };
            if is_false {
                score.failures.push(format!("false done: {line} {kinds:?}"));
            }
        }
        score
    }

    fn count(&mut self, figure: usize, is_hit: bool, failure: impl FnOnce() -> String) {
        self.counts[figure] += Count { hits: u32::from(is_hit), of: 1 };
        if !is_hit {
            self.failures.push(failure());
        }
    }
}

fn texts(list: &Value, key: &str) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| Some(item[key].as_str()?.to_owned())).collect()
}

/// The lines of blocks.
fn blocks(list: &Value) -> Vec<String> {
    let blocks = list.as_array().into_iter().flatten();
    let lines = blocks.flat_map(|block| block["lines"].as_array().into_iter().flatten());
    lines.filter_map(|line| Some(line.as_str()?.to_owned())).collect()
}

/// The words of a text without its markup, each with its neighbour.
struct Words {
    text: String,
    pairs: HashSet<String>,
}

impl Words {
    fn of(text: &str) -> Words {
        let mut words: Vec<String> = Vec::new();
        let mut goes_on = false;
        for c in text.to_lowercase().chars() {
            // A character of a script without spaces is a word.
            let is_wide = ('\u{3040}'..='\u{9fff}').contains(&c);
            match words.last_mut() {
                Some(word) if goes_on && c.is_alphanumeric() && !is_wide => word.push(c),
                _ if c.is_alphanumeric() => words.push(c.to_string()),
                _ => {}
            }
            goes_on = c.is_alphanumeric() && !is_wide;
        }
        let pairs = words.windows(2).map(|pair| pair.join(" ")).collect();
        Words { text: format!(" {} ", words.join(" ")), pairs }
    }

    /// Whether one of the texts stands in the other, or both share most of their words.
    fn fit(&self, other: &Words) -> bool {
        const SHARE: usize = 7;
        if self.text.trim().is_empty() || other.text.trim().is_empty() {
            return false;
        }
        let shared = self.pairs.intersection(&other.pairs).count();
        let least = self.pairs.len().min(other.pairs.len());
        self.text.contains(&other.text)
            || other.text.contains(&self.text)
            || least > 2 && shared * 10 >= least * SHARE
    }
}

#[test]
fn a_line_fits_its_span() {
    let fit = |a: &str, b: &str| Words::of(a).fit(&Words::of(b));
    assert!(fit("**Set** `A_KEY` before the deploy.", "Set `A_KEY` before the deploy"));
    assert!(fit("The docs are old.", "The docs are old. They need a table."));
    assert!(!fit("The docs are old.", "The tests are red."));
    assert!(fit("文档还没有更新。", "文档还没有更新"));
    assert!(!fit("", "x"));
}
