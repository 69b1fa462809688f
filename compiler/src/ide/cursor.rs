//! What can be typed at a place: its item parsed and checked once more with a word at the cursor.

use super::{Analysis, Place};
use crate::check::facts::{CURSOR, Cursor, Facts};
use crate::check::inspect::Inspection;
use crate::stop::on_deep_stack;
use imm_ir::{FileId, SourceFile, Sources, Span};
use imm_syntax::ast::{self, ItemKind};
use imm_syntax::{Tok, Token, lex};

/// An item with a word at the cursor.
pub(super) struct Marked {
    pub module: usize,
    /// The item that it stands for.
    pub instead: Span,
    pub item: ast::Item,
    /// The program's texts, and that of `item` as one more file.
    pub sources: Sources,
    /// That file.
    pub file: FileId,
    /// Where the cursor's word ends there.
    pub offset: u32,
}

/// The part of a word at the cursor that was typed already, with what follows it.
pub(super) fn word(text: &str, offset: u32) -> (usize, usize) {
    let offset = (offset as usize).min(text.len());
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    let before = text.get(..offset).unwrap_or_default();
    let after = text.get(offset..).unwrap_or_default();
    let start = before.char_indices().rev().take_while(|(_, c)| of_word(*c)).last().map_or(offset, |(i, _)| i);
    let end = offset + after.find(|c: char| !of_word(c)).unwrap_or(after.len());
    (start, end)
}

/// The token a place is inside of, a comment included.
pub(super) fn token_around(text: &str, offset: u32) -> Option<Token> {
    let lexed = lex(FileId(0), text);
    let mut all = lexed.tokens.iter().chain(&lexed.comments);
    let inside = |t: &&Token| match t.kind {
        // Comments reach to the end of their line.
        Tok::Comment | Tok::Doc | Tok::ModuleDoc | Tok::Hash => t.start < offset && offset <= t.end,
        _other => t.start < offset && offset < t.end,
    };
    all.find(inside).copied()
}

/// The text around an item that belongs to it: up to the next one, or to the end of its part.
fn region(analysis: &Analysis, at: Place) -> Option<(usize, &ast::Item, usize, usize)> {
    let (module, item) = analysis.item_at(at)?;
    let text = analysis.text(at.file);
    let next = analysis.item_behind(item.span);
    let end = next.map_or(text.len(), |next| next.docs.as_ref().map_or(next.span, |docs| docs.span).start as usize);
    Some((module, item, item.span.start as usize, end))
}

/// The item at a place in a part with a word there; `None` between items, in comments and in texts.
pub(super) fn marked(analysis: &Analysis, at: Place) -> Option<Marked> {
    let (module, item, start, end) = region(analysis, at)?;
    let text = analysis.text(at.file);
    let region = text.get(start..end)?;
    let local = at.offset.checked_sub(u32::try_from(start).ok()?)?;
    let silent = [Tok::Comment, Tok::Doc, Tok::ModuleDoc, Tok::Hash, Tok::Str, Tok::RawStr, Tok::StrText];
    if token_around(region, local).is_some_and(|token| silent.contains(&token.kind)) {
        return None;
    }
    let (from, to) = word(region, local);
    if from == 0 || !is_inside(region, from, item) {
        return None;
    }
    let file = FileId(u32::try_from(analysis.sources().iter().count()).ok()?);
    let with = |insert: &str, after: &str| {
        let before = region.get(..from).unwrap_or_default();
        let rest = region.get(to..).unwrap_or_default();
        format!("{before}{insert}{after}{rest}")
    };
    // What is typed may be all there is of its item.
    let tries =
        [with(CURSOR, ""), with(CURSOR, " {}"), with(CURSOR, " = 0"), format!("{} = 0", with(CURSOR, "").trim_end())];
    let parsed = tries.into_iter().find_map(|text| {
        let parsed = imm_syntax::parse(file, &text);
        let item = parsed.module.items.into_iter().next()?;
        if contains_error_only(&item) { None } else { Some((item, text)) }
    });
    let (mut item_marked, text_marked) = parsed?;
    item_marked.docs = item.docs.clone();
    let mut sources = analysis.sources().clone();
    sources.add(SourceFile::new("", text_marked));
    let offset = u32::try_from(from + CURSOR.len()).ok()?;
    Some(Marked { module, instead: item.span, item: item_marked, sources, file, offset })
}

fn contains_error_only(item: &ast::Item) -> bool {
    matches!(item.kind, ItemKind::Error(_))
}

/// Whether a place still belongs to an item: in it, on its last line, or where more of it must come.
fn is_inside(region: &str, from: usize, item: &ast::Item) -> bool {
    let length = (item.span.end - item.span.start) as usize;
    let between = region.get(length..from).unwrap_or_default();
    if from <= length || !between.contains('\n') || matches!(item.kind, ItemKind::Error(_)) {
        return true;
    }
    let before = region.get(..from).unwrap_or_default();
    let indented = before.ends_with([' ', '\t']);
    open_brackets(before) > 0 || (indented && before.trim_end().ends_with(['=', ',', '+', '.', '(']))
}

/// How many brackets are open at the end of a text.
fn open_brackets(text: &str) -> i64 {
    let of = |token: &Token| match token.kind {
        Tok::LParen | Tok::LBracket | Tok::LBrace | Tok::HoleOpen => 1,
        Tok::RParen | Tok::RBracket | Tok::RBrace | Tok::HoleClose => -1,
        _other => 0,
    };
    lex(FileId(0), text).tokens.iter().map(of).sum()
}

impl Marked {
    /// Asks about the program with the cursor in it.
    pub fn inspect<T: Send>(&self, analysis: &Analysis, ask: impl Fn(&mut Inspection<'_>, &Facts) -> T + Sync) -> T {
        on_deep_stack(&|| {
            let instead = Some((self.instead, &self.item));
            let mut inspection = Inspection::new(&analysis.loaded.modules, &self.sources, instead);
            inspection.item(self.module, &self.item);
            let facts = inspection.facts();
            ask(&mut inspection, &facts)
        })
    }
}

/// What the facts say of the cursor.
pub(super) fn cursor(facts: &Facts) -> Option<&Cursor> {
    facts.cursor.as_ref()
}
