//! One program in isolation, with a monitor that keeps its output and status.
//!
//! `launch` starts a monitor process (the caller's own binary, re-executed; its hidden subcommand calls
//! `monitor_main`), which isolates the program as well as this machine allows (`probe`), appends its output to
//! `DIR/log` and records its end durably. Ending the caller, by whatever signal, touches neither; ending the monitor
//! ends the container. [`reopen`] finds a container again from its directory alone.
//!
//! How to read it: `spec` (asked for) → `launch` → `monitor` → `run` (seen from outside).
//! It does not do: images (layers come unpacked), restarts, ways out of a network of its own, quotas on disk.

mod cgroup;
mod confine;
mod copied;
mod door;
mod exec;
mod filter;
mod init;
mod launch;
mod log;
mod monitor;
mod probe;
mod program;
mod record;
mod rootfs;
mod run;
mod spec;
mod sys;

pub use cgroup::Cgroups;
pub use exec::{Ran, exec};
pub use launch::{LaunchError, launch};
pub use monitor::monitor_main;
pub use nix::sys::signal::Signal;
pub use probe::{Probe, probe};
pub use run::{Exit, ExitStatus, Run, RunState, Usage, remove, reopen};
pub use spec::{Door, Level, Limits, Mount, Network, Spec};
