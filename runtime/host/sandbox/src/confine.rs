//! Takes everything away from the calling process that a program in a container must not have, for good: other users' rights,
//! capabilities, new privileges, foreign ports and files, dangerous system calls.
//!
//! Runs in the init shim before the program is forked, so that both are held alike. Each step that fails is an error;
//! nothing is skipped but what the probe has said this kernel lacks.

#![expect(unsafe_code, reason = "capability and credential calls that no crate here wraps")]

use std::io;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};

use crate::filter;

/// What may be done with files beneath which directories; nothing elsewhere.
pub(crate) struct Files {
    /// Read and execute.
    pub(crate) read: Vec<PathBuf>,
    /// Anything.
    pub(crate) write: Vec<PathBuf>,
}

pub(crate) struct Confinement<'a> {
    /// Become this user; `None` keeps the one we are (rootless, ordinary users).
    pub(crate) user: Option<(u32, u32)>,
    pub(crate) landlock_abi: u32,
    pub(crate) seccomp: bool,
    pub(crate) port: Option<u16>,
    pub(crate) files: Option<&'a Files>,
}

impl Confinement<'_> {
    pub(crate) fn apply(&self) -> Result<(), String> {
        drop_bounding_set();
        if let Some((uid, gid)) = self.user {
            become_user(uid, gid).map_err(|e| format!("the user {uid}:{gid} cannot be taken: {e}"))?;
        }
        drop_capabilities().map_err(|e| format!("capabilities cannot be dropped: {e}"))?;
        no_new_privileges().map_err(|e| format!("no-new-privileges cannot be set: {e}"))?;
        if self.landlock_abi > 0 {
            self.landlock().map_err(|e| format!("Landlock cannot be set up: {e}"))?;
        }
        if self.seccomp {
            for program in filter::programs()? {
                seccompiler::apply_filter(&program).map_err(|e| format!("the system call filter was refused: {e}"))?;
            }
        }
        Ok(())
    }

    fn landlock(&self) -> Result<(), Box<dyn std::error::Error>> {
        let abi = ABI::from(i32::try_from(self.landlock_abi)?);
        let mut rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
        let mut any = false;
        if self.landlock_abi >= 4 {
            rules = rules.handle_access(AccessNet::BindTcp)?;
            any = true;
        }
        if self.landlock_abi >= 6 {
            rules = rules.scope(Scope::from_all(ABI::V6))?;
            any = true;
        }
        if self.files.is_some() {
            rules = rules.handle_access(AccessFs::from_all(abi))?;
            any = true;
        }
        if !any {
            return Ok(());
        }
        let mut rules = rules.create()?;
        if let Some(port) = self.port {
            rules = rules.add_rule(NetPort::new(port, AccessNet::BindTcp))?;
        }
        if let Some(files) = self.files {
            for path in &files.read {
                rules = rules.add_rule(PathBeneath::new(PathFd::new(path)?, AccessFs::from_read(abi)))?;
            }
            for path in &files.write {
                let access = if path.is_dir() { AccessFs::from_all(abi) } else { AccessFs::from_file(abi) };
                rules = rules.add_rule(PathBeneath::new(PathFd::new(path)?, access))?;
            }
        }
        rules.restrict_self()?;
        Ok(())
    }
}

/// Program files of the host that a program without a /dev of its own may use.
pub(crate) fn plain_devices() -> impl Iterator<Item = PathBuf> {
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"]
        .into_iter()
        .map(PathBuf::from)
        .filter(|p| p.exists())
}

/// Before the user changes, while we still may. Without the right there is nothing to drop: no-new-privileges keeps an ordinary
/// user from ever getting a capability.
fn drop_bounding_set() {
    for capability in 0..64 {
        // SAFETY: takes numbers only.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            break;
        }
    }
}

fn become_user(uid: u32, gid: u32) -> nix::Result<()> {
    let (uid, gid) = (nix::unistd::Uid::from_raw(uid), nix::unistd::Gid::from_raw(gid));
    nix::unistd::setgroups(&[])?;
    nix::unistd::setresgid(gid, gid, gid)?;
    nix::unistd::setresuid(uid, uid, uid)
}

fn drop_capabilities() -> io::Result<()> {
    // SAFETY: takes numbers only. Fails on kernels without ambient capabilities, where there are none to clear.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    /// `_LINUX_CAPABILITY_VERSION_3`: two words for each of the three sets.
    const VERSION: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION, 0];
    let sets = [0_u32; 6];
    // SAFETY: header and sets have the layout of that version, are only read, and outlive the call.
    match unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn no_new_privileges() -> nix::Result<()> {
    nix::sys::prctl::set_no_new_privs()
}
