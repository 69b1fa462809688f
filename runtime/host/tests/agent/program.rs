//! What runs in the containers: a small HTTP server that reads `HOST` and `PORT`, or fails as `MODE` says.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

pub fn serve() -> ! {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    if variable("MODE") == "fail" {
        eprintln!("cannot find the settings");
        std::process::exit(7);
    }
    if variable("MODE") == "write" {
        std::fs::write("/data/mark", "written").unwrap();
    }
    if variable("MODE") == "job" {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut mark = std::fs::OpenOptions::new().create(true).append(true).mode(0o644).open("/data/mark").unwrap();
        mark.write_all(b"ran\n").unwrap();
        println!("migrated {}", variable("GREETING"));
        eprintln!("and said so");
        while variable("WAIT") == "yes" && !std::path::Path::new("/data/go").exists() {
            std::thread::park_timeout(std::time::Duration::from_millis(10));
        }
        std::process::exit(variable("CODE").parse().unwrap_or(0));
    }
    // What a health check runs: well when there is a mark, and it is held as the program is.
    if std::env::args().nth(2).as_deref() == Some("check") {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let held = status.contains("NoNewPrivs:\t1") && status.contains("CapEff:\t0000000000000000");
        let well = held && variable("GREETING") == "hi" && std::path::Path::new("/tmp/well").exists();
        println!("held {held}, well {well}");
        if variable("SLOW") == "yes" {
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
        std::process::exit(i32::from(!well));
    }
    let port = variable("PORT");
    let listener = TcpListener::bind(format!("{}:{port}", variable("HOST"))).unwrap();
    // Random: a container's process ids are its own and always the same.
    let run = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    println!("serving on {port}");
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let length = stream.read(&mut request).unwrap_or(0);
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        if request.starts_with("GET /crash") {
            println!("crashing");
            std::process::exit(3);
        }
        if request.starts_with("GET /well") {
            std::fs::write("/tmp/well", "").unwrap();
        }
        if request.starts_with("GET /ill") {
            std::fs::remove_file("/tmp/well").unwrap();
        }
        let body = if request.starts_with("GET /run") {
            run.clone()
        } else if request.starts_with("GET /token") {
            format!("{} {}", variable("TOKEN"), std::fs::read_to_string("/run/token").unwrap_or_default())
        } else {
            variable("GREETING")
        };
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
        let _ = stream.write_all(answer.as_bytes());
    }
}
