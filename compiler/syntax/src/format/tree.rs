//! Tokens and comments to nested groups of entries. The layout says where entries begin, so that this reads new lines as
//! the grammar does.

use super::spacing::Before;
use crate::layout::Layout;
use crate::lexer::Lexed;
use crate::token::{Tok, Token};

/// A token, a whole string, a bracket with what is inside, or a comment.
pub(super) struct Node<'a> {
    pub(super) kind: NodeKind<'a>,
    /// New lines between this and what stands before it.
    pub(super) lines: usize,
    /// Whether there is white space before it.
    pub(super) apart: bool,
}

pub(super) enum NodeKind<'a> {
    Token(Tok, &'a str),
    Group(Group<'a>),
    /// Of any form, without white space at its end.
    Comment(&'a str),
}

impl NodeKind<'_> {
    /// The first and the last token.
    pub(super) fn ends(&self) -> Option<(Tok, Tok)> {
        match self {
            NodeKind::Token(kind, _) => Some((*kind, *kind)),
            NodeKind::Group(group) => Some((group.open, group.open.closer().unwrap_or(group.open))),
            NodeKind::Comment(_) => None,
        }
    }

    /// Width on one line; `None` if it takes several.
    pub(super) fn flat(&self) -> Option<usize> {
        match self {
            NodeKind::Token(_, text) => (!text.contains('\n')).then(|| text.chars().count()),
            NodeKind::Group(group) => group.flat,
            NodeKind::Comment(_) => None,
        }
    }
}

/// A bracket and what is inside.
pub(super) struct Group<'a> {
    pub(super) open: Tok,
    /// A comment on the line of the opening bracket.
    pub(super) comment: Option<&'a str>,
    pub(super) entries: Vec<Entry<'a>>,
    /// Whether it was written with one entry a line.
    pub(super) broken: bool,
    /// Whether the last entry may be followed by a comma.
    pub(super) comma: bool,
    /// Width on one line with the brackets; `None` if it takes several.
    pub(super) flat: Option<usize>,
}

/// A field, an item, an element: what stands on its own line when its bracket is broken.
pub(super) struct Entry<'a> {
    /// Never empty. Comments only between other nodes, unless the entry is one comment.
    pub(super) nodes: Vec<Node<'a>>,
    /// A comment on its last line.
    pub(super) comment: Option<&'a str>,
    /// An item or a comment; its `=` is not aligned.
    pub(super) item: bool,
}

impl Entry<'_> {
    /// Whether an empty line stands before it.
    pub(super) fn after_blank(&self) -> bool {
        self.nodes.first().is_some_and(|n| n.lines > 1)
    }

    pub(super) fn is_comment(&self) -> bool {
        matches!(self.nodes.as_slice(), [Node { kind: NodeKind::Comment(_), .. }])
    }

    /// Width on one line; `None` if it takes several.
    fn flat(&self) -> Option<usize> {
        if self.comment.is_some() {
            return None;
        }
        let mut width = 0;
        let mut before = Before::default();
        for (index, node) in self.nodes.iter().enumerate() {
            let (opens, closes) = node.kind.ends()?;
            if index > 0 && node.lines > 0 {
                return None;
            }
            width += node.kind.flat()? + usize::from(before.space(opens, node.apart));
            before = before.then(opens, closes);
        }
        Some(width)
    }
}

/// The entries of a file. Expects a text without errors.
pub(super) fn build<'a>(text: &'a str, lexed: &Lexed, layout: &Layout) -> Vec<Entry<'a>> {
    let mut stream: Vec<Token> = lexed.tokens.iter().chain(&lexed.comments).copied().collect();
    stream.sort_by_key(|t| t.start);
    let mut build = Build { text, levels: vec![Level::new(Tok::Newline, 0, false)] };
    let starts = starts(layout);
    let mut starts = starts.iter().copied().peekable();
    let mut lines = 0;
    let mut end = 0;
    let mut string: Option<(Token, usize)> = None;
    for (index, token) in stream.iter().enumerate() {
        // Strings are one token, with all that is inside.
        if let Some((open, depth)) = &mut string {
            match token.kind {
                Tok::StrOpen => *depth += 1,
                Tok::StrClose => *depth -= 1,
                _ => {}
            }
            if *depth == 0 {
                let whole = Token { kind: Tok::Str, start: open.start, end: token.end };
                let apart = open.start > end;
                build.token(whole, lines, apart);
                while starts.next_if(|s| *s < token.end).is_some() {}
                (string, lines, end) = (None, 0, token.end);
            }
            continue;
        }
        if token.kind == Tok::Newline {
            lines += 1;
            continue;
        }
        let comment = matches!(token.kind, Tok::Comment | Tok::Doc | Tok::ModuleDoc);
        if !comment && starts.next_if(|s| *s <= token.start).is_some() {
            while starts.next_if(|s| *s <= token.start).is_some() {}
            let following = stream.get(index + 1..).unwrap_or(&[]).iter().find(|t| t.kind != Tok::Comment);
            let key = following.is_some_and(|t| matches!(t.kind, Tok::Assign | Tok::Colon));
            build.start_entry(token.kind.starts_item() && !key);
        }
        if token.kind == Tok::StrOpen {
            string = Some((*token, 1));
            continue;
        }
        build.token(*token, lines, token.start > end);
        (lines, end) = (0, token.end);
    }
    build.finish()
}

/// Where entries begin: the first token after each new line that separates and each `{`, and of each item.
fn starts(layout: &Layout) -> Vec<u32> {
    let mut starts = Vec::new();
    for item in &layout.items {
        let mut fresh = true;
        for token in layout.tokens.get(item.range.clone()).unwrap_or(&[]) {
            match token.kind {
                Tok::Newline => fresh = true,
                Tok::Doc => {}
                _ if fresh => {
                    starts.push(token.start);
                    fresh = token.kind == Tok::LBrace;
                }
                Tok::LBrace => fresh = true,
                _ => {}
            }
        }
    }
    starts
}

/// A bracket that is being read.
struct Level<'a> {
    open: Tok,
    lines: usize,
    apart: bool,
    entries: Vec<(Vec<Node<'a>>, bool)>,
    nodes: Vec<Node<'a>>,
    item: bool,
    commas: usize,
}

impl<'a> Level<'a> {
    fn new(open: Tok, lines: usize, apart: bool) -> Self {
        Level { open, lines, apart, entries: Vec::new(), nodes: Vec::new(), item: false, commas: 0 }
    }

    fn end_entry(&mut self) {
        let nodes = std::mem::take(&mut self.nodes);
        if !nodes.is_empty() {
            self.entries.push((nodes, self.item));
        }
        self.item = false;
    }

    /// Whether what is read is a `for` with its own commas, or an item.
    fn commas_are_inside(&self) -> bool {
        let mut tokens = self.nodes.iter().filter_map(|n| n.kind.ends()).map(|(opens, _)| opens);
        let looped = tokens.next() == Some(Tok::For) && !matches!(tokens.next(), Some(Tok::Assign | Tok::Colon));
        self.item || looped || self.open == Tok::Newline
    }

    /// Comments that stand around an entry become its last one, or entries of their own.
    fn close(self) -> (Option<&'a str>, Vec<Entry<'a>>) {
        let mut head = None;
        let mut out: Vec<Entry<'a>> = Vec::with_capacity(self.entries.len());
        let put = |node: Node<'a>, head: &mut Option<&'a str>, out: &mut Vec<Entry<'a>>| {
            let NodeKind::Comment(text) = node.kind else { return };
            match out.last_mut() {
                Some(last) if node.lines == 0 && last.comment.is_none() && !last.is_comment() => {
                    last.comment = Some(text);
                }
                None if node.lines == 0 && self.open != Tok::Newline => *head = Some(text),
                _ => out.push(Entry { nodes: vec![node], comment: None, item: true }),
            }
        };
        for (nodes, item) in self.entries {
            let is_comment = |n: &Node<'_>| matches!(n.kind, NodeKind::Comment(_));
            let end = nodes.iter().rposition(|n| !is_comment(n)).map_or(0, |i| i + 1);
            let mut middle = Vec::new();
            for (index, node) in nodes.into_iter().enumerate() {
                if is_comment(&node) && (middle.is_empty() || index >= end) {
                    put(node, &mut head, &mut out);
                    continue;
                }
                middle.push(node);
                if index + 1 == end {
                    out.push(Entry { nodes: std::mem::take(&mut middle), comment: None, item });
                }
            }
        }
        (head, out)
    }
}

struct Build<'a> {
    text: &'a str,
    levels: Vec<Level<'a>>,
}

impl<'a> Build<'a> {
    fn start_entry(&mut self, item: bool) {
        let Some(level) = self.levels.last_mut() else { return };
        level.end_entry();
        level.item = item;
    }

    fn token(&mut self, token: Token, lines: usize, apart: bool) {
        let text = token.text(self.text);
        if token.kind.closer().is_some() {
            self.levels.push(Level::new(token.kind, lines, apart));
            return;
        }
        if token.kind.is_closer() {
            self.close(lines);
            return;
        }
        let Some(level) = self.levels.last_mut() else { return };
        let kind = match token.kind {
            Tok::Comma if !level.commas_are_inside() => {
                level.commas += 1;
                level.end_entry();
                return;
            }
            Tok::Comment | Tok::Doc | Tok::ModuleDoc => NodeKind::Comment(text.trim_end()),
            kind => NodeKind::Token(kind, text),
        };
        level.nodes.push(Node { kind, lines, apart });
    }

    fn close(&mut self, lines: usize) {
        let Some(mut level) = self.levels.pop() else { return };
        level.end_entry();
        let (open, before, apart, commas) = (level.open, level.lines, level.apart, level.commas);
        let (comment, entries) = level.close();
        let brace = open == Tok::LBrace;
        let apart_entries = entries.iter().any(|e| e.nodes.first().is_some_and(|n| n.lines > 0));
        let commented = comment.is_some() || entries.iter().any(|e| e.comment.is_some() || e.is_comment());
        let widths: Option<Vec<usize>> = entries.iter().map(Entry::flat).collect();
        let empty = entries.is_empty() && comment.is_none();
        let broken = !empty && (lines > 0 || apart_entries || commented || brace && widths.is_none());
        let separators = entries.len().saturating_sub(1) * 2;
        let padding = if brace && !empty { 4 } else { 2 };
        let flat = widths.filter(|_| !broken).map(|w| w.iter().sum::<usize>() + separators + padding);
        let group = Group { open, comment, entries, broken, comma: commas > 0 && !brace, flat };
        if let Some(outer) = self.levels.last_mut() {
            outer.nodes.push(Node { kind: NodeKind::Group(group), lines: before, apart });
        }
    }

    fn finish(mut self) -> Vec<Entry<'a>> {
        let Some(mut level) = self.levels.pop() else { return Vec::new() };
        level.end_entry();
        level.close().1
    }
}
