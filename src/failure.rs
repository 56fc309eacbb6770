//! What goes wrong at the terminal: a sentence, its cause, what to do about it, an exit code.

use std::fmt::Display;

/// A command failed. Printed by `main` alone.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    hints: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The command could not do what was asked.
    Failed,
    /// What was asked makes no sense.
    Usage,
    /// Whoever read our output has gone.
    BrokenPipe,
}

pub type Result<T> = std::result::Result<T, Failure>;

/// The command could not do its work: exit code 1.
pub fn failed(message: impl Display) -> Failure {
    Failure { kind: Kind::Failed, message: message.to_string(), hints: Vec::new() }
}

/// The words of the command do not make sense here: exit code 2.
pub fn usage(message: impl Display) -> Failure {
    Failure { kind: Kind::Usage, message: message.to_string(), hints: Vec::new() }
}

/// The reader of our output has gone: not worth a word.
pub fn broken_pipe() -> Failure {
    Failure { kind: Kind::BrokenPipe, message: "broken pipe".into(), hints: Vec::new() }
}

impl Failure {
    pub fn is_broken_pipe(&self) -> bool {
        self.kind == Kind::BrokenPipe
    }

    /// What the reader can do about it.
    pub fn hint(mut self, hint: impl Display) -> Failure {
        self.hints.push(hint.to_string());
        self
    }

    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Failed => 1,
            Kind::BrokenPipe => 0,
            Kind::Usage => 2,
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "memctl: {}", self.message)?;
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// Says what was being done when an error came.
pub trait Context<T> {
    fn context(self, doing: impl Display) -> Result<T>;
}

impl<T, E: Display> Context<T> for std::result::Result<T, E> {
    fn context(self, doing: impl Display) -> Result<T> {
        self.map_err(|e| failed(format!("{doing}: {e}")))
    }
}
