//! Digests and the canonical encoding they are taken over.
//!
//! The encoding is our own and not a serde format: length-prefixed, field-ordered and version-tagged, so that no change
//! of a library or of a struct's layout can change what an object *is*.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Lower-case hexadecimal, 64 characters.
    pub fn hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// The first ten characters of the base32 form (lower case, no padding): short enough for names.
    pub fn short(&self) -> String {
        let mut text = data_encoding::BASE32_NOPAD.encode(&self.0).to_ascii_lowercase();
        text.truncate(10);
        text
    }

    /// Reads the hexadecimal form.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

/// Bytes in the ledger, hexadecimal in JSON.
impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| Error::custom("not a digest in hexadecimal"))
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.hex())
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

/// Writes the canonical encoding into a hash. Every item is tagged or length-prefixed, so two different sequences of
/// calls never hash the same bytes.
#[derive(Clone, Debug)]
pub struct Encoder {
    hasher: blake3::Hasher,
    /// Not hashed yet: items are small, and hashing is fast only in one piece.
    waiting: Vec<u8>,
}

/// So many bytes are hashed at once.
const AT_ONCE: usize = 32 << 10;

impl Encoder {
    /// Starts an encoding. `domain` names what is encoded and its version, for example `imm.spec.1`.
    pub fn new(domain: &str) -> Self {
        Self::over(blake3::Hasher::new(), domain)
    }

    /// As [`new`](Self::new), under a key: without it nobody can try out what may have been encoded.
    pub fn keyed(domain: &str, key: &[u8; 32]) -> Self {
        Self::over(blake3::Hasher::new_keyed(key), domain)
    }

    fn over(hasher: blake3::Hasher, domain: &str) -> Self {
        let mut encoder = Self { hasher, waiting: Vec::with_capacity(512) };
        encoder.text(domain);
        encoder
    }

    /// One byte that says what follows.
    pub fn tag(&mut self, tag: u8) {
        self.waiting.push(tag);
    }

    /// A count or unsigned number.
    pub fn number(&mut self, n: u64) {
        self.write(&n.to_le_bytes());
    }

    /// A signed number.
    pub fn int(&mut self, n: i64) {
        self.write(&n.to_le_bytes());
    }

    /// Bytes with their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.write(bytes);
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.waiting.len() + bytes.len() > AT_ONCE {
            self.hasher.update(&self.waiting);
            self.waiting.clear();
        }
        if bytes.len() > AT_ONCE {
            self.hasher.update(bytes);
        } else {
            self.waiting.extend_from_slice(bytes);
        }
    }

    /// Text with its length.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Another digest.
    pub fn digest(&mut self, digest: &Digest) {
        self.write(&digest.0);
    }

    /// The digest of all that was written.
    pub fn finish(mut self) -> Digest {
        self.hasher.update(&self.waiting);
        Digest(*self.hasher.finalize().as_bytes())
    }
}
