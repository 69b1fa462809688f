//! The one reducer of terms: the compiler folds with it while it evaluates, the runtime fills holes with it.
//!
//! - [`apply`] applies a builtin to terms and folds as far as what is known allows. It knows no less than the types
//!   promise: the keys of a map with holes are known.
//! - [`reduce`] fills holes and folds what became known; [`call`] applies a lambda.
//!
//! Guarantees: total and pure; arithmetic is checked; a secret in, a secret out; what it cannot do is a [`ReduceError`]
//! and never a panic. A branch that an unknown condition guards is never an error before the condition is known.
//!
//! Read `operator` for signs, then a file a receiver: `text`, `list`, `map`, `number`; `function` for standard modules.

mod construct;
mod error;
mod function;
mod list;
mod map;
mod number;
mod operator;
#[cfg(test)]
mod tests;
mod text;

pub use error::{Problem, ReduceError};
pub use text::shown;

use crate::builtin::Builtin;
use crate::{Addr, Term, Value};
use std::sync::Arc;

/// Nesting deeper than this is refused instead of risking the stack.
pub const DEPTH: usize = 200;
/// Steps that one call of [`reduce`] or [`apply`] may take.
const STEPS: u64 = 20_000_000;
/// Most elements that one builtin may make.
pub(crate) const ELEMENTS: usize = 1_000_000;
/// Most bytes of one text.
pub(crate) const TEXT: usize = 16 << 20;

type Result<T> = std::result::Result<T, ReduceError>;

/// Fills the holes that `fill` knows and folds what became known.
///
/// # Errors
/// What a builtin could not do with the values that were filled in.
pub fn reduce(term: &Term, fill: &dyn Fn(&Addr, &str) -> Option<Value>) -> Result<Term> {
    Reducer::new(fill).term(term, Mode::Strict)
}

/// Applies a lambda to arguments.
///
/// # Errors
/// What a builtin in its body could not do.
pub fn call(lambda: &Term, args: &[Term]) -> Result<Term> {
    Reducer::new(&|_, _| None).call(lambda, args)
}

/// Applies a builtin; folds when enough is known, and is a [`Term::Call`] otherwise. Calling a method that the value
/// does not have is [`Problem::Mismatch`]: the checker refuses such programs.
///
/// # Errors
/// What the builtin could not do with these values.
pub fn apply(builtin: &Builtin, args: Vec<Arc<Term>>) -> Result<Term> {
    Reducer::new(&|_, _| None).apply(builtin, args)
}

/// Calls a lambda with arguments.
pub type Caller<'c> = dyn FnMut(&Term, &[Term]) -> Result<Term> + 'c;

/// As [`apply`], with lambdas called by `call`: the compiler evaluates their bodies itself, where it knows their places.
///
/// # Errors
/// What the builtin or `call` could not do with these values.
pub fn apply_with(builtin: &Builtin, args: Vec<Arc<Term>>, call: &mut Caller<'_>) -> Result<Term> {
    let mut reducer = Reducer::new(&|_, _| None);
    reducer.caller = Some(call);
    reducer.apply(builtin, args)
}

/// `if`: picks a branch when the condition is known; a secret condition makes a secret.
pub fn branch(condition: Arc<Term>, then: Arc<Term>, otherwise: Arc<Term>) -> Term {
    match &*condition {
        Term::Value(Value::Secret(_)) => {
            branch(Arc::new(condition.as_ref().clone().revealed()), then, otherwise).into_secret()
        }
        Term::Value(value) => {
            let taken = if value.as_bool() == Some(true) { then } else { otherwise };
            Arc::unwrap_or_clone(taken)
        }
        Term::Secret(_) => Term::Secret(Arc::new(Term::If(condition, then, otherwise))),
        _hole => Term::If(condition, then, otherwise),
    }
}

/// A term without its outermost mark of secrecy. Whoever takes it off puts it back on what is made of it.
pub fn reveal(term: &Term) -> Term {
    term.clone().revealed()
}

/// What an error means where it happens.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// The error is reported.
    Strict,
    /// A condition that is not known guards this place: it stays unfolded, and the error waits for the condition.
    Guarded,
}

/// One reduction: holes, bound variables and what is left of the budget.
pub(crate) struct Reducer<'a> {
    fill: &'a dyn Fn(&Addr, &str) -> Option<Value>,
    caller: Option<&'a mut Caller<'a>>,
    bound: Vec<(u32, Term)>,
    steps: u64,
    depth: usize,
}

impl<'a> Reducer<'a> {
    fn new(fill: &'a dyn Fn(&Addr, &str) -> Option<Value>) -> Self {
        Self { fill, caller: None, bound: Vec::new(), steps: STEPS, depth: 0 }
    }

    fn term(&mut self, term: &Term, mode: Mode) -> Result<Term> {
        self.steps = self.steps.checked_sub(1).ok_or_else(ReduceError::budget)?;
        if self.depth >= DEPTH {
            return Err(ReduceError::budget());
        }
        self.depth += 1;
        let result = self.form(term, mode);
        self.depth -= 1;
        result
    }

    fn form(&mut self, term: &Term, mode: Mode) -> Result<Term> {
        Ok(match term {
            Term::Value(value) => Term::Value(value.clone()),
            Term::Output(addr, field) => match (self.fill)(addr, field) {
                Some(value) => Term::Value(value),
                None => term.clone(),
            },
            Term::Var(n) => {
                let bound = self.bound.iter().rev().find(|(m, _)| m == n);
                bound.map_or_else(|| term.clone(), |(_, value)| value.clone())
            }
            Term::List(items) => Term::list(items.iter().map(|t| self.term(t, mode)).collect::<Result<_>>()?),
            Term::Map(map) => {
                Term::map(map.iter().map(|(k, t)| Ok((k.clone(), self.term(t, mode)?))).collect::<Result<_>>()?)
            }
            Term::Record(fields) => {
                let fields = fields.iter().map(|(k, t)| Ok((Arc::clone(k), self.term(t, mode)?)));
                Term::record(fields.collect::<Result<_>>()?)
            }
            Term::Variant(tag, fields) => {
                let fields = fields.iter().map(|(k, t)| Ok((Arc::clone(k), self.term(t, mode)?)));
                Term::variant(Arc::clone(tag), fields.collect::<Result<_>>()?)
            }
            Term::Secret(inner) => self.term(inner, mode)?.into_secret(),
            Term::Call(builtin, args) => self.form_call(builtin, args, mode)?,
            Term::If(condition, then, otherwise) => self.form_if(condition, [then, otherwise], mode)?,
            Term::Lambda { first, arity, body } => {
                let body = Arc::new(self.term(body, Mode::Guarded)?);
                Term::Lambda { first: *first, arity: *arity, body }
            }
        })
    }

    fn form_if(&mut self, condition: &Term, [then, otherwise]: [&Term; 2], mode: Mode) -> Result<Term> {
        let condition = self.term(condition, mode)?;
        match condition.clone().revealed() {
            Term::Value(value) => {
                let taken = if value.as_bool() == Some(true) { then } else { otherwise };
                let taken = self.term(taken, mode)?;
                Ok(if condition.is_secret() { taken.into_secret() } else { taken })
            }
            _hole => {
                let then = self.term(then, Mode::Guarded)?;
                let otherwise = self.term(otherwise, Mode::Guarded)?;
                Ok(branch(Arc::new(condition), Arc::new(then), Arc::new(otherwise)))
            }
        }
    }

    fn form_call(&mut self, builtin: &Builtin, args: &[Arc<Term>], mode: Mode) -> Result<Term> {
        let mut reduced: Vec<Arc<Term>> = Vec::with_capacity(args.len());
        for (i, arg) in args.iter().enumerate() {
            // The right side of `&&`, `||` and `??` is guarded by the left one.
            let guarded = i > 0 && operator::is_lazy(builtin);
            if guarded && let Some(left) = reduced.first() {
                if let Some(decided) = operator::decided(builtin, left) {
                    return Ok(decided);
                }
                let open = !matches!(left.as_ref(), Term::Value(_));
                let arg = self.term(arg, if open { Mode::Guarded } else { mode })?;
                reduced.push(Arc::new(arg));
            } else {
                reduced.push(Arc::new(self.term(arg, mode)?));
            }
        }
        match mode {
            Mode::Strict => self.apply(builtin, reduced),
            Mode::Guarded => {
                let kept = reduced.clone();
                match self.apply(builtin, reduced) {
                    Err(error) if error.problem != Problem::Budget => Ok(Term::Call(builtin.clone(), kept)),
                    result => result,
                }
            }
        }
    }

    /// Applies a lambda.
    fn call(&mut self, lambda: &Term, args: &[Term]) -> Result<Term> {
        if let Some(caller) = &mut self.caller {
            return caller(lambda, args);
        }
        let Term::Lambda { first, arity, body } = lambda else {
            return Err(ReduceError::mismatch("a function is needed here"));
        };
        if args.len() != *arity as usize {
            return Err(ReduceError::mismatch(format!("a function of {} parameters is needed here", args.len())));
        }
        let before = self.bound.len();
        self.bound.extend((*first..).zip(args.iter().cloned()));
        let result = self.term(body, Mode::Strict);
        self.bound.truncate(before);
        result
    }

    fn apply(&mut self, builtin: &Builtin, args: Vec<Arc<Term>>) -> Result<Term> {
        self.steps = self.steps.checked_sub(1).ok_or_else(ReduceError::budget)?;
        if let Some(told) = operator::outermost(builtin, &args) {
            return Ok(told);
        }
        if let (true, Some(left)) = (operator::is_lazy(builtin), args.first())
            && let Some(decided) = operator::decided(builtin, left)
        {
            return Ok(decided);
        }
        let declassifies = matches!(builtin, Builtin::Function(name) if &**name == "secret.fingerprint");
        if args.iter().any(|arg| arg.is_secret()) {
            let plain: Vec<_> = args.iter().map(|arg| Arc::new(arg.as_ref().clone().revealed())).collect();
            return Ok(match self.apply(builtin, plain).map_err(ReduceError::hidden)? {
                // The arguments keep their marks, so that a plan that shows them shows no secret.
                Term::Call(..) => {
                    let call = Term::Call(builtin.clone(), args);
                    if declassifies { call } else { Term::Secret(Arc::new(call)) }
                }
                folded if declassifies => folded,
                folded => folded.into_secret(),
            });
        }
        if let (Builtin::Field(name), [base]) = (builtin, args.as_slice())
            && let Term::Value(Value::Node(addr)) = base.as_ref()
        {
            return Ok(match (self.fill)(addr, name) {
                Some(value) => Term::Value(value),
                None => Term::Output(addr.clone(), Arc::clone(name)),
            });
        }
        if let Some(folded) = self.structural(builtin, &args)? {
            return Ok(folded);
        }
        let mut values = Vec::with_capacity(args.len());
        for arg in &args {
            match arg.as_ref() {
                Term::Value(value) => values.push(value),
                _hole => return Ok(Term::Call(builtin.clone(), args)),
            }
        }
        if values.iter().any(|value| value.has_secret()) {
            let plain: Vec<Value> = values.into_iter().map(Value::declassified).collect();
            let plain: Vec<&Value> = plain.iter().collect();
            let known = known(builtin, &plain).map_err(ReduceError::hidden)?;
            return Ok(Term::Value(known.into_secret()));
        }
        known(builtin, &values).map(Term::Value)
    }

    /// Builtins that look at the structure of their arguments and not into the elements: they fold although elements
    /// have holes or are secret.
    fn structural(&mut self, builtin: &Builtin, args: &[Arc<Term>]) -> Result<Option<Term>> {
        match builtin {
            Builtin::Field(_) | Builtin::Is(_) | Builtin::Operator(_) => operator::structural(builtin, args),
            Builtin::Method(name) => {
                if let Some(folded) = list::structural(self, name, args)? {
                    return Ok(Some(folded));
                }
                map::structural(self, name, args)
            }
            Builtin::Concat | Builtin::Function(_) => Ok(None),
        }
    }
}

/// Builtins over values without secrets.
fn known(builtin: &Builtin, args: &[&Value]) -> Result<Value> {
    match builtin {
        Builtin::Concat => text::concat(args),
        Builtin::Operator(sign) => operator::known(sign, args),
        Builtin::Method(name) => match args.first() {
            Some(Value::String(receiver)) => text::method(name, receiver, args),
            Some(Value::List(_) | Value::Range(..)) => list::method(name, args),
            Some(receiver) => number::method(name, receiver, args),
            None => Err(ReduceError::mismatch(format!("`{name}` needs a receiver"))),
        },
        Builtin::Function(name) => function::known(name, args),
        Builtin::Field(name) => Err(ReduceError::mismatch(format!("there is no field `{name}` here"))),
        Builtin::Is(tag) => Err(ReduceError::mismatch(format!("a variant is needed to match `{tag}`"))),
    }
}
