//! `imm logs`: what containers printed, destroyed ones too.

use crate::cli::{Global, Logs};
use crate::failure::{Exit, Failure, Outcome};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::ui::{self, Style};
use imm_host::api::{LogLine, LogQuery};
use imm_ir::Addr;
use std::time::{SystemTime, UNIX_EPOCH};

/// Lines in the order in which they were collected.
pub fn run(global: &Global, args: &Logs) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, None)?;
    let address = args.address.as_deref().map(Addr::parse).transpose().map_err(Failure::new)?;
    let since_ms = args.since.as_deref().map(since).transpose()?;
    let ledger = records::read(&project, style)?;
    let Some((state, lineage)) = ledger.as_ref().and_then(|l| Some((l.state(), l.state().lineage?))) else {
        ui::err(&records::nothing_yet(&project));
        return Ok(Exit::Done);
    };
    let known = |address: &Addr| state.objects.values().any(|o| o.address.is_within(address));
    if let Some(address) = address.as_ref().filter(|address| !known(address)) {
        return Err(
            Failure::new(format!("nothing was ever made at {address}")).help("`imm status` lists what there is")
        );
    }
    // The one that an open apply makes has logs, too.
    let newest = state.generations.last_key_value().map_or(0, |(number, _)| *number) + 1;
    if let Some(none) = args.generation.filter(|number| *number == 0 || *number > newest) {
        return Err(Failure::new(format!("there is no generation {none}")).help("`imm history` lists the generations"));
    }
    let address = address.map(|a| a.to_string());
    let base = LogQuery { access: args.access, address, generation: args.generation, since_ms, ..LogQuery::default() };
    let home = platform::home()?;
    platform::block_on(async {
        let client = platform::connect(&home).await?;
        let mut query = base;
        loop {
            let page = client.logs(&lineage.to_string(), &query).await.map_err(|e| platform::agent(&e))?;
            let text: String = page.lines.iter().map(|line| shown(line, args.json, style)).collect();
            let read = ui::data(&text);
            if !args.follow || read.is_err() {
                return Ok(Exit::Done);
            }
            query.after = Some(page.next);
            query.wait_ms = Some(30_000);
        }
    })?
}

fn shown(line: &LogLine, as_json: bool, style: Style) -> String {
    if as_json {
        return serde_json::to_string(line).map_or_else(|_| String::new(), |l| l + "\n");
    }
    let at = imm_runtime::report::instant(i64::try_from(line.at_ms).unwrap_or(i64::MAX));
    let generation = line.generation.map_or_else(String::new, |g| format!(" g{g}"));
    let place = style.paint("36", &format!("{}{generation}", line.address));
    format!("{at} {place} {}\n", line.text)
}

/// Milliseconds of Unix time, so long ago.
fn since(text: &str) -> Result<u64, Failure> {
    let wrong = || Failure::usage(format!("`{text}` is not a duration")).help("write it like 30s, 5m, 2h or 1d");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let ago = number.parse::<u64>().ok().and_then(|n| n.checked_mul(ms)).ok_or_else(wrong)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_sub(ago))
}
