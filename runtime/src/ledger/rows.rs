//! The state as it is written down beside the entries ([`projection`]): changed with them, compared with them, made anew from
//! them.

use super::{Ledger, LedgerError, replay};
use crate::state::State;
use crate::state::projection::{self, Reading, Row};
use crate::store::{Batch, Record};
use imm_ir::Digest;
use std::sync::Arc;

/// What is written down of the state beside the entries.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WrittenDown {
    /// The entry it speaks of; 0: nothing of use is there.
    pub seq: u64,
    /// The sum over all rows.
    pub sum: u64,
}

impl Ledger {
    /// The entry up to which the state is written down beside the entries; 0 when nothing of use is.
    pub fn written_down(&self) -> u64 {
        self.written.seq
    }

    /// What is written down and is not what the entries say: the names of such rows.
    ///
    /// # Errors
    /// The disk fails, or the chain is damaged.
    pub fn compare(&self) -> Result<Vec<String>, LedgerError> {
        let (reading, rows) =
            (std::cell::RefCell::new(Reading::new(Arc::clone(&self.recall))), std::cell::RefCell::default());
        let records = self.store.instant(
            &mut |part, number, bytes| {
                reading.borrow_mut().row(part, number, bytes);
                let rows: &mut std::collections::BTreeMap<_, _> = &mut rows.borrow_mut();
                rows.insert((part, number), bytes.to_vec());
            },
            &mut || 1,
        )?;
        let (reading, mut rows) = (reading.into_inner(), rows.into_inner());
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let Some((seq, _)) = reading.end() else {
            return Ok(vec!["what is written down is damaged, or of another version".to_owned()]);
        };
        let upto: Vec<Record> = records.into_iter().take_while(|r| r.seq <= seq).collect();
        let (state, head) = replay(&upto, State::default(), Digest([0; 32]))?;
        let mut wanted = state.changed_rows()?;
        wanted.push(state.head_row(head, sum(&wanted))?);
        let mut differ = Vec::new();
        for Row { part, number, bytes } in wanted {
            if rows.remove(&(part, number)) != bytes {
                differ.push(Row::name(part, number));
            }
        }
        differ.extend(rows.into_keys().map(|(part, number)| Row::name(part, number)));
        Ok(differ)
    }

    /// Folds all entries again and writes the state down anew.
    ///
    /// # Errors
    /// The chain is damaged, or the store refuses.
    pub fn rebuild(&mut self) -> Result<(), LedgerError> {
        (self.state, self.head) = replay(&self.store.read(1)?, State::default(), Digest([0; 32]))?;
        self.written = WrittenDown::default();
        let (rows, written) = self.rows(self.head)?;
        self.store.append(Batch { rows, rows_anew: true, fence: self.fence, sync: true, ..Batch::default() })?;
        self.state.written();
        self.written = written;
        Ok(())
    }

    /// The rows to change after an entry with this hash, the head's last; and what is written down then.
    pub(super) fn rows(&mut self, hash: Digest) -> Result<(Vec<Row>, WrittenDown), LedgerError> {
        let mut rows = self.state.changed_rows()?;
        let mut total = self.written.sum;
        for row in &rows {
            let now = weight(row);
            let before = match row.object() {
                // Most rows are objects', and what they weigh is known.
                Some(place) => self.state.objects.weigh(place, now),
                None if self.written.seq == 0 => 0,
                None => {
                    let before = self.store.row(row.part, row.number)?;
                    before.map_or(0, |bytes| projection::weight(row.part, row.number, &bytes))
                }
            };
            total = total.wrapping_add(now).wrapping_sub(before);
        }
        rows.push(self.state.head_row(hash, total)?);
        Ok((rows, WrittenDown { seq: self.state.seq, sum: total }))
    }
}

fn weight(row: &Row) -> u64 {
    row.bytes.as_ref().map_or(0, |bytes| projection::weight(row.part, row.number, bytes))
}

fn sum(rows: &[Row]) -> u64 {
    rows.iter().map(weight).fold(0, u64::wrapping_add)
}
