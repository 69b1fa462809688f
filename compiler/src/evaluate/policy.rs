//! `environment NAME { … }`: which one is meant, and its settings as policy of the graph. The command line overrules them.

use super::{Evaluator, Result, literal};
use crate::check::setting_types;
use crate::hir::{Environment, Expr};
use imm_ir::{Diagnostic, Fields, Policy, SourceFile, Span, Value, code};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The environment that needs no declaration.
const LOCAL: &str = "local";

impl<'a> Evaluator<'a> {
    /// The environment of this name; the inner `None` is `local` without a declaration, the outer one an error.
    pub(super) fn environment(&mut self, name: &str) -> Option<Option<&'a Environment>> {
        let module = self.module;
        let found = module.environments.iter().find(|environment| &*environment.name == name);
        if found.is_some() || name == LOCAL {
            return Some(found);
        }
        let known: Vec<&str> = module.environments.iter().map(|e| &*e.name).chain([LOCAL]).collect();
        let message = format!("there is no environment `{name}`");
        // No place of the program is wrong: the word of the command line is.
        let file = self.sources.add(SourceFile::new(format!("--env {name}"), name));
        let span = Span::new(file, 0, name.len());
        let diagnostic = Diagnostic::error(code::UNKNOWN_NAME, span, message).label("not declared");
        self.diagnostics.push(match crate::sources::path::nearest(name, known.iter().copied()).first() {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if known.len() == 1 => diagnostic.help("this program declares none: only `local` is there"),
            None => diagnostic.help(format!("there are {}", known.join(", "))),
        });
        None
    }

    /// Takes the settings of an environment.
    pub(super) fn policy(&mut self, environment: &Environment) {
        for (name, expr) in &environment.settings {
            match self.setting(name, expr) {
                Ok(Some(value)) => take(&mut self.graph.policy, name, &value),
                Ok(None) => {}
                Err(failed) => self.report(failed),
            }
        }
    }

    /// Takes what was said of settings elsewhere, over what the environment says.
    pub(super) fn overruled(&mut self, settings: &BTreeMap<Arc<str>, String>) {
        for (name, text) in settings {
            let file = self.sources.add(SourceFile::new(format!("--{}", name.replace('_', "-")), text.as_str()));
            let span = Span::new(file, 0, text.len());
            match self.overruling(name, text, span) {
                Ok(value) => take(&mut self.graph.policy, name, &value),
                Err(failed) => self.report(failed),
            }
        }
    }

    fn overruling(&mut self, name: &str, text: &str, span: Span) -> Result<Value> {
        let Some((_, ty)) = setting_types().iter().find(|(known, _)| **known == *name && name != "params") else {
            let message = format!("there is no setting `{name}`");
            return Err(self.fail(Diagnostic::error(code::UNKNOWN_NAME, span, message)));
        };
        let (literal, broken) = imm_syntax::parse_expr(span.file, text);
        if let Some(broken) = broken.into_iter().next() {
            return Err(self.fail(broken));
        }
        let value = literal::value(&literal, ty).map_err(|unfit| {
            let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, unfit.span, unfit.message);
            self.fail(match unfit.help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            })
        })?;
        self.in_range(name, &value, span)?;
        Ok(value)
    }

    /// The value of one setting.
    pub(super) fn setting(&mut self, name: &str, expr: &Expr) -> Result<Option<Value>> {
        let Some(value) = self.expr(expr)?.known().cloned() else { return Ok(None) };
        self.in_range(name, &value, expr.span)?;
        Ok(Some(value))
    }

    fn in_range(&mut self, name: &str, value: &Value, span: Span) -> Result<()> {
        let (message, help) = match value {
            Value::Int(n) if matches!(name, "keep" | "retain") && u32::try_from(*n).is_err() => {
                (format!("`{name}` cannot be {n}"), "it is a number of generations, from 0")
            }
            Value::Ratio(share) if name == "replace_limit" && *share > 1_000_000 => (
                format!("`{name}` cannot be more than 100%"),
                "it is the share of all nodes that one apply may replace",
            ),
            _fits => return Ok(()),
        };
        Err(self.fail(Diagnostic::error(code::OUT_OF_RANGE, span, message).help(help)))
    }

    /// What the environment's platform says for all nodes that do not say it themselves.
    pub(super) fn platform_default(&self, field: &str) -> Option<Value> {
        let value = self.graph.policy.platform.get(field).filter(|_| field == "isolation")?;
        (*value != Value::None).then(|| value.clone())
    }
}

fn take(policy: &mut Policy, name: &str, value: &Value) {
    let number = value.as_int().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let small = u32::try_from(number).unwrap_or(u32::MAX);
    match name {
        "keep" => policy.keep = small,
        "retain" => policy.retain = small,
        "watch" => policy.watch_ms = number,
        "replace_limit" => policy.replace_limit_ppm = Some(number),
        "confirm" => policy.confirm = value.as_bool() == Some(true),
        "platform" => {
            policy.platform = match value {
                Value::Variant(tag, fields) => {
                    let mut all: Fields<Value> = fields.clone();
                    all.insert(Arc::from("platform"), Value::String(Arc::clone(tag)));
                    all
                }
                Value::Record(fields) => fields.clone(),
                _other => Fields::new(),
            }
        }
        _elsewhere => {}
    }
}
