//! Loading modules from a world in memory.

use super::*;
use crate::world::MemoryWorld;

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.diagnostics.iter().map(|d| d.code.0).collect()
}

#[test]
fn a_module_is_a_folder_and_brings_its_imports() {
    let world = MemoryWorld::new([
        ("shop/a.imm", "import \"./limits\" as limits\n"),
        ("shop/b.imm", "import \"limits\"\nimport \"../one.imm\"\n"),
        ("shop/notes.txt", "not imm"),
        ("shop/limits/limits.imm", "pub let web = 1\n"),
        ("one.imm", "pub let one = 1\n"),
    ]);
    let loaded = load(&world, "./shop/");
    assert_eq!(codes(&loaded), [] as [&str; 0], "{:?}", loaded.diagnostics);
    let names: Vec<_> = loaded.sources.iter().map(|(_, file)| file.name.to_string()).collect();
    assert_eq!(names, ["a.imm", "limits/limits.imm", "b.imm", "../one.imm"]);
    assert_eq!(loaded.modules.len(), 3);
    assert_eq!(loaded.modules[0].files.len(), 2);
    assert_eq!(loaded.modules[0].imports.values().copied().collect::<Vec<_>>(), [Some(1), Some(1), Some(2)]);
}

#[test]
fn one_file_is_a_module_too() {
    let world = MemoryWorld::new([("x/site.imm", "let a = 1\n"), ("x/other.imm", "let a = 2\n")]);
    let loaded = load(&world, "x/site.imm");
    assert_eq!(loaded.modules.len(), 1);
    assert_eq!(loaded.sources.iter().next().unwrap().1.name.as_ref(), "site.imm");
    assert_eq!(loaded.folder, "x");
}

#[test]
fn a_cycle_is_shown_with_every_import() {
    let world = MemoryWorld::new([("m/main.imm", "import \"a\"\n"), ("m/a/a.imm", "import \"..\"\n")]);
    let loaded = load(&world, "m");
    assert_eq!(codes(&loaded), ["import-cycle"]);
    assert_eq!(loaded.diagnostics[0].labels.len(), 2);
}

#[test]
fn what_is_not_there_is_suggested() {
    let world = MemoryWorld::new([("m/main.imm", "import \"./limit\"\n"), ("m/limits/l.imm", "")]);
    let loaded = load(&world, "m");
    assert_eq!(codes(&loaded), ["file-not-found"]);
    assert_eq!(loaded.diagnostics[0].helps, ["there is `./limits`"]);
    assert_eq!(codes(&load(&world, "nowhere")), ["file-not-found"]);
}
