//! What nobody could look for is taken over, serves from the next apply on, and is never made twice.

use crate::stage::{apply, in_virtual_time, none, scene};
use imm_ir::{Addr, Digest, Term, Value};
use imm_runtime::apply::Outcome;
use imm_runtime::id::ObjectId;
use imm_runtime::plan::Action;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::shapes::Program;
use imm_runtime::state::ObjectState;

fn program() -> Program {
    Program { replicas: 1, volume: false, afar: Some("one".into()), ..Program::hello() }
}

/// The engine died when the note was made and nobody had heard of it; nothing can look for it.
async fn untold() -> Scene {
    let life = Life::default();
    scene(9, &[]).await.run(&apply(&program()), None, &life).await;
    let names = life.names();
    for (at, _) in (1..).zip(&names).filter(|(_, name)| *name == "after call create") {
        let mut scene = scene(9, &[]).await;
        scene.run(&apply(&program()), None, &Life::ending_at(Some(at))).await;
        let ended = scene.run(&Command::Recover, None, &Life::default()).await;
        none(&scene.judge_at_rest(), "unwound");
        let Ended::Outcome(Outcome::RolledBack { leftovers, .. }) = &ended else { continue };
        let state = scene.state().unwrap();
        let there = |id: &ObjectId| state.objects.get(id).is_some_and(|o| o.address.as_str() == "note");
        if let [(at, why)] = leftovers.as_slice()
            && scene.world.objects().iter().any(there)
        {
            assert!(at.as_str() == "note" && why.contains("imm adopt 'note'"), "{at}: {why}");
            return scene;
        }
    }
    panic!("no death leaves it untold: {names:?}");
}

fn notes(scene: &Scene) -> Vec<(ObjectState, Digest)> {
    let state = scene.state().unwrap();
    let at = |o: &&imm_runtime::state::Object| o.address.as_str() == "note" && o.state.exists();
    state.objects.values().filter(at).map(|o| (o.state, o.spec)).collect()
}

#[test]
fn what_may_have_been_made_is_taken_over_and_serves() {
    in_virtual_time(async {
        let (mut scene, note, graph) = (untold().await, Addr::root("note"), program().graph());
        assert!(matches!(notes(&scene)[..], [(ObjectState::Unknown(_), _)]));
        let ended = scene.run(&Command::Adopt(note.clone(), Box::new(graph.clone())), None, &Life::default()).await;
        assert!(matches!(ended, Ended::Nothing), "{ended:?}");
        let (plan, _) = scene.plan(&graph).unwrap();
        let step = plan.steps.iter().find(|s| s.address == note).unwrap();
        assert_eq!((step.action, step.reasons.len()), (Action::Adopt, 1));
        let ended = scene.run(&apply(&program()), None, &Life::default()).await;
        assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{ended:?}");
        none(&scene.judge_at_rest(), "committed");
        let (again, nothing) = scene.plan(&graph).unwrap();
        assert!(nothing, "{:?}", again.steps);
        assert!(matches!(notes(&scene)[..], [(ObjectState::Running, _)]));
    });
}

#[test]
fn what_is_not_as_it_is_declared_never_serves_and_what_nothing_declares_is_ended() {
    in_virtual_time(async {
        let (mut scene, note, mut graph) = (untold().await, Addr::root("note"), program().graph());
        // An apply in between leaves alone what nobody can tell of.
        let other = Program { afar: None, ..program() };
        let ended = scene.run(&apply(&other), None, &Life::default()).await;
        assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{ended:?}");
        assert!(matches!(notes(&scene)[..], [(ObjectState::Unknown(_), _)]));

        let node = graph.nodes.get_mut(&note).unwrap();
        let content = node.inputs.get_mut("content").unwrap();
        std::sync::Arc::make_mut(content).term = Term::Value(Value::text("another"));
        node.spec = Digest::of(b"another");
        let ended = scene.run(&Command::Adopt(note.clone(), Box::new(graph.clone())), None, &Life::default()).await;
        assert!(matches!(ended, Ended::Nothing), "{ended:?}");
        let (plan, _) = scene.plan(&graph).unwrap();
        let actions: Vec<Action> = plan.steps.iter().filter(|s| s.address == note).map(|s| s.action).collect();
        assert_eq!(actions, [Action::Create, Action::Destroy]);

        // Nothing else is to do, and it is ended all the same.
        let (plan, nothing) = scene.plan(&other.graph()).unwrap();
        assert!(!nothing && plan.steps.len() == 1, "{:?}", plan.steps);
        let ended = scene.run(&apply(&other), None, &Life::default()).await;
        assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{ended:?}");
        assert!(notes(&scene).is_empty());
        none(&scene.judge_at_rest(), "ended");
    });
}
