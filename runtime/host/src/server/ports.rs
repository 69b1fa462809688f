//! Ports that the agent reserves for containers: one per object, for the object's whole life, over all lineages.
//!
//! The range lies below the one that the kernel hands to outgoing connections, so a reserved port stays free between two runs.
//! A reservation is part of the object's record; this book only knows which are taken.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use crate::api::{ApiError, Code};

const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// The address at which containers are reached.
pub const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Ports that are taken.
#[derive(Debug, Default)]
pub struct Ports {
    /// Where this agent begins to look depends on it.
    seed: Vec<u8>,
    taken: Mutex<BTreeSet<u16>>,
}

impl Ports {
    /// An agent's book. Agents with other seeds begin elsewhere, since none of them can see what another one has reserved and not
    /// bound yet.
    pub fn new(seed: &[u8]) -> Self {
        Self { seed: seed.to_owned(), taken: Mutex::default() }
    }

    /// A free port for the object. Begins to look at a place that its id and the agent's seed give.
    pub fn reserve(&self, object: &str) -> Result<u16, ApiError> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut place = blake3::Hasher::new();
        place.update(&self.seed).update(object.as_bytes());
        let start = place.finalize().as_bytes().iter().take(2).fold(0u16, |sum, byte| (sum << 8) | u16::from(*byte));
        for step in 0..COUNT {
            let port = FIRST + (start % COUNT + step) % COUNT;
            // Someone outside may have it: only a bind can tell.
            if !taken.contains(&port) && TcpListener::bind((HOST, port)).is_ok() {
                taken.insert(port);
                return Ok(port);
            }
        }
        Err(ApiError::no(
            Code::Unavailable,
            format!("no free port between {FIRST} and {} on this machine", FIRST + COUNT - 1),
        ))
    }

    /// Marks a port as taken that a record on disk says.
    pub fn mark(&self, port: u16) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
    }

    /// Gives a port back.
    pub fn free(&self, port: u16) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_gets_its_own() {
        let ports = Ports::default();
        let one = ports.reserve("a").unwrap();
        let two = ports.reserve("a").unwrap();
        assert_ne!(one, two);
        ports.free(one);
        assert_eq!(ports.reserve("a").unwrap(), one);
    }

    #[test]
    fn a_port_in_use_by_others_is_passed_over() {
        let ports = Ports::default();
        let one = ports.reserve("b").unwrap();
        ports.free(one);
        let _held = TcpListener::bind((HOST, one)).unwrap();
        assert_ne!(ports.reserve("b").unwrap(), one);
    }
}
