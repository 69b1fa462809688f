//! Images that others made: taken in from a layout, an archive, and what `docker save` writes.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use imm_image::foreign::{Form, look};
use imm_image::{Base, Entry, ImageError, Recipe, Store};
use sha2::{Digest, Sha256};

fn sha(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, path, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

/// An image of two layers as its files: configuration, layers, and their digests.
struct Made {
    config: Vec<u8>,
    layers: Vec<Vec<u8>>,
}

fn made(gzip: bool) -> Made {
    let plain = [tar(&[("bin/tool", b"tool"), ("etc/old", b"old")]), tar(&[("etc/.wh.old", b""), ("etc/new", b"new")])];
    let diff_ids: Vec<String> = plain.iter().map(|layer| format!("\"sha256:{}\"", sha(layer))).collect();
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    let config = format!(
        r#"{{"architecture":"{architecture}","os":"linux","config":{{"Env":["A=1"],"Entrypoint":["/bin/tool"],"Cmd":["serve"],"WorkingDir":"/work","Labels":null,"ExposedPorts":{{"80/tcp":{{}}}}}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        diff_ids.join(",")
    );
    let packed = |layer: &Vec<u8>| {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(layer).unwrap();
        gz.finish().unwrap()
    };
    let layers = if gzip { plain.iter().map(packed).collect() } else { plain.to_vec() };
    Made { config: config.into_bytes(), layers }
}

impl Made {
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let blob = |bytes: &[u8]| (format!("blobs/sha256/{}", sha(bytes)), bytes.to_vec());
        let part = |kind: &str, bytes: &[u8]| {
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"sha256:{}","size":{}}}"#,
                sha(bytes),
                bytes.len()
            )
        };
        let layers: Vec<String> = self.layers.iter().map(|layer| part("layer.v1.tar+gzip", layer)).collect();
        let config = part("config.v1+json", &self.config);
        let manifest = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{}]}}"#, layers.join(","));
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, part("manifest.v1+json", manifest.as_bytes()));
        let mut files = vec![blob(&self.config), blob(manifest.as_bytes())];
        files.extend(self.layers.iter().map(|layer| blob(layer)));
        files.push(("index.json".to_owned(), index.into_bytes()));
        files.push(("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
        files
    }

    fn layout(&self, at: &Path) -> PathBuf {
        for (name, bytes) in self.files() {
            let path = at.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        at.to_owned()
    }

    fn archive(&self, at: &Path) -> PathBuf {
        let files = self.files();
        let entries: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        std::fs::write(at, tar(&entries)).unwrap();
        at.to_owned()
    }

    /// As `docker save` writes it.
    fn saved(&self, at: &Path) -> PathBuf {
        let config = format!("{}.json", sha(&self.config));
        let names: Vec<String> = (0..self.layers.len()).map(|n| format!("{n}/layer.tar")).collect();
        let manifest = format!(r#"[{{"Config":"{config}","RepoTags":null,"Layers":{names:?}}}]"#);
        let mut entries: Vec<(&str, &[u8])> = vec![(&config, &self.config), ("manifest.json", manifest.as_bytes())];
        entries.extend(names.iter().map(String::as_str).zip(self.layers.iter().map(Vec::as_slice)));
        std::fs::write(at, tar(&entries)).unwrap();
        at.to_owned()
    }
}

#[test]
fn one_image_in_three_forms_is_one_image() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    let image = made(true);
    let forms = [
        (image.layout(&dir.path().join("layout")), Form::Layout),
        (image.archive(&dir.path().join("archive.tar")), Form::Archive),
        (made(false).saved(&dir.path().join("saved.tar")), Form::Archive),
    ];
    let mut manifests = Vec::new();
    for (path, form) in &forms {
        let found = look(path, *form).unwrap();
        let taken = store.import(path, *form, found.config).unwrap();
        assert_eq!(taken.reused, !manifests.is_empty(), "{}", path.display());
        manifests.push(taken.manifest);
    }
    assert!(manifests.iter().all(|manifest| *manifest == manifests[0]));
    let config = store.inspect(manifests[0]).unwrap();
    assert_eq!(
        (config.cmd.join(" "), config.workdir.as_str(), config.env["A"].as_str()),
        ("/bin/tool serve".to_owned(), "/work", "1")
    );
    // Another store, another form: the same bytes.
    let other = Store::open(dir.path().join("other")).unwrap();
    let found = look(&forms[2].0, Form::Archive).unwrap();
    assert_eq!(other.import(&forms[2].0, Form::Archive, found.config).unwrap().manifest, manifests[0]);

    // As the base of an image of ours.
    let mut recipe = Recipe { base: Base::Node { manifest: manifests[0] }, ..Recipe::default() };
    recipe.add_file("/etc/mine", Entry::bytes(*b"mine")).unwrap();
    let built = store.build(&recipe, &|_| {}).unwrap();
    let layers = store.unpack(built.manifest).unwrap();
    assert_eq!(layers.len(), 2);
    let read = |layer: usize, path: &str| std::fs::read_to_string(layers[layer].join(path)).unwrap();
    assert_eq!(
        (read(0, "bin/tool").as_str(), read(0, "etc/new").as_str(), read(1, "etc/mine").as_str()),
        ("tool", "new", "mine")
    );
    assert!(!layers[0].join("etc/old").exists() && layers[0].join("proc").is_dir());
    let config = store.inspect(built.manifest).unwrap();
    assert_eq!(
        (config.cmd.join(" "), config.workdir.as_str(), config.user.as_str()),
        ("/bin/tool serve".to_owned(), "/work", "65532")
    );
    // It is found again when its source is gone.
    std::fs::remove_file(&forms[2].0).unwrap();
    assert!(store.import(&forms[2].0, Form::Archive, found.config).unwrap().reused);
}

#[test]
fn what_is_no_image_or_another_one_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store")).unwrap();
    let layout = made(true).layout(&dir.path().join("layout"));
    let said = |path: &Path, form| look(path, form).unwrap_err().to_string();
    assert!(said(&dir.path().join("nothing"), Form::Layout).contains("nothing"));
    assert!(said(dir.path(), Form::Layout).contains("no `index.json`"));
    assert!(said(&layout, Form::Archive).contains("write `layout"));
    let file = dir.path().join("file");
    std::fs::write(&file, "x".repeat(2000)).unwrap();
    assert!(said(&file, Form::Layout).contains("write `archive"));
    assert!(said(&file, Form::Archive).contains("no tar file"));
    // Between the look and the import it became another one.
    let found = look(&layout, Form::Layout).unwrap();
    let other = imm_image::ContentDigest::from_bytes([1; 32]);
    assert!(matches!(store.import(&layout, Form::Layout, other), Err(ImageError::InputChanged { .. })));
    // A layer that is not what it is said to be.
    let layer = std::fs::read_dir(layout.join("blobs/sha256")).unwrap().flatten().map(|entry| entry.path());
    for path in layer.filter(|path| std::fs::read(path).unwrap().starts_with(&[0x1f, 0x8b])) {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&tar(&[("bin/evil", b"evil")])).unwrap();
        std::fs::write(path, gz.finish().unwrap()).unwrap();
    }
    let refused = store.import(&layout, Form::Layout, found.config).unwrap_err().to_string();
    assert!(refused.contains("damaged"), "{refused}");
}
