//! `kill -9` of a real engine process at two hundred seeded instants. Ledger and lease are on the disk; the simulated world
//! lives here, at the other end of a socket pair that is the engine's standard input.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod engine;

use imm_runtime::entry::Body;
use imm_runtime::provider::Level;
use imm_runtime::random::Random;
use imm_runtime::simulate::oracle::{self, Evidence};
use imm_runtime::simulate::remote::serve;
use imm_runtime::simulate::world::World;
use imm_runtime::store::sqlite::SqliteStore;
use imm_runtime::store::{Record, Store};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Longest time of one engine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One ledger's folder and its world.
struct Environment {
    folder: tempfile::TempDir,
    world: World,
    random: Random,
}

/// When an engine is killed: so long after it asked for its so-and-so-many-th call.
#[derive(Clone, Copy, Debug)]
struct Instant {
    call: u64,
    after: Duration,
}

impl Environment {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(seed, durable_head(folder.path().join("ledger.db")));
        world.set_latency(1);
        Self { folder, world, random: Random::seeded(seed) }
    }

    /// Runs one engine; answers whether it was killed and how many calls it made.
    async fn engine(&self, command: &str, kill: Option<Instant>) -> (bool, u64) {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let stream = tokio::net::UnixStream::from_std(ours).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "engine::engine", "--ignored", "--nocapture"])
            .env(engine::FOLDER, self.folder.path())
            .env(engine::COMMAND, command)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (reached, wait) = tokio::sync::oneshot::channel();
        let mut reached = Some(reached);
        let asked = move |call| {
            if kill.is_some_and(|k| k.call == call) {
                reached.take().map(|r| r.send(()));
            }
        };
        let run = async {
            let killer = async {
                let hit = wait.await.is_ok();
                if let (true, Some(kill)) = (hit, kill) {
                    tokio::time::sleep(kill.after).await;
                    child.start_kill().unwrap();
                }
                child.wait().await.unwrap()
            };
            tokio::join!(serve(&self.world, stream, asked), killer)
        };
        let (calls, status) = tokio::time::timeout(PATIENCE, run).await.expect("the engine hangs");
        let killed = status.code().is_none();
        assert!(killed || status.success(), "the engine failed at `{command}`: {status}");
        (killed, calls.unwrap())
    }

    fn records(&self) -> Vec<Record> {
        SqliteStore::open_read_only(&self.folder.path().join("ledger.db")).unwrap().read(1).unwrap()
    }

    /// The last apply has committed and not come to its end.
    fn goes_forward(&self) -> bool {
        let entries = oracle::entries(&self.records());
        let decides = |body: &Body| matches!(body, Body::ApplyStarted(_) | Body::Committed(_) | Body::Finished { .. });
        let last = entries.iter().rev().find(|(_, entry)| decides(&entry.body));
        last.is_some_and(|(_, entry)| matches!(entry.body, Body::Committed(_)))
    }

    fn judge(&self, when: &str) {
        let records = self.records();
        let evidence = Evidence { records, effects: self.world.log(), ..Evidence::default() };
        let mut found = oracle::judge(&evidence);
        found.extend(oracle::rest::judge(&evidence, &self.world, &BTreeSet::new()));
        let text: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{when}:\n  {}", text.join("\n  "));
    }
}

/// How many entries are on the disk; what is committed there survives a killed process.
fn durable_head(path: PathBuf) -> Box<dyn Fn() -> u64 + Send> {
    let (store, head) = (RefCell::new(None::<SqliteStore>), Cell::new(0));
    Box::new(move || {
        let mut store = store.borrow_mut();
        if store.is_none() {
            *store = open(&path);
        }
        let new = store.as_ref().map_or(0, |s| s.read(head.get() + 1).unwrap().len() as u64);
        head.set(head.get() + new);
        head.get()
    })
}

fn open(path: &Path) -> Option<SqliteStore> {
    SqliteStore::open_read_only(path).ok()
}

/// How many engines were killed, and of them after their commit.
#[derive(Clone, Copy, Debug, Default)]
struct Killed {
    all: u64,
    committed: u64,
}

/// Kills engines in one environment.
async fn kill_some(seed: u64, kills: u64) -> Killed {
    let mut environment = Environment::new(seed);
    let (_, first) = environment.engine("apply 0 2", None).await;
    environment.judge("first apply");
    // One that replaces has more calls, those of retiring last.
    let (_, second) = environment.engine("apply 1 3", None).await;
    let (calls, mut version, mut killed) = (first.max(second), 1, Killed::default());
    while killed.all < kills {
        version += 1;
        let random = &mut environment.random;
        let command = match random.below(8) {
            0 => "destroy".to_owned(),
            1 => "broken".to_owned(),
            _more => format!("apply {version} {}", 1 + random.below(3)),
        };
        let instant = Instant {
            call: 1 + random.below(calls + 4),
            after: Duration::from_micros(random.below(4) * random.below(1500)),
        };
        let when = format!("seed {seed}, `{command}` killed at {instant:?}");
        let (dead, _) = environment.engine(&command, Some(instant)).await;
        killed.all += u64::from(dead);
        killed.committed += u64::from(dead && environment.goes_forward());
        // One recovery in four is killed, too.
        if environment.random.below(4) == 0 {
            let instant = Instant { call: 1 + environment.random.below(6), after: Duration::ZERO };
            let (dead, _) = environment.engine("recover", Some(instant)).await;
            killed.all += u64::from(dead);
        }
        environment.engine("recover", None).await;
        environment.judge(&when);
        let effects = environment.world.log().len();
        environment.engine("recover", None).await;
        assert_eq!(environment.world.log().len(), effects, "{when}: a second recovery did something");
    }
    killed
}

#[test]
fn two_hundred_kills() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let killed = runtime.block_on(async {
        // All at once, each with its own folder, world and seed: most of the time they wait for the disk.
        futures_util::future::join_all((0..10).map(|seed| kill_some(seed, 20))).await
    });
    let sum = |of: fn(&Killed) -> u64| killed.iter().map(of).sum::<u64>();
    let (all, committed) = (sum(|k| k.all), sum(|k| k.committed));
    println!("{all} engines were killed, {committed} of them between their commit and their end");
    assert!(all >= 200 && committed >= 20, "{all} killed, {committed} after their commit");
}

/// The socket carries what the world says.
#[tokio::test]
async fn the_socket_carries_calls_and_errors() {
    use imm_runtime::id::{Lineage, ObjectId};
    use imm_runtime::provider::{Ctx, ErrorKind, Provider};
    use imm_runtime::simulate::call::Client;
    use imm_runtime::simulate::remote::Remote;
    let world = World::new(1, Box::new(|| 0));
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    let served = tokio::spawn({
        let world = world.clone();
        async move { serve(&world, ours, |_| {}).await }
    });
    let client = Client::new(Remote::new(theirs));
    let ctx = Ctx { lineage: Lineage([1; 16]), fence: 2, generation: 0, timeout: Duration::from_secs(1) };
    let head = (3, imm_ir::Digest([4; 32]));
    assert_eq!(client.announce(&ctx, head).await, Ok(None));
    assert_eq!(client.announce(&ctx, head).await, Ok(Some(head)));
    let object = ObjectId(imm_ir::Digest([9; 32]));
    assert_eq!(client.destroy(&ctx, "file", object, None).await, Ok(true));
    let level = client.health(&ctx, "file", object, &Default::default(), &Default::default()).await;
    assert_eq!(level, Ok(Level::Missing));
    let older = Ctx { fence: 1, ..ctx };
    assert_eq!(client.confirm(&older).await.unwrap_err().kind, ErrorKind::Fenced);
    drop(client);
    assert_eq!(served.await.unwrap().unwrap(), 5);
}
