//! `endpoint`: something that answers and is not ours. To the engine it is like content: there, never destroyed.

use super::types::health;
use super::{kind, optional, output, required};
use crate::FieldClass::{Identity, Policy};
use crate::{Class, KindSchema, Nature, OutputFrom, Type};
use std::sync::Arc;

pub(super) fn schema() -> KindSchema {
    let mut schema = kind("endpoint", Class::External, Nature::Content, "Something that answers and is not ours.");
    schema.fields = vec![
        required("url", Type::String, Identity, "Where it answers."),
        optional("health", health(), Policy, "How to tell that it works."),
    ];
    schema.outputs = vec![output("url", Type::String, OutputFrom::Input(Arc::from("url")), "Where it answers.")];
    schema
}
