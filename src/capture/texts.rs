//! Redacts and truncates each kind of text: tags, then secrets, then the limit. Then the whole event
//! is made to fit into one message.

use std::borrow::Cow;

use memctl_proto::{Event, MAX_BODY};
use serde_json::value::RawValue;

use super::payload::{members, text_of};
use super::{json, secrets, tags, truncate_json};
use crate::clients;
use crate::config::Limits;
use crate::text::{MAX_SHIFT, truncate_middle};

/// Space for the rest of an event's JSON besides its three texts: ids, paths, keys of the project,
/// each with its own limit.
const BESIDES: usize = 128 << 10;

/// Maximum length of a client's short words, such as an agent type.
const MAX_WORD: usize = 200;

/// Redacts texts within the limits of the settings.
pub struct Texts {
    pub limits: Limits,
}

impl Texts {
    /// The recorded text of a prompt, and whether all of it was private.
    pub fn prompt(&self, prompt: &str) -> (Option<String>, bool) {
        let typed = tags::slash_command(prompt);
        let stripped = tags::strip(typed.as_deref().unwrap_or(prompt));
        if stripped.wholly_private() {
            return (None, true);
        }
        (Some(keep(stripped.text.trim(), self.limits.text)), false)
    }

    /// The recorded text of a message. `None` if nothing is left.
    pub fn text(&self, message: &str) -> Option<String> {
        plain(message, self.limits.text)
    }

    /// A short word of the client.
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

    /// A response without members that are copies of whole files.
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

    /// Only the paths of an input.
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

/// The text of a JSON string, or the JSON of another value.
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

/// Removes secrets from a text without tags, and truncates it.
fn keep(text: &str, limit: usize) -> String {
    let shorter = truncate_middle(text, limit.saturating_add(2 * MAX_SHIFT));
    let redacted = secrets::redact(shorter.as_deref().unwrap_or(text));
    let kept = truncate_middle(&redacted, limit).unwrap_or_else(|| redacted.into_owned());
    // A NUL ends the text in C programs that read it later.
    if kept.contains('\0') { kept.replace('\0', "\u{fffd}") } else { kept }
}

/// Returns `None` if nothing changes.
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

/// Halves the longest text until the event's JSON has less than [`MAX_BODY`] bytes, whatever the
/// settings are and however many bytes need an escape.
pub fn fit(mut event: Event) -> Event {
    let room = MAX_BODY - BESIDES;
    loop {
        let tool = event.tool.as_mut();
        let (input, response) =
            tool.map_or((None, None), |t| (Some(&mut t.input), Some(&mut t.response)));
        let mut texts: Vec<&mut String> =
            [Some(&mut event.text), input, response].into_iter().flatten().flatten().collect();
        // An escape makes at most six bytes of one.
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
