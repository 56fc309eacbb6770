//! The part of a prompt that the user typed.
//!
//! A prompt also carries text of others: quotations, pasted logs and mails, files and selections that
//! an IDE attaches, reminders, messages of other agents. None of it may become a request or a rule of
//! the user. Text whose author is unclear counts as text of others.

mod lead_ins;
mod pastes;
mod quotations;
#[cfg(test)]
mod tests;

use lead_ins::{Follows, after_source, what_follows, without_speech};
use pastes::{after_fence, begins_paste, fence, is_of_others};
use quotations::without_quotations;

use super::elements::{slash_command, without_elements, without_preamble};
use super::sender::is_by_others;

/// The lines of `prompt` that the user typed. A slash command with its arguments counts as typed.
pub fn typed(prompt: &str) -> String {
    let prompt = without_preamble(prompt.trim());
    if let Some(command) = slash_command(prompt) {
        return command;
    }
    let text = without_elements(prompt);
    let lines: Vec<&str> = text.lines().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    // A log, a terminal, a chat or a file goes on to the end of its paragraph.
    let mut in_paste = false;
    while at < lines.len() {
        let line = lines[at].trim_end();
        let bare = line.trim();
        if is_by_others(bare) {
            break;
        }
        if let Some(fence) = fence(bare) {
            at = after_fence(&lines, at, fence);
            continue;
        }
        at += 1;
        let next = lines.get(at).copied().unwrap_or_default();
        in_paste = !bare.is_empty() && (in_paste || begins_paste(bare, next));
        if bare.is_empty() || in_paste || is_of_others(line) {
            continue;
        }
        let (kept, said) = without_speech(bare);
        push_line(&mut out, &without_quotations(kept));
        let follows = match lines[at..].iter().map(|line| line.trim()).find(|line| !line.is_empty())
        {
            Some(next) if said => after_source(next),
            None if said => Follows::Others,
            _ => what_follows(kept, &lines[at..]),
        };
        match follows {
            Follows::User => {}
            Follows::Paste => in_paste = begins_paste(next.trim(), ""),
            Follows::Others => break,
        }
    }
    out
}

fn push_line(out: &mut String, line: &str) {
    let line = line.trim();
    if line.is_empty() {
        return;
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(line);
}
