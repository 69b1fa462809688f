//! `job`: runs once to its end; exit status 0 is success.

use super::container::program;
use super::types::tags;
use super::{default, kind, late, optional};
use crate::FieldClass::Policy;
use crate::{Class, KindSchema, Nature, Type, Value};

pub(super) fn schema() -> KindSchema {
    let mut schema = kind("job", Class::Resource, Nature::Job, "A program that runs once to its end.");
    schema.fields = program();
    let effect = tags("Effect", &["none", "compatible", "breaking"]);
    schema.fields.extend([
        default("effect", effect, Policy, Value::tag("breaking"), "What it does to what the old generation relies on."),
        optional("undo", Type::list(Type::String), Policy, "Command that takes its effect back."),
        default("idempotent", Type::Bool, Policy, Value::Bool(false), "Whether a lost run may be repeated."),
        default("run", tags("Run", &["once", "every_apply"]), Policy, Value::tag("once"), "When it runs again."),
    ]);
    schema.outputs = vec![
        late("exit_code", Type::Int, "Its exit status."),
        late("stdout", Type::String, "The last 64 KiB that it wrote."),
    ];
    schema
}
