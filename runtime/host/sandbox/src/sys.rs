//! System calls that neither std nor nix wraps, and small questions to /proc. Nothing here decides anything.

#![expect(unsafe_code, reason = "raw system calls; each block says why it is sound")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Instant;

use nix::mount::MsFlags;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::signal::Signal;

/// Turn a `-1` into the error that errno holds.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A pidfd of a living or unreaped process.
pub(crate) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed; a non-negative result is a new descriptor that nobody else owns.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: see above; descriptors fit a c_int.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

/// A pidfd of the process `pid` that began at `start_time`; `None` when it is gone (or only a zombie is left).
pub(crate) fn open_process(pid: i32, start_time: u64) -> io::Result<Option<OwnedFd>> {
    let fd = match pidfd_open(pid) {
        Ok(fd) => fd,
        Err(e) if matches!(e.raw_os_error(), Some(libc::ESRCH | libc::EINVAL)) => return Ok(None),
        Err(e) => return Err(e),
    };
    // Read after the pidfd is held: were the id reused in between, the start time would differ.
    match start_time_of(pid) {
        Ok(found) if found == start_time => {}
        Ok(_) => return Ok(None),
        Err(_) => return Ok(None),
    }
    Ok((!wait_readable(std::os::fd::AsFd::as_fd(&fd), Some(Instant::now()))?).then_some(fd))
}

/// Send a signal; a process that is gone already is no error.
pub(crate) fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: Signal) -> io::Result<()> {
    // SAFETY: the descriptor is open (borrowed); a null siginfo is allowed and means "as kill() would".
    let sent = check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal as libc::c_int,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    });
    match sent {
        Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Wait until `fd` is readable or hung up; false when `deadline` passes first. No deadline waits for ever.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let timeout = match deadline {
            None => PollTimeout::NONE,
            Some(deadline) => {
                // Rounded up, so that a wait is never shorter than asked for.
                let left = deadline.saturating_duration_since(Instant::now());
                let millis = left.as_micros().div_ceil(1000);
                PollTimeout::try_from(i32::try_from(millis).unwrap_or(i32::MAX)).unwrap_or(PollTimeout::MAX)
            }
        };
        match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
            Ok(0) if deadline.is_some_and(|d| Instant::now() >= d) => return Ok(false),
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(e) => return Err(e.into()),
        }
    }
}

/// Take the lock of an open file for writing; false when somebody has it.
pub(crate) fn try_lock(fd: BorrowedFd<'_>) -> io::Result<bool> {
    flock(fd, libc::LOCK_EX)
}

/// Take the lock of an open file for reading; false when somebody has it for writing.
pub(crate) fn try_lock_shared(fd: BorrowedFd<'_>) -> io::Result<bool> {
    flock(fd, libc::LOCK_SH)
}

fn flock(fd: BorrowedFd<'_>, how: libc::c_int) -> io::Result<bool> {
    // SAFETY: no pointers; the descriptor is open (borrowed). The lock lives in the open file, not in this process, and
    // is meant to outlive the launcher: no guard type of a library fits.
    match check(libc::c_long::from(unsafe { libc::flock(fd.as_raw_fd(), how | libc::LOCK_NB) })) {
        Ok(_) => Ok(true),
        Err(e) if e.raw_os_error() == Some(libc::EWOULDBLOCK) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Field 22 of /proc/PID/stat.
pub(crate) fn start_time_of(pid: i32) -> io::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the name in parentheses and may hold anything, parentheses and spaces included.
    stat.rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().nth(19))
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is not as expected")))
}

/// Identifies the current boot of the machine.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Version of Landlock; 0 is none.
pub(crate) fn landlock_abi() -> u32 {
    // SAFETY: a null attribute of size 0 with this flag only asks for the version.
    let abi = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, 1) };
    u32::try_from(abi).unwrap_or(0)
}

/// Whether the kernel filters system calls with BPF.
pub(crate) fn seccomp_available() -> bool {
    let action: u32 = libc::SECCOMP_RET_ERRNO;
    // SAFETY: SECCOMP_GET_ACTION_AVAIL reads one u32 and changes nothing.
    unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) == 0 }
}

/// Whether a child could make these namespaces and mount a /proc of its own in them.
pub(crate) fn try_namespaces(flags: CloneFlags) -> io::Result<()> {
    in_child(|| {
        // SAFETY: plain system calls on constant strings, as everything in this closure: it runs in a forked child of
        // a process that may have threads, so nothing here allocates or locks.
        unsafe {
            if libc::unshare(flags.bits()) != 0 {
                return false;
            }
            let slave = libc::MS_REC | libc::MS_SLAVE;
            if libc::mount(std::ptr::null(), c"/".as_ptr(), std::ptr::null(), slave, std::ptr::null()) != 0 {
                return false;
            }
            // The first child is the first process of the new process namespace, which a new /proc needs.
            match libc::fork() {
                -1 => false,
                0 => {
                    let none = std::ptr::null();
                    let mounted = libc::mount(c"proc".as_ptr(), c"/proc".as_ptr(), c"proc".as_ptr(), 0, none) == 0;
                    libc::_exit(if mounted { 0 } else { *libc::__errno_location() });
                }
                pid => wait_for(pid),
            }
        }
    })
}

/// Whether a child could change its root and its user.
pub(crate) fn try_chroot() -> io::Result<()> {
    in_child(|| {
        // SAFETY: as above.
        unsafe {
            libc::chroot(c"/".as_ptr()) == 0
                && libc::setgroups(0, std::ptr::null()) == 0
                && libc::setresgid(65534, 65534, 65534) == 0
                && libc::setresuid(65534, 65534, 65534) == 0
        }
    })
}

/// Wait for a child; on failure leaves its exit code as errno and returns false.
fn wait_for(pid: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: `status` is a valid place; errno is this thread's own.
    unsafe {
        while libc::waitpid(pid, &raw mut status, 0) < 0 {
            if *libc::__errno_location() != libc::EINTR {
                return false;
            }
        }
        let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { libc::EINTR };
        *libc::__errno_location() = code;
        code == 0
    }
}

/// Run `question` in a forked child; its errno is the error when it answers false.
fn in_child(question: impl FnOnce() -> bool) -> io::Result<()> {
    // SAFETY: the child runs the closure, which by the contract above neither allocates nor locks, and ends by `_exit`.
    unsafe {
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let yes = question();
                libc::_exit(if yes { 0 } else { (*libc::__errno_location()).max(1) });
            }
            pid => {
                if wait_for(pid) {
                    Ok(())
                } else {
                    Err(io::Error::last_os_error())
                }
            }
        }
    }
}

/// Set restrictions of the mount whose root is `at`; with `recursive` of all mounts below it too. `ENOSYS` before Linux 5.12.
pub(crate) fn mount_restrict(at: BorrowedFd<'_>, flags: MsFlags, recursive: bool) -> io::Result<()> {
    // SAFETY: all fields are numbers, for which zero is valid and means "leave as it is".
    let mut attr: libc::mount_attr = unsafe { std::mem::zeroed() };
    for (flag, bit) in [
        (MsFlags::MS_RDONLY, libc::MOUNT_ATTR_RDONLY),
        (MsFlags::MS_NOSUID, libc::MOUNT_ATTR_NOSUID),
        (MsFlags::MS_NODEV, libc::MOUNT_ATTR_NODEV),
        (MsFlags::MS_NOEXEC, libc::MOUNT_ATTR_NOEXEC),
    ] {
        if flags.contains(flag) {
            attr.attr_set |= bit;
        }
    }
    let how = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the descriptor is open, the path is an empty C string, the attributes are read only, with their true size.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at.as_raw_fd(),
            c"".as_ptr(),
            how,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    })
    .map(|_| ())
}

/// Close every descriptor from `first` on.
pub(crate) fn close_from(first: RawFd) {
    close_range(first.cast_unsigned(), libc::c_uint::MAX, 0);
}

/// Let the next exec close every descriptor from `first` on.
pub(crate) fn close_on_exec_from(first: RawFd) {
    close_range(first.cast_unsigned(), libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
}

/// Close every descriptor from 3 on that is not among `kept`. For a forked child, whose other descriptors belong to frames that
/// it never returns to.
pub(crate) fn close_all_but(kept: &[RawFd]) {
    let mut kept: Vec<libc::c_uint> = kept.iter().map(|fd| fd.cast_unsigned()).collect();
    kept.sort_unstable();
    let mut from = 3;
    for fd in kept {
        if fd > from {
            close_range(from, fd - 1, 0);
        }
        from = fd + 1;
    }
    close_range(from, libc::c_uint::MAX, 0);
}

fn close_range(first: libc::c_uint, last: libc::c_uint, flags: libc::c_uint) {
    // SAFETY: callers are processes that own no descriptor in the range any more. Fails on kernels before 5.9 (5.11 with flags),
    // where containers are not possible for want of openat2's neighbours either.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
}

/// Brings up the loopback interface of the network that this process is in.
pub(crate) fn loopback_up() -> io::Result<()> {
    let socket = nix::sys::socket::socket(
        nix::sys::socket::AddressFamily::Inet,
        nix::sys::socket::SockType::Datagram,
        nix::sys::socket::SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    // SAFETY: all zeros are a valid value of this structure of numbers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(0);
    // SAFETY: the structure is what this call takes, is only read, and outlives the call.
    match unsafe { libc::ioctl(std::os::fd::AsRawFd::as_raw_fd(&socket), libc::SIOCSIFFLAGS, &raw const request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Wait for a child that has ended; its raw status.
pub(crate) fn reap(pid: i32) -> Option<i32> {
    let mut raw = 0;
    // SAFETY: `raw` is a valid place.
    let got = unsafe { libc::waitpid(pid, &raw mut raw, 0) };
    (got == pid).then_some(raw)
}
