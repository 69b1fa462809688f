//! What a kind of node is: its fields, outputs and what the engine may do with it. Schemas are data; platforms implement
//! them and a test compares.

use crate::{Type, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the engine may do with a node. The keyword in front of its declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Disposable: created, verified, destroyed; never changed.
    Resource,
    /// Holds state: created once, destroyed only with recorded consent.
    Durable,
    /// The only thing that moves: prepared once, then switched.
    Pointer,
    /// Not ours: read.
    External,
}

impl Class {
    /// The keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Durable => "durable",
            Self::Pointer => "pointer",
            Self::External => "external",
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.keyword())
    }
}

/// How objects of a kind behave beyond their class (engine-reference, "An object").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Nature {
    /// Runs and has a level of health; can be dormant.
    Process,
    /// Runs once to its end.
    Job,
    /// Content-addressed bytes: absent, present, released; never destroyed, left to gc.
    Content,
    /// Exists or does not; dormant means running.
    Plain,
}

/// What a change of a field does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FieldClass {
    /// A change is a new object.
    Identity,
    /// Switched in place of a durable or pointer by compare-and-swap.
    Movable,
    /// Read by the engine or delivered with the manifest; replaces nothing.
    Policy,
    /// Decides which nodes exist; not an input of any object.
    Shape,
}

/// One input of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldSchema {
    /// Its name.
    pub name: Arc<str>,
    /// Its type. A field that takes late values has a `~T`, one that takes secrets a `Secret[T]` inside.
    pub ty: Type,
    /// What a change does.
    pub class: FieldClass,
    /// Must be given.
    pub required: bool,
    /// What it is when left out; `none` for an optional field.
    pub default: Option<Value>,
    /// Set when it will go away.
    pub deprecated: Option<Deprecation>,
    /// One sentence for people.
    pub doc: Arc<str>,
}

/// That a field or kind will go away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deprecation {
    /// The version of the platform that said so first.
    pub since: Arc<str>,
    /// The name that is written in its place, if one is.
    pub instead: Option<Arc<str>>,
}

/// One output of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputSchema {
    /// Its name.
    pub name: Arc<str>,
    /// Its type, `~T` unless it is known at plan.
    pub ty: Type,
    /// Where it comes from.
    pub from: OutputFrom,
    /// One sentence for people.
    pub doc: Arc<str>,
}

/// Where an output's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputFrom {
    /// The provider, after create (for a pointer: after reserve).
    Provider,
    /// The input of this name.
    Input(Arc<str>),
    /// The hexadecimal spec digest.
    Spec,
    /// The map of expanded members.
    Members,
}

/// A kind that is written as one node and becomes several (`service` becomes `instance: container × replicas`). The
/// expanded node is no object: it has no id and no entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expansion {
    /// Kind of the members.
    pub kind: Arc<str>,
    /// Name of the map of members, `instance`.
    pub member: Arc<str>,
    /// The field that says how many.
    pub count: Arc<str>,
}

/// Whether a repeated create with one token makes one thing (engine.md, "May have happened").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CreateMode {
    /// Repeating with the same token is safe.
    Idempotent,
    /// Every call makes another one.
    Once,
}

/// How an object is found again by its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FindMode {
    /// Looking tells for certain.
    Exact,
    /// Looking tells for certain after this many milliseconds.
    Eventual(u64),
    /// There is no way to look.
    None,
}

/// A kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindSchema {
    /// Its name as programs write it.
    pub name: Arc<str>,
    /// What the engine may do with it.
    pub class: Class,
    /// How it behaves beyond that.
    pub nature: Nature,
    /// Inputs in the order that documentation shows.
    pub fields: Vec<FieldSchema>,
    /// Outputs.
    pub outputs: Vec<OutputSchema>,
    /// Set for a kind that expands.
    pub expands: Option<Expansion>,
    /// Acts without being pointed at (worker): created dormant, activated in the final stage.
    pub acts_by_itself: bool,
    /// Set when it will go away.
    pub deprecated: Option<Deprecation>,
    /// How create may be repeated.
    pub create: CreateMode,
    /// How it is found again.
    pub find: FindMode,
    /// Sentences for people.
    pub doc: Arc<str>,
}

impl KindSchema {
    /// The input with this name.
    pub fn field(&self, name: &str) -> Option<&FieldSchema> {
        self.fields.iter().find(|f| &*f.name == name)
    }

    /// The output with this name.
    pub fn output(&self, name: &str) -> Option<&OutputSchema> {
        self.outputs.iter().find(|o| &*o.name == name)
    }
}

/// A setting of a `provider` block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProviderField {
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub ty: Type,
    /// Must be given.
    pub required: bool,
    /// One sentence for people.
    pub doc: Arc<str>,
}

/// What a `provider NAME = …` block can name: its settings, and the kinds that programs then write as `NAME.kind`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProviderSchema {
    /// Its settings.
    pub fields: Vec<ProviderField>,
    /// Its kinds, by the name after the dot.
    pub kinds: BTreeMap<Arc<str>, KindSchema>,
}

/// Kinds and providers by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SchemaSet {
    /// The kinds that are written without a prefix.
    pub kinds: BTreeMap<Arc<str>, KindSchema>,
    /// The providers that a program may name.
    pub providers: BTreeMap<Arc<str>, ProviderSchema>,
}

impl SchemaSet {
    /// The kind with this name.
    pub fn get(&self, kind: &str) -> Option<&KindSchema> {
        self.kinds.get(kind)
    }
}
