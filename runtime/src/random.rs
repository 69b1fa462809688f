//! Seeded randomness: ids of applies and jitter. The same seed gives the same sequence on every machine. Not for secrets.

use std::io::Read;

/// A source of numbers that is a function of its seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Starts the sequence of a seed.
    pub fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Starts a sequence nobody can foretell.
    ///
    /// # Errors
    /// The system has no random source.
    pub fn from_system() -> std::io::Result<Self> {
        let mut bytes = [0; 8];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self { state: u64::from_le_bytes(bytes) })
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number().checked_rem(bound).unwrap_or(0)
    }

    /// Sixteen bytes: an id.
    pub fn id(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let (a, b) = bytes.split_at_mut(8);
        a.copy_from_slice(&self.number().to_le_bytes());
        b.copy_from_slice(&self.number().to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_sequence() {
        let (mut a, mut b, mut c) = (Random::seeded(7), Random::seeded(7), Random::seeded(8));
        let first: Vec<u64> = (0..100).map(|_| a.number()).collect();
        assert_eq!(first, (0..100).map(|_| b.number()).collect::<Vec<_>>());
        assert_ne!(first, (0..100).map(|_| c.number()).collect::<Vec<_>>());
        assert_ne!(a.id(), a.id());
        assert_eq!(a.below(0), 0);
        assert!((0..100).all(|_| a.below(3) < 3));
    }
}
