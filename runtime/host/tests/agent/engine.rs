//! The platform as the engine uses it: the `Provider` trait, against a real agent that it starts itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use imm_host::HostProvider;
use imm_ir::{Addr, Content, Digest, Executable, Fields, HostFile, Key, Value};
use imm_runtime::id::{Lineage, ObjectId};
use imm_runtime::provider::{
    Bound, Created, Ctx, ErrorKind, Handle, Level, Move, Observation, Provider as _, Request, Setting, Target,
};

use crate::Test;
use crate::fixture::{World, get, program, with_agent};

pub const TESTS: &[Test] =
    &[("the_engine_runs_switches_and_destroys", || with_agent(the_engine_runs_switches_and_destroys))];

fn fields(pairs: Vec<(&str, Value)>) -> Fields<Value> {
    pairs.into_iter().map(|(name, value)| (Arc::from(name), value)).collect()
}

fn id(byte: u8) -> ObjectId {
    ObjectId(Digest([byte; 32]))
}

fn ctx(fence: u64) -> Ctx {
    Ctx { lineage: Lineage([7; 16]), fence, generation: 1, timeout: Duration::from_secs(20) }
}

fn request(object: ObjectId, name: &str, kind: &str, inputs: Fields<Value>) -> Request {
    Request {
        object,
        address: Addr::root(name),
        kind: Arc::from(kind),
        spec: Digest([9; 32]),
        inputs,
        bound: BTreeMap::new(),
        dormant: false,
    }
}

fn this_program() -> Value {
    let closure = imm_image::elf::executable(&program()).unwrap();
    let host = |path: &std::path::Path| {
        let bytes = std::fs::read(path).unwrap();
        HostFile { path: Arc::from(path.to_str().unwrap()), digest: Digest::of(&bytes), size: bytes.len() as u64 }
    };
    let mut found = BTreeMap::new();
    for (place, entry) in closure.dependencies_at("/program") {
        if let imm_image::Entry::Host { source, .. } = entry {
            found.insert(Arc::from(place.as_str()), host(&source));
        }
    }
    Value::Content(Content::Executable(Box::new(Executable { program: host(&program()), closure: found })))
}

fn leads(route: ObjectId, handle: &Handle, from_epoch: u64, targets: &[(ObjectId, &Handle)]) -> Move {
    let targets = targets.iter().map(|(object, handle)| Target {
        address: Addr::root("web"),
        object: *object,
        handle: (*handle).clone(),
        weight: 1_000_000,
        fresh: true,
    });
    Move {
        object: route,
        address: Addr::root("front"),
        kind: Arc::from("route"),
        handle: handle.clone(),
        from_epoch,
        to: Setting { targets: targets.collect(), inputs: fields(vec![("timeout", Value::Duration(5_000))]) },
    }
}

fn port(created: &Created) -> u16 {
    u16::try_from(created.outputs["port"].as_int().unwrap()).unwrap()
}

async fn the_engine_runs_switches_and_destroys(world: World) {
    let host = HostProvider::open(&world.home, program()).unwrap();
    // Whoever finds no agent starts one.
    world.kill_agent().await;
    let first = Ctx { generation: 0, ..ctx(1) };
    assert_eq!(host.announce(&first, (4, Digest([1; 32]))).await.unwrap(), None);
    assert_eq!(host.announce(&ctx(2), (5, Digest([2; 32]))).await.unwrap(), Some((4, Digest([1; 32]))));
    let ctx = ctx(2);

    let files = Value::Map(BTreeMap::from([(Key::from("/program"), this_program())]));
    let cmd = Value::List(vec![Value::text("/program"), Value::text("__serve")]);
    let image =
        host.create(&ctx, &request(id(1), "app", "image", fields(vec![("files", files), ("cmd", cmd)]))).await.unwrap();
    assert_eq!(host.find(&ctx, "image", id(1)).await.unwrap(), Some(image.clone()));
    assert_eq!(host.health(&ctx, "image", id(1), &image.handle, &Fields::new()).await.unwrap(), Level::Healthy);

    let health =
        Value::Variant(Arc::from("http"), fields(vec![("path", Value::text("/")), ("interval", Value::Duration(50))]));
    let env = Value::Map(BTreeMap::from([(Key::from("GREETING"), Value::text("hello"))]));
    let inputs = fields(vec![
        ("image", Value::Node(Addr::root("app"))),
        ("env", env),
        ("port", Value::Int(8080)),
        ("health", health.clone()),
    ]);
    let mut web = request(id(2), "web", "container", inputs);
    web.bound.insert(Addr::root("app"), Bound { object: id(1), handle: image.handle.clone() });
    let made = host.create(&ctx, &web).await.unwrap();
    assert_eq!(host.create(&ctx, &web).await.unwrap(), made);
    let policy = fields(vec![("health", health)]);
    assert_eq!(host.health(&ctx, "container", id(2), &made.handle, &policy).await.unwrap(), Level::Healthy);
    assert_eq!(get(port(&made), "/").await.unwrap(), "hello");

    let route = host.create(&ctx, &request(id(3), "front", "route", Fields::new())).await.unwrap();
    assert_eq!(host.setting(&ctx, id(3), &route.handle).await.unwrap(), None);
    let there = leads(id(3), &route.handle, 0, &[(id(2), &made.handle)]);
    let ttl = Duration::from_secs(30);
    let epoch = host.switch(&ctx, std::slice::from_ref(&there), ttl).await.unwrap()[0];
    assert_eq!(get(port(&route), "/").await.unwrap(), "hello");
    assert_eq!(
        host.switch(&ctx, &[leads(id(3), &route.handle, 0, &[])], ttl).await.unwrap_err().kind,
        ErrorKind::Epoch
    );
    host.renew(&ctx, ttl).await.unwrap();
    host.confirm(&ctx).await.unwrap();
    assert_eq!(host.setting(&ctx, id(3), &route.handle).await.unwrap(), Some((epoch, there.to)));
    assert_eq!(host.sample(&ctx, id(3)).await.unwrap()[&id(2)].requests, 1);
    assert_eq!(host.sample(&ctx, id(3)).await.unwrap()[&id(2)].requests, 0);
    let mut listed = host.list(&ctx).await.unwrap();
    listed.sort();
    assert_eq!(listed, [(id(2), Arc::from("container")), (id(3), Arc::from("route"))]);
    let late = Ctx { fence: 1, ..ctx.clone() };
    assert_eq!(host.destroy(&late, "container", id(2), None).await.unwrap_err().kind, ErrorKind::Fenced);

    host.switch(&ctx, &[leads(id(3), &route.handle, epoch, &[])], ttl).await.unwrap();
    host.confirm(&ctx).await.unwrap();
    assert_eq!(host.drain(&ctx, &[id(2)], Duration::from_secs(5)).await.unwrap(), 0);
    host.deactivate(&ctx, "container", id(2), &made.handle).await.unwrap();
    assert_eq!(host.health(&ctx, "container", id(2), &made.handle, &policy).await.unwrap(), Level::Dormant);
    for (kind, object, handle) in [("container", id(2), &made.handle), ("route", id(3), &route.handle)] {
        assert!(!host.destroy(&ctx, kind, object, Some(handle)).await.unwrap());
        assert_eq!(host.observe(&ctx, kind, object, handle).await.unwrap(), Observation::Missing);
    }
    assert_eq!(host.create(&ctx, &web).await.unwrap_err().kind, ErrorKind::Tombstone);
    assert_eq!(host.list(&ctx).await.unwrap(), []);
}
