//! Real programs parse without a word, and broken ones never panic.

#![expect(
    clippy::disallowed_methods,
    reason = "tests read files and bound their time; the ban is for the compiler itself"
)]
#![expect(clippy::unwrap_used, reason = "a helper of a test may panic")]

use imm_ir::{Diagnostic, FileId};
use imm_syntax::ast::ItemKind;
use imm_syntax::{lex, parse};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The programs of the suite, the examples, and those of this crate, which only the parser takes.
fn programs() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
        for path in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() && !path.file_name().unwrap().to_string_lossy().starts_with('.') {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "imm") {
                found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut out = Vec::new();
    for folder in ["tests/programs", "../../tests/suite/programs", "../../examples", "../../stdlib"] {
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut out);
    }
    out.sort();
    assert!(out.len() >= 15, "the programs are missing");
    out
}

fn check_spans(text: &str, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let spans = diagnostic.labels.iter().map(|l| l.span);
        let edits = diagnostic.fixes.iter().flat_map(|f| f.edits.iter().map(|e| e.span));
        for span in spans.chain(edits) {
            assert!(text.get(span.range()).is_some(), "{span:?} is not inside the text: {diagnostic:?}");
        }
        assert!(!diagnostic.message.contains("something else"), "{diagnostic:?}");
    }
    assert!(diagnostics.len() <= imm_syntax::MAX_ERRORS);
}

#[test]
fn every_program_parses() {
    for (name, text) in programs() {
        let parsed = parse(FileId(0), &text);
        assert_eq!(parsed.diagnostics, [], "{name}");
        assert!(!parsed.module.items.is_empty() || parsed.module.docs.is_some(), "{name}");
        assert!(!parsed.module.items.iter().any(|i| matches!(i.kind, ItemKind::Error(_))), "{name}");
    }
}

#[test]
fn every_program_parses_with_carriage_returns() {
    for (name, text) in programs() {
        let parsed = parse(FileId(0), &text.replace('\n', "\r\n"));
        assert_eq!(parsed.diagnostics, [], "{name}");
    }
}

/// Each deletion of one token is at most a few problems, and never spoils more than its own item.
#[test]
fn one_missing_token_spoils_one_item() {
    for (name, text) in programs() {
        let whole = parse(FileId(0), &text).module.items.len();
        for token in lex(FileId(0), &text).tokens {
            let range = token.start as usize..token.end as usize;
            let broken = format!("{}{}", &text[..range.start], &text[range.end..]);
            let parsed = parse(FileId(0), &broken);
            check_spans(&broken, &parsed.diagnostics);
            let lost = whole.saturating_sub(parsed.module.items.len());
            assert!(lost <= 1, "{name}: without {:?} at {} {lost} items are lost", token.kind, token.start);
            let errors = parsed.module.items.iter().filter(|i| matches!(i.kind, ItemKind::Error(_))).count();
            assert!(errors <= 2, "{name}: without {:?} at {} {errors} items are errors", token.kind, token.start);
        }
    }
}

fn timed(name: &str, text: &str) {
    let start = Instant::now();
    let parsed = parse(FileId(0), text);
    check_spans(text, &parsed.diagnostics);
    assert!(!parsed.diagnostics.is_empty(), "{name} is not a program");
    // Generous: it is about seconds against hours.
    assert!(start.elapsed() < Duration::from_secs(10), "{name} took {:?}", start.elapsed());
}

#[test]
fn a_megabyte_of_nonsense_ends_quickly() {
    let million = 1_000_000;
    let pieces = [
        "(",
        "[",
        "{",
        "\"",
        "-",
        "!",
        "if ",
        "${",
        "\"${",
        "match ",
        "a.",
        "a?",
        "x=>",
        "1+",
        "{\n",
        ")",
        "}\n",
        "'",
        "\"\"\"",
        "//!\n",
        "///\n",
        "let ",
        ";",
        "#",
        "~",
        "a[",
        "f(",
        "for x in ",
        "a=b\n",
        "a,",
        "(]",
        "{)",
        "\\",
        "?",
        "é",
        "else ",
        "let x = {\n",
        "a ?? ",
        "“a” ",
        "“",
    ];
    for piece in pieces {
        for prefix in ["let x = ", "", "resource a = b {\n", "let s = \""] {
            if piece == "//!\n" || piece == "///\n" || (piece == "#" && prefix.is_empty()) {
                continue;
            }
            let text = format!("{prefix}{}", piece.repeat(million / 4 / piece.len()));
            timed(&format!("{prefix:?} and {piece:?}"), &text);
        }
    }
}

fn mutated(text: &str, edits: &[(usize, usize, String)]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for (at, len, new) in edits {
        let at = at % (text.len() + 1);
        let end = (at + len).min(text.len());
        text.splice(at..end, new.chars());
    }
    text.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_ends_with_a_tree(text in "(?s).{0,200}") {
        check_spans(&text, &parse(FileId(0), &text).diagnostics);
    }

    #[test]
    fn any_soup_of_tokens_ends_with_a_tree(words in prop::collection::vec(
        prop::sample::select(vec![
            "let ", "x", " = ", "{", "}", "(", ")", "[", "]", "\n", "\"", "${", "\"\"\"", "resource ", "web", "if ",
            "then ", "else ", "match ", "=>", "|", "..", "1", "5s", "-", "!", ".", "?.", "type ", "T", ":", ",", "/// d\n",
            "component ", "test ", "\"a\"", "for ", " in ", "some", "é", ";", "r\"", "\\", "with ", "where ", "~", "?", "\r\n",
        ]), 0..80)) {
        let text = words.concat();
        check_spans(&text, &parse(FileId(0), &text).diagnostics);
    }

    #[test]
    fn any_change_of_a_program_ends_with_a_tree(
        which in 0usize..9,
        edits in prop::collection::vec((any::<usize>(), 0usize..6, "[-a-z{}()\\[\\]\"=,.|!?~:;\n $0-9é]{0,4}"), 1..5),
    ) {
        let text = mutated(&programs()[which].1, &edits);
        check_spans(&text, &parse(FileId(0), &text).diagnostics);
    }
}
