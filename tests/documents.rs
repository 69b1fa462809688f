//! Every program in the documents, and in the documentation of the standard library, is a complete module and gets exactly what the document says it gets.
//!
//! A block is fenced as ```` ```imm ````. Plain ones, and those marked `right`, get no diagnostic; one marked `wrong` stands in
//! the explain page of a code and gets that code and no other. A block that begins with `html NAME` is a file beside the
//! programs of its page; all others find the `index.html` of hello, and a program for `executable(self)`.

use crate::harness::{Bench, demo};
use imm_compiler::{MemoryWorld, Options, compile};
use imm_ir::{Diagnostic, code};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The code that only a comparison with a record can say: its page begins with what is recorded.
const AGAINST_A_RECORD: &str = "durable-change";

/// What a block is, by the words after its fence.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Claim {
    /// A program without any diagnostic.
    Plain,
    /// A program without an error, and without what its page is about.
    Right,
    /// A program that has what its page is about.
    Wrong,
    /// The program that was applied before the others are planned.
    Before,
    /// A file of this name beside the programs.
    File(String),
    /// Nothing that is compiled.
    Other,
}

/// One fenced block.
struct Block {
    claim: Claim,
    /// Of the document, from 1.
    line: usize,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap().map(|e| e.unwrap().path());
    let mut pages: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    pages.sort();
    pages
}

fn claim(words: &str) -> Claim {
    match words.split_once(' ').unwrap_or((words, "")) {
        ("imm", "") => Claim::Plain,
        ("imm", "right") => Claim::Right,
        ("imm", "wrong") => Claim::Wrong,
        ("imm", "before") => Claim::Before,
        ("imm", other) => panic!("`imm {other}` is not right, wrong or before"),
        ("html", name) if !name.is_empty() => Claim::File(name.to_owned()),
        _ => Claim::Other,
    }
}

fn blocks(path: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    let source = path.extension().is_some_and(|e| e == "imm");
    for (line, content) in (1..).zip(text.lines()) {
        // In a program the documentation is what is documented.
        let content = match content.trim_start().strip_prefix("///") {
            Some(docs) if source => docs.strip_prefix(' ').unwrap_or(docs),
            _ if source => continue,
            _ => content,
        };
        match (&mut open, content.strip_prefix("```")) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => block.text.extend([content, "\n"]),
            (None, Some(words)) => open = Some(Block { claim: claim(words.trim()), line, text: String::new() }),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a block is never closed", path.display());
    found
}

/// What the compiler says to a program, as if it were to be planned.
fn said(program: &Block, page: &[Block]) -> Vec<Diagnostic> {
    let mut world =
        MemoryWorld::new([("main.imm", &*program.text), ("index.html", include_str!("../examples/hello/index.html"))]);
    world.insert_program(None, b"the running program");
    for block in page {
        if let Claim::File(name) = &block.claim {
            world.insert(name, block.text.as_bytes());
        }
    }
    match compile(&world, "main.imm", &Options { schemas: demo::schemas(), ..Options::default() }) {
        Ok(compiled) => compiled.warnings,
        Err(failed) => failed.diagnostics,
    }
}

fn codes(diagnostics: &[Diagnostic]) -> BTreeSet<&'static str> {
    diagnostics.iter().map(|d| d.code.0).collect()
}

/// The documents in which a block stands on its own.
fn documents() -> Vec<PathBuf> {
    let mut all = vec![root().join("README.md")];
    all.extend(pages("docs", "md"));
    all.extend(pages("stdlib", "imm"));
    all
}

#[test]
fn programs_in_the_documents_are_right() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for path in documents() {
        let blocks = blocks(&path);
        for block in blocks.iter().filter(|b| matches!(b.claim, Claim::Plain | Claim::Right | Claim::Wrong)) {
            seen += 1;
            let place = format!("{}:{}", path.display(), block.line);
            assert_eq!(block.claim, Claim::Plain, "{place}: right and wrong belong to explain pages");
            let said = said(block, &blocks);
            if !said.is_empty() {
                wrong.push(format!("{place}: {said:#?}\n{}", block.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 5, "only {seen} programs were found");
}

#[test]
fn programs_in_explain_pages_get_what_the_page_says() {
    let mut wrong = Vec::new();
    for path in pages("compiler/explain", "md") {
        let page = path.file_stem().unwrap().to_str().unwrap();
        let blocks = blocks(&path);
        for claim in [Claim::Wrong, Claim::Right] {
            if !blocks.iter().any(|b| b.claim == claim) {
                wrong.push(format!("{page}: no block is marked {claim:?}"));
            }
        }
        for block in &blocks {
            let said = said(block, &blocks);
            let errors: Vec<_> = said.iter().filter(|d| d.is_error()).cloned().collect();
            let holds = match block.claim {
                Claim::Plain => said.is_empty(),
                Claim::Right => errors.is_empty() && !codes(&said).contains(page),
                Claim::Wrong | Claim::Before if page == AGAINST_A_RECORD => errors.is_empty(),
                Claim::Before => false,
                // What a page about a warning shows works, apart from that.
                Claim::Wrong if errors.is_empty() => codes(&said) == BTreeSet::from([page]),
                Claim::Wrong => codes(&errors) == BTreeSet::from([page]),
                Claim::File(_) | Claim::Other => continue,
            };
            if !holds {
                wrong.push(format!("{}:{} ({:?}): {said:#?}\n{}", path.display(), block.line, block.claim, block.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a page says is refused against its record, and what it says is right.
#[test]
fn what_only_a_record_can_say_is_said_against_one() {
    let blocks = blocks(&root().join(format!("compiler/explain/{AGAINST_A_RECORD}.md")));
    let program = |claim: Claim| &*blocks.iter().find(|b| b.claim == claim).unwrap().text;
    let bench = Bench::program(program(Claim::Before));
    bench.ok(&["apply", "--yes"]);
    let planned = |claim: Claim| {
        std::fs::write(bench.module.join("main.imm"), program(claim)).unwrap();
        bench.imm(&["plan"])
    };
    let refused = planned(Claim::Wrong);
    assert!(refused.code == 1 && refused.err.contains(AGAINST_A_RECORD), "{refused:?}");
    let taken = planned(Claim::Right);
    assert_eq!(taken.code, 0, "{taken:?}");
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let codes: BTreeSet<String> = code::ALL.iter().map(|c| c.0.to_owned()).collect();
    let stem = |p: PathBuf| p.file_stem().unwrap().to_str().unwrap().to_owned();
    let pages: BTreeSet<String> = pages("compiler/explain", "md").into_iter().map(stem).collect();
    assert_eq!(codes.difference(&pages).collect::<Vec<_>>(), [""; 0], "codes without a page");
    assert_eq!(pages.difference(&codes).collect::<Vec<_>>(), [""; 0], "pages without a code");
    for code in code::ALL {
        let page = imm_compiler::explain::page(code.0).unwrap_or_else(|| panic!("`imm explain {code}` knows no page"));
        assert!(page.starts_with(&format!("# {code}\n")), "the page of {code} has another title");
    }
}

/// Links between documents lead somewhere.
#[test]
fn links_lead_to_files() {
    let mut wrong = Vec::new();
    for path in documents().into_iter().filter(|p| p.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let prose: String = text.split("```").step_by(2).collect();
        for target in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap();
            if !file.is_empty() && !file.contains("://") && !path.parent().unwrap().join(file).exists() {
                wrong.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Fields of kinds are named in `docs/language.md` as the schemas have them.
#[test]
fn the_tables_of_kinds_are_those_of_the_schemas() {
    let text = std::fs::read_to_string(root().join("docs/language.md")).unwrap();
    for kind in imm_ir::kinds::builtin().kinds.values() {
        let heading = format!("### `{}`", kind.name);
        let (_, rest) = text.split_once(&heading).unwrap_or_else(|| panic!("{heading} is missing"));
        let section = rest.split("\n### ").next().unwrap().split("\n## ").next().unwrap();
        let written: BTreeSet<&str> =
            section.lines().filter_map(|l| l.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name).collect();
        let fields = kind.fields.iter().map(|f| &*f.name).chain(kind.outputs.iter().map(|o| &*o.name));
        assert_eq!(written, fields.collect::<BTreeSet<_>>(), "{}", kind.name);
        assert!(section.contains(&*kind.doc), "{}: {}", kind.name, kind.doc);
    }
}

/// `imm doc std --out docs/stdlib.md` writes it; `IMM_BLESS=1` does here.
#[test]
fn the_reference_of_the_standard_library_is_current() {
    let pages: Vec<String> =
        imm_compiler::doc::library().iter().map(|page| imm_compiler::doc::markdown(page, 1)).collect();
    let (now, path) = (pages.join("\n"), root().join("docs/stdlib.md"));
    if std::env::var_os("IMM_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == now,
        "docs/stdlib.md is old: run `imm doc std --out docs/stdlib.md`"
    );
}
