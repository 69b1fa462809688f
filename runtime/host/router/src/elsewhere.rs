//! A target that is somebody else's server: where it is, and what a request must say to be understood there.
//!
//! The name is resolved at every new connection, so that a server that moves is found again. It does not follow redirects: the client does.

use std::fmt;
use std::str::FromStr;

use http::header::HOST;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri};
use serde::{Deserialize, Serialize};

/// A server by URL: `http://HOST[:PORT][/BASE]`, or with `https`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Elsewhere {
    /// `https`: it proves who it is, and what is sent is encrypted.
    encrypted: bool,
    /// Its name or address, without brackets.
    host: String,
    port: u16,
    /// What its `Host` says.
    authority: String,
    /// Put before the path of every request; without a slash at its end.
    base: String,
}

/// A URL that is no server's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` cannot be called: {why}")]
pub struct BadUrl {
    url: String,
    why: &'static str,
}

impl FromStr for Elsewhere {
    type Err = BadUrl;

    fn from_str(url: &str) -> Result<Self, BadUrl> {
        let bad = |why| BadUrl { url: url.to_owned(), why };
        let uri: Uri = url.parse().map_err(|_| bad("it is no URL; write one like http://10.0.0.5:8080"))?;
        let encrypted = uri.scheme() == Some(&Scheme::HTTPS);
        if !encrypted && uri.scheme() != Some(&Scheme::HTTP) {
            return Err(bad("it must begin with `http://` or `https://`"));
        }
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("a user or password does not belong into it"));
        }
        if uri.query().is_some() {
            return Err(bad("a query does not belong into it"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        Ok(Self {
            encrypted,
            host,
            port: authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encrypted { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.base)
    }
}

impl TryFrom<String> for Elsewhere {
    type Error = BadUrl;

    fn try_from(url: String) -> Result<Self, BadUrl> {
        url.parse()
    }
}

impl From<Elsewhere> for String {
    fn from(elsewhere: Elsewhere) -> Self {
        elsewhere.to_string()
    }
}

impl Elsewhere {
    /// What to connect to.
    #[must_use]
    pub fn host_and_port(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Whether it is spoken to by TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// What its `Host` says.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path to ask for, to get this one of its base.
    #[must_use]
    pub fn path(&self, below: &str) -> String {
        if self.base.is_empty() { below.to_owned() } else { format!("{}{below}", self.base) }
    }

    /// Makes a request for this path and query one that is understood there.
    pub(crate) fn aim<B>(&self, message: &mut Request<B>, uri: &Uri) {
        let asked = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        // Both parts were valid by themselves, and so is the whole.
        if let Ok(uri) = self.path(asked).parse() {
            *message.uri_mut() = uri;
        }
        if let Ok(host) = HeaderValue::from_str(&self.authority) {
            message.headers_mut().insert(HOST, host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Elsewhere {
        url.parse().unwrap()
    }

    #[test]
    fn a_url_says_where_and_what_to_ask() {
        let check = |url: &str, host: &str, port: u16, asked: &str, sent: &str| {
            let elsewhere = parse(url);
            assert_eq!(elsewhere.host_and_port(), (host, port), "{url}");
            assert_eq!(elsewhere.path(asked), sent, "{url}");
        };
        check("http://a.example", "a.example", 80, "/x?q", "/x?q");
        check("http://a.example/", "a.example", 80, "/", "/");
        check("http://10.0.0.5:9000/v1/", "10.0.0.5", 9000, "/x", "/v1/x");
        check("http://[::1]:81/v1", "::1", 81, "/", "/v1/");
        check("https://a.example/v1", "a.example", 443, "/", "/v1/");
        check("https://a.example:8443", "a.example", 8443, "/", "/");
        assert_eq!(parse("http://[::1]:81/v1/").to_string(), "http://[::1]:81/v1");
        assert_eq!(parse("HTTPS://a.example/").to_string(), "https://a.example");
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for url in
            ["", "a.example", "/x", "ftp://a", "https://a/?q", "http://u:p@a", "http://a/?q", "http://", "http://:80"]
        {
            let refused = url.parse::<Elsewhere>().unwrap_err().to_string();
            assert!(refused.contains("cannot be called"), "{refused}");
            assert!(!refused.contains("password") || url.contains('@'));
        }
    }

    #[test]
    fn a_request_is_aimed_and_aimed_again() {
        let uri: Uri = "/x?q".parse().unwrap();
        let mut message = Request::builder().uri(uri.clone()).header(HOST, "mine").body(()).unwrap();
        for _ in 0..2 {
            parse("http://a.example:81/base").aim(&mut message, &uri);
            assert_eq!(
                (message.uri().to_string().as_str(), &message.headers()[HOST]),
                ("/base/x?q", &HeaderValue::from_static("a.example:81"))
            );
        }
    }
}
