//! Secrets end to end: a program gets them, and no file, output or event has them in any form.

use crate::harness::terminal::Terminal;
use crate::harness::{Bench, http};
use imm_ir::Digest;
use imm_runtime::store::sqlite::SqliteStore;
use imm_runtime::store::{Store as _, packed};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Long enough that no digest holds it by chance, and of letters that every encoding keeps apart.
const SECRET: &str = "s3cr3t-Vq7hT0kXw9-zebra";
const OTHER: &str = "s3cr3t-Ab1cD2eFg3-otter";

/// The forms in which a secret could be written down by accident.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let mut found =
        vec![bytes.to_vec(), bytes.iter().rev().copied().collect(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    // Base64 of something that has it at any offset, without the characters that depend on its neighbours.
    for shift in 0..3 {
        let padded = [&vec![0; shift], bytes].concat();
        let text = base64(&padded);
        let whole = text.get(if shift == 0 { 0 } else { 4 }..text.len() - 4).unwrap().to_owned();
        found.push(whole.replace('+', "-").replace('/', "_").into_bytes());
        found.push(whole.into_bytes());
    }
    found
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let n = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let six = (n >> (18 - 6 * i) & 63) as usize;
            out.push(if i <= chunk.len() { LETTERS[six] as char } else { '=' });
        }
    }
    out
}

fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![below.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _other => {}
            }
        }
    }
    found
}

fn leaks(bytes: &[u8]) -> bool {
    [SECRET, OTHER].iter().flat_map(|s| forms(s)).any(|form| bytes.windows(form.len()).any(|w| w == form))
}

/// Answers how many blobs were compressed, which hides their bytes from a plain search.
fn assert_clean(bench: &Bench, said: &[String]) -> usize {
    for text in said {
        assert!(!leaks(text.as_bytes()), "an output has the secret: {text}");
    }
    let folders = [bench.module.join(".imm"), bench.home()];
    let looked: usize = folders.iter().map(|folder| files(folder).len()).sum();
    let patterns = bench.path("patterns");
    let lines: Vec<u8> =
        [SECRET, OTHER].iter().flat_map(|s| forms(s)).flat_map(|form| [form, b"\n".to_vec()].concat()).collect();
    std::fs::write(&patterns, lines).unwrap();
    // The images are large: this is looked for by a program that is made for it.
    let grep = |places: &[PathBuf]| {
        std::process::Command::new("grep").args(["-rlaF", "-f"]).arg(&patterns).args(places).output().unwrap()
    };
    assert_eq!(grep(&[bench.path("token")]).status.code(), Some(0), "it is found where it is");
    let found = grep(&folders);
    assert_eq!((found.status.code(), found.stdout.len()), (Some(1), 0), "files have the secret: {found:?}");
    assert!(looked >= 2, "there are files to look at");
    let mut packed = 0;
    for (name, bytes) in blobs(bench) {
        packed += usize::from(bytes.0 < bytes.1.len());
        assert!(!leaks(&bytes.1), "blob {} has the secret", name.hex());
    }
    for file in folders.iter().flat_map(|folder| files(folder)).filter(|file| compressed(file)) {
        let text = std::process::Command::new("gzip").arg("-dc").arg(&file).output().unwrap();
        assert!(text.status.success() && !text.stdout.is_empty(), "{}: {text:?}", file.display());
        let found = bench.path("unpacked");
        std::fs::write(&found, text.stdout).unwrap();
        assert_eq!(grep(&[found]).status.code(), Some(1), "{} has the secret", file.display());
    }
    packed
}

/// All blobs of the ledger: how long each is as it is stored, and what it holds.
fn blobs(bench: &Bench) -> Vec<(Digest, (usize, Vec<u8>))> {
    let store = SqliteStore::open_read_only(&bench.module.join(".imm/local/ledger.db")).unwrap();
    let open = |(name, stored): (Digest, Vec<u8>)| (name, (stored.len(), packed::open(&name, stored).unwrap()));
    store.blobs().unwrap().into_iter().map(open).collect()
}

fn compressed(file: &Path) -> bool {
    let mut first = [0; 2];
    let read = std::fs::File::open(file).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == [0x1f, 0x8b]
}

/// hello, with a secret in a file that it serves and in an environment that nobody looks at.
fn bench() -> Bench {
    let bench = Bench::example("hello");
    let program = std::fs::read_to_string(bench.module.join("main.imm")).unwrap();
    let program = format!(
        "param token: Secret[String] where it.len() > 8\n{program}\nresource key = file {{ content = \"token=${{token}}\", mode = \"0444\" }}\noutput token_shown: Secret[String] = token\n"
    );
    let program = program.replace(
        "port     = 8080\n",
        "port     = 8080\n  env    = { TOKEN = token }\n  mounts = { \"/srv/key.txt\" = file { of = key } }\n",
    );
    std::fs::write(bench.module.join("main.imm"), program).unwrap();
    std::fs::write(bench.path("token"), format!("{SECRET}\n")).unwrap();
    std::fs::write(bench.path("other"), OTHER).unwrap();
    bench
}

#[test]
fn a_secret_reaches_the_program_and_nothing_else() {
    let bench = bench();
    let mut said = Vec::new();
    let mut run = |args: &[&str], code: i32| {
        let got = bench.imm(args);
        assert_eq!(got.code, code, "{args:?}");
        said.extend([got.out.clone(), got.err]);
        got.out
    };
    let token = format!("token={}", bench.path("token").display());
    let other = format!("token={}", bench.path("other").display());
    let file = bench.path("kept.immplan").display().to_string();

    // Missing, and on the command line: both refused without repeating anything.
    run(&["plan"], 1);
    run(&["plan", "--param", &format!("token={SECRET}")], 1);
    run(&["check", "--param-file", &token], 0);
    run(&["plan", "--param-file", &token, "--out", &file], 0);
    assert!(!leaks(&std::fs::read(&file).unwrap()), "the plan file has the secret");
    let out = run(&["apply", "--yes", &file], 0);
    assert!(out.contains("token_shown = [secret]"), "{out}");
    assert!(http::get(bench.port, "/key.txt").unwrap().contains(SECRET), "the program has it");

    // The same secret again is no change; another one is.
    let out = run(&["plan", "--param-file", &token, "--exit-code"], 0);
    assert!(out.contains("Nothing to do"), "{out}");
    run(&["plan", "--param-file", &other, "--json", "--exit-code"], 3);
    run(&["apply", "--yes", "--json", "--param-file", &other], 0);
    assert!(http::get(bench.port, "/key.txt").unwrap().contains(OTHER));

    // Back without params: the ledger has it, sealed. Cold, so that it is made again.
    run(&["rollback", "--yes"], 0);
    assert!(http::get(bench.port, "/key.txt").unwrap().contains(SECRET));
    for report in [&["status", "--json"][..], &["status"], &["history", "--json"], &["audit", "verify"], &["logs"]] {
        run(report, 0);
    }
    run(&["destroy", "--yes"], 0);
    run(&["rollback", "2", "--yes"], 0);
    assert!(http::get(bench.port, "/key.txt").unwrap().contains(OTHER), "made again from the ledger");
    assert!(assert_clean(&bench, &said) >= 2, "what is compressed was looked into");
}

/// Every command that tells something, on a program with secrets: in force, changed, and after it is gone.
#[test]
fn no_command_says_a_secret() {
    let bench = bench();
    // One that goes into the identity of a container, one into an image's file, one made up, and a fingerprint.
    let program = std::fs::read_to_string(bench.module.join("main.imm")).unwrap();
    let more = "durable made = secret { length = 24 }\noutput print: String = secret.fingerprint(token)\n";
    std::fs::write(bench.module.join("main.imm"), format!("import std.secret\n{program}{more}")).unwrap();
    let token = format!("token={}", bench.path("token").display());
    let other = format!("token={}", bench.path("other").display());
    let mut said = Vec::new();
    let mut run = |args: &[&str]| {
        let got = bench.imm(args);
        assert!([0, 1, 3].contains(&got.code), "{args:?}: {got:?}");
        assert!(!leaks(got.out.as_bytes()) && !leaks(got.err.as_bytes()), "{args:?} says it: {got:?}");
        said.extend([got.out, got.err]);
    };
    run(&["apply", "--yes", "--json", "--param-file", &token]);
    run(&["apply", "--yes", "--param-file", &other]);
    let reports: &[&[&str]] = &[
        &["status"],
        &["status", "--json"],
        &["history", "--json"],
        &["show"],
        &["show", "1", "--json"],
        &["diff", "1"],
        &["diff", "1", "2", "--json"],
        &["drift"],
        &["drift", "--json"],
        &["metrics"],
        &["metrics", "--prometheus"],
        &["audit", "verify"],
        &["audit", "export"],
        &["audit", "rebuild", "--check"],
        &["volume"],
        &["volume", "list", "--json"],
        &["logs"],
        &["agent", "ps", "--json"],
        &["agent", "status", "--json"],
        &["agent", "metrics"],
        &["key"],
        &["lineage"],
        &["graph", "--generation", "1", "--format", "json"],
        &["graph", "--generation", "2", "--format", "svg"],
        &["doc"],
        &["doc", "--json"],
        &["gc", "--json"],
    ];
    reports.iter().for_each(|args| run(args));
    let programs: &[&[&str]] = &[
        &["check", "--json"],
        &["plan"],
        &["plan", "--json"],
        &["plan", "-v", "--refresh"],
        &["why", "web"],
        &["why", "web", "--json"],
        &["why", "key", "--refresh"],
        &["why", "app"],
        &["graph"],
        &["graph", "--format", "mermaid"],
        &["graph", "--format", "json"],
        &["simulate"],
        &["simulate", "--json", "--fail", "web", "--fail", "key"],
        &["simulate", "--crash-everywhere"],
    ];
    for args in programs {
        for given in [&token, &other] {
            run(&[args, &["--param-file", given.as_str()][..]].concat());
        }
        // Without it: refused, and what was given before is not told.
        run(args);
    }
    // A value that its own rule refuses.
    std::fs::write(bench.path("short"), &SECRET[..8]).unwrap();
    run(&["plan", "--param-file", &format!("token={}", bench.path("short").display())]);
    run(&["rollback", "--yes", "--drill"]);
    run(&["heal", "--yes"]);
    run(&["destroy", "--yes", "--json"]);
    run(&["gc", "--retain", "0", "--json"]);
    assert_clean(&bench, &said);
}

/// The simulated ledger has other keys than the recorded one, and secrets flow through it all the same.
#[test]
fn what_is_recorded_with_secrets_can_be_simulated() {
    let bench = Bench::program(concat!(
        "param token: Secret[String]\nparam n: Int = 1\ndurable pw = secret {}\n",
        "resource conf = file { content = \"${token} and ${pw.value}\" }\n",
        "resource other = file { content = \"${n}\" }\n",
    ));
    std::fs::write(bench.path("token"), SECRET).unwrap();
    let token = format!("token={}", bench.path("token").display());
    bench.ok(&["apply", "--yes", "--param-file", &token]);
    let created = |args: &[&str]| {
        let told = bench.json(&[&["simulate", "--param-file", &token], args].concat());
        assert_eq!(told["apply"]["outcome"], "committed", "{told}");
        told["apply"]["created"].as_u64().unwrap()
    };
    assert_eq!((created(&[]), created(&["--param", "n=2"])), (0, 1), "equal secrets are no change");
    // Platforms that are away for a while, of which some keep the apply from beginning and some its recovery, come back.
    for seed in ["3", "7", "9"] {
        assert_eq!(created(&["--param", "n=2", "--seed", seed]), 1);
    }
}

/// On a terminal somebody is asked; what is typed is not shown, and stopping at the question changes nothing.
#[test]
fn a_secret_is_asked_for_on_a_terminal_and_not_shown() {
    let bench = bench();
    let Some(terminal) = Terminal::start(&bench, "typed", &["apply"]) else { return };
    terminal.screen("param token (secret, not shown):");
    terminal.keys(&["-l", SECRET]);
    terminal.keys(&["Enter"]);
    terminal.screen("Apply this plan?");
    terminal.keys(&["C-c"]);
    let (screen, code) = terminal.ended();
    assert!(code == 1 && screen.contains("not applied: stopped by a signal"), "{code}: {screen}");
    assert!(!leaks(screen.as_bytes()), "{screen}");
    drop(terminal);
    assert!(bench.json(&["history"])["applies"].as_array().unwrap().is_empty());
    let Some(terminal) = Terminal::start(&bench, "again", &["apply"]) else { return };
    terminal.screen("param token (secret, not shown):");
    terminal.keys(&["-l", SECRET]);
    terminal.keys(&["Enter"]);
    terminal.screen("Apply this plan?");
    terminal.keys(&["y", "Enter"]);
    let (screen, code) = terminal.ended();
    assert!(code == 0 && screen.contains("Generation 1 serves"), "{code}: {screen}");
    assert!(http::get(bench.port, "/key.txt").unwrap().contains(SECRET), "the program has it");
    // Asked once: `why` compiles again with what was typed, to say what would undo the change.
    let Some(terminal) = Terminal::start(&bench, "why", &["why", "app", "--param", "greeting=Hi"]) else { return };
    terminal.screen("param token (secret, not shown):");
    terminal.keys(&["-l", SECRET]);
    terminal.keys(&["Enter"]);
    let (why, code) = terminal.ended();
    assert!(code == 0 && why.contains("would be kept if greeting were \"Hello\" again"), "{code}: {why}");
    // Where nobody can be asked, what to type is said.
    let said = bench.imm(&["plan"]);
    assert!(said.code == 1 && said.err.contains("--param-file token=PATH"), "{said:?}");
    assert_clean(&bench, &[screen, why, said.out, said.err]);
}

#[test]
fn without_the_identity_the_secrets_stay_shut() {
    let bench = bench();
    let token = format!("token={}", bench.path("token").display());
    bench.ok(&["apply", "--yes", "--param-file", &token]);
    bench.ok(&["destroy", "--yes"]);
    let identity = bench.home().join("identity");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&identity).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let kept = std::fs::read(&identity).unwrap();
    std::fs::remove_file(&identity).unwrap();
    let said = bench.imm(&["rollback", "1", "--yes"]);
    assert!([1, 4].contains(&said.code), "{said:?}");
    assert!(said.err.contains("sealed for other identities") && said.err.contains("imm key"), "{said:?}");
    std::fs::write(&identity, kept).unwrap();
    bench.ok(&["rollback", "1", "--yes"]);
    assert!(http::get(bench.port, "/key.txt").unwrap().contains(SECRET));
}

#[test]
fn secrets_are_sealed_again_for_others_and_for_a_new_identity() {
    let bench = bench();
    let token = format!("token={}", bench.path("token").display());
    bench.ok(&["apply", "--yes", "--param-file", &token]);
    let old = bench.json(&["key", "show"])["recipient"].as_str().unwrap().to_owned();
    assert!(old.starts_with("age1"));
    let wrong = bench.imm(&["key", "add", "age1wrong"]);
    assert!(wrong.code == 2 && wrong.err.contains("not an age recipient"), "{wrong:?}");
    assert_eq!(bench.imm(&["key", "remove", &old]).code, 1, "nobody could open them");
    bench.ok(&["key", "rotate"]);
    let now = bench.json(&["key", "show"]);
    assert_ne!(now["recipient"], old.as_str());
    assert_eq!(now["recipients"], serde_json::json!([now["recipient"]]));

    // Names and digests stay: the same program is no change, also without the old identity.
    let identity = bench.home().join("identity");
    let text = std::fs::read_to_string(&identity).unwrap();
    let first: Vec<_> = text.lines().take(2).collect();
    std::fs::write(&identity, first.join("\n")).unwrap();
    let plan = bench.imm(&["plan", "--exit-code", "--param-file", &token]);
    assert_eq!(plan.code, 0, "{plan:?}");
    bench.ok(&["audit", "verify"]);
    bench.ok(&["destroy", "--yes"]);
    bench.ok(&["rollback", "1", "--yes"]);
    assert!(http::get(bench.port, "/key.txt").unwrap().contains(SECRET));
}

/// A sealed secret goes with the last generation that needs it, and not before.
#[test]
fn secrets_that_nothing_needs_any_more_are_collected() {
    let bench = bench();
    let token = format!("token={}", bench.path("token").display());
    let other = format!("token={}", bench.path("other").display());
    bench.ok(&["apply", "--yes", "--keep", "0", "--param-file", &token]);
    bench.ok(&["apply", "--yes", "--keep", "0", "--param-file", &other]);
    let sealed = || SqliteStore::open_read_only(&bench.module.join(".imm/local/ledger.db")).unwrap().sealed().unwrap();
    let before = sealed();
    assert_eq!(bench.json(&["gc"])["secrets"], 0, "both generations can be made again");
    assert_eq!(sealed(), before);
    let gone = bench.json(&["gc", "--retain", "0"]);
    let count = gone["secrets"].as_u64().unwrap();
    assert!(count >= 1 && gone["expired"] == serde_json::json!([1]), "{gone}");
    let left = sealed();
    assert_eq!(left.len() as u64, before.len() as u64 - count);
    assert!(left.iter().all(|one| before.contains(one)), "what stays is as it was");
    let said = bench.imm(&["rollback", "1", "--yes"]);
    assert!(said.code == 1 && said.err.contains("generation 1 has expired"), "{said:?}");
    bench.ok(&["audit", "verify"]);
    assert_eq!(bench.json(&["gc", "--retain", "0"])["secrets"], 0, "once is enough");
    // What the generation in force needs is still there.
    bench.ok(&["destroy", "--yes"]);
    bench.ok(&["rollback", "2", "--yes"]);
    assert!(http::get(bench.port, "/key.txt").unwrap().contains(OTHER));
    assert_clean(&bench, &[]);
}
