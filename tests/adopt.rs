//! What is there and no entry speaks of is taken over: its data is used again, a container serves again, and what nothing
//! declares is ended by a plan.

use crate::harness::Bench;

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
