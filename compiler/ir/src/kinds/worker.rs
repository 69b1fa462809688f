//! `worker`: containers that act without being called; expands to `instance`.

use super::container::{network, program, running};
use super::service::{expansion, instances, replicas};
use super::types::{health, seconds};
use super::{default, kind};
use crate::FieldClass::Policy;
use crate::{Class, Fields, KindSchema, Nature, Value};
use std::sync::Arc;

pub(super) fn schema() -> KindSchema {
    let alive = Value::Variant(Arc::from("running"), Fields::from([(Arc::from("for"), seconds(5))]));
    let mut schema = kind("worker", Class::Resource, Nature::Process, "Equal containers that act by themselves.");
    schema.fields = program();
    schema.fields.push(network());
    schema.fields.push(default("health", health(), Policy, alive, "How to tell that it works."));
    schema.fields.extend(running());
    schema.fields.push(replicas());
    schema.outputs = vec![instances()];
    schema.expands = Some(expansion());
    schema.acts_by_itself = true;
    schema
}
