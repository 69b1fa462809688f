//! One request for a file.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use tokio::io::AsyncReadExt;

use super::find::{Content, Files, Found, Served, means_absent};
use super::range::{self, Asked};
use super::{SiteSpec, media_type, tree};

/// Large files are sent in parts of this size, in bytes.
const PART: usize = 64 * 1024;

pub(super) type FileBody = UnsyncBoxBody<Bytes, io::Error>;

/// A served directory.
#[derive(Debug)]
pub(crate) struct Site {
    files: Arc<Files>,
    index: Arc<str>,
    not_found: Option<PathBuf>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The route's path, which is not part of a file's; without a slash at its end.
    below: String,
    /// Whether `/healthz` is answered before any file.
    healthz: bool,
}

impl Site {
    /// Opens what a route leads to.
    pub(crate) fn open(spec: &SiteSpec) -> io::Result<Self> {
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
        let header = |(name, value): (&String, &String)| {
            let name = name.parse().map_err(|_| invalid(format!("{name:?} cannot be a header's name")))?;
            let value = value.parse().map_err(|_| invalid(format!("{value:?} cannot be a header's value")))?;
            Ok::<_, io::Error>((name, value))
        };
        Ok(Self {
            files: Arc::new(Files::open(&spec.dir)?),
            index: Arc::from(spec.index.as_str()),
            not_found: spec.not_found.as_deref().and_then(tree::relative),
            headers: spec.headers.iter().map(header).collect::<Result<_, _>>()?,
            below: spec.below.trim_end_matches('/').to_owned(),
            healthz: false,
        })
    }

    /// Opens a directory for a server of its own.
    pub(super) fn of_folder(dir: &Path) -> io::Result<Self> {
        Ok(Self {
            files: Arc::new(Files::open(dir)?),
            index: Arc::from("index.html"),
            not_found: None,
            headers: Vec::new(),
            below: String::new(),
            healthz: true,
        })
    }

    pub(super) async fn answer<B>(&self, request: &Request<B>) -> Response<FileBody> {
        let mut response = match *request.method() {
            Method::GET => self.get(request.uri().path(), request.headers()).await,
            // A range is a matter of GET alone.
            Method::HEAD => {
                let mut headers = request.headers().clone();
                headers.remove(header::RANGE);
                self.get(request.uri().path(), &headers).await.map(|_| whole(Bytes::new()))
            }
            _ => not_allowed(),
        };
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }

    async fn get(&self, path: &str, headers: &HeaderMap) -> Response<FileBody> {
        if self.healthz && path == "/healthz" {
            return text(StatusCode::OK, "ok");
        }
        // The router asks for nothing else.
        let Some(path) = path.strip_prefix(&self.below) else { return text(StatusCode::NOT_FOUND, "not found\n") };
        match self.find(path).await {
            Ok(Some(Found::File(served))) => send(served, headers),
            Ok(Some(Found::Directory)) => self.with_slash(path),
            Ok(None) => self.absent().await,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => text(StatusCode::FORBIDDEN, "forbidden\n"),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n"),
        }
    }

    /// What is at a request's path; a folder only when it has an index.
    async fn find(&self, path: &str) -> io::Result<Option<Found>> {
        let Some(relative) = tree::relative(path) else { return Ok(None) };
        let (files, index) = (Arc::clone(&self.files), Arc::clone(&self.index));
        let wants_index = path.ends_with('/');
        let find = move || {
            let found = files.find(&relative, wants_index.then_some(&*index))?;
            if matches!(found, Found::Directory) {
                files.find(&relative, Some(&index))?;
            }
            Ok(found)
        };
        match tokio::task::spawn_blocking(find).await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Err(error) if means_absent(&error) => Ok(None),
            other => other.map(Some),
        }
    }

    /// The file for what does not exist, whole: it stands for another one.
    async fn absent(&self) -> Response<FileBody> {
        let plain = || text(StatusCode::NOT_FOUND, "not found\n");
        let Some(path) = self.not_found.clone() else { return plain() };
        let files = Arc::clone(&self.files);
        match tokio::task::spawn_blocking(move || files.find(&path, None)).await {
            Ok(Ok(Found::File(served))) => {
                let mut response = send(served, &HeaderMap::new());
                *response.status_mut() = StatusCode::NOT_FOUND;
                response.headers_mut().remove(header::ETAG);
                response.headers_mut().remove(header::ACCEPT_RANGES);
                response
            }
            Ok(Ok(Found::Directory) | Err(_)) | Err(_) => plain(),
        }
    }

    fn with_slash(&self, path: &str) -> Response<FileBody> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        // Made of the segments: `//host` would name another server.
        let mut response = text(StatusCode::MOVED_PERMANENTLY, "moved\n");
        let folder = if segments.is_empty() { String::new() } else { format!("/{}", segments.join("/")) };
        set(&mut response, header::LOCATION, &format!("{}{folder}/", self.below));
        response
    }
}

fn send(served: Served, headers: &HeaderMap) -> Response<FileBody> {
    let Served { path, content, hash } = served;
    let hex = hash.to_hex();
    let etag = format!("\"{}\"", hex.get(..32).unwrap_or_default());
    let size = match &content {
        Content::Whole(bytes) => bytes.len() as u64,
        Content::Large(_, size) => *size,
    };
    let asked = if is_known(headers, &etag) { None } else { Some(asked(headers, &etag, size)) };
    let mut response = match asked {
        None => {
            let mut response = Response::new(whole(Bytes::new()));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        }
        Some(Asked::Outside) => {
            let mut response = text(StatusCode::RANGE_NOT_SATISFIABLE, "the file has no such part\n");
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
            return response;
        }
        Some(Asked::Whole) => described(part(content, 0, size), size, &path),
        Some(Asked::Part { start, length }) => {
            let mut response = described(part(content, start, length), length, &path);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let last = start + length - 1;
            set(&mut response, header::CONTENT_RANGE, &format!("bytes {start}-{last}/{size}"));
            response
        }
    };
    set(&mut response, header::ETAG, &etag);
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    // Ask each time: the next generation may say something else.
    set(&mut response, header::CACHE_CONTROL, "no-cache");
    response
}

fn described(body: FileBody, length: u64, path: &Path) -> Response<FileBody> {
    let mut response = Response::new(body);
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    set(&mut response, header::CONTENT_TYPE, media_type::of(path));
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

/// The part that is asked for, if what the client has of the file is of this content. There are no dates to compare.
fn asked(headers: &HeaderMap, etag: &str, size: u64) -> Asked {
    let same = headers.get(header::IF_RANGE).is_none_or(|known| known == etag);
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok()).filter(|_| same);
    range.map_or(Asked::Whole, |range| range::read(range, size))
}

fn part(content: Content, start: u64, length: u64) -> FileBody {
    match content {
        Content::Whole(bytes) => {
            let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            whole(bytes.slice(position(start)..position(start.saturating_add(length))))
        }
        Content::Large(file, _) => in_parts(file, start, length),
    }
}

/// Exactly `length` bytes; a file that became shorter breaks the answer off.
fn in_parts(mut file: File, start: u64, length: u64) -> FileBody {
    if let Err(error) = file.seek(SeekFrom::Start(start)) {
        let broken = futures_util::stream::iter([Err::<Frame<Bytes>, _>(error)]);
        return StreamBody::new(broken).boxed_unsync();
    }
    let begin = (tokio::fs::File::from_std(file), length);
    let parts = futures_util::stream::try_unfold(begin, |(mut file, left)| async move {
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

fn not_allowed() -> Response<FileBody> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    set(&mut response, header::ALLOW, "GET, HEAD");
    response
}

pub(super) fn text(status: StatusCode, text: &'static str) -> Response<FileBody> {
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
