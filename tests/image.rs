//! The golden image is a function of its inputs: the same bytes in another folder, by another user, under another umask.

use crate::harness::{Bench, IMM, finish};
use crate::rootless::Stranger;
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn an_image_is_built_apart_twice_and_for_other_tools() {
    let bench = Bench::example("hello");
    let built = bench.json(&["image", "build", "--check"]);
    assert_eq!(
        (built["checked"].as_bool(), built["images"][0]["address"].as_str()),
        (Some(true), Some("app")),
        "{built}"
    );
    assert!(!bench.module.join(".imm").exists() && bench.processes().is_empty(), "nothing was applied or started");
    let out = bench.path("oci").display().to_string();
    bench.ok(&["image", "build", "--out", &out]);
    let layout = std::fs::read(Path::new(&out).join("oci-layout")).unwrap();
    assert!(String::from_utf8(layout).unwrap().contains("imageLayoutVersion"));
    let digest = built["images"][0]["manifest"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    assert!(Path::new(&out).join("blobs/sha256").join(&digest).is_file());
    let again = bench.imm(&["image", "build", "--out", &out]);
    assert!(again.code == 1 && again.err.contains("is there already"), "{again:?}");
    // The one that is applied is that one.
    bench.ok(&["apply", "--yes"]);
    let listed = bench.json(&["image"]);
    assert_eq!(listed["images"][0]["manifest"], built["images"][0]["manifest"], "{listed}");
    let other = bench.json(&["image", "build", "--param", "greeting=Hi"]);
    assert_ne!(other["images"][0]["manifest"], built["images"][0]["manifest"]);
}

/// An image as its builder's home holds it.
#[derive(PartialEq)]
struct Golden {
    /// Digest of its inputs, known before it is built.
    spec: String,
    /// Digest of its OCI manifest.
    manifest: String,
    /// Every blob of the store, by name.
    blobs: BTreeMap<String, Vec<u8>>,
}

impl std::fmt::Debug for Golden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sizes: BTreeMap<_, _> = self.blobs.iter().map(|(name, bytes)| (name, bytes.len())).collect();
        f.debug_struct("Golden")
            .field("spec", &self.spec)
            .field("manifest", &self.manifest)
            .field("blobs", &sizes)
            .finish()
    }
}

fn golden(bench: &Bench, status: &str) -> Golden {
    let status: Value = serde_json::from_str(status).unwrap();
    let objects = status["objects"].as_array().unwrap();
    let image = objects.iter().find(|o| o["kind"] == "image").unwrap_or_else(|| panic!("no image: {status:#}"));
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{image:#}")).to_owned();
    let mut blobs = BTreeMap::new();
    for entry in std::fs::read_dir(bench.home().join("store/blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        blobs.insert(entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap());
    }
    assert!(blobs.len() >= 3, "manifest, configuration and a layer: {:?}", blobs.keys());
    Golden { spec: text(&image["spec"]), manifest: text(&image["outputs"]["manifest"]), blobs }
}

/// The image that root, or whoever runs the tests, gets.
fn plain() -> (Bench, Golden) {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let image = golden(&bench, &bench.ok(&["status", "--json"]));
    (bench, image)
}

/// A module in another folder, whose files and times are others, under a umask that takes all rights from others.
fn other_umask() -> Golden {
    let bench = Bench::example("hello");
    let close = |path: &Path, mode: u32| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    close(&bench.module, 0o700);
    for entry in std::fs::read_dir(&bench.module).unwrap() {
        close(&entry.unwrap().path(), 0o600);
    }
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077 && exec \"$0\" apply --yes", IMM]);
    let world = bench.command(&[]);
    command.current_dir(&bench.module).envs(world.get_envs().filter_map(|(k, v)| Some((k, v?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let said = finish(command.spawn().unwrap(), &["apply under umask 077"]);
    assert_eq!(said.code, 0, "{said:?}");
    golden(&bench, &bench.ok(&["status", "--json"]))
}

#[test]
fn the_same_program_gives_the_same_bytes() {
    let (first, image) = plain();
    assert_eq!(plain().1, image, "in another folder");
    assert_eq!(other_umask(), image, "under another umask");
    if let Some(stranger) = Stranger::hello() {
        stranger.ok(&["apply", "--yes"]);
        let status = stranger.ok(&["status", "--json"]);
        assert_eq!(golden(&stranger.bench, &status.out), image, "by another user");
    }

    // And another program gives others: the comparison can fail.
    first.ok(&["apply", "--yes", "--param", "greeting=Hi"]);
    let changed = golden(&first, &first.ok(&["status", "--json"]));
    assert_ne!(changed.blobs, image.blobs);
}

#[test]
fn other_tools_read_the_layout() {
    if Command::new("skopeo").arg("--version").output().is_err() {
        println!("skipped: skopeo is not installed");
        return;
    }
    let (bench, image) = plain();
    let hex = image.manifest.strip_prefix("sha256:").unwrap_or_else(|| panic!("{}", image.manifest));
    let name = format!("oci:{}:{hex}", bench.home().join("store").display());
    let said = Command::new("skopeo").args(["inspect", &name]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let told: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(told["Digest"], *image.manifest);
    assert_eq!(told["Created"], "1970-01-01T00:00:00Z");
    // A copy reads and checks every layer.
    let copy = format!("dir:{}", bench.path("copy").display());
    let said = Command::new("skopeo").args(["copy", "--insecure-policy", &name, &copy]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}

/// A service from an image that others made: first what it is, then whatever it becomes.
const ON_A_BASE: &str = r#"
resource app = image { from = FORM { path = "dist/app" }, files = { "/srv/more.html" = "more" } }
resource web = service { image = app, port = 80, health = http { interval = 100ms } }
pointer front = route { listen = PORT, to = web }
"#;

#[test]
fn images_that_others_made_are_bases() {
    let (source, image) = plain();
    let hex = image.manifest.strip_prefix("sha256:").unwrap();
    let from = format!("oci:{}:{hex}", source.home().join("store").display());
    let skopeo = |to: String| {
        let said = Command::new("skopeo").args(["copy", "-q", "--insecure-policy", &from, &to]).output();
        said.is_ok_and(|said| said.status.success())
    };
    let (greeting, other) = ("Hello, world", "Hi, world");
    for (form, transport) in [("layout", "oci"), ("archive", "oci-archive"), ("archive", "docker-archive")] {
        let bench = Bench::program(&ON_A_BASE.replace("FORM", form));
        // Checked before it is there; planned only after.
        bench.ok(&["check"]);
        let refused = bench.imm(&["plan"]);
        assert!(
            refused.code == 1 && refused.err.contains("main.imm:2:31: there is no image at `dist/app`"),
            "{refused:?}"
        );
        std::fs::create_dir(bench.module.join("dist")).unwrap();
        let path = bench.module.join("dist/app");
        if !skopeo(format!("{transport}:{}:app:latest", path.display())) {
            println!("skipped: skopeo is not installed");
            return;
        }
        bench.ok(&["apply", "--yes"]);
        assert!(bench.page().contains(greeting), "{transport}");
        assert_eq!(crate::harness::http::get(bench.port, "/more.html").unwrap(), "more");
        assert!(bench.ok(&["apply", "--yes"]).contains("Nothing to do"));
        if transport != "oci" {
            continue;
        }
        // Another image at the same place is another one; the one before is made again without it.
        source.ok(&["apply", "--yes", "--param", "greeting=Hi"]);
        let next = golden(&source, &source.ok(&["status", "--json"]));
        let from = format!("oci:{}:{}", source.home().join("store").display(), &next.manifest[7..]);
        std::fs::remove_dir_all(&path).unwrap();
        let to = format!("oci:{}:app:latest", path.display());
        assert!(
            Command::new("skopeo").args(["copy", "-q", "--insecure-policy", &from, &to]).status().unwrap().success()
        );
        let plan = bench.ok(&["plan"]);
        assert!(plan.contains("dist/app changed (main.imm:2:31)"), "{plan}");
        bench.ok(&["apply", "--yes"]);
        assert!(bench.page().contains(other));
        std::fs::remove_dir_all(&path).unwrap();
        bench.ok(&["rollback", "--yes"]);
        assert!(bench.page().contains(greeting));
    }
}
