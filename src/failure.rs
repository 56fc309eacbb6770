//! Errors of the command line: a message, hints and an exit code.

use std::fmt::Display;

/// Why a command failed. Only `ctl::exit` prints it.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    hints: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The command failed.
    Failed,
    /// The arguments are invalid.
    Usage,
    /// The reader of stdout is gone.
    BrokenPipe,
    /// A search found nothing.
    NoMatch,
}

pub type Result<T> = std::result::Result<T, Failure>;

/// The command failed: exit code 1.
pub fn failed(message: impl Display) -> Failure {
    Failure { kind: Kind::Failed, message: message.to_string(), hints: Vec::new() }
}

/// The arguments are invalid: exit code 2.
pub fn usage(message: impl Display) -> Failure {
    Failure { kind: Kind::Usage, message: message.to_string(), hints: Vec::new() }
}

/// The reader of stdout is gone. Nothing is printed and the exit code is 0.
pub fn broken_pipe() -> Failure {
    Failure { kind: Kind::BrokenPipe, message: "broken pipe".into(), hints: Vec::new() }
}

/// A search found nothing. Nothing is printed and the exit code is 1, as that of grep.
pub fn no_match() -> Failure {
    Failure { kind: Kind::NoMatch, message: "no match".into(), hints: Vec::new() }
}

impl Failure {
    /// Whether the exit code says everything.
    pub fn is_silent(&self) -> bool {
        matches!(self.kind, Kind::BrokenPipe | Kind::NoMatch)
    }

    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Adds a hint: what the user can do about the failure.
    pub fn hint(mut self, hint: impl Display) -> Failure {
        self.hints.push(hint.to_string());
        self
    }

    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Failed | Kind::NoMatch => 1,
            Kind::BrokenPipe => 0,
            Kind::Usage => 2,
        }
    }
}

/// The message without its hints.
impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// Prefixes an error with what failed: `cannot open /x: permission denied`.
pub trait Context<T> {
    fn context(self, what: impl Display) -> Result<T>;
}

impl<T, E: Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl Display) -> Result<T> {
        self.map_err(|e| failed(format!("{what}: {e}")))
    }
}
