//! The engine against a provider in memory: whole applies, what they leave, and what a crash at any append leaves.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod linear;
mod program;
mod shelf;
mod written;

use imm_ir::{Addr, Digest, Graph};
use imm_runtime::apply::{Engine, EngineError, Event, Limits, Outcome, Providers, Tenure};
use imm_runtime::audit;
use imm_runtime::clock::Clock;
use imm_runtime::entry::{Actor, Body, Verb};
use imm_runtime::id::Lineage;
use imm_runtime::ledger::Ledger;
use imm_runtime::plan::saved::{Attached, Place, SavedPlan};
use imm_runtime::plan::{Action, Options, Plan};
use imm_runtime::random::Random;
use imm_runtime::state::ObjectState;
use imm_runtime::store::Store;
use imm_runtime::store::memory::{Crash, MemoryStore};
use program::{hello, instance};
use shelf::Shelf;
use std::collections::BTreeMap;
use std::sync::Arc;

struct Noon;

impl Clock for Noon {
    fn now_ms(&self) -> i64 {
        1_000
    }
}

/// One disk and one world; every engine on it is a new process.
#[derive(Clone, Default)]
struct Bench {
    store: MemoryStore,
    shelf: Shelf,
    fence: u64,
}

impl Bench {
    fn engine(&mut self) -> Engine {
        self.fence += imm_runtime::lease::TURNS;
        let store = Box::new(self.store.clone());
        let mut ledger = Ledger::open(store, Arc::new(Noon), Actor::default(), self.fence).unwrap();
        ledger.initialize(Lineage([7; 16]), "local").unwrap();
        let providers: Providers = BTreeMap::from([(Arc::from("host"), Arc::new(self.shelf.clone()) as _)]);
        Engine::new(ledger, providers, Limits::default(), Tenure::default(), Random::seeded(self.fence))
    }

    async fn run(&mut self, graph: &Graph, verb: Verb) -> Result<(Outcome, Plan, Engine), EngineError> {
        let mut engine = self.engine();
        let options = Options { verb, ..Options::new(engine.schemas()) };
        let plan = engine.plan(graph, &options)?;
        let outcome = engine.apply(&plan, &Attached::default()).await?;
        engine.ledger().verify().unwrap();
        Ok((outcome, plan, engine))
    }

    async fn apply(&mut self, graph: &Graph) -> (Outcome, Plan, Engine) {
        self.run(graph, Verb::Apply).await.unwrap()
    }

    fn count(&self, kind: &str) -> usize {
        self.shelf.0.lock().unwrap().made.values().filter(|k| &***k == kind).count()
    }

    fn targets(&self) -> usize {
        self.shelf.0.lock().unwrap().pointers.values().map(|(_, s)| s.targets.len()).sum()
    }

    fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.shelf.0.lock().unwrap().log)
    }
}

fn committed(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Committed { generation, leftovers, .. } if leftovers.is_empty() => *generation,
        other => panic!("{other:?}"),
    }
}

fn steps(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|s| format!("{} {}", s.action.word(), s.address)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_change_replaces_and_the_old_generation_stays_warm() {
    let mut bench = Bench::default();
    let (outcome, plan, _) = bench.apply(&hello("Hello", 2, 1)).await;
    assert_eq!(committed(&outcome), 1);
    let first = [
        "create app",
        "create front",
        "create uploads",
        "create web.instance[\"0\"]",
        "create web.instance[\"1\"]",
        "switch front",
    ];
    assert_eq!(steps(&plan), first);
    assert_eq!((bench.count("container"), bench.targets()), (2, 2));

    bench.take_log();
    let (entries, (outcome, ..)) = (bench.store.appends(), bench.apply(&hello("Hello", 2, 1)).await);
    assert_eq!((outcome, bench.store.appends(), bench.take_log()), (Outcome::NothingToDo, entries, vec![]));

    let (outcome, plan, engine) = bench.apply(&hello("Hi", 2, 1)).await;
    assert_eq!(committed(&outcome), 2);
    let change = [
        "create app",
        "create web.instance[\"0\"]",
        "create web.instance[\"1\"]",
        "switch front",
        "warm app",
        "warm web.instance[\"0\"]",
        "warm web.instance[\"1\"]",
    ];
    assert_eq!(steps(&plan), change);
    assert_eq!(plan.kept, 2);
    let why: Vec<String> = plan.steps[..2].iter().flat_map(|s| s.reasons.iter().map(ToString::to_string)).collect();
    let cause = "greeting changed (main.imm:7:1, --param)";
    assert_eq!(why, [cause, "app is replaced", cause]);
    assert_eq!(plan.steps[3].note.as_deref(), Some("2 old → 2 new targets, blue-green, no outage"));
    assert_eq!((bench.count("container"), bench.targets()), (4, 2));
    let warm = engine.state().objects.values().filter(|o| o.state == ObjectState::Idle).count();
    assert_eq!(warm, 2);
    let log = bench.take_log();
    let at = |what: &str| log.iter().position(|l| l == what).unwrap();
    assert!(at("switch front") < at("confirm") && at("confirm") < at("drain 1"), "{log:?}");

    let (outcome, ..) = bench.apply(&hello("Hey", 2, 1)).await;
    assert_eq!((committed(&outcome), bench.count("container")), (3, 4));
    let (outcome, ..) = bench.apply(&hello("Ho", 2, 0)).await;
    assert_eq!((committed(&outcome), bench.count("container")), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_never_healthy_is_undone() {
    let mut bench = Bench::default();
    bench.apply(&hello("Hello", 2, 1)).await;
    let before = bench.shelf.0.lock().unwrap().pointers.clone();
    bench.shelf.0.lock().unwrap().all_sick = true;
    bench.take_log();
    let (outcome, _, engine) = bench.apply(&hello("Hi", 2, 1)).await;
    match outcome {
        Outcome::RolledBack { error, leftovers, .. } => {
            assert!(error.contains("no answer on /healthz"), "{error}");
            assert!(leftovers.is_empty());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.shelf.0.lock().unwrap().pointers, before);
    assert!(!bench.take_log().iter().any(|l| l.starts_with("switch")));
    assert_eq!((bench.count("container"), engine.state().current), (2, Some(1)));
    // The next one goes on from there.
    bench.shelf.0.lock().unwrap().all_sick = false;
    drop(engine);
    assert_eq!(committed(&bench.apply(&hello("Hi", 2, 1)).await.0), 2);
}

#[tokio::test(start_paused = true)]
async fn rollback_is_one_switch_while_warm_and_a_new_start_when_cold() {
    let mut bench = Bench::default();
    bench.apply(&hello("Hello", 2, 1)).await;
    let (_, _, engine) = bench.apply(&hello("Hi", 2, 1)).await;
    assert_eq!(engine.state().rollback_target(), Some(1));
    let old = engine.graph(Some(1)).unwrap().unwrap();
    assert_eq!(old, hello("Hello", 2, 1));
    drop(engine);
    bench.take_log();
    let (outcome, plan, engine) = bench.run(&old, Verb::Rollback { to: 1 }).await.unwrap();
    assert_eq!(committed(&outcome), 3);
    assert_eq!(plan.steps.iter().filter(|s| s.action == Action::Create).count(), 0);
    assert!(!bench.take_log().iter().any(|l| l.starts_with("create")));
    // Generation 2 was rolled back from; 1 has the same graph as 3.
    assert_eq!(engine.state().rollback_target(), None);
    drop(engine);
    let (outcome, ..) = bench.apply(&hello("Hey", 2, 0)).await;
    assert_eq!((committed(&outcome), bench.count("container")), (4, 2));
    let engine = bench.engine();
    let cold = engine.graph(Some(1)).unwrap().unwrap();
    drop(engine);
    let (outcome, plan, _) = bench.run(&cold, Verb::Rollback { to: 1 }).await.unwrap();
    assert_eq!(committed(&outcome), 5);
    assert_eq!(plan.steps.iter().filter(|s| s.action == Action::Create).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn destroy_retains_what_holds_data_and_the_next_apply_attaches_it() {
    let mut bench = Bench::default();
    bench.apply(&hello("Hello", 2, 1)).await;
    bench.apply(&hello("Hi", 2, 1)).await;
    let mut nothing = Graph::default();
    nothing.policy.keep = 0;
    let (outcome, _, engine) = bench.run(&nothing, Verb::Destroy).await.unwrap();
    assert_eq!(committed(&outcome), 3);
    let left: Vec<_> = engine.state().objects.values().filter(|o| o.state.exists()).collect();
    assert_eq!(
        left.iter().map(|o| (o.address.as_str(), o.state)).collect::<Vec<_>>(),
        [("uploads", ObjectState::Retained)]
    );
    assert_eq!((bench.count("container"), bench.count("route"), bench.count("volume")), (0, 0, 1));
    drop(engine);
    let (outcome, plan, engine) = bench.apply(&hello("Hello", 1, 1)).await;
    assert_eq!(committed(&outcome), 4);
    assert!(steps(&plan).contains(&"attach uploads".to_owned()));
    assert_eq!(engine.state().at(&Addr::root("uploads")).unwrap().1.state, ObjectState::Attached);
    assert_eq!(bench.count("volume"), 1);
}

#[tokio::test(start_paused = true)]
async fn scaling_keeps_and_a_rename_touches_nothing() {
    let mut bench = Bench::default();
    bench.apply(&hello("Hello", 2, 0)).await;
    bench.take_log();
    let (outcome, plan, _) = bench.apply(&hello("Hello", 3, 0)).await;
    assert_eq!((committed(&outcome), bench.count("container"), bench.targets()), (2, 3, 3));
    assert_eq!(steps(&plan), ["create web.instance[\"2\"]", "switch front"]);
    bench.apply(&hello("Hello", 1, 0)).await;
    assert_eq!((bench.count("container"), bench.targets()), (1, 1));
    // The image under another name: containers bind the object, not the name.
    let mut renamed = hello("Hello", 1, 0);
    let image = renamed.nodes.remove(&Addr::root("app")).unwrap();
    let base = Addr::root("base");
    renamed.nodes.insert(base.clone(), image);
    let web = renamed.nodes.get_mut(&instance(0)).unwrap();
    Arc::make_mut(web.inputs.get_mut("image").unwrap()).term = imm_ir::Value::Node(base.clone()).into();
    web.edges[0].to = base;
    bench.take_log();
    let (outcome, plan, _) = bench.apply(&renamed).await;
    assert_eq!(committed(&outcome), 4);
    assert_eq!(steps(&plan), ["rename base"]);
    assert_eq!(bench.take_log(), ["confirm"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_append_is_settled_by_recovery() {
    let scenario = async |crash: Option<(u64, bool)>| {
        let mut bench = Bench::default();
        bench.apply(&hello("Hello", 2, 1)).await;
        let start = bench.store.appends();
        if let Some((at, after)) = crash {
            bench.store.crash_at(Some(Crash { at: start + at, after }));
        }
        let result = bench.run(&hello("Hi", 2, 0), Verb::Apply).await.map(|(outcome, ..)| outcome);
        (bench, result, start)
    };
    let (whole, result, start) = scenario(None).await;
    assert_eq!(committed(&result.unwrap()), 2);
    let appends = whole.store.appends() - start;
    assert!(appends > 8, "{appends}");
    for at in 1..=appends {
        for after in [false, true] {
            let (mut bench, result, _) = scenario(Some((at, after))).await;
            assert!(result.is_err(), "append {at}");
            bench.store.lose_unsynced();
            let mut engine = bench.engine();
            let recovered = engine.recover().await.unwrap();
            engine.ledger().verify().unwrap();
            let (forward, current) = (engine.state().current == Some(2), engine.state().current);
            match recovered {
                Some(Outcome::Committed { generation: 2, .. }) => assert!(forward),
                Some(Outcome::RolledBack { .. }) | None => assert!(current.is_some()),
                other => panic!("append {at} {after}: {other:?}"),
            }
            assert_eq!((bench.count("container"), bench.targets()), (2, 2), "append {at} {after}");
            let appended = bench.store.appends();
            assert_eq!(engine.recover().await.unwrap(), None);
            assert_eq!(bench.store.appends(), appended);
            drop(engine);
            let (outcome, _, engine) = bench.apply(&hello("Hi", 2, 0)).await;
            assert!(matches!(outcome, Outcome::Committed { generation: 2, .. } | Outcome::NothingToDo), "{outcome:?}");
            let live = engine.state().objects.values().filter(|o| o.state.exists()).count();
            assert_eq!((live, bench.count("container"), bench.targets()), (5, 2, 2), "append {at} {after}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_writes_the_same_bytes() {
    let bytes = async || {
        let mut bench = Bench::default();
        bench.apply(&hello("Hello", 3, 1)).await;
        bench.apply(&hello("Hi", 2, 1)).await;
        bench.store.head()
    };
    assert_eq!(bytes().await, bytes().await);
}

/// Every apply says which state it was planned on, and an audit compares that with what the entries before it make.
#[tokio::test(start_paused = true)]
async fn an_apply_that_names_another_state_than_the_one_before_it_is_damage() {
    let mut bench = Bench::default();
    bench.apply(&hello("Hello", 1, 1)).await;
    bench.apply(&hello("Hi", 2, 1)).await;
    let entries = bench.engine().ledger().entries(1).unwrap();
    assert_eq!(audit::fold(&entries), None);
    let begins = |body: &Body| matches!(body, Body::ApplyStarted(_));
    let starts: Vec<usize> = (0..entries.len()).filter(|at| begins(&entries[*at].1.body)).collect();
    assert_eq!(starts.len(), 2);
    for at in starts {
        let mut changed = entries.clone();
        let Body::ApplyStarted(started) = &mut changed[at].1.body else { unreachable!() };
        started.base_digest = Digest::of(b"another");
        let damage = audit::fold(&changed).unwrap();
        assert_eq!(
            (damage.entry, damage.why.as_str()),
            (Some(entries[at].0), "it was planned on another state than the entries before make")
        );
    }
}

/// What a plan of something would end besides is left alone by one of nothing.
#[tokio::test(start_paused = true)]
async fn a_plan_of_nothing_has_no_steps() {
    let mut bench = Bench::default();
    bench.apply(&hello("Hello", 2, 1)).await;
    let (.., engine) = bench.apply(&hello("Hi", 2, 1)).await;
    // Nothing of generation 1 would stay warm with this.
    let fewer = Options { keep: Some(0), ..Options::new(engine.schemas()) };
    let same = engine.plan(&hello("Hi", 2, 1), &fewer).unwrap();
    assert!(same.is_empty(engine.state()));
    assert_eq!((steps(&same), same.kept), (Vec::new(), 5));
    let other = engine.plan(&hello("Hey", 2, 1), &fewer).unwrap();
    let ends = |s: &&String| s.starts_with("destroy web");
    assert_eq!(steps(&other).iter().filter(ends).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_stale_plan_is_refused_and_changes_nothing() {
    let mut bench = Bench::default();
    let engine = bench.engine();
    let plan = engine.plan(&hello("Hello", 1, 1), &Options::new(engine.schemas())).unwrap();
    drop(engine);
    bench.apply(&hello("Hi", 1, 1)).await;
    let mut engine = bench.engine();
    let appends = bench.store.appends();
    let refused = engine.apply(&plan, &Attached::default()).await;
    assert!(matches!(refused, Err(EngineError::Refused(_))), "{refused:?}");
    assert_eq!(bench.store.appends(), appends);
}

#[tokio::test(start_paused = true)]
async fn an_abort_before_the_commit_wins() {
    let mut bench = Bench::default();
    bench.apply(&hello("Hello", 2, 1)).await;
    let mut signals = bench.store.clone();
    signals.signal("abort", "a word to nobody").unwrap();
    let speak = std::sync::Mutex::new(bench.store.clone());
    let mut engine = bench.engine().with_events(move |event| {
        if matches!(event, Event::Stage { .. }) {
            speak.lock().unwrap().signal("abort", "ada").unwrap();
        }
    });
    let plan = engine.plan(&hello("Hi", 2, 1), &Options::new(engine.schemas())).unwrap();
    match engine.apply(&plan, &Attached::default()).await.unwrap() {
        Outcome::RolledBack { error, .. } => assert_eq!(error, "aborted by ada"),
        other => panic!("{other:?}"),
    }
    assert_eq!((bench.count("container"), bench.targets()), (2, 2));
    drop(engine);
    // It was heard once; it does not stop the next apply.
    assert_eq!(committed(&bench.apply(&hello("Hi", 2, 1)).await.0), 2);
}

#[tokio::test(start_paused = true)]
async fn the_first_signal_undoes_and_the_second_leaves_it_to_recovery() {
    for (stage, signals) in [("verify", 1), ("verify", 2), ("stage", 1), ("retire", 1)] {
        let mut bench = Bench::default();
        bench.apply(&hello("Hello", 2, 0)).await;
        let mut engine = bench.engine();
        let canceller = engine.canceller();
        engine = engine.with_events(move |event| {
            let now = match event {
                Event::StepStarted { action: "verify", .. } => "verify",
                Event::Stage { .. } => "stage",
                Event::Retiring { .. } => "retire",
                _other => "",
            };
            if now == stage {
                (0..signals).for_each(|_| canceller.signal());
            }
        });
        let plan = engine.plan(&hello("Hi", 2, 0), &Options::new(engine.schemas())).unwrap();
        match (engine.apply(&plan, &Attached::default()).await, stage, signals) {
            (Ok(Outcome::RolledBack { error, .. }), "verify" | "stage", 1) => assert_eq!(error, "stopped by a signal"),
            (Ok(Outcome::Committed { generation: 2, leftovers, .. }), "retire", 1) => assert!(!leftovers.is_empty()),
            (Err(EngineError::Interrupted), "verify", _) => {
                drop(engine);
                engine = bench.engine();
                assert!(matches!(engine.recover().await.unwrap(), Some(Outcome::RolledBack { .. })));
            }
            other => panic!("{other:?}"),
        }
        drop(engine);
        let (outcome, ..) = bench.apply(&hello("Hey", 2, 0)).await;
        assert!(matches!(outcome, Outcome::Committed { .. }));
        assert_eq!((bench.count("container"), bench.targets()), (2, 2), "{stage} {signals}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_healed_by_a_new_object() {
    let mut bench = Bench::default();
    let (_, _, mut engine) = bench.apply(&hello("Hello", 2, 0)).await;
    let lost = engine.state().at(&instance(0)).unwrap().0;
    bench.shelf.0.lock().unwrap().made.remove(&lost);
    let seen = engine.observe().await.unwrap();
    let options = Options { verb: Verb::Heal, heal: true, ..Options::new(engine.schemas()) };
    let plan = engine.plan_observed(&hello("Hello", 2, 0), &seen, &options).unwrap();
    assert_eq!(plan.steps[0].reasons[0].text, "it is missing");
    assert_eq!(committed(&engine.apply(&plan, &Attached::default()).await.unwrap()), 2);
    let healed = engine.state().at(&instance(0)).unwrap();
    assert_ne!(healed.0, lost);
    assert_eq!((bench.count("container"), bench.targets()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_kept_target_that_died_stops_the_apply() {
    let mut bench = Bench::default();
    let (_, _, engine) = bench.apply(&hello("Hello", 1, 0)).await;
    let dead = engine.state().at(&instance(0)).unwrap().0;
    drop(engine);
    bench.shelf.0.lock().unwrap().sick.insert(dead);
    match bench.apply(&hello("Hello", 2, 0)).await.0 {
        Outcome::RolledBack { error, .. } => assert!(error.starts_with("drifted: web.instance"), "{error}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.count("container"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_rolled_back_from_is_not_applied_again_unasked() {
    let mut bench = Bench::default();
    bench.apply(&hello("Hello", 1, 1)).await;
    bench.apply(&hello("Hi", 1, 1)).await;
    bench.run(&hello("Hello", 1, 1), Verb::Rollback { to: 1 }).await.unwrap();
    let mut engine = bench.engine();
    let options = Options::new(engine.schemas());
    let refused = engine.plan(&hello("Hi", 1, 1), &options).unwrap_err();
    assert!(matches!(&refused, EngineError::Plan(e) if e.code == "rolled-back-from"), "{refused}");
    let again = Options { again: true, because: "fixed elsewhere".into(), ..options };
    let plan = engine.plan(&hello("Hi", 1, 1), &again).unwrap();
    assert_eq!(committed(&engine.apply(&plan, &Attached::default()).await.unwrap()), 4);
}

#[tokio::test(start_paused = true)]
async fn a_saved_plan_needs_nothing_else_and_data_is_not_replaced_unasked() {
    let mut bench = Bench::default();
    let engine = bench.engine();
    let plan = engine.plan(&hello("Hello", 1, 1), &Options::new(engine.schemas())).unwrap();
    let saved = SavedPlan {
        sealed: Vec::new(),
        plan,
        state: Place { relative: None, absolute: "/x".into() },
        module: Place { relative: None, absolute: "/m".into() },
        attached: Attached { because: Some("release".into()), ..Attached::default() },
    };
    let bytes = saved.encode().unwrap();
    for at in 0..bytes.len() {
        let mut torn = bytes.clone();
        torn[at] ^= 1;
        assert!(SavedPlan::decode(&torn).is_err(), "byte {at}");
    }
    drop(engine);
    let read = SavedPlan::decode(&bytes).unwrap();
    assert_eq!(read, saved);
    let mut engine = bench.engine();
    assert_eq!(committed(&engine.apply(&read.plan, &read.attached).await.unwrap()), 1);
    assert_eq!(engine.state().applies[0].started.because.as_deref(), Some("release"));

    let mut changed = hello("Hello", 1, 1);
    let volume = changed.nodes.get_mut(&Addr::root("uploads")).unwrap();
    volume.spec = imm_ir::Digest([9; 32]);
    let options = Options::new(engine.schemas());
    let refused = engine.plan(&changed, &options).unwrap_err();
    assert!(matches!(&refused, EngineError::Plan(e) if e.code == "durable-change"), "{refused}");
    let allowed = Options { replace: vec![Addr::root("uploads")], because: "empty anyway".into(), ..options };
    let plan = engine.plan(&changed, &allowed).unwrap();
    assert_eq!(steps(&plan), ["create uploads", "retain uploads"]);
    assert_eq!(committed(&engine.apply(&plan, &Attached::default()).await.unwrap()), 2);
    assert_eq!(bench.count("volume"), 2);
}

#[tokio::test(start_paused = true)]
async fn growing_a_volume_switches_its_cell_and_a_failure_switches_it_back() {
    let mut bench = Bench::default();
    bench.apply(&hello("Hello", 1, 0)).await;
    let grown = |greeting: &str| {
        let mut graph = hello(greeting, 1, 0);
        let volume = graph.nodes.get_mut(&Addr::root("uploads")).unwrap();
        Arc::make_mut(volume.inputs.get_mut("size").unwrap()).term = imm_ir::Value::Bytes(2 << 30).into();
        graph
    };
    let (outcome, plan, engine) = bench.apply(&grown("Hello")).await;
    assert_eq!(steps(&plan), ["switch uploads"]);
    assert_eq!(committed(&outcome), 2);
    let volume = engine.state().at(&Addr::root("uploads")).unwrap().0;
    assert_eq!(engine.state().setting(volume).inputs["size"], imm_ir::Value::Bytes(2 << 30));
    drop(engine);
    // The last stage moves cell and route together; a target that dies in the hold takes both back.
    let mut held = hello("Hi", 1, 0);
    let volume_node = held.nodes.get_mut(&Addr::root("uploads")).unwrap();
    Arc::make_mut(volume_node.inputs.get_mut("size").unwrap()).term = imm_ir::Value::Bytes(3 << 30).into();
    let hold = imm_ir::Fields::from([("hold".into(), imm_ir::Value::Duration(5000))]);
    let rollout = imm_ir::Value::Variant("blue_green".into(), hold);
    Arc::make_mut(held.nodes.get_mut(&Addr::root("front")).unwrap().inputs.get_mut("rollout").unwrap()).term =
        rollout.into();
    let mut engine = bench.engine();
    let plan = engine.plan(&held, &Options::new(engine.schemas())).unwrap();
    let (shelf, target) = (bench.shelf.clone(), plan.nodes.get(&instance(0)).unwrap().object);
    engine = engine.with_events(move |event| {
        if matches!(event, Event::Switched { .. }) {
            shelf.0.lock().unwrap().sick.insert(target);
        }
    });
    assert!(["switch front", "switch uploads"].iter().all(|step| steps(&plan).iter().any(|s| s == step)));
    assert!(matches!(engine.apply(&plan, &Attached::default()).await.unwrap(), Outcome::RolledBack { .. }));
    assert_eq!(engine.state().setting(volume).inputs["size"], imm_ir::Value::Bytes(2 << 30));
    assert_eq!((bench.count("container"), bench.targets()), (1, 1));
}

/// Applies a change on generation 1 with a crash at an append, then recovers with another one.
async fn crashed_twice(change: &Graph, first: u64, second: Option<u64>) -> (Bench, Option<bool>) {
    let mut bench = Bench::default();
    bench.apply(&hello("Hello", 2, 1)).await;
    bench.store.crash_at(Some(Crash { at: bench.store.appends() + first, after: true }));
    if bench.run(change, Verb::Apply).await.is_ok() {
        return (bench, None);
    }
    bench.store.lose_unsynced();
    bench.store.crash_at(second.map(|at| Crash { at: bench.store.appends() + at, after: true }));
    let crashed = bench.engine().recover().await.is_err();
    bench.store.crash_at(None);
    bench.store.lose_unsynced();
    (bench, Some(crashed))
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_the_recovery_is_the_same_case_again() {
    let mut nothing = Graph::default();
    nothing.policy.keep = 0;
    let mut cases = 0;
    for change in [hello("Hi", 1, 0), nothing] {
        for first in 1.. {
            let (mut bench, crashed) = crashed_twice(&change, first, None).await;
            if crashed.is_none() {
                break;
            }
            let committed = bench.engine().state().current == Some(2);
            for second in 1.. {
                let (mut bench, crashed) = crashed_twice(&change, first, Some(second)).await;
                let mut engine = bench.engine();
                engine.recover().await.unwrap();
                engine.ledger().verify().unwrap();
                let replicas = match (committed, change.nodes.is_empty()) {
                    (false, _) => 2,
                    (true, false) => 1,
                    (true, true) => 0,
                };
                assert_eq!((bench.count("container"), bench.targets()), (replicas, replicas), "{first} {second}");
                assert_eq!(engine.state().current == Some(2), committed, "{first} {second}");
                let live = engine.state().objects.values().filter(|o| o.state.exists()).count();
                assert_eq!(live, if replicas == 0 { 1 } else { replicas + 3 }, "{first} {second}");
                cases += 1;
                if crashed == Some(false) {
                    break;
                }
            }
        }
    }
    assert!(cases > 100, "{cases}");
}

#[tokio::test(start_paused = true)]
async fn a_durable_is_renamed_with_consent_and_never_without() {
    let mut bench = Bench::default();
    bench.apply(&hello("Hello", 1, 0)).await;
    let (old, new) = (Addr::root("uploads"), Addr::root("files"));
    let mut renamed = hello("Hello", 1, 0);
    let volume = renamed.nodes.remove(&old).unwrap();
    renamed.nodes.insert(new.clone(), volume);
    let mut engine = bench.engine();
    let before = engine.state().at(&old).unwrap().0;
    let options = Options::new(engine.schemas());
    let plan = engine.plan(&renamed, &options).unwrap();
    assert_eq!(steps(&plan), ["create files", "retain uploads"]);
    assert!(plan.steps[1].reasons.iter().any(|r| r.text.contains("--rename uploads=files")), "{:?}", plan.steps[1]);
    let consented =
        Options { renames: BTreeMap::from([(old, new.clone())]), because: "a better name".into(), ..options };
    let plan = engine.plan(&renamed, &consented).unwrap();
    assert_eq!(steps(&plan), ["rename files"]);
    bench.take_log();
    assert_eq!(committed(&engine.apply(&plan, &Attached::default()).await.unwrap()), 2);
    assert_eq!(engine.state().at(&new).unwrap().0, before);
    assert_eq!(bench.take_log(), ["confirm"]);
}
