//! Types: a value of another type than its place demands, too late, secret, or perhaps absent.

use super::quantities::{milli, minutes, quantity, unit};
use super::similar;
use crate::types::Misfit;
use imm_ir::{Applicability, Diagnostic, FieldType, Span, Type, VariantType, code};

/// What a place is for: words and code of the complaint about a late value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// Anything.
    Value,
    /// Decides which nodes exist; says what for, for example "`replicas`".
    Count(&'a str),
    /// Decides which nodes exist: the field with this name.
    CountField(&'a str),
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
        Misfit::Absent if matches!(bare_option(found), Some(Type::Never)) => {
            Diagnostic::error(code::TYPE_MISMATCH, span, format!("expected `{expected}`, found `none`"))
                .label("nothing")
                .help(format!("write a value, or let the type be `{expected}?`"))
        }
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
        Place::Count(_) | Place::CountField(_) => {
            let what = match place {
                Place::CountField(field) => format!("`{field}`"),
                Place::Count(what) => what.to_owned(),
                Place::Value => String::new(),
            };
            let text = format!("{what} must be known at plan, but this is known only after create");
            Diagnostic::error(code::COUNT_NOT_KNOWN, span, text)
                .label("decides which nodes exist")
                .help("let a param or a `let` decide, and give the same value to both sides")
        }
    };
    match late {
        Some(late) if late.span != span => diagnostic.also(late.span, late.text),
        Some(late) => diagnostic.label(match place {
            Place::Value => late.text,
            Place::Count(_) | Place::CountField(_) => format!("{}, and decides which nodes exist", late.text),
        }),
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
        (Type::Duration, Type::Cpu) if minutes(source).is_some() => {
            let number = minutes(source).unwrap_or_default();
            let right = milli(number).unwrap_or_else(|| "0.5cpu".to_owned());
            let title = format!("write `{right}`");
            diagnostic.help(format!("`{source}` is {number} minutes; {title}")).fix(
                title,
                Applicability::Maybe,
                span,
                right,
            )
        }
        (Type::String, Type::Bytes | Type::Cpu | Type::Duration | Type::Ratio) => match quantity(source, wanted) {
            Some(right) => {
                let title = format!("write `{right}`");
                let help = format!("quantities are written without quotes: {title}");
                diagnostic.help(help).fix(title, Applicability::Maybe, span, right)
            }
            None => diagnostic.help(format!("write a quantity, for example `{}`", unit(wanted).unwrap_or_default())),
        },
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
        (Type::String, wanted) if hole_alone(source).is_some() && !matches!(wanted, Type::Variant(_) | Type::List(_)) => {
            let inner = hole_alone(source).unwrap_or_default();
            let title = format!("write `{inner}`");
            diagnostic.help(format!("a string with a hole is a text: {title}")).fix(title, Applicability::Maybe, span, inner)
        }
        (Type::String, Type::Int | Type::Float) => {
            diagnostic.help(format!("a text is no number: declare what it comes from as `{wanted}`"))
        }
        (Type::String, Type::Bool) if matches!(source, "\"true\"" | "\"false\"") => {
            diagnostic.help("write it without quotes")
        }
        (Type::String, Type::Variant(variant)) if &*variant.name == "Health" && source.starts_with("\"/") => {
            let right = format!("http {{ path = {source} }}");
            let title = format!("write `{right}`");
            diagnostic.help(title.clone()).fix(title, Applicability::Maybe, span, right)
        }
        (Type::String, Type::Variant(variant)) if &*variant.name == "Base" => diagnostic
            .help("a base is `scratch`, `node { image = app }`, `layout { path = \"…\" }` or `archive { path = \"…\" }`")
            .note(
                "an image of a registry is copied first, `skopeo copy docker://NAME oci-archive:FILE`, and then is the base: \
                 `from = archive { path = \"FILE\" }`",
            ),
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
                None => match wrapped(&Type::String, variant) {
                    Some((tag, field)) => diagnostic.help(format!("write `{tag} {{ {field} = {source} }}`")),
                    None => diagnostic.help(self::tags(variant)),
                },
            }
        }
        (found, Type::List(item)) if crate::types::fits(found, item).is_ok() => {
            let words = source.trim_matches('"').split(' ').map(|word| format!("\"{word}\"")).collect::<Vec<_>>();
            let plain = !source.trim_matches('"').contains(['"', '\\', '$', '\'']);
            match *found == Type::String && source.starts_with('"') && words.len() > 1 && plain {
                true => diagnostic.help(format!("write a list: `[{}]`", words.join(", "))),
                false => diagnostic.help(format!("write a list: `[{source}]`")),
            }
        }
        (Type::List(_), Type::Map(_)) => diagnostic.help("write a map: `{ name = value }`"),
        (Type::Map(_) | Type::Record(_), Type::List(_)) => diagnostic.help("write a list: `[a, b]`"),
        (Type::Range, Type::Int) => diagnostic.help("for a part of a list, write `[for i in a..b: xs[i]]`"),
        (Type::String, Type::Handle(kind)) if &**kind == "image" => diagnostic
            .help("name an image of the program: `resource app = image { … }`, and `image = app`")
            .note(
                "an image of a registry is copied first, `skopeo copy docker://NAME oci-archive:FILE`, and then is the base: \
                 `image { from = archive { path = \"FILE\" } }`",
            ),
        (Type::String, Type::Handle(_) | Type::Node | Type::Target) => {
            let word = source.trim_matches('"');
            let name = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !word.is_empty();
            if name {
                let title = format!("write `{word}`");
                diagnostic.help(format!("a node is named without quotes: {title}")).fix(
                    title,
                    Applicability::Maybe,
                    span,
                    word,
                )
            } else {
                diagnostic.help("name a node, without quotes")
            }
        }
        (Type::List(_), Type::Target) => diagnostic
            .help("a route has one target; a service of several containers has `replicas`")
            .note("for several services write a route for each, with another `host` or `path`"),
        (Type::Handle(kind), Type::Target) => diagnostic.note({
            let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            format!("a route can point at a service, container, site or endpoint, not at {article} {kind}")
        }),
        (Type::Record(record), Type::Variant(variant)) => match shaped(record, variant) {
            Some(tag) => {
                let title = format!("write `{tag}` before it");
                let start = Span { end: span.start, ..span };
                diagnostic.help(format!("say which: `{tag} {source}`")).fix(
                    title,
                    Applicability::Maybe,
                    start,
                    format!("{tag} "),
                )
            }
            None => diagnostic.help(tags(variant)),
        },
        (found, Type::Variant(variant)) => match wrapped(found, variant) {
            Some((tag, field)) => {
                let right = format!("{tag} {{ {field} = {source} }}");
                let title = format!("write `{right}`");
                diagnostic.help(title.clone()).fix(title, Applicability::Maybe, span, right)
            }
            None => diagnostic.help(tags(variant)),
        },
        _others => diagnostic,
    }
}

fn tags(variant: &VariantType) -> String {
    let tags: Vec<&str> = variant.variants.iter().map(|case| &*case.tag).collect();
    format!("`{}` is {}", variant.name, tags.join(" | "))
}

/// The variant and its field that hold a value of this type, if there is no choice.
fn wrapped<'v>(found: &Type, variant: &'v VariantType) -> Option<(&'v str, &'v str)> {
    let mut fitting = variant.variants.iter().flat_map(|case| {
        let alone = |name: &str| {
            case.payload.fields.iter().all(|f| f.name.as_ref() == name || f.default.is_some() || is_optional(&f.ty))
        };
        let takes = move |field: &&'v FieldType| crate::types::fits(found, &field.ty).is_ok() && alone(&field.name);
        case.payload.fields.iter().filter(takes).map(|field| (&*case.tag, &*field.name))
    });
    let only = fitting.next()?;
    fitting.next().is_none().then_some(only)
}

/// The first variant that takes all of these fields.
fn shaped<'v>(record: &imm_ir::RecordType, variant: &'v VariantType) -> Option<&'v str> {
    let takes = |case: &&imm_ir::VariantCase| {
        let known = |name: &str| case.payload.fields.iter().any(|field| &*field.name == name);
        record.fields.iter().all(|field| known(&field.name))
    };
    variant.variants.iter().find(takes).map(|case| &*case.tag)
}

/// What stands in the only hole of a string that has nothing else.
fn hole_alone(source: &str) -> Option<&str> {
    let inner = source.strip_prefix("\"${")?.strip_suffix("}\"")?;
    (!inner.contains(['{', '}', '"'])).then_some(inner)
}

fn is_optional(ty: &Type) -> bool {
    matches!(crate::types::peel(ty).0, Type::Option(_))
}

/// Whether this is written as a number or a Bool.
fn is_literal(source: &str) -> bool {
    let number = |c: char| c.is_ascii_digit() || matches!(c, '_' | '.' | '-');
    matches!(source, "true" | "false") || (!source.is_empty() && source.chars().all(number))
}

/// A type without marks, optionality and refinements.
pub fn bare(ty: &Type) -> &Type {
    crate::types::core_of(ty).0
}

/// What an optional type holds.
fn bare_option(ty: &Type) -> Option<Type> {
    match crate::types::peel(ty).0 {
        Type::Option(inner) => Some((*inner).clone()),
        _other => None,
    }
}

/// An operator whose operands it does not take.
pub fn operator(sign: &str, left: &Type, right: &Type, span: Span) -> Diagnostic {
    let text = format!("`{sign}` does not take `{left}` and `{right}`");
    let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, span, text).label("these do not go together");
    match (sign, bare(left), bare(right)) {
        _absent if is_optional(left) || is_optional(right) => {
            diagnostic.help("one side may be `none`: give it a default first, for example `(a ?? 0)`")
        }
        ("+", Type::String, _) | ("+", _, Type::String) => {
            diagnostic.help("to build a text, write it as one string with holes: `\"…${value}…\"`")
        }
        ("*", Type::Int, Type::Duration | Type::Bytes | Type::Ratio | Type::Cpu) => {
            diagnostic.help("write the quantity first: `5s * 2`")
        }
        ("+" | "-" | "<" | ">" | "<=" | ">=" | "==" | "!=", quantity, Type::Int) if unit(quantity).is_some() => {
            diagnostic.help(format!("write a unit, for example `{}`", unit(quantity).unwrap_or_default()))
        }
        (_, Type::Int, Type::Float) | (_, Type::Float, Type::Int) => {
            diagnostic.help("Int and Float do not mix; write the number as `2.0`")
        }
        _others => diagnostic,
    }
}

/// `&&` or `||` with a value that may be absent on its left side.
pub fn meant_default(left: &str, right: &str, span: Span, found: &Type) -> Diagnostic {
    Diagnostic::error(code::TYPE_MISMATCH, span, format!("expected `Bool`, found `{found}`"))
        .label("may be absent")
        .help(format!("a value for when it is `none` is given with `??`: `{left} ?? {right}`"))
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
    if is_optional(found) {
        return diagnostic.help(format!("it may be `none`: write `{source} ?? \"…\"`"));
    }
    match bare(found) {
        Type::Duration => diagnostic.help(format!("say in which unit: `{source}.in_ms()`, or `{source}.text()`")),
        Type::Bytes => diagnostic.help(format!("say in which unit: `{source}.in_mib()`, or `{source}.text()`")),
        Type::Ratio | Type::Cpu | Type::Float => diagnostic.help(format!("write `{source}.text()`")),
        Type::List(_) => diagnostic.help(format!("write `{source}.join(\", \")`")),
        Type::Handle(_) | Type::Component(_) => diagnostic.help("use one of its outputs"),
        _others => diagnostic.note("holes take String, Int, Bool and variants without payload"),
    }
}
