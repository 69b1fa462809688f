//! A program as text with its expected diagnostics below the lines they belong to: `^ code` under the first character
//! of the primary label.

use crate::check::{ModuleInput, check as run};
use crate::hir::TypedModule;
use imm_ir::{Diagnostic, SourceFile, Sources, kinds};
use imm_syntax::ast::{ImportPath, ItemKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Checks a program of one file with the built-in kinds.
pub fn checked(text: &str) -> (TypedModule, Vec<Diagnostic>, Sources) {
    checked_modules(&[("main", text)], &[])
}

/// Checks several modules of one file each; `imports` says which path text means which module.
pub fn checked_modules(modules: &[(&str, &str)], imports: &[(&str, usize)]) -> (TypedModule, Vec<Diagnostic>, Sources) {
    let mut sources = Sources::default();
    let mut inputs = Vec::new();
    let mut found = Vec::new();
    let mut standard = Vec::new();
    for (name, text) in modules {
        let file = sources.add(SourceFile::new(format!("{name}.imm"), *text));
        let parsed = imm_syntax::parse(file, text);
        found.extend(parsed.diagnostics);
        let mut targets = BTreeMap::new();
        for item in &parsed.module.items {
            let ItemKind::Import(import) = &item.kind else { continue };
            let target = match &import.path {
                ImportPath::Folder(path) => imports.iter().find(|(p, _)| Some(*p) == path.plain()).map(|(_, i)| *i),
                ImportPath::Module(segments) => {
                    let module = segments.last().and_then(|name| crate::stdlib::module(name.as_str()));
                    module.map(|module| {
                        standard.push(module);
                        modules.len() + standard.len() - 1
                    })
                }
            };
            targets.insert(import.path.span(), target);
        }
        let files = vec![(file, parsed.module.into())];
        inputs.push(ModuleInput { name: Arc::from(*name), files, standard: None, imports: targets });
    }
    for module in standard {
        let file = sources.add(SourceFile::new(module.file(), module.source));
        let files = vec![(file, imm_syntax::parse(file, module.source).module.into())];
        let standard = Some(Arc::from(module.name));
        inputs.push(ModuleInput { name: Arc::from(module.name), files, standard, ..ModuleInput::default() });
    }
    let (module, diagnostics) = run(&inputs, 0, &sources, kinds::builtin());
    found.extend(diagnostics);
    (module, found, sources)
}

/// What a person would need to see why a test failed.
pub fn shown(found: &[Diagnostic], sources: &Sources) -> String {
    let one = |d: &Diagnostic| format!("{} [{}] {} {:?}\n", sources.loc(d.span()), d.code, d.message, d.helps);
    found.iter().map(one).collect()
}

/// Expects no diagnostics at all.
#[track_caller]
pub fn clean(text: &str) -> TypedModule {
    let (module, found, sources) = checked(text);
    assert!(found.is_empty(), "{}", shown(&found, &sources));
    module
}

/// Expects exactly the diagnostics that are marked below their lines.
#[track_caller]
pub fn check(marked: &str) -> Vec<Diagnostic> {
    let mut program: Vec<&str> = Vec::new();
    let mut expected: Vec<(usize, usize, String)> = Vec::new();
    for line in marked.lines() {
        match line.find('^').filter(|at| line[..*at].trim().is_empty()) {
            Some(at) => expected.push((program.len(), at + 1, line[at + 1..].trim().to_owned())),
            None => program.push(line),
        }
    }
    let text = program.join("\n") + "\n";
    let (_, found, sources) = checked(&text);
    let place = |d: &Diagnostic| {
        let loc = sources.loc(d.span());
        (loc.line as usize, loc.column as usize, d.code.to_string())
    };
    let mut actual: Vec<_> = found.iter().map(place).collect();
    actual.sort();
    expected.sort();
    assert_eq!(actual, expected, "\n{}", shown(&found, &sources));
    found
}
