//! `imm repl`: a program explored line by line, read-only. It takes no lease and records nothing.
//!
//! An expression is answered with its value, type and knownness; an item (`let`, `fn`, a node) is there for the lines
//! after it; a word with a colon is a command. Commands that look at plans and records are those of the command line,
//! with the module, environment and params of the session.
//!
//! Read `session` (what is remembered), `lines` (what a line does), `commands`, `assist` (completion), `past` (the
//! sources of earlier generations), `editor` (the terminal; the only place that names rustyline).

mod assist;
mod commands;
mod editor;
mod lines;
mod past;
mod session;

use crate::cli::{Global, Repl};
use crate::failure::{Exit, Outcome};
use crate::project::Project;
use crate::ui::{self, Style};
use imm_compiler::ide::line::{LineForm, form};
use lines::Next;
use session::Session;
use std::io::{BufRead, IsTerminal};

/// Reads lines from the terminal, or from a pipe; a failed line of a pipe makes the exit code 1.
pub fn run(global: &Global, args: &Repl) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let session = Session::new(global, project, args, style);
    if std::io::stdin().is_terminal() {
        return editor::run(session);
    }
    piped(session)
}

fn piped(mut session: Session) -> Outcome {
    let mut failed = false;
    let mut open = String::new();
    let mut lines = std::io::stdin().lock().lines();
    loop {
        let line = lines.next().and_then(Result::ok);
        let ended = line.is_none();
        open.push_str(&line.unwrap_or_default());
        let goes_on = !ended && !open.trim_start().starts_with(':') && form(&open) == LineForm::Open;
        if goes_on {
            open.push('\n');
            continue;
        }
        let line = std::mem::take(&mut open);
        match lines::run(&mut session, &line) {
            Ok(Next::Line) => {}
            Ok(Next::End) => break,
            Err(failure) => {
                failed = true;
                ui::failure(&failure, session.style);
            }
        }
        if ended {
            break;
        }
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
