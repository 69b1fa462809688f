//! `container`: one isolated program. `service`, `worker` and `job` share its inputs.

use super::types::{backoff, backoff_default, health, limits, mount, port, stop, stop_default, tags};
use super::{default, empty_map, empty_record, kind, late, late_secret_text, optional, required};
use crate::FieldClass::{Identity, Policy};
use crate::{Class, FieldSchema, KindSchema, Nature, Type, Value};

pub(super) fn schema() -> KindSchema {
    let mut schema = kind("container", Class::Resource, Nature::Process, "One program, isolated, from an image.");
    schema.fields = program();
    schema.fields.push(network());
    schema.fields.push(optional("port", port(), Identity, "Port that other nodes call it by."));
    schema.fields.push(optional("health", health(), Policy, "How to tell that it works; a route's target needs it."));
    schema.fields.extend(running());
    schema.outputs = vec![
        late("host", Type::String, "Host it listens on."),
        late("port", port(), "Port it listens on."),
        late("address", Type::String, "`host:port`."),
    ];
    schema
}

/// What to run and in what surroundings.
pub(super) fn program() -> Vec<FieldSchema> {
    vec![
        required("image", Type::handle("image"), Identity, "The image it is made from."),
        optional("cmd", Type::list(late_secret_text()), Identity, "Program and arguments instead of the image's."),
        default(
            "env",
            Type::map(late_secret_text()),
            Identity,
            empty_map(),
            "Environment variables besides the image's.",
        ),
        default("mounts", Type::map(mount()), Identity, empty_map(), "What is mounted, by absolute path."),
        default("limits", limits(), Identity, empty_record(), "Most it may use."),
        optional("user", Type::String, Identity, "User instead of the image's."),
        default(
            "isolation",
            tags("Isolation", &["best", "require"]),
            Identity,
            Value::tag("best"),
            "Whether to refuse a machine that cannot isolate fully.",
        ),
    ]
}

/// `host`: listens on `$HOST:$PORT`, reserved by the agent. `private`: an own network namespace.
pub(super) fn network() -> FieldSchema {
    let ty = tags("Network", &["host", "private"]);
    default("network", ty, Identity, Value::tag("host"), "Whether it shares the host's network.")
}

/// How it is stopped and run again.
pub(super) fn running() -> Vec<FieldSchema> {
    vec![
        default("stop", stop(), Policy, stop_default(), "How it is stopped."),
        default("backoff", backoff(), Policy, backoff_default(), "How long a crashed run waits for the next."),
    ]
}
