//! `[for …]`, `{ for … }` and the heads of `for` nodes.

use super::expr::duplicate_key;
use super::trail::{Bound, Trail};
use super::{Evaluator, Result, UNKNOWN};
use crate::hir::{Expr, ForHead, LocalId};
use imm_ir::builtin::Builtin;
use imm_ir::reduce::shown;
use imm_ir::{Diagnostic, Key, Span, Term, Value, code};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One round of a loop whose source is known.
pub(super) struct Round {
    /// The key of a map; the text of a list's element.
    pub key: Key,
    /// What the loop's names stand for.
    pub key_term: Term,
    pub value: Term,
}

/// Rounds, made one by one: there may be a million.
pub(super) type Rounds<'t> = Box<dyn Iterator<Item = Round> + 't>;

impl Evaluator<'_> {
    /// The rounds of a loop in an expression. One over nodes pays with its nodes.
    fn paid_rounds<'t>(&mut self, source: &'t Term, span: Span) -> Result<Option<Rounds<'t>>> {
        self.spend(super::budget::walked(source, self.budget.left()).saturating_mul(3), span)?;
        Ok(Self::rounds(source))
    }

    /// The rounds of a loop before its filter; `None` when the source is not known.
    pub(super) fn rounds(source: &Term) -> Option<Rounds<'_>> {
        let by_position = |(n, value): (usize, Term)| {
            let key = value.known().map_or_else(|| n.to_string(), shown);
            let position = Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
            Round { key: Key::from(key), key_term: Term::Value(position), value }
        };
        let by_key = |key: &Key, value: Term| Round {
            key: key.clone(),
            key_term: Term::Value(Value::String(Arc::clone(&key.0))),
            value,
        };
        Some(match source {
            Term::Value(Value::List(items)) => {
                Box::new(items.iter().cloned().map(Term::Value).enumerate().map(by_position))
            }
            Term::List(items) => Box::new(items.iter().cloned().enumerate().map(by_position)),
            Term::Value(Value::Range(from, to)) => {
                Box::new((*from..*to).map(|n| Term::Value(Value::Int(n))).enumerate().map(by_position))
            }
            Term::Value(Value::Map(map)) => Box::new(map.iter().map(move |(k, v)| by_key(k, Term::Value(v.clone())))),
            Term::Map(map) => Box::new(map.iter().map(move |(k, v)| by_key(k, v.clone()))),
            _hole => return None,
        })
    }

    /// Binds the loop's names. Their trail is that of the source.
    pub(super) fn bind_round(&mut self, head: &ForHead, round: &Round, trail: &Arc<Trail>) {
        for (local, term) in [(head.key, &round.key_term), (head.value, &round.value)] {
            if let Some(local) = local {
                self.bind(local, Bound { term: Arc::new(term.clone()), trail: Arc::clone(trail) });
            }
        }
    }

    /// Whether the filter takes this round; `None` when that is not known.
    pub(super) fn takes(&mut self, head: &ForHead) -> Result<Option<bool>> {
        match &head.filter {
            None => Ok(Some(true)),
            Some(filter) => Ok(self.expr(filter)?.known().and_then(Value::as_bool)),
        }
    }

    pub(super) fn list_for(&mut self, head: &ForHead, value: &Expr, span: Span) -> Result<Arc<Term>> {
        let source = self.expr(&head.source)?;
        let Some(rounds) = self.paid_rounds(&source, head.source.span)? else {
            return self.late_loop(head, Arc::clone(&source), value, None, span);
        };
        let trail = Arc::default();
        let mut items = Vec::new();
        for round in rounds {
            self.bind_round(head, &round, &trail);
            self.budget.round(value.span);
            match self.takes(head)? {
                Some(true) => items.push(self.owned(value)?),
                Some(false) => {}
                None => return self.late_loop(head, Arc::clone(&source), value, None, span),
            }
        }
        Ok(Arc::new(Term::list(items)))
    }

    pub(super) fn map_for(&mut self, head: &ForHead, key: &Expr, value: &Expr, span: Span) -> Result<Arc<Term>> {
        let source = self.expr(&head.source)?;
        let Some(rounds) = self.paid_rounds(&source, head.source.span)? else {
            return self.late_loop(head, Arc::clone(&source), value, Some(key), span);
        };
        let trail = Arc::default();
        let mut map = BTreeMap::new();
        for round in rounds {
            self.bind_round(head, &round, &trail);
            self.budget.round(value.span);
            match self.takes(head)? {
                Some(true) => {}
                Some(false) => continue,
                None => return self.late_loop(head, Arc::clone(&source), value, Some(key), span),
            }
            let Some(text) = self.key(key)? else { return Ok(Arc::new(UNKNOWN)) };
            let term = self.owned(value)?;
            if map.insert(text.clone(), term).is_some() {
                return Err(self.fail(duplicate_key(&text, key.span)));
            }
        }
        Ok(Arc::new(Term::map(map)))
    }

    /// A loop over a list or map that is known only after create becomes `map` and `filter` of it.
    fn late_loop(
        &mut self,
        head: &ForHead,
        source: Arc<Term>,
        value: &Expr,
        key: Option<&Expr>,
        span: Span,
    ) -> Result<Arc<Term>> {
        if matches!(source.as_ref(), Term::Var(n) if *n == u32::MAX) {
            return Ok(Arc::new(UNKNOWN));
        }
        let over_map = matches!(super::expr::bare(&head.source.ty), imm_ir::Type::Map(_));
        let params: Vec<LocalId> = match (over_map, head.key, head.value) {
            (true, Some(key), Some(value)) => vec![key, value],
            (true, None, Some(value)) | (false, None, Some(value)) => vec![value],
            (false, None, None) => Vec::new(),
            (true, _, None) | (false, Some(_), _) => {
                let message = "this loop needs keys or positions of something known only after create";
                return Err(self.fail(
                    Diagnostic::error(code::COUNT_NOT_KNOWN, head.source.span, message)
                        .help("walk the values with one name, or walk something known"),
                ));
            }
        };
        let method = |name: &str| Builtin::Method(Arc::from(name));
        let mut chain = source;
        if let Some(filter) = &head.filter {
            let test = Arc::new(self.lambda(&params, filter)?);
            chain = self.apply(&method("filter"), vec![chain, test], span)?;
        }
        let made = match key {
            None => self.lambda(&params, value)?,
            Some(key) => {
                let Term::Lambda { first, arity, body: value } = self.lambda(&params, value)? else {
                    return Ok(Arc::new(UNKNOWN));
                };
                let Term::Lambda { body: key, .. } = self.lambda(&params, key)? else { return Ok(Arc::new(UNKNOWN)) };
                let pair = [(Arc::from("first"), (*key).clone()), (Arc::from("second"), (*value).clone())];
                Term::Lambda { first, arity, body: Arc::new(Term::record(pair.into())) }
            }
        };
        chain = self.apply(&method("map"), vec![chain, Arc::new(made)], span)?;
        if over_map {
            chain = self.apply(&method("values"), vec![chain], span)?;
        }
        if key.is_some() {
            chain = self.apply(&method("from_pairs"), vec![chain], span)?;
        }
        Ok(chain)
    }
}
