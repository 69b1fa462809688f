//! What is wrong, as the client is shown it: pushed or asked for, and calm while something is typed.

use super::answers::{Refused, log};
use super::looks::Checked;
use super::report::{self, Shown};
use super::server::Server;
use super::shapes;
use super::transport::Id;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

impl Server<'_> {
    pub fn was_checked(&mut self, checked: Box<Checked>) {
        let root = checked.root.clone();
        let (current, whole, enough) = (self.is_current(&checked), checked.whole, self.is_enough(&checked));
        if let Some(before) = self.checked.insert(root.clone(), checked)
            && let Some(now) = self.checked.get_mut(&root).filter(|now| !now.whole)
        {
            // What was not looked at still reads what it read.
            now.read.extend(before.read);
        }
        if !current {
            // A newer look is on its way.
            return;
        }
        self.show_more(&root);
        if enough {
            self.answer_pulls(&root);
        }
        if whole && self.client.refreshes_lenses {
            self.ask("workspace/codeLens/refresh", &Value::Null);
        }
    }

    /// A look panicked: who waits for it is told.
    pub fn was_broken(&mut self, root: &Path) {
        let (broken, waiting) = std::mem::take(&mut self.pulls).into_iter().partition(|(_, of, _)| of == root);
        self.pulls = waiting;
        let why = format!("checking {} failed inside of imm", root.display());
        log(&self.out, &why);
        let answer = |(id, ..): (Id, PathBuf, PathBuf)| self.answer(&id, Err(Refused::Internal(why.clone())));
        Vec::into_iter(broken).for_each(answer);
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
        self.out.tell("textDocument/publishDiagnostics", &params);
        self.sent.insert(path.to_owned(), (version, values));
    }

    /// Nothing was typed for a while.
    pub fn everything(&mut self) {
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
            self.ask("workspace/diagnostic/refresh", &Value::Null);
        }
    }

    pub fn answer_pulls(&mut self, root: &Path) {
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
            self.answer(&id, answer);
        }
        self.pulls = waiting;
    }

    /// Whether nothing changed since a look.
    pub fn is_current(&self, checked: &Checked) -> bool {
        self.asked.get(&checked.root) == Some(&checked.revision)
    }

    /// Whether who asked for diagnostics can have these: a client that can be told to ask again need not wait for all.
    pub fn is_enough(&self, checked: &Checked) -> bool {
        checked.whole || self.client.refreshes
    }
}
