//! What is there against what is recorded.

use crate::apply::Stray;
use crate::plan::Observed;
use crate::provider::Observation;
use crate::state::State;
use serde::Serialize;

/// `imm drift --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Of this document.
    pub format: u32,
    /// Every object that was looked at, by address; then those that nothing knows.
    pub objects: Vec<Drifted>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drifted {
    /// Its address; of an orphan its kind.
    pub address: String,
    /// Which one.
    pub object: String,
    /// `intact`, `changed`, `missing` or `orphan`.
    pub state: &'static str,
    /// What differs.
    pub fields: Vec<Field>,
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// As it was made.
    pub recorded: String,
    /// As it is.
    pub observed: String,
}

impl Drift {
    /// Whether everything is as it was made and nothing else is there.
    pub fn none(&self) -> bool {
        self.objects.iter().all(|o| o.state == "intact")
    }
}

/// Compares a state with what was seen of it. `orphans` have our lineage's tag and no entry.
pub fn drift(state: &State, seen: &Observed, orphans: &[Stray]) -> Drift {
    let known = seen.objects.iter().filter_map(|(id, observation)| {
        let object = state.objects.get(id)?;
        let (word, fields) = match observation {
            Observation::Intact => ("intact", Vec::new()),
            Observation::Missing => ("missing", Vec::new()),
            Observation::Changed(fields) => {
                let field = |(name, recorded, observed): &(String, String, String)| Field {
                    name: name.clone(),
                    recorded: recorded.clone(),
                    observed: observed.clone(),
                };
                ("changed", fields.iter().map(field).collect())
            }
        };
        Some(Drifted { address: object.address.to_string(), object: id.to_string(), state: word, fields })
    });
    let mut objects: Vec<Drifted> = known.collect();
    objects.sort_by(|a, b| (&a.address, &a.object).cmp(&(&b.address, &b.object)));
    objects.extend(orphans.iter().map(|stray| Drifted {
        address: stray.address.as_ref().map_or_else(|| stray.kind.to_string(), ToString::to_string),
        object: stray.object.to_string(),
        state: "orphan",
        fields: Vec::new(),
    }));
    Drift { format: 1, objects }
}
