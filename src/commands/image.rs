//! `imm image`: what the ledger has, and images built apart from any apply. A build touches neither ledger nor agent nor the
//! home's store: it happens in a store of its own, from nothing.

use crate::cli::{Global, Image, ImageArgs, ImageBuild, ImageList, Tuning};
use crate::compile;
use crate::failure::{Exit, Failure, Outcome};
use crate::platform;
use crate::project::{Project, plain};
use crate::records;
use crate::ui::{self, Style};
use imm_host::{Home, HostProvider};
use imm_ir::{Addr, Digest, Fields, Graph, Nature, Node, Value};
use imm_runtime::id::{Lineage, ObjectId};
use imm_runtime::provider::{Bound, Created, Ctx, Provider as _, Request};
use imm_runtime::report::status;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest time that one image may take.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Lists, or builds.
pub fn run(global: &Global, args: &ImageArgs) -> Outcome {
    match &args.verb {
        None => list(global, &args.list),
        Some(Image::List(args)) => list(global, args),
        Some(Image::Build(args)) => build(global, args),
    }
}

fn list(global: &Global, args: &ImageList) -> Outcome {
    let project = Project::find(global, args.module.path.as_deref())?;
    let Some(ledger) = records::read(&project, Style::choose(global.color))? else {
        if args.json {
            ui::json(&json!({ "format": 1, "images": [] }));
        }
        ui::err(&records::nothing_yet(&project));
        return Ok(Exit::Done);
    };
    let all = status::status(ledger.state(), &Fields::new(), &|_| None, false).objects;
    let images = all.into_iter().filter(|o| o.outputs.contains_key("manifest"));
    if args.json {
        let told: Vec<_> = images
            .map(|o| {
                json!({ "address": o.address, "kind": o.kind, "object": o.object, "state": o.state,
                        "since_generation": o.since_generation, "manifest": o.outputs.get("manifest"),
                        "size": o.outputs.get("size") })
            })
            .collect();
        ui::json(&json!({ "format": 1, "images": told }));
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = images
        .map(|o| {
            let said = |name: &str| o.outputs.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
            let size = said("size").trim_end_matches('B').parse().map_or_else(|_| said("size"), ui::bytes);
            let since = o.since_generation.map_or_else(String::new, |g| format!("since {g}"));
            vec![o.address.clone(), o.kind.clone(), o.state.to_owned(), since, size, said("manifest")]
        })
        .collect();
    ui::out(&ui::columns(0, &rows));
    Ok(Exit::Done)
}

fn build(global: &Global, args: &ImageBuild) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let compiled = compile::compile(&project, &args.params, &Tuning::default(), style, args.json)?;
    let place = scratch(args.out.as_deref())?;
    let built = build_all(&compiled.graph, place.path())?;
    if args.check {
        let again = scratch(None)?;
        let again = build_all(&compiled.graph, again.path())?;
        if let Some((address, _)) = built.iter().find(|(address, image)| again.get(*address) != Some(image)) {
            return Err(Failure::new(format!("{address} was built twice, and the bytes differ"))
                .help("a file that it is made of changed meanwhile; if none did, imm has a fault"));
        }
    }
    if let Some(out) = &args.out {
        std::fs::rename(place.path().join("store"), out)
            .map_err(|e| Failure::new(format!("{}: {}", out.display(), plain(&e))))?;
    }
    let told = |image: &Created, name: &str| image.outputs.get(name).map(imm_runtime::report::value);
    if args.json {
        let images: Vec<_> = built
            .iter()
            .map(|(address, image)| {
                json!({ "address": address.as_str(), "manifest": told(image, "manifest"), "size": told(image, "size") })
            })
            .collect();
        ui::json(&json!({ "format": 1, "images": images, "checked": args.check }));
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = built
        .iter()
        .map(|(address, image)| {
            let size = match image.outputs.get("size") {
                Some(Value::Bytes(count)) => ui::bytes(count.unsigned_abs()),
                _unsaid => String::new(),
            };
            let manifest = image.outputs.get("manifest").and_then(Value::as_text).unwrap_or_default();
            vec![address.to_string(), size, manifest.to_owned()]
        })
        .collect();
    ui::out(&ui::columns(0, &rows));
    if args.check {
        ui::err("Built twice: the same bytes.\n");
    }
    Ok(Exit::Done)
}

/// A folder for one build, beside where its result goes.
fn scratch(out: Option<&Path>) -> Result<tempfile::TempDir, Failure> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".imm-image-");
    let Some(out) = out else {
        return builder.tempdir().map_err(|e| Failure::new(format!("cannot make a folder to build in: {}", plain(&e))));
    };
    if out.exists() {
        return Err(Failure::new(format!("{} is there already", out.display())).help("name a folder that is not"));
    }
    let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    builder.tempdir_in(&parent).map_err(|e| Failure::new(format!("{}: {}", parent.display(), plain(&e))))
}

/// Builds every image and site of a graph, bases first.
fn build_all(graph: &Graph, place: &Path) -> Result<BTreeMap<Addr, Created>, Failure> {
    let home = Home::at(place).map_err(|e| Failure::new(format!("{}: {}", place.display(), plain(&e))))?;
    let program = imm_image::elf::running_program().map_err(|e| Failure::new(e.to_string()))?;
    let host = HostProvider::open(&home, program).map_err(|e| Failure::new(e.to_string()))?;
    let content = |node: &Node| host.schemas().get(&node.kind).is_some_and(|schema| schema.nature == Nature::Content);
    let mut open: Vec<(&Addr, &Node)> = graph.nodes.iter().filter(|(_, node)| content(node)).collect();
    let mut built: BTreeMap<Addr, Created> = BTreeMap::new();
    let ctx = Ctx { lineage: Lineage([0; 16]), fence: 1, generation: 0, timeout: PATIENCE };
    platform::block_on(async {
        while !open.is_empty() {
            let before = open.len();
            let mut waiting = Vec::new();
            for (address, node) in open {
                let Some(request) = request(address, node, &built)? else {
                    waiting.push((address, node));
                    continue;
                };
                let made = host.create(&ctx, &request).await;
                let made = made.map_err(|e| {
                    let failure = Failure::new(format!("{address}: {}", e.message));
                    e.help.iter().fold(failure, |failure, help| failure.help(help.clone()))
                })?;
                built.insert(address.clone(), made);
            }
            open = waiting;
            if open.len() == before {
                let stuck: Vec<_> = open.iter().map(|(address, _)| address.to_string()).collect();
                return Err(Failure::new(format!("{} is made of what only an apply makes", stuck.join(", "))));
            }
        }
        Ok(())
    })??;
    Ok(built)
}

/// What to build, or nothing yet when it stands on an image that is not built.
fn request(address: &Addr, node: &Node, built: &BTreeMap<Addr, Created>) -> Result<Option<Request>, Failure> {
    let id = |address: &Addr| ObjectId(Digest::of(address.as_str().as_bytes()));
    let (mut inputs, mut bound): (Fields<Value>, BTreeMap<Addr, Bound>) = Default::default();
    for (name, input) in &node.inputs {
        let Some(value) = input.term.known() else {
            return Err(Failure::new(format!("{}: {address}.{name} is known only in an apply", input.loc)));
        };
        let mut bases = Vec::new();
        input.term.handles(&mut |base| bases.push(base.clone()));
        for base in bases {
            let Some(image) = built.get(&base) else { return Ok(None) };
            bound.insert(base.clone(), Bound { object: id(&base), handle: image.handle.clone() });
        }
        inputs.insert(name.clone(), value.clone());
    }
    Ok(Some(Request {
        object: id(address),
        address: address.clone(),
        kind: node.kind.clone(),
        spec: node.spec,
        inputs,
        bound,
        dormant: false,
    }))
}
