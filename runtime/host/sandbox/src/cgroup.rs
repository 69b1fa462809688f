//! Limits and accounting by cgroups: version 1, version 2, and the hybrid of both.
//!
//! Only groups below a directory `imm` are ever made, joined or removed; never an empty or a foreign path. What cannot
//! be had is a warning with a reason, never silence. Groups are not used to kill: ending a container's init does that.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::run::Usage;
use crate::spec::Limits;

/// Which cgroups this process may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cgroups {
    /// Version 1 (or hybrid with the controllers there): controller name → hierarchy directory, writable ones only.
    V1 {
        /// `memory`, `pids`, `cpu`, `cpuacct`, as far as they are mounted and writable.
        hierarchies: BTreeMap<String, PathBuf>,
    },
    /// Version 2 with a subtree that we may write.
    V2 {
        /// Groups are made in `parent/imm`.
        parent: PathBuf,
        /// Controllers that the parent hands down.
        controllers: Vec<String>,
    },
    /// No usable cgroups.
    None {
        /// Why, for people.
        reason: String,
    },
}

/// The groups of one container, as recorded in its directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Whether the files are those of version 2.
    unified: bool,
    /// Controller (`unified` for version 2) → directory.
    dirs: BTreeMap<String, PathBuf>,
}

const UNIFIED: &str = "unified";
/// The controllers that are used: the first three limit, all but `cpu` account.
const CONTROLLERS: [&str; 4] = ["memory", "pids", "cpu", "cpuacct"];
const PERIOD_US: u64 = 100_000;
/// The longest pause before a busy group is tried again; all of them are twice that.
const BUSY: Duration = Duration::from_millis(500);

impl Cgroups {
    /// Look at this machine.
    #[must_use]
    pub fn detect() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::from_mounts(&mounts, &own)
    }

    fn from_mounts(mountinfo: &str, own: &str) -> Self {
        let mut first = BTreeMap::new();
        let mut second = None;
        for line in mountinfo.lines() {
            let Some((left, right)) = line.split_once(" - ") else { continue };
            let (Some(at), Some(kind)) = (left.split(' ').nth(4), right.split(' ').next()) else { continue };
            let options = right.rsplit(' ').next().unwrap_or_default();
            match kind {
                "cgroup" => {
                    for controller in options.split(',').filter(|o| CONTROLLERS.contains(o)) {
                        first.insert(controller.to_owned(), PathBuf::from(at));
                    }
                }
                "cgroup2" => second = Some(PathBuf::from(at)),
                _ => {}
            }
        }
        if !first.is_empty() {
            let found = first.keys().cloned().collect::<Vec<_>>().join(", ");
            first.retain(|_, dir| writable(dir));
            if first.is_empty() {
                let reason = format!("no right to make groups in the cgroup hierarchies ({found}, version 1)");
                return Self::None { reason };
            }
            return Self::V1 { hierarchies: first };
        }
        let Some(root) = second else { return Self::None { reason: "no cgroup file system is mounted".to_owned() } };
        Self::delegated(&root, own)
    }

    /// The nearest writable group above our own that hands controllers down. Not our own: it holds processes, and
    /// version 2 then forbids groups with limits below it.
    fn delegated(root: &Path, own: &str) -> Self {
        let path = own.lines().find_map(|l| l.strip_prefix("0::/")).unwrap_or_default();
        let mut at = root.join(path);
        while at != root && at.pop() {
            if !writable(&at) || !writable(&at.join("cgroup.procs")) {
                break;
            }
            let controllers = hand_down(&at);
            if !controllers.is_empty() {
                return Self::V2 { parent: at, controllers };
            }
        }
        if writable(root) {
            let controllers = hand_down(root);
            if !controllers.is_empty() {
                return Self::V2 { parent: root.to_owned(), controllers };
            }
        }
        Self::None { reason: format!("no cgroup subtree is delegated to this user (cgroup version 2, in /{path})") }
    }
}

/// The wanted controllers that children of `group` get, switched on where we may.
fn hand_down(group: &Path) -> Vec<String> {
    let file = group.join("cgroup.subtree_control");
    let there = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
    for controller in there.split_whitespace().filter(|c| CONTROLLERS.contains(c)) {
        // Refusals show in what is read back.
        let _ = fs::write(&file, format!("+{controller}"));
    }
    let on = fs::read_to_string(&file).unwrap_or_default();
    on.split_whitespace().filter(|c| CONTROLLERS.contains(c)).map(str::to_owned).collect()
}

fn writable(path: &Path) -> bool {
    nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok()
}

impl Group {
    /// Make the groups of container `id` with its limits. What cannot be set comes back as sentences.
    pub(crate) fn create(cgroups: &Cgroups, id: &str, limits: &Limits) -> (Self, Vec<String>) {
        let mut group = Self::default();
        let mut refused = Vec::new();
        match cgroups {
            Cgroups::None { reason } => {
                if limits.any() {
                    refused.push(format!("no limit could be set: {reason}"));
                }
                return (group, refused);
            }
            Cgroups::V1 { hierarchies } => {
                for (controller, hierarchy) in hierarchies {
                    match make(&hierarchy.join("imm"), id) {
                        Ok(dir) => {
                            group.dirs.insert(controller.clone(), dir);
                        }
                        Err(e) => refused.push(format!("no {controller} group could be made: {e}")),
                    }
                }
            }
            Cgroups::V2 { parent, controllers: _ } => {
                group.unified = true;
                let imm = parent.join("imm");
                let made = make(&imm, id);
                hand_down(&imm);
                match made {
                    Ok(dir) => {
                        group.dirs.insert(UNIFIED.to_owned(), dir);
                    }
                    Err(e) => refused.push(format!("no group could be made in {}: {e}", imm.display())),
                }
            }
        }
        for (controller, file, value, what) in group.settings(limits) {
            let set = match group.dir(controller) {
                Some(dir) => fs::write(dir.join(file), &value).map_err(|e| e.to_string()),
                None => Err(format!("this machine offers no {controller} cgroup")),
            };
            if let Err(why) = set {
                refused.push(format!("the {what} limit could not be set: {why}"));
            }
        }
        if let Some(bytes) = limits.memory {
            // Without this the limit would be one of memory without swap. Absent where the kernel counts no swap.
            let (file, value) = if group.unified {
                ("memory.swap.max", "0".to_owned())
            } else {
                ("memory.memsw.limit_in_bytes", bytes.to_string())
            };
            if let Some(path) = group.dir("memory").map(|d| d.join(file)).filter(|p| p.exists()) {
                let _ = fs::write(path, value);
            }
        }
        (group, refused)
    }

    /// All the groups that a container with this id may have, made or not.
    pub(crate) fn planned(cgroups: &Cgroups, id: &str) -> Self {
        let at = |parent: &Path| parent.join("imm").join(id);
        match cgroups {
            Cgroups::None { .. } => Self::default(),
            Cgroups::V1 { hierarchies } => {
                Self { unified: false, dirs: hierarchies.iter().map(|(name, dir)| (name.clone(), at(dir))).collect() }
            }
            Cgroups::V2 { parent, .. } => {
                Self { unified: true, dirs: BTreeMap::from([(UNIFIED.to_owned(), at(parent))]) }
            }
        }
    }

    /// (controller, file, value, what it is for people).
    fn settings(&self, limits: &Limits) -> Vec<(&'static str, &'static str, String, &'static str)> {
        let mut settings = Vec::new();
        let unified = self.unified;
        if let Some(bytes) = limits.memory {
            let file = if unified { "memory.max" } else { "memory.limit_in_bytes" };
            settings.push(("memory", file, bytes.to_string(), "memory"));
        }
        if let Some(count) = limits.pids {
            settings.push(("pids", "pids.max", count.to_string(), "process"));
        }
        if let Some(milli) = limits.cpu_milli {
            // The kernel refuses quotas below 1 ms.
            let quota = (milli.saturating_mul(PERIOD_US) / 1000).max(1000);
            if unified {
                settings.push(("cpu", "cpu.max", format!("{quota} {PERIOD_US}"), "processor"));
            } else {
                settings.push(("cpu", "cpu.cfs_period_us", PERIOD_US.to_string(), "processor"));
                settings.push(("cpu", "cpu.cfs_quota_us", quota.to_string(), "processor"));
            }
        }
        settings
    }

    /// Put the calling process in, which has one thread. What cannot be joined comes back as sentences.
    ///
    /// By itself and not by its parent: on version 1 a thread that moves only itself (`0` into `tasks`) does not wait for
    /// the kernel's lock against all forks of the machine, whose cost is 10 to 30 ms.
    pub(crate) fn join(&self) -> Vec<String> {
        let file = if self.unified { "cgroup.procs" } else { "tasks" };
        let failed = |(name, dir): (&String, &PathBuf)| {
            let error = fs::write(dir.join(file), "0").err()?;
            Some(format!("the {name} cgroup could not be joined, its limit is not in force: {error}"))
        };
        self.dirs.iter().filter_map(failed).collect()
    }

    pub(crate) fn usage(&self) -> Usage {
        if self.unified {
            let micros = self.field("cpu", "cpu.stat", "usage_usec");
            Usage {
                cpu_ns: micros.map(|us| us.saturating_mul(1000)),
                memory: self.number("memory", "memory.current"),
                pids: self.number("pids", "pids.current"),
            }
        } else {
            Usage {
                cpu_ns: self.number("cpuacct", "cpuacct.usage"),
                memory: self.number("memory", "memory.usage_in_bytes"),
                pids: self.number("pids", "pids.current"),
            }
        }
    }

    /// Whether the kernel killed for memory in it.
    pub(crate) fn oom_killed(&self) -> bool {
        let file = if self.unified { "memory.events" } else { "memory.oom_control" };
        self.field("memory", file, "oom_kill").is_some_and(|n| n > 0)
    }

    /// Remove the groups. Those that are gone are no error.
    pub(crate) fn remove(&self) -> io::Result<()> {
        for dir in self.dirs.values().filter(|dir| ours(dir)) {
            remove_empty(dir).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", dir.display())))?;
        }
        Ok(())
    }

    fn dir(&self, controller: &str) -> Option<&PathBuf> {
        self.dirs.get(if self.unified { UNIFIED } else { controller })
    }

    fn number(&self, controller: &str, file: &str) -> Option<u64> {
        fs::read_to_string(self.dir(controller)?.join(file)).ok()?.trim().parse().ok()
    }

    fn field(&self, controller: &str, file: &str, key: &str) -> Option<u64> {
        let text = fs::read_to_string(self.dir(controller)?.join(file)).ok()?;
        text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
    }
}

/// `DIR/imm/ID` and nothing else: what may be removed.
fn ours(dir: &Path) -> bool {
    dir.parent().and_then(Path::file_name).is_some_and(|name| name == "imm")
}

/// The kernel may count a process as a member for a moment after its end was seen, and then says "busy".
fn remove_empty(dir: &Path) -> io::Result<()> {
    let mut pause = Duration::from_millis(1);
    loop {
        match fs::remove_dir(dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy && pause <= BUSY => {
                std::thread::sleep(pause);
                pause *= 2;
            }
            removed => return removed,
        }
    }
}

fn make(parent: &Path, id: &str) -> io::Result<PathBuf> {
    match fs::create_dir(parent) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let dir = parent.join(id);
    match fs::create_dir(&dir) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            // Left by a killed monitor. A group with processes in it refuses, so nobody is joined by mistake.
            fs::remove_dir(&dir)?;
            fs::create_dir(&dir)?;
        }
        made => made?,
    }
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid_is_version_one() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        for name in ["memory", "cpu,cpuacct", "unified"] {
            fs::create_dir(at(name)).unwrap();
        }
        let mounts = format!(
            "1 2 0:1 / {} rw,relatime - cgroup cgroup rw,memory\n1 2 0:2 / {} rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
             1 2 0:3 / {} rw - cgroup2 cgroup2 rw,nsdelegate\n1 2 0:4 / /missing rw - cgroup cgroup rw,pids\n\
             1 2 0:5 / /x rw - cgroup cgroup rw,name=systemd\n",
            at("memory"),
            at("cpu,cpuacct"),
            at("unified")
        );
        let Cgroups::V1 { hierarchies } = Cgroups::from_mounts(&mounts, "") else { panic!("version 1") };
        assert_eq!(hierarchies.keys().collect::<Vec<_>>(), ["cpu", "cpuacct", "memory"]);
        assert_eq!(hierarchies.get("cpu"), hierarchies.get("cpuacct"));
    }

    #[test]
    fn version_two_uses_the_nearest_subtree_that_hands_controllers_down() {
        let dir = tempfile::tempdir().unwrap();
        let app = dir.path().join("user/app");
        let own = app.join("imm.service");
        fs::create_dir_all(&own).unwrap();
        for group in [&own, &app] {
            for file in ["cgroup.procs", "cgroup.controllers"] {
                fs::write(group.join(file), "").unwrap();
            }
        }
        // Plain files keep what was written last; the kernel would show both.
        fs::write(app.join("cgroup.controllers"), "memory hugetlb\n").unwrap();
        fs::write(own.join("cgroup.controllers"), "memory\n").unwrap();
        let mounts = format!("1 2 0:3 / {} rw - cgroup2 cgroup2 rw\n", dir.path().display());
        let found = Cgroups::from_mounts(&mounts, "0::/user/app/imm.service\n");
        // `+memory` is what the switch was set to; a kernel answers `memory`.
        assert_eq!(fs::read_to_string(app.join("cgroup.subtree_control")).unwrap(), "+memory");
        assert!(matches!(found, Cgroups::None { reason } if reason.contains("delegated")));
        let none = Cgroups::from_mounts("", "");
        assert!(matches!(none, Cgroups::None { reason } if reason.contains("no cgroup file system")));
    }

    #[test]
    fn the_same_limits_in_both_versions() {
        let limits = Limits { cpu_milli: Some(250), memory: Some(1 << 20), pids: Some(7) };
        let of = |unified| Group { unified, dirs: BTreeMap::new() }.settings(&limits);
        let values =
            |unified| of(unified).into_iter().map(|(_, file, value, _)| format!("{file}={value}")).collect::<Vec<_>>();
        assert_eq!(values(true), ["memory.max=1048576", "pids.max=7", "cpu.max=25000 100000"]);
        assert_eq!(
            values(false),
            ["memory.limit_in_bytes=1048576", "pids.max=7", "cpu.cfs_period_us=100000", "cpu.cfs_quota_us=25000"]
        );
    }

    #[test]
    fn a_limit_that_cannot_be_set_is_named() {
        let none = Cgroups::None { reason: "because".to_owned() };
        let limits = Limits { memory: Some(1), ..Limits::default() };
        assert_eq!(Group::create(&none, "x", &limits).1, ["no limit could be set: because"]);
        assert!(Group::create(&none, "x", &Limits::default()).1.is_empty());
        let dir = tempfile::tempdir().unwrap();
        let only = Cgroups::V1 { hierarchies: BTreeMap::from([("pids".to_owned(), dir.path().to_owned())]) };
        let (group, refused) = Group::create(&only, "x", &limits);
        assert_eq!(refused, ["the memory limit could not be set: this machine offers no memory cgroup"]);
        group.remove().unwrap();
        assert!(!dir.path().join("imm/x").exists());
    }
}
