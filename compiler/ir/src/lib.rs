//! The nouns that the compiler and the runtime share. No IO, no async, no parser.
//!
//! Read in this order: [`Addr`] (where), [`Value`] and [`Term`] (known data, data with holes), [`Type`] and [`KindSchema`]
//! (what may be written), [`Graph`] (what a program says must run), [`spec`] (what an object is).

mod addr;
pub mod builtin;
pub mod code;
mod diagnostic;
mod digest;
mod fields;
mod graph;
mod key;
pub mod kinds;
pub mod reduce;
mod schema;
mod span;
pub mod spec;
mod term;
mod ty;
mod value;

pub use addr::{Addr, Segment, Segments};
pub use builtin::Builtin;
pub use diagnostic::{Applicability, Code, Diagnostic, Edit, Fix, Label, Severity};
pub use digest::{Digest, Encoder};
pub use fields::Fields;
pub use graph::{
    Assert, Cause, CauseKind, Edge, EdgeKind, Expanded, Graph, Input, Node, Origin, Output, ParamFrom, Policy, Replace,
    With,
};
pub use key::Key;
pub use schema::{
    Class, CreateMode, Deprecation, Expansion, FieldClass, FieldSchema, FindMode, KindSchema, Nature, OutputFrom,
    OutputSchema, ProviderField, ProviderSchema, SchemaSet,
};
pub use span::{FileId, Loc, Part, SourceFile, Sources, Span};
pub use term::Term;
pub use ty::{FieldType, FunctionType, RecordType, RefinedType, Type, VariantCase, VariantType};
pub use value::{Blob, Content, Executable, HostFile, Value};
