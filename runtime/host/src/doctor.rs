//! What this machine offers to containers, for `imm agent doctor`. Probes only; changes nothing.

use imm_sandbox::{Cgroups, Probe, probe};
use serde::Serialize;

/// What `size` of a volume means.
pub const SIZES: &str = "its size is not enforced: this version sets no quota; `imm volume` shows what it holds";

/// What containers get here, and why not more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Doctor {
    /// The letter of the best isolation, `A` to `D`.
    pub level: char,
    /// The same in words.
    pub isolation: String,
    /// Whether containers are made through a user namespace.
    pub rootless: bool,
    /// Where limits can be set: a sentence.
    pub limits: String,
    /// Version of Landlock; 0 is none, from 4 a program is held to its own port.
    pub landlock_abi: u32,
    /// Whether system calls are filtered.
    pub seccomp: bool,
    /// Whether a volume can outgrow its size.
    pub sizes_enforced: bool,
    /// What is missing, each with its reason.
    pub missing: Vec<String>,
}

/// Asks the machine. Takes a few milliseconds; forks, so call it before threads hold locks that a child would need.
#[must_use]
pub fn examine() -> Doctor {
    report(probe())
}

fn report(probe: Probe) -> Doctor {
    let limits = match &probe.cgroups {
        Cgroups::None { reason } => format!("none ({reason})"),
        Cgroups::V1 { hierarchies } => {
            format!("cgroups version 1: {}", hierarchies.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        Cgroups::V2 { parent, controllers } => {
            format!("cgroups version 2 below {}: {}", parent.display(), controllers.join(", "))
        }
    };
    Doctor {
        level: probe.level.letter(),
        isolation: probe.level.describe().to_owned(),
        rootless: probe.rootless,
        limits,
        landlock_abi: probe.landlock_abi,
        seccomp: probe.seccomp,
        sizes_enforced: false,
        missing: probe.reasons,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_its_reason() {
        let probe = Probe {
            level: imm_sandbox::Level::Landlock,
            chroot: false,
            rootless: false,
            cgroups: Cgroups::None { reason: "nothing is writable".to_owned() },
            landlock_abi: 3,
            seccomp: true,
            reasons: vec!["user namespaces are not allowed here (ENOSPC)".to_owned()],
        };
        let doctor = report(probe);
        assert_eq!((doctor.level, doctor.limits.as_str()), ('C', "none (nothing is writable)"));
        assert_eq!(doctor.missing.len(), 1);
    }
}
