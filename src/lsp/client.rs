//! What the client told of itself.

use super::wire::{Encoding, path_of};
use serde_json::Value;
use std::path::PathBuf;

/// What the client told of itself.
pub struct Client {
    /// What its columns count.
    pub encoding: Encoding,
    /// The folders that are open in it.
    pub folders: Vec<PathBuf>,
    /// It knows snippets.
    pub snippets: bool,
    /// It can be told to ask for diagnostics again.
    pub refreshes: bool,
    /// It asks for diagnostics itself.
    pub pulls: bool,
    /// It can be told which files to watch.
    pub watches: bool,
    /// Code lenses can be asked for again.
    pub refreshes_lenses: bool,
}

impl Client {
    /// From the params of `initialize`.
    pub fn read(params: &Value) -> Self {
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
            watches: can("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration"),
            refreshes_lenses: can("/capabilities/workspace/codeLens/refreshSupport"),
        }
    }
}
