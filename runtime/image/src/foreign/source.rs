//! Named bytes: the files of a folder, or the entries of a tar file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use crate::{ImageError, Result};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Links from name to name, so many in a row.
const MOST_LINKS: usize = 16;

/// Where an image's parts are.
pub(super) enum Source {
    Folder(PathBuf),
    Tar { path: PathBuf, file: File, entries: HashMap<String, Place> },
}

pub(super) enum Place {
    /// Begin and length.
    Bytes(u64, u64),
    Link(String),
}

impl Source {
    pub(super) fn layout(path: &Path) -> Result<Self> {
        let stat = path.metadata().map_err(ImageError::io("read", path))?;
        if stat.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let reason = "it is a file, and a layout is a folder; write `archive { path = … }`".to_owned();
        Err(ImageError::NotImage { path: path.to_owned(), reason })
    }

    pub(super) fn archive(path: &Path) -> Result<Self> {
        let wrong = |reason: String| ImageError::NotImage { path: path.to_owned(), reason };
        let mut file = File::open(path).map_err(ImageError::io("read", path))?;
        if file.metadata().map_err(ImageError::io("read", path))?.is_dir() {
            return Err(wrong("it is a folder, and an archive is a file; write `layout { path = … }`".to_owned()));
        }
        let begin = beginning(&mut file).map_err(ImageError::io("read", path))?;
        if begin.starts_with(&GZIP) {
            // Parts are read out of order, which a compressed stream does not allow.
            let mut plain = tempfile::tempfile().map_err(ImageError::io("make a temporary file for", path))?;
            io::copy(&mut MultiGzDecoder::new(BufReader::new(file)), &mut plain)
                .map_err(ImageError::io("decompress", path))?;
            file = plain;
        }
        file.rewind().map_err(ImageError::io("read", path))?;
        let entries = index(&file).map_err(|error| wrong(format!("it is no tar file: {error}")))?;
        Ok(Self::Tar { path: path.to_owned(), file, entries })
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::Tar { path, .. } => path,
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Folder(path) => path.join(name).is_file(),
            Self::Tar { .. } => self.place(name).is_some(),
        }
    }

    /// 0 for what is not there.
    pub(super) fn size(&self, name: &str) -> u64 {
        match self {
            Self::Folder(path) => path.join(name).metadata().map_or(0, |stat| stat.len()),
            Self::Tar { .. } => self.place(name).map_or(0, |(_, length)| length),
        }
    }

    pub(super) fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(name)?.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::Error::other(format!("`{name}` is too large to be a document")));
        }
        Ok(bytes)
    }

    pub(super) fn open(&self, name: &str) -> io::Result<Box<dyn Read + '_>> {
        let absent = || io::Error::new(io::ErrorKind::NotFound, format!("`{name}` is missing"));
        match self {
            Self::Folder(path) => {
                let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
                let file = if inside { File::open(path.join(name)) } else { Err(absent()) };
                Ok(Box::new(BufReader::new(file.map_err(|error| match error.kind() {
                    io::ErrorKind::NotFound => absent(),
                    _ => error,
                })?)))
            }
            Self::Tar { file, .. } => {
                let (begin, length) = self.place(name).ok_or_else(absent)?;
                Ok(Box::new(BufReader::new(Part { file, at: begin, end: begin + length })))
            }
        }
    }

    fn place(&self, name: &str) -> Option<(u64, u64)> {
        let Self::Tar { entries, .. } = self else { return None };
        let mut name = name.to_owned();
        for _ in 0..MOST_LINKS {
            match entries.get(&name)? {
                Place::Bytes(begin, length) => return Some((*begin, *length)),
                Place::Link(to) => name.clone_from(to),
            }
        }
        None
    }
}

/// A part of a file that several readers share.
struct Part<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..left).unwrap_or_default();
        let count = std::os::unix::fs::FileExt::read_at(self.file, buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Where each entry of a tar file is; its bytes are passed over.
fn index(file: &File) -> io::Result<HashMap<String, Place>> {
    let mut entries = HashMap::new();
    let mut archive = tar::Archive::new(file);
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        let name = plain(&entry.path()?);
        let place = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => Place::Bytes(entry.raw_file_position(), entry.size()),
            EntryType::Symlink | EntryType::Link => {
                let Some(to) = entry.link_name()? else { continue };
                let hard = entry.header().entry_type() == EntryType::Link;
                let folder = entry.path()?.parent().map(Path::to_owned).unwrap_or_default();
                Place::Link(plain(&if hard { to.into_owned() } else { folder.join(to) }))
            }
            _folder => continue,
        };
        entries.insert(name, place);
    }
    Ok(entries)
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    parts.join("/")
}

fn beginning(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Read::by_ref(file).take(4).read_to_end(&mut bytes)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(bytes)
}

/// A layer's tar stream, whatever it is compressed with.
pub(super) fn decompressed<'a>(mut layer: Box<dyn Read + 'a>) -> io::Result<Box<dyn Read + 'a>> {
    let mut begin = Vec::new();
    layer.by_ref().take(4).read_to_end(&mut begin)?;
    let whole = io::Cursor::new(begin.clone()).chain(layer);
    if begin.starts_with(&GZIP) {
        return Ok(Box::new(MultiGzDecoder::new(whole)));
    }
    if begin.starts_with(&ZSTD) {
        let said = "it is compressed with zstd, which this version does not read; write it with `skopeo copy --dest-compress-format gzip …`";
        return Err(io::Error::new(io::ErrorKind::Unsupported, said));
    }
    Ok(Box::new(whole))
}
