//! The engine against the simulated world: exhaustive crashes, seeded chaos, and the oracle's own trustworthiness.

mod chaos;
mod crashes;
mod judge;
mod stage;
