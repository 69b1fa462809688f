//! Q9: what `why` says would undo a step does undo it, over many pairs of programs. The test turns nodes back by itself and
//! plans again; it shares nothing with the search that found them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use imm_ir::{Addr, EdgeKind, Graph};
use imm_runtime::explain::cascade::cascades;
use imm_runtime::explain::{Change, Question};
use imm_runtime::plan::{Observed, Options, Recorded, plan};
use imm_runtime::provider::Observation;
use imm_runtime::random::Random;
use imm_runtime::simulate::call::Place;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::oracle::why;
use imm_runtime::simulate::shapes::Program;
use imm_runtime::state::State;
use std::collections::BTreeMap;

fn options(keep: Option<u32>) -> Options {
    let places = [Place::Here, Place::Afar];
    let schemas = places.map(|place| (place.identity().into(), place.schemas().clone()));
    let everything = ["data", "store", "disk", "migrate"].map(Addr::root).to_vec();
    // Whoever asks means it.
    Options { keep, never: everything.clone(), replace: everything, ..Options::new(BTreeMap::from(schemas)) }
}

/// One without secrets, since a plan is asked here without the vault that seals them; without a job that runs in every apply:
/// what undoes that is to change nothing at all; without stages: who
/// stops in one has the whole service as its reason; and with data of one size, since it only grows.
fn program(random: &mut Random) -> Program {
    let mut program = Program { secret: None, rollout: None, size: 1, ..Program::random(random) };
    program.migration.iter_mut().for_each(|job| job.every_apply = false);
    program
}

/// A state after some programs were applied, and the graph in force.
fn lived(seed: u64, programs: &[Program]) -> (State, Option<Graph>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut scene = Scene::new(seed);
        scene.reaches_afar();
        for program in programs {
            let command = Command::Apply(Box::new(program.graph()));
            let ended = scene.run(&command, Some(1), &Life::default()).await;
            assert!(matches!(ended, Ended::Outcome(_)), "seed {seed}: {ended:?}");
        }
        (scene.state().unwrap(), scene.graph().unwrap())
    })
}

#[test]
fn turning_back_what_is_named_removes_the_action() {
    let seeds = std::env::var("IMM_SOAK_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    let (mut counted, mut wrong) = (BTreeMap::new(), Vec::new());
    for seed in 0..seeds {
        let mut random = Random::seeded(seed);
        let history: Vec<Program> = (0..1 + random.below(3)).map(|_| program(&mut random)).collect();
        let next = program(&mut random);
        let state = lived(seed, &history);
        let Some(before) = state.1 else { continue };
        let (now, recorded) = (next.graph(), Recorded { state: &state.0, graph: Some(&before) });
        let wanted = Options { again: true, ..options(Some(1)) };
        let changes = why::explained(&now, recorded, &wanted);
        let found = why::judge((&before, &now), recorded, &wanted, &changes);
        wrong.extend(found.iter().map(|violation| format!("seed {seed}: {violation}")));
        for change in changes {
            *counted.entry(change.action).or_insert(0) += 1;
        }
    }
    assert!(wrong.is_empty(), "of {counted:?}:\n  {}", wrong.join("\n  "));
    assert!(counted.values().sum::<u64>() > 500, "{counted:?}");
    let actions = [
        "create",
        "switch",
        "warm",
        "destroy",
        "release",
        "rename",
        "reuse",
        "attach",
        "retain",
        "activate",
        "deactivate",
    ];
    for action in actions {
        assert!(counted.contains_key(action), "{action} never occurred: {counted:?}");
    }
}

/// The judge of the explanations finds one that names something else, or nothing.
#[test]
fn a_wrong_counterfactual_is_found() {
    let hello = |greeting: &str| Program { greeting: greeting.into(), chain: 2, ..Program::hello() };
    let (state, _) = lived(1, &[hello("Hello")]);
    let (before, now, wanted) = (hello("Hello").graph(), hello("Hi").graph(), options(None));
    let recorded = Recorded { state: &state, graph: Some(&before) };
    let good = why::explained(&now, recorded, &wanted);
    assert_eq!(why::judge((&before, &now), recorded, &wanted, &good), []);
    let at = good.iter().position(|c| c.action == "create" && c.address == "link1").unwrap();
    let spoilt = |spoil: &dyn Fn(&mut Change)| {
        let mut changes = good.clone();
        spoil(&mut changes[at]);
        why::judge((&before, &now), recorded, &wanted, &changes)
    };
    let elsewhere = spoilt(&|change| change.unless.as_mut().unwrap().nodes = vec!["front".to_owned()]);
    let (silent, aimless) = (spoilt(&|change| change.unless = None), spoilt(&|change| change.causes.clear()));
    for found in [elsewhere, silent, aimless] {
        assert!(found.len() == 1 && found[0].invariant == "Q9", "{found:?}");
    }
}

#[test]
fn a_chain_names_its_root_and_the_way_there() {
    let hello = |greeting: &str| Program { greeting: greeting.into(), chain: 5, ..Program::hello() };
    let (state, _) = lived(1, &[hello("Hello")]);
    let (before, now, wanted) = (hello("Hello").graph(), hello("Hi").graph(), options(None));
    let recorded = Recorded { state: &state, graph: Some(&before) };
    let planned = plan(&now, recorded, &Observed::default(), &wanted).unwrap();
    let changes = why::explained(&now, recorded, &wanted);
    let last = changes.iter().find(|c| c.address == "link4" && c.action == "create").unwrap();
    let [root] = last.causes.as_slice() else { panic!("{:#?}", last.causes) };
    assert_eq!(root.path, ["link4", "link3", "link2", "link1", "link0"]);
    assert_eq!(
        (root.field.as_deref(), root.before.as_deref(), root.after.as_deref()),
        (Some("content"), Some("\"Hello\""), Some("\"Hi\""))
    );
    assert_eq!(last.unless.as_ref().unwrap().nodes, ["link0"]);
    assert_eq!(last.unless.as_ref().unwrap().text, "content of link0 were \"Hello\" again");
    let first = changes.iter().find(|c| c.address == "link0" && c.action == "create").unwrap();
    let cascade = first.cascade.as_ref().unwrap();
    assert_eq!((cascade.size, cascade.cut.as_ref()), (4, None));

    let image = cascades(&planned, recorded).into_iter().find(|c| c.root == "image").unwrap();
    assert_eq!(image.replaced, ["web.instance[\"0\"]", "web.instance[\"1\"]"]);
    assert_eq!(image.cut.unwrap().address, "front");
    // What it is made of is what the plan replaces.
    for cascade in cascades(&planned, recorded) {
        for address in &cascade.replaced {
            let at = Addr::parse(address).unwrap();
            assert!(planned.nodes.get(&at).unwrap().fate == imm_runtime::plan::Fate::Create);
            assert!(now.nodes[&at].edges.iter().any(|e| e.kind == EdgeKind::Bind));
        }
    }
}

#[test]
fn what_happened_outside_is_a_cause_too() {
    let hello = Program::hello();
    let (state, _) = lived(2, std::slice::from_ref(&hello));
    let graph = hello.graph();
    let recorded = Recorded { state: &state, graph: Some(&graph) };
    let at = Addr::parse("web.instance[\"1\"]").unwrap();
    let mut observed = Observed::default();
    observed.objects.insert(state.at(&at).unwrap().0, Observation::Missing);
    let wanted = Options { heal: true, ..options(None) };
    let planned = plan(&graph, recorded, &observed, &wanted).unwrap();
    let question = Question { plan: &planned, recorded, observed: &observed, options: &wanted };
    let changes = question.changes(&at);
    assert_eq!(changes[0].causes[0].text, "it is missing");
    assert!(changes[0].unless.as_ref().unwrap().intact);
}
