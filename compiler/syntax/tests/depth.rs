//! What nests exactly as deep as is allowed fits into the stack of an ordinary thread; one level more is refused.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic")]

use imm_ir::FileId;
use imm_syntax::{MAX_DEPTH, parse};

/// Stack of a test's thread in a debug build; programs run with more.
const STACK: usize = 2 << 20;

fn nested(open: &str, close: &str, levels: usize) -> usize {
    let text = format!("let x = {}1{}", open.repeat(levels), close.repeat(levels));
    let thread = std::thread::Builder::new().stack_size(STACK);
    thread.spawn(move || parse(FileId(0), &text).diagnostics.len()).unwrap().join().unwrap()
}

#[test]
fn the_bound_fits_into_the_stack() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("{ a = ", " }"), ("-", ""), ("a => ", ""), ("\"${", "}\""), ("f(", ")")]
    {
        let most = (1..=MAX_DEPTH).rev().find(|n| nested(open, close, *n) == 0).unwrap_or(0);
        assert!(most >= MAX_DEPTH / 3, "{open} nests {most} levels only");
        assert_eq!(nested(open, close, MAX_DEPTH + 1), 1, "{open}");
    }
}
