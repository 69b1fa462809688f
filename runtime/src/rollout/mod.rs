//! How a pointer gets from its old targets to its new ones, as pure functions. Decides nothing at run time and has no effects.
//!
//! To read: [`strategy`] (what the program says), [`stages`] (the common stages of all pointers that move together),
//! [`sample`] (what requests met, mergeable), [`gate`] (judges samples; says too little when it is), [`words`] (why, in
//! the words of the program). `plan::rollout` decides who is compared with whom, `apply::stage` walks the stages.

pub mod gate;
pub mod sample;
pub mod stages;
pub mod strategy;
pub mod words;

pub use gate::{Gate, Judgement, judge};
pub use sample::{Sample, Samples};
pub use stages::{Comparison, Pointer, Share, Stage, Turn, common};
pub use strategy::Strategy;

/// The whole, in parts per million.
pub const WHOLE: u32 = 1_000_000;

/// Equal shares of a part: the first few carry what does not divide.
pub fn shares(part: u32, count: usize) -> Vec<u32> {
    let n = u32::try_from(count).unwrap_or(u32::MAX).max(1);
    let (each, rest) = (part / n, part % n);
    (0..u32::try_from(count).unwrap_or(u32::MAX)).map(|i| each + u32::from(i < rest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_sum_to_the_whole() {
        for n in 1..=1000 {
            let shares = shares(WHOLE, n);
            assert_eq!((shares.len(), shares.iter().sum::<u32>()), (n, WHOLE));
        }
        assert!(shares(WHOLE, 0).is_empty());
    }
}
