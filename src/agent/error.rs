//! The errors of a backend, and the reaction to each: one table.
//!
//! Error messages never quote a model's answer, because they are logged, stored in the queue and
//! shown to the user.

use std::time::Duration;

use super::lessons::Change;
use super::wordings::{self, Class};

/// What [`AgentError::UnusableAnswer`] says of an answer in no form, and of a JSON object with an error.
pub const PROSE: &str = "prose";
pub const BROKEN_JSON: &str = "broken JSON";

/// Why a batch was not distilled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// The prompt exceeds the model's context, whose size in tokens the server may name.
    #[error("the prompt is too long for the model")]
    TooLong { context: Option<u64> },
    /// The server rejected the form of the request, and said what to change.
    #[error("the server does not take {0}")]
    Form(Change),
    /// Temporarily unavailable: rate limit, quota, overload.
    #[error("{reason}")]
    Busy { reason: String, retry_after: Option<Duration> },
    /// Unusable with these settings: a missing or wrong key, an unknown model or program.
    #[error("{0}")]
    Setup(String),
    /// Usable by the session's own worker only, which has its key or its account.
    #[error("{0}")]
    NotHere(String),
    /// The server could not be reached, or it failed. The batch is not the cause.
    #[error("{0}")]
    Unreachable(String),
    /// The connection broke or timed out after the request was sent. The provider may charge for
    /// the call.
    #[error("{0}")]
    Lost(String),
    /// The server rejected the request, and would do so again.
    #[error("{0}")]
    Rejected(String),
    /// The server refuses this batch: its moderation, or a firewall before it. Others may pass.
    #[error("{0}")]
    Refused(String),
    /// The program died while it worked on the batch.
    #[error("the memory agent died: {0}")]
    Died(String),
    /// The call exceeded `agent.turn_timeout`.
    #[error("the memory agent did not answer within {0:?}")]
    TimedOut(Duration),
    /// The answer has no observations: it is prose, a refusal or a web page. The field says which.
    #[error("the memory agent answered with {0}")]
    UnusableAnswer(&'static str),
}

/// The reaction to an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Learn the limit, and ask with less text. With the least, split the batch.
    Shorten(Option<u64>),
    /// Learn the change, and ask in that form.
    Change(Change),
    /// Ask in the plainest form. If that is rejected too, ask the next backend.
    Simplify,
    /// Ask with half the text, then split the batch.
    Halve,
    /// Defer the batch by at least this delay, or by the default delay.
    Defer(Option<Duration>),
    /// Defer the batch until the settings change.
    DeferUntilSettingsChange,
    /// Defer the batch for the session's own worker.
    LeaveToOwnWorker,
    /// Retry after 1, 2 and 4 s, then defer the batch.
    RetryThenDefer,
    /// Retry after 1, 2 and 4 s, then split the batch.
    RetryThenSplit,
    /// Retry once in a new conversation, then ask the next backend.
    RetryOnce,
    /// Ask the next backend.
    Next,
}

impl AgentError {
    pub fn reaction(&self) -> Reaction {
        match self {
            AgentError::TooLong { context } => Reaction::Shorten(*context),
            AgentError::Form(change) => Reaction::Change(change.clone()),
            AgentError::Busy { retry_after, .. } => Reaction::Defer(*retry_after),
            AgentError::Setup(_) => Reaction::DeferUntilSettingsChange,
            AgentError::NotHere(_) => Reaction::LeaveToOwnWorker,
            AgentError::Unreachable(_) | AgentError::Lost(_) => Reaction::RetryThenDefer,
            AgentError::Rejected(_) => Reaction::Simplify,
            AgentError::Refused(_) => Reaction::Next,
            AgentError::TimedOut(_) => Reaction::Halve,
            AgentError::Died(_) => Reaction::RetryThenSplit,
            AgentError::UnusableAnswer(_) => Reaction::RetryOnce,
        }
    }

    /// Whether the same error would not occur with another batch.
    pub fn is_about_the_batch(&self) -> bool {
        match self {
            AgentError::Busy { .. }
            | AgentError::Setup(_)
            | AgentError::NotHere(_)
            | AgentError::Unreachable(_)
            | AgentError::Lost(_) => false,
            AgentError::TooLong { .. }
            | AgentError::Form(_)
            | AgentError::Rejected(_)
            | AgentError::Refused(_)
            | AgentError::Died(_)
            | AgentError::TimedOut(_)
            | AgentError::UnusableAnswer(_) => true,
        }
    }

    /// Whether the answer is neither JSON nor elements.
    pub fn is_in_no_form(&self) -> bool {
        matches!(self, AgentError::UnusableAnswer(PROSE | BROKEN_JSON))
    }

    fn busy(reason: impl Into<String>, retry_after: Option<Duration>) -> AgentError {
        AgentError::Busy { reason: reason.into(), retry_after }
    }

    /// Classifies an API's error response. `kind` and `message` are the API's own texts. They are only
    /// searched for known phrases.
    pub fn from_response(
        status: u16,
        kind: &str,
        message: &str,
        retry_after: Option<Duration>,
    ) -> AgentError {
        let text = format!("{kind} {message}").to_lowercase();
        let code = if status == 0 { String::new() } else { format!(" ({status})") };
        let class = wordings::class(&text);
        if status == 413 || class == Some(Class::TooLong) {
            return AgentError::TooLong { context: wordings::context_tokens(&text) };
        }
        // A quota may be told as a request for fewer tokens.
        if status == 402 || class == Some(Class::Quota) {
            return AgentError::busy(format!("the quota is used up{code}"), retry_after);
        }
        if matches!(status, 400 | 422)
            && class.is_none()
            && let Some(change) = Change::asked_for(&text)
        {
            return AgentError::Form(change);
        }
        match (status, class) {
            (401, _) | (_, Some(Class::Key)) => {
                AgentError::Setup(format!("the API key is not accepted{code}"))
            }
            (400..=499, Some(Class::Moderation)) => {
                AgentError::Refused(format!("the server's moderation refused the events{code}"))
            }
            (429, _) => AgentError::busy("the rate limit is reached (429)", retry_after),
            (_, Some(Class::RateLimit)) => {
                AgentError::busy(format!("the rate limit is reached{code}"), retry_after)
            }
            (503 | 529, _) | (_, Some(Class::Overload)) => {
                AgentError::busy(format!("the server is overloaded{code}"), retry_after)
            }
            (403, _) => AgentError::Setup("access is denied (403)".into()),
            (404, _) => AgentError::Setup("there is no such model or address (404)".into()),
            (300..=399, _) => {
                AgentError::Setup(format!("the URL redirects elsewhere{code}; set the final URL"))
            }
            (408 | 409 | 425 | 500..=599, _) => {
                AgentError::Unreachable(format!("the server failed{code}"))
            }
            (0, _) => AgentError::Unreachable("the server ended the stream with an error".into()),
            _ if wordings::is_about_allowance(&text) => {
                AgentError::busy(format!("a limit of the server is reached{code}"), retry_after)
            }
            _ => AgentError::Rejected(format!("the server rejected the request{code}")),
        }
    }

    /// Classifies a text that a program or a model returned instead of observations. Returns `None` if
    /// it is not an error message.
    pub fn from_text(text: &str) -> Option<AgentError> {
        // An error message is short and begins with the error. Other text may mention errors too.
        let text = text.trim().to_lowercase();
        if text.len() > MAX_ERROR_TEXT {
            return None;
        }
        let body = ["api error", "error"].iter().find_map(|prefix| text.strip_prefix(prefix));
        let head = body.unwrap_or(&text).trim_start_matches(|c: char| !c.is_alphanumeric());
        let has =
            |phrase: &str| head.starts_with(phrase) || body.is_some() && head.contains(phrase);
        let has_any = |phrases: &[&str]| phrases.iter().any(|phrase| has(phrase));
        let class = wordings::class_if(has);
        if class == Some(Class::TooLong) {
            Some(AgentError::TooLong { context: wordings::context_tokens(head) })
        } else if class == Some(Class::Quota)
            || has_any(&["claude ai usage limit", "you've hit your", "usage limit"])
        {
            Some(AgentError::busy("the quota is used up", None))
        } else if has_any(&["not logged in", "please run /login", "oauth token"])
            || class == Some(Class::Key)
        {
            Some(AgentError::Setup("the memory agent is not logged in".into()))
        } else if class == Some(Class::RateLimit) || has_any(&["429"]) {
            Some(AgentError::busy("the rate limit is reached", None))
        } else if class == Some(Class::Overload) || has_any(&["529"]) {
            Some(AgentError::busy("the server is overloaded", None))
        } else {
            body.map(|_| AgentError::Unreachable("the server failed".into()))
        }
    }
}

/// Maximum length of an error message in bytes. A longer text is not one.
const MAX_ERROR_TEXT: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_responses_map_to_reactions() {
        use Reaction::{Defer, DeferUntilSettingsChange, Next, RetryThenDefer, Shorten, Simplify};
        let delay = Some(Duration::from_secs(7));
        let check = |status, kind: &str, message: &str, want| {
            let error = AgentError::from_response(status, kind, message, delay);
            assert_eq!(error.reaction(), want, "{status} {kind} {message}: {error}");
            assert!(message.is_empty() || !error.to_string().contains(message), "{error}");
        };
        check(429, "rate_limit_error", "", Defer(delay));
        check(429, "insufficient_quota", "You exceeded your current quota", Defer(delay));
        check(402, "", "", Defer(delay));
        check(400, "billing_error", "Your credit balance is too low", Defer(delay));
        check(529, "overloaded_error", "Overloaded", Defer(delay));
        check(503, "UNAVAILABLE", "The model is overloaded.", Defer(delay));
        check(0, "overloaded_error", "Overloaded", Defer(delay));
        check(401, "authentication_error", "invalid x-api-key", DeferUntilSettingsChange);
        check(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Pass a valid key.",
            DeferUntilSettingsChange,
        );
        check(403, "permission_error", "", DeferUntilSettingsChange);
        check(404, "not_found_error", "model: claude-none", DeferUntilSettingsChange);
        check(308, "", "", DeferUntilSettingsChange);
        check(
            400,
            "invalid_request_error",
            "prompt is too long: 900 tokens > 800 maximum",
            Shorten(Some(800)),
        );
        check(
            400,
            "context_length_exceeded",
            "This model's maximum context length is 4096",
            Shorten(Some(4096)),
        );
        check(
            400,
            "exceed_context_size_error",
            "the request exceeds the available context",
            Shorten(None),
        );
        check(400, "", "The input token count exceeds the maximum number of tokens", Shorten(None));
        check(413, "", "", Shorten(None));
        check(500, "api_error", "Internal server error", RetryThenDefer);
        check(502, "", "", RetryThenDefer);
        check(0, "api_error", "", RetryThenDefer);
        check(400, "invalid_request_error", "messages.0: content is odd", Simplify);
        check(422, "", "", Simplify);
        check(403, "", "Your input was flagged", Next);
        check(400, "content_filter", "", Next);
        check(400, "INVALID_ARGUMENT API_KEY_INVALID", "expired", DeferUntilSettingsChange);
        // A wording that no row has: money and limits wait.
        check(400, "", "Your monthly plan has no payment method", Defer(delay));
        check(418, "", "The tea budget is spent", Defer(delay));
    }

    #[test]
    fn error_messages_are_distinguished_from_prose() {
        let check = |text, want: Option<Reaction>| {
            assert_eq!(AgentError::from_text(text).map(|e| e.reaction()), want, "{text}");
        };
        check("Claude AI usage limit reached|1764250000", Some(Reaction::Defer(None)));
        check("Credit balance is too low", Some(Reaction::Defer(None)));
        check("You've hit your limit · resets 3pm", Some(Reaction::Defer(None)));
        check("Not logged in · Please run /login", Some(Reaction::DeferUntilSettingsChange));
        check("Invalid API key · Fix external API key", Some(Reaction::DeferUntilSettingsChange));
        check("API Error: 529 Overloaded", Some(Reaction::Defer(None)));
        check("API Error: Connection error.", Some(Reaction::RetryThenDefer));
        check("Prompt is too long", Some(Reaction::Shorten(None)));
        check("I looked at the files and everything seems fine.", None);
        check("The API has a rate limit now, and unavailable servers are skipped.", None);
        check("", None);
    }
}
