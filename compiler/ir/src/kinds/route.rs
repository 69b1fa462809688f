//! `route`: where requests come in and what answers them.

use super::types::{port, rollout, seconds, tags, tls};
use super::{default, kind, late, optional, required};
use crate::FieldClass::{Identity, Movable, Policy};
use crate::{Class, Fields, KindSchema, Nature, Type, Value};
use std::sync::Arc;

pub(super) fn schema() -> KindSchema {
    let blue_green = Value::Variant(Arc::from("blue_green"), Fields::from([(Arc::from("hold"), Value::Duration(0))]));
    let mut schema = kind("route", Class::Pointer, Nature::Plain, "Where requests come in and what answers them.");
    schema.fields = vec![
        optional("listen", port(), Identity, "Port it listens on; the agent picks one when left out."),
        default("bind", Type::String, Identity, Value::text("127.0.0.1"), "Address it listens on."),
        default("protocol", tags("Protocol", &["http", "tcp"]), Identity, Value::tag("http"), "What it understands."),
        required("to", Type::Target, Movable, "What answers."),
        optional("host", Type::String, Movable, "Only requests for this host name."),
        default("path", Type::String, Movable, Value::text("/"), "Only requests below this path."),
        default("tls", tls(), Movable, Value::tag("off"), "Encryption."),
        default("rollout", rollout(), Policy, blue_green, "How traffic moves from old to new."),
        default("drain", Type::Duration, Policy, seconds(30), "Longest time that old requests may still take."),
        default("timeout", Type::Duration, Policy, seconds(60), "Longest time for one answer."),
        default("hold", Type::Duration, Policy, seconds(0), "How long requests wait during a handover."),
        default("sticky", Type::Bool, Policy, Value::Bool(false), "Whether one client stays with one target."),
    ];
    schema.outputs = vec![
        late("url", Type::String, "Where to call it."),
        late("address", Type::String, "`host:port`."),
        late("port", port(), "Port it listens on."),
    ];
    schema
}
