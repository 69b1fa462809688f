//! `.name`: fields of records, outputs of nodes, members of expanded nodes, outputs of instances.

use super::{Evaluator, Result, UNKNOWN};
use crate::hir::{Access, Expr};
use imm_ir::builtin::Builtin;
use imm_ir::{Addr, Key, OutputFrom, Span, Term, Type, Value};
use std::sync::Arc;

impl Evaluator<'_> {
    pub(super) fn field(
        &mut self,
        base: &Expr,
        name: &Arc<str>,
        access: Access,
        optional: bool,
        span: Span,
    ) -> Result<Arc<Term>> {
        let base = self.expr(base)?;
        match (access, base.as_ref()) {
            (_, Term::Value(Value::None)) if optional => Ok(base),
            (Access::Output | Access::Members, Term::Value(Value::Node(addr))) => {
                let addr = addr.clone();
                Ok(Arc::new(self.output(&addr, name)))
            }
            (Access::Component, Term::Value(Value::Node(addr))) => {
                let bound = self.scopes.instance(addr).and_then(|scope| scope.outputs.get(name)).cloned();
                Ok(self.read(bound))
            }
            (Access::Inner(id), Term::Value(Value::Node(addr))) => {
                let bound = self.scopes.instance(addr).and_then(|scope| scope.nodes.get(&id)).cloned();
                Ok(self.read(bound))
            }
            (Access::Record | Access::Output | Access::Members | Access::Component | Access::Inner(_), _) => {
                self.apply(&Builtin::Field(Arc::clone(name)), vec![base], span)
            }
        }
    }

    /// An output of a node that exists: known from an input or the spec, or a hole.
    fn output(&mut self, addr: &Addr, name: &Arc<str>) -> Term {
        if let Some((schema, all)) = self.group(addr) {
            return match schema.output(name).map(|output| &output.from) {
                Some(OutputFrom::Input(_)) => {
                    let first = all.first().and_then(|member| self.made(member));
                    let term = first.map_or(UNKNOWN, |member| member.input(name));
                    self.trail.order(addr.clone());
                    term
                }
                Some(OutputFrom::Members | OutputFrom::Provider | OutputFrom::Spec) | None => members(all),
            };
        }
        let Some(node) = self.made(addr) else { return UNKNOWN };
        let Some(output) = node.schema.output(name) else { return UNKNOWN };
        match &output.from {
            OutputFrom::Input(input) => {
                let term = node.input(input);
                self.trail.order(addr.clone());
                term
            }
            OutputFrom::Spec => {
                let spec = Term::Value(Value::text(node.spec.hex()));
                self.trail.order(addr.clone());
                spec
            }
            OutputFrom::Members | OutputFrom::Provider => {
                let seen = self.seen.get(addr).and_then(|outputs| outputs.get(name)).cloned();
                let hole = seen.map_or_else(|| Term::Output(addr.clone(), Arc::clone(name)), Term::Value);
                if is_secret(&output.ty) { hole.into_secret() } else { hole }
            }
        }
    }
}

fn is_secret(ty: &Type) -> bool {
    match ty {
        Type::Secret(_) => true,
        Type::Late(inner) => is_secret(inner),
        _plain => false,
    }
}

/// `{ "0" = web.instance["0"], … }`
fn members(members: &[Addr]) -> Term {
    let handles = members.iter().enumerate();
    Term::Value(Value::Map(handles.map(|(i, addr)| (Key::from(i.to_string()), Value::Node(addr.clone()))).collect()))
}
