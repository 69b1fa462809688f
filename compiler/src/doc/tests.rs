//! What pages say.

use super::*;
use crate::MemoryWorld;

const PROGRAM: &str = r#"//! A shop.

/// The word on the front page.
param greeting: String = "Hello" where it.len() >= 1
/// Small or large.
type Size = small | large
/// Twice as much.
pub fn twice(n: Int) -> Int = n * 2
/// All that a shop needs.
component shop {
  /// Where it listens.
  param listen: Port
  resource app = image {}
  /// Where it is reached.
  output port: Int = listen
}
/// The image.
resource app = image { labels = { greeting } }
/// How many.
output many: Int = twice(1)
"#;

fn page(text: &str) -> Page {
    program(&MemoryWorld::new([("main.imm", text)]), "").unwrap_or_else(|f| panic!("{:?}", f.diagnostics))
}

#[test]
fn a_program_shows_what_was_written_without_what_it_is_made_of() {
    let page = page(PROGRAM);
    assert_eq!(page.docs, "A shop.");
    let sections: Vec<&str> = page.sections.iter().map(|s| s.title).collect();
    assert_eq!(sections, ["Params", "Types", "Functions", "Components", "Nodes", "Outputs"]);
    let signatures: Vec<&str> =
        page.sections.iter().flat_map(|s| &s.entries).map(|entry| entry.signature.as_str()).collect();
    assert_eq!(
        signatures,
        [
            "param greeting: String = \"Hello\" where it.len() >= 1",
            "type Size = small | large",
            "pub fn twice(n: Int) -> Int",
            "use NAME = shop { … }",
            "resource app = image",
            "output many: Int",
        ]
    );
    let text = markdown(&page, 1);
    for part in ["# program\n\nA shop.\n", "### `shop`", "- `param listen: Port`: Where it listens.", "Twice as much."]
    {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(text.ends_with("How many.\n"), "{text}");
}

#[test]
fn a_broken_program_has_diagnostics_instead_of_a_page() {
    let broken = program(&MemoryWorld::new([("main.imm", "param a: = 1")]), "").unwrap_err();
    assert!(!broken.diagnostics.is_empty());
    // What is only wrong in its types can be read.
    assert_eq!(page("/// x\nlet a: Int = \"b\"\n").sections.len(), 1);
}

#[test]
fn every_name_has_a_page_and_every_entry_says_something() {
    let all = names();
    assert!(all.len() > 80, "{all:?}");
    for name in &all {
        let page = builtin(name).unwrap_or_else(|| panic!("{name} has no page"));
        assert!(!page.sections.is_empty(), "{name}");
        for entry in page.sections.iter().flat_map(|section| &section.entries) {
            assert!(!entry.docs.is_empty(), "{name}: {} is not documented", entry.name);
            for part in &entry.parts {
                assert!(!part.docs.is_empty(), "{name}: {} in {} is not documented", part.name, entry.name);
            }
        }
    }
    assert_eq!(builtin("nothing"), None);
    assert_eq!(builtin("String.nothing"), None);
    assert!(builtin("net.Cidr").is_some() && builtin("parts.web_service").is_some());
}
