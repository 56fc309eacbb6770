//! Starts the user's editor.

use std::ffi::OsString;
use std::io::{IsTerminal, stdin, stdout};
use std::path::Path;
use std::process::Command;

use crate::config::process_env;

/// # Errors
/// If no editor is named and vi would have no terminal.
pub fn check() -> Result<(), String> {
    match named().is_none() && !(stdin().is_terminal() && stdout().is_terminal()) {
        true => Err("there is no terminal for an editor, and none is named".into()),
        false => Ok(()),
    }
}

/// The editor in the environment.
fn named() -> Option<OsString> {
    let mut set = ["VISUAL", "EDITOR"].into_iter().filter_map(process_env);
    set.find(|editor| !editor.is_empty())
}

/// Opens a file in `VISUAL`, `EDITOR` or vi and waits. The variable may contain arguments.
///
/// # Errors
/// If the editor cannot be started or reports a failure.
pub fn open(file: &Path) -> Result<(), String> {
    let editor = named().unwrap_or("vi".into());
    let name = editor.to_string_lossy().into_owned();
    let mut script = editor;
    script.push(" \"$@\"");
    let status = Command::new("/bin/sh").arg("-c").arg(script).arg(&name).arg(file).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the editor '{name}' failed: {status}")),
        Err(e) => Err(format!("cannot start the editor '{name}': {e}")),
    }
}
