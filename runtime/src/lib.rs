//! Graph and recorded state to a plan, and a plan to one transaction. Knows no syntax, no terminal and no platform.
//!
//! Read in this order: [`entry`] (what is recorded), [`state`] (the fold of it), [`ledger`] (the chain), [`plan`] (a set
//! difference, then an order), [`rollout`] (strategy to stages), [`apply`] (the executor), [`provider`] (everything that
//! has effects). Beside them: [`seal`] (where secrets stay).

pub mod apply;
pub mod audit;
pub mod bell;
pub mod clock;
pub mod entry;
pub mod explain;
pub mod generation;
pub mod id;
pub mod lease;
pub mod ledger;
pub mod plan;
pub mod provider;
pub mod random;
pub mod report;
pub mod rollout;
pub mod seal;
pub mod simulate;
pub mod state;
pub mod store;
