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

#[test]
fn what_is_retained_is_attached_where_it_is_declared_now() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let first = volume(&bench)["object"].as_str().unwrap().to_owned();
    let file = Path::new(volume(&bench)["path"].as_str().unwrap()).join("kept.txt");
    std::fs::write(&file, "data").unwrap();
    // Another one at the same address; then neither is declared.
    bench.edit("size = 1GiB }", "size = 1GiB, owner = \"7\" }");
    bench.ok(&["apply", "--yes", "--replace", "uploads", "--because", "another user"]);
    bench.edit("durable uploads = volume { size = 1GiB, owner = \"7\" }", "durable files = volume { size = 2GiB }");
    let said = bench.imm(&["volume", "attach", "uploads", "nothing", "--because", "x", "--yes"]);
    assert!(said.code == 1 && said.err.contains("declares nothing that holds data at nothing"), "{said:?}");
    let said = bench.imm(&["volume", "attach", "elsewhere", "files", "--because", "x", "--yes"]);
    assert!(said.code == 1 && said.err.contains("nothing is retained at elsewhere"), "{said:?}");
    bench.edit("durable files = volume { size = 2GiB }", "");
    bench.ok(&["apply", "--yes"]);
    let program = std::fs::read_to_string(bench.module.join("main.imm")).unwrap();
    std::fs::write(bench.module.join("main.imm"), format!("{program}\ndurable files = volume {{ size = 2GiB }}\n"))
        .unwrap();
    let said = bench.imm(&["volume", "attach", "uploads", "files", "--because", "x", "--yes"]);
    assert!(
        said.code == 1 && said.err.contains("2 are retained at uploads") && said.err.contains(&first[..10]),
        "{said:?}"
    );
    let shown = bench.json(&["volume", "show", "uploads"]);
    let other = shown["volumes"].as_array().unwrap().iter().find(|v| v["object"] != first.as_str()).unwrap();
    let attach =
        |id: &str| bench.imm(&["volume", "attach", "uploads", "files", "--object", id, "--because", "x", "--yes"]);
    let said = attach(other["object"].as_str().unwrap());
    assert!(said.code == 1 && said.err.contains("is not declared as what is retained"), "{said:?}");
    let said = attach(&first[..8]);
    assert!(said.code == 0 && said.out.contains("= rename  files"), "{said:?}");
    let shown = bench.json(&["volume", "show", "files"])["volumes"][0].clone();
    assert_eq!(
        (&shown["object"], &shown["size"], &shown["over"]),
        (&first.as_str().into(), &"2GiB".into(), &false.into())
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "data");
    assert!(bench.ok(&["volume", "show", "files"]).contains(file.parent().unwrap().to_str().unwrap()));
    // What a size means is said.
    assert!(bench.imm(&["status"]).err.contains("its size is not enforced"));
    assert!(bench.ok(&["agent", "doctor"]).contains("shown, not enforced"));
    let said = bench.imm(&["volume", "show", "nothing"]);
    assert!(said.code == 1 && said.err.contains("nothing that holds data is recorded at nothing"), "{said:?}");
}
