//! What changes texts: renames and references over modules, formatting, code actions.

use super::answers::{Answer, Refused};
use super::looks::Checked;
use super::wire::uri_of;
use super::workspace::{Snapshot, path_in};
use imm_compiler::ide::{self, Place};
use imm_ir::{Edit, Span};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a thing is declared: the same in every program that imports it.
fn declaration(snapshot: &Snapshot, at: Place) -> Option<(PathBuf, u32)> {
    let span = ide::define(&snapshot.analysis, at)?;
    Some((snapshot.path(span.file)?, span.start))
}

/// Programs that have a file, and that file in each; the first is the one that was asked about.
fn sharing(snapshot: &Snapshot, at: Place) -> Vec<(Snapshot, Place)> {
    let mut all = vec![(snapshot.clone(), at)];
    let Some((path, offset)) = declaration(snapshot, at) else { return all };
    for root in snapshot.roots().into_iter().filter(|root| *root != snapshot.root) {
        let other = snapshot.other(root);
        if let Some(file) = other.file(&path) {
            all.push((other, Place { file, offset }));
        }
    }
    all
}

/// Everything that names a thing, over the modules of the workspace.
pub fn references(snapshot: &Snapshot, at: Place, declarations: bool) -> Value {
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    for (program, place) in sharing(snapshot, at) {
        for reference in ide::references(&program.analysis, place) {
            if declarations || !reference.declaration {
                let location = program.location(reference.span);
                found.extend(location.map(|location| (location.to_string(), location)));
            }
        }
    }
    found.into_values().collect()
}

/// A rename over the modules of the workspace, refused if it is refused in one of them.
pub fn rename(snapshot: &Snapshot, at: Place, name: &str) -> Result<Value, String> {
    let mut changes: BTreeMap<PathBuf, BTreeMap<(u32, u32), Value>> = BTreeMap::new();
    for (program, place) in sharing(snapshot, at) {
        for edit in ide::rename(&program.analysis, place, name)?.edits {
            let Some(path) = program.path(edit.span.file) else { continue };
            let shown = json!({ "range": program.range(edit.span), "newText": edit.text });
            changes.entry(path).or_default().insert((edit.span.start, edit.span.end), shown);
        }
    }
    let all = changes.into_iter().map(|(path, edits)| (path, edits.into_values().collect())).collect();
    Ok(workspace_edit(snapshot, all))
}

fn workspace_edit(snapshot: &Snapshot, changes: Vec<(PathBuf, Vec<Value>)>) -> Value {
    let mut by_uri = Map::new();
    for (path, edits) in changes {
        let uri = snapshot.document(&path).map_or_else(|| uri_of(&path), |document| document.uri.to_string());
        by_uri.insert(uri, Value::Array(edits));
    }
    json!({ "changes": by_uri })
}

/// The text laid out: only the lines that change.
pub fn format(snapshot: &Snapshot, path: &Path) -> Answer {
    let Some(file) = snapshot.file(path) else { return Ok(Value::Null) };
    let text = snapshot.analysis.text(file);
    let formatted = imm_syntax::format(text).map_err(|errors| {
        let why = errors.first().map_or_else(String::new, |error| error.message.clone());
        Refused::Impossible(format!("the file has mistakes, so it cannot be laid out: {why}"))
    })?;
    if formatted == text {
        return Ok(json!([]));
    }
    let lines = |text: &str| text.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(text), lines(&formatted));
    let head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let rest = before.len().min(after.len()) - head;
    let tail = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let length = |lines: &[String]| lines.iter().map(String::len).sum::<usize>();
    let start = length(before.get(..head).unwrap_or_default());
    let end = text.len() - length(before.get(before.len() - tail..).unwrap_or_default());
    let new: String = after.get(head..after.len() - tail).unwrap_or_default().concat();
    Ok(json!([{ "range": snapshot.range(Span::new(file, start, end)), "newText": new }]))
}

/// What can be done in a range, given the last check of the program.
pub fn actions(snapshot: &Snapshot, params: &Value, checked: Option<&Checked>) -> Value {
    let span = super::answers::path(params).and_then(|path| snapshot.span(&path, params.get("range")?));
    let Some(span) = span else { return json!([]) };
    let diagnostics = checked.map_or(&[][..], |checked| &checked.diagnostics);
    // Only a check of this very text has spans that fit.
    let same = |checked: &Checked| {
        let ours = snapshot.analysis.sources();
        checked.sources.iter().all(|(id, file)| {
            !file.name.ends_with(".imm")
                || ours.get(id).is_some_and(|own| own.name == file.name && own.text == file.text)
        })
    };
    let diagnostics = if checked.is_some_and(same) { diagnostics } else { &[] };
    let kinds = params.pointer("/context/only").and_then(Value::as_array).cloned().unwrap_or_default();
    let wants = |kind: &str| {
        kinds.is_empty()
            || kinds.iter().filter_map(Value::as_str).any(|k| kind == k || kind.starts_with(&format!("{k}.")))
    };
    let mut all = Vec::new();
    if wants("quickfix") {
        for action in ide::actions(&snapshot.analysis, span, diagnostics) {
            let about = action.diagnostic.and_then(|index| diagnostics.get(index));
            let shown = about.and_then(|about| shown(snapshot, about));
            all.push(json!({
                "title": action.title,
                "kind": "quickfix",
                "isPreferred": action.preferred,
                "diagnostics": shown.into_iter().collect::<Vec<Value>>(),
                "edit": edit(snapshot, &action.edits),
            }));
        }
    }
    if wants("source.fixAll") && kinds.iter().any(|kind| kind.as_str().is_some_and(|k| k.starts_with("source"))) {
        let safe = diagnostics.iter().flat_map(|d| &d.fixes).filter(|f| f.applicability == imm_ir::Applicability::Safe);
        let mut edits: Vec<Edit> = Vec::new();
        for fix in safe {
            let free = |edit: &Edit| {
                edits.iter().all(|e| {
                    e.span.file != edit.span.file || e.span.end <= edit.span.start || edit.span.end <= e.span.start
                })
            };
            if fix.edits.iter().all(free) {
                edits.extend(fix.edits.iter().cloned());
            }
        }
        if !edits.is_empty() {
            all.push(json!({
                "title": "apply all safe fixes",
                "kind": "source.fixAll",
                "edit": edit(snapshot, &edits),
            }));
        }
    }
    Value::Array(all)
}

fn shown(snapshot: &Snapshot, diagnostic: &imm_ir::Diagnostic) -> Option<Value> {
    let place = |span: Span| Some((snapshot.uri(span.file)?, snapshot.range(span)));
    place(diagnostic.span()).map(|_| super::shapes::diagnostic(diagnostic, &place))
}

fn edit(snapshot: &Snapshot, edits: &[Edit]) -> Value {
    let mut changes: BTreeMap<PathBuf, Vec<Value>> = BTreeMap::new();
    for edit in edits {
        let name = snapshot.analysis.sources().get(edit.span.file).map(|file| &*file.name);
        let Some(path) = name.and_then(|name| path_in(&snapshot.root, name)) else { continue };
        let shown = json!({ "range": snapshot.range(edit.span), "newText": edit.text });
        changes.entry(path).or_default().push(shown);
    }
    workspace_edit(snapshot, changes.into_iter().collect())
}
