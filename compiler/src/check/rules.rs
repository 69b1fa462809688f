//! What the class of a node forbids, seen in its typed tree: fixed names, targets without health, volumes with two
//! writers, durables that would depend on disposables. Only what is plain to see is judged here; what depends on values
//! is found at plan.

use super::checker::{Checker, Slot};
use crate::diagnose::nodes;
use crate::hir::{ComponentId, Expr, ExprKind, Head, MapEntry, Node, NodeId, NodeOf, each_expr};
use crate::types::core_of;
use imm_ir::{Class, FieldClass, Span, Type, Value};
use std::collections::{BTreeMap, BTreeSet};

impl Checker<'_> {
    /// Judges all nodes.
    pub fn node_rules(&mut self, all: &[Node]) {
        // A `use` around a node may say how all inside are replaced.
        let told = all.iter().filter(|n| replacement(n).is_some() || n.owner.is_some());
        let told: BTreeSet<ComponentId> =
            told.filter_map(|n| if let NodeOf::Component(id) = n.of { Some(id) } else { None }).collect();
        for node in all {
            let NodeOf::Kind { kind, class } = &node.of else { continue };
            if *class == Class::Resource {
                self.fixed_names(node);
            }
            if *class == Class::Durable {
                self.durable_identity(node, kind, all);
            }
            self.targets(node, kind, all);
            if *class == Class::Pointer {
                self.overlap(node, all);
            }
            if matches!(&**kind, "container" | "service" | "worker") {
                self.writers(node, all, &told);
            }
            if &**kind == "route" {
                self.rising(node);
            }
        }
        self.two_writers(all);
    }

    /// A rollout in steps needs old and new at once.
    fn overlap(&mut self, node: &Node, all: &[Node]) {
        let Some(rollout) = node.field("rollout") else { return };
        let ExprKind::Variant { tag, .. } = &rollout.value.uncoerced().kind else { return };
        if !matches!(&**tag, "canary" | "rolling") {
            return;
        }
        let target = node.field("to").and_then(|f| node_named(&f.value)).and_then(|id| all.get(id.index()));
        if let Some(target) = target.filter(|target| !beside(target)) {
            let place = target.with.as_ref().map_or(target.name_span, |with| with.span);
            self.report(nodes::canary_needs_overlap(tag, &target.name, rollout.value.span, place));
        }
    }

    /// The weights of a canary rise strictly, and below 100 %, which follows by itself.
    fn rising(&mut self, node: &Node) {
        let Some(rollout) = node.field("rollout") else { return };
        let ExprKind::Variant { tag, payload } = &rollout.value.uncoerced().kind else { return };
        let Some((_, steps)) = payload.iter().find(|(name, _)| &**tag == "canary" && &**name == "steps") else {
            return;
        };
        let ExprKind::List(steps) = &steps.uncoerced().kind else { return };
        let mut last = (0, None);
        for (spliced, step) in steps {
            // What is computed is not judged here.
            if *spliced {
                return;
            }
            let ExprKind::Record(fields) = &step.uncoerced().kind else { return };
            let weight = fields.iter().find_map(|(name, value)| (&**name == "weight").then_some(value.uncoerced()));
            let Some(Expr { kind: ExprKind::Value(Value::Ratio(ppm)), span, .. }) = weight else { return };
            if *ppm <= last.0 || *ppm >= 1_000_000 {
                self.report(nodes::weight_does_not_rise(*ppm, *span, last.1));
                return;
            }
            last = (*ppm, Some(*span));
        }
    }

    /// A volume for one writer must not be mounted writable by two nodes.
    fn two_writers(&mut self, all: &[Node]) {
        let mut first: BTreeMap<NodeId, (NodeId, Span)> = BTreeMap::new();
        for (index, node) in all.iter().enumerate() {
            let runs =
                matches!(&node.of, NodeOf::Kind { kind, .. } if matches!(&**kind, "container" | "service" | "worker"));
            if !runs {
                continue;
            }
            for (volume, span) in writable_mounts(node) {
                let Some(declared) = all.get(volume.index()).filter(|v| !shared(v) && matches!(v.head, Head::One))
                else {
                    continue;
                };
                match first.get(&volume).copied() {
                    Some((other, place)) if other.index() != index => {
                        let found = nodes::two_writers(&declared.name, &node.name, span, place, declared.name_span);
                        self.report(found);
                    }
                    Some(_) => {}
                    None => {
                        first.insert(volume, (NodeId::of(index), span));
                    }
                }
            }
        }
    }

    fn fixed_names(&mut self, node: &Node) {
        for field in &node.fields {
            if let ExprKind::Variant { tag, .. } = &field.value.uncoerced().kind
                && &**tag == "fixed"
                && matches!(core_of(&field.value.ty).0, Type::Variant(variant) if &*variant.name == "Name")
            {
                self.report(nodes::fixed_name(field.value.span));
            }
        }
    }

    /// The identity inputs of a durable must not refer to disposables, not even through lets.
    fn durable_identity(&mut self, node: &Node, kind: &str, all: &[Node]) {
        let Some(schema) = self.schema(kind) else { return };
        let identity = schema.fields.iter().filter(|field| field.class == FieldClass::Identity);
        for field in identity.filter_map(|field| node.field_of(&field.name)) {
            let Some(id) = self.disposable_in(&field.value, all, 0) else { continue };
            let Some(disposable) = all.get(id.index()) else { continue };
            let found =
                nodes::durable_on_disposable(&node.name, &disposable.name, field.value.span, disposable.name_span);
            self.report(found);
        }
    }

    fn disposable_in(&self, expr: &Expr, all: &[Node], depth: usize) -> Option<NodeId> {
        let mut found = None;
        let mut lets = Vec::new();
        each_expr(expr, &mut |part| match &part.kind {
            ExprKind::Node(id) => {
                let disposable =
                    all.get(id.index()).is_some_and(|n| matches!(n.of, NodeOf::Kind { class: Class::Resource, .. }));
                if disposable && found.is_none() {
                    found = Some(*id);
                }
            }
            ExprKind::Let(id) => lets.push(*id),
            _other => {}
        });
        if found.is_some() || depth > 32 {
            return found;
        }
        lets.into_iter().find_map(|id| match self.lets.get(id.index()) {
            Some(Slot::Done(value)) => self.disposable_in(value, all, depth + 1),
            Some(Slot::Empty | Slot::Busy) | None => None,
        })
    }

    /// A container that is a target must have a health check.
    fn targets(&mut self, node: &Node, kind: &str, all: &[Node]) {
        let Some(schema) = self.schema(kind) else { return };
        let targets = schema.fields.iter().filter(|field| field.ty == Type::Target);
        for field in targets.filter_map(|field| node.field_of(&field.name)) {
            let Some(target) = node_named(&field.value).and_then(|id| all.get(id.index())) else { continue };
            let container = matches!(&target.of, NodeOf::Kind { kind, .. } if &**kind == "container");
            if container && target.field("health").is_none() {
                self.report(nodes::no_health_check(&target.name, field.value.span, target.name_span));
            }
        }
    }

    /// A volume for one writer must not be mounted writable by what overlaps with its successor.
    fn writers(&mut self, node: &Node, all: &[Node], told: &BTreeSet<ComponentId>) {
        if !beside(node) || node.owner.is_some_and(|owner| told.contains(&owner)) {
            return;
        }
        for (volume, span) in writable_mounts(node) {
            if let Some(volume) = all.get(volume.index()).filter(|volume| !shared(volume)) {
                let found = nodes::exclusive_volume(&volume.name, &node.name, span, volume.name_span);
                self.report(found);
            }
        }
    }
}

/// What a node says of how it is replaced.
fn replacement(node: &Node) -> Option<&Expr> {
    node.with.as_ref()?.replace.as_ref()
}

/// Whether old and new of a node run side by side.
fn beside(node: &Node) -> bool {
    match replacement(node) {
        None => true,
        Some(replace) => matches!(&replace.uncoerced().kind, ExprKind::Variant { tag, .. } if &**tag == "beside"),
    }
}

/// The volumes that a node plainly mounts writable, and where it says so.
fn writable_mounts(node: &Node) -> Vec<(NodeId, Span)> {
    let Some(ExprKind::Map(entries)) = node.field("mounts").map(|mounts| &mounts.value.uncoerced().kind) else {
        return Vec::new();
    };
    let mount = |entry: &MapEntry| {
        let MapEntry::Entry { value, .. } = entry else { return None };
        let ExprKind::Variant { tag, payload } = &value.uncoerced().kind else { return None };
        let given = |name: &str| payload.iter().find(|(field, _)| **field == *name).map(|(_, value)| value.uncoerced());
        let writable = given("read_only").is_none_or(|e| matches!(e.kind, ExprKind::Value(Value::Bool(false))));
        let volume = given("of").and_then(node_named)?;
        (&**tag == "volume" && writable).then_some((volume, value.span))
    };
    entries.iter().filter_map(mount).collect()
}

/// Whether a volume may have several writers, or it cannot be told.
fn shared(volume: &Node) -> bool {
    match volume.field("access").map(|f| &f.value.uncoerced().kind) {
        None => false,
        Some(ExprKind::Variant { tag, .. }) => &**tag == "shared",
        Some(_computed) => true,
    }
}

/// The node that an expression names directly, or by a key.
fn node_named(expr: &Expr) -> Option<NodeId> {
    match &expr.uncoerced().kind {
        ExprKind::Node(id) => Some(*id),
        ExprKind::Index { base, .. } => node_named(base),
        _other => None,
    }
}
