//! What the errors of a server teach about a model at an address: how much text it takes, how long its
//! answers may be, and which parameters it knows. The store keeps this for all workers, so that a server
//! refuses a request of one form once, and not once per batch.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::wordings;

/// The model that the lessons are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub backend: &'static str,
    pub model: String,
    /// The base URL, or the program.
    pub address: String,
}

/// A part of a request that a server may not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// `reasoning_effort`, `thinkingConfig`: asks for little thinking.
    Reasoning,
    /// `response_format` and the like: holds the model to a JSON schema.
    Schema,
    /// `stream_options`: asks for the usage of a stream.
    StreamOptions,
    /// A system prompt of its own. Without it, the user's message begins with it.
    SystemPrompt,
}

/// What a server asks to change in the form of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `max_completion_tokens` instead of `max_tokens`, or the reverse.
    LimitName {
        newer: bool,
    },
    /// Shorter answers. The error names these numbers.
    ShorterAnswer {
        numbers: Vec<u64>,
    },
    Omit(Parameter),
}

/// The names of parameters in errors, in lower case.
const NAMES: [(&str, Parameter); 18] = [
    ("reasoning_effort", Parameter::Reasoning),
    ("reasoning effort", Parameter::Reasoning),
    ("thinkingconfig", Parameter::Reasoning),
    ("thinking_config", Parameter::Reasoning),
    ("thinking", Parameter::Reasoning),
    ("response_format", Parameter::Schema),
    ("response format", Parameter::Schema),
    ("responsejsonschema", Parameter::Schema),
    ("response_json_schema", Parameter::Schema),
    ("responsemimetype", Parameter::Schema),
    ("response_mime_type", Parameter::Schema),
    ("json mode", Parameter::Schema),
    ("json_schema", Parameter::Schema),
    ("output_config", Parameter::Schema),
    ("stream_options", Parameter::StreamOptions),
    ("developer instruction", Parameter::SystemPrompt),
    ("system role", Parameter::SystemPrompt),
    ("systeminstruction", Parameter::SystemPrompt),
];

impl Change {
    /// The change that the text of a 400 asks for, which is in lower case.
    pub fn asked_for(text: &str) -> Option<Change> {
        if let Some((_, parameter)) = NAMES.iter().find(|(name, _)| text.contains(name)) {
            return Some(Change::Omit(*parameter));
        }
        let newer = text.find("max_completion_tokens");
        let older = find_word(text, "max_tokens");
        let numbers: Vec<u64> = wordings::numbers(text);
        match (newer, older) {
            // "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
            (Some(newer), Some(older)) if numbers.is_empty() => {
                Some(Change::LimitName { newer: newer > older })
            }
            (Some(_), None) if numbers.is_empty() => Some(Change::LimitName { newer: false }),
            (None, Some(_)) if numbers.is_empty() => Some(Change::LimitName { newer: true }),
            (None, None)
                if !["maxoutputtokens", "max_output_tokens", "completion tokens"]
                    .iter()
                    .any(|name| text.contains(name)) =>
            {
                None
            }
            _ => Some(Change::ShorterAnswer { numbers }),
        }
    }
}

/// The position of a word that is no part of a longer one.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word)
        .map(|(at, _)| at)
        .find(|at| !text[..*at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Change::LimitName { newer: true } => "max_tokens",
            Change::LimitName { newer: false } => "max_completion_tokens",
            Change::ShorterAnswer { .. } => "agent.*.max_tokens",
            Change::Omit(Parameter::Reasoning) => "a limit on thinking",
            Change::Omit(Parameter::Schema) => "a schema of the answer",
            Change::Omit(Parameter::StreamOptions) => "stream_options",
            Change::Omit(Parameter::SystemPrompt) => "a system prompt",
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lessons {
    /// Tokens of a prompt and its answer, as the server told.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<u64>,
    /// Maximum bytes of a whole prompt, after one of twice the size was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_bytes: Option<usize>,
    /// Maximum tokens of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newer_limit_name: Option<bool>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    omitted: BTreeSet<Parameter>,
}

/// The fewest bytes that a token may stand for. Code has about 3.5.
const BYTES_PER_TOKEN: u64 = 3;

/// The shortest answer that has room for an observation.
const MIN_ANSWER: u64 = 256;

impl Lessons {
    /// Reads what [`Lessons::to_text`] wrote. Empty if it cannot be read.
    pub fn from_text(text: &str) -> Lessons {
        serde_json::from_str(text).unwrap_or_default()
    }

    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The maximum bytes of a whole prompt; `None` if it is not known.
    pub fn prompt_limit(&self, configured_answer: u64) -> Option<usize> {
        let by_context = self.context.map(|context| {
            let prompt = context.saturating_sub(self.answer_limit(configured_answer));
            usize::try_from(prompt * BYTES_PER_TOKEN).unwrap_or(usize::MAX)
        });
        [by_context, self.prompt_bytes].into_iter().flatten().min()
    }

    /// The maximum tokens of an answer. A small context is for the prompt first.
    pub fn answer_limit(&self, configured: u64) -> u64 {
        let by_context = self.context.map(|context| (context / 4).max(MIN_ANSWER));
        [Some(configured), self.answer_tokens, by_context]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(configured)
    }

    pub fn omits(&self, parameter: Parameter) -> bool {
        self.omitted.contains(&parameter)
    }

    /// Whether the limit of an answer is called `max_completion_tokens`.
    pub fn newer_limit_name(&self, usual: bool) -> bool {
        self.newer_limit_name.unwrap_or(usual)
    }

    /// Learns that a prompt of `bytes` is too long, for a context of this many tokens if it is known.
    pub fn learn_too_long(&mut self, bytes: usize, context: Option<u64>, configured_answer: u64) {
        if context.is_some() {
            self.context = context;
        }
        // The error may count something else, for example a limit of tokens per minute.
        if self.prompt_limit(configured_answer).is_none_or(|limit| limit >= bytes) {
            self.prompt_bytes = Some(bytes / 2);
        }
    }

    /// Learns a change of the form. Returns false if the request had that form already.
    pub fn learn(&mut self, change: &Change, configured_answer: u64) -> bool {
        let before = self.clone();
        match change {
            Change::LimitName { newer } => self.newer_limit_name = Some(*newer),
            Change::Omit(parameter) => {
                self.omitted.insert(*parameter);
            }
            Change::ShorterAnswer { numbers } => {
                let asked = self.answer_limit(configured_answer);
                let named = numbers.iter().filter(|n| (MIN_ANSWER..asked).contains(n)).max();
                // A limit of which the error says only that it is exceeded.
                let limit = named.copied().unwrap_or((asked / 2).max(MIN_ANSWER));
                self.answer_tokens = Some(limit.min(asked));
                return limit < asked;
            }
        }
        *self != before
    }

    /// The plainest form. `None` if the request has that form already.
    pub fn plainest(&self) -> Option<Lessons> {
        let mut plain = self.clone();
        plain.omitted.extend([Parameter::Reasoning, Parameter::Schema, Parameter::StreamOptions]);
        (plain != *self).then_some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_names_what_to_change() {
        let check = |text: &str, want: Option<Change>| {
            assert_eq!(Change::asked_for(&text.to_lowercase()), want, "{text}");
        };
        let shorter = |numbers: &[u64]| Some(Change::ShorterAnswer { numbers: numbers.to_vec() });
        check(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
             'max_completion_tokens' instead.",
            Some(Change::LimitName { newer: true }),
        );
        check(
            "Unrecognized request argument supplied: max_completion_tokens",
            Some(Change::LimitName { newer: false }),
        );
        check(
            "max_tokens is too large: 100000. This model supports at most 16384 completion tokens",
            shorter(&[100_000, 16_384]),
        );
        check(
            "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for \
             claude-3-haiku-20240307",
            shorter(&[8192, 4096]),
        );
        check(
            "Unable to submit request because it has a maxOutputTokens value of 9000 but the \
             supported range is from 1 (inclusive) to 8193 (exclusive)",
            shorter(&[9000, 1, 8193]),
        );
        check(
            "Unsupported value: 'reasoning_effort' does not support 'low' with this model.",
            Some(Change::Omit(Parameter::Reasoning)),
        );
        check("\"llama3:8b\" does not support thinking", Some(Change::Omit(Parameter::Reasoning)));
        check(
            "Developer instruction is not enabled for models/gemma-3-27b-it",
            Some(Change::Omit(Parameter::SystemPrompt)),
        );
        for text in [
            "'response_format.type' must be 'text'",
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this \
             model.",
            "JSON mode is not enabled for models/gemma-3-27b-it",
            "output_config: Extra inputs are not permitted",
        ] {
            check(text, Some(Change::Omit(Parameter::Schema)));
        }
        check("messages.0: content is odd", None);
        check("", None);
    }

    #[test]
    fn a_change_is_learnt_once_and_survives_its_text() {
        let mut lessons = Lessons::default();
        for change in [
            Change::LimitName { newer: true },
            Change::ShorterAnswer { numbers: vec![9000, 2048] },
            Change::Omit(Parameter::Reasoning),
        ] {
            assert!(lessons.learn(&change, 4096), "{change}");
        }
        assert!(!lessons.learn(&Change::Omit(Parameter::Reasoning), 4096));
        assert!(!lessons.learn(&Change::LimitName { newer: true }, 4096));
        assert_eq!(lessons.answer_limit(4096), 2048);
        assert_eq!(Lessons::from_text(&lessons.to_text()), lessons);
        assert_eq!(Lessons::from_text("{\"later\": 1}"), Lessons::default());
        // Without a number, the answer is halved, down to the shortest.
        let mut steps = 0;
        while lessons.learn(&Change::ShorterAnswer { numbers: vec![] }, 4096) {
            steps += 1;
        }
        assert_eq!((steps, lessons.answer_limit(4096)), (3, MIN_ANSWER));
    }

    #[test]
    fn a_prompt_is_cut_to_the_context_or_to_half() {
        let mut lessons = Lessons::default();
        assert_eq!(lessons.prompt_limit(4096), None);
        lessons.learn_too_long(30_000, Some(4096), 4096);
        assert_eq!((lessons.prompt_limit(4096), lessons.answer_limit(4096)), (Some(9216), 1024));
        // The server counts more tokens than expected.
        lessons.learn_too_long(9000, Some(4096), 4096);
        assert_eq!(lessons.prompt_limit(4096), Some(4500));
        let mut unknown = Lessons::default();
        unknown.learn_too_long(30_000, None, 4096);
        assert_eq!((unknown.prompt_limit(4096), unknown.answer_limit(4096)), (Some(15_000), 4096));
    }
}
