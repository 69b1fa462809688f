//! Cycles of declarations and of functions.

use imm_ir::{Code, Diagnostic, Span, code};

/// One edge of a cycle.
pub struct Edge {
    /// Who needs.
    pub from: String,
    /// What is needed.
    pub to: String,
    /// Where.
    pub span: Span,
}

/// Declarations that need each other, each edge with its place.
pub fn dependency(edges: &[Edge]) -> Diagnostic {
    if let [only] = edges {
        return Diagnostic::error(code::DEPENDENCY_CYCLE, only.span, format!("{} needs itself", only.from))
            .label("this is what it is made from")
            .help("use a value that is known without it");
    }
    let help = "break it: let one of them use a value that is known without the other";
    cycle(code::DEPENDENCY_CYCLE, "these need each other", edges).help(help)
}

/// Components that are made from each other.
pub fn containing(edges: &[Edge]) -> Diagnostic {
    let endless = "every instance would hold another one, without end";
    if let [only] = edges {
        return Diagnostic::error(code::DEPENDENCY_CYCLE, only.span, format!("component {} uses itself", only.from))
            .label(endless)
            .help("for several of one kind, use `for`: `use NAME for x in xs = COMPONENT { … }`");
    }
    cycle(code::DEPENDENCY_CYCLE, "these components use each other", edges)
        .note(endless)
        .help("move what both need into a third component")
}

/// Functions that call each other.
pub fn recursive(edges: &[Edge]) -> Diagnostic {
    if let [only] = edges {
        return Diagnostic::error(code::RECURSIVE_FUNCTION, only.span, format!("function {} calls itself", only.from))
            .label("this call would never end")
            .help("use `map`, `filter` or `fold` over a list: evaluation always ends");
    }
    cycle(code::RECURSIVE_FUNCTION, "a function must not reach itself", edges)
        .help("use `map`, `filter` or `fold` over a list: evaluation always ends")
}

fn cycle(code: Code, text: &str, edges: &[Edge]) -> Diagnostic {
    let first = edges.first();
    let path = edges.iter().map(|e| e.from.as_str()).chain(first.map(|e| e.from.as_str())).collect::<Vec<_>>();
    let span = first.map_or_else(Span::default, |e| e.span);
    let mut diagnostic = Diagnostic::error(code, span, format!("{text}: {}", path.join(" → ")));
    for (i, edge) in edges.iter().enumerate() {
        let label = format!("{} needs {}", edge.from, edge.to);
        diagnostic = if i == 0 { diagnostic.label(label) } else { diagnostic.also(edge.span, label) };
    }
    diagnostic
}
