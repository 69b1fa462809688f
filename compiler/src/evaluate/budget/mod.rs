//! Bounds that turn an explosion into a diagnostic. Evaluation always ends by the language's rules; the budget makes it
//! end soon and in little memory, on every machine at the same place: it counts work and never looks at a clock.
//!
//! Work is what time is proportional to: an expression evaluated, an element copied or made, 16 bytes of text made. Each node
//! of the graph brings work of its own along, so that large programs are no explosions. Memory is what stays: nodes, their
//! inputs, lets. What is shared counts once.

mod cost;

pub(super) use cost::{bytes, cost, cost_of_result, many, rounds, walked, weight};

use imm_ir::{Diagnostic, Span, code};
use std::collections::BTreeMap;

/// Work of a program without nodes.
const WORK: u64 = 4_000_000;
/// Work that each node adds.
const WORK_OF_NODE: u64 = 600;
/// Work of any program: about a second.
const MOST_WORK: u64 = 60_000_000;
/// Work that an instance takes for each `use` around it, whose places and addresses it carries.
pub(super) const LEVEL: u64 = 40;
/// Nodes that a program may have.
const NODES: usize = 1_200_000;
/// Bytes that a graph may take, about: what the engine makes of it comes on top.
const MEMORY: u64 = 840 << 20;
/// Bytes of a node without its inputs: its place in the tree of nodes and in that of its declaration's handles.
pub(super) const NODE: u64 = 540;
/// Bytes of an input of its own beside its value and its place among the inputs.
pub(super) const INPUT: u64 = 104;
/// Bytes of that place, all that an input takes which other nodes have, too.
pub(super) const SHARED: u64 = 24;
/// How many nodes are made before what is to come is guessed from how far the loops are, and how much too much that
/// must be to end it early: the further they are, the better the guess.
const SAMPLE: usize = 20_000;
const CERTAIN: [(f64, f64); 4] = [(0.05, 20.0), (0.25, 3.0), (0.5, 1.5), (1.0, 1.1)];
/// Calls and expressions within each other.
const DEPTH: usize = 160;

/// What is left, and what used it.
#[derive(Debug, Default)]
pub(super) struct Budget {
    work: u64,
    depth: usize,
    nodes: usize,
    memory: u64,
    /// How often each loop body and function was evaluated.
    loops: BTreeMap<Span, u64>,
    /// The loops over nodes around the place being evaluated: rounds that are done, and all of them.
    rounds: Vec<(usize, usize)>,
    /// Nodes that were made before the outermost of them began, and the memory that was taken.
    before: (usize, u64),
}

impl Budget {
    /// One expression; `leave` must follow if this succeeds.
    pub fn enter(&mut self, span: Span) -> Result<(), Box<Diagnostic>> {
        self.spend(1, span)?;
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

    /// So much work, at this place.
    pub fn spend(&mut self, work: u64, span: Span) -> Result<(), Box<Diagnostic>> {
        self.work = self.work.saturating_add(work);
        if self.work > self.allowed() {
            return Err(Box::new(self.exceeded(span, "more work than the budget for one program")));
        }
        Ok(())
    }

    fn allowed(&self) -> u64 {
        let nodes = u64::try_from(self.nodes).unwrap_or(u64::MAX);
        WORK.saturating_add(WORK_OF_NODE.saturating_mul(nodes)).min(MOST_WORK)
    }

    /// What is left: nothing larger needs to be measured.
    pub fn left(&self) -> u64 {
        self.allowed().saturating_sub(self.work).saturating_add(1)
    }

    /// One more round of a loop or call.
    pub fn round(&mut self, span: Span) {
        *self.loops.entry(span).or_default() += 1;
    }

    /// A loop over nodes begins; refused when even one node a round is too many.
    pub fn begin_rounds(&mut self, rounds: usize, span: Span) -> Result<(), Box<Diagnostic>> {
        if self.rounds.is_empty() {
            self.before = (self.nodes, self.memory);
        }
        self.rounds.push((0, rounds.max(1)));
        if self.nodes.saturating_add(rounds) > NODES { Err(Box::new(self.too_many_nodes(span))) } else { Ok(()) }
    }

    pub fn next_round(&mut self) {
        if let Some((done, _)) = self.rounds.last_mut() {
            *done += 1;
        }
    }

    pub fn end_rounds(&mut self) {
        self.rounds.pop();
    }

    /// Whether what is evaluated may be evaluated again for another node.
    pub fn repeats(&self) -> bool {
        !self.rounds.is_empty()
    }

    /// So many bytes that stay.
    pub fn keep(&mut self, bytes: u64, span: Span) -> Result<(), Box<Diagnostic>> {
        self.memory = self.memory.saturating_add(bytes);
        if self.memory <= MEMORY {
            return Ok(());
        }
        self.work = u64::MAX;
        Err(Box::new(self.too_much_memory(span)))
    }

    /// One more node.
    pub fn node(&mut self, span: Span) -> Result<(), Box<Diagnostic>> {
        self.nodes += 1;
        let (nodes, memory) = if self.nodes.is_multiple_of(SAMPLE) { self.expected() } else { (0.0, 0.0) };
        let refused = if self.nodes > NODES || nodes > amount(NODES) {
            self.too_many_nodes(span)
        } else if memory > size(MEMORY) {
            self.too_much_memory(span)
        } else {
            return Ok(());
        };
        // Nothing goes on after this.
        self.work = u64::MAX;
        Err(Box::new(refused))
    }

    /// How many nodes and bytes there will be at least, if it goes on like this.
    fn expected(&self) -> (f64, f64) {
        if self.rounds.is_empty() {
            return (0.0, 0.0);
        }
        let mut share = 1.0;
        let mut progress = 0.0;
        for (done, all) in &self.rounds {
            share /= amount(*all);
            progress += share * amount(*done);
        }
        // The round that is not done yet counts as a half.
        let progress = progress + share / 2.0;
        let certain = CERTAIN.iter().find(|(before, _)| progress <= *before).map_or(1.1, |(_, certain)| *certain);
        let (nodes, memory) = self.before;
        let nodes = amount(nodes) + amount(self.nodes - nodes) / progress;
        let memory = size(memory) + size(self.memory - memory) / progress;
        (nodes / certain, memory / certain)
    }

    fn too_many_nodes(&self, span: Span) -> Diagnostic {
        self.exceeded(span, &format!("more than {NODES} nodes"))
    }

    fn too_much_memory(&self, span: Span) -> Diagnostic {
        self.exceeded(span, "more memory than the budget for one program")
    }

    /// `budget-exceeded`, naming the expression that was evaluated most often.
    pub fn exceeded(&self, span: Span, what: &str) -> Diagnostic {
        let diagnostic = Diagnostic::error(code::BUDGET_EXCEEDED, span, format!("this program needs {what}"))
            .label("it was stopped here")
            .help("make it smaller: fewer elements, fewer loops within loops, shorter texts");
        match self.loops.iter().max_by_key(|(_, rounds)| **rounds) {
            Some((hottest, rounds)) if *rounds > 1 => {
                diagnostic.also(*hottest, format!("evaluated most often: {rounds} times"))
            }
            _none => diagnostic,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a guess needs no exact numbers")]
fn amount(n: usize) -> f64 {
    n as f64
}

#[expect(clippy::cast_precision_loss, reason = "a guess needs no exact numbers")]
fn size(bytes: u64) -> f64 {
    bytes as f64
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

    #[test]
    fn loops_that_will_make_too_many_nodes_end_early() {
        let mut budget = Budget::default();
        assert!(budget.begin_rounds(NODES + 1, Span::default()).is_err());
        budget.end_rounds();
        let mut made = 0;
        budget.begin_rounds(100_000, Span::default()).unwrap();
        let stopped = (0..100_000).any(|_| {
            let stopped = (0..1000).any(|_| {
                made += 1;
                budget.node(Span::default()).is_err()
            });
            budget.next_round();
            stopped
        });
        assert!(stopped);
        assert_eq!(made, SAMPLE);
    }

    #[test]
    fn what_was_made_before_a_loop_says_nothing_about_it() {
        let mut budget = Budget::default();
        for _ in 0..600_000 {
            budget.node(Span::default()).unwrap();
        }
        budget.begin_rounds(400_000, Span::default()).unwrap();
        for _ in 0..400_000 {
            budget.node(Span::default()).unwrap();
            budget.next_round();
        }
    }

    #[test]
    fn a_loop_that_is_half_done_tells_how_many_there_will_be() {
        let mut budget = Budget::default();
        budget.begin_rounds(2000, Span::default()).unwrap();
        let stopped = (0..2000).find(|_| {
            let stopped = (0..1000).any(|_| budget.node(Span::default()).is_err());
            budget.next_round();
            stopped
        });
        assert!(stopped.is_some_and(|round| round < 600), "{stopped:?}");
    }

    #[test]
    fn memory_is_counted_and_foreseen() {
        let mut budget = Budget::default();
        assert!(budget.keep(MEMORY, Span::default()).is_ok());
        assert!(budget.keep(1, Span::default()).is_err());
        assert!(budget.enter(Span::default()).is_err(), "nothing goes on after that");
        let mut budget = Budget::default();
        budget.begin_rounds(1_000_000, Span::default()).unwrap();
        let stopped = (0..1_000_000).find(|_| {
            let stopped = budget.node(Span::default()).is_err() || budget.keep(2_000, Span::default()).is_err();
            budget.next_round();
            stopped
        });
        assert!(stopped.is_some_and(|round| round < 300_000), "{stopped:?}");
    }

    #[test]
    fn a_large_program_has_work_in_proportion() {
        let mut budget = Budget::default();
        assert!(budget.spend(WORK + 1, Span::default()).is_err());
        let mut budget = Budget::default();
        for _ in 0..100_000 {
            budget.node(Span::default()).unwrap();
        }
        assert!(budget.spend(MOST_WORK, Span::default()).is_ok());
        assert!(budget.spend(1, Span::default()).is_err());
    }
}
