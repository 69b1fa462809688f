//! What a command costs: CPU seconds and peak memory of a process of its own, the least of several runs.

use nix::sys::resource::{Usage, UsageWho, getrusage};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The cost of one run.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// CPU seconds, of the user and of the system.
    pub cpu: f64,
    /// Largest resident set, MiB.
    pub peak: f64,
    /// Seconds from start to end.
    pub wall: f64,
}

/// The least of several runs. Each goes through a process of this program that has no other child: what the system adds up
/// for children is then the cost of that one.
pub fn least(rounds: usize, folder: &Path, command: &[&str]) -> Result<Cost, String> {
    best(rounds, folder, &[&["measure"], command].concat())
}

/// The least of several runs of one of this program's own commands, which measures itself.
pub fn best(rounds: usize, folder: &Path, command: &[&str]) -> Result<Cost, String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut best: Option<Cost> = None;
    for _ in 0..rounds.max(1) {
        let output = Command::new(&own)
            .args(command)
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_default();
        let numbers: Vec<f64> = last.split(' ').filter_map(|n| n.parse().ok()).collect();
        let (true, [cpu, peak, wall]) = (output.status.success(), numbers.as_slice()) else {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {}", command.join(" "), said.lines().last().unwrap_or_default()));
        };
        let cost = Cost { cpu: *cpu, peak: *peak, wall: *wall };
        best = Some(best.map_or(cost, |best| Cost {
            cpu: best.cpu.min(cost.cpu),
            peak: best.peak.min(cost.peak),
            wall: best.wall.min(cost.wall),
        }));
    }
    best.ok_or_else(|| "never ran".to_owned())
}

/// The other side of [`least`]: runs a command and prints what it cost.
pub fn one(command: &[String]) -> Result<(), String> {
    let (program, arguments) = command.split_first().ok_or("nothing to measure")?;
    let began = Instant::now();
    let status =
        Command::new(program).args(arguments).stdout(Stdio::null()).status().map_err(|e| format!("{program}: {e}"))?;
    let wall = began.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{program} ended with {status}"));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|e| e.to_string())?;
    println!("{} {} {wall}", seconds(&usage), peak(&usage));
    Ok(())
}

/// What this process has cost so far, and how long a part of it took, in the form that [`least`] reads.
pub fn own(wall: f64) -> Result<(), String> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).map_err(|e| e.to_string())?;
    println!("{} {} {wall}", seconds(&usage), peak(&usage));
    Ok(())
}

fn seconds(usage: &Usage) -> f64 {
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn peak(usage: &Usage) -> f64 {
    usage.max_rss() as f64 / 1024.0
}

/// Seconds that the disk of a folder takes to have 4 KiB more of a file for good, the median of many.
pub fn sync(folder: &Path) -> Result<f64, String> {
    let path = folder.join("sync");
    let mut file = std::fs::File::create(&path).map_err(|e| e.to_string())?;
    let mut times = Vec::new();
    for _ in 0..301 {
        let began = Instant::now();
        file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).map_err(|e| e.to_string())?;
        times.push(began.elapsed().as_secs_f64());
    }
    drop(std::fs::remove_file(path));
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().ok_or_else(|| "never synced".to_owned())
}
