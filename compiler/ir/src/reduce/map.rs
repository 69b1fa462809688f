//! Methods of maps. Which keys there are is always known, so most fold although values have holes.

use super::{Problem, ReduceError, Reducer, Result};
use crate::{Key, Term, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn entries(term: &Term) -> Option<BTreeMap<Key, Term>> {
    match term {
        Term::Value(Value::Map(map)) => Some(map.iter().map(|(k, v)| (k.clone(), Term::Value(v.clone()))).collect()),
        Term::Map(map) => Some(map.clone()),
        _other => None,
    }
}

fn key_term(key: &Key) -> Term {
    Term::Value(Value::String(Arc::clone(&key.0)))
}

/// Calls a function of the value, or of key and value.
fn entry_call(reducer: &mut Reducer<'_>, f: &Term, key: &Key, value: Term) -> Result<Term> {
    match f {
        Term::Lambda { arity: 1, .. } => reducer.call(f, &[value]),
        _pair => reducer.call(f, &[key_term(key), value]),
    }
}

/// Methods of maps. `None`: not one of them, or not enough is known.
pub(super) fn structural(reducer: &mut Reducer<'_>, name: &str, args: &[Arc<Term>]) -> Result<Option<Term>> {
    let Some((receiver, rest)) = args.split_first() else { return Ok(None) };
    // Without a copy of the map: these are asked inside of loops over it.
    match (name, receiver.as_ref(), rest) {
        ("get", Term::Value(Value::Map(map)), [key]) => {
            let Term::Value(Value::String(key)) = key.as_ref() else { return Ok(None) };
            return Ok(Some(Term::Value(map.get(&Key(Arc::clone(key))).cloned().unwrap_or(Value::None))));
        }
        ("get", Term::Map(map), [key]) => {
            let Term::Value(Value::String(key)) = key.as_ref() else { return Ok(None) };
            let found = map.get(&Key(Arc::clone(key))).cloned();
            return Ok(Some(found.unwrap_or(Term::Value(Value::None))));
        }
        ("len", Term::Value(Value::Map(map)), []) => return Ok(Some(count(map.len()))),
        ("len", Term::Map(map), []) => return Ok(Some(count(map.len()))),
        _other => {}
    }
    let Some(map) = entries(receiver) else { return Ok(None) };
    Ok(Some(match (name, rest) {
        ("keys", []) => Term::list(map.keys().map(key_term).collect()),
        ("values", []) => Term::list(map.into_values().collect()),
        ("map", [f]) => {
            let mapped = map.into_iter().map(|(k, v)| Ok((k.clone(), entry_call(reducer, f, &k, v)?)));
            Term::map(mapped.collect::<Result<_>>()?)
        }
        ("filter", [f]) => {
            let (mut kept, mut secret) = (BTreeMap::new(), false);
            for (key, value) in map {
                let result = entry_call(reducer, f, &key, value.clone())?;
                secret |= result.is_secret();
                match result.revealed() {
                    Term::Value(Value::Bool(true)) => _ = kept.insert(key, value),
                    Term::Value(_) => {}
                    _hole => return Ok(None),
                }
            }
            let kept = Term::map(kept);
            if secret { kept.into_secret() } else { kept }
        }
        ("pick" | "omit", [keys]) => {
            let Some(keys) = texts(keys) else { return Ok(None) };
            let wanted = name == "pick";
            if wanted && let Some(missing) = keys.iter().find(|k| !map.contains_key(*k)) {
                return Err(ReduceError::range(format!("there is no key \"{missing}\" in this map")));
            }
            Term::map(map.into_iter().filter(|(k, _)| keys.contains(k) == wanted).collect())
        }
        ("merge_disjoint", [other]) => {
            let Some(other) = entries(other) else { return Ok(None) };
            if let Some(twice) = other.keys().find(|k| map.contains_key(*k)) {
                return Err(ReduceError::new(Problem::DuplicateKey, format!("both maps have the key \"{twice}\"")));
            }
            Term::map(map.into_iter().chain(other).collect())
        }
        _other => return Ok(None),
    }))
}

fn count(n: usize) -> Term {
    Term::Value(Value::Int(i64::try_from(n).unwrap_or(i64::MAX)))
}

fn texts(term: &Term) -> Option<BTreeSet<Key>> {
    let Term::Value(Value::List(items)) = term else { return None };
    items
        .iter()
        .map(|item| match item {
            Value::String(text) => Some(Key(Arc::clone(text))),
            _other => None,
        })
        .collect()
}
