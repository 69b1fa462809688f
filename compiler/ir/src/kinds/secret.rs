//! `secret`: a random text, made once and kept sealed.

use super::types::tags;
use super::{default, kind, late};
use crate::FieldClass::Identity;
use crate::{Class, KindSchema, Nature, Type, Value};

pub(super) fn schema() -> KindSchema {
    let alphabet = tags("Alphabet", &["alnum", "hex", "ascii"]);
    let mut schema = kind("secret", Class::Durable, Nature::Plain, "A random text, made once and kept sealed.");
    schema.fields = vec![
        default("length", Type::Int, Identity, Value::Int(32), "How many characters."),
        default("alphabet", alphabet, Identity, Value::tag("alnum"), "Which characters."),
    ];
    schema.outputs = vec![late("value", Type::secret(Type::String), "The text.")];
    schema
}
