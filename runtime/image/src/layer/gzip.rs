//! A gzip stream compressed by two threads, whose bytes do not depend on threads: the input is cut into blocks of one fixed
//! size, each compressed by itself and flushed to a byte boundary, all in one deflate stream.
//!
//! It hashes what goes in and what comes out on the way.

use std::io::{self, Write};
use std::thread;

use flate2::{Compress, Compression, Crc, FlushCompress};
use sha2::{Digest, Sha256};

use super::Packed;
use crate::ContentDigest;

/// The block size. Part of the bytes' definition, like the level: see `recipe::FORMAT`.
const BLOCK: usize = 512 * 1024;
const LEVEL: u32 = 1;
/// How many blocks are compressed at once; does not change the bytes.
const THREADS: usize = 2;
/// No name, no time, unknown operating system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

pub(crate) struct Gzip<W> {
    out: Counted<W>,
    input: Vec<u8>,
    diff: Sha256,
    crc: Crc,
    started: bool,
}

impl<W: Write> Gzip<W> {
    pub(crate) fn new(out: W) -> Self {
        let out = Counted { out, hash: Sha256::new(), size: 0 };
        let input = Vec::with_capacity(BLOCK * THREADS);
        Self { out, input, diff: Sha256::new(), crc: Crc::new(), started: false }
    }

    /// Ends the stream and tells its digests.
    pub(crate) fn finish(mut self) -> io::Result<Packed> {
        self.compress(FlushCompress::Finish)?;
        self.out.put(&self.crc.sum().to_le_bytes())?;
        self.out.put(&self.crc.amount().to_le_bytes())?;
        self.out.out.flush()?;
        Ok(Packed {
            digest: ContentDigest::from_bytes(self.out.hash.finalize().into()),
            size: self.out.size,
            diff_id: ContentDigest::from_bytes(self.diff.finalize().into()),
        })
    }

    /// Compresses what has gathered; `last` is how the last block ends.
    fn compress(&mut self, last: FlushCompress) -> io::Result<()> {
        if !self.started {
            self.started = true;
            self.out.put(&HEADER)?;
        }
        let mut blocks: Vec<&[u8]> = self.input.chunks(BLOCK).collect();
        if blocks.is_empty() {
            blocks.push(&[]);
        }
        let count = blocks.len();
        let (crc, diff, input) = (&mut self.crc, &mut self.diff, &self.input);
        let compressed: Vec<io::Result<Vec<u8>>> = thread::scope(|scope| {
            let flush = |index| if index + 1 == count { last } else { FlushCompress::Sync };
            let running: Vec<_> = blocks
                .iter()
                .enumerate()
                .map(|(index, block)| scope.spawn(move || deflate(block, flush(index))))
                .collect();
            crc.update(input);
            diff.update(input);
            let died = || Err(io::Error::other("the compressor stopped"));
            running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| died())).collect()
        });
        for block in compressed {
            self.out.put(&block?)?;
        }
        self.input.clear();
        Ok(())
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Only when more comes is a full buffer compressed: the very last block must be ended in another way.
        if self.input.len() == BLOCK * THREADS {
            self.compress(FlushCompress::Sync)?;
        }
        let taken = bytes.len().min(BLOCK * THREADS - self.input.len());
        self.input.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One block as raw deflate, ending at a byte boundary.
fn deflate(block: &[u8], flush: FlushCompress) -> io::Result<Vec<u8>> {
    let mut compress = Compress::new(Compression::new(LEVEL), false);
    // Room for the worst case, so that one call does it: a second one could add an empty block.
    let mut out = Vec::with_capacity(block.len() + block.len() / 8 + 4096);
    compress.compress_vec(block, &mut out, flush).map_err(io::Error::other)?;
    if compress.total_in() != block.len() as u64 || out.len() == out.capacity() {
        return Err(io::Error::other("a block did not fit its worst case"));
    }
    Ok(out)
}

struct Counted<W> {
    out: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Counted<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn squeeze(input: &[u8], step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut gzip = Gzip::new(&mut out);
        input.chunks(step).for_each(|part| gzip.write_all(part).unwrap());
        let packed = gzip.finish().unwrap();
        assert_eq!(packed.size, out.len() as u64);
        out
    }

    #[test]
    fn any_length_round_trips_whatever_the_writes() {
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(BLOCK * 3 + 17)
        .collect();
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK * 2, BLOCK * 2 + 1, BLOCK * 3 + 17] {
            let input = &noise[..length];
            let out = squeeze(input, 1 << 20);
            assert_eq!(out, squeeze(input, 7919), "the size of writes changed the bytes of {length}");
            // A plain decoder of single streams: others' tools must be able to read it.
            let mut back = Vec::new();
            flate2::read::GzDecoder::new(&out[..]).read_to_end(&mut back).unwrap();
            assert!(back == input, "{length}");
        }
    }
}
