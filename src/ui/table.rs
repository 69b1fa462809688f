//! Columns of text, as wide as their widest cell on a terminal.

use unicode_width::UnicodeWidthStr;

/// Lines of cells, each padded to its column but for the last one.
pub fn columns(indent: usize, rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| visible(c)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = " ".repeat(indent);
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            line.push_str(cell);
            if i + 1 < row.len() {
                line.push_str(&" ".repeat(width - visible(cell) + 2));
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Width on a terminal, escape sequences not counted.
pub(super) fn visible(cell: &str) -> usize {
    let mut rest = cell;
    let mut width = 0;
    while let Some(at) = rest.find("\x1b[") {
        width += rest.get(..at).map_or(0, UnicodeWidthStr::width);
        let escape = rest.get(at..).unwrap_or("");
        let end = escape.find('m').map_or(escape.len(), |m| m + 1);
        rest = escape.get(end..).unwrap_or("");
    }
    width + rest.width()
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_line_up_by_what_is_seen() {
        let row = |cells: &[&str]| cells.iter().map(|c| (*c).to_owned()).collect();
        let rows = [row(&["\x1b[1mab\x1b[0m", "x", "1"]), row(&["日本", "longer", ""])];
        assert_eq!(super::columns(2, &rows), "  \x1b[1mab\x1b[0m    x       1\n  日本  longer\n");
    }
}
