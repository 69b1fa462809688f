//! Words with a colon. Those that look at plans, records and documentation are the command line's own commands.

use super::assist;
use super::lines::{self, Next};
use super::past::PastWorld;
use super::session::Session;
use crate::cli::{Cli, Command, Consents, Tuning};
use crate::failure::{Exit, Failure};
use crate::planning::{Planning, Wanted};
use crate::project::{Project, plain};
use crate::ui;
use clap::Parser;
use imm_ir::Addr;
use std::io::IsTerminal;
use std::path::Path;
use std::process::Stdio;

/// A command, how it is used, and what it does.
pub const COMMANDS: [(&str, &str, &str); 22] = [
    ("load", "PATH", "take another module"),
    ("reload", "", "read the module again and forget what was declared here"),
    ("type", "EXPR", "the type of an expression, without its value"),
    ("kind", "NAME", "the inputs and outputs of a kind"),
    ("plan", "[ADDR]", "what an apply would do, with what `:set` set; ADDR: only at or below it"),
    ("graph", "[--dot]", "what is declared and what needs what"),
    ("why", "ADDR", "why the plan does what it does there"),
    ("diff", "G1 [G2]", "what differs between two generations; G2: the newest"),
    ("set", "[NAME = VALUE]", "give a param another value for this session; without one: show them"),
    ("unset", "NAME", "take back what `:set` set"),
    ("env", "NAME", "look at another environment"),
    ("at", "GENERATION | now", "evaluate with the sources and params of a generation"),
    ("generations", "", "every apply that was recorded"),
    ("outputs", "", "the program's outputs"),
    ("status", "", "what runs"),
    ("doc", "NAME", "documentation of a kind, a type's methods, a std module"),
    ("explain", "CODE", "what a diagnostic means"),
    ("simulate", "", "rehearse an apply on the simulator"),
    ("test", "", "run the program's tests on the simulator"),
    ("save", "FILE", "write what was declared here to a new file"),
    ("help", "", "this list"),
    ("quit", "", "end; Ctrl-D does too"),
];

/// Runs a command.
///
/// # Errors
/// What is wrong with it.
pub fn run(session: &mut Session, command: &str) -> Result<Next, Failure> {
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    let words: Vec<&str> = rest.split_whitespace().collect();
    match name {
        "quit" | "q" | "exit" => return Ok(Next::End),
        "help" | "h" | "?" => help(),
        "load" => load(session, rest)?,
        "reload" => {
            session.items.clear();
            ui::out("read again; what was declared here is forgotten\n");
        }
        "type" => {
            let found = lines::calculate(session, wanted(rest, "type", "EXPR")?)?;
            ui::out(&format!("{}\n", imm_compiler::ide::shown(&found.ty)));
        }
        "kind" => like_the_command_line(session, &["doc", wanted(rest, "kind", "NAME")?], false)?,
        "doc" => like_the_command_line(session, &["doc", wanted(rest, "doc", "NAME")?], false)?,
        "explain" => {
            let mut all = vec!["explain"];
            all.extend(&words);
            like_the_command_line(session, &all, false)?;
        }
        "plan" => plan(session, rest)?,
        "graph" if words.is_empty() => graph(session)?,
        "diff" => {
            wanted(rest, "diff", "G1 [G2]")?;
            let mut all = vec!["diff"];
            all.extend(&words);
            like_the_command_line(session, &all, false)?;
        }
        "graph" | "why" | "simulate" => {
            now(session, name)?;
            let mut all = vec![name];
            all.extend(words.iter().filter(|word| **word != "--dot"));
            if name == "why" {
                wanted(rest, "why", "ADDR")?;
            }
            like_the_command_line(session, &all, true)?;
        }
        "test" => like_the_command_line(session, &["test"], true)?,
        "generations" => like_the_command_line(session, &["history"], false)?,
        "status" => like_the_command_line(session, &["status"], false)?,
        "set" if rest.is_empty() => {
            let shown = session.set.iter().map(|(name, value)| format!("{name} = {value}\n"));
            ui::out(&shown.collect::<String>());
        }
        "set" => set(session, rest)?,
        "unset" => {
            if session.set.remove(wanted(rest, "unset", "NAME")?).is_none() {
                return Err(Failure::new(format!("`{rest}` was not set here")));
            }
        }
        "env" => {
            let name = wanted(rest, "env", "NAME")?;
            let known = assist::environments(session);
            if !known.iter().any(|known| known == name) {
                let known = known.join(", ");
                return Err(
                    Failure::new(format!("there is no environment `{name}`")).help(format!("there are: {known}"))
                );
            }
            session.project.change_environment(name);
            session.past = None;
        }
        "at" => at(session, wanted(rest, "at", "GENERATION")?)?,
        "outputs" => outputs(session)?,
        "save" => save(session, wanted(rest, "save", "FILE")?)?,
        other => {
            let near = COMMANDS.iter().map(|(name, ..)| *name).min_by_key(|name| strsim::levenshtein(name, other));
            return Err(Failure::new(format!("there is no command `:{other}`"))
                .help(near.map_or_else(String::new, |near| format!("did you mean `:{near}`? `:help` lists them"))));
        }
    }
    Ok(Next::Line)
}

fn wanted<'r>(rest: &'r str, name: &str, what: &str) -> Result<&'r str, Failure> {
    if rest.is_empty() { Err(Failure::new(format!("write `:{name} {what}`"))) } else { Ok(rest) }
}

fn help() {
    let rows: Vec<Vec<String>> = COMMANDS
        .iter()
        .map(|(name, usage, does)| vec![format!(":{name} {usage}").trim_end().to_owned(), (*does).to_owned()])
        .collect();
    ui::out(&ui::columns(2, &rows));
    ui::out(
        "An expression is answered with its value and type; a `let`, `fn`, node or other item stays for the session.\n",
    );
}

/// A command of the command line, for this session's module, environment and params.
fn like_the_command_line(session: &Session, words: &[&str], with_params: bool) -> Result<(), Failure> {
    let cli = Cli::try_parse_from(session.arguments(words, with_params)).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Failure::new(first)
    })?;
    // Only what looks: nothing here takes the lease.
    let writes = matches!(
        cli.command,
        Command::Apply(_) | Command::Rollback(_) | Command::Destroy(_) | Command::Recover(_) | Command::New(_)
    );
    if writes {
        return Err(Failure::new("the REPL only looks"));
    }
    process(session, words, with_params)
}

/// A process of its own, so that Ctrl-C ends it as it would in a shell.
fn process(session: &Session, words: &[&str], with_params: bool) -> Result<(), Failure> {
    let program = imm_image::elf::running_program().map_err(|e| Failure::new(e.to_string()))?;
    // What is piped is lines of the session.
    let stdin = if std::io::stdin().is_terminal() { Stdio::inherit() } else { Stdio::null() };
    let arguments = session.arguments(words, with_params).into_iter().skip(1);
    let ended = std::process::Command::new(program).args(arguments).stdin(stdin).status();
    let ended = ended.map_err(|e| Failure::new(format!("the command cannot be run: {}", plain(&e))))?;
    match ended.code() {
        None => Err(Failure::new("stopped")),
        Some(code) if code == Exit::Failed as i32 || code == Exit::Usage as i32 => Err(Failure::said(Exit::Failed)),
        Some(_) => Ok(()),
    }
}

/// What is about the program as it is cannot be asked about another time.
fn now(session: &Session, name: &str) -> Result<(), Failure> {
    match &session.past {
        Some((generation, _)) => {
            Err(Failure::new(format!("`:{name}` is about the program as it is, and this is generation {generation}"))
                .help("`:at now` goes back"))
        }
        None => Ok(()),
    }
}

fn plan(session: &Session, address: &str) -> Result<(), Failure> {
    now(session, "plan")?;
    if address.is_empty() {
        return like_the_command_line(session, &["plan"], true);
    }
    let asked = Addr::parse(address).map_err(Failure::new)?;
    let mut params = crate::cli::Params {
        values: session.params.values.clone(),
        files: session.params.files.clone(),
        params_json: session.params.params_json.clone(),
    };
    params.values.extend(session.set.iter().map(|(name, value)| format!("{name}={value}")));
    let wanted = Wanted { consents: &Consents::default(), refresh: false };
    let tuning = Tuning::default();
    let (planning, _) = Planning::of(&session.project, &params, &tuning, &wanted, session.style, false)?;
    let mut plan = planning.plan;
    plan.steps.retain(|step| step.address == asked || step.address.is_within(&asked));
    if plan.steps.is_empty() {
        let below = |address: &Addr| *address == asked || address.is_within(&asked);
        if !compiled(session)?.graph.nodes.keys().any(below) {
            return Err(
                Failure::new(format!("nothing is declared at {asked}")).help("`:graph` shows everything that is")
            );
        }
        ui::out(&format!("Nothing to do at {asked}.\n"));
    } else {
        ui::tell(&ui::plan::render(ui::plan::Shown {
            estimate: None,
            plan: &plan,
            cascades: &[],
            name: &session.project.name,
            verbose: false,
            style: session.style,
        }));
    }
    Ok(())
}

fn load(session: &mut Session, path: &str) -> Result<(), Failure> {
    let path = wanted(path, "load", "PATH")?;
    let mut words = session.arguments(&["check"], false);
    words.truncate(2);
    let global = Cli::try_parse_from(words).map_err(|e| Failure::new(e.to_string()))?.global;
    let global = crate::cli::Global { environment: session.project.environment.clone(), ..global };
    session.project = Project::find(&global, Some(Path::new(path)))?;
    session.state = None;
    session.items.clear();
    session.set.clear();
    session.past = None;
    Ok(())
}

fn set(session: &mut Session, rest: &str) -> Result<(), Failure> {
    let Some((name, value)) = rest.split_once('=') else {
        return Err(Failure::new("write `:set NAME = VALUE`"));
    };
    let (name, value) = (name.trim().to_owned(), value.trim());
    // A String is verbatim on the command line; here it is written as anywhere else.
    let text = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    let before = session.set.insert(name.clone(), text.unwrap_or(value).to_owned());
    let checked = lines::calculate(session, &name);
    match checked {
        Ok(_) => Ok(()),
        Err(failure) => {
            match before {
                Some(before) => session.set.insert(name, before),
                None => session.set.remove(&name),
            };
            Err(failure)
        }
    }
}

fn at(session: &mut Session, generation: &str) -> Result<(), Failure> {
    if generation == "now" {
        session.past = None;
        return Ok(());
    }
    let number: u64 = generation.parse().map_err(|_| {
        Failure::new(format!("`{generation}` is not a generation")).help("write a number, or `:at now`")
    })?;
    session.past = Some((number, PastWorld::open(&session.project, number)?));
    Ok(())
}

/// The program as a graph, at the moment that is looked at.
fn compiled(session: &Session) -> Result<imm_compiler::Compiled, Failure> {
    let options = session.options()?;
    let compiled = session.with_world(|world, path| imm_compiler::compile(world, path, &options))?;
    compiled.map_err(|failed| {
        ui::err_as_it_is(&ui::diagnostics::render(&failed.diagnostics, &failed.sources, session.style.color));
        Failure::said(Exit::Failed)
    })
}

/// What is declared, and what needs what.
fn graph(session: &Session) -> Result<(), Failure> {
    let compiled = compiled(session)?;
    let row = |(address, node): (&Addr, &imm_ir::Node)| {
        let needs: Vec<String> = node.edges.iter().map(|edge| edge.to.to_string()).collect();
        let needs = if needs.is_empty() { String::new() } else { format!("needs {}", needs.join(", ")) };
        vec![address.to_string(), node.kind.to_string(), needs]
    };
    let rows: Vec<Vec<String>> = compiled.graph.nodes.iter().map(row).collect();
    ui::out(&ui::columns(2, &rows));
    Ok(())
}

fn outputs(session: &Session) -> Result<(), Failure> {
    let compiled = compiled(session)?;
    for output in &compiled.graph.outputs {
        ui::out(&format!("{} = {}\n", output.name, lines::answer(session, &output.term, &output.ty)));
    }
    Ok(())
}

fn save(session: &Session, file: &str) -> Result<(), Failure> {
    let path = Path::new(file);
    if path.exists() {
        return Err(Failure::new(format!("{file} is there already")).help("give a new name"));
    }
    let beside = path.with_extension("imm.new");
    let written = std::fs::write(&beside, session.text()).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|e| Failure::new(format!("{file}: {}", plain(&e))))?;
    let (count, s) = (session.items.len(), if session.items.len() == 1 { "" } else { "s" });
    ui::out(&format!("wrote {count} declaration{s} to {file}\n"));
    Ok(())
}
