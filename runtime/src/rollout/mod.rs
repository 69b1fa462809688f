//! How a pointer gets from its old targets to its new ones: a strategy becomes stages, as a pure function. Decides nothing
//! at run time and has no effects.

use imm_ir::Value;
use serde::{Deserialize, Serialize};

/// The whole, in parts per million.
pub const WHOLE: u32 = 1_000_000;

/// A strategy, as the program says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// Everything moves in the final stage and is committed.
    AllAtOnce,
    /// Everything moves in the final stage, is held for so many milliseconds, and is committed.
    BlueGreen {
        /// How long both sides are there before the commit.
        hold_ms: u64,
    },
}

/// One stage. The last one has the whole weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Weight of the new targets, parts per million.
    pub weight: u32,
    /// How long it is held, milliseconds.
    pub hold_ms: u64,
}

impl Strategy {
    /// Reads the `rollout` input of a pointer. What this version does not know is done as blue-green without a hold: never
    /// less careful than all at once.
    pub fn read(value: &Value) -> Self {
        match value {
            Value::Variant(tag, _) if &**tag == "all_at_once" => Self::AllAtOnce,
            other => {
                let hold = other.get("hold").and_then(Value::as_int).unwrap_or(0);
                Self::BlueGreen { hold_ms: u64::try_from(hold).unwrap_or(0) }
            }
        }
    }

    /// Whether this version can do what the program says.
    pub fn supported(value: &Value) -> bool {
        let gate = value.get("gate").is_some_and(|g| *g != Value::None);
        matches!(value, Value::Variant(tag, _) if matches!(&**tag, "all_at_once" | "blue_green")) && !gate
    }

    /// The name that plans print.
    pub fn word(self) -> &'static str {
        match self {
            Self::AllAtOnce => "all at once",
            Self::BlueGreen { .. } => "blue-green",
        }
    }

    /// Its stages. Without an old side there is nothing to compare or hold: all at once.
    pub fn stages(self, old_side: bool) -> Vec<Stage> {
        match self {
            Self::BlueGreen { hold_ms } if old_side => vec![Stage { weight: WHOLE, hold_ms }],
            Self::AllAtOnce | Self::BlueGreen { .. } => vec![Stage { weight: WHOLE, hold_ms: 0 }],
        }
    }
}

/// The common stages of all pointers that move together: as many as the longest has, all of them ending in the same last
/// one, each held as long as any of them wants.
pub fn common(strategies: &[Vec<Stage>]) -> Vec<u64> {
    let count = strategies.iter().map(Vec::len).max().unwrap_or(1);
    (0..count)
        .map(|k| {
            // A pointer with fewer stages joins at the end.
            let at = |stages: &Vec<Stage>| (k + stages.len()).checked_sub(count).and_then(|i| stages.get(i).copied());
            strategies.iter().filter_map(at).map(|s| s.hold_ms).max().unwrap_or(0)
        })
        .collect()
}

/// Equal shares of the whole: the first few carry what does not divide.
pub fn shares(count: usize) -> Vec<u32> {
    let n = u32::try_from(count).unwrap_or(u32::MAX).max(1);
    let (each, rest) = (WHOLE / n, WHOLE % n);
    (0..u32::try_from(count).unwrap_or(u32::MAX)).map(|i| each + u32::from(i < rest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use imm_ir::Fields;

    #[test]
    fn shares_sum_to_the_whole() {
        for n in 1..=1000 {
            let shares = shares(n);
            assert_eq!((shares.len(), shares.iter().sum::<u32>()), (n, WHOLE));
        }
        assert!(shares(0).is_empty());
    }

    #[test]
    fn stages_follow_from_the_strategy_alone() {
        let hold = Fields::from([("hold".into(), Value::Duration(5000))]);
        let blue_green = Value::Variant("blue_green".into(), hold);
        assert!(Strategy::supported(&blue_green) && Strategy::supported(&Value::tag("all_at_once")));
        assert!(!Strategy::supported(&Value::tag("canary")));
        let strategy = Strategy::read(&blue_green);
        assert_eq!(strategy.stages(true), [Stage { weight: WHOLE, hold_ms: 5000 }]);
        assert_eq!(strategy.stages(false), [Stage { weight: WHOLE, hold_ms: 0 }]);
        assert_eq!(Strategy::AllAtOnce.stages(true), [Stage { weight: WHOLE, hold_ms: 0 }]);
        assert_eq!(common(&[strategy.stages(true), strategy.stages(false)]), [5000]);
        assert_eq!(common(&[]), [0]);
    }
}
