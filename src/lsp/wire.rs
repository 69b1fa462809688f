//! Positions and names of the protocol: offsets to lines and columns in the client's units, paths to URIs.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What a column counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units, the protocol's default.
    Utf16,
    /// Unicode scalar values.
    Utf32,
}

impl Encoding {
    /// The best of those that a client knows.
    pub fn choose(offered: &Value) -> Self {
        let offers = |name: &str| offered.as_array().is_some_and(|all| all.iter().any(|v| v == name));
        if offers("utf-8") {
            Self::Utf8
        } else if offers("utf-32") && !offers("utf-16") {
            Self::Utf32
        } else {
            Self::Utf16
        }
    }

    /// As the protocol calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
            Self::Utf32 => "utf-32",
        }
    }

    fn length(self, text: &str) -> usize {
        match self {
            Self::Utf8 => text.len(),
            Self::Utf16 => text.encode_utf16().count(),
            Self::Utf32 => text.chars().count(),
        }
    }
}

/// Where the lines of a text begin.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    starts: Vec<u32>,
}

impl Lines {
    /// Finds the lines.
    pub fn new(text: &str) -> Self {
        let after = memchr::memchr_iter(b'\n', text.as_bytes());
        let starts = std::iter::once(0).chain(after.map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX)));
        Self { starts: starts.collect() }
    }

    /// The lines after something else was put into a range.
    pub fn replaced(&self, start: u32, end: u32, new: &str) -> Self {
        let kept = self.starts.partition_point(|line| *line <= start);
        let behind = self.starts.partition_point(|line| *line <= end);
        let inserted = u32::try_from(new.len()).unwrap_or(u32::MAX);
        let mut starts = Vec::with_capacity(self.starts.len() + 1);
        starts.extend_from_slice(self.starts.get(..kept).unwrap_or_default());
        let after = memchr::memchr_iter(b'\n', new.as_bytes());
        starts.extend(after.map(|at| start + u32::try_from(at + 1).unwrap_or(u32::MAX)));
        let rest = self.starts.get(behind..).unwrap_or_default();
        starts.extend(rest.iter().map(|line| line - end + start + inserted));
        Self { starts }
    }

    fn start(&self, line: usize) -> usize {
        self.starts.get(line).copied().map_or(usize::MAX, |start| start as usize)
    }

    /// The line of an offset, from 0.
    pub fn line(&self, offset: u32) -> u32 {
        let line = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// A position of the protocol.
    pub fn position(&self, text: &str, offset: u32, encoding: Encoding) -> Value {
        let (line, column) = self.at(text, offset, encoding);
        json!({ "line": line, "character": column })
    }

    /// Line and column, both from 0.
    pub fn at(&self, text: &str, offset: u32, encoding: Encoding) -> (u32, usize) {
        let line = self.line(offset);
        let start = self.start(line as usize);
        let mut end = (offset as usize).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        (line, text.get(start..end).map_or(0, |before| encoding.length(before)))
    }

    /// The offset of a position. Past the end of a line is its end; past the last line the end of the text.
    pub fn offset(&self, text: &str, position: &Value, encoding: Encoding) -> u32 {
        let number = |name: &str| position.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let (line, column) = (number("line").unwrap_or(0), number("character").unwrap_or(0));
        let start = self.start(line).min(text.len());
        let end = self.start(line.saturating_add(1)).min(text.len());
        let inside = text.get(start..end).unwrap_or_default();
        let inside = inside.strip_suffix('\n').unwrap_or(inside);
        let inside = inside.strip_suffix('\r').unwrap_or(inside);
        let mut rest = column;
        let mut at = inside.len();
        for (offset, c) in inside.char_indices() {
            let width = match encoding {
                Encoding::Utf8 => c.len_utf8(),
                Encoding::Utf16 => c.len_utf16(),
                Encoding::Utf32 => 1,
            };
            if rest < width {
                at = offset;
                break;
            }
            rest -= width;
        }
        u32::try_from(start + at).unwrap_or(u32::MAX)
    }
}

/// The path of a `file:` URI; another scheme has none.
pub fn path_of(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let path = rest.get(rest.find('/')?..)?;
    let mut bytes = Vec::with_capacity(path.len());
    let mut raw = path.bytes();
    while let Some(byte) = raw.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [raw.next()?, raw.next()?];
        bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    Some(PathBuf::from(String::from_utf8(bytes).ok()?))
}

/// The `file:` URI of a path.
pub fn uri_of(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_the_clients_units() {
        let text = "let é = \"𝄞\" + y\r\nend";
        let lines = Lines::new(text);
        let y = u32::try_from(text.find('y').unwrap()).unwrap();
        for (encoding, column) in [(Encoding::Utf8, 18), (Encoding::Utf16, 15), (Encoding::Utf32, 14)] {
            let position = lines.position(text, y, encoding);
            assert_eq!(position, json!({ "line": 0, "character": column }), "{encoding:?}");
            assert_eq!(lines.offset(text, &position, encoding), y);
        }
        let far = json!({ "line": 0, "character": 99 });
        assert_eq!(lines.offset(text, &far, Encoding::Utf16) as usize, text.find('\r').unwrap());
        let below = json!({ "line": 9, "character": 0 });
        assert_eq!(lines.offset(text, &below, Encoding::Utf16) as usize, text.len());
        // Inside of a surrogate pair: before the character.
        let half = json!({ "line": 0, "character": 10 });
        assert_eq!(lines.offset(text, &half, Encoding::Utf16) as usize, text.find('𝄞').unwrap());
    }

    #[test]
    fn lines_move_with_what_is_typed() {
        let text = "ab\ncd\n\nef";
        for (start, end) in (0..=text.len()).flat_map(|start| (start..=text.len()).map(move |end| (start, end))) {
            for new in ["", "x", "\n", "x\ny\n"] {
                let mut after = text.to_owned();
                after.replace_range(start..end, new);
                let (from, to) = (u32::try_from(start).unwrap(), u32::try_from(end).unwrap());
                let replaced = Lines::new(text).replaced(from, to, new);
                assert_eq!(replaced.starts, Lines::new(&after).starts, "{start}..{end} {new:?}");
            }
        }
    }

    #[test]
    fn paths_come_back() {
        for path in ["/a/b.imm", "/with space/ü.imm", "/a%b/c#d.imm"] {
            assert_eq!(path_of(&uri_of(Path::new(path))).as_deref(), Some(Path::new(path)));
        }
        assert_eq!(path_of("file://localhost/a").as_deref(), Some(Path::new("/a")));
        assert_eq!(path_of("untitled:Untitled-1"), None);
        assert_eq!(path_of("file:///a%ZZ"), None);
    }
}
