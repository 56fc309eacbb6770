//! One call of a model: the prompt, the ledger, the answer.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::Backend;
use super::answer::Answer;
use super::error::{AgentError, BROKEN_JSON};
use super::form;
use super::ledger::{Admission, CallRequest, Ledger};
use super::model::Model;
use super::parse::{Parsed, Reply, parse};
use super::screened::on_thread;
use crate::memory::{CallOutcome, Usage};
use crate::testpoint;

/// The outcome of one call.
pub enum CallResult {
    Reply(Reply),
    /// The model found nothing worth remembering.
    Nothing,
    OverBudget(String),
    Refused(String),
    /// The server has asked for a pause.
    Paused {
        reason: String,
        delay: Duration,
    },
    LedgerUnavailable,
    Error(AgentError),
}

/// Makes one call with the prompt `text`, for which `model` is prepared. The ledger records it before it
/// is made, and settles it before its answer is parsed.
pub async fn call_model(
    model: &mut Model,
    text: &str,
    project: Option<&Path>,
    limit: Duration,
    ledger: &dyn Ledger,
) -> CallResult {
    let estimate = model.estimate(text);
    let request = CallRequest {
        backend: model.backend,
        model: model.name().to_owned(),
        memory_session: model.memory_session().to_owned(),
        estimate,
        config_fingerprint: model.config_fingerprint(),
    };
    let call = match ledger.open(request).await.unwrap_or(Admission::LedgerUnavailable) {
        Admission::Granted(call) => call,
        Admission::OverBudget(reason) => return CallResult::OverBudget(reason),
        Admission::BackendRefused(reason) => return CallResult::Refused(reason),
        Admission::Paused { reason, delay } => return CallResult::Paused { reason, delay },
        Admission::LedgerUnavailable => return CallResult::LedgerUnavailable,
    };
    testpoint::at("agent.asking");
    let (answer, spent) = match timeout(limit, model.ask(text, project)).await {
        Ok(answered) => answered,
        Err(_) => (Err(AgentError::TimedOut(limit)), CallOutcome::Unknown),
    };
    ledger.settle(call, spent);
    testpoint::at("agent.answered");
    tracing::info!(
        backend = model.backend.name(),
        prompt = form::version(),
        bytes = text.len(),
        ?spent,
        "called a model"
    );
    let answer = match answer {
        Ok(answer) => answer,
        Err(e) => return CallResult::Error(e),
    };
    // Only servers of this kind run a model with less context than it has.
    if model.backend == Backend::Openai
        && let Some(context) = cut_to(&answer, &estimate)
    {
        return CallResult::Error(AgentError::TooLong { context: Some(context) });
    }
    read(answer, limit).await
}

/// The number of tokens that a server has cut the prompt to. It counts far fewer than were sent, or
/// exactly a whole context.
fn cut_to(answer: &Answer, sent: &Usage) -> Option<u64> {
    const CONTEXT_UNIT: u64 = 1024;
    let (told, sent) = (answer.usage.input, sent.input);
    let is_context = told.is_multiple_of(CONTEXT_UNIT) && told < sent * 9 / 10;
    (told >= CONTEXT_UNIT && (told * 2 < sent || is_context)).then_some(told)
}

/// Parses an answer on a thread of its own, because a long one would delay the event loop.
async fn read(answer: Answer, limit: Duration) -> CallResult {
    if answer.text.len() > MAX_ANSWER {
        return CallResult::Error(AgentError::UnusableAnswer("more text than it was asked for"));
    }
    let parsed = on_thread("parse", limit, move || (parse(&answer.text), answer)).await;
    let (parsed, answer) = match parsed {
        Ok(parsed) => parsed,
        Err(e) => return CallResult::Error(e),
    };
    match parsed {
        Parsed::Reply(reply) => CallResult::Reply(reply),
        Parsed::Nothing => CallResult::Nothing,
        // The model did not decide that nothing is worth remembering.
        Parsed::Empty if answer.truncated => {
            CallResult::Error(AgentError::UnusableAnswer("nothing within its token limit"))
        }
        Parsed::Empty => match answer.instead {
            Some(what) => CallResult::Error(AgentError::UnusableAnswer(what)),
            None => CallResult::Nothing,
        },
        Parsed::Unusable(BROKEN_JSON) if answer.truncated => {
            CallResult::Error(AgentError::UnusableAnswer("nothing within its token limit"))
        }
        Parsed::Unusable(what) => {
            let reported = AgentError::from_text(&answer.text);
            CallResult::Error(reported.unwrap_or(AgentError::UnusableAnswer(what)))
        }
    }
}

/// Maximum bytes of an answer's text. 4,096 tokens have 16 KB.
const MAX_ANSWER: usize = 256 << 10;
