//! A graph as a picture: as text for other tools (`text`), or drawn (`place` finds the places, `svg` writes them down).

mod place;
mod svg;
mod text;
mod wrap;

pub use svg::svg;
pub use text::{dot, mermaid};

/// The short name of what is inside of a group: `instance["0"]` of `web`.
fn inner<'a>(address: &'a str, group: Option<&str>) -> &'a str {
    group.and_then(|g| address.strip_prefix(g)).map_or(address, |rest| rest.trim_start_matches('.'))
}
