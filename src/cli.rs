//! The command line's words. What they do is in `commands`, one file each.

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

impl Params {
    /// Whether none is given on the command line.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.files.is_empty() && self.params_json.is_none()
    }
}

impl Consents {
    /// Whether one is given.
    pub fn any(&self) -> bool {
        let named = [&self.replace, &self.rename, &self.never];
        named.iter().any(|list| !list.is_empty()) || self.again || self.above_limit || self.heal
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

/// The module a command is about.
#[derive(Debug, Args)]
pub struct Module {
    /// The module: a folder or one .imm file [default: .]
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
}

/// Values of params. They hold for this command only.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Params")]
pub struct Params {
    /// Set a param: a String as it is, anything else as an imm literal
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub values: Vec<String>,
    /// Set a param to a file's content, without its last newline; the way for secrets
    #[arg(long = "param-file", value_name = "NAME=PATH")]
    pub files: Vec<String>,
    /// Set params from a JSON object
    #[arg(long = "params", value_name = "FILE.json")]
    pub params_json: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a module that applies at once
    #[command(after_help = "Examples:\n  imm new\n  imm new shop")]
    New(New),
    /// Tell what is wrong with a program, without looking at anything that runs
    #[command(
        after_help = "Examples:\n  imm check\n  imm check --fix examples/hello\n  imm check --json     diagnostics for a program to read"
    )]
    Check(Check),
    /// Lay programs out in their one style
    #[command(
        after_help = "Examples:\n  imm fmt\n  imm fmt --check       for CI: ends with 3 when something is not formatted\n  imm fmt - < main.imm"
    )]
    Fmt(Fmt),
    /// Run the tests of a program on the simulator; nothing real is touched
    #[command(after_help = "Examples:\n  imm test\n  imm test --filter starts\n  imm test --json examples/hello")]
    Test(Test),
    /// Try the next apply in a simulated world: failures, crashes, faults; nothing real is touched
    Simulate(Simulate),
    /// Show what an apply would do, and why
    #[command(
        after_help = "Examples:\n  imm plan\n  imm plan --param greeting=Hi -v      with cost and overlap of each step\n  imm plan --out next.immplan          to be applied later, as it is\n  imm plan --exit-code                 for CI: ends with 3 when there is something to do\n  imm plan --refresh                   look at what runs first"
    )]
    Plan(Plan),
    /// Explain what a plan does to an address, and what is there already
    Why(Why),
    /// Make what runs be what the program says, as one transaction
    #[command(
        after_help = "Examples:\n  imm apply\n  imm apply --yes --because 'new logo'\n  imm apply next.immplan\n  imm apply --env prod --json          events as JSON lines"
    )]
    Apply(Apply),
    /// Go back to an earlier generation
    #[command(
        after_help = "Examples:\n  imm rollback                  to the newest one that differs\n  imm rollback 3 --because 'slow'\n  imm rollback -C examples/hello --yes"
    )]
    Rollback(Rollback),
    /// End everything that the ledger knows; durables are retained
    #[command(after_help = "Examples:\n  imm destroy examples/hello\n  imm destroy --yes --because 'moved'")]
    Destroy(Destroy),
    /// Settle what an interrupted apply left behind
    #[command(after_help = "Examples:\n  imm recover\n  imm recover --json examples/hello")]
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
    #[command(
        after_help = "Examples:\n  imm logs\n  imm logs web --since 5m\n  imm logs 'web.instance[\"0\"]' --follow\n  imm logs --generation 3"
    )]
    Logs(Logs),
    /// Check that the ledger is whole
    #[command(subcommand, after_help = "Examples:\n  imm audit verify\n  imm audit verify --json examples/hello")]
    Audit(Audit),
    /// Tell what is missing, changed or unknown outside
    #[command(
        after_help = "Examples:\n  imm drift\n  imm drift --exit-code     for CI: ends with 3 when something differs\n  imm drift --json examples/hello"
    )]
    Drift(Drift),
    /// Make new objects for what is missing or changed
    #[command(after_help = "Examples:\n  imm heal\n  imm heal --yes --because 'disk replaced'")]
    Heal(Heal),
    /// Drop objects from the record; what they are stays
    Forget(Forget),
    /// Drop what only expired generations need
    Gc(Gc),
    /// Go on with a ledger that was copied or restored, or with another platform
    Lineage(LineageArgs),
    /// Show how often, how soon and how well changes go
    #[command(after_help = "Examples:\n  imm metrics\n  imm metrics --prometheus > imm.prom")]
    Metrics(Metrics),
    /// Show or change for whom the secrets of a ledger are sealed
    Key(KeyArgs),
    /// Show the documentation of a program, of the standard library, or of what is built in
    Doc(Doc),
    /// Teach what a diagnostic means
    #[command(after_help = "Examples:\n  imm explain                   every code\n  imm explain unknown-field")]
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
    #[command(after_help = "Examples:\n  imm serve public\n  PORT=9000 imm serve .")]
    Serve(Serve),
    /// Print completions for a shell
    #[command(
        after_help = "Examples:\n  imm completions bash > ~/.local/share/bash-completion/completions/imm\n  imm completions fish > ~/.config/fish/completions/imm.fish"
    )]
    Completions(Completions),
    /// A container's monitor; not for people
    #[command(name = "__container", hide = true)]
    Container {
        /// The container's folder.
        dir: PathBuf,
    },
}

/// `imm new`
#[derive(Debug, Args)]
pub struct New {
    /// The folder to make [default: hello]
    #[arg(value_name = "DIR", default_value = "hello")]
    pub dir: PathBuf,
}

/// `imm check`
#[derive(Debug, Args)]
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
pub struct Fmt {
    /// An .imm file, a folder with all below it, or - for stdin to stdout [default: stdin if it is piped, else .]
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
    /// Write nothing; end with 3 when something is not formatted
    #[arg(long)]
    pub check: bool,
}

/// `imm test`
#[derive(Debug, Args)]
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

/// `imm plan`
#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub module: Module,
    #[command(flatten)]
    pub params: Params,
    #[command(flatten)]
    pub tuning: Tuning,
    #[command(flatten)]
    pub consents: Consents,
    /// Keep the plan in a file that `imm apply FILE` carries out, sources or not
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// End with 3 when there is something to do
    #[arg(long)]
    pub exit_code: bool,
    /// Look at what is there first, not only at what is recorded
    #[arg(long)]
    pub refresh: bool,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm show`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm show                    the generation that serves\n  imm show 3 -C examples/hello --json"
)]
pub struct Show {
    /// Its number [default: the newest]
    #[arg(value_name = "GEN")]
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
    #[arg(value_name = "G1")]
    pub from: u64,
    /// The other one [default: the newest]
    #[arg(value_name = "G2")]
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
    #[arg(long, value_name = "N")]
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

/// `imm why`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm why app\n  imm why 'web.instance[\"0\"]' --param greeting=Hi\n  imm why web -C examples/hello --json    everything below web"
)]
pub struct Why {
    /// What to explain: an address, or a prefix of several, for example web or 'web.instance["0"]'
    #[arg(value_name = "ADDR")]
    pub address: String,
    #[command(flatten)]
    pub params: Params,
    #[command(flatten)]
    pub tuning: Tuning,
    #[command(flatten)]
    pub consents: Consents,
    /// Look at what is there first, not only at what is recorded
    #[arg(long)]
    pub refresh: bool,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// What an environment may say too.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Generations")]
pub struct Tuning {
    /// How many earlier generations stay warm [default: 1]
    #[arg(long, value_name = "N")]
    pub keep: Option<u32>,
    /// How many earlier generations can be made again from the ledger [default: 20]
    #[arg(long, value_name = "N")]
    pub retain: Option<u32>,
}

/// What a plan may do that needs a word of its own. Recorded with the reason.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Consents")]
pub struct Consents {
    /// Let a durable get a successor without its data (wants --because)
    #[arg(long, value_name = "ADDR", requires = "because")]
    pub replace: Vec<String>,
    /// Let a durable or pointer keep its object under a new address (wants --because)
    #[arg(long, value_name = "OLD=NEW", requires = "because")]
    pub rename: Vec<String>,
    /// Apply a graph again that was rolled back from (wants --because)
    #[arg(long, requires = "because")]
    pub again: bool,
    /// Run a job whose effect cannot be undone (wants --because)
    #[arg(long, value_name = "ADDR", requires = "because")]
    pub never: Vec<String>,
    /// Replace more objects than the environment's replace_limit (wants --because)
    #[arg(long, requires = "because")]
    pub above_limit: bool,
    /// Make new objects for those that are missing or changed
    #[arg(long)]
    pub heal: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
}

/// `imm apply`
#[derive(Debug, Args)]
pub struct Apply {
    /// The module, or a plan from `imm plan --out` [default: .]
    #[arg(value_name = "PATH | FILE.immplan")]
    pub path: Option<PathBuf>,
    #[command(flatten)]
    pub params: Params,
    #[command(flatten)]
    pub tuning: Tuning,
    #[command(flatten)]
    pub consents: Consents,
    #[command(flatten)]
    pub answer: Answer,
}

/// How the plan's one question is answered.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Running")]
pub struct Answer {
    /// Answer the plan's question with yes
    #[arg(short, long)]
    pub yes: bool,
    /// Events as JSON lines on stdout
    #[arg(long)]
    pub json: bool,
}

/// `imm rollback`
#[derive(Debug, Args)]
pub struct Rollback {
    /// The generation [default: the newest one that differs and was never rolled back from]
    #[arg(value_name = "GEN")]
    pub generation: Option<u64>,
    /// Only prove that it would work: make what it needs, move no traffic, take it down again
    #[arg(long)]
    pub drill: bool,
    /// Go back behind this job although its effect is breaking (wants --because)
    #[arg(long, value_name = "JOB", requires = "because")]
    pub across: Vec<String>,
    /// Run a job again whose effect cannot be undone (wants --because)
    #[arg(long, value_name = "ADDR", requires = "because")]
    pub never: Vec<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
    #[command(flatten)]
    pub answer: Answer,
}

/// `imm destroy`
#[derive(Debug, Args)]
pub struct Destroy {
    #[command(flatten)]
    pub module: Module,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
    #[command(flatten)]
    pub answer: Answer,
}

/// `imm recover`
#[derive(Debug, Args)]
pub struct Recover {
    #[command(flatten)]
    pub module: Module,
    /// Give up what cannot be settled there: it is left as it is (wants --because)
    #[arg(long, value_name = "ADDR", requires = "because")]
    pub accept_lost: Vec<String>,
    /// Take the lease from a process that lives and does not answer; what it still does is refused (wants --because)
    #[arg(long, requires = "because")]
    pub take_over: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
    /// Events as JSON lines on stdout
    #[arg(long)]
    pub json: bool,
}

/// A command that reports.
#[derive(Debug, Args)]
pub struct Report {
    #[command(flatten)]
    pub module: Module,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm logs`
#[derive(Debug, Args)]
pub struct Logs {
    /// Only what is at or below this address, for example web or 'web.instance["0"]'
    #[arg(value_name = "ADDR")]
    pub address: Option<String>,
    /// Only what this generation printed
    #[arg(long, value_name = "N")]
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

/// `imm audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Find any edited, cut, swapped or inserted entry
    Verify(Verify),
    /// Fold all entries again and compare with what they say of the state
    Rebuild(Rebuild),
    /// Print every entry as a line of JSON
    Export(Report),
}

/// `imm audit verify`
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    pub module: Module,
    /// A head that was seen before, as every apply prints it; the agent's is compared anyway when it runs
    #[arg(long, value_name = "SEQ:HASH")]
    pub anchor: Vec<String>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm audit rebuild`
#[derive(Debug, Args)]
pub struct Rebuild {
    #[command(flatten)]
    pub module: Module,
    /// Change nothing; end with 1 when something differs
    #[arg(long)]
    pub check: bool,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm key`
#[derive(Debug, Args)]
#[command(
    after_help = "Secrets are sealed with age. The identity is IMM_HOME/identity: keep a copy of it in a safe place, since without it nobody can open what was sealed for it alone.\n\nExamples:\n  imm key                      this machine's recipient, and all of the ledger\n  imm key add age1…            let another machine or person open them, too\n  imm key rotate               a new identity for this machine instead of the old one"
)]
pub struct KeyArgs {
    /// What to do [default: show]
    #[command(subcommand)]
    pub verb: Option<Key>,
}

/// What `imm key` can do.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Print this machine's recipient and those of the ledger
    Show {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Seal everything for one more recipient
    Add {
        /// The recipient, age1…
        recipient: String,
    },
    /// Seal everything for one recipient less
    Remove {
        /// The recipient, age1…
        recipient: String,
    },
    /// Make a new identity for this machine and seal everything for it instead of the old one
    Rotate,
}

/// `imm drift`
#[derive(Debug, Args)]
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

/// `imm heal`
#[derive(Debug, Args)]
pub struct Heal {
    #[command(flatten)]
    pub module: Module,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
    #[command(flatten)]
    pub answer: Answer,
}

/// `imm forget`
#[derive(Debug, Args)]
pub struct Forget {
    /// The address, for example uploads or 'web.instance["0"]'
    #[arg(value_name = "ADDR")]
    pub address: String,
    /// Only this object (`imm status --json` and `imm drift --json` show ids)
    #[arg(long, value_name = "ID")]
    pub object: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub because: String,
}

/// `imm gc`
#[derive(Debug, Args)]
pub struct Gc {
    #[command(flatten)]
    pub module: Module,
    /// How many earlier generations can be made again [default: what the newest apply said]
    #[arg(long, value_name = "N")]
    pub retain: Option<u32>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm lineage`
#[derive(Debug, Args)]
#[command(
    after_help = "A ledger that was copied, or restored from a backup, is refused (forked-ledger): two ledgers must not lead the same objects. Say which it is:\n  imm lineage fork --because TEXT   a copy that begins a life of its own; it touches nothing of the other\n  imm lineage take --because TEXT   the one that counts from now on, also when IMM_HOME was lost: what is not there any more is forgotten and made anew by the next apply"
)]
pub struct LineageArgs {
    /// What to do [default: show]
    #[command(subcommand)]
    pub verb: Option<Lineage>,
}

/// What `imm lineage` can do.
#[derive(Debug, Subcommand)]
pub enum Lineage {
    /// Print the lineage, the ledger's head, and the head that the agent saw
    Show {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Begin a new lineage here; the old record is kept beside it
    Fork {
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        because: String,
    },
    /// Go on with this ledger whatever was seen before
    Take {
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        because: String,
    },
}

/// `imm metrics`
#[derive(Debug, Args)]
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

/// `imm explain`
#[derive(Debug, Args)]
pub struct Explain {
    /// The code, for example unknown-field; without it, all codes
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
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

/// `imm agent`
#[derive(Debug, Subcommand)]
pub enum Agent {
    /// Run the agent in the foreground; `imm apply` starts it by itself
    Run {
        /// Take the place of the one that runs, with its sockets
        #[arg(long)]
        take_over: bool,
    },
    /// Replace the agent that runs by this program's; no request is lost
    Upgrade,
    /// Print the root certificate that `tls = dev` is proved by
    Ca,
    /// Tell whether it runs
    Status {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Stop it; containers go on
    Stop,
    /// Tell what this machine's kernel allows
    Doctor {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// List the objects of every lineage
    Ps {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print metrics as Prometheus text
    Metrics,
}

/// `imm serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// The folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `imm completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_words_fit_together() {
        super::Cli::command().debug_assert();
    }
}
