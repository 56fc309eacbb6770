//! Reads the steps of a session: those of its transcript, and those of its subagents in their place.
//!
//! A subagent is read when it ended: before the first step of the session that is not older. So its steps
//! belong to the turn that waited for it, one file is open beside the transcript, and the memory stays
//! bounded.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use super::agents::AgentFile;
use super::claude_code::Left;
use super::{Converter, Lines, Step};

pub struct SessionReader {
    lines: Lines,
    converter: Converter,
    /// Those that are not read yet, the one that ended first at the end.
    agents: Vec<AgentFile>,
    /// The subagent that is read.
    agent: Option<Agent>,
    /// Steps of the session that are converted and not returned.
    waiting: VecDeque<Step>,
    is_at_end: bool,
    counts: Counts,
}

/// A subagent while it is read.
struct Agent {
    lines: Lines,
    converter: Converter,
    waiting: VecDeque<Step>,
    is_at_end: bool,
}

/// What was read beside the steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Bytes of all files.
    pub bytes: u64,
    pub damaged_lines: u64,
    /// Subagents whose file was read, and those whose file could not be read.
    pub agents: u64,
    pub unreadable_agents: u64,
}

impl SessionReader {
    /// # Errors
    /// If the transcript cannot be opened.
    pub fn open(file: &Path, mut agents: Vec<AgentFile>) -> io::Result<SessionReader> {
        agents.sort_by(|a, b| (b.ended, &b.id).cmp(&(a.ended, &a.id)));
        let lines = Lines::open(file)?;
        let mut converter = Converter::default();
        converter.expect_agents(agents.iter().map(|agent| agent.id.clone()));
        Ok(SessionReader {
            lines,
            converter,
            agents,
            agent: None,
            waiting: VecDeque::new(),
            is_at_end: false,
            counts: Counts::default(),
        })
    }

    /// The converter of the session's own transcript.
    pub fn converter(&self) -> &Converter {
        &self.converter
    }

    /// Returns the next step. `None` at the end of the session.
    ///
    /// # Errors
    /// If the transcript cannot be read.
    pub fn next(&mut self) -> io::Result<Option<Step>> {
        loop {
            if let Some(step) = self.next_of_agent() {
                return Ok(Some(step));
            }
            let is_due = |agent: &AgentFile, step: &Step| agent.ended <= step.at;
            match (self.waiting.front(), self.agents.last()) {
                (Some(step), Some(agent)) if self.is_at_end || is_due(agent, step) => {
                    self.open_agent();
                }
                (Some(_), _) => return Ok(self.waiting.pop_front()),
                (None, _) if self.is_at_end => return Ok(None),
                (None, _) => self.convert()?,
            }
        }
    }

    /// Converts the next line, or the end.
    fn convert(&mut self) -> io::Result<()> {
        match self.lines.next_of(Converter::is_wanted)? {
            Some(line) => self.waiting.extend(self.converter.line(&line)),
            None => {
                self.waiting.extend(self.converter.end());
                self.is_at_end = true;
            }
        }
        Ok(())
    }

    fn open_agent(&mut self) {
        let Some(file) = self.agents.pop() else { return };
        let session = self.converter.session().unwrap_or_default();
        match Lines::open(&file.path) {
            Ok(lines) => {
                let converter = Converter::of_subagent(session, &file.id, file.kind.as_deref());
                let waiting = VecDeque::new();
                self.agent = Some(Agent { lines, converter, waiting, is_at_end: false });
                self.counts.agents += 1;
            }
            Err(_) => self.counts.unreadable_agents += 1,
        }
    }

    fn next_of_agent(&mut self) -> Option<Step> {
        loop {
            let agent = self.agent.as_mut()?;
            if let Some(step) = agent.waiting.pop_front() {
                return Some(step);
            }
            if agent.is_at_end {
                self.counts.bytes += agent.lines.n_bytes();
                self.counts.damaged_lines += agent.lines.n_damaged();
                self.agent = None;
                return None;
            }
            // An error of reading ends it, as the end of the file does.
            match agent.lines.next_of(Converter::is_wanted) {
                Ok(Some(line)) => agent.waiting.extend(agent.converter.line(&line)),
                Ok(None) | Err(_) => {
                    agent.waiting.extend(agent.converter.end());
                    agent.is_at_end = true;
                }
            }
        }
    }

    /// The steps that end the session, if it was not read to its end.
    pub fn end(&mut self) -> Vec<Step> {
        self.converter.end()
    }

    /// Number of the lines that are no events.
    pub fn left(&self) -> Left {
        self.converter.left()
    }

    /// The counts of what was read so far.
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts;
        let agent = self.agent.iter().map(|agent| &agent.lines);
        for lines in agent.chain([&self.lines]) {
            counts.bytes += lines.n_bytes();
            counts.damaged_lines += lines.n_damaged();
        }
        counts
    }

    /// What is wrong with the first damaged line of the session's own transcript.
    pub fn first_error(&self) -> Option<String> {
        self.lines.first_error()
    }
}
