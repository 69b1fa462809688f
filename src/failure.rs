//! How a command ends when it does not succeed: what is wrong, what to do, and the exit code of the contract.

use std::process::ExitCode;

/// Exit codes (docs/cli.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The program is wrong, or the command failed before anything changed.
    Failed = 1,
    /// Bad usage; no terminal and no `--yes`.
    Usage = 2,
    /// There is a difference, and the command was asked to say so by its exit code.
    Different = 3,
    /// An apply failed and was unwound: the old generation serves, whole.
    Unwound = 4,
    /// Interrupted or stuck: needs `imm recover`.
    Open = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed, in words.
#[derive(Debug)]
pub struct Failure {
    /// What is wrong. Empty when it was said already, as diagnostics.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// How the process ends.
    pub exit: Exit,
}

impl Failure {
    /// A failure that changed nothing.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, exit: Exit::Failed }
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, ..Self::new(message) }
    }

    /// What is wrong was printed already.
    pub fn said(exit: Exit) -> Self {
        Self { message: String::new(), help: None, exit }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// The result of a command.
pub type Outcome = Result<Exit, Failure>;
