//! Each construct of the grammar gives the tree it should.

use imm_ir::FileId;
use imm_syntax::ast::{
    BinaryOp, BlockBody, BlockFor, EntryKind, Expr, ExprKind, ItemKind, KeyKind, ListBody, Module, NodeHead,
    PatternKind, Quantity, StepKind, StrBody, StrPart, TypeDefinition, TypeExpr, TypeKind, UnaryOp, Unit,
};
use imm_syntax::{parse, parse_expr, parse_type};

fn module(text: &str) -> Module {
    let parsed = parse(FileId(0), text);
    assert_eq!(parsed.diagnostics, [], "{text}");
    parsed.module
}

fn expr(text: &str) -> Expr {
    let (expr, diagnostics) = parse_expr(FileId(0), text);
    assert_eq!(diagnostics, [], "{text}");
    expr
}

/// An expression with all its structure in parentheses.
fn shape(expr: &Expr) -> String {
    let all = |exprs: &[Expr]| exprs.iter().map(shape).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        ExprKind::Int(n) => n.to_string(),
        ExprKind::Float(n) => format!("{n:?}"),
        ExprKind::Quantity(q) => format!("{}{:?}", q.amount, q.unit),
        ExprKind::Str(s) => {
            let part = |p: &StrPart| match p {
                StrPart::Text(text) => text.to_string(),
                StrPart::Hole(e) => format!("${{{}}}", shape(e)),
            };
            match &s.body {
                StrBody::Plain(text) => format!("{text:?}"),
                StrBody::Parts(parts) => format!("{:?}", parts.iter().map(part).collect::<String>()),
            }
        }
        ExprKind::Bool(b) => b.to_string(),
        ExprKind::None => "none".into(),
        ExprKind::Name(n) => n.to_string(),
        ExprKind::Qualified(it) => format!("{}.{}", it.ty, it.name),
        ExprKind::Call(it) => format!("({}() {})", it.name, all(&it.args)),
        ExprKind::Construct(it) => format!("({} {})", it.name, body(&it.fields.body)),
        ExprKind::Field(it) => format!("({}{}{})", shape(&it.base), if it.optional { "?." } else { "." }, it.name),
        ExprKind::Method(it) => format!("({}.{}() {})", shape(&it.base), it.name, all(&it.args)),
        ExprKind::Index { base, index } => format!("({}[{}])", shape(base), shape(index)),
        ExprKind::Unary { op: UnaryOp::Neg, operand, .. } => format!("(-{})", shape(operand)),
        ExprKind::Unary { op: UnaryOp::Not, operand, .. } => format!("(!{})", shape(operand)),
        ExprKind::Binary { op, left, right, .. } => format!("({} {} {})", shape(left), op.as_str(), shape(right)),
        ExprKind::If { condition, then, otherwise } => {
            format!("(if {} {} {})", shape(condition), shape(then), shape(otherwise))
        }
        ExprKind::Match { scrutinee, arms } => {
            let arms: Vec<String> = arms.iter().map(|a| format!("{}=>{}", a.patterns.len(), shape(&a.body))).collect();
            format!("(match {} {})", shape(scrutinee), arms.join(" "))
        }
        ExprKind::Lambda { params, body } => format!("({} => {})", params.len(), shape(body)),
        ExprKind::List(ListBody::Elements(all)) => {
            let one = |e: &imm_syntax::ast::Element| {
                format!("{}{}", if e.spread.is_some() { ".." } else { "" }, shape(&e.value))
            };
            format!("[{}]", all.iter().map(one).collect::<Vec<_>>().join(" "))
        }
        ExprKind::List(ListBody::For { head, value }) => format!("[for {} {}]", shape(&head.source), shape(value)),
        ExprKind::Block(block) => body(&block.body),
        ExprKind::Paren(inner) => shape(inner),
        ExprKind::Error => "error".into(),
    }
}

fn body(body: &BlockBody) -> String {
    match body {
        BlockBody::Entries(entries) => {
            let one = |e: &imm_syntax::ast::Entry| match &e.kind {
                EntryKind::Field { key, value } => match &key.kind {
                    KeyKind::Name(name) => format!("{name}={}", shape(value)),
                    KeyKind::Str(s) => format!("{:?}={}", s.plain().unwrap_or("…"), shape(value)),
                    KeyKind::Computed(key) => format!("[{}]={}", shape(key), shape(value)),
                },
                EntryKind::Short(name) => name.to_string(),
                EntryKind::Spread(e) => format!("..{}", shape(e)),
                EntryKind::Error => "error".into(),
            };
            format!("{{{}}}", entries.iter().map(one).collect::<Vec<_>>().join(" "))
        }
        BlockBody::For(each) => {
            let BlockFor { head, key, value } = &**each;
            format!("{{for {} {} {}}}", shape(&head.source), shape(key), shape(value))
        }
    }
}

fn is(text: &str, expected: &str) {
    assert_eq!(shape(&expr(text)), expected, "{text}");
}

#[test]
fn precedence() {
    is("1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)");
    is("-a.b * !c", "((-(a.b)) * (!c))");
    is("a ?? b ?? c", "(a ?? (b ?? c))");
    is("1 + 1 .. 2 + 2", "((1 + 1) .. (2 + 2))");
    is("x in 1..=20", "(x in (1 ..= 20))");
    is("a || b && c == d ?? e", "(a || (b && (c == (d ?? e))))");
    is("--a", "(-(-a))");
    is("!(x in xs)", "(!(x in xs))");
    is("1..5", "(1 .. 5)");
}

#[test]
fn suffixes() {
    is("a.b?.c[0].d(1, 2)", "((((a.b)?.c)[0]).d() 1 2)");
    is("some(x)", "(some() x)");
    is("http { path = \"/\" }.x", "((http {path=\"/\"}).x)");
    is("Tls.auto", "Tls.auto");
    is("Tls.pem { cert }", "(pem {cert})");
    is("a.match.if", "((a.match).if)");
    is("xs.map(x => x + 1,)", "(xs.map() (1 => (x + 1)))");
    is("(new, old) => new.a", "(2 => (new.a))");
    is("() => 1", "(0 => 1)");
    is("_ => 1", "(1 => 1)");
}

#[test]
fn blocks_and_lists() {
    is("{}", "{}");
    is("{ a, b = 1, ..c }", "{a b=1 ..c}");
    is("{\n  a = 1\n\n  // note\n  \"b-c\" = 2,\n  [k] = 3\n}", "{a=1 \"b-c\"=2 [k]=3}");
    is("{ for = 5s, match = 1\n with = 2\n where = 3 }", "{for=5000Duration match=1 with=2 where=3}");
    is("{ for k, v in m if v: [k] = v }", "{for m k v}");
    is("{ ..{ for p in ps: [p] = 1 } }", "{..{for ps p 1}}");
    is("[for x in xs: x + 1]", "[for xs (x + 1)]");
    is("[1, ..xs, 2,]", "[1 ..xs 2]");
    is("[\n  1,\n  2\n]", "[1 2]");
}

#[test]
fn control() {
    is("if a then b else if c then d else e", "(if a b (if c d e))");
    is("if a\n  then b\n  else c", "(if a b c)");
    is("match x { a | b => 1, _ => 2 }", "(match x 2=>1 1=>2)");
    is("match f(x) {\n  none => 1\n  some(v) => v\n}", "(match (f() x) 1=>1 1=>v)");
    is("match x { a => http { port = 1 } }", "(match x 1=>(http {port=1}))");
    let ExprKind::Match { arms, .. } = expr("match x { T.a { p, .. } => 1, -1 => 2, 5s => 3, \"s\" => 4 }").kind else {
        panic!()
    };
    let PatternKind::Variant { ty, name, fields } = &arms[0].patterns[0].kind else { panic!() };
    assert_eq!((ty.as_ref().unwrap().as_str(), name.as_str()), ("T", "a"));
    assert!(fields.as_ref().unwrap().rest.is_some());
    assert_eq!(arms[1].patterns[0].kind, PatternKind::Int(-1));
    assert_eq!(arms[2].patterns[0].kind, PatternKind::Quantity(Quantity { unit: Unit::Duration, amount: 5_000 }));
}

#[test]
fn literals() {
    is("1_000", "1000");
    is("1.5", "1.5");
    is("10%", "100000Ratio");
    is("0.5cpu", "500Cpu");
    is("64MiB", "67108864Bytes");
    is(r#""a${b}c\n""#, "\"a${b}c\\n\"");
    is(r#""${"${x}"}""#, "\"${\\\"${x}\\\"}\"");
    is(r#""${{ a = "}" }.a}""#, "\"${({a=\\\"}\\\"}.a)}\"");
    is(r#"r"\d${x}""#, "\"\\\\d${x}\"");
    is("\"\"\"\n    a ${b}\n      \"c\"\n    \"\"\"", "\"a ${b}\\n  \\\"c\\\"\\n\"");
    is(r#""\${x}""#, "\"${x}\"");
    is("\"\"", "\"\"");
}

#[test]
fn new_lines() {
    is("a\n  .b\n  ?? c", "((a.b) ?? c)");
    is("a +\n  b", "(a + b)");
    is("f(a\n  + b,\n  c)", "(f() (a + b) c)");
    assert_eq!(module("let a = 1\n\n\nlet b =\n  2\n").items.len(), 2);
    assert_eq!(module("  let a = b\n    && c\n\tlet b = 2").items.len(), 2);
    assert_eq!(parse(FileId(0), "let a = b\n- c\n").diagnostics.len(), 1);
    assert_eq!(parse(FileId(0), "let a = b\n[c]\n").diagnostics.len(), 1);
}

fn ty(text: &str) -> TypeExpr {
    let (ty, diagnostics) = parse_type(FileId(0), text);
    assert_eq!(diagnostics, [], "{text}");
    ty
}

#[test]
fn types() {
    let TypeKind::Late(inner) = ty("~T?").kind else { panic!() };
    assert!(matches!(inner.kind, TypeKind::Optional(_)));
    assert!(matches!(ty("(~T)?").kind, TypeKind::Optional(_)));
    let TypeKind::Path { segments, argument } = ty("limits.Map[[Int]]").kind else { panic!() };
    assert_eq!(segments.len(), 2);
    assert!(matches!(argument.unwrap().kind, TypeKind::List(_)));
    let TypeKind::Record(fields) = ty("{ a: Int, for: { b: T? }\n c: service }").kind else { panic!() };
    assert_eq!(fields.len(), 3);
    let definition = |text: &str| match module(text).items.remove(0).kind {
        ItemKind::Type(it) => it.definition,
        other => panic!("{other:?}"),
    };
    let TypeDefinition::Variants(variants) = definition("type S =\n  | a\n  | b { x: Int }\n") else { panic!() };
    assert_eq!(variants.len(), 2);
    assert!(matches!(definition("type S = a { x: Int }"), TypeDefinition::Variants(v) if v.len() == 1));
    assert!(matches!(definition("type S = service"), TypeDefinition::Alias { predicate: None, .. }));
    assert!(matches!(definition("type P = Int where it in 1..=9"), TypeDefinition::Alias { predicate: Some(_), .. }));
}

#[test]
fn items() {
    let text = "//! About\n//! all.\nimport std.net\nimport \"./x\" as y\n/// One\n///  two\npub let a: Int = 1\nparam p: Int = 1 where it > 0\n\
        pub fn f(a: T, b: ~U,) -> V = a\nprovider aws = terraform { source = \"x\" }\nenvironment prod { keep = 3 }\n\
        output o: ~String = a.b\nassert a else \"m\"\nuse u = c { a }\n";
    let module = module(text);
    assert_eq!(&*module.docs.unwrap().text, "About\nall.");
    assert_eq!(module.items.len(), 10);
    assert_eq!(&*module.items[2].docs.as_ref().unwrap().text, "One\n two");
    assert!(module.items[2].public.is_some());
    let starts: Vec<&str> = module.items.iter().map(|i| text[i.span.range()].split(' ').next().unwrap()).collect();
    assert_eq!(
        starts,
        ["import", "import", "pub", "param", "pub", "provider", "environment", "output", "assert", "use"]
    );
}

#[test]
fn nodes() {
    let node = |text: &str| match module(text).items.remove(0).kind {
        ItemKind::Node(node) => *node,
        other => panic!("{other:?}"),
    };
    let plain = node("durable it = aws.use.vpc { a = 1 } with { timeout = 1s }");
    assert_eq!(plain.kind.len(), 3);
    assert!(plain.with.is_some());
    assert!(matches!(node("resource a for k, v in m if v = b {}").head, NodeHead::For(h) if h.filter.is_some()));
    let NodeHead::If(condition) = node("resource a if b == c = d {}").head else { panic!() };
    assert!(matches!(condition.kind, ExprKind::Binary { op: BinaryOp::Eq, .. }));
    let ItemKind::Component(component) =
        module("component c {\n  /// doc\n  param a: T\n\n  resource b = d { a }\n}").items.remove(0).kind
    else {
        panic!()
    };
    assert_eq!(component.items.len(), 2);
    assert!(component.items[0].docs.is_some());
}

#[test]
fn tests_of_programs() {
    let text = "test \"t\" {\n  given { a = 1 }\n  apply\n  fault crash { at = b }\n  sample p { new = {} }\n  rollback\n  recover\n  expect apply == given\n}";
    let ItemKind::Test(test) = module(text).items.remove(0).kind else { panic!() };
    assert_eq!(test.steps.len(), 7);
    assert!(matches!(test.steps[6].kind, StepKind::Expect(_)));
}
