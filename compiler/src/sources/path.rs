//! Paths as text: `/` between names, relative, `..` only in front.

/// `base/path` in normal form; `None` for an absolute path.
pub(crate) fn join(base: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    let root = if base.starts_with('/') { "/" } else { "" };
    Some(format!("{root}{}", parts.join("/")))
}

/// The folder of a path; empty at the top.
pub(crate) fn folder(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None => "",
    }
}

/// The last name of a path.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The names that are near to `wanted`, nearest first, at most three.
pub(crate) fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
        .filter(|(distance, _)| *distance <= wanted.chars().count().max(3) / 3)
        .collect();
    near.sort_unstable();
    near.into_iter().map(|(_, name)| name).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normal() {
        for (base, path, expected) in [
            ("", "main.imm", "main.imm"),
            ("examples/hello", "./index.html", "examples/hello/index.html"),
            ("a/b", "../c", "a/c"),
            ("a", "../../c", "../c"),
            (".", "x", "x"),
            ("/srv/m", "../x", "/srv/x"),
        ] {
            assert_eq!(join(base, path).as_deref(), Some(expected));
        }
        assert_eq!(join("a", "/etc/passwd"), None);
    }
}
