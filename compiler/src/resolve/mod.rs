//! Which names a program declares, and where they can be seen.
//!
//! `declare` gives every declaration an id and puts its name into the scope of its module or component; three
//! namespaces: values with import aliases, types with components, outputs. It reports names that are declared twice and
//! imports that lead nowhere. It looks at no expression: that is the checker's part. [`cycles`] orders declarations.

pub mod cycles;
mod declare;
mod imports;
pub mod providers;
mod scope;

pub use declare::declare;
pub use imports::alias;
pub use scope::{Decl, Def, Import, Program, Scope, TypeDef};
