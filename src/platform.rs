//! The host platform as commands use it: its home, its agent, and what is seen of recorded objects.

use crate::failure::Failure;
use crate::project::plain;
use imm_host::api::{Level, LineageReport, ObjectReport};
use imm_host::client::{self, Client, ClientError};
use imm_host::{Home, HostProvider};
use imm_runtime::apply::Providers;
use imm_runtime::id::ObjectId;
use imm_runtime::provider::Provider;
use imm_runtime::state::State;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The machine's home of imm.
pub fn home() -> Result<Home, Failure> {
    Home::locate().map_err(|e| Failure::new(e.to_string()).help("set IMM_HOME to a folder that you may write"))
}

/// Runs something that waits, on one thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|e| Failure::new(format!("cannot wait for events: {}", plain(&e))))?.block_on(future))
}

/// What the engine works with. `folder` is the module's, for what is made anew from it.
pub fn providers(home: &Home, folder: Option<PathBuf>) -> Result<Providers, Failure> {
    let program = imm_image::elf::running_program().map_err(|e| Failure::new(e.to_string()))?;
    let host = HostProvider::open(home, program).map_err(|e| Failure::new(e.to_string()))?;
    let host = match folder {
        Some(folder) => host.of_module(folder),
        None => host,
    };
    Ok(Providers::from([(Arc::from("host"), Arc::new(host) as Arc<dyn Provider>)]))
}

/// The agent; started when it does not run.
pub async fn connect(home: &Home) -> Result<Client, Failure> {
    let program = imm_image::elf::running_program().map_err(|e| Failure::new(e.to_string()))?;
    client::connect_or_start(home, program.as_os_str()).await.map_err(|e| {
        Failure::new(e.to_string()).help(format!(
            "`imm agent doctor` tells what this machine allows; the agent's log is {}",
            home.agent_log().display()
        ))
    })
}

/// What the agent's refusal means to a user.
pub fn agent(error: &ClientError) -> Failure {
    Failure::new(error.to_string()).help("`imm agent status` tells whether it runs")
}

/// What the agent sees of a lineage's objects. Empty when none runs: looking starts nothing.
#[derive(Debug, Default)]
pub struct Seen {
    objects: BTreeMap<String, ObjectReport>,
    /// Pointers that the agent took back by itself, since nobody went on with them.
    reverted: Vec<String>,
    /// Why nothing is seen, when something should be.
    unseen: Option<String>,
}

impl Seen {
    /// Looks at the objects of a recorded state.
    pub fn look(state: &State) -> Result<Self, Failure> {
        let Some(lineage) = state.lineage else { return Ok(Self::default()) };
        let home = home()?;
        let report = block_on(async {
            let Some((client, _)) = client::running(&home).await? else {
                return Ok(Err(format!(
                    "no agent runs with {}: containers go on, but no route answers; `imm recover` starts it",
                    home.root().display()
                )));
            };
            match client.lineage(&lineage.to_string()).await {
                Ok(report) => Ok(Ok(report)),
                // It does not know the lineage: nothing of it was ever made there.
                Err(ClientError::Refused(_)) => Ok(Err(format!(
                    "the agent of {} knows nothing of this; set IMM_HOME to the folder that earlier applies used",
                    home.root().display()
                ))),
                Err(other) => Err(other),
            }
        })?
        .map_err(|e| agent(&e))?;
        Ok(match report {
            Ok(report) => {
                let reverted = reverted(state, &report);
                let objects = report.objects.into_iter().map(|o| (o.object.clone(), o)).collect();
                Self { objects, reverted, unseen: None }
            }
            // After an apply that never committed there is nothing to be seen.
            Err(why) => Self { unseen: state.current.map(|_| why), ..Self::default() },
        })
    }

    /// How an object was seen, in one word.
    pub fn health(&self, object: ObjectId) -> Option<String> {
        let report = self.objects.get(&object.to_string())?;
        Some(word(report.health.level).to_owned())
    }

    /// Addresses of pointers that the agent took back by itself.
    pub fn reverted(&self) -> &[String] {
        &self.reverted
    }

    /// What could not be done as the program asked, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let said = self.objects.values().flat_map(|o| o.warnings.iter().map(move |w| format!("{}: {w}", o.address)));
        let ailing = self.objects.values().filter_map(|o| match o.health.level {
            // A job that ended well is what it was to become.
            Level::Exited if o.kind == "job" && o.health.exit_code == Some(0) => None,
            Level::Unhealthy | Level::Exited => {
                let reason = o.health.reason.as_deref().unwrap_or("it is not healthy");
                Some(format!("{}: {reason} (run {})", o.address, o.health.run))
            }
            Level::Starting | Level::Healthy | Level::Dormant => None,
        });
        let back = self.reverted.iter().map(|address| {
            format!("{address}: the agent went back to the last confirmed setting by itself, since nobody went on with the rollout")
        });
        self.unseen.iter().cloned().chain(back).chain(said).chain(ailing).collect()
    }
}

/// The pointers whose provisional setting is not in force any more, although the record does not say so yet.
fn reverted(state: &State, report: &LineageReport) -> Vec<String> {
    let provisional = state.pointers.iter().filter(|(_, p)| p.provisional && report.returns_to.is_none());
    let moved = provisional.filter_map(|(id, pointer)| {
        let route = report.manifest.routes.get(&id.to_string())?;
        let address = state.objects.get(id)?.address.to_string();
        (route.epoch > pointer.epoch).then_some(address)
    });
    moved.collect()
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Starting => "starting",
        Level::Healthy => "healthy",
        Level::Unhealthy => "unhealthy",
        Level::Exited => "exited",
        Level::Dormant => "dormant",
    }
}

/// The last head of a ledger that the agent saw, if one runs and knows it.
pub fn seen_head(lineage: &str) -> Option<imm_runtime::audit::Anchor> {
    let home = home().ok()?;
    let head = block_on(async {
        let (client, _) = client::running(&home).await.ok()??;
        client.lineage(lineage).await.ok()?.head
    });
    let head = head.ok()??;
    Some(imm_runtime::audit::Anchor { seq: head.seq, hash: head.hash })
}

/// Tells the agent that this head is the one that counts.
pub async fn take(home: &Home, lineage: &str, fence: u64, head: (u64, imm_ir::Digest)) -> Result<(), Failure> {
    let client = connect(home).await?;
    let head = imm_host::api::LedgerHead { seq: head.0, hash: head.1 };
    let announce = imm_host::api::Announce { fence, head: Some(head), take: true };
    client.announce(lineage, &announce).await.map(drop).map_err(|e| agent(&e))
}
