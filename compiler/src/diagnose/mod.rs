//! The checker's diagnostics, one family a file: what is wrong, where, and what to type. Only wording: whether something
//! is wrong is decided by the checker.

pub mod blocks;
pub mod cycles;
pub mod habits;
pub mod mismatch;
pub mod names;
pub mod nodes;
pub mod providers;
mod quantities;
pub mod silence;

/// The name out of `known` that is most like `word`, if one is like it at all.
pub fn similar<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = word.chars().count();
    let close = |name: &&str| {
        let others = name.chars().count();
        let length = letters.max(others);
        // The distance is at least this, and there may be ten thousand names.
        if letters.abs_diff(others) > (length / 3).max(1) {
            return false;
        }
        let distance = strsim::damerau_levenshtein(word, name);
        // Of two letters one is half of the word: only a third one makes a likeness.
        distance > 0
            && length > 1
            && distance <= (length / 3).max(1)
            && (length > 2 || word.starts_with(*name) || name.starts_with(word))
    };
    known.into_iter().filter(close).min_by_key(|name| (strsim::damerau_levenshtein(word, name), name.len()))
}

/// The article of a word.
pub fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// `a`, `b` and `c`
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_what_is_alike_is_suggested() {
        assert_eq!(super::similar("replcas", ["replicas", "port"]), Some("replicas"));
        assert_eq!(super::similar("banana", ["replicas", "port"]), None);
        assert_eq!(super::listed(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
