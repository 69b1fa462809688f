//! Programs as graphs, made by hand: the engine knows no compiler.

use imm_ir::{
    Addr, Cause, CauseKind, Class, Digest, Edge, EdgeKind, Expanded, Graph, Input, Loc, Node, Origin, ParamFrom, Term,
    Value, With, kinds, spec,
};
use std::sync::Arc;

pub fn loc(line: u32) -> Loc {
    Loc { file: Arc::from("main.imm"), line, column: 1 }
}

fn node(class: Class, kind: &str, inputs: Vec<(&str, Value)>, edges: Vec<(Addr, EdgeKind)>) -> Node {
    let input = |value| Arc::new(Input { term: Term::Value(value), loc: loc(9), written: 0, causes: Vec::new() });
    let inputs: imm_ir::Fields<Arc<Input>> = inputs.into_iter().map(|(n, v)| (Arc::from(n), input(v))).collect();
    let schema = kinds::builtin().get(kind).unwrap();
    let mut inputs = inputs;
    for field in &schema.fields {
        if let Some(value) = field.default.clone() {
            inputs.add(&field.name, || input(value));
        }
    }
    let (spec, _) = spec::spec(schema, "host", &inputs);
    Node {
        kind: Arc::from(kind),
        class,
        provider: Arc::from("host"),
        inputs,
        edges: edges.into_iter().map(|(to, kind)| Edge { to, kind }).collect(),
        with: With { timeout_ms: 10_000, ..With::default() }.into(),
        origin: Origin { loc: loc(1), uses: [].into() }.into(),
        spec,
    }
}

pub fn instance(i: u32) -> Addr {
    Addr::root("web").child("instance").key(&i.to_string())
}

/// A file that comes after others.
pub fn file(content: &str, after: Vec<(Addr, EdgeKind)>) -> Node {
    node(Class::Resource, "file", vec![("content", Value::text(content))], after)
}

/// hello: an image, containers from it, a route in front, a volume beside.
pub fn hello(greeting: &str, replicas: u32, keep: u32) -> Graph {
    let mut graph = Graph::default();
    graph.policy.keep = keep;
    let (app, web, front) = (Addr::root("app"), Addr::root("web"), Addr::root("front"));
    let mut image = node(Class::Resource, "image", vec![("user", Value::text(greeting))], Vec::new());
    let param = CauseKind::Param { name: "greeting".into(), from: ParamFrom::CommandLine, shown: greeting.into() };
    let digest = Digest::of(greeting.as_bytes());
    Arc::make_mut(image.inputs.get_mut("user").unwrap()).causes = vec![Cause { what: param, loc: loc(7), digest }];
    graph.nodes.insert(app.clone(), image);
    let members: Vec<Addr> = (0..replicas).map(instance).collect();
    for member in &members {
        let inputs = vec![("image", Value::Node(app.clone())), ("port", Value::Int(80))];
        graph
            .nodes
            .insert(member.clone(), node(Class::Resource, "container", inputs, vec![(app.clone(), EdgeKind::Bind)]));
    }
    let set = members.iter().map(|m| (m.clone(), EdgeKind::Set)).collect();
    let inputs = vec![("listen", Value::Int(8080)), ("to", Value::Node(web.clone())), ("drain", Value::Duration(2000))];
    graph.nodes.insert(front.clone(), node(Class::Pointer, "route", inputs, set));
    let volume = node(Class::Durable, "volume", vec![("size", Value::Bytes(1 << 30))], Vec::new());
    graph.nodes.insert(Addr::root("uploads"), volume);
    let origin = Origin::default().into();
    graph.expanded.insert(web, Expanded { kind: "service".into(), members, origin, count_loc: loc(3) });
    graph.outputs.push(imm_ir::Output {
        name: "url".into(),
        ty: imm_ir::Type::String,
        term: Term::Output(front, "url".into()),
        loc: loc(20),
    });
    graph
}
