//! `imm doc`: documentation of a program, of the standard library, and of what is built in.

use crate::cli::{Doc as Args, Global};
use crate::compile;
use crate::failure::{Exit, Failure, Outcome};
use crate::project::{Project, plain};
use crate::ui::{self, Style};
use imm_compiler::doc::{self, Page};
use std::io::IsTerminal;
use std::path::Path;

/// Prints a page: of the program at a path, or of a name.
pub fn run(global: &Global, args: &Args) -> Outcome {
    let style = Style::choose(global.color);
    let pages = pages(global, args, style)?;
    let markdown = || pages.iter().map(|page| doc::markdown(page, 1)).collect::<Vec<_>>().join("\n");
    if let Some(folder) = &args.html {
        return site(folder, pages);
    }
    if let Some(file) = &args.out {
        let beside = file.with_extension("md.new");
        let written = std::fs::write(&beside, markdown()).and_then(|()| std::fs::rename(&beside, file));
        written.map_err(|e| Failure::new(format!("{}: {}", file.display(), plain(&e))))?;
    } else if args.json {
        ui::json(&serde_json::json!({ "format": 1, "pages": pages }));
    } else if args.markdown || !std::io::stdout().is_terminal() && !style.color {
        ui::out(&markdown());
    } else {
        pages.iter().for_each(|page| ui::out(&ui::doc::render(page, style)));
    }
    Ok(Exit::Done)
}

/// Writes the pages and what is built in; files of the folder that have other names are left alone.
fn site(folder: &Path, own: Vec<Page>) -> Outcome {
    let kinds = imm_ir::kinds::builtin().kinds.keys().filter_map(|kind| doc::builtin(kind));
    let has = |page: &Page| own.iter().any(|own| own.title == page.title);
    let built_in: Vec<Page> = kinds.chain(doc::library()).filter(|page| !has(page)).collect();
    let files = ui::html::Site::new(own, built_in).files();
    let failed = |path: &Path, e: &std::io::Error| Failure::new(format!("{}: {}", path.display(), plain(e)));
    std::fs::create_dir_all(folder).map_err(|e| failed(folder, &e))?;
    let count = files.len() - 1;
    for (name, text) in files {
        let (path, beside) = (folder.join(&name), folder.join(format!("{name}.new")));
        let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &path));
        written.map_err(|e| failed(&path, &e))?;
    }
    ui::err(&format!("{count} pages: {}\n", folder.join("index.html").display()));
    Ok(Exit::Done)
}

fn pages(global: &Global, args: &Args, style: Style) -> Result<Vec<Page>, Failure> {
    let what = args.what.as_deref().unwrap_or(".");
    if what == "std" {
        return Ok(doc::library());
    }
    if let Some(page) = what.strip_prefix("std.").and_then(doc::standard) {
        return Ok(vec![page]);
    }
    let is_path = what == "." || what.contains('/') || what.ends_with(".imm") || Path::new(what).exists();
    if !is_path {
        return match doc::builtin(what) {
            Some(page) => Ok(vec![page]),
            None => Err(unknown(what)),
        };
    }
    let project = Project::find(global, args.what.as_deref().map(Path::new))?;
    match doc::program(&compile::world()?, &project.path.to_string_lossy()) {
        Ok(mut page) => {
            page.title.clone_from(&project.name);
            Ok(vec![page])
        }
        Err(failed) => {
            compile::show(&failed.diagnostics, &failed.sources, args.json, style);
            Err(Failure::said(Exit::Failed))
        }
    }
}

fn unknown(what: &str) -> Failure {
    let names = doc::names();
    let failure = Failure::new(format!("there is no `{what}`: no path, kind, type, method or function has this name"));
    if imm_compiler::explain::page(what).is_some() {
        return failure.help(format!("it is a diagnostic: `imm explain {what}`"));
    }
    let near = imm_compiler::similar(what, names.iter().map(String::as_str));
    let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    failure.help(format!(
        "{near}Try `imm doc .`, `imm doc route`, `imm doc Health`, `imm doc String`, `imm doc List.map`, `imm doc std` or `imm doc std.net`"
    ))
}
