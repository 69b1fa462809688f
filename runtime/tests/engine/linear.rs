//! A plan looks at each node and each edge a bounded number of times, whatever the shape and whatever changed. Counted, not
//! timed: twice as large is exactly twice as much.

use crate::program::file;
use crate::{Bench, committed};
use imm_ir::{Addr, EdgeKind, Graph};
use imm_runtime::plan::{Action, Fate, Observed, Options, Past, Visits, plan_on};
use std::sync::Arc;

type Shape = fn(usize) -> Vec<usize>;

fn flat(_: usize) -> Vec<usize> {
    Vec::new()
}

fn chain(i: usize) -> Vec<usize> {
    i.checked_sub(1).into_iter().collect()
}

/// Two of the level below; a level has ten.
fn layered(i: usize) -> Vec<usize> {
    let below = (i / 10 * 10).checked_sub(10);
    below.map(|b| vec![b + i * 7 % 10, b + (i * 7 + 3) % 10]).unwrap_or_default()
}

fn components(i: usize) -> Vec<usize> {
    if i.is_multiple_of(3) { Vec::new() } else { vec![i - i % 3] }
}

fn addr(i: usize) -> Addr {
    Addr::root("unit").key(&i.to_string())
}

fn graph(count: usize, shape: Shape, changed: Option<usize>) -> Graph {
    let mut graph = Graph::default();
    for i in 0..count {
        let text = if changed == Some(i) { "changed".to_owned() } else { format!("unit {i}") };
        let after = shape(i).into_iter().map(|to| (addr(to), EdgeKind::Bind)).collect();
        graph.nodes.insert(addr(i), file(&text, after));
    }
    graph
}

/// What a plan of a changed graph looks at, on a record of the unchanged one; and how many objects it makes.
async fn visits(count: usize, shape: Shape, changed: Option<usize>) -> (Visits, usize) {
    let mut bench = Bench::default();
    let before = graph(count, shape, None);
    committed(&bench.apply(&before).await.0);
    let engine = bench.engine();
    let now = Arc::new(graph(count, shape, changed));
    let options = Options::new(engine.schemas());
    let past: Option<&dyn Past> = Some(&before);
    let (plan, visits) =
        plan_on(Arc::clone(&now), now.root(), engine.state(), past, &Observed::default(), &options).unwrap();
    let made = plan.steps.iter().filter(|s| s.action == Action::Create).count();
    assert_eq!((made == 0, plan.is_empty(engine.state())), (changed.is_none(), changed.is_none()));
    (visits, made)
}

#[tokio::test(start_paused = true)]
async fn twice_as_large_is_exactly_twice_as_much() {
    let minus = |a: Visits, b: Visits| (a.nodes - b.nodes, a.edges - b.edges, a.objects - b.objects);
    let shapes: [(&str, Shape); 4] =
        [("flat", flat), ("chain", chain), ("layered", layered), ("components", components)];
    for (name, shape) in shapes {
        for (what, changed) in [("nothing", None), ("a leaf", Some(1)), ("a root", Some(0))] {
            // The leaf of every shape is its last node.
            let at = |count: usize| changed.map(|root| if root == 1 { count - 1 } else { 0 });
            let mut found = Vec::new();
            for count in [30, 60, 120] {
                found.push(visits(count, shape, at(count)).await.0);
            }
            let (once, twice) = (minus(found[1], found[0]), minus(found[2], found[1]));
            assert_eq!((once.0 * 2, once.1 * 2, once.2 * 2), twice, "{name}, {what} changed");
            assert!(once.0 <= 30 * 12 && once.1 <= 60 * 3 && once.2 <= 30 * 6, "{name}, {what}: {once:?}");
        }
    }
    assert_eq!(visits(60, chain, Some(50)).await.1, 10, "the cone");
}

#[tokio::test(start_paused = true)]
async fn what_has_an_address_keeps_it_before_another_node_is_taken_for_it() {
    let mut bench = Bench::default();
    let mut program = Graph::default();
    let (late, first, new) = (Addr::root("late"), Addr::root("first"), Addr::root("new"));
    program.nodes.insert(first.clone(), file("first", Vec::new()));
    program.nodes.insert(late.clone(), file("same", vec![(first, EdgeKind::Order)]));
    committed(&bench.apply(&program).await.0);
    // Equal to the one that only comes after another, and made before it.
    program.nodes.insert(new.clone(), file("same", Vec::new()));
    let engine = bench.engine();
    let plan = engine.plan(&program, &Options::new(engine.schemas())).unwrap();
    assert_eq!(
        (&plan.nodes.get(&late).unwrap().fate, &plan.nodes.get(&new).unwrap().fate),
        (&Fate::Keep, &Fate::Create)
    );
}
