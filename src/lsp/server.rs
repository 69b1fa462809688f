//! The loop: one event after the other. It waits in one place and computes only what a keystroke waits for. Requests are
//! here; what the client tells is in `notes`, what it is shown in `shown`.

use super::answers::{self, Answer, Refused};
use super::client::Client;
use super::documents::Documents;
use super::looks::{self, Checked, Look, Seen};
use super::report::{Shown, Typing};
use super::transport::{Id, Message, Nonsense, Out, Request, code, read};
use super::wanted::Wanted;
use super::worker::{self, Job};
use super::workspace::{Snapshot, root_of};
use super::{capabilities, edits, shapes};
use crate::failure::{Exit, Failure, Outcome};
use imm_compiler::stop;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::BufReader;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

/// The client's pipe.
type Input = BufReader<File>;

/// Serves until the client says goodbye or hangs up.
pub fn run() -> Outcome {
    // A module of ten thousand resources is a hundred MiB with small pages and half as much again with huge ones, all day.
    // A kernel that has none has nothing to be told.
    let _not_there = nix::sys::prctl::set_thp_disable(true);
    let said = |error: std::io::Error| Failure::new(format!("the language server: {error}"));
    let input = std::io::stdin().as_fd().try_clone_to_owned().map_err(said)?;
    let (mut input, out) = (BufReader::new(File::from(input)), Out::stdout().map_err(said)?);
    match hello(&mut input, &out) {
        Some(client) => serve(input, out, &client).map_err(said),
        None => Ok(Exit::Failed),
    }
}

/// Waits for the client to introduce itself; `None`: it left before.
fn hello(input: &mut Input, out: &Out) -> Option<Client> {
    loop {
        match read(input)? {
            Message::Request(Request { id, method, params }) if method == "initialize" => {
                let client = Client::read(&params);
                out.answer(&id, &capabilities::answer(client.encoding));
                return Some(client);
            }
            Message::Request(Request { id, .. }) => {
                out.refuse(Some(&id), code::SERVER_NOT_INITIALIZED, "`initialize` comes first");
            }
            Message::Notification(note) if note.method == "exit" => return None,
            Message::Nonsense(Nonsense { id, code, why }) => out.refuse(id.as_ref(), code, &why),
            Message::Notification(_) | Message::Answer => {}
        }
    }
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

fn serve(mut input: Input, out: Out, client: &Client) -> std::io::Result<Exit> {
    let (events, incoming) = channel();
    let (jobs, waiting_jobs) = channel();
    let (looks, waiting_looks) = channel();
    let wanted = Wanted::default();
    std::thread::scope(|scope| {
        let (reader_wanted, seen) = (wanted.clone(), events.clone());
        scope.spawn(move || {
            while let Some(message) = read(&mut input) {
                reader_wanted.see(&message);
                // Who said goodbye may leave its end of the pipe open.
                let last = matches!(&message, Message::Notification(note) if note.method == "exit");
                if seen.send(Event::Client(message)).is_err() || last {
                    return;
                }
            }
            drop(seen.send(Event::Gone));
        });
        let (worker_wanted, worker_out) = (wanted.clone(), out.clone());
        deep(scope, move || {
            let answer = |id: Id, answer| {
                if worker_wanted.end(&id) {
                    answers::send(&worker_out, &id, answer);
                }
            };
            worker::work(&waiting_jobs, &answer, &worker_wanted);
        })?;
        let looker_wanted = wanted.clone();
        deep(scope, move || {
            looks::work(&waiting_looks, &|seen| events.send(Event::Seen(seen)).is_ok(), &looker_wanted);
        })?;
        let mut server = Server {
            out,
            jobs,
            looks,
            wanted,
            client,
            folders: Arc::from(client.folders.as_slice()),
            documents: Documents::default(),
            revision: 0,
            snapshots: BTreeMap::new(),
            asked: BTreeMap::new(),
            due: BTreeMap::new(),
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

/// What the server knows.
pub(super) struct Server<'c> {
    pub out: Out,
    pub jobs: Sender<Job>,
    pub looks: Sender<Look>,
    pub wanted: Wanted,
    pub client: &'c Client,
    pub folders: Arc<[PathBuf]>,
    pub documents: Documents,
    /// Counts changes of any text.
    pub revision: u64,
    /// Programs, and the moments that they were read at.
    pub snapshots: BTreeMap<PathBuf, (u64, Snapshot)>,
    /// The moment of the last look that was asked for of each program, unless its text changed since.
    pub asked: BTreeMap<PathBuf, u64>,
    /// Looks that begin when nothing else is to be done.
    pub due: BTreeMap<PathBuf, Look>,
    /// The last look at each program.
    pub checked: BTreeMap<PathBuf, Box<Checked>>,
    /// What is shown of each program.
    pub shown: BTreeMap<PathBuf, Shown>,
    /// What was sent for each file, and for which version of it.
    pub sent: BTreeMap<PathBuf, (Option<i64>, Vec<Value>)>,
    pub typing: Option<Typing>,
    /// When everything is shown.
    pub calm_at: Option<Instant>,
    /// Requests for diagnostics that wait for a check.
    pub pulls: Vec<(Id, PathBuf, PathBuf)>,
    pub next_id: i32,
    pub goodbye: bool,
}

impl Server<'_> {
    fn run(&mut self, incoming: &Receiver<Event>) -> Exit {
        let mut queue: VecDeque<Event> = VecDeque::new();
        loop {
            queue.extend(incoming.try_iter());
            if queue.is_empty() {
                // What somebody waits for comes first: looks take processors from it.
                std::mem::take(&mut self.due).into_values().for_each(|look| drop(self.looks.send(look)));
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
                queue.extend(incoming.try_iter());
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
                    let more = note.method == "textDocument/didChange" && queue.iter().any(changes);
                    self.notification(&note, more);
                }
                Some(Event::Client(Message::Nonsense(Nonsense { id, code, why }))) => {
                    self.out.refuse(id.as_ref(), code, &why);
                }
                Some(Event::Client(Message::Answer)) | None => {}
                Some(Event::Seen(Seen::Checked(checked))) => self.was_checked(checked),
                Some(Event::Seen(Seen::Broken(root))) => self.was_broken(&root),
                Some(Event::Gone) => return if self.goodbye { Exit::Done } else { Exit::Failed },
            }
        }
    }

    pub fn answer(&self, id: &Id, answer: Answer) {
        answers::send(&self.out, id, answer);
    }

    fn request(&mut self, request: Request, outdated: bool) {
        let Request { id, method, mut params } = request;
        if self.wanted.take(&id) {
            return self.answer(&id, Err(Refused::Cancelled));
        }
        if self.goodbye || method == "initialize" {
            let why = if self.goodbye { "the server was told to shut down" } else { "`initialize` comes once" };
            return self.out.refuse(Some(&id), code::INVALID_REQUEST, why);
        }
        if method == "shutdown" {
            self.goodbye = true;
            return self.answer(&id, Ok(Value::Null));
        }
        let path = answers::path(&params);
        if path.is_none() && method != "workspace/symbol" {
            // A text that is no file belongs to no program.
            return self.answer(
                &id,
                match method.as_str() {
                    "textDocument/diagnostic" => Ok(json!({ "kind": "full", "items": [] })),
                    known if known.starts_with("textDocument/") => Ok(Value::Null),
                    _other => Err(Refused::Unknown(method)),
                },
            );
        }
        if answers::is_slow(&method) && outdated {
            return self.answer(&id, Err(Refused::Outdated));
        }
        let root = path.as_deref().map(root_of).or_else(|| self.any_root()).unwrap_or_default();
        if method == "textDocument/diagnostic" {
            self.pulls.push((id, root.clone(), path.unwrap_or_default()));
            let checked = self.checked.get(&root).filter(|checked| self.is_current(checked));
            if checked.is_some_and(|checked| self.is_enough(checked)) {
                self.answer_pulls(&root);
            } else if !self.asked.contains_key(&root) {
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
            self.wanted.begin(&id);
            let refused = self.jobs.send(Job { id, method, params, snapshot, changes });
            if let Err(std::sync::mpsc::SendError(job)) = refused {
                self.answer(&job.id, Err(Refused::Internal("the worker ended".to_owned())));
            }
            return;
        }
        // What a keystroke waits for takes less than the next one: it is answered even when that is there already.
        let answer = self.wanted.answer(&id, &method, None, || match method.as_str() {
            "textDocument/codeAction" => Ok(edits::actions(&snapshot, &params, self.checked.get(&root).map(|c| &**c))),
            _other => answers::answer(&snapshot, &method, &params),
        });
        self.answer(&id, answer);
    }

    fn any_root(&self) -> Option<PathBuf> {
        let open = self.documents.keys().next().map(|path| root_of(path));
        open.or_else(|| self.folders.first().cloned())
    }

    pub fn snapshot(&mut self, root: &Path) -> Snapshot {
        let snapshot = match self.snapshots.get(root) {
            Some((revision, snapshot)) if *revision == self.revision => return snapshot.clone(),
            Some((_, snapshot)) => snapshot.next(&self.documents, &self.folders),
            None => Snapshot::new(root.to_owned(), &self.documents, self.client.encoding, &self.folders),
        };
        self.snapshots.insert(root.to_owned(), (self.revision, snapshot.clone()));
        snapshot
    }

    /// Asks the client for something; nobody waits for what it says.
    pub fn ask(&mut self, method: &str, params: &Value) {
        self.next_id += 1;
        self.out.ask(&Id::Text(format!("imm-{}", self.next_id)), method, params);
    }
}
