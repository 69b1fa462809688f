//! A small HTTP/1.1 client and a load of keep-alive connections that counts every failure.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// One connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub fn connect(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Status and body of one GET; the connection stays open.
    pub fn get(&mut self, path: &str) -> std::io::Result<(u16, String)> {
        self.get_from("localhost", path)
    }

    /// The same from a host by name.
    pub fn get_from(&mut self, host: &str, path: &str) -> std::io::Result<(u16, String)> {
        self.ask(host, path, &[])
    }

    /// The same with more header fields.
    pub fn get_with(&mut self, path: &str, fields: &[(&str, &str)]) -> std::io::Result<(u16, String)> {
        self.ask("localhost", path, fields)
    }

    fn ask(&mut self, host: &str, path: &str, fields: &[(&str, &str)]) -> std::io::Result<(u16, String)> {
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n").as_bytes())?;
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill()?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let bad = |what: &str| Error::new(ErrorKind::InvalidData, format!("{what}: {head}"));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| bad("no status"))?;
        let length = head
            .lines()
            .find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length:").map(|v| v.trim().to_owned()));
        let length: usize = length.and_then(|l| l.parse().ok()).ok_or_else(|| bad("no length"))?;
        while self.buffer.len() < end + length {
            self.fill()?;
        }
        let body = String::from_utf8_lossy(&self.buffer[end..end + length]).into_owned();
        self.buffer.drain(..end + length);
        Ok((status, body))
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let mut chunk = [0; 16384];
        match self.stream.read(&mut chunk)? {
            0 => Err(Error::new(ErrorKind::UnexpectedEof, "the connection was closed")),
            n => {
                self.buffer.extend_from_slice(&chunk[..n]);
                Ok(())
            }
        }
    }
}

/// The body of one GET that must answer 200.
pub fn get(port: u16, path: &str) -> std::io::Result<String> {
    match Client::connect(port)?.get(path)? {
        (200, body) => Ok(body),
        (status, body) => Err(Error::other(format!("status {status}: {body}"))),
    }
}

/// Status and body of one GET to a host by name.
pub fn get_from(port: u16, host: &str) -> std::io::Result<(u16, String)> {
    Client::connect(port)?.get_from(host, "/")
}

/// Requests in a loop on several connections until stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    good: Arc<AtomicU64>,
    workers: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    pub fn start(port: u16, connections: usize) -> Self {
        let (stop, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let worker = || {
            let (stop, good) = (Arc::clone(&stop), Arc::clone(&good));
            std::thread::spawn(move || run(port, &stop, &good))
        };
        let workers = (0..connections).map(|_| worker()).collect();
        Self { stop, good, workers }
    }

    /// Requests answered so far.
    pub fn good(&self) -> u64 {
        self.good.load(Ordering::Relaxed)
    }

    /// Ends the load. Answers what succeeded, and every failure in words.
    pub fn stop(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self.workers.into_iter().flat_map(|w| w.join().unwrap()).collect();
        (self.good.load(Ordering::Relaxed), failures)
    }
}

fn run(port: u16, stop: &AtomicBool, good: &AtomicU64) -> Vec<String> {
    let mut failures = Vec::new();
    let mut client = None;
    // New connections too: every so often one is closed by us and opened again.
    for round in 1u32.. {
        if stop.load(Ordering::Relaxed) || failures.len() > 100 {
            break;
        }
        let result = match client.take() {
            Some(open) => Ok(open),
            None => Client::connect(port),
        }
        .and_then(|mut open: Client| open.get("/").map(|answer| (open, answer)));
        match result {
            Ok((open, (200, _))) => {
                good.fetch_add(1, Ordering::Relaxed);
                client = (round % 64 != 0).then_some(open);
            }
            Ok((_, (status, body))) => failures.push(format!("status {status}: {body}")),
            Err(e) => failures.push(e.to_string()),
        }
    }
    failures
}
