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
    let help = "break it: let one of them use a value that is known without the other";
    cycle(code::DEPENDENCY_CYCLE, "these need each other", edges).help(help)
}

/// Functions that call each other.
pub fn recursive(edges: &[Edge]) -> Diagnostic {
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
