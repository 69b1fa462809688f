//! The terminal: line editing, history, completion, colours and hints. The only place that names rustyline.

use super::assist;
use super::commands::COMMANDS;
use super::interrupt::Interrupts;
use super::lines::{self, Next};
use super::session::Session;
use crate::failure::{Exit, Failure, Outcome};
use crate::platform;
use crate::ui;
use imm_compiler::ide::line::{LineForm, form};
use imm_syntax::Tok;
use rustyline::completion::{Completer, Pair};
use rustyline::config::{CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{
    Cmd, ConditionalEventHandler, Context, Editor, Event, EventContext, EventHandler, Helper, KeyEvent, RepeatCount,
};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Reads lines until Ctrl-D or `:quit`. A line that fails is no failure of the session.
pub fn run(mut session: Session) -> Outcome {
    session.interrupts = Interrupts::listen().map_err(|e| Failure::new(format!("cannot listen to signals: {e}")))?;
    let config = Config::builder().completion_type(CompletionType::List).build();
    let failed = |error: &ReadlineError| Failure::new(format!("the terminal: {error}"));
    let mut editor: Editor<Face, DefaultHistory> = Editor::with_config(config).map_err(|e| failed(&e))?;
    let taken_back = Arc::new(AtomicBool::new(false));
    let take_back = EventHandler::Conditional(Box::new(TakeBack(Arc::clone(&taken_back))));
    editor.bind_sequence(KeyEvent::ctrl('C'), take_back);
    let history = platform::home().ok().map(|home| home.root().join("repl-history"));
    if let Some(history) = &history {
        drop(std::fs::create_dir_all(history.parent().unwrap_or(history)));
        // The first session has none.
        drop(editor.load_history(history));
    }
    editor.set_helper(Some(Face { session, history: HistoryHinter::new(), taken_back }));
    read(&mut editor, history.as_deref()).map_err(|e| failed(&e))
}

fn read(editor: &mut Editor<Face, DefaultHistory>, history: Option<&Path>) -> Result<Exit, ReadlineError> {
    loop {
        let prompt = editor.helper().map_or_else(String::new, |face| face.session.prompt());
        let text = match editor.readline(&prompt) {
            Ok(text) => text,
            Err(ReadlineError::Interrupted) => continue,
            // Ctrl-D.
            Err(ReadlineError::Eof) => return Ok(Exit::Done),
            Err(error) => return Err(error),
        };
        if editor.helper().is_some_and(|face| face.taken_back.swap(false, Ordering::Relaxed)) {
            continue;
        }
        editor.add_history_entry(text.as_str())?;
        if let Some(history) = history {
            // At once, and behind what other sessions wrote: this one may be killed while a line runs.
            drop(editor.append_history(history));
        }
        let Some(face) = editor.helper_mut() else { return Ok(Exit::Done) };
        // What is pasted may be several lines.
        face.session.interrupts.begin();
        for line in lines::whole(text.lines().map(str::to_owned)) {
            match lines::run(&mut face.session, &line) {
                Ok(Next::Line) => {}
                Ok(Next::End) => return Ok(Exit::Done),
                Err(failure) => ui::failure(&failure, face.session.style),
            }
            if face.session.interrupts.came() {
                break;
            }
        }
        // While a line is typed, nothing that is looked up for it ends.
        face.session.interrupts.begin();
    }
}

/// Ctrl-C: the line ends as if it were entered, and is not run. An interruption would lose what was typed behind it.
struct TakeBack(Arc<AtomicBool>);

impl ConditionalEventHandler for TakeBack {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.store(true, Ordering::Relaxed);
        Some(Cmd::AcceptLine)
    }
}

/// What the terminal asks while a line is typed.
struct Face {
    session: Session,
    history: HistoryHinter,
    /// The line is taken back.
    taken_back: Arc<AtomicBool>,
}

impl Helper for Face {}

impl Completer for Face {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _context: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, ways) = assist::complete(&self.session, line, at);
        let pair = |way: assist::Way| Pair { display: way.shown, replacement: way.put };
        Ok((start, ways.into_iter().map(pair).collect()))
    }
}

impl Hinter for Face {
    type Hint = String;

    fn hint(&self, line: &str, at: usize, context: &Context<'_>) -> Option<String> {
        let word = line.strip_prefix(':');
        let usage = word.and_then(|word| COMMANDS.iter().find(|(name, ..)| *name == word.trim_end()));
        match usage {
            Some((_, usage, _)) if at == line.len() && !usage.is_empty() => {
                let space = if line.ends_with(' ') { "" } else { " " };
                Some(format!("{space}{usage}"))
            }
            _other if at < line.len() || line.is_empty() => None,
            _other => self.history.hint(line, at, context),
        }
    }
}

impl Highlighter for Face {
    fn highlight<'l>(&self, line: &'l str, _at: usize) -> Cow<'l, str> {
        if self.session.style.color { Cow::Owned(painted(line)) } else { Cow::Borrowed(line) }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.session.style.color { Cow::Owned(format!("\x1b[2m{hint}\x1b[0m")) } else { Cow::Borrowed(hint) }
    }

    fn highlight_char(&self, _line: &str, _at: usize, _kind: CmdKind) -> bool {
        self.session.style.color
    }
}

impl Validator for Face {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let open = !text.trim_start().starts_with(':') && form(text) == LineForm::Open;
        Ok(if open { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

/// A line with colours, by its tokens.
fn painted(line: &str) -> String {
    if line.starts_with(':') {
        let end = line.find(char::is_whitespace).unwrap_or(line.len());
        let (command, rest) = line.split_at(end);
        return format!("\x1b[35m{command}\x1b[0m{rest}");
    }
    let lexed = imm_syntax::lex(imm_ir::FileId(0), line);
    let mut tokens: Vec<_> = lexed.tokens.iter().chain(&lexed.comments).collect();
    tokens.sort_by_key(|token| token.start);
    let mut out = String::with_capacity(line.len() * 2);
    let mut at = 0;
    for token in tokens {
        let (start, end) = (token.start as usize, token.end as usize);
        out.push_str(line.get(at..start).unwrap_or_default());
        let text = line.get(start..end).unwrap_or_default();
        match color(token.kind) {
            Some(color) => out.push_str(&format!("\x1b[{color}m{text}\x1b[0m")),
            None => out.push_str(text),
        }
        at = end.max(at);
    }
    out.push_str(line.get(at..).unwrap_or_default());
    out
}

fn color(token: Tok) -> Option<&'static str> {
    match token {
        Tok::Comment | Tok::Doc | Tok::ModuleDoc => Some("2"),
        Tok::Str | Tok::RawStr | Tok::StrOpen | Tok::StrText | Tok::StrClose => Some("32"),
        Tok::Int | Tok::Float | Tok::Quantity => Some("33"),
        Tok::Upper => Some("36"),
        word if word.is_keyword() => Some("35"),
        _other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::painted;

    #[test]
    fn colours_keep_the_text() {
        let plain = |line: &str| {
            let mut out = String::new();
            let mut rest = painted(line);
            while let Some((before, after)) = rest.split_once('\x1b') {
                out.push_str(before);
                rest = after.split_once('m').unwrap().1.to_owned();
            }
            out + &rest
        };
        for line in ["let a = \"x ${1 + 2}\" // é", ":plan web", "", "\"open", "5s + 10%"] {
            assert_eq!(plain(line), line);
        }
        assert!(painted("let a = 1").starts_with("\x1b[35mlet"));
    }
}
