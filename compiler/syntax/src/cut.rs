//! Where a text can be cut into parts that are parsed one by one: before items that stand at the start of a line.
//!
//! If every part is [`closed`](crate::Parsed::closed), their trees together are the tree of the whole text. It looks at
//! lines only: a cut may fall into a string or a block, and then a part is not closed.

use crate::string::starts_item;

/// The offsets of all cuts in order: 0, and the start of each item with its documentation.
pub fn cut(text: &str) -> Vec<usize> {
    let mut cuts = vec![0];
    // Where the comments before the next item begin that are its documentation.
    let mut docs = None;
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1).chain([text.len()]);
    for end in ends {
        let (at, line) = (start, text.get(start..end).unwrap_or_default());
        start = end;
        // Most lines are the inside of items.
        let code = |c: char| !matches!(c, '/' | '#' | '\t' | '\r' | '\n');
        if line.starts_with(' ') && line.trim_start_matches(' ').starts_with(code) {
            docs = None;
            continue;
        }
        if starts_item(line) && !names_a_field(line) {
            cuts.extend(Some(docs.take().unwrap_or(at)).filter(|cut| *cut > 0));
            continue;
        }
        match line.trim_start().as_bytes() {
            [b'/', b'/', b'/', rest @ ..] if rest.first() != Some(&b'/') => docs = docs.or(Some(at)),
            [] | [b'#', ..] => {}
            [b'/', b'/', rest @ ..] if rest.first() != Some(&b'!') => {}
            _code => docs = None,
        }
    }
    cuts
}

/// `import = 1`: any word may be the name of a field.
fn names_a_field(line: &str) -> bool {
    let word = line.bytes().take_while(u8::is_ascii_lowercase).count();
    line.get(word..).unwrap_or_default().trim_start().starts_with(['=', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        let cuts = cut(text);
        let ends = cuts.iter().skip(1).copied().chain([text.len()]);
        cuts.iter().zip(ends).map(|(start, end)| &text[*start..end]).collect()
    }

    #[test]
    fn items_keep_their_documentation() {
        let text =
            "//! All.\n\n/// A.\n// note\n\nlet a = 1\n// end\n\n/// B.\nlet b = {\n  let = 1\n}\noutput c = a\n";
        assert_eq!(
            parts(text),
            [
                "//! All.\n\n",
                "/// A.\n// note\n\nlet a = 1\n// end\n\n",
                "/// B.\nlet b = {\n  let = 1\n}\n",
                "output c = a\n"
            ]
        );
        assert_eq!(parts("let a = 1\nlet b = 2"), ["let a = 1\n", "let b = 2"]);
        assert_eq!(parts(""), [""]);
        assert_eq!(parts("let a = {\nimport = 1\n}\n").len(), 1);
    }
}
