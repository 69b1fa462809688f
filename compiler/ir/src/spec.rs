//! The spec digest: *what* an object is, apart from which one and where it is declared.
//!
//! Taken over the kind, the provider's identity and the identity inputs in normal form. A reference enters as a numbered
//! slot, so that neither addresses nor object ids are part of it: two nodes that say the same are equal wherever they
//! stand. Fields equal to their schema's default are left out, so a new optional field changes nothing.

use crate::{Addr, Digest, Encoder, FieldClass, Fields, Input, KindSchema, Term, Value};
use std::sync::Arc;

/// The digest of a node's identity inputs and the addresses its slots stand for, in slot order.
pub fn spec(schema: &KindSchema, provider: &str, inputs: &Fields<Arc<Input>>) -> (Digest, Vec<Addr>) {
    let mut out = Encoder::new("imm.spec.1");
    let mut slots: Vec<Addr> = Vec::new();
    out.text(&schema.name);
    out.text(provider);
    for field in schema.fields.iter().filter(|f| f.class == FieldClass::Identity) {
        let Some(input) = inputs.get(&field.name) else { continue };
        let default = field.default.as_ref().unwrap_or(&Value::None);
        if input.term.known() == Some(default) {
            continue;
        }
        out.text(&field.name);
        encode_term(&input.term, &mut out, &mut |addr, out| {
            let slot = slots.iter().position(|a| a == addr).unwrap_or_else(|| {
                slots.push(addr.clone());
                slots.len() - 1
            });
            out.number(slot as u64);
        });
    }
    (out.finish(), slots)
}

/// The addresses that the slots stand for, in slot order: as [`spec`] answers them, without the digest.
pub fn slots<'a>(schema: &KindSchema, inputs: &'a Fields<Arc<Input>>) -> Vec<&'a Addr> {
    let mut slots: Vec<&Addr> = Vec::new();
    let fields = schema.fields.iter().filter(|f| f.class == FieldClass::Identity);
    for input in fields.filter_map(|f| inputs.get(&f.name)) {
        input.term.references(&mut |addr| {
            if !slots.contains(&addr) {
                slots.push(addr);
            }
        });
    }
    slots
}

/// Encodes a term; `reference` writes what stands for an address.
pub fn encode_term(term: &Term, out: &mut Encoder, reference: &mut dyn FnMut(&Addr, &mut Encoder)) {
    match term {
        Term::Value(value) => encode_value(value, out, reference),
        Term::Output(addr, field) => {
            out.tag(32);
            reference(addr, out);
            out.text(field);
        }
        Term::List(items) => {
            out.tag(9);
            out.number(items.len() as u64);
            items.iter().for_each(|t| encode_term(t, out, reference));
        }
        Term::Map(map) => {
            out.tag(11);
            out.number(map.len() as u64);
            for (key, value) in map {
                out.text(key.as_str());
                encode_term(value, out, reference);
            }
        }
        Term::Record(fields) => {
            out.tag(12);
            encode_fields(fields, out, reference);
        }
        Term::Variant(tag, fields) => {
            out.tag(13);
            out.text(tag);
            encode_fields(fields, out, reference);
        }
        Term::Secret(inner) => {
            out.tag(16);
            encode_term(inner, out, reference);
        }
        Term::Call(builtin, args) => {
            out.tag(33);
            out.text(&builtin.to_string());
            out.number(args.len() as u64);
            args.iter().for_each(|t| encode_term(t, out, reference));
        }
        Term::If(cond, yes, no) => {
            out.tag(34);
            [cond, yes, no].into_iter().for_each(|t| encode_term(t, out, reference));
        }
        Term::Lambda { first, arity, body } => {
            out.tag(35);
            out.number(u64::from(*first));
            out.number(u64::from(*arity));
            encode_term(body, out, reference);
        }
        Term::Var(n) => {
            out.tag(36);
            out.number(u64::from(*n));
        }
    }
}

fn encode_fields(fields: &Fields<Term>, out: &mut Encoder, reference: &mut dyn FnMut(&Addr, &mut Encoder)) {
    out.number(fields.len() as u64);
    for (name, value) in fields {
        out.text(name);
        encode_term(value, out, reference);
    }
}

/// As [`Value::encode`], with handles written by `reference`.
fn encode_value(value: &Value, out: &mut Encoder, reference: &mut dyn FnMut(&Addr, &mut Encoder)) {
    match value {
        Value::Node(addr) => {
            out.tag(15);
            reference(addr, out);
        }
        Value::List(items) => {
            out.tag(9);
            out.number(items.len() as u64);
            items.iter().for_each(|v| encode_value(v, out, reference));
        }
        Value::Map(map) => {
            out.tag(11);
            out.number(map.len() as u64);
            for (key, value) in map {
                out.text(key.as_str());
                encode_value(value, out, reference);
            }
        }
        Value::Record(fields) => {
            out.tag(12);
            out.number(fields.len() as u64);
            for (name, value) in fields {
                out.text(name);
                encode_value(value, out, reference);
            }
        }
        Value::Variant(tag, fields) => {
            out.tag(13);
            out.text(tag);
            out.number(fields.len() as u64);
            for (name, value) in fields {
                out.text(name);
                encode_value(value, out, reference);
            }
        }
        Value::Secret(inner) => {
            out.tag(16);
            encode_value(inner, out, reference);
        }
        leaf => leaf.encode(out),
    }
}
