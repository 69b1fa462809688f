//! Words of the language: what an item, a component and a step of a test begin with.

use super::{Completion, CompletionKind, item};
use crate::ide::cursor::Marked;
use imm_syntax::ast::ItemKind;

pub(super) const ITEM_WORDS: [(&str, &str); 16] = [
    ("resource", "resource ${1:name} = $0"),
    ("durable", "durable ${1:name} = $0"),
    ("pointer", "pointer ${1:name} = $0"),
    ("external", "external ${1:name} = $0"),
    ("use", "use ${1:name} = $0"),
    ("param", "param ${1:name}: $0"),
    ("let", "let ${1:name} = $0"),
    ("type", "type ${1:Name} = $0"),
    ("fn", "fn ${1:name}($2) -> ${3:Int} = $0"),
    ("component", "component ${1:name} {\n  $0\n}"),
    ("output", "output ${1:name} = $0"),
    ("assert", "assert $1 else \"$0\""),
    ("import", "import $0"),
    ("environment", "environment ${1:name} {\n  $0\n}"),
    ("test", "test \"${1:name}\" {\n  $0\n}"),
    ("pub", "pub $0"),
];
const COMPONENT_WORDS: [&str; 9] =
    ["param", "let", "resource", "durable", "pointer", "external", "use", "output", "assert"];
const STEP_WORDS: [(&str, &str); 7] = [
    ("given", "given { $0 }"),
    ("apply", "apply"),
    ("rollback", "rollback"),
    ("recover", "recover"),
    ("fault", "fault $0"),
    ("sample", "sample $0"),
    ("expect", "expect $0"),
];

pub(super) fn item_words(words: &[(&str, &str)]) -> Vec<Completion> {
    let one = |(word, insert): &(&str, &str)| Completion {
        insert: (*insert).to_owned(),
        ..item(word, CompletionKind::Keyword)
    };
    words.iter().map(one).collect()
}

/// Where the grammar wants a word of the language.
pub(super) fn words_in(marked: &Marked) -> Vec<Completion> {
    let inside = |kind: &ItemKind| match kind {
        ItemKind::Test(_) => item_words(&STEP_WORDS),
        ItemKind::Component(_) => {
            let words: Vec<_> = ITEM_WORDS.into_iter().filter(|(w, _)| COMPONENT_WORDS.contains(w)).collect();
            item_words(&words)
        }
        ItemKind::Node(node) if node.with.is_none() => {
            vec![Completion { insert: "with {\n  $0\n}".to_owned(), ..item("with", CompletionKind::Keyword) }]
        }
        ItemKind::Param(_) => vec![item("where", CompletionKind::Keyword)],
        ItemKind::Assert(_) => vec![item("else", CompletionKind::Keyword)],
        _other => Vec::new(),
    };
    inside(&marked.item.kind)
}
