//! Bounds that turn an explosion into a diagnostic. Evaluation always ends by the language's rules; the budget makes it
//! end soon and in little memory, on every machine at the same place: it counts work and never looks at a clock.
//!
//! Work is what time and memory are proportional to: an expression evaluated, an element copied or made, 16 bytes of
//! text made. Each node of the graph brings work of its own along, so that large programs are no explosions.

use imm_ir::builtin::Builtin;
use imm_ir::{Diagnostic, Key, Span, Term, Value, code};
use std::collections::BTreeMap;
use std::sync::Arc;

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
/// How many nodes are made before what is to come is guessed from how far the loops are, and how much too much that
/// must be to end it early: the further they are, the better the guess.
const SAMPLE: usize = 20_000;
const CERTAIN: [(f64, f64); 3] = [(0.05, 20.0), (0.25, 3.0), (1.0, 1.6)];
/// Calls and expressions within each other.
const DEPTH: usize = 160;
/// Bytes of text that are made with one unit of work.
const TEXT: usize = 16;
/// What a map, record or payload takes beside its entries.
const TREE: u64 = 10;

/// What is left, and what used it.
#[derive(Debug, Default)]
pub(super) struct Budget {
    work: u64,
    depth: usize,
    nodes: usize,
    /// How often each loop body and function was evaluated.
    loops: BTreeMap<Span, u64>,
    /// The loops over nodes around the place being evaluated: rounds that are done, and all of them.
    rounds: Vec<(usize, usize)>,
    /// Nodes that were made before the outermost of them began.
    before: usize,
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
            self.before = self.nodes;
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

    /// One more node.
    pub fn node(&mut self, span: Span) -> Result<(), Box<Diagnostic>> {
        self.nodes += 1;
        let hopeless = self.nodes.is_multiple_of(SAMPLE) && self.is_hopeless();
        if self.nodes <= NODES && !hopeless {
            return Ok(());
        }
        // Nothing goes on after this.
        self.work = u64::MAX;
        Err(Box::new(self.too_many_nodes(span)))
    }

    /// Whether there will be far too many nodes if it goes on like this.
    fn is_hopeless(&self) -> bool {
        if self.rounds.is_empty() {
            return false;
        }
        let mut share = 1.0;
        let mut progress = 0.0;
        for (done, all) in &self.rounds {
            share /= amount(*all);
            progress += share * amount(*done);
        }
        // The round that is not done yet counts as a half.
        let progress = progress + share / 2.0;
        let certain = CERTAIN.iter().find(|(before, _)| progress <= *before).map_or(1.6, |(_, certain)| *certain);
        amount(self.before) + amount(self.nodes - self.before) / progress > certain * amount(NODES)
    }

    fn too_many_nodes(&self, span: Span) -> Diagnostic {
        self.exceeded(span, &format!("more than {NODES} nodes"))
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

/// What a builtin takes to read its arguments, counted up to about `limit`.
pub(super) fn cost(builtin: &Builtin, args: &[Arc<Term>], limit: u64) -> u64 {
    let all = || args.iter().fold(0, |sum: u64, arg| sum.saturating_add(weight(arg, limit)));
    let letters = || args.iter().fold(0, |sum: u64, arg| sum.saturating_add(of_text(text(arg))));
    match builtin {
        Builtin::Field(_) | Builtin::Is(_) => 0,
        Builtin::Concat => letters(),
        Builtin::Operator(sign) => match (&**sign, args) {
            ("in", [_, map]) if matches!(**map, Term::Map(_) | Term::Value(Value::Map(_) | Value::Range(..))) => 0,
            ("+" | "==" | "!=" | "in" | "<" | "<=" | ">" | ">=", [left, right]) => match (&**left, &**right) {
                (Term::Value(Value::Int(_)), Term::Value(Value::Int(_))) => 0,
                (Term::Value(Value::String(_)), Term::Value(Value::String(_))) if **sign != *"+" => letters() / 16,
                _compound => all() + letters(),
            },
            _cheap => 0,
        },
        Builtin::Method(name) => match (&**name, args) {
            ("get" | "first" | "last", _) => 0,
            ("len", [receiver]) => match &**receiver {
                Term::Value(Value::String(text)) => of_text(text.len()),
                _counted => 0,
            },
            // Each character is tried at each place of the pattern.
            ("matches", [_, pattern]) => 50 + letters().saturating_mul(1 + of_text(text(pattern)) * 8) * 8,
            ("sort_by", _) => all().saturating_mul(4),
            (_, [receiver, ..]) => all().saturating_mul(2) + letters() + walked(receiver, limit),
            (_, []) => 0,
        },
        Builtin::Function(_) => 10 + all() + letters().saturating_mul(4),
    }
}

/// What a builtin's result takes.
pub(super) fn cost_of_result(builtin: &Builtin, result: &Term, limit: u64) -> u64 {
    let made = match builtin {
        Builtin::Concat | Builtin::Function(_) => text(result),
        Builtin::Operator(sign) if **sign == *"+" => text(result),
        Builtin::Method(name) if !matches!(&**name, "get" | "first" | "last" | "map" | "filter" | "fold") => {
            text(result)
        }
        _shares => 0,
    };
    match result {
        // Refers to what was paid.
        Term::Call(..) => 1,
        folded => weight(folded, limit).saturating_add(of_text(made)),
    }
}

fn of_text(bytes: usize) -> u64 {
    u64::try_from(bytes / TEXT).unwrap_or(u64::MAX)
}

/// How many elements a term has at any depth, counted up to `limit`: what it takes to copy it.
pub(super) fn weight(term: &Term, limit: u64) -> u64 {
    let mut left = limit;
    weigh(term, &mut left);
    limit - left
}

/// What it takes to go through something: a range is made of numbers then.
pub(super) fn walked(term: &Term, limit: u64) -> u64 {
    match term {
        Term::Value(Value::Range(from, to)) => {
            u64::try_from(to.saturating_sub(*from)).unwrap_or(0).saturating_mul(2).min(limit)
        }
        other => weight(other, limit),
    }
}

/// How many rounds a loop over this has.
pub(super) fn rounds(term: &Term) -> usize {
    match term {
        Term::Value(Value::Range(from, to)) => usize::try_from(to.saturating_sub(*from)).unwrap_or(0),
        Term::Value(Value::List(items)) => items.len(),
        Term::Value(Value::Map(map)) => map.len(),
        Term::List(items) => items.len(),
        Term::Map(map) => map.len(),
        _no_loop => 0,
    }
}

fn weigh(term: &Term, left: &mut u64) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    if matches!(term, Term::Map(_) | Term::Record(_) | Term::Variant(..)) {
        *left = left.saturating_sub(TREE);
    }
    match term {
        Term::Value(value) => weigh_value(value, left),
        Term::List(items) => items.iter().for_each(|t| weigh(t, left)),
        Term::Map(map) => map.values().for_each(|t| weigh(t, left)),
        Term::Record(fields) | Term::Variant(_, fields) => fields.values().for_each(|t| weigh(t, left)),
        // Shared, not copied.
        Term::Output(..) | Term::Secret(_) | Term::Call(..) | Term::If(..) | Term::Lambda { .. } | Term::Var(_) => {}
    }
}

fn weigh_value(value: &Value, left: &mut u64) {
    let mut inside = |value: &Value| {
        if *left > 0 {
            *left -= 1;
            weigh_value(value, left);
        }
    };
    match value {
        Value::List(items) => items.iter().for_each(inside),
        Value::Map(map) => map.values().for_each(inside),
        Value::Record(fields) | Value::Variant(_, fields) => fields.values().for_each(inside),
        Value::Secret(value) => inside(value),
        _leaf => {}
    }
    let is_tree = match value {
        Value::Map(map) => !map.is_empty(),
        Value::Record(fields) | Value::Variant(_, fields) => !fields.is_empty(),
        _flat => false,
    };
    if is_tree {
        *left = left.saturating_sub(TREE);
    }
}

/// Bytes of the texts in a term, keys left out.
pub(super) fn text(term: &Term) -> usize {
    match term {
        Term::Value(value) => text_of(value),
        Term::List(items) => items.iter().map(text).sum(),
        Term::Map(map) => map.values().map(text).sum(),
        Term::Record(fields) | Term::Variant(_, fields) => fields.values().map(text).sum(),
        _shared => 0,
    }
}

fn text_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(text_of).sum(),
        Value::Map(map) => map.iter().map(|(Key(key), value)| key.len() + text_of(value)).sum(),
        Value::Record(fields) | Value::Variant(_, fields) => fields.values().map(text_of).sum(),
        Value::Secret(inner) => text_of(inner),
        _leaf => 0,
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

    #[test]
    fn weights_count_to_the_limit() {
        let ten = Value::List(vec![Value::Int(1); 10]);
        let term = Term::Value(Value::List(vec![ten; 10]));
        assert_eq!(weight(&term, 1000), 111);
        assert_eq!(weight(&term, 50), 50);
        assert_eq!(weight(&Term::Value(Value::Range(0, 1 << 40)), 1000), 1);
        assert_eq!(walked(&Term::Value(Value::Range(0, 1 << 40)), 1000), 1000);
        assert_eq!(text(&Term::Value(Value::List(vec![Value::text("abc"); 3]))), 9);
    }
}
