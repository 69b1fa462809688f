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
