//! Making a value fit a type: refinements, Int as Float, String as Content, marks of secrecy, fields left out.

use super::content::short;
use super::trail::Bound;
use super::{Evaluator, Result};
use crate::hir::{Predicate, Refinement, predicate_of};
use imm_ir::reduce::call;
use imm_ir::{Assert, Blob, Content, Diagnostic, FieldType, Fields, RefinedType, Span, Term, Type, Value, code};
use std::sync::Arc;

impl Evaluator<'_> {
    /// Makes a term fit a type; `span` is what was written.
    pub(super) fn coerce(&mut self, term: Arc<Term>, ty: &Type, span: Span) -> Result<Arc<Term>> {
        if !changes(ty) {
            return Ok(term);
        }
        match ty {
            Type::Late(inner) => self.coerce(term, inner, span),
            Type::Option(_) if term.known() == Some(&Value::None) => Ok(term),
            Type::Option(inner) => self.coerce(term, inner, span),
            Type::Refined(refined) => {
                let term = self.coerce(term, &refined.base, span)?;
                self.refine(&term, refined, span)?;
                Ok(term)
            }
            _may_be_made_anew => {
                let term = self.take(term, span)?;
                self.coerce_own(term, ty, span).map(Arc::new)
            }
        }
    }

    /// As [`Evaluator::coerce`], of a term that nothing else shares.
    pub(super) fn coerce_own(&mut self, term: Term, ty: &Type, span: Span) -> Result<Term> {
        if !changes(ty) {
            return Ok(term);
        }
        match ty {
            Type::Late(inner) => self.coerce_own(term, inner, span),
            Type::Option(inner) => {
                if term.known() == Some(&Value::None) {
                    Ok(term)
                } else {
                    self.coerce_own(term, inner, span)
                }
            }
            Type::Secret(inner) => {
                // A field that takes secrets makes none: what is plain stays readable in plans.
                let stays = self.sink && !term.is_secret();
                self.hidden += 1;
                let plain = self.coerce_own(if stays { term } else { imm_ir::reduce::reveal(&term) }, inner, span);
                self.hidden -= 1;
                if stays { plain } else { Ok(plain?.into_secret()) }
            }
            Type::Refined(refined) => {
                let term = self.coerce_own(term, &refined.base, span)?;
                self.refine(&term, refined, span)?;
                Ok(term)
            }
            Type::Float => Ok(match term.known() {
                Some(Value::Int(n)) => Term::Value(Value::Float(nearest(*n))),
                _float => term,
            }),
            Type::Content => Ok(match term.known() {
                Some(Value::String(text)) => {
                    let bytes = Arc::from(text.as_bytes());
                    Term::Value(Value::Content(Content::Bytes(Blob { bytes, executable: false })))
                }
                _content => term,
            }),
            Type::List(item) => Ok(match term {
                Term::Value(Value::List(items)) => {
                    let items = items.into_iter().map(|v| self.coerce_part(Term::Value(v), item, span));
                    Term::list(items.collect::<Result<_>>()?)
                }
                Term::List(items) => {
                    let items = items.into_iter().map(|t| self.coerce_part(t, item, span));
                    Term::list(items.collect::<Result<_>>()?)
                }
                hole => hole,
            }),
            Type::Map(item) => Ok(match term {
                Term::Value(Value::Map(map)) => {
                    let map = map.into_iter().map(|(k, v)| Ok((k, self.coerce_part(Term::Value(v), item, span)?)));
                    Term::map(map.collect::<Result<_>>()?)
                }
                Term::Map(map) => {
                    let map = map.into_iter().map(|(k, t)| Ok((k, self.coerce_part(t, item, span)?)));
                    Term::map(map.collect::<Result<_>>()?)
                }
                hole => hole,
            }),
            Type::Record(record) => Ok(match term {
                Term::Value(Value::Record(fields)) => {
                    Term::record(self.coerce_fields(opened(fields), &record.fields, span)?)
                }
                Term::Record(fields) => Term::record(self.coerce_fields(fields, &record.fields, span)?),
                hole => hole,
            }),
            Type::Variant(variant) => {
                let (tag, fields) = match term {
                    Term::Value(Value::Variant(tag, fields)) => (tag, opened(fields)),
                    Term::Variant(tag, fields) => (tag, fields),
                    hole => return Ok(hole),
                };
                let Some(case) = variant.case(&tag) else { return Ok(Term::variant(tag, fields)) };
                Ok(Term::variant(tag, self.coerce_fields(fields, &case.payload.fields, span)?))
            }
            _same => Ok(term),
        }
    }

    fn coerce_part(&mut self, term: Term, ty: &Type, span: Span) -> Result<Term> {
        self.spend(1, span)?;
        self.coerce_own(term, ty, span)
    }

    fn coerce_fields(&mut self, mut given: Fields<Term>, types: &[FieldType], span: Span) -> Result<Fields<Term>> {
        let mut fields = Fields::new();
        for field in types {
            let term = match given.remove(&field.name) {
                Some(term) => self.coerce_part(term, &field.ty, span)?,
                None => Term::Value(field.default.clone().unwrap_or(Value::None)),
            };
            fields.insert(Arc::clone(&field.name), term);
        }
        fields.extend(given);
        Ok(fields)
    }

    /// Checks a refinement: now when the value is known, before cut-over when it is not.
    fn refine(&mut self, term: &Term, refined: &RefinedType, span: Span) -> Result<()> {
        // Ports and the like repeat a thousandfold, and a condition depends on nothing but its value.
        let number = term.known().and_then(|value| Some((std::ptr::from_ref(refined).addr(), value.as_int()?)));
        if number.is_some_and(|number| self.holding.contains(&number)) {
            return Ok(());
        }
        let holds = self.holds(term, refined)?;
        match holds.known().and_then(Value::as_bool) {
            Some(true) => {
                self.holding.extend(number);
                Ok(())
            }
            Some(false) if self.guarded > 0 => Ok(()),
            Some(false) => {
                let value = term.known().filter(|value| self.hidden == 0 && !value.has_secret()).map(short);
                let shown = value.unwrap_or_else(|| "this secret".to_owned());
                let diagnostic = match &self.rejecting {
                    Some(param) => {
                        let message = format!("param `{param}` cannot be {shown}");
                        Diagnostic::error(code::PARAM_REJECTED, span, message)
                    }
                    None => Diagnostic::error(code::OUT_OF_RANGE, span, format!("{shown} is no {}", refined.name)),
                };
                let diagnostic = match predicate_of(self.module, refined) {
                    Predicate::Declared(Refinement { docs: Some(docs), .. }) => diagnostic.note(first_paragraph(docs)),
                    Predicate::Declared(_) | Predicate::Builtin(_) => diagnostic,
                };
                Err(self.fail(diagnostic.help(format!("it must hold: {}", refined.text))))
            }
            None if self.guarded > 0 || Self::is_inside_lambda(&holds) => Ok(()),
            None => {
                let loc = self.loc(span);
                let message = Arc::from(format!("this must be a {}: {}", refined.name, refined.text));
                self.graph.asserts.push(Assert { condition: (*holds).clone(), message, loc });
                Ok(())
            }
        }
    }

    /// A refinement's condition over a term.
    pub(super) fn holds(&mut self, term: &Term, refined: &RefinedType) -> Result<Arc<Term>> {
        match predicate_of(self.module, refined) {
            Predicate::Builtin(lambda) => match call(lambda, std::slice::from_ref(term)) {
                Ok(holds) => Ok(Arc::new(holds)),
                Err(error) => Err(self.failed_to_reduce(error, Span::default())),
            },
            Predicate::Declared(refinement) => {
                self.bind(refinement.it, Bound::plain(term.clone()));
                let (holds, _) = self.bound_with(|e| e.expr(&refinement.condition))?;
                Ok(holds)
            }
        }
    }
}

fn opened(fields: Fields<Value>) -> Fields<Term> {
    fields.into_iter().map(|(name, value)| (name, Term::Value(value))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "an Int where a Float is expected is the nearest Float")]
fn nearest(n: i64) -> f64 {
    n as f64
}

/// Whether a conversion to this type may change a value at all; most do not, and maps may be large.
fn changes(ty: &Type) -> bool {
    match ty {
        Type::Float | Type::Secret(_) | Type::Refined(_) | Type::Content | Type::Record(_) => true,
        Type::Variant(variant) => variant.variants.iter().any(|case| !case.payload.fields.is_empty()),
        Type::Late(inner) | Type::Option(inner) | Type::List(inner) | Type::Map(inner) => changes(inner),
        _same => false,
    }
}

/// Whether a conversion to this type may find a mistake.
pub(super) fn may_fail(ty: &Type) -> bool {
    let fields = |fields: &[FieldType]| fields.iter().any(|field| may_fail(&field.ty));
    match ty {
        Type::Refined(_) => true,
        Type::Record(record) => fields(&record.fields),
        Type::Variant(variant) => variant.variants.iter().any(|case| fields(&case.payload.fields)),
        Type::Late(inner) | Type::Secret(inner) | Type::Option(inner) | Type::List(inner) | Type::Map(inner) => {
            may_fail(inner)
        }
        _never => false,
    }
}

/// What documentation says first, in one line.
fn first_paragraph(docs: &str) -> String {
    docs.lines().map(str::trim).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
