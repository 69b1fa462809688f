//! The reducer as the compiler and the runtime use it.

use super::*;
use crate::{Fields, Key};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn v(value: Value) -> Arc<Term> {
    Arc::new(Term::Value(value))
}

fn int(n: i64) -> Arc<Term> {
    v(Value::Int(n))
}

fn text(s: &str) -> Arc<Term> {
    v(Value::text(s))
}

fn hole(name: &str) -> Term {
    Term::Output(Addr::root(name), Arc::from("port"))
}

fn op(sign: &str, args: Vec<Arc<Term>>) -> Result<Term> {
    apply(&Builtin::Operator(Arc::from(sign)), args)
}

fn method(name: &str, args: Vec<Arc<Term>>) -> Result<Term> {
    apply(&Builtin::Method(Arc::from(name)), args)
}

fn lambda(arity: u32, body: Term) -> Arc<Term> {
    Arc::new(Term::Lambda { first: 0, arity, body: Arc::new(body) })
}

fn list(items: Vec<Term>) -> Arc<Term> {
    Arc::new(Term::list(items))
}

fn value(result: Result<Term>) -> Value {
    result.unwrap().into_value().expect("a value")
}

#[test]
fn arithmetic_is_checked_and_keeps_units() {
    assert_eq!(value(op("+", vec![int(2), int(3)])), Value::Int(5));
    assert_eq!(op("+", vec![int(i64::MAX), int(1)]).unwrap_err().problem, Problem::Overflow);
    assert_eq!(op("/", vec![int(1), int(0)]).unwrap_err().problem, Problem::DivisionByZero);
    assert_eq!(value(op("*", vec![v(Value::Bytes(64)), int(2)])), Value::Bytes(128));
    assert_eq!(value(op("/", vec![v(Value::Duration(90)), v(Value::Duration(60))])), Value::Float(1.5));
    let negative = op("-", vec![v(Value::Duration(1)), v(Value::Duration(2))]).unwrap_err();
    assert_eq!(negative.problem, Problem::OutOfRange);
    assert!(negative.message.contains("1ms - 2ms"), "{negative}");
}

#[test]
fn an_index_outside_says_what_there_is() {
    let map = Arc::new(Term::map([(Key::from("a"), Term::Value(Value::Int(1)))].into()));
    let error = op("[]", vec![map, text("b")]).unwrap_err();
    assert_eq!(error.to_string(), "there is no key \"b\" in this map; there are \"a\"; `.get(key)` gives an optional");
    assert!(op("[]", vec![list(vec![]), int(0)]).is_err());
}

#[test]
fn keys_of_a_map_with_holes_are_known() {
    let map: BTreeMap<Key, Term> = ["10", "9", "b"].into_iter().map(|k| (Key::from(k), hole(k))).collect();
    let keys = value(method("keys", vec![Arc::new(Term::map(map.clone()))]));
    assert_eq!(keys, Value::List(["9", "10", "b"].map(Value::text).to_vec()));
    assert_eq!(value(method("len", vec![Arc::new(Term::map(map))])), Value::Int(3));
}

#[test]
fn holes_are_filled_and_folded() {
    let url = apply(&Builtin::Concat, vec![text("http://x:"), Arc::new(hole("web"))]).unwrap();
    assert!(url.known().is_none());
    let filled = reduce(&url, &|addr, field| (addr.as_str() == "web" && field == "port").then_some(Value::Int(80)));
    assert_eq!(value(filled), Value::text("http://x:80"));
}

#[test]
fn lambdas_see_their_surroundings() {
    // [1, 2].map(x => [10, 20].map(y => x * y))
    let inner = Term::Lambda {
        first: 1,
        arity: 1,
        body: Arc::new(Term::Call(
            Builtin::Operator(Arc::from("*")),
            vec![Arc::new(Term::Var(0)), Arc::new(Term::Var(1))],
        )),
    };
    let tens = list(vec![Term::Value(Value::Int(10)), Term::Value(Value::Int(20))]);
    let body = Term::Call(Builtin::Method(Arc::from("map")), vec![tens, Arc::new(inner)]);
    let result = value(method("map", vec![v(Value::Range(1, 3)), lambda(1, body)]));
    let row = |a, b| Value::List(vec![Value::Int(a), Value::Int(b)]);
    assert_eq!(result, Value::List(vec![row(10, 20), row(20, 40)]));
}

#[test]
fn a_secret_makes_secrets() {
    let secret = v(Value::text("hunter2").into_secret());
    for result in [
        apply(&Builtin::Concat, vec![text("x"), Arc::clone(&secret)]),
        method("len", vec![Arc::clone(&secret)]),
        method("join", vec![list(vec![(*secret).clone()]), text(",")]),
        op("==", vec![Arc::clone(&secret), text("hunter2")]),
        op("in", vec![text("a"), list(vec![(*secret).clone()])]),
    ] {
        let result = result.unwrap();
        assert!(result.is_secret(), "{result:?}");
        assert!(!format!("{result:?}").contains("hunter2"));
    }
    let open = apply(&Builtin::Concat, vec![secret, Arc::new(hole("db"))]).unwrap();
    assert!(open.is_secret() && !format!("{open:?}").contains("hunter2"), "{open:?}");
    let filled = reduce(&open, &|_, _| Some(Value::Int(1))).unwrap();
    assert_eq!(filled, Term::Value(Value::text("hunter21").into_secret()));
}

#[test]
fn presence_and_keys_of_secrets_are_public() {
    let secret = v(Value::text("x").into_secret());
    assert_eq!(value(op("!=", vec![Arc::clone(&secret), v(Value::None)])), Value::Bool(true));
    let map = Arc::new(Term::map([(Key::from("k"), (*secret).clone())].into()));
    assert_eq!(value(method("keys", vec![map])), Value::List(vec![Value::text("k")]));
    let print = apply(&Builtin::Function(Arc::from("secret.fingerprint")), vec![secret]).unwrap();
    assert!(!print.is_secret());
}

#[test]
fn two_variants_differ_whatever_they_hold() {
    let late = Fields::from([(Arc::from("url"), hole("web"))]);
    let remote = Arc::new(Term::variant(Arc::from("remote"), late));
    let memory = v(Value::Variant(Arc::from("memory"), Fields::new()));
    assert_eq!(value(op("==", vec![Arc::clone(&remote), Arc::clone(&memory)])), Value::Bool(false));
    assert_eq!(value(op("!=", vec![memory, Arc::clone(&remote)])), Value::Bool(true));
    let other = v(Value::Variant(Arc::from("remote"), Fields::from([(Arc::from("url"), Value::text("a"))])));
    assert!(matches!(op("==", vec![remote, other]).unwrap(), Term::Call(..)), "its payload is not known");
}

#[test]
fn a_guarded_error_waits_for_its_guard() {
    let division = Term::Call(Builtin::Operator(Arc::from("/")), vec![int(1), int(0)]);
    let guarded = Term::If(Arc::new(hole("web")), Arc::new(division.clone()), int(7));
    let open = reduce(&guarded, &|_, _| None).unwrap();
    assert_eq!(value(reduce(&open, &|_, _| Some(Value::Bool(false)))), Value::Int(7));
    let error = reduce(&open, &|_, _| Some(Value::Bool(true))).unwrap_err();
    assert_eq!(error.problem, Problem::DivisionByZero);
    let and = Term::Call(Builtin::Operator(Arc::from("&&")), vec![Arc::new(hole("web")), Arc::new(division)]);
    assert_eq!(value(reduce(&and, &|_, _| Some(Value::Bool(false)))), Value::Bool(false));
}

#[test]
fn a_gate_is_a_function_of_two_samples() {
    let errors = |n| Term::Call(Builtin::Field(Arc::from("errors")), vec![Arc::new(Term::Var(n))]);
    let gate =
        lambda(2, Term::Call(Builtin::Operator(Arc::from("<=")), vec![Arc::new(errors(0)), Arc::new(errors(1))]));
    let samples = |ppm| Term::Value(Value::Record(Fields::from([(Arc::from("errors"), Value::Ratio(ppm))])));
    assert_eq!(value(call(&gate, &[samples(1), samples(2)])), Value::Bool(true));
    assert_eq!(value(call(&gate, &[samples(3), samples(2)])), Value::Bool(false));
    assert!(call(&gate, &[samples(3)]).is_err());
}

#[test]
fn methods_of_lists_and_texts() {
    let words = || list(["b", "a", "b"].map(|w| Term::Value(Value::text(w))).to_vec());
    assert_eq!(value(method("join", vec![words(), text("-")])), Value::text("b-a-b"));
    assert_eq!(value(method("distinct", vec![words()])), Value::List(vec![Value::text("b"), Value::text("a")]));
    assert_eq!(value(method("min", vec![words()])), Value::text("a"));
    assert_eq!(value(method("sum", vec![list(vec![]), v(Value::Bytes(0))])), Value::Bytes(0));
    assert_eq!(value(method("slug", vec![text("  Hello, World! ")])), Value::text("hello-world"));
    assert_eq!(value(method("pad", vec![text("7"), int(3), text("0")])), Value::text("007"));
    assert_eq!(value(method("matches", vec![text("ami-1"), text("^ami-[0-9]+$")])), Value::Bool(true));
    assert!(method("matches", vec![text("a"), text("(")]).is_err());
    assert_eq!(value(method("part", vec![v(Value::Bytes(200)), v(Value::Ratio(250_000))])), Value::Bytes(50));
    assert_eq!(value(method("part", vec![v(Value::Int(3)), v(Value::Ratio(500_000))])), Value::Int(2));
    assert_eq!(value(method("ceil_div", vec![int(7), int(2)])), Value::Int(4));
    assert_eq!(value(method("text", vec![v(Value::Ratio(15_000))])), Value::text("1.5%"));
    assert_eq!(value(method("text", vec![v(Value::Bytes(64 << 20))])), Value::text("64MiB"));
}

#[test]
fn what_is_too_large_is_refused() {
    let huge = v(Value::Range(0, i64::MAX));
    assert_eq!(method("map", vec![huge, lambda(1, Term::Var(0))]).unwrap_err().problem, Problem::Budget);
    let mut deep = hole("x");
    for _ in 0..DEPTH + 10 {
        deep = Term::If(Arc::new(hole("y")), Arc::new(deep), int(1));
    }
    assert_eq!(reduce(&deep, &|_, _| None).unwrap_err().problem, Problem::Budget);
}

#[test]
fn json_is_one_line_in_key_order() {
    let record = Value::Record(Fields::from([
        (Arc::from("b"), Value::text("x\n\"")),
        (Arc::from("a"), Value::List(vec![Value::Bool(true), Value::None])),
    ]));
    let json = apply(&Builtin::Function(Arc::from("encode.json")), vec![v(record)]);
    assert_eq!(value(json), Value::text(r#"{"a":[true,null],"b":"x\n\""}"#));
}

fn number() -> impl Strategy<Value = Value> {
    let edge = prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -3i64..3];
    (edge, 0..6u8).prop_map(|(n, unit)| match unit {
        0 => Value::Int(n),
        1 => Value::Duration(n.saturating_abs()),
        2 => Value::Bytes(n.saturating_abs()),
        3 => Value::Ratio(n.saturating_abs()),
        4 => Value::Cpu(n.saturating_abs()),
        _float => Value::Float(f64::from(i32::try_from(n % 1000).unwrap())),
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        number(),
        ".{0,8}".prop_map(Value::text),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::None),
        (any::<i64>(), any::<i64>()).prop_map(|(a, b)| Value::Range(a, b)),
        "[a-c]".prop_map(|tag| Value::tag(&tag)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map("[0-9a-c]{1,2}".prop_map(Key::from), inner.clone(), 0..4).prop_map(Value::Map),
            inner.prop_map(Value::into_secret),
        ]
    })
}

fn builtins() -> impl Strategy<Value = Builtin> {
    let signs = ["+", "-", "*", "/", "==", "<", "in", "??", "&&", "[]", "..=", "neg", "!"]
        .map(|s| Builtin::Operator(Arc::from(s)));
    let methods: Vec<Builtin> =
        crate::builtin::methods().iter().map(|m| Builtin::Method(Arc::from(m.builtin))).collect();
    let mut all: Vec<Builtin> = signs.to_vec();
    all.extend(methods);
    all.push(Builtin::Concat);
    all.push(Builtin::Field(Arc::from("a")));
    all.extend(crate::builtin::functions().iter().map(|f| Builtin::Function(Arc::from(f.builtin))));
    prop::sample::select(all)
}

proptest! {
    #[test]
    fn no_builtin_panics_and_no_secret_gets_out(
        builtin in builtins(),
        args in prop::collection::vec(any_value(), 0..4),
        with_lambda in any::<bool>(),
    ) {
        let secret = args.iter().any(|arg| matches!(arg, Value::Secret(_)));
        let mut terms: Vec<_> = args.into_iter().map(v).collect();
        if with_lambda {
            terms.push(lambda(1, Term::Var(0)));
        }
        let right_of_lazy = matches!(&builtin, Builtin::Operator(s) if matches!(&**s, "??" | "&&" | "||"));
        let asks_presence = terms.iter().any(|t| t.known() == Some(&Value::None));
        let fingerprint = builtin == Builtin::Function(Arc::from("secret.fingerprint"));
        if let Ok(result) = apply(&builtin, terms)
            && secret && !right_of_lazy && !asks_presence && !fingerprint
        {
            prop_assert!(result.is_secret(), "{builtin}: {result:?}");
        }
    }

    #[test]
    fn folding_early_or_late_is_the_same(builtin in builtins(), a in any_value(), b in any_value()) {
        let early = apply(&builtin, vec![v(a.clone()), v(b.clone())]);
        let holes = Term::Call(builtin, vec![Arc::new(hole("a")), Arc::new(hole("b"))]);
        let late = reduce(&holes, &|addr, _| Some(if addr.as_str() == "a" { a.clone() } else { b.clone() }));
        match (early, late) {
            (Ok(early), Ok(late)) => prop_assert_eq!(early, late),
            (Err(early), Err(late)) => prop_assert_eq!(early.problem, late.problem),
            (early, late) => prop_assert!(false, "{:?} but {:?}", early, late),
        }
    }

    #[test]
    fn maps_are_in_key_order(keys in prop::collection::btree_set("[0-9a-z]{1,4}", 0..12)) {
        let map = keys.iter().map(|k| (Key::from(k.as_str()), Term::Value(Value::None))).collect();
        let Value::List(found) = value(method("keys", vec![Arc::new(Term::map(map))])) else { panic!("a list") };
        for pair in found.windows(2) {
            prop_assert!(Key::from(pair[0].as_text().unwrap()) < Key::from(pair[1].as_text().unwrap()));
        }
        prop_assert_eq!(found.len(), keys.len());
    }
}
