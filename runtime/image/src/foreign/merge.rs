//! The layers of an image as one tree: later layers win, deletions are done, links are resolved as they would be inside.
//!
//! The tree is in memory and contents are in nameless files, so that no path of an image can lead anywhere. Kept: files, folders, links,
//! permission bits, times. Not kept, since no container of ours could use them: owners, set-uid bits, devices, extended attributes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Component, Path};

use tar::{Builder, EntryType, Header};

/// Links that are followed in one path, as the kernel has it.
const MOST_LINKS: usize = 40;
const DELETED: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

/// A merged image.
#[derive(Default)]
pub(crate) struct Tree {
    /// By path without a leading slash; folders come before what is in them.
    nodes: BTreeMap<String, Node>,
    contents: Vec<Content>,
}

enum Node {
    Folder {
        mode: u32,
        time: u64,
    },
    /// Several paths may have one content.
    File {
        mode: u32,
        time: u64,
        content: usize,
    },
    Link {
        to: String,
        time: u64,
    },
}

struct Content {
    file: File,
    size: u64,
}

impl Tree {
    /// Lays a layer over what is there.
    pub(crate) fn lay(&mut self, layer: &mut dyn Read) -> io::Result<()> {
        let mut made: BTreeMap<String, ()> = BTreeMap::new();
        let mut archive = tar::Archive::new(layer);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let written = entry.path()?.into_owned();
            let Some(path) = self.resolve_parent(&written)? else { continue };
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if name == OPAQUE {
                // What lower layers have in the folder; not what this one put there already.
                self.remove_below(folder, &|path| made.contains_key(path));
                continue;
            }
            if let Some(gone) = name.strip_prefix(DELETED) {
                self.remove(&join(folder, gone));
                continue;
            }
            let header = entry.header();
            // Whoever unpacks it can always read and remove it.
            let (mode, time) = (header.mode()? & 0o1777, header.mtime()?);
            match header.entry_type() {
                EntryType::Directory => {
                    // A folder over a link to one stays a link: what is put there goes where it leads.
                    let leads = matches!(self.nodes.get(&path), Some(Node::Link { .. })) && self.is_folder(&path);
                    if !leads {
                        if !matches!(self.nodes.get(&path), Some(Node::Folder { .. })) {
                            self.remove(&path);
                        }
                        self.nodes.insert(path.clone(), Node::Folder { mode: mode | 0o700, time });
                    }
                }
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                    let mut file = tempfile::tempfile()?;
                    let size = io::copy(&mut entry, &mut file)?;
                    self.remove(&path);
                    self.contents.push(Content { file, size });
                    let content = self.contents.len() - 1;
                    self.nodes.insert(path.clone(), Node::File { mode: (mode & 0o777) | 0o400, time, content });
                }
                EntryType::Symlink => {
                    let to =
                        entry.link_name()?.ok_or_else(|| io::Error::other(format!("`{path}` links to nothing")))?;
                    let to = to.to_string_lossy().into_owned();
                    self.remove(&path);
                    self.nodes.insert(path.clone(), Node::Link { to, time });
                }
                EntryType::Link => {
                    let to =
                        entry.link_name()?.ok_or_else(|| io::Error::other(format!("`{path}` links to nothing")))?;
                    let same = match self.resolve_parent(&to)?.and_then(|to| self.nodes.get(&to)) {
                        Some(Node::File { mode, time, content }) => {
                            Node::File { mode: *mode, time: *time, content: *content }
                        }
                        Some(Node::Link { to, time }) => Node::Link { to: to.clone(), time: *time },
                        Some(Node::Folder { .. }) | None => {
                            return Err(io::Error::other(format!(
                                "`{path}` is the same as `{}`, which is no file",
                                to.display()
                            )));
                        }
                    };
                    self.remove(&path);
                    self.nodes.insert(path.clone(), same);
                }
                // Devices and pipes: the container has its own, or none.
                _other => continue,
            }
            self.make_parents(&path);
            made.insert(path, ());
        }
        Ok(())
    }

    /// Where an entry is: the links in its folders followed, its own name not. `None`: the root itself.
    fn resolve_parent(&self, path: &Path) -> io::Result<Option<String>> {
        let parts = parts(path)?;
        let Some((name, folders)) = parts.split_last() else { return Ok(None) };
        let folder = self.follow(folders)?;
        Ok(Some(join(&folder, name)))
    }

    /// The folder that a path leads to, links followed as if from inside.
    fn follow(&self, folders: &[String]) -> io::Result<String> {
        let mut open: Vec<String> = folders.iter().rev().cloned().collect();
        let (mut at, mut links) = (String::new(), 0);
        while let Some(part) = open.pop() {
            if part == ".." {
                at = at.rsplit_once('/').map_or_else(String::new, |(folder, _)| folder.to_owned());
                continue;
            }
            let next = join(&at, &part);
            let Some(Node::Link { to, .. }) = self.nodes.get(&next) else {
                at = next;
                continue;
            };
            links += 1;
            if links > MOST_LINKS {
                return Err(io::Error::other(format!("`{next}` is a link in a circle")));
            }
            if to.starts_with('/') {
                at.clear();
            }
            let parts = to.split('/').filter(|part| !part.is_empty() && *part != ".");
            open.extend(parts.rev().map(str::to_owned));
        }
        Ok(at)
    }

    fn is_folder(&self, path: &str) -> bool {
        let parts: Vec<String> = path.split('/').map(str::to_owned).collect();
        self.follow(&parts).is_ok_and(|at| matches!(self.nodes.get(&at), Some(Node::Folder { .. })) || at.is_empty())
    }

    fn make_parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/') {
            let parent = path.split_at(at).0;
            if !matches!(self.nodes.get(parent), Some(Node::Folder { .. })) {
                self.nodes.insert(parent.to_owned(), Node::Folder { mode: 0o755, time: 0 });
            }
        }
    }

    fn remove(&mut self, path: &str) {
        if let Some(Node::Folder { .. }) = self.nodes.remove(path) {
            self.remove_below(path, &|_| false);
        }
    }

    fn remove_below(&mut self, folder: &str, keep: &dyn Fn(&str) -> bool) {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let below: Vec<String> = self
            .nodes
            .range(prefix.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&prefix))
            .filter(|path| !keep(path))
            .cloned()
            .collect();
        for path in below {
            self.nodes.remove(&path);
        }
    }

    /// Writes it as a layer of ours: sorted, owner 0:0, with the folders that every container needs.
    pub(crate) fn pack(&mut self, out: impl io::Write) -> io::Result<()> {
        for (folder, mode) in [("dev", 0o755), ("proc", 0o755), ("sys", 0o755), ("tmp", 0o1777)] {
            // What an image has there is mounted over.
            if !matches!(self.nodes.get(folder), Some(Node::Folder { .. })) {
                self.remove(folder);
                self.nodes.insert(folder.to_owned(), Node::Folder { mode, time: 0 });
            }
        }
        let mut tar = Builder::new(out);
        let mut first: BTreeMap<usize, &str> = BTreeMap::new();
        for (path, node) in &self.nodes {
            match node {
                Node::Folder { mode, time } => {
                    let mut header = header(EntryType::Directory, *mode, *time, 0);
                    tar.append_data(&mut header, format!("{path}/"), io::empty())?;
                }
                Node::Link { to, time } => {
                    tar.append_link(&mut header(EntryType::Symlink, 0o777, *time, 0), path, to)?;
                }
                Node::File { mode, time, content } => {
                    if let Some(same) = first.get(content) {
                        tar.append_link(&mut header(EntryType::Link, *mode, *time, 0), path, same)?;
                        continue;
                    }
                    first.insert(*content, path);
                    let Some(content) = self.contents.get_mut(*content) else { continue };
                    content.file.rewind()?;
                    tar.append_data(&mut header(EntryType::Regular, *mode, *time, content.size), path, &content.file)?;
                }
            }
        }
        tar.into_inner().map(drop)
    }
}

fn header(kind: EntryType, mode: u32, time: u64, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    header.set_size(size);
    header
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

fn parts(path: &Path) -> io::Result<Vec<String>> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => {
                let name = name
                    .to_str()
                    .ok_or_else(|| io::Error::other(format!("`{}` is not named in UTF-8", path.display())))?;
                parts.push(name.to_owned());
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            Component::ParentDir => {
                return Err(io::Error::other(format!("`{}` leads out of the layer", path.display())));
            }
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries `path`, `path/`, `path -> to`, `path = same` (a hard link), with their own path as content.
    fn layer(entries: &[&str]) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        for entry in entries {
            if let Some((path, to)) = entry.split_once(" -> ") {
                tar.append_link(&mut header(EntryType::Symlink, 0o777, 1, 0), path, to).unwrap();
            } else if let Some((path, to)) = entry.split_once(" = ") {
                tar.append_link(&mut header(EntryType::Link, 0o644, 1, 0), path, to).unwrap();
            } else if entry.ends_with('/') {
                tar.append_data(&mut header(EntryType::Directory, 0o755, 1, 0), entry, io::empty()).unwrap();
            } else {
                let mut header = header(EntryType::Regular, 0o4755, 1, entry.len() as u64);
                tar.append_data(&mut header, entry, entry.as_bytes()).unwrap();
            }
        }
        tar.into_inner().unwrap()
    }

    fn merged(layers: &[&[&str]]) -> io::Result<String> {
        let mut tree = Tree::default();
        for entries in layers {
            tree.lay(&mut layer(entries).as_slice())?;
        }
        let mut out = Vec::new();
        tree.pack(&mut out)?;
        let mut found = Vec::new();
        for entry in tar::Archive::new(out.as_slice()).entries()? {
            let mut entry = entry?;
            let path = entry.path()?.display().to_string();
            let mut content = String::new();
            entry.read_to_string(&mut content)?;
            let link = entry.link_name()?.map(|to| format!("->{}", to.display())).unwrap_or_default();
            assert_eq!(entry.header().mode()? & 0o6000, 0);
            if !["dev/", "proc/", "sys/", "tmp/"].contains(&path.as_str()) {
                found.push(if content.is_empty() || content == path {
                    format!("{path}{link}")
                } else {
                    format!("{path}:{content}")
                });
            }
        }
        Ok(found.join(" "))
    }

    #[test]
    fn later_layers_win_and_deletions_are_done() {
        let check = |layers: &[&[&str]], expected: &str| assert_eq!(merged(layers).unwrap(), expected, "{layers:?}");
        check(&[&["a/", "a/x", "b"]], "a/ a/x b");
        check(&[&["a/x"]], "a/ a/x");
        check(&[&["a/x", "a/y"], &["a/.wh.x"]], "a/ a/y");
        check(&[&["a/x"], &[".wh.a"]], "");
        check(&[&["a/x", "a/d/z"], &["a/new", "a/.wh..wh..opq"]], "a/ a/new");
        check(&[&["a/x"], &["a"]], "a");
        check(&[&["a"], &["a/x"]], "a/ a/x");
        check(&[&["usr/lib/", "lib -> usr/lib"], &["lib/x"]], "lib->usr/lib usr/ usr/lib/ usr/lib/x:lib/x");
        check(&[&["usr/lib/", "lib -> /usr/lib"], &["lib/", "lib/x"]], "lib->/usr/lib usr/ usr/lib/ usr/lib/x:lib/x");
        check(&[&["a", "b = a"]], "a b->a");
        check(&[&["a", "b = a"], &[".wh.a"]], "b:a");
    }

    #[test]
    fn nothing_leads_out() {
        let check = |layers: &[&[&str]], expected: &str| assert_eq!(merged(layers).unwrap(), expected, "{layers:?}");
        check(&[&["out -> ../../../etc", "out/passwd"]], "etc/ etc/passwd:out/passwd out->../../../etc");
        check(&[&["out -> /../../etc", "out/passwd"]], "etc/ etc/passwd:out/passwd out->/../../etc");
        assert!(merged(&[&["a -> b", "b -> a", "a/x"]]).unwrap_err().to_string().contains("circle"));
        assert!(merged(&[&["b = ../a"]]).unwrap_err().to_string().contains("leads out"));
    }
}
