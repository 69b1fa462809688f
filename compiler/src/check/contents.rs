//! The content functions: `file`, `tree`, `executable`, and `template`.

use super::calls::known_call;
use super::checker::{Checker, Cx};
use super::facts::Symbol;
use crate::diagnose::mismatch::{self, Place};
use crate::hir::{Expr, ExprKind, Function};
use crate::types::{scan, strip_all, unrefined};
use imm_ir::{Diagnostic, RecordType, Span, Type, code};
use imm_syntax::ast;
use std::sync::Arc;

impl Checker<'_> {
    pub(super) fn content(
        &mut self,
        cx: &mut Cx,
        name: &ast::Name,
        function: Function,
        args: &[ast::Expr],
        span: Span,
    ) -> Expr {
        let (shown, most) = match function {
            Function::Tree => ("tree(folder) or tree(folder, [what to leave out])", 2),
            Function::Executable | Function::ExecutableSelf => ("executable(self) or executable(path)", 1),
            Function::File | Function::Template | Function::Some | Function::Module(_) => ("file(path)", 1),
        };
        self.saw_call(|| {
            let params: &[&str] = match function {
                Function::Tree => &["folder: String", "ignore: [String]"],
                Function::Executable | Function::ExecutableSelf => &["program: self | String"],
                Function::File | Function::Template | Function::Some | Function::Module(_) => &["path: String"],
            };
            let params = params.iter().map(|param| (*param).to_owned()).collect();
            known_call(name, params, "Content".to_owned(), Symbol::Content(shown))
        });
        if !self.count(name, shown, 1, most, args.len()) {
            return self.broken_args(cx, args, span);
        }
        if let (Function::Executable, [only]) = (function, args)
            && matches!(&only.kind, ast::ExprKind::Name(word) if word.as_str() == "self")
            && !cx.locals.iter().any(|local| &*local.name == "self")
        {
            let kind = ExprKind::Call { function: Function::ExecutableSelf, args: Vec::new() };
            return Expr { kind, ty: Type::Content, span };
        }
        let types = [Type::String, Type::list(Type::String)];
        let check = |(arg, ty)| self.check(cx, arg, ty, Place::Value);
        let args = args.iter().zip(&types).map(check).collect();
        Expr { kind: ExprKind::Call { function, args }, ty: Type::Content, span }
    }

    pub(super) fn template(&mut self, cx: &mut Cx, name: &ast::Name, args: &[ast::Expr], span: Span) -> Expr {
        self.saw_call(|| {
            let params = vec!["path: String".to_owned(), "variables: { … }".to_owned()];
            known_call(name, params, "String".to_owned(), Symbol::Content("template(path, { variables })"))
        });
        if !self.count(name, "template(path, { variables })", 2, 2, args.len()) {
            return self.broken_args(cx, args, span);
        }
        let [path, record] = args else { return self.broken_args(cx, args, span) };
        let path = self.check(cx, path, &Type::String, Place::Value);
        let empty = Type::Record(Arc::default());
        let is_empty = matches!(&record.unparenthesized().kind, ast::ExprKind::Block(block)
            if matches!(&block.body, ast::BlockBody::Entries(entries) if entries.is_empty()));
        let record = self.expr(cx, record, is_empty.then_some(&empty));
        let taint = scan(&record.ty);
        match strip_all(&record.ty) {
            Type::Error => {}
            Type::Record(fields) => self.template_fields(&fields, &record),
            other => {
                let text = format!("the variables of a template are a record, and this is `{other}`");
                let diagnostic = Diagnostic::error(code::TYPE_MISMATCH, record.span, text).label("not a record");
                self.report(diagnostic.help("write `{ name, other = value }`"));
            }
        }
        let kind = ExprKind::Call { function: Function::Template, args: vec![path, record] };
        Expr { kind, ty: taint.on(Type::String), span }
    }

    fn template_fields(&mut self, record: &RecordType, expr: &Expr) {
        for field in &record.fields {
            let span = match &expr.kind {
                ExprKind::Record(fields) => fields.iter().find(|(n, _)| *n == field.name).map(|(_, v)| v.span),
                _other => None,
            };
            let span = span.unwrap_or(expr.span);
            match unrefined(&field.ty) {
                Type::String | Type::Int | Type::Bool | Type::Error => {}
                Type::Variant(v) if v.variants.iter().all(|case| case.payload.fields.is_empty()) => {}
                Type::Record(inner) => self.template_fields(inner, expr),
                other => {
                    let source = self.text(span);
                    self.report(mismatch::hole(other, span, source));
                }
            }
        }
    }
}
