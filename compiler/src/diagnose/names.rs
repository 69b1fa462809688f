//! Names: unknown, twice declared, ambiguous, unused, shadowing.

use super::{listed, similar};
use imm_ir::{Applicability, Code, Diagnostic, Span, code};

/// A word that nothing has. `what` says what was looked for, with its article.
pub fn unknown<'a>(
    code: Code,
    what: &str,
    word: &str,
    span: Span,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let diagnostic = Diagnostic::error(code, span, format!("there is no {what} `{word}`"));
    match similar(word, known) {
        Some(name) => diagnostic.label(format!("did you mean `{name}`?")).fix(
            format!("write `{name}`"),
            Applicability::Maybe,
            span,
            name,
        ),
        None => diagnostic.label("not known here"),
    }
}

/// What is written here for a word of another language.
pub fn written(diagnostic: Diagnostic, span: Span, right: &str) -> Diagnostic {
    let title = format!("write `{right}`");
    let mut diagnostic = diagnostic.label("not known here");
    diagnostic.fixes.clear();
    diagnostic.help(title.clone()).fix(title, Applicability::Maybe, span, right)
}

/// `type T = memory`: perhaps a type of one variant is meant.
pub fn maybe_a_variant(unknown: &mut Diagnostic, word: &str, span: Span) {
    let title = format!("write `| {word}`");
    unknown.helps.push(format!("if it is to be a variant and the only one: {title}"));
    let edits = vec![imm_ir::Edit { span, text: format!("| {word}") }];
    unknown.fixes.push(imm_ir::Fix { title, applicability: Applicability::Maybe, edits });
}

/// A variant without the type that would tell which.
pub fn variant_without_type(word: &str, span: Span, types: &[String]) -> Diagnostic {
    let text = format!("`{word}` is a variant, but nothing here says of which type");
    let mut diagnostic = Diagnostic::error(code::UNKNOWN_NAME, span, text).label("no binding has this name");
    for ty in types {
        diagnostic = diagnostic.help(format!("write `{ty}.{word}`"));
    }
    diagnostic
}

/// A tag that the expected type does not have.
pub fn unknown_variant<'a>(
    ty: &str,
    word: &str,
    span: Span,
    tags: impl Iterator<Item = &'a str> + Clone,
) -> Diagnostic {
    unknown(code::UNKNOWN_NAME, &format!("variant of `{ty}` called"), word, span, tags.clone())
        .help(format!("`{ty}` has {}", listed(tags)))
}

/// Both a variant of the expected type and a binding that fits.
pub fn ambiguous(word: &str, ty: &str, span: Span, binding: Option<Span>) -> Diagnostic {
    let text = format!("`{word}` is both a variant of `{ty}` and a binding that fits here");
    let diagnostic = Diagnostic::error(code::AMBIGUOUS_NAME, span, text).label("which of them?");
    let diagnostic = match binding {
        Some(place) => diagnostic.also(place, "the binding"),
        None => diagnostic,
    };
    diagnostic.help(format!("write `{ty}.{word}` for the variant, or rename the binding")).fix(
        format!("write `{ty}.{word}`"),
        Applicability::Maybe,
        span,
        format!("{ty}.{word}"),
    )
}

/// Declared twice in one namespace.
pub fn duplicate(word: &str, span: Span, first: Option<Span>) -> Diagnostic {
    let diagnostic = Diagnostic::error(code::DUPLICATE_NAME, span, format!("`{word}` is declared twice"));
    match first {
        Some(place) => diagnostic.label("again here").also(place, "first here").help("rename one of them"),
        None => diagnostic.label("this name is taken by the language").help("choose another name"),
    }
}

/// A binding that nothing reads.
pub fn unused(what: &str, word: &str, span: Span) -> Diagnostic {
    Diagnostic::warning(code::UNUSED_BINDING, span, format!("{what} `{word}` is never used"))
        .label("nothing reads it")
        .help("remove it, or start its name with `_`")
}

/// The same of one whose name stands in a text as other languages write a hole.
pub fn unused_but_written(what: &str, word: &str, span: Span, meant: Option<Span>) -> Diagnostic {
    match meant {
        None => unused(what, word, span),
        Some(meant) => Diagnostic::warning(code::UNUSED_BINDING, span, format!("{what} `{word}` is never used"))
            .label("nothing reads it")
            .also(meant, "this is only text")
            .help(format!("a hole in a string is written `${{{word}}}`")),
    }
}

/// A binding with the name of a variant of this module.
pub fn shadowed(word: &str, ty: &str, span: Span) -> Diagnostic {
    let text = format!("`{word}` has the name of a variant of `{ty}`");
    Diagnostic::warning(code::SHADOWED_VARIANT, span, text)
        .label(format!("where a `{ty}` is expected, the variant is meant"))
        .help("rename the binding")
}

/// A param or node out of reach of a component, function or other place that must not depend on an instance.
pub fn out_of_reach(word: &str, what: &str, place: &str, span: Span, declared: Span) -> Diagnostic {
    Diagnostic::error(code::UNKNOWN_NAME, span, format!("{what} `{word}` cannot be used in {place}"))
        .label("not visible here")
        .also(declared, "declared here")
        .help(match place {
            "a component" => format!("declare `param {word}` in the component and pass it where the component is used"),
            "a function" => format!("give the function a parameter `{word}`"),
            "a condition" => "a condition speaks of `it`, which is the value, and of constants".to_owned(),
            _other => "write the value itself".to_owned(),
        })
}

/// An import of a module by name that is nowhere.
pub fn no_such_module(name: &str, span: Span, known: &[String]) -> Diagnostic {
    let known = known.iter().map(String::as_str);
    if let Some(right) = known.clone().find(|known| known.replace('.', "") == name) {
        let title = format!("write `{right}`");
        return Diagnostic::error(code::UNKNOWN_NAME, span, format!("there is no module `{name}`"))
            .label(format!("did you mean `{right}`?"))
            .fix(title, Applicability::Maybe, span, right);
    }
    if name != "std" && !name.starts_with("std.") {
        return Diagnostic::error(code::UNKNOWN_NAME, span, format!("there is no module `{name}`"))
            .label("not a module")
            .help("a module of your own is imported by its path: `import \"./limits\"`")
            .note(format!("the standard library has {}", listed(known)));
    }
    unknown(code::UNKNOWN_NAME, "module of the standard library called", name, span, known.clone())
        .note(format!("the standard library has {}", listed(known)))
}
