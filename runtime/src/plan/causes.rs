//! What differs between the causes of an input then and now: params, files, names and functions, each once, and the
//! names on the way.
//!
//! A secret never tells whether it changed, so it is named by the input it goes into.

use imm_ir::{Cause, CauseKind, Loc};

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
    let differs = |cause: &&Cause| !old.iter().any(|o| same_thing(&o.what, &cause.what) && o.digest == cause.digest);
    let now: Vec<&Cause> = new.iter().filter(differs).collect();
    let lets: Vec<&Cause> = now.iter().copied().filter(|c| through(c).is_some()).collect();
    let mut found: Vec<Changed<'a>> = Vec::new();
    let mut add = |cause: &'a Cause, before: Option<&'a Cause>, gone: bool| {
        if found.iter().any(|f| same_thing(&f.cause.what, &cause.what)) {
            return;
        }
        let apart = |l: &&Cause| !std::ptr::eq(*l, cause) && holds(l, &cause.loc);
        let mut on_the_way: Vec<&Cause> = lets.iter().copied().filter(apart).collect();
        on_the_way.sort_by_key(|l| through(l).map_or(0, <[Loc]>::len));
        found.push(Changed { cause, before, gone, lets: on_the_way });
    };
    for cause in &now {
        let before = old.iter().find(|o| same_thing(&o.what, &cause.what));
        let inside = |other: &&Cause| !std::ptr::eq(*other, *cause) && holds(cause, &other.loc);
        if edited(cause, before) || !now.iter().any(inside) {
            add(cause, before, false);
        }
    }
    for gone in old.iter().filter(|o| matches!(o.what, CauseKind::File(_) | CauseKind::Machine(_))) {
        if !new.iter().any(|n| same_thing(&n.what, &gone.what)) {
            add(gone, Some(gone), true);
        }
    }
    found
}

/// Whether a name is written differently, whatever changed inside of it. What holds nothing is always a root.
fn edited(cause: &Cause, before: Option<&Cause>) -> bool {
    match (&cause.what, before.map(|b| &b.what)) {
        (CauseKind::Let { written: now, .. }, Some(CauseKind::Let { written: before, .. })) => now != before,
        (CauseKind::Let { .. }, _) => true,
        (CauseKind::Param { .. } | CauseKind::File(_) | CauseKind::Machine(_) | CauseKind::Function(_), _) => true,
    }
}

fn through(cause: &Cause) -> Option<&[Loc]> {
    match &cause.what {
        CauseKind::Let { through, .. } => Some(through),
        CauseKind::Param { .. } | CauseKind::File(_) | CauseKind::Machine(_) | CauseKind::Function(_) => None,
    }
}

fn holds(binding: &Cause, loc: &Loc) -> bool {
    through(binding).is_some_and(|inside| inside.contains(loc))
}

fn same_thing(a: &CauseKind, b: &CauseKind) -> bool {
    match (a, b) {
        (CauseKind::Param { name: a, .. }, CauseKind::Param { name: b, .. })
        | (CauseKind::Let { name: a, .. }, CauseKind::Let { name: b, .. })
        | (CauseKind::Function(a), CauseKind::Function(b))
        | (CauseKind::File(a), CauseKind::File(b))
        | (CauseKind::Machine(a), CauseKind::Machine(b)) => a == b,
        _other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use imm_ir::{Digest, ParamFrom};

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
        let side = |v: &str| vec![param(v), binding("inner", 2, &[1], v, 1), binding("outer", 3, &[1, 2], v, 1)];
        assert_eq!(names(&changed(&side("a"), &side("b"))), ["p via inner outer"]);
        assert!(changed(&side("a"), &side("a")).is_empty());
    }

    #[test]
    fn an_edited_let_is_its_own_cause() {
        let side = |v: &str| vec![param("same"), binding("inner", 2, &[1], v, 1), binding("outer", 3, &[1, 2], v, 1)];
        assert_eq!(names(&changed(&side("a"), &side("b"))), ["inner via outer"]);
    }

    #[test]
    fn an_edit_beside_another_value_is_named_too() {
        let side = |v: &str, written: u8| vec![param(v), binding("inner", 2, &[1], v, written)];
        assert_eq!(names(&changed(&side("a", 1), &side("b", 2))), ["p via inner", "inner via "]);
    }

    #[test]
    fn a_file_that_left_is_named() {
        let old = vec![cause(CauseKind::File("a.txt".into()), 1, "x")];
        assert_eq!(names(&changed(&old, &[])), ["-a.txt via "]);
    }
}
