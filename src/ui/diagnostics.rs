//! Diagnostics for people (ariadne) and for programs (one JSON object a line). The only place that names ariadne.

use ariadne::{Color, Config, IndexType, Label, Report, ReportKind};
use imm_ir::{Applicability, Diagnostic, Severity, Sources, Span};
use serde_json::json;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// What stands before a note or a help: the number of a line, the frame, the word.
const FRAME: usize = 16;

/// Files by name, as ariadne wants them. Made once per rendering: finding the lines of a file is linear in it.
struct Files<'a> {
    sources: &'a Sources,
    parsed: BTreeMap<Arc<str>, ariadne::Source<Arc<str>>>,
}

impl ariadne::Cache<Arc<str>> for Files<'_> {
    type Storage = Arc<str>;

    fn fetch(&mut self, name: &Arc<str>) -> Result<&ariadne::Source<Arc<str>>, impl std::fmt::Debug> {
        if !self.parsed.contains_key(name) {
            let text = self
                .sources
                .iter()
                .find(|(_, f)| f.name == *name)
                .map_or_else(|| Arc::from(""), |(_, f)| visible(&f.text));
            self.parsed.insert(Arc::clone(name), ariadne::Source::from(text));
        }
        self.parsed.get(name).ok_or("no such file")
    }

    fn display<'b>(&self, name: &'b Arc<str>) -> Option<impl std::fmt::Display + 'b> {
        Some(Arc::clone(name))
    }
}

/// Diagnostics as a terminal shows them, in source order, each followed by an empty line.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, color: bool) -> String {
    let mut files = Files { sources, parsed: BTreeMap::new() };
    let mut out = Vec::new();
    for diagnostic in diagnostics {
        if sources.get(diagnostic.span().file).is_none_or(|file| file.name.is_empty()) {
            out.extend(without_place(diagnostic).into_bytes());
            continue;
        }
        // A failure to write to memory does not exist.
        drop(report(diagnostic, sources, color).write(&mut files, &mut out));
    }
    let text = String::from_utf8_lossy(&out);
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// What is wrong with no place of a program: there is none, or it cannot be read.
fn without_place(diagnostic: &Diagnostic) -> String {
    let lines = diagnostic.notes.iter().map(|note| format!("note: {}\n", visible(note)));
    let lines = lines.chain(diagnostic.helps.iter().map(|help| format!("help: {}\n", visible(help))));
    format!("[{}] Error: {}\n{}", diagnostic.code, visible(&diagnostic.message), lines.collect::<String>())
}

/// A text in which nothing commands the terminal or reverses what is read. Each character keeps its length, so that places stay
/// where they are.
fn visible(text: &str) -> Arc<str> {
    let command = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    let turns = |c: char| matches!(c, '\u{200b}' | '\u{2060}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(|c| command(c) || turns(c)) {
        return Arc::from(text);
    }
    let shown = text.chars().map(|c| match c {
        c if turns(c) => '\u{fffd}',
        c if command(c) && c.len_utf8() == 1 => '?',
        c if command(c) => '\u{b7}',
        c => c,
    });
    Arc::from(shown.collect::<String>())
}

fn place(span: Span, sources: &Sources) -> (Arc<str>, Range<usize>) {
    let Some(file) = sources.get(span.file) else { return (Arc::from(""), 0..0) };
    let end = (span.end as usize).min(file.text.len());
    (Arc::clone(&file.name), (span.start as usize).min(end)..end)
}

fn report(diagnostic: &Diagnostic, sources: &Sources, color: bool) -> Report<'static, (Arc<str>, Range<usize>)> {
    let (kind, tint) = match diagnostic.severity {
        Severity::Error => (ReportKind::Error, Color::Red),
        Severity::Warning => (ReportKind::Warning, Color::Yellow),
    };
    let mut report = Report::build(kind, place(diagnostic.span(), sources))
        .with_config(Config::default().with_index_type(IndexType::Byte).with_color(color))
        .with_code(diagnostic.code)
        .with_message(visible(&diagnostic.message));
    let mut labels: Vec<_> = diagnostic.labels.iter().enumerate().collect();
    labels.sort_by_key(|(_, label)| label.span);
    for (order, (index, label)) in (0..).zip(labels) {
        let color = if index == 0 { tint } else { Color::Cyan };
        // Without a word nothing is underlined.
        let text = if label.text.is_empty() { Arc::from("here") } else { visible(&label.text) };
        report.add_label(Label::new(place(label.span, sources)).with_color(color).with_order(order).with_message(text));
    }
    // The frame keeps what follows a break in its column.
    let lines = |text: &str| match super::fold::width(std::io::stderr()) {
        Some(width) => super::fold::fold(&visible(text), width.saturating_sub(FRAME), 0),
        None => visible(text).to_string(),
    };
    diagnostic.notes.iter().for_each(|note| report.add_note(lines(note)));
    diagnostic.helps.iter().for_each(|help| report.add_help(lines(help)));
    report.finish()
}

/// Diagnostics as JSON lines: lines and columns from 1, columns in Unicode scalar values, edits in bytes.
pub fn json_lines(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    diagnostics.iter().map(|d| format!("{}\n", document(d, sources))).collect()
}

/// One diagnostic as such a line.
pub fn document(diagnostic: &Diagnostic, sources: &Sources) -> serde_json::Value {
    let labels: Vec<_> = diagnostic
        .labels
        .iter()
        .map(|label| {
            let (start, end) = (sources.loc(label.span), sources.loc(label.span.after()));
            json!({ "file": start.file, "line": start.line, "column": start.column,
                    "end_line": end.line, "end_column": end.column, "text": label.text })
        })
        .collect();
    let fixes: Vec<_> = diagnostic
        .fixes
        .iter()
        .map(|fix| {
            let edits: Vec<_> = fix
                .edits
                .iter()
                .map(|edit| {
                    let file = sources.get(edit.span.file).map_or("", |f| &f.name);
                    json!({ "file": file, "start": edit.span.start, "end": edit.span.end, "text": edit.text })
                })
                .collect();
            let applicability = match fix.applicability {
                Applicability::Safe => "safe",
                Applicability::Maybe => "maybe",
            };
            json!({ "title": fix.title, "applicability": applicability, "edits": edits })
        })
        .collect();
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let at = sources.loc(diagnostic.span());
    json!({ "code": diagnostic.code.0, "severity": severity, "message": diagnostic.message,
            "file": at.file, "line": at.line, "column": at.column, "labels": labels,
            "notes": diagnostic.notes, "helps": diagnostic.helps, "fixes": fixes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use imm_ir::{SourceFile, code};

    #[test]
    fn nothing_in_a_program_commands_the_terminal() {
        let text = "let a = \"\u{1b}[31m\u{202e}\u{9b}x\" + 1\n";
        let mut sources = Sources::default();
        let file = sources.add(SourceFile::new("main.imm", text));
        let one = text.find('1').unwrap();
        let last = text.rfind('1').unwrap();
        assert!(one < last);
        let wrong =
            Diagnostic::error(code::TYPE_MISMATCH, Span::new(file, last, last + 1), "not \u{1b}[2J").label("here");
        let shown = render(std::slice::from_ref(&wrong), &sources, false);
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{shown:?}");
        assert!(shown.contains("main.imm:1:22") && shown.contains("?[31m\u{fffd}\u{b7}x"), "{shown}");
        assert_eq!(&*visible("wide 日本 and é"), "wide 日本 and é");
    }

    #[test]
    fn what_has_no_place_has_no_frame() {
        let wrong = Diagnostic::error(code::FILE_NOT_FOUND, Span::default(), "no program at `x`").help("make one");
        let shown = render(std::slice::from_ref(&wrong), &Sources::default(), false);
        assert_eq!(shown, "[file-not-found] Error: no program at `x`\nhelp: make one\n");
    }

    #[test]
    fn both_forms_name_the_place() {
        let mut sources = Sources::default();
        let file = sources.add(SourceFile::new("main.imm", "let é = \"日本\" + 1\n"));
        let one = sources.get(file).unwrap().text.find('1').unwrap();
        let wrong = Diagnostic::error(code::TYPE_MISMATCH, Span::new(file, one, one + 1), "expected String, found Int")
            .label("this is an Int")
            .help("write \"1\"");
        let text = render(std::slice::from_ref(&wrong), &sources, false);
        assert!(
            text.contains("main.imm:1:16") && text.contains("this is an Int") && text.contains("type-mismatch"),
            "{text}"
        );
        let line: serde_json::Value = serde_json::from_str(&json_lines(&[wrong], &sources)).unwrap();
        assert_eq!(
            (&line["line"], &line["column"], &line["labels"][0]["end_column"]),
            (&1.into(), &16.into(), &17.into())
        );
    }
}
