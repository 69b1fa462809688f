//! A reader that hashes what passes through it, so that bytes are hashed while they are read and never twice. What was not
//! read is not hashed: who wants the digest of all of it reads to the end.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

pub(crate) struct Hashing<R> {
    pub(crate) inner: R,
    pub(crate) hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}
