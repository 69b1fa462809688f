//! The embedded platform of one machine: agent, containers, routes, volumes.
//!
//! Read `api` for what the agent is asked, `server` for what it does, `client` for how it is reached, `provider` for how the
//! engine uses it. No code here knows the language or a terminal.

pub mod api;
pub mod client;
mod dev_ca;
mod disk;
pub mod doctor;
mod home;
mod judge;
mod percent;
mod probe;
mod provider;
mod seal;
mod server;
mod site;
mod slots;

pub use dev_ca::DevCa;
pub use home::Home;
pub use provider::{HostProvider, copied_to};

/// The agent's process.
pub mod agent {
    pub use crate::server::{AgentError, Options, run, verify_journal};
}
