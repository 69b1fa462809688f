//! `imm lineage`: what to do with a ledger that the platform does not take for the one it knows.

use crate::cli::{Global, Lineage, LineageArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::platform;
use crate::project::{Project, plain};
use crate::records::{self, Writer};
use crate::session::Session;
use crate::ui::{self, Style};
use imm_runtime::entry::{Body, ConsentKind};

/// Tells, forks or takes a lineage.
pub fn run(global: &Global, args: &LineageArgs) -> Outcome {
    let project = Project::find(global, None)?;
    let style = Style::choose(global.color);
    let Some(verb) = &args.verb else { return show(&project, style, args.json) };
    match verb {
        Lineage::Show { json } => show(&project, style, *json),
        Lineage::Fork { because } => fork(&project, style, because),
        Lineage::Take { because } => take(global, project, style, because),
    }
}

fn show(project: &Project, style: Style, json: bool) -> Outcome {
    let ledger = records::expect(project, style)?;
    let lineage = ledger.state().lineage.map(|l| l.to_string()).unwrap_or_default();
    let (seq, hash) = ledger.head();
    let seen = platform::seen_head(&lineage);
    if json {
        let seen = seen.map(|s| serde_json::json!({ "seq": s.seq, "hash": s.hash.hex() }));
        let head = serde_json::json!({ "seq": seq, "hash": hash.hex() });
        ui::json(&serde_json::json!({ "format": 1, "lineage": lineage, "head": head, "seen": seen }));
        return Ok(Exit::Done);
    }
    ui::tell(&format!("{lineage}\nhead {seq}:{}\n", hash.hex()));
    if let Some(seen) = seen {
        ui::tell(&format!("the agent saw {}:{}\n", seen.seq, seen.hash.hex()));
    }
    Ok(Exit::Done)
}

/// The old record stays beside the new one; nothing that runs is touched.
fn fork(project: &Project, style: Style, because: &str) -> Outcome {
    let old = records::expect(project, style)?.state().lineage.map(|l| l.to_string()).unwrap_or_default();
    let writer = records::write(project)?;
    let Writer { lease, ledger, .. } = writer;
    // Closed, so that all of it is in the one file.
    drop(ledger);
    let aside = project.ledger().with_file_name(format!("ledger-{}.db", old.get(..8).unwrap_or(&old)));
    if aside.exists() {
        return Err(Failure::new(format!("{} is there already", aside.display())).help("move it away first"));
    }
    std::fs::rename(project.ledger(), &aside)
        .map_err(|e| Failure::new(format!("{}: {}", aside.display(), plain(&e))))?;
    drop(lease);
    let Writer { mut ledger, lease: _lease, .. } = records::write(project)?;
    let (plan, because) = (imm_ir::Digest([0; 32]), because.to_owned());
    let consent = Body::Consented { plan, kind: ConsentKind::Rebind, subjects: Vec::new(), because };
    ledger.append(None, vec![consent], true).map_err(|e| records::unreadable(project, &e))?;
    let new = ledger.state().lineage.map(|l| l.to_string()).unwrap_or_default();
    ui::tell(&format!(
        "Lineage {new} begins. What lineage {old} made stays its own; its record is {}.\n",
        aside.display()
    ));
    Ok(Exit::Done)
}

/// The platform is told that this is the ledger from here on.
fn take(global: &Global, project: Project, style: Style, because: &str) -> Outcome {
    let ledger = records::expect(&project, style)?;
    let lineage = ledger.state().lineage.map(|l| l.to_string()).unwrap_or_default();
    drop(ledger);
    let home = platform::home()?;
    let fence = platform::block_on(async {
        let client = platform::connect(&home).await?;
        Ok::<_, Failure>(client.lineage(&lineage).await.ok().map_or(0, |report| report.fence))
    })??;
    platform::block_on(async {
        let mut session = Session::open(project, global.watcher(false)).await?;
        session.rise_above(fence)?;
        let (head, fence) = (session.engine().ledger().head(), session.engine().ledger().fence());
        platform::take(&home, &lineage, fence, head).await?;
        let gone = session.take_lineage(because).await?;
        // What was open was undone meanwhile, under a fence of its own.
        let (head, fence) = (session.engine().ledger().head(), session.engine().ledger().fence());
        platform::take(&home, &lineage, fence, head).await?;
        for address in &gone {
            ui::tell(&format!("{address} is not there any more: forgotten\n"));
        }
        ui::tell(&format!("Lineage {lineage} goes on with this ledger.\n"));
        if !gone.is_empty() {
            ui::err("`imm apply` makes anew what was forgotten; `imm drift` lists what nothing knows\n");
        }
        Ok(Exit::Done)
    })?
}
