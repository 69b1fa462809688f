//! `imm fmt`: programs in their one style. A file is replaced as a whole or left alone; broken ones are left alone.

use crate::cli::{Fmt, Global};
use crate::compile;
use crate::failure::{Exit, Failure, Outcome};
use crate::project::{plain, replace};
use crate::ui::{self, Style};
use imm_ir::{Diagnostic, SourceFile, Sources};
use serde_json::json;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Formats a file, all files below a folder, or stdin to stdout. With `--check` it writes nothing and ends with 3 when
/// something is not formatted; with 1 when something is broken.
pub fn run(global: &Global, args: &Fmt) -> Outcome {
    let style = Style::choose(global.color);
    let given = args.path.as_deref().or(global.module.as_deref());
    if given == Some(Path::new("-")) || given.is_none() && stdin_is_given() {
        return from_stdin(args, style);
    }
    let given = given.unwrap_or(Path::new("."));
    let mut files = Vec::new();
    if given.is_file() {
        if given.extension().is_none_or(|e| e != "imm") {
            return Err(Failure::new(format!("{} is not a program", given.display()))
                .help("name an .imm file, a folder, or - for stdin"));
        }
        files.push(given.to_owned());
    } else {
        collect(given, &mut files)?;
    }
    let (mut broken, mut different) = (Vec::new(), Vec::new());
    for path in &files {
        let text = std::fs::read_to_string(path).map_err(|e| failed(path, &e))?;
        match imm_syntax::format(&text) {
            Err(errors) => {
                show(&path.to_string_lossy(), text, &errors, args.json, style);
                broken.push(path.display().to_string());
            }
            Ok(formatted) if formatted == text => {}
            Ok(formatted) => {
                different.push(path.display().to_string());
                if !args.check {
                    replace(path, &formatted).map_err(|e| failed(path, &e))?;
                }
            }
        }
    }
    if args.json {
        let looked_at = files.len();
        ui::json(&json!({ "format": 1, "files": looked_at, "different": different, "broken": broken }));
    } else if args.check {
        different.iter().for_each(|path| ui::out(&format!("{path}\n")));
    } else if !global.quiet && !different.is_empty() {
        ui::err(&format!("formatted {} of {} files\n", different.len(), files.len()));
    }
    Ok(match (broken.is_empty(), args.check && !different.is_empty()) {
        (false, _) => Exit::Failed,
        (true, true) => Exit::Different,
        (true, false) => Exit::Done,
    })
}

fn from_stdin(args: &Fmt, style: Style) -> Outcome {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|e| failed(Path::new("stdin"), &e))?;
    match imm_syntax::format(&text) {
        Err(errors) => {
            show("stdin", text, &errors, args.json, style);
            Ok(Exit::Failed)
        }
        Ok(formatted) if args.check => {
            let different: &[&str] = if formatted == text { &[] } else { &["stdin"] };
            if args.json {
                ui::json(&json!({ "format": 1, "files": 1, "different": different, "broken": [] }));
            }
            Ok(if different.is_empty() { Exit::Done } else { Exit::Different })
        }
        Ok(formatted) => {
            ui::out(&formatted);
            Ok(Exit::Done)
        }
    }
}

/// Whether a pipe or a file is what stdin reads. `/dev/null`, which a job without input has, is not.
fn stdin_is_given() -> bool {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::FileTypeExt as _;
    let stdin = std::io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let kind = stdin.and_then(|f| f.metadata()).map(|m| m.file_type());
    kind.is_ok_and(|k| k.is_fifo() || k.is_file())
}

/// The programs below a folder, in order. Hidden folders hold state and are left out; links are not followed.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries: Result<Vec<_>, _> = std::fs::read_dir(dir).and_then(Iterator::collect);
    let mut entries = entries.map_err(|e| failed(dir, &e))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(|e| failed(&path, &e))?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if kind.is_dir() && !hidden {
            collect(&path, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|e| e == "imm") {
            files.push(path);
        }
    }
    Ok(())
}

fn show(name: &str, text: String, errors: &[Diagnostic], json: bool, style: Style) {
    // The only file, so that it has the number that the errors name.
    let mut sources = Sources::default();
    sources.add(SourceFile::new(name, text));
    compile::show(errors, &sources, json, style);
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {}", path.display(), plain(error)))
}
