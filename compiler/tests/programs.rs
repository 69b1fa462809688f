//! The programs of the design, compiled to graphs in a world in memory.

use imm_compiler::{Compiled, Given, GivenValue, MemoryWorld, Options, compile};
use imm_ir::{Addr, EdgeKind, Graph, ParamFrom, Replace};
use std::collections::BTreeMap;
use std::sync::Arc;

fn world(program: &str, files: &[(&str, &str)]) -> MemoryWorld {
    let mut world = MemoryWorld::new([("main.imm", program)]);
    for (path, text) in files {
        world.insert(path, text.as_bytes());
    }
    world
}

#[track_caller]
fn compiled(world: &MemoryWorld, environment: &str, params: &[(&str, &str)]) -> Compiled {
    let given = |text: &str| Given { value: GivenValue::Text(text.to_owned()), from: ParamFrom::CommandLine };
    let params: BTreeMap<Arc<str>, Given> = params.iter().map(|(name, text)| (Arc::from(*name), given(text))).collect();
    let options = Options { params, environment: environment.to_owned(), ..Options::default() };
    match compile(world, "", &options) {
        Ok(compiled) => compiled,
        Err(failed) => panic!("{:#?}", failed.diagnostics),
    }
}

fn addresses(graph: &Graph) -> Vec<String> {
    graph.nodes.keys().map(Addr::to_string).collect()
}

fn edges(graph: &Graph, addr: &str) -> Vec<(String, EdgeKind)> {
    let found = graph.nodes.iter().filter(|(known, _)| known.as_str() == addr);
    found.flat_map(|(_, node)| &node.edges).map(|edge| (edge.to.to_string(), edge.kind)).collect()
}

#[test]
fn a_static_site() {
    let files = [
        ("index.html", "{{ title }} {{ links }}"),
        ("style.css", "body {}"),
        ("pages/about.html", "about"),
        ("pages/contact.html", "contact"),
    ];
    let compiled =
        compiled(&world(include_str!("../../tests/suite/programs/static_site/main.imm"), &files), "local", &[]);
    assert_eq!(addresses(&compiled.graph), ["docs", "front"]);
    assert_eq!(compiled.files.len(), 5);
    let files = &compiled.graph.nodes[&Addr::root("docs")].inputs["files"];
    assert_eq!(files.causes.len(), 6, "{:?}", files.causes);
}

#[test]
fn web_worker_postgres() {
    let program = include_str!("../../tests/suite/programs/web_worker_postgres/main.imm");
    let compiled = compiled(&world(program, &[]), "local", &[("version", "1")]);
    let graph = &compiled.graph;
    assert_eq!(graph.nodes.len(), 11, "{:?}", addresses(graph));
    let edge = |to: &str, kind| (to.to_owned(), kind);
    let pg = "pg.instance[\"0\"]";
    assert_eq!(edges(graph, "db"), [edge(pg, EdgeKind::Set)]);
    let bind = EdgeKind::Bind;
    assert_eq!(edges(graph, "migrate"), [edge("app", bind), edge("db", bind), edge("password", bind)]);
    assert_eq!(
        edges(graph, "web.instance[\"1\"]"),
        [
            edge("app", bind),
            edge("db", bind),
            edge("front", bind),
            edge("migrate", EdgeKind::Order),
            edge("password", bind)
        ]
    );
    let pg = &graph.nodes[&Addr::parse(pg).unwrap()];
    assert_eq!(pg.with.replace, Replace::Handover { max_outage_ms: 20_000 });
    assert_eq!(graph.nodes[&Addr::root("migrate")].with.timeout_ms, 900_000);
    assert!(graph.nodes[&Addr::root("migrate")].inputs["env"].term.has_secret());
}

#[test]
fn a_canary() {
    let program = include_str!("../../tests/suite/programs/canary/main.imm");
    let compiled = compiled(&world(program, &[]), "local", &[("version", "2")]);
    assert_eq!(compiled.graph.nodes.len(), 8);
    let rollout = &compiled.graph.nodes[&Addr::root("entry")].inputs["rollout"];
    assert_eq!(rollout.causes.len(), 2, "version and budget: {:?}", rollout.causes);
}

#[test]
fn environments_and_components() {
    let limits = ("limits/limits.imm", "pub let web = { cpu = 0.5cpu, memory = 64MiB }\n");
    let world = world(include_str!("../../tests/suite/programs/environments/main.imm"), &[limits]);
    let local = compiled(&world, "local", &[]);
    assert_eq!(addresses(&local.graph), ["app", "shop.edge", "shop.web.instance[\"0\"]"]);
    let prod = compiled(&world, "prod", &[]);
    assert_eq!(prod.graph.nodes.values().filter(|node| &*node.kind == "container").count(), 10);
    assert_eq!((prod.graph.policy.keep, prod.graph.policy.confirm), (3, true));
    assert_eq!(edges(&prod.graph, "admin.edge").len(), 4);
}

/// One declaration may make many nodes, in the order of their numbers.
#[test]
fn ten_thousand_nodes_from_one_loop() {
    let program = "param many: Int\nresource app = image { cmd = [\"a\"] }\n\
         resource c for n in 0..many = container { image = app, env = { N = \"${n}\", M = \"${many}\" }, limits = { memory = 64MiB } }\n";
    let compiled = compiled(&world(program, &[]), "local", &[("many", "10000")]);
    assert_eq!(compiled.graph.nodes.len(), 10_001);
    let last = compiled.graph.nodes.keys().next_back().unwrap();
    assert_eq!(last.as_str(), "c[\"9999\"]");
}
