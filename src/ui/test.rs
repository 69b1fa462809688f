//! How tests went: a line each and what failed, or JSON lines.

use super::diagnostics;
use super::{Style, json, out};
use imm_ir::{Diagnostic, Loc, Sources, Span};
use serde_json::json;
use std::time::Duration;

/// How one test went.
pub struct Verdict {
    /// What did not hold; nothing: it passed.
    pub failures: Vec<Diagnostic>,
    /// How long it took.
    pub took: Duration,
}

/// Tells how tests go, one after the other.
pub struct Told {
    json: bool,
    style: Style,
    passed: usize,
    failed: usize,
    took: Duration,
}

impl Told {
    /// Begins with the program's name and how many tests there will be.
    pub fn new(program: &str, many: usize, json: bool, style: Style) -> Self {
        if !json {
            out(&format!("{program} · {many} {}\n", if many == 1 { "test" } else { "tests" }));
        }
        Self { json, style, passed: 0, failed: 0, took: Duration::ZERO }
    }

    /// The name of a test that is not run.
    pub fn name(&self, loc: &Loc, name: &str) {
        if self.json {
            json(&json!({ "test": name, "file": &*loc.file, "line": loc.line }));
        } else {
            out(&format!("  {name}  ({}:{})\n", loc.file, loc.line));
        }
    }

    /// How a test went.
    pub fn verdict(&mut self, name: &str, span: Span, verdict: &Verdict, sources: &Sources) {
        let passed = verdict.failures.is_empty();
        *(if passed { &mut self.passed } else { &mut self.failed }) += 1;
        self.took += verdict.took;
        let milliseconds = verdict.took.as_millis();
        if self.json {
            let failures: Vec<_> = verdict.failures.iter().map(|d| diagnostics::document(d, sources)).collect();
            let loc = sources.loc(span);
            let outcome = if passed { "passed" } else { "failed" };
            json(&json!({
                "test": name, "file": &*loc.file, "line": loc.line,
                "outcome": outcome, "ms": milliseconds, "failures": failures,
            }));
            return;
        }
        let word = if passed { self.style.paint("32", "ok  ") } else { self.style.paint("1;31", "FAIL") };
        out(&format!("  {word}  {name}  ({milliseconds} ms)\n"));
        super::err_as_it_is(&diagnostics::render(&verdict.failures, sources, self.style.color));
    }

    /// Ends; whether all passed.
    pub fn end(&self, listed: bool) -> bool {
        let milliseconds = self.took.as_millis();
        match (listed, self.json) {
            (true, _) => {}
            (false, true) => json(&json!({ "passed": self.passed, "failed": self.failed, "ms": milliseconds })),
            (false, false) => out(&format!("{} passed, {} failed  ({milliseconds} ms)\n", self.passed, self.failed)),
        }
        self.failed == 0
    }
}
