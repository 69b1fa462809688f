//! `network = private`: a service on a loopback of its own is served through its route and switched like any other.

use crate::harness::Bench;

#[test]
fn a_private_service_is_served_switched_and_taken_back() {
    let bench = Bench::example("hello");
    bench.edit("port     = 8080", "port     = 8080\n  network  = private");
    bench.ok(&["apply", "--yes"]);
    assert!(bench.page().contains("Hello, world"));
    bench.ok(&["apply", "--yes", "--param", "greeting=Salut"]);
    assert!(bench.page().contains("Salut, world"));
    bench.ok(&["rollback", "--yes"]);
    assert!(bench.page().contains("Hello, world"));
    // What listens there is the door; the program has the port of the schema, and so has its neighbour.
    let said = bench.ok(&["logs", "--since", "5m"]);
    assert!(said.contains("/healthz"), "{said}");
}
