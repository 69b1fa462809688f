//! What is said about broken code: one mistake, one diagnostic, at the right place, and the rest is still read.

#![expect(clippy::disallowed_methods, reason = "the pages are files; the ban is for the compiler itself")]
#![expect(clippy::unwrap_used, reason = "a helper of a test may panic")]

use imm_ir::{Applicability, Diagnostic, FileId};
use imm_syntax::ast::{BlockBody, EntryKind, ItemKind, Module};
use imm_syntax::{parse, parse_expr, parse_type};

/// Parses a text in which `«…»` marks the primary place of the one error.
fn one(marked: &str) -> (Diagnostic, Module) {
    let start = marked.find('«').unwrap();
    let end = marked.find('»').unwrap() - '«'.len_utf8();
    let text = marked.replace(['«', '»'], "");
    let parsed = parse(FileId(0), &text);
    let [diagnostic] = parsed.diagnostics.as_slice() else { panic!("{text}\n{:#?}", parsed.diagnostics) };
    assert_eq!(diagnostic.span().range(), start..end, "{text}\n{diagnostic:#?}");
    assert!(!parsed.module.items.is_empty());
    (diagnostic.clone(), parsed.module)
}

/// What is missing in one item is told alike, however the others are indented.
#[test]
fn a_missing_bracket_is_told_by_its_own_item() {
    let broken = "let a = {\n  b = {\n    c = 1\n  d = 2\n}\n";
    let said = |text: &str| parse(FileId(0), text).diagnostics.iter().map(|d| d.labels.clone()).collect::<Vec<_>>();
    let alone = said(&format!("{broken}let e = 1\n"));
    assert_eq!(alone.len(), 1);
    let odd = "let f = {\n    g = [\n 1,\n  ]\n  h = 2\n   }\nlet i =\n{\n}\n";
    assert_eq!(said(&format!("{broken}{odd}")).concat()[..2], alone.concat()[..2]);
}

fn fails(code: &str, message: &str, marked: &str) -> Module {
    let (diagnostic, module) = one(marked);
    assert_eq!((diagnostic.code.0, diagnostic.message.as_str()), (code, message), "{marked}");
    module
}

/// The one fix turns the text into one that parses.
fn fixed(marked: &str, expected: &str) {
    let (diagnostic, _) = one(marked);
    let fix = diagnostic.fixes.first().unwrap_or_else(|| panic!("no fix: {diagnostic:#?}"));
    assert_eq!(fix.applicability, Applicability::Safe);
    let mut text = marked.replace(['«', '»'], "");
    for edit in fix.edits.iter().rev() {
        text.replace_range(edit.span.range(), &edit.text);
    }
    assert_eq!(text, expected);
    assert_eq!(parse(FileId(0), &text).diagnostics, []);
}

fn sound(module: &Module) -> usize {
    module.items.iter().filter(|i| !matches!(i.kind, ItemKind::Error(_))).count()
}

#[test]
fn unclosed_brackets() {
    let code = "unclosed-bracket";
    let brace = "`}` is missing: `{` is never closed";
    let module = fails(code, brace, "resource a = b {\n  x = 1«»\n\nlet y = 2\n");
    assert_eq!(sound(&module), 2);
    let inner = "resource a = b {\n  l = { cpu = 1«»\n  x = 1\n}\nlet y = 2\n";
    assert_eq!(sound(&fails(code, brace, inner)), 2);
    let nested = "component c {\n  resource a = b {\n    x = 1«»\n  let y = 2\n}\nlet z = 3\n";
    assert_eq!(sound(&fails(code, brace, nested)), 2);
    fails(code, "`)` is missing: `(` is never closed", "resource a = b {\n  l = f(1, 2«»\n  x = 1\n}\n");
    fails(code, "`]` is missing: `[` is never closed", "let a = [1, 2«»\nlet b = 3\n");
    let opening = "`{` is missing: the next line reads like the inside of a block";
    let module = fails(code, opening, "resource a = b«»\n  x = 1\n  y = 2\n}\nlet b = 3\n");
    assert_eq!(sound(&module), 2);
    fails(code, opening, "test \"a\"«»\n  apply\n  expect true\n}\nlet b = 3\n");
    fails(code, "this `}` closes nothing", "let a = 1\n«}»\nlet b = 3\n");
    fails(code, "this `${` is never closed", "let a = \"x «${»y\"\nlet b = 3\n");
}

#[test]
fn dangling_operators() {
    let code = "dangling-operator";
    let module = fails(code, "`+` has nothing on its right side", "let a = 1 «+»\nlet b = 2\n");
    assert_eq!(sound(&module), 2);
    assert_eq!(module.items[0].name().unwrap().as_str(), "a");
    let module = fails(code, "`*` has nothing on its right side", "resource a = b {\n  x = 2 «*»\n  y = 3\n}\n");
    let ItemKind::Node(node) = &module.items[0].kind else { panic!() };
    let BlockBody::Entries(entries) = &node.fields.body else { panic!() };
    assert_eq!(entries.len(), 2);
    fails(code, "`&&` has nothing on its right side", "assert a «&&» else \"m\"\n");
    fails(code, "`!` has nothing on its right side", "let a = f(«!»)\n");
}

#[test]
fn strings() {
    let code = "unterminated-string";
    let module = fails(code, "this string is never closed", "let a = «\"»abc\nlet b = 2\n");
    assert_eq!(sound(&module), 2);
    fails(code, "this string is never closed", "resource a = b { x = «\"»abc }\nlet b = 2\n");
    fails(code, "this string is never closed", "let a = f(«\"»abc)\nlet b = 2\n");
    let long = "let a = «\"\"\"»\n  abc\nlet b = \"\"\"\n  c\n  \"\"\"\nlet d = 1\n";
    assert_eq!(fails(code, "this string is never closed", long).items.len(), 3);
    fails(code, "this string is never closed", "let a = «r\"»abc\nlet b = 2\n");
    fails("bad-escape", "strings have no escape `\\q`", "let a = \"x«\\q»y\"\n");
    fails("bad-escape", "`\\u` is not a Unicode character", "let a = \"«\\u»12\"\n");
}

#[test]
fn numbers() {
    fails("bad-quantity", "`MiBs` is not a unit", "let a = «5MiBs»\n");
    fails("bad-quantity", "`0.5ms` is finer than quantities can be", "let a = «0.5ms»\n");
    fails("bad-quantity", "a digit must follow the dot of a number", "let a = «1.x»\n");
    fails("bad-quantity", "a digit must follow the dot of a number", "let a = «1.»\nlet b = 2\n");
    fails("overflow", "`9223372036854775808` is too large", "let a = «9223372036854775808»\n");
    assert_eq!(parse(FileId(0), "let a = 1.mod(2)\nlet b = 512m\nlet c = 1..5\n").diagnostics, []);
}

#[test]
fn items_say_what_they_miss() {
    fails("syntax", "expected `=` after the name of this let", "let a «5»\nlet b = 2\n");
    fails("syntax", "a param needs a type", "param a «=» 5\n");
    fails("syntax", "an assert says what is wrong when it fails", "assert a == 1«»\nlet b = 1\n");
    fails("syntax", "this `if` has no `else`", "let a = if b then c«»\n");
    fails("syntax", "comparisons do not chain", "let a = 1 < b «<» 3\n");
    fails("syntax", "expected a name, found the keyword `match`", "let «match» = 1\n");
    fails("syntax", "names of values start with a lower-case letter", "let «Foo» = 1\n");
    fails("syntax", "names of types start with an upper-case letter", "type «foo» = Int\n");
    fails("syntax", "expected an item, found `variable`", "«variable» a = 1\n");
    fails("syntax", "`if` is followed by `then` and `else`, not by a block", "let a = if b «{» 1 }\n");
}

#[test]
fn certain_fixes() {
    fixed("let a = «!b in c»\n", "let a = !(b in c)\n");
    fixed("let a = { x«:» 1 }\n", "let a = { x = 1 }\n");
    fixed("resource a = b { x «==» 1 }\n", "resource a = b { x = 1 }\n");
    fixed("let a = 1«;»\nlet b = 2\n", "let a = 1\nlet b = 2\n");
    fixed("let a = { x = 1«;» y = 2 }\n", "let a = { x = 1, y = 2 }\n");
    fixed("let a = «'x'»\n", "let a = \"x\"\n");
    fixed("«#» note\nlet a = 1\n", "// note\nlet a = 1\n");
}

#[test]
fn several_mistakes_of_one_node_are_several_diagnostics() {
    let text = "resource a = b {\n  x: 1\n  y = \n  z = 3 +\n  w = [1 2]\n  v = 5\n}\nlet c = 1\n";
    let parsed = parse(FileId(0), text);
    let lines: Vec<usize> =
        parsed.diagnostics.iter().map(|d| text[..d.span().range().start].matches('\n').count() + 1).collect();
    assert_eq!(lines, [2, 3, 4, 5], "{:#?}", parsed.diagnostics);
    let ItemKind::Node(node) = &parsed.module.items[0].kind else { panic!() };
    let BlockBody::Entries(entries) = &node.fields.body else { panic!() };
    assert!(entries.iter().any(
        |e| matches!(&e.kind, EntryKind::Field { key, .. } if key.span.start as usize == text.find("v =").unwrap())
    ));
}

#[test]
fn at_most_twenty() {
    let text = "let x = )\n".repeat(100);
    assert_eq!(parse(FileId(0), &text).diagnostics.len(), imm_syntax::MAX_ERRORS);
}

#[test]
fn lone_expressions_and_types() {
    assert_eq!(parse_expr(FileId(0), "[\"a\", \"b\"]").1, []);
    assert_eq!(parse_expr(FileId(0), " prod \n").1, []);
    assert_eq!(parse_expr(FileId(0), "1 +").1[0].code.0, "dangling-operator");
    assert_eq!(parse_expr(FileId(0), "").1.len(), 1);
    assert_eq!(parse_expr(FileId(0), "1\n2").1.len(), 1);
    assert_eq!(parse_expr(FileId(0), "let x = 1").1.len(), 1);
    assert_eq!(parse_type(FileId(0), "Map[~{ a: Int?, b: [T] }]").1, []);
    assert_eq!(parse_type(FileId(0), "Map[").1.len(), 1);
}

#[test]
fn explain_pages_tell_the_truth() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../explain");
    let codes = [
        "unclosed-bracket",
        "dangling-operator",
        "unterminated-string",
        "bad-escape",
        "bad-quantity",
        "overflow",
        "syntax",
    ];
    for code in codes {
        let page = std::fs::read_to_string(format!("{folder}/{code}.md")).unwrap();
        assert!(page.starts_with(&format!("# {code}\n")), "{code}");
        let block = |kind: &str| {
            let rest = page.split_once(&format!("```imm {kind}\n")).unwrap().1;
            parse(FileId(0), rest.split_once("```").unwrap().0).diagnostics
        };
        assert!(
            block("wrong").iter().all(|d| d.code.0 == code) && !block("wrong").is_empty(),
            "{code}: {:#?}",
            block("wrong")
        );
        assert_eq!(block("right"), [], "{code}");
    }
}

/// Marks that turn the direction of text, and characters without width, are said wherever they stand; escapes are meant.
#[test]
fn what_deceives_readers_is_said_and_can_be_fixed() {
    let cases = [
        ("// a \u{202e}b\nlet a = 1\n", "// a b\nlet a = 1\n"),
        ("/// a \u{2066}b\nlet a = 1\n", "/// a b\nlet a = 1\n"),
        ("let a = \"x\u{202e}y\"\n", "let a = \"x\\u{202e}y\"\n"),
        ("let a = \"x${1}\u{200b}y\"\n", "let a = \"x${1}\\u{200b}y\"\n"),
        ("let a\u{200b}b = 1\n", "let ab = 1\n"),
        ("let a = 1 \u{2069}\n", "let a = 1 \n"),
    ];
    for (text, right) in cases {
        let parsed = imm_syntax::parse(imm_ir::FileId(0), text);
        let [only] = parsed.diagnostics.as_slice() else { panic!("{text:?}: {:?}", parsed.diagnostics) };
        let [fix] = only.fixes.as_slice() else { panic!("{text:?}: {only:?}") };
        let [edit] = fix.edits.as_slice() else { panic!("{text:?}: {only:?}") };
        assert_eq!(fix.applicability, imm_ir::Applicability::Safe);
        let mut fixed = text.to_owned();
        fixed.replace_range(edit.span.range(), &edit.text);
        assert_eq!(fixed, right);
        assert!(imm_syntax::parse(imm_ir::FileId(0), &fixed).diagnostics.is_empty(), "{fixed:?}");
    }
    let raw = imm_syntax::parse(imm_ir::FileId(0), "let a = r\"x\u{202e}\"\n");
    assert!(raw.diagnostics.len() == 1 && raw.diagnostics.iter().all(|d| d.fixes.is_empty()));
    // What languages and emoji need is text like any other.
    let text = "let a = \"👩\u{200d}👩\u{200d}👧 \u{200f}שלום\u{200e} می\u{200c}خواهم\"\n";
    assert!(imm_syntax::parse(imm_ir::FileId(0), text).diagnostics.is_empty());
}

/// A safe fix of a habit gives what was meant: the fixed text has nothing wrong with it.
#[test]
fn safe_fixes_of_habits_are_right() {
    let cases = [
        ("let a = true and false", "let a = true && false"),
        ("let a = true or not false", "let a = true || !false"),
        ("let a = not true", "let a = !true"),
        ("let a = 1 === 1", "let a = 1 == 1"),
        ("let a = 1 <> 1", "let a = 1 != 1"),
        ("let a = { ...b, y = 2 }", "let a = { ..b, y = 2 }"),
        ("let mut a = 1", "let a = 1"),
        ("const a = 1", "let a = 1"),
        ("let a := 1", "let a = 1"),
        ("pub output a = 1", "output a = 1"),
        ("let a = if b then 1 elif c then 2 else 3", "let a = if b then 1 else if c then 2 else 3"),
        ("let a = match b { x -> 1, y: 2 }", "let a = match b { x => 1, y => 2 }"),
        ("fn f(a: Int) -> Int = return a", "fn f(a: Int) -> Int = a"),
        ("let a = Tier::dev", "let a = Tier.dev"),
        ("let a = True", "let a = true"),
        ("let a = None", "let a = none"),
        ("environment prod = { keep = 2 }", "environment prod { keep = 2 }"),
        ("environment \"prod\" { keep = 2 }", "environment prod { keep = 2 }"),
        ("resource \"app\" = image {}", "resource app = image {}"),
        ("let a = `hello ${b}`", "let a = \"hello ${b}\""),
        ("let a = b & c", "let a = b && c"),
        ("let a = [1,, 2]", "let a = [1,2]"),
    ];
    for (text, right) in cases {
        let mut now = text.to_owned();
        for _ in 0..4 {
            let parsed = imm_syntax::parse(imm_ir::FileId(0), &now);
            let fix = parsed.diagnostics.iter().flat_map(|d| &d.fixes);
            let Some(fix) = fix.into_iter().find(|f| f.applicability == imm_ir::Applicability::Safe) else { break };
            for edit in fix.edits.iter().rev() {
                now.replace_range(edit.span.range(), &edit.text);
            }
        }
        assert_eq!(now, right, "{text}");
        assert!(imm_syntax::parse(imm_ir::FileId(0), &now).diagnostics.is_empty(), "{now}");
    }
}

#[test]
fn what_is_no_program_at_all_takes_little_memory() {
    for nonsense in ["\"a\n", "'\n", "1x ", "\"\\q\" ", "#\n", "\u{200b}\n", "// \u{202e}\n", "1. ", "; "] {
        let text = nonsense.repeat(100_000);
        assert!(imm_syntax::lex(FileId(0), &text).diagnostics.len() < 1_000, "{nonsense:?}");
        assert!(parse(FileId(0), &text).diagnostics.len() <= imm_syntax::MAX_ERRORS, "{nonsense:?}");
    }
}
