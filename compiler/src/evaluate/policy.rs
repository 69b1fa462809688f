//! `environment NAME { … }`: which one is meant, and its settings as policy of the graph.

use super::{Evaluator, Result};
use crate::hir::{Environment, Expr};
use imm_ir::{Diagnostic, Fields, Policy, SourceFile, Span, Value, code};
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
        let mut policy = Policy::default();
        for (name, expr) in &environment.settings {
            match self.setting(name, expr) {
                Ok(Some(value)) => take(&mut policy, name, &value),
                Ok(None) => {}
                Err(failed) => self.report(failed),
            }
            if &**name == "state" {
                self.state = self.setting(name, expr).ok().flatten();
            }
        }
        self.graph.policy = policy;
    }

    fn setting(&mut self, name: &str, expr: &Expr) -> Result<Option<Value>> {
        let value = self.expr(expr)?.known().cloned();
        if let Some(Value::Int(n)) = value
            && matches!(name, "keep" | "retain")
            && u32::try_from(n).is_err()
        {
            let message = format!("`{name}` cannot be {n}");
            return Err(self.fail(
                Diagnostic::error(code::OUT_OF_RANGE, expr.span, message).help("it is a number of generations, from 0"),
            ));
        }
        if let Some(Value::Ratio(share)) = value
            && name == "replace_limit"
            && share > 1_000_000
        {
            let message = format!("`{name}` cannot be more than 100%");
            return Err(self.fail(
                Diagnostic::error(code::OUT_OF_RANGE, expr.span, message)
                    .help("it is the share of all nodes that one apply may replace"),
            ));
        }
        Ok(value)
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
