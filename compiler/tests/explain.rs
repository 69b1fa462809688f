//! The explain pages that are there say what is true: the wrong example gives the page's code, the right one nothing.
//!
//! A block that begins with `html NAME` is a file beside both programs.

#![expect(clippy::disallowed_methods, reason = "a test reads the pages from the disk")]

use imm_compiler::{MemoryWorld, Options, compile};
use std::path::Path;

/// The text of each block with the words after its fence.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push((words.to_owned(), text.join("\n") + "\n"));
        }
    }
    found
}

/// Codes of what is wrong with a program of one file.
fn codes(program: &str, files: &[(String, String)]) -> Vec<&'static str> {
    let mut world = MemoryWorld::new([("main.imm", program)]);
    for (words, text) in files {
        if let Some(("html", name)) = words.split_once(' ') {
            world.insert(name, text.as_bytes());
        }
    }
    match compile(&world, "main.imm", &Options::default()) {
        Ok(compiled) => compiled.warnings.into_iter().map(|d| d.code.0).collect(),
        Err(failed) => failed.diagnostics.into_iter().map(|d| d.code.0).collect(),
    }
}

#[test]
fn examples_of_the_pages_are_true() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("explain");
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let code = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let page = std::fs::read_to_string(&path).unwrap();
        let blocks = blocks(&page);
        for (words, program) in &blocks {
            let found = codes(program, &blocks);
            let holds = match words.as_str() {
                // Only a comparison with recorded state finds it.
                "imm wrong" if code == "durable-change" => found.is_empty(),
                "imm wrong" => found.contains(&code.as_str()),
                "imm right" => !found.iter().any(|found| *found != "unused-binding" || *found == code),
                _other => true,
            };
            if !holds {
                wrong.push(format!("{code}, {words}: {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
