//! The command line's words. What they do is in `commands`, one file each.

mod change;
mod image;
mod look;
mod machine;
mod options;
mod program;
mod record;
mod rollout;
mod volume;

pub use change::{Adopt, Apply, Destroy, Forget, Gc, Heal, Plan, Recover, Rollback, Why};
pub use image::{Image, ImageArgs, ImageBuild, ImageList};
pub use look::{Diff, Drift, Graph, GraphFormat, Logs, Metrics, Show};
pub use machine::{Agent, Cron, Serve};
pub use options::{Answer, Consents, Params, Report, Tuning};
pub use program::{Check, Completions, Doc, Explain, Fmt, Lsp, New, Repl, Simulate, Test};
pub use record::{Audit, Key, KeyArgs, Lineage, LineageArgs, Rebuild, Verify};
pub use rollout::{Gate, GateArgs, GateBacktest, GateTest, Rollout, RolloutArgs};
pub use volume::{Volume, VolumeArgs, VolumeAttach, VolumeList, VolumeRm, VolumeShow};

use crate::ui::Style;
use crate::ui::events::Watcher;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Declarative, immutable infrastructure: every change is one transaction.
#[derive(Debug, Parser)]
#[command(
    name = "imm",
    version,
    max_term_width = 100,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = "Start with `imm new hello`, then `imm apply hello`. `imm explain CODE` teaches what a diagnostic means."
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// The module: a folder or one .imm file (for commands whose argument is something else)
    #[arg(short = 'C', value_name = "PATH", global = true)]
    pub module: Option<PathBuf>,
    /// The environment; each has its own ledger
    #[arg(long = "env", value_name = "NAME", global = true, default_value = "local")]
    pub environment: String,
    /// Where ledgers are kept [default: .imm beside the module]
    #[arg(long, value_name = "DIR", global = true)]
    pub state: Option<PathBuf>,
    /// When to colour
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        global = true,
        hide_possible_values = true,
        value_name = "auto|always|never"
    )]
    pub color: Color,
    /// Only results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// More detail
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
}

impl Global {
    /// How an apply's events are shown.
    pub fn watcher(&self, json: bool) -> Watcher {
        Watcher { json, quiet: self.quiet, verbose: self.verbose, style: Style::choose(self.color) }
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a module that applies at once
    New(New),
    /// Tell what is wrong with a program, without looking at anything that runs
    Check(Check),
    /// Lay programs out in their one style
    Fmt(Fmt),
    /// Run the tests of a program on the simulator; nothing real is touched
    Test(Test),
    /// Try the next apply in a simulated world: failures, crashes, faults; nothing real is touched
    Simulate(Simulate),
    /// Show what an apply would do, and why
    Plan(Plan),
    /// Explain what a plan does to an address, and what is there already
    Why(Why),
    /// Make what runs be what the program says, as one transaction
    Apply(Apply),
    /// Watch, hold, go on with or undo a rollout, from another terminal
    Rollout(RolloutArgs),
    /// Try the gates of a program on samples, written or recorded
    Gate(GateArgs),
    /// Go back to an earlier generation
    Rollback(Rollback),
    /// End everything that the ledger knows; durables are retained
    Destroy(Destroy),
    /// Settle what an interrupted apply left behind
    Recover(Recover),
    /// Show what runs
    #[command(after_help = "Examples:\n  imm status\n  imm status --json --env prod")]
    Status(Report),
    /// Show every apply
    #[command(after_help = "Examples:\n  imm history\n  imm history --json examples/hello")]
    History(Report),
    /// Show one generation: who made it, when, why and from what, and what it consists of
    Show(Show),
    /// Show what differs between two generations
    Diff(Diff),
    /// Show what a program or a generation consists of, as a picture or for other tools
    Graph(Graph),
    /// Show what the containers printed, destroyed ones too
    Logs(Logs),
    /// Check that the ledger is whole
    #[command(subcommand, after_help = "Examples:\n  imm audit verify\n  imm audit verify --json examples/hello")]
    Audit(Audit),
    /// Tell what is missing, changed or unknown outside
    Drift(Drift),
    /// Make new objects for what is missing or changed
    Heal(Heal),
    /// Take over what is there and not recorded, or what may have been made
    Adopt(Adopt),
    /// Drop objects from the record; what they are stays
    Forget(Forget),
    /// Show the images that exist; build those of a program without applying it
    Image(ImageArgs),
    /// Show what holds data, in use and retained; destroy data that nothing declares any more
    Volume(VolumeArgs),
    /// Drop what only expired generations need
    Gc(Gc),
    /// Go on with a ledger that was copied or restored, or with another platform
    Lineage(LineageArgs),
    /// Show how often, how soon and how well changes go
    Metrics(Metrics),
    /// Show or change for whom the secrets of a ledger are sealed
    Key(KeyArgs),
    /// Show the documentation of a program, of the standard library, or of what is built in
    Doc(Doc),
    /// Teach what a diagnostic means
    Explain(Explain),
    /// Explore a program line by line: values, types, plans; changes nothing
    Repl(Repl),
    /// The language server, for editors: speaks LSP on stdin and stdout
    Lsp(Lsp),
    /// The agent that runs containers and routes on this machine
    #[command(
        subcommand,
        after_help = "Examples:\n  imm agent status\n  imm agent doctor     what this machine allows\n  imm agent ps --json"
    )]
    Agent(Agent),
    /// Serve a folder over HTTP on $HOST:$PORT
    Serve(Serve),
    /// Run a command whenever a schedule says so
    Cron(Cron),
    /// Print completions for a shell
    Completions(Completions),
    /// A container's monitor; not for people
    #[command(name = "__container", hide = true)]
    Container {
        /// The container's folder.
        dir: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_words_fit_together() {
        super::Cli::command().debug_assert();
    }
}
