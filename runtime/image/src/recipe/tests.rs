//! Identity and checks of recipes.

use super::*;

fn host(source: &str, content: &[u8]) -> Entry {
    let digest = *blake3::hash(content).as_bytes();
    Entry::Host { source: source.into(), digest, size: content.len() as u64, mode: Mode::Plain }
}

#[test]
fn identity_is_the_content_not_where_it_came_from() {
    let mut a = Recipe::default();
    a.add_file("/b", Entry::bytes(*b"two")).unwrap();
    a.add_file("/a", Entry::bytes(*b"one")).unwrap();
    let mut b = Recipe::default();
    b.add_file("/a", host("/elsewhere", b"one")).unwrap();
    b.add_file("/b", host("/nowhere", b"two")).unwrap();
    assert_eq!(a.digest(), b.digest());
}

#[test]
fn every_field_is_part_of_the_identity() {
    let base = Recipe::default();
    let changes: [fn(&mut Recipe); 12] = [
        |r| r.base = Base::Node { manifest: ContentDigest::from_bytes([1; 32]) },
        |r| r.add_file("/a", Entry::bytes(*b"x")).unwrap(),
        |r| drop(r.programs.insert("/a".into(), Entry::bytes(*b"x"))),
        |r| drop(r.dependencies.insert("/a".into(), Entry::bytes(*b"x"))),
        |r| r.cmd.push("x".into()),
        |r| drop(r.env.insert("a".into(), "b".into())),
        |r| drop(r.labels.insert("a".into(), "b".into())),
        |r| r.user = "0".into(),
        |r| r.workdir = "/x".into(),
        |r| assert!(r.ports.insert(80)),
        |r| r.clock = 1,
        |r| r.architecture = "other".into(),
    ];
    let mut seen = BTreeSet::from([base.digest()]);
    for change in changes {
        let mut recipe = base.clone();
        change(&mut recipe);
        assert!(seen.insert(recipe.digest()), "a change kept the identity: {recipe:?}");
    }
}

#[test]
fn equal_content_merges_and_different_content_does_not() {
    let mut recipe = Recipe::default();
    recipe.add_file("/a", Entry::bytes(*b"one")).unwrap();
    recipe.add_file("/a", host("/x", b"one")).unwrap();
    let error = recipe.add_file("/a", host("/x", b"two")).unwrap_err();
    assert!(matches!(error, ImageError::Duplicate { .. }), "{error}");
}

#[test]
fn paths_are_checked() {
    for wrong in ["a", "/", "", "//a", "/a/", "/a/../b", "/./a", "/a\0", "/.wh.a", "/proc/x", "/dev", "/tmp"] {
        assert!(check_path(wrong).is_err(), "{wrong}");
    }
    for right in ["/a", "/a/b c", "/tmp/x", "/a/..b", "/é"] {
        assert!(check_path(right).is_ok(), "{right}");
    }
    let mut recipe = Recipe::default();
    recipe.add_file("/a/b", Entry::bytes(*b"")).unwrap();
    recipe.programs.insert("/a".into(), Entry::bytes(*b""));
    assert!(recipe.check().unwrap_err().to_string().contains("at the same time"));
}

#[test]
fn survives_serialisation() {
    let mut recipe = Recipe { cmd: vec!["/a".into()], ..Recipe::default() };
    recipe.add_file("/a", Entry::bytes(vec![0, 255, 10])).unwrap();
    recipe.add_file("/b", host("/x", b"two")).unwrap();
    let text = serde_json::to_string(&recipe).unwrap();
    assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
}
