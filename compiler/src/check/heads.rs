//! `for a[, b] in source [if filter]`, in comprehensions and in the head of a node.

use super::checker::{Checker, Cx};
use crate::diagnose::mismatch::Place;
use crate::diagnose::nodes;
use crate::hir::{Expr, ForHead};
use crate::types::{Taint, peel, unrefined};
use imm_ir::{Diagnostic, Type, code};
use imm_syntax::ast;

impl Checker<'_> {
    /// Checks a head and binds its names; the caller unbinds. The marks of source and filter belong to the result. For a
    /// node source and filter must be known and the keys must be names.
    pub fn head(&mut self, cx: &mut Cx, head: &ast::ForHead, node: bool) -> (ForHead, Taint) {
        let mut source = self.expr(cx, &head.source, None);
        let (core, mut taint) = peel(&source.ty);
        if node && taint != Taint::default() {
            source = self.coerce(source, &core, Place::Count("what a `for` over nodes walks"));
            taint = Taint::default();
        }
        let mut core = if source.ty == Type::Error { Type::Error } else { unrefined(&core).clone() };
        if node && head.second.is_none() && self.late_names(&source, &core) {
            // What uses the name is no second mistake.
            core = Type::list(Type::Error);
        }
        let warn = Some("`for` binding");
        let two = head.second.is_some();
        let (key, value) = match (&core, &head.second) {
            (Type::Map(item), Some(second)) => {
                let key = self.bind(cx, &head.first, Type::String, None);
                let value = self.bind(cx, second, (**item).clone(), warn.filter(|_| !node));
                (Some(key), Some(value))
            }
            (Type::Map(_), None) => {
                let key = self.bind(cx, &head.first, Type::String, warn.filter(|_| !node));
                (Some(key), None)
            }
            (Type::List(_) | Type::Range, second) => {
                let item = if let Type::List(item) = &core { (**item).clone() } else { Type::Int };
                if node {
                    self.named_by_value(head, &item, two);
                }
                match second {
                    Some(second) => {
                        let key = self.bind(cx, &head.first, Type::Int, None);
                        (Some(key), Some(self.bind(cx, second, item, warn.filter(|_| !node))))
                    }
                    None => (None, Some(self.bind(cx, &head.first, item, warn.filter(|_| !node)))),
                }
            }
            (other, second) => {
                if *other != Type::Error {
                    let text = format!("`for` walks a list, a range or a map, and this is `{}`", source.ty);
                    let diagnostic =
                        Diagnostic::error(code::TYPE_MISMATCH, source.span, text).label("cannot be walked");
                    self.report(match other {
                        Type::Int => diagnostic.help(format!("write a range: `0..{}`", self.text(source.span))),
                        _other => diagnostic,
                    });
                }
                let first = self.bind(cx, &head.first, Type::Error, None);
                let second = second.as_ref().map(|second| self.bind(cx, second, Type::Error, None));
                if second.is_some() { (Some(first), second) } else { (None, Some(first)) }
            }
        };
        let filter = head.filter.as_ref().map(|filter| {
            if node {
                return self.check(cx, filter, &Type::Bool, Place::Count("which nodes exist"));
            }
            let (filter, own) = self.check_untainted(cx, filter, &Type::Bool);
            taint = taint.and(own);
            filter
        });
        (ForHead { value, key, source, filter, span: head.span }, taint)
    }

    /// Reports a list whose elements would name nodes and are known too late.
    fn late_names(&mut self, source: &Expr, core: &Type) -> bool {
        let Type::List(item) = core else { return false };
        let Type::Late(_) = unrefined(item) else { return false };
        let text = "the names of nodes must be known at plan, but these are known only after create";
        let diagnostic = Diagnostic::error(code::COUNT_NOT_KNOWN, source.span, text)
            .label(format!("elements are `{item}`"))
            .help("use a map whose keys are known: `for name, value in …`");
        let late = self.late_source(source);
        self.report(match late {
            Some(late) => diagnostic.also(late.span, late.text),
            None => diagnostic,
        });
        true
    }

    /// Nodes over a list are named by its elements.
    fn named_by_value(&mut self, head: &ast::ForHead, item: &Type, two: bool) {
        if two {
            self.report(nodes::position_as_name(head.first.span));
            return;
        }
        match unrefined(item) {
            Type::String | Type::Int | Type::Error | Type::Never => {}
            Type::Secret(_) => self.report(
                Diagnostic::error(code::SECRET_LEAK, head.source.span, "a secret cannot name a node")
                    .label(format!("elements are `{item}`"))
                    .help("use a map whose keys are not secret"),
            ),
            other => {
                let other = other.to_string();
                self.report(nodes::positional_key(&other, head.source.span));
            }
        }
    }
}
