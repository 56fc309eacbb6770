//! OpenAI's chat completions API, with streaming; a whole completion is accepted too. OpenRouter,
//! Ollama, llama.cpp, vLLM and LM Studio also serve this API.

use serde_json::{Value, json};

use super::answer::Answer;
use super::error::AgentError;
use super::form::{SCHEMA_NAME, schema};
use super::http::{Call, Client, api_error};
use super::lessons::{Lessons, Parameter};
use crate::config::Http;
use crate::config::secrets::Secret;

/// Servers that accept only the newer name `max_completion_tokens`.
const NEWER_NAME: [&str; 2] = ["api.openai.com", ".openai.azure.com"];

/// Models that think before they answer and take `reasoning_effort`. Other servers may refuse it.
const THINKING: [&str; 11] = [
    "gpt-5",
    "o1",
    "o3",
    "o4",
    "gpt-oss",
    "qwen3",
    "deepseek-r1",
    "magistral",
    "grok-3-mini",
    "gemini-2.5",
    "gemini-3",
];

pub fn call(
    http: &Http,
    key: Option<Secret>,
    model: &str,
    form: &Lessons,
    system: &str,
    text: &str,
) -> Call {
    let messages = if form.omits(Parameter::SystemPrompt) {
        json!([{"role": "user", "content": format!("{system}\n{text}")}])
    } else {
        json!([{"role": "system", "content": system}, {"role": "user", "content": text}])
    };
    let mut body = json!({"model": model, "stream": true, "messages": messages});
    if !form.omits(Parameter::StreamOptions) {
        body["stream_options"] = json!({"include_usage": true});
    }
    if thinks(model) && !form.omits(Parameter::Reasoning) {
        body["reasoning_effort"] = "low".into();
    }
    if !form.omits(Parameter::Schema) {
        let schema = json!({"name": SCHEMA_NAME, "strict": true, "schema": schema()});
        body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
    }
    let newer = NEWER_NAME.iter().any(|host| http.base_url.contains(host));
    let newer = form.newer_limit_name(newer);
    let limit = if newer { "max_completion_tokens" } else { "max_tokens" };
    body[limit] = form.answer_limit(http.max_tokens as u64).into();
    Call {
        url: format!("{}/chat/completions", http.base_url),
        headers: Vec::new(),
        key: key.map(bearer),
        body,
    }
}

fn bearer(key: Secret) -> (&'static str, &'static str, Secret) {
    ("authorization", "Bearer ", key)
}

fn thinks(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    THINKING.iter().any(|known| name.starts_with(known))
}

/// The model of the settings, or the first one that the server lists.
pub async fn first_model(
    client: &Client,
    http: &Http,
    key: Option<Secret>,
) -> Result<String, AgentError> {
    if !http.model.is_empty() {
        return Ok(http.model.clone());
    }
    let list = client.get(&format!("{}/models", http.base_url), key.map(bearer)).await?;
    let first = list["data"].get(0).and_then(|model| model["id"].as_str());
    let none = || AgentError::Setup("the server lists no model; set agent.openai.model".into());
    first.map(str::to_owned).ok_or_else(none)
}

/// Adds one chunk of the stream to the answer, or the whole completion.
pub fn add_part(answer: &mut Answer, chunk: &Value) -> Result<(), AgentError> {
    if chunk.get("error").is_some_and(|error| !error.is_null()) {
        return Err(api_error(0, chunk, None));
    }
    let choice = &chunk["choices"][0];
    for message in [&choice["delta"], &choice["message"]] {
        add_message(answer, message);
    }
    let usage = &chunk["usage"];
    if let Some(input) = usage["prompt_tokens"].as_u64() {
        answer.usage.input = input;
        answer.usage.output = usage["completion_tokens"].as_u64().unwrap_or_default();
        let cached = &usage["prompt_tokens_details"]["cached_tokens"];
        answer.usage.cache_read = cached.as_u64().unwrap_or_default();
        answer.usage.cost = usage["cost"].as_f64();
    }
    match choice["finish_reason"].as_str() {
        Some("content_filter") => Err(AgentError::UnusableAnswer("a refusal")),
        Some("error") => {
            Err(AgentError::Unreachable("the server ended the stream with an error".into()))
        }
        reason => {
            answer.finished |= reason.is_some();
            answer.truncated |= reason == Some("length");
            Ok(())
        }
    }
}

/// Adds the text of a message: a string, or a list of parts, of which some models call the first
/// `thinking`.
fn add_message(answer: &mut Answer, message: &Value) {
    let content = &message["content"];
    answer.text.push_str(content.as_str().unwrap_or_default());
    for part in content.as_array().into_iter().flatten() {
        match part["type"].as_str() {
            Some("thinking") => answer.instead = Some("thoughts only"),
            _ => answer.text.push_str(part["text"].as_str().unwrap_or_default()),
        }
    }
    let has_text = |name: &str| message[name].as_str().is_some_and(|text| !text.is_empty());
    if has_text("reasoning_content") || has_text("reasoning") {
        answer.instead = Some("thoughts only");
    }
    if message["tool_calls"].as_array().is_some_and(|calls| !calls.is_empty()) {
        answer.instead = Some("a tool call");
    }
    if has_text("refusal") {
        answer.instead = Some("a refusal");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_and_a_whole_completion_add_up() {
        let mut answer = Answer::default();
        for chunk in [
            json!({"choices": [{"delta": {"role": "assistant", "content": ""}}]}),
            json!({"choices": [{"delta": {"content": "<skip_summary/>"}, "finish_reason": null}]}),
            json!({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": null}),
            json!({"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 30}, "cost": 0.25}}),
        ] {
            add_part(&mut answer, &chunk).unwrap();
        }
        assert!(answer.finished && answer.text == "<skip_summary/>");
        assert_eq!((answer.usage.input, answer.usage.cache_read), (40, 30));
        assert_eq!(answer.usage.cost, Some(0.25));
        let mut whole = Answer::default();
        let chunk = json!({"choices": [{"message": {"content": "x"}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 4, "completion_tokens": 5}});
        add_part(&mut whole, &chunk).unwrap();
        assert!(whole.finished && whole.text == "x" && whole.usage.output == 5);
        let error = json!({"error": {"message": "model is overloaded", "code": 503}});
        assert!(matches!(add_part(&mut whole, &error), Err(AgentError::Busy { .. })));
    }
}
