//! The same recipe gives the same bytes: in another folder, in another order, under another umask, by another user.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use imm_image::{Recipe, Store, elf};

use super::{recipe, root_user, snapshot};

const FOLDER: &str = "IMM_IMAGE_TEST_FOLDER";

fn sample() -> Recipe {
    let mut recipe = recipe(&[("/srv/index.html", "Hello"), ("/srv/deep/er/x.txt", "x"), ("/etc/a", "b")]);
    recipe.add_executable("/bin/true", &elf::executable(Path::new("/bin/true")).unwrap()).unwrap();
    recipe.cmd = vec!["/bin/true".to_owned()];
    recipe.env.insert("A".to_owned(), "b".to_owned());
    recipe.ports.insert(8080);
    recipe
}

/// The layout's files: what other tools read.
fn layout(root: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    let files = snapshot(root).into_iter().filter(|(path, _)| path.starts_with("/blobs/") || path == "/index.json");
    files.map(|(path, (_, content))| (path, content)).collect()
}

#[test]
fn folder_and_order_do_not_matter() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Store::open(a.path()).unwrap().build(&sample(), &|_| {}).unwrap();
    let mut other = Recipe { cmd: sample().cmd, env: sample().env, ports: sample().ports, ..Recipe::default() };
    other.add_executable("/bin/true", &elf::executable(Path::new("/bin/true")).unwrap()).unwrap();
    for (path, entry) in sample().files.into_iter().rev() {
        other.add_file(&path, entry).unwrap();
    }
    Store::open(b.path().join("some/where")).unwrap().build(&other, &|_| {}).unwrap();
    assert_eq!(layout(a.path()), layout(&b.path().join("some/where")));
}

/// Runs in another process for the tests below, and does nothing in a plain run of the suite.
#[test]
fn as_somebody_else() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = Store::open(folder).unwrap();
    let built = store.build(&sample(), &|_| {}).unwrap();
    store.unpack(built.manifest).unwrap();
}

fn in_another_process(program: &str, arguments: &[&str], folder: &Path) {
    let output = Command::new(program)
        .args(arguments)
        .args(["determinism::as_somebody_else", "--exact"])
        .env(FOLDER, folder)
        .env("LC_ALL", "C")
        .env("HOME", "/nowhere")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn umask_does_not_matter() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let this = std::env::current_exe().unwrap();
    for (mask, folder) in [("000", a.path()), ("077", b.path())] {
        let script = format!("umask {mask}; exec \"$0\" \"$@\"");
        in_another_process("/bin/sh", &["-c", &script, this.to_str().unwrap()], folder);
    }
    assert_eq!(layout(a.path()), layout(b.path()));
    assert_eq!(snapshot(&a.path().join("layers")), snapshot(&b.path().join("layers")), "unpacked modes differ");
}

#[test]
fn user_does_not_matter() {
    if !root_user() || !Path::new("/usr/bin/setpriv").exists() {
        println!("skipped: needs root and setpriv");
        return;
    }
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(a.path()).unwrap();
    let built = store.build(&sample(), &|_| {}).unwrap();
    store.unpack(built.manifest).unwrap();
    std::fs::set_permissions(b.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    // The other user may not be allowed to reach the test binary where it is.
    let copy = b.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let folder = b.path().join("store");
    let who = ["--reuid=65534", "--regid=65534", "--clear-groups", copy.to_str().unwrap()];
    in_another_process("/usr/bin/setpriv", &who, &folder);
    assert_eq!(layout(a.path()), layout(&folder));
    assert_eq!(snapshot(&a.path().join("layers")), snapshot(&folder.join("layers")));
}
