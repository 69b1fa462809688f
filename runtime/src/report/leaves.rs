//! What differs between two inputs, leaf by leaf: `files["/srv/index.html"]` instead of "files".
//!
//! Guarantees: no secret's value is in here. Long values are cut: this is for people.

use imm_ir::{Content, Term, Value, reduce};
use serde::Serialize;
use std::collections::BTreeMap;

/// One place that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leaf {
    /// `env.PORT`, `files["/srv/index.html"]`
    pub path: String,
    /// What it was; absent when there was nothing.
    pub before: Option<String>,
    /// What it is; absent when there is nothing.
    pub after: Option<String>,
}

/// A term or a value inside of one.
#[derive(Clone, Copy)]
enum Part<'a> {
    Term(&'a Term),
    Value(&'a Value),
}

/// The first `most` places at which two inputs differ.
pub fn leaves(name: &str, old: Option<&Term>, new: Option<&Term>, most: usize) -> Vec<Leaf> {
    let mut found = Vec::new();
    walk(name.to_owned(), old.map(part), new.map(part), most, &mut found);
    found
}

fn part(term: &Term) -> Part<'_> {
    match term {
        Term::Value(value) => Part::Value(value),
        hole => Part::Term(hole),
    }
}

fn walk(path: String, old: Option<Part<'_>>, new: Option<Part<'_>>, most: usize, found: &mut Vec<Leaf>) {
    if found.len() >= most || same(old, new) {
        return;
    }
    if let (Some(before), Some(after)) = (old.and_then(children), new.and_then(children)) {
        let mut names: Vec<&String> = before.keys().chain(after.keys().filter(|k| !before.contains_key(*k))).collect();
        names.sort();
        for name in names {
            walk(format!("{path}{name}"), before.get(name).copied(), after.get(name).copied(), most, found);
        }
        return;
    }
    found.push(Leaf { path, before: old.map(shown), after: new.map(shown) });
}

fn same(old: Option<Part<'_>>, new: Option<Part<'_>>) -> bool {
    match (old, new) {
        (None, None) => true,
        (Some(Part::Term(a)), Some(Part::Term(b))) => a == b,
        (Some(Part::Value(a)), Some(Part::Value(b))) => a == b,
        _other => false,
    }
}

/// What is inside of maps, lists and records, by how the path goes on. Empty ones are leaves.
fn children(part: Part<'_>) -> Option<BTreeMap<String, Part<'_>>> {
    let (field, key) = (|name: &str| format!(".{name}"), |key: &str| format!("[{key:?}]"));
    let found: BTreeMap<String, Part<'_>> = match part {
        Part::Value(Value::List(items)) => {
            items.iter().enumerate().map(|(i, v)| (format!("[{i}]"), Part::Value(v))).collect()
        }
        Part::Value(Value::Map(map)) => map.iter().map(|(k, v)| (key(k.as_str()), Part::Value(v))).collect(),
        Part::Value(Value::Record(fields)) => fields.iter().map(|(k, v)| (field(k), Part::Value(v))).collect(),
        Part::Term(Term::List(items)) => {
            items.iter().enumerate().map(|(i, t)| (format!("[{i}]"), self::part(t))).collect()
        }
        Part::Term(Term::Map(map)) => map.iter().map(|(k, t)| (key(k.as_str()), self::part(t))).collect(),
        Part::Term(Term::Record(fields)) => fields.iter().map(|(k, t)| (field(k), self::part(t))).collect(),
        _leaf => return None,
    };
    (!found.is_empty()).then_some(found)
}

fn shown(part: Part<'_>) -> String {
    match part {
        Part::Value(value) => self::value(value),
        Part::Term(Term::Output(addr, field)) => format!("{addr}.{field}"),
        Part::Term(term) if term.has_secret() => "[secret]".to_owned(),
        Part::Term(_) => "(known after create)".to_owned(),
    }
}

/// A value as programs write it, in one short line.
pub fn value(value: &Value) -> String {
    match value {
        _secret if value.has_secret() => "[secret]".to_owned(),
        Value::None => "none".to_owned(),
        Value::String(text) => cut(format!("{text:?}")),
        Value::Node(addr) => addr.to_string(),
        Value::Content(Content::Bytes(blob)) => {
            let digest: String = imm_ir::Digest::of(&blob.bytes).hex().chars().take(8).collect();
            format!("{} bytes {digest}", blob.bytes.len())
        }
        Value::Content(Content::Tree(files)) => format!("{} files", files.len()),
        Value::Content(Content::Executable(executable)) => {
            let digest: String = executable.program.digest.hex().chars().take(8).collect();
            format!("program {digest}")
        }
        Value::Content(Content::Image(image)) => {
            let digest: String = image.digest.hex().chars().take(8).collect();
            format!("image {digest}")
        }
        Value::Duration(_) | Value::Bytes(_) | Value::Ratio(_) | Value::Cpu(_) => reduce::shown(value),
        Value::Variant(tag, fields) if fields.is_empty() => tag.to_string(),
        Value::Variant(tag, fields) => {
            let fields: Vec<String> = fields.iter().map(|(k, v)| format!("{k} = {}", self::value(v))).collect();
            cut(format!("{tag} {{ {} }}", fields.join(", ")))
        }
        other => cut(super::value(other).to_string()),
    }
}

fn cut(text: String) -> String {
    if text.chars().count() <= 60 {
        return text;
    }
    let mut short: String = text.chars().take(57).collect();
    short.push_str("...");
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use imm_ir::Key;

    fn map(entries: &[(&str, Value)]) -> Term {
        Term::Value(Value::Map(entries.iter().map(|(k, v)| (Key::from(*k), v.clone())).collect()))
    }

    fn told(old: &Term, new: &Term) -> Vec<String> {
        let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
        let found = leaves("env", Some(old), Some(new), 9);
        found.iter().map(|l| format!("{} {} {}", l.path, text(&l.before), text(&l.after))).collect()
    }

    #[test]
    fn the_place_that_differs_is_named() {
        let old = map(&[("A", Value::Int(1)), ("B", Value::text("x")), ("C", Value::None)]);
        let new = map(&[("B", Value::text("y")), ("C", Value::None), ("D", Value::Bytes(1024))]);
        assert_eq!(told(&old, &new), [r#"env["A"] 1 -"#, r#"env["B"] "x" "y""#, r#"env["D"] - 1KiB"#]);
        assert_eq!(told(&old, &old), Vec::<String>::new());
        assert_eq!(leaves("env", Some(&old), Some(&new), 1).len(), 1);
    }

    #[test]
    fn secrets_do_not_show() {
        let (old, new) = (Value::text("hush").into_secret(), Value::text("hash").into_secret());
        assert_eq!(told(&map(&[("K", old)]), &map(&[("K", new)])), [r#"env["K"] [secret] [secret]"#]);
    }
}
