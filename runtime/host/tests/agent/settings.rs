//! The lineage's setting: compare-and-swap, fences, provisional settings, routes that follow it.

use std::time::Duration;

use imm_host::api::{Announce, Code, Confirm, DeleteObject, Drain, Level, Manifest, Renew, Write};

use crate::Test;
use crate::fixture::{World, acting, get, leading, put_manifest, refusal, until, with_agent};

pub const TESTS: &[Test] = &[
    ("a_route_follows_the_setting", || with_agent(a_route_follows_the_setting)),
    ("a_provisional_setting_reverts_by_itself", || with_agent(a_provisional_setting_reverts_by_itself)),
    ("what_was_sent_before_a_turn_has_no_effect", || with_agent(what_was_sent_before_a_turn_has_no_effect)),
    ("the_active_set_is_part_of_the_setting", || with_agent(the_active_set_is_part_of_the_setting)),
    ("what_is_wrong_is_refused_whole", || with_agent(what_is_wrong_is_refused_whole)),
];

async fn two(world: &World) -> u16 {
    for (id, greeting) in [("a", "old"), ("b", "new")] {
        world.run("l", id, world.container(&[("GREETING", greeting)])).await;
        world.level("l", id, Level::Healthy).await;
    }
    world.route("l", "r").await
}

async fn a_route_follows_the_setting(world: World) {
    let port = two(&world).await;
    // Bound, not listening: clients are refused and do not hang.
    assert!(get(port, "/").await.is_err());
    assert_eq!(world.agent.put_manifest("l", &put_manifest(0, leading("r", &["a"]), None)).await.unwrap().epoch, 1);
    assert_eq!(get(port, "/").await.unwrap(), "old");
    let refused = refusal(world.agent.put_manifest("l", &put_manifest(0, leading("r", &["b"]), None)).await);
    assert_eq!(refused.code, Code::Epoch);
    assert_eq!(get(port, "/").await.unwrap(), "old");
    world.agent.put_manifest("l", &put_manifest(1, leading("r", &["b"]), Some(30_000))).await.unwrap();
    assert_eq!(get(port, "/").await.unwrap(), "new");
    let report = world.agent.lineage("l").await.unwrap();
    assert_eq!((report.epoch, report.returns_to, report.manifest.routes["r"].record.as_str()), (2, Some(1), "mine"));

    // What may still be in force, now or after a revert, is not destroyed.
    let delete = DeleteObject { fence: 1, consent: false };
    assert_eq!(refusal(world.agent.delete_object("l", "a", &delete).await).code, Code::InUse);
    world.agent.confirm("l", &Confirm { fence: 1, epoch: 2 }).await.unwrap();
    let drain = Drain { objects: vec!["a".to_owned()], write: Write { fence: 1, deadline_ms: Some(5_000) } };
    assert_eq!(world.agent.drain("l", &drain).await.unwrap().cut, 0);
    world.agent.delete_object("l", "a", &delete).await.unwrap();
    assert_eq!(get(port, "/").await.unwrap(), "new");
    let samples = world.agent.samples("l").await.unwrap().samples;
    let of_b = samples.iter().find(|sample| sample.target == "b").unwrap();
    assert_eq!((of_b.route.as_str(), of_b.requests, of_b.errors), ("r", 2, 0));
    let metrics = world.agent.metrics().await.unwrap();
    let value = |name: &str| -> Option<f64> {
        let line = metrics.lines().find(|line| line.starts_with(name) && line.contains("object=\"b\""))?;
        line.rsplit(' ').next()?.parse().ok()
    };
    assert_eq!(value("imm_requests_total{"), Some(2.0), "{metrics}");
    // A histogram has all three: its buckets, how many, and all together.
    assert_eq!(value("imm_request_seconds_count{"), Some(2.0), "{metrics}");
    assert!(value("imm_request_seconds_sum{").is_some_and(|sum| sum > 0.0), "{metrics}");
    assert!(metrics.contains(",le=\"+Inf\"} 2"), "{metrics}");
}

async fn a_provisional_setting_reverts_by_itself(world: World) {
    let port = two(&world).await;
    world.announce("l", 1).await;
    world.agent.put_manifest("l", &put_manifest(0, leading("r", &["a"]), None)).await.unwrap();
    world.agent.put_manifest("l", &put_manifest(1, leading("r", &["b"]), Some(30_000))).await.unwrap();
    assert_eq!(get(port, "/").await.unwrap(), "new");
    world.agent.renew("l", &Renew { fence: 1, epoch: 2, ttl_ms: 50 }).await.unwrap();
    until("the old setting is in force", || async { world.agent.lineage("l").await.unwrap().epoch == 3 }).await;
    assert_eq!(get(port, "/").await.unwrap(), "old");
    // The last word of who let it run out would stop what is in force again.
    let late = Write { fence: 1, deadline_ms: None };
    assert_eq!(refusal(world.agent.deactivate("l", "a", &late).await).code, Code::Fence);
    assert_eq!(refusal(world.agent.confirm("l", &Confirm { fence: 1, epoch: 2 }).await).code, Code::Fence);
    assert_eq!(refusal(world.agent.confirm("l", &Confirm { fence: 2, epoch: 2 }).await).code, Code::Epoch);
    assert_eq!(get(port, "/").await.unwrap(), "old");
    let journal = world.agent.journal("l", 0).await.unwrap();
    let last = journal.last().unwrap();
    assert_eq!((last.event.as_str(), last.number), ("reverted", 3));
}

/// An engine that turns back says so first. What it had asked for before, and arrives after what it asks for now, is refused.
async fn what_was_sent_before_a_turn_has_no_effect(world: World) {
    let container = imm_host::api::ObjectSpec::Container(Box::new(world.container(&[])));
    world.put_as("l", "a", container, true).await.unwrap();
    let (before, after) = (Write { fence: 1, deadline_ms: None }, Write { fence: 2, deadline_ms: None });
    world.agent.activate("l", "a", &before).await.unwrap();
    world.level("l", "a", Level::Healthy).await;
    world.agent.announce("l", &Announce { fence: 2, head: None, take: false }).await.unwrap();
    world.agent.deactivate("l", "a", &after).await.unwrap();
    assert_eq!(refusal(world.agent.activate("l", "a", &before).await).code, Code::Fence);
    assert_eq!(world.agent.health("l", "a", Duration::ZERO).await.unwrap().level, Level::Dormant);
    world.agent.activate("l", "a", &after).await.unwrap();
    world.level("l", "a", Level::Healthy).await;
}

async fn the_active_set_is_part_of_the_setting(world: World) {
    let container = imm_host::api::ObjectSpec::Container(Box::new(world.container(&[])));
    world.put_as("l", "a", container, true).await.unwrap();
    assert_eq!(world.agent.health("l", "a", Duration::ZERO).await.unwrap().level, Level::Dormant);
    world.agent.put_manifest("l", &put_manifest(0, acting("a"), None)).await.unwrap();
    world.level("l", "a", Level::Healthy).await;
    world.agent.put_manifest("l", &put_manifest(1, Manifest::default(), None)).await.unwrap();
    world.level("l", "a", Level::Dormant).await;
}

async fn what_is_wrong_is_refused_whole(world: World) {
    let port = two(&world).await;
    world.agent.put_manifest("l", &put_manifest(0, leading("r", &["a"]), None)).await.unwrap();
    let nowhere = put_manifest(1, leading("r", &["b", "nobody"]), None);
    assert_eq!(refusal(world.agent.put_manifest("l", &nowhere).await).code, Code::Invalid);
    assert_eq!(
        refusal(world.agent.put_manifest("l", &put_manifest(1, acting("nobody"), None)).await).code,
        Code::Unknown
    );
    assert_eq!(world.agent.lineage("l").await.unwrap().epoch, 1);
    assert_eq!(get(port, "/").await.unwrap(), "old");
}
