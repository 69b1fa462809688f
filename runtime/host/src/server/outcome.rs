//! How the one run of a job ended. A fact for ever: once it is on disk the job never runs again.

use serde::{Deserialize, Serialize};

/// The status of a program that never began, as shells have it.
const NOT_BEGUN: i32 = 127;
/// Added to a signal's number, as shells do.
const BY_SIGNAL: i32 = 128;

/// How a job's run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// In words.
    pub how: String,
    /// Its exit status; none when nobody knows whether it ran to its end.
    pub code: Option<i32>,
    /// The end of its standard output.
    pub stdout: String,
    /// Its last lines, of both streams.
    pub last_lines: Vec<String>,
}

impl Outcome {
    /// Nobody saw how it ended, or whether it began.
    pub fn lost(how: impl Into<String>) -> Self {
        Self { how: how.into(), code: None, stdout: String::new(), last_lines: Vec::new() }
    }

    /// It certainly never began.
    pub fn not_begun(how: impl Into<String>) -> Self {
        Self { code: Some(NOT_BEGUN), ..Self::lost(how) }
    }

    /// From what its monitor wrote down.
    pub fn of(exit: imm_sandbox::Exit, how: String, last_lines: Vec<String>) -> Self {
        use imm_sandbox::ExitStatus;
        let code = match exit.status {
            ExitStatus::Code(code) => Some(code),
            ExitStatus::Signal(signal) => Some(BY_SIGNAL + signal),
            ExitStatus::Failed(_) => Some(NOT_BEGUN),
            ExitStatus::Unknown => None,
        };
        Self { how, code, stdout: exit.stdout, last_lines }
    }
}
