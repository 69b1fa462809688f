//! A scripted client of `imm lsp`: the real process over its pipes.

use super::IMM;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client and its server.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    next: i64,
    /// The last diagnostics that were published, by URI, with their version.
    pub published: BTreeMap<String, Value>,
    versions: BTreeMap<String, i64>,
    /// Removed with the client.
    _home: tempfile::TempDir,
    /// Answers that nobody waited for yet.
    answers: BTreeMap<i64, Value>,
    /// What the server told of itself.
    pub about: Value,
}

/// The URI of a path.
pub fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

impl Client {
    /// Starts a server for a folder.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, json!({}))
    }

    /// Starts a server; these capabilities of the client are told.
    pub fn start_with(folder: &Path, capabilities: Value) -> Self {
        let home = tempfile::Builder::new().prefix("imm-home").tempdir().unwrap();
        let mut child = Command::new(IMM)
            .arg("lsp")
            .current_dir(folder)
            .env("IMM_HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        let mut client = Self {
            child,
            input,
            messages,
            next: 0,
            published: BTreeMap::new(),
            versions: BTreeMap::new(),
            _home: home,
            answers: BTreeMap::new(),
            about: Value::Null,
        };
        let mut params = json!({ "processId": null, "workspaceFolders": [{ "uri": uri(folder), "name": "test" }] });
        params["capabilities"] = capabilities;
        client.about = client.request("initialize", params);
        client.notify("initialized", json!({}));
        client
    }

    fn write(&mut self, message: &Value) {
        let text = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    /// Sends bytes that may be no message.
    pub fn raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    /// The next error that is the answer to no request.
    pub fn error_of_nobody(&mut self) -> Value {
        self.until(|message| {
            (message["id"].is_null() && message.get("error").is_some()).then(|| message["error"].clone())
        })
    }

    /// Sends a request and does not wait.
    pub fn send(&mut self, method: &str, params: Value) -> i64 {
        self.next += 1;
        let id = self.next;
        let mut message = json!({ "jsonrpc": "2.0", "id": id, "method": method });
        message["params"] = params;
        self.write(&message);
        id
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        let mut message = json!({ "jsonrpc": "2.0", "method": method });
        message["params"] = params;
        self.write(&message);
    }

    /// The whole answer to a request.
    pub fn answer(&mut self, id: i64) -> Value {
        if let Some(answer) = self.answers.remove(&id) {
            return answer;
        }
        self.until(|message| (message["id"] == id && message.get("method").is_none()).then(|| message.clone()))
    }

    /// Which of some requests is answered first, and the answer.
    pub fn first_answer(&mut self, ids: &[i64]) -> (i64, Value) {
        self.until(|message| {
            let id = message["id"].as_i64().filter(|id| ids.contains(id) && message.get("method").is_none())?;
            Some((id, message.clone()))
        })
    }

    /// Asks; a refusal fails the test.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let shown = params.to_string();
        let id = self.send(method, params);
        let answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{method} {shown}: {answer}");
        answer["result"].clone()
    }

    fn until<T>(&mut self, mut wanted: impl FnMut(&Value) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(began.elapsed());
            let message = self.messages.recv_timeout(left).expect("an answer in time");
            if message["method"] == "textDocument/publishDiagnostics" {
                let params = message["params"].clone();
                self.published.insert(params["uri"].as_str().unwrap().to_owned(), params);
            } else if message.get("method").is_some()
                && let Some(id) = message.get("id").cloned()
            {
                self.write(&json!({ "jsonrpc": "2.0", "id": id, "result": null }));
            }
            if let Some(found) = wanted(&message) {
                return found;
            }
            if let (Some(id), None) = (message["id"].as_i64(), message.get("method")) {
                self.answers.insert(id, message);
            }
        }
    }

    /// Opens a text.
    pub fn open(&mut self, path: &Path, text: &str) {
        self.versions.insert(uri(path), 1);
        let document = json!({ "uri": uri(path), "languageId": "imm", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Changes a part of a text; without a range all of it.
    pub fn change(&mut self, path: &Path, range: Option<Value>, text: &str) {
        let version = self.versions.get_mut(&uri(path)).unwrap();
        *version += 1;
        let version = *version;
        let change = match range {
            Some(range) => json!({ "range": range, "text": text }),
            None => json!({ "text": text }),
        };
        let document = json!({ "uri": uri(path), "version": version });
        self.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": [change] }));
    }

    /// What is wrong with the newest version of a text.
    pub fn diagnostics(&mut self, path: &Path) -> Vec<Value> {
        let uri = uri(path);
        let version = self.versions[&uri];
        let known = self.published.get(&uri).filter(|p| p["version"] == version).cloned();
        let params = known.unwrap_or_else(|| {
            self.until(|message| {
                let params = &message["params"];
                let fits = message["method"] == "textDocument/publishDiagnostics"
                    && params["uri"] == *uri
                    && params["version"] == version;
                fits.then(|| params.clone())
            })
        });
        params["diagnostics"].as_array().unwrap().clone()
    }

    /// Waits until a version of a text has diagnostics that pass.
    pub fn diagnostics_until(&mut self, path: &Path, passes: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let now = self.diagnostics(path);
        if passes(&now) { now } else { self.diagnostics_again(path, passes) }
    }

    /// Waits until diagnostics come that pass.
    pub fn diagnostics_again(&mut self, path: &Path, passes: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let uri = uri(path);
        self.until(|message| {
            let params = &message["params"];
            let all = params["diagnostics"].as_array().filter(|_| params["uri"] == *uri)?;
            passes(all).then(|| all.clone())
        })
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says goodbye; answers the exit code.
    pub fn stop(mut self) -> i32 {
        self.request("shutdown", Value::Null);
        self.notify("exit", Value::Null);
        self.input = None;
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.input = None;
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// A position.
pub fn at(line: usize, character: usize) -> Value {
    json!({ "line": line, "character": character })
}

/// A request about a place.
pub fn about(path: &Path, position: Value) -> Value {
    let mut params = json!({ "textDocument": { "uri": uri(path) } });
    params["position"] = position;
    params
}

/// The position of an offset, in UTF-16.
pub fn position(text: &str, offset: usize) -> Value {
    let before = &text[..offset];
    let line = before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    at(line, before[start..].encode_utf16().count())
}

/// A text after the edits of one file, in UTF-16.
pub fn edited(text: &str, edits: &[Value]) -> String {
    let offset = |position: &Value| {
        let (line, column) = (position["line"].as_u64().unwrap(), position["character"].as_u64().unwrap());
        let start = text.split_inclusive('\n').take(usize::try_from(line).unwrap()).map(str::len).sum::<usize>();
        let mut units = 0;
        let rest = text[start..].char_indices().find(|(_, c)| {
            let here = units >= column;
            units += u64::try_from(c.len_utf16()).unwrap();
            here
        });
        rest.map_or(text.len(), |(at, _)| start + at)
    };
    let mut all: Vec<(usize, usize, &str)> = edits
        .iter()
        .map(|e| (offset(&e["range"]["start"]), offset(&e["range"]["end"]), e["newText"].as_str().unwrap()))
        .collect();
    all.sort_unstable();
    let mut out = text.to_owned();
    for (start, end, new) in all.into_iter().rev() {
        out.replace_range(start..end, new);
    }
    out
}

/// Every folder of examples with its `.imm` files.
pub fn examples() -> Vec<(PathBuf, Vec<PathBuf>)> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(examples).unwrap().flatten() {
        let files = std::fs::read_dir(entry.path()).into_iter().flatten().flatten().map(|e| e.path());
        let mut files: Vec<PathBuf> = files.filter(|p| p.extension().is_some_and(|e| e == "imm")).collect();
        files.sort();
        if !files.is_empty() {
            all.push((entry.path(), files));
        }
    }
    all.sort();
    all
}
