//! The agent as a real process, with real containers and a real router.
//!
//! The binary is its own agent (`agent run`), monitor (`__container DIR`) and program in the container (`__serve`), hence a test runner
//! of its own. It speaks as much of the standard one's language as the usual runners ask: `--list`, `--exact`, filters by part of a name.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    reason = "a test program: it panics on what it does not expect, and talks on its standard streams"
)]

mod engine;
mod fixture;
mod jobs;
mod objects;
mod program;
mod restart;
mod secrets;
mod settings;
mod upgrade;

use std::panic::catch_unwind;
use std::path::Path;

type Test = (&'static str, fn());

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["__container", dir] => std::process::exit(imm_sandbox::monitor_main(Path::new(dir))),
        ["__serve"] | ["__serve", "check"] => program::serve(),
        ["agent", "run", rest @ ..] => {
            let home = imm_host::Home::locate().unwrap();
            let take_over = rest.contains(&"--take-over");
            let options = imm_host::agent::Options { take_over, ..imm_host::agent::Options::this_program() };
            if let Err(cause) = imm_host::agent::run(&home, options) {
                eprintln!("{cause}");
                std::process::exit(1);
            }
            return;
        }
        _ => {}
    }
    let tests: Vec<Test> =
        [engine::TESTS, jobs::TESTS, objects::TESTS, restart::TESTS, secrets::TESTS, settings::TESTS, upgrade::TESTS]
            .concat();
    let exact = words.contains(&"--exact");
    let filters: Vec<&str> = words.iter().copied().filter(|word| !word.starts_with('-') && *word != "terse").collect();
    let wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|f| if exact { name == *f } else { name.contains(f) });
    let chosen: Vec<Test> = tests.into_iter().filter(|(name, _)| wanted(name)).collect();
    if words.contains(&"--list") {
        if !words.contains(&"--ignored") {
            chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        }
        return;
    }
    let mut failed = 0;
    for (name, test) in &chosen {
        let good = catch_unwind(test).is_ok();
        failed += usize::from(!good);
        println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
    }
    println!("{} passed, {failed} failed", chosen.len() - failed);
    std::process::exit(if failed > 0 { 101 } else { 0 });
}
