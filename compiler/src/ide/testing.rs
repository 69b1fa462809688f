//! Programs with a cursor, `$0`, for the tests of this folder.

use super::{Analysis, Place};
use crate::MemoryWorld;

/// The program without its cursor, and where that was. More files follow after `// --- NAME`.
pub fn at(text: &str) -> (Analysis, Place) {
    let (analysis, place) = program(text);
    (analysis, place.expect("a cursor, $0"))
}

/// The program, and where its cursor is if it has one.
pub fn program(text: &str) -> (Analysis, Option<Place>) {
    let mut world = MemoryWorld::default();
    let mut cursor = None;
    let mut name = "main.imm".to_owned();
    let mut rest = text;
    loop {
        let (part, next) = match rest.split_once("// --- ") {
            Some((part, next)) => (part, Some(next)),
            None => (rest, None),
        };
        let plain = part.replacen("$0", "", 1);
        if let Some(offset) = part.find("$0") {
            cursor = Some((name.clone(), u32::try_from(offset).expect("a short text")));
        }
        world.insert(&name, plain.as_bytes());
        let Some(next) = next else { break };
        let (title, body) = next.split_once('\n').expect("a name, then a program");
        name = title.trim().to_owned();
        rest = body;
    }
    let analysis = Analysis::new(&world, "");
    let place = cursor.map(|(name, offset)| Place { file: analysis.file(&name).expect("the file"), offset });
    (analysis, place)
}
