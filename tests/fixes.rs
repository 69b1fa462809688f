//! What `imm check --fix` writes by itself: every safe fix of the golden suite takes its problem away and makes no other.

use crate::golden::{Section, said, sections, suite, without_expectations};
use crate::harness::IMM;
use imm_compiler::{MemoryWorld, Options, check};
use imm_ir::{Applicability, Diagnostic, Edit, Fix, Sources};
use std::collections::BTreeSet;
use std::process::Command;

/// Sections where a mistake without a safe fix is seen only once another one is mended, and why it has none.
const SHOWS_THE_NEXT: [(&str, &str); 3] = [
    ("rust match arms upper", "a variant with a capital letter is to be renamed where it is declared, too"),
    ("Pulumi: ts", "what a call of a class would make here, nobody knows"),
    ("Bicep: resource", "a kind in quotes is one of another platform"),
];

fn cases() -> impl Iterator<Item = Section> {
    suite().into_iter().flat_map(|path| sections(&std::fs::read_to_string(path).unwrap()))
}

fn safe(diagnostic: &Diagnostic) -> Option<&Fix> {
    diagnostic.fixes.iter().find(|fix| fix.applicability == Applicability::Safe)
}

fn is_listed(section: &Section) -> bool {
    SHOWS_THE_NEXT.iter().any(|(name, _)| *name == section.name)
}

/// The files of a section with some edits.
fn edited(section: &Section, sources: &Sources, edits: &[Edit]) -> MemoryWorld {
    let mut world = MemoryWorld::default();
    for (path, text) in &section.files {
        let mut text = without_expectations(text);
        let mut here: Vec<_> = edits.iter().filter(|e| *sources.get(e.span.file).unwrap().name == **path).collect();
        here.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
        here.iter().for_each(|edit| text.replace_range(edit.span.range(), &edit.text));
        world.insert(path, text.as_bytes());
    }
    world
}

#[test]
fn one_safe_fix_takes_one_problem_away_and_makes_no_other() {
    let (mut tried, mut codes, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for section in cases() {
        let (before, sources) = said(&edited(&section, &Sources::default(), &[]), &section.name);
        for diagnostic in &before {
            let Some(fix) = safe(diagnostic) else { continue };
            tried += 1;
            codes.insert(diagnostic.code.0);
            let (after, _) = said(&edited(&section, &sources, &fix.edits), &section.name);
            let same = |d: &&Diagnostic| d.message == diagnostic.message && d.span().start == diagnostic.span().start;
            let known = |d: &Diagnostic| before.iter().any(|b| (b.code, &b.message) == (d.code, &d.message));
            // What comes to light has a fix of its own.
            let new: Vec<_> = after.iter().filter(|d| d.is_error() && !known(d) && safe(d).is_none()).collect();
            if after.iter().any(|d| same(&d)) || !new.is_empty() && !is_listed(&section) {
                wrong.push(format!("{}: {} → {new:#?}", section.name, diagnostic.message));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 50 && codes.len() > 1, "only {tried} fixes of {codes:?} were tried");
}

/// A program that has no mistake without a safe fix is whole after `imm check --fix`.
#[test]
fn programs_with_safe_fixes_alone_are_mended_whole() {
    let (mut mended, mut wrong) = (0, Vec::new());
    for section in cases() {
        let world = edited(&section, &Sources::default(), &[]);
        let wanted = check(&world, "", &Options::default()).diagnostics;
        let errors: Vec<_> = wanted.iter().filter(|d| d.is_error()).collect();
        if errors.is_empty() || errors.iter().any(|d| safe(d).is_none()) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in &section.files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, without_expectations(text)).unwrap();
        }
        let ran = Command::new(IMM).args(["check", "--fix"]).current_dir(folder.path()).output().unwrap();
        mended += 1;
        if !ran.status.success() && !is_listed(&section) {
            wrong.push(format!("{}\n{}", section.name, String::from_utf8_lossy(&ran.stderr)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(mended > 30, "only {mended} programs were mended");
}
