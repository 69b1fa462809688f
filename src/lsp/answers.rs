//! Requests that are answered from one moment of a program: parameters to analysis to the protocol's words.

use super::edits;
use super::shapes;
use super::transport::{Id, Out, code};
use super::wire::path_of;
use super::workspace::Snapshot;
use crate::project::Project;
use crate::records;
use imm_compiler::ide::{self, Place};
use imm_ir::Span;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The client does not want it any more.
    Cancelled,
    /// The text changed meanwhile.
    Outdated,
    /// There is no such request.
    Unknown(String),
    /// It cannot be done; why, for people.
    Impossible(String),
    /// The server failed.
    Internal(String),
}

impl Refused {
    fn told(self) -> (i32, String) {
        match self {
            Self::Cancelled => (code::REQUEST_CANCELLED, "cancelled".to_owned()),
            Self::Outdated => (code::CONTENT_MODIFIED, "the text changed meanwhile".to_owned()),
            Self::Unknown(method) => (code::METHOD_NOT_FOUND, format!("there is no {method}")),
            Self::Impossible(why) => (code::REQUEST_FAILED, why),
            Self::Internal(why) => (code::INTERNAL_ERROR, why),
        }
    }
}

/// An answer, or why there is none.
pub type Answer = Result<Value, Refused>;

/// Sends an answer; what failed inside of imm is logged too.
pub fn send(out: &Out, id: &Id, answer: Answer) {
    match answer {
        Ok(value) => out.answer(id, &value),
        Err(refused) => {
            if let Refused::Internal(why) = &refused {
                log(out, why);
            }
            let (code, why) = refused.told();
            out.refuse(Some(id), code, &why);
        }
    }
}

/// Tells what failed inside of imm.
pub fn log(out: &Out, why: &str) {
    out.tell("window/logMessage", &json!({ "type": 1, "message": why }));
}

/// The path that a request is about; `None` for a text that is no file.
pub fn path(params: &Value) -> Option<PathBuf> {
    path_of(params.pointer("/textDocument/uri")?.as_str()?)
}

fn place(snapshot: &Snapshot, params: &Value) -> Option<Place> {
    snapshot.place(&path(params)?, params.get("position")?)
}

fn span(snapshot: &Snapshot, params: &Value) -> Option<Span> {
    snapshot.span(&path(params)?, params.get("range")?)
}

/// Whether a request is about a whole file or many, and not what a keystroke waits for.
pub fn is_slow(method: &str) -> bool {
    matches!(
        method,
        "textDocument/semanticTokens/full"
            | "textDocument/references"
            | "textDocument/rename"
            | "textDocument/prepareRename"
            | "textDocument/codeLens"
            | "textDocument/documentHighlight"
            | "textDocument/documentSymbol"
            | "textDocument/foldingRange"
            | "textDocument/formatting"
            | "workspace/symbol"
    )
}

/// Answers a request.
pub fn answer(snapshot: &Snapshot, method: &str, params: &Value) -> Answer {
    let analysis = &*snapshot.analysis;
    let file = path(params).and_then(|path| snapshot.file(&path));
    let at = place(snapshot, params);
    Ok(match method {
        "textDocument/hover" => at.and_then(|at| hover(snapshot, at)).unwrap_or_default(),
        "textDocument/completion" => {
            let snippets = params.pointer("/imm/snippets").and_then(Value::as_bool).unwrap_or(true);
            let found = at.and_then(|at| ide::complete(analysis, at));
            found.map(|found| shapes::completions(snapshot, &found, snippets)).unwrap_or_default()
        }
        "textDocument/signatureHelp" => at.and_then(|at| signature(snapshot, at)).unwrap_or_default(),
        "textDocument/definition" => {
            at.and_then(|at| snapshot.location(ide::define(analysis, at)?)).unwrap_or_default()
        }
        "textDocument/typeDefinition" => {
            at.and_then(|at| snapshot.location(ide::type_definition(analysis, at)?)).unwrap_or_default()
        }
        "textDocument/references" => {
            let declarations = params.pointer("/context/includeDeclaration").and_then(Value::as_bool).unwrap_or(true);
            at.map(|at| edits::references(snapshot, at, declarations)).unwrap_or_default()
        }
        "textDocument/documentHighlight" => at.map(|at| highlights(snapshot, at)).unwrap_or_default(),
        "textDocument/prepareRename" => match at {
            Some(at) => {
                let span = ide::prepare_rename(analysis, at).map_err(Refused::Impossible)?;
                json!({ "range": snapshot.range(span), "placeholder": analysis.sources().text(span) })
            }
            None => Value::Null,
        },
        "textDocument/rename" => {
            let name = params.get("newName").and_then(Value::as_str).unwrap_or_default();
            let at = at.ok_or_else(|| Refused::Impossible("there is no name here".to_owned()))?;
            edits::rename(snapshot, at, name).map_err(Refused::Impossible)?
        }
        "textDocument/documentSymbol" => {
            let all = file.map(|file| ide::document_symbols(analysis, file)).unwrap_or_default();
            all.iter().map(|symbol| shapes::document_symbol(snapshot, symbol)).collect()
        }
        "workspace/symbol" => workspace_symbols(snapshot, params),
        "textDocument/foldingRange" => {
            let all = file.map(|file| ide::folds(analysis, file)).unwrap_or_default();
            all.iter().map(|fold| shapes::fold(snapshot, fold)).collect()
        }
        "textDocument/selectionRange" => {
            let positions = params.get("positions").and_then(Value::as_array).cloned().unwrap_or_default();
            let path = path(params).unwrap_or_default();
            let one = |position: &Value| {
                snapshot.place(&path, position).map(|at| shapes::selection(snapshot, &ide::selection(analysis, at)))
            };
            positions.iter().filter_map(one).collect()
        }
        "textDocument/semanticTokens/full" => {
            let words = file.map(|file| ide::semantic_tokens(analysis, file)).unwrap_or_default();
            shapes::tokens(snapshot, &words)
        }
        "textDocument/semanticTokens/range" => {
            let words =
                span(snapshot, params).map(|span| ide::semantic_tokens_within(analysis, span)).unwrap_or_default();
            shapes::tokens(snapshot, &words)
        }
        "textDocument/inlayHint" => span(snapshot, params).map(|span| hints(snapshot, span)).unwrap_or_default(),
        "textDocument/formatting" => edits::format(snapshot, &path(params).unwrap_or_default())?,
        other => return Err(Refused::Unknown(other.to_owned())),
    })
}

fn hover(snapshot: &Snapshot, at: Place) -> Option<Value> {
    let found = ide::hover(&snapshot.analysis, at)?;
    let mut text = found.text;
    if let Some(object) = found.node.and_then(|node| planned_object(snapshot, &node)) {
        text.push_str(&format!("\n{object}\n"));
    }
    Some(json!({ "contents": { "kind": "markdown", "value": text }, "range": snapshot.range(found.span) }))
}

/// The objects that the last recorded state has for a node.
fn planned_object(snapshot: &Snapshot, node: &str) -> Option<String> {
    let project = project(snapshot);
    let ledger = records::read_quietly(&project)?;
    let state = ledger.state();
    let below =
        |address: &str| address == node || address.strip_prefix(node).is_some_and(|rest| rest.starts_with(['[', '.']));
    let objects =
        state.objects.iter().filter(|(_, object)| object.since.is_some() && below(&object.address.to_string()));
    let lines: Vec<String> = objects.take(5).map(|(id, o)| format!("- `{}` object `{id}`", o.address)).collect();
    let generation = state.current?;
    (!lines.is_empty()).then(|| format!("In generation {generation}:\n{}", lines.join("\n")))
}

/// The program as a project: the environment is `local`.
pub fn project(snapshot: &Snapshot) -> Project {
    let name = snapshot.root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let environment = "local".to_owned();
    let state = snapshot.root.join(".imm").join(&environment);
    Project::at(snapshot.root.clone(), name, environment, state)
}

fn signature(snapshot: &Snapshot, at: Place) -> Option<Value> {
    let help = ide::signature_help(&snapshot.analysis, at)?;
    let units = |offset: usize| help.label.get(..offset).map_or(0, |text| text.encode_utf16().count());
    let params: Vec<Value> =
        help.params.iter().map(|(start, end)| json!({ "label": [units(*start), units(*end)] })).collect();
    Some(json!({
        "signatures": [{
            "label": help.label,
            "documentation": { "kind": "markdown", "value": help.docs },
            "parameters": params,
            "activeParameter": help.active,
        }],
        "activeSignature": 0,
        "activeParameter": help.active,
    }))
}

fn highlights(snapshot: &Snapshot, at: Place) -> Value {
    let all = ide::references(&snapshot.analysis, at).into_iter().filter(|r| r.span.file == at.file);
    let kind = |declaration| if declaration { 3 } else { 2 };
    all.map(|r| json!({ "range": snapshot.range(r.span), "kind": kind(r.declaration) })).collect()
}

fn hints(snapshot: &Snapshot, span: Span) -> Value {
    let text = snapshot.analysis.text(span.file);
    let lines = snapshot.lines(span.file);
    let all = ide::inlay_hints(&snapshot.analysis, span);
    let hint = |hint: &ide::Hint| {
        json!({
            "position": lines.position(text, hint.offset, snapshot.encoding),
            "label": hint.text,
            "kind": 1,
            "tooltip": hint.tooltip,
            "paddingLeft": hint.text == "~",
        })
    };
    all.iter().map(hint).collect()
}

fn workspace_symbols(snapshot: &Snapshot, params: &Value) -> Value {
    let query = params.get("query").and_then(Value::as_str).unwrap_or_default();
    let mut found = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for root in snapshot.roots() {
        let here = if root == snapshot.root { snapshot.clone() } else { snapshot.other(root) };
        for symbol in ide::workspace_symbols(&here.analysis, query, 200) {
            if let Some(shown) = shapes::workspace_symbol(&here, &symbol)
                && seen.insert(shown.to_string())
            {
                found.push(shown);
            }
        }
    }
    Value::Array(found)
}
