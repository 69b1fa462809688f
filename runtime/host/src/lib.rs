//! The embedded platform of one machine: agent, containers, routes, volumes.
