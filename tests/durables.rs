//! What holds data, from its first apply to its end: retained, attached elsewhere, grown, and destroyed by consent alone.

use crate::harness::Bench;
use std::path::Path;

fn volume(bench: &Bench) -> serde_json::Value {
    let found = bench.json(&["volume", "list"])["volumes"].as_array().unwrap().clone();
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

#[test]
fn data_is_retained_attached_grown_and_destroyed_by_consent() {
    let bench = Bench::example("hello");
    assert!(bench.imm(&["volume"]).err.contains("nothing was applied yet"));
    bench.ok(&["apply", "--yes"]);
    let first = volume(&bench);
    assert_eq!((first["address"].as_str(), first["state"].as_str()), (Some("uploads"), Some("attached")));
    assert_eq!(first["size"], "1GiB");
    let file = Path::new(first["path"].as_str().unwrap()).join("kept.txt");
    std::fs::write(&file, "data").unwrap();

    // It only grows, and what is in use is not destroyed.
    bench.edit("size = 1GiB", "size = 512MiB");
    let said = bench.imm(&["apply", "--yes"]);
    assert!(said.code == 1 && said.err.contains("only grows") && said.err.contains("durable-change"), "{said:?}");
    bench.edit("size = 512MiB", "size = 2GiB");
    bench.ok(&["apply", "--yes"]);
    assert_eq!(volume(&bench)["size"], "2GiB");
    let said = bench.imm(&["volume", "rm", "uploads", "--because", "x", "--yes"]);
    assert!(said.code == 1 && said.err.contains("durable-in-use"), "{said:?}");
    assert_eq!(bench.imm(&["volume", "rm", "uploads", "--yes"]).code, 2, "wants a reason");
    let said = bench.imm(&["volume", "rm", "nothing", "--because", "x", "--yes"]);
    assert!(said.code == 1 && said.err.contains("imm volume"), "{said:?}");
    assert!(bench.ok(&["rollback", "--yes"]).contains("Generation 3 serves"), "going back asks for less, and may");

    // Not declared any more: kept, and told since when and why.
    bench.edit("durable uploads = volume { size = 2GiB }", "");
    bench.ok(&["apply", "--yes"]);
    let kept = volume(&bench);
    assert_eq!((kept["state"].as_str(), kept["object"] == first["object"]), (Some("retained"), true));
    assert_eq!(kept["retained"]["reason"], "the program no longer declares it");
    assert!(bench.ok(&["volume"]).contains("no longer declares it, since "));

    // In use again, under another address, with its data.
    let program = std::fs::read_to_string(bench.module.join("main.imm")).unwrap();
    std::fs::write(bench.module.join("main.imm"), format!("{program}\ndurable files = volume {{ size = 2GiB }}\n"))
        .unwrap();
    bench.ok(&["apply", "--yes", "--rename", "uploads=files", "--because", "a better name"]);
    let again = volume(&bench);
    assert_eq!((again["address"].as_str(), again["state"].as_str()), (Some("files"), Some("attached")));
    assert_eq!(again["object"], first["object"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "data");
    assert_eq!(bench.imm(&["plan", "--exit-code"]).code, 0, "nothing is left to do");

    // `destroy` keeps it; consent ends it, with its bytes.
    bench.ok(&["destroy", "--yes"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "data");
    let out = bench.ok(&["volume", "rm", "files", "--because", "moved to the archive", "--yes"]);
    assert!(out.contains("- destroy  files") && out.contains("cannot be undone"), "{out}");
    assert!(!file.exists() && !file.parent().unwrap().exists());
    assert!(bench.ok(&["volume"]).contains("Nothing holds data"));
    assert!(bench.ok(&["audit", "export"]).contains("moved to the archive"));
    bench.ok(&["audit", "verify"]);
}

#[test]
fn destroy_and_apply_take_a_consent_and_a_failed_apply_uses_none_up() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let path = volume(&bench)["path"].as_str().unwrap().to_owned();
    // The apply that had the consent fails: the data stays, and the next one has to ask again.
    bench.edit("durable uploads = volume { size = 1GiB }", "");
    bench.edit("\"serve\", \"/srv\"", "\"serve\", \"/nowhere\"");
    let consent = ["--consent", "uploads", "--because", "not needed", "--yes"];
    assert_eq!(bench.imm(&[&["apply"], &consent[..]].concat()).code, 4);
    assert!(Path::new(&path).exists());
    bench.edit("\"serve\", \"/nowhere\"", "\"serve\", \"/srv\"");
    bench.ok(&["apply", "--yes"]);
    assert!(Path::new(&path).exists(), "without a word it is retained");
    assert_eq!(volume(&bench)["state"], "retained");
    bench.ok(&[&["apply"], &consent[..]].concat());
    assert!(!Path::new(&path).exists());

    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    bench.ok(&[&["destroy"], &consent[..]].concat());
    assert!(bench.ok(&["volume"]).contains("Nothing holds data"));
}
