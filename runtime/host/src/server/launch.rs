//! From an object's record to a running container. The only place that names the sandbox's specification.
//!
//! Blocks (unpacking, starting): call it where blocking is allowed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use imm_image::{ContentDigest, Store};
use imm_sandbox::{Door, Level, Network, Run, Spec};

use crate::api::{Container, IsolationWish, Mount};
use crate::home::private_dir;

use super::content;
use super::object::Record;
use super::ports::HOST;

/// Where programs are looked up when neither image nor container says.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Bytes of a job's standard output that are its output.
const KEEP_STDOUT: u64 = 64 << 10;

/// What starting needs besides the record.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The images.
    pub store: &'a Store,
    /// The command that becomes a monitor.
    pub monitor: &'a [OsString],
    /// The lineage's directory.
    pub lineage_dir: &'a Path,
    /// The run's own directory, made here.
    pub run_dir: &'a Path,
    /// The object's id.
    pub object: &'a str,
    /// The run's number.
    pub run: u64,
}

/// Starts a container; an error says why nothing runs.
pub fn launch(at: Surroundings<'_>, record: &Record, container: &Container) -> Result<Run, String> {
    private_dir(at.run_dir).map_err(|cause| cause.to_string())?;
    imm_sandbox::launch(&spec(at, record, container)?, at.monitor).map_err(|cause| cause.to_string())
}

/// Runs a program in a container that runs; an error says why that did not end well.
pub fn ask(
    at: Surroundings<'_>,
    record: &Record,
    container: &Container,
    run: &Run,
    cmd: &[String],
    timeout: Duration,
) -> Result<(), String> {
    let spec = Spec { argv: cmd.to_vec(), ..spec(at, record, container)? };
    let what = cmd.join(" ");
    let ran = imm_sandbox::exec(run, &spec, at.monitor, timeout).map_err(|cause| format!("{what}: {cause}"))?;
    let said = if ran.output.is_empty() { String::new() } else { format!(": {}", ran.output) };
    match ran.code {
        0 => Ok(()),
        124 => Err(format!("{what}: no end within {} ms{said}", timeout.as_millis())),
        code => Err(format!("{what}: ended with status {code}{said}")),
    }
}

fn spec(at: Surroundings<'_>, record: &Record, container: &Container) -> Result<Spec, String> {
    let manifest: ContentDigest =
        container.image.parse().map_err(|cause: imm_image::InvalidDigest| cause.to_string())?;
    let config = at.store.inspect(manifest).map_err(|cause| cause.to_string())?;
    let layers = at.store.unpack(manifest).map_err(|cause| cause.to_string())?;
    let argv = container.cmd.clone().unwrap_or(config.cmd);
    if argv.is_empty() {
        return Err("there is no command to run: neither the image nor the container has a `cmd`".to_owned());
    }
    let mut env: BTreeMap<String, String> = config.env;
    env.extend(container.env.clone());
    env.entry("PATH".to_owned()).or_insert_with(|| DEFAULT_PATH.to_owned());
    // On a loopback of its own the program may have the port that it is called by.
    let listens = if container.private { container.port } else { record.port };
    if let Some(port) = listens {
        env.insert("PORT".to_owned(), port.to_string());
        env.insert("HOST".to_owned(), HOST.to_string());
    }

    let mut spec = Spec::new(container_id(&at), at.run_dir, layers, argv);
    spec.env = env.into_iter().collect();
    spec.cwd = if config.workdir.is_empty() { "/".to_owned() } else { config.workdir };
    spec.user = container.user.clone().unwrap_or(config.user);
    spec.port = listens;
    if container.private {
        let door = record.port.zip(listens).map(|(port, inside)| Door { outside: (HOST, port).into(), inside });
        spec.network = Network::Private { door };
    }
    spec.keep_stdout = if container.once { KEEP_STDOUT } else { 0 };
    spec.limits = imm_sandbox::Limits {
        cpu_milli: container.limits.cpu_milli,
        memory: container.limits.memory,
        pids: container.limits.pids,
    };
    spec.require = match container.isolation {
        IsolationWish::Best => None,
        IsolationWish::Require => Some(Level::Namespaces),
    };
    for (target, mount) in &container.mounts {
        spec.mounts.push(mounted(at.lineage_dir, target, mount));
    }
    Ok(spec)
}

/// Names the run among all of the machine: cgroups have one name space for all homes, and object ids are those of a lineage.
fn container_id(at: &Surroundings<'_>) -> String {
    let short: String = at.object.chars().take(16).collect();
    let place: String = blake3::hash(at.run_dir.as_os_str().as_encoded_bytes()).to_hex().chars().take(12).collect();
    format!("imm-{short}-{}-{place}", at.run)
}

fn mounted(lineage_dir: &Path, target: &str, mount: &Mount) -> imm_sandbox::Mount {
    let target = target.to_owned();
    match mount {
        Mount::Volume { object, read_only } => {
            imm_sandbox::Mount::Bind { source: content::volume_dir(lineage_dir, object), target, read_only: *read_only }
        }
        Mount::File { object } => {
            let source = content::file_path(&lineage_dir.join("objects").join(object));
            imm_sandbox::Mount::Bind { source, target, read_only: true }
        }
        Mount::Scratch { size } => imm_sandbox::Mount::Scratch { target, size: *size },
    }
}

/// Runs that have a directory, by number.
pub fn runs(object_dir: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(object_dir.join("runs")) else { return Vec::new() };
    let mut runs: Vec<u64> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    runs.sort_unstable();
    runs
}
