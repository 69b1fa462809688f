//! What is there already is neither read nor built again; what is damaged is.

use std::collections::BTreeSet;
use std::path::Path;

use imm_image::{Base, Entry, ImageError, Mode, Recipe, Store, elf};

use super::{build, recipe, snapshot};

fn with_program(page: &str) -> Recipe {
    let mut recipe = recipe(&[("/srv/index.html", page)]);
    recipe.add_executable("/bin/true", &elf::executable(Path::new("/bin/true")).unwrap()).unwrap();
    recipe
}

#[test]
fn a_small_change_builds_the_small_layer() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (first, layers) = build(&store, &with_program("one"));
    assert_eq!(layers, ["dependencies", "programs", "files"]);
    let (second, layers) = build(&store, &with_program("two"));
    assert_eq!(layers, ["files"]);
    assert_eq!(first.layers[..2], second.layers[..2]);
    assert_ne!(first.manifest, second.manifest);
    let (again, layers) = build(&store, &with_program("one"));
    assert!(again.reused && layers.is_empty());
    assert_eq!((again.manifest, again.size, again.layers), (first.manifest, first.size, first.layers));
}

#[test]
fn an_unchanged_image_is_found_without_its_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let source = folder.path().join("input");
    std::fs::write(&source, "one").unwrap();
    let digest = *blake3::hash(b"one").as_bytes();
    let mut recipe = Recipe::default();
    let entry = Entry::Host { source: source.clone(), digest, size: 3, mode: Mode::Plain };
    recipe.add_file("/a", entry).unwrap();
    assert_eq!(store.find(recipe.digest()), None);
    let built = store.build(&recipe, &|_| {}).unwrap();
    std::fs::remove_file(&source).unwrap();
    assert_eq!(store.find(recipe.digest()), Some(built.manifest));
    assert!(store.build(&recipe, &|_| {}).unwrap().reused);
}

#[test]
fn a_changed_input_is_an_error_and_leaves_no_image() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let source = folder.path().join("input");
    std::fs::write(&source, "two").unwrap();
    let digest = *blake3::hash(b"one").as_bytes();
    let mut recipe = Recipe::default();
    recipe.add_file("/a", Entry::Host { source: source.clone(), digest, size: 3, mode: Mode::Plain }).unwrap();
    let error = store.build(&recipe, &|_| {}).unwrap_err();
    assert!(matches!(&error, ImageError::InputChanged { path, .. } if *path == source), "{error}");
    assert!(error.to_string().starts_with("input-changed"));
    let left = snapshot(store.root());
    assert!(!left.keys().any(|path| path.starts_with("/blobs/sha256/") || path.starts_with("/temporary/")), "{left:?}");
}

#[test]
fn a_torn_store_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let wanted = recipe(&[("/a", "one")]);
    let (built, _) = build(&store, &wanted);
    let whole = snapshot(folder.path());
    let files = whole.iter().filter(|(path, (_, content))| {
        content.as_ref().is_some_and(|content| !content.is_empty()) && !path.starts_with("/layers/")
    });
    for (path, (_, content)) in files {
        let content = content.as_ref().unwrap();
        for torn in [&content[..content.len() / 2], &[]] {
            std::fs::write(folder.path().join(&path[1..]), torn).unwrap();
            let store = Store::open(folder.path()).unwrap();
            let again = store.build(&wanted, &|_| {}).unwrap();
            assert_eq!((again.manifest, again.size), (built.manifest, built.size), "{path}");
            assert!(store.contains(built.manifest), "{path}");
            // Nobody needed the layer's pointer: the image was found. Another image with the layer needs it.
            let other = Recipe { cmd: vec!["/a".to_owned()], ..wanted.clone() };
            assert_eq!(store.build(&other, &|_| {}).unwrap().layers, built.layers, "{path}");
            store.collect(&BTreeSet::from([built.manifest])).unwrap();
            assert_eq!(snapshot(folder.path()), whole, "{path}");
        }
    }
}

#[test]
fn what_an_interrupted_build_left_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let torn = folder.path().join("temporary/torn");
    std::fs::create_dir_all(folder.path().join("temporary/layer/srv")).unwrap();
    std::fs::write(&torn, "x").unwrap();
    let hold = store.hold().unwrap();
    Store::open(folder.path()).unwrap();
    assert!(torn.exists(), "somebody may still be writing it");
    drop(hold);
    Store::open(folder.path()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path().join("temporary")).unwrap().count(), 0);
}

#[test]
fn an_image_stands_on_another() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut below = recipe(&[("/a", "below"), ("/b", "below")]);
    below.cmd = vec!["/run".to_owned()];
    below.env = [("X".to_owned(), "below".to_owned()), ("Y".to_owned(), "below".to_owned())].into();
    below.ports.insert(80);
    let (below, _) = build(&store, &below);
    let mut above = recipe(&[("/b", "above")]);
    above.base = Base::Node { manifest: below.manifest };
    above.env = [("X".to_owned(), "above".to_owned())].into();
    let (built, layers) = build(&store, &above);
    assert_eq!(layers, ["files"]);
    assert_eq!(built.layers.len(), 2);
    assert_eq!(built.layers[0], below.layers[0]);
    let config = store.inspect(built.manifest).unwrap();
    assert_eq!(config.cmd, ["/run"]);
    assert_eq!((&*config.env["X"], &*config.env["Y"], &*config.ports), ("above", "below", &[80][..]));
    let folders = store.unpack(built.manifest).unwrap();
    assert_eq!(std::fs::read(folders[0].join("b")).unwrap(), b"below");
    assert_eq!(std::fs::read(folders[1].join("b")).unwrap(), b"above");

    above.base = Base::Node { manifest: built.layers[0] };
    assert!(matches!(store.build(&above, &|_| {}), Err(ImageError::Absent { .. })));
}
