//! Commands about this machine: its agent, a folder served over HTTP.

use clap::{Args, Subcommand};
use std::path::PathBuf;

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
#[command(after_help = "Examples:\n  imm serve public\n  PORT=9000 imm serve .")]
pub struct Serve {
    /// The folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}
