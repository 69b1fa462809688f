//! What the tests have in common: virtual time, and situations to start from.

use imm_runtime::apply::Outcome;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::oracle::Violation;
use imm_runtime::simulate::shapes::Program;
use imm_runtime::simulate::world::Behaviour;

/// Runs in virtual time.
pub fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(work)
}

pub fn apply(program: &Program) -> Command {
    Command::Apply(Box::new(program.graph()))
}

pub fn greeting(text: &str) -> Program {
    Program { greeting: text.into(), ..Program::hello() }
}

pub fn broken() -> Program {
    Program { broken: true, ..greeting("Broken") }
}

/// A scene in which these were applied, each with success.
pub async fn scene(seed: u64, before: &[Command]) -> Scene {
    let mut scene = Scene::new(seed);
    scene.reaches_afar();
    scene.world.behave(broken().container_spec().unwrap(), Behaviour::NeverHealthy(500));
    for command in before {
        match scene.run(command, None, &Life::default()).await {
            Ended::Outcome(Outcome::Committed { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    scene
}

#[track_caller]
pub fn none(violations: &[Violation], when: &str) {
    let text: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{when}:\n  {}", text.join("\n  "));
}

/// Whether there is time for everything: `tests/soak` says so.
pub fn whole() -> bool {
    std::env::var_os("IMM_SOAK_WHOLE").is_some()
}
