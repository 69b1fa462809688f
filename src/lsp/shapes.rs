//! Analysis data in the protocol's words.

use super::workspace::Snapshot;
use imm_compiler::ide::{CompletionKind, Completions, Fold, FoldKind, Symbol, SymbolKind, TokenClass, Word};
use imm_ir::{Diagnostic, Severity, Span};
use serde_json::{Value, json};

/// Names of the token types, in the order of [`token`].
pub const TOKENS: [&str; 15] = [
    "comment",
    "keyword",
    "string",
    "number",
    "operator",
    "type",
    "class",
    "enumMember",
    "parameter",
    "variable",
    "struct",
    "property",
    "function",
    "method",
    "namespace",
];
/// Names of the token modifiers: bits from the lowest.
pub const MODIFIERS: [&str; 3] = ["declaration", "defaultLibrary", "async"];

fn token(class: TokenClass) -> u32 {
    match class {
        TokenClass::Comment => 0,
        TokenClass::Keyword => 1,
        TokenClass::String => 2,
        TokenClass::Number => 3,
        TokenClass::Operator => 4,
        TokenClass::Type => 5,
        TokenClass::Kind => 6,
        TokenClass::Variant => 7,
        TokenClass::Parameter => 8,
        TokenClass::Variable => 9,
        TokenClass::Node => 10,
        TokenClass::Property => 11,
        TokenClass::Function => 12,
        TokenClass::Method => 13,
        TokenClass::Namespace => 14,
    }
}

/// Words as the protocol packs them: five numbers each, relative to the word before. A word goes over one line only.
pub fn tokens(snapshot: &Snapshot, words: &[Word]) -> Value {
    let Some(first) = words.first() else { return json!({ "data": [] }) };
    let file = first.span.file;
    let (text, lines) = (snapshot.analysis.text(file), snapshot.lines(file));
    let mut data: Vec<u32> = Vec::with_capacity(words.len() * 5);
    let (mut last_line, mut last_column) = (0, 0);
    for word in words {
        let modifiers = u32::from(word.declaration) | u32::from(word.built_in) << 1 | u32::from(word.late) << 2;
        let mut start = word.span.start;
        for part in snapshot.analysis.sources().text(word.span).split_inclusive('\n') {
            let end = start + u32::try_from(part.len()).unwrap_or(0);
            let shown = end - u32::try_from(part.len() - part.trim_end_matches(['\n', '\r']).len()).unwrap_or(0);
            let (line, column) = lines.at(text, start, snapshot.encoding);
            let (_, until) = lines.at(text, shown, snapshot.encoding);
            let column = u32::try_from(column).unwrap_or(0);
            let length = u32::try_from(until).unwrap_or(0).saturating_sub(column);
            start = end;
            if length == 0 {
                continue;
            }
            let ahead = if line == last_line { column - last_column } else { column };
            data.extend([line - last_line, ahead, length, token(word.class), modifiers]);
            (last_line, last_column) = (line, column);
        }
    }
    json!({ "data": data })
}

/// Adds a member to an object.
pub fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// A list of completions.
pub fn completions(snapshot: &Snapshot, found: &Completions, snippets: bool) -> Value {
    let range = snapshot.range(found.span);
    let item = |(index, item): (usize, &imm_compiler::ide::Completion)| {
        let (text, format) = if snippets { (item.insert.clone(), 2) } else { (plain(&item.insert), 1) };
        let mut shown = json!({
            "label": item.label,
            "kind": completion_kind(item.kind),
            "sortText": format!("{index:04}"),
            "filterText": item.label,
            "insertTextFormat": format,
            "textEdit": { "range": range, "newText": text },
        });
        if !item.detail.is_empty() {
            put(&mut shown, "detail", json!(item.detail));
        }
        if !item.docs.is_empty() {
            put(&mut shown, "documentation", json!({ "kind": "markdown", "value": item.docs }));
        }
        shown
    };
    let items: Vec<Value> = found.items.iter().enumerate().map(item).collect();
    json!({ "isIncomplete": found.cut, "items": items })
}

/// A snippet without its stops.
pub fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        if let Some(inner) = after.strip_prefix('{') {
            let (stop, behind) = inner.split_once('}').unwrap_or((inner, ""));
            out.push_str(stop.split_once(':').map_or("", |(_, default)| default));
            rest = behind;
        } else {
            rest = after.get(digits(after)..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out.trim_end().to_owned()
}

fn completion_kind(kind: CompletionKind) -> u32 {
    match kind {
        CompletionKind::Field => 10,
        CompletionKind::Variant => 20,
        CompletionKind::Kind | CompletionKind::Component => 7,
        CompletionKind::Value => 6,
        CompletionKind::Function => 3,
        CompletionKind::Method => 2,
        CompletionKind::Type => 22,
        CompletionKind::Module => 9,
        CompletionKind::Keyword => 14,
    }
}

fn symbol_kind(kind: SymbolKind) -> u32 {
    match kind {
        SymbolKind::Param => 14,
        SymbolKind::Let => 13,
        SymbolKind::Fn => 12,
        SymbolKind::Node => 19,
        SymbolKind::Component => 5,
        SymbolKind::Type => 10,
        SymbolKind::Variant => 22,
        SymbolKind::Output => 7,
        SymbolKind::Environment => 3,
        SymbolKind::Test => 6,
        SymbolKind::Import => 2,
        SymbolKind::Provider => 4,
    }
}

/// A symbol of an outline.
pub fn document_symbol(snapshot: &Snapshot, symbol: &Symbol) -> Value {
    let children: Vec<Value> = symbol.children.iter().map(|child| document_symbol(snapshot, child)).collect();
    json!({
        "name": symbol.name,
        "detail": symbol.detail,
        "kind": symbol_kind(symbol.kind),
        "range": snapshot.range(symbol.span.to(symbol.name_span)),
        "selectionRange": snapshot.range(symbol.name_span),
        "children": children,
    })
}

/// A symbol of the workspace.
pub fn workspace_symbol(snapshot: &Snapshot, symbol: &Symbol) -> Option<Value> {
    let location = snapshot.location(symbol.name_span)?;
    Some(json!({ "name": symbol.name, "kind": symbol_kind(symbol.kind), "location": location }))
}

/// A fold; the last line stays to be seen when it closes something.
pub fn fold(snapshot: &Snapshot, fold: &Fold) -> Value {
    let lines = snapshot.lines(fold.span.file);
    let (start, end) = (lines.line(fold.span.start), lines.line(fold.span.end));
    match fold.kind {
        FoldKind::Code => json!({ "startLine": start, "endLine": end.saturating_sub(1).max(start) }),
        FoldKind::Comment => json!({ "startLine": start, "endLine": end, "kind": "comment" }),
        FoldKind::Imports => json!({ "startLine": start, "endLine": end, "kind": "imports" }),
    }
}

/// Nested selections, the widest inside.
pub fn selection(snapshot: &Snapshot, spans: &[Span]) -> Value {
    let mut nested = Value::Null;
    for span in spans.iter().rev() {
        let range = snapshot.range(*span);
        nested = if nested.is_null() { json!({ "range": range }) } else { json!({ "range": range, "parent": nested }) };
    }
    nested
}

/// A diagnostic. `place` makes ranges and locations of its program's spans.
pub fn diagnostic(diagnostic: &Diagnostic, place: &dyn Fn(Span) -> Option<(String, Value)>) -> Value {
    let severity = match diagnostic.severity {
        Severity::Error => 1,
        Severity::Warning => 2,
    };
    let mut message = diagnostic.message.clone();
    if let Some(label) = diagnostic.labels.first().filter(|label| !label.text.is_empty()) {
        message.push_str(&format!("\n{}", label.text));
    }
    diagnostic.notes.iter().for_each(|note| message.push_str(&format!("\nnote: {note}")));
    diagnostic.helps.iter().for_each(|help| message.push_str(&format!("\nhelp: {help}")));
    let related: Vec<Value> = diagnostic
        .labels
        .iter()
        .skip(1)
        .filter_map(|label| {
            let (uri, range) = place(label.span)?;
            Some(json!({ "location": { "uri": uri, "range": range }, "message": label.text }))
        })
        .collect();
    let range = place(diagnostic.span()).map(|(_, range)| range).unwrap_or(Value::Null);
    let mut shown = json!({
        "range": range,
        "severity": severity,
        "code": diagnostic.code.0,
        "source": "imm",
        "message": message,
        "relatedInformation": related,
    });
    if diagnostic.code == imm_ir::code::UNUSED_BINDING {
        put(&mut shown, "tags", json!([1]));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn stops_are_left_out_for_clients_without_them() {
        assert_eq!(plain("param ${1:name}: $0"), "param name:");
        assert_eq!(plain("f($0)"), "f()");
        assert_eq!(plain("http { path = ${1}$0 }"), "http { path =  }");
    }
}
