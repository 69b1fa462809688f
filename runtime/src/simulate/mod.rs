//! The simulation: a world that the real engine runs against in virtual time, and a judge that does not believe it.
//!
//! Read in this order: `world` (a provider whose objects, pointers, faults and log of effects are in memory), `oracle`
//! (judges that log and the durable ledger entries against the invariants of the engine reference, on its own), `traffic` (what requests meet), `shapes`
//! (programs as graphs, without a compiler), `harness` (runs the engine, kills it anywhere, recovers, judges), `rehearsal` (the same for the
//! tests that programs have), `forecast` (what a change would do, from every side), `remote`
//! (the world at the other end of a socket, for an engine that is killed as a process).

pub mod call;
pub mod effect;
pub mod fault;
pub mod forecast;
pub mod harness;
mod law;
pub mod life;
pub mod oracle;
pub mod rehearsal;
pub mod remote;
pub mod shapes;
pub mod traffic;
pub mod world;
