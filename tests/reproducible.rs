//! The same sources, params and machine inputs give the same bytes, whoever compiles them, where, and with what around them.
//!
//! Each run is a process of its own with its own copy of a module that reads everything a program can read. What is compared is
//! the graph as a plan file has it, byte by byte, and `imm plan --json` but for what a lineage decides.

use crate::harness::{Bench, IMM, finish};
use imm_runtime::plan::saved::SavedPlan;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROGRAM: &str = r#"
import std.net
import "./limits" as limits

param greeting: String
param zones: Map[Int] = { eu = 1, us = 2 }

let lan = net.subnet("10.0.0.0/16", 8, 3)

resource base = image { from = layout { path = "dist/base" } }
resource app = image {
  from  = node { image = base }
  files = {
    "/srv"            = tree("public")
    "/srv/index.html" = template("index.html", { greeting })
    "/etc/motd"       = file("motd")
    "/bin/imm"        = executable(self)
  }
  cmd    = ["/bin/imm", "serve", "/srv"]
  labels = { LAN = lan, ZONES = zones.keys().join(",") }
}
resource web for zone, n in zones = service {
  image    = app
  env      = { ZONE = zone, URL = front.url }
  replicas = n
  limits   = { memory = limits.memory }
  port     = 8080
  health   = http {}
}
pointer front = route { to = web["eu"] }
output url = front.url
"#;

/// An id that no account of the machine has.
const ID: u32 = 54_321;

/// Writes the module; `backwards` makes folders list their files in another order.
fn module(at: &Path, backwards: bool) {
    let mut files = vec![
        ("main.imm", PROGRAM),
        ("more.imm", "output lan = lan\nassert zones.len() > 1 else \"one zone is none\"\n"),
        ("limits/main.imm", "pub let memory = 64MiB\n"),
        ("index.html", "<h1>{{ greeting }}</h1>\n"),
        ("motd", "hello\n"),
        ("public/a.css", "a {}\n"),
        ("public/deep/b.js", "b()\n"),
        ("public/z.txt", "z\n"),
    ];
    if backwards {
        files.reverse();
    }
    for (name, text) in files {
        std::fs::create_dir_all(at.join(name).parent().unwrap()).unwrap();
        std::fs::write(at.join(name), text).unwrap();
    }
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/base-image"), &at.join("dist/base"));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn give(path: &Path) {
    chown(path, Some(ID), Some(ID)).unwrap();
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
    }
}

/// One way to run the compiler.
struct Way<'a> {
    /// Where the module lies, below the test's folder.
    folder: &'a str,
    /// Where the user stands, and how the module is called from there.
    stands: &'a str,
    calls: &'a str,
    umask: u32,
    env: &'a [(&'a str, &'a str)],
    /// By a user who is not root, if this is root.
    stranger: bool,
}

/// What one run made.
#[derive(Debug, PartialEq)]
struct Made {
    graph: Vec<u8>,
    sources: Vec<(String, Vec<u8>)>,
    params: Vec<(String, String)>,
    plan: serde_json::Value,
}

fn made(root: &Path, program: &Path, way: &Way<'_>) -> Made {
    let (own, at) = (root.join(way.folder), root.join(way.folder).join("shop"));
    module(&at, way.umask == 0o077);
    let stranger = way.stranger && nix::unistd::geteuid().is_root();
    if stranger {
        give(&own);
    }
    let umask = nix::sys::stat::Mode::from_bits_truncate(way.umask);
    let run = |args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).current_dir(root.join(way.stands)).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("IMM_HOME", own.join("home")).env("IMM_PARAM_GREETING", "Grüße").envs(way.env.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if stranger {
            command.uid(ID).gid(ID);
        }
        let before = nix::sys::stat::umask(umask);
        let child = command.spawn().unwrap();
        nix::sys::stat::umask(before);
        let said = finish(child, args);
        assert_eq!(said.code, 0, "{said:?}");
        said.out
    };
    let kept: PathBuf = own.join("kept.immplan");
    run(&["plan", way.calls, "--out", kept.to_str().unwrap()]);
    let saved = SavedPlan::decode(&std::fs::read(&kept).unwrap()).unwrap();
    let mut plan: serde_json::Value = serde_json::from_str(&run(&["plan", way.calls, "--json"])).unwrap();
    plan["plan"] = serde_json::Value::Null;
    for action in plan["actions"].as_array_mut().unwrap() {
        // A name that the lineage makes, which is random.
        action["object"] = serde_json::Value::Null;
    }
    Made {
        graph: postcard::to_stdvec(&*saved.plan.graph).unwrap(),
        sources: saved.attached.sources,
        params: saved.attached.params,
        plan,
    }
}

#[test]
fn a_graph_has_the_same_bytes_wherever_and_by_whomever_it_is_made() {
    let bench = Bench::program("");
    let root = bench.path("");
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
    // The build's own folder may be closed to others; and the program is a machine input, so it is one for all.
    let program = bench.path("imm");
    std::fs::copy(IMM, &program).unwrap();
    let plain = Way { folder: "a", stands: "a/shop", calls: ".", umask: 0o022, env: &[], stranger: false };
    let first = made(&root, &program, &plain);
    assert!(first.graph.len() > 1000);
    let text = String::from_utf8_lossy(&first.graph).replace(program.to_str().unwrap(), "");
    assert!(!text.contains(root.to_str().unwrap()), "the graph names a folder of this machine");

    let absolute = root.join("some where/ünder/shop");
    let ways = [
        Way {
            folder: "some where/ünder",
            stands: "a",
            calls: absolute.to_str().unwrap(),
            umask: 0o077,
            env: &[("LANG", "tr_TR.UTF-8"), ("LC_ALL", "de_DE.UTF-8"), ("TZ", "Asia/Kathmandu"), ("HOME", "/nowhere")],
            stranger: false,
        },
        Way {
            folder: "b",
            stands: "b",
            calls: "shop",
            umask: 0o002,
            env: &[("USER", "somebody"), ("SOURCE_DATE_EPOCH", "1"), ("RUST_BACKTRACE", "1"), ("COLUMNS", "40")],
            stranger: true,
        },
        Way { folder: "c/d/e", stands: "c/d/e/shop/public", calls: "..", umask: 0o027, env: &[], stranger: true },
    ];
    for way in &ways {
        let other = made(&root, &program, way);
        assert_eq!(other.graph.len(), first.graph.len(), "{}", way.folder);
        assert!(other == first, "{}: not the same", way.folder);
    }
}
