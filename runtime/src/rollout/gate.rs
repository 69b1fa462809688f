//! A gate: a condition over what the new and the old targets of a pointer met in the same window.
//!
//! Three-valued: what cannot be told from as few requests is unknown, and the gate says no or yes only where that decides
//! whatever the unknown turns out to be. So a crash is seen at once and an error rate is not guessed from three requests.

use super::sample::{Sample, Samples};
use crate::entry::Verdict;
use imm_ir::builtin::Builtin;
use imm_ir::reduce::{self, ReduceError};
use imm_ir::{Addr, Fields, Term, Value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a program asks of a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// A lambda of two samples.
    pub condition: Term,
    /// A side with fewer requests tells nothing of its errors and latencies.
    pub min_requests: u64,
    /// How long too few requests are waited for, after the hold, milliseconds.
    pub wait_ms: u64,
}

/// What a gate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It holds.
    Pass,
    /// It does not hold; why.
    Fail(String),
    /// It cannot be told yet; what is missing.
    Unknown(String),
}

impl Judgement {
    /// As it is recorded: the verdict, and why or what is missing; empty where it holds.
    pub fn into_verdict(self) -> (Verdict, String) {
        match self {
            Self::Pass => (Verdict::Pass, String::new()),
            Self::Fail(why) => (Verdict::Fail, why),
            Self::Unknown(what) => (Verdict::Inconclusive, what),
        }
    }
}

/// Fields that mean something only with enough requests.
const COUNTED: [&str; 4] = ["errors", "p50", "p90", "p99"];

/// Judges a window.
pub fn judge(gate: &Gate, new: &Sample, old: &Sample) -> Judgement {
    judge_samples(gate, &new.samples(), &old.samples())
}

/// Judges what a person wrote down.
pub fn judge_samples(gate: &Gate, new: &Samples, old: &Samples) -> Judgement {
    match decide(gate, new, old) {
        Ok(Some(true)) => Judgement::Pass,
        Ok(Some(false)) => Judgement::Fail(super::words::why(&gate.condition, new, old, &|part| {
            let part = Term::Lambda { first: first(&gate.condition), arity: 2, body: Arc::clone(part) };
            matches!(decide(&Gate { condition: part, ..gate.clone() }, new, old), Ok(Some(false)))
        })),
        Ok(None) => Judgement::Unknown(missing(gate, new, old)),
        Err(error) => Judgement::Fail(format!("it cannot be computed: {}", error.message)),
    }
}

/// Whether a window fails beyond what chance may do: even the best that the new side may be, next to the worst that the
/// old one may be, does not hold. Such a one need not be waited for.
pub fn hopeless(gate: &Gate, new: &Sample, old: &Sample) -> bool {
    let no = |new: &Samples, old: &Samples| matches!(decide(gate, new, old), Ok(Some(false)));
    no(&new.samples(), &old.samples()) && no(&new.at_best(), &old.at_worst())
}

fn decide(gate: &Gate, new: &Samples, old: &Samples) -> Result<Option<bool>, ReduceError> {
    let sides = [side("new", new, gate.min_requests), side("old", old, gate.min_requests)];
    Ok(truth(&reduce::call(&gate.condition, &sides)?))
}

/// A side as the gate's argument, with holes where too little was seen.
fn side(name: &str, samples: &Samples, min_requests: u64) -> Term {
    let enough = samples.requests >= min_requests.max(1);
    let field = |(field, value): (Arc<str>, Value)| {
        let hole = !enough && COUNTED.contains(&&*field);
        let term = if hole { Term::Output(Addr::root(name), Arc::clone(&field)) } else { Term::Value(value) };
        (field, term)
    };
    Term::record(samples.value().into_iter().map(field).collect::<Fields<Term>>())
}

/// What a condition with holes comes to whatever fills them.
fn truth(term: &Term) -> Option<bool> {
    match term {
        Term::Value(value) => value.as_bool(),
        Term::Call(Builtin::Operator(sign), args) => {
            let mut sides = args.iter().map(|arg| truth(arg));
            match (&**sign, sides.next().flatten(), sides.next().flatten()) {
                ("&&", Some(false), _) | ("&&", _, Some(false)) => Some(false),
                ("&&", Some(true), Some(true)) => Some(true),
                ("||", Some(true), _) | ("||", _, Some(true)) => Some(true),
                ("||", Some(false), Some(false)) => Some(false),
                ("!", Some(one), _) => Some(!one),
                _open => None,
            }
        }
        Term::If(condition, then, otherwise) => match truth(condition) {
            Some(true) => truth(then),
            Some(false) => truth(otherwise),
            None => truth(then).filter(|one| truth(otherwise) == Some(*one)),
        },
        _hole => None,
    }
}

fn missing(gate: &Gate, new: &Samples, old: &Samples) -> String {
    let few = |name: &str, side: &Samples| {
        let least = gate.min_requests.max(1);
        (side.requests < least).then(|| {
            let requests = if side.requests == 1 { "request" } else { "requests" };
            format!("the {name} side had {} {requests}, and {least} are needed", side.requests)
        })
    };
    let few: Vec<String> = few("new", new).into_iter().chain(few("old", old)).collect();
    few.join("; ")
}

fn first(condition: &Term) -> u32 {
    match condition {
        Term::Lambda { first, .. } => *first,
        _other => 0,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn field(side: u32, name: &str) -> Arc<Term> {
        Arc::new(Term::Call(Builtin::Field(Arc::from(name)), vec![Arc::new(Term::Var(side))]))
    }

    fn op(sign: &str, left: Arc<Term>, right: Arc<Term>) -> Arc<Term> {
        Arc::new(Term::Call(Builtin::Operator(Arc::from(sign)), vec![left, right]))
    }

    fn known(value: Value) -> Arc<Term> {
        Arc::new(Term::Value(value))
    }

    /// `(new, old) => new.errors <= old.errors + 1% && new.p99 < 250ms && new.restarts == 0`
    pub(in super::super) fn usual() -> Gate {
        let errors = op("<=", field(0, "errors"), op("+", field(1, "errors"), known(Value::Ratio(10_000))));
        let latency = op("<", field(0, "p99"), known(Value::Duration(250)));
        let restarts = op("==", field(0, "restarts"), known(Value::Int(0)));
        let body = op("&&", op("&&", errors, latency), restarts);
        Gate { condition: Term::Lambda { first: 0, arity: 2, body }, min_requests: 100, wait_ms: 1000 }
    }

    fn samples(requests: u64, errors: u64, p99: u64) -> Samples {
        Samples { requests, errors, p99, ..Samples::default() }
    }

    #[test]
    fn enough_requests_decide() {
        let old = samples(900, 1000, 40);
        assert_eq!(judge_samples(&usual(), &samples(100, 11_000, 249), &old), Judgement::Pass);
        let Judgement::Fail(why) = judge_samples(&usual(), &samples(100, 50_000, 40), &old) else { panic!() };
        assert_eq!(why, "new.errors <= old.errors + 1% does not hold: new.errors is 5%, old.errors is 0.1%");
        let Judgement::Fail(why) = judge_samples(&usual(), &samples(100, 0, 250), &old) else { panic!() };
        assert_eq!(why, "new.p99 < 250ms does not hold: new.p99 is 250ms");
    }

    #[test]
    fn few_requests_tell_nothing_but_crashes() {
        let (few, old) = (samples(3, 333_333, 40), samples(900, 0, 40));
        let Judgement::Unknown(why) = judge_samples(&usual(), &few, &old) else { panic!() };
        assert_eq!(why, "the new side had 3 requests, and 100 are needed");
        let crashed = Samples { restarts: 1, ..few };
        let Judgement::Fail(why) = judge_samples(&usual(), &crashed, &old) else { panic!() };
        assert_eq!(why, "new.restarts == 0 does not hold: new.restarts is 1");
        assert!(matches!(judge_samples(&usual(), &samples(100, 0, 9), &samples(0, 0, 0)), Judgement::Unknown(_)));
    }

    #[test]
    fn only_what_chance_cannot_do_is_hopeless() {
        let old = samples(9000, 1000, 40).sample();
        assert!(!hopeless(&usual(), &samples(100, 50_000, 40).sample(), &old), "five of a hundred may be chance");
        assert!(hopeless(&usual(), &samples(2000, 50_000, 40).sample(), &old));
        assert!(hopeless(&usual(), &samples(100, 500_000, 40).sample(), &old));
        assert!(!hopeless(&usual(), &samples(9000, 0, 40).sample(), &old));
    }

    #[test]
    fn what_cannot_be_computed_fails() {
        let ratio = op("/", field(0, "p99"), field(1, "p99"));
        let body = op("<", ratio, known(Value::Float(1.5)));
        let gate = Gate { condition: Term::Lambda { first: 0, arity: 2, body }, ..usual() };
        let none = Samples { requests: 200, ..Samples::default() };
        assert!(
            matches!(judge_samples(&gate, &samples(100, 0, 9), &none), Judgement::Fail(why) if why.contains("cannot be computed"))
        );
    }
}
