//! `imm audit`: whether the record is what was written.

use crate::cli::{Audit, Global, Rebuild, Report, Verify};
use crate::failure::{Exit, Failure, Outcome};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::ui;
use imm_ir::Digest;
use imm_runtime::audit::{self, Anchor};
use imm_runtime::ledger::LedgerError;
use serde_json::json;

/// Looks at the ledger as it lies there, damaged or not.
pub fn run(global: &Global, args: &Audit) -> Outcome {
    match args {
        Audit::Verify(args) => verify(global, args),
        Audit::Rebuild(args) => rebuild(global, args),
        Audit::Export(args) => export(global, args),
    }
}

fn verify(global: &Global, args: &Verify) -> Outcome {
    let project = Project::find(global, args.module.path.as_deref())?;
    let Some(ledger) = records::unchecked(&project)? else {
        ui::err(&records::nothing_yet(&project));
        return Ok(Exit::Done);
    };
    let mut anchors = args.anchor.iter().map(|text| anchor(text)).collect::<Result<Vec<_>, _>>()?;
    anchors.extend(ledger.state().lineage.and_then(|l| platform::seen_head(&l.to_string())));
    let report = audit::audit(&ledger, &anchors).map_err(|e| records::unreadable(&project, &e.into()))?;
    if args.json {
        let head = json!({ "seq": report.seq, "hash": report.head });
        ui::json(&json!({ "format": 1, "entries": report.entries, "head": head, "blobs": report.blobs,
                          "secrets": report.secrets, "anchors": anchors.len(), "damage": report.damage }));
    } else if report.damage.is_empty() {
        ui::out(&format!("{} entries, unbroken; head {}:{}\n", report.entries, report.seq, report.head));
        let secrets = report.secrets.map_or_else(
            || "secrets not opened: they are sealed for others".to_owned(),
            |n| format!("{n} sealed secrets whole"),
        );
        let seen = if anchors.is_empty() { "nobody else saw a head" } else { "the head seen before is in it" };
        ui::out(&format!("{} blobs whole, {secrets}; {seen}\n", report.blobs));
    }
    if report.damage.is_empty() {
        return Ok(Exit::Done);
    }
    let said = report.damage.iter().map(|d| match d.entry {
        Some(seq) => format!("entry {seq}: {}", d.why),
        None => d.why.clone(),
    });
    let said: Vec<_> = said.collect();
    Err(Failure::new(format!("the ledger {} is damaged:\n  {}", project.ledger().display(), said.join("\n  ")))
        .help("it was changed from outside; restore the folder from a backup, then `imm lineage take --because TEXT`"))
}

fn anchor(text: &str) -> Result<Anchor, Failure> {
    let parsed = text
        .split_once(':')
        .and_then(|(seq, hash)| Some(Anchor { seq: seq.parse().ok()?, hash: Digest::from_hex(hash)? }));
    parsed.ok_or_else(|| {
        Failure::usage(format!("`{text}` is no head of a ledger")).help("every apply prints one, like 57:1f2e3d…")
    })
}

fn rebuild(global: &Global, args: &Rebuild) -> Outcome {
    let project = Project::find(global, args.module.path.as_deref())?;
    let failed = |e| records::unreadable(&project, &e);
    let Some(ledger) = records::unchecked(&project)? else {
        ui::err(&records::nothing_yet(&project));
        return Ok(Exit::Done);
    };
    let entries = ledger.entries(1).map_err(failed)?;
    if let Some(damage) = audit::fold(&entries) {
        let at = damage.entry.map_or_else(String::new, |seq| format!("entry {seq}: "));
        return Err(Failure::new(format!("{at}{}", damage.why)).help("`imm audit verify` tells what was changed"));
    }
    let (count, differ) = (entries.len(), ledger.compare().map_err(failed)?);
    drop((entries, ledger));
    if !args.check {
        records::write(&project)?.ledger.rebuild().map_err(failed)?;
    }
    if args.json {
        ui::json(&json!({ "format": 1, "entries": count, "same": differ.is_empty(), "differ": differ,
                          "rebuilt": !args.check }));
    } else if !args.check {
        ui::out(&format!("{count} entries folded; the state they make is written down anew\n"));
    } else if differ.is_empty() {
        ui::out(&format!("{count} entries fold to the state that is written down\n"));
    }
    if args.check && !differ.is_empty() {
        let said = differ.join("\n  ");
        return Err(Failure::new(format!("written down otherwise than the {count} entries say:\n  {said}"))
            .help("the entries are whole: `imm audit rebuild` writes the state down anew"));
    }
    Ok(Exit::Done)
}

fn export(global: &Global, args: &Report) -> Outcome {
    let project = Project::find(global, args.module.path.as_deref())?;
    let Some(ledger) = records::unchecked(&project)? else {
        ui::err(&records::nothing_yet(&project));
        return Ok(Exit::Done);
    };
    audit::export(&ledger, |entry| {
        ui::json(entry);
        Ok::<_, LedgerError>(())
    })
    .map_err(|e| records::unreadable(&project, &e))?;
    Ok(Exit::Done)
}
