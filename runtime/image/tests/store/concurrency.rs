//! Many builders at once, in threads with stores of their own as in processes (locks belong to open files).

use std::sync::Barrier;
use std::thread;

use imm_image::Store;

use super::{recipe, snapshot};

#[test]
fn builders_of_the_same_and_of_other_images_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let count = 8;
    let barrier = Barrier::new(count);
    let images: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|index| {
                let (barrier, folder) = (&barrier, folder.path());
                scope.spawn(move || {
                    barrier.wait();
                    let store = Store::open(folder).unwrap();
                    let own = index.to_string();
                    let mine = store.build(&recipe(&[("/a", "shared"), ("/own", &own)]), &|_| {}).unwrap();
                    let ours = store.build(&recipe(&[("/a", &"shared".repeat(100_000))]), &|_| {}).unwrap();
                    let unpacked = store.unpack(ours.manifest).unwrap();
                    assert_eq!(snapshot(&unpacked[0])["/a"].1.as_ref().unwrap().len(), 600_000);
                    [mine.manifest, ours.manifest]
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let store = Store::open(folder.path()).unwrap();
    let index = std::fs::read_to_string(folder.path().join("index.json")).unwrap();
    for image in &images {
        assert!(store.contains(*image));
        assert!(index.contains(&image.to_string()), "{image} is not listed");
    }
    assert_eq!(std::fs::read_dir(folder.path().join("temporary")).unwrap().count(), 0);
}
