//! Options that several commands take.

use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The module a command is about.
#[derive(Debug, Args)]
pub struct Module {
    /// The module: a folder or one .imm file [default: .]
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
}

/// Values of params. They hold for this command only.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Params")]
pub struct Params {
    /// Set a param: a String as it is, anything else as an imm literal
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub values: Vec<String>,
    /// Set a param to a file's content, without its last newline; the way for secrets
    #[arg(long = "param-file", value_name = "NAME=PATH")]
    pub files: Vec<String>,
    /// Set params from a JSON object
    #[arg(long = "params", value_name = "FILE.json")]
    pub params_json: Option<PathBuf>,
}

impl Params {
    /// Whether none is given on the command line.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.files.is_empty() && self.params_json.is_none()
    }
}

/// What an environment may say too.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Generations")]
pub struct Tuning {
    /// How many earlier generations stay warm [default: 1]
    #[arg(long, value_name = "N")]
    pub keep: Option<u32>,
    /// How many earlier generations can be made again from the ledger [default: 20]
    #[arg(long, value_name = "N")]
    pub retain: Option<u32>,
    /// How long to watch the new generation after the commit, for example 10m; a gate that fails meanwhile goes back [default: 0s]
    #[arg(long, value_name = "DURATION")]
    pub watch: Option<String>,
    /// The most of all objects that one apply may replace without --above-limit, for example 30%
    #[arg(long, value_name = "SHARE")]
    pub replace_limit: Option<String>,
    /// Settings of the platform, for example 'host { isolation = require }'
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,
    /// Want a typed answer, also with --yes; `--confirm=false` wants none, whatever the environment says
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub confirm: Option<bool>,
}

impl Tuning {
    /// Whether one is given.
    pub fn any(&self) -> bool {
        !self.settings().is_empty()
    }

    /// What is given, by the name that an environment has for it, as imm literals.
    pub fn settings(&self) -> BTreeMap<Arc<str>, String> {
        let numbers = [("keep", self.keep), ("retain", self.retain)];
        let texts = [("watch", &self.watch), ("replace_limit", &self.replace_limit), ("platform", &self.platform)];
        let numbers = numbers.into_iter().filter_map(|(name, n)| Some((Arc::from(name), n?.to_string())));
        let texts = texts.into_iter().filter_map(|(name, text)| Some((Arc::from(name), text.clone()?)));
        let confirm = self.confirm.map(|wanted| (Arc::from("confirm"), wanted.to_string()));
        numbers.chain(texts).chain(confirm).collect()
    }
}

/// What a plan may do that needs a word of its own. Recorded with the reason.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Consents")]
pub struct Consents {
    /// Let a durable get a successor without its data (wants --because)
    #[arg(long, value_name = "ADDR", requires = "because")]
    pub replace: Vec<String>,
    /// Let a durable or pointer keep its object under a new address (wants --because)
    #[arg(long, value_name = "OLD=NEW", requires = "because")]
    pub rename: Vec<String>,
    /// Apply a graph again that was rolled back from (wants --because)
    #[arg(long, requires = "because")]
    pub again: bool,
    /// Run a job whose effect cannot be undone (wants --because)
    #[arg(long, value_name = "ADDR", requires = "because")]
    pub never: Vec<String>,
    /// Destroy the data of a durable that the program no longer declares (wants --because)
    #[arg(long, value_name = "ADDR", requires = "because")]
    pub consent: Vec<String>,
    /// Replace more objects than the environment's replace_limit (wants --because)
    #[arg(long, requires = "because")]
    pub above_limit: bool,
    /// Make new objects for those that are missing or changed
    #[arg(long)]
    pub heal: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
}

impl Consents {
    /// Whether one is given.
    pub fn any(&self) -> bool {
        let named = [&self.replace, &self.rename, &self.never, &self.consent];
        named.iter().any(|list| !list.is_empty()) || self.again || self.above_limit || self.heal
    }
}

/// How the plan's one question is answered.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Running")]
pub struct Answer {
    /// Answer the plan's question with yes
    #[arg(short, long)]
    pub yes: bool,
    /// Events as JSON lines on stdout
    #[arg(long)]
    pub json: bool,
}

/// A command that reports.
#[derive(Debug, Args)]
pub struct Report {
    #[command(flatten)]
    pub module: Module,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

/// The number of a generation.
pub fn generation(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a generation is a number, as `imm history` shows it".to_owned())
}
