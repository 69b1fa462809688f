//! Commands about the ledger itself: is it whole, whose is it, who may open its secrets.

use super::options::{Module, Report};
use clap::{Args, Subcommand};

/// `imm audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Find any edited, cut, swapped or inserted entry
    Verify(Verify),
    /// Fold all entries again and write the state down anew; with --check compare only
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
    args_conflicts_with_subcommands = true,
    after_help = "Secrets are sealed with age. The identity is IMM_HOME/identity: keep a copy of it in a safe place, since without it nobody can open what was sealed for it alone.\n\nExamples:\n  imm key                      this machine's recipient, and all of the ledger\n  imm key add age1…            let another machine or person open them, too\n  imm key rotate               a new identity for this machine instead of the old one"
)]
pub struct KeyArgs {
    /// What to do [default: show]
    #[command(subcommand)]
    pub verb: Option<Key>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
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

/// `imm lineage`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "A ledger that was copied, or restored from a backup, is refused (forked-ledger): two ledgers must not lead the same objects. Say which it is:\n  imm lineage fork --because TEXT   a copy that begins a life of its own; it touches nothing of the other\n  imm lineage take --because TEXT   the one that counts from now on, also when IMM_HOME was lost: what is not there any more is forgotten and made anew by the next apply"
)]
pub struct LineageArgs {
    /// What to do [default: show]
    #[command(subcommand)]
    pub verb: Option<Lineage>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
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
