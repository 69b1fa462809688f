//! The fields of a node: evaluated where somebody reads them, looked at for mistakes where nobody does, shared where all nodes
//! of a declaration have the same.

use super::trail::Known;
use super::{Evaluator, Purpose, Result, UNKNOWN, budget};
use crate::hir::{Expr, ExprKind, Field, MapEntry, Node};
use crate::types::core_of;
use imm_ir::{Addr, Cause, Class, FieldClass, FieldSchema, Fields, Input, KindSchema, OutputFrom, Term, Type, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Fields of a node that were evaluated, and the nodes that each must follow.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    pub inputs: Fields<Arc<Input>>,
    pub orders: BTreeMap<Arc<str>, Vec<Addr>>,
    /// Bytes that they take, those that others share left out; the same in a check, which keeps few of them.
    pub bytes: u64,
    /// Bytes of their places alone.
    pub places: u64,
}

/// A kind, and what happens to each field of its schema that is written.
pub(super) struct Kind<'a> {
    pub schema: &'a KindSchema,
    uses: Vec<Use>,
}

/// Who asks for the value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Whoever reads the node.
    Kept,
    /// Only the rules that judge it by more than its type: see `base` and `demanded`.
    Judged,
    /// Nobody: it is looked at for mistakes.
    Unread,
}

/// The inputs of a declaration that are the same for all nodes it makes, by the place of their field in the schema, and the
/// nodes that each must follow.
#[derive(Debug, Default)]
pub(super) struct Same(Vec<Option<(Arc<Input>, Vec<Addr>)>>);

impl Same {
    fn get(&self, index: usize) -> Option<&(Arc<Input>, Vec<Addr>)> {
        self.0.get(index)?.as_ref()
    }

    fn put(&mut self, index: usize, input: &Arc<Input>, followed: &[Addr]) {
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        if let Some(place) = self.0.get_mut(index) {
            *place = Some((Arc::clone(input), followed.to_vec()));
        }
    }
}

impl<'a> Evaluator<'a> {
    pub(super) fn kind_of(&self, schema: &'a KindSchema) -> Kind<'a> {
        let how = |field: &FieldSchema| match &*field.name {
            _ if self.keeps(schema, field) => Use::Kept,
            "from" | "files" | "mounts" | "url" | "rollout" => Use::Judged,
            _other => Use::Unread,
        };
        Kind { schema, uses: schema.fields.iter().map(how).collect() }
    }

    /// The fields of the wanted classes: as written, or their defaults; absent optionals are left out.
    pub(super) fn inputs(
        &mut self,
        node: &Node,
        kind: &Kind<'a>,
        wanted: &dyn Fn(FieldClass) -> bool,
    ) -> Result<Inputs> {
        let schema = kind.schema;
        let repeats = self.budget.repeats() || self.scopes.here().addr.is_some();
        let mut same = if repeats { self.same.remove(&node.name_span).unwrap_or_default() } else { Same::default() };
        let mut inputs = Vec::new();
        let mut given = Inputs::default();
        let fields = schema.fields.iter().zip(&kind.uses).enumerate();
        for (index, (field, used)) in fields.filter(|(_, (field, _))| wanted(field.class)) {
            let written = node.field_of(&field.name);
            let default = field.default.as_ref().filter(|value| **value != Value::None);
            if written.is_none() && self.purpose == Purpose::Check {
                // What reads an input knows its default, see `made`.
                given.places += default.map_or(0, |_| budget::SHARED);
                continue;
            }
            let kept = *used == Use::Kept;
            if let Some((input, followed)) = same.get(index) {
                given.places += budget::SHARED;
                if kept && !is_absent(input) {
                    inputs.push((Arc::clone(&field.name), Arc::clone(input)));
                    if !followed.is_empty() {
                        given.orders.insert(Arc::clone(&field.name), followed.clone());
                    }
                }
                continue;
            }
            let Some(written) = written else {
                let Some(default) = default else { continue };
                given.places += budget::SHARED;
                let default = self.platform_default(&field.name).unwrap_or_else(|| default.clone());
                let loc = self.loc(node.name_span);
                let input = Arc::new(Input { term: Term::Value(default), loc, written: 0, causes: Vec::new() });
                if repeats {
                    same.put(index, &input, &[]);
                }
                inputs.push((Arc::clone(&field.name), input));
                continue;
            };
            if *used == Use::Unread && !repeats {
                self.sink = true;
                let (looked, _) = self.apart(|e| e.look(&written.value));
                self.sink = false;
                self.attempted(looked)?;
                continue;
            }
            let (input, followed, fixed) = self.made_input(schema, written, repeats, &mut given.bytes)?;
            if fixed {
                same.put(index, &input, &followed);
            }
            given.places += budget::SHARED;
            given.bytes += budget::many(followed.len().saturating_mul(size_of::<Addr>()));
            if kept && !is_absent(&input) {
                if !followed.is_empty() {
                    given.orders.insert(Arc::clone(&field.name), followed);
                }
                inputs.push((Arc::clone(&field.name), input));
            }
        }
        if repeats {
            self.same.insert(node.name_span, same);
        }
        inputs.shrink_to_fit();
        given.inputs = Fields::from(inputs);
        Ok(given)
    }

    /// An input as it is written, what it must follow, and whether it is the same for all nodes of the declaration. One with a
    /// mistake is not known.
    fn made_input(
        &mut self,
        schema: &KindSchema,
        written: &Field,
        repeats: bool,
        bytes: &mut u64,
    ) -> Result<(Arc<Input>, Vec<Addr>, bool)> {
        let asserts = self.graph.asserts.len();
        let read = self.input(written).and_then(|(mut input, followed)| {
            self.base(&mut input, written)?;
            self.demanded(&schema.name, &input, written)?;
            Ok((input, followed))
        });
        let (input, followed) = match read {
            Ok(read) => read,
            Err(failed) => {
                self.attempted(Err(failed))?;
                let loc = self.loc(written.value.span);
                return Ok((Arc::new(Input { term: UNKNOWN, loc, written: 0, causes: Vec::new() }), Vec::new(), false));
            }
        };
        let taken = budget::bytes(&input.term);
        let fixed = repeats && asserts == self.graph.asserts.len() && self.is_fixed(&written.value);
        if fixed {
            self.budget.keep(taken, written.value.span).map_err(|exceeded| self.fail(*exceeded))?;
        } else {
            let causes = budget::many(input.causes.len().saturating_mul(size_of::<Cause>()));
            *bytes += taken + budget::INPUT + causes;
        }
        Ok((Arc::new(input), followed, fixed))
    }

    /// Whether an expression has the same value in every round of a loop and in every instance. Not all of which that is true
    /// need be found.
    fn is_fixed(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Value(_) => true,
            ExprKind::Param(_) | ExprKind::Let(_) | ExprKind::Node(_) => self.scopes.here().addr.is_none(),
            ExprKind::Coerce(inner) => self.is_fixed(inner),
            ExprKind::Field { base, .. } => self.is_fixed(base),
            ExprKind::List(items) => items.iter().all(|(_, item)| self.is_fixed(item)),
            ExprKind::Record(fields) | ExprKind::Variant { payload: fields, .. } => {
                fields.iter().all(|(_, value)| self.is_fixed(value))
            }
            ExprKind::Map(entries) => entries.iter().all(|entry| match entry {
                MapEntry::Entry { key, value } => self.is_fixed(key) && self.is_fixed(value),
                MapEntry::Spread(spread) => self.is_fixed(spread),
            }),
            _may_vary => false,
        }
    }

    /// Whether the value of an input is looked at. A check keeps no graph: only what outputs that are read are made of, how
    /// many there are, and what `finish` judges.
    fn keeps(&self, schema: &KindSchema, field: &FieldSchema) -> bool {
        if self.purpose == Purpose::Plan || matches!(&*field.name, "health" | "image" | "cmd" | "from") {
            return true;
        }
        let name = &field.name;
        if schema.class == Class::Pointer {
            let told = matches!(&**name, "listen" | "host" | "path");
            return told || matches!(core_of(&field.ty).0, Type::Target | Type::Node | Type::Handle(_) | Type::List(_));
        }
        let asked = &self.module.outputs_read;
        let read = |output: &imm_ir::OutputSchema| match &output.from {
            OutputFrom::Input(input) => input == name && asked.contains(&output.name),
            OutputFrom::Spec => asked.contains(&output.name),
            OutputFrom::Provider | OutputFrom::Members => false,
        };
        let counts = schema.expands.as_ref().is_some_and(|expansion| expansion.count == *name);
        counts || !asked.is_empty() && schema.outputs.iter().any(read)
    }

    fn input(&mut self, field: &Field) -> Result<(Input, Vec<Addr>)> {
        self.sink = true;
        let (term, trail) = self.apart(|e| e.own(&field.value));
        self.sink = false;
        let term = term?;
        if term.is_deeper_than(imm_ir::reduce::DEPTH) {
            let what = "an expression that nests too deep to be kept for later";
            return Err(self.fail(self.budget.exceeded(field.value.span, what)));
        }
        let Known { causes, orders, followed } = trail.known();
        self.spend(followed, field.value.span)?;
        let loc = self.loc(field.value.span);
        let written = self.written(field.value.span);
        Ok((Input { term, loc, written, causes }, orders))
    }
}

fn is_absent(input: &Input) -> bool {
    matches!(input.term, Term::Value(Value::None))
}
