//! Commands about a rollout that is under way, and about the gates of a program.

use super::options::{Params, Report};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `imm rollout`
#[derive(Debug, Args)]
#[command(
    after_help = "From another terminal while `imm apply` runs. A rollout that is paused is undone after an hour, one that waits for an approval after a day.\n\nExamples:\n  imm rollout status examples/canary\n  imm rollout pause && imm rollout promote\n  imm rollout abort --json"
)]
pub struct RolloutArgs {
    /// What to do
    #[command(subcommand)]
    pub verb: Rollout,
}

/// What `imm rollout` can do.
#[derive(Debug, Subcommand)]
pub enum Rollout {
    /// Show the stage, its weights, what both sides meet, and what gates said
    Status(Report),
    /// Hold the rollout where it is
    Pause(Report),
    /// Go on: ends a pause, a hold, the wait for an approval, or a watch; gates are judged still
    Promote(Report),
    /// Undo the rollout; traffic goes back to the old side at once
    Abort(Report),
}

/// `imm gate`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm gate test --new errors=5%,requests=1000 --old errors=0.1%,requests=9000\n  imm gate test front --samples samples.json\n  imm gate backtest --last 20"
)]
pub struct GateArgs {
    /// What to do
    #[command(subcommand)]
    pub verb: Gate,
}

/// What `imm gate` can do.
#[derive(Debug, Subcommand)]
pub enum Gate {
    /// Judge samples that you write down; ends with 1 when the gate does not pass
    Test(GateTest),
    /// Judge what past rollouts met with the gate as it is written now
    Backtest(GateBacktest),
}

/// `imm gate test`
#[derive(Debug, Args)]
pub struct GateTest {
    /// The pointer [default: the only one with a gate]
    #[arg(value_name = "ADDR")]
    pub address: Option<String>,
    /// What the new side met, for example errors=5%,p99=200ms,requests=1000
    #[arg(long, value_name = "SAMPLES", required_unless_present = "samples")]
    pub new: Option<String>,
    /// What the old side met
    #[arg(long, value_name = "SAMPLES", requires = "new")]
    pub old: Option<String>,
    /// A JSON list of {"name", "new", "old", "expect": "pass" | "fail" | "inconclusive"}
    #[arg(long, value_name = "FILE.json", conflicts_with = "new")]
    pub samples: Option<PathBuf>,
    #[command(flatten)]
    pub params: Params,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm gate backtest`
#[derive(Debug, Args)]
pub struct GateBacktest {
    /// The pointer [default: every one with a gate]
    #[arg(value_name = "ADDR")]
    pub address: Option<String>,
    /// How many of the last judgements
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub last: usize,
    #[command(flatten)]
    pub params: Params,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}
