//! Nodes: heads, fields, `with`. What a node becomes in the graph is in `expand`.

use super::ascending::Ascending;
use super::scope::Carried;
use super::trail::Bound;
use super::{Evaluator, Purpose, Result, UNKNOWN, budget};
use crate::hir::{Expr, Head, Node, NodeId, NodeOf};
use imm_ir::{Addr, Class, Diagnostic, FieldClass, Key, Origin, Replace, Span, Term, Value, With, code};
use std::sync::Arc;

impl Evaluator<'_> {
    /// Evaluates a declaration: its head and, for each node it makes, what must be known before others refer to it.
    pub(super) fn node(&mut self, id: NodeId, node: &Node) {
        let base = self.scopes.addr(&node.name);
        let bound = match self.each(node, &base, &mut |e, addr| e.one(node, addr)) {
            Ok(bound) => bound,
            Err(failed) => return self.report(failed),
        };
        self.scopes.here_mut().nodes.insert(id, bound);
    }

    /// Evaluates what others need not wait for: the other fields of a pointer or durable.
    pub(super) fn set_node(&mut self, node: &Node) {
        let base = self.scopes.addr(&node.name);
        if let Err(failed) = self.each(node, &base, &mut |e, addr| e.set(node, addr)) {
            self.report(failed);
        }
    }

    /// Calls `make` for each node of a declaration with the head's names bound; the handles.
    fn each(
        &mut self,
        node: &Node,
        base: &Addr,
        make: &mut dyn FnMut(&mut Self, &Addr) -> Result<()>,
    ) -> Result<Bound> {
        match &node.head {
            Head::One => {
                let made = make(self, base);
                self.attempted(made)?;
                Ok(Bound::plain(Self::handle(base)))
            }
            Head::If(condition) => {
                let (taken, trail) = self.bound_with(|e| e.expr(condition))?;
                match taken.known().and_then(Value::as_bool) {
                    Some(true) => {
                        let made = make(self, base);
                        self.attempted(made)?;
                        Ok(Bound::new(Self::handle(base), trail))
                    }
                    Some(false) => Ok(Bound::new(Term::Value(Value::None), trail)),
                    None => Ok(Bound::plain(UNKNOWN)),
                }
            }
            Head::For(head) => {
                let (source, trail) = self.bound_with(|e| e.expr(&head.source))?;
                let many = budget::rounds(&source);
                self.budget.begin_rounds(many, head.source.span).map_err(|exceeded| self.fail(*exceeded))?;
                let Some(rounds) = Self::rounds(&source) else {
                    self.budget.end_rounds();
                    return Ok(Bound::plain(UNKNOWN));
                };
                let trail = trail.shared();
                // Keys of maps stay what they are when their values change; elsewhere the value is the key.
                let values = matches!(*source, Term::Map(_) | Term::Value(Value::Map(_)));
                let name: Arc<str> = Arc::from(format!("for {}", node.name));
                let mut handles: Ascending<Key, Value> = Ascending::default();
                handles.reserve(many);
                // Others are looked at twice.
                if matches!(node.of, NodeOf::Kind { class: Class::Resource, .. }) && self.purpose == Purpose::Plan {
                    self.nodes.reserve(many);
                }
                for round in rounds {
                    let mut trail = Arc::clone(&trail);
                    if values {
                        let bound = Bound { term: Arc::new(round.value.clone()), trail };
                        trail = self.named(&name, head.span, head.source.span, bound).trail;
                    }
                    self.bind_round(head, &round, &trail);
                    match self.takes(head)? {
                        Some(true) => {}
                        Some(false) => {
                            self.budget.next_round();
                            continue;
                        }
                        None => return Ok(Bound::plain(UNKNOWN)),
                    }
                    let addr = base.key(round.key.as_str());
                    if handles.insert(round.key.clone(), Value::Node(addr.clone())).is_some() {
                        let message = format!("two nodes would be `{addr}`");
                        return Err(self.fail(
                            Diagnostic::error(code::DUPLICATE_KEY, head.source.span, message)
                                .help("each value gives one node; `.distinct()` leaves out repetitions"),
                        ));
                    }
                    let made = make(self, &addr);
                    self.attempted(made)?;
                    if self.is_stopped() {
                        break;
                    }
                    self.budget.next_round();
                }
                self.budget.end_rounds();
                Ok(Bound { term: Arc::new(Term::Value(Value::Map(handles.into_tree()))), trail })
            }
        }
    }

    /// One node of a declaration.
    fn one(&mut self, node: &Node, addr: &Addr) -> Result<()> {
        self.budget.node(node.span).map_err(|exceeded| self.fail(*exceeded))?;
        match &node.of {
            NodeOf::Component(component) => {
                self.budget.keep(budget::NODE, node.span).map_err(|exceeded| self.fail(*exceeded))?;
                self.instantiate(node, addr, *component)
            }
            NodeOf::Kind { kind, class } => {
                let Some(kind) = self.kind(kind) else { return Ok(()) };
                let schema = kind.schema;
                let late = matches!(class, Class::Pointer | Class::Durable);
                let wanted = |field: FieldClass| !late || field == FieldClass::Identity;
                let given = self.inputs(node, &kind, &wanted)?;
                self.may_run_nothing(node, schema, addr, &given);
                let with = if *class == Class::Pointer {
                    (self.shared_with(With::default()), Vec::new())
                } else {
                    self.with(node)?
                };
                self.place(node, schema, addr, given, &with)
            }
            NodeOf::Error => Ok(()),
        }
    }

    /// The rest of a pointer or durable.
    fn set(&mut self, node: &Node, addr: &Addr) -> Result<()> {
        let NodeOf::Kind { kind, class } = &node.of else { return Ok(()) };
        let Some(kind) = self.kind(kind) else { return Ok(()) };
        let schema = kind.schema;
        let given = self.inputs(node, &kind, &|field| field != FieldClass::Identity)?;
        let with = if *class == Class::Pointer { Some(self.with(node)?) } else { None };
        self.budget.keep(given.bytes + given.places, node.span).map_err(|exceeded| self.fail(*exceeded))?;
        self.complete(addr, schema, given, with);
        Ok(())
    }

    /// The `with` block and what it needs, over those of the `use` sites around it.
    fn with(&mut self, node: &Node) -> Result<(Arc<With>, Vec<Addr>)> {
        let said = self.carried(node)?;
        let mut with = With::default();
        if matches!(&node.of, NodeOf::Kind { kind, .. } if &**kind == "job") {
            with.timeout_ms = 600_000;
        }
        with.timeout_ms = said.timeout_ms.unwrap_or(with.timeout_ms);
        with.retries = said.retries.unwrap_or(with.retries);
        with.protect = said.protect.unwrap_or(with.protect);
        with.replace = said.replace.unwrap_or(with.replace);
        Ok((self.shared_with(with), said.needs))
    }

    /// Most nodes have what the one before has.
    fn shared_with(&mut self, with: With) -> Arc<With> {
        if *self.last_with != with {
            self.last_with = Arc::new(with);
        }
        Arc::clone(&self.last_with)
    }

    /// What this `with` block and those around it say.
    pub(super) fn carried(&mut self, node: &Node) -> Result<Carried> {
        let mut with = self.scopes.here().with.clone();
        let Some(said) = &node.with else { return Ok(with) };
        if let Some(timeout) = self.amount(said.timeout.as_ref())? {
            with.timeout_ms = Some(timeout);
        }
        if let Some(retries) = self.amount(said.retries.as_ref())? {
            with.retries = Some(u32::try_from(retries).unwrap_or(u32::MAX));
        }
        if let Some(protect) = &said.protect {
            with.protect = self.expr(protect)?.known().and_then(Value::as_bool).or(with.protect);
        }
        if let Some(replace) = &said.replace {
            let (replace, _) = self.bound_with(|e| e.expr(replace))?;
            with.replace = replace.known().map(how).or(with.replace);
        }
        if let Some(expr) = &said.needs {
            let (term, trail) = self.bound_with(|e| e.expr(expr))?;
            term.handles(&mut |addr| with.needs.push(addr.clone()));
            term.holes(&mut |addr, _| with.needs.push(addr.clone()));
            with.needs.extend(trail.known().orders);
        }
        Ok(with)
    }

    fn amount(&mut self, expr: Option<&Expr>) -> Result<Option<u64>> {
        let Some(expr) = expr else { return Ok(None) };
        let (term, _) = self.bound_with(|e| e.expr(expr))?;
        let Some(n) = term.known().and_then(Value::as_int) else { return Ok(None) };
        match u64::try_from(n) {
            Ok(n) => Ok(Some(n)),
            Err(_) => Err(self.fail(
                Diagnostic::error(code::OUT_OF_RANGE, expr.span, format!("{n} is less than nothing"))
                    .help("write 0 or more"),
            )),
        }
    }

    /// Where a node was written; the nodes of one declaration share that.
    pub(super) fn origin(&mut self, span: Span) -> Arc<Origin> {
        let uses = &self.scopes.here().uses;
        let (last, origin) = &self.last_origin;
        if *last != span || !Arc::ptr_eq(&origin.uses, uses) {
            let uses = Arc::clone(uses);
            self.last_origin = (span, Arc::new(Origin { loc: self.loc(span), uses }));
        }
        Arc::clone(&self.last_origin.1)
    }
}

fn how(value: &Value) -> Replace {
    let Value::Variant(tag, _) = value else { return Replace::Beside };
    match &**tag {
        "handover" => {
            let outage = value.get("max_outage").and_then(Value::as_int).and_then(|n| u64::try_from(n).ok());
            Replace::Handover { max_outage_ms: outage.unwrap_or(30_000) }
        }
        "stop_first" => {
            let because = value.get("because").and_then(Value::as_text).unwrap_or_default();
            Replace::StopFirst { because: Arc::from(because) }
        }
        _beside => Replace::Beside,
    }
}
