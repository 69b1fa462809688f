//! What a session remembers: which program, at which moment, with which params, and what was declared in it.

use super::interrupt::Interrupts;
use super::past::PastWorld;
use crate::cli::{Global, Params, Repl};
use crate::compile;
use crate::failure::Failure;
use crate::project::Project;
use crate::ui::Style;
use imm_compiler::stop::{Ended, unless};
use imm_compiler::world::World;
use imm_compiler::{Given, GivenValue, Options};
use imm_ir::ParamFrom;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

/// A session.
pub struct Session {
    /// Whose commands are run.
    pub project: Project,
    /// Where the module is, as the user said it.
    pub state: Option<std::path::PathBuf>,
    /// What the command line gives.
    pub params: Params,
    /// What `:set` set, by name, as it was written.
    pub set: BTreeMap<String, String>,
    /// Items that were typed, by the name they declare; the last one of a name counts.
    pub items: Vec<(Vec<Arc<str>>, String)>,
    /// The generation that is looked at; `None`: the program as it is.
    pub past: Option<(u64, PastWorld)>,
    /// How things look.
    pub style: Style,
    /// What ends a line.
    pub interrupts: Interrupts,
}

impl Session {
    /// A session on a program as it is.
    pub fn new(global: &Global, project: Project, args: &Repl, style: Style) -> Self {
        let params = Params {
            values: args.params.values.clone(),
            files: args.params.files.clone(),
            params_json: args.params.params_json.clone(),
        };
        Self {
            project,
            state: global.state.clone(),
            params,
            set: BTreeMap::new(),
            items: Vec::new(),
            past: None,
            style,
            interrupts: Interrupts::default(),
        }
    }

    /// What stands before a line.
    pub fn prompt(&self) -> String {
        let environment =
            if self.project.environment == "local" { String::new() } else { format!("({})", self.project.environment) };
        let past = self.past.as_ref().map_or_else(String::new, |(generation, _)| format!("@{generation}"));
        format!("{}{environment}{past}> ", self.project.name)
    }

    /// The items of the session as one text.
    pub fn text(&self) -> String {
        self.items.iter().map(|(_, text)| format!("{text}\n")).collect()
    }

    /// Remembers an item; earlier ones that declare a name again are forgotten.
    pub fn remember(&mut self, names: Vec<Arc<str>>, text: &str) {
        self.items = self.without(&names);
        self.items.push((names, text.to_owned()));
    }

    /// The items but for those that declare one of these names.
    pub fn without(&self, names: &[Arc<str>]) -> Vec<(Vec<Arc<str>>, String)> {
        self.items.iter().filter(|(own, _)| !own.iter().any(|name| names.contains(name))).cloned().collect()
    }

    /// What the compiler is given: of the moment that is looked at, with what `:set` set.
    pub fn options(&self) -> Result<Options, Failure> {
        let mut options = match &self.past {
            Some((_, past)) => {
                let environment = self.project.environment.clone();
                Options { params: past.params(), environment, ..Options::default() }
            }
            None => compile::options(&self.project, &self.params)?,
        };
        for (name, text) in &self.set {
            let given = Given { value: GivenValue::Text(text.clone()), from: ParamFrom::Given };
            options.params.insert(Arc::from(name.as_str()), given);
        }
        Ok(options)
    }

    /// The program's files, and the path of the program among them. Ctrl-C ends what is done with them.
    pub fn with_world<T>(&self, use_it: impl FnOnce(&dyn World, &str) -> T) -> Result<T, Failure> {
        let used = match &self.past {
            Some((_, past)) => unless(self.interrupts.stop(), || use_it(past, past.path())),
            None => {
                let world = compile::world()?;
                unless(self.interrupts.stop(), || use_it(&world, &self.project.path.to_string_lossy()))
            }
        };
        used.map_err(|ended| match ended {
            Ended::Stopped => Failure::new("stopped"),
            Ended::Panicked(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// A command of the command line as this session would give it.
    pub fn arguments(&self, words: &[&str], with_params: bool) -> Vec<OsString> {
        let mut all: Vec<OsString> = vec!["imm".into()];
        all.extend(words.iter().map(OsString::from));
        all.extend(["-C".into(), self.project.path.clone().into_os_string()]);
        all.extend(["--env".into(), self.project.environment.clone().into()]);
        if let Some(state) = &self.state {
            all.extend(["--state".into(), state.clone().into_os_string()]);
        }
        let color = if self.style.color { "always" } else { "never" };
        all.extend(["--color".into(), color.into()]);
        if with_params {
            let pair = |option: &str, value: &str| [OsString::from(option), OsString::from(value)];
            all.extend(self.params.values.iter().flat_map(|value| pair("--param", value)));
            all.extend(self.params.files.iter().flat_map(|value| pair("--param-file", value)));
            all.extend(
                self.params.params_json.iter().flat_map(|path| [OsString::from("--params"), path.clone().into()]),
            );
            all.extend(self.set.iter().flat_map(|(name, value)| pair("--param", &format!("{name}={value}"))));
        }
        all
    }
}
