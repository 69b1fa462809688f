//! `volume`: a directory that outlives every container.

use super::types::tags;
use super::{default, kind, late, required};
use crate::FieldClass::{Identity, Movable, Policy};
use crate::{Class, KindSchema, Nature, Type, Value};

pub(super) fn schema() -> KindSchema {
    let access = tags("Access", &["single_writer", "shared"]);
    let snapshot = tags("Snapshot", &["never", "before_apply"]);
    let mut schema = kind("volume", Class::Durable, Nature::Plain, "A directory that outlives every container.");
    schema.fields = vec![
        default("access", access, Identity, Value::tag("single_writer"), "Whether several may write at once."),
        required("size", Type::Bytes, Movable, "How much it holds; only grows."),
        default("snapshot", snapshot, Policy, Value::tag("never"), "When a copy is taken."),
        default("owner", Type::String, Identity, Value::text("65532"), "User that owns it."),
    ];
    schema.outputs = vec![late("path", Type::String, "Where it is on the machine.")];
    schema
}
