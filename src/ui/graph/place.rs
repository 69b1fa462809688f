//! Where everything of a picture goes. Each part that hangs together is laid out by itself, in layers from what is used to
//! who uses it; the parts are then set on shelves, so that many small ones do not become one long row. The only file that
//! names the layout library.

use super::inner;
use super::wrap::wrap;
use dagre::graph::{Graph, GraphOptions};
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, RankDir, Ranker, layout};
use imm_runtime::report::graph::{Picture, PictureNode};
use std::collections::{BTreeMap, BTreeSet};

/// Members of a group that are drawn one by one; more become a stack.
const MOST_MEMBERS: usize = 8;
/// Above this the exact layering is too slow, and a quick one is used.
const EXACT: usize = 400;
/// Advance of a character of the names, and of the smaller kinds, in pixels.
const ADVANCE: f64 = 7.3;
/// Space between parts, and around everything.
pub(super) const GAP: f64 = 36.0;
/// Room for a group's title above its members.
const TITLE: f64 = 18.0;

/// A box with what stands in it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its node's full address; of a stack its group's.
    pub address: String,
    /// First line.
    pub name: String,
    /// Second line.
    pub kind: String,
    /// For the style.
    pub class: &'static str,
    /// Stands for so many.
    pub count: usize,
    /// Centre.
    pub x: f64,
    /// Centre.
    pub y: f64,
    /// Size.
    pub width: f64,
    /// Size.
    pub height: f64,
}

/// A line with its bends.
#[derive(Clone, Debug)]
pub struct Line {
    /// For the style.
    pub kind: &'static str,
    /// Where it goes.
    pub points: Vec<(f64, f64)>,
}

/// A frame around members.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What stands on it.
    pub title: String,
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Size.
    pub width: f64,
    /// Size.
    pub height: f64,
}

/// A whole picture with its places.
#[derive(Clone, Debug, Default)]
pub struct Placed {
    /// Boxes.
    pub places: Vec<Place>,
    /// Lines.
    pub lines: Vec<Line>,
    /// Frames.
    pub frames: Vec<Frame>,
    /// Size of everything.
    pub width: f64,
    /// Size of everything.
    pub height: f64,
}

/// Finds the places.
pub fn place(picture: &Picture) -> Placed {
    let (places, of) = boxes(picture);
    let mut edges: BTreeMap<(usize, usize), &'static str> = BTreeMap::new();
    for edge in &picture.edges {
        let (Some(from), Some(to)) = (of.get(edge.from.as_str()), of.get(edge.to.as_str())) else { continue };
        let weight = |kind: &str| ["order", "bind", "set"].iter().position(|k| *k == kind);
        let known = edges.entry((*from, *to)).or_insert(edge.kind);
        if from != to && weight(edge.kind) > weight(known) {
            *known = edge.kind;
        }
    }
    let mut parts: Vec<Placed> =
        parts(&places, &edges).iter().map(|part| lay_out(picture, &places, &edges, part)).collect();
    // Tall ones first fill shelves best; the order of equals is that of addresses.
    parts.sort_by(|a, b| b.height.total_cmp(&a.height));
    shelves(parts)
}

/// A box for each node, or one for all members of a large group; and which box an address is in.
fn boxes(picture: &Picture) -> (Vec<Place>, BTreeMap<&str, usize>) {
    let (mut places, mut of, mut stacks) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for node in &picture.nodes {
        let group = picture.groups.iter().find(|g| node.group.as_ref() == Some(&g.address));
        let stacked = group.filter(|g| g.members.len() > MOST_MEMBERS);
        let index = match stacked {
            Some(group) => *stacks.entry(&group.address).or_insert_with(|| {
                places.push(boxed(
                    node,
                    &group.address,
                    format!("{} ×{}", group.address, group.members.len()),
                    group.members.len(),
                ));
                places.len() - 1
            }),
            None => {
                let name = inner(&node.address, node.group.as_deref()).to_owned();
                places.push(boxed(node, &node.address, name, 1));
                places.len() - 1
            }
        };
        of.insert(node.address.as_str(), index);
    }
    (places, of)
}

fn boxed(node: &PictureNode, address: &str, name: String, count: usize) -> Place {
    let widest = name.chars().count().max(node.kind.chars().count());
    let room = if node.class == "pointer" { 34.0 } else { 24.0 };
    let width = (widest as f64).mul_add(ADVANCE, room).max(64.0);
    let (kind, class) = (node.kind.clone(), node.class);
    Place { address: address.to_owned(), name, kind, class, count, x: 0.0, y: 0.0, width, height: 42.0 }
}

/// What hangs together over edges or a frame.
fn parts(places: &[Place], edges: &BTreeMap<(usize, usize), &'static str>) -> Vec<BTreeSet<usize>> {
    let mut next: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (from, to) in edges.keys() {
        next.entry(*from).or_default().push(*to);
        next.entry(*to).or_default().push(*from);
    }
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for start in 0..places.len() {
        if !seen.insert(start) {
            continue;
        }
        let (mut part, mut open) = (BTreeSet::from([start]), vec![start]);
        while let Some(at) = open.pop() {
            for to in next.get(&at).into_iter().flatten() {
                if seen.insert(*to) {
                    part.insert(*to);
                    open.push(*to);
                }
            }
        }
        found.push(part);
    }
    found
}

fn lay_out(
    picture: &Picture,
    places: &[Place],
    edges: &BTreeMap<(usize, usize), &'static str>,
    part: &BTreeSet<usize>,
) -> Placed {
    let mut graph: Graph<NodeLabel, EdgeLabel> =
        Graph::with_options(GraphOptions { directed: true, multigraph: false, compound: true });
    for index in part {
        let Some(place) = places.get(*index) else { continue };
        let label = NodeLabel { width: place.width, height: place.height, ..NodeLabel::default() };
        graph.set_node(index.to_string(), Some(label));
    }
    let address = |index: &usize| places.get(*index).filter(|p| p.count == 1).map(|p| p.address.as_str());
    let mut framed = Vec::new();
    for group in picture.groups.iter().filter(|g| g.members.len() <= MOST_MEMBERS) {
        let member = |i: &&usize| address(i).is_some_and(|a| group.members.iter().any(|m| m == a));
        let members: Vec<&usize> = part.iter().filter(member).collect();
        if members.is_empty() {
            continue;
        }
        let frame = format!("frame {}", group.address);
        graph.set_node(frame.clone(), Some(NodeLabel::default()));
        for index in members {
            graph.set_parent(&index.to_string(), Some(&frame));
        }
        framed.push((frame, format!("{} ({})", group.address, group.kind)));
    }
    let inside = edges.iter().filter(|((from, to), _)| part.contains(from) && part.contains(to) && from != to);
    let inside: Vec<_> = inside.collect();
    for ((from, to), _) in &inside {
        graph.set_edge(from.to_string(), to.to_string(), Some(EdgeLabel::default()), None);
    }
    let ranker = if part.len() > EXACT { Ranker::LongestPath } else { Ranker::NetworkSimplex };
    let options = LayoutOptions {
        rankdir: RankDir::LR,
        nodesep: 16.0,
        ranksep: 56.0,
        edgesep: 10.0,
        ranker,
        ..LayoutOptions::default()
    };
    layout(&mut graph, Some(options));

    let mut placed = Placed::default();
    for index in part {
        let Some((place, label)) = places.get(*index).zip(graph.node(&index.to_string())) else { continue };
        let (x, y) = (label.x.unwrap_or(0.0), label.y.unwrap_or(0.0));
        placed.places.push(Place { x, y, ..place.clone() });
    }
    for ((from, to), kind) in inside {
        let label = graph.edge(&from.to_string(), &to.to_string(), None);
        let mut points: Vec<(f64, f64)> =
            label.map(|l| l.points.iter().map(|p| (p.x, p.y)).collect()).unwrap_or_default();
        // Lines leave and reach boxes in the middle of a side, so that round ones have no gap.
        let at =
            |index: &usize| graph.node(&index.to_string()).map(|l| (l.x.unwrap_or(0.0), l.y.unwrap_or(0.0), l.width));
        if let (Some(from), Some(to), [first, .., last]) = (at(from), at(to), points.as_mut_slice()) {
            (*first, *last) = ((from.0 + from.2 / 2.0, from.1), (to.0 - to.2 / 2.0, to.1));
        }
        placed.lines.push(Line { kind, points });
    }
    for (frame, title) in framed {
        let Some(label) = graph.node(&frame) else { continue };
        let width = label.width.max(title.chars().count() as f64 * ADVANCE + 16.0);
        let (x, y) = (label.x.unwrap_or(0.0) - width / 2.0, label.y.unwrap_or(0.0) - label.height / 2.0 - TITLE);
        placed.frames.push(Frame { title, x, y, width, height: label.height + TITLE });
    }
    placed.upright();
    placed.anchor();
    wrap(placed)
}

/// Parts beside and below each other, about as wide as one and a half times as high.
fn shelves(parts: Vec<Placed>) -> Placed {
    let area: f64 = parts.iter().map(|p| (p.width + GAP) * (p.height + GAP)).sum();
    let widest = parts.iter().map(|p| p.width).fold(0.0, f64::max);
    let limit = widest.max((area * 1.5).sqrt());
    let mut whole = Placed::default();
    let (mut x, mut y, mut shelf) = (GAP, GAP, 0.0_f64);
    for part in parts {
        if x > GAP && x + part.width > limit + GAP {
            (x, y, shelf) = (GAP, y + shelf + GAP, 0.0);
        }
        let (width, height) = (part.width, part.height);
        whole.take(part, x, y);
        shelf = shelf.max(height);
        whole.width = whole.width.max(x + width + GAP);
        whole.height = whole.height.max(y + height + GAP);
        x += width + GAP;
    }
    whole
}

impl Placed {
    /// Turns a part over when most of its neighbours would stand with the later address above the earlier one.
    fn upright(&mut self) {
        let down = |pair: &[Place]| match pair {
            [a, b] if (a.x - b.x).abs() < 1.0 && a.y > b.y => -1,
            [a, b] if (a.x - b.x).abs() < 1.0 && a.y < b.y => 1,
            _apart => 0,
        };
        if self.places.windows(2).map(down).sum::<i32>() >= 0 {
            return;
        }
        self.places.iter_mut().for_each(|p| p.y = -p.y);
        self.lines.iter_mut().flat_map(|l| &mut l.points).for_each(|(_, y)| *y = -*y);
        // The title stays above: room for it was made at the top.
        self.frames.iter_mut().for_each(|f| f.y = -(f.y + f.height) - TITLE);
    }

    /// Moves everything so that it begins at 0, and measures it.
    pub(super) fn anchor(&mut self) {
        let mut bounds = (f64::MAX, f64::MAX, f64::MIN, f64::MIN);
        let mut see = |x: f64, y: f64| {
            bounds = (bounds.0.min(x), bounds.1.min(y), bounds.2.max(x), bounds.3.max(y));
        };
        for p in &self.places {
            see(p.x - p.width / 2.0, p.y - p.height / 2.0);
            see(p.x + p.width / 2.0, p.y + p.height / 2.0);
        }
        for f in &self.frames {
            see(f.x, f.y);
            see(f.x + f.width, f.y + f.height);
        }
        self.lines.iter().flat_map(|l| &l.points).for_each(|(x, y)| see(*x, *y));
        let (left, top, right, bottom) = bounds;
        if left > right {
            return;
        }
        let moved = std::mem::take(self);
        self.take(moved, -left, -top);
        (self.width, self.height) = (right - left, bottom - top);
    }

    fn take(&mut self, part: Placed, dx: f64, dy: f64) {
        self.places.extend(part.places.into_iter().map(|p| Place { x: p.x + dx, y: p.y + dy, ..p }));
        let moved = |l: Line| Line { points: l.points.iter().map(|(x, y)| (x + dx, y + dy)).collect(), ..l };
        self.lines.extend(part.lines.into_iter().map(moved));
        self.frames.extend(part.frames.into_iter().map(|f| Frame { x: f.x + dx, y: f.y + dy, ..f }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imm_runtime::report::graph::picture;
    use imm_runtime::simulate::shapes::Program;

    fn overlap(a: &Place, b: &Place) -> bool {
        (a.x - b.x).abs() * 2.0 < a.width + b.width && (a.y - b.y).abs() * 2.0 < a.height + b.height
    }

    #[test]
    fn boxes_do_not_overlap_and_lines_end_at_boxes() {
        for replicas in [1, 2, 5, 8, 30] {
            let program = Program { replicas, chain: 6, fan: 3, second_route: true, ..Program::hello() };
            let picture = picture(&program.graph(), None);
            let placed = place(&picture);
            for (i, a) in placed.places.iter().enumerate() {
                assert!(placed.places[i + 1..].iter().all(|b| !overlap(a, b)), "{a:?}");
                assert!(a.x > 0.0 && a.x < placed.width && a.y > 0.0 && a.y < placed.height);
            }
            assert!(placed.lines.iter().all(|l| l.points.len() >= 2));
            assert_eq!(placed.places.iter().map(|p| p.count).sum::<usize>(), picture.nodes.len());
        }
    }

    /// What is deep is no ribbon: it is read row by row.
    #[test]
    fn a_long_chain_is_wrapped() {
        for chain in [20, 60, 200] {
            let picture = picture(&Program { replicas: 2, chain, ..Program::hello() }.graph(), None);
            let placed = place(&picture);
            assert!(
                placed.width < 1600.0_f64.max(placed.height * 3.0),
                "{chain}: {} x {}",
                placed.width,
                placed.height
            );
            for (i, a) in placed.places.iter().enumerate() {
                assert!(placed.places[i + 1..].iter().all(|b| !overlap(a, b)), "{a:?}");
            }
            let ends = |x: f64, y: f64| {
                let at = |p: &Place| (p.y - y).abs() < 1.0 && ((p.x - x).abs() - p.width / 2.0).abs() < 1.0;
                placed.places.iter().any(at)
            };
            for line in &placed.lines {
                let (first, last) = (line.points[0], line.points[line.points.len() - 1]);
                assert!(ends(first.0, first.1) && ends(last.0, last.1), "{line:?}");
            }
        }
    }

    #[test]
    fn the_same_graph_is_drawn_the_same() {
        let picture = picture(&Program { replicas: 7, chain: 9, ..Program::hello() }.graph(), None);
        assert_eq!(format!("{:?}", place(&picture)), format!("{:?}", place(&picture)));
    }
}
