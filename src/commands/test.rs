//! `imm test`: the tests of a program, on the simulator. Nothing real is touched and nothing is recorded.

use crate::cli::{Global, Test as Args};
use crate::compile;
use crate::failure::{Exit, Failure, Outcome};
use crate::project::{Project, plain};
use crate::ui::Style;
use crate::ui::test::{Told, Verdict};
use imm_compiler::hir::{Expr, ExprKind, LocalId, Test, TestStep, TestStepKind, each_expr};
use imm_compiler::testing::{Params, Seen, Suite, suite};
use imm_ir::{Addr, Diagnostic, Fields, Graph, Span, Value, code};
use imm_runtime::plan::{Action, Plan};
use imm_runtime::rollout::Samples;
use imm_runtime::simulate::fault::{Trouble, What};
use imm_runtime::simulate::rehearsal::{Ending, Rehearsal, Report};
use std::sync::Arc;
use std::time::Instant;

/// Runs the tests that are asked for; ends with 1 when one of them fails.
pub fn run(global: &Global, args: &Args) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let options = compile::options(&project, &args.params)?;
    let world = compile::world()?;
    let mut suite = suite(&world, &project.path.to_string_lossy(), &options).map_err(|failed| {
        compile::show(&failed.diagnostics, &failed.sources, args.json, style);
        Failure::said(Exit::Failed)
    })?;
    let all = suite.tests().to_vec();
    if all.is_empty() {
        return Err(Failure::new("this program has no tests").help(
            "write one beside it:\n\n  test \"it starts\" {\n    apply\n    expect result.outcome == committed\n  }",
        ));
    }
    let wanted =
        |test: &&Test| args.filter.is_empty() || args.filter.iter().any(|part| test.name.contains(part.as_str()));
    let chosen: Vec<&Test> = all.iter().filter(wanted).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = all.iter().map(|test| &*test.name).collect();
        return Err(Failure::new("no test has a name with that in it").help(format!("there are: {}", names.join(", "))));
    }
    let mut told = Told::new(&project.name, chosen.len(), args.json, style);
    for test in chosen {
        if args.list {
            told.name(&suite.sources().loc(test.span), &test.name);
            continue;
        }
        let began = Instant::now();
        let run = Run::new(&mut suite, test)?.run();
        let verdict = Verdict { failures: run.err().unwrap_or_default(), took: began.elapsed() };
        told.verdict(&test.name, test.span, &verdict, suite.sources());
    }
    Ok(if told.end(args.list) { Exit::Done } else { Exit::Failed })
}

/// One test that is being run.
struct Run<'s, 'w> {
    suite: &'s mut Suite<'w>,
    test: &'s Test,
    rehearsal: Rehearsal,
    params: Params,
    seen: Seen,
}

type Stopped = Vec<Diagnostic>;

/// Requests that a side had whose sample does not say how many: enough for a gate that asks for as many as gates do.
const SAMPLED: u64 = 1000;

impl<'s, 'w> Run<'s, 'w> {
    fn new(suite: &'s mut Suite<'w>, test: &'s Test) -> Result<Self, Failure> {
        // The same for every run, and another one for every test.
        let seed = test.name.bytes().fold(1_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let rehearsal = Rehearsal::new(seed).map_err(|e| Failure::new(format!("the simulator: {}", plain(&e))))?;
        let params = suite.params().clone();
        Ok(Self { suite, test, rehearsal, params, seen: Seen::default() })
    }

    /// Runs the steps up to the first one that cannot be done; expectations that fail are collected until the next command.
    fn run(mut self) -> Result<(), Stopped> {
        let mut failures = Vec::new();
        for step in &self.test.steps {
            match &step.kind {
                TestStepKind::Expect(condition) => failures.extend(self.expect(condition)?),
                // What follows a command says little once the state before it is not what it should be.
                TestStepKind::Apply | TestStepKind::Rollback | TestStepKind::Recover if !failures.is_empty() => break,
                _other => self.step(step)?,
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(failures) }
    }

    fn step(&mut self, step: &TestStep) -> Result<(), Stopped> {
        let refused = |what: &str, why: String| {
            vec![Diagnostic::error(code::ASSERT_FAILED, step.span, format!("{what} was refused: {why}")).label("here")]
        };
        match &step.kind {
            TestStepKind::Given(values) => self.params.extend(self.suite.given(values)?),
            TestStepKind::Apply => {
                let graph = self.graph(step.span)?;
                let report = self.rehearsal.apply(&graph).map_err(|why| refused("the apply", why))?;
                self.saw(&report);
            }
            TestStepKind::Rollback => {
                let report = self.rehearsal.rollback().map_err(|why| refused("the rollback", why))?;
                self.saw(&report);
            }
            TestStepKind::Recover => {
                let report = self.rehearsal.recover().map_err(|why| refused("the recovery", why))?;
                self.saw(&report);
            }
            TestStepKind::Fault { kind, fields } => {
                let fields = self.suite.values(&self.params, fields)?;
                self.fault(kind, &fields);
            }
            TestStepKind::Sample { pointer, fields } => {
                let fields = self.suite.values(&self.params, fields)?;
                let Some(address) = self.suite.address(*pointer) else { return Ok(()) };
                let read = |name: &str| {
                    let quiet = Samples { requests: SAMPLED, ..Samples::default() };
                    fields.get(name).filter(|v| **v != Value::None).map_or(quiet, |v| Samples::read(v, SAMPLED))
                };
                self.rehearsal.sample(address, read("new"), read("old"));
            }
            TestStepKind::Expect(_) | TestStepKind::Error => {}
        }
        Ok(())
    }

    /// What the program says with the params as they are.
    fn graph(&mut self, at: Span) -> Result<Graph, Stopped> {
        self.suite.graph(&self.params).map_err(|found| found.into_iter().map(|d| d.also(at, "for this step")).collect())
    }

    fn fault(&mut self, kind: &str, fields: &Fields<Value>) {
        let Some(Value::Node(at)) = fields.get("at") else { return };
        let whole = |name: &str| fields.get(name).and_then(Value::as_int);
        let times = whole("times").and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
        let trouble = |what| Trouble { at: at.clone(), what, times };
        match (kind, fields.get("by")) {
            ("create_fails", _) => self.rehearsal.trouble(trouble(What::CreateFails)),
            ("verify_fails", _) => self.rehearsal.trouble(trouble(What::VerifyFails)),
            ("switch_fails", _) => self.rehearsal.trouble(trouble(What::SwitchFails)),
            ("slow", Some(Value::Duration(by))) => {
                self.rehearsal.trouble(trouble(What::Slow(u64::try_from(*by).unwrap_or_default())));
            }
            _crash => {
                let entry = fields.get("after_entry").and_then(Value::as_text).unwrap_or("Created");
                self.rehearsal.crash(at.clone(), entry.to_owned());
            }
        }
    }

    fn expect(&mut self, condition: &Expr) -> Result<Option<Diagnostic>, Stopped> {
        if names(condition, self.test.plan) && self.seen.plan.is_none() {
            let graph = self.graph(condition.span)?;
            let plan = self.rehearsal.plan(&graph).map_err(|why| {
                let message = format!("there is no plan: {why}");
                vec![Diagnostic::error(code::ASSERT_FAILED, condition.span, message).label("for this")]
            })?;
            self.seen.plan = Some(planned(&plan));
        }
        self.suite.expect(&self.params, &self.seen, self.test, condition)
    }

    fn saw(&mut self, report: &Report) {
        self.seen = Seen { plan: None, result: Some(ended(report)), outputs: self.rehearsal.outputs() };
    }
}

/// Whether an expression reads a binding.
fn names(expr: &Expr, local: LocalId) -> bool {
    let mut found = false;
    each_expr(expr, &mut |inner| found |= matches!(inner.kind, ExprKind::Local(id) if id == local));
    found
}

fn fields<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Record(fields.into_iter().map(|(name, value)| (Arc::from(name), value)).collect())
}

/// The record `plan`.
fn planned(plan: &Plan) -> Value {
    let change = |address: &Addr, kind: &str, class: &str| {
        fields([
            ("address", Value::text(address.to_string())),
            ("kind", Value::text(kind)),
            ("class", Value::text(class)),
            ("node", Value::Node(address.clone())),
        ])
    };
    let steps = |action: Action| {
        let steps = plan.steps.iter().filter(|step| step.action == action);
        Value::List(steps.map(|step| change(&step.address, &step.kind, step.class.keyword())).collect())
    };
    let touched = |address: &Addr| {
        plan.steps.iter().any(|s| s.address == *address && matches!(s.action, Action::Create | Action::Rename))
    };
    let kept = plan.graph.nodes.iter().filter(|(address, _)| !touched(address));
    fields([
        ("create", steps(Action::Create)),
        ("destroy", steps(Action::Destroy)),
        ("switch", steps(Action::Switch)),
        ("rename", steps(Action::Rename)),
        ("keep", Value::List(kept.map(|(address, node)| change(address, &node.kind, node.class.keyword())).collect())),
    ])
}

/// The record `result`.
fn ended(report: &Report) -> Value {
    let outcome = match report.ending {
        Ending::Committed => "committed",
        Ending::RolledBack => "rolled_back",
        Ending::Interrupted => "interrupted",
    };
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    fields([
        ("outcome", Value::tag(outcome)),
        ("generation", Value::Int(count(report.generation))),
        ("created", Value::Int(count(report.created))),
        ("destroyed", Value::Int(count(report.destroyed))),
        ("outage", Value::Duration(count(report.outage_ms))),
        ("failed_requests", Value::Int(count(report.failed_requests))),
    ])
}
