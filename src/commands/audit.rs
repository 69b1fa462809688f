//! `imm audit`: whether the ledger is whole.

use crate::cli::{Audit, Global};
use crate::failure::{Exit, Outcome};
use crate::project::Project;
use crate::records;
use crate::ui::{self, Style};
use serde_json::json;

/// Reads every entry, checks the chain and folds it.
pub fn run(global: &Global, args: &Audit) -> Outcome {
    let Audit::Verify(args) = args;
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let Some(ledger) = records::read(&project, style)? else {
        ui::err(&records::nothing_yet(&project));
        return Ok(Exit::Done);
    };
    let entries = ledger.verify().map_err(|e| records::unreadable(&project, &e))?;
    let (seq, hash) = ledger.head();
    if args.json {
        ui::json(&json!({ "format": 1, "entries": entries, "head": { "seq": seq, "hash": hash.hex() } }));
    } else {
        ui::out(&format!("{entries} entries, unbroken; head {hash}\n"));
    }
    Ok(Exit::Done)
}
