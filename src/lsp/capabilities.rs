//! What the server can do, as it tells the client.

use super::shapes::{MODIFIERS, TOKENS};
use super::wire::Encoding;
use serde_json::{Value, json};

/// The answer to `initialize`.
pub fn answer(encoding: Encoding) -> Value {
    json!({
        "serverInfo": { "name": "imm", "version": env!("CARGO_PKG_VERSION") },
        "capabilities": {
            "positionEncoding": encoding.name(),
            "textDocumentSync": { "openClose": true, "change": 2, "save": { "includeText": false } },
            "hoverProvider": true,
            "completionProvider": { "triggerCharacters": [".", "=", "~"], "resolveProvider": false },
            "signatureHelpProvider": { "triggerCharacters": ["(", ","], "retriggerCharacters": [","] },
            "definitionProvider": true,
            "typeDefinitionProvider": true,
            "referencesProvider": true,
            "documentHighlightProvider": true,
            "documentSymbolProvider": true,
            "workspaceSymbolProvider": true,
            "renameProvider": { "prepareProvider": true },
            "codeActionProvider": { "codeActionKinds": ["quickfix", "source.fixAll"] },
            "codeLensProvider": { "resolveProvider": false },
            "documentFormattingProvider": true,
            "foldingRangeProvider": true,
            "selectionRangeProvider": true,
            "inlayHintProvider": true,
            "semanticTokensProvider": {
                "legend": { "tokenTypes": TOKENS, "tokenModifiers": MODIFIERS },
                "full": true,
                "range": true
            },
            "diagnosticProvider": {
                "identifier": "imm",
                "interFileDependencies": true,
                "workspaceDiagnostics": false
            },
            "workspace": { "workspaceFolders": { "supported": true, "changeNotifications": true } }
        }
    })
}
