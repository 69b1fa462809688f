//! What holds data, for people: a line each, and one of them in full.

use super::Style;
use super::table::columns;
use imm_runtime::report::durables::{Durable, Durables};

/// A line for each.
pub fn list(durables: &Durables, style: Style) -> String {
    if durables.volumes.is_empty() {
        return "Nothing holds data.\n".to_owned();
    }
    let mut rows = Vec::new();
    for d in &durables.volumes {
        let sign = if d.retained.is_some() { style.paint("2", "○") } else { style.paint("32", "●") };
        let place = d.path.clone().unwrap_or_default();
        let (held, short) = (held(d), super::brief(&d.object));
        rows.push(vec![sign, d.address.clone(), d.kind.clone(), d.state.to_owned(), held, short, used_by(d), place]);
    }
    columns(0, &rows)
}

/// Each in full.
pub fn show(durables: &Durables) -> String {
    let one = |d: &Durable| {
        let mut rows = Vec::new();
        let mut tell = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
        tell("address", d.address.clone());
        tell("object", d.object.clone());
        tell("kind", d.kind.clone());
        tell("state", d.state.to_owned());
        tell("holds", held(d));
        tell("use", used_by(d));
        if let Some(generation) = d.since_generation {
            tell("since", format!("generation {generation}"));
        }
        if let Some(path) = &d.path {
            tell("path", path.clone());
        }
        for copy in &d.copies {
            let how = if copy.consistent { "nobody wrote meanwhile" } else { "taken while somebody may have written" };
            tell("copy", format!("{}, {how}: {}", copy.at, copy.path));
        }
        columns(0, &rows)
    };
    durables.volumes.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// How much there is of what was asked for; it is not enforced, so it may be more.
fn held(d: &Durable) -> String {
    match (d.used_bytes, &d.size) {
        (Some(used), Some(size)) => {
            let over = if d.over { ": more than it was made for" } else { "" };
            format!("{} of {size}{over}", super::bytes(used))
        }
        (Some(used), None) => super::bytes(used),
        (None, size) => size.clone().unwrap_or_default(),
    }
}

fn used_by(d: &Durable) -> String {
    match (&d.retained, d.used_by.as_slice()) {
        (Some(r), _) => format!("{}, since {}", r.reason, r.since),
        (None, []) => "used by nothing".to_owned(),
        (None, users) => format!("used by {}", users.join(", ")),
    }
}
