//! What the agent did on its own, as the engine records it: runs that ended by themselves and were replaced, by object.

use std::collections::BTreeMap;

use imm_ir::Digest;
use imm_runtime::id::ObjectId;
use imm_runtime::provider::{Ctx, Journal, Replaced, Result};

use crate::api::JournalEntry;
use crate::server::verify_journal;

use super::HostProvider;
use super::failure::permanent;
use super::object::known;

impl HostProvider {
    pub(super) async fn merge(&self, ctx: &Ctx, merged: &BTreeMap<String, u64>) -> Result<Option<Journal>> {
        let lineage = ctx.lineage.to_string();
        let entries = self.ask(ctx, |agent| {
            let lineage = lineage.clone();
            async move { known(agent.journal(&lineage, 0).await) }
        });
        let entries = entries.await?.unwrap_or_default();
        verify_journal(&entries).map_err(|said| permanent(said, None))?;
        Ok(journal(&entries, merged))
    }
}

/// What is new in a whole journal. It is named by its first entry: a home that was lost begins another one.
fn journal(entries: &[JournalEntry], merged: &BTreeMap<String, u64>) -> Option<Journal> {
    let (first, last) = entries.first().zip(entries.last())?;
    let agent: String = format!("host {}", first.hash.get(..16).unwrap_or(&first.hash));
    let after = merged.get(&agent).copied().unwrap_or(0);
    if last.seq <= after {
        return None;
    }
    let mut ended: BTreeMap<&str, (u64, &JournalEntry)> = BTreeMap::new();
    let mut replaced: BTreeMap<ObjectId, Replaced> = BTreeMap::new();
    for entry in entries {
        let Some(object) = entry.object.as_deref() else { continue };
        match &*entry.event {
            "run_stopped" => _ = ended.remove(object),
            "run_ended" => _ = ended.insert(object, (entry.number, entry)),
            // A later run in the place of one that ended by itself.
            "run_started" if entry.seq > after => {
                let Some((number, end)) = ended.remove(object).filter(|(number, _)| *number < entry.number) else {
                    continue;
                };
                let Some(id) = Digest::from_hex(object).map(ObjectId) else { continue };
                let found = replaced.entry(id).or_insert_with(|| Replaced {
                    object: id,
                    run_from: number,
                    run_to: entry.number,
                    cause: String::new(),
                    count: 0,
                });
                found.run_to = entry.number;
                found.cause.clone_from(&end.detail);
                found.count += 1;
            }
            _other => {}
        }
    }
    let head = Digest::from_hex(&last.hash)?;
    Some(Journal { agent, from_seq: after + 1, to_seq: last.seq, head, replaced: replaced.into_values().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, event: &str, number: u64, detail: &str) -> JournalEntry {
        JournalEntry {
            seq,
            prev: String::new(),
            at_ms: 0,
            event: event.to_owned(),
            object: Some("ab".repeat(32)),
            number,
            detail: detail.to_owned(),
            hash: format!("{seq:064x}"),
        }
    }

    #[test]
    fn replaced_runs_are_counted_once_and_another_journal_begins_anew() {
        let mut entries = vec![
            entry(1, "run_started", 1, ""),
            entry(2, "run_ended", 1, "exited with code 1"),
            entry(3, "run_started", 2, ""),
            entry(4, "run_ended", 2, "exited with code 3"),
        ];
        let mut merged = BTreeMap::new();
        let first = journal(&entries, &merged).unwrap();
        assert_eq!((first.from_seq, first.to_seq, first.replaced.len()), (1, 4, 1));
        assert_eq!((first.replaced[0].count, first.replaced[0].run_to), (1, 2));
        merged.insert(first.agent.clone(), first.to_seq);
        assert_eq!(journal(&entries, &merged), None);
        // The end was seen the last time, what took its place was not.
        entries.push(entry(5, "run_started", 3, ""));
        let next = journal(&entries, &merged).unwrap();
        assert_eq!((next.from_seq, &*next.replaced[0].cause, next.replaced[0].run_from), (5, "exited with code 3", 2));
        entries[0].hash = "f".repeat(64);
        assert_eq!(journal(&entries, &merged).unwrap().from_seq, 1);
    }
}
