//! What is only seen on all routes together: places that two of them would have, ports that would have to speak in two ways,
//! targets that cannot answer. What is not known yet is left to the platform.

use super::Evaluator;
use super::expand::Made;
use crate::diagnose::article;
use imm_ir::{Addr, Diagnostic, EdgeKind, Span, Term, Value, code};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A route and where it was declared.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub addr: Addr,
    pub span: Span,
}

/// How a port is used: all routes of a port must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listener {
    tcp: bool,
    tls: bool,
    bind: Option<Arc<str>>,
}

impl Evaluator<'_> {
    pub(super) fn judge_routes(&mut self) {
        let mut found = self.duplicate_routes();
        if found.is_empty() {
            found = self.torn_listeners();
        }
        found.extend(self.targets_that_cannot_answer());
        self.diagnostics.extend(found);
    }

    /// Two routes with one (listen, host, path).
    fn duplicate_routes(&self) -> Vec<Diagnostic> {
        type Place = (i64, Option<String>, String);
        let mut places: FxHashMap<Place, &Route> = FxHashMap::default();
        let mut found = Vec::new();
        for route in &self.routes {
            let Some(node) = self.made(&route.addr) else { continue };
            let text = |name: &str| node.input(name).known().and_then(Value::as_text).map(str::to_owned);
            let listen = node.input("listen").known().and_then(Value::as_int);
            let unknown = ["host", "path"].iter().any(|n| node.input(n).known().is_none());
            let (Some(listen), Some(path), false) = (listen, text("path"), unknown) else { continue };
            let host = text("host");
            let place = (listen, host.as_ref().map(|host| host.to_ascii_lowercase()), path.clone());
            match places.get(&place) {
                Some(before) => {
                    let shown = format!("{}:{listen}{path}", host.as_deref().unwrap_or("*"));
                    let text = format!("`{}` and `{}` both answer at {shown}", before.addr, route.addr);
                    found.push(
                        Diagnostic::error(code::DUPLICATE_ROUTE, route.span, text)
                            .also(before.span, "the other one")
                            .help("give one of them another `listen`, `host` or `path`"),
                    );
                }
                None => _ = places.insert(place, route),
            }
        }
        found
    }

    /// Routes that share a port and would have it speak in two ways.
    fn torn_listeners(&self) -> Vec<Diagnostic> {
        let mut listeners: FxHashMap<i64, (Listener, &Route)> = FxHashMap::default();
        let mut found = Vec::new();
        for route in &self.routes {
            let Some(node) = self.made(&route.addr) else { continue };
            let listen = node.input("listen").known().and_then(Value::as_int);
            let (Some(listen), Some(here)) = (listen, listener(&node)) else { continue };
            let Some((there, before)) = listeners.get(&listen) else {
                listeners.insert(listen, (here, route));
                continue;
            };
            let (what, help) = if here.bind != there.bind {
                ("at two addresses", "give both the same `bind`, or another `listen` to one of them")
            } else if here.tls != there.tls {
                ("with and without TLS", "give both or none of them `tls`, or another `listen` to one of them")
            } else if (here.tcp || there.tcp) && !here.tls {
                (
                    "for two routes, and plain TCP does not say which one is meant",
                    "give one of them another `listen`, or both `tls` and a `host`",
                )
            } else {
                continue;
            };
            let text = format!("`{}` and `{}` would have port {listen} {what}", before.addr, route.addr);
            found.push(
                Diagnostic::error(code::CANNOT_COEXIST, route.span, text).also(before.span, "the other one").help(help),
            );
        }
        found
    }

    /// Targets whose work cannot be proven, and those that do not speak what the route speaks.
    fn targets_that_cannot_answer(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for route in &self.routes {
            let Some(node) = self.made(&route.addr) else { continue };
            let tcp = listener(&node).is_some_and(|here| here.tcp);
            for edge in node.edges.iter().filter(|edge| edge.kind == EdgeKind::Set) {
                let Some(target) = self.made(&edge.to) else { continue };
                let kind = &*target.schema.name;
                if kind == "container" && !target.inputs.contains_key("health") {
                    let text = format!("`{}` points at `{}`, which has no health check", route.addr, edge.to);
                    found.push(
                        Diagnostic::error(code::NO_HEALTH_CHECK, route.span, text)
                            .note("traffic only moves to what is known to work")
                            .help("give the container a `health`, for example health = http { path = \"/healthz\" }"),
                    );
                } else if tcp && matches!(kind, "site" | "endpoint") {
                    let (is, to) = (article(kind), &edge.to);
                    let text = format!(
                        "`{}` speaks plain TCP, and `{to}` is {is} {kind}, which answers HTTP only",
                        route.addr
                    );
                    found.push(
                        Diagnostic::error(code::OUT_OF_RANGE, route.span, text).help("leave `protocol = tcp` out"),
                    );
                }
            }
        }
        found
    }
}

/// How a route uses its port, as far as it is known.
fn listener(node: &Made<'_, '_>) -> Option<Listener> {
    let tag = |name: &str| match node.input(name) {
        Term::Variant(tag, _) | Term::Value(Value::Variant(tag, _)) => Some(tag),
        _late => None,
    };
    let bind = node.input("bind").known().and_then(Value::as_text).map(Arc::from);
    Some(Listener { tcp: &*tag("protocol")? == "tcp", tls: &*tag("tls")? != "off", bind })
}
