//! `file`: configuration apart from the image.

use super::{default, kind, late, required};
use crate::FieldClass::Identity;
use crate::{Class, KindSchema, Nature, Type, Value};

pub(super) fn schema() -> KindSchema {
    let mut schema = kind("file", Class::Resource, Nature::Plain, "Configuration apart from the image.");
    let content = Type::late(Type::secret(Type::Content));
    schema.fields = vec![
        required("content", content, Identity, "What is in it; a secret one stays in memory with mode 0600."),
        default("mode", Type::String, Identity, Value::text("0644"), "Permissions in octal."),
    ];
    schema.outputs = vec![
        late("path", Type::String, "Where it is on the machine."),
        late("size", Type::Bytes, "How much it holds."),
    ];
    schema
}
