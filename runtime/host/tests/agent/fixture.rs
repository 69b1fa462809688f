//! A home of its own for each test, with its agent; whatever the test leaves is ended.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use imm_host::Home;
use imm_host::api::{
    Activity, Announce, Backoff, Container, Health, HealthCheck, Level, Manifest, Mount, ObjectReport, ObjectSetting,
    ObjectSpec, Policy, PutManifest, PutObject, Route, RoutePort, Target,
};
use imm_host::client::{Client, ClientError, connect_or_start, running};
use imm_image::{Recipe, Store, elf};
use imm_sandbox::{RunState, Signal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// No test waits longer for anything.
const BOUND: Duration = Duration::from_secs(30);

pub struct World {
    pub home: Home,
    pub agent: Client,
    pub image: String,
    _dir: tempfile::TempDir,
}

/// Runs a test with a home and an agent.
pub fn with_agent<F: Future<Output = ()>>(test: impl FnOnce(World) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        timeout(Duration::from_secs(120), test(world)).await.unwrap();
    });
}

pub fn program() -> PathBuf {
    std::env::current_exe().unwrap()
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(&dir.path().join("home")).unwrap();
        let store = Store::open(home.store()).unwrap();
        let mut recipe = Recipe { cmd: vec!["/program".to_owned(), "__serve".to_owned()], ..Recipe::default() };
        recipe.add_executable("/program", &elf::executable(&program()).unwrap()).unwrap();
        let image = store.build(&recipe, &|_| {}).unwrap().manifest.to_string();
        let agent = connect_or_start(&home, program().as_os_str()).await.unwrap();
        Self { home, agent, image, _dir: dir }
    }

    pub async fn restart(&self) -> Client {
        connect_or_start(&self.home, program().as_os_str()).await.unwrap()
    }

    pub async fn kill_agent(&self) {
        let report = self.agent.agent().await.unwrap();
        signal(report.pid, Signal::SIGKILL);
        let home = self.home.clone();
        until("the agent is gone", || {
            let home = home.clone();
            async move { running(&home).await.unwrap().is_none() }
        })
        .await;
    }

    pub fn container(&self, variables: &[(&str, &str)]) -> Container {
        let health = HealthCheck::Http {
            path: "/".to_owned(),
            interval_ms: 50,
            timeout_ms: 2000,
            healthy: 1,
            within_ms: 20_000,
            status: vec![200],
        };
        Container {
            image: self.image.clone(),
            cmd: None,
            env: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            port: Some(80),
            mounts: BTreeMap::new(),
            limits: imm_host::api::Limits::default(),
            user: None,
            isolation: imm_host::api::IsolationWish::Best,
            private: false,
            once: false,
            policy: Policy {
                health: Some(health),
                backoff: Backoff { first_ms: 50, most_ms: 200, reset_ms: 60_000 },
                ..Policy::default()
            },
        }
    }

    pub fn mounting(&self, volume: &str) -> Container {
        let mount = Mount::Volume { object: volume.to_owned(), read_only: false };
        Container { mounts: BTreeMap::from([("/data".to_owned(), mount)]), ..self.container(&[("MODE", "write")]) }
    }

    pub async fn put(&self, lineage: &str, id: &str, object: ObjectSpec) -> Result<ObjectReport, ClientError> {
        self.put_as(lineage, id, object, false).await
    }

    pub async fn put_as(
        &self,
        lineage: &str,
        id: &str,
        object: ObjectSpec,
        dormant: bool,
    ) -> Result<ObjectReport, ClientError> {
        let put = PutObject { fence: 1, address: format!("node.{id}"), generation: Some(1), dormant, object };
        self.agent.put_object(lineage, id, &put).await
    }

    pub async fn run(&self, lineage: &str, id: &str, container: Container) -> ObjectReport {
        self.put(lineage, id, ObjectSpec::Container(Box::new(container))).await.unwrap()
    }

    pub async fn route(&self, lineage: &str, id: &str) -> u16 {
        let route = RoutePort {
            bind: "127.0.0.1".parse().unwrap(),
            listen: None,
            protocol: imm_router::Protocol::Http,
            encrypted: false,
        };
        self.put(lineage, id, ObjectSpec::Route(route)).await.unwrap().port.unwrap()
    }

    pub async fn announce(&self, lineage: &str, fence: u64) {
        self.agent.announce(lineage, &Announce { fence, head: None, take: false }).await.unwrap();
    }

    /// Waits for a level.
    pub async fn level(&self, lineage: &str, id: &str, level: Level) -> Health {
        let deadline = Instant::now() + BOUND;
        loop {
            let health = self.agent.health(lineage, id, Duration::from_secs(5)).await.unwrap();
            if health.level == level {
                return health;
            }
            assert!(Instant::now() < deadline, "{health:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What the agent could not do is said only in its log, which goes with the home.
        if std::thread::panicking() {
            eprintln!("the agent's log:\n{}", std::fs::read_to_string(self.home.agent_log()).unwrap_or_default());
        }
        if let Some(pid) = locked_by(&self.home) {
            signal(pid, Signal::SIGKILL);
        }
        for dir in runs(&self.home) {
            if let Ok(RunState::Running(run)) = imm_sandbox::reopen(&dir) {
                let _ = run.signal(Signal::SIGKILL);
                let _ = run.wait(BOUND);
            }
            let _ = imm_sandbox::remove(&dir);
        }
    }
}

/// Directories of all runs in a home.
pub fn runs(home: &Home) -> Vec<PathBuf> {
    let below = |dirs: Vec<PathBuf>| -> Vec<PathBuf> {
        dirs.iter()
            .filter_map(|dir| std::fs::read_dir(dir).ok())
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect()
    };
    let lineages = below(vec![home.lineages()]);
    let objects = below(lineages.iter().map(|lineage| lineage.join("objects")).collect());
    below(objects.iter().map(|object| object.join("runs")).collect())
}

/// The process that runs as this home's agent.
fn locked_by(home: &Home) -> Option<u32> {
    let wanted = format!("IMM_HOME={}", home.root().display());
    let is_ours = |pid: &u32| {
        let read = |name: &str| {
            std::fs::read(format!("/proc/{pid}/{name}")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        read("environ").is_ok_and(|environ| environ.split('\0').any(|variable| variable == wanted))
            && read("cmdline").is_ok_and(|words| words.ends_with("agent\0run\0"))
    };
    std::fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(is_ours)
}

fn signal(pid: u32, signal: Signal) {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap()), signal);
}

/// Waits until something is so.
pub async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let deadline = Instant::now() + BOUND;
    while !is_so().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// The body that a GET on this machine is answered with.
pub async fn get(port: u16, path: &str) -> std::io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    };
    timeout(BOUND, exchange).await.unwrap()
}

/// A setting in which `route` leads to `targets`.
pub fn leading(route: &str, targets: &[&str]) -> Manifest {
    let targets = targets
        .iter()
        .map(|object| Target {
            object: (*object).to_owned(),
            address: String::new(),
            answers: imm_host::api::Answers::Container,
            weight: 1,
            group: String::new(),
        })
        .collect();
    let one = Route {
        epoch: 0,
        host: None,
        path: "/".to_owned(),
        targets,
        timeout_ms: 10_000,
        hold_ms: 0,
        tls: imm_host::api::Tls::Off,
        sticky: false,
        preview: None,
        record: "mine".to_owned(),
    };
    Manifest { routes: BTreeMap::from([(route.to_owned(), one)]), ..Manifest::default() }
}

pub fn acting(object: &str) -> Manifest {
    let setting = ObjectSetting { activity: Activity::Active };
    Manifest { objects: BTreeMap::from([(object.to_owned(), setting)]), ..Manifest::default() }
}

pub fn put_manifest(from_epoch: u64, manifest: Manifest, ttl_ms: Option<u64>) -> PutManifest {
    PutManifest { fence: 1, from_epoch, manifest, ttl_ms }
}

pub fn refusal<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> imm_host::api::ApiError {
    match answer.unwrap_err() {
        ClientError::Refused(refused) => refused,
        other => panic!("{other}"),
    }
}
