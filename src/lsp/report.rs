//! What is wrong, and when it is shown.
//!
//! While a line is typed, other lines stay calm: a new problem elsewhere is held back until the line is left, the file
//! is saved, or nothing was typed for [`CALM`]; it may be gone when the line is finished. What is wrong in the line
//! itself, and what gets better anywhere, is shown at once.

use super::shapes;
use super::wire::Encoding;
use super::workspace::{path_in, range};
use super::{documents::Documents, wire::Lines, wire::uri_of};
use imm_ir::{Diagnostic, Severity, Sources, Span};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long nothing must be typed until everything is shown.
pub const CALM: Duration = Duration::from_millis(700);

/// One problem, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// In the protocol's words.
    pub shown: Value,
    /// The line it begins in.
    line: u32,
    /// What it is, without its column.
    key: String,
    warning: bool,
}

/// The problems of each file of a program, files without any included.
pub type Shown = BTreeMap<PathBuf, Vec<Problem>>;

/// Everything that is wrong with a program.
pub fn problems(
    root: &Path,
    documents: &Documents,
    encoding: Encoding,
    sources: &Sources,
    found: &[Diagnostic],
) -> Shown {
    let mut lines: BTreeMap<u32, Lines> = BTreeMap::new();
    for span in found.iter().flat_map(|d| &d.labels).map(|label| label.span) {
        if let Some(file) = sources.get(span.file) {
            lines.entry(span.file.0).or_insert_with(|| Lines::new(&file.text));
        }
    }
    let uri = |path: &Path| documents.get(path).map_or_else(|| uri_of(path), |document| document.uri.to_string());
    let place = |span: Span| {
        let file = sources.get(span.file)?;
        let path = path_in(root, &file.name)?;
        let range = range(&file.text, lines.get(&span.file.0)?, span.start, span.end, encoding);
        Some((uri(&path), range))
    };
    let mut all: Shown = BTreeMap::new();
    for (_, file) in sources.iter().filter(|(_, file)| file.name.ends_with(".imm")) {
        all.extend(path_in(root, &file.name).map(|path| (path, Vec::new())));
    }
    for diagnostic in found {
        let span = diagnostic.span();
        let Some(file) = sources.get(span.file) else { continue };
        let Some(path) = path_in(root, &file.name) else { continue };
        let line = lines.get(&span.file.0).map_or(0, |lines| lines.line(span.start));
        all.entry(path).or_default().push(Problem {
            shown: shapes::diagnostic(diagnostic, &place),
            line,
            key: format!("{line} {} {}", diagnostic.code, diagnostic.message),
            warning: diagnostic.severity == Severity::Warning,
        });
    }
    all
}

/// Where something is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typing {
    /// The file.
    pub path: PathBuf,
    /// The line, from 0.
    pub line: u32,
}

/// What of `found` is shown while a line is typed, given what was shown before. Answers also whether anything is held
/// back.
pub fn calm(found: &Shown, before: &Shown, typing: Option<&Typing>) -> (Shown, bool) {
    let Some(typing) = typing else { return (found.clone(), false) };
    let mut held = false;
    let mut shown = Shown::new();
    let none = Vec::new();
    let here = |path: &Path, problem: &Problem| *path == typing.path && problem.line == typing.line;
    let broken = found.iter().any(|(path, all)| all.iter().any(|p| !p.warning && here(path, p)));
    for (path, problems) in found {
        let earlier = before.get(path).unwrap_or(&none);
        let mut kept: Vec<Problem> = Vec::new();
        for problem in problems {
            if here(path, problem) || earlier.iter().any(|known| known.key == problem.key) {
                kept.push(problem.clone());
            } else {
                held = true;
            }
        }
        if broken {
            // An error hides warnings that will be back when it is gone.
            let gone = |known: &&Problem| known.warning && !problems.iter().any(|p| p.key == known.key);
            let back: Vec<Problem> = earlier.iter().filter(gone).filter(|p| !here(path, p)).cloned().collect();
            held |= !back.is_empty();
            kept.extend(back);
        }
        shown.insert(path.clone(), kept);
    }
    (shown, held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use imm_compiler::{MemoryWorld, Options};

    fn found(text: &str) -> Shown {
        let world = MemoryWorld::new([("m/main.imm", text)]);
        let checked = imm_compiler::check(&world, "m", &Options::default());
        problems(Path::new("/m"), &Documents::default(), Encoding::Utf16, &checked.sources, &checked.diagnostics)
    }

    fn lines(problems: &Shown) -> Vec<u32> {
        problems.values().flatten().map(|problem| problem.line).collect()
    }

    #[test]
    fn other_lines_stay_calm_while_one_is_typed() {
        let typing = |line| Some(Typing { path: PathBuf::from("/m/main.imm"), line });
        let whole = found("let url = \"a\"\noutput b = url + \"c\"\n");
        let partly = found("let url = 1\noutput b = url + \"c\"\n");
        assert_eq!(lines(&partly), [1]);
        let (shown, held) = calm(&partly, &whole, typing(0).as_ref());
        assert!(lines(&shown).is_empty() && held);
        // In its own line it is seen at once, and once shown it stays.
        assert_eq!(calm(&partly, &whole, typing(1).as_ref()), (partly.clone(), false));
        assert_eq!(calm(&partly, &partly, typing(0).as_ref()), (partly.clone(), false));
        assert_eq!(calm(&partly, &whole, None), (partly.clone(), false));
        // What got better is gone at once.
        assert_eq!(calm(&whole, &partly, typing(0).as_ref()), (whole, false));
    }
}
