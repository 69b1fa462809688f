//! Commands about this machine: its agent, a folder served over HTTP, a command on a schedule.

use crate::schedule::Schedule;
use clap::{Args, Subcommand};
use std::ffi::OsString;
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
    /// Print a systemd unit that keeps it running, with what to do with it
    Install,
}

/// `imm serve`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  imm serve public\n  PORT=9000 imm serve .")]
pub struct Serve {
    /// The folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Answer this part of the requests with 500, evenly: to try a canary and its gate
    #[arg(long, value_name = "PERCENT")]
    pub errors: Option<Part>,
}

/// `imm cron`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  imm cron '*/15 * * * *' -- /bin/report --short\n  imm cron '0 3 * * 1-5' -- backup"
)]
pub struct Cron {
    /// Minute, hour, day of the month, month and day of the week, as in a crontab, in UTC
    #[arg(value_name = "SCHEDULE")]
    pub schedule: Schedule,
    /// The command and its arguments
    #[arg(value_name = "COMMAND", last = true, required = true)]
    pub command: Vec<OsString>,
}

/// A part of the whole, parts per million, as programs write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part(pub u32);

impl std::str::FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a part: write it like 5% or 0.1%");
        let percent: f64 = text.strip_suffix('%').and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
        if (0.0..=100.0).contains(&percent) { Ok(Self((percent * 10_000.0).round() as u32)) } else { Err(wrong()) }
    }
}
