//! Values: known data, without holes. For data with holes see [`Term`](crate::Term).

use crate::{Addr, Digest, Encoder, Fields, Key};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Known data. Quantities are exact integers of their base unit.
///
/// An optional that is present is the value itself; nested optionals collapse.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// `none`
    None,
    /// `true`, `false`
    Bool(bool),
    /// 64-bit signed.
    Int(i64),
    /// Never NaN, never infinite.
    Float(f64),
    /// Text.
    String(Arc<str>),
    /// Milliseconds, not negative.
    Duration(i64),
    /// Bytes, not negative.
    Bytes(i64),
    /// Parts per million.
    Ratio(i64),
    /// Thousandths of a processor.
    Cpu(i64),
    /// `[a, b]`
    List(Vec<Value>),
    /// `a..b` (`end` exclusive) or `a..=b` (stored with `end + 1`).
    Range(i64, i64),
    /// A map with text keys.
    Map(BTreeMap<Key, Value>),
    /// A closed record.
    Record(Fields<Value>),
    /// A variant with its payload, empty when it has none.
    Variant(Arc<str>, Fields<Value>),
    /// Bytes of a file.
    Content(Content),
    /// A handle: the node (or expanded node) with this address.
    Node(Addr),
    /// Anything that must not be shown. Never nested.
    Secret(Box<Value>),
    /// A secret that is kept sealed elsewhere, by its keyed digest: what plans and ledgers hold instead of it.
    Sealed(Digest),
}

const _: () = assert!(size_of::<Value>() <= 48, "graphs are made of millions");

/// What a file is made of. Equality is by digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// Bytes that travel with the graph: templates, `file(p)`.
    Bytes(Blob),
    /// Files below one folder, by path relative to it with `/`: `tree(dir)`.
    Tree(BTreeMap<Arc<str>, Blob>),
    /// A program of this machine with its library closure: `executable(p)`. The bytes stay where they are and are
    /// hashed again when an image is built.
    Executable(Box<Executable>),
    /// An image that others made, as the base of one of ours: where it is (relative to the root module's folder, or absolute), and
    /// the sha256 of its configuration, which covers all of it. The bytes stay where they are until an image is built on it.
    Image(Box<HostFile>),
}

/// Bytes and whether they are a program.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Blob {
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// Mode 0755 instead of 0644.
    pub executable: bool,
}

/// A program of this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Executable {
    /// The program itself; its place in the image is the key it is written under.
    pub program: HostFile,
    /// Interpreter and libraries with their places in the image: absolute, or relative to the program's folder where the
    /// program finds them through its `$ORIGIN`.
    pub closure: BTreeMap<Arc<str>, HostFile>,
}

/// A file of this machine, by what it held when it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostFile {
    /// Its path: absolute for programs, as the program names it for images. Not part of the identity.
    pub path: Arc<str>,
    /// Digest of the bytes.
    pub digest: Digest,
    /// Size in bytes.
    pub size: u64,
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::String(text.into())
    }

    /// A variant without payload.
    pub fn tag(tag: &str) -> Self {
        Self::Variant(Arc::from(tag), Fields::new())
    }

    /// The text, if this is a String (a secret one too).
    pub fn as_text(&self) -> Option<&str> {
        match self.reveal() {
            Self::String(s) => Some(s),
            _other => None,
        }
    }

    /// The number, if this is an Int or a quantity.
    pub fn as_int(&self) -> Option<i64> {
        match self.reveal() {
            Self::Int(n) | Self::Duration(n) | Self::Bytes(n) | Self::Ratio(n) | Self::Cpu(n) => Some(*n),
            _other => None,
        }
    }

    /// The truth value, if this is a Bool.
    pub fn as_bool(&self) -> Option<bool> {
        match self.reveal() {
            Self::Bool(b) => Some(*b),
            _other => None,
        }
    }

    /// A field of a record or payload, or an entry of a map.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self.reveal() {
            Self::Record(fields) | Self::Variant(_, fields) => fields.get(name),
            Self::Map(map) => map.get(&Key::from(name)),
            _other => None,
        }
    }

    /// The value inside of a secret, or the value itself. Only sinks may call it.
    pub fn reveal(&self) -> &Value {
        match self {
            Self::Secret(inner) => inner,
            other => other,
        }
    }

    /// Whether a secret is in here at any depth.
    pub fn has_secret(&self) -> bool {
        match self {
            Self::Secret(_) | Self::Sealed(_) => true,
            Self::List(items) => items.iter().any(Value::has_secret),
            Self::Map(map) => map.values().any(Value::has_secret),
            Self::Record(fields) | Self::Variant(_, fields) => fields.values().any(Value::has_secret),
            _leaf => false,
        }
    }

    /// Marks a value as secret; marking twice is the same as once.
    #[must_use]
    pub fn into_secret(self) -> Value {
        match self {
            secret @ (Self::Secret(_) | Self::Sealed(_)) => secret,
            plain => Self::Secret(Box::new(plain)),
        }
    }

    /// Adds this value to a canonical encoding. A secret enters as its plain bytes, a sealed one as its keyed digest: what
    /// is recorded has sealed ones only.
    pub fn encode(&self, out: &mut Encoder) {
        match self {
            Self::None => out.tag(0),
            Self::Bool(b) => {
                out.tag(1);
                out.tag(u8::from(*b));
            }
            Self::Int(n) => Self::encode_int(out, 2, *n),
            Self::Float(x) => {
                out.tag(3);
                out.number(if *x == 0.0 { 0 } else { x.to_bits() });
            }
            Self::String(s) => {
                out.tag(4);
                out.text(s);
            }
            Self::Duration(n) => Self::encode_int(out, 5, *n),
            Self::Bytes(n) => Self::encode_int(out, 6, *n),
            Self::Ratio(n) => Self::encode_int(out, 7, *n),
            Self::Cpu(n) => Self::encode_int(out, 8, *n),
            Self::List(items) => {
                out.tag(9);
                out.number(items.len() as u64);
                items.iter().for_each(|item| item.encode(out));
            }
            Self::Range(a, b) => {
                out.tag(10);
                out.int(*a);
                out.int(*b);
            }
            Self::Map(map) => {
                out.tag(11);
                out.number(map.len() as u64);
                for (key, value) in map {
                    out.text(key.as_str());
                    value.encode(out);
                }
            }
            Self::Record(fields) => {
                out.tag(12);
                encode_fields(fields, out);
            }
            Self::Variant(tag, fields) => {
                out.tag(13);
                out.text(tag);
                encode_fields(fields, out);
            }
            Self::Content(content) => {
                out.tag(14);
                content.encode(out);
            }
            Self::Node(addr) => {
                out.tag(15);
                out.text(addr.as_str());
            }
            Self::Secret(inner) => {
                out.tag(16);
                inner.encode(out);
            }
            Self::Sealed(name) => {
                out.tag(17);
                out.digest(name);
            }
        }
    }

    fn encode_int(out: &mut Encoder, tag: u8, n: i64) {
        out.tag(tag);
        out.int(n);
    }
}

fn encode_fields(fields: &Fields<Value>, out: &mut Encoder) {
    out.number(fields.len() as u64);
    for (name, value) in fields {
        out.text(name);
        value.encode(out);
    }
}

impl Content {
    /// Adds the content to a canonical encoding, by its bytes' digests.
    pub fn encode(&self, out: &mut Encoder) {
        match self {
            Self::Bytes(blob) => {
                out.tag(0);
                blob.encode(out);
            }
            Self::Tree(files) => {
                out.tag(1);
                out.number(files.len() as u64);
                for (path, blob) in files {
                    out.text(path);
                    blob.encode(out);
                }
            }
            Self::Executable(exe) => {
                out.tag(2);
                out.digest(&exe.program.digest);
                out.number(exe.closure.len() as u64);
                for (path, file) in &exe.closure {
                    out.text(path);
                    out.digest(&file.digest);
                }
            }
            Self::Image(image) => {
                out.tag(3);
                out.digest(&image.digest);
            }
        }
    }
}

impl Blob {
    fn encode(&self, out: &mut Encoder) {
        out.tag(u8::from(self.executable));
        out.digest(&Digest::of(&self.bytes));
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({} bytes)", self.bytes.len())
    }
}

/// Entries as a program writes them.
pub(crate) fn braced<'a, K: std::fmt::Display, V: std::fmt::Debug + 'a>(
    f: &mut std::fmt::Formatter<'_>,
    entries: impl IntoIterator<Item = (K, &'a V)>,
) -> std::fmt::Result {
    let mut empty = true;
    for (key, value) in entries {
        write!(f, "{} {key} = {value:?}", if empty { "{" } else { "," })?;
        empty = false;
    }
    f.write_str(if empty { "{}" } else { " }" })
}

/// As a program writes it; shows secrets as `[secret]`.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::Float(x) => write!(f, "{x:?}"),
            Self::String(s) => write!(f, "{s:?}"),
            Self::Duration(_) | Self::Bytes(_) | Self::Ratio(_) | Self::Cpu(_) => {
                f.write_str(&crate::reduce::shown(self))
            }
            Self::List(items) => f.debug_list().entries(items).finish(),
            Self::Range(a, b) => write!(f, "{a}..{b}"),
            Self::Map(map) => braced(f, map.iter().map(|(k, v)| (format!("{:?}", k.as_str()), v))),
            Self::Record(fields) => braced(f, fields),
            Self::Variant(tag, fields) if fields.is_empty() => f.write_str(tag),
            Self::Variant(tag, fields) => {
                write!(f, "{tag} ")?;
                braced(f, fields)
            }
            Self::Content(content) => write!(f, "{content:?}"),
            Self::Node(addr) => write!(f, "{addr}"),
            Self::Secret(_) | Self::Sealed(_) => f.write_str("[secret]"),
        }
    }
}
