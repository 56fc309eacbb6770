//! `doctor --agent`: the memory agent distils a few made-up events, which proves that it can be
//! reached, understands and answers. Nothing of it is remembered but what it used.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::agent::{self, Admission, AgentError, Backend, CallRequest, Ledger};
use crate::clock;
use crate::config::Settings;
use crate::ctl::format::{count, dollars, span};
use crate::ctl::health::Finding;
use crate::memory::{Batch, CallOutcome, Cause, Distilled, Message, Prompt, Usage};
use crate::store::usage::{self, Call, Reservation};
use crate::store::{self, Store, refusals};

/// What a trial came to.
struct Trial {
    distilled: Result<Distilled, AgentError>,
    took: Duration,
    /// What it used and cost, in dollars, where a model was asked.
    used: Option<(Usage, f64)>,
}

pub fn run(settings: &Settings) -> Finding {
    let name = &settings.config.agent.backend;
    match Backend::named(name) {
        Some(backend) => {
            let trial = ask(settings, backend);
            let found = judge(name, &trial);
            match trial.distilled.err().and_then(|why| remedy(settings, backend, &why)) {
                Some(todo) => found.todo(todo),
                None => found,
            }
        }
        None => Finding::wrong("agent", format!("this memctl has no backend {name}")),
    }
}

fn ask(settings: &Settings, backend: Backend) -> Trial {
    let since = Instant::now();
    let mut settings = settings.clone();
    // What a model uses is written down, if it is the first thing of all.
    let store = match backend.is_model() && settings.paths.create().is_ok() {
        true => Store::open(&settings.paths).ok(),
        false => None,
    };
    let settings = Arc::new(settings);
    let kept = Kept { store, model: String::new(), used: None };
    let books = Books { settings: settings.clone(), backend, kept: Mutex::new(kept) };
    let distilled = agent::try_once(&settings, backend, batch(), &books);
    let used = books.kept.into_inner().unwrap_or_else(PoisonError::into_inner).used;
    Trial { distilled, took: since.elapsed(), used }
}

/// The ledger of a trial: within the day's budget, and of no session. That the backend was refused
/// before is no reason not to try.
struct Books {
    settings: Arc<Settings>,
    backend: Backend,
    kept: Mutex<Kept>,
}

struct Kept {
    store: Option<Store>,
    /// The one that was asked last.
    model: String,
    used: Option<(Usage, f64)>,
}

impl Books {
    fn write<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction) -> store::Result<T>,
    ) -> Option<store::Result<T>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Some(kept.store.as_mut()?.write(work))
    }
}

impl Ledger for Books {
    fn open(&self, opening: CallRequest) -> oneshot::Receiver<Admission> {
        let (reply, room) = oneshot::channel();
        let opened = self.write(|tx| {
            let call = Call {
                session_id: None,
                backend: opening.backend.name(),
                model: &opening.model,
                estimate: opening.estimate,
            };
            usage::reserve(tx, &call, &self.settings.config.agent, clock::now_ms())
        });
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).model = opening.model;
        let _ = reply.send(match opened {
            None => Admission::Granted(0),
            Some(Ok(Reservation::Granted(id))) => Admission::Granted(id),
            Some(Ok(Reservation::OverBudget(spent))) => Admission::OverBudget(spent.to_string()),
            Some(Err(_)) => Admission::LedgerUnavailable,
        });
        room
    }

    fn settle(&self, call: i64, settled: CallOutcome) {
        let agent = &self.settings.config.agent;
        let _ = self.write(|tx| usage::settle(tx, call, settled, agent, clock::now_ms()));
        if let CallOutcome::Complete(used) | CallOutcome::Partial(used) = settled {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let cost = usage::cost_of(&used, self.backend.name(), &kept.model, agent);
            kept.used = Some((used, cost));
        }
    }

    fn refuse(&self, _: Backend, _: String, _: String) {}

    fn answered(&self, backend: Backend) {
        let _ = self.write(|tx| refusals::clear(tx, backend.name()));
    }
}

/// Whether it is good for anything: it must have understood what was done.
fn judge(name: &str, trial: &Trial) -> Finding {
    let took = span(trial.took);
    let used = trial.used.filter(|(used, _)| used.input + used.output > 0);
    let used = used.map_or_else(String::new, |(used, cost)| {
        let cost = dollars(cost);
        format!(", with {} tokens in and {} out, {cost}", used.input, used.output)
    });
    match &trial.distilled {
        Err(why) => Finding::wrong("agent", format!("{name} failed after {took}{used}: {why}")),
        Ok(distilled) if distilled.observations.is_empty() || distilled.summary.is_none() => {
            Finding::wrong(
                "agent",
                format!("{name} answered after {took}{used} and made nothing of it"),
            )
        }
        Ok(distilled) => {
            let n = count(distilled.observations.len() as u64, "observation");
            Finding::ok(
                "agent",
                format!("{name} made {n} and a summary of a trial in {took}{used}"),
            )
        }
    }
}

/// What to do about it, where the reason does not say so itself.
fn remedy(settings: &Settings, backend: Backend, why: &AgentError) -> Option<String> {
    let name = backend.name();
    let program = backend == Backend::Claude;
    let of_program = "claude -p hello shows whether it works by itself".to_owned();
    Some(match why {
        AgentError::Setup(says) if says.contains("memctl config ") => return None,
        AgentError::Setup(_) if program => "log in: claude, then /login; agent.claude.command \
             and agent.claude.model say what is run"
            .into(),
        AgentError::Setup(_) => match settings.config.agent.key_names(name).first() {
            Some(key) => format!(
                "memctl config secret set {key}, for another key; agent.{name}.model and \
                 agent.{name}.base_url say who is asked"
            ),
            None => format!(
                "memctl config set agent.{name}.model NAME, or agent.{name}.base_url URL, or \
                 agent.{name}.key the name of a key"
            ),
        },
        AgentError::Unreachable(_) | AgentError::Lost(_) if program => of_program,
        AgentError::Unreachable(_) | AgentError::Lost(_) => format!(
            "memctl config get agent.{name}.base_url is what was tried; agent.{name}.proxy, where \
             there is one on the way"
        ),
        AgentError::Busy { .. } => "wait, or memctl config set agent.backend to another; \
             agent.budget.* are your own limits"
            .into(),
        AgentError::TimedOut(_) => "memctl config set agent.turn_timeout 5min".into(),
        AgentError::Died(_) if program => of_program,
        AgentError::Died(_)
        | AgentError::Rejected(_)
        | AgentError::TooLong
        | AgentError::Prose(_) => {
            format!("memctl config set agent.{name}.model to another")
        }
    })
}

/// A bug that is found and fixed: small, and worth remembering.
fn batch() -> Batch {
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
        cwd: Some("/trial".into()),
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
    let edit = r#"{"file_path":"/trial/src/date.rs","old_string":"28","new_string":"days_in(year, month)"}"#;
    Batch {
        project_root: Some("/trial".into()),
        prompts: vec![Prompt { number: 1, text: "February 29th is refused, fix it".into() }],
        messages: vec![
            tool(
                1,
                "Bash",
                test,
                "test leap_day ... FAILED\ntest result: FAILED. 6 passed; 1 failed",
            ),
            tool(2, "Edit", edit, r#"{"filePath":"/trial/src/date.rs"}"#),
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
    fn the_trial_is_worth_remembering() {
        let dir = tempfile::tempdir().unwrap();
        let home = |name: &str| (name == "HOME").then(|| dir.path().into());
        let settings = crate::config::load(&home, None).unwrap();
        let found = judge("extractive", &ask(&settings, Backend::Extractive));
        assert_eq!(found.level, Level::Ok, "{found:?}");
        assert!(found.says.contains("1 observation and a summary"), "{found:?}");
    }

    #[test]
    fn an_answer_that_says_nothing_is_wrong() {
        let check = |distilled, want: &str| {
            let found =
                judge("claude", &Trial { distilled, took: Duration::from_millis(7), used: None });
            assert_eq!(found.level, Level::Wrong);
            assert_eq!(found.says, want);
        };
        check(Ok(Distilled::default()), "claude answered after 7ms and made nothing of it");
        let no_key = AgentError::Setup("no key".into());
        check(Err(no_key), "claude failed after 7ms: no key");
    }
}
