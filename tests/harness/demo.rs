//! `demo`: a provider of machines and tables, as the crate of one would register it. It is data only: programs with it are checked and
//! never applied.

use imm_ir::kinds::{builtin, types};
use imm_ir::{Class, Deprecation, FieldClass, FieldSchema, FieldType, KindSchema, ProviderField, ProviderSchema};
use imm_ir::{RecordType, SchemaSet, Type, Value};
use std::sync::{Arc, LazyLock};

/// The built-in kinds beside this provider's.
pub fn schemas() -> &'static SchemaSet {
    static SCHEMAS: LazyLock<SchemaSet> = LazyLock::new(|| {
        let mut all = builtin().clone();
        all.providers.insert("demo".into(), provider());
        all
    });
    &SCHEMAS
}

fn provider() -> ProviderSchema {
    let names = |name: &str| FieldType { name: name.into(), ty: Type::option(Type::list(Type::String)), default: None };
    let fields = ["resource", "durable", "pointer", "external"].map(names).into();
    let classes = Type::option(Type::Record(Arc::new(RecordType { fields })));
    let setting =
        |name: &str, ty, required| ProviderField { name: name.into(), ty, required, doc: "A setting.".into() };
    let old = KindSchema {
        deprecated: Some(Deprecation { since: "3.0".into(), instead: Some("machine".into()) }),
        ..kind("vm", Class::Resource)
    };
    let kinds = [kind("machine", Class::Resource), kind("table", Class::Durable), old];
    ProviderSchema {
        fields: vec![setting("region", Type::String, true), setting("classes", classes, false)],
        kinds: kinds.into_iter().map(|kind| (Arc::clone(&kind.name), kind)).collect(),
    }
}

fn kind(name: &str, class: Class) -> KindSchema {
    let field = |name: &str, ty: Type| FieldSchema {
        name: name.into(),
        ty: Type::option(ty),
        class: FieldClass::Identity,
        required: false,
        default: None,
        deprecated: None,
        doc: "A field.".into(),
    };
    let old = FieldSchema {
        deprecated: Some(Deprecation { since: "2.0".into(), instead: Some("network".into()) }),
        ..field("network_name", Type::String)
    };
    let naming = types().get("Name").cloned().unwrap();
    let named = FieldSchema { ty: naming, default: Some(Value::tag("auto")), ..field("name", Type::String) };
    let fields = vec![named, field("network", Type::String), old];
    KindSchema { name: name.into(), class, fields, outputs: Vec::new(), ..builtin().get("image").unwrap().clone() }
}
