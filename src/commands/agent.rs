//! `imm agent`: the process that runs containers and routes.

use crate::cli::Agent;
use crate::failure::{Exit, Failure, Outcome};
use crate::platform;
use crate::ui;
use imm_host::{Home, client};
use serde_json::json;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::ExitCode;

/// One of the agent's subcommands.
pub fn run(args: &Agent) -> Outcome {
    let home = platform::home()?;
    match args {
        Agent::Run { take_over } => {
            let options =
                imm_host::agent::Options { take_over: *take_over, ..imm_host::agent::Options::this_program() };
            let ended = imm_host::agent::run(&home, options);
            ended.map(|()| Exit::Done).map_err(|e| Failure::new(e.to_string()))
        }
        Agent::Upgrade => upgrade(&home),
        Agent::Ca => {
            let root = imm_host::DevCa::of(&home).root().map(str::to_owned);
            ui::out(&root.map_err(|e| Failure::new(e.to_string()))?);
            Ok(Exit::Done)
        }
        Agent::Status { json } => status(&home, *json),
        Agent::Stop => stop(&home),
        Agent::Doctor { json } => doctor(*json),
        Agent::Ps { json } => super::ps::run(&home, *json),
        Agent::Install => install(&home),
        Agent::Metrics => {
            let text = platform::block_on(async {
                match client::running(&home).await.map_err(|e| platform::agent(&e))? {
                    Some((client, _)) => client.metrics().await.map_err(|e| platform::agent(&e)),
                    None => Err(not_running(&home)),
                }
            })??;
            ui::out(&text);
            Ok(Exit::Done)
        }
    }
}

/// A unit for the service manager: of the system for root, of the user otherwise. Installing it is theirs who own the machine.
fn install(home: &Home) -> Outcome {
    let program = imm_image::elf::running_program().map_err(|e| Failure::new(e.to_string()))?;
    let (program, root) = (program.display().to_string(), home.root().display().to_string());
    if [&program, &root].iter().any(|path| path.contains(char::is_whitespace)) {
        return Err(Failure::new(format!("a unit cannot name {program} with IMM_HOME={root}: there is a space in it"))
            .help("put the program, and IMM_HOME, at paths without spaces"));
    }
    let system = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    let (place, manager, target) = if system {
        ("/etc/systemd/system/imm-agent.service".to_owned(), "systemctl", "multi-user.target")
    } else {
        ("~/.config/systemd/user/imm-agent.service".to_owned(), "systemctl --user", "default.target")
    };
    ui::out(&format!(
        "[Unit]\nDescription=imm agent: containers and routes of this machine\nAfter=network.target\n\n[Service]\n\
         Environment=IMM_HOME={root}\nExecStart={program} agent run\nRestart=on-failure\n\
         # Containers outlive the agent, also when it is stopped or replaced.\nKillMode=process\n\
         # Limits of containers need a subtree of their own.\nDelegate=yes\n\n[Install]\nWantedBy={target}\n"
    ));
    ui::err(&format!(
        "To install it: imm agent install > {place} && {manager} daemon-reload && {manager} enable --now imm-agent\n"
    ));
    if !system {
        ui::err("To keep it when you are logged out: loginctl enable-linger\n");
    }
    Ok(Exit::Done)
}

/// The monitor of one container. Ends with the monitor's own code.
pub fn container(dir: &Path) -> ExitCode {
    ExitCode::from(u8::try_from(imm_sandbox::monitor_main(dir)).unwrap_or(1))
}

fn not_running(home: &Home) -> Failure {
    Failure::new(format!("no agent runs with {}", home.root().display()))
        .help("`imm apply` starts one, or `imm agent run`")
}

fn status(home: &Home, as_json: bool) -> Outcome {
    let report = platform::block_on(client::running(home))?.map_err(|e| platform::agent(&e))?;
    match (report, as_json) {
        (Some((_, report)), true) => ui::json(&json!({ "format": 1, "running": true, "agent": report })),
        (None, true) => ui::json(&json!({ "format": 1, "running": false, "agent": null })),
        (Some((_, report)), false) => ui::out(&format!(
            "agent {} runs as process {} with {}, {} lineage{}\n",
            report.version,
            report.pid,
            report.home,
            report.lineages.len(),
            if report.lineages.len() == 1 { "" } else { "s" }
        )),
        (None, false) => ui::out(&format!("no agent runs with {}\n", home.root().display())),
    }
    Ok(Exit::Done)
}

fn upgrade(home: &Home) -> Outcome {
    let program = std::env::current_exe().map_err(|e| Failure::new(format!("this program cannot be found: {e}")))?;
    let report = platform::block_on(async {
        let client = client::upgrade(home, program.as_os_str()).await.map_err(|e| Failure::new(e.to_string()))?;
        client.agent().await.map_err(|e| platform::agent(&e))
    })??;
    ui::out(&format!("agent {} runs as process {}\n", report.version, report.pid));
    Ok(Exit::Done)
}

fn stop(home: &Home) -> Outcome {
    let stopped = platform::block_on(client::stop(home))?.map_err(|e| Failure::new(e.to_string()))?;
    ui::out(if stopped { "stopped; containers go on\n" } else { "no agent was running\n" });
    Ok(Exit::Done)
}

fn doctor(as_json: bool) -> Outcome {
    let found = imm_host::doctor::examine();
    if as_json {
        ui::json(&json!({ "format": 1, "doctor": found }));
        return Ok(Exit::Done);
    }
    let yes = |b: bool| if b { "yes" } else { "no" };
    let landlock = if found.landlock_abi == 0 { "no".to_owned() } else { format!("yes (ABI {})", found.landlock_abi) };
    let rows = [
        ("isolation", found.isolation),
        ("limits", found.limits),
        ("landlock", landlock),
        ("seccomp", yes(found.seccomp).to_owned()),
        ("by user namespace", yes(found.rootless).to_owned()),
        ("sizes of volumes", if found.sizes_enforced { "enforced" } else { "shown, not enforced" }.to_owned()),
    ];
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    let missing: String = found.missing.iter().map(|reason| format!("missing: {reason}\n")).collect();
    ui::out(&(ui::columns(0, &rows) + &missing));
    Ok(Exit::Done)
}
