//! Questions at the terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::failure::{Context, Result};

/// Whether a user can read a question and answer it.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on stderr. `false` unless the user answers with yes.
pub fn confirm(question: &str) -> Result<bool> {
    let mut err = anstream::stderr().lock();
    write!(err, "{question} [y/N] ")
        .and_then(|()| err.flush())
        .context("cannot write to stderr")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read stdin")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
