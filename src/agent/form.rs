//! The form of a model's answer: JSON where the server holds the model to a schema, elements elsewhere.
//! The system prompt asks for that form, and never changes otherwise.

use std::sync::LazyLock;

use serde_json::Value;

const OBSERVER: &str = include_str!("prompts/observer.md");

static ELEMENTS: LazyLock<String> =
    LazyLock::new(|| system_prompt(include_str!("prompts/elements.md")));
static JSON: LazyLock<String> = LazyLock::new(|| system_prompt(include_str!("prompts/json.md")));

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("prompts/schema.json")).expect("a valid schema")
});

/// The name of the schema, which the OpenAI API requires.
pub const SCHEMA_NAME: &str = "memory";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Elements,
    Json,
}

impl Form {
    pub fn system_prompt(self) -> &'static str {
        match self {
            Form::Elements => &ELEMENTS,
            Form::Json => &JSON,
        }
    }

    /// Bytes that each request has beside the envelope: the system prompt, and the schema, which the
    /// server adds to the prompt.
    pub fn fixed_bytes(self) -> usize {
        let schema = match self {
            Form::Elements => 0,
            Form::Json => include_str!("prompts/schema.json").len(),
        };
        self.system_prompt().len() + schema
    }
}

/// The JSON schema of an answer. All properties are required, as strict servers ask.
pub fn schema() -> &'static Value {
    &SCHEMA
}

/// The version of the system prompt: the first line of its source.
pub fn version() -> &'static str {
    OBSERVER.lines().next().and_then(|line| line.strip_prefix("version: ")).unwrap_or("?")
}

fn system_prompt(form: &str) -> String {
    let role = OBSERVER.split_once('\n').map_or(OBSERVER, |(_, text)| text);
    format!("{role}\n{form}{}", include_str!("prompts/rules.md"))
}
