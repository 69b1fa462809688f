//! What can be typed next in a line, from the compiler and the record.

use super::commands::COMMANDS;
use super::session::Session;
use crate::records;
use imm_compiler::ide::line::declares;
use imm_compiler::ide::{self, Analysis, Place};

/// What the line is called among the program's files. It sorts behind no file of a program.
const FILE: &str = "<typed>";
/// What makes an expression an item.
const BEFORE: &str = "let typed_here_ = ";
/// The name that it has then.
const NAME: &str = "typed_here_";

/// One way to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What a list shows.
    pub shown: String,
    /// What is put into the line.
    pub put: String,
}

/// Where the word begins that is replaced, and what it may become.
pub fn complete(session: &Session, line: &str, at: usize) -> (usize, Vec<Way>) {
    let before = line.get(..at).unwrap_or_default();
    if let Some(command) = before.strip_prefix(':') {
        return command_word(session, command);
    }
    let found = code(session, line, at);
    found.unwrap_or((at, Vec::new()))
}

fn code(session: &Session, line: &str, at: usize) -> Option<(usize, Vec<Way>)> {
    let prefix = if declares(line) { "" } else { BEFORE };
    let items = session.text();
    let text = format!("{prefix}{line}");
    let analysis =
        session.with_world(|world, path| Analysis::beside(world, path, &[("<items>", &items), (FILE, &text)])).ok()?;
    let file = analysis.file(FILE)?;
    let offset = u32::try_from(prefix.len() + at).ok()?;
    let found = ide::complete(&analysis, Place { file, offset })?;
    let start = (found.span.start as usize).checked_sub(prefix.len())?;
    // A terminal completes what the ways have in common, so they must begin with what was typed.
    let typed = line.get(start..at).unwrap_or_default();
    let ways = found.items.iter().filter(|item| item.label.starts_with(typed) && item.label != NAME);
    let way = |item: &ide::Completion| Way {
        shown: if item.detail.is_empty() { item.label.clone() } else { format!("{}  {}", item.label, item.detail) },
        put: put(item),
    };
    Some((start, ways.map(way).collect()))
}

/// What stands in a line: the name, and an opening bracket for what is called.
fn put(item: &ide::Completion) -> String {
    let open = item.insert.split_once('(').is_some_and(|(name, _)| name == item.label);
    let field = item.insert.starts_with(&format!("{} = ", item.label));
    match (open, field) {
        (true, _) => format!("{}(", item.label),
        (_, true) => format!("{} = ", item.label),
        _plain => item.label.clone(),
    }
}

fn command_word(session: &Session, command: &str) -> (usize, Vec<Way>) {
    let Some((name, rest)) = command.split_once(char::is_whitespace) else {
        let ways = COMMANDS.iter().filter(|(name, ..)| name.starts_with(command));
        let way = |(name, usage, does): &(&str, &str, &str)| Way {
            shown: format!(":{name} {usage}  {does}"),
            put: if usage.is_empty() { format!(":{name}") } else { format!(":{name} ") },
        };
        return (0, ways.map(way).collect());
    };
    let typed = rest.rsplit(char::is_whitespace).next().unwrap_or_default();
    let start = 1 + command.len() - typed.len();
    if name == "type" {
        let offset = command.len() - rest.len();
        let (from, ways) = complete(session, rest, rest.len());
        return (1 + offset + from, ways);
    }
    let words: Vec<String> = match name {
        "plan" | "why" => addresses(session),
        "at" | "diff" => generations(session),
        "set" | "unset" => params(session),
        "doc" => imm_compiler::doc::names(),
        "kind" => imm_ir::kinds::builtin().kinds.keys().map(ToString::to_string).collect(),
        "explain" => imm_compiler::explain::all().map(|(code, _)| code.to_owned()).collect(),
        "env" => environments(session),
        "graph" => vec!["--dot".to_owned()],
        _other => Vec::new(),
    };
    let ways = words.into_iter().filter(|word| word.starts_with(typed));
    (start, ways.map(|word| Way { shown: word.clone(), put: word }).collect())
}

fn addresses(session: &Session) -> Vec<String> {
    let Ok(options) = session.options() else { return Vec::new() };
    let compiled = session.with_world(|world, path| imm_compiler::compile(world, path, &options));
    match compiled {
        Ok(Ok(compiled)) => compiled.graph.nodes.keys().map(ToString::to_string).collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

fn generations(session: &Session) -> Vec<String> {
    let ledger = records::read_quietly(&session.project);
    let numbers = ledger.map(|ledger| ledger.state().generations.keys().map(ToString::to_string).collect());
    let mut all: Vec<String> = numbers.unwrap_or_default();
    all.push("now".to_owned());
    all
}

fn symbols(session: &Session, kind: ide::SymbolKind) -> Vec<String> {
    let analysis = session.with_world(|world, path| Analysis::new(world, path));
    let all = analysis.map(|analysis| ide::workspace_symbols(&analysis, "", usize::MAX)).unwrap_or_default();
    all.into_iter().filter(|symbol| symbol.kind == kind).map(|symbol| symbol.name).collect()
}

fn params(session: &Session) -> Vec<String> {
    symbols(session, ide::SymbolKind::Param)
}

/// The environments that there are.
pub fn environments(session: &Session) -> Vec<String> {
    let mut all = symbols(session, ide::SymbolKind::Environment);
    all.push("local".to_owned());
    all
}
