//! Commands that plan a change or make one.

use super::options::{Answer, Consents, Module, Params, Tuning, generation};
use clap::Args;
use std::path::PathBuf;

/// `imm plan`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm plan\n  imm plan --param greeting=Hi -v      with cost and overlap of each step\n  imm plan --out next.immplan          to be applied later, as it is\n  imm plan --exit-code                 for CI: ends with 3 when there is something to do\n  imm plan --refresh                   look at what runs first"
)]
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

/// `imm apply`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm apply\n  imm apply --yes --because 'new logo'\n  imm apply next.immplan\n  imm apply --env prod --json          events as JSON lines"
)]
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

/// `imm rollback`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm rollback                  to the newest one that differs\n  imm rollback 3 --because 'slow'\n  imm rollback -C examples/hello --yes"
)]
pub struct Rollback {
    /// The generation [default: the newest one that differs and was never rolled back from]
    #[arg(value_name = "GEN", value_parser = generation)]
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
#[command(after_help = "Examples:\n  imm destroy examples/hello\n  imm destroy --yes --because 'moved'")]
pub struct Destroy {
    #[command(flatten)]
    pub module: Module,
    /// Destroy the data of a durable, too, instead of retaining it (wants --because)
    #[arg(long, value_name = "ADDR", requires = "because")]
    pub consent: Vec<String>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
    #[command(flatten)]
    pub answer: Answer,
}

/// `imm recover`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  imm recover\n  imm recover --json examples/hello")]
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

/// `imm heal`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  imm heal\n  imm heal --yes --because 'disk replaced'")]
pub struct Heal {
    #[command(flatten)]
    pub module: Module,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
    #[command(flatten)]
    pub answer: Answer,
}

/// `imm adopt`
#[derive(Debug, Args)]
#[command(
    after_help = "What can be taken over: what `imm drift` calls an orphan (it has this ledger's tag, and no entry says that it is there), and what `imm status` calls unknown. Nothing outside changes: it is recorded with what the program declares at ADDR. As it is declared, the next apply takes it into service; in what it differs is drift. At an ADDR that the program does not have, the next apply ends it; data is retained.\n\nExamples:\n  imm drift\n  imm adopt uploads --because 'the ledger was restored from Monday'\n  imm adopt old --object 3fa85f --because 'not needed: ended by the next apply'"
)]
pub struct Adopt {
    /// Where it is declared, for example uploads; or any address that the program does not have
    #[arg(value_name = "ADDR")]
    pub address: String,
    /// Which one, when there are several (`imm drift --json` shows ids; their beginning is enough)
    #[arg(long, value_name = "ID")]
    pub object: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub because: String,
    #[command(flatten)]
    pub params: Params,
    #[command(flatten)]
    pub tuning: Tuning,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm forget`
#[derive(Debug, Args)]
#[command(
    after_help = "What was forgotten is an orphan from then on: `imm drift` tells of it, `imm adopt` takes it back.\n\nExamples:\n  imm forget 'web.instance[\"0\"]' --because 'taken down by hand'"
)]
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
#[command(
    after_help = "Entries stay for ever; graphs, sources, images and sealed secrets that only expired generations need are dropped.\n\nExamples:\n  imm gc\n  imm gc --retain 5 --because 'the disk fills up'\n  imm gc --json examples/hello"
)]
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
