//! Types that are not written, and `~` where a value is known only after create.

use super::Analysis;
use crate::check::facts::Facts;
use crate::types::scan;
use imm_ir::{Span, Type};
use imm_syntax::ast::{self, BlockBody, EntryKind, ExprKind, ItemKind};

/// Text that an editor shows between the letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Where, in bytes of the file that was asked about.
    pub offset: u32,
    /// What to show there.
    pub text: String,
    /// What the pointer on it is told.
    pub tooltip: String,
}

/// Longer types say less than they cost.
const LONGEST: usize = 40;

/// The hints of a part of a file.
pub fn inlay_hints(analysis: &Analysis, span: Span) -> Vec<Hint> {
    let items = analysis.items_within(span);
    let mut hints = analysis.inspect(|inspection| {
        items.iter().for_each(|(module, item)| inspection.item(*module, item));
        let facts = inspection.facts();
        let mut hints = Vec::new();
        let mut open: Vec<&ast::Item> = items.iter().map(|(_, item)| *item).collect();
        while let Some(item) = open.pop() {
            if let ItemKind::Component(component) = &item.kind {
                open.extend(&component.items);
            }
            let first = hints.len();
            of_item(&facts, item, &mut hints);
            let start = analysis.whole(Span { start: 0, ..item.span }).start;
            hints.iter_mut().skip(first).for_each(|hint| hint.offset += start);
        }
        for (_, name, at, ty) in &facts.locals {
            if analysis.whole(*at).file == span.file
                && &**name != "it"
                && analysis.sources().text(*at) == &**name
                && !is_param(&items, *at)
            {
                hints.extend(type_hint(analysis.whole(*at).end, ty));
            }
        }
        hints
    });
    hints.retain(|hint| span.start <= hint.offset && hint.offset <= span.end);
    hints.sort_by(|a, b| (a.offset, &a.text).cmp(&(b.offset, &b.text)));
    hints.dedup();
    hints
}

fn of_item(facts: &Facts, item: &ast::Item, hints: &mut Vec<Hint>) {
    match &item.kind {
        ItemKind::Let(ast) if ast.ty.is_none() => {
            hints.extend(type_of(facts, ast.value.span).and_then(|ty| type_hint(ast.name.span.end, ty)));
        }
        ItemKind::Output(ast) if ast.ty.is_none() => {
            hints.extend(type_of(facts, ast.value.span).and_then(|ty| type_hint(ast.name.span.end, ty)));
        }
        ItemKind::Node(node) => late_fields(facts, &node.fields, hints),
        _other => {}
    }
}

/// A field whose value is late as a whole.
fn late_fields(facts: &Facts, block: &ast::Block, hints: &mut Vec<Hint>) {
    let BlockBody::Entries(entries) = &block.body else { return };
    for entry in entries {
        let EntryKind::Field { key, value } = &entry.kind else { continue };
        match &value.unparenthesized().kind {
            ExprKind::Block(inner) => late_fields(facts, inner, hints),
            ExprKind::Construct(it) => late_fields(facts, &it.fields, hints),
            _leaf if type_of(facts, value.span).is_some_and(|ty| scan(ty).late) => hints.push(Hint {
                offset: key.span.end,
                text: "~".to_owned(),
                tooltip: "known only after create".to_owned(),
            }),
            _known => {}
        }
    }
}

fn type_of(facts: &Facts, span: Span) -> Option<&Type> {
    facts.types.iter().rev().find(|(at, _)| *at == span).map(|(_, ty)| ty)
}

fn type_hint(offset: u32, ty: &Type) -> Option<Hint> {
    let shown = super::shown(ty);
    let silent = matches!(ty, Type::Error | Type::Never);
    let text = if shown.chars().count() > LONGEST {
        let cut: String = shown.chars().take(LONGEST - 1).collect();
        format!(": {cut}…")
    } else {
        format!(": {shown}")
    };
    (!silent).then_some(Hint { offset, text, tooltip: shown })
}

/// Whether this is a parameter of a function: its type is written.
fn is_param(items: &[(usize, &ast::Item)], at: Span) -> bool {
    items.iter().any(|(_, item)| match &item.kind {
        ItemKind::Fn(function) => function.params.iter().any(|param| param.name.span == at),
        _other => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::program;
    use super::*;

    fn hinted(text: &str) -> String {
        let (analysis, _) = program(text);
        let file = analysis.file("main.imm").unwrap();
        let hints = inlay_hints(&analysis, Span::new(file, 0, text.len()));
        let mut shown = text.to_owned();
        for hint in hints.iter().rev() {
            shown.insert_str(hint.offset as usize, &format!("«{}»", hint.text));
        }
        shown
    }

    #[test]
    fn types_that_are_not_written() {
        assert_eq!(hinted("let a = 1\n"), "let a«: Int» = 1\n");
        assert_eq!(hinted("let a: Int = 1\n"), "let a: Int = 1\n");
        assert_eq!(hinted("let a = [1].map(x => x)\n"), "let a«: [Int]» = [1].map(x«: Int» => x)\n");
        assert_eq!(hinted("fn f(a: Int) -> Int = a\n"), "fn f(a: Int) -> Int = a\n");
        assert_eq!(hinted("param n: Int where it > 0\n"), "param n: Int where it > 0\n");
    }

    #[test]
    fn what_is_late() {
        let page =
            "resource page = site { files = { a = \"\" } }\npointer front = route { listen = 8080, to = page }\n";
        let shown = hinted(&format!("{page}output u = front.url\nresource f = file {{ content = front.url }}\n"));
        assert!(
            shown.contains("output u«: ~String» = front.url") && shown.contains("content«~» = front.url"),
            "{shown}"
        );
        assert!(!shown.contains("files«"), "{shown}");
    }
}
