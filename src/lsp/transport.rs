//! Messages of JSON-RPC over a pipe.
//!
//! What is no message is told to the client and the next one is read: a mistake of one never ends the session. Reading
//! takes no more memory than what arrives. Who sends writes at once: on a busy machine a thread in between would cost a
//! keystroke more than its answer does.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

/// A longer message is none.
const MOST: u64 = 1 << 30;

/// Codes of errors, by the names that the protocol has for them.
pub mod code {
    /// It is no JSON.
    pub const PARSE_ERROR: i32 = -32700;
    /// It is JSON, but no message, or not now.
    pub const INVALID_REQUEST: i32 = -32600;
    /// There is no such request.
    pub const METHOD_NOT_FOUND: i32 = -32601;
    /// The server failed.
    pub const INTERNAL_ERROR: i32 = -32603;
    /// Something was asked before `initialize`.
    pub const SERVER_NOT_INITIALIZED: i32 = -32002;
    /// The client took it back.
    pub const REQUEST_CANCELLED: i32 = -32800;
    /// The text changed meanwhile.
    pub const CONTENT_MODIFIED: i32 = -32801;
    /// It cannot be done; the message is for the user.
    pub const REQUEST_FAILED: i32 = -32803;
}

/// What a request is called, so that its answer can be told from others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// Something from the client.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// It wants an answer.
    Request(Request),
    /// It wants none.
    Notification(Notification),
    /// The answer to what it was asked.
    Answer,
    /// No message.
    Nonsense(Nonsense),
}

/// What the client asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What the answer is to be called.
    pub id: Id,
    /// What is asked.
    pub method: String,
    /// About what.
    pub params: Value,
}

/// What the client tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// What happened.
    pub method: String,
    /// To what.
    pub params: Value,
}

/// What is wrong with a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Nonsense {
    /// The request that it may have been.
    pub id: Option<Id>,
    /// One of [`code`].
    pub code: i32,
    /// For people.
    pub why: String,
}

/// The next message; `None`: there is none any more.
pub fn read(input: &mut impl BufRead) -> Option<Message> {
    let nonsense = |code, why| Some(Message::Nonsense(Nonsense { id: None, code, why }));
    let Some(size) = head(input)? else {
        let why = format!("a message begins with `Content-Length: BYTES`, and has not more than {MOST}");
        return nonsense(code::PARSE_ERROR, why);
    };
    let mut body = Vec::new();
    let complete = input.take(size).read_to_end(&mut body).is_ok_and(|length| length as u64 == size);
    if !complete {
        return None;
    }
    match serde_json::from_slice(&body) {
        Ok(value) => Some(judge(value)),
        Err(error) => nonsense(code::PARSE_ERROR, format!("this is no JSON: {error}")),
    }
}

/// How long the next message is, if its head tells; what stands before it is passed over.
fn head(input: &mut impl BufRead) -> Option<Option<u64>> {
    let (mut size, mut begun) = (None, false);
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&line).to_ascii_lowercase();
        // Behind a broken message the head may not begin its line.
        if let Some((_, number)) = line.rsplit_once("content-length:") {
            size = number.trim().parse().ok().filter(|size| *size <= MOST);
        } else if line.trim().is_empty() {
            if begun {
                return Some(size);
            }
            continue;
        }
        begun = true;
    }
}

fn judge(value: Value) -> Message {
    let mut members = match value {
        Value::Object(members) => members,
        _other => serde_json::Map::new(),
    };
    let mut take = |name: &str| members.remove(name);
    let (id, method, params) = (take("id"), take("method"), take("params").unwrap_or_default());
    let named = id.as_ref().map(|id| Id::deserialize(id).ok());
    let nonsense = |id, why: &str| Message::Nonsense(Nonsense { id, code: code::INVALID_REQUEST, why: why.to_owned() });
    match (method, named) {
        (Some(Value::String(method)), None) => Message::Notification(Notification { method, params }),
        (Some(Value::String(method)), Some(Some(id))) => Message::Request(Request { id, method, params }),
        (Some(Value::String(_)), Some(None)) => nonsense(None, "the id of a request is a whole number or a text"),
        (None, Some(_)) if members.contains_key("result") || members.contains_key("error") => Message::Answer,
        (_, id) => nonsense(id.flatten(), "a message is an object with a `method`"),
    }
}

/// The client's end. Clones write to the same.
#[derive(Clone)]
pub struct Out(Arc<Mutex<File>>);

impl Out {
    /// The standard output.
    pub fn stdout() -> std::io::Result<Self> {
        // Not by `Stdout`, which cuts what is written at its last new line.
        Ok(Self(Arc::new(Mutex::new(File::from(std::io::stdout().as_fd().try_clone_to_owned()?)))))
    }

    /// Answers a request.
    pub fn answer(&self, id: &Id, result: &Value) {
        // Not by `json!`, which would copy what is in it.
        #[derive(Serialize)]
        struct Answer<'a> {
            jsonrpc: &'static str,
            id: &'a Id,
            result: &'a Value,
        }
        self.write(&Answer { jsonrpc: "2.0", id, result });
    }

    /// Answers that there is no answer.
    pub fn refuse(&self, id: Option<&Id>, code: i32, why: &str) {
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": why } }));
    }

    /// Tells something.
    pub fn tell(&self, method: &str, params: &Value) {
        self.write(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Asks for something.
    pub fn ask(&self, id: &Id, method: &str, params: &Value) {
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
    }

    fn write(&self, message: &impl Serialize) {
        let Ok(body) = serde_json::to_string(message) else { return };
        let text = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Who reads the other end of the pipe sees that the client is gone.
        drop(out.write_all(text.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<Message> {
        let mut input = input;
        std::iter::from_fn(|| read(&mut input)).collect()
    }

    fn framed(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    fn code_of(message: &Message) -> Option<i32> {
        if let Message::Nonsense(nonsense) = message { Some(nonsense.code) } else { None }
    }

    #[test]
    fn messages_are_told_apart() {
        let texts = [
            r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"b":2}}"#,
            r#"{"jsonrpc":"2.0","id":"x","method":"a"}"#,
            r#"{"jsonrpc":"2.0","method":"c"}"#,
            r#"{"jsonrpc":"2.0","id":"imm-1","result":null}"#,
        ];
        let found = all(texts.map(framed).concat().as_bytes());
        let request = |id, params| Message::Request(Request { id, method: "a".to_owned(), params });
        let told = Message::Notification(Notification { method: "c".to_owned(), params: Value::Null });
        let expected = [
            request(Id::Number(1), json!({ "b": 2 })),
            request(Id::Text("x".to_owned()), Value::Null),
            told,
            Message::Answer,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn behind_nonsense_the_next_message_is_read() {
        let good = framed(r#"{"method":"c"}"#);
        let bad = ["{abc}", "{}", "[]", "3", r#"{"id":1.5,"method":"a"}"#, r#"{"id":null,"method":"a"}"#].map(framed);
        let heads = [
            "Foo: bar\r\n\r\n",
            "Content-Length 12\r\n\r\n",
            "Content-Length: -1\r\n\r\n",
            "Content-Length: 99999999999999\r\n\r\n",
        ];
        for bad in bad.iter().map(String::as_str).chain(heads) {
            let found = all(format!("{bad}{good}").as_bytes());
            assert!(code_of(&found[0]).is_some() && code_of(&found[1]).is_none(), "{bad:?} {found:?}");
            assert_eq!(found.len(), 2);
        }
        let found = all(&[b"Content-Length: 3\r\n\r\n\"\xff\"", good.as_bytes()].concat());
        assert_eq!((code_of(&found[0]), found.len()), (Some(code::PARSE_ERROR), 2));
        // More or less than was said: one message is lost, and not the next.
        let found = all(format!("Content-Length: 4\r\n\r\n{{\"method\":\"lost\"}}{good}{good}").as_bytes());
        assert!(found.last().is_some_and(|last| code_of(last).is_none()), "{found:?}");
        // New lines between messages, and a pipe that ends in the middle of one.
        assert_eq!(all(format!("\r\n{good}\n{good}Content-Length: 9\r\n\r\n{{").as_bytes()).len(), 2);
    }
}
