//! A real HTTP load through consecutive applies: not one request fails.

use crate::harness::Bench;
use crate::harness::http::Load;

#[test]
fn twenty_cut_overs_lose_no_request() {
    let bench = Bench::example("hello");
    bench.ok(&["apply", "--yes"]);
    let load = Load::start(bench.port, 8);
    for round in 0..20 {
        let before = load.good();
        bench.ok(&["apply", "--yes", "--param", &format!("greeting=Round{round}")]);
        assert!(bench.page().contains(&format!("Round{round}, world")));
        assert!(load.good() > before, "requests went through during round {round}");
    }
    let (good, failures) = load.stop();
    assert!(failures.is_empty(), "{} of {good} failed: {:?}", failures.len(), &failures[..failures.len().min(5)]);
    assert!(good > 1000, "only {good} requests were made");
}
