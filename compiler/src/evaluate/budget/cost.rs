//! What things take, in the units of the budget: elements and texts that are read, made and copied, and bytes that stay.

use imm_ir::builtin::Builtin;
use imm_ir::{Content, Key, Term, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of text that are made with one unit of work.
const TEXT: usize = 16;
/// What a map, record or payload takes beside its entries.
const TREE: u64 = 10;

/// As a number of bytes.
pub(in crate::evaluate) fn many(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Bytes that a term takes beside its own place; what others hold too is left out.
pub(in crate::evaluate) fn bytes(term: &Term) -> u64 {
    let each = |n: usize, size: usize| many(n.saturating_mul(size));
    let named = size_of::<(Arc<str>, Term)>();
    match term {
        Term::Value(value) => bytes_of(value),
        Term::List(items) => each(items.len(), size_of::<Term>()) + items.iter().map(bytes).sum::<u64>(),
        Term::Map(map) => tree(map, bytes),
        Term::Record(fields) | Term::Variant(_, fields) => {
            each(fields.len(), named) + fields.values().map(bytes).sum::<u64>()
        }
        Term::Call(_, args) => args.iter().map(shared).sum(),
        Term::If(a, b, c) => shared(a) + shared(b) + shared(c),
        Term::Secret(inner) | Term::Lambda { body: inner, .. } => shared(inner),
        Term::Output(..) | Term::Var(_) => 0,
    }
}

fn shared(term: &Arc<Term>) -> u64 {
    if Arc::strong_count(term) == 1 { many(size_of::<Term>() + 16) + bytes(term) } else { 0 }
}

/// What a map takes for its entries: a tree has places for eleven at least, and every second one is empty.
fn tree<T>(map: &BTreeMap<Key, T>, each: impl Fn(&T) -> u64) -> u64 {
    let places = if map.is_empty() { 0 } else { map.len().saturating_mul(2).max(11) };
    let inside: u64 = map.iter().map(|(Key(key), value)| own_text(key) + each(value)).sum();
    many(places.saturating_mul(size_of::<(Key, T)>())) + inside
}

fn own_text(text: &Arc<str>) -> u64 {
    if Arc::strong_count(text) == 1 { many(text.len() + 16) } else { 0 }
}

fn bytes_of(value: &Value) -> u64 {
    let blob = |bytes: &Arc<[u8]>| if Arc::strong_count(bytes) == 1 { many(bytes.len() + 16) } else { 0 };
    match value {
        Value::String(text) => own_text(text),
        Value::List(items) => many(items.len() * size_of::<Value>()) + items.iter().map(bytes_of).sum::<u64>(),
        Value::Map(map) => tree(map, bytes_of),
        Value::Record(fields) | Value::Variant(_, fields) => {
            many(fields.len() * size_of::<(Arc<str>, Value)>()) + fields.values().map(bytes_of).sum::<u64>()
        }
        Value::Secret(inner) => many(size_of::<Value>()) + bytes_of(inner),
        Value::Content(Content::Bytes(blob_of)) => blob(&blob_of.bytes),
        Value::Content(Content::Tree(files)) => files.values().map(|file| 100 + blob(&file.bytes)).sum(),
        _flat => 0,
    }
}

/// What a builtin takes to read its arguments, counted up to about `limit`.
pub(in crate::evaluate) fn cost(builtin: &Builtin, args: &[Arc<Term>], limit: u64) -> u64 {
    let all = || args.iter().fold(0, |sum: u64, arg| sum.saturating_add(weight(arg, limit)));
    let letters = || args.iter().fold(0, |sum: u64, arg| sum.saturating_add(of_text(text(arg))));
    match builtin {
        Builtin::Field(_) | Builtin::Is(_) => 0,
        Builtin::Concat => letters(),
        Builtin::Operator(sign) => match (&**sign, args) {
            ("in", [_, map]) if matches!(**map, Term::Map(_) | Term::Value(Value::Map(_) | Value::Range(..))) => 0,
            ("+" | "==" | "!=" | "in" | "<" | "<=" | ">" | ">=", [left, right]) => match (&**left, &**right) {
                (Term::Value(Value::Int(_)), Term::Value(Value::Int(_))) => 0,
                (Term::Value(Value::String(_)), Term::Value(Value::String(_))) if **sign != *"+" => letters() / 16,
                _compound => all() + letters(),
            },
            _cheap => 0,
        },
        Builtin::Method(name) => match (&**name, args) {
            ("get" | "first" | "last", _) => 0,
            ("len", [receiver]) => match &**receiver {
                Term::Value(Value::String(text)) => of_text(text.len()),
                _counted => 0,
            },
            // Each character is tried at each place of the pattern.
            ("matches", [_, pattern]) => 50 + letters().saturating_mul(1 + of_text(text(pattern)) * 8) * 8,
            ("sort_by", _) => all().saturating_mul(4),
            (_, [receiver, ..]) => all().saturating_mul(2) + letters() + walked(receiver, limit),
            (_, []) => 0,
        },
        Builtin::Function(_) => 10 + all() + letters().saturating_mul(4),
    }
}

/// What a builtin's result takes.
pub(in crate::evaluate) fn cost_of_result(builtin: &Builtin, result: &Term, limit: u64) -> u64 {
    let made = match builtin {
        Builtin::Concat | Builtin::Function(_) => text(result),
        Builtin::Operator(sign) if **sign == *"+" => text(result),
        Builtin::Method(name) if !matches!(&**name, "get" | "first" | "last" | "map" | "filter" | "fold") => {
            text(result)
        }
        _shares => 0,
    };
    match result {
        // Refers to what was paid.
        Term::Call(..) => 1,
        folded => weight(folded, limit).saturating_add(of_text(made)),
    }
}

fn of_text(bytes: usize) -> u64 {
    u64::try_from(bytes / TEXT).unwrap_or(u64::MAX)
}

/// How many elements a term has at any depth, counted up to `limit`: what it takes to copy it.
pub(in crate::evaluate) fn weight(term: &Term, limit: u64) -> u64 {
    let mut left = limit;
    weigh(term, &mut left);
    limit - left
}

/// What it takes to go through something: a range is made of numbers then.
pub(in crate::evaluate) fn walked(term: &Term, limit: u64) -> u64 {
    match term {
        Term::Value(Value::Range(from, to)) => {
            u64::try_from(to.saturating_sub(*from)).unwrap_or(0).saturating_mul(2).min(limit)
        }
        other => weight(other, limit),
    }
}

/// How many rounds a loop over this has.
pub(in crate::evaluate) fn rounds(term: &Term) -> usize {
    match term {
        Term::Value(Value::Range(from, to)) => usize::try_from(to.saturating_sub(*from)).unwrap_or(0),
        Term::Value(Value::List(items)) => items.len(),
        Term::Value(Value::Map(map)) => map.len(),
        Term::List(items) => items.len(),
        Term::Map(map) => map.len(),
        _no_loop => 0,
    }
}

fn weigh(term: &Term, left: &mut u64) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    if matches!(term, Term::Map(_) | Term::Record(_) | Term::Variant(..)) {
        *left = left.saturating_sub(TREE);
    }
    match term {
        Term::Value(value) => weigh_value(value, left),
        Term::List(items) => items.iter().for_each(|t| weigh(t, left)),
        Term::Map(map) => map.values().for_each(|t| weigh(t, left)),
        Term::Record(fields) | Term::Variant(_, fields) => fields.values().for_each(|t| weigh(t, left)),
        // Shared, not copied.
        Term::Output(..) | Term::Secret(_) | Term::Call(..) | Term::If(..) | Term::Lambda { .. } | Term::Var(_) => {}
    }
}

fn weigh_value(value: &Value, left: &mut u64) {
    let mut inside = |value: &Value| {
        if *left > 0 {
            *left -= 1;
            weigh_value(value, left);
        }
    };
    match value {
        Value::List(items) => items.iter().for_each(inside),
        Value::Map(map) => map.values().for_each(inside),
        Value::Record(fields) | Value::Variant(_, fields) => fields.values().for_each(inside),
        Value::Secret(value) => inside(value),
        _leaf => {}
    }
    let is_tree = match value {
        Value::Map(map) => !map.is_empty(),
        Value::Record(fields) | Value::Variant(_, fields) => !fields.is_empty(),
        _flat => false,
    };
    if is_tree {
        *left = left.saturating_sub(TREE);
    }
}

/// Bytes of the texts in a term, keys left out.
pub(in crate::evaluate) fn text(term: &Term) -> usize {
    match term {
        Term::Value(value) => text_of(value),
        Term::List(items) => items.iter().map(text).sum(),
        Term::Map(map) => map.values().map(text).sum(),
        Term::Record(fields) | Term::Variant(_, fields) => fields.values().map(text).sum(),
        _shared => 0,
    }
}

fn text_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(text_of).sum(),
        Value::Map(map) => map.iter().map(|(Key(key), value)| key.len() + text_of(value)).sum(),
        Value::Record(fields) | Value::Variant(_, fields) => fields.values().map(text_of).sum(),
        Value::Secret(inner) => text_of(inner),
        _leaf => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_takes_nothing() {
        let text: Arc<str> = Arc::from("x".repeat(1000));
        let list = |text: &Arc<str>| Term::Value(Value::List(vec![Value::String(Arc::clone(text)); 2]));
        assert_eq!(bytes(&list(&text)), many(2 * size_of::<Value>()));
        assert_eq!(bytes(&Term::Value(Value::text("x".repeat(1000)))), 1016);
    }

    #[test]
    fn weights_count_to_the_limit() {
        let ten = Value::List(vec![Value::Int(1); 10]);
        let term = Term::Value(Value::List(vec![ten; 10]));
        assert_eq!(weight(&term, 1000), 111);
        assert_eq!(weight(&term, 50), 50);
        assert_eq!(weight(&Term::Value(Value::Range(0, 1 << 40)), 1000), 1);
        assert_eq!(walked(&Term::Value(Value::Range(0, 1 << 40)), 1000), 1000);
        assert_eq!(text(&Term::Value(Value::List(vec![Value::text("abc"); 3]))), 9);
    }
}
