//! `imm adopt`: takes over what is there and what no entry speaks of, or what may have been made. Changes nothing outside.

use crate::cli::{Adopt, Global};
use crate::compile;
use crate::failure::{Exit, Failure, Outcome};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::session::Session;
use crate::ui::{self, Style};
use imm_ir::Addr;
use imm_runtime::apply::{Adoption, Stray};

/// Takes one thing over, at an address of the program or at another one.
pub fn run(global: &Global, args: &Adopt) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, None)?;
    records::expect(&project, style)?;
    let address = Addr::parse(&args.address).map_err(Failure::usage)?;
    let compiled = compile::compile(&project, &args.params, &args.tuning, style, args.json)?;
    let kind = compiled.graph.nodes.get(&address).map(|node| node.kind.clone());
    platform::block_on(async {
        let mut session = Session::open(project, global.watcher(args.json)).await?;
        session.settled().await?;
        let strays = session.strays().await?;
        let stray = choose(&strays, &address, args.object.as_deref(), kind.as_deref())?;
        let adopted = session.adopt(stray, &address, &compiled.graph, &args.because).await?;
        if args.json {
            let fields: Vec<_> = adopted.differs.iter().map(|(name, recorded, observed)| {
                serde_json::json!({ "name": name, "recorded": recorded, "observed": observed })
            }).collect();
            ui::json(&serde_json::json!({
                "format": 1, "address": address.to_string(), "object": adopted.object.to_string(),
                "kind": &*stray.kind, "declared": adopted.declared, "fields": fields,
            }));
        } else {
            ui::tell(&words(stray, &address, &adopted));
        }
        Ok(Exit::Done)
    })?
}

/// The one that is meant: by its id, else what was at the address, else the only one of the kind that is declared there.
fn choose<'a>(
    strays: &'a [Stray],
    address: &Addr,
    object: Option<&str>,
    kind: Option<&str>,
) -> Result<&'a Stray, Failure> {
    let pick = |meant: &dyn Fn(&Stray) -> bool| strays.iter().filter(|stray| meant(stray)).collect::<Vec<_>>();
    let found = match object {
        Some(id) => pick(&|stray| stray.object.to_string().starts_with(id)),
        None => {
            let here = pick(&|stray| stray.address.as_ref() == Some(address));
            if here.is_empty() { pick(&|stray| kind == Some(&*stray.kind)) } else { here }
        }
    };
    match found.as_slice() {
        [one] => Ok(one),
        [] if strays.is_empty() => Err(Failure::new("there is nothing to take over: everything there is recorded")
            .help("`imm drift` looks for what has our tag and no entry")),
        [] => Err(Failure::new(format!("nothing that could be taken over belongs at {address}")).help(list(strays))),
        several => {
            let several: Vec<Stray> = several.iter().map(|stray| (*stray).clone()).collect();
            Err(Failure::new(format!("{} things could be taken over at {address}", several.len())).help(list(&several)))
        }
    }
}

fn list(strays: &[Stray]) -> String {
    let word = |stray: &Stray| {
        let was = stray.address.as_ref().map_or_else(String::new, |at| format!(" (was {at})"));
        format!("{} {}{was}", stray.kind, ui::brief(&stray.object.to_string()))
    };
    format!("name one with --object ID: {}", strays.iter().map(word).collect::<Vec<_>>().join(", "))
}

fn words(stray: &Stray, address: &Addr, adopted: &Adoption) -> String {
    let fields: Vec<_> = adopted
        .differs
        .iter()
        .map(|(name, recorded, observed)| format!("{name} is {observed}, not {recorded}"))
        .collect();
    let then = match (adopted.declared, adopted.durable, fields.as_slice()) {
        (true, _, []) => "as it is declared. The next apply takes it into service.".to_owned(),
        (true, false, _) => {
            format!("{}. That is drift: the next apply makes a new one and ends this one.", fields.join("; "))
        }
        (true, true, _) => {
            format!("{}. That is drift; the next apply attaches it with its data.", fields.join("; "))
        }
        (false, true, _) => {
            format!("the program does not declare it: its data is retained until `imm volume rm {address}`.")
        }
        (false, false, _) => "the program does not declare it: the next apply ends it.".to_owned(),
    };
    format!("Adopted {} {} at {address}: {then}\n", stray.kind, ui::brief(&adopted.object.to_string()))
}
