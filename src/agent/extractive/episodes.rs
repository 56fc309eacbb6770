//! From single events to episodes. Each thread (the main one, each subagent) is followed on its
//! own, for their events interleave; within it edits gather into works, failures wait for the pass
//! that ends them, and whatever came from the web is kept apart.

use std::collections::{BTreeSet, HashMap};

use super::work::{Failure, Fix, Work, merge};
use crate::activity::{Activity, ChangeKind, Check, CheckKind, Edit, Event, Run, TestReport};
use crate::memory::Origin;

/// What one agent did, the main one or a subagent.
#[derive(Default)]
pub struct Thread {
    pub agent_id: Option<String>,
    pub agent_type: Option<String>,
    pub works: Vec<Work>,
    /// What was looked at without leading to any work.
    pub looked: Work,
    pub web: Vec<Page>,
    /// Its last words: a report, or the assistant's message at the stop.
    pub message: Option<String>,
    pub message_source: Option<i64>,
    /// What it was sent off to do.
    pub task: String,
    current: Work,
    troubles: Vec<Failure>,
    /// Messages of other threads that were folded in.
    foreign: BTreeSet<i64>,
}

/// Something the web said.
pub struct Page {
    pub subject: String,
    pub gist: String,
    pub prompt_number: i64,
    pub source: i64,
}

/// Open failures that are remembered at a time; more than these are noise.
const TROUBLES: usize = 12;

/// The threads of a batch in the order they began; the main one is first, even when it is empty.
/// `carried` is what it goes on with.
pub fn follow(events: &[Event], carried: Option<Work>) -> Vec<Thread> {
    let mut threads = vec![Thread { current: carried.unwrap_or_default(), ..Thread::default() }];
    let mut known: HashMap<Option<&str>, usize> = HashMap::from([(None, 0)]);
    let mut launches: Vec<(&Option<String>, &str, &str)> = Vec::new();
    for event in events {
        let message = event.message;
        match event.activity {
            Activity::Launch { agent, kind, task } => {
                launches.push((agent, kind, task));
                continue;
            }
            // A report without an agent's id came with the answer of the tool that sent it off.
            Activity::Report { text, task } if message.agent_id.is_none() => {
                let same = threads.iter_mut().find(|t| t.message.as_deref() == Some(text.as_str()));
                let thread = match same {
                    Some(thread) => thread,
                    None => {
                        threads.push(Thread {
                            agent_type: message.agent_type.clone(),
                            ..Thread::default()
                        });
                        threads.last_mut().unwrap_or_else(|| unreachable!("one was pushed"))
                    }
                };
                thread.report(event, text);
                thread.task.clone_from(task);
                continue;
            }
            _ => {}
        }
        let id = message.agent_id.as_deref();
        let at = *known.entry(id).or_insert_with(|| {
            threads.push(Thread { agent_id: message.agent_id.clone(), ..Thread::default() });
            threads.len() - 1
        });
        let thread = &mut threads[at];
        if thread.agent_type.is_none() && id.is_some() {
            thread.agent_type.clone_from(&message.agent_type);
        }
        thread.take(event);
        if let Activity::Run(run) = event.activity
            && !run.failed
            && !run.unknown
        {
            run.checks.iter().for_each(|check| meet(&mut threads, at, check, message.id));
        }
    }
    for (agent, kind, task) in launches {
        if let Some(at) = launched(&threads, agent.as_deref(), kind) {
            threads[at].task = task.to_owned();
        }
    }
    threads.iter_mut().for_each(Thread::finish);
    threads
}

/// A failure that one thread met and another cured: it passes there, after edits made there since.
fn meet(threads: &mut [Thread], at: usize, check: &Check, id: i64) {
    for other in (0..threads.len()).filter(|other| *other != at) {
        if threads[other].troubles.is_empty() {
            continue;
        }
        let work = &threads[at].current;
        let since = |t: &Failure| {
            work.files
                .iter()
                .filter(|f| f.sources.last() > t.sources.first())
                .map(|f| f.path.clone())
                .collect::<BTreeSet<_>>()
        };
        let (over, open): (Vec<_>, Vec<_>) = std::mem::take(&mut threads[other].troubles)
            .into_iter()
            .partition(|t| t.ended_by(check) && !since(t).is_empty());
        let fixes: Vec<Fix> = over
            .into_iter()
            .map(|trouble| Fix { files: since(&trouble), failure: trouble })
            .collect();
        threads[other].troubles = open;
        for mut fix in fixes {
            fix.failure.after_edits = false;
            let found = fix.failure.sources.clone();
            for source in found {
                threads[at].current.source(source, Origin::Tool);
                threads[at].foreign.insert(source);
            }
            fix.failure.sources.push(id);
            threads[at].current.fixes.push(fix);
        }
    }
}

/// The thread that a launch began: by its id, else the only one of its kind, else the only one of
/// a kind that is not known.
fn launched(threads: &[Thread], agent: Option<&str>, kind: &str) -> Option<usize> {
    if let Some(agent) = agent {
        return threads.iter().position(|t| t.agent_id.as_deref() == Some(agent));
    }
    let only = |kind: &str| {
        let mut of_kind = threads
            .iter()
            .enumerate()
            .filter(|(_, t)| t.agent_id.is_some() && t.agent_type.as_deref() == Some(kind));
        let (at, _) = of_kind.next()?;
        (of_kind.next().is_none() && threads[at].task.is_empty()).then_some(at)
    };
    only(kind).or_else(|| only("subagent"))
}

impl Thread {
    /// Whether some of these messages are another thread's.
    pub fn shared(&self, sources: &[i64]) -> bool {
        sources.iter().any(|id| self.foreign.contains(id))
    }

    fn take(&mut self, event: &Event) {
        let message = event.message;
        if message.prompt_number != self.current.prompt_number {
            if !self.current.files.is_empty() {
                self.close();
            }
            self.current.prompt_number = message.prompt_number;
        }
        let origin = event.origin();
        match event.activity {
            Activity::Nothing | Activity::Launch { .. } => {}
            Activity::Report { text, .. } => self.report(event, text),
            Activity::Read { path } => {
                self.current.read.push(path.clone());
                self.current.source(message.id, origin);
            }
            Activity::Search { pattern } => {
                self.current.searched.push(pattern.clone());
                self.current.source(message.id, origin);
            }
            Activity::Edit(edits) => {
                self.current.source(message.id, origin);
                edits.iter().for_each(|edit| self.edited(edit, message.id));
            }
            Activity::Run(run) if run.fetched.is_some() => {
                self.web.push(Page {
                    subject: run.fetched.clone().unwrap_or_default(),
                    gist: run.excerpt.clone(),
                    prompt_number: message.prompt_number,
                    source: message.id,
                });
                // Of its output nothing counts but what git itself says of a commit.
                self.ran(&run.without_output(), message.id);
            }
            Activity::Run(run) => self.ran(run, message.id),
            Activity::Web { subject, excerpt } => self.web.push(Page {
                subject: subject.clone(),
                gist: excerpt.clone(),
                prompt_number: message.prompt_number,
                source: message.id,
            }),
            Activity::Call { tool, side_effect, failure } => {
                self.current.source(message.id, origin);
                let check = Check {
                    key: tool.clone(),
                    kind: CheckKind::Other,
                    toolchain: tool.clone(),
                    words: Vec::new(),
                };
                match failure {
                    Some(failure) => {
                        self.failed(&check, std::slice::from_ref(failure), None, message.id)
                    }
                    None => self.passed(&check, message.id),
                }
                side_effect.iter().for_each(|d| self.current.add_side_effect(d));
            }
        }
    }

    fn report(&mut self, event: &Event, text: &str) {
        self.message = Some(text.to_owned());
        self.message_source = Some(event.message.id);
        if self.looked.prompt_number == 0 {
            self.looked.prompt_number = event.message.prompt_number;
        }
    }

    fn edited(&mut self, edit: &Edit, source: i64) {
        self.current.edit(edit, source);
        for trouble in &mut self.troubles {
            if !trouble.touched.contains(&edit.path) {
                trouble.touched.insert(edit.path.clone());
            }
        }
    }

    fn ran(&mut self, run: &Run, id: i64) {
        let matters = !run.checks.is_empty()
            || !run.side_effects.is_empty()
            || !run.read.is_empty()
            || !run.written.is_empty()
            || !run.removed.is_empty()
            || !run.reverted.is_empty()
            || run.commit.is_some()
            || run.report.is_some();
        if !matters {
            return;
        }
        self.current.source(id, Origin::Tool);
        self.current.read.extend(run.read.iter().cloned());
        let by_shell = |path: &String, change| Edit {
            path: path.clone(),
            change,
            added: 0,
            removed: 0,
            names: Vec::new(),
            swap: None,
        };
        for path in &run.written {
            self.edited(&by_shell(path, ChangeKind::Changed), id);
        }
        for path in &run.removed {
            self.edited(&by_shell(path, ChangeKind::Removed), id);
        }
        self.revert(&run.reverted);
        if !run.unknown {
            self.judge(run, id);
        }
        for deed in &run.side_effects {
            self.current.add_side_effect(deed);
            for trouble in &mut self.troubles {
                trouble.side_effect.get_or_insert_with(|| deed.clone());
            }
        }
        if let Some(commit) = &run.commit {
            let reopened = commit.amends || self.current.files.is_empty();
            let last =
                self.works.last_mut().filter(|w| reopened && (commit.amends || w.commit.is_none()));
            self.current.commit = Some(commit.clone());
            match last {
                Some(last) => last.absorb(std::mem::take(&mut self.current)),
                None => self.close(),
            }
            self.current.prompt_number = self.works.last().map_or(0, |w| w.prompt_number);
        }
    }

    fn judge(&mut self, run: &Run, id: i64) {
        if !run.failed {
            for check in &run.checks {
                self.current.passed(check, run.report.as_ref());
                self.passed(check, id);
            }
            return;
        }
        // Of several checks on one line the output tells which it was that failed.
        let tests = run.report.as_ref().is_some_and(|v| v.failed > 0);
        let Some(check) =
            run.checks.iter().find(|c| !tests || c.kind == CheckKind::Test).or(run.checks.first())
        else {
            return;
        };
        self.failed(check, &run.error_lines, run.report.clone(), id);
    }

    fn failed(
        &mut self,
        check: &Check,
        error_lines: &[String],
        verdict: Option<TestReport>,
        id: i64,
    ) {
        self.current.reports.retain(|(key, _)| *key != check.key);
        self.current.clean.retain(|key| *key != check.key);
        let failing = verdict.as_ref().map(|v| v.failing.clone()).unwrap_or_default();
        if let Some(known) = self.troubles.iter_mut().find(|t| t.check.key == check.key) {
            known.sources.push(id);
            known.passed_by_itself = false;
            if known.touched.is_empty() || known.error_lines.is_empty() {
                known.error_lines = error_lines.to_vec();
            }
            known.report = verdict.or(known.report.take());
            for name in failing {
                push(&mut known.failing, &name);
            }
            return;
        }
        if let Some(back) = self.not_cured(check, &failing) {
            let mut known = back.failure;
            known.touched = back.files;
            known.sources.push(id);
            known.report = verdict.or(known.report);
            self.troubles.push(known);
            return;
        }
        if self.troubles.len() == TROUBLES {
            self.troubles.remove(0);
        }
        self.troubles.push(Failure {
            check: check.clone(),
            error_lines: error_lines.to_vec(),
            failing,
            report: verdict,
            after_edits: !self.current.files.is_empty(),
            touched: BTreeSet::new(),
            side_effect: None,
            passed_by_itself: false,
            sources: vec![id],
        });
    }

    /// The cure of this work that was none, for the same test fails again.
    fn not_cured(&mut self, check: &Check, failing: &[String]) -> Option<Fix> {
        let at = self.current.fixes.iter().rposition(|f| {
            f.failure.check.key == check.key
                && f.failure.failing.iter().any(|name| failing.contains(name))
        })?;
        Some(self.current.fixes.remove(at))
    }

    fn passed(&mut self, check: &Check, id: i64) {
        let (over, rest) =
            std::mem::take(&mut self.troubles).into_iter().partition(|t| t.ended_by(check));
        self.troubles = rest;
        for mut trouble in over {
            // Passed without anything having been done: it was never worth telling, unless it
            // comes and goes and is what all this is about.
            if trouble.touched.is_empty() && trouble.side_effect.is_none() {
                if trouble.check.kind == CheckKind::Test && trouble.sources.len() > 1 {
                    self.troubles.push(Failure { passed_by_itself: true, ..trouble });
                }
                continue;
            }
            trouble.sources.push(id);
            let files = std::mem::take(&mut trouble.touched);
            self.current.fixes.push(Fix { failure: trouble, files });
        }
    }

    fn revert(&mut self, paths: &[String]) {
        for path in paths {
            for gone in self.current.revert(path) {
                self.troubles.iter_mut().for_each(|t| {
                    t.touched.remove(&gone);
                });
            }
        }
    }

    fn close(&mut self) {
        let mut work = std::mem::take(&mut self.current);
        self.current.prompt_number = work.prompt_number;
        work.settle();
        while let Some(part) = work.split_off_fix() {
            self.works.push(part);
        }
        if !work.is_empty() {
            self.works.push(work);
        } else {
            self.looked.absorb(work);
        }
    }

    /// What is left at the end: failures without a cure, looks that led to nothing, and what was
    /// done after the last commit (a push) and belongs to it.
    fn finish(&mut self) {
        let open: Vec<Failure> = std::mem::take(&mut self.troubles)
            .into_iter()
            .filter(|t| !t.error_lines.is_empty() && !t.passed_by_itself)
            .collect();
        self.current.open.extend(open);
        let prompt_number = self.current.prompt_number;
        if !self.current.files.is_empty() {
            self.close();
        } else if let Some(last) =
            self.works.last_mut().filter(|w| w.prompt_number == prompt_number)
        {
            let mut rest = std::mem::take(&mut self.current);
            merge(&mut self.looked.read, std::mem::take(&mut rest.read));
            merge(&mut self.looked.searched, std::mem::take(&mut rest.searched));
            last.absorb(rest);
        } else if self.current.is_empty() {
            let looked = std::mem::take(&mut self.looked);
            self.looked = std::mem::take(&mut self.current);
            self.looked.absorb(looked);
        } else {
            self.close();
        }
        if self.looked.prompt_number == 0 {
            self.looked.prompt_number = prompt_number;
        }
    }
}

fn push(list: &mut Vec<String>, item: &str) {
    if !list.iter().any(|known| known == item) {
        list.push(item.to_owned());
    }
}
