//! What can be typed at a place: fields, variants, kinds, bindings, members, types, words. `values`, `names` and `words` make
//! them.

mod names;
#[cfg(test)]
mod tests;
mod values;
mod words;

use super::cursor::{cursor, marked, token_around, word};
use super::{Analysis, Place};
use crate::check::facts::Cursor;
use crate::check::inspect::Inspection;
use crate::resolve::Def;
use crate::types::fits;
use imm_ir::{Class, Span, Type};
use imm_syntax::Tok;
use names::{keys, kinds, members, module_members, types};
use values::{bindings, functions, literals, patterns, variants};
use words::{ITEM_WORDS, item_words, words_in};

/// What may stand at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completions {
    /// The word that is replaced.
    pub span: Span,
    /// The best first.
    pub items: Vec<Completion>,
    /// Not all fit into the answer: ask again when more is typed.
    pub cut: bool,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The name.
    pub label: String,
    /// What it is.
    pub kind: CompletionKind,
    /// Its type or signature.
    pub detail: String,
    /// What is said of it, Markdown.
    pub docs: String,
    /// What is inserted; `$0` in it is where typing goes on, and `\$` a dollar sign.
    pub insert: String,
    /// Smaller is better.
    pub rank: u8,
}

/// What a completion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompletionKind {
    /// A field of a block or record, an output.
    Field,
    /// A variant.
    Variant,
    /// A kind of node.
    Kind,
    /// A component.
    Component,
    /// A param, let, local or node.
    Value,
    /// A function.
    Function,
    /// A method.
    Method,
    /// A type.
    Type,
    /// An import alias.
    Module,
    /// A word of the language.
    Keyword,
}

/// More than these are not answered at once.
const MOST: usize = 200;
/// With more bindings than this only cheap types are looked at.
const MANY: usize = 400;

/// What can be typed at a place.
pub fn complete(analysis: &Analysis, at: Place) -> Option<Completions> {
    let at = analysis.inner(at);
    let text = analysis.text(at.file);
    let silent = [Tok::Comment, Tok::Doc, Tok::ModuleDoc, Tok::Hash, Tok::Str, Tok::RawStr, Tok::StrText];
    let (start, end) = word(text, at.offset);
    let typed = text.get(start..at.offset as usize).unwrap_or_default();
    if typed.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut items = match marked(analysis, at) {
        Some(marked) => marked.inspect(analysis, |inspection, facts| match cursor(facts) {
            Some(cursor) => of_cursor(inspection, cursor),
            None => words_in(&marked),
        }),
        None if token_around(text, at.offset).is_some_and(|token| silent.contains(&token.kind)) => return None,
        None if starts_line(text, start) => item_words(&ITEM_WORDS),
        None => return None,
    };
    let lower = typed.to_lowercase();
    items.retain(|item| is_like(&item.label.to_lowercase(), &lower));
    items.sort_by(|a, b| {
        let key = |c: &Completion| (!c.label.starts_with(typed), c.rank);
        // Fields and variants stay in the order in which they are declared.
        key(a).cmp(&key(b))
    });
    let mut seen = std::collections::HashSet::new();
    items.retain(|item| seen.insert((item.label.clone(), item.kind)));
    let cut = items.len() > MOST;
    items.truncate(MOST);
    Some(Completions { span: analysis.whole(Span::new(at.file, start, end)), items, cut })
}

/// Whether the letters of `typed` stand in `label` in this order.
fn is_like(label: &str, typed: &str) -> bool {
    let mut rest = label.chars();
    typed.chars().all(|c| rest.any(|other| other == c))
}

fn starts_line(text: &str, start: usize) -> bool {
    let line = text.get(..start).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
    line.trim().is_empty() || line.trim() == "pub"
}

fn item(label: &str, kind: CompletionKind) -> Completion {
    Completion {
        label: label.to_owned(),
        kind,
        detail: String::new(),
        docs: String::new(),
        insert: label.to_owned(),
        rank: 5,
    }
}

fn of_cursor(inspection: &mut Inspection<'_>, cursor: &Cursor) -> Vec<Completion> {
    match cursor {
        Cursor::Value { scope, locals, want, tested } => {
            let mut all = want.as_ref().map(literals).unwrap_or_default();
            let fit = |ty: &Type| want.as_ref().is_none_or(|want| fits(ty, want).is_ok());
            for (name, ty) in locals.iter().rev() {
                let rank = if fit(ty) { 1 } else { 4 };
                all.push(Completion { detail: ty.to_string(), rank, ..item(name, CompletionKind::Value) });
            }
            all.extend(bindings(inspection, *scope, want.as_ref(), *tested));
            all.extend(functions(want.as_ref()));
            all
        }
        Cursor::Member { of, tested } => members(inspection, of, *tested),
        Cursor::Module { module, kinds } => module_members(inspection, *module, *kinds),
        Cursor::Variants(Type::Variant(variant)) => variants(variant),
        Cursor::Variants(_) => Vec::new(),
        Cursor::Key(block) => keys(inspection, block),
        Cursor::Type(scope) => types(inspection, *scope),
        Cursor::Kind(scope, keyword) => kinds(inspection, *scope, *keyword),
        Cursor::Pattern(ty) => patterns(ty),
        Cursor::Words(what, words) => {
            let one = |word: &&str| Completion {
                insert: format!("{word} {{ $0 }}"),
                detail: (*what).to_owned(),
                ..item(word, CompletionKind::Variant)
            };
            words.iter().map(one).collect()
        }
        Cursor::Pointer(scope) => {
            let all = inspection.values(*scope);
            let pointers = all
                .into_iter()
                .filter(|(_, def)| matches!(def, Def::Node(id) if inspection.node_class(*id) == Some(Class::Pointer)));
            pointers
                .map(|(name, _)| Completion { insert: format!("{name} {{ $0 }}"), ..item(name, CompletionKind::Value) })
                .collect()
        }
    }
}
