//! Header fields: what concerns one connection stays on it, what tells the target about the client is added.
//!
//! Guarantees: no hop-by-hop field passes; `Host` passes as it came; a request that names no host or two is refused. `X-Forwarded-Proto` and
//! `X-Forwarded-Host` of a client are believed from this machine only (a proxy in front), and replaced otherwise; `Forwarded` and `X-Forwarded-For` are lists that are
//! appended to.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Uri, Version};

use crate::refusal::Refusal;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// Fields of one connection, beside `Connection` and what it names.
const HOP_BY_HOP: [HeaderName; 7] = [
    KEEP_ALIVE,
    PROXY_CONNECTION,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HTTP2_SETTINGS,
];

/// Who sends the requests of a connection.
#[derive(Debug)]
pub(crate) struct Client {
    /// The address it connected to, as the table knows it.
    pub(crate) listener: SocketAddr,
    pub(crate) peer: IpAddr,
    /// What is spoken after a wish for another protocol is not read strictly any more.
    pub(crate) unread: Arc<AtomicBool>,
    forwarded_for: HeaderValue,
    /// The start of a `Forwarded` element.
    forwarded: String,
    /// The host of the first request and the element for it, which is that of most others.
    first: OnceLock<(HeaderValue, Option<HeaderValue>)>,
    scheme: &'static str,
}

impl Client {
    pub(crate) fn new(listener: SocketAddr, peer: IpAddr, is_encrypted: bool) -> Self {
        let peer = peer.to_canonical();
        let name = peer.to_string();
        let forwarded =
            if peer.is_ipv6() { format!("for=\"[{name}]\";host=\"") } else { format!("for={name};host=\"") };
        let forwarded_for = HeaderValue::try_from(name).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        let scheme = if is_encrypted { "https" } else { "http" };
        Self { listener, peer, unread: Arc::default(), forwarded_for, forwarded, first: OnceLock::new(), scheme }
    }

    /// The element of `Forwarded` for a request to this host.
    fn forwarded(&self, host: &HeaderValue) -> Option<HeaderValue> {
        let made = || {
            let text = host.to_str().unwrap_or_default();
            HeaderValue::try_from(format!("{}{text}\";proto={}", self.forwarded, self.scheme)).ok()
        };
        let (known, element) = self.first.get_or_init(|| (host.clone(), made()));
        if known == host { element.clone() } else { made() }
    }
}

/// Makes the head of a request fit for a target, and returns the host it is for, with port as it came.
pub(crate) fn to_target(head: &mut Parts, client: &Client, upgrade: bool) -> Result<HeaderValue, Refusal> {
    if head.method == Method::CONNECT {
        return Err(Refusal::BadRequest("CONNECT is for forward proxies, and this is none"));
    }
    let host = host_of(head, client)?;
    remove_hop_by_hop(&mut head.headers, upgrade);
    // The router answers it itself, by reading the body.
    head.headers.remove(header::EXPECT);
    if head.uri.authority().is_some() {
        head.uri = Uri::from(head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    }
    if head.version == Version::HTTP_2 {
        join_cookies(&mut head.headers);
    }
    head.version = Version::HTTP_11;
    tell_origin(&mut head.headers, client, &host);
    match head.headers.entry(header::HOST) {
        Entry::Occupied(named) if named.get() == host => {}
        Entry::Occupied(mut named) => _ = named.insert(host.clone()),
        Entry::Vacant(unnamed) => _ = unnamed.insert(host.clone()),
    }
    Ok(host)
}

/// Makes the head of an answer fit for the client.
pub(crate) fn to_client(headers: &mut HeaderMap, upgrade: bool) {
    remove_hop_by_hop(headers, upgrade);
}

/// Whether the client wants to go on with another protocol on this connection.
pub(crate) fn wants_upgrade(head: &http::Request<hyper::body::Incoming>) -> bool {
    let headers = head.headers();
    // HTTP/2 in the clear begins with prior knowledge or not at all.
    let is_h2c = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"h2c");
    head.version() == Version::HTTP_11
        && headers.get(header::UPGRADE).is_some_and(|value| !is_h2c(value))
        && connection_options(headers).any(|option| option.eq_ignore_ascii_case("upgrade"))
}

/// The host without its port.
pub(crate) fn without_port(host: &HeaderValue) -> &str {
    // Checked by `host_of`.
    let host = host.to_str().unwrap_or_default();
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

fn host_of(head: &Parts, client: &Client) -> Result<HeaderValue, Refusal> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let named = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::BadRequest("more than one Host"));
    }
    let host = match (head.uri.authority(), named) {
        (Some(authority), _) => {
            HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::BadRequest("the host is not valid"))?
        }
        (None, Some(host)) => host.clone(),
        (None, None) if head.version == Version::HTTP_10 => HeaderValue::from_str(&client.listener.to_string())
            .map_err(|_| Refusal::BadRequest("the host is not valid"))?,
        (None, None) => return Err(Refusal::BadRequest("no Host")),
    };
    let valid = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+,;=".contains(byte);
    if host.as_bytes().iter().all(valid) { Ok(host) } else { Err(Refusal::BadRequest("the host is not valid")) }
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|option| !option.is_empty())
}

/// The fields that `Connection` says are of this connection. What it says most often names none.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let says_little = |value: &HeaderValue| {
        let value = value.as_bytes();
        value.eq_ignore_ascii_case(b"keep-alive") || value.eq_ignore_ascii_case(b"close")
    };
    if headers.get_all(header::CONNECTION).iter().all(says_little) {
        return Vec::new();
    }
    connection_options(headers).filter_map(|option| HeaderName::try_from(option).ok()).collect()
}

fn remove_hop_by_hop(headers: &mut HeaderMap, upgrade: bool) {
    let protocol = if upgrade { headers.get(header::UPGRADE).cloned() } else { None };
    if headers.contains_key(header::CONNECTION) {
        for name in named_by_connection(headers) {
            // A client cannot take away what says whom the request is for and how long it is.
            if name != header::HOST && name != header::CONTENT_LENGTH {
                headers.remove(name);
            }
        }
        headers.remove(header::CONNECTION);
    }
    // Few heads have any: looking through names costs less than looking each one up.
    if headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        for name in HOP_BY_HOP {
            headers.remove(name);
        }
    }
    if let Some(protocol) = protocol {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
}

fn tell_origin(headers: &mut HeaderMap, client: &Client, host: &HeaderValue) {
    if let Some(element) = client.forwarded(host) {
        append(headers, header::FORWARDED, element);
    }
    append(headers, X_FORWARDED_FOR, client.forwarded_for.clone());
    let is_believed = client.peer.is_loopback();
    let told = [(X_FORWARDED_PROTO, HeaderValue::from_static(client.scheme)), (X_FORWARDED_HOST, host.clone())];
    for (name, value) in told {
        match headers.entry(name) {
            Entry::Occupied(_) if is_believed => {}
            Entry::Occupied(mut said) => _ = said.insert(value),
            Entry::Vacant(unsaid) => _ = unsaid.insert(value),
        }
    }
}

/// Adds an element to a list, in one field: many programs read the first field only.
fn append(headers: &mut HeaderMap, name: HeaderName, element: HeaderValue) {
    match headers.entry(name) {
        Entry::Vacant(missing) => _ = missing.insert(element),
        Entry::Occupied(mut there) => {
            let joined = join(there.iter().chain([&element]), b", ");
            if let Ok(value) = HeaderValue::from_bytes(&joined) {
                there.insert(value);
            }
        }
    }
}

/// HTTP/2 may cut cookies into several fields, HTTP/1.1 may not.
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_some() {
        let joined = join(headers.get_all(header::COOKIE).iter(), b"; ");
        if let Ok(value) = HeaderValue::from_bytes(&joined) {
            headers.insert(header::COOKIE, value);
        }
    }
}

fn join<'a>(values: impl Iterator<Item = &'a HeaderValue>, separator: &[u8]) -> Vec<u8> {
    let mut joined = Vec::new();
    for value in values {
        if !joined.is_empty() {
            joined.extend_from_slice(separator);
        }
        joined.extend_from_slice(value.as_bytes());
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: Version, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().version(version).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn client(peer: &str) -> Client {
        Client::new("127.0.0.1:80".parse().unwrap(), peer.parse().unwrap(), false)
    }

    #[test]
    fn hop_by_hop_fields_stay() {
        let fields = [
            ("host", "a:1"),
            ("connection", "close, X-Mine , host"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("expect", "100-continue"),
            ("x-other", "2"),
        ];
        let mut head = head(Version::HTTP_11, "/p?q", &fields);
        let host = to_target(&mut head, &client("10.0.0.1"), false).ok().unwrap();
        assert_eq!(without_port(&host), "a");
        let mut names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["forwarded", "host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-other"]);
        assert_eq!(head.uri, "/p?q");
    }

    #[test]
    fn lists_are_appended_to_and_strangers_not_believed() {
        let fields = [
            ("host", "a"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "2.2.2.2"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=1.1.1.1"),
        ];
        for (peer, proto, element) in [
            ("10.0.0.1", "http", "for=10.0.0.1;host=\"a\";proto=http"),
            ("::1", "https", "for=\"[::1]\";host=\"a\";proto=http"),
        ] {
            let mut head = head(Version::HTTP_11, "/", &fields);
            to_target(&mut head, &client(peer), false).ok().unwrap();
            assert_eq!(head.headers["x-forwarded-for"], format!("1.1.1.1, 2.2.2.2, {peer}"));
            assert_eq!(head.headers["x-forwarded-proto"], proto);
            assert_eq!(head.headers["forwarded"], format!("for=1.1.1.1, {element}"));
        }
    }

    #[test]
    fn the_host_is_one_and_valid() {
        let host = |version, uri: &str, fields: &[(&str, &str)]| {
            to_target(&mut head(version, uri, fields), &client("::1"), false)
                .ok()
                .map(|host| host.to_str().unwrap().to_owned())
        };
        assert_eq!(host(Version::HTTP_11, "/", &[]), None);
        assert_eq!(host(Version::HTTP_11, "/", &[("host", "a"), ("host", "a")]), None);
        assert_eq!(host(Version::HTTP_11, "/", &[("host", "a/b")]), None);
        assert_eq!(host(Version::HTTP_11, "/", &[("host", "a\"")]), None);
        assert_eq!(host(Version::HTTP_10, "/", &[]).as_deref(), Some("127.0.0.1:80"));
        assert_eq!(host(Version::HTTP_11, "http://b:2/x", &[("host", "a")]).as_deref(), Some("b:2"));
        assert_eq!(without_port(&HeaderValue::from_static("[::1]:80")), "[::1]");
        assert_eq!(without_port(&HeaderValue::from_static("[::1]")), "[::1]");
    }
}
