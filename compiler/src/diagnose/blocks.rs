//! Fields and keys of blocks: unknown, missing, twice.

use super::similar;
use imm_ir::{Applicability, Diagnostic, Span, code};

/// A field that the record, kind or payload does not have.
pub fn unknown_field(owner: &str, field: &str, span: Span, known: &[&str]) -> Diagnostic {
    let noun = noun(owner);
    let diagnostic = Diagnostic::error(code::UNKNOWN_FIELD, span, format!("{} has no {noun} `{field}`", called(owner)));
    if owner == "`with`" && field == "protect" {
        return diagnostic.label("unknown").help("only a `durable` is protected: all else is made to be replaced");
    }
    if let Some(help) = super::habits::field(field).filter(|_| noun == "field" && owner != "`with`" && known.len() > 1)
    {
        return diagnostic.label("unknown").help(help);
    }
    match similar(field, known.iter().copied()) {
        Some(name) => diagnostic.label(format!("did you mean `{name}`?")).fix(
            format!("write `{name}`"),
            Applicability::Maybe,
            span,
            name,
        ),
        None if known.is_empty() => diagnostic.label(format!("it has no {noun}s at all")),
        None => diagnostic.label("unknown").help(format!("it has {}", super::listed(known.iter().copied()))),
    }
}

/// A record is named by its fields, as far as one reads that.
fn called(owner: &str) -> &str {
    if owner.starts_with("`{") && owner.len() > MOST_FIELDS { "this record" } else { owner }
}

/// Length of a record's type that still helps.
const MOST_FIELDS: usize = 80;

/// What the entries of a block are called.
fn noun(owner: &str) -> &'static str {
    if owner.starts_with("component ") || owner == "this program" { "param" } else { "field" }
}

/// A method, output or field after a dot that the type does not have.
pub fn unknown_member(owner: &str, what: &str, name: &str, span: Span, known: &[&str]) -> Diagnostic {
    let diagnostic = Diagnostic::error(code::UNKNOWN_FIELD, span, format!("{} has no {what} `{name}`", called(owner)));
    match similar(name, known.iter().copied()) {
        Some(other) => diagnostic.label(format!("did you mean `{other}`?")).fix(
            format!("write `{other}`"),
            Applicability::Maybe,
            span,
            other,
        ),
        None if known.is_empty() => diagnostic.label("unknown"),
        None => diagnostic.label("unknown").help(format!("it has {}", super::listed(known.iter().copied()))),
    }
}

/// Required fields that are absent.
pub fn missing(owner: &str, fields: &[&str], span: Span) -> Diagnostic {
    let lines: Vec<String> = fields.iter().map(|field| format!("{field} = …")).collect();
    absent(owner, fields, span).help(format!("add {}", super::listed(lines.iter().map(String::as_str))))
}

/// A variant without the payload that it needs.
pub fn missing_payload(tag: &str, fields: &[&str], span: Span) -> Diagnostic {
    let entries: Vec<String> = fields.iter().map(|field| format!("{field} = …")).collect();
    absent(&format!("variant `{tag}`"), fields, span).help(format!("write `{tag} {{ {} }}`", entries.join(", ")))
}

fn absent(owner: &str, fields: &[&str], span: Span) -> Diagnostic {
    let names = super::listed(fields.iter().copied());
    let (noun, plural) = (noun(owner), if fields.len() == 1 { "" } else { "s" });
    Diagnostic::error(code::MISSING_FIELD, span, format!("{owner} needs the {noun}{plural} {names}"))
        .label("missing here")
}

/// One key written twice.
pub fn duplicate_key(key: &str, span: Span, first: Span) -> Diagnostic {
    Diagnostic::error(code::DUPLICATE_KEY, span, format!("`{key}` is given twice"))
        .label("again here")
        .also(first, "first here")
        .help("remove one of them")
}

/// A key whose form does not fit its place.
pub fn bad_key(owner: &str, span: Span) -> Diagnostic {
    Diagnostic::error(code::TYPE_MISMATCH, span, format!("the fields of {owner} are plain names"))
        .label("this key is computed")
        .help("write the field's name")
}

/// `{}` without an expected type.
pub fn empty(span: Span) -> Diagnostic {
    Diagnostic::error(code::TYPE_MISMATCH, span, "`{}` could be a record or a map, and nothing here says which")
        .label("of what type?")
        .help("write the type: `let x: Map[String] = {}`")
}
