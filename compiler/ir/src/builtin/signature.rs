//! Types of the builtin methods and functions, for the checker, completion and documentation.
//!
//! How to check a call: strip `~` and `Secret` off the receiver and off every argument whose parameter is not a bare
//! variable; the result gets them back. A variable with [`Bound::Any`] may stand for `~U` or `Secret[U]` (so the keys of
//! a map of late values are known); a variable with another bound looks into the value, so both are stripped and given
//! to the result. A `Bool` or `String` that a lambda returns is such a position too.

use crate::Type;
use std::sync::LazyLock;

/// A type with variables.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Exactly this type.
    Is(Type),
    /// A type variable, an index into [`Signature::bounds`].
    Var(usize),
    /// `[T]`; a range fits as `[Int]`.
    List(Box<Shape>),
    /// `Map[T]`
    Map(Box<Shape>),
    /// `T?`
    Option(Box<Shape>),
    /// `{ first: T, second: U }`
    Record(Vec<(&'static str, Shape)>),
    /// `(A, B) -> C`
    Function(Vec<Shape>, Box<Shape>),
}

/// What a type variable may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Every type.
    Any,
    /// What `==` compares: everything but functions.
    Equal,
    /// What `<` compares: Int, Float, String, quantities.
    Ordered,
    /// What `+` adds: Int, Float, quantities.
    Sum,
    /// What can be counted in whole units: Int and quantities.
    Whole,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name, for signature help.
    pub name: &'static str,
    /// Its type.
    pub shape: Shape,
}

/// A method or function of the language.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// The name that programs write.
    pub name: &'static str,
    /// The name that [`Builtin::Method`](super::Builtin::Method) or [`Builtin::Function`](super::Builtin::Function)
    /// carries. It differs from `name` where the receiver's value does not tell which method is meant.
    pub builtin: &'static str,
    /// What stands before the dot; `None` for a function.
    pub receiver: Option<Shape>,
    /// What stands between the parentheses.
    pub params: Vec<Param>,
    /// The result.
    pub result: Shape,
    /// What each type variable may stand for.
    pub bounds: Vec<Bound>,
    /// One sentence for people.
    pub doc: &'static str,
}

/// Names of the content functions, which read files of the module and are no builtins of terms: `file(path) -> Content`,
/// `tree(path, ignore: [String]) -> Content` (`ignore` may be left out), `template(path, record) -> String`,
/// `executable(self | path) -> Content`.
pub const CONTENT_FUNCTIONS: [&str; 4] = ["file", "tree", "template", "executable"];

/// All methods.
pub fn methods() -> &'static [Signature] {
    static METHODS: LazyLock<Vec<Signature>> = LazyLock::new(|| {
        let mut all = text();
        all.extend(list());
        all.extend(map());
        all.extend(numbers());
        all.extend(optional());
        all
    });
    &METHODS
}

/// The method of a receiver whose outermost `~`, `Secret` and refinement have been taken off.
pub fn method(receiver: &Type, name: &str) -> Option<&'static Signature> {
    methods().iter().find(|m| m.name == name && m.receiver.as_ref().is_some_and(|shape| takes(shape, receiver, m)))
}

fn takes(shape: &Shape, ty: &Type, signature: &Signature) -> bool {
    match (shape, ty) {
        (_, Type::Error) => true,
        (shape, Type::Refined(refined)) => takes(shape, &refined.base, signature),
        (Shape::List(inner), Type::Range) => takes(inner, &Type::Int, signature),
        (Shape::List(inner), Type::List(item)) => takes(inner, strip(item), signature),
        (Shape::Map(inner), Type::Map(item)) => takes(inner, strip(item), signature),
        (Shape::Option(_), Type::Option(_)) => true,
        (Shape::Is(expected), ty) => expected == ty,
        (Shape::Var(n), ty) => signature.bounds.get(*n).is_some_and(|bound| bound.allows(ty)),
        _other => false,
    }
}

fn strip(ty: &Type) -> &Type {
    match ty {
        Type::Late(inner) | Type::Secret(inner) => strip(inner),
        Type::Refined(refined) => strip(&refined.base),
        _plain => ty,
    }
}

impl Bound {
    /// Whether a type variable with this bound may stand for a type. `~`, `Secret` and refinements do not matter.
    pub fn allows(self, ty: &Type) -> bool {
        let ty = strip(ty);
        let quantity = matches!(ty, Type::Duration | Type::Bytes | Type::Ratio | Type::Cpu);
        match (self, ty) {
            (Bound::Any, _) | (_, Type::Error | Type::Never) => true,
            (Bound::Equal, ty) => !matches!(ty, Type::Function(_)),
            (Bound::Ordered, Type::Int | Type::Float | Type::String) => true,
            (Bound::Sum, Type::Int | Type::Float) => true,
            (Bound::Whole, Type::Int) => true,
            (Bound::Ordered | Bound::Sum | Bound::Whole, _) => quantity,
        }
    }
}

/// Short constructors for the tables below.
pub(super) struct Row(pub(super) Signature);

pub(super) fn on(receiver: Shape, name: &'static str) -> Row {
    Row(Signature {
        name,
        builtin: name,
        receiver: Some(receiver),
        params: Vec::new(),
        result: Shape::Is(Type::Never),
        bounds: Vec::new(),
        doc: "",
    })
}

impl Row {
    pub(super) fn implemented_by(mut self, builtin: &'static str) -> Self {
        self.0.builtin = builtin;
        self
    }

    pub(super) fn bounds(mut self, bounds: &[Bound]) -> Self {
        self.0.bounds = bounds.to_vec();
        self
    }

    pub(super) fn param(mut self, name: &'static str, shape: Shape) -> Self {
        self.0.params.push(Param { name, shape });
        self
    }

    pub(super) fn gives(mut self, result: Shape, doc: &'static str) -> Signature {
        self.0.result = result;
        self.0.doc = doc;
        self.0
    }
}

pub(super) fn string() -> Shape {
    Shape::Is(Type::String)
}

pub(super) fn int() -> Shape {
    Shape::Is(Type::Int)
}

pub(super) fn boolean() -> Shape {
    Shape::Is(Type::Bool)
}

pub(super) fn var(n: usize) -> Shape {
    Shape::Var(n)
}

pub(super) fn list_of(item: Shape) -> Shape {
    Shape::List(Box::new(item))
}

pub(super) fn map_of(item: Shape) -> Shape {
    Shape::Map(Box::new(item))
}

pub(super) fn option_of(item: Shape) -> Shape {
    Shape::Option(Box::new(item))
}

pub(super) fn lambda(params: Vec<Shape>, result: Shape) -> Shape {
    Shape::Function(params, Box::new(result))
}

fn text() -> Vec<Signature> {
    let on = |name| on(string(), name);
    vec![
        on("len").gives(int(), "How many characters."),
        on("split").param("separator", string()).gives(list_of(string()), "The parts between separators."),
        on("trim").gives(string(), "Without white space at both ends."),
        on("pad")
            .param("width", int())
            .param("fill", string())
            .gives(string(), "At least `width` characters, filled up in front."),
        on("replace").param("from", string()).param("to", string()).gives(string(), "Every `from` written as `to`."),
        on("matches").param("pattern", string()).gives(boolean(), "Whether a regular expression matches somewhere."),
        on("slug").gives(string(), "Lower case letters, digits and single `-` only."),
        on("lower").gives(string(), "In lower case."),
        on("upper").gives(string(), "In upper case."),
        on("starts_with").param("prefix", string()).gives(boolean(), "Whether it starts with `prefix`."),
        on("ends_with").param("suffix", string()).gives(boolean(), "Whether it ends with `suffix`."),
        on("contains").param("part", string()).gives(boolean(), "Whether `part` is in it."),
        on("lines").gives(list_of(string()), "Its lines."),
    ]
}

fn list() -> Vec<Signature> {
    use Bound::{Any, Equal, Ordered, Sum};
    let on = |name| on(list_of(var(0)), name);
    let pair = Shape::Record(vec![("first", var(0)), ("second", var(1))]);
    let test = || lambda(vec![var(0)], boolean());
    vec![
        on("len").bounds(&[Any]).gives(int(), "How many elements."),
        on("map").bounds(&[Any, Any]).param("f", lambda(vec![var(0)], var(1))).gives(list_of(var(1)), "`f` of each."),
        on("filter").bounds(&[Any]).param("test", test()).gives(list_of(var(0)), "Those that pass."),
        on("fold")
            .bounds(&[Any, Any])
            .param("start", var(1))
            .param("step", lambda(vec![var(1), var(0)], var(1)))
            .gives(var(1), "`step(so_far, element)` over all, from the first."),
        on("sort_by")
            .bounds(&[Any, Ordered])
            .param("key", lambda(vec![var(0)], var(1)))
            .gives(list_of(var(0)), "In the order of the keys; equal ones keep theirs."),
        on("group_by")
            .bounds(&[Any])
            .param("key", lambda(vec![var(0)], string()))
            .gives(map_of(list_of(var(0))), "Lists by key."),
        on("zip")
            .bounds(&[Any, Any])
            .param("other", list_of(var(1)))
            .gives(list_of(pair), "Pairs `{ first, second }`, as many as the shorter one has."),
        on("chunk").bounds(&[Any]).param("size", int()).gives(list_of(list_of(var(0))), "Lists of `size` elements."),
        Row(Signature { receiver: Some(list_of(list_of(var(0)))), ..on("flatten").0 })
            .bounds(&[Any])
            .gives(list_of(var(0)), "The lists one after the other."),
        on("distinct").bounds(&[Equal]).gives(list_of(var(0)), "Without repetitions, first ones kept."),
        on("sum").bounds(&[Sum]).gives(var(0), "All added up."),
        on("min").bounds(&[Ordered]).gives(option_of(var(0)), "The smallest, `none` of nothing."),
        on("max").bounds(&[Ordered]).gives(option_of(var(0)), "The largest, `none` of nothing."),
        on("any").bounds(&[Any]).param("test", test()).gives(boolean(), "Whether one passes."),
        on("all").bounds(&[Any]).param("test", test()).gives(boolean(), "Whether every one passes."),
        on("first").bounds(&[Any]).gives(option_of(var(0)), "The first, `none` of nothing."),
        on("last").bounds(&[Any]).gives(option_of(var(0)), "The last, `none` of nothing."),
        on("get").bounds(&[Any]).param("index", int()).gives(option_of(var(0)), "The element, or `none`."),
        Row(Signature { receiver: Some(list_of(string())), ..on("join").0 })
            .param("separator", string())
            .gives(string(), "The texts with `separator` between them."),
    ]
}

fn map() -> Vec<Signature> {
    use Bound::Any;
    let on = |name| on(map_of(var(0)), name);
    vec![
        on("len").bounds(&[Any]).gives(int(), "How many entries."),
        on("keys").bounds(&[Any]).gives(list_of(string()), "The keys in order."),
        on("values").bounds(&[Any]).gives(list_of(var(0)), "The values in the order of the keys."),
        on("map")
            .bounds(&[Any, Any])
            .param("f", lambda(vec![string(), var(0)], var(1)))
            .gives(map_of(var(1)), "`f(key, value)` under each key; with one parameter, `f(value)`."),
        on("filter")
            .bounds(&[Any])
            .param("test", lambda(vec![string(), var(0)], boolean()))
            .gives(map_of(var(0)), "Entries whose key and value pass; with one parameter, whose value passes."),
        on("get").bounds(&[Any]).param("key", string()).gives(option_of(var(0)), "The value, or `none`."),
        on("pick").bounds(&[Any]).param("keys", list_of(string())).gives(map_of(var(0)), "Only these keys."),
        on("omit").bounds(&[Any]).param("keys", list_of(string())).gives(map_of(var(0)), "All but these keys."),
        on("merge_disjoint")
            .bounds(&[Any])
            .param("other", map_of(var(0)))
            .gives(map_of(var(0)), "Both; a key in both is an error."),
    ]
}

fn numbers() -> Vec<Signature> {
    use Bound::{Ordered, Whole};
    let is = Shape::Is;
    let texts = [Type::Duration, Type::Bytes, Type::Ratio, Type::Cpu, Type::Int, Type::Float]
        .map(|ty| on(is(ty), "text").gives(string(), "As it would be written."));
    let mut all = vec![
        on(is(Type::Duration), "in_ms").gives(int(), "Milliseconds."),
        on(is(Type::Duration), "in_s").gives(int(), "Whole seconds, rounded down."),
        on(is(Type::Bytes), "in_mib").gives(int(), "Whole MiB, rounded down."),
        on(var(0), "part")
            .bounds(&[Whole])
            .param("ratio", is(Type::Ratio))
            .gives(var(0), "This part of it, rounded up."),
        on(int(), "mod").param("divisor", int()).gives(int(), "The rest, never negative."),
        on(int(), "ceil_div").param("divisor", int()).gives(int(), "Divided, rounded up."),
        on(var(0), "clamp")
            .bounds(&[Ordered])
            .param("low", var(0))
            .param("high", var(0))
            .gives(var(0), "At least `low`, at most `high`."),
    ];
    all.extend(texts);
    all
}

fn optional() -> Vec<Signature> {
    vec![
        on(option_of(var(0)), "map")
            .implemented_by("optional.map")
            .bounds(&[Bound::Any, Bound::Any])
            .param("f", lambda(vec![var(0)], var(1)))
            .gives(option_of(var(1)), "`f` of the value, if there is one."),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receiver_decides() {
        let ints = Type::list(Type::Int);
        assert_eq!(method(&ints, "sum").unwrap().result, Shape::Var(0));
        assert!(method(&Type::list(Type::String), "sum").is_none());
        assert!(method(&Type::list(Type::late(Type::Int)), "sum").is_some());
        assert_eq!(method(&Type::map(Type::Int), "map").unwrap().builtin, "map");
        assert_eq!(method(&Type::option(Type::Int), "map").unwrap().builtin, "optional.map");
        assert!(method(&Type::Range, "len").is_some());
        assert!(method(&Type::String, "sum").is_none());
    }

    #[test]
    fn every_signature_is_documented_and_its_variables_are_bounded() {
        for signature in methods().iter().chain(super::super::functions()) {
            assert!(!signature.doc.is_empty(), "{}", signature.name);
            let mut shapes: Vec<&Shape> = signature.params.iter().map(|p| &p.shape).collect();
            shapes.push(&signature.result);
            shapes.extend(&signature.receiver);
            while let Some(shape) = shapes.pop() {
                match shape {
                    Shape::Is(_) => {}
                    Shape::Var(n) => assert!(*n < signature.bounds.len(), "{}", signature.name),
                    Shape::List(t) | Shape::Map(t) | Shape::Option(t) => shapes.push(t),
                    Shape::Record(fields) => shapes.extend(fields.iter().map(|(_, t)| t)),
                    Shape::Function(params, result) => {
                        shapes.extend(params);
                        shapes.push(result);
                    }
                }
            }
        }
    }
}
