//! A line typed beside a program: an expression with its type and value, or more items.
//!
//! The line is one more file of the root module, so it sees all that the module sees, and its diagnostics are the
//! compiler's with spans into the line. It changes nothing.

use crate::evaluate::Purpose;
use crate::world::World;
use crate::{Failed, Options, check, code, kinds, sources};
use imm_ir::{Diagnostic, Graph, Sources, Term, Type};
use imm_syntax::ast::{Item, ItemKind};
use std::sync::Arc;

/// The name of the file that a line is.
pub const LINE: &str = "<line>";
/// The name of the file that earlier items of a session are.
pub const SESSION: &str = "<session>";
/// The output that stands for an expression. No program can say it.
const VALUE: &str = "value_of_the_line_";

/// What an expression is.
#[derive(Clone, Debug)]
pub struct Calculated {
    /// Its type; [`Type::Late`] in it says what is known only after create.
    pub ty: Type,
    /// Its value, as far as it is known. `None`: a param without a value is in it.
    pub term: Option<Term>,
    /// The program's files and the line, for diagnostics.
    pub sources: Sources,
    /// Warnings about the line.
    pub warnings: Vec<Diagnostic>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineForm {
    /// One or more items.
    Items,
    /// An expression.
    Expression,
    /// It goes on: brackets are open.
    Open,
    /// Nothing.
    Empty,
}

/// What a line is, from its words alone.
pub fn form(text: &str) -> LineForm {
    let lexed = imm_syntax::lex(imm_ir::FileId(0), text);
    let mut depth = 0i64;
    let mut open_text = false;
    for token in &lexed.tokens {
        use imm_syntax::Tok;
        match token.kind {
            Tok::LParen | Tok::LBracket | Tok::LBrace | Tok::HoleOpen => depth += 1,
            Tok::RParen | Tok::RBracket | Tok::RBrace | Tok::HoleClose => depth -= 1,
            Tok::StrOpen => open_text = true,
            Tok::StrClose => open_text = false,
            _other => {}
        }
    }
    if lexed.tokens.iter().all(|token| token.kind == imm_syntax::Tok::Newline) {
        return LineForm::Empty;
    }
    let unfinished = lexed.diagnostics.iter().any(|d| d.code == code::UNTERMINATED_STRING);
    if depth > 0 || (open_text && unfinished && text.contains("\"\"\"")) {
        return LineForm::Open;
    }
    if begins_item(&lexed.tokens) { LineForm::Items } else { LineForm::Expression }
}

/// Whether a line declares something, finished or not.
pub fn declares(text: &str) -> bool {
    begins_item(&imm_syntax::lex(imm_ir::FileId(0), text).tokens)
}

fn begins_item(tokens: &[imm_syntax::Token]) -> bool {
    let mut words = tokens.iter().map(|token| token.kind).filter(|kind| *kind != imm_syntax::Tok::Newline);
    let (first, second) = (words.next(), words.next());
    // Any word may be a name before a dot or operator; a declaration has its own next word.
    let names = matches!(second, Some(imm_syntax::Tok::Ident | imm_syntax::Tok::Upper | imm_syntax::Tok::Str))
        || second.is_some_and(|word| (imm_syntax::Tok::True..=imm_syntax::Tok::Expect).contains(&word));
    first.is_some_and(|first| first.starts_item() && (names || first == imm_syntax::Tok::Assert))
}

/// The typed value of an expression beside a program and earlier items of the session.
///
/// # Errors
/// The diagnostics of the program and the line, when one of them is an error.
pub fn calculate(
    world: &dyn World,
    path: &str,
    options: &Options,
    session: &str,
    line: &str,
) -> Result<Calculated, Box<Failed>> {
    let mut loaded = sources::load_with(world, path, &[(SESSION, session)]);
    let file = loaded.sources.add(imm_ir::SourceFile::new(LINE, line));
    let (expr, mut diagnostics) = imm_syntax::parse_expr(file, line);
    diagnostics.extend(std::mem::take(&mut loaded.diagnostics));
    let name = imm_syntax::ast::Name { text: VALUE.into(), span: expr.span };
    let span = expr.span;
    let output = imm_syntax::ast::Output { name, ty: None, value: expr };
    let item = Item { docs: None, public: None, kind: ItemKind::Output(output), span };
    let tree = imm_syntax::ast::Module { docs: None, items: vec![item] };
    if let Some(root) = loaded.modules.first_mut() {
        root.files.push((file, Arc::new(tree)));
    }
    let (module, found) = check::check(&loaded.modules, 0, &loaded.sources, kinds::builtin());
    diagnostics.extend(found);
    diagnostics.retain(|d| d.is_error() || d.span().file == file);
    diagnostics.retain(|d| d.code != code::UNUSED_BINDING);
    let mut sources = loaded.sources;
    let failed = |sources: Sources, mut diagnostics: Vec<Diagnostic>| {
        // What is wrong with the line is what was asked about.
        if diagnostics.iter().any(|d| d.span().file == file && d.is_error()) {
            diagnostics.retain(|d| d.span().file == file);
        }
        diagnostics.sort_by_key(|d| (d.span(), d.code));
        Box::new(Failed { sources, diagnostics, wanted_secrets: Vec::new() })
    };
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(failed(sources, diagnostics));
    }
    let ty = module.root.outputs.iter().find(|o| &*o.name == VALUE).map_or(Type::Error, |o| o.value.ty.clone());
    let folder = &loaded.folder;
    let evaluated = crate::evaluate::evaluate(&module, &mut sources, world, folder, options, Purpose::Check);
    let term = value(&evaluated.graph);
    let wrong = |d: &Diagnostic| d.is_error() && (d.span().file == file || term.is_none());
    if evaluated.diagnostics.iter().any(wrong) {
        return Err(failed(sources, evaluated.diagnostics));
    }
    let warnings = diagnostics;
    Ok(Calculated { ty, term, sources, warnings })
}

fn value(graph: &Graph) -> Option<Term> {
    graph.outputs.iter().find(|output| &*output.name == VALUE).map(|output| output.term.clone())
}

/// The names that items declare.
pub fn names(text: &str) -> Vec<Arc<str>> {
    let parsed = imm_syntax::parse(imm_ir::FileId(0), text);
    parsed.module.items.iter().filter_map(|item| item.name()).map(|name| Arc::from(name.as_str())).collect()
}

/// Checks more items beside a program; answers the names they declare.
///
/// # Errors
/// What is wrong with them.
pub fn declare(world: &dyn World, path: &str, session: &str, line: &str) -> Result<Vec<Arc<str>>, Box<Failed>> {
    let loaded = sources::load_with(world, path, &[(SESSION, session), (LINE, line)]);
    let file = loaded.sources.iter().find(|(_, file)| &*file.name == LINE).map(|(id, _)| id);
    let (_, found) = check::check(&loaded.modules, 0, &loaded.sources, kinds::builtin());
    let mut diagnostics = loaded.diagnostics;
    diagnostics.extend(found);
    diagnostics.retain(|d| Some(d.span().file) == file && d.is_error());
    if !diagnostics.is_empty() {
        return Err(Box::new(Failed { sources: loaded.sources, diagnostics, wanted_secrets: Vec::new() }));
    }
    let own = loaded.modules.first().and_then(|m| m.files.iter().find(|(id, _)| Some(*id) == file));
    let names = own.into_iter().flat_map(|(_, tree)| &tree.items).filter_map(|item| item.name());
    Ok(names.map(|name| Arc::from(name.as_str())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryWorld;

    fn says(line: &str) -> String {
        let program = "param n: Int = 2\nresource page = site { files = { a = \"\" } }\npointer front = route { listen = 8080, to = page }\n";
        let world = MemoryWorld::new([("main.imm", program)]);
        match calculate(&world, "", &Options::default(), "let twice = n * 2\n", line) {
            Ok(found) => format!("{:?}: {}", found.term, found.ty),
            Err(failed) => {
                let first = failed.diagnostics.first().unwrap();
                let loc = failed.sources.loc(first.span());
                format!("{loc} {} {}", first.code, first.message)
            }
        }
    }

    #[test]
    fn expressions_have_type_and_value() {
        assert_eq!(says("n + 1"), "Some(3): Int");
        assert_eq!(says("twice"), "Some(4): Int");
        assert!(says("front.url").ends_with(": ~String"), "{}", says("front.url"));
    }

    #[test]
    fn mistakes_are_in_the_line() {
        assert!(says("n +").starts_with("<line>:1:"), "{}", says("n +"));
        assert!(says("m + 1").starts_with("<line>:1:1 unknown-name"), "{}", says("m + 1"));
        assert!(says("n / 0").contains("division-by-zero"), "{}", says("n / 0"));
    }

    #[test]
    fn lines_tell_their_form() {
        assert_eq!(form("let a = 1"), LineForm::Items);
        assert_eq!(form("resource a = image {"), LineForm::Open);
        assert_eq!(form("[1,"), LineForm::Open);
        assert_eq!(form("1 + 2"), LineForm::Expression);
        assert_eq!(form("// nothing"), LineForm::Empty);
    }
}
