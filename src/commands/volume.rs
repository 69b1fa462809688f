//! `imm volume`: what holds data, where it is used, and its end by consent.

use crate::cli::{Global, Volume, VolumeArgs, VolumeAttach, VolumeList, VolumeRm, VolumeShow};
use crate::compile;
use crate::failure::{Exit, Failure, Outcome};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::session::Session;
use crate::ui::{self, Style};
use imm_ir::{Addr, Class};
use imm_runtime::id::ObjectId;
use imm_runtime::plan::saved::Attached;
use imm_runtime::provider::Handle;
use imm_runtime::report::durables;
use imm_runtime::state::{Object, ObjectState};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What is on this machine.
struct Disk;

impl durables::Eyes for Disk {
    fn used(&self, path: &str) -> Option<u64> {
        used(Path::new(path))
    }

    fn copy(&self, handle: &Handle) -> Option<String> {
        let path = imm_host::copied_to(handle)?;
        path.exists().then(|| path.display().to_string())
    }
}

/// Lists, shows, attaches or ends.
pub fn run(global: &Global, args: &VolumeArgs) -> Outcome {
    match &args.verb {
        None => list(global, &args.list),
        Some(Volume::List(args)) => list(global, args),
        Some(Volume::Show(args)) => show(global, args),
        Some(Volume::Attach(args)) => attach(global, args),
        Some(Volume::Rm(args)) => remove(global, args),
    }
}

fn list(global: &Global, args: &VolumeList) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let Some(ledger) = records::read(&project, style)? else {
        if args.json {
            ui::json(&durables::Durables { format: 1, volumes: Vec::new() });
        }
        ui::err(&records::nothing_yet(&project));
        return Ok(Exit::Done);
    };
    let found = durables::durables(&ledger, &Disk).map_err(|e| records::unreadable(&project, &e))?;
    if args.json {
        ui::json(&found);
    } else {
        ui::tell(&ui::volume::list(&found, style));
    }
    Ok(Exit::Done)
}

fn show(global: &Global, args: &VolumeShow) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, None)?;
    let ledger = records::expect(&project, style)?;
    let address = Addr::parse(&args.address).map_err(Failure::usage)?;
    let mut found = durables::durables(&ledger, &Disk).map_err(|e| records::unreadable(&project, &e))?;
    let meant = |d: &durables::Durable| args.object.as_ref().is_none_or(|id| d.object.starts_with(id));
    found.volumes.retain(|d| d.address == address.as_str() && meant(d));
    if found.volumes.is_empty() {
        return Err(Failure::new(format!("nothing that holds data is recorded at {address}"))
            .help("`imm volume` lists what does"));
    }
    if args.json {
        ui::json(&found);
    } else {
        ui::tell(&ui::volume::show(&found));
    }
    Ok(Exit::Done)
}

/// An apply of the program in which what is retained at one address is what another one declares.
fn attach(global: &Global, args: &VolumeAttach) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, None)?;
    records::expect(&project, style)?;
    let parse = |text: &str| Addr::parse(text).map_err(Failure::usage);
    let (old, new) = (parse(&args.from)?, parse(&args.to)?);
    let compiled = compile::compile(&project, &args.params, &args.tuning, style, args.answer.json)?;
    if compiled.graph.nodes.get(&new).is_none_or(|node| node.class != Class::Durable) {
        return Err(Failure::new(format!("the program declares nothing that holds data at {new}"))
            .help(format!("write it first, as it was: durable {new} = volume {{ … }}")));
    }
    platform::block_on(async {
        let mut session = Session::open(project, global.watcher(args.answer.json)).await?;
        session.settled().await?;
        let state = session.engine().state();
        let retained = |id: &ObjectId, o: &Object| {
            let meant = args.object.as_ref().is_none_or(|wanted| id.to_string().starts_with(wanted));
            o.address == old && o.state == ObjectState::Retained && meant
        };
        let found: Vec<_> = state.objects.iter().filter(|(id, o)| retained(id, o)).map(|(id, _)| *id).collect();
        let [object] = found.as_slice() else { return Err(which(&old, &found)) };
        let plan = session.plan(&compiled.graph, |options| {
            options.renames.insert(old.clone(), new.clone());
            options.rename_object = Some(object.to_string());
            options.because.clone_from(&args.because);
        });
        let plan = plan.await?;
        if plan.nodes.get(&new).is_none_or(|planned| planned.object != *object) {
            return Err(Failure::new(format!(
                "{new} is not declared as what is retained at {old}: it would be made anew"
            ))
            .help(format!("`imm volume show {old}` tells what it is; only its size may be another one")));
        }
        let attached = Attached { because: Some(args.because.clone()), ..compiled.attached };
        session.carry_out(&plan, &attached, &args.answer).await
    })?
}

/// None, or more than one.
fn which(at: &Addr, found: &[ObjectId]) -> Failure {
    if found.is_empty() {
        return Failure::new(format!("nothing is retained at {at}")).help("`imm volume` lists what is");
    }
    let ids: Vec<_> = found.iter().map(|id| ui::brief(&id.to_string())).collect();
    Failure::new(format!("{} are retained at {at}", found.len()))
        .help(format!("name one with --object ID: {}", ids.join(", ")))
}

/// An apply of what is in force, in which the data goes: so it is planned, asked, recorded and settled like any other step.
fn remove(global: &Global, args: &VolumeRm) -> Outcome {
    let project = Project::find(global, None)?;
    records::expect(&project, Style::choose(global.color))?;
    let address = Addr::parse(&args.address).map_err(Failure::usage)?;
    platform::block_on(async {
        let mut session = Session::open(project, global.watcher(args.answer.json)).await?;
        session.settled().await?;
        let graph = match session.engine().state().current {
            Some(generation) => session.graph(generation)?,
            None => imm_ir::Graph::default(),
        };
        let plan = session.plan(&graph, |options| {
            options.consent.push(address);
            options.consent_object.clone_from(&args.object);
            options.because.clone_from(&args.because);
        });
        let plan = plan.await?;
        let attached = session.attached(session.engine().state().current, Some(args.because.clone()));
        session.carry_out(&plan, &attached, &args.answer).await
    })?
}

/// Bytes on disk of everything below a folder; what may not be looked at does not count.
fn used(folder: &Path) -> Option<u64> {
    let mut total = 0u64;
    let mut open = vec![folder.to_owned()];
    std::fs::read_dir(folder).ok()?;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            total = total.saturating_add(meta.blocks().saturating_mul(512));
            if meta.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Some(total)
}
