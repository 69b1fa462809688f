//! Fields of a block: which it may have, which it has, and which are missing.

use super::checker::{Checker, Cx};
use super::expr::value;
use super::facts::BlockOf;
use crate::diagnose::blocks as say;
use crate::diagnose::mismatch::Place;
use crate::hir::{Access, Expr, ExprKind};
use crate::resolve::cycles::Vertex;
use crate::types::{Taint, peel, unrefined};
use imm_ir::{FieldType, RecordType, Span, Type, Value, code};
use imm_syntax::ast::{self, BlockBody, EntryKind, KeyKind};
use std::fmt::Display;
use std::sync::Arc;

/// A field that a block may have.
pub(super) struct FieldSpec<'t> {
    pub name: &'t Arc<str>,
    pub ty: &'t Type,
    pub required: bool,
    pub place: Place<'t>,
}

/// A field that a block has.
pub(super) struct Written {
    pub name: Arc<str>,
    pub value: Expr,
    pub span: Span,
}

/// The field with this name, looked for from `next` on, which is then the place behind it: most blocks have the order of their
/// kind.
fn named<'s, 't>(specs: &'s [FieldSpec<'t>], next: &mut usize, name: &str) -> Option<&'s FieldSpec<'t>> {
    let places = (*next..specs.len()).chain(0..*next);
    let mut found = places.filter_map(|at| Some((at, specs.get(at)?))).filter(|(_, spec)| **spec.name == *name);
    let (at, spec) = found.next()?;
    *next = at + 1;
    Some(spec)
}

/// Whether a field of this type may be left out without a default.
pub(super) fn omittable(ty: &Type) -> bool {
    matches!(peel(ty).0, Type::Option(_) | Type::Error)
}

/// Fields of a record, which have its names, and absent ones filled in with their default.
pub(super) fn complete(written: Vec<Written>, record: &RecordType, span: Span) -> Vec<(Arc<str>, Expr)> {
    // No room for more: there are many of these in a large program, and they live as long as it does.
    let mut all: Vec<(Arc<str>, Expr)> = Vec::with_capacity(record.fields.len());
    all.extend(written.into_iter().map(|w| (w.name, w.value)));
    for field in &record.fields {
        if !all.iter().any(|(name, _)| Arc::ptr_eq(name, &field.name)) {
            let default = field.default.clone().unwrap_or(Value::None);
            all.push((Arc::clone(&field.name), value(default, field.ty.clone(), span)));
        }
    }
    all
}

impl Checker<'_> {
    /// Adds a field of a known shape; all that are written have the names of the shape itself.
    pub(super) fn give(
        &mut self,
        fields: &mut Vec<Written>,
        spec: &FieldSpec<'_>,
        value: Expr,
        span: Span,
        from_spread: bool,
    ) {
        let new = Written { name: Arc::clone(spec.name), value, span };
        match fields.iter_mut().find(|f| Arc::ptr_eq(&f.name, spec.name)) {
            Some(old) => self.replace(old, new, from_spread),
            None => fields.push(new),
        }
    }

    /// Adds a field of a shape that is made of what is written.
    pub(super) fn put(&mut self, fields: &mut Vec<Written>, new: Written, from_spread: bool) {
        match fields.iter_mut().find(|f| f.name == new.name) {
            Some(old) => self.replace(old, new, from_spread),
            None => fields.push(new),
        }
    }

    /// A field that is written after a spread replaces the spread's.
    fn replace(&mut self, old: &mut Written, new: Written, from_spread: bool) {
        let old_from_spread =
            matches!(&old.value.uncoerced().kind, ExprKind::Field { .. }) && old.span == Span::default();
        if from_spread || old_from_spread {
            *old = new;
        } else {
            let first = old.span;
            self.report(say::duplicate_key(&new.name, new.span, first));
        }
    }

    /// The fields that `..record` stands for. Their place is empty, which marks them as spread.
    pub(super) fn spread(&mut self, spread: Expr) -> Vec<Written> {
        let (core, taint) = peel(&spread.ty);
        let Type::Record(record) = unrefined(&core).clone() else {
            if core != Type::Error {
                let expected = Type::Record(Arc::default());
                let text = format!("only a record can be spread here, and this is `{}`", spread.ty);
                self.report(
                    imm_ir::Diagnostic::error(imm_ir::code::TYPE_MISMATCH, spread.span, text)
                        .label(if matches!(core, Type::Map(_)) { "a map" } else { "not a record" })
                        .help(format!("write the fields, or spread a record like `{expected}`")),
                );
            }
            return Vec::new();
        };
        let span = spread.span;
        let base = Arc::new(spread);
        let field = |field: &FieldType| Written {
            name: Arc::clone(&field.name),
            value: Expr {
                kind: ExprKind::Field {
                    base: Arc::clone(&base),
                    name: Arc::clone(&field.name),
                    access: Access::Record,
                    optional: false,
                },
                ty: taint.on(field.ty.clone()),
                span,
            },
            span: Span::default(),
        };
        record.fields.iter().map(field).collect()
    }

    /// The fields of a record or payload of a known type, complete.
    pub(super) fn payload(
        &mut self,
        cx: &mut Cx,
        block: &ast::Block,
        record: &RecordType,
        owner: &dyn Display,
        taint: Taint,
        missing_at: Span,
    ) -> Vec<(Arc<str>, Expr)> {
        let marked: Vec<Type> = match taint == Taint::default() {
            true => Vec::new(),
            false => record.fields.iter().map(|field| taint.on(field.ty.clone())).collect(),
        };
        let spec = |(index, field): (usize, &'_ FieldType)| (index, field.default.is_none() && !omittable(&field.ty));
        let specs = record.fields.iter().enumerate().map(spec).zip(&record.fields);
        let specs: Vec<FieldSpec<'_>> = specs
            .map(|((index, required), field)| FieldSpec {
                name: &field.name,
                ty: marked.get(index).unwrap_or(&field.ty),
                required,
                place: Place::Value,
            })
            .collect();
        self.saw_block(block, &specs, BlockOf::Other);
        let written = self.fields(cx, block, &specs, owner, missing_at);
        complete(written, record, block.span)
    }

    /// The fields of a block of a known shape. Unknown and missing ones are reported.
    pub(super) fn fields(
        &mut self,
        cx: &mut Cx,
        block: &ast::Block,
        specs: &[FieldSpec<'_>],
        owner: &dyn Display,
        missing_at: Span,
    ) -> Vec<Written> {
        self.fields_of(cx, block, specs, owner, missing_at, None)
    }

    /// The same, where each entry belongs to a vertex of its own.
    pub(super) fn fields_of(
        &mut self,
        cx: &mut Cx,
        block: &ast::Block,
        specs: &[FieldSpec<'_>],
        owner: &dyn Display,
        missing_at: Span,
        vertex: Option<&dyn Fn(&ast::Entry) -> Vertex>,
    ) -> Vec<Written> {
        let BlockBody::Entries(entries) = &block.body else {
            self.report(say::bad_key(&owner.to_string(), block.span));
            return Vec::new();
        };
        let (written, whole) = self.entries(cx, entries, specs, owner, vertex);
        let absent = |s: &&FieldSpec<'_>| s.required && !written.iter().any(|w| Arc::ptr_eq(&w.name, s.name));
        let missing: Vec<&str> = specs.iter().filter(absent).map(|s| &**s.name).collect();
        if whole && !missing.is_empty() {
            self.report(say::missing(&owner.to_string(), &missing, missing_at));
        }
        written
    }

    /// What the entries of a block give, and whether all of them could be read. Unknown fields are reported.
    pub(super) fn entries(
        &mut self,
        cx: &mut Cx,
        entries: &[ast::Entry],
        specs: &[FieldSpec<'_>],
        owner: &dyn Display,
        vertex: Option<&dyn Fn(&ast::Entry) -> Vertex>,
    ) -> (Vec<Written>, bool) {
        let mut written: Vec<Written> = Vec::with_capacity(entries.len());
        let (mut whole, mut next) = (true, 0);
        for entry in entries {
            if let Some(vertex) = vertex {
                cx.vertex = vertex(entry);
            }
            match &entry.kind {
                EntryKind::Field { key, value } => {
                    let name = match &key.kind {
                        KeyKind::Name(name) => name.as_str(),
                        KeyKind::Str(text) if text.plain().is_some() => text.plain().unwrap_or_default(),
                        KeyKind::Str(_) | KeyKind::Computed(_) => {
                            self.report(say::bad_key(&owner.to_string(), key.span));
                            whole = false;
                            continue;
                        }
                    };
                    let Some(spec) = named(specs, &mut next, name) else {
                        whole &= self.no_such_field(owner, name, key.span, specs);
                        self.expr(cx, value, Some(&Type::Error));
                        continue;
                    };
                    let value = self.check(cx, value, spec.ty, spec.place);
                    self.give(&mut written, spec, value, key.span, false);
                }
                EntryKind::Short(name) => {
                    let word = name.as_str();
                    let Some(spec) = named(specs, &mut next, word) else {
                        whole &= self.no_such_field(owner, word, name.span, specs);
                        continue;
                    };
                    let before = self.found.len();
                    let value = self.name(cx, name, Some(spec.ty));
                    if let Some(unknown) = self.found.get_mut(before).filter(|d| d.code == code::UNKNOWN_NAME) {
                        let help =
                            format!("`{word}` alone stands for `{word} = {word}`; a value is given as `{word} = …`");
                        unknown.helps.insert(0, help);
                    }
                    let value = self.coerce(value, spec.ty, spec.place);
                    self.give(&mut written, spec, value, name.span, false);
                }
                EntryKind::Spread(spread) => {
                    let spread = self.expr(cx, spread, None);
                    whole &= spread.ty != Type::Error;
                    let span = spread.span;
                    for field in self.spread(spread) {
                        match specs.iter().find(|s| *s.name == field.name) {
                            Some(spec) => {
                                let value = self.coerce(field.value, spec.ty, spec.place);
                                self.give(&mut written, spec, value, field.span, true);
                            }
                            None => whole &= self.no_such_field(owner, &field.name, span, specs),
                        }
                    }
                }
                EntryKind::Error => whole = false,
            }
        }
        for field in &mut written {
            if field.span == Span::default() {
                field.span = field.value.span;
            }
        }
        (written, whole)
    }

    /// Reports; `false` when the word is like one that is required, which then is not missing.
    pub(super) fn no_such_field(
        &mut self,
        owner: &dyn Display,
        name: &str,
        span: Span,
        specs: &[FieldSpec<'_>],
    ) -> bool {
        let known: Vec<&str> = specs.iter().map(|s| &**s.name).collect();
        self.report(say::unknown_field(&owner.to_string(), name, span, &known));
        let like =
            crate::diagnose::habits::meant(name).or_else(|| crate::diagnose::similar(name, known.iter().copied()));
        !specs.iter().any(|s| s.required && Some(&**s.name) == like)
    }
}
