//! The tools: their definitions, which each session of the client pays for in tokens, and the arguments.

use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde::Deserialize;
use serde_json::{Value, json};

/// A call of a tool.
#[derive(Debug, PartialEq)]
pub enum Call {
    Search(Search),
    Timeline(Timeline),
    Get(Ids),
    Remember(Remember),
    Forget(Ids),
    Feedback(Feedback),
    Status(Status),
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Search {
    pub query: String,
    pub project: Option<String>,
    #[serde(default = "default_hits")]
    pub limit: usize,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    pub id: Option<String>,
    pub project: Option<String>,
    #[serde(default = "default_rows")]
    pub limit: usize,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Ids {
    pub ids: Vec<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Remember {
    pub text: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub title: Option<String>,
    #[serde(default)]
    pub files: Vec<String>,
    pub expires: Option<String>,
    #[serde(default)]
    pub from: Author,
    pub project: Option<String>,
}

/// Who says what a model remembers.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Author {
    #[default]
    Assistant,
    Web,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    pub ids: Vec<String>,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Helpful,
    Stale,
    Wrong,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Status {
    pub project: Option<String>,
}

fn default_hits() -> usize {
    10
}

fn default_rows() -> usize {
    8
}

impl Call {
    /// # Errors
    /// A sentence for the model. `None`: there is no such tool.
    pub fn parse(name: &str, arguments: Option<JsonObject>) -> Option<Result<Call, String>> {
        let arguments = Value::Object(arguments.unwrap_or_default());
        let call = match name {
            "search" => serde_json::from_value(arguments).map(Call::Search),
            "timeline" => serde_json::from_value(arguments).map(Call::Timeline),
            "get" => serde_json::from_value(arguments).map(Call::Get),
            "remember" => serde_json::from_value(arguments).map(Call::Remember),
            "forget" => serde_json::from_value(arguments).map(Call::Forget),
            "feedback" => serde_json::from_value(arguments).map(Call::Feedback),
            "status" => serde_json::from_value(arguments).map(Call::Status),
            _ => return None,
        };
        Some(call.map_err(|e| format!("invalid arguments of {name}: {e}")))
    }

    /// The project that the call names. `None`: it depends on none.
    pub fn project(&self) -> Option<Option<&str>> {
        match self {
            Call::Search(Search { project, .. })
            | Call::Remember(Remember { project, .. })
            | Call::Status(Status { project }) => Some(project.as_deref()),
            Call::Timeline(Timeline { id: None, project, .. }) => Some(project.as_deref()),
            Call::Timeline(_) | Call::Get(_) | Call::Forget(_) | Call::Feedback(_) => None,
        }
    }
}

/// Behaviour that clients show, and by which they decide whether to ask the user.
enum Effect {
    Reads,
    Adds,
    Removes,
}

pub fn list() -> Vec<Tool> {
    let project =
        json!({"type": "string", "description": "Directory or name [default: the client's roots]"});
    let ids = json!({"type": "array", "items": {"type": "string"}, "maxItems": 20});
    let only_ids = json!({"type": "object", "properties": {"ids": &ids}, "required": ["ids"]});
    let tool = |name, description, schema: Value, effect| {
        let Value::Object(schema) = schema else { unreachable!("every schema is an object") };
        let hints = ToolAnnotations::new().open_world(false);
        let hints = match effect {
            Effect::Reads => hints.read_only(true),
            Effect::Adds => hints.destructive(false).idempotent(true),
            Effect::Removes => hints.destructive(true).idempotent(true),
        };
        Tool::new::<&str, &str, _>(name, description, Arc::new(schema)).with_annotations(hints)
    };
    vec![
        tool(
            "search",
            "Find memories of earlier sessions: decisions, fixes, causes, what was done. Returns ids with \
             titles, best first; get has their texts. Takes words, a question, a path or an error message. \
             Filters in the query: type:decision after:30d file:PATH \"exact text\" project:*; origin:web \
             adds web pages.",
            json!({"type": "object", "properties": {
                "query": {"type": "string"},
                "project": project,
                "limit": {"type": "integer", "minimum": 1, "maximum": 50},
            }, "required": ["query"]}),
            Effect::Reads,
        ),
        tool(
            "timeline",
            "Ids and titles before and after a memory; without id, the newest of the project.",
            json!({"type": "object", "properties": {
                "id": {"type": "string"},
                "project": project,
                "limit": {"type": "integer", "minimum": 1, "maximum": 50, "description": "Rows on each side"},
            }}),
            Effect::Reads,
        ),
        tool(
            "get",
            "Full texts of observations (o412), summaries (s37) and prompts (p88).",
            only_ids.clone(),
            Effect::Reads,
        ),
        tool(
            "remember",
            "Store one lasting fact, decision or cause for later sessions. Secrets are removed.",
            json!({"type": "object", "properties": {
                "text": {"type": "string"},
                "type": {"type": "string", "description": "One word, such as decision or bugfix"},
                "title": {"type": "string"},
                "files": {"type": "array", "items": {"type": "string"}},
                "expires": {"type": "string", "description": "30d or 2027-01-31"},
                "from": {"enum": ["assistant", "web"], "description": "web: a third party says so"},
                "project": project,
            }, "required": ["text"]}),
            Effect::Adds,
        ),
        tool(
            "forget",
            "Forget memories that the user wants removed. The user can undo it.",
            only_ids,
            Effect::Removes,
        ),
        tool(
            "feedback",
            "Rate memories. wrong: no session gets them, nor what says the same. stale: told last.",
            json!({"type": "object", "properties": {
                "ids": ids,
                "verdict": {"enum": ["helpful", "stale", "wrong"]},
            }, "required": ["ids", "verdict"]}),
            Effect::Adds,
        ),
        tool(
            "status",
            "What is stored, and whether this project is recorded.",
            json!({"type": "object", "properties": {"project": project}}),
            Effect::Reads,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_call_and_its_schema_names_the_arguments() {
        let value = |schema: &Value| match (schema["type"].as_str(), &schema["enum"][0]) {
            (_, Value::String(first)) => json!(first),
            (Some("integer"), _) => json!(3),
            (Some("array"), _) => json!(["o1"]),
            _ => json!("x"),
        };
        for tool in list() {
            let parse = |arguments: &JsonObject| {
                Call::parse(&tool.name, Some(arguments.clone())).expect("a known tool")
            };
            let properties = tool.input_schema["properties"].as_object().unwrap();
            let required = tool.input_schema.get("required").and_then(Value::as_array);
            let required = required.into_iter().flatten().map(|name| name.as_str().unwrap());
            let mut arguments: JsonObject =
                required.map(|name| (name.to_owned(), value(&properties[name]))).collect();
            parse(&arguments).unwrap();
            arguments.extend(properties.iter().map(|(name, schema)| (name.clone(), value(schema))));
            parse(&arguments).unwrap();
            arguments.insert("unknown".into(), json!(1));
            assert!(parse(&arguments).unwrap_err().contains("unknown"));
        }
        assert!(Call::parse("delete_everything", None).is_none());
    }
}
