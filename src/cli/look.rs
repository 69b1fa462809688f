//! Commands that show what is there, what was there, and what it printed.

use super::options::{Module, Params, Tuning, generation};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// `imm show`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm show                    the generation that serves\n  imm show 3 -C examples/hello --json"
)]
pub struct Show {
    /// Its number [default: the newest]
    #[arg(value_name = "GEN", value_parser = generation)]
    pub generation: Option<u64>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm diff`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm diff 3        what changed from generation 3 to the newest\n  imm diff 3 5 --json"
)]
pub struct Diff {
    /// A generation
    #[arg(value_name = "G1", value_parser = generation)]
    pub from: u64,
    /// The other one [default: the newest]
    #[arg(value_name = "G2", value_parser = generation)]
    pub to: Option<u64>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm graph`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm graph --format svg --out graph.svg    a picture for the browser\n  imm graph --format mermaid                for Markdown\n  imm graph | dot -Tpng > graph.png         with Graphviz\n  imm graph --at web --generation 3         a part of what generation 3 was"
)]
pub struct Graph {
    #[command(flatten)]
    pub module: Module,
    #[command(flatten)]
    pub params: Params,
    #[command(flatten)]
    pub tuning: Tuning,
    /// dot, mermaid, svg or json
    #[arg(long, value_enum, default_value = "dot", hide_possible_values = true, value_name = "FORMAT")]
    pub format: GraphFormat,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Of a recorded generation, instead of the program
    #[arg(long, value_name = "N", value_parser = generation)]
    pub generation: Option<u64>,
    /// Only what is at or below this address, and what it touches
    #[arg(long, value_name = "ADDR")]
    pub at: Option<String>,
    /// Write to a file instead of stdout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Formats of `imm graph`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For Graphviz.
    Dot,
    /// For Markdown viewers.
    Mermaid,
    /// A drawn picture.
    Svg,
    /// For programs.
    Json,
}

/// `imm logs`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm logs\n  imm logs web --since 5m\n  imm logs 'web.instance[\"0\"]' --follow\n  imm logs --generation 3"
)]
pub struct Logs {
    /// Only what is at or below this address, for example web or 'web.instance["0"]'
    #[arg(value_name = "ADDR")]
    pub address: Option<String>,
    /// Only what this generation printed
    #[arg(long, value_name = "N", value_parser = generation)]
    pub generation: Option<u64>,
    /// Only the last while, for example 5m or 2h
    #[arg(long, value_name = "DURATION")]
    pub since: Option<String>,
    /// Requests to routes, instead of what containers printed
    #[arg(long)]
    pub access: bool,
    /// Go on as lines arrive
    #[arg(short, long)]
    pub follow: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `imm drift`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm drift\n  imm drift --exit-code     for CI: ends with 3 when something differs\n  imm drift --json examples/hello"
)]
pub struct Drift {
    #[command(flatten)]
    pub module: Module,
    /// End with 3 when something drifted
    #[arg(long)]
    pub exit_code: bool,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm metrics`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  imm metrics\n  imm metrics --prometheus > imm.prom")]
pub struct Metrics {
    #[command(flatten)]
    pub module: Module,
    /// One JSON document
    #[arg(long, conflicts_with = "prometheus")]
    pub json: bool,
    /// Prometheus text
    #[arg(long)]
    pub prometheus: bool,
}
