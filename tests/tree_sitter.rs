//! The grammar for editors, with its own tool where that is installed.

use std::path::Path;
use std::process::Command;

#[test]
fn the_editors_grammar_takes_every_program() {
    if Command::new("tree-sitter").arg("--version").output().is_err() {
        eprintln!("skipped: there is no tree-sitter (crate tree-sitter-cli)");
        return;
    }
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("editors/tree-sitter-imm/check");
    let output = Command::new(check).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
