//! What kinds demand of values beyond their types: plain paths, servers that can be called, weights that rise, something to run.
//!
//! What is not known yet is left to the platform.

use super::content::short;
use super::inputs::Inputs;
use super::{Evaluator, Result};
use crate::diagnose::nodes;
use crate::hir::{ExprKind, Field, MapEntry, Node};
use imm_ir::{Addr, Diagnostic, Input, KindSchema, Span, Term, Value, code};
use std::collections::BTreeSet;
use std::sync::Arc;

/// All requests, parts per million.
const WHOLE: i64 = 1_000_000;

/// A container without a command of its own.
#[derive(Clone, Debug)]
pub(super) struct Unsaid {
    name: Arc<str>,
    span: Span,
    image: Addr,
}

impl Evaluator<'_> {
    /// Refuses what the platform could do nothing with.
    pub(super) fn demanded(&mut self, kind: &str, input: &Input, written: &Field) -> Result<()> {
        match (kind, &*written.name) {
            ("image", "files") | (_, "mounts") => self.absolute_paths(input, written),
            ("endpoint", "url") => self.callable(input, written),
            ("endpoint", "health") => self.tells_elsewhere(input, written),
            ("route", "rollout") => self.rises(input, written),
            ("route", "path" | "bind" | "host") => self.can_be_asked_for(input, written),
            _any => Ok(()),
        }
    }

    /// Files of images and mounts are at absolute paths.
    fn absolute_paths(&mut self, input: &Input, written: &Field) -> Result<()> {
        let Some(Value::Map(paths)) = input.term.known() else { return Ok(()) };
        let wrong = |path: &str| !path.starts_with('/') || path.split('/').any(|part| part == "..");
        let Some(path) = paths.keys().map(imm_ir::Key::as_str).find(|path| wrong(path)) else { return Ok(()) };
        let entries =
            if let ExprKind::Map(entries) = &written.value.uncoerced().kind { entries.as_slice() } else { &[] };
        let key = entries.iter().find_map(|entry| match entry {
            MapEntry::Entry { key, .. } => {
                let same = matches!(&key.kind, ExprKind::Value(Value::String(text)) if **text == *path);
                same.then_some(key.span)
            }
            MapEntry::Spread(_) => None,
        });
        let message = format!("`{path}` is not a plain absolute path");
        let diagnostic = Diagnostic::error(code::OUT_OF_RANGE, key.unwrap_or(written.value.span), message)
            .label("this is a place in the container");
        Err(self.fail(match path.strip_prefix("./").unwrap_or(path) {
            path if path.contains("..") => diagnostic.help("write it without `..`"),
            path => diagnostic.help(format!("write `\"/{path}\"`")),
        }))
    }

    /// A server is called by HTTP, in clear or encrypted.
    fn callable(&mut self, input: &Input, written: &Field) -> Result<()> {
        let Some(url) = input.term.known().and_then(Value::as_text) else { return Ok(()) };
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (why, help) = if scheme.is_empty() {
            ("says not how to call it", format!("write `\"http://{url}\"`, or `https://`"))
        } else if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            ("is not called by HTTP", "an endpoint begins with `http://` or `https://`".to_owned())
        } else if authority.contains('@') {
            let help = "leave it out: a request brings its own `Authorization`";
            ("has a user or password, which would be in every plan", help.to_owned())
        } else if authority.is_empty() || authority.starts_with(':') {
            ("names no host", "write `http://HOST[:PORT][/BASE]`".to_owned())
        } else if rest.contains(['?', '#']) {
            (
                "has more than host and path",
                "write `http://HOST[:PORT][/BASE]`; what a request asks for is added".to_owned(),
            )
        } else {
            return Ok(());
        };
        // What may be a password is not said again.
        let shown = if authority.contains('@') { "this URL".to_owned() } else { short(&Value::text(url)) };
        let diagnostic = Diagnostic::error(code::OUT_OF_RANGE, written.value.span, format!("{shown} {why}"));
        Err(self.fail(diagnostic.label("this is where a server answers").help(help)))
    }

    /// Requests have a path that begins with a slash, and a host without a port; what is bound is an address of this machine.
    fn can_be_asked_for(&mut self, input: &Input, written: &Field) -> Result<()> {
        let Some(text) = input.term.known().and_then(Value::as_text) else { return Ok(()) };
        let (why, help) = match &*written.name {
            "path" if !text.starts_with('/') => ("does not begin with `/`", format!("write `\"/{text}\"`")),
            "bind" if text.parse::<std::net::IpAddr>().is_err() => (
                "is no IP address",
                "write `\"127.0.0.1\"` for this machine alone, `\"0.0.0.0\"` for all that reach it".to_owned(),
            ),
            "host" if text.contains("://") => {
                ("is a URL", "write the name alone, for example `\"shop.example\"`".to_owned())
            }
            "host" if text.contains('/') => {
                ("has a path", "write the name alone; the path belongs into `path`".to_owned())
            }
            "host" if text.parse::<std::net::IpAddr>().is_err() && text.contains(':') => {
                ("has a port", "write the name alone; the port is that of `listen`".to_owned())
            }
            "host" if text.is_empty() || text.contains(char::is_whitespace) => {
                ("is no name of a host", "leave it out, and the route answers for any".to_owned())
            }
            _fits => return Ok(()),
        };
        let message = format!("{} {why}", short(&Value::text(text)));
        let label = if &*written.name == "bind" { "where the route listens" } else { "what requests ask for" };
        Err(self.fail(Diagnostic::error(code::OUT_OF_RANGE, written.value.span, message).label(label).help(help)))
    }

    /// The weights of a canary, computed ones too, rise strictly below the whole.
    fn rises(&mut self, input: &Input, written: &Field) -> Result<()> {
        let steps = match &input.term {
            // Its gate is never known.
            Term::Variant(tag, fields) if &**tag == "canary" => fields.get("steps").and_then(Term::known),
            Term::Value(Value::Variant(tag, fields)) if &**tag == "canary" => fields.get("steps"),
            _other => None,
        };
        let Some(Value::List(steps)) = steps else { return Ok(()) };
        let mut before = 0;
        for (number, step) in (1..).zip(steps) {
            let Some(weight) = step.get("weight").and_then(Value::as_int) else { return Ok(()) };
            if weight <= before || weight >= WHOLE {
                let shown = |ppm: i64| short(&Value::Ratio(ppm));
                let before = (number > 1).then(|| shown(before));
                return Err(self.fail(nodes::step_does_not_rise(number, &shown(weight), before, written.value.span)));
            }
            before = weight;
        }
        Ok(())
    }

    /// Only by calling it can one tell whether something elsewhere works.
    fn tells_elsewhere(&mut self, input: &Input, written: &Field) -> Result<()> {
        let Some(Value::Variant(how, _)) = input.term.known() else { return Ok(()) };
        if !matches!(&**how, "running" | "exec") {
            return Ok(());
        }
        let message = format!("`{how}` cannot tell whether something elsewhere works");
        Err(self.fail(
            Diagnostic::error(code::OUT_OF_RANGE, written.value.span, message)
                .label("it looks into a container of this machine")
                .help("write `http { path = \"/healthz\" }` or `tcp {}`"),
        ))
    }

    /// Remembers images that say nothing to run, and what would run them without saying it either.
    pub(super) fn may_run_nothing(&mut self, node: &Node, schema: &KindSchema, addr: &Addr, given: &Inputs) {
        let known = |name: &str| given.inputs.get(name).map(|input| input.term.known());
        match &*schema.name {
            "image" => {
                let says = match known("cmd") {
                    None => false,
                    Some(Some(Value::List(words))) => !words.is_empty(),
                    Some(_late) => true,
                };
                let inherits = match known("from").flatten() {
                    Some(Value::Variant(base, payload)) if &**base == "node" => match payload.get("image") {
                        Some(Value::Node(image)) => !self.idle.contains_key(image),
                        _unknown => true,
                    },
                    Some(Value::Variant(base, _)) => &**base != "scratch",
                    _absent => given.inputs.contains_key("from"),
                };
                if !says && !inherits {
                    self.idle.insert(addr.clone(), node.name_span);
                }
            }
            "container" | "service" | "worker" | "job" if node.field("cmd").is_none() => {
                if let Some(Some(Value::Node(image))) = known("image") {
                    let (name, span) = (Arc::clone(&node.name), node.name_span);
                    self.unsaid.push(Unsaid { name, span, image: image.clone() });
                }
            }
            _other => {}
        }
    }

    /// A container that would have nothing to run; one for each image.
    pub(super) fn nothing_to_run(&mut self) {
        let mut said = BTreeSet::new();
        for Unsaid { name, span, image } in std::mem::take(&mut self.unsaid) {
            // The first one says it for all, and one declaration for all that it makes.
            let Some(declared) = self.idle.remove(&image).filter(|declared| said.insert(*declared)) else { continue };
            let message = format!("`{name}` has nothing to run: neither it nor its image `{image}` has a `cmd`");
            self.diagnostics.push(
                Diagnostic::error(code::MISSING_FIELD, span, message)
                    .label("it will not start")
                    .also(declared, "an image without `cmd`, on a base without one")
                    .help("write `cmd = [\"/bin/program\", \"argument\"]` in the image, or here"),
            );
        }
    }
}
