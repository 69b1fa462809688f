//! A picture as SVG: classes have shapes of their own, uses have lines of their own, a legend says which. Follows the
//! viewer's light or dark scheme; needs no script and no font of its own.

use super::place::{Frame, Line, Place, Placed, place};
use imm_runtime::report::graph::Picture;
use std::collections::BTreeSet;

const STYLE: &str = "\
.page{fill:#fff}text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2937;text-anchor:middle}
text.kind{font-size:10.5px;fill:#6b7280}text.left{text-anchor:start}text.title{font-weight:bold;text-anchor:start}
.box{fill:#f8fafc;stroke:#64748b;stroke-width:1.3}.pointer{fill:#fffbeb;stroke:#b45309;stroke-width:1.8}.durable{fill:#ecfdf5;stroke:#047857;stroke-width:1.6}
.external{fill:none;stroke:#64748b;stroke-dasharray:5 3}.frame{fill:#f1f5f9;fill-opacity:.6;stroke:#cbd5e1}
.line{fill:none;stroke:#64748b;stroke-width:1.2}.set{stroke:#b45309;stroke-width:1.9}.order{stroke-dasharray:4 3;stroke:#94a3b8}
.head{fill:#64748b;stroke:none}.head.set{fill:#b45309}.head.order{fill:#94a3b8}
@media (prefers-color-scheme:dark){.page{fill:#0f172a}text{fill:#e2e8f0}text.kind{fill:#94a3b8}.box{fill:#1e293b;stroke:#94a3b8}.pointer{fill:#3b2a0a;stroke:#f59e0b}
.durable{fill:#0b3b2e;stroke:#34d399}.external{stroke:#94a3b8}.frame{fill:#1e293b;stroke:#475569}.line{stroke:#94a3b8}.line.set{stroke:#f59e0b}.head{fill:#94a3b8}.head.set{fill:#f59e0b}}";

/// Height of title and legend.
const HEAD: f64 = 34.0;
const FOOT: f64 = 30.0;
/// Width of an entry of the legend.
const ENTRY: f64 = 236.0;
/// How far a line goes level before it turns.
const LEVEL: f64 = 22.0;

/// Draws a picture.
pub fn svg(picture: &Picture, title: &str) -> String {
    let placed = place(picture);
    let legend = legend(&placed);
    let width = placed.width.max(title.chars().count() as f64 * 7.5 + 40.0).max(2.0 * ENTRY);
    let columns = (((width - 20.0) / ENTRY).floor() as usize).max(1);
    let rows = legend.len().div_ceil(columns);
    let height = placed.height + HEAD + FOOT * rows as f64 + 12.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" role=\"img\">\n<title>{2}</title>\n<style>{STYLE}</style>\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
        width.ceil(),
        height.ceil(),
        escape(title),
    );
    out.push_str(&format!("<text class=\"title\" x=\"20\" y=\"24\">{}</text>\n", escape(title)));
    out.push_str(&format!("<g transform=\"translate(0 {HEAD})\">\n"));
    placed.frames.iter().for_each(|frame| out.push_str(&framed(frame)));
    placed.lines.iter().for_each(|line| out.push_str(&lined(line)));
    placed.places.iter().for_each(|place| out.push_str(&boxed(place)));
    out.push_str("</g>\n");
    for (i, entry) in legend.iter().enumerate() {
        let x = 20.0 + (i % columns) as f64 * ENTRY;
        let y = placed.height + HEAD + FOOT * (i / columns) as f64;
        out.push_str(&format!("<g transform=\"translate({x} {y:.0})\">{entry}</g>\n"));
    }
    out.push_str("</svg>\n");
    out
}

fn framed(frame: &Frame) -> String {
    let Frame { title, x, y, width, height } = frame;
    format!(
        "<rect class=\"frame\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"8\"/><text class=\"kind left\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
        x + 8.0,
        y + 14.0,
        escape(title)
    )
}

/// A smooth line through its bends, level at both ends, with a head.
fn lined(line: &Line) -> String {
    let Some((first, rest)) = line.points.split_first() else { return String::new() };
    let Some((tip, bends)) = rest.split_last() else { return String::new() };
    let mut path = format!("M{:.1} {:.1}", first.0, first.1);
    let mut control = (first.0 + LEVEL, first.1);
    for (i, at) in bends.iter().enumerate() {
        // Half way to the next bend, so that the line is round at each of them.
        let end = bends.get(i + 1).map_or(*at, |next| (f64::midpoint(at.0, next.0), f64::midpoint(at.1, next.1)));
        let back = if i + 1 == bends.len() { (end.0 - LEVEL / 2.0, end.1) } else { *at };
        path.push_str(&format!(
            "C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
            control.0, control.1, back.0, back.1, end.0, end.1
        ));
        control = (2.0 * end.0 - back.0, 2.0 * end.1 - back.1);
    }
    let (x, y, kind) = (tip.0, tip.1, line.kind);
    path.push_str(&format!("C{:.1} {:.1} {:.1} {y:.1} {:.1} {y:.1}", control.0, control.1, x - LEVEL, x - 6.0));
    format!(
        "<path class=\"line {kind}\" d=\"{path}\"/><path class=\"head {kind}\" d=\"M{x:.1} {y:.1}l-8 3.4v-6.8z\"/>\n"
    )
}

fn boxed(place: &Place) -> String {
    let (left, top) = (place.x - place.width / 2.0, place.y - place.height / 2.0);
    let shape = shape(place.class, left, top, place.width, place.height);
    let behind = if place.count > 1 {
        self::shape(place.class, left + 4.0, top + 4.0, place.width, place.height)
    } else {
        String::new()
    };
    let text = |class: &str, y: f64, words: &str| {
        format!("<text class=\"{class}\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>", place.x, escape(words))
    };
    let down = if place.class == "durable" { 3.0 } else { 0.0 };
    let name = text("name", place.y - 2.0 + down, &place.name);
    let kind = text("kind", place.y + 12.0 + down, &place.kind);
    format!("<g><title>{}</title>{behind}{shape}{name}{kind}</g>\n", escape(&place.address))
}

fn shape(class: &str, x: f64, y: f64, width: f64, height: f64) -> String {
    match class {
        "durable" => {
            let (r, ry) = (width / 2.0, 5.0);
            let (lid, side) = (y + ry, height - 2.0 * ry);
            format!(
                "<path class=\"box durable\" d=\"M{x:.1} {lid:.1}v{side:.1}a{r:.1} {ry} 0 0 0 {width:.1} 0v-{side:.1}\"/><ellipse class=\"box durable\" cx=\"{:.1}\" cy=\"{lid:.1}\" rx=\"{r:.1}\" ry=\"{ry}\"/>",
                x + r,
            )
        }
        other => {
            let (class, radius) = match other {
                "pointer" => ("box pointer", height / 2.0),
                "external" => ("box external", 2.0),
                _resource => ("box", 6.0),
            };
            format!(
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius}\"/>"
            )
        }
    }
}

/// What occurs in the picture, and nothing else.
fn legend(placed: &Placed) -> Vec<String> {
    let classes: BTreeSet<&str> = placed.places.iter().map(|p| p.class).collect();
    let kinds: BTreeSet<&str> = placed.lines.iter().map(|l| l.kind).collect();
    let words = [
        ("resource", "resource: replaced"),
        ("durable", "durable: keeps data"),
        ("pointer", "pointer: moves"),
        ("external", "external: not ours"),
    ];
    let boxes = words.iter().filter(|(class, _)| classes.contains(class)).map(|(class, words)| {
        format!("{}<text class=\"kind left\" x=\"44\" y=\"18\">{words}</text>", shape(class, 0.0, 4.0, 36.0, 20.0))
    });
    let uses = [("bind", "made of: replaced with it"), ("set", "points at: switched"), ("order", "only made later")];
    let lines = uses.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(kind, words)| {
        let line = Line { kind, points: vec![(0.0, 14.0), (36.0, 14.0)] };
        format!("{}<text class=\"kind left\" x=\"44\" y=\"18\">{words}</text>", lined(&line).trim_end())
    });
    boxes.chain(lines).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
