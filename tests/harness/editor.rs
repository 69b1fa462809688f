//! A real editor without a screen in a module with a mistake: what its script prints there.

use super::IMM;
use std::process::Command;

/// Has `command` run `script`, which lies beside `main.imm` under this name, and expects these lines in what it says.
pub fn expect_said(command: &mut Command, (name, script): (&str, &str), lines: &[&str]) {
    let root = tempfile::Builder::new().prefix("imm").tempdir().unwrap();
    std::fs::write(root.path().join("main.imm"), "durable data = volume {\n  sise = 1GiB\n}\noutput at = data.path\n")
        .unwrap();
    std::fs::write(root.path().join(name), script).unwrap();
    let output = command
        .current_dir(root.path())
        .env("IMM", IMM)
        .env("HOME", root.path())
        .env("IMM_HOME", root.path().join("home"))
        .env("XDG_STATE_HOME", root.path().join("state"))
        .output()
        .unwrap();
    // Without a screen some print to stderr, with a screen's line ends.
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let said = said.replace('\r', "");
    assert!(output.status.success(), "{said}");
    for line in lines {
        assert!(said.contains(line), "{line} in {said}");
    }
}
