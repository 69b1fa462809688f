//! Tests: the steps, and the types of what they can ask.
//!
//! A test sees every node, those inside of components too. `plan` is what the next apply would do; `result` is there once
//! a command ran, and from then on what was late is known.

use super::checker::{Checker, Cx};
use super::facts::{BlockOf, Cursor, Symbol};
use super::fields::FieldSpec;
use crate::diagnose::mismatch::Place;
use crate::diagnose::names;
use crate::hir::{Access, Test, TestStep, TestStepKind};
use crate::resolve::Def;
use crate::resolve::cycles::Vertex;
use imm_ir::{Class, Diagnostic, FieldType, RecordType, Span, Type, Value, VariantCase, VariantType, code};
use imm_syntax::ast;
use std::sync::Arc;

/// The faults that a test can make, with what they take besides `at`.
const FAULTS: [(&str, &[&str]); 5] = [
    ("create_fails", &["times"]),
    ("verify_fails", &["times"]),
    ("switch_fails", &["times"]),
    ("slow", &["by"]),
    ("crash", &["after_entry"]),
];

impl Checker<'_> {
    /// Checks a test.
    pub fn test(&mut self, scope: usize, ast: &ast::Test, span: Span) -> Test {
        let mut cx = Cx::new(scope, Vertex::End);
        cx.tested = true;
        let name = |text: &str| ast::Name { text: text.into(), span: ast.name.span };
        let plan = self.bind(&mut cx, &name("plan"), plan_type(), None);
        // Bound by its place in the list, and visible once there is one.
        let result = self.bind(&mut cx, &name("result"), result_type(), None);
        let hidden = cx.locals.pop();
        let mut steps = Vec::new();
        for step in &ast.steps {
            let kind = self.test_step(&mut cx, step);
            if matches!(kind, TestStepKind::Apply | TestStepKind::Rollback | TestStepKind::Recover) && !cx.settled {
                cx.settled = true;
                cx.locals.extend(hidden.as_ref().map(|local| super::checker::Local {
                    name: Arc::clone(&local.name),
                    id: local.id,
                    ty: local.ty.clone(),
                    span: local.span,
                    used: false,
                    warn: None,
                }));
            }
            steps.push(TestStep { kind, span: step.span });
        }
        Test { name: Arc::from(ast.name.plain().unwrap_or_default()), steps, plan, result, span }
    }

    fn test_step(&mut self, cx: &mut Cx, step: &ast::Step) -> TestStepKind {
        match &step.kind {
            ast::StepKind::Given(block) => {
                let mut closed = Cx::closed(cx.scope, Vertex::End, "the values given to a test");
                let record = ast::Expr { kind: ast::ExprKind::Block(block.clone()), span: block.span };
                TestStepKind::Given(self.environment_params(&mut closed, &record))
            }
            ast::StepKind::Apply => TestStepKind::Apply,
            ast::StepKind::Rollback => TestStepKind::Rollback,
            ast::StepKind::Recover => TestStepKind::Recover,
            ast::StepKind::Fault { kind, fields } => self.fault(cx, kind, fields),
            ast::StepKind::Sample { pointer, fields } => self.sample(cx, pointer, fields),
            ast::StepKind::Expect(condition) => {
                if !cx.settled
                    && let ast::ExprKind::Name(name) = &first_name(condition).kind
                    && name.as_str() == "result"
                {
                    self.report(
                        Diagnostic::error(code::UNKNOWN_NAME, name.span, "there is no result before the first `apply`")
                            .label("nothing was done yet")
                            .help("write `apply` before this line; what an apply would do is in `plan`"),
                    );
                    return TestStepKind::Error;
                }
                TestStepKind::Expect(self.check(cx, condition, &Type::Bool, Place::Value))
            }
            ast::StepKind::Error => TestStepKind::Error,
        }
    }

    fn fault(&mut self, cx: &mut Cx, kind: &ast::Name, fields: &ast::Block) -> TestStepKind {
        self.at_cursor(kind.as_str(), || Cursor::Words("fault", FAULTS.map(|(name, _)| name).into()));
        let Some((_, extra)) = FAULTS.iter().find(|(name, _)| *name == kind.as_str()) else {
            let known = FAULTS.map(|(name, _)| name);
            self.report(
                names::unknown(code::UNKNOWN_NAME, "fault", kind.as_str(), kind.span, known)
                    .note(format!("the faults are {}", crate::diagnose::listed(known))),
            );
            return TestStepKind::Error;
        };
        let type_of = |name: &str| match name {
            "at" => Type::Node,
            "times" => Type::Int,
            "by" => Type::Duration,
            _entry => Type::option(Type::String),
        };
        let known = |name: &&str| (Arc::<str>::from(*name), type_of(name));
        let known: Vec<(Arc<str>, Type)> = std::iter::once(&"at").chain(*extra).map(known).collect();
        let required = |name: &str| matches!(name, "at" | "by");
        let specs: Vec<FieldSpec<'_>> = known
            .iter()
            .map(|(name, ty)| FieldSpec { name, ty, required: required(name), place: Place::Value })
            .collect();
        self.saw_block(fields, &specs, BlockOf::Other);
        let owner = format!("fault `{kind}`");
        let written = self.fields(cx, fields, &specs, &owner, kind.span);
        let fields = written.into_iter().map(|field| (field.name, field.value)).collect();
        TestStepKind::Fault { kind: Arc::from(kind.as_str()), fields }
    }

    fn sample(&mut self, cx: &mut Cx, pointer: &ast::Name, fields: &ast::Block) -> TestStepKind {
        self.at_cursor(pointer.as_str(), || Cursor::Pointer(cx.scope));
        let node = match self.program.value(cx.scope, pointer.as_str()) {
            Some((Def::Node(id), _)) if self.node_class(id) == Some(Class::Pointer) => {
                self.saw(pointer.span, || Some(Symbol::Node(id)));
                Some(id)
            }
            Some((Def::Broken, _)) => None,
            _other => {
                let known: Vec<&str> = self.program.value_names(cx.scope);
                self.report(names::unknown(code::UNKNOWN_NAME, "pointer", pointer.as_str(), pointer.span, known));
                None
            }
        };
        let samples = samples_type();
        let known: [(Arc<str>, Type); 2] =
            [(Arc::from("new"), samples.clone()), (Arc::from("old"), Type::option(samples))];
        let specs: Vec<FieldSpec<'_>> = known
            .iter()
            .map(|(name, ty)| FieldSpec { name, ty, required: &**name == "new", place: Place::Value })
            .collect();
        self.saw_block(fields, &specs, BlockOf::Other);
        let written = self.fields(cx, fields, &specs, &"a sample", pointer.span);
        let fields = written.into_iter().map(|field| (field.name, field.value)).collect();
        node.map_or(TestStepKind::Error, |pointer| TestStepKind::Sample { pointer, fields })
    }

    /// A node inside of an instance of a component.
    pub(super) fn inner_node(&mut self, base: &Type, name: &ast::Name) -> Option<(Type, Access)> {
        let Type::Component(component) = base else { return None };
        let id = self.component_by_name(component)?;
        let scope = *self.program.component_scopes.get(id.index())?;
        let here = self.program.scopes.get(scope)?;
        if here.outputs.iter().any(|(output, _)| output.name.as_str() == name.as_str()) {
            return None;
        }
        let (Def::Node(node), _) = here.values.get(name.as_str()).copied()? else { return None };
        self.saw(name.span, || Some(Symbol::Node(node)));
        Some((self.node_type(node), Access::Inner(node)))
    }
}

/// The leftmost operand of an expression.
fn first_name(expr: &ast::Expr) -> &ast::Expr {
    match &expr.kind {
        ast::ExprKind::Field(it) => first_name(&it.base),
        ast::ExprKind::Method(it) => first_name(&it.base),
        ast::ExprKind::Binary { left: inner, .. }
        | ast::ExprKind::Index { base: inner, .. }
        | ast::ExprKind::Unary { operand: inner, .. }
        | ast::ExprKind::Paren(inner) => first_name(inner),
        _leaf => expr,
    }
}

fn record(fields: Vec<(&str, Type)>) -> Type {
    let field = |(name, ty): (&str, Type)| FieldType { name: Arc::from(name), ty, default: None };
    Type::Record(Arc::new(RecordType { fields: fields.into_iter().map(field).collect() }))
}

/// `{ create, destroy, switch, rename, keep: [Change] }`
fn plan_type() -> Type {
    let change =
        record(vec![("address", Type::String), ("kind", Type::String), ("class", Type::String), ("node", Type::Node)]);
    let lists = ["create", "destroy", "switch", "rename", "keep"].map(|name| (name, Type::list(change.clone())));
    record(lists.into())
}

fn result_type() -> Type {
    let case = |tag: &str| VariantCase { tag: Arc::from(tag), payload: RecordType::default() };
    let cases = ["committed", "rolled_back", "interrupted"].map(case);
    let outcome = Type::Variant(Arc::new(VariantType { name: Arc::from("Outcome"), variants: cases.into() }));
    record(vec![
        ("outcome", outcome),
        ("generation", Type::Int),
        ("created", Type::Int),
        ("destroyed", Type::Int),
        ("outage", Type::Duration),
        ("failed_requests", Type::Int),
    ])
}

/// [`Samples`](imm_ir::kinds) as a test writes them: what is left out is nothing.
fn samples_type() -> Type {
    let field = |name: &str, ty, default| FieldType { name: Arc::from(name), ty, default: Some(default) };
    let times = ["p50", "p90", "p99"].map(|name| field(name, Type::Duration, Value::Duration(0)));
    let mut fields = vec![
        field("requests", Type::Int, Value::Int(1000)),
        field("errors", Type::Ratio, Value::Ratio(0)),
        field("restarts", Type::Int, Value::Int(0)),
    ];
    fields.extend(times);
    Type::Record(Arc::new(RecordType { fields }))
}
