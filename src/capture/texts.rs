//! Removes tags, private words and secrets from each kind of text, and truncates it to its limit.
//! Finally shortens the texts of an event until it fits into one message.

use std::borrow::Cow;

use memctl_proto::{Event, MAX_BODY};
use serde_json::value::RawValue;

use super::payload::{members, text_of};
use super::{PrivateWords, json, redact, tags, truncate_json};
use crate::clients;
use crate::config::{Limits, Redact};
use crate::text::{MAX_SHIFT, truncate_middle};

/// Bytes reserved for the rest of an event's JSON: ids, paths and project keys. Each has its own limit.
const RESERVED: usize = 128 << 10;

/// Maximum length of a client's short words, such as an agent type.
const MAX_WORD: usize = 200;

/// Redacts texts and truncates them to the limits of the settings.
pub struct Texts<'a> {
    pub limits: Limits,
    pub private: &'a PrivateWords,
    /// The user's own rules for secrets.
    pub redact: &'a Redact,
}

impl Texts<'_> {
    /// Returns the recorded text of a prompt, and whether all of it was private.
    pub fn prompt(&self, prompt: &str) -> (Option<String>, bool) {
        let typed = clients::slash_command(prompt);
        let stripped = tags::strip(typed.as_deref().unwrap_or(prompt));
        if stripped.wholly_private() {
            return (None, true);
        }
        (Some(self.redact_and_truncate(stripped.text.trim(), self.limits.text)), false)
    }

    /// Returns the recorded text of a message, or `None` if nothing is left.
    pub fn text(&self, message: &str) -> Option<String> {
        self.plain_text(message, self.limits.text)
    }

    /// Returns a short word of the client, such as a reason.
    pub fn word(&self, word: &str) -> Option<String> {
        self.plain_text(word.trim(), MAX_WORD)
    }

    pub fn details(&self, details: &RawValue) -> Option<String> {
        self.text_or_json(details, self.limits.text)
    }

    pub fn input(&self, input: &RawValue) -> Option<String> {
        self.text_or_json(input, self.limits.input)
    }

    pub fn response(&self, response: &RawValue) -> Option<String> {
        self.text_or_json(response, self.limits.response)
    }

    /// Returns the recorded response without the members that are copies of whole files or lists.
    pub fn response_without(
        &self,
        members: &[(Cow<str>, &RawValue)],
        response: &RawValue,
    ) -> Option<String> {
        if !members.iter().any(|(key, _)| clients::COPIES.contains(&&**key)) {
            return self.response(response);
        }
        let kept = members.iter().filter(|(key, _)| !clients::COPIES.contains(&&**key));
        Some(self.json_text(&object(kept), self.limits.response))
    }

    /// Returns the recorded JSON of a note's own fields.
    pub fn note_json(&self, raw: &str) -> String {
        self.json_text(raw, self.limits.text)
    }

    /// Returns only the paths of an input.
    pub fn only_paths(&self, input: &RawValue) -> Option<String> {
        let members = members(input);
        let paths = members.iter().filter(|(key, _)| clients::is_path_argument(key));
        Some(self.json_text(&object(paths), self.limits.input))
    }

    /// Returns the text of a JSON string, or the JSON of another value.
    fn text_or_json(&self, raw: &RawValue, limit: usize) -> Option<String> {
        match raw.get() {
            json if json.starts_with('"') => self.plain_text(&text_of(raw)?, limit),
            "null" => None,
            json => Some(self.json_text(json, limit)),
        }
    }

    fn plain_text(&self, text: &str, limit: usize) -> Option<String> {
        let stripped = tags::strip(text);
        (!stripped.text.trim().is_empty()).then(|| self.redact_and_truncate(&stripped.text, limit))
    }

    /// Removes private words and secrets from a text without tags, and truncates it.
    fn redact_and_truncate(&self, text: &str, limit: usize) -> String {
        let shorter = truncate_middle(text, limit.saturating_add(2 * MAX_SHIFT));
        let text = shorter.as_deref().unwrap_or(text);
        let public = self.private.redact(text);
        let text = public.as_deref().unwrap_or(text);
        let redacted = redact::redact_and_tell(text, self.redact, &self.remember());
        let redacted = self.private.secrets.redact(&redacted).map_or(redacted, Cow::Owned);
        let kept = truncate_middle(&redacted, limit).unwrap_or_else(|| redacted.into_owned());
        // A NUL ends the text in C programs that read it later.
        if kept.contains('\0') { kept.replace('\0', "\u{fffd}") } else { kept }
    }

    /// Remembers a secret, because it may come back without its name.
    fn remember(&self) -> impl Fn(&str, &str) {
        |secret, kind| self.private.secrets.add(secret, kind)
    }

    fn json_text(&self, raw: &str, limit: usize) -> String {
        let mut text = Cow::Borrowed(raw);
        let longest = limit.saturating_add(2 * MAX_SHIFT);
        let steps: [Step; 7] = [
            &truncate_json::replace_base64,
            &tags::strip_json,
            &|text| truncate_json::drop_middles(text, longest),
            &|text| self.private.redact_json(text),
            &|text| redact::redact_json(text, self.redact, &self.remember()),
            &|text| self.private.secrets.redact_json(text),
            &|text| truncate_json::fit(text, limit),
        ];
        for step in steps {
            if let Some(changed) = step(&text) {
                text = changed.into();
            }
        }
        text.into_owned()
    }
}

fn object<'a>(members: impl Iterator<Item = &'a (Cow<'a, str>, &'a RawValue)>) -> String {
    let member =
        |(key, value): &(Cow<str>, &RawValue)| format!("\"{}\":{}", json::escape(key), value.get());
    format!("{{{}}}", members.map(member).collect::<Vec<_>>().join(","))
}

/// A change of a JSON text. Returns `None` if there is nothing to change.
type Step<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Halves the longest text until the event's JSON has fewer than [`MAX_BODY`] bytes. The limits in the
/// settings may be larger, and escapes make the JSON longer than the texts.
pub fn fit(mut event: Event) -> Event {
    let room = MAX_BODY - RESERVED;
    loop {
        let tool = event.tool.as_mut();
        let (input, response) =
            tool.map_or((None, None), |t| (Some(&mut t.input), Some(&mut t.response)));
        let mut texts: Vec<&mut String> =
            [Some(&mut event.text), input, response].into_iter().flatten().flatten().collect();
        // An escape turns one byte into at most six.
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
