//! Nodes: their class, and what the class forbids.

use imm_ir::{Applicability, Diagnostic, Span, code};

/// The keyword does not fit the kind.
pub fn wrong_class(kind: &str, written: &str, right: &str, keyword: Span) -> Diagnostic {
    let text = format!("`{kind}` is declared with `{right}`, not with `{written}`");
    let why = match right {
        "durable" => "it holds state: the engine never replaces it without consent",
        "pointer" => "it moves: the engine switches it from old targets to new ones",
        "external" => "it is not owned: the engine only reads it",
        "use" => "it is a component, not a kind",
        _resource => "it is disposable: the engine replaces it as a whole",
    };
    Diagnostic::error(code::WRONG_CLASS, keyword, text).label(format!("write `{right}`")).note(why).fix(
        format!("write `{right}`"),
        Applicability::Safe,
        keyword,
        right,
    )
}

/// A field or kind that will go away.
pub fn deprecated(what: &str, since: &str, instead: Option<&str>, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::warning(code::DEPRECATED, span, format!("{what} will go away"))
        .label(format!("deprecated since {since}"));
    match instead {
        Some(instead) => {
            let title = format!("write `{instead}`");
            diagnostic.help(title.clone()).fix(title, Applicability::Maybe, span, instead)
        }
        None => diagnostic.help("leave it out"),
    }
}

/// A provider's kind that holds state, declared disposable.
pub fn state_in_resource(kind: &str, keyword: Span) -> Diagnostic {
    Diagnostic::error(code::STATE_IN_RESOURCE, keyword, format!("`{kind}` holds state, and a `resource` is disposable"))
        .label("this would be thrown away with its state")
        .help("write `durable`, or keep the state in a `volume`")
        .fix("write `durable`", Applicability::Maybe, keyword, "durable")
}

/// A fixed physical name on a disposable.
pub fn fixed_name(span: Span) -> Diagnostic {
    Diagnostic::error(code::FIXED_NAME, span, "a disposable cannot have a fixed name")
        .label("old and new exist at once, and both would want it")
        .help("write `unique { prefix = \"…\" }`, or `auto`")
}

/// A route's target without a health check.
pub fn no_health_check(name: &str, span: Span, node: Span) -> Diagnostic {
    Diagnostic::error(
        code::NO_HEALTH_CHECK,
        span,
        format!("container `{name}` has no `health`, so nothing tells when it may be switched to"),
    )
    .label("used as a target here")
    .also(node, "declared without `health`")
    .help("add `health = http { path = \"/healthz\" }`, or `health = none_because { reason = \"…\" }`")
}

/// A single-writer volume whose holder overlaps with its successor.
pub fn exclusive_volume(volume: &str, node: &str, span: Span, declared: Span) -> Diagnostic {
    let text = format!("`{volume}` takes one writer at a time, but `{node}` and its successor would both write");
    Diagnostic::error(code::EXCLUSIVE_VOLUME, span, text)
        .label("mounted writable here")
        .also(declared, "`access` is `single_writer`")
        .help(format!("add `with {{ replace = handover {{ max_outage = 30s }} }}` to `{node}`"))
        .help("or mount it with `read_only = true`, or declare the volume with `access = shared`")
}

/// A rollout in steps towards something that cannot run beside its successor.
pub fn canary_needs_overlap(rollout: &str, target: &str, span: Span, with: Span) -> Diagnostic {
    let text = format!("a `{rollout}` rollout needs old and new at once, but only one `{target}` can run at a time");
    Diagnostic::error(code::CANARY_NEEDS_OVERLAP, span, text)
        .label("moves traffic step by step")
        .also(with, format!("`{target}` is stopped before its successor runs"))
        .help("write `rollout = all_at_once`, or let it be replaced `beside`")
}

/// A step of a canary that sends no more than the one before, or all.
pub fn weight_does_not_rise(ppm: i64, span: Span, before: Option<Span>) -> Diagnostic {
    let (text, label) = match before {
        _any if ppm >= 1_000_000 => ("the weight of a canary's step stays below 100%", "all of the traffic"),
        Some(_) => ("the weights of a canary must rise from step to step", "not more than the step before"),
        None => ("the first step of a canary must send something", "nothing"),
    };
    let diagnostic = Diagnostic::error(code::OUT_OF_RANGE, span, text).label(label);
    match before {
        Some(before) if ppm < 1_000_000 => diagnostic.also(before, "the step before"),
        _other => diagnostic,
    }
    .help("write rising weights below 100%; the whole traffic follows after the last step")
}

/// The same of one whose weight is computed. `before`: what the step before it has.
pub fn step_does_not_rise(number: u32, weight: &str, before: Option<String>, span: Span) -> Diagnostic {
    let text = match before {
        Some(before) => format!("step {number} of this canary has {weight}, and the step before {before}"),
        None => format!("the first step of this canary has {weight}"),
    };
    Diagnostic::error(code::OUT_OF_RANGE, span, text)
        .label("weights rise, above 0% and below 100%")
        .help("the whole traffic follows by itself after the last step")
}

/// Two nodes that would both hold one volume for writing.
pub fn two_writers(volume: &str, node: &str, span: Span, first: Span, declared: Span) -> Diagnostic {
    let text = format!("`{volume}` takes one writer at a time, but `{node}` would be the second");
    Diagnostic::error(code::CANNOT_COEXIST, span, text)
        .label("mounted writable here")
        .also(first, "and here")
        .also(declared, "`access` is `single_writer`")
        .help("mount it with `read_only = true`, or declare the volume with `access = shared`")
}

/// A pointer as the target of a pointer.
pub fn nested_rollout(inner: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        code::NESTED_ROLLOUT,
        span,
        format!("a pointer cannot be the target of a pointer, and this is a `{inner}`"),
    )
    .label("it would have a rollout inside of a rollout")
    .help("point at the service itself; several routes may point at one")
}

/// A durable whose identity depends on a disposable.
pub fn durable_on_disposable(durable: &str, disposable: &str, span: Span, declared: Span) -> Diagnostic {
    let text = format!("durable `{durable}` would depend on `{disposable}`, which is disposable");
    Diagnostic::error(code::DURABLE_ON_DISPOSABLE, span, text)
        .label(format!("when `{disposable}` is replaced, `{durable}` would have to be replaced too"))
        .also(declared, "a `resource`")
        .help("use a param, a `let`, or an output of a durable, pointer or external")
}

/// Nodes over a list of things that have no name of their own.
pub fn positional_key(element: &str, span: Span) -> Diagnostic {
    Diagnostic::error(code::POSITIONAL_KEY, span, "these nodes would be named by their position in a list")
        .label(format!("a list of `{element}`"))
        .note("removing the first element would rename all others, and so replace them")
        .help("use a map: `for name, value in { a = …, b = … }`")
}

/// Two names over a list in the head of a node.
pub fn position_as_name(span: Span) -> Diagnostic {
    Diagnostic::error(code::POSITIONAL_KEY, span, "the first name would be the position in a list")
        .label("nodes are not named by position")
        .help("use one name, or a map")
}
