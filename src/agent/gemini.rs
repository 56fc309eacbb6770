//! Google's Gemini API with streaming. The key is sent in a header, not in the URL.

use serde_json::{Value, json};

use super::answer::Answer;
use super::error::AgentError;
use super::form::schema;
use super::http::{Call, api_error};
use super::lessons::{Lessons, Parameter};
use crate::config::Http;
use crate::config::secrets::Secret;

pub fn call(http: &Http, key: Option<Secret>, form: &Lessons, system: &str, text: &str) -> Call {
    let limit = form.answer_limit(http.max_tokens as u64);
    let mut body = json!({"generationConfig": {"maxOutputTokens": limit}});
    if form.omits(Parameter::SystemPrompt) {
        let text = format!("{system}\n{text}");
        body["contents"] = json!([{"role": "user", "parts": [{"text": text}]}]);
    } else {
        body["systemInstruction"] = json!({"parts": [{"text": system}]});
        body["contents"] = json!([{"role": "user", "parts": [{"text": text}]}]);
    }
    if !form.omits(Parameter::Schema) {
        body["generationConfig"]["responseMimeType"] = "application/json".into();
        body["generationConfig"]["responseJsonSchema"] = schema().clone();
    }
    if let Some(thinking) = little_thinking(&http.model)
        && !form.omits(Parameter::Reasoning)
    {
        body["generationConfig"]["thinkingConfig"] = thinking;
    }
    Call {
        url: format!(
            "{}/v1beta/models/{}:streamGenerateContent?alt=sse",
            http.base_url, http.model
        ),
        headers: Vec::new(),
        key: key.map(|key| ("x-goog-api-key", "", key)),
        body,
    }
}

/// The least thinking that a model takes.
fn little_thinking(model: &str) -> Option<Value> {
    if model.starts_with("gemini-2.5-pro") {
        Some(json!({"thinkingBudget": 128}))
    } else if model.starts_with("gemini-2.5") {
        Some(json!({"thinkingBudget": 0}))
    } else if model.starts_with("gemini-3") {
        Some(json!({"thinkingLevel": "low"}))
    } else {
        None
    }
}

/// Adds one chunk of the stream to the answer.
pub fn add_part(answer: &mut Answer, chunk: &Value) -> Result<(), AgentError> {
    if chunk.get("error").is_some() {
        return Err(api_error(0, chunk, None));
    }
    let usage = &chunk["usageMetadata"];
    let count = |name: &str| usage[name].as_u64().unwrap_or_default();
    if usage.is_object() {
        answer.usage.input = count("promptTokenCount");
        answer.usage.output = count("candidatesTokenCount") + count("thoughtsTokenCount");
        answer.usage.cache_read = count("cachedContentTokenCount");
    }
    if chunk["promptFeedback"]["blockReason"].is_string() {
        return Err(AgentError::UnusableAnswer("a refusal"));
    }
    let candidate = &chunk["candidates"][0];
    for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
        if part["functionCall"].is_object() {
            answer.instead = Some("a tool call");
        } else if part["thought"] == true {
            answer.instead = Some("thoughts only");
        } else {
            answer.text.push_str(part["text"].as_str().unwrap_or_default());
        }
    }
    match candidate["finishReason"].as_str() {
        None => Ok(()),
        Some(reason @ ("STOP" | "MAX_TOKENS" | "FINISH_REASON_UNSPECIFIED")) => {
            answer.finished = true;
            answer.truncated |= reason == "MAX_TOKENS";
            Ok(())
        }
        Some(_) => Err(AgentError::UnusableAnswer("a refusal")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_adds_up() {
        let mut answer = Answer::default();
        for chunk in [
            json!({"candidates": [{"content": {"parts": [{"text": "hm", "thought": true}]}}]}),
            json!({"candidates": [{"content": {"parts": [{"text": "<skip_"}, {"text": "summary/>"}]},
                "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 90,
                "candidatesTokenCount": 4, "thoughtsTokenCount": 6, "cachedContentTokenCount": 50}}),
        ] {
            add_part(&mut answer, &chunk).unwrap();
        }
        assert!(answer.finished && answer.text == "<skip_summary/>");
        let used = answer.usage;
        assert_eq!((used.input, used.output, used.cache_read), (90, 10, 50));
        let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}});
        assert_eq!(add_part(&mut answer, &blocked), Err(AgentError::UnusableAnswer("a refusal")));
        let unsafe_end = json!({"candidates": [{"finishReason": "SAFETY"}]});
        assert_eq!(
            add_part(&mut answer, &unsafe_end),
            Err(AgentError::UnusableAnswer("a refusal"))
        );
    }

    #[test]
    fn the_url_does_not_contain_the_key() {
        let config = crate::config::Config::of_text("").agent;
        let call = call(&config.gemini, Some(Secret::new("k-1")), &Lessons::default(), "s", "t");
        assert!(!format!("{call:?}").contains("k-1") && call.key.is_some());
        assert!(call.url.ends_with("gemini-2.5-flash:streamGenerateContent?alt=sse"));
        assert_eq!(call.body["generationConfig"]["thinkingConfig"]["thinkingBudget"], 0);
    }
}
