//! What is recorded of a tool use: its input and response, without what is withheld of secret and
//! private files.

use std::borrow::Cow;

use memctl_proto::event::Tool;
use serde_json::value::RawValue;

use super::key_lines::{self, Share};
use super::payload::members;
use super::texts::Texts;
use super::withhold::{self, Withheld};
use super::{
    CaptureContext, CaptureError, MAX_ID, Payload, bounded_id, private_files, redact, secret_files,
    tags, truncating_writer,
};
use crate::clients::{self, ToolKind, ToolUse};
use crate::text::truncate_middle;

/// Why nothing is recorded of an event.
pub enum Unrecorded {
    /// Nothing of its kind is.
    Ignored(&'static str),
    Invalid(CaptureError),
}

impl From<CaptureError> for Unrecorded {
    fn from(error: CaptureError) -> Unrecorded {
        Unrecorded::Invalid(error)
    }
}

/// Returns what is recorded of a tool use.
pub fn used_tool(
    payload: &Payload,
    context: &CaptureContext,
    texts: &Texts,
) -> Result<Tool, Unrecorded> {
    let (mut tool, used, withheld) = named_tool(payload, context)?;
    let input = payload.tool_input;
    if changes_private_file(payload, &used, context) {
        tool.input = input.and_then(|i| texts.only_paths(i));
        return Ok(tool);
    }
    let (input, response) = withheld_parts(withheld, input, payload.tool_response);
    let (input, response) = (input.as_deref(), response.as_deref());
    tool.input = input.and_then(|i| texts.input(i));
    tool.response = match response {
        None => None,
        Some(response) if used.kind == ToolKind::Subagent && !in_background(response) => None,
        Some(response) if used.edits() => {
            let members = members(response);
            let is_copy = |key: &str| clients::COPIES.contains(&key);
            if members.iter().any(|(key, copy)| is_copy(key) && has_private(copy)) {
                // The changed lines do not show which of them are private.
                tool.input = input.and_then(|i| texts.only_paths(i));
                None
            } else {
                texts.response_without(&members, response)
            }
        }
        Some(response) if used.kind == ToolKind::Tasks => {
            texts.response_without(&members(response), response)
        }
        Some(response) => recorded_response(&used, withheld, response, texts),
    };
    Ok(tool)
}

/// Returns what is recorded of a tool use that failed.
pub fn failed_tool(
    payload: &Payload,
    context: &CaptureContext,
    texts: &Texts,
) -> Result<Tool, Unrecorded> {
    let (mut tool, used, withheld) = named_tool(payload, context)?;
    if changes_private_file(payload, &used, context) {
        tool.input = payload.tool_input.and_then(|i| texts.only_paths(i));
        return Ok(tool);
    }
    let response = payload.error.or(payload.tool_response);
    let (input, response) = withheld_parts(withheld, payload.tool_input, response);
    tool.input = input.and_then(|i| texts.input(&i));
    tool.response = response.and_then(|r| recorded_response(&used, withheld, &r, texts));
    Ok(tool)
}

/// Adds the private parts of the tool's files to the private words. Returns whether the tool changes
/// such a file: the changed lines do not show which of them are private.
fn changes_private_file(payload: &Payload, used: &ToolUse, context: &CaptureContext) -> bool {
    let has_private = private_files::add_private_parts(payload, used, context);
    let changes = has_private && matches!(used.kind, ToolKind::Edit | ToolKind::Patch);
    if changes {
        context.private.keep_files();
    }
    changes
}

/// Returns the input and the response without what is withheld of a secret file.
fn withheld_parts<'a>(
    withheld: Withheld,
    input: Option<&'a RawValue>,
    response: Option<&'a RawValue>,
) -> (Option<Cow<'a, RawValue>>, Option<Cow<'a, RawValue>>) {
    let redacted = |raw: Option<&'a RawValue>, share| {
        let raw = raw?;
        let replaced =
            key_lines::redact(raw.get(), share).and_then(|json| RawValue::from_string(json).ok());
        Some(replaced.map_or(Cow::Borrowed(raw), Cow::Owned))
    };
    let input_as_it_is = input.map(Cow::Borrowed);
    match withheld {
        Withheld::Nothing => (input_as_it_is, response.map(Cow::Borrowed)),
        Withheld::Output(share) => (input_as_it_is, redacted(response, share)),
        Withheld::Values => (redacted(input, Share::All), redacted(response, Share::All)),
        Withheld::Response | Withheld::All => (input_as_it_is, None),
    }
}

/// Returns the recorded part of a response. Rows that come from secret files are removed, unless the
/// response is the text of one file. Returns `None` if an object in the response names a secret file.
fn recorded_response(
    used: &ToolUse,
    withheld: Withheld,
    response: &RawValue,
    texts: &Texts,
) -> Option<String> {
    if withheld == Withheld::Values || !secret_files::may_name_secret_file(response.get()) {
        return texts.response(response);
    }
    if withhold::names_secret_object(response.get()) {
        return None;
    }
    let has_rows = used.kind != ToolKind::Read;
    match has_rows.then(|| withhold::without_secret_rows(response.get())).flatten() {
        Some(rest) => texts.response(&RawValue::from_string(rest).ok()?),
        None => texts.response(response),
    }
}

/// Returns the tool without its input and response, its parsed use, and what to withhold.
pub fn named_tool(
    payload: &Payload,
    context: &CaptureContext,
) -> Result<(Tool, ToolUse, Withheld), Unrecorded> {
    let name = payload.tool_name.as_deref().filter(|n| !n.is_empty());
    let name = name.ok_or(CaptureError::NoTool)?;
    let used = ToolUse::new(context.client, name, payload.tool_input.map(RawValue::get));
    if used.kind == ToolKind::Skipped {
        return Err(Unrecorded::Ignored("a tool that is not recorded"));
    }
    let withheld =
        withhold::withheld(&used, payload.tool_input.map(RawValue::get), payload.cwd.as_deref());
    if withheld == Withheld::All {
        return Err(Unrecorded::Ignored("the tool use names a file with secrets"));
    }
    let name = redact::redact(name, context.redact);
    let name = truncate_middle(&name, MAX_ID).unwrap_or_else(|| name.into_owned());
    let use_id = bounded_id(payload.tool_use_id.as_deref());
    Ok((Tool { name, use_id, ..Tool::default() }, used, withheld))
}

/// Whether this response only reports that a subagent was started in the background.
fn in_background(response: &RawValue) -> bool {
    members(response).iter().any(|(key, value)| match &**key {
        "isAsync" => value.get() == "true",
        "status" => value.get() == "\"async_launched\"",
        _ => false,
    })
}

fn has_private(json: &RawValue) -> bool {
    truncating_writer::is_private_note(json.get()) || tags::has_private_json(json.get())
}
