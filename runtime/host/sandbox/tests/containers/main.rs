//! Containers made for real, by the same calls that the agent makes.
//!
//! The binary is its own monitor (`__container DIR`), launcher to be killed (`__launch FILE`) and ordinary user
//! (`__as_user NAME`), hence a test runner of its own. It speaks as much of the standard one's language as the usual runners
//! ask: `--list`, `--exact`, filters by part of a name. A test that this machine cannot run says `skipped` and why.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test program: it panics on what it does not expect and talks on standard output"
)]

mod fixture;
mod isolation;
mod lifecycle;
mod network;
mod resources;

use std::panic::catch_unwind;
use std::path::Path;
use std::time::Instant;

/// Why a test could not be run here.
pub struct Skip(pub String);
/// What a test says when it does not panic.
pub type Outcome = Result<(), Skip>;
type Test = (&'static str, fn() -> Outcome);

fn tests() -> Vec<Test> {
    [isolation::TESTS, lifecycle::TESTS, network::TESTS, resources::TESTS].concat()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["__container", dir] => std::process::exit(imm_sandbox::monitor_main(Path::new(dir))),
        ["__launch", spec] => lifecycle::launch_and_wait_to_be_killed(Path::new(spec)),
        ["__as_user", name] => {
            let (_, test) = tests().into_iter().find(|(n, _)| n == name).unwrap();
            if let Err(Skip(why)) = test() {
                println!("skipped: {why}");
            }
            return;
        }
        _ => {}
    }
    let exact = words.contains(&"--exact");
    let filters: Vec<&str> = words.iter().copied().filter(|w| !w.starts_with('-') && *w != "terse").collect();
    let wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|f| if exact { name == *f } else { name.contains(f) });
    let chosen: Vec<Test> = tests().into_iter().filter(|(name, _)| wanted(name)).collect();
    if words.contains(&"--list") {
        if !words.contains(&"--ignored") {
            for (name, _) in &chosen {
                println!("{name}: test");
            }
        }
        return;
    }
    let mut failed = 0;
    for (name, test) in chosen {
        let begun = Instant::now();
        let outcome = catch_unwind(test);
        let ms = begun.elapsed().as_millis();
        match outcome {
            Ok(Ok(())) => println!("test {name} ... ok ({ms} ms)"),
            Ok(Err(Skip(why))) => println!("test {name} ... skipped: {why}"),
            Err(_) => {
                failed += 1;
                println!("test {name} ... FAILED");
            }
        }
    }
    std::process::exit(if failed > 0 { 101 } else { 0 });
}
