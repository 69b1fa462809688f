//! `imm lsp` by the protocol: a scripted client drives the real process.

use crate::harness::lsp::{Client, about, at, edited, examples, position, uri};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const HELLO: &str = "param greeting: String = \"Hello\"\nresource app = image {\n  files = { \"/a\" = \"x\" }\n  cmd = [\"/a\"]\n}\nresource web = service {\n  image = app\n  replicas = 2\n  port = 8080\n  env = { GREETING = greeting }\n  health = http { path = \"/\" }\n}\n";

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::Builder::new().prefix("imm").tempdir().unwrap();
    let module = root.path().join("m");
    for (name, text) in files {
        let path = module.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    (root, module)
}

fn codes(diagnostics: &[Value]) -> Vec<&str> {
    diagnostics.iter().map(|d| d["code"].as_str().unwrap()).collect()
}

#[test]
fn an_open_text_is_checked_and_wins_over_the_disk() {
    let (_root, module) = folder(&[("main.imm", HELLO), ("a.imm", "output late: Int = 1\n")]);
    let mut client = Client::start(&module);
    assert_eq!(client.about["capabilities"]["positionEncoding"], "utf-16");
    let path = module.join("main.imm");
    client.open(&path, &HELLO.replace("image = app", "image = ap"));
    let found = client.diagnostics(&path);
    assert_eq!(codes(&found), ["unknown-name"]);
    assert_eq!(found[0]["range"]["start"], at(6, 10));
    client.change(&path, None, HELLO);
    assert_eq!(client.diagnostics(&path), Vec::<Value>::new());
    // Of the same name in another file of the folder.
    client.change(&path, None, &format!("{HELLO}output late: Int = 2\n"));
    assert_eq!(codes(&client.diagnostics(&path)), ["duplicate-name"]);
    assert_eq!(client.stop(), 0);
}

#[test]
fn hover_definition_and_completion() {
    let (_root, module) = folder(&[("main.imm", HELLO)]);
    let mut client = Client::start_with(
        &module,
        json!({ "textDocument": { "completion": { "completionItem": { "snippetSupport": true } } } }),
    );
    let path = module.join("main.imm");
    client.open(&path, HELLO);
    let hover = client.request("textDocument/hover", about(&path, at(6, 11)));
    assert!(hover["contents"]["value"].as_str().unwrap().contains("resource app = image"), "{hover}");
    let place = client.request("textDocument/definition", about(&path, at(6, 11)));
    assert_eq!((&place["uri"], &place["range"]["start"]), (&json!(uri(&path)), &at(1, 9)));
    // A new line in the block of `web`.
    client.change(&path, Some(json!({ "start": at(7, 0), "end": at(7, 0) })), "  lim\n");
    let all = client.request("textDocument/completion", about(&path, at(7, 5)));
    let first = &all["items"][0];
    assert_eq!((first["label"].as_str(), first["textEdit"]["newText"].as_str()), (Some("limits"), Some("limits = $0")));
    assert_eq!(first["textEdit"]["range"], json!({ "start": at(7, 2), "end": at(7, 5) }));
}

#[test]
fn positions_are_right_beyond_ascii() {
    let text = "let e = \"𝄞\" + wrong\n";
    for (offered, column) in [(json!(["utf-16"]), 15), (json!(["utf-8", "utf-16"]), 17), (json!([]), 15)] {
        let (_root, module) = folder(&[("main.imm", "")]);
        let mut client = Client::start_with(&module, json!({ "general": { "positionEncodings": offered } }));
        let path = module.join("main.imm");
        client.open(&path, text);
        let found = client.diagnostics(&path);
        assert_eq!(found[0]["range"]["start"], at(0, column), "{offered} {found:?}");
    }
}

#[test]
fn renames_go_over_files_and_modules() {
    let main = "import \"./lib\"\nlet a = lib.size + 1\noutput b = a\n";
    let (_root, module) =
        folder(&[("main.imm", main), ("lib/main.imm", "pub let size = 1\n"), ("other.imm", "output c = a\n")]);
    let mut client = Client::start(&module);
    let path = module.join("main.imm");
    client.open(&path, main);
    let mut params = about(&path, at(1, 4));
    params["newName"] = json!("count");
    let changes = client.request("textDocument/rename", params)["changes"].clone();
    assert_eq!(
        edited(main, changes[uri(&path)].as_array().unwrap()),
        main.replace("let a", "let count").replace("b = a", "b = count")
    );
    assert_eq!(
        edited("output c = a\n", changes[uri(&module.join("other.imm"))].as_array().unwrap()),
        "output c = count\n"
    );
    // From the library's side, with the module that imports it in the workspace.
    let lib = module.join("lib/main.imm");
    client.open(&lib, "pub let size = 1\n");
    let mut params = about(&lib, at(0, 9));
    params["newName"] = json!("most");
    let changes = client.request("textDocument/rename", params)["changes"].clone();
    assert_eq!(edited(main, changes[uri(&path)].as_array().unwrap()), main.replace("lib.size", "lib.most"));
    // A name that is taken is refused, in words.
    let mut params = about(&path, at(1, 4));
    params["newName"] = json!("b c");
    let id = client.send("textDocument/rename", params);
    let refused = client.answer(id);
    assert!(refused["error"]["message"].as_str().unwrap().contains("not a name"), "{refused}");
}

#[test]
fn an_action_makes_its_diagnostic_go_away() {
    let broken = [
        HELLO.replace("image = app", "image = ap"),
        HELLO.replace("  replicas = 2\n", "  replica = 2\n"),
        HELLO.replace("resource app", "durable app"),
        HELLO.replace("  image = app\n", ""),
        "durable v = volume {}\n".to_owned(),
    ];
    let (_root, module) = folder(&[("main.imm", "")]);
    let mut client = Client::start(&module);
    let path = module.join("main.imm");
    client.open(&path, "");
    for text in broken {
        client.change(&path, None, &text);
        let found = client.diagnostics(&path);
        assert!(!found.is_empty(), "{text}");
        let params = json!({
            "textDocument": { "uri": uri(&path) },
            "range": found[0]["range"],
            "context": { "diagnostics": [found[0]] },
        });
        let actions = client.request("textDocument/codeAction", params);
        let action = &actions[0];
        assert_eq!(action["diagnostics"][0]["code"], found[0]["code"], "{actions}");
        let fixed = edited(&text, action["edit"]["changes"][uri(&path)].as_array().unwrap());
        client.change(&path, None, &fixed);
        let after = client.diagnostics(&path);
        assert!(!after.iter().any(|d| d["message"] == found[0]["message"]), "{fixed}: {after:?}");
    }
}

/// Lines and messages of what is wrong, without columns.
fn wrong(diagnostics: &[Value], except: usize) -> BTreeSet<(u64, String)> {
    let all = diagnostics.iter().map(|d| (d["range"]["start"]["line"].as_u64().unwrap(), d["message"].to_string()));
    all.filter(|(line, _)| *line != u64::try_from(except).unwrap()).collect()
}

/// Types a line into a text; nothing may flicker on other lines.
fn type_line(client: &mut Client, path: &Path, line: usize, text: &str) {
    let before = client.diagnostics(path);
    let mut during = Vec::new();
    let mut column = 0;
    for c in text.chars() {
        let here = at(line, column);
        client.change(path, Some(json!({ "start": here, "end": here })), &c.to_string());
        column += c.len_utf16();
        during.push(client.diagnostics(path));
    }
    let after = wrong(during.last().unwrap_or(&before), line);
    let before = wrong(&before, line);
    for (typed, shown) in during.iter().enumerate() {
        for problem in wrong(shown, line) {
            assert!(
                before.contains(&problem) || after.contains(&problem),
                "after {typed} letters of {text:?}: {problem:?}"
            );
        }
    }
}

#[test]
fn typing_a_whole_example_does_not_flicker() {
    let (example, _) = examples().into_iter().find(|(folder, _)| folder.ends_with("hello")).unwrap();
    type_example(&example, Path::new("main.imm"));
}

#[test]
#[ignore = "long: tests/soak runs it"]
fn typing_every_example_does_not_flicker() {
    for (example, files) in examples() {
        files.iter().for_each(|file| type_example(&example, file.strip_prefix(&example).unwrap()));
    }
}

/// Types one file of an example from nothing; its other files are there.
fn type_example(example: &Path, file: &Path) {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().flatten() {
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            if from.is_dir() { copy(&from, &to) } else { _ = std::fs::copy(from, to).unwrap() }
        }
    }
    let root = tempfile::Builder::new().prefix("imm").tempdir().unwrap();
    let module = root.path().join("m");
    copy(example, &module);
    let path = module.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut client = Client::start(&module);
    client.open(&path, "");
    for (number, line) in text.lines().enumerate() {
        type_line(&mut client, &path, number, line);
        let here = at(number, line.encode_utf16().count());
        client.change(&path, Some(json!({ "start": here, "end": here })), "\n");
        client.diagnostics(&path);
    }
    let last = client.diagnostics_until(&path, <[Value]>::is_empty);
    assert_eq!(last, Vec::<Value>::new());
}

#[test]
fn typing_a_line_of_a_finished_program_does_not_flicker() {
    let (_root, module) = folder(&[("main.imm", HELLO)]);
    let mut client = Client::start(&module);
    let path = module.join("main.imm");
    client.open(&path, HELLO);
    client.diagnostics(&path);
    for (number, line) in HELLO.lines().enumerate() {
        let end = line.encode_utf16().count();
        client.change(&path, Some(json!({ "start": at(number, 0), "end": at(number, end) })), "");
        client.diagnostics(&path);
        type_line(&mut client, &path, number, line);
        assert_eq!(client.diagnostics_until(&path, <[Value]>::is_empty), Vec::<Value>::new());
    }
    // What stays wrong is shown when nothing is typed.
    client.change(&path, Some(json!({ "start": at(1, 9), "end": at(1, 12) })), "bpp");
    let found = client.diagnostics_until(&path, |all| !all.is_empty());
    assert_eq!(codes(&found), ["unknown-name"]);
}

#[test]
fn diagnostics_can_be_asked_for() {
    let (_root, module) = folder(&[("main.imm", "")]);
    let capabilities = json!({ "textDocument": { "diagnostic": {} } });
    let mut client = Client::start_with(&module, capabilities);
    let path = module.join("main.imm");
    client.open(&path, "let a = b\n");
    let asked = client.request("textDocument/diagnostic", json!({ "textDocument": { "uri": uri(&path) } }));
    assert_eq!((asked["kind"].as_str(), asked["items"][0]["code"].as_str()), (Some("full"), Some("unknown-name")));
    client.change(&path, None, "output a = 1\n");
    let asked = client.request("textDocument/diagnostic", json!({ "textDocument": { "uri": uri(&path) } }));
    assert_eq!(asked["items"], json!([]));
    assert!(client.published.is_empty());
    // One that is taken back at once is answered once.
    client.change(&path, None, "output a = 2\n");
    let id = client.send("textDocument/diagnostic", json!({ "textDocument": { "uri": uri(&path) } }));
    client.notify("$/cancelRequest", json!({ "id": id }));
    let answer = client.answer(id);
    assert!(answer["result"]["items"] == json!([]) || answer["error"]["code"] == -32800, "{answer}");
}

#[test]
fn a_large_module_is_looked_at_in_parts_and_then_as_a_whole() {
    let text = crate::lsp_latency::module(400).replace("port = 8080", "port = port").replacen(
        "resource",
        "let port = 8080\nresource",
        1,
    );
    let (_root, module) = folder(&[("main.imm", &text)]);
    let mut client = Client::start(&module);
    let path = module.join("main.imm");
    client.open(&path, &text);
    assert_eq!(client.diagnostics(&path), Vec::<Value>::new());
    // A mistake in one of many is seen, moves with what is typed before it, and goes.
    let line = text[..text.find("resource web_200 ").unwrap()].matches('\n').count() + 1;
    let word = |from: usize, to: usize| Some(json!({ "start": at(line, from), "end": at(line, to) }));
    client.change(&path, word(10, 13), "apq");
    assert_eq!(codes(&client.diagnostics(&path)), ["unknown-name"]);
    client.change(&path, Some(json!({ "start": at(0, 0), "end": at(0, 0) })), "// first\n");
    let found = client.diagnostics(&path);
    assert_eq!(found[0]["range"]["start"], at(line + 1, 10), "{found:?}");
    client.change(&path, Some(json!({ "start": at(0, 0), "end": at(1, 0) })), "");
    client.change(&path, word(10, 13), "app");
    assert_eq!(client.diagnostics(&path), Vec::<Value>::new());
    // What all need is changed: where it is wrong now is told in the end.
    client.change(&path, Some(json!({ "start": at(0, 11), "end": at(0, 15) })), "\"x\"");
    let found = client.diagnostics_until(&path, |all| all.len() == imm_syntax::MAX_ERRORS);
    assert!(codes(&found).iter().all(|code| *code == "type-mismatch"), "{found:?}");
    client.change(&path, Some(json!({ "start": at(0, 11), "end": at(0, 14) })), "8080");
    client.diagnostics_until(&path, <[Value]>::is_empty);
    // One that is taken back is answered at once: before the one that is worked on.
    let document = json!({ "textDocument": { "uri": uri(&path) } });
    let long = client.send("textDocument/semanticTokens/full", document.clone());
    let unwanted = client.send("textDocument/semanticTokens/full", document);
    client.notify("$/cancelRequest", json!({ "id": unwanted }));
    let (first, answer) = client.first_answer(&[long, unwanted]);
    assert_eq!((first, &answer["error"]["code"]), (unwanted, &json!(-32800)));
    assert!(client.answer(long)["result"].is_object());
    // A request over all of it is answered, or ended by what is typed meanwhile.
    let id = client.send("textDocument/references", about(&path, at(0, 5)));
    client.change(&path, None, &text);
    let answer = client.answer(id);
    assert!(answer["result"].is_array() || answer["error"]["code"] == -32801, "{answer}");
    assert_eq!(client.stop(), 0);
}

/// Sends every request about one place of a text; answers their numbers.
fn every_request(client: &mut Client, path: &Path, place: &Value) -> Vec<i64> {
    let methods =
        ["hover", "completion", "signatureHelp", "definition", "typeDefinition", "references", "documentHighlight"];
    let ask = |method: &&str| client.send(&format!("textDocument/{method}"), about(path, place.clone()));
    let mut sent: Vec<i64> = methods.iter().map(ask).collect();
    let mut params = about(path, Value::Null);
    params["positions"] = json!([place]);
    sent.push(client.send("textDocument/selectionRange", params));
    let mut params = about(path, Value::Null);
    params["range"] = json!({ "start": place, "end": place });
    params["context"] = json!({ "diagnostics": [] });
    for method in ["codeAction", "inlayHint", "semanticTokens/range"] {
        sent.push(client.send(&format!("textDocument/{method}"), params.clone()));
    }
    sent.push(client.send("textDocument/prepareRename", about(path, place.clone())));
    sent
}

/// None of the answers is an error; that a place has no name is one that people read.
fn all_answered(client: &mut Client, sent: Vec<i64>) {
    for id in sent {
        let answer = client.answer(id);
        assert!(answer["error"]["code"].as_i64().is_none_or(|code| code == -32803), "{answer}");
    }
}

fn whole_file(client: &mut Client, path: &Path) {
    let document = json!({ "textDocument": { "uri": uri(path) } });
    for method in ["documentSymbol", "foldingRange", "semanticTokens/full", "codeLens"] {
        client.request(&format!("textDocument/{method}"), document.clone());
    }
    client.request("textDocument/formatting", json!({ "textDocument": { "uri": uri(path) }, "options": {} }));
}

#[test]
fn every_request_at_every_word_of_every_example() {
    for (folder, files) in examples() {
        let mut client = Client::start(&folder);
        for path in files {
            let text = std::fs::read_to_string(&path).unwrap();
            client.open(&path, &text);
            whole_file(&mut client, &path);
            let lexed = imm_syntax::lex(imm_ir::FileId(0), &text);
            for token in lexed.tokens.iter().filter(|t| t.end > t.start) {
                let sent = every_request(&mut client, &path, &position(&text, token.start as usize));
                all_answered(&mut client, sent);
            }
        }
        assert_eq!(client.stop(), 0);
    }
}

#[test]
#[ignore = "long: tests/soak runs it"]
fn every_request_at_every_offset_of_every_example() {
    for (folder, files) in examples() {
        let mut client = Client::start(&folder);
        for path in files {
            let text = std::fs::read_to_string(&path).unwrap();
            client.open(&path, &text);
            for (offset, _) in text.char_indices() {
                let sent = every_request(&mut client, &path, &position(&text, offset));
                all_answered(&mut client, sent);
                // And in a text that ends there.
                client.change(&path, None, &text[..offset]);
                let sent = every_request(&mut client, &path, &position(&text, offset));
                all_answered(&mut client, sent);
                client.change(&path, None, &text);
            }
        }
        assert_eq!(client.stop(), 0);
    }
}

#[test]
fn lenses_tell_the_plan() {
    let program = "durable data = volume { size = 1GiB }\n";
    let (_root, module) = folder(&[("main.imm", program)]);
    let mut client = Client::start(&module);
    let path = module.join("main.imm");
    client.open(&path, program);
    let lenses = client.request("textDocument/codeLens", json!({ "textDocument": { "uri": uri(&path) } }));
    let title = lenses[0]["command"]["title"].as_str().unwrap();
    assert!(title.starts_with("create") && title.ends_with("nothing was applied yet"), "{title}");
    assert!(!module.join(".imm").exists(), "looking makes no ledger");
}

#[test]
fn what_is_taken_back_is_not_answered_and_nonsense_does_no_harm() {
    let (_root, module) = folder(&[("main.imm", HELLO)]);
    let mut client = Client::start(&module);
    let path = module.join("main.imm");
    client.open(&path, HELLO);
    let ids: Vec<i64> = (0..50).map(|_| client.send("workspace/symbol", json!({ "query": "" }))).collect();
    for id in &ids {
        client.notify("$/cancelRequest", json!({ "id": id }));
    }
    // Each is answered once: with what it asked for, when that came first, or with "cancelled".
    for id in ids {
        let answer = client.answer(id);
        assert!(answer["result"].is_array() || answer["error"]["code"] == -32800, "{answer}");
    }
    // Places that are not there, texts that are not open, requests that nobody knows.
    client.request("textDocument/hover", about(&path, at(9999, 9999)));
    client.request("textDocument/hover", about(Path::new("/nowhere/x.imm"), at(0, 0)));
    client.request("textDocument/hover", json!({ "textDocument": { "uri": "untitled:1" }, "position": at(0, 0) }));
    let id = client.send("textDocument/nonsense", about(&path, at(0, 0)));
    assert_eq!(client.answer(id)["error"]["code"], -32601);
    client.notify("textDocument/didChange", json!({ "textDocument": {} }));
    client.request("textDocument/hover", about(&path, at(0, 7)));
    assert_eq!(client.stop(), 0);
}

#[test]
fn what_is_no_message_is_told_and_ends_nothing() {
    let (_root, module) = folder(&[("main.imm", HELLO)]);
    let mut client = Client::start(&module);
    let path = module.join("main.imm");
    client.open(&path, HELLO);
    let framed = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len());
    for (bytes, code) in [
        (framed("{abc}"), -32700),
        (framed("[]"), -32600),
        (framed("{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"shutdown\"}"), -32600),
        ("Content-Length: 99999999999999\r\n\r\n".to_owned(), -32700),
        ("no head\r\n\r\n".to_owned(), -32700),
    ] {
        client.raw(bytes.as_bytes());
        assert_eq!(client.error_of_nobody()["code"], code, "{bytes}");
        let hover = client.request("textDocument/hover", about(&path, at(6, 11)));
        assert!(hover.is_object(), "after {bytes}");
    }
    assert_eq!(client.stop(), 0);
}

#[test]
fn files_that_change_on_the_disk_are_looked_at_wherever_they_are_read() {
    let page =
        "resource page = file { content = template(\"page.txt\", { a = \"x\" }) }\noutput size: Int = lib.size\n";
    let program = format!("import \"../lib\"\n{page}");
    let (root, first) =
        folder(&[("main.imm", &program), ("page.txt", "{{ a }}\n"), ("../lib/lib.imm", "pub let size = 1\n")]);
    let (_other, second) = folder(&[("main.imm", "output a: Int = b\n")]);
    let mut client = Client::start(&first);
    for module in [&first, &second] {
        let path = module.join("main.imm");
        client.open(&path, &std::fs::read_to_string(&path).unwrap());
    }
    // Both programs are looked at, although one changed while the other was.
    assert_eq!(client.diagnostics(&first.join("main.imm")), Vec::<Value>::new());
    assert_eq!(codes(&client.diagnostics(&second.join("main.imm"))), ["unknown-name"]);
    let write = |client: &mut Client, path: &Path, text: &str| {
        std::fs::write(path, text).unwrap();
        let change = json!({ "uri": uri(path), "type": 2 });
        client.notify("workspace/didChangeWatchedFiles", json!({ "changes": [change] }));
    };
    write(&mut client, &second.join("more.imm"), "let b = 1\n");
    client.diagnostics_again(&second.join("main.imm"), <[Value]>::is_empty);
    write(&mut client, &root.path().join("lib/lib.imm"), "pub let other = 1\n");
    let found = client.diagnostics_again(&first.join("main.imm"), |all| !all.is_empty());
    assert_eq!(codes(&found), ["unknown-name"], "{found:?}");
    write(&mut client, &root.path().join("lib/lib.imm"), "pub let size = 1\n");
    client.diagnostics_again(&first.join("main.imm"), <[Value]>::is_empty);
    write(&mut client, &first.join("page.txt"), "{{ b }}\n");
    let found = client.diagnostics_again(&first.join("page.txt"), |all| !all.is_empty());
    assert_eq!(codes(&found), ["template-variable"], "{found:?}");
    assert_eq!(client.stop(), 0);
}

#[test]
fn an_idle_server_rests() {
    let (_root, module) = folder(&[("main.imm", HELLO)]);
    let mut client = Client::start(&module);
    let path = module.join("main.imm");
    client.open(&path, HELLO);
    client.diagnostics(&path);
    client.request("textDocument/hover", about(&path, at(0, 7)));
    let ticks = |client: &Client| -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", client.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let switches = |client: &Client| -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", client.pid())).unwrap().flatten();
        let count = |status: String| -> u64 {
            let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
            lines.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
        };
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok()).map(count).sum()
    };
    // Another server's whole life is the time that passes; the first is for this one to come to rest.
    let mut others = (0..2).map(|_| {
        let (_root, other) = folder(&[("main.imm", HELLO)]);
        let mut busy = Client::start(&other);
        busy.open(&other.join("main.imm"), HELLO);
        busy.diagnostics(&other.join("main.imm"));
        assert_eq!(busy.stop(), 0);
        (ticks(&client), switches(&client))
    });
    let before = others.next().unwrap();
    let after = others.next().unwrap();
    assert_eq!(after, before, "nothing woke it up");
}
