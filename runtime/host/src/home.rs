//! The machine's own directory, `IMM_HOME`: where everything of this platform lies and how each path is called.
//!
//! Guarantees: every directory made here has mode 0700; the agent's socket path fits into a socket address, whatever
//! the length of the home's own path. Does not read or write anything but directories and the socket's pointer file.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Longest path that a unix socket address can hold, without its closing NUL.
const SOCKET_PATH_LIMIT: usize = 107;

/// The directory of one machine's agent. There is one agent per home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The home that the environment names: `IMM_HOME`, else `/var/lib/imm` for root, else below the user's data directory.
    pub fn locate() -> io::Result<Self> {
        if let Some(path) = std::env::var_os("IMM_HOME").filter(|path| !path.is_empty()) {
            return Self::at(Path::new(&path));
        }
        if nix::unistd::geteuid().is_root() {
            return Self::at(Path::new("/var/lib/imm"));
        }
        if let Some(path) = std::env::var_os("XDG_DATA_HOME").filter(|path| Path::new(path).is_absolute()) {
            return Self::at(&Path::new(&path).join("imm"));
        }
        match std::env::var_os("HOME").filter(|path| !path.is_empty()) {
            Some(path) => Self::at(&Path::new(&path).join(".local/share/imm")),
            None => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "no place for the agent's files: none of IMM_HOME, XDG_DATA_HOME and HOME is set; set IMM_HOME to a directory",
            )),
        }
    }

    /// The home at `path`, made when it is not there. A relative path is taken from the current directory.
    pub fn at(path: &Path) -> io::Result<Self> {
        let root = std::path::absolute(path)?;
        private_dir(&root)?;
        Ok(Self { root })
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Held locked by the agent for its whole life.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("agent.lock")
    }

    /// The development CA: root and key.
    #[must_use]
    pub fn dev_ca(&self) -> PathBuf {
        self.root.join("dev-ca.pem")
    }

    /// What the agent process itself says: starts, stops, and errors that no request was there to carry.
    #[must_use]
    pub fn agent_log(&self) -> PathBuf {
        self.root.join("agent.log")
    }

    /// What the agent's secrets are sealed with.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.root.join("agent.key")
    }

    /// The content-addressed store of images, shared by all lineages.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// Parent of all lineages' directories.
    #[must_use]
    pub fn lineages(&self) -> PathBuf {
        self.root.join("lineages")
    }

    /// Everything of one lineage.
    #[must_use]
    pub fn lineage(&self, lineage: &str) -> PathBuf {
        self.lineages().join(lineage)
    }

    /// The agent's socket: in the home, or, where that path would be too long for a socket address, in a short runtime
    /// directory that is a function of the home's path.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        let plain = self.root.join("agent.sock");
        if plain.as_os_str().as_bytes().len() <= SOCKET_PATH_LIMIT {
            plain
        } else {
            self.short_dir().join("agent.sock")
        }
    }

    /// Where the agent is asked for its place; beside its socket, and as short.
    #[must_use]
    pub fn hand_over_socket(&self) -> PathBuf {
        self.socket().with_file_name("agent.next")
    }

    /// Makes the socket's directory safe to bind in. Where the socket is not in the home, leaves `agent.sock.at` there, which
    /// names it for people who look.
    pub fn prepare_socket(&self) -> io::Result<PathBuf> {
        let socket = self.socket();
        let Some(dir) = socket.parent().filter(|dir| *dir != self.root) else { return Ok(socket) };
        private_dir(dir)?;
        check_private(dir)?;
        fs::write(self.root.join("agent.sock.at"), socket.as_os_str().as_bytes())?;
        Ok(socket)
    }

    /// A directory of this user alone that is nowhere but in memory, for files that must not reach a disk. It is made when it is
    /// not there; a restart of the machine empties it.
    pub fn memory(&self) -> io::Result<PathBuf> {
        let uid = nix::unistd::geteuid().as_raw();
        let candidates = [PathBuf::from(format!("/run/user/{uid}")), PathBuf::from("/run"), PathBuf::from("/dev/shm")];
        let in_memory = |path: &PathBuf| {
            let kind = nix::sys::statfs::statfs(path).map(|stat| stat.filesystem_type());
            let writable = nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok();
            writable && matches!(kind, Ok(nix::sys::statfs::TMPFS_MAGIC))
        };
        let base = candidates.iter().find(|path| in_memory(path)).ok_or_else(|| {
            let said = "there is no memory file system for a secret file: none of /run/user, /run and /dev/shm is a tmpfs that this user may write to";
            io::Error::new(io::ErrorKind::Unsupported, said)
        })?;
        let dir = base.join(format!("imm-{uid}-{}-secrets", self.name()));
        private_dir(&dir)?;
        check_private(&dir)?;
        Ok(dir)
    }

    fn short_dir(&self) -> PathBuf {
        let uid = nix::unistd::geteuid().as_raw();
        let key = self.name();
        let runtime = PathBuf::from(format!("/run/user/{uid}"));
        if runtime.is_dir() {
            runtime.join(format!("imm-{key}"))
        } else {
            Path::new("/tmp").join(format!("imm-{uid}-{key}"))
        }
    }

    /// A short name that is a function of the home's path.
    fn name(&self) -> String {
        blake3::hash(self.root.as_os_str().as_bytes()).to_hex().chars().take(16).collect()
    }
}

/// Someone else may have made the directory first, in a place that all users can write to.
fn check_private(dir: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(dir)?;
    if !found.is_dir() || found.uid() != nix::unistd::geteuid().as_raw() || found.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} is not a private directory of this user; set IMM_HOME to another path", dir.display()),
        ));
    }
    Ok(())
}

/// Makes `path` and its missing parents, readable by this user alone.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|cause| named(path, &cause))
}

/// An IO error that says which path it is about.
pub(crate) fn named(path: &Path, cause: &io::Error) -> io::Error {
    io::Error::new(cause.kind(), format!("{}: {cause}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(&dir.path().join("a/b")).unwrap();
        assert_eq!(fs::metadata(home.root()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_short_home_keeps_its_socket() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path()).unwrap();
        assert_eq!(home.prepare_socket().unwrap(), dir.path().join("agent.sock"));
    }

    #[test]
    fn a_long_home_gets_a_short_socket_and_says_where() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(&dir.path().join("x".repeat(120))).unwrap();
        let socket = home.prepare_socket().unwrap();
        assert!(socket.as_os_str().len() <= SOCKET_PATH_LIMIT, "{}", socket.display());
        std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let said = fs::read_to_string(home.root().join("agent.sock.at")).unwrap();
        assert_eq!(Path::new(&said), socket);
        fs::remove_dir_all(socket.parent().unwrap()).unwrap();
    }
}
