//! Reads and writes lines of `stream-json`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::error::AgentError;
use crate::memory::Usage;

/// The line that sends a prompt.
pub fn user(text: &str) -> String {
    json!({"type": "user", "message": {"role": "user", "content": text}}).to_string()
}

pub enum Line {
    /// `system/init`: the turn has begun.
    Begun,
    /// An `assistant` line that reports an error. Contains the program's error code.
    Error(String),
    Result(Box<TurnResult>),
    Other,
}

/// The end of a turn.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TurnResult {
    is_error: bool,
    result: Option<String>,
    subtype: String,
    api_error_status: Option<u16>,
    terminal_reason: Option<String>,
    stop_reason: Option<String>,
    usage: Tokens,
    #[serde(flatten)]
    pub total: Total,
}

/// Tokens of one turn.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
}

/// The usage of the process since its start.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Total {
    #[serde(rename = "modelUsage")]
    models: BTreeMap<String, ModelTotal>,
    total_cost_usd: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ModelTotal {
    input_tokens: u64,
    output_tokens: u64,
    cache_read_input_tokens: u64,
    cache_creation_input_tokens: u64,
}

pub fn read(line: &[u8]) -> Line {
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return Line::Other };
    match (value["type"].as_str(), value["subtype"].as_str()) {
        (Some("system"), Some("init")) => Line::Begun,
        (Some("assistant"), _) => match value["error"].as_str() {
            Some(code) => Line::Error(code.to_owned()),
            None => Line::Other,
        },
        (Some("result"), _) => match result(value) {
            Some(result) => Line::Result(Box::new(result)),
            None => Line::Other,
        },
        _ => Line::Other,
    }
}

/// The end of a turn. Usage that cannot be true, such as a negative number, is left out.
fn result(value: Value) -> Option<TurnResult> {
    serde_json::from_value(value.clone()).ok().or_else(|| {
        let mut value = value;
        let fields = value.as_object_mut()?;
        fields
            .retain(|name, _| !matches!(name.as_str(), "usage" | "modelUsage" | "total_cost_usd"));
        serde_json::from_value(value).ok()
    })
}

impl Total {
    fn sum(&self) -> Usage {
        let mut sum = Usage { cost: self.total_cost_usd, ..Usage::default() };
        for model in self.models.values() {
            let cached = model.cache_read_input_tokens + model.cache_creation_input_tokens;
            sum.input += model.input_tokens + cached;
            sum.output += model.output_tokens;
            sum.cache_read += model.cache_read_input_tokens;
            sum.cache_write += model.cache_creation_input_tokens;
        }
        sum
    }
}

impl TurnResult {
    /// The usage of this turn: the total now minus the total `before` it. The `usage` of the line
    /// covers only the last call of the turn, so it is used only if there are no totals.
    pub fn usage(&self, before: &Total) -> Usage {
        let (now, before) = (self.total.sum(), before.sum());
        let cost = now.cost.map(|cost| (cost - before.cost.unwrap_or(0.0)).max(0.0));
        if self.total.models.is_empty() {
            let t = self.usage;
            let cached = t.cache_read_input_tokens + t.cache_creation_input_tokens;
            return Usage {
                input: t.input_tokens + cached,
                output: t.output_tokens,
                cache_read: t.cache_read_input_tokens,
                cache_write: t.cache_creation_input_tokens,
                cost,
            };
        }
        Usage {
            input: now.input.saturating_sub(before.input),
            output: now.output.saturating_sub(before.output),
            cache_read: now.cache_read.saturating_sub(before.cache_read),
            cache_write: now.cache_write.saturating_sub(before.cache_write),
            cost,
        }
    }

    /// The answer, or the error. The program reports an API's error as a `success` with `is_error`.
    /// `error_code` is from the `assistant` line. `now` is in milliseconds since the epoch.
    pub fn outcome(self, error_code: &str, usage: Usage, now: i64) -> Result<Answer, AgentError> {
        let text = self.result.unwrap_or_default();
        if self.terminal_reason.as_deref() == Some("prompt_too_long") {
            return Err(AgentError::TooLong { context: None });
        }
        if self.stop_reason.as_deref() == Some("refusal") {
            return Err(AgentError::UnusableAnswer("a refusal"));
        }
        if !self.is_error && self.subtype == "success" {
            return match AgentError::from_text(&text) {
                Some(error) => Err(with_retry_time(error, &text, now)),
                None => {
                    let truncated = self.stop_reason.as_deref() == Some("max_tokens");
                    Ok(Answer { text, usage, finished: true, truncated, instead: None })
                }
            };
        }
        if let Some(error) = AgentError::from_text(&text) {
            let unspecific = matches!(error, AgentError::Unreachable(_));
            if !unspecific {
                return Err(with_retry_time(error, &text, now));
            }
        }
        Err(match (error_code, self.api_error_status) {
            ("authentication_failed", _) => {
                AgentError::Setup("the memory agent is not logged in".into())
            }
            ("model_not_found", _) => AgentError::Setup("there is no such model".into()),
            (_, Some(status)) => AgentError::from_response(status, error_code, &text, None),
            ("rate_limit", None) => AgentError::from_response(429, error_code, &text, None),
            ("billing_error", None) => AgentError::from_response(402, error_code, &text, None),
            ("overloaded", None) => AgentError::from_response(529, error_code, &text, None),
            // Without a status, the program reached no server.
            ("server_error" | "unknown", None) => {
                AgentError::Unreachable("the memory agent could not reach its server".into())
            }
            (_, None) if !self.subtype.is_empty() && self.subtype != "success" => {
                AgentError::Rejected("its turn ended with an error".into())
            }
            (_, None) => AgentError::from_response(0, error_code, &text, None),
        })
    }
}

/// Adds the time at which the limit ends: `Claude AI usage limit reached|1764250000`.
fn with_retry_time(error: AgentError, text: &str, now: i64) -> AgentError {
    let AgentError::Busy { reason, retry_after: None } = error else { return error };
    let at = text.rsplit_once('|').and_then(|(_, at)| at.trim().parse::<i64>().ok());
    let wait = at.and_then(|at| u64::try_from(at.saturating_mul(1000) - now).ok());
    AgentError::Busy { reason, retry_after: wait.map(Duration::from_millis) }
}

#[cfg(test)]
mod tests {
    use super::super::super::error::Reaction;
    use super::*;

    fn result(value: Value) -> TurnResult {
        let mut whole = json!({"type": "result", "subtype": "success", "is_error": false});
        whole.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        match read(whole.to_string().as_bytes()) {
            Line::Result(result) => *result,
            _ => panic!("{whole}"),
        }
    }

    #[test]
    fn usage_is_the_difference_of_totals() {
        let total = |input, cached, output, cost| {
            result(json!({"result": "x", "total_cost_usd": cost, "usage": {"input_tokens": 1},
                "modelUsage": {"claude-haiku": {"inputTokens": input, "outputTokens": output,
                    "cacheReadInputTokens": cached, "cacheCreationInputTokens": 1, "costUSD": cost}}}))
        };
        let first = total(10, 100, 5, 0.25);
        assert_eq!(first.usage(&Total::default()).input, 111);
        let usage = total(30, 250, 9, 1.0).usage(&first.total);
        let want =
            Usage { input: 170, output: 4, cache_read: 150, cache_write: 0, cost: Some(0.75) };
        assert_eq!(usage, want);
        let old = result(json!({"usage": {"input_tokens": 7, "cache_read_input_tokens": 3}}));
        assert_eq!(old.usage(&Total::default()).input, 10);
    }

    #[test]
    fn an_api_error_is_a_success_with_is_error() {
        let check = |value: Value, word: &str, want: Reaction| {
            let error = result(value.clone()).outcome(word, Usage::default(), 1_000).unwrap_err();
            assert_eq!(error.reaction(), want, "{value} {word}: {error}");
        };
        let failed = |text: &str, status: Option<u16>| json!({"is_error": true, "result": text, "api_error_status": status});
        let later = Reaction::Defer(None);
        check(failed("API Error: 529 overloaded", Some(529)), "server_error", later.clone());
        check(failed("API Error: 500 x", Some(500)), "server_error", Reaction::RetryThenDefer);
        for word in ["unknown", "server_error"] {
            let refused = "API Error: Connection refused (ECONNREFUSED)";
            check(failed(refused, None), word, Reaction::RetryThenDefer);
        }
        check(failed("API Error: 429 slow down", Some(429)), "rate_limit", later.clone());
        check(failed("Credit balance is too low", Some(400)), "billing_error", later.clone());
        check(
            failed("Claude AI usage limit reached|61", None),
            "rate_limit",
            Reaction::Defer(Some(Duration::from_secs(60))),
        );
        let setup = Reaction::DeferUntilSettingsChange;
        check(
            failed("Failed to authenticate. API Error: 401", Some(401)),
            "authentication_failed",
            setup.clone(),
        );
        check(failed("Not logged in · Please run /login", None), "", setup.clone());
        check(
            failed("There's an issue with the selected model", Some(404)),
            "model_not_found",
            setup.clone(),
        );
        let long = json!({"is_error": true, "result": "x", "terminal_reason": "prompt_too_long"});
        check(long, "invalid_request", Reaction::Shorten(None));
        check(json!({"subtype": "error_during_execution"}), "", Reaction::Simplify);
        check(json!({"stop_reason": "refusal"}), "", Reaction::RetryOnce);
        let fine = result(json!({"result": "<skip_summary/>"}));
        assert_eq!(fine.outcome("", Usage::default(), 0).unwrap().text, "<skip_summary/>");
    }

    #[test]
    fn other_lines_are_ignored() {
        for line in
            ["", "not json", "[]", r#"{"type":"system","subtype":"status"}"#, r#"{"type":"later"}"#]
        {
            assert!(matches!(read(line.as_bytes()), Line::Other), "{line}");
        }
    }
}
