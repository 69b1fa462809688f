//! From planned nodes to requests and settings: holes are filled with the outputs of objects that are there by now.

use super::{Engine, Step, Stop};
use crate::entry::{UnwindCause, Verb};
use crate::id::ObjectId;
use crate::plan::{Plan, Planned, PlannedSwitch};
use crate::provider::{Bound, Handle, Request, Setting, Target};
use crate::rollout::strategy::delivered;
use crate::rollout::{self, Share};
use imm_ir::{Addr, Class, FieldClass, Fields, KindSchema, Node, OutputFrom, Term, Value};
use std::collections::{BTreeMap, BTreeSet};

impl Engine {
    pub(super) fn schema(&self, node: &Node) -> Option<&KindSchema> {
        self.providers.get(&node.provider)?.schemas().get(&node.kind)
    }

    /// A term with all holes filled. Secrets are opened to compute with, and what comes out of them is sealed again.
    pub(super) fn fill(&self, plan: &Plan, term: &Term, what: &str) -> Step<Value> {
        let stop = |why: String| Stop::Unwind(UnwindCause::Failed(None), format!("{what}: {why}"));
        let vault = self.ledger.vault();
        if let Some(value) = term.known() {
            return vault.sealed(value).map_err(|e| stop(e.to_string()));
        }
        let term = vault.opened_term(term).map_err(|e| stop(e.to_string()))?;
        let output = |addr: &Addr, field: &str| vault.opened(&self.output(plan, addr, field)?).ok();
        let filled = imm_ir::reduce::reduce(&term, &output).map_err(|e| stop(e.message))?;
        let mut missing = None;
        filled.holes(&mut |addr, field| missing = Some(format!("{addr}.{field}")));
        let value = filled
            .into_value()
            .ok_or_else(|| stop(missing.map_or_else(|| "not a value".into(), |m| format!("{m} is not known"))))?;
        vault.sealed(&value).map_err(|e| stop(e.to_string()))
    }

    fn output(&self, plan: &Plan, addr: &Addr, field: &str) -> Option<Value> {
        let (planned, node) = plan.nodes.get(addr).zip(plan.graph.nodes.get(addr))?;
        match &self.schema(node)?.output(field)?.from {
            OutputFrom::Provider => self.state().objects.get(&planned.object)?.outputs.get(field).cloned(),
            OutputFrom::Input(input) => node.known(input).cloned(),
            OutputFrom::Spec => Some(Value::text(planned.spec.hex())),
            OutputFrom::Members => None,
        }
    }

    /// What to ask of a provider to make a node's object.
    pub(super) fn request(&self, plan: &Plan, addr: &Addr, planned: &Planned, node: &Node) -> Step<Request> {
        let gone = || Stop::Unwind(UnwindCause::Failed(None), format!("{addr} is not part of the plan"));
        let schema = self.schema(node).ok_or_else(gone)?;
        let mut inputs = Fields::new();
        let mut bound = BTreeMap::new();
        for (name, input) in &node.inputs {
            let class = schema.field(name).map_or(FieldClass::Policy, |f| f.class);
            if class == FieldClass::Shape {
                continue;
            }
            // What a pointer is set to comes with the switch: its targets are not there yet. What is known and names no
            // object is told at once, since outputs follow from it: the scheme of a route's address.
            if class == FieldClass::Movable && node.class == Class::Pointer {
                if let Some(value) = input.term.known().filter(|_| !names_objects(&input.term)) {
                    inputs.insert(name.clone(), value.clone());
                }
                continue;
            }
            let value = self.fill(plan, &delivered(name, &input.term), &format!("{addr}.{name}"))?;
            let mut handles = BTreeSet::new();
            Term::Value(value.clone()).handles(&mut |a| handles.extend(crate::plan::identity::members(&plan.graph, a)));
            for of in handles {
                let object = plan.nodes.get(&of).map(|n| n.object).ok_or_else(gone)?;
                bound.insert(of, Bound { object, handle: self.handle(object) });
            }
            let value = if matches!(plan.verb, Verb::Drill { .. }) { read_only(value) } else { value };
            inputs.insert(name.clone(), value);
        }
        Ok(Request {
            object: planned.object,
            address: addr.clone(),
            kind: node.kind.clone(),
            spec: planned.spec,
            inputs,
            bound,
            dormant: planned.start.dormant(),
        })
    }

    pub(super) fn handle(&self, object: ObjectId) -> Handle {
        self.state().objects.get(&object).and_then(|o| o.handle.clone()).unwrap_or_default()
    }

    /// The policy inputs of a node, filled.
    pub(super) fn policy(&self, plan: &Plan, addr: &Addr) -> Step<Fields<Value>> {
        let mut policy = Fields::new();
        let Some(node) = plan.graph.nodes.get(addr) else { return Ok(policy) };
        let Some(schema) = self.schema(node) else { return Ok(policy) };
        for field in schema.fields.iter().filter(|f| f.class == FieldClass::Policy) {
            if let Some(input) = node.inputs.get(&field.name) {
                let value = self.fill(plan, &delivered(&field.name, &input.term), &format!("{addr}.{}", field.name))?;
                policy.insert(field.name.clone(), value);
            }
        }
        Ok(policy)
    }

    /// What a pointer was set to before this apply.
    pub(super) fn before(&self, pointer: ObjectId) -> Setting {
        let recorded = self.state().open_apply().and_then(|a| a.before.get(&pointer)).cloned();
        recorded.unwrap_or_else(|| self.state().setting(pointer))
    }

    pub(super) fn target(&self, share: &Share) -> Target {
        let Share { address, object, weight, fresh } = share.clone();
        Target { address, object, handle: self.handle(object), weight, fresh }
    }

    /// What a pointer is to be set to in the end.
    pub(super) fn setting(&self, plan: &Plan, switch: &PlannedSwitch) -> Step<Setting> {
        let old: BTreeSet<_> = self.before(switch.object).targets.iter().map(|t| t.object).collect();
        let weights = rollout::shares(rollout::WHOLE, switch.targets.len());
        let targets = switch.targets.iter().zip(weights).map(|((address, object), weight)| {
            self.target(&Share { address: address.clone(), object: *object, weight, fresh: !old.contains(object) })
        });
        let mut inputs = Fields::new();
        for (name, term) in &switch.inputs {
            inputs.insert(name.clone(), self.fill(plan, term, &format!("{}.{name}", switch.address))?);
        }
        Ok(Setting { targets: targets.collect(), inputs })
    }
}

/// The same with every volume mounted read-only: a rehearsal changes no data.
fn read_only(value: Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(map.into_iter().map(|(key, value)| (key, read_only(value))).collect()),
        Value::Variant(tag, mut fields) if &*tag == "volume" && fields.contains_key("of") => {
            fields.insert("read_only".into(), Value::Bool(true));
            Value::Variant(tag, fields)
        }
        other => other,
    }
}

/// Whether a term holds a handle.
fn names_objects(term: &Term) -> bool {
    let mut found = false;
    term.handles(&mut |_| found = true);
    found
}
