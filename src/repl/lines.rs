//! What one line does: a command, items to remember, or an expression to answer.

use super::commands;
use super::session::Session;
use crate::failure::{Exit, Failure};
use crate::records;
use crate::ui;
use imm_compiler::Failed;
use imm_compiler::ide::line::{Calculated, LINE, LineForm, SESSION, form};
use imm_compiler::ide::{self, line};
use imm_ir::{Term, Type, code};

/// What comes after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another one.
    Line,
    /// The end.
    End,
}

/// Runs a line.
///
/// # Errors
/// What is wrong with it; diagnostics were shown already.
pub fn run(session: &mut Session, text: &str) -> Result<Next, Failure> {
    let trimmed = text.trim();
    if let Some(command) = trimmed.strip_prefix(':') {
        return commands::run(session, command);
    }
    match form(trimmed) {
        LineForm::Empty => {}
        LineForm::Items => items(session, trimmed)?,
        LineForm::Expression | LineForm::Open => {
            let found = calculate(session, trimmed)?;
            let shown = match &found.term {
                Some(term) => answer(session, term, &found.ty),
                None => {
                    let unknown = session.style.paint("2", "a param without a value is in it");
                    format!("{unknown} : {}", session.style.paint("36", &ide::shown(&found.ty)))
                }
            };
            ui::out(&format!("{shown}\n"));
        }
    }
    Ok(Next::Line)
}

/// Lines put together until no bracket is open in them.
pub fn whole(lines: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let mut lines = lines.fuse();
    std::iter::from_fn(move || {
        let mut whole = lines.next()?;
        while !whole.trim_start().starts_with(':') && form(&whole) == LineForm::Open {
            let Some(line) = lines.next() else { break };
            whole.push('\n');
            whole.push_str(&line);
        }
        Some(whole)
    })
}

/// The value and type of an expression.
pub fn calculate(session: &Session, text: &str) -> Result<Calculated, Failure> {
    let options = session.options()?;
    let items = session.text();
    let found = session.with_world(|world, path| line::calculate(world, path, &options, &items, text))?;
    let found = found.map_err(|failed| wrong(session, &failed))?;
    ui::err_as_it_is(&ui::diagnostics::render(&found.warnings, &found.sources, session.style.color));
    Ok(found)
}

fn wrong(session: &Session, failed: &Failed) -> Failure {
    ui::err_as_it_is(&ui::diagnostics::render(&failed.diagnostics, &failed.sources, session.style.color));
    let elsewhere = failed.diagnostics.iter().find(|d| {
        let name = failed.sources.get(d.span().file).map_or("", |file| &file.name);
        d.is_error() && name != LINE && name != SESSION && d.code != code::PARAM_REJECTED
    });
    match elsewhere {
        // The program is broken, not the line.
        Some(_) => {
            Failure { exit: Exit::Failed, ..Failure::new("the program has mistakes") }.help("mend it, then `:reload`")
        }
        None => Failure::said(Exit::Failed),
    }
}

fn items(session: &mut Session, text: &str) -> Result<(), Failure> {
    // A name may be declared again: the earlier one is forgotten.
    let mut others = session.text();
    let declare = |others: &str| session.with_world(|world, path| line::declare(world, path, others, text));
    let mut names = declare(&others)?;
    if names.is_err() {
        let own = line::names(text);
        others = session.without(&own).into_iter().map(|(_, text)| format!("{text}\n")).collect();
        names = declare(&others)?;
    }
    let names = names.map_err(|failed| wrong(session, &failed))?;
    let shown: Vec<String> = names.iter().map(ToString::to_string).collect();
    session.remember(names, text);
    if !shown.is_empty() {
        ui::out(&format!("{}\n", session.style.paint("2", &format!("declared {}", shown.join(", ")))));
    }
    Ok(())
}

/// A value as a line: what it is, its type, and what of it is known.
pub fn answer(session: &Session, term: &Term, ty: &Type) -> String {
    let note = match (ty, recorded(session, term)) {
        (_, Some((value, generation))) => format!("   {value} in generation {generation}"),
        (Type::Late(_), None) if term.known().is_none() => "   known only after create".to_owned(),
        _known => String::new(),
    };
    format!("{term:?} : {}{}", session.style.paint("36", &ide::shown(ty)), session.style.paint("2", &note))
}

/// What an output of a node was when it was last recorded.
fn recorded(session: &Session, term: &Term) -> Option<(String, u64)> {
    let Term::Output(address, field) = term else { return None };
    if session.past.is_some() {
        // What was seen then is not what is there now.
        return None;
    }
    let ledger = records::read_quietly(&session.project)?;
    let state = ledger.state();
    let generation = state.current?;
    let mut objects =
        state.objects.values().filter(|o| o.address == *address && o.since.is_some() && o.gone_at_ms.is_none());
    let value = objects.next_back()?.outputs.get(field)?;
    Some((format!("{value:?}"), generation))
}
