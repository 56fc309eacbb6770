//! A batch whose texts of third parties are known, and what becomes of a reply to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::error::AgentError;
use super::parse::Reply;
use super::{Backend, attribution, local};
use crate::activity::ParsedBatch;
use crate::evidence;
use crate::memory::{Distilled, Evidence, Observation, Turn};
use crate::provenance::{Author, Screen};
use crate::testpoint;

/// A distilled batch, and the backends that distilled it.
#[derive(Debug)]
pub struct Done {
    pub distilled: Distilled,
    pub backend: Backend,
    /// The backend of the summary: the local rules if the model wrote none.
    pub summary_backend: Backend,
}

/// A batch without text of others in the assistant's message, and what it takes to check a reply.
pub struct Screened {
    pub batch: Arc<ParsedBatch>,
    screen: Screen,
}

impl Screened {
    fn new(batch: Arc<ParsedBatch>) -> Screened {
        let mut screen = Screen::new(&batch);
        Screened { batch: screen.clean(batch), screen }
    }

    /// What a model's reply adds to the memory. The turn is assembled from its summary.
    pub fn attribute(&self, reply: Reply) -> Distilled {
        let mut screen = self.screen.clone();
        let evidence = evidence::fold(&self.batch);
        let summary = reply.summary.clone().filter(|_| self.batch.asks_for_summary());
        let mut observations = attribution::attribute(&self.batch, reply);
        screen.check(&mut observations, Author::Model);
        let turn = summary.and_then(|summary| {
            let turn = local::turn_of_summary(&self.batch, &evidence, &summary)?;
            Some(finished(turn, &mut screen, Author::Model))
        });
        self.store(screen, observations, turn, evidence)
    }

    /// What the local rules add to the memory.
    fn distill(mut self) -> Distilled {
        let evidence = evidence::fold(&self.batch);
        let turn = local::turn(&self.batch, &evidence)
            .map(|turn| finished(turn, &mut self.screen, Author::LocalRules));
        let mut observations =
            turn.as_ref().map_or_else(Vec::new, |turn| local::rows(&self.batch, turn));
        self.screen.check(&mut observations, Author::LocalRules);
        let screen = self.screen.clone();
        self.store(screen, observations, turn, evidence)
    }

    /// Adds the rules that the user states, which come from the prompts and not from a model, and what
    /// the screen found.
    fn store(
        &self,
        mut screen: Screen,
        mut observations: Vec<Observation>,
        turn: Option<Turn>,
        evidence: Evidence,
    ) -> Distilled {
        let mut rules = local::user_words(&self.batch, &evidence);
        screen.check(&mut rules, Author::LocalRules);
        observations.append(&mut rules);
        let mut distilled = Distilled {
            observations,
            summary: turn.as_ref().map(local::columns),
            turn: turn.map(Box::new),
            evidence: (evidence != self.batch.evidence).then(|| Box::new(evidence)),
            seen: None,
        };
        screen.finish(&self.batch, &mut distilled);
        distilled
    }
}

/// The turn without text of others. Its title comes last: it quotes the turn.
fn finished(mut turn: Turn, screen: &mut Screen, author: Author) -> Turn {
    screen.check_turn(&mut turn, author);
    local::add_title(&mut turn);
    turn
}

/// Screens a batch on a thread of its own: long texts would delay the event loop.
pub async fn screen(batch: Arc<ParsedBatch>, limit: Duration) -> Result<Screened, AgentError> {
    on_thread("screen", limit, move || Screened::new(batch)).await
}

/// Distills with the local rules, on this thread and without a limit of time. `None` if they panicked.
pub fn distill_here(batch: Arc<ParsedBatch>) -> Option<Distilled> {
    catch_unwind(AssertUnwindSafe(|| Screened::new(batch).distill())).ok()
}

/// Distills with the local rules.
pub async fn distill_locally(
    batch: Arc<ParsedBatch>,
    limit: Duration,
) -> Result<Distilled, AgentError> {
    let distill = move || {
        testpoint::at("distill.begun");
        for message in &batch.messages {
            testpoint::at_item("distill.tool", message.tool_name.as_deref());
        }
        Screened::new(batch).distill()
    };
    on_thread("distill", limit, distill).await
}

/// Runs `work` on a new thread. A thread cannot be killed: after `limit` it is abandoned and ends with
/// the process. In a thread pool, it would block a thread for good.
pub async fn on_thread<T: Send + 'static>(
    name: &str,
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AgentError> {
    let (sender, receiver) = oneshot::channel();
    // If the thread does not start, the sender is dropped and the receiver returns an error.
    let _ = std::thread::Builder::new().name(name.into()).spawn(move || {
        let _ = sender.send(work());
    });
    match timeout(limit, receiver).await {
        Ok(Ok(distilled)) => Ok(distilled),
        Ok(Err(_)) => Err(AgentError::Died("it panicked".into())),
        Err(_) => Err(AgentError::TimedOut(limit)),
    }
}
