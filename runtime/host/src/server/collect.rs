//! Takes what a run's monitor wrote into the lineage's log, and remembers how far it came.
//!
//! The monitor's format is `TIMESTAMP_NS o|e TEXT` a line, in `log`, rotated to `log.1`. Guarantees: no line is taken twice or left out as
//! long as the agent lives; after it was killed at most the last batch is taken twice.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::api::LogLine;
use crate::disk;

use super::logs::Logs;

/// Bytes taken at once.
const BATCH: u64 = 1 << 20;
/// Batches of one visit to a running program: one that prints faster than this must not keep the agent from all else.
const BATCHES: usize = 4;
/// Lines that health answers quote.
const LAST_LINES: usize = 20;

/// Whose lines they are.
#[derive(Clone, Debug)]
pub struct Source {
    /// The container's address.
    pub address: String,
    /// The container's id.
    pub object: String,
    /// The generation that made it.
    pub generation: Option<u64>,
    /// The run.
    pub run: u64,
}

/// How far the collector came in one run's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    inode: u64,
    offset: u64,
}

/// Collects one run.
#[derive(Debug)]
pub struct Collector {
    dir: PathBuf,
    source: Source,
    cursor: Cursor,
    last: VecDeque<String>,
}

impl Collector {
    /// For the run in `dir`, from where an earlier agent stopped.
    pub fn new(dir: &Path, source: Source) -> Self {
        // Without a readable cursor it begins again: lines twice are better than none.
        let cursor =
            fs::read(cursor_path(dir)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { dir: dir.to_owned(), source, cursor, last: VecDeque::new() }
    }

    /// Takes all that is there. Of a program that prints on, this may never end: see [`collect_some`](Self::collect_some).
    pub fn collect(&mut self, logs: &Logs) -> io::Result<()> {
        while self.batch(logs)? {}
        Ok(())
    }

    /// Takes a bounded part of what is there.
    pub fn collect_some(&mut self, logs: &Logs) -> io::Result<()> {
        for _ in 0..BATCHES {
            if !self.batch(logs)? {
                break;
            }
        }
        Ok(())
    }

    /// The run's last lines.
    pub fn last_lines(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }

    fn batch(&mut self, logs: &Logs) -> io::Result<bool> {
        let before = self.cursor;
        let rotated = self.dir.join("log.1");
        let mut lines = Vec::new();
        if self.cursor.inode != 0 && inode(&rotated)? == Some(self.cursor.inode) {
            self.read(&rotated, &mut lines)?;
            if self.cursor == before {
                self.cursor = Cursor::default();
            }
        } else {
            let log = self.dir.join("log");
            match inode(&log)? {
                Some(found) if found == self.cursor.inode => {}
                Some(found) => self.cursor = Cursor { inode: found, offset: 0 },
                None => return Ok(false),
            }
            self.read(&log, &mut lines)?;
        }
        if self.cursor == before {
            return Ok(false);
        }
        logs.append(lines)?;
        disk::replace_unsynced(&cursor_path(&self.dir), &serde_json::to_vec(&self.cursor)?)?;
        Ok(true)
    }

    fn read(&mut self, path: &Path, lines: &mut Vec<LogLine>) -> io::Result<()> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.cursor.offset))?;
        let mut bytes = Vec::new();
        file.take(BATCH).read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        bytes.truncate(whole);
        self.cursor.offset += u64::try_from(whole).unwrap_or(u64::MAX);
        for line in String::from_utf8_lossy(&bytes).lines() {
            let mut parts = line.splitn(3, ' ');
            let (Some(at_ns), Some(stream), Some(text)) = (parts.next(), parts.next(), parts.next()) else { continue };
            self.last.push_back(text.to_owned());
            if self.last.len() > LAST_LINES {
                self.last.pop_front();
            }
            lines.push(LogLine {
                seq: 0,
                at_ms: at_ns.parse::<u64>().unwrap_or(0) / 1_000_000,
                address: self.source.address.clone(),
                object: self.source.object.clone(),
                generation: self.source.generation,
                run: self.source.run,
                stream: if stream == "e" { "stderr" } else { "stdout" }.to_owned(),
                text: text.to_owned(),
            });
        }
        Ok(())
    }
}

fn cursor_path(dir: &Path) -> PathBuf {
    dir.join("collected")
}

fn inode(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(meta) => Ok(Some(meta.ino())),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use crate::api::LogQuery;

    use super::super::logs::Bounds;
    use super::*;

    fn source() -> Source {
        Source { address: "web".to_owned(), object: "a".to_owned(), generation: Some(2), run: 1 }
    }

    fn append(path: &Path, text: &str) {
        File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn lines_are_taken_once_across_rotation_and_agents() {
        let dir = tempfile::tempdir().unwrap();
        let logs = Logs::open(&dir.path().join("logs"), Bounds::default()).unwrap();
        let log = dir.path().join("log");
        let texts = || -> Vec<String> {
            logs.find(&LogQuery::default())
                .unwrap()
                .lines
                .into_iter()
                .map(|line| format!("{}:{}", line.stream, line.text))
                .collect()
        };
        let mut collector = Collector::new(dir.path(), source());
        collector.collect(&logs).unwrap();
        append(&log, "5000000 o one\n6000000 e two words\n7000000 o unfini");
        collector.collect(&logs).unwrap();
        assert_eq!(texts(), ["stdout:one", "stderr:two words"]);
        append(&log, "shed\n");
        fs::rename(&log, dir.path().join("log.1")).unwrap();
        append(&log, "8000000 o four\n");
        let mut collector = Collector::new(dir.path(), source());
        collector.collect(&logs).unwrap();
        collector.collect(&logs).unwrap();
        assert_eq!(texts()[2..], ["stdout:unfinished", "stdout:four"]);
        assert_eq!(collector.last_lines(), ["unfinished", "four"]);
        assert_eq!(logs.find(&LogQuery::default()).unwrap().lines[0].at_ms, 5);
    }
}
