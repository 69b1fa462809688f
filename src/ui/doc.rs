//! Documentation as a terminal shows it.

use super::Style;
use imm_compiler::doc::{Entry, Page};
use std::fmt::Write as _;

/// A page: headings stand out, signatures are coloured, what is said of them is indented.
pub fn render(page: &Page, style: Style) -> String {
    let mut out = format!("{}\n", style.paint("1", &page.title));
    said(&mut out, &page.docs, 0);
    for section in &page.sections {
        let _ = write!(out, "\n{}\n", style.paint("1;4", section.title));
        for entry in &section.entries {
            one(&mut out, entry, 2, style);
        }
    }
    out.push('\n');
    out
}

fn one(out: &mut String, entry: &Entry, indent: usize, style: Style) {
    for line in entry.signature.lines() {
        let _ = writeln!(out, "{:indent$}{}", "", style.paint("36", line));
    }
    said(out, &entry.docs, indent + 4);
    for part in &entry.parts {
        one(out, part, indent + 4, style);
    }
}

fn said(out: &mut String, text: &str, indent: usize) {
    for line in text.lines() {
        if line.is_empty() {
            out.push('\n');
        } else {
            let _ = writeln!(out, "{:indent$}{line}", "");
        }
    }
}
