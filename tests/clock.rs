//! The clock of the machine goes back an hour: between two commands, in the middle of an apply, under the agent. Order is the
//! number of an entry, so nothing depends on it; the time that is recorded stands still until the clock has caught up.

use crate::harness::Bench;
use std::path::PathBuf;
use std::process::Command;

/// Says that it is an hour later to the first so many questions of a process for the time of day.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    static long asked;
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, now);
    const char *ahead = getenv("CLOCK_IS_AHEAD_FOR");
    if (!failed && id == CLOCK_REALTIME && ahead && __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED) <= atol(ahead))
        now->tv_sec += 3600;
    return failed;
}
"#;

fn shim(bench: &Bench) -> PathBuf {
    let (source, library) = (bench.path("clock.c"), bench.path("clock.so"));
    std::fs::write(&source, SHIM).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    assert!(built.unwrap().success(), "the shim is built");
    library
}

/// Runs a command whose clock is an hour ahead for the first `asked` questions.
fn ahead(bench: &Bench, asked: &str, args: &[&str]) -> (i32, String) {
    let mut command = bench.command(args);
    let done = command.env("LD_PRELOAD", shim(bench)).env("CLOCK_IS_AHEAD_FOR", asked).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code().unwrap(), text(&done.stdout) + &text(&done.stderr))
}

struct Entry {
    at: String,
    skewed: bool,
}

fn entries(bench: &Bench) -> Vec<Entry> {
    let lines = bench.ok(&["audit", "export"]);
    let read = |line: &str| {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let skewed = entry["header"]["skewed"].as_bool().unwrap();
        Entry { at: entry["at"].as_str().unwrap().to_owned(), skewed }
    };
    lines.lines().map(read).collect()
}

fn in_order(entries: &[Entry]) {
    assert!(entries.windows(2).all(|pair| pair[0].at <= pair[1].at), "recorded time never goes back");
}

#[test]
fn a_clock_that_went_back_an_hour_between_commands_changes_nothing() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let (code, said) = ahead(&bench, "1000000000", &["apply", "--yes", "--param", "greeting=Hi"]);
    assert_eq!(code, 0, "{said}");
    let later = entries(&bench);
    in_order(&later);
    assert!(later.iter().all(|e| !e.skewed), "a clock that goes on fast is believed");

    // An hour back: everything goes on, and says which entries were written meanwhile.
    bench.ok(&["apply", "--yes", "--param", "greeting=Ahoy"]);
    assert!(bench.page().contains("Ahoy, world"));
    let now = entries(&bench);
    in_order(&now);
    assert!(now[later.len()..].iter().all(|e| e.skewed && e.at == later[later.len() - 1].at));
    bench.ok(&["rollback", "--yes"]);
    assert!(bench.page().contains("Hi, world"));
    assert_eq!(bench.imm(&["plan", "--exit-code", "--param", "greeting=Hi"]).code, 0);
    bench.ok(&["audit", "verify"]);
    bench.ok(&["audit", "rebuild", "--check"]);
    let metrics = bench.json(&["metrics"]);
    let sane = |value: &serde_json::Value| value.as_f64().is_none_or(|n| n >= 0.0);
    assert!(metrics.as_object().unwrap().values().all(sane), "{metrics}");
    for apply in bench.json(&["history"])["applies"].as_array().unwrap() {
        assert!(apply["outcome"] == "committed" && apply["seconds"].as_f64().unwrap() < 600.0, "{apply}");
    }
    bench.ok(&["destroy", "--yes"]);
}

#[test]
fn a_clock_that_goes_back_in_the_middle_of_an_apply_changes_nothing() {
    let bench = Bench::example("hello");
    // The agent is started by the first one and inherits that clock: it goes back under it, too.
    for (asked, greeting) in [("3", "One"), ("12", "Two"), ("40", "Three")] {
        let (code, said) = ahead(&bench, asked, &["apply", "--yes", "--param", &format!("greeting={greeting}")]);
        assert_eq!(code, 0, "after {asked}: {said}");
        assert!(bench.page().contains(&format!("{greeting}, world")));
    }
    // One that is ended before its commit is settled at the earlier time.
    bench.edit("\"serve\", \"/srv\"", "\"serve\", \"/nowhere\"");
    let (code, said) = ahead(&bench, "12", &["apply", "--yes"]);
    assert_eq!(code, 4, "{said}");
    assert!(bench.page().contains("Three, world"));
    let all = entries(&bench);
    in_order(&all);
    assert!(all.iter().any(|e| e.skewed), "the clock went back while entries were written");
    assert!(bench.json(&["status"])["interrupted"].is_null());
    bench.ok(&["audit", "verify"]);
}
