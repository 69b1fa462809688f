//! What the checker knows about `Type`s: which fits where (`fits`), the smallest type of two (`join`), and the two
//! marks that travel through expressions, `~` and `Secret` ([`Taint`]). Pure functions, no diagnostics.

mod fits;
mod size;
mod taint;

pub use fits::{Misfit, fits, join};
pub use size::{MOST, is_broken, is_too_large};
pub use taint::{Taint, core_of, peel, scan, strip_all, strip_late, unrefined};
