//! Maps and lists.

use super::checker::{Checker, Cx};
use super::common::Common;
use crate::diagnose::blocks as say;
use crate::diagnose::mismatch::Place;
use crate::hir::{Expr, ExprKind, MapEntry};
use crate::types::{Taint, core_of, peel};
use imm_ir::{Span, Type, Value};
use imm_syntax::ast::{self, EntryKind, KeyKind};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// In a map of so many entries a key is found by looking at all of them.
const FEW: usize = 16;

/// The key of an entry, as it is written, and where.
fn key_of(entry: &MapEntry) -> Option<(&Arc<str>, Span)> {
    match entry {
        MapEntry::Entry { key: Expr { kind: ExprKind::Value(Value::String(text)), span, .. }, .. } => {
            Some((text, *span))
        }
        MapEntry::Entry { .. } | MapEntry::Spread(_) => None,
    }
}

impl Checker<'_> {
    pub(super) fn map(&mut self, cx: &mut Cx, entries: &[ast::Entry], item: Option<&Type>, span: Span) -> Expr {
        let mut typed = Vec::with_capacity(entries.len());
        let (few, mut keys) = (entries.len() <= FEW, FxHashMap::<Arc<str>, Span>::default());
        let mut common = Common::new("the values of this map", item);
        let mut taint = Taint::default();
        let mut whole = true;
        for entry in entries {
            let (key, value) = match &entry.kind {
                EntryKind::Field { key, value } => {
                    let key = match &key.kind {
                        KeyKind::Name(name) => super::expr::value(Value::text(name.as_str()), Type::String, key.span),
                        KeyKind::Str(text) => {
                            let key = self.string(cx, text);
                            self.coerce(key, &Type::String, Place::Count("a key"))
                        }
                        KeyKind::Computed(key) => self.check(cx, key, &Type::String, Place::Count("a key")),
                    };
                    (key, self.item(cx, value, item))
                }
                EntryKind::Short(name) => {
                    self.saw_short(name);
                    let key = super::expr::value(Value::text(name.as_str()), Type::String, name.span);
                    let value = self.name(cx, name, item);
                    let value = item.map_or(value.clone(), |item| self.coerce(value, item, Place::Value));
                    (key, value)
                }
                EntryKind::Spread(spread) => {
                    let want = item.map(|item| Type::map(item.clone()));
                    let spread = self.expr(cx, spread, want.as_ref());
                    let (core, own) = peel(&spread.ty);
                    taint = taint.and(own);
                    match (&core, want) {
                        (_, Some(want)) => typed.push(MapEntry::Spread(self.coerce_untainted(spread, &want).0)),
                        (Type::Map(inner), None) => {
                            common.add(self, inner, spread.span);
                            typed.push(MapEntry::Spread(spread));
                        }
                        (Type::Error, None) => whole = false,
                        (_, None) => {
                            let any = Type::map(Type::Never);
                            self.coerce(spread, &any, Place::Value);
                            whole = false;
                        }
                    }
                    continue;
                }
                EntryKind::Error => {
                    whole = false;
                    continue;
                }
            };
            if let ExprKind::Value(Value::String(text)) = &key.kind {
                let before = match few {
                    true => typed.iter().find_map(|entry| key_of(entry).filter(|(key, _)| *key == text)).map(|k| k.1),
                    false => keys.get(text).copied(),
                };
                match before {
                    Some(first) => self.report(say::duplicate_key(text, key.span, first)),
                    None if few => {}
                    None => _ = keys.insert(Arc::clone(text), key.span),
                }
            }
            common.add(self, &value.ty, value.span);
            typed.push(MapEntry::Entry { key, value });
        }
        if !whole {
            return Expr::error(span);
        }
        Expr { kind: ExprKind::Map(typed), ty: taint.on(Type::map(common.ty())), span }
    }

    pub(super) fn item(&mut self, cx: &mut Cx, expr: &ast::Expr, item: Option<&Type>) -> Expr {
        match item {
            Some(item) => self.check(cx, expr, item, Place::Value),
            None => self.expr(cx, expr, None),
        }
    }

    /// `[a, ..b]`.
    pub(super) fn list(&mut self, cx: &mut Cx, elements: &[ast::Element], want: Option<&Type>, span: Span) -> Expr {
        let item = item_of(want);
        let mut common = Common::new("the elements of this list", item.as_ref());
        let mut taint = Taint::default();
        let mut typed = Vec::with_capacity(elements.len());
        for element in elements {
            if element.spread.is_none() {
                let value = self.item(cx, &element.value, item.as_ref());
                common.add(self, &value.ty, value.span);
                typed.push((false, value));
                continue;
            }
            let list = item.clone().map(Type::list);
            let spread = self.expr(cx, &element.value, list.as_ref());
            let (core, own) = peel(&spread.ty);
            taint = taint.and(own);
            match (&core, list) {
                (Type::Range, _) => {
                    common.add(self, &Type::Int, spread.span);
                    typed.push((true, spread));
                }
                (_, Some(list)) => typed.push((true, self.coerce_untainted(spread, &list).0)),
                (Type::List(inner), None) => {
                    common.add(self, inner, spread.span);
                    typed.push((true, spread));
                }
                (_, None) => {
                    let any = Type::list(Type::Never);
                    typed.push((true, self.coerce(spread, &any, Place::Value)));
                }
            }
        }
        Expr { kind: ExprKind::List(typed), ty: taint.on(Type::list(common.ty())), span }
    }

    /// `[for …: value]`.
    pub(super) fn list_for(
        &mut self,
        cx: &mut Cx,
        head: &ast::ForHead,
        value: &ast::Expr,
        want: Option<&Type>,
        span: Span,
    ) -> Expr {
        let item = item_of(want);
        let depth = cx.locals.len();
        let (head, taint) = self.head(cx, head, false);
        let value = self.item(cx, value, item.as_ref());
        self.unbind(cx, depth);
        let ty = taint.on(Type::list(value.ty.clone()));
        Expr { kind: ExprKind::ListFor { head: Box::new(head), value: Box::new(value) }, ty, span }
    }
}

fn item_of(want: Option<&Type>) -> Option<Type> {
    match want.map(core_of) {
        Some((Type::List(item), taint)) => Some(taint.on((**item).clone())),
        Some((Type::Error, _)) => Some(Type::Error),
        _other => None,
    }
}
