//! The agent ends, by force or in order; what it keeps goes on.

use imm_host::api::{Code, Level};
use imm_host::client::running;

use crate::Test;
use crate::fixture::{World, get, leading, put_manifest, refusal, runs, until, with_agent};

pub const TESTS: &[Test] = &[
    ("a_killed_agent_leaves_everything_as_it_was", || with_agent(a_killed_agent_leaves_everything_as_it_was)),
    ("a_stopped_agent_leaves_containers_running", || with_agent(a_stopped_agent_leaves_containers_running)),
    ("what_ended_meanwhile_is_replaced", || with_agent(what_ended_meanwhile_is_replaced)),
    ("a_provisional_setting_reverts_while_no_agent_runs", || {
        with_agent(a_provisional_setting_reverts_while_no_agent_runs);
    }),
];

async fn served(world: &World) -> (u16, String) {
    world.run("l", "a", world.container(&[("GREETING", "old")])).await;
    world.level("l", "a", Level::Healthy).await;
    let port = world.route("l", "r").await;
    world.agent.put_manifest("l", &put_manifest(0, leading("r", &["a"]), None)).await.unwrap();
    (port, get(port, "/run").await.unwrap())
}

async fn a_killed_agent_leaves_everything_as_it_was(world: World) {
    let (port, run) = served(&world).await;
    world.announce("l", 5).await;
    let before = world.agent.object("l", "a").await.unwrap();
    world.kill_agent().await;
    assert_eq!(get(before.port.unwrap(), "/run").await.unwrap(), run);
    world.restart().await;
    assert_eq!(get(port, "/run").await.unwrap(), run);
    world.level("l", "a", Level::Healthy).await;
    let after = world.agent.lineage("l").await.unwrap();
    assert_eq!((after.epoch, after.fence, after.objects[0].port), (1, 5, before.port));
    assert_eq!(
        refusal(world.agent.put_manifest("l", &put_manifest(1, leading("r", &["a"]), None)).await).code,
        Code::Fence
    );
    let journal = world.agent.journal("l", 0).await.unwrap();
    imm_host::agent::verify_journal(&journal).unwrap();
    assert_eq!(journal.iter().map(|entry| entry.event.as_str()).collect::<Vec<_>>(), ["run_started", "run_adopted"]);
    // It is this agent's own now: a crash is seen and made good.
    let _ = get(port, "/crash").await;
    until("another run answers", || async {
        get(port, "/run").await.is_ok_and(|now| now != run && now.len() == run.len())
    })
    .await;
}

async fn a_stopped_agent_leaves_containers_running(world: World) {
    let (port, run) = served(&world).await;
    world.agent.stop().await.unwrap();
    until("the agent is gone", || async { running(&world.home).await.unwrap().is_none() }).await;
    assert_eq!(runs(&world.home).len(), 1);
    world.restart().await;
    assert_eq!(get(port, "/run").await.unwrap(), run);
}

async fn what_ended_meanwhile_is_replaced(world: World) {
    let (port, run) = served(&world).await;
    let direct = world.agent.object("l", "a").await.unwrap().port.unwrap();
    world.kill_agent().await;
    let _ = get(direct, "/crash").await;
    world.restart().await;
    until("another run answers", || async {
        get(port, "/run").await.is_ok_and(|now| now != run && now.len() == run.len())
    })
    .await;
    assert_eq!(world.agent.object("l", "a").await.unwrap().port, Some(direct));
    let journal = world.agent.journal("l", 0).await.unwrap();
    let ended = journal.iter().find(|entry| entry.event == "run_ended").unwrap();
    assert_eq!((ended.number, ended.detail.as_str()), (1, "exited with code 3"));
    let lines = world.agent.logs("l", &imm_host::api::LogQuery::default()).await.unwrap().lines;
    assert!(lines.iter().any(|line| line.run == 1 && line.text == "crashing"), "{lines:?}");
}

async fn a_provisional_setting_reverts_while_no_agent_runs(world: World) {
    let (port, _) = served(&world).await;
    world.run("l", "b", world.container(&[("GREETING", "new")])).await;
    world.level("l", "b", Level::Healthy).await;
    world.agent.put_manifest("l", &put_manifest(1, leading("r", &["b"]), Some(1_000))).await.unwrap();
    assert_eq!(get(port, "/").await.unwrap(), "new");
    world.kill_agent().await;
    // Time since boot goes on for the setting too.
    let begun = std::time::Instant::now();
    until("its time is over", || async { begun.elapsed() > std::time::Duration::from_millis(1_100) }).await;
    world.restart().await;
    assert_eq!(get(port, "/").await.unwrap(), "old");
    assert_eq!(world.agent.lineage("l").await.unwrap().epoch, 3);
}
