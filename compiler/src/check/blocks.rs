//! Blocks in braces: records, and what may be a record or a map.

use super::checker::{Checker, Cx};
use super::fields::Written;
use crate::diagnose::blocks as say;
use crate::diagnose::mismatch::Place;
use crate::hir::{Expr, ExprKind};
use crate::types::{Taint, core_of, peel};
use imm_ir::{FieldType, RecordType, Span, Type};
use imm_syntax::ast::{self, BlockBody, EntryKind, KeyKind};
use std::fmt::Display;
use std::sync::Arc;

/// What messages call a record: its type, unless that is long.
struct RecordName<'a>(&'a Arc<RecordType>);

impl Display for RecordName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = format!("`{}`", Type::Record(Arc::clone(self.0)));
        f.write_str(if shown.len() > 60 { "this record" } else { &shown })
    }
}

impl Checker<'_> {
    /// `{ … }`.
    pub fn block(&mut self, cx: &mut Cx, block: &ast::Block, want: Option<&Type>) -> Expr {
        let span = block.span;
        match (&block.body, want.map(core_of)) {
            (BlockBody::Entries(_), Some((Type::Record(record), taint))) => {
                let record = Arc::clone(record);
                let fields = self.payload(cx, block, &record, &RecordName(&record), taint, span);
                let types = fields.iter().map(|(name, value)| FieldType {
                    name: Arc::clone(name),
                    ty: value.ty.clone(),
                    default: None,
                });
                let broken = fields.iter().any(|(_, value)| value.ty == Type::Error);
                // Without marks each value has the type of its field.
                let ty = if broken || taint == Taint::default() {
                    Type::Record(record)
                } else {
                    Type::Record(Arc::new(RecordType { fields: types.collect() }))
                };
                Expr { kind: ExprKind::Record(fields), ty, span }
            }
            (BlockBody::Entries(entries), Some((Type::Map(item), taint))) => {
                let item = taint.on((**item).clone());
                self.map(cx, entries, Some(&item), span)
            }
            (BlockBody::Entries(entries), want) => {
                let broken = matches!(want, Some((Type::Error, _)));
                self.inferred_block(cx, entries, broken, span)
            }
            (BlockBody::For(each), want) => {
                let ast::BlockFor { head, key, value } = &**each;
                let item = match want {
                    Some((Type::Map(item), taint)) => Some(taint.on((**item).clone())),
                    _other => None,
                };
                let depth = cx.locals.len();
                let (head, taint) = self.head(cx, head, false);
                let key = self.check(cx, key, &Type::String, Place::Count("a key"));
                let value = match &item {
                    Some(item) => self.check(cx, value, item, Place::Value),
                    None => self.expr(cx, value, None),
                };
                self.unbind(cx, depth);
                let ty = taint.on(Type::map(value.ty.clone()));
                let (head, key, value) = (Box::new(head), Box::new(key), Box::new(value));
                Expr { kind: ExprKind::MapFor { head, key, value }, ty, span }
            }
        }
    }

    fn inferred_block(&mut self, cx: &mut Cx, entries: &[ast::Entry], broken: bool, span: Span) -> Expr {
        if entries.is_empty() {
            if !broken {
                self.report(say::empty(span));
            }
            return Expr::error(span);
        }
        let is_map = entries.iter().any(|entry| match &entry.kind {
            EntryKind::Field { key, .. } => !matches!(key.kind, KeyKind::Name(_)),
            EntryKind::Short(_) | EntryKind::Spread(_) | EntryKind::Error => false,
        });
        if is_map {
            return self.map(cx, entries, None, span);
        }
        let mut fields: Vec<Written> = Vec::new();
        let mut whole = true;
        for entry in entries {
            match &entry.kind {
                EntryKind::Field { key, value } => {
                    let KeyKind::Name(name) = &key.kind else { continue };
                    let value = self.expr(cx, value, None);
                    self.put(&mut fields, Written { name: Arc::from(name.as_str()), value, span: key.span }, false);
                }
                EntryKind::Short(name) => {
                    self.saw_short(name);
                    let value = self.name(cx, name, None);
                    self.put(&mut fields, Written { name: Arc::from(name.as_str()), value, span: name.span }, false);
                }
                EntryKind::Spread(spread) => {
                    let only = entries.len() == 1;
                    let spread = self.expr(cx, spread, None);
                    match peel(&spread.ty) {
                        (Type::Map(_), _) if only => return spread,
                        (Type::Error, _) => whole = false,
                        _other => {
                            for written in self.spread(spread) {
                                self.put(&mut fields, written, true);
                            }
                        }
                    }
                }
                EntryKind::Error => whole = false,
            }
        }
        if !whole {
            return Expr::error(span);
        }
        let types =
            fields.iter().map(|f| FieldType { name: Arc::clone(&f.name), ty: f.value.ty.clone(), default: None });
        let ty = Type::Record(Arc::new(RecordType { fields: types.collect() }));
        let fields = fields.into_iter().map(|f| (f.name, f.value)).collect();
        self.of_bounded_type(Expr { kind: ExprKind::Record(fields), ty, span })
    }
}
