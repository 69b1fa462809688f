//! Long lines on a terminal, broken between words. What goes elsewhere keeps its lines, so that programs read them whole.

use super::table::visible;
use std::os::fd::AsFd;

/// Lines are not made shorter than this.
const NARROWEST: usize = 30;

/// How wide the terminal behind a stream is, if there is one.
pub fn width(stream: impl AsFd) -> Option<usize> {
    terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0).max(NARROWEST))
}

/// A text whose lines are at most so wide. What follows a break is set in deeper than the line's beginning by `hang`.
pub fn fold(text: &str, width: usize, hang: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if visible(line.trim_end()) <= width {
            out.push_str(line);
        } else {
            one(line, width, hang, &mut out);
        }
    }
    out
}

fn one(line: &str, width: usize, hang: usize, out: &mut String) {
    let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
    let indent = line.len() - line.trim_start_matches(' ').len();
    let hang = (indent + hang).min(width / 3);
    let (mut at, mut rest, mut begun) = (0, line, false);
    while !rest.is_empty() {
        let word = rest.trim_start_matches(' ');
        let gap = rest.len() - word.len();
        let (word, after) = word.split_at(word.find(' ').unwrap_or(word.len()));
        let long = visible(word);
        if begun && at + gap + long > width {
            out.push('\n');
            out.push_str(&" ".repeat(hang));
            at = hang;
        } else {
            out.push_str(&" ".repeat(gap));
            at += gap;
        }
        out.push_str(word);
        at += long;
        (rest, begun) = (after, true);
    }
    out.push_str(end);
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn lines_break_between_words_and_lose_nothing() {
        assert_eq!(fold("help: write it so\n", 17, 6), "help: write it so\n");
        assert_eq!(fold("help: write it so\nand\n", 12, 4), "help: write\n    it so\nand\n");
        assert_eq!(
            fold("  + create  web  container  app is replaced\n", 34, 4),
            "  + create  web  container  app is\n      replaced\n"
        );
        assert_eq!(fold("\x1b[1mab cd\x1b[0m ef", 5, 0), "\x1b[1mab cd\x1b[0m\nef", "colours have no width");
        assert_eq!(fold("日本語 日本語", 7, 0), "日本語\n日本語", "wide characters have two columns");
        let word = "x".repeat(50);
        assert_eq!(fold(&format!("a {word} b"), 30, 2), format!("a\n  {word}\n  b"), "what is one word stays one");
    }
}
