//! What the class of a node forbids, seen in its typed tree: fixed names, targets without health, volumes with two
//! writers, durables that would depend on disposables. Only what is plain to see is judged here; what depends on values
//! is found at plan.

use super::checker::{Checker, Slot};
use crate::diagnose::nodes;
use crate::hir::{Expr, ExprKind, MapEntry, Node, NodeId, NodeOf, each_expr};
use imm_ir::{Class, FieldClass, Type, Value};

impl Checker<'_> {
    /// Judges all nodes.
    pub fn node_rules(&mut self, all: &[Node]) {
        for node in all {
            let NodeOf::Kind { kind, class } = &node.of else { continue };
            if *class == Class::Resource {
                self.fixed_names(node);
            }
            if *class == Class::Durable {
                self.durable_identity(node, kind, all);
            }
            self.targets(node, kind, all);
            if matches!(&**kind, "container" | "service" | "worker") {
                self.writers(node, all);
            }
        }
    }

    fn fixed_names(&mut self, node: &Node) {
        for field in &node.fields {
            let name_type = matches!(&field.value.ty, Type::Variant(variant) if &*variant.name == "Name");
            if let (true, ExprKind::Variant { tag, .. }) = (name_type, &field.value.uncoerced().kind)
                && &**tag == "fixed"
            {
                self.report(nodes::fixed_name(field.value.span));
            }
        }
    }

    /// The identity inputs of a durable must not refer to disposables, not even through lets.
    fn durable_identity(&mut self, node: &Node, kind: &str, all: &[Node]) {
        let Some(schema) = self.schemas.get(kind) else { return };
        for field in &node.fields {
            if schema.field(&field.name).is_none_or(|f| f.class != FieldClass::Identity) {
                continue;
            }
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
        let Some(schema) = self.schemas.get(kind) else { return };
        for field in &node.fields {
            let is_target = schema.field(&field.name).is_some_and(|f| matches!(f.ty, Type::Target));
            if !is_target {
                continue;
            }
            let Some(target) = node_named(&field.value).and_then(|id| all.get(id.index())) else { continue };
            let container = matches!(&target.of, NodeOf::Kind { kind, .. } if &**kind == "container");
            if container && target.field("health").is_none() {
                self.report(nodes::no_health_check(&target.name, field.value.span, target.name_span));
            }
        }
    }

    /// A volume for one writer must not be mounted writable by what overlaps with its successor.
    fn writers(&mut self, node: &Node, all: &[Node]) {
        let beside = match &node.with.replace {
            None => true,
            Some(replace) => matches!(&replace.uncoerced().kind, ExprKind::Variant { tag, .. } if &**tag == "beside"),
        };
        let Some(mounts) = node.field("mounts").filter(|_| beside) else { return };
        let ExprKind::Map(entries) = &mounts.value.uncoerced().kind else { return };
        for entry in entries {
            let MapEntry::Entry { value, .. } = entry else { continue };
            let ExprKind::Variant { tag, payload } = &value.uncoerced().kind else { continue };
            if &**tag != "volume" {
                continue;
            }
            let given = |name: &str| payload.iter().find(|(field, _)| **field == *name).map(|(_, value)| value);
            let writable =
                given("read_only").is_none_or(|e| matches!(e.uncoerced().kind, ExprKind::Value(Value::Bool(false))));
            let Some(volume) = given("of").and_then(node_named).and_then(|id| all.get(id.index())) else { continue };
            if writable && !shared(volume) {
                let found = nodes::exclusive_volume(&volume.name, &node.name, value.span, volume.name_span);
                self.report(found);
            }
        }
    }
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
