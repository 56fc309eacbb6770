//! What an import found and did, for people and for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::reader::Read;
use super::recorder::Stored;
use crate::ctl::format::{bytes, count, span, summaries};

/// Counts of an import.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub dry_run: bool,
    /// Workers store the events, and `replay` has told how many.
    pub with_agent: bool,
    /// Number of transcripts that were found, and their size.
    pub files: u64,
    pub bytes: u64,
    pub imported: u64,
    /// Sessions whose import continued: the file had grown, or an import had been ended.
    pub continued: u64,
    pub already_imported: u64,
    pub recorded_live: u64,
    pub forgotten: u64,
    pub excluded: u64,
    pub without_prompt: u64,
    pub unreadable: u64,
    /// Sessions whose directory does not exist any more.
    pub gone_dirs: u64,
    pub sidechain_files: u64,
    pub read: Read,
    pub stored: Stored,
    pub elapsed: Duration,
    /// Number of sessions and projects that are known now.
    pub known: (u64, u64),
    pub first_problem: Option<String>,
}

impl Report {
    pub fn add(&mut self, read: Read) {
        let (all, left) = (&mut self.read, read.left);
        all.events += read.events;
        all.not_recorded += read.not_recorded;
        all.shared += read.shared;
        all.damaged_lines += read.damaged_lines;
        all.agents += read.agents;
        self.unreadable += read.unreadable;
        all.left.sidechain += left.sidechain;
        all.left.compactions += left.compactions;
        all.left.generated += left.generated;
        all.left.forked += left.forked;
    }

    pub fn json(&self) -> Value {
        let Report { read, stored, .. } = self;
        json!({
            "subagents": read.agents,
            "dry_run": self.dry_run,
            "transcripts": self.files,
            "bytes": self.bytes,
            "seconds": self.elapsed.as_secs_f64(),
            "sessions": {
                "imported": self.imported,
                "continued": self.continued,
                "already_imported": self.already_imported,
                "recorded_live": self.recorded_live,
                "forgotten": self.forgotten,
                "excluded": self.excluded,
                "without_prompt": self.without_prompt,
                "unreadable": self.unreadable,
                "gone_directories": self.gone_dirs,
            },
            "events": {
                "stored": stored.events,
                "known": stored.known + read.shared,
                "not_recorded": read.not_recorded,
            },
            "observations": stored.observations,
            "summaries": stored.summaries,
            "skipped": {
                "damaged_lines": read.damaged_lines,
                "sidechain_files": self.sidechain_files,
                "sidechain_lines": read.left.sidechain,
                "compactions": read.left.compactions,
                "generated": read.left.generated,
                "forked_lines": read.left.forked,
                "failed_batches": stored.failed,
            },
            "known": { "sessions": self.known.0, "projects": self.known.1 },
        })
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        let verb = if self.dry_run { "would be imported" } else { "imported" };
        let rate = match self.elapsed.as_secs_f64() {
            s if !self.dry_run && s > 0.05 => format!(", {:.1} MB/s", self.bytes as f64 / 1e6 / s),
            _ => String::new(),
        };
        let time = if self.dry_run { String::new() } else { format!(" in {}", span(self.elapsed)) };
        let sessions = self.imported + self.continued;
        text.push_str(&format!(
            "{} {verb}{time} ({}{rate})\n",
            count(sessions, "session"),
            bytes(self.bytes)
        ));
        if !self.dry_run && !self.with_agent {
            text.push_str(&format!(
                "stored: {}, {}, {}\n",
                count(self.stored.events, "event"),
                count(self.stored.observations, "observation"),
                summaries(self.stored.summaries),
            ));
            if self.read.agents > 0 {
                text.push_str(&format!("with {}\n", count(self.read.agents, "subagent")));
            }
        }
        let (read, left) = (&self.read, &self.read.left);
        let list = |title: &str, parts: &[(u64, &str)]| {
            let part = |(n, what): &(u64, &str)| match (n, what.split_once('/')) {
                (1, Some((one, _))) => format!("1 {one}"),
                (n, Some((_, many))) => format!("{n} {many}"),
                (n, None) => format!("{n} {what}"),
            };
            let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(part).collect();
            if parts.is_empty() {
                String::new()
            } else {
                format!("{title}: {}\n", parts.join(", "))
            }
        };
        text.push_str(&list(
            "sessions skipped",
            &[
                (self.already_imported, "imported before"),
                (self.recorded_live, "recorded live"),
                (self.forgotten, "forgotten"),
                (self.excluded, "excluded"),
                (self.without_prompt, "without a prompt"),
                (self.unreadable, "unreadable"),
            ],
        ));
        text.push_str(&list(
            "left out",
            &[
                (read.damaged_lines, "damaged line/damaged lines"),
                (self.sidechain_files, "subagent of the client or without its session/subagents of the client or without their session"),
                (left.sidechain, "line of a subagent/lines of subagents"),
                (left.compactions, "summary of a compaction/summaries of compactions"),
                (left.generated, "message of the client/messages of the client"),
                (left.forked + read.shared, "copy in a forked or resumed session/copies in forked and resumed sessions"),
                (self.stored.failed, "batch that the local rules could not read/batches that the local rules could not read"),
            ],
        ));
        if self.gone_dirs > 0 {
            let sessions = count(self.gone_dirs, "session");
            text.push_str(&format!("{sessions} of directories that are gone\n"));
        }
        if let Some(problem) = &self.first_problem {
            text.push_str(&format!("first problem: {problem}\n"));
        }
        text
    }

    /// What the memory knows now.
    pub fn last_line(&self) -> String {
        let (sessions, projects) = self.known;
        format!(
            "memctl knows your last {} in {}; try: memctl search WORDS\n",
            count(sessions, "session"),
            count(projects, "project")
        )
    }
}
