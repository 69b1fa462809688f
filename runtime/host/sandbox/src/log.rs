//! The log of a container: `TIMESTAMP_NS o|e TEXT`, one line an entry, for standard output and error.
//!
//! Text is UTF-8 whatever the program writes; a line is at most 16 KiB, longer ones are cut into several. `log` is rotated
//! to `log.1` at 8 MiB, of which one is kept. A log that cannot be written (a full disk) never stops the program: the lines
//! are counted and the count is written once it works again. Nothing is flushed to the disk: a power cut may lose lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes of text in one entry.
const MAX_LINE: usize = 16 * 1024;
/// Bytes of a segment.
const MAX_SEGMENT: u64 = 8 * 1024 * 1024;

pub(crate) struct Log {
    path: PathBuf,
    file: File,
    size: u64,
    max: u64,
    lost: u64,
}

/// Cuts one stream into entries.
pub(crate) struct Lines {
    mark: char,
    partial: Vec<u8>,
    tail: Tail,
}

/// The last bytes of a stream, as they came.
#[derive(Default)]
pub(crate) struct Tail {
    bytes: std::collections::VecDeque<u8>,
    most: usize,
}

impl Tail {
    fn feed(&mut self, bytes: &[u8]) {
        let kept = bytes.get(bytes.len().saturating_sub(self.most)..).unwrap_or_default();
        let over = (self.bytes.len() + kept.len()).saturating_sub(self.most);
        self.bytes.drain(..over);
        self.bytes.extend(kept);
    }

    /// As text, not beginning in the middle of a character.
    fn text(mut self) -> String {
        let cut = self.bytes.len() == self.most;
        let bytes = self.bytes.make_contiguous();
        let begun = bytes.iter().take_while(|byte| cut && **byte & 0xC0 == 0x80).count();
        String::from_utf8_lossy(bytes.get(begun..).unwrap_or_default()).into_owned()
    }
}

impl Lines {
    /// `mark` is `o` or `e`; so many bytes of the end are kept as they are.
    pub(crate) fn new(mark: char, keep: u64) -> Self {
        let most = usize::try_from(keep).unwrap_or(usize::MAX);
        Self { mark, partial: Vec::new(), tail: Tail { most, ..Tail::default() } }
    }

    /// Whether it is standard output.
    pub(crate) const fn is_output(&self) -> bool {
        self.mark == 'o'
    }

    /// The end of the stream.
    pub(crate) fn tail(self) -> String {
        self.tail.text()
    }

    /// Take what the program wrote, append whole entries to `entries`.
    pub(crate) fn feed(&mut self, bytes: &[u8], now_ns: u64, entries: &mut Vec<u8>) {
        self.tail.feed(bytes);
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, ended) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            self.partial.extend_from_slice(text);
            // Strictly more: a line of exactly the greatest length is not followed by an empty entry.
            while self.partial.len() > MAX_LINE {
                let rest = self.partial.split_off(boundary(&self.partial, MAX_LINE));
                self.entry(now_ns, entries);
                self.partial = rest;
            }
            if ended {
                self.entry(now_ns, entries);
            }
        }
    }

    /// The stream is over: what is left is an entry though no newline ended it.
    pub(crate) fn finish(&mut self, now_ns: u64, entries: &mut Vec<u8>) {
        if !self.partial.is_empty() {
            self.entry(now_ns, entries);
        }
    }

    fn entry(&mut self, now_ns: u64, entries: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(&self.partial);
        entries.extend_from_slice(format!("{now_ns} {} {text}\n", self.mark).as_bytes());
        self.partial.clear();
    }
}

/// The last place at or before `at` that does not cut a UTF-8 sequence in two.
fn boundary(bytes: &[u8], at: usize) -> usize {
    let continues = |i: usize| bytes.get(i).is_some_and(|b| b & 0xC0 == 0x80);
    (at.saturating_sub(3)..=at).rev().find(|i| !continues(*i)).unwrap_or(at)
}

impl Log {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = Self::append(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size, max: MAX_SEGMENT, lost: 0 })
    }

    fn append(path: &Path) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(path)
    }

    /// Write whole entries.
    pub(crate) fn write(&mut self, entries: &[u8], now_ns: u64) {
        if entries.is_empty() {
            return;
        }
        if self.size >= self.max {
            self.rotate();
        }
        if self.lost > 0 {
            let note = format!("{now_ns} e [{} bytes of output could not be logged]\n", self.lost);
            if self.file.write_all(note.as_bytes()).is_err() {
                self.lost += entries.len() as u64;
                return;
            }
            self.lost = 0;
        }
        match self.file.write_all(entries) {
            Ok(()) => self.size += entries.len() as u64,
            Err(_) => self.lost += entries.len() as u64,
        }
    }

    fn rotate(&mut self) {
        let mut old = self.path.clone().into_os_string();
        old.push(".1");
        // When it fails the segment goes on growing, which loses nothing.
        if std::fs::rename(&self.path, old).is_ok()
            && let Ok(file) = Self::append(&self.path)
        {
            self.file = file;
            self.size = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::new('o', 0);
        let mut out = Vec::new();
        for chunk in chunks {
            lines.feed(chunk, 7, &mut out);
        }
        lines.finish(7, &mut out);
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_are_whole_whatever_the_chunks() {
        assert_eq!(entries(&[b"one\ntw", b"o\n", b"\n", b"three"]), ["7 o one", "7 o two", "7 o ", "7 o three"]);
        assert_eq!(entries(&[b"bad \xff byte\n"]), ["7 o bad \u{fffd} byte"]);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let exact = "x".repeat(MAX_LINE);
        assert_eq!(entries(&[exact.as_bytes(), b"\n"]).len(), 1);
        let long = format!("{}é{}", "x".repeat(MAX_LINE - 1), "y".repeat(MAX_LINE));
        let cut = entries(&[long.as_bytes()]);
        let texts: Vec<&str> = cut.iter().map(|l| l.strip_prefix("7 o ").unwrap()).collect();
        assert!(texts.iter().all(|t| t.len() <= MAX_LINE), "{:?}", texts.iter().map(|t| t.len()).collect::<Vec<_>>());
        assert_eq!(texts.concat(), long);
    }

    #[test]
    fn the_end_of_a_stream_is_kept_as_it_came() {
        let tail = |keep, chunks: &[&[u8]]| {
            let mut lines = Lines::new('o', keep);
            chunks.iter().for_each(|chunk| lines.feed(chunk, 7, &mut Vec::new()));
            lines.tail()
        };
        assert_eq!(tail(100, &[b"one\ntw", b"o\n"]), "one\ntwo\n");
        assert_eq!(tail(4, &[b"one\ntw", b"o\n"]), "two\n");
        assert_eq!(tail(4, &[b"123456", b"", b"7"]), "4567");
        assert_eq!(tail(3, &["aéé".as_bytes()]), "é");
        assert_eq!(tail(0, &[b"one"]), "");
    }

    #[test]
    fn one_old_segment_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Log::open(&path).unwrap();
        log.max = 10;
        for text in ["first entry\n", "second entry\n", "third\n"] {
            log.write(text.as_bytes(), 1);
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "third\n");
        assert_eq!(std::fs::read_to_string(dir.path().join("log.1")).unwrap(), "second entry\n");
    }
}
