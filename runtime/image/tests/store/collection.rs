//! The collector: only what nothing needs, never while somebody builds.

use std::collections::BTreeSet;

use imm_image::{ImageError, Store};

use super::{build, recipe, snapshot};

#[test]
fn what_only_unreachable_images_use_goes() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(a.path()).unwrap();
    let shared = ("/lib/x", "shared");
    let make = |text: &str| {
        let mut made = recipe(&[("/a", text)]);
        made.dependencies = recipe(&[shared]).files;
        made
    };
    let (kept, _) = build(&store, &make("kept"));
    let (gone, _) = build(&store, &make("gone"));
    let unpacked = [store.unpack(kept.manifest).unwrap(), store.unpack(gone.manifest).unwrap()];
    let collected = store.collect(&BTreeSet::from([kept.manifest])).unwrap();
    // Manifest, configuration and the files' layer of the other one; the shared layer stays.
    assert_eq!((collected.images, collected.blobs, collected.layers), (1, 3, 1));
    assert!(collected.bytes > 0);
    assert!(store.contains(kept.manifest) && !store.contains(gone.manifest));
    assert!(unpacked[0].iter().all(|folder| folder.is_dir()) && !unpacked[1][1].exists());
    assert_eq!(store.find(make("gone").digest()), None);

    // The same as if the other one had never been.
    let other = Store::open(b.path()).unwrap();
    let (same, _) = build(&other, &make("kept"));
    other.unpack(same.manifest).unwrap();
    assert_eq!(snapshot(a.path()), snapshot(b.path()));

    // And it can be built again.
    assert_eq!(build(&store, &make("gone")), (gone, vec!["files"]));
}

#[test]
fn nothing_is_collected_while_somebody_builds() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let hold = store.hold().unwrap();
    let (built, _) = build(&store, &recipe(&[("/a", "x")]));
    let error = Store::open(folder.path()).unwrap().collect(&BTreeSet::new()).unwrap_err();
    assert!(matches!(error, ImageError::Busy { .. }), "{error}");
    assert!(store.contains(built.manifest));
    drop(hold);
    assert_eq!(store.collect(&BTreeSet::new()).unwrap().images, 1);
    assert!(matches!(store.inspect(built.manifest), Err(ImageError::Absent { .. })));
    assert!(matches!(store.unpack(built.manifest), Err(ImageError::Absent { .. })));
}
