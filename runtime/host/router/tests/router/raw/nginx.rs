//! nginx as a reverse proxy, on a port of its own, in a directory of its own.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::support::LOCAL;

/// Cases that pass here and not there.
pub const PASSES_HERE: &[&str] = &[
    // Any token is a method.
    "a method in small letters",
    // A client that sends nothing more may wait for its answer.
    "a half-closed connection after a GET",
    "a half-closed connection after a POST",
    // A tab is white space like a space.
    "space around a length",
    // The target may know what to say.
    "OPTIONS *",
    // A head may have 64 KiB, whichever its lines.
    "a field of 20,000 bytes",
];

pub struct Nginx {
    child: Child,
    pub port: u16,
    _dir: tempfile::TempDir,
}

impl Nginx {
    /// `None`: it is not installed, which is said.
    pub async fn start(target: SocketAddr) -> Option<Self> {
        let program = ["nginx", "/usr/sbin/nginx"].into_iter().find(|program| {
            Command::new(program).arg("-v").stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        });
        let Some(program) = program else {
            #[expect(clippy::print_stderr, reason = "the one who runs the tests is to know")]
            {
                eprintln!("skipped: needs nginx (package nginx-light)");
            }
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        // Free until a moment ago; nobody else is given it so soon.
        let port = std::net::TcpListener::bind((LOCAL, 0)).unwrap().local_addr().unwrap().port();
        let at = dir.path().display();
        let config = format!(
            "daemon off; pid {at}/pid; error_log {at}/error.log; worker_processes 1; events {{ }}
            http {{
                access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
                fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
                keepalive_timeout 1s; client_header_timeout 1s; client_body_timeout 1s;
                upstream target {{ server {target}; keepalive 4; }}
                server {{
                    listen 127.0.0.1:{port};
                    location / {{
                        proxy_pass http://target; proxy_http_version 1.1;
                        proxy_set_header Host $http_host; proxy_set_header Connection \"\";
                    }}
                }}
            }}"
        );
        std::fs::write(dir.path().join("nginx.conf"), config).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(dir.path()).arg("-c").arg(dir.path().join("nginx.conf")).stderr(Stdio::null());
        let nginx = Self { child: command.spawn().unwrap(), port, _dir: dir };
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((LOCAL, port)).await.is_err() {
            assert!(std::time::Instant::now() < deadline, "nginx does not start");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // TERM, so that it ends its workers too.
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}
