//! Template files: `{{ name }}` and `{{ a.b }}`; `{{{{` writes `{{`. No logic, so what a template can do is seen at once.

use std::ops::Range;

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text as it is.
    Text(String),
    /// A variable.
    Hole {
        /// The names between the dots; at least one.
        path: Vec<String>,
        /// From the first brace to the last, in bytes.
        at: Range<usize>,
    },
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: &'static str,
    /// Where, in bytes.
    pub at: Range<usize>,
}

/// Reads a template.
pub(crate) fn parse(text: &str) -> Result<Vec<Part>, Broken> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        plain.push_str(before);
        if let Some(escaped) = after.strip_prefix("{{") {
            plain.push_str("{{");
            rest = escaped;
            continue;
        }
        let start = text.len() - after.len() - 2;
        let end_of_line = after.find('\n').unwrap_or(after.len());
        let Some(inside) = after.find("}}").filter(|end| *end <= end_of_line) else {
            return Err(Broken {
                message: "this `{{` is never closed".to_owned(),
                help: "close it with `}}` on the same line, or write `{{{{` for two braces",
                at: start..start + 2,
            });
        };
        let (name, tail) = after.split_at(inside);
        let at = start..start + inside + 4;
        let path: Vec<String> = name.trim().split('.').map(str::to_owned).collect();
        if !path.iter().all(|part| is_name(part)) {
            return Err(Broken {
                message: format!("`{}` is not a variable", name.trim()),
                help: "a variable is a name like `title` or `site.title`; write `{{{{` for two braces",
                at,
            });
        }
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Hole { path, at });
        rest = tail.strip_prefix("}}").unwrap_or(tail);
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hole(path: &[&str], at: Range<usize>) -> Part {
        Part::Hole { path: path.iter().map(|s| (*s).to_owned()).collect(), at }
    }

    #[test]
    fn holes_and_braces() {
        let parts = parse("<h1>{{ title }}</h1> {{a.b}} {{{{x}}").unwrap();
        let expected = [
            Part::Text("<h1>".to_owned()),
            hole(&["title"], 4..15),
            Part::Text("</h1> ".to_owned()),
            hole(&["a", "b"], 21..28),
            Part::Text(" {{x}}".to_owned()),
        ];
        assert_eq!(parts, expected);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_is_broken_has_a_place() {
        assert_eq!(parse("a {{ b\n}}").unwrap_err().at, 2..4);
        assert_eq!(parse("{{ a b }}").unwrap_err().message, "`a b` is not a variable");
        assert_eq!(parse("{{}}").unwrap_err().at, 0..4);
        assert!(parse("{{ a. }}").is_err());
    }
}
