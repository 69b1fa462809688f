//! What people and programs see. The only folder that prints.
//!
//! Data goes to stdout, progress and diagnostics to stderr. Each file renders one kind of thing to a `String`; `out` and
//! `err` below put it where it belongs.

pub mod diagnostics;
pub mod doc;
pub mod events;
mod fold;
pub mod forecast;
pub mod generation;
pub mod graph;
pub mod html;
pub mod plan;
pub mod report;
pub mod rollout;
pub mod screen;
mod table;
pub mod test;
pub mod volume;
pub mod why;

pub use table::columns;

use crate::failure::Failure;
use std::io::{IsTerminal, Write};

/// Prints data. A closed pipe ends the output, not the command.
pub fn out(text: &str) {
    drop(data(text));
}

/// Prints data for a command that has nothing else to do: where nobody reads it, that ends, too.
///
/// # Errors
/// Nobody reads it.
pub fn data(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}

/// Prints data for people: on a terminal its long lines are broken between words.
pub fn tell(text: &str) {
    match fold::width(std::io::stdout()) {
        Some(width) => out(&fold::fold(text, width, HANG)),
        None => out(text),
    }
}

/// Prints progress and what went wrong, for people.
pub fn err(text: &str) {
    match fold::width(std::io::stderr()) {
        Some(width) => err_as_it_is(&fold::fold(text, width, HANG)),
        None => err_as_it_is(text),
    }
}

/// Prints what has its lines where they belong.
pub fn err_as_it_is(text: &str) {
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
}

/// What is left of a broken line is set in so far.
const HANG: usize = 4;

/// A number of bytes as people say it: three digits and a unit.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = (count.max(1).ilog2() / 10).min(4);
    let unit = UNITS.get(power as usize).copied().unwrap_or("B");
    if power == 0 {
        return format!("{count} B");
    }
    let value = count as f64 / f64::from(1u32 << 10).powi(i32::try_from(power).unwrap_or(0));
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// The beginning of an id: enough to name it on the command line.
pub fn brief(id: &str) -> String {
    id.chars().take(10).collect()
}

/// Prints a document as one line of JSON.
pub fn json(document: &impl serde::Serialize) {
    let text = serde_json::to_string(document).unwrap_or_else(|e| format!("{{\"error\":{:?}}}", e.to_string()));
    out(&format!("{text}\n"));
}

/// Says why a command failed.
pub fn failure(failure: &Failure, style: Style) {
    if failure.message.is_empty() {
        return;
    }
    err(&format!("{}: {}\n", style.paint("1;31", "error"), failure.message));
    if let Some(help) = &failure.help {
        err(&format!("{}: {help}\n", style.paint("1;36", "help")));
    }
}

/// The same as a line of JSON, like a diagnostic's without a place.
pub fn failure_json(failure: &Failure) {
    if failure.message.is_empty() {
        return;
    }
    let helps: Vec<&String> = failure.help.iter().collect();
    let exit = failure.exit as u8;
    let line = serde_json::json!({ "code": null, "severity": "error", "message": failure.message, "helps": helps, "exit": exit });
    err_as_it_is(&format!("{line}\n"));
}

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Escape sequences may be written.
    pub color: bool,
}

impl Style {
    /// What the user asked for; by default colour on a terminal, unless `NO_COLOR` is set.
    pub fn choose(asked: crate::cli::Color) -> Self {
        let color = match asked {
            crate::cli::Color::Always => true,
            crate::cli::Color::Never => false,
            crate::cli::Color::Auto => {
                std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            }
        };
        Self { color }
    }

    /// Text in an SGR style.
    pub fn paint(self, sgr: &str, text: &str) -> String {
        if self.color { format!("\x1b[{sgr}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
