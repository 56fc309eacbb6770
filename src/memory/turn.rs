//! What a turn did, and what was said about it, as data. It is stored as JSON with the summary row
//! of the turn. The columns of that row are rendered from it, and nothing parses them.

use serde::{Deserialize, Serialize};

use super::{Evidence, Summary};

/// One turn of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Turn {
    /// Who wrote the turn's prompt.
    pub sender: Sender,
    /// The user's own words: what was asked. Empty if the prompt only continues an earlier turn.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// What a short reply answers: the question asked before, or the option chosen.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub re: String,
    /// The turn continues the work of the turn before: `go on`, a notification, an interruption.
    pub continues: bool,
    /// The user reports that something still fails.
    pub complains: bool,
    /// The user denies what the turn before said: `no, there is only one order`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub denies: bool,
    /// The user reports to have done what was left to them: `pushed, it's merged`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub did: bool,
    /// The user puts off the answer to a question: `have to ask them`, `later`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub defers: bool,
    /// One line for the turn that can be understood alone. Empty: the turn is not told.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Blocks of the final message, if evidence shows a change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<Block>,
    /// Blocks of the final message without a change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answer: Vec<Block>,
    /// Blocks under a heading such as `Cause`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cause: Vec<Block>,
    /// What was said beside what was done: how it was before, why, what is hoped. It is kept for `show` and
    /// search, and no context tells it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub background: Vec<Block>,
    /// What the assistant says it decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<String>,
    /// What is left to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<Step>,
    /// The question that ends the final message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Question>,
    /// The last sentence of the final message, if it says neither what is left nor what was done. The user
    /// may put that off.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub closing: String,
    /// Claims of the final message that the evidence does not bear out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
    /// Ids of blockers and failures that the final message confirms: positions in
    /// `evidence.blockers`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub confirmed_blockers: Vec<usize>,
    pub evidence: Evidence,
    /// HEAD after the turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Minutes east of UTC on the user's machine at the turn's end.
    pub utc_offset: i32,
    pub ending: Ending,
    /// The codes of the error that ended the turn: `429`, `rate_limit_error`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub error_codes: Vec<String>,
}

/// Who wrote a prompt. Only the user's words become requests and rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sender {
    #[default]
    User,
    /// The client itself: a notification, a continuation after compaction, a wake-up, an error.
    Client,
    /// Another agent or session, or a channel.
    Agent,
    /// A hook of the client: Stop-hook feedback.
    Hook,
    /// A schedule: cron, a loop.
    Schedule,
}

impl Sender {
    pub fn as_str(self) -> &'static str {
        match self {
            Sender::User => "user",
            Sender::Client => "client",
            Sender::Agent => "agent",
            Sender::Hook => "hook",
            Sender::Schedule => "schedule",
        }
    }
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    #[default]
    Stop,
    Interrupted,
    /// An error of the client or its API.
    Error,
    /// The session ended before the turn did.
    SessionEnd,
    /// Not ended yet: a checkpoint.
    Open,
    /// It did not stop, and a later turn of the session finished what it had begun.
    Continued,
}

impl Turn {
    /// How the turn ended, for people. Empty if it stopped.
    pub fn ending_note(&self) -> String {
        match self.ending {
            Ending::Stop | Ending::Open | Ending::Continued => String::new(),
            Ending::Interrupted => "interrupted".to_owned(),
            Ending::SessionEnd => "the session ended before the turn did".to_owned(),
            Ending::Error if self.error_codes.is_empty() => "ended with an error".to_owned(),
            Ending::Error => format!("ended with an error ({})", self.error_codes.join(", ")),
        }
    }
}

/// What stands between a request and the text that it refers to.
const RE: &str = " (re: ";

impl Turn {
    /// The request with what it refers to.
    pub fn told_request(&self) -> String {
        match self.re.is_empty() {
            true => self.request.clone(),
            false => format!("{}{RE}{})", self.request, self.re),
        }
    }

    /// Whether the text that this turn refers to is the request of an earlier turn, its question, or options
    /// of that.
    pub fn refers_to(&self, earlier: &Turn) -> bool {
        let is_of = |asked: &Question| {
            let is_option = |text: &str| asked.options.iter().any(|option| option == text);
            self.re == asked.text || is_option(&self.re) || self.re.split("; ").all(is_option)
        };
        self.re == earlier.request || earlier.asked.as_ref().is_some_and(is_of)
    }

    /// Removes the text that this turn refers to. Returns it, or `None` if there is none.
    pub fn forget_re(&mut self) -> Option<String> {
        let re = Some(std::mem::take(&mut self.re)).filter(|re| !re.is_empty())?;
        self.title = Turn::without_re(&self.title, &re);
        self.request = Turn::without_re(&self.request, &re);
        Some(re)
    }

    /// A title or request without the text that it refers to. A title may have been cut in that text.
    pub fn without_re(text: &str, re: &str) -> String {
        for (at, _) in text.match_indices(RE) {
            let (request, rest) = (&text[..at], &text[at + RE.len()..]);
            if let Some(rest) = rest.strip_prefix(re) {
                return format!("{request}{}", rest.strip_prefix(')').unwrap_or(rest));
            }
            if re.starts_with(rest.trim_end_matches(['…', ' '])) {
                return request.to_owned();
            }
        }
        text.to_owned()
    }
}

impl Turn {
    /// Changes what the turn says to an edited summary. Texts that are the same in both stay.
    pub fn change_texts(&mut self, old: &Summary, new: &Summary) {
        if new.request != old.request {
            self.request.clone_from(&new.request);
            self.title = new.request.lines().next().unwrap_or_default().to_owned();
        }
        let texts = [
            (&mut self.cause, &old.learned, &new.learned),
            (&mut self.done, &old.completed, &new.completed),
            (&mut self.answer, &old.notes, &new.notes),
        ];
        for (blocks, old, new) in texts {
            if old != new {
                *blocks = Block::of_text(new).into_iter().collect();
            }
        }
        if new.next_steps != old.next_steps {
            let lines = lines(&new.next_steps).into_iter();
            self.next = lines.map(|text| Step { text, ..Step::default() }).collect();
        }
    }
}

/// The lines of a text, without bullets.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim().trim_start_matches("- ").to_owned());
    lines.filter(|line| line.chars().any(char::is_alphanumeric)).collect()
}

/// A part of a message in its own words: a paragraph, a list or a table, with the heading or lead-in
/// that introduces it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Block {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub heading: String,
    /// The line with a colon before a list or a table.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lead_in: String,
    pub kind: BlockKind,
    /// A paragraph's sentences, a list's items with their nested items, a table's rows. Code
    /// fences of more than three lines are `[…]`.
    pub lines: Vec<String>,
    /// Positions of the lines that say how things stood when the turn ended: a failure, what is left, an
    /// offer. Later work may have changed it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub momentary: Vec<usize>,
    /// Lines that were left out at the end.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: u32,
}

impl Block {
    /// A text as a list of its lines. `None` if it has none.
    fn of_text(text: &str) -> Option<Block> {
        let lines = lines(text);
        (!lines.is_empty()).then(|| Block { kind: BlockKind::List, lines, ..Block::default() })
    }

    /// The block without its momentary lines. `None` if nothing else is in it.
    pub fn lasting(&self) -> Option<Block> {
        let mut block = Block { momentary: Vec::new(), ..self.clone() };
        let mut at = 0;
        block.lines.retain(|_| {
            at += 1;
            !self.momentary.contains(&(at - 1))
        });
        (!block.lines.is_empty()).then_some(block)
    }
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    #[default]
    Paragraph,
    List,
    Table,
}

/// Something left to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    pub text: String,
    pub kind: StepKind,
    /// A sentence of its own, without a heading, a list or an empty box.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub said: bool,
}

/// Where a step comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A block under a heading such as `Next steps`.
    #[default]
    Stated,
    /// An open item of the client's task list.
    Task,
    /// A step of an approved plan that was not begun.
    Plan,
    /// Left to the user: secrets to set, a command to run.
    ForUser,
    /// The next phase or ticket of a plan in the repository.
    FollowUp,
}

/// A question to the user, with its options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Question {
    pub text: String,
    /// It offers more work, and leaves nothing to decide: `Shall I add a flag?`
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_offer: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A claim that the evidence does not bear out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claim {
    /// The sentence of the message.
    pub text: String,
    pub kind: ClaimKind,
    /// The check's key or the path.
    pub subject: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// A pass is claimed, but the last run of this kind failed.
    #[default]
    FailedCheck,
    /// A pass is claimed, but no run of this kind passed.
    UnprovenPass,
    /// A path is told as written, but was not.
    UnwrittenFile,
    /// A commit or push is claimed, but none was made.
    NoCommit,
}

/// HEAD of a work tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Head {
    /// Empty if HEAD is detached.
    pub branch: String,
    /// The full hash. Empty in a repository without commits.
    pub commit: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_refers_to_is_removed_from_whole_and_cut_texts() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Turn::without_re(text, "Add a cache to the export"), expected, "{text}");
        };
        check("Try again (re: Add a cache to the export)", "Try again");
        check("Try again (re: Add a cache to the export) now", "Try again now");
        check("Try again (re: Add a cache to…", "Try again");
        check("Try again (re: Add a cache to", "Try again");
        check("Try again (re: the flag)", "Try again (re: the flag)");
        check("Odd (re: x) (re: Add a cache", "Odd (re: x)");
        check("Try again", "Try again");
    }

    #[test]
    fn a_text_is_found_in_the_turn_that_it_comes_from() {
        let options = vec!["Redis".to_owned(), "Kafka; managed".to_owned(), "None".to_owned()];
        let asked = Some(Question { text: "Which broker?".into(), options, ..Question::default() });
        let earlier = Turn { request: "Pick a broker".into(), asked, ..Turn::default() };
        for (re, expected) in [
            ("Pick a broker", true),
            ("Which broker?", true),
            ("Redis; None", true),
            ("Kafka; managed", true),
            ("Pick", false),
            ("Redis; Rabbit", false),
        ] {
            let turn = Turn { re: re.into(), ..Turn::default() };
            assert_eq!(turn.refers_to(&earlier), expected, "{re}");
        }
    }
}
