//! Whether work is still wanted: what the client took back or overtook by typing, seen as soon as it is read from the pipe,
//! while the work goes on.

use super::answers::{Answer, Refused};
use super::transport::{Id, Message};
use imm_compiler::stop::{Ended, Stop, unless};
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was read and may make work unwanted. Clones are the same.
#[derive(Clone, Default)]
pub struct Wanted {
    /// Requests that the client took back.
    cancelled: Arc<Mutex<HashSet<Id>>>,
    /// Requests that are the worker's, and have no answer yet.
    open: Arc<Mutex<HashSet<Id>>>,
    /// Counts changes of any text that were read.
    changes: Arc<AtomicU64>,
}

impl Wanted {
    /// Notes what a message means to earlier ones.
    pub fn see(&self, message: &Message) {
        let Message::Notification(note) = message else { return };
        match note.method.as_str() {
            "$/cancelRequest" => self.cancelled().extend(note.params.get("id").and_then(|id| Id::deserialize(id).ok())),
            "textDocument/didChange" => _ = self.changes.fetch_add(1, Ordering::Relaxed),
            _other => {}
        }
    }

    fn cancelled(&self) -> MutexGuard<'_, HashSet<Id>> {
        self.cancelled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request is the worker's now.
    pub fn begin(&self, id: &Id) {
        self.open().insert(id.clone());
    }

    /// Whether a request of the worker's is to be answered by who asks this. That is so once: one that is taken back is
    /// answered at once, whenever the work ends.
    pub fn end(&self, id: &Id) -> bool {
        self.open().remove(id)
    }

    fn open(&self) -> MutexGuard<'_, HashSet<Id>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request was taken back; it is forgotten then.
    pub fn take(&self, id: &Id) -> bool {
        self.cancelled().remove(id)
    }

    /// Forgets requests that were taken back after their answer.
    pub fn clear(&self) {
        self.cancelled().clear();
    }

    /// How many changes were read.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Stops once one more change was read.
    pub fn until_changed(&self) -> Stop {
        let (all, changes) = (Arc::clone(&self.changes), self.changes());
        Arc::new(move || all.load(Ordering::Relaxed) != changes)
    }

    /// The answer of something that may take long, panic, or be unwanted before it is there. With `changes` it is so when
    /// there are more.
    pub fn answer(&self, id: &Id, method: &str, changes: Option<u64>, ask: impl FnOnce() -> Answer) -> Answer {
        if self.take(id) {
            return Err(Refused::Cancelled);
        }
        let (wanted, asked) = (self.clone(), id.clone());
        let outdated = move || changes.is_some_and(|changes| wanted.changes() != changes);
        let wanted = self.clone();
        let stop: Stop = Arc::new(move || outdated() || wanted.cancelled().contains(&asked));
        match unless(stop, ask) {
            Ok(answer) => answer,
            Err(Ended::Stopped) if self.take(id) => Err(Refused::Cancelled),
            Err(Ended::Stopped) => Err(Refused::Outdated),
            Err(Ended::Panicked(panic)) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                Err(Refused::Internal(format!("{method} failed inside of imm: {text}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::transport::Notification;
    use super::*;
    use imm_compiler::MemoryWorld;
    use imm_compiler::ide::Analysis;
    use serde_json::{Value, json};

    fn note(method: &str, params: Value) -> Message {
        Message::Notification(Notification { method: method.to_owned(), params })
    }

    #[test]
    fn a_panic_is_an_error_of_one_request() {
        let wanted = Wanted::default();
        let ask = |fail: bool| {
            let ask = || if fail { panic!("oh {}", 1) } else { Ok(json!(1)) };
            wanted.answer(&Id::Number(1), "textDocument/hover", None, ask)
        };
        assert_eq!(ask(true), Err(Refused::Internal("textDocument/hover failed inside of imm: oh 1".to_owned())));
        assert_eq!(ask(false), Ok(json!(1)));
    }

    /// A request about a program, while which something is read.
    fn meanwhile(read: &Message) -> Answer {
        let wanted = Wanted::default();
        wanted.answer(&Id::Text("a".to_owned()), "m", Some(0), || {
            wanted.see(read);
            Analysis::new(&MemoryWorld::new([("main.imm", "let a = 1\n")]), "");
            Ok(Value::Null)
        })
    }

    #[test]
    fn what_is_not_wanted_ends_in_the_middle() {
        assert_eq!(meanwhile(&note("$/cancelRequest", json!({ "id": "a" }))), Err(Refused::Cancelled));
        assert_eq!(meanwhile(&note("textDocument/didChange", json!({}))), Err(Refused::Outdated));
        assert_eq!(meanwhile(&note("$/cancelRequest", json!({ "id": 1 }))), Ok(Value::Null));
    }

    #[test]
    fn what_is_taken_back_is_known_once() {
        let wanted = Wanted::default();
        wanted.see(&note("$/cancelRequest", json!({ "id": 1 })));
        assert!(wanted.take(&Id::Number(1)) && !wanted.take(&Id::Number(1)));
    }
}
