//! Programs with a cursor, and what can be typed there.

use super::*;
use crate::ide::testing::at;

fn labels(text: &str) -> Vec<String> {
    let (analysis, place) = at(text);
    let found = complete(&analysis, place);
    found.map(|found| found.items.into_iter().map(|item| item.label).collect()).unwrap_or_default()
}

fn first(text: &str) -> String {
    labels(text).into_iter().next().unwrap_or_default()
}

const HELLO: &str = "param greeting: String = \"\"\nresource app = image { files = {}, cmd = [\"a\"] }\n";

#[test]
fn fields_of_a_kind() {
    let all = labels(&format!("{HELLO}resource web = service {{\n  $0\n}}\n"));
    assert_eq!(all.first().map(String::as_str), Some("image"), "{all:?}");
    assert!(all.contains(&"replicas".to_owned()), "{all:?}");
    let all = labels(&format!("{HELLO}resource web = service {{\n  image = app\n  re$0\n}}\n"));
    assert_eq!(all.first().map(String::as_str), Some("replicas"));
    assert!(!all.contains(&"image".to_owned()));
}

#[test]
fn fields_without_a_closing_brace() {
    let web = |inside: &str| first(&format!("{HELLO}resource web = service {{\n{inside}"));
    assert_eq!(web("  image = app\n  hea$0\n\nlet a = 1\n"), "health");
    // Nothing typed yet.
    assert_eq!(web("  $0\n"), "image");
    assert_eq!(web("  image = app\n  $0\n\nlet a = 1\n"), "port");
}

#[test]
fn variants_and_their_payload() {
    let all = labels(&format!("{HELLO}resource web = service {{\n  image = app\n  health = $0\n}}\n"));
    assert_eq!(all.iter().take(2).collect::<Vec<_>>(), ["http", "tcp"]);
    let all = labels(&format!("{HELLO}resource web = service {{\n  image = app\n  health = http {{ pa$0 }}\n}}\n"));
    assert_eq!(all.first().map(String::as_str), Some("path"));
    assert_eq!(first("type T = a | b\nlet x = T.$0\n"), "a");
    assert_eq!(first("type T = aa | bb\nparam t: T = b$0\n"), "bb");
}

#[test]
fn values_that_fit_come_first() {
    assert_eq!(first(&format!("{HELLO}resource web = service {{ image = $0 }}\n")), "app");
    assert_eq!(first("param n: Int\nlet other = \"\"\nlet a: Int = $0\n"), "a");
    assert!(labels("let a = [1].map(item => i$0)\n").contains(&"item".to_owned()));
}

#[test]
fn members() {
    let front = "resource page = site { files = { a = \"\" } }\npointer front = route { listen = 8080, to = page }\n";
    let all = labels(&format!("{front}output u = front.$0\n"));
    assert!(all.contains(&"url".to_owned()), "{all:?}");
    assert!(labels("let a = \"x\".$0\n").contains(&"split".to_owned()));
    assert!(labels("let a = { b = 1 }\nlet c = a.$0\n").contains(&"b".to_owned()));
    assert!(labels("component c {\n  output o = 1\n}\nuse x = c {}\noutput y = x.$0\n").contains(&"o".to_owned()));
    assert!(labels("import std.net\nlet a = net.$0\n").contains(&"subnet".to_owned()));
}

#[test]
fn kinds_and_components() {
    let all = labels("resource web = $0");
    assert!(all.contains(&"service".to_owned()) && !all.contains(&"volume".to_owned()), "{all:?}");
    assert_eq!(first("durable v = vo$0\n"), "volume");
    assert_eq!(first("component page {\n  output o = 1\n}\nuse x = p$0\n"), "page");
    assert!(labels("import std.parts\nuse x = parts.$0\n").contains(&"web_service".to_owned()));
}

#[test]
fn types_patterns_and_words() {
    assert_eq!(first("type Tier = a | b\nparam t: T$0\n"), "Tier");
    assert!(labels("param t: $0\n").contains(&"String".to_owned()));
    let all = labels("type T = a | b\nparam t: T\nlet x = match t { a => 1, $0 => 2 }\n");
    assert!(all.contains(&"b".to_owned()), "{all:?}");
    assert_eq!(first("re$0\n"), "resource");
    assert!(labels("let a = 1\n$0\n").contains(&"output".to_owned()));
    assert!(labels("test \"x\" {\n  ap$0\n}\n").contains(&"apply".to_owned()));
    assert!(labels("component c {\n  par$0\n}\n").contains(&"param".to_owned()));
}

#[test]
fn nothing_in_texts_and_comments() {
    assert!(labels("// le$0\n").is_empty());
    assert!(labels("let a = \"b$0c\"\n").is_empty());
    assert!(labels("let a = 1$0\n").is_empty());
}

#[test]
fn a_hole_of_a_text_is_an_expression() {
    assert!(labels("let name = 1\nlet a = \"b ${na$0}\"\n").contains(&"name".to_owned()));
}
