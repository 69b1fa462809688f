//! What a program in a container cannot do.

use std::fs;
use std::os::unix::fs::symlink;

use imm_sandbox::{ExitStatus, LaunchError, Level, Mount, Signal, probe};

use crate::fixture::{Fixture, log, output, refused, run, start, stream};
use crate::{Outcome, Skip, Test};

pub const TESTS: &[Test] = &[
    ("isolation::the_root_is_read_only_and_layered", layered),
    ("isolation::rights_are_gone", rights),
    ("isolation::the_namespaces_are_its_own", namespaces),
    ("isolation::devices_and_proc_are_minimal", devices),
    ("isolation::system_calls_are_filtered", filtered),
    ("isolation::only_its_own_port", port),
    ("isolation::mounts", mounts),
    ("isolation::links_of_the_image_lead_nowhere", links),
    ("isolation::nothing_on_the_host_mount_table", mount_table),
    ("isolation::descriptors_are_not_inherited", descriptors),
    ("isolation::weaker_levels", weaker),
    ("isolation::weaker_levels_leave_no_orphans", orphans),
    ("isolation::required_is_required", required),
    ("isolation::as_an_ordinary_user", ordinary_user),
];

/// A fixture on a machine with namespaces.
fn namespaced() -> Result<Fixture, Skip> {
    match probe() {
        p if p.level == Level::Namespaces => Fixture::new(),
        p => Err(Skip(format!("no namespaces: {}", p.reasons.join("; ")))),
    }
}

fn layered() -> Outcome {
    let fixture = namespaced()?;
    let text = output(&fixture.shell(
        "cat /etc/which /etc/low; touch /x && exit 1; touch /etc/x && exit 2; touch /dev/x && exit 3; \
         echo kept > /tmp/a && cat /tmp/a; echo shm > /dev/shm/a && cat /dev/shm/a; ls -d /tmp /proc /dev",
    ));
    assert_eq!(text, "high\nlow\nkept\nshm\n/dev\n/proc\n/tmp\n");
    for layer in fixture.layers() {
        assert!(!layer.join("tmp").exists() && !layer.join("x").exists(), "the layers are untouched");
    }
    Ok(())
}

fn rights() -> Outcome {
    let fixture = namespaced()?;
    let spec = fixture.shell("id -u; id -g; id -G; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status");
    let text = output(&spec);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["65534", "65534"], "{text}");
    let caps: Vec<&str> = lines.iter().copied().filter(|l| l.starts_with("Cap")).collect();
    assert_eq!(caps.len(), 5);
    assert!(caps.iter().all(|l| l.ends_with("\t0000000000000000")), "{text}");
    assert!(text.contains("NoNewPrivs:\t1"), "{text}");
    assert!(text.contains("Seccomp:\t2"), "{text}");
    Ok(())
}

fn namespaces() -> Outcome {
    let fixture = namespaced()?;
    let spec = fixture.shell("hostname; echo $$; echo /proc/[0-9]*; cat /proc/1/comm");
    let text = output(&spec);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], spec.id);
    assert_eq!(lines[1], "2", "the program is the second process, after the init");
    assert_eq!(lines[2], "/proc/1 /proc/2", "and there is no other (but `cat`, later)");
    Ok(())
}

fn devices() -> Outcome {
    let fixture = namespaced()?;
    let spec = fixture.shell(
        "ls /dev; echo x > /dev/null; echo 1 > /proc/sys/kernel/hostname && exit 1; echo h > /proc/sysrq-trigger && exit 2; \
         cat /proc/kcore /proc/keys; dd if=/dev/zero bs=4 count=1 2>/dev/null | /bin/busybox wc -c",
    );
    let text = output(&spec);
    for name in ["null", "zero", "full", "random", "urandom", "shm", "fd", "stdin", "stdout", "stderr"] {
        assert!(text.lines().any(|l| l == name), "{name} in {text}");
    }
    assert!(text.ends_with("\n4\n"), "{text}");
    assert!(!text.contains("sda") && !text.contains("kvm"), "{text}");
    Ok(())
}

fn filtered() -> Outcome {
    let fixture = namespaced()?;
    if !probe().seccomp {
        return Err(Skip("no seccomp".into()));
    }
    let mut spec = fixture.shell(
        "/bin/busybox mount -t tmpfs x /tmp && exit 1; /bin/busybox unshare -U true && exit 2; \
         /bin/busybox chroot / true && exit 3; echo done",
    );
    spec.env.clear();
    assert_eq!(output(&spec), "done\n");
    assert!(stream(&spec, "e").contains("Operation not permitted"), "{}", log(&spec));
    Ok(())
}

/// Two ports that were free a moment ago.
fn ports() -> (u16, u16) {
    let listen = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (a, b) = (listen(), listen());
    (a.local_addr().unwrap().port(), b.local_addr().unwrap().port())
}

fn port() -> Outcome {
    let fixture = namespaced()?;
    if probe().landlock_abi < 4 {
        return Err(Skip(format!("Landlock version {} knows no ports", probe().landlock_abi)));
    }
    let (own, other) = ports();
    // httpd without -f goes to the background once it listens: exit code 0 is "was able to bind".
    for (bind, allowed) in [(own, true), (other, false)] {
        let mut spec = fixture.shell(&format!("httpd -p 127.0.0.1:{bind} -h /etc"));
        spec.port = Some(own);
        let exit = run(&spec);
        assert_eq!(exit.status == ExitStatus::Code(0), allowed, "port {bind}: {}", log(&spec));
        assert_eq!(stream(&spec, "e").contains("Permission denied"), !allowed, "{}", log(&spec));
    }
    let exit = run(&fixture.shell(&format!("httpd -p 127.0.0.1:{own} -h /etc")));
    assert_ne!(exit.status, ExitStatus::Code(0), "without a port nothing may be bound");
    Ok(())
}

fn mounts() -> Outcome {
    let fixture = namespaced()?;
    let host = fixture.dir.path().join("volume");
    fs::create_dir(&host).unwrap();
    fs::set_permissions(&host, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    fs::write(host.join("in"), "from the host\n").unwrap();
    let mut spec = fixture.shell(
        "cat /data/in; echo out > /data/out; cat /ro/in /a/file; touch /ro/x && exit 1; echo s > /var/scratch/s && cat /var/scratch/s; \
         dd if=/dev/zero of=/var/scratch/big bs=64k count=8 2>/dev/null && exit 2; ls -d /etc/which",
    );
    let bind = |source: &std::path::Path, target: &str, read_only| Mount::Bind {
        source: source.to_owned(),
        target: target.into(),
        read_only,
    };
    spec.mounts = vec![
        bind(&host, "/data", false),
        bind(&host, "/ro", true),
        bind(&host.join("in"), "/a/file", true),
        Mount::Scratch { target: "/var/scratch".into(), size: 128 * 1024 },
    ];
    assert_eq!(output(&spec), "from the host\nfrom the host\nfrom the host\ns\n/etc/which\n");
    assert_eq!(fs::read_to_string(host.join("out")).unwrap(), "out\n");
    let mut spec = fixture.shell("true");
    spec.mounts = vec![bind(&fixture.dir.path().join("missing"), "/data", false)];
    let text = refused(&spec).to_string();
    assert!(text.contains("missing") && text.contains("No such file"), "{text}");
    Ok(())
}

fn links() -> Outcome {
    let fixture = namespaced()?;
    let outside = fixture.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret\n").unwrap();
    let evil = fixture.dir.path().join("evil");
    fs::create_dir(&evil).unwrap();
    for name in ["tmp", "proc", "dev"] {
        symlink(&outside, evil.join(name)).unwrap();
    }
    symlink(&outside, evil.join("data")).unwrap();
    symlink("../../../../../../../../etc", evil.join("up")).unwrap();
    let mut spec = fixture.shell("echo x > /tmp/x; cat /proc/self/comm; ls /etc/mine; cat /data/secret");
    spec.layers.push(evil.clone());
    // Resolves to /etc *of the image*, made there by the directory of our own below the layers.
    spec.mounts = vec![Mount::Scratch { target: "/up/mine".into(), size: 4096 }];
    let text = refused(&spec).to_string();
    assert!(text.contains("/up/mine"), "the image's /etc has no `mine`: {text}");
    let mut spec = fixture.shell("echo x > /tmp/x; cat /proc/self/comm; cat /data/secret");
    spec.layers.push(evil.clone());
    spec.mounts = vec![Mount::Scratch { target: "/up".into(), size: 4096 }];
    let exit = run(&spec);
    assert_ne!(exit.status, ExitStatus::Code(0), "/data leads out of the image and so nowhere");
    assert_eq!(stream(&spec, "o"), "cat\n");
    let mut spec = fixture.shell("true");
    spec.layers.push(evil);
    spec.mounts = vec![Mount::Scratch { target: "/data".into(), size: 4096 }];
    let text = refused(&spec).to_string();
    assert!(text.contains("/data") && text.contains("mount point"), "{text}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "nothing was written outside");
    Ok(())
}

fn mount_table() -> Outcome {
    let fixture = namespaced()?;
    let mut spec = fixture.shell("echo > /sync/ready; exec sleep 1000");
    let ready = fixture.ready(&mut spec);
    let run = start(&spec);
    ready.wait();
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let dir = fixture.dir.path().to_str().unwrap();
    assert!(!table.contains(dir), "{table}");
    run.stop(crate::fixture::LONG).unwrap();
    Ok(())
}

fn descriptors() -> Outcome {
    let fixture = namespaced()?;
    // A descriptor that a careless library left open in the launcher for every child.
    let leaked = fs::File::open("/etc/hostname").or_else(|_| fs::File::open("/etc/passwd")).unwrap();
    nix::fcntl::fcntl(&leaked, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    // Descriptor 3 is that of the listing itself.
    let text = output(&fixture.spec(&["/bin/ls", "/proc/self/fd"]));
    assert_eq!(text, "0\n1\n2\n3\n");
    Ok(())
}

fn weaker() -> Outcome {
    let fixture = Fixture::new()?;
    let found = probe();
    for level in [Level::Chroot, Level::Landlock, Level::Plain] {
        let mut spec = fixture.shell("cat /etc/which; grep NoNewPrivs /proc/self/status; exit 7");
        spec.force = Some(level);
        if level == Level::Chroot && !found.chroot {
            assert!(matches!(refused(&spec), LaunchError::Isolation(_)));
            continue;
        }
        if level == Level::Landlock && found.landlock_abi == 0 {
            assert!(matches!(refused(&spec), LaunchError::Isolation(_)));
            continue;
        }
        let run = start(&spec);
        assert_eq!(run.level, level);
        assert!(run.warnings.iter().any(|w| w.contains(level.describe())), "{:?}", run.warnings);
        let exit = run.wait(crate::fixture::LONG).unwrap().unwrap();
        assert_eq!(exit.status, ExitStatus::Code(7), "{level}: {}", log(&spec));
        match level {
            // Its own root, but no /proc in it.
            Level::Chroot => assert_eq!(stream(&spec, "o"), "high\n"),
            // The program comes from the image, `cat /etc/which` means the host's, which may not be read.
            Level::Landlock => assert!(!stream(&spec, "e").is_empty(), "{}", log(&spec)),
            Level::Plain | Level::Namespaces => assert!(log(&spec).contains("NoNewPrivs:\t1"), "{}", log(&spec)),
        }
        let mut spec = fixture.spec(&["/bin/nope"]);
        spec.force = Some(level);
        assert!(refused(&spec).to_string().contains("/bin/nope"));
    }
    Ok(())
}

fn orphans() -> Outcome {
    let fixture = Fixture::new()?;
    for (number, killed) in ["the program", "the init", "the monitor"].into_iter().enumerate() {
        // A session of its own: neither the process group nor the parent's end reaches it.
        let marker = (100_000 * (number + 1) + std::process::id() as usize).to_string();
        let left = || {
            let all = fs::read_dir("/proc").unwrap().flatten();
            let marked = |c: String| c.split('\0').any(|word| word == marker);
            all.filter(|p| fs::read_to_string(p.path().join("cmdline")).is_ok_and(marked)).count()
        };
        let mut spec = fixture.spec(&["/bin/busybox", "sh", "-c"]);
        let ready = fixture.ready(&mut spec);
        spec.mounts.clear();
        let pipe = spec.dir.join("sync/ready");
        // The second exec of busybox says that the first one is there: `echo` follows it in the same process.
        spec.argv.push(format!(
            "busybox setsid busybox sh -c 'echo > {} ; busybox sleep {marker}; :' {marker} & exec busybox sleep 1000",
            pipe.display()
        ));
        spec.force = Some(Level::Plain);
        spec.env = vec![("PATH".into(), "/bin:/usr/bin".into())];
        let run = start(&spec);
        ready.wait();
        assert!(left() > 0, "{}", log(&spec));
        let (victim, signal, status) = match killed {
            "the program" => (run.pid, Signal::SIGTERM, ExitStatus::Signal(15)),
            "the init" => (run.pid, Signal::SIGKILL, ExitStatus::Signal(9)),
            _ => (run.monitor_pid, Signal::SIGKILL, ExitStatus::Unknown),
        };
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(victim), signal).unwrap();
        let exit = run.wait(crate::fixture::LONG).unwrap().unwrap();
        assert_eq!(exit.status, status, "{killed}: {}", log(&spec));
        assert_eq!(left(), 0, "{killed}");
    }
    Ok(())
}

fn required() -> Outcome {
    let fixture = Fixture::new()?;
    let mut spec = fixture.shell("true");
    spec.require = Some(Level::Namespaces);
    spec.force = Some(Level::Plain);
    assert!(matches!(refused(&spec), LaunchError::Isolation(text) if text.contains("required")));
    spec.force = Some(Level::Chroot);
    spec.mounts = vec![Mount::Bind { source: "/etc".into(), target: "/data".into(), read_only: true }];
    spec.require = None;
    assert!(matches!(refused(&spec), LaunchError::Isolation(_)));
    Ok(())
}

/// The tests above once more, by a user without any right.
fn ordinary_user() -> Outcome {
    use std::os::unix::process::CommandExt;
    if !nix::unistd::geteuid().is_root() {
        return Err(Skip("all of these tests are run by an ordinary user anyway".into()));
    }
    // The binary may be in a directory that only root can read.
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let exe = dir.path().join("containers");
    fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    for (name, _) in TESTS
        .iter()
        .chain(crate::lifecycle::TESTS)
        .chain(crate::network::TESTS)
        .filter(|(name, _)| !name.ends_with("ordinary_user"))
    {
        let mut command = std::process::Command::new(&exe);
        command.args(["__as_user", name]).env("TMPDIR", dir.path()).current_dir("/").uid(54321).gid(54321);
        let out = command.output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        println!("  {name} as user 54321: {}", if said.is_empty() { "ok" } else { said.trim() });
        assert!(out.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(())
}
