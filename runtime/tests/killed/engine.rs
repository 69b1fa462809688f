//! The process that is killed: one command of a real engine, with lease and ledger on the disk.

use imm_runtime::apply::{Engine, Limits, Outcome, Providers, Tenure};
use imm_runtime::clock::SystemClock;
use imm_runtime::entry::{Actor, Verb};
use imm_runtime::id::Lineage;
use imm_runtime::lease::{Holder, Lease};
use imm_runtime::ledger::Ledger;
use imm_runtime::plan::Options;
use imm_runtime::plan::saved::Attached;
use imm_runtime::provider::Provider;
use imm_runtime::random::Random;
use imm_runtime::simulate::call::{Client, IDENTITY};
use imm_runtime::simulate::remote::Remote;
use imm_runtime::simulate::shapes::{Program, nothing};
use imm_runtime::store::sqlite::SqliteStore;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

/// Where lease and ledger are.
pub const FOLDER: &str = "IMM_TEST_ENGINE_FOLDER";
/// What to do: `apply VERSION REPLICAS`, `broken`, `destroy`, `recover`.
pub const COMMAND: &str = "IMM_TEST_ENGINE_COMMAND";

#[test]
#[ignore = "the child process of two_hundred_kills"]
fn engine() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("run by its parent only"));
    let command = std::env::var(COMMAND).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
        let socket = std::os::unix::net::UnixStream::from(socket);
        socket.set_nonblocking(true).unwrap();
        let remote = Remote::new(tokio::net::UnixStream::from_std(socket).unwrap());
        let provider: Arc<dyn Provider> = Arc::new(Client::new(remote));
        let (lease, took_over) = Lease::take(&folder, Holder::current()).unwrap();
        let store = SqliteStore::open(&folder.join("ledger.db")).unwrap();
        let actor = Actor { user: "u".into(), host: "h".into(), tool_version: "0".into() };
        let mut ledger = Ledger::open(Box::new(store), Arc::new(SystemClock), actor, lease.fence()).unwrap();
        ledger.initialize(Lineage([7; 16]), "killed").unwrap();
        let providers = Providers::from([(Arc::from(IDENTITY), provider)]);
        let tenure = Tenure { holder: Holder::current(), took_over, because: None };
        let random = Random::from_system().unwrap();
        let mut engine = Engine::new(ledger, providers, Limits::default(), tenure, random);
        let words: Vec<&str> = command.split(' ').collect();
        let (program, verb, commits) = match words.as_slice() {
            ["recover"] => {
                let settled = engine.recover().await.unwrap();
                assert!(!matches!(settled, Some(Outcome::Stuck { .. })), "{settled:?}");
                return;
            }
            ["destroy"] => (nothing(), Verb::Destroy, true),
            ["broken"] => {
                // Its assert can never hold.
                let mut graph = Program { greeting: "broken".into(), ..Program::hello() }.graph();
                let condition = imm_ir::Term::Value(imm_ir::Value::Bool(false));
                let (message, loc) = (Arc::from("it is broken"), imm_ir::Loc::default());
                graph.asserts.push(imm_ir::Assert { condition, message, loc });
                (graph, Verb::Apply, false)
            }
            ["apply", version, replicas] => {
                let (greeting, replicas) = (format!("version {version}"), replicas.parse().unwrap());
                (Program { greeting, replicas, ..Program::hello() }.graph(), Verb::Apply, true)
            }
            other => panic!("{other:?}"),
        };
        let mut options = Options::new(engine.schemas());
        options.keep = (verb == Verb::Destroy).then_some(0);
        options.verb = verb;
        let plan = engine.plan(&program, &options).unwrap();
        let outcome = engine.apply(&plan, &Attached::default()).await.unwrap();
        let fits = match &outcome {
            Outcome::Committed { leftovers, .. } => commits && leftovers.is_empty(),
            Outcome::RolledBack { leftovers, .. } => !commits && leftovers.is_empty(),
            Outcome::NothingToDo => true,
            Outcome::Drilled { .. } | Outcome::Reverted { .. } | Outcome::Stuck { .. } => false,
        };
        assert!(fits, "{outcome:?}");
    });
}
