//! The state as it is written down beside the entries, in rows that are changed together with them: a start reads these and
//! folds only the entries that came after.
//!
//! Guarantees: rows that are damaged, of another format or of another chain are not used: the sum over all of them, and the
//! hash of the entry that they speak of, are in the head row. Then the state is folded from the entries and the rows are
//! written anew. They say nothing that the entries do not, and never more than these.
//!
//! Rows lag behind while an apply is open: what it changes is written down when it ends, or after [`LAG`] entries.

use super::consist::Places;
use super::objects::{Recall, Recalled, Written};
use super::{Apply, Consist, Generation, Object, ObjectState, Objects, Pointer, Replacements, State};
use crate::entry::{Claim, ConsentKind};
use crate::id::{ApplyId, Lineage, ObjectId};
use imm_ir::{Addr, Class, Digest, Nature};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The format of the rows that this version reads and writes.
const FORMAT: u16 = 2;

/// An open apply may add so many entries before its state so far is written down.
pub const LAG: u64 = 20_000;

/// What a row is about; rows are read in this order, numbers within.
const HEAD: u8 = 0;
const APPLY: u8 = 1;
const OBJECT: u8 = 2;
const POINTER: u8 = 3;
const GENERATION: u8 = 4;
const CONSENTS: u8 = 5;

/// A row: what it is about, its number there, its bytes; `None`: it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is about.
    pub part: u8,
    /// Which one.
    pub number: u64,
    /// What it says.
    pub bytes: Option<Vec<u8>>,
}

impl Row {
    /// The place of the object that it is about.
    pub fn object(&self) -> Option<usize> {
        usize::try_from(self.number).ok().filter(|_| self.part == OBJECT)
    }

    /// For people.
    pub fn name(part: u8, number: u64) -> String {
        match part {
            HEAD => "the head of what is written down".to_owned(),
            APPLY => format!("apply {}", number + 1),
            OBJECT => format!("object {}", number + 1),
            POINTER => format!("the setting of object {}", number + 1),
            GENERATION => format!("generation {number}"),
            _consents => "the consents".to_owned(),
        }
    }
}

/// What a row adds to the sum over all rows. Order does not matter to it, so that a changed row costs its own bytes.
pub fn weight(part: u8, number: u64, bytes: &[u8]) -> u64 {
    let mut mixed = u64::from(crc32fast::hash(bytes)) ^ number.rotate_left(32) ^ (u64::from(part) << 56);
    // The finish of splitmix64.
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: u16,
    seq: u64,
    hash: Digest,
    /// Of all other rows.
    sum: u64,
    fence: u64,
    at_ms: i64,
    entries: u16,
    lineage: Option<Lineage>,
    environment: String,
    digest_key: Option<Digest>,
    recipients: Vec<String>,
    current: Option<u64>,
    signal: u64,
    merged: BTreeMap<String, u64>,
    objects: u64,
}

#[derive(Serialize, Deserialize)]
struct ObjectRow<'a> {
    id: ObjectId,
    address: &'a str,
    class: Class,
    nature: Nature,
    kind: &'a str,
    provider: &'a str,
    spec: Digest,
    bindings: Vec<ObjectId>,
    serial: u64,
    state: ObjectState,
    made_dormant: bool,
    undone: bool,
    drifted: bool,
    adopted: bool,
    /// It is in the newest generation, at its address.
    in_use: bool,
    ended: Option<i32>,
    claims: Vec<Claim>,
    /// Place of the apply.
    made_by: u64,
    since: Option<u64>,
    gone_at_ms: Option<i64>,
    replaced: Option<Replacements>,
    details: Written,
}

#[derive(Serialize, Deserialize)]
struct GenerationRow {
    commit: u64,
    parent: Option<u64>,
    apply: u64,
    graph_root: Digest,
    format: u16,
    record: Digest,
    outputs: Digest,
    rolled_back_from: bool,
    proven_at_ms: Option<i64>,
    expired: bool,
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_stdvec(value)
}

impl State {
    /// Whether the rows are to be changed now, when they were last at entry `written`.
    pub fn due(&self, written: u64) -> bool {
        self.open_apply().is_none() || self.seq >= written + LAG
    }

    /// The rows of what changed since [`written`](Self::written), but for the head.
    ///
    /// # Errors
    /// Something cannot be encoded; nothing known does that.
    pub fn changed_rows(&self) -> Result<Vec<Row>, postcard::Error> {
        let mut rows = Vec::new();
        let mut add = |part, number: usize, bytes| rows.push(Row { part, number: number as u64, bytes });
        for (at, apply) in self.applies.changed() {
            add(APPLY, at, Some(encode(apply)?));
        }
        let places: BTreeMap<ApplyId, u64> = self.applies.iter().zip(0..).map(|(a, at)| (a.id, at)).collect();
        let place = |id: &ApplyId| places.get(id).copied().unwrap_or(u64::MAX);
        let now = self.generation().map(|g| &**g.objects);
        for at in self.objects.changed() {
            let Some((id, object)) = self.objects.get_index(at) else { continue };
            let in_use = now.is_some_and(|now| now.get(&object.address) == Some(id));
            add(OBJECT, at, Some(encode(&ObjectRow::of(*id, object, in_use, place(&object.made_by)))?));
        }
        for (id, pointer) in self.pointers.changed() {
            let Some(at) = self.objects.get_index_of(&id) else { continue };
            add(POINTER, at, pointer.map(encode).transpose()?);
        }
        for (number, generation) in self.generations.changed() {
            let bytes = generation.map(|g| encode(&GenerationRow::of(g, place(&g.apply)))).transpose()?;
            add(GENERATION, usize::try_from(number).unwrap_or(usize::MAX), bytes);
        }
        add(CONSENTS, 0, Some(encode(&self.consents)?));
        Ok(rows)
    }

    /// The head row: after this entry, with this sum over all other rows.
    ///
    /// # Errors
    /// Something cannot be encoded; nothing known does that.
    pub fn head_row(&self, hash: Digest, sum: u64) -> Result<Row, postcard::Error> {
        let head = Head {
            format: FORMAT,
            seq: self.seq,
            hash,
            sum,
            fence: self.fence,
            at_ms: self.at_ms,
            entries: self.format,
            lineage: self.lineage,
            environment: self.environment.clone(),
            digest_key: self.digest_key,
            recipients: self.recipients.clone(),
            current: self.current,
            signal: self.signal,
            merged: self.merged.clone(),
            objects: self.objects.len() as u64,
        };
        let mut bytes = encode(&head)?;
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        Ok(Row { part: HEAD, number: 0, bytes: Some(bytes) })
    }

    /// The rows are on the disk.
    pub fn written(&mut self) {
        self.applies.written();
        self.objects.written();
        self.pointers.written();
        self.generations.written();
    }
}

impl<'a> ObjectRow<'a> {
    fn of(id: ObjectId, object: &'a Object, in_use: bool, made_by: u64) -> Self {
        Self {
            id,
            address: object.address.as_str(),
            class: object.class,
            nature: object.nature,
            kind: &object.kind,
            provider: &object.provider,
            spec: object.spec,
            bindings: object.bindings.clone(),
            serial: object.serial,
            state: object.state,
            made_dormant: object.made_dormant,
            undone: object.undone,
            drifted: object.drifted,
            adopted: object.adopted,
            in_use,
            ended: object.ended,
            claims: object.claims.clone(),
            made_by,
            since: object.since,
            gone_at_ms: object.gone_at_ms,
            replaced: object.replaced.as_deref().cloned(),
            details: object.details.write(),
        }
    }
}

impl GenerationRow {
    fn of(generation: &Generation, apply: u64) -> Self {
        Self {
            commit: generation.objects.commit(),
            parent: generation.parent,
            apply,
            graph_root: generation.graph_root,
            format: generation.format,
            record: generation.record,
            outputs: generation.outputs,
            rolled_back_from: generation.rolled_back_from,
            proven_at_ms: generation.proven_at_ms,
            expired: generation.expired,
        }
    }
}

/// Rows on their way to a state.
#[derive(Debug)]
pub struct Reading {
    from: Arc<Recall>,
    state: State,
    hash: Digest,
    /// What the head says; then what was seen.
    sums: (u64, u64),
    objects: u64,
    in_use: Vec<(Addr, ObjectId)>,
    names: Vec<Arc<str>>,
    /// All rows were sound so far, and there was a head.
    sound: bool,
}

impl Reading {
    /// Nothing was read yet. Details are read through `from` later.
    pub fn new(from: Arc<Recall>) -> Self {
        let (in_use, names) = (Vec::new(), Vec::new());
        let hash = Digest([0; 32]);
        Self { from, state: State::default(), hash, sums: (0, 0), objects: 0, in_use, names, sound: false }
    }

    /// Takes in one row.
    pub fn row(&mut self, part: u8, number: u64, bytes: &[u8]) {
        if part == HEAD {
            self.sound = self.head(bytes).is_some();
        } else if self.sound {
            let weight = weight(part, number, bytes);
            self.sums.1 = self.sums.1.wrapping_add(weight);
            self.sound = self.other(part, number, bytes, weight).is_some();
        }
    }

    /// The entry that the rows speak of, with its hash; `None` when they are of no use.
    pub fn end(&self) -> Option<(u64, Digest)> {
        let whole = self.sound && self.sums.0 == self.sums.1 && self.objects == self.state.objects.len() as u64;
        whole.then_some((self.state.seq, self.hash))
    }

    /// The state, and the sum over its rows.
    pub fn finish(self) -> (State, u64) {
        (self.state, self.sums.0)
    }

    fn head(&mut self, bytes: &[u8]) -> Option<()> {
        let (bytes, sum) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(bytes).to_le_bytes() != *sum || postcard::take_from_bytes::<u16>(bytes).ok()?.0 != FORMAT {
            return None;
        }
        let head: Head = postcard::from_bytes(bytes).ok()?;
        (self.hash, self.sums, self.objects) = (head.hash, (head.sum, 0), head.objects);
        // A head that lies about this is found by its sum only now: no memory is set aside for what cannot be.
        let count = usize::try_from(head.objects.min(head.seq)).ok()?;
        self.state = State {
            seq: head.seq,
            fence: head.fence,
            at_ms: head.at_ms,
            format: head.entries,
            lineage: head.lineage,
            environment: head.environment,
            digest_key: head.digest_key,
            recipients: head.recipients,
            current: head.current,
            signal: head.signal,
            merged: head.merged,
            objects: Objects::with_capacity(count),
            ..State::default()
        };
        self.in_use.reserve_exact(count);
        Some(())
    }

    fn other(&mut self, part: u8, number: u64, bytes: &[u8], weight: u64) -> Option<()> {
        let place = usize::try_from(number).ok()?;
        match part {
            APPLY => self.state.applies.restore(postcard::from_bytes::<Apply>(bytes).ok()?),
            OBJECT => self.object(postcard::from_bytes(bytes).ok()?, weight)?,
            POINTER => {
                let (id, _) = self.state.objects.get_index(place)?;
                self.state.pointers.restore(*id, postcard::from_bytes::<Pointer>(bytes).ok()?);
            }
            GENERATION => self.generation(number, &postcard::from_bytes(bytes).ok()?)?,
            CONSENTS => {
                self.state.consents =
                    postcard::from_bytes::<std::collections::BTreeSet<(ConsentKind, ObjectId)>>(bytes).ok()?;
            }
            _other => return None,
        }
        Some(())
    }

    fn object(&mut self, row: ObjectRow<'_>, weight: u64) -> Option<()> {
        let object = Object {
            address: Addr::recorded(row.address),
            class: row.class,
            nature: row.nature,
            kind: self.name(row.kind),
            provider: self.name(row.provider),
            spec: row.spec,
            bindings: row.bindings,
            serial: row.serial,
            state: row.state,
            made_dormant: row.made_dormant,
            ended: row.ended,
            undone: row.undone,
            claims: row.claims,
            made_by: self.apply(row.made_by)?,
            since: row.since,
            drifted: row.drifted,
            adopted: row.adopted,
            gone_at_ms: row.gone_at_ms,
            replaced: row.replaced.map(Box::new),
            details: Recalled::restored(row.details, &self.from),
        };
        if row.in_use {
            self.in_use.push((object.address.clone(), row.id));
        }
        self.state.objects.restore(row.id, object, weight);
        Some(())
    }

    fn generation(&mut self, number: u64, row: &GenerationRow) -> Option<()> {
        let known = (self.state.current == Some(number)).then(|| Places::new(std::mem::take(&mut self.in_use)));
        let parent = row.parent.and_then(|p| self.state.generations.get(&p)).map(|g| Arc::clone(&g.objects));
        let generation = Generation {
            parent: row.parent,
            apply: self.apply(row.apply)?,
            graph_root: row.graph_root,
            format: row.format,
            record: row.record,
            objects: Arc::new(Consist::restored(row.commit, parent, known, &self.from)),
            outputs: row.outputs,
            rolled_back_from: row.rolled_back_from,
            proven_at_ms: row.proven_at_ms,
            expired: row.expired,
        };
        self.state.generations.restore(number, generation);
        Some(())
    }

    fn apply(&self, place: u64) -> Option<ApplyId> {
        self.state.applies.get(usize::try_from(place).ok()?).map(|a| a.id)
    }

    /// Kinds and providers are few.
    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.iter().find(|known| &***known == name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(name);
        self.names.push(Arc::clone(&new));
        new
    }
}
