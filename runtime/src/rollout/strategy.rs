//! The `rollout` input of a pointer, read. Guarantees what the type cannot say: weights rise strictly below the whole, a
//! batch has somebody in it.

use super::WHOLE;
use super::gate::Gate;
use imm_ir::reduce::shown;
use imm_ir::{Term, Value};

/// Requests that a side must have had where the program cannot say how many.
const MIN_REQUESTS: u64 = 100;
/// How long too few requests are waited for where the program cannot say it, milliseconds.
const WAIT_MS: u64 = 300_000;

/// A strategy, as the program says it.
#[derive(Clone, Debug, PartialEq)]
pub enum Strategy {
    /// Everything moves in the final stage and is committed.
    AllAtOnce,
    /// Everything moves in the final stage, is held and judged, and is committed.
    BlueGreen {
        /// How long both sides are there before the commit, milliseconds.
        hold_ms: u64,
        /// What has to be true then.
        gate: Option<Gate>,
    },
    /// So many at a time take over from as many.
    Rolling {
        /// How many.
        batch: usize,
        /// How long each batch is held, milliseconds.
        hold_ms: u64,
        /// What has to be true after each.
        gate: Option<Gate>,
    },
    /// A part of the requests first, then more.
    Canary {
        /// The parts, rising.
        steps: Vec<Step>,
        /// What has to be true after each.
        gate: Option<Gate>,
    },
}

/// One step of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The part, parts per million.
    pub weight: u32,
    /// How long it is held, milliseconds.
    pub hold_ms: u64,
    /// A person has to say that it goes on.
    pub approve: bool,
}

impl Strategy {
    /// Reads a `rollout` input.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn read(rollout: &Term) -> Result<Self, String> {
        let Some(tag) = tag(rollout) else { return Err("it is not known at plan".to_owned()) };
        Ok(match tag {
            "all_at_once" => Self::AllAtOnce,
            "rolling" => {
                let batch = field(rollout, "batch").and_then(|b| b.known()?.as_int()).unwrap_or(1);
                let batch = usize::try_from(batch).ok().filter(|b| *b > 0);
                let batch = batch.ok_or("`batch` is at least 1")?;
                Self::Rolling { batch, hold_ms: millis(rollout, "hold"), gate: gate(rollout) }
            }
            "canary" => Self::Canary { steps: steps(rollout)?, gate: gate(rollout) },
            _blue_green => Self::BlueGreen { hold_ms: millis(rollout, "hold"), gate: gate(rollout) },
        })
    }

    /// What it asks of the samples.
    pub fn gate(&self) -> Option<&Gate> {
        match self {
            Self::AllAtOnce => None,
            Self::BlueGreen { gate, .. } | Self::Rolling { gate, .. } | Self::Canary { gate, .. } => gate.as_ref(),
        }
    }

    /// The name that plans print.
    pub fn word(&self) -> &'static str {
        match self {
            Self::AllAtOnce => "all at once",
            Self::BlueGreen { .. } => "blue-green",
            Self::Rolling { .. } => "rolling",
            Self::Canary { .. } => "canary",
        }
    }
}

/// As plans print it: `canary 10% for 5s, 50% until approved`.
impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = |ms: u64| {
            let ms = i64::try_from(ms).unwrap_or(i64::MAX);
            if ms > 0 { format!(" for {}", shown(&Value::Duration(ms))) } else { String::new() }
        };
        f.write_str(self.word())?;
        match self {
            Self::AllAtOnce => Ok(()),
            Self::BlueGreen { hold_ms, .. } => f.write_str(&held(*hold_ms)),
            Self::Rolling { batch, hold_ms, .. } => write!(f, " {batch} at a time{}", held(*hold_ms)),
            Self::Canary { steps, .. } => {
                let step = |step: &Step| {
                    let approve = if step.approve { ", then until promoted" } else { "" };
                    format!(" {}{}{approve}", shown(&Value::Ratio(step.weight.into())), held(step.hold_ms))
                };
                f.write_str(&steps.iter().map(step).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// What of an input is delivered to a provider: all but the gate of a rollout, which only the engine reads.
pub fn delivered(name: &str, input: &Term) -> Term {
    let mut rollout = input.clone();
    if name != "rollout" {
        return rollout;
    }
    match &mut rollout {
        Term::Variant(_, fields) => _ = fields.remove("gate"),
        Term::Value(Value::Variant(_, fields)) => _ = fields.remove("gate"),
        _other => {}
    }
    match rollout {
        Term::Variant(tag, fields) => Term::variant(tag, fields),
        other => other,
    }
}

fn steps(rollout: &Term) -> Result<Vec<Step>, String> {
    let said = field(rollout, "steps");
    let Some(Value::List(said)) = said.as_ref().and_then(Term::known) else {
        return Err("its `steps` are not known at plan".to_owned());
    };
    let mut steps: Vec<Step> = Vec::with_capacity(said.len());
    for step in said {
        let number = |name: &str| step.get(name).and_then(Value::as_int).and_then(|n| u64::try_from(n).ok());
        let weight = number("weight").and_then(|w| u32::try_from(w).ok()).filter(|w| (1..WHOLE).contains(w));
        let weight = weight.ok_or("the weight of a step is above 0 % and below 100 %, which follows by itself")?;
        if steps.last().is_some_and(|before| before.weight >= weight) {
            return Err("the weights of its steps must rise".to_owned());
        }
        let approve = step.get("approve").and_then(Value::as_bool).unwrap_or(false);
        steps.push(Step { weight, hold_ms: number("hold").unwrap_or(0), approve });
    }
    Ok(steps)
}

fn gate(rollout: &Term) -> Option<Gate> {
    let condition = field(rollout, "gate").filter(|gate| matches!(gate, Term::Lambda { .. }))?;
    let number = |name: &str| field(rollout, name).and_then(|n| u64::try_from(n.known()?.as_int()?).ok());
    Some(Gate {
        condition,
        min_requests: number("min_requests").unwrap_or(MIN_REQUESTS),
        wait_ms: number("wait").unwrap_or(WAIT_MS),
    })
}

fn tag(rollout: &Term) -> Option<&str> {
    match rollout {
        Term::Variant(tag, _) | Term::Value(Value::Variant(tag, _)) => Some(tag),
        _other => None,
    }
}

fn field(rollout: &Term, name: &str) -> Option<Term> {
    match rollout {
        Term::Variant(_, fields) => fields.get(name).cloned(),
        Term::Value(Value::Variant(_, fields)) => fields.get(name).cloned().map(Term::Value),
        _other => None,
    }
}

fn millis(rollout: &Term, name: &str) -> u64 {
    field(rollout, name).and_then(|n| u64::try_from(n.known()?.as_int()?).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use imm_ir::Fields;
    use std::sync::Arc;

    fn step(percent: i64) -> Value {
        Value::Record(Fields::from([
            (Arc::from("weight"), Value::Ratio(percent * 10_000)),
            (Arc::from("hold"), Value::Duration(5000)),
        ]))
    }

    fn canary(steps: Vec<Value>) -> Term {
        let gate = Term::Lambda { first: 0, arity: 2, body: Arc::new(Term::Value(Value::Bool(true))) };
        Term::Variant(
            Arc::from("canary"),
            Fields::from([
                (Arc::from("steps"), Term::Value(Value::List(steps))),
                (Arc::from("gate"), gate),
                (Arc::from("min_requests"), Term::Value(Value::Int(7))),
            ]),
        )
    }

    #[test]
    fn a_canary_is_read_and_its_gate_stays_here() {
        let read = Strategy::read(&canary(vec![step(10), step(50)])).unwrap();
        let Strategy::Canary { steps, gate: Some(gate) } = &read else { panic!("{read:?}") };
        assert_eq!(steps.iter().map(|s| (s.weight, s.hold_ms)).collect::<Vec<_>>(), [(100_000, 5000), (500_000, 5000)]);
        assert_eq!((gate.min_requests, gate.wait_ms), (7, WAIT_MS));
        let delivered = delivered("rollout", &canary(vec![step(10)]));
        assert!(
            matches!(delivered.known(), Some(Value::Variant(tag, f)) if &**tag == "canary" && !f.contains_key("gate"))
        );
    }

    #[test]
    fn weights_rise_and_a_batch_has_somebody_in_it() {
        for wrong in [vec![step(50), step(50)], vec![step(100)], vec![step(0)]] {
            assert!(Strategy::read(&canary(wrong)).is_err());
        }
        let rolling = |batch| {
            Term::Value(Value::Variant(Arc::from("rolling"), Fields::from([(Arc::from("batch"), Value::Int(batch))])))
        };
        assert!(Strategy::read(&rolling(0)).is_err());
        assert_eq!(Strategy::read(&rolling(2)), Ok(Strategy::Rolling { batch: 2, hold_ms: 0, gate: None }));
    }
}
