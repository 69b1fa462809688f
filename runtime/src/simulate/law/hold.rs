//! What objects hold alone, what they write to, and what their outputs are.

use super::{Caller, Things};
use crate::id::ObjectId;
use crate::provider::Request;
use crate::simulate::effect::Deed;
use imm_ir::{Digest, Encoder, Nature, Type, Value};

impl Things {
    /// What an object holds alone: a listening port, a volume of one writer that is mounted writable.
    pub(super) fn exclusive(&self, request: &Request) -> Vec<(String, String)> {
        let mut found = Vec::new();
        // Routes over HTTP share a listener and are told apart by host and path.
        let shares = request.inputs.get("protocol").is_none_or(|protocol| *protocol == Value::tag("http"));
        if let Some(port) = request.inputs.get("listen").and_then(Value::as_int).filter(|_| !shares) {
            found.push(("port".to_owned(), port.to_string()));
        }
        let alone = self.written(request).into_iter().filter(|volume| !self.there(*volume).is_some_and(|v| v.shared));
        found.extend(alone.map(|volume| ("volume".to_owned(), volume.to_string())));
        found
    }

    /// The volumes that it mounts writable.
    pub(super) fn written(&self, request: &Request) -> Vec<ObjectId> {
        let Some(Value::Map(mounts)) = request.inputs.get("mounts") else { return Vec::new() };
        let of = |mount: &Value| {
            let Value::Variant(tag, fields) = mount else { return None };
            let read_only = fields.get("read_only").and_then(Value::as_bool).unwrap_or(false);
            let Some(Value::Node(of)) = fields.get("of").filter(|_| &**tag == "volume" && !read_only) else {
                return None;
            };
            Some(request.bound.get(of)?.object)
        };
        mounts.values().filter_map(of).collect()
    }

    /// An object that acts writes to what it has mounted.
    pub(super) fn write(&mut self, caller: Caller, by: ObjectId) {
        let Some(writer) = self.there(by) else { return };
        let acts = writer.acts_since_ms.is_some() || writer.made.nature == Nature::Job;
        for durable in writer.writes.clone().into_iter().filter(|_| acts) {
            let Some(there) = self.objects.get_mut(&durable).filter(|o| !o.lost) else { continue };
            there.data = after(&there.data, by);
            let data = there.data;
            self.note(caller, Deed::Wrote { durable, by, data });
        }
    }

    /// Names the data of a durable.
    pub fn data(&self, durable: ObjectId) -> Option<Digest> {
        self.there(durable).map(|o| o.data)
    }

    /// Somebody writes over it unseen.
    pub fn scribble(&mut self, durable: ObjectId) {
        if let Some(there) = self.objects.get_mut(&durable) {
            there.data = Digest::of(b"scribbled");
        }
    }
}

/// The data after somebody wrote to it.
fn after(before: &Digest, by: ObjectId) -> Digest {
    let mut out = Encoder::new("simulated.data");
    out.digest(before);
    out.digest(&by.0);
    out.finish()
}

/// A value of an output's type: a function of the object, so that a repeated create answers the same.
pub(super) fn invented(ty: &Type, object: ObjectId) -> Value {
    let number = object.0.0.first().map_or(1, |b| i64::from(*b) + 1);
    match ty {
        Type::Late(inner) => invented(inner, object),
        Type::Secret(_) => Value::text(format!("seeded-{}", object.short())).into_secret(),
        Type::Int | Type::Refined(_) => Value::Int(number),
        Type::Bytes => Value::Bytes(number),
        _text => Value::text(object.short()),
    }
}
