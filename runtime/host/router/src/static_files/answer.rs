//! One request for a file.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use tokio::io::AsyncReadExt;

use super::media_type;
use super::tree::{self, Tree};

/// Files up to this size are read at once, in bytes.
const WHOLE: u64 = 256 * 1024;
/// Larger ones in parts of this size.
const PART: usize = 64 * 1024;
/// Hashes of large files to remember.
const MOST_HASHES: usize = 4096;

type FileBody = UnsyncBoxBody<Bytes, io::Error>;

/// A served directory.
#[derive(Debug)]
pub(super) struct Site {
    tree: Arc<Tree>,
    hashes: Arc<Mutex<HashMap<Version, blake3::Hash>>>,
}

/// What tells one content of a file from another without reading it. Times are those of the file system, in nanoseconds.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

enum Found {
    File {
        path: PathBuf,
        content: Content,
        hash: blake3::Hash,
    },
    /// Its index is at the path with a slash.
    Directory,
}

enum Content {
    Whole(Bytes),
    Large(File, u64),
}

impl Site {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self { tree: Arc::new(Tree::open(dir)?), hashes: Arc::default() })
    }

    pub(super) async fn answer<B>(&self, request: &Request<B>) -> Response<FileBody> {
        let is_head = match *request.method() {
            Method::GET => false,
            Method::HEAD => true,
            _ => return not_allowed(),
        };
        let path = request.uri().path();
        let response =
            if path == "/healthz" { text(StatusCode::OK, "ok") } else { self.file(path, request.headers()).await };
        if is_head { response.map(|_| whole(Bytes::new())) } else { response }
    }

    async fn file(&self, path: &str, headers: &HeaderMap) -> Response<FileBody> {
        let Some(relative) = tree::relative(path) else { return text(StatusCode::NOT_FOUND, "not found\n") };
        let (tree, hashes) = (Arc::clone(&self.tree), Arc::clone(&self.hashes));
        let wants_index = path.ends_with('/');
        let found = tokio::task::spawn_blocking(move || find(&tree, &hashes, relative, wants_index)).await;
        match found.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(Found::File { path, content, hash }) => file(&path, content, &hash, headers),
            Ok(Found::Directory) => with_slash(path),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => text(StatusCode::FORBIDDEN, "forbidden\n"),
            Err(error) if means_absent(&error) => text(StatusCode::NOT_FOUND, "not found\n"),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n"),
        }
    }
}

/// There is nothing of this name that may be served.
fn means_absent(error: &io::Error) -> bool {
    use nix::libc::{ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, EXDEV};
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error().is_some_and(|code| [ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, EXDEV].contains(&code))
}

fn find(
    tree: &Tree,
    hashes: &Mutex<HashMap<Version, blake3::Hash>>,
    relative: PathBuf,
    wants_index: bool,
) -> io::Result<Found> {
    let path = if wants_index { relative.join("index.html") } else { relative };
    let mut file = tree.find(&path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() && !wants_index {
        return Ok(Found::Directory);
    }
    if !metadata.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if metadata.len() <= WHOLE {
        let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
        file.read_to_end(&mut content)?;
        let hash = blake3::hash(&content);
        return Ok(Found::File { path, content: Content::Whole(content.into()), hash });
    }
    let hash = hash_of(hashes, &mut file, &metadata)?;
    Ok(Found::File { path, content: Content::Large(file, metadata.len()), hash })
}

fn hash_of(
    hashes: &Mutex<HashMap<Version, blake3::Hash>>,
    file: &mut File,
    metadata: &Metadata,
) -> io::Result<blake3::Hash> {
    let version = Version {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    };
    if let Some(hash) = hashes.lock().unwrap_or_else(PoisonError::into_inner).get(&version) {
        return Ok(*hash);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&mut *file)?;
    file.rewind()?;
    let hash = hasher.finalize();
    let mut hashes = hashes.lock().unwrap_or_else(PoisonError::into_inner);
    if hashes.len() >= MOST_HASHES {
        hashes.clear();
    }
    hashes.insert(version, hash);
    Ok(hash)
}

fn file(path: &Path, content: Content, hash: &blake3::Hash, headers: &HeaderMap) -> Response<FileBody> {
    let hex = hash.to_hex();
    let etag = format!("\"{}\"", hex.get(..32).unwrap_or_default());
    if is_known(headers, &etag) {
        let mut response = Response::new(whole(Bytes::new()));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        set(&mut response, header::ETAG, &etag);
        return response;
    }
    let (length, body) = match content {
        Content::Whole(bytes) => (bytes.len() as u64, whole(bytes)),
        Content::Large(file, length) => (length, in_parts(file, length)),
    };
    let mut response = Response::new(body);
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    set(&mut response, header::CONTENT_TYPE, media_type::of(path));
    set(&mut response, header::ETAG, &etag);
    // Ask each time: the next generation may say something else.
    set(&mut response, header::CACHE_CONTROL, "no-cache");
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

/// Whether the client has this content already.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

/// Exactly `length` bytes; a file that became shorter breaks the answer off.
fn in_parts(file: File, length: u64) -> FileBody {
    let start = (tokio::fs::File::from_std(file), length);
    let parts = futures_util::stream::try_unfold(start, |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let most = usize::try_from(left).unwrap_or(PART).min(PART);
        let mut part = BytesMut::with_capacity(most);
        let read = (&mut file).take(most as u64).read_buf(&mut part).await?;
        if read == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(Some((Frame::data(part.freeze()), (file, left - read as u64))))
    });
    StreamBody::new(parts).boxed_unsync()
}

fn with_slash(path: &str) -> Response<FileBody> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    // Made of the segments: `//host` would name another server.
    let mut response = text(StatusCode::MOVED_PERMANENTLY, "moved\n");
    set(&mut response, header::LOCATION, &format!("/{}/", segments.join("/")));
    response
}

fn not_allowed() -> Response<FileBody> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    set(&mut response, header::ALLOW, "GET, HEAD");
    response
}

fn text(status: StatusCode, text: &'static str) -> Response<FileBody> {
    let mut response = Response::new(whole(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    set(&mut response, header::CONTENT_LENGTH, &text.len().to_string());
    response
}

fn whole(bytes: Bytes) -> FileBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn set(response: &mut Response<FileBody>, name: HeaderName, value: &str) {
    // All values above are visible ASCII; one that is not is better left out than sent.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
