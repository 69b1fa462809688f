//! `imm volume`: what holds data, in use and retained.

use super::options::{Answer, Module, Params, Tuning};
use clap::{Args, Subcommand};

/// `imm volume`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Data is never destroyed without consent: what no program declares any more is retained. It is used again by declaring it at its address, or at another one with `imm volume attach OLD NEW --because TEXT`.\n\nExamples:\n  imm volume\n  imm volume ls --json examples/hello\n  imm volume show uploads                    with its copies\n  imm volume attach uploads files --because 'a better name'\n  imm volume rm uploads --because 'moved to the archive'"
)]
pub struct VolumeArgs {
    /// What to do [default: list]
    #[command(subcommand)]
    pub verb: Option<Volume>,
    #[command(flatten)]
    pub list: VolumeList,
}

/// What `imm volume` can do.
#[derive(Debug, Subcommand)]
pub enum Volume {
    /// List what holds data: where it is, how much there is, who uses it
    #[command(visible_alias = "ls", after_help = "Examples:\n  imm volume ls\n  imm volume ls --json examples/hello")]
    List(VolumeList),
    /// Show one in full: what it holds, who uses it or why it is kept, its copies
    Show(VolumeShow),
    /// Use what is retained at an address where the program declares it now, with its data
    Attach(VolumeAttach),
    /// Destroy the data of one that nothing declares any more
    Rm(VolumeRm),
}

/// `imm volume list`
#[derive(Debug, Args)]
pub struct VolumeList {
    #[command(flatten)]
    pub module: Module,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm volume show`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  imm volume show uploads\n  imm volume show uploads --json -C examples/hello")]
pub struct VolumeShow {
    /// Where it is declared, or was last
    #[arg(value_name = "ADDR")]
    pub address: String,
    /// Only this object, when there are several (the beginning of its id is enough)
    #[arg(long, value_name = "ID")]
    pub object: Option<String>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm volume attach`
#[derive(Debug, Args)]
#[command(
    after_help = "This is an apply of the program: it is planned, shown and asked for. What the program declares at NEW has to be what is retained at OLD; only its size may be another one, and only larger.\n\nExamples:\n  imm volume attach uploads files --because 'a better name'\n  imm volume attach uploads uploads --object 3fa85f --because 'the older data'"
)]
pub struct VolumeAttach {
    /// Where it was declared last
    #[arg(value_name = "OLD")]
    pub from: String,
    /// Where the program declares it now
    #[arg(value_name = "NEW")]
    pub to: String,
    /// Which one, when several are retained there (`imm volume` shows ids)
    #[arg(long, value_name = "ID")]
    pub object: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub because: String,
    #[command(flatten)]
    pub params: Params,
    #[command(flatten)]
    pub tuning: Tuning,
    #[command(flatten)]
    pub answer: Answer,
}

/// `imm volume rm`
#[derive(Debug, Args)]
#[command(
    after_help = "This is an apply of what is in force: it is planned, shown and asked for, and it cannot be undone.\n\nExamples:\n  imm volume rm uploads --because 'moved to the archive'"
)]
pub struct VolumeRm {
    /// Where it was declared, for example uploads
    #[arg(value_name = "ADDR")]
    pub address: String,
    /// Only this object, when there are several (`imm volume --json` shows ids)
    #[arg(long, value_name = "ID")]
    pub object: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub because: String,
    #[command(flatten)]
    pub answer: Answer,
}
