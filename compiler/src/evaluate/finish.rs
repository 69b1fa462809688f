//! The end of an evaluation: outputs of the program, and what is only seen on the whole graph.

use super::Evaluator;
use imm_ir::{Addr, Diagnostic, EdgeKind, Output, Span, Value, code};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A route and where it was declared.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub addr: Addr,
    pub span: Span,
}

impl Evaluator<'_> {
    pub(super) fn finish(&mut self) {
        let module = self.module;
        for output in &module.root.outputs {
            let Some(bound) = self.scopes.here().outputs.get(&output.name).cloned() else { continue };
            let loc = self.loc(output.span);
            self.graph.outputs.push(Output {
                name: Arc::clone(&output.name),
                ty: output.value.ty.clone(),
                term: Arc::unwrap_or_clone(bound.term),
                loc,
            });
        }
        self.duplicate_routes();
        self.targets_without_health();
        self.nothing_to_run();
    }

    /// Two routes with one (listen, host, path).
    fn duplicate_routes(&mut self) {
        type Place = (i64, Option<String>, String);
        let mut places: FxHashMap<Place, Route> = FxHashMap::default();
        let mut found = Vec::new();
        for route in &self.routes {
            let Some(node) = self.made(&route.addr) else { continue };
            let text = |name: &str| node.input(name).known().and_then(Value::as_text).map(str::to_owned);
            let listen = node.input("listen").known().and_then(Value::as_int);
            let unknown = ["host", "path"].iter().any(|n| node.input(n).known().is_none());
            let (Some(listen), Some(path), false) = (listen, text("path"), unknown) else { continue };
            let host = text("host");
            match places.get(&(listen, host.clone(), path.clone())) {
                Some(before) => {
                    let shown = format!("{}:{listen}{path}", host.as_deref().unwrap_or("*"));
                    let text = format!("`{}` and `{}` both answer at {shown}", before.addr, route.addr);
                    found.push(
                        Diagnostic::error(code::DUPLICATE_ROUTE, route.span, text)
                            .also(before.span, "the other one")
                            .help("give one of them another `listen`, `host` or `path`"),
                    );
                }
                None => _ = places.insert((listen, host, path), route.clone()),
            }
        }
        self.diagnostics.extend(found);
    }

    /// A container that a route points at and that has no health check.
    fn targets_without_health(&mut self) {
        let mut found = Vec::new();
        for route in &self.routes {
            let Some(node) = self.made(&route.addr) else { continue };
            for edge in node.edges.iter().filter(|edge| edge.kind == EdgeKind::Set) {
                let Some(target) = self.made(&edge.to) else { continue };
                if &*target.schema.name == "container" && !target.inputs.contains_key("health") {
                    found.push(
                        Diagnostic::error(
                            code::NO_HEALTH_CHECK,
                            route.span,
                            format!("`{}` points at `{}`, which has no health check", route.addr, edge.to),
                        )
                        .note("traffic only moves to what is known to work")
                        .help("give the container a `health`, for example health = http { path = \"/healthz\" }"),
                    );
                }
            }
        }
        self.diagnostics.extend(found);
    }
}
