//! Methods of lists; a range is the list of its numbers.

use super::operator::{arithmetic, compare};
use super::{ELEMENTS, ReduceError, Reducer, Result};
use crate::{Digest, Encoder, Key, Term, Value};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// The elements, if which ones there are is known.
fn items(term: &Term) -> Result<Option<Vec<Term>>> {
    Ok(match term {
        Term::Value(value @ (Value::List(_) | Value::Range(..))) => {
            Some(values(value)?.iter().cloned().map(Term::Value).collect())
        }
        Term::List(items) => Some(items.clone()),
        _other => None,
    })
}

fn values(value: &Value) -> Result<Cow<'_, [Value]>> {
    match value {
        Value::List(items) => Ok(Cow::Borrowed(items)),
        Value::Range(from, to) => {
            let many = to.checked_sub(*from).and_then(|n| usize::try_from(n).ok());
            if to > from && many.is_none_or(|n| n > ELEMENTS) {
                return Err(ReduceError::budget());
            }
            Ok(Cow::Owned((*from..*to).map(Value::Int).collect()))
        }
        _other => Err(ReduceError::mismatch("a list is needed here")),
    }
}

fn count(n: usize) -> Term {
    Term::Value(Value::Int(i64::try_from(n).unwrap_or(i64::MAX)))
}

fn length(list: &Term) -> Option<usize> {
    match list {
        Term::Value(Value::List(items)) => Some(items.len()),
        Term::List(items) => Some(items.len()),
        Term::Value(Value::Range(from, to)) => usize::try_from(to.saturating_sub(*from).max(0)).ok(),
        _other => None,
    }
}

/// An element, or `none`.
fn at(list: &Term, index: Option<usize>) -> Term {
    let found = index.and_then(|n| match list {
        Term::Value(Value::List(items)) => items.get(n).cloned().map(Term::Value),
        Term::List(items) => items.get(n).cloned(),
        Term::Value(Value::Range(from, to)) => {
            let number = i64::try_from(n).ok().and_then(|n| from.checked_add(n)).filter(|number| number < to);
            number.map(|number| Term::Value(Value::Int(number)))
        }
        _other => None,
    });
    found.unwrap_or(Term::Value(Value::None))
}

fn truth(term: &Term) -> Option<bool> {
    match term {
        Term::Value(Value::Bool(b)) => Some(*b),
        _hole => None,
    }
}

/// Methods that do not look into elements themselves. `None`: not one of them, or not enough is known.
pub(super) fn structural(reducer: &mut Reducer<'_>, name: &str, args: &[Arc<Term>]) -> Result<Option<Term>> {
    let Some((receiver, rest)) = args.split_first() else { return Ok(None) };
    if name == "optional.map" {
        return optional_map(reducer, receiver, rest);
    }
    if let (Term::Value(Value::Range(from, to)), "len") = (receiver.as_ref(), name) {
        return Ok(Some(Term::Value(Value::Int(to.saturating_sub(*from).max(0)))));
    }
    if !matches!(receiver.as_ref(), Term::Value(Value::List(_) | Value::Range(..)) | Term::List(_)) {
        return Ok(None);
    }
    // Without a copy of the list: these are asked inside of loops over it.
    match (name, rest) {
        ("len", []) => return Ok(length(receiver).map(count)),
        ("first", []) => return Ok(Some(at(receiver, Some(0)))),
        ("last", []) => return Ok(Some(at(receiver, length(receiver).and_then(|n| n.checked_sub(1))))),
        ("get", [index]) => {
            let Term::Value(Value::Int(index)) = index.as_ref() else { return Ok(None) };
            return Ok(Some(at(receiver, usize::try_from(*index).ok())));
        }
        _other => {}
    }
    match (name, rest) {
        ("map", [f]) => {
            let Some(all) = items(receiver)? else { return Ok(None) };
            let mapped = all.iter().map(|item| reducer.call(f, std::slice::from_ref(item)));
            Ok(Some(Term::list(mapped.collect::<Result<_>>()?)))
        }
        ("filter", [f]) => filter(reducer, receiver, f),
        ("any", [f]) => search(reducer, receiver, f, true),
        ("all", [f]) => search(reducer, receiver, f, false),
        ("fold", [start, f]) => {
            let Some(all) = items(receiver)? else { return Ok(None) };
            let mut so_far = start.as_ref().clone();
            for item in all {
                so_far = reducer.call(f, &[so_far, item])?;
                if so_far.is_deeper_than(super::DEPTH) {
                    return Err(ReduceError::budget());
                }
            }
            Ok(Some(so_far))
        }
        ("sort_by", [f]) => sort_by(reducer, receiver, f),
        ("group_by", [f]) => group_by(reducer, receiver, f),
        ("zip", [other]) => {
            let (Some(left), Some(right)) = (items(receiver)?, items(other)?) else { return Ok(None) };
            let pairs = left.into_iter().zip(right);
            let record = |(a, b)| Term::record([(Arc::from("first"), a), (Arc::from("second"), b)].into());
            Ok(Some(Term::list(pairs.map(record).collect())))
        }
        ("chunk", [size]) => {
            let Term::Value(Value::Int(size)) = size.as_ref() else { return Ok(None) };
            let Some(size) = usize::try_from(*size).ok().filter(|n| *n > 0) else {
                return Err(ReduceError::range(format!("a list cannot be cut into pieces of {size}"))
                    .help("the size is at least 1"));
            };
            Ok(items(receiver)?.map(|all| Term::list(all.chunks(size).map(|c| Term::list(c.to_vec())).collect())))
        }
        ("flatten", []) => {
            let Some(lists) = items(receiver)? else { return Ok(None) };
            let mut flat = Vec::new();
            for list in &lists {
                let Some(inner) = items(list)? else { return Ok(None) };
                flat.extend(inner);
                if flat.len() > ELEMENTS {
                    return Err(ReduceError::budget());
                }
            }
            Ok(Some(Term::list(flat)))
        }
        _other => Ok(None),
    }
}

fn optional_map(reducer: &mut Reducer<'_>, receiver: &Term, rest: &[Arc<Term>]) -> Result<Option<Term>> {
    let [f] = rest else { return Ok(None) };
    match receiver {
        Term::Value(Value::None) => Ok(Some(Term::Value(Value::None))),
        Term::Value(_) | Term::List(_) | Term::Map(_) | Term::Record(_) | Term::Variant(..) | Term::Secret(_) => {
            reducer.call(f, std::slice::from_ref(receiver)).map(Some)
        }
        Term::Output(..) | Term::Call(..) | Term::If(..) | Term::Lambda { .. } | Term::Var(_) => Ok(None),
    }
}

/// Results of a test of each element: `None` if one is not known. The Bool says whether one was secret.
fn tests(reducer: &mut Reducer<'_>, all: &[Term], f: &Term) -> Result<(Vec<Option<bool>>, bool)> {
    let mut secret = false;
    let mut results = Vec::with_capacity(all.len());
    for item in all {
        let result = reducer.call(f, std::slice::from_ref(item))?;
        secret |= result.is_secret();
        results.push(truth(&result.revealed()));
    }
    Ok((results, secret))
}

fn marked(term: Term, secret: bool) -> Term {
    if secret { term.into_secret() } else { term }
}

fn filter(reducer: &mut Reducer<'_>, receiver: &Term, f: &Term) -> Result<Option<Term>> {
    let Some(all) = items(receiver)? else { return Ok(None) };
    let (results, secret) = tests(reducer, &all, f)?;
    let Some(passed) = results.into_iter().collect::<Option<Vec<bool>>>() else { return Ok(None) };
    let kept = all.into_iter().zip(passed).filter_map(|(item, passed)| passed.then_some(item)).collect();
    Ok(Some(marked(Term::list(kept), secret)))
}

/// `any` looks for `true`, `all` for `false`.
fn search(reducer: &mut Reducer<'_>, receiver: &Term, f: &Term, wanted: bool) -> Result<Option<Term>> {
    let Some(all) = items(receiver)? else { return Ok(None) };
    let (results, secret) = tests(reducer, &all, f)?;
    let found = results.contains(&Some(wanted));
    if !found && results.contains(&None) {
        return Ok(None);
    }
    Ok(Some(marked(Term::Value(Value::Bool(found == wanted)), secret)))
}

fn keys(reducer: &mut Reducer<'_>, all: &[Term], f: &Term) -> Result<Option<(Vec<Value>, bool)>> {
    let mut secret = false;
    let mut keys = Vec::with_capacity(all.len());
    for item in all {
        let key = reducer.call(f, std::slice::from_ref(item))?;
        secret |= key.is_secret();
        match key.revealed() {
            Term::Value(key) => keys.push(key),
            _hole => return Ok(None),
        }
    }
    Ok(Some((keys, secret)))
}

fn sort_by(reducer: &mut Reducer<'_>, receiver: &Term, f: &Term) -> Result<Option<Term>> {
    let Some(all) = items(receiver)? else { return Ok(None) };
    let Some((keys, secret)) = keys(reducer, &all, f)? else { return Ok(None) };
    let mut keyed: Vec<(Value, Term)> = keys.into_iter().zip(all).collect();
    keyed.sort_by(|(a, _), (b, _)| compare(a, b).unwrap_or(Ordering::Equal));
    Ok(Some(marked(Term::list(keyed.into_iter().map(|(_, item)| item).collect()), secret)))
}

fn group_by(reducer: &mut Reducer<'_>, receiver: &Term, f: &Term) -> Result<Option<Term>> {
    let Some(all) = items(receiver)? else { return Ok(None) };
    let Some((keys, secret)) = keys(reducer, &all, f)? else { return Ok(None) };
    let mut groups: BTreeMap<Key, Vec<Term>> = BTreeMap::new();
    for (key, item) in keys.into_iter().zip(all) {
        let Value::String(key) = key else { return Err(ReduceError::mismatch("groups are named by texts")) };
        groups.entry(Key(key)).or_default().push(item);
    }
    Ok(Some(marked(Term::map(groups.into_iter().map(|(k, v)| (k, Term::list(v))).collect()), secret)))
}

/// Methods that look into elements, over known ones.
pub(super) fn method(name: &str, args: &[&Value]) -> Result<Value> {
    let unfit = || ReduceError::mismatch(format!("a list has no method `{name}` with these arguments"));
    let (receiver, rest) = args.split_first().ok_or_else(unfit)?;
    let all = values(receiver)?;
    match (name, rest) {
        ("distinct", []) => Ok(Value::List(distinct(&all))),
        // The second argument is the zero of the element's type: an empty list does not tell its unit.
        ("sum", zero) => {
            let start = zero.first().copied().cloned().unwrap_or(match all.first() {
                Some(Value::Duration(_)) => Value::Duration(0),
                Some(Value::Bytes(_)) => Value::Bytes(0),
                Some(Value::Ratio(_)) => Value::Ratio(0),
                Some(Value::Cpu(_)) => Value::Cpu(0),
                _number => Value::Int(0),
            });
            all.iter().try_fold(start, |sum, item| arithmetic("+", &sum, item))
        }
        ("min", []) => Ok(extreme(&all, Ordering::Less)),
        ("max", []) => Ok(extreme(&all, Ordering::Greater)),
        ("join", [Value::String(separator)]) => {
            let mut out = String::new();
            for (i, item) in all.iter().enumerate() {
                if i > 0 {
                    out.push_str(separator);
                }
                out.push_str(item.as_text().ok_or_else(unfit)?);
                super::text::bounded(out.len())?;
            }
            Ok(Value::text(out))
        }
        // What a `{ for … }` over a late list becomes: pairs of a key and a value.
        ("from_pairs", []) => {
            let mut map = BTreeMap::new();
            for pair in all.iter() {
                let (Some(Value::String(key)), Some(value)) = (pair.get("first"), pair.get("second")) else {
                    return Err(unfit());
                };
                if map.insert(Key(Arc::clone(key)), value.clone()).is_some() {
                    return Err(ReduceError::new(
                        super::Problem::DuplicateKey,
                        format!("the key \"{key}\" occurs twice"),
                    ));
                }
            }
            Ok(Value::Map(map))
        }
        _other => Err(unfit()),
    }
}

fn extreme(all: &[Value], wanted: Ordering) -> Value {
    let mut found: Option<&Value> = None;
    for item in all {
        if found.is_none_or(|best| compare(item, best) == Some(wanted)) {
            found = Some(item);
        }
    }
    found.cloned().unwrap_or(Value::None)
}

fn distinct(all: &[Value]) -> Vec<Value> {
    // Numbers and texts by hash, what is made of several values by digest.
    let mut seen: HashSet<(u8, i64)> = HashSet::new();
    let mut texts: HashSet<&str> = HashSet::new();
    let mut others: HashSet<Digest> = HashSet::new();
    let mut kept: Vec<Value> = Vec::new();
    for item in all {
        let new = match item {
            Value::String(text) => texts.insert(text),
            Value::Int(n) => seen.insert((0, *n)),
            Value::Duration(n) => seen.insert((1, *n)),
            Value::Bytes(n) => seen.insert((2, *n)),
            Value::Ratio(n) => seen.insert((3, *n)),
            Value::Cpu(n) => seen.insert((4, *n)),
            other => {
                let mut out = Encoder::new("imm.distinct");
                other.encode(&mut out);
                others.insert(out.finish())
            }
        };
        if new {
            kept.push(item.clone());
        }
    }
    kept
}
