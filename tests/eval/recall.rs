//! What a prompt receives while a session works: the right memories, only those, and silence if there are
//! none.
//!
//! Each file of `tests/data/recall` with memories and questions is a project. Its memories are stored session
//! by session, and each question is asked with the hook of a prompt, in a session of its own and with a copy of
//! the store, because a stored prompt changes what is known. `EVAL_STORE=game` prints the blocks and failures of
//! the stores whose names begin so. The report names failures of questions with an odd number only, as in the
//! other cases.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::recorded::Recorded;
use crate::score::Count;
use crate::support::World;
use crate::support::recordings::{end, prompt};

/// A busy machine must not look like a store without an answer.
const TIME: &str = "2s";
/// Characters of a token, as the program estimates it.
const PER_TOKEN: usize = 4;
const WORKERS: usize = 4;

#[derive(Deserialize)]
struct Store {
    #[serde(skip)]
    name: String,
    memories: Vec<Memory>,
    questions: Vec<Question>,
}

#[derive(Deserialize)]
struct Memory {
    id: String,
    session: String,
    title: String,
    text: String,
    files: Vec<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    created_at: String,
}

#[derive(Deserialize)]
struct Question {
    id: String,
    condition: Condition,
    prompt: String,
    /// Ids of the memories that answer it.
    answers: Vec<String>,
    /// Ids of those that must not be delivered.
    not: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Condition {
    Answerable,
    Absent,
    Superseded,
    Contradictory,
    Adjacent,
    General,
}

/// What a question received.
struct Received<'a> {
    question: &'a Question,
    block: String,
    /// The memories in the block by their ids, with their lines.
    lines: Vec<(String, String)>,
}

/// What is measured. The names are those of the table `recall` in `expected.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Figure {
    /// Answers that are delivered.
    Recall,
    /// Characters of the blocks that belong to answers.
    Focus,
    /// Prompts without an answer that receive something.
    Noise,
    /// Replaced memories that are delivered.
    Pollution,
    /// Newer memories that are delivered before, or without, those that they replace.
    CurrentFirst,
    /// Prompts that the store says nothing about, without a block.
    AbsentSilent,
    /// Prompts on a neighbouring topic, without a block.
    AdjacentSilent,
    /// Prompts that need no memory, without a block.
    GeneralSilent,
    /// Prompts that receive the newer of two memories and not the older one.
    OnlyNewer,
    /// Prompts that receive both of two memories that disagree, with their dates.
    BothDated,
}

impl Figure {
    const ALL: [Figure; 10] = [
        Figure::Recall,
        Figure::Focus,
        Figure::Noise,
        Figure::Pollution,
        Figure::CurrentFirst,
        Figure::AbsentSilent,
        Figure::AdjacentSilent,
        Figure::GeneralSilent,
        Figure::OnlyNewer,
        Figure::BothDated,
    ];

    fn name(self) -> &'static str {
        match self {
            Figure::Recall => "recall",
            Figure::Focus => "focus",
            Figure::Noise => "noise",
            Figure::Pollution => "pollution",
            Figure::CurrentFirst => "current-first",
            Figure::AbsentSilent => "absent-silent",
            Figure::AdjacentSilent => "adjacent-silent",
            Figure::GeneralSilent => "general-silent",
            Figure::OnlyNewer => "only-newer",
            Figure::BothDated => "both-dated",
        }
    }

    fn higher_is_better(self) -> bool {
        !matches!(self, Figure::Noise | Figure::Pollution)
    }
}

/// The figures of questions, and what is wrong.
#[derive(Default)]
struct Score {
    counts: BTreeMap<Figure, Count>,
    n_questions: usize,
    n_blocks: usize,
    /// Of all blocks.
    tokens: usize,
    failures: Vec<String>,
}

#[test]
fn recall() {
    let mut stores = read();
    let wanted = super::variable("EVAL_STORE");
    if let Some(name) = &wanted {
        stores.retain(|store| store.name.starts_with(name.as_str()));
    }
    let next = AtomicUsize::new(0);
    let received = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(store) = stores.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let answers = play(store);
                    received.lock().unwrap().extend(answers);
                }
            });
        }
    });
    let mut received = received.into_inner().unwrap();
    received.sort_by_key(|received| &received.question.id);
    let (mut all, mut by_half) = (Score::default(), [Score::default(), Score::default()]);
    for received in &received {
        all.add(received);
        by_half[usize::from(received.question.is_tune())].add(received);
        if wanted.is_some() && received.question.is_tune() {
            println!("{}: {}\n{}", received.question.id, received.question.prompt, received.block);
        }
    }
    let mut recorded = Recorded::read();
    print!("{}", table(&all, &by_half, &recorded));
    by_half[1].failures.iter().for_each(|failure| println!("{failure}"));
    if wanted.is_some() {
        return;
    }
    assert!(all.n_questions >= 160, "only {} questions", all.n_questions);
    if super::variable("EVAL_RECORD").is_some() {
        let shares = Figure::ALL.map(|figure| (figure.name(), all.count(figure).share()));
        recorded.write_recall(&shares);
        return;
    }
    let worse: Vec<String> = Figure::ALL
        .into_iter()
        .filter_map(|figure| {
            let count = all.count(figure);
            recorded.worse_recall(figure.name(), figure.higher_is_better(), count)
        })
        .collect();
    assert!(worse.is_empty(), "worse than tests/eval/expected.toml:\n{}", worse.join("\n"));
}

/// The stores in the order of their names.
fn read() -> Vec<Store> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recall");
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let is_store = |path: &PathBuf| {
        let name = name(path);
        name.ends_with(".json") && !name.starts_with("chains-")
    };
    let mut stores: Vec<Store> = paths
        .filter(is_store)
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let store: Store = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Store { name: name(&path).trim_end_matches(".json").to_owned(), ..store }
        })
        .collect();
    stores.sort_by(|a, b| a.name.cmp(&b.name));
    stores
}

/// Stores the memories and asks the questions.
fn play(store: &Store) -> Vec<Received<'_>> {
    let mut w = World::with_prefix("mr");
    w.set("MEMCTL_WORKER_LINGER", "1ms");
    w.set("MEMCTL_HOOK_RECALL", TIME);
    w.set("TZ", "UTC");
    let dir = w.path("home/project");
    fs::create_dir(&dir).unwrap();
    let of_session = store.memories.chunk_by(|a, b| a.session == b.session);
    for memories in of_session {
        let lines: String = memories.iter().map(|m| format!("{}\n", m.line())).collect();
        let project = dir.to_str().unwrap();
        let args = ["remember", "--project", project, "--jsonl", "-"];
        w.memctl_with(&args, lines.as_bytes()).ok();
    }
    let ids: BTreeMap<String, String> = w
        .rows(
            "SELECT 'o' || id, substr(external_id, 7) FROM observations WHERE external_id NOTNULL",
        )
        .iter()
        .map(|row| row.split_once('|').unwrap())
        .map(|(row, id)| (row.to_owned(), id.to_owned()))
        .collect();
    assert_eq!(ids.len(), store.memories.len(), "{}: memories are missing", store.name);
    let original = w.data();
    let mut received = Vec::new();
    for (n, question) in store.questions.iter().enumerate() {
        w.set_data(format!("d{n}").leak());
        fs::create_dir(w.data()).unwrap();
        for file in fs::read_dir(&original).unwrap().map(|file| file.unwrap()) {
            if file.file_type().unwrap().is_file() {
                fs::copy(file.path(), w.data().join(file.file_name())).unwrap();
            }
        }
        let mut payload = prompt("asks", "t1", &question.prompt);
        payload["cwd"] = json!(dir);
        let response = w.hook(&payload);
        let block = response["hookSpecificOutput"]["additionalContext"].as_str();
        let block = block.unwrap_or_default().to_owned();
        w.hook(&end("asks"));
        w.settle();
        let lines = block.lines().filter(|line| line.starts_with("- "));
        let lines = lines.map(|line| (id_of(line, &ids), line.to_owned())).collect();
        received.push(Received { question, block, lines });
    }
    received
}

/// The id of a line's memory: `… (2026-11-24, o12, imported)`.
fn id_of(line: &str, ids: &BTreeMap<String, String>) -> String {
    let (_, end) = line.rsplit_once('(').unwrap_or_else(|| panic!("{line}"));
    let mut names = end.split([',', ')']).map(str::trim);
    let id = names.find_map(|name| ids.get(name));
    id.unwrap_or_else(|| panic!("no memory in {line}")).clone()
}

impl Memory {
    fn line(&self) -> String {
        let at: Timestamp = self.created_at.parse().expect("a time");
        json!({"id": self.id, "session": self.session, "title": self.title, "text": self.text,
               "files": self.files, "type": self.kind,
               "created_at_epoch": at.as_millisecond()})
        .to_string()
    }
}

impl Question {
    /// Whether the number at the end of its id is odd.
    fn is_tune(&self) -> bool {
        self.id.ends_with(['1', '3', '5', '7', '9'])
    }
}

impl Received<'_> {
    fn has(&self, id: &str) -> bool {
        self.lines.iter().any(|(delivered, _)| delivered == id)
    }

    fn is_answer(&self, id: &str) -> bool {
        self.question.answers.iter().any(|answer| answer == id)
    }
}

impl Score {
    fn count(&self, figure: Figure) -> Count {
        self.counts.get(&figure).copied().unwrap_or_default()
    }

    fn count_up(&mut self, figure: Figure, hits: usize, of: usize) {
        let count = self.counts.entry(figure).or_default();
        *count += Count { hits: hits as u32, of: of as u32 };
    }

    fn add(&mut self, received: &Received) {
        let Question { id, condition, prompt, answers, not } = received.question;
        let mut fail = |what: String| {
            self.failures.push(format!("{id} {what}: {prompt}"));
        };
        let missing: Vec<&String> = answers.iter().filter(|id| !received.has(id)).collect();
        if !missing.is_empty() {
            fail(format!("misses {missing:?}"));
        }
        let wrong: Vec<&String> =
            received.lines.iter().map(|(id, _)| id).filter(|id| not.contains(id)).collect();
        if !wrong.is_empty() {
            fail(format!("receives {wrong:?}"));
        } else if answers.is_empty() && !received.lines.is_empty() {
            let delivered: Vec<&String> = received.lines.iter().map(|(id, _)| id).collect();
            fail(format!("is not silent {delivered:?}"));
        }
        self.n_questions += 1;
        self.n_blocks += usize::from(!received.block.is_empty());
        let chars = |text: &str| text.chars().count();
        self.tokens += chars(&received.block) / PER_TOKEN;
        self.count_up(Figure::Recall, answers.len() - missing.len(), answers.len());
        let of_answers = received.lines.iter().filter(|(id, _)| received.is_answer(id));
        let of_answers = of_answers.map(|(_, line)| chars(line) + 1).sum();
        self.count_up(Figure::Focus, of_answers, chars(&received.block));
        if answers.is_empty() {
            self.count_up(Figure::Noise, usize::from(!received.lines.is_empty()), 1);
        }
        let is_silent = usize::from(received.block.is_empty());
        match condition {
            Condition::Answerable => {}
            Condition::Absent => self.count_up(Figure::AbsentSilent, is_silent, 1),
            Condition::Adjacent => self.count_up(Figure::AdjacentSilent, is_silent, 1),
            Condition::General => self.count_up(Figure::GeneralSilent, is_silent, 1),
            Condition::Superseded => {
                self.count_up(Figure::Pollution, wrong.len(), not.len());
                let is_only = missing.is_empty() && wrong.is_empty();
                self.count_up(Figure::OnlyNewer, usize::from(is_only), 1);
                let told = received.lines.iter().map(|(id, _)| id);
                let first = told.clone().find(|id| received.is_answer(id) || not.contains(id));
                if let Some(first) = first {
                    let is_current = usize::from(received.is_answer(first));
                    self.count_up(Figure::CurrentFirst, is_current, 1);
                }
            }
            Condition::Contradictory => {
                let is_dated = |(_, line): &&(String, String)| line.contains("(20");
                let dated = received.lines.iter().filter(is_dated);
                let dated = dated.filter(|(id, _)| received.is_answer(id)).count();
                self.count_up(Figure::BothDated, usize::from(dated == answers.len()), 1);
            }
        }
    }
}

fn table(all: &Score, by_half: &[Score; 2], recorded: &Recorded) -> String {
    let mut text = format!(
        "{} questions; share and count of each figure, the recorded share in brackets\n\n\
         {:<16} {:>18} {:>8} {:>18} {:>18}\n",
        all.n_questions, "", "all", "", "odd", "even"
    );
    let percent =
        |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.1}", 100.0 * share));
    for figure in Figure::ALL {
        let cell = |score: &Score| {
            let count = score.count(figure);
            format!("{} ({}/{})", percent(count.share()), count.hits, count.of)
        };
        let _ = writeln!(
            text,
            "{:<16} {:>18} {:>8} {:>18} {:>18}",
            figure.name(),
            cell(all),
            format!("[{}]", percent(recorded.recall(figure.name()))),
            cell(&by_half[1]),
            cell(&by_half[0]),
        );
    }
    let _ = writeln!(
        text,
        "tokens delivered: {} in {} blocks, {} a block, {} a prompt\n",
        all.tokens,
        all.n_blocks,
        all.tokens / all.n_blocks.max(1),
        all.tokens / all.n_questions.max(1)
    );
    text
}
