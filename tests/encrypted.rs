//! A route with `tls = dev`: what its address says is true, and its certificate is of the root that `imm agent ca` prints.

use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::harness::{Bench, Said, finish};
use std::process::Stdio;

#[test]
fn an_encrypted_route_says_so_and_serves_through_a_switch() {
    let bench = Bench::example("hello");
    bench.edit("rollout = blue_green {}", "rollout = blue_green {}\n  tls     = dev");
    bench.ok(&["apply", "--yes"]);
    let root = Certificate::from_pem(bench.ok(&["agent", "ca"]).as_bytes()).unwrap();
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[root])).build();
    let client: ureq::Agent = ureq::Agent::config_builder().tls_config(tls).build().into();
    let page = || client.get(url(&bench)).call().unwrap().body_mut().read_to_string().unwrap();
    assert!(url(&bench).starts_with("https://"), "{}", url(&bench));
    assert!(page().contains("Hello, world"));
    bench.ok(&["apply", "--yes", "--param", "greeting=Salut"]);
    assert!(page().contains("Salut, world"));
}

#[test]
fn a_server_by_https_is_asked_and_led_to_once_it_is_trusted() {
    let inner = Bench::example("hello");
    inner.edit("rollout = blue_green {}", "rollout = blue_green {}\n  tls     = dev");
    inner.ok(&["apply", "--yes"]);
    let root = inner.path("root.pem");
    std::fs::write(&root, inner.ok(&["agent", "ca"])).unwrap();
    let server = format!("https://localhost:{}", inner.port);
    let bench = Bench::program(&format!(
        "external shop = endpoint {{ url = \"{server}\", health = http {{ healthy = 1, within = 1s, interval = 100ms }} }}\n\
         pointer front = route {{ listen = PORT, to = shop }}\n"
    ));
    let refused = bench.imm(&["apply", "--yes"]);
    assert!(refused.code != 0 && refused.err.contains("SSL_CERT_FILE"), "{refused:?}");
    bench.imm(&["agent", "stop"]);
    let trusting = |args: &[&str]| -> Said {
        let mut command = bench.command(args);
        let child = command.env("SSL_CERT_FILE", &root).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        finish(child, args)
    };
    let said = trusting(&["apply", "--yes"]);
    assert_eq!(said.code, 0, "{said:?}");
    for _ in 0..3 {
        assert!(bench.page().contains("Hello, world"));
    }
}

fn url(bench: &Bench) -> String {
    let shown = bench.json(&["show", "1"]);
    shown["outputs"]["url"].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned()
}
