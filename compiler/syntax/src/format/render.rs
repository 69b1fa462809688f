//! Groups of entries to text.
//!
//! Whether a bracket is broken depends on its own form in the source and on the columns before alignment, so that the
//! second time decides as the first.

use super::WIDTH;
use super::spacing::Before;
use super::tree::{Entry, Group, Node, NodeKind};
use crate::token::Tok;
use std::fmt::Write as _;

const STEP: usize = 2;

/// Writes a file.
pub(super) fn file(entries: &[Entry<'_>]) -> String {
    let mut out = String::new();
    lines(&mut out, entries, 0, Form { aligned: true, commas: None });
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// An entry with its place to align.
struct Written {
    text: String,
    /// Where its `=` or `=>` stands in the text.
    align: Option<(usize, Tok)>,
}

/// How entries stand below each other.
#[derive(Clone, Copy)]
struct Form {
    /// Whether their signs are aligned.
    aligned: bool,
    /// Whether commas follow them, and whether one follows the last.
    commas: Option<bool>,
}

/// Entries, one a line, without the last new line.
fn lines(out: &mut String, entries: &[Entry<'_>], indent: usize, form: Form) {
    let last = entries.iter().rposition(|e| !e.is_comment()).unwrap_or(0);
    let comma = |index: usize| form.commas.is_some_and(|after_last| index < last || after_last);
    let written: Vec<Written> = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            let mut writer = Writer { text: String::new(), column: indent, align: None };
            writer.entry(entry, indent);
            if comma(index) && !entry.is_comment() {
                writer.text.push(',');
            }
            if let Some(comment) = entry.comment {
                writer.text.push(' ');
                writer.text.push_str(comment);
            }
            Written { text: writer.text, align: writer.align.filter(|_| form.aligned && !entry.item) }
        })
        .collect();
    let paddings = paddings(entries, &written);
    for (index, ((entry, written), padding)) in entries.iter().zip(&written).zip(paddings).enumerate() {
        if index > 0 {
            out.push_str(if entry.after_blank() { "\n\n" } else { "\n" });
        }
        let (key, rest) =
            written.text.split_at_checked(written.align.map_or(0, |a| a.0)).unwrap_or(("", &written.text));
        // Writing to a string does not fail.
        _ = write!(out, "{:indent$}{key}{:padding$}{rest}", "", "");
    }
}

/// How far each `=` moves: to the widest key of its run. A run ends with an entry of several lines, an empty line, a
/// comment or an item.
fn paddings(entries: &[Entry<'_>], written: &[Written]) -> Vec<usize> {
    let key = |w: &Written| w.align.and_then(|(at, _)| w.text.get(..at)).map_or(0, |k| k.chars().count());
    let mut paddings = Vec::with_capacity(written.len());
    let mut run: Vec<&Written> = Vec::new();
    let mut sign = None;
    let mut flush = |run: &mut Vec<&Written>| {
        let widest = run.iter().map(|w| key(w)).max().unwrap_or(0);
        paddings.extend(run.drain(..).map(|w| if w.align.is_some() { widest - key(w) } else { 0 }));
    };
    for (entry, one) in entries.iter().zip(written) {
        let other = one.align.map(|a| a.1).filter(|s| sign.is_some_and(|known| known != *s));
        if entry.after_blank() || entry.item || other.is_some() {
            flush(&mut run);
            sign = None;
        }
        sign = one.align.map(|a| a.1).or(sign);
        run.push(one);
        if entry.item || one.text.contains('\n') {
            flush(&mut run);
            sign = None;
        }
    }
    flush(&mut run);
    paddings
}

struct Writer {
    text: String,
    /// Of what comes next.
    column: usize,
    align: Option<(usize, Tok)>,
}

impl Writer {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        match text.rsplit_once('\n') {
            Some((_, last)) => self.column = last.chars().count(),
            None => self.column += text.chars().count(),
        }
    }

    fn new_line(&mut self, indent: usize) {
        _ = write!(self.text, "\n{:indent$}", "");
        self.column = indent;
    }

    /// An entry whose line is indented by `indent`.
    fn entry(&mut self, entry: &Entry<'_>, indent: usize) {
        let mut before = Before::default();
        let mut line = indent;
        let mut after_comment = false;
        for (index, node) in entry.nodes.iter().enumerate() {
            let Some((opens, closes)) = node.kind.ends() else {
                if let NodeKind::Comment(text) = node.kind {
                    if index > 0 && (node.lines > 0 || after_comment) {
                        line = indent + STEP;
                        self.new_line(line);
                    } else if index > 0 {
                        self.put(" ");
                    }
                    self.put(text);
                    after_comment = true;
                }
                continue;
            };
            // `with` stands beside the bracket before it.
            let joined = opens == Tok::With && !after_comment;
            if index > 0 && (node.lines > 0 && !joined || after_comment) {
                line = indent + STEP;
                self.new_line(line);
            } else if before.space(opens, node.apart) {
                if self.align.is_none() && line == indent && matches!(opens, Tok::Assign | Tok::FatArrow) {
                    let several = self.text.contains('\n');
                    self.align = (!several).then_some((self.text.len(), opens));
                }
                self.put(" ");
            }
            after_comment = false;
            match &node.kind {
                NodeKind::Token(_, text) => self.put(text),
                NodeKind::Group(group) => {
                    let rest = entry.nodes.get(index + 1..).unwrap_or(&[]);
                    // The params of a lambda take no comma after the last.
                    let lambda = matches!(rest, [Node { kind: NodeKind::Token(Tok::FatArrow, _), .. }, ..]);
                    self.group(group, line, tail(rest, before.then(opens, closes)), !lambda);
                }
                NodeKind::Comment(_) => {}
            }
            before = before.then(opens, closes);
        }
    }

    /// A bracket on a line that is indented by `indent`; `tail` columns must fit behind it.
    fn group(&mut self, group: &Group<'_>, indent: usize, tail: usize, comma: bool) {
        let (open, close) = signs(group.open);
        let fits = group.flat.is_some_and(|width| self.column + width + tail <= WIDTH);
        // One element that ends with a bracket breaks there.
        let hugs = group.open != Tok::LBrace
            && matches!(group.entries.as_slice(), [one]
                if matches!(one.nodes.last().map(|n| &n.kind), Some(NodeKind::Group(g)) if !g.entries.is_empty()));
        let breaks = group.broken || !fits && group.flat.is_some() && !hugs && !group.entries.is_empty();
        self.put(open);
        if breaks {
            if let Some(comment) = group.comment {
                self.put(" ");
                self.put(comment);
            }
            let brace = group.open == Tok::LBrace;
            let commas = (!brace).then_some(comma && group.comma);
            let mut inside = String::new();
            lines(&mut inside, &group.entries, indent + STEP, Form { aligned: brace, commas });
            if !inside.is_empty() {
                self.put("\n");
                self.put(&inside);
            }
            self.new_line(indent);
        } else {
            let padded = group.open == Tok::LBrace && !group.entries.is_empty();
            if padded {
                self.put(" ");
            }
            for (index, entry) in group.entries.iter().enumerate() {
                if index > 0 {
                    self.put(", ");
                }
                let align = self.align.replace((0, Tok::Error));
                self.entry(entry, indent);
                self.align = align;
            }
            if padded {
                self.put(" ");
            }
        }
        self.put(close);
    }
}

/// The columns after a bracket up to the next place where the line may break.
fn tail(nodes: &[Node<'_>], mut before: Before) -> usize {
    let mut width = 0;
    for node in nodes {
        let Some((opens, closes)) = node.kind.ends() else { break };
        if node.lines > 0 && opens != Tok::With {
            break;
        }
        width += usize::from(before.space(opens, node.apart));
        before = before.then(opens, closes);
        match &node.kind {
            NodeKind::Token(_, text) => match text.split_once('\n') {
                Some((first, _)) => return width + first.chars().count(),
                None => width += text.chars().count(),
            },
            NodeKind::Group(_) => return width + 1,
            NodeKind::Comment(_) => {}
        }
    }
    width
}

fn signs(open: Tok) -> (&'static str, &'static str) {
    if open == Tok::LParen {
        ("(", ")")
    } else if open == Tok::LBracket {
        ("[", "]")
    } else {
        ("{", "}")
    }
}
