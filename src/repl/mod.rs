//! `imm repl`: a program explored line by line, read-only. It takes no lease and records nothing.
//!
//! An expression is answered with its value, type and knownness; an item (`let`, `fn`, a node) is there for the lines
//! after it; a word with a colon is a command. Commands that look at plans and records are those of the command line,
//! with the module, environment and params of the session.
//!
//! Read `session` (what is remembered), `lines` (what a line does), `commands`, `assist` (completion), `past` (the
//! sources of earlier generations), `editor` (the terminal; the only place that names rustyline), `interrupt` (Ctrl-C).

mod assist;
mod commands;
mod editor;
mod interrupt;
mod lines;
mod past;
mod session;

use crate::cli::{Global, Repl};
use crate::failure::{Exit, Outcome};
use crate::project::Project;
use crate::ui::{self, Style};
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
    // What is no text is a mistake of its line, and not the end.
    let read = std::io::stdin().lock().split(b'\n').map_while(Result::ok);
    for line in lines::whole(read.map(|line| String::from_utf8_lossy(&line).into_owned())) {
        match lines::run(&mut session, &line) {
            Ok(Next::Line) => {}
            Ok(Next::End) => break,
            Err(failure) => {
                failed = true;
                ui::failure(&failure, session.style);
            }
        }
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
