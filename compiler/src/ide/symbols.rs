//! The outline of a file, and names in a whole program.

use super::Analysis;
use imm_ir::{FileId, Span};
use imm_syntax::ast::{self, ItemKind, TypeDefinition};

/// A thing with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// What it is of: the kind of a node, the type of a param.
    pub detail: String,
    /// What it is.
    pub kind: SymbolKind,
    /// The whole.
    pub span: Span,
    /// Its name.
    pub name_span: Span,
    /// What is inside.
    pub children: Vec<Symbol>,
}

/// What a symbol is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    /// A param.
    Param,
    /// A let.
    Let,
    /// A function.
    Fn,
    /// A node or use.
    Node,
    /// A component.
    Component,
    /// A type.
    Type,
    /// A variant of a type.
    Variant,
    /// An output.
    Output,
    /// An environment.
    Environment,
    /// A test.
    Test,
    /// An import.
    Import,
    /// A provider.
    Provider,
}

/// What a file declares, in its order.
pub fn document_symbols(analysis: &Analysis, file: FileId) -> Vec<Symbol> {
    let items = analysis.parts(file).flat_map(|(_, _, tree)| &tree.items);
    items.filter_map(|item| symbol(analysis, item)).collect()
}

/// What a program declares whose name has the letters of a query in their order; at most `most`.
pub fn workspace_symbols(analysis: &Analysis, query: &str, most: usize) -> Vec<Symbol> {
    let query = query.to_lowercase();
    let like = |name: &str| {
        let mut rest = name.chars().flat_map(char::to_lowercase);
        query.chars().all(|c| rest.any(|other| other == c))
    };
    let own = |item: &&ast::Item| {
        analysis.sources().get(item.span.file).is_some_and(|file| !crate::stdlib::is_file(&file.name))
    };
    let mut found = Vec::new();
    for item in analysis.items().map(|(_, item)| item).filter(own) {
        let Some(symbol) = symbol(analysis, item) else { continue };
        let mut open = vec![symbol];
        while let Some(mut symbol) = open.pop() {
            open.append(&mut symbol.children);
            if like(&symbol.name) {
                found.push(symbol);
            }
        }
        if found.len() >= most {
            break;
        }
    }
    found.sort_by_key(|symbol| (symbol.name.len(), symbol.span));
    found.truncate(most);
    found
}

fn symbol(analysis: &Analysis, item: &ast::Item) -> Option<Symbol> {
    let text = |span: Span| analysis.sources().text(span).split_whitespace().collect::<Vec<_>>().join(" ");
    let (kind, detail) = match &item.kind {
        ItemKind::Param(ast) => (SymbolKind::Param, text(ast.ty.span)),
        ItemKind::Let(ast) => (SymbolKind::Let, ast.ty.as_ref().map(|ty| text(ty.span)).unwrap_or_default()),
        ItemKind::Fn(ast) => (SymbolKind::Fn, text(ast.result.span)),
        ItemKind::Node(ast) => (SymbolKind::Node, text(ast.kind_span())),
        ItemKind::Component(_) => (SymbolKind::Component, String::new()),
        ItemKind::Type(_) => (SymbolKind::Type, String::new()),
        ItemKind::Output(ast) => (SymbolKind::Output, ast.ty.as_ref().map(|ty| text(ty.span)).unwrap_or_default()),
        ItemKind::Environment(_) => (SymbolKind::Environment, String::new()),
        ItemKind::Provider(ast) => (SymbolKind::Provider, ast.kind.to_string()),
        ItemKind::Test(_) => (SymbolKind::Test, String::new()),
        ItemKind::Import(_) => (SymbolKind::Import, String::new()),
        ItemKind::Assert(_) | ItemKind::Error(_) => return None,
    };
    let (name, name_span) = match &item.kind {
        ItemKind::Test(test) => (test.name.plain().unwrap_or("test").to_owned(), test.name.span),
        ItemKind::Import(import) => {
            let (name, span) = crate::resolve::alias(import)?;
            (name.to_owned(), span)
        }
        _named => (item.name()?.to_string(), item.name()?.span),
    };
    let children = match &item.kind {
        ItemKind::Component(component) => component.items.iter().filter_map(|item| symbol(analysis, item)).collect(),
        ItemKind::Type(ast::TypeDecl { definition: TypeDefinition::Variants(variants), .. }) => {
            let one = |variant: &ast::Variant| Symbol {
                name: variant.name.to_string(),
                detail: String::new(),
                kind: SymbolKind::Variant,
                span: analysis.whole(variant.span),
                name_span: analysis.whole(variant.name.span),
                children: Vec::new(),
            };
            variants.iter().map(one).collect()
        }
        _flat => Vec::new(),
    };
    let name = if name.is_empty() { "unnamed".to_owned() } else { name };
    let (span, name_span) = (analysis.whole(item.span), analysis.whole(name_span));
    Some(Symbol { name, detail, kind, span, name_span, children })
}

#[cfg(test)]
mod tests {
    use super::super::testing::program;
    use super::*;

    #[test]
    fn the_outline_nests() {
        let (analysis, _) =
            program("import std.net\ntype T = a | b\ncomponent c {\n  param n: Int\n}\ntest \"t\" {}\nlet x = \n");
        let file = analysis.file("main.imm").unwrap();
        let all = document_symbols(&analysis, file);
        let shown: Vec<(&str, usize)> = all.iter().map(|s| (s.name.as_str(), s.children.len())).collect();
        assert_eq!(&shown[..4], [("net", 0), ("T", 2), ("c", 1), ("t", 0)]);
    }

    #[test]
    fn names_by_their_letters() {
        let (analysis, _) = program("let front_door = 1\nlet other = 2\n// --- b.imm\nparam food: Int\n");
        let names =
            |query| -> Vec<String> { workspace_symbols(&analysis, query, 10).into_iter().map(|s| s.name).collect() };
        assert_eq!(names("fo"), ["food", "front_door"]);
        assert_eq!(names("zz"), Vec::<String>::new());
        assert_eq!(names("").len(), 3);
    }
}
