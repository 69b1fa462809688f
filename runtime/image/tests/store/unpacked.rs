//! What is unpacked is what went in, and nothing else is trusted.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use imm_image::{Entry, ImageError, Mode, Recipe, Store, elf};
use proptest::prelude::*;

use super::{recipe, snapshot};

fn arbitrary() -> impl Strategy<Value = BTreeMap<String, (Vec<u8>, bool)>> {
    let part = prop_oneof!["[a-c]", "[a-zA-Z0-9_. -]{1,12}", "[é☃]{60,80}"]
        .prop_filter("names of no meaning", |part| !matches!(&**part, "." | "..") && !part.starts_with(".wh."));
    let path = prop::collection::vec(part, 1..4).prop_map(|parts| format!("/{}", parts.join("/")));
    let file = (prop::collection::vec(any::<u8>(), 0..2000), any::<bool>());
    prop::collection::btree_map(path, file, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn is_what_went_in(files in arbitrary(), clock in 0..4_000_000_000_u64) {
        let mut recipe = Recipe { clock, ..Recipe::default() };
        for (path, (bytes, executable)) in &files {
            let mode = if *executable { Mode::Executable } else { Mode::Plain };
            recipe.add_file(path, Entry::Bytes { bytes: bytes.as_slice().into(), mode }).unwrap();
        }
        prop_assume!(recipe.check().is_ok());
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let built = store.build(&recipe, &|_| {}).unwrap();
        let folders = store.unpack(built.manifest).unwrap();
        prop_assert_eq!(folders.len(), 1);
        let mut expected = BTreeMap::new();
        for always in ["/dev", "/proc", "/sys"] {
            expected.insert(always.to_owned(), (0o755, None));
        }
        expected.insert("/tmp".to_owned(), (0o1777, None));
        for (path, (bytes, executable)) in &files {
            for (at, _) in path.match_indices('/').skip(1) {
                expected.entry(path[..at].to_owned()).or_insert((0o755, None));
            }
            expected.insert(path.clone(), (if *executable { 0o755 } else { 0o644 }, Some(bytes.clone())));
        }
        prop_assert_eq!(snapshot(&folders[0]), expected);
        for path in files.keys() {
            let time = folders[0].join(&path[1..]).metadata().unwrap().modified().unwrap();
            prop_assert_eq!(time, UNIX_EPOCH + Duration::from_secs(clock));
        }
        prop_assert_eq!(store.unpack(built.manifest).unwrap(), folders);
    }
}

#[test]
fn a_damaged_layer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let built = store.build(&recipe(&[("/a", "x")]), &|_| {}).unwrap();
    let blob = folder.path().join("blobs/sha256").join(built.layers[0].hex());
    let whole = std::fs::read(&blob).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&blob, &bytes).unwrap();
        let error = store.unpack(built.manifest).unwrap_err();
        assert!(matches!(error, ImageError::Damaged { .. }), "{at}: {error}");
    }
    std::fs::write(&blob, [&whole[..], b"more"].concat()).unwrap();
    assert!(store.unpack(built.manifest).is_err());
    std::fs::write(&blob, &whole).unwrap();
    store.unpack(built.manifest).unwrap();
}

#[test]
fn the_configuration_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut wanted = recipe(&[("/a", "x")]);
    wanted.cmd = vec!["/a".to_owned(), "b c".to_owned()];
    wanted.env.insert("K".to_owned(), "a=b".to_owned());
    wanted.labels.insert("l".to_owned(), "m".to_owned());
    wanted.workdir = "/srv".to_owned();
    wanted.ports.extend([80, 8080]);
    let built = store.build(&wanted, &|_| {}).unwrap();
    let config = store.inspect(built.manifest).unwrap();
    assert_eq!((config.cmd, config.env, config.labels), (wanted.cmd, wanted.env, wanted.labels));
    assert_eq!((&*config.workdir, &*config.user, &*config.ports), ("/srv", "65532", &[80, 8080][..]));
}

#[test]
fn scripts_and_absent_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    assert!(elf::executable(&script).unwrap_err().to_string().contains("script"));
    assert!(elf::executable(Path::new("/nowhere/at/all")).unwrap_err().to_string().contains("/nowhere/at/all"));
}
