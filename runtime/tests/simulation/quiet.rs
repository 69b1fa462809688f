//! What holds once all is quiet, and does not depend on when or how often: equal ends after a crash, undoing that leaves
//! nothing, renames that touch nothing, clocks that say anything, aborts at every instant, bounded records.

use crate::faults::everything;
use crate::stage::{apply, greeting, in_virtual_time, none, scene};
use imm_runtime::apply::Outcome;
use imm_runtime::entry::{Body, Entry};
use imm_runtime::simulate::effect::Deed;
use imm_runtime::simulate::harness::{Command, Ended, Scene};
use imm_runtime::simulate::life::Life;
use imm_runtime::simulate::shapes::{Program, Rollout};
use imm_runtime::store::Store;

/// Entries without what the clock said.
pub fn timeless(scene: &Scene) -> Vec<Entry> {
    let decode = |r: &imm_runtime::store::Record| {
        let mut entry = Entry::decode(r.seq, &r.bytes).unwrap();
        (entry.header.at_ms, entry.header.skewed) = (0, false);
        entry
    };
    scene.records().iter().map(decode).collect()
}

/// I18: order is the sequence number; no decision reads the clock.
#[test]
fn the_clock_decides_nothing() {
    let lived = |wild: bool| {
        in_virtual_time(async {
            let mut scene = Scene::new(11);
            scene.wild_clock(wild);
            for command in
                [apply(&everything("one")), apply(&everything("two")), Command::Rollback(1), Command::Destroy]
            {
                let ended = scene.run(&command, None, &Life::default()).await;
                assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{ended:?}");
            }
            let skewed = scene.records().iter().any(|r| Entry::decode(r.seq, &r.bytes).unwrap().header.skewed);
            assert_eq!(skewed, wild, "the wild clock goes backwards");
            (timeless(&scene), scene.world.log())
        })
    };
    assert_eq!(lived(false), lived(true));
}

/// I12: an abort that was there before the commit wins, at whichever instant it comes; after it nothing is lost either.
#[test]
fn an_abort_at_every_instant() {
    aborts(everything);
    aborts(|text| Program { rollout: Some(Rollout::Canary(vec![10, 50], 100)), ..greeting(text) });
}

fn aborts(program: impl Fn(&str) -> Program) {
    let hello = [apply(&program("one"))];
    let names = in_virtual_time(async {
        let life = Life::default();
        scene(12, &hello).await.run(&apply(&program("two")), None, &life).await;
        life.names()
    });
    let commit =
        names.iter().position(|n| n == "before append Renamed" || n == "before append Committed").unwrap() as u64 + 1;
    let (mut unwound, mut committed) = (0, 0);
    for instant in 1..=names.len() as u64 {
        in_virtual_time(async {
            let mut scene = scene(12, &hello).await;
            let mut disk = scene.disk.clone();
            let life = Life::doing_at(instant, move || disk.signal("abort", "somebody").unwrap());
            let ended = scene.run(&apply(&program("two")), None, &life).await;
            let when = format!("abort {}", names[instant as usize - 1]);
            match ended {
                // Before it had begun it was not meant for it.
                Ended::Outcome(Outcome::Committed { .. }) if instant > commit || started_after(&names, instant) => {
                    committed += 1;
                }
                Ended::Outcome(Outcome::RolledBack { error, .. }) if instant <= commit => {
                    assert!(error.contains("aborted by somebody"), "{when}: {error}");
                    unwound += 1;
                }
                other => panic!("{when}: {other:?}"),
            }
            none(&scene.judge_at_rest(), &when);
        });
    }
    assert!(unwound > 30 && committed > 3, "{unwound} unwound, {committed} committed");
}

/// Whether the apply was recorded after this instant.
fn started_after(names: &[String], instant: u64) -> bool {
    let started = names.iter().position(|n| n == "before append LeaseTaken").unwrap() as u64 + 1;
    instant <= started
}

/// Q8: a rename is recorded and touches nothing.
#[test]
fn a_rename_touches_nothing() {
    in_virtual_time(async {
        let hello = Program { volume: false, ..Program::hello() };
        let mut scene = scene(13, &[apply(&hello)]).await;
        let (effects, entries) = (scene.world.log().len(), scene.records().len());
        let shop = apply(&Program { service: "shop".into(), ..hello });
        let ended = scene.run(&shop, None, &Life::default()).await;
        assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{ended:?}");
        let harmless = |d: &Deed| matches!(d, Deed::Announced | Deed::Confirmed | Deed::Probed(..));
        let after: Vec<_> = scene.world.log().split_off(effects);
        assert!(after.iter().all(|e| harmless(&e.deed)), "{after:?}");
        let intents = timeless(&scene).split_off(entries);
        let intent = |b: &Body| format!("{b:?}").starts_with("Intent");
        assert!(!intents.iter().any(|e| intent(&e.body)), "{intents:?}");
        assert_eq!(intents.iter().filter(|e| matches!(e.body, Body::Renamed { .. })).count(), 2);
        none(&scene.judge_at_rest(), "rename");
    });
}

/// Q11: entries are bounded by the steps; a change of one leaf costs its own bytes, whatever there is beside it.
#[test]
fn records_are_bounded() {
    let cost = |fan: u32| {
        in_virtual_time(async {
            // The fan hangs on the greeting; the route's drain time does not.
            let wide = Program { fan, volume: false, ..greeting("Hello") };
            let mut scene = scene(14, &[apply(&wide)]).await;
            let before = scene.disk.bytes();
            let leaf = Program { drain_s: 9, ..wide };
            let (plan, _) = scene.plan(&leaf.graph()).unwrap();
            let entries = scene.records().len();
            let ended = scene.run(&apply(&leaf), None, &Life::default()).await;
            assert!(matches!(ended, Ended::Outcome(Outcome::Committed { .. })), "{ended:?}");
            let written = scene.records().len() - entries;
            assert!(written <= 8 * plan.steps.len() + 16, "{written} entries for {} steps", plan.steps.len());
            scene.disk.bytes() - before
        })
    };
    let (few, many) = (cost(2), cost(100));
    assert!(many < few * 4, "{few} bytes beside 2 nodes, {many} beside 100");
}
