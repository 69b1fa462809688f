//! Programs grown from the grammar: every rule, with new lines, empty lines and comments wherever they may stand.
//!
//! A run of numbers makes the choices, and zeros choose what is smallest: so a failing program shrinks by itself. What is
//! grown is always a program, so a diagnostic is a fault of the parser or of this file.

#![expect(clippy::indexing_slicing, reason = "a choice is taken modulo how many there are")]

use super::formatted;
use proptest::prelude::*;

const NAMES: [&str; 6] = ["a", "web", "shop_front", "b2", "live", "x"];
const KEYS: [&str; 10] = ["a", "image", "a_long_key", "for", "type", "match", "resource", "some", "param", "\"x-y\""];
const ATOMS: [&str; 12] =
    ["1", "a", "true", "none", "2.5", "30s", "512MB", "\"\"", "\"a, b // c\"", r#"r"\d{""#, "xs", "1_000"];
const OPERATORS: [&str; 16] =
    ["+", "-", "*", "/", "&&", "||", "??", "==", "!=", "<", "<=", ">", ">=", "in", "..", "..="];
const COMMENTS: [&str; 4] = ["// note", "//", "// { [ ( \" ${", "// let a = 1,  "];

/// Writes a program as its choices say.
struct Grower<'a> {
    choices: std::slice::Iter<'a, u8>,
    text: String,
    /// How many constructs are around.
    depth: usize,
    /// Within a string of one line nothing may break.
    flat: bool,
}

impl Grower<'_> {
    fn pick(&mut self, of: usize) -> usize {
        self.choices.next().map_or(0, |n| usize::from(*n) % of)
    }

    fn any(&mut self, of: &[&str]) {
        let chosen = self.pick(of.len());
        self.put(of[chosen]);
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn name(&mut self) {
        self.any(&NAMES);
    }

    /// Some space, or none where `apart` does not need it.
    fn gap(&mut self, apart: bool) {
        let widths = if apart { [" ", "  ", "\t"] } else { ["", " ", "  "] };
        self.any(&widths);
    }

    /// An operator or another sign with some space around it.
    fn sign(&mut self, sign: &str) {
        self.gap(false);
        self.put(sign);
        self.gap(false);
    }

    /// One new line or more, with comments behind, between and before what comes.
    fn line(&mut self) {
        if self.pick(4) == 3 {
            self.gap(false);
            self.any(&COMMENTS);
        }
        self.any(&["\n", "\r\n"]);
        for _ in 0..self.pick(3) {
            self.gap(false);
            if self.pick(2) == 1 {
                self.any(&COMMENTS);
            }
            self.put("\n");
        }
        self.gap(false);
    }

    /// Where a line may break, but need not.
    fn fold(&mut self) {
        if !self.flat && self.pick(4) == 3 { self.line() } else { self.gap(false) }
    }

    /// `OPEN part part CLOSE`, each after the first behind a separator: of these, a comma, a new line, or both.
    fn group(
        &mut self,
        (open, close): (&str, &str),
        comma: bool,
        newline: bool,
        parts: usize,
        part: impl Fn(&mut Self),
    ) {
        self.put(open);
        self.fold();
        for index in 0..parts {
            part(self);
            let last = index + 1 == parts;
            match (comma, newline && !self.flat) {
                _ if last && (self.flat || self.pick(2) == 0) => self.fold(),
                (true, false) => {
                    self.fold();
                    self.put(",");
                    self.fold();
                }
                (true, true) if self.pick(2) == 0 => {
                    self.sign(",");
                    self.fold();
                }
                _ => self.line(),
            }
        }
        self.put(close);
    }

    fn few(&mut self) -> usize {
        if self.depth > 5 { 0 } else { self.pick(4) }
    }

    fn nested(&mut self, part: impl Fn(&mut Self)) {
        self.depth += 1;
        part(self);
        self.depth -= 1;
    }

    fn expr(&mut self) {
        let forms = if self.depth > 5 { 1 } else { 9 };
        let form = self.pick(forms);
        self.nested(|g| match form {
            0 => g.any(&ATOMS),
            1 => g.binary(),
            2 => g.postfix(),
            3 => {
                g.any(&["!", "-", "!!", "- -"]);
                g.postfix();
            }
            4 => {
                g.put("if ");
                g.expr();
                g.put(" then ");
                g.expr();
                g.put(" else ");
                g.expr();
            }
            5 => g.lambda(),
            6 => g.matching(),
            7 => g.block(),
            _ => {
                g.any(&["small", "Size.small", "some_variant"]);
                g.gap(false);
                g.block();
            }
        });
    }

    fn binary(&mut self) {
        let operator = self.pick(OPERATORS.len());
        self.postfix();
        let more = if operator < 7 { 1 + self.pick(3) } else { 1 };
        for _ in 0..more {
            self.gap(true);
            self.put(OPERATORS[operator]);
            self.gap(true);
            if !self.flat && self.pick(5) == 4 {
                self.line();
            }
            self.postfix();
        }
    }

    /// What suffixes and operators may follow.
    fn postfix(&mut self) {
        let forms = if self.depth > 5 { 1 } else { 6 };
        match self.pick(forms) {
            0 => self.name(),
            1 => self.group(("(", ")"), false, false, 1, |g| g.nested(Self::expr)),
            2 => self.list(),
            3 => self.string(),
            4 => self.any(&["Size.small", "std.net", "a?.b", "4 .len", "4.5  .len", "10ms .len", "4 ?.len", "4.abs()"]),
            _ => {
                self.name();
                self.args();
            }
        }
        for _ in 0..self.pick(3) {
            match self.pick(4) {
                0 => self.put(".len"),
                1 => {
                    self.put("?.map");
                    self.args();
                }
                2 => self.group(("[", "]"), false, false, 1, |g| g.nested(Self::expr)),
                _ => {
                    self.fold();
                    self.put(".fold");
                    self.args();
                }
            }
        }
    }

    fn args(&mut self) {
        let count = self.few();
        self.group(("(", ")"), true, false, count, |g| g.nested(Self::expr));
    }

    fn list(&mut self) {
        if self.pick(4) == 3 {
            return self.group(("[", "]"), false, false, 1, |g| {
                g.for_head();
                g.sign(":");
                g.nested(Self::expr);
            });
        }
        let count = self.few();
        self.group(("[", "]"), true, false, count, |g| {
            g.any(&["", "..", ".. "]);
            g.nested(Self::expr);
        });
    }

    fn for_head(&mut self) {
        self.put("for ");
        self.any(&["x", "name,site", "_ , x"]);
        self.put(" in ");
        self.nested(Self::expr);
        if self.pick(3) == 2 {
            self.put(" if ");
            self.nested(Self::expr);
        }
    }

    fn lambda(&mut self) {
        self.any(&["x", "(a,b)", "( a , b , )", "()", "_"]);
        self.sign("=>");
        self.expr();
    }

    fn matching(&mut self) {
        self.put("match ");
        self.postfix();
        self.put(" ");
        let count = 1 + self.few();
        self.group(("{", "}"), true, true, count, |g| {
            for index in 0..1 + g.pick(3) {
                if index > 0 {
                    g.sign("|");
                }
                g.any(&["_", "a", "-1", "some(x)", "none", "\"s\"", "small{n,..}", "Size.small", "5s", "b { n , m }"]);
            }
            g.sign("=>");
            g.nested(Self::expr);
        });
    }

    fn block(&mut self) {
        if self.pick(6) == 5 {
            return self.group(("{", "}"), false, false, 1, |g| {
                g.for_head();
                g.sign(":");
                g.put("[");
                g.nested(Self::expr);
                g.put("]");
                g.sign("=");
                g.nested(Self::expr);
            });
        }
        let count = self.few() * 2;
        self.group(("{", "}"), true, true, count, |g| match g.pick(6) {
            4 => g.name(),
            5 => {
                g.put("..");
                g.nested(Self::expr);
            }
            _ => {
                g.any(&KEYS);
                g.sign("=");
                g.nested(Self::expr);
            }
        });
    }

    fn string(&mut self) {
        let (open, between, close) = match self.pick(if self.flat { 2 } else { 3 }) {
            0 => ("\"a", " ", "\""),
            1 => ("\"\\n  ", "\\${", "// \""),
            _ => ("\"\"\"\n    a", "\n      b  ", "\n    \"\"\""),
        };
        let was = std::mem::replace(&mut self.flat, true);
        self.put(open);
        for _ in 0..self.few() {
            self.put("${");
            self.nested(Self::expr);
            self.put("}");
            self.put(between);
        }
        self.put(close);
        self.flat = was;
    }

    fn ty(&mut self) {
        let forms = if self.depth > 5 { 2 } else { 8 };
        let form = self.pick(forms);
        self.nested(|g| match form {
            0 => g.put("Int"),
            1 => g.put("std.net.Port"),
            2 => {
                g.put("~");
                g.ty();
            }
            3 => g.group(("[", "]"), false, false, 1, Self::ty),
            4 => g.group(("(", ")"), false, false, 1, Self::ty),
            5 => g.group(("Map[", "]"), false, false, 1, Self::ty),
            6 => g.record(),
            _ => g.any(&["String?", "String ? ?", "[ Int ] ?"]),
        });
    }

    fn record(&mut self) {
        let count = self.few();
        self.group(("{", "}"), true, true, count, |g| {
            g.any(&KEYS);
            g.sign(":");
            g.nested(Self::ty);
        });
    }

    fn annotation(&mut self) {
        if self.pick(2) == 1 {
            self.sign(":");
            self.ty();
        }
    }

    fn docs(&mut self) {
        for _ in 0..self.pick(3) {
            self.any(&["/// Says what it is.\n", "///\n", "  ///   - indented  \n"]);
        }
    }

    fn node(&mut self) {
        self.any(&["resource ", "durable ", "pointer ", "external ", "use "]);
        self.name();
        match self.pick(4) {
            2 => {
                self.put(" if ");
                self.expr();
            }
            3 => {
                self.put(" ");
                self.for_head();
            }
            _ => {}
        }
        self.sign("=");
        self.any(&["image", "parts.web", "service"]);
        self.gap(false);
        self.block();
        if self.pick(4) == 3 {
            self.any(&[" with", "with ", "\nwith "]);
            self.block();
        }
    }

    /// What may stand in a component too.
    fn inner_item(&mut self) {
        self.docs();
        match self.pick(6) {
            0 => {
                self.put("let ");
                self.name();
                self.annotation();
                self.sign("=");
                self.expr();
            }
            1 => self.node(),
            2 => {
                self.put("param ");
                self.name();
                self.sign(":");
                self.ty();
                if self.pick(2) == 1 {
                    self.sign("=");
                    self.expr();
                }
                if self.pick(3) == 2 {
                    self.put(" where ");
                    self.expr();
                }
            }
            3 => {
                self.put("output ");
                self.name();
                self.annotation();
                self.sign("=");
                self.expr();
            }
            4 => self.node(),
            _ => {
                self.put("assert ");
                self.expr();
                self.put(" else ");
                self.string();
            }
        }
    }

    fn item(&mut self) {
        let form = self.pick(10);
        if form < 4 {
            return self.inner_item();
        }
        self.docs();
        match form {
            4 => {
                self.any(&["type Size", "pub type Size"]);
                self.sign("=");
                self.any(&["", "|", "| "]);
                self.put("small|");
                self.put("large");
                self.gap(false);
                self.record();
            }
            5 => {
                self.put("type Port = ");
                self.ty();
                self.any(&["", " where it>0"]);
            }
            6 => {
                self.any(&["fn ", "pub  fn "]);
                self.name();
                let count = self.few();
                self.group(("(", ")"), true, false, count, |g| {
                    g.name();
                    g.sign(":");
                    g.ty();
                });
                self.sign("->");
                self.ty();
                self.sign("=");
                self.expr();
            }
            7 => {
                self.any(&["component ", "pub component "]);
                self.name();
                self.gap(false);
                let count = self.few();
                self.group(("{", "}"), false, true, count, |g| g.nested(Self::inner_item));
            }
            8 => {
                self.any(&["import std.net", "import  \"./lib\"  as lib", "provider p = host "]);
                if self.text.ends_with("host ") {
                    self.block();
                }
            }
            _ => {
                self.put("test \"it starts\"{");
                self.line();
                for _ in 0..self.few() {
                    self.any(&["given", "apply", "rollback", "recover", "fault stop", "sample live", "expect "]);
                    if self.text.ends_with("expect ") {
                        self.expr();
                    } else if !["apply", "rollback", "recover"].iter().any(|word| self.text.ends_with(word)) {
                        self.block();
                    }
                    self.line();
                }
                self.put("}");
            }
        }
    }
}

fn grown(choices: &[u8]) -> String {
    let mut grower = Grower { choices: choices.iter(), text: String::new(), depth: 0, flat: false };
    while !grower.choices.as_slice().is_empty() {
        grower.item();
        grower.line();
    }
    grower.text
}

/// 512 programs, or as many as `PROPTEST_CASES` says for a longer run.
fn cases() -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default()
    } else {
        ProptestConfig::with_cases(512)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..cases() })]

    #[test]
    fn grown_programs_stay_what_they_are(choices in prop::collection::vec(any::<u8>(), 0..300)) {
        formatted(&grown(&choices));
    }
}
