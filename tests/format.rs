//! `imm fmt` on files and on stdin: what it writes, what it leaves alone, how it ends.

use crate::harness::{Bench, Said, finish};
use std::io::Write as _;
use std::process::Stdio;

fn piped(bench: &Bench, args: &[&str], text: &str) -> Said {
    let mut command = bench.command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    finish(child, args)
}

#[test]
fn files_are_formatted_once_and_check_tells_which_are_not() {
    let bench = Bench::example("hello");
    let path = bench.module.join("main.imm");
    // Whatever the test's port is long: first the style of this copy.
    bench.ok(&["fmt"]);
    let text = std::fs::read_to_string(&path).unwrap();
    bench.ok(&["fmt", "--check"]);
    let ugly = text.replace(" = ", "  =  ");
    std::fs::write(&path, &ugly).unwrap();
    let said = bench.imm(&["fmt", "--check"]);
    assert_eq!((said.code, std::fs::read_to_string(&path).unwrap() == ugly), (3, true), "{said:?}");
    assert!(said.out.contains("main.imm"), "{said:?}");
    bench.ok(&["fmt", "main.imm"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    bench.ok(&["fmt", "--check", "."]);
    let left: Vec<_> = std::fs::read_dir(&bench.module).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|n| !n.to_string_lossy().contains(".new")), "{left:?}");
}

/// Each folder of the suite's programs and each example is a module without a mistake.
#[test]
fn whole_programs_have_no_mistakes() {
    let bench = Bench::example("hello");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/suite/programs", "examples"].map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let folders: Vec<_> = folders.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    assert!(folders.len() >= 7, "{folders:?}");
    for folder in folders {
        let said = bench.imm(&["check", folder.to_str().unwrap()]);
        assert_eq!((said.code, said.out.as_str()), (0, ""), "{}: {said:?}", folder.display());
    }
}

#[test]
fn broken_programs_are_left_alone() {
    let bench = Bench::example("hello");
    let path = bench.module.join("main.imm");
    std::fs::write(&path, "let  a = {\n").unwrap();
    for args in [&["fmt"][..], &["fmt", "--check"]] {
        let said = bench.imm(args);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.err.contains("unclosed-bracket") && said.err.contains("main.imm"), "{said:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "let  a = {\n");
    }
    assert_eq!(bench.imm(&["fmt", "index.html"]).code, 1);
    assert_eq!(bench.imm(&["fmt", "no/such"]).code, 1);
}

#[test]
fn stdin_goes_to_stdout() {
    let bench = Bench::example("hello");
    for args in [&["fmt"][..], &["fmt", "-"]] {
        let said = piped(&bench, args, "let  a=1 // one");
        assert_eq!((said.code, said.out.as_str()), (0, "let a = 1 // one\n"), "{said:?}");
    }
    assert_eq!(piped(&bench, &["fmt", "-", "--check"], "let  a=1\n").code, 3);
    assert_eq!(piped(&bench, &["fmt", "-", "--check"], "let a = 1\n").code, 0);
    let broken = piped(&bench, &["fmt"], "let a = \n");
    assert_eq!((broken.code, broken.out.as_str()), (1, ""), "{broken:?}");
    assert!(broken.err.contains("stdin"), "{broken:?}");
}

/// `imm check --fix` applies what is safe, pass after pass, and changes nothing the second time.
#[test]
fn safe_fixes_are_applied_until_there_are_none() {
    let bench = Bench::example("hello");
    let path = bench.module.join("main.imm");
    let text = std::fs::read_to_string(&path).unwrap();
    let broken = text.replace("durable uploads", "resource uploads").replace("volume { size =", "volume { size:");
    assert_ne!(broken, text);
    std::fs::write(&path, &broken).unwrap();
    bench.ok(&["check", "--fix"]);
    let fixed = std::fs::read_to_string(&path).unwrap();
    assert!(fixed.contains("durable uploads = volume"), "{fixed}");
    bench.ok(&["check", "--fix"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), fixed);
    // What is not certain is left to people.
    let unclear = text.replace("image = app", "imge = app").replace("image    = app", "imge    = app");
    std::fs::write(&path, &unclear).unwrap();
    assert_eq!(bench.imm(&["check", "--fix"]).code, 1);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), unclear);
}
