//! `imm image`: golden images, built apart from any apply.

use super::options::{Module, Params};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `imm image`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  imm image                          what the ledger has\n  imm image build examples/hello     their digests, before any apply\n  imm image build --check            for CI: built twice, and the same bytes\n  imm image build --out oci          an OCI layout for other tools: skopeo inspect oci:oci"
)]
pub struct ImageArgs {
    /// What to do [default: list]
    #[command(subcommand)]
    pub verb: Option<Image>,
    #[command(flatten)]
    pub list: ImageList,
}

/// What `imm image` can do.
#[derive(Debug, Subcommand)]
pub enum Image {
    /// List the images and sites that exist, with digest and size
    List(ImageList),
    /// Build the images and sites of a program without applying it
    Build(ImageBuild),
}

/// `imm image list`
#[derive(Debug, Args)]
pub struct ImageList {
    #[command(flatten)]
    pub module: Module,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// `imm image build`
#[derive(Debug, Args)]
pub struct ImageBuild {
    #[command(flatten)]
    pub module: Module,
    #[command(flatten)]
    pub params: Params,
    /// Build twice, each from nothing, and end with 1 when the bytes differ
    #[arg(long)]
    pub check: bool,
    /// Keep them as an OCI image layout in this folder, which must not exist
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}
