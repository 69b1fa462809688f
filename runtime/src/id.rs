//! Names of things in the ledger: lineages, applies, objects.

use imm_ir::{Digest, Encoder};
use serde::{Deserialize, Serialize};

/// A random id made when a ledger is opened; with an object id it is the ownership tag of everything made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lineage(pub [u8; 16]);

/// A random id of one apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ApplyId(pub [u8; 16]);

/// *Which one*: known at plan, the idempotency token of its create.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId(pub Digest);

impl ObjectId {
    /// The id of the `serial`-th object (from 0) that this lineage plans with this spec and these bound objects.
    pub fn new(lineage: Lineage, spec: &Digest, bindings: &[ObjectId], serial: u64) -> Self {
        let mut out = Encoder::new("imm.object.1");
        out.bytes(&lineage.0);
        out.digest(spec);
        out.number(bindings.len() as u64);
        bindings.iter().for_each(|b| out.digest(&b.0));
        out.number(serial);
        Self(out.finish())
    }

    /// Ten characters of base32: what plans print and `unique` names end in.
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for Lineage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl std::fmt::Display for ApplyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}
