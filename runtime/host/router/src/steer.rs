//! Requests that choose their target themselves: previews of a group, and clients that stay with a target.
//!
//! A target is named to clients by a token that says nothing about it. Whatever a request asks for, only targets of its route are given, and one that has
//! left is not missed: the request is dealt like any other.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::cookies;
use crate::spec::{Mark, Preview, RouteSpec};

/// What a route lets requests ask for.
#[derive(Debug, Default)]
pub(crate) struct Steer {
    preview: Option<(Option<HeaderName>, Preview)>,
    sticky: Option<Sticky>,
}

#[derive(Debug)]
struct Sticky {
    cookie: String,
    /// What follows the token in `Set-Cookie`.
    attributes: String,
}

/// What one request asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wish<'a> {
    pub(crate) group: Option<&'a str>,
    pub(crate) token: Option<Token>,
}

/// Stands for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token(u64);

impl Token {
    pub(crate) fn new(target: &str) -> Self {
        Self(short_hash(target))
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() == 16 { u64::from_str_radix(text, 16).ok().map(Self) } else { None }
    }
}

impl Steer {
    pub(crate) fn new(spec: &RouteSpec) -> Self {
        let preview = spec.preview.clone().map(|preview| {
            let header = match &preview.by {
                // One that no request can have never matches.
                Mark::Header { name, .. } => HeaderName::try_from(name.as_str()).ok(),
                Mark::Cookie { .. } => None,
            };
            (header, preview)
        });
        let sticky = spec.sticky.then(|| Sticky {
            cookie: format!("imm-{:08x}", short_hash(&spec.id) >> 32),
            attributes: format!(
                "; Path={}; HttpOnly; SameSite=Lax{}",
                cookie_path(&spec.path),
                if spec.tls.is_some() { "; Secure" } else { "" }
            ),
        });
        Self { preview, sticky }
    }

    pub(crate) fn wish(&self, headers: &HeaderMap) -> Wish<'_> {
        let group = self.preview.as_ref().filter(|(header, preview)| is_marked(headers, header.as_ref(), &preview.by));
        let token = || Token::parse(cookies::find(headers, &self.sticky.as_ref()?.cookie)?);
        match group {
            Some((_, preview)) => Wish { group: Some(&preview.group), token: None },
            None => Wish { group: None, token: token() },
        }
    }

    /// The router's own cookie is none of the target's business.
    pub(crate) fn cookie(&self) -> Option<&str> {
        self.sticky.as_ref().map(|sticky| sticky.cookie.as_str())
    }

    /// What tells the client where to stay, unless it knows.
    pub(crate) fn set_cookie(&self, wish: Wish<'_>, given: Token) -> Option<HeaderValue> {
        let sticky = self.sticky.as_ref()?;
        // A look at the new version does not bind to it.
        if wish.group.is_some() || wish.token == Some(given) {
            return None;
        }
        HeaderValue::try_from(format!("{}={:016x}{}", sticky.cookie, given.0, sticky.attributes)).ok()
    }
}

fn is_marked(headers: &HeaderMap, header: Option<&HeaderName>, mark: &Mark) -> bool {
    match mark {
        Mark::Header { value, .. } => {
            header.is_some_and(|name| headers.get_all(name).iter().any(|found| found == value.as_str()))
        }
        Mark::Cookie { name, value } => cookies::find(headers, name) == Some(value),
    }
}

/// A path that cannot stand in an attribute is left out at its first such character: the cookie is sent a little more often.
fn cookie_path(path: &str) -> &str {
    let end = path.find(|c: char| c == ';' || !c.is_ascii_graphic()).unwrap_or(path.len());
    let path = path.get(..end).unwrap_or("/").trim_end_matches('/');
    if path.is_empty() { "/" } else { path }
}

fn short_hash(text: &str) -> u64 {
    blake3::hash(text.as_bytes()).as_bytes().iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(sticky: bool, by: Option<Mark>) -> RouteSpec {
        RouteSpec {
            id: "front".to_owned(),
            bind: std::net::Ipv4Addr::LOCALHOST.into(),
            port: 1,
            protocol: crate::Protocol::Http,
            host: None,
            path: "/api/".to_owned(),
            timeout_ms: 1,
            hold_ms: 0,
            tls: None,
            sticky,
            preview: by.map(|by| Preview { group: "fresh".to_owned(), by }),
            targets: vec![],
        }
    }

    fn with(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_client_is_told_once_and_believed() {
        let steer = Steer::new(&spec(true, None));
        let token = Token::new("a");
        let told = steer.set_cookie(Wish::default(), token).unwrap();
        let told = told.to_str().unwrap();
        assert!(told.ends_with("; Path=/api; HttpOnly; SameSite=Lax"), "{told}");
        let wish = steer.wish(&with("cookie", told.split(';').next().unwrap())).token;
        assert_eq!(wish, Some(token));
        assert_eq!(steer.set_cookie(Wish { group: None, token: wish }, token), None);
        assert!(steer.set_cookie(Wish { group: None, token: wish }, Token::new("b")).is_some());
        let garbage = format!("{}=zz", steer.cookie().unwrap());
        assert_eq!(steer.wish(&with("cookie", &garbage)).token, None);
        assert_eq!(Steer::new(&spec(false, None)).set_cookie(Wish::default(), token), None);
    }

    #[test]
    fn marks_are_exact() {
        let by = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (name, value) = by("X-Try", "new");
        let header = Steer::new(&spec(true, Some(Mark::Header { name, value })));
        assert_eq!(header.wish(&with("x-try", "new")).group, Some("fresh"));
        assert_eq!(header.wish(&with("x-try", "newer")), Wish::default());
        assert_eq!(header.set_cookie(header.wish(&with("x-try", "new")), Token::new("a")), None);
        let (name, value) = by("try", "new");
        let cookie = Steer::new(&spec(false, Some(Mark::Cookie { name, value })));
        assert_eq!(cookie.wish(&with("cookie", "a=b; try=new")).group, Some("fresh"));
        assert_eq!(cookie.wish(&with("cookie", "try=old")), Wish::default());
    }
}
