//! Pages as Markdown.

use super::{Entry, Page};
use std::fmt::Write as _;

/// A page as Markdown; `level` is that of its title, 1 for a page of its own.
pub fn markdown(page: &Page, level: usize) -> String {
    let mut out = String::new();
    heading(&mut out, level, &page.title);
    paragraph(&mut out, &page.docs);
    for section in &page.sections {
        heading(&mut out, level + 1, section.title);
        for entry in &section.entries {
            one(&mut out, level + 2, entry);
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn one(out: &mut String, level: usize, entry: &Entry) {
    heading(out, level, &format!("`{}`", entry.name));
    // Fenced as text: a signature is no program.
    let _ = write!(out, "```text\n{}\n```\n\n", entry.signature);
    paragraph(out, &entry.docs);
    if !entry.parts.is_empty() {
        for part in &entry.parts {
            let docs = part.docs.replace('\n', " ");
            let dash = if docs.is_empty() { "" } else { ": " };
            let _ = writeln!(out, "- `{}`{dash}{docs}", part.signature);
        }
        out.push('\n');
    }
}

fn heading(out: &mut String, level: usize, text: &str) {
    let _ = write!(out, "{} {text}\n\n", "#".repeat(level.min(6)));
}

fn paragraph(out: &mut String, text: &str) {
    if !text.is_empty() {
        let _ = write!(out, "{}\n\n", text.trim_end());
    }
}
