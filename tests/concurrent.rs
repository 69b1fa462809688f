//! Two applies at once: the second is refused by name of the first's owner; a dead holder is taken over.

use crate::harness::{Bench, eventually, finish};
use std::process::Stdio;

#[test]
fn the_second_apply_is_refused_by_name_and_a_dead_holder_is_taken_over() {
    let bench = Bench::example("hello");
    // Never healthy: the first apply stays in its build phase until it is killed.
    bench.edit("/healthz", "/nowhere");
    let args = ["apply", "--yes"];
    let mut first = bench.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the first apply started", || bench.processes().iter().any(|(_, c)| c.contains("__container")));
    let second = bench.imm(&args);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.err.contains(&format!("process {}", first.id())), "{second:?}");
    first.kill().unwrap();
    first.wait().unwrap();

    bench.edit("/nowhere", "/healthz");
    let status = bench.imm(&["status"]);
    assert!(status.code == 0 && status.err.contains("interrupted"), "{status:?}");
    let child = bench.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let third = finish(child, &args);
    assert_eq!(third.code, 0, "{third:?}");
    assert!(bench.page().contains("Hello, world"));
}
