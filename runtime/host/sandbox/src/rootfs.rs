//! The root of a container with namespaces: a read-only overlay of the image's layers, and what is mounted into it.
//!
//! Runs in the container's init, in a mount namespace of its own: the host's mount table never shows any of it and it is
//! gone with the last process. Nothing is written to a layer; directories that the image lacks come from two directories
//! of our own in memory, one above the layers (/proc, /dev, /tmp, which are thereby real directories whatever the image says) and one
//! below (the targets of mounts). Targets are resolved by the kernel inside the new root: a symbolic link of the image
//! cannot lead out of it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use nix::unistd::{fchdir, pivot_root, symlinkat};

use crate::launch::parse_user;
use crate::spec::{Mount, Spec};
use crate::sys;

const ROOT: &str = "root";
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Of the host's kernel, with owner root and no capability asked for when written: read only.
const PROC_READ_ONLY: [&str; 6] = ["sys", "sysrq-trigger", "irq", "bus", "fs", "acpi"];
/// Tells about the host: hidden.
const PROC_HIDDEN: [&str; 5] = ["kcore", "keys", "timer_list", "sched_debug", "kmsg"];

/// Make the mount point, before any namespace.
pub(crate) fn prepare(spec: &Spec) -> Result<(), String> {
    let root = spec.dir.join(ROOT);
    fs::create_dir(&root).map_err(|e| format!("{} cannot be made: {e}", root.display()))
}

/// The directories of our own, in memory: `above` and `below` the layers, and the mount point `at`. Modes follow from the
/// monitor's umask.
fn scaffold(spec: &Spec) -> Result<PathBuf, String> {
    let base = spec.dir.join(ROOT);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    set(Some("tmpfs"), &base, Some("tmpfs"), flags, "mode=755,size=1m", "the container's scaffold")?;
    let made = (|| -> io::Result<()> {
        for name in ["at", "below", "above", "above/proc", "above/dev", "above/tmp"] {
            fs::create_dir(base.join(name))?;
        }
        for mount in &spec.mounts {
            let target = base.join("below").join(mount.target().trim_start_matches('/'));
            match mount {
                Mount::Bind { source, .. } if source.is_file() => {
                    target.parent().map_or(Ok(()), fs::create_dir_all)?;
                    fs::write(&target, "")?;
                }
                Mount::Bind { .. } | Mount::Scratch { .. } => fs::create_dir_all(&target)?,
            }
        }
        Ok(())
    })();
    made.map_err(|e| format!("the mount points of the container cannot be made: {e}"))?;
    Ok(base)
}

/// Make the root and enter it. The calling process must have a mount namespace of its own.
pub(crate) fn enter(spec: &Spec, rootless: bool) -> Result<(), String> {
    set(None, Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_SLAVE, "", "the mount namespace")?;
    let root = overlay(spec, rootless)?;
    let root = Root(root);
    root.proc()?;
    root.devices()?;
    root.tmpfs("tmp", "size=64m,mode=1777", ResolveFlag::RESOLVE_NO_SYMLINKS)?;
    for mount in &spec.mounts {
        root.mount(mount, spec)?;
    }
    let moved = (|| {
        fchdir(&root.0)?;
        pivot_root(".", ".")?;
        umount2(".", MntFlags::MNT_DETACH)?;
        nix::unistd::chdir("/")
    })();
    moved.map_err(|e| format!("the root cannot be changed: {e}"))
}

/// Mount the overlay and open its root.
fn overlay(spec: &Spec, rootless: bool) -> Result<OwnedFd, String> {
    let open_layer = |layer: &Path| {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        open(layer, flags, Mode::empty()).map_err(|e| format!("image layer {}: {e}", layer.display()))
    };
    let base = scaffold(spec)?;
    let at = base.join("at");
    // Uppermost first. By descriptor: the option string has a limit of one page and must not hold `:` or `,`.
    let mut opened = vec![open_layer(&base.join("above"))?];
    for layer in uppermost_first(&spec.layers) {
        opened.push(open_layer(layer)?);
    }
    opened.push(open_layer(&base.join("below"))?);
    let lower = opened.iter().map(|fd| by_fd(fd).display().to_string()).collect::<Vec<_>>().join(":");
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let plain = format!("lowerdir={lower}");
    let what = "the image's layers (overlay)";
    // In a user namespace only this option lets a layer say that it replaces a directory; old kernels do not know it.
    let with = format!("{plain},userxattr");
    if !rootless || set(Some("overlay"), &at, Some("overlay"), flags, &with, what).is_err() {
        set(Some("overlay"), &at, Some("overlay"), flags, &plain, what)?;
    }
    open(&at, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).map_err(|e| format!("{what}: {e}"))
}

/// The layers as an overlay takes them. One that is there twice counts where it is uppermost: it hides all of itself below,
/// and an overlay takes none twice.
fn uppermost_first(layers: &[PathBuf]) -> Vec<&PathBuf> {
    let mut seen = BTreeSet::new();
    layers.iter().rev().filter(|layer| seen.insert(*layer)).collect()
}

fn set(
    from: Option<&str>,
    at: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    options: &str,
    what: &str,
) -> Result<(), String> {
    let options = Some(options).filter(|o| !o.is_empty());
    mount(from, at, kind, flags, options).map_err(|e| format!("{what} cannot be mounted: {e}"))
}

/// A path that leads to what the descriptor is open on. The host's /proc is used until the root is changed.
fn by_fd(fd: &impl AsRawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

/// The new root, not entered yet.
struct Root(OwnedFd);

impl Root {
    /// Resolve a path inside the new root, whatever links the image holds.
    fn at(&self, path: &str, more: ResolveFlag) -> nix::Result<OwnedFd> {
        let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS | more;
        let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(resolve);
        openat2(&self.0, path, how)
    }

    fn tmpfs(&self, path: &str, options: &str, more: ResolveFlag) -> Result<(), String> {
        let at = self.at(path, more).map_err(|e| format!("the mount point {path} in the image: {e}"))?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        set(Some("tmpfs"), &by_fd(&at), Some("tmpfs"), flags, options, path)
    }

    fn proc(&self) -> Result<(), String> {
        let none = ResolveFlag::RESOLVE_NO_SYMLINKS;
        let at = self.at("proc", none).map_err(|e| format!("/proc in the image: {e}"))?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        set(Some("proc"), &by_fd(&at), Some("proc"), flags, "", "/proc")?;
        for name in PROC_READ_ONLY {
            let path = format!("proc/{name}");
            let Ok(at) = self.at(&path, none) else { continue };
            bind(&by_fd(&at), &by_fd(&at), &path)?;
            let over = self.at(&path, none).map_err(|e| format!("{path}: {e}"))?;
            restrict(&over, flags | MsFlags::MS_RDONLY, &path)?;
        }
        for name in PROC_HIDDEN {
            let path = format!("proc/{name}");
            if let Ok(at) = self.at(&path, none) {
                bind(Path::new("/dev/null"), &by_fd(&at), &path)?;
            }
        }
        Ok(())
    }

    fn devices(&self) -> Result<(), String> {
        let none = ResolveFlag::RESOLVE_NO_SYMLINKS;
        let failed = |e: nix::Error| format!("/dev cannot be made: {e}");
        let at = self.at("dev", none).map_err(failed)?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        set(Some("tmpfs"), &by_fd(&at), Some("tmpfs"), flags, "size=64k,mode=755", "/dev")?;
        // From here on `dev` is ours alone and holds no link that we did not make.
        let dev = self.at("dev", none).map_err(failed)?;
        for name in DEVICES {
            let host = Path::new("/dev").join(name);
            if !host.exists() {
                continue;
            }
            let create = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
            let file = openat(&dev, name, create, Mode::from_bits_truncate(0o666)).map_err(failed)?;
            bind(&host, &by_fd(&file), name)?;
        }
        for (to, name) in [
            ("/proc/self/fd", "fd"),
            ("/proc/self/fd/0", "stdin"),
            ("/proc/self/fd/1", "stdout"),
            ("/proc/self/fd/2", "stderr"),
        ] {
            symlinkat(to, &dev, name).map_err(failed)?;
        }
        mkdirat(&dev, "shm", Mode::from_bits_truncate(0o1777)).map_err(failed)?;
        self.tmpfs("dev/shm", "size=64m,mode=1777", none)?;
        restrict(&dev, flags | MsFlags::MS_RDONLY, "/dev")
    }

    fn mount(&self, mount: &Mount, spec: &Spec) -> Result<(), String> {
        let any = ResolveFlag::empty();
        match mount {
            Mount::Scratch { target, size } => {
                let (uid, gid) = parse_user(&spec.user)?;
                self.tmpfs(target, &format!("size={size},mode=755,uid={uid},gid={gid}"), any)
            }
            Mount::Bind { source, target, read_only } => {
                let what = format!("the mount of {} at {target}", source.display());
                let at = self.at(target, any).map_err(|e| format!("{what}: no mount point in the image: {e}"))?;
                bind(source, &by_fd(&at), &what)?;
                let over = self.at(target, any).map_err(|e| format!("{what}: {e}"))?;
                let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
                if *read_only {
                    flags |= MsFlags::MS_RDONLY;
                }
                restrict(&over, flags, &what)
            }
        }
    }
}

/// With what is mounted below it: in a user namespace a part of a mount tree must not be shown without the rest.
fn bind(from: &Path, at: &Path, what: &str) -> Result<(), String> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(from), at, None::<&str>, flags, None::<&str>).map_err(|e| format!("{what} cannot be mounted: {e}"))
}

/// Add restrictions to the mount that `at` is the root of, and to those below it.
fn restrict(at: &OwnedFd, flags: MsFlags, what: &str) -> Result<(), String> {
    match sys::mount_restrict(at.as_fd(), flags, what.starts_with("the mount")) {
        Err(e) if e.raw_os_error() == Some(libc::ENOSYS) => {}
        other => return other.map_err(|e| format!("{what} cannot be restricted: {e}")),
    }
    // Kernels before 5.12. A remount in a user namespace must repeat what the mount is locked to.
    let now = fstatvfs(at).map_err(|e| format!("{what}: {e}"))?.flags();
    let mut all = flags | MsFlags::MS_BIND | MsFlags::MS_REMOUNT;
    for (is, keep) in [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_RDONLY, MsFlags::MS_RDONLY),
    ] {
        if now.contains(is) {
            all |= keep;
        }
    }
    set(None, &by_fd(at), None, all, "", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_that_is_there_twice_counts_where_it_is_uppermost() {
        let layers = ["a", "b", "a", "c"].map(PathBuf::from);
        let shown: Vec<_> = uppermost_first(&layers).into_iter().map(|layer| layer.to_str()).collect();
        assert_eq!(shown, [Some("c"), Some("a"), Some("b")]);
    }
}
