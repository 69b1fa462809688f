//! A route with `tls = dev`: what its address says is true, and its certificate is of the root that `imm agent ca` prints.

use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::harness::Bench;

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

fn url(bench: &Bench) -> String {
    let shown = bench.json(&["show", "1"]);
    shown["outputs"]["url"].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned()
}
