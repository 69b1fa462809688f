//! I10 and I11: the records follow each other without a gap, every hash fits, fences never sink.

use super::Findings;
use crate::entry::Entry;
use crate::store::Record;
use imm_ir::{Digest, Encoder};

/// Decodes the records and says what does not fit.
pub(super) fn read(records: &[Record], findings: &mut Findings) -> Vec<(u64, Entry)> {
    let (mut prev, mut fence) = (Digest([0; 32]), 0);
    let mut entries = Vec::with_capacity(records.len());
    for (expected, record) in (1..).zip(records) {
        let seq = record.seq;
        if seq != expected {
            findings.add("I11", format!("entry {seq} stands where {expected} should"));
        }
        if record.prev != prev {
            findings.add("I11", format!("entry {seq} does not name the one before it"));
        }
        // Written down again from the reference, on purpose not the engine's function.
        let mut hash = Encoder::new("imm.entry.1");
        hash.digest(&prev);
        hash.number(seq);
        hash.bytes(&record.bytes);
        if record.hash != hash.finish() {
            findings.add("I11", format!("the hash of entry {seq} does not fit its bytes"));
        }
        prev = record.hash;
        let entry = match Entry::decode(seq, &record.bytes) {
            Ok(entry) => entry,
            Err(e) => {
                findings.add("I11", e.to_string());
                continue;
            }
        };
        if entry.header.fence < fence {
            findings.add("I10", format!("entry {seq} has fence {} after {fence}", entry.header.fence));
        }
        fence = fence.max(entry.header.fence);
        entries.push((seq, entry));
    }
    entries
}
