//! Records, maps, payloads and lists.

use super::checker::{Checker, Cx};
use super::expr::value;
use super::facts::BlockOf;
use crate::diagnose::blocks as say;
use crate::diagnose::mismatch::{self, Place};
use crate::hir::{Access, Expr, ExprKind, MapEntry};
use crate::resolve::cycles::Vertex;
use crate::types::{Taint, core_of, join, peel, unrefined};
use imm_ir::{FieldType, RecordType, Span, Type, Value, code};
use imm_syntax::ast::{self, BlockBody, EntryKind, KeyKind};
use rustc_hash::FxHashMap;
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

/// What messages call a record: its type, unless that is long.
struct RecordName<'a>(&'a Arc<RecordType>);

impl Display for RecordName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = format!("`{}`", Type::Record(Arc::clone(self.0)));
        f.write_str(if shown.len() > 60 { "this record" } else { &shown })
    }
}

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

    /// Adds a field of a known shape; all that are written have the names of the shape itself.
    fn give(&mut self, fields: &mut Vec<Written>, spec: &FieldSpec<'_>, value: Expr, span: Span, from_spread: bool) {
        let new = Written { name: Arc::clone(spec.name), value, span };
        match fields.iter_mut().find(|f| Arc::ptr_eq(&f.name, spec.name)) {
            Some(old) => self.replace(old, new, from_spread),
            None => fields.push(new),
        }
    }

    /// Adds a field of a shape that is made of what is written.
    fn put(&mut self, fields: &mut Vec<Written>, new: Written, from_spread: bool) {
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
    fn spread(&mut self, spread: Expr) -> Vec<Written> {
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
    pub fn payload(
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
    pub fn fields(
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
    pub fn fields_of(
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
    fn entries(
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
    fn no_such_field(&mut self, owner: &dyn Display, name: &str, span: Span, specs: &[FieldSpec<'_>]) -> bool {
        let known: Vec<&str> = specs.iter().map(|s| &**s.name).collect();
        self.report(say::unknown_field(&owner.to_string(), name, span, &known));
        let like =
            crate::diagnose::habits::meant(name).or_else(|| crate::diagnose::similar(name, known.iter().copied()));
        !specs.iter().any(|s| s.required && Some(&**s.name) == like)
    }

    fn map(&mut self, cx: &mut Cx, entries: &[ast::Entry], item: Option<&Type>, span: Span) -> Expr {
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

    fn item(&mut self, cx: &mut Cx, expr: &ast::Expr, item: Option<&Type>) -> Expr {
        match item {
            Some(item) => self.check(cx, expr, item, Place::Value),
            None => self.expr(cx, expr, None),
        }
    }

    /// `[a, ..b]`.
    pub fn list(&mut self, cx: &mut Cx, elements: &[ast::Element], want: Option<&Type>, span: Span) -> Expr {
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
    pub fn list_for(
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

/// The smallest type of several values.
pub(super) struct Common<'t> {
    what: &'t str,
    expected: Option<&'t Type>,
    so_far: Option<(Type, Span)>,
    /// Types that do not fit the first; one mistake may be made several times.
    others: Vec<Type>,
    broken: bool,
}

impl<'t> Common<'t> {
    pub fn new(what: &'t str, expected: Option<&'t Type>) -> Self {
        Self { what, expected, so_far: None, others: Vec::new(), broken: false }
    }

    /// Takes one more into account; with an expected type it was checked already.
    pub fn add(&mut self, checker: &mut Checker<'_>, ty: &Type, span: Span) {
        if self.expected.is_some() {
            return;
        }
        if *ty == Type::Error {
            self.broken = true;
            return;
        }
        let Some((so_far, first)) = &mut self.so_far else {
            self.so_far = Some((ty.clone(), span));
            return;
        };
        match join(so_far, ty) {
            Some(both) => *so_far = both,
            None => {
                self.broken = true;
                if !self.others.contains(ty) {
                    checker.report(mismatch::differ(self.what, so_far, *first, ty, span));
                    self.others.push(ty.clone());
                }
            }
        }
    }

    /// The type of all.
    pub fn ty(self) -> Type {
        match (self.expected, self.so_far) {
            (Some(expected), _) => expected.clone(),
            (None, _) if self.broken => Type::Error,
            (None, Some((ty, _))) => ty,
            (None, None) => Type::Never,
        }
    }
}
