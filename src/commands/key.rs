//! `imm key`: for whom the secrets of a ledger are sealed.

use crate::cli::{Global, Key, KeyArgs};
use crate::failure::{Exit, Failure, Outcome};
use crate::project::Project;
use crate::records::{self, Writer};
use crate::ui::{self, Style};
use imm_runtime::seal::SealError;
use imm_runtime::seal::keys::is_recipient;
use serde_json::json;

/// Shows or changes the recipients of a ledger.
pub fn run(global: &Global, args: &KeyArgs) -> Outcome {
    let Some(verb) = &args.verb else { return show(global, args.json) };
    match verb {
        Key::Show { json } => show(global, *json),
        Key::Add { recipient } => change(global, |recipients, _| {
            check(recipient)?;
            if !recipients.contains(recipient) {
                recipients.push(recipient.clone());
            }
            Ok(())
        }),
        Key::Remove { recipient } => change(global, |recipients, _| {
            if !recipients.contains(recipient) {
                return Err(Failure::new(format!("the secrets are not sealed for {recipient}"))
                    .help("`imm key show` lists the recipients"));
            }
            recipients.retain(|r| r != recipient);
            if recipients.is_empty() {
                return Err(Failure::new("then nobody could open the secrets any more")
                    .help("add another recipient first: imm key add RECIPIENT"));
            }
            Ok(())
        }),
        Key::Rotate => change(global, |recipients, ours| {
            let keys = records::keys()?;
            let fresh = keys.renew().map_err(|e| Failure::new(e.to_string()))?;
            recipients.retain(|r| *r != ours);
            recipients.insert(0, fresh);
            Ok(())
        }),
    }
}

fn show(global: &Global, json: bool) -> Outcome {
    let project = Project::find(global, None)?;
    let ours = records::keys()?.recipient().map_err(|e| Failure::new(e.to_string()))?;
    let ledger = records::read(&project, Style::choose(global.color))?;
    let recipients = ledger.map(|l| l.state().recipients.clone()).unwrap_or_default();
    if json {
        ui::json(&json!({ "format": 1, "recipient": ours, "recipients": recipients }));
        return Ok(Exit::Done);
    }
    ui::out(&format!("{ours}  this machine ({})\n", records::keys()?.path().display()));
    for other in recipients.iter().filter(|r| **r != ours) {
        ui::out(&format!("{other}\n"));
    }
    if !recipients.is_empty() && !recipients.contains(&ours) {
        ui::err(&format!(
            "this machine is no recipient of {}: somebody who is one has to run `imm key add {ours}`\n",
            project.name
        ));
    }
    Ok(Exit::Done)
}

fn check(recipient: &str) -> Result<(), Failure> {
    if is_recipient(recipient) {
        return Ok(());
    }
    Err(Failure::usage(SealError::Recipient(recipient.to_owned()).to_string()))
}

/// Everything is opened and sealed again in one transaction: all of it, or nothing.
fn change(global: &Global, change: impl FnOnce(&mut Vec<String>, &str) -> Result<(), Failure>) -> Outcome {
    let project = Project::find(global, None)?;
    records::expect(&project, Style::choose(global.color))?;
    let Writer { lease: _lease, mut ledger, .. } = records::write(&project)?;
    let ours = records::keys()?.recipient().map_err(|e| Failure::new(e.to_string()))?;
    let mut recipients = ledger.state().recipients.clone();
    change(&mut recipients, &ours)?;
    ledger.rekey(recipients.clone()).map_err(|e| records::unreadable(&project, &e))?;
    let of = if recipients.len() == 1 { "1 recipient".to_owned() } else { format!("{} recipients", recipients.len()) };
    ui::out(&format!("All secrets of {} are sealed for {of}.\n", project.name));
    let now = records::keys()?.recipient().map_err(|e| Failure::new(e.to_string()))?;
    if !recipients.contains(&now) {
        ui::err("this machine can no longer open them\n");
    }
    Ok(Exit::Done)
}
