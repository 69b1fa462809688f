//! The thread that looks for what is wrong.
//!
//! A small program is looked at as a whole after each change. In a large one first at what the change is about, and at the
//! whole when nothing was typed for [`PAUSE`]; that look ends in the middle when something is.

use super::documents::EditorWorld;
use super::report::{Shown, problems};
use super::wanted::Wanted;
use super::worker::options;
use super::workspace::{Snapshot, root_of};
use imm_compiler::ide::Problems;
use imm_compiler::stop::{Ended, Stop, unless};
use imm_ir::{Diagnostic, Sources};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long nothing must be typed until a large program is looked at as a whole.
pub const PAUSE: Duration = Duration::from_millis(150);

/// Programs with more bytes are large: a whole look takes longer than a keystroke may.
const LARGE: usize = 100_000;

/// A program to look at.
pub struct Look {
    /// The program as it is.
    pub snapshot: Snapshot,
    /// Which moment of the loop's that is.
    pub revision: u64,
}

/// A program that was looked at.
pub struct Checked {
    /// Its root.
    pub root: PathBuf,
    /// The moment it was looked at.
    pub revision: u64,
    /// Nothing was left out.
    pub whole: bool,
    /// Its files.
    pub sources: Sources,
    /// The files that were read or looked for, and the folders that were listed.
    pub read: BTreeSet<PathBuf>,
    /// What is wrong, as data for code actions.
    pub diagnostics: Vec<Diagnostic>,
    /// The same in the protocol's words.
    pub problems: Shown,
}

impl Checked {
    /// Whether the program reads a file, or lists the folder that it is in.
    pub fn reads(&self, path: &Path) -> bool {
        self.read.contains(path) || path.parent().is_some_and(|folder| self.read.contains(folder))
    }
}

/// What a look came to.
pub enum Seen {
    /// What is wrong.
    Checked(Box<Checked>),
    /// It failed inside of imm.
    Broken(PathBuf),
}

/// Looks until the loop hangs up.
pub fn work(looks: &Receiver<Look>, seen: &dyn Fn(Seen) -> bool, wanted: &Wanted) {
    let mut known: BTreeMap<PathBuf, Problems> = BTreeMap::new();
    // Programs of which not everything was looked at yet, and when they will be.
    let mut waiting: BTreeMap<PathBuf, Look> = BTreeMap::new();
    let mut due = Instant::now();
    loop {
        let next = if waiting.is_empty() {
            looks.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            looks.recv_timeout(due.saturating_duration_since(Instant::now()))
        };
        let (whole, asked): (bool, Vec<Look>) = match next {
            Ok(look) => {
                let mut newest = BTreeMap::from([(look.snapshot.root.clone(), look)]);
                newest.extend(looks.try_iter().map(|look| (look.snapshot.root.clone(), look)));
                waiting.retain(|root, _| !newest.contains_key(root));
                (false, newest.into_values().collect())
            }
            Err(RecvTimeoutError::Timeout) => (true, std::mem::take(&mut waiting).into_values().collect()),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        for look in asked {
            let root = look.snapshot.root.clone();
            let whole = whole || look.snapshot.analysis.size() <= LARGE || !known.contains_key(&root);
            let found = look.take(whole, &mut known, wanted);
            if !whole || found.is_err() {
                waiting.insert(root, look);
            }
            if found.is_ok_and(|found| !seen(found)) {
                return;
            }
        }
        due = Instant::now() + PAUSE;
    }
}

/// Something was typed before a look was done.
struct Unwanted;

impl Look {
    fn take(&self, whole: bool, known: &mut BTreeMap<PathBuf, Problems>, wanted: &Wanted) -> Result<Seen, Unwanted> {
        let Self { snapshot, revision } = self;
        let root = snapshot.root.clone();
        let world = EditorWorld::new(&snapshot.documents);
        let before = known.get(&root);
        // The first look is never ended: without it there is nothing to begin with.
        let stop: Stop = if before.is_some() { wanted.until_changed() } else { Arc::new(|| false) };
        let found = unless(stop, || match before.filter(|_| !whole) {
            Some(before) => snapshot.analysis.problems_since(before, &world, &options()),
            None => snapshot.analysis.problems(&world, &options()),
        });
        match found {
            Ok(found) => {
                let (sources, diagnostics) = found.shown();
                if snapshot.analysis.size() > LARGE {
                    // Others are looked at as a whole anyway.
                    known.retain(|other, _| snapshot.documents.keys().any(|path| root_of(path) == *other));
                    known.insert(root.clone(), found);
                }
                let problems = problems(&root, &snapshot.documents, snapshot.encoding, &sources, &diagnostics);
                let mut read = world.into_read();
                read.extend(snapshot.read.iter().cloned());
                let revision = *revision;
                Ok(Seen::Checked(Box::new(Checked { root, revision, whole, sources, read, diagnostics, problems })))
            }
            Err(Ended::Stopped) => Err(Unwanted),
            Err(Ended::Panicked(_)) => Ok(Seen::Broken(root)),
        }
    }
}
