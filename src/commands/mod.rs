//! One command a file. A command wires the compiler, the engine and the platform together and shows what they say; it
//! holds no logic of theirs.

pub mod adopt;
pub mod agent;
pub mod apply;
pub mod audit;
pub mod check;
pub mod completions;
pub mod destroy;
pub mod diff;
pub mod doc;
pub mod drift;
pub mod explain;
pub mod fmt;
pub mod forget;
pub mod gate;
pub mod gc;
pub mod graph;
pub mod heal;
pub mod history;
pub mod image;
pub mod key;
pub mod lineage;
pub mod logs;
pub mod metrics;
pub mod new;
pub mod plan;
pub mod recover;
pub mod rollback;
pub mod rollout;
pub mod serve;
pub mod show;
pub mod simulate;
pub mod status;
pub mod test;
pub mod volume;
pub mod why;
