//! The engine against the simulated world: exhaustive crashes, seeded chaos, and the oracle's own trustworthiness.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod active;
mod adopt;
mod chaos;
mod consents;
mod coverage;
mod crashes;
mod faults;
mod judge;
mod late;
mod places;
mod quiet;
mod rollouts;
mod shapes;
mod stage;
