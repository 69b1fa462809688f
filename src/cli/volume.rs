//! `imm volume`: what holds data, in use and retained.

use super::options::{Answer, Module};
use clap::{Args, Subcommand};

/// `imm volume`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Data is never destroyed without consent: what no program declares any more is retained. It is used again by declaring it at its address, or at another one with `imm apply --rename OLD=NEW --because TEXT`.\n\nExamples:\n  imm volume\n  imm volume list --json examples/hello\n  imm volume rm uploads --because 'moved to the archive'"
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
    List(VolumeList),
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

/// `imm volume rm`
#[derive(Debug, Args)]
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
