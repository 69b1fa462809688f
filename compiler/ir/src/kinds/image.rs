//! `image`: a golden image, made from its inputs and nothing else.

use super::types::{base, port};
use super::{default, empty_map, kind, late, output};
use crate::FieldClass::Identity;
use crate::{Class, KindSchema, Nature, OutputFrom, Type, Value};

pub(super) fn schema() -> KindSchema {
    let text = |s: &str| Value::text(s);
    let none = || Value::List(Vec::new());
    let mut schema =
        kind("image", Class::Resource, Nature::Content, "A golden image: the same inputs, the same bytes.");
    schema.fields = vec![
        default("from", base(), Identity, Value::tag("scratch"), "What it is built on."),
        default("files", Type::map(Type::Content), Identity, empty_map(), "Files by absolute path."),
        default("cmd", Type::list(Type::String), Identity, none(), "The program and its arguments."),
        default("env", Type::map(Type::String), Identity, empty_map(), "Environment variables."),
        default("user", Type::String, Identity, text("65532"), "User the program runs as."),
        default("workdir", Type::String, Identity, text("/"), "Directory the program starts in."),
        default("labels", Type::map(Type::String), Identity, empty_map(), "Labels of the image's configuration."),
        default("ports", Type::list(port()), Identity, none(), "Ports the program listens on, for other tools."),
        default("clock", Type::Int, Identity, Value::Int(0), "Seconds since 1970 written as the time of every file."),
    ];
    schema.outputs = vec![
        output("id", Type::String, OutputFrom::Spec, "Digest of all inputs, known before the image is built."),
        late("manifest", Type::String, "Digest of the OCI manifest."),
        late("size", Type::Bytes, "Size of all layers."),
    ];
    schema
}
