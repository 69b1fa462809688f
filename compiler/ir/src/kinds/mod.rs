//! Schemas of the built-in kinds, as data: one file a kind.
//!
//! `builtin` is what the compiler checks against and what a platform implements; `types` are the named types that are
//! in scope in every module (a module's own type of the same name wins). Nothing here says how a kind is provided.
//!
//! How to read a field: its class says what a change does, a `~T` inside takes values known only after create, a
//! `Secret[T]` inside is a place where secrets may end.

mod container;
mod endpoint;
mod file;
mod image;
mod job;
mod route;
mod secret;
mod service;
mod site;
mod types;
mod volume;
mod worker;

pub use types::types;

use crate::{
    Class, CreateMode, FieldClass, FieldSchema, Fields, FindMode, KindSchema, Nature, OutputFrom, OutputSchema,
    SchemaSet, Type, Value,
};
use std::sync::{Arc, LazyLock};

/// The built-in kinds.
pub fn builtin() -> &'static SchemaSet {
    static BUILTIN: LazyLock<SchemaSet> = LazyLock::new(|| {
        let all = [
            image::schema(),
            container::schema(),
            service::schema(),
            worker::schema(),
            job::schema(),
            route::schema(),
            volume::schema(),
            file::schema(),
            site::schema(),
            secret::schema(),
            endpoint::schema(),
        ];
        let kinds = all.into_iter().map(|kind| (Arc::clone(&kind.name), kind)).collect();
        SchemaSet { kinds, ..SchemaSet::default() }
    });
    &BUILTIN
}

/// A kind without fields and outputs whose objects are made with an idempotency token and found by it, as all of ours.
fn kind(name: &str, class: Class, nature: Nature, doc: &str) -> KindSchema {
    KindSchema {
        name: Arc::from(name),
        class,
        nature,
        fields: Vec::new(),
        outputs: Vec::new(),
        expands: None,
        acts_by_itself: false,
        deprecated: None,
        create: CreateMode::Idempotent,
        find: FindMode::Exact,
        doc: Arc::from(doc),
    }
}

/// A field that must be given.
fn required(name: &str, ty: Type, class: FieldClass, doc: &str) -> FieldSchema {
    FieldSchema {
        name: Arc::from(name),
        ty,
        class,
        required: true,
        default: None,
        deprecated: None,
        doc: Arc::from(doc),
    }
}

/// A field that is `none` when left out.
fn optional(name: &str, ty: Type, class: FieldClass, doc: &str) -> FieldSchema {
    let ty = Type::option(ty);
    FieldSchema {
        name: Arc::from(name),
        ty,
        class,
        required: false,
        default: None,
        deprecated: None,
        doc: Arc::from(doc),
    }
}

/// A field with a value when left out.
fn default(name: &str, ty: Type, class: FieldClass, value: Value, doc: &str) -> FieldSchema {
    FieldSchema {
        name: Arc::from(name),
        ty,
        class,
        required: false,
        default: Some(value),
        deprecated: None,
        doc: Arc::from(doc),
    }
}

/// An output.
fn output(name: &str, ty: Type, from: OutputFrom, doc: &str) -> OutputSchema {
    OutputSchema { name: Arc::from(name), ty, from, doc: Arc::from(doc) }
}

/// An output that the provider tells after create.
fn late(name: &str, ty: Type, doc: &str) -> OutputSchema {
    output(name, Type::late(ty), OutputFrom::Provider, doc)
}

/// Text that may be secret and known only after create.
fn late_secret_text() -> Type {
    Type::late(Type::secret(Type::String))
}

fn empty_map() -> Value {
    Value::Map(std::collections::BTreeMap::new())
}

fn empty_record() -> Value {
    Value::Record(Fields::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_contract_is_there() {
        let names: Vec<&str> = builtin().kinds.keys().map(|name| &**name).collect();
        let expected =
            ["container", "endpoint", "file", "image", "job", "route", "secret", "service", "site", "volume", "worker"];
        assert_eq!(names, expected);
    }

    #[test]
    fn names_do_not_repeat_and_required_fields_have_no_default() {
        for kind in builtin().kinds.values() {
            for (i, field) in kind.fields.iter().enumerate() {
                assert!(kind.fields.iter().skip(i + 1).all(|f| f.name != field.name), "{}.{}", kind.name, field.name);
                assert!(!(field.required && field.default.is_some()), "{}.{}", kind.name, field.name);
                assert!(!field.doc.is_empty());
            }
        }
    }

    #[test]
    fn only_pointers_and_durables_have_movable_fields() {
        for kind in builtin().kinds.values() {
            let movable = kind.fields.iter().any(|f| f.class == FieldClass::Movable);
            assert!(!movable || matches!(kind.class, Class::Pointer | Class::Durable), "{}", kind.name);
        }
    }

    #[test]
    fn an_expansion_names_a_kind_a_count_and_an_output() {
        for kind in builtin().kinds.values() {
            let Some(expansion) = &kind.expands else { continue };
            let member = builtin().get(&expansion.kind).unwrap();
            assert_eq!(kind.field(&expansion.count).unwrap().class, FieldClass::Shape);
            assert_eq!(kind.output(&expansion.member).unwrap().from, OutputFrom::Members);
            for field in kind.fields.iter().filter(|f| f.class != FieldClass::Shape) {
                assert!(member.field(&field.name).is_some(), "{}.{}", kind.name, field.name);
            }
        }
    }
}
