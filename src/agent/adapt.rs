//! Asks a model in a form that its server takes. An error about the form of a request or its length is
//! learnt, for all workers, and the request is sent in another form or not at all.

use std::time::Duration;

use super::call::{CallResult, call_model};
use super::error::{AgentError, Reaction};
use super::form::Form;
use super::ledger::Ledger;
use super::lessons::{Change, Lessons, Parameter};
use super::model::Model;
use super::prompt;
use crate::activity::ParsedBatch;
use crate::capture;

/// Maximum calls that look for a form.
const MAX_CALLS: usize = 6;

/// The fewest bytes that an envelope needs to tell anything.
const MIN_ENVELOPE: usize = 512;

/// The result of [`ask`].
pub struct Asked {
    pub result: CallResult,
    /// The calls that were made.
    pub calls: usize,
    /// The bytes of the last envelope.
    pub bytes: usize,
    /// The model takes too little text for any batch.
    pub hopeless: bool,
}

/// Asks `model` for a batch, in at most `most` bytes. The caller must call [`Model::reset`] after an
/// error.
pub async fn ask(
    model: &mut Model,
    batch: &ParsedBatch,
    most: usize,
    limit: Duration,
    ledger: &dyn Ledger,
) -> Asked {
    let mut asked = Asked { result: CallResult::Nothing, calls: 0, bytes: 0, hopeless: false };
    if let Err(e) = model.prepare(limit).await {
        return Asked { result: CallResult::Error(e), ..asked };
    }
    let served = model.served();
    let answer_tokens = model.configured_answer_tokens();
    let known = ledger.recall(served.clone()).await.unwrap_or_default();
    let mut lessons = Lessons::from_text(&known);
    let mut simplified = false;
    loop {
        model.use_lessons(&lessons);
        let fixed = model.form().fixed_bytes();
        let room = lessons.prompt_limit(answer_tokens).unwrap_or(usize::MAX).saturating_sub(fixed);
        let text = (room >= MIN_ENVELOPE).then(|| prompt::fitting(batch, room.min(most))).flatten();
        let Some(text) = text else {
            let result = CallResult::Error(AgentError::TooLong { context: None });
            return Asked { result, hopeless: room < MIN_ENVELOPE, ..asked };
        };
        // Events of earlier releases may have secrets that had no rule then.
        let text = capture::without_secrets(&text);
        asked.bytes = text.len();
        asked.calls += 1;
        let project = batch.project_root.as_deref();
        asked.result = call_model(model, &text, project, limit, ledger).await;
        let CallResult::Error(error) = &asked.result else {
            if simplified && matches!(asked.result, CallResult::Reply(_) | CallResult::Nothing) {
                ledger.learn(served, lessons.to_text());
            }
            return asked;
        };
        match error.reaction() {
            Reaction::Shorten(context) => {
                lessons.learn_too_long(fixed + text.len(), context, answer_tokens);
                ledger.learn(served.clone(), lessons.to_text());
            }
            Reaction::Change(change) if lessons.learn(&change, answer_tokens) => {
                ledger.learn(served.clone(), lessons.to_text());
            }
            // The server took the schema and did not hold the model to it.
            Reaction::RetryOnce if error.is_in_no_form() && model.form() == Form::Json => {
                lessons.learn(&Change::Omit(Parameter::Schema), answer_tokens);
                ledger.learn(served, lessons.to_text());
                return asked;
            }
            Reaction::Simplify if !simplified && !model.history.was_rejected() => {
                match lessons.plainest() {
                    Some(plain) => (lessons, simplified) = (plain, true),
                    None => return asked,
                }
            }
            _ => return asked,
        }
        tracing::info!(backend = model.backend.name(), "learnt from an error: {error}");
        if asked.calls == MAX_CALLS {
            return asked;
        }
        // The failed prompt would stay in the conversation.
        model.reset();
        if let Err(e) = model.prepare(limit).await {
            return Asked { result: CallResult::Error(e), ..asked };
        }
    }
}
