//! A module to a graph, with the command line's params; diagnostics are shown here.

use crate::cli::{Params, Tuning};
use crate::failure::{Exit, Failure};
use crate::platform;
use crate::project::{Project, plain};
use crate::ui::{self, Style};
use crate::world::DiskWorld;
use imm_compiler::{Given, GivenValue, Options};
use imm_ir::{Diagnostic, Graph, ParamFrom, Sources, Value};
use imm_runtime::ledger::Ledger;
use imm_runtime::plan::saved::Attached;
use imm_runtime::report;
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// A program that can be planned.
pub struct Compiled {
    /// What must run.
    pub graph: Arc<Graph>,
    /// What is recorded beside it.
    pub attached: Attached,
    /// Programs of this machine that went into it.
    pub machine: Vec<String>,
    /// What it was compiled with; secrets that were typed, too.
    given: Options,
}

/// Compiles a module. Diagnostics are shown; with an error among them the command ends.
pub fn compile(
    project: &Project,
    params: &Params,
    tuning: &Tuning,
    style: Style,
    json: bool,
) -> Result<Compiled, Failure> {
    let mut options = Options { settings: tuning.settings(), ..options(project, params)? };
    let (world, path) = (world()?, project.path.to_string_lossy());
    let mut tried = imm_compiler::compile(&world, &path, &options);
    if let Err(failed) = &tried
        && !failed.wanted_secrets.is_empty()
        && !json
        && asked()
    {
        for name in &failed.wanted_secrets {
            options.params.insert(Arc::clone(name), secret(name)?);
        }
        tried = imm_compiler::compile(&world, &path, &options);
    }
    let compiled = match tried {
        Ok(compiled) => compiled,
        Err(failed) => {
            show(&failed.diagnostics, &failed.sources, json, style);
            return Err(Failure::said(Exit::Failed));
        }
    };
    show(&compiled.warnings, &compiled.sources, json, style);
    let graph = compiled.graph;
    bases_are_there(&graph)?;
    let shown = |p: &imm_compiler::ResolvedParam| (p.name.to_string(), report::value(&p.value).to_string());
    let (commit, commit_at_ms) = commit(&project.path).unzip();
    let attached = Attached {
        sources: compiled.files.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect(),
        params: compiled.params.iter().map(shown).collect(),
        commit,
        commit_at_ms,
        because: None,
    };
    let machine = compiled.machine_inputs.iter().map(|m| m.path.to_string()).collect();
    Ok(Compiled { graph: Arc::new(graph), attached, machine, given: options })
}

/// Whether somebody is there who can be asked.
fn asked() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a secret param; what is typed is not shown.
fn secret(name: &Arc<str>) -> Result<Given, Failure> {
    let typed = rpassword::prompt_password(format!("param {name} (secret, not shown): "));
    let typed = typed.map_err(|e| {
        Failure::new(format!("param {name} was not given: {}", plain(&e))).help(format!(
            "give it with --param-file {name}=PATH, or in the variable IMM_PARAM_{}",
            name.to_uppercase()
        ))
    })?;
    Ok(Given { value: GivenValue::File(typed), from: ParamFrom::CommandLine })
}

impl Compiled {
    /// The same module with other values of some params; all others are those it had, and nobody is asked again. Nothing is
    /// shown. `None`: there is no such program.
    pub fn again(&self, project: &Project, instead: Vec<(String, serde_json::Value)>) -> Option<Graph> {
        let mut options = self.given.clone();
        for (name, value) in instead {
            let given = Given { value: GivenValue::Json(value), from: ParamFrom::Given };
            options.params.insert(Arc::from(name), given);
        }
        let compiled = imm_compiler::compile(&world().ok()?, &project.path.to_string_lossy(), &options).ok()?;
        Some(compiled.graph)
    }
}

/// The params that the newest generation was evaluated with; secrets are not among them.
pub fn recorded_params(ledger: &Ledger) -> Vec<(String, serde_json::Value)> {
    let state = ledger.state();
    let apply = state.generation().and_then(|g| state.applies.iter().find(|a| a.id == g.apply));
    let kept: Option<Vec<(String, String)>> = apply.and_then(|a| a.started.params).and_then(|p| ledger.load(&p).ok());
    let read = |(name, text): (String, String)| Some((name, serde_json::from_str(&text).ok()?));
    kept.unwrap_or_default().into_iter().filter_map(read).filter(|(_, v)| *v != "[secret]").collect()
}

/// A program may be checked and tested before the images exist that it stands on; it cannot be planned.
fn bases_are_there(graph: &Graph) -> Result<(), Failure> {
    for node in graph.nodes.values() {
        let Some(input) = node.inputs.get("from") else { continue };
        let Some(Value::Variant(form, payload)) = input.term.known() else { continue };
        let Some(path) = payload.get("path").and_then(Value::as_text) else { continue };
        if !payload.contains_key("image") {
            let help = match &**form {
                "layout" => "build it first: a folder with an OCI layout, as `skopeo copy … oci:PATH` writes it",
                _archive => "build it first: what `docker save -o PATH` or `skopeo copy … oci-archive:PATH` writes",
            };
            return Err(Failure::new(format!("{}: there is no image at `{path}`", input.loc)).help(help));
        }
    }
    Ok(())
}

/// What the compiler is given from outside.
pub fn options(project: &Project, params: &Params) -> Result<Options, Failure> {
    let environment = project.environment.clone();
    Ok(Options { params: given(params)?, environment, ..Options::default() })
}

/// The commit of the working tree, if it is one, and when it was made.
fn commit(path: &Path) -> Option<(String, i64)> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    let output =
        Command::new("git").arg("-C").arg(folder).args(["show", "-s", "--format=%H %ct", "HEAD"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (hash, seconds) = text.trim().split_once(' ')?;
    output.status.success().then_some((hash.to_owned(), seconds.parse::<i64>().ok()?.checked_mul(1000)?))
}

/// The world of the disk, with digests of machine files kept in the home between runs.
pub fn world() -> Result<DiskWorld, Failure> {
    Ok(DiskWorld::new(platform::home()?.root().join("identities")))
}

/// Shows diagnostics, as text on stderr or as JSON lines there.
pub fn show(diagnostics: &[Diagnostic], sources: &Sources, json: bool, style: Style) {
    if json {
        ui::err_as_it_is(&ui::diagnostics::json_lines(diagnostics, sources));
    } else {
        ui::err_as_it_is(&ui::diagnostics::render(diagnostics, sources, style.color));
    }
}

/// The values that the command line, the environment and files give, strongest last.
pub fn given(params: &Params) -> Result<BTreeMap<Arc<str>, Given>, Failure> {
    let mut given = BTreeMap::new();
    if let Some(path) = &params.params_json {
        let text =
            std::fs::read_to_string(path).map_err(|e| Failure::new(format!("{}: {}", path.display(), plain(&e))))?;
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).map_err(|e| {
            Failure::new(format!("{}: {e}", path.display())).help("a params file is one JSON object: {\"name\": value}")
        })?;
        for (name, value) in object {
            given.insert(Arc::from(name), Given { value: GivenValue::Json(value), from: ParamFrom::ParamsFile });
        }
    }
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().and_then(|n| n.strip_prefix("IMM_PARAM_")) else { continue };
        let value = value.into_string().map_err(|_| Failure::new(format!("IMM_PARAM_{name} is not UTF-8")))?;
        let name = Arc::from(name.to_ascii_lowercase());
        given.insert(name, Given { value: GivenValue::Text(value), from: ParamFrom::Variable });
    }
    for text in &params.files {
        let (name, path) = pair(text, "--param-file", "PATH")?;
        let value = std::fs::read_to_string(path)
            .map_err(|e| Failure::new(format!("--param-file {name}: {path}: {}", plain(&e))))?;
        let value = value.strip_suffix('\n').map_or_else(|| value.clone(), str::to_owned);
        given.insert(Arc::from(name), Given { value: GivenValue::File(value), from: ParamFrom::CommandLine });
    }
    for text in &params.values {
        let (name, value) = pair(text, "--param", "VALUE")?;
        given
            .insert(Arc::from(name), Given { value: GivenValue::Text(value.to_owned()), from: ParamFrom::CommandLine });
    }
    Ok(given)
}

fn pair<'a>(text: &'a str, option: &str, what: &str) -> Result<(&'a str, &'a str), Failure> {
    text.split_once('=').ok_or_else(|| {
        Failure::new(format!("{option} {text} has no value")).help(format!("write {option} {text}={what}"))
    })
}
