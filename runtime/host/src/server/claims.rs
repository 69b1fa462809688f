//! Who holds what only one may hold: volumes with a single writer, and route listeners between lineages.
//!
//! The agent decides this itself, whoever asks: a second holder is refused, by the first one's name, until the first one's
//! processes are gone.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::api::{ApiError, Code};

/// A holder, by lineage and object (or pointer).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its lineage.
    pub lineage: String,
    /// Its id.
    pub object: String,
    /// Its address, for the refusal's words.
    pub address: String,
}

/// All claims of one agent.
#[derive(Debug, Default)]
pub struct Claims {
    held: Mutex<BTreeMap<String, Holder>>,
}

impl Claims {
    /// Takes all of `keys` for `holder`, or none of them.
    pub fn take(&self, keys: &[String], holder: &Holder) -> Result<(), ApiError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(other) =
                held.get(key).filter(|other| (&other.lineage, &other.object) != (&holder.lineage, &holder.object))
            {
                return Err(ApiError::no(
                    Code::Claim,
                    format!(
                        "{key} is held by {} (object {}, lineage {}); stop that one before {} can start",
                        other.address, other.object, other.lineage, holder.address
                    ),
                ));
            }
        }
        for key in keys {
            held.insert(key.clone(), holder.clone());
        }
        Ok(())
    }

    /// Gives up everything that the object holds.
    pub fn release(&self, lineage: &str, object: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, holder| holder.lineage != lineage || holder.object != object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(object: &str) -> Holder {
        Holder { lineage: "l".to_owned(), object: object.to_owned(), address: format!("web.{object}") }
    }

    #[test]
    fn the_second_holder_is_refused_by_the_firsts_name_until_it_gives_up() {
        let claims = Claims::default();
        let both = ["volume v".to_owned(), "volume w".to_owned()];
        claims.take(&both[..1], &holder("a")).unwrap();
        claims.take(&both[..1], &holder("a")).unwrap();
        let refused = claims.take(&both, &holder("b")).unwrap_err();
        assert_eq!(refused.code, Code::Claim);
        assert!(refused.message.contains("web.a"), "{refused}");
        // All or nothing: the second key was not taken.
        claims.take(&both[1..], &holder("c")).unwrap();
        claims.release("l", "c");
        claims.release("l", "a");
        claims.take(&both, &holder("b")).unwrap();
    }
}
