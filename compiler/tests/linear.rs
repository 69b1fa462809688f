//! Twice the program costs twice as much, not four times: counted in allocations, which the same program makes again on any
//! machine, whatever else it does. A search through all that was declared before allocates, as does a suggestion.

use imm_compiler::{MemoryWorld, Options, check};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A program with one line, or a few, for each number.
fn program(n: usize, head: &str, line: &str, tail: &str) -> String {
    let mut text = head.to_owned();
    for i in 0..n {
        text.push_str(&line.replace("{i}", &i.to_string()));
        text.push('\n');
    }
    text.push_str(tail);
    text
}

fn cost(text: &str) -> usize {
    let world = MemoryWorld::new([("main.imm", text)]);
    let before = ALLOCATOR.stats().allocations;
    drop(check(&world, "main.imm", &Options::default()));
    ALLOCATOR.stats().allocations - before
}

#[test]
fn the_cost_of_a_check_is_linear_in_the_program() {
    let shapes = [
        ("resources", "", "resource r{i} = image { labels = { A = \"{i}\" } }", ""),
        (
            "services",
            "resource app = image {}\n",
            "resource s{i} = service { image = app, port = 80, health = http {} }\npointer f{i} = route { to = s{i} }",
            "",
        ),
        ("components", "", "component c{i} {\n  output o = {i}\n}\nuse u{i} = c{i} {}\noutput o{i} = u{i}.o", ""),
        (
            "uses",
            "component c {\n  param n: Int\n  output o = n\n}\n",
            "use u{i} = c { n = {i} }\noutput o{i} = u{i}.o",
            "",
        ),
        ("types", "", "type T{i} = a{i} | b{i}\nparam p{i}: T{i} = a{i}\noutput o{i} = p{i} == a{i}", ""),
        ("functions", "fn g(a: Int) -> Int = a\n", "fn f{i}(a: Int) -> Int = g(a)\noutput o{i} = f{i}(1)", ""),
        ("a map", "let m: Map[Int] = {\n", "  \"k{i}\" = {i}", "}\noutput o = m.len()\n"),
        ("a record", "let m = {\n", "  k{i} = {i}", "}\noutput o = m.k1\n"),
        ("a list", "let m = [\n", "  {i},", "]\noutput o = m.len()\n"),
        ("a match", "param n: Int = 1\noutput o = match n {\n", "  {i} => {i}", "  _ => 0\n}\n"),
        ("asserts", "param a: Int = 0\n", "assert a != {i} + 5 else \"x\"", ""),
        ("environments", "param a: Int = 1\noutput o = a\n", "environment e{i} { params = { a = {i} } }", ""),
        ("names that are nowhere", "", "let a{i} = b{i}", ""),
        ("values that are missing", "", "let a{i} = +", ""),
        ("braces that are never closed", "", "resource a{i} = image {", ""),
        ("strings that are never closed", "", "let a{i} = \"x", ""),
    ];
    let mut wrong = Vec::new();
    for (name, head, line, tail) in shapes {
        let [once, twice] = [1500, 3000].map(|n| cost(&program(n, head, line, tail)));
        // A growing table now and then adds a little.
        if twice * 10 > once * 23 {
            wrong.push(format!("{name}: {once} allocations, then {twice}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
