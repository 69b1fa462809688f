//! What is there and no entry speaks of is taken over: its data is used again, a container serves again, and what nothing
//! declares is ended by a plan.

use crate::harness::Bench;
use std::path::Path;

fn orphans(bench: &Bench) -> Vec<serde_json::Value> {
    let drift = bench.json(&["drift"]);
    drift["objects"].as_array().unwrap().iter().filter(|o| o["state"] == "orphan").cloned().collect()
}

/// Of the actions of a plan those at an address.
fn actions(bench: &Bench, at: &str) -> Vec<String> {
    let plan = bench.json(&["plan"]);
    let here = plan["actions"].as_array().unwrap().iter().filter(|a| a["address"] == at);
    here.map(|a| a["action"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn data_that_no_entry_speaks_of_is_taken_over() {
    let bench = Bench::example("hello");
    let said = bench.imm(&["adopt", "uploads", "--because", "x"]);
    assert!(said.code == 1 && said.err.contains("nothing was applied yet"), "{said:?}");
    bench.ok(&["apply", "--yes"]);
    let said = bench.imm(&["adopt", "uploads", "--because", "x"]);
    assert!(said.code == 1 && said.err.contains("nothing to take over"), "{said:?}");
    assert_eq!(bench.imm(&["adopt", "uploads"]).code, 2, "wants a reason");

    let first = bench.json(&["volume", "ls"])["volumes"][0].clone();
    let file = Path::new(first["path"].as_str().unwrap()).join("kept.txt");
    std::fs::write(&file, "data").unwrap();
    bench.ok(&["forget", "uploads", "--because", "by mistake"]);
    let found = orphans(&bench);
    assert_eq!((found.len(), &found[0]["address"], &found[0]["object"]), (1, &first["address"], &first["object"]));
    assert!(bench.ok(&["drift"]).contains("imm adopt ADDR --object ID"));
    // Not the kind that is declared there, or not there at all.
    let id = first["object"].as_str().unwrap();
    let said = bench.imm(&["adopt", "app", "--object", &id[..8], "--because", "x"]);
    assert!(
        said.code == 1 && said.err.contains("app is declared as image of host, and this is volume of host"),
        "{said:?}"
    );
    let said = bench.imm(&["adopt", "web", "--because", "x"]);
    assert!(
        said.code == 1 && said.err.contains(&format!("--object ID: volume {} (was uploads)", &id[..10])),
        "{said:?}"
    );

    // Declared larger: that is a switch, and its data is what it was.
    bench.edit("size = 1GiB", "size = 2GiB");
    let told = bench.json(&["adopt", "uploads", "--because", "it was there all the time"]);
    assert_eq!(
        (&told["object"], &told["declared"], &told["fields"]),
        (&first["object"], &true.into(), &serde_json::json!([]))
    );
    assert!(orphans(&bench).is_empty());
    assert!(bench.ok(&["volume"]).contains("it was taken over, since "));
    assert_eq!(actions(&bench, "uploads"), ["adopt", "switch"]);
    bench.ok(&["apply", "--yes"]);
    let again = bench.json(&["volume", "show", "uploads"])["volumes"][0].clone();
    assert_eq!(
        (&again["object"], &again["size"], &again["state"]),
        (&first["object"], &"2GiB".into(), &"attached".into())
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "data");
    assert_eq!(bench.imm(&["plan", "--exit-code"]).code, 0, "nothing is left to do");
    let why = bench.json(&["why", "uploads"])["addresses"][0]["records"][0].clone();
    assert_eq!(
        (&why["made"], &why["adopted"]["because"]),
        (&serde_json::Value::Null, &"it was there all the time".into())
    );
    let (at, actor) = (why["adopted"]["at"].as_str().unwrap(), why["adopted"]["actor"].as_str().unwrap());
    let told = format!("taken over {at} by {actor}, because \"it was there all the time\"");
    assert!(bench.ok(&["why", "uploads"]).contains(&told), "{told}");
    assert!(bench.json(&["drift"])["objects"].as_array().unwrap().iter().all(|o| o["state"] == "intact"));
    let entries = bench.ok(&["audit", "export"]);
    assert!(entries.contains("OrphanFound") && entries.contains("it was there all the time"));
    bench.ok(&["audit", "verify"]);
    bench.ok(&["audit", "rebuild", "--check"]);
}

#[test]
fn what_differs_is_drift_at_once_and_says_in_what() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    bench.ok(&["forget", "uploads", "--because", "by mistake"]);
    bench.edit("size = 1GiB", "size = 1GiB, owner = \"4242\"");
    let out = bench.ok(&["adopt", "uploads", "--because", "found again"]);
    assert!(out.contains("owner is 65532, not 4242") && out.contains("drift"), "{out}");
    let said = bench.imm(&["apply", "--yes"]);
    assert!(
        said.code == 1 && said.err.contains("uploads was changed from outside: owner is 65532, not 4242"),
        "{said:?}"
    );
    bench.ok(&["apply", "--yes", "--heal"]);
    assert_eq!(bench.json(&["volume", "ls"])["volumes"][0]["state"], "attached");
    let drift = bench.json(&["drift"]);
    let found: Vec<_> = drift["objects"].as_array().unwrap().iter().filter(|o| o["state"] != "intact").collect();
    assert_eq!(found.len(), 1, "{drift}");
    assert_eq!((&found[0]["address"], &found[0]["fields"][0]["name"]), (&"uploads".into(), &"owner".into()));
    let said = bench.imm(&["apply", "--yes", "--param", "greeting=Hi"]);
    assert!(
        said.code == 1 && said.err.contains("uploads was changed from outside: owner is 65532, not 4242"),
        "{said:?}"
    );
}

#[test]
fn containers_are_taken_over_to_serve_again_or_to_be_ended() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    bench.ok(&["apply", "--yes", "--param", "greeting=Hi"]);
    // One that is kept for a rollback is lost from the record.
    let status = bench.json(&["status"]);
    let warm = |at: &str| {
        let objects = status["objects"].as_array().unwrap();
        let found = objects.iter().find(|o| o["address"] == at && o["state"] == "warm").unwrap();
        found["object"].as_str().unwrap().to_owned()
    };
    let lost = warm("web.instance[\"0\"]");
    bench.ok(&["forget", "web.instance[\"0\"]", "--object", &lost, "--because", "by mistake"]);
    assert_eq!(orphans(&bench).len(), 1);
    let out = bench.ok(&["adopt", "web.instance[\"0\"]", "--because", "it still runs"]);
    assert!(out.contains("as it is declared"), "{out}");
    assert_eq!(actions(&bench, "web.instance[\"0\"]"), ["adopt", "warm"]);
    bench.ok(&["apply", "--yes"]);
    assert!(bench.page().contains("Hello, world"));
    let status = bench.json(&["status"]);
    assert!(
        status["objects"].as_array().unwrap().iter().any(|o| o["object"] == lost.as_str() && o["state"] == "running")
    );
    assert_eq!(bench.imm(&["plan", "--exit-code"]).code, 0, "nothing is left to do");

    // Where nothing declares it, the next apply ends it, also when nothing else is to do.
    let objects = status["objects"].as_array().unwrap();
    let other = objects.iter().find(|o| o["state"] == "warm" && o["kind"] == "container").unwrap();
    let (other, at) = (other["object"].as_str().unwrap(), other["address"].as_str().unwrap());
    bench.ok(&["forget", at, "--object", other, "--because", "by mistake"]);
    let out = bench.ok(&["adopt", "old", "--object", &other[..12], "--because", "to be ended"]);
    assert!(out.contains("the next apply ends it"), "{out}");
    assert_eq!(bench.imm(&["plan", "--exit-code"]).code, 3);
    let plan = bench.ok(&["plan"]);
    assert!(plan.contains("- destroy  old") && plan.contains("was taken over, and nothing declares it"), "{plan}");
    bench.ok(&["apply", "--yes"]);
    assert!(orphans(&bench).is_empty());
    assert!(!bench.json(&["agent", "ps"]).to_string().contains(other), "it is gone");
    bench.ok(&["audit", "verify"]);
}
