//! Graph and recorded state to a plan, and a plan to one transaction. Knows no syntax, no terminal and no platform.

pub mod id;
pub mod lease;
pub mod provider;
pub mod store;
