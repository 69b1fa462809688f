//! What differs between the causes of an input then and now: params, files, names and functions, each once, and the
//! names on the way.
//!
//! A secret never tells whether it changed, so it is named by the input it goes into.

use imm_ir::{Cause, CauseKind, Digest, Loc};
use std::collections::{HashMap, HashSet, VecDeque};

/// Something that a person changed and that went into an input.
#[derive(Clone, Debug)]
pub struct Changed<'a> {
    /// The cause now; when it is gone, the one that was there.
    pub cause: &'a Cause,
    /// What it was; absent when it was not used before.
    pub before: Option<&'a Cause>,
    /// It no longer goes into the input.
    pub gone: bool,
    /// The lets between it and the input that changed with it, nearest to it first.
    pub lets: Vec<&'a Cause>,
}

/// What changed, leaves first: params, files, functions; a name only when it is written differently or nothing inside of it
/// changed.
pub fn changed<'a>(old: &'a [Cause], new: &'a [Cause]) -> Vec<Changed<'a>> {
    // An edit that leaves the value as it is changes nothing: a digest decides first.
    let before: HashMap<Thing<'_>, &Cause> = old.iter().rev().map(|cause| (thing(&cause.what), cause)).collect();
    let same: HashSet<(Thing<'_>, &Digest)> = old.iter().map(|cause| (thing(&cause.what), &cause.digest)).collect();
    let now: Vec<&Cause> = new.iter().filter(|c| !same.contains(&(thing(&c.what), &c.digest))).collect();
    let differs: HashSet<*const Cause> = now.iter().map(|cause| std::ptr::from_ref(*cause)).collect();
    let names = Names::of(new);
    let inside_of: HashSet<*const Cause> =
        names.around(now.iter().copied()).into_iter().map(std::ptr::from_ref).collect();
    let mut said: HashSet<Thing<'_>> = HashSet::new();
    let mut found: Vec<Changed<'a>> = Vec::new();
    for cause in &now {
        let was = before.get(&thing(&cause.what)).copied();
        let is_root = edited(cause, was) || !inside_of.contains(&std::ptr::from_ref(*cause));
        if !is_root || !said.insert(thing(&cause.what)) {
            continue;
        }
        let mut lets = names.around([*cause]);
        lets.retain(|name| !std::ptr::eq(*name, *cause) && differs.contains(&std::ptr::from_ref(*name)));
        found.push(Changed { cause, before: was, gone: false, lets });
    }
    let there: HashSet<Thing<'_>> = new.iter().map(|cause| thing(&cause.what)).collect();
    for gone in old.iter().filter(|o| matches!(o.what, CauseKind::File(_) | CauseKind::Machine(_))) {
        if !there.contains(&thing(&gone.what)) && said.insert(thing(&gone.what)) {
            found.push(Changed { cause: gone, before: Some(gone), gone: true, lets: Vec::new() });
        }
    }
    found
}

/// The names among some causes, by the places of what they hold.
struct Names<'a>(HashMap<&'a Loc, Vec<&'a Cause>>);

impl<'a> Names<'a> {
    fn of(causes: &'a [Cause]) -> Self {
        let mut holders: HashMap<&Loc, Vec<&Cause>> = HashMap::new();
        for cause in causes {
            for place in through(cause) {
                holders.entry(place).or_default().push(cause);
            }
        }
        Self(holders)
    }

    /// The names that hold one of these, at any depth, the nearest first.
    fn around(&self, causes: impl IntoIterator<Item = &'a Cause>) -> Vec<&'a Cause> {
        let mut seen: HashSet<*const Cause> = HashSet::new();
        let mut next: VecDeque<&Cause> = causes.into_iter().collect();
        let mut found = Vec::new();
        while let Some(cause) = next.pop_front() {
            for name in self.0.get(&cause.loc).into_iter().flatten() {
                if seen.insert(std::ptr::from_ref(*name)) {
                    found.push(*name);
                    next.push_back(name);
                }
            }
        }
        found
    }
}

/// Whether a name is written differently, whatever changed inside of it. What holds nothing is always a root.
fn edited(cause: &Cause, before: Option<&Cause>) -> bool {
    match (&cause.what, before.map(|b| &b.what)) {
        (CauseKind::Let { written: now, .. }, Some(CauseKind::Let { written: before, .. })) => now != before,
        (CauseKind::Let { .. }, _) => true,
        (CauseKind::Param { .. } | CauseKind::File(_) | CauseKind::Machine(_) | CauseKind::Function(_), _) => true,
    }
}

fn through(cause: &Cause) -> &[Loc] {
    match &cause.what {
        CauseKind::Let { through, .. } => through,
        CauseKind::Param { .. } | CauseKind::File(_) | CauseKind::Machine(_) | CauseKind::Function(_) => &[],
    }
}

/// What a cause is, whatever its value: its form and its name.
type Thing<'a> = (u8, &'a str);

fn thing(what: &CauseKind) -> Thing<'_> {
    match what {
        CauseKind::Param { name, .. } => (0, name),
        CauseKind::Let { name, .. } => (1, name),
        CauseKind::Function(name) => (2, name),
        CauseKind::File(path) => (3, path),
        CauseKind::Machine(path) => (4, path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imm_ir::ParamFrom;

    fn loc(line: u32) -> Loc {
        Loc { file: "main.imm".into(), line, column: 1 }
    }

    fn cause(what: CauseKind, line: u32, value: &str) -> Cause {
        Cause { what, loc: loc(line), digest: Digest::of(value.as_bytes()) }
    }

    fn param(value: &str) -> Cause {
        cause(CauseKind::Param { name: "p".into(), from: ParamFrom::Default, shown: value.into() }, 1, value)
    }

    fn binding(name: &str, line: u32, inside: &[u32], value: &str, written: u8) -> Cause {
        let through = inside.iter().map(|l| loc(*l)).collect();
        cause(CauseKind::Let { name: name.into(), written: u64::from(written), through }, line, value)
    }

    fn names(found: &[Changed<'_>]) -> Vec<String> {
        let name = |c: &Cause| match &c.what {
            CauseKind::Param { name, .. } | CauseKind::Let { name, .. } | CauseKind::Function(name) => name.to_string(),
            CauseKind::File(path) | CauseKind::Machine(path) => path.to_string(),
        };
        let one = |f: &Changed<'_>| {
            let lets: Vec<String> = f.lets.iter().map(|l| name(l)).collect();
            format!("{}{} via {}", if f.gone { "-" } else { "" }, name(f.cause), lets.join(" "))
        };
        found.iter().map(one).collect()
    }

    #[test]
    fn the_leaf_is_named_and_the_way_to_it() {
        let side = |v: &str| vec![param(v), binding("inner", 2, &[1], v, 1), binding("outer", 3, &[2], v, 1)];
        assert_eq!(names(&changed(&side("a"), &side("b"))), ["p via inner outer"]);
        assert!(changed(&side("a"), &side("a")).is_empty());
    }

    #[test]
    fn an_edited_let_is_its_own_cause() {
        let side = |v: &str| vec![param("same"), binding("inner", 2, &[1], v, 1), binding("outer", 3, &[2], v, 1)];
        assert_eq!(names(&changed(&side("a"), &side("b"))), ["inner via outer"]);
    }

    #[test]
    fn an_edit_beside_another_value_is_named_too() {
        let side = |v: &str, written: u8| vec![param(v), binding("inner", 2, &[1], v, written)];
        assert_eq!(names(&changed(&side("a", 1), &side("b", 2))), ["p via inner", "inner via "]);
    }

    #[test]
    fn a_long_chain_of_names_leads_to_its_beginning() {
        let side = |v: &str| -> Vec<Cause> {
            let names = (2..3000).map(|line| binding(&format!("n{line}"), line, &[line - 1], v, 1));
            std::iter::once(param(v)).chain(names).collect()
        };
        let (old, new) = (side("a"), side("b"));
        let [only] = &*changed(&old, &new) else { panic!("one root") };
        assert_eq!((only.cause, only.lets.len()), (&new[0], 2998));
        assert!(only.lets.iter().zip(&new[1..]).all(|(a, b)| std::ptr::eq(*a, b)));
    }

    #[test]
    fn a_file_that_left_is_named() {
        let old = vec![cause(CauseKind::File("a.txt".into()), 1, "x")];
        assert_eq!(names(&changed(&old, &[])), ["-a.txt via "]);
    }
}
