//! What a plan refuses without a word of its own, and what it proves although nothing is made.

use crate::stage::{apply, in_virtual_time, none, scene};
use imm_ir::{Addr, Graph, Replace, Value, kinds};
use imm_runtime::apply::Outcome;
use imm_runtime::entry::Verb;
use imm_runtime::plan::{Action, Options, Plan, PlanError, Recorded, Undo, plan};
use imm_runtime::simulate::call::IDENTITY;
use imm_runtime::simulate::harness::{Command, Ended};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::shapes::{Migration, Program};
use imm_runtime::simulate::world::Behaviour;
use imm_runtime::state::State;
use std::collections::BTreeMap;
use std::sync::Arc;

fn options() -> Options {
    let schemas = BTreeMap::from([(IDENTITY.into(), kinds::builtin().clone())]);
    Options { because: "meant".into(), ..Options::new(schemas) }
}

/// The state after these, and a plan on it.
fn planned(before: &[Command], graph: &Graph, options: &Options) -> Result<Plan, PlanError> {
    let state: State = in_virtual_time(async { scene(9, before).await.state().unwrap() });
    plan(graph, Recorded { state: &state, graph: None }, &Default::default(), options)
}

fn job(text: &str, effect: &'static str) -> Program {
    Program { migration: Some(Migration { effect, ..Migration::compatible(text) }), ..Program::hello() }
}

#[test]
fn a_point_of_no_return_wants_its_own_consent() {
    let migrate = Addr::root("migrate");
    let refused = planned(&[], &job("one", "breaking").graph(), &options()).unwrap_err();
    assert_eq!(refused.code, "never-step");
    assert!(refused.help.unwrap().contains("`--never migrate --because TEXT`"));
    let consents = Options { never: vec![migrate.clone()], ..options() };
    let plan = planned(&[], &job("one", "breaking").graph(), &consents).unwrap();
    let step = plan.steps.iter().find(|s| s.address == migrate).unwrap();
    assert_eq!((step.action, step.undo), (Action::Create, Undo::Never));
    let plan = planned(&[], &job("one", "compatible").graph(), &options()).unwrap();
    assert_eq!(plan.steps.iter().find(|s| s.address == migrate).unwrap().undo, Undo::Seconds);
    // It has run: nothing is asked again.
    planned(&[apply(&job("one", "breaking"))], &job("one", "breaking").graph(), &options()).unwrap();
}

#[test]
fn a_rollback_behind_a_breaking_job_asks() {
    let before = [apply(&Program::hello()), apply(&job("one", "breaking"))];
    let back = Options { verb: Verb::Rollback { to: 1 }, ..options() };
    let refused = planned(&before, &Program::hello().graph(), &back).unwrap_err();
    assert_eq!(refused.code, "across-job");
    assert!(refused.help.unwrap().contains("`--across migrate --because TEXT`"));
    let back = Options { across: vec![Addr::root("migrate")], ..back };
    planned(&before, &Program::hello().graph(), &back).unwrap();
    let before = [apply(&Program::hello()), apply(&job("one", "compatible"))];
    planned(&before, &Program::hello().graph(), &Options { across: Vec::new(), ..back }).unwrap();
}

#[test]
fn more_than_the_limit_is_replaced_only_when_that_is_meant() {
    let limited = |greeting: &str| {
        let mut graph = Program { greeting: greeting.into(), ..Program::hello() }.graph();
        graph.policy.replace_limit_ppm = Some(300_000);
        graph
    };
    let before = [apply(&Program::hello())];
    let refused = planned(&before, &limited("Hi"), &options()).unwrap_err();
    assert_eq!(refused.code, "above-limit");
    assert!(refused.message.starts_with("3 of 3 objects are replaced (100 %)"), "{}", refused.message);
    assert!(refused.message.ends_with("because image is replaced, which 2 bind"), "{}", refused.message);
    planned(&before, &limited("Hi"), &Options { above_limit: true, ..options() }).unwrap();
    planned(&before, &limited("Hello"), &options()).unwrap();
}

#[test]
fn two_holders_need_a_handover() {
    let database = |version: &str| Program { database: Some(version.into()), ..Program::hello() };
    let mut beside = database("17").graph();
    let held = beside.nodes.get_mut(&Addr::root("pg").child("instance").key("0")).unwrap();
    Arc::make_mut(&mut held.with).replace = Replace::Beside;
    let before = [apply(&database("16"))];
    let refused = planned(&before, &beside, &options()).unwrap_err();
    assert_eq!(refused.code, "cannot-coexist");
    assert!(refused.help.unwrap().contains("handover"));
    let plan = planned(&before, &database("17").graph(), &options()).unwrap();
    let stops = plan.steps.iter().find(|s| s.action == Action::Deactivate).unwrap();
    assert_eq!((stops.outage_ms, stops.undo), (20_000, Undo::Seconds));
    // Two routes on one port are told before anything is made.
    let mut ports = database("16").graph();
    let db = ports.nodes[&Addr::root("db")].clone();
    ports.nodes.insert(Addr::root("other"), db);
    assert_eq!(planned(&[], &ports, &options()).unwrap_err().code, "cannot-coexist");
}

/// A new health check is committed only when what runs passes it.
#[test]
fn another_policy_is_proven() {
    in_virtual_time(async {
        let mut scene = scene(9, &[apply(&Program::hello())]).await;
        let mut graph = Program::hello().graph();
        for (_, node) in graph.nodes.iter_mut().filter(|(a, _)| a.is_within(&Addr::root("web"))) {
            let check = Value::Variant("tcp".into(), Default::default());
            std::sync::Arc::make_mut(node.inputs.get_mut("health").unwrap()).term = imm_ir::Term::Value(check);
        }
        let first = Addr::root("web").child("instance").key("0");
        let dead = scene.state().unwrap().at(&first).unwrap().0;
        scene.world.behave_at(first, Behaviour::DiesAfter(0));
        scene.degraded.insert(dead);
        let command = Command::Apply(Box::new(graph));
        let ended = scene.run(&command, None, &Life::default()).await;
        let Ended::Outcome(Outcome::RolledBack { error, .. }) = &ended else { panic!("{ended:?}") };
        assert!(error.contains("web.instance[\"0\"] is not healthy"), "{error}");
        none(&scene.judge_at_rest(), "policy");
        scene.world.behave_at(Addr::root("web").child("instance").key("0"), Behaviour::HealthyAfter(0));
        let ended = scene.run(&command, None, &Life::default()).await;
        assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{ended:?}");
    });
}
