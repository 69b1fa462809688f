//! Containers, volumes and files: made once, watched, replaced when they crash, destroyed for ever.

use std::collections::BTreeSet;
use std::path::Path;

use imm_host::api::{Code, DeleteObject, HealthCheck, Level, LogQuery, ObjectSpec, Volume, VolumeAccess, Write};

use crate::Test;
use crate::fixture::{World, get, refusal, runs, until, with_agent};

pub const TESTS: &[Test] = &[
    ("create_is_idempotent_by_id", || with_agent(create_is_idempotent_by_id)),
    ("a_crashed_run_is_replaced_at_the_same_port", || with_agent(a_crashed_run_is_replaced_at_the_same_port)),
    ("what_ends_before_it_is_healthy_says_why", || with_agent(what_ends_before_it_is_healthy_says_why)),
    ("what_was_destroyed_is_never_made_again_and_its_logs_stay", || {
        with_agent(what_was_destroyed_is_never_made_again_and_its_logs_stay);
    }),
    ("a_volume_has_one_writer_and_keeps_its_data", || with_agent(a_volume_has_one_writer_and_keeps_its_data)),
    ("a_program_in_the_container_tells_its_health", || with_agent(a_program_in_the_container_tells_its_health)),
    ("lineages_know_nothing_of_each_other", || with_agent(lineages_know_nothing_of_each_other)),
];

const DELETE: DeleteObject = DeleteObject { fence: 1, consent: false };
const WRITE: Write = Write { fence: 1, deadline_ms: None };

async fn create_is_idempotent_by_id(world: World) {
    let container = world.container(&[("GREETING", "hi")]);
    let first = world.run("l", "a", container.clone()).await;
    world.level("l", "a", Level::Healthy).await;
    let port = first.port.unwrap();
    assert_eq!(get(port, "/").await.unwrap(), "hi");
    let run = get(port, "/run").await.unwrap();
    assert_eq!(world.run("l", "a", container).await.port, Some(port));
    assert_eq!(get(port, "/run").await.unwrap(), run);
    let other = ObjectSpec::Container(Box::new(world.container(&[("GREETING", "ho")])));
    assert_eq!(refusal(world.put("l", "a", other).await).code, Code::Conflict);
    let metrics = world.agent.metrics().await.unwrap();
    assert!(
        metrics.contains("imm_container_healthy{lineage=\"l\",address=\"node.a\",object=\"a\",generation=\"1\"} 1"),
        "{metrics}"
    );
}

async fn a_crashed_run_is_replaced_at_the_same_port(world: World) {
    let port = world.run("l", "a", world.container(&[])).await.port.unwrap();
    world.level("l", "a", Level::Healthy).await;
    let first = get(port, "/run").await.unwrap();
    // It ends in the middle of this request.
    let _ = get(port, "/crash").await;
    until("another run answers", || async { get(port, "/run").await.is_ok_and(|run| run != first && !run.is_empty()) })
        .await;
    let healthy = world.level("l", "a", Level::Healthy).await;
    let journal = world.agent.journal("l", 0).await.unwrap();
    assert_eq!(healthy.run, 2, "{journal:?}");
    assert_eq!(world.agent.samples("l").await.unwrap().restarts["a"], 1);
    imm_host::agent::verify_journal(&journal).unwrap();
    let told: Vec<(&str, u64)> = journal.iter().map(|entry| (entry.event.as_str(), entry.number)).collect();
    assert_eq!(told, [("run_started", 1), ("run_ended", 1), ("run_started", 2)]);
    assert_eq!(journal[1].detail, "exited with code 3");
}

async fn what_ends_before_it_is_healthy_says_why(world: World) {
    world.run("l", "a", world.container(&[("MODE", "fail")])).await;
    let health = world.level("l", "a", Level::Exited).await;
    assert_eq!(health.exit_code, Some(7));
    assert_eq!(health.reason.as_deref(), Some("exited with code 7"));
    assert_eq!(health.last_lines, ["cannot find the settings"]);
    until("it is tried again", || async { world.agent.object("l", "a").await.unwrap().health.run >= 3 }).await;
}

async fn what_was_destroyed_is_never_made_again_and_its_logs_stay(world: World) {
    let container = ObjectSpec::Container(Box::new(world.container(&[])));
    assert!(world.agent.delete_object("l", "late", &DELETE).await.unwrap().was_missing);
    assert_eq!(refusal(world.put("l", "late", container.clone()).await).code, Code::Tombstone);

    world.put("l", "a", container.clone()).await.unwrap();
    world.level("l", "a", Level::Healthy).await;
    assert_eq!(runs(&world.home).len(), 1);
    assert!(!world.agent.delete_object("l", "a", &DELETE).await.unwrap().was_missing);
    assert!(world.agent.delete_object("l", "a", &DELETE).await.unwrap().was_missing);
    assert_eq!(runs(&world.home).len(), 0);
    assert_eq!(std::fs::read_dir(world.home.lineage("l").join("objects")).unwrap().count(), 0);
    assert_eq!(refusal(world.put("l", "a", container).await).code, Code::Tombstone);
    assert_eq!(refusal(world.agent.object("l", "a").await).code, Code::Unknown);

    let query = LogQuery { address: Some("node".to_owned()), ..LogQuery::default() };
    let page = world.agent.logs("l", &query).await.unwrap();
    assert!(page.lines[0].text.starts_with("serving on "), "{page:?}");
    assert_eq!((page.lines[0].object.as_str(), page.lines[0].generation, page.lines[0].run), ("a", Some(1), 1));
}

async fn a_volume_has_one_writer_and_keeps_its_data(world: World) {
    let volume = ObjectSpec::Volume(Volume { size: 1 << 20, owner: 65_532, access: VolumeAccess::SingleWriter });
    let path = world.put("l", "v", volume.clone()).await.unwrap().path.unwrap();
    world.run("l", "a", world.mounting("v")).await;
    world.level("l", "a", Level::Healthy).await;
    assert_eq!(std::fs::read_to_string(format!("{path}/mark")).unwrap(), "written");

    let second = ObjectSpec::Container(Box::new(world.mounting("v")));
    let refused = refusal(world.put("l", "b", second.clone()).await);
    assert_eq!(refused.code, Code::Claim);
    assert!(refused.message.contains("node.a"), "{refused}");
    world.put_as("l", "b", second, true).await.unwrap();
    assert_eq!(refusal(world.agent.activate("l", "b", &WRITE).await).code, Code::Claim);
    assert_eq!(refusal(world.agent.delete_object("l", "v", &DELETE).await).code, Code::InUse);

    assert_eq!(world.agent.deactivate("l", "a", &WRITE).await.unwrap().health.level, Level::Dormant);
    until("its run is cleared away", || async { runs(&world.home).is_empty() }).await;
    world.agent.activate("l", "b", &WRITE).await.unwrap();
    world.level("l", "b", Level::Healthy).await;
    for id in ["a", "b"] {
        world.agent.delete_object("l", id, &DELETE).await.unwrap();
    }
    assert_eq!(refusal(world.agent.delete_object("l", "v", &DELETE).await).code, Code::ConsentRequired);
    assert!(std::fs::exists(format!("{path}/mark")).unwrap());
    world.agent.delete_object("l", "v", &DeleteObject { consent: true, ..DELETE }).await.unwrap();
    assert!(!std::fs::exists(&path).unwrap());
}

async fn a_program_in_the_container_tells_its_health(world: World) {
    let check = |timeout_ms| HealthCheck::Exec {
        cmd: vec!["/program".to_owned(), "__serve".to_owned(), "check".to_owned()],
        interval_ms: 50,
        timeout_ms,
        healthy: 1,
        within_ms: 20_000,
    };
    let mut container = world.container(&[("GREETING", "hi")]);
    container.policy.health = Some(check(5_000));
    let port = world.run("l", "a", container.clone()).await.port.unwrap();
    // It answers, and is not healthy before the program says so.
    until("it answers", || async { get(port, "/").await.is_ok() }).await;
    until("it was asked", || async { world.agent.object("l", "a").await.unwrap().health.reason.is_some() }).await;
    let health = world.agent.object("l", "a").await.unwrap().health;
    let reason = health.reason.unwrap();
    assert_eq!(health.level, Level::Starting);
    assert!(reason.contains("ended with status 1") && reason.contains("held true, well false"), "{reason}");
    get(port, "/well").await.unwrap();
    world.level("l", "a", Level::Healthy).await;
    get(port, "/ill").await.unwrap();
    world.level("l", "a", Level::Unhealthy).await;
    // One that does not end is ended.
    container.env.insert("SLOW".to_owned(), "yes".to_owned());
    container.policy.health = Some(check(200));
    world.run("l", "b", container).await;
    until("it was given up", || async {
        let reason = world.agent.object("l", "b").await.unwrap().health.reason;
        reason.is_some_and(|reason| reason.contains("no end within 200 ms"))
    })
    .await;
}

async fn lineages_know_nothing_of_each_other(world: World) {
    let container = world.container(&[]);
    let one = world.run("one", "a", container.clone()).await.port;
    let two = world.run("two", "a", container).await.port;
    assert_ne!(one, two);
    world.level("one", "a", Level::Healthy).await;
    world.level("two", "a", Level::Healthy).await;
    // Limits of one are no limits of the other, though both are the first run of an "a".
    let found: Vec<_> = runs(&world.home).iter().map(|dir| groups(dir)).collect();
    let [ones, twos] = &found[..] else { panic!("{found:?}") };
    assert!(ones.len() == twos.len() && ones.is_disjoint(twos), "{ones:?} {twos:?}");
    world.announce("one", 9).await;
    assert_eq!(refusal(world.agent.delete_object("one", "a", &DELETE).await).code, Code::Fence);
    world.agent.delete_object("two", "a", &DELETE).await.unwrap();
    assert!(get(one.unwrap(), "/").await.is_ok());
    assert_eq!(world.agent.lineage("two").await.unwrap().objects, []);
    let query = LogQuery::default();
    until("a line is logged", || async { !world.agent.logs("one", &query).await.unwrap().lines.is_empty() }).await;
    let lines = world.agent.logs("one", &query).await.unwrap().lines;
    assert_eq!(lines.len(), 1, "{lines:?}");
}

/// The cgroups that were made for a living run; none where this user may make none.
fn groups(run: &Path) -> BTreeSet<String> {
    let Ok(imm_sandbox::RunState::Running(run)) = imm_sandbox::reopen(run) else { panic!("{} lives", run.display()) };
    let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", run.pid)).unwrap();
    groups.lines().filter(|line| line.contains("/imm/")).map(str::to_owned).collect()
}
