//! The named types that are in scope in every module.

use crate::builtin::Builtin;
use crate::{FieldType, Fields, FunctionType, RecordType, RefinedType, Term, Type, Value, VariantCase, VariantType};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// The named types by name.
pub fn types() -> &'static BTreeMap<&'static str, Type> {
    static TYPES: LazyLock<BTreeMap<&'static str, Type>> = LazyLock::new(|| {
        BTreeMap::from([
            ("Port", port()),
            ("Limits", limits()),
            ("Name", name()),
            ("Health", health()),
            ("Mount", mount()),
            ("Base", base()),
            ("Rollout", rollout()),
            ("Step", step()),
            ("Preview", preview()),
            ("Samples", samples()),
            ("Gate", gate()),
            ("Tls", tls()),
            ("Stop", stop()),
            ("Backoff", backoff()),
        ])
    });
    &TYPES
}

/// A field without default.
pub(super) fn field(name: &str, ty: Type) -> FieldType {
    FieldType { name: Arc::from(name), ty, default: None }
}

/// A field with a default.
pub(super) fn field_or(name: &str, ty: Type, default: Value) -> FieldType {
    FieldType { name: Arc::from(name), ty, default: Some(default) }
}

fn case(tag: &str, fields: Vec<FieldType>) -> VariantCase {
    VariantCase { tag: Arc::from(tag), payload: RecordType { fields } }
}

pub(super) fn variant(name: &str, variants: Vec<VariantCase>) -> Type {
    Type::Variant(Arc::new(VariantType { name: Arc::from(name), variants }))
}

/// A variant type of which no variant has a payload.
pub(super) fn tags(name: &str, tags: &[&str]) -> Type {
    variant(name, tags.iter().map(|tag| case(tag, Vec::new())).collect())
}

fn record(fields: Vec<FieldType>) -> Type {
    Type::Record(Arc::new(RecordType { fields }))
}

pub(super) fn seconds(n: i64) -> Value {
    Value::Duration(n * 1000)
}

/// `Int where it in from..=to`
pub(super) fn int_in(name: &str, from: i64, to: i64) -> Type {
    let range = Term::Value(Value::Range(from, to + 1));
    let body = Term::Call(Builtin::Operator(Arc::from("in")), vec![Arc::new(Term::Var(0)), Arc::new(range)]);
    Type::Refined(Arc::new(RefinedType {
        name: Arc::from(name),
        base: Type::Int,
        holds: Term::Lambda { first: 0, arity: 1, body: Arc::new(body) },
        text: Arc::from(format!("it in {from}..={to}")),
    }))
}

pub(super) fn port() -> Type {
    int_in("Port", 1, 65_535)
}

pub(super) fn limits() -> Type {
    record(vec![
        field("cpu", Type::option(Type::Cpu)),
        field("memory", Type::option(Type::Bytes)),
        field("pids", Type::option(Type::Int)),
    ])
}

fn name() -> Type {
    variant(
        "Name",
        vec![
            case("auto", vec![]),
            case("unique", vec![field("prefix", Type::String)]),
            case("fixed", vec![field("name", Type::String)]),
        ],
    )
}

/// How long between two probes, how long one may take, how many in a row are healthy, and by when.
fn probing() -> Vec<FieldType> {
    vec![
        field_or("interval", Type::Duration, seconds(1)),
        field_or("timeout", Type::Duration, seconds(2)),
        field_or("healthy", Type::Int, Value::Int(2)),
        field_or("within", Type::Duration, seconds(60)),
    ]
}

pub(super) fn health() -> Type {
    let mut http = vec![field_or("path", Type::String, Value::text("/healthz"))];
    http.extend(probing());
    http.push(field_or("status", Type::list(Type::Int), Value::List(vec![Value::Int(200)])));
    let mut exec = vec![field("cmd", Type::list(Type::String))];
    exec.extend(probing());
    variant(
        "Health",
        vec![
            case("http", http),
            case("tcp", probing()),
            case("exec", exec),
            case("running", vec![field("for", Type::Duration)]),
            case("none_because", vec![field("reason", Type::String)]),
        ],
    )
}

pub(super) fn mount() -> Type {
    variant(
        "Mount",
        vec![
            case(
                "volume",
                vec![field("of", Type::handle("volume")), field_or("read_only", Type::Bool, Value::Bool(false))],
            ),
            case("file", vec![field("of", Type::handle("file"))]),
            case("scratch", vec![field("size", Type::Bytes)]),
        ],
    )
}

pub(super) fn base() -> Type {
    variant(
        "Base",
        vec![
            case("scratch", vec![]),
            case("node", vec![field("image", Type::handle("image"))]),
            case("layout", vec![field("path", Type::String)]),
            case("archive", vec![field("path", Type::String)]),
        ],
    )
}

pub(super) fn samples() -> Type {
    record(vec![
        field("requests", Type::Int),
        field("errors", Type::Ratio),
        field("p50", Type::Duration),
        field("p90", Type::Duration),
        field("p99", Type::Duration),
        field("restarts", Type::Int),
    ])
}

pub(super) fn gate() -> Type {
    Type::Function(Arc::new(FunctionType { params: vec![samples(), samples()], result: Type::Bool }))
}

pub(super) fn step() -> Type {
    record(vec![
        field("weight", Type::Ratio),
        field("hold", Type::Duration),
        field("approve", Type::option(Type::Bool)),
    ])
}

fn preview() -> Type {
    let pair = || vec![field("name", Type::String), field("value", Type::String)];
    variant("Preview", vec![case("header", pair()), case("cookie", pair())])
}

pub(super) fn rollout() -> Type {
    let hold = || field_or("hold", Type::Duration, seconds(0));
    let optional_gate = || field("gate", Type::option(gate()));
    variant(
        "Rollout",
        vec![
            case("all_at_once", vec![]),
            case("blue_green", vec![hold(), optional_gate()]),
            case("rolling", vec![field_or("batch", Type::Int, Value::Int(1)), hold(), optional_gate()]),
            case(
                "canary",
                vec![
                    field("steps", Type::list(step())),
                    optional_gate(),
                    field_or("min_requests", Type::Int, Value::Int(100)),
                    field_or("wait", Type::Duration, seconds(300)),
                    field("preview", Type::option(preview())),
                ],
            ),
        ],
    )
}

pub(super) fn tls() -> Type {
    let pem = vec![field("cert", super::late_secret_text()), field("key", super::late_secret_text())];
    variant("Tls", vec![case("off", vec![]), case("dev", vec![]), case("pem", pem)])
}

pub(super) fn stop() -> Type {
    record(vec![
        field_or("signal", tags("Signal", &["term", "int", "quit"]), Value::tag("term")),
        field_or("grace", Type::Duration, seconds(10)),
    ])
}

pub(super) fn stop_default() -> Value {
    let fields = [(Arc::from("signal"), Value::tag("term")), (Arc::from("grace"), seconds(10))];
    Value::Record(Fields::from(fields))
}

/// How long to wait before the next run of something that crashed: doubled from `first` up to `max`.
pub(super) fn backoff() -> Type {
    record(vec![field_or("first", Type::Duration, Value::Duration(100)), field_or("max", Type::Duration, seconds(30))])
}

pub(super) fn backoff_default() -> Value {
    Value::Record(Fields::from([(Arc::from("first"), Value::Duration(100)), (Arc::from("max"), seconds(30))]))
}
