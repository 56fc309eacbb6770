//! `doctor --agent`: lets the memory agent distill a few test events. Success proves that the agent
//! is reachable and returns usable memories. Only its usage is stored.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::oneshot;

use crate::agent::{
    self, Admission, AgentError, Backend, CallRequest, Ledger, PauseRequest, Served,
};
use crate::clock;
use crate::config::Settings;
use crate::ctl::format::{count, dollars, span};
use crate::ctl::health::Finding;
use crate::memory::{Batch, CallOutcome, Cause, Distilled, Message, Prompt, Usage};
use crate::store::usage::{self, Call, Reservation};
use crate::store::{self, Store, agent_limits, refusals};

/// The result of a trial.
struct Trial {
    distilled: Result<Distilled, AgentError>,
    took: Duration,
    /// Usage and cost in dollars if a model was called.
    used: Option<(Usage, f64)>,
}

pub fn run(settings: &Settings) -> Finding {
    let name = &settings.config.agent.backend;
    match Backend::named(name) {
        Some(backend) => {
            let trial = run_trial(settings, backend);
            let found = evaluate(name, &trial);
            match trial.distilled.err().and_then(|error| remedy(settings, backend, &error)) {
                Some(fix) => found.fix(fix),
                None => found,
            }
        }
        None => Finding::wrong("agent", format!("unknown backend {name}")),
    }
}

fn run_trial(settings: &Settings, backend: Backend) -> Trial {
    let start = Instant::now();
    let mut settings = settings.clone();
    // Model usage is recorded, even if that creates the database.
    let store = match backend.is_model() && settings.paths.create().is_ok() {
        true => Store::open(&settings.paths).ok(),
        false => None,
    };
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let settings = Arc::new(settings);
    let state = LedgerState { store, model: String::new(), used: None };
    let ledger = TrialLedger { settings: settings.clone(), backend, state: Mutex::new(state) };
    let distilled = agent::try_once(&settings, backend, batch(&here), &ledger);
    let used = ledger.state.into_inner().unwrap_or_else(PoisonError::into_inner).used;
    Trial { distilled, took: start.elapsed(), used }
}

/// The usage ledger of a trial. Calls count against the daily budget and belong to no session. An
/// earlier refusal by the backend does not prevent the trial.
struct TrialLedger {
    settings: Arc<Settings>,
    backend: Backend,
    state: Mutex<LedgerState>,
}

struct LedgerState {
    store: Option<Store>,
    /// The model of the last call.
    model: String,
    used: Option<(Usage, f64)>,
}

impl TrialLedger {
    fn write<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction) -> store::Result<T>,
    ) -> Option<store::Result<T>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Some(state.store.as_mut()?.write(work))
    }
}

impl Ledger for TrialLedger {
    fn open(&self, request: CallRequest) -> oneshot::Receiver<Admission> {
        let (reply, admission) = oneshot::channel();
        let reserved = self.write(|tx| {
            let call = Call {
                session_id: None,
                backend: request.backend.name(),
                model: &request.model,
                estimate: request.estimate,
            };
            usage::reserve(tx, &call, &self.settings.config.agent, clock::now_ms())
        });
        self.state.lock().unwrap_or_else(PoisonError::into_inner).model = request.model;
        let _ = reply.send(match reserved {
            None => Admission::Granted(0),
            Some(Ok(Reservation::Granted(id))) => Admission::Granted(id),
            Some(Ok(Reservation::OverBudget(spent))) => Admission::OverBudget(spent.to_string()),
            Some(Err(_)) => Admission::LedgerUnavailable,
        });
        admission
    }

    fn settle(&self, call: i64, outcome: CallOutcome) {
        let agent = &self.settings.config.agent;
        let _ = self.write(|tx| usage::settle(tx, call, outcome, agent, clock::now_ms()));
        if let CallOutcome::Complete(used) | CallOutcome::Partial(used) = outcome {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let cost = usage::cost_of(&used, self.backend.name(), &state.model, agent);
            state.used = Some((used, cost));
        }
    }

    fn record_refusal(&self, _: Backend, _: String, _: String) {}

    fn clear_refusal(&self, backend: Backend) {
        let _ = self.write(|tx| {
            agent_limits::end_pause(tx, backend.name())?;
            refusals::clear(tx, backend.name())
        });
    }

    /// A trial neither begins a pause nor heeds one.
    fn pause(&self, _: PauseRequest) -> oneshot::Receiver<Duration> {
        oneshot::channel().1
    }

    /// A trial learns anew.
    fn recall(&self, _: Served) -> oneshot::Receiver<String> {
        oneshot::channel().1
    }

    fn learn(&self, of: Served, learnt: String) {
        let row =
            agent_limits::Model { backend: of.backend, model: &of.model, address: &of.address };
        let _ = self.write(|tx| agent_limits::learn(tx, &row, &learnt, clock::now_ms()));
    }
}

/// Turns a trial into a finding. The agent must return at least one observation and a summary.
fn evaluate(name: &str, trial: &Trial) -> Finding {
    let took = span(trial.took);
    let used = trial.used.filter(|(used, _)| used.input + used.output > 0);
    let used = used.map_or_else(String::new, |(used, cost)| {
        let cost = dollars(cost);
        format!(", {} tokens in, {} out, {cost}", used.input, used.output)
    });
    match &trial.distilled {
        Err(why) => Finding::wrong("agent", format!("{name} failed after {took}{used}: {why}")),
        Ok(distilled) if distilled.observations.is_empty() || distilled.summary.is_none() => {
            Finding::wrong(
                "agent",
                format!("{name} answered after {took}{used} without a usable memory"),
            )
        }
        Ok(distilled) => {
            let n = count(distilled.observations.len() as u64, "observation");
            Finding::ok("agent", format!("{name} returned {n} and a summary in {took}{used}"))
        }
    }
}

/// How to fix an error. `None` if its message contains that already.
fn remedy(settings: &Settings, backend: Backend, error: &AgentError) -> Option<String> {
    let name = backend.name();
    let program = backend == Backend::Claude;
    let try_program = "run `claude -p hello` to see whether claude works on its own".to_owned();
    Some(match error {
        AgentError::NotHere(_) => return None,
        AgentError::Setup(message) if message.contains("memctl config ") => return None,
        AgentError::Setup(_) if program => {
            "log in with `claude` and /login, or check agent.claude.command \
             and agent.claude.model"
                .into()
        }
        AgentError::Setup(_) => match settings.config.agent.key_names(name).first() {
            Some(key) => format!(
                "replace the key: memctl config secret set {key}; or check agent.{name}.model and \
                 agent.{name}.base_url"
            ),
            None => format!(
                "check agent.{name}.model, agent.{name}.base_url and agent.{name}.key with `memctl config`"
            ),
        },
        AgentError::Unreachable(_) | AgentError::Lost(_) if program => try_program,
        AgentError::Unreachable(_) | AgentError::Lost(_) => {
            format!("check agent.{name}.base_url and agent.{name}.proxy with `memctl config`")
        }
        AgentError::Busy { .. } => {
            "wait, or choose another backend: memctl config set agent.backend NAME".into()
        }
        AgentError::TimedOut(_) => {
            "raise the timeout: memctl config set agent.turn_timeout 5min".into()
        }
        AgentError::Died(_) if program => try_program,
        AgentError::Died(_)
        | AgentError::Rejected(_)
        | AgentError::Refused(_)
        | AgentError::Form(_)
        | AgentError::TooLong { .. }
        | AgentError::UnusableAnswer(_) => {
            format!("try another model: memctl config set agent.{name}.model NAME")
        }
    })
}

/// Test events in `dir`: a bug is found and fixed.
fn batch(dir: &Path) -> Batch {
    let now = clock::now_ms();
    let message = |id: i64, cause: Cause| Message {
        id,
        cause,
        turn_id: Some("trial".into()),
        prompt_number: 1,
        agent_id: None,
        agent_type: None,
        tool_name: None,
        tool_input: None,
        tool_response: None,
        cwd: Some(dir.to_string_lossy().into_owned()),
        last_assistant_message: None,
        files: Vec::new(),
        created_at_epoch: now,
    };
    let tool = |id: i64, name: &str, input: &str, response: &str| Message {
        tool_name: Some(name.into()),
        tool_input: Some(input.into()),
        tool_response: Some(response.into()),
        ..message(id, Cause::Tool)
    };
    let test = r#"{"command":"cargo test"}"#;
    let file = dir.join("src/date.rs");
    let edit = json!({"file_path": file, "old_string": "28", "new_string": "days_in(year, month)"});
    Batch {
        project_root: Some(dir.to_owned()),
        prompts: vec![Prompt { number: 1, text: "February 29th is refused, fix it".into() }],
        messages: vec![
            tool(
                1,
                "Bash",
                test,
                "test leap_day ... FAILED\ntest result: FAILED. 6 passed; 1 failed",
            ),
            tool(2, "Edit", &edit.to_string(), &json!({"filePath": file}).to_string()),
            tool(3, "Bash", test, "test result: ok. 7 passed; 0 failed"),
            Message {
                last_assistant_message: Some(
                    "February 29th is accepted now: the number of days was a fixed table.".into(),
                ),
                ..message(4, Cause::Stop)
            },
        ],
        ..Batch::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::health::Level;

    #[test]
    fn the_local_agent_passes_the_trial() {
        let dir = tempfile::tempdir().unwrap();
        let home = |name: &str| (name == "HOME").then(|| dir.path().into());
        let settings = crate::config::load(&home, Ok(None), &|_| Vec::new()).unwrap();
        let found = evaluate("extractive", &run_trial(&settings, Backend::Extractive));
        assert_eq!(found.level, Level::Ok, "{found:?}");
        assert!(found.message.contains("1 observation and a summary"), "{found:?}");
    }

    #[test]
    fn errors_and_empty_answers_fail_the_trial() {
        let check = |distilled, want: &str| {
            let found = evaluate(
                "claude",
                &Trial { distilled, took: Duration::from_millis(7), used: None },
            );
            assert_eq!(found.level, Level::Wrong);
            assert_eq!(found.message, want);
        };
        check(Ok(Distilled::default()), "claude answered after 7ms without a usable memory");
        let no_key = AgentError::Setup("no key".into());
        check(Err(no_key), "claude failed after 7ms: no key");
    }
}
