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
mod text_requests;

use lead_ins::{Follows, after_source, what_follows, without_speech};
use pastes::{after_fence, begins_paste, fence, is_of_others};
use quotations::without_quotations;
use text_requests::{about_text, greets, signs_off};

use super::elements::{slash_command, without_elements, without_preamble};
use super::sender::is_by_others;

/// The lines of `prompt` that the user typed. A slash command with its arguments counts as typed.
pub fn typed(prompt: &str) -> String {
    let prompt = without_preamble(prompt.trim());
    if let Some(command) = slash_command(prompt) {
        return command;
    }
    let text = without_elements(prompt);
    if let Some(arguments) = arguments_of_expansion(&text) {
        return arguments.to_owned();
    }
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
        if at > 1 && greets(bare) {
            at = after_letter(&lines, at);
            continue;
        }
        in_paste = !bare.is_empty() && (in_paste || begins_paste(bare, next));
        if bare.is_empty() || in_paste || is_of_others(line) {
            continue;
        }
        if let Some(text_at) = about_text(bare) {
            push_line(&mut out, &without_quotations(&bare[..text_at]));
            let next = lines[at..].iter().map(|line| line.trim()).find(|line| !line.is_empty());
            let follows = bare.ends_with([':', '：']).then(|| next.map(after_source)).flatten();
            if matches!(follows, Some(Follows::Others)) {
                break;
            }
            at = after_text(&lines, at, text_at < bare.len());
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

/// The line after the text that a line asks about: the rest of its paragraph, or the next paragraph if
/// nothing of the text has come yet.
fn after_text(lines: &[&str], at: usize, has_begun: bool) -> usize {
    let is_blank = |at: &usize| lines[*at].trim().is_empty();
    let begins = match has_begun {
        true => at,
        false => (at..lines.len()).find(|at| !is_blank(at)).unwrap_or(lines.len()),
    };
    if begins < lines.len()
        && (fence(lines[begins].trim()).is_some() || greets(lines[begins].trim()))
    {
        return begins;
    }
    (begins..lines.len()).find(is_blank).unwrap_or(lines.len())
}

/// The line after a letter: after the name below its end, or the end of the prompt.
fn after_letter(lines: &[&str], at: usize) -> usize {
    let end = lines[at..].iter().position(|line| signs_off(line.trim()));
    end.map_or(lines.len(), |n| (at + n + 2).min(lines.len()))
}

/// The arguments of a command that the client has expanded to the text of its file.
fn arguments_of_expansion(text: &str) -> Option<&str> {
    let (body, last) = text.trim_end().rsplit_once('\n')?;
    let is_file = body.trim_start().starts_with('#');
    last.strip_prefix("ARGUMENTS:").filter(|_| is_file).map(str::trim)
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
