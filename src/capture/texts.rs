//! From what a client sent to what is kept of it, for each kind of text: tags, then secrets,
//! then the cut. And the last look at the whole event: it fits into one message.

use std::borrow::Cow;

use memctl_proto::{Event, MAX_BODY};
use serde_json::value::RawValue;

use super::payload::{members, text_of};
use super::{json, secrets, tags, truncate_json};
use crate::clients;
use crate::config::Limits;
use crate::text::{MAX_SHIFT, truncate_middle};

/// What an event's JSON has besides its three texts: ids, paths, keys of the project, each with
/// a limit of its own.
const BESIDES: usize = 128 << 10;

/// Longer words of the client's are cut.
const MAX_WORD: usize = 200;

/// The three limits, and what is done under them.
pub struct Texts {
    pub limits: Limits,
}

impl Texts {
    /// What is left of a prompt, and whether nothing is because all of it was private.
    pub fn prompt(&self, prompt: &str) -> (Option<String>, bool) {
        let typed = tags::slash_command(prompt);
        let stripped = tags::strip(typed.as_deref().unwrap_or(prompt));
        if stripped.wholly_private() {
            return (None, true);
        }
        (Some(keep(stripped.text.trim(), self.limits.text)), false)
    }

    /// What is left of a message; none when that is nothing.
    pub fn text(&self, message: &str) -> Option<String> {
        plain(message, self.limits.text)
    }

    /// The client's own word for something.
    pub fn word(&self, word: &str) -> Option<String> {
        plain(word.trim(), MAX_WORD)
    }

    pub fn details(&self, details: &RawValue) -> Option<String> {
        value(details, self.limits.text)
    }

    pub fn input(&self, input: &RawValue) -> Option<String> {
        value(input, self.limits.input)
    }

    pub fn response(&self, response: &RawValue) -> Option<String> {
        value(response, self.limits.response)
    }

    /// A response without the copies of whole files among its members.
    pub fn response_without(
        &self,
        members: &[(Cow<str>, &RawValue)],
        response: &RawValue,
    ) -> Option<String> {
        if !members.iter().any(|(key, _)| clients::FILE_COPIES.contains(&&**key)) {
            return self.response(response);
        }
        let kept = members.iter().filter(|(key, _)| !clients::FILE_COPIES.contains(&&**key));
        Some(structured(&object(kept), self.limits.response))
    }

    /// Of an input only the names of files.
    pub fn only_paths(&self, input: &RawValue) -> Option<String> {
        let members = members(input);
        let paths = members.iter().filter(|(key, _)| clients::is_path_argument(key));
        Some(structured(&object(paths), self.limits.input))
    }
}

fn object<'a>(members: impl Iterator<Item = &'a (Cow<'a, str>, &'a RawValue)>) -> String {
    let member =
        |(key, value): &(Cow<str>, &RawValue)| format!("\"{}\":{}", json::escape(key), value.get());
    format!("{{{}}}", members.map(member).collect::<Vec<_>>().join(","))
}

/// Of a JSON string its text, of anything else its JSON.
fn value(raw: &RawValue, limit: usize) -> Option<String> {
    match raw.get() {
        json if json.starts_with('"') => plain(&text_of(raw)?, limit),
        "null" => None,
        json => Some(structured(json, limit)),
    }
}

fn plain(text: &str, limit: usize) -> Option<String> {
    let stripped = tags::strip(text);
    (!stripped.text.trim().is_empty()).then(|| keep(&stripped.text, limit))
}

/// Secrets and the cut, of a text without tags.
fn keep(text: &str, limit: usize) -> String {
    let shorter = truncate_middle(text, limit.saturating_add(2 * MAX_SHIFT));
    let redacted = secrets::redact(shorter.as_deref().unwrap_or(text));
    let kept = truncate_middle(&redacted, limit).unwrap_or_else(|| redacted.into_owned());
    // Ends every text for the programs that read it later.
    if kept.contains('\0') { kept.replace('\0', "\u{fffd}") } else { kept }
}

/// Nothing when there is nothing to change.
type Step<'a> = &'a dyn Fn(&str) -> Option<String>;

fn structured(raw: &str, limit: usize) -> String {
    let mut text = Cow::Borrowed(raw);
    let longest = limit.saturating_add(2 * MAX_SHIFT);
    let steps: [Step; 5] = [
        &truncate_json::replace_base64,
        &tags::strip_json,
        &|text| truncate_json::cut_long_strings(text, longest),
        &secrets::redact_json,
        &|text| truncate_json::fit(text, limit),
    ];
    for step in steps {
        if let Some(changed) = step(&text) {
            text = changed.into();
        }
    }
    text.into_owned()
}

/// The event, its texts cut further until its JSON has less than [`MAX_BODY`] bytes, whatever
/// limits were set and however many of its bytes need an escape.
pub fn fit(mut event: Event) -> Event {
    let room = MAX_BODY - BESIDES;
    loop {
        let tool = event.tool.as_mut();
        let (input, response) =
            tool.map_or((None, None), |t| (Some(&mut t.input), Some(&mut t.response)));
        let mut texts: Vec<&mut String> =
            [Some(&mut event.text), input, response].into_iter().flatten().flatten().collect();
        // A byte becomes at most six.
        if texts.iter().map(|t| t.len() * 6).sum::<usize>() <= room
            || texts.iter().map(|t| json::escaped_len(t)).sum::<usize>() <= room
        {
            return event;
        }
        let longest = texts.iter_mut().max_by_key(|t| json::escaped_len(t)).expect("not empty");
        let half = longest.len() / 2;
        let shorter = match longest.starts_with(['{', '[']) {
            true => truncate_json::fit(longest, half),
            false => truncate_middle(longest, half),
        };
        **longest = shorter.unwrap_or_default();
    }
}
