//! Reads the environment of this process.

use std::ffi::{CStr, OsString, c_char};
use std::os::unix::ffi::OsStringExt;
use std::ptr::NonNull;
use std::sync::OnceLock;

/// Prefix of memctl's own variables.
const PREFIX: &str = "MEMCTL_";

/// Looks up a variable. `MEMCTL_*` variables are collected once, because each setting looks one up.
/// Searching a large environment for each would take a considerable part of a hook's time.
#[expect(clippy::disallowed_methods, reason = "the only place that reads the environment")]
pub fn process_env(name: &str) -> Option<OsString> {
    static OURS: OnceLock<Vec<(OsString, OsString)>> = OnceLock::new();
    if !name.starts_with(PREFIX) {
        return std::env::var_os(name);
    }
    let ours = OURS.get_or_init(|| variables(PREFIX));
    ours.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
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
