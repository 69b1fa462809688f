//! Types: a value of another type than its place demands, too late, secret, or perhaps absent.

use super::similar;
use crate::types::Misfit;
use imm_ir::{Applicability, Diagnostic, Span, Type, code};

/// What a place is for: words and code of the complaint about a late value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// Anything.
    Value,
    /// Decides which nodes exist; says what for, for example "`replicas`".
    Count(&'a str),
}

/// Where a value becomes late.
pub struct Late {
    /// The expression.
    pub span: Span,
    /// What is known only later, for people.
    pub text: String,
}

/// `found` where `expected` is demanded. `source` is the text of the expression.
pub fn mismatch(
    reason: Misfit,
    found: &Type,
    expected: &Type,
    span: Span,
    source: &str,
    place: Place<'_>,
    late: Option<Late>,
) -> Diagnostic {
    match reason {
        Misfit::Other => other(found, expected, span, source),
        Misfit::Absent => {
            let text = format!("expected `{expected}`, found `{found}`, which may be `none`");
            Diagnostic::error(code::TYPE_MISMATCH, span, text)
                .label("may be absent")
                .help("give a default with `??`, or tell the cases apart with `match … { none => …, some(v) => … }`")
        }
        Misfit::Secret => {
            Diagnostic::error(code::SECRET_LEAK, span, format!("a secret cannot be used as `{expected}`"))
                .label(format!("this is `{found}`"))
                .note("secrets go only where the schema says so, for example `env` of a service or `content` of a file")
                .help("to show that a secret changed, use `secret.fingerprint(s)`")
        }
        Misfit::Late => too_late(expected, span, place, late),
    }
}

fn too_late(expected: &Type, span: Span, place: Place<'_>, late: Option<Late>) -> Diagnostic {
    let diagnostic = match place {
        Place::Value => {
            let text = format!("expected `{expected}`, found a value that is known only after create");
            Diagnostic::error(code::TYPE_MISMATCH, span, text)
                .label("not known yet when this is needed")
                .help("use a value that is known at plan: a param, a `let`, or an output without `~`")
        }
        Place::Count(what) => {
            let text = format!("{what} must be known at plan, but this is known only after create");
            Diagnostic::error(code::COUNT_NOT_KNOWN, span, text)
                .label("decides which nodes exist")
                .help("let a param or a `let` decide, and give the same value to both sides")
        }
    };
    match late {
        Some(late) if late.span != span => diagnostic.also(late.span, late.text),
        Some(late) => diagnostic.note(late.text),
        None => diagnostic,
    }
}

fn other(found: &Type, expected: &Type, span: Span, source: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, span, format!("expected `{expected}`, found `{found}`"))
        .label(format!("this is `{found}`"));
    let wanted = bare(expected);
    match (bare(found), wanted) {
        (Type::Duration, Type::Bytes) if minutes(source).is_some() => {
            let number = minutes(source).unwrap_or_default();
            diagnostic.help(format!("`{source}` is {number} minutes; write `{number}MiB`")).fix(
                format!("write `{number}MiB`"),
                Applicability::Maybe,
                span,
                format!("{number}MiB"),
            )
        }
        (Type::Int | Type::Float, Type::Duration) => {
            diagnostic.help(format!("write a unit: `{source}s`, `{source}ms`"))
        }
        (Type::Int | Type::Float, Type::Bytes) => diagnostic.help(format!("write a unit: `{source}MiB`, `{source}B`")),
        (Type::Int | Type::Float, Type::Ratio) => diagnostic.help("write a percentage, for example `5%`"),
        (Type::Int | Type::Float, Type::Cpu) => diagnostic.help(format!("write a unit: `{source}cpu`")),
        (Type::Int | Type::Float | Type::Bool, Type::String) if is_literal(source) => {
            diagnostic.help(format!("write `\"{source}\"`"))
        }
        (Type::Int | Type::Bool, Type::String) => diagnostic.help(format!("write `\"${{{source}}}\"`")),
        (Type::Float, Type::String) => diagnostic.help(format!("write `{source}.text()`")),
        (Type::Duration | Type::Bytes | Type::Ratio | Type::Cpu, Type::String) => {
            diagnostic.help(format!("write `{source}.text()`"))
        }
        (Type::Float, Type::Int) => diagnostic.help("write a whole number"),
        (Type::String, Type::Int | Type::Float) if is_literal(source.trim_matches('"')) => {
            diagnostic.help("write the number without quotes")
        }
        (Type::String, Type::Bool) if matches!(source, "\"true\"" | "\"false\"") => {
            diagnostic.help("write it without quotes")
        }
        (Type::String, Type::Variant(variant)) => {
            let word = source.trim_matches('"');
            let tags = || variant.variants.iter().map(|case| &*case.tag);
            match tags().find(|tag| *tag == word).or_else(|| similar(word, tags())) {
                Some(tag) => diagnostic.help(format!("variants are written without quotes: `{tag}`")).fix(
                    format!("write `{tag}`"),
                    Applicability::Maybe,
                    span,
                    tag,
                ),
                None => diagnostic.help(format!(
                    "`{variant}` is {}",
                    tags().collect::<Vec<_>>().join(" | "),
                    variant = variant.name
                )),
            }
        }
        (found, Type::List(item)) if crate::types::fits(found, item).is_ok() => {
            diagnostic.help(format!("write a list: `[{source}]`"))
        }
        (Type::Handle(kind), Type::Target) => diagnostic.note({
            let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            format!("a route can point at a service, container, site or endpoint, not at {article} {kind}")
        }),
        _others => diagnostic,
    }
}

/// Whether this is written as a number or a Bool.
fn is_literal(source: &str) -> bool {
    let number = |c: char| c.is_ascii_digit() || matches!(c, '_' | '.' | '-');
    matches!(source, "true" | "false") || (!source.is_empty() && source.chars().all(number))
}

fn bare(ty: &Type) -> &Type {
    crate::types::core_of(ty).0
}

/// The number of `512m`.
fn minutes(source: &str) -> Option<&str> {
    source
        .strip_suffix('m')
        .filter(|number| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit() || c == b'_'))
}

/// An operator whose operands it does not take.
pub fn operator(sign: &str, left: &Type, right: &Type, span: Span) -> Diagnostic {
    let text = format!("`{sign}` does not take `{left}` and `{right}`");
    let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, span, text).label("these do not go together");
    match (sign, bare(left), bare(right)) {
        (_, Type::Option(_), _) | (_, _, Type::Option(_)) => {
            diagnostic.help("one side may be `none`: give it a default first, for example `(a ?? 0)`")
        }
        ("+", Type::String, _) | ("+", _, Type::String) => {
            diagnostic.help("to build a text, write it as one string with holes: `\"…${value}…\"`")
        }
        ("*", Type::Int, Type::Duration | Type::Bytes | Type::Ratio | Type::Cpu) => {
            diagnostic.help("write the quantity first: `5s * 2`")
        }
        (_, Type::Int, Type::Float) | (_, Type::Float, Type::Int) => {
            diagnostic.help("Int and Float do not mix; write the number as `2.0`")
        }
        _others => diagnostic,
    }
}

/// Branches or elements of different types.
pub fn differ(what: &str, first: &Type, first_span: Span, second: &Type, second_span: Span) -> Diagnostic {
    Diagnostic::error(
        code::TYPE_MISMATCH,
        second_span,
        format!("{what} have different types: `{first}` and `{second}`"),
    )
    .label(format!("this is `{second}`"))
    .also(first_span, format!("this is `{first}`"))
    .help("make both the same type")
}

/// A hole that does not take this type.
pub fn hole(found: &Type, span: Span, source: &str) -> Diagnostic {
    let text = format!("a hole in a string does not take `{found}`");
    let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, span, text).label(format!("this is `{found}`"));
    match bare(found) {
        Type::Duration => diagnostic.help(format!("say in which unit: `{source}.in_ms()`, or `{source}.text()`")),
        Type::Bytes => diagnostic.help(format!("say in which unit: `{source}.in_mib()`, or `{source}.text()`")),
        Type::Ratio | Type::Cpu | Type::Float => diagnostic.help(format!("write `{source}.text()`")),
        Type::List(_) => diagnostic.help(format!("write `{source}.join(\", \")`")),
        Type::Handle(_) | Type::Component(_) => diagnostic.help("use one of its outputs"),
        Type::Option(_) => diagnostic.help(format!("it may be `none`: write `{source} ?? \"…\"`")),
        _others => diagnostic.note("holes take String, Int, Bool and variants without payload"),
    }
}
