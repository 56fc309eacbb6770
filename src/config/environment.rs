//! Reads the environment of this process.

use std::ffi::{CStr, OsString, c_char};
use std::os::unix::ffi::OsStringExt;
use std::ptr::NonNull;
use std::sync::OnceLock;

use super::Env;
use super::keys::{KEYS, env_name};
use crate::text::{nearest, nearest_within, quote};

/// Prefix of memctl's own variables.
const PREFIX: &str = "MEMCTL_";

/// A variable whose name has at most this many edits is taken for a misspelled one.
const MAX_EDITS: usize = 2;

/// Looks up a variable. `MEMCTL_*` variables are collected once, because each setting looks one up.
/// Searching a large environment for each would take a considerable part of a hook's time.
#[expect(clippy::disallowed_methods, reason = "the only place that reads the environment")]
pub fn process_env(name: &str) -> Option<OsString> {
    if !name.starts_with(PREFIX) {
        return std::env::var_os(name);
    }
    own_variables().iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

fn own_variables() -> &'static [(OsString, OsString)] {
    static OURS: OnceLock<Vec<(OsString, OsString)>> = OnceLock::new();
    OURS.get_or_init(|| variables(PREFIX))
}

/// One sentence for each variable that no setting reads although its name resembles one that is read.
pub fn misspelled_variables() -> Vec<String> {
    let settings = KEYS.iter().map(|key| env_name(key.name));
    let others = ["MEMCTL_DATA_DIR", "MEMCTL_SOCKET_DIR", "MEMCTL_CONFIG", "MEMCTL_DISABLE"];
    let known: Vec<String> = settings.chain(others.map(str::to_owned)).collect();
    let sections = KEYS.iter().filter_map(|key| key.name.split_once('.'));
    let sections: Vec<String> = sections.map(|(name, _)| env_name(name) + "_").collect();
    let sentence = |(name, _): &(OsString, OsString)| {
        let name = name.to_str()?;
        if known.iter().any(|known| known == name) {
            return None;
        }
        let all = || known.iter().map(String::as_str);
        let close = nearest_within(name, all(), MAX_EDITS);
        let in_section = sections.iter().any(|section| name.starts_with(section.as_str()));
        let meant = close.or_else(|| nearest(name, all()).filter(|_| in_section));
        let name = quote(name);
        match meant {
            Some(meant) => Some(format!("{name} has no effect, did you mean {meant}?")),
            None => in_section.then(|| format!("{name} has no effect: there is no such setting")),
        }
    };
    own_variables().iter().filter_map(sentence).collect()
}

/// A variable that switches recording off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffSwitch {
    /// `MEMCTL_DISABLE`, set by the user.
    Disable,
    /// `MEMCTL_INTERNAL`, set by a worker for its memory agent, so that it does not record itself.
    Internal,
}

impl OffSwitch {
    /// The switch that the environment has set.
    pub fn find(env: Env) -> Option<OffSwitch> {
        let text = |switch: OffSwitch| env(switch.variable()).unwrap_or_default();
        [OffSwitch::Internal, OffSwitch::Disable]
            .into_iter()
            .find(|switch| switch.is_set_by(&text(*switch).to_string_lossy()))
    }

    pub fn variable(self) -> &'static str {
        match self {
            OffSwitch::Disable => "MEMCTL_DISABLE",
            OffSwitch::Internal => "MEMCTL_INTERNAL",
        }
    }

    /// Whether this value of the variable switches recording off. `MEMCTL_DISABLE=yes` does too, because
    /// a switch that a spelling defeats cannot be trusted.
    pub fn is_set_by(self, value: &str) -> bool {
        let value = value.trim();
        match self {
            OffSwitch::Internal => value == "1",
            OffSwitch::Disable => {
                !["", "0", "false", "no", "off"].iter().any(|no| value.eq_ignore_ascii_case(no))
            }
        }
    }
}

/// The variables whose names start with `prefix`. Reads `environ` in place instead of copying it;
/// this program never changes its environment.
fn variables(prefix: &str) -> Vec<(OsString, OsString)> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    let mut found = Vec::new();
    // SAFETY: `environ` is a null-terminated array of C strings.
    let mut next = unsafe { environ };
    while !next.is_null() {
        // SAFETY: as above.
        let Some(text) = NonNull::new(unsafe { *next }.cast_mut()) else { break };
        // SAFETY: as above.
        let text = unsafe { CStr::from_ptr(text.as_ptr()) }.to_bytes();
        if text.starts_with(prefix.as_bytes())
            && let Some(equals) = text.iter().position(|b| *b == b'=')
        {
            let part = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            found.push((part(&text[..equals]), part(&text[equals + 1..])));
        }
        next = next.wrapping_add(1);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_affirmative_value_disables_recording() {
        for (value, want) in [
            ("1", true),
            ("true", true),
            ("YES", true),
            ("x", true),
            ("0", false),
            ("", false),
            ("Off", false),
            ("false", false),
        ] {
            assert_eq!(OffSwitch::Disable.is_set_by(value), want, "{value:?}");
        }
        let env = |name: &str| (name == "MEMCTL_INTERNAL").then(|| "1".into());
        assert_eq!(OffSwitch::find(&env), Some(OffSwitch::Internal));
        assert_eq!(OffSwitch::find(&|_| None), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "compares the result with the whole environment")]
    fn variables_are_found_by_prefix() {
        let all: Vec<_> = std::env::vars_os().collect();
        assert_eq!(variables(""), all);
        let some: Vec<_> = all
            .into_iter()
            .filter(|(name, _)| name.as_encoded_bytes().starts_with(b"CARGO_"))
            .collect();
        assert!(!some.is_empty());
        assert_eq!(variables("CARGO_"), some);
        assert_eq!(variables("NO SUCH PREFIX"), []);
    }
}
