//! `imm check`: what is wrong with a program.

use crate::cli::{Check, Global};
use crate::compile;
use crate::failure::{Exit, Failure, Outcome};
use crate::project::{Project, plain, replace};
use crate::ui::{self, Style};
use imm_compiler::Checked;
use imm_ir::{Applicability, Diagnostic, Edit, FileId};
use std::collections::BTreeMap;

/// So often at most a program is looked at again after fixes.
const MOST_PASSES: usize = 10;

/// Shows every diagnostic; ends with 1 when one of them is an error.
pub fn run(global: &Global, args: &Check) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let options = compile::options(&project, &args.params)?;
    let world = compile::world()?;
    let path = project.path.to_string_lossy();
    let mut checked = imm_compiler::check(&world, &path, &options);
    if args.fix {
        // One fix may show the next mistake.
        let mut fixed = 0;
        for _ in 0..MOST_PASSES {
            let now = fix(&project, &checked)?;
            if now == 0 {
                break;
            }
            fixed += now;
            checked = imm_compiler::check(&world, &path, &options);
        }
        if fixed > 0 && !global.quiet {
            ui::err(&format!("fixed {fixed}\n"));
        }
    }
    let errors = checked.diagnostics.iter().filter(|d| d.is_error()).count();
    if args.json {
        ui::out(&ui::diagnostics::json_lines(&checked.diagnostics, &checked.sources));
    } else {
        ui::err_as_it_is(&ui::diagnostics::render(&checked.diagnostics, &checked.sources, style.color));
        summary(&checked.diagnostics, global.quiet);
    }
    // The process ends, which takes the memory of a large program back at once.
    std::mem::forget(checked);
    Ok(if errors == 0 { Exit::Done } else { Exit::Failed })
}

fn summary(diagnostics: &[Diagnostic], quiet: bool) {
    let errors = diagnostics.iter().filter(|d| d.is_error()).count();
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let warnings = diagnostics.len() - errors;
    match (errors, warnings) {
        (0, 0) if quiet => {}
        (0, 0) => ui::err("No mistakes found.\n"),
        _ => {
            let first = diagnostics.iter().find(|d| d.is_error()).or_else(|| diagnostics.first());
            let code = first.map_or("", |d| d.code.0);
            ui::err(&format!(
                "{}, {}. `imm explain {code}` tells more.\n",
                count(errors, "error"),
                count(warnings, "warning")
            ));
        }
    }
}

/// Applies the safe fixes that do not overlap. A file that would have more mistakes in its text than before is left
/// alone. Answers how many were applied.
fn fix(project: &Project, checked: &Checked) -> Result<usize, Failure> {
    let mut edits: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
    let mut fixes: BTreeMap<FileId, usize> = BTreeMap::new();
    for diagnostic in &checked.diagnostics {
        let Some(fix) = diagnostic.fixes.iter().find(|f| f.applicability == Applicability::Safe) else { continue };
        let Some(file) = fix.edits.first().map(|edit| edit.span.file) else { continue };
        let overlaps = |edit: &Edit| {
            let taken = edits.get(&edit.span.file).map_or(&[][..], Vec::as_slice);
            taken.iter().any(|t| edit.span.start < t.span.end && t.span.start < edit.span.end || edit.span == t.span)
        };
        if fix.edits.iter().any(|edit| edit.span.file != file || overlaps(edit)) {
            continue;
        }
        edits.entry(file).or_default().extend(fix.edits.iter().cloned());
        *fixes.entry(file).or_default() += 1;
    }
    let folder = if project.path.is_dir() { Some(&*project.path) } else { project.path.parent() };
    let mut applied = 0;
    for (file, mut edits) in edits {
        let Some((source, folder)) = checked.sources.get(file).zip(folder) else { continue };
        edits.sort_by_key(|e| std::cmp::Reverse(e.span));
        let mut text = source.text.to_string();
        for edit in edits {
            text.replace_range(edit.span.range(), &edit.text);
        }
        let mistakes = |text: &str| imm_syntax::parse(file, text).diagnostics.len();
        if mistakes(&text) > mistakes(&source.text) {
            continue;
        }
        let path = folder.join(&*source.name);
        replace(&path, &text).map_err(|e| Failure::new(format!("{}: {}", path.display(), plain(&e))))?;
        applied += fixes.get(&file).copied().unwrap_or(0);
    }
    Ok(applied)
}
