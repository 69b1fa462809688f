//! Bounds that turn an explosion into a diagnostic. Evaluation always ends by the language's rules; the budget makes it
//! end soon.

use imm_ir::{Diagnostic, Span, code};
use std::collections::BTreeMap;

/// Expressions that may be evaluated.
const STEPS: u64 = 50_000_000;
/// Nodes that a program may have.
const NODES: usize = 2_000_000;
/// Calls and expressions within each other.
const DEPTH: usize = 160;

/// What is left, and what used it.
#[derive(Debug, Default)]
pub(super) struct Budget {
    steps: u64,
    depth: usize,
    nodes: usize,
    /// How often each loop body and function was evaluated.
    loops: BTreeMap<Span, u64>,
}

impl Budget {
    /// One expression; `leave` must follow if this succeeds.
    pub fn enter(&mut self, span: Span) -> Result<(), Box<Diagnostic>> {
        self.steps += 1;
        if self.steps > STEPS {
            return Err(Box::new(self.exceeded(span, &format!("more than {STEPS} steps"))));
        }
        if self.depth >= DEPTH {
            let what = format!("expressions and calls nested deeper than {DEPTH}");
            return Err(Box::new(self.exceeded(span, &what)));
        }
        self.depth += 1;
        Ok(())
    }

    pub fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// One more round of a loop or call.
    pub fn round(&mut self, span: Span) {
        *self.loops.entry(span).or_default() += 1;
    }

    /// One more node.
    pub fn node(&mut self, span: Span) -> Result<(), Box<Diagnostic>> {
        self.nodes += 1;
        if self.nodes > NODES {
            return Err(Box::new(self.exceeded(span, &format!("more than {NODES} nodes"))));
        }
        Ok(())
    }

    /// `budget-exceeded`, naming the expression that was evaluated most often.
    pub fn exceeded(&self, span: Span, what: &str) -> Diagnostic {
        let diagnostic = Diagnostic::error(code::BUDGET_EXCEEDED, span, format!("this program needs {what}"))
            .help("make it smaller: fewer elements, fewer loops within loops, shorter texts");
        match self.loops.iter().max_by_key(|(_, count)| **count) {
            Some((hottest, count)) if *count > 1 => {
                diagnostic.also(*hottest, format!("evaluated most often: {count} times"))
            }
            _none => diagnostic,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imm_ir::FileId;

    #[test]
    fn the_hottest_expression_is_named() {
        let mut budget = Budget::default();
        let hot = Span::new(FileId(0), 5, 9);
        budget.round(hot);
        budget.round(hot);
        budget.round(Span::new(FileId(0), 1, 2));
        for _ in 0..DEPTH {
            budget.enter(Span::default()).unwrap();
        }
        let diagnostic = budget.enter(Span::default()).unwrap_err();
        assert_eq!(diagnostic.code, code::BUDGET_EXCEEDED);
        assert_eq!(diagnostic.labels[1].span, hot);
        budget.leave();
        assert!(budget.enter(Span::default()).is_ok());
    }
}
