//! Commands about a program's text: nothing that runs is looked at.

use super::options::{Module, Params, Tuning};
use clap::Args;
use std::path::PathBuf;

/// `imm new`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  imm new\n  imm new shop")]
pub struct New {
    /// The folder to make [default: hello]
    #[arg(value_name = "DIR", default_value = "hello")]
    pub dir: PathBuf,
}

/// `imm check`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm check\n  imm check --fix examples/hello\n  imm check --json     diagnostics for a program to read"
)]
pub struct Check {
    #[command(flatten)]
    pub module: Module,
    #[command(flatten)]
    pub params: Params,
    /// Diagnostics as JSON lines on stdout
    #[arg(long)]
    pub json: bool,
    /// Apply the fixes that are safe
    #[arg(long)]
    pub fix: bool,
}

/// `imm fmt`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm fmt\n  imm fmt --check       for CI: ends with 3 when something is not formatted\n  imm fmt - < main.imm"
)]
pub struct Fmt {
    /// An .imm file, a folder with all below it, or - for stdin to stdout [default: stdin if it is piped, else .]
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
    /// Write nothing; end with 3 when something is not formatted
    #[arg(long)]
    pub check: bool,
    /// One JSON document; what is broken as JSON lines on stderr
    #[arg(long)]
    pub json: bool,
}

/// `imm test`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  imm test\n  imm test --filter starts\n  imm test --json examples/hello")]
pub struct Test {
    #[command(flatten)]
    pub module: Module,
    #[command(flatten)]
    pub params: Params,
    /// Only tests with this in their name; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub filter: Vec<String>,
    /// Show the names and run nothing
    #[arg(long)]
    pub list: bool,
    /// A JSON line for each test, and one for all
    #[arg(long)]
    pub json: bool,
}

/// `imm simulate`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm simulate --param greeting=Hi\n  imm simulate --fail web                    as if it never became healthy\n  imm simulate --crash-everywhere --seed 7   dies at every instant, with faults, and recovers"
)]
pub struct Simulate {
    #[command(flatten)]
    pub module: Module,
    #[command(flatten)]
    pub params: Params,
    #[command(flatten)]
    pub tuning: Tuning,
    /// Let the engine die at every instant there is, and recover
    #[arg(long)]
    pub crash_everywhere: bool,
    /// Let what is declared there fail; may be repeated, each is a trial of its own
    #[arg(long, value_name = "ADDR")]
    pub fail: Vec<String>,
    /// Decides latencies and faults; the same seed gives the same report
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm doc`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm doc               this folder's program\n  imm doc route         a kind\n  imm doc String        the methods of a type\n  imm doc List.map      one of them\n  imm doc std           the standard library\n  imm doc std.net       one module of it\n  imm doc net.subnet    one function"
)]
pub struct Doc {
    /// A module's path, or the name of a kind, method, function or std module [default: .]
    #[arg(value_name = "WHAT")]
    pub what: Option<String>,
    /// Markdown, also on a terminal
    #[arg(long)]
    pub markdown: bool,
    /// Write Markdown to a file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write static pages into a folder: what was asked for, and everything that is built in
    #[arg(long, value_name = "DIR", conflicts_with_all = ["markdown", "out"])]
    pub html: Option<PathBuf>,
    /// One JSON document a page
    #[arg(long, conflicts_with_all = ["markdown", "out", "html"])]
    pub json: bool,
}

/// `imm explain`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  imm explain                   every code\n  imm explain unknown-field")]
pub struct Explain {
    /// The code, for example unknown-field; without it, all codes
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm repl`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm repl examples/hello\n  echo 'replicas * 2' | imm repl examples/hello\n  echo ':plan' | imm repl examples/hello"
)]
pub struct Repl {
    #[command(flatten)]
    pub module: Module,
    #[command(flatten)]
    pub params: Params,
}

/// `imm lsp`
#[derive(Debug, Args)]
pub struct Lsp {
    /// What it speaks over; the only way, and taken for clients that name it
    #[arg(long, hide = true)]
    pub stdio: bool,
}

/// `imm completions`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm completions bash > ~/.local/share/bash-completion/completions/imm\n  imm completions fish > ~/.config/fish/completions/imm.fish"
)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}
