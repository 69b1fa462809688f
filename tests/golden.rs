//! The golden suite: programs with the diagnostics they must get, written as comments above the line.
//!
//! `tests/suite/**.imm` holds sections that start with `// === name`. A section is a module; `// --- path` starts a further
//! file of it (what comes before the first is `main.imm`). An expectation stands above the line it is about:
//!
//! ```text
//! // error[unknown-field] 3-8: the service has no field `imgae`
//! // help: did you mean `image`?
//! ```
//!
//! Above an output of a program without mistakes stands what it is, as far as it is known: `// value: "10.0.3.0/24"`.
//!
//! A section `plan: …` is compiled as if it were to be planned, with no value for any param; one `demo: …` may use the kinds of a provider
//! that the tests register.
//!
//! Columns are those of the primary label, end exclusive, both from 1; `3-` when it ends on a later line. A diagnostic
//! without an expectation fails, and so does an expectation without its diagnostic. `IMM_BLESS=1` rewrites the files.

use crate::harness::demo;
use imm_compiler::{MemoryWorld, Options};
use imm_ir::{Diagnostic, Severity, Sources, Term};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One module of the suite.
pub struct Section {
    pub name: String,
    /// Path and text with the expectations still in it, in order.
    pub files: Vec<(String, String)>,
}

pub fn suite() -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                // Whole programs, which have a test of their own.
                if !path.ends_with("programs") {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|e| e == "imm") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite"), &mut found);
    found.sort();
    found
}

pub fn sections(text: &str) -> Vec<Section> {
    let mut found: Vec<Section> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("// === ") {
            found.push(Section { name: name.trim().to_owned(), files: vec![("main.imm".to_owned(), String::new())] });
            continue;
        }
        let section = found.last_mut().expect("a suite file starts with a section");
        if let Some(path) = line.strip_prefix("// --- ") {
            section.files.push((path.trim().to_owned(), String::new()));
        } else {
            section.files.last_mut().unwrap().1.push_str(line);
        }
    }
    found
}

fn is_expectation(line: &str) -> bool {
    let Some(comment) = line.trim_start().strip_prefix("// ") else { return false };
    ["error[", "warning[", "help: ", "note: ", "value: "].iter().any(|p| comment.starts_with(p))
}

pub fn without_expectations(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !is_expectation(line)).collect()
}

/// The section as it should be: its sources with what the compiler says now as comments.
fn annotated(section: &Section) -> Section {
    let mut world = MemoryWorld::default();
    for (path, text) in &section.files {
        world.insert(path, without_expectations(text).as_bytes());
    }
    let (diagnostics, sources) = said(&world, &section.name);
    let values = values(&world);
    let files = section.files.iter().map(|(path, text)| {
        let clean = without_expectations(text);
        (path.clone(), annotate(path, &clean, &diagnostics, &sources, &values))
    });
    let files: Vec<_> = files.collect();
    for diagnostic in &diagnostics {
        let at = sources.loc(diagnostic.span());
        assert!(
            files.iter().any(|(p, _)| **p == *at.file),
            "{}: {diagnostic:?} is in no file of the section",
            section.name
        );
    }
    Section { name: section.name.clone(), files }
}

/// What is wrong with a program, by the kind of its section.
pub fn said(world: &MemoryWorld, section: &str) -> (Vec<Diagnostic>, Sources) {
    if section.starts_with("plan: ") {
        let failed = imm_compiler::compile(world, "", &Options::default()).unwrap_err();
        return (failed.diagnostics, failed.sources);
    }
    let builtin = Options::default();
    let options = if section.starts_with("demo: ") { Options { schemas: demo::schemas(), ..builtin } } else { builtin };
    let checked = imm_compiler::check(world, "", &options);
    (checked.diagnostics, checked.sources)
}

/// What is known of the outputs of a program, with file and line.
fn values(world: &MemoryWorld) -> Vec<(String, u32, String)> {
    let Ok(compiled) = imm_compiler::compile(world, "", &Options::default()) else { return Vec::new() };
    let outputs = compiled.graph.outputs.iter().filter_map(|output| match &output.term {
        Term::Value(value) => Some((output.loc.file.to_string(), output.loc.line, format!("{value:?}"))),
        _late => None,
    });
    outputs.collect()
}

fn annotate(
    path: &str,
    text: &str,
    diagnostics: &[Diagnostic],
    sources: &Sources,
    values: &[(String, u32, String)],
) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if lines.is_empty() {
        lines.push("");
    }
    let mut out = String::new();
    for (number, line) in (1u32..).zip(&lines) {
        for (_, _, value) in values.iter().filter(|(file, at, _)| file == path && *at == number) {
            writeln!(out, "// value: {value}").unwrap();
        }
        for diagnostic in diagnostics {
            let (start, end) = (sources.loc(diagnostic.span()), sources.loc(diagnostic.span().after()));
            let last = u32::try_from(lines.len()).unwrap();
            if *start.file == *path && start.line.min(last) == number {
                if !out.is_empty() && !out.ends_with('\n') {
                    out.push('\n');
                }
                let to = if end.line == start.line { end.column.to_string() } else { String::new() };
                let severity = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
                writeln!(out, "// {severity}[{}] {}-{to}: {}", diagnostic.code, start.column, diagnostic.message)
                    .unwrap();
                diagnostic.notes.iter().for_each(|n| writeln!(out, "// note: {}", n.replace('\n', " ")).unwrap());
                diagnostic.helps.iter().for_each(|h| writeln!(out, "// help: {}", h.replace('\n', " ")).unwrap());
            }
        }
        out.push_str(line);
    }
    out
}

fn joined(sections: &[Section]) -> String {
    let mut out = String::new();
    for section in sections {
        writeln!(out, "// === {}", section.name).unwrap();
        for (i, (path, text)) in section.files.iter().enumerate() {
            if i > 0 {
                writeln!(out, "// --- {path}").unwrap();
            }
            out.push_str(text);
        }
    }
    out
}

#[test]
fn every_program_gets_what_is_written_above_its_lines() {
    let bless = std::env::var_os("IMM_BLESS").is_some();
    let (mut cases, mut wrong) = (0, Vec::new());
    for path in suite() {
        let text = std::fs::read_to_string(&path).unwrap();
        let sections = sections(&text);
        cases += sections.len();
        let now: Vec<_> = sections.iter().map(annotated).collect();
        if joined(&now) == text {
            continue;
        }
        if bless {
            std::fs::write(&path, joined(&now)).unwrap();
            continue;
        }
        for (was, is) in sections.iter().zip(&now) {
            for ((file, was), (_, is)) in was.files.iter().zip(&is.files).filter(|(a, b)| a.1 != b.1) {
                wrong.push(format!(
                    "{} `{}` {file}\n--- written\n{was}--- now\n{is}",
                    path.display(),
                    is_name(&sections, was)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ (IMM_BLESS=1 rewrites them):\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases >= 60, "only {cases} cases were found");
}

fn is_name(sections: &[Section], text: &str) -> String {
    sections.iter().find(|s| s.files.iter().any(|f| f.1 == text)).map_or_else(String::new, |s| s.name.clone())
}

/// Every code has a case, but for the one that only a comparison with a record can say: its page is planned against one.
#[test]
fn every_diagnostic_has_a_case() {
    let written: String = suite().iter().map(|p| std::fs::read_to_string(p).unwrap()).collect();
    let missing: Vec<_> = imm_compiler::explain::all()
        .map(|(code, _)| code)
        .filter(|code| *code != "durable-change")
        .filter(|code| !written.contains(&format!("[{code}]")))
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

/// Sections of `name` with what `made` makes of each written behind `// --- expected`.
fn made_is_what_is_written(name: &str, made: impl Fn(&str) -> String) {
    const MARK: &str = "// --- expected\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut now = String::new();
    let mut cases = 0;
    for section in text.split("// === ").skip(1) {
        let (title, rest) = section.split_once('\n').unwrap();
        let source = rest.split_once(MARK).map_or(rest, |(source, _)| source);
        write!(now, "// === {title}\n{source}{MARK}{}", made(source)).unwrap();
        cases += 1;
    }
    if std::env::var_os("IMM_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    } else {
        assert_eq!(now, text, "{name} differs (IMM_BLESS=1 rewrites it)");
    }
    assert!(cases >= 3, "only {cases} cases were found");
}

#[test]
fn programs_are_laid_out_as_written() {
    made_is_what_is_written("fmt.golden", |source| {
        let once = imm_syntax::format(source).unwrap_or_else(|errors| panic!("{source}\n{errors:?}"));
        assert_eq!(imm_syntax::format(&once).as_ref(), Ok(&once), "twice is another than once");
        once
    });
}

#[test]
fn documentation_says_what_is_written() {
    made_is_what_is_written("doc.golden", |source| {
        let world = MemoryWorld::new([("main.imm", source)]);
        let page = imm_compiler::doc::program(&world, "").unwrap_or_else(|f| panic!("{source}\n{:?}", f.diagnostics));
        imm_compiler::doc::markdown(&page, 1)
    });
}
