//! Ten thousand random mutations of the examples: each ends with diagnostics or success, never a panic.

use imm_compiler::{MemoryWorld, Options};
use std::path::Path;

struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

fn mutate(text: &str, random: &mut Random) -> String {
    const PIECES: &[&str] = &[
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "\"",
        "${",
        ",",
        "\n",
        "=",
        "=>",
        "..",
        ".",
        "?",
        "~",
        "-",
        "!",
        "in",
        "if",
        "then",
        "else",
        "match",
        "for",
        "none",
        "some",
        "0",
        "9223372036854775807",
        "1h",
        "5%",
        "3MiB",
        "let x = x\n",
        "fn f(a: Int) -> Int = f(a)\n",
        "resource",
        "with",
        "é",
        "日本",
        "\u{301}",
        "//",
        "\"\"\"",
        "r\"",
        "\\",
        "_",
        "it",
        "Secret[String]",
        "~Int",
        "front.url",
        "web.instance",
        "where",
    ];
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.next(3) {
        let at = random.next(chars.len());
        match random.next(4) {
            0 => drop(chars.splice(at..(at + 1 + random.next(12)).min(chars.len()), [])),
            1 => drop(chars.splice(at..at, PIECES[random.next(PIECES.len())].chars())),
            2 => {
                let end = (at + random.next(80)).min(chars.len());
                let copy = chars[at..end].to_vec();
                let to = random.next(chars.len());
                drop(chars.splice(to..to, copy));
            }
            _ => {
                let end = (at + 1 + random.next(3)).min(chars.len());
                drop(chars.splice(at..end, PIECES[random.next(PIECES.len())].chars()));
            }
        }
    }
    chars.into_iter().collect()
}

#[test]
fn ten_thousand_wrong_programs_never_panic() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut examples = Vec::new();
    for entry in std::fs::read_dir(root).unwrap().flatten() {
        let read = |name: &str| std::fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        examples.push((read("main.imm"), read("index.html")));
    }
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut wrong = 0;
    for round in 0..10_000 {
        let (program, page) = &examples[round % examples.len()];
        let text = mutate(program, &mut random);
        let mut world = MemoryWorld::default();
        world.insert("main.imm", text.as_bytes());
        world.insert("index.html", page.as_bytes());
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            imm_compiler::check(&world, "", &Options::default())
        }));
        let checked = checked.unwrap_or_else(|_| panic!("round {round} panicked:\n{text}"));
        wrong += usize::from(checked.diagnostics.iter().any(imm_ir::Diagnostic::is_error));
        for d in &checked.diagnostics {
            let file = checked.sources.get(d.span().file).unwrap_or_else(|| panic!("{d:?} is nowhere"));
            assert!(d.span().end as usize <= file.text.len(), "{d:?} lies outside:\n{text}");
        }
    }
    assert!(wrong > 1000, "only {wrong} mutations were wrong: they do not mutate");
}

/// Every program of the repository with one bracket, quote or operator left out: the mistake is found where it was made,
/// and found once.
#[test]
fn one_token_left_out_is_one_diagnostic_near_it() {
    let mut programs = Vec::new();
    for folder in ["examples", "tests/suite/programs"] {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap().flatten() {
            programs.push(files_below(&entry.path(), ""));
        }
    }
    let (mut tried, mut found, mut several, mut far) = (0, 0, Vec::new(), Vec::new());
    for files in programs {
        for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".imm") && !name.contains('/')) {
            let text = std::str::from_utf8(bytes).unwrap();
            for cut in cuts(text) {
                let damaged = format!("{}{}", &text[..cut.start], &text[cut.end..]);
                let mut world = MemoryWorld::default();
                files.iter().for_each(|(name, bytes)| world.insert(name, bytes.as_slice()));
                world.insert(name, damaged.as_bytes());
                for program in [None, Some("sh"), Some("sleep"), Some("mv")] {
                    world.insert_program(program, b"a program");
                }
                let checked = imm_compiler::check(&world, "", &Options::default());
                let errors: Vec<_> = checked.diagnostics.iter().filter(|d| d.is_error()).collect();
                let line = text[..cut.start].matches('\n').count();
                let away = |d: &imm_ir::Diagnostic| (checked.sources.loc(d.span()).line as usize).abs_diff(line + 1);
                tried += 1;
                let Some(nearest) = errors.iter().map(|d| away(d)).min() else { continue };
                found += 1;
                let place = format!("{name}:{}: without `{}`", line + 1, &text[cut]);
                if nearest > 1 {
                    far.push(place.clone());
                }
                if errors.len() > 1 {
                    several.push(place);
                }
            }
        }
    }
    assert!(tried > 1000, "only {tried} places were found");
    assert!(found * 100 > tried * 98, "{found} of {tried} were noticed");
    // A hole without its `${` is a text like any other, and a `)` may be missing in several places of an expression.
    assert!(far.len() <= 2, "{} of {tried} were reported more than a line away:\n{}", far.len(), far.join("\n"));
    assert_eq!(several, [""; 0], "{} of {tried} were reported twice", several.len());
}

fn files_below(folder: &Path, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files.extend(files_below(&entry.path(), &format!("{name}/")));
        } else {
            files.push((name, std::fs::read(entry.path()).unwrap()));
        }
    }
    files
}

/// The brackets, quotes and operators of a program.
fn cuts(text: &str) -> Vec<std::ops::Range<usize>> {
    use imm_syntax::Tok;
    let mut cuts = Vec::new();
    for token in imm_syntax::lex(imm_ir::FileId(0), text).tokens {
        let range = token.start as usize..token.end as usize;
        let quoted = text[range.clone()].starts_with('"');
        let separates = [Tok::Comma, Tok::Colon, Tok::Assign, Tok::FatArrow, Tok::Arrow, Tok::Dot, Tok::Pipe];
        if quoted {
            cuts.push(range.start..range.start + 1);
            cuts.push(range.end - 1..range.end);
        } else if token.kind.closer().is_some()
            || token.kind.is_closer()
            || separates.contains(&token.kind)
            || token.kind.is_binary_operator() && !token.kind.is_keyword()
        {
            cuts.push(range);
        }
    }
    cuts
}
