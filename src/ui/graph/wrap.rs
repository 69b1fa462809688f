//! A long part is wrapped like a line of text: cut where nothing stands, into rows that read on from the left. What goes on in
//! another row leaves at the right, and comes in from the left.

use super::place::{Frame, GAP, Line, Place, Placed};

/// What is no wider fits a screen as it is.
const FITS: f64 = 1500.0;
/// Width to height that is aimed at.
const SHAPE: f64 = 1.7;
/// Between rows, for the lines that go from one to another.
const GUTTER: f64 = 46.0;
/// How far outside of the boxes lines turn, and how far from each other.
const TURN: f64 = 20.0;
const APART: f64 = 5.0;
/// So many lines are told apart.
const LANES: usize = 5;

/// A row: what it was cut from, and how far that moves.
#[derive(Clone, Copy, Debug)]
struct Row {
    left: f64,
    right: f64,
    dx: f64,
    dy: f64,
    bottom: f64,
}

/// As it is, or in rows.
pub(super) fn wrap(part: Placed) -> Placed {
    let rows = (part.width / (SHAPE * (part.height + GUTTER))).sqrt().round();
    if part.width <= FITS || rows < 2.0 {
        return part;
    }
    let rows = rows_of(&part, part.width / rows);
    let right = rows.iter().map(|row| row.right - row.left).fold(0.0, f64::max);
    let row = |x: f64| rows.iter().position(|row| x <= row.right + GAP / 4.0).unwrap_or(rows.len() - 1);
    let by = |x: f64| rows.get(row(x)).map_or((0.0, 0.0), |row| (row.dx, row.dy));
    let mut wrapped = Placed::default();
    for place in part.places {
        let (dx, dy) = by(place.x);
        wrapped.places.push(Place { x: place.x + dx, y: place.y + dy, ..place });
    }
    for frame in part.frames {
        let (dx, dy) = by(frame.x + frame.width / 2.0);
        wrapped.frames.push(Frame { x: frame.x + dx, y: frame.y + dy, ..frame });
    }
    let mut lanes = vec![0_usize; rows.len()];
    for line in part.lines {
        let (Some(first), Some(last)) = (line.points.first().copied(), line.points.last().copied()) else { continue };
        let (from, to) = (row(first.0), row(last.0));
        let (out, into) = (by(first.0), by(last.0));
        let points = if from == to {
            line.points.iter().map(|(x, y)| (x + out.0, y + out.1)).collect()
        } else {
            let lane = lanes.get_mut(from).map_or(0, |used| {
                *used += 1;
                (*used - 1) % LANES
            });
            let away = TURN + APART * lane as f64;
            let under = rows.get(from).map_or(0.0, |row| row.bottom) + away;
            let (start, end) = ((first.0 + out.0, first.1 + out.1), (last.0 + into.0, last.1 + into.1));
            vec![start, (right + away, start.1), (right + away, under), (-away, under), (-away, end.1), end]
        };
        wrapped.lines.push(Line { points, ..line });
    }
    wrapped.anchor();
    wrapped
}

/// Rows no wider than this, unless something that stands together is.
fn rows_of(part: &Placed, width: f64) -> Vec<Row> {
    let boxes = part.places.iter().map(|p| (p.x - p.width / 2.0, p.x + p.width / 2.0));
    let frames = part.frames.iter().map(|f| (f.x, f.x + f.width));
    let mut spans: Vec<(f64, f64)> = boxes.chain(frames).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    // What overlaps from left to right is never cut apart.
    let mut blocks: Vec<(f64, f64)> = Vec::new();
    for (left, right) in spans {
        match blocks.last_mut() {
            Some(block) if left <= block.1 => block.1 = block.1.max(right),
            _apart => blocks.push((left, right)),
        }
    }
    let mut cut: Vec<(f64, f64)> = Vec::new();
    for (left, right) in blocks {
        match cut.last_mut() {
            Some(row) if right - row.0 <= width => row.1 = right,
            _full => cut.push((left, right)),
        }
    }
    let mut top = 0.0;
    let mut rows = Vec::new();
    for (left, right) in cut {
        let inside = |x: f64| x >= left && x <= right;
        let boxes = part.places.iter().filter(|p| inside(p.x)).map(|p| (p.y - p.height / 2.0, p.y + p.height / 2.0));
        let frames = part.frames.iter().filter(|f| inside(f.x + f.width / 2.0)).map(|f| (f.y, f.y + f.height));
        let bends = part.lines.iter().filter(|l| l.points.iter().all(|(x, _)| inside(*x)));
        let bends = bends.flat_map(|l| &l.points).map(|(_, y)| (*y, *y));
        let (high, low) = boxes
            .chain(frames)
            .chain(bends)
            .fold((f64::MAX, f64::MIN), |(a, b), (high, low)| (a.min(high), b.max(low)));
        let bottom = top + (low - high).max(0.0);
        rows.push(Row { left, right, dx: -left, dy: top - high, bottom });
        top = bottom + GUTTER + APART * LANES as f64;
    }
    rows
}
