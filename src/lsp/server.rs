//! The loop: one event after the other. It waits in one place and computes only what a keystroke waits for.

use super::answers::{self, Answer, Refused};
use super::client::Client;
use super::documents::{Document, Documents};
use super::looks::{self, Checked, Look, Seen};
use super::report::{self, Shown, Typing};
use super::wanted::Wanted;
use super::wire::path_of;
use super::worker::{self, Job};
use super::workspace::{Snapshot, root_of};
use super::{capabilities, edits, shapes};
use crate::failure::{Exit, Failure, Outcome};
use imm_compiler::stop;
use lsp_server::{Connection, Message, Notification, Request, RequestId, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

/// Serves until the client says goodbye or hangs up.
pub fn run() -> Outcome {
    let (connection, threads) = Connection::stdio();
    let said = |error: &dyn std::fmt::Display| Failure::new(format!("the language server: {error}"));
    let (id, params) = connection.initialize_start().map_err(|e| said(&e))?;
    let client = Client::read(&params);
    let answer = capabilities::answer(client.encoding);
    connection.initialize_finish(id, answer).map_err(|e| said(&e))?;
    let exit = serve(connection, &client).map_err(|e| said(&e))?;
    threads.join().map_err(|e| said(&e))?;
    Ok(exit)
}

/// What the loop wakes up for.
enum Event {
    /// Something from the client.
    Client(Message),
    /// The client hung up.
    Gone,
    /// A program was looked at.
    Seen(Seen),
}

fn serve(connection: Connection, client: &Client) -> std::io::Result<Exit> {
    let (events, incoming) = channel();
    let (jobs, waiting_jobs) = channel();
    let (looks, waiting_looks) = channel();
    let wanted = Wanted::default();
    let (receiver, sender) = (connection.receiver.clone(), connection.sender.clone());
    std::thread::scope(|scope| {
        let (read, seen) = (wanted.clone(), events.clone());
        scope.spawn(move || {
            for message in receiver {
                read.see(&message);
                if seen.send(Event::Client(message)).is_err() {
                    return;
                }
            }
            drop(seen.send(Event::Gone));
        });
        let (worker_wanted, worker_sender) = (wanted.clone(), sender.clone());
        deep(scope, move || {
            worker::work(&waiting_jobs, &|id, answer| tell(&worker_sender, id, answer), &worker_wanted);
        })?;
        let looker_wanted = wanted.clone();
        deep(scope, move || {
            looks::work(&waiting_looks, &|seen| events.send(Event::Seen(seen)).is_ok(), &looker_wanted);
        })?;
        let mut server = Server {
            sender,
            jobs,
            looks,
            wanted,
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
        // The reader ends with the client's end of the pipe, the others with the last job.
        let looped = deep(scope, move || server.run(&incoming))?.join();
        drop(connection);
        Ok(looped.unwrap_or(Exit::Failed))
    })
}

/// A thread in which programs can be asked about.
fn deep<'s, T: Send + 's>(
    scope: &'s std::thread::Scope<'s, '_>,
    work: impl FnOnce() -> T + Send + 's,
) -> std::io::Result<std::thread::ScopedJoinHandle<'s, T>> {
    std::thread::Builder::new().stack_size(stop::STACK).spawn_scoped(scope, work)
}

fn log(sender: &crossbeam_channel::Sender<Message>, why: &str) {
    let note = Notification::new("window/logMessage".to_owned(), json!({ "type": 1, "message": why }));
    drop(sender.send(note.into()));
}

/// Sends an answer; what failed inside of imm is logged too.
fn tell(sender: &crossbeam_channel::Sender<Message>, id: RequestId, answer: Answer) {
    if let Err(Refused::Internal(why)) = &answer {
        log(sender, why);
    }
    let response = match answer {
        Ok(value) => Response::new_ok(id, value),
        Err(refused) => refused.response(id),
    };
    drop(sender.send(response.into()));
}

struct Server<'c> {
    sender: crossbeam_channel::Sender<Message>,
    jobs: Sender<Job>,
    looks: Sender<Look>,
    wanted: Wanted,
    client: &'c Client,
    folders: Arc<[PathBuf]>,
    documents: Documents,
    /// Counts changes of any text.
    revision: u64,
    /// Programs, and the moments that they were read at.
    snapshots: BTreeMap<PathBuf, (u64, Snapshot)>,
    /// The last look at each program.
    checked: BTreeMap<PathBuf, Box<Checked>>,
    /// What is shown of each program.
    shown: BTreeMap<PathBuf, Shown>,
    /// What was sent for each file, and for which version of it.
    sent: BTreeMap<PathBuf, (Option<i64>, Vec<Value>)>,
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
                    let more = note.method == "textDocument/didChange" && queue.iter().any(changes);
                    self.notification(&note, more);
                }
                Some(Event::Client(Message::Response(_))) | None => {}
                Some(Event::Seen(Seen::Checked(checked))) => self.was_checked(checked),
                Some(Event::Seen(Seen::Broken(root))) => self.was_broken(&root),
                Some(Event::Gone) => return if self.goodbye { Exit::Done } else { Exit::Failed },
            }
        }
    }

    fn send(&self, message: impl Into<Message>) {
        drop(self.sender.send(message.into()));
    }

    fn answer(&self, id: RequestId, answer: Answer) {
        tell(&self.sender, id, answer);
    }

    fn request(&mut self, request: Request, outdated: bool) {
        let Request { id, method, mut params } = request;
        if self.wanted.take(&id) {
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
            let checked = self.checked.get(&root).filter(|checked| checked.revision == self.revision);
            if checked.is_some_and(|checked| self.is_enough(checked)) {
                self.answer_pulls(&root);
            } else if checked.is_none() {
                self.look(&root);
            }
            return;
        }
        if method == "textDocument/completion" && !self.client.snippets {
            shapes::put(&mut params, "imm", json!({ "snippets": false }));
        }
        let snapshot = self.snapshot(&root);
        if answers::is_slow(&method) {
            let changes = self.wanted.changes();
            let refused = self.jobs.send(Job { id, method, params, snapshot, changes });
            if let Err(std::sync::mpsc::SendError(job)) = refused {
                self.answer(job.id, Err(Refused::Internal("the worker ended".to_owned())));
            }
            return;
        }
        // What a keystroke waits for takes less than the next one: it is answered even when that is there already.
        let answer = self.wanted.answer(&id, &method, None, || match method.as_str() {
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
        let snapshot = match self.snapshots.get(root) {
            Some((revision, snapshot)) if *revision == self.revision => return snapshot.clone(),
            Some((_, snapshot)) => snapshot.next(&self.documents, &self.folders),
            None => Snapshot::new(root.to_owned(), &self.documents, self.client.encoding, &self.folders),
        };
        self.snapshots.insert(root.to_owned(), (self.revision, snapshot.clone()));
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
                let line =
                    document.change(version(&note.params), changes.map_or(&[], Vec::as_slice), self.client.encoding);
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
                self.revision += 1;
            }
            _ignored => {}
        }
    }

    /// A text changed: what depends on it is looked at again. With `more` changes waiting that is left to the last.
    fn changed(&mut self, path: &Path, more: bool) {
        self.revision += 1;
        self.calm_at = None;
        if more {
            return;
        }
        let root = root_of(path);
        // Programs of which nothing is open are read anew if they are asked about.
        let open: HashSet<PathBuf> = self.documents.keys().map(|path| root_of(path)).collect();
        self.snapshots.retain(|known, _| *known == root || open.contains(known));
        self.look(&root);
        let others: Vec<PathBuf> = self.checked.keys().filter(|other| **other != root).cloned().collect();
        for other in others {
            let depends = self.checked.get(&other).is_some_and(|checked| checked.problems.contains_key(path));
            if depends && open.contains(&other) {
                self.look(&other);
            }
        }
    }

    fn look(&mut self, root: &Path) {
        let snapshot = self.snapshot(root);
        drop(self.looks.send(Look { snapshot, revision: self.revision }));
    }

    /// Whether who asked for diagnostics can have these: a client that can be told to ask again need not wait for all.
    fn is_enough(&self, checked: &Checked) -> bool {
        checked.whole || self.client.refreshes
    }

    fn was_checked(&mut self, checked: Box<Checked>) {
        let root = checked.root.clone();
        let (current, whole, enough) = (checked.revision == self.revision, checked.whole, self.is_enough(&checked));
        self.checked.insert(root.clone(), checked);
        if !current {
            // A newer look is on its way.
            return;
        }
        self.show_more(&root);
        if enough {
            self.answer_pulls(&root);
        }
        if whole && self.client.refreshes_lenses {
            self.ask("workspace/codeLens/refresh");
        }
    }

    /// A look panicked: who waits for it is told.
    fn was_broken(&mut self, root: &Path) {
        let (broken, waiting) = std::mem::take(&mut self.pulls).into_iter().partition(|(_, of, _)| of == root);
        self.pulls = waiting;
        let why = format!("checking {} failed inside of imm", root.display());
        log(&self.sender, &why);
        let answer = |(id, ..): (RequestId, PathBuf, PathBuf)| self.answer(id, Err(Refused::Internal(why.clone())));
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
        let none = Shown::new();
        // A client that asks itself and cannot be told to ask again gets everything at once.
        let patient = !self.client.pulls || self.client.refreshes;
        let typing = self.typing.as_ref().filter(|_| patient);
        let (shown, held) = report::calm(&checked.problems, self.shown.get(root).unwrap_or(&none), typing);
        if held {
            self.calm_at.get_or_insert_with(|| Instant::now() + report::CALM);
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
        let (version, none) = (open.map(|document| document.version), Vec::new());
        // An open text is told about each of its versions; another file when something changes.
        let (told, before) = self.sent.get(path).map_or((None, &none), |(version, values)| (*version, values));
        if told == version && *before == values {
            return;
        }
        let uri = open.map_or_else(|| super::wire::uri_of(path), |document| document.uri.to_string());
        let mut params = json!({ "uri": uri, "diagnostics": values });
        if let Some(version) = version {
            shapes::put(&mut params, "version", json!(version));
        }
        self.send(Notification::new("textDocument/publishDiagnostics".to_owned(), params));
        self.sent.insert(path.to_owned(), (version, values));
    }

    /// Nothing was typed for a while.
    fn everything(&mut self) {
        self.calm_at = None;
        self.typing = None;
        let roots: Vec<PathBuf> = self.checked.keys().cloned().collect();
        roots.iter().for_each(|root| self.show_more(root));
        self.wanted.clear();
    }

    /// Shows what is wrong; a client that asks itself is told when that is something else than before.
    fn show_more(&mut self, root: &Path) {
        let before = self.shown.get(root).cloned();
        self.show(root);
        let waits = self.pulls.iter().any(|(_, of, _)| of == root);
        if self.client.pulls && self.client.refreshes && !waits && self.shown.get(root) != before.as_ref() {
            self.ask("workspace/diagnostic/refresh");
        }
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
            let cancelled = self.wanted.take(&id);
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
