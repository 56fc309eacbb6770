//! Anthropic's Messages API with streaming. Nothing is marked for the provider's cache, which begins at
//! more tokens than the system prompt has.

use serde_json::{Value, json};

use super::answer::Answer;
use super::error::AgentError;
use super::form::schema;
use super::http::{Call, api_error};
use super::lessons::{Lessons, Parameter};
use crate::config::Http;
use crate::config::secrets::Secret;

/// The API version.
const VERSION: &str = "2023-06-01";

pub fn call(http: &Http, key: Option<Secret>, form: &Lessons, system: &str, text: &str) -> Call {
    let mut body = json!({
        "model": http.model,
        "max_tokens": form.answer_limit(http.max_tokens as u64),
        "stream": true,
        "system": system,
        "messages": [{"role": "user", "content": text}],
    });
    if !form.omits(Parameter::Schema) {
        body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema()}});
    }
    Call {
        url: format!("{}/v1/messages", http.base_url),
        headers: vec![("anthropic-version", VERSION)],
        key: key.map(|key| ("x-api-key", "", key)),
        body,
    }
}

/// Adds one event of the stream to the answer, or the whole message if the server does not stream.
pub fn add_part(answer: &mut Answer, event: &Value) -> Result<(), AgentError> {
    match event["type"].as_str().unwrap_or_default() {
        "message_start" => set_usage(answer, &event["message"]["usage"]),
        "content_block_start" => note_other(answer, &event["content_block"]),
        "content_block_delta" => {
            answer.text.push_str(event["delta"]["text"].as_str().unwrap_or_default());
        }
        "message_delta" => {
            set_usage(answer, &event["usage"]);
            answer.finished |= event["delta"]["stop_reason"].is_string();
            check_stop_reason(answer, &event["delta"]["stop_reason"])?;
        }
        "message_stop" => answer.finished = true,
        "message" => {
            for block in event["content"].as_array().into_iter().flatten() {
                answer.text.push_str(block["text"].as_str().unwrap_or_default());
                note_other(answer, block);
            }
            set_usage(answer, &event["usage"]);
            answer.finished = true;
            check_stop_reason(answer, &event["stop_reason"])?;
        }
        "error" => return Err(api_error(0, event, None)),
        _ => {}
    }
    Ok(())
}

/// Notes a block that is no text.
fn note_other(answer: &mut Answer, block: &Value) {
    match block["type"].as_str() {
        Some("thinking" | "redacted_thinking") => answer.instead = Some("thoughts only"),
        Some("tool_use") => answer.instead = Some("a tool call"),
        _ => {}
    }
}

fn check_stop_reason(answer: &mut Answer, reason: &Value) -> Result<(), AgentError> {
    match reason.as_str() {
        Some("refusal") => Err(AgentError::UnusableAnswer("a refusal")),
        reason => {
            answer.truncated |= reason == Some("max_tokens");
            Ok(())
        }
    }
}

/// The counts are cumulative, so a later event replaces an earlier one.
fn set_usage(answer: &mut Answer, usage: &Value) {
    let count = |name: &str| usage[name].as_u64();
    let used = &mut answer.usage;
    if let Some(uncached) = count("input_tokens") {
        used.cache_write = count("cache_creation_input_tokens").unwrap_or(used.cache_write);
        used.cache_read = count("cache_read_input_tokens").unwrap_or(used.cache_read);
        used.input = uncached + used.cache_write + used.cache_read;
    }
    used.output = count("output_tokens").unwrap_or(used.output);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Usage;

    #[test]
    fn a_stream_adds_up() {
        let mut answer = Answer::default();
        for event in [
            json!({"type": "message_start", "message": {"usage": {"input_tokens": 10,
                "cache_creation_input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "ping"}),
            json!({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}}),
            json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "<skip_"}}),
            json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "summary/>"}}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}),
        ] {
            add_part(&mut answer, &event).unwrap();
        }
        assert_eq!(answer.text, "<skip_summary/>");
        let usage = Usage { input: 115, output: 7, cache_read: 100, cache_write: 5, cost: None };
        assert_eq!((answer.usage, answer.finished), (usage, true));
        let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "x"}});
        assert!(matches!(add_part(&mut answer, &error), Err(AgentError::Busy { .. })));
        let refusal = json!({"type": "message_delta", "delta": {"stop_reason": "refusal"}});
        assert_eq!(add_part(&mut answer, &refusal), Err(AgentError::UnusableAnswer("a refusal")));
    }
}
