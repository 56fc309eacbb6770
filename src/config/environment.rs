//! The process's own environment, read here and nowhere else.

use std::ffi::{CStr, OsString, c_char};
use std::os::unix::ffi::OsStringExt;
use std::ptr::NonNull;
use std::sync::OnceLock;

/// How the names of our own variables begin.
const OURS_BEGIN: &str = "MEMCTL_";

/// The process's own environment. Variables of ours are picked out once: each setting asks for
/// one, and to look through all of a client's environment for each is a good part of a hook's work.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
pub fn process_env(name: &str) -> Option<OsString> {
    static OURS: OnceLock<Vec<(OsString, OsString)>> = OnceLock::new();
    if !name.starts_with(OURS_BEGIN) {
        return std::env::var_os(name);
    }
    let ours = OURS.get_or_init(|| variables(OURS_BEGIN));
    ours.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

/// The variables of the environment whose names begin so. Nothing in this program changes the
/// environment, so it can be looked through as it lies there, without a copy of all of it.
fn variables(begin: &str) -> Vec<(OsString, OsString)> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    let mut found = Vec::new();
    // SAFETY: the C library's list of strings, which ends with a null pointer.
    let mut next = unsafe { environ };
    while !next.is_null() {
        // SAFETY: as above.
        let Some(text) = NonNull::new(unsafe { *next }.cast_mut()) else { break };
        // SAFETY: as above.
        let text = unsafe { CStr::from_ptr(text.as_ptr()) }.to_bytes();
        if text.starts_with(begin.as_bytes())
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
    #[expect(clippy::disallowed_methods, reason = "what is found is compared with all there are")]
    fn variables_are_found_by_how_they_begin() {
        let all: Vec<_> = std::env::vars_os().collect();
        assert_eq!(variables(""), all);
        let some: Vec<_> = all
            .into_iter()
            .filter(|(name, _)| name.as_encoded_bytes().starts_with(b"CARGO_"))
            .collect();
        assert!(!some.is_empty());
        assert_eq!(variables("CARGO_"), some);
        assert_eq!(variables("nothing is called so"), []);
    }
}
