//! The grammar for editors, with its own tool where that is installed.

use crate::golden::{sections, suite};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files that are no program as a whole, and why.
const BROKEN: [(&str, &str); 10] = [
    ("beginners.imm", "what people type who never wrote imm; texts of templates"),
    ("broken.imm", "words, brackets and signs left out"),
    ("evaluate.imm", "texts of templates"),
    ("explained.imm", "the wrong examples of the pages; the text of a file"),
    ("habits.imm", "other languages"),
    ("newcomers.imm", "other languages"),
    ("programs.imm", "words that no program has"),
    ("rules.imm", "texts of templates"),
    ("syntax.imm", "mistakes of syntax"),
    ("tests.imm", "steps that no test has"),
];

fn grammar() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("editors/tree-sitter-imm")
}

fn is_installed() -> bool {
    let installed = Command::new("tree-sitter").arg("--version").output().is_ok();
    if !installed {
        eprintln!("skipped: there is no tree-sitter (crate tree-sitter-cli)");
    }
    installed
}

/// Those of these files that the grammar does not take.
fn refused(files: &[PathBuf]) -> Vec<PathBuf> {
    let output =
        Command::new("tree-sitter").args(["parse", "--quiet"]).args(files).current_dir(grammar()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let refused: Vec<PathBuf> = files.iter().filter(|file| said.contains(&*file.to_string_lossy())).cloned().collect();
    assert_eq!(output.status.success(), refused.is_empty(), "{said} {}", String::from_utf8_lossy(&output.stderr));
    refused
}

#[test]
fn the_editors_grammar_is_what_is_built_and_passes_its_corpus() {
    if !is_installed() {
        return;
    }
    let output = Command::new(grammar().join("check")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_editors_grammar_takes_every_program() {
    if !is_installed() {
        return;
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git").args(["ls-files", "*.imm"]).current_dir(top).output().unwrap();
    let files: Vec<PathBuf> = String::from_utf8_lossy(&listed.stdout).lines().map(|file| top.join(file)).collect();
    assert!(files.len() > 30, "{files:?}");
    let expected: Vec<PathBuf> = BROKEN.iter().map(|(name, _)| top.join("tests/suite").join(name)).collect();
    assert_eq!(refused(&files), expected);
}

#[test]
fn the_editors_grammar_takes_what_the_compiler_takes() {
    if !is_installed() {
        return;
    }
    let root = tempfile::Builder::new().prefix("imm").tempdir().unwrap();
    let mut files = Vec::new();
    for file in suite() {
        for section in sections(&std::fs::read_to_string(file).unwrap()) {
            for (_, text) in section.files.iter().filter(|(path, _)| path.ends_with(".imm")) {
                let parsed = imm_syntax::parse(imm_ir::FileId(0), text);
                if parsed.diagnostics.iter().any(imm_ir::Diagnostic::is_error) {
                    continue;
                }
                let path = root.path().join(format!("{}-{}.imm", files.len(), section.name.replace('/', " ")));
                std::fs::write(&path, text).unwrap();
                files.push(path);
            }
        }
    }
    assert!(files.len() > 300, "{}", files.len());
    assert_eq!(refused(&files), Vec::<PathBuf>::new());
}
