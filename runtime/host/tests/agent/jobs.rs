//! Jobs: one run for ever, whatever befalls the agent; and what only one may hold, across the agent's end.

use imm_host::api::{Code, Container, Health, Level, ObjectSpec, Volume, VolumeAccess, Write};
use imm_sandbox::{RunState, Signal};

use crate::Test;
use crate::fixture::{World, refusal, runs, until, with_agent};

pub const TESTS: &[Test] = &[
    ("a_job_runs_once_and_its_end_is_a_fact", || with_agent(a_job_runs_once_and_its_end_is_a_fact)),
    ("a_job_outlives_the_agent", || with_agent(a_job_outlives_the_agent)),
    ("a_job_whose_end_nobody_saw_is_lost", || with_agent(a_job_whose_end_nobody_saw_is_lost)),
    ("a_job_that_is_stopped_or_cannot_begin_says_so", || with_agent(a_job_that_is_stopped_or_cannot_begin_says_so)),
    ("a_second_holder_waits_for_the_first_ones_end_across_agents", || {
        with_agent(a_second_holder_waits_for_the_first_ones_end_across_agents);
    }),
];

const WRITE: Write = Write { fence: 1, deadline_ms: None };

async fn volume(world: &World) -> String {
    let volume = ObjectSpec::Volume(Volume { size: 1 << 20, owner: 65_532, access: VolumeAccess::SingleWriter });
    world.put("l", "v", volume).await.unwrap().path.unwrap()
}

fn job(world: &World, variables: &[(&str, &str)]) -> ObjectSpec {
    let mut job = Container { once: true, port: None, ..world.mounting("v") };
    job.policy.health = None;
    job.env = [("MODE", "job"), ("GREETING", "ten tables")]
        .iter()
        .chain(variables)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    ObjectSpec::Container(Box::new(job))
}

async fn ended(world: &World) -> Health {
    world.level("l", "j", Level::Exited).await
}

fn ran(volume: &str) -> usize {
    std::fs::read_to_string(format!("{volume}/mark")).unwrap_or_default().lines().count()
}

async fn a_job_runs_once_and_its_end_is_a_fact(world: World) {
    let volume = volume(&world).await;
    world.put_as("l", "j", job(&world, &[("CODE", "3")]), true).await.unwrap();
    assert_eq!(world.level("l", "j", Level::Dormant).await.run, 0);
    // Once it was begun it is never told to be dormant, however soon one asks.
    assert_ne!(world.agent.activate("l", "j", &WRITE).await.unwrap().health.level, Level::Dormant);
    let health = ended(&world).await;
    assert_eq!((health.exit_code, health.reason.as_deref()), (Some(3), Some("exited with code 3")));
    let report = world.agent.object("l", "j").await.unwrap();
    assert_eq!((report.kind.as_str(), report.stdout.as_deref()), ("job", Some("migrated ten tables\n")));
    assert_eq!(world.agent.lineage("l").await.unwrap().objects.iter().find(|o| o.object == "j").unwrap().stdout, None);
    // What it held alone is free; it does not run again, whoever asks and however often, not even for a new agent.
    world.agent.activate("l", "j", &WRITE).await.unwrap();
    world.agent.deactivate("l", "j", &WRITE).await.unwrap();
    world.agent.activate("l", "j", &WRITE).await.unwrap();
    world.kill_agent().await;
    world.restart().await;
    assert_eq!(ended(&world).await.exit_code, Some(3));
    assert_eq!(world.agent.object("l", "j").await.unwrap().stdout.as_deref(), Some("migrated ten tables\n"));
    assert_eq!(ran(&volume), 1);
    until("its claim is given up", || async {
        world.put("l", "w", ObjectSpec::Container(Box::new(world.mounting("v")))).await.is_ok()
    })
    .await;
    let journal = world.agent.journal("l", 0).await.unwrap();
    let begun = journal.iter().filter(|e| e.event == "run_started" && e.object.as_deref() == Some("j"));
    assert_eq!(begun.count(), 1, "{journal:?}");
}

async fn a_job_outlives_the_agent(world: World) {
    let volume = volume(&world).await;
    world.put("l", "j", job(&world, &[("WAIT", "yes")])).await.unwrap();
    until("it runs", || async { ran(&volume) == 1 }).await;
    world.kill_agent().await;
    world.restart().await;
    assert_eq!(world.agent.object("l", "j").await.unwrap().health.level, Level::Starting);
    std::fs::write(format!("{volume}/go"), "").unwrap();
    assert_eq!(ended(&world).await.exit_code, Some(0));
    assert_eq!(ran(&volume), 1);
    // And one that ends while there is no agent is not run again by the next one.
    std::fs::remove_file(format!("{volume}/go")).unwrap();
    world.put("l", "k", job(&world, &[("WAIT", "yes"), ("CODE", "4")])).await.unwrap();
    until("it runs", || async { ran(&volume) == 2 }).await;
    world.kill_agent().await;
    std::fs::write(format!("{volume}/go"), "").unwrap();
    let run = runs(&world.home).into_iter().next().unwrap();
    until("it has ended", || async { matches!(imm_sandbox::reopen(&run), Ok(RunState::Exited(_))) }).await;
    world.restart().await;
    assert_eq!(world.level("l", "k", Level::Exited).await.exit_code, Some(4));
    assert_eq!(ran(&volume), 2);
}

async fn a_job_whose_end_nobody_saw_is_lost(world: World) {
    let volume = volume(&world).await;
    world.put("l", "j", job(&world, &[("WAIT", "yes")])).await.unwrap();
    until("it runs", || async { ran(&volume) == 1 }).await;
    let Ok(RunState::Running(run)) = imm_sandbox::reopen(&runs(&world.home)[0]) else { panic!("it runs") };
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(run.monitor_pid), Signal::SIGKILL).unwrap();
    let health = ended(&world).await;
    assert_eq!(health.exit_code, None);
    assert!(health.reason.as_deref().unwrap().contains("not known"), "{health:?}");
    world.kill_agent().await;
    world.restart().await;
    assert_eq!(ended(&world).await.exit_code, None);
    assert_eq!(ran(&volume), 1);
}

async fn a_job_that_is_stopped_or_cannot_begin_says_so(world: World) {
    let volume = volume(&world).await;
    world.put("l", "j", job(&world, &[("WAIT", "yes")])).await.unwrap();
    until("it runs", || async { ran(&volume) == 1 }).await;
    world.agent.deactivate("l", "j", &WRITE).await.unwrap();
    assert_eq!(runs(&world.home).len(), 0);
    assert_eq!(ended(&world).await.exit_code, Some(143));
    let ObjectSpec::Container(mut absent) = job(&world, &[]) else { panic!("a job is a container") };
    absent.cmd = Some(vec!["/nowhere".to_owned()]);
    world.put("l", "k", ObjectSpec::Container(absent)).await.unwrap();
    let health = world.level("l", "k", Level::Exited).await;
    assert_eq!(health.exit_code, Some(127));
    assert!(health.reason.as_deref().unwrap().contains("/nowhere"), "{health:?}");
}

async fn a_second_holder_waits_for_the_first_ones_end_across_agents(world: World) {
    let volume = volume(&world).await;
    // It ignores the wish to end until it is killed, 3 s later.
    let ObjectSpec::Container(mut stubborn) = job(&world, &[("WAIT", "yes")]) else { panic!("a job is a container") };
    stubborn.once = false;
    stubborn.policy.stop.grace_ms = 3_000;
    stubborn.policy.stop.signal = imm_host::api::StopSignal::Quit;
    world.put("l", "z", ObjectSpec::Container(stubborn)).await.unwrap();
    until("it runs", || async { ran(&volume) == 1 }).await;
    let second = ObjectSpec::Container(Box::new(world.mounting("v")));
    world.put_as("l", "a", second, true).await.unwrap();
    // The agent dies after it was told to stop the first one.
    let stopping = {
        let agent = world.agent.clone();
        tokio::spawn(async move { agent.deactivate("l", "z", &WRITE).await })
    };
    until("the wish is recorded", || async {
        let state = std::fs::read_to_string(world.home.lineage("l").join("objects/z/state.json")).unwrap();
        state.contains("\"active\":false")
    })
    .await;
    world.kill_agent().await;
    let _cut_off = stopping.await.unwrap();
    world.restart().await;
    // Its processes may be there still: then the second one is refused; once it is not, they are gone.
    let mut refused = 0;
    while let Err(cause) = world.agent.activate("l", "a", &WRITE).await {
        assert_eq!(refusal(Err::<(), _>(cause)).code, Code::Claim);
        refused += 1;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let first = world.home.lineage("l").join("objects/z/runs");
    assert_eq!(std::fs::read_dir(first).unwrap().count(), 0, "refused {refused} times");
    world.level("l", "a", Level::Healthy).await;
}
