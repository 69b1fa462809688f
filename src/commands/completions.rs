//! `imm completions`: for bash, zsh, fish and others.

use crate::cli::{Cli, Completions};
use crate::failure::{Exit, Outcome};
use crate::ui;
use clap::CommandFactory;

/// Prints the completion script of a shell.
pub fn run(args: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "imm", &mut script);
    ui::out(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
