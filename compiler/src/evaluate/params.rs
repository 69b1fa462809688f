//! Params: which value each has, who set it, and whether it is allowed.

use super::content::{short, term_digest, value_digest};
use super::trail::{Bound, Trail};
use super::{Evaluator, Purpose, Result, UNKNOWN, json, literal};
use crate::hir::{Environment, LetId, Param, ParamId};
use imm_ir::{Cause, CauseKind, Diagnostic, ParamFrom, SourceFile, Span, Term, Type, Value, code};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value given to a param from outside.
#[derive(Clone, Debug)]
pub struct Given {
    /// The value in one of its forms.
    pub value: GivenValue,
    /// Who set it.
    pub from: ParamFrom,
}

/// The forms in which a value can be given.
#[derive(Clone, Debug)]
pub enum GivenValue {
    /// `--param`, `IMM_PARAM_…`: a String as it is, anything else as an imm literal.
    Text(String),
    /// `--param-file` and a hidden prompt: as [`GivenValue::Text`], and secrets are taken too.
    File(String),
    /// An entry of a `--params` file.
    Json(serde_json::Value),
    /// A value of the right type: a recorded generation, a test.
    Value(Value),
}

/// A param of the root module and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedParam {
    /// Its name.
    pub name: Arc<str>,
    /// Its value; secrets are marked.
    pub value: Value,
    /// Who set it.
    pub from: ParamFrom,
}

/// What a read of a param records, without the place.
#[derive(Clone, Debug)]
pub(super) struct ParamCause {
    kind: CauseKind,
    digest: imm_ir::Digest,
}

impl Evaluator<'_> {
    /// A let that needs no instance.
    pub(super) fn constant(&mut self, id: LetId) {
        let module = self.module;
        let Some(binding) = module.binding(id) else { return };
        match self.bound(&binding.value) {
            Ok(bound) => {
                let bytes = if Arc::strong_count(&bound.term) == 1 { super::budget::bytes(&bound.term) } else { 0 };
                if let Err(exceeded) = self.budget.keep(bytes, binding.value.span) {
                    return self.report(self.fail(*exceeded));
                }
                let bound = self.named(&binding.name, binding.name_span, binding.value.span, bound);
                self.scopes.here_mut().lets.insert(id, bound);
            }
            Err(failed) => self.report(failed),
        }
    }

    /// What has a name is itself a cause of what it goes into: an edit of it has no other.
    pub(super) fn named(&mut self, name: &Arc<str>, span: Span, value: Span, bound: Bound) -> Bound {
        if self.purpose == Purpose::Check {
            return bound;
        }
        let digest = term_digest(&bound.term);
        let what =
            CauseKind::Let { name: Arc::clone(name), written: self.written(value), through: bound.trail.nearest() };
        let cause = Cause { what, loc: self.loc(span), digest };
        Bound { term: bound.term, trail: Trail::of_name(cause, &bound.trail) }
    }

    /// Reads a param; one of the root module is a cause of whatever is being evaluated.
    pub(super) fn param(&mut self, id: ParamId, span: Span) -> Arc<Term> {
        if self.purpose == Purpose::Plan
            && let Some(cause) = self.param_causes.get(&id).cloned()
        {
            self.cause(|e| Cause { what: cause.kind, loc: e.loc(span), digest: cause.digest });
        }
        let bound = self.scopes.param(id).cloned();
        self.read(bound)
    }

    /// Takes the values given to the root module's params; defaults follow where the program puts them. A param with a
    /// wrong value or none is not known: what depends on it is no second mistake.
    pub(super) fn root_params(&mut self, given: &BTreeMap<Arc<str>, Given>, environment: Option<&Environment>) {
        let module = self.module;
        let params: Vec<(ParamId, &Param)> =
            module.root.params.iter().filter_map(|id| Some((*id, module.param(*id)?))).collect();
        for (name, given) in given {
            if !params.iter().any(|(_, param)| param.name == *name) {
                self.unknown_param(name, given, params.iter().map(|(_, param)| &*param.name));
            }
        }
        for (id, param) in params {
            let set = environment.and_then(|e| e.params.iter().find(|(set, _)| *set == id));
            if let Some(given) = given.get(&param.name) {
                match self.given_value(param, given) {
                    Ok(value) => self.set_param(id, param, value, given.from, Trail::default()),
                    Err(failed) => self.unknown_value(id, failed),
                }
            } else if let Some((_, value)) = set {
                match self.default_value(param, value) {
                    Ok((value, trail)) => self.set_param(id, param, value, ParamFrom::Environment, trail),
                    Err(failed) => self.unknown_value(id, failed),
                }
            } else if param.default.is_none() {
                if matches!(param.ty, Type::Option(_)) {
                    let none = Term::Value(Value::None);
                    self.set_param(id, param, none, ParamFrom::Default, Trail::default());
                } else if self.purpose == Purpose::Plan {
                    self.unknown_value(id, Box::new(missing(param)));
                } else {
                    self.scopes.here_mut().params.insert(id, Bound::plain(UNKNOWN));
                }
            }
        }
    }

    fn unknown_value(&mut self, id: ParamId, failed: super::Failed) {
        self.report(failed);
        self.scopes.here_mut().params.insert(id, Bound::plain(UNKNOWN));
    }

    /// The default of a param that has no value yet.
    pub(super) fn param_default(&mut self, id: ParamId) {
        let module = self.module;
        let Some(param) = module.param(id) else { return };
        if self.scopes.here().params.contains_key(&id) {
            return;
        }
        let Some(default) = &param.default else {
            self.scopes.here_mut().params.insert(id, Bound::plain(Term::Value(Value::None)));
            return;
        };
        match self.default_value(param, default) {
            Ok((value, trail)) if param.owner.is_none() => {
                self.set_param(id, param, value, ParamFrom::Default, trail);
            }
            Ok((value, trail)) => _ = self.scopes.here_mut().params.insert(id, Bound::new(value, trail)),
            Err(failed) => self.unknown_value(id, failed),
        }
    }

    pub(super) fn default_value(&mut self, param: &Param, expr: &crate::hir::Expr) -> Result<(Term, Trail)> {
        let outer = self.rejecting.replace(Arc::clone(&param.name));
        let result = self.bound_with(|e| {
            let term = e.expr(expr)?;
            e.coerce(term, &param.ty, expr.span)
        });
        self.rejecting = outer;
        result.map(|(term, trail)| (Arc::unwrap_or_clone(term), trail))
    }

    fn set_param(&mut self, id: ParamId, param: &Param, term: Term, from: ParamFrom, trail: Trail) {
        if let Some(value) = term.known() {
            let shown = if value.has_secret() { "[secret]".to_owned() } else { short(value) };
            let kind = CauseKind::Param { name: Arc::clone(&param.name), from, shown: Arc::from(shown) };
            self.param_causes.insert(id, ParamCause { kind, digest: value_digest(value) });
            self.params.push(ResolvedParam { name: Arc::clone(&param.name), value: value.clone(), from });
        }
        self.scopes.here_mut().params.insert(id, Bound::new(term, trail));
    }

    /// A given value, converted to the param's type and checked.
    fn given_value(&mut self, param: &Param, given: &Given) -> Result<Term> {
        let secret = is_secret(&param.ty);
        let (value, span) = match &given.value {
            GivenValue::Value(value) => (value.clone(), self.given_span(param, given, "")),
            GivenValue::Json(json) => {
                let shown = if secret { "[secret]".to_owned() } else { json.to_string() };
                let span = self.given_span(param, given, &shown);
                let value = json::value(json, &param.ty, "").map_err(|message| {
                    self.fail(rejected(param, span, &format!("its value in the params file does not fit: {message}")))
                })?;
                (value, span)
            }
            GivenValue::Text(_) if secret && given.from == ParamFrom::CommandLine => {
                let span = self.given_span(param, given, "[secret]");
                let name = &param.name;
                return Err(self.fail(rejected(param, span, "it is secret, and command lines are not").help(format!(
                    "use --param-file {name}=PATH, or the variable IMM_PARAM_{}",
                    name.to_uppercase()
                ))));
            }
            GivenValue::Text(text) | GivenValue::File(text) => {
                let shown = if secret { "[secret]" } else { text.as_str() };
                let span = self.given_span(param, given, shown);
                (self.given_text(param, text, span, secret)?, span)
            }
        };
        let outer = self.rejecting.replace(Arc::clone(&param.name));
        let result = self.coerce(Arc::new(Term::Value(value)), &param.ty, span);
        self.rejecting = outer;
        result.map(Arc::unwrap_or_clone).map_err(|mut failed| {
            failed.labels.push(imm_ir::Label { span: param.span, text: "declared here".to_owned() });
            failed
        })
    }

    fn given_text(&mut self, param: &Param, text: &str, span: Span, secret: bool) -> Result<Value> {
        if is_text(&param.ty) {
            return Ok(Value::text(text));
        }
        let (literal, broken) = imm_syntax::parse_expr(span.file, text);
        let result = match broken.first() {
            Some(broken) => Err((broken.span(), broken.message.clone(), broken.helps.first().cloned())),
            None => literal::value(&literal, &param.ty).map_err(|u| (u.span, u.message, u.help)),
        };
        result.map_err(|(at, message, help)| {
            if secret {
                return self.fail(rejected(param, span, "the secret value does not fit its type"));
            }
            let diagnostic = rejected(param, at, &message);
            self.fail(match help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            })
        })
    }

    /// A source that shows what was given, so that diagnostics can point into it.
    fn given_span(&mut self, param: &Param, given: &Given, text: &str) -> Span {
        let name = match given.from {
            ParamFrom::CommandLine => format!("--param {}", param.name),
            ParamFrom::Variable => format!("IMM_PARAM_{}", param.name.to_uppercase()),
            ParamFrom::ParamsFile => format!("--params {}", param.name),
            ParamFrom::Default | ParamFrom::Environment | ParamFrom::Given => format!("given {}", param.name),
        };
        let file = self.sources.add(SourceFile::new(name, text));
        Span::new(file, 0, text.len())
    }

    fn unknown_param<'n>(&mut self, name: &str, given: &Given, known: impl Iterator<Item = &'n str>) {
        // A variable may belong to another program.
        if given.from == ParamFrom::Variable {
            return;
        }
        let known: Vec<&str> = known.collect();
        let file = self.sources.add(SourceFile::new(format!("--param {name}"), name));
        let span = Span::new(file, 0, name.len());
        let diagnostic = Diagnostic::error(code::UNKNOWN_NAME, span, format!("there is no param `{name}`"));
        let near = crate::sources::path::nearest(name, known.iter().copied());
        self.diagnostics.push(match (near.first(), known.is_empty()) {
            (Some(near), _) => diagnostic.help(format!("did you mean `{near}`?")),
            (None, true) => diagnostic.help("this program has no params"),
            (None, false) => diagnostic.help(format!("there are {}", known.join(", "))),
        });
    }
}

fn rejected(param: &Param, span: Span, why: &str) -> Diagnostic {
    Diagnostic::error(code::PARAM_REJECTED, span, format!("param `{}` cannot have this value: {why}", param.name))
        .label("given here")
        .also(param.span, "declared here")
}

fn missing(param: &Param) -> Diagnostic {
    let name = &param.name;
    let variable = format!("IMM_PARAM_{}", name.to_uppercase());
    let help = if is_secret(&param.ty) {
        format!("give it with --param-file {name}=PATH, or in the variable {variable}")
    } else {
        let value = literal::example(&param.ty).unwrap_or_else(|| "VALUE".to_owned());
        let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
        let value = if plain { value } else { format!("'{value}'") };
        format!("give it with --param {name}={value}, or in the variable {variable}")
    };
    Diagnostic::error(code::MISSING_PARAM, param.name_span, format!("param `{name}` has no value"))
        .label(format!("`{}` without default", param.ty))
        .help(help)
}

/// Whether some part of a value of this type is secret.
pub fn is_secret(ty: &Type) -> bool {
    match ty {
        Type::Secret(_) => true,
        Type::Late(inner) | Type::Option(inner) | Type::List(inner) | Type::Map(inner) => is_secret(inner),
        Type::Refined(refined) => is_secret(&refined.base),
        Type::Record(record) => record.fields.iter().any(|field| is_secret(&field.ty)),
        Type::Variant(variant) => {
            variant.variants.iter().any(|case| case.payload.fields.iter().any(|field| is_secret(&field.ty)))
        }
        _plain => false,
    }
}

/// Whether a text is taken as it is.
fn is_text(ty: &Type) -> bool {
    match super::expr::bare(ty) {
        Type::String | Type::Content => true,
        Type::Option(inner) => is_text(inner),
        _other => false,
    }
}
