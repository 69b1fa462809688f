//! Addresses: the expression that reaches a node, for example `shop.web.instance["0"]`.

use crate::key::natural;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::sync::Arc;

/// Where a node is declared. The text is an imm expression: names joined by dots, keys as quoted indices.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Addr(Arc<str>);

/// One step of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// `.name`, or the first name.
    Name(&'a str),
    /// `["key"]`, with the key's escapes still in it.
    Key(&'a str),
}

impl Addr {
    /// The address of a node at the top of a module.
    pub fn root(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// An address as it was written down.
    pub fn recorded(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// `self.name`
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self(Arc::from(format!("{}.{name}", self.0)))
    }

    /// `self["key"]`
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let escaped = key.replace('\\', "\\\\").replace('"', "\\\"");
        Self(Arc::from(format!("{}[\"{escaped}\"]", self.0)))
    }

    /// Reads an address as a user types it. Spaces around are ignored; `web[0]` is not an address, `web["0"]` is.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let addr = Self(Arc::from(text));
        let mut consumed = 0;
        for segment in addr.segments() {
            match segment {
                Segment::Name(name) => {
                    let mut chars = name.chars();
                    let head = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
                    if !head || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
                        return Err(format!("`{text}` is not an address: `{name}` is not a name"));
                    }
                    consumed += name.len() + usize::from(consumed > 0);
                }
                Segment::Key(key) => consumed += key.len() + 4,
            }
        }
        if consumed == text.len() && !text.is_empty() {
            Ok(addr)
        } else {
            Err(format!(
                "`{text}` is not an address; write it as the expression that reaches the node, like `web.instance[\"0\"]`"
            ))
        }
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The steps from the module's top.
    pub fn segments(&self) -> Segments<'_> {
        Segments { rest: &self.0, first: true }
    }

    /// Whether `prefix` is this address or an ancestor of it.
    pub fn is_within(&self, prefix: &Addr) -> bool {
        self.0.strip_prefix(&*prefix.0).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

/// Iterator over the steps of an address; ends early at text that is no address.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    rest: &'a str,
    first: bool,
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        if let Some(inner) = self.rest.strip_prefix("[\"") {
            let end = key_end(inner)?;
            let key = inner.get(..end)?;
            self.rest = inner.get(end..)?.strip_prefix("\"]")?;
            return Some(Segment::Key(key));
        }
        let named = if std::mem::take(&mut self.first) { self.rest } else { self.rest.strip_prefix('.')? };
        let end = named.find(['.', '[']).unwrap_or(named.len());
        self.rest = named.get(end..)?;
        let name = named.get(..end)?;
        (!name.is_empty()).then_some(Segment::Name(name))
    }
}

/// Offset of the quote that ends a key.
fn key_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Step by step: what ends first comes first, names before keys, names by bytes, keys as maps have them.
impl Ord for Addr {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (&*self.0, &*other.0);
        let (shared, quoted) = shared(a.as_bytes(), b.as_bytes());
        if shared == a.len() && shared == b.len() {
            return Ordering::Equal;
        }
        let common = a.as_bytes().get(..shared).unwrap_or_default();
        if quoted && let Some(order) = number_key(common).and_then(|start| numbers(a, b, start)) {
            return order;
        }
        match if quoted { open_key(common) } else { None } {
            Some(start) => natural(key_at(a, start), key_at(b, start)).then_with(|| a.cmp(b)),
            None => rank(a, shared).cmp(&rank(b, shared)),
        }
    }
}

/// How many bytes two texts begin with in common, and whether a quote may be among them. Eight bytes at a time: graphs
/// compare addresses more often than anything else.
fn shared(a: &[u8], b: &[u8]) -> (usize, bool) {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let ((words_a, _), (words_b, _)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let (mut equal, mut quoted) = (0, false);
    for (x, y) in words_a.iter().zip(words_b) {
        let (x, y) = (u64::from_le_bytes(*x), u64::from_le_bytes(*y));
        // A byte of `unquoted` is zero where a quote stands; taking one from it then borrows into its highest bit.
        let unquoted = x ^ (ONES * u64::from(b'"'));
        quoted |= unquoted.wrapping_sub(ONES) & !unquoted & HIGH != 0;
        if x != y {
            return (equal + (x ^ y).trailing_zeros() as usize / 8, quoted);
        }
        equal += 8;
    }
    let (rest_a, rest_b) = (a.get(equal..).unwrap_or_default(), b.get(equal..).unwrap_or_default());
    for (x, y) in rest_a.iter().zip(rest_b) {
        if x != y {
            break;
        }
        quoted |= *x == b'"';
        equal += 1;
    }
    (equal, quoted)
}

/// The order of two keys that start there, if both are plain numbers that differ: the longer one is the greater one.
fn numbers(a: &str, b: &str, start: usize) -> Option<Ordering> {
    fn digits(text: &str, start: usize) -> Option<&[u8]> {
        let rest = text.as_bytes().get(start..)?;
        let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, after) = rest.split_at(end);
        (after.first() == Some(&b'"') && digits.first().is_some_and(|first| *first != b'0')).then_some(digits)
    }
    let (a, b) = (digits(a, start)?, digits(b, start)?);
    Some(a.len().cmp(&b.len()).then_with(|| a.cmp(b))).filter(|order| order.is_ne())
}

/// Where a key starts of which `text` ends in the digits, as most addresses of a large graph differ. What ends a key may look like
/// what opens one, but no digit follows it.
fn number_key(text: &[u8]) -> Option<usize> {
    let start = text.len() - text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    text.get(..start)?.ends_with(b"[\"").then_some(start)
}

/// Where the key starts that `text` ends inside of.
fn open_key(text: &[u8]) -> Option<usize> {
    if !text.contains(&b'\\') {
        // Without escapes every other quote opens.
        let opens = text.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
        return text.iter().rposition(|byte| *byte == b'"').filter(|_| opens).map(|at| at + 1);
    }
    scanned(text)
}

/// The same for any text, byte by byte.
fn scanned(text: &[u8]) -> Option<usize> {
    let (mut start, mut escaped) = (None, false);
    for (at, byte) in text.iter().enumerate() {
        match (byte, start) {
            _ if std::mem::take(&mut escaped) => {}
            (b'\\', Some(_)) => escaped = true,
            (b'"', Some(_)) => start = None,
            (b'"', None) => start = Some(at + 1),
            _other => {}
        }
    }
    start
}

fn key_at(text: &str, start: usize) -> &str {
    let rest = text.get(start..).unwrap_or("");
    key_end(rest).and_then(|end| rest.get(..end)).unwrap_or(rest)
}

/// What the first byte that differs outside of a key means for the order.
fn rank(text: &str, at: usize) -> u16 {
    match text.as_bytes().get(at) {
        None => 0,
        Some(b'.') => 1,
        Some(b'[') => 2,
        Some(byte) => 3 + u16::from(*byte),
    }
}

impl PartialOrd for Addr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Addr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_sort_by_number() {
        let web = Addr::root("web").child("instance");
        let mut all = [web.key("10"), web.key("9"), web.key("a"), Addr::root("web"), Addr::root("app")];
        all.sort();
        let text: Vec<_> = all.iter().map(Addr::as_str).collect();
        assert_eq!(text, ["app", "web", "web.instance[\"9\"]", "web.instance[\"10\"]", "web.instance[\"a\"]"]);
    }

    #[test]
    fn the_order_goes_step_by_step() {
        let sorted = [
            "a",
            "a.b",
            "a.b[\"1\"]",
            "a.b[\"1\"].x",
            "a.b[\"2\"].x",
            "a.b[\"10\"]",
            "a.b[\"x\\\"1\"]",
            "a.b[\"x\\\"1\"].y",
            "a.b[\"x\\\"2\"]",
            "a.c",
            "a[\"0\"]",
            "a_b",
            "ab",
            "b",
        ];
        let mut all: Vec<Addr> = sorted.iter().rev().map(|text| Addr::parse(text).unwrap()).collect();
        all.sort();
        assert_eq!(all.iter().map(Addr::as_str).collect::<Vec<_>>(), sorted);
    }

    #[test]
    fn the_short_ways_of_the_order_lead_where_the_long_one_does() {
        let texts = [
            "u[\"0\"]",
            "u[\"00\"]",
            "u[\"1\"]",
            "u[\"01\"]",
            "u[\"9\"]",
            "u[\"10\"]",
            "u[\"10\"].x",
            "u[\"19\"].a[\"2\"]",
            "u[\"19\"].a[\"12\"]",
            "u[\"1x\"]",
            "u[\"\"]",
            "u[\"x[\"]",
            "u[\"x[\"].y",
            "u[\"x\\\"1\"]",
            "u[\"x\\\"10\"]",
            "u[\"x\\\"9\"]",
            "u.a_name_that_is_long",
            "u.a_name_that_is_long_and_longer",
            "u",
            "ub",
        ];
        let long = |a: &str, b: &str| {
            let same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
            match scanned(&a.as_bytes()[..same]) {
                Some(start) => natural(key_at(a, start), key_at(b, start)).then_with(|| a.cmp(b)),
                None => rank(a, same).cmp(&rank(b, same)),
            }
        };
        for (a, b) in texts.iter().flat_map(|a| texts.iter().map(move |b| (*a, *b))) {
            assert_eq!(Addr::recorded(a).cmp(&Addr::recorded(b)), long(a, b), "{a} {b}");
        }
    }

    #[test]
    fn what_users_type_is_read_or_refused() {
        for good in ["web", "web.instance[\"0\"]", "a.b[\"x\\\"y\"].c", "fleet[\"eu.west\"]"] {
            assert_eq!(Addr::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "web.", "web[0]", ".web", "web[\"a\"", "we b", "web[\"a\"]x", "web..x", "9"] {
            assert!(Addr::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_ends_at_a_step() {
        let web = Addr::root("web");
        assert!(web.child("instance").is_within(&web));
        assert!(!Addr::root("webs").is_within(&web));
    }
}
