//! Checks whether sessions of the current directory are recorded, and with their text.

use std::path::Path;

use super::Finding;
use crate::config::{OffSwitch, Settings, Value, ValueSource, env_name};
use crate::ctl::client_hooks;
use crate::failure::{Result, failed};
use crate::project::recording::{NotRecorded, not_recorded};

/// Settings that discard all or most of the text if they are 0, and what is then missing.
const TEXT_SETTINGS: [(&str, &str); 5] = [
    ("spool.max", "events that wait for a worker are stored without their texts"),
    ("capture.input", "tool inputs are not stored"),
    ("capture.response", "tool responses are not stored"),
    ("capture.text", "prompts and messages are not stored"),
    ("hook.stdin", "hooks do not wait for their events"),
];

/// Fails if nothing is recorded at all, before a command creates anything.
pub fn refuse_if_off(settings: &Settings) -> Result<()> {
    match not_recorded(&[], &settings.config.recording) {
        Some(why) if why.is_global() => Err(failed(&why).hint(why.fix())),
        _ => Ok(()),
    }
}

/// Whether sessions in this directory are recorded.
pub fn findings(settings: &Settings, dir: Option<&Path>) -> Vec<Finding> {
    let mut found = Vec::new();
    match not_recorded(dir.as_slice(), &settings.config.recording) {
        // The check of the data dir has reported it.
        Some(NotRecorded::Fault(why)) if settings.paths.refusal() == Some(&why) => return found,
        Some(why) => {
            let finding = match &why {
                NotRecorded::Fault(fault) => Finding::wrong("recording", fault),
                _ => Finding::note("recording", why.to_string()),
            };
            found.push(finding.fix(why.fix()).stops_recording());
        }
        None => {}
    }
    found.extend(omissions(settings, dir));
    if found.is_empty() {
        let message = "no rule excludes this directory, and nothing is paused";
        found.push(Finding::ok("recording", message));
    }
    found
}

/// What the settings and the client's environment leave out.
fn omissions(settings: &Settings, dir: Option<&Path>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, effect) in TEXT_SETTINGS {
        let value = settings.config.values.iter().find(|value| value.key.name == name);
        if let Some(value) = value.filter(|value| is_zero(&value.text)) {
            let finding = Finding::note("recording", format!("{name} is {}: {effect}", value.text));
            found.push(finding.fix(undo(value)));
        }
    }
    for variable in client_hooks::variables(settings, dir) {
        let is_switch = [OffSwitch::Disable, OffSwitch::Internal]
            .iter()
            .any(|switch| switch.variable() == variable.name && switch.is_set_by(&variable.value));
        let setting = TEXT_SETTINGS.iter().find(|(name, _)| env_name(name) == variable.name);
        let effect = match setting {
            _ if is_switch => "sessions of Claude Code are not recorded",
            Some((_, effect)) if is_zero(&variable.value) => effect,
            _ => continue,
        };
        let file = variable.file.display();
        let message = format!("{file} sets {}={}: {effect}", variable.name, variable.value);
        let fix = format!("remove {} from env in this file", variable.name);
        let finding = Finding::note("recording", message).fix(fix);
        found.push(if is_switch { finding.stops_recording() } else { finding });
    }
    found
}

/// Whether a count, a size or a time is 0.
fn is_zero(text: &str) -> bool {
    let digits = text.trim().trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    !digits.is_empty() && digits.bytes().all(|digit| digit == b'0')
}

fn undo(value: &Value) -> String {
    match value.source {
        ValueSource::Environment => format!("unset {}", env_name(value.key.name)),
        ValueSource::File | ValueSource::Default => {
            format!("run `memctl config unset {}`", value.key.name)
        }
    }
}
