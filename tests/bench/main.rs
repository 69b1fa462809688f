//! Measures `imm` next to `terraform`, where that is on the PATH, and prints tables. Asserts nothing about time.
//!
//! `tests/bench/run [check] [plan] [apply] [--max N] [--rounds N] [--alone]`: all three without a name, sizes up to `--max`
//! (10,000), the least of `--rounds` runs (3); `--alone` leaves the other tool out. Programs are seeded and the same
//! everywhere; each measured command is a process of its own.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints tables")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod engine;
mod measure;
mod sources;

use imm_runtime::entry::Verb;
use measure::{Cost, least};
use sources::Shape;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const IMM: &str = env!("CARGO_BIN_EXE_imm");
const SEED: u64 = 7;
const SIZES: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];
/// Beyond these the other tool takes minutes.
const PEER_PLAN: usize = 10_000;
const PEER_APPLY: usize = 1_000;
/// Nobody is asked for more resources a second than this, however fast the disk is.
const MOST: f64 = 50_000.0;

type Outcome<T> = Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == "measure" => measure::one(rest),
        Some((first, _)) if first == "apply-here" => engine::apply(Path::new("."), &Verb::Apply),
        Some((first, _)) if first == "destroy-here" => engine::apply(Path::new("."), &Verb::Destroy),
        _tables => Bench::read(&arguments).and_then(|bench| bench.run()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

struct Bench {
    parts: Vec<String>,
    max: usize,
    rounds: usize,
    peer: bool,
    folder: tempfile::TempDir,
}

impl Bench {
    fn read(arguments: &[String]) -> Outcome<Self> {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let mut bench = Self { parts: Vec::new(), max: 10_000, rounds: 3, peer: has_terraform(), folder };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().and_then(|n| n.replace('_', "").parse().ok());
            match argument.as_str() {
                "--max" => bench.max = number().ok_or("--max takes a number")?,
                "--rounds" => bench.rounds = number().ok_or("--rounds takes a number")?,
                "--alone" => bench.peer = false,
                "check" | "plan" | "apply" => bench.parts.push(argument.clone()),
                other => return Err(format!("`{other}` is none of check, plan, apply, --max, --rounds, --alone")),
            }
        }
        Ok(bench)
    }

    fn run(&self) -> Outcome<()> {
        println!("{}\n", machine());
        let wanted = |part: &str| self.parts.is_empty() || self.parts.iter().any(|p| p == part);
        if wanted("check") {
            self.check()?;
        }
        if wanted("plan") {
            self.plan()?;
        }
        if wanted("apply") {
            self.apply()?;
        }
        Ok(())
    }

    fn sizes(&self, most: usize) -> impl Iterator<Item = usize> {
        let most = most.min(self.max);
        SIZES.into_iter().filter(move |size| *size <= most)
    }

    /// A folder with a program in it.
    fn program(&self, name: &str, text: &str) -> Outcome<PathBuf> {
        let folder = self.folder.path().join(name);
        write(&folder, "main.imm", text)?;
        Ok(folder)
    }

    /// `imm check` of resources written one by one.
    fn check(&self) -> Outcome<()> {
        println!("### `imm check`, resources written one by one\n");
        heading(&["resources", "source", "imm CPU s", "MiB", "terraform validate CPU s", "MiB", "ratio"]);
        for size in self.sizes(100_000) {
            under_way(&format!("check of {}", count(size)));
            let text = sources::written_out(size, SEED);
            let folder = self.program(&format!("check-{size}"), &text)?;
            let ours = least(self.rounds, &folder, &[IMM, "check", "."])?;
            let theirs = self.peer(size <= PEER_PLAN, size, &["validate"])?;
            let bytes = text.len() as f64 / 1e6;
            row(&[
                &count(size),
                &format!("{bytes:.2} MB"),
                &cpu(ours),
                &peak(ours),
                &both(theirs),
                &ratio(ours, theirs),
            ]);
        }
        println!();
        Ok(())
    }

    /// `imm plan` on a recorded apply: nothing changed, and one leaf.
    fn plan(&self) -> Outcome<()> {
        println!("### `imm plan` on what is recorded\n");
        heading(&[
            "shape",
            "nodes",
            "no change CPU s",
            "MiB",
            "one leaf CPU s",
            "µs a node",
            "terraform plan CPU s",
            "MiB",
            "ratio",
        ]);
        for shape in Shape::ALL {
            for size in self.sizes(if shape == Shape::Flat { 1_000_000 } else { 100_000 }) {
                let name = format!("{}-{size}", shape.name().replace([',', ' '], "-"));
                let folder = self.program(&name, &sources::shaped(shape, size, SEED))?;
                under_way(&format!("apply of {name}, to be planned on"));
                measure::best(1, &folder, &["apply-here"])?;
                under_way(&format!("plans of {name}"));
                let same = least(self.rounds, &folder, &[IMM, "plan", "."])?;
                let leaf = least(self.rounds, &folder, &[IMM, "plan", ".", "--param", "word=b"])?;
                let theirs = self.peer(shape == Shape::Flat && size <= PEER_PLAN, size, &["plan", "-refresh=true"])?;
                let each = format!("{:.1}", same.cpu * 1e6 / size as f64);
                row(&[
                    shape.name(),
                    &count(size),
                    &cpu(same),
                    &peak(same),
                    &cpu(leaf),
                    &each,
                    &both(theirs),
                    &ratio(same, theirs),
                ]);
            }
        }
        println!();
        Ok(())
    }

    /// Apply and destroy on the simulated provider.
    fn apply(&self) -> Outcome<()> {
        let sync = measure::sync(self.folder.path())?;
        let limit = (engine::IN_FLIGHT as f64 / (2.0 * sync)).min(MOST);
        println!(
            "### Apply on the simulated provider, {} in flight, every intent on the disk before its effect\n",
            engine::IN_FLIGHT
        );
        println!(
            "fdatasync of 4 KiB more: {:.3} ms; the limit is in flight / (2 × fdatasync), at most {}: {}\n",
            sync * 1e3,
            count(MOST as usize),
            count(limit as usize)
        );
        heading(&[
            "nodes",
            "apply s",
            "CPU s",
            "MiB",
            "a second",
            "of the limit",
            "ledger B a node",
            "destroy s",
            "CPU s",
            "terraform apply CPU s",
            "MiB",
        ]);
        for size in self.sizes(100_000) {
            let folder = self.program(&format!("apply-{size}"), &sources::shaped(Shape::Flat, size, SEED))?;
            under_way(&format!("apply of {}", count(size)));
            let made = measure::best(1, &folder, &["apply-here"])?;
            let ledger = ["ledger.db", "ledger.db-wal"].map(|n| folder.join(".imm/local").join(n));
            let bytes: u64 = ledger.iter().filter_map(|p| p.metadata().ok()).map(|m| m.len()).sum();
            under_way(&format!("destroy of {}", count(size)));
            let ended = measure::best(1, &folder, &["destroy-here"])?;
            let theirs = self.peer(size <= PEER_APPLY, size, &["apply", "-auto-approve"])?;
            let rate = size as f64 / made.wall;
            row(&[
                &count(size),
                &format!("{:.2}", made.wall),
                &cpu(made),
                &peak(made),
                &count(rate as usize),
                &format!("{:.2}", rate / limit),
                &format!("{}", bytes / size as u64),
                &format!("{:.2}", ended.wall),
                &cpu(ended),
                &both(theirs),
            ]);
        }
        println!();
        Ok(())
    }

    /// What the other tool needs for as many resources.
    fn peer(&self, wanted: bool, size: usize, command: &[&str]) -> Outcome<Option<Cost>> {
        if !self.peer || !wanted {
            return Ok(None);
        }
        let (text, state) = sources::for_terraform(size);
        under_way(&format!("terraform {} of {}", command.join(" "), count(size)));
        let folder = self.folder.path().join(format!("terraform-{size}"));
        write(&folder, "main.tf", &text)?;
        let planning = command.first() == Some(&"plan");
        write(&folder, "terraform.tfstate", if planning { &state } else { "" })?;
        least(1, &folder, &["terraform", "init", "-backend=false"])?;
        let command: Vec<&str> = std::iter::once("terraform").chain(command.iter().copied()).collect();
        least(1, &folder, &command).map(Some)
    }
}

/// Says on the terminal what takes its time.
fn under_way(what: &str) {
    eprintln!("… {what}");
}

fn write(folder: &Path, name: &str, text: &str) -> Outcome<()> {
    std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    let path = folder.join(name);
    if text.is_empty() {
        drop(std::fs::remove_file(path));
        return Ok(());
    }
    std::fs::write(path, text).map_err(|e| e.to_string())
}

fn has_terraform() -> bool {
    std::process::Command::new("terraform").arg("version").output().is_ok_and(|o| o.status.success())
}

/// The machine by kind.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|l| l.strip_prefix("model name")).and_then(|l| l.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!("{cores} cores, {}; load {load} when it began", model.unwrap_or("unknown"))
}

fn heading(names: &[&str]) {
    row(names);
    println!("|{}", "--|".repeat(names.len()));
}

fn row(cells: &[&str]) {
    println!("| {} |", cells.join(" | "));
}

fn count(n: usize) -> String {
    let digits = n.to_string();
    let head = digits.len() % 3;
    let (first, rest) = digits.split_at(head);
    let groups = rest.as_bytes().chunks(3).map(|g| String::from_utf8_lossy(g).into_owned());
    let groups: Vec<String> = Some(first.to_owned()).filter(|f| !f.is_empty()).into_iter().chain(groups).collect();
    groups.join(",")
}

fn cpu(cost: Cost) -> String {
    format!("{:.3}", cost.cpu)
}

fn peak(cost: Cost) -> String {
    format!("{:.0}", cost.peak)
}

fn both(cost: Option<Cost>) -> String {
    cost.map_or_else(|| "– | –".to_owned(), |cost| format!("{} | {}", cpu(cost), peak(cost)))
}

fn ratio(ours: Cost, theirs: Option<Cost>) -> String {
    theirs.map_or_else(|| "–".to_owned(), |theirs| format!("1/{:.0}", theirs.cpu / ours.cpu))
}
