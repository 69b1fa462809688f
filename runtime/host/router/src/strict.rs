//! A strict reading of what a client sends over HTTP/1, beside the parser: what two programs could read in two ways is not read at all.
//!
//! Guarantees: of a request whose length, lines or chunks are ambiguous no parser behind this sees a whole head (or a whole chunk): the first byte that
//! makes it ambiguous becomes NUL, which no parser takes, and nothing follows. It changes nothing else, and parses nothing for others: fields are
//! validated by the parser behind it.
//!
//! Refused: a line that does not end with CR LF, CR or NUL inside a line, more than one Content-Length (also equal ones), one that is not digits alone,
//! Content-Length beside Transfer-Encoding, any coding but a single `chunked`, `chunked` in HTTP/1.0, folded fields, space around a field's name, a start
//! line that is not three words or asks for no path, chunk sizes that are not hexadecimal digits alone, chunks that do not end where they say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use memchr::{memchr, memchr2};

/// The longest line that is kept over several reads. The parser's own limit for a whole head is lower and answers better.
const LONGEST_LINE: usize = 128 * 1024;
const MOST_SIZE_DIGITS: usize = 15;

/// Follows one connection.
#[derive(Debug)]
pub(crate) struct Strict {
    state: State,
    /// The line so far, when it began in an earlier read.
    line: Vec<u8>,
    head: Head,
    unread: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Fields,
    Body {
        left: u64,
    },
    ChunkSize,
    ChunkData {
        left: u64,
    },
    ChunkEnd {
        seen_cr: bool,
    },
    Trailers,
    /// Another protocol may be spoken from here on.
    Unread,
    Broken,
}

/// What the fields of a head said about what follows it.
#[derive(Debug, Default)]
struct Head {
    is_old: bool,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

struct Ambiguous;

impl Strict {
    /// `unread` becomes true when a request asks for another protocol: what follows it on the connection is not looked at.
    pub(crate) fn new(unread: Arc<AtomicBool>) -> Self {
        Self { state: State::Start, line: Vec::new(), head: Head::default(), unread }
    }

    /// Whether nothing more passes.
    pub(crate) fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// Looks at bytes in the order in which they came, and says how many of them may be passed on.
    pub(crate) fn check(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            match self.step(rest) {
                Ok(taken) => at += taken,
                Err(taken) => {
                    self.state = State::Broken;
                    at += taken;
                    if let Some(last) = at.checked_sub(1).and_then(|last| bytes.get_mut(last)) {
                        *last = 0;
                    }
                    return at;
                }
            }
        }
        at
    }

    /// How many bytes were taken; an error: the last of them is the one that makes it ambiguous.
    fn step(&mut self, rest: &[u8]) -> Result<usize, usize> {
        match self.state {
            State::Unread => Ok(rest.len()),
            State::Broken => Err(0),
            State::Body { left } => {
                let taken = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left - taken as u64;
                self.state = if left == 0 { State::Start } else { State::Body { left } };
                Ok(taken)
            }
            State::ChunkData { left } => {
                let taken = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left - taken as u64;
                self.state = if left == 0 { State::ChunkEnd { seen_cr: false } } else { State::ChunkData { left } };
                Ok(taken)
            }
            State::ChunkEnd { seen_cr } => {
                match (seen_cr, rest.first()) {
                    (false, Some(b'\r')) => self.state = State::ChunkEnd { seen_cr: true },
                    (true, Some(b'\n')) => self.state = State::ChunkSize,
                    (false | true, _) => return Err(1),
                }
                Ok(1)
            }
            State::Start | State::Fields | State::ChunkSize | State::Trailers => self.in_line(rest),
        }
    }

    fn in_line(&mut self, rest: &[u8]) -> Result<usize, usize> {
        let Some(end) = memchr(b'\n', rest) else {
            if self.line.len() + rest.len() > LONGEST_LINE {
                return Err(rest.len());
            }
            self.line.extend_from_slice(rest);
            return Ok(rest.len());
        };
        let read = rest.get(..end).unwrap_or_default();
        let done = if self.line.is_empty() {
            self.line_ended(read)
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(read);
            let done = self.line_ended(&line);
            line.clear();
            self.line = line;
            done
        };
        done.map(|()| end + 1).map_err(|Ambiguous| end + 1)
    }

    fn line_ended(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        let Some(line) = line.strip_suffix(b"\r") else { return Err(Ambiguous) };
        if memchr2(b'\r', 0, line).is_some() {
            return Err(Ambiguous);
        }
        match self.state {
            State::Start if line.is_empty() => Ok(()),
            State::Start => {
                self.head = Head { is_old: is_old(line)?, ..Head::default() };
                self.state = State::Fields;
                Ok(())
            }
            State::Fields if line.is_empty() => {
                self.state = self.head.followed_by()?;
                if self.state == State::Unread {
                    self.unread.store(true, Ordering::Release);
                }
                Ok(())
            }
            State::Fields => self.head.field(line),
            State::ChunkSize => {
                let left = chunk_size(line)?;
                self.state = if left == 0 { State::Trailers } else { State::ChunkData { left } };
                Ok(())
            }
            State::Trailers if line.is_empty() => {
                self.state = State::Start;
                Ok(())
            }
            State::Trailers => name_and_value(line).map(|_| ()),
            State::Body { .. } | State::ChunkData { .. } | State::ChunkEnd { .. } | State::Unread | State::Broken => {
                Err(Ambiguous)
            }
        }
    }
}

impl Head {
    fn field(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        let (name, value) = name_and_value(line)?;
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let digits = std::str::from_utf8(value).map_err(|_| Ambiguous)?;
                if self.length.is_some() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(Ambiguous);
                }
                self.length = Some(digits.parse().map_err(|_| Ambiguous)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Ambiguous);
                }
                self.chunked = true;
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.upgrade |= !value.eq_ignore_ascii_case(b"h2c"),
            _ => {}
        }
        Ok(())
    }

    fn followed_by(&self) -> Result<State, Ambiguous> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Ambiguous),
            (true, None) if self.is_old => Err(Ambiguous),
            (true, None) => Ok(State::ChunkSize),
            (false, Some(left)) if left > 0 => Ok(State::Body { left }),
            (false, Some(_) | None) if self.upgrade => Ok(State::Unread),
            (false, Some(_) | None) => Ok(State::Start),
        }
    }
}

/// Whether a start line says HTTP/1.0; one that is not three words is none.
fn is_old(line: &[u8]) -> Result<bool, Ambiguous> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Ambiguous);
    };
    let is_of_a_form = target.starts_with(b"/") || target == b"*" || target.contains(&b':');
    if method.is_empty() || !method.iter().all(is_token) || !is_of_a_form || memchr2(b'#', b'\t', target).is_some() {
        return Err(Ambiguous);
    }
    // Of another version the parser says what it thinks of it.
    Ok(version != b"HTTP/1.1")
}

fn name_and_value(line: &[u8]) -> Result<(&[u8], &[u8]), Ambiguous> {
    let colon = memchr(b':', line).ok_or(Ambiguous)?;
    let (name, value) = line.split_at(colon);
    // A folded line begins with space, which no name contains.
    if name.is_empty() || !name.iter().all(is_token) {
        return Err(Ambiguous);
    }
    Ok((name, value.get(1..).unwrap_or_default().trim_ascii()))
}

fn is_token(byte: &u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'z' | b'|' | b'~')
}

/// The size of a chunk, extensions left aside.
fn chunk_size(line: &[u8]) -> Result<u64, Ambiguous> {
    let digits = memchr(b';', line).map_or(line, |end| line.get(..end).unwrap_or_default());
    if digits.is_empty() || digits.len() > MOST_SIZE_DIGITS || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(Ambiguous);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| Ambiguous)?;
    u64::from_str_radix(digits, 16).map_err(|_| Ambiguous)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strict() -> Strict {
        Strict::new(Arc::default())
    }

    /// What passes of some bytes that come in pieces of `size`.
    fn passed(bytes: &[u8], size: usize) -> Vec<u8> {
        let mut strict = strict();
        let mut out = Vec::new();
        for piece in bytes.chunks(size) {
            let mut piece = piece.to_vec();
            let passed = strict.check(&mut piece);
            out.extend_from_slice(&piece[..passed]);
        }
        out
    }

    #[test]
    fn plain_requests_pass_unchanged_however_they_are_cut() {
        let all = b"\r\nGET /a HTTP/1.1\r\nhost: a\r\n\r\nPOST / HTTP/1.1\r\nContent-Length:  3 \r\n\r\na\nbGET / HTTP/1.0\r\n\r\n\
            POST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n2;x=y\r\n\n\r\r\n0A\r\n0123456789\r\n0\r\nsum: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        for size in [1, 2, 3, 7, 1000] {
            assert_eq!(passed(all, size), all, "pieces of {size}");
        }
    }

    #[test]
    fn what_is_ambiguous_ends_at_the_byte_that_makes_it_so() {
        for (bytes, passes) in [
            ("GET / HTTP/1.1\n", "GET / HTTP/1.1\0"),
            ("GET / HTTP/1.1\r\nhost: a\n\n", "GET / HTTP/1.1\r\nhost: a\0"),
            ("GET / HTTP/1.1\r\na: b\rc: d\r\n", "GET / HTTP/1.1\r\na: b\rc: d\r\0"),
            ("GET  / HTTP/1.1\r\n", "GET  / HTTP/1.1\r\0"),
            ("GET /\r\n", "GET /\r\0"),
            ("GET / HTTP/1.1\r\na : b\r\n", "GET / HTTP/1.1\r\na : b\r\0"),
            ("GET / HTTP/1.1\r\na: b\r\n c\r\n", "GET / HTTP/1.1\r\na: b\r\n c\r\0"),
            (
                "P / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\nx",
                "P / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\0",
            ),
            ("P / HTTP/1.1\r\ncontent-length: -1\r\n", "P / HTTP/1.1\r\ncontent-length: -1\r\0"),
            ("P / HTTP/1.1\r\ncontent-length: \r\n", "P / HTTP/1.1\r\ncontent-length: \r\0"),
            (
                "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\nx",
                "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\0",
            ),
            ("P / HTTP/1.1\r\ntransfer-encoding: x\r\n", "P / HTTP/1.1\r\ntransfer-encoding: x\r\0"),
            (
                "P / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
                "P / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\0",
            ),
            (
                "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n 1\r\n",
                "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n 1\r\0",
            ),
            (
                "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
                "P / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\0",
            ),
        ] {
            for size in [1, 5, 1000] {
                assert_eq!(String::from_utf8(passed(bytes.as_bytes(), size)).unwrap(), passes);
            }
        }
    }

    #[test]
    fn after_a_wish_for_another_protocol_nothing_is_read() {
        let unread = Arc::new(AtomicBool::new(false));
        let mut strict = Strict::new(Arc::clone(&unread));
        let mut bytes = b"GET / HTTP/1.1\r\nupgrade: h2c\r\n\r\nGET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n".to_vec();
        let length = bytes.len();
        assert_eq!(strict.check(&mut bytes), length);
        assert!(unread.load(Ordering::Acquire));
        assert_eq!(strict.check(&mut b"\n\0\n".to_vec()), 3);
    }

    proptest! {
        #[test]
        fn any_bytes_are_passed_alike_in_any_pieces(bytes in proptest::collection::vec(prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' '), Just(b'0'), Just(b'1'), Just(b'a'), any::<u8>()], 0..80), size in 1_usize..9) {
            let head = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
            for start in [&b""[..], &b"GET / HTTP/1.1\r\n"[..], &head[..]] {
                let all = [start, &bytes].concat();
                prop_assert_eq!(passed(&all, size), passed(&all, all.len().max(1)));
            }
        }
    }
}
