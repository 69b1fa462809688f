//! A program that is edited is what it would be if it were read anew: random edits of real and of made programs, every
//! version compared with a fresh analysis, and its whole look with a fresh check. The look right after a keystroke may
//! miss what the whole one sees, but says nothing that is not so.

#![expect(clippy::disallowed_methods, reason = "tests read programs from the disk; the ban is for the compiler itself")]
#![expect(clippy::unwrap_used, reason = "a helper of a test may panic")]
#![expect(clippy::indexing_slicing, reason = "a choice is taken modulo how many there are")]

use imm_compiler::ide::{self, Analysis, Place, Problems};
use imm_compiler::{MemoryWorld, Options};
use imm_ir::{Diagnostic, code};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

type Files = BTreeMap<String, String>;

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n.max(1)
    }
}

fn world(files: &Files) -> MemoryWorld {
    MemoryWorld::new(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))
}

/// Every folder with programs below one.
fn programs(folder: &Path, found: &mut Vec<Files>) {
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut files = Files::new();
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') {
            folders.push(path);
        } else if name.ends_with(".imm") {
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    if !files.is_empty() {
        found.push(files);
    }
    folders.iter().for_each(|folder| programs(folder, found));
}

/// A module of several files whose items need each other.
fn made(items: usize) -> Files {
    let mut files = Files::new();
    for (file, first) in ["a.imm", "b.imm", "c.imm"].into_iter().zip(0..) {
        let mut text = String::new();
        for i in (first..items).step_by(3) {
            let before = i.saturating_sub(2);
            let item = match i % 6 {
                0 => format!("/// How many of {i}.\nparam n{i}: Int = {i} where it >= 0"),
                1 => format!(
                    "let l{i} = {}",
                    if i > 6 { format!("l{} + n{}", i - 6, i - 1) } else { "n0 * 2".to_owned() }
                ),
                2 => format!("resource app{i} = image {{\n  files = {{ \"/a\" = \"{i}\" }}\n  cmd = [\"/a\"]\n}}"),
                3 => format!(
                    "resource web{i} = service {{\n  image = app{}\n  replicas = 1\n  port = 8080\n  env = {{ N = \"${{l{}}}\" }}\n  health = http {{ path = \"/\" }}\n}}",
                    i - 1,
                    i - 2
                ),
                4 => format!("pointer front{i} = route {{\n  listen = {}\n  to = web{}\n}}", 8000 + i, i - 1),
                _ => format!(
                    "output url{i} = front{}.url\ncomponent c{i} {{\n  param size: Int\n  output twice = size * 2\n}}\nuse u{i} = c{i} {{ size = n{} }}",
                    i - 1,
                    before / 6 * 6
                ),
            };
            writeln!(text, "{item}\n").unwrap();
        }
        files.insert(file.to_owned(), text);
    }
    files
}

/// Something that an editor does to a text.
fn edit(random: &mut Random, text: &mut String) {
    let at = |random: &mut Random, text: &str| {
        let mut at = random.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let line = |random: &mut Random, text: &str| {
        let lines: Vec<(usize, usize)> = text
            .split_inclusive('\n')
            .scan(0, |start, line| {
                *start += line.len();
                Some((*start - line.len(), *start))
            })
            .collect();
        lines.get(random.below(lines.len())).copied().unwrap_or((0, 0))
    };
    const TYPED: [&str; 22] = [
        "x",
        "1",
        " ",
        "\n",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "\"",
        "\"\"\"",
        "${",
        "=",
        ".",
        ",",
        "~",
        "// c\n",
        "/// d\n",
        "\nlet new = 1\n",
        "let ",
        "é",
    ];
    match random.below(10) {
        0..=4 => {
            let here = at(random, text);
            text.insert_str(here, TYPED[random.below(TYPED.len())]);
        }
        5 | 6 => {
            let here = at(random, text);
            if let Some(c) = text[here..].chars().next() {
                text.replace_range(here..here + c.len_utf8(), "");
            }
        }
        7 => {
            let (start, end) = line(random, text);
            text.replace_range(start..end, "");
        }
        8 => {
            let (start, end) = line(random, text);
            let moved = text[start..end].to_owned();
            text.replace_range(start..end, "");
            let (start, _) = line(random, text);
            text.insert_str(start, &moved);
        }
        _ => {
            // A block that is moved: items are apart by empty lines.
            let mut blocks: Vec<String> = text.split("\n\n").map(str::to_owned).collect();
            let block = blocks.remove(random.below(blocks.len()));
            blocks.insert(random.below(blocks.len() + 1), block);
            *text = blocks.join("\n\n");
        }
    }
}

fn same(now: &Analysis, files: &Files, random: &mut Random) {
    let world = world(files);
    let fresh = Analysis::new(&world, "");
    for (id, file) in fresh.sources().iter().filter(|(_, file)| files.contains_key(&*file.name)) {
        assert_eq!(now.text(id), &*file.text);
        assert_eq!(ide::document_symbols(now, id), ide::document_symbols(&fresh, id), "{files:#?}");
        assert_eq!(ide::folds(now, id), ide::folds(&fresh, id));
        for _ in 0..3 {
            let offset = u32::try_from(random.below(file.text.len() + 1)).unwrap();
            let at = Place { file: id, offset };
            assert_eq!(ide::hover(now, at), ide::hover(&fresh, at), "{offset} {files:#?}");
            assert_eq!(ide::define(now, at), ide::define(&fresh, at));
            assert_eq!(ide::selection(now, at), ide::selection(&fresh, at));
        }
    }
}

fn checked(files: &Files) -> Vec<Diagnostic> {
    imm_compiler::check(&world(files), "", &Options::default()).diagnostics
}

/// How often a look after a keystroke did not see all.
#[derive(Default)]
struct Tally {
    looks: usize,
    missed: usize,
}

impl Tally {
    fn count(&mut self, soon: &Problems, whole: &Problems, files: &Files) {
        let (soon, whole) = (errors(soon), errors(whole));
        self.looks += 1;
        let shown = |file| whole.iter().filter(|found| found.is_error() && found.span().file == file).count();
        if whole.iter().any(|found| shown(found.span().file) >= imm_syntax::MAX_ERRORS) {
            // Of more errors than are shown these may be others.
            return;
        }
        let wrong: Vec<&Diagnostic> = soon.iter().filter(|found| !whole.contains(found)).collect();
        assert!(wrong.is_empty(), "{wrong:#?} {files:#?}");
        self.missed += usize::from(soon.len() < whole.len());
    }
}

/// Edits a program; what is typed may be taken back, so that it is right every now and then.
fn edited(mut files: Files, edits: usize, seed: u64, tally: &mut Tally) {
    let mut random = Random(seed);
    let mut now = Analysis::new(&world(&files), "");
    let mut problems = now.problems(&world(&files), &Options::default());
    assert_eq!(problems.shown().1, checked(&files));
    let mut right = files.clone();
    for _ in 0..edits {
        if random.below(4) == 0 {
            files.clone_from(&right);
        } else {
            let names: Vec<String> = files.keys().cloned().collect();
            let name = &names[random.below(names.len())];
            edit(&mut random, files.get_mut(name).unwrap());
        }
        let world = world(&files);
        now = now.next(&world, "");
        let soon = now.problems_since(&problems, &world, &Options::default());
        let whole = now.problems(&world, &Options::default());
        let fresh = checked(&files);
        assert_eq!(whole.shown().1, fresh, "{files:#?}");
        if !fresh.iter().any(Diagnostic::is_error) {
            right.clone_from(&files);
        }
        tally.count(&soon, &whole, &files);
        // Mostly a pause follows, in which the whole is looked at.
        problems = if random.below(3) == 0 { soon } else { whole };
        same(&now, &files, &mut random);
    }
}

fn errors(problems: &Problems) -> Vec<Diagnostic> {
    let mut all = problems.shown().1;
    all.retain(|found| found.code != code::UNUSED_BINDING);
    all
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// In at most one of twenty versions something is missed until the whole look: a file that is not there or another mistake
/// of values, where errors kept the program from being evaluated before, and names that more items say than are looked at.
fn all_are_edited(programs: Vec<Files>, edits: usize) {
    let mut tally = Tally::default();
    assert!(programs.len() > 3);
    for (program, seed) in programs.into_iter().zip(1..) {
        edited(program, edits, seed, &mut tally);
    }
    assert!(
        tally.missed * 20 <= tally.looks,
        "{} of {} looks after a keystroke missed something",
        tally.missed,
        tally.looks
    );
}

#[test]
fn edited_programs_are_as_if_read_anew() {
    let mut all = vec![made(40), made(90)];
    programs(&repository().join("examples"), &mut all);
    all_are_edited(all, 30);
}

#[test]
#[ignore = "takes minutes"]
fn many_edits_of_every_program() {
    let mut all = vec![made(300)];
    for folder in ["examples", "tests/suite"] {
        programs(&repository().join(folder), &mut all);
    }
    all_are_edited(all, 200);
}
