//! The lease on a ledger: one engine at a time, alive without clocks.
//!
//! An OS lock on an open file description is held for the process's life, so a dead holder's lease is free at once and a
//! paused one keeps it. The fence in the same file rises at each take-over; every append and provider call carries it, so
//! an engine that was paused and overtaken can do no harm when it wakes. Who holds it is written beside, for messages.
//!
//! A lease has a run of [`TURNS`] fences: its holder rises within it when it turns back, so that what it sent before has no
//! effect any more; whoever takes over begins above all of them.

use nix::fcntl::{FcntlArg, fcntl};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Fences of one lease: the first, and one for each time that its holder turns back or begins anew.
pub const TURNS: u64 = 16;

/// How often a lease that is being given back is tried again, and the time between.
const GIVING_BACK: u32 = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// The next fence of the same lease. The last one stays: no command turns so often.
#[must_use]
pub fn turned(fence: u64) -> u64 {
    if (fence + 1).is_multiple_of(TURNS) { fence } else { fence + 1 }
}

/// Whether both fences are of one lease.
pub(crate) fn is_same(one: u64, other: u64) -> bool {
    one / TURNS == other / TURNS
}

/// The first fence of the lease after the one that this fence is of.
fn next(fence: u64) -> u64 {
    (fence / TURNS + 1) * TURNS
}

/// Who holds a lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// User name, or the number where there is no name.
    pub user: String,
    /// Host name.
    pub host: String,
    /// Changes with every start of the machine.
    pub boot_id: String,
    /// Process id.
    pub pid: u32,
    /// Which process-id namespace the number belongs to.
    pub pid_ns: String,
    /// Start time of the process in clock ticks since boot: tells a reused number apart.
    pub start_time: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Written {
    format: u32,
    fence: u64,
    holder: Option<Holder>,
}

/// Held until dropped.
#[derive(Debug)]
pub struct Lease {
    file: File,
    fence: u64,
}

/// Whose lease was found free without having been given back: it died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TookOver {
    /// Its fence.
    pub fence: u64,
    /// Who it was.
    pub holder: Holder,
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else holds it; nobody in particular while it is being given back.
    #[error("another imm is working on this ledger{}", .0.as_ref().map_or_else(String::new, Holder::named))]
    Held(Option<Holder>),
    /// The disk says no.
    #[error("{path}: {message}")]
    Io {
        /// The lease's path.
        path: String,
        /// What it said.
        message: String,
    },
}

impl Holder {
    fn named(&self) -> String {
        format!(": {} on {}, process {}", self.user, self.host, self.pid)
    }

    /// This process.
    pub fn current() -> Self {
        let uid = nix::unistd::Uid::effective();
        let user = nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |u| u.name);
        let host = nix::unistd::gethostname().map_or_else(|_| "?".to_owned(), |h| h.to_string_lossy().into_owned());
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let pid_ns =
            std::fs::read_link("/proc/self/ns/pid").map_or_else(|_| String::new(), |p| p.display().to_string());
        // Field 22, counted after the command name, which may hold anything in its parentheses.
        let stat = read("/proc/self/stat");
        let start_time =
            stat.rsplit(')').next().and_then(|s| s.split_whitespace().nth(19)).and_then(|s| s.parse().ok());
        let (boot_id, pid) = (read("/proc/sys/kernel/random/boot_id"), std::process::id());
        Self { user, host, boot_id, pid, pid_ns, start_time: start_time.unwrap_or(0) }
    }
}

impl Lease {
    /// Takes the lease of the ledger in `folder`, or says who has it. A holder that died is taken over.
    ///
    /// # Errors
    /// [`LeaseError::Held`] when it is held, [`LeaseError::Io`] when the file cannot be used.
    pub fn take(folder: &Path, holder: Holder) -> Result<(Self, Option<TookOver>), LeaseError> {
        let path = folder.join("lease");
        let fail =
            |e: &dyn std::fmt::Display| LeaseError::Io { path: path.display().to_string(), message: e.to_string() };
        std::fs::create_dir_all(folder).map_err(|e| fail(&e))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| fail(&e))?;
        let mut tries = 0;
        let before = loop {
            let locked = lock(&file);
            let before = read(&mut file);
            match locked {
                Ok(()) => break before,
                Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => {}
                Err(e) => return Err(fail(&e)),
            }
            // One that names nobody is being given back, which takes as long as the disk does.
            tries += 1;
            if before.holder.is_some() || tries > GIVING_BACK {
                return Err(LeaseError::Held(before.holder));
            }
            std::thread::sleep(PAUSE);
        };
        let took_over = before.holder.map(|holder| TookOver { fence: before.fence, holder });
        let mut lease = Self { file, fence: next(before.fence) };
        lease.write(Some(holder)).map_err(|e| fail(&e))?;
        Ok((lease, took_over))
    }

    /// Takes the lease also from a holder that is alive: by a new file in place of the one whose lock it holds. The fence in
    /// the new one is higher, and the ledger and every provider refuse the old one from the first write on.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn take_over(folder: &Path, holder: Holder) -> Result<(Self, Option<TookOver>), LeaseError> {
        match Self::take(folder, holder.clone()) {
            Err(LeaseError::Held(_)) => {}
            free => return free,
        }
        let (path, aside) = (folder.join("lease"), folder.join("lease.new"));
        let fail =
            |e: &dyn std::fmt::Display| LeaseError::Io { path: path.display().to_string(), message: e.to_string() };
        let before = File::open(&path).map(|mut file| read(&mut file)).map_err(|e| fail(&e))?;
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&aside);
        let file = file.map_err(|e| fail(&e))?;
        lock(&file).map_err(|e| fail(&e))?;
        let mut lease = Self { file, fence: next(before.fence) };
        lease.write(Some(holder)).map_err(|e| fail(&e))?;
        std::fs::rename(&aside, &path).map_err(|e| fail(&e))?;
        Ok((lease, before.holder.map(|holder| TookOver { fence: before.fence, holder })))
    }

    /// Whether somebody holds the lease of the ledger in `folder` right now. Only asks: whoever wants it meanwhile gets it.
    pub fn held(folder: &Path) -> bool {
        let Ok(file) = File::open(folder.join("lease")) else { return false };
        let mut asked = whole();
        let answer = fcntl(&file, FcntlArg::F_OFD_GETLK(&mut asked));
        answer.is_ok() && i32::from(asked.l_type) != nix::libc::F_UNLCK
    }

    /// Rises at each take-over.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Rises above this fence, which somebody had: of a ledger whose lease file was lost.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn rise_above(&mut self, fence: u64) -> std::io::Result<()> {
        if fence >= self.fence {
            self.fence = next(fence);
            self.write(Some(Holder::current()))?;
        }
        Ok(())
    }

    fn write(&mut self, holder: Option<Holder>) -> std::io::Result<()> {
        let text = serde_json::to_vec(&Written { format: 1, fence: self.fence, holder })?;
        self.file.seek(SeekFrom::Start(0))?;
        // Longer first, cut after: a reader in between sees trailing bytes, never a missing start.
        self.file.write_all(&text)?;
        self.file.set_len(text.len() as u64)?;
        self.file.sync_data()
    }
}

/// Gives the lease back: the next one takes over from nobody.
impl Drop for Lease {
    fn drop(&mut self) {
        // A failure leaves a holder that is no more, which the next take finds out by the lock.
        drop(self.write(None));
    }
}

fn lock(file: &File) -> nix::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&whole())).map(drop)
}

/// The exclusive lock on a whole file.
fn whole() -> nix::libc::flock {
    nix::libc::flock {
        l_type: nix::libc::F_WRLCK as nix::libc::c_short,
        l_whence: nix::libc::SEEK_SET as nix::libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

fn read(file: &mut File) -> Written {
    let mut text = Vec::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut text));
    let mut values = serde_json::Deserializer::from_slice(&text).into_iter();
    match (read, values.next()) {
        (Ok(_), Some(Ok(written))) => written,
        _ => Written::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_the_fence_rises() {
        let dir = tempfile::tempdir().unwrap();
        let (first, took) = Lease::take(dir.path(), Holder::current()).unwrap();
        assert_eq!((first.fence(), took), (TURNS, None));
        assert!(Lease::held(dir.path()));
        match Lease::take(dir.path(), Holder::current()) {
            Err(LeaseError::Held(holder)) => assert_eq!(holder, Some(Holder::current())),
            other => panic!("{other:?}"),
        }
        drop(first);
        let (second, took) = Lease::take(dir.path(), Holder::current()).unwrap();
        assert_eq!((second.fence(), took), (2 * TURNS, None));
    }

    #[test]
    fn who_only_asks_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        drop(Lease::take(dir.path(), Holder::current()).unwrap());
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _asker in 0..2 {
                scope.spawn(|| {
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        Lease::held(dir.path());
                    }
                });
            }
            let refused = (0..300).find_map(|_| Lease::take(dir.path(), Holder::current()).err());
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(refused.is_none(), "{refused:?}");
        });
    }

    #[test]
    fn a_lease_that_is_given_back_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _worker in 0..2 {
                scope.spawn(|| {
                    for _turn in 0..100 {
                        match Lease::take(dir.path(), Holder::current()) {
                            Ok(_) | Err(LeaseError::Held(Some(_))) => {}
                            other => panic!("{other:?}"),
                        }
                    }
                });
            }
        });
    }

    #[test]
    fn a_dead_holder_is_taken_over_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let (mut lease, _) = Lease::take(dir.path(), Holder::current()).unwrap();
        let dead = Holder { user: "ada".into(), pid: 1, ..Holder::default() };
        lease.write(Some(dead.clone())).unwrap();
        // What kill -9 leaves: the lock gone, the file as it was.
        let unlocked = std::fs::read(dir.path().join("lease")).unwrap();
        drop(lease);
        std::fs::write(dir.path().join("lease"), unlocked).unwrap();
        let (next, took) = Lease::take(dir.path(), Holder::current()).unwrap();
        assert_eq!(took, Some(TookOver { fence: TURNS, holder: dead }));
        assert_eq!(next.fence(), 2 * TURNS);
    }

    #[test]
    fn a_live_holder_is_overruled_and_its_lease_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let (silent, _) = Lease::take(dir.path(), Holder::current()).unwrap();
        let (next, took) = Lease::take_over(dir.path(), Holder::current()).unwrap();
        assert_eq!((next.fence(), took.unwrap().fence), (2 * TURNS, TURNS));
        drop(silent);
        assert!(matches!(Lease::take(dir.path(), Holder::current()), Err(LeaseError::Held(_))));
        drop(next);
        assert_eq!(Lease::take(dir.path(), Holder::current()).unwrap().0.fence(), 3 * TURNS);
    }

    #[test]
    fn a_lost_file_does_not_lower_the_fence() {
        let dir = tempfile::tempdir().unwrap();
        let (mut lease, _) = Lease::take(dir.path(), Holder::current()).unwrap();
        lease.rise_above(9 * TURNS + 3).unwrap();
        assert_eq!(lease.fence(), 10 * TURNS);
        drop(lease);
        assert_eq!(Lease::take(dir.path(), Holder::current()).unwrap().0.fence(), 11 * TURNS);
    }

    #[test]
    fn a_holder_turns_below_whoever_takes_over() {
        let dir = tempfile::tempdir().unwrap();
        let (lease, _) = Lease::take(dir.path(), Holder::current()).unwrap();
        let mut fence = lease.fence();
        for _more_than_it_has in 0..2 * TURNS {
            let before = fence;
            fence = turned(before);
            assert!(fence > before || fence == 2 * TURNS - 1, "{before} to {fence}");
        }
        let (next, _) = Lease::take_over(dir.path(), Holder::current()).unwrap();
        assert!(fence < next.fence(), "{fence}");
    }
}
