//! However a program is damaged, checking it ends with diagnostics or success.

use super::helper::checked;
use proptest::prelude::*;

const PROGRAMS: [&str; 7] = [
    include_str!("../../../../tests/suite/programs/canary/main.imm"),
    include_str!("../../../../tests/suite/programs/environments/main.imm"),
    include_str!("../../../../tests/suite/programs/fleet/main.imm"),
    include_str!("../../../../tests/suite/programs/secrets/main.imm"),
    include_str!("../../../../tests/suite/programs/static_site/main.imm"),
    include_str!("../../../../tests/suite/programs/web_worker_postgres/main.imm"),
    include_str!("../../../../tests/suite/programs/web_worker_postgres/tests.imm"),
];

/// Pieces of a program: words, numbers, strings' marks, signs, spaces.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let class = |c: char| (c.is_alphanumeric() || c == '_', c == ' ');
    for c in text.chars() {
        match pieces.last_mut() {
            Some(last) if last.chars().last().is_some_and(|l| class(l) == class(c)) && class(c) != (false, false) => {
                last.push(c);
            }
            _other => pieces.push(c.to_string()),
        }
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn checking_never_panics(
        which in 0..PROGRAMS.len(),
        changes in prop::collection::vec((0..4u8, any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6),
    ) {
        let mut program = pieces(PROGRAMS[which]);
        for (change, at, other) in changes {
            let (at, other) = (at.index(program.len()), other.index(program.len()));
            match change {
                0 => { program.remove(at); }
                1 => { let piece = program[other].clone(); program.insert(at, piece); }
                2 => program.swap(at, other),
                _ => { let piece = program[other].clone(); program[at] = piece; }
            }
        }
        let text = program.concat();
        let (module, found, sources) = checked(&text);
        // Labels lie inside of the text.
        for diagnostic in &found {
            for label in &diagnostic.labels {
                prop_assert!(sources.get(label.span.file).is_some_and(|f| f.text.get(label.span.range()).is_some()), "{diagnostic:?}");
            }
        }
        // What is broken was reported.
        let broken = module.lets.iter().any(|l| l.value.ty == imm_ir::Type::Error);
        prop_assert!(!broken || found.iter().any(imm_ir::Diagnostic::is_error), "{text}");
    }
}
