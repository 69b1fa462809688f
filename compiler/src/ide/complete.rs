//! What can be typed at a place: fields, variants, kinds, bindings, members, types, words.

use super::cursor::{Marked, cursor, marked, token_around, word};
use super::{Analysis, Place};
use crate::check::facts::{BlockOf, CURSOR, Cursor, KnownBlock, Symbol, symbol};
use crate::check::inspect::Inspection;
use crate::resolve::Def;
use crate::types::{core_of, fits, peel, unrefined};
use imm_ir::{Class, Span, Type, VariantType, builtin};
use imm_syntax::Tok;
use imm_syntax::ast::{ItemKind, NodeKeyword};

/// What may stand at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completions {
    /// The word that is replaced.
    pub span: Span,
    /// The best first.
    pub items: Vec<Completion>,
    /// Not all fit into the answer: ask again when more is typed.
    pub cut: bool,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The name.
    pub label: String,
    /// What it is.
    pub kind: CompletionKind,
    /// Its type or signature.
    pub detail: String,
    /// What is said of it, Markdown.
    pub docs: String,
    /// What is inserted; `$0` in it is where typing goes on, and `\$` a dollar sign.
    pub insert: String,
    /// Smaller is better.
    pub rank: u8,
}

/// What a completion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompletionKind {
    /// A field of a block or record, an output.
    Field,
    /// A variant.
    Variant,
    /// A kind of node.
    Kind,
    /// A component.
    Component,
    /// A param, let, local or node.
    Value,
    /// A function.
    Function,
    /// A method.
    Method,
    /// A type.
    Type,
    /// An import alias.
    Module,
    /// A word of the language.
    Keyword,
}

/// More than these are not answered at once.
const MOST: usize = 200;
/// With more bindings than this only cheap types are looked at.
const MANY: usize = 400;

/// What can be typed at a place.
pub fn complete(analysis: &Analysis, at: Place) -> Option<Completions> {
    let at = analysis.inner(at);
    let text = analysis.text(at.file);
    let silent = [Tok::Comment, Tok::Doc, Tok::ModuleDoc, Tok::Hash, Tok::Str, Tok::RawStr, Tok::StrText];
    let (start, end) = word(text, at.offset);
    let typed = text.get(start..at.offset as usize).unwrap_or_default();
    if typed.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut items = match marked(analysis, at) {
        Some(marked) => marked.inspect(analysis, |inspection, facts| match cursor(facts) {
            Some(cursor) => of_cursor(inspection, cursor),
            None => words_in(&marked),
        }),
        None if token_around(text, at.offset).is_some_and(|token| silent.contains(&token.kind)) => return None,
        None if starts_line(text, start) => item_words(&ITEM_WORDS),
        None => return None,
    };
    let lower = typed.to_lowercase();
    items.retain(|item| is_like(&item.label.to_lowercase(), &lower));
    items.sort_by(|a, b| {
        let key = |c: &Completion| (!c.label.starts_with(typed), c.rank);
        // Fields and variants stay in the order in which they are declared.
        key(a).cmp(&key(b))
    });
    let mut seen = std::collections::HashSet::new();
    items.retain(|item| seen.insert((item.label.clone(), item.kind)));
    let cut = items.len() > MOST;
    items.truncate(MOST);
    Some(Completions { span: analysis.whole(Span::new(at.file, start, end)), items, cut })
}

/// Whether the letters of `typed` stand in `label` in this order.
fn is_like(label: &str, typed: &str) -> bool {
    let mut rest = label.chars();
    typed.chars().all(|c| rest.any(|other| other == c))
}

fn starts_line(text: &str, start: usize) -> bool {
    let line = text.get(..start).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
    line.trim().is_empty() || line.trim() == "pub"
}

fn item(label: &str, kind: CompletionKind) -> Completion {
    Completion {
        label: label.to_owned(),
        kind,
        detail: String::new(),
        docs: String::new(),
        insert: label.to_owned(),
        rank: 5,
    }
}

const ITEM_WORDS: [(&str, &str); 16] = [
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

fn item_words(words: &[(&str, &str)]) -> Vec<Completion> {
    let one = |(word, insert): &(&str, &str)| Completion {
        insert: (*insert).to_owned(),
        ..item(word, CompletionKind::Keyword)
    };
    words.iter().map(one).collect()
}

/// Where the grammar wants a word of the language.
fn words_in(marked: &Marked) -> Vec<Completion> {
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

fn of_cursor(inspection: &mut Inspection<'_>, cursor: &Cursor) -> Vec<Completion> {
    match cursor {
        Cursor::Value { scope, locals, want, tested } => {
            let mut all = want.as_ref().map(literals).unwrap_or_default();
            let fit = |ty: &Type| want.as_ref().is_none_or(|want| fits(ty, want).is_ok());
            for (name, ty) in locals.iter().rev() {
                let rank = if fit(ty) { 1 } else { 4 };
                all.push(Completion { detail: ty.to_string(), rank, ..item(name, CompletionKind::Value) });
            }
            all.extend(bindings(inspection, *scope, want.as_ref(), *tested));
            all.extend(functions(want.as_ref()));
            all
        }
        Cursor::Member { of, tested } => members(inspection, of, *tested),
        Cursor::Module { module, kinds } => module_members(inspection, *module, *kinds),
        Cursor::Variants(Type::Variant(variant)) => variants(variant),
        Cursor::Variants(_) => Vec::new(),
        Cursor::Key(block) => keys(inspection, block),
        Cursor::Type(scope) => types(inspection, *scope),
        Cursor::Kind(scope, keyword) => kinds(inspection, *scope, *keyword),
        Cursor::Pattern(ty) => patterns(ty),
        Cursor::Words(what, words) => {
            let one = |word: &&str| Completion {
                insert: format!("{word} {{ $0 }}"),
                detail: (*what).to_owned(),
                ..item(word, CompletionKind::Variant)
            };
            words.iter().map(one).collect()
        }
        Cursor::Pointer(scope) => {
            let all = inspection.values(*scope);
            let pointers = all
                .into_iter()
                .filter(|(_, def)| matches!(def, Def::Node(id) if inspection.node_class(*id) == Some(Class::Pointer)));
            pointers
                .map(|(name, _)| Completion { insert: format!("{name} {{ $0 }}"), ..item(name, CompletionKind::Value) })
                .collect()
        }
    }
}

/// Variants, `none`, `true`: what the wanted type itself offers.
fn literals(want: &Type) -> Vec<Completion> {
    let mut all = Vec::new();
    let optional = matches!(peel(want).0, Type::Option(_));
    let word = |text: &str, rank| Completion { rank, ..item(text, CompletionKind::Keyword) };
    if optional {
        all.push(word("none", 2));
    }
    match core_of(want).0 {
        Type::Variant(variant) => all.extend(variants(variant)),
        Type::Bool => all.extend([word("true", 1), word("false", 1)]),
        Type::Function(function) => {
            let names: Vec<String> = match function.params.len() {
                1 => vec!["x".to_owned()],
                2 => vec!["new".to_owned(), "old".to_owned()],
                n => (1..=n).map(|i| format!("a{i}")).collect(),
            };
            let head = if names.len() == 1 { names.concat() } else { format!("({})", names.join(", ")) };
            let label = format!("{head} => …");
            all.push(Completion {
                insert: format!("{head} => $0"),
                detail: want.to_string(),
                rank: 0,
                ..item(&label, CompletionKind::Function)
            });
        }
        _other => {}
    }
    all
}

fn variants(variant: &VariantType) -> Vec<Completion> {
    let one = |case: &imm_ir::VariantCase| {
        let required: Vec<&str> = case
            .payload
            .fields
            .iter()
            .filter(|f| f.default.is_none() && !is_optional(&f.ty))
            .map(|f| &*f.name)
            .collect();
        let insert = match (case.payload.fields.as_slice(), required.as_slice()) {
            ([], _) | (_, []) => case.tag.to_string(),
            (_, required) => {
                let fields = required.iter().enumerate().map(|(i, name)| format!("{name} = ${{{}}}", i + 1));
                format!("{} {{ {}$0 }}", case.tag, fields.collect::<Vec<_>>().join(", "))
            }
        };
        let fields: Vec<String> = case.payload.fields.iter().map(|f| format!("{}: {}", f.name, f.ty)).collect();
        let payload = if fields.is_empty() { String::new() } else { format!(" {{ {} }}", fields.join(", ")) };
        Completion {
            detail: format!("{}.{}{payload}", variant.name, case.tag),
            insert,
            rank: 0,
            ..item(&case.tag, CompletionKind::Variant)
        }
    };
    variant.variants.iter().map(one).collect()
}

fn is_optional(ty: &Type) -> bool {
    matches!(peel(ty).0, Type::Option(_))
}

fn bindings(inspection: &mut Inspection<'_>, scope: usize, want: Option<&Type>, tested: bool) -> Vec<Completion> {
    let all = inspection.values(scope);
    let many = all.len() > MANY;
    let mut found = Vec::new();
    for (name, def) in all {
        if name == CURSOR {
            continue;
        }
        let kind = match def {
            Def::Fn(_) => CompletionKind::Function,
            Def::Import(_) => CompletionKind::Module,
            Def::Broken => continue,
            Def::Param(_) | Def::Let(_) | Def::Node(_) => CompletionKind::Value,
        };
        let cheap = !many || matches!(def, Def::Param(_) | Def::Node(_));
        let ty = if cheap { inspection.value_type(def) } else { None };
        let rank = match (&ty, want) {
            (Some(ty), Some(want)) if fits(ty, want).is_ok() => 1,
            (Some(_), Some(_)) => 4,
            _untold => 2,
        };
        let mut one =
            Completion { detail: ty.as_ref().map(ToString::to_string).unwrap_or_default(), rank, ..item(name, kind) };
        if !many && let Some(symbol) = symbol(def) {
            let declared = inspection.declared(&symbol);
            one.docs = declared.docs;
            if matches!(def, Def::Fn(_)) {
                one.detail = declared.signature;
                one.insert = format!("{name}($0)");
            }
        }
        if matches!(def, Def::Import(_)) {
            one.insert = format!("{name}.");
        }
        found.push(one);
    }
    if tested {
        found.push(Completion { rank: 1, ..item("plan", CompletionKind::Value) });
        found.push(Completion { rank: 1, ..item("result", CompletionKind::Value) });
    }
    found
}

/// Functions that are always there, and words that begin an expression.
fn functions(want: Option<&Type>) -> Vec<Completion> {
    let wants = |ty: &Type| want.is_none_or(|want| fits(ty, want).is_ok());
    let content = |name: &str, detail: &str, insert: &str| Completion {
        detail: detail.to_owned(),
        insert: insert.to_owned(),
        rank: if wants(&Type::Content) && want.is_some() { 0 } else { 6 },
        ..item(name, CompletionKind::Function)
    };
    let mut all = vec![
        content("file", "file(path) -> Content", "file(\"$0\")"),
        content("tree", "tree(folder, ignore) -> Content", "tree(\"$0\")"),
        content("executable", "executable(self | path) -> Content", "executable($0)"),
        Completion {
            rank: if wants(&Type::String) && want.is_some() { 3 } else { 6 },
            ..content("template", "template(path, variables) -> String", "template(\"$1\", { $0 })")
        },
    ];
    for (word, insert) in [("if", "if $1 then $2 else $0"), ("match", "match $1 {\n  $0\n}")] {
        all.push(Completion { insert: insert.to_owned(), rank: 7, ..item(word, CompletionKind::Keyword) });
    }
    all
}

fn members(inspection: &mut Inspection<'_>, of: &Type, tested: bool) -> Vec<Completion> {
    let mut all = Vec::new();
    let core = unrefined(&peel(of).0).clone();
    match &core {
        Type::Record(record) => all.extend(record.fields.iter().map(|field| Completion {
            detail: field.ty.to_string(),
            rank: 0,
            ..item(&field.name, CompletionKind::Field)
        })),
        Type::Handle(kind) => {
            let outputs = inspection.schemas().get(kind).into_iter().flat_map(|schema| &schema.outputs);
            all.extend(outputs.map(|output| Completion {
                detail: output.ty.to_string(),
                docs: output.doc.to_string(),
                rank: 0,
                ..item(&output.name, CompletionKind::Field)
            }));
        }
        Type::Component(name) => {
            for (name, symbol) in inspection.component_members(name, tested) {
                let declared = inspection.declared(&symbol);
                all.push(Completion {
                    detail: declared.ty.map(|ty| ty.to_string()).unwrap_or_default(),
                    docs: declared.docs,
                    rank: 0,
                    ..item(&name, CompletionKind::Field)
                });
            }
        }
        _plain => {}
    }
    let methods = builtin::methods()
        .iter()
        .filter(|m| core != Type::Error && builtin::method(&core, m.name).is_some_and(|found| std::ptr::eq(found, *m)));
    all.extend(methods.map(|method| {
        let entry = crate::doc::signature_entry(method.name, method);
        Completion {
            detail: entry.signature,
            docs: entry.docs,
            insert: if method.params.is_empty() {
                format!("{}()", method.name)
            } else {
                format!("{}($0)", method.name)
            },
            rank: 2,
            ..item(method.name, CompletionKind::Method)
        }
    }));
    all
}

fn module_members(inspection: &mut Inspection<'_>, module: usize, kinds_only: bool) -> Vec<Completion> {
    let (values, types) = inspection.members(module);
    let values = values.into_iter().filter(|_| !kinds_only);
    let all: Vec<(&str, Symbol)> = values.chain(types).collect();
    let one = |(name, symbol): (&str, Symbol)| {
        let declared = inspection.declared(&symbol);
        let (kind, insert) = match symbol {
            Symbol::Fn(_) | Symbol::Function(_) => (CompletionKind::Function, format!("{name}($0)")),
            Symbol::Type(_) => (CompletionKind::Type, name.to_owned()),
            Symbol::Component(_) => (CompletionKind::Component, format!("{name} {{\n  $0\n}}")),
            _value => (CompletionKind::Value, name.to_owned()),
        };
        Completion { detail: declared.signature, docs: declared.docs, insert, rank: 1, ..item(name, kind) }
    };
    all.into_iter().map(one).collect()
}

fn keys(inspection: &mut Inspection<'_>, block: &KnownBlock) -> Vec<Completion> {
    let open = block.fields.iter().filter(|field| !block.written.contains(&field.name));
    let mut all = Vec::new();
    for field in open {
        let symbol = match &block.of {
            BlockOf::Kind(kind) => Some(Symbol::KindField(kind.clone(), field.name.clone())),
            BlockOf::Component(_) | BlockOf::Params(_) | BlockOf::Other => None,
        };
        let docs = symbol.map(|symbol| inspection.declared(&symbol).docs).unwrap_or_default();
        all.push(Completion {
            detail: field.ty.to_string(),
            docs,
            insert: format!("{} = $0", field.name),
            rank: u8::from(!field.required),
            ..item(&field.name, CompletionKind::Field)
        });
    }
    all
}

fn types(inspection: &mut Inspection<'_>, scope: usize) -> Vec<Completion> {
    let mut all: Vec<Completion> = Vec::new();
    for (name, symbol) in inspection.types(scope) {
        let declared = inspection.declared(&symbol);
        all.push(Completion {
            detail: declared.signature.lines().next().unwrap_or_default().to_owned(),
            docs: declared.docs,
            rank: 0,
            ..item(name, CompletionKind::Type)
        });
    }
    all.extend(Inspection::builtin_types().map(|name| {
        let insert = if matches!(name, "Map" | "Secret") { format!("{name}[$0]") } else { name.to_owned() };
        Completion { insert, rank: 1, ..item(name, CompletionKind::Type) }
    }));
    all.extend(inspection.schemas().kinds.values().map(|kind| Completion {
        detail: format!("a {}", kind.class),
        rank: 2,
        ..item(&kind.name, CompletionKind::Kind)
    }));
    all.extend(imports(inspection, scope));
    all
}

fn kinds(inspection: &mut Inspection<'_>, scope: usize, keyword: NodeKeyword) -> Vec<Completion> {
    let mut all = Vec::new();
    for schema in inspection.schemas().kinds.values() {
        if schema.class.keyword() != keyword.as_str() {
            continue;
        }
        let required: Vec<_> = schema.fields.iter().filter(|f| f.required).collect();
        let lines = required.iter().enumerate().map(|(i, f)| format!("  {} = ${{{}}}\n", f.name, i + 1));
        all.push(Completion {
            detail: format!("a {}", schema.class),
            docs: schema.doc.to_string(),
            insert: format!("{} {{\n{}  $0\n}}", schema.name, lines.collect::<String>()),
            rank: 0,
            ..item(&schema.name, CompletionKind::Kind)
        });
    }
    if keyword == NodeKeyword::Use {
        for (name, symbol) in inspection.types(scope) {
            if matches!(symbol, Symbol::Component(_)) {
                let declared = inspection.declared(&symbol);
                all.push(Completion {
                    docs: declared.docs,
                    detail: declared.signature,
                    insert: format!("{name} {{\n  $0\n}}"),
                    rank: 0,
                    ..item(name, CompletionKind::Component)
                });
            }
        }
        all.extend(imports(inspection, scope));
    }
    all
}

fn imports(inspection: &Inspection<'_>, scope: usize) -> Vec<Completion> {
    let all = inspection.values(scope).into_iter().filter(|(_, def)| matches!(def, Def::Import(_)));
    all.map(|(name, _)| Completion { insert: format!("{name}."), ..item(name, CompletionKind::Module) }).collect()
}

fn patterns(of: &Type) -> Vec<Completion> {
    let arm = |label: String, insert: String| Completion { insert, rank: 0, ..item(&label, CompletionKind::Variant) };
    let mut all = match of {
        Type::Variant(variant) => variant
            .variants
            .iter()
            .map(|case| {
                let fields: Vec<&str> = case.payload.fields.iter().map(|f| &*f.name).collect();
                let payload = if fields.is_empty() { String::new() } else { format!(" {{ {} }}", fields.join(", ")) };
                arm(case.tag.to_string(), format!("{}{payload}", case.tag))
            })
            .collect(),
        Type::Option(_) => {
            vec![arm("none".to_owned(), "none".to_owned()), arm("some".to_owned(), "some($0)".to_owned())]
        }
        Type::Bool => vec![arm("true".to_owned(), "true".to_owned()), arm("false".to_owned(), "false".to_owned())],
        _endless => Vec::new(),
    };
    all.push(Completion { rank: 4, ..item("_", CompletionKind::Keyword) });
    all
}

#[cfg(test)]
mod tests {
    use super::super::testing::at;
    use super::*;

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
        let front =
            "resource page = site { files = { a = \"\" } }\npointer front = route { listen = 8080, to = page }\n";
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
}
