//! What the architecture promises about the tree itself: directions, sizes, one place for each library.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    let mut found = Vec::new();
    walk(root(), &mut found);
    assert!(found.len() > 50, "the walk found {} files", found.len());
    found
}

#[test]
fn every_file_says_what_it_is_and_stays_small() {
    for (path, text) in rust_files() {
        assert!(text.starts_with("//!"), "{} does not open with //!", path.display());
        let lines = text.lines().count();
        assert!(lines <= 900, "{} has {lines} lines", path.display());
    }
}

#[test]
fn compiler_and_runtime_do_not_know_each_other() {
    let manifest = |path: &str| std::fs::read_to_string(root().join(path).join("Cargo.toml")).unwrap();
    let depends = |path: &str, name: &str| {
        manifest(path).split("[dev-dependencies]").next().unwrap().lines().any(|l| l.starts_with(&format!("{name}.")))
    };
    assert!(depends("compiler", "imm-syntax"), "the check reads manifests as they are written");
    for compiler in ["compiler", "compiler/syntax", "compiler/ir"] {
        for name in ["imm-runtime", "imm-host", "imm-image", "imm-router", "imm-sandbox", "tokio"] {
            assert!(!depends(compiler, name), "{compiler} depends on {name}");
        }
    }
    for runtime in ["runtime", "runtime/host", "runtime/host/router", "runtime/host/sandbox", "runtime/image"] {
        for name in ["imm-compiler", "imm-syntax"] {
            assert!(!depends(runtime, name), "{runtime} depends on {name}");
        }
    }
}

#[test]
fn each_of_these_libraries_is_named_in_one_place() {
    let named = |library: &str| -> Vec<String> {
        let used = |text: &str| text.contains(&format!("use {library}::")) || text.contains(&format!("{library}::"));
        rust_files()
            .into_iter()
            .filter(|(p, t)| !p.starts_with("tests") && used(t))
            .map(|(p, _)| p.display().to_string())
            .collect()
    };
    assert_eq!(named("ariadne"), ["src/ui/diagnostics.rs"]);
    assert_eq!(named("rustyline"), ["src/repl/editor.rs"]);
    // The editors' protocol has no library: its words are in one folder.
    let spoken =
        rust_files().into_iter().filter(|(path, text)| !path.starts_with("tests") && text.contains("\"textDocument/"));
    assert!(spoken.into_iter().all(|(path, _)| path.starts_with("src/lsp")));
    assert!(named("rusqlite").iter().all(|path| path.starts_with("runtime/src/store/sqlite/")));
    for path in named("petgraph") {
        let folder = Path::new(&path).components().next().unwrap().as_os_str().to_owned();
        assert!(folder == "compiler" || folder == "runtime", "{path}");
    }
    assert!(named("petgraph").len() <= 2, "{:?}", named("petgraph"));
}
