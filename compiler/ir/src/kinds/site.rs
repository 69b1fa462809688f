//! `site`: files that the router serves itself.

use super::{default, empty_map, kind, optional, output, required};
use crate::FieldClass::Identity;
use crate::{Class, KindSchema, Nature, OutputFrom, Type, Value};

pub(super) fn schema() -> KindSchema {
    let mut schema = kind("site", Class::Resource, Nature::Content, "Files that the router serves itself.");
    schema.fields = vec![
        required("files", Type::map(Type::Content), Identity, "Files by path below the route."),
        default("index", Type::String, Identity, Value::text("index.html"), "File that stands for a folder."),
        optional("not_found", Type::String, Identity, "File for what does not exist."),
        default("headers", Type::map(Type::String), Identity, empty_map(), "Headers of every answer."),
    ];
    schema.outputs = vec![output("id", Type::String, OutputFrom::Spec, "Digest of all inputs.")];
    schema
}
