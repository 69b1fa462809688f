//! `imm check`: what is wrong with a program.

use crate::cli::{Check, Global};
use crate::compile;
use crate::failure::{Exit, Failure, Outcome};
use crate::project::{Project, plain};
use crate::ui::{self, Style};
use imm_compiler::Checked;
use imm_ir::{Applicability, Diagnostic, Edit, FileId};
use std::collections::BTreeMap;

/// Shows every diagnostic; ends with 1 when one of them is an error.
pub fn run(global: &Global, args: &Check) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let options = compile::options(&project, &args.params)?;
    let world = compile::world()?;
    let path = project.path.to_string_lossy();
    let mut checked = imm_compiler::check(&world, &path, &options);
    if args.fix {
        let fixed = fix(&project, &checked)?;
        if fixed > 0 {
            ui::err(&format!("fixed {fixed}\n"));
            checked = imm_compiler::check(&world, &path, &options);
        }
    }
    let errors = checked.diagnostics.iter().filter(|d| d.is_error()).count();
    if args.json {
        ui::out(&ui::diagnostics::json_lines(&checked.diagnostics, &checked.sources));
    } else {
        ui::err(&ui::diagnostics::render(&checked.diagnostics, &checked.sources, style.color));
        summary(&checked.diagnostics, global.quiet);
    }
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

/// Applies the safe fixes that do not overlap. Answers how many.
fn fix(project: &Project, checked: &Checked) -> Result<usize, Failure> {
    let mut edits: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
    let mut fixed = 0;
    for diagnostic in &checked.diagnostics {
        let Some(fix) = diagnostic.fixes.iter().find(|f| f.applicability == Applicability::Safe) else { continue };
        let overlaps = |edit: &Edit| {
            let taken = edits.get(&edit.span.file).map_or(&[][..], Vec::as_slice);
            taken.iter().any(|t| edit.span.start < t.span.end && t.span.start < edit.span.end || edit.span == t.span)
        };
        if fix.edits.iter().any(overlaps) {
            continue;
        }
        for edit in &fix.edits {
            edits.entry(edit.span.file).or_default().push(edit.clone());
        }
        fixed += 1;
    }
    let folder = if project.path.is_dir() { Some(&*project.path) } else { project.path.parent() };
    for (file, mut edits) in edits {
        let Some((source, folder)) = checked.sources.get(file).zip(folder) else { continue };
        edits.sort_by_key(|e| std::cmp::Reverse(e.span));
        let mut text = source.text.to_string();
        for edit in edits {
            text.replace_range(edit.span.range(), &edit.text);
        }
        let path = folder.join(&*source.name);
        // Beside, then renamed: a program is never half-written.
        let beside = path.with_extension("imm.new");
        let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &path));
        written.map_err(|e| Failure::new(format!("{}: {}", path.display(), plain(&e))))?;
    }
    Ok(fixed)
}
