//! What goes into an image, and its identity.
//!
//! A recipe is plain, serialisable data: paths to contents and the fields of the image's configuration. Its digest covers
//! everything that decides the image's bytes and nothing else: not where a file was read, not the order of insertion, not
//! the user. It reads no file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::hex32;
use crate::elf::Closure;
use crate::{ContentDigest, ImageError, RecipeDigest, Result};

mod path;

pub use path::check_path;

/// Rises when the same recipe would give other bytes: part of every digest.
pub(crate) const FORMAT: u32 = 1;

/// Whether a file may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// 0644.
    Plain,
    /// 0755.
    Executable,
}

impl Mode {
    /// The permission bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Plain => 0o644,
            Self::Executable => 0o755,
        }
    }
}

/// The content of one file of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// Bytes that the recipe carries itself.
    Bytes {
        /// The content.
        #[serde(with = "base64")]
        bytes: Arc<[u8]>,
        /// Its mode.
        mode: Mode,
    },
    /// A file of this machine: read when the image is built, and then it must still be what the digest says.
    Host {
        /// Where it is read from. Not part of the image's identity.
        source: PathBuf,
        /// The blake3 of its content.
        #[serde(with = "hex32")]
        digest: [u8; 32],
        /// Its size in bytes.
        size: u64,
        /// Its mode in the image, whatever it is on this machine.
        mode: Mode,
    },
}

impl Entry {
    /// A file of mode 0644 with these bytes.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Bytes { bytes: bytes.into(), mode: Mode::Plain }
    }

    /// The size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes { bytes, .. } => bytes.len() as u64,
            Self::Host { size, .. } => *size,
        }
    }

    /// The mode in the image.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match self {
            Self::Bytes { mode, .. } | Self::Host { mode, .. } => *mode,
        }
    }

    /// The blake3 of the content.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        match self {
            Self::Bytes { bytes, .. } => *blake3::hash(bytes).as_bytes(),
            Self::Host { digest, .. } => *digest,
        }
    }

    fn origin(&self) -> String {
        match self {
            Self::Bytes { bytes, .. } => format!("{} bytes written in the program", bytes.len()),
            Self::Host { source, .. } => source.display().to_string(),
        }
    }
}

/// What an image stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// Nothing.
    #[default]
    Scratch,
    /// Another image of the same store: its layers come first, its environment and labels are inherited where the recipe
    /// sets no other value, its command where the recipe has none, its folder where the recipe says `/`, its ports are added.
    Node {
        /// That image's manifest.
        manifest: ContentDigest,
    },
}

/// Everything that decides the bytes of an image. Files are cut into layers by how often they change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// What it stands on.
    pub base: Base,
    /// Interpreters and libraries, by absolute path in the image: change with the machine.
    pub dependencies: BTreeMap<String, Entry>,
    /// Programs, by absolute path in the image: change with a build.
    pub programs: BTreeMap<String, Entry>,
    /// All other files, by absolute path in the image: change with an edit.
    pub files: BTreeMap<String, Entry>,
    /// The command and its arguments; may be empty.
    pub cmd: Vec<String>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The user, by number (`65532`, `65532:65532`) or by a name of the image.
    pub user: String,
    /// The folder in which the command starts.
    pub workdir: String,
    /// Labels of the configuration.
    pub labels: BTreeMap<String, String>,
    /// TCP ports that the command listens on.
    pub ports: BTreeSet<u16>,
    /// The time of all files and of the image, in seconds since 1970-01-01 UTC.
    pub clock: u64,
    /// The processor as OCI names it: `amd64`, `arm64`, ….
    pub architecture: String,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            base: Base::Scratch,
            dependencies: BTreeMap::new(),
            programs: BTreeMap::new(),
            files: BTreeMap::new(),
            cmd: Vec::new(),
            env: BTreeMap::new(),
            user: "65532".to_owned(),
            workdir: "/".to_owned(),
            labels: BTreeMap::new(),
            ports: BTreeSet::new(),
            clock: 0,
            architecture: host_architecture().to_owned(),
        }
    }
}

impl Recipe {
    /// Adds a file. Equal content at one path merges; different content is an error.
    pub fn add_file(&mut self, path: &str, entry: Entry) -> Result<()> {
        self.add(Tier::Files, path, entry)
    }

    /// Adds a program at `path`, and its interpreter and libraries at the places where its loader looks for them.
    pub fn add_executable(&mut self, path: &str, closure: &Closure) -> Result<()> {
        let architecture = closure.architecture();
        if architecture != self.architecture {
            return Err(ImageError::Field {
                field: "architecture",
                reason: format!(
                    "{} is for {architecture}, the image is for {}",
                    closure.program.source.display(),
                    self.architecture
                ),
            });
        }
        self.add(Tier::Programs, path, closure.program.entry())?;
        for (place, entry) in closure.dependencies_at(path) {
            self.add(Tier::Dependencies, &place, entry)?;
        }
        Ok(())
    }

    fn add(&mut self, tier: Tier, path: &str, entry: Entry) -> Result<()> {
        check_path(path)?;
        if let Some(there) = self.get(path) {
            if there.digest() == entry.digest() && there.size() == entry.size() && there.mode() == entry.mode() {
                return Ok(());
            }
            return Err(ImageError::Duplicate { path: path.to_owned(), first: there.origin(), second: entry.origin() });
        }
        match tier {
            Tier::Dependencies => &mut self.dependencies,
            Tier::Programs => &mut self.programs,
            Tier::Files => &mut self.files,
        }
        .insert(path.to_owned(), entry);
        Ok(())
    }

    fn get(&self, path: &str) -> Option<&Entry> {
        self.dependencies.get(path).or_else(|| self.programs.get(path)).or_else(|| self.files.get(path))
    }

    /// The identity of the image: known before it is built, the same on every machine.
    #[must_use]
    pub fn digest(&self) -> RecipeDigest {
        let mut hash = Canonical::new("imm image");
        match self.base {
            Base::Scratch => hash.text("scratch"),
            Base::Node { manifest } => {
                hash.text("node");
                hash.text(&manifest.to_string());
            }
        }
        for tier in [&self.dependencies, &self.programs, &self.files] {
            hash.entries(tier);
        }
        hash.count(self.cmd.len());
        self.cmd.iter().for_each(|word| hash.text(word));
        for map in [&self.env, &self.labels] {
            hash.count(map.len());
            for (key, value) in map {
                hash.text(key);
                hash.text(value);
            }
        }
        hash.text(&self.user);
        hash.text(&self.workdir);
        hash.count(self.ports.len());
        self.ports.iter().for_each(|port| hash.number(u64::from(*port)));
        hash.number(self.clock);
        hash.text(&self.architecture);
        hash.finish()
    }

    /// Says whether this can be an image at all; [`crate::Store::build`] asks the same.
    pub fn check(&self) -> Result<()> {
        path::check_tree(&[&self.dependencies, &self.programs, &self.files])?;
        let wrong = |field, reason: &str| Err(ImageError::Field { field, reason: reason.to_owned() });
        if !self.workdir.starts_with('/') {
            return wrong("workdir", "it must be an absolute path, such as `/srv`");
        }
        if self.user.is_empty() {
            return wrong("user", "it is empty; write a number such as `65532`");
        }
        if let Some(key) = self.env.keys().find(|key| key.is_empty() || key.contains(['=', '\0'])) {
            return wrong("env", &format!("`{key}` cannot be a variable's name"));
        }
        if self.env.values().chain(&self.cmd).any(|text| text.contains('\0')) {
            return wrong("cmd or env", "a text holds a zero byte");
        }
        if self.clock > LAST_SECOND {
            return wrong("clock", "it is after the year 9999");
        }
        Ok(())
    }
}

/// 9999-12-31T23:59:59Z: the last time that RFC 3339 can write.
const LAST_SECOND: u64 = 253_402_300_799;

#[derive(Clone, Copy)]
enum Tier {
    Dependencies,
    Programs,
    Files,
}

/// This machine's processor as OCI names it.
pub(crate) fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

/// Hashes fields so that no two different recipes give the same stream: every text carries its length.
pub(crate) struct Canonical(blake3::Hasher);

impl Canonical {
    pub(crate) fn new(domain: &str) -> Self {
        let mut hash = Self(blake3::Hasher::new());
        hash.text(domain);
        hash.number(u64::from(FORMAT));
        hash
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    pub(crate) fn entries(&mut self, entries: &BTreeMap<String, Entry>) {
        self.count(entries.len());
        for (path, entry) in entries {
            self.text(path);
            self.0.update(&entry.digest());
            self.number(entry.size());
            self.number(u64::from(entry.mode().bits()));
        }
    }

    pub(crate) fn finish(&self) -> RecipeDigest {
        RecipeDigest::from_bytes(*self.0.finalize().as_bytes())
    }
}

mod base64 {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &Arc<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::BASE64.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[u8]>, D::Error> {
        let text = String::deserialize(deserializer)?;
        data_encoding::BASE64.decode(text.as_bytes()).map(Arc::from).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
