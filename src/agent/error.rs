//! The errors of a backend, and the reaction to each: one table.
//!
//! Messages do not quote a model's answer, because they reach logs, rows of the queue and the user.

use std::time::Duration;

/// Why a batch was not distilled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// The prompt exceeds the model's context.
    #[error("the prompt is too long for the model")]
    TooLong,
    /// Temporarily unavailable: rate limit, quota, overload.
    #[error("{why}")]
    Busy { why: String, retry_after: Option<Duration> },
    /// Unusable with these settings: a missing or wrong key, an unknown model or program.
    #[error("{0}")]
    Setup(String),
    /// The server could not be reached, or failed. The batch is not the cause.
    #[error("{0}")]
    Unreachable(String),
    /// The connection broke or timed out after the request was sent. The call may have cost
    /// something.
    #[error("{0}")]
    Lost(String),
    /// The server rejected the request.
    #[error("{0}")]
    Rejected(String),
    /// The program died while it worked on the batch.
    #[error("the memory agent died: {0}")]
    Died(String),
    /// It exceeded the time limit of a batch.
    #[error("the memory agent did not answer within {0:?}")]
    TimedOut(Duration),
    /// It answered with something else than observations: prose, a refusal, an error message.
    #[error("the memory agent answered with {0}")]
    Prose(&'static str),
}

/// The reaction to an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Retry in a new conversation with less detail. With the least detail, split the batch.
    Shorten,
    /// Defer the batch, for this time or for the default.
    Wait(Option<Duration>),
    /// Defer the batch until the settings change.
    WaitForSettings,
    /// Retry after 1, 2 and 4 s, then defer the batch.
    AgainThenWait,
    /// Retry after 1, 2 and 4 s, then split the batch.
    AgainThenSplit,
    /// Retry once in a new conversation, then ask the next backend.
    OnceMore,
}

impl AgentError {
    pub fn effect(&self) -> Effect {
        match self {
            AgentError::TooLong => Effect::Shorten,
            AgentError::Busy { retry_after, .. } => Effect::Wait(*retry_after),
            AgentError::Setup(_) => Effect::WaitForSettings,
            AgentError::Unreachable(_) | AgentError::Lost(_) => Effect::AgainThenWait,
            AgentError::Rejected(_) | AgentError::Died(_) | AgentError::TimedOut(_) => {
                Effect::AgainThenSplit
            }
            AgentError::Prose(_) => Effect::OnceMore,
        }
    }

    fn busy(why: impl Into<String>, retry_after: Option<Duration>) -> AgentError {
        AgentError::Busy { why: why.into(), retry_after }
    }

    /// Classifies an API's error response. `kind` and `message` are the API's own; both are searched
    /// for known phrases only.
    pub fn of_refusal(
        status: u16,
        kind: &str,
        message: &str,
        retry_after: Option<Duration>,
    ) -> AgentError {
        let said = format!("{kind} {message}").to_lowercase();
        let says = |marks: &[&str]| marks.iter().any(|mark| said.contains(mark));
        let code = if status == 0 { String::new() } else { format!(" ({status})") };
        if status == 413 || says(&TOO_LONG) {
            return AgentError::TooLong;
        }
        if status == 402 || says(&QUOTA) {
            return AgentError::busy(format!("the quota is used up{code}"), retry_after);
        }
        if status == 401 || says(&KEY) {
            return AgentError::Setup(format!("the API key is not accepted{code}"));
        }
        match status {
            429 => AgentError::busy("the rate limit is reached (429)", retry_after),
            _ if says(&LIMIT) => {
                AgentError::busy(format!("the rate limit is reached{code}"), retry_after)
            }
            503 | 529 => AgentError::busy(format!("the server is overloaded{code}"), retry_after),
            _ if says(&OVERLOAD) => {
                AgentError::busy(format!("the server is overloaded{code}"), retry_after)
            }
            403 => AgentError::Setup("access is denied (403)".into()),
            404 => AgentError::Setup("there is no such model or address (404)".into()),
            300..=399 => {
                AgentError::Setup(format!("the URL redirects elsewhere{code}; set the final URL"))
            }
            408 | 409 | 425 | 500..=599 => {
                AgentError::Unreachable(format!("the server failed{code}"))
            }
            0 => AgentError::Unreachable("the server ended the stream with an error".into()),
            _ => AgentError::Rejected(format!("the server rejected the request{code}")),
        }
    }

    /// Classifies an answer that is an error message instead of observations. `None`: it is prose.
    pub fn of_words(text: &str) -> Option<AgentError> {
        // An error message is short and begins with the error. A narrative may be about errors.
        let text = text.trim().to_lowercase();
        if text.len() > LONGEST_ERROR {
            return None;
        }
        let body = ["api error", "error"].iter().find_map(|mark| text.strip_prefix(mark));
        let head = body.unwrap_or(&text).trim_start_matches(|c: char| !c.is_alphanumeric());
        let says = |marks: &[&str]| {
            marks.iter().any(|m| head.starts_with(m) || body.is_some() && head.contains(m))
        };
        if says(&TOO_LONG) {
            Some(AgentError::TooLong)
        } else if says(&QUOTA) || says(&["claude ai usage limit", "you've hit your", "usage limit"])
        {
            Some(AgentError::busy("the quota is used up", None))
        } else if says(&["not logged in", "please run /login", "oauth token"]) || says(&KEY) {
            Some(AgentError::Setup("the memory agent is not logged in".into()))
        } else if says(&LIMIT) || says(&["429"]) {
            Some(AgentError::busy("the rate limit is reached", None))
        } else if says(&OVERLOAD) || says(&["529"]) {
            Some(AgentError::busy("the server is overloaded", None))
        } else {
            body.map(|_| AgentError::Unreachable("the server failed".into()))
        }
    }
}

/// Longer answers are not error messages.
const LONGEST_ERROR: usize = 600;

const TOO_LONG: [&str; 9] = [
    "prompt is too long",
    "prompt_too_long",
    "input is too long",
    "context_length_exceeded",
    "maximum context length",
    "exceed context",
    "exceeds the context",
    "exceeds the available context",
    "exceeds the maximum number of tokens",
];

const QUOTA: [&str; 7] = [
    "insufficient_quota",
    "exceeded your current quota",
    "credit balance",
    "billing_error",
    "usage limit reached",
    "hit your limit",
    "requires more credits",
];

const KEY: [&str; 6] = [
    "invalid api key",
    "incorrect api key",
    "api key not valid",
    "api_key_invalid",
    "invalid x-api-key",
    "authentication_error",
];

const LIMIT: [&str; 5] =
    ["rate_limit", "rate limit", "too many requests", "resource_exhausted", "ratelimit"];

const OVERLOAD: [&str; 3] = ["overloaded", "model is currently loading", "unavailable"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_response_has_its_reaction() {
        use Effect::{AgainThenSplit, AgainThenWait, Shorten, Wait, WaitForSettings};
        let wait = Some(Duration::from_secs(7));
        let check = |status, kind: &str, message: &str, want| {
            let error = AgentError::of_refusal(status, kind, message, wait);
            assert_eq!(error.effect(), want, "{status} {kind} {message}: {error}");
            assert!(message.is_empty() || !error.to_string().contains(message), "{error}");
        };
        check(429, "rate_limit_error", "", Wait(wait));
        check(429, "insufficient_quota", "You exceeded your current quota", Wait(wait));
        check(402, "", "", Wait(wait));
        check(400, "billing_error", "Your credit balance is too low", Wait(wait));
        check(529, "overloaded_error", "Overloaded", Wait(wait));
        check(503, "UNAVAILABLE", "The model is overloaded.", Wait(wait));
        check(0, "overloaded_error", "Overloaded", Wait(wait));
        check(401, "authentication_error", "invalid x-api-key", WaitForSettings);
        check(400, "INVALID_ARGUMENT", "API key not valid. Pass a valid key.", WaitForSettings);
        check(403, "permission_error", "", WaitForSettings);
        check(404, "not_found_error", "model: claude-none", WaitForSettings);
        check(308, "", "", WaitForSettings);
        check(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", Shorten);
        check(400, "context_length_exceeded", "This model's maximum context length is 1", Shorten);
        check(
            400,
            "exceed_context_size_error",
            "the request exceeds the available context",
            Shorten,
        );
        check(400, "", "The input token count exceeds the maximum number of tokens", Shorten);
        check(413, "", "", Shorten);
        check(500, "api_error", "Internal server error", AgainThenWait);
        check(502, "", "", AgainThenWait);
        check(0, "api_error", "", AgainThenWait);
        check(400, "invalid_request_error", "messages.0: content is odd", AgainThenSplit);
        check(422, "", "", AgainThenSplit);
    }

    #[test]
    fn error_messages_are_distinguished_from_prose() {
        let check = |text, want: Option<Effect>| {
            assert_eq!(AgentError::of_words(text).map(|e| e.effect()), want, "{text}");
        };
        check("Claude AI usage limit reached|1764250000", Some(Effect::Wait(None)));
        check("Credit balance is too low", Some(Effect::Wait(None)));
        check("You've hit your limit · resets 3pm", Some(Effect::Wait(None)));
        check("Not logged in · Please run /login", Some(Effect::WaitForSettings));
        check("Invalid API key · Fix external API key", Some(Effect::WaitForSettings));
        check("API Error: 529 Overloaded", Some(Effect::Wait(None)));
        check("API Error: Connection error.", Some(Effect::AgainThenWait));
        check("Prompt is too long", Some(Effect::Shorten));
        check("I looked at the files and everything seems fine.", None);
        check("The API has a rate limit now, and unavailable servers are skipped.", None);
        check("", None);
    }
}
