//! The state that is written down beside the entries: a start reads it, and it is worth no more than the entries.

use crate::{Bench, committed, hello};
use imm_runtime::entry::Verb;
use imm_runtime::state::projection::Row;
use imm_runtime::store::memory::Crash;
use imm_runtime::store::{Batch, Store};

impl Bench {
    /// Changes rows as no engine does.
    fn damage(&self, rows: Vec<Row>) {
        self.store.clone().append(Batch { rows, fence: self.fence, sync: true, ..Batch::default() }).unwrap();
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut take = |part, number, bytes: &[u8]| rows.push(Row { part, number, bytes: Some(bytes.to_vec()) });
        self.store.instant(&mut take, &mut || u64::MAX).unwrap();
        rows
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_folds_what_an_open_apply_wrote_and_nothing_else() {
    let mut bench = Bench::default();
    for greeting in ["Hello", "Hi", "Hey"] {
        committed(&bench.apply(&hello(greeting, 2, 1)).await.0);
    }
    let engine = bench.engine();
    let ledger = engine.ledger();
    assert_eq!(ledger.written_down(), ledger.head().0);
    // What is not written down is read from the entries.
    assert_eq!(ledger.state().generations[&1].objects.len(), 5);
    assert!(ledger.state().objects.values().all(|o| o.handle.is_some()));
    ledger.verify().unwrap();
    let quiet = ledger.head().0;

    bench.store.crash_at(Some(Crash { at: bench.store.appends() + 4, after: true }));
    assert!(bench.run(&hello("Good day", 2, 1), Verb::Apply).await.is_err());
    bench.store.crash_at(None);
    let mut engine = bench.engine();
    assert_eq!(engine.ledger().written_down(), quiet);
    assert!(engine.ledger().head().0 > quiet);
    engine.ledger().verify().unwrap();
    engine.recover().await.unwrap();
    assert_eq!(engine.ledger().written_down(), engine.ledger().head().0);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_was_changed_is_found_and_made_anew() {
    let mut bench = Bench::default();
    committed(&bench.apply(&hello("Hello", 2, 1)).await.0);
    committed(&bench.apply(&hello("Hi", 1, 1)).await.0);
    for row in bench.rows() {
        let whole = row.bytes.clone().unwrap();
        let of = (row.part, row.number);
        for bytes in
            [None, Some([whole.as_slice(), &[0]].concat())].into_iter().chain((0..whole.len()).step_by(7).map(|at| {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << (at % 8);
                Some(bytes)
            }))
        {
            bench.damage(vec![Row { bytes, ..row.clone() }]);
            let engine = bench.engine();
            assert_eq!(engine.ledger().written_down(), 0, "{of:?}");
            engine.ledger().verify().unwrap();
            assert_ne!(engine.ledger().compare().unwrap(), Vec::<String>::new(), "{of:?}");
        }
        bench.damage(vec![row]);
    }
    let engine = bench.engine();
    assert_eq!(engine.ledger().compare().unwrap(), Vec::<String>::new());

    // Whoever writes next, writes all of it anew.
    bench.damage(vec![Row { part: 2, number: 1, bytes: Some(vec![1, 2, 3]) }]);
    committed(&bench.apply(&hello("Hey", 2, 1)).await.0);
    assert_eq!(bench.engine().ledger().compare().unwrap(), Vec::<String>::new());
    bench.damage(vec![Row { part: 2, number: 1, bytes: Some(vec![1, 2, 3]) }]);
    bench.engine().into_ledger().rebuild().unwrap();
    let engine = bench.engine();
    assert_eq!(engine.ledger().written_down(), engine.ledger().head().0);
    assert_eq!(engine.ledger().compare().unwrap(), Vec::<String>::new());
}
