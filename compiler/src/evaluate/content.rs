//! Functions that read files, and the standard modules' functions.

use super::{Evaluator, Result, UNKNOWN};
use crate::content::digest;
use crate::content::template::{self, Part};
use crate::hir::{Expr, Field, Function};
use crate::world::Program;
use imm_ir::builtin::Builtin;
use imm_ir::reduce::shown;
use imm_ir::{
    Blob, Cause, CauseKind, Content, Diagnostic, Digest, FileId, Input, SourceFile, Span, Term, Type, Value, code,
};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

impl Evaluator<'_> {
    pub(super) fn function(&mut self, function: Function, args: &[Expr], span: Span) -> Result<Arc<Term>> {
        let terms = args.iter().map(|arg| self.part(arg)).collect::<Result<Vec<_>>>()?;
        let text = |n: usize| terms.get(n).and_then(|term| term.known()).and_then(Value::as_text);
        let source = self.sources.get(span.file).map_or_else(|| Arc::from(""), |file| Arc::clone(&file.name));
        let at = args.first().map_or(span, |arg| arg.span);
        match function {
            Function::Some => Ok(terms.first().cloned().unwrap_or_else(|| Arc::new(UNKNOWN))),
            Function::Module(name) => self.apply(&Builtin::Function(Arc::from(name)), terms, span),
            Function::File => {
                let Some(path) = text(0) else { return Ok(Arc::new(UNKNOWN)) };
                let (name, blob) = self.files.file(&source, path, at).map_err(|d| self.fail(*d))?;
                let content = Content::Bytes(blob);
                self.was_read(CauseKind::File(name), &content, span);
                Ok(Arc::new(Term::Value(Value::Content(content))))
            }
            Function::Tree => {
                let Some(path) = text(0) else { return Ok(Arc::new(UNKNOWN)) };
                let ignore: Vec<String> = match terms.get(1).map(|term| term.known()) {
                    None => Vec::new(),
                    Some(Some(Value::List(items))) => {
                        items.iter().filter_map(|item| item.as_text().map(str::to_owned)).collect()
                    }
                    Some(_unknown) => return Ok(Arc::new(UNKNOWN)),
                };
                let (name, content) = self.files.tree(&source, path, &ignore, at).map_err(|d| self.fail(*d))?;
                self.was_read(CauseKind::File(name), &content, span);
                Ok(Arc::new(Term::Value(Value::Content(content))))
            }
            Function::ExecutableSelf | Function::Executable => {
                let program = match (function, text(0)) {
                    (Function::ExecutableSelf, _) => Program::Running,
                    (_, Some(path)) => Program::Path(path),
                    (_, None) => return Ok(Arc::new(UNKNOWN)),
                };
                let (name, executable) = self.files.executable(&source, program, at).map_err(|d| self.fail(*d))?;
                let content = Content::Executable(Box::new(executable));
                self.was_read(CauseKind::Machine(name), &content, span);
                Ok(Arc::new(Term::Value(Value::Content(content))))
            }
            Function::Template => {
                let Some(path) = text(0) else { return Ok(Arc::new(UNKNOWN)) };
                let (name, blob) = self.files.file(&source, path, at).map_err(|d| self.fail(*d))?;
                self.was_read(CauseKind::File(Arc::clone(&name)), &Content::Bytes(blob.clone()), span);
                let (Some(record), Some(arg)) = (terms.get(1), args.get(1)) else { return Ok(Arc::new(UNKNOWN)) };
                self.template(&name, &blob, record, arg, span)
            }
        }
    }

    /// A base that others made is read: its content decides what the image is, not its place.
    pub(super) fn base(&mut self, input: &mut Input, written: &Field) -> Result<()> {
        let Some(Value::Variant(tag, payload)) = input.term.known() else { return Ok(()) };
        let archive = match &**tag {
            "layout" => false,
            "archive" => true,
            _other => return Ok(()),
        };
        let Some(path) = payload.get("path").and_then(Value::as_text) else { return Ok(()) };
        let span = written.value.span;
        let source = self.sources.get(span.file).map_or_else(|| Arc::from(""), |file| Arc::clone(&file.name));
        let Some((name, image)) = self.files.image(&source, path, archive, span).map_err(|d| self.fail(*d))? else {
            return Ok(());
        };
        let (tag, mut payload) = (Arc::clone(tag), payload.clone());
        let content = Content::Image(Box::new(image));
        let digest = digest(&content);
        payload.insert(Arc::from("image"), Value::Content(content));
        input.term = Term::Value(Value::Variant(tag, payload));
        let what = if name.starts_with('/') { CauseKind::Machine(name) } else { CauseKind::File(name) };
        input.causes.push(Cause { what, loc: self.loc(span), digest });
        Ok(())
    }

    fn was_read(&mut self, what: CauseKind, content: &Content, span: Span) {
        self.cause(|e| Cause { what, loc: e.loc(span), digest: digest(content) });
    }

    fn template(
        &mut self,
        name: &Arc<str>,
        blob: &Blob,
        record: &Arc<Term>,
        arg: &Expr,
        span: Span,
    ) -> Result<Arc<Term>> {
        let Ok(text) = std::str::from_utf8(&blob.bytes) else {
            let message = format!("the template `{name}` is not UTF-8 text");
            return Err(self.fail(
                Diagnostic::error(code::FILE_NOT_FOUND, span, message)
                    .help("file(…) takes any bytes, without variables"),
            ));
        };
        let parts = match template::parse(text) {
            Ok(parts) => parts,
            Err(broken) => {
                let at = self.in_template(name, text, &broken.at);
                return Err(self.fail(
                    Diagnostic::error(code::TEMPLATE_VARIABLE, at, broken.message)
                        .help(broken.help)
                        .also(span, "the template is used here"),
                ));
            }
        };
        let mut used: BTreeSet<&str> = BTreeSet::new();
        let mut args = Vec::with_capacity(parts.len());
        for part in &parts {
            match part {
                Part::Text(text) => args.push(Arc::new(Term::Value(Value::text(text.as_str())))),
                Part::Hole { path, at } => {
                    used.extend(path.first().map(String::as_str));
                    if let Err(problem) = variable(path, &arg.ty) {
                        let at = self.in_template(name, text, at);
                        let diagnostic = Diagnostic::error(code::TEMPLATE_VARIABLE, at, problem.message);
                        let diagnostic = problem.helps.into_iter().fold(diagnostic, Diagnostic::help);
                        return Err(self.fail(diagnostic.also(arg.span, "the variables are given here")));
                    }
                    let mut term = Arc::clone(record);
                    for field in path {
                        term = self.apply(&Builtin::Field(Arc::from(field.as_str())), vec![term], span)?;
                    }
                    args.push(term);
                }
            }
        }
        if let Some(unused) = names(&arg.ty).into_iter().find(|field| !used.contains(field)) {
            let message = format!("the template `{name}` does not use `{unused}`");
            return Err(self.fail(
                Diagnostic::error(code::TEMPLATE_VARIABLE, arg.span, message)
                    .help(format!("leave it out, or write {{{{ {unused} }}}} in the template")),
            ));
        }
        self.apply(&Builtin::Concat, args, span)
    }

    /// A place in a template file, which becomes one of the sources for it.
    fn in_template(&mut self, name: &Arc<str>, text: &str, at: &Range<usize>) -> Span {
        let file: FileId = match self.reported_files.get(name) {
            Some(file) => *file,
            None => {
                let file = self.sources.add(SourceFile::new(Arc::clone(name), text));
                self.reported_files.insert(Arc::clone(name), file);
                file
            }
        };
        Span::new(file, at.start, at.end)
    }
}

struct Problem {
    message: String,
    helps: Vec<String>,
}

fn names(ty: &Type) -> Vec<&str> {
    match super::expr::bare(ty) {
        Type::Record(record) => record.fields.iter().map(|field| &*field.name).collect(),
        _other => Vec::new(),
    }
}

/// Whether a variable of a template exists and can be written as text.
fn variable(path: &[String], ty: &Type) -> std::result::Result<(), Problem> {
    let mut ty = ty;
    for (depth, name) in path.iter().enumerate() {
        let Type::Record(record) = super::expr::bare(ty) else {
            let whole = path.get(..depth).unwrap_or_default().join(".");
            return Err(Problem { message: format!("`{whole}` has no fields"), helps: Vec::new() });
        };
        let Some(field) = record.field(name) else {
            let near = crate::sources::path::nearest(name, names(ty));
            let helps = match near.first() {
                Some(near) => vec![format!("did you mean `{near}`?")],
                None => vec![format!("give it: template(…, {{ {name} = … }}); {{{{{{{{ writes two braces")],
            };
            return Err(Problem { message: format!("nothing gives `{}`", path.join(".")), helps });
        };
        ty = &field.ty;
    }
    let help = match super::expr::bare(ty) {
        Type::String | Type::Int | Type::Bool | Type::Error | Type::Never => return Ok(()),
        Type::Variant(variant) if variant.variants.iter().all(|case| case.payload.fields.is_empty()) => return Ok(()),
        Type::Duration => "write .in_ms(), .in_s() or .text() where it is given",
        Type::Bytes => "write .in_mib() or .text() where it is given",
        Type::Ratio | Type::Cpu | Type::Float => "write .text() where it is given",
        Type::Option(_) => "say what stands there without a value: `?? \"\"`",
        Type::List(_) => "make it one text where it is given, for example .join(\", \")",
        _other => "only String, Int, Bool and variants without payload can be written",
    };
    Err(Problem { message: format!("`{}` is {ty} and no text", path.join(".")), helps: vec![help.to_owned()] })
}

/// How a value is shown to people in causes: `[secret]` for a secret, shortened when long.
pub(super) fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => format!("{text:?}"),
        other => shown(other),
    };
    if text.chars().count() <= 60 {
        return text;
    }
    let mut cut: String = text.chars().take(57).collect();
    cut.push_str("...");
    cut
}

/// The digest of a value; of nothing for a secret.
pub(super) fn value_digest(value: &Value) -> Digest {
    if value.has_secret() {
        return Digest::of(b"");
    }
    let mut out = imm_ir::Encoder::new("imm.value.1");
    value.encode(&mut out);
    out.finish()
}

/// The digest of a value that may have holes; of nothing for a secret.
pub(super) fn term_digest(term: &Term) -> Digest {
    if term.has_secret() {
        return Digest::of(b"");
    }
    let mut out = imm_ir::Encoder::new("imm.term.1");
    imm_ir::spec::encode_term(term, &mut out, &mut |addr, out| out.text(addr.as_str()));
    out.finish()
}
