//! Names of things in the ledger: lineages, applies, objects.

use imm_ir::{Digest, Encoder};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A random id made when a ledger is opened; with an object id it is the ownership tag of everything made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lineage(pub [u8; 16]);

/// A random id of one apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// Bytes in the ledger, hexadecimal in JSON.
macro_rules! serde_as_bytes_or_hex {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if !deserializer.is_human_readable() {
                    return <[u8; 16]>::deserialize(deserializer).map(Self);
                }
                let text = String::deserialize(deserializer)?;
                let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(Error::custom)?;
                bytes.try_into().map(Self).map_err(|_| Error::custom("not 16 bytes"))
            }
        }
    )*};
}

serde_as_bytes_or_hex!(Lineage, ApplyId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hex_in_json_and_bytes_elsewhere() {
        let id = ApplyId([0xab; 16]);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{}\"", "ab".repeat(16)));
        assert_eq!(serde_json::from_str::<ApplyId>(&json).unwrap(), id);
        let bytes = postcard::to_stdvec(&id).unwrap();
        assert_eq!((bytes.len(), postcard::from_bytes::<ApplyId>(&bytes).unwrap()), (16, id));
    }
}
