//! Any program is checked and compiled: no panic, and an end within the budget.
#![no_main]

use imm_compiler::{MemoryWorld, Options, check, compile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let world = MemoryWorld::new([("main.imm", text), ("a.txt", "{{ a }}")]);
    let options = Options::default();
    let wrong = check(&world, "", &options).diagnostics.iter().any(|diagnostic| diagnostic.is_error());
    // A program without a mistake lacks nothing but values of params. (One with a mistake in a test alone can be compiled.)
    if let (false, Err(failed)) = (wrong, compile(&world, "", &options)) {
        assert!(failed.diagnostics.iter().any(|diagnostic| diagnostic.code.0 == "missing-param"), "{failed:?}");
    }
});
