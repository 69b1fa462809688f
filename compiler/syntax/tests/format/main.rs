//! Formatting: the same tree, the same comments, and no second opinion.

#![expect(clippy::disallowed_methods, reason = "tests read files; the ban is for the compiler itself")]
#![expect(clippy::unwrap_used, reason = "a helper of a test may panic")]

mod grown;

use imm_ir::FileId;
use imm_syntax::{Tok, format, lex, parse};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

/// All programs of the repository that stand in files of their own.
fn programs() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.file_name().unwrap().to_string_lossy().starts_with('.') {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "imm") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["tests/programs", "../../tests/suite/programs", "../../examples", "../../stdlib"] {
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    found.sort();
    assert!(found.len() >= 10, "the programs are missing");
    found
}

/// The tree without its spans.
fn tree(text: &str) -> String {
    let parsed = parse(FileId(0), text);
    assert_eq!(parsed.diagnostics, [], "{text}");
    let shown = format!("{:?}", parsed.module);
    let mut out = String::with_capacity(shown.len());
    let mut rest = shown.as_str();
    while let Some(at) = rest.find("Span {") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[rest.find('}').unwrap() + 1..];
    }
    out + rest
}

/// What is written besides the tree: comments in order, without white space at their ends.
fn comments(text: &str) -> Vec<String> {
    let lexed = lex(FileId(0), text);
    let docs = lexed.tokens.iter().filter(|t| matches!(t.kind, Tok::Doc | Tok::ModuleDoc));
    let mut all: Vec<_> = lexed.comments.iter().chain(docs).copied().collect();
    all.sort_by_key(|t| t.start);
    all.iter().map(|t| text[t.start as usize..t.end as usize].trim_end().to_owned()).collect()
}

fn formatted(text: &str) -> String {
    let once = format(text).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    assert_eq!(tree(&once), tree(text), "the tree changed\n{text}\n-----\n{once}");
    assert_eq!(comments(&once), comments(text), "the comments changed\n{text}\n-----\n{once}");
    assert_eq!(format(&once).unwrap(), once, "a second time it is something else\n{text}");
    assert!(!once.contains("\n\n\n") || text.contains("\"\"\""), "{once}");
    once
}

#[test]
fn every_program_of_the_repository_is_formatted() {
    for (path, text) in programs() {
        assert_eq!(formatted(&text), text, "{}: run `imm fmt` on it", path.display());
    }
}

#[test]
fn one_style() {
    let cases = [
        ("", ""),
        ("// only\n\n\n// this", "// only\n\n// this\n"),
        ("let   a=1+ -b*!c", "let a = 1 + -b * !c\n"),
        ("let a = (x , y)=>x..=y", "let a = (x, y) => x..=y\n"),
        ("let a = [ 1,2 , ]", "let a = [1, 2]\n"),
        ("let a = [\n1,2]", "let a = [\n  1,\n  2,\n]\n"),
        ("let a = [\n1]", "let a = [\n  1\n]\n"),
        ("let f = g((\na,\nb) => a)", "let f = g((\n  a,\n  b\n) => a)\n"),
        ("let a = {b=1,c=2}", "let a = { b = 1, c = 2 }\n"),
        ("let a = {b=1,\nccc=2\n\n\n}", "let a = {\n  b   = 1\n  ccc = 2\n}\n"),
        ("let a = { // why\n b }", "let a = { // why\n  b\n}\n"),
        ("let a = f(b, // one\nc // two\n)", "let a = f(\n  b, // one\n  c, // two\n)\n"),
        ("resource a = b {\n}\nwith {}", "resource a = b {} with {}\n"),
        ("let a: ( ~ String ) ? ? = none", "let a: (~String)? ? = none\n"),
        ("type T = a|b{c:Int,d : [ Map[Int] ]}", "type T = a | b { c: Int, d: [Map[Int]] }\n"),
        ("let a = { for k,v in m if v>1:[k]=v }", "let a = { for k, v in m if v > 1: [k] = v }\n"),
        ("let a = m . keys ( ) [ 0 ] ?. x", "let a = m.keys()[0]?.x\n"),
        ("component a { resource b for k,v in m=c{}\n}", "component a {\n  resource b for k, v in m = c {}\n}\n"),
        ("let a = {\r\n  b = 1\r\n}\r\n", "let a = {\n  b = 1\n}\n"),
    ];
    for (from, to) in cases {
        assert_eq!(formatted(from), to, "{from}");
    }
}

#[test]
fn what_is_too_wide_has_one_entry_a_line() {
    let words = "\"a long word of the list\", ".repeat(5);
    let text = formatted(&format!("let a = [{words}]"));
    assert_eq!(text.lines().count(), 7, "{text}");
    assert!(text.lines().all(|l| l.len() <= imm_syntax::WIDTH), "{text}");
    let fields = (0..9).map(|i| format!("field_{i} = \"a value\"")).collect::<Vec<_>>().join(", ");
    let text = formatted(&format!("let a = encode.json({{ {fields} }})"));
    assert_eq!(text.lines().count(), 11, "{text}");
    assert!(text.starts_with("let a = encode.json({\n  field_0 = "), "{text}");
}

#[test]
fn broken_text_is_refused_with_its_errors() {
    for text in ["let a = ", "let a = {", "let a = \"", "let a = 1;", "# no"] {
        assert!(!format(text).unwrap_err().is_empty(), "{text}");
    }
}

#[test]
fn deep_nesting_ends() {
    formatted(&format!("let a = {}1{}", "[".repeat(100), "]".repeat(100)));
    formatted(&format!("let a = {}1{}", "f({ a = ".repeat(40), " })".repeat(40)));
}

/// Puts `pieces` between tokens outside of strings.
fn sprinkled(text: &str, pieces: &[(usize, &str)]) -> String {
    let mut depth = 0usize;
    let mut places = Vec::new();
    for token in lex(FileId(0), text).tokens {
        if depth == 0 {
            places.push(token.start as usize);
        }
        match token.kind {
            Tok::StrOpen => depth += 1,
            Tok::StrClose => depth -= 1,
            _ => {}
        }
    }
    let mut at: Vec<(usize, &str)> =
        pieces.iter().map(|(n, p)| (places.get(n % places.len()).copied().unwrap_or(0), *p)).collect();
    at.sort();
    let mut out = text.to_owned();
    for (place, piece) in at.iter().rev() {
        out.insert_str(*place, piece);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn programs_with_anything_legal_between_their_tokens_stay_what_they_are(
        which in 0usize..10,
        pieces in prop::collection::vec((any::<usize>(), prop::sample::select(vec![
            "\n", "\n\n\n", "  ", " // note\n", "\n// note\n", "\n\n  // a\n  // b\n", "\t", "\r\n", "/// doc\n", "\n/// doc\n",
        ])), 1..12),
    ) {
        let program = &programs()[which].1;
        // Only what is still a program: pieces that broke it are taken out again.
        let mut kept = Vec::new();
        for piece in pieces {
            kept.push(piece);
            if !parse(FileId(0), &sprinkled(program, &kept)).diagnostics.is_empty() {
                kept.pop();
            }
        }
        formatted(&sprinkled(program, &kept));
    }

    #[test]
    fn any_soup_of_tokens_is_refused_or_formatted(words in prop::collection::vec(
        prop::sample::select(vec![
            "let x = ", "x", " = ", "{", "}", "(", ")", "[", "]", "\n", "\"${x}\"", "if ", "then ", "else ", "match ", "=>", "|",
            "..", "1", "5s", "-", "!", ".", "?.", ":", ",", "/// d\n", "// c\n", "a = 1", "for x in ", "some", "\"\"\"\n a\n \"\"\"",
        ]), 0..24)) {
        let text = format!("let x = {{\n{}\n}}\n", words.concat());
        if parse(FileId(0), &text).diagnostics.is_empty() {
            formatted(&text);
        }
    }
}
