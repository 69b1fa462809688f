//! The loop: one event after the other. It waits in one place and computes only what a keystroke waits for.

use super::answers::{self, Answer, Refused};
use super::documents::{Document, Documents};
use super::report::{self, Problems, Typing};
use super::wire::{Encoding, path_of};
use super::worker::{self, CheckedProgram, Event, Job};
use super::workspace::{Snapshot, root_of};
use super::{capabilities, edits, shapes};
use crate::failure::{Exit, Failure, Outcome};
use lsp_server::{Connection, Message, Notification, Request, RequestId, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Serves until the client says goodbye or hangs up.
pub fn run() -> Outcome {
    let (connection, threads) = Connection::stdio();
    let said = |error: &dyn std::fmt::Display| Failure::new(format!("the language server: {error}"));
    let (id, params) = connection.initialize_start().map_err(|e| said(&e))?;
    let client = Client::read(&params);
    let answer = capabilities::answer(client.encoding);
    connection.initialize_finish(id, answer).map_err(|e| said(&e))?;
    let exit = serve(connection, &client);
    threads.join().map_err(|e| said(&e))?;
    Ok(exit)
}

/// What the client told of itself.
struct Client {
    encoding: Encoding,
    folders: Vec<PathBuf>,
    snippets: bool,
    /// It can be told to ask for diagnostics again.
    refreshes: bool,
    /// It asks for diagnostics itself.
    pulls: bool,
    /// Code lenses can be asked for again.
    refreshes_lenses: bool,
}

impl Client {
    fn read(params: &Value) -> Self {
        let can = |path: &str| params.pointer(path).is_some_and(|v| *v == Value::Bool(true));
        let uri = |value: &Value| value.as_str().and_then(path_of);
        let folders = params.get("workspaceFolders").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut folders: Vec<PathBuf> = folders.iter().filter_map(|f| uri(f.get("uri")?)).collect();
        if folders.is_empty() {
            folders.extend(params.get("rootUri").and_then(uri));
        }
        Self {
            encoding: Encoding::choose(
                params.pointer("/capabilities/general/positionEncodings").unwrap_or(&Value::Null),
            ),
            folders,
            snippets: can("/capabilities/textDocument/completion/completionItem/snippetSupport"),
            refreshes: can("/capabilities/workspace/diagnostics/refreshSupport"),
            pulls: params.pointer("/capabilities/textDocument/diagnostic").is_some_and(Value::is_object),
            refreshes_lenses: can("/capabilities/workspace/codeLens/refreshSupport"),
        }
    }
}

/// Requests that the client took back.
#[derive(Clone, Default)]
pub struct Cancelled(Arc<Mutex<HashSet<RequestId>>>);

impl Cancelled {
    fn add(&self, id: RequestId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    /// Whether a request was taken back; it is forgotten then.
    pub fn take(&self, id: &RequestId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The answer of something that may panic: a panic is an error of this request and of no other.
pub fn guarded(method: &str, ask: impl FnOnce() -> Answer) -> Answer {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Refused::Internal(format!("{method} failed inside of imm: {text}")))
    })
}

fn serve(connection: Connection, client: &Client) -> Exit {
    let (events, incoming) = channel();
    let (jobs, waiting) = channel();
    let cancelled = Cancelled::default();
    let (receiver, sender) = (connection.receiver.clone(), connection.sender.clone());
    let reader = {
        let events: Sender<Event> = events.clone();
        move || {
            for message in receiver {
                if events.send(Event::Client(message)).is_err() {
                    return;
                }
            }
            drop(events.send(Event::Gone));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(reader);
        let worker_cancelled = cancelled.clone();
        let worker_sender = sender.clone();
        scope.spawn(move || {
            let answer = |response: Response| drop(worker_sender.send(response.into()));
            worker::work(&waiting, &events, &answer, &worker_cancelled);
        });
        let mut server = Server {
            sender,
            jobs,
            cancelled,
            encoding: client.encoding,
            client,
            folders: Arc::from(client.folders.as_slice()),
            documents: Documents::default(),
            revision: 0,
            snapshots: BTreeMap::new(),
            checked: BTreeMap::new(),
            shown: BTreeMap::new(),
            sent: BTreeMap::new(),
            typing: None,
            calm_at: None,
            pulls: Vec::new(),
            next_id: 0,
            goodbye: false,
        };
        let exit = server.run(&incoming);
        // The reader ends with the client's end of the pipe, the worker with the last job.
        drop(server);
        drop(connection);
        exit
    })
}

struct Server<'c> {
    sender: crossbeam_channel::Sender<Message>,
    jobs: Sender<Job>,
    cancelled: Cancelled,
    encoding: Encoding,
    client: &'c Client,
    folders: Arc<[PathBuf]>,
    documents: Documents,
    /// Counts changes of any text.
    revision: u64,
    /// Programs as they are now.
    snapshots: BTreeMap<PathBuf, Snapshot>,
    /// The last check of each program.
    checked: BTreeMap<PathBuf, Box<CheckedProgram>>,
    /// What is shown of each program.
    shown: BTreeMap<PathBuf, Problems>,
    /// What was sent for each file.
    sent: BTreeMap<PathBuf, Vec<Value>>,
    typing: Option<Typing>,
    /// When everything is shown.
    calm_at: Option<Instant>,
    /// Requests for diagnostics that wait for a check.
    pulls: Vec<(RequestId, PathBuf, PathBuf)>,
    next_id: i32,
    goodbye: bool,
}

impl Server<'_> {
    fn run(&mut self, incoming: &Receiver<Event>) -> Exit {
        let mut queue: VecDeque<Event> = VecDeque::new();
        loop {
            if queue.is_empty() {
                let next = match self.calm_at {
                    Some(at) => incoming.recv_timeout(at.saturating_duration_since(Instant::now())),
                    None => incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
                };
                match next {
                    Ok(event) => queue.push_back(event),
                    Err(RecvTimeoutError::Timeout) => {
                        self.everything();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return Exit::Failed,
                }
            }
            queue.extend(incoming.try_iter());
            for event in &queue {
                if let Event::Client(Message::Notification(note)) = event
                    && note.method == "$/cancelRequest"
                    && let Some(id) = request_id(&note.params)
                {
                    self.cancelled.add(id);
                }
            }
            let changes = |event: &Event| matches!(event, Event::Client(Message::Notification(n)) if n.method == "textDocument/didChange");
            match queue.pop_front() {
                Some(Event::Client(Message::Request(request))) => {
                    let outdated = queue.iter().any(changes);
                    self.request(request, outdated);
                }
                Some(Event::Client(Message::Notification(note))) => {
                    if note.method == "exit" {
                        return if self.goodbye { Exit::Done } else { Exit::Failed };
                    }
                    let more =
                        changes(&Event::Client(Message::Notification(note.clone()))) && queue.iter().any(changes);
                    self.notification(&note, more);
                }
                Some(Event::Client(Message::Response(_))) | None => {}
                Some(Event::Checked(checked)) => self.was_checked(checked),
                Some(Event::Broken(root)) => self.was_broken(&root),
                Some(Event::Gone) => return if self.goodbye { Exit::Done } else { Exit::Failed },
            }
        }
    }

    fn send(&self, message: impl Into<Message>) {
        drop(self.sender.send(message.into()));
    }

    fn answer(&self, id: RequestId, answer: Answer) {
        if let Err(Refused::Internal(why)) = &answer {
            self.send(Notification::new("window/logMessage".to_owned(), json!({ "type": 1, "message": why })));
        }
        self.send(match answer {
            Ok(value) => Response::new_ok(id, value),
            Err(refused) => refused.response(id),
        });
    }

    fn request(&mut self, request: Request, outdated: bool) {
        let Request { id, method, mut params } = request;
        if self.cancelled.take(&id) {
            return self.answer(id, Err(Refused::Cancelled));
        }
        if self.goodbye {
            let refused = Response::new_err(id, lsp_server::ErrorCode::InvalidRequest as i32, "shut down".to_owned());
            return self.send(refused);
        }
        if method == "shutdown" {
            self.goodbye = true;
            return self.answer(id, Ok(Value::Null));
        }
        let path = answers::path(&params);
        if path.is_none() && method != "workspace/symbol" {
            // A text that is no file belongs to no program.
            return self.answer(
                id,
                match method.as_str() {
                    "textDocument/diagnostic" => Ok(json!({ "kind": "full", "items": [] })),
                    known if known.starts_with("textDocument/") => Ok(Value::Null),
                    _other => Err(Refused::Unknown(method)),
                },
            );
        }
        if answers::is_slow(&method) && outdated {
            return self.answer(id, Err(Refused::Outdated));
        }
        let root = path.as_deref().map(root_of).or_else(|| self.any_root()).unwrap_or_default();
        if method == "textDocument/diagnostic" {
            self.pulls.push((id, root.clone(), path.unwrap_or_default()));
            if self.checked.get(&root).is_some_and(|checked| checked.revision == self.revision) {
                return self.answer_pulls(&root);
            }
            return self.check(&root);
        }
        if method == "textDocument/completion" && !self.client.snippets {
            shapes::put(&mut params, "imm", json!({ "snippets": false }));
        }
        let snapshot = self.snapshot(&root);
        if answers::is_slow(&method) {
            let refused = self.jobs.send(Job::Request(id, method, params, snapshot));
            if let Err(std::sync::mpsc::SendError(Job::Request(id, ..))) = refused {
                self.answer(id, Err(Refused::Internal("the worker ended".to_owned())));
            }
            return;
        }
        let answer = guarded(&method, || match method.as_str() {
            "textDocument/codeAction" => Ok(edits::actions(&snapshot, &params, self.checked.get(&root).map(|c| &**c))),
            _other => answers::answer(&snapshot, &method, &params),
        });
        self.answer(id, answer);
    }

    fn any_root(&self) -> Option<PathBuf> {
        let open = self.documents.keys().next().map(|path| root_of(path));
        open.or_else(|| self.folders.first().cloned())
    }

    fn snapshot(&mut self, root: &Path) -> Snapshot {
        if let Some(snapshot) = self.snapshots.get(root) {
            return snapshot.clone();
        }
        let snapshot = Snapshot::new(root.to_owned(), &self.documents, self.encoding, &self.folders);
        self.snapshots.insert(root.to_owned(), snapshot.clone());
        snapshot
    }

    fn notification(&mut self, note: &Notification, more: bool) {
        let path = answers::path(&note.params);
        match (note.method.as_str(), path) {
            ("textDocument/didOpen", Some(path)) => {
                let text = |at: &str| note.params.pointer(at).and_then(Value::as_str).unwrap_or_default();
                let version = version(&note.params);
                let document = Document::new(text("/textDocument/uri"), version, text("/textDocument/text"));
                Arc::make_mut(&mut self.documents).insert(path.clone(), document);
                self.typing = None;
                self.changed(&path, more);
            }
            ("textDocument/didChange", Some(path)) => {
                let changes = note.params.get("contentChanges").and_then(Value::as_array);
                let Some(document) = Arc::make_mut(&mut self.documents).get_mut(&path) else { return };
                let line = document.change(version(&note.params), changes.map_or(&[], Vec::as_slice), self.encoding);
                self.typing = line.map(|line| Typing { path: path.clone(), line });
                self.changed(&path, more);
            }
            ("textDocument/didClose", Some(path)) => {
                Arc::make_mut(&mut self.documents).remove(&path);
                self.changed(&path, more);
            }
            ("textDocument/didSave" | "workspace/didChangeWatchedFiles", path) => {
                self.typing = None;
                let path = path.or_else(|| self.documents.keys().next().cloned());
                if let Some(path) = path {
                    self.changed(&path, more);
                }
            }
            ("workspace/didChangeWorkspaceFolders", _) => {
                let uris = |name: &str| -> Vec<PathBuf> {
                    let all = note.params.pointer(&format!("/event/{name}")).and_then(Value::as_array).cloned();
                    all.unwrap_or_default().iter().filter_map(|f| path_of(f.get("uri")?.as_str()?)).collect()
                };
                let removed = uris("removed");
                let mut folders: Vec<PathBuf> =
                    self.folders.iter().filter(|folder| !removed.contains(folder)).cloned().collect();
                folders.extend(uris("added"));
                self.folders = Arc::from(folders);
                self.snapshots.clear();
            }
            _ignored => {}
        }
    }

    /// A text changed: what depends on it is looked at again. With `more` changes waiting that is left to the last.
    fn changed(&mut self, path: &Path, more: bool) {
        self.revision += 1;
        self.snapshots.clear();
        self.calm_at = None;
        if more {
            return;
        }
        let root = root_of(path);
        self.check(&root);
        let others: Vec<PathBuf> = self.checked.keys().filter(|other| **other != root).cloned().collect();
        let open: HashSet<PathBuf> = self.documents.keys().map(|path| root_of(path)).collect();
        for other in others {
            let depends = self.checked.get(&other).is_some_and(|checked| checked.problems.contains_key(path));
            if depends && open.contains(&other) {
                self.check(&other);
            }
        }
    }

    fn check(&mut self, root: &Path) {
        let snapshot = Snapshot { analysis: Arc::default(), ..self.bare(root) };
        drop(self.jobs.send(Job::Check(snapshot, self.revision)));
    }

    /// A moment of a program whose text nobody asked for yet.
    fn bare(&self, root: &Path) -> Snapshot {
        Snapshot {
            root: root.to_owned(),
            analysis: Arc::default(),
            documents: Arc::clone(&self.documents),
            encoding: self.encoding,
            folders: Arc::clone(&self.folders),
        }
    }

    fn was_checked(&mut self, checked: Box<CheckedProgram>) {
        let root = checked.root.clone();
        let current = checked.revision == self.revision;
        self.checked.insert(root.clone(), checked);
        if !current {
            // A newer check is on its way.
            return;
        }
        self.show(&root);
        self.answer_pulls(&root);
        if self.client.refreshes_lenses {
            self.ask("workspace/codeLens/refresh");
        }
    }

    /// A check panicked: who waits for it is told.
    fn was_broken(&mut self, root: &Path) {
        let (broken, waiting) = std::mem::take(&mut self.pulls).into_iter().partition(|(_, of, _)| of == root);
        self.pulls = waiting;
        let why = || Refused::Internal(format!("checking {} failed inside of imm", root.display()));
        let answer = |(id, ..): (RequestId, PathBuf, PathBuf)| self.answer(id, Err(why()));
        Vec::into_iter(broken).for_each(answer);
    }

    fn ask(&mut self, method: &str) {
        self.next_id += 1;
        let id = RequestId::from(format!("imm-{}", self.next_id));
        self.send(Request::new(id, method.to_owned(), Value::Null));
    }

    /// Shows what is wrong with a program, calmly.
    fn show(&mut self, root: &Path) {
        let Some(checked) = self.checked.get(root) else { return };
        let none = Problems::new();
        // A client that asks itself and cannot be told to ask again gets everything at once.
        let patient = !self.client.pulls || self.client.refreshes;
        let typing = self.typing.as_ref().filter(|_| patient);
        let (shown, held) = report::calm(&checked.problems, self.shown.get(root).unwrap_or(&none), typing);
        if held {
            self.calm_at = Some(Instant::now() + report::CALM);
        }
        if !self.client.pulls {
            for (path, problems) in &shown {
                let values: Vec<Value> = problems.iter().map(|problem| problem.shown.clone()).collect();
                self.publish(path, values);
            }
            let gone: Vec<PathBuf> = self.shown.get(root).into_iter().flatten().map(|(path, _)| path.clone()).collect();
            for path in gone.into_iter().filter(|path| !shown.contains_key(path)) {
                self.publish(&path, Vec::new());
            }
        }
        self.shown.insert(root.to_owned(), shown);
    }

    fn publish(&mut self, path: &Path, values: Vec<Value>) {
        let open = self.documents.get(path);
        let before = self.sent.get(path);
        // An open text is told about each of its versions; another file when something changes.
        if open.is_none() && before.map_or(values.is_empty(), |before| *before == values) {
            return;
        }
        let uri = open.map_or_else(|| super::wire::uri_of(path), |document| document.uri.to_string());
        let mut params = json!({ "uri": uri, "diagnostics": values });
        if let Some(document) = open {
            shapes::put(&mut params, "version", json!(document.version));
        }
        self.send(Notification::new("textDocument/publishDiagnostics".to_owned(), params));
        self.sent.insert(path.to_owned(), values);
    }

    /// Nothing was typed for a while.
    fn everything(&mut self) {
        self.calm_at = None;
        self.typing = None;
        let roots: Vec<PathBuf> = self.checked.keys().cloned().collect();
        for root in roots {
            let before = self.shown.get(&root).cloned();
            self.show(&root);
            if self.client.pulls && self.client.refreshes && self.shown.get(&root) != before.as_ref() {
                self.ask("workspace/diagnostic/refresh");
            }
        }
        self.cancelled.clear();
    }

    fn answer_pulls(&mut self, root: &Path) {
        self.show(root);
        let mut waiting = Vec::new();
        for (id, of, path) in std::mem::take(&mut self.pulls) {
            if of != *root {
                waiting.push((id, of, path));
                continue;
            }
            let problems = self.shown.get(root).and_then(|shown| shown.get(&path));
            let items: Vec<Value> = problems.into_iter().flatten().map(|problem| problem.shown.clone()).collect();
            let cancelled = self.cancelled.take(&id);
            let answer =
                if cancelled { Err(Refused::Cancelled) } else { Ok(json!({ "kind": "full", "items": items })) };
            self.answer(id, answer);
        }
        self.pulls = waiting;
    }
}

fn version(params: &Value) -> i64 {
    params.pointer("/textDocument/version").and_then(Value::as_i64).unwrap_or(0)
}

fn request_id(params: &Value) -> Option<RequestId> {
    let id = params.get("id")?;
    let number = id.as_i64().and_then(|n| i32::try_from(n).ok()).map(RequestId::from);
    number.or_else(|| id.as_str().map(|text| RequestId::from(text.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_of_one_request() {
        let ask = |fail: bool| guarded("textDocument/hover", || if fail { panic!("oh {}", 1) } else { Ok(json!(1)) });
        assert_eq!(ask(true), Err(Refused::Internal("textDocument/hover failed inside of imm: oh 1".to_owned())));
        assert_eq!(ask(false), Ok(json!(1)));
    }

    #[test]
    fn what_is_taken_back_is_known_once() {
        let cancelled = Cancelled::default();
        cancelled.add(RequestId::from(1));
        assert!(cancelled.take(&RequestId::from(1)) && !cancelled.take(&RequestId::from(1)));
        assert_eq!(request_id(&json!({ "id": "a" })), Some(RequestId::from("a".to_owned())));
    }
}
