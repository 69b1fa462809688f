//! Q9: what `why` says would undo a step does undo it, over many pairs of programs. The test turns nodes back by itself and
//! plans again; it shares nothing with the search that found them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use imm_ir::{Addr, EdgeKind, Graph, kinds};
use imm_runtime::explain::cascade::cascades;
use imm_runtime::explain::{Change, Question, Unless};
use imm_runtime::plan::{Action, Observed, Options, Plan, Recorded, plan};
use imm_runtime::provider::Observation;
use imm_runtime::random::Random;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::shapes::Program;
use imm_runtime::state::State;
use std::collections::{BTreeMap, BTreeSet};

fn options(keep: Option<u32>) -> Options {
    let provider = Program::hello().graph().nodes.values().next().unwrap().provider.clone();
    let schemas = BTreeMap::from([(provider, kinds::builtin().clone())]);
    Options { keep, ..Options::new(schemas) }
}

fn program(random: &mut Random) -> Program {
    Program {
        greeting: ["Hello", "Hi", "Hey"][random.below(3) as usize].into(),
        replicas: 1 + random.below(4) as u32,
        service: if random.below(6) == 0 { "shop".into() } else { "web".into() },
        volume: random.below(3) > 0,
        second_route: random.below(3) == 0,
        drain_s: 1 + random.below(2) as i64,
        broken: random.below(4) == 0,
        fan: random.below(3) as u32,
        chain: random.below(5) as u32,
        ..Program::hello()
    }
}

/// A state after some programs were applied; the last one's graph.
fn lived(seed: u64, programs: &[Program]) -> State {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut scene = Scene::new(seed);
        for program in programs {
            let command = Command::Apply(Box::new(program.graph()));
            let ended = scene.run(&command, Some(1), &Life::default()).await;
            assert!(matches!(ended, Ended::Outcome(_)), "{ended:?}");
        }
        scene.state().unwrap()
    })
}

/// The graph with the named nodes as they were.
fn turned_back(now: &Graph, before: &Graph, names: &[String]) -> Graph {
    let mut graph = now.clone();
    let mut wanted: BTreeSet<Addr> = names.iter().map(|n| Addr::parse(n).unwrap()).collect();
    while let Some(addr) = wanted.pop_first() {
        let Some(node) = before.nodes.get(&addr) else {
            graph.nodes.remove(&addr);
            graph.nodes.values_mut().for_each(|n| n.edges.retain(|e| e.to != addr));
            continue;
        };
        graph.nodes.insert(addr, node.clone());
        wanted.extend(node.edges.iter().map(|e| e.to.clone()).filter(|to| !graph.nodes.contains_key(to)));
    }
    // A service stands for the members that are there.
    let mut expanded = before.expanded.clone();
    expanded.extend(now.expanded.clone());
    for (addr, whole) in &mut expanded {
        let member = |n: &&Addr| n.is_within(&addr.child("instance"));
        whole.members = graph.nodes.keys().filter(member).cloned().collect();
    }
    expanded.retain(|_, e| !e.members.is_empty());
    Graph { expanded, ..graph }
}

fn explained(plan: &Plan, recorded: Recorded<'_>, observed: &Observed, options: &Options) -> Vec<Change> {
    let question = Question { plan, recorded, observed, options };
    let addresses: BTreeSet<&Addr> = plan.steps.iter().map(|s| &s.address).collect();
    addresses.into_iter().flat_map(|a| question.changes(a)).collect()
}

fn still_there(plan: &Plan, change: &Change) -> bool {
    let same = |s: &imm_runtime::plan::Step| {
        let object = s.object.map(|o| o.to_string());
        s.action.word() == change.action
            && s.address.as_str() == change.address
            && (s.action == Action::Create || object == change.object)
    };
    plan.steps.iter().any(same)
}

#[test]
fn turning_back_what_is_named_removes_the_action() {
    let (mut steps, mut counted) = (0, BTreeMap::new());
    for seed in 0..100 {
        let mut random = Random::seeded(seed);
        let history: Vec<Program> = (0..1 + random.below(3)).map(|_| program(&mut random)).collect();
        let next = program(&mut random);
        let state = lived(seed, &history);
        let (before, now) = (history.last().unwrap().graph(), next.graph());
        let recorded = Recorded { state: &state, graph: Some(&before) };
        let wanted = options(Some(1));
        let Ok(planned) = plan(&now, recorded, &Observed::default(), &wanted) else { continue };
        for change in explained(&planned, recorded, &Observed::default(), &wanted) {
            let told = format!("seed {seed}: {} {}", change.action, change.address);
            assert!(!change.causes.is_empty(), "{told} has no cause");
            let Unless { nodes, keep, text, .. } = change.unless.clone().unwrap_or_else(|| {
                panic!("{told} has no counterfactual: {:#?}", change.causes);
            });
            assert!(!text.is_empty() && (!nodes.is_empty() || keep.is_some()), "{told}");
            let back = turned_back(&now, &before, &nodes);
            let again = Options { again: true, ..options(keep.or(Some(1))) };
            let replanned = plan(&back, recorded, &Observed::default(), &again).unwrap();
            assert!(!still_there(&replanned, &change), "{told} is still there although {text}");
            steps += 1;
            *counted.entry(change.action).or_insert(0) += 1;
        }
    }
    assert!(steps > 500, "{steps} {counted:?}");
    for action in ["create", "switch", "warm", "destroy", "release", "rename", "reuse"] {
        assert!(counted.contains_key(action), "{action} never occurred: {counted:?}");
    }
}

#[test]
fn a_chain_names_its_root_and_the_way_there() {
    let hello = |greeting: &str| Program { greeting: greeting.into(), chain: 5, ..Program::hello() };
    let state = lived(1, &[hello("Hello")]);
    let (before, now, wanted) = (hello("Hello").graph(), hello("Hi").graph(), options(None));
    let recorded = Recorded { state: &state, graph: Some(&before) };
    let planned = plan(&now, recorded, &Observed::default(), &wanted).unwrap();
    let changes = explained(&planned, recorded, &Observed::default(), &wanted);
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
            assert!(planned.nodes[&at].fate == imm_runtime::plan::Fate::Create);
            assert!(now.nodes[&at].edges.iter().any(|e| e.kind == EdgeKind::Bind));
        }
    }
}

#[test]
fn what_happened_outside_is_a_cause_too() {
    let hello = Program::hello();
    let state = lived(2, std::slice::from_ref(&hello));
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
