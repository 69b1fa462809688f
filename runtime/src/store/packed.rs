//! Blobs as they are stored: compressed where that saves something. Their names are those of what they hold, so the name
//! tells how one is stored: bytes that have it are the blob, others hold it.

use flate2::Compression;
use flate2::read::{DeflateDecoder, DeflateEncoder};
use imm_ir::Digest;
use std::io::Read as _;

/// Shorter ones stay as they are: their overhead is elsewhere.
const LEAST: usize = 512;

/// No blob is larger than this; what claims to be is damaged.
const MOST: u64 = 4 << 30;

/// Compresses bytes, if that makes them an eighth smaller.
pub fn close(bytes: &mut Vec<u8>) {
    if bytes.len() < LEAST {
        return;
    }
    let mut packed = Vec::with_capacity(bytes.len() / 2);
    let done = DeflateEncoder::new(bytes.as_slice(), Compression::fast()).read_to_end(&mut packed);
    if done.is_ok() && packed.len() < bytes.len() / 8 * 7 {
        *bytes = packed;
    }
}

/// The blob with this name; `None`: what is stored is not that.
pub fn open(name: &Digest, stored: Vec<u8>) -> Option<Vec<u8>> {
    if Digest::of(&stored) == *name {
        return Some(stored);
    }
    let mut bytes = Vec::with_capacity(stored.len() * 4);
    DeflateDecoder::new(stored.as_slice()).take(MOST).read_to_end(&mut bytes).ok()?;
    (Digest::of(&bytes) == *name).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_read_back_or_its_change_is_found() {
        let long = b"the same words again and again; ".repeat(100);
        for bytes in
            [Vec::new(), b"short".to_vec(), long.clone(), (0..=255).cycle().take(700).map(|b: u8| b ^ 90).collect()]
        {
            let (name, mut stored) = (Digest::of(&bytes), bytes.clone());
            close(&mut stored);
            assert!(stored.len() <= bytes.len());
            assert_eq!(open(&name, stored.clone()), Some(bytes.clone()));
            for at in 0..stored.len() {
                let mut damaged = stored.clone();
                damaged[at] ^= 1;
                // A bit that fills the last byte up means nothing; any other is found.
                let read = open(&name, damaged);
                assert!(read.is_none() || read.as_ref() == Some(&bytes), "byte {at}");
            }
        }
        let mut stored = long.clone();
        close(&mut stored);
        assert!(stored.len() * 10 < long.len());
    }
}
