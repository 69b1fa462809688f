//! A program in a network of its own: reached by its door, and by nothing else; reaching nobody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use imm_sandbox::{Door, ExitStatus, Level, Network, Spec, launch, probe};

use crate::fixture::{Fixture, LONG, log, monitor, run};
use crate::{Outcome, Skip, Test};

pub const TESTS: &[Test] = &[
    ("network::a_program_is_reached_by_its_door", door),
    ("network::there_is_no_way_out", no_way_out),
    ("network::nobody_is_let_in_before_and_after", before_and_after),
];

const INSIDE: u16 = 80;

fn fixture() -> Result<Fixture, Skip> {
    match probe() {
        p if p.level == Level::Namespaces => Fixture::new(),
        p => Err(Skip(format!("no namespaces: {}", p.reasons.join("; ")))),
    }
}

/// In a network of its own, called at a port of the host that nobody has.
fn private(mut spec: Spec) -> (Spec, SocketAddr) {
    let outside = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    spec.port = Some(INSIDE);
    spec.network = Network::Private { door: Some(Door { outside, inside: INSIDE }) };
    (spec, outside)
}

fn get(at: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(at)?;
    stream.write_all(b"GET /which HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(answer) }
}

/// Asks until there is an answer, or none any more.
fn eventually(at: SocketAddr, answers: bool) -> Option<String> {
    let end = Instant::now() + LONG;
    loop {
        let got = get(at);
        if got.is_ok() == answers {
            return got.ok();
        }
        assert!(Instant::now() < end, "{at}: {got:?}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn door() -> Outcome {
    let fixture = fixture()?;
    // Two at the same port: each has its own.
    let containers: Vec<_> = (0..2).map(|_| private(fixture.shell("exec httpd -f -p 127.0.0.1:80 -h /etc"))).collect();
    let running: Vec<_> = containers.iter().map(|(spec, _)| launch(spec, &monitor()).unwrap()).collect();
    for (_, outside) in &containers {
        let answer = eventually(*outside, true).unwrap();
        assert!(answer.ends_with("high\n"), "{answer}");
    }
    // Many at once, each to its end.
    let at = containers[0].1;
    let askers: Vec<_> = (0..64).map(|_| std::thread::spawn(move || get(at).unwrap())).collect();
    assert!(askers.into_iter().all(|asker| asker.join().unwrap().ends_with("high\n")));
    for run in running {
        run.stop(LONG).unwrap();
    }
    for (spec, outside) in &containers {
        assert!(TcpStream::connect(outside).is_err(), "the door ends with its container: {}", log(spec));
    }
    Ok(())
}

fn no_way_out() -> Outcome {
    let fixture = fixture()?;
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = host.local_addr().unwrap().port();
    let interfaces = "cat /proc/net/dev | grep -c :";
    let (spec, _) = private(fixture.shell(&format!(
        "test $({interfaces}) = 1 || exit 1; wget -q -T 2 -O - http://127.0.0.1:{port}/ && exit 2; wget -q -T 2 -O - http://192.0.2.1/ && exit 3; exit 0"
    )));
    assert_eq!(run(&spec).status, ExitStatus::Code(0), "{}", log(&spec));
    host.set_nonblocking(true).unwrap();
    assert!(host.accept().is_err(), "nobody came out");
    Ok(())
}

fn before_and_after() -> Outcome {
    let fixture = fixture()?;
    // It listens when it is told to, and no longer when it is told so; `wait` keeps the container.
    let (mut spec, outside) = private(fixture.shell(
        "echo > /sync/ready; until test -e /sync/go; do sleep 0.02; done; httpd -f -p 127.0.0.1:80 -h /etc & \
         until test -e /sync/stop; do sleep 0.02; done; kill $!; wait; sleep 60",
    ));
    let ready = fixture.ready(&mut spec);
    let sync = spec.dir.join("sync");
    let run = launch(&spec, &monitor()).unwrap();
    ready.wait();
    assert_eq!(TcpStream::connect(outside).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    std::fs::write(sync.join("go"), "").unwrap();
    assert!(eventually(outside, true).unwrap().ends_with("high\n"));
    std::fs::write(sync.join("stop"), "").unwrap();
    eventually(outside, false);
    let end = Instant::now() + LONG;
    while TcpStream::connect(outside).is_ok() {
        assert!(Instant::now() < end, "{}", log(&spec));
    }
    run.stop(Duration::ZERO).unwrap();
    Ok(())
}
