//! The objects of a record, and the part of each that is read only when somebody asks.
//!
//! A start loads of every object what a plan compares: address, spec, bindings, state. The rest ([`Details`]) stays in the
//! entries that told it, which never change, and is read from there at first use; `object.handle` reads as if it was a
//! field. What cannot be read then is not there, and [`Recall::failed`] says so: the ledger refuses to go on.

use super::Object;
use crate::entry::{Adopted, Body, CreateIntent, Entry};
use crate::id::ObjectId;
use crate::provider::Handle;
use imm_ir::{CreateMode, Digest, Fields, FindMode, Value};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Object ids are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prefix(u64);

impl Hasher for Prefix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

/// All objects in the order in which they were planned first, and which of them changed since they were written down.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    all: IndexMap<ObjectId, Object, BuildHasherDefault<Prefix>>,
    changed: BTreeSet<usize>,
    /// What the row of each adds to the sum over all rows, as it is written down; 0: it is not.
    weights: Vec<u64>,
}

impl Objects {
    pub(super) fn with_capacity(count: usize) -> Self {
        Self {
            all: IndexMap::with_capacity_and_hasher(count, BuildHasherDefault::default()),
            changed: BTreeSet::new(),
            weights: Vec::with_capacity(count),
        }
    }

    /// An object.
    pub fn get(&self, id: &ObjectId) -> Option<&Object> {
        self.all.get(id)
    }

    /// An object, to be changed.
    pub fn get_mut(&mut self, id: &ObjectId) -> Option<&mut Object> {
        let (at, _, object) = self.all.get_full_mut(id)?;
        self.changed.insert(at);
        Some(object)
    }

    /// Adds an object, or puts it in the place of the one with this id.
    pub fn insert(&mut self, id: ObjectId, object: Object) {
        self.changed.insert(self.all.insert_full(id, object).0);
    }

    /// As it was written down: nothing changed.
    pub(super) fn restore(&mut self, id: ObjectId, object: Object, weight: u64) {
        let (at, _) = self.all.insert_full(id, object);
        self.weigh(at, weight);
    }

    /// Takes down what the row of an object weighs from now on; answers what it weighed before.
    pub(crate) fn weigh(&mut self, place: usize, weight: u64) -> u64 {
        if self.weights.len() <= place {
            self.weights.resize(place + 1, 0);
        }
        self.weights.get_mut(place).map_or(0, |known| std::mem::replace(known, weight))
    }

    /// Says that what is written down of it is no longer true.
    pub(super) fn touch(&mut self, id: &ObjectId) {
        self.changed.extend(self.all.get_index_of(id));
    }

    /// What changed since the last time, by its place.
    pub(super) fn changed(&self) -> impl Iterator<Item = usize> {
        self.changed.iter().copied()
    }

    pub(super) fn written(&mut self) {
        self.changed.clear();
    }

    /// All of them, without their names.
    pub fn into_values(self) -> impl Iterator<Item = Object> {
        self.all.into_values()
    }
}

impl Deref for Objects {
    type Target = IndexMap<ObjectId, Object, BuildHasherDefault<Prefix>>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl<'a> IntoIterator for &'a Objects {
    type Item = (&'a ObjectId, &'a Object);
    type IntoIter = indexmap::map::Iter<'a, ObjectId, Object>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}

impl PartialEq for Objects {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

/// Reads entries again, by their number.
pub struct Recall {
    read: Box<dyn Fn(u64) -> Option<Entry> + Send + Sync>,
    failed: AtomicBool,
}

impl std::fmt::Debug for Recall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recall")
    }
}

impl Recall {
    /// Reads through this.
    pub fn new(read: impl Fn(u64) -> Option<Entry> + Send + Sync + 'static) -> Self {
        Self { read: Box::new(read), failed: AtomicBool::new(false) }
    }

    /// The body of an entry; `None`, and failed from then on, when it cannot be read.
    pub(super) fn body(&self, seq: u64) -> Option<Body> {
        let found = (self.read)(seq);
        if found.is_none() {
            self.failed.store(true, Ordering::Relaxed);
        }
        found.map(|entry| entry.body)
    }

    /// Whether something could not be read: then what was answered is not to be relied on.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

/// What is recorded of an object beside what a plan compares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// The objects it only comes after.
    pub after: Vec<ObjectId>,
    /// How its provider names it; absent until it was acknowledged.
    pub handle: Option<Handle>,
    /// What it gave.
    pub outputs: Fields<Value>,
    /// Names its inputs.
    pub inputs: Digest,
    /// Its inputs, where they are short; else they are a blob.
    pub inline: Vec<u8>,
    /// Movable inputs of a durable, as it was made with them; of a job what undoing it needs to know.
    pub cells: Fields<Value>,
    /// Whether a create may be repeated.
    pub create: CreateMode,
    /// How it is found.
    pub find: FindMode,
    /// In what it is not as it is declared, of what was taken over: name, declared, observed.
    pub differs: Vec<(String, String, String)>,
}

static NOTHING: Details = Details {
    after: Vec::new(),
    handle: None,
    outputs: Fields::new(),
    inputs: Digest([0; 32]),
    inline: Vec::new(),
    cells: Fields::new(),
    create: CreateMode::Once,
    find: FindMode::None,
    differs: Vec::new(),
};

impl Details {
    fn planned(intent: &CreateIntent) -> Self {
        Self {
            after: intent.after.clone(),
            handle: None,
            outputs: Fields::new(),
            inputs: intent.inputs,
            inline: intent.inline.clone(),
            cells: intent.cells.clone(),
            create: intent.create,
            find: intent.find,
            differs: Vec::new(),
        }
    }

    fn adopted(adopted: &Adopted) -> Self {
        Self {
            handle: Some(adopted.handle.clone()),
            outputs: adopted.outputs.clone(),
            differs: adopted.differs.clone(),
            ..Self::planned(&adopted.declared)
        }
    }

    fn hear(&mut self, body: &Body) {
        match body {
            Body::Created { handle, outputs, .. } => {
                self.handle = Some(handle.clone());
                self.outputs.clone_from(outputs);
            }
            Body::JobFinished { outputs, .. } => self.outputs.clone_from(outputs),
            _nothing => {}
        }
    }
}

/// Where the details of an object are told: the entries that planned it, made it and ended it, 0 for none.
pub(super) type Told = [u64; 3];

/// How details are written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Written {
    /// Not at all: entries tell them.
    Told(Told),
    /// Whole: they were changed by something else than those entries.
    Whole(Box<Details>),
}

/// Details, known or to be read from the entries that told them.
#[derive(Clone, Debug)]
pub struct Recalled {
    known: OnceLock<Box<Details>>,
    told: Told,
    from: Option<Arc<Recall>>,
    /// They are no longer what those entries told.
    own: Option<Box<Details>>,
}

impl Recalled {
    pub(super) fn planned(intent: &CreateIntent, seq: u64) -> Self {
        Self { known: OnceLock::from(Box::new(Details::planned(intent))), told: [seq, 0, 0], from: None, own: None }
    }

    pub(super) fn adopted(adopted: &Adopted, seq: u64) -> Self {
        let known = OnceLock::from(Box::new(Details::adopted(adopted)));
        Self { known, told: [seq, 0, 0], from: None, own: None }
    }

    pub(super) fn restored(written: Written, from: &Arc<Recall>) -> Self {
        let (told, own) = match written {
            Written::Told(told) => (told, None),
            Written::Whole(details) => ([0; 3], Some(details)),
        };
        Self { known: OnceLock::new(), told, from: Some(Arc::clone(from)), own }
    }

    /// Takes in what an entry says. Any other change is written down whole.
    pub(super) fn hear(&mut self, seq: u64, body: &Body) {
        let slot = match body {
            Body::Created { .. } => 1,
            Body::JobFinished { .. } => 2,
            _nothing => return,
        };
        if let Some(own) = &mut self.own {
            own.hear(body);
            return;
        }
        if let Some(known) = self.known.get_mut() {
            known.hear(body);
        }
        if let Some(told) = self.told.get_mut(slot) {
            *told = seq;
        }
    }

    pub(super) fn write(&self) -> Written {
        self.own.as_ref().map_or(Written::Told(self.told), |own| Written::Whole(own.clone()))
    }

    fn get(&self) -> &Details {
        if let Some(known) = self.own.as_ref().or(self.known.get()) {
            return known;
        }
        self.read().map_or(&NOTHING, |details| self.known.get_or_init(|| Box::new(details)))
    }

    fn read(&self) -> Option<Details> {
        let from = self.from.as_ref()?;
        let mut bodies = self.told.iter().filter(|seq| **seq > 0).map(|seq| from.body(*seq));
        let mut details = match bodies.next()?? {
            Body::IntentCreate(intent) => Details::planned(&intent),
            Body::Adopted(adopted) => Details::adopted(&adopted),
            _other => return None,
        };
        for body in bodies {
            details.hear(&body?);
        }
        Some(details)
    }

    fn own_mut(&mut self) -> &mut Details {
        if self.own.is_none() {
            let known = self.known.take().or_else(|| self.read().map(Box::new));
            self.own = known;
        }
        self.own.get_or_insert_with(|| Box::new(NOTHING.clone()))
    }
}

impl PartialEq for Recalled {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Deref for Object {
    type Target = Details;

    fn deref(&self) -> &Details {
        self.details.get()
    }
}

impl DerefMut for Object {
    fn deref_mut(&mut self) -> &mut Details {
        self.details.own_mut()
    }
}
