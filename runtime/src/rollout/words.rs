//! Why a gate does not hold, in the words of the program: the parts of its `&&` that do not, with what was seen.

use super::sample::Samples;
use imm_ir::builtin::Builtin;
use imm_ir::reduce::shown;
use imm_ir::{Term, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The parts that fail, each with the numbers that it looks at.
pub fn why(condition: &Term, new: &Samples, old: &Samples, fails: &dyn Fn(&Arc<Term>) -> bool) -> String {
    let Term::Lambda { first, body, .. } = condition else { return "it is not a gate".to_owned() };
    let mut parts = Vec::new();
    conjuncts(body, &mut parts);
    let failed: Vec<String> = parts
        .into_iter()
        .filter(|part| fails(part))
        .map(|part| {
            let mut fields = BTreeSet::new();
            looked_at(part, *first, &mut fields);
            let seen = fields.into_iter().filter_map(|(side, field)| {
                let value = if side == 0 { new } else { old }.value().get(&field).cloned()?;
                Some(format!("{}.{field} is {}", name(side), literal(&value)))
            });
            let seen: Vec<String> = seen.collect();
            format!("{} does not hold: {}", text(part, *first, 0), seen.join(", "))
        })
        .collect();
    if failed.is_empty() { format!("{} does not hold", text(body, *first, 0)) } else { failed.join("; ") }
}

/// A gate as text.
pub fn shape(condition: &Term) -> String {
    match condition {
        Term::Lambda { first, body, .. } => format!("(new, old) => {}", text(body, *first, 0)),
        other => format!("{other:?}"),
    }
}

fn conjuncts<'t>(term: &'t Arc<Term>, parts: &mut Vec<&'t Arc<Term>>) {
    match &**term {
        Term::Call(Builtin::Operator(sign), args) if &**sign == "&&" => {
            args.iter().for_each(|arg| conjuncts(arg, parts));
        }
        _part => parts.push(term),
    }
}

fn name(side: u32) -> &'static str {
    if side == 0 { "new" } else { "old" }
}

fn looked_at(term: &Term, first: u32, found: &mut BTreeSet<(u32, String)>) {
    match term {
        Term::Call(Builtin::Field(field), args) => match args.first().map(|arg| &**arg) {
            Some(Term::Var(n)) if *n >= first => _ = found.insert((n - first, field.to_string())),
            Some(base) => looked_at(base, first, found),
            None => {}
        },
        Term::Call(_, args) => args.iter().for_each(|arg| looked_at(arg, first, found)),
        Term::If(a, b, c) => [a, b, c].into_iter().for_each(|part| looked_at(part, first, found)),
        Term::List(items) => items.iter().for_each(|item| looked_at(item, first, found)),
        _leaf => {}
    }
}

/// As it would be written. `around`: how strongly what stands around it binds.
fn text(term: &Term, first: u32, around: u8) -> String {
    match term {
        Term::Value(value) => literal(value),
        Term::Var(n) => name(n.saturating_sub(first)).to_owned(),
        Term::Call(Builtin::Field(field), args) => {
            format!("{}.{field}", args.first().map_or_else(String::new, |base| text(base, first, 9)))
        }
        Term::Call(Builtin::Method(method), args) => {
            let mut args = args.iter().map(|arg| text(arg, first, 0));
            let receiver = args.next().unwrap_or_default();
            format!("{receiver}.{method}({})", args.collect::<Vec<_>>().join(", "))
        }
        Term::Call(Builtin::Operator(sign), args) => {
            let binds = strength(sign);
            let whole = match args.as_slice() {
                [one] => format!("{}{}", if &**sign == "neg" { "-" } else { sign }, text(one, first, 9)),
                [left, right] => {
                    format!("{} {sign} {}", text(left, first, binds), text(right, first, binds + 1))
                }
                _other => sign.to_string(),
            };
            if binds < around { format!("({whole})") } else { whole }
        }
        Term::If(condition, then, otherwise) => {
            let [condition, then, otherwise] = [condition, then, otherwise].map(|part| text(part, first, 0));
            format!("(if {condition} then {then} else {otherwise})")
        }
        other => format!("{other:?}"),
    }
}

fn strength(sign: &str) -> u8 {
    match sign {
        "||" => 1,
        "&&" => 2,
        "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" => 3,
        "??" => 4,
        "+" | "-" => 6,
        "*" | "/" => 7,
        _unary => 8,
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        other => shown(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::gate::tests::usual;
    use super::*;

    #[test]
    fn a_gate_reads_as_it_was_written() {
        assert_eq!(
            shape(&usual().condition),
            "(new, old) => new.errors <= old.errors + 1% && new.p99 < 250ms && new.restarts == 0"
        );
    }
}
