//! What can be done about a place: the fixes of diagnostics, and filling in required fields.

use super::Analysis;
use crate::check::facts::{KnownBlock, KnownField};
use imm_ir::{Applicability, Diagnostic, Edit, Span, Type};

/// Something that can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What a menu shows.
    pub title: String,
    /// What it changes.
    pub edits: Vec<Edit>,
    /// Index of the diagnostic it makes go away, if it is for one.
    pub diagnostic: Option<usize>,
    /// It is surely what is meant.
    pub preferred: bool,
}

/// What can be done in a part of a file, given what is wrong with the program.
pub fn actions(analysis: &Analysis, span: Span, diagnostics: &[Diagnostic]) -> Vec<Action> {
    let mut all = Vec::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        let near = |at: Span| at.file == span.file && at.start <= span.end && span.start <= at.end;
        if !diagnostic.labels.iter().any(|label| near(label.span)) {
            continue;
        }
        all.extend(diagnostic.fixes.iter().map(|fix| Action {
            title: fix.title.clone(),
            edits: fix.edits.clone(),
            diagnostic: Some(index),
            preferred: fix.applicability == Applicability::Safe,
        }));
    }
    all.extend(fill(analysis, span, diagnostics));
    all
}

/// Adds the required fields of the innermost block at a place that lacks some.
fn fill(analysis: &Analysis, span: Span, diagnostics: &[Diagnostic]) -> Option<Action> {
    let items = analysis.items_within(span);
    let block = analysis.inspect(|inspection| {
        items.iter().for_each(|(module, item)| inspection.item(*module, item));
        let within = |block: &KnownBlock| {
            let near = block.span.start <= span.end && span.start <= block.span.end;
            // The name and kind of a node count as its block.
            let head = items
                .iter()
                .map(|(_, item)| analysis.whole(item.span))
                .any(|item| item.start <= span.start && span.end <= item.end && block.span.end == item.end);
            block.span.file == span.file && (near || head) && !missing(block).is_empty() && !block.spread
        };
        let blocks = inspection.facts().blocks.into_iter();
        let blocks = blocks.map(|block| KnownBlock { span: analysis.whole(block.span), ..block });
        blocks.filter(within).min_by_key(|block| block.span.end - block.span.start)
    })?;
    let names = missing(&block);
    let text = analysis.sources().text(block.span);
    let edits = vec![insertion(analysis, &block, text, &names)];
    let listed: Vec<String> = names.iter().map(|field| format!("`{}`", field.name)).collect();
    let about = diagnostics.iter().position(|d| {
        d.code == imm_ir::code::MISSING_FIELD
            && d.labels.iter().any(|l| l.span.file == span.file && near_line(analysis, l.span, block.span))
    });
    Some(Action { title: format!("fill in {}", listed.join(", ")), edits, diagnostic: about, preferred: true })
}

fn near_line(analysis: &Analysis, label: Span, block: Span) -> bool {
    let line = |offset: u32| analysis.sources().get(label.file).map(|file| file.line_column(offset).0);
    line(label.start) == line(block.start) || (block.start <= label.start && label.end <= block.end)
}

fn missing(block: &KnownBlock) -> Vec<&KnownField> {
    block.fields.iter().filter(|field| field.required && !block.written.contains(&field.name)).collect()
}

/// The new fields behind those that are there, in the block's own layout.
fn insertion(analysis: &Analysis, block: &KnownBlock, text: &str, names: &[&KnownField]) -> Edit {
    let whole = analysis.text(block.span.file);
    let start = whole.get(..block.span.start as usize).unwrap_or_default();
    let line = start.rsplit('\n').next().unwrap_or_default();
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    let closed = text.ends_with('}');
    let inside = text.strip_prefix('{').unwrap_or(text);
    let inside = if closed { inside.strip_suffix('}').unwrap_or(inside) } else { inside };
    let kept = inside.trim_end();
    let from = block.span.start as usize + 1 + kept.len();
    let until = block.span.start as usize + 1 + inside.len();
    let span = Span::new(block.span.file, from, until);
    let fields: Vec<String> = names.iter().map(|field| format!("{} = {}", field.name, sample(&field.ty))).collect();
    let one_line = !inside.contains('\n') && (names.len() == 1 || !kept.trim().is_empty());
    let new = if one_line {
        let comma = if kept.trim().is_empty() || kept.ends_with(',') { "" } else { "," };
        format!("{comma} {} ", fields.join(", "))
    } else {
        let lines: String = fields.iter().map(|field| format!("\n{indent}  {field}")).collect();
        format!("{lines}\n{indent}")
    };
    Edit { span, text: new }
}

/// A value that a type takes, to be replaced.
fn sample(ty: &Type) -> String {
    match ty {
        Type::Bool => "false".to_owned(),
        Type::Int => "0".to_owned(),
        Type::Float => "0.0".to_owned(),
        Type::String | Type::Content => "\"\"".to_owned(),
        Type::Duration => "1s".to_owned(),
        Type::Bytes => "1MiB".to_owned(),
        Type::Ratio => "100%".to_owned(),
        Type::Cpu => "1cpu".to_owned(),
        Type::Range => "0..1".to_owned(),
        Type::List(_) => "[]".to_owned(),
        Type::Map(_) => "{}".to_owned(),
        Type::Option(_) | Type::Never => "none".to_owned(),
        Type::Late(inner) | Type::Secret(inner) => sample(inner),
        Type::Refined(refined) if &*refined.name == "Port" => "8080".to_owned(),
        Type::Refined(refined) => sample(&refined.base),
        Type::Record(record) => {
            let needed = record.fields.iter().filter(|f| f.default.is_none() && !matches!(f.ty, Type::Option(_)));
            let fields: Vec<String> = needed.map(|f| format!("{} = {}", f.name, sample(&f.ty))).collect();
            if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
        }
        Type::Variant(variant) => match variant.variants.first() {
            Some(case) => {
                let needed =
                    case.payload.fields.iter().filter(|f| f.default.is_none() && !matches!(f.ty, Type::Option(_)));
                let fields: Vec<String> = needed.map(|f| format!("{} = {}", f.name, sample(&f.ty))).collect();
                if fields.is_empty() {
                    case.tag.to_string()
                } else {
                    format!("{} {{ {} }}", case.tag, fields.join(", "))
                }
            }
            None => "none".to_owned(),
        },
        Type::Handle(kind) => kind.to_string(),
        Type::Component(name) => name.to_string(),
        Type::Node | Type::Target => "target".to_owned(),
        Type::Function(function) => {
            let names: Vec<String> = (1..=function.params.len()).map(|i| format!("a{i}")).collect();
            format!("({}) => {}", names.join(", "), sample(&function.result))
        }
        Type::Error => "\"\"".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::at;
    use super::*;
    use crate::{MemoryWorld, Options};

    fn done(text: &str, title: &str) -> String {
        let (analysis, place) = at(text);
        let mut world = MemoryWorld::default();
        world.insert("main.imm", analysis.text(place.file).as_bytes());
        let checked = crate::check(&world, "", &Options::default());
        let here = Span { file: place.file, start: place.offset, end: place.offset };
        let all = actions(&analysis, here, &checked.diagnostics);
        let action = all.iter().find(|action| action.title.contains(title));
        let action = action.unwrap_or_else(|| panic!("no {title} in {all:?}"));
        analysis.edited(&action.edits).text(place.file).to_owned()
    }

    #[test]
    fn fixes_of_diagnostics() {
        assert_eq!(done("let count = 1\noutput a = $0conut\n", "`count`"), "let count = 1\noutput a = count\n");
        assert_eq!(done("$0resource v = volume { size = 1GiB }\n", "durable"), "durable v = volume { size = 1GiB }\n");
    }

    #[test]
    fn required_fields() {
        assert_eq!(done("durable v = volume {$0}\n", "fill in"), "durable v = volume { size = 1MiB }\n");
        let text = "pointer front = route {\n  listen = 8080$0\n}\n";
        assert_eq!(done(text, "`to`"), "pointer front = route {\n  listen = 8080\n  to = target\n}\n");
        let text =
            "component c {\n  param n: Int\n  param s: String\n  output o = \"${n}${s}\"\n}\nuse x = $0c { n = 1 }\n";
        assert!(done(text, "`s`").ends_with("use x = c { n = 1, s = \"\" }\n"));
    }
}
