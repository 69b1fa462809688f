//! One lineage's central log: what all its containers printed, kept after they are gone.
//!
//! JSON lines in `current.jsonl`; a full segment is compressed and renamed to `FIRST-LAST.jsonl.gz`; the oldest segments are
//! removed when there are too many bytes or when they are too old. Positions rise without end and are never used twice. Lines
//! are not synced: a power cut may lose the last ones, a killed agent loses none.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use imm_ir::Addr;
use tokio::sync::watch;

use crate::api::{LogLine, LogPage, LogQuery};
use crate::home::private_dir;

/// Lines of one answer, when the question does not say.
const DEFAULT_LIMIT: u64 = 10_000;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of the open segment.
    pub segment: u64,
    /// Bytes of all closed segments.
    pub closed: u64,
    /// Age of a closed segment.
    pub age: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { segment: 8 << 20, closed: 64 << 20, age: Duration::from_secs(30 * 24 * 3600) }
    }
}

/// One lineage's log, open for writing.
#[derive(Debug)]
pub struct Logs {
    dir: PathBuf,
    bounds: Bounds,
    inner: Mutex<Inner>,
    grown: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    size: u64,
    first: u64,
    next: u64,
}

impl Logs {
    /// Opens or makes the log in `dir`.
    pub fn open(dir: &Path, bounds: Bounds) -> io::Result<Self> {
        private_dir(dir)?;
        let path = dir.join("current.jsonl");
        let closed_to = closed(dir)?.last().map_or(0, |segment| segment.last);
        let (file, size) = open_current(&path)?;
        let mut inner = Inner { file, size, first: closed_to + 1, next: closed_to + 1 };
        for line in lines_of(&path, false)? {
            // After a crash between compressing a segment and removing it, its lines are in both.
            if line.seq >= inner.first {
                inner.next = line.seq + 1;
            }
        }
        if size > 0 && inner.next == inner.first {
            inner.file.set_len(0)?;
            inner.size = 0;
        }
        let grown = watch::Sender::new(inner.next);
        Ok(Self { dir: dir.to_owned(), bounds, inner: Mutex::new(inner), grown })
    }

    /// Appends lines; their `seq` is given here.
    pub fn append(&self, lines: Vec<LogLine>) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut inner = self.lock();
        let mut bytes = Vec::new();
        for mut line in lines {
            line.seq = inner.next;
            inner.next += 1;
            serde_json::to_writer(&mut bytes, &line)?;
            bytes.push(b'\n');
        }
        inner.file.write_all(&bytes)?;
        inner.size += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if inner.size >= self.bounds.segment {
            self.rotate(&mut inner)?;
        }
        self.grown.send_replace(inner.next);
        Ok(())
    }

    /// Lines that fit the question.
    pub fn find(&self, query: &LogQuery) -> io::Result<LogPage> {
        // Held while reading, so that no segment moves under the reader.
        let inner = self.lock();
        let limit = usize::try_from(query.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(usize::MAX);
        let mut sources: Vec<(PathBuf, u64, u64)> =
            closed(&self.dir)?.into_iter().map(|segment| (segment.path, segment.first, segment.last)).collect();
        sources.push((self.dir.join("current.jsonl"), inner.first, inner.next));
        let mut found = VecDeque::new();
        match query.after {
            Some(after) => {
                for (path, first, _) in sources.iter().filter(|(_, _, last)| *last > after) {
                    for line in lines_of(path, path.extension().is_some_and(|extension| extension == "gz"))? {
                        if line.seq >= *first && line.seq > after && found.len() < limit && fits(&line, query) {
                            found.push_back(line);
                        }
                    }
                }
                // When everything up to the end was read, also what did not fit need not be read again.
                let next =
                    if found.len() < limit { inner.next - 1 } else { found.back().map_or(after, |line| line.seq) };
                Ok(LogPage { lines: found.into(), next })
            }
            None => {
                for (path, first, _) in sources.iter().rev() {
                    let lines = lines_of(path, path.extension().is_some_and(|extension| extension == "gz"))?;
                    for line in lines.into_iter().rev().filter(|line| line.seq >= *first && fits(line, query)) {
                        if found.len() < limit {
                            found.push_front(line);
                        }
                    }
                    if found.len() >= limit {
                        break;
                    }
                }
                Ok(LogPage { lines: found.into(), next: inner.next - 1 })
            }
        }
    }

    /// Rises with every line; for those who wait.
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rotate(&self, inner: &mut Inner) -> io::Result<()> {
        let current = self.dir.join("current.jsonl");
        let aside = self.dir.join("closing.new");
        let mut encoder = GzEncoder::new(File::create(&aside)?, Compression::fast());
        io::copy(&mut File::open(&current)?, &mut encoder)?;
        encoder.finish()?;
        fs::rename(&aside, self.dir.join(format!("{:015}-{:015}.jsonl.gz", inner.first, inner.next - 1)))?;
        inner.file.set_len(0)?;
        inner.size = 0;
        inner.first = inner.next;
        self.forget_old()
    }

    fn forget_old(&self) -> io::Result<()> {
        let mut kept = 0u64;
        for segment in closed(&self.dir)?.into_iter().rev() {
            let meta = fs::metadata(&segment.path)?;
            kept = kept.saturating_add(meta.len());
            let age = SystemTime::now().duration_since(meta.modified()?).unwrap_or_default();
            if kept > self.bounds.closed || age > self.bounds.age {
                fs::remove_file(&segment.path)?;
            }
        }
        Ok(())
    }
}

struct Segment {
    path: PathBuf,
    first: u64,
    last: u64,
}

fn open_current(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    // A line that was cut short by a full disk would spoil the next one.
    let bytes = fs::read(path)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let size = u64::try_from(whole).unwrap_or(u64::MAX);
    if whole < bytes.len() {
        file.set_len(size)?;
    }
    Ok((file, size))
}

/// Closed segments, oldest first.
fn closed(dir: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some((first, last)) = name.to_str().and_then(|name| name.strip_suffix(".jsonl.gz")?.split_once('-')) else {
            continue;
        };
        if let (Ok(first), Ok(last)) = (first.parse(), last.parse()) {
            segments.push(Segment { path: entry.path(), first, last });
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

fn lines_of(path: &Path, compressed: bool) -> io::Result<Vec<LogLine>> {
    let file = File::open(path)?;
    let reader: Box<dyn io::BufRead> =
        if compressed { Box::new(BufReader::new(GzDecoder::new(file))) } else { Box::new(BufReader::new(file)) };
    let mut lines = Vec::new();
    for line in reader.lines() {
        // A line that cannot be read is one less, not the end of the log.
        if let Ok(line) = serde_json::from_str(&line?) {
            lines.push(line);
        }
    }
    Ok(lines)
}

fn fits(line: &LogLine, query: &LogQuery) -> bool {
    let within = |prefix: &String| match (Addr::parse(&line.address), Addr::parse(prefix)) {
        (Ok(address), Ok(prefix)) => address.is_within(&prefix),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => line.address == *prefix,
    };
    query.object.as_ref().is_none_or(|object| *object == line.object)
        && query.address.as_ref().is_none_or(within)
        && query.generation.is_none_or(|generation| Some(generation) == line.generation)
        && query.since_ms.is_none_or(|since| line.at_ms >= since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(object: &str, text: &str) -> LogLine {
        LogLine {
            seq: 0,
            at_ms: 5,
            address: format!("web[\"{object}\"]"),
            object: object.to_owned(),
            generation: Some(1),
            run: 1,
            stream: "stdout".to_owned(),
            text: text.to_owned(),
        }
    }

    fn texts(page: &LogPage) -> Vec<&str> {
        page.lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn lines_are_found_by_object_address_and_position() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::open(dir.path(), Bounds::default()).unwrap();
        logs.append(vec![line("a", "1"), line("b", "2"), line("a", "3")]).unwrap();
        let all = logs.find(&LogQuery::default()).unwrap();
        assert_eq!((texts(&all), all.next), (vec!["1", "2", "3"], 3));
        let of_a = LogQuery { object: Some("a".to_owned()), after: Some(1), ..LogQuery::default() };
        assert_eq!(texts(&logs.find(&of_a).unwrap()), ["3"]);
        let below = LogQuery { address: Some("web".to_owned()), limit: Some(2), ..LogQuery::default() };
        assert_eq!(texts(&logs.find(&below).unwrap()), ["2", "3"]);
        let other = LogQuery { address: Some("we".to_owned()), ..LogQuery::default() };
        assert!(logs.find(&other).unwrap().lines.is_empty());
        let later = LogQuery { since_ms: Some(6), ..LogQuery::default() };
        assert!(logs.find(&later).unwrap().lines.is_empty());
    }

    #[test]
    fn segments_are_closed_read_and_in_the_end_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let bounds = Bounds { segment: 300, closed: 500, age: Duration::from_secs(3600) };
        let logs = Logs::open(dir.path(), bounds).unwrap();
        for number in 1..=6 {
            logs.append(vec![line("a", &number.to_string())]).unwrap();
        }
        assert!(!closed(dir.path()).unwrap().is_empty());
        assert_eq!(texts(&logs.find(&LogQuery::default()).unwrap()), ["1", "2", "3", "4", "5", "6"]);
        let page = logs.find(&LogQuery { after: Some(3), limit: Some(2), ..LogQuery::default() }).unwrap();
        assert_eq!((texts(&page), page.next), (vec!["4", "5"], 5));
        for number in 7..=60 {
            logs.append(vec![line("a", &number.to_string())]).unwrap();
        }
        let left = logs.find(&LogQuery::default()).unwrap();
        assert!(left.lines[0].seq > 1 && left.next == 60, "{}", left.lines[0].seq);
        let logs = Logs::open(dir.path(), bounds).unwrap();
        logs.append(vec![line("a", "last")]).unwrap();
        assert_eq!(logs.find(&LogQuery { after: Some(60), ..LogQuery::default() }).unwrap().lines[0].seq, 61);
    }

    #[test]
    fn a_line_that_was_cut_short_spoils_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::open(dir.path(), Bounds::default()).unwrap();
        logs.append(vec![line("a", "1")]).unwrap();
        drop(logs);
        let path = dir.path().join("current.jsonl");
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("{\"seq\":2,");
        fs::write(&path, text).unwrap();
        let logs = Logs::open(dir.path(), Bounds::default()).unwrap();
        logs.append(vec![line("a", "2")]).unwrap();
        assert_eq!(texts(&logs.find(&LogQuery::default()).unwrap()), ["1", "2"]);
    }
}
