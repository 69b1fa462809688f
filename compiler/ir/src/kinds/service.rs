//! `service`: containers that are called; expands to `instance`.

use super::container::{network, program, running};
use super::types::{health, int_in, port};
use super::{default, kind, output, required};
use crate::FieldClass::{Identity, Policy, Shape};
use crate::{Class, Expansion, FieldSchema, KindSchema, Nature, OutputFrom, OutputSchema, Type, Value};
use std::sync::Arc;

pub(super) fn schema() -> KindSchema {
    let mut schema = kind("service", Class::Resource, Nature::Process, "Equal containers that are called.");
    schema.fields = program();
    schema.fields.push(network());
    schema.fields.push(required("port", port(), Identity, "Port that other nodes call it by."));
    schema.fields.push(required("health", health(), Policy, "How to tell that it works."));
    schema.fields.extend(running());
    schema.fields.push(replicas());
    schema.outputs = vec![
        instances(),
        output("port", port(), OutputFrom::Input(Arc::from("port")), "Port that other nodes call it by."),
    ];
    schema.expands = Some(expansion());
    schema
}

pub(super) fn replicas() -> FieldSchema {
    default("replicas", int_in("Replicas", 1, 1000), Shape, Value::Int(1), "How many containers.")
}

pub(super) fn instances() -> OutputSchema {
    output("instance", Type::map(Type::handle("container")), OutputFrom::Members, "The containers by number.")
}

pub(super) fn expansion() -> Expansion {
    Expansion { kind: Arc::from("container"), member: Arc::from("instance"), count: Arc::from("replicas") }
}
