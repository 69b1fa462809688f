//! What isolation this machine allows this process, found by trying in forked children. Every refusal, whatever its
//! errno, means no.

use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroups;
use crate::spec::Level;
use crate::sys;

/// What this machine offers to this process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The best level that works.
    pub level: Level,
    /// Whether this process may change its root directory and its user (level B).
    pub chroot: bool,
    /// Whether containers are made through a user namespace, with one mapped user.
    pub rootless: bool,
    /// Where limits can be set.
    pub cgroups: Cgroups,
    /// Version of Landlock; 0 is none, from 4 a program is held to its own TCP port.
    pub landlock_abi: u32,
    /// Whether system call filters work.
    pub seccomp: bool,
    /// Why each better level and each missing protection is not to be had, for people.
    pub reasons: Vec<String>,
}

/// Try everything; a few milliseconds. `crate::launch` does it once per process.
#[must_use]
pub fn probe() -> Probe {
    let landlock_abi = sys::landlock_abi();
    let seccomp = sys::seccomp_available();
    let root = nix::unistd::geteuid().is_root();
    let mut reasons = Vec::new();
    let mut rootless = false;
    let mut level = None;
    let flags =
        CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    if root {
        match sys::try_namespaces(flags) {
            Ok(()) => level = Some(Level::Namespaces),
            Err(e) => reasons.push(format!("root may not make namespaces here ({e})")),
        }
    }
    if level.is_none() {
        match sys::try_namespaces(flags | CloneFlags::CLONE_NEWUSER) {
            Ok(()) => {
                level = Some(Level::Namespaces);
                rootless = true;
            }
            Err(e) => reasons.push(format!("user namespaces are not allowed here ({e})")),
        }
    }
    let chroot = root && sys::try_chroot().is_ok();
    let level = match level {
        Some(level) => level,
        None if chroot => Level::Chroot,
        None if landlock_abi > 0 => Level::Landlock,
        None => Level::Plain,
    };
    if landlock_abi == 0 {
        reasons.push("the kernel has no Landlock, or it is switched off".to_owned());
    }
    if !seccomp {
        reasons.push("the kernel has no system call filters".to_owned());
    }
    let cgroups = Cgroups::detect();
    if let Cgroups::None { reason } = &cgroups {
        reasons.push(format!("no limits: {reason}"));
    }
    Probe { level, chroot, rootless, cgroups, landlock_abi, seccomp, reasons }
}
