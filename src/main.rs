//! The `imm` command: reads the command line, runs one command, ends with its exit code.

mod cli;
mod commands;
mod compile;
mod consents;
mod failure;
mod lsp;
mod planning;
mod platform;
mod project;
mod records;
mod repl;
mod schedule;
mod session;
mod signals;
mod telemetry;
mod ui;
mod world;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use cli::{Cli, Command};
use failure::Outcome;
use std::process::ExitCode;

// Graphs are millions of small allocations, made by one thread and dropped by another: `malloc` is its.
use mimalloc as _;

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    // A monitor must be alone in its process: nothing is opened or started before it.
    if let Command::Container { dir } = &cli.command {
        return commands::agent::container(dir);
    }
    let style = ui::Style::choose(cli.global.color);
    match run(&cli) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if reports_json(&matches) {
                ui::failure_json(&failure);
            } else {
                ui::failure(&failure, style);
            }
            failure.exit.into()
        }
    }
}

/// Whether the command was asked for JSON.
fn reports_json(matches: &ArgMatches) -> bool {
    let asked = matches!(matches.try_get_one::<bool>("json"), Ok(Some(true)));
    asked || matches.subcommand().is_some_and(|(_, below)| reports_json(below))
}

fn run(cli: &Cli) -> Outcome {
    let global = &cli.global;
    match &cli.command {
        Command::New(args) => commands::new::run(args),
        Command::Check(args) => commands::check::run(global, args),
        Command::Fmt(args) => commands::fmt::run(global, args),
        Command::Test(args) => commands::test::run(global, args),
        Command::Simulate(args) => commands::simulate::run(global, args),
        Command::Plan(args) => commands::plan::run(global, args),
        Command::Show(args) => commands::show::run(global, args),
        Command::Diff(args) => commands::diff::run(global, args),
        Command::Graph(args) => commands::graph::run(global, args),
        Command::Why(args) => commands::why::run(global, args),
        Command::Apply(args) => commands::apply::run(global, args),
        Command::Rollout(args) => commands::rollout::run(global, &args.verb),
        Command::Gate(args) => commands::gate::run(global, &args.verb),
        Command::Rollback(args) => commands::rollback::run(global, args),
        Command::Destroy(args) => commands::destroy::run(global, args),
        Command::Recover(args) => commands::recover::run(global, args),
        Command::Status(args) => commands::status::run(global, args),
        Command::History(args) => commands::history::run(global, args),
        Command::Logs(args) => commands::logs::run(global, args),
        Command::Audit(args) => commands::audit::run(global, args),
        Command::Key(args) => commands::key::run(global, args),
        Command::Drift(args) => commands::drift::run(global, args),
        Command::Heal(args) => commands::heal::run(global, args),
        Command::Image(args) => commands::image::run(global, args),
        Command::Volume(args) => commands::volume::run(global, args),
        Command::Gc(args) => commands::gc::run(global, args),
        Command::Adopt(args) => commands::adopt::run(global, args),
        Command::Forget(args) => commands::forget::run(global, args),
        Command::Lineage(args) => commands::lineage::run(global, args),
        Command::Metrics(args) => commands::metrics::run(global, args),
        Command::Doc(args) => commands::doc::run(global, args),
        Command::Explain(args) => commands::explain::run(args),
        Command::Repl(args) => repl::run(global, args),
        Command::Lsp(_) => lsp::run(),
        Command::Agent(args) => commands::agent::run(args),
        Command::Serve(args) => commands::serve::run(args),
        Command::Cron(args) => commands::cron::run(args),
        Command::Completions(args) => commands::completions::run(args),
        Command::Container { .. } => Ok(failure::Exit::Done),
    }
}
