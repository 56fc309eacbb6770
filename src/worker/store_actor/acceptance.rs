//! Accepts events, and answers the hooks that ask for memories.

use std::time::Duration;

use memctl_proto::event::Project;
use memctl_proto::{Code, Event};

use super::actor::StoreActor;
use super::{Inject, Rejection, Reply, Report};
use crate::injection::{self, Answer, Asked};
use crate::store::accept::{self, Accepted, Prepared};
use crate::store::queue::BatchMeasure;
use crate::store::{self, StoreError, claims};
use crate::{clock, testpoint};

impl StoreActor {
    /// Commits a group of events, then replies to each.
    pub fn accept(&mut self, group: Vec<(Event, Reply)>) {
        let now = clock::now_ms();
        testpoint::at("worker.accepting");
        let events: Vec<&Event> = group.iter().map(|(event, _)| event).collect();
        let projects: Vec<Project> = events.iter().filter_map(|e| e.project.clone()).collect();
        let deletes_texts = events.iter().any(|event| accept::deletes_texts(event));
        let mut results = self.commit(&events, now).map(|all| all.into_iter().map(Ok).collect());
        if let Err(StoreError::Schema(_)) = &results {
            // The store has noted that the search index is damaged, and goes on without it.
            results = self.commit(&events, now).map(|all| all.into_iter().map(Ok).collect());
        }
        if let Err(StoreError::Refused(_)) = &results {
            // One event that the store refuses must not fail the others of its group.
            results = Ok(events
                .iter()
                .map(|event| self.commit(&[event], now).map(|mut one| one.remove(0)))
                .collect::<Vec<_>>());
        }
        testpoint::at("worker.accepted");
        match results {
            Ok(results) => self.reply(group.into_iter().zip(results)),
            Err(e) => {
                for (_, reply) in group {
                    reply(Err(rejection(&e)));
                }
                self.report_error(&e);
            }
        }
        self.record_directories(&projects);
        self.maintain_wal(deletes_texts);
    }

    /// Answers a hook with memories, then records which ones it was given. A hook that has gone receives
    /// nothing, and nothing counts as given.
    pub fn inject(&mut self, asked: &Asked, reply: Inject) {
        let left = u64::try_from(asked.until.saturating_sub(clock::now_ms())).unwrap_or(0);
        let answer = match left {
            0 => None,
            left => self.answer(asked, Duration::from_millis(left)).ok(),
        };
        let Answer { block, uses } = answer.unwrap_or_default();
        reply(block);
        if !uses.is_empty() {
            let event = Event::recalled(&asked.client, &asked.session, asked.at, uses);
            self.accept(vec![(event, Box::new(drop))]);
        }
    }

    fn answer(&mut self, asked: &Asked, limit: Duration) -> store::Result<Answer> {
        self.open()?;
        let store = self.store.as_mut().expect("opened");
        store.read_within(limit, |conn| injection::answer(&self.settings, conn, asked))
    }

    fn reply(&mut self, group: impl Iterator<Item = ((Event, Reply), store::Result<Accepted>)>) {
        let (mut kinds, mut clients, mut bytes) = (Vec::new(), Vec::new(), 0);
        for ((event, reply), result) in group {
            // A report of given memories does not start a claim of waiting messages.
            let is_new = matches!(&result, Ok(accepted) if !accepted.duplicate);
            if is_new && !event.is_recall() {
                kinds.push(event.kind);
                bytes += event.text_len();
                clients.extend(event.process);
            }
            reply(result.map_err(|e| rejection(&e)));
        }
        let session = self.read_status();
        self.report(Report::Accepted { kinds, bytes, clients, session });
    }

    fn commit(&mut self, events: &[&Event], now: i64) -> store::Result<Vec<Accepted>> {
        let prepared = match self.prepare(events) {
            Err(StoreError::Schema(_)) => {
                // A write transaction repairs the schema.
                self.write(|_, _| Ok(()))?;
                self.prepare(events)?
            }
            prepared => prepared?,
        };
        self.write(|tx, _| {
            let all = events.iter().zip(&prepared);
            all.map(|(event, prepared)| accept::accept_prepared(tx, event, prepared, now)).collect()
        })
    }

    fn prepare(&mut self, events: &[&Event]) -> store::Result<Vec<Prepared>> {
        let measure = BatchMeasure::configured(&self.settings.config.agent);
        let conn = self.open()?.connection();
        let prepare = |event: &&Event| Prepared::new(conn, event, measure.cost_to_store(event));
        events.iter().map(prepare).collect()
    }

    /// Records what is new of the directories of events. A later event records what fails here.
    fn record_directories(&mut self, projects: &[Project]) {
        for project in projects {
            let Some(store) = &self.store else { return };
            let Ok(Some(new)) = claims::unrecorded(store.connection(), project) else { continue };
            let _ = self.write(|tx, _| claims::record(tx, &new, clock::now_ms()));
        }
    }
}

fn rejection(e: &StoreError) -> Rejection {
    let code = match e {
        StoreError::Fenced | StoreError::Newer { .. } => Code::Leaving,
        _ => Code::Store,
    };
    Rejection { code, message: e.to_string() }
}
