//! Generations and their differences, for people.

use super::Style;
use super::table::columns;
use imm_runtime::report::difference::Difference;
use imm_runtime::report::generation::Generation;
use imm_runtime::report::leaves::Leaf;
use std::collections::BTreeMap;

/// Objects that are listed unless all are asked for.
const MOST: usize = 40;

/// One generation.
pub fn show(generation: &Generation, name: &str, verbose: bool, style: Style) -> String {
    let g = generation;
    let left = if g.rolled_back_from { ", rolled back from" } else { "" };
    let title = style.paint("1", &format!("{name} · generation {}", g.generation));
    let mut out = format!("{title} · {}{left}\n", g.tier);
    let took = g.seconds.map_or_else(String::new, |s| format!(", {s:.1} s"));
    let mut facts = vec![("made by", format!("{} by {}, {}{took}", g.verb, g.actor, g.at))];
    facts.extend(g.because.iter().map(|because| ("because", because.clone())));
    facts.extend(g.commit.iter().map(|commit| ("commit", commit.clone())));
    facts.extend(g.parent.iter().map(|parent| ("after", format!("generation {parent}"))));
    if !g.params.is_empty() {
        let params: Vec<String> = g.params.iter().map(|(name, value)| format!("{name} = {}", plain(value))).collect();
        facts.push(("params", params.join(", ")));
    }
    if !g.sources.is_empty() {
        let sources: Vec<String> = g.sources.iter().map(|(file, bytes)| format!("{file} ({bytes} bytes)")).collect();
        facts.push(("sources", sources.join(", ")));
    }
    let rows: Vec<_> = facts.into_iter().map(|(what, text)| vec![style.paint("2", what), text]).collect();
    out.push_str(&columns(2, &rows));
    let shown = if verbose { g.objects.len() } else { MOST };
    let rows: Vec<_> = g
        .objects
        .iter()
        .take(shown)
        .map(|o| {
            let since = o.since_generation.map_or_else(String::new, |n| format!("since {n}"));
            let short: String = o.object.chars().take(10).collect();
            vec![o.address.clone(), o.kind.clone(), o.state.to_owned(), since, short]
        })
        .collect();
    out.push_str(&columns(2, &rows));
    if g.objects.len() > shown {
        out.push_str(&format!("  and {} more (-v lists them)\n", g.objects.len() - shown));
    }
    for (pointer, targets) in &g.settings {
        let targets = if targets.is_empty() { "nothing".to_owned() } else { targets.join(", ") };
        out.push_str(&format!("  {pointer} → {targets}\n"));
    }
    out.push_str(&outputs(&g.outputs));
    out
}

fn outputs(outputs: &BTreeMap<String, serde_json::Value>) -> String {
    outputs.iter().map(|(name, value)| format!("{name} = {}\n", plain(value))).collect()
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What differs between two generations.
pub fn diff(difference: &Difference, name: &str, style: Style) -> String {
    let d = difference;
    let title = format!("{name} · generation {} → {}", d.from, d.to);
    let mut out = format!("{}\n", style.paint("1", &title));
    for node in &d.nodes {
        let (sign, color) = match node.change {
            "added" => ("+", "32"),
            "removed" => ("-", "31"),
            _changed => ("~", "33"),
        };
        let place =
            node.file.as_ref().zip(node.line).map_or_else(String::new, |(file, line)| format!("({file}:{line})"));
        let head = style.paint(color, &format!("{sign} {:<8}", node.change));
        out.push_str(&format!("  {head}  {}  {}  {}\n", node.address, node.kind, style.paint("2", &place)));
        node.fields.iter().for_each(|leaf| out.push_str(&format!("      {}\n", told(leaf, style))));
    }
    for (what, leaves) in [("policy", &d.policy), ("param", &d.params), ("output", &d.outputs)] {
        for leaf in leaves {
            out.push_str(&format!("  {what}  {}\n", told(leaf, style)));
        }
    }
    for source in &d.sources {
        let lines = format!("+{} -{} lines", source.lines_added, source.lines_removed);
        out.push_str(&format!("  source  {} {}  {}\n", source.file, source.change, style.paint("2", &lines)));
    }
    if out.lines().count() == 1 {
        out.push_str("  nothing differs\n");
    }
    out
}

fn told(leaf: &Leaf, style: Style) -> String {
    let side = |value: &Option<String>, color| style.paint(color, value.as_deref().unwrap_or("nothing"));
    format!("{}: {} → {}", leaf.path, side(&leaf.before, "31"), side(&leaf.after, "32"))
}
