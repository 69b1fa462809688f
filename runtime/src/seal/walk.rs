//! Every secret in a value, term or graph, sealed or opened. Below a [`Term::Secret`] the marks of its parts are taken off:
//! there every known part is a secret.

use super::{SealError, Vault};
use imm_ir::{Digest, Fields, Graph, KindSchema, Term, Value, spec};
use std::collections::BTreeSet;
use std::sync::Arc;

type Result<T> = std::result::Result<T, SealError>;

/// A change of known parts; told whether they are inside of a secret.
type Change<'a> = &'a dyn Fn(&Value, bool) -> Result<Value>;

impl Vault {
    /// A value with all its secrets sealed.
    ///
    /// # Errors
    /// The key cannot be had.
    pub fn sealed(&self, value: &Value) -> Result<Value> {
        each(value, &|v| match v {
            Value::Secret(inner) => Some(self.whole(inner)),
            _plain => None,
        })
    }

    /// A value with all its secrets opened, still marked.
    ///
    /// # Errors
    /// One is not there, damaged or sealed for others.
    pub fn opened(&self, value: &Value) -> Result<Value> {
        each(value, &|v| match v {
            Value::Sealed(name) => Some(self.open(name).map(Value::into_secret)),
            _other => None,
        })
    }

    /// As [`sealed`](Self::sealed), for named values.
    ///
    /// # Errors
    /// The key cannot be had.
    pub fn sealed_fields(&self, fields: &Fields<Value>) -> Result<Fields<Value>> {
        fields.iter().map(|(name, value)| Ok((name.clone(), self.sealed(value)?))).collect()
    }

    /// As [`opened`](Self::opened), for named values.
    ///
    /// # Errors
    /// One is not there, damaged or sealed for others.
    pub fn opened_fields(&self, fields: &Fields<Value>) -> Result<Fields<Value>> {
        fields.iter().map(|(name, value)| Ok((name.clone(), self.opened(value)?))).collect()
    }

    /// A term with all its secrets opened, to be computed with.
    ///
    /// # Errors
    /// One is not there, damaged or sealed for others.
    pub fn opened_term(&self, term: &Term) -> Result<Term> {
        let open = |value: &Value, inside: bool| {
            let opened = self.opened(value)?;
            Ok(if inside { unmarked(opened) } else { opened })
        };
        map(term, false, &open)
    }

    /// A graph with all its secrets sealed, and the specs of the nodes that have some taken anew; `None` when it has none.
    ///
    /// # Errors
    /// The key cannot be had.
    pub fn sealed_graph<'a>(
        &self,
        graph: &Graph,
        schema: &dyn Fn(&str, &str) -> Option<&'a KindSchema>,
    ) -> Result<Option<Graph>> {
        let nodes = graph.nodes.values().any(|n| n.inputs.values().any(|i| has_plain(&i.term)));
        let terms = graph.asserts.iter().map(|a| &a.condition).chain(graph.outputs.iter().map(|o| &o.term));
        let policy = graph.policy.platform.values().any(value_has_plain);
        if !nodes && !policy && !terms.into_iter().any(has_plain) {
            return Ok(None);
        }
        let seal = |value: &Value, inside: bool| if inside { self.whole(value) } else { self.sealed(value) };
        let mut graph = graph.clone();
        for node in graph.nodes.values_mut() {
            let mut changed = false;
            for input in node.inputs.values_mut().filter(|i| has_plain(&i.term)) {
                let sealed = map(&input.term, false, &seal)?;
                Arc::make_mut(input).term = sealed;
                changed = true;
            }
            if let Some(schema) = schema(&node.provider, &node.kind).filter(|_| changed) {
                (node.spec, _) = spec::spec(schema, &node.provider, &node.inputs);
            }
        }
        for term in
            graph.asserts.iter_mut().map(|a| &mut a.condition).chain(graph.outputs.iter_mut().map(|o| &mut o.term))
        {
            *term = map(term, false, &seal)?;
        }
        graph.policy.platform = self.sealed_fields(&graph.policy.platform)?;
        Ok(Some(graph))
    }

    /// A graph with all its secrets opened, as it was compiled. Specs are those of the sealed one: sealing takes them anew.
    ///
    /// # Errors
    /// One is not there, damaged or sealed for others.
    pub fn opened_graph(&self, graph: &Graph) -> Result<Graph> {
        let mut graph = graph.clone();
        for input in graph.nodes.values_mut().flat_map(|node| node.inputs.values_mut()) {
            let opened = self.opened_term(&input.term)?;
            // What has no secret stays shared.
            if opened != input.term {
                Arc::make_mut(input).term = opened;
            }
        }
        for term in
            graph.asserts.iter_mut().map(|a| &mut a.condition).chain(graph.outputs.iter_mut().map(|o| &mut o.term))
        {
            *term = self.opened_term(term)?;
        }
        graph.policy.platform = self.opened_fields(&graph.policy.platform)?;
        Ok(graph)
    }

    /// Seals everything but handles: those are edges, and edges are no secret.
    fn whole(&self, value: &Value) -> Result<Value> {
        match value {
            Value::Node(_) => Ok(value.clone()),
            composed if has_node(composed) => self.parts(composed),
            plain => self.seal(plain),
        }
    }

    fn parts(&self, value: &Value) -> Result<Value> {
        let fields = |fields: &Fields<Value>| -> Result<Fields<Value>> {
            fields.iter().map(|(k, v)| Ok((k.clone(), self.whole(v)?))).collect()
        };
        Ok(match value {
            Value::List(items) => Value::List(items.iter().map(|v| self.whole(v)).collect::<Result<_>>()?),
            Value::Map(map) => {
                Value::Map(map.iter().map(|(k, v)| Ok((k.clone(), self.whole(v)?))).collect::<Result<_>>()?)
            }
            Value::Record(of) => Value::Record(fields(of)?),
            Value::Variant(tag, of) => Value::Variant(tag.clone(), fields(of)?),
            other => self.seal(other)?,
        })
    }
}

/// Names of all secrets in a graph.
pub fn names(graph: &Graph) -> BTreeSet<Digest> {
    let found = std::cell::RefCell::new(BTreeSet::new());
    let note = |value: &Value, _inside: bool| {
        each(value, &|v| {
            if let Value::Sealed(name) = v {
                found.borrow_mut().insert(*name);
            }
            None
        })
    };
    let inputs = graph.nodes.values().flat_map(|n| n.inputs.values()).map(|i| &i.term);
    let rest = graph.asserts.iter().map(|a| &a.condition).chain(graph.outputs.iter().map(|o| &o.term));
    for term in inputs.chain(rest) {
        // Only looks.
        drop(map(term, false, &note));
    }
    for value in graph.policy.platform.values() {
        drop(note(value, false));
    }
    found.into_inner()
}

/// Whether a secret that is not sealed is in here.
fn has_plain(term: &Term) -> bool {
    plain_in(term, false)
}

/// Every plan asks this of every input: nothing is made on the way.
fn plain_in(term: &Term, inside: bool) -> bool {
    let in_fields = |fields: &Fields<Term>| fields.values().any(|t| plain_in(t, inside));
    match term {
        Term::Value(value) if inside => !matches!(value, Value::Sealed(_) | Value::Node(_)),
        Term::Value(value) => value_has_plain(value),
        Term::Output(..) | Term::Var(_) => false,
        Term::List(items) => items.iter().any(|t| plain_in(t, inside)),
        Term::Map(of) => of.values().any(|t| plain_in(t, inside)),
        Term::Record(of) | Term::Variant(_, of) => in_fields(of),
        Term::Secret(inner) => plain_in(inner, true),
        Term::Call(_, args) => args.iter().any(|t| plain_in(t, inside)),
        Term::If(cond, yes, no) => [cond, yes, no].into_iter().any(|t| plain_in(t, inside)),
        Term::Lambda { body, .. } => plain_in(body, inside),
    }
}

fn value_has_plain(value: &Value) -> bool {
    match value {
        Value::Secret(_) => true,
        Value::List(items) => items.iter().any(value_has_plain),
        Value::Map(map) => map.values().any(value_has_plain),
        Value::Record(fields) | Value::Variant(_, fields) => fields.values().any(value_has_plain),
        _leaf => false,
    }
}

fn has_node(value: &Value) -> bool {
    let mut found = false;
    Term::Value(value.clone()).handles(&mut |_| found = true);
    found
}

fn unmarked(value: Value) -> Value {
    match value {
        Value::Secret(inner) => *inner,
        composed => each(&composed, &|v| match v {
            Value::Secret(inner) => Some(Ok((**inner).clone())),
            _other => None,
        })
        .unwrap_or(composed),
    }
}

/// Replaces what `change` has an answer for, at any depth.
fn each(value: &Value, change: &dyn Fn(&Value) -> Option<Result<Value>>) -> Result<Value> {
    if let Some(changed) = change(value) {
        return changed;
    }
    let fields = |fields: &Fields<Value>| -> Result<Fields<Value>> {
        fields.iter().map(|(k, v)| Ok((k.clone(), each(v, change)?))).collect()
    };
    Ok(match value {
        Value::List(items) => Value::List(items.iter().map(|v| each(v, change)).collect::<Result<_>>()?),
        Value::Map(map) => {
            Value::Map(map.iter().map(|(k, v)| Ok((k.clone(), each(v, change)?))).collect::<Result<_>>()?)
        }
        Value::Record(of) => Value::Record(fields(of)?),
        Value::Variant(tag, of) => Value::Variant(tag.clone(), fields(of)?),
        leaf => leaf.clone(),
    })
}

fn map(term: &Term, inside: bool, change: Change<'_>) -> Result<Term> {
    let fields = |fields: &Fields<Term>| -> Result<Fields<Term>> {
        fields.iter().map(|(k, t)| Ok((k.clone(), map(t, inside, change)?))).collect()
    };
    let shared = |t: &Arc<Term>| map(t, inside, change).map(Arc::new);
    Ok(match term {
        Term::Value(value) => Term::Value(change(value, inside)?),
        Term::Output(..) | Term::Var(_) => term.clone(),
        Term::List(items) => Term::List(items.iter().map(|t| map(t, inside, change)).collect::<Result<_>>()?),
        Term::Map(of) => {
            Term::Map(of.iter().map(|(k, t)| Ok((k.clone(), map(t, inside, change)?))).collect::<Result<_>>()?)
        }
        Term::Record(of) => Term::Record(fields(of)?),
        Term::Variant(tag, of) => Term::Variant(tag.clone(), fields(of)?),
        Term::Secret(inner) => Term::Secret(Arc::new(map(inner, true, change)?)),
        Term::Call(builtin, args) => Term::Call(builtin.clone(), args.iter().map(shared).collect::<Result<_>>()?),
        Term::If(cond, yes, no) => Term::If(shared(cond)?, shared(yes)?, shared(no)?),
        Term::Lambda { first, arity, body } => Term::Lambda { first: *first, arity: *arity, body: shared(body)? },
    })
}
