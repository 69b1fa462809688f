//! What we build works elsewhere: closures start in a root of their own, other tools read the layout.

use std::path::Path;
use std::process::{Command, Output};

use imm_image::{ImageError, Recipe, Store, elf};

use super::{build, recipe, root_user};

/// Runs a program of an image in its unpacked layers, copied over each other.
fn in_image(recipe: &Recipe, command: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let (built, _) = build(&store, recipe);
    let root = folder.path().join("root");
    std::fs::create_dir(&root).unwrap();
    for layer in store.unpack(built.manifest).unwrap() {
        let status = Command::new("cp").args(["-a", "--"]).arg(layer.join(".")).arg(&root).status().unwrap();
        assert!(status.success());
    }
    // A loader reads /proc to know `$ORIGIN`, and every container has it.
    let script = "mount --bind /proc \"$0/proc\" && exec chroot \"$0\" \"$@\"";
    let shell = ["--mount", "/bin/sh", "-c", script];
    Command::new("unshare").args(shell).arg(&root).args(command).env("LC_ALL", "C").output().unwrap()
}

fn with(path: &str, program: &Path) -> Recipe {
    let mut made = Recipe::default();
    made.add_executable(path, &elf::executable(program).unwrap()).unwrap();
    made
}

#[test]
fn a_shell_starts_in_its_image() {
    if !root_user() {
        println!("skipped: needs root for chroot");
        return;
    }
    let output = in_image(&with("/opt/shell", Path::new("/bin/sh")), &["/opt/shell", "-c", "echo $((6 * 7)) /*"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.starts_with("42 /dev /lib"), "{output:?}");
}

#[test]
fn the_running_program_starts_in_its_image() {
    if !root_user() {
        println!("skipped: needs root for chroot");
        return;
    }
    let this = elf::running_program().unwrap();
    let output = in_image(&with("/bin/this", &this), &["/bin/this", "determinism::as_somebody_else", "--exact"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
}

fn compile(folder: &Path, arguments: &[&str]) {
    let output = Command::new("cc").args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A program in `bin/` that finds `liba` by its RUNPATH, which finds `libb` by a RUNPATH of its own.
fn program_with_libraries(folder: &Path, tag: &str) {
    for (name, text) in [
        ("b.c", "int b(void) { return 40; }"),
        ("a.c", "int b(void); int a(void) { return b() + 2; }"),
        ("main.c", "int a(void); int main(void) { return a(); }"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    for name in ["bin", "lib", "lib/inner"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    let tag = format!("-Wl,{tag}");
    compile(folder, &["-shared", "-fPIC", "-o", "lib/inner/libb.so", "b.c"]);
    let inner = "-Wl,-rpath,${ORIGIN}/inner";
    compile(folder, &["-shared", "-fPIC", "-o", "lib/liba.so", "a.c", "-Llib/inner", "-lb", &tag, inner]);
    let outer = "-Wl,-rpath,$ORIGIN/../lib";
    let known = "-Wl,-rpath-link,lib/inner";
    compile(folder, &["-o", "bin/program", "main.c", "-Llib", "-la", &tag, outer, known]);
}

#[test]
fn libraries_beside_the_program_move_with_it() {
    for tag in ["--enable-new-dtags", "--disable-new-dtags"] {
        let folder = tempfile::tempdir().unwrap();
        program_with_libraries(folder.path(), tag);
        let program = folder.path().join("bin/program");
        assert_eq!(Command::new(&program).status().unwrap().code(), Some(42));
        let made = with("/opt/x/bin/program", &program);
        for expected in ["/opt/x/lib/liba.so", "/opt/x/lib/inner/libb.so"] {
            assert!(made.dependencies.contains_key(expected), "{tag}: {:?}", made.dependencies.keys());
        }
        if root_user() {
            let output = in_image(&made, &["/opt/x/bin/program"]);
            assert_eq!(output.status.code(), Some(42), "{tag}: {output:?}");
        }
    }
}

#[test]
fn a_missing_library_is_named_with_who_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    program_with_libraries(folder.path(), "--enable-new-dtags");
    let program = folder.path().join("bin/program");
    let inner = folder.path().join("lib/inner/libb.so");
    // Another processor: e_machine of an ELF header is at byte 18.
    let mut bytes = std::fs::read(&inner).unwrap();
    bytes[18] = 0xb7 ^ (bytes[18] & 1) ^ 1;
    std::fs::write(&inner, bytes).unwrap();
    let error = elf::executable(&program).unwrap_err();
    assert!(matches!(&error, ImageError::WrongMachine { library, .. } if library == "libb.so"), "{error}");
    std::fs::remove_file(inner).unwrap();
    let error = elf::executable(&program).unwrap_err();
    let ImageError::MissingLibrary { library, needed_by, looked_in } = &error else {
        panic!("{error}");
    };
    assert_eq!(library, "libb.so");
    assert!(needed_by.ends_with("lib/liba.so") && looked_in.contains("lib/inner"), "{error}");
    let library = elf::executable(&folder.path().join("lib/liba.so")).unwrap_err();
    assert!(library.to_string().contains("shared library"), "{library}");
}

#[test]
fn a_static_program_is_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.c"), "int main(void) { return 7; }").unwrap();
    for kind in ["-static", "-static-pie"] {
        compile(folder.path(), &[kind, "-o", "program", "main.c"]);
        let closure = elf::executable(&folder.path().join("program")).unwrap();
        assert!(closure.members.is_empty(), "{kind}: {:?}", closure.members);
    }
}

#[test]
fn skopeo_reads_the_layout() {
    if Command::new("skopeo").arg("--version").output().is_err() {
        println!("skipped: skopeo is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let mut wanted = recipe(&[("/srv/index.html", &"Hello".repeat(500_000))]);
    wanted.labels.insert("purpose".to_owned(), "test".to_owned());
    let (built, _) = build(&store, &wanted);
    let (other, _) = build(&store, &recipe(&[("/other", "x")]));
    for (image, label) in [(built, true), (other, false)] {
        let name = format!("oci:{}:{}", store.root().display(), image.manifest.hex());
        let output = Command::new("skopeo").args(["inspect", &name]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["Digest"], image.manifest.to_string());
        assert_eq!(told["Created"], "1970-01-01T00:00:00Z");
        assert_eq!(told["Labels"]["purpose"] == "test", label);
        // A copy reads and checks every layer.
        let copy = format!("dir:{}", folder.path().join(image.manifest.hex()).display());
        let output = Command::new("skopeo").args(["copy", "--insecure-policy", &name, &copy]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
